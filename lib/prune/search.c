/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/search.h"

#include "lib/prune/candidate.h"

#include <math.h>
#include <string.h>

enum {
    FITS = 6,       /* of a budget to a time */
    RETRIES = 3,    /* of pruning for a time */
    STEPS = 6,      /* of the bisection for a drop */
    QUICK_MS = 400, /* a trial's evaluation on one core, about */
    QUICK_LEAST = 16,
    QUICK_MOST = 256
};
#define FASTER 0.98 /* of the dense network's time: what takes more gains nothing */
#define GRID_BYTES ((double)(1u << 30)) /* of solved weights, beyond which no trials are made */

/* ---- targets of the search ------------------------------------------------------------------ */

/* All layers at one sparsity. */
static double time_at(const struct nmi_searching *v, int32_t choice)
{
    const struct nmi_costs costs = nmi_search_costs(v, v->error);
    for (int32_t i = 0; i < v->n; i++) {
        v->pick[i] = choice;
    }
    return nmi_costs_time(&costs, v->pick);
}

/* The sum of layers' times is not the network's: a branch that joins another may cost conversions. So
 * the budget follows what whole networks take. */
static nm_status fit_budget(struct nmi_searching *v, double goal_ms, double *budget, nm_error *err)
{
    const double least = time_at(v, NMI_GRID - 1);
    const struct nmi_timing timing = nmi_search_timing(v);
    *budget = goal_ms - v->speed.other_ms;
    for (int i = 0; i < FITS; i++) {
        double reached, ms;
        *budget = *budget > least ? *budget : least * 1.001;
        NMI_TRY(nmi_search_allocate(v, v->weight, *budget, v->pick, &reached, err));
        nmi_candidate_set_targets(v, v->pick);
        NMI_TRY(nmi_speed_profile(&timing, &ms, err));
        if (ms <= goal_ms * 1.02 && ms >= goal_ms * 0.95) {
            return NM_OK;
        }
        if (ms > goal_ms && *budget <= least * 1.002) {
            return nmi_fail(err, NM_EINVAL,
                            "prune: a speedup of %g is out of reach, about %.2f is what these layers "
                            "give",
                            v->s->options->speedup, v->speed.dense_ms / ms);
        }
        *budget += 0.8 * (goal_ms - ms);
    }
    return NM_OK;
}

/* Prunes; once more, with less time, when the outcome is slower than any zeros as many would be. */
static nm_status prune_to_time(struct nmi_searching *v, double goal_ms, double budget,
                               struct nmi_candidate *best, nm_error *err)
{
    const struct nmi_timing timing = nmi_search_timing(v);
    for (int i = 0; i < RETRIES; i++) {
        const double progress[2] = {0.4 + 0.6 * i / RETRIES, 0.4 + 0.6 * (i + 1) / RETRIES};
        double ms, reached;
        nmi_candidate_close(best);
        NMI_TRY(nmi_candidate_prune(v, v->pick, progress, best, err));
        nmi_candidate_keep(v);
        NMI_TRY(nmi_speed_of(&timing, best->source, false, &ms, err));
        if (ms <= 1.03 * goal_ms) {
            break;
        }
        budget -= ms - goal_ms;
        if (i + 1 < RETRIES) {
            NMI_TRY(nmi_search_allocate(v, v->weight, budget, v->pick, &reached, err));
        }
    }
    return NM_OK;
}

static nm_status search_speed(struct nmi_searching *v, struct nmi_candidate *best, double *drop,
                              nm_error *err)
{
    const double goal = v->speed.dense_ms / v->s->options->speedup;
    const double trials[2] = {0.25, 0.4};
    struct nmi_verdict verdict;
    double budget;
    NMI_TRY(fit_budget(v, goal, &budget, err));
    if (v->stitch) {
        NMI_TRY(nmi_search_improve_weights(v, budget, trials, err));
        NMI_TRY(fit_budget(v, goal, &budget, err));
    }
    NMI_TRY(prune_to_time(v, goal, budget, best, err));
    NMI_TRY(nmi_judge_run(v->judge, best->running, &verdict, err));
    nmi_candidate_tell(v, goal, &verdict, "kept");
    *drop = verdict.drop;
    return NM_OK;
}

/* The fastest network within the drop so far. */
struct best {
    struct nmi_candidate *network;
    int32_t *pick;
    double ms, drop;
};

/* A network within the drop is the best only when it is faster: one that is not has lost for nothing. */
static nm_status compare(struct nmi_searching *v, struct nmi_candidate *c, double drop,
                         struct best *best, const char **what, nm_error *err)
{
    const struct nmi_timing timing = nmi_search_timing(v);
    double ms;
    NMI_TRY(nmi_speed_of(&timing, c->source, false, &ms, err));
    *what = "no faster";
    if (ms < best->ms) {
        nmi_candidate_close(best->network);
        nmi_candidate_keep(v);
        *best->network = *c;
        *c = (struct nmi_candidate){0};
        memcpy(best->pick, v->pick, (size_t)v->n * sizeof *best->pick);
        best->ms = ms;
        best->drop = drop;
        *what = "kept";
    }
    return NM_OK;
}

/* One step of the bisection: passes[0] when the candidate for this time stays within the drop. */
static nm_status try_budget(struct nmi_searching *v, double budget, int32_t step, struct best *best,
                            bool *passes, nm_error *err)
{
    const double each = 0.75 / STEPS, from = 0.25 + each * step;
    const double trials[2] = {from, from + 0.3 * each}, progress[2] = {trials[1], from + each};
    const char *what = "too much";
    struct nmi_candidate c = {0};
    struct nmi_verdict verdict = {0};
    double reached;
    if (v->stitch) {
        NMI_TRY(nmi_search_improve_weights(v, budget, trials, err));
    } else {
        NMI_TRY(nmi_search_allocate(v, v->weight, budget, v->pick, &reached, err));
    }
    nm_status status = nmi_candidate_prune(v, v->pick, progress, &c, err);
    status = status == NM_OK ? nmi_judge_run(v->judge, c.running, &verdict, err) : status;
    *passes = status == NM_OK && verdict.drop <= v->s->options->max_drop + 1e-12;
    status = *passes ? compare(v, &c, verdict.drop, best, &what, err) : status;
    if (status == NM_OK) {
        nmi_candidate_tell(v, budget + v->speed.other_ms, &verdict, what);
    }
    nmi_candidate_close(&c);
    return status;
}

/* The least time whose candidate stays within the drop. */
static nm_status search_drop(struct nmi_searching *v, struct nmi_candidate *network, double *drop,
                             nm_error *err)
{
    double slow = time_at(v, 0), fast = time_at(v, NMI_GRID - 1), budget = time_at(v, 6);
    struct best best = {network, nmi_arena_array(&v->arena, (size_t)v->n + 1, sizeof *best.pick),
                        FASTER * v->speed.dense_ms, 0};
    if (best.pick == NULL) {
        return nmi_fail_memory(err, (size_t)v->n * sizeof *best.pick, "a profile");
    }
    NMI_TRY(nmi_candidate_open(v, network, err));
    for (int32_t step = 0; step < STEPS && slow > 1.02 * fast; step++) {
        bool passes;
        NMI_TRY(try_budget(v, budget, step, &best, &passes, err));
        *(passes ? &slow : &fast) = budget;
        budget = sqrt(slow * fast);
    }
    memcpy(v->pick, best.pick, (size_t)v->n * sizeof *best.pick);
    *drop = best.drop;
    return NM_OK;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static nm_status analyse(struct nmi_searching *v, nm_error *err)
{
    struct nmi_candidate c = {0};
    struct nmi_targets *t = v->targets;
    double bytes = 0;
    for (int32_t k = 0; k < t->n; k++) {
        bytes += t->at[k].chosen ? (double)t->at[k].info.elems * sizeof(float) * NMI_GRID : 0;
    }
    v->stitch = bytes <= GRID_BYTES;
    v->grid = nmi_arena_array(&v->arena, (size_t)t->n + 1, sizeof *v->grid);
    v->base = nmi_arena_copy(&v->arena, t->at, (size_t)t->n * sizeof *v->base + 1);
    if (v->grid == NULL || v->base == NULL) {
        return nmi_fail_memory(err, (size_t)t->n * sizeof *v->grid, "an analysis");
    }
    nm_status status = nmi_candidate_open(v, &c, err);
    if (status == NM_OK) {
        const struct nmi_reconstruct job = {.to = {t, c.running, c.source},
                                            .options = v->s->options,
                                            .feed = &v->calibrate,
                                            .results = v->s->results,
                                            .grid = v->grid,
                                            .keep_weights = v->stitch,
                                            .progress_to = 0.2};
        status = nmi_prune_reconstruct(&job, err);
    }
    nmi_candidate_close(&c);
    NMI_TRY(status);
    v->told = nmi_arena_copy(&v->arena, v->s->results, (size_t)t->n * sizeof *v->told + 1);
    return v->told != NULL ? NM_OK : nmi_fail_memory(err, (size_t)t->n * sizeof *v->told, "a profile");
}

static nm_status make_tables(struct nmi_searching *v, nm_error *err)
{
    const size_t n = (size_t)v->targets->n + 1;
    v->layer = nmi_arena_array(&v->arena, n, sizeof *v->layer);
    v->pick = nmi_arena_array(&v->arena, n, sizeof *v->pick);
    v->weight = nmi_arena_array(&v->arena, n, sizeof *v->weight);
    v->error = nmi_arena_array(&v->arena, n * NMI_GRID, sizeof *v->error);
    v->time = nmi_arena_array(&v->arena, n * NMI_GRID, sizeof *v->time);
    v->mode = nmi_arena_array(&v->arena, n * NMI_GRID, sizeof *v->mode);
    v->change = nmi_arena_array(&v->arena, n, sizeof *v->change);
    if (v->layer == NULL || v->pick == NULL || v->weight == NULL || v->error == NULL ||
        v->time == NULL || v->mode == NULL || v->change == NULL) {
        return nmi_fail_memory(err, n * NMI_GRID * sizeof *v->time, "a profile");
    }
    for (int32_t k = 0; k < v->targets->n; k++) {
        v->base[k].chosen = v->targets->at[k].chosen; /* those that can be changed */
        if (v->base[k].chosen) {
            memcpy(v->error + v->n * NMI_GRID, v->grid[k].error, sizeof v->grid[k].error);
            memcpy(v->time + v->n * NMI_GRID, v->speed.ms[k], sizeof v->speed.ms[k]);
            memcpy(v->mode + v->n * NMI_GRID, v->speed.sparse[k], sizeof v->speed.sparse[k]);
            v->change[v->n] = v->speed.change[k];
            v->layer[v->n++] = k;
        }
    }
    return v->n > 0 ? NM_OK : nmi_fail(err, NM_EINVAL, "prune: no layer can be pruned");
}

/* A third of the data and the rest must be there, and fill batches where their size is fixed. */
static nm_status check_parts(const struct nmi_searching *v, int64_t fixed, nm_error *err)
{
    const int64_t items = v->s->options->data->items;
    if (v->calibrate.items < 1) {
        return nmi_fail(err, NM_EINVAL, "prune: %lld items are too few to calibrate and judge with",
                        (long long)items);
    }
    if (nmi_dim_known(fixed) && (v->calibrate.items % fixed != 0 || v->judged.items % fixed != 0)) {
        return nmi_fail(err, NM_ESHAPE,
                        "prune: a third of %lld items does not fill the model's batches of %lld: give "
                        "data to judge with",
                        (long long)items, (long long)fixed);
    }
    return NM_OK;
}

static nm_status begin(struct nmi_searching *v, nm_error *err)
{
    const nm_prune_options *o = v->s->options;
    const bool apart = o->judge != NULL;
    const nm_data *judge = apart ? o->judge : o->data;
    const enum nmi_feed_part part = apart ? NMI_FEED_ALL : NMI_FEED_THIRD;
    v->calibrate = nmi_feed_of(o->data, apart ? NMI_FEED_ALL : NMI_FEED_REST, NMI_FEED_WHOLE);
    v->judged = nmi_feed_of(judge, part, NMI_FEED_WHOLE);
    v->random = o->seed + 1;
    const int64_t fixed = v->targets->graph->values[v->targets->graph->inputs[0]].dims[0];
    NMI_TRY(check_parts(v, fixed, err));
    NMI_TRY(analyse(v, err));
    NMI_TRY(nmi_feed_read(&v->calibrate, 0, nmi_dim_known(fixed) ? fixed : 1, &v->input, err));
    const struct nmi_timing timing = nmi_search_timing(v);
    NMI_TRY(nmi_speed_measure(&timing, &v->arena, &v->speed, err));
    const double most = QUICK_MS / v->speed.dense_ms;
    const struct nmi_feed quick = nmi_feed_of(judge, part,
                                              most < QUICK_LEAST  ? QUICK_LEAST
                                              : most > QUICK_MOST ? QUICK_MOST
                                                                  : (int64_t)most);
    NMI_TRY(nmi_judge_create(v->targets->graph, &quick, o->threads, &v->quick, err));
    NMI_TRY(nmi_judge_create(v->targets->graph, &v->judged, o->threads, &v->judge, err));
    NMI_TRY(make_tables(v, err));
    return nmi_search_find_weights(v, err);
}

static void end(struct nmi_searching *v)
{
    for (int32_t k = 0; v->grid != NULL && k < v->targets->n; k++) {
        nmi_layer_grid_free(&v->grid[k]);
    }
    nmi_free(v->input.data);
    nmi_judge_free(v->quick);
    nmi_judge_free(v->judge);
    nmi_arena_free(&v->arena);
}

nm_status nmi_prune_search(const struct nmi_search *search, struct nmi_graph **pruned,
                           struct nmi_search_result *result, nm_error *err)
{
    struct nmi_searching v = {.s = search, .targets = search->targets};
    struct nmi_candidate best = {0};
    *result = (struct nmi_search_result){0};
    nm_status status = begin(&v, err);
    if (status == NM_OK) {
        status = search->options->speedup > 0 ? search_speed(&v, &best, &result->drop, err)
                                              : search_drop(&v, &best, &result->drop, err);
    }
    if (status == NM_OK) {
        nmi_candidate_set_targets(&v, v.pick);
        memcpy(search->results, v.told, (size_t)v.targets->n * sizeof *v.told);
        result->dense_ms = v.speed.dense_ms;
        result->judged = v.judged.items;
        const struct nmi_timing timing = nmi_search_timing(&v);
        status = nmi_speed_of(&timing, best.source, false, &result->ms, err);
    }
    if (status == NM_OK) {
        *pruned = best.source;
        best.source = NULL;
    }
    nmi_candidate_close(&best);
    end(&v);
    return status;
}
