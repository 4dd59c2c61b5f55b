/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no output needs. Nodes stand in topological order, so one walk from the end marks those that
 * are needed; values and constants that are mentioned by none of them are taken out and the rest
 * renumbered. Graph inputs stay, used or not: they are the caller's.
 */
#include "lib/opt/pass.h"

#include <string.h>

struct dead {
    int32_t *value; /* new ids, NMI_NONE for those that go */
    int32_t *constant;
    bool *keep_value;
    bool *keep_constant;
};

/* Calls for every constant that a node's attributes mention. */
static int32_t *attr_constant(const struct nmi_node *node, const struct nmi_attr *attr)
{
    if (attr->kind != NMI_ATTR_TENSOR || node->attrs == NULL) {
        return NULL;
    }
    int32_t *id = (int32_t *)(void *)((char *)node->attrs + attr->offset);
    return *id == NMI_NONE ? NULL : id;
}

static bool needed(const struct nmi_node *node, const bool *keep_value)
{
    for (int32_t k = 0; k < node->n_outputs; k++) {
        if (node->outputs[k] != NMI_NONE && keep_value[node->outputs[k]]) {
            return true;
        }
    }
    return false;
}

static void mark_node(const struct nmi_node *node, struct dead *d)
{
    for (int32_t k = 0; k < node->n_inputs; k++) {
        if (node->inputs[k] != NMI_NONE) {
            d->keep_value[node->inputs[k]] = true;
        }
    }
    for (int32_t k = 0; k < node->n_outputs; k++) {
        if (node->outputs[k] != NMI_NONE) {
            d->keep_value[node->outputs[k]] = true;
        }
    }
    const struct nmi_attr *attr = nmi_ops[node->op]->attr;
    for (; attr != NULL && attr->name != NULL; attr++) {
        int32_t *id = attr_constant(node, attr);
        if (id != NULL) {
            d->keep_constant[*id] = true;
        }
    }
}

static void mark(struct nmi_graph *g, struct nmi_opt *o, struct dead *d)
{
    for (int32_t i = 0; i < g->n_inputs; i++) {
        d->keep_value[g->inputs[i]] = true;
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        d->keep_value[g->outputs[i]] = true;
    }
    for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
        if (needed(&g->nodes[i], d->keep_value)) {
            mark_node(&g->nodes[i], d);
        } else {
            nmi_graph_remove_node(g, i);
            o->changes++;
        }
    }
    for (int32_t v = 0; v < g->n_values; v++) {
        if (d->keep_value[v] && g->values[v].constant != NMI_NONE) {
            d->keep_constant[g->values[v].constant] = true;
        }
    }
}

static void renumber(struct nmi_graph *g, struct dead *d)
{
    int32_t n = 0;
    for (int32_t c = 0; c < g->n_constants; c++) {
        d->constant[c] = d->keep_constant[c] ? n : NMI_NONE;
        g->constants[n] = g->constants[c];
        n += d->keep_constant[c];
    }
    g->n_constants = n;
    n = 0;
    for (int32_t v = 0; v < g->n_values; v++) {
        d->value[v] = d->keep_value[v] ? n : NMI_NONE;
        g->values[n] = g->values[v];
        if (d->keep_value[v] && g->values[n].constant != NMI_NONE) {
            g->values[n].constant = d->constant[g->values[n].constant];
        }
        n += d->keep_value[v];
    }
    g->n_values = n;
}

static void rename_ids(int32_t *ids, int32_t n, const int32_t *to)
{
    for (int32_t i = 0; i < n; i++) {
        ids[i] = ids[i] == NMI_NONE ? NMI_NONE : to[ids[i]];
    }
}

static void rename_all(struct nmi_graph *g, const struct dead *d)
{
    rename_ids(g->inputs, g->n_inputs, d->value);
    rename_ids(g->outputs, g->n_outputs, d->value);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        struct nmi_node *node = &g->nodes[i];
        rename_ids(node->inputs, node->n_inputs, d->value);
        rename_ids(node->outputs, node->n_outputs, d->value);
        if (node->n_outputs == 0) {
            continue;
        }
        const struct nmi_attr *attr = nmi_ops[node->op]->attr;
        for (; attr != NULL && attr->name != NULL; attr++) {
            int32_t *id = attr_constant(node, attr);
            if (id != NULL) {
                *id = d->constant[*id];
            }
        }
    }
}

nm_status nmi_pass_dead(struct nmi_graph *g, struct nmi_opt *o, nm_error *err)
{
    struct dead d;
    size_t values = (size_t)g->n_values + 1, constants = (size_t)g->n_constants + 1;
    d.value = nmi_arena_array(&o->arena, values, sizeof *d.value);
    d.constant = nmi_arena_array(&o->arena, constants, sizeof *d.constant);
    d.keep_value = nmi_arena_array(&o->arena, values, sizeof *d.keep_value);
    d.keep_constant = nmi_arena_array(&o->arena, constants, sizeof *d.keep_constant);
    if (d.value == NULL || d.constant == NULL || d.keep_value == NULL || d.keep_constant == NULL) {
        return nmi_fail_memory(err, (values + constants) * 5, "marks of what is needed");
    }
    mark(g, o, &d);
    renumber(g, &d);
    rename_all(g, &d);
    return NM_OK;
}
