/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators of one input, and Clip: values against float64, NaN, infinities, integers.
 */
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

struct formula {
    uint16_t op;
    double (*f)(double);
};

static double relu(double x)
{
    return x > 0 ? x : 0;
}
static double leaky(double x)
{
    return x < 0 ? 0.01 * x : x;
}
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double hard_sigmoid(double x)
{
    return fmax(0, fmin(1, 0.2 * x + 0.5));
}
static double hard_swish(double x)
{
    return x * fmax(0, fmin(1, x / 6 + 0.5));
}
static double elu(double x)
{
    return x < 0 ? exp(x) - 1 : x;
}
static double softplus(double x)
{
    return log(exp(x) + 1);
}
static double negate(double x)
{
    return -x;
}
static double reciprocal(double x)
{
    return 1 / x;
}

static const struct formula formulas[] = {
    {NMI_OP_Relu, relu},
    {NMI_OP_LeakyRelu, leaky},
    {NMI_OP_Sigmoid, sigmoid},
    {NMI_OP_HardSigmoid, hard_sigmoid},
    {NMI_OP_HardSwish, hard_swish},
    {NMI_OP_Elu, elu},
    {NMI_OP_Tanh, tanh},
    {NMI_OP_Softplus, softplus},
    {NMI_OP_Erf, erf},
    {NMI_OP_Exp, exp},
    {NMI_OP_Log, log},
    {NMI_OP_Sqrt, sqrt},
    {NMI_OP_Abs, fabs},
    {NMI_OP_Neg, negate},
    {NMI_OP_Reciprocal, reciprocal},
    {NMI_OP_Floor, floor},
    {NMI_OP_Ceil, ceil},
};

START_TEST(unary_random_floats_follow_the_formula)
{
    op_case_seed();
    for (size_t k = 0; k < NMI_COUNT(formulas); k++) {
        struct op_case c;
        op_case_start(&c, formulas[k].op, 14);
        OP_IN(&c, NULL, 3, 5, 17);
        float *x = c.in[0].data;
        for (int i = 0; i < 255; i++) {
            x[i] *= 10;
            bool positive = formulas[k].op == NMI_OP_Log || formulas[k].op == NMI_OP_Sqrt;
            x[i] = positive ? fabsf(x[i]) : x[i];
        }
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        for (int i = 0; i < 255; i++) {
            double want = formulas[k].f((double)x[i]), got = (double)op_case_floats(&c, 0)[i];
            ck_assert_msg(fabs(got - want) <= 1e-6 * fabs(want) + 1e-7 || got == want,
                          "%s(%g) is %.9g, expected %.9g", nmi_ops[c.op]->name, (double)x[i], got,
                          want);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(unary_doubles_follow_the_formula)
{
    const double x[3] = {0.25, 1.5, 7};
    for (size_t k = 0; k < NMI_COUNT(formulas); k++) {
        struct op_case c;
        op_case_start(&c, formulas[k].op, 14);
        op_case_in(&c, NM_F64, 1, (const int64_t[]){3}, x);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        for (int i = 0; i < 3; i++) {
            double want = formulas[k].f(x[i]), got = ((const double *)c.out[0].data)[i];
            ck_assert_double_le(fabs(got - want), 1e-7 * fabs(want) + 1e-12);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(unary_nan_stays_nan)
{
    for (size_t k = 0; k < NMI_COUNT(formulas); k++) {
        struct op_case c;
        op_case_start(&c, formulas[k].op, 14);
        OP_IN(&c, ((const float[]){NAN, 1, NAN, NAN, 1}), 5);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        const float *y = op_case_floats(&c, 0);
        ck_assert_msg(isnan(y[0]) && !isnan(y[1]) && isnan(y[2]), "%s", nmi_ops[c.op]->name);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(unary_far_values_stay_finite_where_the_limit_is)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Sigmoid, 13);
    OP_IN(&c, ((const float[]){-1000, 1000, -INFINITY, INFINITY}), 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 0, 1, 0, 1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Softplus, 13);
    OP_IN(&c, ((const float[]){-1000, 1000, 0}), 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 0, 1000, 0.69314718f);
    op_case_end(&c);
}
END_TEST

START_TEST(unary_integers_wrap_at_the_lowest)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Abs, 13);
    op_case_in(&c, NM_I8, 1, (const int64_t[]){3}, (const int8_t[]){-128, -127, 5});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, -128, 127, 5);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Neg, 13);
    OP_LIST(&c, INT64_MIN, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, INT64_MIN, -3);
    op_case_end(&c);
}
END_TEST

START_TEST(unary_half_is_refused_by_its_type)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Exp, 13);
    op_case_in(&c, NM_F16, 1, (const int64_t[]){1}, (const uint16_t[]){0});
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(c.err.message, "type float16"));
    op_case_end(&c);
}
END_TEST

START_TEST(unary_empty_and_scalar_tensors_work)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Relu, 13);
    OP_IN(&c, NULL, 0, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 0, 4);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Relu, 13);
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){-3});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 0);
    op_case_end(&c);
}
END_TEST

START_TEST(clip_bounds_come_from_attributes_or_inputs)
{
    const float x[] = {-3, 0.5f, 9, NAN};
    struct op_case c;
    op_case_start(&c, NMI_OP_Clip, 10);
    ((struct nmi_clip_attrs *)c.attrs)->max = 6;
    OP_IN(&c, x, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -3, 0.5f, 6, NAN);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Clip, 13);
    OP_IN(&c, x, 4);
    op_case_skip(&c);
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){1});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -3, 0.5f, 1, NAN);
    op_case_end(&c);
}
END_TEST

START_TEST(clip_min_above_max_gives_max)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Clip, 13);
    op_case_in(&c, NM_U8, 1, (const int64_t[]){3}, (const uint8_t[]){0, 100, 255});
    op_case_in(&c, NM_U8, 0, NULL, (const uint8_t[]){50});
    op_case_in(&c, NM_U8, 0, NULL, (const uint8_t[]){20});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 20, 20, 20);
    op_case_end(&c);
}
END_TEST

START_TEST(clip_bound_of_another_type_or_shape_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Clip, 13);
    OP_IN(&c, NULL, 2);
    op_case_in(&c, NM_I64, 0, NULL, (const int64_t[]){1});
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ETYPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Clip, 13);
    OP_IN(&c, NULL, 2);
    OP_IN(&c, NULL, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unary");
    TCase *t = tcase_create("unary");
    tcase_add_test(t, unary_random_floats_follow_the_formula);
    tcase_add_test(t, unary_doubles_follow_the_formula);
    tcase_add_test(t, unary_nan_stays_nan);
    tcase_add_test(t, unary_far_values_stay_finite_where_the_limit_is);
    tcase_add_test(t, unary_integers_wrap_at_the_lowest);
    tcase_add_test(t, unary_half_is_refused_by_its_type);
    tcase_add_test(t, unary_empty_and_scalar_tensors_work);
    tcase_add_test(t, clip_bounds_come_from_attributes_or_inputs);
    tcase_add_test(t, clip_min_above_max_gives_max);
    tcase_add_test(t, clip_bound_of_another_type_or_shape_is_refused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
