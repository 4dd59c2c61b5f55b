/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of a core. */
#define VL 16
#include "kernels/simd/bound.inc"
