/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status and message. Every function that can fail returns nm_status and takes nm_error *err last
 * (may be NULL). One sentence: where, what is wrong, what was expected.
 */
#ifndef NM_BASE_STATUS_H
#define NM_BASE_STATUS_H

#include "lib/base/cc.h"
#include <nm/nm.h>

/* Returns the status of a failed call to the caller at once. */
#define NMI_TRY(call)                                \
    do {                                             \
        nm_status nmi_try_status = (call);           \
        if (NMI_UNLIKELY(nmi_try_status != NM_OK)) { \
            return nmi_try_status;                   \
        }                                            \
    } while (0)

/* Fills *err (when not NULL) and returns status: return nmi_fail(err, NM_ESHAPE, "...", ...); The
 * macro shows the status to the compiler, which then knows that the caller does not go on. */
#define nmi_fail(err, status, ...) \
    nmi_status_shown(nmi_fail_set(err, status, __VA_ARGS__), status)
nm_status nmi_fail_set(nm_error *err, nm_status status, const char *format, ...) NMI_PRINTF(3, 4);
static inline nm_status nmi_status_shown(nm_status hidden, nm_status status)
{
    (void)hidden;
    return status;
}

/* NM_ENOMEM with a sentence that names what the memory was for. */
static inline nm_status nmi_fail_memory(nm_error *err, size_t bytes, const char *what)
{
    return nmi_fail(err, NM_ENOMEM, "%s: no memory for %zu bytes", what, bytes);
}

/* Puts "prefix: " in front of the sentence in err; returns status. */
nm_status nmi_fail_in(nm_error *err, nm_status status, const char *format, ...) NMI_PRINTF(3, 4);

#endif
