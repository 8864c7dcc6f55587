/* Statistics of series and of regressions: portmanteau tests, KPSS, R2, White's test. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrices.h"
#include "special.h"
#include "statistics.h"

/* ---- is anything left over time? ---------------------------------------------------------------
 */

/* c [d, d] = sum over pieces of x_t x_{t+lag}' / rows, x centred. */
static void autocovariance(const double *x, int32_t d, const uw_pieces *pieces, int32_t lag,
                           double *c) {
    const int64_t rows = pieces->first[pieces->count] - pieces->first[0];
    memset(c, 0, (size_t)d * (size_t)d * sizeof *c);
    for (int64_t p = 0; p < pieces->count; p++)
        for (int64_t t = pieces->first[p]; t + lag < pieces->first[p + 1]; t++)
            for (int32_t i = 0; i < d; i++)
                for (int32_t j = 0; j < d; j++)
                    c[i * d + j] += x[t * d + i] * x[(t + lag) * d + j] / (double)rows;
}

/* tr (c' w' w c w' w) for a whitener w of lag 0: the squared norm of w c w'. */
static double lag_energy(const double *w, const double *c, int32_t d, double *work) {
    double *half = work, *whole = work + (int64_t)d * d, sum = 0.0;
    uw__matrix_multiply(w, c, d, d, d, half);
    for (int32_t i = 0; i < d; i++)
        for (int32_t j = 0; j < d; j++) {
            whole[i * d + j] = 0.0;
            for (int32_t k = 0; k < d; k++) whole[i * d + j] += half[i * d + k] * w[j * d + k];
            sum += whole[i * d + j] * whole[i * d + j];
        }
    return sum;
}

uw_status uw__portmanteau(const double *r, int32_t d, const uw_pieces *pieces, int32_t lags,
                          int32_t fitted, uw_portmanteau *out) {
    const int64_t begin = pieces->first[0], n = pieces->first[pieces->count] - begin;
    const size_t sd = (size_t)d;
    if (n < 1) return UW_ENONFINITE;
    double *x = malloc((size_t)(begin + n) * sd * sizeof *x);
    double *work = calloc(5 * sd * sd + 2 * sd, sizeof *work);
    uw_status s = x && work ? UW_OK : UW_ENOMEM;
    if (s) goto done;
    double *c = work, *w = c + sd * sd, *spare = w + sd * sd, *values = spare + 2 * sd * sd;
    double *mean = values + sd, sum = 0.0;
    for (int64_t t = begin; t < begin + n; t++)
        for (int32_t i = 0; i < d; i++) mean[i] += r[t * d + i] / (double)n;
    for (int64_t t = begin; t < begin + n; t++)
        for (int32_t i = 0; i < d; i++) x[t * d + i] = r[t * d + i] - mean[i];
    autocovariance(x, d, pieces, 0, c);
    if (uw__whitener(c, d, 1e-12, w, values, spare) < d) {
        s = UW_ENONFINITE;
        goto done;
    }
    for (int32_t lag = 1; lag <= lags && lag < n; lag++) {
        autocovariance(x, d, pieces, lag, c);
        sum += lag_energy(w, c, d, spare) / (double)(n - lag);
    }
    const double scale = d == 1 ? (double)n * (double)(n + 2) : (double)n * (double)n;
    const int32_t freedom = lags * d * d - fitted;
    *out = (uw_portmanteau){scale * sum, freedom > 0 ? uw__chi2_tail(freedom, scale * sum) : NAN,
                            freedom};
done:
    free(x);
    free(work);
    return s;
}

double uw__kpss(const double *x, int64_t n, int32_t lags) {
    double mean = 0.0, level = 0.0, squares = 0.0, variance = 0.0;
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        level += x[i] - mean;
        squares += level * level;
        variance += (x[i] - mean) * (x[i] - mean);
    }
    for (int32_t lag = 1; lag <= lags && lag < n; lag++) {
        double sum = 0.0;
        for (int64_t i = lag; i < n; i++) sum += (x[i] - mean) * (x[i - lag] - mean);
        variance += 2.0 * sum * (1.0 - (double)lag / (double)(lags + 1));
    }
    return variance > 0.0 ? squares / ((double)n * variance) : NAN;
}

/* ---- regression ------------------------------------------------------------------------------ */

uw_status uw__r2(const double *x, const double *y, int64_t n, int32_t d, double *out) {
    const size_t sd = (size_t)d;
    double *work = calloc(sd * sd + 3 * sd + 1, sizeof *work);
    if (!work) return UW_ENOMEM;
    double *gram = work, *mean = gram + sd * sd, *cross = mean + sd, *weight = cross + sd;
    double middle = 0.0, total = 0.0, explained = 0.0;
    uw_status s = UW_OK;
    for (int64_t i = 0; i < n; i++) {
        middle += y[i] / (double)n;
        for (int32_t j = 0; j < d; j++) mean[j] += x[i * d + j] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        const double e = y[i] - middle;
        total += e * e;
        for (int32_t j = 0; j < d; j++) {
            const double xj = x[i * d + j] - mean[j];
            cross[j] += xj * e;
            for (int32_t k = 0; k <= j; k++) gram[j * d + k] += xj * (x[i * d + k] - mean[k]);
        }
    }
    memcpy(weight, cross, sd * sizeof *weight);
    if (n <= d || !uw__cholesky(gram, d, 0.0)) {
        s = UW_ENONFINITE;
        goto done;
    }
    uw__cholesky_solve(gram, d, weight);
    for (int32_t j = 0; j < d; j++) explained += weight[j] * cross[j];
    *out = total > 0.0 ? explained / total : NAN;
done:
    free(work);
    return s;
}

uw_status uw__white(const double *residual, const double *x, int64_t n, int32_t d, uw_white *out) {
    const int32_t q = d + d * (d + 1) / 2;
    double *features = malloc((size_t)n * (size_t)(q + 1) * sizeof *features + 1), r2;
    if (!features) return UW_ENOMEM;
    double *squares = features + n * q;
    for (int64_t i = 0; i < n; i++) {
        double *f = features + i * q;
        int32_t at = 0;
        squares[i] = residual[i] * residual[i];
        for (int32_t j = 0; j < d; j++) f[at++] = x[i * d + j];
        for (int32_t j = 0; j < d; j++)
            for (int32_t k = 0; k <= j; k++) f[at++] = x[i * d + j] * x[i * d + k];
    }
    const uw_status s = uw__r2(features, squares, n, q, &r2);
    if (!s) *out = (uw_white){r2, (double)n * r2, uw__chi2_tail(q, (double)n * r2), q};
    free(features);
    return s;
}
