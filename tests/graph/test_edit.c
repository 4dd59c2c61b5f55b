/* SPDX-License-Identifier: Apache-2.0 */
/* Removing nodes and sorting: order kept where legal, random graphs, cycles, failing memory. */
#include "lib/graph/graph.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t random_state;
static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

/* A graph of n values "v0".. without nodes; v0 is its input. */
static struct nmi_graph *with_values(int n)
{
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        ck_assert_int_eq(nmi_graph_add_value(g, name), i);
    }
    int32_t input = 0;
    g->inputs = nmi_arena_copy(&g->arena, &input, sizeof input);
    g->n_inputs = 1;
    return g;
}

/* A node named after its output, reading at most two values. */
static void add(struct nmi_graph *g, int32_t out, int32_t a, int32_t b)
{
    int32_t in[2] = {a, b};
    ck_assert(nmi_graph_add_node(g, 0, 13, g->values[out].name, in, 2, &out, 1, NULL) >= 0);
}

static void expect_order(const struct nmi_graph *g, const char *names)
{
    char text[256] = "";
    for (int32_t i = 0; i < g->n_nodes; i++) {
        strcat(strcat(text, i ? " " : ""), g->nodes[i].name);
    }
    ck_assert_str_eq(text, names);
}

START_TEST(compact_of_a_sorted_graph_changes_nothing)
{
    struct nmi_graph *g = with_values(5);
    add(g, 3, 0, NMI_NONE);
    add(g, 1, 0, NMI_NONE);
    add(g, 4, 3, 1);
    add(g, 2, 0, 0);
    ck_assert_int_eq(nmi_graph_compact(g, NULL), NM_OK);
    expect_order(g, "v3 v1 v4 v2");
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    nmi_graph_free(g);
}
END_TEST

START_TEST(compact_moves_only_what_must_move)
{
    struct nmi_graph *g = with_values(5);
    add(g, 1, 2, 0); /* needs v2, which comes later */
    add(g, 3, 0, NMI_NONE);
    add(g, 2, 0, NMI_NONE);
    add(g, 4, 1, 3);
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_EINTERNAL);
    ck_assert_int_eq(nmi_graph_compact(g, NULL), NM_OK);
    expect_order(g, "v3 v2 v1 v4");
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    nmi_graph_free(g);
}
END_TEST

START_TEST(remove_then_compact_takes_the_node_out)
{
    struct nmi_graph *g = with_values(4);
    add(g, 1, 0, NMI_NONE);
    add(g, 2, 1, NMI_NONE);
    add(g, 3, 2, NMI_NONE);
    nmi_graph_replace(g, 2, 1);
    nmi_graph_remove_node(g, 1);
    ck_assert_int_eq(g->values[2].producer, NMI_NONE);
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    ck_assert_int_eq(nmi_graph_compact(g, NULL), NM_OK);
    expect_order(g, "v1 v3");
    ck_assert_int_eq(g->values[3].producer, 1);
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    nmi_graph_free(g);
}
END_TEST

/* Fusion gives a node's output to another node before it removes the first. */
START_TEST(remove_keeps_an_output_that_has_a_new_producer)
{
    struct nmi_graph *g = with_values(3);
    add(g, 1, 0, NMI_NONE);
    add(g, 2, 1, NMI_NONE);
    g->nodes[0].outputs[0] = 2;
    g->values[2].producer = 0;
    g->values[1].producer = NMI_NONE;
    nmi_graph_remove_node(g, 1);
    ck_assert_int_eq(g->values[2].producer, 0);
    ck_assert_int_eq(nmi_graph_compact(g, NULL), NM_OK);
    ck_assert_int_eq(g->n_nodes, 1);
    ck_assert_int_eq(nmi_graph_verify(g, NULL), NM_OK);
    nmi_graph_free(g);
}
END_TEST

START_TEST(compact_of_a_cycle_names_a_node_of_it)
{
    struct nmi_graph *g = with_values(6);
    add(g, 5, 4, NMI_NONE); /* waits for the cycle, but is not in it */
    add(g, 1, 0, 3);
    add(g, 2, 1, NMI_NONE);
    add(g, 3, 2, NMI_NONE);
    add(g, 4, 3, NMI_NONE);
    nm_error err;
    ck_assert_int_eq(nmi_graph_compact(g, &err), NM_EFORMAT);
    bool named = strstr(err.message, "\"v1\"") || strstr(err.message, "\"v2\"") ||
                 strstr(err.message, "\"v3\"");
    ck_assert_msg(named, "%s", err.message);
    ck_assert_int_eq(g->n_nodes, 5);
    nmi_graph_free(g);
}
END_TEST

START_TEST(compact_of_a_node_that_reads_itself_refused)
{
    struct nmi_graph *g = with_values(2);
    add(g, 1, 1, 0);
    nm_error err;
    ck_assert_int_eq(nmi_graph_compact(g, &err), NM_EFORMAT);
    nmi_graph_free(g);
}
END_TEST

START_TEST(compact_of_an_empty_graph_is_empty)
{
    struct nmi_graph *g = with_values(1);
    ck_assert_int_eq(nmi_graph_compact(g, NULL), NM_OK);
    ck_assert_int_eq(g->n_nodes, 0);
    nmi_graph_free(g);
}
END_TEST

/* A legal graph whose nodes are appended in random order. */
static struct nmi_graph *shuffled(int n)
{
    struct nmi_graph *g = with_values(n + 1);
    int32_t *order = calloc((size_t)n, sizeof *order);
    for (int i = 0; i < n; i++) {
        order[i] = i + 1;
    }
    for (int i = n - 1; i > 0; i--) {
        uint32_t k = next_random((uint32_t)i + 1);
        int32_t swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
    for (int i = 0; i < n; i++) {
        uint32_t below = (uint32_t)order[i];
        add(g, order[i], (int32_t)next_random(below), (int32_t)next_random(below));
    }
    free(order);
    return g;
}

START_TEST(compact_of_random_graphs_sorts_them)
{
    const char *given = getenv("NM_SEED");
    random_state = given ? (uint32_t)strtoul(given, NULL, 10) : 20260101u;
    printf("seed %u\n", random_state);
    for (int round = 0; round < 200; round++) {
        int n = 1 + (int)next_random(60);
        struct nmi_graph *g = shuffled(n);
        if (n > 3) {
            nmi_graph_replace(g, 2, 0);
            nmi_graph_remove_node(g, g->values[2].producer);
        }
        ck_assert_int_eq(nmi_graph_compact(g, NULL), NM_OK);
        ck_assert_int_eq(g->n_nodes, n > 3 ? n - 1 : n);
        nm_error err = {NM_OK, ""};
        ck_assert_msg(nmi_graph_verify(g, &err) == NM_OK, "round %d: %s", round, err.message);
        nmi_graph_free(g);
    }
}
END_TEST

START_TEST(compact_with_every_allocation_failing_changes_nothing)
{
    nm_status status = NM_ENOMEM;
    for (long n = 1; status != NM_OK; n++) {
        random_state = 7;
        struct nmi_graph *g = shuffled(20);
        char first[16];
        snprintf(first, sizeof first, "%s", g->nodes[0].name);
        nmi_alloc_fail_after(n, 0);
        status = nmi_graph_compact(g, NULL);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || status == NM_ENOMEM);
        if (status != NM_OK) {
            ck_assert_str_eq(g->nodes[0].name, first);
        }
        nmi_graph_free(g);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("edit");
    TCase *t = tcase_create("edit");
    tcase_add_test(t, compact_of_a_sorted_graph_changes_nothing);
    tcase_add_test(t, compact_moves_only_what_must_move);
    tcase_add_test(t, remove_then_compact_takes_the_node_out);
    tcase_add_test(t, remove_keeps_an_output_that_has_a_new_producer);
    tcase_add_test(t, compact_of_a_cycle_names_a_node_of_it);
    tcase_add_test(t, compact_of_a_node_that_reads_itself_refused);
    tcase_add_test(t, compact_of_an_empty_graph_is_empty);
    tcase_add_test(t, compact_of_random_graphs_sorts_them);
    tcase_add_test(t, compact_with_every_allocation_failing_changes_nothing);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
