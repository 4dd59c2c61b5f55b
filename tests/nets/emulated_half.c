/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the kernel of float16 sparse convolutions, by its name: the same source with each
 * operation emulated, for any CPU with AVX-512. What links this object before libnm.a runs half
 * precision as a CPU with AVX512_FP16 would, in several times the time.
 */
#define KERNEL f16_spconv_lanes
#define ISA_NAME avx512fp16
#include "kernels/simd/spconv_half.inc"
