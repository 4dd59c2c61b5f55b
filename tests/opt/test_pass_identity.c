/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that change nothing go; names of outputs stay. */
#include "tests/support/builder.h"

#include <check.h>

/* x -> relu0 -> y -> Tanh, where y is made of relu0 by the node under test. */
static struct nmi_graph *between(struct builder *b, int32_t y)
{
    build_output(b, build_node(b, NMI_OP_Tanh, "tanh", IDS(y)));
    return optimised(b->g, "infer identity dead");
}

static int32_t start(struct builder *b, uint64_t seed)
{
    build_begin(b, seed);
    int32_t x = build_input(b, "x", DIMS(-1, 3, 4, 4));
    return build_node(b, NMI_OP_Relu, "relu0", IDS(x));
}

static void expect(struct builder *b, int32_t y, int32_t nodes)
{
    struct nmi_graph *g = between(b, y);
    ck_assert_int_eq(g->n_nodes, nodes);
    check_same(b->g, g, 2);
    build_end(b);
}

START_TEST(identity_of_every_kind_goes)
{
    const uint16_t ops[] = {NMI_OP_Identity, NMI_OP_Dropout, NMI_OP_Concat, NMI_OP_Relu};
    struct builder b;
    for (size_t i = 0; i < NMI_COUNT(ops); i++) {
        int32_t x = start(&b, 110 + i);
        expect(&b, build_node(&b, ops[i], "node", IDS(x)), 2);
    }
    int32_t x = start(&b, 114);
    int32_t pads = build_ints(&b, 8, (int64_t[8]){0});
    expect(&b, build_node(&b, NMI_OP_Pad, "pad", IDS(x, pads)), 2);
    x = start(&b, 115);
    int32_t shape = build_ints(&b, 4, (int64_t[]){0, 3, 4, -1});
    expect(&b, build_node(&b, NMI_OP_Reshape, "reshape", IDS(x, shape)), 2);
}
END_TEST

static int32_t transpose(struct builder *b, int32_t x, struct nmi_ints perm)
{
    int32_t y = build_node(b, NMI_OP_Transpose, "transpose", IDS(x));
    const struct nmi_attr *attr = nmi_ops[NMI_OP_Transpose]->attr;
    *(struct nmi_ints *)(void *)((char *)build_attrs(b) + attr->offset) = perm; /* its only one */
    return y;
}

START_TEST(identity_transpose_goes_and_others_stay)
{
    struct builder b;
    int32_t x = start(&b, 116);
    expect(&b, transpose(&b, x, (struct nmi_ints){4, {0, 1, 2, 3}}), 2);
    x = start(&b, 117);
    expect(&b, transpose(&b, x, (struct nmi_ints){4, {0, 1, 3, 2}}), 3);
    x = start(&b, 118);
    expect(&b, transpose(&b, x, (struct nmi_ints){.n = 0}), 3);
}
END_TEST

START_TEST(identity_reshape_to_other_dims_stays)
{
    struct builder b;
    int32_t x = start(&b, 119);
    int32_t shape = build_ints(&b, 4, (int64_t[]){0, 4, 3, 4});
    expect(&b, build_node(&b, NMI_OP_Reshape, "reshape", IDS(x, shape)), 3);
}
END_TEST

START_TEST(identity_relu_behind_clip_goes_from_zero_only)
{
    for (int i = 0; i < 2; i++) {
        struct builder b;
        int32_t x = start(&b, 120);
        int32_t lo = build_scalar(&b, i == 0 ? 0.25f : -0.25f);
        x = build_node(&b, NMI_OP_Tanh, "t", IDS(x));
        x = build_node(&b, NMI_OP_Clip, "clip", IDS(x, lo));
        expect(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(x)), 4 + i);
    }
}
END_TEST

START_TEST(identity_to_an_output_gives_its_name_to_the_maker)
{
    struct builder b;
    int32_t x = start(&b, 121);
    int32_t y = build_node(&b, NMI_OP_Identity, "same", IDS(x));
    build_output(&b, y);
    build_output(&b, build_node(&b, NMI_OP_Tanh, "tanh", IDS(x)));
    build_output(&b, build_node(&b, NMI_OP_Sigmoid, "sigmoid", IDS(y)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(identity_between_two_ends_of_the_caller_stays)
{
    struct builder b;
    int32_t r = start(&b, 122), x = b.g->inputs[0];
    build_output(&b, build_node(&b, NMI_OP_Identity, "input", IDS(x)));
    build_output(&b, r);
    build_output(&b, build_node(&b, NMI_OP_Identity, "output", IDS(r)));
    int32_t chain = build_node(&b, NMI_OP_Identity, "chain0", IDS(x));
    build_output(&b, build_node(&b, NMI_OP_Identity, "chain1", IDS(chain)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Identity), 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_identity");
    TCase *t = tcase_create("pass_identity");
    tcase_add_test(t, identity_of_every_kind_goes);
    tcase_add_test(t, identity_transpose_goes_and_others_stay);
    tcase_add_test(t, identity_reshape_to_other_dims_stays);
    tcase_add_test(t, identity_relu_behind_clip_goes_from_zero_only);
    tcase_add_test(t, identity_to_an_output_gives_its_name_to_the_maker);
    tcase_add_test(t, identity_between_two_ends_of_the_caller_stays);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
