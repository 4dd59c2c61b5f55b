/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers become offsets. Largest first, each at the lowest place that no buffer alive at the same
 * time takes. What one pass of a segment needs lies in a part of its own, once for each thread.
 */
#include "lib/plan/planner.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 64

struct slot {
    int32_t buffer;
    int32_t first, last;
    size_t bytes, offset;
};

static int32_t root(const struct nmi_planner *p, int32_t b)
{
    while (p->buffers[b].alias != NMI_NONE) {
        b = p->buffers[b].alias;
    }
    return b;
}

static int32_t passes_of(const struct nmi_planner *p, int32_t segment)
{
    return segment < p->n_segments ? p->segment_passes[segment] : 1;
}

static int32_t step_segment(const struct nmi_planner *p, int32_t step)
{
    const int32_t layer = p->steps[step].layer;
    return layer < p->n_layers ? p->layers[layer].segment : p->n_segments;
}

/* ---- segments of steps
 * -------------------------------------------------------------------------------- */

static nm_status make_segments(struct nmi_planner *p, nm_error *err)
{
    struct nmi_plan *plan = p->plan;
    plan->segments =
        nmi_arena_array(&plan->meta, (size_t)p->n_segments + 2, sizeof *plan->segments);
    plan->steps = nmi_arena_array(&plan->meta, (size_t)plan->n_steps + 1, sizeof *plan->steps);
    if (plan->segments == NULL || plan->steps == NULL) {
        return nmi_fail_memory(err, (size_t)plan->n_steps * sizeof *plan->steps, "planning");
    }
    int32_t current = -1;
    for (int32_t i = 0; i < plan->n_steps; i++) {
        if (step_segment(p, i) != current) {
            current = step_segment(p, i);
            const int32_t passes = passes_of(p, current);
            plan->segments[plan->n_segments++] = (struct nmi_segment){
                .first = i, .passes = passes, .parallel = passes > 1 && passes >= plan->threads};
        }
        plan->segments[plan->n_segments - 1].last = i + 1;
    }
    return NM_OK;
}

static const struct nmi_segment *segment_at(const struct nmi_plan *plan, int32_t step)
{
    const struct nmi_segment *s = plan->segments;
    while (step >= s->last) {
        s++;
    }
    return s;
}

/* ---- packing
 * -------------------------------------------------------------------------------------------- */

static int larger_first(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? 1 : -1;
    }
    return x->buffer - y->buffer;
}

static bool overlap(const struct slot *a, const struct slot *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset for slots[n] that is free of slots[0..n) alive with it. */
static size_t lowest(const struct slot *slots, int32_t n)
{
    size_t offset = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (int32_t i = 0; i < n; i++) {
            const struct slot *s = &slots[i];
            if (overlap(s, &slots[n]) && offset < s->offset + s->bytes &&
                s->offset < offset + slots[n].bytes) {
                offset = s->offset + s->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static size_t pack(struct nmi_planner *p, struct slot *slots, int32_t n)
{
    size_t total = 0;
    qsort(slots, (size_t)n, sizeof *slots, larger_first);
    for (int32_t i = 0; i < n; i++) {
        slots[i].offset = lowest(slots, i);
        p->buffers[slots[i].buffer].offset = slots[i].offset;
        const size_t end = slots[i].offset + slots[i].bytes;
        total = end > total ? end : total;
    }
    return total;
}

static bool is_local(const struct nmi_planner *p, const struct nmi_buffer *b)
{
    return b->local && passes_of(p, b->segment) > 1;
}

/* Lifetime and size; false when the size overflows or is over the limit. */
static bool make_slot(const struct nmi_planner *p, int32_t id, struct slot *slot)
{
    const struct nmi_buffer *b = &p->buffers[id];
    const int32_t last = b->last < p->plan->n_steps ? b->last : p->plan->n_steps - 1;
    *slot = (struct slot){.buffer = id, .first = b->first, .last = last};
    size_t bytes = b->bytes;
    if (!is_local(p, b)) {
        /* Segments of several passes go round and round: their memory lives from end to end. */
        const struct nmi_segment *s = segment_at(p->plan, b->first);
        slot->first = s->passes > 1 ? s->first : slot->first;
        s = segment_at(p->plan, last);
        slot->last = s->passes > 1 ? s->last - 1 : slot->last;
        if (!nmi_mul(bytes, (size_t)passes_of(p, b->segment), &bytes)) {
            return false;
        }
    }
    return nmi_add(bytes, NMI_SLACK, &bytes) && nmi_round_up(bytes, ALIGN, &slot->bytes) &&
           slot->bytes <= p->options->arena_limit;
}

/* Packs the buffers of one segment (local) or, with segment == NMI_NONE, the shared ones. */
static nm_status pack_group(struct nmi_planner *p, struct slot *slots, int32_t segment,
                            size_t *total, nm_error *err)
{
    int32_t n = 0;
    for (int32_t i = 0; i < p->n_buffers; i++) {
        const struct nmi_buffer *b = &p->buffers[i];
        const bool local = is_local(p, b);
        if (b->alias != NMI_NONE || local != (segment != NMI_NONE) ||
            (local && b->segment != segment)) {
            continue;
        }
        if (!make_slot(p, i, &slots[n++])) {
            return nmi_fail(
                err, NM_ELIMIT,
                "these inputs need a tensor beyond the limit session_bytes (%zu bytes): "
                "raise nm_limits.session_bytes or run smaller inputs",
                p->options->arena_limit);
        }
    }
    *total = pack(p, slots, n);
    return NM_OK;
}

static nm_status pack_all(struct nmi_planner *p, nm_error *err)
{
    struct nmi_plan *plan = p->plan;
    struct slot *slots = nmi_arena_array(&p->arena, (size_t)p->n_buffers + 1, sizeof *slots);
    if (slots == NULL) {
        return nmi_fail_memory(err, (size_t)p->n_buffers * sizeof *slots, "planning");
    }
    NMI_TRY(pack_group(p, slots, NMI_NONE, &plan->local_offset, err));
    for (int32_t s = 0; s < p->n_segments; s++) {
        size_t bytes = 0;
        NMI_TRY(pack_group(p, slots, s, &bytes, err));
        plan->local_stride = bytes > plan->local_stride ? bytes : plan->local_stride;
    }
    return NM_OK;
}

/* ---- references
 * ------------------------------------------------------------------------------------------ */

/* Bytes that a reference moves on from one pass of a segment to the next. */
static size_t pass_stride(const struct nmi_planner *p, const struct nmi_ref *ref, size_t passes)
{
    size_t bytes = 0;
    if (ref->base == NMI_BASE_OUTPUT) {
        return p->plan->outputs[ref->index].bytes / passes;
    }
    if (ref->base == NMI_BASE_INPUT) {
        const struct nmi_tensor *t = &p->inputs[ref->index];
        return nmi_tensor_bytes((int32_t)t->type, t->rank, t->dims, &bytes) ? bytes / passes : 0;
    }
    if (ref->base == NMI_BASE_BUFFER) {
        const struct nmi_buffer *b = &p->buffers[root(p, ref->index)];
        if (!is_local(p, b)) {
            return b->bytes * (size_t)passes_of(p, b->segment) / passes;
        }
    }
    return 0;
}

static void resolve(const struct nmi_planner *p, struct nmi_ref *ref, int32_t passes)
{
    ref->stride = passes > 1 ? pass_stride(p, ref, (size_t)passes) : 0;
    if (ref->base == NMI_BASE_BUFFER) {
        const struct nmi_buffer *b = &p->buffers[root(p, ref->index)];
        ref->base = is_local(p, b) ? NMI_BASE_LOCAL : NMI_BASE_ARENA;
        ref->offset += b->offset;
    }
}

static void resolve_all(struct nmi_planner *p)
{
    for (int32_t i = 0; i < p->plan->n_steps; i++) {
        struct nmi_step *step = &p->steps[i];
        const int32_t passes = segment_at(p->plan, i)->passes;
        for (int k = 0; k < NMI_REFS; k++) {
            resolve(p, &step->refs[k], passes);
        }
        for (int32_t k = 0; step->kind == NMI_STEP_EVAL && k < step->n_in + step->n_out; k++) {
            resolve(p, &step->tensor_refs[k], passes);
        }
        p->plan->steps[i] = *step;
    }
}

static nm_status allocate(struct nmi_planner *p, nm_error *err)
{
    struct nmi_plan *plan = p->plan;
    size_t locals = 0, bytes = 0;
    bool fits = nmi_mul(plan->local_stride, (size_t)plan->threads, &locals) &&
                nmi_add(plan->local_offset, locals, &plan->output_offset);
    bytes = plan->output_offset;
    for (int32_t i = 0; fits && i < plan->n_outputs; i++) {
        plan->outputs[i].offset = bytes;
        fits = nmi_add(bytes, plan->outputs[i].bytes, &bytes) && nmi_round_up(bytes, ALIGN, &bytes);
    }
    if (!fits || bytes > p->options->arena_limit) {
        return nmi_fail(
            err, NM_ELIMIT,
            "these inputs need %zu bytes of memory, the limit session_bytes is %zu: raise "
            "nm_limits.session_bytes or run smaller inputs",
            bytes, p->options->arena_limit);
    }
    plan->arena_bytes = bytes;
    plan->memory = nmi_alloc(bytes);
    if (plan->memory == NULL) {
        return nmi_fail_memory(err, bytes, "the session's arena");
    }
    return NM_OK;
}

nm_status nmi_plan_memory(struct nmi_planner *p, nm_error *err)
{
    NMI_TRY(make_segments(p, err));
    NMI_TRY(pack_all(p, err));
    resolve_all(p);
    return allocate(p, err);
}
