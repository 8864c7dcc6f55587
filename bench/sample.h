/* Repetitions of one measurement: median, least and greatest. */
#ifndef UW_BENCH_SAMPLE_H
#define UW_BENCH_SAMPLE_H

#include "bench.h"

enum { UW_BENCH_MAX_SAMPLES = 64 };

/* Call measure samples + 1 times (the first warms up and is dropped) and fill value, min, max, samples. */
void uw__bench_sample(uw_bench_result *r, int32_t samples, double (*measure)(void *arg), void *arg);

#endif
