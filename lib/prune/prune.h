/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning as a whole: options are understood, layers chosen, a method called, the result described. */
#ifndef NM_PRUNE_PRUNE_H
#define NM_PRUNE_PRUNE_H

#include "lib/prune/speed.h"

/*
 * optimised: made from source by the passes that keep weights' sources, with data's dims in its input
 * (nmi_prune_fit_data).
 */
struct nmi_prune_job {
    const struct nmi_graph *optimised, *source;
    const nm_prune_options *options;
    struct nmi_preparer prepare;
};

/* *pruned is a copy of source with other weights, biases and metadata; it refers to source's constants.
 * *report: a JSON text in pruned's arena (NM_DESCRIBE_PRUNE). */
nm_status nmi_prune(const struct nmi_prune_job *job, struct nmi_graph **pruned, const char **report,
                    nm_error *err);

/* As nm_model_analyze. */
nm_status nmi_prune_analyze(const struct nmi_prune_job *job, char **json, nm_error *err);

/* Checks options->data against the graph and puts its dims into the input. Without data: nothing. */
nm_status nmi_prune_fit_data(const nm_prune_options *options, struct nmi_graph *graph, nm_error *err);

#endif
