/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch runs image by image, lane = space. Small maps leave lanes idle that way and read all
 * weights for each image: from some layer on, several images together (lane = image, or a mix) may
 * be faster. Where to change is settled by planning each way and comparing what is expected.
 */
#include "lib/plan/planner.h"

#include "lib/base/hash.h"

#include <string.h>

enum { MAX_AREAS = 2, LARGEST_AREA = 256 };

/* Plans up to the choices with a state of its own. areas (may be NULL): the first and the last small
 * map of a layer in lanes, in pixels; 0: none. */
static nm_status try(const struct nmi_planner *from, int32_t area, double *seconds,
                     int32_t areas[MAX_AREAS], nm_error *err)
{
    struct nmi_plan scratch = {.threads = from->options->threads,
                               .meta = {.limit = from->options->arena_limit}};
    struct nmi_planner p = {.net = from->net,
                            .graph = from->graph,
                            .inputs = from->inputs,
                            .options = from->options,
                            .plan = &scratch,
                            .late_area = area};
    nm_status status = nmi_plan_decide(&p, err);
    *seconds = scratch.expected;
    if (status == NM_OK && areas != NULL) {
        memset(areas, 0, MAX_AREAS * sizeof *areas);
        for (int32_t i = 0; i < p.n_layers; i++) {
            const struct nmi_layer *l = &p.layers[i];
            const int64_t size = (int64_t)l->out_image.h * l->out_image.w;
            if (l->kind != NMI_KIND_CONV || !nmi_in_lanes(l->impls[l->choice].out_kind) ||
                !l->batched || size > LARGEST_AREA || size == areas[0] || size == areas[1]) {
                continue;
            }
            areas[areas[0] != 0] = (int32_t)size;
        }
    }
    from->plan->measured += scratch.measured;
    nmi_operands_free(&p.operands);
    nmi_arena_free(&p.arena);
    nmi_arena_free(&scratch.meta);
    return status;
}

/* The network, as far as the choice depends on it: shapes, and zeros in steps of 3 %. */
static nm_status key_of(struct nmi_planner *p, uint64_t *key, nm_error *err)
{
    const int32_t n = nmi_weighted_nodes(p->graph, NULL, 0);
    struct nmi_weight_info *w = nmi_arena_array(&p->arena, (size_t)n + 1, sizeof *w);
    if (w == NULL) {
        return nmi_fail_memory(err, (size_t)n * sizeof *w, "planning");
    }
    (void)nmi_weighted_nodes(p->graph, w, n);
    *key = nmi_measure_key(p, p->options->threads);
    *key = p->options->bf16 ? nmi_hash(*key, "bf16", 4) : *key;
    *key = p->options->fp16 ? nmi_hash(*key, "fp16", 4) : *key;
    for (int32_t i = 0; i < p->graph->n_inputs; i++) {
        *key = nmi_hash(*key, p->inputs[i].dims, sizeof p->inputs[i].dims);
    }
    for (int32_t i = 0; i < n; i++) {
        const int64_t facts[] = {w[i].elems, w[i].elems > 0 ? w[i].zeros * 32 / w[i].elems : 0};
        *key = nmi_hash(*key, facts, sizeof facts);
    }
    return NM_OK;
}

/* Tries each way, and notes the best. */
static nm_status search(struct nmi_planner *p, int32_t *area, nm_error *err)
{
    int32_t areas[MAX_AREAS];
    double least, seconds;
    *area = 0;
    NMI_TRY(try(p, 0, &least, areas, err));
    for (int i = 0; i < MAX_AREAS; i++) {
        if (areas[i] != 0) {
            NMI_TRY(try(p, areas[i], &seconds, NULL, err));
            *area = seconds < least ? areas[i] : *area;
            least = seconds < least ? seconds : least;
        }
    }
    return NM_OK;
}

nm_status nmi_plan_variant(struct nmi_planner *p, nm_error *err)
{
    struct nmi_cache *cache = p->options->cache;
    uint64_t key;
    double known;
    bool batch = false;
    for (int32_t i = 0; i < p->graph->n_inputs; i++) {
        batch |= p->inputs[i].rank >= 2 && p->inputs[i].dims[0] > 1;
    }
    p->late_area = p->options->late_area;
    if (p->late_area > 0 || !batch || p->options->fixed || p->options->dense ||
        nmi_isa_lanes(p->options->isa) == 0) {
        return NM_OK;
    }
    NMI_TRY(key_of(p, &key, err));
    if (nmi_cache_find(cache, key, &known)) {
        p->late_area = (int32_t)known - 1;
    } else {
        NMI_TRY(search(p, &p->late_area, err));
        nmi_cache_add(cache, key, p->late_area + 1);
    }
    return NM_OK;
}
