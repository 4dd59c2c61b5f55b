/* SPDX-License-Identifier: Apache-2.0 */
/* A layer to be pruned alone, whose right answer is known. */
#ifndef NM_TESTS_SUPPORT_LAYER_CASE_H
#define NM_TESTS_SUPPORT_LAYER_CASE_H

#include "lib/prune/solve.h"

/* A layer whose dense values are full = x w_true' + b_true (+ skip). */
struct layer_case {
    struct nmi_problem p;
    float *x, *full, *skip, *w0, *b0, *w_true;
    float *w, *b;
    int32_t k;
};

/* n samples of k inputs in memory of malloc; neighbours resemble each other. */
float *layer_inputs(int64_t n, int32_t k, uint64_t seed);
/* One of keep_of weights of w_true is not zero; w0 is near it, and p asks for that sparsity. */
void layer_make(struct layer_case *l, int64_t n, int32_t rows, int32_t k, int32_t keep_of);
void layer_fill(struct layer_case *l); /* full anew, after x, skip or w_true was changed */
void layer_drop(struct layer_case *l);

/* Into w and b, which are finite; the error that is reported. */
double layer_solve(struct layer_case *l);
int32_t layer_zeros(const struct layer_case *l);
/* Mean square of what w and b miss over that of the value, both behind the activation when cut. */
double layer_missed(const struct layer_case *l, const float *w, const float *b, bool cut);

#endif
