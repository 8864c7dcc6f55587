/* What tells the solvers apart: plans that were evaluated, gradients, simplices, constraints. */
#include "check.h"

#include <math.h>

#include "plan_internal.h"
#include "point_world.h"

enum { H = 6, N = 40, SIZE = H * POINT_A, NUM_SOLVERS = UW_SOLVER_LAGRANGIAN + 1 };

static const float Z0[POINT_D] = {1.0f, -2.0f, 0.0f, 0.1f}, GOAL[POINT_D] = {0};

typedef struct bench {
    point_world world;
    uw_dynamics dynamics;
    uw_planner_options options;
    uw_planner *planner;
    void *mem;
} bench;

static bench bench_of(point_world *world, const uw_planner_options *options) {
    bench b = {.options = *options};
    b.options.horizon = H;
    b.dynamics = point_dynamics(world, 1, N, H);
    const size_t bytes = uw_planner_memsize(&b.dynamics.dims, &b.options);
    b.mem = point_memory(bytes);
    assert_non_null(b.mem);
    assert_int_equal(uw_planner_init(&b.dynamics, &b.options, b.mem, bytes, &b.planner), UW_OK);
    uw_planner_reset(b.planner, 1);
    return b;
}

static uw_plan_info plan_once(bench *b, float *plan) {
    uw_plan_info info = {0};
    assert_int_equal(uw_planner_plan(b->planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    return info;
}

static float cost_of(bench *b, const float *plan) {
    float z[H * POINT_D], cost = 0.0f;
    assert_int_equal(uw_planner_imagine(b->planner, Z0, 1, NULL, plan, z), UW_OK);
    uw__objective_cost(b->options.objective, b->options.action_cost, z, plan, GOAL, 1, H, POINT_D,
                       POINT_A, &cost);
    return cost;
}

/* ---- plans that were evaluated --------------------------------------------------------------- */

static void test_the_plan_costs_what_is_said(void **state) {
    (void)state;
    for (int solver = 0; solver < NUM_SOLVERS; solver++) {
        for (int objective = UW_OBJECTIVE_SUM; objective <= UW_OBJECTIVE_MIN; objective++) {
            point_world world = {0};
            uw_planner_options o = uw_planner_options_for((uw_solver)solver);
            float plan[SIZE], rest[SIZE] = {0};
            o.objective = (uw_objective)objective;
            o.num_samples = N;
            o.action_cost = 0.3f;
            bench b = bench_of(&world, &o);
            for (int d = 0; d < 5; d++) {
                const uw_plan_info info = plan_once(&b, plan);
                if (cost_of(&b, plan) != info.best_cost)
                    fail_msg("%s: %.9g was said to cost %.9g", uw_solver_words()[solver],
                             (double)cost_of(&b, plan), (double)info.best_cost);
                if (!(info.best_cost < cost_of(&b, rest)))
                    fail_msg("%s, objective %d: %.9g, at rest %.9g", uw_solver_words()[solver],
                             objective, (double)info.best_cost, (double)cost_of(&b, rest));
                for (int j = 0; j < SIZE; j++) assert_true(fabsf(plan[j]) <= 1.0f);
            }
            free(b.mem);
        }
    }
}

/* The reference returns its mean unseen; the search behind it is the same. */
static void test_compat_returns_the_mean(void **state) {
    (void)state;
    int differs = 0;
    for (uint64_t task = 0; task < 30; task++) {
        float plan[2][SIZE];
        uw_plan_info info[2];
        for (int compat = 0; compat < 2; compat++) {
            point_world world = {0};
            uw_planner_options o = uw_planner_options_reference(UW_SOLVER_CEM);
            o.compat = compat;
            o.num_samples = 8;
            o.num_elites = 7;
            o.iters = 1;
            bench b = bench_of(&world, &o);
            uw_planner_reset(b.planner, task);
            info[compat] = plan_once(&b, plan[compat]);
            if (compat) differs += cost_of(&b, plan[1]) > info[1].best_cost;
            assert_true(compat || cost_of(&b, plan[0]) == info[0].best_cost);
            free(b.mem);
        }
        assert_true(info[0].best_cost <= info[1].best_cost);
    }
    assert_true(differs > 0); /* else the two could be the same */
}

/* A deadline already past leaves the best of one chunk, whatever searches. */
static void test_every_solver_is_anytime(void **state) {
    (void)state;
    for (int solver = 0; solver < NUM_SOLVERS; solver++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for((uw_solver)solver);
        float plan[SIZE];
        o.deadline_s = 1e-9;
        bench b = bench_of(&world, &o);
        const uw_plan_info info = plan_once(&b, plan);
        assert_true(info.deadline_hit && isfinite(info.best_cost));
        assert_int_equal(world.rollouts, 1); /* a second chunk never ran */
        free(b.mem);
    }
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void test_no_gradient_is_refused(void **state) {
    (void)state;
    for (int solver = 0; solver < NUM_SOLVERS; solver++) {
        point_world world = {0};
        const uw_planner_options o = uw_planner_options_for((uw_solver)solver);
        uw_dynamics d = point_dynamics(&world, 1, N, o.horizon);
        d.gradient = NULL;
        const size_t bytes = uw_planner_memsize(&d.dims, &o);
        void *mem = point_memory(bytes);
        assert_non_null(mem);
        uw_planner *p = NULL;
        const bool needs = uw_solver_needs_gradient(o.solver);
        assert_int_equal(uw_planner_init(&d, &o, mem, bytes, &p), needs ? UW_EUNSUPPORTED : UW_OK);
        assert_true((p == NULL) == needs);
        free(mem);
    }
    assert_false(uw_solver_needs_gradient((uw_solver)NUM_SOLVERS));
    assert_false(uw_solver_needs_gradient((uw_solver)-1));
}

/* The gradient of all objectives, with action cost, against central differences. */
static void watch_gradient(void *cookie, const uw_plan_step *step) {
    bench *b = cookie;
    if (!step->grad) return;
    for (int j = 0; j < SIZE; j++) {
        float near[SIZE];
        memcpy(near, step->candidates, sizeof near);
        near[j] += 0.01f;
        const double up = (double)cost_of(b, near);
        near[j] -= 0.02f;
        const double slope = (up - (double)cost_of(b, near)) / 0.02;
        CHECK_NEAR(step->grad[j], slope, 2e-3 * (1.0 + fabs(slope)));
    }
}

static void test_gradient_of_every_objective(void **state) {
    (void)state;
    for (int objective = UW_OBJECTIVE_SUM; objective <= UW_OBJECTIVE_MIN; objective++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for(UW_SOLVER_GRADIENT);
        float plan[SIZE];
        o.objective = (uw_objective)objective;
        o.action_cost = 2.0f;
        o.iters = 3;
        bench b = bench_of(&world, &o);
        uw__planner_hook(b.planner, &(uw_plan_hook){.cookie = &b, .observe = watch_gradient});
        plan_once(&b, plan);
        free(b.mem);
    }
}

static void watch_last(void *cookie, const uw_plan_step *step) {
    if (step->iter < 2)
        memcpy((float *)cookie + step->iter * N * SIZE, step->candidates, N * SIZE * sizeof(float));
}

static void test_each_candidate_is_clipped_alone(void **state) {
    (void)state;
    static float seen[2][N][SIZE];
    for (int compat = 0; compat < 2; compat++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for(UW_SOLVER_GRADIENT);
        float plan[SIZE];
        double all = 0.0;
        o.descent = UW_DESCENT_SGD;
        o.learning_rate = 1.0f;
        o.grad_clip = 0.25f;
        o.num_samples = N;
        o.unbounded = true;
        o.compat = compat;
        bench b = bench_of(&world, &o);
        uw__planner_hook(b.planner, &(uw_plan_hook){.cookie = seen, .observe = watch_last});
        plan_once(&b, plan);
        for (int i = 0; i < N; i++) {
            double square = 0.0;
            for (int j = 0; j < SIZE; j++)
                square += pow((double)seen[1][i][j] - (double)seen[0][i][j], 2);
            if (!compat) CHECK_NEAR(sqrt(square), 0.25, 1e-5);
            all += square;
        }
        if (compat) CHECK_NEAR(sqrt(all), 0.25, 1e-5);
        free(b.mem);
    }
}

/* ---- discrete actions ------------------------------------------------------------------------ */

static void watch_simplex(void *cookie, const uw_plan_step *step) {
    const bool *compat = cookie;
    const int groups = N * SIZE / 2;
    double off = 0.0;
    for (int g = 0; g < groups; g++) {
        double sum = 0.0;
        for (int c = 0; c < 5; c++) {
            const double w = (double)step->candidates[g * 5 + c];
            sum += w;
            if (w < 0.0) off = INFINITY;
        }
        off = fmax(off, fabs(sum - 1.0));
    }
    if (step->iter == 0 && *compat)
        assert_true(off > 1e-3); /* the reference's start */
    else
        assert_true(off < 1e-5);
}

static void test_pgd_stays_on_the_simplex(void **state) {
    (void)state;
    for (int compat = 0; compat < 2; compat++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for(UW_SOLVER_PGD);
        bool kept = compat;
        float plan[SIZE];
        o.num_samples = N;
        o.action_noise = 0.1f;
        o.compat = compat;
        bench b = bench_of(&world, &o);
        uw__planner_hook(b.planner, &(uw_plan_hook){.cookie = &kept, .observe = watch_simplex});
        plan_once(&b, plan);
        free(b.mem);
    }
}

/* Plans are rows of the table: at most one axis moves, at a bound. */
static void test_discrete_plans_are_choices(void **state) {
    (void)state;
    const uw_solver solvers[] = {UW_SOLVER_PGD, UW_SOLVER_CATEGORICAL};
    for (size_t k = 0; k < 2; k++) {
        for (int32_t dim = 1; dim <= 2; dim++) {
            point_world world = {0};
            uw_planner_options o = uw_planner_options_for(solvers[k]);
            float plan[SIZE];
            o.choice_dim = dim;
            o.action_low = -0.5f;
            o.action_high = 0.75f;
            bench b = bench_of(&world, &o);
            plan_once(&b, plan);
            for (int j = 0; j < SIZE; j++)
                assert_true(plan[j] == 0.0f || plan[j] == -0.5f || plan[j] == 0.75f);
            for (int t = 0; t < H && dim == 2; t++)
                assert_true(plan[2 * t] == 0.0f || plan[2 * t + 1] == 0.0f);
            free(b.mem);
        }
    }
}

static void watch_start(void *cookie, const uw_plan_step *step) {
    if (step->iter == 0) memcpy(cookie, step->candidates, H * 5 * sizeof(float));
}

static void test_categorical_tries_the_warm_start(void **state) {
    (void)state;
    for (int compat = 0; compat < 2; compat++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for(UW_SOLVER_CATEGORICAL);
        float plan[SIZE], first[H][5];
        o.compat = compat;
        bench b = bench_of(&world, &o);
        plan_once(&b, plan);
        uw__planner_hook(b.planner, &(uw_plan_hook){.cookie = first, .observe = watch_start});
        float next[SIZE];
        plan_once(&b, next);
        for (int t = 0; t + 1 < H; t++) {
            const float *a = plan + 2 * (t + 1); /* shifted by one decision */
            const int row = a[0] > 0 ? 1 : a[0] < 0 ? 2 : a[1] > 0 ? 3 : a[1] < 0 ? 4 : 0;
            assert_true(first[t][compat ? 0 : row] == 1.0f);
        }
        free(b.mem);
    }
}

/* ---- constraints ----------------------------------------------------------------------------- */

/* The mean squared action stays below `limit`. */
static uw_status effort(void *cookie, const float *z, const float *actions, int32_t n, int32_t h,
                        float *g, const float *weight, float *dz, float *dactions) {
    (void)z, (void)dz;
    const float *limit = cookie;
    const size_t size = (size_t)h * POINT_A;
    for (size_t i = 0; i < (size_t)n; i++) {
        const float *a = actions + i * size;
        float square = 0.0f;
        for (size_t j = 0; j < size; j++) {
            square += a[j] * a[j] / (float)size;
            if (weight) dactions[i * size + j] += weight[i] * 2.0f * a[j] / (float)size;
        }
        if (!weight) g[i] = square - *limit;
    }
    return UW_OK;
}

static void test_feasible_goes_before_cheap(void **state) {
    (void)state;
    for (int compat = 0; compat < 2; compat++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for(UW_SOLVER_LAGRANGIAN);
        float plan[SIZE], limit = 0.05f, square = 0.0f;
        o.num_constraints = 1;
        o.iters = 40;
        o.penalty = 10.0f;
        o.compat = compat;
        if (compat) o.penalty = o.penalty_max = 1e-6f; /* nothing holds the cheapest back */
        bench b = bench_of(&world, &o);
        uw_plan_info info;
        assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_EINVAL);
        uw_planner_set_constraints(b.planner, effort, &limit);
        info = plan_once(&b, plan);
        for (int j = 0; j < SIZE; j++) square += plan[j] * plan[j] / SIZE;
        CHECK_NEAR(info.violation, square - limit, 1e-6);
        if (compat) {
            assert_true(square > limit);
        } else {
            float rest[SIZE] = {0};
            assert_true(square <= limit + 1e-6f && square > 0.5f * limit);
            assert_true(info.best_cost < 0.9f * cost_of(&b, rest));
            assert_true(uw__planner_multipliers(b.planner)[0] > 0.0f);
            uw_planner_reset(b.planner, 2); /* another episode starts from nothing */
            assert_true(uw__planner_multipliers(b.planner)[0] == 0.0f);
        }
        free(b.mem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_plan_costs_what_is_said),
        cmocka_unit_test(test_compat_returns_the_mean),
        cmocka_unit_test(test_every_solver_is_anytime),
        cmocka_unit_test(test_no_gradient_is_refused),
        cmocka_unit_test(test_gradient_of_every_objective),
        cmocka_unit_test(test_each_candidate_is_clipped_alone),
        cmocka_unit_test(test_pgd_stays_on_the_simplex),
        cmocka_unit_test(test_discrete_plans_are_choices),
        cmocka_unit_test(test_categorical_tries_the_warm_start),
        cmocka_unit_test(test_feasible_goes_before_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
