/* The arithmetic of training, counted from the configuration: matrix products and convolutions
 * only, two operations per multiply-add.  A backward pass costs two products per forward one,
 * except that nothing needs the gradient of the pictures. */
#include "losses.h"

/* Forward multiply-adds per row of everything behind the first layer, and of the first layer. */
typedef struct cost {
    double first, rest;
} cost;

static cost conv_cost(const uw_model_config *m, double channels, double *features) {
    cost c = {0};
    double side = (double)m->image_size;
    for (int i = 0; i < m->conv_layers; i++) {
        const int reach = (int)side + 2 * m->conv_pad[i] - m->conv_kernel[i];
        const double kernel = (double)m->conv_kernel[i] * (double)m->conv_kernel[i];
        side = (double)(reach / m->conv_stride[i] + 1);
        const double macs = side * side * kernel * channels * (double)m->conv_channels[i];
        if (i == 0)
            c.first = macs;
        else
            c.rest += macs;
        channels = (double)m->conv_channels[i];
    }
    *features = side * side * channels;
    return c;
}

static cost vit_cost(const uw_model_config *m, double channels, double *features) {
    const double w = (double)m->vit_dim, patch = (double)m->vit_patch;
    const double patches =
        (double)(m->image_size / m->vit_patch) * (double)(m->image_size / m->vit_patch);
    const double tokens = patches + 1.0;
    const double block =
        tokens * (4.0 * w * w + 2.0 * w * (double)m->vit_mlp_dim) + 2.0 * tokens * tokens * w;
    *features = w;
    return (cost){patches * patch * patch * channels * w, (double)m->vit_layers * block};
}

static cost mlp_cost(const uw_model_config *m, double *features) {
    cost c = {0};
    double in = (double)m->observe_dim;
    for (int i = 0; i < m->mlp_layers; i++) {
        const double macs = in * (double)m->mlp_dim;
        if (i == 0)
            c.first = macs;
        else
            c.rest += macs;
        in = (double)m->mlp_dim;
    }
    *features = in;
    return c;
}

static double projector_cost(double in, double hidden, double out) {
    return hidden > 0.0 ? in * hidden + hidden * out : in * out;
}

/* Forward multiply-adds of the predictor on n contexts of `length` steps. */
static double predictor_cost(const uw_net *net, double n, double length) {
    const uw_model_config *m = &net->config;
    const double d = (double)m->latent_dim, hidden = (double)m->predictor_mlp_dim;
    const double project = m->pred_proj_dim ? projector_cost(d, (double)m->pred_proj_dim, d) : 0.0;
    if (m->predictor == UW_PREDICTOR_NONE) return n * length * project;
    if (m->predictor == UW_PREDICTOR_MLP) {
        const double in = d + (double)net->cond_dim;
        return n * length * (in * hidden + hidden * hidden + hidden * d + project);
    }
    const double inner = (double)m->predictor_heads * (double)m->predictor_head_dim;
    const double token = (double)net->cond_dim * 6.0 * d + 4.0 * d * inner + 2.0 * d * hidden;
    const double attention = 2.0 * length * length * inner;
    return n * ((double)m->predictor_layers * (length * token + attention) + length * project);
}

/* Forward multiply-adds of a window's predictions, the actions' encoding included. */
static double moves_cost(const uw_net *net, const uw_train_config *config) {
    const uw_model_config *m = &net->config;
    const double t = (double)config->window, in = (double)net->action_in;
    double moves = predictor_cost(net, 1.0, t - 1.0);
    for (int j = 1; config->rollout_weight > 0.0f && j < config->rollout_steps; j++) {
        const int longest = (int)uw__net_history(net);
        moves += predictor_cost(net, 1.0, (double)(j + 1 < longest ? j + 1 : longest));
    }
    if (m->action_smooth_dim) {
        const double smooth = (double)m->action_smooth_dim, hidden = (double)m->action_hidden_dim;
        moves += (t - 1.0) * (in * smooth + smooth * hidden + hidden * (double)net->cond_dim);
    }
    return moves;
}

double uw__loss_flops_predictor(const uw_net *net, const uw_train_config *config) {
    return 6.0 * moves_cost(net, config);
}

double uw__loss_flops(const uw_net *net, const uw_train_config *config) {
    const uw_model_config *m = &net->config;
    const double t = (double)config->window, d = (double)m->latent_dim;
    const double a = (double)net->action_block;
    double features = 0.0, moves = moves_cost(net, config);
    cost encoder = {0};

    switch (m->encoder) {
    case UW_ENCODER_CONV:
        encoder = conv_cost(m, (double)net->channels, &features);
        break;
    case UW_ENCODER_VIT:
        encoder = vit_cost(m, (double)net->channels, &features);
        break;
    case UW_ENCODER_MLP:
        encoder = mlp_cost(m, &features);
        break;
    case UW_ENCODER_COUPLING:
        encoder.rest = (double)m->mlp_layers * d * d / 4.0;
        break;
    }
    if (m->encoder != UW_ENCODER_COUPLING)
        encoder.rest += projector_cost(features, (double)m->projector_dim, d);
    if (config->inverse_weight > 0.0f) {
        moves += (t - 1.0) * (2.0 * d * (double)m->inverse_dim + (double)m->inverse_dim * a);
    }
    const double frames = t + (double)config->extra_frames / (double)config->batch;
    if (config->readout_weight > 0.0f) encoder.rest += d * (double)m->readout_dim;
    return 2.0 * (frames * (2.0 * encoder.first + 3.0 * encoder.rest) + 3.0 * moves);
}
