/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in .npy and .bin files: what is written comes back, and no bytes do harm. */
#include "examples/nmie/host_tensor.h"
#include "examples/nmie/npy.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const nm_type all_types[] = {NM_F32, NM_F64, NM_F16, NM_I8,  NM_U8,  NM_I16,
                                    NM_U16, NM_I32, NM_U32, NM_I64, NM_U64, NM_BOOL};

static struct host_tensor make(nm_type type, int32_t rank, const int64_t *dims)
{
    struct host_tensor h = {.t = {.type = type, .rank = rank}};
    memcpy(h.t.dims, dims, (size_t)rank * sizeof *dims);
    ck_assert_int_eq(host_make(&h, NULL), NM_OK);
    for (size_t i = 0; i < h.t.capacity; i++) {
        ((uint8_t *)h.t.data)[i] = (uint8_t)(type == NM_BOOL ? i % 2 : i * 37 + 11);
    }
    return h;
}

static void expect_same(const struct host_tensor *a, const struct host_tensor *b)
{
    ck_assert_int_eq(a->t.type, b->t.type);
    ck_assert_int_eq(a->t.rank, b->t.rank);
    ck_assert_mem_eq(a->t.dims, b->t.dims, (size_t)a->t.rank * sizeof *a->t.dims);
    ck_assert_uint_eq(a->t.capacity, b->t.capacity);
    ck_assert_mem_eq(a->t.data, b->t.data, a->t.capacity);
}

START_TEST(npy_save_then_load_gives_the_same)
{
    static const int64_t dims[3][3] = {{2, 3, 5}, {7, 1, 1}, {0, 4, 1}};
    for (size_t i = 0; i < sizeof all_types / sizeof *all_types; i++) {
        for (int32_t rank = 0; rank <= 3; rank++) {
            struct host_tensor a = make(all_types[i], rank, dims[i % 3]), b;
            const char *path = scratch_path("a.npy");
            ck_assert_int_eq(host_save(path, &a.t, NULL), NM_OK);
            ck_assert_int_eq(host_load(path, NULL, &b, NULL), NM_OK);
            expect_same(&a, &b);
            host_free(&a);
            host_free(&b);
        }
    }
}
END_TEST

/* A version 1 or 2 file with this dict and these bytes of elements. */
static nm_status parse(const char *dict, int version, size_t elements, struct host_tensor *h)
{
    char bytes[1024] = "\x93NUMPY";
    size_t n = strlen(dict), head = version == 1 ? 10 : 12;
    bytes[6] = (char)version;
    bytes[8] = (char)n;
    memcpy(bytes + head, dict, n);
    struct slurp file = {(uint8_t *)bytes, head + n + elements};
    nm_error err;
    *h = (struct host_tensor){0};
    nm_status status = npy_parse(&file, "test.npy", h, &err);
    if (status) {
        ck_assert_ptr_nonnull(strstr(err.message, "test.npy"));
    }
    return status;
}

START_TEST(npy_header_in_other_order_and_spacing_read)
{
    struct host_tensor h;
    ck_assert_int_eq(
        parse("{\"shape\" : ( 2,3 ) ,'fortran_order':False,\n 'descr':'<f4'}", 2, 24, &h), NM_OK);
    ck_assert_int_eq(h.t.rank, 2);
    ck_assert_int_eq(h.t.dims[1], 3);
    host_free(&h);
    ck_assert_int_eq(parse("{'descr': '|u1', 'fortran_order': True, 'shape': (5,), }", 1, 5, &h),
                     NM_OK);
    ck_assert_int_eq(h.t.rank, 1);
    host_free(&h);
    ck_assert_int_eq(parse("{'descr': '<i8', 'fortran_order': False, 'shape': ()}", 1, 8, &h),
                     NM_OK);
    ck_assert_int_eq(h.t.rank, 0);
    host_free(&h);
}
END_TEST

START_TEST(npy_header_that_lies_refused)
{
    static const char *const dicts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", /* more than there is */
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", /* less */
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,2,3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
        "{'descr': '<f4', 'a very long key that never ends': False, 'shape': (2, 3)}",
        "{'descr': '<f4",
        "{",
        "",
    };
    for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++) {
        struct host_tensor h;
        ck_assert_msg(parse(dicts[i], 1, 24, &h) != NM_OK, "accepted: %s", dicts[i]);
        host_free(&h);
    }
}
END_TEST

START_TEST(npy_cut_or_changed_anywhere_is_safe)
{
    int64_t dims[2] = {3, 4};
    struct host_tensor a = make(NM_F32, 2, dims), b;
    struct slurp file;
    ck_assert_int_eq(host_save(scratch_path("a.npy"), &a.t, NULL), NM_OK);
    ck_assert_int_eq(slurp_read(scratch_path("a.npy"), 1 << 20, &file, NULL), NM_OK);
    for (size_t n = 0; n < file.size; n++) {
        uint8_t *exact = malloc(n + 1); /* so that a checker sees what is read behind the end */
        memcpy(exact, file.bytes, n);
        struct slurp cut = {exact, n};
        b = (struct host_tensor){0};
        ck_assert_int_ne(npy_parse(&cut, "cut", &b, NULL), NM_OK);
        host_free(&b);
        free(exact);
    }
    for (size_t i = 0; i < file.size - a.t.capacity; i++) {
        for (int v = 0; v < 256; v += 3) {
            uint8_t old = file.bytes[i];
            file.bytes[i] = (uint8_t)v;
            b = (struct host_tensor){0};
            npy_parse(&file, "changed", &b, NULL);
            host_free(&b);
            file.bytes[i] = old;
        }
    }
    slurp_free(&file);
    host_free(&a);
}
END_TEST

START_TEST(bin_with_one_free_dim_takes_it_from_the_size)
{
    nm_value_info info = {.name = "x", .type = NM_F32, .rank = 3, .dims = {-1, 3, 2}};
    float values[18] = {1, 2, 3};
    struct host_tensor h;
    ck_assert_int_eq(host_load(scratch_write("a.bin", values, sizeof values), &info, &h, NULL),
                     NM_OK);
    ck_assert_int_eq(h.t.dims[0], 3);
    ck_assert(host_at(&h.t, 2) == 3.0);
    host_free(&h);
}
END_TEST

START_TEST(bin_of_wrong_size_or_unknown_dims_refused)
{
    nm_value_info info = {.name = "x", .type = NM_F32, .rank = 3, .dims = {-1, 3, 2}};
    char bytes[26] = {0};
    struct host_tensor h;
    ck_assert_int_eq(host_load(scratch_write("a.bin", bytes, 26), &info, &h, NULL), NM_ESHAPE);
    ck_assert_int_eq(host_load(scratch_write("b.bin", bytes, 20), &info, &h, NULL), NM_ESHAPE);
    ck_assert_int_eq(host_load(scratch_path("b.bin"), NULL, &h, NULL), NM_ESHAPE);
    info.dims[2] = -1;
    ck_assert_int_eq(host_load(scratch_write("c.bin", bytes, 24), &info, &h, NULL), NM_ESHAPE);
    info.dims[0] = 0;
    ck_assert_int_eq(host_load(scratch_path("c.bin"), &info, &h, NULL), NM_ESHAPE);
    info.dims[0] = INT64_MAX;
    info.dims[2] = 4;
    ck_assert_int_ne(host_load(scratch_path("c.bin"), &info, &h, NULL), NM_OK);
}
END_TEST

START_TEST(load_of_missing_folder_or_other_kind_refused)
{
    struct host_tensor h;
    ck_assert_int_eq(host_load(scratch_path("missing.npy"), NULL, &h, NULL), NM_EIO);
    ck_assert_int_eq(host_load("/tmp", NULL, &h, NULL), NM_EIO);
    ck_assert_int_eq(host_load(scratch_write("a.txt", "1", 1), NULL, &h, NULL), NM_EINVAL);
}
END_TEST

START_TEST(half_and_bfloat_values_are_exact)
{
    uint16_t half[8] = {0x0000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0xfc00, 0x3555};
    double values[8] = {0, 1, -2, 65504, 0x1p-24, HUGE_VAL, -HUGE_VAL, 0.333251953125};
    nm_tensor t = {.type = NM_F16, .rank = 1, .dims = {8}, .data = half};
    for (size_t i = 0; i < 8; i++) {
        ck_assert(host_at(&t, i) == values[i]);
    }
    uint16_t bfloat[2] = {0x3f80, 0xc049};
    nm_tensor b = {.type = NM_BF16, .rank = 1, .dims = {2}, .data = bfloat};
    ck_assert(host_at(&b, 0) == 1.0 && host_at(&b, 1) == -3.140625);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("npy");
    tcase_add_test(t, npy_save_then_load_gives_the_same);
    tcase_add_test(t, npy_header_in_other_order_and_spacing_read);
    tcase_add_test(t, npy_header_that_lies_refused);
    tcase_add_test(t, npy_cut_or_changed_anywhere_is_safe);
    tcase_add_test(t, bin_with_one_free_dim_takes_it_from_the_size);
    tcase_add_test(t, bin_of_wrong_size_or_unknown_dims_refused);
    tcase_add_test(t, load_of_missing_folder_or_other_kind_refused);
    tcase_add_test(t, half_and_bfloat_values_are_exact);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
