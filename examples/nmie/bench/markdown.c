/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for the pages of a project, between marks that stay. */
#include "examples/nmie/bench/page.h"

#include "examples/nmie/slurp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_MAX ((size_t)1 << 24)
#define ENGINES_MAX 12

/* The engines of a result, in order of appearance. */
static size_t engines_of(const struct rows *rows, const char *engines[static ENGINES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        size_t k = 0;
        while (k < n && strcmp(engines[k], rows->at[i].engine) != 0) {
            k++;
        }
        if (k == n && n < ENGINES_MAX) {
            engines[n++] = rows->at[i].engine;
        }
    }
    return n;
}

static const struct row *of_engine(const struct rows *rows, const struct row *in,
                                   const char *engine)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (row_same_case(&rows->at[i], in) && strcmp(rows->at[i].engine, engine) == 0) {
            return &rows->at[i];
        }
    }
    return NULL;
}

/* The first row of its case. */
static bool leads(const struct rows *rows, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (row_same_case(&rows->at[k], &rows->at[i])) {
            return false;
        }
    }
    return true;
}

static void head(FILE *to, const char *const *engines, size_t n, const char *first,
                 const char *rest)
{
    fputs(first, to);
    for (size_t k = 0; k < n; k++) {
        fprintf(to, " %s |", engines[k]);
    }
    fprintf(to, "%s\n|", rest);
    for (const char *p = first + 1; (p = strchr(p, '|')); p++) {
        fputs("---|", to);
    }
    for (size_t k = 0; k < n; k++) {
        fputs("---|", to);
    }
    for (const char *p = rest; (p = strchr(p, '|')); p++) {
        fputs("---|", to);
    }
    fputc('\n', to);
}

static void put_ratio(FILE *to, const struct row *r, bool interval)
{
    if (!r) {
        fputs(" - |", to);
    } else if (isnan(r->ratio)) {
        fprintf(to, " %.4g/s |", r->rate);
    } else if (interval && r->high > r->low) {
        fprintf(to, " %.2f (%.2f-%.2f) |", r->ratio, r->low, r->high);
    } else {
        fprintf(to, " %.2f |", r->ratio);
    }
}

static void put_case(FILE *to, const struct row *r)
{
    char model[64], zeros[64];
    fprintf(to, "| %s | %s | %lld | %d |", row_model(r, model), row_zeros(r, zeros),
            (long long)r->batch, (int)r->threads);
}

static void speed_table(FILE *to, const struct rows *rows, bool whole)
{
    const char *engines[ENGINES_MAX];
    size_t n = engines_of(rows, engines);
    head(to, engines, n, "| network | zeros | batch | threads |",
         whole ? " libnm, items/s | error |" : " libnm, items/s |");
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *ours = of_engine(rows, &rows->at[i], "libnm");
        if (!leads(rows, i) || (!whole && rows->at[i].threads > 1)) {
            continue;
        }
        put_case(to, &rows->at[i]);
        double error = (double)NAN;
        for (size_t k = 0; k < n; k++) {
            const struct row *r = of_engine(rows, &rows->at[i], engines[k]);
            put_ratio(to, r, whole);
            error = r ? fmax(error, r->error) : error; /* of two, the one that is a number */
        }
        fprintf(to, ours ? " %.4g |" : " - |", ours ? ours->rate : 0.0);
        if (whole) {
            fprintf(to, isnan(error) ? " - |" : " %.0e |", error);
        }
        fputc('\n', to);
    }
}

static void memory_table(FILE *to, const struct rows *rows)
{
    const char *engines[ENGINES_MAX];
    size_t n = engines_of(rows, engines);
    fputs("\nPeak resident memory of each process, MiB; and seconds to load and plan:\n\n", to);
    head(to, engines, n, "| network | zeros | batch | threads |", "");
    for (size_t i = 0; i < rows->n; i++) {
        if (!leads(rows, i)) {
            continue;
        }
        put_case(to, &rows->at[i]);
        for (size_t k = 0; k < n; k++) {
            const struct row *r = of_engine(rows, &rows->at[i], engines[k]);
            if (r) {
                fprintf(to, " %.0f; %.2f |", r->peak_mib, r->load_seconds + r->plan_seconds);
            } else {
                fputs(" - |", to);
            }
        }
        fputc('\n', to);
    }
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return s ? s : "unknown";
}

static const char *baseline_of(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->at[i].baseline) {
            return rows->at[i].baseline;
        }
    }
    return NULL;
}

/* Machine, engines' versions, and what the numbers are. */
static void caption(FILE *to, const struct rows *rows)
{
    const cJSON *e = cJSON_GetObjectItemCaseSensitive(rows->document, "environment");
    const char *engines[ENGINES_MAX], *baseline = baseline_of(rows);
    size_t n = engines_of(rows, engines);
    fprintf(to, "%s (%s; hypervisor: %s), Linux %s, oneDNN %s", text_of(e, "cpu"),
            text_of(e, "isa"), text_of(e, "hypervisor"), text_of(e, "kernel"),
            text_of(e, "onednn"));
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < rows->n; i++) {
            if (strcmp(rows->at[i].engine, engines[k]) == 0) {
                fprintf(to, ", %s %s", engines[k], text_of(rows->at[i].json, "version"));
                break;
            }
        }
    }
    fprintf(to, ".\n");
    if (baseline) {
        fprintf(to, "Speed relative to %s: the median over rounds in turns, and its interval.\n",
                baseline);
    }
    fputc('\n', to);
}

/* The chart as the page sees it: below the page's own folder, or as it was given. */
static void put_chart(FILE *to, const char *page, const char *chart)
{
    const char *slash = strrchr(page, '/');
    const size_t folder = slash ? (size_t)(slash - page) + 1 : 0;
    if (chart) {
        const char *below = strncmp(chart, page, folder) == 0 ? chart + folder : chart;
        fprintf(to, "![Items per second by network, zeros, batch and engine](%s)\n\n", below);
    }
}

static void fill_bench(FILE *to, const struct rows *rows)
{
    caption(to, rows);
    speed_table(to, rows, true);
    memory_table(to, rows);
    const cJSON *p = cJSON_GetObjectItemCaseSensitive(rows->document, "predictions");
    if (cJSON_GetArraySize(p) > 0) {
        fputs("\nMore cores, by the model below: predictions, not measurements.\n\n```", to);
        page_predictions(to, rows);
        fputs("```\n", to);
    }
}

static void fill_speed(FILE *to, const struct rows *rows)
{
    caption(to, rows);
    speed_table(to, rows, false);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static const struct {
    const char *begin, *end;
    void (*fill)(FILE *to, const struct rows *rows);
} marks[] = {{"<!-- bench -->\n", "<!-- /bench -->", fill_bench},
             {"<!-- speed -->\n", "<!-- /speed -->", fill_speed}};

/* Copies a page's text with new contents between its marks; returns how many pairs it had. */
static int refill(FILE *to, const char *text, const char *page, const char *chart,
                  const struct rows *rows)
{
    int filled = 0;
    for (;;) {
        const char *first = NULL, *end = NULL;
        size_t which = 0;
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
            const char *at = strstr(text, marks[i].begin);
            if (at && (!first || at < first)) {
                first = at;
                which = i;
            }
        }
        end = first ? strstr(first, marks[which].end) : NULL;
        if (!end) {
            fputs(text, to);
            return filled;
        }
        first += strlen(marks[which].begin);
        fwrite(text, 1, (size_t)(first - text), to);
        put_chart(to, page, chart);
        marks[which].fill(to, rows);
        text = end;
        filled++;
        fwrite(text, 1, strlen(marks[which].end), to);
        text += strlen(marks[which].end);
    }
}

nm_status page_markdown(const char *path, const char *chart, const struct rows *rows, nm_error *err)
{
    struct slurp page, none = {0};
    char *text = NULL;
    size_t size;
    nm_status status = slurp_read(path, PAGE_MAX, &page, err);
    if (status) {
        return status;
    }
    FILE *to = open_memstream(&text, &size);
    int filled = to ? refill(to, (const char *)page.bytes, path, chart, rows) : 0;
    if (to) {
        fclose(to);
    }
    slurp_free(&page);
    if (filled == 0) {
        free(text);
        return complain(err, NM_EFORMAT, "%s: no <!-- bench --> or <!-- speed --> to fill", path);
    }
    const struct slurp body = {(uint8_t *)text, size};
    status = slurp_write(path, &none, &body, err);
    free(text);
    return status;
}
