/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer: which weights go, and what the others become, so that w x + b is near the target at the
 * sampled positions. The mask by ADMM (Boza 2024, "Fast and effective weight update for pruned large
 * language models"), the weights by least squares on the mask (row by row, damped towards the old
 * ones), and where an activation cuts values off, targets that leave what is cut off alone.
 */
#ifndef NM_PRUNE_SOLVE_H
#define NM_PRUNE_SOLVE_H

#include "kernels/kernel.h"
#include "lib/prune/pattern.h"

struct nmi_problem {
    int64_t n;             /* samples */
    int32_t rows;          /* outputs, m */
    const float *x;        /* [n][k], k = shape's channels x taps */
    const float *full;     /* [n] rows ld apart: the dense value before the activation */
    const float *skip;     /* the same: what is added to the layer's own output; NULL: nothing */
    int64_t ld;
    const float *w0;       /* [m][k] */
    const float *b0;       /* [m], when the bias is fixed */
    bool fixed_bias;
    struct nmi_act act;
    struct nmi_pattern pattern;
    struct nmi_pattern_shape shape;
    double sparsity;
    int32_t rounds;        /* with targets that know the activation, after the first solution */
    int32_t threads;
};

struct nmi_solution {
    float *w;     /* [m][k], of the caller */
    float *b;     /* [m] */
    double error; /* mean square of what is missed, relative to the target's variance */
};

nm_status nmi_solve(const struct nmi_problem *problem, struct nmi_solution *solution, nm_error *err);

/* The first solution (no rounds) at several sparsities: solutions[n], whose w and b the caller gives. */
nm_status nmi_solve_curve(const struct nmi_problem *problem, const double *sparsities, int32_t n,
                          struct nmi_solution *solutions, nm_error *err);

#endif
