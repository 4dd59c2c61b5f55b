/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of each activation: every other kernel is compared with this. */
#include "kernels/kernel.h"

#include <math.h>

static float clamp(float x, float lo, float hi)
{
    x = x < lo ? lo : x; /* in this form NaN stays NaN */
    return x > hi ? hi : x;
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

float nmi_act_apply(struct nmi_act act, float x)
{
    switch (act.kind) {
    case NMI_ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case NMI_ACT_CLIP:
        return clamp(x, act.alpha, act.beta);
    case NMI_ACT_LEAKY:
        return x < 0.0f ? act.alpha * x : x;
    case NMI_ACT_SIGMOID:
        return sigmoid(x);
    case NMI_ACT_HARDSWISH:
        return x * clamp(x / 6.0f + 0.5f, 0.0f, 1.0f);
    case NMI_ACT_SWISH:
        return x * sigmoid(x);
    case NMI_ACT_GELU:
        return x * 0.5f * (1.0f + erff(x * 0.70710678f));
    default:
        return x;
    }
}
