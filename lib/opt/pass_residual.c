/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv + other in one step: the convolution reads the other summand as its fourth input. It takes
 * the place of the Add, where everything it reads has been made: its own sum had no other reader,
 * so no cycle can come of it. Of two convolutions the later one takes it.
 */
#include "lib/opt/pass.h"

static int32_t later_conv(const struct nmi_graph *g, const struct nmi_users *u,
                          const struct nmi_node *add, int32_t *slot)
{
    int32_t best = NMI_NONE;
    for (int32_t k = 0; k < 2; k++) {
        int32_t at = nmi_opt_only_maker(g, u, add->inputs[k]);
        if (at == NMI_NONE || g->nodes[at].op != NMI_OP_Conv) {
            continue;
        }
        const struct nmi_conv_attrs *conv = g->nodes[at].attrs;
        if (conv->residual == 0 && conv->act.kind == NMI_ACT_NONE && at > best) {
            best = at;
            *slot = k;
        }
    }
    return best;
}

/* Both summands have the shape of the sum for sure, and neither is a constant. */
static bool plain_add(const struct nmi_graph *g, const struct nmi_node *node)
{
    if ((node->op != NMI_OP_Add && node->op != NMI_OP_Sum) || node->n_inputs != 2) {
        return false;
    }
    const struct nmi_value *a = &g->values[node->inputs[0]], *b = &g->values[node->inputs[1]];
    return a->type == NM_F32 && b->type == NM_F32 && a->constant == NMI_NONE &&
           b->constant == NMI_NONE && nmi_opt_same_shape(a, b);
}

static nm_status fuse(struct nmi_graph *g, int32_t conv_at, int32_t add_at, int32_t other,
                      nm_error *err)
{
    struct nmi_node conv = g->nodes[conv_at];
    struct nmi_node *add = &g->nodes[add_at];
    const int32_t n = conv.n_inputs > 4 ? conv.n_inputs : 4;
    int32_t *inputs = nmi_arena_array(&g->arena, (size_t)n, sizeof *inputs);
    if (inputs == NULL) {
        return nmi_fail_memory(err, (size_t)n * sizeof *inputs, "inputs of a node");
    }
    for (int32_t k = 0; k < n; k++) {
        inputs[k] = k < conv.n_inputs ? conv.inputs[k] : NMI_NONE;
    }
    inputs[3] = other;
    ((struct nmi_conv_attrs *)conv.attrs)->residual = 1;
    nmi_graph_remove_node(g, conv_at);
    conv.inputs = inputs;
    conv.n_inputs = n;
    conv.outputs = add->outputs;
    *add = conv;
    return NM_OK;
}

nm_status nmi_pass_residual(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *node = &g->nodes[i];
        if (!plain_add(g, node)) {
            continue;
        }
        int32_t slot = 0, at = later_conv(g, &u, node, &slot);
        if (at != NMI_NONE) {
            NMI_TRY(fuse(g, at, i, node->inputs[1 - slot], err));
            o->changes++;
        }
    }
    return NM_OK;
}
