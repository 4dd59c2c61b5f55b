/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Max and average pooling. Cells outside the map never count for a maximum; NaN is passed over, as
 * by ONNX Runtime (only x > max replaces max). A window without a cell gives -inf, or 0 on average.
 * A unit of work is one row of the output.
 */
#include "kernels/ref/ref.h"

#include <math.h>

static const char *refuse(const union nmi_desc *desc)
{
    const struct nmi_pool_desc *d = &desc->pool;
    return nmi_ref_plain(&d->x) && nmi_ref_plain(&d->y) ? NULL : "plain layouts only";
}

static int64_t units_of(const struct nmi_pool_desc *d)
{
    return (int64_t)d->x.n * d->x.c * d->y.h;
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(units_of(&desc->pool), threads);
}

/* The taps [begin, end) of a window that starts at `start` and lie in [lo, hi). */
static struct nmi_ref_range taps(int64_t start, int64_t dilation, int64_t kernel, int64_t lo,
                                 int64_t hi)
{
    int64_t begin = start < lo ? (lo - start + dilation - 1) / dilation : 0;
    int64_t end = start < hi ? (hi - start + dilation - 1) / dilation : 0;
    end = end < kernel ? end : kernel;
    return (struct nmi_ref_range){begin, end > begin ? end : begin};
}

static float window_max(const struct nmi_pool_desc *d, const float *map, int64_t y0, int64_t x0)
{
    struct nmi_ref_range rows = taps(y0, d->dil_h, d->kh, 0, d->x.h);
    struct nmi_ref_range cols = taps(x0, d->dil_w, d->kw, 0, d->x.w);
    float max = -INFINITY;
    for (int64_t ky = rows.begin; ky < rows.end; ky++) {
        const float *line = map + (y0 + ky * d->dil_h) * d->x.w;
        for (int64_t kx = cols.begin; kx < cols.end; kx++) {
            float value = line[x0 + kx * d->dil_w];
            max = value > max ? value : max;
        }
    }
    return max;
}

/* Cells that an average divides by: of the map, or of the padded map. */
static int64_t cells(const struct nmi_pool_desc *d, int64_t y0, int64_t x0)
{
    const int32_t *pad = d->pad;
    bool whole = d->include_pad;
    struct nmi_ref_range rows = taps(y0, d->dil_h, d->kh, whole ? -(int64_t)pad[0] : 0,
                                     (int64_t)d->x.h + (whole ? pad[2] : 0));
    struct nmi_ref_range cols = taps(x0, d->dil_w, d->kw, whole ? -(int64_t)pad[1] : 0,
                                     (int64_t)d->x.w + (whole ? pad[3] : 0));
    return (rows.end - rows.begin) * (cols.end - cols.begin);
}

static float window_mean(const struct nmi_pool_desc *d, const float *map, int64_t y0, int64_t x0)
{
    struct nmi_ref_range rows = taps(y0, d->dil_h, d->kh, 0, d->x.h);
    struct nmi_ref_range cols = taps(x0, d->dil_w, d->kw, 0, d->x.w);
    double sum = 0.0;
    for (int64_t ky = rows.begin; ky < rows.end; ky++) {
        const float *line = map + (y0 + ky * d->dil_h) * d->x.w;
        for (int64_t kx = cols.begin; kx < cols.end; kx++) {
            sum += (double)line[x0 + kx * d->dil_w];
        }
    }
    int64_t count = cells(d, y0, x0);
    return count > 0 ? (float)(sum / (double)count) : 0.0f;
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_pool_desc *d = &desc->pool;
    struct nmi_ref_range range = nmi_ref_split(units_of(d), part, parts);
    for (int64_t unit = range.begin; unit < range.end; unit++) {
        const float *map = args->x + unit / d->y.h * d->x.h * d->x.w;
        float *out = args->y + unit * d->y.w;
        int64_t y0 = unit % d->y.h * d->stride_h - d->pad[0];
        for (int64_t ox = 0; ox < d->y.w; ox++) {
            int64_t x0 = ox * d->stride_w - d->pad[1];
            out[ox] = d->average ? window_mean(d, map, y0, x0) : window_max(d, map, y0, x0);
        }
    }
}

const struct nmi_kernel nmi_k_f32_pool_plain__ref = {
    .name = "f32_pool_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_POOL,
    .refuse = refuse,
    .parts = parts_of,
    .run = run,
};
