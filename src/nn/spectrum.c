/* Spectrum of a cloud of latents, by cyclic Jacobi in double: slow, small, and the same bits
 * always.
 *
 * The covariance has divisor n (the effective ranks do not depend on it).  A cloud without any
 * spread has rank 0, which no living latent has: 1 is a line. */
#include "spectrum.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { MAX_SWEEPS = 64 };

/* Sum of squares above the diagonal: what the sweeps drive to zero. */
static double off_diagonal(const double *a, size_t d) {
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = i + 1; j < d; j++) sum += a[i * d + j] * a[i * d + j];
    }
    return sum;
}

/* Rotate rows p and q of the plane (p, q): x' = c x - s y, y' = s x + c y, with stride between
 * neighbours. */
static void rotate(double *x, double *y, size_t d, size_t stride, double c, double s) {
    for (size_t i = 0; i < d; i++) {
        const double u = x[i * stride], v = y[i * stride];
        x[i * stride] = c * u - s * v;
        y[i * stride] = s * u + c * v;
    }
}

/* Zero a[p][q] by one rotation (Golub and Van Loan, Matrix Computations, 8.5.2). */
static void annihilate(double *a, double *vectors, size_t d, size_t p, size_t q) {
    const double apq = a[p * d + q];
    if (apq == 0.0) return;
    const double tau = (a[q * d + q] - a[p * d + p]) / (2.0 * apq);
    const double t = (tau >= 0.0 ? 1.0 : -1.0) / (fabs(tau) + sqrt(1.0 + tau * tau));
    const double c = 1.0 / sqrt(1.0 + t * t), s = t * c;

    rotate(a + p * d, a + q * d, d, 1, c, s);
    rotate(a + p, a + q, d, d, c, s);
    a[p * d + q] = a[q * d + p] = 0.0;
    if (vectors) rotate(vectors + p * d, vectors + q * d, d, 1, c, s);
}

/* Largest eigenvalue first, vectors with them: insertion by selection, d is small. */
static void sort_descending(double *values, double *vectors, size_t d) {
    for (size_t i = 0; i + 1 < d; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < d; j++) {
            if (values[j] > values[best]) best = j;
        }
        if (best == i) continue;
        const double v = values[i];
        values[i] = values[best];
        values[best] = v;
        for (size_t j = 0; vectors && j < d; j++) {
            const double u = vectors[i * d + j];
            vectors[i * d + j] = vectors[best * d + j];
            vectors[best * d + j] = u;
        }
    }
}

void uw__jacobi_eigen(double *a, int32_t d, double *values, double *vectors) {
    const size_t n = d > 0 ? (size_t)d : 0;
    double scale = 0.0;

    for (size_t i = 0; i < n * n; i++) scale += a[i] * a[i];
    if (vectors) {
        memset(vectors, 0, n * n * sizeof *vectors);
        for (size_t i = 0; i < n; i++) vectors[i * n + i] = 1.0;
    }
    /* A non-finite matrix would never converge: its values pass through as they stand. */
    for (int sweep = 0; sweep < MAX_SWEEPS && isfinite(scale); sweep++) {
        if (!(off_diagonal(a, n) > 1e-30 * scale)) break;
        for (size_t p = 0; p + 1 < n; p++) {
            for (size_t q = p + 1; q < n; q++) annihilate(a, vectors, n, p, q);
        }
    }
    for (size_t i = 0; i < n; i++) values[i] = a[i * n + i];
    sort_descending(values, vectors, n);
}

/* cov [d, d] and mean [d] of x [n, d]. */
static void covariance(const float *x, size_t n, size_t d, double *mean, double *cov) {
    memset(mean, 0, d * sizeof *mean);
    memset(cov, 0, d * d * sizeof *cov);
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < d; i++) mean[i] += (double)x[r * d + i];
    }
    for (size_t i = 0; i < d; i++) mean[i] /= (double)n;
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < d; i++) {
            const double u = (double)x[r * d + i] - mean[i];
            for (size_t j = i; j < d; j++) {
                cov[i * d + j] += u * ((double)x[r * d + j] - mean[j]);
            }
        }
    }
    for (size_t i = 0; i < d; i++) {
        for (size_t j = i; j < d; j++) cov[j * d + i] = cov[i * d + j] /= (double)n;
    }
}

void uw__spectrum(const float *x, int64_t n, int32_t d, double *work, double *eigenvalues,
                  double *effective_rank, double *participation) {
    const size_t dim = d > 0 ? (size_t)d : 0;
    double *cov = work, *mean = work + dim * dim, *values = mean + dim;
    double sum = 0.0, squares = 0.0, entropy = 0.0;

    *effective_rank = *participation = 0.0;
    if (n > 0) {
        covariance(x, (size_t)n, dim, mean, cov);
        uw__jacobi_eigen(cov, d, values, NULL);
    } else {
        memset(values, 0, dim * sizeof *values);
    }
    for (size_t i = 0; i < dim; i++) {
        if (values[i] < 0.0) values[i] = 0.0; /* rounding below zero */
        sum += values[i];
        squares += values[i] * values[i];
        if (eigenvalues) eigenvalues[i] = values[i];
    }
    if (!(sum > 0.0)) return;
    for (size_t i = 0; i < dim; i++) {
        const double p = values[i] / sum;
        if (p > 0.0) entropy -= p * log(p);
    }
    *effective_rank = exp(entropy);
    *participation = sum * sum / squares;
}
