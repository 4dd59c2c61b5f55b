/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a core reaches with multiply-adds whose operand is in L1 and one broadcast for a tile of
 * them: nmi_bound_gflops (kernel.h) times passes over a panel.
 */
#ifndef NM_KERNELS_BOUND_H
#define NM_KERNELS_BOUND_H

#include "kernels/kernel.h"

enum { NMI_BOUND_TILE = 14 }; /* vectors; the widest tile of the sparse kernels */

/* weights broadcasts; panel: weights x NMI_BOUND_TILE vectors, aligned. */
void nmi_bound_pass__avx2(const float *panel, const float *w, int32_t weights);
void nmi_bound_pass__avx512(const float *panel, const float *w, int32_t weights);

#endif
