/* SPDX-License-Identifier: Apache-2.0 */
/* Any program as an engine: a command that prints a JSON object with items_per_second. */
#include "examples/nmie/bench/engine.h"
#include "examples/nmie/host_tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cjson/cJSON.h>

struct command_engine {
    const struct engine_job *job;
    char *line;   /* what the shell is given */
    char *output; /* {y}, when the command writes it */
    struct host_tensor y;
    struct engine_info info; /* as the last answer says */
};

/* A word that the shell takes as it is. */
static void put_quoted(FILE *to, const char *word)
{
    fputc('\'', to);
    for (; *word; word++) {
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, to);
    }
    fputc('\'', to);
}

/* Puts the value of a "{key}" at the start of text; returns the characters that it took, or 0. */
static size_t put_key(FILE *to, const struct command_engine *e, const char *text)
{
    const struct engine_job *job = e->job;
    char number[32], x[4200];
    struct {
        const char *key, *value;
    } keys[] = {{"{model}", job->model}, {"{x}", x}, {"{y}", e->output}};
    snprintf(x, sizeof x, "%s/in-%lld-0.npy", job->folder, (long long)job->batch);
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(text, keys[i].key, strlen(keys[i].key)) == 0) {
            put_quoted(to, keys[i].value);
            return strlen(keys[i].key);
        }
    }
    if (strncmp(text, "{batch}", 7) == 0) {
        snprintf(number, sizeof number, "%lld", (long long)job->batch);
    } else if (strncmp(text, "{threads}", 9) == 0) {
        snprintf(number, sizeof number, "%d", (int)job->threads);
    } else if (strncmp(text, "{seconds}", 9) == 0) {
        snprintf(number, sizeof number, "%g", job->seconds);
    } else {
        return 0;
    }
    fputs(number, to);
    return strcspn(text, "}") + 1;
}

static char *fill_in(const struct command_engine *e)
{
    char *line = NULL;
    size_t size;
    FILE *to = open_memstream(&line, &size);
    for (const char *text = e->job->spec->path; to && *text;) {
        size_t n = put_key(to, e, text);
        if (n == 0) {
            fputc(*text, to);
        }
        text += n ? n : 1;
    }
    if (to) {
        fclose(to);
    }
    return line;
}

static void close_cmd(void *self)
{
    struct command_engine *e = self;
    host_free(&e->y);
    free(e->line);
    free(e->output);
    free(e);
}

static nm_status open_cmd(const struct engine_job *job, void **self, struct engine_info *info,
                          nm_error *err)
{
    struct command_engine *e = calloc(1, sizeof *e);
    if (!e) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    e->job = job;
    if (asprintf(&e->output, "%s/%s-y.npy", job->folder, job->spec->name) < 0) {
        e->output = NULL;
    }
    e->line = e->output ? fill_in(e) : NULL;
    if (!e->line) {
        close_cmd(e);
        return complain(err, NM_ENOMEM, "no memory");
    }
    strcpy(info->precision, "f32");
    *self = e;
    return NM_OK;
}

static double number_of(const cJSON *top, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(top, key);
    return cJSON_IsNumber(value) ? value->valuedouble : 0.0;
}

/* From the first '{' on: programs greet. */
static nm_status understand(struct command_engine *e, const char *text, double *seconds,
                            nm_error *err)
{
    const char *start = strchr(text, '{');
    cJSON *top = start ? cJSON_Parse(start) : NULL;
    double rate = number_of(top, "items_per_second");
    e->info.load_seconds = number_of(top, "load_seconds");
    e->info.plan_seconds = number_of(top, "plan_seconds");
    e->info.peak_rss_mib = number_of(top, "peak_rss_mib");
    const char *version = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(top, "version"));
    snprintf(e->info.version, sizeof e->info.version, "%.60s", version ? version : "");
    cJSON_Delete(top);
    *seconds = rate > 0.0 ? (double)e->job->batch / rate : 0.0;
    return rate > 0.0 ? NM_OK
                      : complain(err, NM_EFORMAT, "printed no JSON object with items_per_second");
}

static nm_status run_cmd(void *self, double *seconds, nm_error *err)
{
    struct command_engine *e = self;
    FILE *p = popen(e->line, "r");
    char *text = p ? calloc(1, 1 << 20) : NULL;
    if (text) {
        size_t n = fread(text, 1, (1 << 20) - 1, p);
        text[n] = '\0';
        char rest[4096];
        while (fread(rest, 1, sizeof rest, p) > 0) { /* until it ends */
        }
    }
    int status = p ? pclose(p) : -1;
    nm_status verdict = status == 0 && text
                            ? understand(e, text, seconds, err)
                            : complain(err, NM_EINTERNAL, "the command ended with status %d",
                                       WIFEXITED(status) ? WEXITSTATUS(status) : status);
    free(text);
    return verdict;
}

static nm_status outputs_cmd(void *self, nm_tensor *out, nm_error *err)
{
    struct command_engine *e = self;
    struct stat st;
    if (!strstr(e->job->spec->path, "{y}") || stat(e->output, &st)) {
        out[0].data = NULL;
        return NM_OK;
    }
    host_free(&e->y);
    nm_status status = host_load(e->output, NULL, &e->y, err);
    out[0] = e->y.t;
    return status;
}

static void note_cmd(void *self, struct engine_info *info)
{
    const struct command_engine *e = self;
    info->load_seconds = e->info.load_seconds;
    info->plan_seconds = e->info.plan_seconds;
    info->peak_rss_mib = e->info.peak_rss_mib;
    memcpy(info->version, e->info.version, sizeof info->version);
}

const struct engine_kind engine_cmd = {.name = "cmd",
                                       .whole_turns = true,
                                       .open = open_cmd,
                                       .run = run_cmd,
                                       .outputs = outputs_cmd,
                                       .note = note_cmd,
                                       .close = close_cmd};
