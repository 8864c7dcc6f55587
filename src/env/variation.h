/* Factors of variation: checks that resets and variations share. */
#ifndef UW_VARIATION_H
#define UW_VARIATION_H

#include <stddef.h>

#include <umwelt/env.h>

#include "rng.h"

enum { UW_MAX_REDRAWS = 1000 }; /* of draws that break a rule, as stable-worldmodel has it */

/* Check every value: finite, in range, whole where the factor is; then the world's own rules, to which a
 * placed factor that is not fixed (fixed == NULL: none is) counts as undecided. */
uw_status uw__values_check(const uw_env_class *cls, const double *values, const bool *fixed,
                           uw_err *err);

/* Draw a factor uniformly from its range: by our own rule, not by stable-worldmodel's. */
void uw__factor_draw(const uw_factor *f, uw_rng *rng, double *value);

/* Write a variation as the options that make it, separated by spaces, numbers so that they read back
 * exactly: "agent.radius=9 wall.color~sample"; cut at size. Return the length it would have. */
size_t uw__variation_format(const uw_env_class *cls, const uw_variation *v, char *text, size_t size);

#endif
