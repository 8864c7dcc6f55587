/* The arena: one bump, checked before it writes. */
#include <umwelt/arena.h>

#include <string.h>

void *uw_arena_alloc(uw_arena *arena, size_t count, size_t size) {
    const size_t pad = (UW_ALIGN - arena->used % UW_ALIGN) % UW_ALIGN;
    if (arena->failed || (size && count > (SIZE_MAX - UW_ALIGN) / size)) goto fail;

    const size_t bytes = count * size;
    if (arena->cap - arena->used < pad || arena->cap - arena->used - pad < bytes) goto fail;

    /* Padding is zeroed too: kernels may read whole vectors, and denormals there would cost time.
     */
    unsigned char *block = arena->base ? arena->base + arena->used : NULL;
    if (block) memset(block, 0, pad + bytes);
    arena->used += pad + bytes;
    return block ? block + pad : NULL;
fail:
    arena->failed = true;
    return NULL;
}

size_t uw_arena_used(const uw_arena *arena) {
    return arena->used;
}
