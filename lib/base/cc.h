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

#endif
