/* Sums over vectors, columns and squared distances. */
#include "kernels.h"

double uw_sum_ref(const uw_real *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

double uw_sumsq_ref(const uw_real *x, size_t n) {
    return uw_dot_ref(x, x, n);
}

double uw_dot_ref(const uw_real *x, const uw_real *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

void uw_colsum_ref(uw_real *out, const uw_real *x, size_t rows, size_t c, size_t ld,
                   bool accumulate) {
    for (size_t j = 0; j < c; j++) {
        double sum = accumulate ? (double)out[j] : 0;
        for (size_t r = 0; r < rows; r++) sum += (double)x[r * ld + j];
        out[j] = (uw_real)sum;
    }
}

void uw_sqdist_ref(uw_real *cost, const uw_real *z, const uw_real *goal, size_t n, size_t d,
                   size_t ldz) {
    for (size_t i = 0; i < n; i++, z += ldz) {
        double sum = 0;
        for (size_t j = 0; j < d; j++) {
            const double off = (double)z[j] - (double)goal[j];
            sum += off * off;
        }
        cost[i] = (uw_real)sum;
    }
}
