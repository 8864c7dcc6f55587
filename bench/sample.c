/* Repetitions of one measurement. */
#include "sample.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void uw__bench_sample(uw_bench_result *r, int32_t samples, double (*measure)(void *arg), void *arg) {
    double values[UW_BENCH_MAX_SAMPLES];
    if (samples > UW_BENCH_MAX_SAMPLES) samples = UW_BENCH_MAX_SAMPLES;
    measure(arg);
    for (int32_t i = 0; i < samples; i++) values[i] = measure(arg);
    qsort(values, (size_t)samples, sizeof *values, ascending);
    r->samples = samples;
    r->value = values[samples / 2];
    r->min = values[0];
    r->max = values[samples - 1];
}
