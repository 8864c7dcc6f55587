/* Models made by hand: one that knows open space exactly, and one that knows nothing but sees pictures. */
#ifndef UW_HAND_MODEL_H
#define UW_HAND_MODEL_H

#include "check.h"

#include <math.h>

#include "model_internal.h"

static inline uw_model *hand_model_finish(const uw_model_config *config, const float *params,
                                          const float *buffers, const char *observe) {
    const uw_provenance from = {.env = "two_room",
                                .action_repeat = 5,
                                .trained_factors = "background.color,agent.color",
                                .observe = observe};
    uw_model *model = NULL;
    uw_err err = {0};
    CHECK_OK(uw__model_new(config, params, buffers, NULL, &from, &model, &err), &err);
    return model;
}

/* z is the state itself, z' = z + 25 a, TwoRoom's motion in open space over five held steps: since
 * gelu(x) - gelu(-x) = x, two hidden layers of +x and -x carry the action through unharmed. */
static inline uw_model *hand_model(int32_t action_dim, int32_t state_dim, const char *observe) {
    enum { HIDDEN = 4 };
    const uw_model_config config = {.input = UW_INPUT_COLUMNS,
                                    .observe_dim = state_dim,
                                    .action_dim = action_dim,
                                    .frameskip = 1,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_MLP,
                                    .latent_dim = state_dim,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = HIDDEN};
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *params = calloc(net.num_params + 1, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    assert_non_null(params);
    assert_non_null(buffers);
    const int32_t in = state_dim + action_dim;
    float *encode = params + net.tensors[uw__net_find(&net, "projector.net.0.weight")].offset;
    float *w1 = params + net.tensors[uw__net_find(&net, "predictor.net.0.weight")].offset;
    float *w2 = params + net.tensors[uw__net_find(&net, "predictor.net.2.weight")].offset;
    float *w3 = params + net.tensors[uw__net_find(&net, "predictor.net.4.weight")].offset;
    for (int32_t i = 0; i < state_dim; i++) encode[i * state_dim + i] = 1.0f;
    for (int32_t i = 0; i < 2; i++) {
        for (int32_t sign = 0; sign < 2; sign++) {
            const int32_t unit = 2 * i + sign;
            const float s = sign ? -1.0f : 1.0f;
            w1[unit * in + state_dim + i] = s * 25.0f;
            w2[unit * HIDDEN + 2 * i] = s;
            w2[unit * HIDDEN + 2 * i + 1] = -s;
            w3[i * HIDDEN + unit] = s;
        }
    }
    uw_model *model = hand_model_finish(&config, params, buffers, observe);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return model;
}

/* A model whose every latent is NaN. */
static inline uw_model *nan_model(void) {
    uw_model *model = hand_model(2, 2, "state");
    const uw_net *net = uw__model_net(model);
    const uw_net_tensor *bias = &net->tensors[uw__net_find(net, "projector.net.0.bias")];
    float *params = malloc(net->num_params * sizeof *params);
    float buffers[1] = {0};
    assert_non_null(params);
    assert_int_equal(net->num_buffers, 0);
    memcpy(params, uw__model_params(model), net->num_params * sizeof *params);
    params[bias->offset] = NAN;
    uw_model *broken = hand_model_finish(&net->config, params, buffers, "state");
    free(params);
    uw_model_unload(model);
    return broken;
}

/* The demo's convolutions on small pictures, with the weights that training would start from. */
static inline uw_model *blind_model(int32_t image_size) {
    const uw_model_config config = {.input = UW_INPUT_SCALED,
                                    .image_size = image_size,
                                    .action_dim = 2,
                                    .frameskip = 1,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_CONV,
                                    .conv_layers = 2,
                                    .conv_channels = {4, 8},
                                    .conv_kernel = {4, 3},
                                    .conv_stride = {4, 2},
                                    .conv_pad = {0, 1},
                                    .projector_dim = 16,
                                    .latent_dim = 8,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = 16};
    uw_net net;
    uw_err err = {0};
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *params = calloc(net.num_params + 1, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    assert_non_null(params);
    assert_non_null(buffers);
    uw__net_randomise(&net, 1, params, buffers);
    /* The predictor starts as the identity, under which every plan costs the same: give it a push. */
    float *w3 = params + net.tensors[uw__net_find(&net, "predictor.net.4.weight")].offset;
    for (int32_t i = 0; i < 8 * 16; i++) w3[i] = (float)(i * 37 % 17 - 8) / 20.0f;
    uw_model *model = hand_model_finish(&config, params, buffers, "pixels");
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return model;
}

#endif
