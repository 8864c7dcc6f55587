/* Checked arithmetic for sizes that come from files: overflow is an answer, not an accident. */
#ifndef UW_CHECKED_H
#define UW_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool uw__mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool uw__add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
/* True when [offset, offset + bytes) lies inside [0, size). */
static inline bool uw__range_ok(uint64_t offset, uint64_t bytes, uint64_t size) {
    return bytes <= size && offset <= size - bytes;
}

#endif
