/* Pictures relative to their floor, in the registers of x86. */
#ifndef UW_RELATIVE_BODY_H
#define UW_RELATIVE_BODY_H

/* A pixel becomes four lanes: d of red, green and blue, and 0, where the length of d goes.  A
 * square root costs as much as all the rest: lane j of every four holds what vector j of four is to
 * have. */
enum { PIXELS = VW / 4, AT_ONCE = 4 };
#if defined(__AVX512F__)
typedef __m512i lanes;
VEC lanes lanes_of(const uint8_t c[3]) {
    return _mm512_broadcast_i32x4(_mm_setr_epi32(c[0], c[1], c[2], 0));
}
/* Up to PIXELS pixels less the floor; nothing beyond them is read. */
VEC vf pixels_less(const uint8_t *rgb, size_t pixels, lanes floor) {
    const __m128i spread =
        _mm_setr_epi8(0, 1, 2, -128, 3, 4, 5, -128, 6, 7, 8, -128, 9, 10, 11, -128);
    const __m128i bytes = _mm_maskz_loadu_epi8((__mmask16)((1u << 3 * pixels) - 1), rgb);
    return _mm512_cvtepi32_ps(
        _mm512_sub_epi32(_mm512_cvtepu8_epi32(_mm_shuffle_epi8(bytes, spread)), floor));
}
#define SWAP(x, how)       _mm512_permute_ps(x, how)
#define LANES(a, b, which) _mm512_mask_blend_ps((__mmask16)(0x1111 * (which)), a, b)
#else
typedef __m256i lanes;
VEC lanes lanes_of(const uint8_t c[3]) {
    return _mm256_broadcastsi128_si256(_mm_setr_epi32(c[0], c[1], c[2], 0));
}
VEC vf pixels_less(const uint8_t *rgb, size_t pixels, lanes floor) {
    const __m128i spread =
        _mm_setr_epi8(0, 1, 2, -128, 4, 5, 6, -128, -128, -128, -128, -128, -128, -128, -128, -128);
    int32_t pixel[2] = {0, 0};
    for (size_t i = 0; i < pixels; i++)
        pixel[i] = rgb[3 * i] | rgb[3 * i + 1] << 8 | rgb[3 * i + 2] << 16;
    const __m128i bytes = _mm_setr_epi32(pixel[0], pixel[1], 0, 0);
    return _mm256_cvtepi32_ps(
        _mm256_sub_epi32(_mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, spread)), floor));
}
#define SWAP(x, how)       _mm256_permute_ps(x, how)
#define LANES(a, b, which) _mm256_blend_ps(a, b, 0x11 * (which))
#endif
/* The squares of four lanes, summed in each of them: whole numbers below 2^24, exact in any order.
 */
VEC vf squares(vf d) {
    vf sum = v_mul(d, d);
    sum = v_add(sum, SWAP(sum, 0xb1));
    return v_add(sum, SWAP(sum, 0x4e));
}

void UW_ISA(u8_relative)(float *y, const uint8_t *rgb, size_t ld, const uint8_t floor[3],
                         size_t rows, size_t n) {
    const lanes base = lanes_of(floor);
    const vf scale = v_set(2.0f / 255);
    size_t at = 0; /* pixel of the row */
    if (n == 0) return;
    while (rows > 0) {
        vf d[AT_ONCE];
        size_t left[AT_ONCE];
        for (int j = 0; j < AT_ONCE; j++) {
            left[j] = rows == 0 ? 0 : n - at < PIXELS ? n - at : PIXELS;
            d[j] = pixels_less(rgb + 3 * at, left[j], base);
            at += left[j];
            if (at < n || rows == 0) continue;
            at = 0;
            rgb += ld;
            rows--;
        }
        const vf two = LANES(squares(d[0]), squares(d[1]), 2);
        const vf length = v_sqrt(LANES(LANES(two, squares(d[2]), 4), squares(d[3]), 8));
        d[0] = LANES(d[0], SWAP(length, 0x00), 8);
        d[1] = LANES(d[1], SWAP(length, 0x55), 8);
        d[2] = LANES(d[2], SWAP(length, 0xaa), 8);
        d[3] = LANES(d[3], length, 8);
        for (int j = 0; j < AT_ONCE; y += 4 * left[j++]) v_put(y, 4 * left[j], v_mul(scale, d[j]));
    }
}
#undef SWAP
#undef LANES

#endif
