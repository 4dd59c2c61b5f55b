/* SPDX-License-Identifier: Apache-2.0 */
/* Which bars go into which chart. */
#include "examples/nmie/bench/panels.h"

#include <stdlib.h>
#include <string.h>

static bool same_model(const struct row *a, const struct row *b)
{
    char x[64], y[64];
    return strcmp(row_model(a, x), row_model(b, y)) == 0;
}

/* The first row of its model and number of threads leads a chart of engines. */
static bool leads(const struct rows *rows, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (same_model(&rows->at[k], &rows->at[i]) && rows->at[k].threads == rows->at[i].threads) {
            return false;
        }
    }
    return true;
}

static void add_bar(struct chart *c, const struct row *row, const char *group)
{
    struct bar *bar = chart_bar(c, group, row->engine);
    if (bar) {
        *bar = (struct bar){row->rate, row->rate_low, row->rate_high, row->predicted};
    }
}

static void by_engine(const struct rows *rows, const struct row *lead, struct chart *c,
                      const struct row **shown, size_t *n)
{
    char model[64], group[64];
    snprintf(c->title, sizeof c->title, "%s, %d thread%s", row_model(lead, model),
             (int)lead->threads, lead->threads == 1 ? "" : "s");
    snprintf(c->unit, sizeof c->unit, "items per second, more is better");
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->at[i];
        if (!same_model(row, lead) || row->threads != lead->threads) {
            continue;
        }
        if (row->sparsity > 0.0) {
            snprintf(group, sizeof group, "%.4g %% zeros, batch %lld", 100.0 * row->sparsity,
                     (long long)row->batch);
        } else {
            snprintf(group, sizeof group, "batch %lld", (long long)row->batch);
        }
        add_bar(c, row, group);
        shown[(*n)++] = row;
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

/* The first prediction of its case leads a chart over cores. */
static bool leads_prediction(const struct row *predictions, size_t i)
{
    struct row same = predictions[i];
    for (size_t k = 0; k < i; k++) {
        same.threads = predictions[k].threads;
        if (row_same_case(&predictions[k], &same) &&
            strcmp(predictions[k].engine, same.engine) == 0) {
            return false;
        }
    }
    return true;
}

static void add_cores(struct chart *c, const struct row *row, const struct row *lead)
{
    struct row same = *lead;
    char group[64];
    same.threads = row->threads;
    if (row_same_case(row, &same) && strcmp(row->engine, lead->engine) == 0) {
        struct row renamed = *row;
        renamed.engine = row->predicted ? "predicted" : "measured";
        snprintf(group, sizeof group, "%d core%s", (int)row->threads, row->threads == 1 ? "" : "s");
        add_bar(c, &renamed, group);
    }
}

static void by_cores(const struct rows *rows, const struct row *predictions, size_t n,
                     const struct row *lead, struct chart *c)
{
    char model[64], zeros[32] = "";
    if (lead->sparsity > 0.0) {
        snprintf(zeros, sizeof zeros, ", %.4g %% zeros", 100.0 * lead->sparsity);
    }
    snprintf(c->title, sizeof c->title, "%s%s, batch %lld, %s: by cores (prediction)",
             row_model(lead, model), zeros, (long long)lead->batch, lead->engine);
    snprintf(c->unit, sizeof c->unit, "items per second");
    for (size_t i = 0; i < rows->n; i++) {
        add_cores(c, &rows->at[i], lead);
    }
    for (size_t i = 0; i < n; i++) {
        add_cores(c, &predictions[i], lead);
    }
}

bool panels_at(const struct rows *rows, size_t i, struct chart *c, const struct row **shown,
               size_t *n)
{
    size_t n_predictions, k = 0;
    *c = (struct chart){0};
    *n = 0;
    for (; k < rows->n; k++) {
        if (leads(rows, k) && i-- == 0) {
            by_engine(rows, &rows->at[k], c, shown, n);
            return true;
        }
    }
    struct row *predictions = panels_predictions(rows, &n_predictions);
    bool found = false;
    for (k = 0; k < n_predictions && predictions && !found; k++) {
        found = leads_prediction(predictions, k) && i-- == 0;
        if (found) {
            by_cores(rows, predictions, n_predictions, &predictions[k], c);
        }
    }
    free(predictions);
    return found;
}
