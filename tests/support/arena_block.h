/* A heap block as an arena, for tests that lay something out. */
#ifndef UW_ARENA_BLOCK_H
#define UW_ARENA_BLOCK_H

#include <umwelt/arena.h>

#include "check.h"

/* Own: free(arena.base). */
static inline uw_arena arena_block(size_t bytes) {
    uw_arena arena = {.cap = (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN};
    arena.base = aligned_alloc(UW_ALIGN, arena.cap);
    if (!arena.base) fail_msg("no memory for %zu bytes", bytes);
    return arena;
}

#endif
