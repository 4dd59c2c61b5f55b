/* SPDX-License-Identifier: Apache-2.0 */
/* One network on 1 to 64 threads, however few CPUs there are: right, and the same bits whoever does
 * which part. */
#include "tests/support/small_net.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static nm_model *model;

/* Sparse, so that our own kernels run it. */
static void setup(void)
{
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    nm_error err = {NM_OK, ""};
    nm_model *dense = small_model("N,3,H,W", NULL);
    o.sparsity = 0.9;
    ck_assert_msg(nm_model_prune(dense, &o, &model, &err) == NM_OK, "%s", err.message);
    nm_model_free(dense);
}

static void teardown(void)
{
    nm_model_free(model);
}

static nm_session *session_on(int32_t threads)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = threads;
    o.fixed_plan = 1;
    return small_session(model, &o);
}

/* Several runs against the reference, and against each other to the bit; 0 when all is right. */
static int runs_wrong(nm_session *session, const nm_tensor *in)
{
    const size_t n = (size_t)(in->dims[0] * SMALL_CLASSES);
    float *first = malloc(n * sizeof *first);
    float *want = small_reference(model, in);
    int wrong = first == NULL;
    for (int i = 0; i < 10 && wrong == 0; i++) {
        nm_tensor out = {.name = "y"};
        wrong += nm_run(session, in, 1, &out, 1, NULL) != NM_OK;
        if (wrong == 0 && i == 0) {
            memcpy(first, out.data, n * sizeof *first);
            small_close(first, want, n);
        }
        wrong += wrong == 0 && memcmp(first, out.data, n * sizeof *first) != 0;
    }
    free(want);
    free(first);
    return wrong;
}

START_TEST(any_number_of_threads_right)
{
    static const int32_t threads[] = {1, 2, 3, 4, 5, 6, 7, 8, 16, 64};
    nm_tensor one = small_input(1, 40, 33), five = small_input(5, 24, 24);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        nm_session *session = session_on(threads[i]);
        ck_assert_msg(runs_wrong(session, &one) == 0, "%d threads", threads[i]);
        ck_assert_msg(runs_wrong(session, &five) == 0, "%d threads, batch 5", threads[i]);
        nm_session_free(session);
    }
    free(one.data);
    free(five.data);
}
END_TEST

static void *run_on_two(void *wrong)
{
    nm_tensor in = small_input(1, 40, 33);
    nm_session *session = session_on(2);
    for (int i = 0; i < 20; i++) {
        atomic_fetch_add((atomic_int *)wrong, runs_wrong(session, &in));
    }
    nm_session_free(session);
    free(in.data);
    return NULL;
}

START_TEST(sessions_with_teams_at_once_right)
{
    pthread_t thread[3];
    atomic_int wrong = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_on_two, &wrong), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
    }
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("threads");
    TCase *t = tcase_create("threads");
    tcase_set_timeout(t, 0);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, any_number_of_threads_right);
    tcase_add_test(t, sessions_with_teams_at_once_right);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
