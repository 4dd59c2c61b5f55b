/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of pruning. */
#include "examples/nmie/prune/prune_report.h"

#include "examples/nmie/json_out.h"
#include "examples/nmie/table.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static double percent(int64_t part, int64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0.0;
}

/* ---- metadata -------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void put(struct prune_meta *m, const char *key,
                                                      const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(m->texts[m->n], sizeof m->texts[m->n], format, list);
    va_end(list);
    m->words[2 * m->n] = key;
    m->words[2 * m->n + 1] = m->texts[m->n];
    m->n++;
}

void prune_report_meta(const struct prune_report *r, struct prune_meta *m)
{
    const struct verdict *v = &r->verdict;
    char dims[256];
    m->n = 0;
    put(m, "nm.tool", "nmie %s", nm_library_version());
    put(m, "nm.request", "%s", r->request);
    if (r->calib) {
        put(m, "nm.calibration", "%lld items of %s, sha256 %s", (long long)r->calib->count,
            host_dims_text(r->calib->dims, NULL, r->calib->rank, dims), r->calib_hash);
    }
    if (v->items) {
        put(m, "nm.agreement", "%.2f %% of %lld items", percent(v->agree, v->items),
            (long long)v->items);
    }
    if (v->items && v->labelled) {
        put(m, "nm.top1_before", "%.2f %% of %lld items", percent(v->right_before, v->items),
            (long long)v->items);
        put(m, "nm.top1_after", "%.2f %% of %lld items", percent(v->right_after, v->items),
            (long long)v->items);
    }
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void tell_data(struct json *j, const struct prune_report *r)
{
    json_open(j, "calibration", '{');
    json_string(j, "path", r->calib->path);
    json_int(j, "items", r->calib->count);
    json_open(j, "dims", '[');
    for (int32_t i = 0; i < r->calib->rank; i++) {
        json_int(j, NULL, r->calib->dims[i]);
    }
    json_close(j, ']');
    json_string(j, "sha256", r->calib_hash);
    json_close(j, '}');
}

static void tell_verdict(struct json *j, const struct verdict *v)
{
    json_open(j, "judged", '{');
    json_int(j, "items", v->items);
    json_double(j, "agreement", percent(v->agree, v->items));
    if (v->labelled) {
        json_double(j, "top1_before", percent(v->right_before, v->items));
        json_double(j, "top1_after", percent(v->right_after, v->items));
    }
    json_close(j, '}');
}

void prune_report_json(const struct prune_report *r, FILE *to)
{
    struct json j = {.out = to};
    json_open(&j, NULL, '{');
    json_string(&j, "input", r->in);
    json_string(&j, "output", r->out);
    json_string(&j, "method", r->method);
    json_string(&j, "request", r->request);
    json_double(&j, "sparsity", r->sparsity);
    json_double(&j, "seconds", r->seconds);
    if (r->calib) {
        tell_data(&j, r);
    }
    if (r->verdict.items) {
        tell_verdict(&j, &r->verdict);
    }
    json_raw(&j, "report", r->library);
    json_close(&j, '}');
    json_end(&j);
}

/* ---- for people ------------------------------------------------------------------------------ */

/* Layers that were left alone are not worth a line, and a recipe has many. */
static void leave_out(cJSON *top)
{
    cJSON *layers = cJSON_GetObjectItemCaseSensitive(top, "layers");
    cJSON_DeleteItemFromObjectCaseSensitive(top, "recipe");
    cJSON_DeleteItemFromObjectCaseSensitive(top, "method");
    for (cJSON *layer = layers ? layers->child : NULL, *next; layer; layer = next) {
        next = layer->next;
        if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(layer, "pruned"))) {
            cJSON_Delete(cJSON_DetachItemViaPointer(layers, layer));
        } else {
            cJSON_DeleteItemFromObjectCaseSensitive(layer, "pruned");
        }
    }
}

static nm_status tell_library(const char *library, FILE *to, nm_error *err)
{
    cJSON *top = cJSON_Parse(library);
    leave_out(top);
    char *short_text = top ? cJSON_PrintUnformatted(top) : NULL;
    nm_status status = short_text ? table_print(to, short_text, err)
                                  : complain(err, NM_ENOMEM, "no memory for the report");
    cJSON_free(short_text);
    cJSON_Delete(top);
    return status;
}

nm_status prune_report_text(const struct prune_report *r, FILE *to, nm_error *err)
{
    const struct verdict *v = &r->verdict;
    nm_status status = tell_library(r->library, to, err);
    fprintf(to, "\n%s: %s, %s: %.2f %% of the weights of these layers are zero, in %.1f s\n",
            r->out, r->method, r->request, 100.0 * r->sparsity, r->seconds);
    if (v->items && v->labelled) {
        fprintf(to, "top-1 on %lld items: %.2f %% before, %.2f %% after\n", (long long)v->items,
                percent(v->right_before, v->items), percent(v->right_after, v->items));
    }
    if (v->items) {
        fprintf(to, "the same answer as before: %.2f %% of %lld items\n",
                percent(v->agree, v->items), (long long)v->items);
    }
    return status;
}

double prune_report_sparsity(const char *library)
{
    cJSON *top = cJSON_Parse(library);
    const cJSON *layer;
    double zeros = 0.0, elems = 0.0;
    cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(top, "layers"))
    {
        double n = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(layer, "elems"));
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(layer, "pruned"))) {
            elems += n;
            zeros += n * cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(layer, "sparsity"));
        }
    }
    cJSON_Delete(top);
    return elems > 0.0 ? zeros / elems : 0.0;
}

char *prune_report_recipe(const char *library)
{
    cJSON *top = cJSON_Parse(library);
    const cJSON *recipe = cJSON_GetObjectItemCaseSensitive(top, "recipe");
    char *copy = cJSON_IsString(recipe) ? strdup(recipe->valuestring) : NULL;
    cJSON_Delete(top);
    return copy;
}
