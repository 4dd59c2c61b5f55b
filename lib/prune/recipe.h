/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: which layer gets which sparsity and pattern of zeros, as a text that people write and
 * that profiles are kept in (docs/recipes.md). Line by line, '#' starts a comment:
 *
 *     nm-recipe 1
 *     sparsity 0.8             # of layers that are pruned by default; without it they stay dense
 *     pattern 4x1              # of them, and of layer lines that name none; else "any"
 *     layer layer3.* 0.9       # by node or weight, '*' and '?' as in a shell
 *     layer stem 0.5 any
 *     dense layer3.0.down*
 *
 * The last line that names a layer counts for it.
 */
#ifndef NM_PRUNE_RECIPE_H
#define NM_PRUNE_RECIPE_H

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/prune/pattern.h"

struct nmi_rule {
    const char *layers; /* a shell pattern, as it stands in the recipe */
    double sparsity;    /* 0..1; 0: dense, the pattern is then "any" */
    struct nmi_pattern pattern;
    int32_t line; /* in the text, from 1 */
};

struct nmi_recipe {
    double sparsity; /* of layers that no rule names and that are pruned by default */
    struct nmi_pattern pattern;
    struct nmi_rule *rules;
    int32_t n;
};

/* Rules and their strings go to the arena. NM_EINVAL: the sentence names the line and the word. */
nm_status nmi_recipe_parse(const char *text, struct nmi_arena *arena, struct nmi_recipe *recipe,
                           nm_error *err);

/* Writes a text that is read back as the same recipe (but for line numbers and comments). */
void nmi_recipe_print(const struct nmi_recipe *recipe, struct nmi_text *t);

/* What is said about a layer; NULL: nothing, the defaults count. */
const struct nmi_rule *nmi_recipe_rule(const struct nmi_recipe *recipe, const char *node,
                                       const char *weight);

/* The pattern that names this name alone: '*', blanks and the like behind a backslash. NULL: no
 * memory. */
const char *nmi_recipe_quote(struct nmi_arena *arena, const char *name);

#endif
