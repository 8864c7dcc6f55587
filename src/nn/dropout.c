/* Inverted dropout whose masks are recomputed, never stored: a mask is a function of the seed, the
 * site and the row, so the backward and a resumed run see the same one. */
#include "layers.h"
#include "rng.h"

enum { ROWS = 32 }; /* per task */

typedef struct dropout_task {
    const uw_drop *drop;
    uw_real *x;
    size_t rows, row;
} dropout_task;

void uw__dropout_row(const uw_drop *drop, uw_real *x, size_t row_index, size_t row) {
    const uw_real keep = 1 / (1 - drop->p);
    uw_rng r = uw__rng(drop->seed, UW_STREAM_DROPOUT, drop->site << 40 | (uint64_t)row_index);
    for (size_t i = 0; i < row; i++)
        x[i] = (uw_real)uw__rng_uniform(&r) < drop->p ? 0 : x[i] * keep;
}

static void dropout_block(void *arg, size_t index, int32_t worker) {
    const dropout_task *t = arg;
    const size_t end = (index + 1) * ROWS < t->rows ? (index + 1) * ROWS : t->rows;
    (void)worker;
    for (size_t r = index * ROWS; r < end; r++)
        uw__dropout_row(t->drop, t->x + r * t->row, r, t->row);
}

void uw__dropout(const uw_exec *e, const uw_drop *drop, uw_real *x, size_t rows, size_t row) {
    dropout_task t = {.drop = drop, .x = x, .rows = rows, .row = row};
    if (drop->p == 0) return;
    uw__pool_run(uw__exec_pool(e, rows * row), uw__num_blocks(rows, ROWS), dropout_block, &t);
}
