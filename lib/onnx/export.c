/* SPDX-License-Identifier: Apache-2.0 */
/* The graph, message by message, by ONNX's field numbers (onnx.proto). */
#include "lib/onnx/export.h"
#include "lib/base/checked.h"
#include "lib/onnx/names.h"
#include "lib/onnx/writer.h"
#include "lib/ops/op.h"

#include <string.h>

struct exporter {
    const struct nmi_graph *g;
    bool sparse;
    struct nmi_writer w;
    struct nmi_arena scratch;
    const char **names; /* of values, each unlike all others */
    int32_t *uses;      /* of values */
    nm_error *err;
};

static nm_status no_memory(const struct exporter *x, size_t bytes)
{
    return nmi_fail_memory(x->err, bytes, "writing a model");
}

/* Names of the file stay; a name that is empty or taken gets a number. */
static nm_status choose_names(struct exporter *x)
{
    const struct nmi_graph *g = x->g;
    size_t n = (size_t)g->n_values;
    struct nmi_names taken;
    x->names = nmi_arena_array(&x->scratch, n, sizeof *x->names);
    x->uses = nmi_arena_array(&x->scratch, n, sizeof *x->uses);
    if (x->names == NULL || x->uses == NULL || !nmi_names_init(&taken, &x->scratch, n)) {
        return no_memory(x, n * (sizeof *x->names + sizeof *x->uses));
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
                return no_memory(x, strlen(g->values[i].name));
            }
            x->names[i] = nmi_names_add(&taken, name, i) ? name : NULL;
        }
    }
    return NM_OK;
}

/* ---- tensors -----------------------------------------------------------------------------------
 */

/* The fields of a TensorProto. name may be NULL. */
static void put_tensor(struct nmi_writer *w, const char *name, const struct nmi_constant *c)
{
    for (int32_t i = 0; i < c->rank; i++) {
        nmi_put_int(w, 1, c->dims[i]);
    }
    nmi_put_int(w, 2, c->type);
    if (name != NULL) {
        nmi_put_string(w, 8, name);
    }
    nmi_put_span(w, 9, c->data, c->bytes);
}

static bool is_zero(const unsigned char *element, size_t size)
{
    unsigned char any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= element[i];
    }
    return any == 0;
}

static int64_t count_nonzeros(const struct nmi_constant *c)
{
    size_t size = nmi_type_size((int32_t)c->type);
    int64_t nnz = 0;
    for (size_t at = 0; at < c->bytes; at += size) {
        nnz += !is_zero((const unsigned char *)c->data + at, size);
    }
    return nnz;
}

/* The nonzeros of c and their linear indices, in scratch; -0.0 is one of them. */
static nm_status gather(struct exporter *x, const struct nmi_constant *c, int64_t nnz,
                        struct nmi_constant *values, struct nmi_constant *indices)
{
    size_t size = nmi_type_size((int32_t)c->type), n = (size_t)nnz, k = 0;
    unsigned char *value = nmi_arena_array(&x->scratch, n, size);
    int64_t *index = nmi_arena_array(&x->scratch, n, sizeof *index);
    if (value == NULL || index == NULL) {
        return no_memory(x, n * (size + sizeof *index));
    }
    for (size_t at = 0; at < c->bytes; at += size) {
        const unsigned char *element = (const unsigned char *)c->data + at;
        if (!is_zero(element, size)) {
            memcpy(value + k * size, element, size);
            index[k++] = (int64_t)(at / size);
        }
    }
    *values = (struct nmi_constant){
        .type = c->type, .rank = 1, .dims = {nnz}, .data = value, .bytes = n * size};
    *indices = (struct nmi_constant){
        .type = NM_I64, .rank = 1, .dims = {nnz}, .data = index, .bytes = n * sizeof *index};
    return NM_OK;
}

static nm_status put_sparse(struct exporter *x, const char *name, const struct nmi_constant *c,
                            int64_t nnz)
{
    struct nmi_constant values, indices;
    NMI_TRY(gather(x, c, nnz, &values, &indices));
    struct nmi_mark whole = nmi_put_open(&x->w, 15);
    struct nmi_mark part = nmi_put_open(&x->w, 1);
    put_tensor(&x->w, name, &values);
    nmi_put_close(&x->w, part);
    part = nmi_put_open(&x->w, 2);
    put_tensor(&x->w, NULL, &indices);
    nmi_put_close(&x->w, part);
    for (int32_t i = 0; i < c->rank; i++) {
        nmi_put_int(&x->w, 3, c->dims[i]);
    }
    nmi_put_close(&x->w, whole);
    return NM_OK;
}

static nm_status put_constant(struct exporter *x, const char *name, const struct nmi_constant *c)
{
    if (x->sparse && c->sparse && c->rank > 0) {
        int64_t nnz = count_nonzeros(c);
        size_t each = nmi_type_size((int32_t)c->type) + sizeof(int64_t);
        if ((size_t)nnz < c->bytes / each) {
            return put_sparse(x, name, c, nnz);
        }
    }
    struct nmi_mark mark = nmi_put_open(&x->w, 5);
    put_tensor(&x->w, name, c);
    nmi_put_close(&x->w, mark);
    return NM_OK;
}

/* ---- attributes --------------------------------------------------------------------------------
 */

static int64_t load_int(const char *from)
{
    int64_t v;
    memcpy(&v, from, sizeof v);
    return v;
}

static float load_float(const char *from)
{
    float v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* The n-th of "A|B|C"; *size 0 when there is none. */
static const char *choice(const char *choices, int64_t n, size_t *size)
{
    for (; n > 0 && *choices != '\0'; n--) {
        choices += strcspn(choices, "|");
        choices += *choices == '|';
    }
    *size = strcspn(choices, "|");
    return choices;
}

static bool is_default(const struct nmi_attr *a, const char *from)
{
    switch (a->kind) {
    case NMI_ATTR_INT:
    case NMI_ATTR_ENUM:
        return load_int(from) == (int64_t)a->def;
    case NMI_ATTR_FLOAT: {
        float value = load_float(from), def = (float)a->def;
        return memcmp(&value, &def, sizeof value) == 0;
    }
    case NMI_ATTR_INTS:
    case NMI_ATTR_FLOATS: {
        int32_t n; /* the first field of both structs */
        memcpy(&n, from, sizeof n);
        return n == 0;
    }
    case NMI_ATTR_TENSOR: {
        int32_t id;
        memcpy(&id, from, sizeof id);
        return id == NMI_NONE;
    }
    case NMI_ATTR_IGNORED:
        break;
    }
    return true;
}

static void put_numbers(struct nmi_writer *w, const struct nmi_attr *a, const char *from)
{
    if (a->kind == NMI_ATTR_INTS) {
        struct nmi_ints ints;
        memcpy(&ints, from, sizeof ints);
        for (int32_t i = 0; i < ints.n; i++) {
            nmi_put_int(w, 8, ints.v[i]);
        }
    } else {
        struct nmi_floats floats;
        memcpy(&floats, from, sizeof floats);
        for (int32_t i = 0; i < floats.n; i++) {
            nmi_put_float(w, 7, floats.v[i]);
        }
    }
}

static void put_attr_tensor(struct exporter *x, const char *from)
{
    int32_t id;
    memcpy(&id, from, sizeof id);
    struct nmi_mark mark = nmi_put_open(&x->w, 5);
    put_tensor(&x->w, NULL, &x->g->constants[id]);
    nmi_put_close(&x->w, mark);
}

static void put_attribute(struct exporter *x, const struct nmi_attr *a, const char *from)
{
    static const int32_t types[] = {
        [NMI_ATTR_INT] = 2,  [NMI_ATTR_FLOAT] = 1,  [NMI_ATTR_INTS] = 7,   [NMI_ATTR_FLOATS] = 6,
        [NMI_ATTR_ENUM] = 3, [NMI_ATTR_TENSOR] = 4, [NMI_ATTR_IGNORED] = 0};
    struct nmi_writer *w = &x->w;
    struct nmi_mark mark = nmi_put_open(w, 5);
    nmi_put_string(w, 1, a->name);
    if (a->kind == NMI_ATTR_INT) {
        nmi_put_int(w, 3, load_int(from));
    } else if (a->kind == NMI_ATTR_FLOAT) {
        nmi_put_float(w, 2, load_float(from));
    } else if (a->kind == NMI_ATTR_ENUM) {
        size_t n;
        const char *text = choice(a->choices, load_int(from), &n);
        nmi_put_bytes(w, 4, text, n);
    } else if (a->kind == NMI_ATTR_TENSOR) {
        put_attr_tensor(x, from);
    } else {
        put_numbers(w, a, from);
    }
    nmi_put_int(w, 20, types[a->kind]);
    nmi_put_close(w, mark);
}

static void put_attributes(struct exporter *x, const struct nmi_node *node)
{
    for (const struct nmi_attr *a = nmi_ops[node->op]->attr; a != NULL && a->name != NULL; a++) {
        bool exists = node->opset >= a->since && (a->until == 0 || node->opset <= a->until);
        if (!exists || a->kind == NMI_ATTR_IGNORED) {
            continue;
        }
        const char *from = (const char *)node->attrs + a->offset;
        if (a->required || !is_default(a, from)) {
            put_attribute(x, a, from);
        }
    }
}

/* ---- nodes and values --------------------------------------------------------------------------
 */

static void put_node(struct exporter *x, const struct nmi_node *node)
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
    put_attributes(x, node);
    if (op->domain[0] != '\0') {
        nmi_put_string(&x->w, 7, op->domain);
    }
    nmi_put_close(&x->w, mark);
}

static void put_shape(struct exporter *x, const struct nmi_value *v)
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
static void put_value(struct exporter *x, uint32_t field, int32_t id)
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

static nm_status put_graph(struct exporter *x)
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
            NMI_TRY(put_constant(x, x->names[i], c));
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

/* ---- the model ---------------------------------------------------------------------------------
 */

/* The IR version that came with an opset. At least 4: initialisers need not be inputs. At least 6
 * for sparse initialisers. */
static int64_t ir_version(const struct exporter *x)
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

static nm_status put_model(struct exporter *x)
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

static nm_status write_all(struct exporter *x, const char *path)
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
    struct exporter x = {.g = graph, .sparse = sparse, .err = err};
    nm_status status = write_all(&x, path);
    nmi_writer_free(&x.w);
    nmi_arena_free(&x.scratch);
    return status;
}
