/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/speed.h"

#include "lib/base/checked.h"
#include "lib/base/cpu.h"
#include "lib/prune/magnitude.h"
#include "lib/run/session.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_LEAST = 15, RUNS_MOST = 255, WARM = 2 };
#define RUNS_MS 80.0 /* of small networks, that a burst of other work is not all that was seen */

/* A network that is run again and again on one input. */
struct runner {
    struct nmi_graph *graph; /* optimised */
    struct nmi_network network;
    struct nmi_session *session;
    nm_tensor in, *out;
    size_t n_out;
};

static nm_status open_runner(struct runner *r, const struct nmi_timing *timing,
                             const struct nmi_graph *graph, bool dense, nm_error *err)
{
    const struct nmi_tensor *input = timing->input;
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = timing->options->threads;
    o.dense = dense;
    o.cache_file = timing->options->cache_file;
    *r = (struct runner){.n_out = (size_t)graph->n_outputs};
    NMI_TRY(nmi_graph_copy(graph, nmi_op_attr_bytes, &r->graph, err));
    NMI_TRY(timing->prepare.prepare(timing->prepare.context, r->graph, err));
    r->network.graph = r->graph;
    r->in = (nm_tensor){.type = input->type, .rank = input->rank, .data = input->data};
    memcpy(r->in.dims, input->dims, sizeof r->in.dims);
    r->out = nmi_calloc(r->n_out + 1, sizeof *r->out);
    if (r->out == NULL ||
        !nmi_tensor_bytes((int32_t)input->type, input->rank, input->dims, &r->in.capacity)) {
        return nmi_fail_memory(err, r->n_out * sizeof *r->out, "a measurement");
    }
    NMI_TRY(nmi_weights_create(&r->network.weights, err));
    return nmi_session_create(&r->network, &o, &r->session, err);
}

static void close_runner(struct runner *r)
{
    nmi_session_free(r->session);
    nmi_weights_free(r->network.weights);
    nmi_graph_free(r->graph);
    nmi_free(r->out);
}

static nm_status run_once(struct runner *r, double *ms, nm_error *err)
{
    memset(r->out, 0, r->n_out * sizeof *r->out);
    const double start = nmi_now();
    NMI_TRY(nmi_session_run(r->session, &r->in, 1, r->out, r->n_out, err));
    *ms = 1e3 * (nmi_now() - start);
    return NM_OK;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What other work does to times is to lengthen them: the lower quartile. */
static double typical(double *values, int32_t n)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    return values[n / 4];
}

/* The first runs are not counted; they say how many follow. */
static nm_status warm_up(struct runner *r, int32_t *runs, nm_error *err)
{
    double ms = 1;
    for (int i = 0; i < WARM; i++) {
        NMI_TRY(run_once(r, &ms, err));
    }
    const double n = RUNS_MS / (ms + 1e-3);
    *runs = n < RUNS_LEAST ? RUNS_LEAST : n > RUNS_MOST ? RUNS_MOST : (int32_t)n;
    return NM_OK;
}

nm_status nmi_speed_of(const struct nmi_timing *timing, const struct nmi_graph *graph, bool dense,
                       double *ms, nm_error *err)
{
    struct runner r;
    double times[RUNS_MOST];
    int32_t runs = 0;
    nm_status status = open_runner(&r, timing, graph, dense, err);
    status = status == NM_OK ? warm_up(&r, &runs, err) : status;
    for (int32_t i = 0; i < runs && status == NM_OK; i++) {
        status = run_once(&r, &times[i], err);
    }
    close_runner(&r);
    if (status == NM_OK) {
        *ms = typical(times, runs);
    }
    return status;
}

/* ---- by layer ------------------------------------------------------------------------------- */

/* A copy of the source with as many zeros. */
static nm_status thin(const struct nmi_timing *timing, struct nmi_graph **thinned, nm_error *err)
{
    NMI_TRY(nmi_graph_copy(timing->source, nmi_op_attr_bytes, thinned, err));
    return nmi_prune_random(timing->targets, *thinned, err);
}

nm_status nmi_speed_profile(const struct nmi_timing *timing, double *ms, nm_error *err)
{
    struct nmi_graph *thinned = NULL;
    nm_status status = thin(timing, &thinned, err);
    status = status == NM_OK ? nmi_speed_of(timing, thinned, false, ms, err) : status;
    nmi_graph_free(thinned);
    return status;
}

/* Times of a network's layers, by target. */
struct times {
    double *computing, *converting, *map_bytes;
    uint8_t *sparse;
    double total; /* of the network */
};

static bool converts(const struct nmi_step *step)
{
    const bool frame = step->kind == NMI_STEP_KERNEL && step->kernel->kind == NMI_KIND_HALO;
    return step->moves && !frame;
}

static double layer_ms(const struct nmi_plan *plan, const double *seconds, const char *node,
                       bool conversions)
{
    double sum = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const struct nmi_step *step = &plan->steps[s];
        if (converts(step) == conversions && strcmp(plan->layers[step->layer].node, node) == 0) {
            sum += 1e3 * seconds[s];
        }
    }
    return sum;
}

/* How the layer of target k is run, and what it reads and writes. */
static void describe(const struct nmi_targets *targets, const struct nmi_plan *plan, int32_t k,
                     struct times *t)
{
    const char *node = nmi_target_node(targets, &targets->at[k]);
    t->sparse[k] = 0;
    t->map_bytes[k] = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const struct nmi_step *step = &plan->steps[s];
        const struct nmi_layer_note *note = &plan->layers[step->layer];
        if (strcmp(note->node, node) == 0) {
            t->map_bytes[k] = note->map_bytes;
            t->sparse[k] |= step->kind == NMI_STEP_KERNEL && step->kernel->kind == NMI_KIND_SPCONV;
        }
    }
}

/* Over some runs: all is [2 n + 1][runs], computing and converting by target, then the whole. */
static nm_status time_runs(const struct nmi_targets *targets, struct runner *r, double *all,
                           int32_t runs, nm_error *err)
{
    for (int32_t i = 0; i < runs; i++) {
        const double *seconds;
        NMI_TRY(run_once(r, &all[2 * targets->n * runs + i], err));
        const struct nmi_plan *plan = nmi_session_plan(r->session, &seconds);
        for (int32_t k = 0; k < 2 * targets->n; k++) {
            const char *node = nmi_target_node(targets, &targets->at[k / 2]);
            all[k * runs + i] = layer_ms(plan, seconds, node, k % 2);
        }
    }
    return NM_OK;
}

static nm_status time_layers(const struct nmi_targets *targets, struct runner *r, struct times *t,
                             nm_error *err)
{
    int32_t runs;
    NMI_TRY(warm_up(r, &runs, err));
    const size_t count = (2 * (size_t)targets->n + 1) * (size_t)runs;
    double *all = nmi_calloc(count, sizeof *all);
    if (all == NULL) {
        return nmi_fail_memory(err, count * sizeof *all, "times");
    }
    const nm_status status = time_runs(targets, r, all, runs, err);
    for (int32_t k = 0; k < targets->n && status == NM_OK; k++) {
        const double *seconds;
        t->computing[k] = typical(all + 2 * k * runs, runs);
        t->converting[k] = typical(all + (2 * k + 1) * runs, runs);
        describe(targets, nmi_session_plan(r->session, &seconds), k, t);
    }
    t->total = typical(all + 2 * targets->n * runs, runs);
    nmi_free(all);
    return status;
}

/* At the targets' sparsities. */
static nm_status time_profile(const struct nmi_timing *timing, struct times *t, nm_error *err)
{
    struct nmi_graph *thinned = NULL;
    struct runner r = {0};
    nm_status status = thin(timing, &thinned, err);
    if (status == NM_OK) {
        status = open_runner(&r, timing, thinned, false, err);
        status = status == NM_OK ? time_layers(timing->targets, &r, t, err) : status;
        close_runner(&r);
    }
    nmi_graph_free(thinned);
    return status;
}

/* What a change of layouts costs, from a network whose layers are dense and sparse in turns: as its
 * conversions take for the bytes of maps that they serve. */
static void spread_changes(const struct nmi_targets *targets, const struct times *t, double *change)
{
    double ms = 0, bytes = 0;
    for (int32_t k = 0; k < targets->n; k++) {
        ms += t->converting[k];
        bytes += t->converting[k] > 0 ? t->map_bytes[k] : 0;
    }
    for (int32_t k = 0; k < targets->n; k++) {
        change[k] = bytes > 0 ? ms / bytes * t->map_bytes[k] : 0;
    }
}

/* Column i of the grid. Noise apart, zeros never make a layer slower. */
static void keep(const struct nmi_targets *targets, const struct times *t, int32_t i,
                 struct nmi_speed *speed)
{
    double layers = 0;
    for (int32_t k = 0; k < targets->n; k++) {
        const bool slower = i > 0 && t->computing[k] > speed->ms[k][i - 1];
        speed->ms[k][i] = slower ? speed->ms[k][i - 1] : t->computing[k];
        speed->sparse[k][i] = slower ? speed->sparse[k][i - 1] : t->sparse[k];
        layers += targets->at[k].chosen ? t->computing[k] : 0;
    }
    if (i == 0) {
        speed->other_ms = t->total > layers ? t->total - layers : 0;
    }
}

static nm_status begin(const struct nmi_targets *targets, struct nmi_arena *arena,
                       struct nmi_speed *speed, struct times *t, nm_error *err)
{
    const size_t n = (size_t)targets->n + 1;
    double *reals = nmi_arena_array(arena, 4 * n, sizeof *reals);
    speed->ms = nmi_arena_array(arena, n, sizeof *speed->ms);
    speed->sparse = nmi_arena_array(arena, n, sizeof *speed->sparse);
    t->sparse = nmi_arena_array(arena, n, sizeof *t->sparse);
    if (reals == NULL || speed->ms == NULL || speed->sparse == NULL || t->sparse == NULL) {
        return nmi_fail_memory(err, n * sizeof *speed->ms, "times");
    }
    speed->change = reals;
    t->computing = reals + n;
    t->converting = reals + 2 * n;
    t->map_bytes = reals + 3 * n;
    return NM_OK;
}

nm_status nmi_speed_measure(const struct nmi_timing *timing, struct nmi_arena *arena,
                            struct nmi_speed *speed, nm_error *err)
{
    const struct nmi_targets *targets = timing->targets;
    struct nmi_targets profile = *targets;
    struct nmi_timing each = *timing;
    struct times t;
    each.targets = &profile;
    profile.at = nmi_arena_copy(arena, targets->at, ((size_t)targets->n + 1) * sizeof *targets->at);
    if (profile.at == NULL) {
        return nmi_fail_memory(err, (size_t)targets->n * sizeof *targets->at, "times");
    }
    NMI_TRY(begin(targets, arena, speed, &t, err));
    NMI_TRY(nmi_speed_of(timing, timing->source, true, &speed->dense_ms, err));
    for (int32_t i = 0; i <= NMI_GRID; i++) { /* at last dense and sparse in turns */
        for (int32_t k = 0; k < targets->n; k++) {
            profile.at[k].sparsity = i < NMI_GRID ? nmi_grid[i] : k % 2 * nmi_grid[NMI_GRID - 1];
        }
        NMI_TRY(nmi_prune_progress(timing->options, 0.2, "timing", err));
        NMI_TRY(time_profile(&each, &t, err));
        if (i < NMI_GRID) {
            keep(targets, &t, i, speed);
        }
    }
    spread_changes(targets, &t, speed->change);
    return NM_OK;
}
