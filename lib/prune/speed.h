/* SPDX-License-Identifier: Apache-2.0 */
/* What this library's kernels need for each layer, measured in the running network. */
#ifndef NM_PRUNE_SPEED_H
#define NM_PRUNE_SPEED_H

#include "lib/prune/reconstruct.h"

struct nmi_speed {
    double dense_ms;        /* the network without sparse kernels */
    double other_ms;        /* what is not a chosen target */
    double (*ms)[NMI_GRID]; /* by target, never rising */
};

/* ms lies in the arena. Weights are thinned by magnitude, by each target's own pattern: the time does
 * not depend on which ones go. input: one item or a few. */
nm_status nmi_speed_measure(const struct nmi_targets *targets, const struct nmi_graph *source,
                            const nm_prune_options *options, const struct nmi_tensor *input,
                            struct nmi_arena *arena, struct nmi_speed *speed, nm_error *err);

/* The whole network at the targets' sparsities, thinned by magnitude, in ms: median. */
nm_status nmi_speed_profile(const struct nmi_targets *targets, const struct nmi_graph *source,
                            const nm_prune_options *options, const struct nmi_tensor *input,
                            double *ms, nm_error *err);

/* One run of this graph, in ms: median. */
nm_status nmi_speed_of(const struct nmi_graph *graph, const nm_prune_options *options, bool dense,
                       const struct nmi_tensor *input, double *ms, nm_error *err);

#endif
