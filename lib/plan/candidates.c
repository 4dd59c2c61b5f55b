/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What could run each layer: our kernels in LANES, oneDNN in the layouts it likes, and always the
 * operator's own evaluation on row-major tensors. Nothing is timed here.
 */
#include "lib/plan/planner.h"

/* Below this share of zeros no sparse kernel has a chance, and none is timed. */
#define MIN_ZEROS 0.35

static void add(struct nmi_layer *layer, struct nmi_impl impl)
{
    if (layer->n_impls < NMI_MAX_IMPLS) {
        layer->impls[layer->n_impls++] = impl;
    }
}

static bool dnnl_allowed(const struct nmi_planner *p)
{
    return p->options->isa != NM_ISA_REF;
}

/* The lanes of the input must cover its map: a frame can only be filled from lanes. */
static bool lanes_cover(const struct nmi_image *x, const struct nmi_layout *l)
{
    return l->gy * l->sub_h >= x->h && l->gx * l->sub_w >= x->w;
}

/* ---- convolution --------------------------------------------------------------------------------
 */

bool nmi_depthwise(const struct nmi_layer *layer)
{
    const struct nmi_conv_desc *d = &layer->desc.conv;
    return layer->kind == NMI_KIND_CONV && d->x.c > 1 && d->groups == d->x.c;
}

bool nmi_enough_zeros(const struct nmi_layer *layer)
{
    return layer->weight != NULL && (double)layer->zeros >= MIN_ZEROS * (double)layer->weight_elems;
}

bool nmi_lanes_wanted(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    /* Dense layers that cost little and spare a conversion when their neighbours are sparse. */
    const bool cheap = layer->desc.conv.x.c <= 4 || nmi_depthwise(layer);
    return !p->options->dense && (nmi_enough_zeros(layer) || (p->any_sparse && cheap));
}

/* They are done together, which makes a sparse kernel faster. */
static double rows_alike(const struct nmi_csr *csr)
{
    int32_t alike = 0;
    for (int32_t r = 1; r < csr->rows; r++) {
        alike += nmi_csr_alike(csr, r - 1, 2, 0, csr->cols) == 2;
    }
    return (double)alike / csr->rows;
}

/* kind: LANES or LANES_F16. */
static nm_status add_sparse_conv(struct nmi_planner *p, struct nmi_layer *layer, uint8_t kind,
                                 nm_error *err)
{
    struct nmi_impl impl = {.step = NMI_STEP_KERNEL, .in_kind = kind, .out_kind = kind};
    struct nmi_blocking blockings[12];
    const struct nmi_layout x = nmi_impl_input(p, layer, &impl, 0);
    const struct nmi_layout y = nmi_impl_output(p, layer, &impl);
    union nmi_desc d = nmi_impl_desc(layer, &impl, &x, &y);
    impl.kernel = nmi_kernel_find(NMI_KIND_SPCONV, p->options->isa, &d, NULL);
    if (impl.kernel == NULL || impl.kernel->candidates == NULL || !lanes_cover(&d.conv.x, &x)) {
        return NM_OK;
    }
    struct nmi_csr csr;
    void *memory = NULL;
    nm_status status = nmi_csr_build(&layer->csr, &csr, &memory, err);
    if (status == NM_OK) {
        layer->alike = rows_alike(&csr);
        /* a run of several images takes long: fewer are tried */
        const int some = nmi_layer_ipv(p, layer) > 1 ? 5 : (int)NMI_COUNT(blockings);
        const int n =
            impl.kernel->candidates(&d, &csr, blockings, p->options->fixed ? 1 : some);
        for (int i = 0; i < n; i++) {
            d.conv.blocking = impl.blocking = blockings[i];
            if (impl.kernel->packed_bytes(&d, &csr) > 0) {
                p->kinds |= 1u << kind;
                add(layer, impl);
            }
        }
    }
    nmi_free(memory);
    return status;
}

/* Our depthwise kernel, which takes weights as they are. */
static void add_depthwise(struct nmi_planner *p, struct nmi_layer *layer)
{
    struct nmi_impl impl = {.step = NMI_STEP_KERNEL, .in_kind = NMI_LANES, .out_kind = NMI_LANES};
    const struct nmi_layout x = nmi_impl_input(p, layer, &impl, 0);
    const struct nmi_layout y = nmi_impl_output(p, layer, &impl);
    const union nmi_desc d = nmi_impl_desc(layer, &impl, &x, &y);
    impl.kernel = nmi_kernel_find(NMI_KIND_CONV, p->options->isa, &d, NULL);
    if (impl.kernel != NULL && impl.kernel->pack_dense != NULL && lanes_cover(&d.conv.x, &x)) {
        add(layer, impl);
    }
}

/* What oneDNN likes best alone may cost a conversion on either side: offer one layout for both. */
static void add_dnnl_uniform(struct nmi_planner *p, struct nmi_layer *layer, uint8_t kind)
{
    const uint8_t in = layer->desc.conv.x.c <= 4 ? NMI_PLAIN : kind;
    for (int32_t i = 0; i < layer->n_impls; i++) {
        const struct nmi_impl *impl = &layer->impls[i];
        if (impl->step == NMI_STEP_DNNL && impl->algo == NMI_DNNL_DIRECT && impl->in_kind == in &&
            impl->out_kind == kind) {
            return;
        }
    }
    p->kinds |= 1u << kind;
    add(layer, (struct nmi_impl){.step = NMI_STEP_DNNL, .in_kind = in, .out_kind = kind});
}

/* bfloat16 in; out too, or float at no cost for whom it suits better. */
static void add_dnnl_bf16(struct nmi_planner *p, struct nmi_layer *layer)
{
    static const uint8_t kinds[][2] = {{NMI_NHWC_BF16, NMI_NHWC_BF16},
                                       {NMI_BLOCK16_BF16, NMI_BLOCK16_BF16},
                                       {NMI_NHWC_BF16, NMI_NHWC},
                                       {NMI_BLOCK16_BF16, NMI_BLOCK16}};
    for (size_t i = 0; p->options->bf16 && i < NMI_COUNT(kinds); i++) {
        p->kinds |= 1u << kinds[i][0] | 1u << kinds[i][1];
        add(layer, (struct nmi_impl){
                       .step = NMI_STEP_DNNL, .in_kind = kinds[i][0], .out_kind = kinds[i][1]});
    }
}

static void add_dnnl_conv(struct nmi_planner *p, struct nmi_layer *layer)
{
    const struct nmi_conv_desc *d = &layer->desc.conv;
    for (int algo = NMI_DNNL_DIRECT; algo <= NMI_DNNL_WINOGRAD; algo++) {
        struct nmi_impl impl = {.step = NMI_STEP_DNNL, .algo = (enum nmi_dnnl_algo)algo};
        if (algo == NMI_DNNL_WINOGRAD &&
            (p->options->fixed || d->kh != 3 || d->kw != 3 || d->x.c < 16)) {
            continue;
        }
        if (nmi_dnnl_conv_layouts(d, impl.algo, &impl.in_kind, &impl.out_kind, NULL) == NM_OK) {
            p->kinds |= 1u << impl.in_kind | 1u << impl.out_kind;
            add(layer, impl);
        }
    }
    if (!p->options->fixed) {
        add_dnnl_uniform(p, layer, NMI_NHWC);
        add_dnnl_uniform(p, layer, p->options->isa == NM_ISA_AVX512 ? NMI_BLOCK16 : NMI_BLOCK8);
    }
    add_dnnl_bf16(p, layer);
}

/* Our own kernels for dense weights, in the blocked layout of this vector length. */
static void add_block_conv(struct nmi_planner *p, struct nmi_layer *layer)
{
    const uint8_t block = p->options->isa == NM_ISA_AVX512 ? NMI_BLOCK16 : NMI_BLOCK8;
    const uint8_t inputs[] = {block, NMI_PLAIN};
    for (size_t k = 0; k < NMI_COUNT(inputs); k++) {
        struct nmi_impl impl = {
            .step = NMI_STEP_KERNEL, .in_kind = inputs[k], .out_kind = block};
        struct nmi_blocking blockings[8] = {{0}};
        const struct nmi_layout x = {.kind = inputs[k]}, y = {.kind = block};
        const union nmi_desc d = nmi_impl_desc(layer, &impl, &x, &y);
        int n = 1;
        impl.kernel = nmi_kernel_find(NMI_KIND_CONV, p->options->isa, &d, NULL);
        if (impl.kernel == NULL || impl.kernel->pack_dense == NULL) {
            continue;
        }
        if (impl.kernel->candidates != NULL) {
            const int max = p->options->fixed ? 1 : (int)NMI_COUNT(blockings);
            n = impl.kernel->candidates(&d, NULL, blockings, max);
        }
        for (int i = 0; i < n; i++) {
            impl.blocking = blockings[i];
            add(layer, impl);
        }
        p->kinds |= n > 0 ? 1u << inputs[k] | 1u << block : 0;
    }
}

/* oneDNN's exponentials behind a product cost more than our own over a map that is still in cache. */
static void add_act_after(const struct nmi_planner *p, struct nmi_layer *layer)
{
    const int32_t n = layer->n_impls, kind = nmi_layer_act(layer).kind;
    for (int32_t i = 0; i < n && !p->options->fixed; i++) {
        struct nmi_impl impl = layer->impls[i];
        const struct nmi_layout y = {.kind = impl.out_kind};
        const bool floats = nmi_layout_element(&y) == sizeof(float); /* all that our kernels do */
        impl.act_after = true;
        if (floats && impl.step == NMI_STEP_DNNL && (kind == NMI_ACT_SWISH || kind == NMI_ACT_GELU)) {
            add(layer, impl);
        }
    }
}

static nm_status conv_candidates(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err)
{
    if (layer->kind == NMI_KIND_CONV && layer->weight != NULL && dnnl_allowed(p)) {
        if (nmi_lanes_wanted(p, layer) && nmi_depthwise(layer)) {
            add_depthwise(p, layer);
        }
        if (nmi_lanes_wanted(p, layer) && (nmi_enough_zeros(layer) || !nmi_depthwise(layer))) {
            NMI_TRY(add_sparse_conv(p, layer, NMI_LANES, err));
        }
        if (p->options->fp16 && nmi_lanes_wanted(p, layer) && nmi_enough_zeros(layer)) {
            NMI_TRY(add_sparse_conv(p, layer, NMI_LANES_F16, err));
        }
        /* several images in a vector: that is about sparse kernels, and dense rivals take long */
        if (layer->n_impls == 0 || nmi_layer_ipv(p, layer) == 1) {
            add_block_conv(p, layer);
            add_dnnl_conv(p, layer);
            add_act_after(p, layer);
        }
    }
    if (layer->kind == NMI_KIND_DECONV && layer->weight != NULL && dnnl_allowed(p)) {
        add(layer, (struct nmi_impl){.step = NMI_STEP_DNNL});
    }
    return NM_OK;
}

/* ---- matrix products ----------------------------------------------------------------------------
 */

static void gemm_candidates(struct nmi_planner *p, struct nmi_layer *layer)
{
    const struct nmi_gemm_desc *g = &layer->desc.gemm;
    if (layer->kind != NMI_KIND_GEMM || !dnnl_allowed(p)) {
        return;
    }
    const bool plain = g->batch == 1 && !g->trans_a && g->alpha == 1.0f &&
                       (g->bias_rank == 0 || (g->bias_rank == 1 && g->beta == 1.0f));
    if (!p->options->dense && plain && g->m <= INT32_MAX && nmi_enough_zeros(layer)) {
        struct nmi_impl impl = {.step = NMI_STEP_KERNEL};
        const struct nmi_kernel any = {.kind = NMI_KIND_FC};
        impl.kernel = &any;
        union nmi_desc d = nmi_impl_desc(layer, &impl, NULL, NULL);
        impl.kernel = nmi_kernel_find(NMI_KIND_FC, p->options->isa, &d, NULL);
        if (impl.kernel != NULL) {
            add(layer, impl);
        }
    }
    add(layer, (struct nmi_impl){.step = NMI_STEP_DNNL});
    add_act_after(p, layer);
    if (p->options->bf16 && layer->weight != NULL) {
        add(layer, (struct nmi_impl){.step = NMI_STEP_DNNL, .algo = NMI_DNNL_BF16});
    }
}

/* ---- the others ---------------------------------------------------------------------------------
 */

static void add_kernel(struct nmi_planner *p, struct nmi_layer *layer, int32_t kind, uint8_t layout,
                       uint8_t out)
{
    struct nmi_impl impl = {.step = NMI_STEP_KERNEL, .in_kind = layout, .out_kind = out};
    const struct nmi_layout x = nmi_impl_input(p, layer, &impl, 0);
    const struct nmi_layout y = nmi_impl_output(p, layer, &impl);
    const union nmi_desc d = nmi_impl_desc(layer, &impl, &x, &y);
    if (layout == NMI_LANES && kind == NMI_KIND_POOL && !lanes_cover(&d.pool.x, &x)) {
        return;
    }
    impl.kernel = nmi_kernel_find(kind, p->options->isa, &d, NULL);
    if (impl.kernel != NULL && impl.kernel->isa != NM_ISA_REF) {
        add(layer, impl);
    }
}

static const uint8_t image_kinds[] = {NMI_PLAIN,   NMI_NHWC,      NMI_BLOCK8,
                                      NMI_BLOCK16, NMI_NHWC_BF16, NMI_BLOCK16_BF16};

static void pool_candidates(struct nmi_planner *p, struct nmi_layer *layer)
{
    const bool global = layer->kind == NMI_KIND_GPOOL;
    if ((layer->kind != NMI_KIND_POOL && !global) || !dnnl_allowed(p)) {
        return;
    }
    if (p->any_sparse) {
        add_kernel(p, layer, layer->kind, NMI_LANES, global ? NMI_PLAIN : NMI_LANES);
    }
    for (size_t i = 0; i < NMI_COUNT(image_kinds); i++) {
        if (p->kinds & 1u << image_kinds[i]) {
            add(layer, (struct nmi_impl){.step = NMI_STEP_DNNL,
                                         .in_kind = image_kinds[i],
                                         .out_kind = image_kinds[i]});
        }
    }
}

/* Whether the operands stand element by element in layout k, b by its channels where it repeats. */
static bool eltwise_fits(const struct nmi_planner *p, const struct nmi_layer *layer, uint8_t k)
{
    const int32_t v = layer->node->inputs[layer->swapped ? 0 : 1];
    const struct nmi_image *y = &layer->out_image;
    if (!p->values[layer->node->outputs[0]].image || !(p->kinds & 1u << k)) {
        return k == NMI_PLAIN;
    }
    if (layer->desc.eltwise.period == 0 || k == NMI_PLAIN) {
        return true;
    }
    if (k == NMI_LANES && nmi_layer_ipv(p, layer) > 1) {
        return false; /* a vector meets the factors of several images */
    }
    const struct nmi_tensor b = nmi_layer_tensor(p, layer, v);
    const int32_t block = nmi_layout_block(k);
    int64_t n = 1, channels = b.rank >= 3 ? b.dims[b.rank - 3] : 1;
    return nmi_elems(b.rank, b.dims, &n) && channels == y->c && n == (int64_t)y->n * y->c &&
           p->facts[layer->node->outputs[0]].rank == 4 &&
           (b.data != NULL ? y->c % block == 0 : p->values[v].image && b.rank == 4);
}

static void eltwise_candidates(struct nmi_planner *p, struct nmi_layer *layer)
{
    const uint32_t flags = layer->op->flags;
    if (!(flags & (NMI_OP_ELEMENTWISE | NMI_OP_BROADCAST)) || !dnnl_allowed(p) ||
        (layer->kind != NMI_KIND_ELTWISE && !nmi_same_shapes(p, layer))) {
        return;
    }
    const bool image = p->values[layer->node->outputs[0]].image;
    if (layer->kind == NMI_KIND_ELTWISE) {
        for (uint8_t k = NMI_PLAIN; k <= NMI_LANES; k++) {
            if (eltwise_fits(p, layer, k)) {
                add_kernel(p, layer, NMI_KIND_ELTWISE, k, k);
            }
        }
        return;
    }
    /* Its own evaluation over a flat tensor, in whatever order the elements stand. */
    for (uint8_t k = NMI_NHWC; k <= NMI_LANES; k++) {
        if (image && (flags & (NMI_OP_ZERO_SAFE | NMI_OP_BROADCAST)) && (p->kinds & 1u << k)) {
            add(layer, (struct nmi_impl){.step = NMI_STEP_EVAL, .in_kind = k, .out_kind = k});
        }
    }
}

static void concat_candidates(struct nmi_planner *p, struct nmi_layer *layer)
{
    const struct nmi_node *node = layer->node;
    const int32_t y = node->outputs[0];
    if (node->op != NMI_OP_Concat || !p->values[y].image || nmi_concat_axis(p, node) != 1) {
        return;
    }
    const int64_t images = nmi_layer_tensor(p, layer, y).dims[0]; /* one group of lanes, or one */
    int64_t block = 16;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const struct nmi_fact *x = &p->facts[node->inputs[i]];
        if (x->data != NULL || !p->values[node->inputs[i]].image) {
            return;
        }
        while (x->dims[1] % block != 0) {
            block /= 2;
        }
    }
    for (uint8_t k = NMI_PLAIN; k < NMI_LAYOUTS; k++) {
        const bool apart = k == NMI_NHWC || k == NMI_NHWC_BF16;
        const bool whole = images <= (nmi_in_lanes(k) ? nmi_layer_ipv(p, layer) : 1);
        if (!apart && whole && block >= nmi_layout_block(k) &&
            (k == NMI_PLAIN || (p->kinds & 1u << k))) {
            add(layer, (struct nmi_impl){.step = NMI_IMPL_CONCAT, .in_kind = k, .out_kind = k});
        }
    }
}

/* ---- all
 * -------------------------------------------------------------------------------------------- */

static void candidates(struct nmi_planner *p, struct nmi_layer *layer)
{
    const bool one = layer->node->n_outputs == 1 || layer->node->outputs[1] == NMI_NONE;
    if ((layer->op->flags & NMI_OP_ALIAS) && one) { /* Dropout may be asked for its mask */
        add(layer, (struct nmi_impl){.step = NMI_IMPL_ALIAS});
        return;
    }
    gemm_candidates(p, layer);
    pool_candidates(p, layer);
    eltwise_candidates(p, layer);
    concat_candidates(p, layer);
    if (layer->kind == NMI_KIND_NORM) {
        add_kernel(p, layer, NMI_KIND_NORM, NMI_PLAIN, NMI_PLAIN);
    }
    add(layer, (struct nmi_impl){.step = NMI_STEP_EVAL});
}

nm_status nmi_plan_candidates(struct nmi_planner *p, nm_error *err)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        struct nmi_layer *layer = &p->layers[i];
        NMI_TRY(nmi_plan_describe_layer(p, layer, err));
        p->any_sparse |= !p->options->dense && layer->kind == NMI_KIND_CONV && nmi_enough_zeros(layer);
    }
    p->any_sparse &= nmi_isa_lanes(p->options->isa) > 0;
    if (p->any_sparse) {
        NMI_TRY(nmi_plan_frames(p, err));
    }
    p->kinds = 1u << NMI_PLAIN | (p->any_sparse ? 1u << NMI_LANES : 0);
    for (int32_t i = 0; i < p->n_layers; i++) {
        NMI_TRY(conv_candidates(p, &p->layers[i], err)); /* first: they say which layouts matter */
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        candidates(p, &p->layers[i]);
    }
    return NM_OK;
}
