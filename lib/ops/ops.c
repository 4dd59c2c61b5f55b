/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operators and what holds for all of them. */
#include "lib/ops/helpers.h"
#include "lib/ops/op.h"
#include <string.h>

#define X(id) extern const struct nmi_op nmi_op_##id;
#include "lib/ops/ops.def"
#undef X

const struct nmi_op *const nmi_ops[NMI_OPS] = {
#define X(id) &nmi_op_##id,
#include "lib/ops/ops.def"
#undef X
};

int32_t nmi_op_find(const char *domain, const char *name, int32_t opset)
{
    const char *d = strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    for (int32_t i = 0; i < NMI_OPS; i++) {
        const struct nmi_op *op = nmi_ops[i];
        if (strcmp(op->name, name) == 0 && strcmp(op->domain, d) == 0 && opset >= op->since &&
            (op->until == 0 || opset <= op->until)) {
            return i;
        }
    }
    return NMI_NONE;
}

size_t nmi_op_attr_bytes(uint16_t op)
{
    return nmi_ops[op]->attr_bytes;
}

void *nmi_op_defaults(uint16_t op, struct nmi_arena *arena)
{
    const struct nmi_op *o = nmi_ops[op];
    char *attrs = nmi_arena_alloc(arena, o->attr_bytes);
    if (attrs == NULL) {
        return NULL;
    }
    for (const struct nmi_attr *a = o->attr; a != NULL && a->name != NULL; a++) {
        if (a->kind == NMI_ATTR_INT || a->kind == NMI_ATTR_ENUM) {
            int64_t v = (int64_t)a->def;
            memcpy(attrs + a->offset, &v, sizeof v);
        } else if (a->kind == NMI_ATTR_FLOAT) {
            float v = (float)a->def;
            memcpy(attrs + a->offset, &v, sizeof v);
        } else if (a->kind == NMI_ATTR_TENSOR) {
            int32_t v = NMI_NONE;
            memcpy(attrs + a->offset, &v, sizeof v);
        }
    }
    return attrs;
}

/* A TENSOR attribute reaches infer as one more input (see nmi_propagate). */
static int32_t most_inputs(const struct nmi_op *op)
{
    int32_t n = op->max_in;
    for (const struct nmi_attr *a = op->attr; a != NULL && a->name != NULL; a++) {
        n += a->kind == NMI_ATTR_TENSOR;
    }
    return n;
}

static nm_status check_counts(const struct nmi_op *op, const struct nmi_node *node,
                              const struct nmi_fact *const *in, nm_error *err)
{
    if (node->n_inputs < op->min_in || (op->max_in >= 0 && node->n_inputs > most_inputs(op))) {
        return nmi_fail(err, NM_EFORMAT, "it has %d inputs, expected %d to %d", node->n_inputs,
                        op->min_in, op->max_in >= 0 ? op->max_in : NMI_MAX_NODE_INPUTS);
    }
    if (node->n_outputs < op->min_out || (op->max_out >= 0 && node->n_outputs > op->max_out)) {
        return nmi_fail(err, NM_EFORMAT, "it has %d outputs, expected %d to %d", node->n_outputs,
                        op->min_out, op->max_out >= 0 ? op->max_out : NMI_MAX_NODE_INPUTS);
    }
    int32_t required = op->max_in >= 0 ? op->min_in : node->n_inputs;
    for (int32_t i = 0; i < required; i++) {
        if (in[i] == NULL) {
            return nmi_fail(err, NM_EFORMAT, "input %d is missing", i);
        }
    }
    return NM_OK;
}

static nm_status infer_checked(const struct nmi_op *op, struct nmi_infer *in, nm_error *err)
{
    NMI_TRY(check_counts(op, in->node, in->in, err));
    int32_t typed = op->flags & NMI_OP_BROADCAST ? in->n_in : in->n_in > 0 && op->max_in != 0;
    for (int32_t i = 0; i < typed; i++) {
        NMI_TRY(nmi_fact_types(in, i, op->types, err));
    }
    NMI_TRY(op->infer(in, err));
    for (int32_t i = 0; i < in->n_out; i++) {
        NMI_TRY(nmi_fact_check(&in->out[i], err));
    }
    return NM_OK;
}

nm_status nmi_op_infer(const struct nmi_node *node, const struct nmi_fact *const *in,
                       struct nmi_fact *out, struct nmi_arena *arena, nm_error *err)
{
    const struct nmi_op *op = nmi_ops[node->op];
    struct nmi_infer infer = {.node = node,
                              .attrs = node->attrs,
                              .opset = node->opset,
                              .in = in,
                              .n_in = node->n_inputs,
                              .out = out,
                              .n_out = node->n_outputs,
                              .arena = arena};
    for (int32_t i = 0; i < node->n_outputs; i++) {
        out[i] = (struct nmi_fact){.type = NM_TYPE_NONE, .rank = -1};
    }
    nm_status status = infer_checked(op, &infer, err);
    if (status != NM_OK) {
        return nmi_fail_in(err, status, "node %s (%s)", node->name, op->name);
    }
    return NM_OK;
}
