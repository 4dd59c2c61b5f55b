/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of a layer: at some output positions of each item, drawn by item and seed, what goes into
 * the layer (one row of an im2col matrix) and what it should give.
 */
#ifndef NM_PRUNE_SAMPLE_H
#define NM_PRUNE_SAMPLE_H

#include "lib/prune/target.h"

struct nmi_samples {
    const struct nmi_target *target;
    const struct nmi_node *node;
    int64_t items, per_item, n; /* n = items x per_item */
    int64_t positions;          /* of one item's output */
    uint64_t seed;
    int32_t rows;               /* outputs of all groups */
    float *x;    /* [group][n][cols] */
    float *full; /* [n][rows]: dense value before the activation */
    float *skip; /* [n][rows]: what the pruned network adds; NULL: nothing */
};

/* out: shape of one item's output (behind the batch). At most per_item positions an item. */
nm_status nmi_samples_create(const struct nmi_target *target, const struct nmi_node *node,
                             int64_t items, int64_t positions, int64_t per_item, bool skip,
                             uint64_t seed, struct nmi_samples *samples, nm_error *err);
void nmi_samples_free(struct nmi_samples *samples);

/* What one batch brings: its items begin at `first`. x: the pruned network's input of the layer;
 * y: the dense network's output without activation and skip; skips of both, or NULL data. */
struct nmi_sample_batch {
    int64_t first;
    const struct nmi_tensor *x, *y, *dense_skip, *skip;
};
nm_status nmi_samples_take(const struct nmi_samples *samples, const struct nmi_sample_batch *batch,
                           nm_error *err);

#endif
