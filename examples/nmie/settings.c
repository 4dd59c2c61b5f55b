/* SPDX-License-Identifier: Apache-2.0 */
/* Shared options, the environment and the plan cache's place. */
#include "examples/nmie/settings.h"

#include "examples/nmie/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <dnnl.h>

#define THREADS_MAX 1024

static bool parse_isa(const char *word, nm_isa *isa)
{
    for (int i = NM_ISA_AUTO; i <= NM_ISA_AVX512; i++) {
        if (strcmp(word, nm_isa_name((nm_isa)i)) == 0) {
            *isa = (nm_isa)i;
            return true;
        }
    }
    return false;
}

static bool parse_threads(const char *word, int32_t *threads)
{
    int64_t n;
    if (!args_int(word, 1, THREADS_MAX, &n)) {
        return false;
    }
    *threads = (int32_t)n;
    return true;
}

void settings_log(void *user, int level, const char *line)
{
    const struct settings *s = user;
    if (level <= s->verbose) {
        say("%s", line);
    }
}

/* Where measurements are kept unless --cache says otherwise; NULL when there is no home. */
static char *default_cache(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;
    if (xdg && *xdg == '/') {
        n = asprintf(&path, "%s/nm/plans", xdg);
    } else if (home && *home == '/') {
        n = asprintf(&path, "%s/.cache/nm/plans", home);
    }
    return n < 0 ? NULL : path;
}

int settings_init(struct settings *s, const struct command *command)
{
    *s = (struct settings){.session = NM_SESSION_OPTIONS_INIT};
    s->session.log = settings_log;
    s->session.log_user = s;
    const char *threads = getenv("NM_NUM_THREADS"), *isa = getenv("NM_ISA");
    const char *verbose = getenv("NM_VERBOSE");
    int64_t level = 0;
    if (threads && *threads && !parse_threads(threads, &s->session.threads)) {
        return usage(command, "NM_NUM_THREADS=%s in the environment is not a number of threads",
                     threads);
    }
    if (isa && *isa && !parse_isa(isa, &s->session.isa)) {
        return usage(command, "NM_ISA=%s in the environment is none of auto, ref, avx2, avx512",
                     isa);
    }
    if (verbose && *verbose && !args_int(verbose, 0, 2, &level)) {
        return usage(command, "NM_VERBOSE=%s in the environment is none of 0, 1, 2", verbose);
    }
    s->verbose = (int)level;
    return GO_ON;
}

static int set_cache(struct settings *s, const struct command *command, const char *word)
{
    char *copy = strdup(word);
    if (!copy || !*word) {
        free(copy);
        return usage(command, "--cache wants a file or 'none'");
    }
    free(s->cache);
    s->cache = copy;
    s->cache_given = true;
    return GO_ON;
}

static int set_effort(struct settings *s, const struct command *command, const char *word)
{
    int64_t effort;
    if (!args_int(word, -1, 1, &effort)) {
        return usage(command, "--effort %s is none of -1, 0, 1", word);
    }
    s->session.effort = (int32_t)effort;
    return GO_ON;
}

int settings_option(struct settings *s, const struct command *command, int code, const char *word)
{
    switch (code) {
    case 't':
        return parse_threads(word, &s->session.threads)
                   ? GO_ON
                   : usage(command, "-t %s is not a number of threads", word);
    case OPT_ISA:
        return parse_isa(word, &s->session.isa)
                   ? GO_ON
                   : usage(command, "--isa %s is none of auto, ref, avx2, avx512", word);
    case OPT_PRECISION:
        s->session.precision = strcmp(word, "half") ? NM_PRECISION_F32 : NM_PRECISION_HALF;
        return strcmp(word, "half") == 0 || strcmp(word, "f32") == 0
                   ? GO_ON
                   : usage(command, "--precision is f32 or half");
    case OPT_DENSE:
        s->session.dense = 1;
        return GO_ON;
    case OPT_FIXED_PLAN:
        s->session.fixed_plan = 1;
        return GO_ON;
    case OPT_EFFORT:
        return set_effort(s, command, word);
    case OPT_CACHE:
        return set_cache(s, command, word);
    case OPT_JSON:
        s->json = true;
        return GO_ON;
    case 'v':
        s->verbose++;
        return GO_ON;
    default:
        return usage_hint(command);
    }
}

/* Makes every folder above path that is missing. Failing is harmless: the cache is then not kept.
 */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) && errno != EEXIST) {
            say("no plan cache: %s: %s", path, strerror(errno));
            *slash = '/';
            return;
        }
        *slash = '/';
    }
}

/* oneDNN's cap belongs to the whole process, so the library leaves it alone; here it is ours. */
static void cap_onednn(nm_isa isa)
{
    if (isa == NM_ISA_AVX2) {
        dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
    } else if (isa == NM_ISA_AVX512) {
        dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core);
    }
}

void settings_finish(struct settings *s)
{
    if (!s->cache) {
        s->cache = default_cache();
    }
    if (s->cache_given && strcmp(s->cache, "none") == 0) {
        free(s->cache);
        s->cache = NULL;
    }
    if (s->cache && !s->cache_given) {
        make_folders(s->cache);
    }
    s->session.cache_file = s->cache;
    cap_onednn(s->session.isa);
}

void settings_free(struct settings *s)
{
    free(s->cache);
    s->cache = NULL;
}
