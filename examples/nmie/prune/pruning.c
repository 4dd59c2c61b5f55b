/* SPDX-License-Identifier: Apache-2.0 */
/* Options and data of pruning. */
#include "examples/nmie/prune/pruning.h"

#include "examples/nmie/args.h"
#include "examples/nmie/data/calibration.h"
#include "examples/nmie/interrupt.h"

#include <string.h>

#define RECIPE_MAX ((size_t)1 << 22)

static int on_progress(void *user, double done, const char *what)
{
    progress_share(user, done, what);
    return interrupt_status();
}

int pruning_init(struct pruning *p, const struct command *command)
{
    *p = (struct pruning){.command = command,
                          .choice = DATA_CHOICE_INIT,
                          .options = NM_PRUNE_OPTIONS_INIT};
    preprocess_init(&p->pre, "");
    return settings_init(&p->settings, command);
}

static int add_pattern(struct pruning *p, const char **list, size_t *n, const char *word)
{
    if (*n == PRUNING_PATTERNS_MAX) {
        return usage(p->command, "more than %d patterns", PRUNING_PATTERNS_MAX);
    }
    list[(*n)++] = word;
    return GO_ON;
}

static int set_number(struct pruning *p, int code, const char *word)
{
    int64_t seed;
    double gib;
    if (code == OPT_SEED) {
        if (!args_int(word, 0, INT64_MAX, &seed)) {
            return usage(p->command, "--seed %s is not a whole number from 0 on", word);
        }
        p->options.seed = (uint64_t)seed;
        return GO_ON;
    }
    if (!args_double(word, &gib) || gib < 1.0 / 1024.0 || gib > 1e6) {
        return usage(p->command, "--memory %s is not a number of GiB", word);
    }
    p->options.memory_bytes = (uint64_t)(gib * 1073741824.0);
    return GO_ON;
}

int pruning_option(struct pruning *p, int code, const char *word)
{
    const char *wrong = NULL;
    int taken = preprocess_option(&p->pre, code, word, &wrong);
    if (!taken && code == 'n') {
        taken = data_option(&p->choice, DATA_COUNT, word, &wrong);
    } else if (!taken && code >= OPT_CALIB && code < OPT_CALIB + DATA_CODES) {
        taken = data_option(&p->choice, code - OPT_CALIB, word, &wrong);
    }
    if (taken) {
        return taken > 0 ? GO_ON : usage(p->command, "%s", wrong);
    }
    switch (code) {
    case OPT_LAYERS:
        return add_pattern(p, p->layers, &p->options.n_layers, word);
    case OPT_EXCLUDE:
        return add_pattern(p, p->exclude, &p->options.n_exclude, word);
    case OPT_PATTERN:
        p->options.pattern = word;
        return GO_ON;
    case OPT_RECIPE:
        p->recipe_path = word;
        return GO_ON;
    case OPT_SEED:
    case OPT_MEMORY:
        return set_number(p, code, word);
    default:
        return settings_option(&p->settings, p->command, code, word);
    }
}

nm_status pruning_recipe(const char *path, struct slurp *text, nm_error *err)
{
    nm_status status = slurp_read(path, RECIPE_MAX, text, err);
    if (!status && strlen((char *)text->bytes) != text->size) {
        status = complain(err, NM_EFORMAT, "%s: is not a text, it holds NUL bytes", path);
    }
    return status;
}

static nm_status open_calibration(struct pruning *p, const nm_model *model, nm_error *err)
{
    const nm_value_info *in = nm_model_input(model, 0);
    nm_status status = dataset_open(&p->choice, &p->pre, &p->calib, err);
    if (!status && in) {
        status = source_fits(in, p->calib.rank, p->calib.dims, err);
    }
    p->data = calibration_data(&p->calib);
    p->options.data = &p->data;
    return status;
}

nm_status pruning_open(struct pruning *p, const nm_model *model, nm_error *err)
{
    nm_status status = NM_OK;
    p->options.layers = p->options.n_layers ? p->layers : NULL;
    p->options.exclude = p->options.n_exclude ? p->exclude : NULL;
    p->options.threads = p->settings.session.threads;
    p->options.cache_file = p->settings.session.cache_file;
    p->options.log = settings_log;
    p->options.log_user = &p->settings;
    p->options.progress = on_progress;
    p->options.progress_user = &p->progress;
    if (p->recipe_path) {
        status = pruning_recipe(p->recipe_path, &p->recipe, err);
        p->options.recipe = (const char *)p->recipe.bytes;
    }
    if (!status && p->choice.path) {
        status = open_calibration(p, model, err);
    }
    return status;
}

void pruning_close(struct pruning *p)
{
    dataset_close(&p->calib);
    slurp_free(&p->recipe);
    settings_free(&p->settings);
}

int pruning_report(const nm_error *err)
{
    if (err->status == NM_ECANCELED && interrupt_status()) {
        say("stopped; nothing was written");
        return interrupt_status();
    }
    return report(err);
}
