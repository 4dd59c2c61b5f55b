/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of pruning share: random numbers, data in memory, small networks of every kind of layer. */
#ifndef NM_TESTS_SUPPORT_PRUNE_CASE_H
#define NM_TESTS_SUPPORT_PRUNE_CASE_H

#include "tests/support/onnx_build.h"

#include <stdbool.h>
#include <stddef.h>

/* Uniform in [-1, 1); the same for the same state. */
float prune_uniform(uint64_t *state);
/* n of them, in memory of malloc. */
float *prune_floats(size_t n, uint64_t seed);

/* ---- data ----------------------------------------------------------------------------------- */

struct prune_data {
    nm_data data; /* user is this struct: do not move it */
    float *x;     /* [items][elems] */
    int64_t elems;
    int64_t reads, fails_at; /* calls so far; the item whose reading fails with NM_EIO, or -1 */
};

/* Smooth random images (neighbours resemble each other): dims[rank] of one item. */
void prune_data_make(struct prune_data *d, int64_t items, int32_t rank, const int64_t *dims,
                     uint64_t seed);
void prune_data_free(struct prune_data *d);

/* ---- networks ------------------------------------------------------------------------------- */

/* Random weights "name.w" and, with bias, "name.b"; the node and its output are called name. */
struct prune_conv {
    int out, in, kernel, groups; /* in: of one group */
    bool bias;
    int stride;
};
void prune_put_conv(struct onnx_build *b, const char *name, const char *in, struct prune_conv c);
void prune_put_bn(struct onnx_build *b, const char *name, const char *in, int channels);
void prune_put_gemm(struct onnx_build *b, const char *name, const char *in, int out, int cols,
                    bool trans_b);
void prune_put_weight(struct onnx_build *b, const char *name, const char *shape, size_t n,
                      float largest);
nm_model *prune_load(struct onnx_build *b);

/*
 * x [N,3,8,8] -> stem 3x3 to 8, BN, Relu -> a 3x3 to 16, BN, Relu -> b 3x3, BN, + a, Relu -> dw -> Relu
 *   -> grp 3x3 of 4 groups, Relu -> mean -> f1 Gemm transB to 24, Relu -> f2 Gemm to 16, Relu
 *   -> mm MatMul to 12, Relu -> fc Gemm transB -> y [N,5]
 */
nm_model *prune_net(void);
/* x [N,3,6,6] -> stem 3x3 to 4, Relu -> a 3x3 to 6, Relu -> mean -> fc -> y [N,3] */
nm_model *prune_tiny(void);

/* ---- what comes out ------------------------------------------------------------------------- */

/* The weight of this name; fails the test when there is none. */
const nm_weight *prune_weight(const nm_model *model, const char *name);
int64_t prune_elems(const nm_weight *w);
int64_t prune_zeros(const nm_weight *w);
/* y of `count` items from `first` on, by rule, one thread; malloc; *n: floats. */
float *prune_run(const nm_model *model, const struct prune_data *d, int64_t first, int64_t count,
                 size_t *n);
/* The file's bytes; malloc. */
char *prune_saved(const nm_model *model, size_t *size);
/* Sum of (a - b)^2 over that of b^2. */
double prune_apart(const float *a, const float *b, size_t n);

#endif
