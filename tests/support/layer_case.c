/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/layer_case.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

float *layer_inputs(int64_t n, int32_t k, uint64_t seed)
{
    float *x = prune_floats((size_t)(n * k), seed);
    for (int64_t i = 0; i < n * k; i++) {
        x[i] = i % k == 0 ? x[i] : 0.6f * x[i - 1] + x[i] + 0.2f;
    }
    return x;
}

void layer_fill(struct layer_case *l)
{
    for (int64_t i = 0; i < l->p.n; i++) {
        for (int32_t m = 0; m < l->p.rows; m++) {
            double sum = (double)l->b0[m];
            for (int32_t k = 0; k < l->k; k++) {
                sum += (double)l->w_true[m * l->k + k] * (double)l->x[i * l->k + k];
            }
            l->full[i * l->p.rows + m] =
                (float)sum + (l->skip != NULL ? l->skip[i * l->p.rows + m] : 0);
        }
    }
}

void layer_make(struct layer_case *l, int64_t n, int32_t rows, int32_t k, int32_t keep_of)
{
    const size_t weights = (size_t)(rows * k);
    *l = (struct layer_case){.k = k};
    l->x = layer_inputs(n, k, (uint64_t)(n + k));
    l->w_true = prune_floats(weights, 5);
    l->w0 = prune_floats(weights, 6);
    l->b0 = prune_floats((size_t)rows, 7);
    for (size_t i = 0; i < weights; i++) {
        const bool stays = (i * 7 + i / (size_t)k) % (size_t)keep_of == 0;
        l->w_true[i] = stays ? l->w_true[i] + (l->w_true[i] < 0 ? -0.5f : 0.5f) : 0;
        l->w0[i] = l->w_true[i] + 0.1f * l->w0[i];
    }
    l->full = malloc((size_t)(n * rows) * sizeof *l->full);
    l->w = malloc(weights * sizeof *l->w);
    l->b = malloc((size_t)rows * sizeof *l->b);
    l->p = (struct nmi_problem){.n = n, .rows = rows, .x = l->x, .full = l->full, .ld = rows,
                                .w0 = l->w0, .b0 = l->b0, .pattern = {NMI_PATTERN_ANY, 1, 1},
                                .shape = {rows, k, 1}, .sparsity = 1 - 1.0 / keep_of, .threads = 1};
    layer_fill(l);
}

void layer_drop(struct layer_case *l)
{
    float *const all[] = {l->x, l->full, l->skip, l->w0, l->b0, l->w_true, l->w, l->b};
    for (size_t i = 0; i < NMI_COUNT(all); i++) {
        free(all[i]);
    }
}

double layer_solve(struct layer_case *l)
{
    struct nmi_solution s = {l->w, l->b, -1};
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_solve(&l->p, &s, &err) == NM_OK, "%s", err.message);
    for (int32_t i = 0; i < l->p.rows * l->k; i++) {
        ck_assert_msg(isfinite(l->w[i]), "weight %d is %g", i, (double)l->w[i]);
    }
    for (int32_t m = 0; m < l->p.rows; m++) {
        ck_assert_msg(isfinite(l->b[m]), "bias %d is %g", m, (double)l->b[m]);
    }
    return s.error;
}

int32_t layer_zeros(const struct layer_case *l)
{
    int32_t n = 0;
    for (int32_t i = 0; i < l->p.rows * l->k; i++) {
        n += l->w[i] == 0;
    }
    return n;
}

double layer_missed(const struct layer_case *l, const float *w, const float *b, bool cut)
{
    double off = 0, all = 0;
    for (int64_t i = 0; i < l->p.n; i++) {
        for (int32_t m = 0; m < l->p.rows; m++) {
            const int64_t at = i * l->p.rows + m;
            double y = (double)b[m] + (l->skip != NULL ? (double)l->skip[at] : 0);
            double want = (double)l->full[at];
            for (int32_t k = 0; k < l->k; k++) {
                y += (double)w[m * l->k + k] * (double)l->x[i * l->k + k];
            }
            y = cut ? (double)nmi_act_apply(l->p.act, (float)y) : y;
            want = cut ? (double)nmi_act_apply(l->p.act, (float)want) : want;
            off += (y - want) * (y - want);
            all += want * want;
        }
    }
    return off / all;
}
