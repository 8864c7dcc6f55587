/* Test support on top of cmocka: numeric comparisons that print both values, the seed and the worst ratio. */
#ifndef UW_CHECK_H
#define UW_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { UW_SKIP = 77 };

/* Folder of test vectors: $UW_VECTORS, else what the repository keeps. */
static inline const char *check_vectors(void) {
    const char *dir = getenv("UW_VECTORS");
    return dir && *dir ? dir : UW_VECTORS_DEFAULT;
}

/* Seed of a randomised test: $UW_SEED replays one. */
static inline uint64_t check_seed(uint64_t fallback) {
    const char *text = getenv("UW_SEED");
    return text && *text ? strtoull(text, NULL, 0) : fallback;
}

/* Largest |got - want| / bound; fails (NaN too) when it exceeds 1. */
#define CHECK_NEAR(got, want, bound)                                                            \
    do {                                                                                        \
        const double check_g = (double)(got), check_w = (double)(want), check_b = (double)(bound); \
        const double check_e = check_g > check_w ? check_g - check_w : check_w - check_g;       \
        if (!(check_e <= check_b))                                                              \
            fail_msg("%s = %.9g, wanted %s = %.9g within %.3g, off by %.3g", #got, check_g,     \
                     #want, check_w, check_b, check_e);                                         \
    } while (0)

#define CHECK_OK(call, err)                                                                     \
    do {                                                                                        \
        const int check_s = (int)(call);                                                        \
        if (check_s) fail_msg("%s = %d: %s", #call, check_s, (err)->text);                      \
    } while (0)

#endif
