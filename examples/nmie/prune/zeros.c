/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as sparse as asked for, by magnitude. */
#include "examples/nmie/prune/zeros.h"

#include "examples/nmie/prune/prune_report.h"
#include "examples/nmie/prune/pruning.h"

#include <stdlib.h>
#include <string.h>

static int one(struct zeros *z, const struct command *command, const char *word)
{
    nm_error err;
    const char *slash = strrchr(word, '/');
    *z = (struct zeros){0};
    if (args_double(word, &z->share)) {
        return z->share >= 0.0 && z->share < 1.0
                   ? GO_ON
                   : usage(command, "--sparsity %s is not in [0,1)", word);
    }
    if (!*word) {
        return usage(command, "--sparsity: there is nothing before or behind a comma");
    }
    z->path = word;
    z->profile = slash ? slash + 1 : word;
    if (pruning_recipe(word, &z->recipe, &err)) {
        say("%s (--sparsity takes a share of zeros in [0,1), or a recipe's file)", err.message);
        return EXIT_FAILED;
    }
    return GO_ON;
}

int zeros_option(struct zeros_list *list, const struct command *command, const char *words)
{
    int verdict = GO_ON;
    zeros_free(list);
    list->words = strdup(words);
    if (!list->words) {
        return usage(command, "no memory");
    }
    for (char *rest = list->words, *word; verdict == GO_ON && (word = strsep(&rest, ","));) {
        verdict = list->n < ARGS_LIST_MAX
                      ? one(&list->at[list->n++], command, word)
                      : usage(command, "--sparsity: more than %d of them", ARGS_LIST_MAX);
    }
    return verdict;
}

void zeros_free(struct zeros_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        slurp_free(&list->at[i].recipe);
    }
    free(list->words);
    *list = (struct zeros_list){0};
}

static nm_status share_of(const nm_model *model, double *share, nm_error *err)
{
    char *report = NULL;
    nm_status status = nm_model_describe(model, NM_DESCRIBE_PRUNE, &report, err);
    if (!status) {
        *share = prune_report_sparsity(report);
        nm_string_free(report);
    }
    return status;
}

nm_status zeros_make(const struct zeros *z, nm_model **model, double *share, double *seconds,
                     nm_error *err)
{
    nm_prune_options options = NM_PRUNE_OPTIONS_INIT;
    nm_model *pruned = NULL;
    const double start = source_now();
    options.sparsity = z->share;
    options.recipe = (const char *)z->recipe.bytes;
    nm_status status = nm_model_prune(*model, &options, &pruned, err);
    *seconds = source_now() - start;
    *share = z->share;
    if (!status && z->path) {
        status = share_of(pruned, share, err);
    } else if (status && z->path) {
        const nm_error why = *err;
        return complain(err, status, "%s: %s", z->path, why.message);
    }
    if (status) {
        nm_model_free(pruned);
        return status;
    }
    nm_model_free(*model);
    *model = pruned;
    return NM_OK;
}
