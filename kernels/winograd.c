/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/winograd.h"
#include "lib/base/checked.h"

enum { TAPS = 3, MOST_IN = 6 };

static int32_t ceil_div(int32_t a, int32_t b)
{
    return a / b + (a % b != 0);
}

static int32_t vector_of(const struct nmi_image *image)
{
    return image->layout.kind == NMI_BLOCK16 ? 16 : 8;
}

struct nmi_wino nmi_wino_of(const struct nmi_conv_desc *d)
{
    struct nmi_wino s = {.out = d->blocking.tr, .vl = vector_of(&d->y)};
    const int32_t step = d->pool.kh ? s.out / 2 : s.out; /* cells of y a side */
    const int64_t most = d->blocking.tc;
    s.in = s.out + TAPS - 1;
    s.points = s.in * s.in;
    s.h = d->x.h + d->pad[0] + d->pad[2] - (TAPS - 1);
    s.w = d->x.w + d->pad[1] + d->pad[3] - (TAPS - 1);
    s.rows = ceil_div(d->y.h, step);
    s.cols = ceil_div(d->y.w, step);
    s.tiles = (int64_t)d->x.n * s.rows * s.cols;
    s.blocks = (s.tiles + most - 1) / most;
    s.vectors = ceil_div(d->y.c, s.vl);
    s.wide = s.vl == 16 ? 4 : 2; /* with six tiles: 24 of 32, 12 of 16 registers */
    s.groups = ceil_div(s.vectors, s.wide);
    return s;
}

static const char *refuse_pool(const struct nmi_conv_desc *d, int64_t h, int64_t w)
{
    const struct nmi_conv_pool *p = &d->pool;
    if (p->kh != 2 || p->kw != 2 || p->stride_h != 2 || p->stride_w != 2 || p->pad[0] ||
        p->pad[1] || p->pad[2] || p->pad[3]) {
        return "behind it only a 2 x 2 max-pool of stride 2 without padding";
    }
    if (d->residual) {
        return "no residual where a pool follows";
    }
    return d->y.h == h / 2 && d->y.w == w / 2 ? NULL : "the output's size is not the pool's";
}

const char *nmi_wino_refuse(const struct nmi_conv_desc *d, int32_t vl)
{
    const int kind = vl == 16 ? NMI_BLOCK16 : NMI_BLOCK8;
    if (d->x.layout.kind != kind || d->y.layout.kind != kind) {
        return "channel blocks of one vector only";
    }
    if (d->kh != TAPS || d->kw != TAPS || d->stride_h != 1 || d->stride_w != 1 || d->dil_h != 1 ||
        d->dil_w != 1 || d->groups != 1) {
        return "3 x 3 of stride, dilation and groups 1 only";
    }
    const int64_t h = (int64_t)d->x.h + d->pad[0] + d->pad[2] - (TAPS - 1);
    const int64_t w = (int64_t)d->x.w + d->pad[1] + d->pad[3] - (TAPS - 1);
    if (h < 1 || w < 1 || h > INT32_MAX / 2 || w > INT32_MAX / 2 || d->x.n < 1 || d->x.c < 1 ||
        d->y.c < 1 || d->x.n != d->y.n) {
        return "an empty or oversized map";
    }
    if (d->pool.kh) {
        return refuse_pool(d, h, w);
    }
    return d->y.h == h && d->y.w == w ? NULL : "the output's size is not the convolution's";
}

int nmi_wino_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                        struct nmi_blocking *out, int max)
{
    static const int16_t tc[] = {28, 49, 14, 98};
    int n = 0;
    (void)w;
    (void)desc;
    for (int tr = 4; tr >= 2; tr -= 2) {
        for (size_t i = 0; i < NMI_COUNT(tc) && n < max; i++) {
            out[n++] = (struct nmi_blocking){.tr = (int16_t)tr, .tc = tc[i], .icb = 64};
        }
    }
    return n;
}

int nmi_wino_parts(const union nmi_desc *desc, const void *packed, int threads)
{
    const struct nmi_wino s = nmi_wino_of(&desc->conv);
    const int64_t units = s.blocks * s.groups;
    (void)packed;
    return units < threads ? (int)units : threads;
}

/* ---- weights ------------------------------------------------------------------------------------ */

size_t nmi_wino_dense_bytes(const union nmi_desc *desc)
{
    const struct nmi_wino s = nmi_wino_of(&desc->conv);
    size_t bytes = (size_t)s.points * sizeof(float);
    return nmi_mul(bytes, (size_t)desc->conv.x.c, &bytes) &&
                   nmi_mul(bytes, (size_t)s.vectors * (size_t)s.vl, &bytes)
               ? bytes
               : 0;
}

/* G for the points 0, 1, -1, (2, -2,) infinity. */
static const double g_of_2[][TAPS] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
static const double g_of_4[][TAPS] = {
    {1.0 / 4, 0, 0},           {-1.0 / 6, -1.0 / 6, -1.0 / 6},  {-1.0 / 6, 1.0 / 6, -1.0 / 6},
    {1.0 / 24, 1.0 / 12, 1.0 / 6}, {1.0 / 24, -1.0 / 12, 1.0 / 6}, {0, 0, 1}};

/* to[i * in + j] = G w G^T, in double and rounded once. */
static void transform(const double (*g)[TAPS], int32_t in, const float *w, double scale, float *to,
                      size_t step)
{
    double half[MOST_IN][TAPS];
    for (int32_t i = 0; i < in; i++) {
        for (int j = 0; j < TAPS; j++) {
            half[i][j] = 0;
            for (int k = 0; k < TAPS; k++) {
                half[i][j] += g[i][k] * (double)w[k * TAPS + j];
            }
        }
    }
    for (int32_t i = 0; i < in * in; i++) {
        double sum = 0;
        for (int k = 0; k < TAPS; k++) {
            sum += half[i / in][k] * g[i % in][k];
        }
        to[(size_t)i * step] = (float)(sum * scale);
    }
}

void nmi_wino_pack_dense(const union nmi_desc *desc, const float *w, const float *scale,
                         void *packed)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const struct nmi_wino s = nmi_wino_of(d);
    const size_t channels = (size_t)d->x.c;
    float *u = packed;
    for (int32_t oc = 0; oc < s.vectors * s.vl; oc++) {
        const int32_t first = oc / (s.wide * s.vl) * s.wide, left = s.vectors - first;
        const size_t lanes = (size_t)(left < s.wide ? left : s.wide) * (size_t)s.vl;
        const size_t start = (size_t)(first * s.vl) * (size_t)s.points * channels;
        for (size_t c = 0; c < channels; c++) {
            float *to = u + start + c * lanes + (size_t)(oc - first * s.vl);
            if (oc < d->y.c) {
                transform(s.out == 4 ? g_of_4 : g_of_2, s.in,
                          w + ((size_t)oc * channels + c) * TAPS * TAPS,
                          scale ? (double)scale[oc] : 1.0, to, channels * lanes);
            } else {
                for (size_t i = 0; i < (size_t)s.points; i++) {
                    to[i * channels * lanes] = 0;
                }
            }
        }
    }
}
