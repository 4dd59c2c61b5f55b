/* SPDX-License-Identifier: Apache-2.0 */
/* nmie profile: where the time of a network goes, layer by layer. */
#include "examples/nmie/args.h"
#include "examples/nmie/bench/layers.h"
#include "examples/nmie/bench/machine.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/output.h"
#include "examples/nmie/prune/zeros.h"
#include "examples/nmie/stats.h"

#include <getopt.h>
#include <stdlib.h>

static const char help[] =
    "Usage: nmie profile MODEL|builtin:NAME [option]...\n"
    "\n"
    "Each layer's kernel and why it was chosen, shape, zeros, time, GFLOP/s on nonzeros, percent "
    "of\n"
    "what the cores can do, bytes, and what conversions cost: the median of up to 15 runs.\n"
    "\n"
    "  nmie profile builtin:resnet50 --sparsity 0.9 -t 1\n"
    "  nmie profile net.onnx --html profile.html --trace profile.trace.json\n"
    "\n"
    "  -b, --batch N        the batch (default 1)\n"
    "  --sparsity S         first prune to the share S of zeros, or by a recipe, as bench does\n"
    "  --shape CxHxW        the dims behind the batch where the model leaves them free\n"
    "  --html FILE          a page: timeline, roofline, time by layer beside dense kernels, which\n"
    "                       are then run too\n"
    "  --trace FILE         for chrome://tracing and Perfetto\n"
    "\n" SETTINGS_HELP;

enum { OPT_SPARSITY = 400, OPT_SHAPE, OPT_HTML, OPT_TRACE };

#define WARM_RUNS 3

struct view {
    struct settings settings;
    const char *html, *trace;
    struct source_shape shape;
    struct zeros_list zeros; /* one, or none */
    struct layers layers;
};

static int one_option(struct view *v, int code)
{
    switch (code) {
    case 'b':
        return args_int(optarg, 1, 65536, &v->layers.batch)
                   ? GO_ON
                   : usage(&cmd_profile, "-b %s is not a batch", optarg);
    case OPT_SPARSITY:
        return zeros_option(&v->zeros, &cmd_profile, optarg);
    case OPT_SHAPE:
        return source_shape_parse(optarg, &v->shape)
                   ? GO_ON
                   : usage(&cmd_profile, "--shape %s is not of the form 3x224x224", optarg);
    case OPT_HTML:
        v->html = optarg;
        return GO_ON;
    case OPT_TRACE:
        v->trace = optarg;
        return GO_ON;
    default:
        return settings_option(&v->settings, &cmd_profile, code, optarg);
    }
}

static int parse(int argc, char **argv, struct view *v)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            {"batch", 1, NULL, 'b'},
                                            {"sparsity", 1, NULL, OPT_SPARSITY},
                                            {"shape", 1, NULL, OPT_SHAPE},
                                            {"html", 1, NULL, OPT_HTML},
                                            {"trace", 1, NULL, OPT_TRACE},
                                            {0}};
    int code, verdict = settings_init(&v->settings, &cmd_profile);
    v->layers.batch = 1;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "b:", options, NULL)) != -1) {
        verdict = one_option(v, code);
    }
    if (verdict == GO_ON && v->zeros.n > 1) {
        return usage(&cmd_profile, "--sparsity: one share or recipe at a time");
    }
    if (verdict == GO_ON && argc - optind != 1) {
        return usage(&cmd_profile, "expected one MODEL");
    }
    if (verdict == GO_ON) {
        v->layers.model = argv[optind];
        settings_finish(&v->settings);
    }
    return verdict;
}

static nm_status open_model(struct view *v, nm_model **model, nm_error *err)
{
    double seconds;
    nm_status status = source_load(v->layers.model, &v->settings, &v->shape, model, &seconds, err);
    const struct zeros *z = v->zeros.n ? &v->zeros.at[0] : NULL;
    if (!status && z && zeros_wanted(z)) {
        v->layers.profile = z->profile;
        status = zeros_make(z, model, &v->layers.sparsity, &seconds, err);
    }
    return status;
}

/* Runs, and the clock's median of them; the profile sees those behind the warm-up. */
static nm_status run_session(nm_session *session, const nm_tensor *in, size_t n_in, nm_tensor *out,
                             size_t n_out, struct profile *profile, double *ms, nm_error *err)
{
    double times[PROFILE_RUNS];
    nm_status status = NM_OK;
    for (int run = -WARM_RUNS; run < PROFILE_RUNS && !status; run++) {
        for (size_t i = 0; i < n_out; i++) {
            out[i] = (nm_tensor){0};
        }
        double start = source_now();
        status = nm_run(session, in, n_in, out, n_out, err);
        if (run >= 0 && !status) {
            times[run] = source_now() - start;
            status = profile_add(profile, session, err);
        }
    }
    *ms = status ? 0.0 : 1e3 * stats_of(times, PROFILE_RUNS).median;
    return status;
}

static nm_status profile_model(struct view *v, nm_model *model, bool dense, struct profile *profile,
                               double *ms, nm_error *err)
{
    size_t n = nm_model_inputs(model), n_out = nm_model_outputs(model);
    struct host_tensor *hosts = NULL;
    nm_session *session = NULL;
    nm_session_options options = v->settings.session;
    options.dense = options.dense || dense;
    nm_status status = source_inputs(model, v->layers.batch, &v->shape, &hosts, err);
    if (status) {
        return status;
    }
    nm_tensor *in = source_tensors(hosts, n), *out = calloc(n_out + 1, sizeof *out);
    status = in && out ? nm_session_create(model, &options, &session, err)
                       : complain(err, NM_ENOMEM, "no memory");
    if (!status) {
        status = run_session(session, in, n, out, n_out, profile, ms, err);
    }
    nm_session_free(session);
    free(in);
    free(out);
    source_free(hosts, n);
    return status;
}

static nm_status show(const struct view *v, nm_error *err)
{
    nm_status status = NM_OK;
    if (v->settings.json) {
        layers_json(stdout, &v->layers);
    } else {
        status = layers_text(stdout, &v->layers, err);
    }
    if (!status && v->trace) {
        status = output_file(v->trace, layers_trace, &v->layers, err);
    }
    if (!status && v->html) {
        status = output_file(v->html, layers_html, &v->layers, err);
    }
    return status;
}

static nm_status look(struct view *v, nm_model *model, nm_error *err)
{
    struct layers *l = &v->layers;
    const nm_isa isa = v->settings.session.isa;
    l->isa = nm_isa_name(isa == NM_ISA_AUTO ? nm_isa_best() : isa);
    l->precision = v->settings.session.precision ? "half" : "f32";
    nm_status status = profile_model(v, model, false, &l->own, &l->ms, err);
    if (!status && v->html) {
        status = profile_model(v, model, true, &l->dense, &l->dense_ms, err);
    }
    if (!status && (v->html || v->settings.json)) {
        l->bandwidth = machine_bandwidth(l->own.last->threads);
    }
    return status ? status : show(v, err);
}

static int run(int argc, char **argv)
{
    struct view v = {0};
    nm_model *model = NULL;
    nm_error err;
    int code = parse(argc, argv, &v);
    if (code == GO_ON && open_model(&v, &model, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = look(&v, model, &err) ? report(&err) : EXIT_GOOD;
    }
    profile_free(&v.layers.own);
    profile_free(&v.layers.dense);
    nm_model_free(model);
    zeros_free(&v.zeros);
    settings_free(&v.settings);
    return code;
}

const struct command cmd_profile = {"profile", "where the time goes, layer by layer", help, run};
