/* Eigenvalues of a general real matrix: elimination to Hessenberg form, then the double-shift QR
 * algorithm.
 *
 * After the procedures elmhes and hqr of Martin, Peters and Wilkinson (Numer. Math. 12, 1968, and
 * 14, 1970), by way of EISPACK, which is in the public domain. */
#include <float.h>
#include <math.h>

#include "matrices.h"

enum { MAX_STEPS = 90 };

#define A(i, j) a[(int64_t)(i)*d + (j)]

static void swap(double *x, double *y) {
    const double t = *x;
    *x = *y;
    *y = t;
}

static void to_hessenberg(double *a, int32_t d) {
    for (int32_t m = 1; m + 1 < d; m++) {
        int32_t pivot = m;
        for (int32_t i = m; i < d; i++)
            if (fabs(A(i, m - 1)) > fabs(A(pivot, m - 1))) pivot = i;
        const double x = A(pivot, m - 1);
        if (x == 0.0) continue;
        if (pivot != m) {
            for (int32_t j = m - 1; j < d; j++) swap(&A(pivot, j), &A(m, j));
            for (int32_t i = 0; i < d; i++) swap(&A(i, pivot), &A(i, m));
        }
        for (int32_t i = m + 1; i < d; i++) {
            const double y = A(i, m - 1) / x;
            A(i, m - 1) = 0.0;
            for (int32_t j = m; y != 0.0 && j < d; j++) A(i, j) -= y * A(m, j);
            for (int32_t k = 0; y != 0.0 && k < d; k++) A(k, m) += y * A(k, i);
        }
    }
}

/* Eigenvalues of the trailing 2 x 2 block, whose corner entries are y, x and off-diagonal product
 * w. */
static void pair(double x, double y, double w, double *re, double *im) {
    const double p = 0.5 * (y - x), q = p * p + w, root = sqrt(fabs(q));
    if (q >= 0.0) {
        const double z = p + copysign(root, p);
        re[0] = x + z;
        re[1] = z != 0.0 ? x - w / z : re[0];
        im[0] = im[1] = 0.0;
    } else {
        re[0] = re[1] = x + p;
        im[0] = root;
        im[1] = -root;
    }
}

/* A bulge of three numbers that a sweep chases down the diagonal. */
typedef struct bulge {
    double p, q, r;
} bulge;

/* Where to start the sweep: two small consecutive subdiagonal entries, at or below row `low`. */
static int32_t start_row(const double *a, int32_t d, int32_t low, int32_t high, double x, double y,
                         double w, bulge *b) {
    for (int32_t m = high - 2;; m--) {
        const double z = A(m, m), r = x - z, s = y - z;
        b->p = (r * s - w) / A(m + 1, m) + A(m, m + 1);
        b->q = A(m + 1, m + 1) - z - r - s;
        b->r = A(m + 2, m + 1);
        const double scale = fabs(b->p) + fabs(b->q) + fabs(b->r);
        b->p /= scale;
        b->q /= scale;
        b->r /= scale;
        if (m == low) return m;
        const double u = fabs(A(m, m - 1)) * (fabs(b->q) + fabs(b->r));
        const double v = fabs(b->p) * (fabs(A(m - 1, m - 1)) + fabs(z) + fabs(A(m + 1, m + 1)));
        if (u <= DBL_EPSILON * v) return m;
    }
}

/* One double QR step on rows and columns low .. high, from row m. */
static void sweep(double *a, int32_t d, int32_t low, int32_t high, int32_t m, bulge b) {
    for (int32_t i = m + 2; i <= high; i++) {
        A(i, i - 2) = 0.0;
        if (i > m + 2) A(i, i - 3) = 0.0;
    }
    for (int32_t k = m; k < high; k++) {
        const bool last = k == high - 1;
        double scale = 1.0;
        if (k != m) {
            b = (bulge){A(k, k - 1), A(k + 1, k - 1), last ? 0.0 : A(k + 2, k - 1)};
            scale = fabs(b.p) + fabs(b.q) + fabs(b.r);
            if (scale == 0.0) continue;
            b.p /= scale;
            b.q /= scale;
            b.r /= scale;
        }
        const double s = copysign(sqrt(b.p * b.p + b.q * b.q + b.r * b.r), b.p);
        if (s == 0.0) continue;
        if (k != m)
            A(k, k - 1) = -s * scale;
        else if (low != m)
            A(k, k - 1) = -A(k, k - 1);
        b.p += s;
        const double x = b.p / s, y = b.q / s, z = b.r / s;
        const double q = b.q / b.p, r = b.r / b.p;
        for (int32_t j = k; j <= high; j++) {
            double p = A(k, j) + q * A(k + 1, j);
            if (!last) {
                p += r * A(k + 2, j);
                A(k + 2, j) -= p * z;
            }
            A(k + 1, j) -= p * y;
            A(k, j) -= p * x;
        }
        const int32_t end = high < k + 3 ? high : k + 3;
        for (int32_t i = low; i <= end; i++) {
            double p = x * A(i, k) + y * A(i, k + 1);
            if (!last) {
                p += z * A(i, k + 2);
                A(i, k + 2) -= p * r;
            }
            A(i, k + 1) -= p * q;
            A(i, k) -= p;
        }
    }
}

bool uw__eigenvalues(double *a, int32_t d, double *re, double *im) {
    double norm = 0.0, shift = 0.0;
    to_hessenberg(a, d);
    for (int64_t i = 0; i < (int64_t)d * d; i++) norm += fabs(a[i]);
    if (!isfinite(norm)) return false;
    for (int32_t high = d - 1, steps = 0; high >= 0;) {
        int32_t low = high;
        for (; low > 0; low--) {
            const double s = fabs(A(low - 1, low - 1)) + fabs(A(low, low));
            if (fabs(A(low, low - 1)) <= DBL_EPSILON * (s == 0.0 ? norm : s)) break;
        }
        if (low > 0) A(low, low - 1) = 0.0;
        double x = A(high, high);
        if (low == high) {
            re[high] = x + shift;
            im[high--] = 0.0;
            steps = 0;
            continue;
        }
        double y = A(high - 1, high - 1), w = A(high, high - 1) * A(high - 1, high);
        if (low == high - 1) {
            pair(x + shift, y + shift, w, re + low, im + low);
            high -= 2;
            steps = 0;
            continue;
        }
        if (++steps > MAX_STEPS) return false;
        if (steps % 10 == 0) { /* an exceptional shift breaks a cycle */
            shift += x;
            for (int32_t i = 0; i <= high; i++) A(i, i) -= x;
            const double s = fabs(A(high, high - 1)) + fabs(A(high - 1, high - 2));
            y = x = 0.75 * s;
            w = -0.4375 * s * s;
        }
        bulge b;
        const int32_t m = start_row(a, d, low, high, x, y, w, &b);
        sweep(a, d, low, high, m, b);
    }
    return true;
}
