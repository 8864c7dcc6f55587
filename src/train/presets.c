/* The presets: complete configurations that were measured, as designated initialisers over one
 * base. */
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "internal.h"

static uw_train_config base(void) {
    return (uw_train_config){
        .window = 4,
        .batch = 64,
        .predictor_batch = 512,
        .episode_windows = 1,
        .accumulate = 1,
        .beta1 = 0.9f,
        .beta2 = 0.999f,
        .adam_eps = 1e-8f,
        .weight_decay = 1e-3f,
        .clip_norm = 1.0f,
        .prediction_weight = 1.0f,
        .rollout_steps = 3,
        .sigreg_knots = 17,
        .augment_nominal_all = 0.10f,
        .augment_nominal_each = 0.15f,
        .augment_min_contrast = 0.2f,
        .augment_ramp_start = 0.15f,
        .augment_ramp_end = 0.60f,
        .augment_per_window = 0.5f,
        .gauge_every = 10,
    };
}

/* Strided convolutions, flat latent, residual MLP predictor: 109 840 parameters, 0.94 TFLOP. */
static uw_train_config two_room(void) {
    uw_train_config c = base();
    c.model = (uw_model_config){
        .input = UW_INPUT_SCALED,
        .image_size = 64,
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
        .predictor_mlp_dim = 128,
    };
    c.steps = 900;
    c.lr = 2e-3f;
    c.lr_final_fraction = 0.02f;
    c.warmup_steps = 50;
    c.rollout_weight = 1.0f;
    c.sigreg_weight = 3.0f;
    c.sigreg_directions = 128;
    c.holdout = 0.05;
    return c;
}

/* The same network on frames drawn anew with random looks, seen relative to the floor's colour. */
static uw_train_config two_room_robust(void) {
    uw_train_config c = two_room();
    c.model.input = UW_INPUT_FLOOR_RELATIVE;
    c.steps = 1000;
    c.augment = UW_AUGMENT_REDRAW;
    snprintf(c.augment_factors, sizeof c.augment_factors,
             "agent.color,agent.radius,background.color,door.color,wall.color");
    return c;
}

/* Other rooms in every episode: collect with wall.thickness~sample and the like.  A larger network;
 * and SIGReg looks within episodes, or the latent is content with telling rooms apart and never
 * learns where the agent is.  Plan with objective min: across unknown rooms latent distance is
 * nearly the straight one, and the sum over a detour would rather stay before the wall. */
static uw_train_config two_room_layouts(void) {
    uw_train_config c = two_room_robust();
    const int32_t channels[3] = {32, 64, 64};
    memcpy(c.model.conv_channels, channels, sizeof channels);
    c.model.predictor_mlp_dim = 256;
    c.episode_windows = 4;
    c.steps = 1700;
    snprintf(
        c.augment_factors, sizeof c.augment_factors,
        "agent.color,agent.radius,background.color,distractor.number,distractor.seed,door.color,"
        "rendering.render_target,target.color,target.radius,wall.color");
    return c;
}

/* PushT from recordings of its push policy, one env step a row: first an encoder that can tell
 * where agent and block are, with labels and many single frames, then a predictor that has seen
 * millions of contacts. */
static uw_train_config pusht(void) {
    uw_train_config c = two_room();
    c.model = (uw_model_config){
        .input = UW_INPUT_CENTRED,
        .image_size = 64,
        .frameskip = 5,
        .history_size = 1,
        .action_history = 1,
        .encoder = UW_ENCODER_CONV,
        .conv_layers = 3,
        .conv_channels = {32, 64, 64},
        .conv_kernel = {4, 3, 3},
        .conv_stride = {4, 2, 2},
        .conv_pad = {0, 1, 1},
        .conv_norm = UW_CONV_NORM_BATCH,
        .projector_dim = 256,
        .latent_dim = 32,
        .predictor = UW_PREDICTOR_MLP,
        .predictor_mlp_dim = 512,
    };
    c.batch = 32;
    c.extra_frames = 256;
    c.steps = 8000;
    c.predictor_steps = 8000;
    c.prediction_weight = c.rollout_weight = 0.5f;
    c.prediction_ramp = 0.3f;
    c.sigreg_weight = 0.5f;
    snprintf(c.readout, sizeof c.readout, "state[0-3],state[4]:rad");
    c.readout_weight = 10.0f;
    c.holdout = 0.02;
    c.gauge_every = 50;
    return c;
}

/* The published size and setting.  The schedule is that of 100 epochs, stopped after 10, as its
 * authors do: the learning rate hardly leaves its peak. */
static uw_train_config lewm(void) {
    uw_train_config c = base();
    c.model = (uw_model_config){
        .input = UW_INPUT_IMAGENET,
        .image_size = 224,
        .frameskip = 5,
        .history_size = 3,
        .encoder = UW_ENCODER_VIT,
        .vit_patch = 14,
        .vit_dim = 192,
        .vit_layers = 12,
        .vit_heads = 3,
        .vit_mlp_dim = 768,
        .projector_dim = 2048,
        .latent_dim = 192,
        .action_smooth_dim = 10,
        .action_hidden_dim = 768,
        .predictor = UW_PREDICTOR_ADALN,
        .predictor_layers = 6,
        .predictor_heads = 16,
        .predictor_head_dim = 64,
        .predictor_mlp_dim = 2048,
        .dropout = 0.1f,
        .pred_proj_dim = 2048,
    };
    c.batch = 128;
    c.shuffle_epochs = true;
    c.stop_epoch = 10;
    c.schedule_epochs = 100;
    c.steps = 140000; /* what the epochs of PushT come to */
    c.schedule_steps = 1400000;
    c.warmup_steps = 14000;
    c.lr = 5e-5f;
    c.warmup_from_zero = true;
    c.sigreg_weight = 0.09f;
    c.sigreg_directions = 1024;
    c.sigreg_per_step = true;
    c.sigreg_times_n = true;
    c.normalise_actions = true;
    c.holdout = 0.1;
    c.gauge_every = 50;
    return c;
}

static uw_model_config vector_model(void) {
    return (uw_model_config){
        .input = UW_INPUT_COLUMNS,
        .frameskip = 1,
        .history_size = 1,
        .encoder = UW_ENCODER_MLP,
        .mlp_layers = 2,
        .mlp_dim = 128,
        .projector_dim = 128,
        .latent_dim = 16,
        .predictor = UW_PREDICTOR_MLP,
        .predictor_mlp_dim = 128,
    };
}

/* A vector of sensor readings and actions: the recipe's losses, a smaller network. */
static uw_train_config sensors(void) {
    uw_train_config c = two_room();
    c.model = vector_model();
    c.batch = 128;
    c.steps = 2000;
    c.lr = 1e-3f;
    c.sigreg_weight = 1.0f;
    c.normalise_actions = true;
    c.holdout = 0.1;
    c.gauge_every = 20;
    return c;
}

/* Two views and no predictor, as the theory has it: E |h(z') - h(z)|^2 and SIGReg.  Recovers
 * independent Gaussian factors up to a rotation when there are exactly latent_dim of them (set it).
 * The statistic is multiplied by its sample, as the theory's constants are; its weight 0.01 is the
 * paper's lambda 2.5e-3 (docs/models/identifiability.md). */
static uw_train_config identifiability(void) {
    uw_train_config c = sensors();
    c.model.mlp_layers = 4;
    c.model.mlp_dim = 256;
    c.model.projector_dim = 0;
    c.model.latent_dim = 2;
    c.model.predictor = UW_PREDICTOR_NONE;
    snprintf(c.action, sizeof c.action, "none");
    c.window = 2;
    c.batch = 256;
    c.steps = 2000;
    c.lr = 3e-3f;
    c.rollout_weight = 0.0f;
    c.sigreg_weight = 0.01f;
    c.sigreg_directions = 256;
    c.sigreg_times_n = true;
    return c;
}

static const struct preset {
    const char *name;
    uw_train_config (*make)(void);
} presets[] = {
    {"two_room", two_room},
    {"two_room_robust", two_room_robust},
    {"two_room_layouts", two_room_layouts},
    {"lewm", lewm},
    {"identifiability", identifiability},
    {"sensors", sensors},
    {"pusht", pusht},
};
enum { NUM_PRESETS = sizeof presets / sizeof presets[0] };

const char *const *uw_train_presets(void) {
    static const char *const names[NUM_PRESETS + 1] = {
        "two_room",
        "two_room_robust",
        "two_room_layouts",
        "lewm",
        "identifiability",
        "sensors",
        "pusht",
        NULL,
    };
    return names;
}

uw_status uw_train_preset(const char *name, uw_train_config *config, uw_err *err) {
    for (int i = 0; i < NUM_PRESETS; i++) {
        if (strcmp(name, presets[i].name) != 0) continue;
        *config = presets[i].make();
        snprintf(config->preset, sizeof config->preset, "%s", name);
        return UW_OK;
    }
    const char *nearest = uw__nearest(name, uw_train_presets(), NUM_PRESETS);
    uw_fail(err, UW_ENOTFOUND, "preset %s: there is none of that name", name);
    if (nearest) {
        uw_err_fix(err, "did you mean %s?", nearest);
    } else {
        uw_err_fix(err, "presets: two_room, two_room_robust, two_room_layouts, lewm, "
                        "identifiability, sensors, pusht");
    }
    return UW_ENOTFOUND;
}
