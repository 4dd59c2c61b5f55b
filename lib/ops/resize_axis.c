/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, coordinates and weights of one axis: see resize.h. */
#include "lib/ops/helpers.h"
#include "lib/ops/resize.h"

#include <math.h>

/* ---- sizes -------------------------------------------------------------------------------------
 */

static bool crops(const struct nmi_resize_attrs *attrs)
{
    return attrs->coordinate == NMI_TF_CROP_AND_RESIZE;
}

/* How many axes the request speaks of, and that its lists have that length. */
static nm_status check_lengths(const struct nmi_resize_attrs *attrs, int32_t rank,
                               const struct nmi_resize_request *r, nm_error *err)
{
    int32_t expected = attrs->axes.n > 0 ? attrs->axes.n : rank;
    int32_t given = r->scales.n + r->sizes.n;
    if ((r->scales.n > 0) == (r->sizes.n > 0)) {
        return nmi_fail(err, NM_ESHAPE, "one of scales and sizes is expected, not %s",
                        given > 0 ? "both" : "none");
    }
    if (given != expected) {
        return nmi_fail(err, NM_ESHAPE, "%d scales or sizes, expected %d", given, expected);
    }
    if (crops(attrs) && r->roi.n != 2 * expected) {
        return nmi_fail(err, NM_ESHAPE, "roi has %d elements, expected %d", r->roi.n, 2 * expected);
    }
    return NM_OK;
}

static nm_status set_out(struct nmi_resize_axis *a, double out, nm_error *err)
{
    if (!(out >= (a->in == 0 ? 0 : 1)) || out > (double)INT32_MAX || a->in > INT32_MAX) {
        return nmi_fail(err, NM_ESHAPE, "an axis of %lld cannot become one of %g", (long long)a->in,
                        out);
    }
    a->out = (int64_t)out;
    if (a->in == 0 && a->out > 0) {
        return nmi_fail(err, NM_ESHAPE, "an axis of 0 cannot become one of %g", out);
    }
    return NM_OK;
}

static nm_status by_scale(const struct nmi_resize_attrs *attrs, float scale,
                          struct nmi_resize_axis *a, nm_error *err)
{
    if (!(scale > 0) || !isfinite(scale)) {
        return nmi_fail(err, NM_EINVAL, "scale %g is not a positive number", (double)scale);
    }
    a->scale = scale;
    float part = crops(attrs) ? a->end - a->begin : 1.0f;
    if (!nmi_dim_known(a->in)) {
        a->out = scale == 1.0f && part == 1.0f ? a->in : NMI_DIM_UNKNOWN;
        return NM_OK;
    }
    a->length = (float)a->in * scale;
    return set_out(a, (double)floorf((float)a->in * part * scale), err);
}

static nm_status by_size(int64_t size, struct nmi_resize_axis *a, nm_error *err)
{
    if (size < 0) {
        return nmi_fail(err, NM_EINVAL, "size %lld is negative", (long long)size);
    }
    a->out = size;
    a->scale = 1;
    a->length = (float)size;
    if (!nmi_dim_known(a->in)) {
        return NM_OK;
    }
    NMI_TRY(set_out(a, (double)size, err));
    a->scale = a->in > 0 ? (float)size / (float)a->in : 1;
    return NM_OK;
}

/* The one scale that keeps the aspect ratio over the axes in mask; 0: an axis is not known. */
static float common_scale(const struct nmi_resize_attrs *attrs, const struct nmi_ints *sizes,
                          const int32_t *order, const struct nmi_resize_axis *axes)
{
    float scale = 0;
    for (int32_t i = 0; i < sizes->n; i++) {
        const struct nmi_resize_axis *a = &axes[order[i]];
        if (a->in <= 0) {
            return 0;
        }
        float own = (float)sizes->v[i] / (float)a->in;
        bool smaller = own < scale;
        scale = i == 0 || smaller == (attrs->policy == NMI_NOT_LARGER) ? own : scale;
    }
    return scale;
}

static nm_status by_sizes(const struct nmi_resize_attrs *attrs, const struct nmi_ints *sizes,
                          const int32_t *order, struct nmi_resize_axis *axes, nm_error *err)
{
    if (attrs->policy == NMI_STRETCH) {
        for (int32_t i = 0; i < sizes->n; i++) {
            NMI_TRY(by_size(sizes->v[i], &axes[order[i]], err));
        }
        return NM_OK;
    }
    for (int32_t i = 0; i < sizes->n; i++) {
        if (sizes->v[i] < 1) {
            return nmi_fail(err, NM_EINVAL, "size %lld is not a positive number",
                            (long long)sizes->v[i]);
        }
    }
    float scale = common_scale(attrs, sizes, order, axes);
    for (int32_t i = 0; i < sizes->n; i++) {
        struct nmi_resize_axis *a = &axes[order[i]];
        a->out = NMI_DIM_UNKNOWN;
        if (scale > 0) {
            a->scale = scale;
            a->length = roundf(scale * (float)a->in);
            NMI_TRY(set_out(a, (double)a->length, err));
        }
    }
    return NM_OK;
}

/* order[i]: the axis that element i of the lists speaks of. */
static nm_status order_of(const struct nmi_resize_attrs *attrs, int32_t rank, int32_t *order,
                          nm_error *err)
{
    uint32_t mask;
    NMI_TRY(nmi_axes(&attrs->axes, rank, &mask, err));
    for (int32_t i = 0; i < rank; i++) {
        order[i] = i;
    }
    for (int32_t i = 0; i < attrs->axes.n; i++) {
        NMI_TRY(nmi_axis(attrs->axes.v[i], rank, &order[i], err));
    }
    return NM_OK;
}

static int64_t taps_at(const struct nmi_resize_attrs *attrs, double scale)
{
    if (attrs->mode == NMI_RESIZE_NEAREST) {
        return 1;
    }
    double reach = attrs->mode == NMI_RESIZE_LINEAR ? 1 : 2;
    return 2 * (int64_t)ceil(attrs->antialias != 0 && scale < 1 ? reach / scale : reach);
}

int64_t nmi_resize_most_taps(const struct nmi_resize_attrs *attrs, int64_t in, int64_t out)
{
    return in > 0 && out > 0 ? taps_at(attrs, ((double)out - 0.6) / (double)in) : 1;
}

static nm_status set_taps(const struct nmi_resize_attrs *attrs, struct nmi_resize_axis *a,
                          nm_error *err)
{
    bool whole = !crops(attrs) || (a->begin == 0 && a->end == 1);
    a->same = a->in == a->out && a->scale == 1 && whole;
    bool empty = a->in <= 0 || a->out <= 0; /* or not known */
    a->taps = a->same || empty ? 1 : taps_at(attrs, (double)a->scale);
    if (!empty && a->taps > nmi_resize_most_taps(attrs, a->in, a->out)) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "scale %g does not lead from an axis of %lld to one of %lld",
                        (double)a->scale, (long long)a->in, (long long)a->out);
    }
    return NM_OK;
}

nm_status nmi_resize_axes(const struct nmi_resize_attrs *attrs, int32_t rank, const int64_t *dims,
                          const struct nmi_resize_request *request, struct nmi_resize_axis *axes,
                          nm_error *err)
{
    int32_t order[NMI_MAX_DIMS];
    NMI_TRY(check_lengths(attrs, rank, request, err));
    NMI_TRY(order_of(attrs, rank, order, err));
    for (int32_t i = 0; i < rank; i++) {
        axes[i] = (struct nmi_resize_axis){.in = dims[i], .out = dims[i], .scale = 1, .end = 1};
        axes[i].length = (float)dims[i];
    }
    int32_t n = request->scales.n + request->sizes.n;
    for (int32_t i = 0; crops(attrs) && i < n; i++) {
        axes[order[i]].begin = request->roi.v[i];
        axes[order[i]].end = request->roi.v[n + i];
    }
    for (int32_t i = 0; i < request->scales.n; i++) {
        NMI_TRY(by_scale(attrs, request->scales.v[i], &axes[order[i]], err));
    }
    NMI_TRY(by_sizes(attrs, &request->sizes, order, axes, err));
    for (int32_t i = 0; i < rank; i++) {
        NMI_TRY(set_taps(attrs, &axes[i], err));
    }
    return NM_OK;
}

/* ---- coordinates --------------------------------------------------------------------------------
 */

/* Where output x lies on the input's axis. */
static float coordinate(int64_t kind, const struct nmi_resize_axis *a, int64_t at)
{
    float x = (float)at, in = (float)a->in, out = (float)a->out;
    float half = (x + 0.5f) / a->scale - 0.5f;
    switch (kind) {
    case NMI_PYTORCH_HALF_PIXEL:
        return a->out > 1 ? half : 0;
    case NMI_ALIGN_CORNERS:
        return a->length > 1 ? x * (in - 1) / (a->length - 1) : 0;
    case NMI_ASYMMETRIC:
        return x / a->scale;
    case NMI_TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5f) / a->scale;
    case NMI_TF_CROP_AND_RESIZE:
        return a->out > 1 ? a->begin * (in - 1) + x * (a->end - a->begin) * (in - 1) / (out - 1)
                          : 0.5f * (a->begin + a->end) * (in - 1);
    case NMI_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - out / a->length) + half;
    default: /* NMI_HALF_PIXEL */
        return half;
    }
}

static int32_t clamp_index(double at, int64_t size)
{
    return at > 0 ? at < (double)size ? (int32_t)at : (int32_t)(size - 1) : 0;
}

static float round_to(int64_t nearest, float x, bool shrinks)
{
    switch (nearest) {
    case NMI_ROUND_PREFER_CEIL:
        return floorf(x + 0.5f);
    case NMI_ROUND_FLOOR:
        return floorf(x);
    case NMI_ROUND_CEIL:
        return ceilf(x);
    case NMI_ROUND_SIMPLE:
        return shrinks ? ceilf(x) : truncf(x);
    default: /* NMI_ROUND_PREFER_FLOOR */
        return ceilf(x - 0.5f);
    }
}

/* ---- weights ------------------------------------------------------------------------------------
 */

static double kernel(const struct nmi_resize_attrs *attrs, double x)
{
    double a = (double)attrs->cubic;
    x = fabs(x);
    if (attrs->mode == NMI_RESIZE_LINEAR) {
        return x < 1 ? 1 - x : 0;
    }
    if (x <= 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* The taps around x. Those outside the axis repeat its edge, or are left out. */
static void weigh(const struct nmi_resize_attrs *attrs, const struct nmi_resize_axis *a, double x,
                  int32_t *index, float *weight)
{
    double narrow = attrs->antialias != 0 && a->scale < 1 ? (double)a->scale : 1;
    double first = ceil(x) - (double)(a->taps / 2), sum = 0;
    bool leave_out = attrs->exclude_outside != 0;
    for (int pass = 0; pass < 2; pass++) { /* the sum first, then the weights */
        for (int64_t t = 0; t < a->taps; t++) {
            double at = first + (double)t;
            bool outside = leave_out && (at < 0 || at > (double)(a->in - 1));
            double w = outside ? 0 : kernel(attrs, (at - x) * narrow);
            sum += pass == 0 ? w : 0;
            index[t] = clamp_index(at, a->in);
            weight[t] = (float)(sum != 0 ? w / sum : 0);
        }
    }
}

void nmi_resize_table(const struct nmi_resize_attrs *attrs, struct nmi_resize_axis *axis)
{
    for (int64_t i = 0; i < axis->out; i++) {
        float x = coordinate(attrs->coordinate, axis, i);
        int32_t *index = axis->index + i * axis->taps;
        if (crops(attrs) && !(x >= 0 && x <= (float)(axis->in - 1))) {
            index[0] = -1;
        } else if (attrs->mode == NMI_RESIZE_NEAREST) {
            bool shrinks = axis->scale < 1;
            index[0] = clamp_index((double)round_to(attrs->nearest, x, shrinks), axis->in);
        } else {
            weigh(attrs, axis, (double)x, index, axis->weight + i * axis->taps);
        }
    }
}
