/* SPDX-License-Identifier: Apache-2.0 */
/* Models that are refused: what each sentence says. */
#include "lib/base/mem.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* ---- refusals -------------------------------------------------------------------------------- */

START_TEST(import_opset_outside_7_to_21_refused)
{
    static const int64_t opsets[] = {-1, 0, 1, 6, 22, 1000000};
    for (size_t i = 0; i < NMI_COUNT(opsets); i++) {
        struct onnx_build b;
        char word[64];
        onnx_build_start(&b, opsets[i]);
        onnx_build_input(&b, "x", NM_F32, "1");
        onnx_build_output(&b, "x", NM_F32, "1");
        struct onnx_result r = onnx_import_built(&b);
        snprintf(word, sizeof word, "opset %lld, expected 7 to 21", (long long)opsets[i]);
        onnx_expect_refused(&r, NM_EUNSUPPORTED, word);
    }
    for (int64_t opset = 7; opset <= 21; opset++) {
        struct onnx_build b;
        onnx_build_start(&b, opset);
        onnx_build_input(&b, "x", NM_F32, "1");
        onnx_build_node(&b, "Relu", "x", "y");
        onnx_build_output(&b, "y", NM_F32, "1");
        struct onnx_result r = onnx_import_built(&b);
        onnx_expect_ok(&r);
        onnx_forget(&r);
    }
}
END_TEST

START_TEST(import_what_is_no_model_refused)
{
    static const struct {
        const char *text;
        size_t size;
    } files[] = {{"", 0}, {"PK\3\4zip", 7}, {"<html></html>", 13}, {"\x08\x08", 2}, {"hello", 5}};
    for (size_t i = 0; i < NMI_COUNT(files); i++) {
        void *bytes = nmi_alloc(files[i].size);
        memcpy(bytes, files[i].text, files[i].size);
        struct onnx_result r = onnx_import_bytes(bytes, files[i].size, NULL, NULL);
        onnx_expect_refused(&r, NM_EFORMAT, "not an ONNX model");
    }
}
END_TEST

START_TEST(import_unsupported_operators_listed_together)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1");
    onnx_build_node(&b, "Loop", "x", "a");
    onnx_build_node(&b, "Relu", "x", "b");
    onnx_build_open(&b, "Frobnicate", "x", "c");
    nmi_put_string(&b.w, 3, "frob");
    nmi_put_string(&b.w, 7, "com.example");
    onnx_build_close(&b);
    onnx_build_node(&b, "Loop", "x", "d");
    onnx_build_open(&b, "Relu", "x", "e");
    nmi_put_string(&b.w, 7, "com.example");
    onnx_build_close(&b);
    onnx_build_output(&b, "a", NM_F32, "1");
    struct onnx_result r = onnx_import_built(&b);
    ck_assert_ptr_nonnull(strstr(r.err.message, "4 nodes in all"));
    ck_assert_ptr_nonnull(strstr(r.err.message, "Loop x 2 (first: node #0)"));
    ck_assert_ptr_nonnull(strstr(r.err.message, "com.example.Relu x 1 (first: node #4)"));
    onnx_expect_refused(&r, NM_EUNSUPPORTED, "com.example.Frobnicate x 1 (first: node \"frob\")");
}
END_TEST

START_TEST(import_hundreds_of_unsupported_operators_fit_the_sentence)
{
    struct onnx_build b;
    char op[300], out[16];
    onnx_build_start(&b, 13);
    for (int i = 0; i < 300; i++) {
        snprintf(op, sizeof op, "Op%0*d", i % 250 + 1, i);
        snprintf(out, sizeof out, "v%d", i);
        onnx_build_node(&b, op, "", out);
    }
    onnx_build_output(&b, "v0", NM_F32, "1");
    struct onnx_result r = onnx_import_built(&b);
    ck_assert_uint_lt(strlen(r.err.message), sizeof r.err.message);
    ck_assert_str_eq(r.err.message + strlen(r.err.message) - 5, ", ...");
    onnx_expect_refused(&r, NM_EUNSUPPORTED, "300 nodes in all");
}
END_TEST

/* One node between x and y, with what the case says. */
START_TEST(import_wrong_graphs_refused_by_name)
{
    static const struct {
        const char *op[3], *in[3], *out[3];
        const char *output;
        nm_status status;
        const char *word;
    } cases[] = {
        {{"Relu"}, {"nowhere"}, {"y"}, "y", NM_EFORMAT, "input \"nowhere\" is made by no node"},
        {{"Relu"}, {"x"}, {"x"}, "x", NM_EFORMAT, "output \"x\" has the name"},
        {{"Relu"}, {"x"}, {"w"}, "w", NM_EFORMAT, "output \"w\" has the name"},
        {{"Relu", "Abs"}, {"x", "x"}, {"y", "y"}, "y", NM_EFORMAT, "node #1: its output \"y\""},
        {{"Relu", "Abs"}, {"b", "a"}, {"a", "b"}, "a", NM_EFORMAT, "depends on itself"},
        {{"Relu"}, {"y"}, {"y"}, "y", NM_EFORMAT, "depends on itself"},
        {{"Relu", "Abs", "Neg"}, {"x", "c", "b"}, {"a", "b", "c"}, "a", NM_EFORMAT, "itself"},
        {{"Relu"}, {"x"}, {"y"}, "z", NM_EFORMAT, "graph output \"z\": no node"},
        {{""}, {"x"}, {"y"}, "y", NM_EFORMAT, "node #0 has no operator"},
        {{"Constant"}, {""}, {"y"}, "y", NM_EFORMAT, "0 attributes, expected 1"},
        {{"Constant"}, {"x"}, {"y"}, "y", NM_EFORMAT, "1 inputs and 1 outputs"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        onnx_build_start(&b, 13);
        onnx_build_input(&b, "x", NM_F32, "1");
        onnx_build_tensor(&b, "w", NM_F32, "1", "abcd", 4);
        for (int k = 0; k < 3 && cases[i].op[k] != NULL; k++) {
            onnx_build_node(&b, cases[i].op[k], cases[i].in[k], cases[i].out[k]);
        }
        onnx_build_output(&b, cases[i].output, NM_F32, "1");
        struct onnx_result r = onnx_import_built(&b);
        onnx_expect_refused(&r, cases[i].status, cases[i].word);
    }
}
END_TEST

START_TEST(import_wrong_inputs_refused_by_name)
{
    static const struct {
        const char *name;
        int32_t type;
        const char *shape;
        nm_status status;
        const char *word;
    } cases[] = {
        {"i", 0, "1", NM_EUNSUPPORTED, "\"i\": has elements of ONNX type 0"},
        {"i", 8, "1", NM_EUNSUPPORTED, "type 8"},
        {"i", -5, "1", NM_EUNSUPPORTED, "type -5"},
        {"i", NM_F32, "-1", NM_EFORMAT, "dimension of -1"},
        {"i", NM_F32, "N,-9223372036854775808", NM_EFORMAT, "dimension of -92"},
        {"i", NM_F32, "1,1,1,1,1,1,1,1,1", NM_ELIMIT, "9 dimensions"},
        {"i", NM_F32, "N,2147483648", NM_ELIMIT, "nm_limits.elements"},
        {"i", NM_F32, "1125899906842624,1125899906842624", NM_ELIMIT, "nm_limits.elements"},
        {"x", NM_F32, "1", NM_EFORMAT, "the name is taken"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        onnx_build_start(&b, 13);
        onnx_build_input(&b, "x", NM_F32, "1");
        onnx_build_input(&b, cases[i].name, cases[i].type, cases[i].shape);
        onnx_build_node(&b, "Relu", "x", "y");
        onnx_build_output(&b, "y", NM_F32, "1");
        struct onnx_result r = onnx_import_built(&b);
        onnx_expect_refused(&r, cases[i].status, cases[i].word);
    }
}
END_TEST

START_TEST(import_types_that_are_no_tensor_refused)
{
    static const struct {
        uint32_t field;
        const char *word;
    } cases[] = {
        {4, "a sequence"}, {5, "a map"}, {7, "opaque"}, {8, "a sparse tensor"}, {9, "optional"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        onnx_build_start(&b, 13);
        struct nmi_mark info = nmi_put_open(&b.w, 11);
        nmi_put_string(&b.w, 1, "i");
        struct nmi_mark type = nmi_put_open(&b.w, 2);
        nmi_put_close(&b.w, nmi_put_open(&b.w, cases[i].field));
        nmi_put_close(&b.w, type);
        nmi_put_close(&b.w, info);
        onnx_build_output(&b, "i", NM_F32, "1");
        struct onnx_result r = onnx_import_built(&b);
        onnx_expect_refused(&r, NM_EUNSUPPORTED, cases[i].word);
    }
}
END_TEST

START_TEST(import_names_given_twice_refused)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "w", NM_F32, "1", "abcd", 4);
    onnx_build_tensor(&b, "w", NM_F32, "1", "abcd", 4);
    onnx_build_output(&b, "w", NM_F32, "1");
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_refused(&r, NM_EFORMAT, "\"w\": the name is taken");
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "w", NM_F32, "1", "abcd", 4);
    onnx_build_output(&b, "w", NM_F32, "1");
    onnx_build_output(&b, "w", NM_F32, "1");
    r = onnx_import_built(&b);
    onnx_expect_refused(&r, NM_EFORMAT, "output \"w\": it is given twice");
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1");
    r = onnx_import_built(&b);
    onnx_expect_refused(&r, NM_EFORMAT, "no outputs");
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "", NM_F32, "1", "abcd", 4);
    r = onnx_import_built(&b);
    onnx_expect_refused(&r, NM_EFORMAT, "no name");
}
END_TEST

/* ---- attributes ------------------------------------------------------------------------------ */

static struct onnx_result import_conv(const char *name, const char *ints, const char *text,
                                      int64_t i)
{
    static const float w[9];
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1,1,8,8");
    onnx_build_tensor(&b, "w", NM_F32, "1,1,3,3", w, sizeof w);
    onnx_build_open(&b, "Conv", "x,w", "y");
    nmi_put_string(&b.w, 3, "c1");
    if (ints != NULL) {
        onnx_build_ints(&b, name, ints);
    } else if (text != NULL) {
        onnx_build_string(&b, name, text);
    } else {
        onnx_build_int(&b, name, i);
    }
    onnx_build_int(&b, "group", 1);
    onnx_build_close(&b);
    onnx_build_output(&b, "y", NM_F32, NULL);
    return onnx_import_built(&b);
}

START_TEST(import_wrong_attributes_refused_by_name)
{
    static const struct {
        const char *name, *ints, *text;
        int64_t i;
        nm_status status;
        const char *word;
    } cases[] = {
        {"strides", "0,1", NULL, 0, NM_EFORMAT, "node \"c1\" (Conv): attribute strides: is 0"},
        {"strides", "-1,1", NULL, 0, NM_EFORMAT, "is -1, expected 1"},
        {"strides", "9223372036854775807,1", NULL, 0, NM_EFORMAT, "expected 1"},
        {"dilations", "-9223372036854775808", NULL, 0, NM_EFORMAT, "expected 1"},
        {"strides", NULL, NULL, 1, NM_EFORMAT, "is of type INT, expected INTS"},
        {"auto_pad", NULL, "SAME", 0, NM_EUNSUPPORTED,
         "is \"SAME\", expected one of NOTSET|SAME_UPPER"},
        {"auto_pad", NULL, "", 0, NM_EUNSUPPORTED, "is \"\""},
        {"auto_pad", NULL, NULL, 3, NM_EFORMAT, "is of type INT, expected STRING"},
        {"group", NULL, NULL, 1, NM_EFORMAT, "attribute group is given twice"},
        {"frobs", NULL, NULL, 1, NM_EUNSUPPORTED, "the attribute frobs is not one of opset 13"},
        {"", NULL, NULL, 1, NM_EUNSUPPORTED, "is not one of opset 13"},
        {"kernel_shape", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", NULL, 0, NM_ELIMIT, "17 elements"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_result r = import_conv(cases[i].name, cases[i].ints, cases[i].text, cases[i].i);
        onnx_expect_refused(&r, cases[i].status, cases[i].word);
    }
    struct onnx_result r = import_conv("pads", "1,1,1,1", NULL, 0);
    onnx_expect_ok(&r);
    onnx_forget(&r);
}
END_TEST

START_TEST(import_attribute_of_another_opset_refused)
{
    for (int64_t opset = 7; opset <= 13; opset += 6) {
        struct onnx_build b;
        onnx_build_start(&b, opset);
        onnx_build_input(&b, "x", NM_F32, "1");
        onnx_build_open(&b, "Clip", "x", "y");
        onnx_build_float(&b, "min", 0.0f);
        onnx_build_close(&b);
        onnx_build_output(&b, "y", NM_F32, NULL);
        struct onnx_result r = onnx_import_built(&b);
        if (opset == 7) {
            onnx_expect_ok(&r);
            onnx_forget(&r);
        } else {
            onnx_expect_refused(&r, NM_EUNSUPPORTED, "the attribute min is not one of opset 13");
        }
    }
}
END_TEST

START_TEST(import_subgraph_attribute_refused)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1");
    onnx_build_open(&b, "Relu", "x", "y");
    struct nmi_mark attr = nmi_put_open(&b.w, 5);
    nmi_put_string(&b.w, 1, "body");
    nmi_put_close(&b.w, nmi_put_open(&b.w, 6));
    nmi_put_int(&b.w, 20, 5);
    nmi_put_close(&b.w, attr);
    onnx_build_close(&b);
    onnx_build_output(&b, "y", NM_F32, NULL);
    struct onnx_result r = onnx_import_built(&b);
    onnx_expect_refused(&r, NM_EUNSUPPORTED, "the attribute body");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("import_refused");
    TCase *t = tcase_create("import_refused");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, import_opset_outside_7_to_21_refused);
    tcase_add_test(t, import_what_is_no_model_refused);
    tcase_add_test(t, import_unsupported_operators_listed_together);
    tcase_add_test(t, import_hundreds_of_unsupported_operators_fit_the_sentence);
    tcase_add_test(t, import_wrong_graphs_refused_by_name);
    tcase_add_test(t, import_wrong_inputs_refused_by_name);
    tcase_add_test(t, import_types_that_are_no_tensor_refused);
    tcase_add_test(t, import_names_given_twice_refused);
    tcase_add_test(t, import_wrong_attributes_refused_by_name);
    tcase_add_test(t, import_attribute_of_another_opset_refused);
    tcase_add_test(t, import_subgraph_attribute_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
