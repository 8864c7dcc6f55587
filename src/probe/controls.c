/* What a probe could read without any learning: from fresh weights, and from the observation
 * itself. */
#include "probe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "model_internal.h"
#include "rng.h"
#include "spectrum.h"

enum {
    FIT_ROWS = 1024, /* rows that main directions are found on */
    MAX_EDGE = 64,   /* pictures are averaged down to at most this edge */
    SPARE = 8,       /* directions beyond those wanted, so that the last ones settle */
    SWEEPS = 4,      /* of subspace iteration (Halko, Martinsson, Tropp 2011: two or three do) */
    CHUNK = 256
};

/* ---- an untrained encoder ------------------------------------------------------------------- */

uw_status uw__control_untrained(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                                const uw_observe *observe, const uw_row *rows, int64_t n,
                                uint64_t seed, float *z, uw_err *err) {
    const uw_net *net = uw__model_net(model);
    uw_model *fresh = NULL;
    float *numbers = calloc(net->num_params + net->num_buffers + 1, sizeof *numbers);
    if (!numbers) return uw_fail(err, UW_ENOMEM, "probe: an untrained encoder");
    uw__net_randomise(net, seed, numbers, numbers + net->num_params);
    uw_status s =
        uw__model_new(uw_model_config_of(model), numbers, numbers + net->num_params,
                      uw__model_normalisers(model), uw_model_provenance(model), &fresh, err);
    if (!s) s = uw__rows_encode(ctx, fresh, data, observe, rows, n, z, err);
    uw_model_unload(fresh);
    free(numbers);
    return s;
}

/* ---- the observation's main directions ------------------------------------------------------ */

typedef struct pca {
    uw_context *ctx;
    const uw_dataset *data;
    const uw_observe *observe;
    int32_t edge, factor; /* of pictures: edge as recorded, and pixels averaged per side */
    int64_t dim;          /* numbers of an observation, after averaging */
    int32_t wide;         /* directions that are iterated */
    float *mean;          /* [dim] */
    float *direction;     /* [wide, dim] orthonormal rows, main ones first */
    float *scratch;       /* of the GEMM */
} pca;

typedef struct averaging {
    const pca *p;
    const uint8_t *raw;
    float *x;
} averaging;

/* One picture as numbers, averaged in squares of `factor` pixels; what is left over at the edges is
 * dropped. */
static void average_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const averaging *a = arg;
    const int32_t edge = a->p->edge, factor = a->p->factor, small = edge / factor;
    const uint8_t *frame = a->raw + index * a->p->observe->frame_bytes;
    float *to = a->x + (int64_t)index * a->p->dim;
    const float scale = 1.0f / (float)(factor * factor);
    for (int32_t row = 0; row < small; row++)
        for (int32_t col = 0; col < small; col++)
            for (int32_t c = 0; c < 3; c++) {
                int32_t sum = 0;
                for (int32_t y = 0; y < factor; y++)
                    for (int32_t x = 0; x < factor; x++)
                        sum += frame[((row * factor + y) * edge + col * factor + x) * 3 + c];
                *to++ = scale * (float)sum;
            }
}

/* x [count, dim]: observations as numbers. */
static uw_status read_observations(const pca *p, const uw_row *rows, int64_t count, float *x,
                                   uw_err *err) {
    if (!p->observe->pictures)
        return uw__rows_columns(p->ctx, p->data, p->observe, rows, count, x, err);
    uint8_t *raw = malloc((size_t)count * p->observe->frame_bytes + 1);
    if (!raw) return uw_fail(err, UW_ENOMEM, "probe: %lld pictures", (long long)count);
    const uw_status s = uw__rows_frames(p->ctx, p->data, p->observe, rows, count, raw, err);
    averaging a = {p, raw, x};
    if (!s) uw__pool_run(p->ctx->pool, (size_t)count, average_task, &a);
    free(raw);
    return s;
}

/* c [m, n] = a [m, k] b' with b [n, k], or a b with b [k, n]. */
static void multiply(const pca *p, const float *a, const float *b, bool trans_b, int64_t m,
                     int64_t n, int64_t k, float *c) {
    p->ctx->kernels->gemm(&(uw_gemm_args){.trans_b = trans_b,
                                          .m = (size_t)m,
                                          .n = (size_t)n,
                                          .k = (size_t)k,
                                          .a = a,
                                          .lda = (size_t)k,
                                          .b = b,
                                          .ldb = (size_t)(trans_b ? k : n),
                                          .c = c,
                                          .ldc = (size_t)n},
                          p->scratch);
}

/* Orthonormal rows, by Gram-Schmidt twice over; rows that depend on earlier ones become 0. */
static void orthonormalise(float *rows, int32_t count, int64_t dim) {
    for (int32_t i = 0; i < count; i++) {
        float *x = rows + i * dim;
        double before = 0.0, after = 0.0;
        for (int64_t c = 0; c < dim; c++) before += (double)x[c] * (double)x[c];
        for (int pass = 0; pass < 2; pass++) {
            for (int32_t j = 0; j < i; j++) {
                const float *y = rows + j * dim;
                double dot = 0.0;
                for (int64_t c = 0; c < dim; c++) dot += (double)x[c] * (double)y[c];
                for (int64_t c = 0; c < dim; c++) x[c] -= (float)dot * y[c];
            }
        }
        for (int64_t c = 0; c < dim; c++) after += (double)x[c] * (double)x[c];
        const float scale = after > 1e-10 * before ? (float)(1.0 / sqrt(after)) : 0.0f;
        for (int64_t c = 0; c < dim; c++) x[c] *= scale;
    }
}

/* Turn the directions so that they are the main ones in order, from their scores t [n, wide]
 * (Rayleigh, Ritz). */
static uw_status turn(pca *p, const float *t, int64_t n) {
    const size_t w = (size_t)p->wide;
    double *cov = calloc(2 * w * w + w, sizeof *cov), *vectors = cov + w * w;
    float *turned = malloc(w * (size_t)p->dim * sizeof *turned);
    const uw_status s = cov && turned ? UW_OK : UW_ENOMEM;
    if (s) goto done;
    for (int64_t r = 0; r < n; r++)
        for (size_t i = 0; i < w; i++)
            for (size_t j = 0; j < w; j++)
                cov[i * w + j] += (double)t[(size_t)r * w + i] * (double)t[(size_t)r * w + j];
    uw__jacobi_eigen(cov, p->wide, vectors + w * w, vectors);
    for (size_t i = 0; i < w; i++)
        for (int64_t c = 0; c < p->dim; c++) {
            double sum = 0.0;
            for (size_t j = 0; j < w; j++)
                sum += vectors[i * w + j] * (double)p->direction[j * (size_t)p->dim + (size_t)c];
            turned[i * (size_t)p->dim + (size_t)c] = (float)sum;
        }
    memcpy(p->direction, turned, w * (size_t)p->dim * sizeof *turned);
done:
    free(cov);
    free(turned);
    return s;
}

/* Main directions of x [n, dim], centred in place, by subspace iteration on x' x. */
static uw_status find_directions(pca *p, float *x, int64_t n, uint64_t seed) {
    const size_t floats = (size_t)p->wide * (size_t)p->dim;
    float *t = malloc((size_t)n * (size_t)p->wide * sizeof *t);
    float *across = malloc((size_t)n * (size_t)p->wide * sizeof *across);
    uw_status s = t && across ? UW_OK : UW_ENOMEM;
    uw_rng r = uw__rng(seed, UW_STREAM_INIT, 1);
    for (int64_t c = 0; c < p->dim && !s; c++) {
        double sum = 0.0;
        for (int64_t i = 0; i < n; i++) sum += (double)x[i * p->dim + c];
        p->mean[c] = (float)(sum / (double)n);
        for (int64_t i = 0; i < n; i++) x[i * p->dim + c] -= p->mean[c];
    }
    if (!s) uw__rng_fill_normal(&r, p->direction, floats);
    for (int sweep = 0; sweep <= SWEEPS && !s; sweep++) {
        orthonormalise(p->direction, p->wide, p->dim);
        multiply(p, x, p->direction, true, n, p->wide, p->dim, t); /* t = x q' */
        if (sweep == SWEEPS) break;
        for (int64_t i = 0; i < n; i++)
            for (int32_t j = 0; j < p->wide; j++) across[j * n + i] = t[i * p->wide + j];
        multiply(p, across, x, false, p->wide, p->dim, n, p->direction); /* q = t' x */
    }
    if (!s) s = turn(p, t, n);
    free(t);
    free(across);
    return s;
}

/* Rows spread evenly over those of the fitted half; returns how many. */
static int64_t choose_rows(const uw_row *rows, int64_t n, const bool *held, uw_row *out) {
    int64_t total = 0, count = 0, seen = 0;
    for (int64_t i = 0; i < n; i++) total += !held[rows[i].episode];
    const int64_t want = total < FIT_ROWS ? total : FIT_ROWS;
    for (int64_t i = 0; i < n && count < want; i++) {
        if (held[rows[i].episode]) continue;
        if (seen++ * want / total >= count) out[count++] = rows[i];
    }
    return count;
}

static uw_status project(const pca *p, const uw_row *rows, int64_t n, int32_t dim, float *out,
                         uw_err *err) {
    float *x = malloc(CHUNK * (size_t)p->dim * sizeof *x);
    uw_status s = x ? UW_OK : uw_fail(err, UW_ENOMEM, "probe: %d observations", CHUNK);
    for (int64_t first = 0; first < n && !s; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        s = read_observations(p, rows + first, count, x, err);
        if (s) break;
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; c < p->dim; c++) x[i * p->dim + c] -= p->mean[c];
        multiply(p, x, p->direction, true, count, dim, p->dim, out + first * dim);
    }
    free(x);
    return s;
}

uw_status uw__control_pca(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                          const uw_observe *observe, const uw_row *rows, int64_t n,
                          const bool *held, int32_t *dim, float *x, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    pca p = {.ctx = ctx, .data = data, .observe = observe, .edge = config->image_size, .factor = 1};
    uw_row *chosen = malloc(FIT_ROWS * sizeof *chosen);
    float *fit = NULL;
    uw_status s = UW_OK;
    *dim = 0;
    if (observe->pictures)
        while (p.edge / p.factor > MAX_EDGE) p.factor++;
    p.dim =
        observe->pictures ? (int64_t)(p.edge / p.factor) * (p.edge / p.factor) * 3 : observe->dim;
    const int64_t count = chosen ? choose_rows(rows, n, held, chosen) : 0;
    const int64_t most = p.dim < count ? p.dim : count;
    const int32_t want = (int32_t)(most < config->latent_dim ? most : config->latent_dim);
    p.wide = (int32_t)(most < want + SPARE ? most : want + SPARE);
    if (chosen && want < 1) goto done;
    fit = malloc((size_t)count * (size_t)p.dim * sizeof *fit + 1);
    p.mean = malloc((size_t)p.dim * sizeof *p.mean);
    p.direction = malloc((size_t)p.wide * (size_t)p.dim * sizeof *p.direction);
    p.scratch = malloc(UW_GEMM_SCRATCH * sizeof *p.scratch);
    if (!chosen || !fit || !p.mean || !p.direction || !p.scratch)
        s = uw_fail(err, UW_ENOMEM, "probe: main directions of %lld observations",
                    (long long)count);
    if (!s) s = read_observations(&p, chosen, count, fit, err);
    if (!s && find_directions(&p, fit, count, 1))
        s = uw_fail(err, UW_ENOMEM, "probe: %d main directions", want);
    if (!s) s = project(&p, rows, n, want, x, err);
    if (!s) *dim = want;
done:
    free(chosen);
    free(fit);
    free(p.mean);
    free(p.direction);
    free(p.scratch);
    return s;
}
