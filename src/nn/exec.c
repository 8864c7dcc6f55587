/* Scratch of the layers: one GEMM area and one extra area per worker. */
#include "exec.h"

uw_exec uw__exec_layout(uw_arena *arena, const uw_kernels *k, uw_pool *pool, size_t extra_reals) {
    uw_exec e = {.k = k, .pool = pool, .num_workers = uw__pool_threads(pool)};
    const size_t line = UW_ALIGN / sizeof(uw_real);

    e.scratch_reals = (UW_GEMM_SCRATCH + extra_reals + line - 1) / line * line;
    e.scratch = uw_arena_alloc(arena, (size_t)e.num_workers * e.scratch_reals, sizeof *e.scratch);
    return e;
}
