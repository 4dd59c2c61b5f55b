/* SPDX-License-Identifier: Apache-2.0 */
/* Axes in another order: Transpose, DepthToSpace, SpaceToDepth. */
#include "lib/base/checked.h"
#include "lib/ops/helpers.h"

/* out[i0, i1, ...] = x with its axis perm[k] at place k; dims are x's. */
static void permute(int32_t rank, const int64_t *dims, const int64_t *perm, void *out,
                    const void *x, size_t size)
{
    int64_t from[NMI_MAX_DIMS], to_dims[NMI_MAX_DIMS], steps[NMI_MAX_DIMS];
    nmi_strides(rank, dims, from);
    for (int32_t i = 0; i < rank; i++) {
        to_dims[i] = dims[perm[i]];
        steps[i] = from[perm[i]];
    }
    struct nmi_walk w;
    nmi_walk_start(&w, rank, to_dims);
    nmi_walk_broadcast(&w, rank, to_dims);
    nmi_walk_add(&w, steps);
    nmi_walk_copy(&w, out, x, size);
}

/* ---- Transpose ------------------------------------------------------------------------------ */

struct transpose_attrs {
    struct nmi_ints perm;
};
static const struct nmi_attr transpose_attr[] = {{.name = "perm",
                                                  .kind = NMI_ATTR_INTS,
                                                  .since = 1,
                                                  .offset = offsetof(struct transpose_attrs, perm),
                                                  .max = NMI_MAX_DIMS - 1},
                                                 {.name = NULL}};

static int64_t perm_at(const struct transpose_attrs *a, int32_t rank, int32_t i)
{
    return a->perm.n > 0 ? a->perm.v[i] : rank - 1 - i;
}

static nm_status infer_transpose(struct nmi_infer *in, nm_error *err)
{
    const struct transpose_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    int64_t dims[NMI_MAX_DIMS];
    uint32_t mask;
    if (x->rank >= 0 && a->perm.n > 0) {
        if (a->perm.n != x->rank) {
            return nmi_fail(err, NM_ESHAPE, "perm has %d axes for a tensor of rank %d", a->perm.n,
                            x->rank);
        }
        NMI_TRY(nmi_axes(&a->perm, x->rank, &mask, err));
    }
    for (int32_t i = 0; i < x->rank; i++) {
        int64_t axis = perm_at(a, x->rank, i);
        if (axis < 0) {
            return nmi_fail(err, NM_ESHAPE, "perm holds %lld", (long long)axis);
        }
        dims[i] = x->dims[axis];
    }
    nmi_fact_set(&in->out[0], x->type, x->rank, dims);
    return nmi_infer_pass_known(in, err);
}

static nm_status eval_transpose(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_tensor *x = e->in[0];
    int64_t perm[NMI_MAX_DIMS];
    for (int32_t i = 0; i < x->rank; i++) {
        perm[i] = perm_at(e->attrs, x->rank, i);
    }
    permute(x->rank, x->dims, perm, e->out[0].data, x->data, nm_type_size(x->type));
    return NM_OK;
}

const struct nmi_op nmi_op_Transpose = {.name = "Transpose",
                                        .domain = "",
                                        .since = 1,
                                        .min_in = 1,
                                        .max_in = 1,
                                        .min_out = 1,
                                        .max_out = 1,
                                        .types = NMI_T_MOVE,
                                        .attr_bytes = sizeof(struct transpose_attrs),
                                        .attr = transpose_attr,
                                        .infer = infer_transpose,
                                        .eval = eval_transpose,
                                        .doc = ""};

/* ---- DepthToSpace, SpaceToDepth ------------------------------------------------------------- */

struct block_attrs {
    int64_t blocksize, mode; /* mode 0: DCR, 1: CRD; DepthToSpace only */
};
#define BLOCKSIZE                                                                                  \
    {                                                                                              \
        .name = "blocksize", .kind = NMI_ATTR_INT, .since = 1,                                     \
        .offset = offsetof(struct block_attrs, blocksize), .min = 1, .max = 1 << 20,               \
        .required = true                                                                           \
    }
static const struct nmi_attr space_attr[] = {BLOCKSIZE,
                                             {.name = "mode",
                                              .kind = NMI_ATTR_ENUM,
                                              .since = 11,
                                              .offset = offsetof(struct block_attrs, mode),
                                              .choices = "DCR|CRD"},
                                             {.name = NULL}};
static const struct nmi_attr depth_attr[] = {BLOCKSIZE, {.name = NULL}};

static nm_status divide(int64_t *dim, int64_t by, nm_error *err)
{
    if (nmi_dim_known(*dim) && *dim % by != 0) {
        return nmi_fail(err, NM_ESHAPE, "%lld elements do not divide by %lld", (long long)*dim,
                        (long long)by);
    }
    *dim = nmi_dim_known(*dim) ? *dim / by : by == 1 ? *dim : NMI_DIM_UNKNOWN;
    return NM_OK;
}

static nm_status multiply(int64_t *dim, int64_t by, nm_error *err)
{
    if (!nmi_dim_known(*dim)) {
        *dim = by == 1 ? *dim : NMI_DIM_UNKNOWN;
    } else if (!nmi_mul_i64(*dim, by, dim)) {
        return nmi_fail(err, NM_ELIMIT, "an axis becomes too long");
    }
    return NM_OK;
}

static nm_status infer_block(struct nmi_infer *in, nm_error *err)
{
    const struct block_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    int64_t b = a->blocksize;
    bool to_space = in->node->op == NMI_OP_DepthToSpace;
    if (x->rank >= 0 && x->rank != 4) {
        return nmi_fail(err, NM_ESHAPE, "input 0 has rank %d, expected 4", x->rank);
    }
    int64_t dims[4] = {NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN};
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    NMI_TRY(to_space ? divide(&dims[1], b * b, err) : multiply(&dims[1], b * b, err));
    for (int32_t i = 2; i < 4; i++) {
        NMI_TRY(to_space ? multiply(&dims[i], b, err) : divide(&dims[i], b, err));
    }
    nmi_fact_set(&in->out[0], x->type, 4, dims);
    return NM_OK;
}

static nm_status eval_depth_to_space(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct block_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    int64_t b = a->blocksize, c = e->out[0].dims[1], h = x->dims[2], w = x->dims[3];
    const int64_t depth_first[6] = {x->dims[0], b, b, c, h, w}, first[6] = {0, 3, 4, 1, 5, 2};
    const int64_t depth_last[6] = {x->dims[0], c, b, b, h, w}, last[6] = {0, 1, 4, 2, 5, 3};
    permute(6, a->mode == 0 ? depth_first : depth_last, a->mode == 0 ? first : last, e->out[0].data,
            x->data, nm_type_size(x->type));
    return NM_OK;
}

static nm_status eval_space_to_depth(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct block_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *y = &e->out[0];
    int64_t b = a->blocksize;
    const int64_t dims[6] = {x->dims[0], x->dims[1], y->dims[2], b, y->dims[3], b};
    const int64_t perm[6] = {0, 3, 5, 1, 2, 4};
    permute(6, dims, perm, y->data, x->data, nm_type_size(x->type));
    return NM_OK;
}

#define BLOCK_OP(id, table, eval_fn)                                                               \
    const struct nmi_op nmi_op_##id = {.name = #id,                                                \
                                       .domain = "",                                               \
                                       .since = 1,                                                 \
                                       .min_in = 1,                                                \
                                       .max_in = 1,                                                \
                                       .min_out = 1,                                               \
                                       .max_out = 1,                                               \
                                       .types = NMI_T_MOVE,                                        \
                                       .flags = NMI_OP_BATCHED,                                    \
                                       .attr_bytes = sizeof(struct block_attrs),                   \
                                       .attr = table,                                              \
                                       .infer = infer_block,                                       \
                                       .eval = eval_fn,                                            \
                                       .doc = ""}
BLOCK_OP(DepthToSpace, space_attr, eval_depth_to_space);
BLOCK_OP(SpaceToDepth, depth_attr, eval_space_to_depth);
