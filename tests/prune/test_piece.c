/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a network: their values are those of the whole; what is kept, bare layers, failures. */
#include "lib/api/model.h"
#include "lib/base/mem.h"
#include "lib/ops/attrs.h"
#include "lib/prune/piece.h"
#include "tests/support/prune_case.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 3, BATCH = 2 };

static nm_model *model;
static const struct nmi_graph *graph;
static struct prune_data data;
static struct nmi_kept kept;

/* The network's input is kept for all batches. */
static void prepare(void)
{
    model = prune_net();
    graph = model->graph;
    prune_data_make(&data, BATCHES * BATCH, 3, (const int64_t[]){3, 8, 8}, 1);
    ck_assert_int_eq(nmi_kept_create(&kept, graph->n_values, BATCHES, NULL), NM_OK);
    ck_assert_int_eq(nmi_kept_add(&kept, graph->inputs[0], NULL), NM_OK);
    const size_t elems = BATCH * 3 * 8 * 8;
    for (size_t b = 0; b < BATCHES; b++) {
        struct nmi_tensor *t = &kept.at[graph->inputs[0]][b];
        *t = (struct nmi_tensor){.type = NM_F32, .rank = 4, .dims = {BATCH, 3, 8, 8}};
        t->data = nmi_alloc(elems * sizeof(float));
        memcpy(t->data, data.x + b * elems, elems * sizeof(float));
    }
}

static void clean_up(void)
{
    nmi_kept_free(&kept);
    prune_data_free(&data);
    nm_model_free(model);
}

static int32_t node_called(const char *name)
{
    for (int32_t i = 0; i < graph->n_nodes; i++) {
        if (strcmp(graph->nodes[i].name, name) == 0) {
            return i;
        }
    }
    ck_abort_msg("no node %s", name);
    return NMI_NONE;
}

static int32_t output_of(const char *node)
{
    return graph->nodes[node_called(node)].outputs[0];
}

static struct nmi_piece *piece_of(int32_t a, int32_t b, int32_t raw, int32_t threads)
{
    const struct nmi_piece_job job = {.graph = graph, .kept = &kept, .wanted = {a, b}, .n_wanted = 2,
                                      .raw = raw, .threads = threads};
    struct nmi_piece *piece = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_piece_create(&job, &piece, &err) == NM_OK, "%s", err.message);
    return piece;
}

/* Values a and b of a batch, to be freed with nmi_free. */
static void values_of(int32_t a, int32_t b, int32_t raw, int32_t batch, struct nmi_tensor out[2])
{
    nm_error err = {NM_OK, ""};
    struct nmi_piece *piece = piece_of(a, b, raw, 1);
    ck_assert_msg(nmi_piece_run(piece, 0, batch, out, &err) == NM_OK, "%s", err.message);
    nmi_piece_free(piece);
}

static size_t elems_of(const struct nmi_tensor *t)
{
    size_t n = 1;
    for (int32_t i = 0; i < t->rank; i++) {
        n *= (size_t)t->dims[i];
    }
    return n;
}

/* ---- values --------------------------------------------------------------------------------- */

START_TEST(from_the_input_like_the_whole)
{
    for (int32_t batch = 0; batch < BATCHES; batch++) {
        struct nmi_tensor out[2];
        size_t n;
        float *want = prune_run(model, &data, batch * BATCH, BATCH, &n);
        values_of(graph->outputs[0], NMI_NONE, NMI_NONE, batch, out);
        ck_assert_uint_eq(elems_of(&out[0]), n);
        ck_assert_ptr_null(out[1].data);
        ck_assert_mem_eq(out[0].data, want, n * sizeof *want);
        nmi_free(out[0].data);
        free(want);
    }
}
END_TEST

/* Each value in between, kept, leads to the same end, and nothing before it runs again. */
START_TEST(from_any_kept_value_like_the_whole)
{
    static const char *const nodes[] = {"stem", "a", "b", "dw", "grp", "f1", "f2", "mm"};
    for (size_t i = 0; i < NMI_COUNT(nodes); i++) {
        struct nmi_tensor first[2], last[2], input[BATCHES];
        const int32_t v = output_of(nodes[i]), x = graph->inputs[0];
        size_t n;
        float *want = prune_run(model, &data, 2, BATCH, &n);
        values_of(v, NMI_NONE, NMI_NONE, 1, first);
        ck_assert_int_eq(nmi_kept_add(&kept, v, NULL), NM_OK);
        kept.at[v][1] = first[0];
        memcpy(input, kept.at[x], sizeof input);
        for (int32_t b = 0; b < BATCHES; b++) {
            kept.at[x][b].data = NULL; /* who reads it dies */
        }
        values_of(graph->outputs[0], NMI_NONE, NMI_NONE, 1, last);
        memcpy(kept.at[x], input, sizeof input);
        small_close(last[0].data, want, n);
        nmi_free(last[0].data);
        nmi_kept_drop(&kept, v);
        free(want);
    }
}
END_TEST

START_TEST(one_value_twice_and_kept_values_as_they_are)
{
    const int32_t x = graph->inputs[0], v = output_of("b");
    struct nmi_tensor out[2];
    struct nmi_piece *piece = piece_of(v, v, NMI_NONE, 1);
    ck_assert_int_eq(nmi_piece_run(piece, 0, 0, out, NULL), NM_OK);
    ck_assert_ptr_ne(out[0].data, out[1].data);
    ck_assert_mem_eq(out[0].data, out[1].data, elems_of(&out[0]) * sizeof(float));
    nmi_piece_release(piece, out);
    ck_assert_ptr_null(out[0].data);
    nmi_piece_free(piece);
    piece = piece_of(x, NMI_NONE, NMI_NONE, 1); /* nothing to be computed */
    for (int32_t b = 0; b < BATCHES; b++) {
        ck_assert_int_eq(nmi_piece_run(piece, 0, b, out, NULL), NM_OK);
        ck_assert_ptr_eq(out[0].data, kept.at[x][b].data);
        nmi_piece_release(piece, out);
        ck_assert_ptr_nonnull(kept.at[x][b].data);
    }
    nmi_piece_free(piece);
    piece = piece_of(x, v, NMI_NONE, 1); /* one of each */
    ck_assert_int_eq(nmi_piece_run(piece, 0, 1, out, NULL), NM_OK);
    ck_assert_ptr_eq(out[0].data, kept.at[x][1].data);
    ck_assert_ptr_nonnull(out[1].data);
    nmi_piece_release(piece, out);
    nmi_piece_free(piece);
}
END_TEST

START_TEST(needs_reach_back_to_what_is_kept)
{
    bool *need = calloc((size_t)graph->n_values, sizeof *need);
    const int32_t wanted[2] = {output_of("grp"), NMI_NONE};
    nmi_piece_needs(graph, &kept, wanted, 2, need);
    ck_assert(need[graph->inputs[0]] && need[output_of("stem")] && need[output_of("dw")]);
    ck_assert(!need[output_of("f1")]);
    ck_assert_int_eq(nmi_kept_add(&kept, output_of("dw"), NULL), NM_OK);
    nmi_piece_needs(graph, &kept, wanted, 2, need);
    ck_assert(need[output_of("dw")] && !need[output_of("b")] && !need[graph->inputs[0]]);
    nmi_kept_drop(&kept, output_of("dw"));
    free(need);
}
END_TEST

/* ---- bare layers ---------------------------------------------------------------------------- */

START_TEST(bare_convolution_without_activation_and_skip)
{
    const int32_t at = node_called("b"), skip = graph->nodes[at].inputs[3];
    const struct nmi_conv_attrs *attrs = graph->nodes[at].attrs;
    struct nmi_tensor bare[2], whole[2];
    ck_assert(attrs->residual && attrs->act.kind == NMI_ACT_RELU);
    values_of(graph->nodes[at].outputs[0], skip, at, 0, bare);
    values_of(graph->nodes[at].outputs[0], skip, NMI_NONE, 0, whole);
    float *y = bare[0].data;
    for (size_t i = 0; i < elems_of(&bare[0]); i++) {
        y[i] += ((const float *)bare[1].data)[i];
        y[i] = y[i] > 0 ? y[i] : 0;
    }
    small_close(y, whole[0].data, elems_of(&whole[0]));
    ck_assert(attrs->residual && attrs->act.kind == NMI_ACT_RELU); /* the graph is as it was */
    for (int i = 0; i < 2; i++) {
        nmi_free(bare[i].data);
        nmi_free(whole[i].data);
    }
}
END_TEST

START_TEST(bare_matrices_without_activation)
{
    static const char *const nodes[] = {"f1", "f2", "mm"};
    for (size_t k = 0; k < NMI_COUNT(nodes); k++) {
        const int32_t at = node_called(nodes[k]), v = graph->nodes[at].outputs[0];
        struct nmi_tensor bare[2], whole[2];
        int32_t negative = 0;
        values_of(v, NMI_NONE, at, 2, bare);
        values_of(v, NMI_NONE, NMI_NONE, 2, whole);
        float *y = bare[0].data;
        for (size_t i = 0; i < elems_of(&bare[0]); i++) {
            negative += y[i] < 0;
            y[i] = y[i] > 0 ? y[i] : 0;
        }
        ck_assert_msg(negative > 0, "%s: nothing is negative", nodes[k]);
        small_close(y, whole[0].data, elems_of(&whole[0]));
        nmi_free(bare[0].data);
        nmi_free(whole[0].data);
    }
}
END_TEST

/* ---- batches -------------------------------------------------------------------------------- */

struct visits {
    atomic_int seen[64];
    int32_t fails[2]; /* batches that fail */
    int32_t threads;
};

static nm_status visit(void *context, int32_t slot, int32_t batch, nm_error *err)
{
    struct visits *v = context;
    ck_assert(slot >= 0 && slot < v->threads);
    atomic_fetch_add(&v->seen[batch], 1);
    for (int i = 0; i < 2; i++) {
        if (v->fails[i] == batch) {
            return nmi_fail(err, i ? NM_EIO : NM_ESHAPE, "batch %d is no good", (int)batch);
        }
    }
    return NM_OK;
}

START_TEST(each_batch_once)
{
    for (int32_t threads = 1; threads <= 5; threads++) {
        for (int32_t n = 1; n <= 12; n++) {
            struct visits v = {.fails = {-1, -1}, .threads = threads};
            ck_assert_int_eq(nmi_batches(threads, n, visit, &v, NULL), NM_OK);
            for (int32_t b = 0; b < 64; b++) {
                ck_assert_int_eq(v.seen[b], b < n);
            }
        }
    }
}
END_TEST

START_TEST(first_failure_by_number_comes_back)
{
    for (int32_t threads = 1; threads <= 5; threads++) {
        for (int32_t a = 0; a < 12; a++) {
            for (int32_t b = 0; b < 12; b++) {
                struct visits v = {.fails = {a, b}, .threads = threads};
                nm_error err = {NM_OK, ""};
                char words[32];
                const nm_status want = a <= b ? NM_ESHAPE : NM_EIO;
                snprintf(words, sizeof words, "batch %d is no good", a < b ? a : b);
                ck_assert_int_eq(nmi_batches(threads, 12, visit, &v, &err), want);
                ck_assert_int_eq(err.status, want);
                ck_assert_str_eq(err.message, words);
            }
        }
    }
}
END_TEST

static nm_status run_batch(void *context, int32_t slot, int32_t batch, nm_error *err)
{
    struct nmi_tensor out[2];
    NMI_TRY(nmi_piece_run(context, slot, batch, out, err));
    nmi_piece_release(context, out);
    return NM_OK;
}

/* A batch whose shape the network can't take, in the middle. */
START_TEST(failed_run_comes_back_with_its_sentence)
{
    kept.at[graph->inputs[0]][1].dims[1] = 2;
    for (int32_t threads = 1; threads <= 3; threads++) {
        nm_error err = {NM_OK, ""};
        struct nmi_piece *piece = piece_of(graph->outputs[0], NMI_NONE, NMI_NONE, threads);
        ck_assert_int_eq(nmi_batches(threads, BATCHES, run_batch, piece, &err), NM_ESHAPE);
        ck_assert_msg(strstr(err.message, "x") != NULL && strlen(err.message) > 10, "%s", err.message);
        nmi_piece_free(piece);
    }
    kept.at[graph->inputs[0]][1].dims[1] = 3;
}
END_TEST

START_TEST(no_memory_reported)
{
    const struct nmi_piece_job job = {.graph = graph, .kept = &kept, .n_wanted = 1, .raw = NMI_NONE,
                                      .wanted = {graph->outputs[0]}, .threads = 2};
    const size_t live = nmi_alloc_live();
    nm_status status = NM_ENOMEM;
    for (long n = 1; status != NM_OK; n++) {
        nm_error err = {NM_OK, ""};
        struct nmi_piece *piece = NULL;
        nmi_alloc_fail_after(n, 1);
        status = nmi_piece_create(&job, &piece, &err);
        status = status == NM_OK ? nmi_batches(2, BATCHES, run_batch, piece, &err) : status;
        nmi_alloc_fail_after(0, 0);
        nmi_piece_free(piece);
        ck_assert_msg(status == NM_OK || (status == NM_ENOMEM && err.message[0] != '\0'), "n = %ld: %s",
                      n, err.message);
        ck_assert_uint_eq(nmi_alloc_live(), live);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("piece");
    TCase *t = tcase_create("piece");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, prepare, clean_up);
    tcase_add_test(t, from_the_input_like_the_whole);
    tcase_add_test(t, from_any_kept_value_like_the_whole);
    tcase_add_test(t, one_value_twice_and_kept_values_as_they_are);
    tcase_add_test(t, needs_reach_back_to_what_is_kept);
    tcase_add_test(t, bare_convolution_without_activation_and_skip);
    tcase_add_test(t, bare_matrices_without_activation);
    tcase_add_test(t, each_batch_once);
    tcase_add_test(t, first_failure_by_number_comes_back);
    tcase_add_test(t, failed_run_comes_back_with_its_sentence);
    tcase_add_test(t, no_memory_reported);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
