/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One vector of VL floats: the including file defines VL as 16 (AVX-512) or 8 (AVX2) and is
 * compiled for that instruction set. Everything is static: no code leaves an object for a lesser
 * CPU to meet.
 */
#ifndef NM_KERNELS_SIMD_VEC_H
#define NM_KERNELS_SIMD_VEC_H

#include "kernels/simd/words.h"
#include <immintrin.h>

#define VB ((int64_t)VL * 4) /* bytes of a vector */

/* Element i (0..3, a constant) of each run of four: after LD4 a broadcast that occupies no load
 * port. */
#define PICK(v, i) \
    ((i) == 0 ? PICK_(v, 0) : (i) == 1 ? PICK_(v, 1) : (i) == 2 ? PICK_(v, 2) : PICK_(v, 3))

#if VL == 16
#define ISA_NAME avx512
#define ISA NM_ISA_AVX512
typedef __m512 V;
typedef __m512i VI;
typedef __mmask16 VM;
#define LD(p) _mm512_load_ps(p)
#define ST(p, v) _mm512_store_ps(p, v)
#define LDU(p) _mm512_loadu_ps(p)
#define STU(p, v) _mm512_storeu_ps(p, v)
#define SET1(x) _mm512_set1_ps(x)
#define ZERO() _mm512_setzero_ps()
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define DIV(a, b) _mm512_div_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MAX(a, b) _mm512_max_ps(a, b) /* b when either is NaN */
#define MIN(a, b) _mm512_min_ps(a, b)
#define SUM(v) _mm512_reduce_add_ps(v)
#define LDI(p) _mm512_loadu_si512(p)
#define STI(p, v) _mm512_storeu_si512(p, v)
#define SET1I(x) _mm512_set1_epi32(x)
#define ADDI(a, b) _mm512_add_epi32(a, b)
#define ANDI(a, b) _mm512_and_si512(a, b)
#define NEGATIVE(i) _mm512_movepi32_mask(i)
#define LESS(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define FIRST_LANES(n) ((VM)((1u << (n)) - 1))
#define BLEND(m, a, b) _mm512_mask_blend_ps(m, a, b) /* b where m */
#define LD_MASK(p, m) _mm512_maskz_loadu_ps(m, p)
#define ST_MASK(p, m, v) _mm512_mask_storeu_ps(p, m, v)
#define PERMUTE(v, i) _mm512_permutexvar_ps(i, v)
#define PERMUTE_MASK(old, m, v, i) _mm512_mask_permutexvar_ps(old, m, i, v)
#define LANES_OF(bits) ((VM)(bits))
#define GATHER(p, i) _mm512_i32gather_ps(i, p, 4)
#define GATHER_MASK(old, p, i, m) _mm512_mask_i32gather_ps(old, m, i, p, 4)
#define LD4(p) _mm512_broadcast_f32x4(_mm_loadu_ps(p)) /* four floats repeated */
#define PICK_(v, i) _mm512_permute_ps(v, (i) * 0x55)
#define LD_U16(p) _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#define ABS(v) _mm512_andnot_ps(SET1(-0.0f), v)
#define ROUND(v) _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define TIMES_POWER2(v, n) _mm512_scalef_ps(v, n) /* v 2^n, n whole and below 128 */

/* 1 / v for v in [1, 2^100], nearly to the last bit: a division takes ten cycles. */
INLINE V RECIPROCAL(V v)
{
    const V r = _mm512_rcp14_ps(v);
    return MUL(r, _mm512_fnmadd_ps(r, v, SET1(2.0f)));
}
#else
#define ISA_NAME avx2
#define ISA NM_ISA_AVX2
typedef __m256 V;
typedef __m256i VI;
typedef __m256 VM;
#define LD(p) _mm256_load_ps(p)
#define ST(p, v) _mm256_store_ps(p, v)
#define LDU(p) _mm256_loadu_ps(p)
#define STU(p, v) _mm256_storeu_ps(p, v)
#define SET1(x) _mm256_set1_ps(x)
#define ZERO() _mm256_setzero_ps()
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define DIV(a, b) _mm256_div_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MAX(a, b) _mm256_max_ps(a, b)
#define MIN(a, b) _mm256_min_ps(a, b)
#define LDI(p) _mm256_loadu_si256((const __m256i *)(p))
#define STI(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define SET1I(x) _mm256_set1_epi32(x)
#define ADDI(a, b) _mm256_add_epi32(a, b)
#define ANDI(a, b) _mm256_and_si256(a, b)
#define NEGATIVE(i) _mm256_castsi256_ps(i)
#define LESS(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define FIRST_LANES(n)                                                                             \
    _mm256_castsi256_ps(_mm256_cmpgt_epi32(SET1I(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)))
#define BLEND(m, a, b) _mm256_blendv_ps(a, b, m)
#define LD_MASK(p, m) _mm256_maskload_ps(p, _mm256_castps_si256(m))
#define ST_MASK(p, m, v) _mm256_maskstore_ps(p, _mm256_castps_si256(m), v)
#define PERMUTE(v, i) _mm256_permutevar8x32_ps(v, i)
#define PERMUTE_MASK(old, m, v, i) BLEND(m, old, PERMUTE(v, i))
#define POWERS_ _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128)
#define LANES_OF(bits)                                                                             \
    _mm256_castsi256_ps(                                                                           \
        _mm256_cmpeq_epi32(ANDI(SET1I((int32_t)(bits)), POWERS_), POWERS_))
#define GATHER(p, i) _mm256_i32gather_ps(p, i, 4)
#define GATHER_MASK(old, p, i, m) _mm256_mask_i32gather_ps(old, p, i, m, 4)
#define LD4(p) _mm256_broadcast_ps((const __m128 *)(const void *)(p))
#define PICK_(v, i) _mm256_permute_ps(v, (i) * 0x55)
#define LD_U16(p) _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define ABS(v) _mm256_andnot_ps(SET1(-0.0f), v)
#define ROUND(v) _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

INLINE V TIMES_POWER2(V v, V n)
{
    const VI exponent = _mm256_cvtps_epi32(MAX(SET1(-127.0f), n)); /* -127: zero */
    return MUL(v, _mm256_castsi256_ps(_mm256_slli_epi32(ADDI(exponent, SET1I(127)), 23)));
}

/* 1 / v for v in [1, 2^100], nearly to the last bit. */
INLINE V RECIPROCAL(V v)
{
    return DIV(SET1(1.0f), v);
}

INLINE float SUM(V v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
#endif

/* Keeps the compiler from loading v again for each of its uses. */
INLINE V held(V v)
{
    __asm__("" : "+v"(v));
    return v;
}

#endif
