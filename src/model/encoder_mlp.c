/* The encoder of sensor columns: hidden layers with GELU; none hands the columns straight on. */
#include <string.h>

#include "parts.h"

static size_t layer_in(const uw_net *net, int32_t i) {
    return i ? (size_t)net->config.mlp_dim : net->input_reals;
}

void uw__mlp_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                            uw_mlp_acts *acts) {
    const size_t width = (size_t)net->config.mlp_dim;
    size_t work = 0;
    if (net->config.mlp_layers == 0) return;
    acts->d[0] = uw__take(arena, max_rows * width);
    acts->d[1] = uw__take(arena, max_rows * width);
    for (int32_t i = 0; i < net->config.mlp_layers; i++) {
        work = uw__max(work, uw__linear_work(layer_in(net, i), width, max_rows));
        if (backward) {
            acts->pre[i] = uw__take(arena, max_rows * width);
            acts->act[i] = uw__take(arena, max_rows * width);
        } else {
            acts->pre[i] = acts->act[i] = acts->d[i % 2];
        }
    }
    if (backward) acts->work = uw__take(arena, work);
}

void uw__mlp_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_mlp_acts *acts, const uw_real *x, size_t rows, uw_real *f) {
    const int32_t layers = net->config.mlp_layers;
    for (int32_t i = 0; i < layers; i++) {
        const uw_linear l = uw__bind_linear(net, net->at_encoder + 2 * i, true, params, NULL);
        uw__linear_forward(e, &l, acts->pre[i], acts->act[i], i ? acts->act[i - 1] : x, rows);
    }
    memcpy(f, layers ? acts->act[layers - 1] : x, rows * (size_t)net->feature_dim * sizeof *f);
}

void uw__mlp_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_mlp_acts *acts, const uw_real *x, const uw_real *df, size_t rows,
                              uw_real *grads) {
    const size_t reals = rows * (size_t)net->config.mlp_dim;
    const uw_real *d = df;
    for (int32_t i = net->config.mlp_layers - 1; i >= 0; i--) {
        const uw_linear l = uw__bind_linear(net, net->at_encoder + 2 * i, true, params, grads);
        uw_real *dpre = acts->d[0], *dx = i ? acts->d[1] : NULL;
        uw__map_backward(e, e->k->gelu_backward, dpre, d, acts->pre[i], reals);
        uw__linear_backward(e, &l, dx, false, dpre, i ? acts->act[i - 1] : x, rows, acts->work);
        d = dx;
    }
}
