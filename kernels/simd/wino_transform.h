/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's transforms of inputs and products, lane = channel: plain vector arithmetic; and what
 * becomes of the outputs. */
#ifndef NM_KERNELS_SIMD_WINO_TRANSFORM_H
#define NM_KERNELS_SIMD_WINO_TRANSFORM_H

#include "kernels/simd/act.h"

#include <math.h>

enum { MOST_IN = 7, MOST_OUT = 4 };

/* B^T d for the points 0, 1, -1, 2, -2, infinity. */
INLINE void input_line_6(const V *d, V *o)
{
    const V a = FMA(SET1(-4), d[2], d[4]), b = FMA(SET1(-4), d[1], d[3]);
    const V c = SUB(d[4], d[2]), e = SUB(d[3], d[1]);
    o[0] = FMA(SET1(4), d[0], FMA(SET1(-5), d[2], d[4]));
    o[1] = ADD(a, b);
    o[2] = SUB(a, b);
    o[3] = FMA(SET1(2), e, c);
    o[4] = FMA(SET1(-2), e, c);
    o[5] = FMA(SET1(4), d[1], FMA(SET1(-5), d[3], d[5]));
}

/* B^T d: in = 4 has the points 0, 1, -1, infinity; 7 has -1/2 too, whose factor x + 1/2 all other
 * rows then hold. */
INLINE void input_line(const V *d, V *o, const int in)
{
    if (in == 4) {
        o[0] = SUB(d[0], d[2]);
        o[1] = ADD(d[1], d[2]);
        o[2] = SUB(d[2], d[1]);
        o[3] = SUB(d[1], d[3]);
    } else if (in == 6) {
        input_line_6(d, o);
    } else {
        V e[6];
        UNROLL
        for (int i = 0; i < 6; i++) {
            e[i] = FMA(SET1(0.5f), d[i], d[i + 1]);
        }
        input_line_6(e, o);
        o[6] = FMA(SET1(4), d[1], FMA(SET1(-5), d[3], d[5]));
    }
}

/* A^T m. */
INLINE void output_line(const V *m, V *o, const int in)
{
    const V s1 = ADD(m[1], m[2]), d1 = SUB(m[1], m[2]);
    if (in == 4) {
        o[0] = ADD(m[0], s1);
        o[1] = SUB(d1, m[3]);
        return;
    }
    const V s2 = ADD(m[3], m[4]), d2 = SUB(m[3], m[4]);
    o[0] = ADD(ADD(m[0], s1), s2);
    o[1] = FMA(SET1(2), d2, d1);
    o[2] = FMA(SET1(4), s2, s1);
    o[3] = ADD(FMA(SET1(8), d2, d1), m[5]);
    if (in == 7) {
        o[0] = ADD(o[0], m[6]);
        o[1] = FMA(SET1(-1.0f / 2), m[6], o[1]);
        o[2] = FMA(SET1(1.0f / 4), m[6], o[2]);
        o[3] = FMA(SET1(-1.0f / 8), m[6], o[3]);
    }
}

/* An in x in patch at d (rows `pitch` floats apart) to v, points `step` floats apart. */
INLINE void input_tile(const float *d, int64_t pitch, float *v, int64_t step, const int in)
{
    V t[MOST_IN][MOST_IN], line[MOST_IN], o[MOST_IN];
    UNROLL
    for (int j = 0; j < in; j++) {
        UNROLL
        for (int i = 0; i < in; i++) {
            line[i] = LD(d + i * pitch + j * VL);
        }
        input_line(line, o, in);
        UNROLL
        for (int i = 0; i < in; i++) {
            t[i][j] = o[i];
        }
    }
    UNROLL
    for (int i = 0; i < in; i++) {
        input_line(t[i], o, in);
        UNROLL
        for (int j = 0; j < in; j++) {
            ST(v + (i * in + j) * step, o[j]);
        }
    }
}

/* The products m, points `step` floats apart, to out x out outputs. */
INLINE void output_tile(const float *m, int64_t step, V *r, const int in, const int out)
{
    V t[MOST_OUT][MOST_IN], line[MOST_IN], o[MOST_OUT];
    UNROLL
    for (int j = 0; j < in; j++) {
        UNROLL
        for (int i = 0; i < in; i++) {
            line[i] = LD(m + (i * in + j) * step);
        }
        output_line(line, o, in);
        UNROLL
        for (int i = 0; i < out; i++) {
            t[i][j] = o[i];
        }
    }
    UNROLL
    for (int i = 0; i < out; i++) {
        output_line(t[i], r + i * out, in);
    }
}

/* Where a tile's outputs go, and what is done to them on the way. */
struct place {
    float *y;
    const float *res;
    int64_t pitch;  /* of y, in floats */
    int32_t ny, nx; /* of the tile's cells in y that lie in the map */
    V bias;
    VM lanes; /* real channels, when not `whole` */
    bool whole;
    struct nmi_act act;
};

/* act: a constant, or -1 for the place's own. pool: 2 x 2 outputs become one. */
INLINE void store_tile(const struct place *p, V *r, const int out, const bool pool,
                       const int act)
{
    const int32_t kind = act < 0 ? p->act.kind : act;
    const V alpha = SET1(p->act.alpha), beta = SET1(p->act.beta);
    UNROLL
    for (int i = 0; i < out * out; i++) {
        r[i] = ADD(r[i], p->bias);
        if (p->res && i / out < p->ny && i % out < p->nx) {
            r[i] = ADD(r[i], LD(p->res + i / out * p->pitch + i % out * VL));
        }
    }
    if (act < 0) {
        for (int i = 0; i < out * out; i++) {
            r[i] = act_apply(kind, alpha, beta, r[i]);
        }
    } else {
        UNROLL
        for (int i = 0; i < out * out; i++) {
            r[i] = act_apply(act, alpha, beta, r[i]);
        }
    }
    if (!p->whole) {
        UNROLL
        for (int i = 0; i < out * out; i++) {
            r[i] = BLEND(p->lanes, ZERO(), r[i]);
        }
    }
    const int side = pool ? out / 2 : out;
    UNROLL
    for (int i = 0; i < side * side; i++) {
        const int y = i / side, x = i % side;
        V v = r[y * out + x];
        if (pool) { /* NaN is passed over */
            const V *q = r + 2 * y * out + 2 * x;
            v = MAX(q[out + 1], MAX(q[out], MAX(q[1], MAX(q[0], SET1(-INFINITY)))));
        }
        if (y < p->ny && x < p->nx) {
            ST(p->y + y * p->pitch + x * VL, v);
        }
    }
}

#endif
