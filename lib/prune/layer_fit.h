/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's samples, solved group by group, and in blocks of columns where a Gram matrix of all
 * would be too large. */
#ifndef NM_PRUNE_LAYER_FIT_H
#define NM_PRUNE_LAYER_FIT_H

#include "lib/prune/reconstruct.h"
#include "lib/prune/sample.h"

/* Inputs of a layer for which one Gram matrix is made: 512 channels x 3 x 3; and of a block where there are
 * more. */
enum { NMI_GRAM_COLS = 4608, NMI_GRAM_BLOCK = 2048 };

struct nmi_layer_fit {
    const struct nmi_targets *targets;
    const struct nmi_target *target;
    const struct nmi_samples *samples;
    struct nmi_act act;
    bool fixed_bias;
    int32_t rounds, threads;
};

/* w[rows of all groups][cols], b[rows]; *error over all groups. */
nm_status nmi_layer_fit(const struct nmi_layer_fit *fit, float *w, float *b, double *error,
                        nm_error *err);
/* Errors, and when keep weights, at the grid's sparsities. */
nm_status nmi_layer_curve(const struct nmi_layer_fit *fit, bool keep, struct nmi_layer_grid *grid,
                          nm_error *err);

#endif
