/* CLS token and position tables. */
#include <string.h>

#include "layers.h"

typedef struct embed_task {
    const uw_exec *e;
    uw_real *out, *dx;
    const uw_real *x, *cls, *pos, *dout;
    size_t patches, c;
} embed_task;

static void embed_one(void *arg, size_t index, int32_t worker) {
    const embed_task *t = arg;
    const size_t reals = t->patches * t->c;
    uw_real *out = t->out + index * (reals + t->c);
    (void)worker;
    t->e->k->add(out, t->cls, t->pos, t->c);
    t->e->k->add(out + t->c, t->x + index * reals, t->pos + t->c, reals);
}

void uw__embed_forward(const uw_exec *e, uw_real *out, const uw_real *x, const uw_real *cls,
                       const uw_real *pos, size_t n, size_t patches, size_t c) {
    embed_task t = {.e = e, .out = out, .x = x, .cls = cls, .pos = pos, .patches = patches, .c = c};
    uw__pool_run(uw__exec_pool(e, n * patches * c), n, embed_one, &t);
}

static void unembed_one(void *arg, size_t index, int32_t worker) {
    const embed_task *t = arg;
    const size_t reals = t->patches * t->c;
    (void)worker;
    memcpy(t->dx + index * reals, t->dout + index * (reals + t->c) + t->c, reals * sizeof *t->dx);
}

void uw__embed_backward(const uw_exec *e, uw_real *dx, uw_real *dcls, uw_real *dpos,
                        const uw_real *dout, size_t n, size_t patches, size_t c) {
    embed_task t = {.e = e, .dx = dx, .dout = dout, .patches = patches, .c = c};
    uw__pool_run(uw__exec_pool(e, n * patches * c), n, unembed_one, &t);
    if (!dcls) return;
    const size_t row = (patches + 1) * c;
    for (size_t i = 0; i < n; i++) {
        e->k->axpy(dcls, 1, dout + i * row, c);
        e->k->axpy(dpos, 1, dout + i * row, row);
    }
}

void uw__position_forward(const uw_exec *e, uw_real *out, const uw_real *x, const uw_real *pos,
                          size_t n, size_t t, size_t c) {
    for (size_t i = 0; i < n; i++) e->k->add(out + i * t * c, x + i * t * c, pos, t * c);
}

void uw__position_backward(const uw_exec *e, uw_real *dpos, const uw_real *dout, size_t n, size_t t,
                           size_t c) {
    for (size_t i = 0; i < n; i++) e->k->axpy(dpos, 1, dout + i * t * c, t * c);
}
