/* Small dense matrices: products, Cholesky, whitening, singular values, nearest rotation, joint
 * diagonalisation. */
#include "matrices.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "spectrum.h"

enum { MAX_SWEEPS = 64 };

void uw__matrix_multiply(const double *a, const double *b, int32_t n, int32_t k, int32_t m,
                         double *c) {
    memset(c, 0, (size_t)n * (size_t)m * sizeof *c);
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < k; l++) {
            const double x = a[i * k + l];
            for (int64_t j = 0; j < m; j++) c[i * m + j] += x * b[l * m + j];
        }
}

void uw__matrix_multiply_at(const double *a, const double *b, int32_t n, int32_t k, int32_t m,
                            double *c) {
    memset(c, 0, (size_t)n * (size_t)m * sizeof *c);
    for (int64_t l = 0; l < k; l++)
        for (int64_t i = 0; i < n; i++) {
            const double x = a[l * n + i];
            for (int64_t j = 0; j < m; j++) c[i * m + j] += x * b[l * m + j];
        }
}

double uw__matrix_norm(const double *a, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * a[i];
    return sqrt(sum);
}

/* ---- symmetric systems ---------------------------------------------------------------------- */

bool uw__cholesky(double *a, int32_t d, double ridge) {
    double trace = 0.0;
    for (int64_t i = 0; i < d; i++) trace += a[i * d + i];
    const double add = ridge * trace / (double)d;
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double sum = a[i * d + j] + (i == j ? add : 0.0);
            for (int64_t m = 0; m < j; m++) sum -= a[i * d + m] * a[j * d + m];
            /* what is left of a collinear column is rounding */
            if (i == j && !(sum > 64.0 * DBL_EPSILON * a[i * d + i])) return false;
            a[i * d + j] = i == j ? sqrt(sum) : sum / a[j * d + j];
        }
    }
    return true;
}

void uw__cholesky_solve(const double *factor, int32_t d, double *x) {
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = 0; j < i; j++) x[i] -= factor[i * d + j] * x[j];
        x[i] /= factor[i * d + i];
    }
    for (int64_t i = d - 1; i >= 0; i--) {
        for (int64_t j = i + 1; j < d; j++) x[i] -= factor[j * d + i] * x[j];
        x[i] /= factor[i * d + i];
    }
}

int32_t uw__whitener(const double *c, int32_t d, double floor, double *w, double *values,
                     double *work) {
    memcpy(work, c, (size_t)d * (size_t)d * sizeof *work);
    uw__jacobi_eigen(work, d, values, w);
    int32_t rank = 0;
    while (rank < d && values[rank] > 0.0 && values[rank] >= floor * values[0]) rank++;
    for (int64_t i = 0; i < rank; i++) {
        const double scale = 1.0 / sqrt(values[i]);
        for (int64_t j = 0; j < d; j++) w[i * d + j] *= scale;
    }
    return rank;
}

/* ---- singular values ------------------------------------------------------------------------ */

/* Turn columns p and q of a [n, m] by the rotation (c, s). */
static void turn_columns(double *a, int32_t n, int32_t m, int32_t p, int32_t q, double c,
                         double s) {
    for (int64_t i = 0; i < n; i++) {
        const double x = a[i * m + p], y = a[i * m + q];
        a[i * m + p] = c * x - s * y;
        a[i * m + q] = s * x + c * y;
    }
}

static bool orthogonalise(double *u, double *v, int32_t n, int32_t m, int32_t p, int32_t q) {
    double pp = 0.0, qq = 0.0, pq = 0.0;
    for (int64_t i = 0; i < n; i++) {
        pp += u[i * m + p] * u[i * m + p];
        qq += u[i * m + q] * u[i * m + q];
        pq += u[i * m + p] * u[i * m + q];
    }
    if (fabs(pq) <= 1e-15 * sqrt(pp * qq) || pq == 0.0) return false;
    const double tau = (qq - pp) / (2.0 * pq);
    const double t = (tau >= 0.0 ? 1.0 : -1.0) / (fabs(tau) + sqrt(1.0 + tau * tau));
    const double c = 1.0 / sqrt(1.0 + t * t);
    turn_columns(u, n, m, p, q, c, t * c);
    turn_columns(v, m, m, p, q, c, t * c);
    return true;
}

static void swap_columns(double *a, int32_t n, int32_t m, int32_t p, int32_t q) {
    for (int64_t i = 0; i < n; i++) {
        const double x = a[i * m + p];
        a[i * m + p] = a[i * m + q];
        a[i * m + q] = x;
    }
}

void uw__svd(const double *a, int32_t n, int32_t m, double *u, double *s, double *v) {
    if (u != a) memcpy(u, a, (size_t)n * (size_t)m * sizeof *u);
    memset(v, 0, (size_t)m * (size_t)m * sizeof *v);
    for (int64_t i = 0; i < m; i++) v[i * m + i] = 1.0;
    bool moved = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && moved; sweep++) {
        moved = false;
        for (int32_t p = 0; p + 1 < m; p++)
            for (int32_t q = p + 1; q < m; q++) moved = orthogonalise(u, v, n, m, p, q) || moved;
    }
    for (int64_t j = 0; j < m; j++) {
        double sum = 0.0;
        for (int64_t i = 0; i < n; i++) sum += u[i * m + j] * u[i * m + j];
        s[j] = sqrt(sum);
    }
    for (int32_t i = 0; i + 1 < m; i++) { /* largest first */
        int32_t best = i;
        for (int32_t j = i + 1; j < m; j++)
            if (s[j] > s[best]) best = j;
        if (best == i) continue;
        const double x = s[i];
        s[i] = s[best];
        s[best] = x;
        swap_columns(u, n, m, i, best);
        swap_columns(v, m, m, i, best);
    }
    const double least = m ? (double)(n + m) * DBL_EPSILON * s[0] : 0.0;
    for (int64_t j = 0; j < m; j++) {
        const double scale = s[j] > least ? 1.0 / s[j] : 0.0;
        for (int64_t i = 0; i < n; i++) u[i * m + j] *= scale;
    }
}

void uw__polar(const double *a, int32_t n, int32_t m, double *q, double *nuclear, double *work) {
    const int32_t rows = n > m ? n : m, columns = n > m ? m : n;
    double *u = work, *v = u + (int64_t)rows * columns, *s = v + (int64_t)columns * columns;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++)
            u[n >= m ? i * columns + j : j * columns + i] = a[i * m + j];
    uw__svd(u, rows, columns, u, s, v);
    double sum = 0.0;
    for (int32_t i = 0; i < columns; i++) sum += s[i];
    if (nuclear) *nuclear = sum;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            const double *ui = u + (n >= m ? i : j) * columns, *vj = v + (n >= m ? j : i) * columns;
            double dot = 0.0;
            for (int32_t k = 0; k < columns; k++) dot += ui[k] * vj[k];
            q[i * m + j] = dot;
        }
}

/* ---- several symmetric matrices at once ------------------------------------------------------ */

/* Rotate rows and columns p and q of a symmetric c [d, d] by (x, y) -> (co x + si y, co y - si x).
 */
static void turn(double *c, int32_t d, int32_t p, int32_t q, double co, double si) {
    for (int64_t i = 0; i < d; i++) {
        const double x = c[p * (int64_t)d + i], y = c[q * (int64_t)d + i];
        c[p * (int64_t)d + i] = co * x + si * y;
        c[q * (int64_t)d + i] = co * y - si * x;
    }
    for (int64_t i = 0; i < d; i++) {
        const double x = c[i * d + p], y = c[i * d + q];
        c[i * d + p] = co * x + si * y;
        c[i * d + q] = co * y - si * x;
    }
}

void uw__joint_diagonalise(double *c, int32_t count, int32_t d, double *v) {
    const int64_t size = (int64_t)d * d;
    memset(v, 0, (size_t)size * sizeof *v);
    for (int64_t i = 0; i < d; i++) v[i * d + i] = 1.0;
    bool moved = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && moved; sweep++) {
        moved = false;
        for (int32_t p = 0; p + 1 < d; p++) {
            for (int32_t q = p + 1; q < d; q++) {
                /* the angle that minimises the sum of squares off the diagonal in the plane (p, q)
                 */
                double on = 0.0, cross = 0.0;
                for (int32_t k = 0; k < count; k++) {
                    const double *ck = c + k * size;
                    const double g1 = ck[p * (int64_t)d + p] - ck[q * (int64_t)d + q];
                    const double g2 = 2.0 * ck[p * (int64_t)d + q];
                    on += g1 * g1 - g2 * g2;
                    cross += 2.0 * g1 * g2;
                }
                const double angle = 0.25 * atan2(cross, on);
                if (fabs(angle) < 1e-9) continue;
                moved = true;
                const double co = cos(angle), si = sin(angle);
                for (int32_t k = 0; k < count; k++) turn(c + k * size, d, p, q, co, si);
                for (int64_t i = 0; i < d; i++) {
                    const double x = v[p * (int64_t)d + i], y = v[q * (int64_t)d + i];
                    v[p * (int64_t)d + i] = co * x + si * y;
                    v[q * (int64_t)d + i] = co * y - si * x;
                }
            }
        }
    }
}
