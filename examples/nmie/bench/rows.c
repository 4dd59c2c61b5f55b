/* SPDX-License-Identifier: Apache-2.0 */
/* Rows written. */
#include "examples/nmie/bench/rows.h"

#include <string.h>

static const char *string_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void tell_times(struct json *j, const struct contest *c, const struct contestant *a)
{
    json_double(j, "items_per_second", (double)c->batch / a->stats.median);
    json_open(j, "ms", '{');
    json_double(j, "median", 1e3 * a->stats.median);
    json_double(j, "p90", 1e3 * a->stats.p90);
    json_double(j, "p99", 1e3 * a->stats.p99);
    json_double(j, "best", 1e3 * a->stats.best);
    json_double(j, "spread", a->spread);
    json_close(j, '}');
    json_int(j, "iterations", (int64_t)a->n);
    json_open(j, "rounds_ms", '[');
    for (int i = 0; i < c->rounds; i++) {
        json_double(j, NULL, 1e3 * a->rounds[i]);
    }
    json_close(j, ']');
    json_double(j, "plan_seconds", json_number(a->about, "plan_seconds"));
}

static void tell_ratio(struct json *j, const struct contest *c, const struct contestant *a)
{
    if (!(a->ratio.median > 0.0)) {
        return;
    }
    json_string(j, "baseline", c->baseline);
    json_open(j, "ratio", '{');
    json_double(j, "median", a->ratio.median);
    json_double(j, "low", a->ratio.low);
    json_double(j, "high", a->ratio.high);
    json_double(j, "confidence", a->ratio.confidence);
    json_close(j, '}');
}

static void tell_noise(struct json *j, const struct contest *c)
{
    json_open(j, "noise", '{');
    json_double(j, "steal", c->noise.steal);
    json_double(j, "other", c->noise.other);
    json_double(j, "drift", c->noise.drift);
    json_bool(j, "noisy", c->noise.noisy);
    json_close(j, '}');
    json_open(j, "pinned", '[');
    for (int i = 0; c->cores && i < CPU_SETSIZE; i++) {
        if (CPU_ISSET((size_t)i, c->cores)) {
            json_int(j, NULL, i);
        }
    }
    json_close(j, ']');
}

/* The keys of tell_profile, as the engine gave them. */
static void tell_value(struct json *j, const char *key, const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    json_raw(j, key, text ? text : "null");
    cJSON_free(text);
}

static void tell_error(struct json *j, const struct contest *c, const struct contestant *a)
{
    if (a->compared) {
        json_double(j, "error", a->error);
        json_bool(j, "agrees", a->agrees);
        json_string(j, "compared_with",
                    c->reference < 0 ? "libnm f32" : c->at[c->reference].spec->name);
    }
    if (a->compared && c->reference < 0) {
        json_double(j, "f32_error", a->error);
    }
}

static void tell_dense(struct json *j, const struct contest *c, const struct contestant *a,
                       const struct contestant *dense)
{
    json_open(j, "compare", '{');
    tell_times(j, c, dense);
    json_double(j, "speedup", dense->stats.median / a->stats.median);
    json_double(j, "max_rel", dense->error);
    json_close(j, '}');
}

static void tell_zeros(struct json *j, const struct rows_case *about)
{
    json_double(j, "sparsity", about->sparsity);
    if (about->profile) {
        json_string(j, "profile", about->profile);
    }
}

void rows_tell(struct json *j, const struct contest *c, const struct rows_case *about,
               const struct contestant *a, const struct contestant *dense)
{
    const cJSON *item;
    json_string(j, "model", about->model);
    json_string(j, "engine", a->spec->name);
    json_string(j, "version", string_of(a->about, "version"));
    json_int(j, "batch", c->batch);
    json_int(j, "threads", c->threads);
    json_string(j, "isa", string_of(a->about, "isa"));
    json_string(j, "precision", string_of(a->about, "precision"));
    json_bool(j, "dense", cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a->about, "dense")));
    tell_zeros(j, about);
    tell_times(j, c, a);
    tell_ratio(j, c, a);
    tell_error(j, c, a);
    json_double(j, "load_seconds", json_number(a->about, "load_seconds"));
    json_double(j, "prune_seconds", about->prune_seconds);
    json_double(j, "peak_rss_mib", json_number(a->about, "peak_rss_mib"));
    tell_noise(j, c);
    cJSON_ArrayForEach(item, a->profile)
    {
        tell_value(j, item->string, item);
    }
    if (dense) {
        tell_dense(j, c, a, dense);
    }
}

void rows_tell_skipped(struct json *j, const struct contest *c, const struct rows_case *about,
                       const struct contestant *a)
{
    json_string(j, "engine", a->spec->name);
    json_string(j, "model", about->model);
    tell_zeros(j, about);
    json_int(j, "batch", c->batch);
    json_int(j, "threads", c->threads);
    json_bool(j, "failed", a->fate == FAILED);
    json_string(j, "reason", a->reason);
}
