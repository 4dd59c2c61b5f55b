/* SPDX-License-Identifier: Apache-2.0 */
/* The typed attribute struct of a node back to AttributeProto, by its operator's table. */
#include "lib/onnx/exporter.h"

#include <string.h>

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

static void put_attr_tensor(struct nmi_exporter *x, const char *from)
{
    int32_t id;
    memcpy(&id, from, sizeof id);
    struct nmi_mark mark = nmi_put_open(&x->w, 5);
    nmi_export_tensor(&x->w, NULL, &x->g->constants[id]);
    nmi_put_close(&x->w, mark);
}

static void put_attribute(struct nmi_exporter *x, const struct nmi_attr *a, const char *from)
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

void nmi_export_attributes(struct nmi_exporter *x, const struct nmi_node *node)
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
