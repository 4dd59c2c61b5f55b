/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles for a drop or a speed, judged again here; what analysis and pruning say, as JSON. */
#include "lib/base/mem.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 60, CLASSES = 6, GRID = 12 };

static nm_model *model;
static struct prune_data data, judge;
static int64_t labels[ITEMS];

/* x [N,4,12,12] -> stem to 16, Relu -> a to 32, Relu -> b to 32, Relu -> mean -> fc -> [N,6] */
static nm_model *net(const char *shape)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, shape);
    prune_put_conv(&b, "stem", "x", (struct prune_conv){16, 4, 3, 1, true, 1});
    onnx_build_node(&b, "Relu", "stem", "stem.y");
    prune_put_conv(&b, "a", "stem.y", (struct prune_conv){32, 16, 3, 1, true, 1});
    onnx_build_node(&b, "Relu", "a", "a.y");
    prune_put_conv(&b, "b", "a.y", (struct prune_conv){32, 32, 3, 1, true, 1});
    onnx_build_node(&b, "Relu", "b", "b.y");
    onnx_build_node(&b, "GlobalAveragePool", "b.y", "mean");
    onnx_build_node(&b, "Flatten", "mean", "flat");
    prune_put_gemm(&b, "fc", "flat", CLASSES, 32, true);
    onnx_build_output(&b, "fc", NM_F32, NULL);
    return prune_load(&b);
}

static void prepare(void)
{
    static const int64_t dims[] = {4, 12, 12};
    model = net("N,4,12,12");
    prune_data_make(&data, ITEMS, 3, dims, 1);
    prune_data_make(&judge, ITEMS, 3, dims, 2);
}

static void clean_up(void)
{
    prune_data_free(&data);
    prune_data_free(&judge);
    nm_model_free(model);
}

static nm_prune_options options_of(void)
{
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    o.method = NM_PRUNE_RECONSTRUCT;
    o.data = &data.data;
    o.threads = 1;
    o.effort = -1;
    return o;
}

static nm_model *prune(const nm_model *from, const nm_prune_options *o)
{
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_prune(from, o, &pruned, &err) == NM_OK, "%s", err.message);
    return pruned;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static cJSON *told_by(const nm_model *pruned)
{
    char *text = NULL;
    ck_assert_int_eq(nm_model_describe(pruned, NM_DESCRIBE_PRUNE, &text, NULL), NM_OK);
    cJSON *json = cJSON_Parse(text);
    ck_assert_msg(json != NULL, "no JSON: %s", text);
    nm_string_free(text);
    return json;
}

static double number(const cJSON *top, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(top, key);
    ck_assert_msg(cJSON_IsNumber(value), "no number %s", key);
    return value->valuedouble;
}

static const char *words(const cJSON *top, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(top, key);
    ck_assert_msg(cJSON_IsString(value), "no string %s", key);
    return value->valuestring;
}

static const cJSON *list(const cJSON *top, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(top, key);
    ck_assert_msg(cJSON_IsArray(value), "no list %s", key);
    return value;
}

static bool has(const cJSON *top, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(top, key) != NULL;
}

/* Layers as the weights have them; a layer before the first pruned one has no error, a dense one behind
 * it may have been refitted. */
static void check_layers(const cJSON *json, const nm_model *pruned)
{
    const cJSON *layer;
    bool follows = false;
    int n = 0;
    cJSON_ArrayForEach(layer, list(json, "layers"))
    {
        const nm_weight *w = prune_weight(pruned, words(layer, "weight"));
        const bool chosen = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(layer, "pruned"));
        ck_assert_str_eq(w->node, words(layer, "node"));
        ck_assert_int_eq((int64_t)number(layer, "elems"), prune_elems(w));
        ck_assert_double_eq_tol(number(layer, "sparsity"),
                                (double)prune_zeros(w) / (double)prune_elems(w), 1e-5);
        ck_assert(has(layer, "pattern") == chosen);
        follows |= chosen;
        ck_assert_msg(chosen ? has(layer, "error") : follows || !has(layer, "error"),
                      "%s, pruned %d, has an error or not", w->name, chosen);
        n++;
    }
    ck_assert_int_eq(n, 4);
}

static double error_at(const cJSON *json, int layer)
{
    const cJSON *item = cJSON_GetArrayItem(list(json, "layers"), layer);
    return has(item, "error") ? number(item, "error") : -1;
}

/* The recipe that is told, with the data that calibrated, makes the same weights and errors. */
static void check_recipe(const cJSON *json, const nm_model *pruned, const struct prune_data *d)
{
    nm_prune_options o = options_of();
    o.recipe = words(json, "recipe");
    o.data = &d->data;
    nm_model *again = prune(model, &o);
    cJSON *other = told_by(again);
    ck_assert_str_eq(words(other, "recipe"), o.recipe);
    for (size_t i = 0; i < nm_model_weights(pruned); i++) {
        const nm_weight *w = nm_model_weight(pruned, i);
        ck_assert_mem_eq(nm_model_weight(again, i)->data, w->data,
                         (size_t)prune_elems(w) * sizeof *w->data);
        ck_assert_double_eq(error_at(json, (int)i), error_at(other, (int)i));
    }
    cJSON_Delete(other);
    nm_model_free(again);
}

START_TEST(pruning_tells_what_it_did)
{
    static const char *const no_b[] = {"b"};
    static const char *const methods[] = {"magnitude, uniform", "magnitude, global", "reconstruct"};
    for (int method = 0; method < 3; method++) {
        nm_prune_options o = options_of();
        size_t size;
        o.method = (nm_prune_method)method;
        o.sparsity = 0.7;
        o.exclude = no_b;
        o.n_exclude = method == 1;
        nm_model *pruned = prune(model, &o);
        cJSON *json = told_by(pruned);
        ck_assert_str_eq(words(json, "method"), methods[method]);
        ck_assert(!has(json, "drop") && !has(json, "ms"));
        ck_assert(strncmp(words(json, "recipe"), "nm-recipe 1\n", 12) == 0);
        if (method == NM_PRUNE_RECONSTRUCT) {
            check_layers(json, pruned);
            check_recipe(json, pruned, &data);
        }
        char *bytes = prune_saved(pruned, &size);
        ck_assert_ptr_nonnull(memmem(bytes, size, "nm.recipe", 9));
        ck_assert_ptr_nonnull(memmem(bytes, size, methods[method], strlen(methods[method])));
        free(bytes);
        cJSON_Delete(json);
        nm_model_free(pruned);
    }
    char *text = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_int_eq(nm_model_describe(model, NM_DESCRIBE_PRUNE, &text, &err), NM_EINVAL);
    ck_assert_ptr_null(text);
}
END_TEST

/* ---- a drop --------------------------------------------------------------------------------- */

static int64_t answer(const float *y)
{
    int64_t best = 0;
    for (int64_t i = 1; i < CLASSES; i++) {
        best = y[i] > y[best] ? i : best;
    }
    return best;
}

/* Share of right answers lost, or of answers that differ, over each `step`th item. */
static double drop_of(const nm_model *pruned, const struct prune_data *d, const int64_t *right,
                      int64_t step)
{
    size_t n;
    int64_t lost = 0, items = 0;
    float *dense = prune_run(model, d, 0, d->data.items, &n);
    float *own = prune_run(pruned, d, 0, d->data.items, &n);
    for (int64_t i = 0; i < d->data.items; i += step, items++) {
        const int64_t a = answer(dense + i * CLASSES), b = answer(own + i * CLASSES);
        lost += right != NULL ? (a == right[i]) - (b == right[i]) : a != b;
    }
    free(dense);
    free(own);
    return (double)lost / (double)items;
}

START_TEST(drop_with_labels_held_on_the_judge)
{
    static const double bounds[] = {0.02, 0.3};
    size_t n;
    float *y = prune_run(model, &judge, 0, ITEMS, &n);
    for (int64_t i = 0; i < ITEMS; i++) { /* a tenth of the dense network's answers is wrong */
        labels[i] = (answer(y + i * CLASSES) + (i % 10 == 3)) % CLASSES;
    }
    free(y);
    judge.data.labels = labels;
    for (size_t i = 0; i < NMI_COUNT(bounds); i++) {
        nm_prune_options o = options_of();
        o.judge = &judge.data;
        o.max_drop = bounds[i];
        nm_model *pruned = prune(model, &o);
        cJSON *json = told_by(pruned);
        const double drop = drop_of(pruned, &judge, labels, 1);
        ck_assert_double_le(drop, bounds[i]);
        ck_assert_double_eq_tol(number(json, "drop"), drop, 1e-5);
        ck_assert_int_eq((int64_t)number(json, "judged"), ITEMS);
        ck_assert(number(json, "ms") > 0 && number(json, "dense_ms") > 0);
        check_layers(json, pruned);
        check_recipe(json, pruned, &data);
        cJSON_Delete(json);
        nm_model_free(pruned);
    }
    judge.data.labels = NULL;
}
END_TEST

START_TEST(drop_without_labels_is_what_differs)
{
    static const double bounds[] = {1e-9, 0.17, 0.34, 0.99};
    struct prune_data rest; /* what does not judge */
    prune_data_make(&rest, ITEMS - ITEMS / 3, 3, data.data.dims, 1);
    for (int64_t i = 0; i < rest.data.items; i++) {
        memcpy(rest.x + i * rest.elems, data.x + (i / 2 * 3 + 1 + i % 2) * data.elems,
               (size_t)rest.elems * sizeof *rest.x);
    }
    for (size_t i = 0; i < NMI_COUNT(bounds); i++) {
        nm_prune_options o = options_of();
        o.max_drop = bounds[i];
        nm_model *pruned = prune(model, &o); /* every third item judges */
        cJSON *json = told_by(pruned);
        const double drop = drop_of(pruned, &data, NULL, 3);
        ck_assert_double_le(drop, bounds[i]);
        ck_assert_double_eq_tol(number(json, "drop"), drop, 1e-5);
        ck_assert_int_eq((int64_t)number(json, "judged"), ITEMS / 3);
        ck_assert(i < 3 || prune_zeros(prune_weight(pruned, "b.w")) > 0);
        check_layers(json, pruned);
        check_recipe(json, pruned, &rest);
        cJSON_Delete(json);
        nm_model_free(pruned);
    }
    prune_data_free(&rest);
}
END_TEST

/* The parts of the data do not fill the model's batches. */
START_TEST(fixed_batch_that_does_not_fit_refused)
{
    nm_model *eight = net("8,4,12,12"), *pruned = NULL;
    nm_prune_options o = options_of();
    nm_error err = {NM_OK, ""};
    o.max_drop = 0.5;
    data.data.items = 16; /* 6 of them judge */
    const size_t live = nmi_alloc_live();
    ck_assert_int_eq(nm_model_prune(eight, &o, &pruned, &err), NM_ESHAPE);
    ck_assert_msg(strstr(err.message, "batch") != NULL, "%s", err.message);
    ck_assert_uint_eq(nmi_alloc_live(), live);
    data.data.items = ITEMS;
    nm_model_free(eight);
}
END_TEST

/* Quick judging takes fewer items than there are, in whole batches. */
START_TEST(fixed_batch_judged_in_whole_batches)
{
    struct onnx_build b;
    struct prune_data few, many;
    nm_prune_options o = options_of();
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "7,3,4,4");
    prune_put_conv(&b, "a", "x", (struct prune_conv){8, 3, 1, 1, true, 1});
    onnx_build_node(&b, "Relu", "a", "r");
    prune_put_conv(&b, "b", "r", (struct prune_conv){8, 8, 1, 1, true, 1});
    prune_put_conv(&b, "c", "b", (struct prune_conv){8, 8, 1, 1, true, 1});
    onnx_build_output(&b, "c", NM_F32, NULL);
    nm_model *seven = prune_load(&b);
    prune_data_make(&few, 14, 3, (const int64_t[]){3, 4, 4}, 1);
    prune_data_make(&many, 7 * 40, 3, (const int64_t[]){3, 4, 4}, 2);
    o.data = &few.data;
    o.judge = &many.data;
    o.max_drop = 0.5;
    nm_model *pruned = prune(seven, &o);
    cJSON *json = told_by(pruned);
    ck_assert_int_eq((int64_t)number(json, "judged"), 7 * 40);
    cJSON_Delete(json);
    nm_model_free(pruned);
    nm_model_free(seven);
    prune_data_free(&few);
    prune_data_free(&many);
}
END_TEST

/* ---- a speed -------------------------------------------------------------------------------- */

START_TEST(speed_within_reach_or_refused)
{
    nm_prune_options o = options_of();
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    o.speedup = 1.02;
    const nm_status status = nm_model_prune(model, &o, &pruned, &err);
    if (status == NM_OK) {
        cJSON *json = told_by(pruned);
        ck_assert_double_eq_tol(number(json, "drop"), drop_of(pruned, &data, NULL, 3), 1e-5);
        check_layers(json, pruned);
        cJSON_Delete(json);
    } else { /* a busy machine */
        ck_assert_int_eq(status, NM_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.message, "out of reach"));
    }
    nm_model_free(pruned);
    pruned = NULL;
    const size_t live = nmi_alloc_live();
    o.speedup = 900;
    ck_assert_int_eq(nm_model_prune(model, &o, &pruned, &err), NM_EINVAL);
    ck_assert_msg(strstr(err.message, "speedup of 900 is out of reach") != NULL, "%s", err.message);
    ck_assert_ptr_null(pruned);
    ck_assert_uint_eq(nmi_alloc_live(), live);
}
END_TEST

START_TEST(nothing_to_prune_refused)
{
    static const char *const every[] = {"*"};
    nm_prune_options o = options_of();
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    o.exclude = every;
    o.n_exclude = 1;
    o.max_drop = 0.1;
    ck_assert_int_eq(nm_model_prune(model, &o, &pruned, &err), NM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "no layer can be pruned"));
}
END_TEST

/* ---- analysis ------------------------------------------------------------------------------- */

/* Numbers that rise (or never rise) along the grid. */
static void check_curve(const cJSON *layer, const char *key, bool rises)
{
    const cJSON *curve = list(layer, key), *value;
    double last = rises ? -1e-3 : INFINITY;
    ck_assert_int_eq(cJSON_GetArraySize(curve), GRID);
    cJSON_ArrayForEach(value, curve)
    {
        const double v = value->valuedouble;
        ck_assert_msg(cJSON_IsNumber(value) && v >= 0 && (rises ? v >= last - 1e-3 : v <= last + 1e-9),
                      "%s of %s: %g after %g", key, words(layer, "weight"), v, last);
        last = v;
    }
    ck_assert(!rises || (last > 0.05 && last < 1.01));
}

START_TEST(analysis_has_errors_and_times)
{
    static const int64_t macs[] = {144 * 16 * 9 * 32, 144 * 32 * 9 * 32};
    for (int with = 0; with < 2; with++) {
        nm_prune_options o = options_of();
        char *text = NULL;
        nm_error err = {NM_OK, ""};
        o.method = NM_PRUNE_MAGNITUDE_UNIFORM;
        o.data = with ? &data.data : NULL;
        ck_assert_msg(nm_model_analyze(model, &o, &text, &err) == NM_OK, "%s", err.message);
        cJSON *json = cJSON_Parse(text);
        ck_assert_msg(json != NULL, "no JSON: %s", text);
        nm_string_free(text);
        const cJSON *layers = list(json, "layers"), *layer, *share;
        double last = -1;
        cJSON_ArrayForEach(share, list(json, "grid"))
        {
            ck_assert(share->valuedouble > last && share->valuedouble < 1);
            last = share->valuedouble;
        }
        ck_assert_int_eq(cJSON_GetArraySize(list(json, "grid")), GRID);
        ck_assert(number(json, "dense_ms") > 0 && number(json, "other_ms") >= 0);
        ck_assert_int_eq(cJSON_GetArraySize(layers), 2); /* a and b */
        int i = 0;
        cJSON_ArrayForEach(layer, layers)
        {
            ck_assert_int_eq((int64_t)number(layer, "macs"), macs[i++]);
            ck_assert(strlen(words(layer, "node")) == 1);
            check_curve(layer, "ms", false);
            ck_assert(has(layer, "error") == with);
            if (with) {
                check_curve(layer, "error", true);
            }
        }
        cJSON_Delete(json);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("search");
    TCase *t = tcase_create("search");
    tcase_set_timeout(t, 180);
    tcase_add_checked_fixture(t, prepare, clean_up);
    tcase_add_test(t, pruning_tells_what_it_did);
    tcase_add_test(t, drop_with_labels_held_on_the_judge);
    tcase_add_test(t, drop_without_labels_is_what_differs);
    tcase_add_test(t, fixed_batch_that_does_not_fit_refused);
    tcase_add_test(t, fixed_batch_judged_in_whole_batches);
    tcase_add_test(t, speed_within_reach_or_refused);
    tcase_add_test(t, nothing_to_prune_refused);
    tcase_add_test(t, analysis_has_errors_and_times);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
