/* Gauges of collapse on an array of latents: arithmetic only, for the trainer's batch and for recorded rows alike.
 *
 *     uw_gauges g = uw__gauges_none();
 *     uw__gauges_cloud(z, n, d, work, NULL, &g);
 *     uw__gauges_time(z, windows, length, d, work, &g);
 *     g.alarms = uw__gauges_judge(&g, &judge);
 *
 * See docs/guide/trust.md, Gauges, for what the thresholds rest on. */
#ifndef UW_GAUGES_INTERNAL_H
#define UW_GAUGES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <umwelt/gauges.h>

/* Return gauges of which nothing is measured. */
uw_gauges uw__gauges_none(void);
/* Return the doubles of work that the two below need for rows of d numbers. */
size_t uw__gauges_work(int32_t d);

/* Measure rows z [n, d] as one cloud: spectrum, variances, clusters.  eigenvalues: [d] descending (nullable).
 * Alloc: none. */
void uw__gauges_cloud(const float *z, int64_t n, int32_t d, double *work, double *eigenvalues,
                      uw_gauges *out);
/* Measure windows of rows one step apart, z [windows, length, d]: per-step statistics, temporal rank and share.
 * With length 1 nothing is measured.  Alloc: none. */
void uw__gauges_time(const float *z, int64_t windows, int32_t length, int32_t d, double *work,
                     uw_gauges *out);

/* Write what SIGReg times n is for Gaussian samples of n rows: mean (exact, whatever n) and 99 % quantile of the
 * mean over `directions` random directions in d dimensions.
 *
 * The covariance of the statistics of two directions with cosine c is known for large n; averaged over c it gives
 * the variance of the mean, and a scaled chi-squared of these two moments the quantile (simulated samples agree
 * within 5 %).  t, phi, weight: uw__sigreg_constants. */
void uw__sigreg_null(int32_t d, int32_t directions, int32_t knots, const double *t, const double *phi,
                     const double *weight, double *mean, double *q99);

/* What the judge has to know beside the gauges. */
typedef struct uw_gauge_judge {
    int32_t dim;      /* D */
    int32_t carries;  /* most independent directions that the input allows, 1 .. D; 0 = D */
    bool unit_target; /* an anti-collapse term holds variances at 1 */
    bool sigreg_used; /* and it is SIGReg */
} uw_gauge_judge;
/* Return bits of uw_alarm for settled latents (past warm-up: at first every encoder looks collapsed). */
uint32_t uw__gauges_judge(const uw_gauges *g, const uw_gauge_judge *judge);

#endif
