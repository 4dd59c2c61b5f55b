/* SPDX-License-Identifier: Apache-2.0 */
/* The list of passes and the runner. */
#include "lib/opt/opt.h"

#include "lib/opt/pass.h"

/*
 * Why this order: folding leaves identities; the pad must be in its window before a
 * BatchNormalization may go into the convolution behind it; a residual needs a convolution that has
 * its scale and no activation yet, and the activation behind the sum comes last. Zero channels show
 * once bias and activation are in one node.
 */
const struct nmi_pass nmi_passes[] = {
    {"infer", nmi_pass_infer}, {"fold", nmi_pass_fold},
    {"dead", nmi_pass_dead},   {"identity", nmi_pass_identity},
    {"pad", nmi_pass_pad},     {"gemm", nmi_pass_gemm},
    {"bn", nmi_pass_bn},       {"residual", nmi_pass_residual},
    {"act", nmi_pass_act},     {"zero", nmi_pass_zero},
    {"dead", nmi_pass_dead},   {NULL, NULL},
};

void nmi_opt_begin(struct nmi_opt *o, const nm_limits *limits, const struct nmi_log *log)
{
    *o = (struct nmi_opt){.log = log};
    o->budget.work = (double)limits->load_work;
    o->budget.bytes = (size_t)limits->folded_bytes;
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
        if (nmi_graph_verify(g, &why) != NM_OK) {
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

nm_status nmi_optimize(struct nmi_graph *g, const nm_limits *limits, const struct nmi_log *log,
                       nm_error *err)
{
    for (int32_t v = 0; v < g->n_values; v++) {
        if (g->values[v].constant != NMI_NONE) {
            g->constants[g->values[v].constant].source = v;
        }
    }
    struct nmi_opt o;
    nmi_opt_begin(&o, limits, log);
    nm_status status = NM_OK;
    for (const struct nmi_pass *pass = nmi_passes; pass->run != NULL && status == NM_OK; pass++) {
        status = nmi_optimize_step(g, pass, &o, err);
    }
    nmi_opt_end(&o);
    return status;
}
