/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of a node, by the table of its operator's descriptor. */
#include "lib/base/checked.h"
#include "lib/onnx/importer.h"

#include <stdio.h>
#include <string.h>

enum { /* AttributeProto.type */
       TYPE_FLOAT = 1,
       TYPE_INT = 2,
       TYPE_STRING = 3,
       TYPE_TENSOR = 4,
       TYPE_GRAPH = 5,
       TYPE_FLOATS = 6,
       TYPE_INTS = 7,
       TYPE_STRINGS = 8,
       TYPE_SPARSE_TENSOR = 11,
       TYPES = 15
};

static const char *type_name(int32_t type)
{
    static const char *const names[TYPES] = {
        "undefined",      "FLOAT",      "INT",        "STRING",  "TENSOR", "GRAPH",
        "FLOATS",         "INTS",       "STRINGS",    "TENSORS", "GRAPHS", "SPARSE_TENSOR",
        "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
    return type >= 0 && type < TYPES ? names[type] : "unknown";
}

/* One attribute being read: sentences say where. */
struct reading {
    struct nmi_importer *im;
    const Onnx__AttributeProto *proto;
    const struct nmi_attr *attr;
    char *to; /* the field of the typed struct */
};

static bool in_range(const struct nmi_attr *a, double v)
{
    return v >= a->min && v <= a->max;
}

static nm_status out_of_range(const struct reading *r, double v)
{
    return nmi_fail(r->im->err, NM_EFORMAT, "is %.17g, expected %.17g to %.17g", v, r->attr->min,
                    r->attr->max);
}

static nm_status read_int(const struct reading *r)
{
    int64_t v = r->proto->i;
    if (!in_range(r->attr, (double)v)) {
        return out_of_range(r, (double)v);
    }
    memcpy(r->to, &v, sizeof v);
    return NM_OK;
}

static nm_status read_float(const struct reading *r)
{
    float v = r->proto->f;
    if (!in_range(r->attr, (double)v)) {
        return out_of_range(r, (double)v);
    }
    memcpy(r->to, &v, sizeof v);
    return NM_OK;
}

static nm_status too_many(const struct reading *r, size_t n)
{
    return nmi_fail(r->im->err, NM_ELIMIT, "has %zu elements, at most %d are supported", n,
                    NMI_MAX_INTS);
}

static nm_status read_ints(const struct reading *r)
{
    struct nmi_ints ints = {0};
    if (r->proto->n_ints > NMI_MAX_INTS) {
        return too_many(r, r->proto->n_ints);
    }
    for (size_t i = 0; i < r->proto->n_ints; i++) {
        int64_t v = r->proto->ints[i];
        if (!in_range(r->attr, (double)v)) {
            return out_of_range(r, (double)v);
        }
        ints.v[ints.n++] = v;
    }
    memcpy(r->to, &ints, sizeof ints);
    return NM_OK;
}

static nm_status read_floats(const struct reading *r)
{
    struct nmi_floats floats = {0};
    if (r->proto->n_floats > NMI_MAX_INTS) {
        return too_many(r, r->proto->n_floats);
    }
    for (size_t i = 0; i < r->proto->n_floats; i++) {
        float v = r->proto->floats[i];
        if (!in_range(r->attr, (double)v)) {
            return out_of_range(r, (double)v);
        }
        floats.v[floats.n++] = v;
    }
    memcpy(r->to, &floats, sizeof floats);
    return NM_OK;
}

/* The index of the string among choices "A|B|C". */
static nm_status read_enum(const struct reading *r)
{
    const ProtobufCBinaryData *s = &r->proto->s;
    const char *choice = r->attr->choices;
    for (int64_t index = 0;; index++) {
        size_t n = strcspn(choice, "|");
        if (n == s->len && (n == 0 || memcmp(choice, s->data, n) == 0)) {
            memcpy(r->to, &index, sizeof index);
            return NM_OK;
        }
        if (choice[n] == '\0') {
            break;
        }
        choice += n + 1;
    }
    return nmi_fail(r->im->err, NM_EUNSUPPORTED, "is \"%.*s\", expected one of %s",
                    (int)(s->len < 100 ? s->len : 100), s->data != NULL ? (char *)s->data : "",
                    r->attr->choices);
}

static nm_status read_tensor(const struct reading *r)
{
    struct nmi_graph *g = r->im->graph;
    struct nmi_constant c;
    if (r->proto->t == NULL) {
        return nmi_fail(r->im->err, NM_EFORMAT, "holds no tensor");
    }
    NMI_TRY(nmi_onnx_tensor(r->im, r->proto->t, &g->arena, &c));
    char name[32]; /* no name of the file: only the node refers to it */
    snprintf(name, sizeof name, "attribute.%d", g->n_values);
    int32_t value = nmi_graph_add_constant(g, name, c.type, c.rank, c.dims, c.data, c.bytes);
    if (value == NMI_NONE) {
        return nmi_importer_memory(r->im, sizeof(struct nmi_value), "a constant");
    }
    memcpy(r->to, &g->values[value].constant, sizeof(int32_t));
    return NM_OK;
}

/* The type of an attribute; old files may leave it to be seen from what is set. */
static int32_t proto_type(const Onnx__AttributeProto *p)
{
    if (p->has_type && p->type != 0) {
        return p->type;
    }
    return p->has_i          ? TYPE_INT
           : p->has_f        ? TYPE_FLOAT
           : p->has_s        ? TYPE_STRING
           : p->t != NULL    ? TYPE_TENSOR
           : p->g != NULL    ? TYPE_GRAPH
           : p->n_ints > 0   ? TYPE_INTS
           : p->n_floats > 0 ? TYPE_FLOATS
                             : 0;
}

static nm_status read_attribute(const struct reading *r)
{
    static const struct {
        int32_t type;
        nm_status (*read)(const struct reading *r);
    } kinds[] = {
        [NMI_ATTR_INT] = {TYPE_INT, read_int},      [NMI_ATTR_FLOAT] = {TYPE_FLOAT, read_float},
        [NMI_ATTR_INTS] = {TYPE_INTS, read_ints},   [NMI_ATTR_FLOATS] = {TYPE_FLOATS, read_floats},
        [NMI_ATTR_ENUM] = {TYPE_STRING, read_enum}, [NMI_ATTR_TENSOR] = {TYPE_TENSOR, read_tensor},
    };
    if (r->attr->kind == NMI_ATTR_IGNORED) {
        return NM_OK;
    }
    int32_t type = proto_type(r->proto), expected = kinds[r->attr->kind].type;
    if (type != expected) {
        return nmi_fail(r->im->err, NM_EFORMAT, "is of type %s, expected %s", type_name(type),
                        type_name(expected));
    }
    return kinds[r->attr->kind].read(r);
}

static bool exists_in(const struct nmi_attr *a, int32_t opset)
{
    return opset >= a->since && (a->until == 0 || opset <= a->until);
}

/* The table's entry for a name; an attribute may have several, for different opsets. */
static const struct nmi_attr *find_attr(const struct nmi_op *op, const char *name, int32_t opset)
{
    for (const struct nmi_attr *a = op->attr; a != NULL && a->name != NULL; a++) {
        if (strcmp(a->name, name) == 0 && exists_in(a, opset)) {
            return a;
        }
    }
    return NULL;
}

static const Onnx__AttributeProto *find_proto(const Onnx__NodeProto *node, const char *name,
                                              size_t before)
{
    for (size_t i = 0; i < before; i++) {
        const char *other = node->attribute[i]->name;
        if (other != NULL && strcmp(other, name) == 0) {
            return node->attribute[i];
        }
    }
    return NULL;
}

static nm_status read_all(struct nmi_importer *im, const Onnx__NodeProto *node,
                          const struct nmi_op *op, const char *label, char *attrs)
{
    int32_t opset = im->graph->opset;
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *p = node->attribute[i];
        const char *name = p->name != NULL ? p->name : "";
        const struct nmi_attr *a = find_attr(op, name, opset);
        if (a == NULL) {
            return nmi_fail(im->err, NM_EUNSUPPORTED,
                            "node %s (%s): the attribute %.100s is not one of opset %d", label,
                            op->name, name, opset);
        }
        if (find_proto(node, name, i) != NULL) {
            return nmi_fail(im->err, NM_EFORMAT,
                            "node %s (%s): the attribute %.100s is given twice", label, op->name,
                            name);
        }
        struct reading r = {.im = im, .proto = p, .attr = a, .to = attrs + a->offset};
        nm_status status = read_attribute(&r);
        if (status != NM_OK) {
            return nmi_fail_in(im->err, status, "node %s (%s): attribute %.100s", label, op->name,
                               name);
        }
    }
    for (const struct nmi_attr *a = op->attr; a != NULL && a->name != NULL; a++) {
        if (a->required && exists_in(a, opset) &&
            find_proto(node, a->name, node->n_attribute) == NULL) {
            return nmi_fail(im->err, NM_EFORMAT, "node %s (%s): the attribute %s is missing", label,
                            op->name, a->name);
        }
    }
    return NM_OK;
}

nm_status nmi_onnx_attributes(struct nmi_importer *im, const Onnx__NodeProto *node, uint16_t op,
                              const char *label, void **attrs)
{
    const struct nmi_op *o = nmi_ops[op];
    if (node->n_attribute > NMI_MAX_NODE_ATTRS) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "node %s (%s): it has %zu attributes, at most %d are "
                        "accepted (a fixed bound)",
                        label, o->name, node->n_attribute, NMI_MAX_NODE_ATTRS);
    }
    *attrs = NULL;
    if (o->attr_bytes > 0) {
        *attrs = nmi_op_defaults(op, &im->graph->arena);
        if (*attrs == NULL) {
            return nmi_importer_memory(im, o->attr_bytes, "attributes");
        }
    }
    NMI_TRY(read_all(im, node, o, label, *attrs));
    if (o->finish != NULL) {
        return o->finish(*attrs, im->graph->opset, label, im->err);
    }
    return NM_OK;
}

/* ---- Constant -------------------------------------------------------------------------------- */

static nm_status copy_numbers(struct nmi_importer *im, nm_type type, int32_t rank,
                              const void *numbers, size_t n, struct nmi_constant *out)
{
    *out = (struct nmi_constant){.type = type, .rank = rank, .source = NMI_NONE};
    out->dims[0] = (int64_t)n;
    out->bytes = n * nmi_type_size((int32_t)type);
    out->data = nmi_arena_copy(&im->graph->arena, numbers, out->bytes);
    return out->data != NULL ? NM_OK : nmi_importer_memory(im, out->bytes, "a constant");
}

nm_status nmi_onnx_constant(struct nmi_importer *im, const Onnx__NodeProto *node,
                            struct nmi_constant *out)
{
    if (node->n_attribute != 1 || node->attribute[0]->name == NULL) {
        return nmi_fail(im->err, NM_EFORMAT, "it has %zu attributes, expected 1",
                        node->n_attribute);
    }
    const Onnx__AttributeProto *p = node->attribute[0];
    if (strcmp(p->name, "value") == 0 && p->t != NULL) {
        return nmi_onnx_tensor(im, p->t, &im->graph->arena, out);
    }
    if (strcmp(p->name, "sparse_value") == 0 && p->sparse_tensor != NULL) {
        return nmi_onnx_sparse(im, p->sparse_tensor, out);
    }
    if (strcmp(p->name, "value_float") == 0) {
        return copy_numbers(im, NM_F32, 0, &p->f, 1, out);
    }
    if (strcmp(p->name, "value_int") == 0) {
        return copy_numbers(im, NM_I64, 0, &p->i, 1, out);
    }
    if (strcmp(p->name, "value_floats") == 0) {
        return copy_numbers(im, NM_F32, 1, p->floats, p->n_floats, out);
    }
    if (strcmp(p->name, "value_ints") == 0) {
        return copy_numbers(im, NM_I64, 1, p->ints, p->n_ints, out);
    }
    return nmi_fail(im->err, NM_EUNSUPPORTED, "its attribute %.100s holds no tensor of numbers",
                    p->name);
}
