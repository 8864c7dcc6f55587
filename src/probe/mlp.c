/* The small MLP probe: one hidden layer of GELU units, trained by AdamW on standardised rows.
 *
 * It answers whether a number is in the latent at all, where the linear probe asks whether it lies
 * along a direction.  Serial on the caller: at this size the pool would cost more than it saves,
 * and the bits depend on the seed alone. */
#include "fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

enum { HIDDEN = UW_MLP_HIDDEN, BATCH = 256, EPOCHS = 40, MIN_STEPS = 400, MAX_STEPS = 1200 };

/* Everything the trainer holds; one block of floats. */
typedef struct mlp {
    int32_t d, k;
    size_t num_params;
    float *w, *grad, *m, *v; /* [num_params]: w1 [HIDDEN, d], b1, w2 [k, HIDDEN], b2 */
    float *x, *h, *act, *y;  /* of one batch: [BATCH, d | HIDDEN | HIDDEN | k] */
    float *dh, *dy;          /* [BATCH, HIDDEN | k] */
    float *scratch;          /* of the GEMM */
    float *memory;
} mlp;

struct uw_mlp {
    mlp net;
    double *moments; /* mean_x, inv_x [d], mean_y, inv_y [k] */
};

static float *take(float **at, size_t count) {
    float *p = *at;
    *at += count;
    return p;
}

static uw_status mlp_new(mlp *p, int32_t d, int32_t k) {
    const size_t sd = (size_t)d, sk = (size_t)k;
    const size_t params = HIDDEN * sd + HIDDEN + sk * HIDDEN + sk;
    *p = (mlp){.d = d, .k = k, .num_params = params};
    p->memory = calloc(4 * params + BATCH * (sd + 3 * HIDDEN + 2 * sk) + UW_GEMM_SCRATCH,
                       sizeof *p->memory);
    if (!p->memory) return UW_ENOMEM;
    float *at = p->memory;
    p->w = take(&at, params);
    p->grad = take(&at, params);
    p->m = take(&at, params);
    p->v = take(&at, params);
    p->x = take(&at, BATCH * sd);
    p->h = take(&at, BATCH * HIDDEN);
    p->act = take(&at, BATCH * HIDDEN);
    p->dh = take(&at, BATCH * HIDDEN);
    p->y = take(&at, BATCH * sk);
    p->dy = take(&at, BATCH * sk);
    p->scratch = at;
    return UW_OK;
}

/* Weights uniform within 1 / sqrt(fan in), as PyTorch's linear layers; the output starts at 0. */
static void mlp_randomise(mlp *p, uint64_t seed) {
    uw_rng r = uw__rng(seed, UW_STREAM_INIT, 0);
    const float bound = 1.0f / sqrtf((float)p->d);
    const size_t first = HIDDEN * (size_t)p->d + HIDDEN;
    for (size_t i = 0; i < first; i++) p->w[i] = bound * (2.0f * uw__rng_uniform(&r) - 1.0f);
}

/* y [rows, k] from p->x [rows, d]. */
static void mlp_forward(const uw_kernels *kernels, mlp *p, size_t rows) {
    const size_t d = (size_t)p->d, k = (size_t)p->k;
    const float *w1 = p->w, *b1 = w1 + HIDDEN * d, *w2 = b1 + HIDDEN, *b2 = w2 + k * HIDDEN;
    kernels->gemm(&(uw_gemm_args){.trans_b = true,
                                  .m = rows,
                                  .n = HIDDEN,
                                  .k = d,
                                  .a = p->x,
                                  .lda = d,
                                  .b = w1,
                                  .ldb = d,
                                  .bias = b1,
                                  .c = p->h,
                                  .ldc = HIDDEN},
                  p->scratch);
    kernels->gelu(p->act, p->h, rows * HIDDEN);
    kernels->gemm(&(uw_gemm_args){.trans_b = true,
                                  .m = rows,
                                  .n = k,
                                  .k = HIDDEN,
                                  .a = p->act,
                                  .lda = HIDDEN,
                                  .b = w2,
                                  .ldb = HIDDEN,
                                  .bias = b2,
                                  .c = p->y,
                                  .ldc = k},
                  p->scratch);
}

/* Gradient of the batch from dy [rows, k]. */
static void mlp_backward(const uw_kernels *kernels, mlp *p, size_t rows) {
    const size_t d = (size_t)p->d, k = (size_t)p->k;
    float *g1 = p->grad, *gb1 = g1 + HIDDEN * d, *g2 = gb1 + HIDDEN, *gb2 = g2 + k * HIDDEN;
    const float *w2 = p->w + HIDDEN * d + HIDDEN;
    kernels->gemm(&(uw_gemm_args){.trans_a = true,
                                  .m = k,
                                  .n = HIDDEN,
                                  .k = rows,
                                  .a = p->dy,
                                  .lda = k,
                                  .b = p->act,
                                  .ldb = HIDDEN,
                                  .c = g2,
                                  .ldc = HIDDEN},
                  p->scratch);
    kernels->colsum(gb2, p->dy, rows, k, k, false);
    kernels->gemm(&(uw_gemm_args){.m = rows,
                                  .n = HIDDEN,
                                  .k = k,
                                  .a = p->dy,
                                  .lda = k,
                                  .b = w2,
                                  .ldb = HIDDEN,
                                  .c = p->dh,
                                  .ldc = HIDDEN},
                  p->scratch);
    kernels->gelu_backward(p->dh, p->dh, p->h, rows * HIDDEN);
    kernels->gemm(&(uw_gemm_args){.trans_a = true,
                                  .m = HIDDEN,
                                  .n = d,
                                  .k = rows,
                                  .a = p->dh,
                                  .lda = HIDDEN,
                                  .b = p->x,
                                  .ldb = d,
                                  .c = g1,
                                  .ldc = d},
                  p->scratch);
    kernels->colsum(gb1, p->dh, rows, HIDDEN, HIDDEN, false);
}

/* Column means and inverse deviations (1 when constant) of x [n, c], or of y when given. */
static void standardiser(const float *x, const double *y, int64_t n, int32_t c, double *mean,
                         double *inverse) {
    for (int32_t i = 0; i < c; i++) {
        double sum = 0.0, square = 0.0;
        for (int64_t r = 0; r < n; r++) sum += y ? y[r * c + i] : (double)x[r * c + i];
        mean[i] = sum / (double)n;
        for (int64_t r = 0; r < n; r++) {
            const double e = (y ? y[r * c + i] : (double)x[r * c + i]) - mean[i];
            square += e * e;
        }
        const double std = sqrt(square / (double)n);
        inverse[i] = std > 1e-12 ? 1.0 / std : 1.0;
    }
}

static void load_row(const mlp *p, const float *x, const double *mean, const double *inverse,
                     size_t slot) {
    for (int32_t i = 0; i < p->d; i++)
        p->x[slot * (size_t)p->d + (size_t)i] = (float)(((double)x[i] - mean[i]) * inverse[i]);
}

typedef struct scaling {
    const double *mean_x, *inv_x, *mean_y, *inv_y;
} scaling;

static void mlp_train(const uw_kernels *kernels, mlp *p, const float *x, const double *y, int64_t n,
                      const scaling *z, uint64_t seed) {
    int64_t steps = EPOCHS * n / BATCH;
    steps = steps < MIN_STEPS ? MIN_STEPS : steps > MAX_STEPS ? MAX_STEPS : steps;
    const size_t rows = n < BATCH ? (size_t)n : BATCH, k = (size_t)p->k;
    uw_adamw_args a = {
        .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 1e-4f, .grad_scale = 1.0f};
    double power1 = 1.0, power2 = 1.0;
    for (int64_t step = 0; step < steps; step++) {
        uw_rng r = uw__rng(seed, UW_STREAM_BATCH, (uint64_t)step);
        for (size_t b = 0; b < rows; b++) {
            const int64_t i = (int64_t)uw__rng_below(&r, (uint32_t)n);
            load_row(p, x + i * p->d, z->mean_x, z->inv_x, b);
            for (size_t t = 0; t < k; t++) {
                const double want = y[(size_t)i * k + t];
                p->dy[b * k + t] = (float)((want - z->mean_y[t]) * z->inv_y[t]);
            }
        }
        mlp_forward(kernels, p, rows);
        const float scale = 2.0f / (float)rows;
        for (size_t i = 0; i < rows * k; i++) p->dy[i] = scale * (p->y[i] - p->dy[i]);
        mlp_backward(kernels, p, rows);
        power1 *= 0.9;
        power2 *= 0.999;
        a.bias1 = (float)(1.0 - power1);
        a.bias2 = (float)(1.0 - power2);
        a.lr = (float)(3e-3 * 0.5 *
                       (1.0 + cos(3.14159265358979323846 * (double)step / (double)steps)));
        kernels->adamw(p->w, p->m, p->v, p->grad, p->num_params, &a);
    }
}

static void mlp_predict(const uw_kernels *kernels, mlp *p, const float *x, int64_t m,
                        const scaling *z, double *y) {
    const size_t k = (size_t)p->k;
    for (int64_t first = 0; first < m; first += BATCH) {
        const size_t rows = (size_t)(m - first < BATCH ? m - first : BATCH);
        for (size_t b = 0; b < rows; b++)
            load_row(p, x + (first + (int64_t)b) * p->d, z->mean_x, z->inv_x, b);
        mlp_forward(kernels, p, rows);
        for (size_t b = 0; b < rows; b++)
            for (size_t t = 0; t < k; t++)
                y[((size_t)first + b) * k + t] =
                    (double)p->y[b * k + t] / z->inv_y[t] + z->mean_y[t];
    }
}

static scaling scaling_of(const uw_mlp *p) {
    const double *mean_x = p->moments, *inv_x = mean_x + p->net.d, *mean_y = inv_x + p->net.d;
    return (scaling){mean_x, inv_x, mean_y, mean_y + p->net.k};
}

uw_status uw__mlp_fit(const uw_kernels *kernels, const float *x, const double *y, int64_t n,
                      int32_t d, int32_t k, uint64_t seed, uw_mlp **out) {
    uw_mlp *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) return UW_ENOMEM;
    p->moments = calloc(2 * ((size_t)d + (size_t)k), sizeof *p->moments);
    if (!p->moments || mlp_new(&p->net, d, k)) {
        uw__mlp_free(p);
        return UW_ENOMEM;
    }
    double *mean_x = p->moments, *inv_x = mean_x + d, *mean_y = inv_x + d, *inv_y = mean_y + k;
    standardiser(x, NULL, n, d, mean_x, inv_x);
    standardiser(NULL, y, n, k, mean_y, inv_y);
    const scaling z = scaling_of(p);
    mlp_randomise(&p->net, seed);
    mlp_train(kernels, &p->net, x, y, n, &z, seed);
    *out = p;
    return UW_OK;
}

void uw__mlp_predict(const uw_kernels *kernels, uw_mlp *p, const float *x, int64_t m, double *y) {
    const scaling z = scaling_of(p);
    mlp_predict(kernels, &p->net, x, m, &z, y);
}

void uw__mlp_free(uw_mlp *p) {
    if (!p) return;
    free(p->net.memory);
    free(p->moments);
    free(p);
}

uw_status uw__mlp_probe(const uw_kernels *kernels, const float *x, const double *y, int64_t n,
                        int32_t d, int32_t k, const float *x_test, int64_t m, uint64_t seed,
                        double *y_test) {
    uw_mlp *p = NULL;
    const uw_status s = uw__mlp_fit(kernels, x, y, n, d, k, seed, &p);
    if (!s) uw__mlp_predict(kernels, p, x_test, m, y_test);
    uw__mlp_free(p);
    return s;
}
