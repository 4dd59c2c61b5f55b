/* SPDX-License-Identifier: Apache-2.0 */
/* A profile as table, JSON and trace. */
#include "examples/nmie/bench/layers.h"

#include "examples/nmie/bench/environment.h"
#include "examples/nmie/table.h"

#include <stdlib.h>
#include <string.h>

enum layer_kind layers_kind(const nm_layer_profile *layer)
{
    if (strstr(layer->kernel, "spconv")) {
        return LAYER_SPARSE;
    }
    return layer->macs > 0 ? LAYER_DENSE : LAYER_OTHER;
}

double layers_dense_ms(const struct layers *l, size_t i)
{
    const nm_profile *dense = l->dense.last;
    for (size_t k = 0; dense && k < dense->n_layers; k++) {
        if (strcmp(dense->layers[k]->node, l->own.last->layers[i]->node) == 0) {
            return profile_ms(&l->dense, k) + profile_moving_ms(&l->dense, k);
        }
    }
    return 0.0;
}

/* ---- table ----------------------------------------------------------------------------------- */

static void shape_text(const nm_layer_profile *layer, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < layer->rank && n + 24 < size; i++) {
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? "x" : "",
                              (long long)layer->shape[i]);
    }
}

static void table_layer(const struct layers *l, size_t i, double total, struct json *j)
{
    const nm_layer_profile *layer = l->own.last->layers[i];
    const double ms = profile_ms(&l->own, i), moving = profile_moving_ms(&l->own, i);
    char text[128];
    shape_text(layer, text, sizeof text);
    json_open(j, NULL, '{');
    json_string(j, "node", layer->node);
    json_string(j, "op", layer->op);
    json_string(j, "kernel", layer->kernel);
    json_string(j, "shape", text);
    if (layer->sparsity >= 0) {
        json_double(j, "zeros %", 100.0 * layer->sparsity);
    }
    json_double(j, "ms", ms);
    json_double(j, "moving", moving);
    json_double(j, "% of run", total > 0 ? 100.0 * (ms + moving) / total : 0.0);
    if (layer->gflops > 0) {
        const double of_last = ms > 0 ? layer->ms / ms : 0.0;
        json_double(j, "GFLOP/s", layer->gflops * of_last);
        json_double(j, "% of bound", layer->bound_percent * of_last);
    }
    json_double(j, "MB", 1e-6 * layer->bytes);
    json_string(j, "why", layer->reason);
    json_close(j, '}');
}

nm_status layers_text(FILE *to, const struct layers *l, nm_error *err)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) {
        return complain(err, NM_ENOMEM, "no memory for a table");
    }
    struct json j = {.out = memory};
    const double total = profile_total_ms(&l->own);
    json_open(&j, NULL, '{');
    json_string(&j, "model", l->model);
    json_int(&j, "batch", l->batch);
    json_int(&j, "threads", l->own.last->threads);
    json_double(&j, "ms of a run", l->ms);
    json_double(&j, "ms in layers", total);
    json_double(&j, "GFLOP/s that one core can do", l->own.last->bound_gflops);
    json_open(&j, "layers", '[');
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        table_layer(l, i, total, &j);
    }
    json_close(&j, ']');
    json_close(&j, '}');
    nm_status status = fclose(memory) ? complain(err, NM_ENOMEM, "no memory for a table")
                                      : table_print(to, text, err);
    free(text);
    return status;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void layers_json(FILE *to, const struct layers *l)
{
    struct json j = {.out = to};
    json_open(&j, NULL, '{');
    json_string(&j, "schema", "nmie-profile/1");
    environment_tell(&j);
    json_string(&j, "model", l->model);
    json_double(&j, "sparsity", l->sparsity);
    if (l->profile) {
        json_string(&j, "profile", l->profile);
    }
    json_int(&j, "batch", l->batch);
    json_int(&j, "threads", l->own.last->threads);
    json_string(&j, "isa", l->isa);
    json_string(&j, "precision", l->precision);
    json_double(&j, "ms", l->ms);
    json_double(&j, "bandwidth_gbs", 1e-9 * l->bandwidth);
    if (l->dense_ms > 0) {
        json_double(&j, "dense_ms", l->dense_ms);
    }
    profile_tell(&l->own, &j);
    json_open(&j, "candidates", '{');
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        json_string(&j, l->own.last->layers[i]->node, l->own.last->layers[i]->candidates);
    }
    json_close(&j, '}');
    json_close(&j, '}');
    json_end(&j);
}

/* ---- trace ----------------------------------------------------------------------------------- */

/* A complete event; times in microseconds. */
static void event(struct json *j, const char *name, const char *category, double start, double ms,
                  const nm_layer_profile *layer)
{
    json_open(j, NULL, '{');
    json_string(j, "name", name);
    json_string(j, "cat", category);
    json_string(j, "ph", "X");
    json_double(j, "ts", 1e3 * start);
    json_double(j, "dur", 1e3 * ms);
    json_int(j, "pid", 1);
    json_int(j, "tid", 1);
    json_open(j, "args", '{');
    json_string(j, "kernel", layer->kernel);
    json_double(j, "sparsity", layer->sparsity);
    json_double(j, "gflops", layer->gflops);
    json_double(j, "bytes", layer->bytes);
    json_close(j, '}');
    json_close(j, '}');
}

void layers_trace(FILE *to, const void *context)
{
    const struct layers *l = context;
    static const char *const categories[] = {"sparse", "dense", "other"};
    struct json j = {.out = to};
    double now = 0.0;
    json_open(&j, NULL, '{');
    json_open(&j, "traceEvents", '[');
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        const nm_layer_profile *layer = l->own.last->layers[i];
        const double moving = profile_moving_ms(&l->own, i), ms = profile_ms(&l->own, i);
        const char *name = *layer->node ? layer->node : layer->op;
        if (moving > 0) {
            event(&j, name, "moving", now, moving, layer);
        }
        if (ms > 0) {
            event(&j, name, categories[layers_kind(layer)], now + moving, ms, layer);
        }
        now += moving + ms;
    }
    json_close(&j, ']');
    json_string(&j, "displayTimeUnit", "ms");
    json_close(&j, '}');
    json_end(&j);
}
