/* Places and ways between them, as arithmetic on arrays: no model, no file, no message. */
#ifndef UW_WAYS_H
#define UW_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels.h"

/* Choose at most `most` of the points z [n, d]: the first, then again and again the one farthest from all chosen
 * so far, the first of equals; fewer when no point differs from the chosen ones.
 *
 * chosen: [most] their numbers; cell: [n] which of them (0 ..) is nearest to each point, the earliest of equals;
 * distance: [2 n], in front the squared distance to it, behind scratch.  Returns how many. */
int32_t uw__ways_places(const uw_kernels *kernels, const float *z, int64_t n, int32_t d, int32_t most,
                        int64_t *chosen, int32_t *cell, float *distance);

enum { UW_NO_WAY = UINT16_MAX };
/* Return 64-bit words per row of a set of n places. */
static inline size_t uw__ways_words(int32_t n) {
    return ((size_t)n + 63) / 64;
}
static inline void uw__ways_add(uint64_t *edges, int32_t n, int32_t from, int32_t to) {
    edges[(size_t)from * uw__ways_words(n) + (size_t)to / 64] |= UINT64_C(1) << (to % 64);
}
/* Write the fewest edges from every place to every other, steps [n, n], UW_NO_WAY where none lead.
 * edges: [n, words] row `from` a set of places; work: [3, words].  n < UW_NO_WAY. */
void uw__ways_shortest(const uint64_t *edges, int32_t n, uint64_t *work, uint16_t *steps);

#endif
