/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats: see half.h. */
#include "lib/base/half.h"
#include <string.h>

static float from_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

float nmi_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31) {
        return from_bits(sign | 0x7f800000 | fraction << 13);
    }
    if (exponent == 0) { /* zero or subnormal: fraction times 2^-24 */
        float v = (float)fraction * 0x1p-24f;
        return sign != 0 ? -v : v;
    }
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

float nmi_bf16_to_f32(uint16_t h)
{
    return from_bits((uint32_t)h << 16);
}

/* v >> shift with the bits that fall off rounded to nearest even; 0 < shift < 64. */
static uint64_t shift_round(uint64_t v, int shift)
{
    uint64_t kept = v >> shift, lost = v & ((1ull << shift) - 1), half = 1ull << (shift - 1);
    return kept + (lost > half || (lost == half && (kept & 1) != 0));
}

uint16_t nmi_f64_to_f16(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
    int exponent = (int)(bits >> 52 & 2047) - 1023;
    uint64_t fraction = bits & ((1ull << 52) - 1);
    if (exponent == 1024 && fraction != 0) {
        return (uint16_t)(sign | 0x7e00);
    }
    if (exponent > 15) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (exponent < -25) {
        return sign;
    }
    uint64_t rounded;
    if (exponent < -14) { /* subnormal: in units of 2^-24 */
        rounded = shift_round(fraction | 1ull << 52, 28 - exponent);
    } else { /* a carry out of the fraction steps the exponent, up to infinity */
        rounded = shift_round((uint64_t)(exponent + 15) << 52 | fraction, 42);
    }
    return (uint16_t)(sign | (uint16_t)rounded);
}

uint16_t nmi_f32_to_bf16(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)(bits >> 16 | (v != v ? 0x40 : 0));
}
