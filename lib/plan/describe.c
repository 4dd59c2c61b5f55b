/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as JSON: what nm_session_describe returns. The keys are documented in docs/cli.md. */
#include "lib/plan/plan.h"

static void layout(struct nmi_text *t, const char *key, const struct nmi_image *image)
{
    const struct nmi_layout *l = &image->layout;
    nmi_json_open(t, key, '{');
    nmi_json_string(t, "kind", nmi_layout_name(l->kind));
    const int64_t dims[] = {image->n, image->c, image->h, image->w};
    nmi_json_ints(t, "shape", dims, 4);
    if (nmi_in_lanes(l->kind)) {
        const int64_t grid[] = {l->gy, l->gx}, sub[] = {l->sub_h, l->sub_w};
        const int64_t halo[] = {l->halo[0], l->halo[1], l->halo[2], l->halo[3]};
        nmi_json_ints(t, "grid", grid, 2);
        nmi_json_ints(t, "sub_image", sub, 2);
        nmi_json_ints(t, "halo", halo, 4);
    }
    nmi_json_close(t, '}');
}

static void blocking(struct nmi_text *t, const struct nmi_blocking *b)
{
    nmi_json_open(t, "blocking", '{');
    nmi_json_int(t, "tile_rows", b->tr);
    nmi_json_int(t, "tile_cols", b->tc);
    nmi_json_int(t, "channel_block", b->icb);
    nmi_json_int(t, "order", b->order);
    nmi_json_int(t, "slices", b->slices);
    nmi_json_close(t, '}');
}

static void kernel_step(const struct nmi_step *step, struct nmi_text *t)
{
    nmi_json_int(t, "parts", step->parts);
    if (step->kernel->kind == NMI_KIND_SPCONV || step->kernel->kind == NMI_KIND_CONV) {
        layout(t, "x", &step->desc.conv.x);
        layout(t, "y", &step->desc.conv.y);
        if (step->kernel->candidates != NULL) {
            blocking(t, &step->desc.conv.blocking);
        }
    } else if (step->kernel->kind == NMI_KIND_CONVERT) {
        layout(t, "x", &step->desc.convert.from);
        layout(t, "y", &step->desc.convert.to);
    }
}

static void one_step(const struct nmi_plan *plan, int32_t i, const struct nmi_profile *profile,
                     struct nmi_text *t)
{
    const struct nmi_step *step = &plan->steps[i];
    nmi_json_open(t, NULL, '{');
    nmi_json_int(t, "layer", step->layer);
    nmi_json_string(t, "node", plan->layers[step->layer].node);
    nmi_json_string(t, "op", plan->layers[step->layer].op);
    nmi_json_string(t, "kernel", nmi_step_kernel(step));
    if (step->kind == NMI_STEP_KERNEL) {
        kernel_step(step, t);
    } else if (step->kind == NMI_STEP_COPY) {
        nmi_json_int(t, "bytes", (int64_t)step->bytes);
    }
    if (profile != NULL) {
        nmi_json_real(t, "ms", profile->step_seconds[i] * 1e3);
    }
    nmi_json_close(t, '}');
}

static void layer_profile(const struct nmi_plan *plan, int32_t i, const struct nmi_profile *profile,
                          struct nmi_text *t)
{
    struct nmi_layer_profile layer;
    nmi_plan_layer_profile(plan, i, profile, &layer);
    nmi_json_string(t, "kernel", layer.kernel);
    nmi_json_real(t, "ms", layer.computing * 1e3);
    nmi_json_real(t, "moving_ms", layer.moving * 1e3);
    if (layer.gflops > 0) {
        nmi_json_real(t, "gflops", layer.gflops);
        if (profile->bound_gflops > 0) {
            nmi_json_real(t, "bound_percent", layer.bound_percent);
        }
    }
}

static void one_layer(const struct nmi_plan *plan, int32_t i, const struct nmi_profile *profile,
                      struct nmi_text *t)
{
    const struct nmi_layer_note *layer = &plan->layers[i];
    nmi_json_open(t, NULL, '{');
    nmi_json_string(t, "node", layer->node);
    nmi_json_string(t, "op", layer->op);
    nmi_json_string(t, "implementation", layer->implementation);
    nmi_json_string(t, "reason", layer->reason);
    nmi_json_real(t, "expected_ms", layer->seconds * 1e3);
    if (layer->macs > 0) {
        nmi_json_real(t, "macs", layer->macs);
    }
    if (layer->sparsity >= 0) {
        nmi_json_real(t, "sparsity", layer->sparsity);
    }
    if (layer->weight.rank > 0) {
        nmi_json_ints(t, "weight", layer->weight.dims, layer->weight.rank);
    }
    nmi_json_ints(t, "shape", layer->out.dims, layer->out.rank);
    if (profile != NULL) {
        layer_profile(plan, i, profile, t);
    }
    nmi_json_string(t, "candidates", layer->candidates);
    nmi_json_close(t, '}');
}

void nmi_plan_describe(const struct nmi_plan *plan, const struct nmi_profile *profile,
                       struct nmi_text *t)
{
    nmi_json_open(t, NULL, '{');
    nmi_json_int(t, "threads", plan->threads);
    nmi_json_real(t, "plan_seconds", plan->seconds);
    nmi_json_int(t, "measured", plan->measured);
    nmi_json_int(t, "cached", plan->cached);
    nmi_json_real(t, "expected_ms", plan->expected * 1e3);
    nmi_json_int(t, "arena_bytes", (int64_t)plan->arena_bytes);
    if (profile != NULL) {
        nmi_json_real(t, "bound_gflops", profile->bound_gflops);
    }
    nmi_json_open(t, "segments", '[');
    for (int32_t i = 0; i < plan->n_segments; i++) {
        const struct nmi_segment *s = &plan->segments[i];
        nmi_json_open(t, NULL, '{');
        nmi_json_int(t, "first_step", s->first);
        nmi_json_int(t, "steps", s->last - s->first);
        nmi_json_int(t, "passes", s->passes);
        nmi_json_bool(t, "parallel_passes", s->parallel);
        nmi_json_close(t, '}');
    }
    nmi_json_close(t, ']');
    nmi_json_open(t, "layers", '[');
    for (int32_t i = 0; i < plan->n_layers; i++) {
        one_layer(plan, i, profile, t);
    }
    nmi_json_close(t, ']');
    nmi_json_open(t, "steps", '[');
    for (int32_t i = 0; i < plan->n_steps; i++) {
        one_step(plan, i, profile, t);
    }
    nmi_json_close(t, ']');
    nmi_json_close(t, '}');
}
