/* SPDX-License-Identifier: Apache-2.0 */
/* MatMul and Add of a row become Gemm where they are of rank 2, else one MatMul. */
#include "tests/support/builder.h"

#include <check.h>

START_TEST(matmul_and_add_of_rank_2_is_gemm)
{
    for (int swap = 0; swap < 2; swap++) {
        struct builder b;
        build_begin(&b, 70);
        int32_t x = build_input(&b, "x", DIMS(-1, 5));
        int32_t w = build_random(&b, "w", DIMS(5, 3)), c = build_random(&b, "c", DIMS(3));
        int32_t y = build_node(&b, NMI_OP_MatMul, "fc", IDS(x, w));
        y = build_node(&b, NMI_OP_Add, "add", IDS(swap ? c : y, swap ? y : c));
        build_output(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(y)));
        struct nmi_graph *g = optimised(b.g, NULL);
        ck_assert_int_eq(g->n_nodes, 1);
        ck_assert_int_eq(g->nodes[0].op, NMI_OP_Gemm);
        ck_assert_str_eq(g->nodes[0].name, "fc");
        ck_assert_int_eq(nmi_graph_constant(g, g->nodes[0].inputs[1])->source, w);
        check_same(b.g, g, 4);
        build_end(&b);
    }
}
END_TEST

START_TEST(matmul_of_other_ranks_takes_the_row)
{
    struct builder b;
    build_begin(&b, 72);
    int32_t x = build_input(&b, "x", DIMS(-1, 2, 5)), w = build_random(&b, "w", DIMS(5, 3));
    int32_t y = build_node(&b, NMI_OP_MatMul, "fc", IDS(x, w));
    y = build_node(&b, NMI_OP_Add, "add", IDS(build_random(&b, "c", DIMS(3)), y));
    build_output(&b, build_node(&b, NMI_OP_Sigmoid, "act", IDS(y)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    ck_assert_int_eq(g->nodes[0].op, NMI_OP_MatMul);
    ck_assert_int_eq(g->nodes[0].n_inputs, 3);
    check_same(b.g, g, 4);
    build_end(&b);
}
END_TEST

START_TEST(matmul_of_other_sums_stays)
{
    struct builder b;
    build_begin(&b, 71);
    int32_t x3 = build_input(&b, "x3", DIMS(-1, 2, 5)), x = build_input(&b, "x", DIMS(-1, 5));
    int32_t row = build_random(&b, "row", DIMS(1, 3));
    int32_t v = build_input(&b, "v", DIMS(5, 3));
    int32_t w = build_random(&b, "w", DIMS(5, 3)), c = build_random(&b, "c", DIMS(3));
    int32_t column = build_random(&b, "column", DIMS(2, 1, 3));
    int32_t y = build_node(&b, NMI_OP_MatMul, "rank3", IDS(x3, w));
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(y, row)));
    y = build_node(&b, NMI_OP_MatMul, "input", IDS(x, v));
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(y, c)));
    y = build_node(&b, NMI_OP_MatMul, "grows", IDS(x, w));
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(y, column)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_MatMul), 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_gemm");
    TCase *t = tcase_create("pass_gemm");
    tcase_add_test(t, matmul_and_add_of_rank_2_is_gemm);
    tcase_add_test(t, matmul_of_other_ranks_takes_the_row);
    tcase_add_test(t, matmul_of_other_sums_stays);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
