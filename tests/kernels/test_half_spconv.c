/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sparse convolution in float16: the kernel's own source with plain loops for vectors, so that the
 * walk, the offsets, the tails and the error are tested on any CPU; and, where there is
 * AVX512_FP16, the kernel itself. Held against sums in double, with the bound that the kernel states.
 */
#include "lib/base/mem.h"
#include "tests/support/lanes_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __FLT16_MAX__

#define KERNEL f16_spconv_lanes
#define ISA_NAME emulated
extern const struct nmi_kernel nmi_k_f16_spconv_lanes__emulated;
#include "kernels/simd/spconv_half.inc"

enum { CASES = 40, HALF = 32 };
static const struct nmi_kernel *kernel = &nmi_k_f16_spconv_lanes__emulated;

static float rounded(float v)
{
    return (float)(_Float16)v;
}

/* ---- cases -------------------------------------------------------------------------------------- */

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static void lay_out(struct nmi_conv_desc *d)
{
    const int32_t h = larger(d->y.h, (d->x.h + d->stride_h - 1) / d->stride_h);
    const int32_t w = larger(d->y.w, (d->x.w + d->stride_w - 1) / d->stride_w);
    const int32_t below = (d->kh - 1) * d->dil_h - d->pad[0] - (d->stride_h - 1);
    const int32_t right = (d->kw - 1) * d->dil_w - d->pad[1] - (d->stride_w - 1);
    int32_t in[4] = {d->pad[0], d->pad[1], larger(below, 0), larger(right, 0)}, out[4] = {0};
    for (int i = 0; i < 4; i++) {
        in[i] += case_random(0, 3) ? 0 : 1;
        out[i] = case_random(0, 1) ? case_random(0, 2) : 0;
    }
    const int32_t ipv = d->x.n == 1 ? 1 : case_ipv(HALF);
    d->y.layout = nmi_layout_best(HALF, h, w, ipv, out);
    d->x.layout = nmi_layout_input(&d->y.layout, d->stride_h, d->stride_w, in);
}

static struct nmi_conv_desc random_conv(void)
{
    static const int32_t acts[] = {NMI_ACT_NONE, NMI_ACT_RELU, NMI_ACT_CLIP};
    struct nmi_conv_desc d = {.bias = case_random(0, 1), .residual = case_random(0, 2) == 0};
    d.act = (struct nmi_act){.kind = acts[case_random(0, 2)], .alpha = -0.5f, .beta = 1.5f};
    d.kh = d.kw = case_random(0, 1) ? 1 : case_random(2, 3);
    d.stride_h = d.stride_w = case_random(0, 2) ? 1 : 2;
    d.dil_h = d.dil_w = case_random(0, 3) ? 1 : 2;
    d.groups = case_random(0, 3) ? 1 : 3;
    for (int i = 0; i < 4; i++) {
        d.pad[i] = d.kh == 1 ? 0 : case_random(0, 2);
    }
    d.x = case_plain(case_random(0, 1) ? 1 : case_random(1, 5), d.groups * case_random(1, 24),
                     case_random(5, 20), case_random(5, 20));
    d.y = d.x;
    d.y.c = d.groups * (case_random(0, 3) ? case_random(1, 20) : NMI_SP_COPY_ROWS);
    d.y.h = (d.x.h + d.pad[0] + d.pad[2] - d.dil_h * (d.kh - 1) - 1) / d.stride_h + 1;
    d.y.w = (d.x.w + d.pad[1] + d.pad[3] - d.dil_w * (d.kw - 1) - 1) / d.stride_w + 1;
    lay_out(&d);
    d.blocking.tr = (int16_t)case_random(1, 4);
    d.blocking.tc = (int16_t)case_random(1, 14 / d.blocking.tr > 4 && d.blocking.tr > 1 ? 3 : 14);
    if (nmi_sp_flat(&d)) {
        d.blocking.tr = 1;
    }
    d.blocking.tc = d.blocking.tr > 1 && d.blocking.tc > 3 ? 3 : d.blocking.tc;
    d.blocking.icb = case_random(1, d.x.c);
    d.blocking.slices = (int16_t)case_random(1, 5);
    return d;
}

/* ---- images ------------------------------------------------------------------------------------- */

/* n c h w floats that float16 holds exactly. */
static float *values(const struct nmi_image *image)
{
    const size_t n = (size_t)image->n * (size_t)image->c * (size_t)image->h * (size_t)image->w;
    float *v = calloc(n + 1, sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++) {
        v[i] = rounded(case_float());
    }
    return v;
}

static float value_at(const float *v, const struct nmi_image *i, int32_t n, int32_t c, int32_t y,
                      int32_t x)
{
    return v[(((size_t)n * (size_t)i->c + (size_t)c) * (size_t)i->h + (size_t)y) * (size_t)i->w +
             (size_t)x];
}

/* All of a LANES image: values inside the map, zero outside of it, NaN in the padding of planes and
 * in lanes beyond the batch. */
static void fill(_Float16 *to, const struct nmi_image *image, const float *v)
{
    const struct nmi_layout *l = &image->layout;
    const int32_t ipv = nmi_layout_ipv(l), cells = l->pitch * (l->halo[0] + l->sub_h + l->halo[2]);
    const int64_t planes = (int64_t)((image->n + ipv - 1) / ipv) * image->c;
    for (int64_t i = 0; i < planes * l->plane * HALF; i++) {
        const int32_t lane = (int32_t)(i % HALF), at = (int32_t)(i / HALF % l->plane);
        const int64_t plane = i / HALF / l->plane;
        const int32_t n = (int32_t)(plane / image->c) * ipv + lane / (l->gy * l->gx);
        const int32_t cell = lane % (l->gy * l->gx);
        const int32_t y = cell / l->gx * l->sub_h + at / l->pitch - l->halo[0];
        const int32_t x = cell % l->gx * l->sub_w + at % l->pitch - l->halo[1];
        const bool inside = y >= 0 && y < image->h && x >= 0 && x < image->w;
        to[i] = n >= image->n || at >= cells ? (_Float16)NAN
                : inside ? (_Float16)value_at(v, image, n, (int32_t)(plane % image->c), y, x)
                         : (_Float16)0;
    }
}

static struct guard half_image(const struct nmi_image *image)
{
    const size_t bytes = nmi_image_bytes(image);
    ck_assert_uint_ne(bytes, 0);
    struct guard memory = guard_make(bytes - NMI_SLACK, true);
    memset(memory.data, 0xff, bytes - NMI_SLACK);
    return memory;
}

/* ---- what must come out ------------------------------------------------------------------------- */

struct problem {
    struct nmi_conv_desc d;
    struct case_csr w;
    float *x, *res, bias[512];
};

/* The exact sum, and the sum of magnitudes. */
static double exact(const struct problem *p, const int32_t at[4], double *magnitude)
{
    const struct nmi_conv_desc *d = &p->d;
    const int32_t m = at[1], taps = d->kh * d->kw;
    const int32_t first = m / (d->y.c / d->groups) * (d->x.c / d->groups);
    double sum = d->bias ? (double)p->bias[m] : 0;
    sum += d->residual ? (double)value_at(p->res, &d->y, at[0], m, at[2], at[3]) : 0;
    *magnitude = fabs(sum);
    for (int32_t k = p->w.csr.row_start[m]; k < p->w.csr.row_start[m + 1]; k++) {
        const int32_t tap = p->w.csr.col[k] % taps, c = first + p->w.csr.col[k] / taps;
        const int32_t y = at[2] * d->stride_h - d->pad[0] + tap / d->kw * d->dil_h;
        const int32_t x = at[3] * d->stride_w - d->pad[1] + tap % d->kw * d->dil_w;
        if (y >= 0 && y < d->x.h && x >= 0 && x < d->x.w) {
            const double term =
                (double)p->w.csr.val[k] * (double)value_at(p->x, &d->x, at[0], c, y, x);
            sum += term;
            *magnitude += fabs(term);
        }
    }
    return sum;
}

static void check_output(const struct problem *p, const _Float16 *y)
{
    const struct nmi_conv_desc *d = &p->d;
    for (int64_t i = 0; i < (int64_t)d->y.n * d->y.c * d->y.h * d->y.w; i++) {
        const int32_t at[4] = {(int32_t)(i / d->y.w / d->y.h / d->y.c),
                               (int32_t)(i / d->y.w / d->y.h % d->y.c),
                               (int32_t)(i / d->y.w % d->y.h), (int32_t)(i % d->y.w)};
        const int32_t n = p->w.csr.row_start[at[1] + 1] - p->w.csr.row_start[at[1]];
        double magnitude;
        const double sum = exact(p, at, &magnitude);
        const double want = (double)nmi_act_apply(d->act, (float)sum);
        const double got = (double)y[nmi_image_at(&d->y, at[0], at[1], at[2], at[3])];
        const double bound = (n + 2) * 0x1p-11 * magnitude + 0x1p-20;
        ck_assert_msg(fabs(got - want) <= bound,
                      "%s: y[%d %d %d %d] = %g, want %g, bound %g; %dx%d stride %d, tile %dx%d/%d",
                      kernel->name, at[0], at[1], at[2], at[3], got, want, bound, d->kh, d->kw,
                      d->stride_h, d->blocking.tr, d->blocking.tc, d->blocking.icb);
    }
}

static void check(struct problem *p, const union nmi_desc *desc)
{
    const struct nmi_conv_desc *d = &p->d;
    struct guard x = half_image(&d->x), res = half_image(&d->y);
    struct guard packed = guard_make(kernel->packed_bytes(desc, &p->w.csr), true);
    size_t bytes = nmi_image_bytes(&d->y) - NMI_SLACK;
    void *first = NULL;
    fill(x.data, &d->x, p->x);
    kernel->pack(desc, &p->w.csr, packed.data);
    for (int parts = 1; parts <= 8; parts++) {
        struct guard y = half_image(&d->y);
        if (d->residual) {
            fill(res.data, &d->y, p->res);
            memcpy(y.data, res.data, bytes); /* in place */
        }
        const struct nmi_kargs args = {.x = x.data,
                                       .packed = packed.data,
                                       .bias = p->bias,
                                       .res = y.data,
                                       .y = y.data};
        case_run(kernel, desc, &args, parts);
        check_output(p, y.data);
        if (first == NULL) {
            first = malloc(bytes);
            memcpy(first, y.data, bytes);
        }
        ck_assert_mem_eq(first, y.data, bytes);
        guard_free(&y);
    }
    free(first);
    guard_free(&x);
    guard_free(&res);
    guard_free(&packed);
}

START_TEST(half_random_convolutions_within_the_bound)
{
    int ran = 0;
    for (int i = 0; i < CASES; i++) {
        union nmi_desc desc = {.conv = random_conv()};
        struct problem p = {.d = desc.conv};
        const struct nmi_conv_desc *d = &p.d;
        p.w = case_csr_make(d->y.c, d->x.c / d->groups * d->kh * d->kw, 0.3, case_random(0, 4));
        for (int64_t k = 0; k < p.w.csr.nnz; k++) {
            p.w.val[k] = rounded(p.w.val[k]);
        }
        for (int32_t k = 0; k < d->y.c; k++) {
            p.bias[k] = rounded(case_float());
        }
        p.x = values(&d->x);
        p.res = values(&d->y);
        const char *why = kernel->refuse(&desc);
        if (why == NULL && kernel->packed_bytes(&desc, &p.w.csr) > 0) {
            check(&p, &desc);
            ran++;
        }
        free(p.x);
        free(p.res);
        case_csr_free(&p.w);
    }
    printf("%s: %d of %d ran\n", kernel->name, ran, CASES);
    ck_assert_int_gt(ran, CASES / 2);
}
END_TEST

START_TEST(half_candidates_run_and_large_weights_are_refused)
{
    union nmi_desc desc = {.conv = random_conv()};
    struct nmi_conv_desc *d = &desc.conv;
    d->groups = d->kh = d->kw = d->stride_h = d->stride_w = 1;
    memset(d->pad, 0, sizeof d->pad);
    d->y.h = d->x.h;
    d->y.w = d->x.w;
    lay_out(d);
    struct case_csr w = case_csr_make(d->y.c, d->x.c, 0.5, 1);
    struct nmi_blocking b[12];
    const int n = kernel->candidates(&desc, &w.csr, b, 12);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) {
        d->blocking = b[i];
        ck_assert_int_eq(b[i].order, 0);
        ck_assert(kernel->packed_bytes(&desc, &w.csr) > 0);
    }
    w.val[0] = 70000.0f;
    ck_assert_uint_eq(kernel->packed_bytes(&desc, &w.csr), 0);
    d->act.kind = NMI_ACT_SIGMOID;
    ck_assert_ptr_nonnull(kernel->refuse(&desc));
    case_csr_free(&w);
}
END_TEST

int main(void)
{
    const struct TTest *const tests[] = {half_random_convolutions_within_the_bound,
                                         half_candidates_run_and_large_weights_are_refused};
    int failed = case_main("half_spconv", tests, 2);
    for (int i = 0; i < nmi_kernel_count && failed == 0; i++) {
        if (nmi_kernels[i]->fp16 && case_runs_here(nmi_kernels[i])) {
            kernel = nmi_kernels[i];
            failed = case_main("half_spconv on AVX512_FP16", tests, 2);
        }
    }
    return failed;
}

#else

int main(void)
{
    printf("skip: the compiler has no _Float16\n");
    return 0;
}

#endif
