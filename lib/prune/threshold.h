/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The k-th smallest of many scores without sorting: floats that are not negative are ordered like
 * their bits, so two histograms of 16 bits find it exactly. Scores are shown twice, in any pieces:
 *
 *     nmi_threshold_begin(&t, elems, sparsity);
 *     nmi_threshold_count(&t, scores, n);   (all pieces)      nmi_threshold_next(&t);
 *     nmi_threshold_count(&t, scores, n);   (all pieces)      nmi_threshold_next(&t);
 *     nmi_threshold_goes(&t, score);        (in the order of the weights)
 */
#ifndef NM_PRUNE_THRESHOLD_H
#define NM_PRUNE_THRESHOLD_H

#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define NMI_THRESHOLD_BINS 65536

struct nmi_threshold {
    int64_t *bins; /* NMI_THRESHOLD_BINS, of the caller */
    int64_t rest;  /* scores that go, counted from the bin that is looked at */
    int64_t high;  /* -1 in the first pass */
    uint32_t bits; /* what is below goes, and of what equals the first `rest` */
    bool all;
};

/* The share sparsity of so many scores goes, counted down. */
void nmi_threshold_begin(struct nmi_threshold *t, int64_t elems, double sparsity);
/* Scores are absolute values: the sign is not looked at. */
void nmi_threshold_count(struct nmi_threshold *t, const float *scores, int64_t n);
void nmi_threshold_next(struct nmi_threshold *t);
bool nmi_threshold_goes(struct nmi_threshold *t, float score);

#endif
