/* SPDX-License-Identifier: Apache-2.0 */
/* nmie bench: how fast networks run, case by case, and beside other engines. */
#include "examples/nmie/bench/environment.h"
#include "examples/nmie/bench/matrix.h"
#include "examples/nmie/bench/publish.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: nmie bench MODEL|builtin:NAME... [option]...\n"
    "       nmie bench --from RESULT.json... [--html FILE] [--svg FILE] [--csv FILE] [--page "
    "FILE]\n"
    "\n"
    "Times networks on made-up input, with libnm and other engines in turns, each in a process of\n"
    "its own. The search for the best plan is done first and reported apart. builtin:NAME is one "
    "of\n"
    "resnet18, resnet50, vgg16, mobilenet_v1, mobilenet_v2 with made-up weights.\n"
    "\n"
    "  nmie bench builtin:resnet50 --sparsity 0.9 --compare\n"
    "  nmie bench net.onnx --sparsity 0,0.8,fast.recipe --compare\n"
    "  nmie bench net.onnx -b 1,16,64 -t 1,2 --engine libnm,onnxruntime,openvino --html "
    "bench.html\n"
    "\n"
    "  -b, --batch N[,N]    batch sizes (default 1)\n"
    "  -t, --threads N[,N]  numbers of threads; one case for each pair\n"
    "  --sparsity S[,S]     first prune all layers but the first convolution and the classifier\n"
    "                       to the share S of zeros, by magnitude; 0: as it is. S may be a recipe\n"
    "                       (nmie prune --save-recipe): how fast its profile is, before anything\n"
    "                       is pruned with care\n"
    "  --seconds S          how long to time each engine in each case (default 2)\n"
    "  --rounds N           in so many turns (default 5)\n"
    "  --shape CxHxW        an input's dims behind the batch where the model leaves them free\n"
    "                       (builtin: 3xSxS makes the network for another size)\n"
    "  --compare            libnm and libnm-dense, in one row. With --precision half both may round\n"
    "                       to 16 bits: how far they are from float32 is reported, and no error\n"
    "  --engine NAME[=LIB]  engines, with commas or given again (default libnm): libnm, "
    "libnm-half,\n"
    "                       libnm-dense, onnxruntime, onnxruntime-cuda, openvino (float32),\n"
    "                       openvino-default; LIB is the shared library where it is not found.\n"
    "                       One that is not installed is skipped. Outputs are compared with the\n"
    "                       first's: float32 ones that differ by more than 1e-4 of max|y| make "
    "the\n"
    "                       exit status 1\n"
    "  --cmd NAME=COMMAND   any other: a command that prints a JSON object with items_per_second;\n"
    "                       {model}, {batch}, {threads}, {seconds}, {x} (input, .npy) and {y}\n"
    "                       (output to write, .npy) are filled in\n"
    "  --baseline NAME      whom the others' speed is compared with (default: the second engine)\n"
    "  --timeout S          an engine that is silent for so long hangs (default 600)\n"
    "  --predict-cores N,.. after measuring: what libnm would do on so many cores, a prediction\n"
    "                       (docs/performance.md) from one thread, which -t must name; without -t\n"
    "                       one thread and all are measured, and the error of the latter is shown\n"
    "  --from RESULT.json   measure nothing, take results of --json; several are put together\n"
    "  --html FILE, --svg FILE, --csv FILE   charts and tables, as one file that needs no other\n"
    "  --page FILE.md       puts tables between the marks <!-- bench --> and <!-- /bench -->, a\n"
    "                       short one between <!-- speed --> and <!-- /speed -->\n"
    "\n" SETTINGS_HELP;

enum {
    OPT_SPARSITY = 400,
    OPT_SECONDS,
    OPT_ROUNDS,
    OPT_SHAPE,
    OPT_COMPARE,
    OPT_ENGINE,
    OPT_CMD,
    OPT_BASELINE,
    OPT_TIMEOUT,
    OPT_PREDICT,
    OPT_FROM,
    OPT_HTML,
    OPT_SVG,
    OPT_CSV,
    OPT_PAGE
};

#define SPECS_MAX 16

struct bench {
    struct settings settings;
    struct matrix matrix;
    struct engine_spec specs[SPECS_MAX];
    const char *from[ARGS_LIST_MAX];
    size_t n_from;
    struct publish publish;
};

static int list_option(struct args_list *list, const char *word)
{
    return args_ints(word, ',', 65536, list)
               ? GO_ON
               : usage(&cmd_bench, "'%s' is not a list of positive numbers", word);
}

static int number_option(double *value, const char *name, const char *word)
{
    return args_double(word, value) && *value > 0.0 && *value <= 1e5
               ? GO_ON
               : usage(&cmd_bench, "--%s %s makes no sense", name, word);
}

static int add_engine(struct bench *b, const char *word, bool command)
{
    struct engine_spec *spec = &b->specs[b->matrix.n_specs];
    if (b->matrix.n_specs == SPECS_MAX) {
        return usage(&cmd_bench, "more than %d engines", SPECS_MAX);
    }
    if (!(command ? engine_command(word, spec) : engine_parse(word, spec))) {
        return usage(&cmd_bench, "--engine %s: there is no such engine, or it takes no library",
                     word);
    }
    for (size_t i = 0; i < b->matrix.n_specs; i++) {
        if (strcmp(b->specs[i].name, spec->name) == 0) {
            return usage(&cmd_bench, "engine %s comes twice", spec->name);
        }
    }
    b->matrix.n_specs++;
    return GO_ON;
}

static int engines_option(struct bench *b, const char *list)
{
    char *copy = strdup(list), *rest = NULL;
    int verdict = copy ? GO_ON : usage(&cmd_bench, "no memory");
    for (char *word = copy ? strtok_r(copy, ",", &rest) : NULL; word && verdict == GO_ON;
         word = strtok_r(NULL, ",", &rest)) {
        verdict = add_engine(b, word, false);
    }
    free(copy);
    return verdict;
}

static int compare_option(struct bench *b)
{
    b->matrix.compare = true;
    b->matrix.baseline = engine_nm_dense.name;
    return engines_option(b, "libnm,libnm-dense");
}

static int string_option(const char **list, size_t *n, const char *word)
{
    if (*n == ARGS_LIST_MAX) {
        return usage(&cmd_bench, "more than %d files", ARGS_LIST_MAX);
    }
    list[(*n)++] = word;
    return GO_ON;
}

static int result_option(struct bench *b, int code)
{
    switch (code) {
    case OPT_PREDICT:
        return list_option(&b->publish.cores, optarg);
    case OPT_FROM:
        return string_option(b->from, &b->n_from, optarg);
    case OPT_HTML:
        b->publish.html = optarg;
        return GO_ON;
    case OPT_SVG:
        b->publish.svg = optarg;
        return GO_ON;
    case OPT_CSV:
        b->publish.csv = optarg;
        return GO_ON;
    case OPT_PAGE:
        return string_option(b->publish.pages, &b->publish.n_pages, optarg);
    default:
        return settings_option(&b->settings, &cmd_bench, code, optarg);
    }
}

static int one_option(struct bench *b, int code)
{
    int64_t rounds;
    switch (code) {
    case 'b':
        return list_option(&b->matrix.batches, optarg);
    case 't':
        return list_option(&b->matrix.threads, optarg);
    case OPT_SPARSITY:
        return zeros_option(&b->matrix.zeros, &cmd_bench, optarg);
    case OPT_SECONDS:
        return number_option(&b->matrix.seconds, "seconds", optarg);
    case OPT_TIMEOUT:
        return number_option(&b->matrix.timeout, "timeout", optarg);
    case OPT_ROUNDS:
        if (!args_int(optarg, 1, 1000, &rounds)) {
            return usage(&cmd_bench, "--rounds %s is not in 1..1000", optarg);
        }
        b->matrix.rounds = (int)rounds;
        return GO_ON;
    case OPT_SHAPE:
        return source_shape_parse(optarg, &b->matrix.shape)
                   ? GO_ON
                   : usage(&cmd_bench, "--shape %s is not of the form 3x224x224", optarg);
    case OPT_COMPARE:
        return compare_option(b);
    case OPT_ENGINE:
        return engines_option(b, optarg);
    case OPT_CMD:
        return add_engine(b, optarg, true);
    case OPT_BASELINE:
        b->matrix.baseline = optarg;
        return GO_ON;
    default:
        return result_option(b, code);
    }
}

static void defaults(struct bench *b)
{
    struct matrix *m = &b->matrix;
    m->settings = &b->settings;
    m->specs = b->specs;
    m->batches = (struct args_list){1, {1}};
    m->seconds = 2.0;
    m->rounds = 5;
    m->timeout = 600.0;
}

/* Threads where none were given: all that there are; for predictions also one, to predict from. */
static int finish_threads(struct bench *b)
{
    struct args_list *t = &b->matrix.threads;
    const bool predicts = b->publish.cores.n > 0, given = t->n > 0;
    bool one = false;
    if (!given) {
        const int32_t all = b->settings.session.threads;
        *t = (struct args_list){1, {all ? all : nm_default_threads()}};
    }
    for (size_t i = 0; i < t->n; i++) {
        one = one || t->at[i] == 1;
    }
    if (!predicts || one || b->n_from > 0) {
        return GO_ON;
    }
    if (given) {
        return usage(&cmd_bench, "--predict-cores starts from one thread: add 1 to -t");
    }
    *t = (struct args_list){2, {1, t->at[0]}};
    return GO_ON;
}

/* After the options: what follows from them. */
static int finish(struct bench *b, int argc, char **argv)
{
    struct matrix *m = &b->matrix;
    m->models = argv + optind;
    m->n_models = (size_t)(argc - optind);
    if ((m->n_models == 0) != (b->n_from > 0)) {
        return usage(&cmd_bench,
                     b->n_from ? "--from measures nothing: it takes no MODEL" : "expected a MODEL");
    }
    if (m->compare && m->n_specs != 2) {
        return usage(&cmd_bench, "--compare names its own engines");
    }
    if (m->n_specs == 0) {
        int verdict = add_engine(b, engine_nm.name, false);
        if (verdict != GO_ON) {
            return verdict;
        }
    }
    if (!m->baseline && m->n_specs > 1) {
        m->baseline = b->specs[1].name;
    }
    m->quiet = b->settings.json;
    m->profile = b->settings.json || b->publish.cores.n > 0;
    b->publish.quiet = b->settings.json;
    b->publish.json = b->settings.json && (b->publish.cores.n > 0 || b->n_from > 0);
    settings_finish(&b->settings);
    return finish_threads(b);
}

static int parse(int argc, char **argv, struct bench *b)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            {"batch", 1, NULL, 'b'},
                                            {"sparsity", 1, NULL, OPT_SPARSITY},
                                            {"seconds", 1, NULL, OPT_SECONDS},
                                            {"rounds", 1, NULL, OPT_ROUNDS},
                                            {"shape", 1, NULL, OPT_SHAPE},
                                            {"compare", 0, NULL, OPT_COMPARE},
                                            {"engine", 1, NULL, OPT_ENGINE},
                                            {"cmd", 1, NULL, OPT_CMD},
                                            {"baseline", 1, NULL, OPT_BASELINE},
                                            {"timeout", 1, NULL, OPT_TIMEOUT},
                                            {"predict-cores", 1, NULL, OPT_PREDICT},
                                            {"from", 1, NULL, OPT_FROM},
                                            {"html", 1, NULL, OPT_HTML},
                                            {"svg", 1, NULL, OPT_SVG},
                                            {"csv", 1, NULL, OPT_CSV},
                                            {"page", 1, NULL, OPT_PAGE},
                                            {0}};
    int code, verdict = settings_init(&b->settings, &cmd_bench);
    defaults(b);
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "b:", options, NULL)) != -1) {
        verdict = one_option(b, code);
    }
    return verdict == GO_ON ? finish(b, argc, argv) : verdict;
}

/* What stands before the rows. */
static void tell_head(struct json *j, const void *context)
{
    const struct bench *b = context;
    json_string(j, "schema", ROWS_SCHEMA);
    environment_tell(j);
    json_int(j, "rounds", b->matrix.rounds);
    json_double(j, "seconds", b->matrix.seconds);
}

static nm_status measure(struct bench *b, struct rows *rows, nm_error *err)
{
    nm_status status = matrix_run(&b->matrix, err);
    char *text = status ? NULL : ledger_document(&b->matrix.ledger, tell_head, b);
    if (!status && !text) {
        status = complain(err, NM_ENOMEM, "no memory for the results");
    }
    if (!status) {
        status = rows_of(cJSON_Parse(text), "the result", rows, err);
    }
    if (!status && b->settings.json && !b->publish.json) {
        fputs(text, stdout);
    }
    free(text);
    return status;
}

static int run(int argc, char **argv)
{
    struct bench b = {0};
    struct rows rows = {0};
    nm_error err;
    int code = parse(argc, argv, &b);
    if (code == GO_ON && b.n_from > 0) {
        code = rows_merge(b.from, b.n_from, &rows, &err) ? report(&err) : GO_ON;
    } else if (code == GO_ON) {
        code = measure(&b, &rows, &err) ? report_model(&err) : GO_ON;
    }
    if (code == GO_ON) {
        code = publish(&b.publish, &rows, &err) ? report(&err) : GO_ON;
    }
    if (code == GO_ON) {
        const struct matrix *m = &b.matrix;
        code = m->apart || m->failed ? (m->refused ? EXIT_REFUSED : EXIT_FAILED) : EXIT_GOOD;
    }
    rows_free(&rows);
    ledger_free(&b.matrix.ledger);
    zeros_free(&b.matrix.zeros);
    for (size_t i = 0; i < b.matrix.n_specs; i++) {
        engine_free(&b.specs[i]);
    }
    settings_free(&b.settings);
    return code;
}

const struct command cmd_bench = {"bench", "time models, beside other engines too", help, run};
