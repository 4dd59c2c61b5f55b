/* SPDX-License-Identifier: Apache-2.0 */
/* The import from the outside in: opset, metadata, constants, inputs, nodes, outputs, order. */
#include "lib/onnx/import.h"
#include "lib/base/checked.h"
#include "lib/onnx/importer.h"

#include <string.h>

nm_status nmi_importer_memory(const struct nmi_importer *im, size_t bytes, const char *what)
{
    const struct nmi_arena *arena = &im->graph->arena;
    size_t needed;
    if (arena->limit != 0 &&
        (!nmi_add(arena->used, bytes, &needed) || needed > arena->limit - NMI_MAX_NAME)) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "the graph would take more than %zu bytes of memory (for %s): beyond "
                        "nm_limits.decoded_bytes, which can be raised",
                        arena->limit, what);
    }
    return nmi_fail_memory(im->err, bytes, what);
}

nm_status nmi_importer_grant(struct nmi_importer *im, size_t bytes, const char *what)
{
    struct nmi_arena *arena = &im->graph->arena;
    if (!nmi_add(arena->limit, bytes, &arena->limit) ||
        !nmi_add(arena->limit, NMI_CACHE_LINE, &arena->limit)) {
        return nmi_fail_memory(im->err, bytes, what);
    }
    return NM_OK;
}

/* ---- the model's head ------------------------------------------------------------------------ */

static bool is_default_domain(const char *domain)
{
    return domain == NULL || domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

static nm_status read_opset(struct nmi_importer *im)
{
    const Onnx__ModelProto *m = im->decoded.model;
    const Onnx__OperatorSetIdProto *found = NULL;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        if (!is_default_domain(m->opset_import[i]->domain)) {
            continue;
        }
        if (found != NULL && found->version != m->opset_import[i]->version) {
            return nmi_fail(im->err, NM_EFORMAT, "the model imports two versions of ONNX's opset");
        }
        found = m->opset_import[i];
    }
    if (found == NULL && m->n_opset_import > 0) {
        return nmi_fail(im->err, NM_EUNSUPPORTED,
                        "the model imports operators of %s only, and none of ONNX's own domain",
                        m->opset_import[0]->domain);
    }
    if (found == NULL) {
        return nmi_fail(im->err, NM_EFORMAT, "the model imports no opset of ONNX's own domain");
    }
    if (found->version < NMI_OPSET_MIN || found->version > NMI_OPSET_MAX) {
        return nmi_fail(im->err, NM_EUNSUPPORTED, "the model is of opset %lld, expected %d to %d",
                        (long long)found->version, NMI_OPSET_MIN, NMI_OPSET_MAX);
    }
    im->graph->opset = (int32_t)found->version;
    return NM_OK;
}

/* A copy in the graph's arena; "" for NULL. */
static nm_status keep_text(struct nmi_importer *im, const char *text, const char **to)
{
    if (text == NULL || text[0] == '\0') {
        *to = "";
        return NM_OK;
    }
    *to = nmi_arena_string(&im->graph->arena, text, strlen(text));
    return *to != NULL ? NM_OK : nmi_importer_memory(im, strlen(text), "metadata");
}

static nm_status read_metadata(struct nmi_importer *im)
{
    const Onnx__ModelProto *m = im->decoded.model;
    struct nmi_graph *g = im->graph;
    NMI_TRY(keep_text(im, m->graph->name, &g->name));
    NMI_TRY(keep_text(im, m->producer_name, &g->producer));
    NMI_TRY(keep_text(im, m->domain, &g->domain));
    NMI_TRY(keep_text(im, m->doc_string, &g->doc));
    g->ir_version = m->ir_version;
    g->model_version = m->model_version;
    g->meta = nmi_arena_array(&g->arena, 2 * m->n_metadata_props, sizeof *g->meta);
    if (g->meta == NULL) {
        return nmi_importer_memory(im, 2 * m->n_metadata_props * sizeof *g->meta, "metadata");
    }
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        NMI_TRY(keep_text(im, m->metadata_props[i]->key, &g->meta[2 * i]));
        NMI_TRY(keep_text(im, m->metadata_props[i]->value, &g->meta[2 * i + 1]));
    }
    g->n_meta = (int32_t)m->n_metadata_props;
    return NM_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* No more names than these: constants, inputs, and the outputs of nodes. */
static nm_status make_names(struct nmi_importer *im)
{
    const Onnx__GraphProto *g = im->decoded.model->graph;
    size_t most = (size_t)im->decoded.wire.tensors + g->n_sparse_initializer;
    if (!nmi_names_init(&im->names, &im->decoded.arena, most)) {
        return nmi_importer_memory(im, most * 2 * sizeof(struct nmi_name_slot), "names");
    }
    return NM_OK;
}

static nm_status build(struct nmi_importer *im)
{
    if (im->decoded.model->graph == NULL) {
        return nmi_fail(im->err, NM_EFORMAT, "not an ONNX model: it has no graph");
    }
    NMI_TRY(read_opset(im));
    NMI_TRY(read_metadata(im));
    NMI_TRY(make_names(im));
    NMI_TRY(nmi_onnx_initializers(im));
    NMI_TRY(nmi_onnx_inputs(im));
    NMI_TRY(nmi_onnx_nodes(im));
    NMI_TRY(nmi_onnx_outputs(im));
    if (im->graph->n_nodes > 0) {
        NMI_TRY(nmi_graph_compact(im->graph, im->err));
    }
    return nmi_graph_verify(im->graph, im->err);
}

nm_status nmi_onnx_import(void *bytes, size_t size, const char *external_dir,
                          const nm_limits *limits, const struct nmi_log *log,
                          struct nmi_graph **graph, nm_error *err)
{
    struct nmi_importer im = {
        .bytes = bytes, .size = size, .external_dir = external_dir, .limits = limits, .err = err};
    NMI_TRY(nmi_decode(bytes, size, limits, &im.decoded, err));
    nm_status status = nmi_graph_create((size_t)nmi_wire_heap_limit(limits, size), &im.graph, err);
    if (status == NM_OK) {
        status = build(&im);
    }
    nmi_decode_free(&im.decoded);
    if (status != NM_OK) {
        nmi_graph_free(im.graph);
        return status;
    }
    im.graph->arena.limit = 0; /* it was a limit of the import */
    if (log != NULL) {
        nmi_log(log, 2, "model: opset %d, %d nodes, %d constants", im.graph->opset,
                im.graph->n_nodes, im.graph->n_constants);
    }
    *graph = im.graph;
    return NM_OK;
}
