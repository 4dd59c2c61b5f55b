/* SPDX-License-Identifier: Apache-2.0 */
/* Activations and their patterns go into the node before, when it has no other reader. */
#include "tests/support/builder.h"

#include <check.h>

static int32_t start(struct builder *b, uint64_t seed)
{
    build_begin(b, seed);
    int32_t x = build_input(b, "x", DIMS(-1, 4, 5, 5));
    return build_conv(b, "conv", x, (int64_t[]){8, 4, 3}, 1);
}

/* Checks that all is one Conv with this activation (or NMI_ACT_NONE: that nothing was fused). */
static void finish(struct builder *b, int32_t y, int32_t kind)
{
    build_output(b, y);
    struct nmi_graph *g = optimised(b->g, "infer act dead");
    const struct nmi_conv_attrs *conv = find_node(g, NMI_OP_Conv)->attrs;
    ck_assert_int_eq(conv->act.kind, kind);
    ck_assert_int_eq(g->n_nodes, kind == NMI_ACT_NONE ? b->g->n_nodes : 1);
    check_same(b->g, g, 2);
    build_end(b);
}

START_TEST(act_of_one_node_is_fused)
{
    const struct {
        uint16_t op;
        int32_t kind;
    } cases[] = {{NMI_OP_Relu, NMI_ACT_RELU},
                 {NMI_OP_LeakyRelu, NMI_ACT_LEAKY},
                 {NMI_OP_Sigmoid, NMI_ACT_SIGMOID},
                 {NMI_OP_HardSwish, NMI_ACT_HARDSWISH}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct builder b;
        int32_t y = start(&b, 20 + i);
        b.opset = 14;
        finish(&b, build_node(&b, cases[i].op, "act", IDS(y)), cases[i].kind);
    }
}
END_TEST

START_TEST(act_without_a_field_stays)
{
    const uint16_t ops[] = {NMI_OP_Tanh, NMI_OP_HardSigmoid, NMI_OP_Elu, NMI_OP_Softplus};
    for (size_t i = 0; i < NMI_COUNT(ops); i++) {
        struct builder b;
        int32_t y = start(&b, 30 + i);
        finish(&b, build_node(&b, ops[i], "act", IDS(y)), NMI_ACT_NONE);
    }
}
END_TEST

START_TEST(act_clip_with_constant_bounds_is_fused)
{
    struct builder b;
    int32_t y = start(&b, 40), lo = build_scalar(&b, -0.25f), hi = build_scalar(&b, 0.5f);
    finish(&b, build_node(&b, NMI_OP_Clip, "clip", IDS(y, lo, hi)), NMI_ACT_CLIP);
}
END_TEST

START_TEST(act_clip_from_zero_is_relu)
{
    struct builder b;
    int32_t y = start(&b, 41), lo = build_scalar(&b, 0);
    finish(&b, build_node(&b, NMI_OP_Clip, "clip", IDS(y, lo)), NMI_ACT_RELU);
}
END_TEST

START_TEST(act_clip_with_computed_bound_stays)
{
    struct builder b;
    int32_t y = start(&b, 42);
    int32_t lo = build_input(&b, "lo", 0, NULL);
    finish(&b, build_node(&b, NMI_OP_Clip, "clip", IDS(y, lo)), NMI_ACT_NONE);
}
END_TEST

START_TEST(act_swish_either_order_is_fused)
{
    for (int swap = 0; swap < 2; swap++) {
        struct builder b;
        int32_t y = start(&b, 43), s = build_node(&b, NMI_OP_Sigmoid, "sigmoid", IDS(y));
        int32_t out = build_node(&b, NMI_OP_Mul, "mul", IDS(swap ? s : y, swap ? y : s));
        finish(&b, out, NMI_ACT_SWISH);
    }
}
END_TEST

START_TEST(act_hard_swish_of_hard_sigmoid_is_fused)
{
    struct builder b;
    int32_t y = start(&b, 44), s = build_node(&b, NMI_OP_HardSigmoid, "hs", IDS(y));
    ((struct nmi_alpha_attrs *)build_attrs(&b))->alpha = 1.0f / 6;
    finish(&b, build_node(&b, NMI_OP_Mul, "mul", IDS(y, s)), NMI_ACT_HARDSWISH);
}
END_TEST

START_TEST(act_product_with_other_hard_sigmoid_stays)
{
    struct builder b;
    int32_t y = start(&b, 45), s = build_node(&b, NMI_OP_HardSigmoid, "hs", IDS(y));
    finish(&b, build_node(&b, NMI_OP_Mul, "mul", IDS(y, s)), NMI_ACT_NONE);
}
END_TEST

static int32_t relu6(struct builder *b, int32_t y)
{
    int32_t three = build_scalar(b, 3), zero = build_scalar(b, 0), six = build_scalar(b, 6);
    int32_t a = build_node(b, NMI_OP_Add, "add", IDS(y, three));
    return build_node(b, NMI_OP_Clip, "clip", IDS(a, zero, six));
}

START_TEST(act_hard_swish_in_pieces_is_fused)
{
    struct builder b;
    int32_t y = start(&b, 46), r = relu6(&b, y), six = build_scalar(&b, 6);
    int32_t d = build_node(&b, NMI_OP_Div, "div", IDS(r, six));
    finish(&b, build_node(&b, NMI_OP_Mul, "mul", IDS(y, d)), NMI_ACT_HARDSWISH);
    y = start(&b, 47);
    int32_t p = build_node(&b, NMI_OP_Mul, "mul", IDS(y, relu6(&b, y)));
    finish(&b, build_node(&b, NMI_OP_Div, "div", IDS(p, build_scalar(&b, 6))), NMI_ACT_HARDSWISH);
    y = start(&b, 48);
    p = build_node(&b, NMI_OP_Mul, "mul", IDS(relu6(&b, y), y));
    int32_t sixth = build_scalar(&b, 1.0f / 6);
    finish(&b, build_node(&b, NMI_OP_Mul, "sixth", IDS(sixth, p)), NMI_ACT_HARDSWISH);
}
END_TEST

static int32_t one_plus_erf(struct builder *b, int32_t y, float root)
{
    int32_t d = build_node(b, NMI_OP_Div, "root", IDS(y, build_scalar(b, root)));
    int32_t e = build_node(b, NMI_OP_Erf, "erf", IDS(d));
    return build_node(b, NMI_OP_Add, "one", IDS(e, build_scalar(b, 1)));
}

START_TEST(act_gelu_in_pieces_is_fused)
{
    struct builder b;
    int32_t y = start(&b, 51), half = build_scalar(&b, 0.5f);
    int32_t p = build_node(&b, NMI_OP_Mul, "mul", IDS(y, one_plus_erf(&b, y, 1.41421356f)));
    finish(&b, build_node(&b, NMI_OP_Mul, "half", IDS(p, half)), NMI_ACT_GELU);
    y = start(&b, 52);
    int32_t e = one_plus_erf(&b, y, 1.41421356f), two = build_scalar(&b, 2);
    int32_t h = build_node(&b, NMI_OP_Div, "half", IDS(e, two));
    finish(&b, build_node(&b, NMI_OP_Mul, "mul", IDS(h, y)), NMI_ACT_GELU);
}
END_TEST

START_TEST(act_gelu_with_other_numbers_stays)
{
    struct builder b;
    int32_t y = start(&b, 53), half = build_scalar(&b, 0.5f);
    int32_t p = build_node(&b, NMI_OP_Mul, "mul", IDS(y, one_plus_erf(&b, y, 1.5f)));
    finish(&b, build_node(&b, NMI_OP_Mul, "half", IDS(p, half)), NMI_ACT_NONE);
    y = start(&b, 54);
    int32_t sixth = build_scalar(&b, 1.0f / 6);
    p = build_node(&b, NMI_OP_Mul, "mul", IDS(y, one_plus_erf(&b, y, 1.41421356f)));
    finish(&b, build_node(&b, NMI_OP_Mul, "sixth", IDS(p, sixth)), NMI_ACT_NONE);
}
END_TEST

START_TEST(act_hard_swish_without_the_sixth_stays)
{
    struct builder b;
    int32_t y = start(&b, 49), r = relu6(&b, y);
    finish(&b, build_node(&b, NMI_OP_Mul, "mul", IDS(y, r)), NMI_ACT_NONE);
    y = start(&b, 50);
    int32_t p = build_node(&b, NMI_OP_Mul, "mul", IDS(y, relu6(&b, y)));
    finish(&b, build_node(&b, NMI_OP_Div, "div", IDS(build_scalar(&b, 6), p)), NMI_ACT_NONE);
}
END_TEST

START_TEST(act_of_a_shared_sum_stays)
{
    struct builder b;
    int32_t y = start(&b, 51);
    build_output(&b, build_node(&b, NMI_OP_Tanh, "other", IDS(y)));
    finish(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(y)), NMI_ACT_NONE);
    y = start(&b, 52);
    build_output(&b, y);
    finish(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(y)), NMI_ACT_NONE);
    y = start(&b, 53);
    int32_t s = build_node(&b, NMI_OP_Sigmoid, "sigmoid", IDS(y));
    build_output(&b, s);
    finish(&b, build_node(&b, NMI_OP_Mul, "mul", IDS(y, s)), NMI_ACT_NONE);
}
END_TEST

START_TEST(act_behind_an_act_stays)
{
    struct builder b;
    int32_t y = build_node(&b, NMI_OP_Relu, "relu", IDS(start(&b, 54)));
    build_output(&b, build_node(&b, NMI_OP_Sigmoid, "sigmoid", IDS(y)));
    struct nmi_graph *g = optimised(b.g, "infer act dead");
    ck_assert_int_eq(count_nodes(g, NMI_OP_Sigmoid), 1);
    ck_assert_int_eq(g->n_nodes, 2);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(act_of_other_products_is_fused)
{
    const uint16_t ops[] = {NMI_OP_Gemm, NMI_OP_MatMul, NMI_OP_ConvTranspose};
    for (size_t i = 0; i < NMI_COUNT(ops); i++) {
        struct builder b;
        build_begin(&b, 55);
        bool image = ops[i] == NMI_OP_ConvTranspose;
        int32_t x = build_input(&b, "x", image ? 4 : 2, (int64_t[]){-1, 6, 3, 3});
        int32_t w = build_random(&b, "w", image ? 4 : 2, (int64_t[]){6, 4, 2, 2});
        int32_t y = build_node(&b, ops[i], "sum", IDS(x, w));
        build_output(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(y)));
        struct nmi_graph *g = optimised(b.g, "infer act dead");
        ck_assert_int_eq(g->n_nodes, 1);
        ck_assert_str_eq(g->nodes[0].name, "sum");
        check_same(b.g, g, 2);
        build_end(&b);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_act");
    TCase *t = tcase_create("pass_act");
    tcase_add_test(t, act_of_one_node_is_fused);
    tcase_add_test(t, act_without_a_field_stays);
    tcase_add_test(t, act_clip_with_constant_bounds_is_fused);
    tcase_add_test(t, act_clip_from_zero_is_relu);
    tcase_add_test(t, act_clip_with_computed_bound_stays);
    tcase_add_test(t, act_swish_either_order_is_fused);
    tcase_add_test(t, act_hard_swish_of_hard_sigmoid_is_fused);
    tcase_add_test(t, act_product_with_other_hard_sigmoid_stays);
    tcase_add_test(t, act_hard_swish_in_pieces_is_fused);
    tcase_add_test(t, act_gelu_in_pieces_is_fused);
    tcase_add_test(t, act_gelu_with_other_numbers_stays);
    tcase_add_test(t, act_hard_swish_without_the_sixth_stays);
    tcase_add_test(t, act_of_a_shared_sum_stays);
    tcase_add_test(t, act_behind_an_act_stays);
    tcase_add_test(t, act_of_other_products_is_fused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
