/* Scores as functions of sums over episodes, so that resampling episodes costs additions only. */
#include "scorecard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/probe.h>

/* Sums of one episode: rows; squared angle errors; then per component those of T and P, truth and
 * prediction about the truth's overall mean. */
enum {
    ROWS,
    ANGLES,
    FIRST,
    T = 0,
    TT,
    P,
    PP,
    PT,
    EE,
    PER_COMPONENT,
    SUMS = FIRST + 2 * PER_COMPONENT
};
enum { R2, R, RMSE, DEGREES, VALUES };
#define PI 3.14159265358979323846

double uw__angle_between(double a, double b) {
    return remainder(a - b, 2.0 * PI);
}

void uw__percentiles(const uw_estimate *e, double interval[2]) {
    const double bias = e->point - e->corrected;
    interval[0] = e->low + 2.0 * bias;
    interval[1] = e->high + 2.0 * bias;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *values) {
    const uw_scorecard *card = arg;
    (void)scratch;
    const double n = total[ROWS];
    double tt = 0.0, pp = 0.0, pt = 0.0, ee = 0.0;
    for (int c = 0; c < (card->radians > 0.0 ? 2 : 1); c++) {
        const double *s = total + FIRST + c * PER_COMPONENT;
        tt += s[TT] - s[T] * s[T] / n;
        pp += s[PP] - s[P] * s[P] / n;
        pt += s[PT] - s[P] * s[T] / n;
        ee += s[EE];
    }
    values[R2] = tt > 0.0 ? 1.0 - ee / tt : NAN;
    values[R] = !(tt > 0.0) ? NAN : pp > 0.0 ? pt / sqrt(pp * tt) : 0.0;
    values[RMSE] = sqrt((card->radians > 0.0 ? total[ANGLES] : ee) / n);
    values[DEGREES] = NAN;
    if (card->radians > 0.0) {
        values[DEGREES] = values[RMSE] * 180.0 / PI;
        values[RMSE] /= card->radians;
    }
}

static int32_t count_episodes(const uw_scorecard *card) {
    int32_t count = 0;
    for (int64_t i = 0; i < card->n; i++)
        count += i == 0 || card->episode[i] != card->episode[i - 1];
    return count;
}

static void add_row(const uw_scorecard *card, int64_t i, const double *mean, double *sums) {
    const double *p = card->predicted + i * card->stride + card->at;
    const double *t = card->truth + i * card->stride + card->at;
    sums[ROWS] += 1.0;
    for (int c = 0; c < (card->radians > 0.0 ? 2 : 1); c++) {
        double *s = sums + FIRST + c * PER_COMPONENT;
        const double truth = t[c] - mean[c], guess = p[c] - mean[c], e = guess - truth;
        s[T] += truth;
        s[TT] += truth * truth;
        s[P] += guess;
        s[PP] += guess * guess;
        s[PT] += guess * truth;
        s[EE] += e * e;
    }
    if (card->radians > 0.0) {
        const double e = uw__angle_between(atan2(p[0], p[1]), atan2(t[0], t[1]));
        sums[ANGLES] += e * e;
    }
}

uw_status uw__scorecard(uw_pool *pool, const uw_scorecard *card, uw_scored *out) {
    *out = (uw_scored){.r2 = NAN, .r = NAN, .rmse = NAN, .degrees = NAN};
    double *const interval[VALUES] = {out->r2_ci, out->r_ci, out->rmse_ci, out->degrees_ci};
    double *const point[VALUES] = {&out->r2, &out->r, &out->rmse, &out->degrees};
    for (int v = 0; v < VALUES; v++) interval[v][0] = interval[v][1] = NAN;
    if (card->n < 1) return UW_OK;
    const int32_t episodes = out->episodes = count_episodes(card);
    double *sums = calloc((size_t)episodes * SUMS, sizeof *sums), mean[2] = {0.0, 0.0};
    if (!sums) return UW_ENOMEM;
    for (int64_t i = 0; i < card->n; i++)
        for (int c = 0; c < (card->radians > 0.0 ? 2 : 1); c++)
            mean[c] += card->truth[i * card->stride + card->at + c] / (double)card->n;
    int32_t group = -1;
    for (int64_t i = 0; i < card->n; i++) {
        group += i == 0 || card->episode[i] != card->episode[i - 1];
        add_row(card, i, mean, sums + (size_t)group * SUMS);
    }
    const uw_bootstrap b = {.sums = sums,
                            .groups = episodes,
                            .size = SUMS,
                            .count = VALUES,
                            .eval = evaluate,
                            .arg = card};
    uw_estimate estimate[VALUES];
    const int32_t resamples = episodes < UW_PROBE_MIN_EPISODES ? 0 : card->resamples;
    const uw_status s = uw__bootstrap(pool, &b, resamples, card->seed, estimate);
    for (int v = 0; v < VALUES && !s; v++) {
        *point[v] = estimate[v].point;
        uw__percentiles(&estimate[v], interval[v]);
    }
    free(sums);
    return s;
}
