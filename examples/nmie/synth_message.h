/* SPDX-License-Identifier: Apache-2.0 */
/*
 * synth_message.h - the ONNX messages of a network in the making. Once something has failed, every
 * call does nothing and returns NULL; net->status keeps the first failure.
 */
#ifndef NMIE_SYNTH_MESSAGE_H
#define NMIE_SYNTH_MESSAGE_H

#include "examples/nmie/synth.h"

#include <stddef.h>

#define SYNTH_NODES_MAX 512

struct synth_block {
    struct synth_block *next;
    max_align_t bytes[];
};

struct synth {
    struct synth_options options;
    struct synth_report report;
    nm_status status; /* the first failure */
    struct synth_block *blocks;
    uint32_t *histogram;
    bool has_six;
    uint64_t layer; /* numbers the weight tensors, for their seeds */
    Onnx__NodeProto *nodes[SYNTH_NODES_MAX];
    Onnx__TensorProto *tensors[SYNTH_NODES_MAX];
    Onnx__ValueInfoProto *input, *output;
    Onnx__OperatorSetIdProto opset, *opsets;
    Onnx__GraphProto graph;
    Onnx__ModelProto model;
};

/* Memory that lives as long as the network. */
void *synth_own(struct synth *net, size_t size);

/* A node with up to 3 inputs (NULL ends them) and one output, named like the node. */
Onnx__NodeProto *synth_node(struct synth *net, const char *op, const char *name,
                            const char *const inputs[3]);

/* Attributes of a node (nothing for NULL): an integer, or n times the same one. */
void synth_attribute_int(struct synth *net, Onnx__NodeProto *node, const char *name, int64_t value);
void synth_attribute_ints(struct synth *net, Onnx__NodeProto *node, const char *name, size_t n,
                          int64_t value);

/* A float tensor "name" + "suffix" whose elements the caller fills. */
float *synth_tensor(struct synth *net, const char *name, const char *suffix, size_t rank,
                    const int64_t *dims);

/* A float input or output [N, dims...]. */
Onnx__ValueInfoProto *synth_value(struct synth *net, const char *name, const int64_t *dims,
                                  size_t n);

/* Puts everything into the model message. */
void synth_finish(struct synth *net, const char *name);

#endif
