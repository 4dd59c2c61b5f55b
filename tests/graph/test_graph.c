/* SPDX-License-Identifier: Apache-2.0 */
/* Building, counting, replacing; symbols; graphs whose memory runs out at every allocation. */
#include "lib/graph/graph.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* x -> op 1 (with weight w) -> y; returns false when memory ran out. */
static bool build(struct nmi_graph *g)
{
    static const float w[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t dims[2] = {2, 3};
    int32_t x = nmi_graph_add_value(g, "x"), y = nmi_graph_add_value(g, "y");
    int32_t c = nmi_graph_add_constant(g, "w", NM_F32, 2, dims, w, sizeof w);
    if (x == NMI_NONE || y == NMI_NONE || c == NMI_NONE) {
        return false;
    }
    int32_t in[3] = {x, c, NMI_NONE};
    g->inputs = nmi_arena_copy(&g->arena, &x, sizeof x);
    g->outputs = nmi_arena_copy(&g->arena, &y, sizeof y);
    if (!g->inputs || !g->outputs) {
        return false;
    }
    g->n_inputs = g->n_outputs = 1;
    return nmi_graph_add_node(g, 1, 13, "fc", in, 3, &y, 1, NULL) != NMI_NONE &&
           nmi_graph_add_symbol(g, "batch") != NMI_NONE;
}

START_TEST(add_fills_what_the_header_says)
{
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    ck_assert(build(g));
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    ck_assert_str_eq(g->values[0].name, "x");
    ck_assert_int_eq(g->values[0].type, NM_TYPE_NONE);
    ck_assert_int_eq(g->values[0].rank, -1);
    ck_assert_int_eq(g->values[1].producer, 0);
    ck_assert_int_eq(g->values[2].rank, 2);
    ck_assert_int_eq(g->values[2].dims[1], 3);
    ck_assert_ptr_eq(nmi_graph_constant(g, 2), &g->constants[0]);
    ck_assert_ptr_null(nmi_graph_constant(g, 0));
    ck_assert_ptr_null(nmi_graph_constant(g, NMI_NONE));
    ck_assert_int_eq(g->constants[0].source, NMI_NONE);
    ck_assert_str_eq(g->nodes[0].name, "fc");
    ck_assert_int_eq(g->nodes[0].opset, 13);
    nmi_graph_free(g);
    nmi_graph_free(NULL);
}
END_TEST

START_TEST(add_constant_of_too_many_dims_refused)
{
    struct nmi_graph *g;
    int64_t dims[NMI_MAX_DIMS + 1] = {0};
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    ck_assert_int_eq(nmi_graph_add_constant(g, "c", NM_F32, NMI_MAX_DIMS + 1, dims, NULL, 0),
                     NMI_NONE);
    ck_assert_int_eq(nmi_graph_add_constant(g, "c", NM_F32, -1, dims, NULL, 0), NMI_NONE);
    ck_assert_int_eq(g->n_values, 0);
    nmi_graph_free(g);
}
END_TEST

START_TEST(add_symbol_finds_equal_names_among_many)
{
    enum { MANY = 5000 };
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    char name[16];
    int wrong = 0;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "dim_%d", i);
            wrong += nmi_graph_add_symbol(g, name) != i;
        }
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(g->n_symbols, MANY);
    ck_assert_str_eq(g->symbols[4321], "dim_4321");
    nmi_graph_free(g);
}
END_TEST

START_TEST(dim_symbols_round_trip)
{
    ck_assert_int_eq(nmi_dim_symbol_id(nmi_dim_symbol(0)), 0);
    ck_assert_int_eq(nmi_dim_symbol_id(nmi_dim_symbol(INT32_MAX)), INT32_MAX);
    ck_assert_int_eq(nmi_dim_symbol_id(NMI_DIM_UNKNOWN), NMI_NONE);
    ck_assert_int_eq(nmi_dim_symbol_id(7), NMI_NONE);
    ck_assert(nmi_dim_known(0) && !nmi_dim_known(NMI_DIM_UNKNOWN));
}
END_TEST

START_TEST(count_uses_counts_inputs_and_graph_outputs)
{
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    ck_assert(build(g));
    int32_t z = nmi_graph_add_value(g, "z"), twice[2] = {1, 1};
    ck_assert_int_eq(nmi_graph_add_node(g, 2, 13, "add", twice, 2, &z, 1, NULL), 1);
    int32_t uses[4];
    nmi_graph_count_uses(g, uses);
    ck_assert_int_eq(uses[0], 1);
    ck_assert_int_eq(uses[1], 3); /* twice in add, once as graph output */
    ck_assert_int_eq(uses[2], 1);
    ck_assert_int_eq(uses[3], 0);
    nmi_graph_replace(g, 1, 0);
    nmi_graph_count_uses(g, uses);
    ck_assert_int_eq(uses[0], 4);
    ck_assert_int_eq(uses[1], 0);
    nmi_graph_free(g);
}
END_TEST

START_TEST(build_with_every_allocation_failing_stays_whole)
{
    size_t live = nmi_alloc_live();
    bool done = false;
    for (long n = 1; !done; n++) {
        struct nmi_graph *g = NULL;
        nmi_alloc_fail_after(n, 0);
        nm_status status = nmi_graph_create(0, &g, NULL);
        done = status == NM_OK && build(g);
        nmi_alloc_fail_after(0, 0);
        /* What is there must still be a graph, but for an output that no node makes. */
        if (g && !done) {
            g->n_outputs = 0;
            nm_error err = {NM_OK, ""};
            ck_assert_msg(nmi_graph_verify(g, &err) == NM_OK, "%ld: %s", n, err.message);
        }
        nmi_graph_free(g);
        ck_assert_uint_eq(nmi_alloc_live(), live);
    }
}
END_TEST

START_TEST(arena_limit_refuses_growth)
{
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(256, &g, NULL), NM_OK);
    int added = 0;
    while (added < 1000 && nmi_graph_add_value(g, "a name") != NMI_NONE) {
        added++;
    }
    ck_assert_int_eq(added, 16);
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    nmi_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("graph");
    TCase *t = tcase_create("graph");
    tcase_add_test(t, add_fills_what_the_header_says);
    tcase_add_test(t, add_constant_of_too_many_dims_refused);
    tcase_add_test(t, add_symbol_finds_equal_names_among_many);
    tcase_add_test(t, dim_symbols_round_trip);
    tcase_add_test(t, count_uses_counts_inputs_and_graph_outputs);
    tcase_add_test(t, build_with_every_allocation_failing_stays_whole);
    tcase_add_test(t, arena_limit_refuses_growth);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
