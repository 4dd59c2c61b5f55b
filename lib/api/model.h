/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model: the graph of the file, the optimised graph beside it, and the store of packed weights.
 * Nothing of it changes once it is made, but for the store, which guards itself.
 */
#ifndef NM_API_MODEL_H
#define NM_API_MODEL_H

#include "lib/plan/plan.h"

#include <stdatomic.h>

struct nm_model {
    atomic_long references;
    void *bytes;             /* the file; constants point into it; NULL: parent's */
    struct nm_model *parent; /* of a pruned model: its constants are shared */
    struct nmi_graph *source, *graph;
    struct nmi_network network; /* graph and packed weights */
    nm_limits limits;
    bool no_optimize;         /* graph is source as it is */
    nm_value_info *inputs, *outputs; /* in graph's arena */
    nm_weight *weights;              /* of the source, the same */
    size_t n_weights;
    const char *prune_report;        /* JSON in source's arena; NULL: not pruned here */
};

void nmi_model_retain(nm_model *model);

#endif
