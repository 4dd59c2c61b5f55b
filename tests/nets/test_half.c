/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole networks in half precision with the kernel of float16 sparse convolutions emulated
 * (emulated_half.c stands in for it): on any CPU with AVX-512 plans choose LANES_F16 by rule, agree
 * with float32, and give the same bits for any number of threads.
 */
#include "kernels/kernel.h"
#include "lib/base/mem.h"
#include "tests/support/net_case.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUND 5e-3f /* of max|y|; float16 holds 11 bits, and errors of some 20 layers add up */

/* The plan as JSON; nmi_free. */
static char *plan_of(nm_model *model, const nm_tensor *in, const nm_session_options *options)
{
    nm_session *session = NULL;
    nm_error err = {NM_OK, ""};
    char *json = NULL;
    ck_assert_msg(nm_session_create(model, options, &session, &err) == NM_OK, "%s", err.message);
    ck_assert_msg(nm_session_prepare(session, in, 1, &err) == NM_OK, "%s", err.message);
    ck_assert_int_eq(nm_session_describe(session, "plan", &json, &err), NM_OK);
    nm_session_free(session);
    return json;
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

/* At least so many layers are sparse in float16. */
static void check_half(nm_model *model, int64_t batch, int layers, const char *what)
{
    nm_tensor in = net_images(model, batch);
    nm_session_options o = by_rule(NM_PRECISION_F32);
    struct net_output f32 = net_run(model, &in, &o), one = {0};
    o = by_rule(NM_PRECISION_HALF);
    char *plan = plan_of(model, &in, &o);
    const int found = count(plan, "\"kernel\":\"f16_spconv_lanes__avx512fp16\"");
    ck_assert_msg(found >= layers, "%s: %d layers in float16, %d wanted", what, found, layers);
    for (o.threads = 1; o.threads <= 3; o.threads++) {
        struct net_output half = net_run(model, &in, &o);
        net_within(&half, &f32, f32.n, BOUND, what);
        if (o.threads == 1) {
            one = half;
            continue;
        }
        ck_assert_msg(batch <= 3 && batch > 1 ? true : memcmp(one.y, half.y, one.n * sizeof *one.y) == 0,
                      "%s: %d threads give other bits", what, o.threads);
        free(half.y);
    }
    printf("%s, batch %d: %d layers in float16, %d frames, %d conversions\n", what, (int)batch, found,
           count(plan, "\"kernel\":\"f16_halo"), count(plan, "\"kernel\":\"f16_convert"));
    nm_string_free(plan);
    free(one.y);
    free(f32.y);
    free(in.data);
}
