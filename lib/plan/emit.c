/* SPDX-License-Identifier: Apache-2.0 */
/* Steps: each chosen implementation with its operands in the forms it wants. */
#include "lib/plan/planner.h"

#include "lib/base/hash.h"

#include <string.h>

static const struct nmi_layout plain_layout = {.kind = NMI_PLAIN};

static struct nmi_ref constant_ref(const void *data)
{
    return (struct nmi_ref){.base = NMI_BASE_CONST, .ptr = data};
}

static const struct nmi_impl *impl_of(const struct nmi_planner *p, int32_t layer)
{
    return &p->layers[layer].impls[p->layers[layer].choice];
}

nm_status nmi_operand(struct nmi_planner *p, int32_t layer, int32_t k, bool exact,
                      struct nmi_form *form, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[layer];
    const int32_t value = l->node->inputs[k];
    struct nmi_want want = {.layout = plain_layout, .exact = exact};
    if (p->facts[value].data != NULL) {
        *form =
            (struct nmi_form){.layout = plain_layout, .ref = constant_ref(p->facts[value].data)};
        return NM_OK;
    }
    if (p->values[value].image) {
        want.layout = nmi_impl_input(p, l, impl_of(p, layer), k);
        want.fill = l->kind == NMI_KIND_POOL && !l->desc.pool.average ? -__builtin_inff() : 0.0f;
    }
    NMI_TRY(nmi_get_form(p, layer, value, &want, form, err));
    if (!nmi_in_lanes(form->layout.kind)) {
        form->layout = want.layout; /* what serves has the elements at the same places */
    }
    return NM_OK;
}

/* ---- packed weights
 * -------------------------------------------------------------------------------- */

struct packing {
    const struct nmi_layer *layer;
    const struct nmi_kernel *kernel;
    const union nmi_desc *desc;
    const struct nmi_csr *csr;
    const struct nmi_dnnl *dnnl;
};

static nm_status pack_kernel(void *context, void *packed, nm_error *err)
{
    const struct packing *k = context;
    (void)err;
    if (k->kernel->pack_dense != NULL) {
        k->kernel->pack_dense(k->desc, k->layer->weight, k->layer->scale, packed);
    } else {
        k->kernel->pack(k->desc, k->csr, packed);
    }
    return NM_OK;
}

static void scale_weights(const struct nmi_layer *layer, float *to)
{
    nmi_conv_scale_weights(layer->weight, layer->scale, layer->csr.rows, layer->csr.cols, to);
}

static nm_status pack_plain(void *context, void *packed, nm_error *err)
{
    (void)err;
    scale_weights(((const struct packing *)context)->layer, packed);
    return NM_OK;
}

static nm_status pack_dnnl(void *context, void *packed, nm_error *err)
{
    const struct packing *k = context;
    const size_t bytes = (size_t)k->layer->weight_elems * sizeof(float);
    if (k->layer->scale == NULL) {
        return nmi_dnnl_pack(k->dnnl, k->layer->weight, packed, err);
    }
    float *scaled = nmi_alloc(bytes);
    if (scaled == NULL) {
        return nmi_fail_memory(err, bytes, "weights with their scales");
    }
    scale_weights(k->layer, scaled);
    nm_status status = nmi_dnnl_pack(k->dnnl, scaled, packed, err);
    nmi_free(scaled);
    return status;
}

static nm_status packed_kernel(struct nmi_planner *p, const struct nmi_layer *layer,
                               struct nmi_step *step, nm_error *err)
{
    struct nmi_csr csr;
    void *memory = NULL;
    struct packing k = {.layer = layer, .kernel = step->kernel, .desc = &step->desc, .csr = &csr};
    uint64_t key = nmi_hash(layer->weight_key, step->kernel->name, strlen(step->kernel->name));
    key = nmi_hash(key, &step->desc, sizeof step->desc);
    const bool dense = step->kernel->pack_dense != NULL;
    nm_status status = dense ? NM_OK : nmi_csr_build(&layer->csr, &csr, &memory, err);
    const void *packed = NULL;
    size_t bytes = 0;
    if (status == NM_OK) {
        bytes = dense ? step->kernel->dense_bytes(&step->desc)
                      : step->kernel->packed_bytes(&step->desc, &csr);
    }
    if (status == NM_OK && bytes == 0) {
        status = nmi_fail(err, NM_EINTERNAL, "node %s: its weights do not fit %s",
                          layer->node->name, step->kernel->name);
    }
    if (status == NM_OK) {
        status = nmi_weights_get(p->net->weights, key, bytes, pack_kernel, &k, &packed, err);
    }
    nmi_free(memory);
    step->weight_bytes = bytes;
    step->refs[NMI_REF_PACKED] = constant_ref(packed);
    return status;
}

/* ---- kinds of layers
 * --------------------------------------------------------------------------------- */

/* Weights in oneDNN's format; where it takes them as they are, only scales make a copy. */
static nm_status packed_dnnl(struct nmi_planner *p, const struct nmi_layer *layer,
                             struct nmi_step *step, nm_error *err)
{
    const void *packed = NULL;
    const uint64_t format = nmi_dnnl_pack_key(step->dnnl[0]);
    struct packing k = {.layer = layer, .dnnl = step->dnnl[0]};
    const size_t bytes = nmi_dnnl_packed_bytes(step->dnnl[0]);
    const uint64_t key = nmi_hash(layer->weight_key, &format, sizeof format);
    step->weight_bytes = bytes > 0 ? bytes : step->weight_bytes;
    if (layer->weight == NULL || (bytes == 0 && layer->scale == NULL)) {
        return NM_OK;
    }
    if (bytes == 0) {
        NMI_TRY(nmi_weights_get(p->net->weights, key, (size_t)layer->weight_elems * sizeof(float),
                                pack_plain, &k, &packed, err));
        step->refs[NMI_REF_W] = constant_ref(packed);
        return NM_OK;
    }
    NMI_TRY(nmi_weights_get(p->net->weights, key, bytes, pack_dnnl, &k, &packed, err));
    step->refs[NMI_REF_PACKED] = constant_ref(packed);
    return NM_OK;
}

void nmi_copy_step(struct nmi_planner *p, int32_t layer, struct nmi_ref from, struct nmi_ref to,
                   size_t bytes)
{
    struct nmi_step *step = nmi_new_step(p, layer, NMI_STEP_COPY);
    step->bytes = bytes;
    nmi_step_use(p, NMI_REF_X, from);
    nmi_step_use(p, NMI_REF_Y, to);
}

/* y may take over the residual's memory: nobody reads it later, nor as x now, and it is ours. */
static bool in_place(const struct nmi_planner *p, int32_t layer, int32_t residual,
                     const struct nmi_form *res, const struct nmi_ref *y)
{
    return res->ref.base == NMI_BASE_BUFFER && y->base == NMI_BASE_BUFFER &&
           residual != p->layers[layer].node->inputs[0] && p->values[residual].last_use == layer &&
           !p->values[residual].crosses && !p->buffers[res->ref.index].shared &&
           !p->buffers[y->index].shared &&
           res->segment == p->layers[layer].segment;
}

/* The residual operand, and y's place: the residual's own memory when nobody needs it afterwards.
 */
static nm_status residual(struct nmi_planner *p, int32_t layer, const struct nmi_layout *y_layout,
                          struct nmi_ref *y, struct nmi_form *res, nm_error *err)
{
    const int32_t value = p->layers[layer].node->inputs[3];
    NMI_TRY(nmi_operand(p, layer, 3, true, res, err));
    if (in_place(p, layer, value, res, y)) {
        p->buffers[y->index].alias = res->ref.index;
    } else if (impl_of(p, layer)->step == NMI_STEP_DNNL) { /* oneDNN's sum reads y */
        struct nmi_image image = p->layers[layer].out_image;
        image.layout = *y_layout;
        nmi_copy_step(p, layer, res->ref, *y, nmi_image_bytes(&image) - NMI_SLACK);
    }
    return NM_OK;
}

static bool has_residual(const struct nmi_layer *l)
{
    return l->kind == NMI_KIND_CONV && l->desc.conv.residual;
}

static nm_status act_step(struct nmi_planner *p, int32_t layer, const struct nmi_layout *y_layout,
                          struct nmi_ref y)
{
    struct nmi_step *step = nmi_new_step(p, layer, NMI_STEP_KERNEL);
    step->desc = nmi_act_desc(&p->layers[layer], y_layout);
    step->kernel = nmi_kernel_find(NMI_KIND_ELTWISE, p->options->isa, &step->desc, NULL);
    nmi_step_use(p, NMI_REF_X, y);
    nmi_step_use(p, NMI_REF_Y, y);
    return nmi_kernel_scratch(p, layer, step);
}

/* CONV, POOL, GPOOL, GEMM, DECONV, ELTWISE, NORM through a kernel of ours or oneDNN. */
static nm_status emit_compute(struct nmi_planner *p, int32_t layer, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[layer];
    const struct nmi_impl *impl = impl_of(p, layer);
    const struct nmi_layer *last = nmi_layer_last(l);
    const int32_t out = last->node->outputs[0];
    const bool flat = l->kind == NMI_KIND_ELTWISE;
    const bool second =
        l->node->n_inputs > 1 && (flat || (l->kind == NMI_KIND_GEMM && l->weight == NULL));
    struct nmi_form x, b = {.ref = {.base = NMI_BASE_NONE}};
    NMI_TRY(nmi_operand(p, layer, l->swapped, flat, &x, err));
    if (second) {
        NMI_TRY(nmi_operand(p, layer, !l->swapped, flat, &b, err));
    }
    const struct nmi_layout y_layout = nmi_impl_output(p, last, &last->impls[last->choice]);
    struct nmi_ref y = nmi_value_place(p, layer, out, &y_layout);
    if (has_residual(l)) {
        NMI_TRY(residual(p, layer, &y_layout, &y, &b, err));
    }
    struct nmi_step *step = nmi_new_step(p, layer, (enum nmi_step_kind)impl->step);
    step->kernel = impl->kernel;
    step->desc = nmi_impl_desc(l, impl, &x.layout, &y_layout);
    nmi_step_use(p, NMI_REF_X, x.ref);
    nmi_step_use(p, NMI_REF_Y, y);
    if (l->weight != NULL) {
        step->refs[NMI_REF_W] = constant_ref(l->weight);
        step->weight_bytes = (size_t)l->weight_elems * sizeof(float);
    }
    if (second || has_residual(l)) {
        nmi_step_use(p, l->kind == NMI_KIND_GEMM ? NMI_REF_W : NMI_REF_RES, b.ref);
    }
    if (l->bias != NULL) {
        step->refs[NMI_REF_BIAS] = constant_ref(l->bias);
    }
    if (impl->step == NMI_STEP_DNNL) {
        const int32_t kind = l->kind == NMI_KIND_GPOOL ? NMI_KIND_POOL : l->kind;
        NMI_TRY(nmi_dnnl_objects(p, step, kind, impl->algo, err));
        NMI_TRY(packed_dnnl(p, l, step, err));
    } else {
        if (nmi_impl_packs(impl)) {
            NMI_TRY(packed_kernel(p, l, step, err));
        }
        NMI_TRY(nmi_kernel_scratch(p, layer, step));
    }
    if (impl->act_after) {
        NMI_TRY(act_step(p, layer, &y_layout, y));
    }
    return nmi_put_form(p, layer, out, &y_layout, y, err);
}

static nm_status emit_alias(struct nmi_planner *p, int32_t layer, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[layer];
    struct nmi_form x;
    NMI_TRY(nmi_operand(p, layer, 0, false, &x, err));
    if (x.ref.base == NMI_BASE_BUFFER) {
        p->buffers[x.ref.index].shared = true;
    }
    struct nmi_value_state *v = &p->values[l->node->outputs[0]];
    v->forms[v->n_forms++] =
        (struct nmi_form){.layout = plain_layout, .segment = l->segment, .ref = x.ref};
    return NM_OK;
}

/* ---- evaluation
 * ---------------------------------------------------------------------------------------- */

static void flatten(struct nmi_tensor *t, const struct nmi_layer *l,
                    const struct nmi_layout *layout)
{
    if (layout->kind != NMI_PLAIN) {
        t->rank = 1;
        t->dims[0] = nmi_impl_floats(l, layout);
    }
}

static nm_status eval_scratch(struct nmi_planner *p, struct nmi_step *step, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[step->layer];
    const struct nmi_tensor **in = nmi_arena_array(&p->arena, (size_t)step->n_in + 1, sizeof *in);
    if (in == NULL) {
        return nmi_fail_memory(err, (size_t)step->n_in * sizeof *in, "planning");
    }
    for (int32_t k = 0; k < step->n_in; k++) {
        in[k] = step->tensors[k].type == NM_TYPE_NONE ? NULL : &step->tensors[k];
    }
    const struct nmi_eval e = {.attrs = l->node->attrs,
                               .opset = l->node->opset,
                               .in = in,
                               .n_in = step->n_in,
                               .out = step->tensors + step->n_in,
                               .n_out = step->n_out,
                               .name = l->node->name};
    const size_t bytes = l->op->scratch != NULL ? l->op->scratch(&e) : 0;
    if (bytes > 0) {
        nmi_step_use(p, NMI_REF_SCRATCH, nmi_new_buffer(p, step->layer, bytes));
    }
    return NM_OK;
}

/* Operands of an EVAL step: tensors and references, inputs first. */
static nm_status eval_inputs(struct nmi_planner *p, int32_t layer, struct nmi_tensor *tensors,
                             struct nmi_ref *refs, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[layer];
    for (int32_t k = 0; k < l->node->n_inputs; k++) {
        struct nmi_form form;
        const int32_t v = l->node->inputs[k];
        if (v == NMI_NONE) {
            continue;
        }
        NMI_TRY(nmi_operand(p, layer, k, true, &form, err));
        tensors[k] = nmi_layer_tensor(p, l, v);
        flatten(&tensors[k], l, &form.layout);
        refs[k] = form.ref;
    }
    return NM_OK;
}

static nm_status emit_eval(struct nmi_planner *p, int32_t layer, nm_error *err)
{
    const struct nmi_layer *l = &p->layers[layer];
    const int32_t n_in = l->node->n_inputs, n_out = l->node->n_outputs;
    const struct nmi_layout y_layout = nmi_impl_output(p, l, impl_of(p, layer));
    struct nmi_tensor *tensors =
        nmi_arena_array(&p->plan->meta, (size_t)(n_in + n_out), sizeof *tensors);
    struct nmi_ref *refs = nmi_arena_array(&p->plan->meta, (size_t)(n_in + n_out), sizeof *refs);
    if (tensors == NULL || refs == NULL) {
        return nmi_fail_memory(err, (size_t)(n_in + n_out) * sizeof *tensors, "planning");
    }
    NMI_TRY(eval_inputs(p, layer, tensors, refs, err));
    for (int32_t k = 0; k < n_out; k++) {
        const int32_t v = l->node->outputs[k];
        if (v != NMI_NONE) {
            tensors[n_in + k] = nmi_layer_tensor(p, l, v);
            tensors[n_in + k].data = NULL;
            flatten(&tensors[n_in + k], l, k == 0 ? &y_layout : &plain_layout);
            refs[n_in + k] = nmi_value_place(p, layer, v, k == 0 ? &y_layout : &plain_layout);
        }
    }
    struct nmi_step *step = nmi_new_step(p, layer, NMI_STEP_EVAL);
    step->op = l->op;
    step->node = l->node;
    step->n_in = n_in;
    step->n_out = n_out;
    step->tensors = tensors;
    step->tensor_refs = refs;
    for (int32_t k = 0; k < n_in + n_out; k++) {
        nmi_buffer_use(p, &refs[k]);
    }
    NMI_TRY(eval_scratch(p, step, err));
    if (n_in + n_out > p->plan->max_tensors) {
        p->plan->max_tensors = n_in + n_out;
    }
    for (int32_t k = 0; k < n_out; k++) {
        if (l->node->outputs[k] != NMI_NONE) {
            NMI_TRY(nmi_put_form(p, layer, l->node->outputs[k], k == 0 ? &y_layout : &plain_layout,
                                 refs[n_in + k], err));
        }
    }
    return NM_OK;
}

static nm_status emit_layer(struct nmi_planner *p, int32_t layer, nm_error *err)
{
    switch (impl_of(p, layer)->step) {
    case NMI_STEP_EVAL:
        return emit_eval(p, layer, err);
    case NMI_IMPL_ALIAS:
        return emit_alias(p, layer, err);
    case NMI_IMPL_CONCAT:
        return nmi_emit_concat(p, layer, err);
    case NMI_IMPL_FUSED:
        return NM_OK; /* the convolution before it does its work */
    default:
        return emit_compute(p, layer, err);
    }
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------ */

/* Graph outputs that no step writes in place: known values, inputs, aliases, a value listed twice.
 */
static nm_status emit_outputs(struct nmi_planner *p, nm_error *err)
{
    const struct nmi_graph *g = p->graph;
    for (int32_t i = 0; i < g->n_outputs; i++) {
        const int32_t v = g->outputs[i];
        const struct nmi_value_state *state = &p->values[v];
        const struct nmi_ref to = {.base = NMI_BASE_OUTPUT, .index = i};
        struct nmi_ref from = constant_ref(p->facts[v].data);
        for (int32_t k = 0; k < state->n_forms && p->facts[v].data == NULL; k++) {
            if (state->forms[k].layout.kind == NMI_PLAIN) {
                from = state->forms[k].ref;
            }
        }
        if (from.base == NMI_BASE_CONST && from.ptr == NULL) {
            return nmi_fail(err, NM_EINTERNAL, "output %s is never made", g->values[v].name);
        }
        if (from.base != NMI_BASE_OUTPUT || from.index != i) {
            nmi_copy_step(p, p->n_layers, from, to, p->plan->outputs[i].bytes);
        }
    }
    return NM_OK;
}

static nm_status describe_outputs(struct nmi_planner *p, nm_error *err)
{
    const struct nmi_graph *g = p->graph;
    p->plan->n_outputs = g->n_outputs;
    p->plan->outputs =
        nmi_arena_array(&p->plan->meta, (size_t)g->n_outputs + 1, sizeof *p->plan->outputs);
    if (p->plan->outputs == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_outputs * sizeof *p->plan->outputs, "planning");
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        const struct nmi_fact *f = &p->facts[g->outputs[i]];
        struct nmi_plan_output *o = &p->plan->outputs[i];
        o->type = f->type;
        o->rank = f->rank;
        memcpy(o->dims, f->dims, sizeof o->dims);
        if (f->rank < 0 || !nmi_tensor_bytes((int32_t)f->type, f->rank, f->dims, &o->bytes)) {
            return nmi_fail(err, NM_EUNSUPPORTED,
                            "output %s: its shape is not known before the run",
                            g->values[g->outputs[i]].name);
        }
    }
    return NM_OK;
}

static nm_status room(struct nmi_planner *p, nm_error *err)
{
    size_t steps = (size_t)p->graph->n_outputs + 8;
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_node *node = p->layers[i].node;
        steps += 3 * (size_t)node->n_inputs + 3 * (size_t)node->n_outputs + 3;
    }
    p->steps = nmi_arena_array(&p->arena, steps, sizeof *p->steps);
    p->buffers = nmi_arena_array(&p->arena, 2 * steps, sizeof *p->buffers);
    if (p->steps == NULL || p->buffers == NULL) {
        return nmi_fail_memory(err, steps * sizeof *p->steps, "planning");
    }
    return NM_OK;
}

nm_status nmi_plan_emit(struct nmi_planner *p, nm_error *err)
{
    NMI_TRY(describe_outputs(p, err));
    NMI_TRY(room(p, err));
    nmi_plan_fills(p);
    nmi_plan_homes(p);
    for (int32_t i = 0; i < p->graph->n_inputs; i++) {
        struct nmi_value_state *v = &p->values[p->graph->inputs[i]];
        v->forms[v->n_forms++] = (struct nmi_form){
            .layout = plain_layout, .segment = -1, .ref = {.base = NMI_BASE_INPUT, .index = i}};
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        NMI_TRY(emit_layer(p, i, err));
    }
    return emit_outputs(p, err);
}
