/* Layer norm, cut by rows; its weight gradients are summed over a fixed number of chunks of rows
 * and folded in chunk order. */
#include <string.h>

#include "layers.h"

enum { CHUNKS = 16 };

typedef struct layernorm_task {
    const uw_exec *e;
    const uw_layernorm *l;
    uw_real *y, *mean, *rstd, *dx, *work;
    const uw_real *x, *dy;
    size_t rows, block;
    bool accumulate;
} layernorm_task;

static void forward_block(void *arg, size_t index, int32_t worker) {
    const layernorm_task *t = arg;
    const uw_layernorm *l = t->l;
    const size_t row = index * t->block;
    const size_t rows = t->rows - row < t->block ? t->rows - row : t->block;
    (void)worker;
    t->e->k->layernorm(t->y + row * l->c, t->mean ? t->mean + row : NULL,
                       t->rstd ? t->rstd + row : NULL, t->x + row * l->c, l->gamma, l->beta, rows,
                       l->c, l->eps);
}

void uw__layernorm_forward(const uw_exec *e, const uw_layernorm *l, uw_real *y, uw_real *mean,
                           uw_real *rstd, const uw_real *x, size_t rows) {
    layernorm_task t = {.e = e,
                        .l = l,
                        .y = y,
                        .mean = mean,
                        .rstd = rstd,
                        .x = x,
                        .rows = rows,
                        .block = uw__row_block(rows)};
    uw__pool_run(uw__exec_pool(e, rows * l->c), uw__num_blocks(rows, t.block), forward_block, &t);
}

size_t uw__layernorm_work(size_t c) {
    return CHUNKS * 2 * c;
}

static void backward_chunk(void *arg, size_t index, int32_t worker) {
    const layernorm_task *t = arg;
    const uw_layernorm *l = t->l;
    const size_t row = index * t->rows / CHUNKS, rows = (index + 1) * t->rows / CHUNKS - row;
    uw_real *dgamma = t->l->dgamma ? t->work + index * 2 * l->c : NULL;
    (void)worker;
    if (dgamma) memset(dgamma, 0, 2 * l->c * sizeof *dgamma);
    t->e->k->layernorm_backward(t->dx + row * l->c, dgamma, dgamma ? dgamma + l->c : NULL,
                                t->dy + row * l->c, t->x + row * l->c, t->mean + row, t->rstd + row,
                                l->gamma, rows, l->c, t->accumulate);
}

void uw__layernorm_backward(const uw_exec *e, const uw_layernorm *l, uw_real *dx, bool accumulate,
                            const uw_real *dy, const uw_real *x, const uw_real *mean,
                            const uw_real *rstd, size_t rows, uw_real *work) {
    layernorm_task t = {.e = e,
                        .l = l,
                        .dx = dx,
                        .dy = dy,
                        .x = x,
                        .mean = (uw_real *)mean,
                        .rstd = (uw_real *)rstd,
                        .work = work,
                        .rows = rows,
                        .accumulate = accumulate};
    uw__pool_run(uw__exec_pool(e, rows * l->c), CHUNKS, backward_chunk, &t);
    if (!l->dgamma) return;
    for (size_t i = 0; i < CHUNKS; i++) {
        e->k->axpy(l->dgamma, 1, work + i * 2 * l->c, l->c);
        e->k->axpy(l->dbeta, 1, work + i * 2 * l->c + l->c, l->c);
    }
}
