/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse convolution in float16 with float sums. */
#define KERNEL f16_spconv_lanes
#define ISA_NAME avx512fp16
#include "kernels/simd/spconv_half.inc"
