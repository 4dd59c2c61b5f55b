/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs to ONNX files: what was imported comes back equal after export and import. */
#include "lib/base/checked.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/graph/graph.h"
#include "lib/onnx/export.h"
#include "lib/onnx/import.h"
#include "lib/ops/op.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static nm_limits limits;
static char path[] = "/tmp/nm_export_XXXXXX";

struct loaded {
    struct nmi_graph *graph;
    void *bytes;
    size_t size;
};

static nm_status load_file(const char *file, struct loaded *l, nm_error *err)
{
    *l = (struct loaded){.graph = NULL};
    nm_status status = nmi_file_read(file, 1u << 30, &l->bytes, &l->size, err);
    if (status == NM_OK) {
        status = nmi_onnx_import(l->bytes, l->size, NULL, &limits, NULL, &l->graph, err);
    }
    return status;
}

static struct loaded load_built(struct onnx_build *b)
{
    struct loaded l;
    nm_error err = {0};
    l.bytes = onnx_build_finish(b, &l.size);
    nm_status status = nmi_onnx_import(l.bytes, l.size, NULL, &limits, NULL, &l.graph, &err);
    ck_assert_msg(status == NM_OK, "%s", err.message);
    return l;
}

static void forget(struct loaded *l)
{
    nmi_graph_free(l->graph);
    nmi_free(l->bytes);
}

static struct loaded again(const struct nmi_graph *g, bool sparse)
{
    struct loaded l;
    nm_error err = {0};
    nm_status status = nmi_onnx_export(g, sparse, path, &err);
    ck_assert_msg(status == NM_OK, "export: %s", err.message);
    status = load_file(path, &l, &err);
    ck_assert_msg(status == NM_OK, "import: %s", err.message);
    return l;
}

/* ---- equality -------------------------------------------------------------------------------- */

static void same_constant(const struct nmi_constant *a, const struct nmi_constant *b)
{
    ck_assert_int_eq((int)a->type, (int)b->type);
    ck_assert_int_eq(a->rank, b->rank);
    ck_assert_int_eq(memcmp(a->dims, b->dims, sizeof a->dims), 0);
    ck_assert_uint_eq(a->bytes, b->bytes);
    ck_assert_int_eq(memcmp(a->data, b->data, a->bytes), 0);
}

static void same_value(const struct nmi_graph *a, int32_t va, const struct nmi_graph *b, int32_t vb)
{
    ck_assert_int_eq(va == NMI_NONE, vb == NMI_NONE);
    if (va == NMI_NONE) {
        return;
    }
    const struct nmi_value *x = &a->values[va], *y = &b->values[vb];
    ck_assert_str_eq(x->name, y->name);
    const struct nmi_constant *c = nmi_graph_constant(a, va), *d = nmi_graph_constant(b, vb);
    ck_assert_int_eq(c == NULL, d == NULL);
    if (c != NULL) {
        same_constant(c, d);
    }
}

static void same_info(const struct nmi_graph *a, int32_t va, const struct nmi_graph *b, int32_t vb)
{
    const struct nmi_value *x = &a->values[va], *y = &b->values[vb];
    same_value(a, va, b, vb);
    ck_assert_int_eq((int)x->type, (int)y->type);
    ck_assert_int_eq(x->rank, y->rank);
    for (int32_t i = 0; i < x->rank; i++) {
        int32_t s = nmi_dim_symbol_id(x->dims[i]), t = nmi_dim_symbol_id(y->dims[i]);
        if (s != NMI_NONE && t != NMI_NONE) {
            ck_assert_str_eq(a->symbols[s], b->symbols[t]);
        } else {
            ck_assert(x->dims[i] == y->dims[i]);
        }
    }
}

static void same_attrs(const struct nmi_graph *a, const struct nmi_node *m,
                       const struct nmi_graph *b, const struct nmi_node *n)
{
    static const size_t sizes[] = {[NMI_ATTR_INT] = sizeof(int64_t),
                                   [NMI_ATTR_FLOAT] = sizeof(float),
                                   [NMI_ATTR_INTS] = sizeof(struct nmi_ints),
                                   [NMI_ATTR_FLOATS] = sizeof(struct nmi_floats),
                                   [NMI_ATTR_ENUM] = sizeof(int64_t),
                                   [NMI_ATTR_TENSOR] = 0,
                                   [NMI_ATTR_IGNORED] = 0};
    for (const struct nmi_attr *t = nmi_ops[m->op]->attr; t != NULL && t->name != NULL; t++) {
        const char *x = (const char *)m->attrs + t->offset, *y = (const char *)n->attrs + t->offset;
        if (t->kind == NMI_ATTR_TENSOR) {
            int32_t c, d;
            memcpy(&c, x, sizeof c);
            memcpy(&d, y, sizeof d);
            ck_assert_int_eq(c == NMI_NONE, d == NMI_NONE);
            if (c != NMI_NONE) {
                same_constant(&a->constants[c], &b->constants[d]);
            }
        }
        ck_assert_msg(memcmp(x, y, sizes[t->kind]) == 0, "%s.%s", nmi_ops[m->op]->name, t->name);
    }
}

static void same_graph(const struct nmi_graph *a, const struct nmi_graph *b)
{
    ck_assert_int_eq(a->opset, b->opset);
    ck_assert_int_eq(a->n_nodes, b->n_nodes);
    ck_assert_int_eq(a->n_inputs, b->n_inputs);
    ck_assert_int_eq(a->n_outputs, b->n_outputs);
    for (int32_t i = 0; i < a->n_inputs; i++) {
        same_info(a, a->inputs[i], b, b->inputs[i]);
    }
    for (int32_t i = 0; i < a->n_outputs; i++) {
        same_info(a, a->outputs[i], b, b->outputs[i]);
    }
    for (int32_t i = 0; i < a->n_nodes; i++) {
        const struct nmi_node *m = &a->nodes[i], *n = &b->nodes[i];
        ck_assert_int_eq(m->op, n->op);
        ck_assert_str_eq(m->name, n->name);
        ck_assert_int_eq(m->n_inputs, n->n_inputs);
        ck_assert_int_eq(m->n_outputs, n->n_outputs);
        for (int32_t k = 0; k < m->n_inputs; k++) {
            same_value(a, m->inputs[k], b, n->inputs[k]);
        }
        for (int32_t k = 0; k < m->n_outputs; k++) {
            same_value(a, m->outputs[k], b, n->outputs[k]);
        }
        same_attrs(a, m, b, n);
    }
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void put_network(struct onnx_build *b)
{
    static float w[4 * 3 * 3 * 3], large[3000];
    for (size_t i = 0; i < NMI_COUNT(w); i++) {
        w[i] = (float)i - 50;
    }
    large[7] = 1;
    onnx_build_start(b, 13);
    onnx_build_input(b, "x", NM_F32, "N,3,?,8");
    onnx_build_input(b, "any", NM_I64, NULL);
    onnx_build_input(b, "scalar", NM_F32, "");
    onnx_build_tensor(b, "w", NM_F32, "4,3,3,3", w, sizeof w);
    onnx_build_tensor(b, "large", NM_F32, "3000", large, sizeof large);
    onnx_build_tensor(b, "unused", NM_F32, "3000", large, sizeof large);
    onnx_build_open(b, "Conv", "x,w", "t");
    nmi_put_string(&b->w, 3, "conv");
    onnx_build_ints(b, "pads", "1,2,3,4");
    onnx_build_string(b, "auto_pad", "NOTSET");
    onnx_build_close(b);
    onnx_build_open(b, "LeakyRelu", "t", "u");
    onnx_build_float(b, "alpha", 0.25f);
    onnx_build_close(b);
    onnx_build_node(b, "Clip", "u,,scalar", "y");
    onnx_build_open(b, "Transpose", "y", "z");
    onnx_build_ints(b, "perm", "0,2,3,1");
    onnx_build_close(b);
    onnx_build_output(b, "z", NM_F32, "N,?,M,4");
    onnx_build_output(b, "large", NM_F32, "3000");
    onnx_build_output(b, "x", NM_F32, "N,3,?,8");
}

START_TEST(export_network_comes_back_equal)
{
    struct onnx_build b;
    put_network(&b);
    struct loaded first = load_built(&b);
    for (int sparse = 0; sparse < 2; sparse++) {
        struct loaded second = again(first.graph, sparse != 0);
        same_graph(first.graph, second.graph);
        ck_assert_int_eq(second.graph->n_constants, 2); /* not the unused one */
        ck_assert_uint_lt(second.size, first.size);
        forget(&second);
    }
    forget(&first);
}
END_TEST

START_TEST(export_metadata_comes_back)
{
    struct onnx_build b;
    put_network(&b);
    struct loaded first = load_built(&b);
    struct nmi_graph *g = first.graph;
    const char *meta[] = {"key", "value", "", ""};
    g->producer = "producer";
    g->domain = "domain";
    g->doc = "doc";
    g->name = "";
    g->model_version = -3;
    g->meta = meta;
    g->n_meta = 2;
    struct loaded second = again(g, false);
    ck_assert_str_eq(second.graph->producer, "producer");
    ck_assert_str_eq(second.graph->domain, "domain");
    ck_assert_str_eq(second.graph->doc, "doc");
    ck_assert_str_eq(second.graph->name, "graph");
    ck_assert_int_eq((int)second.graph->model_version, -3);
    ck_assert_int_eq(second.graph->n_meta, 2);
    ck_assert_str_eq(second.graph->meta[1], "value");
    forget(&second);
    forget(&first);
}
END_TEST

START_TEST(export_sparse_only_where_marked_and_smaller)
{
    static float thin[1000], thick[1000];
    struct onnx_build b;
    thin[3] = 1.5f;
    thin[999] = -2.5f;
    thin[500] = -0.0f; /* not zero: its sign stays */
    for (size_t i = 0; i < NMI_COUNT(thick); i++) {
        thick[i] = i % 2 == 0 ? 1.0f : 0.0f;
    }
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "marked", NM_F32, "10,100", thin, sizeof thin);
    onnx_build_tensor(&b, "thin", NM_F32, "10,100", thin, sizeof thin);
    onnx_build_tensor(&b, "thick", NM_F32, "1000", thick, sizeof thick);
    onnx_build_output(&b, "marked", NM_F32, NULL);
    onnx_build_output(&b, "thin", NM_F32, NULL);
    onnx_build_output(&b, "thick", NM_F32, NULL);
    struct loaded first = load_built(&b);
    first.graph->constants[0].sparse = 1;
    first.graph->constants[2].sparse = 1;
    struct loaded second = again(first.graph, true);
    same_graph(first.graph, second.graph);
    ck_assert_int_eq(nmi_graph_constant(second.graph, second.graph->outputs[0])->sparse, 1);
    ck_assert_int_eq(nmi_graph_constant(second.graph, second.graph->outputs[1])->sparse, 0);
    ck_assert_int_eq(nmi_graph_constant(second.graph, second.graph->outputs[2])->sparse, 0);
    ck_assert_uint_lt(second.size, first.size - 3500);
    forget(&second);
    struct loaded third = again(first.graph, false);
    same_graph(first.graph, third.graph);
    ck_assert_uint_gt(third.size, 12000);
    forget(&third);
    forget(&first);
}
END_TEST

START_TEST(export_names_that_clash_made_unique)
{
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    g->opset = 13;
    int32_t x = nmi_graph_add_value(g, "v"), y = nmi_graph_add_value(g, "v");
    int32_t z = nmi_graph_add_value(g, ""), w = nmi_graph_add_value(g, "v.1");
    g->values[x].type = NM_F32;
    ck_assert_int_ne(nmi_graph_add_node(g, NMI_OP_Relu, 13, "", &x, 1, &y, 1, NULL), NMI_NONE);
    ck_assert_int_ne(nmi_graph_add_node(g, NMI_OP_Abs, 13, "", &y, 1, &z, 1, NULL), NMI_NONE);
    ck_assert_int_ne(nmi_graph_add_node(g, NMI_OP_Neg, 13, "", &z, 1, &w, 1, NULL), NMI_NONE);
    g->inputs = &x;
    g->outputs = &w;
    g->n_inputs = g->n_outputs = 1;
    struct loaded l = again(g, false);
    ck_assert_int_eq(l.graph->n_nodes, 3);
    ck_assert_str_eq(l.graph->values[l.graph->inputs[0]].name, "v");
    ck_assert_str_eq(l.graph->values[l.graph->outputs[0]].name, "v.1");
    forget(&l);
    nmi_graph_free(g);
}
END_TEST

START_TEST(export_every_failed_allocation_reported)
{
    struct onnx_build b;
    put_network(&b);
    struct loaded l = load_built(&b);
    l.graph->constants[1].sparse = 1;
    size_t live = nmi_alloc_live();
    nm_status status = NM_ENOMEM;
    for (long n = 1; status != NM_OK; n++) {
        nm_error err = {0};
        nmi_alloc_fail_after(n, 0);
        status = nmi_onnx_export(l.graph, true, path, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || status == NM_ENOMEM);
        ck_assert_uint_eq(nmi_alloc_live(), live);
        ck_assert_int_lt(n, 1000);
    }
    ck_assert_int_eq(nmi_onnx_export(l.graph, true, "/nowhere/at/all.onnx", NULL), NM_EIO);
    forget(&l);
}
END_TEST

/* Weights are written from where they lie. */
START_TEST(export_peak_memory_small)
{
    size_t count = 2 << 20;
    float *w = calloc(count, sizeof *w);
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "w", NM_F32, "2097152", w, count * sizeof *w);
    onnx_build_output(&b, "w", NM_F32, NULL);
    struct loaded l = load_built(&b);
    free(w);
    nmi_alloc_peak(1);
    size_t before = nmi_alloc_live();
    ck_assert_int_eq(nmi_onnx_export(l.graph, false, path, NULL), NM_OK);
    ck_assert_uint_lt(nmi_alloc_peak(0) - before, 1 << 20);
    forget(&l);
}
END_TEST

/* ---- real files ------------------------------------------------------------------------------ */

#define TESTDATA "/usr/share/libonnx-testdata/data/node"

START_TEST(export_testdata_models_come_back_equal)
{
    DIR *dir = opendir(TESTDATA);
    int files = 0, refused = 0;
    if (dir == NULL) {
        printf("skipped: libonnx-testdata is not installed\n");
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char file[512];
        struct loaded first;
        nm_error err = {0};
        snprintf(file, sizeof file, TESTDATA "/%s/model.onnx", e->d_name);
        nm_status status = load_file(file, &first, &err);
        if (status == NM_OK) {
            struct loaded second = again(first.graph, true);
            same_graph(first.graph, second.graph);
            forget(&second);
            files++;
        } else if (status != NM_EIO) {
            ck_assert_msg(status == NM_EUNSUPPORTED || status == NM_ELIMIT, "%s: %s", e->d_name,
                          err.message);
            refused++;
        }
        forget(&first);
    }
    closedir(dir);
    printf("%d models came back, %d refused\n", files, refused);
    ck_assert_int_gt(files, 400);
}
END_TEST

static void make_path(void)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_path(void)
{
    unlink(path);
}

int main(void)
{
    if (nmi_limits_resolve(NULL, &limits, NULL) != NM_OK) {
        return 1;
    }
    Suite *s = suite_create("export");
    TCase *t = tcase_create("export");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, make_path, remove_path);
    tcase_add_test(t, export_network_comes_back_equal);
    tcase_add_test(t, export_metadata_comes_back);
    tcase_add_test(t, export_sparse_only_where_marked_and_smaller);
    tcase_add_test(t, export_names_that_clash_made_unique);
    tcase_add_test(t, export_every_failed_allocation_reported);
    tcase_add_test(t, export_peak_memory_small);
    tcase_add_test(t, export_testdata_models_come_back_equal);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
