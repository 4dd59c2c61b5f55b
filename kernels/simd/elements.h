/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elements of lanes as they lie in memory, where they are moved and not computed with: floats, or
 * (the including file defines HALF, and VL as 16) float16 as 16 bits. A vector of them holds LANES.
 */
#ifndef NM_KERNELS_SIMD_ELEMENTS_H
#define NM_KERNELS_SIMD_ELEMENTS_H

#include "kernels/simd/vec.h"

/* INSIDE, OUTSIDE: see struct line in lanes.h; no sum of two overflows EI. */
#ifdef HALF
enum { LANES = NMI_HALVES, LANES_KIND = NMI_LANES_F16, INSIDE = -(1 << 12), OUTSIDE = 3 << 12 };
typedef uint16_t E;
typedef int16_t EI;
typedef __m512i EV, EVI;
#define E_LD(p) _mm512_load_si512(p)
#define E_ST(p, v) _mm512_store_si512(p, v)
#define E_ADDI(a, b) _mm512_add_epi16(a, b)
#define E_NEGATIVE(i) _mm512_movepi16_mask(i)
#define E_PERMUTE(v, i) _mm512_permutexvar_epi16(i, v)
#define E_BLEND(m, a, b) _mm512_mask_blend_epi16(m, a, b)

/* Rounded to nearest even; beyond 65504 infinite. */
INLINE __m256i narrowed(V v)
{
    return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE EV E_SET1(float x)
{
    const __m256i half = narrowed(SET1(x));
    return _mm512_inserti64x4(_mm512_castsi256_si512(half), half, 1);
}
/* VL elements as floats, and back. */
INLINE V elements_get(const E *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
INLINE void elements_put(E *p, V v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, narrowed(v));
}
#else
enum { LANES = VL, LANES_KIND = NMI_LANES, INSIDE = -(1 << 26), OUTSIDE = 1 << 28 };
typedef float E;
typedef int32_t EI;
typedef V EV;
typedef VI EVI;
#define E_LD(p) LD(p)
#define E_ST(p, v) ST(p, v)
#define E_SET1(x) SET1(x)
#define E_ADDI(a, b) ADDI(a, b)
#define E_NEGATIVE(i) NEGATIVE(i)
#define E_PERMUTE(v, i) PERMUTE(v, i)
#define E_BLEND(m, a, b) BLEND(m, a, b)
INLINE V elements_get(const E *p)
{
    return LD(p);
}
INLINE void elements_put(E *p, V v)
{
    ST(p, v);
}
#endif

#endif
