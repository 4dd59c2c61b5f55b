/* SPDX-License-Identifier: Apache-2.0 */
/* What a run showed of one layer: the times of its steps together, and the rates they mean. */
#include "lib/plan/plan.h"

const char *nmi_step_kernel(const struct nmi_step *step)
{
    switch (step->kind) {
    case NMI_STEP_KERNEL:
        return step->kernel->name;
    case NMI_STEP_DNNL:
        return nmi_dnnl_impl(step->dnnl[0]);
    case NMI_STEP_EVAL:
        return "evaluation";
    default:
        return "copy";
    }
}

/* Passes that a segment's times stand for: where threads take passes, those of the first thread
 * are timed. */
static double timed_passes(const struct nmi_plan *plan, const struct nmi_segment *s)
{
    const int32_t each = s->passes / plan->threads;
    return s->parallel && each > 0 ? (double)each * plan->threads : s->passes;
}

static void add_steps(const struct nmi_plan *plan, int32_t layer, const struct nmi_segment *segment,
                      const struct nmi_profile *profile, struct nmi_layer_profile *out)
{
    for (int32_t i = segment->first; i < segment->last; i++) {
        const struct nmi_step *step = &plan->steps[i];
        if (step->layer != layer) {
            continue;
        }
        if (step->moves) {
            out->moving += profile->step_seconds[i];
            continue;
        }
        out->computing += profile->step_seconds[i];
        out->kernel = nmi_step_kernel(step);
        out->passes = timed_passes(plan, segment);
        out->weight_bytes += (double)step->weight_bytes;
    }
}

void nmi_plan_layer_profile(const struct nmi_plan *plan, int32_t layer,
                            const struct nmi_profile *profile, struct nmi_layer_profile *out)
{
    const struct nmi_layer_note *note = &plan->layers[layer];
    *out = (struct nmi_layer_profile){.passes = 1, .kernel = "none"};
    for (int32_t s = 0; s < plan->n_segments; s++) {
        add_steps(plan, layer, &plan->segments[s], profile, out);
    }
    out->bytes = note->map_bytes * out->passes + out->weight_bytes;
    if (note->macs > 0 && out->computing > 0) {
        const double nonzeros = note->sparsity > 0 ? 1 - note->sparsity : 1;
        out->gflops = 2e-9 * note->macs * nonzeros * out->passes / out->computing;
        if (profile->bound_gflops > 0) {
            out->bound_percent = 100 * out->gflops / (profile->bound_gflops * plan->threads);
        }
    }
}
