/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences: filled, cut, cleaned, prefixed; and lines for the log. */
#include "lib/base/log.h"
#include "lib/base/status.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(fail_with_arguments_fills_sentence)
{
    nm_error err = {NM_OK, "old"};
    ck_assert_int_eq(nmi_fail(&err, NM_ESHAPE, "node %s: %d dims", "conv1", 3), NM_ESHAPE);
    ck_assert_int_eq(err.status, NM_ESHAPE);
    ck_assert_str_eq(err.message, "node conv1: 3 dims");
}
END_TEST

START_TEST(fail_without_error_returns_status)
{
    ck_assert_int_eq(nmi_fail(NULL, NM_EIO, "%s", "x"), NM_EIO);
    ck_assert_int_eq(nmi_fail_in(NULL, NM_EIO, "%s", "x"), NM_EIO);
    ck_assert_int_eq(nmi_fail_memory(NULL, 1, "x"), NM_ENOMEM);
}
END_TEST

START_TEST(fail_with_long_name_is_cut_and_terminated)
{
    char name[5000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    nm_error err;
    memset(&err, 0xff, sizeof err);
    nmi_fail(&err, NM_EFORMAT, "%s", name);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
}
END_TEST

START_TEST(fail_with_control_characters_makes_one_line)
{
    nm_error err;
    nmi_fail(&err, NM_EFORMAT, "node \"%s\": bad", "a\nb\x1b[31m\x7f");
    ck_assert_str_eq(err.message, "node \"a?b?[31m?\": bad");
}
END_TEST

START_TEST(fail_in_puts_prefix_first)
{
    nm_error err;
    nmi_fail(&err, NM_ETYPE, "input 0 is int8");
    ck_assert_int_eq(nmi_fail_in(&err, NM_ETYPE, "node %d", 7), NM_ETYPE);
    ck_assert_str_eq(err.message, "node 7: input 0 is int8");
}
END_TEST

START_TEST(fail_memory_names_bytes)
{
    nm_error err;
    ck_assert_int_eq(nmi_fail_memory(&err, 123, "plan"), NM_ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.message, "123"));
    ck_assert_ptr_nonnull(strstr(err.message, "plan"));
}
END_TEST

static nm_status try_twice(nm_status first, int *reached)
{
    NMI_TRY(first);
    *reached = 1;
    return NM_OK;
}

START_TEST(try_returns_failures_only)
{
    int reached = 0;
    ck_assert_int_eq(try_twice(NM_EIO, &reached), NM_EIO);
    ck_assert_int_eq(reached, 0);
    ck_assert_int_eq(try_twice(NM_OK, &reached), NM_OK);
    ck_assert_int_eq(reached, 1);
}
END_TEST

static void keep_line(void *user, int level, const char *line)
{
    snprintf(user, 64, "%d %s", level, line);
}

START_TEST(log_with_callback_gets_line)
{
    char line[64] = "";
    struct nmi_log log = {keep_line, line};
    nmi_log(&log, 2, "%s=%d", "layers", 5);
    ck_assert_str_eq(line, "2 layers=5");
    struct nmi_log none = {NULL, NULL};
    nmi_log(&none, 0, "x");
    nmi_log(NULL, 0, "x");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("status");
    TCase *t = tcase_create("status");
    tcase_add_test(t, fail_with_arguments_fills_sentence);
    tcase_add_test(t, fail_without_error_returns_status);
    tcase_add_test(t, fail_with_long_name_is_cut_and_terminated);
    tcase_add_test(t, fail_with_control_characters_makes_one_line);
    tcase_add_test(t, fail_in_puts_prefix_first);
    tcase_add_test(t, fail_memory_names_bytes);
    tcase_add_test(t, try_returns_failures_only);
    tcase_add_test(t, log_with_callback_gets_line);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
