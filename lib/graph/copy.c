/* SPDX-License-Identifier: Apache-2.0 */
/* A deep copy of a graph: everything but the bytes of constants. */
#include "lib/graph/graph.h"

#include <string.h>

/* A copy of n elements in a block of its own; an empty array is NULL. */
static bool copy_array(void *to, const void *from, int32_t n, size_t size)
{
    if (n == 0) {
        return true;
    }
    void *p = nmi_alloc((size_t)n * size);
    if (!p) {
        return false;
    }
    memcpy(p, from, (size_t)n * size);
    memcpy(to, &p, sizeof p);
    return true;
}

static bool copy_string(struct nmi_graph *g, const char **s)
{
    *s = nmi_arena_string(&g->arena, *s, strlen(*s));
    return *s != NULL;
}

static bool copy_ids(struct nmi_graph *g, int32_t **ids, int32_t n)
{
    *ids = nmi_arena_copy(&g->arena, *ids, (size_t)n * sizeof **ids);
    return *ids != NULL;
}

static bool copy_node(struct nmi_graph *g, struct nmi_node *node, size_t attr_bytes)
{
    if (node->attrs) {
        node->attrs = attr_bytes ? nmi_arena_copy(&g->arena, node->attrs, attr_bytes) : NULL;
        if (!node->attrs && attr_bytes) {
            return false;
        }
    }
    return copy_string(g, &node->name) && copy_ids(g, &node->inputs, node->n_inputs) &&
           copy_ids(g, &node->outputs, node->n_outputs);
}

static bool copy_meta(struct nmi_graph *g)
{
    const char *const *from = g->meta;
    size_t n = 2 * (size_t)g->n_meta;
    const char **meta = nmi_arena_array(&g->arena, n, sizeof *meta);
    if (!meta) {
        return false;
    }
    g->meta = meta;
    for (size_t i = 0; i < n; i++) {
        meta[i] = from[i];
        if (!copy_string(g, &meta[i])) {
            return false;
        }
    }
    return true;
}

/* g has its own arrays; what they point to still belongs to the graph that is copied. */
static bool copy_contents(struct nmi_graph *g, size_t (*attr_bytes)(uint16_t op))
{
    for (int32_t i = 0; i < g->n_values; i++) {
        if (!copy_string(g, &g->values[i].name)) {
            return false;
        }
    }
    for (int32_t i = 0; i < g->n_symbols; i++) {
        if (!copy_string(g, &g->symbols[i])) {
            return false;
        }
    }
    for (int32_t i = 0; i < g->n_nodes; i++) {
        size_t bytes = attr_bytes ? attr_bytes(g->nodes[i].op) : 0;
        if (!copy_node(g, &g->nodes[i], bytes)) {
            return false;
        }
    }
    return copy_ids(g, &g->inputs, g->n_inputs) && copy_ids(g, &g->outputs, g->n_outputs) &&
           copy_string(g, &g->name) && copy_string(g, &g->producer) && copy_string(g, &g->domain) &&
           copy_string(g, &g->doc) && copy_meta(g);
}

nm_status nmi_graph_copy(const struct nmi_graph *g, size_t (*attr_bytes)(uint16_t op),
                         struct nmi_graph **copy, nm_error *err)
{
    struct nmi_graph *c;
    NMI_TRY(nmi_graph_create(g->arena.limit, &c, err));
    struct nmi_arena arena = c->arena;
    *c = *g;
    c->arena = arena;
    c->values = NULL;
    c->nodes = NULL;
    c->constants = NULL;
    c->symbols = NULL;
    c->symbol_slots = NULL;
    c->cap_values = c->n_values;
    c->cap_nodes = c->n_nodes;
    c->cap_constants = c->n_constants;
    c->cap_symbols = c->n_symbols;
    if (!copy_array(&c->values, g->values, g->n_values, sizeof *g->values) ||
        !copy_array(&c->nodes, g->nodes, g->n_nodes, sizeof *g->nodes) ||
        !copy_array(&c->constants, g->constants, g->n_constants, sizeof *g->constants) ||
        !copy_array(&c->symbols, g->symbols, g->n_symbols, sizeof *g->symbols) ||
        !copy_array(&c->symbol_slots, g->symbol_slots, g->n_symbol_slots,
                    sizeof *g->symbol_slots) ||
        !copy_contents(c, attr_bytes)) {
        nmi_graph_free(c);
        return nmi_fail_memory(err, g->arena.used, "copy of a graph");
    }
    *copy = c;
    return NM_OK;
}
