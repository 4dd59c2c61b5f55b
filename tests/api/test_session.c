/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in use: shapes that come and go, memory that does not grow, threads, forks, callers with
 * a floating-point state of their own. */
#include "lib/base/mem.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

static nm_model *model;

static void setup(void)
{
    model = small_model("N,3,H,W", NULL);
}

static void teardown(void)
{
    nm_model_free(model);
}

/* Runs in against the reference. */
static void check_run(nm_session *session, const nm_tensor *in)
{
    nm_tensor out = {.name = "y"};
    nm_error err = {NM_OK, ""};
    float *want = small_reference(model, in);
    ck_assert_msg(nm_run(session, in, 1, &out, 1, &err) == NM_OK, "%s", err.message);
    ck_assert_int_eq(out.type, NM_F32);
    ck_assert_int_eq(out.rank, 2);
    ck_assert_int_eq(out.dims[0], in->dims[0]);
    ck_assert_int_eq(out.dims[1], SMALL_CLASSES);
    small_close(out.data, want, (size_t)(in->dims[0] * SMALL_CLASSES));
    free(want);
}

static int64_t number_in(nm_session *session, nm_describe what, const char *key)
{
    char *json = NULL;
    ck_assert_int_eq(nm_session_describe(session, what, &json, NULL), NM_OK);
    const char *at = strstr(json, key);
    ck_assert_ptr_nonnull(at);
    const int64_t value = strtoll(at + strlen(key) + 1, NULL, 10);
    nm_string_free(json);
    return value;
}

/* ---- shapes ------------------------------------------------------------------------------------
 */

START_TEST(batches_and_sizes_in_any_order_right)
{
    static const int64_t shapes[][3] = {{1, 8, 8},  {3, 8, 8}, {2, 8, 8},   {1, 8, 8},
                                        {1, 5, 17}, {1, 1, 1}, {7, 12, 12}, {1, 8, 8}};
    for (int32_t threads = 1; threads <= 3; threads++) {
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.threads = threads;
        nm_session *session = small_session(model, &o);
        for (size_t i = 0; i < NMI_COUNT(shapes); i++) {
            nm_tensor in = small_input(shapes[i][0], shapes[i][1], shapes[i][2]);
            check_run(session, &in);
            free(in.data);
        }
        nm_session_free(session);
    }
}
END_TEST

START_TEST(no_images_no_crash)
{
    nm_session *session = small_session(model, NULL);
    nm_tensor in = small_input(0, 8, 8), out = {.name = "y"};
    nm_error err = {NM_OK, ""};
    nm_status status = nm_run(session, &in, 1, &out, 1, &err);
    if (status == NM_OK) {
        ck_assert_int_eq(out.dims[0], 0);
    } else {
        ck_assert_int_eq(err.status, status);
        ck_assert_uint_gt(strlen(err.message), 10);
    }
    free(in.data);
    in = small_input(1, 8, 8);
    check_run(session, &in);
    free(in.data);
    nm_session_free(session);
}
END_TEST

START_TEST(known_shapes_allocate_nothing)
{
    nm_session *session = small_session(model, NULL);
    nm_tensor in[3] = {small_input(1, 8, 8), small_input(3, 8, 8), small_input(1, 9, 7)};
    float y[3 * SMALL_CLASSES];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(nm_session_prepare(session, &in[i], 1, NULL), NM_OK);
    }
    const long before = nmi_alloc_count();
    for (int i = 0; i < 30; i++) {
        nm_tensor out = {.name = "y", .data = i % 2 ? y : NULL, .capacity = sizeof y};
        ck_assert_int_eq(nm_run(session, &in[i % 3], 1, &out, 1, NULL), NM_OK);
    }
    ck_assert_int_eq(nmi_alloc_count(), before);
    for (int i = 0; i < 3; i++) {
        free(in[i].data);
    }
    nm_session_free(session);
}
END_TEST

START_TEST(prepare_without_data_plans)
{
    nm_session *session = small_session(model, NULL);
    nm_tensor in = small_input(2, 8, 8), bare = in;
    bare.data = NULL;
    bare.capacity = 0;
    ck_assert_int_eq(nm_session_prepare(session, &bare, 1, NULL), NM_OK);
    ck_assert_int_eq(number_in(session, NM_DESCRIBE_MEMORY, "\"plans\""), 1);
    check_run(session, &in);
    ck_assert_int_eq(number_in(session, NM_DESCRIBE_MEMORY, "\"plans\""), 1);
    nm_session_free(session);
    free(in.data);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------------
 */

static nm_session *limited(const nm_limits *limits)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.fixed_plan = 1;
    o.limits = limits;
    return small_session(model, &o);
}

START_TEST(plans_kept_bounded_by_number)
{
    nm_limits limits = NM_LIMITS_INIT;
    limits.plans = 3;
    nm_session *session = limited(&limits);
    size_t live = 0;
    for (int64_t round = 0; round < 4; round++) {
        for (int64_t n = 1; n <= 8; n++) {
            nm_tensor in = small_input(n, 8, 8);
            check_run(session, &in);
            free(in.data);
            ck_assert_int_le(number_in(session, NM_DESCRIBE_MEMORY, "\"plans\""), 3);
        }
        ck_assert(round < 2 || nmi_alloc_live() == live);
        live = nmi_alloc_live();
    }
    /* The three used last are there, the one before is not. */
    for (int64_t n = 8; n >= 5; n--) {
        nm_tensor in = small_input(n, 8, 8), out = {0};
        const long before = nmi_alloc_count();
        ck_assert_int_eq(nm_run(session, &in, 1, &out, 1, NULL), NM_OK);
        ck_assert_int_eq(nmi_alloc_count() == before, n >= 6);
        free(in.data);
    }
    nm_session_free(session);
}
END_TEST

START_TEST(plans_kept_bounded_by_bytes_but_for_one)
{
    nm_limits limits = NM_LIMITS_INIT;
    limits.plan_bytes = 1;
    nm_session *session = limited(&limits);
    for (int64_t n = 1; n <= 4; n++) {
        nm_tensor in = small_input(n, 8, 8);
        check_run(session, &in);
        check_run(session, &in);
        free(in.data);
        ck_assert_int_le(number_in(session, NM_DESCRIBE_MEMORY, "\"plans\""), 1);
    }
    nm_session_free(session);
}
END_TEST

START_TEST(arena_beyond_its_limit_refused_by_name)
{
    nm_limits limits = NM_LIMITS_INIT;
    limits.session_bytes = 100000;
    nm_session *session = limited(&limits);
    nm_tensor small = small_input(1, 4, 4), large = small_input(1, 200, 200), out = {0};
    nm_error err = {NM_OK, ""};
    check_run(session, &small);
    ck_assert_int_eq(nm_run(session, &large, 1, &out, 1, &err), NM_ELIMIT);
    ck_assert_msg(strstr(err.message, "session_bytes") != NULL, "%s", err.message);
    check_run(session, &small);
    nm_session_free(session);
    free(small.data);
    free(large.data);
}
END_TEST

/* ---- lifetimes ---------------------------------------------------------------------------------
 */

START_TEST(session_keeps_its_model_alive)
{
    const size_t live = nmi_alloc_live();
    nm_model *own = small_model("N,3,8,8", NULL);
    nm_session *session = small_session(own, NULL);
    nm_tensor in = small_input(1, 8, 8), out = {0};
    nm_model_free(own);
    ck_assert_int_eq(nm_run(session, &in, 1, &out, 1, NULL), NM_OK);
    nm_session_free(session);
    ck_assert_uint_eq(nmi_alloc_live(), live);
    free(in.data);
}
END_TEST

START_TEST(memory_of_the_session_valid_until_the_next_call)
{
    nm_session *session = small_session(model, NULL);
    nm_tensor in = small_input(1, 8, 8), out[2] = {{.name = "inner"}, {.name = "y"}};
    float y[SMALL_CLASSES];
    nm_tensor mine = {.name = "y", .data = y, .capacity = sizeof y};
    ck_assert_int_eq(nm_run(session, &in, 1, out, 2, NULL), NM_OK);
    ck_assert_int_eq(out[0].rank, 4);
    ck_assert_int_eq(out[0].dims[1], 16);
    ck_assert_uint_ge(out[0].capacity, 16 * 64 * sizeof(float));
    float copy[SMALL_CLASSES];
    memcpy(copy, out[1].data, sizeof copy);
    ck_assert_int_eq(nm_run(session, &in, 1, &mine, 1, NULL), NM_OK);
    ck_assert_mem_eq(y, copy, sizeof copy);
    nm_session_free(session);
    free(in.data);
}
END_TEST

/* ---- threads and processes ---------------------------------------------------------------------
 */

static nm_session *busy_session;
static atomic_int stop, failures;

static void *keep_running(void *unused)
{
    nm_tensor in = small_input(2, 64, 64), out = {0};
    while (!atomic_load(&stop)) {
        nm_status status = nm_run(busy_session, &in, 1, &out, 1, NULL);
        atomic_fetch_add(&failures, status != NM_OK && status != NM_EBUSY);
        out = (nm_tensor){0};
    }
    free(in.data);
    return unused;
}

START_TEST(one_session_in_two_threads_busy)
{
    pthread_t thread;
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.isa = NM_ISA_REF; /* slow: its calls overlap */
    o.threads = 1;
    busy_session = small_session(model, &o);
    nm_tensor in = small_input(2, 64, 64), out = {0};
    nm_error err = {NM_OK, ""};
    nm_status status = NM_OK;
    atomic_store(&stop, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_running, NULL), 0);
    for (int i = 0; i < 100000 && status != NM_EBUSY; i++) {
        out = (nm_tensor){0};
        status = nm_run(busy_session, &in, 1, &out, 1, &err);
        ck_assert(status == NM_OK || status == NM_EBUSY);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, NM_EBUSY);
    ck_assert_ptr_nonnull(strstr(err.message, "one session, one thread"));
    ck_assert_int_eq(failures, 0);
    out = (nm_tensor){0};
    ck_assert_int_eq(nm_run(busy_session, &in, 1, &out, 1, NULL), NM_OK);
    nm_session_free(busy_session);
    free(in.data);
}
END_TEST

struct worker {
    nm_tensor in;
    const float *want;
    int wrong;
};

/* A session of its own on the common model. Check's assertions belong to the main thread. */
static void *run_own_session(void *argument)
{
    struct worker *w = argument;
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = 1 + (int32_t)(w->in.dims[0] % 2);
    nm_session *session = NULL;
    w->wrong = nm_session_create(model, &o, &session, NULL) != NM_OK;
    for (int i = 0; i < 50 && !w->wrong; i++) {
        nm_tensor out = {0};
        w->wrong = nm_run(session, &w->in, 1, &out, 1, NULL) != NM_OK;
        for (int64_t k = 0; !w->wrong && k < w->in.dims[0] * SMALL_CLASSES; k++) {
            w->wrong = !(fabsf(((float *)out.data)[k] - w->want[k]) < 1e-3f);
        }
    }
    nm_session_free(session);
    return NULL;
}

START_TEST(two_sessions_of_one_model_at_once_right)
{
    pthread_t threads[3];
    struct worker workers[3] = {0};
    float *want[3];
    for (int i = 0; i < 3; i++) {
        workers[i].in = small_input(1 + i, 10, 10);
        workers[i].want = want[i] = small_reference(model, &workers[i].in);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_own_session, &workers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(workers[i].wrong, 0);
        free(want[i]);
        free(workers[i].in.data);
    }
}
END_TEST

/* The child plans anew for one thread, so sums may be rounded in another order. */
static bool child_agrees(nm_session *session, const nm_tensor *in, const nm_tensor *want)
{
    nm_tensor mine = {0};
    if (nm_run(session, in, 1, &mine, 1, NULL) != NM_OK) {
        return false;
    }
    const float *y = mine.data, *z = want->data;
    for (int64_t i = 0; i < mine.dims[0] * mine.dims[1]; i++) {
        if (!(fabsf(y[i] - z[i]) <= 1e-5f * (1 + fabsf(z[i])))) {
            return false;
        }
    }
    return true;
}

/* Images in turns on sparse kernels, and layers shared by a team of oneDNN's. */
START_TEST(child_of_a_fork_runs)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = 2;
    o.dense = _i;
    o.fixed_plan = 1; /* both plan alike */
    nm_session *session = small_session(model, &o);
    float y[4 * SMALL_CLASSES];
    nm_tensor in = small_input(_i ? 1 : 4, 16, 16), out = {.data = y, .capacity = sizeof y};
    ck_assert_int_eq(nm_run(session, &in, 1, &out, 1, NULL), NM_OK);
    const pid_t child = fork();
    if (child == 0) {
        alarm(30); /* a child that waits for threads it does not have */
        bool good = child_agrees(session, &in, &out);
        nm_tensor other = small_input(3, 16, 16), mine = {0};
        good = good && nm_run(session, &other, 1, &mine, 1, NULL) == NM_OK;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
    nm_session_free(session);
    free(in.data);
}
END_TEST

/* ---- floating point ----------------------------------------------------------------------------
 */

START_TEST(floating_point_state_of_the_caller_kept)
{
    static const unsigned states[] = {0x1f80, 0x5f80 | 0x3f, 0x7fc0 | 0x8000, 0x3f80};
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    nm_tensor in = small_input(2, 8, 8), bare = in;
    bare.dims[0] = 1;
    float *want = small_reference(model, &in);
    const unsigned old = _mm_getcsr();
    for (size_t i = 0; i < NMI_COUNT(states); i++) {
        nm_session *session = NULL;
        nm_tensor out = {0};
        nm_status status[3];
        _mm_setcsr(states[i]);
        status[0] = nm_session_create(model, &o, &session, NULL);
        status[1] = nm_session_prepare(session, &bare, 1, NULL);
        const unsigned planned = _mm_getcsr();
        status[2] = nm_run(session, &in, 1, &out, 1, NULL);
        const unsigned after = _mm_getcsr();
        _mm_setcsr(old);
        for (int k = 0; k < 3; k++) {
            ck_assert_int_eq(status[k], NM_OK);
        }
        ck_assert_uint_eq(planned & 0xffc0, states[i] & 0xffc0); /* flags of exceptions aside */
        ck_assert_uint_eq(after & 0xffc0, states[i] & 0xffc0);
        small_close(out.data, want, 2 * SMALL_CLASSES);
        nm_session_free(session);
    }
    free(want);
    free(in.data);
}
END_TEST

START_TEST(denormals_count_as_zero)
{
    nm_tensor in = small_input(1, 8, 8);
    float *x = in.data;
    for (int isa = NM_ISA_REF; isa <= (int)nm_isa_best(); isa++) {
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        float y[2][SMALL_CLASSES];
        o.isa = (nm_isa)isa;
        o.fixed_plan = 1;
        nm_session *session = small_session(model, &o);
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < 3 * 64; i++) {
                x[i] = k == 0 ? 0.0f : (i % 2 ? 1e-39f : -1e-44f);
            }
            nm_tensor out = {.data = y[k], .capacity = sizeof y[k]};
            ck_assert_int_eq(nm_run(session, &in, 1, &out, 1, NULL), NM_OK);
        }
        ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
        nm_session_free(session);
    }
    free(in.data);
}
END_TEST

/* ---- describe ----------------------------------------------------------------------------------
 */

/* Brackets close in order, strings end, nothing follows. */
static void check_json(const char *json)
{
    char open[256];
    int depth = 0;
    bool quoted = false;
    ck_assert_int_eq(json[0], '{');
    for (const char *c = json; *c; c++) {
        if (quoted) {
            c += *c == '\\';
            quoted = *c != '"';
        } else if (*c == '"') {
            quoted = true;
        } else if (*c == '{' || *c == '[') {
            ck_assert_int_lt(depth, 255);
            open[depth++] = *c == '{' ? '}' : ']';
        } else if (*c == '}' || *c == ']') {
            ck_assert(depth > 0 && open[--depth] == *c);
            ck_assert(depth > 0 || c[1] == '\0' || strcmp(c + 1, "\n") == 0);
        }
    }
    ck_assert(depth == 0 && !quoted);
}

START_TEST(descriptions_are_json)
{
    nm_session *session = small_session(model, NULL);
    nm_tensor in = small_input(2, 8, 8), out = {0};
    nm_error err = {NM_OK, ""};
    char *json = NULL;
    ck_assert_int_eq(nm_session_describe(session, NM_DESCRIBE_PLAN, &json, &err), NM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "no plan yet"));
    ck_assert_int_eq(nm_run(session, &in, 1, &out, 1, NULL), NM_OK);
    for (int what = NM_DESCRIBE_GRAPH - 1; what <= NM_DESCRIBE_PROFILE + 1; what++) {
        const bool of_model = what >= NM_DESCRIBE_GRAPH && what <= NM_DESCRIBE_SPARSE;
        const bool of_session = what >= NM_DESCRIBE_PLAN && what <= NM_DESCRIBE_PROFILE;
        nm_status status = nm_model_describe(model, (nm_describe)what, &json, &err);
        ck_assert_int_eq(status, of_model ? NM_OK : NM_EINVAL);
        if (of_model) {
            check_json(json);
            nm_string_free(json);
        }
        status = nm_session_describe(session, (nm_describe)what, &json, &err);
        ck_assert_int_eq(status, of_session ? NM_OK : NM_EINVAL);
        if (of_session) {
            check_json(json);
            nm_string_free(json);
        }
    }
    nm_session_free(session);
    free(in.data);
}
END_TEST

START_TEST(not_optimised_the_same_results)
{
    nm_load_options load = NM_LOAD_OPTIONS_INIT;
    load.no_optimize = 1;
    nm_model *plain = small_model("N,3,H,W", &load);
    nm_session *session = small_session(plain, NULL);
    nm_tensor in = small_input(3, 8, 8);
    check_run(session, &in);
    nm_session_free(session);
    nm_model_free(plain);
    free(in.data);
}
END_TEST

START_TEST(measurements_kept_in_a_file_same_results)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.cache_file = scratch_path("cache");
    nm_tensor in = small_input(1, 8, 8);
    for (int i = 0; i < 2; i++) {
        nm_session *session = small_session(model, &o);
        check_run(session, &in);
        nm_session_free(session);
        ck_assert_int_eq(access(o.cache_file, R_OK), 0);
    }
    free(in.data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, batches_and_sizes_in_any_order_right);
    tcase_add_test(t, no_images_no_crash);
    tcase_add_test(t, known_shapes_allocate_nothing);
    tcase_add_test(t, prepare_without_data_plans);
    tcase_add_test(t, plans_kept_bounded_by_number);
    tcase_add_test(t, plans_kept_bounded_by_bytes_but_for_one);
    tcase_add_test(t, arena_beyond_its_limit_refused_by_name);
    tcase_add_test(t, session_keeps_its_model_alive);
    tcase_add_test(t, memory_of_the_session_valid_until_the_next_call);
    tcase_add_test(t, one_session_in_two_threads_busy);
    tcase_add_test(t, two_sessions_of_one_model_at_once_right);
    tcase_add_loop_test(t, child_of_a_fork_runs, 0, 2);
    tcase_add_test(t, floating_point_state_of_the_caller_kept);
    tcase_add_test(t, denormals_count_as_zero);
    tcase_add_test(t, descriptions_are_json);
    tcase_add_test(t, not_optimised_the_same_results);
    tcase_add_test(t, measurements_kept_in_a_file_same_results);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
