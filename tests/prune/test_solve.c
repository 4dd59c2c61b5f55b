/* SPDX-License-Identifier: Apache-2.0 */
/* One layer's mask and weights: known answers, brute force, normal equations, awkward inputs. */
#include "lib/prune/covariance.h"
#include "tests/support/layer_case.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- known answers -------------------------------------------------------------------------- */

START_TEST(sparse_layer_found_again)
{
    for (int32_t keep_of = 2; keep_of <= 8; keep_of *= 2) {
        struct layer_case l;
        layer_make(&l, 3000, 8, 32, keep_of);
        const double error = layer_solve(&l);
        ck_assert_msg(error < 1e-4, "1 of %d: error is %g", keep_of, error);
        ck_assert_int_eq(layer_zeros(&l), 8 * 32 - 8 * 32 / keep_of);
        for (int32_t i = 0; i < 8 * 32; i++) {
            ck_assert_msg((l.w[i] == 0) == (l.w_true[i] == 0), "weight %d is %g, was %g", i,
                          (double)l.w[i], (double)l.w_true[i]);
            ck_assert_float_eq_tol(l.w[i], l.w_true[i], 0.01f);
        }
        for (int32_t m = 0; m < 8; m++) {
            ck_assert_float_eq_tol(l.b[m], l.b0[m], 0.02f);
        }
        layer_drop(&l);
    }
}
END_TEST

/* The skip that the pruned network has is taken off the target. */
START_TEST(skip_is_made_up_for)
{
    struct layer_case l;
    layer_make(&l, 2000, 4, 16, 4);
    l.skip = prune_floats(2000 * 4, 77);
    l.p.skip = l.skip;
    layer_fill(&l);
    ck_assert_double_lt(layer_solve(&l), 1e-4);
    for (int32_t i = 0; i < 4 * 16; i++) {
        ck_assert_float_eq_tol(l.w[i], l.w_true[i], 0.01f);
    }
    layer_drop(&l);
}
END_TEST

START_TEST(nothing_pruned_nothing_changed)
{
    struct layer_case l;
    layer_make(&l, 500, 3, 10, 1);
    l.p.sparsity = 0;
    ck_assert_double_lt(layer_solve(&l), 1e-4);
    ck_assert_int_eq(layer_zeros(&l), 0);
    ck_assert_double_lt(layer_missed(&l, l.w, l.b, false), 1e-4);
    layer_drop(&l);
}
END_TEST

START_TEST(all_pruned_bias_is_the_mean)
{
    struct layer_case l;
    layer_make(&l, 500, 3, 10, 1);
    l.p.sparsity = 1;
    ck_assert_double_eq_tol(layer_solve(&l), 1, 1e-6);
    ck_assert_int_eq(layer_zeros(&l), 30);
    for (int32_t m = 0; m < 3; m++) {
        double mean = 0;
        for (int32_t i = 0; i < 500; i++) {
            mean += (double)l.full[i * 3 + m] / 500;
        }
        ck_assert_float_eq_tol(l.b[m], (float)mean, 1e-4f);
    }
    layer_drop(&l);
}
END_TEST

/* ---- plain algebra -------------------------------------------------------------------------- */

/* Solves a x = b for a[n][n] by elimination with pivots; both are spoilt. */
static void eliminate(double *a, double *b, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t best = i;
        for (int32_t r = i + 1; r < n; r++) {
            best = fabs(a[r * n + i]) > fabs(a[best * n + i]) ? r : best;
        }
        for (int32_t c = 0; c < n; c++) {
            const double t = a[i * n + c];
            a[i * n + c] = a[best * n + c];
            a[best * n + c] = t;
        }
        const double t = b[i];
        b[i] = b[best];
        b[best] = t;
        for (int32_t r = 0; r < n; r++) {
            const double by = r == i ? 0 : a[r * n + i] / a[i * n + i];
            for (int32_t c = 0; c < n; c++) {
                a[r * n + c] -= by * a[i * n + c];
            }
            b[r] -= by * b[i];
        }
    }
    for (int32_t i = 0; i < n; i++) {
        b[i] /= a[i * n + i];
    }
}

/* (g[s][s] + d) w = c[s] + d w0[s], row by row. */
static void plain_refit(const struct nmi_covariance *s, const float *w0, const uint8_t *mask, double *w)
{
    double *a = malloc((size_t)(s->k * s->k) * sizeof *a), *b = malloc((size_t)s->k * sizeof *b);
    for (int32_t m = 0; m < s->m; m++) {
        int32_t n = 0, *at = malloc((size_t)s->k * sizeof *at);
        for (int32_t k = 0; k < s->k; k++) {
            w[m * s->k + k] = 0;
            at[n] = k;
            n += mask[m * s->k + k];
        }
        for (int32_t i = 0; i < n; i++) {
            for (int32_t j = 0; j < n; j++) {
                a[i * n + j] = s->g[at[i] * s->k + at[j]] + (i == j ? s->damping : 0);
            }
            b[i] = s->c[m * s->k + at[i]] + s->damping * (double)w0[m * s->k + at[i]];
        }
        eliminate(a, b, n);
        for (int32_t i = 0; i < n; i++) {
            w[m * s->k + at[i]] = b[i];
        }
        free(at);
    }
    free(a);
    free(b);
}

/* rows that share a mask with the one before, that have nothing left, and that have all. */
START_TEST(refit_solves_the_normal_equations)
{
    for (int32_t k = 1; k <= 90; k += k < 10 ? 1 : 20) {
        struct layer_case l;
        struct nmi_covariance s;
        uint64_t seed = (uint64_t)k;
        layer_make(&l, 400, 11, k, 3);
        ck_assert_int_eq(nmi_covariance_begin(&s, &l.p, NULL), NM_OK);
        ck_assert_int_eq(nmi_covariance_target(&s, &l.p, l.full, NULL), NM_OK);
        uint8_t *mask = malloc((size_t)(11 * k));
        double *want = malloc((size_t)(11 * k) * sizeof *want);
        for (int32_t i = 0; i < 11 * k; i++) {
            const int32_t m = i / k;
            mask[i] = m == 2 ? 0 : m == 3 ? 1 : m == 7 ? mask[i - k] : prune_uniform(&seed) > 0;
        }
        plain_refit(&s, l.w0, mask, want);
        ck_assert_int_eq(nmi_refit(&s, l.w0, mask, l.w, NULL), NM_OK);
        for (int32_t i = 0; i < 11 * k; i++) {
            ck_assert_msg(fabs((double)l.w[i] - want[i]) < 1e-5, "k = %d: weight %d is %g, not %g", k,
                          i, (double)l.w[i], want[i]);
        }
        nmi_covariance_free(&s);
        free(want);
        free(mask);
        layer_drop(&l);
    }
}
END_TEST

/* The least error of all masks that keep 3 of k = 8. */
static double brute(struct layer_case *l)
{
    struct nmi_covariance s;
    double best = INFINITY, w[8];
    float single[8];
    ck_assert_int_eq(nmi_covariance_begin(&s, &l->p, NULL), NM_OK);
    ck_assert_int_eq(nmi_covariance_target(&s, &l->p, l->full, NULL), NM_OK);
    for (int set = 0; set < 256; set++) {
        uint8_t mask[8];
        int n = 0;
        for (int i = 0; i < 8; i++) {
            mask[i] = (uint8_t)(set >> i & 1);
            n += mask[i];
        }
        if (n == 3) {
            plain_refit(&s, l->w0, mask, w);
            for (int i = 0; i < 8; i++) {
                single[i] = (float)w[i];
            }
            best = fmin(best, nmi_covariance_error(&s, single));
        }
    }
    nmi_covariance_free(&s);
    return best;
}

START_TEST(near_the_best_of_all_masks)
{
    double sum = 0;
    for (uint64_t i = 1; i <= 40; i++) {
        struct layer_case l;
        uint64_t seed = i;
        layer_make(&l, 200, 1, 8, 1);
        free(l.x);
        l.p.x = l.x = layer_inputs(200, 8, seed);
        for (int k = 0; k < 8; k++) {
            l.w0[k] = l.w_true[k] = prune_uniform(&seed);
        }
        l.p.sparsity = 5.0 / 8;
        layer_fill(&l);
        const double best = brute(&l), error = layer_solve(&l);
        ck_assert_int_eq(layer_zeros(&l), 5);
        ck_assert_double_ge(error, best * (1 - 1e-4));
        sum += error / best;
        layer_drop(&l);
    }
    ck_assert_msg(sum / 40 < 1.2, "on average %g of the best", sum / 40);
}
END_TEST

START_TEST(curve_is_what_single_calls_give)
{
    static const double at[] = {0, 0.3, 0.5, 0.9, 1};
    struct nmi_solution curve[5];
    struct layer_case l;
    layer_make(&l, 800, 6, 20, 3);
    for (int i = 0; i < 5; i++) {
        curve[i] = (struct nmi_solution){malloc(6 * 20 * sizeof(float)), malloc(6 * sizeof(float)), -1};
    }
    ck_assert_int_eq(nmi_solve_curve(&l.p, at, 5, curve, NULL), NM_OK);
    for (int i = 0; i < 5; i++) {
        l.p.sparsity = at[i];
        ck_assert_double_eq(layer_solve(&l), curve[i].error);
        ck_assert_mem_eq(l.w, curve[i].w, 6 * 20 * sizeof(float));
        ck_assert_mem_eq(l.b, curve[i].b, 6 * sizeof(float));
        ck_assert(i == 0 || curve[i].error >= curve[i - 1].error - 1e-4);
        free(curve[i].w);
        free(curve[i].b);
    }
    layer_drop(&l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("solve");
    TCase *t = tcase_create("solve");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, sparse_layer_found_again);
    tcase_add_test(t, skip_is_made_up_for);
    tcase_add_test(t, nothing_pruned_nothing_changed);
    tcase_add_test(t, all_pruned_bias_is_the_mean);
    tcase_add_test(t, refit_solves_the_normal_equations);
    tcase_add_test(t, near_the_best_of_all_masks);
    tcase_add_test(t, curve_is_what_single_calls_give);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
