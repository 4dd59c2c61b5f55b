/* SPDX-License-Identifier: Apache-2.0 */
/* Loading, pruning and saving: arguments are checked, rooms are called in their order. */
#include "lib/api/model.h"

#include "lib/base/file.h"
#include "lib/graph/print.h"
#include "lib/onnx/export.h"
#include "lib/onnx/import.h"
#include "lib/opt/opt.h"
#include "lib/prune/prune.h"
#include "lib/sparse/csr.h"

#include <string.h>

void nmi_model_retain(nm_model *model)
{
    atomic_fetch_add(&model->references, 1);
}

void nm_model_free(nm_model *model)
{
    while (model != NULL && atomic_fetch_sub(&model->references, 1) == 1) {
        nm_model *parent = model->parent;
        nmi_weights_free(model->network.weights);
        nmi_graph_free(model->graph);
        nmi_graph_free(model->source);
        nmi_free(model->bytes);
        nmi_free(model);
        model = parent;
    }
}

static void value_info(const struct nmi_graph *g, int32_t id, nm_value_info *info)
{
    const struct nmi_value *v = &g->values[id];
    info->name = v->name;
    info->type = v->type;
    info->rank = v->rank;
    for (int32_t i = 0; i < v->rank; i++) {
        const int32_t symbol = nmi_dim_symbol_id(v->dims[i]);
        info->dims[i] = nmi_dim_known(v->dims[i]) ? v->dims[i] : -1;
        /* Names that inference made up start with '?': free, but nameless. */
        info->symbols[i] =
            symbol != NMI_NONE && g->symbols[symbol][0] != '?' ? g->symbols[symbol] : NULL;
    }
}

static nm_status value_infos(struct nm_model *m, nm_error *err)
{
    struct nmi_graph *g = m->graph;
    const size_t n = (size_t)g->n_inputs + (size_t)g->n_outputs + 1;
    m->inputs = nmi_arena_array(&g->arena, n, sizeof *m->inputs);
    if (m->inputs == NULL) {
        return nmi_fail_memory(err, n * sizeof *m->inputs, "a model");
    }
    m->outputs = m->inputs + g->n_inputs;
    for (int32_t i = 0; i < g->n_inputs; i++) {
        value_info(g, g->inputs[i], &m->inputs[i]);
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        value_info(g, g->outputs[i], &m->outputs[i]);
    }
    return NM_OK;
}

static nm_status weight_infos(struct nm_model *m, nm_error *err)
{
    struct nmi_graph *g = m->source;
    const int32_t n = nmi_weighted_nodes(g, NULL, 0);
    struct nmi_weight_info *infos = nmi_arena_array(&m->graph->arena, (size_t)n + 1, sizeof *infos);
    m->weights = nmi_arena_array(&m->graph->arena, (size_t)n + 1, sizeof *m->weights);
    if (infos == NULL || m->weights == NULL) {
        return nmi_fail_memory(err, (size_t)n * sizeof *m->weights, "a model");
    }
    m->n_weights = (size_t)nmi_weighted_nodes(g, infos, n);
    for (int32_t i = 0; i < n; i++) {
        const struct nmi_constant *c = infos[i].constant;
        m->weights[i] = (nm_weight){.name = g->values[infos[i].value].name,
                                    .node = g->nodes[infos[i].node].name,
                                    .rank = c->rank,
                                    .data = c->data};
        memcpy(m->weights[i].dims, c->dims, sizeof m->weights[i].dims);
    }
    return NM_OK;
}

size_t nm_model_weights(const nm_model *model)
{
    return model != NULL ? model->n_weights : 0;
}

const nm_weight *nm_model_weight(const nm_model *model, size_t index)
{
    return index < nm_model_weights(model) ? &model->weights[index] : NULL;
}

/* What becomes of a copy of the file's graph. */
static nm_status prepare(const void *model, struct nmi_graph *graph, nm_error *err)
{
    const struct nm_model *m = model;
    return m->no_optimize ? NM_OK : nmi_optimize(graph, &m->limits, NULL, err);
}

/* From m->source on: optimise a copy, make the store. */
static nm_status finish(struct nm_model *m, const nm_load_options *o, nm_error *err)
{
    const struct nmi_log log = {o->log, o->log_user};
    NMI_TRY(nmi_graph_copy(m->source, nmi_op_attr_bytes, &m->graph, err));
    m->no_optimize = o->no_optimize != 0;
    if (!m->no_optimize) {
        NMI_TRY(nmi_optimize(m->graph, &m->limits, &log, err));
    }
    NMI_TRY(nmi_weights_create(&m->network.weights, err));
    m->network.graph = m->graph;
    NMI_TRY(value_infos(m, err));
    return weight_infos(m, err);
}

static nm_status new_model(nm_model **model, nm_error *err)
{
    nm_model *m = nmi_calloc(1, sizeof *m);
    if (m == NULL) {
        return nmi_fail_memory(err, sizeof *m, "a model");
    }
    atomic_init(&m->references, 1);
    *model = m;
    return NM_OK;
}

/* Takes over bytes, whatever happens. */
static nm_status load_bytes(void *bytes, size_t size, const char *dir, const nm_load_options *o,
                            nm_model **model, nm_error *err)
{
    nm_model *m = NULL;
    const struct nmi_log log = {o->log, o->log_user};
    nm_status status = new_model(&m, err);
    if (status != NM_OK) {
        nmi_free(bytes);
        return status;
    }
    m->bytes = bytes;
    status = nmi_limits_resolve(o->limits, &m->limits, err);
    if (status == NM_OK) {
        status = nmi_onnx_import(bytes, size, dir, &m->limits, &log, &m->source, err);
    }
    if (status == NM_OK) {
        status = finish(m, o, err);
    }
    if (status != NM_OK) {
        nm_model_free(m);
        return status;
    }
    *model = m;
    return NM_OK;
}

static nm_status load_options(const nm_load_options *options, nm_load_options *o, nm_error *err)
{
    *o = (nm_load_options)NM_LOAD_OPTIONS_INIT;
    return nmi_options_copy("nm_load_options", options, sizeof *o, o, err);
}

nm_status nm_model_load(const char *path, const nm_load_options *options, nm_model **model,
                        nm_error *error)
{
    nm_load_options o;
    nm_limits limits;
    char dir[4096];
    void *bytes = NULL;
    size_t size = 0;
    if (path == NULL || model == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_model_load: %s is NULL",
                        path == NULL ? "path" : "model");
    }
    NMI_TRY(load_options(options, &o, error));
    NMI_TRY(nmi_limits_resolve(o.limits, &limits, error));
    NMI_TRY(nmi_file_dir(path, dir, sizeof dir, error));
    nm_status status = nmi_file_read(path, limits.model_bytes, &bytes, &size, error);
    if (status != NM_OK) {
        return status == NM_ELIMIT ? nmi_fail_in(error, status, "nm_limits.model_bytes") : status;
    }
    status =
        load_bytes(bytes, size, o.external_dir != NULL ? o.external_dir : dir, &o, model, error);
    return status == NM_OK ? NM_OK : nmi_fail_in(error, status, "%s", path);
}

nm_status nm_model_load_memory(const void *bytes, size_t size, const nm_load_options *options,
                               nm_model **model, nm_error *error)
{
    nm_load_options o;
    nm_limits limits;
    if (model == NULL || (bytes == NULL && size > 0)) {
        return nmi_fail(error, NM_EINVAL, "nm_model_load_memory: %s is NULL",
                        model ? "bytes" : "model");
    }
    NMI_TRY(load_options(options, &o, error));
    NMI_TRY(nmi_limits_resolve(o.limits, &limits, error));
    if (size > limits.model_bytes) {
        return nmi_fail(error, NM_ELIMIT,
                        "the model has %zu bytes, the limit model_bytes is %llu: raise "
                        "nm_limits.model_bytes",
                        size, (unsigned long long)limits.model_bytes);
    }
    void *copy = nmi_alloc(size);
    if (copy == NULL) {
        return nmi_fail_memory(error, size, "the model's bytes");
    }
    memcpy(copy, size > 0 ? bytes : "", size);
    return load_bytes(copy, size, o.external_dir, &o, model, error);
}

/* A caller's options and what they point to, of whatever age. */
struct prune_call {
    nm_prune_options options;
    nm_data data, judge;
};

static nm_status copy_data(const nm_data **data, nm_data *copy, nm_error *err)
{
    *copy = (nm_data)NM_DATA_INIT;
    if (*data != NULL) {
        NMI_TRY(nmi_options_copy("nm_data", *data, sizeof *copy, copy, err));
        *data = copy;
    }
    return NM_OK;
}

static nm_status copy_call(const nm_prune_options *options, struct prune_call *call, nm_error *err)
{
    nm_prune_options *o = &call->options;
    *o = (nm_prune_options)NM_PRUNE_OPTIONS_INIT;
    NMI_TRY(nmi_options_copy("nm_prune_options", options, sizeof *o, o, err));
    NMI_TRY(copy_data(&o->data, &call->data, err));
    return copy_data(&o->judge, &call->judge, err);
}

/* Layers are seen as they are optimised, with a way back to the file's weights. */
static nm_status optimise_mapped(const nm_model *model, const nm_prune_options *o,
                                 struct nmi_graph **graph, nm_error *err)
{
    const struct nmi_log log = {NULL, NULL};
    NMI_TRY(nmi_graph_copy(model->source, nmi_op_attr_bytes, graph, err));
    nm_status status = nmi_prune_fit_data(o, *graph, err);
    if (status == NM_OK) {
        status = nmi_optimize_mapped(*graph, &model->limits, &log, err);
    }
    if (status != NM_OK) {
        nmi_graph_free(*graph);
        *graph = NULL;
    }
    return status;
}

static nm_status prune_source(const nm_model *model, const nm_prune_options *o, nm_model *pruned,
                              nm_error *err)
{
    struct nmi_graph *optimised = NULL;
    NMI_TRY(optimise_mapped(model, o, &optimised, err));
    const struct nmi_prune_job job = {optimised, model->source, o, {prepare, model}};
    nm_status status = nmi_prune(&job, &pruned->source, &pruned->prune_report, err);
    nmi_graph_free(optimised);
    return status;
}

nm_status nm_model_analyze(const nm_model *model, const nm_prune_options *options, char **json,
                           nm_error *error)
{
    struct prune_call call;
    struct nmi_graph *optimised = NULL;
    if (model == NULL || json == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_model_analyze: %s is NULL", model ? "json" : "model");
    }
    NMI_TRY(copy_call(options, &call, error));
    NMI_TRY(optimise_mapped(model, &call.options, &optimised, error));
    const struct nmi_prune_job job = {optimised, model->source, &call.options, {prepare, model}};
    nm_status status = nmi_prune_analyze(&job, json, error);
    nmi_graph_free(optimised);
    return status;
}

nm_status nm_model_prune(const nm_model *model, const nm_prune_options *options, nm_model **pruned,
                         nm_error *error)
{
    struct prune_call call;
    nm_load_options load = NM_LOAD_OPTIONS_INIT;
    if (model == NULL || pruned == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_model_prune: %s is NULL", model ? "pruned" : "model");
    }
    NMI_TRY(copy_call(options, &call, error));
    nm_model *m = NULL;
    NMI_TRY(new_model(&m, error));
    m->limits = model->limits;
    memcpy(&m->parent, &model, sizeof m->parent); /* only its count of references changes */
    nmi_model_retain(m->parent);
    load.no_optimize = model->no_optimize;
    nm_status status = prune_source(model, &call.options, m, error);
    if (status == NM_OK) {
        status = finish(m, &load, error);
    }
    if (status != NM_OK) {
        nm_model_free(m);
        return status;
    }
    *pruned = m;
    return NM_OK;
}

nm_status nm_model_save(const nm_model *model, const char *path, const nm_save_options *options,
                        nm_error *error)
{
    nm_save_options o = NM_SAVE_OPTIONS_INIT;
    if (model == NULL || path == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_model_save: %s is NULL", model ? "path" : "model");
    }
    NMI_TRY(nmi_options_copy("nm_save_options", options, sizeof o, &o, error));
    if (o.n_meta > 0 && o.meta == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_model_save: meta is NULL");
    }
    if (o.n_meta == 0) {
        return nmi_onnx_export(model->source, o.sparse != 0, path, error);
    }
    struct nmi_graph *copy = NULL;
    nm_status status = nmi_graph_copy(model->source, nmi_op_attr_bytes, &copy, error);
    for (size_t i = 0; i < o.n_meta && status == NM_OK; i++) {
        status = o.meta[2 * i] != NULL && o.meta[2 * i + 1] != NULL
                     ? nmi_graph_set_meta(copy, o.meta[2 * i], o.meta[2 * i + 1], error)
                     : nmi_fail(error, NM_EINVAL, "nm_model_save: pair %zu of meta is NULL", i);
    }
    if (status == NM_OK) {
        status = nmi_onnx_export(copy, o.sparse != 0, path, error);
    }
    nmi_graph_free(copy);
    return status;
}

size_t nm_model_inputs(const nm_model *model)
{
    return model != NULL ? (size_t)model->graph->n_inputs : 0;
}

size_t nm_model_outputs(const nm_model *model)
{
    return model != NULL ? (size_t)model->graph->n_outputs : 0;
}

const nm_value_info *nm_model_input(const nm_model *model, size_t index)
{
    return index < nm_model_inputs(model) ? &model->inputs[index] : NULL;
}

const nm_value_info *nm_model_output(const nm_model *model, size_t index)
{
    return index < nm_model_outputs(model) ? &model->outputs[index] : NULL;
}
