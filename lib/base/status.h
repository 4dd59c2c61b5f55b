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

/* Fills *err (when not NULL) and returns status: return nmi_fail(err, NM_ESHAPE, "...", ...); */
nm_status nmi_fail(nm_error *err, nm_status status, const char *format, ...) NMI_PRINTF(3, 4);

/* NM_ENOMEM with a sentence that names what the memory was for. */
nm_status nmi_fail_memory(nm_error *err, size_t bytes, const char *what);

/* Puts "prefix: " in front of the sentence in err; returns status. */
nm_status nmi_fail_in(nm_error *err, nm_status status, const char *format, ...) NMI_PRINTF(3, 4);

#endif
