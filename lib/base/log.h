/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's log callback, as a value that is passed down. */
#ifndef NM_BASE_LOG_H
#define NM_BASE_LOG_H

#include "lib/base/status.h"

struct nmi_log {
    nm_log_fn fn; /* may be NULL */
    void *user;
};
void nmi_log(const struct nmi_log *log, int level, const char *format, ...) NMI_PRINTF(3, 4);

#endif
