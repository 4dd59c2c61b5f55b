/* SPDX-License-Identifier: Apache-2.0 */
/* Reshape with numbers and symbols, and the other operators that change dims only. */
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

#define N ((int64_t)-5) /* nmi_dim_symbol(3) */
#define M ((int64_t)-6)

/* Input 1 is int64 whose elements are numbers, or symbols where dim is not 0. */
static void known_list(struct op_case *c, int64_t n, const struct nmi_known *known)
{
    op_case_in(c, NM_I64, 1, &n, NULL);
    c->facts[c->n_in - 1].data = NULL;
    c->facts[c->n_in - 1].known = known;
}

static void start_reshape(struct op_case *c, int64_t allowzero, int32_t rank, const int64_t *dims)
{
    op_case_start(c, NMI_OP_Reshape, 14);
    *(int64_t *)c->attrs = allowzero; /* its only field */
    op_case_in(c, NM_F32, rank, dims, NULL);
}

START_TEST(reshape_minus_one_and_zero_are_filled_in)
{
    struct op_case c;
    start_reshape(&c, 0, 3, (const int64_t[]){2, 3, 4});
    OP_LIST(&c, 0, -1, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 6, 2);
    ck_assert_mem_eq(c.out[0].data, c.in[0].data, 24 * sizeof(float));
    op_case_end(&c);
}
END_TEST

START_TEST(reshape_to_and_from_a_scalar)
{
    struct op_case c;
    start_reshape(&c, 0, 2, (const int64_t[]){1, 1});
    op_case_in(&c, NM_I64, 1, (const int64_t[]){0}, NULL);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    ck_assert_int_eq(c.out[0].rank, 0);
    op_case_end(&c);
    start_reshape(&c, 0, 0, NULL);
    OP_LIST(&c, -1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1);
    op_case_end(&c);
}
END_TEST

START_TEST(reshape_allowzero_means_zero)
{
    struct op_case c;
    start_reshape(&c, 1, 2, (const int64_t[]){0, 3});
    OP_LIST(&c, 3, 0);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 3, 0);
    op_case_end(&c);
    start_reshape(&c, 1, 2, (const int64_t[]){0, 3});
    OP_LIST(&c, 0, -1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(reshape_nonsense_is_refused)
{
    static const int64_t shapes[][3] = {{-1, -1, 1}, {5, 5, 1},         {-2, 6, 1}, {7, -1, 1},
                                        {0, -1, 0},  {INT64_MIN, 1, 1}, {0, 0, 0}};
    for (size_t i = 0; i < NMI_COUNT(shapes); i++) {
        struct op_case c;
        start_reshape(&c, 0, 2, (const int64_t[]){4, 6});
        OP_LONG_IN(&c, shapes[i], 3);
        ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(reshape_huge_dims_do_not_overflow)
{
    struct op_case c;
    start_reshape(&c, 0, 2, (const int64_t[]){4, 6});
    OP_LIST(&c, INT64_MAX, INT64_MAX, INT64_MAX);
    ck_assert_int_ne(op_case_infer(&c, 1), NM_OK);
    op_case_end(&c);
    start_reshape(&c, 0, 2, (const int64_t[]){4, 6});
    OP_LIST(&c, INT64_MAX, 3, -1);
    ck_assert_int_ne(op_case_infer(&c, 1), NM_OK);
    op_case_end(&c);
}
END_TEST

/* A free batch, as the tail of nearly every classifier has it. */
START_TEST(reshape_symbols_are_carried_over)
{
    static const struct {
        struct nmi_known shape[2];
        int64_t want[2];
    } cases[] = {
        {{{.dim = N}, {.v = 2048}}, {N, 2048}},
        {{{.dim = N}, {.v = -1}}, {N, 2048}},
        {{{.v = 0}, {.v = -1}}, {N, 2048}},
        {{{.v = -1}, {.v = 2048}}, {N, 2048}},
        {{{.dim = NMI_DIM_UNKNOWN}, {.v = 2048}}, {N, 2048}},
        {{{.dim = M}, {.v = -1}}, {M, NMI_DIM_UNKNOWN}},
        {{{.v = -1}, {.v = 1024}}, {NMI_DIM_UNKNOWN, 1024}},
        {{{.v = 1}, {.v = -1}}, {1, NMI_DIM_UNKNOWN}},
    };
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct op_case c;
        start_reshape(&c, 0, 4, (const int64_t[]){N, 2048, 1, 1});
        known_list(&c, 2, cases[i].shape);
        ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
        op_case_dims(&c, 2, cases[i].want);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(reshape_unknown_contents_leave_the_rank)
{
    struct op_case c;
    start_reshape(&c, 0, 2, (const int64_t[]){4, 6});
    OP_LIST(&c, 1, 2, 3);
    c.facts[1].data = NULL;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, -1, -1, -1);
    c.facts[1].dims[0] = NMI_DIM_UNKNOWN;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    ck_assert_int_eq(c.out_facts[0].rank, -1);
    c.facts[1].dims[0] = 9;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(flatten_multiplies_on_both_sides_of_the_axis)
{
    for (int64_t axis = -3; axis <= 3; axis++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Flatten, 13);
        ((struct nmi_axis_attrs *)c.attrs)->axis = axis;
        OP_IN(&c, NULL, 2, 3, 5);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        int64_t at = axis < 0 ? axis + 3 : axis;
        int64_t left = at == 0 ? 1 : at == 1 ? 2 : at == 2 ? 6 : 30;
        OP_DIMS(&c, left, 30 / left);
        op_case_end(&c);
    }
    struct op_case c;
    op_case_start(&c, NMI_OP_Flatten, 13);
    op_case_in(&c, NM_F32, 4, (const int64_t[]){N, 512, 7, 7}, NULL);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, N, 25088);
    ((struct nmi_axis_attrs *)c.attrs)->axis = 5;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(squeeze_axes_come_from_attribute_input_or_nowhere)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Squeeze, 11);
    *(struct nmi_ints *)c.attrs = (struct nmi_ints){2, {0, -1}};
    OP_IN(&c, NULL, 1, 3, 1, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 3, 1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Squeeze, 13);
    OP_IN(&c, NULL, 1, 3, 1);
    OP_LIST(&c, 0);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 3, 1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Squeeze, 13);
    OP_IN(&c, NULL, 1, 3, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 3);
    op_case_end(&c);
}
END_TEST

START_TEST(squeeze_of_a_longer_or_doubled_axis_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Squeeze, 13);
    OP_IN(&c, NULL, 1, 3);
    OP_LIST(&c, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Squeeze, 13);
    OP_IN(&c, NULL, 1, 3);
    OP_LIST(&c, 0, -2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EINVAL);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Squeeze, 13);
    OP_IN(&c, NULL, 1, 3);
    OP_LIST(&c, INT64_MIN);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(squeeze_of_symbols_without_axes_has_an_open_rank)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Squeeze, 13);
    op_case_in(&c, NM_F32, 3, (const int64_t[]){N, 3, 1}, NULL);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    ck_assert_int_eq(c.out_facts[0].rank, -1);
    OP_LIST(&c, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, N, 3);
    op_case_end(&c);
}
END_TEST

START_TEST(unsqueeze_axes_count_in_the_result)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Unsqueeze, 13);
    OP_IN(&c, NULL, 3, 4);
    OP_LIST(&c, -1, 0, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1, 3, 1, 4, 1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Unsqueeze, 13);
    OP_IN(&c, NULL, 1, 1, 1, 1, 1, 1, 1, 1);
    OP_LIST(&c, 0);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(dropout_passes_on_and_refuses_training_mode)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Dropout, 13);
    OP_IN(&c, ((const float[]){1, NAN}), 2);
    ck_assert_int_eq(op_case_run(&c, 2), NM_OK);
    OP_VALUES(&c, 1, NAN);
    ck_assert_mem_eq(c.out[1].data, "\1\1", 2);
    op_case_skip(&c);
    op_case_in(&c, NM_BOOL, 0, NULL, (const uint8_t[]){0});
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    *(uint8_t *)c.in[2].data = 1;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(c.err.message, "training mode"));
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reshape");
    TCase *t = tcase_create("reshape");
    tcase_add_test(t, reshape_minus_one_and_zero_are_filled_in);
    tcase_add_test(t, reshape_to_and_from_a_scalar);
    tcase_add_test(t, reshape_allowzero_means_zero);
    tcase_add_test(t, reshape_nonsense_is_refused);
    tcase_add_test(t, reshape_huge_dims_do_not_overflow);
    tcase_add_test(t, reshape_symbols_are_carried_over);
    tcase_add_test(t, reshape_unknown_contents_leave_the_rank);
    tcase_add_test(t, flatten_multiplies_on_both_sides_of_the_axis);
    tcase_add_test(t, squeeze_axes_come_from_attribute_input_or_nowhere);
    tcase_add_test(t, squeeze_of_a_longer_or_doubled_axis_is_refused);
    tcase_add_test(t, squeeze_of_symbols_without_axes_has_an_open_rank);
    tcase_add_test(t, unsqueeze_axes_count_in_the_result);
    tcase_add_test(t, dropout_passes_on_and_refuses_training_mode);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
