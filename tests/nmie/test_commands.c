/* SPDX-License-Identifier: Apache-2.0 */
/* The built program, end to end: what it prints, writes and returns. Small made-up networks. */
#include "examples/nmie/host_tensor.h"
#include "examples/nmie/slurp.h"
#include "tests/nmie/tool.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* resnet18 at 32 x 32 with 10 classes, in the scratch folder. */
static const char *small_net(void)
{
    const char *path = scratch_path("net.onnx");
    if (access(path, F_OK) != 0) {
        tool_call(0, "synth resnet18 --size 32 --classes 10 -o %s", path);
    }
    return path;
}

static void write_input(const char *path, int64_t batch)
{
    struct host_tensor h = {.t = {.type = NM_F32, .rank = 4, .dims = {batch, 3, 32, 32}}};
    ck_assert_int_eq(host_make(&h, NULL), NM_OK);
    for (int i = 0; i < batch * 3072; i++) {
        ((float *)h.t.data)[i] = sinf((float)i);
    }
    ck_assert_int_eq(host_save(path, &h.t, NULL), NM_OK);
    host_free(&h);
}

START_TEST(help_and_usage_have_their_exit_codes)
{
    static const char *const names[] = {"run",     "verify",  "classify", "eval",  "bench",
                                        "compare", "profile", "prune",    "analyze", "masks",
                                        "synth",   "inspect", "version"};
    tool_call(0, "help");
    ck_assert_ptr_nonnull(strstr(tool_out, "bench builtin:resnet50"));
    tool_call(2, "%s", "");
    tool_call(2, "nonsense");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tool_call(0, "help %s", names[i]);
        ck_assert_ptr_nonnull(strstr(tool_out, names[i]));
        tool_call(0, "%s --help", names[i]);
        tool_call(2, "%s --no-such-option", names[i]);
        ck_assert_str_eq(tool_out, "");
    }
    tool_call(2, "bench x.onnx --isa sse");
    tool_call(2, "bench x.onnx --effort 2");
    tool_call(2, "bench");
    tool_call(0, "version --json");
    cJSON_Delete(tool_json());
}
END_TEST

START_TEST(bad_models_are_refused_with_three)
{
    const char *path = scratch_write("bad.onnx", "not a model", 11);
    tool_call(3, "run %s --input x.npy", path);
    tool_call(3, "inspect %s", path);
    tool_call(3, "bench %s", path);
    tool_call(1, "run %s", scratch_path("missing.onnx"));
}
END_TEST

START_TEST(run_gives_the_same_through_npy_pb_and_bin)
{
    const char *net = small_net(), *x = scratch_path("x.npy");
    struct host_tensor y[3];
    static const char *const kinds[3] = {"npy", "pb", "bin"};
    nm_value_info info = {.name = "logits", .type = NM_F32, .rank = 2, .dims = {-1, 10}};
    write_input(x, 2);
    write_input(scratch_path("x.pb"), 2);
    write_input(scratch_path("x.bin"), 2);
    for (int i = 0; i < 3; i++) {
        char name[2][16];
        snprintf(name[0], sizeof name[0], "x.%s", kinds[i]);
        snprintf(name[1], sizeof name[1], "y.%s", kinds[i]);
        const char *in = scratch_path(name[0]), *result = scratch_path(name[1]);
        tool_call(0, "run %s --fixed-plan --input input=%s --output logits=%s", net, in, result);
        ck_assert_int_eq(host_load(result, &info, &y[i], NULL), NM_OK);
        ck_assert_int_eq(y[i].t.dims[0], 2);
        ck_assert_mem_eq(y[i].t.data, y[0].t.data, y[0].t.capacity);
    }
    for (int i = 0; i < 3; i++) {
        host_free(&y[i]);
    }
    tool_call(0, "run %s --input %s --json", scratch_path("net.onnx"), x);
    cJSON *top = tool_json();
    cJSON_Delete(top);
    tool_call(1, "run %s", net); /* no input given */
    tool_call(1, "run %s --input nobody=%s", net, x);
}
END_TEST

START_TEST(verify_passes_its_own_outputs_and_fails_changed_ones)
{
    char folder[256], set[300];
    const char *net = small_net();
    snprintf(folder, sizeof folder, "%s", scratch_path("case"));
    snprintf(set, sizeof set, "%s/test_data_set_0", folder);
    mkdir(folder, 0700);
    mkdir(set, 0700);
    char link[300], in[320], ref[320];
    snprintf(link, sizeof link, "%s/model.onnx", folder);
    snprintf(in, sizeof in, "%s/input_0.pb", set);
    snprintf(ref, sizeof ref, "%s/output_0.pb", set);
    ck_assert_int_eq(symlink(net, link), 0);
    write_input(in, 1);
    tool_call(0, "run %s -t 1 --fixed-plan --input %s --output logits=%s", net, in, ref);
    tool_call(0, "verify %s --maxrel 1e-4 --isa ref --json", folder);
    cJSON *top = tool_json();
    ck_assert(tool_number(cJSON_GetObjectItem(top, "totals"), "passed") == 1.0);
    cJSON_Delete(top);
    struct host_tensor y;
    ck_assert_int_eq(host_load(ref, NULL, &y, NULL), NM_OK);
    ((float *)y.t.data)[3] += 0.01f;
    ck_assert_int_eq(host_save(ref, &y.t, NULL), NM_OK);
    host_free(&y);
    tool_call(1, "verify %s", folder);
    ck_assert_ptr_nonnull(strstr(tool_out, "FAIL"));
    ck_assert_ptr_nonnull(strstr(tool_out, "element 3"));
    tool_call(1, "verify %s", scratch_path("nothing-here"));
}
END_TEST

START_TEST(prune_writes_the_share_of_zeros_it_was_told)
{
    const char *net = small_net(), *sparse = scratch_path("sparse.onnx");
    tool_call(0, "prune %s -o %s --sparsity 0.8 --json", net, sparse);
    cJSON_Delete(tool_json());
    tool_call(0, "inspect %s --stage sparse --json", sparse);
    cJSON *top = tool_json();
    ck_assert(tool_number(top, "sparsity") > 0.79 && tool_number(top, "sparsity") < 0.801);
    cJSON_Delete(top);
    tool_call(0, "prune %s -o %s --sparsity 0.8 --sparse-initializer", net, scratch_path("coo.onnx"));
    write_input(scratch_path("x.npy"), 1);
    tool_call(0, "run %s --input %s", scratch_path("coo.onnx"), scratch_path("x.npy"));
    tool_call(2, "prune %s -o %s --sparsity 1.5", net, sparse);
    tool_call(1, "prune %s -o /nowhere/x.onnx --sparsity 0.5", net);
}
END_TEST

START_TEST(inspect_shows_every_stage)
{
    static const char *const stages[] = {"graph", "opt", "sparse", "plan", "memory", "profile"};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        tool_call(0, "inspect %s --stage %s --fixed-plan", small_net(), stages[i]);
        ck_assert_int_gt((int)strlen(tool_out), 20);
        tool_call(0, "inspect %s --stage %s --fixed-plan --json >%s", small_net(), stages[i],
             scratch_path("stage.json"));
        struct slurp file;
        ck_assert_int_eq(slurp_read(scratch_path("stage.json"), 1 << 24, &file, NULL), NM_OK);
        cJSON *top = cJSON_Parse((char *)file.bytes);
        ck_assert_ptr_nonnull(top);
        cJSON_Delete(top);
        slurp_free(&file);
    }
}
END_TEST

/* Every convolution has its kernel, shapes, time and rate. */
static void expect_layers(const cJSON *top)
{
    const cJSON *layer;
    int convolutions = 0;
    ck_assert(tool_number(top, "arena_bytes") > 0.0 && tool_number(top, "bound_gflops") >= 0.0);
    ck_assert(tool_number(top, "packed_weight_bytes") >= 0.0);
    ck_assert(cJSON_IsBool(cJSON_GetObjectItem(top, "plan_cached")));
    cJSON_ArrayForEach(layer, cJSON_GetObjectItem(top, "layers"))
    {
        ck_assert(tool_number(layer, "ms") >= 0.0 && tool_number(layer, "moving_ms") >= 0.0);
        if (strcmp(cJSON_GetObjectItem(layer, "op")->valuestring, "Conv") == 0) {
            convolutions++;
            ck_assert(cJSON_IsString(cJSON_GetObjectItem(layer, "kernel")));
            ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(layer, "shape")), 4);
            ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(layer, "weight")), 4);
            ck_assert(tool_number(layer, "gflops") > 0.0 && tool_number(layer, "sparsity") >= 0.0);
        }
    }
    ck_assert_int_gt(convolutions, 20);
}

START_TEST(bench_json_has_its_keys)
{
    tool_call(0, "bench builtin:mobilenet_v1 --shape 3x32x32 --seconds 0.05 --json");
    cJSON *top = tool_json();
    const cJSON *ms = cJSON_GetObjectItem(top, "ms");
    ck_assert(tool_number(ms, "median") > 0.0 && tool_number(ms, "p99") >= tool_number(ms, "p90"));
    ck_assert(fabs(tool_number(top, "items_per_second") * tool_number(ms, "median") / 1e3 - 1.0) < 1e-6);
    ck_assert(tool_number(top, "plan_seconds") >= 0.0 && tool_number(top, "peak_rss_mib") > 1.0);
    expect_layers(top);
    cJSON_Delete(top);
    tool_call(0, "bench %s -b 1,3 -t 1,2 --seconds 0.02 --json", small_net());
    top = tool_json();
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(top, "cases")), 4);
    cJSON_Delete(top);
    tool_call(0, "bench %s --effort -1 --cache none --seconds 0.02 --json", small_net());
    top = tool_json();
    ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(top, "plan_cached")));
    cJSON_Delete(top);
    tool_call(0, "bench %s --sparsity 0.9 --compare --seconds 0.05 --json", small_net());
    top = tool_json();
    ck_assert(tool_number(cJSON_GetObjectItem(top, "compare"), "max_rel") < 1e-4);
    ck_assert_ptr_null(cJSON_GetObjectItem(top, "f32_error"));
    cJSON_Delete(top);
    tool_call(0, "bench %s --precision half --seconds 0.02 --json", small_net());
    top = tool_json();
    ck_assert(tool_number(top, "f32_error") < 2e-2);
    cJSON_Delete(top);
    /* half is expected to differ: told, and no error */
    tool_call(0, "bench %s --precision half --sparsity 0.9 --compare --seconds 0.02 --json",
              small_net());
    top = tool_json();
    ck_assert(tool_number(top, "f32_error") < 2e-2 && tool_number(top, "error") < 2e-2);
    ck_assert(tool_number(cJSON_GetObjectItem(top, "compare"), "max_rel") < 2e-2);
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(top, "agrees")));
    cJSON_Delete(top);
}
END_TEST

/* A cifar10 file of n pictures that are all of class 0, and their classes by the small network. */
static void write_pictures(int n)
{
    static uint8_t file[40 * 3073];
    for (int i = 0; i < n * 3073; i++) {
        file[i] = (uint8_t)(i % 3073 ? 128.0 + 127.0 * sin(0.001 * i * (1 + i / 3073)) : 0);
    }
    scratch_write("pictures.bin", file, (size_t)n * 3073);
}

START_TEST(eval_counts_and_writes_logits)
{
    const char *net = small_net(), *data = scratch_path("pictures.bin");
    char list[512] = "# classes\nnumber\tbest\n";
    struct host_tensor logits;
    write_pictures(37);
    tool_call(0, "eval %s --data %s --format cifar10 -b 8 --json --logits %s", net, data,
         scratch_path("l.npy"));
    cJSON *top = tool_json();
    ck_assert(tool_number(top, "count") == 37.0);
    ck_assert(tool_number(top, "top5") >= tool_number(top, "top1"));
    ck_assert_int_eq(host_load(scratch_path("l.npy"), NULL, &logits, NULL), NM_OK);
    ck_assert(logits.t.dims[0] == 37 && logits.t.dims[1] == 10);
    int zeros = 0;
    for (int i = 0; i < 37; i++) {
        const float *row = (const float *)logits.t.data + 10 * i;
        int best = 0;
        for (int c = 1; c < 10; c++) {
            best = row[c] > row[best] ? c : best;
        }
        zeros += best == 0;
        snprintf(list + strlen(list), 32, "%d\t%d\n", i, best - 1);
    }
    ck_assert(tool_number(top, "top1_count") == (double)zeros);
    cJSON_Delete(top);
    host_free(&logits);
    scratch_write("list.tsv", list, strlen(list));
    tool_call(0,
         "eval %s --data %s --format cifar10 --class-offset 1 --json "
         "--reference %s:best",
         net, data, scratch_path("list.tsv"));
    top = tool_json();
    ck_assert(tool_number(top, "top1") == 100.0);
    cJSON_Delete(top);
    tool_call(1, "eval %s --data %s --format cifar10 --pre crop:16", net, data);
    tool_call(1, "eval %s --data %s --format u8-hwc:32x32x3", net, data);
}
END_TEST

START_TEST(classify_prints_the_best_classes)
{
    char ppm[16 + 3072] = "P6 32 32 255\n";
    size_t head = strlen(ppm);
    memset(ppm + head, 77, 3072);
    const char *net = small_net(), *picture = scratch_write("p.ppm", ppm, head + 3072);
    const char *names = scratch_write("names", "zero\none\ntwo\n", 13);
    tool_call(0, "classify %s %s --pre crop:32 --labels %s --json", net, picture, names);
    cJSON *top = tool_json(), *best;
    best = cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(top, "images"), 0), "top");
    ck_assert_int_eq(cJSON_GetArraySize(best), 5);
    double last = 1.0;
    for (int i = 0; i < 5; i++) {
        double p = tool_number(cJSON_GetArrayItem(best, i), "probability");
        ck_assert(p <= last);
        last = p;
    }
    cJSON_Delete(top);
    tool_call(1, "classify %s %s", net, picture); /* 224 x 224 is not 32 x 32 */
    tool_call(1, "classify %s %s --pre crop:32", net, scratch_path("none.png"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("commands");
    TCase *t = tcase_create("commands");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, help_and_usage_have_their_exit_codes);
    tcase_add_test(t, bad_models_are_refused_with_three);
    tcase_add_test(t, run_gives_the_same_through_npy_pb_and_bin);
    tcase_add_test(t, verify_passes_its_own_outputs_and_fails_changed_ones);
    tcase_add_test(t, prune_writes_the_share_of_zeros_it_was_told);
    tcase_add_test(t, inspect_shows_every_stage);
    tcase_add_test(t, bench_json_has_its_keys);
    tcase_add_test(t, eval_counts_and_writes_logits);
    tcase_add_test(t, classify_prints_the_best_classes);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
