/* SPDX-License-Identifier: Apache-2.0 */
/* Dense 3 x 3 convolution of stride 1 in channel blocks. */
#define VL 16
#define KERNEL f32_winograd_block
#include "kernels/simd/winograd.inc"
