/* SPDX-License-Identifier: Apache-2.0 */
/* Two microbenchmarks. */
#include "examples/nmie/bench/machine.h"

#include "examples/nmie/model_source.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER ((size_t)128 << 20) /* of each thread: more than caches hold */
#define PASSES 3
#define THREADS_MAX 64
#define HANDOVERS 20000

struct reader {
    pthread_t thread;
    uint64_t *words;
    atomic_int *ready;
    int threads;
    double start, end;
    uint64_t sum;
};

/* All start together; the time is from the first's start to the last's end. */
static void *read_all(void *context)
{
    struct reader *r = context;
    const size_t n = BUFFER / sizeof *r->words;
    memset(r->words, 1, BUFFER);
    atomic_fetch_add(r->ready, 1);
    while (atomic_load(r->ready) < r->threads) {
        sched_yield();
    }
    r->start = source_now();
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t sum[8] = {0};
        for (size_t i = 0; i < n; i += 8) {
            for (size_t k = 0; k < 8; k++) {
                sum[k] += r->words[i + k];
            }
        }
        for (size_t k = 0; k < 8; k++) {
            r->sum += sum[k];
        }
    }
    r->end = source_now();
    return NULL;
}

double machine_bandwidth(int threads)
{
    struct reader readers[THREADS_MAX] = {0};
    atomic_int ready = 0;
    threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
    int n = 0;
    for (; n < threads && (readers[n].words = aligned_alloc(64, BUFFER)); n++) {
    }
    for (int i = 0; i < n; i++) {
        readers[i].ready = &ready;
        readers[i].threads = n;
    }
    int started = 1;
    while (started < n &&
           pthread_create(&readers[started].thread, NULL, read_all, &readers[started]) == 0) {
        started++;
    }
    atomic_fetch_add(&ready, n - started); /* those that could not be had */
    double start = INFINITY, end = 0.0;
    if (n > 0) {
        read_all(&readers[0]);
    }
    for (int i = 0; i < started && n > 0; i++) {
        if (i > 0) {
            pthread_join(readers[i].thread, NULL);
        }
        start = fmin(start, readers[i].start);
        end = fmax(end, readers[i].end);
    }
    for (int i = 0; i < n; i++) {
        free(readers[i].words);
    }
    return n > 0 && end > start ? (double)started * (double)BUFFER * PASSES / (end - start) : 0.0;
}

static void *answer(void *context)
{
    atomic_int *ball = context;
    for (int i = 0; i < HANDOVERS; i++) {
        while (atomic_load_explicit(ball, memory_order_acquire) != 2 * i + 1) {
        }
        atomic_store_explicit(ball, 2 * i + 2, memory_order_release);
    }
    return NULL;
}

double machine_handover(void)
{
    cpu_set_t allowed;
    _Alignas(64) atomic_int ball = 0;
    pthread_t other;
    if (sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) < 2 ||
        pthread_create(&other, NULL, answer, &ball)) {
        return 0.0;
    }
    double start = source_now();
    for (int i = 0; i < HANDOVERS; i++) {
        atomic_store_explicit(&ball, 2 * i + 1, memory_order_release);
        while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 2) {
        }
    }
    double seconds = source_now() - start;
    pthread_join(other, NULL);
    return seconds / (2.0 * HANDOVERS);
}
