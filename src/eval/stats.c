/* Exact (Clopper-Pearson) intervals of a success rate, from our own incomplete beta function.
 *
 * Sources: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case
 * of the binomial", Biometrika 26 (1934); the continued fraction DLMF 8.17.22,
 * https://dlmf.nist.gov/8.17.E22, summed by Lentz's method as modified by Thompson and Barnett (J.
 * Comput. Phys. 64, 1986). */
#include "stats.h"

#include <float.h>
#include <math.h>

#include <umwelt/eval.h>

/* Lentz's method needs O(sqrt(max(a, b))) terms: some 1500 for a million episodes. */
enum { MAX_TERMS = 20000, MAX_HALVINGS = 200 };

/* The fraction 1/(1 + d1/(1 + d2/(1 + ...))), which converges fast for x < (a + 1)/(a + b + 2). */
static double fraction(double a, double b, double x) {
    static const double TINY = 1e-300; /* stands in for a zero denominator */
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < TINY ? TINY : d);
    double value = d;
    for (int m = 1; m <= MAX_TERMS; m++) {
        const double k = (double)m;
        const double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
        const double odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
        double change = 1.0;
        for (int half = 0; half < 2; half++) {
            const double term = half ? odd : even;
            d = 1.0 + term * d;
            c = 1.0 + term / c;
            d = 1.0 / (fabs(d) < TINY ? TINY : d);
            c = fabs(c) < TINY ? TINY : c;
            change = c * d;
            value *= change;
        }
        if (fabs(change - 1.0) < DBL_EPSILON) break;
    }
    return value;
}

/* log Gamma, without the global sign that lgamma writes. */
static double log_gamma(double x) {
    int sign = 0;
    return lgamma_r(x, &sign);
}

double uw__beta_cdf(double a, double b, double x) {
    if (!(x > 0.0)) return 0.0;
    if (!(x < 1.0)) return 1.0;
    const double front =
        exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1.0) / (a + b + 2.0) ? front * fraction(a, b, x) / a
                                         : 1.0 - front * fraction(b, a, 1.0 - x) / b;
}

double uw__beta_quantile(double a, double b, double p) {
    /* I_x grows with x: halve until the ends are neighbours.  Slow and sure; nobody waits for it.
     */
    double low = 0.0, high = 1.0;
    for (int i = 0; i < MAX_HALVINGS; i++) {
        const double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) break;
        if (uw__beta_cdf(a, b, middle) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

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
