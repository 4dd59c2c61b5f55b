/* SPDX-License-Identifier: Apache-2.0 */
/* Activations of kernel.h on vectors. NaN stays NaN: x is always the second operand of MAX, MIN. */
#ifndef NM_KERNELS_SIMD_ACT_H
#define NM_KERNELS_SIMD_ACT_H

#include "kernels/simd/vec.h"

/* e^x for x <= 0, relative error about 1e-7; 0 below -87 (no denormals). */
INLINE V exp_negative(V x)
{
    const V low = SET1(-87.0f);
    const VM tiny = LESS(x, low);
    const V clamped = MAX(low, x);
    const VI n = ROUND_INT(MUL(clamped, SET1(1.44269504f)));
    const V k = TO_FLOAT(n);
    /* ln 2 in two parts, so that the rest is exact */
    V r = FMA(k, SET1(-0.693359375f), clamped);
    r = FMA(k, SET1(2.12194440e-4f), r);
    V p = SET1(1.0f / 5040);
    p = FMA(p, r, SET1(1.0f / 720));
    p = FMA(p, r, SET1(1.0f / 120));
    p = FMA(p, r, SET1(1.0f / 24));
    p = FMA(p, r, SET1(1.0f / 6));
    p = FMA(p, r, SET1(0.5f));
    p = FMA(p, r, SET1(1.0f));
    p = FMA(p, r, SET1(1.0f));
    return BLEND(tiny, MUL(p, POWER2(n)), ZERO());
}

INLINE V sigmoid(V x)
{
    const V one = SET1(1.0f);
    const VM negative = LESS(x, ZERO());
    const V e = exp_negative(BLEND(negative, SUB(ZERO(), x), x)); /* e^-|x| */
    const V s = DIV(one, ADD(one, e));
    return BLEND(negative, s, MUL(e, s));
}

/* 1 + erf(x / sqrt 2), absolute error 2e-7 (Abramowitz and Stegun, 7.1.26). */
INLINE V one_plus_erf(V x)
{
    const VM negative = LESS(x, ZERO());
    const V z = MUL(BLEND(negative, x, SUB(ZERO(), x)), SET1(0.70710678f));
    const V t = DIV(SET1(1.0f), FMA(z, SET1(0.3275911f), SET1(1.0f)));
    V p = SET1(1.061405429f);
    p = FMA(p, t, SET1(-1.453152027f));
    p = FMA(p, t, SET1(1.421413741f));
    p = FMA(p, t, SET1(-0.284496736f));
    p = FMA(p, t, SET1(0.254829592f));
    const V tail = MUL(MUL(p, t), exp_negative(MUL(SUB(ZERO(), z), z))); /* 1 - erf(|x| / sqrt 2) */
    return BLEND(negative, SUB(SET1(2.0f), tail), tail);
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
