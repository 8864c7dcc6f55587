/* Tiny training runs: a small recording of TwoRoom and configurations that train in a blink. */
#ifndef UW_TINY_RUN_H
#define UW_TINY_RUN_H

#include <math.h>

#include <umwelt/dataset.h>
#include <umwelt/env.h>
#include <umwelt/train.h>

#include "check.h"
#include "place.h"
#include "policy.h"

enum { TINY_SIZE = 16, TINY_EPISODES = 14, TINY_ROWS = 12 };

/* Record episodes of pixels, state and action; spoil >= 0 puts a NaN into that row of episode 1 ("state"
 * when spoil_state, else "action"). */
static inline void tiny_record(const char *path, int32_t episodes, int32_t rows, int32_t size,
                               uint64_t seed, int32_t spoil, bool spoil_state) {
    const uw_env_class *cls = uw_env_find("two_room");
    const uw_column columns[] = {
        {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {size, size, 3}},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {cls->action_dim}},
        {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {cls->state_dim},
         .unit = "px"},
    };
    const uw_dataset_meta meta = {.env = "two_room", .policy = "random", .action_repeat = 5,
                                  .seed = seed};
    uint8_t *rgb = malloc((size_t)size * (size_t)size * 3);
    float action[8], state[UW_MAX_STATE_DIM];
    uw_recorder *rec = NULL;
    uw_env *env = NULL;
    uw_step step;
    uw_err err = {0};

    assert_non_null(rgb);
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    CHECK_OK(uw_recorder_open(path, columns, 3, &meta, UW_OPEN_NEW, &rec, &err), &err);
    for (int32_t e = 0; e < episodes; e++) {
        uw_policy policy;
        uw__policy_start(&policy, UW_POLICY_RANDOM, cls, seed, (uint64_t)e);
        CHECK_OK(uw_env_reset(env, seed + (uint64_t)e, NULL, NULL, &err), &err);
        for (int32_t t = 0; t < rows; t++) {
            uw_env_render(env, size, rgb);
            place_state(env, state);
            uw__policy_act(&policy, uw_env_self(env), action);
            const void *cells[] = {rgb, action, state};
            for (int i = 0; i < 5; i++) CHECK_OK(uw_env_step(env, action, &step), &err);
            if (e == 1 && t == spoil) (spoil_state ? state : action)[0] = NAN;
            if (t == rows - 1) action[0] = action[1] = NAN;
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_env_free(env);
    free(rgb);
}

static inline void tiny_data(const char *path) {
    tiny_record(path, TINY_EPISODES, TINY_ROWS, TINY_SIZE, 3, -1, false);
}

/* The robust recipe in miniature. */
static inline uw_train_config tiny_config(int32_t steps) {
    uw_train_config c;
    uw_err err = {0};
    CHECK_OK(uw_train_preset("two_room_robust", &c, &err), &err);
    c.steps = steps;
    c.batch = 8;
    c.warmup_steps = 2;
    c.model.conv_layers = 2;
    c.model.conv_channels[0] = 4;
    c.model.conv_channels[1] = 8;
    c.model.projector_dim = 16;
    c.model.latent_dim = 8;
    c.model.predictor_mlp_dim = 16;
    c.sigreg_directions = 20; /* not a multiple of a block */
    c.gauge_every = 3;
    c.holdout = 0.2;
    c.seed = 5;
    return c;
}

/* What a recipe with labels has in miniature: BatchNorm in the encoder, pictures against their mean, single
 * frames, the last action of the decision before, a ramp, and steps of the predictor alone at the end. */
static inline uw_train_config tiny_labelled(int32_t steps) {
    uw_train_config c = tiny_config(steps - steps / 3);
    c.predictor_steps = steps / 3;
    c.predictor_batch = 9;
    c.augment = UW_AUGMENT_NONE;
    c.accumulate = 2;
    c.extra_frames = 6;
    c.prediction_ramp = 0.5f;
    c.readout_weight = 2.0f;
    strcpy(c.readout, "state");
    c.model.input = UW_INPUT_CENTRED;
    c.model.conv_norm = UW_CONV_NORM_BATCH;
    c.model.frameskip = 2;
    c.model.action_history = 1;
    return c;
}

/* A LeWM in miniature: ViT, AdaLN, dropout, prediction projector, gradient accumulation,
 * an encoder that takes its frames in chunks. */
static inline uw_train_config tiny_lewm(int32_t steps) {
    uw_train_config c;
    uw_err err = {0};
    CHECK_OK(uw_train_preset("lewm", &c, &err), &err);
    c.steps = steps;
    c.stop_epoch = c.schedule_epochs = 0;
    c.schedule_steps = 10 * steps;
    c.encoder_chunk = 5; /* of 16 frames: three chunks and a rest */
    c.warmup_steps = 2;
    c.batch = 8;
    c.accumulate = 2;
    c.lr = 1e-3f;
    c.rollout_weight = 0.5f;
    c.inverse_weight = 0.3f;
    c.vicreg_weight = 0.1f;
    c.model.frameskip = 2;
    c.model.vit_patch = 4;
    c.model.vit_dim = 12;
    c.model.vit_layers = 2;
    c.model.vit_heads = 2;
    c.model.vit_mlp_dim = 16;
    c.model.projector_dim = 16;
    c.model.latent_dim = 8;
    c.model.action_smooth_dim = 4;
    c.model.action_hidden_dim = 8;
    c.model.predictor_layers = 2;
    c.model.predictor_heads = 2;
    c.model.predictor_head_dim = 4;
    c.model.predictor_mlp_dim = 12;
    c.model.pred_proj_dim = 12;
    c.sigreg_directions = 20;
    c.gauge_every = 3;
    c.holdout = 0.0;
    c.augment = UW_AUGMENT_COLOUR;
    return c;
}

#endif
