/* SPDX-License-Identifier: Apache-2.0 */
/* Mutation test of the verifier: each invariant broken by itself must be refused, and random damage
 * must never be read out of bounds (the sanitizer watches) nor slip through unnoticed when it
 * breaks an id. */
#include "lib/graph/graph.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float weights[4] = {1, 2, 3, 4};

/* x -> a -> b (with constant w) -> c (reads a, b), output c. Values: x a b c w = 0 1 2 3 4. */
static struct nmi_graph *healthy(void)
{
    static const int64_t dims[2] = {2, 2};
    struct nmi_graph *g;
    ck_assert_int_eq(nmi_graph_create(0, &g, NULL), NM_OK);
    nmi_graph_add_value(g, "x");
    nmi_graph_add_value(g, "a");
    nmi_graph_add_value(g, "b");
    nmi_graph_add_value(g, "c");
    nmi_graph_add_constant(g, "w", NM_F32, 2, dims, weights, sizeof weights);
    int32_t x = 0, a = 1, b = 2, c = 3, aw[3] = {a, 4, NMI_NONE}, ab[2] = {a, b};
    nmi_graph_add_node(g, 0, 13, "na", &x, 1, &a, 1, NULL);
    nmi_graph_add_node(g, 0, 13, "nb", aw, 3, &b, 1, NULL);
    nmi_graph_add_node(g, 0, 13, "nc", ab, 2, &c, 1, NULL);
    g->inputs = nmi_arena_copy(&g->arena, &x, sizeof x);
    g->outputs = nmi_arena_copy(&g->arena, &c, sizeof c);
    g->n_inputs = g->n_outputs = 1;
    g->values[0].type = NM_F32;
    g->values[0].rank = 2;
    g->values[0].dims[0] = nmi_dim_symbol(nmi_graph_add_symbol(g, "N"));
    g->values[0].dims[1] = NMI_DIM_UNKNOWN;
    return g;
}

/* Each breaks one invariant. */
static void value_without_name(struct nmi_graph *g)
{
    g->values[1].name = NULL;
}
static void unknown_type(struct nmi_graph *g)
{
    g->values[0].type = (nm_type)8;
}
static void rank_too_large(struct nmi_graph *g)
{
    g->values[0].rank = NMI_MAX_DIMS + 1;
}
static void rank_too_small(struct nmi_graph *g)
{
    g->values[0].rank = -2;
}
static void unknown_symbol(struct nmi_graph *g)
{
    g->values[0].dims[0] = nmi_dim_symbol(1);
}
static void absurd_dim(struct nmi_graph *g)
{
    g->values[0].dims[0] = INT64_MIN;
}
static void constant_out_of_range(struct nmi_graph *g)
{
    g->values[4].constant = 1;
}
static void constant_negative(struct nmi_graph *g)
{
    g->values[4].constant = -2;
}
static void constant_of_other_type(struct nmi_graph *g)
{
    g->constants[0].type = NM_I32;
}
static void constant_of_other_rank(struct nmi_graph *g)
{
    g->constants[0].rank = 1;
}
static void constant_of_other_dims(struct nmi_graph *g)
{
    g->values[4].dims[0] = 3;
}
static void constant_of_other_bytes(struct nmi_graph *g)
{
    g->constants[0].bytes = 15;
}
static void constant_without_data(struct nmi_graph *g)
{
    g->constants[0].data = NULL;
}
static void constant_that_overflows(struct nmi_graph *g)
{
    g->values[4].dims[0] = g->constants[0].dims[0] = (int64_t)1 << 62;
}
static void constant_with_symbol(struct nmi_graph *g)
{
    g->values[4].dims[0] = g->constants[0].dims[0] = nmi_dim_symbol(0);
}
static void constant_made_by_node(struct nmi_graph *g)
{
    g->values[4].producer = 1;
}
static void producer_out_of_range(struct nmi_graph *g)
{
    g->values[1].producer = 3;
}
static void producer_of_another(struct nmi_graph *g)
{
    g->values[1].producer = 2;
}
static void producer_missing(struct nmi_graph *g)
{
    g->values[1].producer = NMI_NONE;
}
static void producer_that_does_not_make(struct nmi_graph *g)
{
    g->nodes[2].outputs[0] = NMI_NONE;
    g->n_outputs = 0;
}
static void input_out_of_range(struct nmi_graph *g)
{
    g->inputs[0] = 5;
}
static void input_missing(struct nmi_graph *g)
{
    g->n_inputs = 0;
}
static void input_is_constant(struct nmi_graph *g)
{
    g->inputs[0] = 4;
}
static void input_is_made(struct nmi_graph *g)
{
    g->inputs[0] = 1;
}
static void node_input_out_of_range(struct nmi_graph *g)
{
    g->nodes[1].inputs[0] = 5;
}
static void node_input_negative(struct nmi_graph *g)
{
    g->nodes[1].inputs[0] = -2;
}
static void node_input_from_later(struct nmi_graph *g)
{
    g->nodes[0].inputs[0] = 3;
}
static void node_input_from_itself(struct nmi_graph *g)
{
    g->nodes[1].inputs[0] = 2;
}
static void node_output_out_of_range(struct nmi_graph *g)
{
    g->nodes[2].outputs[0] = 99;
}
static void node_output_twice(struct nmi_graph *g)
{
    g->nodes[2].outputs[0] = 2;
}
static void node_output_is_constant(struct nmi_graph *g)
{
    g->nodes[2].outputs[0] = 4;
}
static void node_output_is_input(struct nmi_graph *g)
{
    g->nodes[2].outputs[0] = 0;
}
static void node_without_name(struct nmi_graph *g)
{
    g->nodes[0].name = NULL;
}
static void node_with_negative_count(struct nmi_graph *g)
{
    g->nodes[0].n_inputs = -1;
}
static void nodes_out_of_order(struct nmi_graph *g)
{
    struct nmi_node swap = g->nodes[0];
    g->nodes[0] = g->nodes[1];
    g->nodes[1] = swap;
    g->values[1].producer = 1;
    g->values[2].producer = 0;
}
static void output_out_of_range(struct nmi_graph *g)
{
    g->outputs[0] = -1;
}
static void output_undefined(struct nmi_graph *g)
{
    nmi_graph_remove_node(g, 2);
}

static void (*const mutations[])(struct nmi_graph *) = {
    value_without_name,       unknown_type,
    rank_too_large,           rank_too_small,
    unknown_symbol,           absurd_dim,
    constant_out_of_range,    constant_negative,
    constant_of_other_type,   constant_of_other_rank,
    constant_of_other_dims,   constant_of_other_bytes,
    constant_without_data,    constant_that_overflows,
    constant_with_symbol,     constant_made_by_node,
    producer_out_of_range,    producer_of_another,
    producer_missing,         producer_that_does_not_make,
    input_out_of_range,       input_missing,
    input_is_constant,        input_is_made,
    node_input_out_of_range,  node_input_negative,
    node_input_from_later,    node_input_from_itself,
    node_output_out_of_range, node_output_twice,
    node_output_is_constant,  node_output_is_input,
    node_without_name,        node_with_negative_count,
    nodes_out_of_order,       output_out_of_range,
    output_undefined,
};

START_TEST(verify_of_a_healthy_graph_accepts)
{
    struct nmi_graph *g = healthy();
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_graph_verify(g, &err) == NM_OK, "%s", err.message);
    nmi_graph_free(g);
}
END_TEST

START_TEST(verify_of_each_mutation_refuses)
{
    struct nmi_graph *g = healthy();
    nm_error err = {NM_OK, ""};
    mutations[_i](g);
    ck_assert_msg(nmi_graph_verify(g, &err) == NM_EINTERNAL, "mutation %d", _i);
    ck_assert_uint_gt(strlen(err.message), 10);
    nmi_graph_free(g);
}
END_TEST

/* One bit of one id, anywhere. Every id of this graph matters, so every flip is refused: but for
 * one that turns it into another legal reading. */
START_TEST(verify_of_flipped_ids_never_reads_astray)
{
    int refused = 0, accepted = 0;
    for (int node = 0; node < 3; node++) {
        for (int bit = 0; bit < 32; bit++) {
            for (int which = 0; which < 3; which++) {
                struct nmi_graph *g = healthy();
                struct nmi_node *n = &g->nodes[node];
                int32_t *id = which == 0   ? &n->inputs[0]
                              : which == 1 ? &n->outputs[0]
                                           : &g->values[node].producer;
                *id = (int32_t)((uint32_t)*id ^ 1u << bit);
                if (nmi_graph_verify(g, NULL) == NM_OK) {
                    accepted++;
                    ck_assert_int_eq(which, 0); /* another input that is defined by then */
                } else {
                    refused++;
                }
                nmi_graph_free(g);
            }
        }
    }
    ck_assert_int_gt(refused, 270);
    ck_assert_int_lt(accepted, 10);
}
END_TEST

START_TEST(verify_without_memory_refuses)
{
    struct nmi_graph *g = healthy();
    nmi_alloc_fail_after(1, 0);
    nm_status status = nmi_graph_verify(g, NULL);
    nmi_alloc_fail_after(0, 0);
    ck_assert_int_eq(status, NM_ENOMEM);
    nmi_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("verify");
    TCase *t = tcase_create("verify");
    tcase_add_test(t, verify_of_a_healthy_graph_accepts);
    tcase_add_loop_test(t, verify_of_each_mutation_refuses, 0, (int)NMI_COUNT(mutations));
    tcase_add_test(t, verify_of_flipped_ids_never_reads_astray);
    tcase_add_test(t, verify_without_memory_refuses);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
