/* SPDX-License-Identifier: Apache-2.0 */
/* The public profile: one arena that owns itself. */
#include "lib/run/profile.h"

#include "lib/base/mem.h"

#include <string.h>

struct owned {
    nm_profile profile; /* first: a profile is its owner */
    struct nmi_arena arena;
};

static const char *keep(struct nmi_arena *arena, const char *s)
{
    return nmi_arena_string(arena, s, strlen(s));
}

static int32_t copy_dims(const struct nmi_dims *from, int64_t to[NM_MAX_DIMS])
{
    for (int32_t i = 0; i < from->rank && i < NM_MAX_DIMS; i++) {
        to[i] = from->dims[i];
    }
    return from->rank;
}

static nm_status one_layer(struct nmi_arena *arena, const struct nmi_plan *plan, int32_t i,
                           const struct nmi_profile *times, const nm_layer_profile **out,
                           nm_error *err)
{
    const struct nmi_layer_note *note = &plan->layers[i];
    nm_layer_profile *l = nmi_arena_alloc(arena, sizeof *l);
    if (l == NULL) {
        return nmi_fail_memory(err, sizeof *l, "a profile");
    }
    struct nmi_layer_profile p;
    nmi_plan_layer_profile(plan, i, times, &p);
    *l = (nm_layer_profile){.node = keep(arena, note->node),
                            .op = keep(arena, note->op),
                            .kernel = keep(arena, p.kernel),
                            .reason = keep(arena, note->reason),
                            .candidates = keep(arena, note->candidates),
                            .sparsity = note->sparsity,
                            .macs = 0.5e9 * p.gflops * p.computing,
                            .ms = 1e3 * p.computing,
                            .expected_ms = 1e3 * note->seconds,
                            .moving_ms = 1e3 * p.moving,
                            .gflops = p.gflops,
                            .bound_percent = p.bound_percent,
                            .bytes = p.bytes,
                            .weight_bytes = p.weight_bytes};
    l->rank = copy_dims(&note->out, l->shape);
    l->weight_rank = copy_dims(&note->weight, l->weight);
    *out = l;
    return l->node && l->op && l->kernel && l->reason && l->candidates
               ? NM_OK
               : nmi_fail_memory(err, sizeof *l, "a profile");
}

static nm_status fill(struct owned *o, const struct nmi_plan *plan, const struct nmi_profile *times,
                      nm_error *err)
{
    const nm_layer_profile **layers =
        nmi_arena_array(&o->arena, (size_t)plan->n_layers + 1, sizeof *layers);
    if (layers == NULL) {
        return nmi_fail_memory(err, (size_t)plan->n_layers * sizeof *layers, "a profile");
    }
    o->profile = (nm_profile){.bound_gflops = times->bound_gflops,
                              .threads = plan->threads,
                              .n_layers = (size_t)plan->n_layers,
                              .layers = layers};
    for (int32_t i = 0; i < plan->n_steps; i++) {
        o->profile.ms += 1e3 * times->step_seconds[i];
    }
    for (int32_t i = 0; i < plan->n_layers; i++) {
        NMI_TRY(one_layer(&o->arena, plan, i, times, &layers[i], err));
    }
    return NM_OK;
}

nm_status nmi_profile_make(const struct nmi_plan *plan, const struct nmi_profile *times,
                           nm_profile **profile, nm_error *err)
{
    struct owned *o = nmi_calloc(1, sizeof *o);
    if (o == NULL) {
        return nmi_fail_memory(err, sizeof *o, "a profile");
    }
    nm_status status = fill(o, plan, times, err);
    if (status != NM_OK) {
        nmi_profile_free(&o->profile);
        return status;
    }
    *profile = &o->profile;
    return NM_OK;
}

void nmi_profile_free(nm_profile *profile)
{
    if (profile != NULL) {
        struct owned *o = (struct owned *)(void *)profile;
        nmi_arena_free(&o->arena);
        nmi_free(o);
    }
}
