/* SPDX-License-Identifier: Apache-2.0 */
/* What nm_model_analyze found, read and shown: numbers, gaps, names that would break a page. */
#include "examples/nmie/output.h"
#include "examples/nmie/prune/analysis.h"
#include "examples/nmie/slurp.h"
#include "tests/nmie/tool.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char json[] =
    "{\"grid\":[0,0.5,0.8,0.95],\"dense_ms\":4,\"other_ms\":1,\"layers\":["
    "{\"node\":\"/a<b>&\\\"c\\\"/Conv\",\"weight\":\"w1\",\"macs\":2e6,\"elems\":100,"
    "\"error\":[0,0.01,0.1,0.5],\"ms\":[2,2,1,0.5]},"
    "{\"node\":\"b\",\"weight\":\"w2\",\"macs\":1e6,\"elems\":50,"
    "\"error\":[0,0.02,null,0.6],\"ms\":[1,1,0.5,0.25]}]}";
static const char no_error[] =
    "{\"grid\":[0,0.5],\"dense_ms\":4,\"other_ms\":1,\"layers\":["
    "{\"node\":\"a\",\"weight\":\"w1\",\"macs\":2e6,\"elems\":100,\"ms\":[3,1]}]}";

static struct analysis read_json(const char *text)
{
    struct analysis a;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(analysis_read(text, "net<1>.onnx", &a, &err) == NM_OK, "%s", err.message);
    return a;
}

static char *written(void (*fill)(FILE *to, const void *context), const struct analysis *a)
{
    struct slurp file;
    ck_assert_int_eq(output_file(scratch_path("out"), fill, a, NULL), NM_OK);
    ck_assert_int_eq(slurp_read(scratch_path("out"), 1 << 24, &file, NULL), NM_OK);
    return (char *)file.bytes;
}

static void as_text(FILE *to, const void *context)
{
    analysis_text(context, to);
}

START_TEST(numbers_are_read_and_added_up)
{
    struct analysis a = read_json(json);
    ck_assert(a.n_grid == 4 && a.n_layers == 2 && a.has_error);
    ck_assert(a.layers[0].error[2] == 0.1 && isnan(a.layers[1].error[2]));
    ck_assert(analysis_total_ms(&a, 0) == 4.0 && analysis_total_ms(&a, 3) == 1.75);
    ck_assert(analysis_at(&a, 0.8) == 2 && analysis_at(&a, 0.9) == 2 && analysis_at(&a, 0.3) == 0);
    char *text = written(as_text, &a);
    ck_assert_ptr_nonnull(strstr(text, "2.29x")); /* 4 / 1.75 */
    free(text);
    analysis_free(&a);
}
END_TEST

/* No tag is left open by a name, and nothing is fetched. */
static void expect_sound(const char *page)
{
    ck_assert_ptr_null(strstr(page, "a<b>"));
    ck_assert_ptr_nonnull(strstr(page, "/a&lt;b&gt;&amp;&quot;c&quot;/Conv"));
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "src="));
    ck_assert_ptr_null(strstr(page, "nan"));
    ck_assert_ptr_null(strstr(page, "inf"));
    ck_assert_ptr_nonnull(strstr(page, "prefers-color-scheme:dark"));
}

START_TEST(pages_hold_whatever_names_there_are)
{
    struct analysis a = read_json(json);
    char *html = written(analysis_html, &a), *svg = written(analysis_svg, &a);
    expect_sound(html);
    expect_sound(svg);
    ck_assert_ptr_nonnull(strstr(html, "net&lt;1&gt;.onnx"));
    ck_assert_ptr_nonnull(strstr(html, "<td>50.00\n"));
    free(html);
    free(svg);
    analysis_free(&a);
    a = read_json(no_error);
    html = written(analysis_html, &a);
    ck_assert(!a.has_error);
    ck_assert_ptr_nonnull(strstr(html, "times only"));
    ck_assert_ptr_nonnull(strstr(html, "33.3</text>"));
    free(html);
    analysis_free(&a);
}
END_TEST

START_TEST(long_names_keep_their_end)
{
    char text[80];
    ck_assert_str_eq(analysis_name("short", 10, text), "short");
    ck_assert_str_eq(analysis_name("layer3.0.conv1", 8, text), "...conv1");
}
END_TEST

START_TEST(what_is_no_analysis_is_refused)
{
    static const char *const bad[] = {"", "[]", "{}", "{\"grid\":[]}", "{\"grid\":[0]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct analysis a;
        ck_assert_int_eq(analysis_read(bad[i], "x", &a, NULL), NM_EINTERNAL);
    }
    tool_call(2, "analyze");
    tool_call(2, "analyze x.onnx --sparsity 0.5");
    tool_call(1, "analyze %s", scratch_path("nowhere.onnx"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("analysis");
    TCase *t = tcase_create("analysis");
    tcase_add_test(t, numbers_are_read_and_added_up);
    tcase_add_test(t, pages_hold_whatever_names_there_are);
    tcase_add_test(t, long_names_keep_their_end);
    tcase_add_test(t, what_is_no_analysis_is_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
