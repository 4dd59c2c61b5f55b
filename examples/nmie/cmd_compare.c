/* SPDX-License-Identifier: Apache-2.0 */
/* nmie compare: two results of nmie bench, case by case. */
#include "examples/nmie/bench/compare.h"
#include "examples/nmie/output.h"

#include <getopt.h>

static const char help[] = "Usage: nmie compare A.json B.json [--json] [--html FILE] [--svg FILE]\n"
                           "\n"
                           "The speed of A relative to B, for each case and engine that both "
                           "results of nmie bench --json\n"
                           "have: a virtual machine beside bare metal, before and after a change, "
                           "two machines. Says which\n"
                           "are within 5 % and 7 %.\n"
                           "\n"
                           "  nmie bench net.onnx -b 1,16 --json >after.json\n"
                           "  nmie compare after.json before.json --html ratio.html\n";

enum { OPT_HTML = 400, OPT_SVG };

struct compare {
    bool json;
    const char *html, *svg;
};

static int parse(int argc, char **argv, struct compare *o)
{
    static const struct option options[] = {
        {"json", 0, NULL, OPT_JSON}, {"html", 1, NULL, OPT_HTML}, {"svg", 1, NULL, OPT_SVG}, {0}};
    int code;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (code) {
        case OPT_JSON:
            o->json = true;
            break;
        case OPT_HTML:
            o->html = optarg;
            break;
        case OPT_SVG:
            o->svg = optarg;
            break;
        default:
            return usage_hint(&cmd_compare);
        }
    }
    return argc - optind == 2 ? GO_ON : usage(&cmd_compare, "expected two results, A.json B.json");
}

static void fill_html(FILE *to, const void *comparison)
{
    compare_html(to, comparison);
}

static void fill_svg(FILE *to, const void *comparison)
{
    compare_svg(to, comparison);
}

static nm_status show(const struct compare *o, const struct comparison *c, nm_error *err)
{
    nm_status status = NM_OK;
    if (o->json) {
        compare_json(stdout, c);
    } else {
        compare_text(stdout, c);
    }
    if (o->html) {
        status = output_file(o->html, fill_html, c, err);
    }
    if (!status && o->svg) {
        status = output_file(o->svg, fill_svg, c, err);
    }
    return status;
}

static int run(int argc, char **argv)
{
    struct compare o = {0};
    struct rows a = {0}, b = {0};
    struct comparison c = {0};
    nm_error err;
    int code = parse(argc, argv, &o);
    if (code != GO_ON) {
        return code;
    }
    nm_status status = rows_read(argv[optind], &a, &err);
    if (!status) {
        status = rows_read(argv[optind + 1], &b, &err);
    }
    if (!status) {
        status = compare_make(&a, argv[optind], &b, argv[optind + 1], &c, &err);
    }
    if (!status) {
        status = show(&o, &c, &err);
    }
    compare_free(&c);
    rows_free(&a);
    rows_free(&b);
    return status ? report(&err) : EXIT_GOOD;
}

const struct command cmd_compare = {"compare", "two results of bench, case by case", help, run};
