/* SPDX-License-Identifier: Apache-2.0 */
/* Models and inputs made for engines. */
#include "examples/nmie/bench/prep.h"

#include <stdlib.h>
#include <string.h>

static void input_path(char path[4200], const char *folder, int64_t batch, size_t k)
{
    snprintf(path, 4200, "%.4000s/in-%lld-%zu.npy", folder, (long long)batch, k);
}

/* ---- in the child ---------------------------------------------------------------------------- */

struct maker {
    const struct prep_wish *wish;
    const char *path; /* where a changed model goes; NULL: it stays where it is */
};

/* Rates count the batch: a model whose images are fixed to another number would lie. */
static nm_status check_batch(const nm_model *model, int64_t batch, nm_error *err)
{
    const nm_value_info *first = nm_model_inputs(model) > 0 ? nm_model_input(model, 0) : NULL;
    if (!first || first->rank < 1 || first->dims[0] < 0 || first->dims[0] == batch ||
        (first->rank != 4 && batch == 1)) {
        return NM_OK;
    }
    return complain(err, NM_EINVAL, "input %s is fixed to %lld in its first dimension: use -b %lld",
                    first->name, (long long)first->dims[0], (long long)first->dims[0]);
}

static nm_status write_inputs(const struct prep_wish *wish, const nm_model *model, int64_t batch,
                              nm_error *err)
{
    struct host_tensor *hosts = NULL;
    size_t n = nm_model_inputs(model);
    nm_status status = check_batch(model, batch, err);
    if (!status) {
        status = source_inputs(model, batch, &wish->shape, &hosts, err);
    }
    for (size_t k = 0; k < n && !status; k++) {
        char path[4200];
        input_path(path, wish->folder, batch, k);
        status = host_save(path, &hosts[k].t, err);
    }
    source_free(hosts, hosts ? n : 0);
    return status;
}

static nm_status make(const struct maker *m, nm_model **model, double *share, double *prune_seconds,
                      nm_error *err)
{
    double seconds;
    nm_status status =
        source_load(m->wish->name, m->wish->settings, &m->wish->shape, model, &seconds, err);
    if (!status && zeros_wanted(m->wish->zeros)) {
        status = zeros_make(m->wish->zeros, model, share, prune_seconds, err);
    }
    if (!status && m->path) {
        status = nm_model_save(*model, m->path, NULL, err);
    }
    for (size_t i = 0; i < m->wish->batches.n && !status; i++) {
        status = write_inputs(m->wish, *model, m->wish->batches.at[i], err);
    }
    return status;
}

static void tell_values(struct json *j, const char *key, const nm_model *model, size_t n,
                        const nm_value_info *(*at)(const nm_model *, size_t))
{
    json_open(j, key, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(j, NULL, '{');
        json_string(j, "name", at(model, i)->name);
        json_int(j, "type", at(model, i)->type);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void maker_main(void *context, FILE *in, FILE *out)
{
    const struct maker *m = context;
    nm_model *model = NULL;
    nm_error err;
    struct json j;
    double share = 0.0, prune_seconds = 0.0;
    (void)in;
    if (make(m, &model, &share, &prune_seconds, &err)) {
        process_refuse(out, &err);
        return;
    }
    process_answer(&j, out);
    json_double(&j, "sparsity", share);
    json_double(&j, "prune_seconds", prune_seconds);
    tell_values(&j, "inputs", model, nm_model_inputs(model), nm_model_input);
    tell_values(&j, "outputs", model, nm_model_outputs(model), nm_model_output);
    process_answered(&j);
}

/* ---- in the parent --------------------------------------------------------------------------- */

static const char **names_of(const cJSON *values, size_t *n)
{
    const cJSON *value;
    *n = 0;
    const char **names = calloc((size_t)cJSON_GetArraySize(values) + 1, sizeof *names);
    cJSON_ArrayForEach(value, values)
    {
        if (names) {
            names[(*n)++] = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(value, "name"));
        }
    }
    return names;
}

static nm_status understand(struct prep *p, nm_error *err)
{
    const cJSON *outputs = cJSON_GetObjectItemCaseSensitive(p->about, "outputs"), *value;
    p->inputs = names_of(cJSON_GetObjectItemCaseSensitive(p->about, "inputs"), &p->n_in);
    p->outputs = names_of(outputs, &p->n_out);
    p->output_types = calloc(p->n_out + 1, sizeof *p->output_types);
    if (!p->inputs || !p->outputs || !p->output_types) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    size_t i = 0;
    cJSON_ArrayForEach(value, outputs)
    {
        p->output_types[i++] = (nm_type)cJSON_GetObjectItemCaseSensitive(value, "type")->valueint;
    }
    p->sparsity = cJSON_GetObjectItemCaseSensitive(p->about, "sparsity")->valuedouble;
    p->prune_seconds = cJSON_GetObjectItemCaseSensitive(p->about, "prune_seconds")->valuedouble;
    return NM_OK;
}

nm_status prep_make(struct prep *p, const struct prep_wish *wish, nm_error *err)
{
    bool changed = zeros_wanted(wish->zeros) || strncmp(wish->name, "builtin:", 8) == 0;
    struct process process;
    *p = (struct prep){0};
    if (changed && asprintf(&p->model, "%s/model.onnx", wish->folder) < 0) {
        p->model = NULL;
    } else if (!changed) {
        p->model = strdup(wish->name);
    }
    if (!p->model) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    struct maker maker = {wish, changed ? p->model : NULL};
    nm_status status = process_start(&process, NULL, maker_main, &maker, err);
    if (!status) {
        status = process_ask(&process, NULL, wish->timeout, &p->about, err);
        process_end(&process);
    }
    if (!status) {
        status = understand(p, err);
    }
    if (status) {
        prep_free(p);
    }
    return status;
}

void prep_free(struct prep *p)
{
    free(p->model);
    free(p->inputs);
    free(p->outputs);
    free(p->output_types);
    cJSON_Delete(p->about);
    *p = (struct prep){0};
}

nm_status prep_inputs(const struct prep *p, const char *folder, int64_t batch,
                      struct host_tensor **inputs, nm_error *err)
{
    nm_status status = NM_OK;
    struct host_tensor *h = calloc(p->n_in + 1, sizeof *h);
    if (!h) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    for (size_t k = 0; k < p->n_in && !status; k++) {
        char path[4200];
        input_path(path, folder, batch, k);
        status = host_load(path, NULL, &h[k], err);
        if (!status) {
            status = host_name(&h[k], p->inputs[k], err);
        }
    }
    if (status) {
        source_free(h, p->n_in);
        return status;
    }
    *inputs = h;
    return NM_OK;
}
