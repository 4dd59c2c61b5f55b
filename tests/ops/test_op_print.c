/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as JSON: every kind, and what passes fuse. */
#include "lib/ops/attrs.h"
#include "lib/ops/op.h"

#include <check.h>
#include <string.h>

static char *describe(uint16_t op, void *attrs)
{
    struct nmi_node node = {.op = op, .opset = 13, .name = "n", .attrs = attrs};
    struct nmi_text t = {0};
    char *json;
    nmi_json_open(&t, NULL, '{');
    nmi_op_describe_attrs(&node, &t);
    nmi_json_close(&t, '{');
    ck_assert_int_eq(nmi_text_take(&t, &json, NULL), NM_OK);
    return json;
}

START_TEST(describe_attrs_of_fused_conv_names_all)
{
    struct nmi_arena arena = {0};
    struct nmi_conv_attrs *conv = nmi_op_defaults(NMI_OP_Conv, &arena);
    conv->strides = (struct nmi_ints){2, {2, 1}};
    conv->auto_pad = NMI_PAD_SAME_LOWER;
    conv->act = (struct nmi_act){.kind = NMI_ACT_CLIP, .alpha = 0.5f, .beta = 6};
    conv->residual = 1;
    char *json = describe(NMI_OP_Conv, conv);
    const char *const parts[] = {
        "\"strides\":[2,1]",       "\"auto_pad\":\"SAME_LOWER\"", "\"group\":1",
        "\"activation\":\"clip\"", "\"activation_alpha\":0.5",    "\"activation_beta\":6",
        "\"residual\":true"};
    for (size_t i = 0; i < NMI_COUNT(parts); i++) {
        ck_assert_msg(strstr(json, parts[i]) != NULL, "%s is not in %s", parts[i], json);
    }
    ck_assert_ptr_null(strstr(json, "dilations"));
    nmi_free(json);
    nmi_arena_free(&arena);
}
END_TEST

START_TEST(describe_attrs_of_gemm_has_floats_and_activation)
{
    struct nmi_arena arena = {0};
    struct nmi_gemm_attrs *gemm = nmi_op_defaults(NMI_OP_Gemm, &arena);
    gemm->alpha = 0.25f;
    gemm->act.kind = NMI_ACT_SWISH;
    char *json = describe(NMI_OP_Gemm, gemm);
    ck_assert_ptr_nonnull(strstr(json, "\"alpha\":0.25"));
    ck_assert_ptr_nonnull(strstr(json, "\"activation\":\"swish\""));
    nmi_free(json);
    nmi_arena_free(&arena);
}
END_TEST

START_TEST(describe_attrs_of_every_operator_is_whole)
{
    for (uint16_t op = 0; op < NMI_OPS; op++) {
        struct nmi_arena arena = {0};
        char *json = describe(op, nmi_op_defaults(op, &arena));
        ck_assert_int_eq(json[0], '{');
        ck_assert_uint_gt(strlen(nmi_op_name(op)), 0);
        nmi_free(json);
        nmi_arena_free(&arena);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("op_print");
    TCase *t = tcase_create("op_print");
    tcase_add_test(t, describe_attrs_of_fused_conv_names_all);
    tcase_add_test(t, describe_attrs_of_gemm_has_floats_and_activation);
    tcase_add_test(t, describe_attrs_of_every_operator_is_whole);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
