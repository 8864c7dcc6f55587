/* BatchNorm over rows, cut by columns: a column's statistics are nobody else's. */
#include <math.h>

#include "layers.h"

/* PyTorch's BatchNorm1d defaults. */
static const uw_real BN_EPS = (uw_real)1e-5, BN_MOMENTUM = (uw_real)0.1;

enum { COLUMNS = 32 }; /* per block */

typedef struct batchnorm_task {
    const uw_exec *e;
    const uw_batchnorm *b;
    uw_real *y, *mean, *rstd;
    const uw_real *x, *dy;
    size_t rows;
    bool train;
} batchnorm_task;

static void forward_block(void *arg, size_t index, int32_t worker) {
    const batchnorm_task *t = arg;
    const uw_batchnorm *b = t->b;
    const size_t at = index * COLUMNS, c = b->c - at < COLUMNS ? b->c - at : COLUMNS;
    uw_real var[COLUMNS];
    (void)worker;

    if (t->train) {
        /* rows n: normalise with divisor n, remember with divisor n - 1 */
        const uw_real unbias = t->rows > 1 ? (uw_real)t->rows / (uw_real)(t->rows - 1) : 1;
        t->e->k->colmoments(t->mean + at, var, t->x + at, t->rows, c, b->c);
        for (size_t i = 0; i < c; i++) {
            uw_real *mean = &b->running_mean[at + i], *running = &b->running_var[at + i];
            *mean = (1 - BN_MOMENTUM) * *mean + BN_MOMENTUM * t->mean[at + i];
            *running = (1 - BN_MOMENTUM) * *running + BN_MOMENTUM * (var[i] * unbias);
        }
    } else {
        for (size_t i = 0; i < c; i++) {
            t->mean[at + i] = b->running_mean[at + i];
            var[i] = b->running_var[at + i];
        }
    }
    for (size_t i = 0; i < c; i++) t->rstd[at + i] = 1 / (uw_real)sqrt((double)(var[i] + BN_EPS));
    t->e->k->batchnorm_apply(t->y + at, b->c, t->x + at, b->c, t->mean + at, t->rstd + at,
                             b->gamma + at, b->beta + at, t->rows, c);
}

void uw__batchnorm_forward(const uw_exec *e, const uw_batchnorm *b, uw_real *y, uw_real *mean,
                           uw_real *rstd, const uw_real *x, size_t rows, bool train) {
    batchnorm_task t = {
        .e = e, .b = b, .y = y, .mean = mean, .rstd = rstd, .x = x, .rows = rows, .train = train};
    if (rows == 0) return;
    uw__pool_run(uw__exec_pool(e, rows * b->c), uw__num_blocks(b->c, COLUMNS), forward_block, &t);
    if (train) b->batches[0] += 1;
}

static void backward_block(void *arg, size_t index, int32_t worker) {
    const batchnorm_task *t = arg;
    const uw_batchnorm *b = t->b;
    const size_t at = index * COLUMNS, c = b->c - at < COLUMNS ? b->c - at : COLUMNS;
    uw_real unused[2 * COLUMNS] = {0}; /* the kernel sums these gradients anyway */
    (void)worker;
    t->e->k->batchnorm_backward(t->y + at, b->dgamma ? b->dgamma + at : unused,
                                b->dbeta ? b->dbeta + at : unused + COLUMNS, t->dy + at, t->x + at,
                                t->mean + at, t->rstd + at, b->gamma + at, t->rows, c, b->c);
}

void uw__batchnorm_backward(const uw_exec *e, const uw_batchnorm *b, uw_real *dx, const uw_real *dy,
                            const uw_real *x, const uw_real *mean, const uw_real *rstd,
                            size_t rows) {
    batchnorm_task t = {.e = e,
                        .b = b,
                        .y = dx,
                        .mean = (uw_real *)mean,
                        .rstd = (uw_real *)rstd,
                        .x = x,
                        .dy = dy,
                        .rows = rows};
    uw__pool_run(uw__exec_pool(e, rows * b->c), uw__num_blocks(b->c, COLUMNS), backward_block, &t);
}

static void running_backward_block(void *arg, size_t index, int32_t worker) {
    static const uw_real zero[COLUMNS];
    const batchnorm_task *t = arg;
    const size_t at = index * COLUMNS, c = t->b->c - at < COLUMNS ? t->b->c - at : COLUMNS;
    (void)worker;
    t->e->k->batchnorm_apply(t->y + at, t->b->c, t->dy + at, t->b->c, zero, t->rstd + at,
                             t->b->gamma + at, zero, t->rows, c);
}

void uw__batchnorm_backward_running(const uw_exec *e, const uw_batchnorm *b, uw_real *dx,
                                    const uw_real *dy, const uw_real *rstd, size_t rows) {
    batchnorm_task t = {.e = e, .b = b, .y = dx, .rstd = (uw_real *)rstd, .dy = dy, .rows = rows};
    uw__pool_run(uw__exec_pool(e, rows * b->c), uw__num_blocks(b->c, COLUMNS),
                 running_backward_block, &t);
}
