/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teams of threads. GNU OpenMP keeps its threads between teams but a child process does not inherit
 * them and would wait for them forever; so a flag is set in children, which then use one thread.
 */
#include "lib/base/parallel.h"

#include "lib/base/cpu.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_int forked;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    atomic_store(&forked, 1);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

int nmi_forked(void)
{
    return atomic_load_explicit(&forked, memory_order_relaxed);
}

/* Parts [first, last), with denormals zero. */
static void run_parts(int64_t first, int64_t last, int parts, nmi_part_fn fn, void *context)
{
    uint32_t state = nmi_fp_enter();
    for (int64_t part = first; part < last; part++) {
        fn(context, (int)part, parts);
    }
    nmi_fp_restore(state);
}

void nmi_parallel_for(int threads, int parts, nmi_part_fn fn, void *context)
{
    int team = threads < parts ? threads : parts;
    if (team <= 1 || nmi_forked()) {
        run_parts(0, parts, parts, fn, context);
        return;
    }
    pthread_once(&once, watch_forks);
#pragma omp parallel num_threads(team)
    {
        /* OpenMP may give fewer threads than were asked for. */
        int64_t n = omp_get_num_threads(), i = omp_get_thread_num();
        run_parts(i * parts / n, (i + 1) * parts / n, parts, fn, context);
    }
}

int nmi_threads_enter(int threads)
{
    int old = omp_get_max_threads();
    pthread_once(&once, watch_forks);
    if (threads > 1) { /* oneDNN will run a team */
        pthread_once(&once, watch_forks);
    }
    omp_set_num_threads(threads < 1 || nmi_forked() ? 1 : threads);
    return old;
}

void nmi_threads_restore(int old)
{
    omp_set_num_threads(old);
}
