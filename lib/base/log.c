/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for the caller's log callback. */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>

void nmi_log(const struct nmi_log *log, int level, const char *format, ...)
{
    if (!log || !log->fn) {
        return;
    }
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n >= 0) {
        log->fn(log->user, level, line);
    }
}
