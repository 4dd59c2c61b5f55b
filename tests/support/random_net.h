/* SPDX-License-Identifier: Apache-2.0 */
/* Random convolutional networks, with every kind of neighbour that plans must reckon with. */
#ifndef NM_TESTS_SUPPORT_RANDOM_NET_H
#define NM_TESTS_SUPPORT_RANDOM_NET_H

#include "tests/support/builder.h"

struct random_net {
    struct builder b;
    int32_t x, channels, size; /* the newest value */
    int32_t older;             /* a value of the same shape, or NMI_NONE */
    double sparsity;
    size_t alike; /* output channels that have the same zeros */
    bool clamps;  /* activations that float16 kernels do too */
};

/* Shape [images, channels, size, size] in, [images, 7] out, an inner value as second output. */
void random_net_make(struct random_net *n, uint64_t seed, double sparsity);
/* Convolutions, residuals and Concats only, with one output: float16 pays nearly everywhere. */
void random_net_convs(struct random_net *n, uint64_t seed);
/* Zeros in the weight that is this input of the newest node. */
void random_net_thin(struct random_net *n, int32_t node_input);

#endif
