/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An output channel whose weights are all zero is its bias everywhere. Where that constant, behind
 * the activation, is zero, nothing that keeps zero (depthwise convolution without bias, Relu,
 * pooling) brings it back to life, and the convolutions at the end need no such input channel.
 * Another constant goes into the bias of convolutions without padding that read it directly.
 * Weights that lose channels are no longer element for element those of the file: they have no
 * `source`.
 */
#include "lib/opt/pass.h"

#include <string.h>

/* The values that carry the channels of one convolution, and the nodes that read them. */
struct region {
    const struct nmi_readers *all;
    const bool *is_output;
    int32_t root;
    int64_t n, left; /* channels; those that stay */
    bool *dead;      /* n */
    float *constant; /* n: what a channel without weights is */
    int32_t *values; /* that carry the channels */
    int32_t n_values;
    int32_t *readers; /* nodes that read them */
    int32_t n_readers;
    bool direct; /* all readers are convolutions without padding: any constant will do */
};

static const struct nmi_constant *conv_weight(const struct nmi_graph *g,
                                              const struct nmi_node *node)
{
    const struct nmi_constant *w = nmi_opt_f32(g, node->inputs[1]);
    bool bias = node->n_inputs > 2 && node->inputs[2] != NMI_NONE;
    if (w == NULL || w->rank < 3 || w->bytes == 0) {
        return NULL;
    }
    const struct nmi_constant *b = bias ? nmi_opt_f32(g, node->inputs[2]) : NULL;
    if (bias && (b == NULL || b->bytes != (size_t)w->dims[0] * sizeof(float))) {
        return NULL;
    }
    return w;
}

static float bias_at(const struct nmi_graph *g, const struct nmi_node *node, int64_t i)
{
    const struct nmi_constant *b = node->n_inputs > 2 ? nmi_opt_f32(g, node->inputs[2]) : NULL;
    return b == NULL ? 0 : nmi_opt_float(b->data, i);
}

static bool is_zero_row(const struct nmi_constant *w, int64_t row)
{
    int64_t length = (int64_t)(w->bytes / sizeof(float)) / w->dims[0];
    for (int64_t i = row * length; i < (row + 1) * length; i++) {
        if (nmi_opt_float(w->data, i) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- what happens to the channels
 * ------------------------------------------------------------------ */

/* A convolution over all channels: the end of their way. */
static bool is_end(const struct nmi_graph *g, const struct region *r, const struct nmi_node *node)
{
    const struct nmi_conv_attrs *conv = node->attrs;
    if (node->op != NMI_OP_Conv || conv->group != 1) {
        return false;
    }
    const struct nmi_constant *w = conv_weight(g, node);
    return w != NULL && w->dims[1] == r->n;
}

static bool is_depthwise(const struct nmi_graph *g, const struct region *r,
                         const struct nmi_node *node)
{
    const struct nmi_conv_attrs *conv = node->attrs;
    if (node->op != NMI_OP_Conv || conv->group != r->n || r->n == 1 || conv->residual != 0) {
        return false;
    }
    const struct nmi_constant *w = conv_weight(g, node);
    return w != NULL && w->dims[0] == r->n && w->dims[1] == 1;
}

/* Channel by channel, and zeros stay zeros. */
static bool keeps_zero(const struct nmi_graph *g, const struct nmi_node *node)
{
    float min, max;
    switch (node->op) {
    case NMI_OP_Relu:
    case NMI_OP_LeakyRelu:
    case NMI_OP_HardSwish:
    case NMI_OP_AveragePool:
    case NMI_OP_GlobalAveragePool:
    case NMI_OP_GlobalMaxPool:
        return true;
    case NMI_OP_MaxPool:
        return node->n_outputs == 1;
    case NMI_OP_Clip:
        return nmi_opt_clip_bounds(g, node, &min, &max) && min <= 0 && max >= 0;
    default:
        return false;
    }
}

/* No other input of the node is v. */
static bool reads_once(const struct nmi_node *node, int32_t v)
{
    for (int32_t k = 1; k < node->n_inputs; k++) {
        if (node->inputs[k] == v) {
            return false;
        }
    }
    return node->inputs[0] == v;
}

/* Takes a reader of v in; false when the channels must stay for it. */
static bool visit(const struct nmi_graph *g, struct region *r, int32_t at, int32_t v)
{
    const struct nmi_node *node = &g->nodes[at];
    if (!reads_once(node, v)) {
        return false;
    }
    r->readers[r->n_readers++] = at;
    if (is_end(g, r, node)) {
        r->direct = r->direct && nmi_opt_unpadded(node->attrs);
        return true;
    }
    r->direct = false;
    if (is_depthwise(g, r, node)) {
        for (int64_t c = 0; c < r->n; c++) {
            const struct nmi_conv_attrs *conv = node->attrs;
            r->dead[c] = r->dead[c] && nmi_act_apply(conv->act, bias_at(g, node, c)) == 0;
        }
    } else if (!keeps_zero(g, node)) {
        return false;
    }
    r->values[r->n_values++] = node->outputs[0];
    return true;
}

/* Follows the channels to all ends; leaves in dead those that may go. */
static bool explore(const struct nmi_graph *g, struct region *r)
{
    r->n_readers = 0;
    r->values[0] = g->nodes[r->root].outputs[0];
    r->n_values = 1;
    r->direct = true;
    for (int32_t i = 0; i < r->n_values; i++) {
        int32_t v = r->values[i];
        if (r->is_output[v] || g->values[v].rank < 3) {
            return false;
        }
        for (int32_t k = r->all->first[v]; k < r->all->first[v + 1]; k++) {
            if (!visit(g, r, r->all->node[k], v)) {
                return false;
            }
        }
    }
    r->left = 0;
    for (int64_t c = 0; c < r->n; c++) {
        r->dead[c] = r->dead[c] && (r->direct || r->constant[c] == 0);
        r->left += !r->dead[c];
    }
    if (r->left == 0) {
        r->dead[0] = false;
        r->left = 1;
    }
    return r->left < r->n;
}

/* Channels without weights; false when there are none. */
static bool find_dead(const struct nmi_graph *g, struct region *r)
{
    const struct nmi_node *node = &g->nodes[r->root];
    const struct nmi_constant *w = conv_weight(g, node);
    const struct nmi_conv_attrs *conv = node->attrs;
    bool any = false;
    for (int64_t c = 0; c < r->n; c++) {
        r->dead[c] = is_zero_row(w, c);
        r->constant[c] = nmi_act_apply(conv->act, bias_at(g, node, c));
        any = any || r->dead[c];
    }
    return any;
}

/* ---- taking channels out
 * --------------------------------------------------------------------------- */

/* Input k of a node, a constant with n channels along an axis, without the dead ones. */
static nm_status thin(struct nmi_graph *g, const struct region *r, int32_t at, int32_t k,
                      int32_t axis, nm_error *err)
{
    int32_t v = g->nodes[at].inputs[k];
    struct nmi_constant c = *nmi_graph_constant(g, v);
    size_t bytes = c.bytes / (size_t)r->n * (size_t)r->left, piece = sizeof(float);
    for (int32_t d = axis + 1; d < c.rank; d++) {
        piece *= (size_t)c.dims[d];
    }
    char *to = nmi_arena_alloc(&g->arena, bytes);
    if (to == NULL) {
        return nmi_fail_memory(err, bytes, "weights without dead channels");
    }
    const char *from = c.data;
    c.data = to;
    for (size_t i = 0; i < c.bytes / piece; i++) {
        if (!r->dead[i % (size_t)r->n]) {
            memcpy(to, from + i * piece, piece);
            to += piece;
        }
    }
    c.bytes = bytes;
    c.dims[axis] = r->left;
    c.source = NMI_NONE;
    int32_t made;
    NMI_TRY(nmi_opt_add_constant(g, g->values[v].name, &c, &made, err));
    g->nodes[at].inputs[k] = made;
    return NM_OK;
}

static nm_status thin_outputs(struct nmi_graph *g, const struct region *r, int32_t at,
                              nm_error *err)
{
    NMI_TRY(thin(g, r, at, 1, 0, err));
    for (int32_t k = 2; k < g->nodes[at].n_inputs;
         k++) { /* bias and scale; never with a residual */
        if (g->nodes[at].inputs[k] != NMI_NONE) {
            NMI_TRY(thin(g, r, at, k, 0, err));
        }
    }
    return NM_OK;
}

/* Puts constants that are not zero into the biases of the readers. */
static nm_status push_constants(struct nmi_graph *g, struct nmi_opt *o, const struct region *r,
                                bool *done, nm_error *err)
{
    struct nmi_affine a;
    bool any = false;
    NMI_TRY(nmi_affine_make(o, r->n, &a, err));
    for (int64_t c = 0; c < r->n; c++) {
        if (r->dead[c] && r->constant[c] != 0) {
            a.scale[c] = 0;
            a.shift[c] = (double)r->constant[c];
            any = true;
        }
    }
    *done = true;
    for (int32_t i = 0; i < r->n_readers && any && *done; i++) {
        NMI_TRY(nmi_affine_before(g, o, r->readers[i], &a, done, err));
    }
    return NM_OK;
}

/* Looking for empty rows reads all weights once. */
static bool affords_search(struct nmi_opt *o, const struct nmi_constant *w)
{
    double elems = (double)(w->bytes / sizeof(float));
    if (elems > o->budget.work) {
        return false;
    }
    o->budget.work -= elems;
    return true;
}

/* All weights that lose channels are written anew. */
static bool affords_removal(const struct nmi_graph *g, struct nmi_opt *o, const struct region *r)
{
    bool enough = nmi_opt_afford(o, conv_weight(g, &g->nodes[r->root])->bytes);
    for (int32_t i = 0; i < r->n_readers && enough; i++) {
        const struct nmi_node *node = &g->nodes[r->readers[i]];
        enough = node->op != NMI_OP_Conv || nmi_opt_afford(o, conv_weight(g, node)->bytes);
    }
    return enough;
}

static nm_status remove_channels(struct nmi_graph *g, const struct region *r, nm_error *err)
{
    NMI_TRY(thin_outputs(g, r, r->root, err));
    for (int32_t i = 0; i < r->n_readers; i++) {
        struct nmi_node *node = &g->nodes[r->readers[i]];
        if (is_end(g, r, node)) {
            NMI_TRY(thin(g, r, r->readers[i], 1, 1, err));
        } else if (node->op == NMI_OP_Conv) {
            NMI_TRY(thin_outputs(g, r, r->readers[i], err));
            ((struct nmi_conv_attrs *)node->attrs)->group = r->left;
        }
    }
    for (int32_t i = 0; i < r->n_values; i++) {
        g->values[r->values[i]].dims[1] = r->left;
    }
    return NM_OK;
}

/* ---- the pass
 * ------------------------------------------------------------------------------------- */

static nm_status try_root(struct nmi_graph *g, struct nmi_opt *o, struct region *r, nm_error *err)
{
    const struct nmi_constant *w = conv_weight(g, &g->nodes[r->root]);
    r->n = w->dims[0];
    r->dead = nmi_arena_array(&o->arena, (size_t)r->n, sizeof *r->dead);
    r->constant = nmi_arena_array(&o->arena, (size_t)r->n, sizeof *r->constant);
    if (r->dead == NULL || r->constant == NULL) {
        return nmi_fail_memory(err, (size_t)r->n * 5, "marks of channels");
    }
    bool done = false;
    if (affords_search(o, w) && find_dead(g, r) && explore(g, r) && affords_removal(g, o, r)) {
        NMI_TRY(push_constants(g, o, r, &done, err));
    }
    if (done) {
        NMI_TRY(remove_channels(g, r, err));
        o->changes++;
    }
    return NM_OK;
}

nm_status nmi_pass_zero(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_readers all;
    struct nmi_users u;
    NMI_TRY(nmi_readers_find(g, o, &all, err));
    NMI_TRY(nmi_users_find(g, o, &u, err));
    struct region r = {.all = &all, .is_output = u.is_output};
    size_t nodes = (size_t)g->n_nodes + 1;
    r.values = nmi_arena_array(&o->arena, nodes, sizeof *r.values);
    r.readers = nmi_arena_array(&o->arena, nodes, sizeof *r.readers);
    if (r.values == NULL || r.readers == NULL) {
        return nmi_fail_memory(err, nodes * 8, "readers of channels");
    }
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *node = &g->nodes[i];
        const struct nmi_conv_attrs *conv = node->attrs;
        r.root = i;
        if (node->op == NMI_OP_Conv && conv->group == 1 && conv->residual == 0 &&
            conv_weight(g, node) != NULL) {
            NMI_TRY(try_root(g, o, &r, err));
        }
    }
    return NM_OK;
}
