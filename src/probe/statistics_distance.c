/* Two clouds: distance correlation, energy distance, Bures distance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrices.h"
#include "spectrum.h"
#include "statistics.h"

static double distance(const double *a, const double *b, int32_t d) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

/* Sums over all pairs of products of distances, and over rows of the products of their row sums. */
typedef struct dcov {
    double pairs, rows, all_x, all_y;
} dcov;

/* Distance covariance squared, biased (of the centred matrices' mean) or not. */
static double dcov_of(const dcov *s, double n, bool corrected) {
    if (!corrected)
        return s->pairs / (n * n) - 2.0 * s->rows / (n * n * n) +
               s->all_x * s->all_y / (n * n * n * n);
    return (s->pairs - 2.0 * s->rows / (n - 2.0) + s->all_x * s->all_y / ((n - 1.0) * (n - 2.0))) /
           (n * (n - 3.0));
}

static double ratio(double xy, double xx, double yy) {
    return xx > 0.0 && yy > 0.0 ? xy / sqrt(xx * yy) : 0.0;
}

uw_status uw__distance_correlation(const double *x, int32_t d, const double *y, int32_t e,
                                   int64_t n, uw_dcor *out) {
    double *row = calloc((size_t)(2 * n) + 1, sizeof *row);
    if (!row) return UW_ENOMEM;
    double *row_y = row + n;
    dcov xy = {0}, xx = {0}, yy = {0};
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            const double a = distance(x + i * d, x + j * d, d),
                         b = distance(y + i * e, y + j * e, e);
            row[i] += a;
            row[j] += a;
            row_y[i] += b;
            row_y[j] += b;
            xy.pairs += 2.0 * a * b;
            xx.pairs += 2.0 * a * a;
            yy.pairs += 2.0 * b * b;
        }
    for (int64_t i = 0; i < n; i++) {
        xy.rows += row[i] * row_y[i];
        xx.rows += row[i] * row[i];
        yy.rows += row_y[i] * row_y[i];
        xy.all_x += row[i];
        xy.all_y += row_y[i];
    }
    free(row);
    xx.all_x = xx.all_y = xy.all_x;
    yy.all_x = yy.all_y = xy.all_y;
    const double m = (double)n;
    *out = (uw_dcor){
        .dcor = sqrt(fmax(
            0.0, ratio(dcov_of(&xy, m, false), dcov_of(&xx, m, false), dcov_of(&yy, m, false)))),
        .corrected =
            n > 3 ? ratio(dcov_of(&xy, m, true), dcov_of(&xx, m, true), dcov_of(&yy, m, true))
                  : NAN,
    };
    return UW_OK;
}

/* Mean distance over all pairs of two samples. */
static double mean_distance(const double *x, int64_t n, const double *y, int64_t m, int32_t d) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) sum += distance(x + i * d, y + j * d, d);
    return sum / ((double)n * (double)m);
}

double uw__energy_distance(const double *x, int64_t n, const double *y, int64_t m, int32_t d) {
    return 2.0 * mean_distance(x, n, y, m, d) - mean_distance(x, n, x, n, d) -
           mean_distance(y, m, y, m, d);
}

double uw__bures(const double *a, const double *b, int32_t d, double *work) {
    const int64_t size = (int64_t)d * d;
    double *root = work, *spare = work + size, *vectors = spare + size, *half = vectors + size;
    double *whole = half + size, *values = whole + size, trace = 0.0;
    memcpy(spare, a, (size_t)size * sizeof *spare);
    uw__jacobi_eigen(spare, d, values, vectors);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++) {
            root[i * d + j] = 0.0;
            for (int64_t k = 0; k < d; k++)
                root[i * d + j] +=
                    sqrt(fmax(0.0, values[k])) * vectors[k * d + i] * vectors[k * d + j];
        }
    uw__matrix_multiply(root, b, d, d, d, half);
    uw__matrix_multiply(half, root, d, d, d, whole);
    for (int64_t i = 0; i < d; i++) trace += a[i * d + i] + b[i * d + i];
    uw__jacobi_eigen(whole, d, values, NULL);
    for (int32_t i = 0; i < d; i++) trace -= 2.0 * sqrt(fmax(0.0, values[i]));
    return sqrt(fmax(0.0, trace));
}
