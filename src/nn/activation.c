/* Elementwise layers over big arrays, cut into blocks that stay in the first-level cache. */
#include "layers.h"

enum { MAP_BLOCK = 8192 };

typedef struct map_task {
    uw_map_fn *forward;
    uw_map_backward_fn *backward;
    const uw_kernels *k;
    uw_real *y;
    const uw_real *x, *dy; /* dy: the second operand */
    size_t n;
} map_task;

static size_t block_size(const map_task *t, size_t index) {
    const size_t left = t->n - index * MAP_BLOCK;
    return left < MAP_BLOCK ? left : MAP_BLOCK;
}

static void map_block(void *arg, size_t index, int32_t worker) {
    const map_task *t = arg;
    const size_t at = index * MAP_BLOCK;
    (void)worker;
    t->forward(t->y + at, t->x + at, block_size(t, index));
}

static void map_backward_block(void *arg, size_t index, int32_t worker) {
    const map_task *t = arg;
    const size_t at = index * MAP_BLOCK;
    (void)worker;
    t->backward(t->y + at, t->dy + at, t->x + at, block_size(t, index));
}

static void add_block(void *arg, size_t index, int32_t worker) {
    const map_task *t = arg;
    const size_t at = index * MAP_BLOCK;
    (void)worker;
    t->k->add(t->y + at, t->x + at, t->dy + at, block_size(t, index));
}

void uw__map(const uw_exec *e, uw_map_fn *f, uw_real *y, const uw_real *x, size_t n) {
    map_task t = {.forward = f, .y = y, .x = x, .n = n};
    uw__pool_run(uw__exec_pool(e, n), uw__num_blocks(n, MAP_BLOCK), map_block, &t);
}

void uw__map_backward(const uw_exec *e, uw_map_backward_fn *f, uw_real *dx, const uw_real *dy,
                      const uw_real *x, size_t n) {
    map_task t = {.backward = f, .y = dx, .dy = dy, .x = x, .n = n};
    uw__pool_run(uw__exec_pool(e, n), uw__num_blocks(n, MAP_BLOCK), map_backward_block, &t);
}

void uw__add(const uw_exec *e, uw_real *y, const uw_real *a, const uw_real *b, size_t n) {
    map_task t = {.k = e->k, .y = y, .x = a, .dy = b, .n = n};
    uw__pool_run(uw__exec_pool(e, n), uw__num_blocks(n, MAP_BLOCK), add_block, &t);
}
