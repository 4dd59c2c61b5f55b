/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: commas, escapes, bytes that are no UTF-8, numbers, locale, no memory. */
#include "lib/base/mem.h"
#include "lib/base/text.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expect(struct nmi_text *t, const char *expected)
{
    char *out = NULL;
    ck_assert_int_eq(nmi_text_take(t, &out, NULL), NM_OK);
    ck_assert_str_eq(out, expected);
    nmi_free(out);
}

START_TEST(json_of_nested_values_has_commas_where_due)
{
    struct nmi_text t = {0};
    nmi_json_open(&t, NULL, '{');
    nmi_json_string(&t, "name", "net");
    nmi_json_open(&t, "layers", '[');
    for (int i = 0; i < 2; i++) {
        nmi_json_open(&t, NULL, '{');
        nmi_json_int(&t, "id", i);
        nmi_json_close(&t, '}');
    }
    nmi_json_close(&t, ']');
    nmi_json_open(&t, "empty", '[');
    nmi_json_close(&t, ']');
    nmi_json_bool(&t, "sparse", true);
    nmi_json_ints(&t, "dims", (const int64_t[]){1, -2, INT64_MIN}, 3);
    nmi_json_string(&t, "none", NULL);
    nmi_json_close(&t, '}');
    expect(&t, "{\"name\":\"net\",\"layers\":[{\"id\":0},{\"id\":1}],\"empty\":[],\"sparse\":true,"
               "\"dims\":[1,-2,-9223372036854775808],\"none\":null}");
}
END_TEST

START_TEST(json_string_of_hostile_bytes_is_escaped)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"\xff", "\"\\ufffd\""},
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* beyond U+10FFFF */
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},                       /* cut off */
        {"", "\"\""},
    };
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct nmi_text t = {0};
        nmi_json_string(&t, NULL, cases[i].in);
        expect(&t, cases[i].out);
    }
}
END_TEST

START_TEST(json_real_reads_back_and_never_says_nan)
{
    static const double values[] = {0.0, -1.5, 0.1, 1e300, 5e-324, 1.0 / 3, 123456789.123};
    for (size_t i = 0; i < NMI_COUNT(values); i++) {
        struct nmi_text t = {0};
        nmi_json_real(&t, NULL, values[i]);
        char *out = NULL;
        ck_assert_int_eq(nmi_text_take(&t, &out, NULL), NM_OK);
        ck_assert(strtod(out, NULL) == values[i]);
        nmi_free(out);
    }
    struct nmi_text t = {0};
    nmi_json_open(&t, NULL, '[');
    nmi_json_real(&t, NULL, (double)NAN);
    nmi_json_real(&t, NULL, (double)INFINITY);
    nmi_json_real(&t, NULL, 0.1);
    nmi_json_close(&t, ']');
    expect(&t, "[null,null,0.1]");
}
END_TEST

START_TEST(json_real_under_a_comma_locale_has_a_point)
{
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) {
        return; /* no such locale on this system */
    }
    struct nmi_text t = {0};
    nmi_json_real(&t, NULL, 0.25);
    expect(&t, "0.25");
    setlocale(LC_NUMERIC, "C");
}
END_TEST

START_TEST(text_grows_beyond_its_first_block)
{
    struct nmi_text t = {0};
    for (int i = 0; i < 5000; i++) {
        nmi_text_printf(&t, "%04d", i);
    }
    char *out = NULL;
    ck_assert_int_eq(nmi_text_take(&t, &out, NULL), NM_OK);
    ck_assert_uint_eq(strlen(out), 20000);
    ck_assert_mem_eq(out + 4 * 4321, "4321", 4);
    nmi_free(out);
}
END_TEST

START_TEST(take_of_nothing_is_an_empty_string)
{
    struct nmi_text t = {0};
    expect(&t, "");
}
END_TEST

START_TEST(take_after_a_failed_allocation_refuses_without_leak)
{
    size_t live = nmi_alloc_live();
    for (long n = 1;; n++) {
        struct nmi_text t = {0};
        char *out = NULL;
        nm_error err;
        nmi_alloc_fail_after(n, 0);
        for (int i = 0; i < 200; i++) {
            nmi_json_string(&t, "key", "value");
        }
        nm_status status = nmi_text_take(&t, &out, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || (status == NM_ENOMEM && !out));
        nmi_free(out);
        ck_assert_uint_eq(nmi_alloc_live(), live);
        if (status == NM_OK) {
            ck_assert_int_gt(n, 2);
            return;
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");
    tcase_add_test(t, json_of_nested_values_has_commas_where_due);
    tcase_add_test(t, json_string_of_hostile_bytes_is_escaped);
    tcase_add_test(t, json_real_reads_back_and_never_says_nan);
    tcase_add_test(t, json_real_under_a_comma_locale_has_a_point);
    tcase_add_test(t, text_grows_beyond_its_first_block);
    tcase_add_test(t, take_of_nothing_is_an_empty_string);
    tcase_add_test(t, take_after_a_failed_allocation_refuses_without_leak);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
