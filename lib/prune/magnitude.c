/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threshold is found by counting, not sorting: absolute values of floats are ordered like their
 * bits, so two histograms of 16 bits give the exact k-th smallest.
 */
#include "lib/prune/magnitude.h"

#include "lib/ops/attrs.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#define BINS 65536

struct layer {
    struct nmi_weight_info info;
    const float *scale; /* of each row, or NULL */
    int64_t cols;
    bool chosen;
};

struct pruner {
    const struct nmi_graph *graph, *source;
    const nm_prune_options *options;
    struct layer *layers;
    int32_t n;
    int64_t *bins;
};

/* All weights below bits go, and of those that equal bits the first `ties`. */
struct threshold {
    uint32_t bits;
    int64_t ties;
};

static uint32_t magnitude(float w)
{
    uint32_t bits;
    memcpy(&bits, &w, sizeof bits);
    return bits & 0x7fffffffu;
}

/* Of element i as the layer means it: a folded BatchNormalization is a scale of each row. */
static uint32_t magnitude_at(const struct layer *l, int64_t i)
{
    const float w = ((const float *)l->info.constant->data)[i];
    return magnitude(l->scale != NULL ? w * l->scale[i / l->cols] : w);
}

/* ---- which layers
 * ------------------------------------------------------------------------------------ */

static bool matches(const struct pruner *p, const struct layer *l, const char *pattern)
{
    return fnmatch(pattern, p->graph->nodes[l->info.node].name, 0) == 0 ||
           fnmatch(pattern, p->graph->values[l->info.value].name, 0) == 0;
}

static bool depthwise(const struct pruner *p, const struct layer *l)
{
    const struct nmi_node *node = &p->graph->nodes[l->info.node];
    return (node->op == NMI_OP_Conv || node->op == NMI_OP_ConvTranspose) &&
           ((const struct nmi_conv_attrs *)node->attrs)->group == l->info.constant->dims[0];
}

static nm_status choose_by_pattern(struct pruner *p, nm_error *err)
{
    for (size_t i = 0; i < p->options->n_layers; i++) {
        bool any = false;
        for (int32_t k = 0; k < p->n; k++) {
            if (matches(p, &p->layers[k], p->options->layers[i])) {
                p->layers[k].chosen = any = true;
            }
        }
        if (!any) {
            return nmi_fail(err, NM_EINVAL, "prune: no layer is called %s", p->options->layers[i]);
        }
    }
    return NM_OK;
}

static void choose_default(struct pruner *p)
{
    bool first = true;
    for (int32_t k = 0; k < p->n; k++) {
        const bool conv = p->graph->nodes[p->layers[k].info.node].op == NMI_OP_Conv;
        p->layers[k].chosen = !(conv && first) && k != p->n - 1 && !depthwise(p, &p->layers[k]);
        first &= !conv;
    }
}

static nm_status choose(struct pruner *p, nm_error *err)
{
    if (p->options->n_layers > 0) {
        NMI_TRY(choose_by_pattern(p, err));
    } else {
        choose_default(p);
    }
    for (int32_t k = 0; k < p->n; k++) {
        struct layer *l = &p->layers[k];
        for (size_t i = 0; i < p->options->n_exclude; i++) {
            l->chosen &= !matches(p, l, p->options->exclude[i]);
        }
        /* Without a source its zeros could not be written back. */
        if (l->chosen && l->info.constant->source == NMI_NONE && p->options->n_layers > 0) {
            return nmi_fail(
                err, NM_EUNSUPPORTED,
                "prune: weight %s is computed from the file's tensors, expected one that "
                "stands in the file: leave it out of the layers",
                p->graph->values[l->info.value].name);
        }
        l->chosen &= l->info.constant->source != NMI_NONE;
    }
    return NM_OK;
}

/* ---- threshold
 * ----------------------------------------------------------------------------------------- */

/* Adds the layer's weights to the bins: high 16 bits, or the low ones of those with this high part.
 */
static void count(const struct pruner *p, const struct layer *l, int64_t high)
{
    for (int64_t i = 0; i < l->info.elems; i++) {
        const uint32_t m = magnitude_at(l, i);
        if (high < 0) {
            p->bins[m >> 16]++;
        } else if ((int64_t)(m >> 16) == high) {
            p->bins[m & 0xffff]++;
        }
    }
}

static void count_all(const struct pruner *p, const struct layer *only, int64_t high)
{
    memset(p->bins, 0, BINS * sizeof *p->bins);
    for (int32_t k = 0; k < p->n; k++) {
        if (p->layers[k].chosen && (only == NULL || only == &p->layers[k])) {
            count(p, &p->layers[k], high);
        }
    }
}

/* The bin that holds the element number *k (from 0); *k becomes its number within the bin. */
static uint32_t bin_of(const struct pruner *p, int64_t *k)
{
    uint32_t bin = 0;
    while (bin < BINS - 1 && *k >= p->bins[bin]) {
        *k -= p->bins[bin++];
    }
    return bin;
}

/* Of one layer, or (NULL) of all chosen ones together. */
static struct threshold find_threshold(const struct pruner *p, const struct layer *only)
{
    int64_t elems = 0;
    for (int32_t k = 0; k < p->n; k++) {
        if (p->layers[k].chosen && (only == NULL || only == &p->layers[k])) {
            elems += p->layers[k].info.elems;
        }
    }
    /* A hair more, so that 0.9 of 10 is 9 and not 8. */
    int64_t rest = (int64_t)floor(p->options->sparsity * (double)elems + 1e-6);
    if (rest >= elems) {
        return (struct threshold){0x80000000u, 0};
    }
    count_all(p, only, -1);
    const uint32_t high = bin_of(p, &rest);
    count_all(p, only, (int64_t)high);
    const uint32_t low = bin_of(p, &rest);
    return (struct threshold){high << 16 | low, rest};
}

/* ---- masks
 * ------------------------------------------------------------------------------------------- */

static nm_status apply(const struct layer *l, struct threshold *t, struct nmi_graph *pruned,
                       nm_error *err)
{
    const int32_t value = l->info.constant->source;
    struct nmi_constant *c = &pruned->constants[pruned->values[value].constant];
    float *w = nmi_arena_copy(&pruned->arena, c->data, c->bytes);
    if (w == NULL) {
        return nmi_fail_memory(err, c->bytes, "a pruned weight");
    }
    for (int64_t i = 0; i < l->info.elems; i++) {
        const uint32_t m = magnitude_at(l, i);
        if (m < t->bits || (m == t->bits && t->ties > 0)) {
            t->ties -= m == t->bits;
            w[i] = 0;
        }
    }
    c->data = w;
    c->sparse = 1;
    return NM_OK;
}

static nm_status check_finite(const struct pruner *p, const struct layer *l, nm_error *err)
{
    const float *w = l->info.constant->data;
    for (int64_t i = 0; i < l->info.elems; i++) {
        if (isnan(w[i])) {
            return nmi_fail(err, NM_EINVAL, "prune: weight %s has a NaN at element %lld",
                            p->graph->values[l->info.value].name, (long long)i);
        }
    }
    return NM_OK;
}

static nm_status prune(struct pruner *p, struct nmi_graph *pruned, nm_error *err)
{
    const bool global = p->options->method == NM_PRUNE_MAGNITUDE_GLOBAL;
    struct threshold t = {0, 0};
    NMI_TRY(choose(p, err));
    for (int32_t k = 0; k < p->n; k++) {
        if (p->layers[k].chosen) {
            NMI_TRY(check_finite(p, &p->layers[k], err));
        }
    }
    if (global) {
        t = find_threshold(p, NULL);
    }
    for (int32_t k = 0; k < p->n; k++) {
        if (p->layers[k].chosen) {
            t = global ? t : find_threshold(p, &p->layers[k]);
            NMI_TRY(apply(&p->layers[k], &t, pruned, err));
        }
    }
    return NM_OK;
}

static nm_status check_options(const nm_prune_options *o, nm_error *err)
{
    if (!(o->sparsity >= 0 && o->sparsity <= 1)) {
        return nmi_fail(err, NM_EINVAL, "prune: sparsity is %g, it must be in 0..1", o->sparsity);
    }
    if (o->method != NM_PRUNE_MAGNITUDE_UNIFORM && o->method != NM_PRUNE_MAGNITUDE_GLOBAL) {
        return nmi_fail(err, NM_EINVAL, "prune: method %d is none of nm_prune_method",
                        (int)o->method);
    }
    if ((o->n_layers > 0 && o->layers == NULL) || (o->n_exclude > 0 && o->exclude == NULL)) {
        return nmi_fail(err, NM_EINVAL, "prune: a list of patterns is NULL");
    }
    return NM_OK;
}

static struct layer make_layer(const struct nmi_graph *g, const struct nmi_weight_info *info)
{
    const struct nmi_node *node = &g->nodes[info->node];
    struct layer l = {.info = *info, .cols = 1};
    const bool scaled = node->op == NMI_OP_Conv && node->n_inputs > NMI_CONV_SCALE;
    const struct nmi_constant *s =
        scaled ? nmi_graph_constant(g, node->inputs[NMI_CONV_SCALE]) : NULL;
    l.scale = s != NULL ? s->data : NULL;
    if (info->constant->dims[0] > 0) {
        l.cols = info->elems / info->constant->dims[0];
    }
    return l;
}

nm_status nmi_prune_magnitude(const struct nmi_graph *graph, const struct nmi_graph *source,
                              const nm_prune_options *options, struct nmi_graph **pruned,
                              nm_error *err)
{
    NMI_TRY(check_options(options, err));
    struct pruner p = {.graph = graph,
                       .source = source,
                       .options = options,
                       .n = nmi_weighted_nodes(graph, NULL, 0)};
    struct nmi_weight_info *infos = nmi_calloc((size_t)p.n + 1, sizeof *infos);
    p.layers = nmi_calloc((size_t)p.n + 1, sizeof *p.layers);
    p.bins = nmi_calloc(BINS, sizeof *p.bins);
    nm_status status = infos != NULL && p.layers != NULL && p.bins != NULL
                           ? nmi_graph_copy(source, nmi_op_attr_bytes, pruned, err)
                           : nmi_fail_memory(err, BINS * sizeof *p.bins, "pruning");
    if (status == NM_OK) {
        nmi_weighted_nodes(graph, infos, p.n);
        for (int32_t k = 0; k < p.n; k++) {
            p.layers[k] = make_layer(graph, &infos[k]);
        }
        status = prune(&p, *pruned, err);
        if (status != NM_OK) {
            nmi_graph_free(*pruned);
            *pruned = NULL;
        }
    }
    nmi_free(infos);
    nmi_free(p.layers);
    nmi_free(p.bins);
    return status;
}
