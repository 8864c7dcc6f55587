/* Scores of a regression and rank correlation: plain definitions, accumulated in double. */
#include "fit.h"

#include <math.h>
#include <stdlib.h>

uw_score uw__score(const double *predicted, const double *truth, int64_t n, int32_t k, int32_t j) {
    uw_score s = {.r2 = NAN, .r = NAN, .rmse = NAN};
    if (n < 1) return s;
    double mean_p = 0.0, mean_t = 0.0;
    for (int64_t i = 0; i < n; i++) {
        mean_p += predicted[i * k + j];
        mean_t += truth[i * k + j];
    }
    mean_p /= (double)n;
    mean_t /= (double)n;
    double pp = 0.0, tt = 0.0, pt = 0.0, ee = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double p = predicted[i * k + j] - mean_p, t = truth[i * k + j] - mean_t;
        const double e = predicted[i * k + j] - truth[i * k + j];
        pp += p * p;
        tt += t * t;
        pt += p * t;
        ee += e * e;
    }
    s.rmse = sqrt(ee / (double)n);
    if (!(tt > 0.0)) return s;
    s.r2 = 1.0 - ee / tt;
    s.r = pp > 0.0 ? pt / sqrt(pp * tt) : 0.0;
    return s;
}

typedef struct ranked {
    double value;
    int64_t index;
} ranked;

static int by_value(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Ranks 1 .. n into out, ties sharing their mean rank. */
static void rank_values(const double *x, int64_t n, ranked *sorted, double *out) {
    for (int64_t i = 0; i < n; i++) sorted[i] = (ranked){x[i], i};
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    for (int64_t i = 0; i < n;) {
        int64_t end = i + 1;
        while (end < n && sorted[end].value == sorted[i].value) end++;
        const double rank = 0.5 * (double)(i + 1 + end);
        for (; i < end; i++) out[sorted[i].index] = rank;
    }
}

double uw__spearman(const double *x, const double *y, int64_t n, double *work) {
    if (n < 2) return NAN;
    ranked *sorted = (ranked *)(void *)work;
    double *rx = work + 2 * n, *ry = work + 3 * n;
    rank_values(x, n, sorted, rx);
    rank_values(y, n, sorted, ry);
    const double mean = 0.5 * (double)(n + 1);
    double xx = 0.0, yy = 0.0, xy = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double a = rx[i] - mean, b = ry[i] - mean;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    return xx > 0.0 && yy > 0.0 ? xy / sqrt(xx * yy) : NAN;
}

void uw__spearman_interval(double rho, int64_t n, double interval[2]) {
    interval[0] = interval[1] = NAN;
    if (n < 4 || !(fabs(rho) < 1.0)) return;
    const double half = 1.9599639845400545 * sqrt((1.0 + 0.5 * rho * rho) / (double)(n - 3));
    interval[0] = tanh(atanh(rho) - half);
    interval[1] = tanh(atanh(rho) + half);
}
