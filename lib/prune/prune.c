/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/prune.h"

#include "lib/base/checked.h"
#include "lib/base/cpu.h"
#include "lib/prune/magnitude.h"
#include "lib/prune/reconstruct.h"
#include "lib/prune/report.h"
#include "lib/prune/search.h"

#include <string.h>

/* What all methods start from; freed as a whole. */
struct pruning {
    struct nmi_arena arena;
    nm_prune_options options; /* resolved */
    struct nmi_recipe recipe;
    struct nmi_targets targets;
    struct nmi_layer_result *results;
    struct nmi_search_result search; /* when speedup or max_drop was asked for */
};

static nm_status check_method(const nm_prune_options *o, nm_error *err)
{
    const bool reconstruct = o->method == NM_PRUNE_RECONSTRUCT;
    if ((int)o->method < NM_PRUNE_MAGNITUDE_UNIFORM || o->method > NM_PRUNE_RECONSTRUCT) {
        return nmi_fail(err, NM_EINVAL, "prune: method %d is none of nm_prune_method",
                        (int)o->method);
    }
    if (reconstruct && o->data == NULL) {
        return nmi_fail(err, NM_EINVAL, "prune: NM_PRUNE_RECONSTRUCT needs data to calibrate with");
    }
    if ((o->speedup != 0 || o->max_drop != 0) && !reconstruct) {
        return nmi_fail(err, NM_EINVAL, "prune: speedup and max_drop need NM_PRUNE_RECONSTRUCT");
    }
    if (o->speedup != 0 && !(o->speedup > 1 && o->speedup < 1e3)) {
        return nmi_fail(err, NM_EINVAL, "prune: speedup is %g, it must be above 1", o->speedup);
    }
    if (!(o->max_drop >= 0 && o->max_drop < 1)) {
        return nmi_fail(err, NM_EINVAL, "prune: max_drop is %g, it must be in 0..1", o->max_drop);
    }
    if (o->effort < -1 || o->effort > 0 || o->threads < 0) {
        return nmi_fail(err, NM_EINVAL, "prune: effort is %d and threads %d, they must be in -1..0 "
                        "and not negative", (int)o->effort, (int)o->threads);
    }
    return NM_OK;
}

static nm_status begin(struct pruning *p, const struct nmi_prune_job *job, nm_error *err)
{
    const nm_prune_options *options = job->options;
    NMI_TRY(check_method(options, err));
    p->options = *options;
    if (p->options.threads == 0) {
        p->options.threads = nmi_cpu_threads();
    }
    const bool recipe = options->recipe != NULL;
    if (recipe) {
        NMI_TRY(nmi_recipe_parse(options->recipe, &p->arena, &p->recipe, err));
    }
    NMI_TRY(nmi_targets_choose(job->optimised, &p->options, recipe ? &p->recipe : NULL, &p->arena,
                               &p->targets, err));
    p->results = nmi_arena_array(&p->arena, (size_t)p->targets.n + 1, sizeof *p->results);
    return p->results != NULL ? NM_OK
                              : nmi_fail_memory(err, sizeof *p->results, "pruning");
}

static nm_status reconstruct(struct pruning *p, struct nmi_graph *pruned, nm_error *err)
{
    const struct nmi_feed feed = nmi_feed_of(p->options.data, NMI_FEED_ALL, NMI_FEED_WHOLE);
    struct nmi_reconstruct job = {.to = {.targets = &p->targets, .source = pruned},
                                  .options = &p->options,
                                  .feed = &feed,
                                  .results = p->results,
                                  .progress_to = 1};
    NMI_TRY(nmi_graph_copy(p->targets.graph, nmi_op_attr_bytes, &job.to.running, err));
    const nm_status status = nmi_prune_reconstruct(&job, err);
    nmi_graph_free(job.to.running);
    return status;
}

static bool searches(const nm_prune_options *o)
{
    return o->speedup > 0 || o->max_drop > 0;
}

static nm_status prune(struct pruning *p, const struct nmi_prune_job *job, struct nmi_graph **pruned,
                       nm_error *err)
{
    const nm_prune_options *o = &p->options;
    for (int32_t k = 0; k < p->targets.n; k++) {
        p->results[k].error = -1;
    }
    if (searches(o)) {
        const struct nmi_search search = {&p->targets, job->source, o, p->results, job->prepare};
        return nmi_prune_search(&search, pruned, &p->search, err);
    }
    NMI_TRY(nmi_graph_copy(job->source, nmi_op_attr_bytes, pruned, err));
    return o->method == NM_PRUNE_RECONSTRUCT
               ? reconstruct(p, *pruned, err)
               : nmi_prune_magnitude(&p->targets, o->method == NM_PRUNE_MAGNITUDE_GLOBAL,
                                     o->sparsity, *pruned, err);
}

nm_status nmi_prune(const struct nmi_prune_job *job, struct nmi_graph **pruned, const char **report,
                    nm_error *err)
{
    struct pruning p = {0};
    struct nmi_graph *g = NULL;
    nm_status status = begin(&p, job, err);
    if (status == NM_OK) {
        status = prune(&p, job, &g, err);
    }
    if (status == NM_OK) {
        const struct nmi_prune_outcome outcome = {&p.targets, &p.options, p.results,
                                                  searches(&p.options) ? &p.search : NULL};
        status = nmi_prune_report(&outcome, g, report, err);
    }
    nmi_arena_free(&p.arena);
    if (status != NM_OK) {
        nmi_graph_free(g);
        return status;
    }
    *pruned = g;
    return NM_OK;
}

/* ---- analysis ------------------------------------------------------------------------------- */

/* One item of the data, or zeros. */
static nm_status any_input(const struct pruning *p, struct nmi_tensor *input, nm_error *err)
{
    const struct nmi_graph *g = p->targets.graph;
    const struct nmi_value *v = g->n_inputs == 1 ? &g->values[g->inputs[0]] : NULL;
    size_t bytes = 0;
    if (v == NULL || v->type != NM_F32 || v->rank < 1) {
        return nmi_fail(err, NM_EUNSUPPORTED, "analysis: the model needs one float32 input");
    }
    *input = (struct nmi_tensor){.type = NM_F32, .rank = v->rank};
    memcpy(input->dims, v->dims, sizeof input->dims);
    input->dims[0] = nmi_dim_known(v->dims[0]) ? v->dims[0] : 1;
    if (!nmi_tensor_bytes(NM_F32, input->rank, input->dims, &bytes)) {
        return nmi_fail(err, NM_EINVAL, "analysis: input %s has free dimensions: data is needed",
                        v->name);
    }
    if (p->options.data != NULL) {
        const struct nmi_feed feed = nmi_feed_of(p->options.data, NMI_FEED_ALL, NMI_FEED_WHOLE);
        return nmi_feed_read(&feed, 0, input->dims[0], input, err);
    }
    input->data = nmi_calloc(bytes, 1);
    return input->data != NULL ? NM_OK : nmi_fail_memory(err, bytes, "an input");
}

static nm_status find_errors(struct pruning *p, const struct nmi_graph *source,
                             struct nmi_layer_grid *grid, nm_error *err)
{
    const struct nmi_feed feed = nmi_feed_of(p->options.data, NMI_FEED_ALL, NMI_FEED_WHOLE);
    struct nmi_reconstruct job = {.to = {.targets = &p->targets},
                                  .options = &p->options,
                                  .feed = &feed,
                                  .results = p->results,
                                  .grid = grid,
                                  .progress_from = 0.2, /* behind the times */
                                  .progress_to = 1};
    nm_status status = nmi_graph_copy(source, nmi_op_attr_bytes, &job.to.source, err);
    if (status == NM_OK) {
        status = nmi_graph_copy(p->targets.graph, nmi_op_attr_bytes, &job.to.running, err);
    }
    status = status == NM_OK ? nmi_prune_reconstruct(&job, err) : status;
    nmi_graph_free(job.to.running);
    nmi_graph_free(job.to.source);
    return status;
}

static nm_status analyse(struct pruning *p, const struct nmi_prune_job *job, char **json,
                         nm_error *err)
{
    struct nmi_tensor input = {0};
    struct nmi_speed speed;
    struct nmi_text t = {0};
    struct nmi_layer_grid *grid =
        nmi_arena_array(&p->arena, (size_t)p->targets.n + 1, sizeof *grid);
    if (grid == NULL) {
        return nmi_fail_memory(err, sizeof *grid, "an analysis");
    }
    NMI_TRY(any_input(p, &input, err));
    const struct nmi_timing timing = {&p->targets, job->source, &p->options, &input, job->prepare};
    nm_status status = nmi_speed_measure(&timing, &p->arena, &speed, err);
    nmi_free(input.data);
    if (status == NM_OK && p->options.data != NULL) {
        status = find_errors(p, job->source, grid, err);
    }
    NMI_TRY(status);
    nmi_prune_report_analysis(&p->targets, &speed, p->options.data != NULL ? grid : NULL, &t);
    return nmi_text_take(&t, json, err);
}

nm_status nmi_prune_analyze(const struct nmi_prune_job *job, char **json, nm_error *err)
{
    struct pruning p = {0};
    nm_status status = begin(&p, job, err);
    status = status == NM_OK ? analyse(&p, job, json, err) : status;
    nmi_arena_free(&p.arena);
    return status;
}

nm_status nmi_prune_fit_data(const nm_prune_options *options, struct nmi_graph *graph, nm_error *err)
{
    if (options->data == NULL) {
        return NM_OK;
    }
    NMI_TRY(nmi_feed_check(options->data, graph, err));
    return options->judge != NULL ? nmi_feed_check(options->judge, graph, err) : NM_OK;
}
