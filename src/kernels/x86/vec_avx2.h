/* One vector of 8 floats, as the bodies shared by both instruction sets name it. */
#ifndef UW_VEC_H
#define UW_VEC_H

#include <immintrin.h>
#include <stddef.h>
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
/* *sum += a b, where the compiler must not choose another register for the sum. */
VEC void v_fma_into(vf *sum, vf a, vf b) {
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
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

#endif
