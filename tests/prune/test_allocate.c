/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles against all there are, for a few layers and choices. */
#include "lib/base/mem.h"
#include "lib/prune/allocate.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { LAYERS = 5, CHOICES = 4 };

struct table {
    double error[LAYERS * CHOICES], time[LAYERS * CHOICES], change[LAYERS];
    uint8_t mode[LAYERS * CHOICES];
    int32_t n, m;
};

static struct nmi_costs costs_of(const struct table *t)
{
    return (struct nmi_costs){t->n, t->m, t->error, t->time, t->mode, t->change};
}

/* Errors rise and times fall from choice to choice, as those of a grid do; unless wild. */
static struct table table_of(int32_t n, int32_t m, uint64_t seed, bool wild)
{
    struct table t = {.n = n, .m = m};
    for (int32_t i = 0; i < n * m; i++) {
        const int32_t c = i % m;
        t.error[i] = fabs((double)prune_uniform(&seed)) + (c > 0 && !wild ? t.error[i - 1] : 0);
        t.time[i] = fabs((double)prune_uniform(&seed)) + 0.01;
        t.time[i] = c > 0 && !wild ? t.time[i - 1] * (0.4 + 0.5 * (t.time[i] - 0.01)) : t.time[i];
        t.mode[i] = prune_uniform(&seed) > 0;
        t.change[i / m] = seed % 3 ? fabs((double)prune_uniform(&seed)) : 0;
    }
    return t;
}

static double error_of(const struct table *t, const int32_t *pick)
{
    double sum = 0;
    for (int32_t i = 0; i < t->n; i++) {
        ck_assert(pick[i] >= 0 && pick[i] < t->m);
        sum += t->error[i * t->m + pick[i]];
    }
    return sum;
}

static double time_of(const struct table *t, const int32_t *pick)
{
    double sum = 0;
    for (int32_t i = 0; i < t->n; i++) {
        const int32_t at = i * t->m + pick[i];
        const bool changes = i > 0 && t->mode[at] != t->mode[at - t->m - pick[i] + pick[i - 1]];
        sum += t->time[at] + (changes ? t->change[i] : 0);
    }
    return sum;
}

/* The profile of this number, of all that there are; false: there are no more. */
static bool profile(const struct table *t, int32_t code, int32_t *pick)
{
    for (int32_t i = 0; i < t->n; i++, code /= t->m) {
        pick[i] = code % t->m;
    }
    return code == 0;
}

/* Least error of all profiles within the budget. */
static double brute(const struct table *t, double budget)
{
    double best = INFINITY;
    int32_t pick[LAYERS] = {0};
    for (int32_t code = 0; profile(t, code, pick); code++) {
        if (time_of(t, pick) <= budget) {
            best = fmin(best, error_of(t, pick));
        }
    }
    return best;
}

static double least_time(const struct table *t)
{
    double best = INFINITY;
    int32_t pick[LAYERS] = {0};
    for (int32_t code = 0; profile(t, code, pick); code++) {
        best = fmin(best, time_of(t, pick));
    }
    return best;
}

/* Within the budget, no worse than the best of a budget smaller by what rounding may cost. */
static void check(const struct table *t, double budget)
{
    const struct nmi_costs costs = costs_of(t);
    int32_t pick[LAYERS];
    double reached;
    ck_assert_int_eq(nmi_allocate(&costs, budget, pick, &reached, NULL), NM_OK);
    ck_assert_double_eq_tol(reached, time_of(t, pick), 1e-12);
    const double tight = brute(t, budget * (1 - t->n / 4000.0));
    if (isfinite(tight)) {
        const double error = error_of(t, pick);
        ck_assert_double_le(reached, budget * (1 + 1e-9));
        ck_assert_double_le(error, tight + 1e-12);
        ck_assert_double_ge(error, brute(t, budget * (1 + 1e-9)) - 1e-12);
    } else {
        ck_assert_double_eq_tol(reached, least_time(t), budget / 1000);
    }
}

START_TEST(like_all_profiles_tried)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const struct table t =
            table_of(1 + (int32_t)(seed % LAYERS), 1 + (int32_t)(seed % CHOICES), seed, seed % 2);
        const double least = least_time(&t);
        for (double budget = least * 1.01; budget < 4 * least; budget *= 1.13) {
            check(&t, budget);
        }
    }
}
END_TEST

START_TEST(out_of_reach_the_fastest)
{
    const struct table t = table_of(4, 4, 9, true);
    const struct nmi_costs costs = costs_of(&t);
    const double budgets[] = {least_time(&t) * 0.99, 1e-9, 0, -1};
    for (size_t i = 0; i < NMI_COUNT(budgets); i++) {
        int32_t pick[LAYERS];
        double reached;
        ck_assert_int_eq(nmi_allocate(&costs, budgets[i], pick, &reached, NULL), NM_OK);
        ck_assert_double_eq_tol(reached, least_time(&t), 1e-12);
        ck_assert_double_eq_tol(time_of(&t, pick), reached, 1e-12);
    }
}
END_TEST

/* With time for everything each layer gets its least error. */
START_TEST(plenty_of_time_least_error)
{
    const struct table t = table_of(5, 4, 3, true);
    const struct nmi_costs costs = costs_of(&t);
    int32_t pick[LAYERS];
    double reached;
    ck_assert_int_eq(nmi_allocate(&costs, 1e6, pick, &reached, NULL), NM_OK);
    ck_assert_double_eq_tol(error_of(&t, pick), brute(&t, INFINITY), 1e-12);
}
END_TEST

START_TEST(layers_that_take_no_time)
{
    const double error[4] = {0, 1, 0, 1}, time[4] = {0, 0, 1, 0.5}, change[2] = {0};
    const uint8_t mode[4] = {0};
    const struct nmi_costs costs = {2, 2, error, time, mode, change}, none = {.m = 2};
    int32_t pick[2];
    double reached;
    ck_assert_int_eq(nmi_allocate(&costs, 1.01, pick, &reached, NULL), NM_OK);
    ck_assert(pick[0] == 0 && pick[1] == 0);
    ck_assert_int_eq(nmi_allocate(&costs, 0.7, pick, &reached, NULL), NM_OK);
    ck_assert(pick[0] == 0 && pick[1] == 1);
    ck_assert_int_eq(nmi_allocate(&none, 1, pick, &reached, NULL), NM_OK);
    ck_assert_double_eq(reached, 0);
}
END_TEST

/* Two sparse layers with a dense one between them: cheaper alone than with its two conversions. */
START_TEST(changes_of_layout_count)
{
    const double error[6] = {0, 1, 0, 9, 0, 1}, time[6] = {3, 1, 3, 2, 3, 1}, change[3] = {0, 2, 2};
    const uint8_t mode[6] = {0, 1, 0, 1, 0, 1};
    const struct nmi_costs costs = {3, 2, error, time, mode, change};
    int32_t pick[3];
    double reached;
    ck_assert_int_eq(nmi_allocate(&costs, 5.5, pick, &reached, NULL), NM_OK);
    ck_assert(pick[0] == 1 && pick[1] == 1 && pick[2] == 1 && reached == 4);
    ck_assert_int_eq(nmi_allocate(&costs, 9.1, pick, &reached, NULL), NM_OK);
    ck_assert(pick[0] == 0 && pick[1] == 0 && pick[2] == 0);
}
END_TEST

START_TEST(no_memory_reported)
{
    const struct table t = table_of(3, 3, 1, false);
    const struct nmi_costs costs = costs_of(&t);
    const size_t live = nmi_alloc_live();
    for (long n = 1; n <= 2; n++) {
        int32_t pick[LAYERS];
        double reached;
        nm_error err = {NM_OK, ""};
        nmi_alloc_fail_after(n, 0);
        ck_assert_int_eq(nmi_allocate(&costs, 1, pick, &reached, &err), NM_ENOMEM);
        nmi_alloc_fail_after(0, 0);
        ck_assert_uint_eq(nmi_alloc_live(), live);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("allocate");
    TCase *t = tcase_create("allocate");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, like_all_profiles_tried);
    tcase_add_test(t, out_of_reach_the_fastest);
    tcase_add_test(t, plenty_of_time_least_error);
    tcase_add_test(t, layers_that_take_no_time);
    tcase_add_test(t, changes_of_layout_count);
    tcase_add_test(t, no_memory_reported);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
