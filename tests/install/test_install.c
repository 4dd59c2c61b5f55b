/* SPDX-License-Identifier: Apache-2.0 */
/* The installed library as a stranger sees it; install.sh does the work, one part a case. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const parts[] = {"lists", "programs", "library", "header", "headers_alone"};

START_TEST(install_part_succeeds)
{
    char command[128];
    snprintf(command, sizeof command, "sh tests/install/install.sh %s", parts[_i]);
    fflush(stdout);
    ck_assert_msg(system(command) == 0, "%s", parts[_i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("install");
    TCase *t = tcase_create("install");
    tcase_add_loop_test(t, install_part_succeeds, 0, sizeof parts / sizeof *parts);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
