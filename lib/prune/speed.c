/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/speed.h"

#include "lib/base/checked.h"
#include "lib/base/cpu.h"
#include "lib/prune/magnitude.h"
#include "lib/run/session.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS = 15, WARM = 2 };

/* A network that is run again and again on one input. */
struct runner {
    struct nmi_network network;
    struct nmi_session *session;
    nm_tensor in, *out;
    size_t n_out;
};

static nm_status open_runner(struct runner *r, const struct nmi_graph *graph,
                             const nm_prune_options *options, bool dense,
                             const struct nmi_tensor *input, nm_error *err)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = options->threads;
    o.dense = dense;
    o.cache_file = options->cache_file;
    *r = (struct runner){.network.graph = graph, .n_out = (size_t)graph->n_outputs};
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

nm_status nmi_speed_of(const struct nmi_graph *graph, const nm_prune_options *options, bool dense,
                       const struct nmi_tensor *input, double *ms, nm_error *err)
{
    struct runner r;
    double times[RUNS];
    nm_status status = open_runner(&r, graph, options, dense, input, err);
    for (int i = -WARM; i < RUNS && status == NM_OK; i++) {
        status = run_once(&r, &times[i < 0 ? 0 : i], err);
    }
    close_runner(&r);
    if (status == NM_OK) {
        qsort(times, RUNS, sizeof *times, by_size);
        *ms = times[RUNS / 2];
    }
    return status;
}

/* ---- by layer ------------------------------------------------------------------------------- */

/* A copy of the source thinned by magnitude, and the network that runs with its weights. */
struct thinned {
    struct nmi_graph *source, *running;
};

static nm_status thin(const struct nmi_targets *targets, const struct nmi_graph *source,
                      struct thinned *to, nm_error *err)
{
    NMI_TRY(nmi_graph_copy(source, nmi_op_attr_bytes, &to->source, err));
    NMI_TRY(nmi_graph_copy(targets->graph, nmi_op_attr_bytes, &to->running, err));
    NMI_TRY(nmi_prune_magnitude(targets, false, 0, to->source, err));
    struct nmi_graph *g = to->running;
    for (int32_t k = 0; k < targets->n; k++) {
        const struct nmi_weight_info *w = &targets->at[k].info;
        if (targets->at[k].chosen) {
            g->constants[g->values[w->value].constant].data =
                nmi_graph_constant(to->source, w->constant->source)->data;
        }
    }
    return NM_OK;
}

static void thinned_free(struct thinned *t)
{
    nmi_graph_free(t->running);
    nmi_graph_free(t->source);
}

nm_status nmi_speed_profile(const struct nmi_targets *targets, const struct nmi_graph *source,
                            const nm_prune_options *options, const struct nmi_tensor *input,
                            double *ms, nm_error *err)
{
    struct thinned t = {0};
    nm_status status = thin(targets, source, &t, err);
    status = status == NM_OK ? nmi_speed_of(t.running, options, false, input, ms, err) : status;
    thinned_free(&t);
    return status;
}

static double layer_ms(const struct nmi_plan *plan, const double *seconds, const char *node)
{
    double sum = 0;
    for (int32_t s = 0; s < plan->n_steps; s++) {
        if (strcmp(plan->layers[plan->steps[s].layer].node, node) == 0) {
            sum += 1e3 * seconds[s];
        }
    }
    return sum;
}

/* Medians over some runs: ms of each target's layer, and of the whole behind them. */
static nm_status time_layers(const struct nmi_targets *targets, struct runner *r, double *ms,
                             nm_error *err)
{
    const int32_t n = targets->n;
    double *times = nmi_calloc(((size_t)n + 1) * RUNS, sizeof *times);
    nm_status status =
        times != NULL ? NM_OK : nmi_fail_memory(err, (size_t)n * RUNS * sizeof *times, "times");
    for (int i = -WARM; i < RUNS && status == NM_OK; i++) {
        const int at = i < 0 ? 0 : i;
        status = run_once(r, &times[n * RUNS + at], err);
        const double *seconds;
        const struct nmi_plan *plan = nmi_session_plan(r->session, &seconds);
        for (int32_t k = 0; status == NM_OK && k < n; k++) {
            times[k * RUNS + at] = layer_ms(plan, seconds, nmi_target_node(targets, &targets->at[k]));
        }
    }
    for (int32_t k = 0; k <= n && status == NM_OK; k++) {
        qsort(times + k * RUNS, RUNS, sizeof *times, by_size);
        ms[k] = times[k * RUNS + RUNS / 2];
    }
    nmi_free(times);
    return status;
}

/* All chosen targets at one sparsity. */
static nm_status time_grid(const struct nmi_targets *targets, const struct nmi_graph *source,
                           const nm_prune_options *options, const struct nmi_tensor *input,
                           double *ms, nm_error *err)
{
    struct thinned t = {0};
    struct runner r = {0};
    nm_status status = thin(targets, source, &t, err);
    if (status == NM_OK) {
        status = open_runner(&r, t.running, options, false, input, err);
        status = status == NM_OK ? time_layers(targets, &r, ms, err) : status;
        close_runner(&r);
    }
    thinned_free(&t);
    return status;
}

nm_status nmi_speed_measure(const struct nmi_targets *targets, const struct nmi_graph *source,
                            const nm_prune_options *options, const struct nmi_tensor *input,
                            struct nmi_arena *arena, struct nmi_speed *speed, nm_error *err)
{
    const size_t n = (size_t)targets->n + 1;
    double *ms = nmi_arena_array(arena, n, sizeof *ms);
    struct nmi_targets uniform = {
        targets->graph, nmi_arena_copy(arena, targets->at, n * sizeof *targets->at), targets->n};
    speed->ms = nmi_arena_array(arena, n, sizeof *speed->ms);
    if (ms == NULL || speed->ms == NULL || uniform.at == NULL) {
        return nmi_fail_memory(err, n * sizeof *speed->ms, "times");
    }
    NMI_TRY(nmi_speed_of(targets->graph, options, true, input, &speed->dense_ms, err));
    for (int32_t i = 0; i < NMI_GRID; i++) {
        for (int32_t k = 0; k < targets->n; k++) {
            uniform.at[k].sparsity = nmi_grid[i];
        }
        NMI_TRY(nmi_prune_progress(options, 0.2, "timing", err));
        NMI_TRY(time_grid(&uniform, source, options, input, ms, err));
        double layers = 0;
        for (int32_t k = 0; k < targets->n; k++) {
            /* Noise apart, zeros never make a layer slower. */
            const bool slower = i > 0 && ms[k] > speed->ms[k][i - 1];
            speed->ms[k][i] = slower ? speed->ms[k][i - 1] : ms[k];
            layers += targets->at[k].chosen ? ms[k] : 0;
        }
        if (i == 0) {
            speed->other_ms = ms[targets->n] > layers ? ms[targets->n] - layers : 0;
        }
    }
    return NM_OK;
}
