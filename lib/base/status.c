/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for nm_error. Names come from files, so control characters never reach a message. */
#include "lib/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            *s = '?';
        }
    }
}

nm_status nmi_fail_set(nm_error *err, nm_status status, const char *format, ...)
{
    if (!err) {
        return status;
    }
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n < 0) {
        err->message[0] = '\0';
    }
    make_printable(err->message);
    err->status = status;
    return status;
}

nm_status nmi_fail_in(nm_error *err, nm_status status, const char *format, ...)
{
    if (!err) {
        return status;
    }
    char sentence[sizeof err->message];
    memcpy(sentence, err->message, sizeof sentence);
    sentence[sizeof sentence - 1] = '\0';
    char prefix[sizeof err->message];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return nmi_fail(err, status, "%s: %s", n < 0 ? "" : prefix, sentence);
}
