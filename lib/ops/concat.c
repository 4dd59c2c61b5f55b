/* SPDX-License-Identifier: Apache-2.0 */
/* Concat and Split: blocks along one axis. */
#include "lib/base/checked.h"
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include <string.h>

/* ---- Concat --------------------------------------------------------------------------------- */

static const struct nmi_attr concat_attr[] = {{.name = "axis",
                                               .kind = NMI_ATTR_INT,
                                               .since = 4,
                                               .offset = offsetof(struct nmi_axis_attrs, axis),
                                               .min = -NMI_MAX_DIMS,
                                               .max = NMI_MAX_DIMS - 1,
                                               .required = true},
                                              {.name = NULL}};

/* Joins f to the shape so far: the axis adds up, other dims must agree. */
static nm_status join(const struct nmi_fact *f, int32_t i, int32_t axis, int64_t *dims,
                      nm_error *err)
{
    for (int32_t k = 0; k < f->rank; k++) {
        int64_t a = dims[k], b = f->dims[k];
        if (k == axis) {
            bool known = nmi_dim_known(a) && nmi_dim_known(b);
            dims[k] = b == 0 ? a : a == 0 ? b : NMI_DIM_UNKNOWN;
            if (known && !nmi_add_i64(a, b, &dims[k])) {
                return nmi_fail(err, NM_ELIMIT, "the joined axis is too long");
            }
        } else if (nmi_dim_known(a) && nmi_dim_known(b) && a != b) {
            return nmi_fail(err, NM_ESHAPE, "input %d has %lld elements on axis %d, expected %lld",
                            i, (long long)b, k, (long long)a);
        } else if (!nmi_dim_known(a) && (nmi_dim_known(b) || a == NMI_DIM_UNKNOWN)) {
            dims[k] = b;
        }
    }
    return NM_OK;
}

/* Shapes that are put together from numbers and symbols. */
static nm_status join_known(struct nmi_infer *in, nm_error *err)
{
    struct nmi_numbers all = {.n = 0}, part;
    for (int32_t i = 0; i < in->n_in; i++) {
        const struct nmi_fact *f = in->in[i];
        bool known = nmi_fact_numbers(f, &part);
        int64_t n = f->dims[0];
        if (!nmi_dim_known(n) || n > NMI_MAX_KNOWN - all.n) {
            return NM_OK;
        }
        for (int32_t k = 0; k < n; k++) {
            all.v[all.n++] = known ? part.v[k] : (struct nmi_known){.dim = NMI_DIM_UNKNOWN};
        }
    }
    return nmi_infer_know(in, &all, err);
}

static nm_status infer_concat(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_axis_attrs *a = in->attrs;
    const struct nmi_fact *first = in->in[0];
    bool open = false;
    for (int32_t i = 0; i < in->n_in; i++) {
        const struct nmi_fact *f = in->in[i];
        if (f->type != first->type) {
            return nmi_fail(err, NM_ETYPE, "input %d has type %s, expected %s as input 0", i,
                            nm_type_name(f->type), nm_type_name(first->type));
        }
        if (f->rank >= 0 && first->rank >= 0 && f->rank != first->rank) {
            return nmi_fail(err, NM_ESHAPE, "input %d has rank %d, expected %d as input 0", i,
                            f->rank, first->rank);
        }
        open = open || f->rank < 0;
    }
    int32_t axis;
    nmi_fact_set(&in->out[0], first->type, open ? -1 : first->rank, first->dims);
    if (open) {
        return NM_OK;
    }
    NMI_TRY(nmi_axis(a->axis, first->rank, &axis, err));
    for (int32_t i = 1; i < in->n_in; i++) {
        NMI_TRY(join(in->in[i], i, axis, in->out[0].dims, err));
    }
    bool shape = first->rank == 1 && (first->type == NM_I64 || first->type == NM_I32);
    return shape && nmi_infer_symbolic(in) ? join_known(in, err) : NM_OK;
}

static nm_status eval_concat(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_axis_attrs *a = e->attrs;
    const struct nmi_tensor *y = &e->out[0];
    int32_t axis;
    NMI_TRY(nmi_axis(a->axis, y->rank, &axis, err));
    int64_t outer = nmi_span_count(y->dims, 0, axis);
    size_t inner = (size_t)nmi_span_count(y->dims, axis + 1, y->rank) * nm_type_size(y->type);
    size_t pitch = inner * (size_t)y->dims[axis];
    char *to = y->data;
    for (int32_t i = 0; i < e->n_in; i++) {
        size_t bytes = inner * (size_t)e->in[i]->dims[axis];
        const char *from = e->in[i]->data;
        for (int64_t k = 0; bytes > 0 && k < outer; k++) {
            memcpy(to + (size_t)k * pitch, from + (size_t)k * bytes, bytes);
        }
        to += bytes;
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Concat = {.name = "Concat",
                                     .domain = "",
                                     .since = 4,
                                     .min_in = 1,
                                     .max_in = -1,
                                     .min_out = 1,
                                     .max_out = 1,
                                     .types = NMI_T_MOVE,
                                     .attr_bytes = sizeof(struct nmi_axis_attrs),
                                     .attr = concat_attr,
                                     .infer = infer_concat,
                                     .eval = eval_concat,
                                     .doc = ""};

/* ---- Split ---------------------------------------------------------------------------------- */

struct split_attrs {
    int64_t axis, num_outputs;
    struct nmi_ints split;
};
static const struct nmi_attr split_attr[] = {{.name = "axis",
                                              .kind = NMI_ATTR_INT,
                                              .since = 2,
                                              .offset = offsetof(struct split_attrs, axis),
                                              .min = -NMI_MAX_DIMS,
                                              .max = NMI_MAX_DIMS - 1},
                                             {.name = "split",
                                              .kind = NMI_ATTR_INTS,
                                              .since = 2,
                                              .until = 12,
                                              .offset = offsetof(struct split_attrs, split),
                                              .max = 1e18},
                                             {.name = "num_outputs",
                                              .kind = NMI_ATTR_INT,
                                              .since = 18,
                                              .offset = offsetof(struct split_attrs, num_outputs),
                                              .min = 1,
                                              .max = NMI_MAX_NODE_INPUTS},
                                             {.name = NULL}};

/* The lengths that attribute or input 1 give; n = 0: none are given. False: not known yet. */
static bool split_sizes(const struct nmi_infer *in, struct nmi_numbers *sizes)
{
    const struct split_attrs *a = in->attrs;
    const struct nmi_fact *input = nmi_infer_in(in, 1);
    sizes->n = a->split.n;
    for (int32_t i = 0; i < a->split.n; i++) {
        sizes->v[i] = (struct nmi_known){.v = a->split.v[i]};
    }
    return input == NULL || nmi_fact_numbers(input, sizes);
}

static nm_status equal_parts(const struct nmi_infer *in, int64_t dim, int64_t *part, nm_error *err)
{
    const struct split_attrs *a = in->attrs;
    int64_t n = in->n_out;
    if (a->num_outputs != 0 && a->num_outputs != n) {
        return nmi_fail(err, NM_EFORMAT, "num_outputs is %lld for %lld outputs",
                        (long long)a->num_outputs, (long long)n);
    }
    *part = n == 1 ? dim : NMI_DIM_UNKNOWN;
    if (!nmi_dim_known(dim)) {
        return NM_OK;
    }
    *part = dim / n + (dim % n != 0);
    if ((in->opset < 18 && dim % n != 0) || *part * (n - 1) > dim) {
        return nmi_fail(err, NM_ESHAPE, "%lld elements do not split into %lld outputs",
                        (long long)dim, (long long)n);
    }
    return NM_OK;
}

/* The length of output i, from the sizes or equal parts; *left goes down by it. */
static nm_status part_length(const struct nmi_numbers *sizes, int64_t part, int32_t i,
                             int64_t *left, int64_t *length, nm_error *err)
{
    *length = part;
    if (sizes->n > 0) {
        *length = sizes->v[i].dim != 0 ? sizes->v[i].dim : sizes->v[i].v;
    } else if (nmi_dim_known(part) && part > *left) {
        *length = *left;
    }
    if (nmi_dim_known(*left) && (*length < 0 || *length > *left) && sizes->n > 0 &&
        sizes->v[i].dim == 0) {
        return nmi_fail(err, NM_ESHAPE, "part %d of the split is %lld, with %lld elements left", i,
                        (long long)*length, (long long)*left);
    }
    *left = nmi_dim_known(*left) && nmi_dim_known(*length) ? *left - *length : NMI_DIM_UNKNOWN;
    return NM_OK;
}

static nm_status infer_split(struct nmi_infer *in, nm_error *err)
{
    const struct split_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    struct nmi_numbers sizes;
    int32_t axis;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    for (int32_t i = 0; i < in->n_out; i++) {
        nmi_fact_set(&in->out[i], x->type, x->rank, x->dims);
    }
    if (x->rank < 0) {
        return NM_OK;
    }
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    int64_t left = x->dims[axis], part = NMI_DIM_UNKNOWN;
    if (!split_sizes(in, &sizes)) {
        sizes.n = 0;
    } else if (sizes.n == 0) {
        NMI_TRY(equal_parts(in, left, &part, err));
    } else if (sizes.n != in->n_out) {
        return nmi_fail(err, NM_ESHAPE, "the split has %d parts for %d outputs", sizes.n,
                        in->n_out);
    }
    for (int32_t i = 0; i < in->n_out; i++) {
        NMI_TRY(part_length(&sizes, part, i, &left, &in->out[i].dims[axis], err));
    }
    if (left > 0) {
        return nmi_fail(err, NM_ESHAPE, "the split leaves %lld elements of axis %d over",
                        (long long)left, axis);
    }
    return NM_OK;
}

static nm_status eval_split(const struct nmi_eval *e, nm_error *err)
{
    const struct split_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    int32_t axis;
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    int64_t outer = nmi_span_count(x->dims, 0, axis);
    size_t inner = (size_t)nmi_span_count(x->dims, axis + 1, x->rank) * nm_type_size(x->type);
    size_t pitch = inner * (size_t)x->dims[axis];
    const char *from = x->data;
    for (int32_t i = 0; i < e->n_out; i++) {
        size_t bytes = inner * (size_t)e->out[i].dims[axis];
        char *to = e->out[i].data;
        for (int64_t k = 0; to != NULL && bytes > 0 && k < outer; k++) {
            memcpy(to + (size_t)k * bytes, from + (size_t)k * pitch, bytes);
        }
        from += bytes;
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Split = {.name = "Split",
                                    .domain = "",
                                    .since = 2,
                                    .min_in = 1,
                                    .max_in = 2,
                                    .min_out = 1,
                                    .max_out = -1,
                                    .types = NMI_T_MOVE,
                                    .shape_inputs = 1 << 1,
                                    .attr_bytes = sizeof(struct split_attrs),
                                    .attr = split_attr,
                                    .infer = infer_split,
                                    .eval = eval_split,
                                    .doc = "at most 64 parts of given lengths"};
