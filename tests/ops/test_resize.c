/* SPDX-License-Identifier: Apache-2.0 */
/* Resize and Upsample: values of the ONNX specification's examples, shapes, and a naive N-D sum. */
#include "lib/ops/resize.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

static const float x16[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* Resize of opset 19 over the last two axes; sizes or scales. */
static struct nmi_resize_attrs *start(struct op_case *c, int64_t h, int64_t w)
{
    op_case_start(c, NMI_OP_Resize, 19);
    struct nmi_resize_attrs *a = c->attrs;
    a->axes = (struct nmi_ints){2, {2, 3}};
    OP_IN(c, x16, 1, 1, h, w);
    op_case_skip(c);
    return a;
}

static void by_scales(struct op_case *c, float h, float w)
{
    OP_IN(c, ((float[]){h, w}), 2);
    ck_assert_int_eq(op_case_run(c, 1), NM_OK);
}

static void by_sizes(struct op_case *c, int64_t h, int64_t w)
{
    op_case_skip(c);
    op_case_in(c, NM_I64, 1, (int64_t[]){2}, (int64_t[]){h, w});
    ck_assert_int_eq(op_case_run(c, 1), NM_OK);
}

START_TEST(resize_antialias_examples)
{
    struct op_case c;
    struct nmi_resize_attrs *a = start(&c, 4, 4);
    a->mode = NMI_RESIZE_LINEAR;
    a->antialias = 1;
    by_scales(&c, 0.6f, 0.6f);
    OP_DIMS(&c, 1, 1, 2, 2);
    OP_VALUES(&c, 2.875f, 4.5f, 9.375f, 11);
    op_case_end(&c);
    a = start(&c, 4, 4);
    a->mode = NMI_RESIZE_CUBIC;
    a->antialias = 1;
    by_scales(&c, 0.6f, 0.6f);
    OP_VALUES(&c, 2.5180721f, 4.2858863f, 9.589329f, 11.357142f);
    op_case_end(&c);
    a = start(&c, 4, 4);
    a->mode = NMI_RESIZE_LINEAR;
    a->antialias = 1;
    by_sizes(&c, 3, 3);
    OP_VALUES(&c, 2.3636363f, 3.590909f, 4.818182f, 7.2727275f, 8.5f, 9.727273f, 12.181818f,
              13.409091f, 14.636364f);
    op_case_end(&c);
    a = start(&c, 4, 4);
    a->mode = NMI_RESIZE_CUBIC;
    a->antialias = 1;
    by_sizes(&c, 3, 3);
    OP_VALUES(&c, 1.7750092f, 3.1200073f, 4.4650054f, 7.1550016f, 8.5f, 9.844998f, 12.534994f,
              13.8799925f, 15.224991f);
    op_case_end(&c);
}
END_TEST

START_TEST(resize_half_pixel_symmetric_example)
{
    struct op_case c;
    struct nmi_resize_attrs *a = start(&c, 1, 4);
    a->mode = NMI_RESIZE_LINEAR;
    a->coordinate = NMI_HALF_PIXEL_SYMMETRIC;
    by_scales(&c, 1, 0.6f);
    OP_VALUES(&c, 1.6666667f, 3.3333333f);
    op_case_end(&c);
}
END_TEST

START_TEST(resize_keeps_the_aspect_ratio)
{
    struct op_case c;
    start(&c, 2, 2)->policy = NMI_NOT_LARGER;
    by_sizes(&c, 7, 8);
    OP_DIMS(&c, 1, 1, 7, 7);
    op_case_end(&c);
    start(&c, 2, 2)->policy = NMI_NOT_SMALLER;
    by_sizes(&c, 7, 8);
    OP_DIMS(&c, 1, 1, 8, 8);
    op_case_end(&c);
}
END_TEST

START_TEST(resize_nearest_rounds_in_four_ways)
{
    for (int64_t mode = NMI_ROUND_PREFER_FLOOR; mode <= NMI_ROUND_CEIL; mode++) {
        struct op_case c;
        struct nmi_resize_attrs *a = start(&c, 1, 4);
        a->coordinate = NMI_ASYMMETRIC;
        a->nearest = mode;
        by_sizes(&c, 1, 6); /* coordinates 0 2/3 4/3 2 8/3 10/3 */
        float expected[6];
        for (int i = 0; i < 6; i++) {
            float at = (float)i / 1.5f;
            float r = mode == NMI_ROUND_FLOOR  ? floorf(at)
                      : mode == NMI_ROUND_CEIL ? ceilf(at)
                                               : roundf(at);
            expected[i] = x16[(int)fminf(r, 3)];
        }
        op_case_values(&c, expected, 6);
        op_case_end(&c);
    }
    for (int64_t mode = NMI_ROUND_PREFER_FLOOR; mode <= NMI_ROUND_CEIL; mode++) {
        struct op_case c;
        struct nmi_resize_attrs *a = start(&c, 1, 4);
        a->coordinate = NMI_TF_HALF_PIXEL_FOR_NN;
        a->nearest = mode;
        by_scales(&c, 1, 1.5f); /* 1/3 1 5/3 7/3 3 11/3 */
        float expected[] = {1, 2, 3, 3, 4, 4};
        expected[0] = mode == NMI_ROUND_CEIL ? 2 : 1;
        expected[2] = mode == NMI_ROUND_FLOOR ? 2 : 3;
        expected[3] = mode == NMI_ROUND_CEIL ? 4 : 3;
        op_case_values(&c, expected, 6);
        op_case_end(&c);
    }
}
END_TEST

/* Ties: coordinates 0.5, 1.5, ... */
START_TEST(resize_nearest_ties_prefer_floor_or_ceil)
{
    static const float floors[] = {1, 3}, ceils[] = {2, 4};
    for (int64_t mode = NMI_ROUND_PREFER_FLOOR; mode <= NMI_ROUND_PREFER_CEIL; mode++) {
        struct op_case c;
        start(&c, 1, 4)->nearest = mode;
        by_scales(&c, 1, 0.5f);
        op_case_values(&c, mode == NMI_ROUND_PREFER_FLOOR ? floors : ceils, 2);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(resize_nearest_moves_any_type)
{
    static const nm_type types[] = {NM_U8, NM_I16, NM_I64, NM_F16, NM_F64, NM_BOOL};
    static const uint64_t data[] = {0x0100010001000100u, 0x0001000100010001u, 0x0101010101010101u,
                                    5};
    for (size_t i = 0; i < NMI_COUNT(types); i++) {
        struct op_case c;
        size_t size = nm_type_size(types[i]);
        op_case_start(&c, NMI_OP_Resize, 13);
        op_case_in(&c, types[i], 2, (int64_t[]){2, 2}, data);
        op_case_skip(&c);
        OP_IN(&c, ((float[]){1, 2}), 2);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        ck_assert_int_eq(c.out_facts[0].type, types[i]);
        for (size_t k = 0; k < 8; k++) {
            const char *from = (const char *)data + (k / 4 * 2 + k % 4 / 2) * size;
            ck_assert(memcmp((char *)c.out[0].data + k * size, from, size) == 0);
        }
        ((struct nmi_resize_attrs *)c.attrs)->mode = NMI_RESIZE_LINEAR;
        ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(resize_before_11_and_upsample_are_asymmetric)
{
    static const uint16_t ops[] = {NMI_OP_Resize, NMI_OP_Upsample, NMI_OP_Upsample};
    static const int32_t opsets[] = {10, 9, 7};
    for (int i = 0; i < 3; i++) {
        struct op_case c;
        op_case_start(&c, ops[i], opsets[i]);
        struct nmi_resize_attrs *a = c.attrs;
        a->mode = NMI_RESIZE_LINEAR;
        OP_IN(&c, x16, 1, 1, 2, 2);
        float scales[] = {1, 1, 1, 2};
        if (opsets[i] == 7) {
            a->scales = (struct nmi_floats){4, {1, 1, 1, 2}};
        } else {
            OP_IN(&c, scales, 4);
        }
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_VALUES(&c, 1, 1.5f, 2, 2, 3, 3.5f, 4, 4);
        a->mode = NMI_RESIZE_NEAREST;
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_VALUES(&c, 1, 1, 2, 2, 3, 3, 4, 4);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(resize_crop_extrapolates_outside)
{
    for (int64_t mode = NMI_RESIZE_NEAREST; mode <= NMI_RESIZE_LINEAR; mode++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Resize, 13);
        struct nmi_resize_attrs *a = c.attrs;
        a->mode = mode;
        a->coordinate = NMI_TF_CROP_AND_RESIZE;
        a->extrapolation = -9;
        float roi[] = {0, 0.5f, 1, 1.5f};
        OP_IN(&c, x16, 2, 3);
        OP_IN(&c, roi, 4);
        op_case_skip(&c);
        op_case_in(&c, NM_I64, 1, (int64_t[]){2}, (int64_t[]){2, 3});
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_VALUES(&c, 2, 3, -9, 5, 6, -9);
        op_case_end(&c);
    }
}
END_TEST

/* ---- a naive sum over all taps of all axes
 * ------------------------------------------------------- */

static double kernel(int64_t mode, double a, double x)
{
    x = fabs(x);
    if (mode == NMI_RESIZE_LINEAR) {
        return x < 1 ? 1 - x : 0;
    }
    return x <= 1  ? (a + 2) * x * x * x - (a + 3) * x * x + 1
           : x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a
                   : 0;
}

/* The weight of input i for output o along one axis, half_pixel or align_corners. */
static double weight(const struct nmi_resize_attrs *a, int64_t in, int64_t out, int64_t o,
                     int64_t i)
{
    double scale = (double)out / (double)in, sum = 0, own = 0;
    double at = a->coordinate == NMI_ALIGN_CORNERS
                    ? out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0
                    : ((double)o + 0.5) / scale - 0.5;
    double narrow = a->antialias != 0 && scale < 1 ? scale : 1;
    for (int64_t t = -200; t < in + 200; t++) {
        bool outside = t < 0 || t >= in;
        double w = kernel(a->mode, (double)a->cubic, ((double)t - at) * narrow);
        w = outside && a->exclude_outside != 0 ? 0 : w;
        int64_t edge = t < 0 ? 0 : t >= in ? in - 1 : t;
        sum += w;
        own += edge == i ? w : 0;
    }
    return own / sum;
}

static double naive(const struct op_case *c, int64_t at)
{
    const struct nmi_resize_attrs *a = c->attrs;
    const struct nmi_tensor *x = &c->in[0], *y = &c->out[0];
    int64_t o[3] = {at / y->dims[2] / y->dims[1], at / y->dims[2] % y->dims[1], at % y->dims[2]};
    int64_t count = x->dims[0] * x->dims[1] * x->dims[2];
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t p[3] = {i / x->dims[2] / x->dims[1], i / x->dims[2] % x->dims[1], i % x->dims[2]};
        double w = 1;
        for (int d = 0; d < 3 && w != 0; d++) {
            bool same = x->dims[d] == y->dims[d];
            w *= same ? p[d] == o[d] : weight(a, x->dims[d], y->dims[d], o[d], p[d]);
        }
        sum += w * (double)((const float *)x->data)[i];
    }
    return sum;
}

START_TEST(resize_random_shapes_match_a_naive_sum)
{
    op_case_seed();
    for (int round = 0; round < 150; round++) {
        struct op_case c;
        int64_t sizes[3];
        op_case_start(&c, NMI_OP_Resize, 19);
        struct nmi_resize_attrs *a = c.attrs;
        a->mode = op_case_random(NMI_RESIZE_LINEAR, NMI_RESIZE_CUBIC);
        a->coordinate = op_case_random(0, 1) != 0 ? NMI_ALIGN_CORNERS : NMI_HALF_PIXEL;
        a->antialias = op_case_random(0, 1);
        a->exclude_outside = op_case_random(0, 1);
        OP_IN(&c, NULL, op_case_random(1, 6), op_case_random(1, 6), op_case_random(1, 6));
        op_case_skip(&c);
        op_case_skip(&c);
        for (int d = 0; d < 3; d++) {
            bool same = op_case_random(0, 2) == 0;
            sizes[d] = same ? c.in[0].dims[d] : op_case_random(1, 9);
        }
        op_case_in(&c, NM_I64, 1, (int64_t[]){3}, sizes);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        for (int64_t i = 0; i < sizes[0] * sizes[1] * sizes[2]; i++) {
            double want = naive(&c, i), got = (double)op_case_floats(&c, 0)[i];
            ck_assert_msg(fabs(got - want) < 2e-5, "round %d element %lld: %g, expected %g", round,
                          (long long)i, got, want);
        }
        op_case_end(&c);
    }
}
END_TEST

/* ---- shapes
 * -------------------------------------------------------------------------------------- */

START_TEST(resize_symbols_pass_where_they_can)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Resize, 13);
    float scales[] = {1, 1, 2, 2};
    OP_IN(&c, x16, 1, 3, 2, 2);
    c.facts[0].dims[0] = nmi_dim_symbol(3);
    c.facts[0].dims[3] = nmi_dim_symbol(4);
    op_case_skip(&c);
    OP_IN(&c, scales, 4);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(3), 3, 4, NMI_DIM_UNKNOWN);
    c.facts[2].data = NULL;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN);
    c.given[2] = false;
    struct nmi_known known[] = {{0, nmi_dim_symbol(3)}, {3, 0}, {7, 0}, {0, nmi_dim_symbol(6)}};
    op_case_in(&c, NM_I64, 1, (int64_t[]){4}, (int64_t[]){1, 1, 1, 1});
    c.facts[3].data = NULL;
    c.facts[3].known = known;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(3), 3, 7, nmi_dim_symbol(6));
    op_case_end(&c);
}
END_TEST

START_TEST(resize_adversarial_scales_and_sizes_refused)
{
    static const float scales[] = {0, -1, NAN, INFINITY, 1e-30f, 1e30f, 0.1f};
    static const int64_t sizes[] = {INT64_MIN, -1, 0, (int64_t)1 << 31, INT64_MAX};
    struct op_case c;
    for (size_t i = 0; i < NMI_COUNT(scales); i++) {
        start(&c, 4, 4)->mode = NMI_RESIZE_LINEAR;
        OP_IN(&c, ((float[]){1, scales[i]}), 2);
        ck_assert_int_ne(op_case_infer(&c, 1), NM_OK);
        c.facts[0].dims[3] = NMI_DIM_UNKNOWN;
        (void)op_case_infer(&c, 1);
        op_case_end(&c);
    }
    for (size_t i = 0; i < NMI_COUNT(sizes) * 3; i++) {
        start(&c, 4, 4)->policy = (int64_t)i % 3;
        op_case_skip(&c);
        op_case_in(&c, NM_I64, 1, (int64_t[]){2}, (int64_t[]){sizes[i / 3], sizes[i / 3]});
        ck_assert_int_ne(op_case_infer(&c, 1), NM_OK);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(resize_lists_that_do_not_fit_refused)
{
    struct op_case c;
    start(&c, 4, 4); /* neither scales nor sizes */
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    OP_IN(&c, ((float[]){1, 1, 1}), 3);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    start(&c, 4, 4); /* both */
    OP_IN(&c, ((float[]){1, 1}), 2);
    op_case_in(&c, NM_I64, 1, (int64_t[]){2}, (int64_t[]){4, 4});
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    start(&c, 4, 4)->axes = (struct nmi_ints){2, {2, -2}}; /* one axis twice */
    OP_IN(&c, ((float[]){1, 1}), 2);
    ck_assert_int_ne(op_case_infer(&c, 1), NM_OK);
    op_case_end(&c);
    struct nmi_resize_attrs *a = start(&c, 4, 4);
    a->coordinate = NMI_TF_CROP_AND_RESIZE;
    a->antialias = 1;
    OP_IN(&c, ((float[]){1, 1}), 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    a->antialias = 0; /* no roi */
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(resize_empty_batch_is_empty)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Resize, 13);
    ((struct nmi_resize_attrs *)c.attrs)->mode = NMI_RESIZE_LINEAR;
    OP_IN(&c, x16, 0, 1, 2, 2);
    op_case_skip(&c);
    OP_IN(&c, ((float[]){1, 1, 2, 2}), 4);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 0, 1, 4, 4);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resize");
    TCase *tc = tcase_create("resize");
    tcase_add_test(tc, resize_antialias_examples);
    tcase_add_test(tc, resize_half_pixel_symmetric_example);
    tcase_add_test(tc, resize_keeps_the_aspect_ratio);
    tcase_add_test(tc, resize_nearest_rounds_in_four_ways);
    tcase_add_test(tc, resize_nearest_ties_prefer_floor_or_ceil);
    tcase_add_test(tc, resize_nearest_moves_any_type);
    tcase_add_test(tc, resize_before_11_and_upsample_are_asymmetric);
    tcase_add_test(tc, resize_crop_extrapolates_outside);
    tcase_add_test(tc, resize_random_shapes_match_a_naive_sum);
    tcase_add_test(tc, resize_symbols_pass_where_they_can);
    tcase_add_test(tc, resize_adversarial_scales_and_sizes_refused);
    tcase_add_test(tc, resize_lists_that_do_not_fit_refused);
    tcase_add_test(tc, resize_empty_batch_is_empty);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
