/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resampling, axis by axis: which input elements make an output element, and with what weights.
 * Coordinates are computed in float, as ONNX Runtime does, because nearest-neighbour results hang
 * on their rounding. For resize*.c only.
 */
#ifndef NM_OPS_RESIZE_H
#define NM_OPS_RESIZE_H

#include "lib/ops/attrs.h"

enum nmi_resize_mode { NMI_RESIZE_NEAREST, NMI_RESIZE_LINEAR, NMI_RESIZE_CUBIC };
enum nmi_resize_coordinate {
    NMI_HALF_PIXEL,
    NMI_PYTORCH_HALF_PIXEL,
    NMI_ALIGN_CORNERS,
    NMI_ASYMMETRIC,
    NMI_TF_HALF_PIXEL_FOR_NN,
    NMI_TF_CROP_AND_RESIZE,
    NMI_HALF_PIXEL_SYMMETRIC
};
enum nmi_resize_nearest {
    NMI_ROUND_PREFER_FLOOR,
    NMI_ROUND_PREFER_CEIL,
    NMI_ROUND_FLOOR,
    NMI_ROUND_CEIL,
    NMI_ROUND_SIMPLE /* before opset 11: down when growing, up when shrinking */
};
enum nmi_resize_policy { NMI_STRETCH, NMI_NOT_LARGER, NMI_NOT_SMALLER };

struct nmi_resize_attrs {
    int64_t mode, coordinate, nearest, exclude_outside, antialias, policy; /* enums above */
    float cubic, extrapolation;
    struct nmi_ints axes;
    struct nmi_floats scales; /* Upsample 7 only */
};

/* One axis. A table has `taps` indices and weights for each output; nearest: weights is NULL. Index
 * -1 in the first place: the output is the extrapolation value. */
struct nmi_resize_axis {
    int64_t in, out;
    float scale, begin, end; /* begin, end: region of interest as parts of the axis */
    float length;            /* of the output before it was rounded down */
    bool same;               /* output i is input i: no table */
    int64_t taps;
    int32_t *index;
    float *weight;
};

/* What the inputs ask for: scales or sizes (the other has n = 0), roi or n = 0. */
struct nmi_resize_request {
    struct nmi_floats scales, roi;
    struct nmi_ints sizes;
};

/* Which inputs are what: before opset 11 (and in Upsample) there is only a scales input. -1: none.
 */
struct nmi_resize_roles {
    int32_t roi, scales, sizes;
};
struct nmi_resize_roles nmi_resize_roles(bool upsample, int32_t opset);

/* Reads the inputs (NULL: none); *known is false when the contents of one are not known yet. */
nm_status nmi_resize_read(const struct nmi_resize_attrs *attrs, const struct nmi_fact *roi,
                          const struct nmi_fact *scales, const struct nmi_fact *sizes,
                          struct nmi_resize_request *r, bool *known, nm_error *err);

/* Fills in, out, scale, begin, end, length, same and taps of all axes. Input dims that are not
 * known give output dims that are not known, unless the request says them. */
nm_status nmi_resize_axes(const struct nmi_resize_attrs *attrs, int32_t rank, const int64_t *dims,
                          const struct nmi_resize_request *request, struct nmi_resize_axis *axes,
                          nm_error *err);

/* Most taps that an axis of these sizes can have, whatever its scale. */
int64_t nmi_resize_most_taps(const struct nmi_resize_attrs *attrs, int64_t in, int64_t out);

/* Fills index and weight, which hold out * taps elements. */
void nmi_resize_table(const struct nmi_resize_attrs *attrs, struct nmi_resize_axis *axis);

/* For the descriptors. */
nm_status nmi_resize_eval(const struct nmi_eval *e, nm_error *err);
nm_status nmi_upsample_eval(const struct nmi_eval *e, nm_error *err);
size_t nmi_resize_scratch(const struct nmi_eval *e);
double nmi_resize_work(const struct nmi_eval *e);

#endif
