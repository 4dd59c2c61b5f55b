/* SPDX-License-Identifier: Apache-2.0 */
/* Amdahl's law by layer, with the memory as a second bound. */
#include "examples/nmie/bench/predict.h"

#include "examples/nmie/bench/machine.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#define GUESSED_CONTENTION 0.1
#define GUESSED_HANDOVER 150e-9

struct machine predict_measure(void)
{
    cpu_set_t allowed;
    int cores = sched_getaffinity(0, sizeof allowed, &allowed) ? 1 : CPU_COUNT(&allowed);
    cores = cores > 64 ? 64 : cores;
    struct machine m = {.bandwidth = machine_bandwidth(1), .cores = cores};
    m.handover = machine_handover();
    m.handover = m.handover > 0.0 ? m.handover : GUESSED_HANDOVER;
    m.contention = GUESSED_CONTENTION;
    if (cores > 1) {
        double together = machine_bandwidth(cores);
        m.contention =
            fmax(0.0, ((double)cores * m.bandwidth / together - 1.0) / (double)(cores - 1));
    }
    return m;
}

static double bandwidth(const struct machine *m, int cores)
{
    return (double)cores * m->bandwidth / (1.0 + m->contention * (double)(cores - 1));
}

static bool is_serial(const cJSON *layer)
{
    const char *kernel = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(layer, "kernel"));
    return !kernel || strcmp(kernel, "evaluation") == 0;
}

/* One layer shared by all cores: its work divided, but no faster than the memory gives its bytes
 * (it takes no longer for that than it took in all), and a start and an end for all. */
static double layer_seconds(const cJSON *layer, const struct machine *m, int cores)
{
    double ms = 1e-3 * json_number(layer, "ms"), moving = 1e-3 * json_number(layer, "moving_ms");
    double bytes = json_number(layer, "weight_bytes");
    if (is_serial(layer)) {
        return ms + moving;
    }
    double memory = isnan(bytes) ? 0.0 : fmin(ms, bytes / bandwidth(m, cores));
    double start_and_end = cores > 1 ? 2.0 * m->handover * ceil(log2(cores)) : 0.0;
    return fmax(ms / cores, memory) + moving / cores + (ms > 0.0 ? start_and_end : 0.0);
}

double predict_seconds(const struct row *row, const struct machine *m, int cores)
{
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(row->json, "layers"), *layer;
    double sum = 0.0, bytes = 0.0, total = 1e-3 * row->ms;
    if (!cJSON_IsArray(layers)) {
        return (double)NAN;
    }
    if (row->batch >= cores) { /* each takes whole images: the one with most decides */
        double most = ceil((double)row->batch / cores) / (double)row->batch;
        cJSON_ArrayForEach(layer, layers)
        {
            bytes += fmax(0.0, json_number(layer, "weight_bytes"));
        }
        bytes *= cores; /* each reads all weights */
        return fmax(total * most, fmin(total, bytes / bandwidth(m, cores)));
    }
    double alone = 0.0;
    cJSON_ArrayForEach(layer, layers)
    {
        sum += layer_seconds(layer, m, cores);
        alone += layer_seconds(layer, m, 1);
    }
    return sum + fmax(0.0, total - alone); /* what is in no layer stays as it is */
}

static const struct row *measured_on(const struct rows *rows, const struct row *row, int cores)
{
    struct row same = *row;
    same.threads = cores;
    for (size_t i = 0; i < rows->n; i++) {
        if (row_same_case(&rows->at[i], &same) && strcmp(rows->at[i].engine, row->engine) == 0) {
            return &rows->at[i];
        }
    }
    return NULL;
}

static cJSON *one_prediction(const struct row *row, const struct row *measured, double seconds,
                             int cores)
{
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "model", row->model);
    cJSON_AddStringToObject(p, "engine", row->engine);
    cJSON_AddBoolToObject(p, "predicted", true);
    cJSON_AddNumberToObject(p, "sparsity", row->sparsity);
    if (row->profile) {
        cJSON_AddStringToObject(p, "profile", row->profile);
    }
    cJSON_AddNumberToObject(p, "batch", (double)row->batch);
    cJSON_AddNumberToObject(p, "threads", cores);
    cJSON_AddNumberToObject(p, "items_per_second", (double)row->batch / seconds);
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(p, "ms"), "median", 1e3 * seconds);
    cJSON_AddNumberToObject(p, "speedup", 1e-3 * row->ms / seconds);
    if (measured) {
        cJSON_AddNumberToObject(p, "measured_ms", measured->ms);
        cJSON_AddNumberToObject(p, "off", 1e3 * seconds / measured->ms - 1.0);
    }
    return p;
}

static void add_for(cJSON *list, const struct rows *rows, const struct row *row,
                    const struct args_list *cores, const struct machine *m)
{
    for (int n = 2; n <= 65536; n++) {
        const struct row *measured = n <= 1024 ? measured_on(rows, row, n) : NULL;
        bool wanted = measured != NULL;
        for (size_t i = 0; i < cores->n; i++) {
            wanted = wanted || cores->at[i] == n;
        }
        double seconds = wanted ? predict_seconds(row, m, n) : 0.0;
        if (seconds > 0.0) {
            cJSON_AddItemToArray(list, one_prediction(row, measured, seconds, n));
        }
    }
}

static void add_machine(cJSON *document, const struct machine *m)
{
    cJSON *about = cJSON_AddObjectToObject(document, "machine");
    cJSON_AddNumberToObject(about, "bandwidth_gbs", 1e-9 * m->bandwidth);
    cJSON_AddNumberToObject(about, "contention", m->contention);
    cJSON_AddNumberToObject(about, "handover_us", 1e6 * m->handover);
    cJSON_AddNumberToObject(about, "measured_on_cores", m->cores);
}

/* Where as many cores were measured too: how far off predictions are, whichever way. */
static void add_error(cJSON *document, const cJSON *predictions)
{
    const cJSON *p;
    double n = 0.0, sum = 0.0, most = 0.0;
    cJSON_ArrayForEach(p, predictions)
    {
        const double off = fabs(json_number(p, "off"));
        if (!isnan(off)) {
            n++;
            sum += off;
            most = fmax(most, off);
        }
    }
    cJSON *error = cJSON_AddObjectToObject(document, "prediction_error");
    cJSON_AddNumberToObject(error, "measured", n);
    if (n > 0.0) {
        cJSON_AddNumberToObject(error, "mean", sum / n);
        cJSON_AddNumberToObject(error, "largest", most);
    }
}

nm_status predict_rows(struct rows *rows, const struct args_list *cores, const struct machine *m,
                       nm_error *err)
{
    cJSON_DeleteItemFromObjectCaseSensitive(rows->document, "machine");
    cJSON_DeleteItemFromObjectCaseSensitive(rows->document, "predictions");
    cJSON_DeleteItemFromObjectCaseSensitive(rows->document, "prediction_error");
    cJSON *list = cJSON_AddArrayToObject(rows->document, "predictions");
    if (!list) {
        return complain(err, NM_ENOMEM, "no memory for predictions");
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->at[i];
        if (row->threads == 1 && strcmp(row->engine, "libnm") == 0) {
            add_for(list, rows, row, cores, m);
        }
    }
    add_machine(rows->document, m);
    add_error(rows->document, list);
    return NM_OK;
}
