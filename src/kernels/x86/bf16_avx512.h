/* bfloat16 rounded in place and in pairs, 16 lanes; included after vec_avx512.h. */
#ifndef UW_VEC_BF16_H
#define UW_VEC_BF16_H

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

#endif
