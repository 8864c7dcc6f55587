/* NumPy's default generator, number for number: PCG64 over SeedSequence(seed).
 *
 *     uw_numpy_rng rng;
 *     uw__numpy_seed(&rng, seed);              np.random.Generator(np.random.PCG64(seed))
 *     double u = uw__numpy_random(&rng);       rng.random()
 *
 * Only for what has to equal a NumPy program; everything of our own draws from base's rng.h.
 * Sources: O'Neill, "PCG: A family of simple fast space-efficient statistically good algorithms for random
 * number generation" (XSL-RR 128/64); Lemire, "Fast random integer generation in an interval". */
#ifndef UW_NUMPY_RNG_H
#define UW_NUMPY_RNG_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 uw_u128;

typedef struct uw_numpy_rng {
    uw_u128 state, step; /* the 128-bit congruential generator and its odd increment */
    uint32_t half;       /* upper half of a number whose lower half was handed out */
    bool has_half;
} uw_numpy_rng;

/* Seed as np.random.PCG64(np.random.SeedSequence(seed)) does. */
void uw__numpy_seed(uw_numpy_rng *rng, uint64_t seed);
/* Return the next raw number. */
uint64_t uw__numpy_u64(uw_numpy_rng *rng);
/* Return Generator.random(): uniform in [0, 1), 53 bits. */
double uw__numpy_random(uw_numpy_rng *rng);
/* Return Generator.uniform(low, high). */
double uw__numpy_uniform(uw_numpy_rng *rng, double low, double high);
/* Return Generator.integers(n): unbiased in [0, n), n >= 1. */
uint32_t uw__numpy_below(uw_numpy_rng *rng, uint32_t n);

#endif
