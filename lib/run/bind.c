/* SPDX-License-Identifier: Apache-2.0 */
/* Every wrong argument gets a sentence that names the tensor and what was expected. */
#include "lib/run/bind.h"

#include "lib/base/checked.h"

#include <string.h>

/* Position of the tensor that t names among ids, or NMI_NONE. */
static int32_t find(const struct nmi_graph *g, const int32_t *ids, int32_t n, const nm_tensor *t,
                    size_t position)
{
    if (t->name == NULL) {
        return position < (size_t)n ? (int32_t)position : NMI_NONE;
    }
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(g->values[ids[i]].name, t->name) == 0) {
            return i;
        }
    }
    return NMI_NONE;
}

static nm_status check_dims(const struct nmi_value *v, const nm_tensor *t, nm_error *err)
{
    if (t->rank < 0 || t->rank > NM_MAX_DIMS) {
        return nmi_fail(err, NM_ESHAPE, "input %s: rank %d is not in 0..%d", v->name, t->rank,
                        NM_MAX_DIMS);
    }
    if (v->rank >= 0 && t->rank != v->rank) {
        return nmi_fail(err, NM_ESHAPE, "input %s: rank is %d, the model expects %d", v->name,
                        t->rank, v->rank);
    }
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0) {
            return nmi_fail(err, NM_ESHAPE, "input %s: dimension %d is %lld, it can't be negative",
                            v->name, i, (long long)t->dims[i]);
        }
        if (v->rank >= 0 && nmi_dim_known(v->dims[i]) && v->dims[i] != t->dims[i]) {
            return nmi_fail(err, NM_ESHAPE,
                            "input %s: dimension %d is %lld, the model expects %lld", v->name, i,
                            (long long)t->dims[i], (long long)v->dims[i]);
        }
    }
    return NM_OK;
}

static nm_status bind_input(const struct nmi_value *v, const nm_tensor *t, bool need_data,
                            struct nmi_tensor *out, nm_error *err)
{
    size_t bytes = 0;
    if (t->type != v->type) {
        return nmi_fail(err, NM_ETYPE, "input %s: type is %s, the model expects %s", v->name,
                        nm_type_name(t->type), nm_type_name(v->type));
    }
    NMI_TRY(check_dims(v, t, err));
    if (!nmi_tensor_bytes((int32_t)t->type, t->rank, t->dims, &bytes)) {
        return nmi_fail(err, NM_ELIMIT, "input %s: its size in bytes does not fit an address",
                        v->name);
    }
    if (need_data && bytes > 0 && t->data == NULL) {
        return nmi_fail(err, NM_EINVAL, "input %s: data is NULL", v->name);
    }
    if (t->data != NULL && t->capacity < bytes) {
        return nmi_fail(err, NM_EINVAL, "input %s: capacity is %zu bytes, its shape needs %zu",
                        v->name, t->capacity, bytes);
    }
    *out = (struct nmi_tensor){.type = t->type, .rank = t->rank, .data = t->data};
    memcpy(out->dims, t->dims, (size_t)t->rank * sizeof *t->dims);
    return NM_OK;
}

/* Dimensions of one name must be of one size. */
static nm_status check_symbols(const struct nmi_graph *g, const struct nmi_tensor *tensors,
                               nm_error *err)
{
    for (int32_t i = 0; i < g->n_inputs; i++) {
        const struct nmi_value *v = &g->values[g->inputs[i]];
        for (int32_t k = 0; k < v->rank; k++) {
            const int32_t symbol = nmi_dim_symbol_id(v->dims[k]);
            for (int32_t j = 0; symbol != NMI_NONE && j <= i; j++) {
                const struct nmi_value *w = &g->values[g->inputs[j]];
                for (int32_t m = 0; m < w->rank; m++) {
                    if (w->dims[m] == v->dims[k] && tensors[j].dims[m] != tensors[i].dims[k]) {
                        return nmi_fail(err, NM_ESHAPE,
                                        "input %s: dimension %d (%s) is %lld, but %lld in input %s",
                                        v->name, k, g->symbols[symbol],
                                        (long long)tensors[i].dims[k],
                                        (long long)tensors[j].dims[m], w->name);
                    }
                }
            }
        }
    }
    return NM_OK;
}

nm_status nmi_bind_inputs(const struct nmi_graph *g, const nm_tensor *in, size_t n_in,
                          const bool *keyed, bool need_data, struct nmi_tensor *tensors,
                          nm_error *err)
{
    if (n_in != (size_t)g->n_inputs) {
        return nmi_fail(err, NM_EINVAL, "%zu inputs were given, the model has %d", n_in,
                        g->n_inputs);
    }
    for (int32_t i = 0; i < g->n_inputs; i++) {
        tensors[i].type = NM_TYPE_NONE;
    }
    for (size_t i = 0; i < n_in; i++) {
        const int32_t at = find(g, g->inputs, g->n_inputs, &in[i], i);
        if (at == NMI_NONE) {
            return nmi_fail(err, NM_EINVAL, "the model has no input %s", in[i].name);
        }
        const struct nmi_value *v = &g->values[g->inputs[at]];
        if (tensors[at].type != NM_TYPE_NONE) {
            return nmi_fail(err, NM_EINVAL, "input %s was given twice", v->name);
        }
        NMI_TRY(bind_input(v, &in[i], need_data || keyed[at], &tensors[at], err));
    }
    return check_symbols(g, tensors, err);
}

nm_status nmi_bind_outputs(const struct nmi_graph *g, const struct nmi_plan *plan, nm_tensor *out,
                           size_t n_out, void **pointers, nm_error *err)
{
    for (int32_t i = 0; i < g->n_outputs; i++) {
        pointers[i] = NULL;
    }
    for (size_t i = 0; i < n_out; i++) {
        const int32_t at = find(g, g->outputs, g->n_outputs, &out[i], i);
        if (at == NMI_NONE) {
            return nmi_fail(err, NM_EINVAL, "the model has no output %s",
                            out[i].name != NULL ? out[i].name : "at that position");
        }
        const struct nmi_plan_output *o = &plan->outputs[at];
        const char *name = g->values[g->outputs[at]].name;
        if (pointers[at] != NULL) {
            return nmi_fail(err, NM_EINVAL, "output %s was asked for twice", name);
        }
        if (out[i].data != NULL && out[i].capacity < o->bytes) {
            return nmi_fail(err, NM_EINVAL, "output %s: capacity is %zu bytes, it needs %zu", name,
                            out[i].capacity, o->bytes);
        }
        if (out[i].data == NULL) {
            out[i].data = (char *)plan->memory + o->offset;
            out[i].capacity = o->bytes;
        }
        pointers[at] = out[i].data;
        out[i].type = o->type;
        out[i].rank = o->rank;
        memcpy(out[i].dims, o->dims, sizeof o->dims);
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        if (pointers[i] == NULL) {
            pointers[i] = (char *)plan->memory + plan->outputs[i].offset;
        }
    }
    return NM_OK;
}
