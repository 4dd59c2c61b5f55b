/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/report.h"

#include "lib/base/checked.h"

#include <string.h>

static const char *method_name(nm_prune_method method)
{
    return method == NM_PRUNE_RECONSTRUCT         ? "reconstruct"
           : method == NM_PRUNE_MAGNITUDE_GLOBAL ? "magnitude, global"
                                                 : "magnitude, uniform";
}

/* The weight of this target in the pruned graph. */
static const struct nmi_constant *weight_of(const struct nmi_graph *pruned,
                                            const struct nmi_target *t)
{
    return t->info.constant->source == NMI_NONE
               ? t->info.constant
               : nmi_graph_constant(pruned, t->info.constant->source);
}

static double share_of_zeros(const struct nmi_graph *pruned, const struct nmi_target *t)
{
    const struct nmi_constant *w = weight_of(pruned, t);
    return t->info.elems > 0 ? (double)nmi_zeros(w->data, t->info.elems) / (double)t->info.elems : 0;
}

static void tell_layer(const struct nmi_prune_outcome *o, int32_t k, const struct nmi_graph *pruned,
                       struct nmi_text *t)
{
    const struct nmi_target *target = &o->targets->at[k];
    char word[NMI_PATTERN_WORD];
    nmi_json_open(t, NULL, '{');
    nmi_json_string(t, "node", nmi_target_node(o->targets, target));
    nmi_json_string(t, "weight", nmi_target_weight(o->targets, target));
    nmi_json_int(t, "elems", target->info.elems);
    nmi_json_real(t, "sparsity", share_of_zeros(pruned, target));
    nmi_json_bool(t, "pruned", target->chosen);
    if (target->chosen) {
        nmi_json_string(t, "pattern", nmi_pattern_word(&target->pattern, word));
    }
    if (o->results[k].error >= 0) {
        nmi_json_real(t, "error", o->results[k].error);
    }
    if (o->results[k].refused != NULL) {
        nmi_json_string(t, "left_dense", o->results[k].refused);
    }
    nmi_json_close(t, '}');
}

/* The outcome as a recipe: one line a layer. */
static nm_status recipe_text(const struct nmi_prune_outcome *o, struct nmi_arena *arena, char **text,
                             nm_error *err)
{
    struct nmi_recipe r = {0};
    struct nmi_text t = {0};
    nmi_pattern_parse("any", &r.pattern, NULL);
    r.rules = nmi_arena_array(arena, (size_t)o->targets->n + 1, sizeof *r.rules);
    if (r.rules == NULL) {
        return nmi_fail_memory(err, (size_t)o->targets->n * sizeof *r.rules, "a recipe");
    }
    for (int32_t k = 0; k < o->targets->n; k++) {
        const struct nmi_target *target = &o->targets->at[k];
        if (target->chosen) {
            const char *name =
                nmi_recipe_quote(arena, nmi_target_weight(o->targets, target));
            if (name == NULL) {
                return nmi_fail_memory(err, sizeof *r.rules, "a recipe");
            }
            r.rules[r.n++] = (struct nmi_rule){name, target->sparsity, target->pattern, 0};
        }
    }
    nmi_recipe_print(&r, &t);
    return nmi_text_take(&t, text, err);
}

static void tell(const struct nmi_prune_outcome *o, const struct nmi_graph *pruned,
                 const char *recipe, struct nmi_text *t)
{
    nmi_json_open(t, NULL, '{');
    nmi_json_string(t, "method", method_name(o->options->method));
    nmi_json_string(t, "recipe", recipe);
    if (o->search != NULL) {
        nmi_json_real(t, "dense_ms", o->search->dense_ms);
        nmi_json_real(t, "ms", o->search->ms);
        nmi_json_real(t, "drop", o->search->drop);
        nmi_json_int(t, "judged", o->search->judged);
    }
    nmi_json_open(t, "layers", '[');
    for (int32_t k = 0; k < o->targets->n; k++) {
        tell_layer(o, k, pruned, t);
    }
    nmi_json_close(t, ']');
    nmi_json_close(t, '}');
}

nm_status nmi_prune_report(const struct nmi_prune_outcome *outcome, struct nmi_graph *pruned,
                           const char **report, nm_error *err)
{
    char *recipe = NULL, *json = NULL;
    struct nmi_text t = {0};
    NMI_TRY(recipe_text(outcome, &pruned->arena, &recipe, err));
    nm_status status = nmi_graph_set_meta(pruned, "nm.recipe", recipe, err);
    if (status == NM_OK) {
        status = nmi_graph_set_meta(pruned, "nm.method", method_name(outcome->options->method), err);
    }
    if (status == NM_OK) {
        tell(outcome, pruned, recipe, &t);
        status = nmi_text_take(&t, &json, err);
    }
    if (status == NM_OK) {
        *report = nmi_arena_string(&pruned->arena, json, strlen(json));
        status = *report != NULL ? NM_OK : nmi_fail_memory(err, strlen(json), "a report");
    }
    nmi_free(json);
    nmi_free(recipe);
    return status;
}

/* ---- analysis ------------------------------------------------------------------------------- */

static void tell_reals(struct nmi_text *t, const char *key, const double *values)
{
    nmi_json_open(t, key, '[');
    for (int i = 0; i < NMI_GRID; i++) {
        nmi_json_real(t, NULL, values[i]);
    }
    nmi_json_close(t, ']');
}

/* Multiply-adds of one item, from the output's shape; 0 when that is not known. */
static int64_t macs_of(const struct nmi_targets *all, const struct nmi_target *t)
{
    const struct nmi_value *y = &all->graph->values[all->graph->nodes[t->info.node].outputs[0]];
    int64_t outputs = 0;
    return y->rank > 1 && nmi_elems(y->rank - 1, y->dims + 1, &outputs) ? outputs * t->cols : 0;
}

void nmi_prune_report_analysis(const struct nmi_targets *targets, const struct nmi_speed *speed,
                               const struct nmi_layer_grid *grid, struct nmi_text *t)
{
    nmi_json_open(t, NULL, '{');
    tell_reals(t, "grid", nmi_grid);
    nmi_json_real(t, "dense_ms", speed->dense_ms);
    nmi_json_real(t, "other_ms", speed->other_ms);
    nmi_json_open(t, "layers", '[');
    for (int32_t k = 0; k < targets->n; k++) {
        const struct nmi_target *target = &targets->at[k];
        if (!target->chosen) {
            continue;
        }
        nmi_json_open(t, NULL, '{');
        nmi_json_string(t, "node", nmi_target_node(targets, target));
        nmi_json_string(t, "weight", nmi_target_weight(targets, target));
        nmi_json_int(t, "macs", macs_of(targets, target));
        nmi_json_int(t, "elems", target->info.elems);
        if (grid != NULL) {
            tell_reals(t, "error", grid[k].error);
        }
        tell_reals(t, "ms", speed->ms[k]);
        nmi_json_close(t, '}');
    }
    nmi_json_close(t, ']');
    nmi_json_close(t, '}');
}
