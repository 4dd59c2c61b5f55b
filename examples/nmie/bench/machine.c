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
#define PASSES 5
#define THREADS_MAX 64
#define RALLIES 500 /* the fastest counts: other programs only make one slower */
#define RALLY 20    /* to and fro */
#define HANDOVER_SECONDS 0.5

struct reader {
    pthread_t thread;
    uint64_t *words;
    atomic_int *arrived;
    int threads;
    double seconds[PASSES];
    uint64_t sum;
};

static void meet(const struct reader *r, int pass)
{
    atomic_fetch_add(r->arrived, 1);
    while (atomic_load(r->arrived) < r->threads * (pass + 1)) {
        sched_yield();
    }
}

/* All start each pass together. */
static void *read_all(void *context)
{
    struct reader *r = context;
    const size_t n = BUFFER / sizeof *r->words;
    memset(r->words, 1, BUFFER);
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t sum[8] = {0};
        meet(r, pass);
        double start = source_now();
        for (size_t i = 0; i < n; i += 8) {
            for (size_t k = 0; k < 8; k++) {
                sum[k] += r->words[i + k];
            }
        }
        r->seconds[pass] = source_now() - start;
        for (size_t k = 0; k < 8; k++) {
            r->sum += sum[k];
        }
    }
    return NULL;
}

/* Of the best pass, which takes as long as its slowest reader. */
static double best_rate(const struct reader *readers, int n)
{
    double best = 0.0;
    for (int pass = 0; pass < PASSES; pass++) {
        double slowest = 0.0;
        for (int i = 0; i < n; i++) {
            slowest = fmax(slowest, readers[i].seconds[pass]);
        }
        best = fmax(best, (double)n * (double)BUFFER / slowest);
    }
    return best;
}

double machine_bandwidth(int threads)
{
    struct reader readers[THREADS_MAX] = {0};
    atomic_int arrived = 0;
    int n = 0, started = 1;
    threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
    while (n < threads && (readers[n].words = aligned_alloc(64, BUFFER))) {
        n++;
    }
    for (int i = 0; i < n; i++) {
        readers[i].arrived = &arrived;
        readers[i].threads = n;
    }
    while (started < n &&
           pthread_create(&readers[started].thread, NULL, read_all, &readers[started]) == 0) {
        started++;
    }
    atomic_fetch_add(&arrived, (n - started) * PASSES); /* those that could not be had */
    if (n > 0) {
        read_all(&readers[0]);
    }
    for (int i = 1; i < started && n > 0; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    for (int i = 0; i < n; i++) {
        free(readers[i].words);
    }
    return n > 0 ? best_rate(readers, started) : 0.0;
}

enum { GAME_OVER = -1 };

static void *answer(void *context)
{
    atomic_int *ball = context;
    for (int wanted = 1;; wanted += 2) {
        int seen;
        while ((seen = atomic_load_explicit(ball, memory_order_acquire)) != wanted) {
            if (seen == GAME_OVER) {
                return NULL;
            }
        }
        atomic_store_explicit(ball, wanted + 1, memory_order_release);
    }
}

/* The seconds of one rally from ball `at` on. */
static double play(atomic_int *ball, int at)
{
    double start = source_now();
    for (int end = at + 2 * RALLY; at < end; at += 2) {
        atomic_store_explicit(ball, at + 1, memory_order_release);
        while (atomic_load_explicit(ball, memory_order_acquire) != at + 2) {
        }
    }
    return source_now() - start;
}

/* The first CPU of a set, alone. */
static cpu_set_t take_one(cpu_set_t *from)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, from)) {
            CPU_SET(i, &one);
            CPU_CLR(i, from);
            break;
        }
    }
    return one;
}

double machine_handover(void)
{
    cpu_set_t allowed, rest;
    _Alignas(64) atomic_int ball = 0;
    pthread_t other;
    double best = INFINITY;
    if (sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) < 2 ||
        pthread_create(&other, NULL, answer, &ball)) {
        return 0.0;
    }
    rest = allowed;
    const cpu_set_t mine = take_one(&rest), theirs = take_one(&rest);
    sched_setaffinity(0, sizeof mine, &mine); /* of this thread */
    pthread_setaffinity_np(other, sizeof theirs, &theirs);
    const double end = source_now() + HANDOVER_SECONDS;
    for (int rally = 0; rally < RALLIES && (rally == 0 || source_now() < end); rally++) {
        best = fmin(best, play(&ball, 2 * RALLY * rally));
    }
    atomic_store(&ball, GAME_OVER);
    pthread_join(other, NULL);
    sched_setaffinity(0, sizeof allowed, &allowed);
    return best / (2.0 * RALLY);
}
