/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of whole graphs: shapes computed in the graph, with symbols and with numbers; budgets. */
#include "tests/support/builder.h"

#include <check.h>
#include <string.h>

struct walk {
    struct builder b;
    struct nmi_fact *facts;
    struct nmi_budget budget;
    struct nmi_arena arena;
    nm_error err;
};

static void start(struct walk *w)
{
    *w = (struct walk){.budget = {.work = 1e6, .bytes = 1 << 20}};
    build_begin(&w->b, 1);
}

static nm_status propagate(struct walk *w)
{
    nmi_arena_free(&w->arena);
    w->facts = nmi_arena_array(&w->arena, (size_t)w->b.g->n_values, sizeof *w->facts);
    return nmi_propagate(w->b.g, w->facts, &w->budget, &w->arena, &w->err);
}

static void end(struct walk *w)
{
    nmi_arena_free(&w->arena);
    build_end(&w->b);
}

static int32_t int_scalar(struct builder *b, int64_t value)
{
    int64_t *data = nmi_arena_copy(&b->g->arena, &value, sizeof value);
    return nmi_graph_add_constant(b->g, "scalar", NM_I64, 0, NULL, data, sizeof value);
}

/* Reshape(x, [Shape(x)[0], -1]), as exporters write it: through Gather, Unsqueeze and Concat. */
static int32_t build_tail(struct builder *b, int32_t x)
{
    int32_t shape = build_node(b, NMI_OP_Shape, "shape", IDS(x));
    int32_t n = build_node(b, NMI_OP_Gather, "n", IDS(shape, int_scalar(b, 0)));
    int32_t axes = build_ints(b, 1, (const int64_t[]){0});
    int32_t row = build_node(b, NMI_OP_Unsqueeze, "row", IDS(n, axes));
    int32_t rest = build_ints(b, 1, (const int64_t[]){-1});
    int32_t list = build_node(b, NMI_OP_Concat, "list", IDS(row, rest));
    return build_node(b, NMI_OP_Reshape, "flat", IDS(x, list));
}

START_TEST(propagate_computed_reshape_keeps_a_free_batch)
{
    struct walk w;
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(-1, 2048, 1, 1));
    int32_t y = build_tail(&w.b, x);
    build_output(&w.b, y);
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_int_eq(w.facts[y].rank, 2);
    ck_assert_int_ne(nmi_dim_symbol_id(w.facts[y].dims[0]), NMI_NONE);
    ck_assert_int_eq(w.facts[y].dims[0], w.facts[x].dims[0]);
    ck_assert_int_eq(w.facts[y].dims[1], 2048);
    end(&w);
}
END_TEST

START_TEST(propagate_given_facts_replace_symbols)
{
    struct walk w;
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(-1, 512, 7, 7));
    int32_t y = build_tail(&w.b, x);
    build_output(&w.b, y);
    w.facts = nmi_arena_array(&w.arena, (size_t)w.b.g->n_values, sizeof *w.facts);
    w.facts[x] = (struct nmi_fact){.type = NM_F32, .rank = 4, .dims = {3, 512, 7, 7}};
    ck_assert_int_eq(nmi_propagate(w.b.g, w.facts, &w.budget, &w.arena, &w.err), NM_OK);
    ck_assert_int_eq(w.facts[y].dims[0], 3);
    ck_assert_int_eq(w.facts[y].dims[1], 25088);
    ck_assert_ptr_null(w.facts[y].data);
    end(&w);
}
END_TEST

START_TEST(propagate_arithmetic_on_known_dims_is_done)
{
    struct walk w;
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(-1, 12, 4, 4)); /* [N, 12/3, 3, 16], N * 1 */
    int32_t shape = build_node(&w.b, NMI_OP_Shape, "shape", IDS(x));
    int32_t head = build_ints(&w.b, 2, (const int64_t[]){0, 1});
    int32_t pair = build_node(&w.b, NMI_OP_Gather, "pair", IDS(shape, head));
    int32_t by = build_ints(&w.b, 2, (const int64_t[]){1, 3});
    int32_t less = build_node(&w.b, NMI_OP_Div, "less", IDS(pair, by));
    int32_t tail = build_ints(&w.b, 2, (const int64_t[]){3, 16});
    int32_t list = build_node(&w.b, NMI_OP_Concat, "list", IDS(less, tail));
    int32_t y = build_node(&w.b, NMI_OP_Reshape, "y", IDS(x, list));
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_int_eq(w.facts[y].rank, 4);
    ck_assert_int_eq(w.facts[y].dims[0], w.facts[x].dims[0]);
    ck_assert_int_eq(w.facts[y].dims[1], 4);
    ck_assert_int_eq(w.facts[y].dims[3], 16);
    end(&w);
}
END_TEST

START_TEST(propagate_constants_are_folded_within_the_budget)
{
    struct walk w;
    start(&w);
    int32_t a = build_floats(&w.b, "a", DIMS(3), (const float[]){1, 2, 3});
    int32_t y = build_node(&w.b, NMI_OP_Add, "y", IDS(a, a));
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_float_eq(((const float *)w.facts[y].data)[2], 6);
    ck_assert_double_lt(w.budget.work, 1e6);
    w.budget.bytes = 11;
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_ptr_null(w.facts[y].data);
    w.budget = (struct nmi_budget){.work = 5, .bytes = 100};
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_ptr_null(w.facts[y].data);
    end(&w);
}
END_TEST

START_TEST(propagate_alias_of_a_constant_is_not_copied)
{
    struct walk w;
    start(&w);
    int32_t a = build_floats(&w.b, "a", DIMS(2), (const float[]){1, 2});
    int32_t y = build_node(&w.b, NMI_OP_Flatten, "y", IDS(a));
    w.budget = (struct nmi_budget){0};
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_ptr_eq(w.facts[y].data, w.facts[a].data);
    end(&w);
}
END_TEST

START_TEST(propagate_unaligned_constants_are_read)
{
    struct walk w;
    start(&w);
    char bytes[17] = {0};
    const float values[4] = {1, 2, 3, 4};
    memcpy(bytes + 1, values, 16);
    int32_t a = nmi_graph_add_constant(w.b.g, "a", NM_F32, 1, (const int64_t[]){4}, bytes + 1, 16);
    int32_t y = build_node(&w.b, NMI_OP_Neg, "y", IDS(a));
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_float_eq(((const float *)w.facts[y].data)[3], -4);
    end(&w);
}
END_TEST

START_TEST(propagate_shape_input_without_contents_is_open_then_known)
{
    struct walk w;
    const int64_t shape[] = {3, 2};
    bool mask[2];
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(2, 3));
    int32_t s = build_input(&w.b, "s", DIMS(2));
    w.b.g->values[s].type = NM_I64;
    int32_t y = build_node(&w.b, NMI_OP_Reshape, "y", IDS(x, s));
    build_output(&w.b, y);
    ck_assert_int_eq(nmi_shape_inputs(w.b.g, mask, &w.err), NM_OK);
    ck_assert(!mask[0] && mask[1]);
    ck_assert_int_eq(propagate(&w), NM_OK);
    ck_assert_int_eq(w.facts[y].rank, 2);
    ck_assert_int_eq(w.facts[y].dims[0], NMI_DIM_UNKNOWN);
    memset(w.facts, 0, (size_t)w.b.g->n_values * sizeof *w.facts);
    w.facts[s] = (struct nmi_fact){.type = NM_I64, .rank = 1, .dims = {2}, .data = shape};
    ck_assert_int_eq(nmi_propagate(w.b.g, w.facts, &w.budget, &w.arena, &w.err), NM_OK);
    ck_assert_int_eq(w.facts[y].dims[0], 3);
    end(&w);
}
END_TEST

START_TEST(shape_inputs_stop_at_shape_and_pass_through_arithmetic)
{
    struct walk w;
    bool mask[2];
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(-1, 3));
    int32_t s = build_input(&w.b, "s", DIMS(2));
    w.b.g->values[s].type = NM_I64;
    int32_t dims = build_node(&w.b, NMI_OP_Shape, "dims", IDS(x));
    int32_t sum = build_node(&w.b, NMI_OP_Add, "sum", IDS(dims, s));
    build_output(&w.b, build_node(&w.b, NMI_OP_Expand, "y", IDS(x, sum)));
    ck_assert_int_eq(nmi_shape_inputs(w.b.g, mask, &w.err), NM_OK);
    ck_assert(!mask[0] && mask[1]);
    end(&w);
}
END_TEST

/* The contents are there, but the budget does not allow to fold what makes a shape of them. */
START_TEST(propagate_shape_that_stays_unknown_is_refused_when_all_else_is_known)
{
    struct walk w;
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(2, 3));
    int32_t list = build_ints(&w.b, 2, (const int64_t[]){3, 2});
    int32_t shape = build_node(&w.b, NMI_OP_Abs, "shape", IDS(list));
    build_output(&w.b, build_node(&w.b, NMI_OP_Reshape, "y", IDS(x, shape)));
    w.budget.work = 1;
    ck_assert_int_eq(propagate(&w), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(w.err.message, "node y (Reshape)"));
    end(&w);
}
END_TEST

START_TEST(propagate_errors_name_the_node)
{
    struct walk w;
    start(&w);
    int32_t a = build_floats(&w.b, "a", DIMS(2), (const float[]){1, 2});
    int32_t c = build_floats(&w.b, "c", DIMS(3), (const float[]){1, 2, 3});
    build_node(&w.b, NMI_OP_Add, "wrong", IDS(a, c));
    ck_assert_int_eq(propagate(&w), NM_ESHAPE);
    ck_assert_ptr_nonnull(strstr(w.err.message, "node wrong (Add)"));
    end(&w);
}
END_TEST

START_TEST(propagate_counts_of_inputs_are_checked)
{
    struct walk w;
    start(&w);
    int32_t a = build_floats(&w.b, "a", DIMS(2), (const float[]){1, 2});
    build_node(&w.b, NMI_OP_Add, "alone", IDS(a));
    ck_assert_int_eq(propagate(&w), NM_EFORMAT);
    end(&w);
    start(&w);
    a = build_floats(&w.b, "a", DIMS(2), (const float[]){1, 2});
    build_node(&w.b, NMI_OP_Max, "gap", IDS(a, NMI_NONE));
    ck_assert_int_eq(propagate(&w), NM_EFORMAT);
    end(&w);
}
END_TEST

/* Every allocation fails once: NM_ENOMEM or nothing, never worse. */
START_TEST(propagate_without_memory_says_so)
{
    struct walk w;
    start(&w);
    int32_t x = build_input(&w.b, "x", DIMS(-1, 2048, 1, 1));
    build_output(&w.b, build_tail(&w.b, x));
    nm_status status = NM_ENOMEM;
    for (int i = 1; i < 40 && status != NM_OK; i++) {
        struct nmi_arena arena = {0};
        struct nmi_fact *facts = nmi_arena_array(&arena, (size_t)w.b.g->n_values, sizeof *facts);
        nmi_alloc_fail_after(i, 0);
        status = nmi_propagate(w.b.g, facts, &w.budget, &arena, &w.err);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || status == NM_ENOMEM);
        nmi_arena_free(&arena);
    }
    ck_assert_int_eq(status, NM_OK);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("propagate");
    TCase *t = tcase_create("propagate");
    tcase_add_test(t, propagate_computed_reshape_keeps_a_free_batch);
    tcase_add_test(t, propagate_given_facts_replace_symbols);
    tcase_add_test(t, propagate_arithmetic_on_known_dims_is_done);
    tcase_add_test(t, propagate_constants_are_folded_within_the_budget);
    tcase_add_test(t, propagate_alias_of_a_constant_is_not_copied);
    tcase_add_test(t, propagate_unaligned_constants_are_read);
    tcase_add_test(t, propagate_shape_input_without_contents_is_open_then_known);
    tcase_add_test(t, shape_inputs_stop_at_shape_and_pass_through_arithmetic);
    tcase_add_test(t, propagate_shape_that_stays_unknown_is_refused_when_all_else_is_known);
    tcase_add_test(t, propagate_errors_name_the_node);
    tcase_add_test(t, propagate_counts_of_inputs_are_checked);
    tcase_add_test(t, propagate_without_memory_says_so);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
