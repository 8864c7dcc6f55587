/* Counter-based draws: Philox4x32-10 under one stream layout.
 *
 * Normals are made by Box-Muller with our own log, sine and cosine in double, because libm's last
 * bit differs between versions and a seed must mean the same numbers everywhere. */
#include "rng.h"

#include <string.h>

#include <Random123/philox.h>

uw_rng uw__rng(uint64_t seed, uw_stream stream, uint64_t counter) {
    return (uw_rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .ctr = {0, (uint32_t)stream, (uint32_t)counter, (uint32_t)(counter >> 32)},
        .used = 4,
    };
}

uint32_t uw__rng_u32(uw_rng *r) {
    if (r->used == 4) {
        philox4x32_ctr_t ctr;
        philox4x32_key_t key;
        memcpy(ctr.v, r->ctr, sizeof r->ctr);
        memcpy(key.v, r->key, sizeof r->key);
        ctr = philox4x32(ctr, key);
        memcpy(r->buf, ctr.v, sizeof r->buf);
        r->ctr[0]++;
        r->used = 0;
    }
    return r->buf[r->used++];
}

uint64_t uw__rng_u64(uw_rng *r) {
    const uint64_t high = uw__rng_u32(r);
    return high << 32 | uw__rng_u32(r);
}

float uw__rng_uniform(uw_rng *r) {
    return (float)(uw__rng_u32(r) >> 8) * 0x1p-24f;
}

double uw__rng_uniform64(uw_rng *r) {
    return (double)(uw__rng_u64(r) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval", 2019: reject the biased fringe. */
uint32_t uw__rng_below(uw_rng *r, uint32_t n) {
    uint64_t product = (uint64_t)uw__rng_u32(r) * n;
    if ((uint32_t)product < n) {
        const uint32_t fringe = -n % n;
        while ((uint32_t)product < fringe) product = (uint64_t)uw__rng_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}

/* ln x for 0 < x <= 1, relative error below 1e-13: x = m 2^e with m in [sqrt(1/2), sqrt 2), then
 * the series of 2 atanh((m - 1) / (m + 1)). */
static double own_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    const double s = (m - 1.0) / (m + 1.0), q = s * s;
    double sum = 1.0 / 17;
    for (int k = 15; k >= 1; k -= 2) sum = sum * q + 1.0 / k;
    return 2.0 * s * sum + exponent * 0.6931471805599453;
}

/* Square root by the instruction that IEEE 754 requires to be exact. */
static double own_sqrt(double x) {
    return __builtin_sqrt(x);
}

/* sin and cos of 2 pi u for 0 <= u < 1: reduce to an eighth of a turn, then Taylor series (error
 * below 1e-14 there). */
static void own_sincos_turn(double u, double *sine, double *cosine) {
    const int quadrant = (int)(u * 4.0 + 0.5);
    const double x = (u - quadrant * 0.25) * 6.283185307179586, q = x * x;
    const double s =
        x * (1 + q * (-1.0 / 6 +
                      q * (1.0 / 120 + q * (-1.0 / 5040 +
                                            q * (1.0 / 362880 + q * (-1.0 / 39916800 +
                                                                     q * (1.0 / 6227020800.0)))))));
    const double c =
        1 + q * (-0.5 + q * (1.0 / 24 +
                             q * (-1.0 / 720 + q * (1.0 / 40320 + q * (-1.0 / 3628800 +
                                                                       q * (1.0 / 479001600.0))))));
    switch (quadrant & 3) {
    case 0:
        *sine = s, *cosine = c;
        break;
    case 1:
        *sine = c, *cosine = -s;
        break;
    case 2:
        *sine = -s, *cosine = -c;
        break;
    default:
        *sine = -c, *cosine = s;
        break;
    }
}

static void normal_pair(uw_rng *r, float *a, float *b) {
    const double u = ((double)uw__rng_u32(r) + 1.0) * 0x1p-32; /* in (0, 1], so the log is finite */
    const double v = (double)uw__rng_u32(r) * 0x1p-32;
    const double radius = own_sqrt(-2.0 * own_log(u));
    double sine, cosine;
    own_sincos_turn(v, &sine, &cosine);
    *a = (float)(radius * cosine);
    *b = (float)(radius * sine);
}

float uw__rng_normal(uw_rng *r) {
    if (r->has_spare) {
        r->has_spare = false;
        return r->spare;
    }
    float first;
    normal_pair(r, &first, &r->spare);
    r->has_spare = true;
    return first;
}

void uw__rng_fill_normal(uw_rng *r, float *x, size_t n) {
    size_t i = 0;
    if (n && r->has_spare) x[i++] = uw__rng_normal(r);
    for (; i + 2 <= n; i += 2) normal_pair(r, &x[i], &x[i + 1]);
    if (i < n) x[i] = uw__rng_normal(r);
}
