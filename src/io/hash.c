/* Hashes.  SHA-256 is FIPS 180-4 written out; XXH3 is libxxhash's; CRC-32C is the Castagnoli
 * polynomial, reflected, four bits at a time (its records are small). */
#include "hash.h"

#include <string.h>

#if defined(UW_XXHASH_DISPATCH)
#include <xxh_x86dispatch.h> /* the same names, by the processor's instructions */
#else
#include <xxhash.h>
#endif

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

/* One round; the eight words are named on instead of moved on. */
static inline void mix(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f,
                       uint32_t g, uint32_t *h, uint32_t add) {
    const uint32_t t =
        *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + add;
    *d += t;
    *h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
}

static void mix_block(uint32_t s[8], const unsigned char *block) {
    uint32_t w[64];
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        const uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 64; i += 8) {
        const uint32_t *k = rounds + i, *m = w + i;
        mix(a, b, c, &d, e, f, g, &h, k[0] + m[0]);
        mix(h, a, b, &c, d, e, f, &g, k[1] + m[1]);
        mix(g, h, a, &b, c, d, e, &f, k[2] + m[2]);
        mix(f, g, h, &a, b, c, d, &e, k[3] + m[3]);
        mix(e, f, g, &h, a, b, c, &d, k[4] + m[4]);
        mix(d, e, f, &g, h, a, b, &c, k[5] + m[5]);
        mix(c, d, e, &f, g, h, a, &b, k[6] + m[6]);
        mix(b, c, d, &e, f, g, h, &a, k[7] + m[7]);
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

void uw__sha256_init(uw_sha256 *s) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, start, sizeof s->h);
    s->bytes = 0;
}

void uw__sha256_add(uw_sha256 *s, const void *data, size_t size) {
    const unsigned char *at = data;
    while (size) {
        const size_t held = s->bytes % 64;
        if (!held && size >= 64) { /* whole blocks need no copy */
            mix_block(s->h, at);
            s->bytes += 64, at += 64, size -= 64;
            continue;
        }
        const size_t n = size < 64 - held ? size : 64 - held;
        memcpy(s->block + held, at, n);
        s->bytes += n, at += n, size -= n;
        if (held + n == 64) mix_block(s->h, s->block);
    }
}

void uw__sha256_hex(uw_sha256 *s, char hex[65]) {
    static const unsigned char pad[64] = {0x80};
    static const char digits[] = "0123456789abcdef";
    const uint64_t bits = s->bytes * 8;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    uw__sha256_add(s, pad, 1 + (119 - s->bytes % 64) % 64);
    uw__sha256_add(s, length, sizeof length);
    for (int i = 0; i < 64; i++) hex[i] = digits[s->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}

uint64_t uw__xxh3(const void *data, size_t size, uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}

uint32_t uw__crc32c(const void *data, size_t size) {
    static const uint32_t nibble[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    const unsigned char *at = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}
