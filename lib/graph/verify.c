/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of graph.h, one function each. Trusts only that arrays are as long as their
 * counts. */
#include "lib/graph/graph.h"

#include "lib/base/checked.h"

static bool in_range(int32_t id, int32_t n)
{
    return id >= 0 && id < n;
}

static nm_status verify_shape(const struct nmi_graph *g, const struct nmi_value *v, nm_error *err)
{
    if (v->type != NM_TYPE_NONE && nmi_type_size((int32_t)v->type) == 0) {
        return nmi_fail(err, NM_EINTERNAL, "value \"%s\": type %d is none of ours", v->name,
                        (int)v->type);
    }
    if (v->rank < -1 || v->rank > NMI_MAX_DIMS) {
        return nmi_fail(err, NM_EINTERNAL, "value \"%s\": rank %d, expected -1 to %d", v->name,
                        v->rank, NMI_MAX_DIMS);
    }
    for (int32_t i = 0; i < v->rank; i++) {
        int64_t dim = v->dims[i];
        if (dim < nmi_dim_symbol(INT32_MAX) ||
            (dim <= -2 && !in_range(nmi_dim_symbol_id(dim), g->n_symbols))) {
            return nmi_fail(err, NM_EINTERNAL, "value \"%s\": dimension %d is %lld, no symbol",
                            v->name, i, (long long)dim);
        }
    }
    return NM_OK;
}

static nm_status verify_constant(const struct nmi_graph *g, const struct nmi_value *v,
                                 nm_error *err)
{
    if (!in_range(v->constant, g->n_constants)) {
        return nmi_fail(err, NM_EINTERNAL, "value \"%s\": constant %d of %d", v->name, v->constant,
                        g->n_constants);
    }
    const struct nmi_constant *c = &g->constants[v->constant];
    size_t bytes;
    if (c->rank < 0 || c->rank > NMI_MAX_DIMS || c->rank != v->rank || c->type != v->type) {
        return nmi_fail(err, NM_EINTERNAL, "value \"%s\": type or rank is not its constant's",
                        v->name);
    }
    for (int32_t i = 0; i < c->rank; i++) {
        if (c->dims[i] != v->dims[i]) {
            return nmi_fail(err, NM_EINTERNAL, "value \"%s\": dimension %d is not its constant's",
                            v->name, i);
        }
    }
    if (!nmi_tensor_bytes((int32_t)c->type, c->rank, c->dims, &bytes) || bytes != c->bytes ||
        (!c->data && bytes > 0) || c->source < NMI_NONE) {
        return nmi_fail(err, NM_EINTERNAL,
                        "value \"%s\": constant with %zu bytes does not fit its shape", v->name,
                        c->bytes);
    }
    return NM_OK;
}

static nm_status verify_values(const struct nmi_graph *g, nm_error *err)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        const struct nmi_value *v = &g->values[i];
        if (!v->name) {
            return nmi_fail(err, NM_EINTERNAL, "value %d: has no name", i);
        }
        NMI_TRY(verify_shape(g, v, err));
        if (v->constant != NMI_NONE) {
            NMI_TRY(verify_constant(g, v, err));
        }
        if (v->producer != NMI_NONE && !in_range(v->producer, g->n_nodes)) {
            return nmi_fail(err, NM_EINTERNAL, "value \"%s\": producer %d of %d nodes", v->name,
                            v->producer, g->n_nodes);
        }
        if (v->constant != NMI_NONE && v->producer != NMI_NONE) {
            return nmi_fail(err, NM_EINTERNAL, "value \"%s\": both a constant and made by a node",
                            v->name);
        }
    }
    return NM_OK;
}

/* Constants and graph inputs are defined before the first node. */
static nm_status verify_inputs(const struct nmi_graph *g, bool *defined, nm_error *err)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        defined[i] = g->values[i].constant != NMI_NONE;
    }
    for (int32_t i = 0; i < g->n_inputs; i++) {
        int32_t id = g->inputs[i];
        if (!in_range(id, g->n_values)) {
            return nmi_fail(err, NM_EINTERNAL, "graph input %d: value %d of %d", i, id,
                            g->n_values);
        }
        if (defined[id] || g->values[id].producer != NMI_NONE) {
            return nmi_fail(err, NM_EINTERNAL, "graph input \"%s\": is defined twice",
                            g->values[id].name);
        }
        defined[id] = true;
    }
    return NM_OK;
}

static nm_status verify_node_inputs(const struct nmi_graph *g, int32_t index, const bool *defined,
                                    nm_error *err)
{
    const struct nmi_node *node = &g->nodes[index];
    for (int32_t k = 0; k < node->n_inputs; k++) {
        int32_t id = node->inputs[k];
        if (id == NMI_NONE) {
            continue;
        }
        if (!in_range(id, g->n_values)) {
            return nmi_fail(err, NM_EINTERNAL, "node \"%s\": input %d is value %d of %d",
                            node->name, k, id, g->n_values);
        }
        if (!defined[id]) {
            return nmi_fail(err, NM_EINTERNAL,
                            "node \"%s\": input %d, \"%s\", is not defined before it", node->name,
                            k, g->values[id].name);
        }
    }
    return NM_OK;
}

static nm_status verify_node_outputs(const struct nmi_graph *g, int32_t index, bool *defined,
                                     nm_error *err)
{
    const struct nmi_node *node = &g->nodes[index];
    for (int32_t k = 0; k < node->n_outputs; k++) {
        int32_t id = node->outputs[k];
        if (id == NMI_NONE) {
            continue;
        }
        if (!in_range(id, g->n_values)) {
            return nmi_fail(err, NM_EINTERNAL, "node \"%s\": output %d is value %d of %d",
                            node->name, k, id, g->n_values);
        }
        if (defined[id] || g->values[id].producer != index) {
            return nmi_fail(err, NM_EINTERNAL, "node \"%s\": output \"%s\" is defined twice",
                            node->name, g->values[id].name);
        }
        defined[id] = true;
    }
    return NM_OK;
}

static nm_status verify_nodes(const struct nmi_graph *g, bool *defined, nm_error *err)
{
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *node = &g->nodes[i];
        if (!node->name || node->n_inputs < 0 || node->n_outputs < 0) {
            return nmi_fail(err, NM_EINTERNAL, "node %d: has no name or a negative count", i);
        }
        NMI_TRY(verify_node_inputs(g, i, defined, err));
        NMI_TRY(verify_node_outputs(g, i, defined, err));
    }
    return NM_OK;
}

static nm_status verify_ends(const struct nmi_graph *g, const bool *defined, nm_error *err)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].producer != NMI_NONE && !defined[i]) {
            return nmi_fail(err, NM_EINTERNAL, "value \"%s\": its producer does not make it",
                            g->values[i].name);
        }
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        int32_t id = g->outputs[i];
        if (!in_range(id, g->n_values) || !defined[id]) {
            return nmi_fail(err, NM_EINTERNAL, "graph output %d: value %d is not defined", i, id);
        }
    }
    return NM_OK;
}

nm_status nmi_graph_verify(const struct nmi_graph *g, nm_error *err)
{
    NMI_TRY(verify_values(g, err));
    bool *defined = nmi_calloc((size_t)g->n_values, sizeof *defined);
    if (!defined) {
        return nmi_fail_memory(err, (size_t)g->n_values, "verifying a graph");
    }
    nm_status status = verify_inputs(g, defined, err);
    if (status == NM_OK) {
        status = verify_nodes(g, defined, err);
    }
    if (status == NM_OK) {
        status = verify_ends(g, defined, err);
    }
    nmi_free(defined);
    return status;
}
