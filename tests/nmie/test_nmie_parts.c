/* SPDX-License-Identifier: Apache-2.0 */
/* Small parts of the tool: words, lists, ranks, labels, agreement, JSON, quantiles. */
#include "examples/nmie/agreement.h"
#include "examples/nmie/args.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/data/labels.h"
#include "examples/nmie/ranking.h"
#include "examples/nmie/stats.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(args_take_whole_words_only)
{
    int64_t n;
    double a, b, three[3];
    struct args_list list;
    ck_assert(args_int("-5", -5, 5, &n) && n == -5);
    ck_assert(!args_int("6", -5, 5, &n) && !args_int("5x", -5, 5, &n) && !args_int("", 0, 1, &n));
    ck_assert(!args_int("99999999999999999999", INT64_MIN, INT64_MAX, &n));
    ck_assert(args_fraction("1/255", &a, &b) && a == 1.0 && b == 255.0);
    ck_assert(args_fraction("0.5", &a, &b) && a == 0.5 && b == 1.0);
    ck_assert(!args_fraction("1/", &a, &b) && !args_fraction("/2", &a, &b));
    ck_assert(!args_double("inf", &a) && !args_double("nan", &a) && !args_double("1,", &a));
    ck_assert(args_doubles("1,2.5,-3", 3, three) && three[1] == 2.5 && three[2] == -3.0);
    ck_assert(args_ints("1,2,64", ',', 64, &list) && list.n == 3 && list.at[2] == 64);
    ck_assert(!args_ints("1,,2", ',', 64, &list) && !args_ints("0", ',', 64, &list));
    ck_assert(!args_ints("1,2,", ',', 64, &list) && !args_ints("65", ',', 64, &list));
    char many[2 * ARGS_LIST_MAX + 2] = "";
    for (int i = 0; i <= ARGS_LIST_MAX; i++) {
        strcat(many, i ? ",1" : "1");
    }
    ck_assert(!args_ints(many, ',', 64, &list));
}
END_TEST

START_TEST(args_pair_splits_at_the_first_equals)
{
    char *name;
    const char *value;
    ck_assert(args_pair("x=a=b.npy", &name, &value));
    ck_assert_str_eq(name, "x");
    ck_assert_str_eq(value, "a=b.npy");
    free(name);
    ck_assert(args_pair("a.npy", &name, &value));
    ck_assert_ptr_null(name);
    ck_assert(!args_pair("x=", &name, &value) && !args_pair("=f", &name, &value));
    ck_assert(!args_pair("", &name, &value));
}
END_TEST

START_TEST(ranking_top_orders_ties_and_nan)
{
    float scores[8] = {1, 5, NAN, 5, -INFINITY, 7, 0, 5};
    size_t top[8], all[8] = {5, 1, 3, 7, 0, 6, 4, 2};
    for (size_t k = 1; k <= 8; k++) {
        ranking_top(scores, 8, k, top);
        ck_assert_mem_eq(top, all, k * sizeof *top);
    }
    float nans[3] = {NAN, NAN, 1};
    ranking_top(nans, 3, 3, top);
    ck_assert(top[0] == 2 && top[1] == 0 && top[2] == 1);
}
END_TEST

START_TEST(probabilities_of_large_scores_do_not_overflow)
{
    float scores[3] = {1000, 999, -1000}, p[3], given[2] = {0.25f, 0.75f};
    ranking_probabilities(scores, 3, p);
    ck_assert(fabsf(p[0] - 0.7310586f) < 1e-6f && p[2] == 0.0f);
    ranking_probabilities(given, 2, p);
    ck_assert(p[0] == 0.25f);
}
END_TEST

START_TEST(names_of_classes_by_line)
{
    struct ranking_names names;
    const char *path = scratch_write("names", "cat\r\n\ndog", 9);
    ck_assert_int_eq(ranking_names_load(path, &names, NULL), NM_OK);
    ck_assert_str_eq(ranking_name(&names, 0), "cat");
    ck_assert_str_eq(ranking_name(&names, 1), "");
    ck_assert_str_eq(ranking_name(&names, 2), "dog");
    ck_assert_ptr_null(ranking_name(&names, 3));
    ranking_names_free(&names);
    path = scratch_write("names", "a\0b\nc", 5); /* NUL bytes end the reading, no more */
    ck_assert_int_eq(ranking_names_load(path, &names, NULL), NM_OK);
    ck_assert_str_eq(ranking_name(&names, 0), "a");
    ranking_names_free(&names);
}
END_TEST

START_TEST(labels_from_columns_and_lines)
{
    static const char tsv[] = "# note\nsample\tclass\tnet\n0\t5\t7\n\n1\t-6\t8\r\n";
    struct labels labels;
    char spec[300];
    snprintf(spec, sizeof spec, "%s:class", scratch_write("t.tsv", tsv, strlen(tsv)));
    ck_assert_int_eq(labels_load(spec, &labels, NULL), NM_OK);
    ck_assert(labels.n == 2 && labels.at[0] == 5 && labels.at[1] == -6);
    labels_free(&labels);
    snprintf(spec, sizeof spec, "%s:net", scratch_path("t.tsv"));
    ck_assert_int_eq(labels_load(spec, &labels, NULL), NM_OK);
    ck_assert(labels.at[1] == 8);
    labels_free(&labels);
    snprintf(spec, sizeof spec, "%s:none", scratch_path("t.tsv"));
    ck_assert_int_eq(labels_load(spec, &labels, NULL), NM_EINVAL);
    ck_assert_int_eq(labels_load(scratch_write("l", "3\n4\n", 4), &labels, NULL), NM_OK);
    ck_assert(labels.n == 2 && labels.at[1] == 4);
    labels_free(&labels);
    ck_assert_int_eq(labels_load(scratch_write("l", "3\ncat\n", 6), &labels, NULL), NM_EFORMAT);
    ck_assert_int_eq(labels_load("/nowhere:x", &labels, NULL), NM_EIO);
}
END_TEST

/* Whether y agrees with ref. */
static bool agree(float y, float ref, struct tolerance tolerance)
{
    float a[2] = {y, 100}, b[2] = {ref, 100};
    struct difference d = {0};
    nm_tensor ty = {.type = NM_F32, .rank = 1, .dims = {2}, .data = a}, tr = ty;
    tr.data = b;
    return compare_tensors("y", &ty, &tr, &tolerance, &d, NULL) == NM_OK;
}

START_TEST(agreement_by_element_and_by_maximum)
{
    struct tolerance usual = TOLERANCE_INIT, most = {.maxrel = 1e-3};
    ck_assert(agree(1.0009f, 1.0f, usual) && !agree(1.002f, 1.0f, usual));
    ck_assert(agree(1.09f, 1.0f, most) && !agree(1.11f, 1.0f, most)); /* 1e-3 of 100 */
    ck_assert(agree(NAN, NAN, usual) && !agree(NAN, 1.0f, usual) && !agree(1.0f, NAN, usual));
    ck_assert(!agree(NAN, 1.0f, most) && !agree(INFINITY, 1.0f, most));
    ck_assert(agree(INFINITY, INFINITY, usual) && !agree(-INFINITY, INFINITY, usual));
    ck_assert(agree(-INFINITY, -INFINITY, most) && !agree(3.0f, INFINITY, most));
    ck_assert(!agree(3.0f, INFINITY, usual));
}
END_TEST

START_TEST(agreement_of_integers_types_and_shapes_is_exact)
{
    int64_t a[4] = {1, 2, 3, INT64_MAX}, b[4] = {1, 2, 3, INT64_MAX - 1};
    struct tolerance usual = TOLERANCE_INIT;
    struct difference d = {0};
    nm_tensor ty = {.type = NM_I64, .rank = 2, .dims = {2, 2}, .data = a}, tr = ty;
    ck_assert_int_eq(compare_tensors("y", &ty, &tr, &usual, &d, NULL), NM_OK);
    tr.data = b;
    ck_assert_int_eq(compare_tensors("y", &ty, &tr, &usual, &d, NULL), NM_EFORMAT);
    tr.dims[0] = 4;
    ck_assert_int_eq(compare_tensors("y", &ty, &tr, &usual, &d, NULL), NM_ESHAPE);
    tr.type = NM_U64;
    ck_assert_int_eq(compare_tensors("y", &ty, &tr, &usual, &d, NULL), NM_ETYPE);
}
END_TEST

START_TEST(json_strings_and_numbers_are_valid_whatever_they_hold)
{
    char *text = NULL;
    size_t size;
    struct json j = {.out = open_memstream(&text, &size)};
    json_open(&j, NULL, '{');
    json_string(&j, "a\"b", "\x01\\\xff\xc3\xa4\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80");
    json_double(&j, "n", (double)NAN);
    json_open(&j, "l", '[');
    json_int(&j, NULL, -3);
    json_double(&j, NULL, 0.5);
    json_close(&j, ']');
    json_string(&j, "z", NULL);
    json_close(&j, '}');
    json_end(&j);
    fclose(j.out);
    ck_assert_str_eq(text, "{\"a\\\"b\": \"\\u0001\\\\\\ufffd\xc3\xa4\\ufffd\\ufffd\\ufffd\\ufffd"
                           "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\", \"n\": null, "
                           "\"l\": [-3, 0.5], \"z\": null}\n");
    free(text);
}
END_TEST

START_TEST(quantiles_interpolate)
{
    double one[1] = {3}, ten[11] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    struct stats s = stats_of(one, 1);
    ck_assert(s.median == 3.0 && s.p99 == 3.0 && s.best == 3.0);
    s = stats_of(ten, 11);
    ck_assert(s.median == 5.0 && s.p90 == 9.0 && fabs(s.p99 - 9.9) < 1e-12 && s.best == 0.0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nmie parts");
    TCase *t = tcase_create("parts");
    tcase_add_test(t, args_take_whole_words_only);
    tcase_add_test(t, args_pair_splits_at_the_first_equals);
    tcase_add_test(t, ranking_top_orders_ties_and_nan);
    tcase_add_test(t, probabilities_of_large_scores_do_not_overflow);
    tcase_add_test(t, names_of_classes_by_line);
    tcase_add_test(t, labels_from_columns_and_lines);
    tcase_add_test(t, agreement_by_element_and_by_maximum);
    tcase_add_test(t, agreement_of_integers_types_and_shapes_is_exact);
    tcase_add_test(t, json_strings_and_numbers_are_valid_whatever_they_hold);
    tcase_add_test(t, quantiles_interpolate);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
