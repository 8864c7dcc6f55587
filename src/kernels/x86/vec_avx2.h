/* One vector of 8 floats, as the bodies shared by both instruction sets name it. */
#ifndef UW_VEC_H
#define UW_VEC_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UW_ISA(op) uw_##op##_avx2
enum { VW = 8 };

typedef __m256 vf;
typedef __m256i vmask;
#define VEC static inline __attribute__((always_inline))

/* Lanes 0 .. count - 1; count >= VW means all. */
VEC vmask v_first(size_t count) {
    const int lanes = count >= VW ? VW : (int)count;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
VEC vf v_load(const float *p) {
    return _mm256_loadu_ps(p);
}
VEC void v_store(float *p, vf x) {
    _mm256_storeu_ps(p, x);
}
/* Lanes outside the mask are neither read nor written; loads give 0 there. */
VEC vf v_load_some(const float *p, vmask m) {
    return _mm256_maskload_ps(p, m);
}
VEC void v_store_some(float *p, vmask m, vf x) {
    _mm256_maskstore_ps(p, m, x);
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
    return _mm256_set1_ps(x);
}
VEC vf v_zero(void) {
    return _mm256_setzero_ps();
}
VEC vf v_add(vf a, vf b) {
    return _mm256_add_ps(a, b);
}
VEC vf v_sub(vf a, vf b) {
    return _mm256_sub_ps(a, b);
}
VEC vf v_mul(vf a, vf b) {
    return _mm256_mul_ps(a, b);
}
VEC vf v_div(vf a, vf b) {
    return _mm256_div_ps(a, b);
}
VEC vf v_sqrt(vf a) {
    return _mm256_sqrt_ps(a);
}
/* a b + c, and c - a b. */
VEC vf v_fma(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}
VEC vf v_fnma(vf a, vf b, vf c) {
    return _mm256_fnmadd_ps(a, b, c);
}
/* *sum += a b.  gcc is not left the choice of another register for the sum: it would shuffle whole
 * tiles of them from step to step. */
VEC void v_fma_into(vf *sum, vf a, vf b) {
#if defined(__clang__)
    *sum = _mm256_fmadd_ps(a, b, *sum);
#else
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
#endif
}
/* p[0], p[1] in every even and odd lane. */
VEC vf v_set_pair(const float *p) {
    double both;
    memcpy(&both, p, sizeof both);
    return _mm256_castpd_ps(_mm256_set1_pd(both));
}
/* Sums of neighbouring lanes, those of a before those of b. */
VEC vf v_join_pairs(vf a, vf b) {
    const __m256d joined = _mm256_castps_pd(_mm256_hadd_ps(a, b)); /* a, b, a, b by halves */
    return _mm256_castpd_ps(_mm256_permute4x64_pd(joined, 0xd8));
}

/* ---- comparison, rounding, bits ----------------------------------------------------------------
 */

/* Where b is NaN the result is b. */
VEC vf v_max(vf a, vf b) {
    return _mm256_max_ps(a, b);
}
VEC vf v_min(vf a, vf b) {
    return _mm256_min_ps(a, b);
}
/* x in the lanes of the mask, 0 elsewhere. */
VEC vf v_keep(vf x, vmask m) {
    return _mm256_and_ps(x, _mm256_castsi256_ps(m));
}
/* x in the lanes of the mask, other elsewhere. */
VEC vf v_pick(vmask m, vf x, vf other) {
    return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(m));
}
/* To the nearest integer, ties to even. */
VEC vf v_round(vf x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* x 2^n for integers n in [-252, 254]; overflows to infinity, underflows gradually: two factors,
 * since one would leave the range of exponents. */
VEC vf v_ldexp(vf x, vf n) {
    const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    const __m256i rest = _mm256_sub_epi32(whole, half), bias = _mm256_set1_epi32(127);
    const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}
/* sign(x) size where |x| >= limit, else y; size >= 0. */
VEC vf v_saturate(vf y, vf x, float limit, float size) {
    const __m256 sign_bit = _mm256_set1_ps(-0.0f);
    const __m256 far =
        _mm256_cmp_ps(_mm256_andnot_ps(sign_bit, x), _mm256_set1_ps(limit), _CMP_GE_OQ);
    const __m256 end = _mm256_or_ps(_mm256_and_ps(x, sign_bit), _mm256_set1_ps(size));
    return _mm256_blendv_ps(y, end, far);
}
/* Turn (s, c) by q quarters of a circle, q integral. */
VEC void v_quarters(vf *s, vf *c, vf q) {
    const __m256i turns = _mm256_cvtps_epi32(q), one = _mm256_set1_epi32(1);
    const __m256 odd =
        _mm256_castsi256_ps(_mm256_slli_epi32(turns, 31)); /* blends look at bit 31 */
    const __m256i s_sign = _mm256_slli_epi32(_mm256_and_si256(turns, _mm256_set1_epi32(2)), 30);
    const __m256i c_sign =
        _mm256_slli_epi32(_mm256_and_si256(_mm256_add_epi32(turns, one), _mm256_set1_epi32(2)), 30);
    const __m256 sine = _mm256_blendv_ps(*s, *c, odd), cosine = _mm256_blendv_ps(*c, *s, odd);
    *s = _mm256_xor_ps(sine, _mm256_castsi256_ps(s_sign));
    *c = _mm256_xor_ps(cosine, _mm256_castsi256_ps(c_sign));
}
VEC vf v_from_u8(const uint8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
/* The nearest bf16 (ties to even) in the upper half of every lane; the lower half is anything. */
VEC __m256i v_bf16_bits(vf x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i tie = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(bits, _mm256_add_epi32(tie, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(rounded, quiet, nan);
}
/* As v_put and v_get, of bf16 in memory. */
VEC void v_put_bf16(uint16_t *p, size_t left, vf x) {
    const __m256i y = _mm256_srli_epi32(v_bf16_bits(x), 16);
    const __m128i low = _mm256_castsi256_si128(y), high = _mm256_extracti128_si256(y, 1);
    const __m128i packed = _mm_packus_epi32(low, high);
    memcpy(p, &packed, left >= VW ? sizeof packed : left * sizeof *p);
}
VEC vf v_get_bf16(const uint16_t *p, size_t left) {
    __m128i y = _mm_setzero_si128();
    memcpy(&y, p, left >= VW ? sizeof y : left * sizeof *p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(y), 16));
}

/* ---- sums
 * ------------------------------------------------------------------------------------------ */

/* Lanes in a fixed order. */
VEC float v_sum(vf x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
VEC float v_largest(vf x) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
/* A sum kept in double, lane by lane. */
typedef struct vsum {
    __m256d low, high;
} vsum;
VEC __m256d v_low(vf x) {
    return _mm256_cvtps_pd(_mm256_castps256_ps128(x));
}
VEC __m256d v_high(vf x) {
    return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
}
VEC vsum vs_zero(void) {
    return (vsum){_mm256_setzero_pd(), _mm256_setzero_pd()};
}
VEC void vs_add(vsum *s, vf x) {
    s->low = _mm256_add_pd(s->low, v_low(x));
    s->high = _mm256_add_pd(s->high, v_high(x));
}
/* += x y, the products in double. */
VEC void vs_add_product(vsum *s, vf x, vf y) {
    s->low = _mm256_fmadd_pd(v_low(x), v_low(y), s->low);
    s->high = _mm256_fmadd_pd(v_high(x), v_high(y), s->high);
}
VEC vsum vs_scale(vsum s, double a) {
    return (vsum){_mm256_mul_pd(s.low, _mm256_set1_pd(a)),
                  _mm256_mul_pd(s.high, _mm256_set1_pd(a))};
}
VEC vf vs_round(vsum s) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(s.low)),
                                _mm256_cvtpd_ps(s.high), 1);
}
VEC double vs_total(vsum s) {
    const __m256d four = _mm256_add_pd(s.low, s.high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
