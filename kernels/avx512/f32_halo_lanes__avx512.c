/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of an image in lanes. */
#define VL 16
#define KERNEL f32_halo_lanes
#include "kernels/simd/halo.inc"
