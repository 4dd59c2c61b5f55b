/* SPDX-License-Identifier: Apache-2.0 */
/* Files that mean harm, through the public calls: each is refused with a sentence, cheaply. */
#include "lib/base/mem.h"
#include "tests/support/onnx_build.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Refused with this status and these words, nothing left behind, at most `most` bytes at a time. */
static void expect_refused(const void *bytes, size_t size, nm_status wanted, const char *words,
                           size_t most)
{
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    const size_t live = nmi_alloc_live();
    nmi_alloc_peak(1);
    nm_status status = nm_model_load_memory(bytes, size, NULL, &model, &err);
    ck_assert_msg(status == wanted, "%s: %s", nm_status_name(status), err.message);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
    ck_assert_ptr_null(model);
    ck_assert_uint_eq(nmi_alloc_live(), live);
    ck_assert_uint_le(nmi_alloc_peak(0) - live, most);
}

/* ---- damage ------------------------------------------------------------------------------------
 */

START_TEST(cut_files_refused_with_a_sentence)
{
    size_t size;
    unsigned char *bytes = small_net("N,3,8,8", &size);
    for (size_t n = 0; n < size; n += n < 64 ? 1 : 37) {
        nm_model *model = NULL;
        nm_error err = {NM_OK, ""};
        nm_status status = nm_model_load_memory(bytes, n, NULL, &model, &err);
        if (status == NM_OK) {
            nm_model_free(model); /* nothing but optional fields was cut off */
            continue;
        }
        ck_assert_int_eq(err.status, status);
        ck_assert_uint_gt(strlen(err.message), 10);
    }
    expect_refused("hello", 5, NM_EFORMAT, "not an ONNX model", 10000);
    nmi_free(bytes);
}
END_TEST

/* Changed bytes give another network or a refusal; what still loads, runs or says why not. */
START_TEST(changed_bytes_loaded_or_refused_never_worse)
{
    size_t size;
    unsigned char *bytes = small_net("N,3,8,8", &size);
    const size_t live = nmi_alloc_live();
    nm_tensor in = small_input(1, 8, 8);
    uint64_t state = 1;
    const char *seed = getenv("NM_SEED");
    state = seed != NULL ? strtoull(seed, NULL, 10) : state;
    printf("NM_SEED=%llu\n", (unsigned long long)state);
    for (int i = 0; i < 1200; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        const size_t at = (size_t)(state >> 20) % size;
        const unsigned char old = bytes[at];
        nm_model *model = NULL;
        nm_error err = {NM_OK, ""};
        bytes[at] = (unsigned char)(old ^ (1u << (state >> 60 & 7)));
        if (nm_model_load_memory(bytes, size, NULL, &model, &err) == NM_OK && i % 8 == 0) {
            nm_session *session = small_session(model, NULL);
            nm_tensor out = {0};
            nm_status status = nm_run(session, &in, 1, &out, 1, &err);
            ck_assert(status == NM_OK || strlen(err.message) > 10);
            nm_session_free(session);
        }
        nm_model_free(model);
        bytes[at] = old;
    }
    ck_assert_uint_eq(nmi_alloc_live(), live);
    nmi_free(bytes);
    free(in.data);
}
END_TEST

START_TEST(bytes_of_the_caller_may_go_after_loading)
{
    size_t size;
    void *bytes = small_net("N,3,8,8", &size);
    nm_model *model = NULL;
    ck_assert_int_eq(nm_model_load_memory(bytes, size, NULL, &model, NULL), NM_OK);
    memset(bytes, 0xff, size);
    nmi_free(bytes);
    nm_model *fresh = small_model("N,3,8,8", NULL);
    nm_tensor in = small_input(1, 8, 8);
    float *y = small_reference(model, &in), *want = small_reference(fresh, &in);
    ck_assert_mem_eq(y, want, SMALL_CLASSES * sizeof *y);
    free(y);
    free(want);
    free(in.data);
    nm_model_free(fresh);
    nm_model_free(model);
}
END_TEST

/* ---- size --------------------------------------------------------------------------------------
 */

START_TEST(model_that_asks_for_petabytes_refused)
{
    struct onnx_build b;
    size_t size;
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "w", NM_F32, "1125899906842624,1125899906842624", "abcd", 4);
    onnx_build_node(&b, "Relu", "w", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    void *bytes = onnx_build_finish(&b, &size);
    ck_assert_uint_le(size, 150);
    expect_refused(bytes, size, NM_ELIMIT, "nm_limits.elements", 100000);
    nmi_free(bytes);
}
END_TEST

/* The file is small and its shapes are sound: only the plan would be enormous. */
START_TEST(run_that_asks_for_terabytes_refused)
{
    static const char *const inputs[] = {"x,s", "x,p"};
    static const int64_t shape[3] = {40000, 40000, 1000}, pads[6] = {0, 0, 0, 20000, 40000, 90000};
    for (int i = 0; i < 2; i++) {
        struct onnx_build b;
        size_t size;
        nm_model *model = NULL;
        nm_error err = {NM_OK, ""};
        onnx_build_start(&b, 13);
        onnx_build_input(&b, "x", NM_F32, "1,1,1");
        onnx_build_tensor(&b, "s", NM_I64, "3", shape, sizeof shape);
        onnx_build_tensor(&b, "p", NM_I64, "6", pads, sizeof pads);
        onnx_build_node(&b, i ? "Pad" : "Expand", inputs[i], "y");
        onnx_build_output(&b, "y", NM_F32, NULL);
        void *bytes = onnx_build_finish(&b, &size);
        nmi_alloc_peak(1);
        nm_status status = nm_model_load_memory(bytes, size, NULL, &model, &err);
        if (status == NM_OK) {
            float x = 1;
            nm_tensor in = {NULL, NM_F32, 3, {1, 1, 1}, &x, sizeof x}, out = {0};
            nm_session *session = small_session(model, NULL);
            status = nm_run(session, &in, 1, &out, 1, &err);
            nm_session_free(session);
        }
        ck_assert_msg(status == NM_ELIMIT, "%s: %s", nm_status_name(status), err.message);
        ck_assert_uint_lt(nmi_alloc_peak(0), 2000000);
        nm_model_free(model);
        nmi_free(bytes);
    }
}
END_TEST

/* ---- depth -------------------------------------------------------------------------------------
 */

/* 29 KB: attributes that hold graphs that hold nodes that hold attributes ... */
static void *deep_model(size_t *size)
{
    static const unsigned char tags[3] = {0x0a, 0x2a, 0x32}; /* graph.node, node.attribute, .g */
    enum { LEVELS = 7300 };
    unsigned char *bytes = malloc(4 * LEVELS + 64), *end = bytes + 4 * LEVELS + 64, *at = end;
    size_t inner = 0;
    for (int i = 0; i <= LEVELS; i++) {
        unsigned char head[8];
        size_t n = 0;
        head[n++] = i == LEVELS ? 0x3a : tags[(LEVELS - 1 - i) % 3]; /* the model's graph: 7 */
        for (size_t left = inner;; left >>= 7) {
            head[n++] = (unsigned char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
            if (left <= 0x7f) {
                break;
            }
        }
        at -= n;
        memcpy(at, head, n);
        inner += n;
    }
    *size = inner;
    memmove(bytes, at, inner);
    return bytes;
}

static nm_status deep_status;
static nm_error deep_error;
static size_t deep_peak;

static void *load_deep(void *unused)
{
    size_t size;
    void *bytes = deep_model(&size);
    nm_model *model = NULL;
    const size_t live = nmi_alloc_live();
    nmi_alloc_peak(1);
    deep_status = nm_model_load_memory(bytes, size, NULL, &model, &deep_error);
    deep_peak = nmi_alloc_peak(0) - live - size;
    free(bytes);
    return unused;
}

START_TEST(deep_nesting_on_a_small_stack_refused)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, 128 << 10), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, load_deep, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    ck_assert_msg(deep_status == NM_ELIMIT, "%s", deep_error.message);
    ck_assert_ptr_nonnull(strstr(deep_error.message, "message_depth"));
    ck_assert_uint_lt(deep_peak, 100000);
}
END_TEST

static void *load_and_run_small(void *result)
{
    size_t size;
    void *bytes = small_net("N,3,8,8", &size);
    nm_model *model = NULL;
    nm_session *session = NULL;
    nm_tensor in = small_input(1, 8, 8), out = {0};
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = 1;
    nm_status *status = result;
    *status = nm_model_load_memory(bytes, size, NULL, &model, NULL);
    if (*status == NM_OK) {
        *status = nm_session_create(model, &o, &session, NULL);
    }
    if (*status == NM_OK) {
        *status = nm_run(session, &in, 1, &out, 1, NULL);
    }
    nm_session_free(session);
    nm_model_free(model);
    nmi_free(bytes);
    free(in.data);
    return NULL;
}

/* oneDNN's code generator is the hungriest guest of a stack. */
START_TEST(network_on_a_stack_of_256_kib_runs)
{
    pthread_attr_t attr;
    pthread_t thread;
    nm_status status = NM_EINTERNAL;
    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, 256 << 10), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, load_and_run_small, &status), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    ck_assert_int_eq(status, NM_OK);
}
END_TEST

/* ---- external data -----------------------------------------------------------------------------
 */

static void *external_model(const char *location, size_t *size)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    struct nmi_mark tensor = nmi_put_open(&b.w, 5);
    onnx_build_dims(&b.w, 1, "4");
    nmi_put_int(&b.w, 2, NM_F32);
    nmi_put_string(&b.w, 8, "w");
    struct nmi_mark entry = nmi_put_open(&b.w, 13);
    nmi_put_string(&b.w, 1, "location");
    nmi_put_string(&b.w, 2, location);
    nmi_put_close(&b.w, entry);
    nmi_put_int(&b.w, 14, 1);
    nmi_put_close(&b.w, tensor);
    onnx_build_input(&b, "x", NM_F32, "4");
    onnx_build_node(&b, "Add", "x,w", "y");
    onnx_build_output(&b, "y", NM_F32, "4");
    return onnx_build_finish(&b, size);
}

START_TEST(external_data_only_from_below_the_model)
{
    static const float data[4] = {1, 2, 3, 4};
    static const char *const bad[] = {"../outside.bin",     "sub/../../outside.bin", "link.bin",
                                      "linked/outside.bin", "/etc/hostname",         "sub",
                                      "missing.bin"};
    char path[512];
    ck_assert_int_eq(mkdir(scratch_path("models"), 0700), 0);
    ck_assert_int_eq(mkdir(scratch_path("models/sub"), 0700), 0);
    const char *outside = scratch_write("outside.bin", data, sizeof data);
    scratch_write("models/sub/inside.bin", data, sizeof data);
    ck_assert_int_eq(symlink(outside, scratch_path("models/link.bin")), 0);
    ck_assert_int_eq(symlink("..", scratch_path("models/linked")), 0);
    for (size_t i = 0; i <= NMI_COUNT(bad); i++) {
        const bool good = i == NMI_COUNT(bad);
        size_t size;
        void *bytes = external_model(good ? "sub/inside.bin" : bad[i], &size);
        nm_model *model = NULL;
        nm_error err = {NM_OK, ""};
        snprintf(path, sizeof path, "%s", scratch_write("models/m.onnx", bytes, size));
        nm_status status = nm_model_load(path, NULL, &model, &err);
        ck_assert_msg((status == NM_OK) == good, "%s: %s %s", bad[i % NMI_COUNT(bad)],
                      nm_status_name(status), err.message);
        ck_assert(good || strstr(err.message, bad[i]) != NULL);
        nm_model_free(model);
        if (good) { /* from memory no folder is open, unless one is named */
            nm_load_options o = NM_LOAD_OPTIONS_INIT;
            model = NULL;
            ck_assert_int_ne(nm_model_load_memory(bytes, size, &o, &model, NULL), NM_OK);
            o.external_dir = scratch_path("models");
            ck_assert_int_eq(nm_model_load_memory(bytes, size, &o, &model, NULL), NM_OK);
            nm_model_free(model);
        }
        nmi_free(bytes);
    }
}
END_TEST

START_TEST(paths_that_are_no_model_refused)
{
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_int_eq(nm_model_load(scratch_path("missing.onnx"), NULL, &model, &err), NM_EIO);
    ck_assert_ptr_nonnull(strstr(err.message, "missing.onnx"));
    ck_assert_int_eq(nm_model_load(scratch_path("."), NULL, &model, &err), NM_EIO);
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    ck_assert_int_eq(nm_model_load(scratch_path("fifo"), NULL, &model, &err), NM_EIO);
    ck_assert_int_eq(nm_model_load("", NULL, &model, &err), NM_EIO);
    nm_limits limits = NM_LIMITS_INIT;
    nm_load_options o = NM_LOAD_OPTIONS_INIT;
    limits.model_bytes = 4;
    o.limits = &limits;
    scratch_write("five.onnx", "12345", 5);
    ck_assert_int_eq(nm_model_load(scratch_path("five.onnx"), &o, &model, &err), NM_ELIMIT);
    ck_assert_ptr_nonnull(strstr(err.message, "model_bytes"));
    ck_assert_ptr_null(model);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostile");
    TCase *t = tcase_create("hostile");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, cut_files_refused_with_a_sentence);
    tcase_add_test(t, changed_bytes_loaded_or_refused_never_worse);
    tcase_add_test(t, bytes_of_the_caller_may_go_after_loading);
    tcase_add_test(t, model_that_asks_for_petabytes_refused);
    tcase_add_test(t, run_that_asks_for_terabytes_refused);
    tcase_add_test(t, deep_nesting_on_a_small_stack_refused);
    tcase_add_test(t, network_on_a_stack_of_256_kib_runs);
    tcase_add_test(t, external_data_only_from_below_the_model);
    tcase_add_test(t, paths_that_are_no_model_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
