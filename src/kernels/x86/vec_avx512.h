/* One vector of 16 floats, as the bodies shared by both instruction sets name it. */
#ifndef UW_VEC_H
#define UW_VEC_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UW_ISA(op) uw_##op##_avx512
enum { VW = 16 };

typedef __m512 vf;
typedef __mmask16 vmask;
#define VEC static inline __attribute__((always_inline))

/* Lanes 0 .. count - 1; count >= VW means all. */
VEC vmask v_first(size_t count) {
    return (vmask)(count >= VW ? 0xffffu : (1u << count) - 1u);
}
VEC vf v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
VEC void v_store(float *p, vf x) {
    _mm512_storeu_ps(p, x);
}
/* Lanes outside the mask are neither read nor written; loads give 0 there. */
VEC vf v_load_some(const float *p, vmask m) {
    return _mm512_maskz_loadu_ps(m, p);
}
VEC void v_store_some(float *p, vmask m, vf x) {
    _mm512_mask_storeu_ps(p, m, x);
}
/* The vector at p of which `left` values remain, and its twin: masks only at the end. */
VEC vf v_get(const float *p, size_t left) {
    return left >= VW ? v_load(p) : v_load_some(p, v_first(left));
}
VEC void v_put(float *p, size_t left, vf x) {
    if (left >= VW) {
        v_store(p, x);
    } else {
        v_store_some(p, v_first(left), x);
    }
}
VEC vf v_set(float x) {
    return _mm512_set1_ps(x);
}
VEC vf v_zero(void) {
    return _mm512_setzero_ps();
}
VEC vf v_add(vf a, vf b) {
    return _mm512_add_ps(a, b);
}
VEC vf v_sub(vf a, vf b) {
    return _mm512_sub_ps(a, b);
}
VEC vf v_mul(vf a, vf b) {
    return _mm512_mul_ps(a, b);
}
VEC vf v_div(vf a, vf b) {
    return _mm512_div_ps(a, b);
}
VEC vf v_sqrt(vf a) {
    return _mm512_sqrt_ps(a);
}
/* a b + c, and c - a b. */
VEC vf v_fma(vf a, vf b, vf c) {
    return _mm512_fmadd_ps(a, b, c);
}
VEC vf v_fnma(vf a, vf b, vf c) {
    return _mm512_fnmadd_ps(a, b, c);
}
/* *sum += a b.  gcc is not left the choice of another register for the sum: it would shuffle whole
 * tiles of them from step to step. */
VEC void v_fma_into(vf *sum, vf a, vf b) {
#if defined(__clang__)
    *sum = _mm512_fmadd_ps(a, b, *sum);
#else
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
#endif
}
/* p[0], p[1] in every even and odd lane. */
VEC vf v_set_pair(const float *p) {
    double both;
    memcpy(&both, p, sizeof both);
    return _mm512_castpd_ps(_mm512_set1_pd(both));
}
/* Sums of neighbouring lanes, those of a before those of b. */
VEC vf v_join_pairs(vf a, vf b) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_ps(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b));
}

/* ---- comparison, rounding, bits ----------------------------------------------------------------
 */

/* Where b is NaN the result is b. */
VEC vf v_max(vf a, vf b) {
    return _mm512_max_ps(a, b);
}
VEC vf v_min(vf a, vf b) {
    return _mm512_min_ps(a, b);
}
/* x in the lanes of the mask, 0 elsewhere. */
VEC vf v_keep(vf x, vmask m) {
    return _mm512_maskz_mov_ps(m, x);
}
/* x in the lanes of the mask, other elsewhere. */
VEC vf v_pick(vmask m, vf x, vf other) {
    return _mm512_mask_mov_ps(other, m, x);
}
/* To the nearest integer, ties to even. */
VEC vf v_round(vf x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* x 2^n for integers n; overflows to infinity, underflows gradually. */
VEC vf v_ldexp(vf x, vf n) {
    return _mm512_scalef_ps(x, n);
}
/* sign(x) size where |x| >= limit, else y; size >= 0. */
VEC vf v_saturate(vf y, vf x, float limit, float size) {
    const __mmask16 far = _mm512_cmp_ps_mask(_mm512_abs_ps(x), _mm512_set1_ps(limit), _CMP_GE_OQ);
    const __m512 sign = _mm512_and_ps(x, _mm512_set1_ps(-0.0f));
    return _mm512_mask_or_ps(y, far, sign, _mm512_set1_ps(size));
}
/* Turn (s, c) by q quarters of a circle, q integral. */
VEC void v_quarters(vf *s, vf *c, vf q) {
    const __m512i turns = _mm512_cvtps_epi32(q), one = _mm512_set1_epi32(1);
    const __mmask16 odd = _mm512_test_epi32_mask(turns, one);
    const __m512i s_sign = _mm512_slli_epi32(_mm512_and_epi32(turns, _mm512_set1_epi32(2)), 30);
    const __m512i c_sign =
        _mm512_slli_epi32(_mm512_and_epi32(_mm512_add_epi32(turns, one), _mm512_set1_epi32(2)), 30);
    const __m512 sine = _mm512_mask_mov_ps(*s, odd, *c), cosine = _mm512_mask_mov_ps(*c, odd, *s);
    *s = _mm512_xor_ps(sine, _mm512_castsi512_ps(s_sign));
    *c = _mm512_xor_ps(cosine, _mm512_castsi512_ps(c_sign));
}
VEC vf v_from_u8(const uint8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
/* The nearest bf16 (ties to even) in the upper half of every lane; the lower half is anything. */
VEC __m512i v_bf16_bits(vf x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i tie = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(tie, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
}
/* As v_put and v_get, of bf16 in memory. */
VEC void v_put_bf16(uint16_t *p, size_t left, vf x) {
#if defined(__AVX512BF16__)
    const __m256i y = (__m256i)_mm512_cvtneps_pbh(x);
#else
    const __m256i y = _mm512_cvtepi32_epi16(_mm512_srli_epi32(v_bf16_bits(x), 16));
#endif
    if (left >= VW) {
        _mm256_storeu_si256((__m256i *)p, y);
    } else {
        _mm256_mask_storeu_epi16(p, v_first(left), y);
    }
}
VEC vf v_get_bf16(const uint16_t *p, size_t left) {
    const __m256i y = left >= VW ? _mm256_loadu_si256((const __m256i *)p)
                                 : _mm256_maskz_loadu_epi16(v_first(left), p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(y), 16));
}

/* ---- sums
 * ------------------------------------------------------------------------------------------ */

/* Lanes in a fixed order. */
VEC float v_sum(vf x) {
    return _mm512_reduce_add_ps(x);
}
VEC float v_largest(vf x) {
    return _mm512_reduce_max_ps(x);
}
/* A sum kept in double, lane by lane. */
typedef struct vsum {
    __m512d low, high;
} vsum;
VEC __m512d v_low(vf x) {
    return _mm512_cvtps_pd(_mm512_castps512_ps256(x));
}
VEC __m512d v_high(vf x) {
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
}
VEC vsum vs_zero(void) {
    return (vsum){_mm512_setzero_pd(), _mm512_setzero_pd()};
}
VEC void vs_add(vsum *s, vf x) {
    s->low = _mm512_add_pd(s->low, v_low(x));
    s->high = _mm512_add_pd(s->high, v_high(x));
}
/* += x y, the products in double. */
VEC void vs_add_product(vsum *s, vf x, vf y) {
    s->low = _mm512_fmadd_pd(v_low(x), v_low(y), s->low);
    s->high = _mm512_fmadd_pd(v_high(x), v_high(y), s->high);
}
VEC vsum vs_scale(vsum s, double a) {
    return (vsum){_mm512_mul_pd(s.low, _mm512_set1_pd(a)),
                  _mm512_mul_pd(s.high, _mm512_set1_pd(a))};
}
VEC vf vs_round(vsum s) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(s.low)),
                              _mm512_cvtpd_ps(s.high), 1);
}
VEC double vs_total(vsum s) {
    return _mm512_reduce_add_pd(_mm512_add_pd(s.low, s.high));
}

#endif
