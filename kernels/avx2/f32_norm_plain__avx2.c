/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and layer normalisation of lines of floats. */
#define VL 8
#define KERNEL f32_norm_plain
#include "kernels/simd/norm.inc"
