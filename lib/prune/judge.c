/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/judge.h"

#include "lib/base/checked.h"
#include "lib/base/parallel.h"
#include "lib/prune/piece.h"

#include <string.h>

struct judge_batch {
    int64_t first, count; /* items */
    double square, apart; /* of the dense outputs; of their difference to the candidate's */
    int64_t right, same;
};

struct nmi_judge {
    struct nmi_feed feed;
    struct nmi_kept input;    /* of all items */
    struct nmi_tensor *dense; /* outputs by batch */
    struct judge_batch *batches;
    int64_t items, right; /* right answers of the dense network, when there are labels */
    int32_t n_batches, threads, output;
    struct nmi_piece *piece; /* while one runs */
    bool dense_pass;
};

static int64_t largest(const float *v, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        best = v[i] > v[best] ? i : best;
    }
    return best;
}

/* Compares one batch's outputs, item by item. */
static void compare(const struct nmi_judge *j, struct judge_batch *b, const float *dense,
                    const float *own, int64_t width)
{
    const int64_t *labels = j->feed.data->labels;
    for (int64_t i = 0; i < b->count; i++, dense += width, own += width) {
        const int64_t answer = largest(own, width);
        const int64_t label = labels != NULL ? labels[nmi_feed_item(&j->feed, b->first + i)] : -1;
        b->same += answer == largest(dense, width);
        b->right += answer == label;
        for (int64_t k = 0; k < width; k++) {
            const double off = (double)own[k] - (double)dense[k];
            b->square += (double)dense[k] * (double)dense[k];
            b->apart += off * off;
        }
    }
}

static nm_status judge_batch(void *context, int32_t slot, int32_t batch, nm_error *err)
{
    struct nmi_judge *j = context;
    struct judge_batch *b = &j->batches[batch];
    struct nmi_tensor out[1];
    int64_t elems = 0;
    NMI_TRY(nmi_piece_run(j->piece, slot, batch, out, err));
    *b = (struct judge_batch){.first = b->first, .count = b->count};
    const bool fits = out->type == NM_F32 && nmi_elems(out->rank, out->dims, &elems) &&
                      elems >= b->count && elems % b->count == 0;
    if (fits) {
        const float *dense = j->dense_pass ? out->data : j->dense[batch].data;
        compare(j, b, dense, out->data, elems / b->count);
    }
    if (fits && j->dense_pass) {
        j->dense[batch] = out[0];
        out->data = NULL;
    }
    nmi_piece_release(j->piece, out);
    return fits ? NM_OK
                : nmi_fail(err, NM_EUNSUPPORTED,
                           "prune: the first output is no float32 scores of each item");
}

static nm_status run_graph(struct nmi_judge *j, const struct nmi_graph *graph, nm_error *err)
{
    const struct nmi_piece_job job = {.graph = graph,
                                      .kept = &j->input,
                                      .wanted = {graph->outputs[0]},
                                      .n_wanted = 1,
                                      .raw = NMI_NONE,
                                      .threads = j->threads};
    const int old = nmi_threads_enter(1);
    nm_status status = nmi_piece_create(&job, &j->piece, err);
    status = status == NM_OK ? nmi_batches(j->threads, j->n_batches, judge_batch, j, err) : status;
    nmi_piece_free(j->piece);
    j->piece = NULL;
    nmi_threads_restore(old);
    return status;
}

static nm_status read_items(struct nmi_judge *j, const struct nmi_graph *dense, nm_error *err)
{
    const int32_t input = dense->inputs[0];
    const int32_t batch = nmi_feed_batch(dense, j->items);
    if (j->items < j->feed.items) { /* whole batches */
        j->items = j->items > batch ? j->items - j->items % batch : batch;
    }
    j->n_batches = (int32_t)((j->items + batch - 1) / batch);
    NMI_TRY(nmi_kept_create(&j->input, dense->n_values, j->n_batches, err));
    NMI_TRY(nmi_kept_add(&j->input, input, err));
    j->batches = nmi_calloc((size_t)j->n_batches, sizeof *j->batches);
    j->dense = nmi_calloc((size_t)j->n_batches, sizeof *j->dense);
    if (j->batches == NULL || j->dense == NULL) {
        return nmi_fail_memory(err, (size_t)j->n_batches * sizeof *j->dense, "judging");
    }
    for (int32_t b = 0; b < j->n_batches; b++) {
        struct judge_batch *at = &j->batches[b];
        at->first = (int64_t)b * batch;
        at->count = j->items - at->first < batch ? j->items - at->first : batch;
        NMI_TRY(nmi_feed_read(&j->feed, at->first, at->count, &j->input.at[input][b], err));
    }
    return NM_OK;
}

nm_status nmi_judge_create(const struct nmi_graph *dense, const struct nmi_feed *feed,
                           int32_t threads, struct nmi_judge **judge, nm_error *err)
{
    struct nmi_judge *j = nmi_calloc(1, sizeof *j);
    if (j == NULL) {
        return nmi_fail_memory(err, sizeof *j, "judging");
    }
    j->feed = *feed;
    j->items = feed->items;
    j->threads = threads;
    j->dense_pass = true;
    nm_status status = read_items(j, dense, err);
    status = status == NM_OK ? run_graph(j, dense, err) : status;
    j->dense_pass = false;
    for (int32_t b = 0; b < j->n_batches && status == NM_OK; b++) {
        j->right += j->batches[b].right;
    }
    if (status != NM_OK) {
        nmi_judge_free(j);
        return status;
    }
    *judge = j;
    return NM_OK;
}

nm_status nmi_judge_run(struct nmi_judge *j, const struct nmi_graph *candidate,
                        struct nmi_verdict *verdict, nm_error *err)
{
    int64_t right = 0, same = 0;
    double square = 0, apart = 0;
    NMI_TRY(run_graph(j, candidate, err));
    for (int32_t b = 0; b < j->n_batches; b++) {
        right += j->batches[b].right;
        same += j->batches[b].same;
        square += j->batches[b].square;
        apart += j->batches[b].apart;
    }
    const bool labels = j->feed.data->labels != NULL;
    *verdict = (struct nmi_verdict){
        .drop = (double)(labels ? j->right - right : j->items - same) / (double)j->items,
        .apart = square > 0 ? apart / square : 0,
        .items = j->items};
    return NM_OK;
}

void nmi_judge_free(struct nmi_judge *j)
{
    if (j == NULL) {
        return;
    }
    for (int32_t b = 0; j->dense != NULL && b < j->n_batches; b++) {
        nmi_free(j->dense[b].data);
    }
    nmi_kept_free(&j->input);
    nmi_free(j->dense);
    nmi_free(j->batches);
    nmi_free(j);
}
