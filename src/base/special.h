/* Special functions of statistics: incomplete beta and gamma, the normal and chi-squared laws.
 *
 * Written here because Debian has no permissively licensed C library of them (GSL and R's are GPL).  Errors
 * are those found against SciPy (tests/unit/test_special.c). */
#ifndef UW_SPECIAL_H
#define UW_SPECIAL_H

/* Return the regularised incomplete beta function I_x(a, b), a, b > 0, x in [0, 1].
 * Error: |I - exact| <= 1e-13 (a + b + 10), tested up to a + b = 1e6; what is lost is lost in the
 * difference of log-gammas. */
double uw__beta_cdf(double a, double b, double x);
/* Return x with I_x(a, b) = p, 0 < p < 1. */
double uw__beta_quantile(double a, double b, double p);

/* Return the regularised lower incomplete gamma function P(a, x), a > 0, x >= 0, and its complement Q.
 * Error: relative 1e-13 (a + 10) of the smaller of P and Q, tested up to a = 1e5. */
double uw__gamma_p(double a, double x);
double uw__gamma_q(double a, double x);

/* Return the standard normal law's P(X <= x), and x with P(X <= x) = p, 0 < p < 1.
 * Error of the quantile: |x - exact| <= 4e-15 (1 + |x|), tested for p from 1e-300. */
double uw__normal_cdf(double x);
double uw__normal_quantile(double p);

/* Return P(X > x) of the chi-squared law with k > 0 degrees of freedom, and x with P(X <= x) = p. */
double uw__chi2_tail(double k, double x);
double uw__chi2_quantile(double k, double p);

#endif
