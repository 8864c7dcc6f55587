/* The residual MLP predictor: z' = z + W3 gelu(W2 gelu(W1 [z, c])), Markov. */
#include <string.h>

#include "parts.h"

static size_t input_dim(const uw_net *net) {
    return (size_t)(net->config.latent_dim + net->cond_dim);
}

void uw__markov_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                       uw_markov_acts *acts) {
    const size_t d = (size_t)net->config.latent_dim, in = input_dim(net);
    const size_t hidden = (size_t)net->config.predictor_mlp_dim;

    acts->x = uw__take(arena, max_rows * in);
    for (int i = 0; i < 2; i++) {
        acts->h[i] = acts->g[i] = uw__take(arena, max_rows * hidden);
        if (!backward) continue;
        acts->g[i] = uw__take(arena, max_rows * hidden);
        acts->dh[i] = uw__take(arena, max_rows * hidden);
    }
    if (!backward) return;
    acts->dx = uw__take(arena, max_rows * in);
    const size_t inner =
        uw__max(uw__linear_work(hidden, hidden, max_rows), uw__linear_work(hidden, d, max_rows));
    acts->work = uw__take(arena, uw__max(inner, uw__linear_work(in, hidden, max_rows)));
}

void uw__markov_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_markov_acts *acts, const uw_real *z, const uw_real *c, size_t rows,
                        uw_real *raw) {
    const size_t d = (size_t)net->config.latent_dim, cond = (size_t)net->cond_dim, in = d + cond;
    const uw_linear l1 = uw__bind_linear(net, net->at_predictor, true, params, NULL);
    const uw_linear l2 = uw__bind_linear(net, net->at_predictor + 2, true, params, NULL);
    const uw_linear l3 = uw__bind_linear(net, net->at_predictor + 4, true, params, NULL);

    for (size_t r = 0; r < rows; r++) {
        memcpy(acts->x + r * in, z + r * d, d * sizeof *z);
        if (cond) memcpy(acts->x + r * in + d, c + r * cond, cond * sizeof *c);
    }
    uw__linear_forward(e, &l1, acts->h[0], acts->g[0], acts->x, rows);
    uw__linear_forward(e, &l2, acts->h[1], acts->g[1], acts->g[0], rows);
    uw__linear_forward(e, &l3, raw, NULL, acts->g[1], rows);
    uw__add(e, raw, raw, z, rows * d);
}

void uw__markov_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_markov_acts *acts, const uw_real *draw, size_t rows, uw_real *dz,
                         uw_real *dc, uw_real *grads) {
    const size_t d = (size_t)net->config.latent_dim, cond = (size_t)net->cond_dim, in = d + cond;
    const size_t hidden = rows * (size_t)net->config.predictor_mlp_dim;
    const uw_linear l1 = uw__bind_linear(net, net->at_predictor, true, params, grads);
    const uw_linear l2 = uw__bind_linear(net, net->at_predictor + 2, true, params, grads);
    const uw_linear l3 = uw__bind_linear(net, net->at_predictor + 4, true, params, grads);
    uw_real *dh1 = acts->dh[0], *dh2 = acts->dh[1], *dx = dz || dc ? acts->dx : NULL;

    uw__linear_backward(e, &l3, dh2, false, draw, acts->g[1], rows, acts->work);
    uw__map_backward(e, e->k->gelu_backward, dh2, dh2, acts->h[1], hidden);
    uw__linear_backward(e, &l2, dh1, false, dh2, acts->g[0], rows, acts->work);
    uw__map_backward(e, e->k->gelu_backward, dh1, dh1, acts->h[0], hidden);
    uw__linear_backward(e, &l1, dx, false, dh1, acts->x, rows, acts->work);
    if (!dx) return;
    for (size_t r = 0; r < rows; r++) {
        /* the residual hands draw on unchanged */
        if (dz) e->k->add(dz + r * d, draw + r * d, dx + r * in, d);
        if (dc && cond) memcpy(dc + r * cond, dx + r * in + d, cond * sizeof *dc);
    }
}
