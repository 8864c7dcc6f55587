/* Regressions from latents to numbers, and how well they do: ridge in closed form, a small MLP,
 * scores.
 *
 *     uw__ridge_fit(pool, x, y, n, d, k, &ridge);
 *     uw__ridge_predict(&ridge, held_out, rows, predicted);
 *     uw_score s = uw__score(predicted, truth, rows, k, column);
 *
 * Everything here is pure arithmetic on arrays: no model, no file, no message. */
#ifndef UW_FIT_H
#define UW_FIT_H

#include <stdint.h>

#include "kernels.h"
#include "pool.h"

/* How well one column of predictions fits the truth. */
typedef struct uw_score {
    double r2; /* 1 - residual / variance about the truth's mean; NaN when the truth is constant */
    double r;  /* Pearson; 0 when the prediction is constant, NaN when the truth is */
    double rmse; /* in the truth's unit */
} uw_score;

/* Score column j of predicted [n, k] against truth [n, k]. */
uw_score uw__score(const double *predicted, const double *truth, int64_t n, int32_t k, int32_t j);

/* Return Spearman's rank correlation of x and y [n], ties ranked by their mean; NaN when either is
 * constant or n < 2.  work: [4 n] doubles. */
double uw__spearman(const double *x, const double *y, int64_t n, double *work);

/* Write the 95 % interval of a rank correlation of n independent pairs: Fisher's z with the variance
 * (1 + rho^2 / 2) / (n - 3) (Bonett and Wright 2000); NaN with n < 4, or |rho| = 1. */
void uw__spearman_interval(double rho, int64_t n, double interval[2]);

/* A linear map with intercept, one penalty per target. */
typedef struct uw_ridge {
    int32_t dim, targets;
    double *memory;    /* owns all below */
    double *mean;      /* [D] of the rows it was fitted on */
    double *weight;    /* [targets, D] */
    double *intercept; /* [targets] the targets' mean */
    double *penalty;   /* [targets] chosen by leave-one-out */
} uw_ridge;

/* Fit y = intercept + w (x - mean) with penalty |w|^2, the penalty of each target chosen by the
 * exact leave-one-out error over UW_RIDGE_GRID values relative to the mean variance of x (so that a
 * rescaled latent gives the same answer).
 *
 * Shapes   x: [n, d], y: [n, k], n >= 1
 * Own      out: the caller's, uw__ridge_fini
 * Threads  uses the pool; the same bits for any number of threads
 * Returns  UW_OK; UW_ENOMEM
 * Cost     O(n d^2) for the Gram matrix and per grid value
 * See      Golub, Heath, Wahba 1979; compared with scikit-learn's RidgeCV in the tests          */
enum { UW_RIDGE_GRID = 7 };
uw_status uw__ridge_fit(uw_pool *pool, const float *x, const double *y, int64_t n, int32_t d,
                        int32_t k, uw_ridge *out);
/* Make one that predicts 0.  Own: *out, uw__ridge_fini.  Returns UW_ENOMEM. */
uw_status uw__ridge_new(int32_t d, int32_t k, uw_ridge *out);
void uw__ridge_fini(uw_ridge *ridge);
/* Predict y [n, k] from x [n, d]. */
void uw__ridge_predict(const uw_ridge *ridge, const float *x, int64_t n, double *y);

/* A two-layer perceptron: UW_MLP_HIDDEN GELU units, AdamW, standardised inputs and targets. */
enum { UW_MLP_HIDDEN = 128 };
typedef struct uw_mlp uw_mlp;
/* Fit one on x [n, d], y [n, k]: a function of data and seed, for any number of threads.
 * Own: *out, uw__mlp_free (NULL allowed).  Returns UW_ENOMEM. */
uw_status uw__mlp_fit(const uw_kernels *kernels, const float *x, const double *y, int64_t n,
                      int32_t d, int32_t k, uint64_t seed, uw_mlp **out);
/* Predict y [m, k] at x [m, d].  One call at a time. */
void uw__mlp_predict(const uw_kernels *kernels, uw_mlp *mlp, const float *x, int64_t m, double *y);
void uw__mlp_free(uw_mlp *mlp);
/* Fit on x, y and predict y_test [m, k] at x_test [m, d].  Returns UW_ENOMEM. */
uw_status uw__mlp_probe(const uw_kernels *kernels, const float *x, const double *y, int64_t n,
                        int32_t d, int32_t k, const float *x_test, int64_t m, uint64_t seed,
                        double *y_test);

#endif
