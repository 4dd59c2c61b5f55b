/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that hand on their first input as it is. A graph output keeps its name: then the maker of
 * the input makes the output instead; what comes straight from the caller keeps its node. */
#include "lib/opt/pass.h"

static bool same_shape(const struct nmi_graph *g, const struct nmi_node *node)
{
    return nmi_opt_same_shape(&g->values[node->inputs[0]], &g->values[node->outputs[0]]);
}

static bool same_type(const struct nmi_graph *g, const struct nmi_node *node)
{
    nm_type in = g->values[node->inputs[0]].type;
    return in != NM_TYPE_NONE && in == g->values[node->outputs[0]].type;
}

static bool identity_perm(const struct nmi_graph *g, const struct nmi_node *node)
{
    int32_t rank = g->values[node->inputs[0]].rank;
    const struct nmi_ints *perm = nmi_opt_attr(node, "perm");
    if (rank < 0 || perm == NULL) {
        return false;
    }
    for (int32_t d = 0; d < rank; d++) {
        int64_t from = perm->n == 0 ? rank - 1 - d : perm->v[d];
        if (from != d) {
            return false;
        }
    }
    return true;
}

static bool zero_pads(const struct nmi_graph *g, const struct nmi_node *node)
{
    struct nmi_ints pads = ((const struct nmi_pad_attrs *)node->attrs)->pads;
    if (node->n_inputs > 1 && !nmi_opt_ints(g, node->inputs[1], &pads)) {
        return false;
    }
    for (int32_t i = 0; i < pads.n; i++) {
        if (pads.v[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Inference needs no mask: a Dropout whose second output is used stays. */
static bool mask_unused(const struct nmi_node *node, const struct nmi_users *u)
{
    return node->n_outputs < 2 || node->outputs[1] == NMI_NONE || u->count[node->outputs[1]] == 0;
}

static bool changes_nothing(const struct nmi_graph *g, const struct nmi_users *u, int32_t at)
{
    const struct nmi_node *node = &g->nodes[at];
    switch (node->op) {
    case NMI_OP_Identity:
        return true;
    case NMI_OP_Dropout:
        return mask_unused(node, u);
    case NMI_OP_Cast:
        return same_type(g, node);
    case NMI_OP_Reshape:
    case NMI_OP_Flatten:
    case NMI_OP_Squeeze:
    case NMI_OP_Unsqueeze:
    case NMI_OP_Expand:
        return same_shape(g, node);
    case NMI_OP_Transpose:
        return identity_perm(g, node);
    case NMI_OP_Pad:
        return zero_pads(g, node);
    case NMI_OP_Concat:
        return node->n_inputs == 1;
    case NMI_OP_Relu:
        return nmi_opt_never_negative(g, node->inputs[0]);
    default:
        return false;
    }
}

/* Takes the node out, notes in to[] what stands for a value now; false when both ends belong to the
 * caller. An output is never replaced, so no chain in to[] is longer than two. */
static bool bypass(struct nmi_graph *g, const struct nmi_users *u, int32_t at, int32_t *to)
{
    int32_t x = g->nodes[at].inputs[0], y = g->nodes[at].outputs[0];
    int32_t maker = g->values[x].producer;
    if (!u->is_output[y]) {
        nmi_graph_remove_node(g, at);
        g->values[y].producer = NMI_NONE;
        to[y] = x;
        return true;
    }
    if (maker == NMI_NONE || u->is_output[x]) {
        return false;
    }
    nmi_graph_remove_node(g, at);
    for (int32_t k = 0; k < g->nodes[maker].n_outputs; k++) {
        if (g->nodes[maker].outputs[k] == x) {
            g->nodes[maker].outputs[k] = y;
        }
    }
    g->values[x].producer = NMI_NONE;
    g->values[y].producer = maker;
    to[x] = y;
    return true;
}

static void resolve(struct nmi_node *node, const int32_t *to)
{
    for (int32_t k = 0; k < node->n_inputs; k++) {
        int32_t *v = &node->inputs[k];
        while (*v != NMI_NONE && to[*v] != *v) {
            *v = to[*v];
        }
    }
}

nm_status nmi_pass_identity(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    int32_t *to = nmi_arena_array(&o->arena, (size_t)g->n_values + 1, sizeof *to);
    if (to == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_values * sizeof *to, "renamed values");
    }
    for (int32_t v = 0; v < g->n_values; v++) {
        to[v] = v;
    }
    for (int32_t i = 0; i < g->n_nodes; i++) {
        struct nmi_node *node = &g->nodes[i];
        resolve(node, to);
        if (node->n_inputs < 1 || node->n_outputs < 1 || node->inputs[0] == NMI_NONE ||
            node->outputs[0] == NMI_NONE || !changes_nothing(g, &u, i)) {
            continue;
        }
        o->changes += bypass(g, &u, i, to);
    }
    for (int32_t i = 0; i < g->n_nodes; i++) {
        resolve(&g->nodes[i], to);
    }
    return NM_OK;
}
