/* Statistics of samples, series and clouds: definitions of SciPy, statsmodels and the literature, on plain
 * arrays.
 *
 *     uw_moments m = uw__moments(x, n);
 *     double t = uw__epps_pulley(x, n);
 *
 * Samples are rows, row-major, in double.  A p-value assumes independent rows: thin correlated ones first, and
 * judge by effect.  All are compared with other implementations in tests/unit/test_statistics.c. */
#ifndef UW_STATISTICS_H
#define UW_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/status.h>

/* ---- is it Gaussian? --------------------------------------------------------------------------- */

/* Mean, standard deviation (divisor n), skewness and excess kurtosis (both biased, as SciPy's default). */
typedef struct uw_moments {
    double mean, std, skew, kurtosis;
} uw_moments;
uw_moments uw__moments(const double *x, int64_t n);

/* Epps-Pulley statistic of x [n] against the standard normal law (mean and variance are not fitted):
 * n Int |phi_n(t) - exp(-t^2/2)|^2 exp(-t^2/2) dt by the trapezoid rule on [0, 3], 17 knots, doubled.
 * Mean 1.0525 under the null, for any n.  Source: Epps and Pulley 1983; LeJEPA, arXiv 2511.08544. */
double uw__epps_pulley(const double *x, int64_t n);
/* Knot k of that grid, 0 <= k < UW_KNOTS, and what the squared difference there counts. */
enum { UW_KNOTS = 17 };
double uw__knot(int k);
double uw__knot_weight(int k);
/* The same over the whole line, exactly, in O(n^2): sqrt(2 pi) times the BHEP statistic.  Null mean 1.0594. */
double uw__epps_pulley_exact(const double *x, int64_t n);
/* Anderson-Darling A^2 of sorted x [n] against the standard normal law (5 %: 2.492, 1 %: 3.857). */
double uw__anderson_darling(const double *sorted, int64_t n);
/* Jarque-Bera n/6 (skew^2 + kurtosis^2/4), chi-squared(2). */
double uw__jarque_bera(const uw_moments *m, int64_t n);

/* Mardia's multivariate skewness and kurtosis of x [n, d], with their p-values.  O(n^2 d). */
typedef struct uw_mardia {
    double skew, kurtosis, skew_p, kurtosis_p;
} uw_mardia;
/* Henze-Zirkler statistic of x [n, d] and its p-value (log-normal approximation).  O(n^2 d).
 * Both return UW_ENONFINITE for a covariance that is singular; UW_ENOMEM. */
typedef struct uw_henze_zirkler {
    double statistic, p;
} uw_henze_zirkler;
uw_status uw__mardia(const double *x, int64_t n, int32_t d, uw_mardia *out);
uw_status uw__henze_zirkler(const double *x, int64_t n, int32_t d, uw_henze_zirkler *out);

/* ---- series -------------------------------------------------------------------------------------- */

/* Series in pieces: rows first[i] .. first[i + 1] - 1 of an array follow each other in time, and pieces do not. */
typedef struct uw_pieces {
    const int64_t *first; /* [count + 1] */
    int64_t count;
} uw_pieces;

/* Portmanteau statistics of r [rows, d] for `lags` lags and their chi-squared p-values, products pooled over pieces:
 * Ljung-Box for d = 1, Hosking's multivariate form (adjusted) beyond.  fitted: parameters to take off the degrees of
 * freedom, d^2 per lag of a fitted autoregression.  Returns UW_ENONFINITE when a covariance is singular; UW_ENOMEM. */
typedef struct uw_portmanteau {
    double statistic, p;
    int32_t freedom;
} uw_portmanteau;
uw_status uw__portmanteau(const double *r, int32_t d, const uw_pieces *pieces, int32_t lags,
                          int32_t fitted, uw_portmanteau *out);

/* KPSS statistic of x [n] about a level, long-run variance with Bartlett's kernel over `lags` lags (10 %: 0.347,
 * 5 %: 0.463, 1 %: 0.739); NaN for a constant. */
double uw__kpss(const double *x, int64_t n, int32_t lags);

/* ---- regression -------------------------------------------------------------------------------- */

/* R2 of y [n] on the columns of x [n, d] and an intercept, least squares.  NaN when y is constant.
 * Returns UW_ENONFINITE for collinear columns; UW_ENOMEM. */
uw_status uw__r2(const double *x, const double *y, int64_t n, int32_t d, double *out);
/* White's test of constant variance: residual^2 [n] on x, its squares and products; LM = n R2, chi-squared with
 * `freedom` degrees.  As uw__r2. */
typedef struct uw_white {
    double r2, lm, p;
    int32_t freedom;
} uw_white;
uw_status uw__white(const double *residual, const double *x, int64_t n, int32_t d, uw_white *out);

/* ---- two clouds --------------------------------------------------------------------------------- */

/* Distance correlation of x [n, d] and y [n, e] (Szekely, Rizzo, Bakirov 2007), and its square corrected for bias, with
 * mean 0 under independence (Szekely and Rizzo 2013).  Returns UW_ENOMEM. */
typedef struct uw_dcor {
    double dcor, corrected; /* corrected: of the square, may be negative */
} uw_dcor;
uw_status uw__distance_correlation(const double *x, int32_t d, const double *y, int32_t e, int64_t n,
                                   uw_dcor *out);

/* Energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| of x [n, d] and y [m, d], all pairs (V-statistic).  For d = 1 this
 * is the square of SciPy's energy_distance. */
double uw__energy_distance(const double *x, int64_t n, const double *y, int64_t m, int32_t d);

/* Bures distance of two covariances a, b [d, d]: sqrt(tr a + tr b - 2 tr (a^1/2 b a^1/2)^1/2); in one dimension, the
 * difference of the standard deviations.  work: [5 d d + d]. */
double uw__bures(const double *a, const double *b, int32_t d, double *work);

/* ---- bootstrap ------------------------------------------------------------------------------------ */

/* A group of numbers to compute from sums over groups of whole episodes.  eval(arg, total, values) fills
 * values [count] from total [size], which is the sum over groups, each taken `times` often; called from several
 * threads at once; scratch [scratch doubles] is its own. */
typedef struct uw_bootstrap {
    const double *sums; /* [groups, size] */
    int32_t groups;
    int64_t size;
    int32_t count;
    int64_t scratch;
    void (*eval)(const void *arg, const double *total, double *scratch, double *values);
    const void *arg;
} uw_bootstrap;

/* Point, bias and 95 % interval of each number.  The bias of a statistic such as a squared norm is what resampling
 * adds to it; point is the plain value, corrected = 2 point - mean, and the interval is that of the resamples
 * moved by twice the bias (Efron and Tibshirani 1993, 10.6). */
typedef struct uw_estimate {
    double point, corrected, low, high;
} uw_estimate;
struct uw_pool;
/* Resample groups with replacement.  resamples = 0: points only, the rest NaN.  out: [count].  Bits do not depend on
 * the number of threads.  Returns UW_ENOMEM. */
uw_status uw__bootstrap(struct uw_pool *pool, const uw_bootstrap *b, int32_t resamples, uint64_t seed,
                        uw_estimate *out);

/* Sort x [n] ascending; NaN has no place. */
void uw__sort(double *x, int64_t n);
/* Return the q quantile of sorted [n] by linear interpolation (NumPy's default). */
double uw__quantile(const double *sorted, int64_t n, double q);

#endif
