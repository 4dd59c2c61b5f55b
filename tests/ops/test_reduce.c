/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions and ArgMax against plain loops over all axes, integers, nothing to reduce, NaN. */
#include "lib/ops/helpers.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>

struct reduce_attrs { /* as in lib/ops/reduce.c */
    int64_t keepdims, noop_with_empty_axes;
    struct nmi_ints axes;
};
static const uint16_t all[] = {NMI_OP_ReduceMean, NMI_OP_ReduceSum,  NMI_OP_ReduceMax,
                               NMI_OP_ReduceMin,  NMI_OP_ReduceProd, NMI_OP_ReduceL2};

static double first(uint16_t op)
{
    return op == NMI_OP_ReduceMax   ? -(double)INFINITY
           : op == NMI_OP_ReduceMin ? (double)INFINITY
                                    : op == NMI_OP_ReduceProd;
}

static double step(uint16_t op, double a, double x)
{
    switch (op) {
    case NMI_OP_ReduceMax:
        return fmax(a, x);
    case NMI_OP_ReduceMin:
        return fmin(a, x);
    case NMI_OP_ReduceProd:
        return a * x;
    case NMI_OP_ReduceL2:
        return a + x * x;
    default:
        return a + x;
    }
}

/* The whole reduction by adding each element to its output, in the input's order. */
static void naive(uint16_t op, const struct nmi_tensor *x, uint32_t mask, double *y, int64_t n)
{
    int64_t total = nmi_count(x);
    for (int64_t i = 0; i < n; i++) {
        y[i] = first(op);
    }
    for (int64_t i = 0; i < total; i++) {
        int64_t rest = i, to = 0, weight = 1;
        for (int32_t k = x->rank - 1; k >= 0; k--) {
            int64_t at = rest % x->dims[k];
            rest /= x->dims[k];
            if ((mask >> k & 1) == 0) {
                to += at * weight;
                weight *= x->dims[k];
            }
        }
        y[to] = step(op, y[to], (double)((const float *)x->data)[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        y[i] = op == NMI_OP_ReduceMean ? y[i] * (double)n / (double)total : y[i];
        y[i] = op == NMI_OP_ReduceL2 ? sqrt(y[i]) : y[i];
    }
}

static void check_random(uint16_t op)
{
    struct op_case c;
    int64_t dims[5], longest = op_case_random(0, 9);
    int32_t rank = (int32_t)op_case_random(1, 5);
    uint32_t mask = (uint32_t)op_case_random(1, (1 << rank) - 1);
    op_case_start(&c, op, 11);
    struct reduce_attrs *a = c.attrs;
    a->keepdims = op_case_random(0, 1);
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = i == longest ? op_case_random(100, 150) : op_case_random(1, 5);
        if ((mask >> i & 1) != 0) {
            a->axes.v[a->axes.n++] = op_case_random(0, 1) == 0 ? i : i - rank;
        }
    }
    op_case_in(&c, NM_F32, rank, dims, NULL);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    int64_t n = nmi_count(&c.out[0]);
    double *y = nmi_arena_array(&c.arena, (size_t)n, sizeof *y);
    naive(op, &c.in[0], mask, y, n);
    for (int64_t i = 0; i < n; i++) {
        double got = (double)op_case_floats(&c, 0)[i];
        ck_assert_msg(fabs(got - y[i]) <= 1e-6 * fabs(y[i]) + 1e-9, "%s: %.9g, expected %.9g",
                      nmi_ops[op]->name, got, y[i]);
    }
    op_case_end(&c);
}

START_TEST(reduce_random_axes_follow_the_loop)
{
    op_case_seed();
    for (int i = 0; i < 600; i++) {
        check_random(all[i % 6]);
    }
}
END_TEST

START_TEST(reduce_axes_by_opset)
{
    for (int k = 0; k < 2; k++) { /* ReduceSum takes them as input from 13, ReduceMean from 18 */
        struct op_case c;
        op_case_start(&c, k == 0 ? NMI_OP_ReduceSum : NMI_OP_ReduceMean, k == 0 ? 13 : 18);
        OP_IN(&c, ((const float[]){1, 2, 3, 4}), 2, 2);
        OP_LIST(&c, -1);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_DIMS(&c, 2, 1);
        OP_VALUES(&c, k == 0 ? 3 : 1.5f, k == 0 ? 7 : 3.5f);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(reduce_without_axes_reduces_all_or_nothing)
{
    for (int64_t noop = 0; noop < 2; noop++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_ReduceL2, 18);
        ((struct reduce_attrs *)c.attrs)->noop_with_empty_axes = noop;
        ((struct reduce_attrs *)c.attrs)->keepdims = 0;
        OP_IN(&c, ((const float[]){-3, 4}), 2);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        if (noop != 0) {
            OP_VALUES(&c, 3, 4);
        } else {
            ck_assert_int_eq(c.out[0].rank, 0);
            OP_VALUES(&c, 5);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(reduce_nothing_gives_the_neutral_element)
{
    const float want[] = {NAN, 0, -INFINITY, INFINITY, 1, 0};
    for (int i = 0; i < 6; i++) {
        struct op_case c;
        op_case_start(&c, all[i], 11);
        OP_IN(&c, NULL, 0, 3);
        ((struct reduce_attrs *)c.attrs)->axes = (struct nmi_ints){1, {0}};
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        const float three[] = {want[i], want[i], want[i]};
        op_case_values(&c, three, 3);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(reduce_integers_are_exact)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_ReduceSum, 13);
    OP_LIST(&c, INT64_MAX, 3, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, INT64_MIN + 6);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_ReduceMax, 13);
    OP_LIST(&c, (int64_t)9007199254740993, (int64_t)9007199254740992);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, (int64_t)9007199254740993);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_ReduceMean, 13);
    op_case_in(&c, NM_U8, 1, (const int64_t[]){3}, (const uint8_t[]){255, 255, 250});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 253);
    op_case_end(&c);
}
END_TEST

START_TEST(reduce_nan_stays_wherever_it_stands)
{
    float x[40] = {0};
    for (int i = 0; i < 40; i++) {
        struct op_case c;
        x[i] = NAN;
        op_case_start(&c, i % 2 == 0 ? NMI_OP_ReduceMax : NMI_OP_ReduceMin, 13);
        OP_IN(&c, x, 40);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        ck_assert(isnan(op_case_floats(&c, 0)[0]));
        op_case_end(&c);
        x[i] = 0;
    }
}
END_TEST

START_TEST(reduce_bad_axes_are_refused)
{
    const int64_t wild[] = {2, -3, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < NMI_COUNT(wild); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_ReduceSum, 13);
        OP_IN(&c, NULL, 2, 2);
        OP_LIST(&c, wild[i]);
        ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
        op_case_end(&c);
    }
}
END_TEST

struct argmax_attrs { /* as in lib/ops/argmax.c */
    int64_t axis, keepdims, select_last_index;
};

START_TEST(argmax_first_or_last_on_any_axis)
{
    const float x[] = {2, 1, 2, 3, 10, 10};
    struct op_case c;
    op_case_start(&c, NMI_OP_ArgMax, 13);
    struct argmax_attrs *a = c.attrs;
    OP_IN(&c, x, 2, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1, 3);
    OP_LONGS(&c, 1, 1, 1);
    a->axis = -1;
    a->keepdims = 0;
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2);
    OP_LONGS(&c, 0, 1);
    a->select_last_index = 1;
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 2, 2);
    a->axis = 2;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(argmax_nan_is_the_largest_and_empty_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_ArgMax, 13);
    OP_IN(&c, ((const float[]){1, NAN, 5, NAN}), 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_ArgMax, 13);
    OP_IN(&c, NULL, 0, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reduce");
    TCase *t = tcase_create("reduce");
    tcase_add_test(t, reduce_random_axes_follow_the_loop);
    tcase_add_test(t, reduce_axes_by_opset);
    tcase_add_test(t, reduce_without_axes_reduces_all_or_nothing);
    tcase_add_test(t, reduce_nothing_gives_the_neutral_element);
    tcase_add_test(t, reduce_integers_are_exact);
    tcase_add_test(t, reduce_nan_stays_wherever_it_stands);
    tcase_add_test(t, reduce_bad_axes_are_refused);
    tcase_add_test(t, argmax_first_or_last_on_any_axis);
    tcase_add_test(t, argmax_nan_is_the_largest_and_empty_is_refused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
