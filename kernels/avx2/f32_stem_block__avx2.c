/* SPDX-License-Identifier: Apache-2.0 */
/* First layers of stride 2, from plain images to channel blocks. */
#define VL 8
#define KERNEL f32_stem_block
#include "kernels/simd/stem.inc"
