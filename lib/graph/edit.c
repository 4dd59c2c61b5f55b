/* SPDX-License-Identifier: Apache-2.0 */
/* What passes do to a graph: count, replace, remove, and put nodes into topological order. */
#include "lib/graph/graph.h"

#include "lib/base/checked.h"

#include <string.h>

void nmi_graph_count_uses(const struct nmi_graph *g, int32_t *uses)
{
    memset(uses, 0, (size_t)g->n_values * sizeof *uses);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *node = &g->nodes[i];
        for (int32_t k = 0; k < node->n_inputs; k++) {
            if (node->inputs[k] != NMI_NONE) {
                uses[node->inputs[k]]++;
            }
        }
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        uses[g->outputs[i]]++;
    }
}

static void replace_in(int32_t *ids, int32_t n, int32_t from, int32_t to)
{
    for (int32_t i = 0; i < n; i++) {
        if (ids[i] == from) {
            ids[i] = to;
        }
    }
}

void nmi_graph_replace(struct nmi_graph *g, int32_t from, int32_t to)
{
    for (int32_t i = 0; i < g->n_nodes; i++) {
        replace_in(g->nodes[i].inputs, g->nodes[i].n_inputs, from, to);
    }
    replace_in(g->outputs, g->n_outputs, from, to);
}

void nmi_graph_remove_node(struct nmi_graph *g, int32_t node)
{
    struct nmi_node *gone = &g->nodes[node];
    for (int32_t i = 0; i < gone->n_outputs; i++) {
        int32_t id = gone->outputs[i];
        /* A pass may have given the value to another node already. */
        if (id != NMI_NONE && g->values[id].producer == node) {
            g->values[id].producer = NMI_NONE;
        }
    }
    gone->n_inputs = gone->n_outputs = 0;
}

nm_status nmi_graph_set_meta(struct nmi_graph *g, const char *key, const char *value, nm_error *err)
{
    const size_t pairs = (size_t)g->n_meta;
    const char *k = nmi_arena_string(&g->arena, key, strlen(key));
    const char *v = nmi_arena_string(&g->arena, value, strlen(value));
    const char **meta = nmi_arena_array(&g->arena, 2 * pairs + 2, sizeof *meta);
    if (k == NULL || v == NULL || meta == NULL) {
        return nmi_fail_memory(err, strlen(value), "metadata");
    }
    memcpy(meta, pairs > 0 ? g->meta : meta, 2 * pairs * sizeof *meta);
    size_t at = 0;
    while (at < pairs && strcmp(meta[2 * at], key) != 0) {
        at++;
    }
    meta[2 * at] = k;
    meta[2 * at + 1] = v;
    g->meta = meta;
    g->n_meta += at == pairs;
    return NM_OK;
}

/* ---- compact: Kahn's algorithm with a heap of ready nodes, so that the earliest goes first -- */

struct sorting {
    struct nmi_graph *g;
    int32_t *first;   /* n_values + 1: where the users of a value start in users */
    int32_t *users;   /* nodes that read the value, once per reading */
    int32_t *waiting; /* n_nodes: inputs that are not made yet */
    int32_t *heap;    /* ready nodes, smallest on top */
    int32_t n_heap;
    int32_t *order; /* n_order nodes, sorted */
    int32_t n_order, n_left;
};

static bool is_gone(const struct nmi_node *node)
{
    return node->n_inputs == 0 && node->n_outputs == 0;
}

static void heap_push(struct sorting *s, int32_t node)
{
    int32_t at = s->n_heap++;
    while (at > 0 && s->heap[(at - 1) / 2] > node) {
        s->heap[at] = s->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    s->heap[at] = node;
}

static int32_t heap_pop(struct sorting *s)
{
    int32_t top = s->heap[0], last = s->heap[--s->n_heap], at = 0;
    for (;;) {
        int32_t child = 2 * at + 1;
        if (child + 1 < s->n_heap && s->heap[child + 1] < s->heap[child]) {
            child++;
        }
        if (child >= s->n_heap || s->heap[child] >= last) {
            break;
        }
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

/* A value that some node makes, and that must therefore wait for it. */
static bool is_made(const struct nmi_graph *g, int32_t value)
{
    return value != NMI_NONE && g->values[value].producer != NMI_NONE;
}

/* Fills first, users and waiting; the heap gets the nodes that wait for nothing. */
static void find_users(struct sorting *s)
{
    struct nmi_graph *g = s->g;
    for (int32_t pass = 0; pass < 2; pass++) { /* count, then fill from the back */
        for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
            const struct nmi_node *node = &g->nodes[i];
            for (int32_t k = 0; k < node->n_inputs; k++) {
                int32_t v = node->inputs[k];
                if (!is_made(g, v)) {
                    continue;
                }
                if (pass == 0) {
                    s->first[v]++;
                    s->waiting[i]++;
                } else {
                    s->users[--s->first[v]] = i;
                }
            }
        }
        for (int32_t v = 0; pass == 0 && v < g->n_values; v++) {
            s->first[v + 1] += s->first[v];
        }
    }
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (!is_gone(&g->nodes[i])) {
            s->n_left++;
            if (s->waiting[i] == 0) {
                heap_push(s, i);
            }
        }
    }
}

static void sort(struct sorting *s)
{
    const struct nmi_graph *g = s->g;
    while (s->n_heap > 0) {
        int32_t i = heap_pop(s);
        const struct nmi_node *node = &g->nodes[i];
        s->order[s->n_order++] = i;
        for (int32_t k = 0; k < node->n_outputs; k++) {
            int32_t v = node->outputs[k];
            if (v == NMI_NONE || g->values[v].producer != i) {
                continue;
            }
            for (int32_t u = s->first[v]; u < s->first[v + 1]; u++) {
                if (--s->waiting[s->users[u]] == 0) {
                    heap_push(s, s->users[u]);
                }
            }
        }
    }
}

/* The input of a waiting node that it waits for; NMI_NONE when there is none. */
static int32_t awaited_input(const struct sorting *s, const struct nmi_node *node)
{
    for (int32_t k = 0; k < node->n_inputs; k++) {
        int32_t v = node->inputs[k];
        if (is_made(s->g, v) && s->waiting[s->g->values[v].producer] > 0) {
            return v;
        }
    }
    return NMI_NONE;
}

/* Going back from a node that still waits ends in the cycle after at most n_nodes steps. */
static nm_status fail_cycle(const struct sorting *s, nm_error *err)
{
    const struct nmi_graph *g = s->g;
    int32_t at = 0, value = NMI_NONE;
    while (s->waiting[at] == 0) {
        at++;
    }
    for (int32_t step = 0; step < g->n_nodes; step++) {
        int32_t v = awaited_input(s, &g->nodes[at]);
        if (v == NMI_NONE) {
            break;
        }
        value = v;
        at = g->values[v].producer;
    }
    return nmi_fail(err, NM_EFORMAT,
                    "node \"%s\": its output \"%s\" depends on itself, expected no cycle",
                    g->nodes[at].name, value == NMI_NONE ? "" : g->values[value].name);
}

static void apply_order(struct sorting *s, struct nmi_node *sorted)
{
    struct nmi_graph *g = s->g;
    for (int32_t i = 0; i < s->n_order; i++) {
        sorted[i] = g->nodes[s->order[i]];
    }
    for (int32_t v = 0; v < g->n_values; v++) {
        g->values[v].producer = NMI_NONE;
    }
    for (int32_t i = 0; i < s->n_order; i++) {
        for (int32_t k = 0; k < sorted[i].n_outputs; k++) {
            if (sorted[i].outputs[k] != NMI_NONE) {
                g->values[sorted[i].outputs[k]].producer = i;
            }
        }
    }
    if (s->n_order > 0) {
        memcpy(g->nodes, sorted, (size_t)s->n_order * sizeof *sorted);
    }
    g->n_nodes = s->n_order;
}

nm_status nmi_graph_compact(struct nmi_graph *g, nm_error *err)
{
    size_t n_nodes = (size_t)g->n_nodes, n_users = 0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        n_users += (size_t)g->nodes[i].n_inputs;
    }
    struct sorting s = {.g = g};
    s.first = nmi_calloc((size_t)g->n_values + 1, sizeof *s.first);
    s.users = nmi_calloc(n_users, sizeof *s.users);
    s.waiting = nmi_calloc(n_nodes, sizeof *s.waiting);
    s.heap = nmi_calloc(n_nodes, sizeof *s.heap);
    s.order = nmi_calloc(n_nodes, sizeof *s.order);
    struct nmi_node *sorted = nmi_calloc(n_nodes, sizeof *sorted);
    nm_status status = NM_OK;
    if (!s.first || !s.users || !s.waiting || !s.heap || !s.order || !sorted) {
        status = nmi_fail_memory(err, n_nodes * sizeof *sorted, "sorting nodes");
        goto out;
    }
    find_users(&s);
    sort(&s);
    if (s.n_order < s.n_left) {
        status = fail_cycle(&s, err);
        goto out;
    }
    apply_order(&s, sorted);
out:
    nmi_free(s.first);
    nmi_free(s.users);
    nmi_free(s.waiting);
    nmi_free(s.heap);
    nmi_free(s.order);
    nmi_free(sorted);
    return status;
}
