/* SPDX-License-Identifier: Apache-2.0 */
/* Slice against a loop that walks and looks, with bounds up to the ends of int64. */
#include "lib/ops/helpers.h"
#include "tests/support/op_case.h"

#include <check.h>

/* The positions that [start:end:step] takes of n, by walking; returns how many. */
static int64_t walk(int64_t n, int64_t start, int64_t end, int64_t step, int64_t *at)
{
    __int128 from = start < 0 ? (__int128)start + n : start;
    __int128 to = end < 0 ? (__int128)end + n : end;
    int64_t count = 0;
    if (step > 0) {
        from = from < 0 ? 0 : from;
        for (__int128 i = from; i < to && i < n; i += step) {
            at[count++] = (int64_t)i;
        }
    } else {
        from = from >= n ? n - 1 : from < 0 && n > 0 ? 0 : from;
        to = to < -1 ? -1 : to;
        for (__int128 i = from; i > to && i >= 0; i += step) {
            at[count++] = (int64_t)i;
        }
    }
    return count;
}

static int64_t bound(void)
{
    switch (op_case_random(0, 9)) {
    case 0:
        return INT64_MAX;
    case 1:
        return INT64_MIN;
    case 2:
        return INT32_MAX;
    default:
        return op_case_random(-12, 12);
    }
}

static int64_t pace(void)
{
    int64_t step = op_case_random(0, 9) == 0 ? bound() : op_case_random(-3, 3);
    return step == 0 ? 1 : step;
}

START_TEST(slice_random_bounds_take_what_a_walk_takes)
{
    op_case_seed();
    for (int round = 0; round < 3000; round++) {
        struct op_case c;
        int64_t dims[2] = {op_case_random(0, 9), op_case_random(1, 9)}, at[2][16], n[2];
        int64_t start[2] = {bound(), bound()}, end[2] = {bound(), bound()};
        int64_t step[2] = {pace(), pace()}, axes[2] = {0, -1};
        op_case_start(&c, NMI_OP_Slice, 13);
        op_case_in(&c, NM_F32, 2, dims, NULL);
        OP_LONG_IN(&c, start, 2);
        OP_LONG_IN(&c, end, 2);
        OP_LONG_IN(&c, axes, 2);
        OP_LONG_IN(&c, step, 2);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        for (int i = 0; i < 2; i++) {
            n[i] = walk(dims[i], start[i], end[i], step[i], at[i]);
        }
        OP_DIMS(&c, n[0], n[1]);
        const float *x = c.in[0].data, *y = op_case_floats(&c, 0);
        for (int64_t i = 0; i < n[0] * n[1]; i++) {
            float want = x[at[0][i / n[1]] * dims[1] + at[1][i % n[1]]];
            ck_assert_float_eq(y[i], want);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(slice_attributes_below_opset_10)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Slice, 9);
    struct nmi_ints *list = c.attrs; /* starts, ends, axes */
    list[0] = (struct nmi_ints){1, {-2}};
    list[1] = (struct nmi_ints){1, {1000}};
    list[2] = (struct nmi_ints){1, {1}};
    OP_IN(&c, ((const float[]){1, 2, 3, 4, 5, 6}), 2, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 2, 3, 5, 6);
    op_case_end(&c);
}
END_TEST

START_TEST(slice_nonsense_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Slice, 13);
    OP_IN(&c, NULL, 3, 3);
    OP_LIST(&c, 0);
    OP_LIST(&c, 1, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Slice, 13);
    OP_IN(&c, NULL, 3, 3);
    OP_LIST(&c, 0);
    OP_LIST(&c, 1);
    OP_LIST(&c, INT64_MIN);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_skip(&c);
    *(int64_t *)c.in[3].data = 0;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    c.n_in = 4;
    OP_LIST(&c, 0);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EINVAL);
    c.n_in = 1;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EFORMAT);
    op_case_end(&c);
}
END_TEST

START_TEST(slice_symbol_stays_when_all_is_taken)
{
    struct op_case c;
    int64_t n = nmi_dim_symbol(0);
    op_case_start(&c, NMI_OP_Slice, 13);
    op_case_in(&c, NM_F32, 3, (const int64_t[]){n, n, 9}, NULL);
    OP_LIST(&c, 0, 1, 1);
    OP_LIST(&c, INT64_MAX, INT64_MAX, 5);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, n, NMI_DIM_UNKNOWN, 4);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slice");
    TCase *t = tcase_create("slice");
    tcase_add_test(t, slice_random_bounds_take_what_a_walk_takes);
    tcase_add_test(t, slice_attributes_below_opset_10);
    tcase_add_test(t, slice_nonsense_is_refused);
    tcase_add_test(t, slice_symbol_stays_when_all_is_taken);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
