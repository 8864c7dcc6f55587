/* bfloat16 beside floats, 8 lanes; included after vec_avx2.h. */
#ifndef UW_VEC_BF16_H
#define UW_VEC_BF16_H

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

#endif
