/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operator families share: axes, facts, numpy broadcasting, and walks over strided tensors.
 * Tensors that reach eval have passed nmi_fact_check, so products of their dims cannot overflow.
 */
#ifndef NM_OPS_HELPERS_H
#define NM_OPS_HELPERS_H

#include "lib/ops/op.h"

/* ---- axes and shapes ------------------------------------------------------------------------ */

/* axis in [-rank, rank) to [0, rank); NM_ESHAPE otherwise. */
nm_status nmi_axis(int64_t axis, int32_t rank, int32_t *out, nm_error *err);

/* Bit a of *mask is set for each axis in axes; NM_ESHAPE out of range, NM_EINVAL when repeated. */
nm_status nmi_axes(const struct nmi_ints *axes, int32_t rank, uint32_t *mask, nm_error *err);

/* Elements of a tensor that has passed nmi_fact_check; of dims [from, to) of it. */
int64_t nmi_count(const struct nmi_tensor *t);
int64_t nmi_span_count(const int64_t *dims, int32_t from, int32_t to);

/* Row-major strides in elements. */
void nmi_strides(int32_t rank, const int64_t *dims, int64_t *strides);

bool nmi_same_dims(const struct nmi_tensor *a, const struct nmi_tensor *b);

/* ---- facts ---------------------------------------------------------------------------------- */

/* Sets type, rank and dims; rank -1 takes dims == NULL. */
void nmi_fact_set(struct nmi_fact *f, nm_type type, int32_t rank, const int64_t *dims);

/* Rank known and every dim a number. */
bool nmi_fact_concrete(const struct nmi_fact *f);

/* Dims are numbers, unknown or symbols, and their product is far from overflow: NM_ESHAPE,
 * NM_ELIMIT. */
nm_status nmi_fact_check(const struct nmi_fact *f, nm_error *err);

/* NM_EUNSUPPORTED with a sentence about the type of input i unless its bit is in types. */
nm_status nmi_fact_types(const struct nmi_infer *in, int32_t i, uint32_t types, nm_error *err);

/* The fact of input i, or NULL when omitted or beyond the end. */
const struct nmi_fact *nmi_infer_in(const struct nmi_infer *in, int32_t i);
const struct nmi_tensor *nmi_eval_in(const struct nmi_eval *e, int32_t i);

/* The same type and shape as input 0. */
nm_status nmi_infer_same(struct nmi_infer *in, nm_error *err);

/* Contents of an int32/int64 value of rank <= 1 (rank 0: n = 1). False when f is NULL, when they
 * are not all known numbers, or when there are too many. */
bool nmi_fact_ints(const struct nmi_fact *f, struct nmi_ints *out);
bool nmi_tensor_ints(const struct nmi_tensor *t, struct nmi_ints *out);

/* The same with symbols allowed: element i is the number v, or stands for the dim `dim` != 0
 * (NMI_DIM_UNKNOWN: known to be there, not how large). */
#define NMI_MAX_KNOWN 64
struct nmi_numbers {
    int32_t n;
    struct nmi_known v[NMI_MAX_KNOWN];
};
bool nmi_fact_numbers(const struct nmi_fact *f, struct nmi_numbers *out);

/* True when an input carries `known`, so that passing numbers on is worth the effort. */
bool nmi_infer_symbolic(const struct nmi_infer *in);

/* Gives output 0 (an integer of rank <= 1) these contents; a copy goes to the arena. */
nm_status nmi_infer_know(struct nmi_infer *in, const struct nmi_numbers *numbers, nm_error *err);

/* Passes `known` of input 0 on to output 0 when that has rank <= 1: an alias has the same contents.
 */
nm_status nmi_infer_pass_known(struct nmi_infer *in, nm_error *err);

/* The product of dims [from, to): a number, a lone symbol, or NMI_DIM_UNKNOWN (overflow too). */
int64_t nmi_dim_product(const int64_t *dims, int32_t from, int32_t to);

/* eval of operators whose output 0 has the contents of input 0. */
nm_status nmi_eval_copy(const struct nmi_eval *e, nm_error *err);

/* ---- broadcasting --------------------------------------------------------------------------- */

/* Joins the shape of f to (rank, dims) by numpy's rule; start with rank 0. Unknown rank makes
 * *rank -1, which stays. NM_ESHAPE when the two do not fit. */
nm_status nmi_broadcast(const struct nmi_fact *f, int32_t *rank, int64_t *dims, nm_error *err);

/* ---- walks ---------------------------------------------------------------------------------- */

/*
 * A loop nest over dims with a step (in elements) per operand and axis; step 0 repeats. Simplified,
 * so that the innermost axis is as long as it can be and rank >= 1. Use:
 *     struct nmi_walk w;  nmi_walk_start(&w, rank, dims);  nmi_walk_add(...) per operand;
 *     struct nmi_walk_at at;
 *     for (bool go = nmi_walk_begin(&w, &at); go; go = nmi_walk_next(&w, &at))
 *         inner(w.inner, out + at.offset[0], in + at.offset[1], w.step[1][w.rank - 1]);
 */
#define NMI_WALK_OPERANDS 4
struct nmi_walk {
    int32_t rank, operands;
    int64_t dims[NMI_MAX_DIMS];
    int64_t step[NMI_WALK_OPERANDS][NMI_MAX_DIMS];
    int64_t inner; /* dims[rank - 1], set by nmi_walk_begin */
};
struct nmi_walk_at {
    int64_t index[NMI_MAX_DIMS];
    int64_t offset[NMI_WALK_OPERANDS];
};
void nmi_walk_start(struct nmi_walk *w, int32_t rank, const int64_t *dims);
/* An operand with these steps, one per axis of the walk. */
void nmi_walk_add(struct nmi_walk *w, const int64_t *steps);
/* An operand of this shape, broadcast to the walk's dims. */
void nmi_walk_broadcast(struct nmi_walk *w, int32_t rank, const int64_t *dims);
/* Simplifies the walk and goes to its first position; false when there is nothing to do. */
bool nmi_walk_begin(struct nmi_walk *w, struct nmi_walk_at *at);
bool nmi_walk_next(const struct nmi_walk *w, struct nmi_walk_at *at);
/* The step of an operand along the innermost axis. */
static inline int64_t nmi_walk_step(const struct nmi_walk *w, int operand)
{
    return w->step[operand][w->rank - 1];
}

/* Copies elements of `size` bytes (1, 2, 4, 8) along a walk: operand 0 is written, 1 is read. */
void nmi_walk_copy(struct nmi_walk *w, void *out, const void *in, size_t size);

#endif
