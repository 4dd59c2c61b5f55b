/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a graph. Arrays grow by themselves; names, ids and attributes live in the arena. An
 * adder gets everything it needs before it changes a count, so a graph is whole after a failure.
 */
#include "lib/graph/graph.h"

#include "lib/base/checked.h"
#include "lib/base/hash.h"

#include <string.h>

#define FIRST_CAPACITY 16
#define MAX_COUNT (INT32_MAX / 4)

nm_status nmi_graph_create(size_t arena_limit, struct nmi_graph **graph, nm_error *err)
{
    struct nmi_graph *g = nmi_calloc(1, sizeof *g);
    if (!g) {
        return nmi_fail_memory(err, sizeof *g, "graph");
    }
    g->arena.limit = arena_limit;
    g->name = g->producer = g->domain = g->doc = "";
    *graph = g;
    return NM_OK;
}

void nmi_graph_free(struct nmi_graph *graph)
{
    if (!graph) {
        return;
    }
    nmi_arena_free(&graph->arena);
    nmi_free(graph->values);
    nmi_free(graph->nodes);
    nmi_free(graph->constants);
    nmi_free(graph->symbols);
    nmi_free(graph->symbol_slots);
    nmi_free(graph);
}

/* Room for one more element; the new array, or NULL (then the old one stays). */
static void *grown(void *array, int32_t count, int32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    if (count >= MAX_COUNT) {
        return NULL;
    }
    int32_t more = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    void *p = nmi_realloc(array, (size_t)count * size, (size_t)more * size);
    if (p) {
        *capacity = more;
    }
    return p;
}

int32_t nmi_graph_add_value(struct nmi_graph *g, const char *name)
{
    struct nmi_value *values = grown(g->values, g->n_values, &g->cap_values, sizeof *values);
    if (!values) {
        return NMI_NONE;
    }
    g->values = values;
    const char *copy = nmi_arena_string(&g->arena, name, strlen(name));
    if (!copy) {
        return NMI_NONE;
    }
    values[g->n_values] = (struct nmi_value){
        .name = copy, .type = NM_TYPE_NONE, .rank = -1, .constant = NMI_NONE, .producer = NMI_NONE};
    return g->n_values++;
}

/* ---- symbols -------------------------------------------------------------------------------- */

/* The slot of the name: its symbol's, or the free one where it belongs. */
static int32_t *find_slot(const struct nmi_graph *g, const char *name)
{
    uint32_t mask = (uint32_t)g->n_symbol_slots - 1;
    uint32_t at = (uint32_t)nmi_hash(NMI_HASH_START, name, strlen(name)) & mask;
    while (g->symbol_slots[at] != NMI_NONE && strcmp(g->symbols[g->symbol_slots[at]], name) != 0) {
        at = (at + 1) & mask;
    }
    return &g->symbol_slots[at];
}

/* Keeps the table at most half full. */
static bool reserve_slot(struct nmi_graph *g)
{
    if (g->n_symbols < g->n_symbol_slots / 2) {
        return true;
    }
    int32_t n = g->n_symbol_slots ? 2 * g->n_symbol_slots : 2 * FIRST_CAPACITY;
    int32_t *slots = nmi_alloc((size_t)n * sizeof *slots);
    if (!slots) {
        return false;
    }
    memset(slots, 0xff, (size_t)n * sizeof *slots); /* NMI_NONE */
    nmi_free(g->symbol_slots);
    g->symbol_slots = slots;
    g->n_symbol_slots = n;
    for (int32_t i = 0; i < g->n_symbols; i++) {
        *find_slot(g, g->symbols[i]) = i;
    }
    return true;
}

int32_t nmi_graph_add_symbol(struct nmi_graph *g, const char *name)
{
    if (!reserve_slot(g)) {
        return NMI_NONE;
    }
    int32_t *slot = find_slot(g, name);
    if (*slot != NMI_NONE) {
        return *slot;
    }
    const char **symbols = grown(g->symbols, g->n_symbols, &g->cap_symbols, sizeof *symbols);
    if (!symbols) {
        return NMI_NONE;
    }
    g->symbols = symbols;
    const char *copy = nmi_arena_string(&g->arena, name, strlen(name));
    if (!copy) {
        return NMI_NONE;
    }
    symbols[g->n_symbols] = copy;
    *slot = g->n_symbols;
    return g->n_symbols++;
}

/* ---- constants and nodes -------------------------------------------------------------------- */

int32_t nmi_graph_add_constant(struct nmi_graph *g, const char *name, nm_type type, int32_t rank,
                               const int64_t *dims, const void *data, size_t bytes)
{
    if (rank < 0 || rank > NMI_MAX_DIMS) {
        return NMI_NONE;
    }
    struct nmi_constant *all = grown(g->constants, g->n_constants, &g->cap_constants, sizeof *all);
    if (!all) {
        return NMI_NONE;
    }
    g->constants = all;
    int32_t id = nmi_graph_add_value(g, name);
    if (id == NMI_NONE) {
        return NMI_NONE;
    }
    struct nmi_constant *c = &all[g->n_constants];
    struct nmi_value *v = &g->values[id];
    *c = (struct nmi_constant){
        .type = type, .rank = rank, .data = data, .bytes = bytes, .source = NMI_NONE};
    v->type = type;
    v->rank = rank;
    v->constant = g->n_constants++;
    for (int32_t i = 0; i < rank; i++) {
        c->dims[i] = v->dims[i] = dims[i];
    }
    return id;
}

int32_t nmi_graph_add_node(struct nmi_graph *g, uint16_t op, uint16_t opset, const char *name,
                           const int32_t *inputs, int32_t n_inputs, const int32_t *outputs,
                           int32_t n_outputs, void *attrs)
{
    struct nmi_node *nodes = grown(g->nodes, g->n_nodes, &g->cap_nodes, sizeof *nodes);
    if (!nodes) {
        return NMI_NONE;
    }
    g->nodes = nodes;
    struct nmi_node node = {.op = op,
                            .opset = opset,
                            .n_inputs = n_inputs,
                            .n_outputs = n_outputs,
                            .attrs = attrs,
                            .name = nmi_arena_string(&g->arena, name, strlen(name))};
    node.inputs = nmi_arena_copy(&g->arena, inputs, (size_t)n_inputs * sizeof *inputs);
    node.outputs = nmi_arena_copy(&g->arena, outputs, (size_t)n_outputs * sizeof *outputs);
    if (!node.name || !node.inputs || !node.outputs) {
        return NMI_NONE;
    }
    for (int32_t i = 0; i < n_outputs; i++) {
        if (outputs[i] >= 0 && outputs[i] < g->n_values) {
            g->values[outputs[i]].producer = g->n_nodes;
        }
    }
    nodes[g->n_nodes] = node;
    return g->n_nodes++;
}

const struct nmi_constant *nmi_graph_constant(const struct nmi_graph *g, int32_t value)
{
    if (value == NMI_NONE || g->values[value].constant == NMI_NONE) {
        return NULL;
    }
    return &g->constants[g->values[value].constant];
}
