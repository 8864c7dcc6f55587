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

/* ---- normals
 * ---------------------------------------------------------------------------------------
 * Everything below is branchless arithmetic on arrays of PAIRS numbers, so that a compiler turns it
 * into vector instructions; each number goes through the same operations as if it came alone. */

enum { BLOCKS = 16, PAIRS = 2 * BLOCKS }; /* Philox blocks, and pairs of normals, per batch */

/* ln x for 0 < x <= 1, relative error below 1e-13: x = m 2^e with m in [sqrt(1/2), sqrt 2), then
 * the series of 2 atanh((m - 1) / (m + 1)).  The exponent is moved by bits, without a branch. */
static inline double own_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t sqrt_half = 0x3fe6a09e667f3bcdu; /* the bits of sqrt(1/2) */
    const uint64_t shifted =
        bits - sqrt_half; /* its top 12 bits: the exponent e, two's complement */
    const uint64_t mantissa = bits - (shifted & 0xfff0000000000000u);
    double m;
    memcpy(&m, &mantissa, sizeof m);
    const double exponent = (double)(int32_t)((int64_t)shifted >> 52);
    const double t = (m - 1.0) / (m + 1.0), q = t * t;
    const double sum =
        1 +
        q * (1.0 / 3 +
             q * (1.0 / 5 +
                  q * (1.0 / 7 +
                       q * (1.0 / 9 +
                            q * (1.0 / 11 + q * (1.0 / 13 + q * (1.0 / 15 + q * (1.0 / 17))))))));
    return 2.0 * t * sum + exponent * 0.6931471805599453;
}

/* sin and cos of 2 pi u for 0 <= u < 1: reduce to an eighth of a turn, Taylor series there (error
 * below 1e-14), then swap and negate by quadrant. */
static inline void own_sincos_turn(double u, double *sine, double *cosine) {
    const int32_t quadrant = (int32_t)(u * 4.0 + 0.5);
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
    const double odd = (double)(quadrant & 1);                     /* 1: sine and cosine swap */
    const double sine_sign = (double)(1 - (quadrant & 2));         /* -1 in quadrants 2, 3 */
    const double cosine_sign = (double)(1 - ((quadrant + 1) & 2)); /* -1 in quadrants 1, 2 */
    *sine = sine_sign * (odd * c + (1.0 - odd) * s);
    *cosine = cosine_sign * (odd * s + (1.0 - odd) * c);
}

/* Box-Muller on n pairs of words: radius from the first, angle from the second. */
static inline void box_muller(const uint32_t *first, const uint32_t *second, size_t n, float *a,
                              float *b) {
    for (size_t i = 0; i < n; i++) {
        const double u = ((double)first[i] + 1.0) * 0x1p-32; /* in (0, 1], so the log is finite */
        const double v = (double)second[i] * 0x1p-32;
        const double radius = __builtin_sqrt(-2.0 * own_log(u));
        double sine, cosine;
        own_sincos_turn(v, &sine, &cosine);
        a[i] = (float)(radius * cosine);
        b[i] = (float)(radius * sine);
    }
}

/* BLOCKS consecutive Philox blocks side by side: word w of block i in words[w][i]. */
static void philox_batch(uw_rng *r, uint32_t words[4][BLOCKS]) {
    uint32_t key0 = r->key[0], key1 = r->key[1];
    for (uint32_t i = 0; i < BLOCKS; i++) {
        words[0][i] = r->ctr[0] + i;
        words[1][i] = r->ctr[1];
        words[2][i] = r->ctr[2];
        words[3][i] = r->ctr[3];
    }
    for (int round = 0; round < 10; round++, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
        for (int i = 0; i < BLOCKS; i++) {
            const uint64_t p0 = (uint64_t)words[0][i] * 0xD2511F53u;
            const uint64_t p1 = (uint64_t)words[2][i] * 0xCD9E8D57u;
            const uint32_t w1 = words[1][i], w3 = words[3][i];
            words[0][i] = (uint32_t)(p1 >> 32) ^ w1 ^ key0;
            words[1][i] = (uint32_t)p1;
            words[2][i] = (uint32_t)(p0 >> 32) ^ w3 ^ key1;
            words[3][i] = (uint32_t)p0;
        }
    }
    r->ctr[0] += BLOCKS;
}

static void normal_pair(uw_rng *r, float *a, float *b) {
    const uint32_t first = uw__rng_u32(r), second = uw__rng_u32(r);
    box_muller(&first, &second, 1, a, b);
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
    if (i + 2 <= n && r->used != 4)
        normal_pair(r, &x[i], &x[i + 1]), i += 2; /* to the next block */
    for (; r->used == 4 && i + 2 * PAIRS <= n; i += 2 * PAIRS) {
        uint32_t words[4][BLOCKS];
        float a[BLOCKS], b[BLOCKS];
        philox_batch(r, words);
        for (int half = 0; half < 2; half++) { /* a block holds two pairs */
            box_muller(words[2 * half], words[2 * half + 1], BLOCKS, a, b);
            for (int k = 0; k < BLOCKS; k++) {
                x[i + (size_t)(4 * k + 2 * half)] = a[k];
                x[i + (size_t)(4 * k + 2 * half + 1)] = b[k];
            }
        }
    }
    for (; i + 2 <= n; i += 2) normal_pair(r, &x[i], &x[i + 1]);
    if (i < n) x[i] = uw__rng_normal(r);
}
