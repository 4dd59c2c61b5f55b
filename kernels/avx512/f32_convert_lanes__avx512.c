/* SPDX-License-Identifier: Apache-2.0 */
/* Into, out of and between lanes. */
#define VL 16
#define KERNEL f32_convert_lanes
#include "kernels/simd/convert.inc"
