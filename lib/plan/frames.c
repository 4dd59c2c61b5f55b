/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grids and frames of values in LANES. Their sizes are settled before anything is timed, as if all that can
 * run in LANES did: a frame too many costs little, and kernels are timed on the layouts they will
 * get. What a frame is filled with is settled by the choices that were made.
 */
#include "lib/plan/planner.h"

static const struct nmi_impl lanes = {.in_kind = NMI_LANES, .out_kind = NMI_LANES};
static const struct nmi_impl halves = {.in_kind = NMI_LANES_F16, .out_kind = NMI_LANES_F16};

/* ---- grids ---------------------------------------------------------------------------------- */

static const struct nmi_grid *grid_of(const struct nmi_planner *p, int32_t vl, int32_t h, int32_t w,
                                      int32_t ipv)
{
    for (int32_t i = 0; i < p->n_grids; i++) {
        const struct nmi_grid *g = &p->grids[i];
        if (g->vl == vl && g->h == h && g->w == w && g->ipv == ipv) {
            return g;
        }
    }
    return NULL;
}

struct nmi_layout nmi_plan_lanes(const struct nmi_planner *p, uint8_t kind,
                                 const struct nmi_image *image, int32_t ipv,
                                 const int32_t halo[4])
{
    const int32_t vl = kind == NMI_LANES_F16 ? NMI_HALVES : nmi_isa_lanes(p->options->isa);
    const struct nmi_grid *g = grid_of(p, vl, image->h, image->w, ipv);
    return g != NULL ? nmi_layout_lanes(vl, image->h, image->w, g->gy, g->gx, halo)
                     : nmi_layout_best(vl, image->h, image->w, ipv, halo);
}

/* The grid that the output of a layer with strides has is the input's too, where that is as good:
 * as many vectors, of a width that tiles. A conversion less. */
static void follow_stride(struct nmi_planner *p, const struct nmi_layer *layer,
                          const struct nmi_impl *impl)
{
    static const int32_t none[4] = {0, 0, 0, 0};
    int32_t stride[2], halo[4];
    if (!nmi_layer_window(layer, impl, stride, halo) || stride[0] * stride[1] == 1) {
        return;
    }
    const int32_t ipv = nmi_layer_ipv(p, layer);
    const struct nmi_tensor t = nmi_layer_tensor(p, layer, layer->node->inputs[0]);
    const struct nmi_image x = nmi_tensor_image(&t);
    const struct nmi_layout y = nmi_plan_lanes(p, impl->out_kind, &layer->out_image, ipv, none);
    const struct nmi_layout want = nmi_layout_input(&y, stride[0], stride[1], none);
    const struct nmi_layout best = nmi_layout_best(y.vl, x.h, x.w, ipv, none);
    const struct nmi_layout same = nmi_layout_lanes(y.vl, x.h, x.w, y.gy, y.gx, none);
    if (grid_of(p, y.vl, x.h, x.w, ipv) == NULL && nmi_layout_same_lanes(&want, &same) &&
        (int64_t)same.sub_h * same.sub_w == (int64_t)best.sub_h * best.sub_w &&
        (same.sub_w % 4 == 0 || same.sub_w % 7 == 0)) {
        p->grids[p->n_grids++] = (struct nmi_grid){y.vl, x.h, x.w, ipv, y.gy, y.gx};
    }
}

/* ---- frames --------------------------------------------------------------------------------- */

static bool low_fill(const struct nmi_layer *layer)
{
    return layer->kind == NMI_KIND_POOL && !layer->desc.pool.average;
}

static bool raise(int32_t to[4], const int32_t from[4])
{
    bool raised = false;
    for (int i = 0; i < 4; i++) {
        raised |= from[i] > to[i];
        to[i] = from[i] > to[i] ? from[i] : to[i];
    }
    return raised;
}

/* Could this layer read and write LANES, as far as its kind goes? */
static bool lanes_possible(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    if (layer->kind == NMI_KIND_CONV) {
        return nmi_lanes_wanted(p, layer);
    }
    return layer->kind == NMI_KIND_POOL || layer->kind == NMI_KIND_ELTWISE ||
           layer->node->op == NMI_OP_Concat;
}

/* The same of LANES_F16. */
static bool halves_possible(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    return p->options->fp16 && lanes_possible(p, layer) && layer->kind == NMI_KIND_CONV &&
           nmi_enough_zeros(layer);
}

/* The frame that a window layer needs around its first input under an implementation, when the maker
 * of that input uses the same lanes; false when it needs none. */
static bool frame_needed(const struct nmi_planner *p, const struct nmi_layer *layer,
                         const struct nmi_impl *impl, int32_t halo[4])
{
    int32_t stride[2];
    if (!nmi_layer_window(layer, impl, stride, halo)) {
        return false;
    }
    const int32_t v = layer->node->inputs[0], maker = p->values[v].producer;
    if (maker == NMI_NONE || p->layers[maker].segment != layer->segment ||
        p->layers[maker].node->outputs[0] != v) {
        return false;
    }
    const struct nmi_layout want = nmi_impl_input(p, layer, impl, 0);
    const struct nmi_layout have = nmi_impl_output(
        p, &p->layers[maker], impl->in_kind == NMI_LANES_F16 ? &halves : &lanes);
    return (halo[0] | halo[1] | halo[2] | halo[3]) != 0 && nmi_layout_same_lanes(&have, &want);
}

/* Values that must lie alike: out 0 and all image operands of a flat operation; residuals. */
static bool unify(struct nmi_planner *p, const struct nmi_layer *layer)
{
    int32_t *y = p->values[layer->node->outputs[0]].halo;
    bool changed = false;
    const int32_t first = layer->kind == NMI_KIND_CONV ? 3 : layer->kind == NMI_KIND_POOL ? 4 : 0;
    for (int32_t k = first; k < layer->node->n_inputs; k++) {
        const int32_t v = layer->node->inputs[k];
        if (v != NMI_NONE && p->values[v].image && p->facts[v].data == NULL &&
            !nmi_operand_repeats(layer, k)) {
            changed |= raise(y, p->values[v].halo);
            changed |= raise(p->values[v].halo, y);
        }
    }
    return changed;
}

nm_status nmi_plan_frames(struct nmi_planner *p, nm_error *err)
{
    bool changed = true;
    p->grids = nmi_arena_array(&p->arena, 2 * (size_t)p->n_layers, sizeof *p->grids);
    if (p->grids == NULL) {
        return nmi_fail_memory(err, 2 * (size_t)p->n_layers * sizeof *p->grids, "a plan");
    }
    for (int32_t i = p->n_layers - 1; i >= 0; i--) { /* from the smallest maps on */
        if (lanes_possible(p, &p->layers[i])) {
            follow_stride(p, &p->layers[i], &lanes);
        }
        if (halves_possible(p, &p->layers[i])) {
            follow_stride(p, &p->layers[i], &halves);
        }
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_layer *layer = &p->layers[i];
        int32_t halo[4] = {0, 0, 0, 0};
        if ((lanes_possible(p, layer) && frame_needed(p, layer, &lanes, halo)) ||
            (halves_possible(p, layer) && frame_needed(p, layer, &halves, halo))) {
            raise(p->values[layer->node->inputs[0]].halo, halo);
        }
    }
    while (changed) { /* frames only grow: it ends */
        changed = false;
        for (int32_t i = 0; i < p->n_layers; i++) {
            changed |= lanes_possible(p, &p->layers[i]) && unify(p, &p->layers[i]);
        }
    }
    return NM_OK;
}

static bool nonnegative(const struct nmi_layer *layer)
{
    const struct nmi_act *act = NULL;
    if (layer->kind == NMI_KIND_CONV) {
        act = &layer->desc.conv.act;
    } else if (layer->kind == NMI_KIND_ELTWISE) {
        act = &layer->desc.eltwise.act;
    }
    return act != NULL && (act->kind == NMI_ACT_RELU || act->kind == NMI_ACT_SIGMOID ||
                           (act->kind == NMI_ACT_CLIP && act->alpha >= 0));
}

void nmi_plan_fills(struct nmi_planner *p)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_layer *layer = &p->layers[i];
        const struct nmi_impl *impl = &layer->impls[layer->choice];
        int32_t halo[4] = {0, 0, 0, 0};
        p->values[layer->node->outputs[0]].nonnegative = nonnegative(layer);
        if (nmi_in_lanes(impl->in_kind) && frame_needed(p, layer, impl, halo)) {
            struct nmi_value_state *x = &p->values[layer->node->inputs[0]];
            const struct nmi_layer *maker = &p->layers[x->producer];
            if (maker->impls[maker->choice].out_kind != impl->in_kind) {
                continue; /* its conversion fills the frame */
            }
            x->wants_low |= low_fill(layer);
            x->wants_zero |= !low_fill(layer);
        }
    }
}
