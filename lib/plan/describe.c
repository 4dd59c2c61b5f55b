/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as JSON: what nm_session_describe returns. The keys are documented in docs/cli.md. */
#include "lib/plan/plan.h"

static const char *const kind_names[] = {"plain", "nhwc", "block8", "block16", "lanes"};

static void layout(struct nmi_text *t, const char *key, const struct nmi_image *image)
{
    const struct nmi_layout *l = &image->layout;
    nmi_json_open(t, key, '{');
    nmi_json_string(t, "kind", kind_names[l->kind]);
    const int64_t dims[] = {image->n, image->c, image->h, image->w};
    nmi_json_ints(t, "shape", dims, 4);
    if (l->kind == NMI_LANES) {
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
    nmi_json_string(t, "kernel", step->kernel->name);
    nmi_json_int(t, "parts", step->parts);
    if (step->kernel->kind == NMI_KIND_SPCONV) {
        layout(t, "x", &step->desc.conv.x);
        layout(t, "y", &step->desc.conv.y);
        blocking(t, &step->desc.conv.blocking);
    } else if (step->kernel->kind == NMI_KIND_CONVERT) {
        layout(t, "x", &step->desc.convert.from);
        layout(t, "y", &step->desc.convert.to);
    }
}

static void one_step(const struct nmi_plan *plan, int32_t i, const double *seconds,
                     struct nmi_text *t)
{
    const struct nmi_step *step = &plan->steps[i];
    nmi_json_open(t, NULL, '{');
    nmi_json_int(t, "layer", step->layer);
    nmi_json_string(t, "node", plan->layers[step->layer].node);
    nmi_json_string(t, "op", plan->layers[step->layer].op);
    switch (step->kind) {
    case NMI_STEP_KERNEL:
        kernel_step(step, t);
        break;
    case NMI_STEP_DNNL:
        nmi_json_string(t, "kernel", nmi_dnnl_impl(step->dnnl[0]));
        break;
    case NMI_STEP_EVAL:
        nmi_json_string(t, "kernel", "evaluation");
        break;
    default:
        nmi_json_string(t, "kernel", "copy");
        nmi_json_int(t, "bytes", (int64_t)step->bytes);
    }
    if (seconds != NULL) {
        nmi_json_real(t, "ms", seconds[i] * 1e3);
    }
    nmi_json_close(t, '}');
}

static void one_layer(const struct nmi_layer_note *layer, struct nmi_text *t)
{
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
    nmi_json_string(t, "candidates", layer->candidates);
    nmi_json_close(t, '}');
}

void nmi_plan_describe(const struct nmi_plan *plan, const double *step_seconds, struct nmi_text *t)
{
    nmi_json_open(t, NULL, '{');
    nmi_json_int(t, "threads", plan->threads);
    nmi_json_real(t, "plan_seconds", plan->seconds);
    nmi_json_real(t, "expected_ms", plan->expected * 1e3);
    nmi_json_int(t, "arena_bytes", (int64_t)plan->arena_bytes);
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
        one_layer(&plan->layers[i], t);
    }
    nmi_json_close(t, ']');
    nmi_json_open(t, "steps", '[');
    for (int32_t i = 0; i < plan->n_steps; i++) {
        one_step(plan, i, step_seconds, t);
    }
    nmi_json_close(t, ']');
    nmi_json_close(t, '}');
}
