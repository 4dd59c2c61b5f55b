/* SPDX-License-Identifier: Apache-2.0 */
/* What all vector kernels are written with, whatever the instruction set. */
#ifndef NM_KERNELS_SIMD_WORDS_H
#define NM_KERNELS_SIMD_WORDS_H

#include "kernels/kernel.h"

#define INLINE static inline __attribute__((always_inline, unused))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* KERNEL (the descriptor's name without the instruction set) makes symbol and name of a kernel. */
#define JOIN_(a, b, c) a##b##__##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define DESCRIPTOR JOIN(nmi_k_, KERNEL, ISA_NAME)
#define KERNEL_NAME TEXT(KERNEL) "__" TEXT(ISA_NAME)

#endif
