/* Batch norm: every column is brought to mean 0 and variance 1 over the rows. */
#include "kernels.h"

void uw_colmoments_ref(uw_real *mean, uw_real *var, const uw_real *x, size_t rows, size_t c,
                       size_t ld) {
    const double count = rows ? (double)rows : 1;
    for (size_t j = 0; j < c; j++) {
        double sum = 0, square = 0;
        for (size_t r = 0; r < rows; r++) sum += (double)x[r * ld + j];
        const double m = sum / count;
        for (size_t r = 0; r < rows; r++) {
            const double off = (double)x[r * ld + j] - m;
            square += off * off;
        }
        mean[j] = (uw_real)m;
        var[j] = (uw_real)(square / count);
    }
}

void uw_batchnorm_apply_ref(uw_real *y, size_t ldy, const uw_real *x, size_t ldx,
                            const uw_real *mean, const uw_real *rstd, const uw_real *gamma,
                            const uw_real *beta, size_t rows, size_t c) {
    for (size_t r = 0; r < rows; r++, x += ldx, y += ldy) {
        for (size_t j = 0; j < c; j++) {
            const double unit = ((double)x[j] - (double)mean[j]) * (double)rstd[j];
            y[j] = (uw_real)(unit * (double)gamma[j] + (double)beta[j]);
        }
    }
}

void uw_batchnorm_backward_ref(uw_real *dx, uw_real *dgamma, uw_real *dbeta, const uw_real *dy,
                               const uw_real *x, const uw_real *mean, const uw_real *rstd,
                               const uw_real *gamma, size_t rows, size_t c, size_t ld) {
    const double count = rows ? (double)rows : 1;
    for (size_t j = 0; j < c; j++) {
        const double m = (double)mean[j], scale = (double)rstd[j];
        double sum = 0, along = 0; /* of dy, and along the normalised column */
        for (size_t r = 0; r < rows; r++) {
            sum += (double)dy[r * ld + j];
            along += (double)dy[r * ld + j] * ((double)x[r * ld + j] - m) * scale;
        }
        for (size_t r = 0; r < rows; r++) {
            const double unit = ((double)x[r * ld + j] - m) * scale;
            const double value = (double)dy[r * ld + j] - sum / count - unit * along / count;
            dx[r * ld + j] = (uw_real)((double)gamma[j] * scale * value);
        }
        dgamma[j] = (uw_real)((double)dgamma[j] + along);
        dbeta[j] = (uw_real)((double)dbeta[j] + sum);
    }
}
