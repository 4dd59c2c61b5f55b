/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vector of 32 float16 numbers, and the same as 32 floats: the words of kernels for AVX512_FP16.
 * Without that instruction set tests run the same kernels anywhere (the library holds no such code):
 * with AVX-512 in some four times the time of floats, each result rounded to float first and then to
 * float16, which differs in the last bit once in some thousand times; else by plain loops, slowly.
 * Those need a compiler that knows _Float16.
 */
#ifndef NM_KERNELS_SIMD_HALF_VEC_H
#define NM_KERNELS_SIMD_HALF_VEC_H

#include "kernels/simd/words.h"
#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>

typedef struct {
    __m512 low, high;
} HF;

INLINE HF hf_of_bits(__m512i bits)
{
    return (HF){_mm512_cvtph_ps(_mm512_castsi512_si256(bits)),
                _mm512_cvtph_ps(_mm512_extracti64x4_epi64(bits, 1))};
}
INLINE __m512i hf_bits(HF v)
{
    const __m256i low = _mm512_cvtps_ph(v.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256i high = _mm512_cvtps_ph(v.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
INLINE HF hf_set(float v)
{
    return (HF){_mm512_set1_ps(v), _mm512_set1_ps(v)};
}
INLINE HF hf_load(const float *p)
{
    return (HF){_mm512_load_ps(p), _mm512_load_ps(p + 16)};
}
INLINE void hf_store(float *p, HF v)
{
    _mm512_store_ps(p, v.low);
    _mm512_store_ps(p + 16, v.high);
}
INLINE HF hf_add(HF a, HF b)
{
    return (HF){_mm512_add_ps(a.low, b.low), _mm512_add_ps(a.high, b.high)};
}
/* NaN in b stays. */
INLINE HF hf_max(HF a, HF b)
{
    return (HF){_mm512_max_ps(a.low, b.low), _mm512_max_ps(a.high, b.high)};
}
INLINE HF hf_min(HF a, HF b)
{
    return (HF){_mm512_min_ps(a.low, b.low), _mm512_min_ps(a.high, b.high)};
}

/* One float16 twice, as a weight lies in memory. */
INLINE uint32_t half_pair(float v)
{
    const __m512i many = hf_bits(hf_set(v));
    return (uint32_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(many));
}

#ifdef __AVX512FP16__

enum { HALF_NEEDS_FP16 = 1 };
typedef __m512h H;

INLINE H h_zero(void)
{
    return _mm512_setzero_ph();
}
INLINE H h_load(const void *p)
{
    return _mm512_load_ph(p);
}
INLINE void h_store(void *p, H v)
{
    _mm512_store_ph(p, v);
}
INLINE H h_pair(const uint32_t *p)
{
    return _mm512_castsi512_ph(_mm512_set1_epi32((int)*p));
}
INLINE H h_add(H a, H b)
{
    return _mm512_add_ph(a, b);
}
INLINE H h_fma(H a, H b, H c)
{
    return _mm512_fmadd_ph(a, b, c);
}
INLINE HF h_widen(H v)
{
    return hf_of_bits(_mm512_castph_si512(v));
}
INLINE H hf_narrow(HF v)
{
    return _mm512_castsi512_ph(hf_bits(v));
}

#else

enum { HALF_NEEDS_FP16 = 0 };
typedef __m512i H;

INLINE H h_zero(void)
{
    return _mm512_setzero_si512();
}
INLINE H h_load(const void *p)
{
    return _mm512_load_si512(p);
}
INLINE void h_store(void *p, H v)
{
    _mm512_store_si512(p, v);
}
INLINE H h_pair(const uint32_t *p)
{
    return _mm512_set1_epi32((int)*p);
}
INLINE HF h_widen(H v)
{
    return hf_of_bits(v);
}
INLINE H hf_narrow(HF v)
{
    return hf_bits(v);
}
INLINE H h_add(H a, H b)
{
    return hf_narrow(hf_add(h_widen(a), h_widen(b)));
}
INLINE H h_fma(H a, H b, H c)
{
    const HF x = h_widen(a), y = h_widen(b), z = h_widen(c);
    return hf_narrow((HF){_mm512_fmadd_ps(x.low, y.low, z.low),
                          _mm512_fmadd_ps(x.high, y.high, z.high)});
}
#endif

#else

enum { HALF_NEEDS_FP16 = 0 };
typedef struct {
    _Float16 v[NMI_HALVES];
} H;
typedef struct {
    float v[NMI_HALVES];
} HF;
#define EACH(type, value)                \
    type r;                              \
    for (int i = 0; i < NMI_HALVES; i++) { \
        r.v[i] = value;                  \
    }                                    \
    return r

/* One float16 twice, as a weight lies in memory. */
INLINE uint32_t half_pair(float v)
{
    const _Float16 h = (_Float16)v;
    uint16_t bits;
    memcpy(&bits, &h, sizeof bits);
    return (uint32_t)bits << 16 | bits;
}
INLINE H h_zero(void)
{
    EACH(H, 0);
}
INLINE H h_load(const void *p)
{
    H r;
    memcpy(&r, p, sizeof r);
    return r;
}
INLINE void h_store(void *p, H v)
{
    memcpy(p, &v, sizeof v);
}
INLINE H h_pair(const uint32_t *p)
{
    _Float16 h;
    memcpy(&h, p, sizeof h);
    EACH(H, h);
}
INLINE H h_add(H a, H b)
{
    EACH(H, (_Float16)((float)a.v[i] + (float)b.v[i]));
}
/* A product of two float16 is exact in double, and so is nearly every sum. */
INLINE H h_fma(H a, H b, H c)
{
    EACH(H, (_Float16)((double)a.v[i] * (double)b.v[i] + (double)c.v[i]));
}
INLINE HF h_widen(H v)
{
    EACH(HF, (float)v.v[i]);
}
INLINE H hf_narrow(HF v)
{
    EACH(H, (_Float16)v.v[i]);
}
INLINE HF hf_set(float v)
{
    EACH(HF, v);
}
INLINE HF hf_load(const float *p)
{
    EACH(HF, p[i]);
}
INLINE void hf_store(float *p, HF v)
{
    memcpy(p, &v, sizeof v);
}
INLINE HF hf_add(HF a, HF b)
{
    EACH(HF, a.v[i] + b.v[i]);
}
INLINE HF hf_max(HF a, HF b)
{
    EACH(HF, a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
}
INLINE HF hf_min(HF a, HF b)
{
    EACH(HF, a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
}
#undef EACH
#endif

#endif
