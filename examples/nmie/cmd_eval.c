/* SPDX-License-Identifier: Apache-2.0 */
/* nmie eval: accuracy over a file of pictures, or agreement with a list of classes. */
#include "examples/nmie/args.h"
#include "examples/nmie/classifier.h"
#include "examples/nmie/dataset.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/progress.h"
#include "examples/nmie/ranking.h"

#include <getopt.h>
#include <stdlib.h>

#define MISSES_MAX 100

static const char help[] =
    "Usage: nmie eval MODEL --data FILE --format FORMAT [option]...\n"
    "\n"
    "Classifies all pictures of a file and prints how often the right class came first (top-1)\n"
    "and was among the first five (top-5), in percent.\n"
    "\n"
    "  nmie eval cifar.onnx --data test_batch.bin --format cifar10\n"
    "  nmie eval mobilenet.onnx --data samples.u8 --format u8-hwc:227x227x3 --pre crop:224\n"
    "      --scale 1 --mean 128,128,128 --std 128,128,128 --class-offset 1\n"
    "      --reference classes.tsv:mobilenet\n"
    "\n"
    "  --data FILE          the pictures\n"
    "  --format cifar10     a label byte and 32x32 R, G, B planes per picture; or\n"
    "  --format u8-hwc:HxWx3  bytes, row by row, R,G,B\n"
    "  --labels FILE        the right classes, one integer on each line (FILE:COLUMN: a column of\n"
    "                       a tab-separated file with a header; cifar10 files have their own)\n"
    "  --reference TSV:COLUMN  classes that another program found: top1 is then the agreement\n"
    "  --class-offset K     the model's class K is the data's class 0 (default 0)\n"
    "  --logits OUT.npy     all rows of scores, float32 [count,classes]\n"
    "  -n, --count N        only the first N pictures\n"
    "  -b, --batch B        pictures in one run (default 32, or what the model is fixed to)\n"
    "\n"
    "No steps unless --pre gives some.\n"
    "\n" PREPROCESS_HELP "\n" SETTINGS_HELP;

enum { OPT_DATA = 400, OPT_FORMAT, OPT_LABELS, OPT_REFERENCE, OPT_OFFSET, OPT_LOGITS };

struct eval {
    struct settings settings;
    struct preprocess pre;
    const char *data_path, *format, *labels_path, *reference, *logits_path;
    int64_t offset, count, batch;
    struct dataset data;
    struct labels labels;
    struct host_tensor logits;
    int64_t top1, top5, misses[MISSES_MAX], n_misses;
    double seconds; /* of running, without preprocessing */
};

static int count_option(const char *word, int64_t low, int64_t *to)
{
    return args_int(word, low, INT32_MAX, to)
               ? GO_ON
               : usage(&cmd_eval, "'%s' is not a number in range", word);
}

static int one_option(struct eval *e, int code)
{
    const char *wrong = NULL;
    int taken = preprocess_option(&e->pre, code, optarg, &wrong);
    if (taken) {
        return taken > 0 ? GO_ON : usage(&cmd_eval, "%s", wrong);
    }
    switch (code) {
    case OPT_DATA:
        e->data_path = optarg;
        return GO_ON;
    case OPT_FORMAT:
        e->format = optarg;
        return GO_ON;
    case OPT_LABELS:
        e->labels_path = optarg;
        return GO_ON;
    case OPT_REFERENCE:
        e->reference = optarg;
        return GO_ON;
    case OPT_LOGITS:
        e->logits_path = optarg;
        return GO_ON;
    case OPT_OFFSET:
        return count_option(optarg, INT32_MIN, &e->offset);
    case 'n':
        return count_option(optarg, 1, &e->count);
    case 'b':
        return count_option(optarg, 1, &e->batch);
    default:
        return settings_option(&e->settings, &cmd_eval, code, optarg);
    }
}

static int parse(int argc, char **argv, struct eval *e)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            PREPROCESS_OPTIONS,
                                            {"data", 1, NULL, OPT_DATA},
                                            {"format", 1, NULL, OPT_FORMAT},
                                            {"labels", 1, NULL, OPT_LABELS},
                                            {"reference", 1, NULL, OPT_REFERENCE},
                                            {"class-offset", 1, NULL, OPT_OFFSET},
                                            {"logits", 1, NULL, OPT_LOGITS},
                                            {"count", 1, NULL, 'n'},
                                            {"batch", 1, NULL, 'b'},
                                            {0}};
    int code, verdict = settings_init(&e->settings, &cmd_eval);
    preprocess_init(&e->pre, "");
    e->batch = 32;
    e->count = INT64_MAX;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS "n:b:", options, NULL)) != -1) {
        verdict = one_option(e, code);
    }
    if (verdict != GO_ON) {
        return verdict;
    }
    if (argc - optind != 1 || !e->data_path || !e->format) {
        return usage(&cmd_eval, "expected MODEL, --data and --format");
    }
    if (e->labels_path && e->reference) {
        return usage(&cmd_eval, "--labels and --reference exclude each other");
    }
    settings_finish(&e->settings);
    return GO_ON;
}

static nm_status open_data(struct eval *e, nm_error *err)
{
    nm_status status = dataset_open(e->data_path, e->format, &e->data, err);
    if (status) {
        return status;
    }
    const char *list = e->reference ? e->reference : e->labels_path;
    e->count = e->count < e->data.count ? e->count : e->data.count;
    status =
        list ? labels_load(list, &e->labels, err) : labels_of_dataset(&e->data, &e->labels, err);
    if (!status && e->labels.n < e->count) {
        status = complain(err, NM_EINVAL, "%s: %lld classes for %lld pictures", list,
                          (long long)e->labels.n, (long long)e->count);
    }
    return status;
}

/* Preprocesses pictures [first, first + n) into the input, which is made by the first of them. */
static nm_status fill_batch(struct eval *e, struct classifier *net, int64_t first, int64_t n,
                            nm_error *err)
{
    nm_status status = NM_OK;
    for (int64_t i = 0; i < n && !status; i++) {
        struct image image;
        status = dataset_picture(&e->data, first + i, &image, err);
        if (!status) {
            status = preprocess_steps(&e->pre, &image, e->data_path, err);
        }
        if (!status) {
            status = classifier_shape(net, e->batch, image.width, image.height, err);
        }
        if (!status) {
            preprocess_planes(&e->pre, &image, classifier_input(net, i));
        }
        image_free(&image);
    }
    return status;
}

static void score_picture(struct eval *e, const float *scores, size_t classes, int64_t number)
{
    size_t top[5], k = classes < 5 ? classes : 5;
    bool first = false, among = false;
    ranking_top(scores, classes, k, top);
    for (size_t i = 0; i < k; i++) {
        bool hit = (int64_t)top[i] - e->offset == e->labels.at[number];
        first = first || (hit && i == 0);
        among = among || hit;
    }
    e->top1 += first;
    e->top5 += among;
    if (!first && e->n_misses < MISSES_MAX) {
        e->misses[e->n_misses++] = number;
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
        *t = (nm_tensor){.type = NM_F32, .rank = 2, .dims = {e->count, (int64_t)net->classes}};
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

static nm_status evaluate(struct eval *e, struct classifier *net, nm_error *err)
{
    struct progress progress;
    nm_status status = NM_OK;
    e->batch = classifier_batch(net, e->batch < e->count ? e->batch : e->count);
    progress_begin(&progress, "pictures", e->count);
    for (int64_t first = 0; first < e->count && !status; first += e->batch) {
        int64_t n = e->count - first < e->batch ? e->count - first : e->batch;
        status = fill_batch(e, net, first, n, err);
        double start = source_now();
        if (!status) {
            status = classifier_run(net, err);
        }
        e->seconds += source_now() - start;
        for (int64_t i = 0; i < n && !status; i++) {
            score_picture(e, net->scores + (size_t)i * net->classes, net->classes, first + i);
        }
        if (!status) {
            status = keep_logits(e, net, first, n, err);
        }
        progress_step(&progress, first + n);
    }
    progress_end(&progress);
    if (!status && e->logits_path) {
        status = host_save(e->logits_path, &e->logits.t, err);
    }
    return status;
}

static void tell(const struct eval *e, const char *model)
{
    double percent = 100.0 / (double)e->count;
    if (!e->settings.json) {
        printf("%s %.2f %% (%lld of %lld), %s %.2f %% (%lld), %.1f pictures/s\n",
               e->reference ? "agreement with the reference: top-1" : "top-1",
               percent * (double)e->top1, (long long)e->top1, (long long)e->count,
               e->reference ? "in top-5" : "top-5", percent * (double)e->top5, (long long)e->top5,
               (double)e->count / e->seconds);
        return;
    }
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_string(&j, "model", model);
    json_string(&j, "against", e->reference ? "reference" : "labels");
    json_int(&j, "count", e->count);
    json_double(&j, "top1", percent * (double)e->top1);
    json_double(&j, "top5", percent * (double)e->top5);
    json_int(&j, "top1_count", e->top1);
    json_int(&j, "top5_count", e->top5);
    json_double(&j, "items_per_second", (double)e->count / e->seconds);
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
    struct eval e = {0};
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
    labels_free(&e.labels);
    host_free(&e.logits);
    settings_free(&e.settings);
    return code;
}

const struct command cmd_eval = {"eval", "accuracy over a file of pictures", help, run};
