/* SPDX-License-Identifier: Apache-2.0 */
/* nmie prune: weights of a model become zero, the others take over. */
#include "examples/nmie/args.h"
#include "examples/nmie/data/calibration.h"
#include "examples/nmie/interrupt.h"
#include "examples/nmie/prune/prune_report.h"
#include "examples/nmie/prune/pruning.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: nmie prune IN -o OUT [option]...\n"
    "\n"
    "Writes the model again with zeros among its weights.\n"
    "\n"
    "  nmie prune net.onnx -o net-80.onnx --sparsity 0.8                       by magnitude\n"
    "  nmie prune net.onnx -o net-80.onnx --sparsity 0.8 --calib pictures/     nearly as good as\n"
    "      --pre resize:256,crop:224                                           before\n"
    "  nmie prune net.onnx -o fast.onnx --preset recal-perf --calib train.npy --labels classes.txt\n"
    "  nmie prune net.onnx -o fast.onnx --speedup 3x --calib train.npy --save-recipe fast.recipe\n"
    "\n"
    "  -o, --output FILE    where to write\n"
    "How much:\n"
    "  --sparsity S         the share of zeros in each pruned layer (global: in all), 0 to 1; or\n"
    "  --recipe FILE        layer by layer (docs/recipes.md); or, by measuring on this machine:\n"
    "  --speedup F          F times as fast as the dense network, such as 3x\n"
    "  --max-drop P         as fast as a drop of accuracy by P allows: 1% or 0.01 is one point.\n"
    "                       Without classes: answers that may change\n"
    "  --preset recal       no measurable loss: at most one answer in a hundred changes\n"
    "  --preset recal-perf  99 % of the accuracy\n"
    "How:\n"
    "  --method M           reconstruct (default with --calib): zeros where the network's outputs\n"
    "                       suffer least, the other weights make up for them; needs --calib.\n"
    "                       uniform (default without): the smallest weights of each layer.\n"
    "                       global: the smallest weights of all layers together\n"
    "  --calib PATH         data to calibrate with: some hundred inputs, no classes needed\n"
    "  --judge PATH         data to judge by (default: every third input of --calib, which is then\n"
    "                       not calibrated with). --judge-format, --judge-labels, --judge-count,\n"
    "                       --judge-skip, --judge-every, --judge-class-offset are as below\n"
    "  --effort -1|0        -1: a third of the time, less accurate at high sparsity\n"
    "What is written:\n"
    "  --save-recipe FILE   the profile that was used or found\n"
    "  --sparse-initializer pruned weights as ONNX sparse tensors: a smaller file\n"
    "\n" PRUNING_LAYERS_HELP "\n" DATA_HELP "\n" PREPROCESS_HELP "No steps unless --pre gives some.\n"
    "\n" PRUNING_HELP;

enum {
    OPT_SPARSITY = 440,
    OPT_METHOD,
    OPT_SPARSE,
    OPT_SPEEDUP,
    OPT_DROP,
    OPT_PRESET,
    OPT_SAVE_RECIPE,
    OPT_PRUNE_EFFORT,
    OPT_JUDGE = 520
};
enum preset { PRESET_NONE, PRESET_RECAL, PRESET_RECAL_PERF };

/* For no loss at all; 0 would mean that nothing was asked. */
#define NO_DROP 1e-9
/* Answers that recal may change, right or wrong: that is known better than the accuracy. */
#define RECAL_CHANGES 0.01
/* The share of the accuracy that recal-perf may lose; of answers, twice as many may change. */
#define PERF_DROP 0.01

struct prune {
    struct pruning base;
    struct data_choice judge_choice;
    struct dataset judge;
    nm_data judge_data;
    nm_save_options save;
    enum preset preset;
    const char *in, *out, *save_recipe, *method;
    bool sparsity_given, judge_given, searched;
    char request[128];
    int64_t *before; /* the dense network's answers on judge */
};

/* ---- options --------------------------------------------------------------------------------- */

/* "3x" or "3"; "1%", "1 %" or "0.01". */
static bool number_with_unit(const char *word, char unit, double *value)
{
    char digits[64];
    size_t n = strlen(word);
    bool has = n > 1 && n < sizeof digits && word[n - 1] == unit;
    if (!has) {
        return args_double(word, value);
    }
    memcpy(digits, word, n);
    for (digits[--n] = '\0'; n > 0 && digits[n - 1] == ' ';) {
        digits[--n] = '\0';
    }
    return args_double(digits, value);
}

static int set_target(struct prune *p, int code, const char *word)
{
    nm_prune_options *o = &p->base.options;
    switch (code) {
    case OPT_SPARSITY:
        p->sparsity_given =
            args_double(word, &o->sparsity) && o->sparsity >= 0.0 && o->sparsity <= 1.0;
        return p->sparsity_given ? GO_ON : usage(&cmd_prune, "--sparsity %s is not in [0,1]", word);
    case OPT_SPEEDUP:
        return number_with_unit(word, 'x', &o->speedup) && o->speedup > 1.0
                   ? GO_ON
                   : usage(&cmd_prune, "--speedup %s is not a factor above 1, such as 3x", word);
    case OPT_DROP:
        if (!number_with_unit(word, '%', &o->max_drop) || o->max_drop < 0.0) {
            return usage(&cmd_prune, "--max-drop %s is not a share such as 1%% or 0.01", word);
        }
        o->max_drop /= strchr(word, '%') ? 100.0 : 1.0;
        o->max_drop = o->max_drop > NO_DROP ? o->max_drop : NO_DROP;
        return o->max_drop < 1.0 ? GO_ON
                                 : usage(&cmd_prune, "--max-drop %s is all there is", word);
    default:
        p->preset = strcmp(word, "recal") == 0        ? PRESET_RECAL
                    : strcmp(word, "recal-perf") == 0 ? PRESET_RECAL_PERF
                                                      : PRESET_NONE;
        return p->preset ? GO_ON : usage(&cmd_prune, "--preset is recal or recal-perf");
    }
}

static int set_method(struct prune *p, const char *word)
{
    static const char *const names[] = {"uniform", "global", "reconstruct"}; /* nm_prune_method */
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, names[i]) == 0) {
            p->method = names[i];
            p->base.options.method = (nm_prune_method)i;
            return GO_ON;
        }
    }
    return usage(&cmd_prune, "--method is reconstruct, uniform or global");
}

static int set_effort(struct prune *p, const char *word)
{
    int64_t effort;
    if (!args_int(word, -1, 0, &effort)) {
        return usage(&cmd_prune, "--effort %s is neither -1 nor 0", word);
    }
    p->base.options.effort = (int32_t)effort;
    return GO_ON;
}

static int judge_option(struct prune *p, int code, const char *word)
{
    const char *wrong;
    p->judge_given = true;
    return data_option(&p->judge_choice, code - OPT_JUDGE, word, &wrong) > 0
               ? GO_ON
               : usage(&cmd_prune, "of --judge: %s", wrong);
}

static int one_option(struct prune *p, int code)
{
    if (code >= OPT_JUDGE && code < OPT_JUDGE + DATA_CODES) {
        return judge_option(p, code, optarg);
    }
    switch (code) {
    case 'o':
        p->out = optarg;
        return GO_ON;
    case OPT_SPARSITY:
    case OPT_SPEEDUP:
    case OPT_DROP:
    case OPT_PRESET:
        return set_target(p, code, optarg);
    case OPT_METHOD:
        return set_method(p, optarg);
    case OPT_PRUNE_EFFORT:
        return set_effort(p, optarg);
    case OPT_SAVE_RECIPE:
        p->save_recipe = optarg;
        return GO_ON;
    case OPT_SPARSE:
        p->save.sparse = 1;
        return GO_ON;
    default:
        return pruning_option(&p->base, code, optarg);
    }
}

/* What the options mean together. */
static int agree(struct prune *p)
{
    nm_prune_options *o = &p->base.options;
    bool data = p->base.choice.path;
    p->searched = o->speedup > 0.0 || o->max_drop > 0.0 || p->preset;
    int targets = p->sparsity_given + (p->base.recipe_path != NULL) + (o->speedup > 0.0) +
                  (o->max_drop > 0.0) + (p->preset != PRESET_NONE);
    if (targets != 1) {
        return usage(&cmd_prune,
                     "expected one of --sparsity, --recipe, --speedup, --max-drop, --preset");
    }
    if (!p->method) {
        set_method(p, data ? "reconstruct" : "uniform");
    }
    if (o->method == NM_PRUNE_RECONSTRUCT && !data) {
        return usage(&cmd_prune, "--method reconstruct needs data: --calib PATH");
    }
    if (p->searched && o->method != NM_PRUNE_RECONSTRUCT) {
        return usage(&cmd_prune, "--speedup, --max-drop and --preset need data: --calib PATH%s",
                     data ? ", and --method reconstruct" : "");
    }
    if (p->base.recipe_path && (o->n_layers || o->n_exclude)) {
        return usage(&cmd_prune, "--recipe says which layers: leave out --layers and --exclude");
    }
    if (p->judge_given && !p->judge_choice.path && !data) {
        return usage(&cmd_prune, "options of --judge, but neither --judge nor --calib");
    }
    return GO_ON;
}

/* What is not said about the data to judge by is as for the calibration data. */
static void inherit(struct prune *p)
{
    const struct data_choice *from = &p->base.choice;
    struct data_choice *to = &p->judge_choice;
    bool same = !to->path;
    to->path = same ? from->path : to->path;
    to->format = to->format ? to->format : from->format;
    to->labels = to->labels || !same ? to->labels : from->labels;
    to->class_offset = to->class_offset ? to->class_offset : from->class_offset;
}

static void describe_request(struct prune *p)
{
    static const char *const presets[] = {"", "preset recal", "preset recal-perf"};
    const nm_prune_options *o = &p->base.options;
    char what[64];
    if (p->preset) {
        snprintf(what, sizeof what, "%s", presets[p->preset]);
    } else if (p->base.recipe_path) {
        snprintf(what, sizeof what, "recipe");
    } else if (p->sparsity_given) {
        snprintf(what, sizeof what, "sparsity %g", o->sparsity);
    } else {
        snprintf(what, sizeof what, o->speedup > 0.0 ? "speedup %g" : "max drop %g",
                 o->speedup > 0.0 ? o->speedup : o->max_drop);
    }
    snprintf(p->request, sizeof p->request, "%s%s%s%s, seed %llu", what,
             o->pattern ? ", pattern " : "", o->pattern ? o->pattern : "",
             o->effort ? ", effort -1" : "", (unsigned long long)o->seed);
}

static int parse(int argc, char **argv, struct prune *p)
{
    static const struct option options[] = {PRUNING_OPTIONS,
                                            DATA_OPTIONS("judge", "judge-", OPT_JUDGE),
                                            {"output", 1, NULL, 'o'},
                                            {"sparsity", 1, NULL, OPT_SPARSITY},
                                            {"speedup", 1, NULL, OPT_SPEEDUP},
                                            {"max-drop", 1, NULL, OPT_DROP},
                                            {"preset", 1, NULL, OPT_PRESET},
                                            {"method", 1, NULL, OPT_METHOD},
                                            {"effort", 1, NULL, OPT_PRUNE_EFFORT},
                                            {"save-recipe", 1, NULL, OPT_SAVE_RECIPE},
                                            {"sparse-initializer", 0, NULL, OPT_SPARSE},
                                            {0}};
    int code, verdict = pruning_init(&p->base, &cmd_prune);
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, "o:" PRUNING_SHORTS, options, NULL)) != -1) {
        verdict = one_option(p, code);
    }
    if (verdict == GO_ON && (argc - optind != 1 || !p->out)) {
        return usage(&cmd_prune, "expected IN and -o OUT");
    }
    if (verdict == GO_ON) {
        verdict = agree(p);
    }
    if (verdict == GO_ON) {
        p->in = argv[optind];
        inherit(p);
        describe_request(p);
        settings_finish(&p->base.settings);
    }
    return verdict;
}

/* ---- work ------------------------------------------------------------------------------------ */

/* Every third input for calibration: what the library judges by unless it is told. */
static struct data_choice held_back(const struct prune *p)
{
    struct data_choice choice = p->base.choice;
    choice.every *= 3;
    choice.count = (p->base.calib.count + 2) / 3;
    return choice;
}

/* The dense network's answers on what it is judged by; with recal-perf they say what may be lost. */
static nm_status open_judge(struct prune *p, nm_model *model, nm_error *err)
{
    if (!p->judge_given && !p->searched) {
        return NM_OK;
    }
    struct data_choice choice = p->judge_given ? p->judge_choice : held_back(p);
    nm_status status = dataset_open(&choice, &p->base.pre, &p->judge, err);
    if (!status && p->judge_given) {
        p->judge_data = calibration_data(&p->judge);
        p->base.options.judge = &p->judge_data;
    }
    return status ? status
                  : judge_answers(model, &p->base.settings, &p->judge, &p->before, err);
}

static void resolve_preset(struct prune *p)
{
    nm_prune_options *o = &p->base.options;
    const bool known = p->judge.labels != NULL;
    if (p->preset == PRESET_RECAL) {
        o->max_drop = RECAL_CHANGES;
        p->judge_data.labels = p->base.data.labels = NULL; /* the dense network's answers count */
    } else if (p->preset == PRESET_RECAL_PERF) {
        const double accuracy =
            known ? (double)judge_right(&p->judge, p->before) / (double)p->judge.count : 2.0;
        o->max_drop = fmax(PERF_DROP * accuracy, NO_DROP);
    }
}

static nm_status judge_after(struct prune *p, nm_model *pruned, struct verdict *verdict,
                             nm_error *err)
{
    int64_t *after;
    if (!p->before) {
        return NM_OK;
    }
    nm_status status = judge_answers(pruned, &p->base.settings, &p->judge, &after, err);
    if (!status) {
        *verdict = judge_compare(&p->judge, p->before, after);
        free(after);
    }
    return status;
}

static nm_status fill_report(struct prune *p, nm_model *pruned, struct prune_report *r,
                             nm_error *err)
{
    nm_status status = nm_model_describe(pruned, NM_DESCRIBE_PRUNE, &r->library, err);
    if (!status && p->base.choice.path) {
        r->calib = &p->base.calib;
        status = calibration_hash(&p->base.calib, r->calib_hash, err);
    }
    if (!status) {
        status = judge_after(p, pruned, &r->verdict, err);
    }
    if (!status) {
        r->sparsity = prune_report_sparsity(r->library);
    }
    return status;
}

static nm_status save(struct prune *p, nm_model *pruned, const struct prune_report *r,
                      nm_error *err)
{
    struct prune_meta meta;
    prune_report_meta(r, &meta);
    p->save.meta = meta.words;
    p->save.n_meta = meta.n;
    nm_status status = nm_model_save(pruned, p->out, &p->save, err);
    char *recipe = !status && p->save_recipe ? prune_report_recipe(r->library) : NULL;
    if (recipe) {
        struct slurp head = {(uint8_t *)recipe, strlen(recipe)}, body = {0};
        status = slurp_write(p->save_recipe, &head, &body, err);
    }
    free(recipe);
    return status;
}

static nm_status prune_model(struct prune *p, nm_model *model, struct prune_report *r,
                             nm_error *err)
{
    nm_model *pruned = NULL;
    double start = source_now();
    progress_begin(&p->base.progress, "", 1);
    nm_status status = nm_model_prune(model, &p->base.options, &pruned, err);
    progress_end(&p->base.progress);
    r->seconds = source_now() - start;
    if (!status) {
        status = fill_report(p, pruned, r, err);
    }
    if (!status && interrupt_status()) {
        status = complain(err, NM_ECANCELED, "stopped");
    }
    if (!status) {
        status = save(p, pruned, r, err);
    }
    nm_model_free(pruned);
    return status;
}

static int work(struct prune *p, nm_model *model)
{
    struct prune_report r = {
        .in = p->in, .out = p->out, .method = p->method, .request = p->request};
    nm_error err;
    nm_status status = pruning_open(&p->base, model, &err);
    if (!status) {
        status = open_judge(p, model, &err);
    }
    if (!status) {
        resolve_preset(p);
        status = prune_model(p, model, &r, &err);
    }
    if (!status && p->base.settings.json) {
        prune_report_json(&r, stdout);
    } else if (!status) {
        status = prune_report_text(&r, stdout, &err);
    }
    nm_string_free(r.library);
    return status ? pruning_report(&err) : EXIT_GOOD;
}

static int run(int argc, char **argv)
{
    struct prune p = {.judge_choice = DATA_CHOICE_INIT, .save = NM_SAVE_OPTIONS_INIT};
    struct source_shape shape = {0};
    nm_model *model = NULL;
    nm_error err;
    double seconds;
    int code = parse(argc, argv, &p);
    interrupt_catch();
    if (code == GO_ON && source_load(p.in, &p.base.settings, &shape, &model, &seconds, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = work(&p, model);
    }
    nm_model_free(model);
    dataset_close(&p.judge);
    free(p.before);
    pruning_close(&p.base);
    return code;
}

const struct command cmd_prune = {"prune", "make a network sparse", help, run};
