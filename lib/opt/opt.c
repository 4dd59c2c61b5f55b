/* SPDX-License-Identifier: Apache-2.0 */
/* The list of passes and the runner. */
#include "lib/opt/opt.h"

#include "lib/opt/pass.h"

/*
 * Why this order: folding leaves identities; the pad must be in its window before a
 * BatchNormalization may go into the convolution behind it; a residual needs a convolution (a
 * shortcut's too) that has its scale and no activation yet, and the activation behind the sum comes
 * last. Zero channels show once bias and activation are in one node.
 */
const struct nmi_pass nmi_passes[] = {
    {"infer", nmi_pass_infer, false}, {"fold", nmi_pass_fold, false},
    {"dead", nmi_pass_dead, false},   {"identity", nmi_pass_identity, false},
    {"pad", nmi_pass_pad, false},     {"shortcut", nmi_pass_shortcut, true},
    {"gemm", nmi_pass_gemm, false},
    {"norm", nmi_pass_norm, false},   {"bn", nmi_pass_bn, false},
    {"residual", nmi_pass_residual, false}, {"act", nmi_pass_act, false},
    {"zero", nmi_pass_zero, true},    {"dead", nmi_pass_dead, false},
    {NULL, NULL, false},
};

#define COPIES 4        /* of all constants of the file, in bytes that passes may write */
#define FOLDED 8        /* values of the largest size that inference may hold */
#define NODE_BYTES 4096 /* for names and ids around a node that is rewritten */

static size_t saturating_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t saturating_mul(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

/* What passes may write, by the size of the constants: those of external files are not in the limit
 * that the graph's arena has from the file's size. */
static void set_room(struct nmi_opt *o, struct nmi_graph *g)
{
    size_t bytes = 0;
    for (int32_t c = 0; c < g->n_constants; c++) {
        bytes = saturating_add(bytes, g->constants[c].bytes);
    }
    o->copies = saturating_add(saturating_mul(bytes, COPIES), o->budget.bytes);
    o->held.limit = saturating_add(saturating_mul(o->budget.bytes, FOLDED),
                                   saturating_mul((size_t)g->n_values, 1024));
    if (g->arena.limit != 0) {
        size_t nodes = saturating_mul((size_t)g->n_nodes + 1, NODE_BYTES);
        size_t room = saturating_add(saturating_mul(o->copies, 2), nodes);
        g->arena.limit = saturating_add(g->arena.used, room);
    }
}

void nmi_opt_begin(struct nmi_opt *o, struct nmi_graph *g, const nm_limits *limits,
                   const struct nmi_log *log)
{
    *o = (struct nmi_opt){.log = log};
    o->budget.work = (double)limits->load_work;
    o->budget.bytes = (size_t)limits->folded_bytes;
    for (int32_t v = 0; v < g->n_values; v++) {
        if (g->values[v].constant != NMI_NONE) {
            g->constants[g->values[v].constant].source = v;
        }
    }
    set_room(o, g);
#ifndef NDEBUG
    o->verify = true;
#endif
}

void nmi_opt_end(struct nmi_opt *o)
{
    nmi_arena_free(&o->arena);
    nmi_arena_free(&o->held);
    o->facts = NULL;
}

nm_status nmi_optimize_step(struct nmi_graph *g, const struct nmi_pass *pass, struct nmi_opt *o,
                            nm_error *err)
{
    o->changes = 0;
    nm_status status = pass->run(g, o, err);
    nmi_arena_free(&o->arena);
    NMI_TRY(status);
    NMI_TRY(nmi_graph_compact(g, err));
    if (o->verify) {
        nm_error why = {0};
        status = nmi_graph_verify(g, &why);
        if (status == NM_ENOMEM) {
            return nmi_fail(err, NM_ENOMEM, "%s", why.message);
        }
        if (status != NM_OK) {
            return nmi_fail(err, NM_EINTERNAL, "pass %s broke the graph: %s", pass->name,
                            why.message);
        }
    }
    if (o->log != NULL && o->changes > 0) {
        nmi_log(o->log, 2, "pass %s: %d changes, %d nodes left", pass->name, (int)o->changes,
                (int)g->n_nodes);
    }
    return NM_OK;
}

static nm_status run_passes(struct nmi_graph *g, const nm_limits *limits, const struct nmi_log *log,
                            bool mapped, nm_error *err)
{
    struct nmi_opt o;
    nmi_opt_begin(&o, g, limits, log);
    nm_status status = NM_OK;
    for (const struct nmi_pass *pass = nmi_passes; pass->run != NULL && status == NM_OK; pass++) {
        if (!mapped || !pass->loses_source) {
            status = nmi_optimize_step(g, pass, &o, err);
        }
    }
    nmi_opt_end(&o);
    return status;
}

nm_status nmi_optimize(struct nmi_graph *g, const nm_limits *limits, const struct nmi_log *log,
                       nm_error *err)
{
    return run_passes(g, limits, log, false, err);
}

nm_status nmi_optimize_mapped(struct nmi_graph *g, const nm_limits *limits,
                              const struct nmi_log *log, nm_error *err)
{
    return run_passes(g, limits, log, true, err);
}
