/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The law for what the compiler made: names that leave the archive, data that can change, vector
 * instructions outside their folder, and recursion. Reads the build folder ($B) with binutils.
 */
#include "tests/support/source.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Data that changes while the library runs, and why. */
static const struct {
    const char *object, *name, *reason;
} changing[] = {
    {"cpu.o", "info", "the CPU, detected once"},
    {"cpu.o", "once", "the CPU, detected once"},
    {"parallel.o", "forked", "set in a child process"},
    {"parallel.o", "once", "the fork handler is set once"},
    {"mem.o", "count", "allocations, for tests"},
    {"mem.o", "live", "bytes alive, for tests"},
    {"mem.o", "peak", "bytes alive, for tests"},
    {"mem.o", "fail_after", "failures on order, for tests"},
    {"mem.o", "fail_sticky", "failures on order, for tests"},
};

static const char *build_folder(void)
{
    const char *b = getenv("B");
    return b && *b ? b : "build";
}

/* A command whose format has one %s: the build folder. */
static FILE *run(const char *format)
{
    char command[1024];
    const char *b = build_folder();
    snprintf(command, sizeof command, format, b, b, b, b);
    FILE *p = popen(command, "r");
    ck_assert_ptr_nonnull(p);
    return p;
}

/* "nm" of an archive: "object.o:" lines, then "value kind name". */
START_TEST(archive_exports_our_names_only)
{
    FILE *p = run("nm -g --defined-only %s/libnm.a");
    char line[1024], object[256] = "", name[512], kind;
    int wrong = 0, seen = 0;
    while (fgets(line, sizeof line, p)) {
        if (ends_with(line, ":\n")) {
            snprintf(object, sizeof object, "%.255s", line);
        } else if (sscanf(line, "%*x %c %511s", &kind, name) == 2) {
            bool generated = strcmp(object, "onnx.pb-c.o:\n") == 0;
            bool ours = starts_with(name, "nmi_") || starts_with(name, "nm_");
            seen++;
            if (!ours && !generated) {
                printf("%s in %s", name, object);
                wrong++;
            }
        }
    }
    ck_assert_int_eq(pclose(p), 0);
    ck_assert_int_gt(seen, 100);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

static bool may_change(const char *object, const char *name)
{
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) {
        size_t n = strlen(changing[i].object);
        if (strncmp(object, changing[i].object, n) == 0 && object[n] == ':' &&
            strcmp(name, changing[i].name) == 0) {
            return true;
        }
    }
    return false;
}

/* "objdump -t": "address flags section<tab>size name"; .data.rel.ro is constant once it is loaded.
 */
START_TEST(library_has_no_other_changing_data)
{
    FILE *p = run("objdump -t %s/libnm.a");
    char line[1024], object[256] = "", section[64], name[512];
    int wrong = 0;
    while (fgets(line, sizeof line, p)) {
        if (strstr(line, "file format")) {
            snprintf(object, sizeof object, "%.255s", line);
            continue;
        }
        char *object_flag = strstr(line, " O ");
        if (!object_flag || sscanf(object_flag, " O %63s %*x %511s", section, name) != 2 ||
            starts_with(object, "onnx.pb-c.o") || starts_with(section, ".data.rel.ro")) {
            continue;
        }
        bool changes = starts_with(section, ".data") || starts_with(section, ".bss") ||
                       starts_with(section, "*COM*") || starts_with(section, ".t");
        if (changes && !may_change(object, name)) {
            printf("%s (%s) in %s", name, section, object);
            wrong++;
        }
    }
    ck_assert_int_eq(pclose(p), 0);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

/* A mnemonic that starts with v is encoded with VEX or EVEX; it would kill an older CPU. */
START_TEST(vector_instructions_stay_in_their_folder)
{
    FILE *p =
        run("objdump -d --no-show-raw-insn $(find %s/obj/lib %s/obj/kernels/ref "
            "%s/obj/kernels/dnnl -name '*.o') $(find %s/obj/kernels -maxdepth 1 -name '*.o')");
    char line[1024], object[256] = "";
    int wrong = 0;
    long instructions = 0;
    while (fgets(line, sizeof line, p)) {
        if (strstr(line, "file format")) {
            snprintf(object, sizeof object, "%.255s", line);
        }
        char *tab = strchr(line, '\t');
        instructions += tab != NULL;
        if (tab && tab[1] == 'v' && !starts_with(tab + 1, "ver")) {
            printf("%s  in %s", tab + 1, object);
            wrong++;
        }
    }
    ck_assert_int_eq(pclose(p), 0);
    ck_assert_int_gt(instructions, 1000);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

/* And the AVX2 folder has no instruction of AVX-512. */
START_TEST(avx2_folder_has_no_avx512)
{
    FILE *p = run("objdump -d --no-show-raw-insn $(find %s/obj/kernels/avx2 -name '*.o') | "
                  "grep -E '%%zmm|%%k[0-7]|%%[xy]mm(1[6-9]|2[0-9]|3[01])' | head -5");
    char line[1024];
    int wrong = 0;
    while (fgets(line, sizeof line, p)) {
        printf("%s", line);
        wrong++;
    }
    pclose(p);
    ck_assert_int_eq(wrong, 0);
}
END_TEST

/* ---- recursion: cycles in the call graph of the shared library, calls through pointers apart ----
 */

enum { MOST_FUNCTIONS = 10000, MOST_CALLS = 100000 };
struct function {
    unsigned long address;
    char name[96];
    int first, n; /* its calls */
    int color;    /* 0 new, 1 on the path, 2 done */
};
static struct function *functions;
static unsigned long *calls;
static int n_functions, n_calls;

static int find_function(unsigned long address)
{
    int low = 0, high = n_functions - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        if (functions[middle].address == address) {
            return middle;
        }
        if (functions[middle].address < address) {
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }
    return -1;
}

/* "0000000000001234 <name>:" starts a function; "\tcall 5678 <name>" is a call, and so is a jump to
 * the start of a function. Sections are printed in the order of their addresses. */
static void read_calls(void)
{
    FILE *p = run("objdump -d --no-show-raw-insn %s/libnm.so.1");
    char line[1024], target[512];
    unsigned long address;
    while (fgets(line, sizeof line, p)) {
        struct function *last = &functions[n_functions - 1];
        char *call = strstr(line, "\tcall ");
        call = call ? call : strstr(line, "\tjmp ");
        if (sscanf(line, "%lx <%511[^>]>:", &address, target) == 2 && line[0] == '0' &&
            n_functions < MOST_FUNCTIONS) {
            struct function *f = &functions[n_functions++];
            *f = (struct function){.address = address, .first = n_calls};
            snprintf(f->name, sizeof f->name, "%.95s", target);
        } else if (call && n_functions > 0 && n_calls < MOST_CALLS &&
                   sscanf(call, "\t%*s %lx <%511[^>]>", &address, target) == 2 &&
                   !strchr(target, '+')) {
            calls[n_calls++] = address;
            last->n++;
        }
    }
    ck_assert_int_eq(pclose(p), 0);
}

/* Depth first with a path of its own; prints a cycle when it meets one. */
static int find_cycle(int start, int *path, int *next)
{
    int depth = 0, cycles = 0;
    path[0] = start;
    next[0] = 0;
    functions[start].color = 1;
    while (depth >= 0) {
        struct function *f = &functions[path[depth]];
        if (next[depth] == f->n) {
            f->color = 2;
            depth--;
            continue;
        }
        int to = find_function(calls[f->first + next[depth]++]);
        if (to >= 0 && functions[to].color == 1) {
            printf("recursion: %s calls %s\n", f->name, functions[to].name);
            cycles++;
        } else if (to >= 0 && functions[to].color == 0) {
            functions[to].color = 1;
            path[++depth] = to;
            next[depth] = 0;
        }
    }
    return cycles;
}

START_TEST(library_does_not_recurse)
{
    functions = calloc(MOST_FUNCTIONS, sizeof *functions);
    calls = calloc(MOST_CALLS, sizeof *calls);
    int *path = calloc(MOST_FUNCTIONS, sizeof *path), *next = calloc(MOST_FUNCTIONS, sizeof *next);
    n_functions = n_calls = 0;
    read_calls();
    ck_assert_int_gt(n_functions, 100);
    int cycles = 0;
    for (int i = 0; i < n_functions; i++) {
        if (functions[i].color == 0) {
            cycles += find_cycle(i, path, next);
        }
    }
    free(functions);
    free(calls);
    free(path);
    free(next);
    ck_assert_int_eq(cycles, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("objects");
    TCase *t = tcase_create("objects");
    tcase_add_test(t, archive_exports_our_names_only);
    tcase_add_test(t, library_has_no_other_changing_data);
    tcase_add_test(t, vector_instructions_stay_in_their_folder);
    tcase_add_test(t, avx2_folder_has_no_avx512);
    tcase_add_test(t, library_does_not_recurse);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
