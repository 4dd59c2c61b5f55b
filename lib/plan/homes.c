/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concat along the channels of one image: the channels of each input stand one after the other. So
 * an input may be made where it is wanted, in its part of the output (its home), and need not be
 * copied. Where a later Concat begins with the inputs of this one (dense blocks), the output of this
 * one is at home at the beginning of that one's.
 */
#include "lib/plan/planner.h"

#define ALIGN 64 /* bytes: of the parts */

static bool is_concat(const struct nmi_layer *layer)
{
    return layer->impls[layer->choice].step == NMI_IMPL_CONCAT;
}

static struct nmi_layout layout_of(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    return nmi_impl_output(p, layer, &layer->impls[layer->choice]);
}

/* Bytes of input k of a Concat in its layout. */
static size_t part_bytes(const struct nmi_planner *p, const struct nmi_layer *layer, int32_t k)
{
    const struct nmi_tensor t = nmi_layer_tensor(p, layer, layer->node->inputs[k]);
    struct nmi_image image = nmi_tensor_image(&t);
    image.layout = layout_of(p, layer);
    return nmi_image_bytes(&image) - NMI_SLACK;
}

/* Nobody but this segment sees the value, and what a Concat does to its part disturbs nobody: in
 * LANES it fills the frames anew. */
static bool may_live(const struct nmi_planner *p, int32_t value, int32_t concat)
{
    const struct nmi_value_state *v = &p->values[value];
    const struct nmi_layer *layer = &p->layers[concat];
    const bool lanes = nmi_in_lanes(layer->impls[layer->choice].out_kind);
    return v->home == NMI_NONE && v->producer != NMI_NONE && !v->crosses &&
           v->output == NMI_NONE && p->layers[v->producer].segment == layer->segment &&
           p->layers[v->producer].node->outputs[0] == value && (!lanes || v->last_use <= concat);
}

static void settle(struct nmi_planner *p, int32_t value, int32_t concat, size_t offset)
{
    if (offset % ALIGN == 0 && may_live(p, value, concat)) {
        p->values[value].home = concat;
        p->values[value].home_offset = offset;
    }
}

/* The inputs of a are those that b begins with, in the same layout. */
static bool begins_with(const struct nmi_planner *p, const struct nmi_layer *b,
                        const struct nmi_layer *a)
{
    const struct nmi_layout of_a = layout_of(p, a), of_b = layout_of(p, b);
    bool same = a->node->n_inputs < b->node->n_inputs && nmi_layout_same(&of_a, &of_b);
    for (int32_t k = 0; same && k < a->node->n_inputs; k++) {
        same = a->node->inputs[k] == b->node->inputs[k];
    }
    return same;
}

void nmi_plan_homes(struct nmi_planner *p)
{
    int32_t before = NMI_NONE; /* the Concat seen last */
    for (int32_t v = 0; v < p->graph->n_values; v++) {
        p->values[v].home = NMI_NONE;
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_layer *layer = &p->layers[i];
        if (!is_concat(layer)) {
            continue;
        }
        if (before != NMI_NONE && begins_with(p, layer, &p->layers[before])) {
            settle(p, p->layers[before].node->outputs[0], i, 0);
        }
        const struct nmi_value_state *y = &p->values[layer->node->outputs[0]];
        const bool outside = y->output != NMI_NONE && layout_of(p, layer).kind == NMI_PLAIN;
        size_t offset = 0;
        for (int32_t k = 0; k < layer->node->n_inputs && !outside; k++) {
            settle(p, layer->node->inputs[k], i, offset);
            offset += part_bytes(p, layer, k);
        }
        before = i;
    }
}

/* The Concat's output: made with the first of its inputs. */
static struct nmi_ref place_of(struct nmi_planner *p, int32_t concat)
{
    struct nmi_layer *layer = &p->layers[concat];
    if (layer->place.base == NMI_BASE_NONE) {
        const struct nmi_layout y = layout_of(p, layer);
        layer->place = nmi_fresh_place(p, concat, layer->node->outputs[0], &y);
        if (layer->place.base == NMI_BASE_BUFFER) {
            p->buffers[layer->place.index].shared = true;
        }
    }
    return layer->place;
}

/* The Concat whose output holds that of this one, at *offset; itself when it is at home nowhere. */
static int32_t outermost(const struct nmi_planner *p, int32_t concat, size_t *offset)
{
    for (;;) {
        const struct nmi_value_state *y = &p->values[p->layers[concat].node->outputs[0]];
        const struct nmi_layout own = layout_of(p, &p->layers[concat]);
        if (p->layers[concat].place.base != NMI_BASE_NONE || y->home == NMI_NONE) {
            return concat;
        }
        const struct nmi_layout its = layout_of(p, &p->layers[y->home]);
        if (!nmi_layout_same(&own, &its)) {
            return concat;
        }
        *offset += y->home_offset;
        concat = y->home;
    }
}

bool nmi_home_place(struct nmi_planner *p, int32_t value, const struct nmi_layout *layout,
                    struct nmi_ref *place)
{
    struct nmi_value_state *v = &p->values[value];
    const int32_t home = v->home;
    if (home == NMI_NONE) {
        return false;
    }
    const struct nmi_layout y = layout_of(p, &p->layers[home]);
    if (!nmi_layout_same(layout, &y)) {
        return false;
    }
    v->home = NMI_NONE; /* one form only */
    size_t offset = v->home_offset;
    *place = place_of(p, outermost(p, home, &offset));
    place->offset += offset;
    return true;
}

static bool same_place(const struct nmi_ref *a, const struct nmi_ref *b)
{
    return a->base == b->base && a->index == b->index && a->offset == b->offset;
}

nm_status nmi_emit_concat(struct nmi_planner *p, int32_t layer, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[layer];
    const struct nmi_layout y_layout = layout_of(p, l);
    size_t offset = 0;
    struct nmi_ref y = place_of(p, outermost(p, layer, &offset));
    y.offset += offset;
    p->values[l->node->outputs[0]].home = NMI_NONE;
    struct nmi_ref to = y;
    for (int32_t k = 0; k < l->node->n_inputs; k++) {
        struct nmi_form x;
        const size_t bytes = part_bytes(p, l, k);
        NMI_TRY(nmi_operand(p, layer, k, true, &x, err));
        p->values[l->node->inputs[k]].home = NMI_NONE;
        if (!same_place(&x.ref, &to)) {
            nmi_copy_step(p, layer, x.ref, to, bytes);
        }
        to.offset += bytes;
    }
    return nmi_put_form(p, layer, l->node->outputs[0], &y_layout, y, err);
}
