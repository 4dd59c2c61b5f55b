/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the kernels in lanes on one core.
 * usage: bench_kernels [SPARSITY] [avx512|avx2] [BATCH] [ROWS]
 * The convolutions of ResNet-50, each alone, with random weights: milliseconds, GFLOP/s on
 * nonzeros, and percent of what this core reaches with multiply-adds whose operand is in L1 and
 * one broadcast for 14 of them, idle lanes counted as work. Then the kernels around them.
 * ROWS 2 or 4: these convolutions only, pruned in blocks of so many output channels, against single
 * weights pruned as much.
 */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"
#include "lib/base/mem.h"
#include "tests/support/bench_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    int32_t oc, ic, k, stride, size, times;
};
static const struct shape resnet50[] = {
    {64, 64, 1, 1, 56, 1},     {64, 64, 3, 1, 56, 3},    {256, 64, 1, 1, 56, 4},
    {64, 256, 1, 1, 56, 2},    {128, 256, 1, 1, 56, 1},  {128, 128, 3, 2, 56, 1},
    {512, 256, 1, 2, 56, 1},   {512, 128, 1, 1, 28, 4},  {128, 512, 1, 1, 28, 3},
    {128, 128, 3, 1, 28, 3},   {256, 512, 1, 1, 28, 1},  {256, 256, 3, 2, 28, 1},
    {1024, 512, 1, 2, 28, 1},  {1024, 256, 1, 1, 14, 6}, {256, 1024, 1, 1, 14, 5},
    {256, 256, 3, 1, 14, 5},   {512, 1024, 1, 1, 14, 1}, {512, 512, 3, 2, 14, 1},
    {2048, 1024, 1, 2, 14, 1}, {2048, 512, 1, 1, 7, 3},  {512, 2048, 1, 1, 7, 2},
    {512, 512, 3, 1, 7, 2}};

/* ---- convolutions ------------------------------------------------------------------------- */

/* Each run of `alike` rows has the same columns. */
static struct nmi_csr random_csr(int32_t rows, int32_t cols, double sparsity, int32_t alike)
{
    const size_t most = (size_t)rows * (size_t)cols + 1;
    int32_t *start = bench_alloc(((size_t)rows + 1) * sizeof *start);
    int32_t *col = bench_alloc(most * sizeof *col);
    float *val = bench_alloc(most * sizeof *val);
    struct nmi_csr w = {.rows = rows, .cols = cols, .row_start = start, .col = col, .val = val};
    start[0] = 0;
    for (int32_t r = 0; r < rows; r++) {
        const int32_t first = r - r % alike;
        if (r == first) {
            for (int32_t c = 0; c < cols; c++) {
                col[w.nnz] = c;
                w.nnz += (double)bench_uniform() >= sparsity;
            }
        } else {
            const size_t n = (size_t)(start[first + 1] - start[first]);
            memcpy(col + w.nnz, col + start[first], n * sizeof *col);
            w.nnz += (int64_t)n;
        }
        start[r + 1] = (int32_t)w.nnz;
    }
    for (int64_t i = 0; i < w.nnz; i++) {
        val[i] = bench_uniform() - 0.5f;
    }
    return w;
}

static void csr_free(const struct nmi_csr *w)
{
    nmi_free((void *)w->row_start);
    nmi_free((void *)w->col);
    nmi_free((void *)w->val);
}

static struct nmi_conv_desc conv_of(const struct shape *s, nm_isa isa, int32_t batch)
{
    const int32_t vl = nmi_isa_lanes(isa), pad = s->k / 2, size = (s->size - 1) / s->stride + 1;
    const int32_t after = s->k - 1 - pad - (s->stride - 1), none[4] = {0};
    const int32_t end = after > 0 ? after : 0, halo[4] = {pad, pad, end, end};
    struct nmi_conv_desc d = {.groups = 1,
                              .kh = s->k,
                              .kw = s->k,
                              .stride_h = s->stride,
                              .stride_w = s->stride,
                              .dil_h = 1,
                              .dil_w = 1,
                              .pad = {pad, pad, pad, pad},
                              .act = {.kind = NMI_ACT_RELU},
                              .bias = true};
    d.x = (struct nmi_image){.n = batch, .c = s->ic, .h = s->size, .w = s->size};
    d.y = (struct nmi_image){.n = batch, .c = s->oc, .h = size, .w = size};
    d.y.layout = nmi_layout_best(vl, size, size, batch >= vl ? vl : 1, none);
    d.x.layout = nmi_layout_input(&d.y.layout, s->stride, s->stride, halo);
    return d;
}

struct result {
    double first, best; /* seconds: of the first guess, of the best candidate */
    struct nmi_blocking blocking;
    int64_t nnz;
};

static void layer_name(const struct shape *s, char name[32])
{
    snprintf(name, 32, "%dx%dx%d/%d@%d", s->oc, s->ic, s->k, s->stride, s->size);
}

static void blocking_name(const struct nmi_blocking *b, char name[32])
{
    snprintf(name, 32, "%dx%d/%d/%d/%d", b->tr, b->tc, b->icb, b->order, b->slices);
}

static double time_blocking(struct bench_job *job, const struct nmi_csr *w, double budget)
{
    void *packed = bench_alloc(job->kernel->packed_bytes(&job->desc, w));
    job->kernel->pack(&job->desc, w, packed);
    job->args.packed = packed;
    const double seconds = bench_time(job, budget);
    nmi_free(packed);
    return seconds;
}

static struct result bench_conv(const struct nmi_conv_desc *d, nm_isa isa, double sparsity,
                                int32_t alike)
{
    struct bench_job job = bench_job_make(NMI_KIND_SPCONV, isa, (union nmi_desc){.conv = *d});
    const struct nmi_csr w = random_csr(d->y.c, d->x.c * d->kh * d->kw, sparsity, alike);
    struct nmi_blocking candidates[12];
    struct result r = {.best = 1e9, .nnz = w.nnz};
    float *x = bench_floats(nmi_image_bytes(&d->x)), *y = bench_floats(nmi_image_bytes(&d->y));
    float *bias = bench_floats((size_t)d->y.c * sizeof(float));
    job.args.x = x;
    job.args.y = y;
    job.args.bias = bias;
    const int n = job.kernel->candidates(&job.desc, &w, candidates, 12);
    int best = 0;
    for (int i = 0; i < n; i++) {
        job.desc.conv.blocking = candidates[i];
        const double seconds = time_blocking(&job, &w, 0.004);
        if (getenv("NM_BENCH_ALL")) {
            char how[32];
            blocking_name(&candidates[i], how);
            printf("    %-16s %.4f\n", how, seconds * 1e3);
        }
        if (seconds < r.best) {
            r.best = seconds;
            best = i;
        }
    }
    job.desc.conv.blocking = candidates[0];
    r.first = time_blocking(&job, &w, 0.03);
    job.desc.conv.blocking = r.blocking = candidates[best];
    const double again = best ? time_blocking(&job, &w, 0.03) : r.first;
    r.best = again < r.first ? again : r.first;
    nmi_free(x);
    nmi_free(y);
    nmi_free(bias);
    csr_free(&w);
    return r;
}

static void bench_convs(nm_isa isa, double sparsity, int32_t batch)
{
    const double bound = nmi_bound_gflops(isa);
    double first = 0, best = 0, work = 0;
    printf("bound %.0f GFLOP/s; ms per image\n%-20s %2s %8s %8s  %-16s %7s %6s\n", bound, "layer",
           "x", "guess", "best", "blocking", "GF/s", "bound");
    for (size_t i = 0; i < NMI_COUNT(resnet50); i++) {
        const struct shape *s = &resnet50[i];
        const struct nmi_conv_desc d = conv_of(s, isa, batch);
        const struct result r = bench_conv(&d, isa, sparsity, 1);
        const struct nmi_layout *l = &d.y.layout;
        const int32_t groups = (batch + nmi_layout_ipv(l) - 1) / nmi_layout_ipv(l);
        const double flops = 2.0 * (double)r.nnz * d.y.h * d.y.w * batch;
        const double lanes = 2.0 * (double)r.nnz * l->sub_h * l->sub_w * l->vl * groups;
        char name[32], how[32];
        layer_name(s, name);
        blocking_name(&r.blocking, how);
        printf("%-20s %2d %8.4f %8.4f  %-16s %7.1f %5.0f%%\n", name, s->times,
               r.first * 1e3 / batch, r.best * 1e3 / batch, how, flops / r.best * 1e-9,
               lanes / r.best * 1e-7 / bound);
        fflush(stdout);
        first += r.first * s->times;
        best += r.best * s->times;
        work += lanes * s->times;
    }
    printf("52 layers: guess %.2f ms, best %.2f ms, %.0f%% of the bound\n", first * 1e3 / batch,
           best * 1e3 / batch, work / best * 1e-7 / bound);
}

/* Weights pruned in blocks of `alike` output channels and single ones, per nonzero. */
static void bench_alike(nm_isa isa, double sparsity, int32_t batch, int32_t alike)
{
    double sum[2] = {0}, guess[2] = {0};
    printf("GFLOP/s on nonzeros\n%-20s %2s %8s %8s %6s  blockings\n", "layer", "x", "single",
           "alike", "ratio");
    for (size_t i = 0; i < NMI_COUNT(resnet50); i++) {
        const struct shape *s = &resnet50[i];
        const struct nmi_conv_desc d = conv_of(s, isa, batch);
        const struct result r[2] = {bench_conv(&d, isa, sparsity, 1),
                                    bench_conv(&d, isa, sparsity, alike)};
        double rate[2];
        char name[32], how[2][32];
        layer_name(s, name);
        for (int k = 0; k < 2; k++) {
            /* as if the weights had exactly as many zeros as asked for */
            const double share = (1 - sparsity) * d.y.c * d.x.c * d.kh * d.kw / (double)r[k].nnz;
            rate[k] = 2e-9 * (double)r[k].nnz * d.y.h * d.y.w * batch / r[k].best;
            sum[k] += r[k].best * share * s->times;
            guess[k] += r[k].first * share * s->times;
            blocking_name(&r[k].blocking, how[k]);
        }
        printf("%-20s %2d %8.1f %8.1f %6.2f  %-16s %s\n", name, s->times, rate[0], rate[1],
               rate[1] / rate[0], how[0], how[1]);
        fflush(stdout);
    }
    printf("52 layers: best %.2f -> %.2f ms per image, %.2fx per nonzero; guess %.2f -> %.2f ms\n",
           sum[0] * 1e3 / batch, sum[1] * 1e3 / batch, sum[0] / sum[1], guess[0] * 1e3 / batch,
           guess[1] * 1e3 / batch);
}

/* ---- around them -------------------------------------------------------------------------- */

static void report(const char *name, struct bench_job *job, double bytes)
{
    const double seconds = bench_time(job, 0.05);
    printf("%-34s %8.4f ms %7.1f GB/s\n", name, seconds * 1e3, bytes / seconds * 1e-9);
}

static void bench_convert(const char *name, nm_isa isa, struct nmi_image from, struct nmi_image to)
{
    struct bench_job job =
        bench_job_make(NMI_KIND_CONVERT, isa, (union nmi_desc){.convert = {.from = from, .to = to}});
    float *x = bench_floats(nmi_image_bytes(&from)), *y = bench_floats(nmi_image_bytes(&to));
    job.args.x = x;
    job.args.y = y;
    report(name, &job, (double)(nmi_image_bytes(&from) + nmi_image_bytes(&to)));
    nmi_free(x);
    nmi_free(y);
}

static struct nmi_image map_of(int32_t n, int32_t c, int32_t size, uint8_t kind)
{
    return (struct nmi_image){.n = n, .c = c, .h = size, .w = size, .layout = {.kind = kind}};
}

static struct nmi_image lanes_of(nm_isa isa, int32_t n, int32_t c, int32_t size, int32_t halo)
{
    const int32_t vl = nmi_isa_lanes(isa), frame[4] = {halo, halo, halo, halo};
    struct nmi_image image = map_of(n, c, size, NMI_LANES);
    image.layout = nmi_layout_best(vl, size, size, n >= vl ? vl : 1, frame);
    return image;
}

static struct nmi_image halves_of(int32_t c, int32_t size, int32_t halo)
{
    const int32_t frame[4] = {halo, halo, halo, halo};
    struct nmi_image image = map_of(1, c, size, NMI_LANES_F16);
    image.layout = nmi_layout_best(NMI_HALVES, size, size, 1, frame);
    return image;
}

static void bench_halves(nm_isa isa)
{
    bench_convert("LANES -> LANES_F16 256x28x28 +1", isa, lanes_of(isa, 1, 256, 28, 1),
                  halves_of(256, 28, 1));
    bench_convert("LANES_F16 -> LANES 256x28x28 +1", isa, halves_of(256, 28, 1),
                  lanes_of(isa, 1, 256, 28, 1));
    bench_convert("PLAIN -> LANES_F16 64x112x112 +1", isa, map_of(1, 64, 112, NMI_PLAIN),
                  halves_of(64, 112, 1));
    bench_convert("BLOCK16 -> LANES_F16 64x112x112", isa, map_of(1, 64, 112, NMI_BLOCK16),
                  halves_of(64, 112, 0));
    bench_convert("LANES_F16 -> PLAIN 64x112x112", isa, halves_of(64, 112, 0),
                  map_of(1, 64, 112, NMI_PLAIN));
}

static void bench_converts(nm_isa isa)
{
    bench_convert("PLAIN -> LANES 3x224x224 +3", isa, map_of(1, 3, 224, NMI_PLAIN),
                  lanes_of(isa, 1, 3, 224, 3));
    bench_convert("PLAIN -> LANES 64x112x112 +1", isa, map_of(1, 64, 112, NMI_PLAIN),
                  lanes_of(isa, 1, 64, 112, 1));
    bench_convert("BLOCK16 -> LANES 64x112x112 +1", isa, map_of(1, 64, 112, NMI_BLOCK16),
                  lanes_of(isa, 1, 64, 112, 1));
    bench_convert("LANES -> BLOCK16 64x112x112", isa, lanes_of(isa, 1, 64, 112, 0),
                  map_of(1, 64, 112, NMI_BLOCK16));
    bench_convert("LANES -> PLAIN 64x112x112", isa, lanes_of(isa, 1, 64, 112, 0),
                  map_of(1, 64, 112, NMI_PLAIN));
    bench_convert("LANES -> LANES 256x28x28", isa, lanes_of(isa, 1, 256, 28, 0),
                  lanes_of(isa, 1, 256, 28, 1));
    struct nmi_image other = lanes_of(isa, 1, 256, 28, 0);
    const int32_t none[4] = {0};
    const struct nmi_layout out = nmi_layout_best(nmi_isa_lanes(isa), 14, 14, 1, none);
    other.layout = nmi_layout_input(&out, 2, 2, none);
    bench_convert("LANES -> other LANES 256x28x28", isa, lanes_of(isa, 1, 256, 28, 0), other);
    bench_convert("PLAIN -> LANES 16x64x56x56", isa, map_of(16, 64, 56, NMI_PLAIN),
                  lanes_of(isa, 16, 64, 56, 1));
}

static void bench_halo(const char *name, nm_isa isa, struct nmi_image x)
{
    float *data = bench_floats(nmi_image_bytes(&x));
    struct bench_job halo = bench_job_make(NMI_KIND_HALO, isa, (union nmi_desc){.halo = {.x = x}});
    halo.args.x = halo.args.y = data;
    report(name, &halo, (double)nmi_image_bytes(&x));
    nmi_free(data);
}

static void bench_passes(nm_isa isa)
{
    bench_halo("HALO 128x28x28 +1", isa, lanes_of(isa, 1, 128, 28, 1));
    if (isa == NM_ISA_AVX512) {
        bench_halo("HALO of LANES_F16 128x28x28 +1", isa, halves_of(128, 28, 1));
    }
    struct nmi_pool_desc d = {.kh = 3,
                              .kw = 3,
                              .stride_h = 2,
                              .stride_w = 2,
                              .dil_h = 1,
                              .dil_w = 1,
                              .pad = {1, 1, 1, 1}};
    const int32_t before[4] = {1, 1, 0, 0};
    d.y = lanes_of(isa, 1, 64, 56, 0);
    d.x = map_of(1, 64, 112, NMI_LANES);
    d.x.layout = nmi_layout_input(&d.y.layout, 2, 2, before);
    float *in = bench_floats(nmi_image_bytes(&d.x)), *out = bench_floats(nmi_image_bytes(&d.y));
    struct bench_job pool = bench_job_make(NMI_KIND_POOL, isa, (union nmi_desc){.pool = d});
    pool.args.x = in;
    pool.args.y = out;
    report("POOL max 3x3/2 64x112x112", &pool,
           (double)(nmi_image_bytes(&d.x) + nmi_image_bytes(&d.y)));
    const int64_t count = (int64_t)(nmi_image_bytes(&d.y) / sizeof(float)) - NMI_SLACK;
    struct bench_job swish =
        bench_job_make(NMI_KIND_ELTWISE, isa,
                 (union nmi_desc){.eltwise = {.act = {.kind = NMI_ACT_SWISH}, .count = count}});
    swish.args.x = swish.args.y = out;
    report("ELTWISE swish in place 64x56x56", &swish, 8.0 * (double)count);
    nmi_free(in);
    nmi_free(out);
}

static void bench_fc(nm_isa isa, double sparsity, int32_t n, int32_t m, int32_t k)
{
    const struct nmi_fc_desc d = {.n = n, .m = m, .k = k};
    struct bench_job job = bench_job_make(NMI_KIND_FC, isa, (union nmi_desc){.fc = d});
    const struct nmi_csr w = random_csr(m, k, sparsity, 1);
    void *packed = bench_alloc(job.kernel->packed_bytes(&job.desc, &w));
    float *x = bench_floats((size_t)n * (size_t)k * 4), *y = bench_alloc((size_t)n * (size_t)m * 4);
    char name[40];
    job.kernel->pack(&job.desc, &w, packed);
    job.args.packed = packed;
    job.args.x = x;
    job.args.y = y;
    snprintf(name, sizeof name, "FC %d -> %d, batch %d", k, m, n);
    report(name, &job, 6.0 * (double)w.nnz);
    nmi_free(packed);
    nmi_free(x);
    nmi_free(y);
    csr_free(&w);
}

/* Depthwise layers of MobileNetV2 and two of 5 x 5: a multiply-add for each tap is the bound. */
static void bench_depthwise(nm_isa isa, int32_t batch)
{
    static const struct shape shapes[] = {{32, 1, 3, 1, 112, 1}, {96, 1, 3, 2, 112, 1},
                                          {144, 1, 3, 1, 56, 1}, {144, 1, 3, 2, 56, 1},
                                          {192, 1, 3, 1, 28, 1}, {192, 1, 3, 2, 28, 1},
                                          {384, 1, 3, 1, 14, 1}, {576, 1, 3, 1, 14, 1},
                                          {576, 1, 3, 2, 14, 1}, {960, 1, 3, 1, 7, 1},
                                          {240, 1, 5, 1, 28, 1}, {240, 1, 5, 2, 28, 1}};
    const double bound = nmi_bound_gflops(isa);
    for (size_t i = 0; i < NMI_COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        struct nmi_conv_desc d = conv_of(s, isa, batch);
        d.x.c = d.groups = d.y.c;
        d.act = (struct nmi_act){.kind = NMI_ACT_CLIP, .beta = 6.0f};
        struct bench_job job = bench_job_make(NMI_KIND_CONV, isa, (union nmi_desc){.conv = d});
        float *x = bench_floats(nmi_image_bytes(&d.x)), *y = bench_floats(nmi_image_bytes(&d.y));
        float *w = bench_floats(job.kernel->dense_bytes(&job.desc));
        job.args = (struct nmi_kargs){.x = x, .y = y, .packed = w, .bias = w};
        const double seconds = bench_time(&job, 0.1), taps = 2.0 * s->k * s->k * d.y.c * batch;
        const struct nmi_layout *l = &d.y.layout;
        const double groups = ceil((double)batch / nmi_layout_ipv(l));
        const double lanes = taps / batch * l->sub_h * l->sub_w * l->vl * groups;
        printf("depthwise %dx%d/%d %3d@%-15d %8.4f ms %7.1f GFLOP/s %5.0f%%\n", s->k, s->k, s->stride,
               d.y.c, s->size, seconds * 1e3 / batch, taps * d.y.h * d.y.w / seconds * 1e-9,
               lanes / seconds * 1e-7 / bound);
        nmi_free(x);
        nmi_free(y);
        nmi_free(w);
    }
}

/* ResNet-50's first layer: dense weights through the sparse kernel. */
static void bench_first(nm_isa isa)
{
    static const struct shape first = {64, 3, 7, 2, 224, 1};
    const struct nmi_conv_desc d = conv_of(&first, isa, 1);
    const struct result r = bench_conv(&d, isa, 0.0, 1);
    printf("%-34s %8.4f ms %7.1f GFLOP/s, guess %.4f ms, %dx%d/%d\n", "first layer, dense 7x7/2",
           r.best * 1e3, 2.0 * (double)r.nnz * d.y.h * d.y.w / r.best * 1e-9, r.first * 1e3,
           r.blocking.tr, r.blocking.tc, r.blocking.icb);
}

int main(int argc, char **argv)
{
    const double sparsity = argc > 1 ? atof(argv[1]) : 0.9;
    const nm_isa best = nmi_cpu_info()->best;
    const nm_isa isa = argc > 2 && strcmp(argv[2], "avx2") == 0 ? NM_ISA_AVX2 : best;
    const int32_t batch = argc > 3 ? atoi(argv[3]) : 1, rows = argc > 4 ? atoi(argv[4]) : 1;
    if (isa == NM_ISA_REF || isa > best || batch < 1 || rows < 1) {
        fputs("bench_kernels: needs a CPU with AVX2\n", stderr);
        return 1;
    }
    printf("sparsity %.2f, %s, batch %d\n", sparsity, isa == NM_ISA_AVX2 ? "avx2" : "avx512",
           batch);
    if (rows > 1) {
        bench_alike(isa, sparsity, batch, rows);
        return 0;
    }
    bench_convs(isa, sparsity, batch);
    bench_first(isa);
    bench_depthwise(isa, batch);
    bench_converts(isa);
    if (isa == NM_ISA_AVX512) {
        bench_halves(isa);
    }
    bench_passes(isa);
    bench_fc(isa, sparsity, 1, 4096, 25088);
    bench_fc(isa, sparsity, 1, 4096, 4096);
    bench_fc(isa, sparsity, 1, 1000, 2048);
    bench_fc(isa, sparsity, 16, 4096, 4096);
    bench_fc(isa, sparsity, 16, 1000, 2048);
    return 0;
}
