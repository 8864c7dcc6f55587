/* Exact binomial intervals: the incomplete beta function and what is read off it. */
#ifndef UW_STATS_H
#define UW_STATS_H

/* Return the regularised incomplete beta function I_x(a, b), a, b > 0, x in [0, 1].
 * Error: |I - exact| <= 1e-13 (a + b + 10), tested up to a + b = 1e6; what is lost is lost in the
 * difference of log-gammas. */
double uw__beta_cdf(double a, double b, double x);

/* Return x with I_x(a, b) = p, 0 < p < 1. */
double uw__beta_quantile(double a, double b, double p);

#endif
