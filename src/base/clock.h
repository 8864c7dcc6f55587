/* Monotonic time. */
#ifndef UW_CLOCK_H
#define UW_CLOCK_H

#include <stdint.h>

/* Return nanoseconds of the monotonic clock. */
int64_t uw__clock_ns(void);
/* Return seconds of the monotonic clock. */
double uw__clock_s(void);

#endif
