/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scale and a shift per channel, put into the weights and bias of a convolution or Gemm. Products
 * are made in double and rounded once. A finite scale keeps zeros, so `source` stays.
 */
#include "lib/opt/pass.h"

#include <math.h>
#include <string.h>

/* Weights seen as [a][b][c], where channel = (index of a / per) * b + (index of b). */
struct view {
    int64_t a, b, c, per;
};

nm_status nmi_affine_make(struct nmi_opt *o, int64_t n, struct nmi_affine *a, nm_error *err)
{
    a->n = n;
    a->scale = nmi_arena_array(&o->arena, (size_t)n, sizeof *a->scale);
    a->shift = nmi_arena_array(&o->arena, (size_t)n, sizeof *a->shift);
    if (a->scale == NULL || a->shift == NULL) {
        return nmi_fail_memory(err, (size_t)n * 16, "scales of channels");
    }
    for (int64_t i = 0; i < n; i++) {
        a->scale[i] = 1;
    }
    return NM_OK;
}

static bool is_conv(const struct nmi_node *node)
{
    return node->op == NMI_OP_Conv || node->op == NMI_OP_ConvTranspose;
}

/* The constant weight of a node that takes a scale and a shift, or NULL. */
static const struct nmi_constant *weight_of(const struct nmi_graph *g, const struct nmi_node *node)
{
    if (!is_conv(node) && node->op != NMI_OP_Gemm) {
        return NULL;
    }
    const struct nmi_constant *w = nmi_opt_f32(g, node->inputs[1]);
    if (w == NULL || w->bytes == 0 || w->rank < 2 || (!is_conv(node) && w->rank != 2)) {
        return NULL;
    }
    int64_t group = is_conv(node) ? ((const struct nmi_conv_attrs *)node->attrs)->group : 1;
    return group > 0 && w->dims[0] % group == 0 ? w : NULL;
}

static bool plain_sum(const struct nmi_node *node)
{
    if (is_conv(node)) {
        const struct nmi_conv_attrs *conv = node->attrs;
        return conv->act.kind == NMI_ACT_NONE && conv->residual == 0;
    }
    return ((const struct nmi_gemm_attrs *)node->attrs)->act.kind == NMI_ACT_NONE;
}

static int64_t elems_from(const struct nmi_constant *w, int32_t dim)
{
    int64_t n = 1;
    for (int32_t d = dim; d < w->rank; d++) {
        n *= w->dims[d];
    }
    return n;
}

static struct view out_view(const struct nmi_node *node, const struct nmi_constant *w)
{
    if (node->op == NMI_OP_Conv) {
        return (struct view){1, w->dims[0], elems_from(w, 1), 1};
    }
    if (node->op == NMI_OP_ConvTranspose) {
        int64_t group = ((const struct nmi_conv_attrs *)node->attrs)->group;
        return (struct view){w->dims[0], w->dims[1], elems_from(w, 2), w->dims[0] / group};
    }
    if (((const struct nmi_gemm_attrs *)node->attrs)->trans_b != 0) {
        return (struct view){1, w->dims[0], w->dims[1], 1};
    }
    return (struct view){w->dims[0], w->dims[1], 1, w->dims[0]};
}

static int64_t view_channels(const struct view *v)
{
    return v->a / v->per * v->b;
}

/* One value of bias per channel can be read: none, [n], [1, n] or (Gemm) one for all. */
static bool bias_fits(const struct nmi_graph *g, const struct nmi_node *node, int64_t n)
{
    if (node->n_inputs < 3 || node->inputs[2] == NMI_NONE) {
        return true;
    }
    const struct nmi_constant *b = nmi_opt_f32(g, node->inputs[2]);
    if (b == NULL || b->rank > 2 || (b->rank == 2 && b->dims[0] != 1)) {
        return false;
    }
    int64_t elems = (int64_t)(b->bytes / sizeof(float));
    return elems == n || (elems == 1 && node->op == NMI_OP_Gemm);
}

int64_t nmi_affine_channels(const struct nmi_graph *g, int32_t node)
{
    const struct nmi_node *n = &g->nodes[node];
    const struct nmi_constant *w = n->n_inputs < 2 ? NULL : weight_of(g, n);
    if (w == NULL || !plain_sum(n)) {
        return -1;
    }
    struct view v = out_view(n, w);
    return bias_fits(g, n, view_channels(&v)) ? view_channels(&v) : -1;
}

/* to[i] = from[i] scale[channel of i]; false when a product is not finite. */
static bool scale_weights(const void *from, float *to, const struct view *v,
                          const struct nmi_affine *affine)
{
    int64_t i = 0;
    bool finite = true;
    for (int64_t a = 0; a < v->a; a++) {
        for (int64_t b = 0; b < v->b; b++) {
            double s = affine->scale[a / v->per * v->b + b];
            for (int64_t end = i + v->c; i < end; i++) {
                to[i] = (float)(s * (double)nmi_opt_float(from, i));
                finite = finite && isfinite(to[i]);
            }
        }
    }
    return finite;
}

static bool all_one(const struct nmi_affine *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        if (a->scale[i] != 1) {
            return false;
        }
    }
    return true;
}

/* What a convolution or Gemm becomes: nothing in the graph is touched before commit. */
struct change {
    int32_t node;
    struct view view; /* of the weights, over the channels of affine */
    const struct nmi_affine *affine;
    float *bias;  /* of every output channel, in the graph's arena */
    float *scale; /* the same: a Conv's own scales; NULL: they go into the weights */
    int64_t n;
};

static nm_status start(struct nmi_graph *g, struct change *c, nm_error *err)
{
    c->bias = nmi_arena_array(&g->arena, (size_t)c->n, sizeof *c->bias);
    if (c->bias == NULL) {
        return nmi_fail_memory(err, (size_t)c->n * sizeof *c->bias, "a bias");
    }
    return NM_OK;
}

/* Scaled weights as a new constant; the old one when all scales are 1. */
static nm_status scaled_weight(struct nmi_graph *g, const struct change *change, int32_t *value,
                               bool *done, nm_error *err)
{
    *value = g->nodes[change->node].inputs[1];
    *done = true;
    if (all_one(change->affine)) {
        return NM_OK;
    }
    struct nmi_constant c = *nmi_graph_constant(g, *value);
    float *data = nmi_arena_alloc(&g->arena, c.bytes);
    if (data == NULL) {
        return nmi_fail_memory(err, c.bytes, "scaled weights");
    }
    *done = scale_weights(c.data, data, &change->view, change->affine);
    c.data = data;
    return *done ? nmi_opt_add_constant(g, g->values[*value].name, &c, value, err) : NM_OK;
}

/* One float for each output channel, named after the weight. */
static nm_status add_channels(struct nmi_graph *g, const struct change *change, const float *data,
                              const char *what, int32_t *value, nm_error *err)
{
    struct nmi_constant c = {.type = NM_F32, .rank = 1, .data = data, .source = NMI_NONE};
    c.dims[0] = change->n;
    c.bytes = (size_t)change->n * sizeof *data;
    const char *weight = g->values[g->nodes[change->node].inputs[1]].name;
    char *name = nmi_arena_printf(&g->arena, "%s:%s", weight, what);
    if (name == NULL) {
        return nmi_fail_memory(err, 0, "the name of a constant");
    }
    return nmi_opt_add_constant(g, name, &c, value, err);
}

static nm_status set_inputs(struct nmi_graph *g, struct nmi_node *n, const int32_t made[3],
                            nm_error *err)
{
    const int32_t room = made[2] != NMI_NONE ? NMI_CONV_SCALE + 1 : 3;
    if (n->n_inputs < room) {
        int32_t *inputs = nmi_arena_array(&g->arena, (size_t)room, sizeof *inputs);
        if (inputs == NULL) {
            return nmi_fail_memory(err, (size_t)room * sizeof *inputs, "inputs of a node");
        }
        for (int32_t k = 0; k < room; k++) {
            inputs[k] = k < n->n_inputs ? n->inputs[k] : NMI_NONE;
        }
        n->inputs = inputs;
        n->n_inputs = room;
    }
    n->inputs[1] = made[0];
    n->inputs[2] = made[1];
    if (made[2] != NMI_NONE) {
        n->inputs[NMI_CONV_SCALE] = made[2];
    }
    if (n->op == NMI_OP_Gemm) {
        ((struct nmi_gemm_attrs *)n->attrs)->beta = 1;
    }
    return NM_OK;
}

static nm_status commit(struct nmi_graph *g, const struct change *change, bool *done, nm_error *err)
{
    *done = false;
    for (int64_t i = 0; i < change->n; i++) {
        if (!isfinite(change->bias[i])) {
            return NM_OK;
        }
    }
    int32_t made[3] = {g->nodes[change->node].inputs[1], NMI_NONE, NMI_NONE};
    *done = true;
    if (change->scale != NULL) {
        NMI_TRY(add_channels(g, change, change->scale, "scale", &made[2], err));
    } else {
        NMI_TRY(scaled_weight(g, change, &made[0], done, err));
    }
    if (!*done) {
        return NM_OK;
    }
    NMI_TRY(add_channels(g, change, change->bias, "bias", &made[1], err));
    return set_inputs(g, &g->nodes[change->node], made, err);
}

/* A Conv's scale of channel i. */
static double old_scale(const struct nmi_graph *g, const struct nmi_node *node, int64_t i)
{
    const bool has = node->op == NMI_OP_Conv && node->n_inputs > NMI_CONV_SCALE;
    const struct nmi_constant *s = has ? nmi_opt_f32(g, node->inputs[NMI_CONV_SCALE]) : NULL;
    return s != NULL ? (double)nmi_opt_float(s->data, i) : 1;
}

/* A Conv keeps its weights as they lie in the file, and its scales beside them; *fits is false when
 * a product would not be finite. */
static nm_status conv_scales(struct nmi_graph *g, struct change *c, bool *fits, nm_error *err)
{
    const struct nmi_node *n = &g->nodes[c->node];
    const struct nmi_constant *w = nmi_graph_constant(g, n->inputs[1]);
    *fits = true;
    if (all_one(c->affine)) {
        return NM_OK;
    }
    c->scale = nmi_arena_array(&g->arena, (size_t)c->n, sizeof *c->scale);
    if (c->scale == NULL) {
        return nmi_fail_memory(err, (size_t)c->n * sizeof *c->scale, "scales");
    }
    for (int64_t i = 0; i < c->n; i++) {
        c->scale[i] = (float)(c->affine->scale[i] * old_scale(g, n, i));
        for (int64_t k = i * c->view.c; k < (i + 1) * c->view.c && *fits; k++) {
            *fits = isfinite(c->scale[i] * nmi_opt_float(w->data, k));
        }
    }
    return NM_OK;
}

/* What the node adds to channel i now; Gemm's beta is in it. */
static double old_bias(const struct nmi_graph *g, const struct nmi_node *node, int64_t i)
{
    const struct nmi_constant *b = node->n_inputs < 3 ? NULL : nmi_opt_f32(g, node->inputs[2]);
    if (b == NULL) {
        return 0;
    }
    double beta = node->op == NMI_OP_Gemm ? ((const struct nmi_gemm_attrs *)node->attrs)->beta : 1;
    return beta * (double)nmi_opt_float(b->data, b->bytes == sizeof(float) ? 0 : i);
}

nm_status nmi_affine_behind(struct nmi_graph *g, struct nmi_opt *o, int32_t node,
                            const struct nmi_affine *a, bool *done, nm_error *err)
{
    const struct nmi_node *n = &g->nodes[node];
    const struct nmi_constant *w = weight_of(g, n);
    struct change change = {.node = node, .view = out_view(n, w), .affine = a, .n = a->n};
    *done = false;
    if (!nmi_opt_afford(o, w->bytes)) {
        return NM_OK;
    }
    NMI_TRY(start(g, &change, err));
    for (int64_t i = 0; i < a->n; i++) {
        change.bias[i] = (float)(a->scale[i] * old_bias(g, n, i) + a->shift[i]);
    }
    bool fits = true;
    if (n->op == NMI_OP_Conv) {
        NMI_TRY(conv_scales(g, &change, &fits, err));
    }
    return fits ? commit(g, &change, done, err) : NM_OK;
}

static bool no_shift(const struct nmi_affine *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        if (a->shift[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Sum of the weights of output channel oc, each times its input channel's shift. */
static double shift_sum(const void *w, const struct view *v, const struct nmi_affine *a, int64_t oc)
{
    double sum = 0;
    int64_t i = oc * v->b * v->c;
    for (int64_t b = 0; b < v->b; b++) {
        double t = a->shift[oc / v->per * v->b + b];
        for (int64_t end = i + v->c; i < end; i++) {
            sum += t * (double)nmi_opt_float(w, i);
        }
    }
    return sum;
}

nm_status nmi_affine_before(struct nmi_graph *g, struct nmi_opt *o, int32_t node,
                            const struct nmi_affine *a, bool *done, nm_error *err)
{
    const struct nmi_node *n = &g->nodes[node];
    const struct nmi_constant *w = n->op == NMI_OP_Conv ? weight_of(g, n) : NULL;
    *done = false;
    if (w == NULL || w->rank < 3) {
        return NM_OK;
    }
    const struct nmi_conv_attrs *conv = n->attrs;
    if (w->dims[1] * conv->group != a->n || !bias_fits(g, n, w->dims[0]) ||
        !(nmi_opt_unpadded(conv) || no_shift(a)) || !nmi_opt_afford(o, w->bytes)) {
        return NM_OK;
    }
    struct change change = {.node = node, .affine = a, .n = w->dims[0]};
    change.view = (struct view){w->dims[0], w->dims[1], elems_from(w, 2), w->dims[0] / conv->group};
    NMI_TRY(start(g, &change, err));
    for (int64_t i = 0; i < change.n; i++) {
        change.bias[i] = (float)(old_bias(g, n, i) +
                                 old_scale(g, n, i) * shift_sum(w->data, &change.view, a, i));
    }
    return commit(g, &change, done, err);
}
