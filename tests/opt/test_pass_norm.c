/* SPDX-License-Identifier: Apache-2.0 */
/* A layer normalisation in pieces becomes one node, where it is one. */
#include "lib/opt/pass.h"
#include "tests/support/builder.h"

#include <check.h>

static int32_t mean(struct builder *b, int32_t x, int64_t axis)
{
    int32_t y = build_node(b, NMI_OP_ReduceMean, "mean", IDS(x));
    struct nmi_ints *axes = (struct nmi_ints *)(uintptr_t)nmi_opt_attr(&b->g->nodes[b->g->n_nodes - 1], "axes");
    axes->n = 1;
    axes->v[0] = axis;
    return y;
}

/* Everything up to the quotient; the second mean may be of another axis. */
static int32_t normal(struct builder *b, int32_t x, int64_t axis, float power)
{
    int32_t d = build_node(b, NMI_OP_Sub, "sub", IDS(x, mean(b, x, -1)));
    int32_t p = build_node(b, NMI_OP_Pow, "pow", IDS(d, build_scalar(b, power)));
    int32_t v = build_node(b, NMI_OP_Add, "add", IDS(mean(b, p, axis), build_scalar(b, 1e-3f)));
    return build_node(b, NMI_OP_Div, "div", IDS(d, build_node(b, NMI_OP_Sqrt, "sqrt", IDS(v))));
}

static void norm_case(int64_t axis, float power, int64_t length, int32_t nodes)
{
    struct builder b;
    build_begin(&b, 60);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 5));
    int32_t scale = build_random(&b, "scale", DIMS(length)), bias = build_random(&b, "bias", DIMS(5));
    int32_t y = build_node(&b, NMI_OP_Mul, "mul", IDS(scale, normal(&b, x, axis, power)));
    build_output(&b, build_node(&b, NMI_OP_Add, "bias", IDS(y, bias)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_LayerNormalization), nodes == 1);
    ck_assert_int_eq(g->n_nodes, nodes);
    check_same(b.g, g, 3);
    build_end(&b);
}

START_TEST(norm_in_pieces_is_one_node)
{
    norm_case(-1, 2, 5, 1);
    norm_case(2, 2, 5, 1);
}
END_TEST

START_TEST(norm_of_other_axes_powers_or_lengths_stays)
{
    norm_case(1, 2, 5, 9);
    norm_case(-1, 4, 5, 9);
    norm_case(-1, 2, 1, 9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_norm");
    TCase *t = tcase_create("pass_norm");
    tcase_add_test(t, norm_in_pieces_is_one_node);
    tcase_add_test(t, norm_of_other_axes_powers_or_lengths_stays);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
