/* What planning promises, against outside truth: elites never get worse, and on a linear-quadratic
 * world the plan comes close to the optimum that Riccati's recursion gives. */
#include "check.h"

#include <math.h>

#include "plan_internal.h"
#include "point_world.h"
#include "rng.h"

enum { H = 10, N = 256, K = 24, ITERS = 20, SIZE = H * POINT_A };

typedef struct watch {
    float elite[K]; /* costs of the last iteration's elites */
    int iters;
} watch;

/* With every elite carried over, each order statistic of the elites can only fall. */
static void watch_elites(void *cookie, const uw_plan_step *step) {
    watch *w = cookie;
    assert_int_equal(step->num_elites, K);
    for (int e = 0; e < K; e++) {
        const float cost = step->cost[step->elites[e]];
        if (e) assert_true(cost >= step->cost[step->elites[e - 1]]);
        if (step->iter && !(cost <= w->elite[e]))
            fail_msg("iteration %d, elite %d: %.9g after %.9g", step->iter, e, (double)cost,
                     (double)w->elite[e]);
        w->elite[e] = cost;
    }
    w->iters++;
}

static void draw_state(uint64_t index, float *z) {
    uw_rng rng = uw__rng(check_seed(21), UW_STREAM_TEST, index);
    uw__rng_fill_normal(&rng, z, POINT_D);
}

static void test_elites_are_monotone(void **state) {
    (void)state;
    for (int solver = 0; solver < 2; solver++) { /* CEM and iCEM keep elites */
        point_world world = {0};
        const uw_dynamics d = point_dynamics(&world, 1, N, H);
        uw_planner_options o = UW_PLANNER_OPTIONS_DEFAULT;
        o.solver = (uw_solver)solver;
        o.noise_beta = 2.0f;
        o.momentum = solver ? 0.1f : 0.0f;
        o.horizon = H;
        o.num_samples = N;
        o.num_elites = o.keep_elites = K;
        o.iters = ITERS;
        const size_t bytes = uw_planner_memsize(&d.dims, &o);
        void *mem = point_memory(bytes);
        assert_non_null(mem);
        uw_planner *p = NULL;
        assert_int_equal(uw_planner_init(&d, &o, mem, bytes, &p), UW_OK);
        for (uint64_t task = 0; task < 20; task++) {
            watch w = {.iters = 0};
            float z0[POINT_D], plan[SIZE];
            const float goal[POINT_D] = {0};
            draw_state(task, z0);
            uw__planner_hook(p, &(uw_plan_hook){.cookie = &w, .observe = watch_elites});
            uw_planner_reset(p, task);
            assert_int_equal(uw_planner_plan(p, z0, 1, NULL, goal, plan, NULL), UW_OK);
            assert_int_equal(w.iters, ITERS);
        }
        free(mem);
    }
}

/* Least cost of sum_t |z_t|^2 + w sum |u|^2 from z0, t = 1..H, without bounds.  The world is the
 * same decoupled system (p, v) on both axes, so the recursion is 2 x 2 with one input: v' = a v + b
 * u,  p' = p + v'     A = [1 a; 0 a],  B = [b; b] V_t(x) = x' P x,  P_(H) = 0 behind the last step,
 * M = P + I is the value after a step. */
static double riccati(const float *z0, double w) {
    const double a = 0.8, b = 0.5;
    double p[3] = {0}; /* P = [p0 p1; p1 p2] */
    for (int t = 0; t < H; t++) {
        const double m0 = p[0] + 1, m1 = p[1], m2 = p[2] + 1;
        /* B'MB + w, and A'MB */
        const double bmb = b * b * (m0 + 2 * m1 + m2) + w;
        const double amb0 = b * (m0 + m1), amb1 = a * b * (m0 + 2 * m1 + m2);
        /* A'MA */
        const double ama0 = m0, ama1 = a * (m0 + m1), ama2 = a * a * (m0 + 2 * m1 + m2);
        p[0] = ama0 - amb0 * amb0 / bmb;
        p[1] = ama1 - amb0 * amb1 / bmb;
        p[2] = ama2 - amb1 * amb1 / bmb;
    }
    double cost = 0.0;
    for (int k = 0; k < 2; k++) {
        const double x = (double)z0[k], v = (double)z0[2 + k];
        cost += p[0] * x * x + 2 * p[1] * x * v + p[2] * v * v;
    }
    return cost;
}

/* A continuous solver's settings for this world, and how far from the optimum it may end. */
typedef struct contender {
    uw_solver solver;
    int32_t samples, elites, iters;
    float std, min_std, momentum, beta;
    double mean, worst; /* most cost over the optimum's */
} contender;

static const contender CONTENDERS[] = {
    {UW_SOLVER_CEM, 512, 32, 100, 2.0f, 0.005f, 0.0f, 0.0f, 1.01, 1.05},
    {UW_SOLVER_ICEM, 512, 32, 100, 2.0f, 0.005f, 0.1f, 0.0f, 1.01, 1.05},
    /* These two never narrow: what is left is their own spread. */
    {UW_SOLVER_MPPI, 512, 32, 100, 0.3f, 0.0f, 0.0f, 0.0f, 1.05, 1.2},
    {UW_SOLVER_PREDICTIVE, 128, 1, 600, 0.05f, 0.0f, 0.0f, 0.0f, 1.05, 1.2},
    {UW_SOLVER_GRADIENT, 8, 1, 300, 1.0f, 0.0f, 0.0f, 0.0f, 1.001, 1.002},
    {UW_SOLVER_LAGRANGIAN, 8, 1, 60, 1.0f, 0.0f, 0.0f, 0.0f, 1.001, 1.002}};
enum { NUM_CONTENDERS = sizeof CONTENDERS / sizeof *CONTENDERS };

static void plan_costs(const contender *c, double *worst, double *mean) {
    static const double ACTION_COST = 10.0; /* times the mean square: 0.5 per number */
    enum { TASKS = 10 };
    point_world world = {0};
    const uw_dynamics d = point_dynamics(&world, 1, c->samples, H);
    uw_planner_options o = UW_PLANNER_OPTIONS_DEFAULT;
    o.solver = c->solver;
    o.noise_ar = 0.0f; /* the optimum here is a jerk, which smooth noise rarely tries */
    o.noise_beta = c->beta;
    o.momentum = c->momentum;
    o.horizon = H;
    o.num_samples = c->samples;
    o.num_elites = c->elites;
    o.iters = c->iters;
    o.init_std = c->std;
    o.min_std = c->min_std;
    o.temperature = 1.0f;
    o.action_low = -10.0f; /* far from the optimum, which knows no bounds */
    o.action_high = 10.0f;
    o.action_cost = (float)ACTION_COST;
    const size_t bytes = uw_planner_memsize(&d.dims, &o);
    void *mem = point_memory(bytes);
    assert_non_null(mem);
    uw_planner *p = NULL;
    assert_int_equal(uw_planner_init(&d, &o, mem, bytes, &p), UW_OK);
    *worst = *mean = 0.0;
    for (uint64_t task = 0; task < TASKS; task++) {
        float z0[POINT_D], plan[SIZE], z[H * POINT_D], cost = 0.0f;
        const float goal[POINT_D] = {0};
        draw_state(task, z0);
        uw_planner_reset(p, task);
        assert_int_equal(uw_planner_plan(p, z0, 1, NULL, goal, plan, NULL), UW_OK);
        assert_int_equal(uw_planner_imagine(p, z0, 1, NULL, plan, z), UW_OK);
        uw__objective_cost(UW_OBJECTIVE_SUM, (float)ACTION_COST, z, plan, goal, 1, H, POINT_D,
                           POINT_A, &cost);
        const double ratio = (double)cost / riccati(z0, ACTION_COST / SIZE);
        /* Nothing beats the optimum: a smaller ratio means that cost or dynamics are wrong. */
        assert_true(ratio > 1.0 - 1e-5);
        if (ratio > *worst) *worst = ratio;
        *mean += ratio / TASKS;
    }
    free(mem);
}

static void test_linear_quadratic_optimum(void **state) {
    (void)state;
    for (size_t k = 0; k < NUM_CONTENDERS; k++) {
        const contender *c = &CONTENDERS[k];
        double worst = 0.0, mean = 0.0;
        plan_costs(c, &worst, &mean);
        print_message("%s: cost over Riccati's optimum: mean %.4f, worst %.4f\n",
                      uw_solver_words()[c->solver], mean, worst);
        assert_true(mean < c->mean);
        assert_true(worst < c->worst);
    }
}

/* Discrete actions, every plan tried: the searches find the cheapest of 5^4, or nearly. */
static void test_discrete_optimum(void **state) {
    (void)state;
    enum { STEPS = 4, PLANS = 625, TASKS = 20 };
    static const float TABLE[5][2] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    const uw_solver solvers[] = {UW_SOLVER_CATEGORICAL, UW_SOLVER_PGD};
    for (size_t k = 0; k < 2; k++) {
        point_world world = {0};
        uw_planner_options o = uw_planner_options_for(solvers[k]);
        o.horizon = STEPS;
        const uw_dynamics d = point_dynamics(&world, 1, o.num_samples, STEPS);
        const size_t bytes = uw_planner_memsize(&d.dims, &o);
        void *mem = point_memory(bytes);
        assert_non_null(mem);
        uw_planner *p = NULL;
        assert_int_equal(uw_planner_init(&d, &o, mem, bytes, &p), UW_OK);
        double mean = 0.0;
        for (uint64_t task = 0; task < TASKS; task++) {
            float z0[POINT_D], plan[STEPS * POINT_A], z[STEPS * POINT_D], cost, least = INFINITY;
            const float goal[POINT_D] = {0};
            draw_state(task, z0);
            for (int code = 0; code < PLANS; code++) {
                for (int t = 0, rest = code; t < STEPS; t++, rest /= 5)
                    memcpy(plan + t * POINT_A, TABLE[rest % 5], sizeof *TABLE);
                point_rollout(&world, z0, 1, NULL, plan, 1, STEPS, z);
                uw__objective_cost(UW_OBJECTIVE_SUM, 0.0f, z, plan, goal, 1, STEPS, POINT_D,
                                   POINT_A, &cost);
                least = fminf(least, cost);
            }
            uw_plan_info info;
            uw_planner_reset(p, task);
            assert_int_equal(uw_planner_plan(p, z0, 1, NULL, goal, plan, &info), UW_OK);
            assert_true(info.best_cost >= least);
            mean += (double)(info.best_cost / least) / TASKS;
        }
        print_message("%s: cost over the best of all %d plans: mean %.4f\n",
                      uw_solver_words()[solvers[k]], PLANS, mean);
        assert_true(mean < (k == 0 ? 1.05 : 1.3));
        free(mem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elites_are_monotone),
        cmocka_unit_test(test_linear_quadratic_optimum),
        cmocka_unit_test(test_discrete_optimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
