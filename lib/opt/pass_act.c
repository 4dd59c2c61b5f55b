/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activations become a field of the node before, when nobody else reads its sum. Swish and hard
 * swish come from exporters in pieces: x sigmoid(x), x hardsigmoid(x), x (clip(x + 3, 0, 6) / 6),
 * gelu as x (1 + erf(x / sqrt 2)) / 2, in any order of factors; there the sum has two readers, both
 * of the pattern. A bound of Clip at
 * the largest float is none.
 */
#include "lib/opt/pass.h"

#include <float.h>
#include <math.h>

/* The field that holds the activation of a node that can have one, or NULL. */
static struct nmi_act *act_of(struct nmi_graph *g, int32_t at)
{
    if (at == NMI_NONE || g->values[g->nodes[at].outputs[0]].type != NM_F32) {
        return NULL;
    }
    struct nmi_node *node = &g->nodes[at];
    struct nmi_act *act = NULL;
    if (node->op == NMI_OP_Conv || node->op == NMI_OP_ConvTranspose) {
        act = &((struct nmi_conv_attrs *)node->attrs)->act;
    } else if ((node->op == NMI_OP_Gemm || node->op == NMI_OP_MatMul) && node->attrs != NULL) {
        act = &((struct nmi_gemm_attrs *)node->attrs)->act;
    }
    return act != NULL && act->kind == NMI_ACT_NONE ? act : NULL;
}

/* ---- one node
 * ------------------------------------------------------------------------------------ */

static bool read_clip(const struct nmi_graph *g, const struct nmi_node *node, struct nmi_act *act)
{
    float min, max;
    if (!nmi_opt_clip_bounds(g, node, &min, &max) || isnan(min) || isnan(max)) {
        return false;
    }
    bool relu = min == 0 && max >= FLT_MAX;
    *act = relu ? (struct nmi_act){.kind = NMI_ACT_RELU}
                : (struct nmi_act){.kind = NMI_ACT_CLIP, .alpha = min, .beta = max};
    return true;
}

static bool read_act(const struct nmi_graph *g, const struct nmi_node *node, struct nmi_act *act)
{
    *act = (struct nmi_act){.kind = NMI_ACT_NONE};
    switch (node->op) {
    case NMI_OP_Relu:
        act->kind = NMI_ACT_RELU;
        return true;
    case NMI_OP_Sigmoid:
        act->kind = NMI_ACT_SIGMOID;
        return true;
    case NMI_OP_HardSwish:
        act->kind = NMI_ACT_HARDSWISH;
        return true;
    case NMI_OP_LeakyRelu:
        act->kind = NMI_ACT_LEAKY;
        act->alpha = ((const struct nmi_alpha_attrs *)node->attrs)->alpha;
        return true;
    case NMI_OP_Clip:
        return read_clip(g, node, act);
    default:
        return false;
    }
}

/* ---- patterns: the product of x and a gate of x
 * --------------------------------------------------- */

#define MOST_NODES 5 /* Div, Erf, Add, Mul and Mul, the last of which stays until the end */

struct gate {
    int32_t x;                 /* what goes in */
    int32_t kind;              /* enum nmi_act_kind of x times the gate */
    int32_t share;             /* the gate is still to be divided by this: 1, 2 or 6 */
    int32_t nodes[MOST_NODES]; /* that go */
    int32_t n;
};

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-7 * fabs(b);
}

/* One input of a node of two is this constant; *other is the other one. */
static bool with_constant(const struct nmi_graph *g, const struct nmi_node *node, double constant,
                          int32_t *other)
{
    for (int32_t k = 0; k < 2 && node->n_inputs == 2; k++) {
        float c;
        if (nmi_opt_scalar(g, node->inputs[k], &c) && near((double)c, constant)) {
            *other = node->inputs[1 - k];
            return true;
        }
    }
    return false;
}

/* v = w / by, said as Div or Mul; then *w. */
static bool is_share(const struct nmi_graph *g, const struct nmi_node *node, double by, int32_t *w)
{
    if (node->op == NMI_OP_Mul) {
        return with_constant(g, node, 1.0 / by, w);
    }
    return node->op == NMI_OP_Div && with_constant(g, node, by, w) && *w == node->inputs[0];
}

/* v = clip(x + 3, 0, 6), made for a single reader. */
static bool is_relu6(const struct nmi_graph *g, const struct nmi_users *u, int32_t v,
                     struct gate *gate)
{
    float min, max;
    int32_t clip = nmi_opt_only_maker(g, u, v);
    if (clip == NMI_NONE || g->nodes[clip].op != NMI_OP_Clip ||
        !nmi_opt_clip_bounds(g, &g->nodes[clip], &min, &max) || min != 0 || max != 6) {
        return false;
    }
    int32_t add = nmi_opt_only_maker(g, u, g->nodes[clip].inputs[0]);
    if (add == NMI_NONE || g->nodes[add].op != NMI_OP_Add ||
        !with_constant(g, &g->nodes[add], 3, &gate->x)) {
        return false;
    }
    gate->kind = NMI_ACT_HARDSWISH;
    gate->share = 6;
    gate->nodes[gate->n++] = clip;
    gate->nodes[gate->n++] = add;
    return true;
}

/* v = 1 + erf(x / sqrt 2), made for a single reader. */
static bool is_gelu(const struct nmi_graph *g, const struct nmi_users *u, int32_t v,
                    struct gate *gate)
{
    int32_t sum, root, add = nmi_opt_only_maker(g, u, v);
    if (add == NMI_NONE || g->nodes[add].op != NMI_OP_Add ||
        !with_constant(g, &g->nodes[add], 1, &sum)) {
        return false;
    }
    int32_t erf = nmi_opt_only_maker(g, u, sum);
    if (erf == NMI_NONE || g->nodes[erf].op != NMI_OP_Erf) {
        return false;
    }
    root = nmi_opt_only_maker(g, u, g->nodes[erf].inputs[0]);
    if (root == NMI_NONE || !is_share(g, &g->nodes[root], sqrt(2), &gate->x)) {
        return false;
    }
    gate->kind = NMI_ACT_GELU;
    gate->share = 2;
    gate->nodes[gate->n++] = add;
    gate->nodes[gate->n++] = erf;
    gate->nodes[gate->n++] = root;
    return true;
}

/* v is a gate of some x. */
static bool read_gate(const struct nmi_graph *g, const struct nmi_users *u, int32_t v,
                      struct gate *gate)
{
    *gate = (struct gate){.share = 1};
    int32_t at = nmi_opt_only_maker(g, u, v), w = NMI_NONE;
    if (at == NMI_NONE) {
        return false;
    }
    const struct nmi_node *node = &g->nodes[at];
    gate->x = node->inputs[0];
    if (node->op == NMI_OP_Sigmoid) {
        gate->kind = NMI_ACT_SWISH;
    } else if (node->op == NMI_OP_HardSigmoid) {
        const struct nmi_alpha_attrs *attrs = node->attrs;
        gate->kind = NMI_ACT_HARDSWISH;
        if (!near((double)attrs->alpha, 1.0 / 6) || attrs->beta != 0.5f) {
            return false;
        }
    } else if (is_share(g, node, 6, &w) || is_share(g, node, 2, &w)) {
        if (!(is_share(g, node, 6, &w) ? is_relu6 : is_gelu)(g, u, w, gate)) {
            return false;
        }
        gate->share = 1;
    } else {
        return is_relu6(g, u, v, gate) || is_gelu(g, u, v, gate);
    }
    gate->nodes[gate->n++] = at;
    return true;
}

/* node = x times a gate of x. */
static bool read_product(const struct nmi_graph *g, const struct nmi_users *u,
                         const struct nmi_node *node, struct gate *gate)
{
    for (int32_t k = 0; k < 2 && node->op == NMI_OP_Mul && node->n_inputs == 2; k++) {
        int32_t x = node->inputs[1 - k];
        if (read_gate(g, u, node->inputs[k], gate) && gate->x == x && u->count[x] == 2 &&
            !u->is_output[x]) {
            return true;
        }
    }
    return false;
}

/* The node ends such a pattern: a product, or a share of a product. */
static bool read_pattern(const struct nmi_graph *g, const struct nmi_users *u,
                         const struct nmi_node *node, struct gate *gate)
{
    int32_t w;
    if (read_product(g, u, node, gate)) {
        return gate->share == 1;
    }
    if (!is_share(g, node, 6, &w) && !is_share(g, node, 2, &w)) {
        return false;
    }
    int32_t mul = nmi_opt_only_maker(g, u, w);
    if (mul == NMI_NONE || !read_product(g, u, &g->nodes[mul], gate) || gate->share == 1 ||
        !is_share(g, node, gate->share, &w)) {
        return false;
    }
    gate->nodes[gate->n++] = mul;
    return true;
}

/* ---- the pass
 * ------------------------------------------------------------------------------------- */

static bool fuse(struct nmi_graph *g, const struct nmi_users *u, int32_t at)
{
    struct nmi_act act, *field;
    struct gate gate;
    const struct nmi_node *node = &g->nodes[at];
    if (read_act(g, node, &act)) {
        int32_t maker = nmi_opt_only_maker(g, u, node->inputs[0]);
        field = act_of(g, maker);
        if (field != NULL) {
            *field = act;
            nmi_opt_absorb(g, maker, at);
        }
        return field != NULL;
    }
    if (!read_pattern(g, u, node, &gate)) {
        return false;
    }
    int32_t maker = g->values[gate.x].producer;
    field = act_of(g, maker);
    if (field == NULL) {
        return false;
    }
    field->kind = gate.kind;
    for (int32_t i = 0; i < gate.n; i++) {
        nmi_graph_remove_node(g, gate.nodes[i]);
    }
    nmi_opt_absorb(g, maker, at);
    return true;
}

nm_status nmi_pass_act(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].n_outputs == 1 && g->nodes[i].n_inputs > 0) {
            o->changes += fuse(g, &u, i);
        }
    }
    return NM_OK;
}
