/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of sparsities for a time or for an accuracy (after SPDY, Frantar and Alistarh 2022):
 * errors by layer from an analysis, times by layer as measured, weights of the errors from what each
 * layer alone does to the outputs, improved by trying others; what counts in the end is the finished
 * network on data that was held back.
 */
#ifndef NM_PRUNE_SEARCH_H
#define NM_PRUNE_SEARCH_H

#include "lib/prune/speed.h"

struct nmi_search_result {
    double dense_ms, ms; /* of the dense network and of the outcome, one item */
    double drop;         /* on the judging data, see nm_prune_options.max_drop */
    int64_t judged;      /* items */
};

/* targets: as chosen; in the end with the sparsities that were found. *pruned: a copy of source. */
struct nmi_search {
    struct nmi_targets *targets;
    const struct nmi_graph *source;
    const nm_prune_options *options;
    struct nmi_layer_result *results;
    struct nmi_preparer prepare;
};
nm_status nmi_prune_search(const struct nmi_search *search, struct nmi_graph **pruned,
                           struct nmi_search_result *result, nm_error *err);

#endif
