/* SPDX-License-Identifier: Apache-2.0 */
/* Max and average pooling in lanes. */
#define VL 16
#define KERNEL f32_pool_lanes
#include "kernels/simd/pool.inc"
