/* SPDX-License-Identifier: Apache-2.0 */
/*
 * synth.h - networks of known architecture with made-up weights, as ONNX: opset 13, free batch N,
 * input "input" [N,3,size,size], output "logits" [N,classes], batch normalisation folded (each
 * convolution has a bias). Weights are He-initialised from a seed, the same on every machine, and
 * scaled so that activations stay near one.
 *
 * Sparsity: in each layer the smallest weights are zero (exactly that share, at positions that are
 * random because the weights are) and the others grow to keep the layer's gain. The first
 * convolution, depthwise convolutions and the classifier stay dense.
 */
#ifndef NMIE_SYNTH_H
#define NMIE_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <nm/nm.h>

#include "onnx.pb-c.h"

struct synth_options {
    double sparsity; /* 0 <= sparsity < 1 */
    uint64_t seed;
    int32_t size; /* height and width of the input: a multiple of 32 */
    int32_t classes;
};
#define SYNTH_OPTIONS_INIT                                                                         \
    {                                                                                              \
        0.0, 0, 224, 1000                                                                          \
    }

/* What was made. */
struct synth_report {
    int64_t parameters; /* weights and biases */
    int64_t prunable;   /* weights of layers that sparsity applies to */
    int64_t zeros;      /* of those */
    int64_t macs;       /* multiply-accumulates per image */
};

/* Names of the networks, ended by NULL. */
extern const char *const synth_names[];

/* A network in memory. */
struct synth;
nm_status synth_make(const char *name, const struct synth_options *options, struct synth **net,
                     nm_error *err);
const struct synth_report *synth_about(const struct synth *net);
nm_status synth_save(const struct synth *net, const char *path, nm_error *err);

/* The file's bytes in memory: malloc, freed by the caller. */
nm_status synth_bytes(const struct synth *net, uint8_t **bytes, size_t *size, nm_error *err);
void synth_free(struct synth *net);

#endif
