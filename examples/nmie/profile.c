/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of several runs in one. */
#include "examples/nmie/profile.h"

#include "examples/nmie/stats.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static const char *const timed[] = {"ms", "moving_ms"};
enum { TIMED = 2 };

static nm_status describe(nm_session *session, nm_describe what, cJSON **top, nm_error *err)
{
    char *text = NULL;
    nm_status status = nm_session_describe(session, what, &text, err);
    if (!status) {
        cJSON_Delete(*top);
        *top = cJSON_Parse(text);
        status = *top ? NM_OK : complain(err, NM_EINTERNAL, "the description is not JSON");
    }
    nm_string_free(text);
    return status;
}

static const cJSON *layers_of(const struct profile *p)
{
    return cJSON_GetObjectItemCaseSensitive(p->plan, "layers");
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static double *samples_at(const struct profile *p, size_t layer, size_t key)
{
    return p->samples + (layer * TIMED + key) * PROFILE_RUNS;
}

nm_status profile_add(struct profile *p, nm_session *session, nm_error *err)
{
    nm_status status = describe(session, NM_DESCRIBE_PROFILE, &p->plan, err);
    if (!status) {
        status = describe(session, NM_DESCRIBE_MEMORY, &p->memory, err);
    }
    if (!status && !p->samples) {
        p->layers = (size_t)cJSON_GetArraySize(layers_of(p));
        p->samples = calloc((p->layers + 1) * TIMED * PROFILE_RUNS, sizeof *p->samples);
        status = p->samples ? NM_OK : complain(err, NM_ENOMEM, "no memory for a profile");
    }
    if (status) {
        return status;
    }
    const cJSON *layer;
    size_t i = 0;
    cJSON_ArrayForEach(layer, layers_of(p))
    {
        for (size_t k = 0; k < TIMED && i < p->layers; k++) {
            samples_at(p, i, k)[p->runs] = number_of(layer, timed[k]);
        }
        i++;
    }
    p->runs++;
    return NM_OK;
}

bool profile_full(const struct profile *p)
{
    return p->runs == PROFILE_RUNS;
}

/* A copy, because stats_of sorts. */
static double median_of(const struct profile *p, size_t layer, size_t key)
{
    double times[PROFILE_RUNS];
    memcpy(times, samples_at(p, layer, key), p->runs * sizeof *times);
    return stats_of(times, p->runs).median;
}

static void tell_string(struct json *j, const cJSON *object, const char *key)
{
    json_string(j, key, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key)));
}

static void tell_shape(struct json *j, const cJSON *object, const char *key)
{
    const cJSON *dim, *shape = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!shape) {
        return;
    }
    json_open(j, key, '[');
    cJSON_ArrayForEach(dim, shape)
    {
        json_int(j, NULL, (int64_t)dim->valuedouble);
    }
    json_close(j, ']');
}

/* A rate of the newest run, at the median time. */
static void tell_rate(struct json *j, const cJSON *layer, const char *key, double ms)
{
    if (cJSON_HasObjectItem(layer, key) && ms > 0) {
        json_double(j, key, number_of(layer, key) * number_of(layer, "ms") / ms);
    }
}

static void tell_layer(const struct profile *p, size_t i, const cJSON *layer, struct json *j)
{
    const double ms = median_of(p, i, 0);
    json_open(j, NULL, '{');
    tell_string(j, layer, "node");
    tell_string(j, layer, "op");
    tell_string(j, layer, "kernel");
    tell_shape(j, layer, "shape");
    tell_shape(j, layer, "weight");
    if (cJSON_HasObjectItem(layer, "sparsity")) {
        json_double(j, "sparsity", number_of(layer, "sparsity"));
    }
    json_double(j, "ms", ms);
    json_double(j, "moving_ms", median_of(p, i, 1));
    tell_rate(j, layer, "gflops", ms);
    tell_rate(j, layer, "bound_percent", ms);
    json_close(j, '}');
}

void profile_tell(const struct profile *p, struct json *j)
{
    const cJSON *layer;
    size_t i = 0;
    json_bool(j, "plan_cached", number_of(p->plan, "measured") == 0);
    json_int(j, "arena_bytes", (int64_t)number_of(p->memory, "arena_bytes"));
    json_int(j, "packed_weight_bytes", (int64_t)number_of(p->memory, "packed_weight_bytes"));
    json_double(j, "bound_gflops", number_of(p->plan, "bound_gflops"));
    json_open(j, "layers", '[');
    cJSON_ArrayForEach(layer, layers_of(p))
    {
        tell_layer(p, i++, layer, j);
    }
    json_close(j, ']');
}

void profile_free(struct profile *p)
{
    cJSON_Delete(p->plan);
    cJSON_Delete(p->memory);
    free(p->samples);
    *p = (struct profile){0};
}
