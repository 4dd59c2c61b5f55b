/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/graph/print.h"

#include <string.h>

static void put_shape(const struct nmi_graph *g, const struct nmi_value *v, struct nmi_text *t)
{
    if (v->rank < 0) {
        nmi_json_string(t, "shape", NULL);
        return;
    }
    nmi_json_open(t, "shape", '[');
    for (int32_t d = 0; d < v->rank; d++) {
        int32_t symbol = nmi_dim_symbol_id(v->dims[d]);
        if (nmi_dim_known(v->dims[d])) {
            nmi_json_int(t, NULL, v->dims[d]);
        } else {
            nmi_json_string(t, NULL, symbol == NMI_NONE ? NULL : g->symbols[symbol]);
        }
    }
    nmi_json_close(t, '[');
}

static void put_members(const struct nmi_graph *g, const struct nmi_value *v, struct nmi_text *t)
{
    nmi_json_string(t, "name", v->name);
    nmi_json_string(t, "type", v->type == NM_TYPE_NONE ? NULL : nm_type_name(v->type));
    put_shape(g, v, t);
}

static void put_values(const struct nmi_graph *g, const char *key, const int32_t *ids, int32_t n,
                       struct nmi_text *t)
{
    nmi_json_open(t, key, '[');
    for (int32_t i = 0; i < n; i++) {
        if (ids[i] == NMI_NONE) {
            nmi_json_string(t, NULL, NULL);
            continue;
        }
        nmi_json_open(t, NULL, '{');
        put_members(g, &g->values[ids[i]], t);
        nmi_json_close(t, '{');
    }
    nmi_json_close(t, '[');
}

static void put_node(const struct nmi_graph *g, const struct nmi_node *node,
                     const char *(*op_name)(uint16_t op),
                     void (*op_attrs)(const struct nmi_node *node, struct nmi_text *t),
                     struct nmi_text *t)
{
    nmi_json_open(t, NULL, '{');
    nmi_json_string(t, "name", node->name);
    nmi_json_string(t, "op", op_name(node->op));
    nmi_json_open(t, "inputs", '[');
    for (int32_t k = 0; k < node->n_inputs; k++) {
        int32_t v = node->inputs[k];
        nmi_json_string(t, NULL, v == NMI_NONE ? NULL : g->values[v].name);
    }
    nmi_json_close(t, '[');
    put_values(g, "outputs", node->outputs, node->n_outputs, t);
    if (op_attrs != NULL) {
        nmi_json_open(t, "attributes", '{');
        op_attrs(node, t);
        nmi_json_close(t, '{');
    }
    nmi_json_close(t, '{');
}

/* Share of zeros (of either sign) in float32 data, which may lie unaligned. */
static double zero_share(const struct nmi_constant *c)
{
    size_t n = c->bytes / sizeof(uint32_t), zeros = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, (const char *)c->data + i * sizeof bits, sizeof bits);
        zeros += bits << 1 == 0;
    }
    return n == 0 ? 0 : (double)zeros / (double)n;
}

static void put_constant(const struct nmi_graph *g, const struct nmi_value *v, struct nmi_text *t)
{
    const struct nmi_constant *c = &g->constants[v->constant];
    nmi_json_open(t, NULL, '{');
    put_members(g, v, t);
    if (c->type == NM_F32) {
        nmi_json_real(t, "zeros", zero_share(c));
    } else {
        nmi_json_string(t, "zeros", NULL);
    }
    nmi_json_bool(t, "sparse", c->sparse != 0);
    nmi_json_close(t, '{');
}

void nmi_graph_describe(const struct nmi_graph *g, const char *(*op_name)(uint16_t op),
                        void (*op_attrs)(const struct nmi_node *node, struct nmi_text *t),
                        struct nmi_text *t)
{
    nmi_json_open(t, NULL, '{');
    nmi_json_string(t, "name", g->name);
    nmi_json_string(t, "producer", g->producer);
    nmi_json_int(t, "opset", g->opset);
    put_values(g, "inputs", g->inputs, g->n_inputs, t);
    put_values(g, "outputs", g->outputs, g->n_outputs, t);
    nmi_json_open(t, "nodes", '[');
    for (int32_t i = 0; i < g->n_nodes; i++) {
        put_node(g, &g->nodes[i], op_name, op_attrs, t);
    }
    nmi_json_close(t, '[');
    nmi_json_open(t, "constants", '[');
    for (int32_t v = 0; v < g->n_values; v++) {
        if (g->values[v].constant != NMI_NONE) {
            put_constant(g, &g->values[v], t);
        }
    }
    nmi_json_close(t, '[');
    nmi_json_close(t, '{');
}
