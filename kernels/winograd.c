/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/winograd.h"
#include "lib/base/checked.h"

#include <string.h>

enum { TAPS = 3, MOST_TAPS = 4, MOST_IN = 7 };

static int32_t ceil_div(int32_t a, int32_t b)
{
    return a / b + (a % b != 0);
}

struct nmi_wino nmi_wino_make(const struct nmi_conv_desc *d, int32_t out, int32_t taps)
{
    struct nmi_wino s = {.out = out, .taps = taps, .in = out + taps - 1};
    s.points = s.in * s.in;
    s.vl = d->y.layout.kind == NMI_BLOCK16 ? 16 : 8;
    s.vectors = ceil_div(d->y.c, s.vl);
    s.wide = s.vl == 16 ? 4 : 2; /* with six tiles: 24 of 32, 12 of 16 registers */
    s.groups = ceil_div(s.vectors, s.wide);
    return s;
}

struct nmi_wino nmi_wino_of(const struct nmi_conv_desc *d)
{
    struct nmi_wino s = nmi_wino_make(d, d->blocking.tr, TAPS);
    const int32_t step = d->pool.kh ? s.out / 2 : s.out; /* cells of y a side */
    const int64_t most = d->blocking.tc;
    s.h = d->x.h + d->pad[0] + d->pad[2] - (TAPS - 1);
    s.w = d->x.w + d->pad[1] + d->pad[3] - (TAPS - 1);
    s.rows = ceil_div(d->y.h, step);
    s.cols = ceil_div(d->y.w, step);
    s.tiles = (int64_t)d->x.n * s.rows * s.cols;
    s.blocks = (s.tiles + most - 1) / most;
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
    for (int i = 0; i < 4; i++) {
        if (d->pad[i] < 0 || d->pad[i] >= TAPS) { /* such outputs would not be exactly zero */
            return "no window may lie in the padding alone";
        }
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

/* Few tiles a block while the weights stay near; many where they come from memory for each block. */
int nmi_wino_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                        struct nmi_blocking *out, int max)
{
    static const struct nmi_blocking all[] = {
        {.tr = 4, .tc = 14, .icb = 512}, {.tr = 4, .tc = 49, .icb = 512},
        {.tr = 4, .tc = 28, .icb = 512}, {.tr = 4, .tc = 28, .icb = 128},
        {.tr = 2, .tc = 49, .icb = 512}};
    const struct nmi_conv_desc *d = &desc->conv;
    const bool far = (int64_t)d->x.c * d->y.c > 100000;
    const bool small = (int64_t)d->x.n * d->y.h * d->y.w <= 784;
    int n = 0;
    (void)w;
    for (size_t i = 0; i < NMI_COUNT(all) && n < max; i++) {
        const struct nmi_blocking b = all[i < 2 && far ? 1 - i : i];
        if ((b.icb == 512 || d->x.c > b.icb) && (b.tr == 4 || small)) {
            out[n++] = b;
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

/* G for the points 0, 1, -1, infinity; 0, 1, -1, 2, -2, infinity; the same and -1/2. */
static const double g_2_3[][MOST_TAPS] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
static const double g_4_3[][MOST_TAPS] = {{1.0 / 4, 0, 0},
                                          {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                          {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                          {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                          {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                          {0, 0, 1}};
static const double g_4_4[][MOST_TAPS] = {{1.0 / 2, 0, 0, 0},
                                          {-1.0 / 9, -1.0 / 9, -1.0 / 9, -1.0 / 9},
                                          {1.0 / 3, -1.0 / 3, 1.0 / 3, -1.0 / 3},
                                          {1.0 / 60, 1.0 / 30, 1.0 / 15, 2.0 / 15},
                                          {-1.0 / 36, 1.0 / 18, -1.0 / 9, 2.0 / 9},
                                          {0, 0, 0, 1},
                                          {-32.0 / 45, 16.0 / 45, -8.0 / 45, 4.0 / 45}};

/* to[i * in + j] = scale G w G^T, in double and rounded once. */
static void transform(const struct nmi_wino *s, const float *w, double scale, float *to,
                      size_t step)
{
    const double(*g)[MOST_TAPS] = s->taps == 4 ? g_4_4 : s->out == 4 ? g_4_3 : g_2_3;
    double half[MOST_IN][MOST_TAPS];
    for (int32_t i = 0; i < s->in; i++) {
        for (int32_t j = 0; j < s->taps; j++) {
            half[i][j] = 0;
            for (int32_t k = 0; k < s->taps; k++) {
                half[i][j] += g[i][k] * (double)w[k * s->taps + j];
            }
        }
    }
    for (int32_t i = 0; i < s->points; i++) {
        double sum = 0;
        for (int32_t k = 0; k < s->taps; k++) {
            sum += half[i / s->in][k] * g[i % s->in][k];
        }
        to[(size_t)i * step] = (float)(sum * scale);
    }
}

size_t nmi_wino_bytes(const struct nmi_wino *s, int32_t channels)
{
    size_t bytes = (size_t)s->points * sizeof(float);
    return nmi_mul(bytes, (size_t)channels, &bytes) &&
                   nmi_mul(bytes, (size_t)s->vectors * (size_t)s->vl, &bytes)
               ? bytes
               : 0;
}

void nmi_wino_pack(const struct nmi_wino *s, const struct nmi_conv_desc *d, int32_t channels,
                   nmi_wino_taps *taps_of, const float *w, const float *scale, float *u)
{
    for (int32_t oc = 0; oc < s->vectors * s->vl; oc++) {
        const int32_t first = oc / (s->wide * s->vl) * s->wide, left = s->vectors - first;
        const size_t lanes = (size_t)(left < s->wide ? left : s->wide) * (size_t)s->vl;
        float *to = u + (size_t)(first * s->vl) * (size_t)s->points * (size_t)channels +
                    (oc - first * s->vl);
        for (int32_t c = 0; c < channels; c++) {
            float taps[MOST_TAPS * MOST_TAPS] = {0}; /* channels beyond the layer's stay zero */
            if (oc < d->y.c) {
                taps_of(d, w, oc, c, taps);
            }
            transform(s, taps, scale && oc < d->y.c ? (double)scale[oc] : 1.0,
                      to + (size_t)c * lanes, (size_t)channels * lanes);
        }
    }
}

static void taps_of(const struct nmi_conv_desc *d, const float *w, int32_t oc, int32_t c,
                    float *taps)
{
    memcpy(taps, w + ((size_t)oc * (size_t)d->x.c + (size_t)c) * TAPS * TAPS,
           TAPS * TAPS * sizeof(float));
}

size_t nmi_wino_dense_bytes(const union nmi_desc *desc)
{
    const struct nmi_wino s = nmi_wino_of(&desc->conv);
    return nmi_wino_bytes(&s, desc->conv.x.c);
}

void nmi_wino_pack_dense(const union nmi_desc *desc, const float *w, const float *scale,
                         void *packed)
{
    const struct nmi_wino s = nmi_wino_of(&desc->conv);
    nmi_wino_pack(&s, &desc->conv, desc->conv.x.c, taps_of, w, scale, packed);
}
