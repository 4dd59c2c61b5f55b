/* SPDX-License-Identifier: Apache-2.0 */
/* A graph as JSON, for nm_model_describe. */
#ifndef NM_GRAPH_PRINT_H
#define NM_GRAPH_PRINT_H

#include "lib/base/text.h"
#include "lib/graph/graph.h"

/*
 * Appends one JSON object:
 *   {"name", "producer", "opset", "inputs": [VALUE...], "outputs": [VALUE...],
 *    "nodes": [{"name", "op", "inputs": [name or null...], "outputs": [VALUE or null...]}...],
 *    "constants": [{"name", "type", "shape", "zeros": share of zeros, or null, "sparse"}...]}
 * VALUE is {"name", "type", "shape"}; shape is null when the rank is not known; a dimension is a
 * number, the name of a symbol, or null.
 * op_name gives the name of an operator; op_attrs (may be NULL) writes the members of a node's
 * "attributes" object.
 */
void nmi_graph_describe(const struct nmi_graph *g, const char *(*op_name)(uint16_t op),
                        void (*op_attrs)(const struct nmi_node *node, struct nmi_text *t),
                        struct nmi_text *t);

#endif
