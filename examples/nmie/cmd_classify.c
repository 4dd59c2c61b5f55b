/* SPDX-License-Identifier: Apache-2.0 */
/* nmie classify: pictures in, the likeliest classes out. */
#include "examples/nmie/args.h"
#include "examples/nmie/classifier.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/ranking.h"

#include <getopt.h>
#include <stdlib.h>

static const char help[] =
    "Usage: nmie classify MODEL IMAGE... [option]...\n"
    "\n"
    "Puts PNG, JPEG or PPM pictures through a classifier with one float32 input [N,3,H,W] and\n"
    "prints the likeliest classes of each. Scores that are not probabilities go through softmax.\n"
    "\n"
    "  nmie classify resnet50.onnx cat.jpg --labels imagenet.txt\n"
    "  nmie classify cifar.onnx cat.png --labels cifar10.txt --pre crop:300,resize:32:area\n"
    "\n"
    "  --labels FILE        names of the classes, one on each line, class 0 first\n"
    "  --top K              how many classes to print (default 5)\n"
    "\n"
    "The steps are resize:256,crop:224 unless --pre says otherwise.\n"
    "\n" PREPROCESS_HELP "\n" SETTINGS_HELP;

enum { OPT_LABELS = 400, OPT_TOP };

struct classify {
    struct settings settings;
    struct preprocess pre;
    const char *labels;
    int64_t top;
    struct ranking_names names;
    struct json json;
};

static int one_option(struct classify *c, int code)
{
    const char *wrong = NULL;
    int taken = preprocess_option(&c->pre, code, optarg, &wrong);
    if (taken) {
        return taken > 0 ? GO_ON : usage(&cmd_classify, "%s", wrong);
    }
    if (code == OPT_LABELS) {
        c->labels = optarg;
        return GO_ON;
    }
    if (code == OPT_TOP) {
        return args_int(optarg, 1, 1000000, &c->top)
                   ? GO_ON
                   : usage(&cmd_classify, "--top %s is not a count", optarg);
    }
    return settings_option(&c->settings, &cmd_classify, code, optarg);
}

static int parse(int argc, char **argv, struct classify *c)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            PREPROCESS_OPTIONS,
                                            {"labels", 1, NULL, OPT_LABELS},
                                            {"top", 1, NULL, OPT_TOP},
                                            {0}};
    int code, verdict = settings_init(&c->settings, &cmd_classify);
    preprocess_init(&c->pre, "resize:256,crop:224");
    c->top = 5;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS, options, NULL)) != -1) {
        verdict = one_option(c, code);
    }
    if (verdict == GO_ON && argc - optind < 2) {
        return usage(&cmd_classify, "expected MODEL and at least one IMAGE");
    }
    if (verdict == GO_ON) {
        settings_finish(&c->settings);
    }
    return verdict;
}

static void tell_class(struct classify *c, size_t number, float score, float probability)
{
    const char *name = ranking_name(&c->names, number);
    if (!c->settings.json) {
        printf("  %6.2f %%  %5zu  %s\n", 100.0 * (double)probability, number, name ? name : "");
        return;
    }
    json_open(&c->json, NULL, '{');
    json_int(&c->json, "class", (int64_t)number);
    json_string(&c->json, "label", name);
    json_double(&c->json, "probability", (double)probability);
    json_double(&c->json, "score", (double)score);
    json_close(&c->json, '}');
}

static nm_status tell(struct classify *c, const char *path, const float *scores, size_t n,
                      nm_error *err)
{
    size_t k = (size_t)c->top < n ? (size_t)c->top : n, *top = calloc(k + 1, sizeof *top);
    float *probabilities = calloc(n + 1, sizeof *probabilities);
    if (!top || !probabilities) {
        free(top);
        free(probabilities);
        return complain(err, NM_ENOMEM, "no memory for %zu classes", n);
    }
    ranking_top(scores, n, k, top);
    ranking_probabilities(scores, n, probabilities);
    if (c->settings.json) {
        json_open(&c->json, NULL, '{');
        json_string(&c->json, "image", path);
        json_open(&c->json, "top", '[');
    } else {
        printf("%s\n", path);
    }
    for (size_t i = 0; i < k; i++) {
        tell_class(c, top[i], scores[top[i]], probabilities[top[i]]);
    }
    if (c->settings.json) {
        json_close(&c->json, ']');
        json_close(&c->json, '}');
    }
    free(top);
    free(probabilities);
    return NM_OK;
}

static nm_status one_picture(struct classify *c, struct classifier *net, const char *path,
                             nm_error *err)
{
    struct image image;
    nm_status status = image_load(path, &image, err);
    if (status) {
        return status;
    }
    status = preprocess_steps(&c->pre, &image, path, err);
    if (!status) {
        const int64_t dims[3] = {3, image.height, image.width};
        status = classifier_shape(net, 1, 3, dims, err);
    }
    if (!status) {
        preprocess_planes(&c->pre, &image, classifier_input(net, 0));
        status = classifier_run(net, err);
    }
    if (!status) {
        status = tell(c, path, net->scores, net->classes, err);
    }
    image_free(&image);
    return status;
}

static int pictures(struct classify *c, struct classifier *net, char **paths, int n)
{
    nm_error err;
    int code = EXIT_GOOD;
    if (c->labels && ranking_names_load(c->labels, &c->names, &err)) {
        return report(&err);
    }
    if (c->settings.json) {
        json_open(&c->json, NULL, '{');
        json_open(&c->json, "images", '[');
    }
    for (int i = 0; i < n; i++) {
        if (one_picture(c, net, paths[i], &err)) {
            code = report(&err);
        }
    }
    if (c->settings.json) {
        json_close(&c->json, ']');
        json_close(&c->json, '}');
        json_end(&c->json);
    }
    return code;
}

static int run(int argc, char **argv)
{
    struct classify c = {.json.out = stdout};
    struct classifier net = {0};
    int code = parse(argc, argv, &c);
    if (code == GO_ON) {
        code = classifier_open(&net, argv[optind], &c.settings);
    }
    if (code == GO_ON) {
        code = pictures(&c, &net, argv + optind + 1, argc - optind - 1);
    }
    classifier_close(&net);
    ranking_names_free(&c.names);
    settings_free(&c.settings);
    return code;
}

const struct command cmd_classify = {"classify", "say what is in a picture", help, run};
