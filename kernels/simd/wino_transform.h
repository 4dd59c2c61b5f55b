/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's transforms of inputs and products, lane = channel: plain vector arithmetic. */
#ifndef NM_KERNELS_SIMD_WINO_TRANSFORM_H
#define NM_KERNELS_SIMD_WINO_TRANSFORM_H

#include "kernels/simd/vec.h"

enum { MOST_IN = 6, MOST_OUT = 4 };

/* B^T d, for the points 0, 1, -1, infinity (in = 4) and 0, 1, -1, 2, -2, infinity (in = 6). */
INLINE void input_line(const V *d, V *o, const int in)
{
    if (in == 4) {
        o[0] = SUB(d[0], d[2]);
        o[1] = ADD(d[1], d[2]);
        o[2] = SUB(d[2], d[1]);
        o[3] = SUB(d[1], d[3]);
        return;
    }
    const V a = FMA(SET1(-4), d[2], d[4]), b = FMA(SET1(-4), d[1], d[3]);
    const V c = SUB(d[4], d[2]), e = SUB(d[3], d[1]);
    o[0] = FMA(SET1(4), d[0], FMA(SET1(-5), d[2], d[4]));
    o[1] = ADD(a, b);
    o[2] = SUB(a, b);
    o[3] = FMA(SET1(2), e, c);
    o[4] = FMA(SET1(-2), e, c);
    o[5] = FMA(SET1(4), d[1], FMA(SET1(-5), d[3], d[5]));
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

#endif
