/* SPDX-License-Identifier: Apache-2.0 */
/* Scales and shifts of channels go into weights; what cannot, stays. */
#include "tests/support/builder.h"

#include <check.h>

#define X DIMS(-1, 4, 6, 5)

START_TEST(bn_after_conv_goes_into_it)
{
    for (int pad = 0; pad < 2; pad++) {
        struct builder b;
        build_begin(&b, 1);
        int32_t x = build_input(&b, "x", X);
        int32_t y = build_conv(&b, "conv", x, (int64_t[]){3, 4, 3}, pad);
        build_output(&b, build_bn(&b, "bn", y, 3));
        struct nmi_graph *g = optimised(b.g, "infer bn dead");
        ck_assert_int_eq(g->n_nodes, 1);
        ck_assert_str_eq(g->nodes[0].name, "conv");
        check_same(b.g, g, 2);
        build_end(&b);
    }
}
END_TEST

START_TEST(bn_after_grouped_conv_with_bias_goes_into_it)
{
    struct builder b;
    build_begin(&b, 2);
    int32_t x = build_input(&b, "x", X);
    int32_t w = build_random(&b, "w", DIMS(6, 2, 1, 2)), bias = build_random(&b, "b", DIMS(6));
    int32_t y = build_node(&b, NMI_OP_Conv, "conv", IDS(x, w, bias));
    ((struct nmi_conv_attrs *)build_attrs(&b))->group = 2;
    build_output(&b, build_bn(&b, "bn", y, 6));
    struct nmi_graph *g = optimised(b.g, "infer bn dead");
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(bn_after_grouped_transposed_conv_goes_into_it)
{
    struct builder b;
    build_begin(&b, 3);
    int32_t x = build_input(&b, "x", X);
    int32_t w = build_random(&b, "w", DIMS(4, 3, 2, 2));
    int32_t y = build_node(&b, NMI_OP_ConvTranspose, "deconv", IDS(x, w));
    ((struct nmi_conv_attrs *)build_attrs(&b))->group = 2;
    build_output(&b, build_bn(&b, "bn", y, 6));
    struct nmi_graph *g = optimised(b.g, "infer bn dead");
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(bn_after_gemm_either_way_round_goes_into_it)
{
    for (int64_t trans = 0; trans < 2; trans++) {
        struct builder b;
        build_begin(&b, 4);
        int32_t x = build_input(&b, "x", DIMS(-1, 5));
        int32_t w = build_random(&b, "w", DIMS(trans ? 7 : 5, trans ? 5 : 7));
        int32_t bias = build_random(&b, "b", DIMS(1, 7));
        int32_t y = build_node(&b, NMI_OP_Gemm, "gemm", IDS(x, w, bias));
        struct nmi_gemm_attrs *gemm = build_attrs(&b);
        gemm->alpha = 0.5f;
        gemm->beta = 2;
        gemm->trans_b = trans;
        build_output(&b, build_bn(&b, "bn", y, 7));
        struct nmi_graph *g = optimised(b.g, "infer bn dead");
        ck_assert_int_eq(g->n_nodes, 1);
        check_same(b.g, g, 3);
        build_end(&b);
    }
}
END_TEST

START_TEST(bn_after_conv_keeps_source_and_zeros)
{
    struct builder b;
    build_begin(&b, 5);
    int32_t x = build_input(&b, "x", DIMS(1, 2, 3, 3));
    int32_t w = build_floats(&b, "w", DIMS(2, 2, 1, 1), (float[]){0, 1, -0.0f, 2});
    int32_t y = build_node(&b, NMI_OP_Conv, "conv", IDS(x, w));
    build_output(&b, build_bn(&b, "bn", y, 2));
    struct nmi_graph *g = optimised(b.g, NULL);
    const struct nmi_constant *c = nmi_graph_constant(g, find_node(g, NMI_OP_Conv)->inputs[1]);
    ck_assert_int_eq(c->source, w);
    const float *v = c->data;
    ck_assert(v[0] == 0 && v[1] != 0 && v[2] == 0 && v[3] != 0);
    check_same(b.g, g, 1);
    build_end(&b);
}
END_TEST

START_TEST(bn_behind_a_shared_conv_stays)
{
    struct builder b;
    build_begin(&b, 6);
    int32_t x = build_input(&b, "x", X);
    int32_t y = build_conv(&b, "conv", x, (int64_t[]){3, 4, 1}, 0);
    build_output(&b, build_bn(&b, "bn", y, 3));
    build_output(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(y)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_BatchNormalization), 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(bn_behind_an_output_stays)
{
    struct builder b;
    build_begin(&b, 7);
    int32_t x = build_input(&b, "x", X);
    int32_t y = build_conv(&b, "conv", x, (int64_t[]){3, 4, 1}, 0);
    build_output(&b, y);
    build_output(&b, build_bn(&b, "bn", y, 3));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(bn_that_is_not_finite_stays)
{
    struct builder b;
    build_begin(&b, 8);
    int32_t x = build_input(&b, "x", X);
    int32_t y = build_conv(&b, "conv", x, (int64_t[]){1, 4, 1}, 0);
    int32_t one = build_floats(&b, "one", DIMS(1), (float[]){1});
    int32_t var = build_floats(&b, "var", DIMS(1), (float[]){-1});
    build_output(&b, build_node(&b, NMI_OP_BatchNormalization, "bn", IDS(y, one, one, one, var)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    nmi_graph_free(g);
    build_end(&b);
}
END_TEST

START_TEST(bn_before_an_unpadded_conv_goes_into_it)
{
    struct builder b;
    build_begin(&b, 9);
    int32_t x = build_input(&b, "x", X);
    int32_t w = build_random(&b, "w", DIMS(6, 2, 3, 3));
    int32_t y = build_node(&b, NMI_OP_Conv, "conv", IDS(build_bn(&b, "bn", x, 4), w));
    ((struct nmi_conv_attrs *)build_attrs(&b))->group = 2;
    build_output(&b, y);
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(bn_before_a_padded_conv_stays)
{
    for (int same = 0; same < 2; same++) {
        struct builder b;
        build_begin(&b, 10);
        int32_t x = build_input(&b, "x", X);
        int32_t y =
            build_conv(&b, "conv", build_bn(&b, "bn", x, 4), (int64_t[]){3, 4, 3}, 1 - same);
        ((struct nmi_conv_attrs *)build_attrs(&b))->auto_pad = same ? NMI_PAD_SAME_UPPER : 0;
        build_output(&b, y);
        struct nmi_graph *g = optimised(b.g, NULL);
        ck_assert_int_eq(g->n_nodes, 2);
        check_same(b.g, g, 2);
        build_end(&b);
    }
}
END_TEST

START_TEST(bn_before_a_padded_conv_without_shift_goes_into_it)
{
    struct builder b;
    build_begin(&b, 11);
    int32_t x = build_input(&b, "x", X);
    int32_t zero = build_floats(&b, "zero", DIMS(4), (float[4]){0});
    int32_t scale = build_random(&b, "scale", DIMS(4)), var = build_positive(&b, "var", DIMS(4));
    int32_t y = build_node(&b, NMI_OP_BatchNormalization, "bn", IDS(x, scale, zero, zero, var));
    build_output(&b, build_conv(&b, "conv", y, (int64_t[]){3, 4, 3}, 1));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(bn_chain_around_convs_all_goes)
{
    struct builder b;
    build_begin(&b, 12);
    int32_t x = build_input(&b, "x", X);
    int32_t y = build_bn(&b, "bn1", build_bn(&b, "bn0", x, 4), 4);
    y = build_conv(&b, "conv1", y, (int64_t[]){3, 4, 1}, 0);
    y = build_bn(&b, "bn3", build_bn(&b, "bn2", y, 3), 3);
    build_output(&b, build_conv(&b, "conv2", y, (int64_t[]){2, 3, 3}, 1));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Conv), 2);
    ck_assert_int_le(g->n_nodes, 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(arithmetic_per_channel_goes_into_conv)
{
    struct builder b;
    build_begin(&b, 13);
    int32_t x = build_input(&b, "x", X);
    int32_t y = build_conv(&b, "conv", x, (int64_t[]){3, 4, 3}, 1);
    int32_t c = build_positive(&b, "c", DIMS(1, 3, 1, 1)),
            d = build_positive(&b, "d", DIMS(3, 1, 1));
    y = build_node(&b, NMI_OP_Mul, "mul", IDS(c, y));
    y = build_node(&b, NMI_OP_Add, "add", IDS(y, d));
    y = build_node(&b, NMI_OP_Div, "div", IDS(y, build_scalar(&b, 3)));
    build_output(&b, build_node(&b, NMI_OP_Sub, "sub", IDS(y, c)));
    struct nmi_graph *g = optimised(b.g, "infer bn dead");
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(arithmetic_that_is_not_per_channel_stays)
{
    struct builder b;
    build_begin(&b, 14);
    int32_t x = build_input(&b, "x", X);
    int32_t row = build_random(&b, "row", DIMS(5)),
            big = build_random(&b, "big", DIMS(2, 1, 1, 1, 1));
    const struct {
        uint16_t op;
        bool swap;
        int32_t c;
    } cases[] = {{NMI_OP_Add, false, row},
                 {NMI_OP_Mul, true, big},
                 {NMI_OP_Sub, true, build_scalar(&b, 1)},
                 {NMI_OP_Div, true, build_scalar(&b, 1)},
                 {NMI_OP_Div, false, build_scalar(&b, 0)}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        int32_t y = build_conv(&b, "conv", x, (int64_t[]){3, 4, 3}, 1), c = cases[i].c;
        build_output(&b, cases[i].swap ? build_node(&b, cases[i].op, "op", IDS(c, y))
                                       : build_node(&b, cases[i].op, "op", IDS(y, c)));
    }
    struct nmi_graph *g = optimised(b.g, "infer bn dead");
    ck_assert_int_eq(g->n_nodes, b.g->n_nodes);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_bn");
    TCase *t = tcase_create("pass_bn");
    tcase_add_test(t, bn_after_conv_goes_into_it);
    tcase_add_test(t, bn_after_grouped_conv_with_bias_goes_into_it);
    tcase_add_test(t, bn_after_grouped_transposed_conv_goes_into_it);
    tcase_add_test(t, bn_after_gemm_either_way_round_goes_into_it);
    tcase_add_test(t, bn_after_conv_keeps_source_and_zeros);
    tcase_add_test(t, bn_behind_a_shared_conv_stays);
    tcase_add_test(t, bn_behind_an_output_stays);
    tcase_add_test(t, bn_that_is_not_finite_stays);
    tcase_add_test(t, bn_before_an_unpadded_conv_goes_into_it);
    tcase_add_test(t, bn_before_a_padded_conv_stays);
    tcase_add_test(t, bn_before_a_padded_conv_without_shift_goes_into_it);
    tcase_add_test(t, bn_chain_around_convs_all_goes);
    tcase_add_test(t, arithmetic_per_channel_goes_into_conv);
    tcase_add_test(t, arithmetic_that_is_not_per_channel_stays);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
