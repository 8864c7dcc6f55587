/* Variance and covariance terms, one time step after the other: each step is its own sample of size
 * B.
 *
 * Traps: the latents are centred over the batch before both terms; the variance has divisor B - 1
 * and 1e-4 under the root; the covariance is averaged over D (D - 1) entries and over time. */
#include "vicreg.h"

#include <math.h>

struct uw_vicreg {
    size_t b, t, d;
    uw_real *centred; /* [B, D] of one time step */
    uw_real *cov;     /* [D, D], then the gradient by it */
};

uw_vicreg *uw__vicreg_layout(uw_arena *arena, size_t b, size_t t, size_t d) {
    uw_vicreg tmp = {.b = b, .t = t, .d = d};
    uw_vicreg *v = uw_arena_alloc(arena, 1, sizeof *v);
    tmp.centred = uw_arena_alloc(arena, b * d, sizeof *tmp.centred);
    tmp.cov = uw_arena_alloc(arena, d * d, sizeof *tmp.cov);
    if (v && !arena->failed) *v = tmp;
    return v;
}

static void centre(uw_vicreg *v, const uw_real *z, size_t ld) {
    for (size_t j = 0; j < v->d; j++) {
        double mean = 0.0;
        for (size_t i = 0; i < v->b; i++) mean += (double)z[i * ld + j];
        mean /= (double)v->b;
        for (size_t i = 0; i < v->b; i++) {
            v->centred[i * v->d + j] = (uw_real)((double)z[i * ld + j] - mean);
        }
    }
}

/* The hinge on the standard deviation of every column; gradient weight * (z - mean) / (std (B -
 * 1)), which sums to zero over the batch, so the mean needs no second thought. */
static double variance_term(uw_vicreg *v, double weight, uw_real *dz, size_t ld) {
    double loss = 0.0;
    for (size_t j = 0; j < v->d; j++) {
        double var = 0.0;
        for (size_t i = 0; i < v->b; i++) {
            const double u = (double)v->centred[i * v->d + j];
            var += u * u;
        }
        const double sd = sqrt(var / (double)(v->b - 1) + 1e-4);
        if (!(sd < 1.0)) {
            if (isnan(sd)) loss = sd; /* a non-finite latent must not look healthy */
            continue;
        }
        loss += 1.0 - sd;
        const double g = -weight / ((double)(v->b - 1) * sd);
        for (size_t i = 0; dz && i < v->b; i++) {
            dz[i * ld + j] += (uw_real)(g * (double)v->centred[i * v->d + j]);
        }
    }
    return loss;
}

/* Squared off-diagonal; cov becomes its gradient, scaled, and dz += centred (cov + cov^T). */
static double covariance_term(const uw_exec *e, uw_vicreg *v, double weight, uw_real *dz,
                              size_t ld) {
    const size_t d = v->d;
    const double inv = 1.0 / (double)(v->b - 1);
    double loss = 0.0;

    e->k->gemm(&(uw_gemm_args){.trans_a = true,
                               .m = d,
                               .n = d,
                               .k = v->b,
                               .a = v->centred,
                               .lda = d,
                               .b = v->centred,
                               .ldb = d,
                               .c = v->cov,
                               .ldc = d},
               uw__exec_gemm_scratch(e, 0));
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < d; j++) {
            const double c = i == j ? 0.0 : (double)v->cov[i * d + j] * inv;
            loss += c * c;
            v->cov[i * d + j] = (uw_real)(4.0 * weight * c * inv); /* both orders of (i, j) */
        }
    }
    if (!dz) return loss;
    e->k->gemm(&(uw_gemm_args){.accumulate = true,
                               .m = v->b,
                               .n = d,
                               .k = d,
                               .a = v->centred,
                               .lda = d,
                               .b = v->cov,
                               .ldb = d,
                               .c = dz,
                               .ldc = ld},
               uw__exec_gemm_scratch(e, 0));
    return loss;
}

void uw__vicreg_loss(const uw_exec *e, uw_vicreg *v, const uw_real *z, double std_weight,
                     double cov_weight, uw_real *dz, double *std_loss, double *cov_loss) {
    const size_t ld = v->t * v->d;
    const double std_mean = 1.0 / (double)(v->t * v->d);
    const double cov_mean = v->d > 1 ? 1.0 / (double)(v->t * v->d * (v->d - 1)) : 0.0;

    *std_loss = *cov_loss = 0.0;
    if (v->b < 2) return;
    for (size_t t = 0; t < v->t; t++) {
        uw_real *dstep = dz ? dz + t * v->d : NULL;
        centre(v, z + t * v->d, ld);
        *std_loss += std_mean * variance_term(v, std_weight * std_mean, dstep, ld);
        *cov_loss += cov_mean * covariance_term(e, v, cov_weight * cov_mean, dstep, ld);
    }
}
