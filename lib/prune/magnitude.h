/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Magnitude pruning (Han et al. 2015, "Learning both weights and connections"): the weights with
 * the smallest absolute values become zero. Exact counts: floor(sparsity x elements) zeros, ties in
 * the order of the weights.
 */
#ifndef NM_PRUNE_MAGNITUDE_H
#define NM_PRUNE_MAGNITUDE_H

#include "lib/sparse/csr.h"

/*
 * Ranks the weights of the optimised graph, and writes the zeros into a copy of the source graph
 * (new constants in its arena, marked sparse; all others by reference). NM_EINVAL: sparsity not in
 * 0..1, a pattern that fits no layer, NaN among the weights. NM_EUNSUPPORTED: a pattern that fits a
 * weight which the graph computes.
 */
nm_status nmi_prune_magnitude(const struct nmi_graph *graph, const struct nmi_graph *source,
                              const nm_prune_options *options, struct nmi_graph **pruned,
                              nm_error *err);

#endif
