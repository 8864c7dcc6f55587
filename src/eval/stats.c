/* Exact (Clopper-Pearson) intervals of a success rate.
 *
 * Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case
 * of the binomial", Biometrika 26 (1934). */
#include <umwelt/eval.h>

#include "special.h"

uw_rate uw_rate_of(int32_t successes, int32_t episodes) {
    static const double TAIL = 0.025;                 /* on either side of 95 % */
    if (episodes <= 0) return (uw_rate){.high = 1.0}; /* nothing seen, nothing excluded */
    if (successes < 0) successes = 0;
    if (successes > episodes) successes = episodes;
    const double k = (double)successes, n = (double)episodes;
    return (uw_rate){
        .episodes = episodes,
        .successes = successes,
        .rate = k / n,
        .low = successes == 0 ? 0.0 : uw__beta_quantile(k, n - k + 1.0, TAIL),
        .high = successes == episodes ? 1.0 : uw__beta_quantile(k + 1.0, n - k, 1.0 - TAIL),
    };
}
