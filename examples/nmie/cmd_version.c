/* SPDX-License-Identifier: Apache-2.0 */
/* nmie version: what runs here. */
#include "examples/nmie/json_out.h"
#include "examples/nmie/nmie.h"

#include <stdlib.h>
#include <string.h>

#include <dnnl.h>

static const char help[] =
    "Usage: nmie version [--json]\n"
    "\n"
    "Prints the versions of libnm and oneDNN, the processor, its instruction set as libnm sees it\n"
    "and the number of threads that a session uses by default.\n";

/* The processor's name as the kernel tells it; "unknown" otherwise. */
static void cpu_name(char text[static 128])
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");
    strcpy(text, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (colon && strncmp(line, "model name", 10) == 0) {
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(text, 128, "%.120s", colon + 1 + strspn(colon + 1, " "));
            break;
        }
    }
    if (f) {
        fclose(f);
    }
}

static int run(int argc, char **argv)
{
    bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !as_json) {
        return usage(&cmd_version, "unexpected '%s'", argv[1]);
    }
    char cpu[128], dnnl[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(dnnl, sizeof dnnl, "%d.%d.%d", v->major, v->minor, v->patch);
    cpu_name(cpu);
    if (!as_json) {
        printf("libnm %s\noneDNN %s\ncpu %s\nisa %s\nthreads %d\n", nm_library_version(), dnnl, cpu,
               nm_isa_name(nm_isa_best()), (int)nm_default_threads());
        return EXIT_GOOD;
    }
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_string(&j, "libnm", nm_library_version());
    json_string(&j, "onednn", dnnl);
    json_string(&j, "cpu", cpu);
    json_string(&j, "isa", nm_isa_name(nm_isa_best()));
    json_int(&j, "threads", nm_default_threads());
    json_close(&j, '}');
    json_end(&j);
    return EXIT_GOOD;
}

const struct command cmd_version = {"version", "versions, processor, threads", help, run};
