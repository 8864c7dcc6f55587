/* The inverse dynamics head: Linear -> GELU -> Linear on [z_t, z_t+1]. */
#include <string.h>

#include "parts.h"

struct uw_inverse_acts {
    size_t rows;
    uw_real *x, *dx;     /* [rows, 2 D] */
    uw_real *h, *g, *dh; /* [rows, hidden] */
    uw_real *work;
};

uw_inverse_acts *uw__inverse_layout(uw_arena *arena, const uw_net *net, size_t max_rows) {
    const size_t in = 2 * (size_t)net->config.latent_dim, out = (size_t)net->action_block;
    const size_t hidden = (size_t)net->config.inverse_dim;
    uw_inverse_acts tmp = {0}, *acts = uw_arena_alloc(arena, 1, sizeof *acts);

    tmp.x = uw__take(arena, max_rows * in);
    tmp.dx = uw__take(arena, max_rows * in);
    tmp.h = uw__take(arena, max_rows * hidden);
    tmp.g = uw__take(arena, max_rows * hidden);
    tmp.dh = uw__take(arena, max_rows * hidden);
    tmp.work = uw__take(arena, uw__max(uw__linear_work(in, hidden, max_rows),
                                       uw__linear_work(hidden, out, max_rows)));
    if (acts && !arena->failed) *acts = tmp;
    return acts;
}

void uw__inverse_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_inverse_acts *acts, const uw_real *z0, const uw_real *z1, size_t rows,
                         uw_real *a) {
    const size_t d = (size_t)net->config.latent_dim;
    const uw_linear first = uw__bind_linear(net, net->at_inverse, true, params, NULL);
    const uw_linear last = uw__bind_linear(net, net->at_inverse + 2, true, params, NULL);

    acts->rows = rows;
    for (size_t r = 0; r < rows; r++) {
        memcpy(acts->x + r * 2 * d, z0 + r * d, d * sizeof *z0);
        memcpy(acts->x + r * 2 * d + d, z1 + r * d, d * sizeof *z1);
    }
    uw__linear_forward(e, &first, acts->h, acts->g, acts->x, rows);
    uw__linear_forward(e, &last, a, NULL, acts->g, rows);
}

void uw__inverse_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_inverse_acts *acts, const uw_real *da, uw_real *dz0, uw_real *dz1,
                          uw_real *grads) {
    const size_t d = (size_t)net->config.latent_dim, rows = acts->rows;
    const uw_linear first = uw__bind_linear(net, net->at_inverse, true, params, grads);
    const uw_linear last = uw__bind_linear(net, net->at_inverse + 2, true, params, grads);

    uw__linear_backward(e, &last, acts->dh, false, da, acts->g, rows, acts->work);
    uw__map_backward(e, e->k->gelu_backward, acts->dh, acts->dh, acts->h, rows * first.out);
    uw__linear_backward(e, &first, acts->dx, false, acts->dh, acts->x, rows, acts->work);
    for (size_t r = 0; r < rows; r++) {
        memcpy(dz0 + r * d, acts->dx + r * 2 * d, d * sizeof *dz0);
        memcpy(dz1 + r * d, acts->dx + r * 2 * d + d, d * sizeof *dz1);
    }
}
