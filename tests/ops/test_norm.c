/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations and softmax, against their definitions. */
#include "tests/support/op_case.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- BatchNormalization, InstanceNormalization --------------------------------------------------
 */

static void start_bn(struct op_case *c, int32_t opset)
{
    static const float x[] = {-1, 0, 1, 2, 3, 4}, scale[] = {1, 1.5f}, bias[] = {0, 1};
    static const float mean[] = {0, 3}, variance[] = {1, 4};
    op_case_start(c, NMI_OP_BatchNormalization, opset);
    ((struct nmi_bn_attrs *)c->attrs)->epsilon = 0;
    OP_IN(c, x, 1, 2, 1, 3);
    OP_IN(c, scale, 2);
    OP_IN(c, bias, 2);
    OP_IN(c, mean, 2);
    OP_IN(c, variance, 2);
}

START_TEST(batchnorm_by_hand)
{
    struct op_case c;
    start_bn(&c, 15);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -1, 0, 1, 0.25f, 1, 1.75f);
    op_case_end(&c);
}
END_TEST

START_TEST(batchnorm_training_refused)
{
    struct op_case c;
    start_bn(&c, 15);
    ((struct nmi_bn_attrs *)c.attrs)->training_mode = 1;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(c.err.message, "training mode"));
    op_case_end(&c);
    start_bn(&c, 7);
    ck_assert_int_eq(op_case_infer(&c, 5), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(c.err.message, "training mode"));
    ((struct nmi_bn_attrs *)c.attrs)->spatial = 0;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    op_case_end(&c);
}
END_TEST

START_TEST(batchnorm_vector_of_wrong_length_refused)
{
    struct op_case c;
    start_bn(&c, 15);
    c.facts[3].dims[0] = 3;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    c.facts[3].dims[0] = NMI_DIM_UNKNOWN;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    op_case_end(&c);
}
END_TEST

START_TEST(instancenorm_has_mean_zero_and_variance_one)
{
    struct op_case c;
    float scale[] = {1, 2}, bias[] = {0, 10};
    op_case_seed();
    op_case_start(&c, NMI_OP_InstanceNormalization, 13);
    OP_IN(&c, NULL, 2, 2, 7, 9);
    OP_IN(&c, scale, 2);
    OP_IN(&c, bias, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    for (int plane = 0; plane < 4; plane++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 63; i++) {
            double v = (double)op_case_floats(&c, 0)[plane * 63 + i] - (double)bias[plane % 2];
            sum += v;
            squares += v * v;
        }
        ck_assert_double_eq_tol(sum / 63, 0, 1e-6);
        ck_assert_double_eq_tol(sqrt(squares / 63), (double)scale[plane % 2], 1e-3);
    }
    op_case_end(&c);
}
END_TEST

/* ---- LayerNormalization -------------------------------------------------------------------------
 */

struct layer_norm_attrs { /* as in lib/ops/layer_norm.c */
    int64_t axis;
    float epsilon;
};

START_TEST(layernorm_with_mean_and_deviation)
{
    struct op_case c;
    float x[] = {1, 3, 10, 30}, scale[] = {2, 3}, bias[] = {0, 1};
    op_case_start(&c, NMI_OP_LayerNormalization, 17);
    ((struct layer_norm_attrs *)c.attrs)->epsilon = 0;
    OP_IN(&c, x, 2, 2);
    OP_IN(&c, scale, 2);
    OP_IN(&c, bias, 2);
    ck_assert_int_eq(op_case_run(&c, 3), NM_OK);
    OP_VALUES(&c, -2, 4, -2, 4);
    ck_assert_float_eq(op_case_floats(&c, 1)[1], 20);
    ck_assert_float_eq_tol(op_case_floats(&c, 2)[1], 0.1f, 1e-7f);
    ck_assert_int_eq(c.out_facts[1].dims[1], 1);
    op_case_end(&c);
}
END_TEST

START_TEST(layernorm_over_all_axes_with_broadcast_scale)
{
    struct op_case c;
    float x[] = {-1, 1, -1, 1}, scale[] = {2, 3}, bias[] = {1, 2};
    op_case_start(&c, NMI_OP_LayerNormalization, 17);
    *(struct layer_norm_attrs *)c.attrs = (struct layer_norm_attrs){0, 0};
    OP_IN(&c, x, 2, 2);
    OP_IN(&c, scale, 2, 1); /* one a row */
    OP_IN(&c, bias, 2);     /* one a column */
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -1, 4, -2, 5);
    op_case_end(&c);
}
END_TEST

START_TEST(layernorm_scale_that_does_not_fit_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_LayerNormalization, 17);
    OP_IN(&c, NULL, 2, 3);
    OP_IN(&c, NULL, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    ((struct layer_norm_attrs *)c.attrs)->axis = 2;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

/* ---- LRN ----------------------------------------------------------------------------------------
 */

struct lrn_attrs { /* as in lib/ops/lrn.c */
    float alpha, beta, bias;
    int64_t size;
};

START_TEST(lrn_matches_its_formula)
{
    op_case_seed();
    for (int64_t size = 1; size < 9; size++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_LRN, 13);
        struct lrn_attrs *a = c.attrs;
        *a = (struct lrn_attrs){0.5f, size % 2 == 0 ? 0.75f : 0.6f, 2, size};
        OP_IN(&c, NULL, 2, 5, 19, 17);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        const float *x = c.in[0].data, *y = op_case_floats(&c, 0);
        int64_t map = 19 * 17;
        for (int64_t i = 0; i < 2 * 5 * map; i++) {
            int64_t channel = i / map % 5, first = i - channel * map;
            double sum = 0;
            for (int64_t k = channel - (size - 1) / 2; k <= channel + size / 2; k++) {
                double v = k >= 0 && k < 5 ? (double)x[first + k * map] : 0;
                sum += v * v;
            }
            double want = (double)x[i] / pow(2 + 0.5 / (double)size * sum, (double)a->beta);
            ck_assert_double_eq_tol((double)y[i], want, 1e-6);
        }
        op_case_end(&c);
    }
}
END_TEST

/* ---- softmax ------------------------------------------------------------------------------------
 */

START_TEST(softmax_by_hand_and_with_large_numbers)
{
    struct op_case c;
    float x[] = {-1, 0, 1, 9999, 10000, 10001};
    op_case_start(&c, NMI_OP_Softmax, 13);
    OP_IN(&c, x, 2, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 0.09003058f, 0.24472848f, 0.66524094f, 0.09003058f, 0.24472848f, 0.66524094f);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_LogSoftmax, 13);
    OP_IN(&c, x, 2, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -2.4076061f, -1.407606f, -0.40760604f, -2.4076061f, -1.407606f, -0.40760604f);
    op_case_end(&c);
}
END_TEST

/* Along every axis, against the definition; below opset 13 the axes from `axis` on are one. */
START_TEST(softmax_every_axis_in_both_meanings)
{
    static const int64_t dims[] = {3, 4, 150};
    op_case_seed();
    for (int32_t axis = -3; axis < 6; axis++) {
        bool legacy = axis >= 3;
        int32_t at = legacy ? axis - 3 : axis < 0 ? axis + 3 : axis;
        for (int log_of = 0; log_of < 2; log_of++) {
            struct op_case c;
            op_case_start(&c, log_of ? NMI_OP_LogSoftmax : NMI_OP_Softmax, legacy ? 11 : 13);
            ((struct nmi_axis_attrs *)c.attrs)->axis = legacy ? at : axis;
            op_case_in(&c, NM_F32, 3, dims, NULL);
            ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
            int64_t outer = 1, count = 1, inner = 1;
            for (int32_t d = 0; d < 3; d++) {
                outer *= d < at ? dims[d] : 1;
                count *= d == at || (legacy && d > at) ? dims[d] : 1;
            }
            inner = 1800 / outer / count;
            const float *x = c.in[0].data, *y = op_case_floats(&c, 0);
            for (int64_t i = 0; i < 1800; i++) {
                int64_t first = i / (count * inner) * count * inner + i % inner;
                double sum = 0;
                for (int64_t k = 0; k < count; k++) {
                    sum += exp((double)x[first + k * inner]);
                }
                double want = exp((double)x[i]) / sum;
                ck_assert_double_eq_tol((double)y[i], log_of ? log(want) : want, 2e-6);
            }
            op_case_end(&c);
        }
    }
}
END_TEST

START_TEST(softmax_axis_outside_refused)
{
    static const int64_t bad[] = {INT64_MIN, -3, 2, INT64_MAX};
    for (size_t i = 0; i < NMI_COUNT(bad); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Softmax, 13);
        ((struct nmi_axis_attrs *)c.attrs)->axis = bad[i];
        OP_IN(&c, NULL, 2, 3);
        ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
        op_case_end(&c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("norm");
    TCase *tc = tcase_create("norm");
    tcase_add_test(tc, batchnorm_by_hand);
    tcase_add_test(tc, batchnorm_training_refused);
    tcase_add_test(tc, batchnorm_vector_of_wrong_length_refused);
    tcase_add_test(tc, instancenorm_has_mean_zero_and_variance_one);
    tcase_add_test(tc, layernorm_with_mean_and_deviation);
    tcase_add_test(tc, layernorm_over_all_axes_with_broadcast_scale);
    tcase_add_test(tc, layernorm_scale_that_does_not_fit_refused);
    tcase_add_test(tc, lrn_matches_its_formula);
    tcase_add_test(tc, softmax_by_hand_and_with_large_numbers);
    tcase_add_test(tc, softmax_every_axis_in_both_meanings);
    tcase_add_test(tc, softmax_axis_outside_refused);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
