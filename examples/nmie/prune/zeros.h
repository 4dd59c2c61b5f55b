/* SPDX-License-Identifier: Apache-2.0 */
/* zeros.h - what --sparsity of `nmie bench` and `nmie profile` asks for: shares of zeros, or
 * profiles from recipes, made by magnitude to see how fast they are. */
#ifndef NMIE_PRUNE_ZEROS_H
#define NMIE_PRUNE_ZEROS_H

#include "examples/nmie/args.h"
#include "examples/nmie/nmie.h"
#include "examples/nmie/slurp.h"

struct zeros {
    double share;               /* in each pruned layer; 0 without a recipe: as it is */
    const char *path, *profile; /* of a recipe, and its file's name alone; NULL: none */
    struct slurp recipe;
};

struct zeros_list {
    size_t n;
    struct zeros at[ARGS_LIST_MAX];
    char *words; /* that names point into */
};

/* Takes "0,0.8,fast.recipe" and reads the files: GO_ON, or an exit code after speaking. */
int zeros_option(struct zeros_list *list, const struct command *command, const char *words);
void zeros_free(struct zeros_list *list);

static inline bool zeros_wanted(const struct zeros *z)
{
    return z->share > 0.0 || z->path;
}

/* *model becomes the pruned one; *share is then that of zeros in the layers that were pruned. */
nm_status zeros_make(const struct zeros *z, nm_model **model, double *share, double *seconds,
                     nm_error *err);

#endif
