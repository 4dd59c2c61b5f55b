/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of made-up networks, and the making of a whole one. */
#include "examples/nmie/synth_build.h"

#include "examples/nmie/nmie.h"
#include "examples/nmie/synth_message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct synth_options *synth_wanted(const struct synth *net)
{
    return &net->options;
}

const struct synth_report *synth_about(const struct synth *net)
{
    return &net->report;
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
    float *w = synth_tensor(net, name, ".weight", rank, dims);
    if (w) {
        net->report.prunable += c->dense ? 0 : (int64_t)n;
        net->report.zeros += (int64_t)synth_weights(w, n, next_seed(net), sparsity,
                                                    gain / sqrt((double)fan_in), net->histogram);
    }
    float *b = synth_tensor(net, name, ".bias", 1, dims);
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

/* The bounds of Relu6, which all its nodes share; they do not count as parameters. */
static void add_six(struct synth *net)
{
    int64_t before = net->report.parameters;
    float *low = net->has_six ? NULL : synth_tensor(net, "relu6", ".min", 0, NULL);
    float *high = net->has_six ? NULL : synth_tensor(net, "relu6", ".max", 0, NULL);
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
        synth_node(net, "Relu", y.name, (const char *const[3]){x.name});
    } else {
        add_six(net);
        synth_node(net, "Clip", y.name, (const char *const[3]){x.name, "relu6.min", "relu6.max"});
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
        synth_node(net, "Conv", name, (const char *const[3]){x.name, weight, bias});
    synth_attribute_ints(net, node, "kernel_shape", 2, c.kernel);
    synth_attribute_ints(net, node, "strides", 2, c.stride);
    synth_attribute_ints(net, node, "pads", 4, c.kernel / 2);
    synth_attribute_int(net, node, "group", c.groups);
    struct tap y = tap_of(name, c.out, (x.side - 1) / c.stride + 1);
    net->report.macs += (int64_t)y.side * y.side * dims[0] * dims[1] * dims[2] * dims[3];
    return activate(net, y, c.act);
}

struct tap synth_max_pool(struct synth *net, const char *name, struct tap x, int32_t kernel,
                          int32_t pad)
{
    Onnx__NodeProto *node = synth_node(net, "MaxPool", name, (const char *const[3]){x.name});
    synth_attribute_ints(net, node, "kernel_shape", 2, kernel);
    synth_attribute_ints(net, node, "strides", 2, 2);
    synth_attribute_ints(net, node, "pads", 4, pad);
    return tap_of(name, x.channels, (x.side + 2 * pad - kernel) / 2 + 1);
}

struct tap synth_add(struct synth *net, const char *name, struct tap a, struct tap b, bool relu)
{
    synth_node(net, "Add", name, (const char *const[3]){a.name, b.name});
    return activate(net, tap_of(name, a.channels, a.side), relu ? ACT_RELU : ACT_NONE);
}

struct tap synth_global_pool(struct synth *net, struct tap x)
{
    synth_node(net, "GlobalAveragePool", "pool", (const char *const[3]){x.name});
    return tap_of("pool", x.channels, 1);
}

struct tap synth_flatten(struct synth *net, struct tap x)
{
    synth_node(net, "Flatten", "flatten", (const char *const[3]){x.name});
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
        synth_node(net, "Gemm", y.name, (const char *const[3]){x.name, weight, bias});
    synth_attribute_int(net, node, "transB", 1);
    return last ? y : activate(net, y, ACT_RELU);
}

struct tap synth_input(struct synth *net)
{
    int64_t side = net->options.size, in[3] = {3, side, side}, out[1] = {net->options.classes};
    net->input = synth_value(net, "input", in, 3);
    net->output = synth_value(net, "logits", out, 1);
    return tap_of("input", 3, net->options.size);
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
    net->histogram = synth_own(net, SYNTH_BINS * sizeof *net->histogram);
    fn(net);
    synth_finish(net, name);
    nm_status status = net->status;
    if (status) {
        synth_free(net);
        return complain(err, status, "%s: %s", name,
                        status == NM_ENOMEM ? "no memory" : "larger than an ONNX file may be");
    }
    *made = net;
    return NM_OK;
}
