/* How well predictions fit, with intervals over whole episodes.
 *
 *     uw_scored s;
 *     uw__scorecard(pool, &card, &s);
 */
#ifndef UW_SCORECARD_H
#define UW_SCORECARD_H

#include <stdbool.h>
#include <stdint.h>

#include "fit.h"
#include "statistics.h"

/* Predictions of one number at rows grouped by episode. */
typedef struct uw_scorecard {
    const double *predicted; /* [n, stride]; the number at `at`, an angle's sine and cosine at `at` and at + 1 */
    const double *truth;     /* [n, stride] likewise */
    const int64_t *episode;  /* [n] rows of one episode stand together */
    int64_t n;
    int32_t stride, at;
    double radians;          /* > 0: an angle; radians per unit of its column */
    int32_t resamples;
    uint64_t seed;
} uw_scorecard;

/* Scores and 95 % intervals; intervals are NaN with fewer than UW_PROBE_MIN_EPISODES episodes.  For an angle r2 and r
 * are of sine and cosine together, rmse is the angle's in its unit, and degrees are given. */
typedef struct uw_scored {
    double r2, r, rmse, degrees;
    double r2_ci[2], r_ci[2], rmse_ci[2], degrees_ci[2];
    int32_t episodes;
} uw_scored;
/* Returns UW_OK; UW_ENOMEM. */
uw_status uw__scorecard(uw_pool *pool, const uw_scorecard *card, uw_scored *out);

/* Write the percentiles of an estimate's resamples, not moved by their bias: what scores of few episodes, whose
 * resamples are skewed, are told by. */
void uw__percentiles(const uw_estimate *estimate, double interval[2]);

/* Return the difference of two angles the short way round, in radians. */
double uw__angle_between(double a, double b);

#endif
