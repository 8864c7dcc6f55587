/* How a layer runs: the kernels, the pool, and scratch per worker.  Layers take it first. */
#ifndef UW_EXEC_H
#define UW_EXEC_H

#include <umwelt/arena.h>

#include "internal.h"
#include "kernels.h"

typedef struct uw_exec {
    const uw_kernels *k;
    uw_pool *pool;          /* NULL = serial on the caller */
    int32_t num_workers;    /* uw__pool_threads(pool) */
    size_t scratch_reals;   /* per worker, at least UW_GEMM_SCRATCH */
    uw_real *scratch;       /* [num_workers, scratch_reals]; dead after every layer call */
    bool bf16;              /* products in bf16 (kernels.h: gemm_bf16) */
} uw_exec;

/* Place an exec's scratch: extra_reals on top of the GEMM's per worker.  pool may be NULL. */
uw_exec uw__exec_layout(uw_arena *arena, const uw_kernels *k, uw_pool *pool, size_t extra_reals);
/* The same for a stated number of workers, for measuring before there is a pool. */
uw_exec uw__exec_layout_for(uw_arena *arena, int32_t num_workers, size_t extra_reals);

/* Return the GEMM scratch and the extra scratch of one worker.  A serial exec has one area, whichever
 * worker of an outer pool runs it. */
static inline uw_real *uw__exec_gemm_scratch(const uw_exec *e, int32_t worker) {
    return e->scratch + (e->num_workers == 1 ? 0 : (size_t)worker) * e->scratch_reals;
}
static inline uw_real *uw__exec_extra(const uw_exec *e, int32_t worker) {
    return uw__exec_gemm_scratch(e, worker) + UW_GEMM_SCRATCH;
}

/* One product in the exec's precision. */
static inline void uw__exec_gemm(const uw_exec *e, const uw_gemm_args *g, uw_real *scratch) {
    (e->bf16 ? e->k->gemm_bf16 : e->k->gemm)(g, scratch);
}

#endif
