/* SPDX-License-Identifier: Apache-2.0 */
/* nmie prune, end to end, on a small network: options, data that is no good, what is written. */
#include "examples/nmie/host_tensor.h"
#include "examples/nmie/slurp.h"
#include "lib/base/mem.h"
#include "tests/nmie/tool.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A network of 8 x 8 pixels. */
static const char *net(void)
{
    const char *path = scratch_path("small.onnx");
    if (access(path, F_OK) != 0) {
        size_t size;
        void *bytes = small_net("N,3,8,8", &size);
        scratch_write("small.onnx", bytes, size);
        nmi_free(bytes);
    }
    return path;
}

static const char *save_floats(const char *name, int64_t items, int64_t side)
{
    struct host_tensor h = {.t = {.type = NM_F32, .rank = 4, .dims = {items, 3, side, side}}};
    ck_assert_int_eq(host_make(&h, NULL), NM_OK);
    for (size_t i = 0; i < h.t.capacity / 4; i++) {
        ((float *)h.t.data)[i] = sinf((float)(i * i % 10007));
    }
    const char *path = scratch_path(name);
    ck_assert_int_eq(host_save(path, &h.t, NULL), NM_OK);
    host_free(&h);
    return path;
}

static bool said(const char *words)
{
    return strstr(tool_said, words) != NULL;
}

static struct slurp contents(const char *path)
{
    struct slurp file;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(slurp_read(path, 1 << 26, &file, &err) == NM_OK, "%s", err.message);
    return file;
}

static bool holds(const struct slurp *file, const char *words)
{
    return memmem(file->bytes, file->size, words, strlen(words)) != NULL;
}

/* ---- options --------------------------------------------------------------------------------- */

START_TEST(options_that_make_no_sense_together)
{
    static const struct {
        const char *options, *words;
    } cases[] = {
        {"", "expected IN and -o OUT"},
        {"in.onnx -o out.onnx", "expected one of --sparsity"},
        {"in.onnx -o out.onnx --sparsity 0.5 --recipe r", "expected one of --sparsity"},
        {"in.onnx -o out.onnx --preset recal --max-drop 1% --calib x", "expected one of"},
        {"in.onnx -o out.onnx --sparsity 1.5", "--sparsity 1.5 is not in [0,1]"},
        {"in.onnx -o out.onnx --sparsity half", "--sparsity half"},
        {"in.onnx -o out.onnx --speedup 1x --calib x", "--speedup 1x is not a factor above 1"},
        {"in.onnx -o out.onnx --speedup x --calib x", "--speedup x"},
        {"in.onnx -o out.onnx --max-drop -1% --calib x", "--max-drop -1%"},
        {"in.onnx -o out.onnx --max-drop 100% --calib x", "--max-drop 100% is all there is"},
        {"in.onnx -o out.onnx --preset fast --calib x", "--preset is recal or recal-perf"},
        {"in.onnx -o out.onnx --preset recal", "need data: --calib PATH"},
        {"in.onnx -o out.onnx --speedup 3x --calib x --method uniform", "--method reconstruct"},
        {"in.onnx -o out.onnx --sparsity .5 --method reconstruct", "needs data: --calib PATH"},
        {"in.onnx -o out.onnx --sparsity .5 --method best", "--method is reconstruct, uniform"},
        {"in.onnx -o out.onnx --recipe r --layers x", "leave out --layers and --exclude"},
        {"in.onnx -o out.onnx --sparsity .5 --judge-count 5", "neither --judge nor --calib"},
        {"in.onnx -o out.onnx --sparsity .5 --effort 1", "--effort 1 is neither -1 nor 0"},
        {"in.onnx -o out.onnx --sparsity .5 --seed -1", "--seed -1"},
        {"in.onnx -o out.onnx --sparsity .5 --memory 0", "--memory 0"},
        {"in.onnx -o out.onnx --sparsity .5 -n 0", "--count wants"},
        {"in.onnx -o out.onnx --sparsity .5 --every 0", "--every wants"},
        {"in.onnx -o out.onnx --sparsity .5 --judge-skip -1", "of --judge: --skip wants"},
        {"in.onnx -o out.onnx --sparsity .5 --mean 1", "--mean wants three numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tool_call(2, "prune %s", cases[i].options);
        ck_assert_msg(said(cases[i].words), "%s: %s", cases[i].options, tool_said);
        ck_assert_str_eq(tool_out, "");
    }
}
END_TEST

/* ---- data that is no good -------------------------------------------------------------------- */

static void expect_failed(const char *options, const char *words)
{
    const char *out = scratch_path("never.onnx");
    tool_call(1, "prune %s -o %s --sparsity 0.5 %s", net(), out, options);
    ck_assert_msg(said(words), "%s: %s lacks %s", options, tool_said, words);
    ck_assert_ptr_eq(strchr(tool_said, '\n') + 1, strchr(tool_said, '\0')); /* one sentence */
    ck_assert_int_ne(access(out, F_OK), 0);
}

__attribute__((format(printf, 2, 3))) static void expect_bad_data(const char *words,
                                                                  const char *format, ...)
{
    char options[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(options, sizeof options, format, list);
    va_end(list);
    expect_failed(options, words);
}

START_TEST(data_that_is_no_good_is_named)
{
    const char *nan = save_floats("nan.npy", 4, 8), *good = save_floats("good.npy", 4, 8);
    FILE *f = fopen(nan, "r+b");
    ck_assert(f && fseek(f, -4, SEEK_END) == 0);
    ck_assert(fwrite(&(float){NAN}, 4, 1, f) == 1 && fclose(f) == 0);
    expect_bad_data("nan.npy: item 3 has a NaN", "--calib %s", nan);
    expect_bad_data("nowhere.npy", "--calib %s", scratch_path("nowhere.npy"));
    expect_bad_data("[3,9,9] each", "--calib %s", save_floats("nine.npy", 4, 9));
    const char *cut = save_floats("cut.npy", 4, 8);
    ck_assert_int_eq(truncate(cut, 1000), 0);
    expect_bad_data("cut.npy: has 872 bytes of elements", "--calib %s", cut);
    expect_bad_data("c.bin: 100 bytes are not", "--calib %s --format cifar10",
                    scratch_write("c.bin", tool_out, 100));
    expect_bad_data("none of images", "--calib %s --format tiff", good);
    expect_bad_data("few: 1 classes", "--calib %s --labels %s", good,
                    scratch_write("few", "1\n", 2));
    expect_bad_data("nowhere.npy", "--calib %s --judge %s", good, scratch_path("nowhere.npy"));
    const char *folder = scratch_path("pictures");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    expect_bad_data("pictures: holds no .png", "--calib %s", folder);
    scratch_write("pictures/one.png", "not a picture", 13);
    expect_bad_data("pictures/one.png: ", "--calib %s", folder);
}
END_TEST

START_TEST(recipes_that_are_no_good_are_named)
{
    static const char bad[] = "nm-recipe 1\nlayer mid* much\n";
    const char *out = scratch_path("never.onnx");
    tool_call(1, "prune %s -o %s --recipe %s", net(), out, scratch_path("no-recipe"));
    ck_assert(said("no-recipe: "));
    tool_call(1, "prune %s -o %s --recipe %s", net(), out,
              scratch_write("bad", bad, sizeof bad - 1));
    ck_assert_msg(said("line 2: 'much' is not a sparsity"), "%s", tool_said);
    tool_call(1, "prune %s -o %s --recipe %s", net(), out, scratch_write("nul", bad, sizeof bad));
    ck_assert_msg(said("nul: is not a text"), "%s", tool_said);
    ck_assert_int_ne(access(out, F_OK), 0);
}
END_TEST

/* ---- what is written ------------------------------------------------------------------------- */

/* The share of zeros in a layer, by the report; -1 when it was not pruned. */
static double layer_sparsity(const cJSON *top, const char *weight)
{
    const cJSON *report = cJSON_GetObjectItem(top, "report"), *layer;
    cJSON_ArrayForEach(layer, cJSON_GetObjectItem(report, "layers"))
    {
        if (strcmp(cJSON_GetObjectItem(layer, "weight")->valuestring, weight) == 0) {
            return cJSON_IsTrue(cJSON_GetObjectItem(layer, "pruned"))
                       ? tool_number(layer, "sparsity")
                       : -1.0;
        }
    }
    ck_abort_msg("no layer %s in %s", weight, tool_out);
    return 0.0;
}

START_TEST(the_report_and_the_model_tell_what_was_done)
{
    const char *calib = save_floats("calib.npy", 40, 8), *out = scratch_path("out.onnx");
    tool_call(0, "prune %s -o %s --sparsity 0.75 --calib %s --skip 10 --judge-count 10 --seed 7 "
                 "-t 1 --json", net(), out, calib);
    cJSON *top = tool_json();
    const cJSON *data = cJSON_GetObjectItem(top, "calibration");
    ck_assert(tool_number(data, "items") == 30.0);
    ck_assert_uint_eq(strlen(cJSON_GetObjectItem(data, "sha256")->valuestring), 64);
    ck_assert(tool_number(cJSON_GetObjectItem(top, "judged"), "items") == 10.0);
    ck_assert_ptr_null(cJSON_GetObjectItem(cJSON_GetObjectItem(top, "judged"), "top1_before"));
    ck_assert_str_eq(cJSON_GetObjectItem(top, "method")->valuestring, "reconstruct");
    ck_assert(layer_sparsity(top, "mid.w") == 0.75 && layer_sparsity(top, "stem.w") < 0.0);
    ck_assert(fabs(tool_number(top, "sparsity") - 0.75) < 0.02);
    struct slurp file = contents(out);
    ck_assert(holds(&file, "nm.calibration") && holds(&file, "30 items of [3,8,8], sha256"));
    ck_assert(holds(&file, cJSON_GetObjectItem(data, "sha256")->valuestring));
    ck_assert(holds(&file, "sparsity 0.75, seed 7") && holds(&file, "nm.agreement"));
    ck_assert(holds(&file, "nm.recipe") && !holds(&file, "calib.npy"));
    slurp_free(&file);
    cJSON_Delete(top);
    tool_call(0, "prune %s -o %s --sparsity 0.75 --calib %s", net(), out, calib);
    ck_assert_ptr_nonnull(strstr(tool_out, "mid.w"));
    ck_assert_ptr_nonnull(strstr(tool_out, "reconstruct, sparsity 0.75, seed 0"));
}
END_TEST

START_TEST(classes_give_the_accuracy_before_and_after)
{
    const char *labels = scratch_write("classes", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n", 20);
    tool_call(0, "prune %s -o %s --sparsity 0.5 --calib %s --judge-labels %s --judge-class-offset "
                 "-1 -t 1 --json", net(), scratch_path("out.onnx"), save_floats("ten.npy", 10, 8),
              labels);
    cJSON *top = tool_json();
    const cJSON *judged = cJSON_GetObjectItem(top, "judged");
    ck_assert(tool_number(judged, "top1_before") >= 0.0 && tool_number(judged, "top1_after") >= 0);
    cJSON_Delete(top);
}
END_TEST

START_TEST(a_saved_recipe_gives_the_same_again)
{
    const char *first = scratch_path("first.recipe"), *second = scratch_path("second.recipe");
    static const char by_hand[] = "nm-recipe 1\nsparsity 0.5\nlayer mid* 0.75\ndense point*\n";
    const char *recipe = scratch_write("hand.recipe", by_hand, sizeof by_hand - 1);
    tool_call(0, "prune %s -o %s --recipe %s --save-recipe %s --json", net(), scratch_path("a.onnx"),
              recipe, first);
    cJSON *top = tool_json();
    ck_assert(layer_sparsity(top, "mid.w") == 0.75 && layer_sparsity(top, "point.w") < 0.0);
    cJSON_Delete(top);
    tool_call(0, "prune %s -o %s --recipe %s --save-recipe %s", net(), scratch_path("b.onnx"), first,
              second);
    struct slurp a = contents(first), b = contents(second);
    ck_assert_str_eq((char *)a.bytes, (char *)b.bytes);
    slurp_free(&a);
    slurp_free(&b);
}
END_TEST

/* ---- stopped --------------------------------------------------------------------------------- */

static int files_that_start_with(const char *folder, const char *name)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        n += strncmp(e->d_name, name, strlen(name)) == 0 || strstr(e->d_name, ".tmp") != NULL;
    }
    closedir(d);
    return n;
}

START_TEST(an_interrupt_leaves_nothing_behind)
{
    const char *calib = save_floats("many.npy", 600, 32), *big = scratch_path("big.onnx");
    const char *folder = scratch_path("stopped");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    tool_call(0, "synth resnet18 --size 32 --classes 10 -o %s", big);
    tool_call_with("timeout -s INT --preserve-status 2 env", 130,
                   "prune %s -o %s/out.onnx --sparsity 0.8 --calib %s --save-recipe %s/out.recipe",
                   big, folder, calib, folder);
    ck_assert_msg(said("stopped; nothing was written"), "%s", tool_said);
    ck_assert_int_eq(files_that_start_with(folder, "out"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prune command");
    TCase *t = tcase_create("prune command");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, options_that_make_no_sense_together);
    tcase_add_test(t, data_that_is_no_good_is_named);
    tcase_add_test(t, recipes_that_are_no_good_are_named);
    tcase_add_test(t, the_report_and_the_model_tell_what_was_done);
    tcase_add_test(t, classes_give_the_accuracy_before_and_after);
    tcase_add_test(t, a_saved_recipe_gives_the_same_again);
    tcase_add_test(t, an_interrupt_leaves_nothing_behind);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
