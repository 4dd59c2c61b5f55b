/* SPDX-License-Identifier: Apache-2.0 */
/* nmie masks, and the way through PyTorch and back: the zeros stay, the rest learns. */
#include "examples/nmie/host_tensor.h"
#include "lib/base/mem.h"
#include "tests/nmie/tool.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The small network for 32 x 32 pixels, three quarters of the weights zero; its path. */
static const char *pruned_net(void)
{
    size_t size;
    void *bytes = small_net("N,3,32,32", &size);
    const char *dense = scratch_write("small.onnx", bytes, size);
    const char *path = scratch_path("pruned.onnx");
    nmi_free(bytes);
    tool_call(0, "prune %s -o %s --sparsity 0.75", dense, path);
    return path;
}

static struct host_tensor load(const char *folder, const cJSON *entry, const char *key)
{
    char name[300];
    struct host_tensor h;
    nm_error err = {NM_OK, ""};
    snprintf(name, sizeof name, "%s/%s", folder, cJSON_GetObjectItem(entry, key)->valuestring);
    ck_assert_msg(host_load(scratch_path(name), NULL, &h, &err) == NM_OK, "%s", err.message);
    return h;
}

/* The index of a model's masks, which go to this scratch folder. */
static cJSON *masks_of(const char *model, const char *folder)
{
    tool_call(0, "masks %s -o %s --json", model, scratch_path(folder));
    return tool_json();
}

START_TEST(masks_are_where_weights_are_not_zero)
{
    cJSON *top = masks_of(pruned_net(), "masks"), *entry;
    int n = 0;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(top, "weights"))
    {
        struct host_tensor mask = load("masks", entry, "mask");
        struct host_tensor weight = load("masks", entry, "weight");
        size_t zeros = 0, count = mask.t.capacity;
        ck_assert(mask.t.type == NM_U8 && weight.t.type == NM_F32);
        ck_assert_int_eq(mask.t.rank, weight.t.rank);
        ck_assert_mem_eq(mask.t.dims, weight.t.dims, sizeof mask.t.dims);
        for (size_t i = 0; i < count; i++) {
            const uint8_t stays = ((uint8_t *)mask.t.data)[i];
            ck_assert_int_eq(stays, ((float *)weight.t.data)[i] != 0.0f);
            zeros += !stays;
        }
        ck_assert_uint_eq(zeros, (size_t)tool_number(entry, "zeros"));
        const char *name = cJSON_GetObjectItem(entry, "name")->valuestring;
        ck_assert_uint_eq(zeros, strcmp(name, "mid.w") == 0     ? count * 3 / 4
                                 : strcmp(name, "point.w") == 0 ? count * 3 / 4
                                                                : 0);
        host_free(&mask);
        host_free(&weight);
        n++;
    }
    ck_assert_int_eq(n, 5);
    cJSON_Delete(top);
    tool_call(2, "masks %s", scratch_path("pruned.onnx"));
    tool_call(1, "masks %s -o /proc/none", scratch_path("pruned.onnx"));
    tool_call(3, "masks %s -o %s", scratch_write("bad.onnx", "no model", 8), scratch_path("m"));
}
END_TEST

/* A Python that has PyTorch and NumPy; NULL: none. */
static const char *python(void)
{
    static const char *const names[] = {"python3", "/usr/bin/python3"};
    for (int i = 0; i < 2; i++) {
        char command[100];
        snprintf(command, sizeof command, "%s -c 'import torch, numpy' >/dev/null 2>&1", names[i]);
        if (system(command) == 0) {
            return names[i];
        }
    }
    return NULL;
}

static const char *write_pictures(void)
{
    static uint8_t file[64][3073];
    uint32_t seed = 1;
    for (int i = 0; i < 64; i++) {
        file[i][0] = (uint8_t)(i % SMALL_CLASSES);
        for (int k = 1; k < 3073; k++) {
            seed = seed * 1664525u + 1013904223u;
            file[i][k] = (uint8_t)(40 * file[i][0] + (seed >> 26));
        }
    }
    return scratch_write("pictures.bin", file, sizeof file);
}

START_TEST(tuning_in_pytorch_keeps_the_zeros)
{
    const char *with = python(), *net = pruned_net(), *tuned = scratch_path("tuned.onnx");
    if (!with) {
        printf("skip: no PyTorch\n");
        return;
    }
    char command[2048];
    const char *data = write_pictures();
    cJSON *before = masks_of(net, "before");
    snprintf(command, sizeof command,
             "%s examples/finetune.py %s %s -o %s --data %s --test %s --epochs 2 --batch 16 "
             "--threads 1 >%s 2>&1",
             with, net, scratch_path("before"), tuned, data, data, scratch_path("log"));
    if (system(command) != 0) {
        char show[300];
        snprintf(show, sizeof show, "tail -5 %s", scratch_path("log"));
        ck_abort_msg("finetune.py failed: %d", system(show));
    }
    cJSON *after = masks_of(tuned, "after");
    int n = cJSON_GetArraySize(cJSON_GetObjectItem(before, "weights")), changed = 0;
    for (int i = 0; i < n; i++) {
        const cJSON *a = cJSON_GetArrayItem(cJSON_GetObjectItem(before, "weights"), i);
        const cJSON *b = cJSON_GetArrayItem(cJSON_GetObjectItem(after, "weights"), i);
        struct host_tensor old = load("before", a, "mask"), new = load("after", b, "mask");
        struct host_tensor w = load("before", a, "weight"), v = load("after", b, "weight");
        ck_assert_str_eq(cJSON_GetObjectItem(a, "name")->valuestring,
                         cJSON_GetObjectItem(b, "name")->valuestring);
        ck_assert_mem_eq(old.t.data, new.t.data, old.t.capacity);
        changed += memcmp(w.t.data, v.t.data, w.t.capacity) != 0;
        host_free(&old);
        host_free(&new);
        host_free(&w);
        host_free(&v);
    }
    ck_assert_int_eq(changed, n);
    cJSON_Delete(before);
    cJSON_Delete(after);
    tool_call(0, "eval %s --data %s --format cifar10 --json", tuned, data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("masks");
    TCase *t = tcase_create("masks");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, masks_are_where_weights_are_not_zero);
    tcase_add_test(t, tuning_in_pytorch_keeps_the_zeros);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
