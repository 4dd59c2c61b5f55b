/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New weights and biases of a layer, written to the graph that runs while pruning and to the copy of
 * the source graph that is handed back. A folded BatchNormalization's scale is divided out again.
 */
#ifndef NM_PRUNE_WRITE_BACK_H
#define NM_PRUNE_WRITE_BACK_H

#include "lib/prune/target.h"

struct nmi_write_back {
    const struct nmi_targets *targets;
    struct nmi_graph *running; /* optimised graph whose weights are changed */
    struct nmi_graph *source;  /* copy of the file's graph */
};

/* NULL when the layer's weight and bias can be changed, else why not. *fixed_bias: only the weight. */
const char *nmi_write_back_refuse(const struct nmi_write_back *to, const struct nmi_target *t,
                                  bool *fixed_bias);

/* w[rows of all groups][cols] and b[rows] as the layer applies them (scale included). b is not
 * looked at when the bias is fixed. */
nm_status nmi_write_back(const struct nmi_write_back *to, const struct nmi_target *t, const float *w,
                         const float *b, nm_error *err);

/* The layer's bias before, b[rows]; zeros where it has none. */
void nmi_target_bias(const struct nmi_targets *targets, const struct nmi_target *t, float *b);

#endif
