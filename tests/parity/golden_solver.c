/* CEM and iCEM against the reference's recorded searches: with its draws, every candidate, cost,
 * elite, mean, deviation and plan agrees within the tolerance of fp32.
 *
 *     golden_solver cem|icem
 *
 * The world of the recordings: a point mass, v = 0.9 v + 0.25 a, p = p + 0.25 v, two actions per
 * block, cost = |p_end - g|^2 + sum over positions of a walled bump + 0.01 sum a^2 Here a latent is
 * (p, 0, 0, sqrt(rest of the cost)), so that its squared distance to (g, 0, 0, 0) is it. */
#include "golden.h"

#include "plan_internal.h"
#include "point_world.h"

enum { NUM_ENVS = 2, ITERS = 5, N = 32, A = 4, MAX_H = 5, MAX_K = 6, D = 5 };

static uw_status mass_encode(void *self, const void *observation, float *z) {
    (void)self;
    memcpy(z, observation, D * sizeof(float));
    return UW_OK;
}

static uw_status mass_rollout(void *self, const float *z0, int32_t history, const float *past,
                              const float *actions, int32_t n, int32_t h, float *z) {
    (void)self, (void)history, (void)past;
    for (int32_t i = 0; i < n; i++) {
        double p[2] = {(double)z0[0], (double)z0[1]}, v[2] = {(double)z0[2], (double)z0[3]};
        double rest = 0.0;
        const float *a = actions + (size_t)i * (size_t)h * A;
        for (int32_t t = 0; t < h; t++) {
            for (int half = 0; half < 2; half++, a += 2) {
                for (int k = 0; k < 2; k++) {
                    v[k] = 0.9 * v[k] + 0.25 * (double)a[k];
                    p[k] += 0.25 * v[k];
                    rest += 0.01 * (double)a[k] * (double)a[k];
                }
                rest += exp(-pow((p[0] - 0.6) / 0.15, 2)) * (1 - exp(-pow((p[1] - 0.4) / 0.25, 2)));
            }
            float *to = z + ((size_t)i * (size_t)h + (size_t)t) * D;
            to[0] = (float)p[0];
            to[1] = (float)p[1];
            to[2] = to[3] = 0.0f;
            to[4] = (float)sqrt(rest);
        }
    }
    return UW_OK;
}

/* One recorded search: a case of a file, and one of its environments. */
typedef struct recording {
    golden *file;
    const char *name;
    bool icem;
    size_t env, h, k;
    int32_t iters_seen;
    double best_elite, mean_elite; /* costs of the last iteration */
} recording;

static const char *tensor_name(const recording *r, const char *what) {
    static char text[96];
    snprintf(text, sizeof text, "%s.%s", r->name, what);
    return text;
}

/* Hand in the recorded draws; iCEM's have time last. */
static void recorded_noise(void *cookie, int32_t iter, float *noise) {
    const recording *r = cookie;
    const size_t size = r->h * A;
    const float *from = golden_f32(r->file, tensor_name(r, "noise"));
    from += (r->env * ITERS + (size_t)iter) * N * size;
    for (size_t i = 0; i < N; i++)
        for (size_t t = 0; t < r->h; t++)
            for (size_t a = 0; a < A; a++)
                noise[i * size + t * A + a] = from[i * size + (r->icem ? a * r->h + t : t * A + a)];
}

static void check_step(void *cookie, const uw_plan_step *step) {
    recording *r = cookie;
    const size_t size = r->h * A, at = r->env * ITERS + (size_t)step->iter;
    float elite_cost[MAX_K];
    assert_int_equal(step->num_elites, r->k);
    golden_check(r->file, tensor_name(r, "candidates"), at * N * size, step->candidates, N * size);
    golden_check(r->file, tensor_name(r, "cost"), at * N, step->cost, N);
    const int64_t *elites = golden_tensor(r->file, tensor_name(r, "elites")).data;
    r->mean_elite = 0.0;
    for (size_t e = 0; e < r->k; e++) {
        assert_int_equal(step->elites[e], elites[at * r->k + e]);
        elite_cost[e] = step->cost[step->elites[e]];
        r->mean_elite += (double)elite_cost[e] / (double)r->k;
    }
    r->best_elite = (double)elite_cost[0];
    golden_check(r->file, tensor_name(r, "elite_cost"), at * r->k, elite_cost, r->k);
    golden_check(r->file, tensor_name(r, "mean"), at * size, step->mean, size);
    golden_check(r->file, tensor_name(r, "std"), at * size, step->std, size);
    r->iters_seen++;
}

/* The number behind a key of a case's JSON, or the solver's default. */
static double setting(const char *json, const char *key, double fallback) {
    const char *at = strstr(json, key);
    if (!at) return fallback;
    at = strchr(at, ':') + 1;
    while (*at == ' ') at++;
    return strncmp(at, "false", 5) == 0  ? 0.0
           : strncmp(at, "true", 4) == 0 ? 1.0
                                         : strtod(at, NULL);
}

static uw_planner_options options_of(const char *json, bool icem) {
    const float bound = (float)setting(json, "\"bound\"", 1.0);
    return (uw_planner_options){
        .solver = icem ? UW_SOLVER_ICEM : UW_SOLVER_CEM,
        .objective = UW_OBJECTIVE_LAST,
        .horizon = (int32_t)setting(json, "\"horizon\"", 4),
        .num_samples = (int32_t)setting(json, "\"num_samples\"", 0),
        .num_elites = (int32_t)setting(json, "\"topk\"", 0),
        .iters = (int32_t)setting(json, "\"n_steps\"", 0),
        .keep_elites = icem ? (int32_t)setting(json, "\"n_elite_keep\"", 5) : 0,
        .init_std = (float)setting(json, "\"var_scale\"", 1.0),
        .noise_beta = (float)setting(json, "\"noise_beta\"", 2.0),
        .momentum = icem ? (float)setting(json, "\"alpha\"", 0.1) : 0.0f,
        .action_low = -bound,
        .action_high = bound,
        .return_best = setting(json, "\"return_mean\"", 1.0) == 0.0,
        .sample_std = true,
        .unbounded = !icem,
    };
}

static void run_case(golden *g, const char *name, bool icem) {
    const char *json = uw__safetensors_meta(g->file, name);
    if (!json) fail_msg("no settings of case %s", name);
    const uw_planner_options o = options_of(json, icem);
    assert_true(o.num_samples == N && o.iters == ITERS && o.horizon <= MAX_H);
    const uw_dynamics dynamics = {.dims = {.latent_dim = D,
                                           .action_dim = A,
                                           .history_size = 1,
                                           .num_samples = N,
                                           .horizon = MAX_H},
                                  .encode = mass_encode,
                                  .rollout = mass_rollout};
    const size_t bytes = uw_planner_memsize(&dynamics.dims, &o);
    void *mem = point_memory(bytes);
    assert_non_null(mem);
    for (size_t env = 0; env < NUM_ENVS; env++) {
        recording r = {.file = g,
                       .name = name,
                       .icem = icem,
                       .env = env,
                       .h = (size_t)o.horizon,
                       .k = (size_t)o.num_elites};
        const size_t size = r.h * A;
        const float *state = golden_f32(g, "state") + env * 4,
                    *at = golden_f32(g, "goal") + env * 2;
        const float z0[D] = {state[0], state[1], state[2], state[3], 0}, goal[D] = {at[0], at[1]};
        float plan[MAX_H * A];
        uw_planner *p = NULL;
        assert_int_equal(uw_planner_init(&dynamics, &o, mem, bytes, &p), UW_OK);
        uw__planner_hook(p, &(uw_plan_hook){&r, recorded_noise, check_step});
        if (strcmp(name, "warm") == 0)
            uw__planner_warm(p, golden_f32(g, "warm.init_action") + env * 2 * A, 2);
        assert_int_equal(uw_planner_plan(p, z0, 1, NULL, goal, plan, NULL), UW_OK);
        assert_int_equal(r.iters_seen, ITERS);
        golden_check(g, tensor_name(&r, "actions"), env * size, plan, size);
        const float cost = (float)(o.return_best ? r.best_elite : r.mean_elite);
        golden_check(g, tensor_name(&r, "returned_cost"), env, &cost, 1);
    }
    free(mem);
}

static void test_cem(void **state) {
    (void)state;
    static const char *const CASES[] = {"default", "options", "warm"};
    golden g = golden_open("solvers/cem");
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) run_case(&g, CASES[c], false);
    golden_close(&g);
}

static void test_icem(void **state) {
    (void)state;
    static const char *const CASES[] = {"default", "warm", "odd", "options"};
    golden g = golden_open("solvers/icem");
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) run_case(&g, CASES[c], true);
    golden_close(&g);
}

int main(int argc, char **argv) {
    const struct CMUnitTest cem[] = {cmocka_unit_test(test_cem)};
    const struct CMUnitTest icem[] = {cmocka_unit_test(test_icem)};
    if (argc == 2 && strcmp(argv[1], "cem") == 0) return cmocka_run_group_tests(cem, NULL, NULL);
    if (argc == 2 && strcmp(argv[1], "icem") == 0) return cmocka_run_group_tests(icem, NULL, NULL);
    fprintf(stderr, "usage: golden_solver cem|icem\n");
    return 2;
}
