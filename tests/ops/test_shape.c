/* SPDX-License-Identifier: Apache-2.0 */
/* Shape, Size, and tensors made from nothing: ConstantOfShape, Constant, Range. */
#include "lib/ops/helpers.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>

START_TEST(shape_start_and_end_clamp)
{
    static const struct {
        int64_t start, end, n, first;
    } cases[] = {{0, 8, 3, 2}, {1, 8, 2, 3},  {-1, 8, 1, 5}, {0, -1, 2, 2},
                 {2, 1, 0, 0}, {-9, 1, 1, 2}, {9, 99, 0, 0}, {-2, -1, 1, 3}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Shape, 15);
        int64_t *a = c.attrs; /* start, end */
        a[0] = cases[i].start;
        a[1] = cases[i].end;
        OP_IN(&c, NULL, 2, 3, 5);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_DIMS(&c, cases[i].n);
        if (cases[i].n > 0) {
            ck_assert_int_eq(((const int64_t *)c.out[0].data)[0], cases[i].first);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(size_counts_and_knows_symbols)
{
    struct op_case c;
    struct nmi_numbers n;
    op_case_start(&c, NMI_OP_Size, 13);
    OP_IN(&c, NULL, 2, 3, 5);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 30);
    c.facts[0].dims[1] = nmi_dim_symbol(0);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    ck_assert(nmi_fact_numbers(&c.out_facts[0], &n));
    ck_assert_int_eq(n.v[0].dim, NMI_DIM_UNKNOWN);
    op_case_end(&c);
}
END_TEST

START_TEST(constant_of_shape_fills_with_its_value)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_ConstantOfShape, 13);
    OP_LIST(&c, 2, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 0, 0, 0, 0, 0, 0);
    OP_LIST(&c, 7); /* the value attribute comes as one more input */
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 7, 7, 7, 7, 7, 7);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_ConstantOfShape, 13);
    OP_LIST(&c, 2, -3);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_ConstantOfShape, 13);
    OP_LIST(&c, INT64_MAX, INT64_MAX);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ELIMIT);
    op_case_end(&c);
}
END_TEST

START_TEST(constant_without_a_value_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Constant, 13);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    op_case_end(&c);
}
END_TEST

static void range(struct op_case *c, int64_t start, int64_t limit, int64_t delta)
{
    op_case_start(c, NMI_OP_Range, 13);
    op_case_in(c, NM_I64, 0, NULL, &start);
    op_case_in(c, NM_I64, 0, NULL, &limit);
    op_case_in(c, NM_I64, 0, NULL, &delta);
}

START_TEST(range_counts_up_and_down)
{
    struct op_case c;
    range(&c, 1, 10, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 1, 5, 9);
    op_case_end(&c);
    range(&c, 3, -3, -2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 3, 1, -1);
    op_case_end(&c);
    range(&c, 3, 3, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 0);
    op_case_end(&c);
    range(&c, INT64_MIN, INT64_MAX, INT64_MAX);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, INT64_MIN, -1, INT64_MAX - 1);
    op_case_end(&c);
    range(&c, INT64_MAX, INT64_MIN, INT64_MIN);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, INT64_MAX, -1);
    op_case_end(&c);
}
END_TEST

START_TEST(range_without_end_is_refused)
{
    struct op_case c;
    range(&c, 0, 1, 0);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EINVAL);
    op_case_end(&c);
    range(&c, INT64_MIN, INT64_MAX, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ELIMIT);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Range, 13);
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){0});
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){INFINITY});
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){INFINITY});
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EINVAL);
    *(float *)c.in[2].data = 1;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ELIMIT);
    op_case_end(&c);
}
END_TEST

START_TEST(range_of_floats_rounds_the_count_up)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Range, 13);
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){1});
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){2.1f});
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){0.5f});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 1, 1.5f, 2);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shape");
    TCase *t = tcase_create("shape");
    tcase_add_test(t, shape_start_and_end_clamp);
    tcase_add_test(t, size_counts_and_knows_symbols);
    tcase_add_test(t, constant_of_shape_fills_with_its_value);
    tcase_add_test(t, constant_without_a_value_is_refused);
    tcase_add_test(t, range_counts_up_and_down);
    tcase_add_test(t, range_without_end_is_refused);
    tcase_add_test(t, range_of_floats_rounds_the_count_up);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
