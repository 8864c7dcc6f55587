/* One vector of 4 floats under the names of x86/vec_*.h, whose bodies it serves. */
#ifndef UW_VEC_H
#define UW_VEC_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UW_ISA(op) uw_##op##_neon
enum { VW = 4 };

typedef float32x4_t vf;
typedef uint32x4_t vmask;
#define VEC static inline __attribute__((always_inline))

/* Lanes 0 .. count - 1; count >= VW means all. */
VEC vmask v_first(size_t count) {
    static const uint32_t lanes[VW] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(lanes), vdupq_n_u32(count >= VW ? VW : (uint32_t)count));
}
VEC vf v_load(const float *p) {
    return vld1q_f32(p);
}
VEC void v_store(float *p, vf x) {
    vst1q_f32(p, x);
}
/* Lanes outside the mask are neither read nor written; loads give 0 there. */
VEC vf v_load_some(const float *p, vmask m) {
    vf x = vdupq_n_f32(0);
    if (vgetq_lane_u32(m, 0)) x = vld1q_lane_f32(p, x, 0);
    if (vgetq_lane_u32(m, 1)) x = vld1q_lane_f32(p + 1, x, 1);
    if (vgetq_lane_u32(m, 2)) x = vld1q_lane_f32(p + 2, x, 2);
    if (vgetq_lane_u32(m, 3)) x = vld1q_lane_f32(p + 3, x, 3);
    return x;
}
VEC void v_store_some(float *p, vmask m, vf x) {
    if (vgetq_lane_u32(m, 0)) vst1q_lane_f32(p, x, 0);
    if (vgetq_lane_u32(m, 1)) vst1q_lane_f32(p + 1, x, 1);
    if (vgetq_lane_u32(m, 2)) vst1q_lane_f32(p + 2, x, 2);
    if (vgetq_lane_u32(m, 3)) vst1q_lane_f32(p + 3, x, 3);
}
/* The vector at p of which `left` values remain, and its twin: lane by lane only at the end. */
VEC vf v_get(const float *p, size_t left) {
    return left >= VW ? v_load(p) : v_load_some(p, v_first(left));
}
VEC void v_put(float *p, size_t left, vf x) {
    if (left >= VW) {
        v_store(p, x);
    } else {
        v_store_some(p, v_first(left), x);
    }
}
VEC vf v_set(float x) {
    return vdupq_n_f32(x);
}
VEC vf v_zero(void) {
    return vdupq_n_f32(0);
}
VEC vf v_add(vf a, vf b) {
    return vaddq_f32(a, b);
}
VEC vf v_sub(vf a, vf b) {
    return vsubq_f32(a, b);
}
VEC vf v_mul(vf a, vf b) {
    return vmulq_f32(a, b);
}
VEC vf v_div(vf a, vf b) {
    return vdivq_f32(a, b);
}
VEC vf v_sqrt(vf a) {
    return vsqrtq_f32(a);
}
/* a b + c, and c - a b. */
VEC vf v_fma(vf a, vf b, vf c) {
    return vfmaq_f32(c, a, b);
}
VEC vf v_fnma(vf a, vf b, vf c) {
    return vfmsq_f32(c, a, b);
}

/* ---- comparison, rounding, bits ------------------------------------------------------------- */

/* NaN where either is NaN. */
VEC vf v_max(vf a, vf b) {
    return vmaxq_f32(a, b);
}
VEC vf v_min(vf a, vf b) {
    return vminq_f32(a, b);
}
/* x in the lanes of the mask, other elsewhere. */
VEC vf v_pick(vmask m, vf x, vf other) {
    return vbslq_f32(m, x, other);
}
/* x in the lanes of the mask, 0 elsewhere. */
VEC vf v_keep(vf x, vmask m) {
    return v_pick(m, x, v_zero());
}
/* To the nearest integer, ties to even. */
VEC vf v_round(vf x) {
    return vrndnq_f32(x);
}
/* x 2^n for integers n in [-252, 254]; overflows to infinity, underflows gradually: two factors,
 * since one would leave the range of exponents. */
VEC vf v_ldexp(vf x, vf n) {
    const int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1);
    const int32x4_t rest = vsubq_s32(whole, half), bias = vdupq_n_s32(127);
    const int32x4_t a = vshlq_n_s32(vaddq_s32(half, bias), 23);
    const int32x4_t b = vshlq_n_s32(vaddq_s32(rest, bias), 23);
    return vmulq_f32(vmulq_f32(x, vreinterpretq_f32_s32(a)), vreinterpretq_f32_s32(b));
}
/* sign(x) size where |x| >= limit, else y; size >= 0. */
VEC vf v_saturate(vf y, vf x, float limit, float size) {
    const uint32x4_t far = vcgeq_f32(vabsq_f32(x), vdupq_n_f32(limit));
    const vf end = vbslq_f32(vdupq_n_u32(0x80000000u), x, vdupq_n_f32(size));
    return vbslq_f32(far, end, y);
}
/* Turn (s, c) by q quarters of a circle, q integral. */
VEC void v_quarters(vf *s, vf *c, vf q) {
    const uint32x4_t turns = vreinterpretq_u32_s32(vcvtnq_s32_f32(q));
    const uint32x4_t one = vdupq_n_u32(1), two = vdupq_n_u32(2);
    const uint32x4_t odd = vtstq_u32(turns, one);
    const uint32x4_t s_sign = vshlq_n_u32(vandq_u32(turns, two), 30);
    const uint32x4_t c_sign = vshlq_n_u32(vandq_u32(vaddq_u32(turns, one), two), 30);
    const vf sine = vbslq_f32(odd, *c, *s), cosine = vbslq_f32(odd, *s, *c);
    *s = vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(sine), s_sign));
    *c = vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(cosine), c_sign));
}
VEC vf v_from_u8(const uint8_t *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}

/* bf16 to fp32, and back: to nearest, ties to even, NaN stays NaN. */
VEC vf v_get_bf16(const uint16_t *p, size_t left) {
    uint16_t some[VW] = {0};
    memcpy(some, p, (left < VW ? left : VW) * sizeof *p);
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(some), 16));
}
VEC void v_put_bf16(uint16_t *p, size_t left, vf x) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t up = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t kept = vorrq_u32(bits, vdupq_n_u32(0x400000));
    const uint32x4_t high = vbslq_u32(vceqq_f32(x, x), up, kept);
    uint16_t some[VW];
    vst1_u16(some, vshrn_n_u32(high, 16));
    memcpy(p, some, (left < VW ? left : VW) * sizeof *p);
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* Lanes in a fixed order. */
VEC float v_sum(vf x) {
    return vaddvq_f32(x);
}
VEC float v_largest(vf x) {
    return vmaxvq_f32(x);
}
/* A sum kept in double, lane by lane. */
typedef struct vsum {
    float64x2_t low, high;
} vsum;
VEC float64x2_t v_low(vf x) {
    return vcvt_f64_f32(vget_low_f32(x));
}
VEC float64x2_t v_high(vf x) {
    return vcvt_high_f64_f32(x);
}
VEC vsum vs_zero(void) {
    return (vsum){vdupq_n_f64(0), vdupq_n_f64(0)};
}
VEC void vs_add(vsum *s, vf x) {
    s->low = vaddq_f64(s->low, v_low(x));
    s->high = vaddq_f64(s->high, v_high(x));
}
/* += x y, the products in double. */
VEC void vs_add_product(vsum *s, vf x, vf y) {
    s->low = vfmaq_f64(s->low, v_low(x), v_low(y));
    s->high = vfmaq_f64(s->high, v_high(x), v_high(y));
}
VEC vsum vs_scale(vsum s, double a) {
    return (vsum){vmulq_n_f64(s.low, a), vmulq_n_f64(s.high, a)};
}
VEC vf vs_round(vsum s) {
    return vcvt_high_f32_f64(vcvt_f32_f64(s.low), s.high);
}
VEC double vs_total(vsum s) {
    return vaddvq_f64(vaddq_f64(s.low, s.high));
}

#endif
