/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the layers: each as late as it may run, so that what it makes is still in the cache
 * when it is read (the convolution on a shortcut runs right before its sum is added). Built from
 * the end: a layer is placed once all its readers are, the newest candidate first.
 */
#include "lib/plan/planner.h"

#include <string.h>

struct ordering {
    int32_t *maker;   /* by value: layer, or NMI_NONE */
    int32_t *readers; /* by layer: operands that read it and are not placed yet */
    int32_t *ready;   /* a stack of layers */
    int32_t n_ready;
};

static void count_readers(const struct nmi_planner *p, struct ordering *o)
{
    for (int32_t v = 0; v < p->graph->n_values; v++) {
        o->maker[v] = NMI_NONE;
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_node *node = p->layers[i].node;
        for (int32_t k = 0; k < node->n_outputs; k++) {
            if (node->outputs[k] != NMI_NONE) {
                o->maker[node->outputs[k]] = i;
            }
        }
        for (int32_t k = 0; k < node->n_inputs; k++) {
            const int32_t v = node->inputs[k];
            if (v != NMI_NONE && o->maker[v] != NMI_NONE) {
                o->readers[o->maker[v]]++;
            }
        }
    }
}

nm_status nmi_plan_order(struct nmi_planner *p, nm_error *err)
{
    const size_t n = (size_t)p->n_layers;
    struct ordering o = {
        .maker = nmi_arena_array(&p->arena, (size_t)p->graph->n_values + 1, sizeof *o.maker),
        .readers = nmi_arena_array(&p->arena, n + 1, sizeof *o.readers),
        .ready = nmi_arena_array(&p->arena, n + 1, sizeof *o.ready)};
    struct nmi_layer *placed = nmi_arena_array(&p->arena, n + 1, sizeof *placed);
    if (o.maker == NULL || o.readers == NULL || o.ready == NULL || placed == NULL) {
        return nmi_fail_memory(err, n * sizeof *placed, "planning");
    }
    count_readers(p, &o);
    for (int32_t i = 0; i < p->n_layers; i++) {
        if (o.readers[i] == 0) {
            o.ready[o.n_ready++] = i;
        }
    }
    for (int32_t at = p->n_layers - 1; o.n_ready > 0; at--) {
        const struct nmi_layer *layer = &p->layers[o.ready[--o.n_ready]];
        placed[at] = *layer;
        for (int32_t k = 0; k < layer->node->n_inputs; k++) {
            const int32_t v = layer->node->inputs[k];
            if (v != NMI_NONE && o.maker[v] != NMI_NONE && --o.readers[o.maker[v]] == 0) {
                o.ready[o.n_ready++] = o.maker[v];
            }
        }
    }
    p->layers = placed;
    return NM_OK;
}
