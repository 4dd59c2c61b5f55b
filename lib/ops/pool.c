/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MaxPool and AveragePool, 1-D and 2-D; GlobalMaxPool and GlobalAveragePool, any rank. Floats go
 * through the reference kernels; MaxPool with Indices, or of bytes, has a loop of its own here.
 */
#include "lib/ops/helpers.h"
#include "lib/ops/window.h"

#include <math.h>
#include <stddef.h>

#define ATTR(field, first, attr_kind, ...)                                                         \
    {                                                                                              \
        .name = #field, .kind = attr_kind, .since = first,                                         \
        .offset = offsetof(struct nmi_pool_attrs, field), __VA_ARGS__                              \
    }
#define COMMON_ATTRS                                                                               \
    ATTR(auto_pad, 1, NMI_ATTR_ENUM, .choices = "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),             \
        ATTR(ceil_mode, 10, NMI_ATTR_INT, .min = 0, .max = 1),                                     \
        ATTR(kernel_shape, 1, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX, .required = true),        \
        ATTR(pads, 1, NMI_ATTR_INTS, .min = 0, .max = INT32_MAX),                                  \
        ATTR(strides, 1, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX)

static const struct nmi_attr max_attrs[] = {
    COMMON_ATTRS,
    ATTR(dilations, 10, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX),
    ATTR(storage_order, 8, NMI_ATTR_INT, .min = 0, .max = 1),
    {0}};
static const struct nmi_attr average_attrs[] = {
    COMMON_ATTRS,
    ATTR(count_include_pad, 7, NMI_ATTR_INT, .min = 0, .max = 1),
    ATTR(dilations, 19, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX),
    {0}};

static nm_status finish(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    (void)opset;
    const struct nmi_pool_attrs *a = attrs;
    return nmi_window_spatial(a->kernel_shape.n, node, err);
}

static nm_status infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_pool_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    int64_t dims[4];
    int32_t rank = x->rank;
    if (rank >= 0) {
        struct nmi_window w;
        NMI_TRY(nmi_window_rank(rank, NULL, err));
        NMI_TRY(nmi_window_resolve(&a->kernel_shape, &a->strides, &a->dilations, &a->pads,
                                   a->auto_pad, a->ceil_mode, rank - 2, x->dims + 2, &w, NULL,
                                   err));
        dims[0] = x->dims[0];
        dims[1] = x->dims[1];
        dims[2] = w.out[rank == 3];
        dims[3] = w.out[1];
    }
    nmi_fact_set(&in->out[0], x->type, rank, dims);
    if (in->n_out > 1) {
        nmi_fact_set(&in->out[1], NM_I64, rank, dims);
    }
    return NM_OK;
}

static nm_status eval(const struct nmi_eval *e, uint16_t op, nm_error *err)
{
    union nmi_desc desc;
    NMI_TRY(nmi_pool_describe(op, e->attrs, e->in[0], &e->out[0], e->name, &desc.pool, err));
    struct nmi_kargs args = {.x = e->in[0]->data, .y = e->out[0].data};
    return nmi_reference_run(NMI_KIND_POOL, &desc, &args, err);
}

static nm_status average_eval(const struct nmi_eval *e, nm_error *err)
{
    return eval(e, NMI_OP_AveragePool, err);
}

/* ---- MaxPool with indices, or of bytes ---------------------------------------------------------
 */

struct best {
    float value;
    int64_t y, x; /* -1: the window has no cell on the map */
};

static float read_cell(nm_type type, const void *map, int64_t i)
{
    switch (type) {
    case NM_U8:
        return (float)((const uint8_t *)map)[i];
    case NM_I8:
        return (float)((const int8_t *)map)[i];
    default:
        return ((const float *)map)[i];
    }
}

static void write_cell(nm_type type, void *map, int64_t i, struct best best)
{
    if (map == NULL) {
        return;
    }
    switch (type) {
    case NM_U8:
        ((uint8_t *)map)[i] = best.y < 0 ? 0 : (uint8_t)best.value;
        break;
    case NM_I8:
        ((int8_t *)map)[i] = best.y < 0 ? INT8_MIN : (int8_t)best.value;
        break;
    default:
        ((float *)map)[i] = best.value;
        break;
    }
}

/* The first cell (row by row) that no later one exceeds. */
static struct best find_best(const struct nmi_pool_desc *d, nm_type type, const void *map,
                             int64_t oy, int64_t ox)
{
    struct best best = {-INFINITY, -1, -1};
    for (int64_t k = 0; k < (int64_t)d->kh * d->kw; k++) {
        int64_t y = oy * d->stride_h - d->pad[0] + k / d->kw * d->dil_h;
        int64_t x = ox * d->stride_w - d->pad[1] + k % d->kw * d->dil_w;
        if (y < 0 || y >= d->x.h || x < 0 || x >= d->x.w) {
            continue;
        }
        float value = read_cell(type, map, y * d->x.w + x);
        bool first = best.y<0, more = value> best.value;
        if (first || more) {
            best = (struct best){more ? value : best.value, y, x};
        }
    }
    return best;
}

static void max_plane(const struct nmi_eval *e, const struct nmi_pool_desc *d, int64_t plane)
{
    const struct nmi_pool_attrs *a = e->attrs;
    nm_type type = e->in[0]->type;
    int64_t map = (int64_t)d->x.h * d->x.w, outs = (int64_t)d->y.h * d->y.w;
    const void *in = (const char *)e->in[0]->data + (size_t)(plane * map) * nm_type_size(type);
    int64_t *indices = e->n_out > 1 ? e->out[1].data : NULL;
    for (int64_t i = 0; i < outs; i++) {
        struct best best = find_best(d, type, in, i / d->y.w, i % d->y.w);
        int64_t at = best.y < 0              ? 0
                     : a->storage_order == 0 ? best.y * d->x.w + best.x
                                             : best.x * d->x.h + best.y;
        write_cell(type, e->out[0].data, plane * outs + i, best);
        if (indices != NULL) {
            indices[plane * outs + i] = plane * map + at;
        }
    }
}

static nm_status max_eval(const struct nmi_eval *e, nm_error *err)
{
    bool indices = e->n_out > 1 && e->out[1].data != NULL;
    if (e->in[0]->type == NM_F32 && !indices) {
        return eval(e, NMI_OP_MaxPool, err);
    }
    struct nmi_pool_desc d;
    NMI_TRY(nmi_pool_describe(NMI_OP_MaxPool, e->attrs, e->in[0], &e->out[0], e->name, &d, err));
    for (int64_t plane = 0; plane < (int64_t)d.x.n * d.x.c; plane++) {
        max_plane(e, &d, plane);
    }
    return NM_OK;
}

static double work(const struct nmi_eval *e)
{
    const struct nmi_pool_attrs *a = e->attrs;
    return (double)nmi_count(&e->out[0]) *
           (double)nmi_span_count(a->kernel_shape.v, 0, a->kernel_shape.n);
}

/* ---- global ------------------------------------------------------------------------------------
 */

static nm_status global_infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    int64_t dims[NMI_MAX_DIMS];
    if (x->rank >= 0 && x->rank < 3) {
        return nmi_fail(err, NM_ESHAPE, "input has rank %d, expected 3 or more", x->rank);
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = i < 2 ? x->dims[i] : 1;
    }
    nmi_fact_set(&in->out[0], x->type, x->rank, dims);
    return NM_OK;
}

static nm_status global_eval(const struct nmi_eval *e, bool average, nm_error *err)
{
    const struct nmi_tensor *x = e->in[0];
    int64_t map = nmi_span_count(x->dims, 2, x->rank);
    if (x->dims[0] > INT32_MAX || x->dims[1] > INT32_MAX || map > INT32_MAX) {
        return nmi_fail(err, NM_ELIMIT, "node %s: a dimension is beyond 2^31 - 1", e->name);
    }
    union nmi_desc desc = {.gpool = {.average = average}};
    desc.gpool.x = (struct nmi_image){
        .n = (int32_t)x->dims[0], .c = (int32_t)x->dims[1], .h = 1, .w = (int32_t)map};
    struct nmi_kargs args = {.x = x->data, .y = e->out[0].data};
    return nmi_reference_run(NMI_KIND_GPOOL, &desc, &args, err);
}

static nm_status global_average_eval(const struct nmi_eval *e, nm_error *err)
{
    return global_eval(e, true, err);
}

static nm_status global_max_eval(const struct nmi_eval *e, nm_error *err)
{
    return global_eval(e, false, err);
}

const struct nmi_op nmi_op_MaxPool = {
    .name = "MaxPool",
    .domain = "",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 2,
    .types = NMI_T_FLOAT | NMI_T(NM_U8) | NMI_T(NM_I8),
    .flags = NMI_OP_BATCHED,
    .attr_bytes = sizeof(struct nmi_pool_attrs),
    .attr = max_attrs,
    .finish = finish,
    .infer = infer,
    .eval = max_eval,
    .work = work,
    .doc = "1-D and 2-D; NaN is passed over",
};

const struct nmi_op nmi_op_AveragePool = {
    .name = "AveragePool",
    .domain = "",
    .since = 7,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .attr_bytes = sizeof(struct nmi_pool_attrs),
    .attr = average_attrs,
    .finish = finish,
    .infer = infer,
    .eval = average_eval,
    .work = work,
    .doc = "1-D and 2-D",
};

const struct nmi_op nmi_op_GlobalAveragePool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .infer = global_infer,
    .eval = global_average_eval,
    .doc = "",
};

const struct nmi_op nmi_op_GlobalMaxPool = {
    .name = "GlobalMaxPool",
    .domain = "",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .infer = global_infer,
    .eval = global_max_eval,
    .doc = "",
};
