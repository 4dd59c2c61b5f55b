/* SPDX-License-Identifier: Apache-2.0 */
/* A copy equals its original, shares nothing with it but constants' bytes, and survives it. */
#include "lib/graph/graph.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct attrs {
    int64_t group;
};
static size_t attr_bytes(uint16_t op)
{
    return op == 1 ? sizeof(struct attrs) : 0;
}

static const float weights[4] = {1, 2, 3, 4};

static struct nmi_graph *original(void)
{
    static const int64_t dims[1] = {4};
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    int32_t x = nmi_graph_add_value(g, "x"), y = nmi_graph_add_value(g, "y");
    int32_t w = nmi_graph_add_constant(g, "w", NM_F32, 1, dims, weights, sizeof weights);
    int32_t in[2] = {x, w};
    struct attrs *a = nmi_arena_alloc(&g->arena, sizeof *a);
    a->group = 5;
    nmi_graph_add_node(g, 1, 13, "conv", in, 2, &y, 1, a);
    g->values[x].type = NM_F32;
    g->values[x].rank = 1;
    g->values[x].dims[0] = nmi_dim_symbol(nmi_graph_add_symbol(g, "N"));
    g->inputs = nmi_arena_copy(&g->arena, &x, sizeof x);
    g->outputs = nmi_arena_copy(&g->arena, &y, sizeof y);
    g->n_inputs = g->n_outputs = 1;
    g->name = nmi_arena_string(&g->arena, "net", 3);
    g->meta = nmi_arena_array(&g->arena, 2, sizeof *g->meta);
    g->meta[0] = nmi_arena_string(&g->arena, "author", 6);
    g->meta[1] = nmi_arena_string(&g->arena, "somebody", 8);
    g->n_meta = 1;
    g->opset = 13;
    return g;
}

START_TEST(copy_outlives_its_original)
{
    struct nmi_graph *g = original(), *c = NULL;
    ck_assert_int_eq(nmi_graph_copy(g, attr_bytes, &c, NULL), NM_OK);
    nmi_graph_free(g); /* the sanitizer would find anything that is shared */
    ck_assert_int_eq(nmi_graph_verify(c, NULL), NM_OK);
    ck_assert_str_eq(c->name, "net");
    ck_assert_str_eq(c->producer, "");
    ck_assert_str_eq(c->meta[1], "somebody");
    ck_assert_str_eq(c->values[0].name, "x");
    ck_assert_str_eq(c->symbols[nmi_dim_symbol_id(c->values[0].dims[0])], "N");
    ck_assert_int_eq(((struct attrs *)c->nodes[0].attrs)->group, 5);
    ck_assert_ptr_eq(nmi_graph_constant(c, 2)->data, weights);
    ck_assert_int_eq(c->opset, 13);
    nmi_graph_free(c);
}
END_TEST

START_TEST(copy_can_grow_and_change_alone)
{
    struct nmi_graph *g = original(), *c = NULL;
    ck_assert_int_eq(nmi_graph_copy(g, attr_bytes, &c, NULL), NM_OK);
    ck_assert_int_eq(nmi_graph_add_symbol(c, "N"), 0);
    ck_assert_int_eq(nmi_graph_add_symbol(c, "H"), 1);
    int32_t z = nmi_graph_add_value(c, "z"), y = 1;
    ck_assert_int_eq(z, 3);
    ck_assert_int_eq(nmi_graph_add_node(c, 0, 13, "relu", &y, 1, &z, 1, NULL), 1);
    c->nodes[0].inputs[0] = NMI_NONE;
    ((struct attrs *)c->nodes[0].attrs)->group = 6;
    ck_assert_int_eq(g->n_values, 3);
    ck_assert_int_eq(g->n_symbols, 1);
    ck_assert_int_eq(g->nodes[0].inputs[0], 0);
    ck_assert_int_eq(((struct attrs *)g->nodes[0].attrs)->group, 5);
    nmi_graph_free(c);
    nmi_graph_free(g);
}
END_TEST

START_TEST(copy_of_an_empty_graph_is_empty)
{
    struct nmi_graph *g, *c = NULL;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    ck_assert_int_eq(nmi_graph_copy(g, NULL, &c, NULL), NM_OK);
    ck_assert_int_eq(c->n_nodes, 0);
    ck_assert_int_eq(nmi_graph_add_value(c, "x"), 0);
    nmi_graph_free(c);
    nmi_graph_free(g);
}
END_TEST

START_TEST(copy_with_every_allocation_failing_leaks_nothing)
{
    struct nmi_graph *g = original();
    size_t live = nmi_alloc_live();
    nm_status status = NM_ENOMEM;
    for (long n = 1; status != NM_OK; n++) {
        struct nmi_graph *c = NULL;
        nmi_alloc_fail_after(n, 0);
        status = nmi_graph_copy(g, attr_bytes, &c, NULL);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || (status == NM_ENOMEM && !c));
        nmi_graph_free(c);
        ck_assert_uint_eq(nmi_alloc_live(), live);
        ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    }
    nmi_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("copy");
    TCase *t = tcase_create("copy");
    tcase_add_test(t, copy_outlives_its_original);
    tcase_add_test(t, copy_can_grow_and_change_alone);
    tcase_add_test(t, copy_of_an_empty_graph_is_empty);
    tcase_add_test(t, copy_with_every_allocation_failing_leaks_nothing);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
