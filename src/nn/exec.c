/* Scratch of the layers: one GEMM area and one extra area per worker. */
#include "exec.h"

uw_exec uw__exec_layout_for(uw_arena *arena, int32_t num_workers, size_t extra_reals) {
    const size_t line = UW_ALIGN / sizeof(uw_real);
    uw_exec e = {.num_workers = num_workers,
                 .scratch_reals = (UW_GEMM_SCRATCH + extra_reals + line - 1) / line * line};

    e.scratch = uw_arena_alloc(arena, (size_t)num_workers * e.scratch_reals, sizeof *e.scratch);
    return e;
}

uw_exec uw__exec_layout(uw_arena *arena, const uw_kernels *k, uw_pool *pool, size_t extra_reals) {
    uw_exec e = uw__exec_layout_for(arena, uw__pool_threads(pool), extra_reals);

    e.k = k;
    e.pool = pool;
    return e;
}
