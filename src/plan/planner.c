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

enum {
    MAX_HORIZON = 4096,
    MAX_ACTION_DIM = 4096,
    MAX_SAMPLES = 1 << 16,
    MAX_ITERS = 1000,
    MAX_LATENT_DIM = 1 << 20,
    MAX_HISTORY = 4096
};

/* ---- words
 * ------------------------------------------------------------------------------------------ */

static bool word_find(const char *word, const char *const *words, int32_t count, int32_t *out) {
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool uw_solver_parse(const char *word, uw_solver *out) {
    static const char *const WORDS[] = {"cem", "icem"};
    int32_t i = 0;
    if (!word_find(word, WORDS, 2, &i)) return false;
    *out = (uw_solver)i;
    return true;
}

bool uw_objective_parse(const char *word, uw_objective *out) {
    static const char *const WORDS[] = {"sum", "last", "min"};
    int32_t i = 0;
    if (!word_find(word, WORDS, 3, &i)) return false;
    *out = (uw_objective)i;
    return true;
}

/* ---- memory
 * ----------------------------------------------------------------------------------------- */

static bool within(int32_t value, int32_t low, int32_t high) {
    return value >= low && value <= high;
}

/* True for a finite value in [low, high]; false for NaN. */
static bool real_within(double value, double low, double high) {
    return value >= low && value <= high;
}

/* Upper bounds too: they keep N * H * max(A, D) below 2^49, so that no size overflows. */
static bool arguments_ok(const uw_dynamics_dims *d, const uw_planner_options *o) {
    static const double LARGE = 1e30; /* finite, and far from overflow in any product below */
    return d && o && within(d->latent_dim, 1, MAX_LATENT_DIM) &&
           within(d->action_dim, 1, MAX_ACTION_DIM) && within(d->history_size, 1, MAX_HISTORY) &&
           d->num_samples >= 1 && within(o->horizon, 1, MAX_HORIZON) && o->horizon <= d->horizon &&
           within(o->num_samples, 2, MAX_SAMPLES) && within(o->num_elites, 1, o->num_samples - 1) &&
           within(o->iters, 1, MAX_ITERS) && o->keep_elites >= 0 &&
           within((int32_t)o->solver, UW_SOLVER_CEM, UW_SOLVER_ICEM) &&
           within((int32_t)o->objective, UW_OBJECTIVE_SUM, UW_OBJECTIVE_MIN) &&
           real_within((double)o->init_std, 0.0, LARGE) &&
           real_within((double)o->min_std, 0.0, LARGE) &&
           real_within((double)o->noise_ar, -1.0, 1.0) &&
           real_within((double)o->noise_beta, -8.0, 8.0) &&
           real_within((double)o->momentum, 0.0, 1.0) &&
           real_within((double)o->action_low, -LARGE, (double)o->action_high) &&
           real_within((double)o->action_high, (double)o->action_low, LARGE) &&
           real_within((double)o->action_cost, 0.0, LARGE) && real_within(o->deadline_s, 0.0, 1e9);
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

uw_planner_options uw_planner_options_default(void) {
    return UW_PLANNER_OPTIONS_DEFAULT;
}

/* Size and placement in one; returns NULL while measuring. */
static uw_planner *layout(uw_arena *arena, const uw_dynamics_dims *d, const uw_planner_options *o) {
    const size_t n = (size_t)o->num_samples, h = (size_t)o->horizon;
    const size_t plan = h * (size_t)d->action_dim;
    uw_planner t = {.options = *o};
    uw_planner *p = uw_arena_alloc(arena, 1, sizeof *p);

    t.num_kept = least(o->keep_elites, least(o->num_elites, o->num_samples - 1));
    t.chunk = least(o->num_samples, d->num_samples);
    t.warm = uw_arena_alloc(arena, plan, sizeof *t.warm);
    t.mean = uw_arena_alloc(arena, plan, sizeof *t.mean);
    t.std = uw_arena_alloc(arena, plan, sizeof *t.std);
    t.best = uw_arena_alloc(arena, plan, sizeof *t.best);
    t.candidates = uw_arena_alloc(arena, n * plan, sizeof *t.candidates);
    t.kept = uw_arena_alloc(arena, (size_t)t.num_kept * plan, sizeof *t.kept);
    t.latents =
        uw_arena_alloc(arena, (size_t)t.chunk * h * (size_t)d->latent_dim, sizeof *t.latents);
    t.cost = uw_arena_alloc(arena, n, sizeof *t.cost);
    t.elites = uw_arena_alloc(arena, (size_t)o->num_elites, sizeof *t.elites);
    t.colour = uw_arena_alloc(arena, h, sizeof *t.colour);
    t.series = uw_arena_alloc(arena, h, sizeof *t.series);
    if (p && !arena->failed) *p = t;
    return p;
}

size_t uw_planner_memsize(const uw_dynamics_dims *dims, const uw_planner_options *options) {
    if (!arguments_ok(dims, options)) return 0;
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, dims, options);
    return measure.failed ? 0 : uw_arena_used(&measure);
}

uw_status uw_planner_init(const uw_dynamics *dynamics, const uw_planner_options *options, void *mem,
                          size_t mem_size, uw_planner **out) {
    if (!out) return UW_EINVAL;
    *out = NULL;
    if (!dynamics || !dynamics->encode || !dynamics->rollout ||
        !arguments_ok(&dynamics->dims, options))
        return UW_EINVAL;
    if (!mem || (uintptr_t)mem % UW_ALIGN) return UW_EINVAL;

    uw_arena arena = {.base = mem, .cap = mem_size};
    uw_planner *p = layout(&arena, &dynamics->dims, options);
    if (arena.failed) return UW_ENOMEM;
    p->dynamics = *dynamics;
    if (options->solver == UW_SOLVER_ICEM)
        uw__noise_colour_filter(p->colour, (size_t)options->horizon, options->noise_beta);
    *out = p;
    return UW_OK;
}

/* ---- state between plans
 * ---------------------------------------------------------------------------- */

static size_t plan_size(const uw_planner *p) {
    return (size_t)p->options.horizon * (size_t)p->dynamics.dims.action_dim;
}

void uw_planner_reset(uw_planner *p, uint64_t stream) {
    p->stream = stream;
    p->decision = 0;
    memset(p->warm, 0, plan_size(p) * sizeof(float));
}

/* Move on by one decision from plan [H, A] (may be p->warm itself); NULL = nothing worth keeping.
 */
static void advance(uw_planner *p, const float *plan) {
    const size_t size = plan_size(p), block = (size_t)p->dynamics.dims.action_dim;
    p->decision++;
    if (!plan || !p->options.warm_start) plan = NULL;
    if (plan) memmove(p->warm, plan + block, (size - block) * sizeof(float));
    memset(plan ? p->warm + size - block : p->warm, 0, (plan ? block : size) * sizeof(float));
}

void uw__planner_skip(uw_planner *p) {
    advance(p, p->warm);
}

void uw__planner_warm(uw_planner *p, const float *mean, int32_t num_decisions) {
    const size_t block = (size_t)p->dynamics.dims.action_dim;
    memset(p->warm, 0, plan_size(p) * sizeof(float));
    memcpy(p->warm, mean, (size_t)least(num_decisions, p->options.horizon) * block * sizeof(float));
}

void uw_planner_set_noise(uw_planner *p, uw_noise_fn *fn, void *cookie) {
    p->noise = fn;
    p->noise_cookie = cookie;
}

void uw__planner_hook(uw_planner *p, const uw_plan_hook *hook) {
    p->hook = *hook;
}

/* ---- the search
 * ------------------------------------------------------------------------------------- */

/* What a plan starts from and when it must end. */
typedef struct search {
    const float *z0, *past, *z_goal;
    int32_t history;
    int64_t deadline_ns; /* 0 = none */
    uw_rng rng;
    uw_plan_info info;
} search;

static bool inputs_ok(const uw_planner *p, const search *s) {
    const size_t d = (size_t)p->dynamics.dims.latent_dim;
    const size_t a = (size_t)p->dynamics.dims.action_dim, t = (size_t)s->history;
    return uw__plan_finite(s->z0, t * d) && uw__plan_finite(s->z_goal, d) &&
           (t == 1 || uw__plan_finite(s->past, (t - 1) * a));
}

static uw_status sample(uw_planner *p, search *s, int32_t iter) {
    uw_status status = UW_OK;
    if (p->noise)
        status = p->noise(p->noise_cookie, iter, p->candidates);
    else
        uw__rng_fill_normal(&s->rng, p->candidates, (size_t)p->options.num_samples * plan_size(p));
    if (status) return status;
    if (p->options.solver == UW_SOLVER_ICEM)
        uw__icem_sample(p, iter);
    else
        uw__cem_sample(p, iter);
    return UW_OK;
}

/* Roll all candidates out, chunk by chunk, and note the cheapest.  The very first chunk always
 * runs, so that even a deadline in the past leaves a plan; it holds the mean in slot 0. */
static uw_status evaluate(uw_planner *p, search *s, int32_t iter) {
    const uw_planner_options *o = &p->options;
    const size_t h = (size_t)o->horizon, size = plan_size(p);
    const size_t d = (size_t)p->dynamics.dims.latent_dim;
    for (int32_t first = 0; first < o->num_samples; first += p->chunk) {
        if (s->deadline_ns && (iter || first) && uw__clock_ns() >= s->deadline_ns) {
            s->info.deadline_hit = true;
            return UW_OK;
        }
        const int32_t n = least(p->chunk, o->num_samples - first);
        const float *actions = p->candidates + (size_t)first * size;
        const uw_status status = p->dynamics.rollout(p->dynamics.self, s->z0, s->history, s->past,
                                                     actions, n, o->horizon, p->latents);
        if (status) return status;
        uw__objective_cost(o->objective, o->action_cost, p->latents, actions, s->z_goal, (size_t)n,
                           h, d, size / h, p->cost + first);
        for (int32_t i = first; i < first + n; i++) {
            if (!(p->cost[i] < s->info.best_cost)) continue;
            s->info.best_cost = p->cost[i];
            memcpy(p->best, p->candidates + (size_t)i * size, size * sizeof(float));
        }
    }
    return UW_OK;
}

/* Iterate until done, the deadline, or nothing finite. */
static uw_status refine(uw_planner *p, search *s) {
    const uw_planner_options *o = &p->options;
    for (int32_t iter = 0; iter < o->iters; iter++) {
        uw_status status = sample(p, s, iter);
        if (!status) status = evaluate(p, s, iter);
        if (status) return status;
        if (s->info.deadline_hit) return UW_OK;
        const int32_t k = uw__cem_select(p->cost, o->num_samples, o->num_elites, p->elites);
        if (k == 0) return UW_OK;
        uw__cem_refit(p, k);
        s->info.elite_cost_spread = p->cost[p->elites[k - 1]] - p->cost[p->elites[0]];
        s->info.iters = iter + 1;
        if (p->hook.observe) {
            const uw_plan_step step = {iter, k, p->candidates, p->cost, p->elites, p->mean, p->std};
            p->hook.observe(p->hook.cookie, &step);
        }
    }
    return UW_OK;
}

uw_status uw__planner_plan_from(uw_planner *p, int64_t start_ns, const float *z0, int32_t history,
                                const float *past, const float *z_goal, float *plan,
                                uw_plan_info *info) {
    const uw_planner_options *o = &p->options;
    const size_t size = plan_size(p);
    const float *result = NULL;
    if (history < 1 || history > p->dynamics.dims.history_size || (history > 1 && !past))
        return UW_EINVAL;

    search s = {.z0 = z0,
                .past = past,
                .z_goal = z_goal,
                .history = history,
                .rng = uw__rng(o->seed, UW_STREAM_PLAN, p->stream << 32 | p->decision),
                .info = {.best_cost = INFINITY}};
    if (o->deadline_s > 0.0) s.deadline_ns = start_ns + (int64_t)(o->deadline_s * 1e9);

    uw_status status = inputs_ok(p, &s) ? UW_OK : UW_ENONFINITE;
    if (status) goto done;
    memcpy(p->mean, p->warm, size * sizeof(float));
    for (size_t j = 0; j < size; j++) p->std[j] = o->init_std;
    status = refine(p, &s);
    if (status) goto done;
    /* Without a refit the mean is still the guess that the search began with. */
    result = o->return_best || s.info.iters == 0 ? p->best : p->mean;
    if (!(s.info.best_cost < INFINITY) || !uw__plan_finite(result, size)) {
        status = UW_ENONFINITE;
        goto done;
    }
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
