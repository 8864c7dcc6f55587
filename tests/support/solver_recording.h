/* A recorded search of the reference, handed to a planner and compared with it: its draws go in,
 * and every candidate, cost, elite, gradient, weight, mean and deviation that comes out is checked. */
#ifndef UW_SOLVER_RECORDING_H
#define UW_SOLVER_RECORDING_H

#include "golden.h"

#include "plan_internal.h"

/* One recorded search: a case of a file, and one of its environments. */
typedef struct recording {
    golden *file;
    const char *name;
    const char *json; /* the case's settings */
    uw_solver solver;
    size_t env;
    size_t envs, iters, n, h, w, k; /* sizes of the case, from its tensors; iters: evaluations */
    size_t iters_seen;
    double least, mean_elite; /* costs of the last iteration */
} recording;

static inline const char *recording_name(const recording *r, const char *what) {
    static char text[96];
    snprintf(text, sizeof text, "%s.%s", r->name, what);
    return text;
}

static inline bool recording_has(const recording *r, const char *what) {
    return uw__safetensors_find(r->file->file, recording_name(r, what)) >= 0;
}

/* A case with its sizes. */
static inline recording recording_open(golden *file, const char *name, uw_solver solver) {
    recording r = {.file = file, .name = name, .solver = solver};
    r.json = uw__safetensors_meta(file->file, name);
    if (!r.json) fail_msg("no settings of case %s", name);
    const char *candidates = recording_name(&r, "candidates"); /* [E, I, N, H, W] */
    r.envs = golden_axis(file, candidates, 0);
    r.iters = golden_axis(file, candidates, 1);
    r.n = golden_axis(file, candidates, 2);
    r.h = golden_axis(file, candidates, 3);
    r.w = golden_axis(file, candidates, 4);
    if (recording_has(&r, "weights")) r.k = golden_axis(file, recording_name(&r, "weights"), 2);
    if (recording_has(&r, "elites")) r.k = golden_axis(file, recording_name(&r, "elites"), 2);
    return r;
}

/* Hand in the recorded draws.  A sampler's are one tensor, iCEM's with time last; a descent's are the
 * spread of all starts but the first, then what is added after every step. */
static inline uw_status recording_noise(void *cookie, int32_t iter, float *noise) {
    const recording *r = cookie;
    const size_t size = r->h * r->w, all = r->n * size;
    if (uw_solver_needs_gradient(r->solver)) {
        const size_t spread = (r->n - 1) * size, steps = r->iters - 1;
        if (iter == 0)
            memcpy(noise + size,
                   golden_f32(r->file, recording_name(r, "init_noise")) + r->env * spread,
                   spread * sizeof *noise);
        else
            memcpy(noise,
                   golden_f32(r->file, recording_name(r, "action_noise")) +
                       (r->env * steps + (size_t)iter - 1) * all,
                   all * sizeof *noise);
        return UW_OK;
    }
    const float *from = golden_f32(r->file, recording_name(r, "noise"));
    from += (r->env * r->iters + (size_t)iter) * all;
    const bool time_last = r->solver == UW_SOLVER_ICEM;
    for (size_t i = 0; i < r->n; i++)
        for (size_t t = 0; t < r->h; t++)
            for (size_t a = 0; a < r->w; a++)
                noise[i * size + t * r->w + a] =
                    from[i * size + (time_last ? a * r->h + t : t * r->w + a)];
    return UW_OK;
}

/* Costs of the elites [k], and who they are: equal candidates of discrete actions tie. */
static inline void recording_elites(recording *r, const uw_plan_step *step, size_t at) {
    float *cost = calloc(r->k + 1, sizeof *cost);
    assert_non_null(cost);
    assert_int_equal(step->num_elites, r->k);
    r->mean_elite = 0.0;
    for (size_t e = 0; e < r->k; e++) {
        cost[e] = step->cost[step->elites[e]];
        r->mean_elite += (double)cost[e] / (double)r->k;
    }
    if (recording_has(r, "elite_cost"))
        golden_check(r->file, recording_name(r, "elite_cost"), at * r->k, cost, r->k);
    if (recording_has(r, "elites") && r->solver != UW_SOLVER_CATEGORICAL) {
        const int64_t *elites = golden_tensor(r->file, recording_name(r, "elites")).data;
        for (size_t e = 0; e < r->k; e++)
            assert_int_equal(step->elites[e], elites[at * r->k + e]);
    }
    if (recording_has(r, "weights")) { /* by cost; in the order of samples when all are kept */
        for (size_t e = 0; e < r->k; e++)
            golden_check(r->file, recording_name(r, "weights"),
                         at * r->k + (r->k == r->n ? (size_t)step->elites[e] : e),
                         &step->weights[e], 1);
    }
    free(cost);
}

static inline void recording_step(void *cookie, const uw_plan_step *step) {
    recording *r = cookie;
    const size_t size = r->h * r->w, all = r->n * size;
    const size_t at = r->env * r->iters + (size_t)step->iter;
    golden_check(r->file, recording_name(r, "candidates"), at * all, step->candidates, all);
    golden_check(r->file, recording_name(r, "cost"), at * r->n, step->cost, r->n);
    r->least = INFINITY;
    for (size_t i = 0; i < r->n; i++) r->least = fmin(r->least, (double)step->cost[i]);
    if (r->k) recording_elites(r, step, at);
    if (recording_has(r, "mean")) {
        golden_check(r->file, recording_name(r, "mean"), at * size, step->mean, size);
        golden_check(r->file, recording_name(r, "std"), at * size, step->std, size);
    }
    if (recording_has(r, "probs"))
        golden_check(r->file, recording_name(r, "probs"), at * size, step->mean, size);
    if (recording_has(r, "grad")) {
        const size_t steps = r->iters - 1;
        assert_true((step->grad != NULL) == ((size_t)step->iter < steps));
        if (step->grad)
            golden_check(r->file, recording_name(r, "grad"),
                         (r->env * steps + (size_t)step->iter) * all, step->grad, all);
    }
    r->iters_seen++;
}

/* The number behind a key of a case's JSON, or the solver's default; null is 0. */
static inline double recording_setting(const char *json, const char *key, double fallback) {
    const char *at = strstr(json, key);
    if (!at) return fallback;
    at = strchr(at, ':') + 1;
    while (*at == ' ') at++;
    return strncmp(at, "false", 5) == 0  ? 0.0
           : strncmp(at, "true", 4) == 0 ? 1.0
                                         : strtod(at, NULL);
}

/* Squared gradient norm of the environments that shared a clip with this one. */
static inline double recording_others(void *cookie, int32_t iter) {
    const recording *r = cookie;
    const size_t all = r->n * r->h * r->w, steps = r->iters - 1;
    const size_t batch = (size_t)recording_setting(r->json, "\"batch_size\"", (double)r->envs);
    const double *grad = golden_tensor(r->file, recording_name(r, "grad")).data;
    double square = 0.0;
    for (size_t env = 0; env < r->envs; env++) {
        if (env == r->env || env / batch != r->env / batch) continue;
        const double *g = grad + (env * steps + (size_t)iter) * all;
        for (size_t j = 0; j < all; j++) square += g[j] * g[j];
    }
    return square;
}

/* The reference's options with what the case's settings change; `horizon` where they say nothing. */
static inline uw_planner_options recording_options(const recording *r) {
    uw_planner_options o = uw_planner_options_reference(r->solver);
    const char *json = r->json;
    const float bound = (float)recording_setting(json, "\"bound\"", 1.0);
#define INT(field, key) o.field = (int32_t)recording_setting(json, "\"" key "\"", o.field)
#define REAL(field, key) o.field = (float)recording_setting(json, "\"" key "\"", (double)o.field)
    o.horizon = (int32_t)r->h;
    INT(horizon, "horizon");
    INT(num_samples, "num_samples");
    INT(num_elites, "topk");
    INT(iters, "n_steps");
    INT(keep_elites, "n_elite_keep");
    INT(outer_iters, "n_outer_steps");
    REAL(init_std, "var_scale");
    REAL(init_std, "noise_scale");
    REAL(noise_beta, "noise_beta");
    REAL(momentum, "alpha");
    REAL(temperature, "temperature");
    REAL(smoothing, "smoothing");
    REAL(learning_rate, "lr");
    REAL(grad_clip, "grad_clip");
    REAL(action_noise, "action_noise");
    REAL(penalty, "rho_init");
    REAL(penalty_growth, "rho_scale");
    REAL(penalty_max, "rho_max");
#undef INT
#undef REAL
    if (o.num_elites == 0) o.num_elites = o.num_samples; /* topk null */
    if (strstr(json, "\"SGD\"")) o.descent = UW_DESCENT_SGD;
    if (strstr(json, "\"AdamW\"")) o.descent = UW_DESCENT_ADAMW;
    o.action_low = -bound;
    o.action_high = bound;
    o.return_best = recording_setting(json, "\"return_mean\"", 1.0) == 0.0;
    o.forget_multipliers = recording_setting(json, "\"persist_multipliers\"", 1.0) == 0.0;
    return o;
}

/* Plan once under the recording's eyes into plan [H, A]; the cost that the reference returned is
 * checked. */
static inline void recording_run(recording *r, uw_planner *p, const uw_planner_options *o,
                                 const float *z0, const float *z_goal, float *plan) {
    r->iters_seen = 0;
    uw_planner_set_noise(p, recording_noise, r);
    uw__planner_hook(p, &(uw_plan_hook){r, recording_step, recording_others});
    assert_int_equal(uw_planner_plan(p, z0, 1, NULL, z_goal, plan, NULL), UW_OK);
    assert_int_equal(r->iters_seen, r->iters);
    const float cost = (float)(r->k && !o->return_best ? r->mean_elite : r->least);
    golden_check(r->file, recording_name(r, "returned_cost"), r->env, &cost, 1);
}

#endif
