/* SPDX-License-Identifier: Apache-2.0 */
/* Pad goes into the window behind it where that means the same. */
#include "tests/support/builder.h"

#include <check.h>
#include <math.h>

static int32_t pool(struct builder *b, uint16_t op, int32_t x, int64_t count_include_pad)
{
    int32_t y = build_node(b, op, "pool", IDS(x));
    struct nmi_pool_attrs *attrs = build_attrs(b);
    attrs->kernel_shape = (struct nmi_ints){2, {3, 3}};
    attrs->strides = (struct nmi_ints){2, {2, 2}};
    attrs->count_include_pad = count_include_pad;
    return y;
}

static void expect(struct builder *b, int32_t y, int32_t pads)
{
    build_output(b, y);
    struct nmi_graph *g = optimised(b->g, "infer pad dead");
    ck_assert_int_eq(count_nodes(g, NMI_OP_Pad), pads);
    check_same(b->g, g, 2);
    build_end(b);
}

static int32_t start(struct builder *b, uint64_t seed)
{
    build_begin(b, seed);
    return build_input(b, "x", DIMS(-1, 3, 7, 6));
}

static const int64_t around[8] = {0, 0, 1, 2, 0, 0, 2, 1};

START_TEST(pad_of_zero_goes_into_conv_beside_its_own)
{
    struct builder b;
    int32_t x = start(&b, 80);
    expect(&b, build_conv(&b, "conv", build_pad(&b, x, around, 0), (int64_t[]){2, 3, 3}, 1), 0);
}
END_TEST

START_TEST(pad_of_a_shared_value_stays)
{
    struct builder b;
    int32_t x = build_pad(&b, start(&b, 81), around, 0);
    build_output(&b, x);
    expect(&b, build_conv(&b, "conv", x, (int64_t[]){2, 3, 3}, 1), 1);
}
END_TEST

START_TEST(pad_of_other_kinds_before_conv_stays)
{
    struct builder b;
    int32_t x = start(&b, 82);
    expect(&b, build_conv(&b, "value", build_pad(&b, x, around, 1), (int64_t[]){2, 3, 3}, 0), 1);
    x = start(&b, 83);
    int64_t channels[8] = {0, 1, 0, 0, 0, 0, 0, 0}, crop[8] = {0, 0, -1, 0, 0, 0, 0, 0};
    expect(&b, build_conv(&b, "channels", build_pad(&b, x, channels, 0), (int64_t[]){2, 4, 3}, 0), 1);
    x = start(&b, 84);
    expect(&b, build_conv(&b, "crop", build_pad(&b, x, crop, 0), (int64_t[]){2, 3, 3}, 0), 1);
    x = start(&b, 85);
    x = build_pad(&b, x, around, 0);
    ((struct nmi_pad_attrs *)build_attrs(&b))->mode = 2;
    expect(&b, build_conv(&b, "edge", x, (int64_t[]){2, 3, 3}, 0), 1);
    x = start(&b, 86);
    int32_t y = build_conv(&b, "same", build_pad(&b, x, around, 0), (int64_t[]){2, 3, 3}, 0);
    ((struct nmi_conv_attrs *)build_attrs(&b))->auto_pad = NMI_PAD_SAME_UPPER;
    expect(&b, y, 1);
}
END_TEST

START_TEST(pad_before_average_is_counted)
{
    for (int64_t counted = 0; counted < 2; counted++) {
        struct builder b;
        int32_t x = start(&b, 87);
        expect(&b, pool(&b, NMI_OP_AveragePool, build_pad(&b, x, around, 0), counted), 0);
    }
}
END_TEST

START_TEST(pad_before_average_that_leaves_its_own_out_stays)
{
    struct builder b;
    int32_t y = pool(&b, NMI_OP_AveragePool, build_pad(&b, start(&b, 88), around, 0), 0);
    ((struct nmi_pool_attrs *)build_attrs(&b))->pads = (struct nmi_ints){4, {1, 0, 0, 0}};
    expect(&b, y, 1);
}
END_TEST

START_TEST(pad_that_cannot_win_goes_into_maximum)
{
    struct builder b;
    int32_t x = start(&b, 89);
    expect(&b, pool(&b, NMI_OP_MaxPool, build_pad(&b, x, around, -INFINITY), 0), 0);
    x = build_node(&b, NMI_OP_Relu, "relu", IDS(start(&b, 90)));
    expect(&b, pool(&b, NMI_OP_MaxPool, build_pad(&b, x, around, 0), 0), 0);
}
END_TEST

START_TEST(pad_that_may_win_before_maximum_stays)
{
    struct builder b;
    int32_t x = start(&b, 91);
    expect(&b, pool(&b, NMI_OP_MaxPool, build_pad(&b, x, around, 0), 0), 1);
    x = build_node(&b, NMI_OP_Relu, "relu", IDS(start(&b, 92)));
    expect(&b, pool(&b, NMI_OP_MaxPool, build_pad(&b, x, around, 0.5f), 0), 1);
    const int64_t wide[8] = {0, 0, 3, 0, 0, 0, 0, 0};
    x = build_node(&b, NMI_OP_Relu, "relu", IDS(start(&b, 93)));
    expect(&b, pool(&b, NMI_OP_MaxPool, build_pad(&b, x, wide, 0), 0), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_pad");
    TCase *t = tcase_create("pass_pad");
    tcase_add_test(t, pad_of_zero_goes_into_conv_beside_its_own);
    tcase_add_test(t, pad_of_a_shared_value_stays);
    tcase_add_test(t, pad_of_other_kinds_before_conv_stays);
    tcase_add_test(t, pad_before_average_is_counted);
    tcase_add_test(t, pad_before_average_that_leaves_its_own_out_stays);
    tcase_add_test(t, pad_that_cannot_win_goes_into_maximum);
    tcase_add_test(t, pad_that_may_win_before_maximum_stays);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
