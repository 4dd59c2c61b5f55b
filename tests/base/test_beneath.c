/* SPDX-License-Identifier: Apache-2.0 */
/* Every way out of a folder that a hostile location could take; once with openat2, and once in a
 * child whose kernel says that it has no such call. */
#include "lib/base/file.h"

#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static void make_tree(void)
{
    char command[1024];
    strcpy(dir, "/tmp/nm-test-beneath-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(command, sizeof command,
             "cd %s && mkdir -p model/sub/deep && printf secret >secret && cd model && "
             "printf hello >plain && printf deep >sub/deep/w && ln -s ../secret link && "
             "ln -s plain inner && ln -s .. up && ln -s sub subl && ln ../secret hard && "
             "mkfifo fifo && touch empty",
             dir);
    ck_assert_int_eq(system(command), 0);
}

static void remove_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static const struct {
    const char *location;
    long size; /* -1: refused */
} cases[] = {
    {"plain", 5},
    {"./plain", 5},
    {"sub/deep/w", 4},
    {"sub//deep/./w", 4},
    {"empty", 0},
    {"", -1},
    {"/etc/passwd", -1},
    {"..", -1},
    {"../secret", -1},
    {"sub/../plain", -1},
    {"link", -1},
    {"inner", -1},
    {"up/secret", -1},
    {"subl/deep/w", -1},
    {"hard", -1},
    {"fifo", -1},
    {"sub", -1},
    {"sub/", -1},
    {".", -1},
    {"missing", -1},
    {"plain/x", -1},
    {"plain/", -1},
    {"up/model/plain", -1},
};

/* The index of the first case that goes wrong, or -1. */
static int first_wrong(void)
{
    char model[128];
    snprintf(model, sizeof model, "%s/model", dir);
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        int fd = -1;
        uint64_t size = 99;
        nm_error err = {NM_OK, ""};
        nm_status status = nmi_file_open_beneath(model, cases[i].location, &fd, &size, &err);
        bool right = cases[i].size >= 0
                         ? status == NM_OK && fd >= 0 && size == (uint64_t)cases[i].size
                         : status != NM_OK && fd == -1 && err.message[0];
        nmi_file_close(fd);
        if (!right) {
            return (int)i;
        }
    }
    return -1;
}

/* From now on openat2 fails with ENOSYS in this process. */
static int forbid_openat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {(unsigned short)NMI_COUNT(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

START_TEST(open_beneath_of_each_location)
{
    int wrong = first_wrong();
    ck_assert_msg(wrong < 0, "location \"%s\"", wrong < 0 ? "" : cases[wrong].location);
}
END_TEST

START_TEST(open_beneath_without_openat2_decides_the_same)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(forbid_openat2() ? first_wrong() + 1 : 255);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    int code = WEXITSTATUS(status);
    if (code == 255) {
        printf("skip: no seccomp filter can be set here\n");
        return;
    }
    ck_assert_msg(code == 0, "location \"%s\"", code ? cases[code - 1].location : "");
}
END_TEST

START_TEST(open_beneath_leaks_no_descriptor)
{
    int before = dup(0);
    close(before);
    first_wrong();
    int after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

START_TEST(open_beneath_a_missing_folder_refused)
{
    int fd = -1;
    uint64_t size;
    nm_error err;
    ck_assert_int_eq(nmi_file_open_beneath("/no/such/folder", "x", &fd, &size, &err), NM_EIO);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("beneath");
    TCase *t = tcase_create("beneath");
    tcase_add_checked_fixture(t, make_tree, remove_tree);
    tcase_add_test(t, open_beneath_of_each_location);
    tcase_add_test(t, open_beneath_without_openat2_decides_the_same);
    tcase_add_test(t, open_beneath_leaks_no_descriptor);
    tcase_add_test(t, open_beneath_a_missing_folder_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
