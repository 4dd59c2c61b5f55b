/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison, logic and Where. */
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>

static void compare_floats(uint16_t op, const int64_t *want)
{
    struct op_case c;
    op_case_start(&c, op, 13);
    OP_IN(&c, ((const float[]){1, 2, 3, NAN}), 4);
    OP_IN(&c, ((const float[]){2, 2, 2, NAN}), 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    ck_assert_int_eq(c.out[0].type, NM_BOOL);
    op_case_longs(&c, want, 4);
    op_case_end(&c);
}

START_TEST(compare_floats_nan_is_never_true)
{
    compare_floats(NMI_OP_Equal, (const int64_t[]){0, 1, 0, 0});
    compare_floats(NMI_OP_Less, (const int64_t[]){1, 0, 0, 0});
    compare_floats(NMI_OP_Greater, (const int64_t[]){0, 0, 1, 0});
}
END_TEST

START_TEST(compare_integers_of_all_widths)
{
    static const nm_type types[] = {NM_I8, NM_I16, NM_I32, NM_I64, NM_U8, NM_U16, NM_U32, NM_U64};
    for (size_t i = 0; i < NMI_COUNT(types); i++) {
        struct op_case c;
        uint64_t low = 3, high = 5;
        op_case_start(&c, NMI_OP_Less, 13);
        op_case_in(&c, types[i], 1, (const int64_t[]){1}, &low);
        op_case_in(&c, types[i], 1, (const int64_t[]){1}, &high);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_LONGS(&c, 1);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(compare_unsigned_and_signed_differ_at_the_top_bit)
{
    const uint64_t top = UINT64_MAX, one = 1;
    for (int i = 0; i < 2; i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Greater, 13);
        op_case_in(&c, i == 0 ? NM_U64 : NM_I64, 0, NULL, &top);
        op_case_in(&c, i == 0 ? NM_U64 : NM_I64, 0, NULL, &one);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_LONGS(&c, 1 - i);
        op_case_end(&c);
    }
}
END_TEST

static void logic(uint16_t op, const int64_t *want)
{
    struct op_case c;
    op_case_start(&c, op, 13);
    op_case_in(&c, NM_BOOL, 2, (const int64_t[]){2, 1}, (const uint8_t[]){0, 1});
    op_case_in(&c, NM_BOOL, 1, (const int64_t[]){2}, (const uint8_t[]){0, 1});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2);
    op_case_longs(&c, want, 4);
    op_case_end(&c);
}

START_TEST(logic_has_its_truth_tables)
{
    logic(NMI_OP_And, (const int64_t[]){0, 0, 0, 1});
    logic(NMI_OP_Or, (const int64_t[]){0, 1, 1, 1});
    logic(NMI_OP_Equal, (const int64_t[]){1, 0, 0, 1});
    struct op_case c;
    op_case_start(&c, NMI_OP_Not, 13);
    op_case_in(&c, NM_BOOL, 1, (const int64_t[]){2}, (const uint8_t[]){0, 1});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 1, 0);
    op_case_end(&c);
}
END_TEST

START_TEST(logic_of_floats_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_And, 13);
    OP_IN(&c, NULL, 1);
    OP_IN(&c, NULL, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    op_case_end(&c);
}
END_TEST

START_TEST(where_broadcasts_all_three)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Where, 13);
    op_case_in(&c, NM_BOOL, 2, (const int64_t[]){2, 1}, (const uint8_t[]){1, 0});
    OP_IN(&c, ((const float[]){1, 2, 3}), 3);
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){9});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 3);
    OP_VALUES(&c, 1, 2, 3, 9, 9, 9);
    op_case_end(&c);
}
END_TEST

START_TEST(where_moves_elements_of_every_size)
{
    static const nm_type types[] = {NM_U8, NM_F16, NM_F32, NM_F64};
    const unsigned char a[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const unsigned char b[16] = {0};
    for (size_t i = 0; i < NMI_COUNT(types); i++) {
        struct op_case c;
        size_t size = nm_type_size(types[i]);
        op_case_start(&c, NMI_OP_Where, 13);
        op_case_in(&c, NM_BOOL, 1, (const int64_t[]){2}, (const uint8_t[]){0, 1});
        op_case_in(&c, types[i], 1, (const int64_t[]){2}, a);
        op_case_in(&c, types[i], 1, (const int64_t[]){2}, b);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        ck_assert_mem_eq(c.out[0].data, b, size);
        ck_assert_mem_eq((const char *)c.out[0].data + size, a + size, size);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(where_branches_of_two_types_are_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Where, 13);
    op_case_in(&c, NM_BOOL, 0, NULL, (const uint8_t[]){1});
    OP_IN(&c, NULL, 1);
    OP_LIST(&c, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ETYPE);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare");
    TCase *t = tcase_create("compare");
    tcase_add_test(t, compare_floats_nan_is_never_true);
    tcase_add_test(t, compare_integers_of_all_widths);
    tcase_add_test(t, compare_unsigned_and_signed_differ_at_the_top_bit);
    tcase_add_test(t, logic_has_its_truth_tables);
    tcase_add_test(t, logic_of_floats_is_refused);
    tcase_add_test(t, where_broadcasts_all_three);
    tcase_add_test(t, where_moves_elements_of_every_size);
    tcase_add_test(t, where_branches_of_two_types_are_refused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
