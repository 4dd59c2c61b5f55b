/* SPDX-License-Identifier: Apache-2.0 */
/* First layers of stride 2 as Winograd convolutions of stride 1: shapes and weights. */
#include "kernels/winograd.h"

enum { OUT = 4, MOST_CHANNELS = 4, MOST_POOL = 8 };

struct nmi_stem nmi_stem_of(const struct nmi_conv_desc *d)
{
    struct nmi_stem t = {.s = nmi_wino_make(d, OUT, (d->kh + 1) / 2), .channels = 4 * d->x.c};
    const int64_t most = d->blocking.tc;
    const int32_t half = t.s.vl / 2; /* folded pixels are made so many at a time */
    t.s.h = (d->x.h + d->pad[0] + d->pad[2] - d->kh) / 2 + 1;
    t.s.w = (d->x.w + d->pad[1] + d->pad[3] - d->kw) / 2 + 1;
    t.s.rows = (t.s.h + OUT - 1) / OUT;
    t.s.cols = (t.s.w + OUT - 1) / OUT;
    t.s.tiles = t.s.cols;
    t.s.blocks = (t.s.tiles + most - 1) / most;
    t.vectors = (t.channels + t.s.vl - 1) / t.s.vl;
    t.width = (t.s.cols * OUT + t.s.taps - 1 + half - 1) / half * half;
    t.ring = d->pool.kh ? (d->pool.kh + OUT - 1 + OUT - 1) / OUT * OUT : 0;
    t.lines = d->pool.kh ? d->y.h : t.s.rows;
    return t;
}

/* NULL when a pool of this kernel, stride and padding makes `out` lines of `in`. */
static const char *refuse_axis(int32_t k, int32_t stride, int32_t before, int32_t after, int32_t in,
                               int32_t out)
{
    if (k < 1 || k > MOST_POOL || stride < 1 || stride > k || before < 0 || before >= k ||
        after < 0 || after >= k) {
        return "behind it only a small max-pool that leaves no row out";
    }
    const int32_t room = in + before + after - k;
    const int32_t most = room < 0 ? 0 : (room + stride - 1) / stride + 1; /* ceil_mode included */
    const bool inside = (int64_t)(out - 1) * stride - before < in; /* no window without a cell */
    return out <= most && inside ? NULL : "the output's size is not the pool's";
}

static const char *refuse_output(const struct nmi_conv_desc *d, int32_t h, int32_t w)
{
    const struct nmi_conv_pool *p = &d->pool;
    if (p->kh == 0) {
        return d->y.h == h && d->y.w == w ? NULL : "the output's size is not the convolution's";
    }
    const char *why = refuse_axis(p->kh, p->stride_h, p->pad[0], p->pad[2], h, d->y.h);
    return why ? why : refuse_axis(p->kw, p->stride_w, p->pad[1], p->pad[3], w, d->y.w);
}

const char *nmi_stem_refuse(const struct nmi_conv_desc *d, int32_t vl)
{
    if (d->x.layout.kind != NMI_PLAIN || d->y.layout.kind != (vl == 16 ? NMI_BLOCK16 : NMI_BLOCK8)) {
        return "from plain to channel blocks of one vector only";
    }
    if (d->stride_h != 2 || d->stride_w != 2 || d->dil_h != 1 || d->dil_w != 1 || d->groups != 1 ||
        d->x.c < 1 || d->x.c > MOST_CHANNELS || d->residual) {
        return "first layers of stride 2 only: 1 to 4 channels, one group, no residual";
    }
    const int32_t taps = (d->kh + 1) / 2;
    if (taps < 3 || taps > 4 || (d->kw + 1) / 2 != taps) {
        return "kernels of 5 x 5 to 8 x 8 only";
    }
    for (int i = 0; i < 4; i++) {
        if (d->pad[i] < 0 || d->pad[i] >= (i % 2 ? d->kw : d->kh)) {
            return "no window may lie in the padding alone";
        }
    }
    const int32_t limit = 1 << 20; /* keeps the sums below in range */
    if (d->x.h < 1 || d->x.w < 1 || d->x.h > limit || d->x.w > limit || d->y.h < 1 || d->y.w < 1 ||
        d->x.n < 1 || d->y.n != d->x.n || d->y.c < 1) {
        return "an empty or oversized map";
    }
    const int32_t h = d->x.h + d->pad[0] + d->pad[2] - d->kh;
    const int32_t w = d->x.w + d->pad[1] + d->pad[3] - d->kw;
    return h < 0 || w < 0 ? "an empty or oversized map" : refuse_output(d, h / 2 + 1, w / 2 + 1);
}

int nmi_stem_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                        struct nmi_blocking *out, int max)
{
    static const int16_t tiles[] = {14, 7, 28};
    int n = 0;
    (void)desc;
    (void)w;
    for (size_t i = 0; i < NMI_COUNT(tiles) && n < max; i++) {
        out[n++] = (struct nmi_blocking){.tr = OUT, .tc = tiles[i]};
    }
    return n;
}

/* Folded channel (channel, row parity, column parity): every second tap, zero beyond the kernel. */
static void taps_of(const struct nmi_conv_desc *d, const float *w, int32_t oc, int32_t c,
                    float *taps)
{
    const int32_t side = (d->kh + 1) / 2;
    const float *from = w + ((size_t)oc * (size_t)d->x.c + (size_t)(c / 4)) *
                                (size_t)(d->kh * d->kw);
    for (int32_t i = 0; i < side * side; i++) {
        const int32_t y = i / side * 2 + c / 2 % 2, x = i % side * 2 + c % 2;
        taps[i] = y < d->kh && x < d->kw ? from[y * d->kw + x] : 0.0f;
    }
}

size_t nmi_stem_dense_bytes(const union nmi_desc *desc)
{
    const struct nmi_stem t = nmi_stem_of(&desc->conv);
    return nmi_wino_bytes(&t.s, t.channels);
}

void nmi_stem_pack_dense(const union nmi_desc *desc, const float *w, const float *scale,
                         void *packed)
{
    const struct nmi_stem t = nmi_stem_of(&desc->conv);
    nmi_wino_pack(&t.s, &desc->conv, t.channels, taps_of, w, scale, packed);
}

/* Each part makes the rows of tiles again that its first line shares with the line before. */
int nmi_stem_parts(const union nmi_desc *desc, const void *packed, int threads)
{
    const struct nmi_stem t = nmi_stem_of(&desc->conv);
    const int64_t units = desc->conv.x.n * t.lines / (desc->conv.pool.kh ? OUT : 1);
    (void)packed;
    return units < 1 ? 1 : units < threads ? (int)units : threads;
}
