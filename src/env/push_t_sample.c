/* PushT: what a seed draws for its factors. */
#include "gym_space.h"
#include "push_t.h"

/* All there is to know of a world for its seeding tree: both PushT worlds have this one. */
static const uw_env_class tree = {.num_factors = UW_PUSH_NUM_FACTORS, .factors = uw__push_factors};

uw_status uw__push_sample(uint64_t seed, const bool *sampled, double *values, uw_err *err) {
    (void)err; /* no rule binds these factors: any draw will do */
    for (int32_t i = 0; i < UW_PUSH_NUM_FACTORS; i++)
        if (sampled[i]) uw__gym_sample(&tree, seed, i, NULL, values);
    return UW_OK;
}
