/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of several runs in one. */
#include "examples/nmie/profile.h"

#include "examples/nmie/stats.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

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

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Numbers: two of each layer, then the run's. */
static double *samples_at(const struct profile *p, size_t number)
{
    return p->samples + number * PROFILE_RUNS;
}

/* Before the first run is added. */
static nm_status begin(struct profile *p, nm_session *session, nm_error *err)
{
    cJSON *plan = NULL;
    nm_status status = describe(session, NM_DESCRIBE_PLAN, &plan, err);
    p->cached = number_of(plan, "measured") == 0;
    cJSON_Delete(plan);
    if (!status) {
        status = describe(session, NM_DESCRIBE_MEMORY, &p->memory, err);
    }
    if (!status) {
        p->samples = calloc((2 * p->last->n_layers + 1) * PROFILE_RUNS, sizeof *p->samples);
        status = p->samples ? NM_OK : complain(err, NM_ENOMEM, "no memory for a profile");
    }
    return status;
}

nm_status profile_add(struct profile *p, nm_session *session, nm_error *err)
{
    nm_profile *newest;
    nm_status status = nm_session_profile(session, &newest, err);
    if (status) {
        return status;
    }
    nm_profile_free(p->last);
    p->last = newest;
    if (!p->samples && (status = begin(p, session, err))) {
        return status;
    }
    for (size_t i = 0; i < newest->n_layers; i++) {
        samples_at(p, 2 * i)[p->runs] = newest->layers[i]->ms;
        samples_at(p, 2 * i + 1)[p->runs] = newest->layers[i]->moving_ms;
    }
    samples_at(p, 2 * newest->n_layers)[p->runs] = newest->ms;
    p->runs++;
    return NM_OK;
}

bool profile_full(const struct profile *p)
{
    return p->runs == PROFILE_RUNS;
}

/* A copy, because stats_of sorts. */
static double median_of(const struct profile *p, size_t number)
{
    double times[PROFILE_RUNS];
    memcpy(times, samples_at(p, number), p->runs * sizeof *times);
    return stats_of(times, p->runs).median;
}

double profile_ms(const struct profile *p, size_t i)
{
    return median_of(p, 2 * i);
}

double profile_moving_ms(const struct profile *p, size_t i)
{
    return median_of(p, 2 * i + 1);
}

double profile_total_ms(const struct profile *p)
{
    return median_of(p, 2 * p->last->n_layers);
}

static void tell_shape(struct json *j, const char *key, const int64_t *dims, int32_t rank)
{
    json_open(j, key, '[');
    for (int32_t i = 0; i < rank; i++) {
        json_int(j, NULL, dims[i]);
    }
    json_close(j, ']');
}

/* Rates are the newest run's, at the median time. */
static void tell_layer(const struct profile *p, size_t i, struct json *j)
{
    const nm_layer_profile *l = p->last->layers[i];
    const double ms = profile_ms(p, i), of_last = ms > 0 ? l->ms / ms : 0;
    json_open(j, NULL, '{');
    json_string(j, "node", l->node);
    json_string(j, "op", l->op);
    json_string(j, "kernel", l->kernel);
    tell_shape(j, "shape", l->shape, l->rank);
    if (l->weight_rank > 0) {
        tell_shape(j, "weight", l->weight, l->weight_rank);
    }
    if (l->sparsity >= 0) {
        json_double(j, "sparsity", l->sparsity);
    }
    json_double(j, "ms", ms);
    json_double(j, "moving_ms", profile_moving_ms(p, i));
    if (l->gflops > 0) {
        json_double(j, "macs", l->macs);
        json_double(j, "gflops", l->gflops * of_last);
    }
    if (l->bound_percent > 0) {
        json_double(j, "bound_percent", l->bound_percent * of_last);
    }
    json_double(j, "bytes", l->bytes);
    json_double(j, "weight_bytes", l->weight_bytes);
    json_double(j, "expected_ms", l->expected_ms);
    json_string(j, "reason", l->reason);
    json_close(j, '}');
}

void profile_tell(const struct profile *p, struct json *j)
{
    json_bool(j, "plan_cached", p->cached);
    json_int(j, "arena_bytes", (int64_t)number_of(p->memory, "arena_bytes"));
    json_int(j, "packed_weight_bytes", (int64_t)number_of(p->memory, "packed_weight_bytes"));
    json_double(j, "bound_gflops", p->last->bound_gflops);
    json_double(j, "layers_ms", profile_total_ms(p));
    json_open(j, "layers", '[');
    for (size_t i = 0; i < p->last->n_layers; i++) {
        tell_layer(p, i, j);
    }
    json_close(j, ']');
}

void profile_free(struct profile *p)
{
    cJSON_Delete(p->memory);
    nm_profile_free(p->last);
    free(p->samples);
    *p = (struct profile){0};
}
