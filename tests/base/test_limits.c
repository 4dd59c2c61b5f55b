/* SPDX-License-Identifier: Apache-2.0 */
/* Option structs from older and newer callers, and the defaults of nm_limits. */
#include "lib/base/limits.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(resolve_without_limits_gives_defaults)
{
    nm_limits l;
    ck_assert_int_eq(nmi_limits_resolve(NULL, &l, NULL), NM_OK);
    ck_assert_uint_eq(l.struct_size, sizeof l);
    ck_assert_uint_eq(l.model_bytes, 2147483648u);
    ck_assert_uint_eq(l.nodes, 100000);
    ck_assert_uint_eq(l.elements, 2147483647u);
    ck_assert_uint_eq(l.message_depth, 32);
    ck_assert_uint_eq(l.plans, 16);
    ck_assert_uint_eq(l.decoded_bytes, 0);
    ck_assert_uint_gt(l.session_bytes, 0);
}
END_TEST

START_TEST(resolve_with_one_limit_keeps_the_others)
{
    nm_limits user = NM_LIMITS_INIT, l;
    user.nodes = 5;
    ck_assert_int_eq(nmi_limits_resolve(&user, &l, NULL), NM_OK);
    ck_assert_uint_eq(l.nodes, 5);
    ck_assert_uint_eq(l.tensors, 400000);
}
END_TEST

START_TEST(resolve_with_nonsense_refused)
{
    nm_limits user = NM_LIMITS_INIT, l;
    nm_error err;
    user.message_depth = 1000000;
    ck_assert_int_eq(nmi_limits_resolve(&user, &l, &err), NM_EINVAL);
    user.message_depth = 0;
    user.struct_size = 0;
    ck_assert_int_eq(nmi_limits_resolve(&user, &l, &err), NM_EINVAL);
    user.struct_size = SIZE_MAX;
    ck_assert_int_eq(nmi_limits_resolve(&user, &l, &err), NM_EINVAL);
}
END_TEST

START_TEST(copy_of_a_shorter_struct_keeps_later_defaults)
{
    nm_session_options user, out = NM_SESSION_OPTIONS_INIT;
    memset(&user, 0xff, sizeof user);
    user.struct_size = offsetof(nm_session_options, isa);
    user.threads = 3;
    out.effort = 1;
    ck_assert_int_eq(nmi_options_copy("options", &user, sizeof out, &out, NULL), NM_OK);
    ck_assert_int_eq(out.threads, 3);
    ck_assert_int_eq(out.isa, NM_ISA_AUTO);
    ck_assert_int_eq(out.effort, 1);
    ck_assert_uint_eq(out.struct_size, sizeof out);
}
END_TEST

START_TEST(copy_of_a_longer_struct_needs_a_zero_tail)
{
    struct {
        nm_save_options known;
        int unknown;
    } user;
    memset(&user, 0, sizeof user); /* padding too */
    user.known.struct_size = sizeof user;
    user.known.sparse = 1;
    nm_save_options out = NM_SAVE_OPTIONS_INIT;
    nm_error err;
    ck_assert_int_eq(nmi_options_copy("options", &user, sizeof out, &out, &err), NM_OK);
    ck_assert_int_eq(out.sparse, 1);
    ck_assert_uint_eq(out.struct_size, sizeof out);
    user.unknown = 1;
    out.sparse = 0;
    ck_assert_int_eq(nmi_options_copy("options", &user, sizeof out, &out, &err), NM_EINVAL);
    ck_assert_int_eq(out.sparse, 0);
    ck_assert_ptr_nonnull(strstr(err.message, "options"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("limits");
    tcase_add_test(t, resolve_without_limits_gives_defaults);
    tcase_add_test(t, resolve_with_one_limit_keeps_the_others);
    tcase_add_test(t, resolve_with_nonsense_refused);
    tcase_add_test(t, copy_of_a_shorter_struct_keeps_later_defaults);
    tcase_add_test(t, copy_of_a_longer_struct_needs_a_zero_tail);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
