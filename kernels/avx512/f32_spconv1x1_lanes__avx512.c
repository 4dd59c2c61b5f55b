/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse 1x1 convolution, stride 1, input without a frame. */
#define VL 16
#define XS 1
#define FLAT 1
#define KERNEL f32_spconv1x1_lanes
#include "kernels/simd/spconv.inc"
