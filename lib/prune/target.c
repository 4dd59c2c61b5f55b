/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/target.h"

#include "lib/ops/attrs.h"

#include <fnmatch.h>
#include <math.h>

const char *nmi_target_node(const struct nmi_targets *targets, const struct nmi_target *t)
{
    return targets->graph->nodes[t->info.node].name;
}

const char *nmi_target_weight(const struct nmi_targets *targets, const struct nmi_target *t)
{
    return targets->graph->values[t->info.value].name;
}

/* ---- a weighted node as a matrix ------------------------------------------------------------ */

static int32_t product(const int64_t *dims, int32_t from, int32_t to)
{
    int64_t n = 1;
    for (int32_t i = from; i < to; i++) {
        n *= dims[i]; /* elements of a tensor are counted in 31 bits */
    }
    return (int32_t)n;
}

static struct nmi_target make(const struct nmi_graph *g, const struct nmi_weight_info *info)
{
    const struct nmi_node *node = &g->nodes[info->node];
    const struct nmi_constant *w = info->constant;
    const bool conv = node->op == NMI_OP_Conv || node->op == NMI_OP_ConvTranspose;
    struct nmi_target t = {.info = *info, .groups = 1, .taps = 1};
    if (node->op == NMI_OP_Conv && node->n_inputs > NMI_CONV_SCALE) {
        const struct nmi_constant *s = nmi_graph_constant(g, node->inputs[NMI_CONV_SCALE]);
        t.scale = s != NULL ? s->data : NULL;
    }
    t.rows = (int32_t)w->dims[0];
    t.cols = product(w->dims, 1, w->rank);
    if (conv) {
        const int64_t groups = ((const struct nmi_conv_attrs *)node->attrs)->group;
        t.taps = product(w->dims, 2, w->rank);
        if (groups > 1 && w->dims[0] % groups == 0) {
            t.groups = (int32_t)groups;
            t.rows /= t.groups;
        }
    } else {
        const bool gemm = node->op == NMI_OP_Gemm;
        t.transposed =
            w->rank == 2 && !(gemm && ((const struct nmi_gemm_attrs *)node->attrs)->trans_b);
        if (t.transposed) {
            t.rows = (int32_t)w->dims[1];
            t.cols = (int32_t)w->dims[0];
        }
    }
    return t;
}

/* ---- which ones ----------------------------------------------------------------------------- */

static bool matches(const struct nmi_targets *all, const struct nmi_target *t, const char *pattern)
{
    return fnmatch(pattern, nmi_target_node(all, t), 0) == 0 ||
           fnmatch(pattern, nmi_target_weight(all, t), 0) == 0;
}

static bool depthwise(const struct nmi_targets *all, const struct nmi_target *t)
{
    const struct nmi_node *node = &all->graph->nodes[t->info.node];
    return (node->op == NMI_OP_Conv || node->op == NMI_OP_ConvTranspose) &&
           ((const struct nmi_conv_attrs *)node->attrs)->group == t->info.constant->dims[0];
}

static nm_status choose_by_pattern(struct nmi_targets *all, const nm_prune_options *o,
                                   nm_error *err)
{
    for (size_t i = 0; i < o->n_layers; i++) {
        bool any = false;
        for (int32_t k = 0; k < all->n; k++) {
            if (matches(all, &all->at[k], o->layers[i])) {
                all->at[k].chosen = any = true;
            }
        }
        if (!any) {
            return nmi_fail(err, NM_EINVAL, "prune: no layer is called %s", o->layers[i]);
        }
    }
    return NM_OK;
}

static void choose_default(struct nmi_targets *all)
{
    bool first = true;
    for (int32_t k = 0; k < all->n; k++) {
        const bool conv = all->graph->nodes[all->at[k].info.node].op == NMI_OP_Conv;
        all->at[k].chosen = !(conv && first) && k != all->n - 1 && !depthwise(all, &all->at[k]);
        first &= !conv;
    }
}

static nm_status apply_recipe(struct nmi_targets *all, const struct nmi_recipe *recipe,
                              nm_error *err)
{
    for (int32_t i = 0; i < recipe->n; i++) {
        bool any = false;
        for (int32_t k = 0; k < all->n && !any; k++) {
            any = matches(all, &all->at[k], recipe->rules[i].layers);
        }
        if (!any) {
            return nmi_fail(err, NM_EINVAL, "recipe: line %d: no layer is called %s",
                            (int)recipe->rules[i].line, recipe->rules[i].layers);
        }
    }
    for (int32_t k = 0; k < all->n; k++) {
        struct nmi_target *t = &all->at[k];
        const struct nmi_rule *rule =
            nmi_recipe_rule(recipe, nmi_target_node(all, t), nmi_target_weight(all, t));
        t->sparsity = rule != NULL ? rule->sparsity : recipe->sparsity;
        t->pattern = rule != NULL ? rule->pattern : recipe->pattern;
        t->chosen = (t->chosen || rule != NULL) && t->sparsity > 0;
        t->refit = rule == NULL || rule->sparsity > 0;
    }
    return NM_OK;
}

/* Without a source its zeros could not be written back. */
static nm_status check_sources(struct nmi_targets *all, bool named, nm_error *err)
{
    for (int32_t k = 0; k < all->n; k++) {
        struct nmi_target *t = &all->at[k];
        if (t->chosen && t->info.constant->source == NMI_NONE && named) {
            return nmi_fail(
                err, NM_EUNSUPPORTED,
                "prune: weight %s is computed from the file's tensors, expected one that "
                "stands in the file: leave it out of the layers",
                nmi_target_weight(all, t));
        }
        t->refit &= t->info.constant->source != NMI_NONE;
        t->chosen &= t->refit;
    }
    return NM_OK;
}

static nm_status check_finite(const struct nmi_targets *all, const struct nmi_target *t,
                              nm_error *err)
{
    const float *w = t->info.constant->data;
    for (int64_t i = 0; i < t->info.elems; i++) {
        if (isnan(w[i])) {
            return nmi_fail(err, NM_EINVAL, "prune: weight %s has a NaN at element %lld",
                            nmi_target_weight(all, t), (long long)i);
        }
    }
    return NM_OK;
}

static bool has_null(const char *const *list, size_t n)
{
    bool any = n > 0 && list == NULL;
    for (size_t i = 0; i < n && !any; i++) {
        any = list[i] == NULL;
    }
    return any;
}

static nm_status check_options(const nm_prune_options *o, nm_error *err)
{
    if (!(o->sparsity >= 0 && o->sparsity <= 1)) {
        return nmi_fail(err, NM_EINVAL, "prune: sparsity is %g, it must be in 0..1", o->sparsity);
    }
    if (has_null(o->layers, o->n_layers) || has_null(o->exclude, o->n_exclude)) {
        return nmi_fail(err, NM_EINVAL, "prune: a list of patterns is NULL, or one of its patterns");
    }
    if (o->recipe != NULL && (o->n_layers > 0 || o->n_exclude > 0 || o->pattern != NULL)) {
        return nmi_fail(err, NM_EINVAL,
                        "prune: a recipe says which layers and patterns: give no others");
    }
    return NM_OK;
}

static nm_status choose(struct nmi_targets *all, const nm_prune_options *o,
                        const struct nmi_recipe *recipe, nm_error *err)
{
    if (o->n_layers > 0) {
        NMI_TRY(choose_by_pattern(all, o, err));
    } else {
        choose_default(all);
    }
    struct nmi_pattern pattern;
    NMI_TRY(nmi_pattern_parse(o->pattern != NULL ? o->pattern : "any", &pattern, err));
    for (int32_t k = 0; k < all->n; k++) {
        struct nmi_target *t = &all->at[k];
        t->sparsity = o->sparsity;
        t->pattern = pattern;
        t->refit = true;
        for (size_t i = 0; i < o->n_exclude; i++) {
            t->refit &= !matches(all, t, o->exclude[i]);
        }
        t->chosen &= t->refit;
    }
    return recipe != NULL ? apply_recipe(all, recipe, err) : NM_OK;
}

nm_status nmi_targets_choose(const struct nmi_graph *graph, const nm_prune_options *options,
                             const struct nmi_recipe *recipe, struct nmi_arena *arena,
                             struct nmi_targets *targets, nm_error *err)
{
    NMI_TRY(check_options(options, err));
    const int32_t n = nmi_weighted_nodes(graph, NULL, 0);
    struct nmi_weight_info *infos = nmi_arena_array(arena, (size_t)n + 1, sizeof *infos);
    *targets = (struct nmi_targets){
        graph, nmi_arena_array(arena, (size_t)n + 1, sizeof *targets->at), n};
    if (infos == NULL || targets->at == NULL) {
        return nmi_fail_memory(err, (size_t)n * sizeof *targets->at, "pruning");
    }
    nmi_weighted_nodes(graph, infos, n);
    for (int32_t k = 0; k < n; k++) {
        targets->at[k] = make(graph, &infos[k]);
    }
    NMI_TRY(choose(targets, options, recipe, err));
    NMI_TRY(check_sources(targets, options->n_layers > 0, err));
    for (int32_t k = 0; k < n; k++) {
        if (targets->at[k].chosen) {
            NMI_TRY(check_finite(targets, &targets->at[k], err));
        }
    }
    return NM_OK;
}

nm_status nmi_target_write(const struct nmi_target *t, struct nmi_graph *pruned, float **data,
                           nm_error *err)
{
    struct nmi_constant *c =
        &pruned->constants[pruned->values[t->info.constant->source].constant];
    *data = nmi_arena_copy(&pruned->arena, c->data, c->bytes);
    if (*data == NULL) {
        return nmi_fail_memory(err, c->bytes, "a pruned weight");
    }
    c->data = *data;
    c->sparse = 1;
    return NM_OK;
}
