/* The action encoder: 1x1 convolution over time (a Linear: its weight has a last axis of 1),
 * Linear, SiLU, Linear.  Without a smoothing width the actions themselves are the condition. */
#include <string.h>

#include "parts.h"

struct uw_action_acts {
    size_t rows;
    const uw_real *a; /* [rows, action_in], borrowed from the forward */
    uw_real *smooth;  /* [rows, smooth] */
    uw_real *h, *g;   /* [rows, hidden] before and after SiLU */
    uw_real *dh, *dsmooth;
    uw_real *work;
};

uw_action_acts *uw__action_layout(uw_arena *arena, const uw_net *net, size_t max_rows,
                                  bool backward) {
    const size_t smooth = (size_t)net->config.action_smooth_dim;
    const size_t hidden = (size_t)net->config.action_hidden_dim, in = (size_t)net->action_in;
    uw_action_acts tmp = {0}, *acts = uw_arena_alloc(arena, 1, sizeof *acts);

    if (smooth) {
        tmp.smooth = uw__take(arena, max_rows * smooth);
        tmp.h = tmp.g = uw__take(arena, max_rows * hidden);
        if (backward) {
            const size_t last = uw__linear_work(hidden, (size_t)net->cond_dim, max_rows);
            const size_t mid = uw__linear_work(smooth, hidden, max_rows);
            tmp.g = uw__take(arena, max_rows * hidden);
            tmp.dh = uw__take(arena, max_rows * hidden);
            tmp.dsmooth = uw__take(arena, max_rows * smooth);
            tmp.work =
                uw__take(arena, uw__max(uw__max(last, mid), uw__linear_work(in, smooth, max_rows)));
        }
    }
    if (acts && !arena->failed) *acts = tmp;
    return acts;
}

void uw__action_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_action_acts *acts, const uw_real *a, size_t rows, uw_real *c) {
    acts->rows = rows;
    acts->a = a;
    if (net->config.action_smooth_dim == 0) {
        if (net->cond_dim) memcpy(c, a, rows * (size_t)net->cond_dim * sizeof *c);
        return;
    }
    const uw_linear first = uw__bind_linear(net, net->at_action, true, params, NULL);
    const uw_linear mid = uw__bind_linear(net, net->at_action + 2, true, params, NULL);
    const uw_linear last = uw__bind_linear(net, net->at_action + 4, true, params, NULL);

    uw__linear_forward(e, &first, acts->smooth, NULL, a, rows);
    uw__linear_forward(e, &mid, acts->h, NULL, acts->smooth, rows);
    uw__map(e, e->k->silu, acts->g, acts->h, rows * mid.out);
    uw__linear_forward(e, &last, c, NULL, acts->g, rows);
}

void uw__action_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_action_acts *acts, const uw_real *dc, uw_real *da, uw_real *grads) {
    const size_t rows = acts->rows;
    if (net->config.action_smooth_dim == 0) {
        if (da && net->cond_dim) memcpy(da, dc, rows * (size_t)net->cond_dim * sizeof *da);
        return;
    }
    const uw_linear first = uw__bind_linear(net, net->at_action, true, params, grads);
    const uw_linear mid = uw__bind_linear(net, net->at_action + 2, true, params, grads);
    const uw_linear last = uw__bind_linear(net, net->at_action + 4, true, params, grads);

    uw__linear_backward(e, &last, acts->dh, false, dc, acts->g, rows, acts->work);
    uw__map_backward(e, e->k->silu_backward, acts->dh, acts->dh, acts->h, rows * mid.out);
    uw__linear_backward(e, &mid, acts->dsmooth, false, acts->dh, acts->smooth, rows, acts->work);
    uw__linear_backward(e, &first, da, false, acts->dsmooth, acts->a, rows, acts->work);
}
