/* SPDX-License-Identifier: Apache-2.0 */
/* Initialisers, inputs and outputs of the graph. */
#include "lib/base/checked.h"
#include "lib/onnx/importer.h"

#include <string.h>

static nm_status add_name(struct nmi_importer *im, const char *what, int32_t id)
{
    const char *name = im->graph->values[id].name;
    if (!nmi_names_add(&im->names, name, id)) {
        return nmi_fail(im->err, NM_EFORMAT, "%s \"%.200s\": the name is taken by another value",
                        what, name);
    }
    return NM_OK;
}

/* ---- initialisers ---------------------------------------------------------------------------- */

nm_status nmi_onnx_add_constant(struct nmi_importer *im, const char *name,
                                const struct nmi_constant *c, int32_t *id)
{
    struct nmi_graph *g = im->graph;
    *id = nmi_graph_add_constant(g, name, c->type, c->rank, c->dims, c->data, c->bytes);
    if (*id == NMI_NONE) {
        return nmi_importer_memory(im, sizeof(struct nmi_value), "a constant");
    }
    g->constants[g->values[*id].constant].sparse = c->sparse;
    return add_name(im, "tensor", *id);
}

static nm_status add_initializer(struct nmi_importer *im, const char *name, nm_status status,
                                 const struct nmi_constant *c)
{
    int32_t id;
    if (status != NM_OK) {
        return nmi_fail_in(im->err, status, "initializer \"%.200s\"", name != NULL ? name : "");
    }
    if (name == NULL || name[0] == '\0') {
        return nmi_fail(im->err, NM_EFORMAT, "an initializer has no name");
    }
    return nmi_onnx_add_constant(im, name, c, &id);
}

nm_status nmi_onnx_initializers(struct nmi_importer *im)
{
    const Onnx__GraphProto *proto = im->decoded.model->graph;
    struct nmi_constant c;
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const Onnx__TensorProto *t = proto->initializer[i];
        nm_status status = nmi_onnx_tensor(im, t, &im->graph->arena, &c);
        NMI_TRY(add_initializer(im, t->name, status, &c));
    }
    for (size_t i = 0; i < proto->n_sparse_initializer; i++) {
        const Onnx__SparseTensorProto *t = proto->sparse_initializer[i];
        nm_status status = nmi_onnx_sparse(im, t, &c);
        NMI_TRY(add_initializer(im, t->values != NULL ? t->values->name : NULL, status, &c));
    }
    return NM_OK;
}

/* ---- types ----------------------------------------------------------------------------------- */

static nm_status read_dim(struct nmi_importer *im, const Onnx__TensorShapeProto__Dimension *d,
                          int64_t *dim)
{
    *dim = NMI_DIM_UNKNOWN;
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
        if (d->dim_value < 0) {
            return nmi_fail(im->err, NM_EFORMAT, "has a dimension of %lld, expected 0 or more",
                            (long long)d->dim_value);
        }
        *dim = d->dim_value;
    } else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
               d->dim_param[0] != '\0') {
        int32_t symbol = nmi_graph_add_symbol(im->graph, d->dim_param);
        if (symbol == NMI_NONE) {
            return nmi_importer_memory(im, strlen(d->dim_param), "a symbol");
        }
        *dim = nmi_dim_symbol(symbol);
    }
    return NM_OK;
}

/* The product of the known dimensions: what is beyond the limit with every free one at 1. */
static nm_status check_elements(const struct nmi_importer *im, const struct nmi_value *v)
{
    int64_t known[NMI_MAX_DIMS] = {0}, elems;
    for (int32_t i = 0; i < v->rank; i++) {
        known[i] = nmi_dim_known(v->dims[i]) ? v->dims[i] : 1;
    }
    if (!nmi_elems(v->rank, known, &elems) || (uint64_t)elems > im->limits->elements) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "has more than %llu elements: beyond nm_limits.elements, which can be "
                        "raised",
                        (unsigned long long)im->limits->elements);
    }
    return NM_OK;
}

static nm_status read_shape(struct nmi_importer *im, const Onnx__TensorShapeProto *shape,
                            struct nmi_value *v)
{
    if (shape == NULL) {
        return NM_OK; /* the rank stays unknown */
    }
    if (shape->n_dim > NMI_MAX_DIMS) {
        return nmi_fail(im->err, NM_ELIMIT, "has %zu dimensions, at most %d are supported",
                        shape->n_dim, NMI_MAX_DIMS);
    }
    for (size_t i = 0; i < shape->n_dim; i++) {
        NMI_TRY(read_dim(im, shape->dim[i], &v->dims[i]));
    }
    v->rank = (int32_t)shape->n_dim;
    return check_elements(im, v);
}

static nm_status read_type(struct nmi_importer *im, const Onnx__TypeProto *type,
                           struct nmi_value *v)
{
    static const char *const kinds[] = {[ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE] = "a sequence",
                                        [ONNX__TYPE_PROTO__VALUE_MAP_TYPE] = "a map",
                                        [ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE] = "opaque",
                                        [ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE] =
                                            "a sparse tensor",
                                        [ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE] = "optional"};
    if (type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET) {
        return nmi_fail(im->err, NM_EFORMAT, "has no type");
    }
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
        return nmi_fail(im->err, NM_EUNSUPPORTED, "its type is %s, expected a tensor",
                        kinds[type->value_case]);
    }
    int32_t elem = type->tensor_type->elem_type;
    if (nmi_type_size(elem) == 0) {
        return nmi_fail(im->err, NM_EUNSUPPORTED,
                        "has elements of ONNX type %d, which libnm does not do", elem);
    }
    v->type = (nm_type)elem;
    return read_shape(im, type->tensor_type->shape, v);
}

/* ---- inputs and outputs ---------------------------------------------------------------------- */

static const char *info_name(const Onnx__ValueInfoProto *info)
{
    return info->name != NULL ? info->name : "";
}

static nm_status add_input(struct nmi_importer *im, const Onnx__ValueInfoProto *info)
{
    struct nmi_graph *g = im->graph;
    const char *name = info_name(info);
    int32_t known = nmi_names_find(&im->names, name);
    if (known != NMI_NONE && g->values[known].constant != NMI_NONE) {
        return NM_OK; /* an input with a default: a constant to us */
    }
    int32_t id = nmi_graph_add_value(g, name);
    if (id == NMI_NONE) {
        return nmi_importer_memory(im, sizeof(struct nmi_value), "an input");
    }
    NMI_TRY(add_name(im, "graph input", id));
    struct nmi_value read = g->values[id];
    nm_status status = read_type(im, info->type, &read);
    if (status != NM_OK) {
        return nmi_fail_in(im->err, status, "graph input \"%.200s\"", name);
    }
    g->values[id] = read;
    g->inputs[g->n_inputs++] = id;
    return NM_OK;
}

nm_status nmi_onnx_inputs(struct nmi_importer *im)
{
    const Onnx__GraphProto *proto = im->decoded.model->graph;
    struct nmi_graph *g = im->graph;
    g->inputs = nmi_arena_array(&g->arena, proto->n_input, sizeof *g->inputs);
    if (g->inputs == NULL) {
        return nmi_importer_memory(im, proto->n_input * sizeof *g->inputs, "inputs");
    }
    for (size_t i = 0; i < proto->n_input; i++) {
        NMI_TRY(add_input(im, proto->input[i]));
    }
    return NM_OK;
}

/* Many writers leave out what an output is: the graph says it anyway. */
static bool says_something(const Onnx__TypeProto *type)
{
    return type != NULL && type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET &&
           (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
            type->tensor_type->elem_type != 0);
}

static nm_status add_output(struct nmi_importer *im, const Onnx__ValueInfoProto *info,
                            struct nmi_names *seen)
{
    struct nmi_graph *g = im->graph;
    const char *name = info_name(info);
    int32_t id = nmi_names_find(&im->names, name);
    if (id == NMI_NONE) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "graph output \"%.200s\": no node, input or initializer has this name",
                        name);
    }
    if (!nmi_names_add(seen, name, id)) {
        return nmi_fail(im->err, NM_EFORMAT, "graph output \"%.200s\": it is given twice", name);
    }
    struct nmi_value read = g->values[id];
    if (read.producer != NMI_NONE && says_something(info->type)) {
        nm_status status = read_type(im, info->type, &read);
        if (status != NM_OK) {
            return nmi_fail_in(im->err, status, "graph output \"%.200s\"", name);
        }
        g->values[id] = read;
    }
    g->outputs[g->n_outputs++] = id;
    return NM_OK;
}

nm_status nmi_onnx_outputs(struct nmi_importer *im)
{
    const Onnx__GraphProto *proto = im->decoded.model->graph;
    struct nmi_graph *g = im->graph;
    struct nmi_names seen;
    if (proto->n_output == 0) {
        return nmi_fail(im->err, NM_EFORMAT, "the graph has no outputs");
    }
    g->outputs = nmi_arena_array(&g->arena, proto->n_output, sizeof *g->outputs);
    if (g->outputs == NULL || !nmi_names_init(&seen, &im->decoded.arena, proto->n_output)) {
        return nmi_importer_memory(im, proto->n_output * sizeof *g->outputs, "outputs");
    }
    for (size_t i = 0; i < proto->n_output; i++) {
        NMI_TRY(add_output(im, proto->output[i], &seen));
    }
    return NM_OK;
}
