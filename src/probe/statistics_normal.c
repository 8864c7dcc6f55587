/* Is a sample Gaussian?  One-dimensional and multivariate statistics. */
#include <math.h>
#include <stdlib.h>

#include "matrices.h"
#include "special.h"
#include "statistics.h"

uw_moments uw__moments(const double *x, int64_t n) {
    uw_moments m = {.mean = NAN, .std = NAN, .skew = NAN, .kurtosis = NAN};
    if (n < 1) return m;
    double sum = 0.0, m2 = 0.0, m3 = 0.0, m4 = 0.0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    m.mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double e = x[i] - m.mean, ee = e * e;
        m2 += ee;
        m3 += ee * e;
        m4 += ee * ee;
    }
    m2 /= (double)n;
    m.std = sqrt(m2);
    if (!(m2 > 0.0)) return m;
    m.skew = m3 / (double)n / (m2 * m.std);
    m.kurtosis = m4 / (double)n / (m2 * m2) - 3.0;
    return m;
}

/* ---- one dimension -------------------------------------------------------------------------- */

double uw__knot(int k) {
    return 3.0 * (double)k / (double)(UW_KNOTS - 1);
}

double uw__knot_weight(int k) {
    const double t = uw__knot(k), step = uw__knot(1);
    /* both half-lines: interior knots 2 dt, the ends dt */
    return (k == 0 || k == UW_KNOTS - 1 ? 1.0 : 2.0) * step * exp(-0.5 * t * t);
}

double uw__epps_pulley(const double *x, int64_t n) {
    double sum = 0.0;
    for (int k = 1; k < UW_KNOTS; k++) { /* the term at t = 0 is 0 */
        double re = 0.0, im = 0.0;
        const double t = uw__knot(k);
        for (int64_t i = 0; i < n; i++) {
            re += cos(t * x[i]);
            im += sin(t * x[i]);
        }
        re = re / (double)n - exp(-0.5 * t * t);
        im /= (double)n;
        sum += uw__knot_weight(k) * (re * re + im * im);
    }
    return (double)n * sum;
}

double uw__epps_pulley_exact(const double *x, int64_t n) {
    double pairs = 0.0, single = 0.0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) pairs += exp(-0.5 * (x[i] - x[j]) * (x[i] - x[j]));
        single += exp(-0.25 * x[i] * x[i]);
    }
    const double count = (double)n;
    return sqrt(2.0 * M_PI) *
           ((count + 2.0 * pairs) / count - M_SQRT2 * single + count / sqrt(3.0));
}

double uw__anderson_darling(const double *sorted, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        /* log Phi far out in the tail, where Phi itself is 0: its asymptotic series' first terms */
        const double a = sorted[i], b = -sorted[n - 1 - i];
        const double la = a > -37.0
                              ? log(uw__normal_cdf(a))
                              : -0.5 * a * a - log(-a) - 0.5 * log(2.0 * M_PI) - 1.0 / (a * a);
        const double lb = b > -37.0
                              ? log(uw__normal_cdf(b))
                              : -0.5 * b * b - log(-b) - 0.5 * log(2.0 * M_PI) - 1.0 / (b * b);
        sum += (double)(2 * i + 1) * (la + lb);
    }
    return -(double)n - sum / (double)n;
}

double uw__jarque_bera(const uw_moments *m, int64_t n) {
    return (double)n / 6.0 * (m->skew * m->skew + 0.25 * m->kurtosis * m->kurtosis);
}

/* ---- several dimensions --------------------------------------------------------------------- */

/* y [n, d]: x centred and whitened by its own covariance (divisor n). */
static uw_status whiten(const double *x, int64_t n, int32_t d, double **out) {
    const size_t sd = (size_t)d;
    double *y = malloc((size_t)n * sd * sizeof *y + 1);
    double *work = calloc(3 * sd * sd + 2 * sd, sizeof *work);
    uw_status s = y && work ? UW_OK : UW_ENOMEM;
    if (s) goto done;
    double *c = work, *w = c + sd * sd, *spare = w + sd * sd, *values = spare + sd * sd,
           *mean = values + sd;
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < d; j++) mean[j] += x[i * d + j] / (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < d; j++)
            for (int32_t k = 0; k < d; k++)
                c[j * d + k] += (x[i * d + j] - mean[j]) * (x[i * d + k] - mean[k]) / (double)n;
    if (n <= d || uw__whitener(c, d, 1e-12, w, values, spare) < d) {
        s = UW_ENONFINITE;
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < d; j++) {
            double sum = 0.0;
            for (int32_t k = 0; k < d; k++) sum += w[j * d + k] * (x[i * d + k] - mean[k]);
            y[i * d + j] = sum;
        }
    *out = y;
    y = NULL;
done:
    free(work);
    free(y);
    return s;
}

static double dot(const double *x, const double *y, int32_t d) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) sum += x[i] * y[i];
    return sum;
}

uw_status uw__mardia(const double *x, int64_t n, int32_t d, uw_mardia *out) {
    double *y = NULL;
    const uw_status s = whiten(x, n, d, &y);
    if (s) return s;
    double b1 = 0.0, b2 = 0.0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) {
            const double g = dot(y + i * d, y + j * d, d);
            b1 += 2.0 * g * g * g;
        }
        const double g = dot(y + i * d, y + i * d, d);
        b1 += g * g * g;
        b2 += g * g;
    }
    free(y);
    const double k = (double)d, count = (double)n;
    b1 /= count * count;
    b2 /= count;
    const double z = (b2 - k * (k + 2.0)) / sqrt(8.0 * k * (k + 2.0) / count);
    *out = (uw_mardia){.skew = b1,
                       .kurtosis = b2,
                       .skew_p = uw__chi2_tail(k * (k + 1.0) * (k + 2.0) / 6.0, count * b1 / 6.0),
                       .kurtosis_p = 2.0 * uw__normal_cdf(-fabs(z))};
    return UW_OK;
}

uw_status uw__henze_zirkler(const double *x, int64_t n, int32_t d, uw_henze_zirkler *out) {
    double *y = NULL;
    const uw_status s = whiten(x, n, d, &y);
    if (s) return s;
    const double k = (double)d, count = (double)n;
    const double b = pow((2.0 * k + 1.0) * count / 4.0, 1.0 / (k + 4.0)) / M_SQRT2, bb = b * b;
    double pairs = 0.0, single = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double ii = dot(y + i * d, y + i * d, d);
        for (int64_t j = 0; j < i; j++) {
            double distance = 0.0;
            for (int32_t c = 0; c < d; c++) {
                const double e = y[i * d + c] - y[j * d + c];
                distance += e * e;
            }
            pairs += exp(-0.5 * bb * distance);
        }
        single += exp(-0.5 * bb / (1.0 + bb) * ii);
    }
    free(y);
    const double a = 1.0 + 2.0 * bb, w = (1.0 + bb) * (1.0 + 3.0 * bb), b4 = bb * bb, b8 = b4 * b4;
    const double hz = (count + 2.0 * pairs) / count - 2.0 * pow(1.0 + bb, -0.5 * k) * single +
                      count * pow(a, -0.5 * k);
    /* mean and variance under the null, Henze and Zirkler 1990, theorem 2.2 */
    const double mean =
        1.0 - pow(a, -0.5 * k) * (1.0 + k * bb / a + k * (k + 2.0) * b4 / (2.0 * a * a));
    const double variance =
        2.0 * pow(1.0 + 4.0 * bb, -0.5 * k) +
        2.0 * pow(a, -k) *
            (1.0 + 2.0 * k * b4 / (a * a) + 3.0 * k * (k + 2.0) * b8 / (4.0 * a * a * a * a)) -
        4.0 * pow(w, -0.5 * k) *
            (1.0 + 3.0 * k * b4 / (2.0 * w) + k * (k + 2.0) * b8 / (2.0 * w * w));
    const double ratio = 1.0 + variance / (mean * mean);
    const double middle = log(mean / sqrt(ratio)), spread = sqrt(log(ratio));
    *out = (uw_henze_zirkler){hz, uw__normal_cdf((middle - log(hz)) / spread)};
    return UW_OK;
}
