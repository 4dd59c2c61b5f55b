/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution and its transpose on oneDNN. Weights are given plain and packed to the format that
 * oneDNN asks for; bias, residual (as "sum": y holds it before the run) and activation are fused.
 * The sum costs 1 to 4 % of a layer; a binary add as post-op would read the same bytes, and needs
 * one more argument. x and y in different layouts only have the reference implementation (refused),
 * but for a few plain input channels.
 */
#include "kernels/dnnl/dnnl_object.h"
#include <stdio.h>

dnnl_format_tag_t nmi_dnnl_tag(uint8_t layout_kind)
{
    switch (layout_kind) {
    case NMI_PLAIN:
        return dnnl_nchw;
    case NMI_NHWC:
    case NMI_NHWC_BF16:
        return dnnl_nhwc;
    case NMI_BLOCK8:
        return dnnl_nChw8c;
    case NMI_BLOCK16:
    case NMI_BLOCK16_BF16:
        return dnnl_nChw16c;
    default:
        return dnnl_format_tag_undef;
    }
}

static dnnl_data_type_t element(uint8_t layout_kind)
{
    return nmi_layout_bf16(layout_kind) ? dnnl_bf16 : dnnl_f32;
}

static dnnl_status_t image_md(const struct nmi_image *image, dnnl_format_tag_t tag,
                              struct nmi_md *out)
{
    dnnl_dims_t dims = {image->n, image->c, image->h, image->w};
    return nmi_md_tag(out, element(image->layout.kind), 4, dims, tag);
}

nm_status nmi_dnnl_image_md(struct nmi_dnnl *o, const struct nmi_image *image, struct nmi_md *out,
                            nm_error *err)
{
    dnnl_format_tag_t tag = nmi_dnnl_tag(image->layout.kind);
    if (tag == dnnl_format_tag_undef || image->n < 1 || image->c < 1 || image->h < 1 ||
        image->w < 1) {
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: images must not be empty nor in lanes",
                        o->what);
    }
    return nmi_dnnl_check(image_md(image, tag, out), o, "describe an image", err);
}

static void describe_in_words(struct nmi_dnnl *o, const char *name, const struct nmi_conv_desc *d)
{
    snprintf(o->what, sizeof o->what,
             "%s %dx%dx%dx%d (%s) to %dx%dx%dx%d (%s), kernel %dx%d, stride %dx%d, dilation %dx%d, "
             "pads %d %d %d %d, groups %d%s",
             name, d->x.n, d->x.c, d->x.h, d->x.w, nmi_layout_name(d->x.layout.kind), d->y.n,
             d->y.c, d->y.h, d->y.w, nmi_layout_name(d->y.layout.kind), d->kh, d->kw,
             d->stride_h, d->stride_w, d->dil_h, d->dil_w, d->pad[0], d->pad[1], d->pad[2],
             d->pad[3], d->groups, d->residual ? ", residual" : "");
}

/* What oneDNN does not check in words that we understand. */
static nm_status check_shape(const struct nmi_dnnl *o, const struct nmi_conv_desc *d, nm_error *err)
{
    bool sane = d->groups >= 1 && d->kh >= 1 && d->kw >= 1 && d->stride_h >= 1 &&
                d->stride_w >= 1 && d->dil_h >= 1 && d->dil_w >= 1 && d->x.n == d->y.n &&
                d->x.c % d->groups == 0 && d->y.c % d->groups == 0;
    if (!sane) {
        return nmi_fail(err, NM_EINVAL, "oneDNN: %s: not a convolution", o->what);
    }
    if (d->pool.kh != 0) {
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: no pooling behind it", o->what);
    }
    return NM_OK;
}

/* Some window along one axis has no cell of the map under it. */
static bool idle_window(int64_t in, int64_t out, const int32_t kernel_stride_dil_pad[4])
{
    const int32_t *p = kernel_stride_dil_pad;
    for (int64_t i = 0; i < out; i++) {
        int64_t start = i * p[1] - p[3], k = 0;
        while (k < p[0] && (start + k * p[2] < 0 || start + k * p[2] >= in)) {
            k++;
        }
        if (k == p[0]) {
            return true;
        }
    }
    return false;
}

/* 2.6 crashes in the convolution over NHWC when a window lies in the pad alone and an activation
 * follows a sum (the code for such windows uses a table of constants that it did not load). */
static nm_status check_idle(const struct nmi_dnnl *o, const struct nmi_conv_desc *d, nm_error *err)
{
    const int32_t rows[4] = {d->kh, d->stride_h, d->dil_h, d->pad[0]};
    const int32_t cols[4] = {d->kw, d->stride_w, d->dil_w, d->pad[1]};
    if (d->residual && (idle_window(d->x.h, d->y.h, rows) || idle_window(d->x.w, d->y.w, cols))) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "oneDNN: %s: a residual and windows that lie in the pad alone", o->what);
    }
    return NM_OK;
}

/* The bias, the window and the descriptor of weights in any format. */
static dnnl_status_t fill_layer(struct nmi_layer *l, const struct nmi_conv_desc *d)
{
    dnnl_dims_t weights = {d->groups, d->y.c / d->groups, d->x.c / d->groups, d->kh, d->kw};
    dnnl_dims_t channels = {d->y.c};
    int skip = d->groups == 1 ? 1 : 0; /* a group of 1 in the shape costs implementations */
    l->stride[0] = d->stride_h;
    l->stride[1] = d->stride_w;
    l->dilate[0] = d->dil_h - 1;
    l->dilate[1] = d->dil_w - 1;
    l->pad_l[0] = d->pad[0];
    l->pad_l[1] = d->pad[1];
    l->pad_r[0] = d->pad[2];
    l->pad_r[1] = d->pad[3];
    dnnl_status_t s = nmi_md_tag(&l->weights, element(d->x.layout.kind), 5 - skip, weights + skip,
                                 dnnl_format_tag_any);
    if (s == dnnl_success && d->bias) {
        s = nmi_md_tag(&l->bias, dnnl_f32, 1, channels, dnnl_x);
    }
    return s;
}

/* The plain weights: [oc][ic/g][kh][kw], or [ic][oc/g][kh][kw] for the transpose. */
static dnnl_status_t fill_plain(struct nmi_md *plain, const struct nmi_conv_desc *d,
                                bool transposed)
{
    int64_t oc = d->y.c / d->groups, ic = d->x.c / d->groups, k = (int64_t)d->kh * d->kw;
    dnnl_dims_t dims = {d->groups, oc, ic, d->kh, d->kw};
    dnnl_dims_t forward = {oc * ic * k, ic * k, k, d->kw, 1};
    dnnl_dims_t backward = {oc * ic * k, k, oc * k, d->kw, 1};
    int skip = d->groups == 1 ? 1 : 0;
    return nmi_md_strides(plain, dnnl_f32, 5 - skip, dims + skip,
                          (transposed ? backward : forward) + skip);
}

/* ---- convolution ----------------------------------------------------------------------------- */

/*
 * Winograd is an AVX-512 implementation of 2.x for 3x3, stride 1, that takes half the time; 3.x has
 * none on x86-64 and says unimplemented. Its error stays below 5e-6 of max |y| (up to 128 channels,
 * 28x28, both of 2.6's sizes).
 */
static nm_status start_conv(struct nmi_dnnl *o, struct nmi_layer *l, const struct nmi_conv_desc *d,
                            enum nmi_dnnl_algo algo, nm_error *err)
{
    describe_in_words(o, algo == NMI_DNNL_WINOGRAD ? "Winograd convolution" : "convolution", d);
    NMI_TRY(check_shape(o, d, err));
    NMI_TRY(check_idle(o, d, err));
    l->kind = NMI_LAYER_CONV;
    l->alg = algo == NMI_DNNL_WINOGRAD ? dnnl_convolution_winograd : dnnl_convolution_direct;
    NMI_TRY(nmi_dnnl_check(fill_layer(l, d), o, "describe its weights", err));
    return nmi_dnnl_attr(o, l, d->act, d->residual, err);
}

nm_status nmi_dnnl_make_conv(struct nmi_dnnl *o, const struct nmi_conv_desc *d,
                             enum nmi_dnnl_algo algo, nm_error *err)
{
    struct nmi_layer l = {0};
    nm_status s = start_conv(o, &l, d, algo, err);
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->x, &l.src, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->y, &l.dst, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_check(fill_plain(&o->plain, d, false), o, "describe its weights", err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_describe(o, &l, err);
    }
    nmi_layer_free(&l);
    return s;
}

/* ---- the layouts that oneDNN likes ----------------------------------------------------------- */

/* The layout of the descriptor that a primitive chose; false when it is none of ours. */
static bool layout_of(const struct nmi_dnnl *o, const struct nmi_image *image, dnnl_query_t what,
                      uint8_t *kind)
{
    static const uint8_t order[] = {NMI_BLOCK16, NMI_BLOCK8, NMI_NHWC, NMI_PLAIN};
    struct nmi_md chosen = {0};
    bool found = false;
    if (nmi_md_query(&chosen, o->pd, what, 0) != dnnl_success) {
        return false;
    }
    for (size_t i = 0; i < NMI_COUNT(order) && !found; i++) {
        struct nmi_md ours = {0};
        if (image_md(image, nmi_dnnl_tag(order[i]), &ours) == dnnl_success) {
            found = nmi_md_equal(&chosen, &ours);
        }
        *kind = order[i];
        nmi_md_free(&ours);
    }
    nmi_md_free(&chosen);
    return found;
}

/* NM_OK, and o->pd, when oneDNN does it with x and y in these tags. */
static nm_status ask(struct nmi_dnnl *o, struct nmi_layer *l, const struct nmi_conv_desc *d,
                     const dnnl_format_tag_t tags[2], nm_error *err)
{
    nmi_md_free(&l->src);
    nmi_md_free(&l->dst);
    if (o->pd) {
        dnnl_primitive_desc_destroy(o->pd);
        o->pd = NULL;
    }
    NMI_TRY(nmi_dnnl_check(image_md(&d->x, tags[0], &l->src), o, "describe its input", err));
    NMI_TRY(nmi_dnnl_check(image_md(&d->y, tags[1], &l->dst), o, "describe its output", err));
    return nmi_dnnl_describe(o, l, err);
}

/*
 * oneDNN's own choice first: NHWC where it has AVX-512 (2.6 and 3.7 alike; BLOCK16 is as fast
 * within 5 % on a Zen 4 core), BLOCK16 for Winograd, BLOCK8 below (PLAIN for a first layer's x).
 * PLAIN is 1.2 to 2.5 times slower. The choice is tried by name too: with one channel PLAIN and
 * NHWC are equal to oneDNN's comparison and yet only one of them may have an implementation.
 */
static nm_status choose(struct nmi_dnnl *o, struct nmi_layer *l, const struct nmi_conv_desc *d,
                        uint8_t kinds[2], nm_error *err)
{
    static const dnnl_format_tag_t any[2] = {dnnl_format_tag_any, dnnl_format_tag_any};
    uint8_t tries[][2] = {{NMI_LANES, NMI_LANES},   {NMI_BLOCK16, NMI_BLOCK16},
                          {NMI_BLOCK8, NMI_BLOCK8}, {NMI_NHWC, NMI_NHWC},
                          {NMI_PLAIN, NMI_BLOCK16}, {NMI_PLAIN, NMI_BLOCK8},
                          {NMI_PLAIN, NMI_PLAIN}};
    NMI_TRY(ask(o, l, d, any, err));
    bool known = layout_of(o, &d->x, dnnl_query_src_md, &tries[0][0]) &&
                 layout_of(o, &d->y, dnnl_query_dst_md, &tries[0][1]);
    for (size_t i = known ? 0 : 1; i < NMI_COUNT(tries); i++) {
        dnnl_format_tag_t tags[2] = {nmi_dnnl_tag(tries[i][0]), nmi_dnnl_tag(tries[i][1])};
        if (ask(o, l, d, tags, NULL) == NM_OK) {
            kinds[0] = tries[i][0];
            kinds[1] = tries[i][1];
            return NM_OK;
        }
    }
    return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: wants a layout of its own", o->what);
}

nm_status nmi_dnnl_conv_layouts(const struct nmi_conv_desc *d, enum nmi_dnnl_algo algo,
                                uint8_t *x_kind, uint8_t *y_kind, nm_error *err)
{
    struct nmi_layer l = {0};
    struct nmi_dnnl *o = NULL;
    uint8_t kinds[2] = {0, 0};
    NMI_TRY(nmi_dnnl_new(&o, err));
    nm_status s = start_conv(o, &l, d, algo, err);
    if (s == NM_OK) {
        s = choose(o, &l, d, kinds, err);
    }
    if (s == NM_OK) {
        *x_kind = kinds[0];
        *y_kind = kinds[1];
    }
    nmi_layer_free(&l);
    nmi_dnnl_free(o);
    return s;
}

/* ---- deconvolution --------------------------------------------------------------------------- */

/* ONNX's output padding is a smaller right pad (it may be negative) to oneDNN. */
static dnnl_dim_t right_pad(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t left)
{
    return (in - 1) * stride + kernel - left - out;
}

nm_status nmi_dnnl_make_deconv(struct nmi_dnnl *o, const struct nmi_conv_desc *d,
                               enum nmi_dnnl_algo algo, nm_error *err)
{
    struct nmi_layer l = {.kind = NMI_LAYER_DECONV, .alg = dnnl_deconvolution_direct};
    describe_in_words(o, "deconvolution", d);
    if (algo != NMI_DNNL_DIRECT) {
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: only direct", o->what);
    }
    NMI_TRY(check_shape(o, d, err));
    nm_status s = nmi_dnnl_check(fill_layer(&l, d), o, "describe its weights", err);
    l.pad_r[0] =
        right_pad(d->x.h, d->y.h, (d->kh - (int64_t)1) * d->dil_h + 1, d->stride_h, d->pad[0]);
    l.pad_r[1] =
        right_pad(d->x.w, d->y.w, (d->kw - (int64_t)1) * d->dil_w + 1, d->stride_w, d->pad[1]);
    if (s == NM_OK) {
        s = nmi_dnnl_attr(o, &l, d->act, d->residual, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->x, &l.src, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->y, &l.dst, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_check(fill_plain(&o->plain, d, true), o, "describe its weights", err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_describe(o, &l, err);
    }
    nmi_layer_free(&l);
    return s;
}
