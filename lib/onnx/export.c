/* SPDX-License-Identifier: Apache-2.0 */
/* The graph, message by message, by ONNX's field numbers (onnx.proto). */
#include "lib/onnx/export.h"
#include "lib/onnx/exporter.h"
#include "lib/onnx/names.h"

#include <string.h>

nm_status nmi_exporter_memory(const struct nmi_exporter *x, size_t bytes)
{
    return nmi_fail_memory(x->err, bytes, "writing a model");
}

/* Names of the file stay; a name that is empty or taken gets a number. */
static nm_status choose_names(struct nmi_exporter *x)
{
    const struct nmi_graph *g = x->g;
    size_t n = (size_t)g->n_values;
    struct nmi_names taken;
    x->names = nmi_arena_array(&x->scratch, n, sizeof *x->names);
    x->uses = nmi_arena_array(&x->scratch, n, sizeof *x->uses);
    if (x->names == NULL || x->uses == NULL || !nmi_names_init(&taken, &x->scratch, n)) {
        return nmi_exporter_memory(x, n * (sizeof *x->names + sizeof *x->uses));
    }
    nmi_graph_count_uses(g, x->uses);
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].name[0] != '\0' && nmi_names_add(&taken, g->values[i].name, i)) {
            x->names[i] = g->values[i].name;
        }
    }
    for (int32_t i = 0; i < g->n_values; i++) {
        for (int32_t k = i; x->names[i] == NULL; k++) {
            char *name = nmi_arena_printf(&x->scratch, "%s.%d", g->values[i].name, k);
            if (name == NULL) {
                return nmi_exporter_memory(x, strlen(g->values[i].name));
            }
            x->names[i] = nmi_names_add(&taken, name, i) ? name : NULL;
        }
    }
    return NM_OK;
}

/* ---- nodes and values ------------------------------------------------------------------------ */

static void put_node(struct nmi_exporter *x, const struct nmi_node *node)
{
    const struct nmi_op *op = nmi_ops[node->op];
    struct nmi_mark mark = nmi_put_open(&x->w, 1);
    for (int32_t i = 0; i < node->n_inputs; i++) {
        nmi_put_string(&x->w, 1, node->inputs[i] == NMI_NONE ? "" : x->names[node->inputs[i]]);
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        nmi_put_string(&x->w, 2, node->outputs[i] == NMI_NONE ? "" : x->names[node->outputs[i]]);
    }
    if (node->name[0] != '\0') {
        nmi_put_string(&x->w, 3, node->name);
    }
    nmi_put_string(&x->w, 4, op->name);
    nmi_export_attributes(x, node);
    if (op->domain[0] != '\0') {
        nmi_put_string(&x->w, 7, op->domain);
    }
    nmi_put_close(&x->w, mark);
}

static void put_shape(struct nmi_exporter *x, const struct nmi_value *v)
{
    struct nmi_mark shape = nmi_put_open(&x->w, 2);
    for (int32_t i = 0; i < v->rank; i++) {
        struct nmi_mark dim = nmi_put_open(&x->w, 1);
        if (nmi_dim_known(v->dims[i])) {
            nmi_put_int(&x->w, 1, v->dims[i]);
        } else if (v->dims[i] != NMI_DIM_UNKNOWN) {
            nmi_put_string(&x->w, 2, x->g->symbols[nmi_dim_symbol_id(v->dims[i])]);
        }
        nmi_put_close(&x->w, dim);
    }
    nmi_put_close(&x->w, shape);
}

/* A ValueInfoProto as the graph's input (11) or output (12). */
static void put_value(struct nmi_exporter *x, uint32_t field, int32_t id)
{
    const struct nmi_value *v = &x->g->values[id];
    struct nmi_mark info = nmi_put_open(&x->w, field);
    nmi_put_string(&x->w, 1, x->names[id]);
    if (v->type != NM_TYPE_NONE) {
        struct nmi_mark type = nmi_put_open(&x->w, 2);
        struct nmi_mark tensor = nmi_put_open(&x->w, 1);
        nmi_put_int(&x->w, 1, v->type);
        if (v->rank >= 0) {
            put_shape(x, v);
        }
        nmi_put_close(&x->w, tensor);
        nmi_put_close(&x->w, type);
    }
    nmi_put_close(&x->w, info);
}

static nm_status put_graph(struct nmi_exporter *x)
{
    const struct nmi_graph *g = x->g;
    struct nmi_mark graph = nmi_put_open(&x->w, 7);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        put_node(x, &g->nodes[i]);
    }
    nmi_put_string(&x->w, 2, g->name[0] != '\0' ? g->name : "graph");
    for (int32_t i = 0; i < g->n_values; i++) {
        const struct nmi_constant *c = nmi_graph_constant(g, i);
        if (c != NULL && x->uses[i] > 0) {
            NMI_TRY(nmi_export_constant(x, x->names[i], c));
        }
    }
    for (int32_t i = 0; i < g->n_inputs; i++) {
        put_value(x, 11, g->inputs[i]);
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        put_value(x, 12, g->outputs[i]);
    }
    nmi_put_close(&x->w, graph);
    return NM_OK;
}

/* ---- the model ------------------------------------------------------------------------------- */

/* The IR version that came with an opset. At least 4: initialisers need not be inputs. At least 6
 * for sparse initialisers. */
static int64_t ir_version(const struct nmi_exporter *x)
{
    static const int8_t of_opset[NMI_OPSET_MAX + 1] = {
        [7] = 4,  [8] = 4,  [9] = 4,  [10] = 5, [11] = 6, [12] = 7, [13] = 7, [14] = 7,
        [15] = 8, [16] = 8, [17] = 8, [18] = 8, [19] = 9, [20] = 9, [21] = 10};
    int32_t opset = x->g->opset;
    int64_t version = opset >= 0 && opset <= NMI_OPSET_MAX ? of_opset[opset] : 0;
    version = version < 6 && x->sparse ? 6 : version;
    return version > x->g->ir_version ? version : x->g->ir_version;
}

static void put_optional(struct nmi_writer *w, uint32_t field, const char *text)
{
    if (text[0] != '\0') {
        nmi_put_string(w, field, text);
    }
}

static nm_status put_model(struct nmi_exporter *x)
{
    const struct nmi_graph *g = x->g;
    struct nmi_writer *w = &x->w;
    nmi_put_int(w, 1, ir_version(x));
    nmi_put_string(w, 2, g->producer[0] != '\0' ? g->producer : "libnm");
    put_optional(w, 4, g->domain);
    if (g->model_version != 0) {
        nmi_put_int(w, 5, g->model_version);
    }
    put_optional(w, 6, g->doc);
    NMI_TRY(put_graph(x));
    struct nmi_mark opset = nmi_put_open(w, 8);
    nmi_put_string(w, 1, "");
    nmi_put_int(w, 2, g->opset);
    nmi_put_close(w, opset);
    for (int32_t i = 0; i < g->n_meta; i++) {
        struct nmi_mark entry = nmi_put_open(w, 14);
        nmi_put_string(w, 1, g->meta[2 * i]);
        nmi_put_string(w, 2, g->meta[2 * i + 1]);
        nmi_put_close(w, entry);
    }
    if (!w->failed && w->size + w->spliced > INT32_MAX) {
        return nmi_fail(x->err, NM_ELIMIT,
                        "the model would have %zu bytes: an ONNX file has at "
                        "most 2 GiB",
                        w->size + w->spliced);
    }
    return NM_OK;
}

static nm_status write_all(struct nmi_exporter *x, const char *path)
{
    struct nmi_span *parts = NULL;
    size_t n = 0;
    NMI_TRY(choose_names(x));
    NMI_TRY(put_model(x));
    NMI_TRY(nmi_writer_parts(&x->w, &parts, &n, x->err));
    nm_status status = nmi_file_write(path, parts, n, x->err);
    nmi_free(parts);
    return status;
}

nm_status nmi_onnx_export(const struct nmi_graph *graph, bool sparse, const char *path,
                          nm_error *err)
{
    struct nmi_exporter x = {.g = graph, .sparse = sparse, .err = err};
    nm_status status = write_all(&x, path);
    nmi_writer_free(&x.w);
    nmi_arena_free(&x.scratch);
    return status;
}
