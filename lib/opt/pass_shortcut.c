/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortcut without weights of CIFAR's ResNets (He et al. 2015, "option A"): every second row and
 * column, and channels of zeros beside. That is a 1x1 convolution with a stride whose weight has one
 * 1 for each channel that there is; as such it needs no layout of its own, and the sum behind it can
 * go into a convolution.
 */
#include "lib/opt/pass.h"

#define MOST_CHANNELS ((int64_t)1 << 16)

struct shortcut {
    int32_t x;                     /* the value that is taken apart */
    int64_t channels, before, all; /* of x; zeros in front; of the output */
    int64_t stride[2];
};

/* A Slice of rows and columns alone, from the first to the last: multiplies the strides. */
static bool add_slice(const struct nmi_graph *g, const struct nmi_node *node, struct shortcut *s)
{
    const struct nmi_value *x = &g->values[node->inputs[0]];
    struct nmi_ints in[4]; /* starts, ends, axes, steps */
    if (node->op != NMI_OP_Slice || node->opset < 10 || node->n_inputs != 5) {
        return false;
    }
    for (int32_t i = 0; i < 4; i++) {
        if (!nmi_opt_ints(g, node->inputs[i + 1], &in[i]) || in[i].n != in[0].n) {
            return false;
        }
    }
    for (int32_t i = 0; i < in[0].n; i++) {
        const int64_t axis = in[2].v[i] + (in[2].v[i] < 0 ? x->rank : 0), step = in[3].v[i];
        const bool whole = axis >= 2 && axis < 4 && in[0].v[i] == 0 &&
                           (in[1].v[i] >= INT32_MAX ||
                            (nmi_dim_known(x->dims[axis]) && in[1].v[i] >= x->dims[axis]));
        if (!whole || step < 1 || step > 64 || s->stride[axis - 2] * step > 64) {
            return false;
        }
        s->stride[axis - 2] *= step;
    }
    return true;
}

/* A Pad of zero channels: before, all. */
static bool read_channels(const struct nmi_graph *g, const struct nmi_node *node, struct shortcut *s)
{
    int64_t begin[NMI_MAX_DIMS], end[NMI_MAX_DIMS];
    const struct nmi_value *x = &g->values[node->inputs[0]];
    float value;
    if (node->op != NMI_OP_Pad || x->rank != 4 || !nmi_dim_known(x->dims[1]) ||
        !nmi_opt_pads(g, node, begin, end, &value) || value != 0) {
        return false;
    }
    for (int32_t d = 0; d < 4; d++) {
        if (d != 1 && (begin[d] != 0 || end[d] != 0)) {
            return false;
        }
    }
    if (x->dims[1] < 1 || x->dims[1] > MOST_CHANNELS || begin[1] > MOST_CHANNELS ||
        end[1] > MOST_CHANNELS) {
        return false;
    }
    s->channels = x->dims[1];
    s->before = begin[1];
    s->all = begin[1] + s->channels + end[1];
    return true;
}

static nm_status weight_of(struct nmi_graph *g, const char *name, const struct shortcut *s,
                           int32_t *value, nm_error *err)
{
    const size_t bytes = (size_t)(s->all * s->channels) * sizeof(float);
    float *w = nmi_arena_array(&g->arena, (size_t)(s->all * s->channels), sizeof *w);
    if (w == NULL) {
        return nmi_fail_memory(err, bytes, "a shortcut's weight");
    }
    for (int64_t c = 0; c < s->channels; c++) {
        w[(s->before + c) * s->channels + c] = 1;
    }
    const struct nmi_constant c = {.type = NM_F32,
                                   .rank = 4,
                                   .dims = {s->all, s->channels, 1, 1},
                                   .data = w,
                                   .bytes = bytes,
                                   .source = NMI_NONE};
    return nmi_opt_add_constant(g, name, &c, value, err);
}

static nm_status become_conv(struct nmi_graph *g, int32_t at, const struct shortcut *s, nm_error *err)
{
    struct nmi_conv_attrs *attrs = nmi_op_defaults(NMI_OP_Conv, &g->arena);
    int32_t weight, *inputs = nmi_arena_array(&g->arena, 2, sizeof *inputs);
    if (attrs == NULL || inputs == NULL) {
        return nmi_fail_memory(err, sizeof *attrs, "a shortcut");
    }
    NMI_TRY(weight_of(g, g->nodes[at].name, s, &weight, err));
    struct nmi_node *node = &g->nodes[at];
    attrs->kernel_shape = (struct nmi_ints){2, {1, 1}};
    attrs->strides = (struct nmi_ints){2, {s->stride[0], s->stride[1]}};
    inputs[0] = s->x;
    inputs[1] = weight;
    node->op = NMI_OP_Conv;
    node->attrs = attrs;
    node->inputs = inputs;
    node->n_inputs = 2;
    return NM_OK;
}

nm_status nmi_pass_shortcut(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct nmi_users u;
    NMI_TRY(nmi_users_find(g, o, &u, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        struct shortcut s = {.stride = {1, 1}};
        if (!read_channels(g, &g->nodes[i], &s) ||
            !nmi_opt_afford(o, (size_t)(s.all * s.channels) * sizeof(float))) {
            continue;
        }
        s.x = g->nodes[i].inputs[0];
        for (int32_t maker = nmi_opt_only_maker(g, &u, s.x);
             maker != NMI_NONE && add_slice(g, &g->nodes[maker], &s);
             maker = nmi_opt_only_maker(g, &u, s.x)) {
            g->values[s.x].producer = NMI_NONE;
            s.x = g->nodes[maker].inputs[0];
            nmi_graph_remove_node(g, maker);
        }
        NMI_TRY(become_conv(g, i, &s, err));
        o->changes++;
    }
    return NM_OK;
}
