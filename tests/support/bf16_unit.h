/* The bf16 instructions in plain C, after Intel's description: fp32 FMAs rounded to nearest even,
 * denormals taken for 0 on the way in and out, neither the rounding mode nor flags consulted. */
#ifndef UW_BF16_UNIT_H
#define UW_BF16_UNIT_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float unit_flushed(float x) {
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x;
}
static inline float unit_bf16(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return unit_flushed(y);
}
static inline float unit_fma(float sum, uint16_t a, uint16_t b) {
    return unit_flushed(fmaf(unit_bf16(a), unit_bf16(b), unit_flushed(sum)));
}

/* VDPBF16PS: the odd product joins the sum before the even one. */
static inline void unit_dot(__m512 *sum, __m512i a, __m512i b) {
    uint16_t x[32], y[32];
    float s[16];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    memcpy(s, sum, sizeof s);
    for (int i = 0; i < 16; i++)
        s[i] = unit_fma(unit_fma(s[i], x[2 * i + 1], y[2 * i + 1]), x[2 * i], y[2 * i]);
    memcpy(sum, s, sizeof s);
}

#endif
