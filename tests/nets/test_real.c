/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trained networks: the one in examples/models, and those in the folder NM_TEST_MODELS, when there
 * is one: each .onnx file that has one float32 input is run on every instruction set.
 */
#include "tests/support/net_case.h"

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXAMPLE "examples/models/resnet20_cifar10"
static const char *const forms[] = {"", "-recal", "-recal-perf"};

START_TEST(example_network_knows_its_cat)
{
    static const char *const isas[] = {"ref", "avx2", "auto"};
    char options[1024] = "";
    if (access(EXAMPLE ".onnx", R_OK) != 0) {
        printf("skip " EXAMPLE ".onnx is not there\n");
        return;
    }
    FILE *f = fopen(EXAMPLE ".args", "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(options, sizeof options, f));
    fclose(f);
    options[strcspn(options, "\n")] = '\0';
    const int n = 2 + (nm_isa_best() > NM_ISA_AVX2);
    for (int k = 0; k < 3 * n; k++) {
        const int i = k % n;
        const int status = net_nmie("classify " EXAMPLE "%s.onnx " EXAMPLE "-cat.png %s --top 1 "
                                    "--cache none %s%s",
                                    forms[k / n], options, i < 2 ? "--isa " : "",
                                    i < 2 ? isas[i] : "");
        ck_assert_msg(status == 0, "%s: %s", isas[i], net_said());
        ck_assert_msg(strstr(net_said(), "cat") != NULL, "%s: %s", isas[i], net_said());
    }
}
END_TEST

START_TEST(example_network_as_the_reference)
{
    if (access(EXAMPLE ".onnx", R_OK) != 0) {
        printf("skip " EXAMPLE ".onnx is not there\n");
        return;
    }
    for (int i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, EXAMPLE "%s.onnx", forms[i]);
        nm_model *model = net_load(path);
        net_check(model, (const int64_t[]){1, 3, 16, 0}, path);
        net_check_half(model, 3, path);
        nm_model_free(model);
    }
}
END_TEST

/* Below NM_TEST_MODELS; NULL: no such folder. */
static const char *folder(void)
{
    const char *dir = getenv("NM_TEST_MODELS");
    if (dir == NULL || dir[0] == '\0') {
        printf("skip trained networks: NM_TEST_MODELS is not set\n");
        return NULL;
    }
    return dir;
}

static void check_file(const char *path, const char *name)
{
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    nm_status status = nm_model_load(path, NULL, &model, &err);
    if (status == NM_EUNSUPPORTED) {
        printf("skip %s\n", err.message);
        return;
    }
    ck_assert_msg(status == NM_OK, "%s", err.message);
    const nm_value_info *in = nm_model_input(model, 0);
    if (nm_model_inputs(model) == 1 && in->type == NM_F32 && in->rank == 4) {
        const bool free_batch = in->dims[0] < 0;
        net_check(model,
                  free_batch ? (const int64_t[]){1, 3, 0} : (const int64_t[]){in->dims[0], 0},
                  name);
    } else {
        printf("skip %s: not one float32 input of rank 4\n", name);
    }
    nm_model_free(model);
}

START_TEST(every_network_of_the_folder_as_the_reference)
{
    const char *dir = folder();
    DIR *d = dir != NULL ? opendir(dir) : NULL;
    ck_assert(dir == NULL || d != NULL);
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d)) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot != NULL && strcmp(dot, ".onnx") == 0) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
            check_file(path, e->d_name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}
END_TEST

/* One network before and after its batch normalisations were folded by another tool. */
START_TEST(folded_by_others_as_folded_here)
{
    const char *dir = folder();
    char path[2][4096];
    struct net_output y[2];
    for (int i = 0; dir != NULL && i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/cifar_resnet20_%s.onnx", dir, i ? "folded" : "bn");
        if (access(path[i], R_OK) != 0) {
            printf("skip %s is not there\n", path[i]);
            dir = NULL;
        }
    }
    if (dir == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        nm_model *model = net_load(path[i]);
        nm_tensor in = net_images(model, 4);
        y[i] = net_run(model, &in, NULL);
        free(in.data);
        nm_model_free(model);
    }
    ck_assert_uint_eq(y[0].n, y[1].n);
    net_close(&y[0], &y[1], y[0].n, "batch normalisation folded here");
    free(y[0].y);
    free(y[1].y);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("real");
    TCase *t = tcase_create("real");
    tcase_set_timeout(t, 600);
    tcase_add_test(t, example_network_knows_its_cat);
    tcase_add_test(t, example_network_as_the_reference);
    tcase_add_test(t, every_network_of_the_folder_as_the_reference);
    tcase_add_test(t, folded_by_others_as_folded_here);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
