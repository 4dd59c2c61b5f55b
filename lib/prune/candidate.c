/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/candidate.h"

#include "lib/base/log.h"
#include "lib/prune/random.h"

#include <math.h>
#include <string.h>

enum {
    PROBE = 8,  /* the grid's sparsity at which a layer alone is tried: 0.9 */
    TRIALS = 40 /* of other weights */
};

struct nmi_timing nmi_search_timing(const struct nmi_searching *v)
{
    return (struct nmi_timing){v->targets, v->s->source, v->s->options, &v->input, v->s->prepare};
}

/* ---- candidates ----------------------------------------------------------------------------- */

nm_status nmi_candidate_open(const struct nmi_searching *v, struct nmi_candidate *c, nm_error *err)
{
    NMI_TRY(nmi_graph_copy(v->targets->graph, nmi_op_attr_bytes, &c->running, err));
    return nmi_graph_copy(v->s->source, nmi_op_attr_bytes, &c->source, err);
}

void nmi_candidate_close(struct nmi_candidate *c)
{
    nmi_graph_free(c->running);
    nmi_graph_free(c->source);
    *c = (struct nmi_candidate){0};
}

/* A network of layers that were solved one by one: quick, and good enough to compare profiles. */
static nm_status judge_stitched(const struct nmi_searching *v, const int32_t *pick,
                                struct nmi_verdict *verdict, nm_error *err)
{
    struct nmi_candidate c = {0};
    nm_status status = nmi_candidate_open(v, &c, err);
    const struct nmi_write_back to = {v->targets, c.running, c.source};
    for (int32_t i = 0; i < v->n && status == NM_OK; i++) {
        const struct nmi_layer_grid *g = &v->grid[v->layer[i]];
        if (pick[i] > 0 && g->w[pick[i]] != NULL) {
            status = nmi_write_back(&to, &v->targets->at[v->layer[i]], g->w[pick[i]],
                                    g->b[pick[i]], err);
        }
    }
    status = status == NM_OK ? nmi_judge_run(v->quick, c.running, verdict, err) : status;
    nmi_candidate_close(&c);
    return status;
}

void nmi_candidate_set_targets(const struct nmi_searching *v, const int32_t *pick)
{
    memcpy(v->targets->at, v->base, (size_t)v->targets->n * sizeof *v->base);
    for (int32_t i = 0; i < v->n; i++) {
        struct nmi_target *t = &v->targets->at[v->layer[i]];
        t->sparsity = nmi_grid[pick[i]];
        t->chosen = pick[i] > 0;
    }
}

nm_status nmi_candidate_prune(const struct nmi_searching *v, const int32_t *pick, const double progress[2],
                                 struct nmi_candidate *c, nm_error *err)
{
    nmi_candidate_set_targets(v, pick);
    NMI_TRY(nmi_candidate_open(v, c, err));
    const struct nmi_reconstruct job = {.to = {v->targets, c->running, c->source},
                                        .options = v->s->options,
                                        .feed = &v->calibrate,
                                        .results = v->s->results,
                                        .progress_from = progress[0],
                                        .progress_to = progress[1]};
    return nmi_prune_reconstruct(&job, err);
}

void nmi_candidate_tell(const struct nmi_searching *v, double ms, const struct nmi_verdict *verdict,
                 const char *what)
{
    const struct nmi_log log = {v->s->options->log, v->s->options->log_user};
    int32_t pruned = 0;
    for (int32_t i = 0; i < v->n; i++) {
        pruned += v->pick[i] > 0;
    }
    nmi_log(&log, 1, "prune: %d of %d layers, %.4g of %.4g ms, a drop of %.2f %%: %s", (int)pruned,
            (int)v->n, ms, v->speed.dense_ms, 100 * verdict->drop, what);
}

void nmi_candidate_keep(const struct nmi_searching *v)
{
    for (int32_t k = 0; k < v->targets->n; k++) {
        v->told[k].error = v->s->results[k].error;
    }
}

/* ---- weights of the errors ------------------------------------------------------------------ */

struct nmi_costs nmi_search_costs(const struct nmi_searching *v, const double *error)
{
    return (struct nmi_costs){v->n, NMI_GRID, error, v->time, v->mode, v->change};
}

nm_status nmi_search_allocate(const struct nmi_searching *v, const double *weight, double budget,
                          int32_t *pick, double *reached, nm_error *err)
{
    double *error = nmi_alloc((size_t)v->n * NMI_GRID * sizeof *error);
    if (error == NULL) {
        return nmi_fail_memory(err, (size_t)v->n * NMI_GRID * sizeof *error, "a profile");
    }
    for (int32_t i = 0; i < v->n * NMI_GRID; i++) {
        error[i] = weight[i / NMI_GRID] * v->error[i];
    }
    const struct nmi_costs costs = nmi_search_costs(v, error);
    const nm_status status = nmi_allocate(&costs, budget, pick, reached, err);
    nmi_free(error);
    return status;
}

nm_status nmi_search_find_weights(struct nmi_searching *v, nm_error *err)
{
    int32_t *pick = nmi_arena_array(&v->arena, (size_t)v->n + 1, sizeof *pick);
    if (pick == NULL) {
        return nmi_fail_memory(err, (size_t)v->n * sizeof *pick, "a profile");
    }
    for (int32_t i = 0; i < v->n; i++) {
        struct nmi_verdict alone = {0};
        const double own = v->error[i * NMI_GRID + PROBE];
        v->weight[i] = 1;
        NMI_TRY(nmi_prune_progress(v->s->options, 0.2, "sensitivity", err));
        if (v->stitch && own > 0) {
            pick[i] = PROBE;
            NMI_TRY(judge_stitched(v, pick, &alone, err));
            pick[i] = 0;
            v->weight[i] = alone.apart / own;
        }
    }
    return NM_OK;
}

/* Other weights for about a third of the layers, up to fivefold. */
static void vary(struct nmi_searching *v, double *weight)
{
    for (int32_t i = 0; i < v->n; i++) {
        const bool change = nmi_random_unit(&v->random) < 0.33;
        const double by = exp(3.2 * (nmi_random_unit(&v->random) - 0.5));
        weight[i] = change ? v->weight[i] * by : v->weight[i];
    }
}

nm_status nmi_search_improve_weights(struct nmi_searching *v, double budget, const double progress[2],
                                 nm_error *err)
{
    struct nmi_verdict best, now;
    double reached, *weight = nmi_arena_array(&v->arena, (size_t)v->n + 1, sizeof *weight);
    int32_t *pick = nmi_arena_array(&v->arena, (size_t)v->n + 1, sizeof *pick);
    if (weight == NULL || pick == NULL) {
        return nmi_fail_memory(err, (size_t)v->n * sizeof *weight, "a profile");
    }
    NMI_TRY(nmi_search_allocate(v, v->weight, budget, v->pick, &reached, err));
    NMI_TRY(judge_stitched(v, v->pick, &best, err));
    for (int32_t t = 0; t < TRIALS; t++) {
        const double done = progress[0] + (progress[1] - progress[0]) * t / TRIALS;
        NMI_TRY(nmi_prune_progress(v->s->options, done, "profiles", err));
        vary(v, weight);
        NMI_TRY(nmi_search_allocate(v, weight, budget, pick, &reached, err));
        if (memcmp(pick, v->pick, (size_t)v->n * sizeof *pick) == 0) {
            continue;
        }
        NMI_TRY(judge_stitched(v, pick, &now, err));
        if (now.apart < best.apart) {
            best = now;
            memcpy(v->weight, weight, (size_t)v->n * sizeof *weight);
            memcpy(v->pick, pick, (size_t)v->n * sizeof *pick);
        }
    }
    return NM_OK;
}
