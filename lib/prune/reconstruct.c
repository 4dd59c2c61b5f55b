/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk. Of both networks, the dense and the pruned one, the values that later layers need are kept
 * for all items, as long as they fit into the memory that was allowed; where they do not, a layer's
 * piece of the network starts further back.
 */
#include "lib/prune/reconstruct.h"

#include "lib/base/checked.h"
#include "lib/base/parallel.h"
#include "lib/ops/attrs.h"
#include "lib/prune/layer_fit.h"
#include "lib/prune/piece.h"

#include <string.h>

const double nmi_grid[NMI_GRID] = {0.0, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975};

#define SAMPLES 32000        /* of a layer, all items together: more changed nothing */
#define GROUP_SAMPLES 4000   /* the same for the small matrices of a grouped layer, at least */
#define REFIT_SAMPLES 8      /* for each input, which a dense layer's refit needs at least */
#define MEMORY ((uint64_t)4 << 30)

struct walk {
    const struct nmi_reconstruct *job;
    const struct nmi_graph *dense; /* as it was optimised */
    const struct nmi_feed *feed;
    struct nmi_kept of_dense, of_pruned;
    int32_t batch, n_batches, threads, rounds;
    uint64_t memory;
    double work, done; /* of all layers; of those that are behind */
    bool *need;        /* [n_values] */
};

/* A layer as the walk sees it. */
struct stop {
    const struct nmi_target *target;
    const struct nmi_node *node;
    int32_t index;         /* of the target */
    int32_t in, skip, out; /* values; skip may be NMI_NONE */
    struct nmi_act act;
    bool keep; /* its output is kept from now on */
};

static bool walked(const struct nmi_target *t)
{
    return t->chosen || t->refit;
}

static struct stop stop_of(const struct walk *w, int32_t index)
{
    const struct nmi_target *t = &w->job->to.targets->at[index];
    const struct nmi_node *node = &w->dense->nodes[t->info.node];
    struct stop s = {.target = t,
                     .node = node,
                     .index = index,
                     .in = node->inputs[0],
                     .skip = NMI_NONE,
                     .out = node->outputs[0]};
    if (node->op == NMI_OP_Conv) {
        const struct nmi_conv_attrs *attrs = node->attrs;
        s.act = attrs->act;
        s.skip = attrs->residual ? node->inputs[3] : NMI_NONE;
    } else if (node->attrs != NULL) {
        s.act = ((const struct nmi_gemm_attrs *)node->attrs)->act;
    }
    return s;
}

/* ---- what is kept --------------------------------------------------------------------------- */

/* Bytes of a value for all items; UINT64_MAX when its shape is not known. */
static uint64_t bytes_of(const struct walk *w, int32_t value)
{
    const struct nmi_value *v = &w->dense->values[value];
    int64_t elems = 0;
    if (v->rank < 1 || !nmi_elems(v->rank - 1, v->dims + 1, &elems)) {
        return UINT64_MAX;
    }
    return (uint64_t)elems * sizeof(float) * (uint64_t)w->feed->items;
}

/* Marks what the layers from `next` on need, given what is kept. */
static void mark_needed(const struct walk *w, int32_t next)
{
    const struct nmi_targets *all = w->job->to.targets;
    bool *need = w->need;
    memset(need, 0, (size_t)w->dense->n_values * sizeof *need);
    for (int32_t i = w->dense->n_nodes - 1; i >= 0; i--) {
        const struct nmi_node *node = &w->dense->nodes[i];
        bool runs = false;
        for (int32_t k = next; k < all->n && !runs; k++) {
            runs = walked(&all->at[k]) && all->at[k].info.node == i;
        }
        for (int32_t k = 0; k < node->n_outputs; k++) {
            const int32_t v = node->outputs[k];
            runs |= v != NMI_NONE && need[v] && w->of_dense.at[v] == NULL;
        }
        for (int32_t k = 0; runs && k < node->n_inputs; k++) {
            if (node->inputs[k] != NMI_NONE) {
                need[node->inputs[k]] = true;
            }
        }
    }
}

/* Decides whether this layer's output is kept: then what nobody needs any more can go. */
static nm_status decide(struct walk *w, struct stop *s, nm_error *err)
{
    uint64_t bytes = 0;
    NMI_TRY(nmi_kept_add(&w->of_dense, s->out, err));
    mark_needed(w, s->index + 1);
    for (int32_t v = 0; v < w->dense->n_values; v++) {
        if (w->of_dense.at[v] != NULL && w->need[v]) {
            const uint64_t more = 2 * bytes_of(w, v);
            bytes = bytes_of(w, v) == UINT64_MAX || bytes > UINT64_MAX - more ? UINT64_MAX
                                                                             : bytes + more;
        }
    }
    s->keep = bytes <= w->memory;
    if (!s->keep) {
        nmi_kept_drop(&w->of_dense, s->out);
        return NM_OK;
    }
    NMI_TRY(nmi_kept_add(&w->of_pruned, s->out, err));
    return w->of_pruned.at[s->in] == NULL ? nmi_kept_add(&w->of_pruned, s->in, err) : NM_OK;
}

/* Of one batch, or of all (batch < 0): kept values that no layer needs any more. */
static void drop_rest(const struct walk *w, struct nmi_kept *kept, int32_t batch)
{
    for (int32_t v = 0; v < kept->n_values; v++) {
        if (kept->at[v] != NULL && !w->need[v] && batch < 0) {
            nmi_kept_drop(kept, v);
        } else if (kept->at[v] != NULL && !w->need[v]) {
            nmi_kept_drop_batch(kept, v, batch);
        }
    }
}

/* ---- a layer, batch by batch ---------------------------------------------------------------- */

struct look {
    struct walk *w;
    const struct stop *s;
    struct nmi_piece *dense, *pruned;
    struct nmi_samples *samples;
    bool keep_input; /* of the pruned network, until its output is made */
};

enum { DENSE_OUT, DENSE_SKIP, DENSE_N };
enum { PRUNED_IN, PRUNED_SKIP, PRUNED_N };

/* y = act(y + skip): the dense network goes on from what the layer gave. */
static void finish_dense(const struct stop *s, struct nmi_tensor *y, const struct nmi_tensor *skip)
{
    float *to = y->data;
    const float *add = skip->data;
    int64_t n = 0;
    if (!nmi_elems(y->rank, y->dims, &n)) {
        return;
    }
    for (int64_t i = 0; i < n && add != NULL; i++) {
        to[i] += add[i];
    }
    for (int64_t i = 0; i < n && s->act.kind == NMI_ACT_RELU; i++) {
        to[i] = to[i] > 0 ? to[i] : 0;
    }
    for (int64_t i = 0; i < n && s->act.kind != NMI_ACT_RELU && s->act.kind != NMI_ACT_NONE; i++) {
        to[i] = nmi_act_apply(s->act, to[i]);
    }
}

static nm_status look_at(void *context, int32_t slot, int32_t batch, nm_error *err)
{
    struct look *l = context;
    struct walk *w = l->w;
    struct nmi_tensor dense[DENSE_N], pruned[PRUNED_N];
    NMI_TRY(nmi_piece_run(l->dense, slot, batch, dense, err));
    nm_status status = nmi_piece_run(l->pruned, slot, batch, pruned, err);
    if (status == NM_OK) {
        const struct nmi_sample_batch b = {(int64_t)batch * w->batch, &pruned[PRUNED_IN],
                                           &dense[DENSE_OUT], &dense[DENSE_SKIP],
                                           &pruned[PRUNED_SKIP]};
        status = nmi_samples_take(l->samples, &b, err);
        if (status == NM_OK && l->s->keep) {
            finish_dense(l->s, &dense[DENSE_OUT], &dense[DENSE_SKIP]);
            w->of_dense.at[l->s->out][batch] = dense[DENSE_OUT];
            dense[DENSE_OUT].data = NULL;
            if (l->keep_input) {
                w->of_pruned.at[l->s->in][batch] = pruned[PRUNED_IN];
                pruned[PRUNED_IN].data = NULL;
            }
        }
        nmi_piece_release(l->pruned, pruned);
    }
    nmi_piece_release(l->dense, dense);
    if (status == NM_OK && l->s->keep) {
        drop_rest(w, &w->of_dense, batch);
    }
    return status;
}

static int64_t samples_of(const struct nmi_target *t)
{
    const int64_t enough = 64 * (int64_t)t->cols > GROUP_SAMPLES ? 64 * (int64_t)t->cols : GROUP_SAMPLES;
    return t->groups > 1 && enough < SAMPLES ? enough : SAMPLES;
}

static int64_t per_item(const struct walk *w, const struct nmi_target *t)
{
    return (samples_of(t) + w->feed->items - 1) / w->feed->items;
}

/* Positions of a layer's output, of one item; 0 when its shape is not known. */
static int64_t positions_of(const struct walk *w, const struct nmi_target *t)
{
    const uint64_t bytes = bytes_of(w, w->dense->nodes[t->info.node].outputs[0]);
    const int64_t rows = (int64_t)t->groups * t->rows;
    return bytes == UINT64_MAX ? 0
                               : (int64_t)(bytes / sizeof(float)) / w->feed->items / rows;
}

/* Few samples would be learnt by heart: a layer that stays dense is then better left as it is. */
static bool refit_pays(const struct walk *w, const struct nmi_target *t)
{
    const int64_t positions = positions_of(w, t), each = per_item(w, t);
    return (positions < each ? positions : each) * w->feed->items >= REFIT_SAMPLES * (int64_t)t->cols;
}

static nm_status sample_layer(struct walk *w, struct stop *s, struct nmi_samples *samples,
                              nm_error *err)
{
    struct look l = {.w = w, .s = s, .samples = samples};
    const struct nmi_piece_job dense = {.graph = w->dense,
                                        .kept = &w->of_dense,
                                        .wanted = {s->out, s->skip},
                                        .n_wanted = DENSE_N,
                                        .raw = s->target->info.node,
                                        .threads = w->threads};
    const struct nmi_piece_job pruned = {.graph = w->job->to.running,
                                         .kept = &w->of_pruned,
                                         .wanted = {s->in, s->skip},
                                         .n_wanted = PRUNED_N,
                                         .raw = NMI_NONE,
                                         .threads = w->threads};
    const int64_t positions = positions_of(w, s->target);
    if (positions < 1) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "prune: the shape of layer %s is not known: leave it dense", s->node->name);
    }
    const int64_t each = per_item(w, s->target);
    const uint64_t seed = w->job->options->seed * 1000003u + (uint64_t)s->index;
    NMI_TRY(nmi_samples_create(s->target, s->node, w->feed->items, positions, each,
                               s->skip != NMI_NONE, seed, samples, err));
    nm_status status = nmi_piece_create(&dense, &l.dense, err);
    status = status == NM_OK ? nmi_piece_create(&pruned, &l.pruned, err) : status;
    l.keep_input = w->of_pruned.at[s->in] == NULL;
    status = status == NM_OK ? decide(w, s, err) : status;
    status = status == NM_OK ? nmi_batches(w->threads, w->n_batches, look_at, &l, err) : status;
    nmi_piece_free(l.dense);
    nmi_piece_free(l.pruned);
    if (status == NM_OK && s->keep) {
        drop_rest(w, &w->of_dense, -1);
    }
    return status;
}

/* ---- the pruned network goes on ------------------------------------------------------------- */

struct advance {
    struct walk *w;
    const struct stop *s;
    struct nmi_piece *piece;
};

static nm_status advance_batch(void *context, int32_t slot, int32_t batch, nm_error *err)
{
    struct advance *a = context;
    struct nmi_tensor out[1];
    NMI_TRY(nmi_piece_run(a->piece, slot, batch, out, err));
    a->w->of_pruned.at[a->s->out][batch] = out[0];
    drop_rest(a->w, &a->w->of_pruned, batch);
    return NM_OK;
}

static nm_status advance(struct walk *w, const struct stop *s, nm_error *err)
{
    struct advance a = {.w = w, .s = s};
    struct nmi_tensor *room = w->of_pruned.at[s->out];
    w->of_pruned.at[s->out] = NULL; /* the piece makes it */
    const struct nmi_piece_job job = {.graph = w->job->to.running,
                                      .kept = &w->of_pruned,
                                      .wanted = {s->out},
                                      .n_wanted = 1,
                                      .raw = NMI_NONE,
                                      .threads = w->threads};
    nm_status status = nmi_piece_create(&job, &a.piece, err);
    w->of_pruned.at[s->out] = room;
    status = status == NM_OK ? nmi_batches(w->threads, w->n_batches, advance_batch, &a, err) : status;
    nmi_piece_free(a.piece);
    if (status == NM_OK) {
        drop_rest(w, &w->of_pruned, -1);
    }
    return status;
}

/* ---- a layer -------------------------------------------------------------------------------- */

static nm_status fit_layer(struct walk *w, const struct stop *s, const struct nmi_samples *samples,
                           bool fixed_bias, nm_error *err)
{
    const struct nmi_reconstruct *job = w->job;
    const struct nmi_layer_fit fit = {.targets = job->to.targets,
                                      .target = s->target,
                                      .samples = samples,
                                      .act = s->act,
                                      .fixed_bias = fixed_bias,
                                      .rounds = w->rounds,
                                      .threads = w->threads};
    struct nmi_layer_result *result = &job->results[s->index];
    if (job->grid != NULL) {
        return nmi_layer_curve(&fit, job->keep_weights, &job->grid[s->index], err);
    }
    const size_t rows = (size_t)s->target->groups * (size_t)s->target->rows;
    float *weights = nmi_alloc((size_t)s->target->info.elems * sizeof *weights);
    float *bias = nmi_alloc(rows * sizeof *bias);
    nm_status status = weights != NULL && bias != NULL
                           ? nmi_layer_fit(&fit, weights, bias, &result->error, err)
                           : nmi_fail_memory(err, rows * sizeof *bias, "a layer");
    if (status == NM_OK) {
        status = nmi_write_back(&job->to, s->target, weights, bias, err);
    }
    nmi_free(weights);
    nmi_free(bias);
    return status;
}

/* Multiply-adds of solving, as the progress counts them. */
static double work_of(const struct nmi_target *t)
{
    const int32_t side = t->cols <= NMI_GRAM_COLS ? t->cols : NMI_GRAM_BLOCK;
    return (double)t->cols * side * ((double)samples_of(t) + 64.0 * t->rows) * t->groups + 1e8;
}

static nm_status walk_layer(struct walk *w, int32_t index, nm_error *err)
{
    const struct nmi_reconstruct *job = w->job;
    struct stop s = stop_of(w, index);
    struct nmi_samples samples = {0};
    bool fixed_bias = false;
    const double share = (job->progress_to - job->progress_from) * w->done / w->work;
    nmi_write_back_refuse(&job->to, s.target, &fixed_bias);
    NMI_TRY(nmi_prune_progress(job->options, job->progress_from + share,
                               nmi_target_weight(job->to.targets, s.target), err));
    nm_status status = sample_layer(w, &s, &samples, err);
    status = status == NM_OK ? fit_layer(w, &s, &samples, fixed_bias, err) : status;
    nmi_samples_free(&samples);
    if (status == NM_EINVAL) {
        return nmi_fail_in(err, status, "prune: layer %s", s.node->name);
    }
    NMI_TRY(status);
    w->done += work_of(s.target);
    return s.keep ? advance(w, &s, err) : NM_OK;
}

/* ---- begin ---------------------------------------------------------------------------------- */

static nm_status read_data(struct walk *w, nm_error *err)
{
    const int32_t input = w->dense->inputs[0];
    NMI_TRY(nmi_kept_add(&w->of_dense, input, err));
    NMI_TRY(nmi_kept_add(&w->of_pruned, input, err));
    for (int32_t b = 0; b < w->n_batches; b++) {
        const int64_t first = (int64_t)b * w->batch, left = w->feed->items - first;
        struct nmi_tensor *t = &w->of_dense.at[input][b], *copy = &w->of_pruned.at[input][b];
        size_t bytes = 0;
        NMI_TRY(nmi_feed_read(w->feed, first, left < w->batch ? left : w->batch, t, err));
        *copy = *t;
        copy->data = NULL;
        if (!nmi_tensor_bytes((int32_t)t->type, t->rank, t->dims, &bytes) ||
            (copy->data = nmi_alloc(bytes)) == NULL) {
            return nmi_fail_memory(err, bytes, "a batch of data");
        }
        memcpy(copy->data, t->data, bytes);
    }
    return NM_OK;
}

static nm_status begin(struct walk *w, nm_error *err)
{
    const struct nmi_reconstruct *job = w->job;
    const nm_prune_options *o = job->options;
    w->batch = nmi_feed_batch(w->dense, w->feed->items);
    w->n_batches = (int32_t)((w->feed->items + w->batch - 1) / w->batch);
    w->memory = o->memory_bytes > 0 ? o->memory_bytes : MEMORY;
    w->rounds = o->effort < 0 ? 0 : 4;
    w->need = nmi_calloc((size_t)w->dense->n_values + 1, sizeof *w->need);
    if (w->need == NULL) {
        return nmi_fail_memory(err, (size_t)w->dense->n_values, "pruning");
    }
    NMI_TRY(nmi_kept_create(&w->of_dense, w->dense->n_values, w->n_batches, err));
    NMI_TRY(nmi_kept_create(&w->of_pruned, w->dense->n_values, w->n_batches, err));
    for (int32_t k = 0; k < job->to.targets->n; k++) {
        struct nmi_target *t = &job->to.targets->at[k];
        t->refit = t->chosen || (t->refit && refit_pays(w, t));
        w->work += walked(&job->to.targets->at[k]) ? work_of(&job->to.targets->at[k]) : 0;
    }
    return read_data(w, err);
}

/* Layers that can't be changed stay dense, and the result says why. Those before the first pruned one
 * have nothing to follow. */
static void refuse_layers(const struct nmi_reconstruct *job)
{
    bool follows = false;
    for (int32_t k = 0; k < job->to.targets->n; k++) {
        struct nmi_target *t = &job->to.targets->at[k];
        const bool chosen = t->chosen;
        bool fixed_bias;
        const char *refused = nmi_write_back_refuse(&job->to, t, &fixed_bias);
        if (t->pattern.kind == NMI_PATTERN_FILTER && t->cols > NMI_GRAM_COLS) {
            refused = "whole filters of so many inputs are chosen by magnitude only";
        }
        job->results[k] = (struct nmi_layer_result){.error = -1, .refused = chosen ? refused : NULL};
        t->chosen = chosen && refused == NULL;
        t->refit = t->refit && refused == NULL && follows && job->grid == NULL;
        follows |= t->chosen;
        if (!t->chosen) { /* a refit thins nothing */
            t->sparsity = 0;
            t->pattern.kind = NMI_PATTERN_ANY;
        }
    }
}

nm_status nmi_prune_reconstruct(const struct nmi_reconstruct *job, nm_error *err)
{
    struct walk w = {.job = job,
                     .dense = job->to.targets->graph,
                     .feed = job->feed,
                     .threads = job->options->threads};
    /* Everything below runs in teams of ours; oneDNN gets one thread, so that sums do not depend on
     * how many there are. */
    const int old = nmi_threads_enter(1);
    refuse_layers(job);
    nm_status status = begin(&w, err);
    for (int32_t k = 0; k < job->to.targets->n && status == NM_OK; k++) {
        if (walked(&job->to.targets->at[k])) {
            status = walk_layer(&w, k, err);
        }
    }
    nmi_kept_free(&w.of_dense);
    nmi_kept_free(&w.of_pruned);
    nmi_free(w.need);
    nmi_threads_restore(old);
    return status;
}
