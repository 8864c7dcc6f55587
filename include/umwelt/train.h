/* Training: losses, optimiser, schedule, checkpoints.  The same seed gives the same bits for any number of
 * threads and after any kill and resume.
 *
 *     uw_train_config config;
 *     uw_train_preset("two_room_robust", &config);
 *     uw_train_run(ctx, "experience.uw", "run", &config, &result, &err);
 *
 * Leaves run/model.safetensors, run/log.csv, TensorBoard events, run/checkpoints/. */
#ifndef UW_TRAIN_H
#define UW_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <umwelt/context.h>
#include <umwelt/gauges.h>
#include <umwelt/model.h>
#include <umwelt/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum uw_augment {
    UW_AUGMENT_NONE = 0,
    UW_AUGMENT_COLOUR = 1, /* affine colour maps of the recorded frames (photometric) */
    UW_AUGMENT_REDRAW = 2  /* frames drawn anew by the world under random factors */
} uw_augment;

/* Every key of `umwelt train --help keys`; a plain struct. */
typedef struct uw_train_config {
    char preset[32];
    uw_model_config model;
    char observe[256];        /* columns the model sees, comma-separated; "" = default */
    int32_t image_size;       /* px: the middle square of every frame is resized to this, and model.image_size with
                               * it; 0 = as recorded, which must be square */
    char action[64];          /* column of actions; "" = "action", "none" = no actions */
    int32_t window;           /* T frames per window */
    int32_t batch;            /* B windows per step */
    int32_t episode_windows;  /* windows of a step from one episode; above 1, SIGReg sees latents less their mean
                               * over those windows: what tells the states of one episode apart */
    int32_t accumulate;       /* gradient accumulation: micro-batches per step, >= 1 */
    int32_t encoder_chunk;    /* frames whose encoder activations are kept at once; 0 = automatic */
    bool shuffle_epochs;      /* every window once per epoch, in a new order; else every batch draws anew */
    int32_t steps;
    int32_t schedule_steps;   /* length of the cosine; 0 = steps */
    int32_t predictor_steps;  /* steps behind those, on the predictor alone: the encoder stands still, and the
                               * latents of the whole data set, as recorded, are computed once; 0 = none */
    int32_t predictor_batch;  /* windows per such step */
    int32_t stop_epoch;       /* > 0: steps is this many epochs of whole batches */
    int32_t schedule_epochs;  /* > 0: schedule_steps is this many epochs, warmup_steps 1% of them */
    double minutes;           /* stop after; 0 = no limit (then the result depends on the clock) */
    float lr, lr_final_fraction; /* peak, and what the cosine ends at as a fraction */
    int32_t warmup_steps;
    bool warmup_from_zero;    /* LeWM: the first step has lr 0; else (step + 1) / warmup */
    float beta1, beta2, adam_eps, weight_decay, clip_norm;
    float prediction_weight;  /* teacher-forced term */
    float rollout_weight;     /* open-loop term */
    int32_t rollout_steps;    /* predictions fed back: targets at steps 2 .. rollout_steps */
    float sigreg_weight;
    int32_t sigreg_directions, sigreg_knots;
    bool sigreg_per_step;     /* LeWM: each time step its own sample; else all rows pooled */
    bool sigreg_times_n;      /* LeWM: the statistic is multiplied by its sample size */
    float inverse_weight, vicreg_weight;
    float prediction_ramp;    /* fraction of training over which prediction and rollout weights grow from 0 */
    int32_t extra_frames;     /* single frames per step, drawn at random, beside the windows: seen by SIGReg
                               * and the readout alone */
    char readout[256];        /* recorded numbers that a linear head reads off the latent: NAME or NAME[i] or
                               * NAME[i-j], with :rad behind an angle; "" = no head, no labels */
    float readout_weight;
    uw_augment augment;
    char augment_factors[256]; /* redraw: factors drawn at random, comma-separated */
    float augment_nominal_all, augment_nominal_each; /* probabilities that all / each stay nominal */
    float augment_min_contrast; /* redraw while |agent - floor| is below (units of [0,1] RGB) */
    float augment_ramp_start, augment_ramp_end; /* fractions of training over which strength grows */
    float augment_per_window; /* fraction of windows with one look over all their frames */
    bool normalise_actions;   /* z-score per number; else the raw values */
    double holdout;           /* fraction of episodes kept for validation */
    uw_precision precision;   /* of the operands of products; everything else is f32 */
    uint64_t seed;
    int32_t checkpoint_every; /* steps; 0 = automatic (about every 10 s worth, at least 10 per run) */
    int32_t gauge_every;      /* steps between log rows */
    int32_t milestone_every;  /* steps between models kept in run/milestones/, the first before any step; 0 = none */
} uw_train_config;

/* Fill a preset: "two_room", "two_room_robust", "two_room_layouts", "lewm", "identifiability", "sensors",
 * "pusht".
 * Returns UW_ENOTFOUND with a "did you mean". */
UW_API uw_status uw_train_preset(const char *name, uw_train_config *config, uw_err *err);
/* Return the names of the presets, NULL-terminated. */
UW_API const char *const *uw_train_presets(void);
/* Set one key from text.  Returns UW_EINVAL with the range or a "did you mean". */
UW_API uw_status uw_train_set(uw_train_config *config, const char *key, const char *value,
                              uw_err *err);
/* Read a flat YAML file of keys over config. */
UW_API uw_status uw_train_config_load(const char *path, uw_train_config *config, uw_err *err);

/* One configuration key, for --help keys. */
typedef struct uw_train_key {
    const char *name, *type, *unit, *range, *help; /* static */
} uw_train_key;
UW_API const uw_train_key *uw_train_keys(int32_t *count);
/* Write a key's value as text. */
UW_API uw_status uw_train_get(const uw_train_config *config, const char *key, char *text,
                              size_t size);

typedef struct uw_train_result {
    int64_t steps;
    double loss, prediction_loss, rollout_loss, sigreg; /* of the last step */
    double validation_loss;   /* prediction on held-out episodes; NaN when none */
    double effective_rank, min_variance; /* of the last gauge */
    double seconds, frames_per_s, flops; /* flops: arithmetic of the whole run */
    char tensors_sha256[65];
    char model_path[512];
    bool resumed;
    uw_gauges gauges;         /* of the last log row that this call wrote; gauges.alarms: it collapsed */
} uw_train_result;

/* Train from a dataset into a run folder.
 *
 * resume: continue from the newest complete checkpoint; with none it starts over and says so in the log.
 *         An existing run is never overwritten unless `overwrite` or `resume`.
 * Returns UW_OK; UW_EINTERRUPTED after a requested stop (a checkpoint is written); UW_ENONFINITE when the
 *         loss is not finite (the last good checkpoint stays); UW_EEXIST; UW_ESHAPE; UW_ENOSPC; ... */
UW_API uw_status uw_train_run(uw_context *ctx, const char *dataset, const char *run_dir,
                              const uw_train_config *config, bool resume, bool overwrite,
                              uw_train_result *out, uw_err *err);

/* Summary of a run folder or a generation directory, for `inspect`. */
typedef struct uw_checkpoint_info {
    int64_t step, steps_total;
    char generation[512];
    char preset[32];
    uint64_t seed;
} uw_checkpoint_info;
UW_API uw_status uw_checkpoint_inspect(const char *path, uw_checkpoint_info *out, uw_err *err);

#ifdef __cplusplus
}
#endif
#endif
