/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of our own dense convolutions on one core, each layer alone, against oneDNN.
 * usage: bench_dense [avx512|avx2] [BATCH] [LAYER]. Milliseconds per image of the first guess and of the
 * best blocking (tr/tc/icb), GFLOP/s as of a direct convolution, percent of the core's bound that
 * the products alone would take, and oneDNN's direct and Winograd convolutions (without the pool).
 * NM_BENCH_ALL=1 shows every blocking.
 */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"
#include "lib/base/mem.h"
#include "lib/base/parallel.h"
#include "tests/support/bench_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    const char *net;
    int32_t oc, ic, k, stride, size, pool; /* pool: its kernel, stride 2; 0: none */
};
static const struct shape shapes[] = {
    {"vgg", 64, 64, 3, 1, 224, 2},   {"vgg", 128, 64, 3, 1, 112, 0},
    {"vgg", 128, 128, 3, 1, 112, 2}, {"vgg", 256, 128, 3, 1, 56, 0},
    {"vgg", 256, 256, 3, 1, 56, 0},  {"vgg", 256, 256, 3, 1, 56, 2},
    {"vgg", 512, 256, 3, 1, 28, 0},  {"vgg", 512, 512, 3, 1, 28, 0},
    {"vgg", 512, 512, 3, 1, 28, 2},  {"vgg", 512, 512, 3, 1, 14, 0},
    {"vgg", 512, 512, 3, 1, 14, 2},  {"resnet", 64, 64, 3, 1, 56, 0},
    {"resnet", 128, 128, 3, 1, 28, 0}, {"resnet", 256, 256, 3, 1, 14, 0},
    {"resnet", 512, 512, 3, 1, 7, 0}, {"resnet", 64, 3, 7, 2, 224, 0},
    {"resnet", 64, 3, 7, 2, 224, 3}};

static uint8_t block_of(nm_isa isa)
{
    return isa == NM_ISA_AVX512 ? NMI_BLOCK16 : NMI_BLOCK8;
}

static struct nmi_conv_desc conv_of(const struct shape *s, nm_isa isa, int32_t batch)
{
    const int32_t pad = s->k / 2, size = (s->size - 1) / s->stride + 1;
    struct nmi_conv_desc d = {.groups = 1, .kh = s->k, .kw = s->k, .stride_h = s->stride,
                              .stride_w = s->stride, .dil_h = 1, .dil_w = 1,
                              .pad = {pad, pad, pad, pad}, .act = {.kind = NMI_ACT_RELU},
                              .bias = true};
    const int32_t out = s->pool ? (size - 1) / 2 + 1 : size;
    d.x = (struct nmi_image){.n = batch, .c = s->ic, .h = s->size, .w = s->size};
    d.y = (struct nmi_image){.n = batch, .c = s->oc, .h = out, .w = out};
    if (s->pool) {
        const int32_t before = s->pool / 2 - (s->pool == 2);
        d.pool = (struct nmi_conv_pool){.kh = s->pool, .kw = s->pool, .stride_h = 2, .stride_w = 2,
                                        .pad = {before, before, before, before}};
    }
    d.x.layout.kind = s->ic <= 4 ? NMI_PLAIN : block_of(isa);
    d.y.layout.kind = block_of(isa);
    return d;
}

/* Data of one layer, large enough for every layout. */
struct data {
    float *x, *y, *w, *bias;
};

static struct data data_make(const struct nmi_conv_desc *d)
{
    struct nmi_image x = d->x, y = d->y;
    x.layout.kind = y.layout.kind = NMI_BLOCK16;
    y.h *= d->pool.kh ? 2 : 1;
    y.w *= d->pool.kh ? 2 : 1;
    return (struct data){
        bench_floats(nmi_image_bytes(&x)), bench_floats(nmi_image_bytes(&y)),
        bench_floats((size_t)d->y.c * (size_t)(d->x.c * d->kh * d->kw) * sizeof(float)),
        bench_floats((size_t)d->y.c * sizeof(float))};
}

static void data_free(struct data *data)
{
    nmi_free(data->x);
    nmi_free(data->y);
    nmi_free(data->w);
    nmi_free(data->bias);
}

/* ---- own ---------------------------------------------------------------------------------- */

static double time_blocking(struct bench_job job, const float *w, double budget)
{
    void *packed = bench_alloc(job.kernel->dense_bytes(&job.desc));
    job.kernel->pack_dense(&job.desc, w, NULL, packed);
    job.args.packed = packed;
    const double seconds = bench_time(&job, budget);
    nmi_free(packed);
    return seconds;
}

static double own_time(struct bench_job *job, const float *w, double *first)
{
    enum { MOST = 16 };
    struct nmi_blocking candidates[MOST];
    const int n = job->kernel->candidates(&job->desc, NULL, candidates, MOST);
    double best = 1e9;
    int choice = 0;
    for (int i = 0; i < n; i++) {
        job->desc.conv.blocking = candidates[i];
        const double seconds = time_blocking(*job, w, 0.03);
        if (getenv("NM_BENCH_ALL")) {
            printf("    %d/%d/%d %.4f\n", candidates[i].tr, candidates[i].tc, candidates[i].icb,
                   seconds * 1e3);
        }
        *first = i ? *first : seconds;
        if (seconds < best) {
            best = seconds;
            choice = i;
        }
    }
    job->desc.conv.blocking = candidates[choice];
    return best;
}

/* ---- oneDNN ------------------------------------------------------------------------------- */

/* 0: it does not do it this way. */
static double dnnl_time(struct nmi_conv_desc d, enum nmi_dnnl_algo algo, const struct data *data)
{
    nm_error err;
    struct nmi_dnnl *object = NULL;
    if (d.pool.kh) {
        d.y.h = (d.x.h - 1) / d.stride_h + 1;
        d.y.w = (d.x.w - 1) / d.stride_w + 1;
        d.pool.kh = 0;
    }
    if (nmi_dnnl_conv_layouts(&d, algo, &d.x.layout.kind, &d.y.layout.kind, &err) != NM_OK) {
        return 0;
    }
    const union nmi_desc desc = {.conv = d};
    if (nmi_dnnl_create(NMI_KIND_CONV, &desc, algo, &object, &err) != NM_OK) {
        return 0;
    }
    void *packed = bench_alloc(nmi_dnnl_packed_bytes(object));
    void *scratch = bench_alloc(nmi_dnnl_scratch_bytes(object));
    const struct nmi_kargs args = {.x = data->x, .y = data->y, .w = data->w, .bias = data->bias,
                                   .packed = packed, .scratch = scratch};
    double best = 1e9;
    if (nmi_dnnl_pack(object, data->w, packed, &err) == NM_OK) {
        const double end = nmi_now() + 0.1;
        for (int i = 0; i < 3 || nmi_now() < end; i++) {
            const double begin = nmi_now();
            (void)nmi_dnnl_run(object, &args);
            const double seconds = nmi_now() - begin;
            best = seconds < best ? seconds : best;
        }
    }
    nmi_dnnl_free(object);
    nmi_free(packed);
    nmi_free(scratch);
    return best;
}

/* Multiply-adds of the products alone. */
static double product_flops(const struct nmi_conv_desc *d, const struct shape *s)
{
    const double out = d->blocking.tr, taps = s->k / s->stride + (s->k % s->stride != 0);
    const int32_t size = (s->size - 1) / s->stride + 1, side = d->blocking.tr;
    const double tiles = (double)((size + side - 1) / side) * ((size + side - 1) / side);
    const double channels = (double)d->x.c * s->stride * s->stride;
    return 2.0 * (out + taps - 1) * (out + taps - 1) * tiles * channels * d->y.c * d->x.n;
}

static void bench_layer(const struct shape *s, nm_isa isa, int32_t batch, double bound,
                        const char *only)
{
    char name[40], how[24];
    snprintf(name, sizeof name, "%s %dx%d/%d@%d%s", s->net, s->oc, s->ic, s->stride, s->size,
             s->pool ? " P" : "");
    if (!strstr(name, only)) {
        return;
    }
    const struct nmi_conv_desc d = conv_of(s, isa, batch);
    struct bench_job job = bench_job_make(NMI_KIND_CONV, isa, (union nmi_desc){.conv = d});
    struct data data = data_make(&d);
    const int32_t size = (s->size - 1) / s->stride + 1;
    double first = 0;
    job.args.x = data.x;
    job.args.y = data.y;
    job.args.bias = data.bias;
    const double own = own_time(&job, data.w, &first);
    const double direct = dnnl_time(d, NMI_DNNL_DIRECT, &data);
    const double winograd = dnnl_time(d, NMI_DNNL_WINOGRAD, &data);
    const struct nmi_blocking *b = &job.desc.conv.blocking;
    const double flops = 2.0 * s->k * s->k * size * size * s->ic * s->oc * batch;
    snprintf(how, sizeof how, "%d/%d/%d", b->tr, b->tc, b->icb);
    printf("%-24s %8.3f %8.3f  %-10s %6.0f %5.0f%% %8.3f %8.3f\n", name, first * 1e3 / batch,
           own * 1e3 / batch, how, flops / own * 1e-9,
           product_flops(&job.desc.conv, s) / own * 1e-7 / bound, direct * 1e3 / batch,
           winograd * 1e3 / batch);
    fflush(stdout);
    data_free(&data);
}

int main(int argc, char **argv)
{
    const nm_isa best = nmi_cpu_info()->best;
    const nm_isa isa = argc > 1 && strcmp(argv[1], "avx2") == 0 ? NM_ISA_AVX2 : best;
    const int32_t batch = argc > 2 ? atoi(argv[2]) : 1;
    const char *only = argc > 3 ? argv[3] : "";
    if (isa == NM_ISA_REF || isa > best || batch < 1) {
        fputs("bench_dense: needs a CPU with AVX2\n", stderr);
        return 1;
    }
    const double bound = nmi_bound_gflops(isa);
    const int before = nmi_threads_enter(1);
    printf("bound %.0f GFLOP/s, batch %d; ms per image\n%-24s %8s %8s  %-10s %6s %6s %8s %8s\n",
           bound, batch, "layer", "guess", "best", "blocking", "GF/s", "bound", "direct",
           "winograd");
    for (size_t i = 0; i < NMI_COUNT(shapes); i++) {
        bench_layer(&shapes[i], isa, batch, bound, only);
    }
    nmi_threads_restore(before);
    return 0;
}
