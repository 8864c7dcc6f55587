/* PushT: what a seed draws for its factors, in both of its worlds. */
#include "gym_space.h"
#include "push_t.h"

uw_status uw__push_sample(uint64_t seed, const bool *sampled, double *values, uw_err *err) {
    (void)err; /* no rule binds these factors: any draw will do */
    for (int32_t i = 0; i < UW_PUSH_NUM_FACTORS; i++)
        if (sampled[i]) uw__gym_sample(&uw__push_t, seed, i, NULL, values);
    return UW_OK;
}
