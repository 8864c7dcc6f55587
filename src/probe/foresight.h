/* Prediction errors along an episode, step by step, as a controller would have met them: from the history that
 * it would have had, with the actions that were taken. */
#ifndef UW_FORESIGHT_H
#define UW_FORESIGHT_H

#include <stdbool.h>

#include <umwelt/dataset.h>
#include <umwelt/model.h>

#include "latents.h"

/* What predicts: a model's dynamics, one per thread of the pool. */
typedef struct uw_foresight {
    uw_context *ctx;
    const uw_model *model; /* NULL: "nothing changes" */
    int32_t steps;         /* k */
    int32_t dim, action_dim;
    int32_t history, lead; /* of the dynamics */
    uw_dynamics *worker;   /* [threads] */
    unsigned char *memory; /* of the dynamics */
    float *guess;          /* [threads, k, D] */
} uw_foresight;

/* Own: *out, uw__foresight_fini (also after an error).  Returns UW_EINVAL, UW_ENOMEM. */
uw_status uw__foresight_init(uw_context *ctx, const uw_model *model, int32_t steps, uw_foresight *out,
                             uw_err *err);
/* The same dims as `like`, but predicting that nothing changes. */
uw_foresight uw__foresight_still(const uw_foresight *like);
void uw__foresight_fini(uw_foresight *f);

/* One episode at the model's steps. */
typedef struct uw_track {
    int64_t length;  /* T */
    float *z;        /* [T, D]; rows that are not usable hold zeros */
    bool *usable;    /* [T] the observation was finite */
    float *actions;  /* [1 + T, A] standing still, then the block taken from each step on, NaN as 0 */
    float *error;    /* [T, D] z_t less its prediction from t - k, where scored */
    bool *scored;    /* [T] */
    int32_t *run;    /* [T] usable steps in a row that end here, at most the history */
    uw_status *status; /* [T] */
    int64_t capacity;
} uw_track;

/* Set the length; take memory when it has never been as long.  Returns UW_ENOMEM. */
uw_status uw__track_resize(uw_track *track, int64_t length, const uw_foresight *f);
void uw__track_fini(uw_track *track);

/* Fill error and scored from z, usable and actions.
 * Threads: uses the pool; bits do not depend on it.  Returns the dynamics' error, or UW_ENONFINITE when a
 * prediction from finite latents is not finite. */
uw_status uw__foresight_errors(const uw_foresight *f, uw_track *track, uw_err *err);

/* Reads episodes of a recording into tracks. */
typedef struct uw_episode_reader {
    uw_context *ctx;
    const uw_model *model;
    const uw_dataset *data;
    uw_observe observe;
    int32_t action_column; /* -1: a model without actions */
    int32_t skip;          /* rows per step */
} uw_episode_reader;

/* Check that model and data fit.  Returns UW_ESHAPE, naming the column. */
uw_status uw__episode_reader_init(uw_context *ctx, const uw_model *model, uw_dataset *data,
                                  uw_episode_reader *out, uw_err *err);
/* Return the steps of an episode. */
int64_t uw__episode_steps(const uw_episode_reader *reader, int64_t episode);
/* Read one episode's z, usable and actions into a track that has room for its steps. */
uw_status uw__episode_read(const uw_episode_reader *reader, int64_t episode, uw_track *track, uw_err *err);

#endif
