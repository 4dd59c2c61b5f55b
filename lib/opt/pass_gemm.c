/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer that was exported as MatMul and Add is a Gemm, where both are of rank 2;
 * else the MatMul gets the row as its third input. */
#include "lib/opt/pass.h"

/* x times constant weights, nothing fused yet. */
static bool is_layer(const struct nmi_graph *g, const struct nmi_node *node)
{
    if (node->op != NMI_OP_MatMul || node->n_inputs != 2) {
        return false;
    }
    const struct nmi_gemm_attrs *attrs = node->attrs;
    const struct nmi_constant *w = nmi_opt_f32(g, node->inputs[1]);
    return w != NULL && w->rank == 2 && (attrs == NULL || attrs->act.kind == NMI_ACT_NONE);
}

static bool is_row(const struct nmi_constant *c, int64_t n, bool matrix)
{
    return c != NULL && (c->rank == 1 || (matrix && c->rank == 2 && c->dims[0] == 1)) &&
           c->dims[c->rank - 1] == n;
}

static bool is_matrix(const struct nmi_graph *g, const struct nmi_node *node)
{
    return g->values[node->inputs[0]].rank == 2;
}

static nm_status fuse(struct nmi_graph *g, int32_t at, int32_t add, int32_t bias, nm_error *err)
{
    void *attrs = nmi_op_defaults(NMI_OP_Gemm, &g->arena);
    int32_t *inputs = nmi_arena_array(&g->arena, 3, sizeof *inputs);
    if (attrs == NULL || inputs == NULL) {
        return nmi_fail_memory(err, sizeof(struct nmi_gemm_attrs), "a Gemm");
    }
    struct nmi_node *node = &g->nodes[at];
    inputs[0] = node->inputs[0];
    inputs[1] = node->inputs[1];
    inputs[2] = bias;
    if (is_matrix(g, node)) {
        node->op = NMI_OP_Gemm;
        node->attrs = attrs;
    }
    node->inputs = inputs;
    node->n_inputs = 3;
    nmi_opt_absorb(g, at, add);
    return NM_OK;
}

nm_status nmi_pass_gemm(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *add = &g->nodes[i];
        if (add->op != NMI_OP_Add || add->n_inputs != 2) {
            continue;
        }
        bool swapped = nmi_opt_f32(g, add->inputs[0]) != NULL;
        int32_t bias = add->inputs[!swapped];
        int32_t at = nmi_opt_only_maker(g, &u, add->inputs[swapped]);
        if (at == NMI_NONE || !is_layer(g, &g->nodes[at])) {
            continue;
        }
        int64_t n = nmi_opt_f32(g, g->nodes[at].inputs[1])->dims[1];
        if (is_row(nmi_opt_f32(g, bias), n, is_matrix(g, &g->nodes[at]))) {
            NMI_TRY(fuse(g, at, i, bias, err));
            o->changes++;
        }
    }
    return NM_OK;
}
