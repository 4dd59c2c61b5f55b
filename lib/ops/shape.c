/* SPDX-License-Identifier: Apache-2.0 */
/* Shape and Size, and what makes tensors from shapes or nothing: ConstantOfShape, Constant. */
#include "lib/ops/helpers.h"
#include <math.h>
#include <string.h>

/* ---- Shape ---------------------------------------------------------------------------------- */

struct shape_attrs {
    int64_t start, end;
};
static const struct nmi_attr shape_attr[] = {{.name = "start",
                                              .kind = NMI_ATTR_INT,
                                              .since = 15,
                                              .offset = offsetof(struct shape_attrs, start),
                                              .min = -1e18,
                                              .max = 1e18},
                                             {.name = "end",
                                              .kind = NMI_ATTR_INT,
                                              .since = 15,
                                              .offset = offsetof(struct shape_attrs, end),
                                              .def = NMI_MAX_DIMS,
                                              .min = -1e18,
                                              .max = 1e18},
                                             {.name = NULL}};

static int32_t clamp_axis(int64_t axis, int32_t rank)
{
    axis += axis < 0 ? rank : 0;
    return axis < 0 ? 0 : axis > rank ? rank : (int32_t)axis;
}

/* Elements of the result; *first is the axis of element 0. */
static int32_t shape_span(const struct shape_attrs *a, int32_t rank, int32_t *first)
{
    *first = clamp_axis(a->start, rank);
    int32_t n = clamp_axis(a->end, rank) - *first;
    return n < 0 ? 0 : n;
}

static struct nmi_known known_dim(int64_t dim)
{
    struct nmi_known number = {.v = dim}, open = {.dim = dim};
    return nmi_dim_known(dim) ? number : open;
}

static nm_status infer_shape(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    int64_t dims[1] = {NMI_DIM_UNKNOWN};
    if (x->rank < 0) {
        nmi_fact_set(&in->out[0], NM_I64, 1, dims);
        return NM_OK;
    }
    int32_t first;
    struct nmi_numbers n = {.n = shape_span(in->attrs, x->rank, &first)};
    for (int32_t i = 0; i < n.n; i++) {
        n.v[i] = known_dim(x->dims[first + i]);
    }
    dims[0] = n.n;
    nmi_fact_set(&in->out[0], NM_I64, 1, dims);
    return nmi_infer_know(in, &n, err);
}

static nm_status eval_shape(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    int64_t *y = e->out[0].data;
    int32_t first, n = shape_span(e->attrs, e->in[0]->rank, &first);
    for (int32_t i = 0; i < n; i++) {
        y[i] = e->in[0]->dims[first + i];
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Shape = {.name = "Shape",
                                    .domain = "",
                                    .since = 1,
                                    .min_in = 1,
                                    .max_in = 1,
                                    .min_out = 1,
                                    .max_out = 1,
                                    .types = NMI_T_MOVE,
                                    .attr_bytes = sizeof(struct shape_attrs),
                                    .attr = shape_attr,
                                    .infer = infer_shape,
                                    .eval = eval_shape,
                                    .doc = ""};

/* ---- Size ----------------------------------------------------------------------------------- */

static nm_status infer_size(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    struct nmi_numbers n = {.n = 1, .v = {{.dim = NMI_DIM_UNKNOWN}}};
    if (x->rank >= 0) {
        n.v[0] = known_dim(nmi_dim_product(x->dims, 0, x->rank));
    }
    nmi_fact_set(&in->out[0], NM_I64, 0, NULL);
    return nmi_infer_know(in, &n, err);
}

static nm_status eval_size(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    *(int64_t *)e->out[0].data = nmi_count(e->in[0]);
    return NM_OK;
}

const struct nmi_op nmi_op_Size = {.name = "Size",
                                   .domain = "",
                                   .since = 1,
                                   .min_in = 1,
                                   .max_in = 1,
                                   .min_out = 1,
                                   .max_out = 1,
                                   .types = NMI_T_MOVE,
                                   .infer = infer_size,
                                   .eval = eval_size,
                                   .doc = ""};

/* ---- ConstantOfShape ------------------------------------------------------------------------ */

struct fill_attrs {
    int32_t value;
};
static const struct nmi_attr fill_attr[] = {{.name = "value",
                                             .kind = NMI_ATTR_TENSOR,
                                             .since = 9,
                                             .offset = offsetof(struct fill_attrs, value)},
                                            {.name = NULL}};

static nm_status infer_fill(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *shape = in->in[0], *value = nmi_infer_in(in, 1);
    nm_type type = value != NULL ? value->type : NM_F32;
    int64_t dims[NMI_MAX_DIMS];
    struct nmi_numbers n;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T_MOVE, err));
    if (value != NULL && nmi_dim_product(value->dims, 0, value->rank) != 1) {
        return nmi_fail(err, NM_ESHAPE, "attribute value must have one element");
    }
    if (shape->rank > 1 || (shape->rank == 1 && shape->dims[0] > NMI_MAX_DIMS)) {
        return nmi_fail(err, NM_ESHAPE, "the shape must be a list of at most %d dims",
                        NMI_MAX_DIMS);
    }
    bool known = nmi_fact_numbers(shape, &n);
    int32_t rank = shape->rank == 1 && nmi_dim_known(shape->dims[0]) ? (int32_t)shape->dims[0] : -1;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = !known ? NMI_DIM_UNKNOWN : n.v[i].dim != 0 ? n.v[i].dim : n.v[i].v;
        if (known && n.v[i].dim == 0 && n.v[i].v < 0) {
            return nmi_fail(err, NM_ESHAPE, "dim %d of the shape is %lld", i, (long long)n.v[i].v);
        }
    }
    nmi_fact_set(&in->out[0], type, rank, dims);
    return NM_OK;
}

static nm_status eval_fill(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_tensor *value = nmi_eval_in(e, 1), *y = &e->out[0];
    const uint64_t zero = 0;
    struct nmi_walk w;
    nmi_walk_start(&w, y->rank, y->dims);
    nmi_walk_broadcast(&w, y->rank, y->dims);
    nmi_walk_broadcast(&w, 0, NULL);
    nmi_walk_copy(&w, y->data, value != NULL ? value->data : &zero, nm_type_size(y->type));
    return NM_OK;
}

const struct nmi_op nmi_op_ConstantOfShape = {.name = "ConstantOfShape",
                                              .domain = "",
                                              .since = 9,
                                              .min_in = 1,
                                              .max_in = 1,
                                              .min_out = 1,
                                              .max_out = 1,
                                              .types = NMI_T(NM_I64),
                                              .shape_inputs = 1 << 0,
                                              .attr_bytes = sizeof(struct fill_attrs),
                                              .attr = fill_attr,
                                              .infer = infer_fill,
                                              .eval = eval_fill,
                                              .doc = ""};

/* ---- Constant ------------------------------------------------------------------------------- */

#define NO_INT INT64_MIN /* value_int is absent */

struct constant_attrs {
    int32_t value;
    float value_float; /* NaN: absent */
    int64_t value_int;
    struct nmi_ints value_ints;
    struct nmi_floats value_floats;
};
static const struct nmi_attr constant_attr[] = {
    {.name = "value",
     .kind = NMI_ATTR_TENSOR,
     .since = 1,
     .offset = offsetof(struct constant_attrs, value)},
    {.name = "value_float",
     .kind = NMI_ATTR_FLOAT,
     .since = 12,
     .offset = offsetof(struct constant_attrs, value_float),
     .def = (double)NAN,
     .min = -(double)INFINITY,
     .max = (double)INFINITY},
    {.name = "value_int",
     .kind = NMI_ATTR_INT,
     .since = 12,
     .offset = offsetof(struct constant_attrs, value_int),
     .def = (double)NO_INT,
     .min = -1e19,
     .max = 1e19},
    {.name = "value_ints",
     .kind = NMI_ATTR_INTS,
     .since = 12,
     .offset = offsetof(struct constant_attrs, value_ints),
     .min = -1e19,
     .max = 1e19},
    {.name = "value_floats",
     .kind = NMI_ATTR_FLOATS,
     .since = 12,
     .offset = offsetof(struct constant_attrs, value_floats),
     .min = -(double)INFINITY,
     .max = (double)INFINITY},
    {.name = NULL}};

/* The value that the attributes spell out, as a tensor that points to it; false when there is none.
 */
static bool spelled(const struct constant_attrs *a, struct nmi_tensor *t)
{
    *t = (struct nmi_tensor){.type = NM_I64};
    if (a->value_int != NO_INT) {
        t->data = (void *)&a->value_int;
    } else if (a->value_ints.n > 0) {
        t->rank = 1;
        t->dims[0] = a->value_ints.n;
        t->data = (void *)a->value_ints.v;
    } else if (a->value_floats.n > 0) {
        t->type = NM_F32;
        t->rank = 1;
        t->dims[0] = a->value_floats.n;
        t->data = (void *)a->value_floats.v;
    } else if (!isnan(a->value_float)) {
        t->type = NM_F32;
        t->data = (void *)&a->value_float;
    }
    return t->data != NULL;
}

static nm_status infer_constant(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *value = nmi_infer_in(in, 0);
    struct nmi_tensor t;
    if (value != NULL) {
        NMI_TRY(nmi_fact_types(in, 0, NMI_T_MOVE, err));
        return nmi_infer_same(in, err);
    }
    if (!spelled(in->attrs, &t)) {
        return nmi_fail(err, NM_EUNSUPPORTED, "it has no value of a type that this operator does");
    }
    nmi_fact_set(&in->out[0], t.type, t.rank, t.dims);
    return NM_OK;
}

static nm_status eval_constant(const struct nmi_eval *e, nm_error *err)
{
    struct nmi_tensor t;
    if (nmi_eval_in(e, 0) != NULL) {
        return nmi_eval_copy(e, err);
    }
    if (spelled(e->attrs, &t)) {
        memcpy(e->out[0].data, t.data, (size_t)nmi_count(&t) * nm_type_size(t.type));
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Constant = {.name = "Constant",
                                       .domain = "",
                                       .since = 1,
                                       .min_in = 0,
                                       .max_in = 0,
                                       .min_out = 1,
                                       .max_out = 1,
                                       .attr_bytes = sizeof(struct constant_attrs),
                                       .attr = constant_attr,
                                       .infer = infer_constant,
                                       .eval = eval_constant,
                                       .doc = "no strings; no sparse_value"};
