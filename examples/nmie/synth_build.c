/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX messages, layer by layer. All memory of a network is on one list and is freed with it. */
#include "examples/nmie/synth_build.h"

#include "examples/nmie/nmie.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX ((int64_t)500 << 20) /* ONNX files end at 2 GiB */
#define NODES_MAX 512

struct block {
    struct block *next;
    max_align_t bytes[];
};

struct synth {
    struct synth_options options;
    struct synth_report report;
    nm_status status; /* the first failure */
    struct block *blocks;
    uint32_t *histogram;
    bool has_six;
    uint64_t layer; /* numbers the weight tensors, for their seeds */
    Onnx__NodeProto *nodes[NODES_MAX];
    Onnx__TensorProto *tensors[NODES_MAX];
    Onnx__ValueInfoProto *input, *output;
    Onnx__OperatorSetIdProto opset, *opsets;
    Onnx__GraphProto graph;
    Onnx__ModelProto model;
};

const struct synth_options *synth_wanted(const struct synth *net)
{
    return &net->options;
}

const struct synth_report *synth_about(const struct synth *net)
{
    return &net->report;
}

/* Memory that lives as long as the network; NULL once it has failed. */
static void *own(struct synth *net, size_t size)
{
    struct block *b = net->status ? NULL : malloc(sizeof *b + size);
    if (!b) {
        net->status = net->status ? net->status : NM_ENOMEM;
        return NULL;
    }
    b->next = net->blocks;
    net->blocks = b;
    return b->bytes;
}

static char *own_text(struct synth *net, const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    char *text = own(net, n + m + 1);
    if (text) {
        memcpy(text, a, n);
        memcpy(text + n, b, m + 1);
    }
    return text;
}

/* ---- nodes --------------------------------------------------------------------------------- */

/* A node with up to 3 inputs (NULL ends them) and one output, named like the node. */
static Onnx__NodeProto *add_node(struct synth *net, const char *op, const char *name,
                                 const char *const inputs[3])
{
    Onnx__NodeProto *node = own(net, sizeof *node);
    char **in = own(net, 3 * sizeof *in), **out = own(net, sizeof *out);
    Onnx__AttributeProto **attributes = own(net, 5 * sizeof *attributes);
    if (!attributes || net->graph.n_node == NODES_MAX) {
        net->status = net->status ? net->status : NM_ELIMIT;
        return NULL;
    }
    onnx__node_proto__init(node);
    node->name = own_text(net, name, "");
    node->op_type = own_text(net, op, "");
    for (; node->n_input < 3 && inputs[node->n_input]; node->n_input++) {
        in[node->n_input] = own_text(net, inputs[node->n_input], "");
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
    Onnx__AttributeProto *a = own(net, sizeof *a);
    if (!a) {
        return NULL;
    }
    onnx__attribute_proto__init(a);
    a->name = own_text(net, name, "");
    a->has_type = 1;
    a->type = type;
    node->attribute[node->n_attribute++] = a;
    return net->status ? NULL : a;
}

static void add_int(struct synth *net, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = node ? add_attribute(net, node, name, 2) : NULL;
    if (a) {
        a->has_i = 1;
        a->i = value;
    }
}

/* n times the same integer. */
static void add_ints(struct synth *net, Onnx__NodeProto *node, const char *name, size_t n,
                     int64_t value)
{
    Onnx__AttributeProto *a = node ? add_attribute(net, node, name, 7) : NULL;
    int64_t *v = a ? own(net, n * sizeof *v) : NULL;
    for (size_t i = 0; v && i < n; i++) {
        v[i] = value;
        a->ints = v;
        a->n_ints = i + 1;
    }
}

/* ---- weights ------------------------------------------------------------------------------- */

/* A float tensor "name.suffix" whose elements the caller fills; *full is its name. NULL: failed. */
static float *add_tensor(struct synth *net, const char *name, const char *suffix, size_t rank,
                         const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    if (net->report.parameters + (int64_t)count > PARAMETERS_MAX ||
        net->graph.n_initializer == NODES_MAX) {
        net->status = net->status ? net->status : NM_ELIMIT;
    }
    Onnx__TensorProto *t = own(net, sizeof *t);
    int64_t *shape = own(net, (rank + 1) * sizeof *shape);
    float *data = own(net, count * sizeof *data);
    if (!data) {
        return NULL;
    }
    onnx__tensor_proto__init(t);
    memcpy(shape, dims, rank * sizeof *shape);
    t->n_dims = rank;
    t->dims = shape;
    t->has_data_type = 1;
    t->data_type = NM_F32;
    t->name = own_text(net, name, suffix);
    t->has_raw_data = 1;
    t->raw_data.data = (uint8_t *)data;
    t->raw_data.len = count * sizeof *data;
    net->tensors[net->graph.n_initializer++] = t;
    net->report.parameters += (int64_t)count;
    return net->status ? NULL : data;
}

static uint64_t next_seed(struct synth *net)
{
    return net->options.seed * 0xd1342543de82ef95u + ++net->layer * 0x2545f4914f6cdd1du;
}

/* Weight [out, in, k, k] (or [out, in] for kernel 0) and bias of a layer. */
static void add_weights(struct synth *net, const char *name, const int64_t dims[4], size_t rank,
                        const struct synth_conv *c)
{
    int64_t fan_in = dims[1] * (rank == 4 ? dims[2] * dims[3] : 1);
    double gain = c->gain > 0.0 ? c->gain : sqrt(2.0);
    double sparsity = c->dense ? 0.0 : net->options.sparsity;
    size_t n = (size_t)(dims[0] * fan_in);
    float *w = add_tensor(net, name, ".weight", rank, dims);
    if (w) {
        net->report.prunable += c->dense ? 0 : (int64_t)n;
        net->report.zeros += (int64_t)synth_weights(w, n, next_seed(net), sparsity,
                                                    gain / sqrt((double)fan_in), net->histogram);
    }
    float *b = add_tensor(net, name, ".bias", 1, dims);
    if (b) {
        synth_weights(b, (size_t)dims[0], next_seed(net), 0.0, 0.1, net->histogram);
    }
}

static struct tap tap_of(const char *name, int32_t channels, int32_t side)
{
    struct tap t = {.channels = channels, .side = side};
    snprintf(t.name, sizeof t.name, "%s", name);
    return t;
}

/* ---- layers -------------------------------------------------------------------------------- */

/* The bounds of Relu6, which all its nodes share; they do not count as parameters. */
static void add_six(struct synth *net)
{
    int64_t before = net->report.parameters;
    float *low = net->has_six ? NULL : add_tensor(net, "relu6", ".min", 0, NULL);
    float *high = net->has_six ? NULL : add_tensor(net, "relu6", ".max", 0, NULL);
    if (low && high) {
        *low = 0.0f;
        *high = 6.0f;
    }
    net->has_six = true;
    net->report.parameters = before;
}

static struct tap activate(struct synth *net, struct tap x, enum synth_act act)
{
    if (act == ACT_NONE) {
        return x;
    }
    struct tap y = x;
    snprintf(y.name, sizeof y.name, "%.50s.relu", x.name);
    if (act == ACT_RELU) {
        add_node(net, "Relu", y.name, (const char *const[3]){x.name});
    } else {
        add_six(net);
        add_node(net, "Clip", y.name, (const char *const[3]){x.name, "relu6.min", "relu6.max"});
    }
    return y;
}

struct tap synth_conv(struct synth *net, const char *name, struct tap x, struct synth_conv c)
{
    int64_t dims[4] = {c.out, x.channels / c.groups, c.kernel, c.kernel};
    char weight[80], bias[80];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    add_weights(net, name, dims, 4, &c);
    Onnx__NodeProto *node =
        add_node(net, "Conv", name, (const char *const[3]){x.name, weight, bias});
    add_ints(net, node, "kernel_shape", 2, c.kernel);
    add_ints(net, node, "strides", 2, c.stride);
    add_ints(net, node, "pads", 4, c.kernel / 2);
    add_int(net, node, "group", c.groups);
    struct tap y = tap_of(name, c.out, (x.side - 1) / c.stride + 1);
    net->report.macs += (int64_t)y.side * y.side * dims[0] * dims[1] * dims[2] * dims[3];
    return activate(net, y, c.act);
}

struct tap synth_max_pool(struct synth *net, const char *name, struct tap x, int32_t kernel,
                          int32_t pad)
{
    Onnx__NodeProto *node = add_node(net, "MaxPool", name, (const char *const[3]){x.name});
    add_ints(net, node, "kernel_shape", 2, kernel);
    add_ints(net, node, "strides", 2, 2);
    add_ints(net, node, "pads", 4, pad);
    return tap_of(name, x.channels, (x.side + 2 * pad - kernel) / 2 + 1);
}

struct tap synth_add(struct synth *net, const char *name, struct tap a, struct tap b, bool relu)
{
    add_node(net, "Add", name, (const char *const[3]){a.name, b.name});
    return activate(net, tap_of(name, a.channels, a.side), relu ? ACT_RELU : ACT_NONE);
}

struct tap synth_global_pool(struct synth *net, struct tap x)
{
    add_node(net, "GlobalAveragePool", "pool", (const char *const[3]){x.name});
    return tap_of("pool", x.channels, 1);
}

struct tap synth_flatten(struct synth *net, struct tap x)
{
    add_node(net, "Flatten", "flatten", (const char *const[3]){x.name});
    return tap_of("flatten", x.channels * x.side * x.side, 1);
}

struct tap synth_fc(struct synth *net, const char *name, struct tap x, int32_t out, bool last)
{
    int64_t dims[4] = {out, x.channels, 0, 0};
    struct synth_conv as_conv = {.out = out, .gain = last ? 1.0 : 0.0, .dense = last};
    char weight[80], bias[80];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    add_weights(net, name, dims, 2, &as_conv);
    net->report.macs += dims[0] * dims[1];
    struct tap y = tap_of(last ? "logits" : name, out, 1);
    Onnx__NodeProto *node =
        add_node(net, "Gemm", y.name, (const char *const[3]){x.name, weight, bias});
    add_int(net, node, "transB", 1);
    return last ? y : activate(net, y, ACT_RELU);
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* A float value [N, dims...]. */
static Onnx__ValueInfoProto *value_info(struct synth *net, const char *name, const int64_t *dims,
                                        size_t n)
{
    Onnx__ValueInfoProto *v = own(net, sizeof *v);
    Onnx__TypeProto *type = own(net, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = own(net, sizeof *tensor);
    Onnx__TensorShapeProto *shape = own(net, sizeof *shape);
    Onnx__TensorShapeProto__Dimension **dim = own(net, (n + 1) * sizeof *dim);
    Onnx__TensorShapeProto__Dimension *d = own(net, (n + 1) * sizeof *d);
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
            dim[i]->dim_param = own_text(net, "N", "");
        }
    }
    shape->n_dim = n + 1;
    shape->dim = dim;
    tensor->has_elem_type = 1;
    tensor->elem_type = NM_F32;
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    v->name = own_text(net, name, "");
    v->type = type;
    return v;
}

struct tap synth_input(struct synth *net)
{
    int64_t side = net->options.size, in[3] = {3, side, side}, out[1] = {net->options.classes};
    net->input = value_info(net, "input", in, 3);
    net->output = value_info(net, "logits", out, 1);
    return tap_of("input", 3, net->options.size);
}

static void finish(struct synth *net, const char *name)
{
    net->opset.has_version = 1;
    net->opset.version = 13;
    net->opset.domain = own_text(net, "", "");
    net->opsets = &net->opset;
    net->graph.name = own_text(net, name, "");
    net->graph.node = net->nodes;
    net->graph.initializer = net->tensors;
    net->graph.input = &net->input;
    net->graph.n_input = 1;
    net->graph.output = &net->output;
    net->graph.n_output = 1;
    net->model.has_ir_version = 1;
    net->model.ir_version = 7;
    net->model.producer_name = own_text(net, "nmie", "");
    net->model.graph = &net->graph;
    net->model.n_opset_import = 1;
    net->model.opset_import = &net->opsets;
}

nm_status synth_make(const char *name, const struct synth_options *options, struct synth **made,
                     nm_error *err)
{
    synth_net_fn fn = synth_net(name);
    if (!fn) {
        return complain(err, NM_EINVAL,
                        "no network named %s; there are resnet18, resnet50, vgg16, mobilenet_v1, "
                        "mobilenet_v2",
                        name);
    }
    if (options->size < 32 || options->size > 2048 || options->size % 32 || options->classes < 1 ||
        options->classes > 1000000 || !(options->sparsity >= 0.0 && options->sparsity < 1.0)) {
        return complain(err, NM_EINVAL,
                        "%s: size is a multiple of 32 up to 2048, classes 1 to 1000000, sparsity "
                        "at least 0 and below 1",
                        name);
    }
    struct synth *net = calloc(1, sizeof *net);
    if (!net) {
        return complain(err, NM_ENOMEM, "no memory for a network");
    }
    net->options = *options;
    onnx__operator_set_id_proto__init(&net->opset);
    onnx__graph_proto__init(&net->graph);
    onnx__model_proto__init(&net->model);
    net->histogram = own(net, SYNTH_BINS * sizeof *net->histogram);
    fn(net);
    finish(net, name);
    nm_status status = net->status;
    if (status) {
        synth_free(net);
        return complain(err, status, "%s: %s", name,
                        status == NM_ENOMEM ? "no memory" : "larger than an ONNX file may be");
    }
    *made = net;
    return NM_OK;
}

void synth_free(struct synth *net)
{
    while (net && net->blocks) {
        struct block *next = net->blocks->next;
        free(net->blocks);
        net->blocks = next;
    }
    free(net);
}

/* ---- bytes --------------------------------------------------------------------------------- */

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
