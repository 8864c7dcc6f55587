/* The score of a prediction error, and the words of what is done about it.  Calibrating a band is
 * the business of those who have recordings; here it is arithmetic inside the control loop. */
#include <math.h>

#include "plan_internal.h"

const char *uw_on_surprise_str(uw_on_surprise policy) {
    static const char *const words[] = {"none", "stop", "hold", "replan"};
    return (unsigned)policy <= UW_ON_SURPRISE_REPLAN ? words[policy] : "?";
}

bool uw__band_ok(const uw_band *band) {
    if (band->latent_dim < 1 || !band->mean || !band->whiten) return false;
    const size_t d = (size_t)band->latent_dim;
    return band->threshold > 0.0 && isfinite(band->threshold) && uw__plan_finite(band->mean, d) &&
           uw__plan_finite(band->whiten, d * d);
}

double uw__band_score(const uw_band *band, const float *error) {
    const size_t d = (size_t)band->latent_dim;
    double score = 0.0;
    for (size_t i = 0; i < d; i++) {
        const float *row = band->whiten + i * d;
        double sum = 0.0;
        for (size_t j = 0; j <= i; j++)
            sum += (double)row[j] * ((double)error[j] - (double)band->mean[j]);
        score += sum * sum;
    }
    return score / (double)d;
}
