/* SPDX-License-Identifier: Apache-2.0 */
/* nmie synth: networks of known architecture with made-up weights, as ONNX files. */
#include "examples/nmie/args.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/synth.h"

#include <getopt.h>

static const char help[] =
    "Usage: nmie synth NAME -o FILE.onnx [option]...\n"
    "\n"
    "Writes a network of exact architecture with made-up weights: resnet18, resnet50 (v1.5),\n"
    "vgg16, mobilenet_v1 or mobilenet_v2. ONNX opset 13, free batch N, input 'input' Nx3x224x224,\n"
    "output 'logits'; batch normalisation is folded, so each convolution has a bias. Speed "
    "depends\n"
    "on shapes and zeros only; the outputs mean nothing.\n"
    "\n"
    "  nmie synth resnet50 --sparsity 0.9 -o resnet50-90.onnx\n"
    "\n"
    "  -o, --output FILE    where to write\n"
    "  --sparsity S         the share of zeros in each layer (default 0); the first convolution,\n"
    "                       depthwise convolutions and the classifier stay dense\n"
    "  --seed N             another seed, other weights (default 0)\n"
    "  --size S             height and width of the input, a multiple of 32 (default 224)\n"
    "  --classes N          outputs of the classifier (default 1000)\n"
    "  --json               the result as one JSON document (keys: docs/cli.md)\n";

enum { OPT_SPARSITY = 400, OPT_SEED, OPT_SIZE, OPT_CLASSES };

struct synth_args {
    struct synth_options options;
    const char *name, *out;
    bool json;
};

static int int_option(const char *word, int64_t low, int64_t high, int64_t *to)
{
    return args_int(word, low, high, to)
               ? GO_ON
               : usage(&cmd_synth, "'%s' is not a number from %lld to %lld", word, (long long)low,
                       (long long)high);
}

static int one_option(struct synth_args *a, int code)
{
    int64_t n = 0;
    int verdict = GO_ON;
    switch (code) {
    case 'o':
        a->out = optarg;
        return GO_ON;
    case OPT_JSON:
        a->json = true;
        return GO_ON;
    case OPT_SPARSITY:
        return args_double(optarg, &a->options.sparsity)
                   ? GO_ON
                   : usage(&cmd_synth, "--sparsity %s is not a number", optarg);
    case OPT_SEED:
        verdict = int_option(optarg, 0, INT64_MAX, &n);
        a->options.seed = (uint64_t)n;
        return verdict;
    case OPT_SIZE:
        verdict = int_option(optarg, 32, 2048, &n);
        a->options.size = (int32_t)n;
        return verdict;
    case OPT_CLASSES:
        verdict = int_option(optarg, 1, 1000000, &n);
        a->options.classes = (int32_t)n;
        return verdict;
    default:
        return usage_hint(&cmd_synth);
    }
}

static int parse(int argc, char **argv, struct synth_args *a)
{
    static const struct option options[] = {{"output", 1, NULL, 'o'},
                                            {"sparsity", 1, NULL, OPT_SPARSITY},
                                            {"seed", 1, NULL, OPT_SEED},
                                            {"size", 1, NULL, OPT_SIZE},
                                            {"classes", 1, NULL, OPT_CLASSES},
                                            {"json", 0, NULL, OPT_JSON},
                                            {0}};
    int code, verdict = GO_ON;
    while (verdict == GO_ON && (code = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        verdict = one_option(a, code);
    }
    if (verdict == GO_ON && (argc - optind != 1 || !a->out)) {
        return usage(&cmd_synth, "expected NAME and -o FILE.onnx");
    }
    a->name = verdict == GO_ON ? argv[optind] : NULL;
    return verdict;
}

static void tell(const struct synth_args *a, const struct synth_report *r, double seconds)
{
    double sparsity = r->prunable ? (double)r->zeros / (double)r->prunable : 0.0;
    if (!a->json) {
        printf("%s: %s, %.2f M parameters, %.3f G multiply-accumulates, %.2f %% of %.2f M prunable "
               "weights are zero, made in %.2f s\n",
               a->out, a->name, 1e-6 * (double)r->parameters, 1e-9 * (double)r->macs,
               100.0 * sparsity, 1e-6 * (double)r->prunable, seconds);
        return;
    }
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_string(&j, "name", a->name);
    json_string(&j, "output", a->out);
    json_int(&j, "parameters", r->parameters);
    json_int(&j, "macs", r->macs);
    json_int(&j, "prunable", r->prunable);
    json_int(&j, "zeros", r->zeros);
    json_double(&j, "sparsity", sparsity);
    json_double(&j, "seconds", seconds);
    json_close(&j, '}');
    json_end(&j);
}

static int run(int argc, char **argv)
{
    struct synth_args a = {.options = SYNTH_OPTIONS_INIT};
    struct synth *net;
    nm_error err;
    int code = parse(argc, argv, &a);
    if (code != GO_ON) {
        return code;
    }
    double start = source_now();
    if (synth_make(a.name, &a.options, &net, &err)) {
        return usage(&cmd_synth, "%s", err.message);
    }
    nm_status status = synth_save(net, a.out, &err);
    if (!status) {
        tell(&a, synth_about(net), source_now() - start);
    }
    synth_free(net);
    return status ? report(&err) : EXIT_GOOD;
}

const struct command cmd_synth = {"synth", "write a network with made-up weights", help, run};
