/* bfloat16 beside floats, 16 lanes; included after vec_avx512.h. */
#ifndef UW_VEC_BF16_H
#define UW_VEC_BF16_H

/* The nearest bf16 (ties to even) in the upper half of every lane; the lower half is anything. */
VEC __m512i v_bf16_bits(vf x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i tie = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(tie, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
}
VEC vf v_round_bf16(vf x) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(v_bf16_bits(x), _mm512_set1_epi32((int)0xffff0000u)));
}
/* Lanes (even, odd) as pairs of bf16, the even one in the lower half. */
VEC __m512i v_pair_bf16(vf even, vf odd) {
    return _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(v_bf16_bits(even), 16),
                                   v_bf16_bits(odd));
}
VEC void v_put_pairs(uint32_t *p, vf even, vf odd) {
    _mm512_storeu_si512(p, v_pair_bf16(even, odd));
}
/* The two halves of a vector of pairs, widened. */
VEC vf v_even(const uint32_t *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16));
}
VEC vf v_odd(const uint32_t *p) {
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000u);
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), upper));
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

#endif
