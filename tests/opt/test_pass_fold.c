/* SPDX-License-Identifier: Apache-2.0 */
/* Constants are computed once; shape arithmetic with a free batch goes. */
#include "lib/opt/opt.h"
#include "tests/support/builder.h"

#include <check.h>
#include <string.h>

/* Shape, Gather of element `at`, Unsqueeze: how exporters write x.size(at). */
static int32_t size_of(struct builder *b, int32_t x, int64_t at)
{
    int32_t shape = build_node(b, NMI_OP_Shape, "shape", IDS(x));
    int32_t index = build_ints(b, 1, &at), axes = build_ints(b, 1, (int64_t[]){0});
    b->g->values[index].rank = b->g->constants[b->g->values[index].constant].rank = 0;
    int32_t size = build_node(b, NMI_OP_Gather, "gather", IDS(shape, index));
    return build_node(b, NMI_OP_Unsqueeze, "unsqueeze", IDS(size, axes));
}

static int32_t concat(struct builder *b, int32_t n, const int32_t *in)
{
    return build_node(b, NMI_OP_Concat, "concat", n, in);
}

START_TEST(fold_of_constants_leaves_their_value)
{
    struct builder b;
    build_begin(&b, 100);
    int32_t p = build_random(&b, "p", DIMS(2, 3)), q = build_random(&b, "q", DIMS(3));
    int32_t x = build_input(&b, "x", DIMS(-1, 3));
    int32_t sum = build_node(&b, NMI_OP_Add, "sum", IDS(p, q));
    build_output(&b, sum);
    build_output(&b, build_node(&b, NMI_OP_MatMul, "out",
                                IDS(x, build_node(&b, NMI_OP_Transpose, "t", IDS(sum)))));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    ck_assert_int_ne(g->values[g->outputs[0]].constant, NMI_NONE);
    ck_assert_int_eq(nmi_graph_constant(g, g->nodes[0].inputs[1])->source, NMI_NONE);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(fold_of_other_dims_keeps_source)
{
    struct builder b;
    build_begin(&b, 101);
    int32_t x = build_input(&b, "x", DIMS(-1, 3)), w = build_random(&b, "w", DIMS(12));
    int32_t shape = build_ints(&b, 2, (int64_t[]){3, 4});
    int32_t r = build_node(&b, NMI_OP_Reshape, "r", IDS(w, shape));
    build_output(&b, build_node(&b, NMI_OP_MatMul, "out",
                                IDS(x, build_node(&b, NMI_OP_Identity, "same", IDS(r)))));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    ck_assert_int_eq(nmi_graph_constant(g, g->nodes[0].inputs[1])->source, w);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(fold_reshape_tail_with_free_batch_vanishes)
{
    struct builder b;
    build_begin(&b, 102);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 3, 2));
    int32_t rest = build_ints(&b, 1, (int64_t[]){-1});
    int32_t shape = concat(&b, IDS(size_of(&b, x, 0), rest));
    build_output(&b, build_node(&b, NMI_OP_Reshape, "flat", IDS(x, shape)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    ck_assert_int_eq(g->nodes[0].op, NMI_OP_Reshape);
    check_same(b.g, g, 5);
    build_end(&b);
}
END_TEST

START_TEST(fold_reshape_that_moves_the_batch_uses_the_rest)
{
    struct builder b;
    build_begin(&b, 103);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 6));
    int32_t two = build_ints(&b, 2, (int64_t[]){2, 12});
    int32_t shape = concat(&b, IDS(two, size_of(&b, x, 0)));
    build_output(&b, build_node(&b, NMI_OP_Reshape, "r", IDS(x, shape)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 3);
    build_end(&b);
}
END_TEST

START_TEST(fold_reshape_of_two_free_dims_stays)
{
    struct builder b;
    build_begin(&b, 104);
    int32_t x = build_input(&b, "x", DIMS(-2, -2, 6));
    int32_t six = build_ints(&b, 1, (int64_t[]){6});
    int32_t shape = concat(&b, IDS(size_of(&b, x, 1), six, size_of(&b, x, 0)));
    build_output(&b, build_node(&b, NMI_OP_Reshape, "r", IDS(x, shape)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_gt(g->n_nodes, 1);
    check_same(b.g, g, 3);
    build_end(&b);
}
END_TEST

START_TEST(fold_expand_to_the_free_batch_vanishes)
{
    struct builder b;
    build_begin(&b, 105);
    int32_t x = build_input(&b, "x", DIMS(-1, 1, 3));
    int32_t rest = build_ints(&b, 2, (int64_t[]){4, 3});
    int32_t shape = concat(&b, IDS(size_of(&b, x, 0), rest));
    build_output(&b, build_node(&b, NMI_OP_Expand, "expand", IDS(x, shape)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 1);
    check_same(b.g, g, 3);
    build_end(&b);
}
END_TEST

START_TEST(fold_expand_of_a_constant_to_the_batch_stays)
{
    struct builder b;
    build_begin(&b, 106);
    int32_t x = build_input(&b, "x", DIMS(-1, 2));
    int32_t token = build_random(&b, "token", DIMS(1, 3));
    int32_t three = build_ints(&b, 1, (int64_t[]){3});
    int32_t shape = concat(&b, IDS(size_of(&b, x, 0), three));
    build_output(&b, build_node(&b, NMI_OP_Expand, "expand", IDS(token, shape)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Expand), 1);
    check_same(b.g, g, 3);
    build_end(&b);
}
END_TEST

START_TEST(fold_beyond_the_budget_stops_without_failing)
{
    struct builder b;
    build_begin(&b, 107);
    int32_t p = build_random(&b, "p", DIMS(600, 600)), q = build_random(&b, "q", DIMS(600, 1));
    int32_t x = build_input(&b, "x", DIMS(-1, 600));
    int32_t sum = build_node(&b, NMI_OP_Add, "sum", IDS(p, q)); /* 1.4 MB: folded_bytes is 1 MiB */
    build_output(&b, build_node(&b, NMI_OP_MatMul, "out", IDS(x, sum)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    check_same(b.g, g, 1);
    build_end(&b);
}
END_TEST

START_TEST(infer_with_shapes_that_do_not_fit_names_the_node)
{
    struct builder b;
    build_begin(&b, 108);
    int32_t x = build_input(&b, "x", DIMS(-1, 3, 5, 5));
    build_output(&b, build_conv(&b, "odd one", x, (int64_t[]){2, 4, 3}, 0));
    nm_limits limits = {.load_work = 1000000, .folded_bytes = 1 << 20};
    nm_error err = {0};
    ck_assert_int_eq(nmi_optimize(b.g, &limits, NULL, &err), NM_ESHAPE);
    ck_assert_ptr_nonnull(strstr(err.message, "odd one"));
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_fold");
    TCase *t = tcase_create("pass_fold");
    tcase_add_test(t, fold_of_constants_leaves_their_value);
    tcase_add_test(t, fold_of_other_dims_keeps_source);
    tcase_add_test(t, fold_reshape_tail_with_free_batch_vanishes);
    tcase_add_test(t, fold_reshape_that_moves_the_batch_uses_the_rest);
    tcase_add_test(t, fold_reshape_of_two_free_dims_stays);
    tcase_add_test(t, fold_expand_to_the_free_batch_vanishes);
    tcase_add_test(t, fold_expand_of_a_constant_to_the_batch_stays);
    tcase_add_test(t, fold_beyond_the_budget_stops_without_failing);
    tcase_add_test(t, infer_with_shapes_that_do_not_fit_names_the_node);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
