/* The inside of evaluation: protocols, drivers, and the run that the robustness card repeats. */
#ifndef UW_EVAL_INTERNAL_H
#define UW_EVAL_INTERNAL_H

#include <umwelt/eval.h>

/* ---- protocol.c: what an episode is ----------------------------------------------------------------- */

typedef struct uw_protocol {
    const char *name;
    int32_t budget; /* env steps */
} uw_protocol;

/* One episode before it starts: a function of (class, options, index) only. */
typedef struct uw_setup {
    uw_task task;
    double values[UW_MAX_FACTOR_VALUES];      /* of the world */
    double goal_values[UW_MAX_FACTOR_VALUES]; /* of the goal picture */
    bool fixed[UW_MAX_FACTOR_VALUES];         /* [num_factors] */
} uw_setup;

/* Find a protocol; UW_ENOTFOUND with a "did you mean". */
uw_status uw__protocol_find(const char *name, const uw_protocol **out, uw_err *err);
/* Check that the variations leave to the protocol what it draws itself. */
uw_status uw__protocol_check(const uw_protocol *protocol, const uw_env_class *cls,
                             const uw_eval_options *options, uw_err *err);
uw_status uw__protocol_setup(const uw_env_class *cls, const uw_eval_options *options, int32_t index,
                             uw_setup *out, uw_err *err);

/* ---- drivers.c: who acts ------------------------------------------------------------------------------ */

/* What a run evaluates, checked once. */
typedef struct uw_contest {
    uw_context *ctx;
    const uw_model *model; /* nullable unless it drives */
    const uw_env_class *cls;
    uw_driver driver;
    const uw_planner_options *planner;
    uint64_t seed;
    int32_t rows;        /* actions per decision */
    int32_t hold;        /* env steps per action */
    int32_t image_size;  /* 0: the model sees the state */
    int32_t latent_dim;  /* 0 unless the model drives */
} uw_contest;

/* Fill rows, hold and sizes; UW_ESHAPE naming both sides when model and world do not fit. */
uw_status uw__contest_init(uw_contest *contest, int32_t action_repeat, uw_err *err);

/* A world and whoever acts in it: one per worker, all memory planned before the first episode. */
typedef struct uw_player uw_player;

uw_status uw__player_new(const uw_contest *contest, uw_player **out, uw_err *err);
void uw__player_free(uw_player *player);
uw_env *uw__player_env(uw_player *player);
/* Start episode `index`: the world at the start, the goal shown; *start says how far it is and whether
 * it counts as reached already.  Returns UW_ENONFINITE when the goal's latent is not finite.
 * Alloc: none. */
uw_status uw__player_begin(uw_player *player, const uw_setup *setup, int32_t index, uw_step *start,
                           uw_err *err);
/* Choose the actions [rows, action_dim] of decision number `decision`.  A plan that fails gives the safe
 * action and is no error.  Alloc: none. */
uw_status uw__player_decide(uw_player *player, int32_t decision, float *actions, uw_act_info *info,
                            uw_err *err);
/* Write the latents [H, D] that the last decision's plan leads to; zeros when there was none. */
void uw__player_imagine(uw_player *player, float *z);
/* True when this kind of driver plans, so that its latency says something. */
bool uw__driver_plans(uw_driver driver);

/* ---- eval.c: the run -------------------------------------------------------------------------------- */

/* Find a world by name; UW_ENOTFOUND with a "did you mean". */
uw_status uw__world_find(const char *name, const uw_env_class **out, uw_err *err);

/* A piece of longer work: where its progress begins and of how much. */
typedef struct uw_part {
    const char *what;
    int64_t done, total; /* episodes */
} uw_part;

uw_status uw__eval_part(uw_context *ctx, const uw_model *model, const char *env, uw_driver driver,
                        int32_t action_repeat, const uw_eval_options *options, const uw_part *part,
                        uw_eval_result *out, uw_err *err);

/* Return the env steps that an action is held for in a world where nobody says. */
static inline int32_t uw__usual_hold(const uw_env_class *cls) {
    return cls->usual_hold ? cls->usual_hold : 1;
}

#endif
