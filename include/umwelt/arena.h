/* Bump allocator over memory the caller owns: size and placement from one layout function.
 *
 *     uw_arena measure = UW_ARENA_MEASURE;
 *     layout(&measure, dims);                       // runs, writes nothing
 *     uw_arena place = {.base = mem, .cap = measure.used};
 *     layout(&place, dims);                         // the same code places
 */
#ifndef UW_ARENA_H
#define UW_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_ALIGN = 64 }; /* bytes: alignment of every block, one cache line */

/* base == NULL measures: nothing is written, and `used` ends as the number of bytes needed. */
typedef struct uw_arena {
    unsigned char *base; /* NULL when measuring, else 64-byte aligned and the caller's */
    size_t cap;          /* bytes; SIZE_MAX when measuring */
    size_t used;         /* bytes, padding included: the high-water mark */
    bool failed;         /* sticky, so that layouts check once, at the end */
} uw_arena;

#define UW_ARENA_MEASURE ((uw_arena){.cap = SIZE_MAX})

/* Take count * size bytes, aligned to 64 and zeroed, padding included.
 *
 * Returns  the block; NULL when measuring or when it does not fit (then arena->failed is set) */
UW_API void *uw_arena_alloc(uw_arena *arena, size_t count, size_t size);

/* Return the bytes taken so far, padding included. */
UW_API size_t uw_arena_used(const uw_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
