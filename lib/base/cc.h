/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler facts: the only place for extensions outside kernels/. */
#ifndef NM_BASE_CC_H
#define NM_BASE_CC_H

#define NMI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NMI_MUST_USE __attribute__((warn_unused_result))
#define NMI_UNUSED __attribute__((unused))
#define NMI_LIKELY(x) __builtin_expect(!!(x), 1)
#define NMI_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NMI_COUNT(array) (sizeof(array) / sizeof *(array))
#define NMI_CACHE_LINE 64

#include <stdint.h>

/* Extended control register 0: the register state that the operating system saves. Only after
 * CPUID has said OSXSAVE. */
static inline uint64_t nmi_xgetbv0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

#endif
