/* Sampling without replacement, number for number as numpy.random.Generator.choice does it.
 *
 * NumPy takes one of two ways by size: Floyd's algorithm with a hash set, or, for many out of more
 * than 10000, the last part of a shuffle.  Both are sorted here, so what they do to the order is
 * left out. */
#include <stdlib.h>

#include "eval_internal.h"
#include "numpy_rng.h"

static int compare_numbers(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Add a number to an open-addressed set of mask + 1 places; false when it was in it. */
static bool add(int64_t *set, uint64_t mask, int64_t number) {
    uint64_t at = (uint64_t)number & mask;
    while (set[at] >= 0 && set[at] != number) at = (at + 1) & mask;
    const bool fresh = set[at] < 0;
    set[at] = number;
    return fresh;
}

static uw_status by_floyd(uw_numpy_rng *rng, int64_t n, int64_t count, int64_t *out) {
    uint64_t mask = 1;
    while (mask < 2 * (uint64_t)count) mask = 2 * mask + 1;
    int64_t *set = malloc((size_t)(mask + 1) * sizeof *set);
    if (!set) return UW_ENOMEM;
    for (uint64_t i = 0; i <= mask; i++) set[i] = -1;
    for (int64_t j = n - count; j < n; j++) {
        const int64_t drawn = uw__numpy_below(rng, (uint32_t)(j + 1));
        *out = add(set, mask, drawn) ? drawn : j;
        if (*out == j) add(set, mask, j);
        out++;
    }
    free(set);
    return UW_OK;
}

static uw_status by_shuffle(uw_numpy_rng *rng, int64_t n, int64_t count, int64_t *out) {
    int64_t *all = malloc((size_t)n * sizeof *all);
    if (!all) return UW_ENOMEM;
    for (int64_t i = 0; i < n; i++) all[i] = i;
    for (int64_t i = n - 1; i >= (n - count > 1 ? n - count : 1); i--) {
        const int64_t j = uw__numpy_below(rng, (uint32_t)(i + 1));
        const int64_t kept = all[j];
        all[j] = all[i];
        all[i] = kept;
    }
    for (int64_t i = 0; i < count; i++) out[i] = all[n - count + i];
    free(all);
    return UW_OK;
}

uw_status uw__numpy_choice(uint64_t seed, int64_t n, int64_t count, int64_t *out) {
    static const int64_t LARGE = 10000, SHARE = 50;
    if (count < 0 || count > n || n > UINT32_MAX) return UW_EINVAL;
    uw_numpy_rng rng;
    uw__numpy_seed(&rng, seed);
    const uw_status status = n > LARGE && count > n / SHARE ? by_shuffle(&rng, n, count, out)
                                                            : by_floyd(&rng, n, count, out);
    if (!status) qsort(out, (size_t)count, sizeof *out, compare_numbers);
    return status;
}
