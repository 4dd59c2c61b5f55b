/* SPDX-License-Identifier: Apache-2.0 */
/* Gather and ScatterND: negative and wild indices, reductions. */
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

START_TEST(gather_rows_columns_and_scalars)
{
    const float x[] = {1, 2, 3, 4, 5, 6};
    struct op_case c;
    op_case_start(&c, NMI_OP_Gather, 13);
    OP_IN(&c, x, 3, 2);
    OP_LONG_IN(&c, ((const int64_t[]){2, -3, 0, -1}), 2, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2, 2);
    OP_VALUES(&c, 5, 6, 1, 2, 1, 2, 5, 6);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Gather, 13);
    ((struct nmi_axis_attrs *)c.attrs)->axis = -1;
    OP_IN(&c, x, 3, 2);
    op_case_in(&c, NM_I32, 0, NULL, (const int32_t[]){1});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 3);
    OP_VALUES(&c, 2, 4, 6);
    op_case_end(&c);
}
END_TEST

START_TEST(gather_index_outside_is_refused_with_the_node)
{
    const int64_t wild[] = {3, -4, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < NMI_COUNT(wild); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Gather, 13);
        OP_IN(&c, NULL, 3);
        OP_LIST(&c, 0, wild[i]);
        ck_assert_int_eq(op_case_run(&c, 1), NM_EINVAL);
        ck_assert_ptr_nonnull(strstr(c.err.message, "node n"));
        op_case_end(&c);
    }
}
END_TEST

START_TEST(gather_from_an_empty_axis_only_when_nothing_is_asked)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Gather, 13);
    OP_IN(&c, NULL, 0, 2);
    OP_LIST(&c, 0);
    ck_assert_int_eq(op_case_run(&c, 1), NM_EINVAL);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Gather, 13);
    OP_IN(&c, NULL, 0, 2);
    op_case_in(&c, NM_I64, 1, (const int64_t[]){0}, NULL);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 0, 2);
    op_case_end(&c);
}
END_TEST

START_TEST(gather_too_many_axes_are_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Gather, 13);
    OP_IN(&c, NULL, 1, 1, 1, 1, 1);
    OP_LONG_IN(&c, NULL, 1, 1, 1, 1, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

static void scatter(struct op_case *c, int64_t reduction)
{
    op_case_start(c, NMI_OP_ScatterND, 18);
    *(int64_t *)c->attrs = reduction; /* its only field */
    OP_IN(c, ((const float[]){1, 2, 3, 4}), 4);
    OP_LONG_IN(c, ((const int64_t[]){1, -1, 1}), 3, 1);
    OP_IN(c, ((const float[]){5, -2, 7}), 3);
    ck_assert_int_eq(op_case_run(c, 1), NM_OK);
}

START_TEST(scatter_reductions_by_hand)
{
    static const float want[5][4] = {
        {1, 7, 3, -2}, {1, 14, 3, 2}, {1, 70, 3, -8}, {1, 7, 3, 4}, {1, 2, 3, -2}};
    for (int64_t i = 0; i < 5; i++) {
        struct op_case c;
        scatter(&c, i);
        op_case_values(&c, want[i], 4);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(scatter_slices_and_whole_indices)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_ScatterND, 16);
    OP_LONG_IN(&c, ((const int64_t[]){1, 2, 3, 4, 5, 6}), 3, 2);
    OP_LONG_IN(&c, ((const int64_t[]){2, 0}), 2, 1);
    OP_LONG_IN(&c, ((const int64_t[]){10, 11, 12, 13}), 2, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 12, 13, 3, 4, 10, 11);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_ScatterND, 16);
    op_case_in(&c, NM_BOOL, 2, (const int64_t[]){2, 2}, (const uint8_t[]){0, 0, 0, 0});
    OP_LONG_IN(&c, ((const int64_t[]){1, 0}), 1, 2);
    op_case_in(&c, NM_BOOL, 1, (const int64_t[]){1}, (const uint8_t[]){1});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 0, 0, 1, 0);
    op_case_end(&c);
}
END_TEST

START_TEST(scatter_wild_indices_and_shapes_are_refused)
{
    const int64_t wild[] = {4, -5, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < NMI_COUNT(wild); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_ScatterND, 16);
        OP_IN(&c, NULL, 4);
        OP_LONG_IN(&c, &wild[i], 1, 1);
        OP_IN(&c, NULL, 1);
        ck_assert_int_eq(op_case_run(&c, 1), NM_EINVAL);
        ck_assert_ptr_nonnull(strstr(c.err.message, "node n"));
        op_case_end(&c);
    }
    struct op_case c;
    op_case_start(&c, NMI_OP_ScatterND, 16);
    OP_IN(&c, NULL, 4);
    OP_LONG_IN(&c, NULL, 1, 2);
    OP_IN(&c, NULL, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    c.facts[1].dims[1] = 1;
    c.facts[2].dims[0] = 2;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gather");
    TCase *t = tcase_create("gather");
    tcase_add_test(t, gather_rows_columns_and_scalars);
    tcase_add_test(t, gather_index_outside_is_refused_with_the_node);
    tcase_add_test(t, gather_from_an_empty_axis_only_when_nothing_is_asked);
    tcase_add_test(t, gather_too_many_axes_are_refused);
    tcase_add_test(t, scatter_reductions_by_hand);
    tcase_add_test(t, scatter_slices_and_whole_indices);
    tcase_add_test(t, scatter_wild_indices_and_shapes_are_refused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
