/* SPDX-License-Identifier: Apache-2.0 */
/* Operators whose output is the input with other dims: Flatten, Squeeze, Unsqueeze, Identity, and
 * Dropout, which does nothing outside of training. */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include <string.h>

/* ---- Flatten -------------------------------------------------------------------------------- */

static const struct nmi_attr flatten_attr[] = {{.name = "axis",
                                                .kind = NMI_ATTR_INT,
                                                .since = 1,
                                                .offset = offsetof(struct nmi_axis_attrs, axis),
                                                .def = 1,
                                                .min = -NMI_MAX_DIMS,
                                                .max = NMI_MAX_DIMS},
                                               {.name = NULL}};

static nm_status infer_flatten(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_axis_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    int64_t dims[2] = {NMI_DIM_UNKNOWN, NMI_DIM_UNKNOWN};
    if (x->rank >= 0) {
        int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;
        if (axis < 0 || axis > x->rank) {
            return nmi_fail(err, NM_ESHAPE, "axis %lld is outside a tensor of rank %d",
                            (long long)a->axis, x->rank);
        }
        dims[0] = nmi_dim_product(x->dims, 0, (int32_t)axis);
        dims[1] = nmi_dim_product(x->dims, (int32_t)axis, x->rank);
    }
    nmi_fact_set(&in->out[0], x->type, 2, dims);
    return NM_OK;
}

/* ---- Squeeze, Unsqueeze --------------------------------------------------------------------- */

struct axes_attrs {
    struct nmi_ints axes;
};
static const struct nmi_attr axes_attr[] = {{.name = "axes",
                                             .kind = NMI_ATTR_INTS,
                                             .since = 1,
                                             .until = 12,
                                             .offset = offsetof(struct axes_attrs, axes),
                                             .min = -NMI_MAX_DIMS,
                                             .max = NMI_MAX_DIMS},
                                            {.name = NULL}};

/* Axes from the attribute or input 1; false when they are not known. *given: there are some. */
static bool find_axes(const struct nmi_infer *in, struct nmi_ints *axes, bool *given)
{
    const struct axes_attrs *a = in->attrs;
    const struct nmi_fact *input = nmi_infer_in(in, 1);
    *axes = a->axes;
    *given = input != NULL || a->axes.n > 0;
    return input == NULL || nmi_fact_ints(input, axes);
}

/* With axes that are not known, at most the rank is: it changes by their number. */
static void set_open(struct nmi_infer *in, int32_t sign)
{
    const struct nmi_fact *x = in->in[0], *axes = nmi_infer_in(in, 1);
    int64_t dims[NMI_MAX_DIMS], rank = -1;
    if (x->rank >= 0 && axes != NULL && axes->rank == 1 && nmi_dim_known(axes->dims[0]) &&
        axes->dims[0] <= NMI_MAX_DIMS) {
        rank = x->rank + sign * axes->dims[0];
    }
    for (int32_t i = 0; i < NMI_MAX_DIMS; i++) {
        dims[i] = NMI_DIM_UNKNOWN;
    }
    bool sane = rank >= 0 && rank <= NMI_MAX_DIMS;
    nmi_fact_set(&in->out[0], x->type, sane ? (int32_t)rank : -1, dims);
}

/* The axes to drop; *mask with bit 31 set: some dim may or may not be 1. */
static nm_status squeeze_mask(const struct nmi_fact *x, const struct nmi_ints *axes, bool given,
                              uint32_t *mask, nm_error *err)
{
    if (given) {
        NMI_TRY(nmi_axes(axes, x->rank, mask, err));
    } else {
        *mask = 0;
    }
    for (int32_t i = 0; i < x->rank; i++) {
        if (given && (*mask >> i & 1) != 0 && nmi_dim_known(x->dims[i]) && x->dims[i] != 1) {
            return nmi_fail(err, NM_ESHAPE, "axis %d to squeeze has %lld elements, expected 1", i,
                            (long long)x->dims[i]);
        }
        if (!given) {
            *mask |= x->dims[i] == 1 ? 1u << i : 0;
            *mask |= !nmi_dim_known(x->dims[i]) ? 1u << 31 : 0;
        }
    }
    return NM_OK;
}

static nm_status infer_squeeze(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    struct nmi_ints axes;
    bool given;
    uint32_t mask;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    if (!find_axes(in, &axes, &given) || x->rank < 0) {
        set_open(in, -1);
        return NM_OK;
    }
    NMI_TRY(squeeze_mask(x, &axes, given, &mask, err));
    int64_t dims[NMI_MAX_DIMS];
    int32_t rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if ((mask >> i & 1) == 0) {
            dims[rank++] = x->dims[i];
        }
    }
    nmi_fact_set(&in->out[0], x->type, mask >> 31 != 0 ? -1 : rank, dims);
    return nmi_infer_pass_known(in, err);
}

static nm_status infer_unsqueeze(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    struct nmi_ints axes;
    bool given;
    uint32_t mask;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    if (!find_axes(in, &axes, &given) || x->rank < 0) {
        set_open(in, 1);
        return NM_OK;
    }
    int32_t rank = x->rank + axes.n;
    if (!given || rank > NMI_MAX_DIMS) {
        return nmi_fail(err, NM_ESHAPE, "%d axes for a tensor of rank %d, expected 1 to %d", axes.n,
                        x->rank, NMI_MAX_DIMS - x->rank);
    }
    NMI_TRY(nmi_axes(&axes, rank, &mask, err));
    int64_t dims[NMI_MAX_DIMS];
    for (int32_t i = 0, from = 0; i < rank; i++) {
        dims[i] = (mask >> i & 1) != 0 ? 1 : x->dims[from++];
    }
    nmi_fact_set(&in->out[0], x->type, rank, dims);
    return nmi_infer_pass_known(in, err);
}

/* ---- Identity, Dropout ---------------------------------------------------------------------- */

static nm_status infer_identity(struct nmi_infer *in, nm_error *err)
{
    NMI_TRY(nmi_infer_same(in, err));
    return nmi_infer_pass_known(in, err);
}

static const struct nmi_attr dropout_attr[] = {
    {.name = "ratio", .kind = NMI_ATTR_IGNORED, .since = 1, .until = 11},
    {.name = "seed", .kind = NMI_ATTR_IGNORED, .since = 12},
    {.name = NULL}};

/* A ratio of zero drops nothing, in training too (exporters leave such nodes behind). */
static bool ratio_zero(const struct nmi_infer *in)
{
    const struct nmi_fact *ratio = nmi_infer_in(in, 1);
    return ratio != NULL && ratio->type == NM_F32 && ratio->data != NULL &&
           *(const float *)ratio->data == 0.0f;
}

static nm_status infer_dropout(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *training = nmi_infer_in(in, 2);
    if (training != NULL && !ratio_zero(in) &&
        (training->data == NULL || training->type != NM_BOOL ||
         *(const uint8_t *)training->data != 0)) {
        return nmi_fail(err, NM_EUNSUPPORTED, "training mode is not done");
    }
    NMI_TRY(nmi_infer_same(in, err));
    if (in->n_out > 1) { /* the mask */
        nmi_fact_set(&in->out[1], in->opset < 10 ? in->in[0]->type : NM_BOOL, in->in[0]->rank,
                     in->in[0]->dims);
    }
    return NM_OK;
}

/* Nothing is dropped: the mask is all true. Below opset 10 it is left open what it holds: zeros. */
static nm_status eval_dropout(const struct nmi_eval *e, nm_error *err)
{
    if (e->n_out > 1 && e->out[1].data != NULL) {
        size_t bytes = (size_t)nmi_count(&e->out[1]) * nm_type_size(e->out[1].type);
        memset(e->out[1].data, e->opset < 10 ? 0 : 1, bytes);
    }
    return nmi_eval_copy(e, err);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

#define ALIAS(id, inputs, outputs, infer_fn, eval_fn, ...)                                         \
    const struct nmi_op nmi_op_##id = {.name = #id,                                                \
                                       .domain = "",                                               \
                                       .since = 1,                                                 \
                                       .min_in = 1,                                                \
                                       .max_in = inputs,                                           \
                                       .min_out = 1,                                               \
                                       .max_out = outputs,                                         \
                                       .types = NMI_T_MOVE,                                        \
                                       .flags = NMI_OP_ALIAS,                                      \
                                       .infer = infer_fn,                                          \
                                       .eval = eval_fn,                                            \
                                       __VA_ARGS__}

ALIAS(Flatten, 1, 1, infer_flatten, nmi_eval_copy, .attr_bytes = sizeof(struct nmi_axis_attrs),
      .attr = flatten_attr, .doc = "");
ALIAS(Squeeze, 2, 1, infer_squeeze, nmi_eval_copy, .shape_inputs = 1 << 1,
      .attr_bytes = sizeof(struct axes_attrs), .attr = axes_attr, .doc = "");
ALIAS(Unsqueeze, 2, 1, infer_unsqueeze, nmi_eval_copy, .shape_inputs = 1 << 1,
      .attr_bytes = sizeof(struct axes_attrs), .attr = axes_attr, .doc = "");
ALIAS(Identity, 1, 1, infer_identity, nmi_eval_copy, .doc = "");
ALIAS(Dropout, 3, 2, infer_dropout, eval_dropout, .attr_bytes = 1, .attr = dropout_attr,
      .doc = "no training mode");
