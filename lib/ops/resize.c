/* SPDX-License-Identifier: Apache-2.0 */
/* Resize (10 and later) and Upsample (7, 9): attributes and shapes; the work is in resize_run.c. */
#include "lib/ops/resize.h"
#include "lib/ops/helpers.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#define ATTR(label, field, first, attr_kind, ...)                                                  \
    {                                                                                              \
        .name = label, .kind = attr_kind, .since = first,                                          \
        .offset = offsetof(struct nmi_resize_attrs, field), __VA_ARGS__                            \
    }

static const struct nmi_attr resize_attrs[] = {
    ATTR("mode", mode, 1, NMI_ATTR_ENUM, .choices = "nearest|linear|cubic"),
    ATTR("coordinate_transformation_mode", coordinate, 11, NMI_ATTR_ENUM,
         .choices = "half_pixel|pytorch_half_pixel|align_corners|asymmetric|tf_half_pixel_for_nn|"
                    "tf_crop_and_resize|half_pixel_symmetric"),
    ATTR("nearest_mode", nearest, 11, NMI_ATTR_ENUM,
         .choices = "round_prefer_floor|round_prefer_ceil|floor|ceil"),
    ATTR("exclude_outside", exclude_outside, 11, NMI_ATTR_INT, .min = 0, .max = 1),
    ATTR("antialias", antialias, 18, NMI_ATTR_INT, .min = 0, .max = 1),
    ATTR("keep_aspect_ratio_policy", policy, 18, NMI_ATTR_ENUM,
         .choices = "stretch|not_larger|not_smaller"),
    ATTR("cubic_coeff_a", cubic, 11, NMI_ATTR_FLOAT, .def = -0.75, .min = -1e6, .max = 1e6),
    ATTR("extrapolation_value", extrapolation, 11, NMI_ATTR_FLOAT, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR("axes", axes, 18, NMI_ATTR_INTS, .min = -NMI_MAX_DIMS, .max = NMI_MAX_DIMS - 1),
    {0}};
static const struct nmi_attr upsample_attrs[] = {
    ATTR("mode", mode, 1, NMI_ATTR_ENUM, .choices = "nearest|linear"),
    ATTR("scales", scales, 7, NMI_ATTR_FLOATS, .until = 8, .min = FLT_MIN, .max = 1e6),
    {0}};

static nm_status upsample_finish(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    (void)opset;
    (void)node;
    (void)err;
    struct nmi_resize_attrs *a = attrs;
    a->coordinate = NMI_ASYMMETRIC;
    a->nearest = NMI_ROUND_SIMPLE;
    return NM_OK;
}

static nm_status resize_finish(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    const struct nmi_resize_attrs *a = attrs;
    if (opset < 11) {
        return upsample_finish(attrs, opset, node, err);
    }
    if (a->antialias != 0 && a->coordinate == NMI_TF_CROP_AND_RESIZE) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "node %s: antialias together with tf_crop_and_resize is not supported",
                        node);
    }
    return NM_OK;
}

/* ---- the request --------------------------------------------------------------------------------
 */

struct nmi_resize_roles nmi_resize_roles(bool upsample, int32_t opset)
{
    bool scales_only = upsample || opset < 11;
    return scales_only ? (struct nmi_resize_roles){-1, 1, -1} : (struct nmi_resize_roles){1, 2, 3};
}

static const struct nmi_fact *fact_at(const struct nmi_infer *in, int32_t i)
{
    const struct nmi_fact *f = i >= 0 ? nmi_infer_in(in, i) : NULL;
    bool empty = f != NULL && f->rank == 1 && f->dims[0] == 0; /* an empty one is none */
    return empty ? NULL : f;
}

/* A float32 list that is known; false when it is not (yet). */
static nm_status read_floats(const struct nmi_fact *f, struct nmi_floats *out, bool *known,
                             nm_error *err)
{
    if (f == NULL) {
        return NM_OK;
    }
    if (f->type != NM_F32 || f->rank > 1 || (f->rank == 1 && f->dims[0] > NMI_MAX_INTS)) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "roi or scales: type %s and rank %d, expected a short list of float32",
                        nm_type_name(f->type), f->rank);
    }
    if (f->data == NULL || f->rank < 0) {
        *known = false;
        return NM_OK;
    }
    out->n = f->rank == 0 ? 1 : (int32_t)f->dims[0];
    memcpy(out->v, f->data, (size_t)out->n * sizeof *out->v);
    return NM_OK;
}

nm_status nmi_resize_read(const struct nmi_resize_attrs *attrs, const struct nmi_fact *roi,
                          const struct nmi_fact *scales, const struct nmi_fact *sizes,
                          struct nmi_resize_request *r, bool *known, nm_error *err)
{
    *r = (struct nmi_resize_request){.scales = attrs->scales};
    *known = true;
    if (attrs->coordinate == NMI_TF_CROP_AND_RESIZE) {
        NMI_TRY(read_floats(roi, &r->roi, known, err));
    }
    NMI_TRY(read_floats(scales, &r->scales, known, err));
    if (sizes != NULL && sizes->type != NM_I64) {
        return nmi_fail(err, NM_ETYPE, "sizes have type %s, expected int64",
                        nm_type_name(sizes->type));
    }
    if (sizes != NULL && sizes->rank == 1 && sizes->dims[0] > NMI_MAX_DIMS) {
        return nmi_fail(err, NM_ESHAPE, "%lld sizes, expected at most %d",
                        (long long)sizes->dims[0], NMI_MAX_DIMS);
    }
    *known = *known && (sizes == NULL || nmi_fact_ints(sizes, &r->sizes));
    return NM_OK;
}

/* ---- inference ----------------------------------------------------------------------------------
 */

/* What can be said when numbers are missing: axes that are not named, and sizes that are symbols.
 */
static nm_status infer_partly(const struct nmi_resize_attrs *attrs, const struct nmi_fact *x,
                              const struct nmi_fact *sizes, int64_t *dims, nm_error *err)
{
    struct nmi_numbers numbers;
    bool named = attrs->axes.n > 0;
    bool known = attrs->policy == NMI_STRETCH && nmi_fact_numbers(sizes, &numbers) &&
                 numbers.n == (named ? attrs->axes.n : x->rank);
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = named ? x->dims[i] : NMI_DIM_UNKNOWN;
    }
    for (int32_t i = 0; i < (named ? attrs->axes.n : x->rank); i++) {
        int32_t axis = i;
        if (named) {
            NMI_TRY(nmi_axis(attrs->axes.v[i], x->rank, &axis, err));
        }
        dims[axis] = !known                  ? NMI_DIM_UNKNOWN
                     : numbers.v[i].dim != 0 ? numbers.v[i].dim
                                             : numbers.v[i].v;
    }
    return NM_OK;
}

static nm_status infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_resize_attrs *attrs = in->attrs;
    const struct nmi_fact *x = in->in[0];
    struct nmi_resize_roles roles = nmi_resize_roles(in->node->op == NMI_OP_Upsample, in->opset);
    const struct nmi_fact *sizes = fact_at(in, roles.sizes);
    struct nmi_resize_request request;
    struct nmi_resize_axis axes[NMI_MAX_DIMS];
    int64_t dims[NMI_MAX_DIMS];
    bool known;
    bool moves = attrs->mode == NMI_RESIZE_NEAREST && attrs->coordinate != NMI_TF_CROP_AND_RESIZE;
    NMI_TRY(nmi_fact_types(in, 0, moves ? NMI_T_MOVE : NMI_T_FLOAT, err));
    NMI_TRY(nmi_resize_read(attrs, fact_at(in, roles.roi), fact_at(in, roles.scales), sizes,
                            &request, &known, err));
    if (x->rank >= 0 && known) {
        NMI_TRY(nmi_resize_axes(attrs, x->rank, x->dims, &request, axes, err));
        for (int32_t i = 0; i < x->rank; i++) {
            dims[i] = axes[i].out;
        }
    } else if (x->rank >= 0) {
        NMI_TRY(infer_partly(attrs, x, sizes, dims, err));
    }
    nmi_fact_set(&in->out[0], x->type, x->rank, dims);
    return NM_OK;
}

const struct nmi_op nmi_op_Resize = {
    .name = "Resize",
    .domain = "",
    .since = 10,
    .min_in = 1,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_MOVE,
    .shape_inputs = 1u << 1 | 1u << 2 | 1u << 3,
    .attr_bytes = sizeof(struct nmi_resize_attrs),
    .attr = resize_attrs,
    .finish = resize_finish,
    .infer = infer,
    .eval = nmi_resize_eval,
    .scratch = nmi_resize_scratch,
    .work = nmi_resize_work,
    .doc = "linear and cubic: float32 only; no antialias with tf_crop_and_resize",
};

const struct nmi_op nmi_op_Upsample = {
    .name = "Upsample",
    .domain = "",
    .since = 7,
    .until = 9,
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_MOVE,
    .shape_inputs = 1u << 1,
    .attr_bytes = sizeof(struct nmi_resize_attrs),
    .attr = upsample_attrs,
    .finish = upsample_finish,
    .infer = infer,
    .eval = nmi_upsample_eval,
    .scratch = nmi_resize_scratch,
    .work = nmi_resize_work,
    .doc = "linear: float32 only",
};
