/* Drivers: the model, and what it is measured against.
 *
 * random          uniform actions, each held as long as the model's
 * straight        towards the true goal, walls or not
 * true-dynamics   the model's planner, but it imagines with the simulator and measures states
 * oracle          the world's scripted controller
 * zero            nothing
 * replay          the actions of the recording that the start is from
 *
 * Trap: a decision of the planner is `plan_rows` actions, each held for `hold` env steps (the frame
 * skip of its training data and the action repeat of its recorder); a decision of the driver is
 * `execute` of those, carried out without looking. */
#include "eval_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/arena.h>

#include "internal.h"
#include "plan_internal.h"
#include "rng.h"

enum { MAX_REPEAT = 10000 };

struct uw_player {
    uw_contest contest;
    uw_env *env;
    uw_env *mind; /* the simulator that true-dynamics imagines with */
    uw_controller *controller;
    uint8_t *frame;     /* [size, size, 3] */
    float *observation; /* [state_dim] where the state is what is seen */
    void *dynamics_mem, *controller_mem;
    const uw_setup *setup; /* of the episode: the caller's */
    uint64_t index;        /* of the episode */
    bool planned;          /* the last decision has a plan */
};

static const char *const driver_names[UW_NUM_DRIVERS] = {
    "model", "random", "straight", "true-dynamics", "oracle", "zero", "replay"};

const char *uw_driver_str(uw_driver driver) {
    return (unsigned)driver < UW_NUM_DRIVERS ? driver_names[driver] : "?";
}

bool uw__driver_plans(uw_driver driver) {
    return driver == UW_DRIVER_MODEL || driver == UW_DRIVER_TRUE_DYNAMICS;
}

/* ---- do model and world fit?
 * ------------------------------------------------------------------------ */

static uw_status fit_input(uw_contest *c, const uw_model_config *config, uw_err *err) {
    const uw_provenance *from = uw_model_provenance(c->model);
    if (config->input != UW_INPUT_COLUMNS) {
        c->image_size = config->image_size;
        if (c->image_size >= 1 && c->image_size <= UW_MAX_FRAME_SIZE) return UW_OK;
        uw_fail(err, UW_ESHAPE, "model: sees frames of %d pixels, wanted 1 .. %d as %s draws them",
                (int)c->image_size, (int)UW_MAX_FRAME_SIZE, c->cls->name);
        return UW_ESHAPE;
    }
    if (config->observe_dim == c->cls->state_dim && strcmp(from->observe, "state") == 0)
        return UW_OK;
    uw_fail(err, UW_ESHAPE,
            "model: sees columns %.60s (%d numbers), wanted pixels or the state (%d) of %s",
            from->observe, (int)config->observe_dim, (int)c->cls->state_dim, c->cls->name);
    uw_err_fix(err, "train with observe=pixels or observe=state on a dataset of %s", c->cls->name);
    return UW_ESHAPE;
}

static uw_status fit_model(uw_contest *c, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(c->model);
    const uw_provenance *from = uw_model_provenance(c->model);
    if (config->action_dim != c->cls->action_dim) {
        uw_fail(err, UW_ESHAPE, "model: acts with %d numbers, wanted the %d of %s",
                (int)config->action_dim, (int)c->cls->action_dim, c->cls->name);
        uw_err_fix(err, "evaluate it in the world of its data%s%s", *from->env ? ", " : "",
                   from->env);
        return UW_ESHAPE;
    }
    const uw_status status = fit_input(c, config, err);
    if (status) return status;
    if (*from->env && strcmp(from->env, c->cls->name) != 0)
        uw__log(c->ctx, UW_LOG_WARN, "the model was trained in %s and now acts in %s", from->env,
                c->cls->name);
    c->plan_rows = c->rows = config->frameskip;
    c->latent_dim = config->latent_dim;
    return UW_OK;
}

uw_status uw__contest_init(uw_contest *c, int32_t action_repeat, uw_err *err) {
    if ((unsigned)c->driver >= UW_NUM_DRIVERS)
        return uw_fail(err, UW_EINVAL, "driver: wanted 0 .. %d, got %d", UW_NUM_DRIVERS - 1,
                       (int)c->driver);
    if (c->driver == UW_DRIVER_MODEL && !c->model)
        return uw_fail(err, UW_EINVAL, "model: wanted one to drive, got none");
    if (c->driver == UW_DRIVER_REPLAY && !c->pairs && !c->script) {
        uw_fail(err, UW_EINVAL, "replay: wanted a protocol with a dataset, got none");
        uw_err_fix(err, "for example released, with --data");
        return UW_EINVAL;
    }
    c->plan_rows = c->rows = c->execute = 1;
    c->hold = action_repeat ? action_repeat
              : c->model    ? uw_model_provenance(c->model)->action_repeat
                            : uw__usual_hold(c->cls);
    if (c->hold < 1 || c->hold > MAX_REPEAT)
        return uw_fail(err, UW_EINVAL, "action_repeat: wanted 1 .. %d, got %d", (int)MAX_REPEAT,
                       (int)c->hold);
    if (c->driver == UW_DRIVER_MODEL) return fit_model(c, err);
    if (c->driver == UW_DRIVER_TRUE_DYNAMICS && c->model &&
        uw_model_config_of(c->model)->action_dim == c->cls->action_dim)
        c->plan_rows = c->rows =
            uw_model_config_of(c->model)->frameskip; /* the same decisions as the model's */
    if (c->driver == UW_DRIVER_STRAIGHT || c->driver == UW_DRIVER_ORACLE ||
        c->driver == UW_DRIVER_REPLAY)
        c->hold = 1;
    return UW_OK;
}

void uw__contest_execute(uw_contest *c, int32_t decisions, int32_t solve) {
    if (!uw__driver_plans(c->driver)) return;
    if (decisions == 0) decisions = solve / c->plan_rows / c->hold;
    if (decisions > c->planner->horizon) decisions = c->planner->horizon;
    c->execute = decisions > 1 ? decisions : 1;
    c->rows = c->plan_rows * c->execute;
}

/* ---- the simulator as dynamics
 * ---------------------------------------------------------------------- */

static uw_status state_encode(void *self, const void *observation, float *z) {
    const uw_player *p = self;
    memcpy(z, observation, (size_t)p->contest.cls->state_dim * sizeof(float));
    return UW_OK;
}

static uw_status state_rollout(void *self, const float *z0, int32_t history, const float *past,
                               const float *actions, int32_t n, int32_t h, float *z) {
    uw_player *p = self;
    const uw_contest *c = &p->contest;
    (void)history, (void)past; /* the state says it all */
    double start[UW_MAX_STATE_DIM], state[UW_MAX_STATE_DIM];
    for (int32_t k = 0; k < c->cls->state_dim; k++) start[k] = (double)z0[k];
    for (int32_t i = 0; i < n; i++) {
        uw_status status = uw_env_set_state(p->mind, start);
        for (int32_t t = 0; t < h && !status; t++) {
            for (int32_t row = 0; row < c->plan_rows; row++, actions += c->cls->action_dim) {
                uw_step step;
                for (int32_t k = 0; k < c->hold && !status; k++)
                    status = uw_env_step(p->mind, actions, &step);
            }
            uw_env_get_state(p->mind, state);
            for (int32_t k = 0; k < c->cls->state_dim; k++) *z++ = (float)state[k];
        }
        if (status) return status;
    }
    return UW_OK;
}

/* ---- a player
 * --------------------------------------------------------------------------------------- */

static void *aligned(size_t bytes) {
    return aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN);
}

static uw_status new_dynamics(uw_player *p, uw_dynamics *out, uw_err *err) {
    const uw_contest *c = &p->contest;
    if (c->driver == UW_DRIVER_TRUE_DYNAMICS) {
        *out =
            (uw_dynamics){.dims = {.latent_dim = c->cls->state_dim,
                                   .action_dim = c->cls->action_dim * c->plan_rows,
                                   .history_size = 1,
                                   .step_dim = c->cls->action_dim,
                                   .num_samples = c->planner->num_samples,
                                   .horizon = c->planner->horizon,
                                   .observation_bytes = (size_t)c->cls->state_dim * sizeof(float)},
                          .self = p,
                          .encode = state_encode,
                          .rollout = state_rollout};
        return uw_env_new(c->cls->name, &p->mind, err);
    }
    const uw_dynamics_limits limits = {.num_samples = c->planner->num_samples,
                                       .horizon = c->planner->horizon,
                                       .gradient = uw_solver_needs_gradient(c->planner->solver)};
    const size_t bytes = uw_model_dynamics_memsize(c->model, &limits);
    if (bytes == 0)
        return uw_fail(err, UW_EINVAL,
                       "planner: %d samples over %d decisions are too many for the model",
                       (int)limits.num_samples, (int)limits.horizon);
    p->dynamics_mem = aligned(bytes);
    if (!p->dynamics_mem)
        return uw_fail(err, UW_ENOMEM, "planner: no memory for the model's %zu bytes", bytes);
    const uw_status status =
        uw_model_dynamics_init(c->ctx, c->model, &limits, false, p->dynamics_mem, bytes, out);
    return status ? uw_fail(err, status, "model: cannot plan: %s", uw_status_str(status)) : UW_OK;
}

static uw_status new_controller(uw_player *p, uw_err *err) {
    uw_dynamics dynamics;
    uw_status status = new_dynamics(p, &dynamics, err);
    if (status) return status;
    const bool model = p->contest.driver == UW_DRIVER_MODEL;
    const uw_controller_options options = {.planner = *p->contest.planner,
                                           .band = model ? p->contest.band : NULL,
                                           .on_surprise = model ? p->contest.on_surprise
                                                                : UW_ON_SURPRISE_NONE};
    const size_t bytes = uw_controller_memsize(&dynamics.dims, &options);
    if (bytes == 0) {
        uw_fail(err, UW_EINVAL, "planner: options out of range");
        uw_err_fix(err,
                   "wanted 1 <= elites < samples <= 65536, horizon 1 .. 4096, iters 1 .. 1000");
        return UW_EINVAL;
    }
    p->controller_mem = aligned(bytes);
    if (!p->controller_mem)
        return uw_fail(err, UW_ENOMEM, "planner: no memory for %zu bytes", bytes);
    status = uw_controller_init(&dynamics, &options, p->controller_mem, bytes, &p->controller);
    if (status == UW_EUNSUPPORTED) {
        uw_fail(err, status, "planner: %s, wanted dynamics with a gradient, got the simulator",
                uw_solver_words()[options.planner.solver]);
        uw_err_fix(err,
                   "plan on the simulator with cem, icem, mppi or another solver that samples");
        return status;
    }
    if (status) return uw_fail(err, status, "planner: %s", uw_status_str(status));
    if (model) {
        uw_planner *planner = uw_controller_planner(p->controller);
        uw_planner_set_value(planner, p->contest.value);
        uw_planner_set_actor(planner, p->contest.actor, p->contest.actor_first);
    }
    return UW_OK;
}

uw_status uw__player_new(const uw_contest *contest, uw_player **out, uw_err *err) {
    *out = NULL;
    uw_status status = UW_OK;
    uw_player *p = calloc(1, sizeof *p);
    if (!p) return uw_fail(err, UW_ENOMEM, "eval: no memory for a player");
    p->contest = *contest;
    p->observation = calloc((size_t)contest->cls->state_dim, sizeof *p->observation);
    p->frame = calloc((size_t)contest->image_size * (size_t)contest->image_size * 3 + 1, 1);
    if (!p->observation || !p->frame)
        status = uw_fail(err, UW_ENOMEM, "eval: no memory for frames");
    if (!status) status = uw_env_new(contest->cls->name, &p->env, err);
    if (!status && uw__driver_plans(contest->driver)) status = new_controller(p, err);
    if (status)
        uw__player_free(p);
    else
        *out = p;
    return status;
}

void uw__player_free(uw_player *p) {
    if (!p) return;
    uw_env_free(p->env);
    uw_env_free(p->mind);
    free(p->observation);
    free(p->frame);
    free(p->dynamics_mem);
    free(p->controller_mem);
    free(p);
}

uw_env *uw__player_env(uw_player *p) {
    return p->env;
}

/* ---- acting
 * ----------------------------------------------------------------------------------------- */

/* True when the driver sees pictures. */
static bool sees(const uw_player *p) {
    return p->contest.driver == UW_DRIVER_MODEL && p->contest.image_size;
}

static const void *observe_state(uw_player *p, const double *state) {
    for (int32_t i = 0; i < p->contest.cls->state_dim; i++) p->observation[i] = (float)state[i];
    return p->observation;
}

/* What the driver sees of the goal: the recorded picture, else one drawn, or the state itself. */
static uw_status observe_goal(uw_player *p, const void **out, uw_err *err) {
    const uw_contest *c = &p->contest;
    *out = p->frame;
    if (!sees(p)) {
        *out = observe_state(p, p->setup->task.goal);
        return UW_OK;
    }
    if (uw__pairs_pictured(c->pairs, c->image_size))
        return uw__pairs_picture(c->pairs, p->setup, true, p->frame, err);
    uw_env_draw(p->env, p->setup->goal_values, p->setup->task.goal, c->image_size, p->frame);
    return UW_OK;
}

/* What the driver sees now; the first picture is the recorded one. */
static uw_status observe_now(uw_player *p, const void **out, uw_err *err) {
    const uw_contest *c = &p->contest;
    *out = p->frame;
    if (!sees(p)) {
        double state[UW_MAX_STATE_DIM];
        uw_env_get_state(p->env, state);
        *out = observe_state(p, state);
        return UW_OK;
    }
    if (uw_env_steps(p->env) == 0 && uw__pairs_pictured(c->pairs, c->image_size))
        return uw__pairs_picture(c->pairs, p->setup, false, p->frame, err);
    uw_env_render(p->env, c->image_size, p->frame);
    return UW_OK;
}

/* Put a world at the start of an episode. */
static uw_status place(uw_player *p, uw_env *env, const uw_setup *setup, uw_err *err) {
    const uw_status status = uw_env_reset(env, setup->reset_seed, setup->values, setup->fixed, err);
    if (status) return status;
    if (uw_env_set_state(env, setup->task.start) || uw_env_set_goal(env, setup->task.goal))
        return uw_fail(err, UW_ENONFINITE, "%s: episode %d: start or goal is not finite",
                       p->contest.cls->name, (int)p->index);
    return UW_OK;
}

uw_status uw__player_begin(uw_player *p, const uw_setup *setup, int32_t index, uw_step *start,
                           uw_err *err) {
    static const float STILL[UW_MAX_ACTION_DIM] = {0};
    p->index = (uint64_t)index;
    p->setup = setup;
    p->planned = false;
    uw_status status = place(p, p->env, setup, err);
    if (!status && p->mind) status = place(p, p->mind, setup, err);
    if (status) return status;
    /* Only a step tells whether the start is a goal already, so take one and go back. */
    if (uw_env_step(p->env, STILL, start)) *start = (uw_step){0};
    status = place(p, p->env, setup, err);
    if (status || !p->controller) return status;

    uw_controller_reset(p->controller, p->index);
    const void *goal = NULL;
    status = observe_goal(p, &goal, err);
    if (status) return status;
    status = uw_controller_set_goal(p->controller, goal);
    if (status) {
        uw_fail(err, status, "%s: episode %d: the goal's latent: %s",
                uw_driver_str(p->contest.driver), (int)index, uw_status_str(status));
        uw_err_fix(err, "umwelt inspect shows whether the model's numbers are finite");
    }
    return status;
}

/* A uniform action per decision, held, so a function of (seed, episode, decision). */
static void random_action(const uw_player *p, int32_t decision, float *action) {
    uw_rng rng = uw__rng(p->contest.seed, UW_STREAM_POLICY, p->index << 32 | (uint32_t)decision);
    for (int32_t i = 0; i < p->contest.cls->action_dim; i++)
        action[i] = (float)(2.0 * uw__rng_uniform64(&rng) - 1.0);
}

static uw_status replayed(const uw_player *p, int32_t step, float *action, uw_err *err) {
    const uw_contest *c = &p->contest;
    const size_t dim = (size_t)c->cls->action_dim;
    if (!c->script) return uw__pairs_action(c->pairs, p->setup, step, action, err);
    memcpy(action, c->script + ((size_t)p->index * (size_t)c->budget + (size_t)step) * dim,
           dim * sizeof *action);
    return UW_OK;
}

/* Plan, and take as many decisions of the plan as are carried out. */
static uw_status planned(uw_player *p, int32_t decision, float *actions, uw_act_info *info,
                         uw_err *err) {
    const uw_contest *c = &p->contest;
    const size_t dim = (size_t)c->plan_rows * (size_t)c->cls->action_dim;
    const void *seen = NULL;
    uw_status status = observe_now(p, &seen, err);
    if (status) return status;
    /* What was not looked at is no history, and the old plan is used up. */
    if (c->execute > 1 && decision > 0)
        uw_controller_reset(p->controller, p->index | (uint64_t)decision << 32);
    status = uw_controller_act(p->controller, seen, actions, info);
    p->planned = !status && info->reason != UW_ACT_STOPPED && info->reason != UW_ACT_HELD;
    memset(actions + dim, 0, dim * (size_t)(c->execute - 1) * sizeof *actions);
    const float *plan = uw_controller_plan(p->controller);
    for (size_t i = dim; !status && i < dim * (size_t)c->execute; i++)
        actions[i] = fminf(fmaxf(plan[i], c->planner->action_low), c->planner->action_high);
    /* A plan that is not finite has given the safe action: the episode goes on, and likely fails.
     */
    if (status && status != UW_ENONFINITE)
        return uw_fail(err, status, "%s: episode %d, decision %d: %s", uw_driver_str(c->driver),
                       (int)p->index, (int)decision, uw_status_str(status));
    return UW_OK;
}

uw_status uw__player_decide(uw_player *p, int32_t decision, float *actions, uw_act_info *info,
                            uw_err *err) {
    const uw_contest *c = &p->contest;
    *info = (uw_act_info){.reason = UW_ACT_PLANNED};
    switch (c->driver) {
    case UW_DRIVER_RANDOM:
        random_action(p, decision, actions);
        return UW_OK;
    case UW_DRIVER_STRAIGHT:
        c->cls->straight(uw_env_self(p->env), actions);
        return UW_OK;
    case UW_DRIVER_ORACLE:
        c->cls->oracle(uw_env_self(p->env), actions);
        return UW_OK;
    case UW_DRIVER_ZERO:
        memset(actions, 0, (size_t)c->cls->action_dim * sizeof *actions);
        return UW_OK;
    case UW_DRIVER_REPLAY:
        return replayed(p, decision, actions, err);
    case UW_DRIVER_MODEL:
    case UW_DRIVER_TRUE_DYNAMICS:
        break;
    }
    return planned(p, decision, actions, info, err);
}

void uw__player_imagine(uw_player *p, float *z) {
    const size_t size = (size_t)p->contest.planner->horizon * (size_t)p->contest.latent_dim;
    if (!p->planned || uw__controller_imagine(p->controller, z) || !uw__plan_finite(z, size))
        memset(z, 0, size * sizeof(float));
}
