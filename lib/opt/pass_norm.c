/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layer normalisation comes from exporters below opset 17 in nine pieces: d = x - mean(x), then
 * d / sqrt(mean(d^2) + epsilon) scale + bias, means over the last axis.
 */
#include "lib/opt/pass.h"

#define MOST_NODES 8 /* all but the last */

struct norm {
    int32_t x, scale, bias;
    float epsilon;
    int32_t nodes[MOST_NODES];
    int32_t n;
};

/* The node of this operator and so many inputs that makes v, whose readers are all of the pattern.
 */
static const struct nmi_node *maker(const struct nmi_graph *g, const struct nmi_users *u, int32_t v,
                                    uint16_t op, int32_t readers, struct norm *norm)
{
    const int32_t at = v == NMI_NONE ? NMI_NONE : g->values[v].producer;
    if (at == NMI_NONE || g->nodes[at].op != op || u->count[v] != readers || u->is_output[v]) {
        return NULL;
    }
    norm->nodes[norm->n++] = at;
    return &g->nodes[at];
}

/* v = mean of w over the last axis, which stays as one element; then w, else NMI_NONE. */
static int32_t mean_of(const struct nmi_graph *g, const struct nmi_users *u, int32_t v,
                       struct norm *norm)
{
    const struct nmi_node *node = maker(g, u, v, NMI_OP_ReduceMean, 1, norm);
    if (node == NULL) {
        return NMI_NONE;
    }
    const int32_t rank = g->values[node->inputs[0]].rank;
    struct nmi_ints axes = *(const struct nmi_ints *)nmi_opt_attr(node, "axes");
    if (node->n_inputs > 1 && !nmi_opt_ints(g, node->inputs[1], &axes)) {
        return NMI_NONE;
    }
    const bool last = axes.n == 1 && rank > 0 && (axes.v[0] == -1 || axes.v[0] == rank - 1);
    const bool keeps = *(const int64_t *)nmi_opt_attr(node, "keepdims") != 0;
    return last && keeps ? node->inputs[0] : NMI_NONE;
}

/* A vector that scales or shifts the last axis of x: one of the node's two inputs. */
static bool with_vector(const struct nmi_graph *g, const struct nmi_node *node, int32_t *vector,
                        int32_t *other)
{
    for (int32_t k = 0; k < 2; k++) {
        const struct nmi_constant *c = nmi_opt_f32(g, node->inputs[k]);
        if (c != NULL && c->rank == 1) {
            *vector = node->inputs[k];
            *other = node->inputs[1 - k];
            return true;
        }
    }
    return false;
}

/* v = sqrt(mean(d^2) + epsilon). */
static bool deviation_of(const struct nmi_graph *g, const struct nmi_users *u, int32_t v, int32_t d,
                         struct norm *norm)
{
    float two;
    const struct nmi_node *node = maker(g, u, v, NMI_OP_Sqrt, 1, norm);
    node = node != NULL ? maker(g, u, node->inputs[0], NMI_OP_Add, 1, norm) : NULL;
    if (node == NULL || !nmi_opt_scalar(g, node->inputs[1], &norm->epsilon)) {
        return false;
    }
    const int32_t square = mean_of(g, u, node->inputs[0], norm);
    node = maker(g, u, square, NMI_OP_Pow, 1, norm);
    return node != NULL && node->inputs[0] == d && nmi_opt_scalar(g, node->inputs[1], &two) &&
           two == 2 && norm->epsilon >= 0;
}

static bool same_length(const struct nmi_graph *g, const struct norm *norm)
{
    const struct nmi_value *x = &g->values[norm->x];
    const int64_t last = x->rank > 0 ? x->dims[x->rank - 1] : 0;
    return x->type == NM_F32 && nmi_opt_f32(g, norm->scale)->dims[0] == last &&
           nmi_opt_f32(g, norm->bias)->dims[0] == last;
}

/* The node ends the pattern. */
static bool read_norm(const struct nmi_graph *g, const struct nmi_users *u,
                      const struct nmi_node *node, struct norm *norm)
{
    int32_t scaled, normal;
    *norm = (struct norm){.n = 0};
    if (node->op != NMI_OP_Add || !with_vector(g, node, &norm->bias, &scaled)) {
        return false;
    }
    node = maker(g, u, scaled, NMI_OP_Mul, 1, norm);
    if (node == NULL || !with_vector(g, node, &norm->scale, &normal)) {
        return false;
    }
    node = maker(g, u, normal, NMI_OP_Div, 1, norm);
    if (node == NULL || !deviation_of(g, u, node->inputs[1], node->inputs[0], norm)) {
        return false;
    }
    node = maker(g, u, node->inputs[0], NMI_OP_Sub, 2, norm);
    if (node == NULL) {
        return false;
    }
    norm->x = node->inputs[0];
    return mean_of(g, u, node->inputs[1], norm) == norm->x && same_length(g, norm);
}

static nm_status fuse(struct nmi_graph *g, struct nmi_node *node, const struct norm *norm,
                      nm_error *err)
{
    struct nmi_layer_norm_attrs *attrs = nmi_op_defaults(NMI_OP_LayerNormalization, &g->arena);
    int32_t *inputs = nmi_arena_array(&g->arena, 3, sizeof *inputs);
    if (attrs == NULL || inputs == NULL) {
        return nmi_fail_memory(err, sizeof *attrs, "a LayerNormalization");
    }
    attrs->epsilon = norm->epsilon;
    inputs[0] = norm->x;
    inputs[1] = norm->scale;
    inputs[2] = norm->bias;
    node->op = NMI_OP_LayerNormalization;
    node->opset = 17;
    node->attrs = attrs;
    node->inputs = inputs;
    node->n_inputs = 3;
    for (int32_t i = 0; i < norm->n; i++) {
        nmi_graph_remove_node(g, norm->nodes[i]);
    }
    return NM_OK;
}

nm_status nmi_pass_norm(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    struct norm norm;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].op == NMI_OP_Add && read_norm(g, &u, &g->nodes[i], &norm)) {
            NMI_TRY(fuse(g, &g->nodes[i], &norm, err));
            o->changes++;
        }
    }
    return NM_OK;
}
