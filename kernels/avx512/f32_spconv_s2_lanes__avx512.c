/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse convolution of horizontal stride 2. */
#define VL 16
#define XS 2
#define FLAT 0
#define KERNEL f32_spconv_s2_lanes
#include "kernels/simd/spconv.inc"
