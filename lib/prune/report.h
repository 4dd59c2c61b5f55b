/* SPDX-License-Identifier: Apache-2.0 */
/* What pruning did: as JSON, as a recipe, and as metadata of the model. */
#ifndef NM_PRUNE_REPORT_H
#define NM_PRUNE_REPORT_H

#include "lib/prune/search.h"
#include "lib/prune/speed.h"

struct nmi_prune_outcome {
    const struct nmi_targets *targets;
    const nm_prune_options *options;
    const struct nmi_layer_result *results;
    const struct nmi_search_result *search; /* NULL: none was made */
};

/* *report lies in the arena of pruned, whose metadata gets nm.method, nm.recipe ... */
nm_status nmi_prune_report(const struct nmi_prune_outcome *outcome, struct nmi_graph *pruned,
                           const char **report, nm_error *err);

/* The grid, errors (grid NULL: none) and times by layer: what nm_model_analyze returns. */
void nmi_prune_report_analysis(const struct nmi_targets *targets, const struct nmi_speed *speed,
                               const struct nmi_layer_grid *grid, struct nmi_text *t);

#endif
