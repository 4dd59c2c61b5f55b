/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IR: values, nodes and constants in flat arrays of one arena; everything refers by 32-bit id,
 * so a graph can be copied, printed, compared and verified by walking arrays.
 *
 * Invariants (nmi_graph_verify): nodes stand in topological order; each value has one definition (a
 * node, a constant or a graph input); ids are in range; a constant's bytes are those of its shape.
 */
#ifndef NM_GRAPH_GRAPH_H
#define NM_GRAPH_GRAPH_H

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/status.h"
#include <stdbool.h>
#include <stdint.h>

#define NMI_NONE (-1) /* no id: an omitted optional input, a value that no node makes */

/*
 * A dimension: >= 0 a number; NMI_DIM_UNKNOWN not known, equal to nothing; below it a named
 * symbol: equal symbols are equal sizes.
 */
#define NMI_DIM_UNKNOWN (-1)
static inline bool nmi_dim_known(int64_t dim)
{
    return dim >= 0;
}
static inline int64_t nmi_dim_symbol(int32_t symbol) /* symbol id -> dim */
{
    return -2 - (int64_t)symbol;
}
static inline int32_t nmi_dim_symbol_id(int64_t dim) /* NMI_NONE when dim is no symbol */
{
    return dim <= -2 ? (int32_t)(-2 - dim) : NMI_NONE;
}

struct nmi_value {
    const char *name;           /* of the file; made up by passes; never NULL; in the arena */
    nm_type type;               /* NM_TYPE_NONE when not known yet */
    int32_t rank;               /* -1 when not known yet */
    int64_t dims[NMI_MAX_DIMS]; /* see above */
    int32_t constant;           /* id of its constant, or NMI_NONE */
    int32_t producer;           /* id of the node that makes it, or NMI_NONE */
};

/* How the bytes of an optimised weight follow from an initialiser of the file. */
struct nmi_constant {
    nm_type type;
    int32_t rank;
    int64_t dims[NMI_MAX_DIMS];
    const void *data;   /* row-major, 64-byte aligned is not promised; in the file's bytes or an arena */
    size_t bytes;
    int32_t source;     /* id of the source graph's value (initialiser) whose zeros are this one's
                           zeros, element for element; NMI_NONE when there is none */
    int32_t sparse;     /* came in as a sparse_initializer, or was pruned: export may write it so */
};

struct nmi_node {
    uint16_t op;       /* index into nmi_ops (lib/ops) */
    uint16_t opset;    /* version of its domain that the file imports */
    int32_t n_inputs, n_outputs;
    int32_t *inputs;   /* value ids or NMI_NONE */
    int32_t *outputs;  /* value ids or NMI_NONE */
    const char *name;  /* of the file; may be "" */
    void *attrs;       /* the operator's typed struct, in the arena; NULL when it has none */
};

struct nmi_graph {
    struct nmi_arena arena;
    struct nmi_value *values;
    struct nmi_node *nodes;
    struct nmi_constant *constants;
    const char **symbols; /* names of symbolic dimensions */
    int32_t n_values, n_nodes, n_constants, n_symbols;
    int32_t cap_values, cap_nodes, cap_constants, cap_symbols;
    int32_t *inputs, *outputs; /* value ids */
    int32_t n_inputs, n_outputs;
    const char *name, *producer, *domain, *doc; /* metadata of the file, never NULL */
    int64_t ir_version, model_version;
    int32_t opset; /* of the default domain */
    const char **meta; /* metadata_props: key, value, key, value ... */
    int32_t n_meta;    /* pairs */
    int32_t *symbol_slots; /* hash table of symbol ids, so that a file of many symbols is read fast */
    int32_t n_symbol_slots;
};

/* An empty graph; arena_limit as in nmi_arena. Free with nmi_graph_free (NULL allowed). */
nm_status nmi_graph_create(size_t arena_limit, struct nmi_graph **graph, nm_error *err);
void nmi_graph_free(struct nmi_graph *graph);

/* Adders return the new id, or NMI_NONE when out of memory (then the graph is still whole). Names
 * are copied. A value starts with type none, rank -1, no constant and no producer. */
int32_t nmi_graph_add_value(struct nmi_graph *g, const char *name);
int32_t nmi_graph_add_symbol(struct nmi_graph *g, const char *name); /* finds an equal name first */
/* Makes a constant and a value of that type and shape, and returns the value's id; data is kept by
 * reference. */
int32_t nmi_graph_add_constant(struct nmi_graph *g, const char *name, nm_type type, int32_t rank,
                               const int64_t *dims, const void *data, size_t bytes);
/* Appends a node; sets producer of its outputs. inputs and outputs are copied, attrs is kept (it
 * must be in the graph's arena). */
int32_t nmi_graph_add_node(struct nmi_graph *g, uint16_t op, uint16_t opset, const char *name,
                           const int32_t *inputs, int32_t n_inputs, const int32_t *outputs,
                           int32_t n_outputs, void *attrs);

/* The constant behind a value, or NULL. id may be NMI_NONE. */
const struct nmi_constant *nmi_graph_constant(const struct nmi_graph *g, int32_t value);

/* How many node inputs and graph outputs use each value: uses[n_values], filled here. */
void nmi_graph_count_uses(const struct nmi_graph *g, int32_t *uses);

/* Replaces value `from` by `to` in all node inputs and graph outputs. */
void nmi_graph_replace(struct nmi_graph *g, int32_t from, int32_t to);

/* Marks a node as gone: no inputs, no outputs, n_inputs = n_outputs = 0. nmi_graph_compact
 * takes such nodes out and moves nodes into topological order (NM_EFORMAT: a cycle, named). */
void nmi_graph_remove_node(struct nmi_graph *g, int32_t node);
nm_status nmi_graph_compact(struct nmi_graph *g, nm_error *err);

/* Sets an entry of the metadata, in place of one with this key. Both are copied. */
nm_status nmi_graph_set_meta(struct nmi_graph *g, const char *key, const char *value, nm_error *err);

/* A deep copy (attribute structs by size of the caller's choice, NULL when no node has any; constant
 * data by reference). */
nm_status nmi_graph_copy(const struct nmi_graph *g, size_t (*attr_bytes)(uint16_t op),
                         struct nmi_graph **copy, nm_error *err);

/* The invariants above; the sentence names the first that does not hold. */
nm_status nmi_graph_verify(const struct nmi_graph *g, nm_error *err);

#endif
