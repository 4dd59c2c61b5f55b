/* SPDX-License-Identifier: Apache-2.0 */
/* What the benches of kernels share: random data, the time of one kernel. */
#ifndef NM_TESTS_SUPPORT_BENCH_CASE_H
#define NM_TESTS_SUPPORT_BENCH_CASE_H

#include "kernels/kernel.h"

float bench_uniform(void); /* in [0, 1) */
/* Memory or the end of the program. */
void *bench_alloc(size_t bytes);
float *bench_floats(size_t bytes); /* in [-1/2, 1/2) */

struct bench_job {
    const struct nmi_kernel *kernel;
    union nmi_desc desc;
    struct nmi_kargs args;
};

/* The best kernel for this descriptor, which must be of this instruction set. */
struct bench_job bench_job_make(int32_t kind, nm_isa isa, union nmi_desc desc);
/* The minimum over so many seconds, three runs at least; gives it scratch. */
double bench_time(const struct bench_job *job, double budget);

#endif
