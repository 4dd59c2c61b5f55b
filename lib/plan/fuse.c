/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A max-pool behind a convolution, in the same layout and read by nobody else, becomes part of the
 * convolution's step where a kernel does both and that is faster: the map before the pool, often
 * the largest of a network, then never leaves the cache.
 */
#include "lib/plan/planner.h"

#include <string.h>

void nmi_conv_pool_of(const struct nmi_pool_desc *pool, struct nmi_conv_pool *out)
{
    *out = (struct nmi_conv_pool){.kh = pool->kh,
                                  .kw = pool->kw,
                                  .stride_h = pool->stride_h,
                                  .stride_w = pool->stride_w};
    memcpy(out->pad, pool->pad, sizeof out->pad);
}

/* A map that is larger than an L2 cache leaves it between convolution and pool. Timed alone the pool
 * finds it in a cache all the same; in a network it waits for memory, about so many bytes a second. */
#define LEAVES_CACHE 2e6
#define MEMORY_RATE 20e9

/* The only reader of a convolution's output, when that is a pool that a convolution may do. */
static struct nmi_layer *pool_behind(struct nmi_planner *p, int32_t conv)
{
    const struct nmi_layer *l = &p->layers[conv];
    const int32_t v = l->node->outputs[0];
    const struct nmi_value_state *state = &p->values[v];
    struct nmi_layer *reader = NULL;
    if (l->kind != NMI_KIND_CONV || l->desc.conv.residual || state->output != NMI_NONE ||
        state->crosses) {
        return NULL;
    }
    for (int32_t i = conv + 1; i < p->n_layers && i <= state->last_use; i++) {
        for (int32_t k = 0; k < p->layers[i].node->n_inputs; k++) {
            if (p->layers[i].node->inputs[k] == v) {
                if (reader != NULL) {
                    return NULL;
                }
                reader = &p->layers[i];
            }
        }
    }
    const struct nmi_pool_desc *d = reader != NULL ? &reader->desc.pool : NULL;
    const bool fits = d != NULL && reader->kind == NMI_KIND_POOL && !d->average && d->dil_h == 1 &&
                      d->dil_w == 1;
    return fits ? reader : NULL;
}

/* The convolution's own map must lie in the lanes that the pooled map follows from. */
static bool lanes_agree(const struct nmi_planner *p, const struct nmi_layer *conv,
                        const struct nmi_layer *pool)
{
    static const int32_t none[4];
    const struct nmi_impl *a = &conv->impls[conv->choice], *b = &pool->impls[pool->choice];
    if (a->step != NMI_STEP_KERNEL || a->out_kind != b->in_kind || b->in_kind != b->out_kind) {
        return false;
    }
    if (a->out_kind != NMI_LANES) {
        return true;
    }
    const struct nmi_layout map = nmi_impl_output(p, conv, a);
    const struct nmi_layout pooled = nmi_impl_output(p, pool, b);
    const struct nmi_layout from = nmi_layout_input(&pooled, pool->desc.pool.stride_h,
                                                    pool->desc.pool.stride_w, none);
    return nmi_layout_same_lanes(&map, &from);
}

/* The blockings of the chosen kernel for both together. */
static nm_status blockings(const struct nmi_planner *p, const struct nmi_layer *conv,
                           struct nmi_blocking *out, int max, int *n, nm_error *err)
{
    const struct nmi_impl *impl = &conv->impls[conv->choice];
    const struct nmi_layout x = nmi_impl_input(p, conv, impl, 0);
    const struct nmi_layout y = nmi_impl_output(p, conv->pool, &conv->pool->impls[conv->pool->choice]);
    const union nmi_desc d = nmi_impl_desc(conv, impl, &x, &y);
    struct nmi_csr csr;
    void *memory = NULL;
    *n = 0;
    if (impl->kernel->refuse(&d) != NULL) {
        return NM_OK;
    }
    if (impl->kernel->candidates == NULL) {
        out[(*n)++] = impl->blocking;
        return NM_OK;
    }
    const bool dense = impl->kernel->pack_dense != NULL;
    NMI_TRY(dense ? NM_OK : nmi_csr_build(&conv->csr, &csr, &memory, err));
    *n = impl->kernel->candidates(&d, dense ? NULL : &csr, out, max);
    nmi_free(memory);
    return NM_OK;
}

/* Seconds that the map between both takes on its way, beyond what the pool alone was timed at. */
static double traffic(const struct nmi_layer *conv)
{
    const struct nmi_image *map = &conv->out_image;
    const double bytes = (double)map->n * map->c * map->h * map->w * sizeof(float);
    return bytes > LEAVES_CACHE ? bytes / MEMORY_RATE : 0;
}

static nm_status fuse(struct nmi_planner *p, struct nmi_layer *conv, struct nmi_layer *pool,
                      nm_error *err)
{
    struct nmi_blocking tries[6];
    struct nmi_impl best = conv->impls[conv->choice];
    const double apart = best.seconds + pool->impls[pool->choice].seconds;
    int n;
    conv->pool = pool;
    NMI_TRY(blockings(p, conv, tries, p->options->fixed ? 1 : (int)NMI_COUNT(tries), &n, err));
    best.seconds = p->options->fixed ? 0 : apart + traffic(conv); /* by rule, fused wins */
    bool better = p->options->fixed && n > 0;
    for (int i = 0; i < n; i++) {
        struct nmi_impl impl = conv->impls[conv->choice];
        impl.blocking = tries[i];
        if (!p->options->fixed) {
            NMI_TRY(nmi_measure_impl(p, conv, &impl, err));
        }
        if (p->options->fixed || impl.seconds < best.seconds) {
            best = impl;
            better = true;
        }
    }
    if (!better) {
        conv->pool = NULL;
        return NM_OK;
    }
    conv->impls[conv->choice] = best;
    pool->impls[pool->choice].step = NMI_IMPL_FUSED;
    pool->impls[pool->choice].seconds = 0;
    p->plan->expected -= (apart - best.seconds) * nmi_layer_turns(p, conv);
    return NM_OK;
}

nm_status nmi_plan_fuse(struct nmi_planner *p, nm_error *err)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        struct nmi_layer *pool = pool_behind(p, i);
        if (pool != NULL && pool->segment == p->layers[i].segment &&
            lanes_agree(p, &p->layers[i], pool)) {
            NMI_TRY(fuse(p, &p->layers[i], pool, err));
        }
    }
    return NM_OK;
}
