/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element over flat floats. */
#define VL 16
#define KERNEL f32_eltwise_flat
#include "kernels/simd/eltwise.inc"
