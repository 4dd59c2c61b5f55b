/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse convolution of horizontal stride 1. */
#define VL 16
#define XS 1
#define FLAT 0
#define KERNEL f32_spconv_s1_lanes
#include "kernels/simd/spconv.inc"
