/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Magnitude pruning (Han et al. 2015, "Learning both weights and connections"): the weights with
 * the smallest absolute values become zero. Exact counts: floor(sparsity x elements) zeros, ties in
 * the order of the weights.
 */
#ifndef NM_PRUNE_MAGNITUDE_H
#define NM_PRUNE_MAGNITUDE_H

#include "lib/prune/target.h"

/*
 * Ranks the weights of the chosen layers and writes the zeros into pruned, a copy of the source
 * graph (new constants in its arena, marked sparse). global: one threshold over all layers, of the
 * share `sparsity` of all weights; only for patterns of single weights (else NM_EINVAL).
 */
nm_status nmi_prune_magnitude(const struct nmi_targets *targets, bool global, double sparsity,
                              struct nmi_graph *pruned, nm_error *err);

/* Any weights go, as many as the targets say, by their patterns: for times. Those by magnitude leave
 * more empty channels than pruning with data does. */
nm_status nmi_prune_random(const struct nmi_targets *targets, struct nmi_graph *pruned,
                           nm_error *err);

#endif
