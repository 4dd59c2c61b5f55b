/* SPDX-License-Identifier: Apache-2.0 */
/* What pruning by reconstruction refuses, and how: options, data, progress, memory that runs out. */
#include "lib/base/mem.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const every[] = {"*"};
static nm_model *model;
static struct prune_data data;

static void prepare(void)
{
    model = prune_tiny();
    prune_data_make(&data, 12, 3, (const int64_t[]){3, 6, 6}, 1);
}

static void clean_up(void)
{
    prune_data_free(&data);
    nm_model_free(model);
}

static nm_prune_options options_of(double sparsity)
{
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    o.sparsity = sparsity;
    o.method = NM_PRUNE_RECONSTRUCT;
    o.data = &data.data;
    o.threads = 1;
    return o;
}

static nm_model *prune(const nm_prune_options *o)
{
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_prune(model, o, &pruned, &err) == NM_OK, "%s", err.message);
    return pruned;
}

static void expect_refused(const nm_prune_options *o, nm_status status, const char *words)
{
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    const size_t live = nmi_alloc_live();
    const nm_status got = nm_model_prune(model, o, &pruned, &err);
    ck_assert_msg(got == status, "%s instead of %s (\"%s\"): %s", nm_status_name(got),
                  nm_status_name(status), words, err.message);
    ck_assert_int_eq(err.status, status);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
    ck_assert_ptr_null(pruned);
    ck_assert_uint_eq(nmi_alloc_live(), live);
}

/* ---- options -------------------------------------------------------------------------------- */

START_TEST(numbers_out_of_range_refused)
{
    static const double shares[] = {-0.01, 1.01, INFINITY, NAN}, speeds[] = {1, 0.5, -1, 1e3, INFINITY, NAN};
    static const double drops[] = {-0.01, 1, 2, INFINITY, NAN};
    static const int32_t efforts[] = {INT32_MIN, -2, 1, INT32_MAX};
    for (size_t i = 0; i < NMI_COUNT(shares); i++) {
        nm_prune_options o = options_of(shares[i]);
        expect_refused(&o, NM_EINVAL, "sparsity");
    }
    for (size_t i = 0; i < NMI_COUNT(speeds); i++) {
        nm_prune_options o = options_of(0);
        o.speedup = speeds[i];
        expect_refused(&o, NM_EINVAL, "speedup");
    }
    for (size_t i = 0; i < NMI_COUNT(drops); i++) {
        nm_prune_options o = options_of(0);
        o.max_drop = drops[i];
        expect_refused(&o, NM_EINVAL, "max_drop");
    }
    for (size_t i = 0; i < NMI_COUNT(efforts); i++) {
        nm_prune_options o = options_of(0.5);
        o.effort = efforts[i];
        expect_refused(&o, NM_EINVAL, "effort");
    }
    nm_prune_options o = options_of(0.5);
    o.threads = -1;
    expect_refused(&o, NM_EINVAL, "threads");
}
END_TEST

START_TEST(words_without_sense_refused)
{
    static const char *const nothing[] = {"a", "no-such-layer*"}, *const missing[] = {NULL};
    nm_prune_options o = options_of(0.5);
    o.method = (nm_prune_method)9;
    expect_refused(&o, NM_EINVAL, "method 9");
    o = options_of(0.5);
    o.struct_size = 3;
    expect_refused(&o, NM_EINVAL, "struct_size");
    o = options_of(0.5);
    o.pattern = "5:4";
    expect_refused(&o, NM_EINVAL, "pattern 5:4");
    o = options_of(0.5);
    o.layers = nothing;
    o.n_layers = 2;
    expect_refused(&o, NM_EINVAL, "no-such-layer*");
    o = options_of(0.5);
    o.n_exclude = 1;
    expect_refused(&o, NM_EINVAL, "NULL");
    o = options_of(0.5);
    o.layers = missing;
    o.n_layers = 1;
    expect_refused(&o, NM_EINVAL, "NULL");
    o = options_of(0.5);
    o.exclude = missing;
    o.n_exclude = 1;
    expect_refused(&o, NM_EINVAL, "NULL");
    o = options_of(0);
    o.recipe = "nm-recipe 1\nlayer nowhere 0.5\n";
    expect_refused(&o, NM_EINVAL, "line 2");
    o.recipe = "nm-recipe 1\nsparsity 0.5\n";
    o.pattern = "4x1";
    expect_refused(&o, NM_EINVAL, "recipe");
}
END_TEST

START_TEST(what_needs_reconstruction_refused_without)
{
    for (int method = 0; method < 2; method++) {
        nm_prune_options o = options_of(0.5);
        o.method = (nm_prune_method)method;
        o.speedup = 2;
        expect_refused(&o, NM_EINVAL, "NM_PRUNE_RECONSTRUCT");
        o.speedup = 0;
        o.max_drop = 0.1;
        expect_refused(&o, NM_EINVAL, "NM_PRUNE_RECONSTRUCT");
    }
}
END_TEST

/* ---- data ----------------------------------------------------------------------------------- */

START_TEST(data_missing_or_of_another_shape_refused)
{
    nm_prune_options o = options_of(0.5);
    o.data = NULL;
    expect_refused(&o, NM_EINVAL, "needs data");
    nm_data d = data.data;
    o.data = &d;
    d.items = 0;
    expect_refused(&o, NM_EINVAL, "missing or empty");
    d.items = -5;
    expect_refused(&o, NM_EINVAL, "missing or empty");
    d = data.data;
    d.read = NULL;
    expect_refused(&o, NM_EINVAL, "missing or empty");
    d = data.data;
    d.struct_size = 7;
    expect_refused(&o, NM_EINVAL, "struct_size");
    static const struct {
        int32_t rank;
        int64_t dims[4];
    } shapes[] = {{2, {3, 36}}, {4, {1, 3, 6, 6}}, {3, {1, 6, 6}}, {3, {3, 6, 7}}, {3, {3, 6, 0}},
                  {3, {3, 6, -6}}, {0, {0}}, {-1, {0}}, {NM_MAX_DIMS, {0}}, {1000, {0}}};
    for (size_t i = 0; i < NMI_COUNT(shapes); i++) {
        d = data.data;
        d.rank = shapes[i].rank;
        memcpy(d.dims, shapes[i].dims, sizeof shapes[i].dims);
        expect_refused(&o, NM_ESHAPE, "shape of input x");
    }
    d = data.data;
    d.dims[0] = 4;
    o.data = &data.data;
    o.judge = &d;
    o.max_drop = 0.1;
    expect_refused(&o, NM_ESHAPE, "shape of input x");
}
END_TEST

START_TEST(values_that_are_not_finite_refused_by_item)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const int64_t items[] = {0, 5, 11};
    for (size_t i = 0; i < 3; i++) {
        char words[32];
        float *at = &data.x[items[i] * data.elems + (int64_t)i * 50];
        const float old = *at;
        nm_prune_options o = options_of(0.5);
        *at = bad[i];
        snprintf(words, sizeof words, "item %d has", (int)items[i]);
        expect_refused(&o, NM_EINVAL, words);
        o.max_drop = 0.5; /* the third that judges, and the rest */
        expect_refused(&o, NM_EINVAL, words);
        *at = old;
    }
}
END_TEST

/* Finite data whose activations are not. */
START_TEST(overflow_in_a_layer_refused_by_name)
{
    nm_prune_options o = options_of(0.5);
    o.layers = every;
    o.n_layers = 1;
    for (int64_t i = 0; i < data.data.items * data.elems; i++) {
        data.x[i] *= 1e36f;
    }
    expect_refused(&o, NM_EINVAL, "layer stem");
}
END_TEST

START_TEST(failed_reading_comes_back)
{
    for (int64_t item = 0; item < 12; item += 5) {
        nm_prune_options o = options_of(0.5);
        data.fails_at = item;
        expect_refused(&o, NM_EIO, "the tape is torn");
        o.max_drop = 0.5;
        expect_refused(&o, NM_EIO, "the tape is torn");
    }
    data.fails_at = -1;
}
END_TEST

START_TEST(too_few_items_to_judge_refused)
{
    nm_prune_options o = options_of(0);
    data.data.items = 1;
    o.max_drop = 0.5;
    expect_refused(&o, NM_EINVAL, "too few");
    data.data.items = 12;
}
END_TEST

START_TEST(analysis_of_free_sizes_needs_data)
{
    struct onnx_build b;
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    char *text = NULL;
    nm_error err = {NM_OK, ""};
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,3,H,W");
    prune_put_conv(&b, "a", "x", (struct prune_conv){4, 3, 3, 1, true, 1});
    onnx_build_output(&b, "a", NM_F32, NULL);
    nm_model *free_sizes = prune_load(&b);
    ck_assert_int_eq(nm_model_analyze(free_sizes, &o, &text, &err), NM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "data is needed"));
    ck_assert_ptr_null(text);
    nm_model_free(free_sizes);
}
END_TEST

/* ---- progress ------------------------------------------------------------------------------- */

struct progress {
    double last;
    int calls, stop_at;
};

static int watch(void *user, double done, const char *what)
{
    struct progress *p = user;
    ck_assert_msg(done >= p->last && done >= 0 && done <= 1, "%s: %g after %g", what, done, p->last);
    ck_assert_ptr_nonnull(what);
    p->last = done;
    return ++p->calls == p->stop_at;
}

/* Stopped at each call that is made without; then what it says. */
static void expect_progress(nm_prune_options *o, int at_least, bool analyse)
{
    struct progress whole = {0};
    nm_error err = {NM_OK, ""};
    o->progress = watch;
    o->progress_user = &whole;
    if (analyse) {
        char *json = NULL;
        ck_assert_msg(nm_model_analyze(model, o, &json, &err) == NM_OK, "%s", err.message);
        nm_string_free(json);
    } else {
        nm_model_free(prune(o));
    }
    ck_assert_int_ge(whole.calls, at_least);
    for (int at = 1; at <= whole.calls; at += 1 + whole.calls / 20) {
        struct progress p = {.stop_at = at};
        char *json = NULL;
        o->progress_user = &p;
        const size_t live = nmi_alloc_live();
        if (analyse) {
            ck_assert_int_eq(nm_model_analyze(model, o, &json, &err), NM_ECANCELED);
            ck_assert_ptr_null(json);
            ck_assert_uint_eq(nmi_alloc_live(), live);
        } else {
            expect_refused(o, NM_ECANCELED, "progress");
        }
        ck_assert_int_eq(p.calls, at);
    }
}

START_TEST(progress_rises_and_cancels)
{
    nm_prune_options o = options_of(0.5);
    o.layers = every;
    o.n_layers = 1;
    expect_progress(&o, 3, false);
}
END_TEST

START_TEST(progress_of_an_analysis_rises_and_cancels)
{
    nm_prune_options o = options_of(0);
    expect_progress(&o, 3, true);
}
END_TEST

/* Times differ from run to run, hence how many calls there are: the early ones. */
START_TEST(progress_of_a_search_rises_and_cancels)
{
    nm_prune_options o = options_of(0);
    struct progress whole = {0};
    o.max_drop = 0.9;
    o.progress = watch;
    o.progress_user = &whole;
    nm_model_free(prune(&o));
    ck_assert_int_ge(whole.calls, 10);
    for (int at = 1; at <= 16; at += 3) {
        struct progress p = {.stop_at = at};
        o.progress_user = &p;
        expect_refused(&o, NM_ECANCELED, "progress");
    }
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------- */

static void sweep(int sticky, int32_t threads, long step)
{
    nm_prune_options o = options_of(0.5);
    size_t n_out;
    long refused = 0;
    nm_status status = NM_ENOMEM;
    o.effort = -1;
    o.threads = threads;
    data.data.items = 2;
    nm_model *right = prune(&o);
    float *want = prune_run(right, &data, 0, 2, &n_out);
    nm_model_free(right);
    const size_t live = nmi_alloc_live();
    for (long n = 1; status != NM_OK; n += step) {
        nm_model *pruned = NULL;
        nm_error err = {NM_OK, ""};
        const long before = nmi_alloc_count();
        nmi_alloc_fail_after(n, sticky);
        status = nm_model_prune(model, &o, &pruned, &err);
        nmi_alloc_fail_after(0, 0);
        const bool reached = nmi_alloc_count() - before >= n;
        ck_assert_msg(status == NM_OK || status == NM_ENOMEM || status == NM_EINTERNAL,
                      "n = %ld: %s: %s", n, nm_status_name(status), err.message);
        if (status != NM_OK) {
            refused++;
            ck_assert_msg(err.status == status && strlen(err.message) > 10, "n = %ld: \"%s\"", n,
                          err.message);
        } else { /* a plan may have done without a kernel, so that the last bits differ */
            float *got = prune_run(pruned, &data, 0, 2, &n_out);
            ck_assert_msg(prune_apart(got, want, n_out) < 1e-6, "n = %ld: other outputs", n);
            free(got);
        }
        nm_model_free(pruned);
        ck_assert_msg(nmi_alloc_live() == live, "n = %ld: %zu bytes before, %zu after", n, live,
                      nmi_alloc_live());
        status = reached ? NM_ENOMEM : status; /* it did without: go on */
    }
    ck_assert_int_gt(refused, 200);
    free(want);
}

START_TEST(any_allocation_fails_once_reported)
{
    sweep(0, 1, 1);
}
END_TEST

START_TEST(any_allocation_and_all_after_it_fail_reported)
{
    sweep(1, 2, 5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reconstruct, refused");
    TCase *t = tcase_create("reconstruct, refused");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, prepare, clean_up);
    tcase_add_test(t, numbers_out_of_range_refused);
    tcase_add_test(t, words_without_sense_refused);
    tcase_add_test(t, what_needs_reconstruction_refused_without);
    tcase_add_test(t, data_missing_or_of_another_shape_refused);
    tcase_add_test(t, values_that_are_not_finite_refused_by_item);
    tcase_add_test(t, overflow_in_a_layer_refused_by_name);
    tcase_add_test(t, failed_reading_comes_back);
    tcase_add_test(t, too_few_items_to_judge_refused);
    tcase_add_test(t, analysis_of_free_sizes_needs_data);
    tcase_add_test(t, progress_rises_and_cancels);
    tcase_add_test(t, progress_of_an_analysis_rises_and_cancels);
    tcase_add_test(t, progress_of_a_search_rises_and_cancels);
    tcase_add_test(t, any_allocation_fails_once_reported);
    tcase_add_test(t, any_allocation_and_all_after_it_fail_reported);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
