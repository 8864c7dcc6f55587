/* Transposition of small squares, for packing: AVX2, which both instruction sets have. */
#ifndef UW_TURN_H
#define UW_TURN_H

#include <immintrin.h>
#include <stddef.h>

/* dst[k][j] = src[j][k] for k < depth <= 8 and all 8 j; columns j >= `columns` become 0.  Nothing
 * past depth values of a source row is read, nothing past depth rows of dst is written. */
static inline __attribute__((always_inline)) void
turn_square(float *dst, size_t ldd, const float *src, size_t lds, size_t columns, size_t depth) {
    __m256 r[8], pairs[8], quads[8];
    const __m256i live = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)depth),
                                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    for (size_t j = 0; j < 8; j++) {
        if (depth == 8 && j < columns) {
            r[j] = _mm256_loadu_ps(src + j * lds);
        } else {
            r[j] = j < columns ? _mm256_maskload_ps(src + j * lds, live) : _mm256_setzero_ps();
        }
    }
    for (int j = 0; j < 8; j += 2) {
        pairs[j] = _mm256_unpacklo_ps(r[j], r[j + 1]);
        pairs[j + 1] = _mm256_unpackhi_ps(r[j], r[j + 1]);
    }
    for (int j = 0; j < 8; j += 4) {
        quads[j] = _mm256_shuffle_ps(pairs[j], pairs[j + 2], 0x44);
        quads[j + 1] = _mm256_shuffle_ps(pairs[j], pairs[j + 2], 0xee);
        quads[j + 2] = _mm256_shuffle_ps(pairs[j + 1], pairs[j + 3], 0x44);
        quads[j + 3] = _mm256_shuffle_ps(pairs[j + 1], pairs[j + 3], 0xee);
    }
    for (size_t k = 0; k < depth; k++) {
        const __m256 low = quads[k % 4], high = quads[k % 4 + 4];
        _mm256_storeu_ps(dst + k * ldd, k < 4 ? _mm256_permute2f128_ps(low, high, 0x20)
                                              : _mm256_permute2f128_ps(low, high, 0x31));
    }
}

static inline void turn_8x8(float *dst, size_t ldd, const float *src, size_t lds, size_t columns,
                            size_t depth) {
    if (columns == 8 && depth == 8) {
        turn_square(dst, ldd, src, lds, 8, 8); /* the common case, unrolled */
    } else {
        turn_square(dst, ldd, src, lds, columns, depth);
    }
}

#endif
