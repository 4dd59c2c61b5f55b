/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole networks in half precision with the kernel of float16 sparse convolutions emulated
 * (emulated_half.c stands in for it): on any CPU with AVX-512 plans choose LANES_F16 by rule, agree
 * with float32, and give the same bits for any number of threads. bfloat16, which is coarser, is
 * kept out: the linker puts __wrap_nmi_cpu_info in the place of nmi_cpu_info.
 */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"
#include "tests/support/net_case.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOUND 5e-3f /* of max|y|; float16 keeps 11 bits: 1e-3 to 3e-3 behind so many layers */

const struct nmi_cpu *__real_nmi_cpu_info(void);
const struct nmi_cpu *__wrap_nmi_cpu_info(void);
static struct nmi_cpu cpu; /* set before the first test */

const struct nmi_cpu *__wrap_nmi_cpu_info(void)
{
    return &cpu;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word)) {
        n++;
    }
    return n;
}

static nm_session_options by_rule(nm_precision precision)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.fixed_plan = 1;
    o.threads = 1;
    o.precision = precision;
    return o;
}

/* Layers of the plan that are sparse in float16. */
static int half_layers(nm_model *model, const nm_tensor *in, const nm_session_options *options)
{
    nm_session *session = NULL;
    nm_error err = {NM_OK, ""};
    char *json = NULL;
    ck_assert_msg(nm_session_create(model, options, &session, &err) == NM_OK, "%s", err.message);
    ck_assert_msg(nm_session_prepare(session, in, 1, &err) == NM_OK, "%s", err.message);
    ck_assert_int_eq(nm_session_describe(session, NM_DESCRIBE_PLAN, &json, &err), NM_OK);
    const int n = count(json, "\"kernel\":\"f16_spconv_lanes__avx512fp16\"");
    ck_assert_int_eq(count(json, "\"implementation\":\"f16_spconv_lanes__avx512fp16\""), n);
    ck_assert(n == 0 || count(json, "\"lanes_f16\"") >= 2 * n);
    nm_string_free(json);
    nm_session_free(session);
    return n;
}

static void check_half(const char *name, double sparsity, int64_t batch, int least)
{
    char what[64];
    snprintf(what, sizeof what, "%s at %g %% zeros, batch %d", name, 100 * sparsity, (int)batch);
    nm_model *model = net_synth(name, 64, 10, sparsity);
    nm_tensor in = net_images(model, batch);
    nm_session_options o = by_rule(NM_PRECISION_F32);
    struct net_output f32 = net_run(model, &in, &o), one = {NULL, 0};
    ck_assert_int_eq(half_layers(model, &in, &o), 0);
    o = by_rule(NM_PRECISION_HALF);
    const int layers = half_layers(model, &in, &o);
    ck_assert_msg(layers >= least, "%s: %d layers in float16", what, layers);
    for (o.threads = 1; o.threads <= 3; o.threads++) {
        struct net_output half = net_run(model, &in, &o);
        net_within(&half, &f32, f32.n, BOUND, what);
        if (o.threads == 1) {
            one = half;
            continue;
        }
        /* fewer images than threads: oneDNN's layers share the threads, and give other bits */
        ck_assert_msg(batch < 4 || memcmp(one.y, half.y, one.n * sizeof *one.y) == 0,
                      "%s: %d threads give other bits than one", what, o.threads);
        free(half.y);
    }
    free(one.y);
    free(f32.y);
    free(in.data);
    nm_model_free(model);
}

START_TEST(residuals_and_strides)
{
    check_half("resnet18", 0.8, 1, 15);
    check_half("resnet18", 0.95, 4, 15);
    check_half("resnet50", 0.9, 5, 45);
}
END_TEST

START_TEST(pools_and_depthwise_layers_between)
{
    check_half("vgg16", 0.9, 4, 8);
    check_half("mobilenet_v2", 0.9, 4, 1);
}
END_TEST

static void note(void *user, int32_t level, const char *message)
{
    (void)level;
    *(int *)user += strstr(message, "no 16-bit arithmetic") != NULL;
}

START_TEST(nothing_in_float16_that_is_not_asked_for)
{
    int told = 0;
    nm_model *model = net_synth("resnet18", 32, 10, 0.9);
    nm_tensor in = net_images(model, 1);
    nm_session_options o = by_rule(NM_PRECISION_HALF);
    o.log = note;
    o.log_user = &told;
    ck_assert_int_gt(half_layers(model, &in, &o), 0);
    o.dense = 1;
    ck_assert_int_eq(half_layers(model, &in, &o), 0);
    ck_assert_int_eq(told, 0);
    o.dense = 0;
    o.isa = NM_ISA_AVX2;
    ck_assert_int_eq(half_layers(model, &in, &o), 0);
    ck_assert_int_eq(told, 1);
    free(in.data);
    nm_model_free(model);
}
END_TEST

/* What was measured in one precision is kept apart from the other: the same plans with a cache. */
START_TEST(cache_of_both_precisions)
{
    const char *path = scratch_path("plans");
    nm_model *model = net_synth("resnet18", 32, 10, 0.9);
    nm_tensor in = net_images(model, 4);
    for (int i = 0; i < 4; i++) {
        nm_session_options o = by_rule(i % 2 ? NM_PRECISION_HALF : NM_PRECISION_F32);
        o.fixed_plan = 0;
        o.cache_file = path;
        struct net_output y = net_run(model, &in, &o);
        o.precision = NM_PRECISION_F32;
        struct net_output f32 = net_run(model, &in, &o);
        net_within(&y, &f32, y.n, BOUND, "with a cache");
        ck_assert_int_eq(half_layers(model, &in, &o), 0);
        free(y.y);
        free(f32.y);
    }
    unlink(path);
    free(in.data);
    nm_model_free(model);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        residuals_and_strides, pools_and_depthwise_layers_between,
        nothing_in_float16_that_is_not_asked_for, cache_of_both_precisions};
    cpu = *__real_nmi_cpu_info();
    cpu.bf16 = false;
    if (!nmi_kernels_half(nmi_cpu_info()->best)) {
        printf("skip: no AVX-512, or a compiler that does not know AVX512_FP16\n");
        return 0;
    }
    Suite *s = suite_create("half");
    TCase *t = tcase_create("half");
    tcase_set_timeout(t, 600);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(t, tests[i]);
    }
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
