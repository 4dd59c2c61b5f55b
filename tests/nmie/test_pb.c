/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in TensorProto files. */
#include "examples/nmie/pb.h"
#include "onnx.pb-c.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static nm_status parse_message(Onnx__TensorProto *p, struct host_tensor *h)
{
    size_t n = onnx__tensor_proto__get_packed_size(p);
    uint8_t *bytes = malloc(n + 1);
    onnx__tensor_proto__pack(p, bytes);
    struct slurp file = {bytes, n};
    *h = (struct host_tensor){0};
    nm_status status = pb_parse(&file, "test.pb", h, NULL);
    free(bytes);
    return status;
}

START_TEST(pb_save_then_load_gives_the_same)
{
    float values[40000];
    for (int i = 0; i < 40000; i++) {
        values[i] = (float)i;
    }
    nm_tensor t = {.name = "x", .type = NM_F32, .rank = 2, .dims = {1, 0}, .data = values};
    for (int64_t n = 0; n <= 40000; n = n ? n * 10 : 4) { /* lengths of 1, 2 and 3 bytes */
        struct host_tensor h;
        const char *path = scratch_path("a.pb");
        t.dims[1] = n;
        ck_assert_int_eq(host_save(path, &t, NULL), NM_OK);
        ck_assert_int_eq(host_load(path, NULL, &h, NULL), NM_OK);
        ck_assert_str_eq(h.t.name, "x");
        ck_assert_int_eq(h.t.dims[1], n);
        ck_assert_mem_eq(h.t.data, values, (size_t)n * 4);
        host_free(&h);
    }
}
END_TEST

START_TEST(pb_typed_fields_read)
{
    int64_t dims[1] = {3}, longs[3] = {-1, 2, INT64_MIN};
    int32_t ints[3] = {-1, 127, 1};
    uint64_t wide[3] = {1, 4294967295u, 3};
    struct host_tensor h;
    Onnx__TensorProto p = ONNX__TENSOR_PROTO__INIT;
    p.n_dims = 1;
    p.dims = dims;
    p.has_data_type = 1;
    p.data_type = NM_I64;
    p.int64_data = longs;
    p.n_int64_data = 3;
    ck_assert_int_eq(parse_message(&p, &h), NM_OK);
    ck_assert_int_eq(((int64_t *)h.t.data)[2], INT64_MIN);
    host_free(&h);
    p.data_type = NM_I8;
    ck_assert_int_eq(parse_message(&p, &h), NM_EFORMAT); /* not in int64_data */
    p.n_int64_data = 0;
    p.int32_data = ints;
    p.n_int32_data = 3;
    ck_assert_int_eq(parse_message(&p, &h), NM_OK);
    ck_assert(host_at(&h.t, 0) == -1.0 && host_at(&h.t, 1) == 127.0);
    host_free(&h);
    p.data_type = NM_U32;
    p.n_int32_data = 0;
    p.uint64_data = wide;
    p.n_uint64_data = 3;
    ck_assert_int_eq(parse_message(&p, &h), NM_OK);
    ck_assert(host_at(&h.t, 1) == 4294967295.0);
    host_free(&h);
}
END_TEST

START_TEST(pb_dims_beyond_the_bytes_refused_before_allocation)
{
    int64_t dims[3] = {1 << 30, 1 << 30, 1 << 10};
    uint8_t raw[8] = {0};
    struct host_tensor h;
    Onnx__TensorProto p = ONNX__TENSOR_PROTO__INIT;
    p.dims = dims;
    p.has_data_type = 1;
    p.data_type = NM_F32;
    p.has_raw_data = 1;
    p.raw_data = (ProtobufCBinaryData){8, raw};
    for (p.n_dims = 0; p.n_dims <= 3; p.n_dims++) {
        ck_assert_int_eq(parse_message(&p, &h), NM_EFORMAT);
    }
    p.n_dims = 1;
    dims[0] = -2;
    ck_assert_int_eq(parse_message(&p, &h), NM_EFORMAT);
    dims[0] = 1;
    p.data_type = 8; /* string */
    ck_assert_int_eq(parse_message(&p, &h), NM_EUNSUPPORTED);
    int64_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 2};
    p.data_type = NM_F32;
    p.dims = many;
    p.n_dims = 9;
    ck_assert_int_eq(parse_message(&p, &h), NM_ESHAPE);
}
END_TEST

START_TEST(pb_cut_or_changed_anywhere_is_safe)
{
    float values[4] = {1, 2, 3, 4};
    nm_tensor t = {.name = "x", .type = NM_F32, .rank = 2, .dims = {2, 2}, .data = values};
    struct slurp file;
    struct host_tensor h;
    ck_assert_int_eq(pb_save(scratch_path("a.pb"), &t, NULL), NM_OK);
    ck_assert_int_eq(slurp_read(scratch_path("a.pb"), 1 << 20, &file, NULL), NM_OK);
    for (size_t n = 0; n < file.size; n++) {
        struct slurp cut = {file.bytes, n};
        h = (struct host_tensor){0};
        ck_assert_int_ne(pb_parse(&cut, "cut", &h, NULL), NM_OK);
        host_free(&h);
    }
    for (size_t i = 0; i < file.size * 256; i++) {
        uint8_t old = file.bytes[i / 256];
        file.bytes[i / 256] = (uint8_t)i;
        h = (struct host_tensor){0};
        pb_parse(&file, "changed", &h, NULL);
        host_free(&h);
        file.bytes[i / 256] = old;
    }
    slurp_free(&file);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pb");
    TCase *t = tcase_create("pb");
    tcase_add_test(t, pb_save_then_load_gives_the_same);
    tcase_add_test(t, pb_typed_fields_read);
    tcase_add_test(t, pb_dims_beyond_the_bytes_refused_before_allocation);
    tcase_add_test(t, pb_cut_or_changed_anywhere_is_safe);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
