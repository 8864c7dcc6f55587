/* Incomplete beta and gamma functions by series and continued fractions, and the laws that rest on
 * them.
 *
 * Sources: the continued fractions DLMF 8.17.22, https://dlmf.nist.gov/8.17.E22, and 8.9.2,
 * https://dlmf.nist.gov/8.9.E2, summed by Lentz's method as modified by Thompson and Barnett (J.
 * Comput. Phys. 64, 1986); the series DLMF 8.7.1; a first normal quantile from Abramowitz and
 * Stegun 26.2.23. */
#include "special.h"

#include <float.h>
#include <math.h>

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

/* ---- gamma ------------------------------------------------------------------------------- */

/* x^a e^-x / Gamma(a), whose logarithm loses digits as a grows. */
static double gamma_front(double a, double x) {
    return exp(a * log(x) - x - log_gamma(a));
}

/* P by its series, for x < a + 1. */
static double gamma_series(double a, double x) {
    double term = 1.0 / a, sum = term;
    for (int k = 1; k <= MAX_TERMS; k++) {
        term *= x / (a + (double)k);
        sum += term;
        if (term < sum * DBL_EPSILON) break;
    }
    return sum * gamma_front(a, x);
}

/* Q by the fraction 1/(x + 1 - a - 1 (1 - a)/(x + 3 - a - 2 (2 - a)/(...))), for x >= a + 1. */
static double gamma_fraction(double a, double x) {
    static const double TINY = 1e-300; /* stands in for a zero denominator */
    double b = x + 1.0 - a, c = 1.0 / TINY, d = 1.0 / b, value = d;
    for (int k = 1; k <= MAX_TERMS; k++) {
        const double term = -(double)k * ((double)k - a);
        b += 2.0;
        d = term * d + b;
        c = b + term / c;
        d = 1.0 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        value *= c * d;
        if (fabs(c * d - 1.0) < DBL_EPSILON) break;
    }
    return value * gamma_front(a, x);
}

double uw__gamma_p(double a, double x) {
    if (!(x > 0.0)) return 0.0;
    return x < a + 1.0 ? gamma_series(a, x) : 1.0 - gamma_fraction(a, x);
}

double uw__gamma_q(double a, double x) {
    if (!(x > 0.0)) return 1.0;
    return x < a + 1.0 ? 1.0 - gamma_series(a, x) : gamma_fraction(a, x);
}

/* ---- laws ----------------------------------------------------------------------------------- */

double uw__normal_cdf(double x) {
    return 0.5 * erfc(-x * M_SQRT1_2);
}

double uw__normal_quantile(double p) {
    if (!(p > 0.0)) return -INFINITY;
    if (!(p < 1.0)) return INFINITY;
    if (p > 0.5) return -uw__normal_quantile(1.0 - p);
    /* three digits, then Halley's steps on log P, which stay in scale far out in the tail */
    const double t = sqrt(-2.0 * log(p));
    double x = -t + (2.515517 + t * (0.802853 + t * 0.010328)) /
                        (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 4; i++) {
        const double cdf = uw__normal_cdf(x);
        const double slope =
            exp(-0.5 * x * x) * (0.5 * M_2_SQRTPI * M_SQRT1_2) / cdf; /* of log P */
        const double off = log(cdf / p) / slope;
        x -= off / (1.0 + 0.5 * off * (x + slope)); /* (log P)'' = -slope (x + slope) */
    }
    return x;
}

double uw__chi2_tail(double k, double x) {
    return uw__gamma_q(0.5 * k, 0.5 * x);
}

double uw__chi2_quantile(double k, double p) {
    if (!(p > 0.0)) return 0.0;
    if (!(p < 1.0)) return INFINITY;
    double low = 0.0, high = k + 10.0;
    while (uw__gamma_p(0.5 * k, 0.5 * high) < p) high *= 2.0;
    for (int i = 0; i < MAX_HALVINGS; i++) {
        const double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) break;
        if (uw__gamma_p(0.5 * k, 0.5 * middle) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}
