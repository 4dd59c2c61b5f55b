/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators: one descriptor each, listed in ops.def. A descriptor knows its attributes (a table, so
 * that import, export, print and docs need no code of their own), how shapes follow, and what the
 * operation means (eval: plain C, single-threaded, no allocation).
 *
 * Values whose contents decide a shape (Reshape's shape, Slice's bounds) must be known when shapes
 * are inferred for a run; `shape_inputs` names them. So a plan never has a dynamic shape.
 */
#ifndef NM_OPS_OP_H
#define NM_OPS_OP_H

#include "kernels/kernel.h"
#include "lib/base/text.h"
#include "lib/graph/graph.h"

/* ---- attributes ------------------------------------------------------------------------------ */

#define NMI_MAX_INTS 16 /* most elements of an INTS or FLOATS attribute */

struct nmi_ints {
    int32_t n;
    int64_t v[NMI_MAX_INTS];
};
struct nmi_floats {
    int32_t n;
    float v[NMI_MAX_INTS];
};

enum nmi_attr_kind {
    NMI_ATTR_INT,    /* int64_t */
    NMI_ATTR_FLOAT,  /* float */
    NMI_ATTR_INTS,   /* struct nmi_ints */
    NMI_ATTR_FLOATS, /* struct nmi_floats */
    NMI_ATTR_ENUM,   /* int64_t: index into choices ("NOTSET|SAME_UPPER|...") */
    NMI_ATTR_TENSOR, /* int32_t: id of a constant of the graph, NMI_NONE when absent; nmi_propagate
                        hands it to infer and eval as one more input, at index max_in */
    NMI_ATTR_IGNORED /* known, without meaning for inference */
};

/* One attribute. Absent: `def` (INT, ENUM: (int64_t)def; FLOAT: def; INTS, FLOATS: n = 0). A value
 * outside [min, max] (each element of INTS) is refused with NM_EFORMAT. */
struct nmi_attr {
    const char *name;
    enum nmi_attr_kind kind;
    uint16_t since, until; /* opsets in which it exists; until 0 = still */
    size_t offset;         /* in the operator's attribute struct */
    double def, min, max;
    const char *choices; /* ENUM only */
    bool required;
};

/* ---- facts: what is known about a value at inference ------------------------------------------ */

/* An element of an integer value that may be a symbol: sym == NMI_NONE: the number v. */
struct nmi_known {
    int64_t v;
    int64_t dim; /* 0: the number v; else the dim it stands for: a symbol (nmi_dim_symbol), or
                    NMI_DIM_UNKNOWN */
};

/* data: the whole value in its type, or NULL. known: int32/int64 values of rank <= 1 whose elements
 * are numbers or symbols (from Shape), or NULL; set only when data is NULL. */
struct nmi_fact {
    nm_type type;
    int32_t rank; /* -1: not known */
    int64_t dims[NMI_MAX_DIMS];
    const void *data;
    const struct nmi_known *known;
};

struct nmi_infer {
    const struct nmi_node *node;
    const void *attrs;
    int32_t opset;
    const struct nmi_fact *const *in; /* NULL where omitted */
    int32_t n_in;
    struct nmi_fact *out; /* type and rank to be set; starts as {NONE, -1} */
    int32_t n_out;
    struct nmi_arena *arena; /* for `known` */
};

/* ---- evaluation -------------------------------------------------------------------------------- */

struct nmi_tensor {
    nm_type type;
    int32_t rank;
    int64_t dims[NMI_MAX_DIMS];
    void *data; /* row-major */
};

struct nmi_eval {
    const void *attrs;
    int32_t opset;
    const struct nmi_tensor *const *in; /* NULL where omitted */
    int32_t n_in;
    struct nmi_tensor *out; /* type, dims and data given; out[i].data == NULL: not wanted */
    int32_t n_out;
    void *scratch; /* as many bytes as scratch() asked for, 64-byte aligned */
    const char *name; /* of the node, for sentences */
};

/* ---- descriptor -------------------------------------------------------------------------------- */

enum nmi_op_flags {
    NMI_OP_ELEMENTWISE = 1,  /* unary: out[i] depends on in0[i] only (other inputs are scalars or
                                constants); any layout will do when f(0) is finite: see ZERO_SAFE */
    NMI_OP_ZERO_SAFE = 2,    /* elementwise and finite at 0 */
    NMI_OP_BROADCAST = 4,    /* n-ary with numpy broadcasting, all of one type */
    NMI_OP_ALIAS = 8,        /* out 0 is in 0 with other dims (Reshape, Flatten, Squeeze, Identity) */
    NMI_OP_BATCHED = 16,     /* dim 0 of in 0 and out 0 is a batch: images are independent */
    NMI_OP_WEIGHTED = 32     /* in 1 is a weight that pruning may thin (Conv, Gemm, MatMul) */
};

#define NMI_T(type) (1u << (type))
#define NMI_T_FLOAT NMI_T(NM_F32)
#define NMI_T_SHAPE (NMI_T(NM_I64) | NMI_T(NM_I32))
#define NMI_T_NUMBER (NMI_T_FLOAT | NMI_T_SHAPE)
#define NMI_T_MOVE                                                                              \
    (NMI_T_NUMBER | NMI_T(NM_BOOL) | NMI_T(NM_U8) | NMI_T(NM_I8) | NMI_T(NM_U16) | NMI_T(NM_I16) | \
     NMI_T(NM_F64) | NMI_T(NM_U32) | NMI_T(NM_U64) | NMI_T(NM_F16) | NMI_T(NM_BF16))

struct nmi_op {
    const char *name;
    const char *domain;      /* "" = ai.onnx */
    uint16_t since, until;   /* opsets; until 0 = still */
    int16_t min_in, max_in;  /* max -1: any number */
    int16_t min_out, max_out;
    uint32_t types;          /* accepted types of the data input(s): NMI_T_*; the others are the
                                operator's own business in infer (refuse with NM_EUNSUPPORTED) */
    uint32_t flags;          /* nmi_op_flags */
    uint32_t shape_inputs;   /* bit i: in i decides shapes by its contents */
    size_t attr_bytes;
    const struct nmi_attr *attr; /* ends with name == NULL; NULL when attr_bytes == 0 */
    /* After the table has filled attrs: what the table cannot say (opset-dependent meaning; training
     * mode and 3-D are NM_EUNSUPPORTED with those words). May be NULL. */
    nm_status (*finish)(void *attrs, int32_t opset, const char *node, nm_error *err);
    /* Types and shapes of the outputs; NM_ESHAPE / NM_ETYPE / NM_EUNSUPPORTED with a sentence. Unknown
     * dims in give unknown dims out. */
    nm_status (*infer)(struct nmi_infer *in, nm_error *err);
    /* Computes the outputs; shapes have been inferred. Indices that are data (Gather, ScatterND) are
     * checked: NM_EINVAL. */
    nm_status (*eval)(const struct nmi_eval *e, nm_error *err);
    /* Bytes of scratch for eval, from the inferred tensors (data may be NULL); NULL = none. */
    size_t (*scratch)(const struct nmi_eval *e);
    /* Element operations of one evaluation, for the folding budget; NULL = sum of elements. */
    double (*work)(const struct nmi_eval *e);
    const char *doc; /* one line for docs/operators.md: what is not supported, "" when all is */
};

/* All operators, in ops.def's order; NMI_OP_xxx are their indices. */
enum nmi_op_id {
#define X(id) NMI_OP_##id,
#include "lib/ops/ops.def"
#undef X
    NMI_OPS
};
extern const struct nmi_op *const nmi_ops[NMI_OPS];

/* The operator of this name in this opset, or NMI_NONE. */
int32_t nmi_op_find(const char *domain, const char *name, int32_t opset);
size_t nmi_op_attr_bytes(uint16_t op); /* for nmi_graph_copy */

/* What nmi_graph_describe asks for: an operator's name; a node's attributes as members of a JSON
 * object, with "activation" and "residual" where passes have fused some. */
const char *nmi_op_name(uint16_t op);
void nmi_op_describe_attrs(const struct nmi_node *node, struct nmi_text *t);

/* A typed attribute struct with its defaults, in arena; NULL when out of memory. */
void *nmi_op_defaults(uint16_t op, struct nmi_arena *arena);

/* Checks the number and types of inputs against the descriptor, then calls infer. Sentences are
 * prefixed with the node's name and operator. */
nm_status nmi_op_infer(const struct nmi_node *node, const struct nmi_fact *const *in,
                       struct nmi_fact *out, struct nmi_arena *arena, nm_error *err);

/* ---- propagation: facts for a whole graph ------------------------------------------------------ */

struct nmi_budget {
    double work;   /* element operations left */
    size_t bytes;  /* largest value that may be made by folding */
};

/*
 * Facts of every value of the graph: facts[n_values] (from arena, filled here). Facts of graph
 * inputs are given by the caller in facts[] beforehand (rank >= 0), or taken from the graph.
 * Nodes whose inputs all have data are evaluated within the budget (results in the arena), unless
 * the result is larger than budget->bytes. Used with symbols at load, with numbers by the plan.
 */
nm_status nmi_propagate(const struct nmi_graph *g, struct nmi_fact *facts,
                        struct nmi_budget *budget, struct nmi_arena *arena, nm_error *err);

/* The inputs whose contents decide a shape somewhere: mask[n_inputs of the graph]. */
nm_status nmi_shape_inputs(const struct nmi_graph *g, bool *mask, nm_error *err);

#endif
