/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong arguments: each is refused with its status, and a sentence that names what was expected. */
#include "lib/base/mem.h"
#include "tests/support/onnx_build.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nm_model *model;
static nm_session *session;
static nm_tensor input;

static void setup(void)
{
    model = small_model("N,3,8,8", NULL);
    session = small_session(model, NULL);
    input = small_input(2, 8, 8);
}

static void teardown(void)
{
    nm_session_free(session);
    nm_model_free(model);
    free(input.data);
}

/* EXPECT(status, "words in the sentence", call with &err). */
#define EXPECT(wanted, words, call)                                                                \
    do {                                                                                           \
        nm_error err = {NM_OK, ""};                                                                \
        nm_status status_ = (call);                                                                \
        ck_assert_msg(status_ == (wanted), #call ": %s: %s", nm_status_name(status_),              \
                      err.message);                                                                \
        ck_assert_int_eq(err.status, status_);                                                     \
        ck_assert_msg(strstr(err.message, words) != NULL, #call ": \"%s\" lacks \"%s\"",           \
                      err.message, words);                                                         \
    } while (0)

START_TEST(null_arguments_refused_by_name)
{
    nm_model *m = NULL;
    nm_session *s = NULL;
    nm_tensor out = {0};
    char *json = NULL;
    EXPECT(NM_EINVAL, "path is NULL", nm_model_load(NULL, NULL, &m, &err));
    EXPECT(NM_EINVAL, "model is NULL", nm_model_load("x.onnx", NULL, NULL, &err));
    EXPECT(NM_EINVAL, "bytes is NULL", nm_model_load_memory(NULL, 5, NULL, &m, &err));
    EXPECT(NM_EINVAL, "model is NULL", nm_model_load_memory("x", 1, NULL, NULL, &err));
    EXPECT(NM_EINVAL, "model is NULL", nm_model_prune(NULL, NULL, &m, &err));
    EXPECT(NM_EINVAL, "pruned is NULL", nm_model_prune(model, NULL, NULL, &err));
    EXPECT(NM_EINVAL, "model is NULL", nm_model_save(NULL, "x.onnx", NULL, &err));
    EXPECT(NM_EINVAL, "path is NULL", nm_model_save(model, NULL, NULL, &err));
    EXPECT(NM_EINVAL, "model is NULL", nm_model_describe(NULL, NM_DESCRIBE_OPT, &json, &err));
    EXPECT(NM_EINVAL, "json is NULL", nm_model_describe(model, NM_DESCRIBE_OPT, NULL, &err));
    EXPECT(NM_EINVAL, "model is NULL", nm_session_create(NULL, NULL, &s, &err));
    EXPECT(NM_EINVAL, "session is NULL", nm_session_create(model, NULL, NULL, &err));
    EXPECT(NM_EINVAL, "session is NULL", nm_run(NULL, &input, 1, &out, 1, &err));
    EXPECT(NM_EINVAL, "in is NULL", nm_run(session, NULL, 1, &out, 1, &err));
    EXPECT(NM_EINVAL, "out is NULL", nm_run(session, &input, 1, NULL, 1, &err));
    EXPECT(NM_EINVAL, "session is NULL", nm_session_prepare(NULL, &input, 1, &err));
    EXPECT(NM_EINVAL, "in is NULL", nm_session_prepare(session, NULL, 1, &err));
    EXPECT(NM_EINVAL, "session is NULL", nm_session_describe(NULL, NM_DESCRIBE_PLAN, &json, &err));
    EXPECT(NM_EINVAL, "json is NULL", nm_session_describe(session, NM_DESCRIBE_PLAN, NULL, &err));
    ck_assert_ptr_null(m);
    ck_assert_ptr_null(s);
    ck_assert_ptr_null(json);
}
END_TEST

START_TEST(null_where_it_is_allowed_harmless)
{
    nm_model *m = NULL;
    nm_model_free(NULL);
    nm_session_free(NULL);
    nm_string_free(NULL);
    ck_assert_uint_eq(nm_model_inputs(NULL), 0);
    ck_assert_uint_eq(nm_model_outputs(NULL), 0);
    ck_assert_ptr_null(nm_model_input(NULL, 0));
    ck_assert_ptr_null(nm_model_output(model, 2));
    ck_assert_ptr_null(nm_model_input(model, SIZE_MAX));
    ck_assert_int_eq(nm_model_load(NULL, NULL, &m, NULL), NM_EINVAL); /* no sentence wanted */
    ck_assert_int_eq(nm_run(session, &input, 1, NULL, 0, NULL), NM_OK);
    ck_assert_int_eq(nm_run(session, &input, 0, NULL, 0, NULL), NM_EINVAL);
    ck_assert_int_eq(nm_model_load_memory(NULL, 0, NULL, &m, NULL), NM_EFORMAT);
}
END_TEST

/* ---- option structs ----------------------------------------------------------------------------
 */

static nm_status use_load(const void *o, nm_error *err)
{
    size_t size;
    void *bytes = small_net("N,3,8,8", &size);
    nm_model *m = NULL;
    nm_status status = nm_model_load_memory(bytes, size, o, &m, err);
    nm_model_free(m);
    nmi_free(bytes);
    return status;
}

static nm_status use_limits(const void *limits, nm_error *err)
{
    nm_load_options o = NM_LOAD_OPTIONS_INIT;
    o.limits = limits;
    return use_load(&o, err);
}

static nm_status use_session(const void *o, nm_error *err)
{
    nm_session *s = NULL;
    nm_status status = nm_session_create(model, o, &s, err);
    nm_session_free(s);
    return status;
}

static nm_status use_prune(const void *o, nm_error *err)
{
    nm_model *m = NULL;
    nm_status status = nm_model_prune(model, o, &m, err);
    nm_model_free(m);
    return status;
}

static nm_status use_save(const void *o, nm_error *err)
{
    return nm_model_save(model, scratch_path("saved.onnx"), o, err);
}

START_TEST(option_structs_of_other_sizes_held_to_the_rule)
{
    static const struct {
        const char *name;
        size_t size;
        nm_status (*use)(const void *options, nm_error *err);
    } structs[] = {
        {"nm_load_options", sizeof(nm_load_options), use_load},
        {"nm_limits", sizeof(nm_limits), use_limits},
        {"nm_session_options", sizeof(nm_session_options), use_session},
        {"nm_prune_options", sizeof(nm_prune_options), use_prune},
        {"nm_save_options", sizeof(nm_save_options), use_save},
    };
    for (size_t i = 0; i < NMI_COUNT(structs); i++) {
        union {
            size_t size;
            char bytes[8192];
        } o = {0};
        static const size_t wrong[] = {0, 1, sizeof(size_t) - 1, 1000000, SIZE_MAX};
        for (size_t k = 0; k < NMI_COUNT(wrong); k++) {
            o.size = wrong[k];
            EXPECT(NM_EINVAL, structs[i].name, structs[i].use(&o, &err));
        }
        const size_t right[] = {structs[i].size, sizeof(size_t), structs[i].size + 24, 4096};
        for (size_t k = 0; k < NMI_COUNT(right); k++) {
            o.size = right[k];
            EXPECT(NM_OK, "", structs[i].use(&o, &err));
        }
        o.size = structs[i].size + 24;
        o.bytes[structs[i].size + 23] = 1;
        EXPECT(NM_EINVAL, structs[i].name, structs[i].use(&o, &err));
        o.size = structs[i].size; /* what lies behind is not read */
        EXPECT(NM_OK, "", structs[i].use(&o, &err));
    }
}
END_TEST

START_TEST(session_options_out_of_range_refused)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    static const int32_t threads[] = {-1, INT32_MIN, 1025, INT32_MAX};
    for (size_t i = 0; i < NMI_COUNT(threads); i++) {
        o.threads = threads[i];
        EXPECT(NM_EINVAL, "threads", use_session(&o, &err));
    }
    o.threads = 0;
    for (int isa = -1; isa <= 4; isa += 5) {
        o.isa = (nm_isa)isa;
        EXPECT(NM_EINVAL, "isa", use_session(&o, &err));
    }
    o.isa = NM_ISA_AUTO;
    for (o.effort = -2; o.effort <= 2; o.effort += 4) {
        EXPECT(NM_EINVAL, "effort", use_session(&o, &err));
    }
    o.effort = 0;
    if (nm_isa_best() < NM_ISA_AVX512) {
        o.isa = NM_ISA_AVX512;
        EXPECT(NM_EUNSUPPORTED, nm_isa_name(nm_isa_best()), use_session(&o, &err));
    }
    o.isa = NM_ISA_AUTO;
    o.precision = (nm_precision)2;
    EXPECT(NM_EINVAL, "precision", use_session(&o, &err));
    o.precision = NM_PRECISION_HALF; /* permitted, not demanded */
    EXPECT(NM_OK, "", use_session(&o, &err));
    nm_limits limits = NM_LIMITS_INIT;
    limits.message_depth = 257;
    o.limits = &limits;
    EXPECT(NM_EINVAL, "message_depth", use_session(&o, &err));
}
END_TEST

/* ---- tensors -----------------------------------------------------------------------------------
 */

static nm_status run_with(const nm_tensor *in, nm_error *err)
{
    nm_status status = nm_session_prepare(session, in, 1, NULL);
    nm_tensor out = {0};
    nm_status ran = nm_run(session, in, 1, &out, 1, err);
    /* What prepare can see it refuses too; data is no business of its. */
    ck_assert(status == ran || (status == NM_OK && ran == NM_EINVAL));
    return ran;
}

START_TEST(inputs_that_do_not_fit_refused_by_name)
{
    nm_tensor in = input;
    in.type = NM_F64;
    EXPECT(NM_ETYPE, "input x: type is float64, the model expects float32", run_with(&in, &err));
    in.type = (nm_type)77;
    EXPECT(NM_ETYPE, "input x", run_with(&in, &err));
    in = input;
    in.rank = 3;
    EXPECT(NM_ESHAPE, "input x: rank is 3, the model expects 4", run_with(&in, &err));
    in.rank = -1;
    EXPECT(NM_ESHAPE, "input x", run_with(&in, &err));
    in.rank = 9;
    EXPECT(NM_ESHAPE, "input x", run_with(&in, &err));
    in = input;
    in.dims[1] = 4;
    EXPECT(NM_ESHAPE, "input x: dimension 1 is 4, the model expects 3", run_with(&in, &err));
    in = input;
    in.dims[0] = -1;
    EXPECT(NM_ESHAPE, "input x: dimension 0 is -1", run_with(&in, &err));
    in.dims[0] = INT64_MAX;
    EXPECT(NM_ELIMIT, "input x", run_with(&in, &err));
    in = input;
    in.capacity -= 1;
    EXPECT(NM_EINVAL, "input x: capacity is 1535 bytes, its shape needs 1536", run_with(&in, &err));
    in = input;
    in.data = NULL;
    EXPECT(NM_EINVAL, "input x: data is NULL", run_with(&in, &err));
    in = input;
    in.name = "y";
    EXPECT(NM_EINVAL, "no input y", run_with(&in, &err));
    EXPECT(NM_OK, "", run_with(&input, &err));
}
END_TEST

START_TEST(outputs_that_do_not_fit_refused_by_name)
{
    float y[2 * SMALL_CLASSES];
    nm_tensor out[3] = {{.name = "x"}};
    EXPECT(NM_EINVAL, "no output x", nm_run(session, &input, 1, out, 1, &err));
    out[0] = (nm_tensor){.name = "y", .data = y, .capacity = sizeof y - 1};
    EXPECT(NM_EINVAL, "output y: capacity is 39 bytes, it needs 40",
           nm_run(session, &input, 1, out, 1, &err));
    out[0] = (nm_tensor){.name = "y"};
    out[1] = (nm_tensor){.name = "y"};
    EXPECT(NM_EINVAL, "output y was asked for twice", nm_run(session, &input, 1, out, 2, &err));
    memset(out, 0, sizeof out);
    EXPECT(NM_EINVAL, "no output at that position", nm_run(session, &input, 1, out, 3, &err));
    memset(out, 0, sizeof out);
    out[1].name = "y"; /* the first output by position, then by name */
    EXPECT(NM_EINVAL, "output y was asked for twice", nm_run(session, &input, 1, out, 2, &err));
    memset(out, 0, sizeof out);
    out[0] = (nm_tensor){.name = "y", .data = y, .capacity = sizeof y};
    EXPECT(NM_OK, "", nm_run(session, &input, 1, out, 1, &err));
    ck_assert_ptr_eq(out[0].data, y);
}
END_TEST

/* a [N,2], b [N,2] -> a + b */
static nm_session *two_inputs(nm_model **made)
{
    struct onnx_build b;
    size_t size;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "a", NM_F32, "N,2");
    onnx_build_input(&b, "b", NM_F32, "N,2");
    onnx_build_node(&b, "Add", "a,b", "c");
    onnx_build_output(&b, "c", NM_F32, "N,2");
    void *bytes = onnx_build_finish(&b, &size);
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_load_memory(bytes, size, NULL, made, &err) == NM_OK, "%s", err.message);
    nmi_free(bytes);
    return small_session(*made, NULL);
}

START_TEST(inputs_missing_twice_or_of_other_sizes_refused)
{
    nm_model *m = NULL;
    nm_session *s = two_inputs(&m);
    float x[6] = {1, 2, 3, 4, 5, 6};
    nm_tensor in[3] = {{"a", NM_F32, 2, {3, 2}, x, sizeof x},
                       {"b", NM_F32, 2, {3, 2}, x, sizeof x}};
    nm_tensor out = {0};
    in[2] = in[0];
    EXPECT(NM_EINVAL, "1 inputs were given, the model has 2", nm_run(s, in, 1, &out, 1, &err));
    EXPECT(NM_EINVAL, "3 inputs were given, the model has 2", nm_run(s, in, 3, &out, 1, &err));
    in[1].name = "a";
    EXPECT(NM_EINVAL, "input a was given twice", nm_run(s, in, 2, &out, 1, &err));
    in[0].name = NULL;
    EXPECT(NM_EINVAL, "input a was given twice", nm_run(s, in, 2, &out, 1, &err));
    in[1].name = NULL;
    in[1].dims[0] = 2;
    EXPECT(NM_ESHAPE, "input b: dimension 0 (N) is 2, but 3 in input a",
           nm_run(s, in, 2, &out, 1, &err));
    in[1].dims[0] = 3;
    in[0].name = "b";
    in[1].name = "a";
    EXPECT(NM_OK, "", nm_run(s, in, 2, &out, 1, &err));
    ck_assert_float_eq(((float *)out.data)[5], 12);
    nm_session_free(s);
    nm_model_free(m);
}
END_TEST

START_TEST(names_of_statuses_types_and_isas_never_null)
{
    static const char *const names[] = {"NM_OK",      "NM_EINVAL",       "NM_ENOMEM",   "NM_EIO",
                                        "NM_EFORMAT", "NM_EUNSUPPORTED", "NM_ELIMIT",   "NM_ESHAPE",
                                        "NM_ETYPE",   "NM_EBUSY",        "NM_EINTERNAL",
                                        "NM_ECANCELED"};
    for (int i = 0; i <= NM_ECANCELED; i++) {
        ck_assert_str_eq(nm_status_name((nm_status)i), names[i]);
    }
    for (int i = -3; i < 40; i++) {
        ck_assert_ptr_nonnull(nm_type_name((nm_type)i));
        ck_assert_ptr_nonnull(nm_isa_name((nm_isa)i));
        ck_assert_int_eq(nm_type_size((nm_type)i) == 0, nm_type_name((nm_type)i)[0] == '?');
    }
    ck_assert_str_eq(nm_status_name((nm_status)12), "NM_?");
    ck_assert_str_eq(nm_status_name((nm_status)-1), "NM_?");
    ck_assert_str_eq(nm_library_version(), NM_VERSION_STRING);
    ck_assert_int_ge(nm_default_threads(), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("misuse");
    TCase *t = tcase_create("misuse");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, null_arguments_refused_by_name);
    tcase_add_test(t, null_where_it_is_allowed_harmless);
    tcase_add_test(t, option_structs_of_other_sizes_held_to_the_rule);
    tcase_add_test(t, session_options_out_of_range_refused);
    tcase_add_test(t, inputs_that_do_not_fit_refused_by_name);
    tcase_add_test(t, outputs_that_do_not_fit_refused_by_name);
    tcase_add_test(t, inputs_missing_twice_or_of_other_sizes_refused);
    tcase_add_test(t, names_of_statuses_types_and_isas_never_null);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
