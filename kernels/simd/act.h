/* SPDX-License-Identifier: Apache-2.0 */
/* Activations of kernel.h on vectors. NaN stays NaN: x is always the second operand of MAX, MIN. */
#ifndef NM_KERNELS_SIMD_ACT_H
#define NM_KERNELS_SIMD_ACT_H

#include "kernels/simd/vec.h"

/* e^x for x <= 0, relative error about 3e-7; nothing of it is left below -87. */
INLINE V exp_negative(V x)
{
    const V clamped = MAX(SET1(-150.0f), x); /* so that the remainder of -inf is no NaN */
    const V n = ROUND(MUL(clamped, SET1(1.44269504f)));
    /* x / ln 2 - n; log2 e in two parts, so that the remainder is exact */
    V r = FMA(clamped, SET1(1.44269502f), SUB(ZERO(), n));
    r = FMA(clamped, SET1(1.92596303e-8f), r);
    V p = SET1(0.00132764713f); /* 2^r, minimax over [-1/2, 1/2] */
    p = FMA(p, r, SET1(0.00967554189f));
    p = FMA(p, r, SET1(0.0555071309f));
    p = FMA(p, r, SET1(0.240221202f));
    p = FMA(p, r, SET1(0.693146944f));
    p = FMA(p, r, SET1(1.0f));
    return TIMES_POWER2(p, n);
}

INLINE V sigmoid(V x)
{
    const V e = exp_negative(SUB(ZERO(), ABS(x))), one = SET1(1.0f);
    return MUL(BLEND(LESS(x, ZERO()), one, e), RECIPROCAL(ADD(one, e)));
}

/* 1 + erf(x / sqrt 2), absolute error 2e-7 (Abramowitz and Stegun, 7.1.26). */
INLINE V one_plus_erf(V x)
{
    const V z = MIN(SET1(14.0f), MUL(ABS(x), SET1(0.70710678f))); /* 14: e^(-z^2) is zero */
    const V t = RECIPROCAL(FMA(z, SET1(0.3275911f), SET1(1.0f)));
    V p = SET1(1.061405429f);
    p = FMA(p, t, SET1(-1.453152027f));
    p = FMA(p, t, SET1(1.421413741f));
    p = FMA(p, t, SET1(-0.284496736f));
    p = FMA(p, t, SET1(0.254829592f));
    const V tail = MUL(MUL(p, t), exp_negative(MUL(SUB(ZERO(), z), z))); /* 1 - erf(|x| / sqrt 2) */
    return BLEND(LESS(x, ZERO()), SUB(SET1(2.0f), tail), tail);
}

/* kind is a constant wherever this is inlined into a loop over one kind. */
INLINE V act_apply(int32_t kind, V alpha, V beta, V x)
{
    switch (kind) {
    case NMI_ACT_RELU:
        return MAX(ZERO(), x);
    case NMI_ACT_CLIP:
        return MIN(beta, MAX(alpha, x));
    case NMI_ACT_LEAKY:
        return BLEND(LESS(x, ZERO()), x, MUL(alpha, x));
    case NMI_ACT_SIGMOID:
        return sigmoid(x);
    case NMI_ACT_HARDSWISH: {
        const V gate = FMA(x, SET1(1.0f / 6), SET1(0.5f));
        return MUL(x, MIN(SET1(1.0f), MAX(ZERO(), gate)));
    }
    case NMI_ACT_SWISH:
        return MUL(x, sigmoid(x));
    case NMI_ACT_GELU:
        return MUL(MUL(x, SET1(0.5f)), one_plus_erf(x));
    default:
        return x;
    }
}

#endif
