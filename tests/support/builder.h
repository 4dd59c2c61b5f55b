/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small graphs for tests of passes: built in one line a node, evaluated by nmi_propagate (the
 * reference evaluator) before and after. Everything fails the running test on trouble.
 */
#ifndef NM_TESTS_SUPPORT_BUILDER_H
#define NM_TESTS_SUPPORT_BUILDER_H

#include "lib/ops/attrs.h"
#include "lib/ops/op.h"

struct builder {
    struct nmi_graph *g;
    uint64_t random;
    uint16_t opset; /* 13 */
};

#define DIMS(...)                                                                                  \
    (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (const int64_t[])                             \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define IDS(...)                                                                                   \
    (int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / 4), (const int32_t[])                             \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

void build_begin(struct builder *b, uint64_t seed);
void build_end(struct builder *b); /* frees the graph */
/* Free dims are written as -1 ("N", for the first) or -2 (a nameless one). */
int32_t build_input(struct builder *b, const char *name, int32_t rank, const int64_t *dims);
int32_t build_floats(struct builder *b, const char *name, int32_t rank, const int64_t *dims,
                     const float *values);
int32_t build_scalar(struct builder *b, float value);
int32_t build_ints(struct builder *b, int32_t n, const int64_t *values);
/* Random in [-1, 1), or [0.5, 1.5) for positive. */
int32_t build_random(struct builder *b, const char *name, int32_t rank, const int64_t *dims);
int32_t build_positive(struct builder *b, const char *name, int32_t rank, const int64_t *dims);
float build_uniform(struct builder *b); /* [0, 1) */
/* A node with default attributes and one output; returns the output's value. */
int32_t build_node(struct builder *b, uint16_t op, const char *name, int32_t n, const int32_t *in);
void *build_attrs(struct builder *b); /* of the node that was built last */
/* Conv of c to oc channels, k x k, padded by pad; the weight is named after it. */
int32_t build_conv(struct builder *b, const char *name, int32_t x, const int64_t ocick[3],
                   int64_t pad);
/* Pad of a constant: begins of the four axes, then ends. */
int32_t build_pad(struct builder *b, int32_t x, const int64_t pads[8], float value);
int32_t build_bn(struct builder *b, const char *name, int32_t x, int64_t channels);
void build_output(struct builder *b, int32_t value);

/* The names of optimised things. */
int32_t count_nodes(const struct nmi_graph *g, uint16_t op);
const struct nmi_node *find_node(const struct nmi_graph *g, uint16_t op); /* the first; fails */

/* Runs the passes named in a list ("infer fold dead"), or all of them for NULL, on a copy. */
struct nmi_graph *optimised(const struct nmi_graph *g, const char *passes);
/* Frees after; fails unless both give the same outputs, to 1e-5 of the largest, for random inputs
 * in which free dims are batch. */
void check_same(const struct nmi_graph *before, struct nmi_graph *after, int64_t batch);

#endif
