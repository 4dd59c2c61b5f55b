/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's tensors held against a graph's inputs and outputs. */
#ifndef NM_RUN_BIND_H
#define NM_RUN_BIND_H

#include "lib/plan/plan.h"

/* Fills tensors[n_inputs of the graph] in the graph's order: type, rank, dims, data. need_data:
 * every input must bring its elements; else only those in keyed[]. */
nm_status nmi_bind_inputs(const struct nmi_graph *g, const nm_tensor *in, size_t n_in,
                          const bool *keyed, bool need_data, struct nmi_tensor *tensors,
                          nm_error *err);

/* Fills pointers[n_outputs of the graph]: the caller's memory where there is some and it is large
 * enough, else the plan's own; and type, rank, dims (and data) of out[]. */
nm_status nmi_bind_outputs(const struct nmi_graph *g, const struct nmi_plan *plan, nm_tensor *out,
                           size_t n_out, void **pointers, nm_error *err);

#endif
