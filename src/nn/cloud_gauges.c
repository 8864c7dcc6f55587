/* Measuring and judging clouds of latents.  Everything is serial and in double: the bits depend on
 * the rows alone. */
#include "cloud_gauges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "special.h"
#include "spectrum.h"

enum { POWER_STEPS = 30, LLOYD_STEPS = 20, ANGLES = 512, MAX_KNOTS = 64 };
#define PI 3.14159265358979323846

/* Thresholds; each is derived in docs/guide/trust.md, Gauges. */
#define SPREAD_LEAST    1e-6 /* variance over mean square: a deviation of 1/1000 of the size */
#define VARIANCE_LEAST  0.05 /* where it is held at 1 */
#define VARIANCE_GONE   1e-6 /* where it is free */
#define RANK_LEAST      1.5
#define NULL_EIGENVALUE 1e-6 /* over the mean one */
#define DEAD_VARIANCE   0.01 /* over the median one */
#define CLUSTER_SHARE   0.9
#define SIGREG_MOST     0.15
#define STEP_RATIO      0.1
#define STILL_SHARE     1e-4
#define DEAF_LEAST      0.02
#define LOW_RANK        0.1 /* of D */
#define TOP_SHARE       0.5
#define NORM_DRIFT      (1.0 / 3.0)
#define TEMPORAL_RANK   1.5

uw_gauges uw__gauges_none(void) {
    return (uw_gauges){.effective_rank = NAN,
                       .participation = NAN,
                       .top_share = NAN,
                       .mean_norm = NAN,
                       .mean_variance = NAN,
                       .median_variance = NAN,
                       .min_variance = NAN,
                       .sigreg = NAN,
                       .sigreg_null = NAN,
                       .sigreg_q99 = NAN,
                       .cluster_share = NAN,
                       .norm_drift = NAN,
                       .temporal_rank = NAN,
                       .temporal_share = NAN,
                       .action_sensitivity = NAN};
}

/* The spectrum's 2 D D + 4 D, and 5 D of ours. */
size_t uw__gauges_work(int32_t d) {
    const size_t n = (size_t)d;
    return 2 * n * n + 9 * n;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- one cloud ------------------------------------------------------------------------------ */

/* Mean [d] of every stride-th row, and the mean squared distance from it. */
static double centre_of(const float *z, int64_t n, int64_t stride, int32_t d, double *mean) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) mean[i] = 0.0;
    for (int64_t r = 0; r < n; r++)
        for (int32_t i = 0; i < d; i++) mean[i] += (double)z[r * stride * d + i];
    for (int32_t i = 0; i < d; i++) mean[i] /= (double)n;
    for (int64_t r = 0; r < n; r++) {
        for (int32_t i = 0; i < d; i++) {
            const double e = (double)z[r * stride * d + i] - mean[i];
            sum += e * e;
        }
    }
    return sum / (double)n;
}

static void variances(const float *z, int64_t n, int32_t d, const double *mean, double *sorted,
                      uw_gauges *out) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) {
        double var = 0.0;
        for (int64_t r = 0; r < n; r++) {
            const double e = (double)z[r * d + i] - mean[i];
            var += e * e;
        }
        sorted[i] = var / (double)n;
        sum += sorted[i];
    }
    qsort(sorted, (size_t)d, sizeof *sorted, ascending);
    out->mean_variance = sum / (double)d;
    out->median_variance = 0.5 * (sorted[(d - 1) / 2] + sorted[d / 2]);
    out->min_variance = sorted[0];
    out->dead = 0;
    /* more than half of the numbers dead: the median is dead itself, so the largest stands in */
    const double typical =
        out->median_variance > DEAD_VARIANCE * sorted[d - 1] ? out->median_variance : sorted[d - 1];
    for (int32_t i = 0; i < d; i++) out->dead += sorted[i] < DEAD_VARIANCE * typical;
}

/* The direction of most variance, by power iteration over the rows; false when there is none. */
static bool main_direction(const float *z, int64_t n, int32_t d, const double *mean,
                           double *direction, double *next) {
    for (int32_t i = 0; i < d; i++)
        direction[i] = 1.0 + 0.01 * (double)i; /* no axis in particular */
    for (int step = 0; step < POWER_STEPS; step++) {
        double norm = 0.0;
        for (int32_t i = 0; i < d; i++) next[i] = 0.0;
        for (int64_t r = 0; r < n; r++) {
            const float *row = z + r * d;
            double along = 0.0;
            for (int32_t i = 0; i < d; i++) along += ((double)row[i] - mean[i]) * direction[i];
            for (int32_t i = 0; i < d; i++) next[i] += along * ((double)row[i] - mean[i]);
        }
        for (int32_t i = 0; i < d; i++) norm += next[i] * next[i];
        if (!(norm > 0.0) || !isfinite(norm)) return false;
        for (int32_t i = 0; i < d; i++) direction[i] = next[i] / sqrt(norm);
    }
    return true;
}

/* Share of the variance that lies between two clusters: two means, begun at the two sides of the
 * main direction.  For one Gaussian line it is 2/pi. */
static double cluster_share(const float *z, int64_t n, int32_t d, const double *mean, double total,
                            double *work) {
    double *direction = work, *cut = work + d, *sums = work + 2 * d;
    double offset = 0.0, share = 0.0;
    if (n < 4 || !(total > 0.0) || !main_direction(z, n, d, mean, direction, cut)) return NAN;
    for (int32_t i = 0; i < d; i++) offset += mean[i] * direction[i];
    memcpy(cut, direction, (size_t)d * sizeof *cut);
    for (int step = 0; step < LLOYD_STEPS; step++) {
        /* a row is of the second cluster when it lies beyond the plane cut . z = offset */
        int64_t count[2] = {0};
        memset(sums, 0, 2 * (size_t)d * sizeof *sums);
        for (int64_t r = 0; r < n; r++) {
            const float *row = z + r * d;
            double along = -offset;
            for (int32_t i = 0; i < d; i++) along += (double)row[i] * cut[i];
            const int side = along > 0.0;
            count[side]++;
            for (int32_t i = 0; i < d; i++) sums[side * d + i] += (double)row[i];
        }
        if (!count[0] || !count[1]) break;
        double between = 0.0;
        offset = 0.0;
        for (int32_t i = 0; i < d; i++) {
            const double a = sums[i] / (double)count[0], b = sums[d + i] / (double)count[1];
            cut[i] = b - a;
            offset += 0.5 * (b * b - a * a);
            between += (b - a) * (b - a);
        }
        const double p = (double)count[0] / (double)n;
        const double now = p * (1.0 - p) * between / total;
        if (!(now > share)) break;
        share = now;
    }
    return share;
}

void uw__gauges_cloud(const float *z, int64_t n, int32_t d, double *work, double *eigenvalues,
                      uw_gauges *out) {
    const size_t sd = (size_t)d;
    double *mean = work + 2 * sd * sd + 4 * sd, *mine = mean + sd; /* [d], [4 d] */
    double *values = eigenvalues ? eigenvalues : mine;
    out->rows = n;
    if (n < 1) return;
    uw__spectrum(z, n, d, work, values, &out->effective_rank, &out->participation);
    double sum = 0.0;
    for (size_t i = 0; i < sd; i++) sum += values[i];
    out->top_share = sum > 0.0 ? values[0] / sum : NAN;
    out->null_directions = 0;
    for (size_t i = 0; i < sd; i++)
        out->null_directions += !(values[i] > NULL_EIGENVALUE * sum / (double)d);
    const double total = centre_of(z, n, 1, d, mean);
    variances(z, n, d, mean, mine, out);
    out->cluster_share = cluster_share(z, n, d, mean, total, mine);
    double norm = 0.0;
    for (int32_t i = 0; i < d; i++) norm += mean[i] * mean[i];
    out->mean_norm = (norm + total) / (double)d;
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Spectrum and mean square of one-step differences, whose covariance is gathered here: rows of
 * differences are never kept. */
static void differences(const float *z, int64_t windows, int32_t length, int32_t d, double *work,
                        double *rank, double *square) {
    const size_t sd = (size_t)d;
    double *cov = work, *mean = work + sd * sd, *values = mean + sd;
    const double n = (double)windows * (double)(length - 1);
    memset(cov, 0, sd * sd * sizeof *cov);
    memset(mean, 0, sd * sizeof *mean);
    for (int64_t r = 0; r < windows * length; r++) {
        if (r % length == length - 1) continue;
        const float *a = z + r * d, *b = a + d;
        for (size_t i = 0; i < sd; i++) {
            const double u = (double)b[i] - (double)a[i];
            mean[i] += u;
            for (size_t j = i; j < sd; j++) cov[i * sd + j] += u * ((double)b[j] - (double)a[j]);
        }
    }
    *square = 0.0;
    for (size_t i = 0; i < sd; i++) *square += cov[i * sd + i] / n;
    for (size_t i = 0; i < sd; i++)
        for (size_t j = i; j < sd; j++)
            cov[j * sd + i] = cov[i * sd + j] = cov[i * sd + j] / n - mean[i] / n * (mean[j] / n);
    uw__jacobi_eigen(cov, d, values, NULL);
    double sum = 0.0, entropy = 0.0;
    for (size_t i = 0; i < sd; i++) sum += fmax(0.0, values[i]);
    for (size_t i = 0; i < sd; i++) {
        const double p = values[i] / sum;
        if (p > 0.0) entropy -= p * log(p);
    }
    *rank = sum > 0.0 ? exp(entropy) : 0.0;
}

void uw__gauges_time(const float *z, int64_t windows, int32_t length, int32_t d, double *work,
                     uw_gauges *out) {
    const size_t sd = (size_t)d;
    double *mean = work + 2 * sd * sd + 4 * sd, *mine = mean + sd, square = 0.0;
    if (windows < 1 || length < 2) return;
    const double total = centre_of(z, windows * length, 1, d, mean);
    const int32_t every = (length + UW_MAX_GAUGE_STEPS - 1) / UW_MAX_GAUGE_STEPS;
    out->num_steps = (length + every - 1) / every;
    for (int32_t s = 0; s < out->num_steps; s++) {
        uw_gauge_step *step = &out->steps[s];
        const double spread = centre_of(z + (int64_t)s * every * d, windows, length, d, mine);
        double norm = 0.0, shift = 0.0;
        for (int32_t i = 0; i < d; i++) {
            norm += mine[i] * mine[i];
            shift += (mine[i] - mean[i]) * (mine[i] - mean[i]);
        }
        step->norm = (norm + spread) / (double)d;
        step->variance = spread / (double)d;
        step->shift = total > 0.0 ? sqrt(shift / total) : NAN;
    }
    out->norm_drift = out->steps[0].norm > 0.0
                          ? out->steps[out->num_steps - 1].norm / out->steps[0].norm - 1.0
                          : NAN;
    differences(z, windows, length, d, work, &out->temporal_rank, &square);
    out->temporal_share = total > 0.0 ? square / (2.0 * total) : NAN;
}

/* ---- SIGReg's null -------------------------------------------------------------------------- */

/* Covariance of the statistics (times n) of two directions with cosine c, for large n.  The
 * empirical characteristic functions there have covariances phi phi' (cosh(c s t) - 1) in their
 * real and phi phi' sinh(c s t) in their imaginary parts. */
static double covariance_at(double c, int32_t knots, const double *t, const double *phi,
                            const double *weight) {
    double sum = 0.0;
    for (int32_t i = 0; i < knots; i++) {
        for (int32_t j = 0; j < knots; j++) {
            const double x = c * t[i] * t[j], scale = phi[i] * phi[j];
            const double real = scale * (cosh(x) - 1.0), imaginary = scale * sinh(x);
            sum += 2.0 * weight[i] * weight[j] * (real * real + imaginary * imaginary);
        }
    }
    return sum;
}

void uw__sigreg_null(int32_t d, int32_t directions, int32_t knots, const double *t,
                     const double *phi, const double *weight, double *mean, double *q99) {
    const double alone = covariance_at(1.0, knots, t, phi, weight);
    double between = 0.0, mass = 0.0;
    *mean = 0.0;
    for (int32_t k = 0; k < knots; k++) *mean += weight[k] * (1.0 - phi[k] * phi[k]);
    /* the cosine of two random directions is sin(a) with density cos(a)^(d - 2) */
    for (int32_t i = 0; i < ANGLES && d > 1; i++) {
        const double a = PI * (((double)i + 0.5) / ANGLES - 0.5);
        const double density = pow(cos(a), (double)(d - 2));
        mass += density;
        between += density * covariance_at(sin(a), knots, t, phi, weight);
    }
    between = mass > 0.0 ? between / mass : alone;
    const double variance = alone / directions + (1.0 - 1.0 / directions) * between;
    const double freedom = 2.0 * *mean * *mean / variance;
    *q99 = *mean / freedom * uw__chi2_quantile(freedom, 0.99);
}

/* ---- judging -------------------------------------------------------------------------------- */

static bool rank_gone(const uw_gauges *g, const uw_gauge_judge *j) {
    const int32_t carries = j->carries > 0 && j->carries < j->dim ? j->carries : j->dim;
    if (carries < 2) return false;
    if (g->effective_rank < RANK_LEAST) return true;
    /* a sample of n rows has n - 1 directions at most */
    return g->rows > 2 * (int64_t)j->dim && 2 * (j->dim - g->null_directions) < carries;
}

static bool step_gone(const uw_gauges *g) {
    double low = INFINITY, high = 0.0;
    for (int32_t s = 0; s < g->num_steps; s++) {
        low = fmin(low, g->steps[s].variance);
        high = fmax(high, g->steps[s].variance);
    }
    return g->num_steps > 1 && low < STEP_RATIO * high;
}

/* Comparisons with NaN, what was not measured, are false. */
uint32_t uw__gauges_judge(const uw_gauges *g, const uw_gauge_judge *j) {
    const struct {
        uint32_t bit;
        bool on;
    } rules[] = {
        {UW_ALARM_CONSTANT, g->mean_variance <= SPREAD_LEAST * g->mean_norm},
        {UW_ALARM_SHRUNK,
         g->mean_variance < VARIANCE_GONE || (j->unit_target && g->mean_variance < VARIANCE_LEAST)},
        {UW_ALARM_RANK, rank_gone(g, j)},
        {UW_ALARM_DEAD, g->dead > 0},
        {UW_ALARM_CLUSTERS, g->cluster_share > CLUSTER_SHARE},
        {UW_ALARM_SIGREG, j->sigreg_used && g->sigreg > SIGREG_MOST},
        {UW_ALARM_STEP, step_gone(g)},
        {UW_ALARM_STILL, g->temporal_share < STILL_SHARE},
        {UW_ALARM_DEAF, g->action_sensitivity < DEAF_LEAST},
        {UW_NOTICE_NOT_WHITE, g->sigreg > g->sigreg_q99},
        {UW_NOTICE_LOW_RANK, g->effective_rank < LOW_RANK * (double)j->dim},
        {UW_NOTICE_TOP, j->dim > 2 && g->top_share > TOP_SHARE},
        {UW_NOTICE_NORM, fabs(g->norm_drift) > NORM_DRIFT},
        {UW_NOTICE_TEMPORAL, j->dim > 1 && g->temporal_rank < TEMPORAL_RANK},
    };
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].on) bits |= rules[i].bit;
    return bits;
}

/* Bit, name in JSON, words. */
#define ALARM_MAP(X)                                                                               \
    X(UW_ALARM_CONSTANT, "constant", "every observation has the same latent")                      \
    X(UW_ALARM_SHRUNK, "shrunk", "the latents shrink towards a point")                             \
    X(UW_ALARM_RANK, "rank", "the latents lie in too few directions")                              \
    X(UW_ALARM_DEAD, "dead", "a number of the latent is dead")                                     \
    X(UW_ALARM_CLUSTERS, "clusters", "the latents fall into two points")                           \
    X(UW_ALARM_SIGREG, "sigreg", "the latents do not spread")                                      \
    X(UW_ALARM_STEP, "step", "the latents of one time step are collapsed")                         \
    X(UW_ALARM_STILL, "still", "latents change between episodes only")                             \
    X(UW_ALARM_DEAF, "deaf", "predictions do not depend on the action")                            \
    X(UW_NOTICE_NOT_WHITE, "not_white", "the latents are not a Gaussian cloud")                    \
    X(UW_NOTICE_LOW_RANK, "low_rank", "the effective rank is below a tenth of the latent's width") \
    X(UW_NOTICE_TOP, "top", "one direction holds more than half of the variance")                  \
    X(UW_NOTICE_NORM, "norm", "the size of latents drifts along a window")                         \
    X(UW_NOTICE_TEMPORAL, "temporal", "steps of latents lie along a line")

const char *uw_alarm_str(uint32_t alarms) {
#define X(bit, name, words)                                                                        \
    if (alarms & (bit)) return words;
    ALARM_MAP(X)
#undef X
    return "none";
}

const char *uw_alarm_name(uint32_t alarms) {
#define X(bit, name, words)                                                                        \
    if (alarms & (bit)) return name;
    ALARM_MAP(X)
#undef X
    return "none";
}
