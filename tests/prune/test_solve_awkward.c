/* SPDX-License-Identifier: Apache-2.0 */
/* One layer with awkward inputs, activations, a fixed bias, threads, and memory that runs out. */
#include "lib/base/mem.h"
#include "tests/support/layer_case.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- inputs --------------------------------------------------------------------------------- */

static void set_column(struct layer_case *l, int32_t column, float value)
{
    for (int64_t i = 0; i < l->p.n; i++) {
        l->x[i * l->k + column] = value;
    }
    layer_fill(l);
}

START_TEST(constant_inputs_do_no_harm)
{
    static const float values[] = {0, 1, -30, 1000, 30000};
    for (size_t i = 0; i < NMI_COUNT(values); i++) {
        struct layer_case l;
        layer_make(&l, 2000, 6, 24, 3);
        set_column(&l, 0, values[i]);
        set_column(&l, 13, -values[i]);
        layer_solve(&l);
        const double missed = layer_missed(&l, l.w, l.b, false);
        ck_assert_int_eq(layer_zeros(&l), 6 * 24 - 6 * 24 / 3);
        double square = 0, varies = 0; /* the error counts against what varies, not the offset */
        for (int64_t k = 0; k < l.p.n * 6; k++) {
            const int64_t m = k % 6;
            double mean = 0;
            for (int64_t j = 0; j < l.p.n; j += 50) {
                mean += (double)l.full[j * 6 + m] / 40;
            }
            square += (double)l.full[k] * (double)l.full[k];
            varies += ((double)l.full[k] - mean) * ((double)l.full[k] - mean);
        }
        ck_assert_msg(missed * square / varies < 0.01, "constant %g: %g is missed", (double)values[i],
                      missed * square / varies);
        layer_drop(&l);
    }
}
END_TEST

START_TEST(all_inputs_constant_weights_by_size)
{
    struct layer_case l;
    layer_make(&l, 100, 3, 8, 2);
    for (int32_t k = 0; k < 8; k++) {
        set_column(&l, k, 0.5f);
    }
    layer_solve(&l);
    ck_assert_int_eq(layer_zeros(&l), 12);
    for (int32_t m = 0; m < 3; m++) {
        for (int32_t k = 0; k < 8; k++) {
            ck_assert(l.w[m * 8 + k] == 0 || l.w[m * 8 + k] == l.w0[m * 8 + k]);
        }
    }
    ck_assert_double_lt(layer_missed(&l, l.w, l.b, false), 1e-9);
    layer_drop(&l);
}
END_TEST

START_TEST(dead_layer_stays_finite)
{
    struct layer_case l;
    layer_make(&l, 100, 3, 8, 2);
    memset(l.x, 0, 100 * 8 * sizeof *l.x);
    layer_fill(&l);
    ck_assert_double_eq(layer_solve(&l), 0);
    ck_assert_mem_eq(l.b, l.b0, 3 * sizeof *l.b);
    ck_assert_int_eq(layer_zeros(&l), 12);
    layer_drop(&l);
}
END_TEST

START_TEST(equal_inputs_do_no_harm)
{
    struct layer_case l;
    layer_make(&l, 1000, 6, 24, 3);
    for (int64_t i = 0; i < l.p.n; i++) {
        for (int32_t k = 1; k < 24; k += 3) { /* a third of the columns are twins or negatives */
            l.x[i * 24 + k] = k % 2 ? l.x[i * 24 + k - 1] : -l.x[i * 24 + k - 1];
        }
    }
    layer_fill(&l);
    ck_assert_double_lt(layer_solve(&l), 2e-3);
    ck_assert_int_eq(layer_zeros(&l), 6 * 24 - 6 * 24 / 3);
    layer_drop(&l);
}
END_TEST

START_TEST(columns_of_very_different_sizes)
{
    struct layer_case l;
    layer_make(&l, 1000, 4, 16, 2);
    for (int64_t i = 0; i < l.p.n * 16; i++) {
        l.x[i] *= (float)pow(10, (double)(i % 16) / 4 - 2);
    }
    layer_fill(&l);
    ck_assert_double_lt(layer_solve(&l), 1e-2);
    layer_drop(&l);
}
END_TEST

/* Fewer samples than inputs, down to one. */
START_TEST(few_samples)
{
    for (int64_t n = 1; n <= 9; n += 2) {
        struct layer_case l;
        layer_make(&l, n, 3, 40, 2);
        layer_solve(&l);
        ck_assert_int_eq(layer_zeros(&l), 60);
        ck_assert_double_lt(layer_missed(&l, l.w, l.b, false), 0.05);
        layer_drop(&l);
    }
}
END_TEST

START_TEST(values_that_are_not_finite_refused)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN, 3e38f};
    for (size_t i = 0; i < NMI_COUNT(bad); i++) {
        for (int where = 0; where < 2; where++) {
            struct layer_case l;
            nm_error err = {NM_OK, ""};
            layer_make(&l, 100, 3, 8, 2);
            *(where ? &l.x[17] : &l.full[17]) = bad[i];
            struct nmi_solution s = {l.w, l.b, 0};
            const size_t live = nmi_alloc_live();
            ck_assert_msg(nmi_solve(&l.p, &s, &err) == NM_EINVAL, "%g among %s was taken",
                          (double)bad[i], where ? "inputs" : "targets");
            ck_assert_ptr_nonnull(strstr(err.message, "finite"));
            ck_assert_uint_eq(nmi_alloc_live(), live);
            layer_drop(&l);
        }
    }
}
END_TEST

/* ---- bias ----------------------------------------------------------------------------------- */

START_TEST(fixed_bias_stays)
{
    struct layer_case l;
    layer_make(&l, 3000, 6, 24, 3);
    l.p.fixed_bias = true;
    ck_assert_double_lt(layer_solve(&l), 1e-3);
    ck_assert_mem_eq(l.b, l.b0, 6 * sizeof *l.b);
    for (int32_t i = 0; i < 6 * 24; i++) {
        ck_assert_float_eq_tol(l.w[i], l.w_true[i], 0.02f);
    }
    layer_drop(&l);
}
END_TEST

/* What a free bias would take on, the weights must: the means count. */
START_TEST(fixed_bias_weights_carry_the_mean)
{
    struct layer_case l;
    layer_make(&l, 2000, 4, 12, 1);
    l.p.fixed_bias = true;
    l.p.sparsity = 0.75;
    for (int64_t i = 0; i < l.p.n * 12; i++) {
        l.x[i] += 2;
    }
    layer_fill(&l);
    layer_solve(&l);
    const double fitted = layer_missed(&l, l.w, l.b, false);
    for (int32_t i = 0; i < 4 * 12; i++) {
        l.w[i] = l.w[i] != 0 ? l.w0[i] : 0;
    }
    ck_assert_double_lt(fitted, 0.5 * layer_missed(&l, l.w, l.b, false));
    layer_drop(&l);
}
END_TEST

/* ---- activations ---------------------------------------------------------------------------- */

/* Later rounds may only mend what the activation lets through. */
static void expect_rounds(struct nmi_act act, bool skip, double sparsity)
{
    struct layer_case l;
    layer_make(&l, 2000, 12, 30, 1);
    l.p.act = act;
    l.p.sparsity = sparsity;
    if (skip) {
        l.skip = prune_floats(2000 * 12, 3);
        l.p.skip = l.skip;
    }
    layer_fill(&l);
    const double said = layer_solve(&l), first = layer_missed(&l, l.w, l.b, true);
    l.p.rounds = 4;
    ck_assert_double_eq(layer_solve(&l), said); /* of the first solution */
    const double last = layer_missed(&l, l.w, l.b, true);
    ck_assert_msg(last <= first * 1.01, "act %d, skip %d at %g: %g became %g", act.kind, skip,
                  sparsity, first, last);
    ck_assert_int_eq(layer_zeros(&l), (int32_t)floor(360 * sparsity + 1e-6));
    layer_drop(&l);
}

START_TEST(rounds_never_lose)
{
    static const struct nmi_act acts[] = {
        {NMI_ACT_RELU, 0, 0}, {NMI_ACT_CLIP, 0, 1}, {NMI_ACT_CLIP, -0.5f, 0.5f}};
    static const double sparsities[] = {0.5, 0.7, 0.8, 0.9, 0.95};
    for (size_t i = 0; i < NMI_COUNT(acts); i++) {
        for (size_t k = 0; k < NMI_COUNT(sparsities); k++) {
            expect_rounds(acts[i], false, sparsities[k]);
            expect_rounds(acts[i], true, sparsities[k]);
        }
    }
}
END_TEST

START_TEST(rounds_change_nothing_without_a_cut)
{
    struct layer_case l;
    float first[6 * 24];
    layer_make(&l, 500, 6, 24, 3);
    layer_solve(&l);
    memcpy(first, l.w, sizeof first);
    l.p.rounds = 4;
    layer_solve(&l);
    ck_assert_mem_eq(l.w, first, sizeof first);
    layer_drop(&l);
}
END_TEST

/* ---- patterns ------------------------------------------------------------------------------- */

/* Zeros of a solution are what the pattern says of some values: whole blocks, runs. */
START_TEST(patterns_hold)
{
    static const struct nmi_pattern patterns[] = {
        {NMI_PATTERN_BLOCK, 4, 1}, {NMI_PATTERN_BLOCK, 1, 4}, {NMI_PATTERN_N_M, 2, 4},
        {NMI_PATTERN_FILTER, 1, 1}};
    for (size_t i = 0; i < NMI_COUNT(patterns); i++) {
        struct layer_case l;
        layer_make(&l, 1000, 8, 36, 1);
        l.p.shape = (struct nmi_pattern_shape){8, 12, 3};
        l.p.pattern = patterns[i];
        l.p.sparsity = 0.5;
        const double error = layer_solve(&l);
        ck_assert_double_lt(error, 0.9);
        ck_assert_int_eq(layer_zeros(&l), 8 * 36 / 2);
        for (int32_t r = 0; r < 8; r++) {
            for (int32_t c = 0; c < 36; c++) {
                const bool zero = l.w[r * 36 + c] == 0;
                const int32_t channel = c / 3;
                int32_t other = c, row = r;
                if (patterns[i].kind == NMI_PATTERN_BLOCK && patterns[i].a == 4) {
                    row = r / 4 * 4;
                } else if (patterns[i].kind == NMI_PATTERN_BLOCK) {
                    other = channel / 4 * 4 * 3 + c % 3;
                } else if (patterns[i].kind == NMI_PATTERN_FILTER) {
                    other = 0;
                }
                ck_assert((l.w[row * 36 + other] == 0) == zero);
            }
        }
        layer_drop(&l);
    }
}
END_TEST

/* ---- threads and memory --------------------------------------------------------------------- */

START_TEST(same_bits_for_any_number_of_threads)
{
    for (int round = 0; round < 2; round++) {
        struct layer_case l;
        float w[40 * 150], b[40];
        layer_make(&l, 1500, 40, 150, 4);
        l.p.act.kind = NMI_ACT_RELU;
        l.p.rounds = 2 * round;
        for (int32_t threads = 1; threads <= 3; threads++) {
            l.p.threads = threads;
            layer_solve(&l);
            if (threads > 1) {
                ck_assert_mem_eq(l.w, w, sizeof w);
                ck_assert_mem_eq(l.b, b, sizeof b);
            }
            memcpy(w, l.w, sizeof w);
            memcpy(b, l.b, sizeof b);
        }
        layer_drop(&l);
    }
}
END_TEST

START_TEST(no_memory_reported)
{
    nm_status status = NM_ENOMEM;
    struct layer_case l;
    long refused = 0;
    layer_make(&l, 50, 5, 9, 3);
    l.p.act.kind = NMI_ACT_RELU;
    l.p.rounds = 2;
    layer_solve(&l); /* what is made once per process is there now */
    const size_t live = nmi_alloc_live();
    for (long n = 1; status != NM_OK; n++) {
        nm_error err = {NM_OK, ""};
        struct nmi_solution s = {l.w, l.b, 0};
        nmi_alloc_fail_after(n, 0);
        status = nmi_solve(&l.p, &s, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert_msg(status == NM_OK || status == NM_ENOMEM, "n = %ld: %s", n, err.message);
        ck_assert(status == NM_OK || err.message[0] != '\0');
        ck_assert_uint_eq(nmi_alloc_live(), live);
        refused += status != NM_OK;
    }
    ck_assert_int_gt(refused, 50);
    layer_drop(&l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("solve, awkward");
    TCase *t = tcase_create("solve, awkward");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, constant_inputs_do_no_harm);
    tcase_add_test(t, all_inputs_constant_weights_by_size);
    tcase_add_test(t, dead_layer_stays_finite);
    tcase_add_test(t, equal_inputs_do_no_harm);
    tcase_add_test(t, columns_of_very_different_sizes);
    tcase_add_test(t, few_samples);
    tcase_add_test(t, values_that_are_not_finite_refused);
    tcase_add_test(t, fixed_bias_stays);
    tcase_add_test(t, fixed_bias_weights_carry_the_mean);
    tcase_add_test(t, rounds_never_lose);
    tcase_add_test(t, rounds_change_nothing_without_a_cut);
    tcase_add_test(t, patterns_hold);
    tcase_add_test(t, same_bits_for_any_number_of_threads);
    tcase_add_test(t, no_memory_reported);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
