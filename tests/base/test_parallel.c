/* SPDX-License-Identifier: Apache-2.0 */
/* Every part once, whatever the team; rounds; denormals; forks; teams inside teams and beside each
 * other. */
#include "lib/base/cpu.h"
#include "lib/base/parallel.h"

#include <check.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

enum { MOST = 40 };

struct tally {
    atomic_int calls[MOST];
    atomic_int wrong;
    int parts;
};

static void count_part(void *context, int part, int parts)
{
    struct tally *t = context;
    volatile float tiny = 1e-39f;
    if (parts != t->parts || part < 0 || part >= parts || tiny * 1.0f != 0.0f) {
        atomic_fetch_add(&t->wrong, 1);
        return;
    }
    atomic_fetch_add(&t->calls[part], 1);
}

/* 1 when every part was called once. */
static int all_once(int threads, int parts)
{
    struct tally t;
    memset(&t, 0, sizeof t);
    t.parts = parts;
    nmi_parallel_for(threads, parts, count_part, &t);
    int good = atomic_load(&t.wrong) == 0;
    for (int i = 0; i < MOST; i++) {
        good = good && atomic_load(&t.calls[i]) == (i < parts ? 1 : 0);
    }
    return good;
}

START_TEST(parallel_for_calls_every_part_once)
{
    for (int threads = -1; threads <= 9; threads++) {
        for (int parts = 0; parts < MOST; parts++) {
            ck_assert_msg(all_once(threads, parts), "%d threads, %d parts", threads, parts);
        }
    }
}
END_TEST

START_TEST(parallel_for_leaves_the_callers_fp_state)
{
    uint32_t before = _mm_getcsr();
    all_once(1, 3);
    all_once(4, 9);
    ck_assert_uint_eq(_mm_getcsr(), before);
}
END_TEST

static void nest(void *context, int part, int parts)
{
    (void)part;
    (void)parts;
    if (!all_once(4, 8)) {
        atomic_fetch_add((atomic_int *)context, 1);
    }
}

START_TEST(parallel_for_inside_a_part_works)
{
    atomic_int wrong = 0;
    nmi_parallel_for(3, 6, nest, &wrong);
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

static void *use_teams(void *wrong)
{
    for (int i = 0; i < 50; i++) {
        if (!all_once(1 + i % 4, 1 + i % 13)) {
            atomic_fetch_add((atomic_int *)wrong, 1);
        }
    }
    return NULL;
}

START_TEST(parallel_for_from_many_threads_works)
{
    pthread_t thread[4];
    atomic_int wrong = 0;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_teams, &wrong), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
    }
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

/* ---- rounds that follow one another ------------------------------------------------------------- */

enum { ROUNDS = 300 };

struct rounds {
    int round, wrong, pause_us;
    int done[MOST];      /* by part; plain memory: a round sees what the one before wrote */
    const int *parts;    /* of each round, over and over */
    int kinds;
};

static int parts_in(const struct rounds *r, int round)
{
    return r->parts[round % r->kinds];
}

static int next_counted(void *context)
{
    struct rounds *r = context;
    for (int i = 0; i < MOST; i++) {
        const int want = r->round > 0 && i < parts_in(r, r->round - 1) ? r->round : 0;
        r->wrong += r->done[i] != want;
        r->done[i] = 0;
    }
    if (r->pause_us > 0) {
        usleep((useconds_t)r->pause_us);
    }
    return r->round == ROUNDS ? 0 : parts_in(r, r->round++);
}

static void mark_part(void *context, int part, int parts)
{
    struct rounds *r = context;
    r->done[part] += parts == parts_in(r, r->round - 1) ? r->round : -1;
}

/* Parts that were not done once in their own round. */
static int rounds_wrong(int threads, int pause_us)
{
    static const int parts[] = {4, 1, 7, 2, 2, MOST, 1, 1, 3};
    struct rounds r = {.parts = parts, .kinds = sizeof parts / sizeof *parts, .pause_us = pause_us};
    nmi_parallel_rounds(threads, next_counted, mark_part, &r);
    return r.wrong + (r.round != ROUNDS);
}

START_TEST(rounds_follow_one_another)
{
    static const int threads[] = {-1, 1, 2, 3, 4, 8, 16, 64};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        ck_assert_msg(rounds_wrong(threads[i], 0) == 0, "%d threads", threads[i]);
    }
}
END_TEST

/* So long between two rounds that the others fall asleep. */
START_TEST(threads_that_sleep_wake_up)
{
    ck_assert_int_eq(rounds_wrong(2, 2000), 0);
    ck_assert_int_eq(rounds_wrong(4, 2000), 0);
}
END_TEST

static void *use_rounds(void *wrong)
{
    for (int threads = 1; threads <= 4; threads++) {
        atomic_fetch_add((atomic_int *)wrong, rounds_wrong(threads, 0));
    }
    return NULL;
}

START_TEST(rounds_from_two_threads_work)
{
    pthread_t thread[2];
    atomic_int wrong = 0;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_rounds, &wrong), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

/* Part 0 waits for all others: it would wait for ever if its own thread had to do some of them. */
static void wait_for_others(void *context, int part, int parts)
{
    atomic_int *done = context;
    while (part == 0 && atomic_load(done) < parts - 1) {
        usleep(100);
    }
    atomic_fetch_add(done, 1);
}

START_TEST(parts_of_a_late_thread_are_taken_over)
{
    atomic_int done = 0;
    alarm(60);
    nmi_parallel_for(2, 8, wait_for_others, &done);
    alarm(0);
    ck_assert_int_eq(atomic_load(&done), 8);
}
END_TEST

START_TEST(threads_enter_is_undone_by_restore)
{
    int before = omp_get_max_threads();
    int old = nmi_threads_enter(before + 3);
    ck_assert_int_eq(old, before);
    ck_assert_int_eq(omp_get_max_threads(), before + 3);
    nmi_threads_restore(old);
    ck_assert_int_eq(omp_get_max_threads(), before);
}
END_TEST

/* The child would wait for ever if it used the parent's pool: alarm ends it then. */
START_TEST(fork_after_a_team_uses_one_thread)
{
    ck_assert(all_once(4, 8));
    ck_assert_int_eq(nmi_forked(), 0);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            int old = nmi_threads_enter(4);
            int one = omp_get_max_threads() == 1;
            nmi_threads_restore(old);
            _exit(nmi_forked() && one && all_once(4, 8) ? 0 : 1);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ck_assert_int_eq(nmi_forked(), 0);
    ck_assert(all_once(4, 8));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("parallel");
    TCase *t = tcase_create("parallel");
    tcase_add_test(t, parallel_for_calls_every_part_once);
    tcase_add_test(t, parallel_for_leaves_the_callers_fp_state);
    tcase_add_test(t, parallel_for_inside_a_part_works);
    tcase_add_test(t, parallel_for_from_many_threads_works);
    tcase_add_test(t, rounds_follow_one_another);
    tcase_add_test(t, threads_that_sleep_wake_up);
    tcase_add_test(t, rounds_from_two_threads_work);
    tcase_add_test(t, parts_of_a_late_thread_are_taken_over);
    tcase_add_test(t, threads_enter_is_undone_by_restore);
    tcase_add_test(t, fork_after_a_team_uses_one_thread);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
