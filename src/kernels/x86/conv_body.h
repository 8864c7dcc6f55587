/* Pictures: from bytes to what a network sees, to and from the rows of a matrix product. */
#ifndef UW_CONV_BODY_H
#define UW_CONV_BODY_H

VEC void run_copy(float *dst, const float *src, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(dst + i, left, v_get(src + i, left));
    }
}
VEC void run_zero(float *dst, size_t n) {
    for (size_t i = 0; i < n; i += VW) v_put(dst + i, n - i, v_zero());
}
VEC void run_add(float *dst, const float *src, size_t n) {
    for (size_t i = 0; i < n; i += VW) {
        const size_t left = n - i;
        v_put(dst + i, left, v_add(v_get(dst + i, left), v_get(src + i, left)));
    }
}

/* Taps first .. last - 1 of the kernel at output index `out` fall inside [0, size). */
typedef struct tap_range {
    size_t first, last;
} tap_range;
static tap_range taps_inside(size_t out, const uw_conv_dims *d, size_t size) {
    const size_t start = out * d->stride; /* of the kernel, in padded coordinates */
    tap_range t = {start < d->pad ? d->pad - start : 0, d->kernel};
    if (t.first > d->kernel) t.first = d->kernel;
    if (start + d->kernel > size + d->pad)
        t.last = size + d->pad > start ? size + d->pad - start : 0;
    if (t.last < t.first) t.last = t.first;
    return t;
}

/* Outputs ox in [first, last) read `run` values inside the row; the others hang over an edge. */
static tap_range outputs_inside(const uw_conv_dims *d) {
    tap_range t = {(d->pad + d->stride - 1) / d->stride, 0};
    if (d->x + d->pad >= d->kernel) t.last = (d->x + d->pad - d->kernel) / d->stride + 1;
    if (t.last > d->out_x) t.last = d->out_x;
    if (t.first > t.last) t.first = t.last;
    return t;
}

/* One tap row of one output that hangs over the left or right edge. */
VEC void run_edge(float *to, const float *row, size_t ox, const uw_conv_dims *d) {
    const tap_range tx = taps_inside(ox, d, d->x);
    const size_t before = tx.first * d->c, inside = (tx.last - tx.first) * d->c;
    run_zero(to, before);
    if (inside) run_copy(to + before, row + (ox * d->stride + tx.first - d->pad) * d->c, inside);
    run_zero(to + before + inside, d->kernel * d->c - before - inside);
}

/* Input rows in the order they lie in memory: a picture comes from far away and is read front to
 * back, the unrolled rows stay near. */
void UW_ISA(im2col)(float *col, const float *picture, const uw_conv_dims *d) {
    const size_t run = d->kernel * d->c; /* kx and c are neighbours in the picture, too */
    const size_t width = d->kernel * run;
    const tap_range ox_inside = outputs_inside(d);
    for (size_t oy = 0; oy < d->out_y; oy++, col += d->out_x * width) {
        const tap_range ty = taps_inside(oy, d, d->y);
        for (size_t ky = 0; ky < d->kernel; ky++) {
            float *to = col + ky * run;
            if (ky < ty.first || ky >= ty.last) {
                for (size_t ox = 0; ox < d->out_x; ox++) run_zero(to + ox * width, run);
                continue;
            }
            const float *row = picture + (oy * d->stride + ky - d->pad) * d->x * d->c;
            for (size_t ox = 0; ox < ox_inside.first; ox++) run_edge(to + ox * width, row, ox, d);
            for (size_t ox = ox_inside.first; ox < ox_inside.last; ox++)
                run_copy(to + ox * width, row + (ox * d->stride - d->pad) * d->c, run);
            for (size_t ox = ox_inside.last; ox < d->out_x; ox++)
                run_edge(to + ox * width, row, ox, d);
        }
    }
}

void UW_ISA(col2im)(float *picture, const float *col, const uw_conv_dims *d) {
    run_zero(picture, d->y * d->x * d->c);
    for (size_t oy = 0; oy < d->out_y; oy++) {
        const tap_range ty = taps_inside(oy, d, d->y);
        for (size_t ox = 0; ox < d->out_x; ox++, col += d->kernel * d->kernel * d->c) {
            const tap_range tx = taps_inside(ox, d, d->x);
            if (tx.first == tx.last) continue;
            for (size_t ky = ty.first; ky < ty.last; ky++) {
                const size_t y = oy * d->stride + ky - d->pad;
                const size_t x = ox * d->stride + tx.first - d->pad;
                run_add(picture + (y * d->x + x) * d->c, col + (ky * d->kernel + tx.first) * d->c,
                        (tx.last - tx.first) * d->c);
            }
        }
    }
}

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
