/* SPDX-License-Identifier: Apache-2.0 */
/*
 * synth_build.h - the layers of which synth_nets.c makes networks. A builder that has failed stays
 * failed: every call after the first failure does nothing, and synth_make reports the first.
 */
#ifndef NMIE_SYNTH_BUILD_H
#define NMIE_SYNTH_BUILD_H

#include "examples/nmie/synth.h"

/* A value of the network: its name and its shape [N, channels, side, side]. */
struct tap {
    char name[64];
    int32_t channels, side;
};

enum synth_act { ACT_NONE, ACT_RELU, ACT_RELU6 };

/* A convolution with bias, "same" padding of an odd kernel, and an activation. */
struct synth_conv {
    int32_t out, kernel, stride, groups;
    enum synth_act act;
    double gain; /* of the weights: rms x sqrt(fan in); 0: sqrt(2), He's for what Relu follows */
    bool dense;  /* sparsity does not apply */
};

struct tap synth_input(struct synth *net);
struct tap synth_conv(struct synth *net, const char *name, struct tap x, struct synth_conv c);
struct tap synth_max_pool(struct synth *net, const char *name, struct tap x, int32_t kernel,
                          int32_t pad);

/* relu(a + b), or a + b. */
struct tap synth_add(struct synth *net, const char *name, struct tap a, struct tap b, bool relu);
struct tap synth_global_pool(struct synth *net, struct tap x);
struct tap synth_flatten(struct synth *net, struct tap x);

/* A fully connected layer with bias of the flat x; last: the dense classifier, "logits". */
struct tap synth_fc(struct synth *net, const char *name, struct tap x, int32_t out, bool last);

/* Fills w with n numbers of a near-normal distribution, zero where sparsity says, of the given root
 * mean square over all n. Returns the number of zeros that it made. The histogram is scratch. */
#define SYNTH_BINS 131071
size_t synth_weights(float *w, size_t n, uint64_t seed, double sparsity, double rms,
                     uint32_t histogram[static SYNTH_BINS]);

/* The architecture of a name, or NULL. */
typedef void (*synth_net_fn)(struct synth *net);
synth_net_fn synth_net(const char *name);

/* Options of the network in the making. */
const struct synth_options *synth_wanted(const struct synth *net);

#endif
