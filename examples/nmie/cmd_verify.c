/* SPDX-License-Identifier: Apache-2.0 */
/* nmie verify: folders of the ONNX backend tests, run and compared. */
#include "examples/nmie/args.h"
#include "examples/nmie/json_out.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/verify_case.h"

#include <dirent.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 8
#define PATH_SIZE 4096

static const char help[] =
    "Usage: nmie verify DIR... [option]...\n"
    "\n"
    "Runs folders in the layout of ONNX's backend tests (model.onnx and\n"
    "test_data_set_*/input_K.pb, output_K.pb) and compares the outputs. A DIR without model.onnx\n"
    "is searched for such folders. One line per folder (pass, FAIL or unsupported, with the\n"
    "reason), then the totals. Exit status 1 when one failed.\n"
    "\n"
    "  nmie verify /usr/share/libonnx-testdata/data/node\n"
    "  nmie verify --maxrel 1e-4 --isa avx2 nets/alexnet nets/densenet121\n"
    "\n"
    "  --rtol R, --atol A   element-wise |y-ref| <= A + R|ref| (default 1e-3 and 1e-7)\n"
    "  --maxrel R           instead: max|y-ref| <= R max|ref| for each output\n"
    "                       (integers and bools must be equal; NaN equals NaN)\n"
    "\n" SETTINGS_HELP;

enum { OPT_RTOL = 400, OPT_ATOL, OPT_MAXREL };

struct verify {
    struct settings settings;
    struct tolerance tolerance;
    struct json json;
    int64_t totals[3]; /* by verdict */
};

static int tolerance_option(double *to, const char *word)
{
    return args_double(word, to) && *to >= 0.0
               ? GO_ON
               : usage(&cmd_verify, "'%s' is not a tolerance", word);
}

static int parse(int argc, char **argv, struct verify *v)
{
    static const struct option options[] = {SETTINGS_OPTIONS,
                                            {"rtol", 1, NULL, OPT_RTOL},
                                            {"atol", 1, NULL, OPT_ATOL},
                                            {"maxrel", 1, NULL, OPT_MAXREL},
                                            {0}};
    int code, verdict = settings_init(&v->settings, &cmd_verify);
    v->tolerance = (struct tolerance)TOLERANCE_INIT;
    while (verdict == GO_ON &&
           (code = getopt_long(argc, argv, SETTINGS_SHORTS, options, NULL)) != -1) {
        switch (code) {
        case OPT_RTOL:
            verdict = tolerance_option(&v->tolerance.rtol, optarg);
            break;
        case OPT_ATOL:
            verdict = tolerance_option(&v->tolerance.atol, optarg);
            break;
        case OPT_MAXREL:
            verdict = tolerance_option(&v->tolerance.maxrel, optarg);
            break;
        default:
            verdict = settings_option(&v->settings, &cmd_verify, code, optarg);
        }
    }
    if (verdict == GO_ON && argc == optind) {
        return usage(&cmd_verify, "expected at least one DIR");
    }
    if (verdict == GO_ON) {
        settings_finish(&v->settings);
    }
    return verdict;
}

static void tell(struct verify *v, const char *folder, const struct verify_result *r)
{
    static const char *const shown[] = {"pass", "FAIL", "unsupported"};
    static const char *const keys[] = {"passed", "failed", "unsupported"};
    v->totals[r->verdict]++;
    if (!v->settings.json) {
        printf("%-11s %s", shown[r->verdict], folder);
        if (r->verdict == VERDICT_PASSED) {
            printf("  max|y-ref| %.2g\n", r->difference.max_abs);
        } else {
            printf(": %s\n", r->reason.message);
        }
        return;
    }
    struct json *j = &v->json;
    json_open(j, NULL, '{');
    json_string(j, "name", folder);
    json_string(j, "status", keys[r->verdict]);
    if (r->verdict != VERDICT_PASSED) {
        json_string(j, "reason", r->reason.message);
    }
    if (r->verdict != VERDICT_UNSUPPORTED) {
        json_double(j, "max_abs", r->difference.max_abs);
        json_double(j, "max_rel", r->difference.max_rel);
    }
    json_close(j, '}');
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Runs a case, or all cases below a folder. */
static void walk(struct verify *v, const char *folder, int depth)
{
    struct verify_result *r;
    struct dirent **entries = NULL;
    if (verify_is_case(folder)) {
        r = calloc(1, sizeof *r);
        if (r) {
            verify_case(folder, &v->settings, &v->tolerance, r);
            tell(v, folder, r);
            free(r);
        }
        return;
    }
    int n = depth < DEPTH_MAX ? scandir(folder, &entries, is_shown, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_SIZE];
        struct stat st;
        int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (length < PATH_SIZE && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            walk(v, path, depth + 1);
        }
        free(entries[i]);
    }
    free(entries);
}

static int finish(struct verify *v)
{
    const int64_t *t = v->totals;
    int64_t all = t[VERDICT_PASSED] + t[VERDICT_FAILED] + t[VERDICT_UNSUPPORTED];
    if (v->settings.json) {
        json_close(&v->json, ']');
        json_open(&v->json, "totals", '{');
        json_int(&v->json, "passed", t[VERDICT_PASSED]);
        json_int(&v->json, "failed", t[VERDICT_FAILED]);
        json_int(&v->json, "unsupported", t[VERDICT_UNSUPPORTED]);
        json_close(&v->json, '}');
        json_close(&v->json, '}');
        json_end(&v->json);
    } else {
        printf("%lld cases: %lld passed, %lld failed, %lld unsupported\n", (long long)all,
               (long long)t[VERDICT_PASSED], (long long)t[VERDICT_FAILED],
               (long long)t[VERDICT_UNSUPPORTED]);
    }
    if (all == 0) {
        say("found no folder with a model.onnx");
    }
    return all == 0 || t[VERDICT_FAILED] ? EXIT_FAILED : EXIT_GOOD;
}

static int run(int argc, char **argv)
{
    struct verify v = {.json.out = stdout};
    int code = parse(argc, argv, &v);
    if (code == GO_ON) {
        if (v.settings.json) {
            json_open(&v.json, NULL, '{');
            json_open(&v.json, "cases", '[');
        }
        for (int i = optind; i < argc; i++) {
            walk(&v, argv[i], 0);
        }
        code = finish(&v);
    }
    settings_free(&v.settings);
    return code;
}

const struct command cmd_verify = {"verify", "run ONNX backend tests and compare", help, run};
