/* Layer norm: a row is brought to mean 0 and variance 1, then scaled and shifted by column. */
#include "kernels.h"

#include <math.h>

void uw_layernorm_ref(uw_real *y, uw_real *mean, uw_real *rstd, const uw_real *x,
                      const uw_real *gamma, const uw_real *beta, size_t rows, size_t c,
                      uw_real eps) {
    for (size_t r = 0; r < rows; r++, x += c, y += c) {
        double sum = 0, square = 0;
        for (size_t j = 0; j < c; j++) sum += (double)x[j];
        const double m = c ? sum / (double)c : 0;
        for (size_t j = 0; j < c; j++) square += ((double)x[j] - m) * ((double)x[j] - m);
        const double scale = 1 / sqrt((c ? square / (double)c : 0) + (double)eps);
        for (size_t j = 0; j < c; j++) {
            const double unit = ((double)x[j] - m) * scale;
            y[j] = (uw_real)(unit * (gamma ? (double)gamma[j] : 1) + (beta ? (double)beta[j] : 0));
        }
        if (mean) mean[r] = (uw_real)m;
        if (rstd) rstd[r] = (uw_real)scale;
    }
}

/* dgamma and dbeta of one column, or neither. */
static void column_gradient(uw_real *dgamma, uw_real *dbeta, const uw_real *dy, const uw_real *x,
                            const uw_real *mean, const uw_real *rstd, size_t rows, size_t c,
                            size_t j) {
    double scale = 0, shift = 0;
    for (size_t r = 0; r < rows; r++) {
        const double unit = ((double)x[r * c + j] - (double)mean[r]) * (double)rstd[r];
        scale += (double)dy[r * c + j] * unit;
        shift += (double)dy[r * c + j];
    }
    if (dgamma) dgamma[j] = (uw_real)((double)dgamma[j] + scale);
    if (dbeta) dbeta[j] = (uw_real)((double)dbeta[j] + shift);
}

void uw_layernorm_backward_ref(uw_real *dx, uw_real *dgamma, uw_real *dbeta, const uw_real *dy,
                               const uw_real *x, const uw_real *mean, const uw_real *rstd,
                               const uw_real *gamma, size_t rows, size_t c, bool accumulate) {
    /* Columns first: dx may overwrite dy. */
    for (size_t j = 0; j < c && (dgamma || dbeta); j++)
        column_gradient(dgamma, dbeta, dy, x, mean, rstd, rows, c, j);
    for (size_t r = 0; r < rows; r++, x += c, dy += c, dx += c) {
        const double m = (double)mean[r], scale = (double)rstd[r];
        double sum = 0, along = 0; /* of g = dy * gamma, and along the normalised row */
        for (size_t j = 0; j < c; j++) {
            const double g = (double)dy[j] * (gamma ? (double)gamma[j] : 1);
            sum += g;
            along += g * ((double)x[j] - m) * scale;
        }
        sum /= (double)c;
        along /= (double)c;
        for (size_t j = 0; j < c; j++) {
            const double g = (double)dy[j] * (gamma ? (double)gamma[j] : 1);
            const double unit = ((double)x[j] - m) * scale;
            const double value = scale * (g - sum - unit * along);
            dx[j] = (uw_real)(accumulate ? (double)dx[j] + value : value);
        }
    }
}
