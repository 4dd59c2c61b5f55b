/* SPDX-License-Identifier: Apache-2.0 */
/* nmie bench: how fast a network runs, case by case. */
#include "examples/nmie/args.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/timing.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char help[] =
    "Usage: nmie bench MODEL|builtin:NAME [option]...\n"
    "\n"
    "Times a network on made-up input. The search for the best plan is done first and reported\n"
    "apart. builtin:NAME is one of resnet18, resnet50, vgg16, mobilenet_v1, mobilenet_v2 with\n"
    "made-up weights.\n"
    "\n"
    "  nmie bench builtin:resnet50 --sparsity 0.9 --compare\n"
    "  nmie bench net.onnx -b 1,16,64 -t 1,2 --json\n"
    "\n"
    "  -b, --batch N[,N]    batch sizes (default 1)\n"
    "  -t, --threads N[,N]  numbers of threads; one case for each pair\n"
    "  --sparsity S         first prune all layers but the first convolution and the classifier\n"
    "                       to the share S of zeros, by magnitude\n"
    "  --seconds S          how long to time each case (default 2)\n"
    "  --shape CxHxW        an input's dims behind the batch where the model leaves them free\n"
    "                       (builtin: 3xSxS makes the network for another size)\n"
    "  --compare            time the same network without sparse kernels too, and compare the\n"
    "                       outputs; exit status 1 when they differ by more than 1e-4 of max|y|\n"
    "                       (with --precision half: 5e-2)\n"
    "\n" SETTINGS_HELP;

enum { OPT_SPARSITY = 400, OPT_SECONDS, OPT_SHAPE, OPT_COMPARE };

struct bench {
    struct settings settings;
    const char *model_name;
    struct args_list batches, threads;
    double sparsity, seconds;
    struct source_shape shape;
    bool compare;
    nm_model *model;
    double load_seconds, prune_seconds;
    bool apart; /* outputs of a comparison differed */
    struct json json;
};

static int list_option(struct args_list *list, char separator, const char *word)
{
    return args_ints(word, separator, 65536, list)
               ? GO_ON
               : usage(&cmd_bench, "'%s' is not a list of positive numbers", word);
}

static int shape_option(struct bench *b, const char *word)
{
    struct args_list dims;
    if (!args_ints(word, 'x', 1 << 20, &dims) || dims.n >= NM_MAX_DIMS) {
        return usage(&cmd_bench, "--shape %s is not of the form 3x224x224", word);
    }
    b->shape.rank = (int32_t)dims.n;
    memcpy(b->shape.dims, dims.at, dims.n * sizeof *dims.at);
    return GO_ON;
}

static int one_option(struct bench *b, int code)
{
    switch (code) {
    case 'b':
        return list_option(&b->batches, ',', optarg);
    case 't':
        return list_option(&b->threads, ',', optarg);
    case OPT_SPARSITY:
        return args_double(optarg, &b->sparsity) && b->sparsity >= 0.0 && b->sparsity < 1.0
                   ? GO_ON
                   : usage(&cmd_bench, "--sparsity %s is not in [0,1)", optarg);
    case OPT_SECONDS:
        return args_double(optarg, &b->seconds) && b->seconds > 0.0 && b->seconds <= 1e5
                   ? GO_ON
                   : usage(&cmd_bench, "--seconds %s makes no sense", optarg);
    case OPT_SHAPE:
        return shape_option(b, optarg);
    case OPT_COMPARE:
        b->compare = true;
        return GO_ON;
    default:
        return settings_option(&b->settings, &cmd_bench, code, optarg);
    }
}

static int parse(int argc, char **argv, struct bench *b)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            {"batch", 1, NULL, 'b'},
                                            {"sparsity", 1, NULL, OPT_SPARSITY},
                                            {"seconds", 1, NULL, OPT_SECONDS},
                                            {"shape", 1, NULL, OPT_SHAPE},
                                            {"compare", 0, NULL, OPT_COMPARE},
                                            {0}};
    int code, verdict = settings_init(&b->settings, &cmd_bench);
    int32_t threads = b->settings.session.threads;
    b->batches = (struct args_list){1, {1}};
    b->threads = (struct args_list){1, {threads ? threads : nm_default_threads()}};
    b->seconds = 2.0;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "b:", options, NULL)) != -1) {
        verdict = one_option(b, code);
    }
    if (verdict != GO_ON) {
        return verdict;
    }
    if (argc - optind != 1) {
        return usage(&cmd_bench, "expected one MODEL");
    }
    b->model_name = argv[optind];
    settings_finish(&b->settings);
    return GO_ON;
}

/* Loads, and prunes when asked. */
static nm_status open_model(struct bench *b, nm_error *err)
{
    nm_status status =
        source_load(b->model_name, &b->settings, &b->shape, &b->model, &b->load_seconds, err);
    if (status || b->sparsity == 0.0) {
        return status;
    }
    nm_prune_options options = NM_PRUNE_OPTIONS_INIT;
    options.sparsity = b->sparsity;
    nm_model *pruned;
    double start = source_now();
    status = nm_model_prune(b->model, &options, &pruned, err);
    b->prune_seconds = source_now() - start;
    if (!status) {
        nm_model_free(b->model);
        b->model = pruned;
    }
    return status;
}

static double peak_mib(void)
{
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
    return (double)usage_now.ru_maxrss / 1024.0;
}

static void tell_times(struct json *j, const struct timing *t, int64_t batch)
{
    json_double(j, "items_per_second", (double)batch / t->stats.median);
    json_open(j, "ms", '{');
    json_double(j, "median", 1e3 * t->stats.median);
    json_double(j, "p90", 1e3 * t->stats.p90);
    json_double(j, "p99", 1e3 * t->stats.p99);
    json_double(j, "best", 1e3 * t->stats.best);
    json_close(j, '}');
    json_int(j, "iterations", (int64_t)t->iterations);
    json_double(j, "plan_seconds", t->plan_seconds);
}

struct bench_case {
    int64_t batch, threads;
    struct timing timing, dense; /* dense: with compare */
    struct profile profile;      /* for JSON */
    double max_rel;
};

static void tell_json(struct bench *b, const struct bench_case *c)
{
    struct json *j = &b->json;
    nm_isa isa = b->settings.session.isa;
    json_open(j, NULL, '{');
    json_string(j, "model", b->model_name);
    json_int(j, "batch", c->batch);
    json_int(j, "threads", c->threads);
    json_string(j, "isa", nm_isa_name(isa == NM_ISA_AUTO ? nm_isa_best() : isa));
    json_string(j, "precision", b->settings.session.precision ? "half" : "f32");
    json_bool(j, "dense", b->settings.session.dense);
    json_double(j, "sparsity", b->sparsity);
    tell_times(j, &c->timing, c->batch);
    json_double(j, "load_seconds", b->load_seconds);
    json_double(j, "prune_seconds", b->prune_seconds);
    json_double(j, "peak_rss_mib", peak_mib());
    profile_tell(&c->profile, j);
    if (b->compare) {
        json_open(j, "compare", '{');
        tell_times(j, &c->dense, c->batch);
        json_double(j, "speedup", c->dense.stats.median / c->timing.stats.median);
        json_double(j, "max_rel", c->max_rel);
        json_close(j, '}');
    }
    json_close(j, '}');
}

static void tell_line(const char *kind, const struct bench_case *c, const struct timing *t)
{
    printf("%-7s %5lld %7lld %11.3f %9.3f %9.3f %10.2f %8.2f\n", kind, (long long)c->batch,
           (long long)c->threads, 1e3 * t->stats.median, 1e3 * t->stats.p90, 1e3 * t->stats.p99,
           (double)c->batch / t->stats.median, t->plan_seconds);
    fflush(stdout);
}

static void tell_text(struct bench *b, const struct bench_case *c)
{
    tell_line(b->settings.session.dense ? "dense" : "auto", c, &c->timing);
    if (b->compare) {
        tell_line("dense", c, &c->dense);
        printf("        speedup %.2fx; outputs differ by %.1e of max|y|\n",
               c->dense.stats.median / c->timing.stats.median, c->max_rel);
    }
}

static nm_status run_case(struct bench *b, struct bench_case *c, nm_error *err)
{
    nm_session_options options = b->settings.session;
    options.threads = (int32_t)c->threads;
    struct timing_job job = {.model = b->model,
                             .shape = &b->shape,
                             .batch = c->batch,
                             .seconds = b->seconds,
                             .profile = b->settings.json ? &c->profile : NULL};
    if (!b->compare) {
        return timing_run(&job, &options, &c->timing, err);
    }
    double allowed = options.precision == NM_PRECISION_HALF ? 5e-2 : 1e-4;
    nm_status status = timing_compare(&job, &options, &c->timing, &c->dense, &c->max_rel, err);
    if (!status && !(c->max_rel <= allowed)) {
        b->apart = true;
        say("batch %lld: sparse and dense outputs differ by %.2g of max|y|, allowed are %g",
            (long long)c->batch, c->max_rel, allowed);
    }
    return status;
}

static void begin(struct bench *b, bool several)
{
    if (b->settings.json && several) {
        json_open(&b->json, NULL, '{');
        json_open(&b->json, "cases", '[');
    } else if (!b->settings.json) {
        printf("%s: loaded in %.2f s", b->model_name, b->load_seconds);
        if (b->sparsity > 0.0) {
            printf(", pruned to %.1f %% in %.2f s", 100.0 * b->sparsity, b->prune_seconds);
        }
        printf("\n%-7s %5s %7s %11s %9s %9s %10s %8s\n", "kernels", "batch", "threads", "median ms",
               "p90 ms", "p99 ms", "items/s", "plan s");
    }
}

static void end(struct bench *b, bool several)
{
    if (!b->settings.json) {
        printf("peak memory %.0f MiB\n", peak_mib());
        return;
    }
    if (several) {
        json_close(&b->json, ']');
        json_close(&b->json, '}');
    }
    json_end(&b->json);
}

static nm_status run_cases(struct bench *b, nm_error *err)
{
    bool several = b->batches.n * b->threads.n > 1;
    nm_status status = NM_OK;
    begin(b, several);
    for (size_t t = 0; t < b->threads.n; t++) {
        for (size_t i = 0; i < b->batches.n && !status; i++) {
            struct bench_case c = {.batch = b->batches.at[i], .threads = b->threads.at[t]};
            status = run_case(b, &c, err);
            if (!status && b->settings.json) {
                tell_json(b, &c);
            } else if (!status) {
                tell_text(b, &c);
            }
            profile_free(&c.profile);
        }
    }
    end(b, several);
    return status;
}

static int run(int argc, char **argv)
{
    struct bench b = {.json.out = stdout};
    nm_error err;
    int code = parse(argc, argv, &b);
    if (code == GO_ON && open_model(&b, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = run_cases(&b, &err) ? report(&err) : b.apart ? EXIT_FAILED : EXIT_GOOD;
    }
    nm_model_free(b.model);
    settings_free(&b.settings);
    return code;
}

const struct command cmd_bench = {"bench", "time a model or a built-in network", help, run};
