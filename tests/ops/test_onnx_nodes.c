/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator tests that ONNX ships (Debian's libonnx-testdata): each model is imported, its
 * inputs are given as data, so that everything is folded by the operators' own eval, and the
 * outputs are compared. What libnm does not do must say so, with one of the few reasons that are
 * allowed.
 */
#include "lib/base/file.h"
#include "lib/onnx/import.h"
#include "lib/ops/helpers.h"
#include "tests/support/pb_tensor.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "/usr/share/libonnx-testdata/data/node"
#define LEAST_PASSED 410

static const char *const reasons[] = {"training mode", "3-D",       "is of opset",
                                      "type",          "operators", "mode wrap"};

struct counts {
    int passed, failed, unsupported, other; /* other: with a reason that is not allowed */
    int by_reason[NMI_COUNT(reasons)];
};

/* The test data of ONNX 1.12 holds bfloat16 as uint16, numpy having no such type. */
static void retype(nm_type expected, struct nmi_tensor *t)
{
    if (expected == NM_BF16 && t->type == NM_U16) {
        t->type = NM_BF16;
    }
}

/* Gives the inputs of a data set to the graph, in the order of the files. */
static nm_status bind_inputs(const struct nmi_graph *g, const char *folder, struct nmi_fact *facts,
                             struct nmi_arena *arena, nm_error *err)
{
    char path[600];
    for (int32_t i = 0; i < g->n_inputs; i++) {
        struct nmi_tensor t;
        snprintf(path, sizeof path, "%s/input_%d.pb", folder, i);
        NMI_TRY(pb_tensor_read(path, arena, &t, err));
        retype(g->values[g->inputs[i]].type, &t);
        struct nmi_fact *f = &facts[g->inputs[i]];
        nmi_fact_set(f, t.type, t.rank, t.dims);
        f->data = t.data;
    }
    return NM_OK;
}

static nm_status compare_outputs(const struct nmi_graph *g, const char *folder,
                                 const struct nmi_fact *facts, struct nmi_arena *arena,
                                 nm_error *err)
{
    char path[600], why[200];
    for (int32_t i = 0; i < g->n_outputs; i++) {
        const struct nmi_fact *f = &facts[g->outputs[i]];
        struct nmi_tensor want, got = {.type = f->type, .rank = f->rank, .data = (void *)f->data};
        memcpy(got.dims, f->dims, sizeof got.dims);
        snprintf(path, sizeof path, "%s/output_%d.pb", folder, i);
        NMI_TRY(pb_tensor_read(path, arena, &want, err));
        retype(f->type, &want);
        if (f->data == NULL) {
            return nmi_fail(err, NM_EINTERNAL, "output %d was not evaluated", i);
        }
        if (!pb_tensor_close(&got, &want, 1e-3, 1e-7, why, sizeof why)) {
            return nmi_fail(err, NM_EINTERNAL, "output %d: %s", i, why);
        }
    }
    return NM_OK;
}

static nm_status run_set(const struct nmi_graph *g, const char *folder, nm_error *err)
{
    struct nmi_arena arena = {0};
    struct nmi_budget budget = {.work = 1e10, .bytes = 1u << 30};
    struct nmi_fact *facts = nmi_arena_array(&arena, (size_t)g->n_values, sizeof *facts);
    nm_status status = bind_inputs(g, folder, facts, &arena, err);
    if (status == NM_OK) {
        status = nmi_propagate(g, facts, &budget, &arena, err);
    }
    if (status == NM_OK) {
        status = compare_outputs(g, folder, facts, &arena, err);
    }
    nmi_arena_free(&arena);
    return status;
}

static nm_status run_model(const char *folder, nm_error *err)
{
    char path[500];
    void *bytes = NULL;
    size_t size;
    nm_limits limits;
    struct nmi_graph *g = NULL;
    NMI_TRY(nmi_limits_resolve(NULL, &limits, err));
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    NMI_TRY(nmi_file_read(path, limits.model_bytes, &bytes, &size, err));
    nm_status status = nmi_onnx_import(bytes, size, NULL, &limits, NULL, &g, err);
    for (int set = 0; status == NM_OK; set++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set);
        DIR *there = opendir(path);
        if (there == NULL) {
            ck_assert_int_gt(set, 0);
            break;
        }
        closedir(there);
        status = run_set(g, path, err);
    }
    nmi_graph_free(g);
    nmi_free(bytes);
    return status;
}

static void count_unsupported(const char *name, const nm_error *err, struct counts *c)
{
    c->unsupported++;
    for (size_t i = 0; i < NMI_COUNT(reasons); i++) {
        if (strstr(err->message, reasons[i]) != NULL) {
            c->by_reason[i]++;
            return;
        }
    }
    c->other++;
    printf("%s: unsupported without an allowed reason: %s\n", name, err->message);
}

static void run_one(const char *name, struct counts *c)
{
    char folder[400];
    nm_error err = {.status = NM_OK};
    snprintf(folder, sizeof folder, "%s/%s", FOLDER, name);
    nm_status status = run_model(folder, &err);
    if (status == NM_OK) {
        c->passed++;
    } else if (status == NM_EUNSUPPORTED) {
        count_unsupported(name, &err, c);
    } else {
        c->failed++;
        printf("%s: %s: %s\n", name, nm_status_name(status), err.message);
    }
    if (getenv("NM_VERBOSE") != NULL) {
        printf("%s\t%s\t%s\n", name, nm_status_name(status), err.message);
    }
}

START_TEST(onnx_node_tests_pass_or_say_why)
{
    struct counts c = {0};
    DIR *dir = opendir(FOLDER);
    if (dir == NULL) {
        printf("skip: %s is not there (libonnx-testdata)\n", FOLDER);
        return;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, "test_", 5) == 0) {
            run_one(e->d_name, &c);
        }
    }
    closedir(dir);
    printf("ONNX node tests: %d passed, %d failed, %d unsupported (", c.passed, c.failed,
           c.unsupported);
    for (size_t i = 0; i < NMI_COUNT(reasons); i++) {
        printf("%s%s %d", i > 0 ? ", " : "", reasons[i], c.by_reason[i]);
    }
    printf(")\n");
    ck_assert_int_eq(c.failed, 0);
    ck_assert_int_eq(c.other, 0);
    ck_assert_int_ge(c.passed, LEAST_PASSED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("onnx_nodes");
    TCase *t = tcase_create("onnx_nodes");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, onnx_node_tests_pass_or_say_why);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
