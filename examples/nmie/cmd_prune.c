/* SPDX-License-Identifier: Apache-2.0 */
/* nmie prune: the smallest weights of a model become zero. */
#include "examples/nmie/args.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/model_source.h"

#include <getopt.h>
#include <string.h>

#define PATTERNS_MAX 256

static const char help[] =
    "Usage: nmie prune IN -o OUT --sparsity S [option]...\n"
    "\n"
    "Writes the model again with its smallest weights set to zero.\n"
    "\n"
    "  nmie prune resnet50.onnx -o resnet50-90.onnx --sparsity 0.9\n"
    "  nmie prune net.onnx -o out.onnx --sparsity 0.8 --method global --exclude 'layer1.*'\n"
    "\n"
    "  -o, --output FILE    where to write\n"
    "  --sparsity S         the share of zeros, from 0 to 1\n"
    "  --method uniform     S in each layer (default), by magnitude; or\n"
    "  --method global      S over all layers together, one threshold\n"
    "  --layers PATTERN     layers to prune, by node or weight name, with * and ?; repeatable\n"
    "                       (default: all convolutions and fully connected layers but the first\n"
    "                       convolution and the classifier)\n"
    "  --exclude PATTERN    layers to leave as they are; repeatable\n"
    "  --sparse-initializer write pruned weights as ONNX sparse tensors: a smaller file\n"
    "  --json               the result as one JSON document (keys: docs/cli.md)\n"
    "  -v, --verbose        more talk on stderr\n";

enum { OPT_SPARSITY = 400, OPT_METHOD, OPT_LAYERS, OPT_EXCLUDE, OPT_SPARSE };

struct prune {
    struct settings settings;
    nm_prune_options options;
    nm_save_options save;
    const char *in, *out;
    const char *layers[PATTERNS_MAX], *exclude[PATTERNS_MAX];
    bool given;
};

static int add_pattern(const char **list, size_t *n, const char *word)
{
    if (*n == PATTERNS_MAX) {
        return usage(&cmd_prune, "more than %d patterns", PATTERNS_MAX);
    }
    list[(*n)++] = word;
    return GO_ON;
}

static int one_option(struct prune *p, int code)
{
    switch (code) {
    case 'o':
        p->out = optarg;
        return GO_ON;
    case OPT_SPARSITY:
        p->given = args_double(optarg, &p->options.sparsity) && p->options.sparsity >= 0.0 &&
                   p->options.sparsity <= 1.0;
        return p->given ? GO_ON : usage(&cmd_prune, "--sparsity %s is not in [0,1]", optarg);
    case OPT_METHOD:
        p->options.method =
            strcmp(optarg, "global") ? NM_PRUNE_MAGNITUDE_UNIFORM : NM_PRUNE_MAGNITUDE_GLOBAL;
        return strcmp(optarg, "global") == 0 || strcmp(optarg, "uniform") == 0
                   ? GO_ON
                   : usage(&cmd_prune, "--method is uniform or global");
    case OPT_LAYERS:
        return add_pattern(p->layers, &p->options.n_layers, optarg);
    case OPT_EXCLUDE:
        return add_pattern(p->exclude, &p->options.n_exclude, optarg);
    case OPT_SPARSE:
        p->save.sparse = 1;
        return GO_ON;
    default:
        return settings_option(&p->settings, &cmd_prune, code, optarg);
    }
}

static int parse(int argc, char **argv, struct prune *p)
{
    static const struct option options[] = {{"output", 1, NULL, 'o'},
                                            {"sparsity", 1, NULL, OPT_SPARSITY},
                                            {"method", 1, NULL, OPT_METHOD},
                                            {"layers", 1, NULL, OPT_LAYERS},
                                            {"exclude", 1, NULL, OPT_EXCLUDE},
                                            {"sparse-initializer", 0, NULL, OPT_SPARSE},
                                            {"json", 0, NULL, OPT_JSON},
                                            {"verbose", 0, NULL, 'v'},
                                            {0}};
    int code, verdict = settings_init(&p->settings, &cmd_prune);
    while (verdict == GO_ON && (code = getopt_long(argc, argv, "o:v", options, NULL)) != -1) {
        verdict = one_option(p, code);
    }
    if (verdict != GO_ON) {
        return verdict;
    }
    if (argc - optind != 1 || !p->out || !p->given) {
        return usage(&cmd_prune, "expected IN, -o OUT and --sparsity S");
    }
    p->in = argv[optind];
    p->options.layers = p->options.n_layers ? p->layers : NULL;
    p->options.exclude = p->options.n_exclude ? p->exclude : NULL;
    return GO_ON;
}

static int prune_model(struct prune *p, const nm_model *model)
{
    nm_model *pruned = NULL;
    nm_error err;
    double start = source_now();
    nm_status status = nm_model_prune(model, &p->options, &pruned, &err);
    double seconds = source_now() - start;
    if (!status) {
        status = nm_model_save(pruned, p->out, &p->save, &err);
    }
    nm_model_free(pruned);
    if (status) {
        return report(&err);
    }
    if (p->settings.json) {
        struct json j = {.out = stdout};
        json_open(&j, NULL, '{');
        json_string(&j, "input", p->in);
        json_string(&j, "output", p->out);
        json_double(&j, "sparsity", p->options.sparsity);
        json_string(&j, "method", p->options.method ? "global" : "uniform");
        json_double(&j, "seconds", seconds);
        json_close(&j, '}');
        json_end(&j);
    } else {
        printf("%s: pruned to %.2f %% (%s) in %.2f s; 'nmie inspect %s --stage sparse' lists the "
               "layers\n",
               p->out, 100.0 * p->options.sparsity, p->options.method ? "global" : "uniform",
               seconds, p->out);
    }
    return EXIT_GOOD;
}

static int run(int argc, char **argv)
{
    struct prune p = {.options = NM_PRUNE_OPTIONS_INIT, .save = NM_SAVE_OPTIONS_INIT};
    struct source_shape shape = {0};
    nm_model *model = NULL;
    nm_error err;
    double seconds;
    int code = parse(argc, argv, &p);
    if (code == GO_ON && source_load(p.in, &p.settings, &shape, &model, &seconds, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = prune_model(&p, model);
    }
    nm_model_free(model);
    settings_free(&p.settings);
    return code;
}

const struct command cmd_prune = {"prune", "set the smallest weights to zero", help, run};
