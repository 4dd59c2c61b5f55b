/* SPDX-License-Identifier: Apache-2.0 */
/* A node's attributes as JSON, from the operator's table; and what passes have fused into it. */
#include "lib/ops/attrs.h"
#include "lib/ops/op.h"

#include <string.h>

/* Choice number i of "A|B|C", in name[size]. */
static void choice(const char *choices, int64_t i, char *name, size_t size)
{
    for (; i > 0 && choices != NULL; i--) {
        choices = strchr(choices, '|');
        choices = choices == NULL ? NULL : choices + 1;
    }
    size_t n = choices == NULL ? 0 : strcspn(choices, "|");
    n = n < size ? n : size - 1;
    memcpy(name, choices == NULL ? "" : choices, n);
    name[n] = '\0';
}

static void put_floats(const char *key, const struct nmi_floats *f, struct nmi_text *t)
{
    nmi_json_open(t, key, '[');
    for (int32_t i = 0; i < f->n; i++) {
        nmi_json_real(t, NULL, (double)f->v[i]);
    }
    nmi_json_close(t, '[');
}

static void put_attr(const struct nmi_attr *attr, const void *field, struct nmi_text *t)
{
    char name[64];
    switch (attr->kind) {
    case NMI_ATTR_INT:
        nmi_json_int(t, attr->name, *(const int64_t *)field);
        break;
    case NMI_ATTR_FLOAT:
        nmi_json_real(t, attr->name, (double)*(const float *)field);
        break;
    case NMI_ATTR_INTS:
        if (((const struct nmi_ints *)field)->n > 0) {
            const struct nmi_ints *ints = field;
            nmi_json_ints(t, attr->name, ints->v, ints->n);
        }
        break;
    case NMI_ATTR_FLOATS:
        if (((const struct nmi_floats *)field)->n > 0) {
            put_floats(attr->name, field, t);
        }
        break;
    case NMI_ATTR_ENUM:
        choice(attr->choices, *(const int64_t *)field, name, sizeof name);
        nmi_json_string(t, attr->name, name);
        break;
    case NMI_ATTR_TENSOR:
    case NMI_ATTR_IGNORED:
        break;
    }
}

static void put_act(const struct nmi_act *act, struct nmi_text *t)
{
    static const char *const names[] = {"none",    "relu",      "clip", "leaky_relu",
                                        "sigmoid", "hardswish", "swish", "gelu"};
    bool known = act->kind >= 0 && (size_t)act->kind < NMI_COUNT(names);
    nmi_json_string(t, "activation", known ? names[act->kind] : "?");
    if (act->kind == NMI_ACT_CLIP || act->kind == NMI_ACT_LEAKY) {
        nmi_json_real(t, "activation_alpha", (double)act->alpha);
    }
    if (act->kind == NMI_ACT_CLIP) {
        nmi_json_real(t, "activation_beta", (double)act->beta);
    }
}

void nmi_op_describe_attrs(const struct nmi_node *node, struct nmi_text *t)
{
    if (node->attrs == NULL) {
        return;
    }
    const struct nmi_attr *attr = nmi_ops[node->op]->attr;
    for (; attr != NULL && attr->name != NULL; attr++) {
        bool exists =
            attr->since <= node->opset && (attr->until == 0 || node->opset <= attr->until);
        if (exists) {
            put_attr(attr, (const char *)node->attrs + attr->offset, t);
        }
    }
    if (node->op == NMI_OP_Conv || node->op == NMI_OP_ConvTranspose) {
        const struct nmi_conv_attrs *conv = node->attrs;
        put_act(&conv->act, t);
        nmi_json_bool(t, "residual", conv->residual != 0);
    } else if (node->op == NMI_OP_Gemm || node->op == NMI_OP_MatMul) {
        put_act(&((const struct nmi_gemm_attrs *)node->attrs)->act, t);
    }
}

const char *nmi_op_name(uint16_t op)
{
    return nmi_ops[op]->name;
}
