/* The map behind uw_landmarks, for tests that make one by hand. */
#ifndef UW_LANDMARKS_INTERNAL_H
#define UW_LANDMARKS_INTERNAL_H

#include <umwelt/landmarks.h>

#include "latents.h"
#include "ways.h"

struct uw_landmarks {
    const uw_kernels *kernels;
    int32_t count, dim;
    float *points;   /* [count, dim] */
    uint16_t *steps; /* [count, count] decisions, UW_NO_WAY */
    float no_way;    /* what UW_NO_WAY costs */
    float delta;     /* mean latent distance of a decision */
    uint64_t id;
};

/* Build a map from latents z [n, d] of rows, one decision apart within each episode.
 * Returns UW_ENONFINITE, UW_ENOMEM; Own: *out, uw_landmarks_unload. */
uw_status uw__landmarks_build(const uw_kernels *kernels, const float *z, const uw_row *rows, int64_t n,
                              int32_t d, int32_t most, uw_landmarks **out, uw_err *err);

#endif
