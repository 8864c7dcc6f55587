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

/* Mean and 1 / deviation of the row that a norm starts from, or of the one behind its modulation.
 */
typedef struct moments {
    double mean, scale;
} moments;

static double unit_at(const uw_norm_args *a, size_t r, size_t j, moments m) {
    const double unit = ((double)a->x[r * a->ldx + j] - m.mean) * m.scale;
    return unit * (a->gamma ? (double)a->gamma[j] : 1) + (a->beta ? (double)a->beta[j] : 0);
}

static double modulated_at(const uw_norm_args *a, size_t r, size_t j, moments m) {
    const size_t at = r * a->ldm + j;
    return unit_at(a, r, j, m) * (1 + (double)a->scale[at]) + (double)a->shift[at];
}

static moments finished(double sum, double square, size_t c, uw_real eps) {
    return (moments){sum / (double)c, 1 / sqrt(square / (double)c + (double)eps)};
}

static moments first_moments(const uw_norm_args *a, size_t r) {
    const uw_real *x = a->x + r * a->ldx;
    double sum = 0, square = 0;
    for (size_t j = 0; j < a->c; j++) sum += (double)x[j];
    const double mean = sum / (double)a->c;
    for (size_t j = 0; j < a->c; j++) square += ((double)x[j] - mean) * ((double)x[j] - mean);
    return finished(sum, square, a->c, a->eps);
}

static moments second_moments(const uw_norm_args *a, size_t r, moments first) {
    double sum = 0, square = 0;
    for (size_t j = 0; j < a->c; j++) sum += modulated_at(a, r, j, first);
    const double mean = sum / (double)a->c;
    for (size_t j = 0; j < a->c; j++) {
        const double off = modulated_at(a, r, j, first) - mean;
        square += off * off;
    }
    return finished(sum, square, a->c, a->eps2);
}

void uw_norm_ref(const uw_norm_args *a) {
    for (size_t r = 0; r < a->rows && a->c > 0; r++) {
        const moments first = first_moments(a, r);
        const moments second = a->shift ? second_moments(a, r, first) : first;
        for (size_t j = 0; j < a->c; j++) {
            double y = unit_at(a, r, j, first);
            if (a->shift) {
                y = (modulated_at(a, r, j, first) - second.mean) * second.scale;
                y = y * (a->gamma2 ? (double)a->gamma2[j] : 1);
                y += a->beta2 ? (double)a->beta2[j] : 0;
            }
            const uw_real value = (uw_real)y;
            if (a->y16)
                uw_to_bf16_ref(a->y16 + r * a->ldy + j, &value, 1);
            else
                a->y[r * a->ldy + j] = value;
        }
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
