/* SPDX-License-Identifier: Apache-2.0 */
/* nmie bench beside other engines: a fake library that is good, wrong, refuses, crashes or hangs.
 */
#include "examples/nmie/slurp.h"
#include "lib/base/mem.h"
#include "tests/nmie/tool.h"
#include "tests/support/onnx_build.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* y = Relu(x). */
static const char *relu_of(const char *shape, const char *file)
{
    struct onnx_build b;
    size_t size;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, shape);
    onnx_build_node(&b, "Relu", "x", "y");
    onnx_build_output(&b, "y", NM_F32, shape);
    void *bytes = onnx_build_finish(&b, &size);
    const char *path = scratch_write(file, bytes, size);
    nmi_free(bytes);
    return path;
}

/* What the fake engines run. */
static const char *relu_net(void)
{
    return relu_of("N,4", "relu.onnx");
}

static const char *fake(void)
{
    return tool_built("tests/nmie/fake_engines.so");
}

static const cJSON *row_of(const cJSON *top, const char *list, const char *engine)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(top, list))
    {
        if (strcmp(cJSON_GetObjectItem(row, "engine")->valuestring, engine) == 0) {
            return row;
        }
    }
    return NULL;
}

#define BENCH "bench %s -b 2 -t 1 --seconds 0.02 --rounds 3 --json "

START_TEST(good_engines_run_and_agree)
{
    tool_call_with("NM_FAKE=good", 0,
                   BENCH "--engine libnm,onnxruntime=%s --engine openvino=%s,openvino-default=%s",
                   relu_net(), fake(), fake(), fake());
    cJSON *top = tool_json();
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(top, "cases")), 4);
    const cJSON *ort = row_of(top, "cases", "onnxruntime");
    ck_assert(tool_number(ort, "error") == 0.0);
    ck_assert_str_eq(cJSON_GetObjectItem(ort, "version")->valuestring, "0.fake");
    ck_assert_str_eq(cJSON_GetObjectItem(ort, "baseline")->valuestring, "onnxruntime");
    ck_assert(tool_number(cJSON_GetObjectItem(ort, "ratio"), "median") == 1.0);
    const cJSON *ov = row_of(top, "cases", "openvino"),
                *own = row_of(top, "cases", "openvino-default");
    ck_assert_str_eq(cJSON_GetObjectItem(ov, "precision")->valuestring, "f32");
    ck_assert_str_eq(cJSON_GetObjectItem(own, "precision")->valuestring, "bf16");
    ck_assert_str_eq(cJSON_GetObjectItem(ov, "version")->valuestring, "0.fake");
    cJSON_Delete(top);
}
END_TEST

START_TEST(wrong_outputs_are_an_error)
{
    tool_call_with("NM_FAKE=wrong", 1, BENCH "--engine libnm,onnxruntime=%s", relu_net(), fake());
    ck_assert_ptr_nonnull(strstr(tool_said, "outputs of onnxruntime and libnm differ"));
    cJSON *top = tool_json();
    const cJSON *row = row_of(top, "cases", "onnxruntime");
    ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(row, "agrees")));
    ck_assert(tool_number(row, "error") > 0.1);
    cJSON_Delete(top);
    /* 16 bits promise less: reported, no error */
    tool_call_with("NM_FAKE=wrong", 0, BENCH "--engine libnm,openvino-default=%s", relu_net(),
                   fake());
}
END_TEST

/* In each the others go on, and their rows are there. */
static const struct {
    const char *how, *words;
    int status;
} troubles[] = {{"NM_FAKE=error", "the fake refuses", 1},
                {"NM_FAKE=crash", "crashed", 1},
                {"NM_FAKE=hang", "hangs", 1},
                {"NM_FAKE=absent", "the fake refuses", 1}};

START_TEST(an_engine_in_trouble_is_a_line)
{
    static const char *const engines[] = {"onnxruntime", "openvino"};
    for (int e = 0; e < 2; e++) {
        tool_call_with(troubles[_i].how, troubles[_i].status,
                       BENCH "--timeout 2 --engine libnm,%s=%s,libnm-dense", relu_net(), engines[e],
                       fake());
        ck_assert_msg(strstr(tool_said, troubles[_i].words) != NULL, "%s", tool_said);
        cJSON *top = tool_json();
        ck_assert_ptr_nonnull(row_of(top, "cases", "libnm"));
        ck_assert_ptr_nonnull(row_of(top, "cases", "libnm-dense"));
        ck_assert_ptr_null(row_of(top, "cases", engines[e]));
        const cJSON *skipped = row_of(top, "skipped", engines[e]);
        ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(skipped, "failed")));
        cJSON_Delete(top);
    }
}
END_TEST

START_TEST(engines_that_are_not_installed_are_skipped)
{
    tool_call(0, BENCH "--engine libnm,onnxruntime=/nowhere/lib.so,onnxruntime-cuda=%s", relu_net(),
              fake());
    ck_assert_ptr_nonnull(strstr(tool_said, "onnxruntime: skipped"));
    ck_assert_ptr_nonnull(strstr(tool_said, "onnxruntime-cuda: skipped"));
    cJSON *top = tool_json();
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(top, "cases")), 1);
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(top, "skipped")), 2);
    cJSON_Delete(top);
    /* a library, but of something else */
    tool_call(1, BENCH "--engine libnm,openvino=libm.so.6", relu_net());
    ck_assert_ptr_nonnull(strstr(tool_said, "the library has no ov_"));
}
END_TEST

START_TEST(commands_are_engines)
{
    const char *net = relu_net();
    tool_call(1,
              BENCH "--engine libnm --cmd 'echo=echo hello {batch} {threads}; echo "
                    "\"{\\\"items_per_second\\\": 50, \\\"peak_rss_mib\\\": 7}\"; cp {x} {y}'",
              net);
    cJSON *top = tool_json();
    const cJSON *row = row_of(top, "cases", "echo");
    ck_assert(fabs(tool_number(row, "items_per_second") - 50.0) < 1e-9);
    ck_assert(tool_number(row, "peak_rss_mib") == 7.0);
    ck_assert(tool_number(row, "error") > 0.1); /* x is no Relu of itself */
    cJSON_Delete(top);
    ck_assert_ptr_nonnull(strstr(tool_said, "outputs of echo and libnm differ"));
}
END_TEST

START_TEST(commands_that_fail_are_lines)
{
    tool_call(1, BENCH "--engine libnm --cmd 'bad=exit 3' --cmd 'mute=echo nothing'", relu_net());
    ck_assert_ptr_nonnull(strstr(tool_said, "bad: FAILED: the command ended with status 3"));
    ck_assert_ptr_nonnull(strstr(tool_said, "mute: FAILED: printed no JSON"));
}
END_TEST

/* What the schema of docs/cli.md promises of a row. */
static void check_row(const cJSON *row)
{
    static const char *const numbers[] = {
        "batch",        "threads",      "sparsity",      "items_per_second", "iterations",
        "plan_seconds", "load_seconds", "prune_seconds", "peak_rss_mib"};
    static const char *const of_ms[] = {"median", "p90", "p99", "best", "spread"};
    static const char *const of_noise[] = {"steal", "other", "drift"};
    static const char *const strings[] = {"model", "engine", "version", "precision"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        tool_number(row, numbers[i]);
    }
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        ck_assert(cJSON_IsString(cJSON_GetObjectItem(row, strings[i])));
    }
    const cJSON *ms = cJSON_GetObjectItem(row, "ms"), *noise = cJSON_GetObjectItem(row, "noise");
    for (size_t i = 0; i < sizeof of_ms / sizeof *of_ms; i++) {
        tool_number(ms, of_ms[i]);
    }
    for (size_t i = 0; i < sizeof of_noise / sizeof *of_noise; i++) {
        tool_number(noise, of_noise[i]);
    }
    ck_assert(cJSON_IsBool(cJSON_GetObjectItem(noise, "noisy")));
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(row, "rounds_ms")), 3);
    ck_assert(cJSON_IsArray(cJSON_GetObjectItem(row, "pinned")));
    ck_assert(tool_number(ms, "p99") >= tool_number(ms, "p90"));
}

static void check_environment(const cJSON *top)
{
    static const char *const keys[] = {"cpu",           "isa",          "flags",       "caches",
                                       "cores_allowed", "cores_online", "cgroup_cpus", "smt",
                                       "governor",      "hypervisor",   "memory_mib",  "libnm",
                                       "onednn",        "kernel",       "date"};
    const cJSON *environment = cJSON_GetObjectItem(top, "environment");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        ck_assert_msg(cJSON_HasObjectItem(environment, keys[i]), "no %s", keys[i]);
    }
}

START_TEST(json_follows_its_schema)
{
    const cJSON *row;
    tool_call(0, BENCH "--sparsity 0,0.5 --engine libnm,libnm-dense,libnm-half", relu_net());
    cJSON *top = tool_json();
    ck_assert_str_eq(cJSON_GetObjectItem(top, "schema")->valuestring, "nmie-bench/1");
    check_environment(top);
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(top, "cases")), 6);
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(top, "cases"))
    {
        check_row(row);
        ck_assert(tool_number(cJSON_GetObjectItem(row, "ratio"), "confidence") == 0.75);
    }
    cJSON_Delete(top);
    tool_call(0, BENCH, relu_net()); /* one row: its keys are the document's */
    top = tool_json();
    check_environment(top);
    check_row(top);
    cJSON_Delete(top);
}
END_TEST

/* Without -t one thread and all that there are, so that a prediction stands beside a measurement.
 */
START_TEST(predictions_are_checked_by_what_can_be_measured)
{
    tool_call_with("NM_NUM_THREADS=2", 0,
                   "bench %s --seconds 0.02 --rounds 3 --predict-cores 4 --json", relu_net());
    cJSON *top = tool_json();
    const cJSON *cases = cJSON_GetObjectItem(top, "cases"),
                *p = cJSON_GetObjectItem(top, "predictions");
    ck_assert_int_eq(cJSON_GetArraySize(cases), 2);
    ck_assert_int_eq(cJSON_GetArraySize(p), 2);
    const cJSON *two = cJSON_GetArrayItem(p, 0);
    const double measured =
        tool_number(cJSON_GetObjectItem(cJSON_GetArrayItem(cases, 1), "ms"), "median");
    const double predicted = tool_number(cJSON_GetObjectItem(two, "ms"), "median");
    ck_assert(tool_number(two, "threads") == 2.0 && tool_number(two, "measured_ms") == measured);
    ck_assert(fabs(tool_number(two, "off") - (predicted / measured - 1.0)) < 1e-6);
    const cJSON *error = cJSON_GetObjectItem(top, "prediction_error");
    ck_assert(tool_number(error, "measured") == 1.0);
    ck_assert(fabs(tool_number(error, "largest") - fabs(tool_number(two, "off"))) < 1e-9);
    cJSON_Delete(top);
    tool_call(0, "bench %s -t 1 --seconds 0.02 --predict-cores 4", relu_net());
    ck_assert_ptr_nonnull(strstr(tool_out, "None was measured here too"));
}
END_TEST

/* ---- profiles -------------------------------------------------------------------------------- */

static const char *prunable_net(void)
{
    size_t size;
    void *bytes = small_net("N,3,8,8", &size);
    const char *path = scratch_write("small.onnx", bytes, size);
    nmi_free(bytes);
    return path;
}

static const char *recipe(const char *file, const char *text)
{
    return scratch_write(file, text, strlen(text));
}

/* The share of zeros of each row, and the profile where there is one. */
START_TEST(shares_and_profiles_in_one_list)
{
    const char *net = prunable_net(), *page = scratch_path("profiles.html");
    const char *fast = recipe("fast.recipe", "nm-recipe 1\nlayer mid* 0.5\nlayer point* 0.75\n");
    const double mid = 2304, point = 128,
                 shares[] = {0.0, 0.8, (0.5 * mid + 0.75 * point) / (mid + point)};
    tool_call(0, BENCH "--sparsity 0,0.8,%s --compare --html %s --csv %s", net, fast, page,
              scratch_path("profiles.csv"));
    cJSON *top = tool_json();
    const cJSON *cases = cJSON_GetObjectItem(top, "cases");
    ck_assert_int_eq(cJSON_GetArraySize(cases), 3);
    for (int i = 0; i < 3; i++) {
        const cJSON *row = cJSON_GetArrayItem(cases, i),
                    *profile = cJSON_GetObjectItem(row, "profile");
        check_row(row);
        ck_assert(fabs(tool_number(row, "sparsity") - shares[i]) < 1e-9);
        ck_assert(tool_number(cJSON_GetObjectItem(row, "compare"), "max_rel") < 1e-4);
        ck_assert(i == 2 ? strcmp(profile->valuestring, "fast.recipe") == 0 : !profile);
    }
    cJSON_Delete(top);
    struct slurp file;
    ck_assert_int_eq(slurp_read(page, 1 << 20, &file, NULL), NM_OK);
    ck_assert_ptr_nonnull(strstr((const char *)file.bytes, "fast.recipe: 51.32 % zeros, batch 2"));
    slurp_free(&file);
    ck_assert_int_eq(slurp_read(scratch_path("profiles.csv"), 1 << 20, &file, NULL), NM_OK);
    ck_assert_ptr_nonnull(strstr((const char *)file.bytes, ",fast.recipe\r\n"));
    slurp_free(&file);
    tool_call(0, "profile %s -t 1 --fixed-plan --sparsity %s --json", net, fast);
    top = tool_json();
    ck_assert_str_eq(cJSON_GetObjectItem(top, "profile")->valuestring, "fast.recipe");
    ck_assert(fabs(tool_number(top, "sparsity") - shares[2]) < 1e-9);
    cJSON_Delete(top);
}
END_TEST

/* What prune saved is what bench takes. */
START_TEST(a_saved_recipe_is_a_profile)
{
    const char *net = prunable_net(), *saved = scratch_path("saved.recipe");
    tool_call(0, "prune %s -o %s --sparsity 0.75 --save-recipe %s", net, scratch_path("out.onnx"),
              saved);
    tool_call(0, BENCH "--sparsity %s", net, saved);
    cJSON *top = tool_json();
    ck_assert_str_eq(cJSON_GetObjectItem(top, "profile")->valuestring, "saved.recipe");
    ck_assert(fabs(tool_number(top, "sparsity") - 0.75) < 1e-2);
    cJSON_Delete(top);
}
END_TEST

START_TEST(a_recipe_that_is_no_good_is_named)
{
    const char *net = prunable_net(), *bad = recipe("bad.recipe", "nm-recipe 1\nlayer mid* much\n");
    tool_call(1, BENCH "--sparsity 0.5,/nowhere.recipe", net);
    ck_assert_ptr_nonnull(strstr(tool_said, "/nowhere.recipe: No such file"));
    tool_call(1, BENCH "--sparsity %s", net, bad);
    ck_assert_ptr_nonnull(
        strstr(tool_said, "bad.recipe: recipe: line 2: 'much' is not a sparsity"));
    tool_call(1, BENCH "--sparsity 0.5,%s", net, bad); /* the other one is measured */
    ck_assert_ptr_nonnull(strstr(tool_said, "bad.recipe: recipe: line 2"));
    cJSON_Delete(tool_json());
    tool_call(1, BENCH "--sparsity %s", net, scratch_write("nul.recipe", "nm\0", 3));
    ck_assert_ptr_nonnull(strstr(tool_said, "nul.recipe: is not a text"));
    tool_call(2, BENCH "--sparsity 0.5,", net);
    tool_call(2, "profile %s --sparsity 0.5,0.8", net);
}
END_TEST

START_TEST(bad_command_lines_are_refused)
{
    const char *net = relu_net();
    tool_call(2, "bench %s --engine tensorflow", net);
    tool_call(2, "bench %s --engine libnm=/lib.so", net);
    tool_call(2, "bench %s --engine libnm,libnm", net);
    tool_call(2, "bench %s --compare --engine onnxruntime", net);
    tool_call(2, "bench %s --rounds 0", net);
    tool_call(2, "bench %s --sparsity 0.5,1", net);
    tool_call(2, "bench %s --from x.json", net);
    tool_call(2, "bench %s -t 2 --predict-cores 4", net);
    tool_call(2, "bench");
    tool_call(1, "bench --from /nowhere.json");
    tool_call(1, "bench --from %s", scratch_write("x.json", "{\"cases\": [{}]}", 15));
}
END_TEST

START_TEST(a_batch_that_the_model_does_not_have_is_refused)
{
    const char *net = relu_of("3,1,2,2", "three.onnx");
    tool_call(1, "bench %s -b 2 -t 1 --seconds 0.01", net);
    ck_assert_ptr_nonnull(strstr(tool_said, "use -b 3"));
    tool_call(1, "bench %s -t 1 --seconds 0.01", net);
    tool_call(0, "bench %s -b 3 -t 1 --seconds 0.01", net);
    tool_call(0, "bench %s -t 1 --seconds 0.01", relu_of("5", "vector.onnx")); /* no images */
}
END_TEST

/* The rest of a list of models is measured when one of them is refused. */
START_TEST(a_bad_model_among_good_ones)
{
    const char *bad = scratch_write("bad.onnx", "not a model", 11);
    tool_call(0, BENCH, relu_net());
    tool_call(1, BENCH "%s", relu_net(), "/nowhere.onnx");
    cJSON_Delete(tool_json());
    ck_assert_ptr_nonnull(strstr(tool_said, "/nowhere.onnx"));
    tool_call(3, BENCH "%s", relu_net(), bad);
    cJSON_Delete(tool_json());
}
END_TEST

/* Files are gone, and what was measured is shown. */
START_TEST(an_interrupt_ends_the_bench_with_what_it_has)
{
    const char *net = relu_net(), *tmp = scratch_path("tmp");
    ck_assert_int_eq(mkdir(tmp, 0700), 0);
    char before[512];
    snprintf(before, sizeof before, "TMPDIR=%s timeout -s INT 1", tmp);
    tool_call_with(before, 124, "bench %s -t 1 --rounds 3 --seconds 600 --json", net);
    cJSON_Delete(tool_json());
    ck_assert_ptr_nonnull(strstr(tool_said, "interrupted"));
    ck_assert_int_eq(rmdir(tmp), 0); /* it is empty */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bench");
    TCase *t = tcase_create("bench");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, good_engines_run_and_agree);
    tcase_add_test(t, wrong_outputs_are_an_error);
    tcase_add_loop_test(t, an_engine_in_trouble_is_a_line, 0,
                        (int)(sizeof troubles / sizeof *troubles));
    tcase_add_test(t, engines_that_are_not_installed_are_skipped);
    tcase_add_test(t, commands_are_engines);
    tcase_add_test(t, commands_that_fail_are_lines);
    tcase_add_test(t, json_follows_its_schema);
    tcase_add_test(t, predictions_are_checked_by_what_can_be_measured);
    tcase_add_test(t, shares_and_profiles_in_one_list);
    tcase_add_test(t, a_saved_recipe_is_a_profile);
    tcase_add_test(t, a_recipe_that_is_no_good_is_named);
    tcase_add_test(t, bad_command_lines_are_refused);
    tcase_add_test(t, a_batch_that_the_model_does_not_have_is_refused);
    tcase_add_test(t, a_bad_model_among_good_ones);
    tcase_add_test(t, an_interrupt_ends_the_bench_with_what_it_has);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
