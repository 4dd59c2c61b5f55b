/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk that CONV, SPCONV and DECONV share: for each image, group and tile of 16 output pixels,
 * gather the inputs of all terms as doubles, then multiply every output channel's weights with
 * them. A unit of work is one such tile, so that results do not depend on parts.
 */
#include "kernels/ref/ref.h"

int64_t nmi_ref_conv_terms(const struct nmi_conv_desc *d)
{
    return (int64_t)(d->x.c / d->groups) * d->kh * d->kw;
}

int64_t nmi_ref_conv_source(const struct nmi_conv_desc *d, int32_t oy, int32_t ox, int32_t ky,
                            int32_t kx)
{
    int64_t y = (int64_t)oy * d->stride_h - d->pad[0] + (int64_t)ky * d->dil_h;
    int64_t x = (int64_t)ox * d->stride_w - d->pad[1] + (int64_t)kx * d->dil_w;
    if (y < 0 || y >= d->x.h || x < 0 || x >= d->x.w) {
        return -1;
    }
    return y * d->x.w + x;
}

static int64_t tiles_of(const struct nmi_conv_desc *d)
{
    return ((int64_t)d->y.h * d->y.w + NMI_REF_TILE - 1) / NMI_REF_TILE;
}

static int64_t units_of(const struct nmi_conv_desc *d)
{
    return tiles_of(d) * d->x.n * d->groups;
}

static size_t tile_bytes(const struct nmi_conv_desc *d)
{
    return (size_t)nmi_ref_conv_terms(d) * NMI_REF_TILE * sizeof(double);
}

size_t nmi_ref_conv_scratch(const union nmi_desc *desc, int parts)
{
    return tile_bytes(&desc->conv) * (size_t)parts;
}

int nmi_ref_conv_parts(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(units_of(&desc->conv), threads);
}

const char *nmi_ref_conv_refuse(const union nmi_desc *desc)
{
    const struct nmi_conv_desc *d = &desc->conv;
    if (d->pool.kh != 0) {
        return "pooling behind it is a layer of its own";
    }
    return nmi_ref_plain(&d->x) && nmi_ref_plain(&d->y) ? NULL : "plain layouts only";
}

/* x: the first plane of the group; pixel: the first of the tile. */
static void gather(nmi_ref_source source, const struct nmi_conv_desc *d, const float *x,
                   int64_t pixel, double *tile)
{
    int64_t map = (int64_t)d->x.h * d->x.w, pixels = (int64_t)d->y.h * d->y.w;
    int32_t channels = d->x.c / d->groups, window = d->kh * d->kw;
    for (int32_t r = 0; channels > 0 && r < window; r++) {
        int64_t at[NMI_REF_TILE];
        for (int t = 0; t < NMI_REF_TILE; t++) {
            int64_t p = pixel + t;
            at[t] = p < pixels ? source(d, (int32_t)(p / d->y.w), (int32_t)(p % d->y.w), r / d->kw,
                                        r % d->kw)
                               : -1;
        }
        for (int32_t c = 0; c < channels; c++) {
            const float *plane = x + c * map;
            double *to = tile + ((int64_t)c * window + r) * NMI_REF_TILE;
            for (int t = 0; t < NMI_REF_TILE; t++) {
                to[t] = at[t] < 0 ? 0.0 : (double)plane[at[t]];
            }
        }
    }
}

static void multiply(const struct nmi_ref_conv *op, const struct nmi_conv_desc *d,
                     const struct nmi_kargs *args, const void *weights, int64_t unit, double *tile)
{
    int64_t tiles = tiles_of(d), pixels = (int64_t)d->y.h * d->y.w;
    int64_t pixel = unit % tiles * NMI_REF_TILE;
    int32_t group = (int32_t)(unit / tiles % d->groups);
    int64_t image = unit / tiles / d->groups;
    int32_t in_each = d->x.c / d->groups, out_each = d->y.c / d->groups;
    int64_t live = pixels - pixel < NMI_REF_TILE ? pixels - pixel : NMI_REF_TILE;

    int64_t plane = image * d->x.c + (int64_t)group * in_each;
    gather(op->source, d, args->x + plane * d->x.h * d->x.w, pixel, tile);
    for (int32_t oc = group * out_each; oc < (group + 1) * out_each; oc++) {
        int64_t at = (image * d->y.c + oc) * pixels + pixel;
        double acc[NMI_REF_TILE] = {0};
        for (int64_t t = 0; t < live; t++) {
            acc[t] = d->bias ? (double)args->bias[oc] : 0.0;
            acc[t] += d->residual ? (double)args->res[at + t] : 0.0;
        }
        op->row(d, weights, oc, tile, acc);
        for (int64_t t = 0; t < live; t++) {
            args->y[at + t] = nmi_act_apply(d->act, (float)acc[t]);
        }
    }
}

void nmi_ref_conv_run(const struct nmi_ref_conv *op, const struct nmi_conv_desc *d,
                      const struct nmi_kargs *args, const void *weights, int part, int parts)
{
    double *tile = (double *)((char *)args->scratch + tile_bytes(d) * (size_t)part);
    struct nmi_ref_range range = nmi_ref_split(units_of(d), part, parts);
    for (int64_t unit = range.begin; unit < range.end; unit++) {
        multiply(op, d, args, weights, unit, tile);
    }
}
