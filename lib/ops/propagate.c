/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts for a whole graph, in one walk over its nodes. What depends on constants alone (or on
 * inputs whose contents are given) is evaluated, so that shapes that are computed in the graph are
 * numbers by the time a node needs them.
 */
#include "lib/base/checked.h"
#include "lib/ops/helpers.h"
#include "lib/ops/op.h"
#include <string.h>

struct propagation {
    const struct nmi_graph *g;
    struct nmi_fact *facts;
    struct nmi_budget *budget;
    struct nmi_arena *arena;
    bool concrete; /* nothing about the inputs is left open: an unknown shape is an error */
    /* room for one node */
    const struct nmi_fact **in;
    struct nmi_fact *hidden; /* facts of TENSOR attributes */
    struct nmi_fact *out;
    struct nmi_tensor *tensors;
    const struct nmi_tensor **in_tensors;
};

/* ---- which inputs decide shapes ------------------------------------------------------------- */

nm_status nmi_shape_inputs(const struct nmi_graph *g, bool *mask, nm_error *err)
{
    bool *needed = nmi_calloc((size_t)g->n_values + 1, sizeof *needed);
    if (needed == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_values,
                               "the search for inputs that decide shapes");
    }
    for (int32_t i = g->n_nodes - 1; i >= 0; i--) { /* users stand behind producers */
        const struct nmi_node *n = &g->nodes[i];
        bool all = false;
        for (int32_t k = 0; k < n->n_outputs; k++) {
            all = all || (n->outputs[k] != NMI_NONE && needed[n->outputs[k]]);
        }
        all = all && n->op != NMI_OP_Shape && n->op != NMI_OP_Size; /* they ask for dims only */
        uint32_t shape = nmi_ops[n->op]->shape_inputs;
        for (int32_t k = 0; k < n->n_inputs; k++) {
            bool decides = k < 32 && (shape >> k & 1) != 0;
            if (n->inputs[k] != NMI_NONE && (all || decides)) {
                needed[n->inputs[k]] = true;
            }
        }
    }
    for (int32_t i = 0; i < g->n_inputs; i++) {
        mask[i] = needed[g->inputs[i]];
    }
    nmi_free(needed);
    return NM_OK;
}

/* ---- before the walk ------------------------------------------------------------------------ */

static void fact_of_constant(const struct nmi_constant *c, struct nmi_fact *f)
{
    nmi_fact_set(f, c->type, c->rank, c->dims);
    f->data = c->data != NULL ? c->data : ""; /* an empty constant is known, too */
    f->known = NULL;
}

static bool is_given(const struct nmi_fact *f)
{
    return f->type != NM_TYPE_NONE && f->rank >= 0;
}

static nm_status start_facts(struct propagation *p, nm_error *err)
{
    const struct nmi_graph *g = p->g;
    for (int32_t i = 0; i < g->n_inputs; i++) {
        int32_t id = g->inputs[i];
        const struct nmi_value *v = &g->values[id];
        if (!is_given(&p->facts[id])) {
            p->facts[id] = (struct nmi_fact){.type = v->type, .rank = -1};
            nmi_fact_set(&p->facts[id], v->type, v->rank, v->dims);
        }
        nm_status status = nmi_fact_check(&p->facts[id], err);
        if (status != NM_OK) {
            return nmi_fail_in(err, status, "input %s", v->name);
        }
    }
    for (int32_t i = 0; i < g->n_values; i++) {
        const struct nmi_constant *c = nmi_graph_constant(g, i);
        if (c != NULL) {
            fact_of_constant(c, &p->facts[i]);
        }
    }
    return NM_OK;
}

/* All inputs have numbers for dims, and those that decide shapes have contents. */
static nm_status find_concrete(struct propagation *p, nm_error *err)
{
    const struct nmi_graph *g = p->g;
    bool *mask = nmi_arena_array(p->arena, (size_t)g->n_inputs + 1, sizeof *mask);
    if (mask == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_inputs, "the facts of the inputs");
    }
    NMI_TRY(nmi_shape_inputs(g, mask, err));
    p->concrete = true;
    for (int32_t i = 0; i < g->n_inputs; i++) {
        const struct nmi_fact *f = &p->facts[g->inputs[i]];
        if (!nmi_fact_concrete(f) || (mask[i] && f->data == NULL)) {
            p->concrete = false;
        }
    }
    return NM_OK;
}

static nm_status make_room(struct propagation *p, nm_error *err)
{
    size_t most_in = 0, most_out = 0;
    for (int32_t i = 0; i < p->g->n_nodes; i++) {
        size_t n_in = (size_t)p->g->nodes[i].n_inputs, n_out = (size_t)p->g->nodes[i].n_outputs;
        most_in = n_in > most_in ? n_in : most_in;
        most_out = n_out > most_out ? n_out : most_out;
    }
    most_in++; /* a TENSOR attribute */
    p->in = nmi_arena_array(p->arena, most_in, sizeof *p->in);
    p->hidden = nmi_arena_alloc(p->arena, sizeof *p->hidden);
    p->out = nmi_arena_array(p->arena, most_out + 1, sizeof *p->out);
    p->tensors = nmi_arena_array(p->arena, most_in + most_out, sizeof *p->tensors);
    p->in_tensors = nmi_arena_array(p->arena, most_in, sizeof *p->in_tensors);
    if (!p->in || !p->hidden || !p->out || !p->tensors || !p->in_tensors) {
        return nmi_fail_memory(err, (most_in + most_out) * sizeof *p->tensors, "one node's facts");
    }
    return NM_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------- */

static double work_of(const struct nmi_op *op, const struct nmi_eval *e)
{
    if (op->work != NULL) {
        return op->work(e);
    }
    double work = 1;
    for (int32_t i = 0; i < e->n_in; i++) {
        work += e->in[i] != NULL ? (double)nmi_count(e->in[i]) : 0;
    }
    for (int32_t i = 0; i < e->n_out; i++) {
        work += (double)nmi_count(&e->out[i]);
    }
    return work;
}

static struct nmi_tensor tensor_of(const struct nmi_fact *f)
{
    struct nmi_tensor t = {.type = f->type, .rank = f->rank, .data = (void *)f->data};
    for (int32_t k = 0; k < f->rank; k++) {
        t.dims[k] = f->dims[k];
    }
    return t;
}

/* Bytes of a file may start anywhere; eval reads elements. */
static nm_status align(struct nmi_tensor *t, struct nmi_arena *scratch, nm_error *err)
{
    if ((uintptr_t)t->data % nm_type_size(t->type) != 0) {
        size_t bytes = (size_t)nmi_count(t) * nm_type_size(t->type);
        t->data = nmi_arena_copy(scratch, t->data, bytes);
        if (t->data == NULL) {
            return nmi_fail_memory(err, bytes, "an aligned copy of a constant");
        }
    }
    return NM_OK;
}

static nm_status allocate_outputs(struct propagation *p, const struct nmi_node *n,
                                  struct nmi_eval *e, nm_error *err)
{
    for (int32_t i = 0; i < n->n_outputs; i++) {
        if (n->outputs[i] == NMI_NONE) {
            continue;
        }
        size_t bytes = (size_t)nmi_count(&e->out[i]) * nm_type_size(e->out[i].type);
        e->out[i].data = nmi_arena_alloc(p->arena, bytes);
        if (e->out[i].data == NULL) {
            return nmi_fail_memory(err, bytes, "a folded value");
        }
    }
    return NM_OK;
}

static nm_status run_eval(struct propagation *p, const struct nmi_node *n, struct nmi_eval *e,
                          struct nmi_arena *scratch, nm_error *err)
{
    const struct nmi_op *op = nmi_ops[n->op];
    for (int32_t i = 0; i < e->n_in; i++) {
        if (e->in[i] != NULL) {
            NMI_TRY(align(&p->tensors[i], scratch, err));
        }
    }
    NMI_TRY(allocate_outputs(p, n, e, err));
    if (op->scratch != NULL) {
        size_t bytes = op->scratch(e);
        e->scratch = nmi_arena_alloc(scratch, bytes);
        if (e->scratch == NULL) {
            return nmi_fail_memory(err, bytes, "the folding of a node");
        }
    }
    NMI_TRY(op->eval(e, err));
    for (int32_t i = 0; i < n->n_outputs; i++) {
        p->out[i].data = e->out[i].data;
        p->out[i].known = NULL;
    }
    return NM_OK;
}

/* Whether all inputs have contents and all outputs a size within the budget. */
static bool can_evaluate(const struct propagation *p, const struct nmi_node *n)
{
    for (int32_t i = 0; i < n->n_inputs; i++) {
        if (p->in[i] != NULL && (p->in[i]->data == NULL || !nmi_fact_concrete(p->in[i]))) {
            return false;
        }
    }
    for (int32_t i = 0; i < n->n_outputs; i++) {
        size_t bytes;
        const struct nmi_fact *f = &p->out[i];
        if (!nmi_fact_concrete(f) ||
            !nmi_tensor_bytes((int32_t)f->type, f->rank, f->dims, &bytes) ||
            bytes > p->budget->bytes) {
            return false;
        }
    }
    return nmi_ops[n->op]->eval != NULL;
}

static nm_status evaluate(struct propagation *p, const struct nmi_node *n, nm_error *err)
{
    struct nmi_eval e = {.attrs = n->attrs,
                         .opset = n->opset,
                         .in = p->in_tensors,
                         .n_in = n->n_inputs,
                         .out = p->tensors + n->n_inputs,
                         .n_out = n->n_outputs,
                         .name = n->name};
    for (int32_t i = 0; i < n->n_inputs; i++) {
        p->in_tensors[i] = NULL;
        if (p->in[i] != NULL) {
            p->tensors[i] = tensor_of(p->in[i]);
            p->in_tensors[i] = &p->tensors[i];
        }
    }
    for (int32_t i = 0; i < n->n_outputs; i++) {
        e.out[i] = tensor_of(&p->out[i]);
        e.out[i].data = NULL;
    }
    double work = work_of(nmi_ops[n->op], &e);
    if (work > p->budget->work) {
        return NM_OK;
    }
    p->budget->work -= work;
    struct nmi_arena scratch = {.limit = p->arena->limit};
    nm_status status = run_eval(p, n, &e, &scratch, err);
    nmi_arena_free(&scratch);
    return status;
}

/* ---- the walk ------------------------------------------------------------------------------- */

/* Contents that are all numbers become data, so that what follows can be evaluated. */
static nm_status settle_known(struct propagation *p, struct nmi_fact *f, nm_error *err)
{
    struct nmi_ints v;
    if (f->known == NULL || f->data != NULL || !nmi_fact_ints(f, &v)) {
        return NM_OK;
    }
    size_t size = nm_type_size(f->type);
    char *data = nmi_arena_array(p->arena, (size_t)v.n, size);
    if (data == NULL) {
        return nmi_fail_memory(err, (size_t)v.n * size, "a shape");
    }
    for (int32_t i = 0; i < v.n; i++) {
        int32_t narrow = (int32_t)v.v[i];
        memcpy(data + (size_t)i * size, f->type == NM_I32 ? (void *)&narrow : (void *)&v.v[i],
               size);
    }
    f->data = data;
    f->known = NULL;
    return NM_OK;
}

/* The node with its TENSOR attribute, if there is one, as a last input at index max_in. */
static void gather_inputs(struct propagation *p, struct nmi_node *n)
{
    for (int32_t i = 0; i < n->n_inputs; i++) {
        p->in[i] = n->inputs[i] == NMI_NONE ? NULL : &p->facts[n->inputs[i]];
    }
    const struct nmi_op *op = nmi_ops[n->op];
    for (const struct nmi_attr *a = op->attr; a != NULL && a->name != NULL; a++) {
        if (a->kind != NMI_ATTR_TENSOR) {
            continue;
        }
        int32_t id;
        memcpy(&id, (const char *)n->attrs + a->offset, sizeof id);
        if (id >= 0 && id < p->g->n_constants && n->n_inputs == op->max_in) {
            fact_of_constant(&p->g->constants[id], p->hidden);
            p->in[n->n_inputs++] = p->hidden;
        }
    }
}

/* With nothing left open, a shape that is still unknown follows from contents that only a run
 * makes. */
static nm_status check_shapes(const struct propagation *p, const struct nmi_node *n, nm_error *err)
{
    uint32_t shape = nmi_ops[n->op]->shape_inputs;
    bool open = false;
    for (int32_t i = 0; i < n->n_outputs; i++) {
        open = open || !nmi_fact_concrete(&p->out[i]);
    }
    for (int32_t i = 0; open && p->concrete && i < n->n_inputs && i < 32; i++) {
        if ((shape >> i & 1) != 0 && p->in[i] != NULL && p->in[i]->data == NULL) {
            return nmi_fail(err, NM_EUNSUPPORTED,
                            "node %s (%s): the contents of input %d (%s) decide a shape, and they "
                            "are not known before the network runs",
                            n->name, nmi_ops[n->op]->name, i, p->g->values[n->inputs[i]].name);
        }
    }
    return NM_OK;
}

static nm_status visit(struct propagation *p, const struct nmi_node *node, nm_error *err)
{
    struct nmi_node n = *node;
    gather_inputs(p, &n);
    NMI_TRY(nmi_op_infer(&n, p->in, p->out, p->arena, err));
    NMI_TRY(check_shapes(p, node, err));
    bool alias = (nmi_ops[n.op]->flags & NMI_OP_ALIAS) != 0 || n.op == NMI_OP_Constant;
    if (alias && n.n_inputs > 0 && n.n_outputs == 1 && p->in[0]->data != NULL &&
        nmi_fact_concrete(&p->out[0])) {
        p->out[0].data = p->in[0]->data;
        p->out[0].known = NULL;
    } else if (can_evaluate(p, &n)) {
        NMI_TRY(evaluate(p, &n, err));
    }
    for (int32_t i = 0; i < n.n_outputs; i++) {
        NMI_TRY(settle_known(p, &p->out[i], err));
        if (n.outputs[i] != NMI_NONE) {
            p->facts[n.outputs[i]] = p->out[i];
        }
    }
    return NM_OK;
}

nm_status nmi_propagate(const struct nmi_graph *g, struct nmi_fact *facts,
                        struct nmi_budget *budget, struct nmi_arena *arena, nm_error *err)
{
    struct propagation p = {.g = g, .facts = facts, .budget = budget, .arena = arena};
    NMI_TRY(start_facts(&p, err));
    NMI_TRY(find_concrete(&p, err));
    NMI_TRY(make_room(&p, err));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].n_outputs > 0) {
            NMI_TRY(visit(&p, &g->nodes[i], err));
        }
    }
    return NM_OK;
}
