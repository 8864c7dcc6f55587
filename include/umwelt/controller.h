/* The deployable loop: observation in, action out.  History, warm start, deadline, checks, safe action.
 *
 *     uw_controller_set_goal(c, goal_frame);
 *     for (;;) {
 *         uw_controller_act(c, frame, action, &info);   // no allocation, lock or I/O
 *         robot_apply(action);
 *     }
 */
#ifndef UW_CONTROLLER_H
#define UW_CONTROLLER_H

#include <stdbool.h>

#include <umwelt/planner.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why the controller gave the action it gave. */
typedef enum uw_act_reason {
    UW_ACT_PLANNED = 0,
    UW_ACT_DEADLINE = 1,    /* the plan was cut short: best so far */
    UW_ACT_SAFE_OBSERVATION = 2, /* observation not finite: safe action */
    UW_ACT_SAFE_PLAN = 3,   /* no finite plan: safe action */
    UW_ACT_STOPPED = 4,     /* surprised, now or earlier in this episode: safe action */
    UW_ACT_HELD = 5,        /* surprised: the last action again */
    UW_ACT_REPLANNED = 6    /* surprised: planned afresh from this observation alone */
} uw_act_reason;

typedef struct uw_act_info {
    uw_act_reason reason;
    uw_plan_info plan;
    float goal_distance; /* |z - z_goal|^2 of this observation */
    double seconds;      /* encode + plan */
    double surprise;     /* score of this observation by the band; NaN when nothing was predicted */
    bool surprised;      /* the score is above the band's threshold */
} uw_act_info;

/* What the error of a one-step prediction is measured by: the score is |W (z - predicted - mean)|^2 / D, an alarm
 * above threshold.  Calibrated by uw_surprise_calibrate, or made by hand. */
typedef struct uw_band {
    int32_t latent_dim;
    const float *mean;   /* [D] of the error */
    const float *whiten; /* [D, D] row-major, lower triangle read: W with W S W' = I for the error's covariance S */
    double threshold;    /* > 0 */
} uw_band;

/* What to do about an observation above the threshold. */
typedef enum uw_on_surprise {
    UW_ON_SURPRISE_NONE = 0,  /* tell, and go on */
    UW_ON_SURPRISE_STOP = 1,  /* the safe action, from here to the reset */
    UW_ON_SURPRISE_HOLD = 2,  /* the last action again, until an observation is as predicted */
    UW_ON_SURPRISE_REPLAN = 3 /* forget history and warm start, plan from this observation */
} uw_on_surprise;
/* Return "none", "stop", "hold" or "replan". */
UW_API const char *uw_on_surprise_str(uw_on_surprise policy);

typedef struct uw_controller_options {
    uw_planner_options planner;
    const float *safe_action; /* [A] given when no plan can be trusted; NULL = zeros.  Copied. */
    float max_change;         /* most change per number between two actions of an episode, the safe
                               * action included; 0 = no limit */
    const uw_band *band;      /* nullable: nothing surprises.  Borrowed, outlives the controller */
    uw_on_surprise on_surprise;
} uw_controller_options;

typedef struct uw_controller uw_controller;

/* Return the bytes uw_controller_init needs, or 0. */
UW_API size_t uw_controller_memsize(const uw_dynamics_dims *dims,
                                    const uw_controller_options *options);
/* Build a controller inside caller memory (64-byte aligned, outlives *out).  Alloc: none, ever. */
UW_API uw_status uw_controller_init(const uw_dynamics *dynamics,
                                    const uw_controller_options *options, void *mem, size_t mem_size,
                                    uw_controller **out);
/* Start an episode: clear history and warm start; stream numbers the noise sequence. */
UW_API void uw_controller_reset(uw_controller *controller, uint64_t stream);
/* Set the goal from an observation (a frame, or columns).  Returns UW_ENONFINITE and keeps the old
 * goal when its latent is not finite. */
UW_API uw_status uw_controller_set_goal(uw_controller *controller, const void *observation);
/* Choose the next action.
 *
 * The planner's deadline counts from the start of this call, encoding included.  An observation that
 * cannot be used clears the history; the plan so far still warm-starts the next one.  With a band, the
 * observation is first compared with what the history and the last action predicted: one more rollout of one
 * candidate over one decision.  To be surprised is an outcome, not an error.
 *
 * Shapes   observation: what the dynamics encode; action: [A], always finite and within bounds;
 *          info: nullable
 * Alloc    none.  Locks: none.  I/O: none, but the monotonic clock
 * Returns  UW_OK with a planned action; UW_EINVAL before a goal is set; UW_ENONFINITE with the safe
 *          action when the observation or every plan was not finite; the dynamics' own error,
 *          likewise with the safe action */
UW_API uw_status uw_controller_act(uw_controller *controller, const void *observation, float *action,
                                   uw_act_info *info);
/* Borrow the last plan [H, A] and what it was planned from, z [D]; for pictures and probes. */
UW_API const float *uw_controller_plan(const uw_controller *controller);
UW_API const float *uw_controller_latent(const uw_controller *controller);
UW_API const float *uw_controller_goal_latent(const uw_controller *controller);
/* Return the planner, e.g. for uw_planner_imagine. */
UW_API uw_planner *uw_controller_planner(uw_controller *controller);

#ifdef __cplusplus
}
#endif
#endif
