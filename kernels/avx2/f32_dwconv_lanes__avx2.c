/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution in lanes. */
#define VL 8
#define KERNEL f32_dwconv_lanes
#include "kernels/simd/dwconv.inc"
