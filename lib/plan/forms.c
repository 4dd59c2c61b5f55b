/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value can exist in several layouts (forms). Consumers ask for one; what is missing is converted
 * once, by a step. Frames of LANES are filled right after the value is made.
 */
#include "lib/plan/planner.h"

#include <math.h>
#include <string.h>

static const struct nmi_layout plain_layout = {.kind = NMI_PLAIN};

/* ---- steps and buffers
 * --------------------------------------------------------------------------- */

struct nmi_step *nmi_new_step(struct nmi_planner *p, int32_t layer, enum nmi_step_kind kind)
{
    struct nmi_step *step = &p->steps[p->plan->n_steps++];
    *step = (struct nmi_step){
        .kind = (uint8_t)kind, .moves = kind == NMI_STEP_COPY, .parts = 1, .layer = layer};
    return step;
}

static int32_t segment_of(const struct nmi_planner *p, int32_t layer)
{
    return layer < p->n_layers ? p->layers[layer].segment : p->n_segments;
}

struct nmi_ref nmi_new_buffer(struct nmi_planner *p, int32_t layer, size_t bytes)
{
    const int32_t id = p->n_buffers++;
    p->buffers[id] = (struct nmi_buffer){.bytes = bytes,
                                         .first = p->plan->n_steps,
                                         .last = p->plan->n_steps,
                                         .alias = NMI_NONE,
                                         .segment = segment_of(p, layer),
                                         .local = true};
    return (struct nmi_ref){.base = NMI_BASE_BUFFER, .index = id};
}

void nmi_buffer_use(struct nmi_planner *p, const struct nmi_ref *ref)
{
    const int32_t step = p->plan->n_steps - 1;
    if (ref->base != NMI_BASE_BUFFER) {
        return;
    }
    for (int32_t b = ref->index; b != NMI_NONE; b = p->buffers[b].alias) {
        struct nmi_buffer *buffer = &p->buffers[b];
        buffer->first = step < buffer->first ? step : buffer->first;
        buffer->last = step > buffer->last ? step : buffer->last;
        buffer->local &= buffer->segment == segment_of(p, p->steps[step].layer);
    }
}

void nmi_step_use(struct nmi_planner *p, enum nmi_operand operand, struct nmi_ref ref)
{
    p->steps[p->plan->n_steps - 1].refs[operand] = ref;
    nmi_buffer_use(p, &ref);
}

nm_status nmi_kernel_scratch(struct nmi_planner *p, int32_t layer, struct nmi_step *step)
{
    const struct nmi_kernel *k = step->kernel;
    const int32_t threads = nmi_layer_threads(p, &p->layers[layer]);
    step->parts = k->parts(&step->desc, step->refs[NMI_REF_PACKED].ptr, threads);
    const size_t bytes = k->scratch_bytes != NULL ? k->scratch_bytes(&step->desc, step->parts) : 0;
    if (bytes > 0) {
        struct nmi_ref scratch = nmi_new_buffer(p, layer, bytes);
        nmi_step_use(p, NMI_REF_SCRATCH, scratch);
    }
    return NM_OK;
}

nm_status nmi_dnnl_objects(struct nmi_planner *p, struct nmi_step *step, int32_t kind,
                           enum nmi_dnnl_algo algo, nm_error *err)
{
    const struct nmi_layer *layer = &p->layers[step->layer];
    const int32_t threads = nmi_layer_threads(p, layer);
    const int32_t copies = threads == 1 ? p->options->threads : 1;
    step->dnnl = nmi_arena_array(&p->plan->meta, (size_t)copies, sizeof(void *));
    if (step->dnnl == NULL) {
        return nmi_fail_memory(err, (size_t)copies * sizeof(void *), "planning");
    }
    step->n_objects = copies;
    for (int32_t i = 0; i < copies; i++) {
        NMI_TRY(nmi_plan_dnnl(kind, &step->desc, algo, threads, &step->dnnl[i], err));
    }
    const size_t scratch = nmi_dnnl_scratch_bytes(step->dnnl[0]);
    if (scratch > 0) {
        nmi_step_use(p, NMI_REF_SCRATCH, nmi_new_buffer(p, step->layer, scratch));
    }
    return NM_OK;
}

/* ---- forms
 * ----------------------------------------------------------------------------------------- */

static bool halo_covers(const struct nmi_layout *have, const struct nmi_layout *want)
{
    return have->halo[0] >= want->halo[0] && have->halo[1] >= want->halo[1] &&
           have->halo[2] >= want->halo[2] && have->halo[3] >= want->halo[3];
}

static bool any_halo(const int32_t halo[4])
{
    return (halo[0] | halo[1] | halo[2] | halo[3]) != 0;
}

static bool serves(const struct nmi_image *image, const struct nmi_form *form, bool nonneg,
                   const struct nmi_want *want)
{
    if (!nmi_in_lanes(form->layout.kind) || !nmi_in_lanes(want->layout.kind)) {
        return nmi_layout_equivalent(image, &form->layout, &want->layout);
    }
    if (want->exact) {
        return nmi_layout_same(&form->layout, &want->layout);
    }
    const bool fill = form->fill == want->fill || (nonneg && form->fill == 0 && want->fill < 0) ||
                      !any_halo(want->layout.halo);
    return fill && nmi_layout_same_lanes(&form->layout, &want->layout) &&
           halo_covers(&form->layout, &want->layout);
}

static nm_status convert_step(struct nmi_planner *p, int32_t layer,
                              const struct nmi_convert_desc *d, const struct nmi_ref *from,
                              const struct nmi_ref *to, nm_error *err)
{
    struct nmi_step *step = nmi_new_step(p, layer, NMI_STEP_DNNL);
    step->moves = true;
    step->desc.convert = *d;
    nmi_step_use(p, NMI_REF_X, *from);
    nmi_step_use(p, NMI_REF_Y, *to);
    if (!nmi_in_lanes(d->from.layout.kind) && !nmi_in_lanes(d->to.layout.kind)) {
        return nmi_dnnl_objects(p, step, NMI_KIND_CONVERT, NMI_DNNL_DIRECT, err);
    }
    step->kind = NMI_STEP_KERNEL;
    step->kernel = nmi_kernel_find(NMI_KIND_CONVERT, p->options->isa, &step->desc, NULL);
    if (step->kernel == NULL) {
        return nmi_fail(err, NM_EINTERNAL, "node %s: no kernel converts between its layouts",
                        p->layers[layer].node->name);
    }
    return nmi_kernel_scratch(p, layer, step);
}

static nm_status convert(struct nmi_planner *p, int32_t layer, int32_t value,
                         const struct nmi_form *from, struct nmi_form *to, nm_error *err)
{
    const struct nmi_tensor t = nmi_layer_tensor(p, &p->layers[layer], value);
    struct nmi_convert_desc d = {
        .from = nmi_tensor_image(&t), .to = nmi_tensor_image(&t), .fill = to->fill};
    d.from.layout = from->layout;
    d.to.layout = to->layout;
    to->ref = nmi_value_place(p, layer, value, &to->layout);
    return convert_step(p, layer, &d, &from->ref, &to->ref, err);
}

static nm_status keep_form(struct nmi_planner *p, int32_t value, const struct nmi_form *form,
                           nm_error *err)
{
    struct nmi_value_state *v = &p->values[value];
    if (v->n_forms == NMI_MAX_FORMS) {
        return nmi_fail(err, NM_EINTERNAL, "value %s is wanted in too many layouts",
                        p->graph->values[value].name);
    }
    v->forms[v->n_forms++] = *form;
    return NM_OK;
}

/* A form that serves; else false, and *source is the one to convert, or NULL. */
static bool find_form(const struct nmi_planner *p, int32_t layer, int32_t value,
                      const struct nmi_want *want, struct nmi_form *form,
                      const struct nmi_form **source)
{
    const struct nmi_value_state *v = &p->values[value];
    const struct nmi_tensor t = nmi_layer_tensor(p, &p->layers[layer], value);
    const struct nmi_image image = v->image ? nmi_tensor_image(&t) : (struct nmi_image){0};
    *source = NULL;
    for (int32_t i = 0; i < v->n_forms; i++) {
        const struct nmi_form *f = &v->forms[i];
        const bool here = f->segment == segment_of(p, layer) || f->layout.kind == NMI_PLAIN;
        if (here && *source == NULL) {
            *source = f;
        }
        if (here && serves(&image, f, v->nonnegative, want)) {
            *form = *f;
            return true;
        }
    }
    return false;
}

static nm_status make_form(struct nmi_planner *p, int32_t layer, int32_t value,
                           const struct nmi_want *want, const struct nmi_form *from,
                           struct nmi_form *form, nm_error *err)
{
    const struct nmi_form source = *from;
    *form = (struct nmi_form){
        .layout = want->layout, .fill = want->fill, .segment = segment_of(p, layer)};
    NMI_TRY(convert(p, layer, value, &source, form, err));
    return keep_form(p, value, form, err);
}

nm_status nmi_get_form(struct nmi_planner *p, int32_t layer, int32_t value,
                       const struct nmi_want *want, struct nmi_form *form, nm_error *err)
{
    const struct nmi_form *source;
    struct nmi_want between = {.layout = plain_layout};
    if (find_form(p, layer, value, want, form, &source)) {
        return NM_OK;
    }
    if (source == NULL) {
        return nmi_fail(err, NM_EINTERNAL, "value %s is read before it is made",
                        p->graph->values[value].name);
    }
    struct nmi_form from = *source;
    if (nmi_layout_via(&from.layout, &want->layout, &between.layout) &&
        !find_form(p, layer, value, &between, &from, &source)) {
        NMI_TRY(make_form(p, layer, value, &between, source, &from, err));
    }
    return make_form(p, layer, value, want, &from, form, err);
}

/* Elements of this layout stand in row-major order, as those of a 1x1 map do in most. */
static bool is_plain(const struct nmi_planner *p, int32_t layer, int32_t value,
                     const struct nmi_layout *layout)
{
    const struct nmi_tensor t = nmi_layer_tensor(p, &p->layers[layer], value);
    const struct nmi_image image = p->values[value].image ? nmi_tensor_image(&t)
                                                          : (struct nmi_image){0};
    return layout->kind == NMI_PLAIN ||
           (p->values[value].image && nmi_layout_equivalent(&image, layout, &plain_layout));
}

static nm_status fill_frame(struct nmi_planner *p, int32_t layer, int32_t value,
                            const struct nmi_form *form, nm_error *err)
{
    const struct nmi_tensor t = nmi_layer_tensor(p, &p->layers[layer], value);
    struct nmi_step *step = nmi_new_step(p, layer, NMI_STEP_KERNEL);
    step->moves = true;
    step->desc.halo = (struct nmi_halo_desc){.x = nmi_tensor_image(&t), .fill = form->fill};
    step->desc.halo.x.layout = form->layout;
    step->kernel = nmi_kernel_find(NMI_KIND_HALO, p->options->isa, &step->desc, NULL);
    if (step->kernel == NULL) {
        return nmi_fail(err, NM_EINTERNAL, "node %s: no kernel fills its frame",
                        p->layers[layer].node->name);
    }
    nmi_step_use(p, NMI_REF_X, form->ref);
    nmi_step_use(p, NMI_REF_Y, form->ref);
    return nmi_kernel_scratch(p, layer, step);
}

nm_status nmi_put_form(struct nmi_planner *p, int32_t layer, int32_t value,
                       const struct nmi_layout *layout, struct nmi_ref ref, nm_error *err)
{
    struct nmi_value_state *v = &p->values[value];
    struct nmi_form form = {.layout = is_plain(p, layer, value, layout) ? plain_layout : *layout,
                            .segment = segment_of(p, layer),
                            .ref = ref};
    if (nmi_in_lanes(layout->kind) && any_halo(layout->halo) && (v->wants_low || v->wants_zero)) {
        form.fill = v->wants_low && !v->wants_zero && !v->nonnegative ? -INFINITY : 0.0f;
        NMI_TRY(fill_frame(p, layer, value, &form, err));
    }
    NMI_TRY(keep_form(p, value, &form, err));
    if (v->crosses || v->output != NMI_NONE) {
        struct nmi_form plain;
        const struct nmi_want want = {.layout = plain_layout};
        NMI_TRY(nmi_get_form(p, layer, value, &want, &plain, err));
    }
    return NM_OK;
}

struct nmi_ref nmi_value_place(struct nmi_planner *p, int32_t layer, int32_t value,
                               const struct nmi_layout *layout)
{
    struct nmi_ref home;
    return nmi_home_place(p, value, layout, &home) ? home
                                                   : nmi_fresh_place(p, layer, value, layout);
}

struct nmi_ref nmi_fresh_place(struct nmi_planner *p, int32_t layer, int32_t value,
                               const struct nmi_layout *layout)
{
    const struct nmi_layer *l = &p->layers[layer];
    const struct nmi_tensor t = nmi_layer_tensor(p, l, value);
    if (is_plain(p, layer, value, layout) && p->values[value].output != NMI_NONE) {
        return (struct nmi_ref){.base = NMI_BASE_OUTPUT, .index = p->values[value].output};
    }
    size_t bytes = 0;
    if (layout->kind != NMI_PLAIN) {
        struct nmi_image image = nmi_tensor_image(&t);
        image.layout = *layout;
        bytes = nmi_image_bytes(&image);
        bytes -=
            bytes > 0 ? NMI_SLACK : 0; /* images lie side by side where a buffer holds several */
    } else if (!nmi_tensor_bytes((int32_t)t.type, t.rank, t.dims, &bytes)) {
        bytes = SIZE_MAX; /* memory.c refuses it */
    }
    return nmi_new_buffer(p, layer, bytes);
}
