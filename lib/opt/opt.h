/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graph to graph: what is always right and always pays, whatever the shapes and the machine.
 * Results stay the same to float rounding (sums may be associated differently; where a NaN or an
 * infinity meets a folded scale, the result may be the other kind of not finite). Passes know
 * nothing of kernels and layouts.
 */
#ifndef NM_OPT_OPT_H
#define NM_OPT_OPT_H

#include "lib/base/log.h"
#include "lib/graph/graph.h"

/*
 * Optimises g in place; g is a copy of the source graph with its value ids, and after a failure it
 * is good for nmi_graph_free only. limits are resolved (load_work and folded_bytes bound the
 * folding; beyond them it stops, which is no failure). Inputs and outputs keep their order, names
 * and types; a free dimension without a name gets one that starts with '?'. A fused node has the
 * name of its convolution.
 *
 * Constants: `source` is set to the source graph's value as long as zeros stay zeros element for
 * element (scaling, reshaping), NMI_NONE otherwise (transposed, computed, or channels removed).
 * Errors: NM_ESHAPE, NM_ETYPE, NM_EUNSUPPORTED, NM_EINVAL from inference, NM_ENOMEM.
 */
nm_status nmi_optimize(struct nmi_graph *g, const nm_limits *limits, const struct nmi_log *log,
                       nm_error *err);

/* The same without the passes that cost weights their source (empty channels stay): what pruning
 * ranks weights by. */
nm_status nmi_optimize_mapped(struct nmi_graph *g, const nm_limits *limits,
                              const struct nmi_log *log, nm_error *err);

#endif
