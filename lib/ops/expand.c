/* SPDX-License-Identifier: Apache-2.0 */
/* Repetition: Expand (numpy broadcasting to a shape) and Tile. */
#include "lib/base/checked.h"
#include "lib/ops/helpers.h"
#include <string.h>

/* ---- Expand --------------------------------------------------------------------------------- */

static nm_status infer_expand(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0], *shape = in->in[1];
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    if (shape->rank > 1 || (shape->rank == 1 && shape->dims[0] > NMI_MAX_DIMS)) {
        return nmi_fail(err, NM_ESHAPE, "the shape must be a list of at most %d dims",
                        NMI_MAX_DIMS);
    }
    struct nmi_fact to = {.rank = -1};
    struct nmi_numbers n;
    bool known = nmi_fact_numbers(shape, &n);
    if (shape->rank == 1 && nmi_dim_known(shape->dims[0])) {
        to.rank = (int32_t)shape->dims[0];
    }
    for (int32_t i = 0; i < to.rank; i++) {
        to.dims[i] = !known ? NMI_DIM_UNKNOWN : n.v[i].dim != 0 ? n.v[i].dim : n.v[i].v;
        if (known && n.v[i].dim == 0 && n.v[i].v < 0) {
            return nmi_fail(err, NM_ESHAPE, "dim %d of the shape is %lld", i, (long long)n.v[i].v);
        }
    }
    int32_t rank = 0;
    int64_t dims[NMI_MAX_DIMS];
    NMI_TRY(nmi_broadcast(x, &rank, dims, err));
    NMI_TRY(nmi_broadcast(&to, &rank, dims, err));
    nmi_fact_set(&in->out[0], x->type, rank, dims);
    return NM_OK;
}

static nm_status eval_expand(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_tensor *x = e->in[0], *y = &e->out[0];
    struct nmi_walk w;
    nmi_walk_start(&w, y->rank, y->dims);
    nmi_walk_broadcast(&w, y->rank, y->dims);
    nmi_walk_broadcast(&w, x->rank, x->dims);
    nmi_walk_copy(&w, y->data, x->data, nm_type_size(x->type));
    return NM_OK;
}

const struct nmi_op nmi_op_Expand = {.name = "Expand",
                                     .domain = "",
                                     .since = 8,
                                     .min_in = 2,
                                     .max_in = 2,
                                     .min_out = 1,
                                     .max_out = 1,
                                     .types = NMI_T_MOVE,
                                     .shape_inputs = 1 << 1,
                                     .infer = infer_expand,
                                     .eval = eval_expand,
                                     .doc = ""};

/* ---- Tile ----------------------------------------------------------------------------------- */

static nm_status infer_tile(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    struct nmi_numbers n;
    int64_t dims[NMI_MAX_DIMS];
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    bool known = nmi_fact_numbers(in->in[1], &n);
    if (known && x->rank >= 0 && n.n != x->rank) {
        return nmi_fail(err, NM_ESHAPE, "%d repeats for a tensor of rank %d", n.n, x->rank);
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = NMI_DIM_UNKNOWN;
        if (!known) {
            continue;
        }
        if (n.v[i].dim == 0 && n.v[i].v < 0) {
            return nmi_fail(err, NM_ESHAPE, "repeat %d is %lld", i, (long long)n.v[i].v);
        }
        int64_t factors[2] = {x->dims[i], n.v[i].dim != 0 ? n.v[i].dim : n.v[i].v};
        dims[i] = nmi_dim_product(factors, 0, 2);
        if (!nmi_dim_known(dims[i]) && nmi_dim_known(factors[0]) && nmi_dim_known(factors[1])) {
            return nmi_fail(err, NM_ELIMIT, "axis %d becomes too long", i);
        }
    }
    nmi_fact_set(&in->out[0], x->type, x->rank, dims);
    return NM_OK;
}

/* Every position of x's first tile along axes [0, axis): repeats the finished block behind it. */
static void repeat_axis(const struct nmi_tensor *x, const struct nmi_tensor *y, int32_t axis)
{
    int64_t stride[NMI_MAX_DIMS], size = (int64_t)nm_type_size(y->type);
    nmi_strides(y->rank, y->dims, stride);
    int64_t block = x->dims[axis] * stride[axis], whole = y->dims[axis] * stride[axis];
    struct nmi_walk w;
    struct nmi_walk_at at;
    nmi_walk_start(&w, axis, x->dims);
    nmi_walk_add(&w, stride);
    for (bool go = nmi_walk_begin(&w, &at); go; go = nmi_walk_next(&w, &at)) {
        for (int64_t i = 0; i < w.inner; i++) {
            char *first = (char *)y->data + (at.offset[0] + i * nmi_walk_step(&w, 0)) * size;
            for (int64_t k = block; k < whole; k += block) {
                memcpy(first + k * size, first, (size_t)(block * size));
            }
        }
    }
}

static nm_status eval_tile(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_tensor *x = e->in[0], *y = &e->out[0];
    if (nmi_count(y) == 0) {
        return NM_OK;
    }
    int64_t to[NMI_MAX_DIMS], from[NMI_MAX_DIMS];
    nmi_strides(y->rank, y->dims, to);
    nmi_strides(x->rank, x->dims, from);
    struct nmi_walk w;
    nmi_walk_start(&w, x->rank, x->dims);
    nmi_walk_add(&w, to);
    nmi_walk_add(&w, from);
    nmi_walk_copy(&w, y->data, x->data, nm_type_size(x->type));
    for (int32_t axis = x->rank - 1; axis >= 0; axis--) {
        repeat_axis(x, y, axis);
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Tile = {.name = "Tile",
                                   .domain = "",
                                   .since = 6,
                                   .min_in = 2,
                                   .max_in = 2,
                                   .min_out = 1,
                                   .max_out = 1,
                                   .types = NMI_T_MOVE,
                                   .shape_inputs = 1 << 1,
                                   .infer = infer_tile,
                                   .eval = eval_tile,
                                   .doc = ""};
