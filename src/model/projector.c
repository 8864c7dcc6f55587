/* Projector and prediction projector: Linear -> BatchNorm -> GELU -> Linear, or one Linear when the
 * hidden width is 0. */
#include "parts.h"

void uw__projector_layout(uw_arena *arena, size_t in, size_t hidden, size_t out, size_t max_rows,
                          bool backward, uw_projector_acts *acts) {
    acts->h = uw__take(arena, max_rows * hidden);
    acts->mean = uw__take(arena, hidden);
    acts->rstd = uw__take(arena, hidden);
    if (!backward) {
        acts->n = acts->g = acts->h; /* every step works in place */
        return;
    }
    const size_t first = uw__linear_work(in, hidden ? hidden : out, max_rows);
    acts->n = uw__take(arena, max_rows * hidden);
    acts->g = uw__take(arena, max_rows * hidden);
    acts->dg = uw__take(arena, max_rows * hidden);
    acts->work = uw__take(arena, uw__max(first, uw__linear_work(hidden, out, max_rows)));
}

void uw__projector_forward(const uw_exec *e, const uw_net *net, int32_t at, size_t hidden,
                           const uw_real *params, uw_real *buffers, uw_projector_acts *acts,
                           const uw_real *x, size_t rows, bool train, uw_real *y) {
    const uw_linear first = uw__bind_linear(net, at, true, params, NULL);
    acts->x = x;
    acts->train = train;
    if (hidden == 0) {
        uw__linear_forward(e, &first, y, NULL, x, rows);
        return;
    }
    const uw_batchnorm norm = uw__bind_batchnorm(net, at + 2, params, buffers, NULL);
    const uw_linear last = uw__bind_linear(net, at + 7, true, params, NULL);

    uw__linear_forward(e, &first, acts->h, NULL, x, rows);
    uw__batchnorm_forward(e, &norm, acts->n, acts->mean, acts->rstd, acts->h, rows, train);
    uw__map(e, e->k->gelu, acts->g, acts->n, rows * hidden);
    uw__linear_forward(e, &last, y, NULL, acts->g, rows);
}

void uw__projector_backward(const uw_exec *e, const uw_net *net, int32_t at, size_t hidden,
                            const uw_real *params, uw_projector_acts *acts, const uw_real *dy,
                            size_t rows, uw_real *dx, uw_real *grads) {
    const uw_linear first = uw__bind_linear(net, at, true, params, grads);
    if (hidden == 0) {
        uw__linear_backward(e, &first, dx, false, dy, acts->x, rows, acts->work);
        return;
    }
    const uw_batchnorm norm = uw__bind_batchnorm(net, at + 2, params, NULL, grads);
    const uw_linear last = uw__bind_linear(net, at + 7, true, params, grads);
    uw_real *d = acts->dg; /* [rows, P]: gradient of g, then of n, then of h */

    uw__linear_backward(e, &last, d, false, dy, acts->g, rows, acts->work);
    uw__map_backward(e, e->k->gelu_backward, d, d, acts->n, rows * hidden);
    if (acts->train)
        uw__batchnorm_backward(e, &norm, d, d, acts->h, acts->mean, acts->rstd, rows);
    else
        uw__batchnorm_backward_running(e, &norm, d, d, acts->rstd, rows);
    uw__linear_backward(e, &first, dx, false, d, acts->x, rows, acts->work);
}
