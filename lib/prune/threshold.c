/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/threshold.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x7fffffffu;
}

void nmi_threshold_begin(struct nmi_threshold *t, int64_t elems, double sparsity)
{
    /* A hair more, so that 0.9 of 10 is 9 and not 8. */
    t->rest = (int64_t)floor(sparsity * (double)elems + 1e-6);
    t->all = t->rest >= elems;
    t->high = -1;
    t->bits = 0;
    memset(t->bins, 0, NMI_THRESHOLD_BINS * sizeof *t->bins);
}

void nmi_threshold_count(struct nmi_threshold *t, const float *scores, int64_t n)
{
    for (int64_t i = 0; i < n && !t->all; i++) {
        const uint32_t bits = bits_of(scores[i]);
        if (t->high < 0) {
            t->bins[bits >> 16]++;
        } else if ((int64_t)(bits >> 16) == t->high) {
            t->bins[bits & 0xffff]++;
        }
    }
}

void nmi_threshold_next(struct nmi_threshold *t)
{
    uint32_t bin = 0;
    while (bin < NMI_THRESHOLD_BINS - 1 && t->rest >= t->bins[bin]) {
        t->rest -= t->bins[bin++];
    }
    if (t->high < 0) {
        t->high = bin;
        memset(t->bins, 0, NMI_THRESHOLD_BINS * sizeof *t->bins);
    } else {
        t->bits = (uint32_t)t->high << 16 | bin;
    }
}

bool nmi_threshold_goes(struct nmi_threshold *t, float score)
{
    const uint32_t bits = bits_of(score);
    if (t->all || bits < t->bits) {
        return true;
    }
    if (bits == t->bits && t->rest > 0) {
        t->rest--;
        return true;
    }
    return false;
}
