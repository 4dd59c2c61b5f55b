/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teams of threads. GNU OpenMP keeps its threads between teams but a child process does not inherit
 * them and would wait for them forever; so a flag is set in children, which then use one thread.
 *
 * A round ends when its parts are done, not when every thread has come by: a thread that the system
 * has put aside holds nobody up unless it was in the middle of a part.
 */
#include "lib/base/parallel.h"

#include "lib/base/cpu.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
    MOST_THREADS = 256,
    GRACE = 100,  /* pauses before a thread takes over what others have not begun: about 2 us */
    SPINS = 2000, /* pauses before a waiting thread lets others run: some 50 us */
    YIELDS = 1000 /* times it does so before it sleeps */
};

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

/* ---- rounds ------------------------------------------------------------------------------- */

/* How many parts of its share of a round were begun: round << 32 | parts. An older round: none. */
struct share {
    _Alignas(64) atomic_uint_fast64_t begun;
};

struct team {
    nmi_round_fn next;
    nmi_part_fn fn;
    void *context;
    _Alignas(64) atomic_uint_fast64_t now; /* round << 32 | its parts; no parts: the end */
    _Alignas(64) atomic_int left;          /* parts that are not done */
    _Alignas(64) atomic_int sleepers;
    pthread_mutex_t mutex; /* sleepers wait for `now` to change */
    pthread_cond_t changed;
    struct share share[MOST_THREADS];
};

/* Opens the next round of several parts, and those of one on the way; all threads are idle. */
static void advance(struct team *t)
{
    const uint64_t round = (atomic_load(&t->now) >> 32) + 1;
    int parts = t->next(t->context);
    for (; parts == 1; parts = t->next(t->context)) {
        t->fn(t->context, 0, 1);
    }
    parts = parts < 0 ? 0 : parts;
    atomic_store(&t->left, parts);
    atomic_store(&t->now, round << 32 | (uint64_t)parts);
    if (atomic_load(&t->sleepers) > 0) {
        pthread_mutex_lock(&t->mutex);
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->mutex);
    }
}

static void sleep_while(struct team *t, uint64_t seen)
{
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->sleepers, 1);
    while (atomic_load(&t->now) == seen) {
        pthread_cond_wait(&t->changed, &t->mutex);
    }
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->mutex);
}

/* Spins; true when another round is open. */
static bool changes(struct team *t, uint64_t seen, int spins)
{
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(&t->now, memory_order_acquire) != seen) {
            return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

static uint64_t wait_while(struct team *t, uint64_t seen)
{
    bool changed = changes(t, seen, SPINS);
    for (int i = 0; !changed && i < YIELDS; i++) {
        sched_yield();
        changed = changes(t, seen, 1);
    }
    if (!changed) {
        sleep_while(t, seen);
    }
    return atomic_load(&t->now);
}

/* The next part of a share in this round, or -1. */
static int64_t begin_part(struct team *t, int64_t who, int64_t threads, uint64_t now)
{
    const int64_t parts = (int64_t)(now & UINT32_MAX);
    const int64_t first = who * parts / threads, count = (who + 1) * parts / threads - first;
    const uint64_t fresh = now >> 32 << 32;
    uint64_t begun = atomic_load_explicit(&t->share[who].begun, memory_order_relaxed);
    for (;;) {
        const uint64_t from = begun < fresh ? fresh : begun;
        const int64_t k = (int64_t)(from - fresh);
        if (k >= count) {
            return -1;
        }
        if (atomic_compare_exchange_weak(&t->share[who].begun, &begun, from + 1)) {
            return first + k;
        }
    }
}

/* Parts of this round, this thread's own first, until none is left to begin. */
static void work(struct team *t, int64_t me, int64_t threads, uint64_t now)
{
    for (int64_t i = 0; i < threads; i++) {
        if (i == 1 && changes(t, now, GRACE)) {
            return;
        }
        for (;;) {
            const int64_t part = begin_part(t, (me + i) % threads, threads, now);
            if (part < 0) {
                break;
            }
            t->fn(t->context, (int)part, (int)(now & UINT32_MAX));
            if (atomic_fetch_sub(&t->left, 1) == 1) {
                advance(t);
                return;
            }
        }
    }
}

static void take_part(struct team *t, int64_t me, int64_t threads)
{
    const uint32_t state = nmi_fp_enter();
    for (uint64_t now = atomic_load(&t->now); (now & UINT32_MAX) != 0; now = wait_while(t, now)) {
        work(t, me, threads, now);
    }
    nmi_fp_restore(state);
}

/* OpenMP may give fewer threads than were asked for. A function of its own: what the compiler puts at
 * the beginning of one with a team may start OpenMP, whose arithmetic leaves floating-point flags. */
static void run_team(struct team *t, int threads)
{
#pragma omp parallel num_threads(threads)
    take_part(t, omp_get_thread_num(), omp_get_num_threads());
}

void nmi_parallel_rounds(int threads, nmi_round_fn next, nmi_part_fn fn, void *context)
{
    struct team t = {.next = next,
                     .fn = fn,
                     .context = context,
                     .mutex = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER};
    const bool alone = threads <= 1 || nmi_forked();
    pthread_once(&once, watch_forks);
    const uint32_t state = nmi_fp_enter();
    advance(&t);
    if (alone) {
        while ((atomic_load(&t.now) & UINT32_MAX) != 0) {
            work(&t, 0, 1, atomic_load(&t.now));
        }
    }
    nmi_fp_restore(state); /* new threads inherit it */
    if ((atomic_load(&t.now) & UINT32_MAX) != 0) {
        run_team(&t, threads < MOST_THREADS ? threads : MOST_THREADS);
        nmi_fp_restore(state);
    }
    pthread_cond_destroy(&t.changed);
    pthread_mutex_destroy(&t.mutex);
}

/* ---- one round ---------------------------------------------------------------------------- */

struct single {
    nmi_part_fn fn;
    void *context;
    int parts; /* 0 when they were given out */
};

static int single_next(void *context)
{
    struct single *s = context;
    const int parts = s->parts;
    s->parts = 0;
    return parts;
}

static void single_part(void *context, int part, int parts)
{
    const struct single *s = context;
    s->fn(s->context, part, parts);
}

void nmi_parallel_for(int threads, int parts, nmi_part_fn fn, void *context)
{
    struct single s = {fn, context, parts};
    nmi_parallel_rounds(threads < parts ? threads : parts, single_next, single_part, &s);
}

/* ---- the calling thread's setting --------------------------------------------------------- */

int nmi_threads_enter(int threads)
{
    int old = omp_get_max_threads();
    pthread_once(&once, watch_forks);
    omp_set_num_threads(threads < 1 || nmi_forked() ? 1 : threads);
    return old;
}

void nmi_threads_restore(int old)
{
    omp_set_num_threads(old);
}
