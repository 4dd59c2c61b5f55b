/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of an image in lanes of float16. */
#define VL 16
#define HALF
#define KERNEL f16_halo_lanes
#include "kernels/simd/halo.inc"
