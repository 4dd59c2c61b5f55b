/* SPDX-License-Identifier: Apache-2.0 */
/* Data in other files: read inside the folder, refused outside of it. */
#include "lib/base/limits.h"
#include "lib/graph/graph.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/nm_external_XXXXXX";

/* One initializer, "w": four bytes. */
static struct nmi_mark open_tensor(struct onnx_build *b)
{
    onnx_build_start(b, 13);
    struct nmi_mark mark = nmi_put_open(&b->w, 5);
    onnx_build_dims(&b->w, 1, "4");
    nmi_put_int(&b->w, 2, NM_U8);
    nmi_put_string(&b->w, 8, "w");
    return mark;
}

static struct onnx_result read_model(struct onnx_build *b, struct nmi_mark mark, const char *dir,
                                     const nm_limits *limits)
{
    size_t size;
    nmi_put_close(&b->w, mark);
    onnx_build_output(b, "w", 0, NULL);
    void *bytes = onnx_build_finish(b, &size);
    return onnx_import_bytes(bytes, size, dir, limits);
}

static void expect(struct onnx_result *r, nm_status status, const char *words)
{
    ck_assert_msg(strstr(r->err.message, "\"w\"") != NULL, "\"%s\" lacks the name", r->err.message);
    onnx_expect_refused(r, status, words);
}

static void expect_values(struct onnx_result *r, const char *text)
{
    onnx_expect_ok(r);
    const struct nmi_constant *w = nmi_graph_constant(r->graph, r->graph->outputs[0]);
    ck_assert_uint_eq(w->bytes, 4);
    ck_assert_int_eq(memcmp(w->data, text, 4), 0);
    onnx_forget(r);
}

static void put_entry(struct nmi_writer *w, const char *key, const char *value)
{
    if (value != NULL) {
        struct nmi_mark entry = nmi_put_open(w, 13);
        nmi_put_string(w, 1, key);
        nmi_put_string(w, 2, value);
        nmi_put_close(w, entry);
    }
}

static struct onnx_result read_limited(const char *location, const char *offset, const char *length,
                                       const char *dir, const nm_limits *limits)
{
    struct onnx_build b;
    struct nmi_mark mark = open_tensor(&b);
    put_entry(&b.w, "location", location);
    put_entry(&b.w, "offset", offset);
    put_entry(&b.w, "length", length);
    put_entry(&b.w, "checksum", "0");
    nmi_put_int(&b.w, 14, 1);
    return read_model(&b, mark, dir, limits);
}

static struct onnx_result read_external(const char *location, const char *offset,
                                        const char *length, const char *dir)
{
    return read_limited(location, offset, length, dir, NULL);
}

static void in_folder(char *path, const char *name)
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static void make_file(const char *name, const char *text)
{
    char path[256];
    in_folder(path, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* folder/model/{data,sub/data} inside; folder/secret and links to it outside. */
static void make_folder(void)
{
    char path[256], other[256];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    in_folder(path, "model");
    mkdir(path, 0700);
    in_folder(path, "model/sub");
    mkdir(path, 0700);
    make_file("secret", "secret");
    make_file("model/data", "01234567");
    make_file("model/sub/data", "abcdefgh");
    in_folder(path, "model/link");
    ck_assert_int_eq(symlink("../secret", path), 0);
    in_folder(path, "model/inner");
    ck_assert_int_eq(symlink("data", path), 0);
    in_folder(path, "model/up");
    ck_assert_int_eq(symlink("..", path), 0);
    in_folder(path, "secret");
    in_folder(other, "model/hard");
    ck_assert_int_eq(link(path, other), 0);
    in_folder(path, "model/fifo");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(external_data_inside_the_folder_read)
{
    char dir[256];
    in_folder(dir, "model");
    struct onnx_result r = read_external("data", "4", "4", dir);
    expect_values(&r, "4567");
    r = read_external("data", NULL, NULL, dir);
    expect_values(&r, "0123");
    r = read_external("sub/data", "1", NULL, dir);
    expect_values(&r, "bcde");
    r = read_external("./sub/./data", "0", "4", dir);
    expect_values(&r, "abcd");
}
END_TEST

START_TEST(external_data_that_lead_outside_refused)
{
    char dir[256], absolute[256];
    in_folder(dir, "model");
    in_folder(absolute, "secret");
    const char *const paths[] = {"../secret",
                                 "sub/../../secret",
                                 absolute,
                                 "/dev/zero",
                                 "link",
                                 "inner",
                                 "up/secret",
                                 "hard",
                                 "fifo",
                                 "sub",
                                 ".",
                                 "..",
                                 "none",
                                 "data/x",
                                 "sub//../../secret"};
    for (size_t i = 0; i < NMI_COUNT(paths); i++) {
        struct onnx_result r = read_external(paths[i], NULL, NULL, dir);
        ck_assert_msg(r.status != NM_OK, "%s was read", paths[i]);
        expect(&r, r.status, "initializer");
    }
}
END_TEST

START_TEST(external_data_with_wrong_numbers_refused)
{
    static const struct {
        const char *location, *offset, *length;
        nm_status status;
        const char *word;
    } cases[] = {{"data", "5", NULL, NM_EFORMAT, "beyond the 8 bytes"},
                 {"data", "5", "4", NM_EFORMAT, "beyond the 8 bytes"},
                 {"data", "18446744073709551615", NULL, NM_EFORMAT, "beyond"},
                 {"data", "18446744073709551616", NULL, NM_EFORMAT, "decimal"},
                 {"data", "-1", NULL, NM_EFORMAT, "decimal"},
                 {"data", "+1", NULL, NM_EFORMAT, "decimal"},
                 {"data", " 1", NULL, NM_EFORMAT, "decimal"},
                 {"data", "0x1", NULL, NM_EFORMAT, "decimal"},
                 {"data", "", NULL, NM_EFORMAT, "decimal"},
                 {"data", "0", "-4", NM_EFORMAT, "decimal"},
                 {"data", "0", "3", NM_EFORMAT, "expected 4"},
                 {"data", "0", "8", NM_EFORMAT, "expected 4"},
                 {"data", "0", "18446744073709551615", NM_EFORMAT, "expected 4"},
                 {NULL, "0", "4", NM_EFORMAT, "no location"},
                 {"", "0", "4", NM_EFORMAT, "no location"}};
    char dir[256];
    in_folder(dir, "model");
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_result r =
            read_external(cases[i].location, cases[i].offset, cases[i].length, dir);
        expect(&r, cases[i].status, cases[i].word);
    }
    struct onnx_result r = read_external("data", NULL, NULL, NULL);
    expect(&r, NM_EIO, "external_dir");
    nm_limits limits = NM_LIMITS_INIT;
    limits.external_bytes = 3;
    r = read_limited("data", NULL, NULL, dir, &limits);
    expect(&r, NM_ELIMIT, "nm_limits.external_bytes");
}
END_TEST

START_TEST(external_data_beside_data_here_refused)
{
    struct onnx_build b;
    struct nmi_mark mark = open_tensor(&b);
    nmi_put_bytes(&b.w, 9, "abcd", 4);
    put_entry(&b.w, "location", "data");
    nmi_put_int(&b.w, 14, 1);
    struct onnx_result r = read_model(&b, mark, folder, NULL);
    expect(&r, NM_EFORMAT, "both");
    mark = open_tensor(&b);
    nmi_put_int(&b.w, 14, 2);
    r = read_model(&b, mark, folder, NULL);
    expect(&r, NM_EFORMAT, "location is 2");
    mark = open_tensor(&b);
    put_entry(&b.w, "location", "data");
    put_entry(&b.w, "location", "other");
    nmi_put_int(&b.w, 14, 1);
    r = read_model(&b, mark, folder, NULL);
    expect(&r, NM_EFORMAT, "twice");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("external");
    TCase *t = tcase_create("external");
    tcase_add_unchecked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, external_data_inside_the_folder_read);
    tcase_add_test(t, external_data_that_lead_outside_refused);
    tcase_add_test(t, external_data_with_wrong_numbers_refused);
    tcase_add_test(t, external_data_beside_data_here_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
