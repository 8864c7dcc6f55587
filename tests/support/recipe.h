/* Configurations that tests of networks and models share. */
#ifndef UW_RECIPE_H
#define UW_RECIPE_H

#include <umwelt/model.h>

/* The demo's model at its real size. */
static inline uw_model_config recipe_demo(void) {
    return (uw_model_config){.input = UW_INPUT_SCALED,
                             .image_size = 64,
                             .action_dim = 2,
                             .frameskip = 1,
                             .history_size = 1,
                             .encoder = UW_ENCODER_CONV,
                             .conv_layers = 3,
                             .conv_channels = {16, 32, 32},
                             .conv_kernel = {4, 3, 3},
                             .conv_stride = {4, 2, 2},
                             .conv_pad = {0, 1, 1},
                             .projector_dim = 128,
                             .latent_dim = 32,
                             .predictor = UW_PREDICTOR_MLP,
                             .predictor_mlp_dim = 128};
}

/* LeWM's parts at a size for tests. */
static inline uw_model_config recipe_lewm_small(void) {
    return (uw_model_config){.input = UW_INPUT_IMAGENET,
                             .image_size = 28,
                             .action_dim = 2,
                             .frameskip = 5,
                             .history_size = 3,
                             .encoder = UW_ENCODER_VIT,
                             .vit_patch = 7,
                             .vit_dim = 24,
                             .vit_layers = 2,
                             .vit_heads = 3,
                             .vit_mlp_dim = 48,
                             .projector_dim = 40,
                             .latent_dim = 24,
                             .action_smooth_dim = 10,
                             .action_hidden_dim = 32,
                             .predictor = UW_PREDICTOR_ADALN,
                             .predictor_layers = 2,
                             .predictor_heads = 4,
                             .predictor_head_dim = 8,
                             .predictor_mlp_dim = 48,
                             .dropout = 0.1f,
                             .pred_proj_dim = 40};
}

/* Sensor columns. */
static inline uw_model_config recipe_sensors(void) {
    return (uw_model_config){.input = UW_INPUT_COLUMNS,
                             .observe_dim = 3,
                             .action_dim = 1,
                             .frameskip = 2,
                             .history_size = 2,
                             .encoder = UW_ENCODER_MLP,
                             .mlp_layers = 2,
                             .mlp_dim = 16,
                             .projector_dim = 12,
                             .latent_dim = 4,
                             .predictor = UW_PREDICTOR_MLP,
                             .predictor_mlp_dim = 16,
                             .inverse_dim = 8};
}

#endif
