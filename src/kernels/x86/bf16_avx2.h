/* bfloat16 rounded in place and in pairs, 8 lanes; included after vec_avx2.h. */
#ifndef UW_VEC_BF16_H
#define UW_VEC_BF16_H

VEC vf v_round_bf16(vf x) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(v_bf16_bits(x), _mm256_set1_epi32((int)0xffff0000u)));
}
/* Lanes (even, odd) as pairs of bf16, the even one in the lower half. */
VEC void v_put_pairs(uint32_t *p, vf even, vf odd) {
    const __m256i low = _mm256_srli_epi32(v_bf16_bits(even), 16);
    _mm256_storeu_si256((__m256i *)p, _mm256_blend_epi16(low, v_bf16_bits(odd), 0xaa));
}
/* The two halves of a vector of pairs, widened. */
VEC vf v_even(const uint32_t *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)p), 16));
}
VEC vf v_odd(const uint32_t *p) {
    const __m256i upper = _mm256_set1_epi32((int)0xffff0000u);
    return _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), upper));
}

#endif
