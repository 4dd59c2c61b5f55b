/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - what all commands that run networks share: session options, the plan cache, the
 * environment (NM_NUM_THREADS, NM_ISA, NM_VERBOSE, XDG_CACHE_HOME), and --json.
 */
#ifndef NMIE_SETTINGS_H
#define NMIE_SETTINGS_H

#include "examples/nmie/nmie.h"

#include <stdbool.h>

enum { OPT_ISA = 256, OPT_PRECISION, OPT_DENSE, OPT_FIXED_PLAN, OPT_EFFORT, OPT_CACHE, OPT_JSON };

/* Rows for getopt_long's table; the short options are SETTINGS_SHORTS. */
#define SETTINGS_SHORTS "t:v"
#define SETTINGS_OPTIONS                                                                           \
    {"threads", 1, NULL, 't'}, {"isa", 1, NULL, OPT_ISA}, {"precision", 1, NULL, OPT_PRECISION},   \
        {"dense", 0, NULL, OPT_DENSE}, {"fixed-plan", 0, NULL, OPT_FIXED_PLAN},                    \
        {"effort", 1, NULL, OPT_EFFORT}, {"cache", 1, NULL, OPT_CACHE},                            \
        {"json", 0, NULL, OPT_JSON},                                                               \
    {                                                                                              \
        "verbose", 0, NULL, 'v'                                                                    \
    }
#define SETTINGS_HELP                                                                              \
    "Session:\n"                                                                                   \
    "  -t, --threads N      threads (default: NM_NUM_THREADS, else what the process may use)\n"    \
    "  --isa NAME           ref, avx2 or avx512: cap the instruction set (default: NM_ISA, else\n" \
    "                       the CPU's best); ref is plain C, slow, the meaning of each layer\n"    \
    "  --precision f32|half half permits 16-bit operands where they are faster (default f32)\n"    \
    "  --dense              use no sparse kernel\n"                                                \
    "  --fixed-plan         choose kernels by rule, not by measuring: same bits in every run\n"    \
    "  --effort N           time for planning: -1 least, 0 (default), 1 some six times as long\n"      \
    "  --cache FILE|none    where measurements of kernels are kept (default:\n"                    \
    "                       $XDG_CACHE_HOME/nm/plans, else ~/.cache/nm/plans)\n"                   \
    "  --json               the result as one JSON document (keys: docs/cli.md)\n"                 \
    "  -v, --verbose        more talk on stderr; twice: in detail (or NM_VERBOSE=1, 2)\n"

struct settings {
    nm_session_options session; /* cache_file points to cache, or is NULL */
    bool json;
    bool cache_given;
    int verbose;
    char *cache; /* owned */
};

/* Defaults and the environment. Returns GO_ON, or EXIT_USAGE after speaking. */
int settings_init(struct settings *s, const struct command *command);

/* Takes one option: GO_ON when taken; EXIT_USAGE after speaking when its word makes no sense or
 * the code is none of these (getopt has then spoken). */
int settings_option(struct settings *s, const struct command *command, int code, const char *word);

/* After all options: makes the cache's folder and caps oneDNN where --isa asks for it. */
void settings_finish(struct settings *s);

void settings_free(struct settings *s);

/* The log function of the tool; user is the struct settings. */
void settings_log(void *user, int level, const char *line);

#endif
