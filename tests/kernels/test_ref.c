/* SPDX-License-Identifier: Apache-2.0 */
/* The reference kernels against loops written down naively here, and against each other. */
#include "kernels/kernel.h"
#include "lib/base/mem.h"
#include "tests/support/lanes_case.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* ---- support -----------------------------------------------------------------------------------
 */

static float *floats(int64_t n)
{
    float *p = nmi_alloc((size_t)n * sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (int64_t i = 0; i < n; i++) {
        p[i] = op_case_float();
    }
    return p;
}

static void run(int32_t kind, const union nmi_desc *desc, struct nmi_kargs args, int parts)
{
    case_run(case_reference(kind, desc), desc, &args, parts);
}

/* Once whole and once in parts, which must give the same bits. */
static void run_split(int32_t kind, const union nmi_desc *desc, struct nmi_kargs args, size_t bytes)
{
    run(kind, desc, args, 1);
    float *whole = nmi_alloc(bytes);
    memcpy(whole, args.y, bytes);
    memset(args.y, 0xff, bytes);
    run(kind, desc, args, (int)op_case_random(2, 9));
    ck_assert(memcmp(whole, args.y, bytes) == 0);
    nmi_free(whole);
}

static void check_close(const float *y, const float *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float bound = 2e-6f * (1 + fabsf(want[i]));
        ck_assert_msg(fabsf(y[i] - want[i]) <= bound, "element %lld: %g, expected %g", (long long)i,
                      (double)y[i], (double)want[i]);
    }
}

/* ---- activations -------------------------------------------------------------------------------
 */

START_TEST(act_values_are_onnx)
{
    static const struct {
        struct nmi_act act;
        float x, y;
    } table[] = {{{NMI_ACT_NONE, 0, 0}, -3, -3},
                 {{NMI_ACT_RELU, 0, 0}, -3, 0},
                 {{NMI_ACT_RELU, 0, 0}, 3, 3},
                 {{NMI_ACT_CLIP, -1, 6}, 7, 6},
                 {{NMI_ACT_CLIP, -1, 6}, -7, -1},
                 {{NMI_ACT_CLIP, 2, 1}, 0, 1},
                 {{NMI_ACT_LEAKY, 0.25f, 0}, -4, -1},
                 {{NMI_ACT_LEAKY, 0.25f, 0}, 4, 4},
                 {{NMI_ACT_SIGMOID, 0, 0}, 0, 0.5f},
                 {{NMI_ACT_SIGMOID, 0, 0}, -200, 0},
                 {{NMI_ACT_SIGMOID, 0, 0}, 200, 1},
                 {{NMI_ACT_HARDSWISH, 0, 0}, 3, 3},
                 {{NMI_ACT_HARDSWISH, 0, 0}, -3, 0},
                 {{NMI_ACT_HARDSWISH, 0, 0}, 1.5f, 1.125f},
                 {{NMI_ACT_SWISH, 0, 0}, 0, 0},
                 {{NMI_ACT_SWISH, 0, 0}, 1, 0.7310585786f},
                 {{NMI_ACT_SWISH, 0, 0}, -1, -0.26894142f},
                 {{NMI_ACT_GELU, 0, 0}, 0, 0},
                 {{NMI_ACT_GELU, 0, 0}, 1, 0.8413447461f},
                 {{NMI_ACT_GELU, 0, 0}, -1, -0.1586552539f}};
    for (size_t i = 0; i < NMI_COUNT(table); i++) {
        float y = nmi_act_apply(table[i].act, table[i].x);
        ck_assert_msg(fabsf(y - table[i].y) <= 1e-6f, "line %zu gives %g", i, (double)y);
        ck_assert(isnan(nmi_act_apply(table[i].act, NAN)));
    }
}
END_TEST

/* ---- convolution -------------------------------------------------------------------------------
 */

struct conv_case {
    union nmi_desc desc;
    float *x, *w, *bias, *res, *y, *want;
    int64_t terms, outputs;
};

static int32_t pick(int32_t low, int32_t high)
{
    return (int32_t)op_case_random(low, high);
}

static struct conv_case conv_random(void)
{
    struct conv_case c = {0};
    struct nmi_conv_desc *d = &c.desc.conv;
    d->groups = pick(1, 3);
    d->kh = pick(1, 4);
    d->kw = pick(1, 4);
    d->stride_h = pick(1, 3);
    d->stride_w = pick(1, 3);
    d->dil_h = pick(1, 3);
    d->dil_w = pick(1, 3);
    for (int i = 0; i < 4; i++) {
        d->pad[i] = pick(0, 3);
    }
    d->x = (struct nmi_image){.n = pick(1, 3), .c = d->groups * pick(1, 5)};
    d->x.h = (d->kh - 1) * d->dil_h + pick(1, 9);
    d->x.w = (d->kw - 1) * d->dil_w + pick(1, 9);
    d->y = (struct nmi_image){.n = d->x.n, .c = d->groups * pick(1, 5)};
    d->y.h = (d->x.h + d->pad[0] + d->pad[2] - (d->kh - 1) * d->dil_h - 1) / d->stride_h + 1;
    d->y.w = (d->x.w + d->pad[1] + d->pad[3] - (d->kw - 1) * d->dil_w - 1) / d->stride_w + 1;
    d->bias = pick(0, 1) != 0;
    d->residual = pick(0, 1) != 0;
    d->act.kind = pick(0, 1) != 0 ? NMI_ACT_RELU : NMI_ACT_NONE;
    c.terms = (int64_t)(d->x.c / d->groups) * d->kh * d->kw;
    c.outputs = (int64_t)d->y.n * d->y.c * d->y.h * d->y.w;
    c.x = floats((int64_t)d->x.n * d->x.c * d->x.h * d->x.w);
    c.w = floats(c.terms * d->y.c);
    c.bias = floats(d->y.c);
    c.res = floats(c.outputs);
    c.y = floats(c.outputs);
    c.want = floats(c.outputs);
    return c;
}

static void conv_free(struct conv_case *c)
{
    nmi_free(c->x);
    nmi_free(c->w);
    nmi_free(c->bias);
    nmi_free(c->res);
    nmi_free(c->y);
    nmi_free(c->want);
}

static double conv_at(const struct conv_case *c, int n, int oc, int oy, int ox)
{
    const struct nmi_conv_desc *d = &c->desc.conv;
    int each = d->x.c / d->groups, first = oc / (d->y.c / d->groups) * each;
    double sum = 0;
    for (int ic = 0; ic < each; ic++) {
        for (int ky = 0; ky < d->kh; ky++) {
            for (int kx = 0; kx < d->kw; kx++) {
                int y = oy * d->stride_h - d->pad[0] + ky * d->dil_h;
                int x = ox * d->stride_w - d->pad[1] + kx * d->dil_w;
                bool inside = y >= 0 && y < d->x.h && x >= 0 && x < d->x.w;
                int64_t from = (((int64_t)n * d->x.c + first + ic) * d->x.h + y) * d->x.w + x;
                int64_t w = ((int64_t)(oc * each + ic) * d->kh + ky) * d->kw + kx;
                sum += inside ? (double)c->x[from] * (double)c->w[w] : 0;
            }
        }
    }
    return sum;
}

static void conv_naive(struct conv_case *c)
{
    const struct nmi_conv_desc *d = &c->desc.conv;
    for (int64_t i = 0; i < c->outputs; i++) {
        int ox = (int)(i % d->y.w), oy = (int)(i / d->y.w % d->y.h);
        int oc = (int)(i / d->y.w / d->y.h % d->y.c), n = (int)(i / d->y.w / d->y.h / d->y.c);
        double v = conv_at(c, n, oc, oy, ox);
        v += d->bias ? (double)c->bias[oc] : 0;
        v += d->residual ? (double)c->res[i] : 0;
        c->want[i] = nmi_act_apply(d->act, (float)v);
    }
}

START_TEST(conv_random_shapes_match_seven_loops)
{
    op_case_seed();
    for (int round = 0; round < 200; round++) {
        struct conv_case c = conv_random();
        struct nmi_kargs args = {.x = c.x, .w = c.w, .bias = c.bias, .res = c.res, .y = c.y};
        run_split(NMI_KIND_CONV, &c.desc, args, (size_t)c.outputs * sizeof(float));
        conv_naive(&c);
        check_close(c.y, c.want, c.outputs);
        conv_free(&c);
    }
}
END_TEST

START_TEST(conv_residual_in_place_is_read_first)
{
    op_case_seed();
    struct conv_case c = conv_random();
    c.desc.conv.residual = true;
    conv_naive(&c);
    memcpy(c.y, c.res, (size_t)c.outputs * sizeof(float));
    struct nmi_kargs args = {.x = c.x, .w = c.w, .bias = c.bias, .res = c.y, .y = c.y};
    run(NMI_KIND_CONV, &c.desc, args, 3);
    check_close(c.y, c.want, c.outputs);
    conv_free(&c);
}
END_TEST

/* The nonzeros of dense rows; arrays of nmi_alloc. */
static struct nmi_csr csr_of(const float *w, int32_t rows, int32_t cols)
{
    int32_t *start = nmi_calloc((size_t)rows + 1, sizeof *start);
    int32_t *col = nmi_calloc((size_t)rows * (size_t)cols + 1, sizeof *col);
    float *val = nmi_calloc((size_t)rows * (size_t)cols + 1, sizeof *val);
    int32_t n = 0;
    for (int32_t i = 0; i < rows * cols; i++) {
        start[i / cols] = i % cols == 0 ? n : start[i / cols];
        if (w[i] != 0) {
            col[n] = i % cols;
            val[n++] = w[i];
        }
    }
    start[rows] = n;
    return (struct nmi_csr){rows, cols, n, start, col, val};
}

static void csr_free(struct nmi_csr *csr)
{
    nmi_free((void *)csr->row_start);
    nmi_free((void *)csr->col);
    nmi_free((void *)csr->val);
}

static void thin(float *w, int64_t n, int zeros_of_10)
{
    for (int64_t i = 0; i < n; i++) {
        w[i] = pick(0, 9) < zeros_of_10 ? 0 : w[i];
    }
}

START_TEST(spconv_gives_the_bits_of_conv)
{
    op_case_seed();
    for (int round = 0; round < 100; round++) {
        struct conv_case c = conv_random();
        thin(c.w, c.terms * c.desc.conv.y.c, pick(0, 10));
        struct nmi_kargs args = {.x = c.x, .w = c.w, .bias = c.bias, .res = c.res, .y = c.want};
        run(NMI_KIND_CONV, &c.desc, args, 1);
        struct nmi_csr csr = csr_of(c.w, c.desc.conv.y.c, (int32_t)c.terms);
        const struct nmi_kernel *k = nmi_kernel_find(NMI_KIND_SPCONV, NM_ISA_REF, &c.desc, NULL);
        ck_assert_ptr_nonnull(k);
        void *packed = nmi_alloc(k->packed_bytes(&c.desc, &csr));
        k->pack(&c.desc, &csr, packed);
        csr_free(&csr); /* the packed form is a copy */
        args.y = c.y;
        args.w = NULL;
        args.packed = packed;
        run_split(NMI_KIND_SPCONV, &c.desc, args, (size_t)c.outputs * sizeof(float));
        ck_assert(memcmp(c.y, c.want, (size_t)c.outputs * sizeof(float)) == 0);
        nmi_free(packed);
        conv_free(&c);
    }
}
END_TEST

/* Deconvolution is the adjoint: <conv(y), x> = <y, deconv(x)> for the same weights. */
START_TEST(deconv_is_the_adjoint_of_conv)
{
    op_case_seed();
    for (int round = 0; round < 100; round++) {
        struct conv_case c = conv_random();
        struct nmi_conv_desc *d = &c.desc.conv;
        d->bias = d->residual = false;
        d->act.kind = NMI_ACT_NONE;
        struct nmi_kargs args = {.x = c.x, .w = c.w, .y = c.y};
        run(NMI_KIND_CONV, &c.desc, args, 1);
        union nmi_desc back = c.desc;
        back.conv.x = d->y;
        back.conv.y = d->x;
        int64_t inputs = (int64_t)d->x.n * d->x.c * d->x.h * d->x.w;
        float *z = floats(inputs);
        struct nmi_kargs back_args = {.x = c.res, .w = c.w, .y = z};
        run_split(NMI_KIND_DECONV, &back, back_args, (size_t)inputs * sizeof(float));
        double left = 0, right = 0;
        for (int64_t i = 0; i < c.outputs; i++) {
            left += (double)c.y[i] * (double)c.res[i];
        }
        for (int64_t i = 0; i < inputs; i++) {
            right += (double)z[i] * (double)c.x[i];
        }
        ck_assert_double_eq_tol(left, right, 1e-4 * (1 + fabs(left)));
        nmi_free(z);
        conv_free(&c);
    }
}
END_TEST

/* ---- products ----------------------------------------------------------------------------------
 */

static float gemm_at(const struct nmi_gemm_desc *d, const struct nmi_kargs *args, int64_t b,
                     int64_t m, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < d->k; k++) {
        int64_t i = d->trans_a ? k * d->m + m : m * d->k + k;
        int64_t j = d->trans_b ? n * d->k + k : k * d->n + n;
        sum += (double)args->x[b * d->stride_a + i] * (double)args->w[b * d->stride_b + j];
    }
    int64_t at = d->bias_rank == 1    ? n
                 : d->bias_rank == 2  ? m * d->n + n
                 : d->bias_rank == -2 ? m
                                      : 0;
    double bias = d->bias_rank != 0 ? (double)args->bias[at] : 0;
    return (float)((double)d->alpha * sum + (double)d->beta * bias);
}

START_TEST(gemm_random_shapes_match_three_loops)
{
    op_case_seed();
    for (int round = 0; round < 200; round++) {
        struct nmi_gemm_desc d = {.batch = pick(1, 3),
                                  .m = pick(1, 20),
                                  .n = pick(1, 40),
                                  .k = pick(0, 20),
                                  .trans_a = pick(0, 1) != 0,
                                  .trans_b = pick(0, 1) != 0,
                                  .bias_rank = pick(-2, 2),
                                  .alpha = op_case_float(),
                                  .beta = op_case_float()};
        d.stride_a = pick(0, 1) * d.m * d.k;
        d.stride_b = pick(0, 1) * d.k * d.n;
        d.stride_c = d.m * d.n;
        int64_t outputs = d.batch * d.stride_c;
        float *a = floats(d.batch * d.m * d.k), *b = floats(d.batch * d.k * d.n);
        float *bias = floats(d.m * d.n), *y = floats(outputs), *want = floats(outputs);
        struct nmi_kargs args = {.x = a, .w = b, .bias = bias, .y = y};
        union nmi_desc desc = {.gemm = d};
        run_split(NMI_KIND_GEMM, &desc, args, (size_t)outputs * sizeof(float));
        for (int64_t i = 0; i < outputs; i++) {
            want[i] = gemm_at(&d, &args, i / d.stride_c, i / d.n % d.m, i % d.n);
        }
        check_close(y, want, outputs);
        nmi_free(a);
        nmi_free(b);
        nmi_free(bias);
        nmi_free(y);
        nmi_free(want);
    }
}
END_TEST

START_TEST(fc_gives_the_product_with_sparse_rows)
{
    op_case_seed();
    for (int round = 0; round < 50; round++) {
        union nmi_desc desc = {
            .fc = {.n = pick(1, 5), .m = pick(1, 30), .k = pick(1, 30), .bias = pick(0, 1) != 0}};
        struct nmi_fc_desc *d = &desc.fc;
        float *w = floats((int64_t)d->m * d->k), *x = floats((int64_t)d->n * d->k);
        float *bias = floats(d->m), *y = floats((int64_t)d->n * d->m);
        thin(w, (int64_t)d->m * d->k, 8);
        struct nmi_csr csr = csr_of(w, d->m, d->k);
        const struct nmi_kernel *k = nmi_kernel_find(NMI_KIND_FC, NM_ISA_REF, &desc, NULL);
        void *packed = nmi_alloc(k->packed_bytes(&desc, &csr));
        k->pack(&desc, &csr, packed);
        struct nmi_kargs args = {.x = x, .packed = packed, .bias = bias, .y = y};
        run_split(NMI_KIND_FC, &desc, args, (size_t)d->n * (size_t)d->m * sizeof(float));
        union nmi_desc dense = {.gemm = {.batch = 1,
                                         .m = d->n,
                                         .n = d->m,
                                         .k = d->k,
                                         .trans_b = true,
                                         .alpha = 1,
                                         .beta = 1,
                                         .bias_rank = d->bias}};
        float *want = floats((int64_t)d->n * d->m);
        struct nmi_kargs dense_args = {.x = x, .w = w, .bias = bias, .y = want};
        run(NMI_KIND_GEMM, &dense, dense_args, 1);
        check_close(y, want, (int64_t)d->n * d->m);
        csr_free(&csr);
        nmi_free(packed);
        nmi_free(w);
        nmi_free(x);
        nmi_free(bias);
        nmi_free(y);
        nmi_free(want);
    }
}
END_TEST

/* ---- pooling -----------------------------------------------------------------------------------
 */

static float pool_at(const struct nmi_pool_desc *d, const float *x, int64_t plane, int oy, int ox)
{
    double sum = 0;
    float max = -INFINITY;
    int count = 0;
    for (int k = 0; k < d->kh * d->kw; k++) {
        int y = oy * d->stride_h - d->pad[0] + k / d->kw * d->dil_h;
        int z = ox * d->stride_w - d->pad[1] + k % d->kw * d->dil_w;
        bool inside = y >= 0 && y < d->x.h && z >= 0 && z < d->x.w;
        bool padded =
            y >= -d->pad[0] && y < d->x.h + d->pad[2] && z >= -d->pad[1] && z < d->x.w + d->pad[3];
        count += d->include_pad ? padded : inside;
        if (inside) {
            float v = x[(plane * d->x.h + y) * d->x.w + z];
            sum += (double)v;
            max = v > max ? v : max;
        }
    }
    return !d->average ? max : count > 0 ? (float)(sum / count) : 0;
}

START_TEST(pool_random_windows_match_naive_loops)
{
    op_case_seed();
    for (int round = 0; round < 300; round++) {
        union nmi_desc desc = {
            .pool = {.average = pick(0, 1) != 0, .include_pad = pick(0, 1) != 0}};
        struct nmi_pool_desc *d = &desc.pool;
        d->kh = pick(1, 4);
        d->kw = pick(1, 4);
        d->stride_h = pick(1, 3);
        d->stride_w = pick(1, 3);
        d->dil_h = pick(1, 3);
        d->dil_w = pick(1, 3);
        for (int i = 0; i < 4; i++) {
            d->pad[i] = pick(0, 4);
        }
        d->x =
            (struct nmi_image){.n = pick(1, 2), .c = pick(1, 3), .h = pick(1, 9), .w = pick(1, 9)};
        d->y = d->x;
        d->y.h = pick(1, 6); /* windows may reach beyond the padded map */
        d->y.w = pick(1, 6);
        int64_t planes = (int64_t)d->x.n * d->x.c, outputs = planes * d->y.h * d->y.w;
        float *x = floats(planes * d->x.h * d->x.w), *y = floats(outputs), *want = floats(outputs);
        struct nmi_kargs args = {.x = x, .y = y};
        run_split(NMI_KIND_POOL, &desc, args, (size_t)outputs * sizeof(float));
        for (int64_t i = 0; i < outputs; i++) {
            want[i] =
                pool_at(d, x, i / d->y.w / d->y.h, (int)(i / d->y.w % d->y.h), (int)(i % d->y.w));
            ck_assert(y[i] == want[i] || fabsf(y[i] - want[i]) < 1e-6f);
        }
        nmi_free(x);
        nmi_free(y);
        nmi_free(want);
    }
}
END_TEST

START_TEST(pool_max_passes_over_nan)
{
    union nmi_desc desc = {.pool = {.kh = 1, .kw = 2, .stride_h = 1, .stride_w = 2, .dil_h = 1}};
    desc.pool.dil_w = 1;
    desc.pool.x = (struct nmi_image){.n = 1, .c = 1, .h = 1, .w = 6};
    desc.pool.y = (struct nmi_image){.n = 1, .c = 1, .h = 1, .w = 3};
    float x[] = {NAN, -2, 3, NAN, NAN, NAN}, y[3];
    run(NMI_KIND_POOL, &desc, (struct nmi_kargs){.x = x, .y = y}, 1);
    ck_assert_float_eq(y[0], -2);
    ck_assert_float_eq(y[1], 3);
    ck_assert_float_eq(y[2], -INFINITY);
}
END_TEST

START_TEST(gpool_mean_and_max_of_planes)
{
    union nmi_desc desc = {.gpool = {.x = {.n = 1, .c = 2, .h = 1, .w = 3}, .average = true}};
    float x[] = {1, 2, 6, -1, -5, 0}, y[2];
    run(NMI_KIND_GPOOL, &desc, (struct nmi_kargs){.x = x, .y = y}, 2);
    ck_assert_float_eq(y[0], 3);
    ck_assert_float_eq(y[1], -2);
    desc.gpool.average = false;
    run(NMI_KIND_GPOOL, &desc, (struct nmi_kargs){.x = x, .y = y}, 1);
    ck_assert_float_eq(y[0], 6);
    ck_assert_float_eq(y[1], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref");
    TCase *tc = tcase_create("ref");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, act_values_are_onnx);
    tcase_add_test(tc, conv_random_shapes_match_seven_loops);
    tcase_add_test(tc, conv_residual_in_place_is_read_first);
    tcase_add_test(tc, spconv_gives_the_bits_of_conv);
    tcase_add_test(tc, deconv_is_the_adjoint_of_conv);
    tcase_add_test(tc, gemm_random_shapes_match_three_loops);
    tcase_add_test(tc, fc_gives_the_product_with_sparse_rows);
    tcase_add_test(tc, pool_random_windows_match_naive_loops);
    tcase_add_test(tc, pool_max_passes_over_nan);
    tcase_add_test(tc, gpool_mean_and_max_of_planes);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
