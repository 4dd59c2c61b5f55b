/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types and shapes of all values, with symbols for what is free. What the file says of values
 * between nodes is not believed: only what follows from inputs and constants is written.
 */
#include "lib/opt/pass.h"

#include <string.h>

/* A nameless free dimension of an input is one size per run all the same: it gets a name that no
 * file would use, so that shapes which depend on it can be compared. */
static nm_status name_free_dims(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    for (int32_t i = 0; i < g->n_inputs; i++) {
        struct nmi_value *v = &g->values[g->inputs[i]];
        for (int32_t d = 0; d < v->rank; d++) {
            if (v->dims[d] != NMI_DIM_UNKNOWN) {
                continue;
            }
            char *name = nmi_arena_printf(&o->arena, "?%s:%d", v->name, (int)d);
            int32_t symbol = name == NULL ? NMI_NONE : nmi_graph_add_symbol(g, name);
            if (symbol == NMI_NONE) {
                return nmi_fail_memory(err, 0, "names of free dimensions");
            }
            v->dims[d] = nmi_dim_symbol(symbol);
        }
    }
    return NM_OK;
}

static nm_status find_facts(const struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    nmi_arena_free(&o->held);
    o->facts = nmi_arena_array(&o->held, (size_t)g->n_values + 1, sizeof *o->facts);
    if (o->facts == NULL) {
        return nmi_fail_memory(err, (size_t)g->n_values * sizeof *o->facts, "facts of values");
    }
    for (int32_t v = 0; v < g->n_values; v++) {
        o->facts[v].rank = -1;
    }
    return nmi_propagate(g, o->facts, &o->budget, &o->held, err);
}

nm_status nmi_pass_infer(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    NMI_TRY(name_free_dims(g, o, err));
    nm_error why = {0};
    nm_status status = find_facts(g, o, &why);
    if (status == NM_ENOMEM) { /* too much is folded: without folding there is room */
        o->budget.work = 0;
        status = find_facts(g, o, &why);
    }
    if (status != NM_OK) {
        return nmi_fail(err, status, "%s", why.message);
    }
    for (int32_t v = 0; v < g->n_values; v++) {
        if (g->values[v].producer != NMI_NONE) {
            g->values[v].type = o->facts[v].type;
            g->values[v].rank = o->facts[v].rank;
            memcpy(g->values[v].dims, o->facts[v].dims, sizeof g->values[v].dims);
        }
    }
    return NM_OK;
}
