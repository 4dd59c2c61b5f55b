/* SPDX-License-Identifier: Apache-2.0 */
/* Pad: modes by hand and by index, crops, axes, opsets, ends of int64. */
#include "lib/ops/helpers.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <string.h>

static void start(struct op_case *c, int64_t mode, int32_t opset)
{
    op_case_start(c, NMI_OP_Pad, opset);
    ((struct nmi_pad_attrs *)c->attrs)->mode = mode;
}

START_TEST(pad_modes_by_hand)
{
    static const float want[3][7] = {
        {9, 9, 1, 2, 3, 9, 9}, {3, 2, 1, 2, 3, 2, 1}, {1, 1, 1, 2, 3, 3, 3}};
    for (int64_t mode = 0; mode < 3; mode++) {
        struct op_case c;
        start(&c, mode, 13);
        OP_IN(&c, ((const float[]){1, 2, 3}), 3);
        OP_LIST(&c, 2, 2);
        op_case_in(&c, NM_F32, 0, NULL, (const float[]){9});
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        op_case_values(&c, want[mode], 7);
        op_case_end(&c);
    }
}
END_TEST

/* Where a padded axis takes position i from, by folding it back step by step; -1: the constant. */
static int64_t fold(int64_t mode, int64_t n, int64_t i)
{
    while (i < 0 || i >= n) {
        if (mode == 0) {
            return -1;
        }
        if (mode == 2) {
            return i < 0 ? 0 : n - 1;
        }
        i = n == 1 ? 0 : i < 0 ? -i : 2 * (n - 1) - i;
    }
    return i;
}

START_TEST(pad_random_pads_follow_the_index)
{
    op_case_seed();
    for (int round = 0; round < 600; round++) {
        struct op_case c;
        int64_t mode = round % 3, dims[3], pads[6];
        for (int i = 0; i < 3; i++) {
            dims[i] = op_case_random(1, 5);
            pads[i] = op_case_random(-dims[i] / 2, 6);
            pads[3 + i] = op_case_random(-dims[i] / 2, 6);
        }
        start(&c, mode, 13);
        op_case_in(&c, NM_F32, 3, dims, NULL);
        OP_LONG_IN(&c, pads, 6);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        const struct nmi_tensor *y = &c.out[0];
        for (int64_t i = 0; i < nmi_count(y); i++) {
            int64_t rest = i, at[3];
            for (int k = 2; k >= 0; k--) {
                at[k] = fold(mode, dims[k], rest % y->dims[k] - pads[k]);
                rest /= y->dims[k];
            }
            bool inside = at[0] >= 0 && at[1] >= 0 && at[2] >= 0;
            const float *x = c.in[0].data;
            float want = inside ? x[(at[0] * dims[1] + at[1]) * dims[2] + at[2]] : 0;
            ck_assert_float_eq(op_case_floats(&c, 0)[i], want);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(pad_attributes_below_opset_11)
{
    struct op_case c;
    start(&c, 0, 10);
    struct nmi_pad_attrs *a = c.attrs;
    a->pads = (struct nmi_ints){2, {0, 1}};
    a->value = 7;
    OP_IN(&c, ((const float[]){1}), 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 1, 7);
    op_case_end(&c);
}
END_TEST

START_TEST(pad_axes_of_opset_18_choose)
{
    struct op_case c;
    start(&c, 0, 18);
    OP_LONG_IN(&c, ((const int64_t[]){1, 2}), 2, 1);
    OP_LIST(&c, 1, 0);
    op_case_skip(&c);
    OP_LIST(&c, -1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2);
    OP_LONGS(&c, 0, 1, 0, 2);
    op_case_end(&c);
}
END_TEST

START_TEST(pad_nonsense_is_refused)
{
    static const int64_t pads[][2] = {{INT64_MIN, INT64_MAX}, {INT64_MAX, INT64_MAX}, {-2, -2}};
    for (size_t i = 0; i < NMI_COUNT(pads); i++) {
        struct op_case c;
        start(&c, 0, 13);
        OP_IN(&c, NULL, 3);
        OP_LONG_IN(&c, pads[i], 2);
        ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
        op_case_end(&c);
    }
    struct op_case c;
    start(&c, 1, 13);
    OP_IN(&c, NULL, 0);
    OP_LIST(&c, 1, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    start(&c, 3, 19);
    OP_IN(&c, NULL, 3);
    OP_LIST(&c, 1, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    op_case_end(&c);
}
END_TEST

START_TEST(pad_symbols_stay_where_nothing_is_added)
{
    struct op_case c;
    int64_t n = nmi_dim_symbol(0);
    start(&c, 0, 13);
    op_case_in(&c, NM_F32, 2, (const int64_t[]){n, n}, NULL);
    OP_LIST(&c, 0, 1, 0, 1);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, n, NMI_DIM_UNKNOWN);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pad");
    TCase *t = tcase_create("pad");
    tcase_add_test(t, pad_modes_by_hand);
    tcase_add_test(t, pad_random_pads_follow_the_index);
    tcase_add_test(t, pad_attributes_below_opset_11);
    tcase_add_test(t, pad_axes_of_opset_18_choose);
    tcase_add_test(t, pad_nonsense_is_refused);
    tcase_add_test(t, pad_symbols_stay_where_nothing_is_added);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
