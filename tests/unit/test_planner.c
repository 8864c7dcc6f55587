/* The planner: arguments, selection, refit, warm start, deadline, faults, determinism. */
#include "check.h"

#include <math.h>

#include "plan_internal.h"
#include "point_world.h"
#include "rng.h"

enum { H = 6, N = 40, K = 7, NUM_SOLVERS = UW_SOLVER_LAGRANGIAN + 1 };

typedef struct bench {
    point_world world;
    uw_dynamics dynamics;
    uw_planner_options options;
    uw_planner *planner;
    void *mem;
} bench;

static void bench_init(bench *b) {
    const size_t bytes = uw_planner_memsize(&b->dynamics.dims, &b->options);
    b->mem = point_memory(bytes);
    assert_non_null(b->mem);
    assert_int_equal(uw_planner_init(&b->dynamics, &b->options, b->mem, bytes, &b->planner), UW_OK);
    uw_planner_reset(b->planner, 3);
}

static void bench_fini(bench *b) {
    free(b->mem);
}

static uw_planner_options small_options(void) {
    uw_planner_options o = UW_PLANNER_OPTIONS_DEFAULT;
    o.horizon = H;
    o.num_samples = N;
    o.num_elites = K;
    return o;
}

#define BENCH(b)                                                                                   \
    bench b = {.options = small_options()};                                                        \
    b.dynamics = point_dynamics(&b.world, 3, N, H)

static const float Z0[POINT_D] = {1.0f, -2.0f, 0.0f, 0.1f}, GOAL[POINT_D] = {0};

/* ---- arguments
 * -------------------------------------------------------------------------------------- */

static void test_refuses_bad_options(void **state) {
    (void)state;
    BENCH(b);
#define REFUSED(field, value)                                                                      \
    do {                                                                                           \
        bench c = b;                                                                               \
        c.field = (value);                                                                         \
        uw_planner *p = NULL;                                                                      \
        if (uw_planner_memsize(&c.dynamics.dims, &c.options) != 0)                                 \
            fail_msg("%s = %g was accepted", #field, (double)(value));                             \
        assert_int_equal(uw_planner_init(&c.dynamics, &c.options, &c, 1, &p), UW_EINVAL);          \
        assert_null(p);                                                                            \
    } while (0)
    REFUSED(options.horizon, 0);
    REFUSED(options.horizon, H + 1); /* the dynamics allow H */
    REFUSED(options.num_samples, 1);
    REFUSED(options.num_samples, (1 << 16) + 1);
    REFUSED(options.num_elites, 0);
    REFUSED(options.num_elites, N);
    REFUSED(options.iters, 0);
    REFUSED(options.iters, 1001);
    REFUSED(options.keep_elites, -1);
    REFUSED(options.init_std, NAN);
    REFUSED(options.init_std, -1.0f);
    REFUSED(options.init_std, INFINITY);
    REFUSED(options.min_std, -0.1f);
    REFUSED(options.noise_ar, 1.5f);
    REFUSED(options.noise_beta, NAN);
    REFUSED(options.momentum, 1.01f);
    REFUSED(options.action_low, 2.0f);
    REFUSED(options.action_high, NAN);
    REFUSED(options.action_cost, -1.0f);
    REFUSED(options.deadline_s, -1.0);
    REFUSED(options.solver, (uw_solver)8);
    REFUSED(options.solver, (uw_solver)-1);
    REFUSED(options.temperature, NAN);
    REFUSED(options.smoothing, -1.0f);
    REFUSED(options.choice_dim, -1);
    REFUSED(options.choice_dim, 3); /* A = 2 */
    REFUSED(options.descent, (uw_descent)3);
    REFUSED(options.learning_rate, -0.1f);
    REFUSED(options.weight_decay, INFINITY);
    REFUSED(options.grad_clip, NAN);
    REFUSED(options.action_noise, -1.0f);
    REFUSED(options.num_constraints, 1); /* of LAGRANGIAN alone */
    REFUSED(options.outer_iters, 1001);
    REFUSED(options.penalty, -1.0f);
    REFUSED(options.penalty_growth, NAN);
    REFUSED(options.penalty_max, -1.0f);
    REFUSED(options.objective, (uw_objective)3);
    REFUSED(dynamics.dims.latent_dim, 0);
    REFUSED(dynamics.dims.action_dim, 4097);
    REFUSED(dynamics.dims.history_size, 0);
    REFUSED(dynamics.dims.num_samples, 0);
    REFUSED(dynamics.dims.horizon, 0);
#undef REFUSED
}

static void test_memory_is_checked(void **state) {
    (void)state;
    BENCH(b);
    const size_t bytes = uw_planner_memsize(&b.dynamics.dims, &b.options);
    unsigned char *mem = point_memory(bytes + 64);
    assert_non_null(mem);
    uw_planner *p = NULL;
    assert_int_equal(uw_planner_init(&b.dynamics, &b.options, mem + 8, bytes, &p), UW_EINVAL);
    assert_int_equal(uw_planner_init(&b.dynamics, &b.options, NULL, bytes, &p), UW_EINVAL);
    assert_int_equal(uw_planner_init(&b.dynamics, &b.options, mem, bytes - 1, &p), UW_ENOMEM);
    assert_null(p);
    mem[bytes] = 0xA5; /* exactly `bytes` are used, and a whole plan stays within */
    assert_int_equal(uw_planner_init(&b.dynamics, &b.options, mem, bytes, &p), UW_OK);
    float plan[H * POINT_A];
    assert_int_equal(uw_planner_plan(p, Z0, 1, NULL, GOAL, plan, NULL), UW_OK);
    assert_int_equal(mem[bytes], 0xA5);
    free(mem);
}

static void test_words(void **state) {
    (void)state;
    uw_solver s = UW_SOLVER_CEM;
    uw_objective o = UW_OBJECTIVE_SUM;
    assert_true(uw_solver_parse("icem", &s) && s == UW_SOLVER_ICEM);
    assert_true(uw_solver_parse("cem", &s) && s == UW_SOLVER_CEM);
    for (int i = 0; i < NUM_SOLVERS; i++)
        assert_true(uw_solver_parse(uw_solver_words()[i], &s) && s == (uw_solver)i);
    assert_null(uw_solver_words()[NUM_SOLVERS]);
    assert_true(uw_objective_parse("last", &o) && o == UW_OBJECTIVE_LAST);
    assert_true(uw_objective_parse("min", &o) && o == UW_OBJECTIVE_MIN);
    assert_true(uw_objective_parse("sum", &o) && o == UW_OBJECTIVE_SUM);
    assert_false(uw_solver_parse("CEM", &s) || uw_solver_parse("", &s));
    assert_false(uw_objective_parse("mean", &o));
}

/* ---- selection and refit
 * ---------------------------------------------------------------------------- */

static void test_select_is_a_stable_sort(void **state) {
    (void)state;
    uw_rng rng = uw__rng(check_seed(11), UW_STREAM_TEST, 1);
    for (int round = 0; round < 2000; round++) {
        float cost[33];
        int32_t got[33];
        const int32_t n = 1 + (int32_t)uw__rng_below(&rng, 33);
        const int32_t k = 1 + (int32_t)uw__rng_below(&rng, (uint32_t)n);
        int32_t finite = 0;
        for (int32_t i = 0; i < n; i++) { /* few values: many ties; some infinite, some NaN */
            const uint32_t draw = uw__rng_below(&rng, 8);
            cost[i] = draw == 7 ? INFINITY : draw == 6 ? NAN : (float)draw;
            finite += draw < 6;
        }
        const int32_t count = uw__cem_select(cost, n, k, got);
        assert_int_equal(count, finite < k ? finite : k);
        bool used[33] = {false};
        for (int32_t e = 0; e < count; e++) { /* the first cheapest of what is left, by the book */
            int32_t want = -1;
            for (int32_t i = 0; i < n; i++)
                if (!used[i] && cost[i] < INFINITY && (want < 0 || cost[i] < cost[want])) want = i;
            used[want] = true;
            assert_int_equal(got[e], want);
        }
    }
}

static void watch_refit(void *cookie, const uw_plan_step *step) {
    bool *seen = cookie;
    for (int j = 0; j < H * POINT_A; j++) {
        double mean = 0.0, square = 0.0;
        for (int e = 0; e < K; e++)
            mean += (double)step->candidates[step->elites[e] * H * POINT_A + j] / K;
        for (int e = 0; e < K; e++)
            square += pow((double)step->candidates[step->elites[e] * H * POINT_A + j] - mean, 2);
        const double std = sqrt(square / K);
        CHECK_NEAR(step->mean[j], mean, 1e-6);
        CHECK_NEAR(step->std[j], std < 0.05 ? 0.05 : std, 1e-6);
    }
    for (int i = 0; i < N * H * POINT_A; i++) assert_true(fabsf(step->candidates[i]) <= 1.0f);
    *seen = true;
}

static void test_refit_is_the_recipe(void **state) {
    (void)state;
    BENCH(b);
    bench_init(&b);
    bool seen = false;
    uw__planner_hook(b.planner, &(uw_plan_hook){.cookie = &seen, .observe = watch_refit});
    float plan[H * POINT_A];
    uw_plan_info info = {0};
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    assert_true(seen);
    assert_int_equal(info.iters, 4);
    assert_false(info.deadline_hit);
    assert_true(info.elite_cost_spread >= 0.0f && info.best_cost > 0.0f && info.seconds > 0.0);
    bench_fini(&b);
}

/* Sane at the smallest sizes, with either divisor, in every solver: one step, one elite. */
static void test_smallest_sizes(void **state) {
    (void)state;
    for (int solver = 0; solver < NUM_SOLVERS; solver++) {
        for (int sample_std = 0; sample_std < 2; sample_std++) {
            BENCH(b);
            b.options.solver = (uw_solver)solver;
            b.options.sample_std = sample_std;
            b.options.noise_beta = 2.0f;
            b.options.horizon = 1;
            b.options.num_samples = uw_solver_needs_gradient((uw_solver)solver) ? 1 : 2;
            b.options.num_elites = 1;
            bench_init(&b);
            float plan[POINT_A] = {9, 9};
            for (int d = 0; d < 20; d++) {
                assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, NULL), UW_OK);
                assert_true(fabsf(plan[0]) <= 1.0f && fabsf(plan[1]) <= 1.0f);
            }
            bench_fini(&b);
        }
    }
}

/* ---- state between plans
 * ---------------------------------------------------------------------------- */

static void watch_mean(void *cookie, const uw_plan_step *step) {
    if (step->iter == 0) memcpy(cookie, step->candidates, H * POINT_A * sizeof(float));
}

static void test_warm_start_shifts(void **state) {
    (void)state;
    BENCH(b);
    bench_init(&b);
    float first[H * POINT_A], plan[H * POINT_A], next[H * POINT_A];
    uw__planner_hook(b.planner, &(uw_plan_hook){.cookie = first, .observe = watch_mean});
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, NULL), UW_OK);
    for (int j = 0; j < H * POINT_A; j++) assert_true(first[j] == 0.0f);
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, next, NULL), UW_OK);
    for (int j = 0; j < H * POINT_A; j++)
        assert_true(first[j] == (j < (H - 1) * POINT_A ? plan[j + POINT_A] : 0.0f));
    uw__planner_skip(b.planner); /* a lost decision shifts once more */
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, NULL), UW_OK);
    for (int j = 0; j < H * POINT_A; j++)
        assert_true(first[j] == (j < (H - 2) * POINT_A ? next[j + 2 * POINT_A] : 0.0f));
    bench_fini(&b);

    BENCH(cold);
    cold.options.warm_start = false;
    bench_init(&cold);
    uw__planner_hook(cold.planner, &(uw_plan_hook){.cookie = first, .observe = watch_mean});
    for (int d = 0; d < 2; d++) {
        assert_int_equal(uw_planner_plan(cold.planner, Z0, 1, NULL, GOAL, plan, NULL), UW_OK);
        for (int j = 0; j < H * POINT_A; j++) assert_true(first[j] == 0.0f);
    }
    bench_fini(&cold);
}

/* Same seed, stream and decision: same bits, however many candidates the dynamics take at once. */
static void deterministic(uw_solver solver) {
    float want[3][H * POINT_A], got[H * POINT_A];
    const int32_t chunks[] = {N, N, 1, 7, 1000};
    for (size_t c = 0; c < 5; c++) {
        BENCH(b);
        b.options.solver = solver;
        b.options.seed = 42;
        b.options.action_noise = 0.01f;
        b.dynamics.dims.num_samples = chunks[c];
        bench_init(&b);
        for (int d = 0; d < 3; d++) {
            float *to = c ? got : want[d];
            assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, to, NULL), UW_OK);
            if (c) assert_memory_equal(got, want[d], sizeof got);
        }
        uw_planner_reset(b.planner, 3); /* an episode starts over */
        assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, got, NULL), UW_OK);
        assert_memory_equal(got, want[0], sizeof got);
        uw_planner_reset(b.planner, 4); /* another one has other noise */
        assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, got, NULL), UW_OK);
        if (solver != UW_SOLVER_PGD) assert_memory_not_equal(got, want[0], sizeof got);
        bench_fini(&b);
    }
}

static void test_deterministic(void **state) {
    (void)state;
    for (int solver = 0; solver < NUM_SOLVERS; solver++) deterministic((uw_solver)solver);
}

/* ---- outcomes and faults
 * ---------------------------------------------------------------------------- */

/* What a noise function saw and what it answers with. */
typedef struct handed {
    const float *draws; /* [iters, N, H, A] */
    size_t per_iter;
    int32_t calls, fail_at; /* fail_at: the call that is refused; -1 = none */
} handed;

static uw_status hand_over(void *cookie, int32_t iter, float *noise) {
    handed *h = cookie;
    assert_int_equal(iter, h->calls++);
    if (iter == h->fail_at) return UW_EIO;
    memcpy(noise, h->draws + (size_t)iter * h->per_iter, h->per_iter * sizeof *noise);
    return UW_OK;
}

/* The planner's own draws, handed in from outside, give the same plan; a refusal ends the plan. */
static void test_noise_from_outside(void **state) {
    (void)state;
    BENCH(b);
    enum { A = 3 };
    float own[H * A], again[H * A];
    bench_init(&b);
    const size_t per_iter = (size_t)N * H * (size_t)b.dynamics.dims.action_dim;
    float *draws = calloc((size_t)b.options.iters * per_iter, sizeof *draws);
    assert_non_null(draws);
    assert_true(b.dynamics.dims.action_dim <= A);
    uw_rng rng = uw__rng(b.options.seed, UW_STREAM_PLAN, (uint64_t)3 << 32);
    for (int32_t i = 0; i < b.options.iters; i++)
        uw__rng_fill_normal(&rng, draws + (size_t)i * per_iter, per_iter);
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, own, NULL), UW_OK);

    const size_t bytes = H * (size_t)b.dynamics.dims.action_dim * sizeof *own;
    handed h = {.draws = draws, .per_iter = per_iter, .fail_at = -1};
    uw_planner_reset(b.planner, 99); /* another sequence, which is not used */
    uw_planner_set_noise(b.planner, hand_over, &h);
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, again, NULL), UW_OK);
    assert_int_equal(h.calls, b.options.iters);
    assert_memory_equal(own, again, bytes);

    h = (handed){.draws = draws, .per_iter = per_iter, .fail_at = 1};
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, again, NULL), UW_EIO);
    assert_int_equal(h.calls, 2);
    assert_memory_equal(own, again, bytes);

    uw_planner_set_noise(b.planner, NULL, NULL);
    uw_planner_reset(b.planner, 3);
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, again, NULL), UW_OK);
    assert_memory_equal(own, again, bytes);
    free(draws);
    bench_fini(&b);
}

static void test_deadline(void **state) {
    (void)state;
    BENCH(b);
    b.options.iters = 1000;
    b.options.deadline_s = 0.01;
    b.world.sleep_ns = 1000000;
    bench_init(&b);
    float plan[H * POINT_A];
    uw_plan_info info = {0};
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    assert_true(info.deadline_hit);
    assert_in_range(info.iters, 1, 10);
    assert_true(info.seconds >= 0.01);
    bench_fini(&b);

    /* A deadline already past: one rollout still runs, and its best candidate is the plan. */
    BENCH(late);
    late.options.deadline_s = 1e-9;
    late.dynamics.dims.num_samples = 8;
    bench_init(&late);
    assert_int_equal(uw_planner_plan(late.planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    assert_true(info.deadline_hit);
    assert_int_equal(info.iters, 0);
    assert_int_equal(late.world.rollouts, 1);
    float z[H * POINT_D], cost = 0.0f;
    assert_int_equal(uw_planner_imagine(late.planner, Z0, 1, NULL, plan, z), UW_OK);
    uw__objective_cost(UW_OBJECTIVE_SUM, 0.0f, z, plan, GOAL, 1, H, POINT_D, POINT_A, &cost);
    assert_true(cost == info.best_cost);
    bench_fini(&late);
}

static void test_some_costs_not_finite(void **state) {
    (void)state;
    BENCH(b);
    b.world.nan_every = 2; /* slot 0, the mean, among them */
    bench_init(&b);
    float plan[H * POINT_A];
    uw_plan_info info = {0};
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    assert_int_equal(info.iters, 4);
    assert_true(isfinite(info.best_cost));
    for (int j = 0; j < H * POINT_A; j++) assert_true(fabsf(plan[j]) <= 1.0f);
    bench_fini(&b);

    BENCH(few); /* fewer finite candidates than elites */
    few.world.finite_first = 3;
    bench_init(&few);
    assert_int_equal(uw_planner_plan(few.planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    assert_int_equal(info.iters, 4);
    bench_fini(&few);
}

static void test_faults_leave_the_plan_alone(void **state) {
    (void)state;
    BENCH(b);
    bench_init(&b);
    float plan[H * POINT_A], before[H * POINT_A], bad[POINT_D];
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, NULL), UW_OK);
    memcpy(before, plan, sizeof plan);
    const uw_plan_info untouched = {.iters = 77};
    uw_plan_info info = untouched;

    b.world.all_nan = true;
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_ENONFINITE);
    b.world.all_nan = false;
    b.world.fail_rollout = UW_EIO;
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_EIO);
    b.world.fail_rollout = UW_OK;
    for (int j = 0; j < POINT_D; j++) {
        memcpy(bad, Z0, sizeof bad);
        bad[j] = j % 2 ? NAN : INFINITY;
        assert_int_equal(uw_planner_plan(b.planner, bad, 1, NULL, GOAL, plan, &info),
                         UW_ENONFINITE);
        assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, bad, plan, &info), UW_ENONFINITE);
    }
    const float two[2 * POINT_D] = {0}, past[POINT_A] = {0, NAN};
    assert_int_equal(uw_planner_plan(b.planner, two, 2, past, GOAL, plan, &info), UW_ENONFINITE);
    assert_int_equal(uw_planner_plan(b.planner, two, 2, NULL, GOAL, plan, &info), UW_EINVAL);
    assert_int_equal(uw_planner_plan(b.planner, two, 0, NULL, GOAL, plan, &info), UW_EINVAL);
    assert_int_equal(uw_planner_plan(b.planner, two, 4, past, GOAL, plan, &info), UW_EINVAL);
    assert_memory_equal(plan, before, sizeof plan);
    assert_int_equal(info.iters, untouched.iters);
    /* And it plans again as if nothing had been. */
    assert_int_equal(uw_planner_plan(b.planner, Z0, 1, NULL, GOAL, plan, &info), UW_OK);
    assert_int_equal(info.iters, 4);
    bench_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bad_options),
        cmocka_unit_test(test_memory_is_checked),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_select_is_a_stable_sort),
        cmocka_unit_test(test_refit_is_the_recipe),
        cmocka_unit_test(test_smallest_sizes),
        cmocka_unit_test(test_warm_start_shifts),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_noise_from_outside),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_some_costs_not_finite),
        cmocka_unit_test(test_faults_leave_the_plan_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
