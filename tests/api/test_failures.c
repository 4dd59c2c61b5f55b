/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out: the n-th allocation of load, prune, session, run, describe and save fails,
 * once or from then on, for every n. Each time a status with a sentence, nothing leaked, and the
 * same calls are right afterwards.
 */
#include "lib/base/mem.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *file;
static size_t file_size;
static nm_tensor input;
static float want[SMALL_CLASSES];

struct story {
    nm_model *model, *pruned;
    nm_session *session;
    char *json;
    const char *saved;
    float y[SMALL_CLASSES];
    nm_error err;
};

static nm_status tell(struct story *s, bool fixed)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    nm_prune_options prune = NM_PRUNE_OPTIONS_INIT;
    nm_save_options save = NM_SAVE_OPTIONS_INIT;
    nm_tensor out = {.data = s->y, .capacity = sizeof s->y};
    nm_error *err = &s->err;
    prune.sparsity = 0.9;
    o.fixed_plan = fixed;
    o.threads = 2;
    save.sparse = 1;
    nm_status status = nm_model_load_memory(file, file_size, NULL, &s->model, err);
    if (status == NM_OK) {
        status = nm_model_prune(s->model, &prune, &s->pruned, err);
    }
    if (status == NM_OK) {
        status = nm_session_create(s->pruned, &o, &s->session, err);
    }
    if (status == NM_OK) {
        status = nm_run(s->session, &input, 1, &out, 1, err);
    }
    if (status == NM_OK) {
        status = nm_session_describe(s->session, NM_DESCRIBE_PLAN, &s->json, err);
    }
    if (status == NM_OK) {
        status = nm_model_save(s->pruned, s->saved, &save, err);
    }
    return status;
}

static void end(struct story *s)
{
    nm_session_free(s->session);
    nm_model_free(s->pruned);
    nm_model_free(s->model);
    nm_string_free(s->json);
}

static void expect_right(bool fixed, const char *saved)
{
    struct story s = {.saved = saved};
    ck_assert_msg(tell(&s, fixed) == NM_OK, "%s", s.err.message);
    small_close(s.y, want, SMALL_CLASSES);
    ck_assert_int_eq(access(saved, R_OK), 0);
    end(&s);
    unlink(saved);
}

/* Plans by rule, which always allocate alike. Returns how many allocations could fail. */
static long sweep(int sticky, bool fixed, long step)
{
    const char *saved = scratch_path("saved.onnx");
    expect_right(fixed, saved); /* whatever is made once per process is there now */
    const size_t live = nmi_alloc_live();
    long refused = 0;
    bool reached = true;
    for (long n = 1; reached; n += step) {
        struct story s = {.saved = saved};
        const long before = nmi_alloc_count();
        nmi_alloc_fail_after(n, sticky);
        nm_status status = tell(&s, fixed);
        nmi_alloc_fail_after(0, 0);
        reached = nmi_alloc_count() - before >= n;
        ck_assert_msg(status == NM_OK || status == NM_ENOMEM, "n = %ld: %s: %s", n,
                      nm_status_name(status), s.err.message);
        if (status == NM_OK) { /* it did without, or n is beyond the last */
            small_close(s.y, want, SMALL_CLASSES);
        } else {
            ck_assert_int_eq(s.err.status, NM_ENOMEM);
            ck_assert_msg(strlen(s.err.message) > 10, "n = %ld: no sentence", n);
            ck_assert_int_ne(access(saved, F_OK), 0);
            refused++;
        }
        end(&s);
        unlink(saved);
        ck_assert_msg(nmi_alloc_live() == live, "n = %ld: %zu bytes before, %zu after", n, live,
                      nmi_alloc_live());
    }
    expect_right(fixed, saved);
    return refused;
}

START_TEST(any_allocation_fails_once_reported)
{
    ck_assert_int_gt(sweep(0, true, 1), 100);
}
END_TEST

START_TEST(any_allocation_and_all_after_it_fail_reported)
{
    ck_assert_int_gt(sweep(1, true, 1), 100);
}
END_TEST

START_TEST(while_measuring_reported)
{
    ck_assert_int_gt(sweep(1, false, 41), 10);
}
END_TEST

/* A session whose planning failed is as good as new, and so is the model under it. */
START_TEST(session_goes_on_after_a_failed_plan)
{
    nm_model *model = small_model("N,3,8,8", NULL);
    nm_session *session = small_session(model, NULL);
    float *right = small_reference(model, &input);
    nm_status status = NM_ENOMEM;
    for (long n = 1; status != NM_OK; n++) {
        nm_tensor out = {0};
        nm_error err = {NM_OK, ""};
        nmi_alloc_fail_after(n, 1);
        status = nm_run(session, &input, 1, &out, 1, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || (status == NM_ENOMEM && err.message[0] != '\0'));
        if (status == NM_OK) {
            small_close(out.data, right, SMALL_CLASSES);
        }
    }
    free(right);
    nm_session_free(session);
    nm_model_free(model);
}
END_TEST

static void prepare(void)
{
    nm_model *model = NULL, *pruned = NULL;
    nm_prune_options prune = NM_PRUNE_OPTIONS_INIT;
    prune.sparsity = 0.9;
    file = small_net("N,3,8,8", &file_size);
    input = small_input(1, 8, 8);
    ck_assert_int_eq(nm_model_load_memory(file, file_size, NULL, &model, NULL), NM_OK);
    ck_assert_int_eq(nm_model_prune(model, &prune, &pruned, NULL), NM_OK);
    float *y = small_reference(pruned, &input);
    memcpy(want, y, sizeof want);
    free(y);
    nm_model_free(pruned);
    nm_model_free(model);
}

static void clean_up(void)
{
    nmi_free(file);
    free(input.data);
}

int main(void)
{
    Suite *s = suite_create("failures");
    TCase *t = tcase_create("failures");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, prepare, clean_up);
    tcase_add_test(t, any_allocation_fails_once_reported);
    tcase_add_test(t, any_allocation_and_all_after_it_fail_reported);
    tcase_add_test(t, while_measuring_reported);
    tcase_add_test(t, session_goes_on_after_a_failed_plan);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
