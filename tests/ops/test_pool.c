/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: cases by hand, Indices, bytes, global pooling. */
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

static struct nmi_pool_attrs *start(struct op_case *c, uint16_t op, int64_t kernel, int64_t stride,
                                    int64_t pad)
{
    op_case_start(c, op, 19);
    struct nmi_pool_attrs *a = c->attrs;
    a->kernel_shape = (struct nmi_ints){2, {kernel, kernel}};
    a->strides = (struct nmi_ints){2, {stride, stride}};
    a->pads = (struct nmi_ints){4, {pad, pad, pad, pad}};
    return a;
}

static const float x44[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

START_TEST(maxpool_ceil_and_dilation_by_hand)
{
    struct op_case c;
    start(&c, NMI_OP_MaxPool, 3, 2, 0)->ceil_mode = 1;
    OP_IN(&c, x44, 1, 1, 4, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 11, 12, 15, 16);
    op_case_end(&c);
    start(&c, NMI_OP_MaxPool, 2, 1, 0)->dilations = (struct nmi_ints){2, {2, 2}};
    OP_IN(&c, x44, 1, 1, 4, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 11, 12, 15, 16);
    op_case_end(&c);
}
END_TEST

START_TEST(maxpool_padding_never_wins)
{
    struct op_case c;
    float x[] = {-5, -6, -7, -8};
    start(&c, NMI_OP_MaxPool, 2, 2, 1);
    OP_IN(&c, x, 1, 1, 2, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -5, -6, -7, -8);
    op_case_end(&c);
}
END_TEST

START_TEST(maxpool_indices_in_both_orders)
{
    for (int64_t order = 0; order < 2; order++) {
        struct op_case c;
        float x[] = {1, 9, 3, 2, 7, 6, 8, 5}; /* two planes of 2 x 2 */
        struct nmi_pool_attrs *a = start(&c, NMI_OP_MaxPool, 2, 1, 0);
        a->storage_order = order;
        OP_IN(&c, x, 1, 2, 2, 2);
        ck_assert_int_eq(op_case_run(&c, 2), NM_OK);
        OP_VALUES(&c, 9, 8);
        const int64_t *indices = c.out[1].data;
        ck_assert_int_eq(indices[0], order == 0 ? 1 : 2);
        ck_assert_int_eq(indices[1], order == 0 ? 6 : 5);
        ck_assert_int_eq(c.out_facts[1].type, NM_I64);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(maxpool_indices_and_values_agree_with_the_kernel)
{
    op_case_seed();
    for (int round = 0; round < 100; round++) {
        struct op_case c;
        int64_t k = op_case_random(1, 4);
        struct nmi_pool_attrs *a =
            start(&c, NMI_OP_MaxPool, k, op_case_random(1, 3), op_case_random(0, k - 1));
        a->ceil_mode = op_case_random(0, 1);
        OP_IN(&c, NULL, 2, 2, op_case_random(4, 9), op_case_random(4, 9));
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        const float *plain = op_case_floats(&c, 0);
        ck_assert_int_eq(op_case_run(&c, 2), NM_OK);
        const float *y = op_case_floats(&c, 0), *x = c.in[0].data;
        int64_t count = 4 * c.out[0].dims[2] * c.out[0].dims[3];
        for (int64_t i = 0; i < count; i++) {
            ck_assert_float_eq(plain[i], y[i]);
            ck_assert_float_eq(y[i], x[((const int64_t *)c.out[1].data)[i]]);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(maxpool_of_bytes)
{
    static const uint8_t u8[] = {1, 200, 3, 4};
    static const int8_t i8[] = {-128, -100, -3, -4};
    struct op_case c;
    start(&c, NMI_OP_MaxPool, 2, 1, 0);
    op_case_in(&c, NM_U8, 4, (int64_t[]){1, 1, 2, 2}, u8);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    ck_assert_int_eq(*(uint8_t *)c.out[0].data, 200);
    op_case_end(&c);
    start(&c, NMI_OP_MaxPool, 2, 1, 0);
    op_case_in(&c, NM_I8, 4, (int64_t[]){1, 1, 2, 2}, i8);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    ck_assert_int_eq(*(int8_t *)c.out[0].data, -3);
    op_case_end(&c);
    start(&c, NMI_OP_AveragePool, 2, 1, 0);
    op_case_in(&c, NM_I8, 4, (int64_t[]){1, 1, 2, 2}, i8);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    op_case_end(&c);
}
END_TEST

START_TEST(maxpool_1d_and_3d)
{
    struct op_case c;
    struct nmi_pool_attrs *a = start(&c, NMI_OP_MaxPool, 3, 1, 0);
    a->kernel_shape.n = a->strides.n = 1;
    a->pads.n = 0;
    OP_IN(&c, x44, 2, 2, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2, 2);
    OP_VALUES(&c, 3, 4, 7, 8, 11, 12, 15, 16);
    a->kernel_shape.n = 3;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(c.err.message, "3-D"));
    op_case_end(&c);
}
END_TEST

START_TEST(averagepool_pads_counted_or_not)
{
    struct op_case c;
    float x[] = {4, 8, 12, 16};
    start(&c, NMI_OP_AveragePool, 2, 2, 1);
    OP_IN(&c, x, 1, 1, 2, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 4, 8, 12, 16);
    ((struct nmi_pool_attrs *)c.attrs)->count_include_pad = 1;
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 1, 2, 3, 4);
    op_case_end(&c);
}
END_TEST

/* Cells beyond the padded map, which ceil_mode reaches, never count. */
START_TEST(averagepool_ceil_counts_the_padded_map_only)
{
    struct op_case c;
    start(&c, NMI_OP_AveragePool, 3, 2, 0)->ceil_mode = 1;
    OP_IN(&c, x44, 1, 1, 4, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 6, 7.5f, 12, 13.5f);
    ((struct nmi_pool_attrs *)c.attrs)->count_include_pad = 1;
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 6, 7.5f, 12, 13.5f);
    op_case_end(&c);
}
END_TEST

START_TEST(averagepool_dilated)
{
    struct op_case c;
    start(&c, NMI_OP_AveragePool, 2, 1, 0)->dilations = (struct nmi_ints){2, {2, 2}};
    OP_IN(&c, x44, 1, 1, 4, 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 6, 7, 10, 11);
    op_case_end(&c);
}
END_TEST

START_TEST(global_pools_any_rank)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_GlobalAveragePool, 13);
    OP_IN(&c, x44, 1, 2, 2, 2, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1, 2, 1, 1, 1);
    OP_VALUES(&c, 4.5f, 12.5f);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_GlobalMaxPool, 13);
    OP_IN(&c, x44, 4, 2, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 4, 2, 1);
    OP_VALUES(&c, 2, 4, 6, 8, 10, 12, 14, 16);
    c.facts[0].rank = 2;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    c.facts[0].rank = 3;
    c.facts[0].dims[0] = nmi_dim_symbol(0);
    c.facts[0].dims[2] = NMI_DIM_UNKNOWN;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(0), 2, 1);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("pool");
    tcase_add_test(tc, maxpool_ceil_and_dilation_by_hand);
    tcase_add_test(tc, maxpool_padding_never_wins);
    tcase_add_test(tc, maxpool_indices_in_both_orders);
    tcase_add_test(tc, maxpool_indices_and_values_agree_with_the_kernel);
    tcase_add_test(tc, maxpool_of_bytes);
    tcase_add_test(tc, maxpool_1d_and_3d);
    tcase_add_test(tc, averagepool_pads_counted_or_not);
    tcase_add_test(tc, averagepool_ceil_counts_the_padded_map_only);
    tcase_add_test(tc, averagepool_dilated);
    tcase_add_test(tc, global_pools_any_rank);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
