/* SPDX-License-Identifier: Apache-2.0 */
/* Shortcuts of slices and padded channels become convolutions, where they mean the same. */
#include "tests/support/builder.h"

#include <check.h>

/* x [N,3,H,W], or of free sizes, sliced, then padded. */
struct slice {
    int64_t start, end, axis, step;
};

static int32_t slice(struct builder *b, int32_t x, struct slice s)
{
    const int32_t start = build_ints(b, 1, &s.start), end = build_ints(b, 1, &s.end);
    const int32_t axis = build_ints(b, 1, &s.axis), step = build_ints(b, 1, &s.step);
    return build_node(b, NMI_OP_Slice, "slice", IDS(x, start, end, axis, step));
}

static void expect(struct builder *b, int32_t y, int32_t slices, int32_t convs)
{
    build_output(b, y);
    struct nmi_graph *g = optimised(b->g, "infer shortcut dead");
    ck_assert_int_eq(count_nodes(g, NMI_OP_Slice), slices);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Conv), convs);
    check_same(b->g, g, 2);
    build_end(b);
}

static int32_t start(struct builder *b, uint64_t seed)
{
    build_begin(b, seed);
    return build_input(b, "x", DIMS(-1, 3, 7, 6));
}

static const int64_t channels[8] = {0, 2, 0, 0, 0, 1, 0, 0};
static const struct slice rows = {0, INT64_MAX, 2, 2}, columns = {0, 6, -1, 3};

START_TEST(slices_and_channels_become_one_conv)
{
    struct builder b;
    int32_t x = start(&b, 60);
    expect(&b, build_pad(&b, slice(&b, slice(&b, x, rows), columns), channels, 0), 0, 1);
    x = start(&b, 61);
    expect(&b, build_pad(&b, slice(&b, slice(&b, x, rows), (struct slice){0, 7, 2, 2}), channels, 0), 0, 1);
    x = start(&b, 62);
    expect(&b, build_pad(&b, x, channels, 0), 0, 1);
}
END_TEST

START_TEST(the_sum_goes_into_a_conv_as_well)
{
    struct builder b;
    const int32_t x = start(&b, 63);
    const int32_t conv = build_conv(&b, "conv", x, (int64_t[]){6, 3, 3}, 1);
    const int32_t sum = build_node(&b, NMI_OP_Add, "add", IDS(conv, build_pad(&b, x, channels, 0)));
    build_output(&b, build_node(&b, NMI_OP_Relu, "relu", IDS(sum)));
    struct nmi_graph *g = optimised(b.g, NULL);
    ck_assert_int_eq(g->n_nodes, 2);
    ck_assert_int_eq(count_nodes(g, NMI_OP_Conv), 2);
    check_same(b.g, g, 3);
    build_end(&b);
}
END_TEST

START_TEST(other_slices_stay)
{
    static const struct slice others[] = {{1, 7, 2, 2}, {0, 5, 2, 2}, {6, -8, 2, -1}, {0, 2, 1, 1},
                                          {0, 9, 0, 1}, {0, 7, 2, 1000}};
    for (size_t i = 0; i < NMI_COUNT(others); i++) {
        struct builder b;
        const int32_t x = start(&b, 64 + i);
        expect(&b, build_pad(&b, slice(&b, x, others[i]), channels, 0), 1, 1);
    }
}
END_TEST

START_TEST(a_shared_slice_stays)
{
    struct builder b;
    const int32_t x = slice(&b, start(&b, 70), rows);
    build_output(&b, x);
    expect(&b, build_pad(&b, x, channels, 0), 1, 1);
}
END_TEST

START_TEST(other_pads_stay)
{
    static const int64_t others[][8] = {{0, 1, 1, 0, 0, 0, 0, 0},
                                        {1, 1, 0, 0, 0, 0, 0, 0},
                                        {0, -1, 0, 0, 0, 3, 0, 0}};
    struct builder b;
    for (size_t i = 0; i < NMI_COUNT(others); i++) {
        const int32_t x = start(&b, 71 + i);
        expect(&b, build_pad(&b, slice(&b, x, rows), others[i], 0), 1, 0);
    }
    int32_t x = start(&b, 76);
    expect(&b, build_pad(&b, slice(&b, x, rows), channels, 1), 1, 0);
    x = build_pad(&b, start(&b, 77), channels, 0);
    ((struct nmi_pad_attrs *)build_attrs(&b))->mode = 2;
    expect(&b, x, 0, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pass shortcut");
    TCase *t = tcase_create("all");
    tcase_add_test(t, slices_and_channels_become_one_conv);
    tcase_add_test(t, the_sum_goes_into_a_conv_as_well);
    tcase_add_test(t, other_slices_stay);
    tcase_add_test(t, a_shared_slice_stays);
    tcase_add_test(t, other_pads_stay);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
