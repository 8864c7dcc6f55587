/* One vector of 16 floats, as the bodies shared by both instruction sets name it. */
#ifndef UW_VEC_H
#define UW_VEC_H

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define UW_ISA(op) uw_##op##_avx512
enum { VW = 16 };

typedef __m512 vf;
typedef __mmask16 vmask;
#define VEC static inline __attribute__((always_inline))

/* Lanes 0 .. count - 1; count >= VW means all. */
VEC vmask v_first(size_t count) {
    return count >= VW ? (vmask)0xffff : (vmask)((1u << count) - 1u);
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
/* *sum += a b, where the compiler must not choose another register for the sum. */
VEC void v_fma_into(vf *sum, vf a, vf b) {
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
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

#endif
