/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/bench_case.h"
#include "lib/base/cpu.h"
#include "lib/base/mem.h"

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
