/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The law of the house, as data: who may include whom, and who may use what. An arrow, a call or a
 * size that is not in these tables fails here, with the file and line.
 */
#include "tests/support/source.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file below `room` may include its own room and these prefixes. The longest room that fits
 * counts. */
static const struct {
    const char *room;
    const char *may[16];
} arrows[] = {
    {"include/", {NULL}},
    {"lib/base/", {"nm/nm.h"}},
    {"lib/graph/", {"nm/nm.h", "lib/base/"}},
    {"lib/ops/", {"nm/nm.h", "lib/base/", "lib/graph/", "kernels/kernel.h"}},
    {"lib/onnx/", {"nm/nm.h", "lib/base/", "lib/graph/", "lib/ops/", "onnx.pb-c.h"}},
    {"lib/opt/", {"nm/nm.h", "lib/base/", "lib/graph/", "lib/ops/"}},
    {"lib/sparse/", {"nm/nm.h", "lib/base/", "lib/graph/", "lib/ops/", "kernels/kernel.h"}},
    {"lib/plan/",
     {"nm/nm.h", "lib/base/", "lib/graph/", "lib/ops/", "lib/sparse/", "kernels/kernel.h"}},
    {"lib/run/",
     {"nm/nm.h", "lib/base/", "lib/graph/", "lib/ops/", "lib/sparse/", "lib/plan/",
      "kernels/kernel.h"}},
    {"lib/prune/",
     {"nm/nm.h", "lib/base/", "lib/graph/", "lib/ops/", "lib/sparse/", "lib/plan/", "lib/run/",
      "kernels/kernel.h"}},
    {"lib/api/", {"nm/nm.h", "lib/", "kernels/kernel.h"}},
    {"kernels/", {"nm/nm.h", "lib/base/"}},
    {"examples/", {"nm/nm.h"}},
    {"examples/nmie/", {"nm/nm.h", "onnx.pb-c.h"}},
    {"tests/", {"nm/nm.h", "lib/", "kernels/", "examples/nmie/", "onnx.pb-c.h"}},
};

/* A third party's header has one including folder (tests apart). */
static const struct {
    const char *header;
    const char *who[3];
} owners[] = {
    {"protobuf-c/", {"lib/onnx/", "examples/nmie/"}},
    {"onnx.pb-c.h", {"lib/onnx/", "examples/nmie/"}},
    {"dnnl", {"kernels/dnnl/", "examples/nmie/"}}, /* nmie caps oneDNN's own instruction set */
    {"oneapi/", {"kernels/dnnl/", "examples/nmie/"}},
    {"omp.h", {"lib/base/parallel.c"}},
    {"png.h", {"examples/"}},
    {"jpeglib.h", {"examples/"}},
    {"immintrin.h", {"kernels/"}},
    {"xmmintrin.h", {"lib/base/cpu.c"}},
    {"cpuid.h", {"lib/base/cpu.c", "examples/nmie/bench/"}}, /* bench tells of hypervisors */
};

/* What lib/ and kernels/ may not call, and the one file that may. */
static const struct {
    const char *name, *who;
} forbidden[] = {
    {"malloc", NULL},
    {"calloc", NULL},
    {"realloc", NULL},
    {"aligned_alloc", "lib/base/mem.c"},
    {"free", "lib/base/mem.c"},
    {"posix_memalign", NULL},
    {"strdup", NULL},
    {"strndup", NULL},
    {"asprintf", NULL},
    {"vasprintf", NULL},
    {"alloca", NULL},
    {"printf", NULL},
    {"fprintf", NULL},
    {"vprintf", NULL},
    {"puts", NULL},
    {"putchar", NULL},
    {"perror", NULL},
    {"exit", NULL},
    {"_exit", NULL},
    {"abort", NULL},
    {"getenv", NULL},
    {"setenv", NULL},
    {"setlocale", NULL},
    {"signal", NULL},
    {"sigaction", NULL},
    {"longjmp", NULL},
    {"rand", NULL},
    {"strtok", NULL},
    {"sprintf", NULL},
    {"strcpy", NULL},
    {"strcat", NULL},
    {"gets", NULL},
    {"system", NULL},
};

/* kernels/ is exempt from both: a kernel is one loop nest. */
enum { MOST_FUNCTION_LINES = 60, MOST_FILE_LINES = 600 };

static struct source *sources;
static int n_sources, violations;

#define VIOLATION(source, at, ...)                                                                 \
    do {                                                                                           \
        printf("%s:%d: ", (source)->path, source_line((source)->text, (source)->text + (at)));     \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        violations++;                                                                              \
    } while (0)

static void read_tree(void)
{
    static const char *const folders[] = {"include", "lib", "kernels", "examples", "tests", NULL};
    n_sources = sources_read(folders, &sources);
    violations = 0;
    ck_assert_int_gt(n_sources, 20);
}

static void drop_tree(void)
{
    sources_free(sources, n_sources);
}

static bool in_library(const struct source *s)
{
    return starts_with(s->path, "lib/") || starts_with(s->path, "kernels/");
}

/* ---- includes ----------------------------------------------------------------------------------
 */

/* The next #include at or after *at: its target in name[256]; false at the end. Reads text, for
 * code has no quoted names; a comment cannot start with #include at the start of a line. */
static bool next_include(const struct source *s, size_t *at, char *name)
{
    const char *p = s->text + *at;
    while ((p = strstr(p, "#include")) != NULL) {
        size_t offset = (size_t)(p - s->text);
        bool live = s->code[offset] == '#';
        p += strlen("#include");
        const char *from = p + strspn(p, " \t");
        if (live && (*from == '"' || *from == '<')) {
            size_t n = strcspn(from + 1, "\">\n");
            snprintf(name, 256, "%.*s", (int)n, from + 1);
            *at = offset + 1;
            return true;
        }
    }
    return false;
}

/* A header of this tree, not of a third party or the C library. */
static bool is_ours(const char *name)
{
    return starts_with(name, "lib/") || starts_with(name, "kernels/") ||
           starts_with(name, "examples/") || starts_with(name, "tests/") ||
           starts_with(name, "nm/") || strcmp(name, "onnx.pb-c.h") == 0;
}

static bool arrow_exists(const char *path, const char *name)
{
    int room = -1;
    for (int i = 0; i < (int)(sizeof arrows / sizeof *arrows); i++) {
        if (starts_with(path, arrows[i].room) &&
            (room < 0 || strlen(arrows[i].room) > strlen(arrows[room].room))) {
            room = i;
        }
    }
    if (room < 0) {
        return false;
    }
    bool may = starts_with(name, arrows[room].room);
    for (int k = 0; arrows[room].may[k]; k++) {
        may = may || starts_with(name, arrows[room].may[k]);
    }
    return may;
}

START_TEST(includes_follow_the_arrows)
{
    for (int i = 0; i < n_sources; i++) {
        char name[256];
        size_t at = 0;
        while (next_include(&sources[i], &at, name)) {
            if (is_ours(name) && !arrow_exists(sources[i].path, name)) {
                VIOLATION(&sources[i], at, "may not include %s", name);
            }
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

START_TEST(includes_of_third_parties_have_one_owner)
{
    for (int i = 0; i < n_sources; i++) {
        char name[256];
        size_t at = 0;
        while (!starts_with(sources[i].path, "tests/") && next_include(&sources[i], &at, name)) {
            for (size_t k = 0; k < sizeof owners / sizeof *owners; k++) {
                bool may = !starts_with(name, owners[k].header);
                for (int w = 0; w < 3 && owners[k].who[w]; w++) {
                    may = may || starts_with(sources[i].path, owners[k].who[w]);
                }
                if (!may) {
                    VIOLATION(&sources[i], at, "%s belongs to %s", name, owners[k].who[0]);
                }
            }
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

/* ---- calls -------------------------------------------------------------------------------------
 */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next call of name at or after *at in code: not a longer word, not a member, not a pointer. */
static bool next_call(const char *code, const char *name, size_t *at)
{
    size_t n = strlen(name);
    for (const char *p = code + *at; (p = strstr(p, name)) != NULL; p += n) {
        const char *after = p + n + strspn(p + n, " ");
        char before = p > code ? p[-1] : ' ';
        if (!is_word(before) && before != '.' && before != '>' && *after == '(') {
            *at = (size_t)(p - code) + 1;
            return true;
        }
    }
    return false;
}

START_TEST(calls_of_the_c_library_are_the_allowed_ones)
{
    for (int i = 0; i < n_sources; i++) {
        for (size_t k = 0; in_library(&sources[i]) && k < sizeof forbidden / sizeof *forbidden;
             k++) {
            bool may = forbidden[k].who && strcmp(sources[i].path, forbidden[k].who) == 0;
            size_t at = 0;
            while (!may && next_call(sources[i].code, forbidden[k].name, &at)) {
                VIOLATION(&sources[i], at, "may not call %s", forbidden[k].name);
            }
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

START_TEST(openmp_lives_in_one_file)
{
    for (int i = 0; i < n_sources; i++) {
        const char *p = strstr(sources[i].code, "#pragma omp");
        bool may = !in_library(&sources[i]) || strcmp(sources[i].path, "lib/base/parallel.c") == 0;
        if (p && !may) {
            VIOLATION(&sources[i], p - sources[i].code, "OpenMP belongs to lib/base/parallel.c");
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

/* ---- sizes and form ----------------------------------------------------------------------------
 */

/* A function is what stands between a { and a } that are alone in the first column. */
START_TEST(functions_fit_on_a_screen)
{
    for (int i = 0; i < n_sources; i++) {
        if (starts_with(sources[i].path, "kernels/")) {
            continue;
        }
        const char *code = sources[i].code, *open = code;
        while ((open = strstr(open, "\n{\n")) != NULL) {
            const char *close = strstr(open, "\n}");
            int lines = close ? source_line(open + 1, close + 1) : 0;
            if (lines > MOST_FUNCTION_LINES) {
                VIOLATION(&sources[i], open + 1 - code, "function of %d lines, the law says %d",
                          lines, MOST_FUNCTION_LINES);
            }
            open += 3;
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

START_TEST(files_can_be_read_in_one_go)
{
    for (int i = 0; i < n_sources; i++) {
        bool exempt = starts_with(sources[i].path, "kernels/");
        int lines = source_line(sources[i].text, sources[i].text + strlen(sources[i].text)) - 1;
        if (!exempt && lines > MOST_FILE_LINES) {
            VIOLATION(&sources[i], 0, "%d lines, the law says %d", lines, MOST_FILE_LINES);
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

START_TEST(files_open_with_the_licence)
{
    for (int i = 0; i < n_sources; i++) {
        if (!starts_with(sources[i].text, "/* SPDX-License-Identifier: Apache-2.0 */\n")) {
            VIOLATION(&sources[i], 0, "does not start with the licence's line");
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

/* "_<FILE>_H\n": how the guard NM_<FOLDER>_<FILE>_H (in the tool: NMIE_<FILE>_H) ends. */
static void guard_end(const char *path, char *end, size_t size)
{
    snprintf(end, size, "_%s\n", strrchr(path, '/') + 1);
    for (char *p = end; *p && *p != '\n'; p++) {
        *p = is_word(*p) ? (char)toupper((unsigned char)*p) : '_';
    }
}

START_TEST(headers_have_their_guard)
{
    for (int i = 0; i < n_sources; i++) {
        char end[300];
        guard_end(sources[i].path, end, sizeof end);
        const char *guard = strstr(sources[i].code, "#ifndef NM");
        const char *found = guard ? strstr(guard, end) : NULL;
        if (ends_with(sources[i].path, ".h") && (!found || found > strchr(guard, '\n'))) {
            VIOLATION(&sources[i], 0, "has no guard NM..%.*s", (int)strlen(end) - 1, end);
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

START_TEST(files_of_the_library_have_different_names)
{
    for (int i = 0; i < n_sources; i++) {
        for (int k = 0; k < i && in_library(&sources[i]); k++) {
            const char *a = strrchr(sources[i].path, '/'), *b = strrchr(sources[k].path, '/');
            if (in_library(&sources[k]) && strcmp(a, b) == 0) {
                VIOLATION(&sources[i], 0, "has the name of %s", sources[k].path);
            }
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

/* ---- kernels.def -------------------------------------------------------------------------------
 */

static const struct source *find_source(const char *path)
{
    for (int i = 0; i < n_sources; i++) {
        if (strcmp(sources[i].path, path) == 0) {
            return &sources[i];
        }
    }
    return NULL;
}

/* A kernel file is named after its descriptor, <...>__<isa>.c, and holds it and no other. */
START_TEST(kernels_def_lists_every_kernel_file)
{
    const struct source *def = find_source("kernels/kernels.def");
    ck_assert_ptr_nonnull(def);
    for (int i = 0; i < n_sources; i++) {
        char entry[300];
        const char *file = strrchr(sources[i].path, '/') + 1;
        if (!starts_with(sources[i].path, "kernels/") || !strstr(file, "__") ||
            !ends_with(file, ".c")) {
            continue;
        }
        snprintf(entry, sizeof entry, "X(%.*s)", (int)strlen(file) - 2, file);
        if (!strstr(def->code, entry)) {
            VIOLATION(&sources[i], 0, "%s is not in kernels.def", entry);
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

START_TEST(kernels_def_names_files_that_exist)
{
    const struct source *def = find_source("kernels/kernels.def");
    ck_assert_ptr_nonnull(def);
    for (const char *p = def->code; (p = strstr(p, "X(")) != NULL; p++) {
        char file[256];
        snprintf(file, sizeof file, "/%.*s.c", (int)strcspn(p + 2, ")"), p + 2);
        bool exists = false;
        for (int i = 0; i < n_sources; i++) {
            exists = exists ||
                     (starts_with(sources[i].path, "kernels/") && ends_with(sources[i].path, file));
        }
        if (!exists) {
            VIOLATION(def, p - def->code, "no file kernels/*%s", file);
        }
    }
    ck_assert_int_eq(violations, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("law");
    TCase *t = tcase_create("law");
    tcase_add_checked_fixture(t, read_tree, drop_tree);
    tcase_add_test(t, includes_follow_the_arrows);
    tcase_add_test(t, includes_of_third_parties_have_one_owner);
    tcase_add_test(t, calls_of_the_c_library_are_the_allowed_ones);
    tcase_add_test(t, openmp_lives_in_one_file);
    tcase_add_test(t, functions_fit_on_a_screen);
    tcase_add_test(t, files_can_be_read_in_one_go);
    tcase_add_test(t, files_open_with_the_licence);
    tcase_add_test(t, headers_have_their_guard);
    tcase_add_test(t, files_of_the_library_have_different_names);
    tcase_add_test(t, kernels_def_lists_every_kernel_file);
    tcase_add_test(t, kernels_def_names_files_that_exist);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
