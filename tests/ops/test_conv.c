/* SPDX-License-Identifier: Apache-2.0 */
/* Conv and ConvTranspose: cases by hand, shapes, and inputs that must be refused. */
#include "tests/support/op_case.h"

#include <check.h>
#include <string.h>

static struct nmi_conv_attrs *start(struct op_case *c, uint16_t op)
{
    op_case_start(c, op, 13);
    return c->attrs;
}

static struct nmi_ints ints(int32_t n, int64_t a, int64_t b)
{
    return (struct nmi_ints){n, {a, b, a, b}};
}

static const float x33[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
static const float ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

START_TEST(conv_same_padding_by_hand)
{
    struct op_case c;
    struct nmi_conv_attrs *a = start(&c, NMI_OP_Conv);
    a->auto_pad = NMI_PAD_SAME_UPPER;
    OP_IN(&c, x33, 1, 1, 3, 3);
    OP_IN(&c, ones, 1, 1, 3, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1, 1, 3, 3);
    OP_VALUES(&c, 8, 15, 12, 21, 36, 27, 20, 33, 24);
    op_case_end(&c);
}
END_TEST

START_TEST(conv_1d_with_groups_bias_and_relu)
{
    struct op_case c;
    struct nmi_conv_attrs *a = start(&c, NMI_OP_Conv);
    float x[] = {1, 2, 3, 4, 5, 6, 7, 8}, w[] = {1, 1, 1, -1}, bias[] = {10, 0.5f};
    a->group = 2;
    a->strides = ints(1, 2, 0);
    a->act.kind = NMI_ACT_RELU;
    OP_IN(&c, x, 1, 2, 4);
    OP_IN(&c, w, 2, 1, 2);
    OP_IN(&c, bias, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1, 2, 2);
    OP_VALUES(&c, 13, 17, 0, 0);
    op_case_end(&c);
}
END_TEST

START_TEST(conv_residual_is_added_before_the_activation)
{
    struct op_case c;
    struct nmi_conv_attrs *a = start(&c, NMI_OP_Conv);
    float w[] = {1}, residual[] = {-1, -1, -3, -3, -5, 0, 0, 0, 0};
    a->residual = 1;
    a->act.kind = NMI_ACT_RELU;
    OP_IN(&c, x33, 1, 1, 3, 3);
    OP_IN(&c, w, 1, 1, 1, 1);
    op_case_skip(&c);
    OP_IN(&c, residual, 1, 1, 3, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 0, 0, 0, 0, 0, 5, 6, 7, 8);
    op_case_end(&c);
}
END_TEST

START_TEST(conv_without_channels_gives_the_bias)
{
    struct op_case c;
    float bias[] = {3};
    start(&c, NMI_OP_Conv);
    OP_IN(&c, NULL, 1, 0, 2, 2);
    OP_IN(&c, NULL, 1, 0, 2, 2);
    OP_IN(&c, bias, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 3);
    op_case_end(&c);
}
END_TEST

START_TEST(conv_symbols_pass_through)
{
    struct op_case c;
    struct nmi_conv_attrs *a = start(&c, NMI_OP_Conv);
    a->pads = ints(4, 1, 1);
    OP_IN(&c, NULL, 1, 3, 8, 8);
    OP_IN(&c, NULL, 5, 3, 3, 3);
    c.facts[0].dims[0] = nmi_dim_symbol(4);
    c.facts[0].dims[3] = nmi_dim_symbol(5);
    c.facts[0].data = NULL;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(4), 5, 8, NMI_DIM_UNKNOWN);
    c.facts[1].rank = -1;
    c.facts[1].data = NULL;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    ck_assert_int_eq(c.out_facts[0].rank, -1);
    c.facts[1].rank = 4;
    c.facts[1].dims[2] = NMI_DIM_UNKNOWN;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(4), 5, NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN);
    a->kernel_shape = ints(2, 3, 3);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(4), 5, 8, NMI_DIM_UNKNOWN);
    op_case_end(&c);
}
END_TEST

static nm_status infer_conv(uint16_t op, struct nmi_conv_attrs attrs, int32_t rank,
                            const int64_t *x, const int64_t *w, int64_t bias, char *sentence)
{
    struct op_case c;
    *start(&c, op) = attrs;
    op_case_in(&c, NM_F32, rank, x, NULL);
    op_case_in(&c, NM_F32, rank, w, NULL);
    if (bias >= 0) {
        OP_IN(&c, NULL, bias);
    }
    nm_status status = op_case_infer(&c, 1);
    memcpy(sentence, c.err.message, sizeof c.err.message);
    op_case_end(&c);
    return status;
}

START_TEST(conv_bad_shapes_refused)
{
    char say[1020];
    struct nmi_conv_attrs plain = {.group = 1}, groups = {.group = 2};
    struct nmi_conv_attrs kernel = {.group = 1, .kernel_shape = ints(2, 3, 2)};
    int64_t x[] = {1, 4, 8, 8, 8}, w[] = {4, 4, 3, 3, 3}, odd[] = {3, 2, 3, 3},
            big[] = {4, 4, 9, 9};
    int64_t half[] = {4, 2, 3, 3};
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, plain, 4, x, w, 4, say), NM_OK);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, groups, 4, x, half, 4, say), NM_OK);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, plain, 5, x, w, -1, say), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(say, "3-D"));
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, plain, 2, x, w, -1, say), NM_ESHAPE);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, plain, 4, x, half, -1, say), NM_ESHAPE);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, groups, 4, x, odd, -1, say), NM_ESHAPE);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, plain, 4, x, big, -1, say), NM_ESHAPE);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, plain, 4, x, w, 5, say), NM_ESHAPE);
    ck_assert_int_eq(infer_conv(NMI_OP_Conv, kernel, 4, x, w, -1, say), NM_ESHAPE);
    ck_assert_ptr_nonnull(strstr(say, "node n (Conv)"));
}
END_TEST

START_TEST(conv_adversarial_attributes_refused)
{
    static const int64_t bad[] = {INT64_MIN, -1, 0, (int64_t)1 << 31, INT64_MAX};
    static const uint16_t ops[] = {NMI_OP_Conv, NMI_OP_ConvTranspose};
    char say[1020];
    int64_t x[] = {1, 4, 8, 8}, w[] = {4, 4, 3, 3};
    for (size_t i = 0; i < NMI_COUNT(bad) * 2; i++) {
        int64_t v = bad[i / 2];
        uint16_t op = ops[i % 2];
        struct nmi_conv_attrs group = {.group = v};
        struct nmi_conv_attrs stride = {.group = 1, .strides = ints(2, v, 1)};
        struct nmi_conv_attrs dilation = {.group = 1, .dilations = ints(2, v, 1)};
        struct nmi_conv_attrs pad = {.group = 1, .pads = ints(4, v, 1)};
        struct nmi_conv_attrs kernel = {.group = 1, .kernel_shape = ints(2, v, 3)};
        struct nmi_conv_attrs more = {.group = 1, .output_padding = ints(2, v, 3)};
        struct nmi_conv_attrs shape = {.group = 1, .output_shape = ints(2, v, 3)};
        struct nmi_conv_attrs length = {.group = 1, .strides = ints(3, 1, 1)};
        ck_assert_int_ne(infer_conv(op, group, 4, x, w, -1, say), NM_OK);
        ck_assert_int_ne(infer_conv(op, stride, 4, x, w, -1, say), NM_OK);
        ck_assert_int_ne(infer_conv(op, dilation, 4, x, w, -1, say), NM_OK);
        ck_assert_int_ne(infer_conv(op, kernel, 4, x, w, -1, say), NM_OK);
        ck_assert_int_ne(infer_conv(op, length, 4, x, w, -1, say), NM_OK);
        ck_assert(v == 0 || infer_conv(op, pad, 4, x, w, -1, say) != NM_OK);
        if (op == NMI_OP_ConvTranspose) {
            ck_assert(v == 0 || infer_conv(op, more, 4, x, w, -1, say) != NM_OK);
            ck_assert_int_ne(infer_conv(op, shape, 4, x, w, -1, say), NM_OK);
        }
    }
}
END_TEST

/* ---- ConvTranspose -----------------------------------------------------------------------------
 */

static struct op_case transposed(struct nmi_conv_attrs attrs)
{
    struct op_case c;
    *start(&c, NMI_OP_ConvTranspose) = attrs;
    OP_IN(&c, x33, 1, 1, 3, 3);
    OP_IN(&c, ones, 1, 2, 3, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    return c;
}

START_TEST(convtranspose_plain_by_hand)
{
    struct op_case c = transposed((struct nmi_conv_attrs){.group = 1});
    OP_DIMS(&c, 1, 2, 5, 5);
    OP_VALUES(&c, 0, 1, 3, 3, 2, 3, 8, 15, 12, 7, 9, 21, 36, 27, 15, 9, 20, 33, 24, 13, 6, 13, 21,
              15, 8, 0, 1, 3, 3, 2, 3, 8, 15, 12, 7, 9, 21, 36, 27, 15, 9, 20, 33, 24, 13, 6, 13,
              21, 15, 8);
    op_case_end(&c);
}
END_TEST

/* Sizes by ONNX's formulas. */
START_TEST(convtranspose_sizes)
{
    struct nmi_conv_attrs same = {.group = 1, .strides = ints(2, 2, 2)};
    same.auto_pad = NMI_PAD_SAME_UPPER;
    struct op_case c = transposed(same);
    OP_DIMS(&c, 1, 2, 6, 6);
    op_case_end(&c);

    struct nmi_conv_attrs shape = {.group = 1, .strides = ints(2, 3, 2)};
    shape.output_shape = ints(2, 10, 8);
    c = transposed(shape);
    OP_DIMS(&c, 1, 2, 10, 8);
    op_case_end(&c);

    struct nmi_conv_attrs more = {.group = 1, .strides = ints(2, 3, 2)};
    more.output_padding = ints(2, 1, 1);
    c = transposed(more);
    OP_DIMS(&c, 1, 2, 10, 8);
    op_case_end(&c);

    struct nmi_conv_attrs pads = {.group = 1, .strides = ints(2, 3, 2), .pads = ints(4, 1, 2)};
    c = transposed(pads);
    OP_DIMS(&c, 1, 2, 7, 3);
    OP_VALUES(&c, 1, 1, 3, 1, 1, 3, 7, 4, 9, 7, 4, 9, 7, 4, 9, 13, 7, 15, 13, 7, 15, 1, 1, 3, 1, 1,
              3, 7, 4, 9, 7, 4, 9, 7, 4, 9, 13, 7, 15, 13, 7, 15);
    op_case_end(&c);
}
END_TEST

START_TEST(convtranspose_pads_that_leave_nothing_refused)
{
    char say[1020];
    struct nmi_conv_attrs attrs = {.group = 1, .pads = ints(4, 3, 3)};
    int64_t x[] = {1, 4, 3, 3}, w[] = {4, 4, 3, 3};
    ck_assert_int_eq(infer_conv(NMI_OP_ConvTranspose, attrs, 4, x, w, -1, say), NM_ESHAPE);
    w[0] = 3;
    attrs.pads.n = 0;
    ck_assert_int_eq(infer_conv(NMI_OP_ConvTranspose, attrs, 4, x, w, -1, say), NM_ESHAPE);
    w[0] = 4;
    w[1] = (int64_t)1 << 40;
    attrs.group = 4;
    ck_assert_int_eq(infer_conv(NMI_OP_ConvTranspose, attrs, 4, x, w, -1, say), NM_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conv");
    TCase *tc = tcase_create("conv");
    tcase_add_test(tc, conv_same_padding_by_hand);
    tcase_add_test(tc, conv_1d_with_groups_bias_and_relu);
    tcase_add_test(tc, conv_residual_is_added_before_the_activation);
    tcase_add_test(tc, conv_without_channels_gives_the_bias);
    tcase_add_test(tc, conv_symbols_pass_through);
    tcase_add_test(tc, conv_bad_shapes_refused);
    tcase_add_test(tc, conv_adversarial_attributes_refused);
    tcase_add_test(tc, convtranspose_plain_by_hand);
    tcase_add_test(tc, convtranspose_sizes);
    tcase_add_test(tc, convtranspose_pads_that_leave_nothing_refused);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
