/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of every value for these inputs, the nodes that still have to run, and segments of images.
 */
#include "lib/plan/planner.h"

#include "lib/base/checked.h"
#include "lib/base/hash.h"

#include <string.h>

static nm_status propagate(struct nmi_planner *p, nm_error *err)
{
    const struct nmi_graph *g = p->graph;
    p->facts = nmi_arena_array(&p->plan->meta, (size_t)g->n_values, sizeof *p->facts);
    if (p->facts == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_values * sizeof *p->facts, "planning");
    }
    for (int32_t i = 0; i < g->n_values; i++) {
        p->facts[i].rank = -1;
    }
    for (int32_t i = 0; i < g->n_inputs; i++) {
        struct nmi_fact *f = &p->facts[g->inputs[i]];
        f->type = p->inputs[i].type;
        f->rank = p->inputs[i].rank;
        memcpy(f->dims, p->inputs[i].dims, sizeof f->dims);
        f->data = p->inputs[i].data;
    }
    struct nmi_budget budget = {p->options->work_limit, p->options->folded_limit};
    /* Results live in the plan: steps read folded values as constants. */
    return nmi_propagate(g, p->facts, &budget, &p->plan->meta, err);
}

/* Marks the nodes whose outputs are wanted and not known; returns how many. */
static int32_t mark_live(const struct nmi_planner *p, bool *wanted, bool *live)
{
    const struct nmi_graph *g = p->graph;
    int32_t n = 0;
    for (int32_t i = 0; i < g->n_outputs; i++) {
        wanted[g->outputs[i]] = true;
    }
    for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
        const struct nmi_node *node = &g->nodes[i];
        for (int32_t k = 0; k < node->n_outputs; k++) {
            const int32_t v = node->outputs[k];
            live[i] |= v != NMI_NONE && wanted[v] && p->facts[v].data == NULL;
        }
        for (int32_t k = 0; live[i] && k < node->n_inputs; k++) {
            if (node->inputs[k] != NMI_NONE) {
                wanted[node->inputs[k]] = true;
            }
        }
        n += live[i];
    }
    return n;
}

static nm_status make_layers(struct nmi_planner *p, nm_error *err)
{
    const struct nmi_graph *g = p->graph;
    bool *wanted = nmi_arena_array(&p->arena, (size_t)g->n_values + 1, 1);
    bool *live = nmi_arena_array(&p->arena, (size_t)g->n_nodes + 1, 1);
    p->values = nmi_arena_array(&p->arena, (size_t)g->n_values + 1, sizeof *p->values);
    if (wanted == NULL || live == NULL || p->values == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_values * sizeof *p->values, "planning");
    }
    const int32_t n = mark_live(p, wanted, live);
    p->layers = nmi_arena_array(&p->arena, (size_t)n + 1, sizeof *p->layers);
    if (p->layers == NULL) {
        return nmi_fail_memory(err, (size_t)n * sizeof *p->layers, "planning");
    }
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const uint16_t op = g->nodes[i].op;
        if (live[i] && (op == NMI_OP_ConstantOfShape || op == NMI_OP_Constant)) {
            return nmi_fail(err, NM_ELIMIT,
                            "node %s (%s): its constant is beyond the limit folded_bytes (%zu "
                            "bytes): raise nm_limits.folded_bytes",
                            g->nodes[i].name, nmi_ops[op]->name, p->options->folded_limit);
        }
        if (live[i]) {
            struct nmi_layer *layer = &p->layers[p->n_layers++];
            layer->node = &g->nodes[i];
            layer->op = nmi_ops[g->nodes[i].op];
            layer->kind = NMI_KIND_NONE;
        }
    }
    return NM_OK;
}

static bool is_image(const struct nmi_fact *f)
{
    bool fits = f->type == NM_F32 && (f->rank == 4 || f->rank == 3);
    for (int32_t i = 0; fits && i < f->rank; i++) {
        fits = f->dims[i] > 0 && f->dims[i] <= INT32_MAX;
    }
    return fits;
}

static void value_states(struct nmi_planner *p)
{
    const struct nmi_graph *g = p->graph;
    for (int32_t i = 0; i < g->n_values; i++) {
        struct nmi_value_state *v = &p->values[i];
        v->producer = v->output = v->last_use = NMI_NONE;
        v->image = is_image(&p->facts[i]);
        for (int k = 0; k < NMI_LAYOUTS * NMI_LAYOUTS; k++) {
            v->convert[k] = -1;
        }
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_node *node = p->layers[i].node;
        for (int32_t k = 0; k < node->n_inputs; k++) {
            if (node->inputs[k] != NMI_NONE) {
                p->values[node->inputs[k]].last_use = i;
            }
        }
        for (int32_t k = 0; k < node->n_outputs; k++) {
            if (node->outputs[k] != NMI_NONE) {
                p->values[node->outputs[k]].producer = i;
            }
        }
    }
    for (int32_t i = g->n_outputs - 1; i >= 0; i--) {
        p->values[g->outputs[i]].output = i;
        p->values[g->outputs[i]].last_use = INT32_MAX;
    }
}

/* ---- batches ----------------------------------------------------------------------------------
 */

static bool batch_first(const struct nmi_planner *p, int32_t value)
{
    const struct nmi_fact *f = &p->facts[value];
    return f->rank >= 1 && f->dims[0] == p->batch;
}

static const int64_t *known_ints(const struct nmi_planner *p, const struct nmi_node *node,
                                 int32_t i, int64_t *n)
{
    if (i >= node->n_inputs || node->inputs[i] == NMI_NONE) {
        return NULL;
    }
    const struct nmi_fact *f = &p->facts[node->inputs[i]];
    *n = f->rank == 1 ? f->dims[0] : 1;
    return f->type == NM_I64 ? f->data : NULL;
}

/* Slice with known bounds that leaves dim 0 alone. */
static bool slice_batched(const struct nmi_planner *p, const struct nmi_node *node)
{
    int64_t n = 0;
    const int64_t *axes = known_ints(p, node, 3, &n);
    const int64_t rank = p->facts[node->inputs[0]].rank;
    for (int64_t i = 0; axes != NULL && i < n; i++) {
        if (axes[i] == 0 || axes[i] == -rank) {
            return false;
        }
    }
    return axes != NULL;
}

/* Pad with known pads and none on dim 0 (all axes given). */
static bool pad_batched(const struct nmi_planner *p, const struct nmi_node *node)
{
    int64_t n = 0;
    const struct nmi_pad_attrs *attrs = node->attrs;
    const int64_t *pads = known_ints(p, node, 1, &n);
    if (node->n_inputs > 3) {
        return false;
    }
    if (node->opset < 11) {
        pads = attrs->pads.v;
        n = attrs->pads.n;
    }
    return pads != NULL && n >= 2 && pads[0] == 0 && pads[n / 2] == 0;
}

int64_t nmi_concat_axis(const struct nmi_planner *p, const struct nmi_node *node)
{
    const int64_t axis = ((const struct nmi_axis_attrs *)node->attrs)->axis;
    return axis < 0 ? axis + p->facts[node->outputs[0]].rank : axis;
}

static bool op_batched(const struct nmi_planner *p, const struct nmi_node *node)
{
    const uint32_t flags = nmi_ops[node->op]->flags;
    if (flags & (NMI_OP_BATCHED | NMI_OP_ELEMENTWISE | NMI_OP_ALIAS)) {
        return true;
    }
    switch (node->op) {
    case NMI_OP_Concat:
        return nmi_concat_axis(p, node) > 0;
    case NMI_OP_Slice:
        return slice_batched(p, node);
    case NMI_OP_Pad:
        return pad_batched(p, node);
    default:
        return (flags & NMI_OP_BROADCAST) != 0;
    }
}

/* Operands that all images share: known values that broadcast along dim 0. */
static bool shared_operand(const struct nmi_planner *p, int32_t value, int32_t rank)
{
    const struct nmi_fact *f = &p->facts[value];
    return f->data != NULL && (f->rank < rank || f->dims[0] == 1);
}

/* True when running image by image gives what running the batch gives. */
static bool layer_batched(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    const struct nmi_node *node = layer->node;
    /* MaxPool's second output counts elements of the whole batch. */
    const bool indices = node->op == NMI_OP_MaxPool && node->n_outputs > 1;
    if (node->n_outputs < 1 || indices || !op_batched(p, node)) {
        return false;
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] != NMI_NONE && !batch_first(p, node->outputs[i])) {
            return false;
        }
    }
    const int32_t rank = p->facts[node->outputs[0]].rank;
    const bool broadcast = (layer->op->flags & NMI_OP_BROADCAST) != 0;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const int32_t v = node->inputs[i];
        if (v == NMI_NONE) {
            continue;
        }
        const bool batched = p->facts[v].data == NULL && batch_first(p, v) &&
                             (!broadcast || p->facts[v].rank == rank);
        const bool shared = broadcast ? shared_operand(p, v, rank) : i > 0 && p->facts[v].data;
        if (!batched && !shared) {
            return false;
        }
    }
    return true;
}

static int64_t find_batch(const struct nmi_planner *p)
{
    int64_t batch = 0;
    for (int32_t i = 0; i < p->graph->n_inputs; i++) {
        const struct nmi_tensor *t = &p->inputs[i];
        if (t->data == NULL && t->rank >= 2) {
            if (batch != 0 && batch != t->dims[0]) {
                return 1;
            }
            batch = t->dims[0];
        }
    }
    return batch > 0 ? batch : 1;
}

/* The first layer of those at the end whose maps are all small; n_layers when there are none. */
static int32_t late_layers(const struct nmi_planner *p)
{
    int32_t first = p->n_layers;
    for (int32_t i = p->n_layers - 1; i >= 0 && p->late_area > 0; i--) {
        const int32_t v = p->layers[i].node->outputs[0];
        const struct nmi_fact *f = &p->facts[v];
        if (p->values[v].image && f->rank == 4 && f->dims[2] * f->dims[3] > p->late_area) {
            break;
        }
        first = i;
    }
    return first;
}

/* The most images at a time that divide the batch and leave each thread a pass. */
static int32_t late_chunk(const struct nmi_planner *p)
{
    int32_t chunk = nmi_isa_lanes(p->options->isa);
    while (chunk > 1 && (p->batch % chunk != 0 || p->batch / chunk < p->options->threads)) {
        chunk--;
    }
    return chunk < 1 ? 1 : chunk;
}

/* Runs of batched layers become segments of several passes; all other layers share segments of one.
 */
static nm_status make_segments(struct nmi_planner *p, nm_error *err)
{
    p->batch = find_batch(p);
    const int32_t late = late_layers(p), some = late_chunk(p);
    p->segment_passes = nmi_arena_array(&p->arena, (size_t)p->n_layers + 1, sizeof(int32_t));
    if (p->segment_passes == NULL) {
        return nmi_fail_memory(err, (size_t)p->n_layers * sizeof(int32_t), "planning");
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        struct nmi_layer *layer = &p->layers[i];
        const int32_t chunk = i >= late ? some : 1;
        layer->batched = p->batch > 1 && p->batch <= INT32_MAX && layer_batched(p, layer);
        if (i == 0 || i == late || layer->batched != p->layers[i - 1].batched) {
            p->segment_passes[p->n_segments++] = layer->batched ? (int32_t)p->batch / chunk : 1;
        }
        layer->segment = p->n_segments - 1;
    }
    return NM_OK;
}

static void mark_crossing(struct nmi_planner *p)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_layer *layer = &p->layers[i];
        for (int32_t k = 0; k < layer->node->n_inputs; k++) {
            const int32_t v = layer->node->inputs[k];
            if (v != NMI_NONE && p->values[v].producer != NMI_NONE) {
                p->values[v].crosses |= p->layers[p->values[v].producer].segment != layer->segment;
            }
        }
    }
}

nm_status nmi_plan_layers(struct nmi_planner *p, nm_error *err)
{
    NMI_TRY(propagate(p, err));
    NMI_TRY(make_layers(p, err));
    NMI_TRY(nmi_plan_order(p, err));
    value_states(p);
    NMI_TRY(make_segments(p, err));
    mark_crossing(p);
    return NM_OK;
}

static int64_t pass_images(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    return layer->batched ? p->batch / p->segment_passes[layer->segment] : 1;
}

int32_t nmi_layer_ipv(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    const int32_t most = nmi_isa_lanes(p->options->isa);
    int32_t ipv = 1;
    while (ipv < most && ipv < pass_images(p, layer)) {
        ipv *= 2;
    }
    return ipv;
}

struct nmi_tensor nmi_layer_tensor(const struct nmi_planner *p, const struct nmi_layer *layer,
                                   int32_t value)
{
    const struct nmi_fact *f = &p->facts[value];
    struct nmi_tensor t = {.type = f->type, .rank = f->rank};
    memcpy(t.dims, f->dims, sizeof t.dims);
    memcpy(&t.data, &f->data, sizeof t.data); /* drops const: evaluation only reads inputs */
    if (layer->batched && f->data == NULL) {
        t.dims[0] = pass_images(p, layer);
    }
    return t;
}

struct nmi_image nmi_tensor_image(const struct nmi_tensor *t)
{
    const int64_t h = t->rank == 4 ? t->dims[2] : 1;
    return (struct nmi_image){.n = (int32_t)t->dims[0],
                              .c = (int32_t)t->dims[1],
                              .h = (int32_t)h,
                              .w = (int32_t)t->dims[t->rank - 1]};
}

int32_t nmi_layer_threads(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    const int32_t passes = p->segment_passes[layer->segment];
    return passes > 1 && passes >= p->options->threads ? 1 : p->options->threads;
}

int32_t nmi_layer_turns(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    const int32_t passes = p->segment_passes[layer->segment], threads = p->options->threads;
    return passes > 1 && passes >= threads ? passes / threads + (passes % threads != 0) : passes;
}
