/* Predictor and prediction projector as one pass. */
#include <string.h>

#include "parts.h"

uw_predict_acts *uw__predict_layout(uw_arena *arena, const uw_net *net, size_t max_n, size_t max_t,
                                    bool backward) {
    const uw_model_config *cfg = &net->config;
    const size_t rows = max_n * max_t, d = (size_t)cfg->latent_dim;
    uw_predict_acts tmp = {0}, *acts = uw_arena_alloc(arena, 1, sizeof *acts);

    if (cfg->predictor == UW_PREDICTOR_MLP)
        uw__markov_layout(arena, net, rows, backward, &tmp.markov);
    else if (cfg->predictor == UW_PREDICTOR_ADALN)
        uw__adaln_layout(arena, net, max_n, max_t, backward, &tmp.adaln);
    if (cfg->pred_proj_dim) {
        tmp.raw = uw__take(arena, rows * d);
        if (backward) tmp.draw = uw__take(arena, rows * d);
        uw__projector_layout(arena, d, (size_t)cfg->pred_proj_dim, d, rows, backward,
                             &tmp.projector);
    }
    if (acts && !arena->failed) *acts = tmp;
    return acts;
}

void uw__predict_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_real *buffers, uw_predict_acts *acts, const uw_real *z,
                         const uw_real *c, size_t n, size_t t, bool train,
                         const uw_dropout *dropout, uw_real *out) {
    const size_t pred_proj = (size_t)net->config.pred_proj_dim;
    uw_real *raw = pred_proj ? acts->raw : out;

    acts->n = n;
    acts->t = t;
    if (net->config.predictor == UW_PREDICTOR_MLP)
        uw__markov_forward(e, net, params, &acts->markov, z, c, n * t, raw);
    else if (net->config.predictor == UW_PREDICTOR_NONE)
        memcpy(raw, z, n * t * (size_t)net->config.latent_dim * sizeof *raw);
    else
        uw__adaln_forward(e, net, params, &acts->adaln, z, c, n, t, dropout, raw);
    if (pred_proj) {
        uw__projector_forward(e, net, net->at_pred_proj, pred_proj, params, buffers,
                              &acts->projector, raw, n * t, train, out);
    }
}

void uw__predict_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_predict_acts *acts, const uw_real *dout, uw_real *dz, uw_real *dc,
                          uw_real *grads) {
    const size_t pred_proj = (size_t)net->config.pred_proj_dim;
    const uw_real *draw = dout;

    if (pred_proj) {
        uw__projector_backward(e, net, net->at_pred_proj, pred_proj, params, &acts->projector, dout,
                               acts->n * acts->t, acts->draw, grads);
        draw = acts->draw;
    }
    if (net->config.predictor == UW_PREDICTOR_MLP) {
        uw__markov_backward(e, net, params, &acts->markov, draw, acts->n * acts->t, dz, dc, grads);
    } else if (net->config.predictor == UW_PREDICTOR_NONE) { /* and no actions: dc is empty */
        if (dz) memcpy(dz, draw, acts->n * acts->t * (size_t)net->config.latent_dim * sizeof *dz);
    } else {
        uw__adaln_backward(e, net, params, &acts->adaln, draw, acts->n, acts->t, dz, dc, grads);
    }
}
