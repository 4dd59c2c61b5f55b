/* SPDX-License-Identifier: Apache-2.0 */
/* conv + other in one node, without cycles and only where it is a plain sum. */
#include "tests/support/builder.h"

#include <check.h>

START_TEST(residual_of_block_is_one_conv_with_relu)
{
    struct builder b;
    build_begin(&b, 60);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 6, 6));
    int32_t y = build_conv(&b, "conv1", x, (int64_t[]){4, 4, 3}, 1);
    y = build_node(&b, NMI_OP_Relu, "relu1", IDS(build_bn(&b, "bn1", y, 4)));
    y = build_bn(&b, "bn2", build_conv(&b, "conv2", y, (int64_t[]){4, 4, 3}, 1), 4);
    y = build_node(&b, NMI_OP_Add, "add", IDS(y, x));
    build_output(&b, build_node(&b, NMI_OP_Relu, "relu2", IDS(y)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    const struct nmi_conv_attrs *last = g->nodes[1].attrs;
    ck_assert_int_eq(last->residual, 1);
    ck_assert_int_eq(last->act.kind, NMI_ACT_RELU);
    ck_assert_int_eq(g->nodes[1].n_inputs, NMI_CONV_SCALE + 1);
    ck_assert_int_eq(g->nodes[1].inputs[3], g->inputs[0]);
    check_same(b.g, g, 3);
    build_end(&b);
}
END_TEST

START_TEST(residual_of_two_convs_goes_into_the_later)
{
    for (int swap = 0; swap < 2; swap++) {
        struct builder b;
        build_begin(&b, 61);
        int32_t x = build_input(&b, "x", DIMS(-1, 4, 6, 6));
        int32_t p = build_conv(&b, "first", x, (int64_t[]){3, 4, 1}, 0);
        int32_t q = build_conv(&b, "second", x, (int64_t[]){3, 4, 3}, 1);
        build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(swap ? q : p, swap ? p : q)));
        struct nmi_graph *g = optimised(b.g, NULL);
        ck_assert_int_eq(g->n_nodes, 2);
        ck_assert_str_eq(g->nodes[1].name, "second");
        ck_assert_int_eq(g->nodes[1].inputs[2], NMI_NONE);
        check_same(b.g, g, 2);
        build_end(&b);
    }
}
END_TEST

START_TEST(residual_that_is_made_after_the_conv_moves_it)
{
    struct builder b;
    build_begin(&b, 62);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 6, 6));
    int32_t p = build_conv(&b, "conv", x, (int64_t[]){4, 4, 3}, 1);
    int32_t q = build_node(&b, NMI_OP_Tanh, "late", IDS(x));
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(p, q)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    ck_assert_str_eq(g->nodes[1].name, "conv");
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(residual_sums_chain_over_convs)
{
    struct builder b;
    build_begin(&b, 63);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 6, 6)), sum = NMI_NONE;
    for (int i = 0; i < 4; i++) {
        int32_t y = build_conv(&b, "conv", x, (int64_t[]){4, 4, 3}, 1);
        sum = i == 0 ? y : build_node(&b, NMI_OP_Add, "add", IDS(sum, y));
    }
    build_output(&b, sum);
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 4);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(residual_where_it_is_not_plain_stays)
{
    struct builder b;
    build_begin(&b, 64);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 6, 6));
    int32_t one = build_input(&b, "one", DIMS(-1, 4, 1, 1));
    int32_t conv = build_conv(&b, "broadcast", x, (int64_t[]){4, 4, 3}, 1);
    build_output(&b, build_node(&b, NMI_OP_Add, "add1", IDS(conv, one)));
    conv = build_conv(&b, "itself", x, (int64_t[]){4, 4, 3}, 1);
    build_output(&b, build_node(&b, NMI_OP_Add, "add2", IDS(conv, conv)));
    conv = build_conv(&b, "shared", x, (int64_t[]){4, 4, 3}, 1);
    build_output(&b, build_node(&b, NMI_OP_Tanh, "other", IDS(conv)));
    build_output(&b, build_node(&b, NMI_OP_Add, "add3", IDS(conv, x)));
    conv = build_conv(&b, "activated", x, (int64_t[]){4, 4, 3}, 1);
    conv = build_node(&b, NMI_OP_Relu, "relu", IDS(conv));
    build_output(&b, build_node(&b, NMI_OP_Add, "add4", IDS(conv, x)));
    conv = build_conv(&b, "output", x, (int64_t[]){4, 4, 3}, 1);
    build_output(&b, conv);
    build_output(&b, build_node(&b, NMI_OP_Add, "add5", IDS(conv, x)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Add), 5);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(residual_with_different_free_batches_stays)
{
    struct builder b;
    build_begin(&b, 65);
    int32_t x = build_input(&b, "x", DIMS(-2, 4, 6, 6)),
            z = build_input(&b, "z", DIMS(-2, 4, 6, 6));
    int32_t conv = build_conv(&b, "conv", x, (int64_t[]){4, 4, 3}, 1);
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(conv, z)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(residual_with_the_same_nameless_batch_is_fused)
{
    struct builder b;
    build_begin(&b, 66);
    int32_t x = build_input(&b, "x", DIMS(-2, 4, 6, 6));
    int32_t conv = build_conv(&b, "conv", x, (int64_t[]){4, 4, 3}, 1);
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(conv, x)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_residual");
    TCase *t = tcase_create("pass_residual");
    tcase_add_test(t, residual_of_block_is_one_conv_with_relu);
    tcase_add_test(t, residual_of_two_convs_goes_into_the_later);
    tcase_add_test(t, residual_that_is_made_after_the_conv_moves_it);
    tcase_add_test(t, residual_sums_chain_over_convs);
    tcase_add_test(t, residual_where_it_is_not_plain_stays);
    tcase_add_test(t, residual_with_different_free_batches_stays);
    tcase_add_test(t, residual_with_the_same_nameless_batch_is_fused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
