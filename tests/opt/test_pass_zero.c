/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that are constant whatever the input go, where that is exact. */
#include "tests/support/builder.h"

#include <check.h>

static int32_t conv(struct builder *b, const char *name, int32_t x, const int64_t ocick[3],
                    int64_t pad)
{
    int32_t y = build_conv(b, name, x, ocick, pad);
    struct nmi_node *node = &b->g->nodes[b->g->n_nodes - 1];
    int32_t *in = nmi_arena_array(&b->g->arena, 3, sizeof *in);
    in[0] = node->inputs[0];
    in[1] = node->inputs[1];
    in[2] = build_positive(b, "bias", DIMS(ocick[0]));
    node->inputs = in;
    node->n_inputs = 3;
    return y;
}

static float *data_of(struct builder *b, int32_t node, int32_t input)
{
    int32_t v = b->g->nodes[node].inputs[input];
    return (float *)(uintptr_t)nmi_graph_constant(b->g, v)->data;
}

/* The last node's channel c without weights, and with this bias. */
static void empty(struct builder *b, int64_t c, float bias)
{
    int32_t node = b->g->n_nodes - 1;
    const struct nmi_constant *w = nmi_graph_constant(b->g, b->g->nodes[node].inputs[1]);
    int64_t row = (int64_t)(w->bytes / sizeof(float)) / w->dims[0];
    for (int64_t i = 0; i < row; i++) {
        data_of(b, node, 1)[c * row + i] = 0;
    }
    data_of(b, node, 2)[c] = bias;
}

static int64_t channels(const struct nmi_graph *g, int32_t node)
{
    return nmi_graph_constant(g, g->nodes[node].inputs[1])->dims[0];
}

static int32_t start(struct builder *b, uint64_t seed)
{
    build_begin(b, seed);
    return build_input(b, "x", DIMS(-1, 3, 6, 6));
}

START_TEST(zero_channels_behind_relu_go_with_their_readers_inputs)
{
    struct builder b;
    int32_t x = conv(&b, "a", start(&b, 140), (int64_t[]){5, 3, 3}, 1);
    empty(&b, 1, -0.5f);
    empty(&b, 3, 0);
    empty(&b, 4, 0.5f); /* is 0.5 everywhere, but not in the padding of b */
    x = build_node(&b, NMI_OP_Relu, "relu", IDS(x));
    build_output(&b, conv(&b, "b", x, (int64_t[]){2, 5, 3}, 1));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    ck_assert_int_eq(channels(g, 0), 3);
    ck_assert_int_eq(nmi_graph_constant(g, g->nodes[1].inputs[1])->dims[1], 3);
    ck_assert_int_eq(nmi_graph_constant(g, g->nodes[0].inputs[1])->source, NMI_NONE);
    ck_assert_int_eq(g->values[g->nodes[0].outputs[0]].dims[1], 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(zero_constants_go_into_biases_without_padding)
{
    struct builder b;
    int32_t x = conv(&b, "a", start(&b, 141), (int64_t[]){5, 3, 3}, 1);
    empty(&b, 0, 0.5f);
    empty(&b, 4, -0.5f);
    build_output(&b, conv(&b, "b", x, (int64_t[]){2, 5, 3}, 0));
    build_output(&b, build_conv(&b, "c", x, (int64_t[]){2, 5, 1}, 0));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(channels(g, 0), 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(zero_channels_pass_depthwise_and_pooling)
{
    struct builder b;
    int32_t x = conv(&b, "a", start(&b, 142), (int64_t[]){5, 3, 1}, 0);
    empty(&b, 1, 0);
    empty(&b, 2, 0);
    x = build_node(&b, NMI_OP_Relu, "relu", IDS(x));
    x = conv(&b, "depthwise", x, (int64_t[]){5, 1, 3}, 1);
    ((struct nmi_conv_attrs *)build_attrs(&b))->group = 5;
    data_of(&b, b.g->n_nodes - 1, 2)[1] = -1; /* channel 2 lives on by its bias */
    x = build_node(&b, NMI_OP_Relu, "relu2", IDS(x));
    x = build_node(&b, NMI_OP_MaxPool, "pool", IDS(x));
    ((struct nmi_pool_attrs *)build_attrs(&b))->kernel_shape = (struct nmi_ints){2, {2, 2}};
    build_output(&b, conv(&b, "b", x, (int64_t[]){2, 5, 1}, 0));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(channels(g, 0), 4);
    ck_assert_int_eq(channels(g, 1), 4);
    ck_assert_int_eq(((const struct nmi_conv_attrs *)g->nodes[1].attrs)->group, 4);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(zero_constants_before_depthwise_stay)
{
    struct builder b;
    int32_t x = conv(&b, "a", start(&b, 151), (int64_t[]){5, 3, 1}, 0);
    empty(&b, 1, 0.5f);
    x = build_conv(&b, "depthwise", x, (int64_t[]){5, 1, 1}, 0);
    ((struct nmi_conv_attrs *)build_attrs(&b))->group = 5;
    build_output(&b, conv(&b, "b", x, (int64_t[]){2, 5, 1}, 0));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(channels(g, 0), 5);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(zero_channels_run_on_into_what_they_alone_fed)
{
    struct builder b;
    int32_t x = conv(&b, "a", start(&b, 143), (int64_t[]){3, 3, 1}, 0);
    empty(&b, 1, 0);
    x = conv(&b, "b", x, (int64_t[]){3, 3, 3}, 1);
    float *w = data_of(&b, 1, 1);
    for (int i = 0; i < 9; i++) { /* output channel 0 reads input channel 1 only */
        w[i] = w[18 + i] = 0;
    }
    data_of(&b, 1, 2)[0] = 0;
    build_output(&b, conv(&b, "c", x, (int64_t[]){2, 3, 3}, 1));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(channels(g, 0), 2);
    ck_assert_int_eq(channels(g, 1), 2);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(zero_channels_all_leave_one)
{
    struct builder b;
    int32_t x = conv(&b, "a", start(&b, 144), (int64_t[]){2, 3, 1}, 0);
    empty(&b, 0, 0);
    empty(&b, 1, 0);
    build_output(&b, conv(&b, "b", x, (int64_t[]){2, 2, 3}, 1));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(channels(g, 0), 1);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(zero_channels_that_others_see_stay)
{
    const uint16_t ops[] = {NMI_OP_Sigmoid, NMI_OP_GlobalAveragePool, NMI_OP_Concat,
                            NMI_OP_Softmax};
    for (size_t i = 0; i < NMI_COUNT(ops); i++) {
        struct builder b;
        int32_t x = conv(&b, "a", start(&b, 145 + i), (int64_t[]){4, 3, 1}, 0);
        empty(&b, 2, 0);
        build_output(&b, conv(&b, "b", x, (int64_t[]){2, 4, 3}, 1));
        build_output(&b, build_node(&b, ops[i], "other", IDS(x)));
        struct nmi_graph *g = optimised(b.g, "infer zero dead");
        ck_assert_int_eq(channels(g, 0), 4);
        check_same(b.g, g, 2);
        build_end(&b);
    }
}
END_TEST

START_TEST(zero_channels_of_a_residual_stay)
{
    struct builder b;
    int32_t in = start(&b, 150);
    int32_t x = conv(&b, "a", in, (int64_t[]){3, 3, 3}, 1);
    empty(&b, 2, 0);
    x = build_node(&b, NMI_OP_Add, "add", IDS(x, in));
    build_output(&b, conv(&b, "b", x, (int64_t[]){2, 3, 3}, 1));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    ck_assert_int_eq(channels(g, 0), 3);
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_zero");
    TCase *t = tcase_create("pass_zero");
    tcase_add_test(t, zero_channels_behind_relu_go_with_their_readers_inputs);
    tcase_add_test(t, zero_constants_go_into_biases_without_padding);
    tcase_add_test(t, zero_channels_pass_depthwise_and_pooling);
    tcase_add_test(t, zero_constants_before_depthwise_stay);
    tcase_add_test(t, zero_channels_run_on_into_what_they_alone_fed);
    tcase_add_test(t, zero_channels_all_leave_one);
    tcase_add_test(t, zero_channels_that_others_see_stay);
    tcase_add_test(t, zero_channels_of_a_residual_stay);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
