/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constant folding. Evaluation has happened in pass_infer, within the budget; here its results
 * become constants. Real exports compute Reshape's shape from Shape of a tensor with a free batch:
 * such an operand, known as numbers and symbols, is written as Reshape's own 0 (same as the input)
 * and -1.
 */
#include "lib/opt/pass.h"

#include "lib/base/checked.h"
#include <string.h>

struct fold {
    bool *folds;     /* by node */
    bool *needed;    /* by value: a node that stays, or the caller, reads it */
    int32_t *source; /* by value: the source graph's value that has the same zeros, or NMI_NONE */
};

/* The contents of all its outputs are known. */
static bool foldable(const struct nmi_opt *o, const struct nmi_node *node)
{
    for (int32_t k = 0; k < node->n_outputs; k++) {
        if (node->outputs[k] != NMI_NONE && o->facts[node->outputs[k]].data == NULL) {
            return false;
        }
    }
    return node->n_outputs > 0;
}

/* Room for those of its outputs that anything needs. */
static bool affords(struct nmi_opt *o, const struct fold *f, const struct nmi_node *node)
{
    for (int32_t k = 0; k < node->n_outputs; k++) {
        int32_t v = node->outputs[k];
        const struct nmi_fact *fact = v == NMI_NONE ? NULL : &o->facts[v];
        size_t bytes;
        if (fact != NULL && f->needed[v] &&
            (!nmi_tensor_bytes((int32_t)fact->type, fact->rank, fact->dims, &bytes) ||
             !nmi_opt_afford(o, bytes))) {
            return false;
        }
    }
    return true;
}

/* From the end on, so that what needs a value is known before the node that makes it. */
static nm_status look(const struct nmi_graph *g, struct nmi_opt *o, struct fold *f, nm_error *err)
{
    size_t n = (size_t)g->n_values + 1;
    f->folds = nmi_arena_array(&o->arena, (size_t)g->n_nodes + 1, sizeof *f->folds);
    f->needed = nmi_arena_array(&o->arena, n, sizeof *f->needed);
    f->source = nmi_arena_array(&o->arena, n, sizeof *f->source);
    if (f->folds == NULL || f->needed == NULL || f->source == NULL) {
        return nmi_fail_memory(err, n * 5, "marks of values");
    }
    for (int32_t v = 0; v < g->n_values; v++) {
        const struct nmi_constant *c = nmi_graph_constant(g, v);
        f->source[v] = c == NULL ? NMI_NONE : c->source;
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        f->needed[g->outputs[i]] = true;
    }
    for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
        const struct nmi_node *node = &g->nodes[i];
        f->folds[i] = foldable(o, node) && affords(o, f, node);
        for (int32_t k = 0; k < node->n_inputs && !f->folds[i]; k++) {
            if (node->inputs[k] != NMI_NONE) {
                f->needed[node->inputs[k]] = true;
            }
        }
    }
    return NM_OK;
}

/* Where only dims change, zeros stay where they are. A Constant node is its own source. */
static int32_t source_of(const struct fold *f, const struct nmi_node *node, int32_t v)
{
    if (node->op == NMI_OP_Constant) {
        return v;
    }
    bool alias = (nmi_ops[node->op]->flags & NMI_OP_ALIAS) != 0 && node->n_inputs > 0;
    return alias && node->inputs[0] != NMI_NONE ? f->source[node->inputs[0]] : NMI_NONE;
}

/* The bytes for good: those of a Constant node's tensor stay where they are. */
static const void *keep(struct nmi_graph *g, const struct nmi_node *node, const void *data,
                        size_t bytes)
{
    const int32_t *id = node->op == NMI_OP_Constant ? nmi_opt_attr(node, "value") : NULL;
    if (bytes == 0) {
        return "";
    }
    if (id != NULL && *id != NMI_NONE) {
        return g->constants[*id].data;
    }
    return nmi_arena_copy(&g->arena, data, bytes);
}

/* v itself becomes the constant, so that a graph output keeps its name. */
static nm_status make_constant(struct nmi_graph *g, const struct nmi_fact *fact, int32_t source,
                               int32_t v, nm_error *err)
{
    const struct nmi_node *node = &g->nodes[g->values[v].producer];
    struct nmi_constant c = {.type = fact->type, .rank = fact->rank, .source = source};
    memcpy(c.dims, fact->dims, sizeof c.dims);
    if (!nmi_tensor_bytes((int32_t)c.type, c.rank, c.dims, &c.bytes)) {
        return nmi_fail(err, NM_EINTERNAL, "value %s: folded to an impossible shape",
                        g->values[v].name);
    }
    c.data = keep(g, node, fact->data, c.bytes);
    if (c.data == NULL) {
        return nmi_fail_memory(err, c.bytes, "a folded constant");
    }
    int32_t made;
    NMI_TRY(nmi_opt_add_constant(g, g->values[v].name, &c, &made, err));
    g->values[v].constant = g->values[made].constant;
    g->values[v].producer = NMI_NONE;
    g->values[made].constant = NMI_NONE;
    return NM_OK;
}

static nm_status fold_node(struct nmi_graph *g, struct nmi_opt *o, struct fold *f, int32_t at,
                           nm_error *err)
{
    for (int32_t k = 0; k < g->nodes[at].n_outputs; k++) {
        int32_t v = g->nodes[at].outputs[k];
        if (v == NMI_NONE) {
            continue;
        }
        f->source[v] = source_of(f, &g->nodes[at], v);
        if (f->needed[v]) {
            NMI_TRY(make_constant(g, &o->facts[v], f->source[v], v, err));
        }
    }
    nmi_graph_remove_node(g, at);
    o->changes++;
    return NM_OK;
}

/* Writes known elements as a Reshape shape; false when that takes more than 0s and one -1. */
static bool as_reshape(const struct nmi_fact *in, const struct nmi_fact *shape, int64_t *out)
{
    int64_t free = 0;
    for (int64_t i = 0; i < shape->dims[0]; i++) {
        const struct nmi_known *k = &shape->known[i];
        if (k->dim == 0) {
            out[i] = k->v;
        } else if (in->rank > i && in->dims[i] == k->dim && nmi_dim_symbol_id(k->dim) != NMI_NONE) {
            out[i] = 0;
        } else {
            out[i] = -1;
        }
        free += out[i] == -1;
    }
    return free <= 1;
}

/* Expand's shape: 1 says "as the input". */
static bool as_expand(const struct nmi_fact *in, const struct nmi_fact *shape, int64_t *out)
{
    for (int64_t i = 0; i < shape->dims[0]; i++) {
        const struct nmi_known *k = &shape->known[i];
        int64_t at = i + in->rank - shape->dims[0];
        bool same = at >= 0 && in->dims[at] == k->dim && nmi_dim_symbol_id(k->dim) != NMI_NONE;
        if (k->dim != 0 && !same) {
            return false;
        }
        out[i] = k->dim != 0 ? 1 : k->v;
    }
    return true;
}

static nm_status make_shape(struct nmi_graph *g, struct nmi_opt *o, int32_t at, nm_error *err)
{
    const struct nmi_node *node = &g->nodes[at];
    if ((node->op != NMI_OP_Reshape && node->op != NMI_OP_Expand) || node->n_inputs < 2 ||
        node->inputs[0] == NMI_NONE || node->inputs[1] == NMI_NONE) {
        return NM_OK;
    }
    const struct nmi_fact *in = &o->facts[node->inputs[0]], *shape = &o->facts[node->inputs[1]];
    const int64_t *zero = nmi_opt_attr(node, "allowzero");
    if (shape->known == NULL || shape->rank != 1 || shape->dims[0] < 1 ||
        shape->dims[0] > NMI_MAX_DIMS || in->rank < 0 || (zero != NULL && *zero != 0)) {
        return NM_OK;
    }
    int64_t dims[NMI_MAX_DIMS];
    if (!(node->op == NMI_OP_Reshape ? as_reshape(in, shape, dims) : as_expand(in, shape, dims))) {
        return NM_OK;
    }
    struct nmi_constant c = {.type = NM_I64, .rank = 1, .source = NMI_NONE};
    c.dims[0] = shape->dims[0];
    c.bytes = (size_t)c.dims[0] * sizeof *dims;
    c.data = nmi_arena_copy(&g->arena, dims, c.bytes);
    if (c.data == NULL) {
        return nmi_fail_memory(err, c.bytes, "a folded shape");
    }
    int32_t made;
    NMI_TRY(nmi_opt_add_constant(g, g->values[node->inputs[1]].name, &c, &made, err));
    g->nodes[at].inputs[1] = made;
    o->changes++;
    return NM_OK;
}

nm_status nmi_pass_fold(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    if (o->facts == NULL) {
        return nmi_fail(err, NM_EINTERNAL, "pass fold: no facts");
    }
    struct fold f;
    NMI_TRY(look(g, o, &f, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (f.folds[i]) {
            NMI_TRY(fold_node(g, o, &f, i, err));
        } else {
            NMI_TRY(make_shape(g, o, i, err));
        }
    }
    nmi_arena_free(&o->held);
    o->facts = NULL;
    return NM_OK;
}
