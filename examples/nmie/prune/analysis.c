/* SPDX-License-Identifier: Apache-2.0 */
/* The library's analysis, read and as text. */
#include "examples/nmie/prune/analysis.h"

#include "examples/nmie/nmie.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static double number_or(const cJSON *value, double otherwise)
{
    return cJSON_IsNumber(value) ? value->valuedouble : otherwise;
}

static double field(const cJSON *object, const char *key)
{
    return number_or(cJSON_GetObjectItemCaseSensitive(object, key), NAN);
}

/* Numbers of an array; NAN where there are none. */
static void take_row(const cJSON *layer, const char *key, size_t n, double *to)
{
    const cJSON *row = cJSON_GetObjectItemCaseSensitive(layer, key);
    for (size_t i = 0; i < n; i++) {
        to[i] = number_or(cJSON_GetArrayItem(row, (int)i), NAN);
    }
}

static bool take_layer(const cJSON *json, struct analysis *a)
{
    struct analysis_layer *l = &a->layers[a->n_layers];
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(json, "node");
    const cJSON *weight = cJSON_GetObjectItemCaseSensitive(json, "weight");
    l->node = strdup(cJSON_IsString(node) ? node->valuestring : "?");
    l->weight = strdup(cJSON_IsString(weight) ? weight->valuestring : "?");
    a->n_layers++;
    l->macs = field(json, "macs");
    l->elems = field(json, "elems");
    take_row(json, "error", a->n_grid, l->error);
    take_row(json, "ms", a->n_grid, l->ms);
    a->has_error = a->has_error || !isnan(l->error[a->n_grid - 1]);
    return l->node && l->weight;
}

static nm_status take(const cJSON *top, struct analysis *a, nm_error *err)
{
    const cJSON *grid = cJSON_GetObjectItemCaseSensitive(top, "grid"), *item;
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(top, "layers");
    cJSON_ArrayForEach(item, grid)
    {
        if (a->n_grid < ANALYSIS_GRID_MAX) {
            a->grid[a->n_grid++] = number_or(item, NAN);
        }
    }
    if (a->n_grid == 0 || !cJSON_IsArray(layers)) {
        return complain(err, NM_EINTERNAL, "the analysis has no grid or no layers");
    }
    a->layers = calloc((size_t)cJSON_GetArraySize(layers) + 1, sizeof *a->layers);
    bool good = a->layers;
    cJSON_ArrayForEach(item, layers)
    {
        good = good && take_layer(item, a);
    }
    a->dense_ms = field(top, "dense_ms");
    a->other_ms = field(top, "other_ms");
    return good ? NM_OK : complain(err, NM_ENOMEM, "no memory for the analysis");
}

nm_status analysis_read(const char *json, const char *model, struct analysis *a, nm_error *err)
{
    *a = (struct analysis){.model = model};
    cJSON *top = cJSON_Parse(json);
    nm_status status =
        top ? take(top, a, err) : complain(err, NM_EINTERNAL, "the analysis is not JSON");
    cJSON_Delete(top);
    if (status) {
        analysis_free(a);
    }
    return status;
}

void analysis_free(struct analysis *a)
{
    for (size_t i = 0; i < a->n_layers; i++) {
        free(a->layers[i].node);
        free(a->layers[i].weight);
    }
    free(a->layers);
    *a = (struct analysis){0};
}

size_t analysis_at(const struct analysis *a, double sparsity)
{
    size_t at = 0;
    for (size_t i = 1; i < a->n_grid; i++) {
        at = a->grid[i] <= sparsity + 1e-9 ? i : at;
    }
    return at;
}

double analysis_total_ms(const struct analysis *a, size_t at)
{
    double sum = a->other_ms;
    for (size_t i = 0; i < a->n_layers; i++) {
        sum += a->layers[i].ms[at];
    }
    return sum;
}

const char *analysis_name(const char *name, size_t most, char text[static 80])
{
    size_t n = strlen(name);
    most = most < 79 ? most : 79;
    if (n <= most) {
        snprintf(text, 80, "%s", name);
    } else {
        snprintf(text, 80, "..%s", name + n - (most - 2));
    }
    return text;
}

/* ---- as text --------------------------------------------------------------------------------- */

static const double shown_errors[] = {0.5, 0.7, 0.8, 0.9, 0.95};
static const double shown_times[] = {0.0, 0.8, 0.9, 0.95};
enum { ERRORS = sizeof shown_errors / sizeof *shown_errors };
enum { TIMES = sizeof shown_times / sizeof *shown_times };

static void heading(const struct analysis *a, FILE *to)
{
    fprintf(to, "%-32s %9s %9s", "", "", "");
    if (a->has_error) {
        fprintf(to, "  %-*s", ERRORS * 8 - 1, "error of the output, %, at");
    }
    fprintf(to, "  %s\n%-32s %9s %9s ", "ms at", "layer", "MMACs", "weights");
    for (int i = 0; i < ERRORS && a->has_error; i++) {
        fprintf(to, " %6.3g%%", 100.0 * a->grid[analysis_at(a, shown_errors[i])]);
    }
    for (int i = 0; i < TIMES; i++) {
        fprintf(to, " %7.3g%%", 100.0 * a->grid[analysis_at(a, shown_times[i])]);
    }
    fputc('\n', to);
}

static void cell(FILE *to, int width, const char *format, double value)
{
    char text[32] = "-";
    if (!isnan(value)) {
        snprintf(text, sizeof text, format, value);
    }
    fprintf(to, " %*s", width, text);
}

void analysis_text(const struct analysis *a, FILE *to)
{
    heading(a, to);
    for (size_t k = 0; k < a->n_layers; k++) {
        const struct analysis_layer *l = &a->layers[k];
        char name[80];
        fprintf(to, "%-32s", analysis_name(l->node, 32, name));
        cell(to, 9, "%.2f", l->macs * 1e-6);
        cell(to, 9, "%.0f", l->elems);
        fputc(' ', to);
        for (int i = 0; i < ERRORS && a->has_error; i++) {
            cell(to, 7, "%.2f", 100.0 * l->error[analysis_at(a, shown_errors[i])]);
        }
        for (int i = 0; i < TIMES; i++) {
            cell(to, 8, "%.4f", l->ms[analysis_at(a, shown_times[i])]);
        }
        fputc('\n', to);
    }
    fprintf(to, "\ndense: %.3f ms; what is not pruned: %.3f ms; the same sparsity in all layers:\n",
            a->dense_ms, a->other_ms);
    for (size_t i = 0; i < a->n_grid; i++) {
        double ms = analysis_total_ms(a, i);
        fprintf(to, "  %5.1f %%  %9.3f ms  %5.2fx\n", 100.0 * a->grid[i], ms, a->dense_ms / ms);
    }
}
