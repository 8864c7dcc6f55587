/* NumPy's default generator: SeedSequence, PCG64, uniform doubles and bounded integers. */
#include "numpy_rng.h"

#include "internal.h"

/* ---- SeedSequence: spread the bits of a seed over 128 bits, then over as many as are asked for
 * ----- */

enum { POOL = 4, STATE_WORDS = 8 };

/* One multiplicative hash whose constant moves on with every word. */
typedef struct word_hash {
    uint32_t constant, multiplier;
} word_hash;

static uint32_t hash_word(word_hash *h, uint32_t word) {
    word ^= h->constant;
    h->constant *= h->multiplier;
    word *= h->constant;
    return word ^ (word >> 16);
}

static uint32_t mix(uint32_t x, uint32_t y) {
    const uint32_t z = 0xca01f9ddu * x - 0x4973f715u * y;
    return z ^ (z >> 16);
}

static void seed_words(uint64_t seed, uint32_t words[STATE_WORDS]) {
    word_hash in = {0x43b0d7e5u, 0x931e8875u}, out = {0x8b51f9ddu, 0x58f38dedu};
    const uint32_t entropy[POOL] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t pool[POOL];
    for (int i = 0; i < POOL; i++) pool[i] = hash_word(&in, entropy[i]);
    for (int from = 0; from < POOL; from++)
        for (int to = 0; to < POOL; to++)
            if (from != to) pool[to] = mix(pool[to], hash_word(&in, pool[from]));
    for (int i = 0; i < STATE_WORDS; i++) words[i] = hash_word(&out, pool[i % POOL]);
}

/* ---- PCG64
 * --------------------------------------------------------------------------------------- */

static uw_u128 wide(uint64_t high, uint64_t low) {
    return (uw_u128)high << 64 | low;
}

static void advance(uw_numpy_rng *rng) {
    rng->state = rng->state * wide(0x2360ed051fc65da4u, 0x4385df649fccf645u) + rng->step;
}

void uw__numpy_seed(uw_numpy_rng *rng, uint64_t seed) {
    uint32_t words[STATE_WORDS];
    uint64_t number[STATE_WORDS / 2]; /* pairs of words, the lower first */
    seed_words(seed, words);
    for (int i = 0; i < STATE_WORDS / 2; i++)
        number[i] = (uint64_t)words[2 * i + 1] << 32 | words[2 * i];
    *rng = (uw_numpy_rng){.step = wide(number[2], number[3]) << 1 | 1};
    advance(rng);
    rng->state += wide(number[0], number[1]);
    advance(rng);
}

uint64_t uw__numpy_u64(uw_numpy_rng *rng) {
    advance(rng);
    const uint64_t folded = (uint64_t)(rng->state >> 64) ^ (uint64_t)rng->state;
    const unsigned turn = (unsigned)(rng->state >> 122);
    return folded >> turn | folded << (-turn & 63);
}

/* 32 bits at a time: the upper half of a number is kept for the next call, even when whole numbers
 * are drawn between. */
static uint32_t next_u32(uw_numpy_rng *rng) {
    if (rng->has_half) {
        rng->has_half = false;
        return rng->half;
    }
    const uint64_t both = uw__numpy_u64(rng);
    rng->has_half = true;
    rng->half = (uint32_t)(both >> 32);
    return (uint32_t)both;
}

double uw__numpy_random(uw_numpy_rng *rng) {
    return (double)(uw__numpy_u64(rng) >> 11) * 0x1p-53;
}

double uw__numpy_uniform(uw_numpy_rng *rng, double low, double high) {
    return low + (high - low) * uw__numpy_random(rng);
}

uint32_t uw__numpy_below(uw_numpy_rng *rng, uint32_t n) {
    UW_ASSERT(n >= 1);
    if (n == 1) return 0; /* nothing to draw, and nothing is drawn */
    uint64_t product = (uint64_t)next_u32(rng) * n;
    if ((uint32_t)product < n) {
        const uint32_t uneven =
            -n % n; /* 2^32 mod n: products below it would favour some results */
        while ((uint32_t)product < uneven) product = (uint64_t)next_u32(rng) * n;
    }
    return (uint32_t)(product >> 32);
}
