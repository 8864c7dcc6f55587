/* Every solver against the reference's recorded searches: with its draws, each candidate, cost,
 * elite, gradient, mean, deviation and plan agrees within the tolerance of fp32.
 *
 *     golden_solver cem|icem|mppi|predictive_sampling|gradient|pgd|categorical_cem|lagrangian
 *
 * The world of the recordings: a point mass, v = 0.9 v + 0.25 a, p = p + 0.25 v, two actions per
 * block, cost = |p_end - g|^2 + sum over positions of a walled bump + 0.01 sum a^2.  Here a latent
 * is (p, 0, 0, sqrt(rest of the cost)), so that its squared distance to (g, 0, 0, 0) is it. */
#include "solver_recording.h"

#include "point_world.h"

enum { A = 4, D = 5, GROUPS = 2, CHOICES = 5, MAX_HALVES = 1024 };

/* The recordings' discrete actions. */
static const float TABLE[CHOICES][2] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}};

/* ---- the world ------------------------------------------------------------------------------- */

static uw_status mass_encode(void *self, const void *observation, float *z) {
    (void)self;
    memcpy(z, observation, D * sizeof(float));
    return UW_OK;
}

/* The wall's cost at p, and its gradient. */
static double wall(const double *p, double *dp) {
    const double x = (p[0] - 0.6) / 0.15, y = (p[1] - 0.4) / 0.25;
    const double across = exp(-x * x), gap = exp(-y * y);
    dp[0] = -2.0 * x / 0.15 * across * (1.0 - gap);
    dp[1] = across * 2.0 * y / 0.25 * gap;
    return across * (1.0 - gap);
}

static uw_status mass_rollout(void *self, const float *z0, int32_t history, const float *past,
                              const float *actions, int32_t n, int32_t h, float *z) {
    (void)self, (void)history, (void)past;
    for (int32_t i = 0; i < n; i++) {
        double p[2] = {(double)z0[0], (double)z0[1]}, v[2] = {(double)z0[2], (double)z0[3]};
        double rest = 0.0, slope[2];
        const float *a = actions + (size_t)i * (size_t)h * A;
        for (int32_t t = 0; t < h; t++) {
            for (int half = 0; half < 2; half++, a += 2) {
                for (int k = 0; k < 2; k++) {
                    v[k] = 0.9 * v[k] + 0.25 * (double)a[k];
                    p[k] += 0.25 * v[k];
                    rest += 0.01 * (double)a[k] * (double)a[k];
                }
                rest += wall(p, slope);
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

/* Back through one candidate: da [h, A] from dz [h, D]. */
static void mass_back(const float *z0, const float *a, int32_t h, const float *dz, float *da) {
    double slope[MAX_HALVES][2], rest[MAX_HALVES / 2], sum = 0.0;
    double p[2] = {(double)z0[0], (double)z0[1]}, v[2] = {(double)z0[2], (double)z0[3]};
    assert_true(2 * h <= MAX_HALVES);
    for (int32_t s = 0; s < 2 * h; s++) {
        for (int k = 0; k < 2; k++) {
            v[k] = 0.9 * v[k] + 0.25 * (double)a[2 * s + k];
            p[k] += 0.25 * v[k];
            sum += 0.01 * (double)a[2 * s + k] * (double)a[2 * s + k];
        }
        sum += wall(p, slope[s]);
        if (s % 2) rest[s / 2] = sum;
    }
    double dp[2] = {0}, dv[2] = {0}, drest = 0.0; /* by what comes after the half-step */
    for (int32_t s = 2 * h; s-- > 0;) {
        const float *to = dz + (size_t)(s / 2) * D;
        if (s % 2) drest += rest[s / 2] > 0.0 ? (double)to[4] / (2.0 * sqrt(rest[s / 2])) : 0.0;
        for (int k = 0; k < 2; k++) {
            if (s % 2) dp[k] += (double)to[k];
            dp[k] += drest * slope[s][k];
            dv[k] += 0.25 * dp[k];
            da[2 * s + k] = (float)(0.25 * dv[k] + drest * 0.02 * (double)a[2 * s + k]);
            dv[k] *= 0.9;
        }
    }
}

static uw_status mass_gradient(void *self, const float *z0, int32_t history, const float *past,
                               const float *actions, int32_t n, int32_t h, const float *dz,
                               float *dactions) {
    (void)self, (void)history, (void)past;
    for (size_t i = 0; i < (size_t)n; i++)
        mass_back(z0, actions + i * (size_t)h * A, h, dz + i * (size_t)h * D,
                  dactions + i * (size_t)h * A);
    return UW_OK;
}

/* px_end <= 0.4 and mean(a^2) <= 0.1. */
static uw_status mass_constraints(void *cookie, const float *z, const float *actions, int32_t n,
                                  int32_t h, float *g, const float *weight, float *dz,
                                  float *dactions) {
    (void)cookie;
    const size_t size = (size_t)h * A, last = (size_t)(h - 1) * D;
    for (size_t i = 0; i < (size_t)n; i++) {
        const float *a = actions + i * size;
        if (weight) {
            dz[i * (size_t)h * D + last] += weight[2 * i];
            for (size_t j = 0; j < size; j++)
                dactions[i * size + j] += weight[2 * i + 1] * 2.0f * a[j] / (float)size;
            continue;
        }
        double square = 0.0;
        for (size_t j = 0; j < size; j++) square += (double)a[j] * (double)a[j];
        g[2 * i] = z[i * (size_t)h * D + last] - 0.4f;
        g[2 * i + 1] = (float)(square / (double)size - 0.1);
    }
    return UW_OK;
}

/* ---- one case -------------------------------------------------------------------------------- */

static bool is_discrete(uw_solver solver) {
    return solver == UW_SOLVER_PGD || solver == UW_SOLVER_CATEGORICAL;
}

/* Hand over the recorded warm start of an environment; choices become one-hot. */
static void warm_start(const recording *r, uw_planner *p) {
    if (!recording_has(r, "init_action")) return;
    const char *name = recording_name(r, "init_action");
    const size_t blocks = golden_axis(r->file, name, 1), size = blocks * r->w;
    if (!is_discrete(r->solver)) {
        uw__planner_warm(p, golden_f32(r->file, name) + r->env * size, (int32_t)blocks);
        return;
    }
    const int64_t *ids = golden_tensor(r->file, name).data;
    float *hot = calloc(size, sizeof *hot);
    assert_non_null(hot);
    for (size_t g = 0; g < blocks * GROUPS; g++)
        hot[g * CHOICES + (size_t)ids[r->env * blocks * GROUPS + g]] = 1.0f;
    uw__planner_warm(p, hot, (int32_t)blocks);
    free(hot);
}

static void check_plan(const recording *r, const float *plan) {
    const char *name = recording_name(r, "actions");
    if (!is_discrete(r->solver)) {
        golden_check(r->file, name, r->env * r->h * A, plan, r->h * A);
        return;
    }
    const int64_t *ids = golden_tensor(r->file, name).data;
    for (size_t g = 0; g < r->h * GROUPS; g++)
        assert_memory_equal(plan + 2 * g, TABLE[ids[r->env * r->h * GROUPS + g]], sizeof *TABLE);
}

static void check_multipliers(const recording *r, uw_planner *p, const uw_planner_options *o) {
    if (!o->num_constraints) return;
    const size_t c = (size_t)o->num_constraints;
    golden_check(r->file, recording_name(r, "lambdas"), r->env * c, uw__planner_multipliers(p), c);
}

static void set_multipliers(const recording *r, uw_planner *p, size_t c) {
    if (!recording_has(r, "lambdas_before")) return;
    const double *before = golden_tensor(r->file, recording_name(r, "lambdas_before")).data;
    for (size_t k = 0; k < c; k++) uw__planner_multipliers(p)[k] = (float)before[r->env * c + k];
}

static void run_case(golden *g, const char *name, uw_solver solver) {
    recording r = recording_open(g, name, solver);
    uw_planner_options o = recording_options(&r);
    if (is_discrete(solver)) o.choice_dim = A / GROUPS;
    if (solver == UW_SOLVER_LAGRANGIAN) o.num_constraints = 2;
    assert_true((size_t)o.num_samples == r.n && (size_t)o.horizon == r.h);
    assert_true(r.w == (is_discrete(solver) ? GROUPS * CHOICES : A));
    assert_true(!r.k || (size_t)o.num_elites == r.k);
    const uw_dynamics dynamics = {.dims = {.latent_dim = D,
                                           .action_dim = A,
                                           .history_size = 1,
                                           .num_samples = o.num_samples,
                                           .horizon = o.horizon},
                                  .encode = mass_encode,
                                  .rollout = mass_rollout,
                                  .gradient = mass_gradient};
    const size_t bytes = uw_planner_memsize(&dynamics.dims, &o);
    void *mem = point_memory(bytes);
    float *plan = calloc(r.h * A, sizeof *plan);
    assert_non_null(mem);
    assert_non_null(plan);
    for (r.env = 0; r.env < r.envs; r.env++) {
        const float *state = golden_f32(g, "state") + r.env * 4,
                    *at = golden_f32(g, "goal") + r.env * 2;
        const float z0[D] = {state[0], state[1], state[2], state[3], 0}, goal[D] = {at[0], at[1]};
        uw_planner *p = NULL;
        assert_int_equal(uw_planner_init(&dynamics, &o, mem, bytes, &p), UW_OK);
        uw_planner_reset(p, 0);
        uw_planner_set_constraints(p, mass_constraints, NULL);
        warm_start(&r, p);
        set_multipliers(&r, p, 2);
        recording_run(&r, p, &o, z0, goal, plan);
        check_plan(&r, plan);
        check_multipliers(&r, p, &o);
    }
    free(plan);
    free(mem);
}

/* The recordings have the reference's names, by uw_solver. */
static const char *const FILES[] = {
    "cem",       "icem", "mppi", "predictive_sampling", "gradient", "pgd", "categorical_cem",
    "lagrangian"};
enum { NUM_FILES = sizeof FILES / sizeof *FILES };
static uw_solver chosen;

static void test_recorded_searches(void **state) {
    (void)state;
    static const char *const CASES[] = {"default", "warm", "odd", "options", "shipped", "persist"};
    char file[64];
    snprintf(file, sizeof file, "solvers/%s", FILES[chosen]);
    golden_need(file);
    golden g = golden_open(file);
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++)
        if (uw__safetensors_meta(g.file, CASES[c])) run_case(&g, CASES[c], chosen);
    golden_close(&g);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded_searches)};
    for (int i = 0; argc == 2 && i < NUM_FILES; i++) {
        if (strcmp(argv[1], FILES[i]) != 0) continue;
        chosen = (uw_solver)i;
        return golden_exit(cmocka_run_group_tests(tests, NULL, NULL));
    }
    fprintf(stderr, "usage: golden_solver RECORDING\n");
    return 2;
}
