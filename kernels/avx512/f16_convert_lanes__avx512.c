/* SPDX-License-Identifier: Apache-2.0 */
/* Into, out of and between lanes of float16. */
#define VL 16
#define HALF
#define KERNEL f16_convert_lanes
#include "kernels/simd/convert.inc"
