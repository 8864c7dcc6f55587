/* The planner: options, memory, and the search loop around a solver.  Owns the warm start, the
 * noise sequence and the deadline; must not know what the dynamics are.
 *
 * A plan is a function of (seed, stream, number of the decision, latents): nothing depends on time,
 * unless a deadline cuts it short, nor on how many candidates the dynamics take at once. */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

#include <umwelt/arena.h>

#include "clock.h"
#include "rng.h"

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* What gradient solvers need besides. */
static void layout_gradient(uw_arena *arena, const uw_dynamics_dims *d, uw_planner *t) {
    const size_t n = (size_t)t->options.num_samples, h = (size_t)t->options.horizon;
    const size_t all = n * uw__plan_size(t), chunk = (size_t)t->chunk;
    const size_t actions = chunk * h * (size_t)d->action_dim,
                 c = (size_t)t->options.num_constraints;
    t->draws = uw_arena_alloc(arena, all, sizeof *t->draws);
    t->grad = uw_arena_alloc(arena, all, sizeof *t->grad);
    for (int k = 0; k < 2 && t->options.descent != UW_DESCENT_SGD; k++)
        t->moment[k] = uw_arena_alloc(arena, all, sizeof *t->moment[k]);
    t->dz = uw_arena_alloc(arena, chunk * h * (size_t)d->latent_dim, sizeof *t->dz);
    t->dactions = uw_arena_alloc(arena, actions, sizeof *t->dactions);
    if (t->rules->discrete) t->direct = uw_arena_alloc(arena, actions, sizeof *t->direct);
    t->lambda = uw_arena_alloc(arena, c, sizeof *t->lambda);
    t->violations = uw_arena_alloc(arena, n * c, sizeof *t->violations);
    t->penalties = uw_arena_alloc(arena, chunk * c, sizeof *t->penalties);
}

/* Size and placement in one; returns NULL while measuring. */
static uw_planner *layout(uw_arena *arena, const uw_dynamics_dims *d,
                          const uw_planner_options *given) {
    uw_planner t = {.options = uw__options_filled(given), .rules = uw__solver_rules(given->solver)};
    uw_planner_options *o = &t.options;
    uw_planner *p = uw_arena_alloc(arena, 1, sizeof *p);

    t.width = d->action_dim;
    if (t.rules->discrete) {
        if (o->choice_dim == 0) o->choice_dim = d->action_dim;
        t.num_choices = uw__discrete_choices(o->choice_dim);
        t.width = d->action_dim / o->choice_dim * t.num_choices;
    }
    const size_t n = (size_t)o->num_samples, h = (size_t)o->horizon, plan = uw__plan_size(&t);
    t.total_iters = o->solver == UW_SOLVER_LAGRANGIAN ? o->outer_iters * o->iters : o->iters;
    if (t.rules->refits && !t.rules->discrete)
        t.num_kept = least(o->keep_elites, least(o->num_elites, o->num_samples - 1));
    t.chunk = least(o->num_samples, d->num_samples);
    t.warm = uw_arena_alloc(arena, plan, sizeof *t.warm);
    t.mean = uw_arena_alloc(arena, plan, sizeof *t.mean);
    t.std = uw_arena_alloc(arena, plan, sizeof *t.std);
    t.best = uw_arena_alloc(arena, plan, sizeof *t.best);
    t.candidates = uw_arena_alloc(arena, n * plan, sizeof *t.candidates);
    t.kept = uw_arena_alloc(arena, (size_t)t.num_kept * plan, sizeof *t.kept);
    if (t.rules->discrete)
        t.actions =
            uw_arena_alloc(arena, (size_t)t.chunk * h * (size_t)d->action_dim, sizeof *t.actions);
    t.latents =
        uw_arena_alloc(arena, (t.rules->gradient ? n : (size_t)t.chunk) * h * (size_t)d->latent_dim,
                       sizeof *t.latents);
    t.steps = uw_arena_alloc(arena, (size_t)t.chunk * h, sizeof *t.steps);
    t.cost = uw_arena_alloc(arena, n, sizeof *t.cost);
    t.elites = uw_arena_alloc(arena, (size_t)o->num_elites, sizeof *t.elites);
    t.weights = uw_arena_alloc(arena, (size_t)o->num_elites, sizeof *t.weights);
    t.colour = uw_arena_alloc(arena, h, sizeof *t.colour);
    t.series = uw_arena_alloc(arena, h, sizeof *t.series);
    if (t.rules->gradient) layout_gradient(arena, d, &t);
    if (p && !arena->failed) *p = t;
    return p;
}

size_t uw_planner_memsize(const uw_dynamics_dims *dims, const uw_planner_options *options) {
    if (!uw__options_ok(dims, options)) return 0;
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, dims, options);
    return measure.failed ? 0 : uw_arena_used(&measure);
}

uw_status uw_planner_init(const uw_dynamics *dynamics, const uw_planner_options *options, void *mem,
                          size_t mem_size, uw_planner **out) {
    if (!out) return UW_EINVAL;
    *out = NULL;
    if (!dynamics || !dynamics->encode || !dynamics->rollout ||
        !uw__options_ok(&dynamics->dims, options))
        return UW_EINVAL;
    if (!mem || (uintptr_t)mem % UW_ALIGN) return UW_EINVAL;
    if (uw_solver_needs_gradient(options->solver) && !dynamics->gradient) return UW_EUNSUPPORTED;

    uw_arena arena = {.base = mem, .cap = mem_size};
    uw_planner *p = layout(&arena, &dynamics->dims, options);
    if (arena.failed) return UW_ENOMEM;
    p->dynamics = *dynamics;
    uw__noise_colour_filter(p->colour, (size_t)options->horizon, options->noise_beta);
    *out = p;
    return UW_OK;
}

/* ---- state between plans
 * ---------------------------------------------------------------------------- */

void uw_planner_reset(uw_planner *p, uint64_t stream) {
    p->stream = stream;
    p->decision = 0;
    uw__planner_forget(p);
    if (p->lambda) memset(p->lambda, 0, (size_t)p->options.num_constraints * sizeof(float));
}

/* Move on by one decision from plan [H, W] (may be p->warm itself); NULL = nothing worth keeping.
 */
static void advance(uw_planner *p, const float *plan) {
    const size_t size = uw__plan_size(p), block = (size_t)p->width;
    p->decision++;
    if (!plan || !p->options.warm_start) plan = NULL;
    if (plan) memmove(p->warm, plan + block, (size - block) * sizeof(float));
    memset(plan ? p->warm + size - block : p->warm, 0, (plan ? block : size) * sizeof(float));
}

void uw__planner_skip(uw_planner *p) {
    advance(p, p->warm);
}

void uw__planner_forget(uw_planner *p) {
    memset(p->warm, 0, uw__plan_size(p) * sizeof(float));
}

void uw__planner_warm(uw_planner *p, const float *mean, int32_t num_decisions) {
    const size_t block = (size_t)p->width;
    memset(p->warm, 0, uw__plan_size(p) * sizeof(float));
    memcpy(p->warm, mean, (size_t)least(num_decisions, p->options.horizon) * block * sizeof(float));
}

void uw_planner_set_noise(uw_planner *p, uw_noise_fn *fn, void *cookie) {
    p->noise = fn;
    p->noise_cookie = cookie;
}

void uw_planner_set_constraints(uw_planner *p, uw_constraint_fn *fn, void *cookie) {
    p->constrain = fn;
    p->constrain_cookie = cookie;
}

void uw_planner_set_value(uw_planner *p, const uw_value *value) {
    p->value = value ? *value : (uw_value){0};
}

void uw_planner_set_actor(uw_planner *p, const uw_actor *actor, bool search) {
    p->actor = actor ? *actor : (uw_actor){0};
    p->actor_first = search;
}

float *uw__planner_multipliers(uw_planner *p) {
    return p->lambda;
}

void uw__planner_hook(uw_planner *p, const uw_plan_hook *hook) {
    p->hook = *hook;
}

/* ---- steps that solvers share ---------------------------------------------------------------- */

uw_status uw__planner_draw(uw_planner *p, uw_search *s, int32_t iter, float *noise) {
    if (p->noise) return p->noise(p->noise_cookie, iter, noise);
    const size_t count = (size_t)p->options.num_samples * uw__plan_size(p);
    if (p->options.solver == UW_SOLVER_CATEGORICAL)
        for (size_t j = 0; j < count; j++) noise[j] = uw__rng_uniform(&s->rng);
    else
        uw__rng_fill_normal(&s->rng, noise, count);
    return UW_OK;
}

void uw__planner_clip(const uw_planner *p, float *plans, size_t n) {
    const float low = p->options.action_low, high = p->options.action_high;
    if (p->options.unbounded) return;
    for (size_t j = 0; j < n * uw__plan_size(p); j++)
        plans[j] = plans[j] < low ? low : plans[j] > high ? high : plans[j];
}

const float *uw__planner_actions(uw_planner *p, size_t first, size_t n) {
    const float *candidates = p->candidates + first * uw__plan_size(p);
    if (!p->rules->discrete) return candidates;
    uw__discrete_decode(p, candidates, n, p->actions);
    return p->actions;
}

/* ---- the search ------------------------------------------------------------------------------ */

static bool inputs_ok(const uw_planner *p, const uw_search *s) {
    const size_t d = (size_t)p->dynamics.dims.latent_dim;
    const size_t a = (size_t)p->dynamics.dims.action_dim, t = (size_t)s->history;
    const size_t past = s->past ? t - 1 + (size_t)p->dynamics.dims.lead : 0;
    return uw__plan_finite(s->z0, t * d) && uw__plan_finite(s->z_goal, d) &&
           uw__plan_finite(s->past, past * a);
}

static bool too_late(uw_search *s) {
    if (s->deadline_ns && s->looked && uw__clock_ns() >= s->deadline_ns)
        s->info.deadline_hit = true;
    return s->info.deadline_hit;
}

/* Note candidate i if it is the best so far: the least violation first, then the least cost. */
static void note(uw_planner *p, uw_search *s, size_t i) {
    const size_t size = uw__plan_size(p), c = (size_t)p->options.num_constraints;
    if (!(p->cost[i] < INFINITY)) return;
    s->num_finite++;
    float worst = c ? -INFINITY : 0.0f;
    for (size_t k = 0; k < c; k++) {
        const float g = p->violations[i * c + k];
        worst = g <= worst ? worst : g; /* NaN included */
    }
    if (isnan(worst)) worst = INFINITY;
    const float violation = p->options.compat || worst < 0.0f ? 0.0f : worst;
    const bool first = !(s->info.best_cost < INFINITY);
    const bool same = violation == s->violation && p->cost[i] < s->info.best_cost;
    if (!first && !same && !(violation < s->violation)) return;
    s->violation = violation;
    s->info.violation = worst;
    s->info.best_cost = p->cost[i];
    memcpy(p->best, p->candidates + i * size, size * sizeof(float));
}

/* Cost n rollouts of the actions, the first of them candidate `first`. */
static uw_status price(uw_planner *p, const uw_search *s, const float *latents,
                       const float *actions, size_t first, size_t n) {
    const uw_planner_options *o = &p->options;
    const size_t h = (size_t)o->horizon, a = (size_t)p->dynamics.dims.action_dim;
    if (!p->value.cost) {
        uw__objective_cost(o->objective, o->action_cost, latents, actions, s->z_goal, n, h,
                           (size_t)p->dynamics.dims.latent_dim, a, p->cost + first);
        return UW_OK;
    }
    const uw_status status =
        p->value.cost(p->value.self, latents, s->z_goal, (int32_t)(n * h), p->steps);
    if (status) return status;
    uw__objective_fold(o->objective, o->action_cost, p->steps, actions, n, h, a, p->cost + first);
    return UW_OK;
}

/* Roll the first `count` candidates out, chunk by chunk, and note the best.  The very first chunk
 * always runs, so that even a deadline in the past leaves a plan; it holds the mean in slot 0. */
static uw_status evaluate(uw_planner *p, uw_search *s, int32_t count) {
    const uw_planner_options *o = &p->options;
    const size_t h = (size_t)o->horizon, d = (size_t)p->dynamics.dims.latent_dim;
    const size_t c = (size_t)o->num_constraints;
    s->num_finite = 0;
    for (int32_t first = 0; first < count; first += p->chunk) {
        if (too_late(s)) return UW_OK;
        const int32_t n = least(p->chunk, count - first);
        const float *actions = uw__planner_actions(p, (size_t)first, (size_t)n);
        float *latents = p->latents + (p->rules->gradient ? (size_t)first * h * d : 0);
        uw_status status = p->dynamics.rollout(p->dynamics.self, s->z0, s->history, s->past,
                                               actions, n, o->horizon, latents);
        if (!status) status = price(p, s, latents, actions, (size_t)first, (size_t)n);
        if (!status && c)
            status = p->constrain(p->constrain_cookie, latents, actions, n, o->horizon,
                                  p->violations + (size_t)first * c, NULL, NULL, NULL);
        if (status) return status;
        for (int32_t i = first; i < first + n; i++) note(p, s, (size_t)i);
        s->looked = true;
    }
    return UW_OK;
}

static void observe(uw_planner *p, const uw_search *s, int32_t iter, bool last) {
    if (!p->hook.observe) return;
    const uw_plan_step step = {.iter = iter,
                               .num_elites = s->num_elites,
                               .candidates = p->candidates,
                               .cost = p->cost,
                               .elites = p->elites,
                               .weights = p->options.solver == UW_SOLVER_MPPI ? p->weights : NULL,
                               .mean = p->mean,
                               .std = p->std,
                               .grad = last ? NULL : p->grad};
    p->hook.observe(p->hook.cookie, &step);
}

/* Iterate until done, the deadline, or nothing finite; then look at what the last iteration left.
 */
static uw_status refine(uw_planner *p, uw_search *s) {
    for (int32_t iter = 0; iter < p->total_iters; iter++) {
        uw_status status = p->rules->propose(p, s, iter);
        if (!status) status = evaluate(p, s, p->options.num_samples);
        if (status) return status;
        if (s->info.deadline_hit || s->num_finite == 0) return UW_OK;
        status = p->rules->learn(p, s, iter);
        if (status) return status;
        s->info.iters = iter + 1;
        observe(p, s, iter, false);
    }
    if (too_late(s)) return UW_OK;
    if (p->rules->gradient) {
        const uw_status status = p->rules->propose(p, s, p->total_iters);
        if (status) return status;
    }
    const int32_t count = p->rules->settle(p, s);
    s->looked = false; /* what is left behind by settle must be looked at: no way back */
    const uw_status status = evaluate(p, s, count);
    if (status) return status;
    if (p->rules->close && !s->info.deadline_hit) p->rules->close(p);
    if (p->rules->gradient) observe(p, s, p->total_iters, true);
    return UW_OK;
}

/* The actor's plan alone, looked at once. */
static uw_status follow(uw_planner *p, uw_search *s) {
    memcpy(p->candidates, p->warm, uw__plan_size(p) * sizeof(float));
    return evaluate(p, s, 1);
}

/* The plan [H, W] that a search ends with. */
static float *answer(uw_planner *p, const uw_search *s) {
    /* Without a refit the mean is still the guess that the search began with. */
    const bool mean =
        p->rules->refits && p->options.compat && !p->options.return_best && s->info.iters > 0;
    float *plan = mean ? p->mean : p->best;
    if (p->rules->discrete) uw__discrete_round(p, plan, 1);
    return plan;
}

uw_status uw__planner_plan_from(uw_planner *p, int64_t start_ns, const float *z0, int32_t history,
                                const float *past, const float *z_goal, float *plan,
                                uw_plan_info *info) {
    const uw_planner_options *o = &p->options;
    const size_t size = uw__plan_size(p);
    const float *result = NULL;
    if (history < 1 || history > p->dynamics.dims.history_size || (history > 1 && !past))
        return UW_EINVAL;
    if (o->num_constraints && !p->constrain) return UW_EINVAL;
    if (p->value.cost && p->rules->gradient) return UW_EUNSUPPORTED;
    if (p->actor.act && p->rules->discrete) return UW_EUNSUPPORTED;

    uw_search s = {.z0 = z0,
                   .past = past,
                   .z_goal = z_goal,
                   .history = history,
                   .rng = uw__rng(o->seed, UW_STREAM_PLAN, p->stream << 32 | p->decision),
                   .info = {.best_cost = INFINITY}};
    if (o->deadline_s > 0.0) s.deadline_ns = start_ns + (int64_t)(o->deadline_s * 1e9);

    uw_status status = inputs_ok(p, &s) ? UW_OK : UW_ENONFINITE;
    if (!status && p->actor.act) status = uw__actor_plan(p, &s, p->warm);
    if (!status) status = p->actor.act && !p->actor_first ? follow(p, &s) : refine(p, &s);
    if (status) goto done;
    if (s.info.best_cost < INFINITY) result = answer(p, &s);
    if (!result || !uw__plan_finite(result, size)) {
        status = UW_ENONFINITE;
        goto done;
    }
    if (p->rules->discrete)
        uw__discrete_decode(p, result, 1, plan);
    else
        memcpy(plan, result, size * sizeof(float));
    s.info.seconds = (double)(uw__clock_ns() - start_ns) * 1e-9;
    if (info) *info = s.info;
done:
    /* After a failure the old warm start is no guess worth keeping. */
    advance(p, status ? NULL : result);
    return status;
}

uw_status uw_planner_plan(uw_planner *p, const float *z0, int32_t history, const float *past,
                          const float *z_goal, float *plan, uw_plan_info *info) {
    return uw__planner_plan_from(p, uw__clock_ns(), z0, history, past, z_goal, plan, info);
}

uw_status uw_planner_imagine(uw_planner *p, const float *z0, int32_t history, const float *past,
                             const float *plan, float *z) {
    if (history < 1 || history > p->dynamics.dims.history_size || (history > 1 && !past))
        return UW_EINVAL;
    return p->dynamics.rollout(p->dynamics.self, z0, history, past, plan, 1, p->options.horizon, z);
}
