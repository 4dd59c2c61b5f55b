/* SPDX-License-Identifier: Apache-2.0 */
/* Reshape: the contents of input 1 are the new dims, which may be symbols. */
#include "lib/base/checked.h"
#include "lib/ops/helpers.h"

struct reshape_attrs {
    int64_t allowzero;
};
static const struct nmi_attr reshape_attr[] = {{.name = "allowzero",
                                                .kind = NMI_ATTR_INT,
                                                .since = 14,
                                                .offset = offsetof(struct reshape_attrs, allowzero),
                                                .max = 1},
                                               {.name = NULL}};

/* The dims that the shape spells out. *hole is the axis to be inferred, or -1. */
struct target {
    int32_t rank, hole;
    bool exact; /* the hole is a -1 of the file, not a dim that merely is unknown */
    int64_t dims[NMI_MAX_DIMS];
    bool copied[NMI_MAX_DIMS]; /* input axis i went over as it is */
};

static nm_status read_dim(struct nmi_infer *in, const struct nmi_known *k, int32_t i,
                          struct target *t, nm_error *err)
{
    const struct reshape_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    t->dims[i] = k->dim != 0 ? k->dim : k->v;
    if (k->dim != 0 || k->v > 0 || (k->v == 0 && a->allowzero != 0)) {
        return NM_OK;
    }
    if (k->v == 0 && x->rank >= 0 && i >= x->rank) {
        return nmi_fail(err, NM_ESHAPE, "dim %d of the shape is 0, but the input has rank %d", i,
                        x->rank);
    }
    if (k->v == 0) {
        t->dims[i] = x->rank < 0 ? NMI_DIM_UNKNOWN : x->dims[i];
        t->copied[i] = x->rank >= 0;
        return NM_OK;
    }
    if (k->v < -1 || t->exact) {
        return nmi_fail(err, NM_ESHAPE, "dim %d of the shape is %lld%s", i, (long long)k->v,
                        k->v == -1 ? ", as another one is" : "");
    }
    t->hole = i;
    t->exact = true;
    return NM_OK;
}

static nm_status read_target(struct nmi_infer *in, const struct nmi_numbers *shape,
                             struct target *t, nm_error *err)
{
    const struct reshape_attrs *a = in->attrs;
    bool zero = false;
    for (int32_t i = 0; i < shape->n; i++) {
        NMI_TRY(read_dim(in, &shape->v[i], i, t, err));
        zero = zero || (shape->v[i].dim == 0 && shape->v[i].v == 0);
    }
    if (zero && t->exact && a->allowzero != 0) {
        return nmi_fail(err, NM_ESHAPE, "the shape has both 0 and -1, and allowzero is set");
    }
    int32_t unknown = 0;
    for (int32_t i = 0; i < shape->n && !t->exact; i++) {
        if (t->dims[i] == NMI_DIM_UNKNOWN && !t->copied[i]) {
            t->hole = i;
            unknown++;
        }
    }
    t->hole = t->exact || unknown == 1 ? t->hole : -1;
    return NM_OK;
}

/* Numbers multiplied; symbols that stand on both sides cancel; n_open counts what is left. */
struct sides {
    int64_t in, out;     /* products of the numbers */
    int64_t open;        /* the last symbol left among the input's dims */
    int32_t n_in, n_out; /* symbols or unknown dims left on each side */
    bool overflow;
};

/* Takes one equal symbol out of list; false when there is none. */
static bool cancel(int64_t *list, int32_t n, int64_t symbol)
{
    for (int32_t i = 0; i < n; i++) {
        if (list[i] == symbol && symbol != NMI_DIM_UNKNOWN) {
            list[i] = 1;
            return true;
        }
    }
    return false;
}

static struct sides compare_sides(const struct nmi_fact *x, const struct target *t)
{
    struct sides s = {.in = 1, .out = 1};
    int64_t left[NMI_MAX_DIMS];
    for (int32_t i = 0; i < x->rank; i++) {
        left[i] = t->copied[i] && !nmi_dim_known(x->dims[i]) ? 1 : x->dims[i];
    }
    for (int32_t i = 0; i < t->rank; i++) {
        if (i == t->hole || (t->copied[i] && !nmi_dim_known(t->dims[i]))) {
            continue;
        }
        if (nmi_dim_known(t->dims[i])) {
            s.overflow = !nmi_mul_i64(s.out, t->dims[i], &s.out) || s.overflow;
        } else if (!cancel(left, x->rank, t->dims[i])) {
            s.n_out++;
        }
    }
    for (int32_t i = 0; i < x->rank; i++) {
        if (nmi_dim_known(left[i])) {
            s.overflow = !nmi_mul_i64(s.in, left[i], &s.in) || s.overflow;
        } else {
            s.open = left[i];
            s.n_in++;
        }
    }
    return s;
}

static nm_status fill_hole(const struct nmi_fact *x, struct target *t, nm_error *err)
{
    struct sides s = compare_sides(x, t);
    bool numbers = s.n_in == 0 && s.n_out == 0 && !s.overflow;
    if (t->hole < 0) {
        if (numbers && s.in != s.out) {
            return nmi_fail(err, NM_ESHAPE, "%lld elements do not fit a shape of %lld",
                            (long long)s.in, (long long)s.out);
        }
        return NM_OK;
    }
    t->dims[t->hole] = NMI_DIM_UNKNOWN;
    if (numbers && s.out > 0 && s.in % s.out == 0) {
        t->dims[t->hole] = s.in / s.out;
    } else if (numbers && t->exact) {
        return nmi_fail(err, NM_ESHAPE, "%lld elements do not divide into the shape's %lld",
                        (long long)s.in, (long long)s.out);
    } else if (s.n_in == 1 && s.n_out == 0 && s.in == s.out && s.in > 0) {
        t->dims[t->hole] = s.open;
    }
    return NM_OK;
}

static nm_status infer_reshape(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0], *shape = in->in[1];
    struct target t = {.hole = -1};
    struct nmi_numbers n;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    if (shape->rank > 1 || (shape->rank == 1 && shape->dims[0] > NMI_MAX_DIMS)) {
        return nmi_fail(err, NM_ESHAPE, "the shape must be a list of at most %d dims",
                        NMI_MAX_DIMS);
    }
    if (!nmi_fact_numbers(shape, &n) || shape->rank == 0) {
        for (int32_t i = 0; i < NMI_MAX_DIMS; i++) {
            t.dims[i] = NMI_DIM_UNKNOWN;
        }
        bool counted = shape->rank == 1 && nmi_dim_known(shape->dims[0]);
        nmi_fact_set(&in->out[0], x->type, counted ? (int32_t)shape->dims[0] : -1, t.dims);
        return NM_OK;
    }
    t.rank = n.n;
    NMI_TRY(read_target(in, &n, &t, err));
    if (x->rank >= 0) {
        NMI_TRY(fill_hole(x, &t, err));
    } else if (t.hole >= 0) {
        t.dims[t.hole] = NMI_DIM_UNKNOWN;
    }
    nmi_fact_set(&in->out[0], x->type, t.rank, t.dims);
    return nmi_infer_pass_known(in, err);
}

const struct nmi_op nmi_op_Reshape = {.name = "Reshape",
                                      .domain = "",
                                      .since = 5,
                                      .min_in = 2,
                                      .max_in = 2,
                                      .min_out = 1,
                                      .max_out = 1,
                                      .types = NMI_T_MOVE,
                                      .flags = NMI_OP_ALIAS,
                                      .shape_inputs = 1 << 1,
                                      .attr_bytes = sizeof(struct reshape_attrs),
                                      .attr = reshape_attr,
                                      .infer = infer_reshape,
                                      .eval = nmi_eval_copy,
                                      .doc = ""};
