/* SPDX-License-Identifier: Apache-2.0 */
/* Which bars go into which chart. */
#include "examples/nmie/bench/panels.h"

#include <stdlib.h>
#include <string.h>

static void add_bar(struct chart *c, const struct row *row, const char *series)
{
    char group[96];
    struct bar *bar = chart_bar(c, row_zeros_batch(row, group), series);
    if (bar) {
        *bar = (struct bar){row->rate, row->rate_low, row->rate_high, row->predicted};
    }
}

/* engine NULL: any. */
static bool belongs(const struct row *row, const struct row *network, const char *engine)
{
    char x[64], y[64];
    return (!engine || strcmp(row->engine, engine) == 0) &&
           strcmp(row_model(row, x), row_model(network, y)) == 0;
}

/* The smallest number of threads of a network above this one; 0: there is none. */
static int32_t next_threads(const struct row *rows, size_t n, const struct row *network,
                            const char *engine, int32_t above)
{
    int32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t t = rows[i].threads;
        if (t > above && (next == 0 || t < next) && belongs(&rows[i], network, engine)) {
            next = t;
        }
    }
    return next;
}

static void by_engine(const struct rows *rows, const struct row *lead, int32_t threads,
                      struct chart *c, const struct row **shown, size_t *n)
{
    char model[64];
    snprintf(c->title, sizeof c->title, "%s, %d thread%s", row_model(lead, model), (int)threads,
             threads == 1 ? "" : "s");
    snprintf(c->unit, sizeof c->unit, "items per second, more is better");
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->at[i];
        if (row->network == lead->network && row->threads == threads) {
            add_bar(c, row, row->engine);
            shown[(*n)++] = row;
        }
    }
}

struct row *panels_predictions(const struct rows *rows, size_t *n)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(rows->document, "predictions"), *item;
    struct row *at = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *at);
    *n = 0;
    cJSON_ArrayForEach(item, list)
    {
        if (at && row_read(item, &at[*n])) {
            (*n)++;
        }
    }
    return at;
}

/* The first prediction of its network leads a chart over cores. */
static bool leads_prediction(const struct row *predictions, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (belongs(&predictions[k], &predictions[i], predictions[i].engine)) {
            return false;
        }
    }
    return true;
}

static void add_cores(struct chart *c, const struct row *rows, size_t n, const struct row *lead,
                      int32_t threads)
{
    char series[48];
    for (size_t i = 0; i < n; i++) {
        if (rows[i].threads == threads && belongs(&rows[i], lead, lead->engine)) {
            snprintf(series, sizeof series, "%d core%s%s", (int)threads, threads == 1 ? "" : "s",
                     rows[i].predicted ? " (predicted)" : "");
            add_bar(c, &rows[i], series);
        }
    }
}

/* From few cores to many; what was measured stands before a prediction for as many. */
static void by_cores(const struct rows *rows, const struct row *predictions, size_t n,
                     const struct row *lead, struct chart *c)
{
    char model[64];
    snprintf(c->title, sizeof c->title, "%s, %s: by cores (prediction)", row_model(lead, model),
             lead->engine);
    snprintf(c->unit, sizeof c->unit, "items per second, more is better");
    for (int32_t t = 0;;) {
        const int32_t measured = next_threads(rows->at, rows->n, lead, lead->engine, t);
        const int32_t predicted = next_threads(predictions, n, lead, lead->engine, t);
        t = !measured || (predicted && predicted < measured) ? predicted : measured;
        if (!t) {
            return;
        }
        add_cores(c, rows->at, rows->n, lead, t);
        add_cores(c, predictions, n, lead, t);
    }
}

bool panels_at(const struct rows *rows, size_t i, struct chart *c, const struct row **shown,
               size_t *n)
{
    size_t n_predictions;
    *c = (struct chart){0};
    *n = 0;
    for (size_t k = 0; k < rows->n; k++) {
        const struct row *lead = &rows->at[k];
        int32_t threads = 0;
        if (k > 0 && lead->network == lead[-1].network) {
            continue;
        }
        while ((threads = next_threads(rows->at, rows->n, lead, NULL, threads)) > 0) {
            if (i-- == 0) {
                by_engine(rows, lead, threads, c, shown, n);
                return true;
            }
        }
    }
    struct row *predictions = panels_predictions(rows, &n_predictions);
    bool found = false;
    for (size_t k = 0; k < n_predictions && predictions && !found; k++) {
        found = leads_prediction(predictions, k) && i-- == 0;
        if (found) {
            by_cores(rows, predictions, n_predictions, &predictions[k], c);
        }
    }
    free(predictions);
    return found;
}
