/* SPDX-License-Identifier: Apache-2.0 */
/* nmie run: one network, inputs from files, outputs to files or summarised. */
#include "examples/nmie/args.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/model_source.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 64

static const char help[] =
    "Usage: nmie run MODEL [--input NAME=FILE]... [--output NAME=FILE]... [option]...\n"
    "\n"
    "Runs the model once. Inputs come from .npy, .pb (ONNX TensorProto) or .bin files (bare\n"
    "little-endian elements of the model's dims; one free dimension follows from the size).\n"
    "Outputs go to files of these kinds; those not asked for are summarised on stdout.\n"
    "\n"
    "  nmie run net.onnx --input input=x.npy --output logits=y.npy\n"
    "  nmie run net.onnx --input x.npy                 a model with one input needs no name\n"
    "\n"
    "  -i, --input [NAME=]FILE   the contents of an input; each input must be given\n"
    "  -o, --output [NAME=]FILE  where to write an output (default name: the first output)\n"
    "\n" SETTINGS_HELP;

struct binding {
    char *name; /* owned; NULL: the first */
    const char *file;
};

struct run_args {
    struct settings settings;
    struct binding in[FILES_MAX], out[FILES_MAX];
    size_t n_in, n_out;
    const char *model;
};

static int add_binding(struct binding *list, size_t *n, const char *word)
{
    if (*n == FILES_MAX) {
        return usage(&cmd_run, "more than %d files", FILES_MAX);
    }
    if (!args_pair(word, &list[*n].name, &list[*n].file)) {
        return usage(&cmd_run, "'%s' is not NAME=FILE", word);
    }
    (*n)++;
    return GO_ON;
}

static int parse(int argc, char **argv, struct run_args *a)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS, {"input", 1, NULL, 'i'}, {"output", 1, NULL, 'o'}, {0}};
    int code, verdict = settings_init(&a->settings, &cmd_run);
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "i:o:", options, NULL)) != -1) {
        if (code == 'i') {
            verdict = add_binding(a->in, &a->n_in, optarg);
        } else if (code == 'o') {
            verdict = add_binding(a->out, &a->n_out, optarg);
        } else {
            verdict = settings_option(&a->settings, &cmd_run, code, optarg);
        }
    }
    if (verdict == GO_ON && argc - optind != 1) {
        return usage(&cmd_run, "expected one MODEL");
    }
    if (verdict == GO_ON) {
        a->model = argv[optind];
        settings_finish(&a->settings);
    }
    return verdict;
}

/* The model's input of this name; NULL name: the only one. */
static const nm_value_info *find_input(const nm_model *model, const char *name, nm_error *err)
{
    size_t n = nm_model_inputs(model);
    for (size_t i = 0; i < n && name; i++) {
        if (strcmp(nm_model_input(model, i)->name, name) == 0) {
            return nm_model_input(model, i);
        }
    }
    if (!name && n == 1) {
        return nm_model_input(model, 0);
    }
    complain(err, NM_EINVAL, "%s%s: the model has %zu input%s, the first is %s",
             name ? "no input " : "which input?", name ? name : "", n, n == 1 ? "" : "s",
             n ? nm_model_input(model, 0)->name : "none");
    return NULL;
}

/* Reads the files; hosts has room for each of them. */
static nm_status load_inputs(const struct run_args *a, const nm_model *model,
                             struct host_tensor *hosts, nm_error *err)
{
    nm_status status = NM_OK;
    for (size_t i = 0; i < a->n_in && !status; i++) {
        const nm_value_info *info = find_input(model, a->in[i].name, err);
        status = info ? host_load(a->in[i].file, info, &hosts[i], err) : NM_EINVAL;
        if (!status) {
            status = host_name(&hosts[i], info->name, err);
        }
    }
    for (size_t k = 0; k < nm_model_inputs(model) && !status; k++) {
        const char *name = nm_model_input(model, k)->name;
        bool given = false;
        for (size_t i = 0; i < a->n_in; i++) {
            given = given || strcmp(hosts[i].name, name) == 0;
        }
        if (!given) {
            status = complain(err, NM_EINVAL, "input %s is not given: --input %s=FILE", name, name);
        }
    }
    return status;
}

static void summarise(const nm_tensor *t, struct json *j)
{
    size_t count = 0;
    char dims[256];
    double low = INFINITY, high = -INFINITY, sum = 0.0;
    host_count(t->dims, t->rank, &count);
    for (size_t i = 0; i < count; i++) {
        double v = host_at(t, i);
        low = v < low ? v : low;
        high = v > high ? v : high;
        sum += v;
    }
    double mean = count ? sum / (double)count : (double)NAN;
    if (!j) {
        printf("%s: %s %s, min %g, max %g, mean %g, first", t->name, nm_type_name(t->type),
               host_dims_text(t->dims, NULL, t->rank, dims), low, high, mean);
        for (size_t i = 0; i < count && i < 5; i++) {
            printf(" %g", host_at(t, i));
        }
        printf("\n");
        return;
    }
    json_open(j, NULL, '{');
    json_string(j, "name", t->name);
    json_string(j, "type", nm_type_name(t->type));
    json_open(j, "dims", '[');
    for (int32_t i = 0; i < t->rank; i++) {
        json_int(j, NULL, t->dims[i]);
    }
    json_close(j, ']');
    json_double(j, "min", low);
    json_double(j, "max", high);
    json_double(j, "mean", mean);
    json_close(j, '}');
}

/* Saves what was asked for, and tells of the outputs on stdout. */
static nm_status deliver(const struct run_args *a, const nm_tensor *out, size_t n, nm_error *err)
{
    struct json j = {.out = stdout};
    nm_status status = NM_OK;
    for (size_t i = 0; i < a->n_out && !status; i++) {
        size_t k = 0;
        while (k < n && a->out[i].name && strcmp(out[k].name, a->out[i].name) != 0) {
            k++;
        }
        status = k < n ? host_save(a->out[i].file, &out[k], err)
                       : complain(err, NM_EINVAL, "no output %s; the first is %s", a->out[i].name,
                                  n ? out[0].name : "none");
    }
    if (!status && a->settings.json) {
        json_open(&j, NULL, '{');
        json_open(&j, "outputs", '[');
    }
    for (size_t k = 0; k < n && !status && (a->settings.json || !a->n_out); k++) {
        summarise(&out[k], a->settings.json ? &j : NULL);
    }
    if (!status && a->settings.json) {
        json_close(&j, ']');
        json_close(&j, '}');
        json_end(&j);
    }
    return status;
}

static nm_status run_model(const struct run_args *a, nm_model *model, nm_error *err)
{
    struct host_tensor *hosts = calloc(a->n_in + 1, sizeof *hosts);
    nm_tensor *in = NULL, *out = calloc(nm_model_outputs(model) + 1, sizeof *out);
    nm_session *session = NULL;
    nm_status status = hosts && out ? NM_OK : complain(err, NM_ENOMEM, "no memory");
    if (!status) {
        status = load_inputs(a, model, hosts, err);
    }
    if (!status) {
        in = source_tensors(hosts, a->n_in);
        status = in ? nm_session_create(model, &a->settings.session, &session, err)
                    : complain(err, NM_ENOMEM, "no memory");
    }
    if (!status) {
        status = nm_run(session, in, a->n_in, out, nm_model_outputs(model), err);
    }
    for (size_t i = 0; i < nm_model_outputs(model) && !status; i++) {
        out[i].name = nm_model_output(model, i)->name;
    }
    if (!status) {
        status = deliver(a, out, nm_model_outputs(model), err);
    }
    nm_session_free(session);
    source_free(hosts, a->n_in);
    free(in);
    free(out);
    return status;
}

static int run(int argc, char **argv)
{
    struct run_args a = {0};
    struct source_shape shape = {0};
    nm_model *model = NULL;
    nm_error err;
    double seconds;
    int code = parse(argc, argv, &a);
    if (code == GO_ON && source_load(a.model, &a.settings, &shape, &model, &seconds, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = run_model(&a, model, &err) ? report(&err) : EXIT_GOOD;
    }
    nm_model_free(model);
    for (size_t i = 0; i < FILES_MAX; i++) {
        free(a.in[i].name);
        free(a.out[i].name);
    }
    settings_free(&a.settings);
    return code;
}

const struct command cmd_run = {"run", "run a model on tensors from files", help, run};
