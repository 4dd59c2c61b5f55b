/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pruning by reconstruction: layer by layer, from the network's input on, weights are chosen and
 * refitted so that the layer, fed by the network as pruned so far, gives what the dense network gives
 * at this place (its skip included, so that errors of both ways are mended at the sum). Layer-wise
 * calibration: Hubara et al. 2021 (AdaPrune), Frantar and Alistarh 2022 (OBC). See solve.h.
 */
#ifndef NM_PRUNE_RECONSTRUCT_H
#define NM_PRUNE_RECONSTRUCT_H

#include "lib/prune/write_back.h"

#define NMI_GRID 12 /* sparsities of an analysis */
extern const double nmi_grid[NMI_GRID];

/* Outcome, by target: the relative error of pruned ones, -1 of others; why one was left dense. */
struct nmi_layer_result {
    double error;
    const char *refused; /* static */
};

/* The data, or a part of it: every third item judges, the others calibrate (a layer can learn some
 * hundred items by heart, so what it calibrated with is no judge of it). */
enum nmi_feed_part { NMI_FEED_ALL, NMI_FEED_THIRD, NMI_FEED_REST };
struct nmi_feed {
    const nm_data *data;
    enum nmi_feed_part part;
    int64_t step, items; /* item i is number i x step of the part */
};
#define NMI_FEED_WHOLE ((int64_t)1 << 40)
/* At most so many items of the part, evenly. */
struct nmi_feed nmi_feed_of(const nm_data *data, enum nmi_feed_part part, int64_t most);
/* Which item of the data is item i of the feed. */
int64_t nmi_feed_item(const struct nmi_feed *feed, int64_t i);

/* The weights of a layer at each sparsity of the grid, solved with inputs from the dense network. */
struct nmi_layer_grid {
    double error[NMI_GRID];
    float *w[NMI_GRID]; /* as the layer applies them; NULL: not kept. nmi_alloc'd, of the caller */
    float *b[NMI_GRID];
};

void nmi_layer_grid_free(struct nmi_layer_grid *grid);

struct nmi_reconstruct {
    struct nmi_write_back to;
    const nm_prune_options *options;
    const struct nmi_feed *feed;
    struct nmi_layer_result *results; /* by target */
    struct nmi_layer_grid *grid; /* by target: nothing is changed, this is filled; NULL: prune */
    bool keep_weights;           /* of the grid */
    double progress_from, progress_to;
};

/* Changes the chosen layers in to.running and to.source. NM_ECANCELED when progress says so. */
nm_status nmi_prune_reconstruct(const struct nmi_reconstruct *job, nm_error *err);

/* Reads `count` items as one tensor of the graph's input; NaN and infinities are refused. */
nm_status nmi_feed_read(const struct nmi_feed *feed, int64_t first, int64_t count,
                        struct nmi_tensor *to, nm_error *err);
/* Checks data against the graph's input; sets the graph's free dims behind the batch. */
nm_status nmi_feed_check(const nm_data *data, struct nmi_graph *g, nm_error *err);
/* Items of a batch: divides `items` where it can. */
int32_t nmi_feed_batch(const struct nmi_graph *g, int64_t items);
nm_status nmi_prune_progress(const nm_prune_options *o, double done, const char *what, nm_error *err);

#endif
