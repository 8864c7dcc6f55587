/* Seeds mean the same world: what gymnasium's seeded spaces draw at a reset, from NumPy's generator.
 *
 * A tree of spaces is seeded from one number: NumPy's PCG64 over SeedSequence(seed) draws one integer per
 * child, children in alphabetical order of their names ("agent", then "angle" in it, ...), and so on down.
 * Every factor ends with a generator of its own, so a draw is a function of (seed, factor, how many
 * draws before).  Factors of ours are not in the tree. */
#ifndef UW_GYM_SPACE_H
#define UW_GYM_SPACE_H

#include <umwelt/env.h>

#include "numpy_rng.h"

/* Seed one factor's generator as reset(seed) does; factor: index of one that is not ours. */
void uw__gym_open(const uw_env_class *cls, uint64_t seed, int32_t factor, uw_numpy_rng *rng);

/* Write the next draw of a factor by the rule of its kind: reals uniform(low, high) in float64, cast to
 * float32 unless wide; colours floor(uniform(0, 256)); integers low + integers(n), for more than one number
 * low + floor(random * n).
 *
 * Shapes   value: [dim] */
void uw__gym_next(const uw_factor *f, uw_numpy_rng *rng, double *value);

/* Write draw number `nth` (from 0) of one factor at reset(seed). */
void uw__gym_draw(const uw_env_class *cls, uint64_t seed, int32_t factor, int32_t nth,
                  double *value);

/* Draw one factor at reset(seed) into the current values, again until keeps(values) holds (nullable: any
 * draw will do); a factor of ours comes from our own generator.
 *
 * Shapes   values: [num_values]
 * Returns  false when none of UW_MAX_REDRAWS draws was kept */
bool uw__gym_sample(const uw_env_class *cls, uint64_t seed, int32_t factor,
                    bool (*keeps)(const double *values), double *values);

#endif
