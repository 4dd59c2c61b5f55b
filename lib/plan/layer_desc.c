/* SPDX-License-Identifier: Apache-2.0 */
/* From a node with known shapes to the descriptor that kernels are asked with, and its weight. */
#include "lib/plan/planner.h"

#include "lib/base/hash.h"
#include "lib/ops/window.h"

#include <string.h>

static const float *constant_floats(const struct nmi_planner *p, const struct nmi_node *node,
                                    int32_t i)
{
    if (i >= node->n_inputs || node->inputs[i] == NMI_NONE) {
        return NULL;
    }
    const struct nmi_fact *f = &p->facts[node->inputs[i]];
    return f->type == NM_F32 ? f->data : NULL;
}

static bool has_input(const struct nmi_node *node, int32_t i)
{
    return i < node->n_inputs && node->inputs[i] != NMI_NONE;
}

static int64_t known_elems(const struct nmi_fact *f)
{
    int64_t n = 1;
    for (int32_t i = 0; i < f->rank; i++) {
        n *= f->dims[i];
    }
    return n;
}

bool nmi_same_shapes(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    const struct nmi_fact *y = &p->facts[layer->node->outputs[0]];
    for (int32_t i = 0; i < layer->node->n_inputs; i++) {
        const int32_t v = layer->node->inputs[i];
        if (v == NMI_NONE ||
            (i > 0 && p->facts[v].data != NULL && (layer->op->flags & NMI_OP_ELEMENTWISE))) {
            continue;
        }
        const struct nmi_fact *x = &p->facts[v];
        if (x->data != NULL || x->type != NM_F32 || x->rank != y->rank ||
            memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) != 0) {
            return false;
        }
    }
    return y->type == NM_F32;
}

static void weight_of(struct nmi_planner *p, struct nmi_layer *layer, int32_t rows, bool transposed)
{
    const struct nmi_fact *w = &p->facts[layer->node->inputs[1]];
    /* Only a constant of the graph outlives the store of packed weights. */
    if (nmi_graph_constant(p->graph, layer->node->inputs[1]) == NULL) {
        return;
    }
    layer->weight = constant_floats(p, layer->node, 1);
    if (layer->weight == NULL) {
        return;
    }
    layer->weight_elems = known_elems(w);
    layer->zeros = nmi_zeros(layer->weight, layer->weight_elems);
    layer->csr = (struct nmi_csr_source){.w = layer->weight,
                                         .rows = rows,
                                         .cols = (int32_t)(layer->weight_elems / rows),
                                         .scale = layer->scale,
                                         .transposed = transposed};
    const uintptr_t addresses[] = {(uintptr_t)layer->weight, (uintptr_t)layer->scale};
    layer->weight_key = nmi_hash(nmi_hash(NMI_HASH_START, addresses, sizeof addresses),
                                 &layer->weight_elems, sizeof layer->weight_elems);
}

static nm_status describe_conv(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err)
{
    const struct nmi_node *node = layer->node;
    const struct nmi_tensor x = nmi_layer_tensor(p, layer, node->inputs[0]);
    const struct nmi_tensor w = nmi_layer_tensor(p, layer, node->inputs[1]);
    const struct nmi_tensor y = nmi_layer_tensor(p, layer, node->outputs[0]);
    if (!p->values[node->inputs[0]].image || !p->values[node->outputs[0]].image ||
        (has_input(node, 2) && constant_floats(p, node, 2) == NULL)) {
        return NM_OK;
    }
    const bool conv = node->op == NMI_OP_Conv;
    NMI_TRY((conv ? nmi_conv_describe : nmi_deconv_describe)(
        node->attrs, &x, &w, &y, has_input(node, 2), node->name, &layer->desc.conv, err));
    layer->kind = conv ? NMI_KIND_CONV : NMI_KIND_DECONV;
    layer->bias = constant_floats(p, node, 2);
    layer->scale = constant_floats(p, node, NMI_CONV_SCALE);
    weight_of(p, layer, layer->desc.conv.y.c, false);
    return NM_OK;
}

/* A matrix that all batches of a share makes more rows of one product. */
static void merge_batches(struct nmi_gemm_desc *d)
{
    if (d->batch > 1 && d->stride_b == 0 && d->stride_a == d->m * d->k &&
        d->stride_c == d->m * d->n && !d->trans_a) {
        d->m *= d->batch;
        d->batch = 1;
    }
}

/* Gemm and MatMul, plain or with a constant row; other forms are left to evaluation. */
static void describe_gemm(struct nmi_planner *p, struct nmi_layer *layer)
{
    const struct nmi_node *node = layer->node;
    const struct nmi_tensor a = nmi_layer_tensor(p, layer, node->inputs[0]);
    const struct nmi_tensor b = nmi_layer_tensor(p, layer, node->inputs[1]);
    struct nmi_gemm_desc *d = &layer->desc.gemm;
    const bool bias = has_input(node, 2);
    struct nmi_tensor c = {0};
    if (bias) {
        c = nmi_layer_tensor(p, layer, node->inputs[2]);
    }
    nm_status status = (node->op == NMI_OP_Gemm ? nmi_gemm_describe : nmi_matmul_describe)(
        node->attrs, &a, &b, bias ? &c : NULL, node->name, d, NULL);
    layer->bias = bias ? constant_floats(p, node, 2) : NULL;
    if (status != NM_OK || (d->bias_rank != 0 && (d->bias_rank != 1 || layer->bias == NULL))) {
        return;
    }
    merge_batches(d);
    if (d->batch <= 0 || d->m <= 0 || d->n <= 0 || d->k <= 0 || d->n > INT32_MAX ||
        d->k > INT32_MAX) {
        return;
    }
    layer->bias = d->bias_rank == 1 ? layer->bias : NULL;
    layer->kind = NMI_KIND_GEMM;
    d->const_b = b.data != NULL && b.rank == 2;
    if (d->const_b) {
        weight_of(p, layer, (int32_t)d->n, !d->trans_b);
        d->const_b = layer->weight != NULL;
    }
}

static nm_status describe_pool(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err)
{
    const struct nmi_node *node = layer->node;
    const struct nmi_tensor x = nmi_layer_tensor(p, layer, node->inputs[0]);
    const struct nmi_tensor y = nmi_layer_tensor(p, layer, node->outputs[0]);
    if (!p->values[node->inputs[0]].image || x.type != NM_F32 ||
        (node->n_outputs > 1 && node->outputs[1] != NMI_NONE)) {
        return NM_OK;
    }
    if (node->op == NMI_OP_GlobalAveragePool || node->op == NMI_OP_GlobalMaxPool) {
        layer->desc.gpool = (struct nmi_gpool_desc){
            .x = nmi_tensor_image(&x), .average = node->op == NMI_OP_GlobalAveragePool};
        layer->kind = NMI_KIND_GPOOL;
        return NM_OK;
    }
    NMI_TRY(nmi_pool_describe(node->op, node->attrs, &x, &y, node->name, &layer->desc.pool, err));
    layer->kind = NMI_KIND_POOL;
    return NM_OK;
}

/* Softmax over the last axes, LayerNormalization by constants. */
static void describe_norm(struct nmi_planner *p, struct nmi_layer *layer)
{
    const struct nmi_node *node = layer->node;
    const struct nmi_tensor x = nmi_layer_tensor(p, layer, node->inputs[0]);
    struct nmi_norm_desc *d = &layer->desc.norm;
    *d = (struct nmi_norm_desc){.op = NMI_NORM_SOFTMAX, .lines = 1, .count = 1};
    const bool layer_norm = node->op == NMI_OP_LayerNormalization;
    const struct nmi_axis_attrs *softmax = node->attrs;
    const struct nmi_layer_norm_attrs *norm = node->attrs;
    int64_t axis = layer_norm ? norm->axis : softmax->axis;
    axis += axis < 0 ? x.rank : 0;
    for (int32_t i = 0; i < x.rank; i++) {
        *(i < axis ? &d->lines : &d->count) *= x.dims[i];
    }
    bool fits = layer->out_elems > 0 && (layer_norm || softmax->legacy || axis == x.rank - 1);
    if (layer_norm) {
        d->op = NMI_NORM_LAYER;
        d->epsilon = norm->epsilon;
        d->bias = has_input(node, 2);
        layer->weight = constant_floats(p, node, 1);
        layer->bias = constant_floats(p, node, 2);
        layer->weight_elems = d->count;
        fits &= layer->weight != NULL && known_elems(&p->facts[node->inputs[1]]) == d->count &&
                (!d->bias || (layer->bias != NULL &&
                              known_elems(&p->facts[node->inputs[2]]) == d->count));
        for (int32_t k = 1; k < node->n_outputs; k++) {
            fits &= node->outputs[k] == NMI_NONE;
        }
    }
    layer->kind = fits ? NMI_KIND_NORM : NMI_KIND_NONE;
}

static const struct {
    uint16_t op;
    int32_t elt, act;
} eltwise_ops[] = {
    {NMI_OP_Add, NMI_ELT_ADD, NMI_ACT_NONE},
    {NMI_OP_Sub, NMI_ELT_SUB, NMI_ACT_NONE},
    {NMI_OP_Mul, NMI_ELT_MUL, NMI_ACT_NONE},
    {NMI_OP_Relu, NMI_ELT_COPY, NMI_ACT_RELU},
    {NMI_OP_Sigmoid, NMI_ELT_COPY, NMI_ACT_SIGMOID},
    {NMI_OP_HardSwish, NMI_ELT_COPY, NMI_ACT_HARDSWISH},
    {NMI_OP_LeakyRelu, NMI_ELT_COPY, NMI_ACT_LEAKY},
};

bool nmi_operand_repeats(const struct nmi_layer *layer, int32_t k)
{
    return layer->kind == NMI_KIND_ELTWISE && layer->desc.eltwise.period > 0 &&
           k == (layer->swapped ? 0 : 1);
}

/* b's axes, aligned to y's from the end, are y's, then ones, then y's again: so it repeats. */
static bool repeats(const struct nmi_tensor *y, const struct nmi_tensor *b,
                    struct nmi_eltwise_desc *d)
{
    const int32_t skip = y->rank - b->rank;
    int32_t i = y->rank - 1;
    if (b->type != NM_F32 || skip < 0) {
        return false;
    }
    d->period = d->repeat = 1;
    for (; i >= skip && b->dims[i - skip] == y->dims[i]; i--) {
        d->period *= y->dims[i];
    }
    for (; i >= 0 && (i < skip || b->dims[i - skip] == 1); i--) {
        d->repeat *= y->dims[i];
    }
    for (; i >= skip && i >= 0 && b->dims[i - skip] == y->dims[i]; i--) {
    }
    return i < 0;
}

/* A sum or product whose one operand has the output's shape, and the other one repeats. */
static bool describe_repeated(const struct nmi_planner *p, struct nmi_layer *layer,
                              struct nmi_eltwise_desc *d)
{
    const struct nmi_node *node = layer->node;
    const struct nmi_tensor y = nmi_layer_tensor(p, layer, node->outputs[0]);
    for (int32_t a = 0; a < (d->op == NMI_ELT_SUB ? 1 : 2) && layer->out_elems > 0; a++) {
        const struct nmi_tensor x = nmi_layer_tensor(p, layer, node->inputs[a]);
        const struct nmi_tensor b = nmi_layer_tensor(p, layer, node->inputs[1 - a]);
        if (x.type == NM_F32 && x.data == NULL && x.rank == y.rank &&
            memcmp(x.dims, y.dims, (size_t)x.rank * sizeof *x.dims) == 0 && repeats(&y, &b, d)) {
            layer->swapped = a == 1;
            return true;
        }
    }
    return false;
}

static void describe_eltwise(struct nmi_planner *p, struct nmi_layer *layer)
{
    const struct nmi_node *node = layer->node;
    for (size_t i = 0; i < NMI_COUNT(eltwise_ops); i++) {
        const int32_t operands = eltwise_ops[i].elt == NMI_ELT_COPY ? 1 : 2;
        struct nmi_eltwise_desc d = {.op = eltwise_ops[i].elt, .act = {.kind = eltwise_ops[i].act}};
        if (eltwise_ops[i].op != node->op || node->n_inputs != operands ||
            !(nmi_same_shapes(p, layer) || (operands == 2 && describe_repeated(p, layer, &d)))) {
            continue;
        }
        layer->kind = NMI_KIND_ELTWISE;
        layer->desc.eltwise = d;
        if (node->op == NMI_OP_LeakyRelu) {
            layer->desc.eltwise.act.alpha = ((const struct nmi_alpha_attrs *)node->attrs)->alpha;
        }
    }
}

nm_status nmi_plan_describe_layer(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err)
{
    const struct nmi_tensor y = nmi_layer_tensor(p, layer, layer->node->outputs[0]);
    if (!nmi_elems(y.rank, y.dims, &layer->out_elems)) {
        return nmi_fail(err, NM_ELIMIT, "node %s (%s): its output has too many elements",
                        layer->node->name, layer->op->name);
    }
    if (p->values[layer->node->outputs[0]].image) {
        layer->out_image = nmi_tensor_image(&y);
    }
    switch (layer->node->op) {
    case NMI_OP_Conv:
    case NMI_OP_ConvTranspose:
        return describe_conv(p, layer, err);
    case NMI_OP_Gemm:
    case NMI_OP_MatMul:
        describe_gemm(p, layer);
        return NM_OK;
    case NMI_OP_MaxPool:
    case NMI_OP_AveragePool:
    case NMI_OP_GlobalAveragePool:
    case NMI_OP_GlobalMaxPool:
        return describe_pool(p, layer, err);
    case NMI_OP_Softmax:
    case NMI_OP_LayerNormalization:
        describe_norm(p, layer);
        return NM_OK;
    default:
        describe_eltwise(p, layer);
        return NM_OK;
    }
}
