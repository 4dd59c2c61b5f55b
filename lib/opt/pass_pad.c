/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pad of a constant along the spatial axes becomes padding of the window behind it: zero for a
 * convolution; zero for an average that counts its padding; for a maximum anything that cannot win.
 * What pads channels is no padding of a window (pass_shortcut.c).
 */
#include "lib/opt/pass.h"

#include <math.h>

struct pad {
    struct nmi_ints pads; /* of the spatial axes: begins, then ends */
    float value;
};

/* Pads of all axes, from the attribute or the inputs (opset 18 may name the axes). */
static bool read_all(const struct nmi_graph *g, const struct nmi_node *node, int32_t rank,
                     int64_t *begin, int64_t *end)
{
    struct nmi_ints pads = ((const struct nmi_pad_attrs *)node->attrs)->pads;
    struct nmi_ints axes = {.n = rank};
    if (node->n_inputs > 1 && !nmi_opt_ints(g, node->inputs[1], &pads)) {
        return false;
    }
    for (int32_t d = 0; d < rank; d++) {
        axes.v[d] = d;
        begin[d] = end[d] = 0;
    }
    bool named = node->n_inputs > 3 && node->inputs[3] != NMI_NONE;
    if ((named && !nmi_opt_ints(g, node->inputs[3], &axes)) || pads.n != 2 * axes.n) {
        return false;
    }
    for (int32_t i = 0; i < axes.n; i++) {
        int64_t d = axes.v[i] < 0 ? axes.v[i] + rank : axes.v[i];
        if (d < 0 || d >= rank || pads.v[i] < 0 || pads.v[i + axes.n] < 0) {
            return false;
        }
        begin[d] = pads.v[i];
        end[d] = pads.v[i + axes.n];
    }
    return true;
}

bool nmi_opt_pads(const struct nmi_graph *g, const struct nmi_node *node, int64_t *begin,
                  int64_t *end, float *value)
{
    const struct nmi_pad_attrs *attrs = node->attrs;
    const struct nmi_value *x = &g->values[node->inputs[0]];
    if (attrs->mode != 0 || x->rank < 3 || x->type != NM_F32 ||
        !read_all(g, node, x->rank, begin, end)) {
        return false;
    }
    *value = node->n_inputs > 1 ? 0 : attrs->value;
    const bool given = node->n_inputs > 2 && node->inputs[2] != NMI_NONE;
    return !given || nmi_opt_scalar(g, node->inputs[2], value);
}

static bool read_pad(const struct nmi_graph *g, const struct nmi_node *node, struct pad *pad)
{
    int64_t begin[NMI_MAX_DIMS], end[NMI_MAX_DIMS];
    if (!nmi_opt_pads(g, node, begin, end, &pad->value) || begin[0] != 0 || end[0] != 0 ||
        begin[1] != 0 || end[1] != 0) {
        return false;
    }
    const int32_t spatial = g->values[node->inputs[0]].rank - 2;
    pad->pads.n = 2 * spatial;
    for (int32_t i = 0; i < spatial; i++) {
        pad->pads.v[i] = begin[2 + i];
        pad->pads.v[i + spatial] = end[2 + i];
    }
    return true;
}

/* The window's own pads plus these; false when auto_pad computes them from the padded size. */
static bool add_pads(const struct nmi_ints *own, int64_t auto_pad, const struct nmi_ints *more,
                     struct nmi_ints *sum)
{
    bool none = auto_pad == NMI_PAD_VALID || own->n == 0;
    if ((auto_pad != NMI_PAD_NOTSET && auto_pad != NMI_PAD_VALID) || (!none && own->n != more->n)) {
        return false;
    }
    *sum = *more;
    for (int32_t i = 0; i < more->n && !none; i++) {
        sum->v[i] += own->v[i];
    }
    return true;
}

static bool all_zero(const struct nmi_ints *pads)
{
    for (int32_t i = 0; i < pads->n; i++) {
        if (pads->v[i] != 0) {
            return false;
        }
    }
    return true;
}

/* No window of a pooling lies in padding alone. */
static bool narrower(const struct nmi_ints *pads, const struct nmi_pool_attrs *pool)
{
    int32_t spatial = pads->n / 2;
    for (int32_t i = 0; i < pool->dilations.n; i++) {
        if (pool->dilations.v[i] != 1) {
            return false;
        }
    }
    for (int32_t i = 0; i < pads->n; i++) {
        if (pool->kernel_shape.n != spatial || pads->v[i] >= pool->kernel_shape.v[i % spatial]) {
            return false;
        }
    }
    return true;
}

static bool into_conv(struct nmi_conv_attrs *conv, const struct pad *pad)
{
    struct nmi_ints sum;
    if (pad->value != 0 || !add_pads(&conv->pads, conv->auto_pad, &pad->pads, &sum)) {
        return false;
    }
    conv->pads = sum;
    conv->auto_pad = NMI_PAD_NOTSET;
    return true;
}

static bool into_pool(const struct nmi_graph *g, struct nmi_node *node, const struct pad *pad,
                      int32_t x)
{
    struct nmi_pool_attrs *pool = node->attrs;
    struct nmi_ints sum;
    if (!add_pads(&pool->pads, pool->auto_pad, &pad->pads, &sum) || pool->ceil_mode != 0 ||
        !narrower(&sum, pool)) {
        return false;
    }
    if (node->op == NMI_OP_AveragePool) {
        bool counted = pool->count_include_pad != 0 || pool->auto_pad == NMI_PAD_VALID ||
                       all_zero(&pool->pads);
        if (pad->value != 0 || !counted) {
            return false;
        }
        pool->count_include_pad = 1;
    } else if (!(isinf(pad->value) && pad->value < 0) &&
               !(pad->value <= 0 && nmi_opt_never_negative(g, x))) {
        return false;
    }
    pool->pads = sum;
    pool->auto_pad = NMI_PAD_NOTSET;
    return true;
}

static bool into(struct nmi_graph *g, struct nmi_node *node, const struct pad *pad, int32_t x)
{
    switch (node->op) {
    case NMI_OP_Conv:
        return into_conv(node->attrs, pad);
    case NMI_OP_MaxPool:
        return node->n_outputs == 1 && into_pool(g, node, pad, x);
    case NMI_OP_AveragePool:
        return into_pool(g, node, pad, x);
    default:
        return false;
    }
}

nm_status nmi_pass_pad(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        struct nmi_node *node = &g->nodes[i];
        int32_t maker = node->n_inputs < 1 ? NMI_NONE : nmi_opt_only_maker(g, &u, node->inputs[0]);
        struct pad pad;
        if (maker == NMI_NONE || g->nodes[maker].op != NMI_OP_Pad ||
            !read_pad(g, &g->nodes[maker], &pad)) {
            continue;
        }
        int32_t x = g->nodes[maker].inputs[0];
        if (into(g, node, &pad, x)) {
            g->values[node->inputs[0]].producer = NMI_NONE;
            nmi_graph_remove_node(g, maker);
            node->inputs[0] = x;
            o->changes++;
        }
    }
    return NM_OK;
}
