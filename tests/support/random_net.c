/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/random_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_LAYERS 14

static int32_t pick(struct random_net *n, int32_t count)
{
    return (int32_t)(build_uniform(&n->b) * (float)count);
}

static void thin_by(struct random_net *n, int32_t node_input, double sparsity)
{
    const struct nmi_node *node = &n->b.g->nodes[n->b.g->n_nodes - 1];
    const struct nmi_constant *c = nmi_graph_constant(n->b.g, node->inputs[node_input]);
    const double inputs = (double)c->bytes / sizeof(float) / (double)c->dims[0];
    /* sums stay about as large as what goes in: a squashing function behind them magnifies nothing */
    const float scale = (float)(1.5 / sqrt(inputs * (1 - sparsity) + 1));
    float *w;
    memcpy(&w, &c->data, sizeof w);
    const size_t cols = c->bytes / sizeof *w / (size_t)c->dims[0];
    for (size_t i = 0; i < c->bytes / sizeof *w; i++) {
        const bool zero = build_uniform(&n->b) < (float)sparsity;
        const bool above = i / cols % n->alike != 0;
        w[i] = (above ? w[i - cols] == 0 : zero) ? 0 : w[i] * scale;
    }
}

void random_net_thin(struct random_net *n, int32_t node_input)
{
    thin_by(n, node_input, n->sparsity);
}

static void add_conv(struct random_net *n, bool same)
{
    static const int32_t kernels[] = {1, 3, 1, 3, 5};
    char name[32];
    const int32_t k = kernels[pick(n, 5)], stride = !same && n->size > 6 ? 1 + pick(n, 2) : 1;
    const bool depthwise = pick(n, 5) == 0;
    const int32_t out = same || depthwise ? n->channels : 1 + pick(n, 40);
    snprintf(name, sizeof name, "conv%d", n->b.g->n_nodes);
    const int32_t x = n->x;
    n->x = build_conv(&n->b, name, x, (int64_t[]){out, depthwise ? 1 : n->channels, k}, k / 2);
    struct nmi_conv_attrs *a = build_attrs(&n->b);
    a->group = depthwise ? n->channels : 1;
    a->strides = (struct nmi_ints){2, {stride, stride}};
    static const int32_t acts[] = {NMI_ACT_NONE, NMI_ACT_RELU, NMI_ACT_SWISH};
    a->act.kind = acts[pick(n, n->clamps ? 2 : 3)];
    thin_by(n, 1, depthwise && pick(n, 3) ? 0.0 : n->sparsity);
    n->older = same ? x : NMI_NONE;
    n->channels = out;
    n->size = (n->size + stride - 1) / stride;
}

static void add_pool(struct random_net *n)
{
    const bool average = pick(n, 2) != 0;
    if (n->size < 4) {
        return;
    }
    n->x = build_node(&n->b, average ? NMI_OP_AveragePool : NMI_OP_MaxPool, "pool", IDS(n->x));
    struct nmi_pool_attrs *a = build_attrs(&n->b);
    a->kernel_shape = (struct nmi_ints){2, {3, 3}};
    a->strides = (struct nmi_ints){2, {2, 2}};
    a->ceil_mode = pick(n, 2);
    const int32_t pad = a->ceil_mode ? 0 : 1;
    if (!average && n->size % 2 == 0 && pick(n, 2)) { /* one that a convolution may do too */
        a->kernel_shape = (struct nmi_ints){2, {2, 2}};
        a->ceil_mode = 0;
        n->size /= 2;
        n->older = NMI_NONE;
        return;
    }
    a->pads = (struct nmi_ints){4, {pad, pad, pad, pad}};
    a->count_include_pad = pick(n, 2);
    n->size = a->ceil_mode ? (n->size - 3 + 1) / 2 + 1 : (n->size + 2 - 3) / 2 + 1;
    n->older = NMI_NONE;
}

static void add_pointwise(struct random_net *n)
{
    static const uint16_t ops[] = {NMI_OP_Relu, NMI_OP_Sigmoid, NMI_OP_Tanh, NMI_OP_Add,
                                   NMI_OP_Mul};
    const int32_t k = pick(n, 5);
    if (k < 3) {
        n->x = build_node(&n->b, ops[k], "unary", IDS(n->x));
    } else {
        const int32_t other = n->older != NMI_NONE ? n->older : n->x;
        n->x = build_node(&n->b, ops[k], "binary", IDS(n->x, other));
    }
}

static void add_concat(struct random_net *n)
{
    const int32_t other = n->older != NMI_NONE ? n->older : n->x;
    n->x = build_node(&n->b, NMI_OP_Concat, "concat", IDS(n->x, other));
    ((struct nmi_axis_attrs *)build_attrs(&n->b))->axis = 1;
    n->channels *= 2;
    n->older = NMI_NONE;
}

/* Two Concats, the second of which begins as the first one does; their inputs have other readers. */
static void add_dense_block(struct random_net *n)
{
    const int32_t x = n->x, growth = 16;
    const int32_t a = build_conv(&n->b, "dense", x, (int64_t[]){growth, n->channels, 3}, 1);
    random_net_thin(n, 1);
    const int32_t first = build_node(&n->b, NMI_OP_Concat, "concat", IDS(x, a));
    ((struct nmi_axis_attrs *)build_attrs(&n->b))->axis = 1;
    const int64_t shape[3] = {growth, n->channels + growth, 1};
    const int32_t b = build_conv(&n->b, "dense", first, shape, 0);
    random_net_thin(n, 1);
    const int32_t sum = build_node(&n->b, NMI_OP_Add, "add", IDS(a, b));
    n->x = build_node(&n->b, NMI_OP_Concat, "concat", IDS(x, a, sum));
    ((struct nmi_axis_attrs *)build_attrs(&n->b))->axis = 1;
    n->channels += 2 * growth;
    n->older = NMI_NONE;
}

/* Factors of channels that come from the map itself. */
static void add_squeeze_excite(struct random_net *n)
{
    const int32_t mean = build_node(&n->b, NMI_OP_GlobalAveragePool, "mean", IDS(n->x));
    const int64_t shape[3] = {n->channels, n->channels, 1};
    int32_t s = build_conv(&n->b, "excite", mean, shape, 0);
    random_net_thin(n, 1);
    s = build_node(&n->b, NMI_OP_Sigmoid, "sigmoid", IDS(s));
    const bool swap = pick(n, 2) != 0;
    n->x = build_node(&n->b, NMI_OP_Mul, "scale", IDS(swap ? s : n->x, swap ? n->x : s));
}

/* conv + older, as the residual pass leaves it. */
static void add_residual(struct random_net *n)
{
    const int32_t older = n->x;
    add_conv(n, true);
    struct nmi_node *node = &n->b.g->nodes[n->b.g->n_nodes - 1];
    int32_t *inputs = nmi_arena_array(&n->b.g->arena, 4, sizeof *inputs);
    memcpy(inputs, (int32_t[]){node->inputs[0], node->inputs[1], NMI_NONE, older},
           4 * sizeof *inputs);
    node->inputs = inputs;
    node->n_inputs = 4;
    ((struct nmi_conv_attrs *)node->attrs)->residual = 1;
}

void random_net_make(struct random_net *n, uint64_t seed, double sparsity)
{
    *n = (struct random_net){.channels = 3, .size = 9, .older = NMI_NONE, .sparsity = sparsity};
    n->alike = (size_t)1 << seed / 4 % 3;
    build_begin(&n->b, seed);
    n->channels = 1 + pick(n, 20);
    n->size = 5 + pick(n, 24);
    n->x = build_input(&n->b, "x", 4, (int64_t[]){-1, n->channels, n->size, n->size});
    const int32_t layers = 2 + pick(n, MAX_LAYERS - 2);
    int32_t inner = NMI_NONE;
    for (int32_t i = 0; i < layers; i++) {
        const int32_t what = pick(n, 11);
        if (what < 4) {
            add_conv(n, what == 0);
        } else if (what < 6) {
            add_residual(n);
        } else if (what == 6) {
            add_pool(n);
        } else if (what == 7) {
            add_pointwise(n);
        } else if (what == 8) {
            add_squeeze_excite(n);
        } else if (n->channels < 64) {
            (what == 9 ? add_dense_block : add_concat)(n);
        }
        inner = i == layers / 2 ? n->x : inner;
    }
    const int32_t pooled = build_node(&n->b, NMI_OP_GlobalAveragePool, "gap", IDS(n->x));
    const int32_t flat = build_node(&n->b, NMI_OP_Flatten, "flatten", IDS(pooled));
    const int32_t w = build_random(&n->b, "fc.w", DIMS(7, n->channels));
    const int32_t bias = build_random(&n->b, "fc.b", DIMS(7));
    build_output(&n->b, build_node(&n->b, NMI_OP_Gemm, "fc", IDS(flat, w, bias)));
    ((struct nmi_gemm_attrs *)build_attrs(&n->b))->trans_b = 1;
    random_net_thin(n, 1);
    if (pick(n, 2)) {
        build_output(&n->b, pooled); /* a map of one pixel: most layouts are row-major */
    } else if (inner != n->b.g->inputs[0]) {
        build_output(&n->b, inner);
    }
}

void random_net_convs(struct random_net *n, uint64_t seed)
{
    *n = (struct random_net){.older = NMI_NONE, .sparsity = 0.8, .alike = 1, .clamps = true};
    build_begin(&n->b, seed);
    n->channels = 16 + pick(n, 30);
    n->size = 8 + pick(n, 40);
    n->x = build_input(&n->b, "x", 4, (int64_t[]){-1, n->channels, n->size, n->size});
    for (int32_t layers = 4 + pick(n, 8); layers > 0; layers--) {
        const int32_t what = pick(n, 8);
        if (what < 4) {
            add_conv(n, what == 0);
        } else if (what < 6 || n->channels > 64) {
            add_residual(n);
        } else {
            (what == 6 ? add_dense_block : add_concat)(n);
        }
    }
    build_output(&n->b, n->x);
}
