/* SPDX-License-Identifier: Apache-2.0 */
/* Global pooling of an image in lanes. */
#define VL 8
#define KERNEL f32_gpool_lanes
#include "kernels/simd/gpool.inc"
