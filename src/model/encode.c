/* Encoder and projector as one pass: prepared observations in, latents out. */
#include "parts.h"

uw_encode_acts *uw__encode_layout(uw_arena *arena, const uw_net *net, size_t max_rows,
                                  bool backward) {
    const uw_model_config *cfg = &net->config;
    const size_t features = (size_t)net->feature_dim;
    uw_encode_acts tmp = {0}, *acts = uw_arena_alloc(arena, 1, sizeof *acts);

    tmp.f = uw__take(arena, max_rows * features);
    if (backward) tmp.df = uw__take(arena, max_rows * features);
    switch (cfg->encoder) {
    case UW_ENCODER_CONV:
        uw__conv_encoder_layout(arena, net, max_rows, backward, &tmp.conv);
        break;
    case UW_ENCODER_VIT:
        uw__vit_encoder_layout(arena, net, max_rows, backward, &tmp.vit);
        break;
    case UW_ENCODER_MLP:
        uw__mlp_encoder_layout(arena, net, max_rows, backward, &tmp.mlp);
        break;
    }
    uw__projector_layout(arena, features, (size_t)cfg->projector_dim, (size_t)cfg->latent_dim,
                         max_rows, backward, &tmp.projector);
    if (acts && !arena->failed) *acts = tmp;
    return acts;
}

void uw__encode_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_real *buffers, uw_encode_acts *acts, const uw_real *x, size_t rows,
                        bool train, uw_real *z) {
    acts->rows = rows;
    acts->x = x;
    switch (net->config.encoder) {
    case UW_ENCODER_CONV:
        uw__conv_encoder_forward(e, net, params, &acts->conv, x, rows, acts->f);
        break;
    case UW_ENCODER_VIT:
        uw__vit_encoder_forward(e, net, params, &acts->vit, x, rows, acts->f);
        break;
    case UW_ENCODER_MLP:
        uw__mlp_encoder_forward(e, net, params, &acts->mlp, x, rows, acts->f);
        break;
    }
    uw__projector_forward(e, net, net->at_projector, (size_t)net->config.projector_dim, params,
                          buffers, &acts->projector, acts->f, rows, train, z);
}

void uw__encode_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_encode_acts *acts, const uw_real *dz, uw_real *grads) {
    uw__projector_backward(e, net, net->at_projector, (size_t)net->config.projector_dim, params,
                           &acts->projector, dz, acts->rows, acts->df, grads);
    switch (net->config.encoder) {
    case UW_ENCODER_CONV:
        uw__conv_encoder_backward(e, net, params, &acts->conv, acts->x, acts->df, acts->rows,
                                  grads);
        break;
    case UW_ENCODER_VIT:
        uw__vit_encoder_backward(e, net, params, &acts->vit, acts->x, acts->df, acts->rows, grads);
        break;
    case UW_ENCODER_MLP:
        uw__mlp_encoder_backward(e, net, params, &acts->mlp, acts->x, acts->df, acts->rows, grads);
        break;
    }
}
