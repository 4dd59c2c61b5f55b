/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/bench_case.h"
#include "lib/base/cpu.h"
#include "lib/base/mem.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;

float bench_uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)(state >> 40) / 16777216.0f;
}

void *bench_alloc(size_t bytes)
{
    void *p = nmi_alloc(bytes);
    if (!p) {
        fputs("bench: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

float *bench_floats(size_t bytes)
{
    float *p = bench_alloc(bytes);
    for (size_t i = 0; i < bytes / sizeof(float); i++) {
        p[i] = bench_uniform() - 0.5f;
    }
    return p;
}

/* ---- the bound ---------------------------------------------------------------------------- */

enum { TILE = 14, PANEL = 24 << 10, ROUNDS = 400 };

__attribute__((target("avx512f"))) static void fma_512(const float *panel, const float *w)
{
    __m512 acc[TILE];
    for (int t = 0; t < TILE; t++) {
        acc[t] = _mm512_setzero_ps();
    }
    for (size_t i = 0; i + TILE * 16 <= PANEL / 4; i += TILE * 16) {
        const __m512 v = _mm512_set1_ps(w[i]);
#pragma GCC unroll 14
        for (int t = 0; t < TILE; t++) {
            acc[t] = _mm512_fmadd_ps(v, _mm512_load_ps(panel + i + t * 16), acc[t]);
        }
    }
#pragma GCC unroll 14
    for (int t = 0; t < TILE; t++) {
        __asm__ volatile("" : : "v"(acc[t]));
    }
}

__attribute__((target("avx2,fma"))) static void fma_256(const float *panel, const float *w)
{
    __m256 acc[TILE];
    for (int t = 0; t < TILE; t++) {
        acc[t] = _mm256_setzero_ps();
    }
    for (size_t i = 0; i + TILE * 8 <= PANEL / 4; i += TILE * 8) {
        const __m256 v = _mm256_set1_ps(w[i]);
#pragma GCC unroll 14
        for (int t = 0; t < TILE; t++) {
            acc[t] = _mm256_fmadd_ps(v, _mm256_load_ps(panel + i + t * 8), acc[t]);
        }
    }
#pragma GCC unroll 14
    for (int t = 0; t < TILE; t++) {
        __asm__ volatile("" : : "x"(acc[t]));
    }
}

/* GFLOP/s. */
double bench_bound(nm_isa isa)
{
    float *panel = bench_floats(PANEL), *w = bench_floats(PANEL);
    const size_t step = TILE * (size_t)nmi_isa_lanes(isa);
    double best = 1e9;
    for (int k = 0; k < 30; k++) {
        const double begin = nmi_now();
        for (int i = 0; i < ROUNDS; i++) {
            if (isa == NM_ISA_AVX512) {
                fma_512(panel, w);
            } else {
                fma_256(panel, w);
            }
        }
        const double seconds = nmi_now() - begin;
        best = seconds < best ? seconds : best;
    }
    nmi_free(panel);
    nmi_free(w);
    return 2.0 * (double)(PANEL / 4 / step * step) * ROUNDS / best * 1e-9;
}

/* ---- timing ------------------------------------------------------------------------------- */

static double once(const struct bench_job *job)
{
    const double begin = nmi_now();
    job->kernel->run(&job->desc, &job->args, 0, 1);
    return nmi_now() - begin;
}

double bench_time(const struct bench_job *job, double budget)
{
    struct bench_job with = *job;
    const struct nmi_kernel *k = job->kernel;
    with.args.scratch = bench_alloc(k->scratch_bytes ? k->scratch_bytes(&job->desc, 1) : 0);
    double best = once(&with);
    const double end = nmi_now() + budget;
    for (int i = 0; i < 3 || nmi_now() < end; i++) {
        const double seconds = once(&with);
        best = seconds < best ? seconds : best;
    }
    nmi_free(with.args.scratch);
    return best;
}

struct bench_job bench_job_make(int32_t kind, nm_isa isa, union nmi_desc desc)
{
    const char *reason = "there is none";
    struct bench_job job = {.desc = desc, .kernel = nmi_kernel_find(kind, isa, &desc, &reason)};
    if (!job.kernel || job.kernel->isa != isa) {
        fprintf(stderr, "bench: no kernel of kind %d: %s\n", kind, reason);
        exit(1);
    }
    return job;
}
