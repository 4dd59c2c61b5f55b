/* SPDX-License-Identifier: Apache-2.0 */
/* nm_session_profile: what the last run of a session showed. */
#include "lib/base/mem.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static nm_model *model;
static nm_tensor input;

static void setup(void)
{
    nm_model *dense = small_model("N,3,H,W", NULL);
    nm_prune_options prune = NM_PRUNE_OPTIONS_INIT;
    prune.sparsity = 0.75;
    ck_assert_int_eq(nm_model_prune(dense, &prune, &model, NULL), NM_OK);
    nm_model_free(dense);
    input = small_input(3, 8, 8);
}

static void teardown(void)
{
    nm_model_free(model);
    free(input.data);
}

static nm_session *ran_session(void)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.fixed_plan = 1;
    o.threads = 1; /* of several, the first one's images would be those that ms stands for */
    nm_session *session = small_session(model, &o);
    nm_tensor out = {0};
    ck_assert_int_eq(nm_run(session, &input, 1, &out, 1, NULL), NM_OK);
    return session;
}

static void check_layer(const nm_layer_profile *l)
{
    ck_assert(l->node && l->op && l->kernel && l->reason && l->candidates);
    ck_assert_int_ge(l->rank, 1);
    ck_assert(l->ms >= 0 && l->moving_ms >= 0 && l->expected_ms >= 0);
    if (strcmp(l->op, "Conv") != 0) {
        return;
    }
    ck_assert_int_eq(l->weight_rank, 4);
    ck_assert(l->sparsity >= 0 && l->sparsity < 1);
    ck_assert(l->macs > 0 && l->gflops > 0 && l->weight_bytes > 0 && l->bytes > l->weight_bytes);
    ck_assert(fabs(2e-6 * l->macs / l->ms / l->gflops - 1) < 1e-9);
}

START_TEST(profile_has_every_layer_and_outlives_the_session)
{
    nm_session *session = ran_session();
    nm_profile *profile = NULL;
    ck_assert_int_eq(nm_session_profile(session, &profile, NULL), NM_OK);
    nm_session_free(session);
    int convolutions = 0, sparse = 0;
    double ms = 0;
    for (size_t i = 0; i < profile->n_layers; i++) {
        const nm_layer_profile *l = profile->layers[i];
        check_layer(l);
        ms += l->ms + l->moving_ms;
        convolutions += strcmp(l->op, "Conv") == 0;
        sparse += l->sparsity > 0.7;
    }
    ck_assert_int_eq(convolutions, 4);
    ck_assert_int_ge(sparse, 1);
    ck_assert(profile->threads >= 1 && profile->bound_gflops >= 0);
    ck_assert(profile->ms > 0 && ms <= profile->ms * (1 + 1e-9));
    nm_profile_free(profile);
    nm_profile_free(NULL);
}
END_TEST

/* The products on nonzeros of all images: a rule of arithmetic, whatever the kernel. */
START_TEST(macs_are_those_of_the_nonzeros_of_all_images)
{
    nm_session *session = ran_session();
    nm_profile *profile = NULL;
    ck_assert_int_eq(nm_session_profile(session, &profile, NULL), NM_OK);
    for (size_t i = 0; i < profile->n_layers; i++) {
        const nm_layer_profile *l = profile->layers[i];
        if (strcmp(l->op, "Conv") == 0) {
            double products = (1 - l->sparsity) * 3 * (double)(l->shape[2] * l->shape[3]);
            for (int32_t k = 0; k < 4; k++) {
                products *= (double)l->weight[k];
            }
            ck_assert_msg(fabs(l->macs / products - 1) < 1e-6, "%s: %g, expected %g", l->node,
                          l->macs, products);
        }
    }
    nm_profile_free(profile);
    nm_session_free(session);
}
END_TEST

START_TEST(before_the_first_run_refused)
{
    nm_error err = {NM_OK, ""};
    nm_profile *profile = NULL;
    nm_session *session = small_session(model, NULL);
    ck_assert_int_eq(nm_session_profile(session, &profile, &err), NM_EINVAL);
    ck_assert_int_eq(nm_session_prepare(session, &input, 1, NULL), NM_OK);
    ck_assert_int_eq(nm_session_profile(session, &profile, &err), NM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "nm_run"));
    ck_assert_int_eq(nm_session_profile(NULL, &profile, &err), NM_EINVAL);
    ck_assert_int_eq(nm_session_profile(session, NULL, &err), NM_EINVAL);
    ck_assert_ptr_null(profile);
    nm_session_free(session);
}
END_TEST

START_TEST(no_memory_reported_and_nothing_lost)
{
    nm_session *session = ran_session();
    nm_profile *profile = NULL;
    ck_assert_int_eq(nm_session_profile(session, &profile, NULL), NM_OK);
    nm_profile_free(profile);
    const size_t live = nmi_alloc_live();
    nm_status status = NM_ENOMEM;
    long n = 1;
    for (; status != NM_OK; n++) {
        nm_error err = {NM_OK, ""};
        nmi_alloc_fail_after(n, 0);
        status = nm_session_profile(session, &profile, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || (status == NM_ENOMEM && err.message[0] != '\0'));
        if (status == NM_OK) {
            nm_profile_free(profile);
        }
        ck_assert_uint_eq(nmi_alloc_live(), live);
    }
    ck_assert_int_gt(n, 20);
    nm_session_free(session);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("profile");
    TCase *t = tcase_create("profile");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, profile_has_every_layer_and_outlives_the_session);
    tcase_add_test(t, macs_are_those_of_the_nonzeros_of_all_images);
    tcase_add_test(t, before_the_first_run_refused);
    tcase_add_test(t, no_memory_reported_and_nothing_lost);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
