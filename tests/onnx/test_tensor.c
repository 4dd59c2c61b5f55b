/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of every encoding, and sparse ones: read right or refused. Each model
 * is one initializer, "w", that is the graph's output, too. */
#include "lib/base/checked.h"
#include "lib/base/mem.h"
#include "lib/graph/graph.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model of a writer whose only output is w. */
static struct onnx_result read_model(struct onnx_build *b)
{
    onnx_build_output(b, "w", 0, NULL);
    return onnx_import_built(b);
}

static const struct nmi_constant *w_of(const struct onnx_result *r)
{
    return nmi_graph_constant(r->graph, r->graph->outputs[0]);
}

static void expect(struct onnx_result *r, nm_status status, const char *words)
{
    ck_assert_msg(strstr(r->err.message, "\"w\"") != NULL, "\"%s\" lacks the name", r->err.message);
    onnx_expect_refused(r, status, words);
}

static void expect_values(struct onnx_result *r, int32_t type, const void *values, size_t bytes)
{
    onnx_expect_ok(r);
    const struct nmi_constant *w = w_of(r);
    ck_assert_int_eq((int)w->type, type);
    ck_assert_uint_eq(w->bytes, bytes);
    ck_assert_int_eq(memcmp(w->data, values, bytes), 0);
    ck_assert_uint_eq((uintptr_t)w->data % nmi_type_size(type), 0);
    onnx_forget(r);
}

static struct nmi_mark open_tensor(struct onnx_build *b, int32_t type, const char *shape)
{
    onnx_build_start(b, 13);
    struct nmi_mark mark = nmi_put_open(&b->w, 5);
    onnx_build_dims(&b->w, 1, shape);
    nmi_put_int(&b->w, 2, type);
    nmi_put_string(&b->w, 8, "w");
    return mark;
}

/* ---- raw bytes ------------------------------------------------------------------------------- */

static const int32_t types[] = {NM_F32, NM_U8,  NM_I8,  NM_U16, NM_I16, NM_I32,
                                NM_I64, NM_F16, NM_F64, NM_U32, NM_U64, NM_BF16};

START_TEST(tensor_raw_of_every_type_and_size_read)
{
    static const int sizes[] = {0, 1, 3, 7, 200, 5000};
    unsigned char data[5000 * 8];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * 37 + 11);
    }
    for (size_t t = 0; t < NMI_COUNT(types); t++) {
        for (size_t s = 0; s < NMI_COUNT(sizes); s++) {
            struct onnx_build b;
            char shape[16];
            snprintf(shape, sizeof shape, "%d", sizes[s]);
            size_t bytes = (size_t)sizes[s] * nmi_type_size(types[t]);
            onnx_build_start(&b, 13);
            onnx_build_tensor(&b, "w", types[t], shape, data, bytes);
            struct onnx_result r = read_model(&b);
            expect_values(&r, types[t], data, bytes);
        }
    }
}
END_TEST

/* A large weight stays in the file's bytes wherever it begins there. */
START_TEST(tensor_large_raw_at_any_offset_not_copied)
{
    float data[2000];
    for (size_t i = 0; i < NMI_COUNT(data); i++) {
        data[i] = (float)i;
    }
    for (int pad = 0; pad < 8; pad++) {
        struct onnx_build b;
        struct nmi_mark mark = open_tensor(&b, NM_F32, "2000");
        nmi_put_string(&b.w, 12, &"padding"[7 - pad]);
        nmi_put_bytes(&b.w, 9, data, sizeof data);
        nmi_put_close(&b.w, mark);
        struct onnx_result r = read_model(&b);
        ck_assert_int_eq(r.status, NM_OK);
        size_t at = (size_t)((const char *)w_of(&r)->data - (const char *)r.bytes);
        ck_assert_uint_lt(at, 200); /* beyond it when it were elsewhere */
        ck_assert_uint_lt(r.graph->arena.used, 1000);
        expect_values(&r, NM_F32, data, sizeof data);
    }
}
END_TEST

/* ---- typed fields ---------------------------------------------------------------------------- */

static void put_varint(unsigned char *bytes, size_t *n, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        bytes[(*n)++] = (unsigned char)(0x80 | (v & 0x7f));
    }
    bytes[(*n)++] = (unsigned char)v;
}

static struct onnx_result read_typed(int32_t type, uint32_t field, const int64_t *values,
                                     size_t count, bool packed)
{
    struct onnx_build b;
    char shape[16];
    static unsigned char bytes[100000];
    size_t n = 0;
    snprintf(shape, sizeof shape, "%zu", count);
    struct nmi_mark mark = open_tensor(&b, type, shape);
    for (size_t i = 0; i < count; i++) {
        put_varint(bytes, &n, (uint64_t)values[i]);
        if (!packed) {
            nmi_put_int(&b.w, field, values[i]);
        }
    }
    if (packed) {
        nmi_put_bytes(&b.w, field, bytes, n);
    }
    nmi_put_close(&b.w, mark);
    return read_model(&b);
}

START_TEST(tensor_integer_fields_packed_and_not_read)
{
    static const struct {
        int32_t type;
        uint32_t field;
        int64_t values[3];
    } cases[] = {{NM_U8, 5, {0, 7, 255}},
                 {NM_I8, 5, {-128, 0, 127}},
                 {NM_U16, 5, {0, 1, 65535}},
                 {NM_I16, 5, {-32768, 1, 32767}},
                 {NM_I32, 5, {INT32_MIN, 0, INT32_MAX}},
                 {NM_BOOL, 5, {0, 1, 1}},
                 {NM_F16, 5, {0x3c00, 0xfbff, 0}},
                 {NM_BF16, 5, {0x3f80, 0xff7f, 0}},
                 {NM_I64, 7, {INT64_MIN, -1, INT64_MAX}},
                 {NM_U32, 11, {0, 1, UINT32_MAX}},
                 {NM_U64, 11, {0, -1, 1}}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        size_t size = nmi_type_size(cases[i].type);
        unsigned char expected[24];
        for (size_t k = 0; k < 3; k++) {
            memcpy(expected + k * size, &cases[i].values[k], size);
        }
        for (int packed = 0; packed < 2; packed++) {
            struct onnx_result r =
                read_typed(cases[i].type, cases[i].field, cases[i].values, 3, packed);
            expect_values(&r, cases[i].type, expected, 3 * size);
        }
    }
}
END_TEST

START_TEST(tensor_float_fields_small_and_large_read)
{
    static float floats[1000];
    static double doubles[1000];
    static const size_t counts[] = {1, 10, 1000};
    for (size_t i = 0; i < 1000; i++) {
        floats[i] = 0.5f * (float)i;
        doubles[i] = 0.25 * (double)i;
    }
    for (size_t c = 0; c < NMI_COUNT(counts); c++) {
        struct onnx_build b;
        char shape[16];
        snprintf(shape, sizeof shape, "%zu", counts[c]);
        struct nmi_mark mark = open_tensor(&b, NM_F32, shape);
        nmi_put_bytes(&b.w, 4, floats, counts[c] * sizeof *floats);
        nmi_put_close(&b.w, mark);
        struct onnx_result r = read_model(&b);
        expect_values(&r, NM_F32, floats, counts[c] * sizeof *floats);

        mark = open_tensor(&b, NM_F64, shape);
        nmi_put_bytes(&b.w, 10, doubles, counts[c] * sizeof *doubles);
        nmi_put_close(&b.w, mark);
        r = read_model(&b);
        expect_values(&r, NM_F64, doubles, counts[c] * sizeof *doubles);
    }
}
END_TEST

START_TEST(tensor_integers_beyond_their_type_refused)
{
    static const struct {
        int32_t type;
        uint32_t field;
        int64_t value;
    } cases[] = {{NM_U8, 5, 256},    {NM_U8, 5, -1},     {NM_I8, 5, 128},
                 {NM_U16, 5, 65536}, {NM_I16, 5, 32768}, {NM_F16, 5, 65536},
                 {NM_BOOL, 5, 2},    {NM_BF16, 5, -1},   {NM_U32, 11, -1}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_result r = read_typed(cases[i].type, cases[i].field, &cases[i].value, 1, true);
        expect(&r, NM_EFORMAT, "beyond its type");
    }
}
END_TEST

START_TEST(tensor_data_in_wrong_field_refused)
{
    static const struct {
        int32_t type;
        uint32_t field;
    } cases[] = {{NM_I64, 5}, {NM_F32, 5}, {NM_I32, 7}, {NM_F32, 11}, {NM_I32, 11}, {NM_F64, 7}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_result r = read_typed(cases[i].type, cases[i].field, (int64_t[]){1}, 1, true);
        expect(&r, NM_EFORMAT, "not in the field of its type");
    }
}
END_TEST

/* ---- what does not fit ----------------------------------------------------------------------- */

START_TEST(tensor_header_that_makes_no_sense_refused)
{
    static const struct {
        int32_t type;
        const char *shape;
        nm_status status;
        const char *word;
    } cases[] = {{0, "1", NM_EFORMAT, "element type is 0"},
                 {99, "1", NM_EFORMAT, "element type is 99"},
                 {-1, "1", NM_EFORMAT, "element type is -1"},
                 {8, "1", NM_EUNSUPPORTED, "string"},
                 {14, "1", NM_EUNSUPPORTED, "complex64"},
                 {17, "1", NM_EUNSUPPORTED, "float8"},
                 {NM_F32, "-1", NM_EFORMAT, "dimension 0 is -1"},
                 {NM_F32, "2,-3", NM_EFORMAT, "dimension 1 is -3"},
                 {NM_F32, "1,1,1,1,1,1,1,1,1", NM_ELIMIT, "9 dimensions"},
                 {NM_F32, "2147483648", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "2147483648,2147483648", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "4294967296,4294967296,0", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "9223372036854775807", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "2", NM_EFORMAT, "4 bytes of data, expected 8"},
                 {NM_F32, "0", NM_EFORMAT, "4 bytes of data, expected 0"},
                 {NM_F32, "2147483647", NM_EFORMAT, "expected 8589934588"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        onnx_build_start(&b, 13);
        onnx_build_tensor(&b, "w", cases[i].type, cases[i].shape, "abcd", 4);
        struct onnx_result r = read_model(&b);
        expect(&r, cases[i].status, cases[i].word);
    }
}
END_TEST

START_TEST(tensor_without_data_or_with_too_many_fields_refused)
{
    struct onnx_build b;
    struct nmi_mark mark = open_tensor(&b, NM_F32, "1");
    nmi_put_close(&b.w, mark);
    struct onnx_result r = read_model(&b);
    expect(&r, NM_EFORMAT, "0 bytes");

    mark = open_tensor(&b, NM_F32, "1");
    nmi_put_bytes(&b.w, 9, "abcd", 4);
    nmi_put_bytes(&b.w, 4, "abcd", 4);
    nmi_put_close(&b.w, mark);
    r = read_model(&b);
    expect(&r, NM_EFORMAT, "more than one field");

    static char large[2000];
    mark = open_tensor(&b, NM_F32, "500");
    nmi_put_bytes(&b.w, 4, large, sizeof large);
    nmi_put_bytes(&b.w, 4, large, sizeof large);
    nmi_put_close(&b.w, mark);
    r = read_model(&b);
    expect(&r, NM_EFORMAT, "more than one field");

    mark = open_tensor(&b, NM_I32, "500");
    nmi_put_bytes(&b.w, 4, large, sizeof large);
    nmi_put_close(&b.w, mark);
    r = read_model(&b);
    expect(&r, NM_EFORMAT, "not in the field of its type");

    mark = open_tensor(&b, NM_BOOL, "2");
    nmi_put_bytes(&b.w, 9, "\1\2", 2);
    nmi_put_close(&b.w, mark);
    r = read_model(&b);
    expect(&r, NM_EFORMAT, "element 1 is 2");
}
END_TEST

/* ---- sparse ---------------------------------------------------------------------------------- */

static struct onnx_result read_sparse(const char *dims, const char *values, const char *indices,
                                      const int64_t *at, size_t n_at)
{
    static const float numbers[] = {1, 2, 3, 4};
    struct onnx_build b;
    onnx_build_start(&b, 13);
    struct nmi_mark sparse = nmi_put_open(&b.w, 15);
    struct nmi_mark part = nmi_put_open(&b.w, 1);
    onnx_build_dims(&b.w, 1, values);
    nmi_put_int(&b.w, 2, NM_F32);
    nmi_put_string(&b.w, 8, "w");
    nmi_put_bytes(&b.w, 9, numbers, (size_t)atoll(values) * sizeof(float));
    nmi_put_close(&b.w, part);
    part = nmi_put_open(&b.w, 2);
    onnx_build_dims(&b.w, 1, indices);
    nmi_put_int(&b.w, 2, NM_I64);
    nmi_put_bytes(&b.w, 9, at, n_at * sizeof *at);
    nmi_put_close(&b.w, part);
    onnx_build_dims(&b.w, 3, dims);
    nmi_put_close(&b.w, sparse);
    return read_model(&b);
}

START_TEST(sparse_both_index_forms_made_dense)
{
    static const float dense[12] = {[1] = 1, [4] = 2, [11] = 3};
    struct onnx_result r = read_sparse("3,4", "3", "3", (int64_t[]){1, 4, 11}, 3);
    ck_assert_int_eq(r.status, NM_OK);
    ck_assert_int_eq(w_of(&r)->sparse, 1);
    ck_assert_int_eq((int)w_of(&r)->dims[1], 4);
    expect_values(&r, NM_F32, dense, sizeof dense);
    r = read_sparse("3,4", "3", "3,2", (int64_t[]){0, 1, 1, 0, 2, 3}, 6);
    expect_values(&r, NM_F32, dense, sizeof dense);
    r = read_sparse("12", "3", "3,1", (int64_t[]){1, 4, 11}, 3);
    expect_values(&r, NM_F32, dense, sizeof dense);
    static const float zeros[12];
    r = read_sparse("3,4", "0", "0", NULL, 0);
    expect_values(&r, NM_F32, zeros, sizeof zeros);
    r = read_sparse("3,4", "0", "0,2", NULL, 0);
    expect_values(&r, NM_F32, zeros, sizeof zeros);
}
END_TEST

START_TEST(sparse_bad_indices_refused)
{
    static const struct {
        const char *indices;
        int64_t at[6];
        size_t n;
        const char *word;
    } cases[] = {{"3", {4, 1, 11}, 3, "sorted"},
                 {"3", {1, 1, 11}, 3, "sorted"},
                 {"3", {1, 4, 12}, 3, "out of range"},
                 {"3", {-1, 4, 11}, 3, "out of range"},
                 {"3", {INT64_MIN, 4, INT64_MAX}, 3, "out of range"},
                 {"3,2", {0, 1, 1, 4, 2, 3}, 6, "out of range"},
                 {"3,2", {0, 1, -1, 0, 2, 3}, 6, "out of range"},
                 {"3,2", {0, 1, INT64_MAX, INT64_MAX, 2, 3}, 6, "out of range"},
                 {"3,2", {1, 0, 0, 1, 2, 3}, 6, "sorted"},
                 {"3,2", {0, 1, 0, 1, 2, 3}, 6, "sorted"},
                 {"2", {1, 4}, 2, "indices are not"},
                 {"2,3", {0, 1, 1, 0, 2, 3}, 6, "indices are not"},
                 {"3,1,2", {0, 1, 1, 0, 2, 3}, 6, "indices are not"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_result r = read_sparse("3,4", "3", cases[i].indices, cases[i].at, cases[i].n);
        expect(&r, NM_EFORMAT, cases[i].word);
    }
}
END_TEST

/* A few bytes that ask for gigabytes of zeros. */
START_TEST(sparse_that_would_be_huge_refused_before_allocation)
{
    nmi_alloc_peak(1);
    struct onnx_result r = read_sparse("2147483647", "1", "1", (int64_t[]){5}, 1);
    ck_assert_uint_lt(nmi_alloc_peak(0) - nmi_alloc_live(), 100000);
    expect(&r, NM_ELIMIT, "nm_limits.decoded_bytes");
    r = read_sparse("1099511627776,1048576", "1", "1", (int64_t[]){5}, 1);
    expect(&r, NM_ELIMIT, "nm_limits.elements");
    r = read_sparse("-5", "1", "1", (int64_t[]){5}, 1);
    expect(&r, NM_EFORMAT, "dimension 0 is -5");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tensor");
    TCase *t = tcase_create("tensor");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, tensor_raw_of_every_type_and_size_read);
    tcase_add_test(t, tensor_large_raw_at_any_offset_not_copied);
    tcase_add_test(t, tensor_integer_fields_packed_and_not_read);
    tcase_add_test(t, tensor_float_fields_small_and_large_read);
    tcase_add_test(t, tensor_integers_beyond_their_type_refused);
    tcase_add_test(t, tensor_data_in_wrong_field_refused);
    tcase_add_test(t, tensor_header_that_makes_no_sense_refused);
    tcase_add_test(t, tensor_without_data_or_with_too_many_fields_refused);
    tcase_add_test(t, sparse_both_index_forms_made_dense);
    tcase_add_test(t, sparse_bad_indices_refused);
    tcase_add_test(t, sparse_that_would_be_huge_refused_before_allocation);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
