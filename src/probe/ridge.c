/* Ridge regression by Cholesky, its penalty chosen by the exact leave-one-out error.
 *
 * With centred rows x_i, G = sum x_i x_i' and L L' = G + lambda I, the error that row i would have
 * had if left out is e_i / (1 - h_i), h_i = 1/n + |L^-1 x_i|^2: no refit is needed.  Work is split
 * into fixed tasks whose sums are folded in order, so the bits do not depend on the number of
 * threads. */
#include "fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANES = 8,     /* rows solved side by side, so that the substitution vectorises */
    GRAM_ROWS = 8, /* rows of the Gram matrix per task */
    BLOCK = 64     /* data rows per leave-one-out task */
};

/* Relative to the mean variance of the latent's numbers times n. */
static const double penalty_grid[UW_RIDGE_GRID] = {1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0};

typedef struct job {
    int64_t n;
    int32_t d, k;
    const double *xc;     /* [n, d] centred */
    const double *yc;     /* [n, k] centred */
    double *gram;         /* [d, d] upper part */
    const double *factor; /* [d, d] lower Cholesky factor of gram + lambda I */
    const double *weight; /* [k, d] of the current penalty */
    double *solve;        /* [threads, d, LANES] */
    double *error;        /* [blocks, k] leave-one-out squared errors */
} job;

static void gram_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const job *j = arg;
    const int32_t first = (int32_t)index * GRAM_ROWS;
    const int32_t last = first + GRAM_ROWS < j->d ? first + GRAM_ROWS : j->d;
    for (int64_t r = 0; r < j->n; r++) {
        const double *x = j->xc + r * j->d;
        for (int32_t a = first; a < last; a++) {
            double *row = j->gram + (int64_t)a * j->d;
            const double xa = x[a];
            for (int32_t b = a; b < j->d; b++) row[b] += xa * x[b];
        }
    }
}

/* Factor = lower Cholesky of gram + lambda I; false when it is not positive definite. */
static bool cholesky(const double *gram, int32_t d, double lambda, double *factor) {
    for (int32_t i = 0; i < d; i++) {
        double *li = factor + (int64_t)i * d;
        for (int32_t j = 0; j <= i; j++) {
            const double *lj = factor + (int64_t)j * d;
            double sum = gram[(int64_t)j * d + i] + (i == j ? lambda : 0.0);
            for (int32_t m = 0; m < j; m++) sum -= li[m] * lj[m];
            if (i == j && !(sum > 0.0)) return false;
            li[j] = i == j ? sqrt(sum) : sum / lj[j];
        }
    }
    return true;
}

/* x = (L L')^-1 b in place. */
static void cholesky_solve(const double *factor, int32_t d, double *x) {
    for (int32_t i = 0; i < d; i++) {
        const double *li = factor + (int64_t)i * d;
        double sum = x[i];
        for (int32_t j = 0; j < i; j++) sum -= li[j] * x[j];
        x[i] = sum / li[i];
    }
    for (int32_t i = d - 1; i >= 0; i--) {
        double sum = x[i];
        for (int32_t j = i + 1; j < d; j++) sum -= factor[(int64_t)j * d + i] * x[j];
        x[i] = sum / factor[(int64_t)i * d + i];
    }
}

/* Squared norms of L^-1 x for up to LANES rows of xc. */
static void leverages(const job *j, int64_t first, int32_t lanes, double *v, double *out) {
    memset(out, 0, LANES * sizeof *out);
    for (int32_t i = 0; i < j->d; i++) {
        const double *li = j->factor + (int64_t)i * j->d;
        double sum[LANES] = {0};
        for (int32_t l = 0; l < lanes; l++) sum[l] = j->xc[(first + l) * j->d + i];
        for (int32_t m = 0; m < i; m++) {
            const double *vm = v + (int64_t)m * LANES;
            for (int32_t l = 0; l < LANES; l++) sum[l] -= li[m] * vm[l];
        }
        double *vi = v + (int64_t)i * LANES;
        for (int32_t l = 0; l < LANES; l++) {
            vi[l] = sum[l] / li[i];
            out[l] += vi[l] * vi[l];
        }
    }
}

static void leave_one_out_task(void *arg, size_t index, int32_t worker) {
    const job *j = arg;
    const int64_t begin = (int64_t)index * BLOCK;
    const int64_t end = begin + BLOCK < j->n ? begin + BLOCK : j->n;
    double *v = j->solve + (int64_t)worker * j->d * LANES;
    double *error = j->error + (int64_t)index * j->k;
    for (int32_t t = 0; t < j->k; t++) error[t] = 0.0;
    for (int64_t first = begin; first < end; first += LANES) {
        const int32_t lanes = (int32_t)(end - first < LANES ? end - first : LANES);
        double h[LANES];
        leverages(j, first, lanes, v, h);
        for (int32_t l = 0; l < lanes; l++) {
            const double *x = j->xc + (first + l) * j->d;
            /* a row that alone fixes a direction has leverage 1 and no left-out prediction */
            const double left = fmax(1.0 - 1.0 / (double)j->n - h[l], 1e-12);
            for (int32_t t = 0; t < j->k; t++) {
                double e = j->yc[(first + l) * j->k + t];
                const double *w = j->weight + (int64_t)t * j->d;
                for (int32_t i = 0; i < j->d; i++) e -= w[i] * x[i];
                error[t] += (e / left) * (e / left);
            }
        }
    }
}

/* Subtract column means of x [n, c] into out, writing the means. */
static void centre(const double *y, const float *x, int64_t n, int32_t c, double *mean,
                   double *out) {
    for (int32_t i = 0; i < c; i++) mean[i] = 0.0;
    for (int64_t r = 0; r < n; r++)
        for (int32_t i = 0; i < c; i++) mean[i] += y ? y[r * c + i] : (double)x[r * c + i];
    for (int32_t i = 0; i < c; i++) mean[i] /= (double)n;
    for (int64_t r = 0; r < n; r++)
        for (int32_t i = 0; i < c; i++)
            out[r * c + i] = (y ? y[r * c + i] : (double)x[r * c + i]) - mean[i];
}

uw_status uw__ridge_new(int32_t d, int32_t k, uw_ridge *out) {
    const size_t sd = (size_t)d, sk = (size_t)k;
    double *memory = calloc(sd + sk * sd + 2 * sk, sizeof *memory);
    if (!memory) return UW_ENOMEM;
    *out = (uw_ridge){.dim = d, .targets = k, .memory = memory, .mean = memory};
    out->weight = out->mean + sd;
    out->intercept = out->weight + sk * sd;
    out->penalty = out->intercept + sk;
    return UW_OK;
}

/* Try one penalty: keep its weights for every target whose left-out error it lowers. */
static void try_penalty(uw_pool *pool, job *j, double lambda, double *factor, double *weight,
                        const double *xty, double *best, uw_ridge *ridge) {
    if (!cholesky(j->gram, j->d, lambda, factor)) return;
    memcpy(weight, xty, (size_t)j->k * (size_t)j->d * sizeof *weight);
    for (int32_t t = 0; t < j->k; t++) cholesky_solve(factor, j->d, weight + (int64_t)t * j->d);
    j->factor = factor;
    j->weight = weight;
    const size_t blocks = (size_t)((j->n + BLOCK - 1) / BLOCK);
    uw__pool_run(pool, blocks, leave_one_out_task, j);
    for (int32_t t = 0; t < j->k; t++) {
        double sum = 0.0;
        for (size_t b = 0; b < blocks; b++) sum += j->error[b * (size_t)j->k + (size_t)t];
        if (!(sum < best[t])) continue;
        best[t] = sum;
        ridge->penalty[t] = lambda;
        memcpy(ridge->weight + (int64_t)t * j->d, weight + (int64_t)t * j->d,
               (size_t)j->d * sizeof *weight);
    }
}

uw_status uw__ridge_fit(uw_pool *pool, const float *x, const double *y, int64_t n, int32_t d,
                        int32_t k, uw_ridge *out) {
    uw_status s = UW_ENOMEM;
    uw_ridge ridge = {0};
    const size_t sn = (size_t)n, sd = (size_t)d, sk = (size_t)k;
    const size_t blocks = (sn + BLOCK - 1) / BLOCK;
    const size_t threads = (size_t)uw__pool_threads(pool);
    double *memory = calloc(sn * sd + sn * sk + 2 * sd * sd + 2 * sk * sd + sk +
                                threads * sd * LANES + blocks * sk,
                            sizeof *memory);
    if (!memory || uw__ridge_new(d, k, &ridge)) goto done;
    double *xc = memory, *yc = xc + sn * sd, *gram = yc + sn * sk, *factor = gram + sd * sd;
    double *weight = factor + sd * sd, *xty = weight + sk * sd, *best = xty + sk * sd;
    job j = {.n = n, .d = d, .k = k, .xc = xc, .yc = yc, .gram = gram, .solve = best + sk};
    j.error = j.solve + threads * sd * LANES;

    centre(NULL, x, n, d, ridge.mean, xc);
    centre(y, NULL, n, k, ridge.intercept, yc);
    uw__pool_run(pool, (sd + GRAM_ROWS - 1) / GRAM_ROWS, gram_task, &j);
    double scale = 0.0;
    for (size_t i = 0; i < sd; i++) scale += gram[i * sd + i] / (double)d;
    if (!(scale > 0.0)) scale = 1.0; /* one point: every weight is 0 */
    for (int64_t r = 0; r < n; r++)
        for (size_t t = 0; t < sk; t++)
            for (size_t i = 0; i < sd; i++)
                xty[t * sd + i] += yc[(size_t)r * sk + t] * xc[(size_t)r * sd + i];
    for (size_t t = 0; t < sk; t++) best[t] = INFINITY;
    for (int g = 0; g < UW_RIDGE_GRID; g++)
        try_penalty(pool, &j, penalty_grid[g] * scale, factor, weight, xty, best, &ridge);
    s = UW_OK;
done:
    free(memory);
    if (s)
        uw__ridge_fini(&ridge);
    else
        *out = ridge;
    return s;
}

void uw__ridge_fini(uw_ridge *ridge) {
    free(ridge->memory);
    *ridge = (uw_ridge){0};
}

void uw__ridge_predict(const uw_ridge *ridge, const float *x, int64_t n, double *y) {
    for (int64_t r = 0; r < n; r++) {
        for (int32_t t = 0; t < ridge->targets; t++) {
            const double *w = ridge->weight + (int64_t)t * ridge->dim;
            double sum = ridge->intercept[t];
            for (int32_t i = 0; i < ridge->dim; i++)
                sum += w[i] * ((double)x[r * ridge->dim + i] - ridge->mean[i]);
            y[r * ridge->targets + t] = sum;
        }
    }
}
