/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/prune.h"

#include "lib/base/cpu.h"
#include "lib/prune/magnitude.h"
#include "lib/prune/reconstruct.h"
#include "lib/prune/report.h"

#include <string.h>

/* What all methods start from; freed as a whole. */
struct pruning {
    struct nmi_arena arena;
    nm_prune_options options; /* resolved */
    struct nmi_recipe recipe;
    struct nmi_targets targets;
    struct nmi_layer_result *results;
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

static nm_status begin(struct pruning *p, const struct nmi_graph *optimised,
                       const nm_prune_options *options, nm_error *err)
{
    NMI_TRY(check_method(options, err));
    p->options = *options;
    if (p->options.threads == 0) {
        p->options.threads = nmi_cpu_threads();
    }
    const bool recipe = options->recipe != NULL;
    if (recipe) {
        NMI_TRY(nmi_recipe_parse(options->recipe, &p->arena, &p->recipe, err));
    }
    NMI_TRY(nmi_targets_choose(optimised, &p->options, recipe ? &p->recipe : NULL, &p->arena,
                               &p->targets, err));
    p->results = nmi_arena_array(&p->arena, (size_t)p->targets.n + 1, sizeof *p->results);
    return p->results != NULL ? NM_OK
                              : nmi_fail_memory(err, sizeof *p->results, "pruning");
}

static nm_status reconstruct(struct pruning *p, struct nmi_graph *pruned, nm_error *err)
{
    const struct nmi_feed feed = {p->options.data, 0, 1, p->options.data->items};
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

static nm_status prune(struct pruning *p, struct nmi_graph *pruned, nm_error *err)
{
    for (int32_t k = 0; k < p->targets.n; k++) {
        p->results[k].error = -1;
    }
    if (p->options.method != NM_PRUNE_RECONSTRUCT) {
        return nmi_prune_magnitude(&p->targets, p->options.method == NM_PRUNE_MAGNITUDE_GLOBAL,
                                   p->options.sparsity, pruned, err);
    }
    return reconstruct(p, pruned, err);
}

nm_status nmi_prune(const struct nmi_graph *optimised, const struct nmi_graph *source,
                    const nm_prune_options *options, struct nmi_graph **pruned, const char **report,
                    nm_error *err)
{
    struct pruning p = {0};
    struct nmi_graph *g = NULL;
    nm_status status = begin(&p, optimised, options, err);
    if (status == NM_OK) {
        status = nmi_graph_copy(source, nmi_op_attr_bytes, &g, err);
    }
    if (status == NM_OK) {
        status = prune(&p, g, err);
    }
    if (status == NM_OK) {
        const struct nmi_prune_outcome outcome = {&p.targets, &p.options, p.results};
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

nm_status nmi_prune_fit_data(const nm_prune_options *options, struct nmi_graph *graph, nm_error *err)
{
    if (options->data == NULL) {
        return NM_OK;
    }
    NMI_TRY(nmi_feed_check(options->data, graph, err));
    return options->judge != NULL ? nmi_feed_check(options->judge, graph, err) : NM_OK;
}
