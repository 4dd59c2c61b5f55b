/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/piece.h"

#include "lib/base/checked.h"
#include "lib/base/mem.h"
#include "lib/base/parallel.h"
#include "lib/ops/attrs.h"

#include <stdatomic.h>
#include <string.h>

/* ---- kept values ---------------------------------------------------------------------------- */

nm_status nmi_kept_create(struct nmi_kept *kept, int32_t n_values, int32_t n_batches, nm_error *err)
{
    *kept = (struct nmi_kept){n_values, n_batches,
                              nmi_calloc((size_t)n_values + 1, sizeof *kept->at)};
    return kept->at != NULL ? NM_OK
                            : nmi_fail_memory(err, (size_t)n_values * sizeof *kept->at, "pruning");
}

nm_status nmi_kept_add(struct nmi_kept *kept, int32_t value, nm_error *err)
{
    kept->at[value] = nmi_calloc((size_t)kept->n_batches, sizeof **kept->at);
    return kept->at[value] != NULL
               ? NM_OK
               : nmi_fail_memory(err, (size_t)kept->n_batches * sizeof **kept->at, "activations");
}

void nmi_kept_drop_batch(struct nmi_kept *kept, int32_t value, int32_t batch)
{
    nmi_free(kept->at[value][batch].data);
    kept->at[value][batch].data = NULL;
}

void nmi_kept_drop(struct nmi_kept *kept, int32_t value)
{
    for (int32_t b = 0; kept->at[value] != NULL && b < kept->n_batches; b++) {
        nmi_kept_drop_batch(kept, value, b);
    }
    nmi_free(kept->at[value]);
    kept->at[value] = NULL;
}

void nmi_kept_free(struct nmi_kept *kept)
{
    for (int32_t v = 0; kept->at != NULL && v < kept->n_values; v++) {
        nmi_kept_drop(kept, v);
    }
    nmi_free(kept->at);
    kept->at = NULL;
}

void nmi_piece_needs(const struct nmi_graph *g, const struct nmi_kept *kept, const int32_t *wanted,
                     int32_t n_wanted, bool *need)
{
    memset(need, 0, (size_t)g->n_values * sizeof *need);
    for (int32_t i = 0; i < n_wanted; i++) {
        if (wanted[i] != NMI_NONE) {
            need[wanted[i]] = true;
        }
    }
    for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
        const struct nmi_node *node = &g->nodes[i];
        bool runs = false;
        for (int32_t k = 0; k < node->n_outputs; k++) {
            const int32_t v = node->outputs[k];
            runs |= v != NMI_NONE && need[v] && kept->at[v] == NULL;
        }
        for (int32_t k = 0; runs && k < node->n_inputs; k++) {
            if (node->inputs[k] != NMI_NONE) {
                need[node->inputs[k]] = true;
            }
        }
    }
}

/* ---- pieces --------------------------------------------------------------------------------- */

struct nmi_piece {
    struct nmi_piece_job job;
    struct nmi_graph *graph; /* NULL: all wanted values are kept */
    struct nmi_network network;
    struct nmi_session **sessions;
    int32_t made[4]; /* of each wanted value: which output of the graph, or NMI_NONE */
    nm_tensor *in;  /* threads x graph inputs */
    nm_tensor *out; /* threads x graph outputs */
    struct nmi_arena arena;
};

static void cut_nodes(struct nmi_graph *g, const struct nmi_kept *kept, const bool *need)
{
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *node = &g->nodes[i];
        bool runs = false;
        for (int32_t k = 0; k < node->n_outputs; k++) {
            const int32_t v = node->outputs[k];
            runs |= v != NMI_NONE && need[v] && kept->at[v] == NULL;
        }
        if (!runs) {
            nmi_graph_remove_node(g, i);
        }
    }
}

/* Inputs are the kept values that are needed, outputs the wanted ones that are not kept. */
static nm_status set_borders(struct nmi_piece *p, const bool *need, nm_error *err)
{
    struct nmi_graph *g = p->graph;
    const struct nmi_kept *kept = p->job.kept;
    g->inputs = nmi_arena_array(&g->arena, (size_t)g->n_values, sizeof *g->inputs);
    g->outputs = nmi_arena_array(&g->arena, (size_t)p->job.n_wanted + 1, sizeof *g->outputs);
    if (g->inputs == NULL || g->outputs == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_values * sizeof *g->inputs, "pruning");
    }
    g->n_inputs = g->n_outputs = 0;
    for (int32_t v = 0; v < kept->n_values; v++) {
        if (need[v] && kept->at[v] != NULL && g->values[v].producer == NMI_NONE) {
            g->inputs[g->n_inputs++] = v;
        }
    }
    for (int32_t i = 0; i < p->job.n_wanted; i++) {
        if (p->made[i] != NMI_NONE) {
            p->made[i] = g->n_outputs;
            g->outputs[g->n_outputs++] = p->job.wanted[i];
        }
    }
    return NM_OK;
}

/* Takes activation and residual off a node of the copy. */
static void lay_bare(struct nmi_graph *g, int32_t at)
{
    struct nmi_node *node = &g->nodes[at];
    if (node->op == NMI_OP_Conv) {
        struct nmi_conv_attrs *attrs = node->attrs;
        attrs->act = (struct nmi_act){0};
        if (attrs->residual) {
            node->inputs[3] = NMI_NONE;
            node->n_inputs = node->n_inputs == 4 ? 3 : node->n_inputs;
            attrs->residual = 0;
        }
    } else if (node->attrs != NULL) {
        ((struct nmi_gemm_attrs *)node->attrs)->act = (struct nmi_act){0};
    }
}

static nm_status cut_graph(struct nmi_piece *p, nm_error *err)
{
    const struct nmi_piece_job *job = &p->job;
    const struct nmi_graph *graph = job->graph;
    bool *need = nmi_arena_array(&p->arena, (size_t)graph->n_values + 1, sizeof *need);
    if (need == NULL) {
        return nmi_fail_memory(err, (size_t)graph->n_values, "pruning");
    }
    nmi_piece_needs(graph, job->kept, job->wanted, job->n_wanted, need);
    NMI_TRY(nmi_graph_copy(graph, nmi_op_attr_bytes, &p->graph, err));
    if (job->raw != NMI_NONE) {
        lay_bare(p->graph, job->raw);
    }
    cut_nodes(p->graph, job->kept, need);
    NMI_TRY(set_borders(p, need, err));
    return nmi_graph_compact(p->graph, err);
}

static nm_status open_sessions(struct nmi_piece *p, nm_error *err)
{
    const size_t threads = (size_t)p->job.threads;
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.threads = 1;
    o.fixed_plan = 1;
    p->network.graph = p->graph;
    p->sessions = nmi_arena_array(&p->arena, threads, sizeof *p->sessions);
    p->in = nmi_arena_array(&p->arena, threads * (size_t)p->graph->n_inputs + 1, sizeof *p->in);
    p->out = nmi_arena_array(&p->arena, threads * (size_t)p->graph->n_outputs + 1, sizeof *p->out);
    if (p->sessions == NULL || p->in == NULL || p->out == NULL) {
        return nmi_fail_memory(err, threads * sizeof *p->in, "pruning");
    }
    NMI_TRY(nmi_weights_create(&p->network.weights, err));
    for (int32_t t = 0; t < p->job.threads; t++) {
        NMI_TRY(nmi_session_create(&p->network, &o, &p->sessions[t], err));
    }
    return NM_OK;
}

nm_status nmi_piece_create(const struct nmi_piece_job *job, struct nmi_piece **piece, nm_error *err)
{
    struct nmi_piece *p = nmi_calloc(1, sizeof *p);
    if (p == NULL) {
        return nmi_fail_memory(err, sizeof *p, "pruning");
    }
    p->job = *job;
    bool any = false;
    for (int32_t i = 0; i < job->n_wanted; i++) {
        const int32_t v = job->wanted[i];
        p->made[i] = v == NMI_NONE || job->kept->at[v] != NULL ? NMI_NONE : 0;
        any |= p->made[i] != NMI_NONE;
    }
    nm_status status = any ? cut_graph(p, err) : NM_OK;
    status = status == NM_OK && any ? open_sessions(p, err) : status;
    if (status != NM_OK) {
        nmi_piece_free(p);
        return status;
    }
    *piece = p;
    return NM_OK;
}

void nmi_piece_free(struct nmi_piece *p)
{
    if (p == NULL) {
        return;
    }
    for (int32_t t = 0; p->sessions != NULL && t < p->job.threads; t++) {
        nmi_session_free(p->sessions[t]);
    }
    nmi_weights_free(p->network.weights);
    nmi_graph_free(p->graph);
    nmi_arena_free(&p->arena);
    nmi_free(p);
}

/* Copies what the session made into memory of its own. */
static nm_status take(const nm_tensor *from, struct nmi_tensor *to, nm_error *err)
{
    size_t bytes = 0;
    *to = (struct nmi_tensor){.type = from->type, .rank = from->rank};
    memcpy(to->dims, from->dims, sizeof to->dims);
    if (!nmi_tensor_bytes((int32_t)from->type, from->rank, from->dims, &bytes)) {
        return nmi_fail_memory(err, SIZE_MAX, "activations");
    }
    to->data = nmi_alloc(bytes);
    if (to->data == NULL) {
        return nmi_fail_memory(err, bytes, "activations");
    }
    memcpy(to->data, from->data, bytes);
    return NM_OK;
}

static nm_status run_graph(struct nmi_piece *p, int32_t slot, int32_t batch, nm_tensor *made,
                           nm_error *err)
{
    const struct nmi_graph *g = p->graph;
    nm_tensor *in = p->in + (size_t)slot * (size_t)g->n_inputs;
    for (int32_t i = 0; i < g->n_inputs; i++) {
        const struct nmi_tensor *t = &p->job.kept->at[g->inputs[i]][batch];
        in[i] = (nm_tensor){.type = t->type, .rank = t->rank, .data = t->data};
        if (!nmi_tensor_bytes((int32_t)t->type, t->rank, t->dims, &in[i].capacity)) {
            return nmi_fail_memory(err, SIZE_MAX, "activations");
        }
        memcpy(in[i].dims, t->dims, sizeof in[i].dims);
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        made[i] = (nm_tensor){0};
    }
    return nmi_session_run(p->sessions[slot], in, (size_t)g->n_inputs, made, (size_t)g->n_outputs,
                           err);
}

nm_status nmi_piece_run(struct nmi_piece *p, int32_t slot, int32_t batch, struct nmi_tensor *out,
                        nm_error *err)
{
    nm_tensor *made = NULL;
    nm_status status = NM_OK;
    memset(out, 0, (size_t)p->job.n_wanted * sizeof *out);
    if (p->graph != NULL) {
        made = p->out + (size_t)slot * (size_t)p->graph->n_outputs;
        NMI_TRY(run_graph(p, slot, batch, made, err));
    }
    for (int32_t i = 0; i < p->job.n_wanted && status == NM_OK; i++) {
        if (p->made[i] != NMI_NONE) {
            status = take(&made[p->made[i]], &out[i], err);
        } else if (p->job.wanted[i] != NMI_NONE) {
            out[i] = p->job.kept->at[p->job.wanted[i]][batch];
        }
    }
    if (status != NM_OK) {
        nmi_piece_release(p, out);
    }
    return status;
}

void nmi_piece_release(const struct nmi_piece *p, struct nmi_tensor *out)
{
    for (int32_t i = 0; i < p->job.n_wanted; i++) {
        if (p->made[i] != NMI_NONE) {
            nmi_free(out[i].data);
            out[i].data = NULL;
        }
    }
}

/* ---- batches -------------------------------------------------------------------------------- */

struct batches {
    nmi_batch_fn fn;
    void *context;
    int32_t n_batches;
    atomic_int failed; /* lowest batch that failed so far */
    nm_error *errors;  /* by slot */
    int32_t *where;    /* by slot: the batch that failed */
};

static void run_slot(void *context, int part, int parts)
{
    struct batches *b = context;
    for (int32_t i = part; i < b->n_batches && i < atomic_load(&b->failed); i += parts) {
        if (b->fn(b->context, part, i, &b->errors[part]) != NM_OK) {
            int seen = atomic_load(&b->failed);
            while (i < seen && !atomic_compare_exchange_weak(&b->failed, &seen, i)) {
            }
            b->where[part] = i;
            return;
        }
    }
}

nm_status nmi_batches(int32_t threads, int32_t n_batches, nmi_batch_fn fn, void *context,
                      nm_error *err)
{
    struct batches b = {.fn = fn,
                        .context = context,
                        .n_batches = n_batches,
                        .errors = nmi_calloc((size_t)threads, sizeof *b.errors),
                        .where = nmi_calloc((size_t)threads, sizeof *b.where)};
    nm_status status = NM_OK;
    if (b.errors == NULL || b.where == NULL) {
        status = nmi_fail_memory(err, (size_t)threads * sizeof *b.errors, "pruning");
    } else {
        atomic_init(&b.failed, n_batches);
        nmi_parallel_for(threads, threads, run_slot, &b);
    }
    const int32_t failed = status == NM_OK ? atomic_load(&b.failed) : n_batches;
    for (int32_t t = 0; t < threads && failed < n_batches; t++) {
        if (b.errors[t].status != NM_OK && b.where[t] == failed) {
            status = nmi_fail(err, b.errors[t].status, "%s", b.errors[t].message);
        }
    }
    nmi_free(b.errors);
    nmi_free(b.where);
    return status;
}
