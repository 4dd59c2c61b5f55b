/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse convolution of a horizontal stride above 2. */
#define VL 8
#define XS 0
#define FLAT 0
#define KERNEL f32_spconv_lanes
#include "kernels/simd/spconv.inc"
