/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of a graph, whole. */
#include "lib/graph/print.h"

#include <check.h>
#include <string.h>

static const char *op_name(uint16_t op)
{
    return op == 0 ? "Zero" : "One";
}

static void op_attrs(const struct nmi_node *node, struct nmi_text *t)
{
    nmi_json_int(t, "opset", node->opset);
}

/* x [N, ?, 3] -> One(x, nothing, w) -> y, of unknown rank. */
static struct nmi_graph *make(void)
{
    static const float weights[] = {0, 1, -0.0f, 2};
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    int32_t x = nmi_graph_add_value(g, "x \"quoted\"");
    int32_t w = nmi_graph_add_constant(g, "w", NM_F32, 2, (const int64_t[]){2, 2}, weights, 16);
    nmi_graph_add_constant(g, "i", NM_I64, 0, NULL, (const int64_t[]){7}, 8);
    int32_t y = nmi_graph_add_value(g, "y");
    g->values[x].type = NM_F32;
    g->values[x].rank = 3;
    g->values[x].dims[0] = nmi_dim_symbol(nmi_graph_add_symbol(g, "N"));
    g->values[x].dims[1] = NMI_DIM_UNKNOWN;
    g->values[x].dims[2] = 3;
    int32_t in[] = {x, NMI_NONE, w}, out[] = {y, NMI_NONE};
    nmi_graph_add_node(g, 1, 13, "n", in, 3, out, 2, NULL);
    g->inputs = nmi_arena_copy(&g->arena, &x, sizeof x);
    g->outputs = nmi_arena_copy(&g->arena, &y, sizeof y);
    g->n_inputs = g->n_outputs = 1;
    g->name = "net";
    g->opset = 13;
    return g;
}

START_TEST(graph_describe_small_graph_is_this_json)
{
    struct nmi_graph *g = make();
    struct nmi_text t = {0};
    char *json;
    nmi_graph_describe(g, op_name, op_attrs, &t);
    ck_assert_int_eq(nmi_text_take(&t, &json, NULL), NM_OK);
    ck_assert_str_eq(
        json,
        "{\"name\":\"net\",\"producer\":\"\",\"opset\":13,"
        "\"inputs\":[{\"name\":\"x "
        "\\\"quoted\\\"\",\"type\":\"float32\",\"shape\":[\"N\",null,3]}],"
        "\"outputs\":[{\"name\":\"y\",\"type\":null,\"shape\":null}],"
        "\"nodes\":[{\"name\":\"n\",\"op\":\"One\",\"inputs\":[\"x \\\"quoted\\\"\",null,\"w\"],"
        "\"outputs\":[{\"name\":\"y\",\"type\":null,\"shape\":null},null],"
        "\"attributes\":{\"opset\":13}}],"
        "\"constants\":[{\"name\":\"w\",\"type\":\"float32\",\"shape\":[2,2],\"zeros\":0.5,"
        "\"sparse\":false},"
        "{\"name\":\"i\",\"type\":\"int64\",\"shape\":[],\"zeros\":null,\"sparse\":false}]}");
    nmi_free(json);
    nmi_graph_free(g);
}
END_TEST

START_TEST(graph_describe_without_attributes_leaves_them_out)
{
    struct nmi_graph *g = make();
    struct nmi_text t = {0};
    char *json;
    nmi_graph_describe(g, op_name, NULL, &t);
    ck_assert_int_eq(nmi_text_take(&t, &json, NULL), NM_OK);
    ck_assert_ptr_null(strstr(json, "attributes"));
    nmi_free(json);
    nmi_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("print");
    TCase *t = tcase_create("print");
    tcase_add_test(t, graph_describe_small_graph_is_this_json);
    tcase_add_test(t, graph_describe_without_attributes_leaves_them_out);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
