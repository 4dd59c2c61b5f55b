/* SPDX-License-Identifier: Apache-2.0 */
/* nmie analyze: what pruning would cost, layer by layer. */
#include "examples/nmie/output.h"
#include "examples/nmie/interrupt.h"
#include "examples/nmie/prune/analysis.h"
#include "examples/nmie/prune/pruning.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "Usage: nmie analyze MODEL [option]...\n"
    "\n"
    "What pruning would cost, layer by layer: the error that it leaves in the layer's output, for a\n"
    "grid of sparsities, and the time that the layer would then take on this machine. Nothing is\n"
    "pruned. Without --calib there are times only.\n"
    "\n"
    "  nmie analyze net.onnx --calib pictures/ --pre resize:256,crop:224 --html net.html\n"
    "  nmie analyze net.onnx --calib train.bin --format cifar10 --layers 'layer3.*' --json\n"
    "\n"
    "  --calib PATH         data to calibrate with: some hundred inputs, no classes needed\n"
    "  --html FILE          a page with charts and tables that needs nothing beside itself\n"
    "  --svg FILE           the charts alone\n"
    "\n" PRUNING_LAYERS_HELP "\n" DATA_HELP "\n" PREPROCESS_HELP "No steps unless --pre gives some.\n"
    "\n" PRUNING_HELP;

enum { OPT_HTML = 440, OPT_SVG };

struct analyze {
    struct pruning base;
    const char *model, *html, *svg;
};

static int parse(int argc, char **argv, struct analyze *a)
{
    static const struct option options[] = {
        PRUNING_OPTIONS, {"html", 1, NULL, OPT_HTML}, {"svg", 1, NULL, OPT_SVG}, {0}};
    int code, verdict = pruning_init(&a->base, &cmd_analyze);
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, PRUNING_SHORTS, options, NULL)) != -1) {
        if (code == OPT_HTML) {
            a->html = optarg;
        } else if (code == OPT_SVG) {
            a->svg = optarg;
        } else {
            verdict = pruning_option(&a->base, code, optarg);
        }
    }
    if (verdict == GO_ON && argc - optind != 1) {
        return usage(&cmd_analyze, "expected MODEL");
    }
    if (verdict == GO_ON) {
        a->model = argv[optind];
        settings_finish(&a->base.settings);
    }
    return verdict;
}

static nm_status write_files(const struct analyze *a, const struct analysis *found, nm_error *err)
{
    nm_status status = NM_OK;
    if (a->html) {
        status = output_file(a->html, analysis_html, found, err);
    }
    if (!status && a->svg) {
        status = output_file(a->svg, analysis_svg, found, err);
    }
    return status;
}

static nm_status tell(const struct analyze *a, const char *json, nm_error *err)
{
    struct analysis found;
    nm_status status = analysis_read(json, a->model, &found, err);
    if (status) {
        return status;
    }
    if (a->base.settings.json) {
        puts(json);
    } else {
        analysis_text(&found, stdout);
    }
    status = write_files(a, &found, err);
    analysis_free(&found);
    return status;
}

static int work(struct analyze *a, const nm_model *model)
{
    char *json = NULL;
    nm_error err;
    nm_status status = pruning_open(&a->base, model, &err);
    if (!status) {
        progress_begin(&a->base.progress, "", 1);
        status = nm_model_analyze(model, &a->base.options, &json, &err);
        progress_end(&a->base.progress);
    }
    if (!status) {
        status = tell(a, json, &err);
    }
    nm_string_free(json);
    return status ? pruning_report(&err) : EXIT_GOOD;
}

static int run(int argc, char **argv)
{
    struct analyze a = {0};
    struct source_shape shape = {0};
    nm_model *model = NULL;
    nm_error err;
    double seconds;
    int code = parse(argc, argv, &a);
    interrupt_catch();
    if (code == GO_ON &&
        source_load(a.model, &a.base.settings, &shape, &model, &seconds, &err)) {
        code = report_model(&err);
    }
    if (code == GO_ON) {
        code = work(&a, model);
    }
    nm_model_free(model);
    pruning_close(&a.base);
    return code;
}

const struct command cmd_analyze = {"analyze", "what pruning would cost, layer by layer", help,
                                    run};
