/* SPDX-License-Identifier: Apache-2.0 */
/* A square of VL x VL floats in registers, and rows of fewer than VL floats. */
#ifndef NM_KERNELS_SIMD_TRANSPOSE_H
#define NM_KERNELS_SIMD_TRANSPOSE_H

#include "kernels/simd/vec.h"

/* The first n (0..VL) floats at p, the rest fill. */
INLINE V load_some(const float *p, int32_t n, V fill)
{
    if (n >= VL) {
        return LDU(p);
    }
    const VM first = FIRST_LANES(n);
    return BLEND(first, fill, LD_MASK(p, first));
}

INLINE void store_some(float *p, int32_t n, V v)
{
    if (n >= VL) {
        STU(p, v);
    } else if (n > 0) {
        ST_MASK(p, FIRST_LANES(n), v);
    }
}

#if VL == 16
/* 4 x 4 of 128 bits, to every fourth vector. */
INLINE void transpose_quads(V r0, V r1, V r2, V r3, V *to)
{
    const V a = _mm512_shuffle_f32x4(r0, r1, 0x88);
    const V b = _mm512_shuffle_f32x4(r0, r1, 0xdd);
    const V c = _mm512_shuffle_f32x4(r2, r3, 0x88);
    const V d = _mm512_shuffle_f32x4(r2, r3, 0xdd);
    to[0] = _mm512_shuffle_f32x4(a, c, 0x88);
    to[8] = _mm512_shuffle_f32x4(a, c, 0xdd);
    to[4] = _mm512_shuffle_f32x4(b, d, 0x88);
    to[12] = _mm512_shuffle_f32x4(b, d, 0xdd);
}

INLINE void transpose(V r[16])
{
    V t[16];
    UNROLL
    for (int i = 0; i < 16; i += 4) { /* 2 x 2, then 4 x 4 within 128 bits */
        const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(r[i], r[i + 1]));
        const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(r[i], r[i + 1]));
        const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(r[i + 2], r[i + 3]));
        const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(r[i + 2], r[i + 3]));
        t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        transpose_quads(t[i], t[i + 4], t[i + 8], t[i + 12], r + i);
    }
}

/* Of VL / 2 rows of as many pairs. */
INLINE void transpose_pairs(V r[8])
{
    V even[4], odd[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        const __m512d a = _mm512_castps_pd(r[2 * i]), b = _mm512_castps_pd(r[2 * i + 1]);
        even[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
        odd[i] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
    V to[16];
    transpose_quads(even[0], even[1], even[2], even[3], to);
    transpose_quads(odd[0], odd[1], odd[2], odd[3], to + 1);
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[2 * i] = to[4 * i];
        r[2 * i + 1] = to[4 * i + 1];
    }
}
#else
INLINE void transpose(V r[8])
{
    V t[8];
    UNROLL
    for (int i = 0; i < 8; i += 4) {
        const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(r[i], r[i + 1]));
        const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(r[i], r[i + 1]));
        const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(r[i + 2], r[i + 3]));
        const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(r[i + 2], r[i + 3]));
        t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
        t[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
        t[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
        t[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}

/* Of VL / 2 rows of as many pairs. */
INLINE void transpose_pairs(V r[4])
{
    V t[4];
    UNROLL
    for (int i = 0; i < 4; i += 2) {
        const __m256d a = _mm256_castps_pd(r[i]), b = _mm256_castps_pd(r[i + 1]);
        t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
        t[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
    UNROLL
    for (int i = 0; i < 2; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 2], 0x20);
        r[i + 2] = _mm256_permute2f128_ps(t[i], t[i + 2], 0x31);
    }
}
#endif

#endif
