/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/layer_fit.h"

#include "lib/base/mem.h"
#include "lib/prune/linear.h"
#include "lib/prune/solve.h"

#include <math.h>
#include <string.h>

/* The weights as the layer applies them. */
static void effective(const struct nmi_target *t, float *w)
{
    const float *data = t->info.constant->data;
    for (int64_t m = 0; m < (int64_t)t->groups * t->rows; m++) {
        const float scale = nmi_target_scale(t, m);
        for (int64_t k = 0; k < t->cols; k++) {
            w[m * t->cols + k] = scale * data[nmi_target_place(t, m, k)];
        }
    }
}

static struct nmi_problem problem_of(const struct nmi_layer_fit *fit, int32_t group)
{
    const struct nmi_samples *s = fit->samples;
    const struct nmi_target *t = fit->target;
    const int64_t at = (int64_t)group * t->rows;
    return (struct nmi_problem){.n = s->n,
                                .rows = t->rows,
                                .x = s->x + (int64_t)group * s->n * t->cols,
                                .full = s->full + at,
                                .skip = s->skip != NULL ? s->skip + at : NULL,
                                .ld = s->rows,
                                .fixed_bias = fit->fixed_bias,
                                .act = fit->act,
                                .pattern = t->pattern,
                                .shape = {t->rows, t->cols / t->taps, t->taps},
                                .sparsity = t->sparsity,
                                .rounds = fit->rounds,
                                .threads = fit->threads};
}

/* ---- blocks of columns ---------------------------------------------------------------------- */

struct blocks {
    const struct nmi_problem *whole;
    int64_t cols, from, count; /* of the block */
    float *w;                  /* [rows][cols] of the whole: old, then new */
    float *x, *w_block;        /* columns of the block */
    float *rest;               /* [n][rows]: skip and what all other blocks give */
};

/* rest += x w' of the block. */
static nm_status add_block(const struct blocks *b, const float *w, nm_error *err)
{
    const struct nmi_product p = {.a = b->x, .b = w, .c = b->rest, .m = b->whole->n,
                                  .n = b->whole->rows, .k = b->count, .beta = 1, .trans_b = true};
    return nmi_product(b->whole->threads, &p, err);
}

static void load_block(const struct blocks *b)
{
    for (int64_t i = 0; i < b->whole->n; i++) {
        memcpy(b->x + i * b->count, b->whole->x + i * b->cols + b->from,
               (size_t)b->count * sizeof *b->x);
    }
    for (int64_t m = 0; m < b->whole->rows; m++) {
        memcpy(b->w_block + m * b->count, b->w + m * b->cols + b->from,
               (size_t)b->count * sizeof *b->w);
    }
}

/* The block's share, such that the zeros of all blocks are those of the whole. */
static double sparsity_of(const struct blocks *b)
{
    const double rows = b->whole->rows, share = b->whole->sparsity * rows;
    const double before = floor(share * (double)b->from + 1e-6);
    const double after = floor(share * (double)(b->from + b->count) + 1e-6);
    return (after - before) / (rows * (double)b->count);
}

static nm_status solve_block(struct blocks *b, float *bias, nm_error *err)
{
    const int64_t elems = b->whole->rows * b->count;
    load_block(b);
    float *negative = nmi_alloc((size_t)elems * sizeof *negative);
    if (negative == NULL) {
        return nmi_fail_memory(err, (size_t)elems * sizeof *negative, "a block");
    }
    for (int64_t i = 0; i < elems; i++) {
        negative[i] = -b->w_block[i];
    }
    nm_status status = add_block(b, negative, err);
    struct nmi_problem p = *b->whole;
    p.x = b->x;
    p.skip = b->rest;
    p.w0 = b->w_block;
    p.sparsity = sparsity_of(b);
    p.shape.channels = (int32_t)(b->count / p.shape.taps);
    struct nmi_solution s = {.w = negative, .b = bias};
    status = status == NM_OK ? nmi_solve(&p, &s, err) : status;
    status = status == NM_OK ? add_block(b, s.w, err) : status;
    for (int64_t m = 0; m < b->whole->rows && status == NM_OK; m++) {
        memcpy(b->w + m * b->cols + b->from, s.w + m * b->count, (size_t)b->count * sizeof *b->w);
    }
    nmi_free(negative);
    return status;
}

/* What all blocks give together, and the skip, laid out as the problem wants its skip. */
static nm_status begin_rest(struct blocks *b, nm_error *err)
{
    const struct nmi_problem *p = b->whole;
    for (int64_t i = 0; i < p->n; i++) {
        for (int32_t m = 0; m < p->rows; m++) {
            b->rest[i * p->rows + m] = p->skip != NULL ? p->skip[i * p->ld + m] : 0;
        }
    }
    const struct nmi_product all = {.a = p->x, .b = b->w, .c = b->rest, .m = p->n, .n = p->rows,
                                    .k = b->cols, .beta = 1, .trans_b = true};
    return nmi_product(p->threads, &all, err);
}

/* Block after block, each against what the others leave (block coordinate descent); groups do not
 * come here, so that ld is rows. */
static nm_status solve_blocks(const struct nmi_problem *whole, int64_t cols, float *w, float *bias,
                              nm_error *err)
{
    const int64_t group = whole->pattern.b > 1 ? whole->pattern.b : 1; /* channels, not to be cut */
    const int64_t groups = NMI_GRAM_BLOCK / (whole->shape.taps * group);
    const int64_t width = (groups > 0 ? groups : 1) * group * whole->shape.taps;
    struct blocks b = {.whole = whole, .cols = cols, .w = w};
    b.x = nmi_alloc((size_t)(whole->n * width) * sizeof *b.x);
    b.w_block = nmi_alloc((size_t)(whole->rows * width) * sizeof *b.w_block);
    b.rest = nmi_alloc((size_t)(whole->n * whole->rows) * sizeof *b.rest);
    nm_status status = b.x != NULL && b.w_block != NULL && b.rest != NULL
                           ? begin_rest(&b, err)
                           : nmi_fail_memory(err, (size_t)(whole->n * width) * 4, "a block");
    for (b.from = 0; b.from < cols && status == NM_OK; b.from += width) {
        b.count = cols - b.from < width ? cols - b.from : width;
        status = solve_block(&b, bias, err);
    }
    nmi_free(b.x);
    nmi_free(b.w_block);
    nmi_free(b.rest);
    return status;
}

/* ---- groups --------------------------------------------------------------------------------- */

static nm_status fit_group(const struct nmi_layer_fit *fit, int32_t group, float *w, float *b,
                           double *error, nm_error *err)
{
    const struct nmi_target *t = fit->target;
    struct nmi_problem p = problem_of(fit, group);
    float *w0 = w + (int64_t)group * t->rows * t->cols, *b0 = b + (int64_t)group * t->rows;
    p.b0 = b0;
    if (t->cols > NMI_GRAM_COLS && t->groups == 1) {
        *error = -1;
        return solve_blocks(&p, t->cols, w0, b0, err);
    }
    const size_t bytes = (size_t)t->rows * (size_t)t->cols * sizeof *w;
    float *fresh = nmi_alloc(bytes);
    if (fresh == NULL) {
        return nmi_fail_memory(err, bytes, "a layer");
    }
    p.w0 = w0;
    struct nmi_solution s = {.w = fresh, .b = b0};
    const nm_status status = nmi_solve(&p, &s, err);
    if (status == NM_OK) {
        memcpy(w0, fresh, bytes);
        *error = s.error;
    }
    nmi_free(fresh);
    return status;
}

nm_status nmi_layer_fit(const struct nmi_layer_fit *fit, float *w, float *b, double *error,
                        nm_error *err)
{
    double sum = 0;
    effective(fit->target, w);
    nmi_target_bias(fit->targets, fit->target, b);
    for (int32_t g = 0; g < fit->target->groups; g++) {
        double one = 0;
        NMI_TRY(fit_group(fit, g, w, b, &one, err));
        sum += one;
    }
    *error = sum / fit->target->groups;
    return NM_OK;
}

/* What magnitude pruning would lose of the weights' squares: for layers too large for a curve. */
static nm_status rough_curve(const struct nmi_layer_fit *fit, const float *w,
                             struct nmi_layer_grid *grid, nm_error *err)
{
    const struct nmi_target *t = fit->target;
    const struct nmi_pattern_shape shape = {t->rows, t->cols / t->taps, t->taps};
    const int64_t n = (int64_t)t->rows * t->cols;
    uint8_t *mask = nmi_alloc((size_t)n);
    if (mask == NULL) {
        return nmi_fail_memory(err, (size_t)n, "a layer");
    }
    nm_status status = NM_OK;
    for (int i = 0; i < NMI_GRID && status == NM_OK; i++) {
        double gone = 0, all = 0;
        status = nmi_pattern_select(&t->pattern, &shape, w, nmi_grid[i], mask, err);
        for (int64_t k = 0; k < n && status == NM_OK; k++) {
            const double square = (double)w[k] * (double)w[k];
            all += square;
            gone += mask[k] ? 0 : square;
        }
        grid->error[i] = all > 0 ? gone / all : 0;
    }
    nmi_free(mask);
    return status;
}

static nm_status grid_room(const struct nmi_target *t, struct nmi_layer_grid *grid, nm_error *err)
{
    const size_t rows = (size_t)t->groups * (size_t)t->rows;
    const size_t bytes = (size_t)t->info.elems * sizeof(float);
    for (int i = 0; i < NMI_GRID; i++) {
        grid->w[i] = nmi_alloc(bytes);
        grid->b[i] = nmi_alloc(rows * sizeof(float));
        if (grid->w[i] == NULL || grid->b[i] == NULL) {
            return nmi_fail_memory(err, bytes, "weights of an analysis");
        }
    }
    return NM_OK;
}

void nmi_layer_grid_free(struct nmi_layer_grid *grid)
{
    for (int i = 0; i < NMI_GRID; i++) {
        nmi_free(grid->w[i]);
        nmi_free(grid->b[i]);
        grid->w[i] = grid->b[i] = NULL;
    }
}

static nm_status curve_group(const struct nmi_layer_fit *fit, int32_t g, const float *w, float *b,
                             struct nmi_layer_grid *grid, nm_error *err)
{
    const struct nmi_target *t = fit->target;
    const int64_t at = (int64_t)g * t->rows;
    struct nmi_solution solutions[NMI_GRID];
    struct nmi_problem p = problem_of(fit, g);
    p.rounds = 0;
    p.w0 = w + at * t->cols;
    p.b0 = b + at;
    for (int i = 0; i < NMI_GRID; i++) {
        solutions[i] = (struct nmi_solution){grid->w[i] + at * t->cols, grid->b[i] + at, 0};
    }
    NMI_TRY(nmi_solve_curve(&p, nmi_grid, NMI_GRID, solutions, err));
    for (int i = 0; i < NMI_GRID; i++) {
        grid->error[i] += solutions[i].error / t->groups;
    }
    return NM_OK;
}

nm_status nmi_layer_curve(const struct nmi_layer_fit *fit, bool keep, struct nmi_layer_grid *grid,
                          nm_error *err)
{
    const struct nmi_target *t = fit->target;
    const int64_t rows = (int64_t)t->groups * t->rows;
    float *w = nmi_alloc((size_t)t->info.elems * sizeof *w);
    float *b = nmi_alloc((size_t)rows * sizeof *b);
    nm_status status = w != NULL && b != NULL
                           ? NM_OK
                           : nmi_fail_memory(err, (size_t)t->info.elems * sizeof *w, "a layer");
    const bool rough = t->cols > NMI_GRAM_COLS;
    if (status == NM_OK) {
        effective(t, w);
        nmi_target_bias(fit->targets, t, b);
        status = rough ? rough_curve(fit, w, grid, err) : grid_room(t, grid, err);
    }
    for (int32_t g = 0; g < t->groups && status == NM_OK && !rough; g++) {
        status = curve_group(fit, g, w, b, grid, err);
    }
    if (!keep || status != NM_OK) {
        nmi_layer_grid_free(grid);
    }
    nmi_free(w);
    nmi_free(b);
    return status;
}
