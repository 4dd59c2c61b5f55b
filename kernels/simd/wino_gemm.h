/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The products of a Winograd convolution: for one point, m[tile][oc] (+)= sum over channels of
 * v[tile][c] u[c][oc]. Six tiles by WIDE vectors of output channels stay in registers.
 */
#ifndef NM_KERNELS_SIMD_WINO_GEMM_H
#define NM_KERNELS_SIMD_WINO_GEMM_H

#include "kernels/simd/vec.h"

enum { WIDE = VL == 16 ? 4 : 2, HIGH = 6 };

struct product {
    const float *v, *u;
    float *m;
    int64_t channels, v_step; /* floats from tile to tile */
    bool add;                 /* to what m holds */
};

INLINE void multiply(const struct product *g, const int tiles, const int wide)
{
    const float *v = g->v, *u = g->u;
    const int64_t step = g->v_step;
    V acc[HIGH * WIDE];
    UNROLL
    for (int i = 0; i < tiles * wide; i++) {
        acc[i] = g->add ? LD(g->m + i * VL) : ZERO();
    }
    for (int64_t c = g->channels; c > 0; c--, v++, u += wide * VL) {
        V w[WIDE];
        UNROLL
        for (int k = 0; k < wide; k++) {
            w[k] = LD(u + k * VL);
        }
        UNROLL
        for (int t = 0; t < tiles; t++) {
            const V x = SET1(v[t * step]);
            UNROLL
            for (int k = 0; k < wide; k++) {
                acc[t * wide + k] = FMA(x, w[k], acc[t * wide + k]);
            }
        }
    }
    UNROLL
    for (int i = 0; i < tiles * wide; i++) {
        ST(g->m + i * VL, acc[i]);
    }
}

#define MULTIPLY(tiles, wide)                                       \
    static void multiply_##tiles##_##wide(const struct product *g) \
    {                                                               \
        multiply(g, tiles, wide);                                   \
    }
#define MULTIPLIES(wide)                                            \
    MULTIPLY(1, wide) MULTIPLY(2, wide) MULTIPLY(3, wide)           \
    MULTIPLY(4, wide) MULTIPLY(5, wide) MULTIPLY(6, wide)
#define NAMES(wide)                                                               \
    {                                                                             \
        NULL, multiply_1_##wide, multiply_2_##wide, multiply_3_##wide,            \
            multiply_4_##wide, multiply_5_##wide, multiply_6_##wide               \
    }
typedef void multiply_fn(const struct product *);
MULTIPLIES(1) MULTIPLIES(2)
#if VL == 16
MULTIPLIES(3) MULTIPLIES(4)
static multiply_fn *const multiplies[WIDE + 1][HIGH + 1] = {{NULL}, NAMES(1), NAMES(2), NAMES(3),
                                                            NAMES(4)};
#else
static multiply_fn *const multiplies[WIDE + 1][HIGH + 1] = {{NULL}, NAMES(1), NAMES(2)};
#endif
#undef MULTIPLY
#undef MULTIPLIES
#undef NAMES

/* All tiles, in groups of about equal height. */
INLINE void multiply_all(struct product g, int64_t tiles, int wide)
{
    for (int64_t groups = (tiles + HIGH - 1) / HIGH; groups > 0; groups--) {
        const int64_t high = (tiles + groups - 1) / groups;
        multiplies[wide][high](&g);
        g.v += high * g.v_step;
        g.m += high * wide * VL;
        tiles -= high;
    }
}

#endif
