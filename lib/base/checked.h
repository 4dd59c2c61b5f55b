/* SPDX-License-Identifier: Apache-2.0 */
/* Checked arithmetic for everything that comes from a file: false means overflow. */
#ifndef NM_BASE_CHECKED_H
#define NM_BASE_CHECKED_H

#include "lib/base/cc.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline NMI_MUST_USE bool nmi_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline NMI_MUST_USE bool nmi_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline NMI_MUST_USE bool nmi_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline NMI_MUST_USE bool nmi_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Rounds up to a multiple of a power of two; false on overflow. */
static inline NMI_MUST_USE bool nmi_round_up(size_t value, size_t power, size_t *out)
{
    if (!nmi_add(value, power - 1, out)) {
        return false;
    }
    *out &= ~(power - 1);
    return true;
}

/* Bytes of one element of an nm_type; 0 for other numbers. */
size_t nmi_type_size(int32_t type);

/* Product of the dims, all of which must be >= 0; false on a negative dim or when the product of
 * those that are not zero overflows. */
NMI_MUST_USE bool nmi_elems(int32_t rank, const int64_t *dims, int64_t *out);

/* Bytes of a dense tensor; false on overflow, a negative dim or an unknown type. */
NMI_MUST_USE bool nmi_tensor_bytes(int32_t type, int32_t rank, const int64_t *dims, size_t *out);

#endif
