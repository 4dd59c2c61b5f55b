/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning by reconstruction through the public interface: zeros, patterns, errors, the same bytes. */
#include "tests/support/prune_case.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 48 };

static const char *const every[] = {"*"};
static const char *const all_weights[] = {"stem.w", "a.w", "b.w", "dw.w", "grp.w", "f1.w", "f2.w", "mm.w", "fc.w"};
enum { WEIGHTS = NMI_COUNT(all_weights) };
static nm_model *model;
static struct prune_data data;

static void prepare(void)
{
    model = prune_net();
    prune_data_make(&data, ITEMS, 3, (const int64_t[]){3, 8, 8}, 1);
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

static nm_model *prune(const nm_model *from, const nm_prune_options *o)
{
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_prune(from, o, &pruned, &err) == NM_OK, "%s", err.message);
    return pruned;
}

/* Relative squared error of the outputs on images that were not calibrated with. */
static double error_of(const nm_model *pruned)
{
    struct prune_data other;
    size_t n;
    prune_data_make(&other, 32, 3, (const int64_t[]){3, 8, 8}, 99);
    float *want = prune_run(model, &other, 0, 32, &n), *got = prune_run(pruned, &other, 0, 32, &n);
    for (size_t i = 0; i < n; i++) {
        ck_assert(isfinite(got[i]));
    }
    const double apart = prune_apart(got, want, n);
    free(want);
    free(got);
    prune_data_free(&other);
    return apart;
}

/* ---- zeros ---------------------------------------------------------------------------------- */

START_TEST(default_layers_exact_share)
{
    for (int percent = 10; percent <= 90; percent += 20) {
        nm_prune_options o = options_of(percent / 100.0);
        o.effort = percent % 40 == 10 ? 0 : -1;
        nm_model *pruned = prune(model, &o);
        for (int i = 0; i < WEIGHTS; i++) {
            const nm_weight *w = prune_weight(pruned, all_weights[i]);
            const bool dense = i == 0 || i == 3 || i == WEIGHTS - 1; /* first, depthwise, last */
            /* each group of a grouped convolution has its own share */
            const int64_t groups = i == 4 ? 4 : 1, each = prune_elems(w) / groups;
            ck_assert_msg(prune_zeros(w) == (dense ? 0 : each * percent / 100 * groups),
                          "%s at %d %%: %lld zeros", w->name, percent, (long long)prune_zeros(w));
        }
        nm_model_free(pruned);
    }
}
END_TEST

START_TEST(all_layers_exact_share)
{
    nm_prune_options o = options_of(0.5);
    o.layers = every;
    o.n_layers = 1;
    nm_model *pruned = prune(model, &o);
    for (int i = 0; i < WEIGHTS; i++) {
        const nm_weight *w = prune_weight(pruned, all_weights[i]);
        const int64_t groups = i == 3 ? 16 : i == 4 ? 4 : 1;
        ck_assert_int_eq(prune_zeros(w), prune_elems(w) / groups / 2 * groups);
    }
    ck_assert_double_lt(error_of(pruned), 0.5);
    nm_model_free(pruned);
}
END_TEST

/* rows x channels x taps of a weight as it lies in the file; in[2]: strides of row and channel. */
static void expect_pattern(const nm_weight *w, int32_t rows, int32_t channels, int32_t taps,
                           const int32_t step[2], const int32_t block[2], int32_t n_of_m)
{
    for (int32_t r = 0; r < rows; r += block[0]) {
        for (int32_t c = 0; c < channels; c += block[1]) {
            for (int32_t t = 0; t < taps; t++) {
                int32_t left = 0, all = 0;
                for (int32_t i = 0; i < block[0] * block[1]; i++) {
                    const int32_t row = r + i / block[1], channel = c + i % block[1];
                    if (row < rows && channel < channels) {
                        left += w->data[row * step[0] + channel * step[1] + t] != 0;
                        all++;
                    }
                }
                ck_assert_msg(n_of_m > 0 ? left == (all < n_of_m ? all : n_of_m)
                                         : left == 0 || left == all,
                              "%s: %d of %d are left at %d, %d, %d", w->name, left, all, r, c, t);
            }
        }
    }
}

START_TEST(patterns_hold_in_the_weights)
{
    static const struct {
        const char *word;
        int32_t block[2], n_of_m;
    } cases[] = {{"4x1", {4, 1}, 0}, {"2x1", {2, 1}, 0}, {"1x4", {1, 4}, 0}, {"3x2", {3, 2}, 0},
                 {"2:4", {1, 4}, 2}, {"1:4", {1, 4}, 1}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        nm_prune_options o = options_of(0.6);
        o.pattern = cases[i].word;
        o.effort = -1;
        nm_model *pruned = prune(model, &o);
        const int32_t *b = cases[i].block, n = cases[i].n_of_m;
        expect_pattern(prune_weight(pruned, "a.w"), 16, 8, 9, (const int32_t[]){72, 9}, b, n);
        expect_pattern(prune_weight(pruned, "b.w"), 16, 16, 9, (const int32_t[]){144, 9}, b, n);
        expect_pattern(prune_weight(pruned, "f1.w"), 24, 16, 1, (const int32_t[]){16, 1}, b, n);
        expect_pattern(prune_weight(pruned, "f2.w"), 16, 24, 1, (const int32_t[]){1, 16}, b, n);
        expect_pattern(prune_weight(pruned, "mm.w"), 12, 16, 1, (const int32_t[]){1, 12}, b, n);
        for (int g = 0; g < 4; g++) { /* 4 rows of 4 channels in each group */
            nm_weight group = *prune_weight(pruned, "grp.w");
            group.data += g * 4 * 36;
            expect_pattern(&group, 4, 4, 9, (const int32_t[]){36, 9}, b, n);
        }
        ck_assert_double_lt(error_of(pruned), 1);
        nm_model_free(pruned);
    }
}
END_TEST

START_TEST(filters_go_whole)
{
    nm_prune_options o = options_of(0.5);
    o.pattern = "filter";
    nm_model *pruned = prune(model, &o);
    const nm_weight *w = prune_weight(pruned, "b.w");
    int gone = 0;
    for (int r = 0; r < 16; r++) {
        int left = 0;
        for (int i = 0; i < 144; i++) {
            left += w->data[r * 144 + i] != 0;
        }
        ck_assert(left == 0 || left == 144);
        gone += left == 0;
    }
    ck_assert_int_eq(gone, 8);
    nm_model_free(pruned);
}
END_TEST

/* ---- what is left as it was ----------------------------------------------------------------- */

static bool same_weight(const nm_model *pruned, const char *name)
{
    const nm_weight *a = prune_weight(model, name), *b = prune_weight(pruned, name);
    return memcmp(a->data, b->data, (size_t)prune_elems(a) * sizeof *a->data) == 0;
}

START_TEST(excluded_and_earlier_layers_bitwise_untouched)
{
    static const char *const only[] = {"grp", "f1.w"}, *const but[] = {"f2", "fc.w", "f1"};
    nm_prune_options o = options_of(0.7);
    o.layers = only;
    o.n_layers = 2;
    o.exclude = but;
    o.n_exclude = 3;
    nm_model *pruned = prune(model, &o);
    for (int i = 0; i < WEIGHTS; i++) {
        ck_assert_msg(same_weight(pruned, all_weights[i]) != (i == 4), "%s", all_weights[i]);
    }
    nm_model_free(pruned);
}
END_TEST

/* With samples enough for its weights; few would be learnt by heart. */
START_TEST(dense_layer_behind_a_pruned_one_refitted)
{
    static const char *const only[] = {"grp", "f1.w"}, *const but[] = {"f2", "fc.w", "f1"};
    struct prune_data many;
    prune_data_make(&many, 600, 3, data.data.dims, 1);
    nm_prune_options o = options_of(0.7);
    o.effort = -1;
    o.data = &many.data;
    o.layers = only;
    o.n_layers = 2;
    o.exclude = but;
    o.n_exclude = 3;
    nm_model *pruned = prune(model, &o);
    for (int i = 0; i < WEIGHTS; i++) {
        const bool changes = i == 4 || i == 7; /* grp, and mm which follows it */
        ck_assert_msg(same_weight(pruned, all_weights[i]) != changes, "%s", all_weights[i]);
    }
    ck_assert_int_eq(prune_zeros(prune_weight(pruned, "mm.w")), 0);
    nm_model_free(pruned);
    prune_data_free(&many);
}
END_TEST

START_TEST(nothing_chosen_nothing_changed)
{
    nm_prune_options o = options_of(0.7);
    o.exclude = every;
    o.n_exclude = 1;
    nm_model *pruned = prune(model, &o);
    for (int i = 0; i < WEIGHTS; i++) {
        ck_assert(same_weight(pruned, all_weights[i]));
    }
    ck_assert_double_eq(error_of(pruned), 0);
    nm_model_free(pruned);
}
END_TEST

START_TEST(sparsity_zero_hardly_changes_a_thing)
{
    nm_prune_options o = options_of(0);
    nm_model *pruned = prune(model, &o);
    ck_assert_double_lt(error_of(pruned), 1e-3);
    nm_model_free(pruned);
}
END_TEST

/* ---- better --------------------------------------------------------------------------------- */

START_TEST(nearer_than_magnitude)
{
    for (int percent = 50; percent <= 90; percent += 20) {
        nm_prune_options o = options_of(percent / 100.0);
        nm_model *pruned = prune(model, &o);
        o.effort = -1;
        nm_model *quick = prune(model, &o);
        o.method = NM_PRUNE_MAGNITUDE_UNIFORM;
        o.effort = 0;
        nm_model *cut = prune(model, &o);
        const double fine = error_of(pruned), rough = error_of(quick), by_size = error_of(cut);
        ck_assert_msg(fine < 0.5 * by_size && rough < 0.5 * by_size,
                      "%d %%: %g, effort -1 %g, magnitude %g", percent, fine, rough, by_size);
        nm_model_free(pruned);
        nm_model_free(quick);
        nm_model_free(cut);
    }
}
END_TEST

START_TEST(saved_and_loaded_the_same_outputs)
{
    nm_prune_options o = options_of(0.8);
    nm_model *pruned = prune(model, &o), *loaded = NULL;
    size_t size, n;
    nm_error err = {NM_OK, ""};
    char *bytes = prune_saved(pruned, &size);
    ck_assert_msg(nm_model_load_memory(bytes, size, NULL, &loaded, &err) == NM_OK, "%s", err.message);
    float *want = prune_run(pruned, &data, 0, 8, &n), *got = prune_run(loaded, &data, 0, 8, &n);
    ck_assert_mem_eq(got, want, n * sizeof *got);
    free(want);
    free(got);
    free(bytes);
    nm_model_free(loaded);
    nm_model_free(pruned);
}
END_TEST

/* ---- the same bytes ------------------------------------------------------------------------- */

static char *bytes_of(const nm_prune_options *o, size_t *size)
{
    nm_model *pruned = prune(model, o);
    char *bytes = prune_saved(pruned, size);
    nm_model_free(pruned);
    return bytes;
}

static bool same_bytes(const nm_prune_options *a, const nm_prune_options *b)
{
    size_t size_a, size_b;
    char *bytes_a = bytes_of(a, &size_a), *bytes_b = bytes_of(b, &size_b);
    const bool same = size_a == size_b && memcmp(bytes_a, bytes_b, size_a) == 0;
    free(bytes_a);
    free(bytes_b);
    return same;
}

START_TEST(threads_change_no_byte)
{
    const nm_prune_options one = options_of(0.75);
    for (int32_t threads = 0; threads <= 3; threads++) {
        nm_prune_options o = one;
        o.threads = threads;
        ck_assert_msg(same_bytes(&one, &o), "%d threads", threads);
    }
}
END_TEST

/* Where a piece of the network begins decides about layouts, hence about the last bits: the networks
 * are not the same, but as good; and each is the same for any number of threads. */
START_TEST(little_memory_as_good)
{
    static const uint64_t memory[] = {1, 200000, 700000, 1 << 21};
    nm_prune_options o = options_of(0.75);
    nm_model *plenty = prune(model, &o);
    const double best = error_of(plenty);
    for (size_t i = 0; i < NMI_COUNT(memory); i++) {
        o.memory_bytes = memory[i];
        nm_prune_options p = o;
        p.threads = 3;
        ck_assert_msg(same_bytes(&o, &p), "%llu bytes", (unsigned long long)memory[i]);
        nm_model *pruned = prune(model, &o);
        const double error = error_of(pruned);
        ck_assert_msg(fabs(error - best) < 0.2 * best, "%llu bytes: %g, not %g",
                      (unsigned long long)memory[i], error, best);
        nm_model_free(pruned);
    }
    nm_model_free(plenty);
}
END_TEST

/* More positions than are sampled, so that the seed matters. */
START_TEST(seeds_differ)
{
    struct prune_data few;
    prune_data_make(&few, 600, 3, (const int64_t[]){3, 8, 8}, 1);
    nm_prune_options o = options_of(0.75), p = o, q = o;
    o.data = p.data = q.data = &few.data;
    o.effort = p.effort = q.effort = -1;
    p.seed = 1;
    q.seed = 0;
    ck_assert(same_bytes(&o, &q));
    ck_assert(!same_bytes(&o, &p));
    prune_data_free(&few);
}
END_TEST

/* Batches of 32 and 1, of 19, of 31; a last one that is not full. */
START_TEST(any_number_of_items)
{
    static const int64_t items[] = {1, 2, 7, 33, 37, 38, 43, 47};
    for (size_t i = 0; i < NMI_COUNT(items); i++) {
        nm_prune_options o = options_of(0.5), p = o;
        const int64_t old = data.data.items;
        data.data.items = items[i];
        o.effort = p.effort = -1;
        p.threads = 3;
        ck_assert_msg(same_bytes(&o, &p), "%lld items", (long long)items[i]);
        data.data.items = old;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reconstruct");
    TCase *t = tcase_create("reconstruct");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, prepare, clean_up);
    tcase_add_test(t, default_layers_exact_share);
    tcase_add_test(t, all_layers_exact_share);
    tcase_add_test(t, patterns_hold_in_the_weights);
    tcase_add_test(t, filters_go_whole);
    tcase_add_test(t, excluded_and_earlier_layers_bitwise_untouched);
    tcase_add_test(t, dense_layer_behind_a_pruned_one_refitted);
    tcase_add_test(t, nothing_chosen_nothing_changed);
    tcase_add_test(t, sparsity_zero_hardly_changes_a_thing);
    tcase_add_test(t, nearer_than_magnitude);
    tcase_add_test(t, saved_and_loaded_the_same_outputs);
    tcase_add_test(t, threads_change_no_byte);
    tcase_add_test(t, little_memory_as_good);
    tcase_add_test(t, seeds_differ);
    tcase_add_test(t, any_number_of_items);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
