/* SPDX-License-Identifier: Apache-2.0 */
/* Rows read. */
#include "examples/nmie/bench/rows.h"

#include "examples/nmie/slurp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 28)

double json_number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

static const char *text_of(const cJSON *object, const char *key, const char *otherwise)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return s ? s : otherwise;
}

/* The slowest and the fastest round as rates. */
static void read_rounds(struct row *r)
{
    const cJSON *ms;
    r->rate_low = r->rate_high = r->rate;
    cJSON_ArrayForEach(ms, cJSON_GetObjectItemCaseSensitive(r->json, "rounds_ms"))
    {
        double rate = 1e3 * (double)r->batch / ms->valuedouble;
        r->rate_low = fmin(r->rate_low, rate);
        r->rate_high = fmax(r->rate_high, rate);
    }
}

bool row_read(const cJSON *json, struct row *r)
{
    const cJSON *ms = cJSON_GetObjectItemCaseSensitive(json, "ms");
    const cJSON *ratio = cJSON_GetObjectItemCaseSensitive(json, "ratio");
    *r = (struct row){.model = text_of(json, "model", NULL),
                      .engine = text_of(json, "engine", "libnm"),
                      .precision = text_of(json, "precision", ""),
                      .profile = text_of(json, "profile", NULL),
                      .baseline = text_of(json, "baseline", NULL),
                      .sparsity = json_number(json, "sparsity"),
                      .rate = json_number(json, "items_per_second"),
                      .ms = json_number(ms, "median"),
                      .p90 = json_number(ms, "p90"),
                      .p99 = json_number(ms, "p99"),
                      .best = json_number(ms, "best"),
                      .spread = json_number(ms, "spread"),
                      .load_seconds = json_number(json, "load_seconds"),
                      .plan_seconds = json_number(json, "plan_seconds"),
                      .peak_mib = json_number(json, "peak_rss_mib"),
                      .ratio = json_number(ratio, "median"),
                      .low = json_number(ratio, "low"),
                      .high = json_number(ratio, "high"),
                      .error = json_number(json, "error"),
                      .json = json};
    double batch = json_number(json, "batch"), threads = json_number(json, "threads");
    const cJSON *agrees = cJSON_GetObjectItemCaseSensitive(json, "agrees");
    if (!r->model || !(r->rate > 0.0) || !(batch >= 1.0 && batch < 1e9) ||
        !(threads >= 1.0 && threads < 1e6)) {
        return false;
    }
    r->batch = (int64_t)batch;
    r->threads = (int32_t)threads;
    r->sparsity = isnan(r->sparsity) ? 0.0 : r->sparsity;
    r->agrees = !cJSON_IsFalse(agrees);
    r->predicted = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "predicted"));
    read_rounds(r);
    return true;
}

static int sign(double a, double b)
{
    return (a > b) - (a < b);
}

static const char *profile(const struct row *row)
{
    return row->profile ? row->profile : "";
}

static int by_case(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    const int order[] = {sign((double)x->network, (double)y->network),
                         sign(x->sparsity, y->sparsity),
                         strcmp(profile(x), profile(y)),
                         sign((double)x->batch, (double)y->batch),
                         sign(x->threads, y->threads),
                         sign((double)x->place, (double)y->place)};
    size_t i = 0;
    while (i + 1 < sizeof order / sizeof *order && order[i] == 0) {
        i++;
    }
    return order[i];
}

static void sort(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        char x[64], y[64];
        size_t k = 0;
        while (strcmp(row_model(&rows->at[i], x), row_model(&rows->at[k], y)) != 0) {
            k++;
        }
        rows->at[i].network = k;
        rows->at[i].place = i;
    }
    qsort(rows->at, rows->n, sizeof *rows->at, by_case);
}

nm_status rows_of(cJSON *document, const char *path, struct rows *rows, nm_error *err)
{
    const cJSON *cases = cJSON_GetObjectItemCaseSensitive(document, "cases"), *row;
    *rows = (struct rows){.document = document};
    if (!cJSON_IsObject(document)) {
        rows_free(rows);
        return complain(err, NM_EFORMAT, "%s is no result of nmie bench --json", path);
    }
    size_t n = cases ? (size_t)cJSON_GetArraySize(cases) : 1;
    rows->at = calloc(n + 1, sizeof *rows->at);
    if (!rows->at) {
        rows_free(rows);
        return complain(err, NM_ENOMEM, "no memory for %zu rows", n);
    }
    bool good = cases || row_read(document, &rows->at[rows->n++]);
    cJSON_ArrayForEach(row, cases)
    {
        good = good && row_read(row, &rows->at[rows->n++]);
    }
    if (!good) {
        rows_free(rows);
        return complain(err, NM_EFORMAT,
                        "%s is no result of nmie bench --json: a row lacks its "
                        "model, batch, threads or items_per_second",
                        path);
    }
    sort(rows);
    return NM_OK;
}

nm_status rows_read(const char *path, struct rows *rows, nm_error *err)
{
    struct slurp file;
    *rows = (struct rows){0};
    nm_status status = slurp_read(path, FILE_MAX, &file, err);
    if (status) {
        return status;
    }
    cJSON *document = cJSON_Parse((const char *)file.bytes);
    slurp_free(&file);
    return rows_of(document, path, rows, err);
}

void rows_free(struct rows *rows)
{
    cJSON_Delete(rows->document);
    free(rows->at);
    *rows = (struct rows){0};
}

const char *row_model(const struct row *row, char text[static 64])
{
    const char *name = strrchr(row->model, '/');
    name = name ? name + 1 : row->model;
    name = strncmp(name, "builtin:", 8) == 0 ? name + 8 : name;
    size_t n = strlen(name);
    n = n > 5 && strcmp(name + n - 5, ".onnx") == 0 ? n - 5 : n;
    snprintf(text, 64, "%.*s", (int)(n < 60 ? n : 60), name);
    return text;
}

const char *row_zeros(const struct row *row, char text[static 64])
{
    if (row->profile) {
        snprintf(text, 64, "%.40s: %.4g %%", row->profile, 100.0 * row->sparsity);
    } else if (row->sparsity > 0.0) {
        snprintf(text, 64, "%.4g %%", 100.0 * row->sparsity);
    } else {
        snprintf(text, 64, "none");
    }
    return text;
}

const char *row_zeros_batch(const struct row *row, char text[static 96])
{
    char zeros[64];
    const bool any = row->sparsity > 0.0 || row->profile;
    snprintf(text, 96, "%s%sbatch %lld", any ? row_zeros(row, zeros) : "", any ? " zeros, " : "",
             (long long)row->batch);
    return text;
}

const char *row_case(const struct row *row, char text[static 96])
{
    const size_t n = strlen(row_zeros_batch(row, text));
    snprintf(text + n, 96 - n, ", %d thread%s", (int)row->threads, row->threads == 1 ? "" : "s");
    return text;
}

bool row_same_case(const struct row *a, const struct row *b)
{
    char x[64], y[64];
    return a->batch == b->batch && a->threads == b->threads &&
           fabs(a->sparsity - b->sparsity) < 1e-9 && strcmp(profile(a), profile(b)) == 0 &&
           strcmp(row_model(a, x), row_model(b, y)) == 0;
}
