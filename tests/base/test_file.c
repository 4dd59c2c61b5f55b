/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing files: whole, in ranges, atomically; what is not a plain file is refused. */
#include "lib/base/file.h"
#include "lib/base/mem.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    strcpy(dir, "/tmp/nm-test-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int count_files(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static nm_status write_text(const char *name, const char *text)
{
    struct nmi_span span = {text, strlen(text)};
    return nmi_file_write(in_dir(name), &span, 1, NULL);
}

START_TEST(write_of_parts_then_read_gives_them_joined)
{
    const struct nmi_span parts[] = {{"abc", 3}, {NULL, 0}, {"defg", 4}};
    ck_assert_int_eq(nmi_file_write(in_dir("f"), parts, 3, NULL), NM_OK);
    void *bytes;
    size_t size;
    ck_assert_int_eq(nmi_file_read(in_dir("f"), 7, &bytes, &size, NULL), NM_OK);
    ck_assert_uint_eq(size, 7);
    ck_assert_mem_eq(bytes, "abcdefg", 7);
    nmi_free(bytes);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(write_over_a_file_replaces_it_whole)
{
    ck_assert_int_eq(write_text("f", "a long text that stood here"), NM_OK);
    ck_assert_int_eq(write_text("f", "short"), NM_OK);
    struct stat info;
    ck_assert_int_eq(stat(in_dir("f"), &info), 0);
    ck_assert_int_eq(info.st_size, 5);
}
END_TEST

START_TEST(write_that_fails_leaves_old_file_and_nothing_else)
{
    ck_assert_int_eq(mkdir(in_dir("d"), 0777), 0);
    ck_assert_int_eq(write_text("d/old", "old"), NM_OK);
    nm_error err;
    struct nmi_span span = {"x", 1};
    ck_assert_int_eq(nmi_file_write(in_dir("d"), &span, 1, &err), NM_EIO); /* a folder */
    ck_assert_int_eq(nmi_file_write(in_dir("no/such"), &span, 1, &err), NM_EIO);
    ck_assert_int_eq(nmi_file_write("/dev/full/x", &span, 1, &err), NM_EIO);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(read_of_a_file_beyond_the_limit_refused)
{
    ck_assert_int_eq(write_text("f", "12345"), NM_OK);
    void *bytes = NULL;
    size_t size;
    nm_error err;
    ck_assert_int_eq(nmi_file_read(in_dir("f"), 4, &bytes, &size, &err), NM_ELIMIT);
    ck_assert_ptr_null(bytes);
}
END_TEST

START_TEST(read_of_an_empty_file_gives_no_bytes)
{
    ck_assert_int_eq(write_text("f", ""), NM_OK);
    void *bytes = NULL;
    size_t size = 9;
    ck_assert_int_eq(nmi_file_read(in_dir("f"), 100, &bytes, &size, NULL), NM_OK);
    ck_assert_uint_eq(size, 0);
    ck_assert_ptr_nonnull(bytes);
    nmi_free(bytes);
}
END_TEST

/* A FIFO must not block, a device must not be read for ever. */
START_TEST(read_of_what_is_no_file_refused)
{
    void *bytes;
    size_t size;
    nm_error err;
    ck_assert_int_eq(mkfifo(in_dir("fifo"), 0666), 0);
    ck_assert_int_eq(nmi_file_read(in_dir("fifo"), 100, &bytes, &size, &err), NM_EIO);
    ck_assert_int_eq(nmi_file_read("/dev/zero", 100, &bytes, &size, &err), NM_EIO);
    ck_assert_int_eq(nmi_file_read(dir, 100, &bytes, &size, &err), NM_EIO);
    ck_assert_int_eq(nmi_file_read(in_dir("missing"), 100, &bytes, &size, &err), NM_EIO);
    ck_assert_ptr_nonnull(strstr(err.message, "missing"));
}
END_TEST

START_TEST(read_at_a_range_past_the_end_refused)
{
    ck_assert_int_eq(write_text("f", "0123456789"), NM_OK);
    int fd = open(in_dir("f"), O_RDONLY);
    char bytes[16];
    nm_error err;
    ck_assert_int_eq(nmi_file_read_at(fd, 4, bytes, 6, "f", &err), NM_OK);
    ck_assert_mem_eq(bytes, "456789", 6);
    ck_assert_int_eq(nmi_file_read_at(fd, 4, bytes, 7, "f", &err), NM_EIO);
    ck_assert_int_eq(nmi_file_read_at(fd, UINT64_MAX, bytes, 1, "f", &err), NM_EIO);
    ck_assert_int_eq(nmi_file_read_at(fd, INT64_MAX, bytes, 1, "f", &err), NM_EIO);
    ck_assert_int_eq(nmi_file_read_at(fd, 0, bytes, 0, "f", &err), NM_OK);
    nmi_file_close(fd);
    nmi_file_close(-1);
}
END_TEST

START_TEST(read_without_memory_closes_and_refuses)
{
    ck_assert_int_eq(write_text("f", "12345"), NM_OK);
    void *bytes = NULL;
    size_t size;
    nmi_alloc_fail_after(1, 0);
    nm_status status = nmi_file_read(in_dir("f"), 10, &bytes, &size, NULL);
    nmi_alloc_fail_after(0, 0);
    ck_assert_int_eq(status, NM_ENOMEM);
}
END_TEST

START_TEST(dir_of_paths)
{
    char out[32];
    static const struct {
        const char *path, *dir;
    } cases[] = {{"net.onnx", "."}, {"a/net.onnx", "a"}, {"/net.onnx", "/"}, {"/a/b/c", "/a/b"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        ck_assert_int_eq(nmi_file_dir(cases[i].path, out, sizeof out, NULL), NM_OK);
        ck_assert_str_eq(out, cases[i].dir);
    }
    ck_assert_int_eq(nmi_file_dir("abcd/x", out, 4, NULL), NM_EINVAL);
    ck_assert_int_eq(nmi_file_dir("abc/x", out, 4, NULL), NM_OK);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, write_of_parts_then_read_gives_them_joined);
    tcase_add_test(t, write_over_a_file_replaces_it_whole);
    tcase_add_test(t, write_that_fails_leaves_old_file_and_nothing_else);
    tcase_add_test(t, read_of_a_file_beyond_the_limit_refused);
    tcase_add_test(t, read_of_an_empty_file_gives_no_bytes);
    tcase_add_test(t, read_of_what_is_no_file_refused);
    tcase_add_test(t, read_at_a_range_past_the_end_refused);
    tcase_add_test(t, read_without_memory_closes_and_refuses);
    tcase_add_test(t, dir_of_paths);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
