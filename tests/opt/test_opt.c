/* SPDX-License-Identifier: Apache-2.0 */
/* All passes together: random networks mean the same afterwards, and typical ones become small. */
#include "lib/opt/opt.h"
#include "tests/support/builder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 4
#define SIZE 6
#define LAYERS 14

static int32_t pick(struct builder *b, int32_t n)
{
    return (int32_t)(build_uniform(b) * (float)n);
}

/* A convolution of CHANNELS to CHANNELS that keeps the size; some rows are zero, some have a bias.
 */
static int32_t random_conv(struct builder *b, int32_t x)
{
    int64_t group = pick(b, 3) == 0 ? CHANNELS : 1;
    int64_t k = 1 + 2 * pick(b, 2), dims[4] = {CHANNELS, CHANNELS / group, k, k};
    int32_t w = build_random(b, "w", 4, dims), bias = build_random(b, "b", DIMS(CHANNELS));
    float *data = (float *)(uintptr_t)nmi_graph_constant(b->g, w)->data;
    int64_t row = dims[1] * k * k;
    for (int64_t i = 0; i < CHANNELS * row; i++) {
        data[i] *= 0.5f;
    }
    for (int64_t i = 0, c = pick(b, 3 * CHANNELS); i < row && c < CHANNELS; i++) {
        data[c * row + i] = 0;
    }
    int32_t y = build_node(b, NMI_OP_Conv, "conv", pick(b, 2) + 2, (int32_t[]){x, w, bias});
    struct nmi_conv_attrs *conv = build_attrs(b);
    int64_t p = k / 2;
    conv->group = group;
    conv->pads = (struct nmi_ints){4, {p, p, p, p}};
    return y;
}

/* Pad by one and a convolution or pooling that takes it away again. */
static int32_t padded_window(struct builder *b, int32_t x)
{
    int32_t pads = build_ints(b, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    x = build_node(b, NMI_OP_Pad, "pad", IDS(x, pads));
    if (pick(b, 2) == 0) {
        return build_conv(b, "conv", x, (int64_t[]){CHANNELS, CHANNELS, 3}, 0);
    }
    x = build_node(b, pick(b, 2) == 0 ? NMI_OP_MaxPool : NMI_OP_AveragePool, "pool", IDS(x));
    ((struct nmi_pool_attrs *)build_attrs(b))->kernel_shape = (struct nmi_ints){2, {3, 3}};
    return x;
}

static int32_t swish(struct builder *b, int32_t x)
{
    int32_t s = build_node(b, pick(b, 2) == 0 ? NMI_OP_Sigmoid : NMI_OP_HardSigmoid, "s", IDS(x));
    return build_node(b, NMI_OP_Mul, "mul", IDS(s, x));
}

/* One layer over some value so far; y has the shape of x. */
static int32_t random_layer(struct builder *b, int32_t x, int32_t other)
{
    const uint16_t arithmetic[] = {NMI_OP_Add, NMI_OP_Mul, NMI_OP_Sub, NMI_OP_Div};
    const uint16_t unary[] = {NMI_OP_Relu,     NMI_OP_LeakyRelu, NMI_OP_Sigmoid,
                              NMI_OP_Identity, NMI_OP_Dropout,   NMI_OP_Tanh};
    int32_t c;
    switch (pick(b, 9)) {
    case 0:
    case 1:
        return random_conv(b, x);
    case 2:
        return build_bn(b, "bn", x, CHANNELS);
    case 3:
        return build_node(b, NMI_OP_Add, "residual", IDS(x, other));
    case 4:
        return padded_window(b, x);
    case 5:
        c = build_positive(b, "c", DIMS(CHANNELS, 1, 1));
        return build_node(b, arithmetic[pick(b, 4)], "arithmetic", IDS(x, c));
    case 6:
        c = build_scalar(b, build_uniform(b) - 0.75f);
        return build_node(b, NMI_OP_Clip, "clip", IDS(x, c, build_scalar(b, 0.5f)));
    case 7:
        return swish(b, x);
    default:
        return build_node(b, unary[pick(b, 6)], "unary", IDS(x));
    }
}

/* Flatten with a free batch, as exporters write it, and a classifier. */
static int32_t tail(struct builder *b, int32_t x)
{
    const int64_t zero = 0;
    int32_t shape = build_node(b, NMI_OP_Shape, "shape", IDS(x)), index = build_ints(b, 1, &zero);
    int32_t batch = build_node(b, NMI_OP_Gather, "gather", IDS(shape, index));
    int32_t rest = build_ints(b, 1, (int64_t[]){-1});
    int32_t to = build_node(b, NMI_OP_Concat, "concat", IDS(batch, rest));
    x = build_node(b, NMI_OP_Reshape, "flatten", IDS(x, to));
    int32_t w = build_random(b, "fc", DIMS(CHANNELS * SIZE * SIZE, 3));
    x = build_node(b, NMI_OP_MatMul, "matmul", IDS(x, w));
    return build_node(b, NMI_OP_Add, "fc", IDS(x, build_random(b, "fc.bias", DIMS(3))));
}

START_TEST(optimize_random_networks_mean_the_same)
{
    const char *given = getenv("NM_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    for (uint64_t seed = first; seed < first + 300; seed++) {
        printf("seed %llu\r", (unsigned long long)seed);
        struct builder b;
        build_begin(&b, seed);
        int32_t values[LAYERS + 1];
        values[0] = build_input(&b, "x", DIMS(-1, CHANNELS, SIZE, SIZE));
        for (int32_t i = 0; i < LAYERS; i++) {
            int32_t from = i - (pick(&b, 4) == 0 ? pick(&b, i + 1) : 0);
            values[i + 1] = random_layer(&b, values[from], values[pick(&b, i + 1)]);
        }
        build_output(&b, tail(&b, values[LAYERS]));
        build_output(&b, values[1 + pick(&b, LAYERS)]);
        check_same(b.g, optimised(b.g, NULL), 3);
        build_end(&b);
    }
    printf("\n");
}
END_TEST

START_TEST(optimize_basic_block_with_downsampling_is_three_convs)
{
    struct builder b;
    build_begin(&b, 7);
    int32_t x = build_input(&b, "x", DIMS(-1, 4, 8, 8));
    int32_t y = build_conv(&b, "conv1", x, (int64_t[]){8, 4, 3}, 1);
    y = build_node(&b, NMI_OP_Relu, "relu1", IDS(build_bn(&b, "bn1", y, 8)));
    y = build_bn(&b, "bn2", build_conv(&b, "conv2", y, (int64_t[]){8, 8, 3}, 1), 8);
    int32_t s = build_bn(&b, "bn3", build_conv(&b, "short", x, (int64_t[]){8, 4, 1}, 0), 8);
    y = build_node(&b, NMI_OP_Relu, "relu2", IDS(build_node(&b, NMI_OP_Add, "add", IDS(y, s))));
    build_output(&b, tail(&b, build_conv(&b, "last", y, (int64_t[]){4, 8, 3}, 0)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Conv), 4);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Gemm), 1);
    ck_assert_int_eq(g->n_nodes, 6); /* and one Reshape */
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

/* conv (one row empty) + bn + relu, conv, tail. */
static void small_net(struct builder *b)
{
    build_begin(b, 11);
    int32_t x = build_input(b, "x", DIMS(-1, CHANNELS, SIZE, SIZE));
    x = build_conv(b, "a", x, (int64_t[]){CHANNELS, CHANNELS, 3}, 1);
    int32_t w = b->g->nodes[b->g->n_nodes - 1].inputs[1];
    memset((void *)(uintptr_t)nmi_graph_constant(b->g, w)->data, 0, CHANNELS * 9 * sizeof(float));
    x = build_node(b, NMI_OP_Relu, "relu", IDS(x));
    x = build_conv(b, "b", x, (int64_t[]){CHANNELS, CHANNELS, 3}, 1);
    build_output(b, tail(b, build_bn(b, "bn", x, CHANNELS)));
}

START_TEST(optimize_without_memory_fails_and_leaks_nothing)
{
    struct builder b;
    small_net(&b);
    nm_limits limits = {.load_work = 1000000, .folded_bytes = 1 << 20};
    nm_status status = NM_ENOMEM;
    for (long n = 1; status != NM_OK; n++) {
        struct nmi_graph *copy;
        size_t live = nmi_alloc_live();
        ck_assert_int_eq(nmi_graph_copy(b.g, nmi_op_attr_bytes, &copy, NULL), NM_OK);
        nmi_alloc_fail_after(n, 1);
        status = nmi_optimize(copy, &limits, NULL, NULL);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || status == NM_ENOMEM);
        nmi_graph_free(copy);
        ck_assert_uint_eq(nmi_alloc_live(), live);
        ck_assert_int_lt(n, 100000);
    }
    build_end(&b);
}
END_TEST

START_TEST(optimize_mapped_keeps_the_source_of_every_weight)
{
    nm_limits limits = {.load_work = 1000000, .folded_bytes = 1 << 20};
    for (int mapped = 0; mapped < 2; mapped++) {
        struct builder b;
        struct nmi_graph *g;
        small_net(&b);
        ck_assert_int_eq(nmi_graph_copy(b.g, nmi_op_attr_bytes, &g, NULL), NM_OK);
        nm_status status = mapped ? nmi_optimize_mapped(g, &limits, NULL, NULL)
                                  : nmi_optimize(g, &limits, NULL, NULL);
        ck_assert_int_eq(status, NM_OK);
        const struct nmi_constant *w = nmi_graph_constant(g, g->nodes[0].inputs[1]);
        ck_assert_int_eq(w->source == NMI_NONE, !mapped);
        ck_assert_int_eq(w->dims[0], CHANNELS - !mapped);
        check_same(b.g, g, 2);
        build_end(&b);
    }
}
END_TEST

START_TEST(optimize_chain_that_would_copy_a_weight_many_times_stops)
{
    struct builder b;
    build_begin(&b, 12);
    int32_t x = build_input(&b, "x", DIMS(1, 256, 1, 1));
    x = build_conv(&b, "big", x, (int64_t[]){256, 256, 3}, 1); /* 2.4 MB */
    for (int i = 0; i < 200; i++) {
        x = build_node(&b, NMI_OP_Mul, "mul", IDS(x, build_scalar(&b, i % 2 == 0 ? 0.5f : 2)));
    }
    build_output(&b, x);
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_lt(g->n_nodes, 201); /* some are folded, */
    ck_assert_int_gt(g->n_nodes, 100); /* not all */
    ck_assert_uint_lt(g->arena.used, (size_t)32 << 20);
    check_same(b.g, g, 1);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("opt");
    TCase *t = tcase_create("opt");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, optimize_random_networks_mean_the_same);
    tcase_add_test(t, optimize_basic_block_with_downsampling_is_three_convs);
    tcase_add_test(t, optimize_without_memory_fails_and_leaks_nothing);
    tcase_add_test(t, optimize_mapped_keeps_the_source_of_every_weight);
    tcase_add_test(t, optimize_chain_that_would_copy_a_weight_many_times_stops);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
