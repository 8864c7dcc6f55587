/* Monotonic time. */
#include "clock.h"

#include <time.h>

int64_t uw__clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double uw__clock_s(void) {
    return (double)uw__clock_ns() * 1e-9;
}
