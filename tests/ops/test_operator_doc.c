/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/operators.md is made from the descriptors: with --print this program writes it to its
 * output, without it compares the file with what it would write.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/ops/op.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENT "docs/operators.md"

static const char head[] =
    "# Operators\n"
    "\n"
    "Made by `make docs` from the descriptors in `lib/ops`; a test compares it with them.\n"
    "\n"
    "The opsets are those of the ai.onnx domain that libnm reads, 7 to 21. *Types* are those of "
    "the\n"
    "data inputs; inputs that are indices, shapes or axes are int64 or int32 as ONNX has them. A\n"
    "model that needs more than is listed here is refused when it is loaded, with a sentence that\n"
    "names the node and the operator, type or attribute.\n"
    "\n"
    "Contents that decide a shape (of the *shape inputs*, counted from 0) must be constants, "
    "follow\n"
    "from shapes, or be inputs of the model: nothing that is computed from image data decides a\n"
    "shape.\n"
    "\n"
    "| operator | opsets | types | shape inputs | limits |\n"
    "|---|---|---|---|---|\n";

static const nm_type all[] = {NM_F32, NM_F64, NM_F16, NM_BF16, NM_I8,  NM_I16, NM_I32,
                              NM_I64, NM_U8,  NM_U16, NM_U32,  NM_U64, NM_BOOL};
static const struct {
    const char *name;
    uint32_t types;
} groups[] = {
    {"all", NMI_T_MOVE},
    {"integers", NMI_T(NM_I8) | NMI_T(NM_I16) | NMI_T(NM_I32) | NMI_T(NM_I64) | NMI_T(NM_U8) |
                     NMI_T(NM_U16) | NMI_T(NM_U32) | NMI_T(NM_U64)},
    {"signed integers", NMI_T(NM_I8) | NMI_T(NM_I16) | NMI_T(NM_I32) | NMI_T(NM_I64)},
};

static void put_types(struct nmi_text *t, uint32_t types)
{
    const char *comma = "";
    for (size_t i = 0; i < NMI_COUNT(all); i++) {
        bool first_integer = all[i] == NM_I8;
        for (size_t k = 0; k < NMI_COUNT(groups) && (i == 0 || first_integer); k++) {
            if ((types & groups[k].types) == groups[k].types && (k == 0 || first_integer)) {
                nmi_text_printf(t, "%s%s", comma, groups[k].name);
                types &= ~groups[k].types;
                comma = ", ";
            }
        }
        if ((types & NMI_T(all[i])) != 0) {
            nmi_text_printf(t, "%s%s", comma, nm_type_name(all[i]));
            comma = ", ";
        }
    }
}

static void put_operator(struct nmi_text *t, const struct nmi_op *op)
{
    nmi_text_printf(t, "| %s | %d to %d | ", op->name,
                    op->since < NMI_OPSET_MIN ? NMI_OPSET_MIN : op->since,
                    op->until != 0 ? op->until : NMI_OPSET_MAX);
    put_types(t, op->max_in == 0 ? NMI_T_MOVE : op->types);
    nmi_text_put(t, " |");
    for (int i = 0; i < 32; i++) {
        if ((op->shape_inputs >> i & 1) != 0) {
            nmi_text_printf(t, " %d", i);
        }
    }
    nmi_text_printf(t, " |%s%s |\n", op->doc[0] != '\0' ? " " : "", op->doc);
}

static char *document(void)
{
    struct nmi_text t = {0};
    char *text = NULL;
    nmi_text_put(&t, head);
    for (int i = 0; i < NMI_OPS; i++) {
        put_operator(&t, nmi_ops[i]);
    }
    return nmi_text_take(&t, &text, NULL) == NM_OK ? text : NULL;
}

START_TEST(document_is_that_of_the_descriptors)
{
    void *bytes;
    size_t size;
    char *expected = document();
    ck_assert_ptr_nonnull(expected);
    ck_assert_int_eq(nmi_file_read(DOCUMENT, 1 << 20, &bytes, &size, NULL), NM_OK);
    ck_assert_msg(size == strlen(expected) && memcmp(bytes, expected, size) == 0,
                  DOCUMENT " is not what the descriptors say: run make docs");
    nmi_free(bytes);
    nmi_free(expected);
}
END_TEST

START_TEST(descriptors_are_whole)
{
    for (int i = 0; i < NMI_OPS; i++) {
        const struct nmi_op *op = nmi_ops[i];
        ck_assert_msg(op->infer != NULL && op->eval != NULL && op->doc != NULL, "%s", op->name);
        ck_assert(op->since >= 1 && op->min_in >= 0 && op->min_out >= 1);
        ck_assert((op->attr == NULL) == (op->attr_bytes == 0));
        int32_t last = op->until != 0 ? op->until : NMI_OPSET_MAX;
        ck_assert_int_eq(nmi_op_find("", op->name, last), i);
        ck_assert_int_eq(nmi_op_find("ai.onnx", op->name, last), i);
        ck_assert(op->until == 0 || nmi_op_find("", op->name, last + 1) == NMI_NONE);
        ck_assert_int_eq(nmi_op_find("", op->name, op->since - 1), NMI_NONE);
        for (const struct nmi_attr *a = op->attr; a != NULL && a->name != NULL; a++) {
            ck_assert_msg(a->kind == NMI_ATTR_IGNORED || a->offset < op->attr_bytes, "%s", a->name);
            ck_assert(a->kind != NMI_ATTR_ENUM || a->choices != NULL);
        }
    }
    ck_assert_int_eq(nmi_op_find("com.example", "Relu", 13), NMI_NONE);
    ck_assert_int_eq(nmi_op_find("", "NoSuchOperator", 13), NMI_NONE);
}
END_TEST

static int run_tests(void)
{
    Suite *suite = suite_create("operator_doc");
    TCase *t = tcase_create("operator_doc");
    tcase_add_test(t, document_is_that_of_the_descriptors);
    tcase_add_test(t, descriptors_are_whole);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        char *text = document();
        fputs(text != NULL ? text : "", stdout);
        nmi_free(text);
        return text == NULL;
    }
    return run_tests();
}
