/* Farthest-point sampling and shortest ways. */
#include "ways.h"

#include <math.h>
#include <string.h>

int32_t uw__ways_places(const uw_kernels *kernels, const float *z, int64_t n, int32_t d,
                        int32_t most, int64_t *chosen, int32_t *cell, float *distance) {
    float *fresh = distance + n;
    int64_t farthest = 0;
    for (int64_t i = 0; i < n; i++) distance[i] = INFINITY;
    for (int32_t k = 0; k < most; k++) {
        if (!(distance[farthest] > 0.0f)) return k;
        chosen[k] = farthest;
        kernels->sqdist(fresh, z, z + farthest * d, (size_t)n, (size_t)d, (size_t)d);
        fresh[farthest] = 0.0f;
        for (int64_t i = 0; i < n; i++) {
            if (fresh[i] >= distance[i]) continue;
            distance[i] = fresh[i];
            cell[i] = k;
        }
        farthest = 0;
        for (int64_t i = 1; i < n; i++)
            if (distance[i] > distance[farthest]) farthest = i;
    }
    return most;
}

/* Write into next every place that an edge leads to from one of `from` and that is not in seen. */
static bool spread(const uint64_t *edges, size_t words, const uint64_t *from, const uint64_t *seen,
                   uint64_t *next) {
    uint64_t any = 0;
    memset(next, 0, words * sizeof *next);
    for (size_t w = 0; w < words; w++)
        for (uint64_t left = from[w]; left; left &= left - 1) {
            const uint64_t *row = edges + (w * 64 + (size_t)__builtin_ctzll(left)) * words;
            for (size_t v = 0; v < words; v++) next[v] |= row[v];
        }
    for (size_t w = 0; w < words; w++) any |= next[w] &= ~seen[w];
    return any != 0;
}

void uw__ways_shortest(const uint64_t *edges, int32_t n, uint64_t *work, uint16_t *steps) {
    const size_t words = uw__ways_words(n);
    uint64_t *seen = work;
    for (int32_t source = 0; source < n; source++) {
        uint64_t *now = work + words, *next = now + words;
        uint16_t *row = steps + (size_t)source * (size_t)n;
        for (int32_t i = 0; i < n; i++) row[i] = UW_NO_WAY;
        memset(seen, 0, words * sizeof *seen);
        memset(now, 0, words * sizeof *now);
        now[source / 64] = UINT64_C(1) << (source % 64);
        for (uint16_t step = 0;; step++) {
            for (size_t w = 0; w < words; w++) {
                seen[w] |= now[w];
                for (uint64_t left = now[w]; left; left &= left - 1)
                    row[w * 64 + (size_t)__builtin_ctzll(left)] = step;
            }
            if (!spread(edges, words, now, seen, next)) break;
            uint64_t *old = now;
            now = next;
            next = old;
        }
    }
}
