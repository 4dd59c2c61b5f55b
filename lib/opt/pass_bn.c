/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BatchNormalization, and arithmetic by constants per channel, into the weights of a neighbour:
 * (x - mean) / sqrt(var + epsilon) scale + shift is a scale and a shift of each channel. Into the
 * node before when nobody else reads its sum; else into the convolution behind, where that is
 * exact.
 */
#include "lib/opt/pass.h"

#include <math.h>

static const struct nmi_constant *channels_of(const struct nmi_graph *g, int32_t v, int64_t n)
{
    const struct nmi_constant *c = nmi_opt_f32(g, v);
    return c != NULL && c->bytes == (size_t)n * sizeof(float) ? c : NULL;
}

/* False when parameters are no constants, or the result is not finite. */
static bool read_bn(const struct nmi_graph *g, const struct nmi_node *node, struct nmi_affine *a)
{
    const struct nmi_constant *p[4];
    for (int32_t k = 0; k < 4; k++) {
        p[k] = channels_of(g, node->inputs[1 + k], a->n);
        if (p[k] == NULL) {
            return false;
        }
    }
    double epsilon = (double)((const struct nmi_bn_attrs *)node->attrs)->epsilon;
    for (int64_t i = 0; i < a->n; i++) {
        double deviation = sqrt((double)nmi_opt_float(p[3]->data, i) + epsilon);
        a->scale[i] = (double)nmi_opt_float(p[0]->data, i) / deviation;
        a->shift[i] = (double)nmi_opt_float(p[1]->data, i) -
                      (double)nmi_opt_float(p[2]->data, i) * a->scale[i];
        if (!isfinite(a->scale[i]) || !isfinite(a->shift[i])) {
            return false;
        }
    }
    return true;
}

/* Only the first output is wanted (the others belong to training). */
static bool inference_only(const struct nmi_node *node, const struct nmi_users *u)
{
    const struct nmi_bn_attrs *bn = node->attrs;
    for (int32_t k = 1; k < node->n_outputs; k++) {
        if (node->outputs[k] != NMI_NONE && (u->count[node->outputs[k]] > 0)) {
            return false;
        }
    }
    return node->n_inputs == 5 && bn->training_mode == 0 && bn->spatial == 1;
}

/* The only reader of v, a convolution whose image it is; else NMI_NONE. */
static int32_t only_conv(const struct nmi_graph *g, const struct nmi_users *u, int32_t v)
{
    if (u->count[v] != 1 || u->is_output[v] || u->node[v] == NMI_NONE) {
        return NMI_NONE;
    }
    const struct nmi_node *reader = &g->nodes[u->node[v]];
    return reader->op == NMI_OP_Conv && reader->inputs[0] == v ? u->node[v] : NMI_NONE;
}

static nm_status fold_bn(struct nmi_graph *g, struct nmi_opt *o, const struct nmi_users *u,
                         int32_t at, nm_error *err)
{
    const struct nmi_node *node = &g->nodes[at];
    const struct nmi_constant *scale = node->n_inputs < 5 ? NULL : nmi_opt_f32(g, node->inputs[1]);
    if (scale == NULL || scale->rank != 1 || !inference_only(node, u)) {
        return NM_OK;
    }
    struct nmi_affine a;
    NMI_TRY(nmi_affine_make(o, scale->dims[0], &a, err));
    if (!read_bn(g, node, &a)) {
        return NM_OK;
    }
    int32_t before = nmi_opt_only_maker(g, u, node->inputs[0]), x = node->inputs[0];
    bool done = false;
    if (before != NMI_NONE && nmi_affine_channels(g, before) == a.n) {
        NMI_TRY(nmi_affine_behind(g, o, before, &a, &done, err));
        if (done) {
            nmi_opt_absorb(g, before, at);
            o->changes++;
            return NM_OK;
        }
    }
    int32_t after = only_conv(g, u, g->nodes[at].outputs[0]);
    if (after != NMI_NONE) {
        NMI_TRY(nmi_affine_before(g, o, after, &a, &done, err));
    }
    if (done) {
        nmi_graph_remove_node(g, at);
        g->nodes[after].inputs[0] = x;
        u->node[x] = u->count[x] == 1 ? after : u->node[x];
        o->changes++;
    }
    return NM_OK;
}

/* ---- Add, Sub, Mul, Div by constants
 * -------------------------------------------------------------- */

/* The constant has one element, or one for each of n channels, where channels are dim 1 of `rank`.
 */
static bool per_channel(const struct nmi_constant *c, int32_t rank, int64_t n)
{
    if (c->rank > rank || c->bytes == 0) {
        return false;
    }
    for (int32_t d = 0; d < c->rank; d++) {
        int32_t axis = d + rank - c->rank;
        if (c->dims[d] != 1 && (axis != 1 || c->dims[d] != n)) {
            return false;
        }
    }
    return true;
}

static bool read_arithmetic(uint16_t op, const struct nmi_constant *c, struct nmi_affine *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        double k = (double)nmi_opt_float(c->data, c->bytes == sizeof(float) ? 0 : i);
        switch (op) {
        case NMI_OP_Add:
            a->shift[i] = k;
            break;
        case NMI_OP_Sub:
            a->shift[i] = -k;
            break;
        case NMI_OP_Mul:
            a->scale[i] = k;
            break;
        default:
            a->scale[i] = 1 / k;
        }
        if (!isfinite(a->shift[i]) || !isfinite(a->scale[i])) {
            return false;
        }
    }
    return true;
}

static nm_status fold_arithmetic(struct nmi_graph *g, struct nmi_opt *o, const struct nmi_users *u,
                                 int32_t at, nm_error *err)
{
    const struct nmi_node *node = &g->nodes[at];
    if (node->n_inputs != 2) {
        return NM_OK;
    }
    bool swapped = nmi_opt_f32(g, node->inputs[0]) != NULL; /* constant op x */
    if (swapped && (node->op == NMI_OP_Sub || node->op == NMI_OP_Div)) {
        return NM_OK;
    }
    const struct nmi_constant *c = nmi_opt_f32(g, node->inputs[!swapped]);
    int32_t before = nmi_opt_only_maker(g, u, node->inputs[swapped]);
    int64_t n = c == NULL || before == NMI_NONE ? -1 : nmi_affine_channels(g, before);
    if (n <= 0 || !per_channel(c, g->values[node->inputs[swapped]].rank, n)) {
        return NM_OK;
    }
    struct nmi_affine a;
    NMI_TRY(nmi_affine_make(o, n, &a, err));
    if (!read_arithmetic(node->op, c, &a)) {
        return NM_OK;
    }
    bool done;
    NMI_TRY(nmi_affine_behind(g, o, before, &a, &done, err));
    if (done) {
        nmi_opt_absorb(g, before, at);
        o->changes++;
    }
    return NM_OK;
}

nm_status nmi_pass_bn(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    int32_t n_nodes = g->n_nodes;
    for (int32_t i = 0; i < n_nodes; i++) {
        switch (g->nodes[i].op) {
        case NMI_OP_BatchNormalization:
            NMI_TRY(fold_bn(g, o, &u, i, err));
            break;
        case NMI_OP_Add:
        case NMI_OP_Sub:
        case NMI_OP_Mul:
        case NMI_OP_Div:
            NMI_TRY(fold_arithmetic(g, o, &u, i, err));
            break;
        default:
            break;
        }
    }
    return NM_OK;
}
