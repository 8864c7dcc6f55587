/* Resampling groups of whole episodes: rows within an episode depend on each other, episodes do
 * not. */
#include <math.h>
#include <stdlib.h>

#include "pool.h"
#include "rng.h"
#include "statistics.h"

typedef struct job {
    const uw_bootstrap *b;
    uint64_t seed;
    double *total;  /* [threads, size + scratch] */
    double *values; /* [1 + resamples, count]; row 0 is the sample itself */
} job;

/* Index 0 evaluates the sample, index i > 0 the i-th resample. */
static void resample_task(void *arg, size_t index, int32_t worker) {
    const job *j = arg;
    const uw_bootstrap *b = j->b;
    double *total = j->total + (int64_t)worker * (b->size + b->scratch);
    uw_rng r = uw__rng(j->seed, UW_STREAM_BOOTSTRAP, index);
    for (int64_t i = 0; i < b->size; i++) total[i] = 0.0;
    for (int32_t g = 0; g < b->groups; g++) {
        const uint32_t pick = index ? uw__rng_below(&r, (uint32_t)b->groups) : (uint32_t)g;
        const double *sums = b->sums + (int64_t)pick * b->size;
        for (int64_t i = 0; i < b->size; i++) total[i] += sums[i];
    }
    b->eval(b->arg, total, total + b->size, j->values + (int64_t)index * b->count);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void uw__sort(double *x, int64_t n) {
    qsort(x, (size_t)n, sizeof *x, ascending);
}

double uw__quantile(const double *sorted, int64_t n, double q) {
    if (n < 1) return NAN;
    const double at = q * (double)(n - 1);
    const int64_t i = (int64_t)at;
    if (i + 1 >= n) return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* One number's estimate from its column of values; resampled [resamples] is scratch. */
static uw_estimate estimate(const double *values, int32_t count, int32_t resamples,
                            double *resampled) {
    uw_estimate e = {values[0], NAN, NAN, NAN};
    double mean = 0.0;
    if (resamples < 1) return e;
    for (int32_t i = 0; i < resamples; i++) {
        resampled[i] = values[(int64_t)(i + 1) * count];
        mean += resampled[i] / (double)resamples;
    }
    if (!isfinite(mean) || !isfinite(e.point)) return e;
    uw__sort(resampled, resamples);
    const double bias = mean - e.point;
    e.corrected = e.point - bias;
    e.low = uw__quantile(resampled, resamples, 0.025) - 2.0 * bias;
    e.high = uw__quantile(resampled, resamples, 0.975) - 2.0 * bias;
    return e;
}

uw_status uw__bootstrap(struct uw_pool *pool, const uw_bootstrap *b, int32_t resamples,
                        uint64_t seed, uw_estimate *out) {
    const size_t threads = (size_t)uw__pool_threads(pool), runs = (size_t)resamples + 1;
    double *values = malloc(runs * (size_t)b->count * sizeof *values + 1);
    double *total = malloc(threads * (size_t)(b->size + b->scratch) * sizeof *total + 1);
    double *resampled = malloc(runs * sizeof *resampled);
    const uw_status s = values && total && resampled ? UW_OK : UW_ENOMEM;
    if (s) goto done;
    job j = {b, seed, total, values};
    uw__pool_run(pool, runs, resample_task, &j);
    for (int32_t i = 0; i < b->count; i++)
        out[i] = estimate(values + i, b->count, resamples, resampled);
done:
    free(values);
    free(total);
    free(resampled);
    return s;
}
