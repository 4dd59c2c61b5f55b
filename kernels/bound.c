/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of one core, by stop-watch. */
#include "kernels/bound.h"

#include "lib/base/cpu.h"

enum { PANEL = (24 << 10) / 4, PASSES = 400, TURNS = 30 };

double nmi_bound_gflops(nm_isa isa)
{
    _Alignas(64) float panel[PANEL];
    float w[PANEL / NMI_BOUND_TILE + 1];
    const int32_t lanes = nmi_isa_lanes(isa);
    double best = 1e9;
    if (lanes == 0) {
        return 0;
    }
    const int32_t weights = PANEL / (NMI_BOUND_TILE * lanes);
    for (int32_t i = 0; i < PANEL; i++) {
        panel[i] = 0.5f;
        w[i / NMI_BOUND_TILE] = 0.25f;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        const double start = nmi_now();
        for (int i = 0; i < PASSES; i++) {
            if (isa == NM_ISA_AVX512) {
                nmi_bound_pass__avx512(panel, w, weights);
            } else {
                nmi_bound_pass__avx2(panel, w, weights);
            }
        }
        const double seconds = nmi_now() - start;
        best = seconds < best ? seconds : best;
    }
    return 2.0 * weights * NMI_BOUND_TILE * lanes * PASSES / best * 1e-9;
}
