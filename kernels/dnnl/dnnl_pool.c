/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pooling and conversion of layouts on oneDNN.
 *
 * Max: NaN is passed over, as by nmi's own kernels; a window of -inf alone gives the lowest finite
 * float, not -inf. Averages agree with ONNX but for windows that reach beyond the pads when pads
 * are counted: oneDNN divides by the whole window there, so those are refused.
 */
#include "kernels/dnnl/dnnl_object.h"
#include <stdio.h>

/* The right (bottom) pad with which oneDNN finds `out` windows: ceil_mode may need more than d->pad
 * says. *over: some window reaches beyond the pad. */
static int64_t right_pad(int64_t in, int64_t out, int64_t stride, int64_t span,
                         const int32_t pad[2], bool *over)
{
    int64_t need = (out - 1) * stride + span - in - pad[0];
    *over = *over || need > pad[1];
    return need > pad[1] ? need : pad[1];
}

static nm_status fill_window(struct nmi_dnnl *o, struct nmi_layer *l, const struct nmi_pool_desc *d,
                             nm_error *err)
{
    const int32_t kernel[2] = {d->kh, d->kw}, stride[2] = {d->stride_h, d->stride_w};
    const int32_t dilation[2] = {d->dil_h, d->dil_w};
    const int32_t in[2] = {d->x.h, d->x.w}, out[2] = {d->y.h, d->y.w};
    bool over = false;
    for (int i = 0; i < 2; i++) {
        if (kernel[i] < 1 || stride[i] < 1 || dilation[i] < 1) {
            return nmi_fail(err, NM_EINVAL, "oneDNN: %s: not a pooling", o->what);
        }
        const int32_t pad[2] = {d->pad[i], d->pad[i + 2]};
        int64_t span = (int64_t)(kernel[i] - 1) * dilation[i] + 1;
        l->kernel[i] = kernel[i];
        l->stride[i] = stride[i];
        l->dilate[i] = dilation[i] - 1;
        l->pad_l[i] = pad[0];
        l->pad_r[i] = right_pad(in[i], out[i], stride[i], span, pad, &over);
        if (l->pad_l[i] >= span || l->pad_r[i] >= span) {
            return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: a window lies in the pad alone",
                            o->what);
        }
    }
    if (over && d->average && d->include_pad) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "oneDNN: %s: averages that count pads must not reach beyond them", o->what);
    }
    return NM_OK;
}

nm_status nmi_dnnl_make_pool(struct nmi_dnnl *o, const struct nmi_pool_desc *d, nm_error *err)
{
    struct nmi_layer l = {.kind = NMI_LAYER_POOL, .alg = dnnl_pooling_max};
    snprintf(
        o->what, sizeof o->what,
        "%s pooling %dx%dx%dx%d (%s) to %dx%d (%s), window %dx%d, stride %dx%d, pads %d %d %d %d",
        d->average ? "average" : "max", d->x.n, d->x.c, d->x.h, d->x.w,
        nmi_layout_name(d->x.layout.kind), d->y.h, d->y.w,
        nmi_layout_name(d->y.layout.kind), d->kh, d->kw, d->stride_h, d->stride_w, d->pad[0],
        d->pad[1], d->pad[2], d->pad[3]);
    if (d->average) {
        l.alg =
            d->include_pad ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding;
    }
    nm_status s = fill_window(o, &l, d, err);
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->x, &l.src, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->y, &l.dst, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_attr(o, &l, (struct nmi_act){NMI_ACT_NONE, 0, 0}, false, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_describe(o, &l, err);
    }
    nmi_layer_free(&l);
    return s;
}

nm_status nmi_dnnl_make_convert(struct nmi_dnnl *o, const struct nmi_convert_desc *d, nm_error *err)
{
    struct nmi_layer l = {.kind = NMI_LAYER_REORDER};
    snprintf(o->what, sizeof o->what, "conversion of %dx%dx%dx%d from %s to %s", d->from.n,
             d->from.c, d->from.h, d->from.w, nmi_layout_name(d->from.layout.kind),
             nmi_layout_name(d->to.layout.kind));
    nm_status s = nmi_dnnl_image_md(o, &d->from, &l.src, err);
    if (s == NM_OK) {
        s = nmi_dnnl_image_md(o, &d->to, &l.dst, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_attr(o, &l, (struct nmi_act){NMI_ACT_NONE, 0, 0}, false, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_describe(o, &l, err);
    }
    nmi_layer_free(&l);
    return s;
}
