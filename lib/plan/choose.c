/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One implementation for each layer, so that times and conversions together are least. On a general
 * graph this is hard; on networks it is nearly a path. From several starting points (each layer's
 * own best; everything in LANES; nothing in LANES; bfloat16 and LANES_F16 alike) layers change
 * their mind one by one while that lowers the sum; the best end wins.
 */
#include "lib/plan/planner.h"

#include <string.h>

#define SWEEPS 8

struct chooser {
    struct nmi_planner *p;
    int32_t *start; /* consumers[start[v]..start[v + 1]): who reads value v */
    struct reader {
        int32_t layer, operand;
    } * consumers;
    int32_t *best;
    nm_error *err;
    nm_status status;
};

static bool image_operand(const struct nmi_planner *p, int32_t v)
{
    return v != NMI_NONE && p->values[v].image && p->facts[v].data == NULL;
}

static const struct nmi_impl *chosen(const struct nmi_layer *layer)
{
    return &layer->impls[layer->choice];
}

/* The layout in which v is made under today's choices. */
static struct nmi_layout produced(const struct nmi_planner *p, int32_t v)
{
    const int32_t i = p->values[v].producer;
    if (i == NMI_NONE || p->layers[i].node->outputs[0] != v) {
        return (struct nmi_layout){.kind = NMI_PLAIN};
    }
    return nmi_impl_output(p, &p->layers[i], chosen(&p->layers[i]));
}

bool nmi_layout_equivalent(const struct nmi_image *image, const struct nmi_layout *a,
                           const struct nmi_layout *b)
{
    if (nmi_in_lanes(a->kind) || nmi_in_lanes(b->kind)) {
        return a->kind == b->kind && nmi_layout_same(a, b);
    }
    return a->kind == b->kind ||
           (nmi_layout_bf16(a->kind) == nmi_layout_bf16(b->kind) && image->h * image->w == 1 &&
            image->c % nmi_layout_block(a->kind) == 0 && image->c % nmi_layout_block(b->kind) == 0);
}

bool nmi_layout_via(const struct nmi_layout *from, const struct nmi_layout *to,
                    struct nmi_layout *via)
{
    const bool there = nmi_in_lanes(from->kind) && nmi_layout_bf16(to->kind);
    const bool back = nmi_layout_bf16(from->kind) && nmi_in_lanes(to->kind);
    const uint8_t half = there ? to->kind : from->kind;
    *via = (struct nmi_layout){.kind = half == NMI_NHWC_BF16 ? NMI_NHWC : NMI_BLOCK16};
    return there || back;
}

/* Seconds to bring v from one layout to the other; frames are not looked at. */
static double edge(struct chooser *c, const struct nmi_layer *layer, int32_t v,
                   const struct nmi_layout *from, const struct nmi_layout *to)
{
    struct nmi_planner *p = c->p;
    double *memo = &p->values[v].convert[from->kind * NMI_LAYOUTS + to->kind];
    const struct nmi_tensor t = nmi_layer_tensor(p, layer, v);
    struct nmi_convert_desc d = {.from = nmi_tensor_image(&t), .to = nmi_tensor_image(&t)};
    if (nmi_layout_same_lanes(from, to) || nmi_layout_equivalent(&d.from, from, to)) {
        return 0;
    }
    if (*memo < 0 && c->status == NM_OK) {
        d.from.layout = *from;
        d.to.layout = *to;
        c->status = nmi_measure_convert(p, layer, &d, memo, c->err);
    }
    return *memo;
}

/* What reading operand k costs layer under impl. */
static double input_cost(struct chooser *c, const struct nmi_layer *layer,
                         const struct nmi_impl *impl, int32_t k)
{
    const int32_t v = layer->node->inputs[k];
    if (!image_operand(c->p, v)) {
        return 0;
    }
    const int32_t maker = c->p->values[v].producer;
    const bool border = maker != NMI_NONE && c->p->layers[maker].segment != layer->segment;
    const struct nmi_layout plain = {.kind = NMI_PLAIN};
    const struct nmi_layout from = border ? plain : produced(c->p, v);
    const struct nmi_layout to = nmi_impl_input(c->p, layer, impl, k);
    return edge(c, layer, v, &from, &to);
}

static double inputs_cost(struct chooser *c, const struct nmi_layer *layer,
                          const struct nmi_impl *impl)
{
    double sum = 0;
    for (int32_t k = 0; k < layer->node->n_inputs; k++) {
        sum += input_cost(c, layer, impl, k);
    }
    return sum;
}

/* What is to be paid for out 0 of a layer made by impl, by consumers and at borders. */
static double output_cost(struct chooser *c, int32_t index, const struct nmi_impl *impl)
{
    struct nmi_planner *p = c->p;
    struct nmi_layer *layer = &p->layers[index];
    const int32_t v = layer->node->outputs[0];
    const struct nmi_layout plain = {.kind = NMI_PLAIN};
    double sum = 0;
    if (!image_operand(p, v)) {
        return 0;
    }
    const struct nmi_layout from = nmi_impl_output(p, layer, impl);
    if (p->values[v].crosses || p->values[v].output != NMI_NONE) {
        sum += edge(c, layer, v, &from, &plain);
    }
    for (int32_t i = c->start[v]; i < c->start[v + 1]; i++) {
        const struct nmi_layer *reader = &p->layers[c->consumers[i].layer];
        if (reader->segment == layer->segment) {
            const struct nmi_layout to =
                nmi_impl_input(p, reader, chosen(reader), c->consumers[i].operand);
            sum += edge(c, layer, v, &from, &to);
        }
    }
    return sum;
}

static double total(struct chooser *c)
{
    double sum = 0;
    for (int32_t i = 0; i < c->p->n_layers; i++) {
        const struct nmi_layer *layer = &c->p->layers[i];
        double seconds = chosen(layer)->seconds + inputs_cost(c, layer, chosen(layer));
        const int32_t v = layer->node->outputs[0];
        if (image_operand(c->p, v) &&
            (c->p->values[v].crosses || c->p->values[v].output != NMI_NONE)) {
            const struct nmi_layout from = produced(c->p, v), plain = {.kind = NMI_PLAIN};
            seconds += edge(c, layer, v, &from, &plain);
        }
        sum += seconds * nmi_layer_turns(c->p, layer);
    }
    return sum;
}

static bool improve(struct chooser *c, int32_t index)
{
    struct nmi_layer *layer = &c->p->layers[index];
    const int32_t old = layer->choice;
    double best = 1e30;
    for (int32_t k = 0; k < layer->n_impls; k++) {
        const struct nmi_impl *impl = &layer->impls[k];
        if (impl->seconds >= best) {
            continue;
        }
        const double cost =
            impl->seconds + inputs_cost(c, layer, impl) + output_cost(c, index, impl);
        if (cost < best) {
            best = cost;
            layer->choice = k;
        }
    }
    return layer->choice != old;
}

static void descend(struct chooser *c)
{
    const int32_t n = c->p->n_layers;
    bool changed = true;
    for (int sweep = 0; sweep < SWEEPS && changed && c->status == NM_OK; sweep++) {
        changed = false;
        for (int32_t i = 0; i < n; i++) {
            changed |= improve(c, sweep % 2 ? n - 1 - i : i);
        }
    }
}

/* Start: 0 each layer's own best, 1 LANES wherever there are, 2 LANES nowhere, 3 bfloat16 wherever
 * there is, 4 bfloat16 nowhere, 5 and 6 LANES_F16 alike. */
enum { STARTS = 7 };

static bool start_differs(const struct nmi_planner *p, int start)
{
    const bool there[] = {p->any_sparse, p->options->bf16, p->any_sparse && p->options->fp16};
    return start == 0 || there[(start - 1) / 2];
}

/* The kind of layout that a start wants everywhere or nowhere. */
static bool start_about(int start, uint8_t kind)
{
    return start <= 2   ? kind == NMI_LANES
           : start <= 4 ? nmi_layout_bf16(kind)
                        : kind == NMI_LANES_F16;
}

static void begin(struct nmi_planner *p, int start)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        struct nmi_layer *layer = &p->layers[i];
        double best = 1e30;
        for (int32_t k = 0; k < layer->n_impls; k++) {
            const struct nmi_impl *impl = &layer->impls[k];
            const bool it = start_about(start, impl->in_kind);
            const double unwanted = start != 0 && it != (start % 2 == 1) ? 1e6 : 0;
            if (impl->seconds + unwanted < best) {
                best = impl->seconds + unwanted;
                layer->choice = k;
            }
        }
    }
}

static nm_status find_consumers(struct chooser *c)
{
    struct nmi_planner *p = c->p;
    const int32_t n = p->graph->n_values;
    int32_t edges = 0;
    c->start = nmi_arena_array(&p->arena, (size_t)n + 2, sizeof *c->start);
    c->best = nmi_arena_array(&p->arena, (size_t)p->n_layers + 1, sizeof *c->best);
    for (int32_t i = 0; i < p->n_layers; i++) {
        edges += p->layers[i].node->n_inputs;
    }
    c->consumers = nmi_arena_array(&p->arena, (size_t)edges + 1, sizeof *c->consumers);
    if (c->start == NULL || c->consumers == NULL || c->best == NULL) {
        return nmi_fail_memory(c->err, (size_t)(n + edges) * sizeof *c->start, "planning");
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < p->n_layers; i++) {
            for (int32_t k = 0; k < p->layers[i].node->n_inputs; k++) {
                const int32_t v = p->layers[i].node->inputs[k];
                if (v != NMI_NONE && pass == 0) {
                    c->start[v + 2]++;
                } else if (v != NMI_NONE) {
                    c->consumers[c->start[v + 1]++] = (struct reader){i, k};
                }
            }
        }
        for (int32_t v = 0; v < n && pass == 0; v++) {
            c->start[v + 1] += c->start[v];
        }
    }
    return NM_OK;
}

nm_status nmi_plan_choose(struct nmi_planner *p, nm_error *err)
{
    struct chooser c = {.p = p, .err = err};
    double least = 1e30;
    NMI_TRY(find_consumers(&c));
    for (int start = 0; start < STARTS; start++) {
        if (!start_differs(p, start)) {
            continue;
        }
        begin(p, start);
        descend(&c);
        const double sum = total(&c);
        if (sum < least) {
            least = sum;
            for (int32_t i = 0; i < p->n_layers; i++) {
                c.best[i] = p->layers[i].choice;
            }
        }
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        p->layers[i].choice = c.best[i];
    }
    p->plan->expected = least;
    return c.status;
}
