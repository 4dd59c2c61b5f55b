/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes share. A pass rewrites the graph in place and leaves removed nodes behind as marked
 * by nmi_graph_remove_node; the runner compacts and verifies after each. Values and constants are
 * only ever added by passes, but for `dead`, which renumbers them.
 *
 * Only lib/opt and its tests include this.
 */
#ifndef NM_OPT_PASS_H
#define NM_OPT_PASS_H

#include "lib/base/log.h"
#include "lib/ops/attrs.h"
#include "lib/ops/op.h"

struct nmi_opt {
    struct nmi_budget budget; /* of all folding together */
    size_t copies;            /* bytes of rewritten weights that are left */
    const struct nmi_log *log;
    bool verify;            /* nmi_graph_verify after every pass */
    struct nmi_arena arena; /* scratch of one pass; the runner empties it */
    struct nmi_arena held;  /* of facts */
    struct nmi_fact *facts; /* of every value, from pass_infer until pass_fold has used them */
    int32_t changes;        /* rewrites of the pass that ran last; passes count here */
};

typedef nm_status (*nmi_pass_fn)(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
struct nmi_pass {
    const char *name;
    nmi_pass_fn run;
    bool loses_source; /* of weights that it need not touch */
};

/* The passes in the order in which nmi_optimize runs them; ends with run == NULL. */
extern const struct nmi_pass nmi_passes[];

/* Starts with the budget of limits; every constant becomes its own source. nmi_opt_end frees what
 * is held. */
void nmi_opt_begin(struct nmi_opt *o, struct nmi_graph *g, const nm_limits *limits,
                   const struct nmi_log *log);
void nmi_opt_end(struct nmi_opt *o);

/* Runs one pass, compacts, verifies when o->verify. A broken graph is NM_EINTERNAL and names the
 * pass. */
nm_status nmi_optimize_step(struct nmi_graph *g, const struct nmi_pass *pass, struct nmi_opt *o,
                            nm_error *err);

/* Types and shapes of all values; symbols for nameless free dimensions of inputs. Fills o->facts.
 */
nm_status nmi_pass_infer(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Values with known contents become constants; shape operands of known symbols become constants
 * where they can be said without a number. Needs o->facts, and drops them. */
nm_status nmi_pass_fold(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Nodes that change nothing go. */
nm_status nmi_pass_identity(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Pad of a constant into the padding of the convolution or pooling behind it. */
nm_status nmi_pass_pad(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Slice of every n-th row and column and Pad of zero channels: a 1x1 convolution. */
nm_status nmi_pass_shortcut(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* MatMul and an Add of a constant row: Gemm where it is of rank 2, else a MatMul of three inputs. */
nm_status nmi_pass_gemm(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* The pieces of a layer normalisation: LayerNormalization. */
nm_status nmi_pass_norm(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* BatchNormalization, and Mul, Div, Add, Sub by constants per channel, into the convolution or Gemm
 * before; BatchNormalization also into the convolution after. */
nm_status nmi_pass_bn(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Add of two equal shapes into the later convolution of the two, while it has no activation. */
nm_status nmi_pass_residual(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Activations into the convolution, Gemm or MatMul before. */
nm_status nmi_pass_act(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Output channels that are zero whatever the input, and the input channels that they feed. */
nm_status nmi_pass_zero(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);
/* Nodes that no output needs, then values and constants that nothing mentions; ids change. */
nm_status nmi_pass_dead(struct nmi_graph *g, struct nmi_opt *o, nm_error *err);

/* ---- help for passes (rewrite.c) ---------------------------------------------------------------
 */

/* Who uses what, as of the call: an absorbed node leaves other values' entries true. */
struct nmi_users {
    int32_t *count;  /* node inputs and graph outputs */
    int32_t *node;   /* a node that uses it, or NMI_NONE */
    bool *is_output; /* of the graph */
};
nm_status nmi_users_find(const struct nmi_graph *g, struct nmi_opt *o, struct nmi_users *u,
                         nm_error *err);

/* The nodes that read value v: node[first[v] .. first[v + 1]), one entry a reading. */
struct nmi_readers {
    int32_t *first, *node;
};
nm_status nmi_readers_find(const struct nmi_graph *g, struct nmi_opt *o, struct nmi_readers *r,
                           nm_error *err);

/* The node whose first output is v, if v has a single use, by a node; else NMI_NONE. v may be
 * NMI_NONE. */
int32_t nmi_opt_only_maker(const struct nmi_graph *g, const struct nmi_users *u, int32_t v);

/* `into` makes the (only) output of `gone`, which is removed; into's own output is then nobody's.
 */
void nmi_opt_absorb(struct nmi_graph *g, int32_t into, int32_t gone);

/* No output of the convolution sees padding. */
bool nmi_opt_unpadded(const struct nmi_conv_attrs *conv);

/* Same rank and every dim equal for sure: numbers or the same symbol. */
bool nmi_opt_same_shape(const struct nmi_value *a, const struct nmi_value *b);

/* Attribute `name` of a node by its operator's table, whose struct is private; NULL: none such. */
const void *nmi_opt_attr(const struct nmi_node *node, const char *name);

/* Element i of float data that may lie unaligned in the file's bytes. */
float nmi_opt_float(const void *data, int64_t i);
/* A float32 constant of a single element. */
bool nmi_opt_scalar(const struct nmi_graph *g, int32_t v, float *out);
/* An int64 or int32 constant of rank <= 1 as numbers. */
bool nmi_opt_ints(const struct nmi_graph *g, int32_t v, struct nmi_ints *out);
/* A float32 constant, or NULL. */
const struct nmi_constant *nmi_opt_f32(const struct nmi_graph *g, int32_t v);

/* The bounds of a Clip; false when one is computed. */
bool nmi_opt_clip_bounds(const struct nmi_graph *g, const struct nmi_node *node, float *min,
                         float *max);
/* What a Pad of a constant (float32, rank 3 or more) adds to each axis, none of it negative; false when
 * that is computed. */
bool nmi_opt_pads(const struct nmi_graph *g, const struct nmi_node *node, int64_t *begin,
                  int64_t *end, float *value);
/* The node that makes v gives nothing below zero (or NaN). */
bool nmi_opt_never_negative(const struct nmi_graph *g, int32_t v);

/* Takes the cost of rewriting so many bytes of weights from the budget; false when there is not
 * enough. A file may let a thousand nodes share one large weight: each would get its own. */
bool nmi_opt_afford(struct nmi_opt *o, size_t bytes);

/* A new constant with its value, whose data lies in the graph's arena; returns the value's id. */
nm_status nmi_opt_add_constant(struct nmi_graph *g, const char *name, const struct nmi_constant *c,
                               int32_t *value, nm_error *err);

/* ---- scale and shift of channels (affine.c) ----------------------------------------------------
 */

struct nmi_affine { /* per channel: scale x + shift */
    int64_t n;
    double *scale, *shift; /* in o->arena */
};
/* Room for n channels: scale 1, shift 0. */
nm_status nmi_affine_make(struct nmi_opt *o, int64_t n, struct nmi_affine *a, nm_error *err);
/* Channels that a Conv, ConvTranspose or Gemm puts out, if its weights are constants that a scale
 * and a shift can go into (no activation, no residual yet); else -1. */
int64_t nmi_affine_channels(const struct nmi_graph *g, int32_t node);
/* Puts it behind the node's sum. *done is false when a result would not be finite or the budget is
 * used up (then nothing has changed). */
nm_status nmi_affine_behind(struct nmi_graph *g, struct nmi_opt *o, int32_t node,
                            const struct nmi_affine *a, bool *done, nm_error *err);
/* Puts it in front of a Conv, over its input channels. *done is false where that is not exact:
 * padding with a shift, weights that are no constants, not finite, no budget. */
nm_status nmi_affine_before(struct nmi_graph *g, struct nmi_opt *o, int32_t node,
                            const struct nmi_affine *a, bool *done, nm_error *err);

#endif
