/* SPDX-License-Identifier: Apache-2.0 */
/* nmie eval: accuracy over a data set, or agreement with a list of classes. */
#include "examples/nmie/args.h"
#include "examples/nmie/classifier.h"
#include "examples/nmie/data/data_options.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/ranking.h"

#include <getopt.h>

#define MISSES_MAX 100

static const char help[] =
    "Usage: nmie eval MODEL --data PATH [option]...\n"
    "\n"
    "Classifies all items of a data set and prints how often the right class came first (top-1)\n"
    "and was among the first five (top-5), in percent.\n"
    "\n"
    "  nmie eval cifar.onnx --data test_batch.bin --format cifar10\n"
    "  nmie eval mobilenet.onnx --data samples.u8 --format u8-hwc:227x227x3 --pre crop:224\n"
    "      --scale 1 --mean 128,128,128 --std 128,128,128 --class-offset 1\n"
    "      --reference classes.tsv:mobilenet\n"
    "  nmie eval net.onnx --data pictures/ --labels classes.txt --pre resize:256,crop:224\n"
    "\n"
    "  --data PATH          a file or a folder, see below\n"
    "  --reference TSV:COLUMN  classes that another program found: top1 is then the agreement\n"
    "  --logits OUT.npy     all rows of scores, float32 [count,classes]\n"
    "  -b, --batch B        items in one run (default 32, or what the model is fixed to)\n"
    "\n" DATA_HELP "\n" PREPROCESS_HELP "No steps unless --pre gives some.\n"
    "\n" SETTINGS_HELP;

enum { OPT_REFERENCE = 400, OPT_LOGITS, OPT_DATA = 500 };

struct eval {
    struct settings settings;
    struct preprocess pre;
    struct data_choice choice;
    const char *reference, *logits_path;
    int64_t batch;
    struct dataset data;
    struct host_tensor logits;
    int64_t top1, top5, misses[MISSES_MAX], n_misses;
    double seconds; /* of running, without preprocessing */
};

static int one_option(struct eval *e, int code)
{
    const char *wrong = NULL;
    int taken = preprocess_option(&e->pre, code, optarg, &wrong);
    if (taken) {
        return taken > 0 ? GO_ON : usage(&cmd_eval, "%s", wrong);
    }
    if (code == 'n' || (code >= OPT_DATA && code < OPT_DATA + DATA_CODES)) {
        int data = code == 'n' ? DATA_COUNT : code - OPT_DATA;
        return data_option(&e->choice, data, optarg, &wrong) > 0 ? GO_ON
                                                                 : usage(&cmd_eval, "%s", wrong);
    }
    switch (code) {
    case OPT_REFERENCE:
        e->reference = optarg;
        return GO_ON;
    case OPT_LOGITS:
        e->logits_path = optarg;
        return GO_ON;
    case 'b':
        return args_int(optarg, 1, INT32_MAX, &e->batch)
                   ? GO_ON
                   : usage(&cmd_eval, "'%s' is not a number in range", optarg);
    default:
        return settings_option(&e->settings, &cmd_eval, code, optarg);
    }
}

static int parse(int argc, char **argv, struct eval *e)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            PREPROCESS_OPTIONS,
                                            DATA_OPTIONS("data", "", OPT_DATA),
                                            {"reference", 1, NULL, OPT_REFERENCE},
                                            {"logits", 1, NULL, OPT_LOGITS},
                                            {"batch", 1, NULL, 'b'},
                                            {0}};
    int code, verdict = settings_init(&e->settings, &cmd_eval);
    preprocess_init(&e->pre, "");
    e->batch = 32;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "n:b:", options, NULL)) != -1) {
        verdict = one_option(e, code);
    }
    if (verdict != GO_ON) {
        return verdict;
    }
    if (argc - optind != 1 || !e->choice.path) {
        return usage(&cmd_eval, "expected MODEL and --data");
    }
    if (e->choice.labels && e->reference) {
        return usage(&cmd_eval, "--labels and --reference exclude each other");
    }
    e->choice.labels = e->reference ? e->reference : e->choice.labels;
    settings_finish(&e->settings);
    return GO_ON;
}

static nm_status open_data(struct eval *e, nm_error *err)
{
    nm_status status = dataset_open(&e->choice, &e->pre, &e->data, err);
    return !status && !e->data.labels
               ? complain(err, NM_EINVAL,
                          "%s carries no classes: give --labels or --reference", e->choice.path)
               : status;
}

static void score_item(struct eval *e, const float *scores, size_t classes, int64_t number)
{
    size_t top[5], k = classes < 5 ? classes : 5;
    bool first = false, among = false;
    ranking_top(scores, classes, k, top);
    for (size_t i = 0; i < k; i++) {
        bool hit = (int64_t)top[i] == e->data.labels[number];
        first = first || (hit && i == 0);
        among = among || hit;
    }
    e->top1 += first;
    e->top5 += among;
    if (!first && e->n_misses < MISSES_MAX) {
        e->misses[e->n_misses++] = dataset_place(&e->data, number);
    }
}

static nm_status keep_logits(struct eval *e, const struct classifier *net, int64_t first, int64_t n,
                             nm_error *err)
{
    if (!e->logits_path) {
        return NM_OK;
    }
    nm_tensor *t = &e->logits.t;
    if (!t->data) {
        *t = (nm_tensor){.type = NM_F32, .rank = 2, .dims = {e->data.count, (int64_t)net->classes}};
        nm_status status = host_make(&e->logits, err);
        if (status) {
            return status;
        }
    }
    float *rows = t->data;
    for (size_t i = 0; i < (size_t)n * net->classes; i++) {
        rows[(size_t)first * net->classes + i] = net->scores[i];
    }
    return NM_OK;
}

static nm_status take_rows(void *user, const struct classifier *net, int64_t first, int64_t n,
                           nm_error *err)
{
    struct eval *e = user;
    for (int64_t i = 0; i < n; i++) {
        score_item(e, net->scores + (size_t)i * net->classes, net->classes, first + i);
    }
    return keep_logits(e, net, first, n, err);
}

static nm_status evaluate(struct eval *e, struct classifier *net, nm_error *err)
{
    nm_status status = classifier_over(net, &e->data, e->batch, take_rows, e, &e->seconds, err);
    if (!status && e->logits_path) {
        status = host_save(e->logits_path, &e->logits.t, err);
    }
    return status;
}

static void tell(const struct eval *e, const char *model)
{
    int64_t count = e->data.count;
    double percent = 100.0 / (double)count;
    if (!e->settings.json) {
        printf("%s %.2f %% (%lld of %lld), %s %.2f %% (%lld), %.1f pictures/s\n",
               e->reference ? "agreement with the reference: top-1" : "top-1",
               percent * (double)e->top1, (long long)e->top1, (long long)count,
               e->reference ? "in top-5" : "top-5", percent * (double)e->top5, (long long)e->top5,
               (double)count / e->seconds);
        return;
    }
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_string(&j, "model", model);
    json_string(&j, "against", e->reference ? "reference" : "labels");
    json_int(&j, "count", count);
    json_double(&j, "top1", percent * (double)e->top1);
    json_double(&j, "top5", percent * (double)e->top5);
    json_int(&j, "top1_count", e->top1);
    json_int(&j, "top5_count", e->top5);
    json_double(&j, "items_per_second", (double)count / e->seconds);
    json_open(&j, "misses", '[');
    for (int64_t i = 0; i < e->n_misses; i++) {
        json_int(&j, NULL, e->misses[i]);
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

static int run(int argc, char **argv)
{
    struct eval e = {.choice = DATA_CHOICE_INIT};
    struct classifier net = {0};
    nm_error err;
    int code = parse(argc, argv, &e);
    if (code == GO_ON) {
        nm_status status = open_data(&e, &err);
        code = status == NM_OK ? classifier_open(&net, argv[optind], &e.settings) : report(&err);
    }
    if (code == GO_ON && evaluate(&e, &net, &err)) {
        code = report(&err);
    }
    if (code == GO_ON) {
        tell(&e, argv[optind]);
        code = EXIT_GOOD;
    }
    classifier_close(&net);
    dataset_close(&e.data);
    host_free(&e.logits);
    settings_free(&e.settings);
    return code;
}

const struct command cmd_eval = {"eval", "accuracy over a data set", help, run};
