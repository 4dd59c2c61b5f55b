/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made of stored results: tables, pages, comparisons and predictions, held against the
 * files in tests/nmie/golden. NM_GOLDEN=write writes those anew; look at the difference before you
 * keep it.
 */
#include "examples/nmie/bench/compare.h"
#include "examples/nmie/bench/page.h"
#include "examples/nmie/bench/panels.h"
#include "examples/nmie/bench/predict.h"
#include "examples/nmie/bench/publish.h"
#include "examples/nmie/slurp.h"
#include "examples/nmie/stats.h"
#include "tests/nmie/tool.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/nmie/golden/"

static struct rows a, b;
static const struct machine machine = {10e9, 0.25, 100e-9, 2};

static void setup(void)
{
    nm_error err = {NM_OK, ""};
    ck_assert_msg(rows_read(GOLDEN "a.json", &a, &err) == NM_OK, "%s", err.message);
    ck_assert_msg(rows_read(GOLDEN "b.json", &b, &err) == NM_OK, "%s", err.message);
}

static void teardown(void)
{
    rows_free(&a);
    rows_free(&b);
}

static void expect_golden(const char *name, const char *text)
{
    char path[128];
    struct slurp file, body = {(uint8_t *)(uintptr_t)text, strlen(text)}, none = {0};
    snprintf(path, sizeof path, GOLDEN "%s", name);
    const char *how = getenv("NM_GOLDEN");
    if (how && strcmp(how, "write") == 0) {
        ck_assert_int_eq(slurp_write(path, &none, &body, NULL), NM_OK);
    }
    ck_assert_int_eq(slurp_read(path, 1 << 20, &file, NULL), NM_OK);
    ck_assert_str_eq(text, (const char *)file.bytes);
    slurp_free(&file);
}

/* What a function writes. */
struct text {
    char *at;
    size_t size;
    FILE *to;
};

static struct text begin(void)
{
    struct text t = {0};
    return t;
}

static FILE *opened(struct text *t)
{
    t->to = open_memstream(&t->at, &t->size);
    ck_assert_ptr_nonnull(t->to);
    return t->to;
}

static void end_golden(struct text *t, const char *name)
{
    ck_assert_int_eq(fclose(t->to), 0);
    expect_golden(name, t->at);
    free(t->at);
}

START_TEST(csv_as_stored)
{
    struct text t = begin();
    page_csv(opened(&t), &a);
    end_golden(&t, "page.csv");
}
END_TEST

START_TEST(markdown_as_stored)
{
    struct slurp in, out;
    ck_assert_int_eq(slurp_read(GOLDEN "page.in.md", 1 << 20, &in, NULL), NM_OK);
    const char *path = scratch_write("page.md", in.bytes, in.size);
    const struct args_list cores = {2, {4, 10}};
    ck_assert_int_eq(predict_rows(&a, &cores, &machine, NULL), NM_OK);
    for (int i = 0; i < 2; i++) { /* a second time changes nothing */
        ck_assert_int_eq(page_markdown(path, "chart.svg", &a, NULL), NM_OK);
        ck_assert_int_eq(slurp_read(path, 1 << 20, &out, NULL), NM_OK);
        expect_golden("page.md", (const char *)out.bytes);
        slurp_free(&out);
    }
    slurp_free(&in);
    nm_error err;
    path = scratch_write("bare.md", "no marks\n", 9);
    ck_assert_int_eq(page_markdown(path, NULL, &a, &err), NM_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "<!-- bench -->"));
}
END_TEST

/* Nothing is fetched and nothing runs: no script, no address but that of the SVG's names. */
static void expect_alone(const char *page)
{
    static const char names[] = "http://www.w3.org/2000/svg";
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "@import"));
    ck_assert_ptr_null(strstr(page, "url("));
    for (const char *p = page; (p = strstr(p, "http")) != NULL; p++) {
        ck_assert_int_eq(strncmp(p, names, strlen(names)), 0);
    }
    ck_assert_ptr_nonnull(strstr(page, "prefers-color-scheme:dark"));
    ck_assert_ptr_nonnull(strstr(page, "aria-label"));
}

START_TEST(pages_as_stored)
{
    struct text t = begin(), u = begin();
    const struct args_list cores = {2, {4, 10}};
    ck_assert_int_eq(predict_rows(&a, &cores, &machine, NULL), NM_OK);
    page_html(opened(&t), &a);
    fflush(t.to);
    expect_alone(t.at);
    ck_assert_ptr_null(strstr(t.at, "<of>"));
    end_golden(&t, "page.html");
    page_svg(opened(&u), &a);
    fflush(u.to);
    expect_alone(u.at);
    end_golden(&u, "page.svg");
}
END_TEST

/* ---- a matrix of cases ----------------------------------------------------------------------- */

struct matrix_row {
    const char *model, *engine;
    double zeros;
    int batch, threads;
};

/* Numbers with as many digits as measured ones have. */
static cJSON *measured(const struct matrix_row *m, int i)
{
    const double rate = 3.0 + fmod(97.1234567 * i, 1200.0), ms = 1e3 * m->batch / rate;
    const double medians[] = {0.99 * ms, ms, 1.0123 * ms};
    cJSON *row = cJSON_CreateObject(), *layer = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "model", m->model);
    cJSON_AddStringToObject(row, "engine", m->engine);
    cJSON_AddNumberToObject(row, "sparsity", m->zeros);
    cJSON_AddNumberToObject(row, "batch", m->batch);
    cJSON_AddNumberToObject(row, "threads", m->threads);
    cJSON_AddNumberToObject(row, "items_per_second", rate);
    cJSON *times = cJSON_AddObjectToObject(row, "ms");
    cJSON_AddNumberToObject(times, "median", ms);
    cJSON_AddNumberToObject(times, "p90", 1.0345 * ms);
    cJSON_AddNumberToObject(times, "p99", 1.1234 * ms);
    cJSON_AddNumberToObject(times, "spread", 0.0223);
    cJSON_AddItemToObject(row, "rounds_ms", cJSON_CreateDoubleArray(medians, 3));
    cJSON_AddStringToObject(row, "baseline", "onnxruntime");
    cJSON *ratio = cJSON_AddObjectToObject(row, "ratio");
    cJSON_AddNumberToObject(ratio, "median", 12.34);
    cJSON_AddNumberToObject(ratio, "low", 12.01);
    cJSON_AddNumberToObject(ratio, "high", 12.56);
    cJSON_AddNumberToObject(row, "error", 3.4e-7);
    cJSON_AddNumberToObject(row, "load_seconds", 1.25);
    cJSON_AddNumberToObject(row, "plan_seconds", 12.5);
    cJSON_AddNumberToObject(row, "peak_rss_mib", 1234.5);
    cJSON_AddStringToObject(layer, "kernel", "k");
    cJSON_AddNumberToObject(layer, "ms", ms);
    cJSON_AddNumberToObject(layer, "moving_ms", 0.0);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(row, "layers"), layer);
    return row;
}

/* 4 networks x 4 shares of zeros x 3 batches x 3 numbers of threads x 6 engines, in no good order.
 */
static void make_matrix(struct rows *rows)
{
    static const char *const models[] = {"nets/resnet50-v1.5-imagenet.onnx", "builtin:vgg16",
                                         "builtin:mobilenet_v2", "builtin:resnet18"};
    static const char *const engines[] = {"libnm",    "libnm-dense",      "onnxruntime",
                                          "openvino", "openvino-default", "deepsparse"};
    static const double zeros[] = {0.9, 0.0, 0.95, 0.8};
    static const int batches[] = {16, 1, 64}, threads[] = {2, 4, 1};
    cJSON *document = cJSON_CreateObject(), *cases = cJSON_AddArrayToObject(document, "cases");
    for (int i = 0; i < 4 * 4 * 3 * 3 * 6; i++) {
        const struct matrix_row m = {models[i / 216], engines[i % 6], zeros[i / 54 % 4],
                                     batches[i / 6 % 3], threads[i / 18 % 3]};
        cJSON_AddItemToArray(cases, measured(&m, i));
    }
    ck_assert_int_eq(rows_of(document, "matrix", rows, NULL), NM_OK);
    ck_assert_uint_eq(rows->n, 864);
}

START_TEST(cases_are_in_order)
{
    struct rows rows;
    const struct args_list cores = {2, {8, 3}};
    make_matrix(&rows);
    ck_assert_str_eq(rows.at[0].engine, "libnm");
    for (size_t i = 1; i < rows.n; i++) {
        const struct row *x = &rows.at[i - 1], *y = &rows.at[i];
        const bool zeros = x->sparsity == y->sparsity, batch = zeros && x->batch == y->batch;
        ck_assert_uint_le(x->network, y->network);
        if (x->network == y->network) {
            ck_assert(x->sparsity <= y->sparsity && (!zeros || x->batch <= y->batch));
            ck_assert(!batch || x->threads <= y->threads);
        }
    }
    ck_assert_int_eq(predict_rows(&rows, &cores, &machine, NULL), NM_OK);
    struct chart *c = calloc(1, sizeof *c);
    const struct row **shown = calloc(rows.n, sizeof *shown);
    size_t n, panels = 0;
    static const char *const groups[] = {"batch 1", "batch 16", "batch 64", "80 % zeros, batch 1"};
    static const char *const cores_of[] = {"1 core",
                                           "2 cores",
                                           "2 cores (predicted)",
                                           "3 cores (predicted)",
                                           "4 cores",
                                           "4 cores (predicted)",
                                           "8 cores (predicted)"};
    for (; panels_at(&rows, panels, c, shown, &n); panels++) {
        ck_assert_uint_eq(c->n_groups, 12);
        ck_assert_uint_eq(c->left_out, 0);
        for (int g = 0; g < 4; g++) {
            ck_assert_str_eq(c->groups[g], groups[g]);
        }
        ck_assert_str_eq(c->groups[11], "95 % zeros, batch 64");
        for (size_t s = 0; panels >= 12 && s < 7; s++) {
            ck_assert_str_eq(c->series[s], cores_of[s]);
        }
    }
    ck_assert_uint_eq(panels, 4 * 3 + 4);
    ck_assert(panels_at(&rows, 1, c, shown, &n) && shown[0]->threads == 2);
    ck_assert_str_eq(c->title, "resnet50-v1.5-imagenet, 2 threads");
    free(c);
    free(shown);
    rows_free(&rows);
}
END_TEST

/* With all predictions, and nothing left out. */
START_TEST(a_page_of_many_cases_stays_small)
{
    struct rows rows;
    struct text t = begin();
    const struct args_list cores = {3, {8, 10, 20}};
    make_matrix(&rows);
    ck_assert_int_eq(predict_rows(&rows, &cores, &machine, NULL), NM_OK);
    page_html(opened(&t), &rows);
    fclose(t.to);
    ck_assert_msg(t.size < 300000, "%zu bytes", t.size);
    expect_alone(t.at);
    size_t n_rows = 0;
    for (const char *p = t.at; (p = strstr(p, "12.34 (12.01-12.56)")) != NULL; p++) {
        n_rows++;
    }
    ck_assert_uint_eq(n_rows, rows.n);
    free(t.at);
    rows_free(&rows);
}
END_TEST

START_TEST(comparison_as_stored)
{
    struct comparison c;
    struct text t = begin(), u = begin(), v = begin();
    ck_assert_int_eq(compare_make(&a, "a.json", &b, "b.json", &c, NULL), NM_OK);
    ck_assert_uint_eq(c.n, 4);
    compare_text(opened(&t), &c);
    end_golden(&t, "compare.txt");
    compare_json(opened(&u), &c);
    end_golden(&u, "compare.json");
    compare_html(opened(&v), &c);
    end_golden(&v, "compare.html");
    compare_free(&c);
    ck_assert_str_eq(compare_verdict(0.96), "within 5 %");
    ck_assert_str_eq(compare_verdict(1.06), "within 7 %");
    ck_assert_str_eq(compare_verdict(0.92), "slower");
    ck_assert_str_eq(compare_verdict(1.08), "faster");
}
END_TEST

START_TEST(results_without_a_common_case_refused)
{
    struct comparison c;
    struct rows other;
    nm_error err;
    const char text[] = "{\"model\": \"m.onnx\", \"batch\": 7, \"threads\": 1, "
                        "\"items_per_second\": 3, \"ms\": {\"median\": 5}}";
    ck_assert_int_eq(rows_read(scratch_write("m.json", text, sizeof text - 1), &other, NULL),
                     NM_OK);
    ck_assert_uint_eq(other.n, 1); /* one row is a document of its own */
    ck_assert_str_eq(other.at[0].engine, "libnm");
    ck_assert_int_eq(compare_make(&a, "a", &other, "b", &c, &err), NM_EINVAL);
    rows_free(&other);
    ck_assert_int_eq(rows_read(scratch_write("n.json", "[1]", 3), &other, &err), NM_EFORMAT);
    ck_assert_int_eq(rows_read(scratch_write("n.json", "{", 1), &other, &err), NM_EFORMAT);
}
END_TEST

START_TEST(predictions_as_stored)
{
    struct text t = begin();
    const struct args_list cores = {3, {4, 10, 20}};
    ck_assert_int_eq(predict_rows(&a, &cores, &machine, NULL), NM_OK);
    page_predictions(opened(&t), &a);
    end_golden(&t, "predict.txt");
    const cJSON *p;
    cJSON_ArrayForEach(p, cJSON_GetObjectItem(a.document, "predictions"))
    {
        ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(p, "predicted")));
    }
}
END_TEST

/* By hand: 8 ms shared by two, its memory for less; 1 ms bound by 9 MB at 16 GB/s; 0.25 ms serial;
 * 0.5 ms moved by two; two handovers for each of two layers; 0.25 ms in no layer. */
START_TEST(prediction_follows_its_formula)
{
    const double seconds = predict_seconds(&a.at[0], &machine, 2);
    const double by_hand = 4e-3 + 9e6 / 16e9 + 0.25e-3 + 0.25e-3 + 2 * 200e-9 + 0.25e-3;
    ck_assert_msg(fabs(seconds / by_hand - 1.0) < 1e-9, "%g, expected %g", seconds, by_hand);
    ck_assert(fabs(predict_seconds(&a.at[0], &machine, 1) / 10e-3 - 1.0) < 1e-9);
    ck_assert(isnan(predict_seconds(&a.at[1], &machine, 2))); /* no layers */
    /* a batch of 4 on 3 cores: somebody has two images */
    ck_assert(fabs(predict_seconds(&a.at[4], &machine, 3) / 21e-3 - 1.0) < 1e-9);
}
END_TEST

START_TEST(more_cores_are_never_slower_and_never_better_than_ideal)
{
    double last = predict_seconds(&a.at[0], &machine, 1);
    for (int n = 2; n <= 64; n *= 2) {
        double seconds = predict_seconds(&a.at[0], &machine, n);
        ck_assert(seconds <= last && seconds >= 10e-3 / n);
        last = seconds;
    }
}
END_TEST

START_TEST(intervals_hold_what_they_promise)
{
    double nine[] = {9, 1, 8, 2, 7, 3, 6, 4, 5}, one[] = {3}, five[] = {5, 4, 3, 2, 1};
    struct interval i = interval_of(nine, 9);
    ck_assert(i.median == 5 && i.low == 2 && i.high == 8);
    ck_assert(fabs(i.confidence - (1 - 20 / 512.0)) < 1e-12);
    i = interval_of(five, 5);
    ck_assert(i.low == 1 && i.high == 5 && fabs(i.confidence - 0.9375) < 1e-12);
    i = interval_of(one, 1);
    ck_assert(i.low == 3 && i.high == 3 && i.confidence == 0);
}
END_TEST

START_TEST(a_noisy_machine_is_told_in_one_line)
{
    char line[256];
    cpu_set_t all;
    struct noise n;
    sched_getaffinity(0, sizeof all, &all);
    noise_begin(&n, &all);
    n.start -= 1000.0; /* as if we had measured for that long */
    noise_calibrate(&n);
    ck_assert(n.fastest > 0 && n.slowest == n.fastest);
    noise_end(&n, 1e9); /* all of it was our own */
    ck_assert(n.other == 0 && n.drift == 0 && !n.noisy);
    ck_assert_str_eq(noise_line(&n, line), "");
    n.slowest = 1.2 * n.fastest;
    noise_end(&n, 1e9);
    ck_assert(n.noisy && fabs(n.drift - 0.2) < 1e-9);
    ck_assert_ptr_nonnull(strstr(noise_line(&n, line), "clock drifted by 20.0 %"));
}
END_TEST

START_TEST(results_of_two_files_are_put_together)
{
    const char *paths[] = {GOLDEN "a.json", GOLDEN "b.json"};
    struct rows both;
    ck_assert_int_eq(rows_merge(paths, 2, &both, NULL), NM_OK);
    ck_assert_uint_eq(both.n, a.n + b.n);
    ck_assert(cJSON_HasObjectItem(both.document, "environment"));
    rows_free(&both);
    tool_call(0, "bench --from %sa.json --csv %s --json", GOLDEN, scratch_path("x.csv"));
    cJSON_Delete(tool_json());
    tool_call(0, "compare %sa.json %sb.json --svg %s", GOLDEN, GOLDEN, scratch_path("x.svg"));
    tool_call(1, "compare %sa.json /nowhere.json", GOLDEN);
    tool_call(2, "compare %sa.json", GOLDEN);
}
END_TEST

START_TEST(profile_has_its_outputs)
{
    tool_call(0,
              "profile builtin:mobilenet_v1 --shape 3x32x32 -t 1 --sparsity 0.8 --fixed-plan "
              "--html %s --trace %s --json",
              scratch_path("p.html"), scratch_path("p.trace"));
    cJSON *top = tool_json();
    ck_assert_str_eq(cJSON_GetObjectItem(top, "schema")->valuestring, "nmie-profile/1");
    ck_assert(tool_number(top, "ms") > 0 && tool_number(top, "dense_ms") > 0);
    ck_assert(tool_number(top, "bandwidth_gbs") > 0 && tool_number(top, "batch") == 1);
    int n = cJSON_GetArraySize(cJSON_GetObjectItem(top, "layers"));
    ck_assert_int_gt(n, 20);
    cJSON_Delete(top);
    struct slurp file;
    ck_assert_int_eq(slurp_read(scratch_path("p.trace"), 1 << 20, &file, NULL), NM_OK);
    top = cJSON_Parse((const char *)file.bytes);
    ck_assert_int_gt(cJSON_GetArraySize(cJSON_GetObjectItem(top, "traceEvents")), 20);
    cJSON_Delete(top);
    slurp_free(&file);
    ck_assert_int_eq(slurp_read(scratch_path("p.html"), 300 << 10, &file, NULL), NM_OK);
    ck_assert_ptr_nonnull(strstr((const char *)file.bytes, "Roofline"));
    expect_alone((const char *)file.bytes);
    slurp_free(&file);
    tool_call(0, "profile builtin:mobilenet_v1 --shape 3x32x32 -t 1 --fixed-plan");
    ck_assert_ptr_nonnull(strstr(tool_out, "least time"));
    tool_call(2, "profile");
    tool_call(1, "profile /nowhere.onnx");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("results");
    TCase *t = tcase_create("results");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, csv_as_stored);
    tcase_add_test(t, markdown_as_stored);
    tcase_add_test(t, pages_as_stored);
    tcase_add_test(t, cases_are_in_order);
    tcase_add_test(t, a_page_of_many_cases_stays_small);
    tcase_add_test(t, comparison_as_stored);
    tcase_add_test(t, results_without_a_common_case_refused);
    tcase_add_test(t, predictions_as_stored);
    tcase_add_test(t, prediction_follows_its_formula);
    tcase_add_test(t, more_cores_are_never_slower_and_never_better_than_ideal);
    tcase_add_test(t, intervals_hold_what_they_promise);
    tcase_add_test(t, a_noisy_machine_is_told_in_one_line);
    tcase_add_test(t, results_of_two_files_are_put_together);
    tcase_add_test(t, profile_has_its_outputs);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
