/* SPDX-License-Identifier: Apache-2.0 */
/* What no output needs goes, and ids follow. */
#include "tests/support/builder.h"

#include <check.h>
#include <string.h>

START_TEST(dead_nodes_values_and_constants_go)
{
    struct builder b;
    build_begin(&b, 130);
    int32_t unused = build_input(&b, "unused", DIMS(-1, 3)), x = build_input(&b, "x", DIMS(-1, 3));
    int32_t p = build_random(&b, "p", DIMS(3)), q = build_random(&b, "q", DIMS(3));
    build_random(&b, "r", DIMS(3));
    int32_t dead = build_node(&b, NMI_OP_Mul, "dead0", IDS(unused, p));
    build_node(&b, NMI_OP_Tanh, "dead1", IDS(dead));
    build_output(&b, build_node(&b, NMI_OP_Add, "add", IDS(x, q)));
    struct nmi_graph *g = optimised(b.g, "infer dead");
    ck_assert_int_eq(g->n_nodes, 1);
    ck_assert_int_eq(g->n_constants, 1);
    ck_assert_int_eq(g->n_values, 4);
    ck_assert_int_eq(g->n_inputs, 2);
    ck_assert_str_eq(g->values[g->inputs[0]].name, "unused");
    ck_assert_str_eq(g->values[g->nodes[0].inputs[1]].name, "q");
    check_same(b.g, g, 2);
    build_end(&b);
}
END_TEST

START_TEST(dead_keeps_constants_of_attributes)
{
    struct builder b;
    build_begin(&b, 131);
    int32_t shape = build_input(&b, "shape", DIMS(2));
    b.g->values[shape].type = NM_I64;
    build_random(&b, "gone", DIMS(3));
    int32_t seven = build_floats(&b, "seven", DIMS(1), (float[]){7});
    build_output(&b, build_node(&b, NMI_OP_ConstantOfShape, "fill", IDS(shape)));
    const struct nmi_attr *attr = nmi_ops[NMI_OP_ConstantOfShape]->attr; /* value is its only one */
    size_t offset = attr->offset;
    memcpy((char *)build_attrs(&b) + offset, &b.g->values[seven].constant, sizeof seven);
    struct nmi_graph *g = optimised(b.g, "infer dead");
    ck_assert_int_eq(g->n_constants, 1);
    int32_t id;
    memcpy(&id, (const char *)g->nodes[0].attrs + offset, sizeof id);
    ck_assert_int_eq(id, 0);
    ck_assert(*(const float *)g->constants[0].data == 7);
    nmi_graph_free(g);
    build_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pass_dead");
    TCase *t = tcase_create("pass_dead");
    tcase_add_test(t, dead_nodes_values_and_constants_go);
    tcase_add_test(t, dead_keeps_constants_of_attributes);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
