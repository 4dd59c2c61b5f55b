/* SPDX-License-Identifier: Apache-2.0 */
/* Concat and Split: each undoes the other; lengths and opsets. */
#include "tests/support/op_case.h"

#include <check.h>
#include <string.h>

struct split_attrs { /* as in lib/ops/concat.c */
    int64_t axis, num_outputs;
    struct nmi_ints split;
};

START_TEST(concat_undoes_split_on_every_axis_and_type)
{
    static const nm_type types[] = {NM_F32, NM_U8, NM_F16, NM_I64};
    const int64_t dims[3] = {5, 5, 5};
    unsigned char bytes[125 * 8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 37);
    }
    for (int64_t k = 0; k < 12; k++) {
        struct op_case s, c;
        nm_type type = types[k % 4];
        op_case_start(&s, NMI_OP_Split, 13);
        ((struct split_attrs *)s.attrs)->axis = k % 3 - (k > 5 ? 3 : 0);
        op_case_in(&s, type, 3, dims, bytes);
        OP_LIST(&s, 1, 0, 4);
        ck_assert_int_eq(op_case_run(&s, 3), NM_OK);
        op_case_start(&c, NMI_OP_Concat, 13);
        ((struct nmi_axis_attrs *)c.attrs)->axis = k % 3;
        for (int i = 0; i < 3; i++) {
            op_case_in(&c, type, 3, s.out[i].dims, s.out[i].data);
        }
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_DIMS(&c, 5, 5, 5);
        ck_assert_mem_eq(c.out[0].data, bytes, 125 * nm_type_size(type));
        op_case_end(&c);
        op_case_end(&s);
    }
}
END_TEST

START_TEST(concat_values_by_hand)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Concat, 13);
    ((struct nmi_axis_attrs *)c.attrs)->axis = -1;
    OP_IN(&c, ((const float[]){1, 2, 3, 4}), 2, 2);
    OP_IN(&c, ((const float[]){5, 6}), 2, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 1, 2, 5, 3, 4, 6);
    op_case_end(&c);
}
END_TEST

START_TEST(concat_shapes_and_types_must_agree)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Concat, 13);
    OP_IN(&c, NULL, 2, 2);
    OP_IN(&c, NULL, 2, 3);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    c.facts[1].rank = 1;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    c.facts[1] = c.facts[0];
    c.facts[1].type = NM_I64;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ETYPE);
    c.facts[1].type = NM_F32;
    ((struct nmi_axis_attrs *)c.attrs)->axis = 2;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(concat_symbols_agree_with_numbers)
{
    struct op_case c;
    int64_t n = nmi_dim_symbol(0);
    op_case_start(&c, NMI_OP_Concat, 13);
    ((struct nmi_axis_attrs *)c.attrs)->axis = 1;
    op_case_in(&c, NM_F32, 3, (const int64_t[]){n, 3, n}, NULL);
    op_case_in(&c, NM_F32, 3, (const int64_t[]){n, 4, 9}, NULL);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, n, 7, 9);
    c.facts[1].dims[1] = n;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, n, NMI_DIM_UNKNOWN, 9);
    op_case_end(&c);
}
END_TEST

START_TEST(split_equal_parts_follow_the_opset)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Split, 13);
    OP_IN(&c, NULL, 7);
    ck_assert_int_eq(op_case_infer(&c, 3), NM_ESHAPE);
    c.opset = 18;
    ck_assert_int_eq(op_case_run(&c, 3), NM_OK);
    ck_assert_int_eq(c.out[0].dims[0], 3);
    ck_assert_int_eq(c.out[2].dims[0], 1);
    ((struct split_attrs *)c.attrs)->num_outputs = 2;
    ck_assert_int_eq(op_case_infer(&c, 3), NM_EFORMAT);
    op_case_end(&c);
}
END_TEST

START_TEST(split_lengths_must_add_up)
{
    static const int64_t lengths[][2] = {
        {3, 3}, {4, 4}, {-1, 8}, {INT64_MAX, 8}, {INT64_MIN, INT64_MIN}, {8, -1}};
    for (size_t i = 0; i < NMI_COUNT(lengths); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Split, 11);
        ((struct split_attrs *)c.attrs)->split =
            (struct nmi_ints){2, {lengths[i][0], lengths[i][1]}};
        OP_IN(&c, NULL, 7);
        ck_assert_int_eq(op_case_infer(&c, 2), NM_ESHAPE);
        op_case_end(&c);
    }
    struct op_case c;
    op_case_start(&c, NMI_OP_Split, 13);
    OP_IN(&c, NULL, 7);
    OP_LIST(&c, 3, 4);
    ck_assert_int_eq(op_case_infer(&c, 3), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("concat");
    TCase *t = tcase_create("concat");
    tcase_add_test(t, concat_undoes_split_on_every_axis_and_type);
    tcase_add_test(t, concat_values_by_hand);
    tcase_add_test(t, concat_shapes_and_types_must_agree);
    tcase_add_test(t, concat_symbols_agree_with_numbers);
    tcase_add_test(t, split_equal_parts_follow_the_opset);
    tcase_add_test(t, split_lengths_must_add_up);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
