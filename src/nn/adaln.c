/* AdaLN's modulate and gate, cut by rows.  Shift, scale and gate are column blocks of one [rows,
 * ldm] table, so their gradients land in the same places of its gradient. */
#include <string.h>

#include "layers.h"

typedef struct adaln_task {
    const uw_exec *e;
    uw_real *y, *dshift, *dscale;         /* y: what is written; dscale also holds dgate */
    const uw_real *x, *z, *shift, *scale; /* scale also holds the gate; z: the second operand */
    size_t rows, block, c, ldm;
} adaln_task;

static void modulate_block(void *arg, size_t index, int32_t worker) {
    const adaln_task *t = arg;
    const size_t row = index * t->block, at = row * t->c, m = row * t->ldm;
    const size_t rows = t->rows - row < t->block ? t->rows - row : t->block;
    (void)worker;
    t->e->k->modulate(t->y + at, t->x + at, t->shift + m, t->scale + m, rows, t->c, t->ldm);
}

void uw__modulate_forward(const uw_exec *e, uw_real *y, const uw_real *x, const uw_real *shift,
                          const uw_real *scale, size_t rows, size_t c, size_t ldm) {
    adaln_task t = {.e = e,
                    .y = y,
                    .x = x,
                    .shift = shift,
                    .scale = scale,
                    .rows = rows,
                    .block = uw__row_block(rows),
                    .c = c,
                    .ldm = ldm};
    uw__pool_run(uw__exec_pool(e, rows * c), uw__num_blocks(rows, t.block), modulate_block, &t);
}

static void modulate_backward_block(void *arg, size_t index, int32_t worker) {
    const adaln_task *t = arg;
    const size_t row = index * t->block, at = row * t->c, m = row * t->ldm;
    const size_t rows = t->rows - row < t->block ? t->rows - row : t->block;
    (void)worker;
    t->e->k->modulate_backward(t->y + at, t->dshift + m, t->dscale + m, t->z + at, t->x + at,
                               t->scale + m, rows, t->c, t->ldm);
}

void uw__modulate_backward(const uw_exec *e, uw_real *dx, uw_real *dshift, uw_real *dscale,
                           const uw_real *dy, const uw_real *x, const uw_real *scale, size_t rows,
                           size_t c, size_t ldm) {
    adaln_task t = {.e = e,
                    .y = dx,
                    .dshift = dshift,
                    .dscale = dscale,
                    .z = dy,
                    .x = x,
                    .scale = scale,
                    .rows = rows,
                    .block = uw__row_block(rows),
                    .c = c,
                    .ldm = ldm};
    uw__pool_run(uw__exec_pool(e, rows * c), uw__num_blocks(rows, t.block), modulate_backward_block,
                 &t);
}

static void gate_block(void *arg, size_t index, int32_t worker) {
    const adaln_task *t = arg;
    const size_t row = index * t->block, at = row * t->c, m = row * t->ldm;
    const size_t rows = t->rows - row < t->block ? t->rows - row : t->block;
    (void)worker;
    if (t->y != t->x) memcpy(t->y + at, t->x + at, rows * t->c * sizeof *t->y);
    t->e->k->gate(t->y + at, t->z + at, t->scale + m, rows, t->c, t->ldm);
}

void uw__gate_forward(const uw_exec *e, uw_real *out, const uw_real *x, const uw_real *y,
                      const uw_real *gate, size_t rows, size_t c, size_t ldm) {
    adaln_task t = {.e = e,
                    .y = out,
                    .x = x,
                    .z = y,
                    .scale = gate,
                    .rows = rows,
                    .block = uw__row_block(rows),
                    .c = c,
                    .ldm = ldm};
    uw__pool_run(uw__exec_pool(e, rows * c), uw__num_blocks(rows, t.block), gate_block, &t);
}

static void gate_backward_block(void *arg, size_t index, int32_t worker) {
    const adaln_task *t = arg;
    const size_t row = index * t->block, at = row * t->c, m = row * t->ldm;
    const size_t rows = t->rows - row < t->block ? t->rows - row : t->block;
    (void)worker;
    t->e->k->gate_backward(t->y + at, t->dscale + m, t->x + at, t->z + at, t->scale + m, rows, t->c,
                           t->ldm);
}

void uw__gate_backward(const uw_exec *e, uw_real *dy, uw_real *dgate, const uw_real *dout,
                       const uw_real *y, const uw_real *gate, size_t rows, size_t c, size_t ldm) {
    adaln_task t = {.e = e,
                    .y = dy,
                    .dscale = dgate,
                    .x = dout,
                    .z = y,
                    .scale = gate,
                    .rows = rows,
                    .block = uw__row_block(rows),
                    .c = c,
                    .ldm = ldm};
    uw__pool_run(uw__exec_pool(e, rows * c), uw__num_blocks(rows, t.block), gate_backward_block,
                 &t);
}
