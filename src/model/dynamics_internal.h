/* What rollouts of a model and their gradients share. */
#ifndef UW_DYNAMICS_INTERNAL_H
#define UW_DYNAMICS_INTERNAL_H

#include "model_struct.h"
#include "packed.h"
#include "parts.h"
#include "rollout.h"

/* What one worker needs to roll out; a serial instance has one. */
typedef struct uw_rollout_lane {
    /* markov */
    float *x;       /* [block, D + action_in] */
    float *h1, *h2; /* [block, hidden] */
    /* window */
    uw_action_acts *action;
    uw_predict_acts *predict;
    float *a;                         /* [block, steps, action_in] normalised, past included */
    float *c;                         /* [block, steps, cond] */
    float *sequence;                  /* [block, history + horizon, D] */
    float *z_window, *c_window, *out; /* [block, window, D or cond] */
} uw_rollout_lane;

/* What one worker needs to come back; activations of one step at a time. */
typedef struct uw_gradient_lane {
    uw_action_acts *action;
    uw_predict_acts *predict;
    float *a, *da;               /* [block, steps, action_in] */
    float *c, *dc;               /* [block, steps, cond] */
    float *sequence, *dsequence; /* [block, history + horizon, D] */
    float *z_window, *dz_window; /* [block, window, D] */
    float *c_window, *dc_window; /* [block, window, cond] */
    float *out, *dout;           /* [block, window, D] */
} uw_gradient_lane;

typedef struct uw_model_dynamics {
    const uw_model *model;
    uw_exec exec;
    uw_dynamics_limits limits;
    bool markov;
    uw_encoder *encoder;         /* of one observation */
    uw_packed mlp[3];            /* markov */
    uw_rollout rollout;          /* net NULL: another way */
    uw_rollout_lane *lanes;      /* [num_workers] */
    uw_gradient_lane *gradients; /* [num_workers], with limits.gradient */
} uw_model_dynamics;

/* The arguments of one call, as its tasks see them. */
typedef struct uw_rollout_task {
    uw_model_dynamics *m;
    const float *z0, *past, *actions;
    size_t history, n, h;
    size_t lead; /* 1: past begins with the decision before z0 */
    float *z;        /* rollout: [n, h, D] */
    const float *dz; /* gradient: [n, h, D] */
    float *dactions; /* gradient: [n, h, A] */
} uw_rollout_task;

/* out [action_in] = a block of actions [A] and the end of the one before it (NULL = there was none) as
 * the network sees them. */
void uw__dynamics_action(const uw_model_dynamics *m, const float *a, const float *before,
                         float *out);
/* Return the block that step s of candidate i takes, 0 <= s < history - 1 + h, those of the past first;
 * s = -1: the decision before all of them, or NULL. */
const float *uw__dynamics_block(const uw_rollout_task *t, size_t i, ptrdiff_t s);
/* Whether a call keeps the limits and brings what it has to. */
bool uw__dynamics_call_ok(const uw_model_dynamics *m, int32_t history, const float *past, int32_t n,
                          int32_t h);

/* Plan a lane; the function behind uw_dynamics.gradient. */
uw_gradient_lane uw__dynamics_gradient_layout(uw_arena *arena, const uw_net *net,
                                              const uw_dynamics_limits *limits);
uw_status uw__dynamics_gradient(void *self, const float *z0, int32_t history, const float *past,
                                const float *actions, int32_t n, int32_t h, const float *dz,
                                float *dactions);

#endif
