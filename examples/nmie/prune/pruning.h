/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pruning.h - what `nmie prune` and `nmie analyze` share: options that choose layers, patterns of
 * zeros and data, a recipe's file, and a library call with progress that Ctrl-C can stop.
 */
#ifndef NMIE_PRUNING_H
#define NMIE_PRUNING_H

#include "examples/nmie/data/data_options.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/progress.h"

enum {
    OPT_LAYERS = 420,
    OPT_EXCLUDE,
    OPT_PATTERN,
    OPT_RECIPE,
    OPT_SEED,
    OPT_MEMORY,
    OPT_CALIB = 500
};

#define PRUNING_SHORTS "t:vn:"
#define PRUNING_OPTIONS                                                                            \
    DATA_OPTIONS("calib", "", OPT_CALIB), PREPROCESS_OPTIONS, {"layers", 1, NULL, OPT_LAYERS},     \
        {"exclude", 1, NULL, OPT_EXCLUDE}, {"pattern", 1, NULL, OPT_PATTERN},                      \
        {"recipe", 1, NULL, OPT_RECIPE}, {"seed", 1, NULL, OPT_SEED},                              \
        {"memory", 1, NULL, OPT_MEMORY}, {"threads", 1, NULL, 't'},                                \
        {"cache", 1, NULL, OPT_CACHE}, {"json", 0, NULL, OPT_JSON},                                \
    {                                                                                              \
        "verbose", 0, NULL, 'v'                                                                    \
    }
#define PRUNING_LAYERS_HELP                                                                        \
    "Layers:\n"                                                                                    \
    "  --layers PATTERN     these alone, by node or weight, with * and ?; repeatable (default: all\n" \
    "                       convolutions and fully connected layers but the first convolution,\n"  \
    "                       the classifier and depthwise ones)\n"                                  \
    "  --exclude PATTERN    leave these as they are; repeatable\n"                                 \
    "  --pattern P          of zeros: any (default), 4x1, 2x1, 1x4 (blocks, output x input\n"      \
    "                       channels), 2:4 (of each 4 input channels 2 stay), filter\n"            \
    "  --recipe FILE        sparsity and pattern layer by layer (docs/recipes.md)\n"
#define PRUNING_HELP                                                                               \
    "Work:\n"                                                                                      \
    "  --seed N             which positions of feature maps are sampled (default 0)\n"             \
    "  --memory GIB         for activations that are kept (default 4); less costs time\n"          \
    "  -t, --threads N      threads (default: NM_NUM_THREADS, else what the process may use); the\n" \
    "                       result does not depend on them\n"                                      \
    "  --cache FILE|none    where measured times of kernels are kept (default as for bench)\n"     \
    "  --json               the result as one JSON document (keys: docs/cli.md)\n"                 \
    "  -v, --verbose        more talk on stderr\n"

#define PRUNING_PATTERNS_MAX 256

struct pruning {
    const struct command *command;
    struct settings settings;
    struct preprocess pre;
    struct data_choice choice; /* of the calibration data; no path: none */
    nm_prune_options options;
    const char *layers[PRUNING_PATTERNS_MAX], *exclude[PRUNING_PATTERNS_MAX];
    const char *recipe_path;
    /* from pruning_open on */
    struct dataset calib;
    nm_data data;
    struct slurp recipe;
    struct progress progress;
};

int pruning_init(struct pruning *p, const struct command *command);

/* Takes one option: GO_ON, or EXIT_USAGE after speaking. */
int pruning_option(struct pruning *p, int code, const char *word);

/* After all options: reads the recipe, opens the data and checks that it fits the model. options is
 * then complete but for what the command adds. */
nm_status pruning_open(struct pruning *p, const nm_model *model, nm_error *err);
void pruning_close(struct pruning *p);

/* A file with a recipe, as text. */
nm_status pruning_recipe(const char *path, struct slurp *text, nm_error *err);

/* After a failure: its sentence and exit code; 128 + signal when the user stopped it. */
int pruning_report(const nm_error *err);

#endif
