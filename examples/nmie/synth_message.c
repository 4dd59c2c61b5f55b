/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX messages of a network in the making. All its memory is on one list and is freed with it. */
#include "examples/nmie/synth_message.h"

#include "examples/nmie/nmie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX ((int64_t)500 << 20) /* ONNX files end at 2 GiB */

/* Memory that lives as long as the network; NULL once it has failed. */
void *synth_own(struct synth *net, size_t size)
{
    struct synth_block *b = net->status ? NULL : malloc(sizeof *b + size);
    if (!b) {
        net->status = net->status ? net->status : NM_ENOMEM;
        return NULL;
    }
    b->next = net->blocks;
    net->blocks = b;
    return b->bytes;
}

static char *text_of(struct synth *net, const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    char *text = synth_own(net, n + m + 1);
    if (text) {
        memcpy(text, a, n);
        memcpy(text + n, b, m + 1);
    }
    return text;
}

/* A node with up to 3 inputs (NULL ends them) and one output, named like the node. */
Onnx__NodeProto *synth_node(struct synth *net, const char *op, const char *name,
                            const char *const inputs[3])
{
    Onnx__NodeProto *node = synth_own(net, sizeof *node);
    char **in = synth_own(net, 3 * sizeof *in), **out = synth_own(net, sizeof *out);
    Onnx__AttributeProto **attributes = synth_own(net, 5 * sizeof *attributes);
    if (!attributes || net->graph.n_node == SYNTH_NODES_MAX) {
        net->status = net->status ? net->status : NM_ELIMIT;
        return NULL;
    }
    onnx__node_proto__init(node);
    node->name = text_of(net, name, "");
    node->op_type = text_of(net, op, "");
    for (; node->n_input < 3 && inputs[node->n_input]; node->n_input++) {
        in[node->n_input] = text_of(net, inputs[node->n_input], "");
    }
    out[0] = node->name;
    node->n_output = 1;
    node->input = in;
    node->output = out;
    node->attribute = attributes;
    net->nodes[net->graph.n_node++] = node;
    return net->status ? NULL : node;
}

static Onnx__AttributeProto *add_attribute(struct synth *net, Onnx__NodeProto *node,
                                           const char *name, int32_t type)
{
    Onnx__AttributeProto *a = synth_own(net, sizeof *a);
    if (!a) {
        return NULL;
    }
    onnx__attribute_proto__init(a);
    a->name = text_of(net, name, "");
    a->has_type = 1;
    a->type = type;
    node->attribute[node->n_attribute++] = a;
    return net->status ? NULL : a;
}

void synth_attribute_int(struct synth *net, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = node ? add_attribute(net, node, name, 2) : NULL;
    if (a) {
        a->has_i = 1;
        a->i = value;
    }
}

/* n times the same integer. */
void synth_attribute_ints(struct synth *net, Onnx__NodeProto *node, const char *name, size_t n,
                          int64_t value)
{
    Onnx__AttributeProto *a = node ? add_attribute(net, node, name, 7) : NULL;
    int64_t *v = a ? synth_own(net, n * sizeof *v) : NULL;
    for (size_t i = 0; v && i < n; i++) {
        v[i] = value;
        a->ints = v;
        a->n_ints = i + 1;
    }
}

/* A float tensor "name.suffix" whose elements the caller fills; *full is its name. NULL: failed. */
float *synth_tensor(struct synth *net, const char *name, const char *suffix, size_t rank,
                    const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    if (net->report.parameters + (int64_t)count > PARAMETERS_MAX ||
        net->graph.n_initializer == SYNTH_NODES_MAX) {
        net->status = net->status ? net->status : NM_ELIMIT;
    }
    Onnx__TensorProto *t = synth_own(net, sizeof *t);
    int64_t *shape = synth_own(net, (rank + 1) * sizeof *shape);
    float *data = synth_own(net, count * sizeof *data);
    if (!data) {
        return NULL;
    }
    onnx__tensor_proto__init(t);
    for (size_t i = 0; i < rank; i++) {
        shape[i] = dims[i];
    }
    t->n_dims = rank;
    t->dims = shape;
    t->has_data_type = 1;
    t->data_type = NM_F32;
    t->name = text_of(net, name, suffix);
    t->has_raw_data = 1;
    t->raw_data.data = (uint8_t *)data;
    t->raw_data.len = count * sizeof *data;
    net->tensors[net->graph.n_initializer++] = t;
    net->report.parameters += (int64_t)count;
    return net->status ? NULL : data;
}

/* A float value [N, dims...]. */
Onnx__ValueInfoProto *synth_value(struct synth *net, const char *name, const int64_t *dims,
                                  size_t n)
{
    Onnx__ValueInfoProto *v = synth_own(net, sizeof *v);
    Onnx__TypeProto *type = synth_own(net, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = synth_own(net, sizeof *tensor);
    Onnx__TensorShapeProto *shape = synth_own(net, sizeof *shape);
    Onnx__TensorShapeProto__Dimension **dim = synth_own(net, (n + 1) * sizeof *dim);
    Onnx__TensorShapeProto__Dimension *d = synth_own(net, (n + 1) * sizeof *d);
    if (!d) {
        return NULL;
    }
    onnx__value_info_proto__init(v);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    for (size_t i = 0; i <= n; i++) {
        dim[i] = &d[i];
        onnx__tensor_shape_proto__dimension__init(dim[i]);
        dim[i]->value_case = i ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                               : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (i) {
            dim[i]->dim_value = dims[i - 1];
        } else {
            dim[i]->dim_param = text_of(net, "N", "");
        }
    }
    shape->n_dim = n + 1;
    shape->dim = dim;
    tensor->has_elem_type = 1;
    tensor->elem_type = NM_F32;
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    v->name = text_of(net, name, "");
    v->type = type;
    return v;
}

void synth_finish(struct synth *net, const char *name)
{
    net->opset.has_version = 1;
    net->opset.version = 13;
    net->opset.domain = text_of(net, "", "");
    net->opsets = &net->opset;
    net->graph.name = text_of(net, name, "");
    net->graph.node = net->nodes;
    net->graph.initializer = net->tensors;
    net->graph.input = &net->input;
    net->graph.n_input = 1;
    net->graph.output = &net->output;
    net->graph.n_output = 1;
    net->model.has_ir_version = 1;
    net->model.ir_version = 7;
    net->model.producer_name = text_of(net, "nmie", "");
    net->model.graph = &net->graph;
    net->model.n_opset_import = 1;
    net->model.opset_import = &net->opsets;
}

void synth_free(struct synth *net)
{
    while (net && net->blocks) {
        struct synth_block *next = net->blocks->next;
        free(net->blocks);
        net->blocks = next;
    }
    free(net);
}

struct file_buffer {
    ProtobufCBuffer base;
    FILE *f;
    bool failed;
};

static void append(ProtobufCBuffer *base, size_t n, const uint8_t *bytes)
{
    struct file_buffer *b = (struct file_buffer *)base;
    b->failed = b->failed || fwrite(bytes, 1, n, b->f) != n;
}

nm_status synth_save(const struct synth *net, const char *path, nm_error *err)
{
    struct file_buffer b = {.base.append = append, .f = fopen(path, "wbe")};
    if (!b.f) {
        return complain(err, NM_EIO, "%s: %s", path, strerror(errno));
    }
    protobuf_c_message_pack_to_buffer(&net->model.base, &b.base);
    b.failed = fclose(b.f) != 0 || b.failed;
    return b.failed ? complain(err, NM_EIO, "%s: %s", path, strerror(errno)) : NM_OK;
}

nm_status synth_bytes(const struct synth *net, uint8_t **bytes, size_t *size, nm_error *err)
{
    *size = onnx__model_proto__get_packed_size(&net->model);
    *bytes = malloc(*size);
    if (!*bytes) {
        return complain(err, NM_ENOMEM, "no memory for %zu bytes of network", *size);
    }
    onnx__model_proto__pack(&net->model, *bytes);
    return NM_OK;
}
