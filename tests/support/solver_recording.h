/* A recorded search of the reference, handed to a planner and compared with it: its draws go in,
 * and every candidate, cost, elite, mean and deviation that comes out is checked. */
#ifndef UW_SOLVER_RECORDING_H
#define UW_SOLVER_RECORDING_H

#include "golden.h"

#include "plan_internal.h"

/* One recorded search: a case of a file, and one of its environments. */
typedef struct recording {
    golden *file;
    const char *name;
    bool icem;
    size_t env;
    size_t envs, iters, n, h, a, k; /* sizes of the case, from its tensors */
    size_t iters_seen;
    double best_elite, mean_elite; /* costs of the last iteration */
} recording;

static inline const char *recording_name(const recording *r, const char *what) {
    static char text[96];
    snprintf(text, sizeof text, "%s.%s", r->name, what);
    return text;
}

/* A case with its sizes. */
static inline recording recording_open(golden *file, const char *name, bool icem) {
    recording r = {.file = file, .name = name, .icem = icem};
    const char *candidates = recording_name(&r, "candidates"); /* [E, I, N, H, A] */
    r.envs = golden_axis(file, candidates, 0);
    r.iters = golden_axis(file, candidates, 1);
    r.n = golden_axis(file, candidates, 2);
    r.h = golden_axis(file, candidates, 3);
    r.a = golden_axis(file, candidates, 4);
    r.k = golden_axis(file, recording_name(&r, "elites"), 2);
    return r;
}

/* Hand in the recorded draws; iCEM's have time last. */
static inline uw_status recording_noise(void *cookie, int32_t iter, float *noise) {
    const recording *r = cookie;
    const size_t size = r->h * r->a;
    const float *from = golden_f32(r->file, recording_name(r, "noise"));
    from += (r->env * r->iters + (size_t)iter) * r->n * size;
    for (size_t i = 0; i < r->n; i++)
        for (size_t t = 0; t < r->h; t++)
            for (size_t a = 0; a < r->a; a++)
                noise[i * size + t * r->a + a] =
                    from[i * size + (r->icem ? a * r->h + t : t * r->a + a)];
    return UW_OK;
}

static inline void recording_step(void *cookie, const uw_plan_step *step) {
    recording *r = cookie;
    const size_t size = r->h * r->a, at = r->env * r->iters + (size_t)step->iter;
    float *elite_cost = calloc(r->k + 1, sizeof *elite_cost);
    assert_non_null(elite_cost);
    assert_int_equal(step->num_elites, r->k);
    golden_check(r->file, recording_name(r, "candidates"), at * r->n * size,
                 step->candidates, r->n * size);
    golden_check(r->file, recording_name(r, "cost"), at * r->n, step->cost, r->n);
    const int64_t *elites = golden_tensor(r->file, recording_name(r, "elites")).data;
    r->mean_elite = 0.0;
    for (size_t e = 0; e < r->k; e++) {
        assert_int_equal(step->elites[e], elites[at * r->k + e]);
        elite_cost[e] = step->cost[step->elites[e]];
        r->mean_elite += (double)elite_cost[e] / (double)r->k;
    }
    r->best_elite = (double)elite_cost[0];
    golden_check(r->file, recording_name(r, "elite_cost"), at * r->k, elite_cost, r->k);
    golden_check(r->file, recording_name(r, "mean"), at * size, step->mean, size);
    golden_check(r->file, recording_name(r, "std"), at * size, step->std, size);
    r->iters_seen++;
    free(elite_cost);
}

/* The number behind a key of a case's JSON, or the solver's default. */
static inline double recording_setting(const char *json, const char *key, double fallback) {
    const char *at = strstr(json, key);
    if (!at) return fallback;
    at = strchr(at, ':') + 1;
    while (*at == ' ') at++;
    return strncmp(at, "false", 5) == 0  ? 0.0
           : strncmp(at, "true", 4) == 0 ? 1.0
                                         : strtod(at, NULL);
}

static inline uw_planner_options recording_options(const char *json, bool icem, int32_t horizon) {
    const float bound = (float)recording_setting(json, "\"bound\"", 1.0);
    return (uw_planner_options){
        .solver = icem ? UW_SOLVER_ICEM : UW_SOLVER_CEM,
        .objective = UW_OBJECTIVE_LAST,
        .horizon = (int32_t)recording_setting(json, "\"horizon\"", horizon),
        .num_samples = (int32_t)recording_setting(json, "\"num_samples\"", 0),
        .num_elites = (int32_t)recording_setting(json, "\"topk\"", 0),
        .iters = (int32_t)recording_setting(json, "\"n_steps\"", 0),
        .keep_elites = icem ? (int32_t)recording_setting(json, "\"n_elite_keep\"", 5) : 0,
        .init_std = (float)recording_setting(json, "\"var_scale\"", 1.0),
        .noise_beta = (float)recording_setting(json, "\"noise_beta\"", 2.0),
        .momentum = icem ? (float)recording_setting(json, "\"alpha\"", 0.1) : 0.0f,
        .action_low = -bound,
        .action_high = bound,
        .return_best = recording_setting(json, "\"return_mean\"", 1.0) == 0.0,
        .sample_std = true,
        .unbounded = !icem,
    };
}

/* Plan once under the recording's eyes; plan [h, a] and the cost that the reference returned are
 * checked. */
static inline void recording_run(recording *r, uw_planner *p, const uw_planner_options *o,
                                 const float *z0, const float *z_goal) {
    const size_t size = r->h * r->a;
    float *plan = calloc(size, sizeof *plan);
    assert_non_null(plan);
    uw_planner_set_noise(p, recording_noise, r);
    uw__planner_hook(p, &(uw_plan_hook){r, recording_step});
    assert_int_equal(uw_planner_plan(p, z0, 1, NULL, z_goal, plan, NULL), UW_OK);
    assert_int_equal(r->iters_seen, r->iters);
    golden_check(r->file, recording_name(r, "actions"), r->env * size, plan, size);
    const float cost = (float)(o->return_best ? r->best_elite : r->mean_elite);
    golden_check(r->file, recording_name(r, "returned_cost"), r->env, &cost, 1);
    free(plan);
}

#endif
