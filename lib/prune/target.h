/* SPDX-License-Identifier: Apache-2.0 */
/* The layers that pruning touches, and how much of each goes. */
#ifndef NM_PRUNE_TARGET_H
#define NM_PRUNE_TARGET_H

#include "lib/prune/pattern.h"
#include "lib/prune/recipe.h"
#include "lib/sparse/csr.h"

/*
 * A weight as its layer applies it: w[m] stands for scale[m] w[m] (a folded BatchNormalization). Seen
 * as groups x rows x cols: a grouped convolution's groups are matrices of their own.
 */
struct nmi_target {
    struct nmi_weight_info info; /* of the optimised graph */
    const float *scale;          /* of each output channel, or NULL */
    bool transposed;             /* in memory [cols][rows] (MatMul, Gemm without transB) */
    int32_t groups, rows, cols;  /* rows and cols of one group; cols = channels x taps */
    int32_t taps;
    bool chosen;
    bool refit; /* stays dense, but its weights may follow what the layers before it have become */
    double sparsity;
    struct nmi_pattern pattern;
};

struct nmi_targets {
    const struct nmi_graph *graph; /* optimised, with sources */
    struct nmi_target *at;         /* all weighted layers, in order */
    int32_t n;
};

/*
 * Chooses by the recipe (NULL: none) and by options->layers, exclude, sparsity, pattern. at lies in
 * the arena. NM_EINVAL: sparsity not in 0..1, a pattern that fits no layer or is none, NaN among the
 * weights. NM_EUNSUPPORTED: a pattern that fits a weight which the graph computes.
 */
nm_status nmi_targets_choose(const struct nmi_graph *graph, const nm_prune_options *options,
                             const struct nmi_recipe *recipe, struct nmi_arena *arena,
                             struct nmi_targets *targets, nm_error *err);

/* Names for sentences and reports. */
const char *nmi_target_node(const struct nmi_targets *targets, const struct nmi_target *t);
const char *nmi_target_weight(const struct nmi_targets *targets, const struct nmi_target *t);

/* Element [m][k] of the whole weight, m counted over all groups: its place in memory. */
static inline int64_t nmi_target_place(const struct nmi_target *t, int64_t m, int64_t k)
{
    return t->transposed ? k * t->rows + m : m * t->cols + k;
}

/* What output channel m's weights are multiplied by. */
static inline float nmi_target_scale(const struct nmi_target *t, int64_t m)
{
    return t->scale != NULL ? t->scale[m] : 1.0f;
}

/* The new data of a source weight, and the constant that holds it, marked sparse. */
nm_status nmi_target_write(const struct nmi_target *t, struct nmi_graph *pruned, float **data,
                           nm_error *err);

#endif
