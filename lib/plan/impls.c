/* SPDX-License-Identifier: Apache-2.0 */
/* What an implementation asks for: the layouts of its operands and the descriptor of its kernel. */
#include "lib/plan/planner.h"

#include <string.h>

static void window_halo(int32_t kh, int32_t kw, const int32_t pad[4], const int32_t s[4],
                        int32_t out[4])
{
    const int32_t below = (kh - 1) * s[2] - pad[0] - s[0] + 1;
    const int32_t right = (kw - 1) * s[3] - pad[1] - s[1] + 1;
    out[0] = pad[0];
    out[1] = pad[1];
    out[2] = below > pad[2] ? below : pad[2];
    out[3] = right > pad[3] ? right : pad[3];
}

struct nmi_layout nmi_impl_output(const struct nmi_planner *p, const struct nmi_layer *layer,
                                  const struct nmi_impl *impl)
{
    const int32_t value = layer->node->outputs[0];
    if (!nmi_in_lanes(impl->out_kind)) {
        return (struct nmi_layout){.kind = impl->out_kind};
    }
    const struct nmi_tensor t = nmi_layer_tensor(p, layer, value);
    const struct nmi_image y = nmi_tensor_image(&t);
    return nmi_plan_lanes(p, impl->out_kind, &y, nmi_layer_ipv(p, layer), p->values[value].halo);
}

/* Before a kernel is chosen: a dense depthwise layer has only ours, which makes the frame itself. */
static bool frames_itself(const struct nmi_layer *layer, const struct nmi_impl *impl)
{
    return impl->kernel != NULL ? impl->kernel->frames
                                : nmi_depthwise(layer) && !nmi_enough_zeros(layer);
}

bool nmi_layer_window(const struct nmi_layer *layer, const struct nmi_impl *impl, int32_t stride[2],
                      int32_t halo[4])
{
    if (layer->kind == NMI_KIND_CONV) {
        const struct nmi_conv_desc *d = &layer->desc.conv;
        const int32_t s[4] = {d->stride_h, d->stride_w, d->dil_h, d->dil_w};
        memcpy(stride, s, 2 * sizeof *s);
        if (frames_itself(layer, impl)) {
            memset(halo, 0, 4 * sizeof *halo);
        } else {
            window_halo(d->kh, d->kw, d->pad, s, halo);
        }
        return true;
    }
    if (layer->kind == NMI_KIND_POOL) {
        const struct nmi_pool_desc *d = &layer->desc.pool;
        const int32_t s[4] = {d->stride_h, d->stride_w, d->dil_h, d->dil_w};
        memcpy(stride, s, 2 * sizeof *s);
        window_halo(d->kh, d->kw, d->pad, s, halo);
        return true;
    }
    return false;
}

/* x, or the layout in which the value lies anyway when that has the same lanes and more frame. */
static struct nmi_layout with_frame(const struct nmi_planner *p, const struct nmi_layer *layer,
                                    int32_t value, const struct nmi_layout *x, int32_t halo[4])
{
    const struct nmi_tensor t = nmi_layer_tensor(p, layer, value);
    const struct nmi_image image = nmi_tensor_image(&t);
    const struct nmi_layout own =
        nmi_plan_lanes(p, x->kind, &image, nmi_layer_ipv(p, layer), p->values[value].halo);
    bool covers = nmi_layout_same_lanes(x, &own);
    for (int i = 0; i < 4; i++) {
        covers &= own.halo[i] >= halo[i];
    }
    return covers ? own : *x;
}

struct nmi_layout nmi_impl_input(const struct nmi_planner *p, const struct nmi_layer *layer,
                                 const struct nmi_impl *impl, int32_t k)
{
    int32_t stride[2], halo[4] = {0, 0, 0, 0};
    if (nmi_operand_repeats(layer, k)) { /* a map of one element in LANES would be mostly frame */
        return (struct nmi_layout){.kind = impl->in_kind == NMI_LANES ? NMI_PLAIN : impl->in_kind};
    }
    if (k > 0) {
        return nmi_impl_output(p, layer, impl); /* residuals and operands of flat operations */
    }
    if (!nmi_in_lanes(impl->in_kind)) {
        return (struct nmi_layout){.kind = impl->in_kind};
    }
    if (nmi_layer_window(layer, impl, stride, halo)) {
        const struct nmi_layout y = nmi_impl_output(p, layer, impl);
        const struct nmi_layout x = nmi_layout_input(&y, stride[0], stride[1], halo);
        return frames_itself(layer, impl)
                   ? x
                   : with_frame(p, layer, layer->node->inputs[0], &x, halo);
    }
    if (layer->kind == NMI_KIND_GPOOL) {
        const int32_t *frame = p->values[layer->node->inputs[0]].halo;
        return nmi_plan_lanes(p, impl->in_kind, &layer->desc.gpool.x, nmi_layer_ipv(p, layer), frame);
    }
    return nmi_impl_output(p, layer, impl);
}

int64_t nmi_impl_floats(const struct nmi_layer *layer, const struct nmi_layout *y)
{
    if (y->kind == NMI_PLAIN) {
        return layer->out_elems;
    }
    struct nmi_image image = layer->out_image;
    image.layout = *y;
    return (int64_t)((nmi_image_bytes(&image) - NMI_SLACK) / sizeof(float));
}

struct nmi_act nmi_layer_act(const struct nmi_layer *layer)
{
    return layer->kind == NMI_KIND_GEMM ? layer->desc.gemm.act : layer->desc.conv.act;
}

union nmi_desc nmi_act_desc(const struct nmi_layer *layer, const struct nmi_layout *y)
{
    return (union nmi_desc){.eltwise = {.op = NMI_ELT_COPY,
                                        .act = nmi_layer_act(layer),
                                        .count = nmi_impl_floats(layer, y)}};
}

/* Channel factors as they meet the floats of a in this layout. */
static void repeat_channels(struct nmi_eltwise_desc *d, const struct nmi_image *image,
                            const struct nmi_layout *y)
{
    d->repeat = (int64_t)image->h * image->w;
    d->period = y->kind == NMI_BLOCK16 ? 16 : y->kind == NMI_BLOCK8 ? 8 : image->c;
    if (y->kind == NMI_LANES) {
        d->period = 1;
        d->repeat = (int64_t)y->plane * y->vl;
    }
}

union nmi_desc nmi_impl_desc(const struct nmi_layer *layer, const struct nmi_impl *impl,
                             const struct nmi_layout *x, const struct nmi_layout *y)
{
    union nmi_desc d = layer->desc;
    switch (layer->kind) {
    case NMI_KIND_CONV:
    case NMI_KIND_DECONV:
        d.conv.x.layout = *x;
        if (layer->pool != NULL) {
            d.conv.y = layer->pool->out_image;
            nmi_conv_pool_of(&layer->pool->desc.pool, &d.conv.pool);
        }
        d.conv.y.layout = *y;
        d.conv.blocking = impl->blocking;
        d.conv.act.kind = impl->act_after ? NMI_ACT_NONE : d.conv.act.kind;
        break;
    case NMI_KIND_POOL:
        d.pool.x.layout = *x;
        d.pool.y.layout = *y;
        break;
    case NMI_KIND_GPOOL:
        d.gpool.x.layout = *x;
        if (impl->step == NMI_STEP_DNNL) { /* oneDNN knows it as a window of the whole map */
            const struct nmi_image *in = &layer->desc.gpool.x;
            d = (union nmi_desc){.pool = {.x = *in,
                                          .y = layer->out_image,
                                          .kh = in->h,
                                          .kw = in->w,
                                          .stride_h = 1,
                                          .stride_w = 1,
                                          .dil_h = 1,
                                          .dil_w = 1,
                                          .average = layer->desc.gpool.average}};
            d.pool.x.layout = *x;
            d.pool.y.layout = *y;
        }
        break;
    case NMI_KIND_GEMM:
        if (impl->kernel != NULL && impl->kernel->kind == NMI_KIND_FC) {
            const struct nmi_gemm_desc g = layer->desc.gemm;
            d = (union nmi_desc){.fc = {.n = (int32_t)g.m,
                                        .m = (int32_t)g.n,
                                        .k = (int32_t)g.k,
                                        .bias = g.bias_rank == 1,
                                        .act = g.act}};
        } else if (impl->act_after) {
            d.gemm.act.kind = NMI_ACT_NONE;
        }
        break;
    case NMI_KIND_ELTWISE:
        d.eltwise.count = nmi_impl_floats(layer, y);
        if (d.eltwise.period > 0 && y->kind != NMI_PLAIN) {
            repeat_channels(&d.eltwise, &layer->out_image, y);
        }
        break;
    default:
        break;
    }
    return d;
}
