/* The deployable loop around a planner: history, goal, limits and what to do when something is
 * wrong or not as predicted.
 *
 * Every action that leaves here is finite, within the bounds and within max_change of the one
 * before it, whatever came in; the limit holds for the safe action too, since actuators do not know
 * why they move. */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

#include <umwelt/arena.h>

#include "clock.h"

struct uw_controller {
    uw_controller_options options; /* safe_action points into safe */
    uw_dynamics dynamics;
    uw_planner *planner;
    bool has_goal, has_last, stopped;
    int32_t count;  /* latents in history: 0 .. history_size */
    float *safe;    /* [A] */
    float *last;    /* [A] the action given last; meaningful when has_last */
    float *goal;    /* [D] */
    float *latent;  /* [D] of the last observation that could be used */
    float *history; /* [history_size, D] oldest first */
    float *past;    /* [history_size, A] the action that led to each */
    float *plan;    /* [H, A] */
    float *scratch; /* [D] a latent not yet trusted */
    float *error;   /* [D] first the prediction; NULL without a band */
};

static bool band_ok(const uw_dynamics_dims *d, const uw_controller_options *o) {
    if ((unsigned)o->on_surprise > UW_ON_SURPRISE_REPLAN) return false;
    if (!o->band) return o->on_surprise == UW_ON_SURPRISE_NONE;
    return o->band->latent_dim == d->latent_dim && uw__band_ok(o->band);
}

static bool options_ok(const uw_dynamics_dims *d, const uw_controller_options *o) {
    if (!d || !o || !(o->max_change >= 0.0f) || !isfinite(o->max_change)) return false;
    if (uw_planner_memsize(d, &o->planner) == 0 || !band_ok(d, o)) return false;
    return !o->safe_action || uw__plan_finite(o->safe_action, (size_t)d->action_dim);
}

/* Size and placement in one; returns NULL while measuring.  The planner's block comes last. */
static uw_controller *layout(uw_arena *arena, const uw_dynamics_dims *d,
                             const uw_controller_options *o, size_t planner_bytes, void **planner) {
    const size_t latent = (size_t)d->latent_dim, block = (size_t)d->action_dim;
    const size_t history = (size_t)d->history_size;
    uw_controller t = {.options = *o};
    uw_controller *c = uw_arena_alloc(arena, 1, sizeof *c);

    t.safe = uw_arena_alloc(arena, block, sizeof *t.safe);
    t.last = uw_arena_alloc(arena, block, sizeof *t.last);
    t.goal = uw_arena_alloc(arena, latent, sizeof *t.goal);
    t.latent = uw_arena_alloc(arena, latent, sizeof *t.latent);
    t.history = uw_arena_alloc(arena, history * latent, sizeof *t.history);
    t.past = uw_arena_alloc(arena, history * block, sizeof *t.past);
    t.plan = uw_arena_alloc(arena, (size_t)o->planner.horizon * block, sizeof *t.plan);
    t.scratch = uw_arena_alloc(arena, latent, sizeof *t.scratch);
    if (o->band) t.error = uw_arena_alloc(arena, latent, sizeof *t.error);
    *planner = uw_arena_alloc(arena, planner_bytes, 1);
    if (c && !arena->failed) *c = t;
    return c;
}

size_t uw_controller_memsize(const uw_dynamics_dims *dims, const uw_controller_options *options) {
    if (!options_ok(dims, options)) return 0;
    uw_arena measure = UW_ARENA_MEASURE;
    void *planner = NULL;
    layout(&measure, dims, options, uw_planner_memsize(dims, &options->planner), &planner);
    return measure.failed ? 0 : uw_arena_used(&measure);
}

static float clip(float x, float low, float high) {
    return x < low ? low : x > high ? high : x;
}

uw_status uw_controller_init(const uw_dynamics *dynamics, const uw_controller_options *options,
                             void *mem, size_t mem_size, uw_controller **out) {
    if (!out) return UW_EINVAL;
    *out = NULL;
    if (!dynamics || !options_ok(&dynamics->dims, options)) return UW_EINVAL;
    if (!mem || (uintptr_t)mem % UW_ALIGN) return UW_EINVAL;

    const uw_dynamics_dims *d = &dynamics->dims;
    const size_t planner_bytes = uw_planner_memsize(d, &options->planner);
    uw_arena arena = {.base = mem, .cap = mem_size};
    void *planner = NULL;
    uw_controller *c = layout(&arena, d, options, planner_bytes, &planner);
    if (arena.failed) return UW_ENOMEM;
    const uw_status status =
        uw_planner_init(dynamics, &options->planner, planner, planner_bytes, &c->planner);
    if (status) return status;

    const uw_planner_options *o = &options->planner;
    for (int32_t i = 0; i < d->action_dim; i++)
        c->safe[i] = clip(options->safe_action ? options->safe_action[i] : 0.0f, o->action_low,
                          o->action_high);
    c->options.safe_action = c->safe;
    c->dynamics = *dynamics;
    *out = c;
    return UW_OK;
}

void uw_controller_reset(uw_controller *c, uint64_t stream) {
    c->count = 0;
    c->has_last = c->stopped = false;
    uw_planner_reset(c->planner, stream);
}

/* Encode into scratch; what is not finite is refused here, so that nothing behind it need ask. */
static uw_status look(uw_controller *c, const void *observation) {
    const uw_status status = c->dynamics.encode(c->dynamics.self, observation, c->scratch);
    if (status) return status;
    return uw__plan_finite(c->scratch, (size_t)c->dynamics.dims.latent_dim) ? UW_OK : UW_ENONFINITE;
}

uw_status uw_controller_set_goal(uw_controller *c, const void *observation) {
    const uw_status status = look(c, observation);
    if (status) return status;
    memcpy(c->goal, c->scratch, (size_t)c->dynamics.dims.latent_dim * sizeof(float));
    c->has_goal = true;
    return UW_OK;
}

/* Append the latent in scratch, and the action that led to it, dropping the oldest when full. */
static void remember(uw_controller *c) {
    const size_t d = (size_t)c->dynamics.dims.latent_dim, a = (size_t)c->dynamics.dims.action_dim;
    const size_t most = (size_t)c->dynamics.dims.history_size;
    size_t count = (size_t)c->count;
    if (count == most) {
        count--;
        memmove(c->history, c->history + d, count * d * sizeof(float));
        memmove(c->past, c->past + a, count * a * sizeof(float));
    }
    if (c->has_last)
        memcpy(c->past + count * a, c->last, a * sizeof(float));
    else /* an episode begins at rest */
        memset(c->past + count * a, 0, a * sizeof(float));
    memcpy(c->history + count * d, c->scratch, d * sizeof(float));
    memcpy(c->latent, c->scratch, d * sizeof(float));
    c->count = (int32_t)count + 1;
}

/* The past as the dynamics take it: from the action before the oldest latent, or after it. */
static const float *past(const uw_controller *c) {
    return c->dynamics.dims.lead ? c->past : c->past + c->dynamics.dims.action_dim;
}

/* Limit a wanted action [A], give it, and remember it. */
static void give(uw_controller *c, const float *wanted, float *action) {
    const uw_planner_options *o = &c->options.planner;
    const float change = c->options.max_change;
    for (int32_t i = 0; i < c->dynamics.dims.action_dim; i++) {
        float x = clip(wanted[i], o->action_low, o->action_high);
        if (c->has_last && change > 0.0f) x = clip(x, c->last[i] - change, c->last[i] + change);
        action[i] = c->last[i] = x;
    }
    c->has_last = true;
}

/* Compare the latent in scratch with what history and the last action predict.  A model that cannot
 * predict from finite latents has left what it knows: that is a surprise, not a reason to go on. */
static void compare(uw_controller *c, uw_act_info *told) {
    if (!c->options.band || c->count == 0) return;
    const size_t d = (size_t)c->dynamics.dims.latent_dim;
    told->surprise = INFINITY;
    if (!c->dynamics.rollout(c->dynamics.self, c->history, c->count, past(c), c->last, 1, 1,
                             c->error) &&
        uw__plan_finite(c->error, d)) {
        for (size_t i = 0; i < d; i++) c->error[i] = c->scratch[i] - c->error[i];
        told->surprise = uw__band_score(c->options.band, c->error);
    }
    told->surprised = !(told->surprise <= c->options.band->threshold);
}

/* Answer a surprise by the policy; true when no plan is wanted. */
static bool react(uw_controller *c, uw_act_info *told, const float **wanted) {
    const uw_on_surprise policy = told->surprised ? c->options.on_surprise : UW_ON_SURPRISE_NONE;
    if (policy == UW_ON_SURPRISE_STOP) c->stopped = true;
    if (c->stopped) {
        told->reason = UW_ACT_STOPPED;
        *wanted = c->safe;
        return true;
    }
    if (policy == UW_ON_SURPRISE_HOLD) {
        /* the plan so far goes on in time, as it does over a lost picture */
        uw__planner_skip(c->planner);
        told->reason = UW_ACT_HELD;
        *wanted = c->last;
        return true;
    }
    if (policy == UW_ON_SURPRISE_REPLAN) {
        c->count = 0;
        uw__planner_forget(c->planner);
        told->reason = UW_ACT_REPLANNED;
    }
    return false;
}

uw_status uw_controller_act(uw_controller *c, const void *observation, float *action,
                            uw_act_info *info) {
    const int64_t start = uw__clock_ns();
    if (!c->has_goal) return UW_EINVAL;

    const float *wanted = c->plan;
    uw_act_info told = {.reason = UW_ACT_PLANNED, .surprise = NAN};
    uw_status status = look(c, observation);
    if (status) {
        /* A gap in the history would pair latents with the wrong actions: start over. */
        c->count = 0;
        uw__planner_skip(c->planner);
        told.reason = UW_ACT_SAFE_OBSERVATION;
        goto done;
    }
    compare(c, &told);
    const bool answered = react(c, &told, &wanted);
    remember(c);
    told.goal_distance =
        uw__objective_distance(c->latent, c->goal, (size_t)c->dynamics.dims.latent_dim);
    if (answered) goto done;
    status = uw__planner_plan_from(c->planner, start, c->history, c->count, past(c), c->goal,
                                   c->plan, &told.plan);
    if (status)
        told.reason = UW_ACT_SAFE_PLAN;
    else if (told.plan.deadline_hit && told.reason == UW_ACT_PLANNED)
        told.reason = UW_ACT_DEADLINE;
done:
    give(c, status ? c->safe : wanted, action);
    told.seconds = (double)(uw__clock_ns() - start) * 1e-9;
    if (info) *info = told;
    return status;
}

const float *uw_controller_plan(const uw_controller *c) {
    return c->plan;
}

const float *uw_controller_latent(const uw_controller *c) {
    return c->latent;
}

const float *uw_controller_goal_latent(const uw_controller *c) {
    return c->goal;
}

uw_status uw__controller_imagine(uw_controller *c, float *z) {
    if (c->count == 0) return UW_EINVAL;
    return uw_planner_imagine(c->planner, c->history, c->count, past(c), c->plan, z);
}

uw_planner *uw_controller_planner(uw_controller *c) {
    return c->planner;
}
