/* SPDX-License-Identifier: Apache-2.0 */
/* nmie inspect: what the library made of a model, stage by stage. */
#include "examples/nmie/args.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/table.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: nmie inspect MODEL|builtin:NAME [--stage STAGE] [option]...\n"
    "\n"
    "Shows a model as the library sees it.\n"
    "\n"
    "  nmie inspect net.onnx --stage sparse\n"
    "  nmie inspect net.onnx --stage plan -b 16 --json | jq .\n"
    "\n"
    "  --stage graph        the graph of the file (default)\n"
    "  --stage opt          the graph after all optimisations\n"
    "  --stage sparse       zeros in each layer\n"
    "  --stage plan         the steps that run, their kernels, and what else was considered\n"
    "  --stage memory       bytes of the arena, of packed weights and plans\n"
    "  --stage profile      the time of each step in one run\n"
    "  -b, --batch N        plan, memory, profile: the batch (default 1)\n"
    "  --shape CxHxW        and the dims behind it where the model leaves them free\n"
    "\n" SETTINGS_HELP;

enum { OPT_STAGE = 400, OPT_SHAPE };

struct inspect {
    struct settings settings;
    const char *model_name;
    nm_describe stage;
    int64_t batch;
    struct source_shape shape;
};

static int stage_option(struct inspect *s, const char *word)
{
    static const char *const names[] = {"graph", "opt", "sparse", "plan", "memory", "profile"};
    for (int i = 0; i < 6; i++) {
        if (strcmp(word, names[i]) == 0) {
            s->stage = (nm_describe)i;
            return GO_ON;
        }
    }
    return usage(&cmd_inspect, "--stage is graph, opt, sparse, plan, memory or profile");
}

static int one_option(struct inspect *s, int code)
{
    switch (code) {
    case OPT_STAGE:
        return stage_option(s, optarg);
    case 'b':
        return args_int(optarg, 1, 65536, &s->batch)
                   ? GO_ON
                   : usage(&cmd_inspect, "-b %s is not a batch", optarg);
    case OPT_SHAPE:
        return source_shape_parse(optarg, &s->shape)
                   ? GO_ON
                   : usage(&cmd_inspect, "--shape %s is not of the form 3x224x224", optarg);
    default:
        return settings_option(&s->settings, &cmd_inspect, code, optarg);
    }
}

static int parse(int argc, char **argv, struct inspect *s)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            {"stage", 1, NULL, OPT_STAGE},
                                            {"batch", 1, NULL, 'b'},
                                            {"shape", 1, NULL, OPT_SHAPE},
                                            {0}};
    int code, verdict = settings_init(&s->settings, &cmd_inspect);
    s->batch = 1;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "b:", options, NULL)) != -1) {
        verdict = one_option(s, code);
    }
    if (verdict == GO_ON && argc - optind != 1) {
        return usage(&cmd_inspect, "expected one MODEL");
    }
    if (verdict == GO_ON) {
        s->model_name = argv[optind];
        settings_finish(&s->settings);
    }
    return verdict;
}

/* Plans for the wanted batch, and runs once for a profile. */
static nm_status describe_session(const struct inspect *s, nm_model *model, char **json,
                                  nm_error *err)
{
    size_t n = nm_model_inputs(model), n_out = nm_model_outputs(model);
    struct host_tensor *hosts = NULL;
    nm_session *session = NULL;
    nm_status status = source_inputs(model, s->batch, &s->shape, &hosts, err);
    if (status) {
        return status;
    }
    nm_tensor *in = source_tensors(hosts, n), *out = calloc(n_out + 1, sizeof *out);
    status = in && out ? nm_session_create(model, &s->settings.session, &session, err)
                       : complain(err, NM_ENOMEM, "no memory");
    if (!status) {
        status = nm_session_prepare(session, in, n, err);
    }
    for (int runs = 0; runs < 2 && !status && s->stage == NM_DESCRIBE_PROFILE; runs++) {
        status = nm_run(session, in, n, out, n_out, err);
    }
    if (!status) {
        status = nm_session_describe(session, s->stage, json, err);
    }
    nm_session_free(session);
    free(in);
    free(out);
    source_free(hosts, n);
    return status;
}

static int show(const struct inspect *s, nm_model *model)
{
    char *json = NULL;
    nm_error err;
    nm_status status = s->stage >= NM_DESCRIBE_PLAN
                           ? describe_session(s, model, &json, &err)
                           : nm_model_describe(model, s->stage, &json, &err);
    if (!status && s->settings.json) {
        puts(json);
    } else if (!status) {
        status = table_print(stdout, json, &err);
    }
    nm_string_free(json);
    return status ? report(&err) : EXIT_GOOD;
}

static int run(int argc, char **argv)
{
    struct inspect s = {.stage = NM_DESCRIBE_GRAPH};
    nm_model *model = NULL;
    nm_error err;
    double seconds;
    int code = parse(argc, argv, &s);
    if (code == GO_ON && source_load(s.model_name, &s.settings, &s.shape, &model, &seconds, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = show(&s, model);
    }
    nm_model_free(model);
    settings_free(&s.settings);
    return code;
}

const struct command cmd_inspect = {"inspect", "show a model, stage by stage", help, run};
