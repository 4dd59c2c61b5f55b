/* SPDX-License-Identifier: Apache-2.0 */
/* The order of planning, and the notes that explain it. */
#include "lib/plan/planner.h"

#include "lib/base/cpu.h"
#include "lib/base/parallel.h"

#include <stdio.h>
#include <string.h>

static const char *impl_name(const struct nmi_layer *layer, const struct nmi_impl *impl)
{
    switch (impl->step) {
    case NMI_STEP_KERNEL:
        return impl->kernel->name;
    case NMI_STEP_DNNL:
        if (impl->act_after) {
            return "oneDNN, activation apart";
        }
        return impl->algo == NMI_DNNL_WINOGRAD ? "oneDNN Winograd"
               : nmi_impl_bf16(impl)           ? "oneDNN bfloat16"
                                               : "oneDNN";
    case NMI_IMPL_ALIAS:
        return "alias";
    case NMI_IMPL_CONCAT:
        return "copy";
    case NMI_IMPL_FUSED:
        return "part of the convolution before it";
    default:
        return layer->kind == NMI_KIND_NONE ? "evaluation" : "reference";
    }
}

/* "name ms, name ms": what was looked at, tiles and blocks included. */
static const char *candidate_list(struct nmi_planner *p, const struct nmi_layer *layer)
{
    char text[2048];
    size_t n = 0;
    for (int32_t i = 0; i < layer->n_impls && n + 160 < sizeof text; i++) {
        const struct nmi_impl *impl = &layer->impls[i];
        char how[64] = "";
        if (impl->step == NMI_STEP_KERNEL && impl->kernel->candidates != NULL) {
            snprintf(how, sizeof how, " %dx%d/%d/%d", impl->blocking.tr, impl->blocking.tc,
                     impl->blocking.icb, impl->blocking.order);
        }
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s %.4f ms%s", i ? ", " : "",
                              impl_name(layer, impl), how, impl->seconds * 1e3,
                              i == layer->choice ? " (chosen)" : "");
    }
    return nmi_arena_string(&p->plan->meta, text, n);
}

static struct nmi_dims dims_of(const struct nmi_tensor *t)
{
    struct nmi_dims d = {.rank = t->rank};
    memcpy(d.dims, t->dims, sizeof d.dims);
    return d;
}

static double bytes_of(const struct nmi_tensor *t)
{
    size_t bytes = 0;
    return t->rank >= 0 && nmi_tensor_bytes((int32_t)t->type, t->rank, t->dims, &bytes)
               ? (double)bytes
               : 0;
}

/* Shapes of out 0 and of the weight, and the bytes of all that is no constant. */
static void note_shapes(const struct nmi_planner *p, const struct nmi_layer *layer,
                        struct nmi_layer_note *note)
{
    const struct nmi_tensor out = nmi_layer_tensor(p, layer, layer->node->outputs[0]);
    note->out = dims_of(&out);
    note->map_bytes = bytes_of(&out);
    for (int32_t k = 0; k < layer->node->n_inputs; k++) {
        const int32_t value = layer->node->inputs[k];
        if (value != NMI_NONE && p->graph->values[value].constant == NMI_NONE) {
            const struct nmi_tensor in = nmi_layer_tensor(p, layer, value);
            note->map_bytes += bytes_of(&in);
        }
    }
    if (layer->weight != NULL) {
        const struct nmi_tensor weight = nmi_layer_tensor(p, layer, layer->node->inputs[1]);
        note->weight = dims_of(&weight);
    }
}

static nm_status notes(struct nmi_planner *p, nm_error *err)
{
    struct nmi_plan *plan = p->plan;
    plan->n_layers = p->n_layers;
    plan->layers = nmi_arena_array(&plan->meta, (size_t)p->n_layers + 1, sizeof *plan->layers);
    if (plan->layers == NULL) {
        return nmi_fail_memory(err, (size_t)p->n_layers * sizeof *plan->layers, "planning");
    }
    for (int32_t i = 0; i < p->n_layers; i++) {
        const struct nmi_layer *layer = &p->layers[i];
        const struct nmi_impl *impl = &layer->impls[layer->choice];
        const double zeros =
            layer->weight_elems > 0 ? (double)layer->zeros / (double)layer->weight_elems : 0;
        plan->layers[i] = (struct nmi_layer_note){
            .node = layer->node->name,
            .op = layer->op->name,
            .implementation = impl_name(layer, impl),
            .reason = layer->n_impls == 1 ? "the only one" : "least time, conversions included",
            .candidates = candidate_list(p, layer),
            .seconds = impl->seconds,
            .macs = nmi_layer_macs(layer),
            .sparsity = layer->csr.w != NULL ? zeros : -1};
        note_shapes(p, layer, &plan->layers[i]);
        if (plan->layers[i].candidates == NULL) {
            return nmi_fail_memory(err, 2048, "planning");
        }
    }
    plan->layers[p->n_layers] = (struct nmi_layer_note){.node = "",
                                                        .op = "output",
                                                        .implementation = "copy",
                                                        .reason = "",
                                                        .candidates = "",
                                                        .sparsity = -1};
    return NM_OK;
}

nm_status nmi_plan_decide(struct nmi_planner *p, nm_error *err)
{
    NMI_TRY(nmi_plan_layers(p, err));
    NMI_TRY(nmi_plan_candidates(p, err));
    NMI_TRY(nmi_plan_measure(p, err));
    return nmi_plan_choose(p, err);
}

static nm_status work(struct nmi_planner *p, nm_error *err)
{
    NMI_TRY(nmi_plan_variant(p, err));
    NMI_TRY(nmi_plan_decide(p, err));
    NMI_TRY(nmi_plan_fuse(p, err));
    NMI_TRY(nmi_plan_emit(p, err));
    NMI_TRY(nmi_plan_memory(p, err));
    return notes(p, err);
}

nm_status nmi_plan_create(const struct nmi_network *network, const struct nmi_tensor *inputs,
                          const struct nmi_plan_options *options, struct nmi_plan **plan,
                          nm_error *err)
{
    const double start = nmi_now();
    struct nmi_plan *made = nmi_calloc(1, sizeof *made);
    if (made == NULL) {
        return nmi_fail_memory(err, sizeof *made, "a plan");
    }
    made->threads = options->threads;
    made->meta.limit = options->arena_limit; /* folded values lie there */
    struct nmi_planner p = {.net = network,
                            .graph = network->graph,
                            .inputs = inputs,
                            .options = options,
                            .plan = made};
    /* oneDNN reorders weights with a team: ours, not the process's default. */
    const int old = nmi_threads_enter(options->threads);
    nm_status status = work(&p, err);
    nmi_threads_restore(old);
    nmi_operands_free(&p.operands);
    if (status != NM_OK) {
        made->steps = p.steps; /* their oneDNN objects */
        nmi_plan_free(made);
        nmi_arena_free(&p.arena);
        return status;
    }
    nmi_arena_free(&p.arena);
    made->seconds = nmi_now() - start;
    nmi_log(options->log, 1,
            "planned %d layers in %d steps, %.2f s, arena %.1f MiB, expected %.3f ms",
            made->n_layers, made->n_steps, made->seconds, (double)made->arena_bytes / 1048576,
            made->expected * 1e3);
    *plan = made;
    return NM_OK;
}

void nmi_plan_free(struct nmi_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    for (int32_t i = 0; plan->steps != NULL && i < plan->n_steps; i++) {
        for (int32_t k = 0; plan->steps[i].dnnl != NULL && k < plan->steps[i].n_objects; k++) {
            nmi_dnnl_free(plan->steps[i].dnnl[k]);
        }
    }
    nmi_free(plan->memory);
    nmi_arena_free(&plan->meta);
    nmi_free(plan);
}
