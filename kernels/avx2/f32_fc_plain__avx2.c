/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected, sparse weights. */
#define VL 8
#define KERNEL f32_fc_plain
#include "kernels/simd/fc.inc"
