/* SPDX-License-Identifier: Apache-2.0 */
/* Models to graphs: what is read. */
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/graph/graph.h"
#include "lib/onnx/import.h"
#include "lib/ops/attrs.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct nmi_value *output(const struct onnx_result *r, int i)
{
    return &r->graph->values[r->graph->outputs[i]];
}

/* ---- what is read ---------------------------------------------------------------------------- */

START_TEST(import_network_read_with_attributes_and_shapes)
{
    static const float w[4 * 3 * 3 * 3];
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,3,?,8");
    onnx_build_input(&b, "other", NM_I64, NULL);
    onnx_build_input(&b, "same", NM_F32, "N");
    onnx_build_tensor(&b, "w", NM_F32, "4,3,3,3", w, sizeof w);
    onnx_build_open(&b, "Conv", "x,w", "t");
    onnx_build_ints(&b, "pads", "1,2,3,4");
    onnx_build_string(&b, "auto_pad", "NOTSET");
    onnx_build_int(&b, "group", 1);
    onnx_build_close(&b);
    onnx_build_open(&b, "LeakyRelu", "t", "y");
    onnx_build_float(&b, "alpha", 0.25f);
    onnx_build_close(&b);
    onnx_build_output(&b, "y", NM_F32, "N,4,?,?");
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_ok(&r);
    const struct nmi_graph *g = r.graph;
    ck_assert_int_eq(g->n_nodes, 2);
    ck_assert_int_eq(g->n_inputs, 3);
    ck_assert_int_eq(g->n_constants, 1);
    ck_assert_int_eq(g->n_symbols, 1);
    ck_assert_str_eq(g->symbols[0], "N");
    ck_assert_int_eq(g->opset, 13);
    const struct nmi_value *x = &g->values[g->inputs[0]];
    ck_assert_int_eq(x->rank, 4);
    ck_assert_int_eq((int)x->dims[0], (int)nmi_dim_symbol(0));
    ck_assert_int_eq((int)x->dims[2], NMI_DIM_UNKNOWN);
    ck_assert_int_eq((int)x->dims[3], 8);
    ck_assert_int_eq(g->values[g->inputs[1]].rank, -1);
    ck_assert_int_eq(g->values[g->inputs[1]].type, NM_I64);
    ck_assert_int_eq((int)g->values[g->inputs[2]].dims[0], (int)x->dims[0]);
    const struct nmi_conv_attrs *conv = g->nodes[0].attrs;
    ck_assert_int_eq(conv->pads.n, 4);
    ck_assert_int_eq((int)conv->pads.v[3], 4);
    ck_assert_int_eq((int)conv->group, 1);
    ck_assert_int_eq(conv->strides.n, 0);
    ck_assert(((const struct nmi_alpha_attrs *)g->nodes[1].attrs)->alpha == 0.25f);
    onnx_forget(&r);
}
END_TEST

START_TEST(import_nodes_in_any_order_sorted)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_node(&b, "Abs", "t2", "y");
    onnx_build_node(&b, "Relu", "x", "t1");
    onnx_build_node(&b, "Neg", "t1", "t2");
    onnx_build_input(&b, "x", NM_F32, "4");
    onnx_build_output(&b, "y", NM_F32, "4");
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_ok(&r);
    ck_assert_int_eq(r.graph->nodes[0].op, NMI_OP_Relu);
    ck_assert_int_eq(r.graph->nodes[2].op, NMI_OP_Abs);
    onnx_forget(&r);
}
END_TEST

START_TEST(import_initializer_that_is_an_input_is_a_constant)
{
    struct onnx_build b;
    onnx_build_start(&b, 7);
    onnx_build_input(&b, "x", NM_F32, "1");
    onnx_build_input(&b, "w", NM_F32, "1");
    onnx_build_tensor(&b, "w", NM_F32, "1", "abcd", 4);
    onnx_build_node(&b, "Add", "x,w", "y");
    onnx_build_output(&b, "y", NM_F32, "1");
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_ok(&r);
    ck_assert_int_eq(r.graph->n_inputs, 1);
    ck_assert_ptr_nonnull(nmi_graph_constant(r.graph, r.graph->nodes[0].inputs[1]));
    onnx_forget(&r);
}
END_TEST

START_TEST(import_outputs_that_are_inputs_or_constants_read)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "2");
    onnx_build_tensor(&b, "w", NM_F32, "1", "abcd", 4);
    onnx_build_node(&b, "Relu", "x", "y");
    onnx_build_output(&b, "y", NM_F32, "2");
    onnx_build_output(&b, "x", NM_F32, "2");
    onnx_build_output(&b, "w", NM_F32, "1");
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_ok(&r);
    ck_assert_int_eq(r.graph->n_outputs, 3);
    ck_assert_str_eq(output(&r, 1)->name, "x");
    ck_assert_int_ne(output(&r, 2)->constant, NMI_NONE);
    onnx_forget(&r);
}
END_TEST

START_TEST(import_omitted_optional_inputs_are_none)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "2");
    onnx_build_tensor(&b, "six", NM_F32, "", "\0\0\300@", 4);
    onnx_build_node(&b, "Clip", "x,,six", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_ok(&r);
    ck_assert_int_eq(r.graph->nodes[0].n_inputs, 3);
    ck_assert_int_eq(r.graph->nodes[0].inputs[1], NMI_NONE);
    onnx_forget(&r);
}
END_TEST

static void put_constant_node(struct onnx_build *b, const char *out, const char *attr, int32_t type,
                              uint32_t field)
{
    onnx_build_open(b, "Constant", "", out);
    struct nmi_mark mark = nmi_put_open(&b->w, 5);
    nmi_put_string(&b->w, 1, attr);
    if (field == 2 || field == 7) {
        nmi_put_float(&b->w, field, 1.5f);
    } else if (field == 3 || field == 8) {
        nmi_put_int(&b->w, field, -7);
    } else if (field == 4) {
        nmi_put_string(&b->w, field, "text");
    } else {
        struct nmi_mark tensor = nmi_put_open(&b->w, 5);
        onnx_build_dims(&b->w, 1, "2");
        nmi_put_int(&b->w, 2, NM_U8);
        nmi_put_bytes(&b->w, 9, "ab", 2);
        nmi_put_close(&b->w, tensor);
    }
    nmi_put_int(&b->w, 20, type);
    nmi_put_close(&b->w, mark);
    onnx_build_close(b);
    onnx_build_output(b, out, 0, NULL);
}

START_TEST(import_constant_nodes_become_constants)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    put_constant_node(&b, "t", "value", 4, 5);
    put_constant_node(&b, "f", "value_float", 1, 2);
    put_constant_node(&b, "fs", "value_floats", 6, 7);
    put_constant_node(&b, "i", "value_int", 2, 3);
    put_constant_node(&b, "is", "value_ints", 7, 8);
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_ok(&r);
    ck_assert_int_eq(r.graph->n_nodes, 0);
    static const int expected[][2] = {
        {NM_U8, 1}, {NM_F32, 0}, {NM_F32, 1}, {NM_I64, 0}, {NM_I64, 1}};
    for (int i = 0; i < 5; i++) {
        const struct nmi_constant *c = nmi_graph_constant(r.graph, r.graph->outputs[i]);
        ck_assert_int_eq((int)c->type, expected[i][0]);
        ck_assert_int_eq(c->rank, expected[i][1]);
    }
    int64_t seven;
    memcpy(&seven, nmi_graph_constant(r.graph, r.graph->outputs[4])->data, sizeof seven);
    ck_assert_int_eq((int)seven, -7);
    onnx_forget(&r);
    onnx_build_start(&b, 13);
    put_constant_node(&b, "s", "value_string", 3, 4);
    r = onnx_import_built(&b);
    onnx_expect_refused(&r, NM_EUNSUPPORTED, "value_string");
}
END_TEST

START_TEST(import_metadata_kept)
{
    struct onnx_build b;
    size_t size;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1");
    onnx_build_output(&b, "x", NM_F32, "1");
    nmi_put_close(&b.w, b.graph);
    nmi_put_string(&b.w, 2, "producer");
    nmi_put_string(&b.w, 4, "org.example");
    nmi_put_int(&b.w, 5, 42);
    nmi_put_string(&b.w, 6, "doc");
    struct nmi_mark opset = nmi_put_open(&b.w, 8);
    nmi_put_string(&b.w, 1, "ai.onnx");
    nmi_put_int(&b.w, 2, 17);
    nmi_put_close(&b.w, opset);
    struct nmi_mark entry = nmi_put_open(&b.w, 14);
    nmi_put_string(&b.w, 1, "key");
    nmi_put_string(&b.w, 2, "value");
    nmi_put_close(&b.w, entry);
    void *bytes = onnx_build_bytes(&b.w, &size);
    struct onnx_result r = onnx_import_bytes(bytes, size, NULL, NULL);
    onnx_expect_ok(&r);
    ck_assert_str_eq(r.graph->producer, "producer");
    ck_assert_str_eq(r.graph->domain, "org.example");
    ck_assert_str_eq(r.graph->doc, "doc");
    ck_assert_int_eq((int)r.graph->model_version, 42);
    ck_assert_int_eq((int)r.graph->ir_version, 8);
    ck_assert_int_eq(r.graph->opset, 17);
    ck_assert_int_eq(r.graph->n_meta, 1);
    ck_assert_str_eq(r.graph->meta[1], "value");
    ck_assert_str_eq(r.graph->name, "test");
    onnx_forget(&r);
}
END_TEST

/* ---- hostile files --------------------------------------------------------------------------- */

static void *sample(size_t *size)
{
    static const float w[300];
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,3,8,8");
    onnx_build_tensor(&b, "w", NM_F32, "4,3,5,5", w, sizeof w);
    onnx_build_open(&b, "Conv", "x,w", "t");
    onnx_build_ints(&b, "pads", "2,2,2,2");
    onnx_build_string(&b, "auto_pad", "NOTSET");
    onnx_build_close(&b);
    put_constant_node(&b, "c", "value", 4, 5);
    onnx_build_node(&b, "Relu", "t", "y");
    onnx_build_output(&b, "y", NM_F32, "N,4,8,8");
    return onnx_build_finish(&b, size);
}

static void survive(const unsigned char *bytes, size_t size)
{
    void *copy = nmi_alloc(size);
    memcpy(copy, bytes, size);
    struct onnx_result r = onnx_import_bytes(copy, size, NULL, NULL);
    if (r.status == NM_OK) {
        ck_assert_int_eq(nmi_graph_verify(r.graph, NULL), NM_OK);
    } else {
        ck_assert_uint_gt(strlen(r.err.message), 0);
        ck_assert_int_ne(r.status, NM_EINTERNAL);
    }
    onnx_forget(&r);
}

START_TEST(import_every_truncation_and_bit_flip_survived)
{
    size_t size, live = nmi_alloc_live();
    unsigned char *bytes = sample(&size);
    for (size_t n = 0; n <= size; n++) {
        survive(bytes, n);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        survive(bytes, size);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    nmi_free(bytes);
    ck_assert_uint_eq(nmi_alloc_live(), live);
}
END_TEST

START_TEST(import_every_failed_allocation_reported)
{
    size_t size, live = nmi_alloc_live();
    void *bytes = sample(&size);
    for (int sticky = 0; sticky < 2; sticky++) {
        nm_status status = NM_ENOMEM;
        for (long n = 1; status != NM_OK; n++) {
            void *copy = nmi_alloc(size);
            memcpy(copy, bytes, size);
            nmi_alloc_fail_after(n, sticky);
            struct onnx_result r = onnx_import_bytes(copy, size, NULL, NULL);
            nmi_alloc_fail_after(0, 0);
            status = r.status;
            ck_assert_msg(status == NM_OK || status == NM_ENOMEM, "%d: %s", (int)status,
                          r.err.message);
            onnx_forget(&r);
            ck_assert_int_lt(n, 1000);
        }
    }
    nmi_free(bytes);
    ck_assert_uint_eq(nmi_alloc_live(), live);
}
END_TEST

/* About 150 bytes, one shape of 2^50 x 2^50 elements: refused without a large allocation. */
START_TEST(import_model_that_asks_for_petabytes_refused)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "w", NM_F32, "1125899906842624,1125899906842624", "abcd", 4);
    onnx_build_node(&b, "Relu", "w", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    size_t size;
    void *bytes = onnx_build_finish(&b, &size);
    ck_assert_uint_le(size, 150);
    nmi_alloc_peak(1);
    struct onnx_result r = onnx_import_bytes(bytes, size, NULL, NULL);
    ck_assert_uint_lt(nmi_alloc_peak(0) - nmi_alloc_live(), 100000);
    onnx_expect_refused(&r, NM_ELIMIT, "nm_limits.elements");
}
END_TEST

/* Small nodes with large attribute structs: the graph's own memory has a limit, too. */
START_TEST(import_graph_that_outgrows_its_file_refused)
{
    struct onnx_build b;
    char out[16];
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1");
    for (int i = 0; i < 60000; i++) {
        snprintf(out, sizeof out, "%x", i);
        onnx_build_node(&b, "Conv", "", out);
    }
    onnx_build_output(&b, "x", NM_F32, "1");
    size_t size;
    void *bytes = onnx_build_finish(&b, &size);
    nmi_alloc_peak(1);
    size_t before = nmi_alloc_live();
    struct onnx_result r = onnx_import_bytes(bytes, size, NULL, NULL);
    ck_assert_uint_lt(nmi_alloc_peak(0) - before, 100u << 20);
    onnx_expect_refused(&r, NM_ELIMIT, "nm_limits.decoded_bytes");
}
END_TEST

/* Loading keeps one copy of the weights: the file's. */
START_TEST(import_peak_memory_close_to_the_file)
{
    size_t count = 2 << 20, size;
    float *w = calloc(count, sizeof *w);
    struct onnx_build b;
    onnx_build_start(&b, 13);
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "w%d%.*s", i, i, "pad");
        onnx_build_tensor(&b, name, NM_F32, "2097152", w, count * sizeof *w);
        onnx_build_output(&b, name, NM_F32, NULL);
    }
    void *bytes = onnx_build_finish(&b, &size);
    free(w);
    nmi_alloc_peak(1);
    size_t before = nmi_alloc_live();
    struct onnx_result r = onnx_import_bytes(bytes, size, NULL, NULL);
    onnx_expect_ok(&r);
    ck_assert_uint_lt(nmi_alloc_peak(0) - before, size / 10);
    onnx_forget(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("import");
    TCase *t = tcase_create("import");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, import_network_read_with_attributes_and_shapes);
    tcase_add_test(t, import_nodes_in_any_order_sorted);
    tcase_add_test(t, import_initializer_that_is_an_input_is_a_constant);
    tcase_add_test(t, import_outputs_that_are_inputs_or_constants_read);
    tcase_add_test(t, import_omitted_optional_inputs_are_none);
    tcase_add_test(t, import_constant_nodes_become_constants);
    tcase_add_test(t, import_metadata_kept);
    tcase_add_test(t, import_every_truncation_and_bit_flip_survived);
    tcase_add_test(t, import_every_failed_allocation_reported);
    tcase_add_test(t, import_model_that_asks_for_petabytes_refused);
    tcase_add_test(t, import_graph_that_outgrows_its_file_refused);
    tcase_add_test(t, import_peak_memory_close_to_the_file);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
