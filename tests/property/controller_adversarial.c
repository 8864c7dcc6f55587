/* No observation, goal or imagination, however absurd, gets an action out of the controller that is
 * not finite, not within the bounds, or further from the last one than allowed. */
#include "check.h"

#include <math.h>

#include <umwelt/controller.h>

#include "point_world.h"
#include "rng.h"

enum { H = 4, N = 16, ACTS = 10000 };

/* A number from the whole zoo: any bits, extremes, denormals, or something ordinary. */
static float absurd(uw_rng *rng) {
    static const float ZOO[] = {NAN,   INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-45f,
                                -0.0f, 1e30f,    -1e19f,    1e-38f,  0.0f,     1.0f};
    const uint32_t kind = uw__rng_below(rng, 16);
    if (kind < 12) return ZOO[kind];
    if (kind < 14) {
        const uint32_t bits = uw__rng_u32(rng);
        float x = 0.0f;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    return uw__rng_normal(rng);
}

/* A model gone wrong: latents, and sometimes its status, are anything. */
typedef struct mad_world {
    uw_rng rng;
    bool sane;
} mad_world;

static uw_status mad_encode(void *self, const void *observation, float *z) {
    mad_world *w = self;
    memcpy(z, observation, POINT_D * sizeof(float));
    return uw__rng_below(&w->rng, 20) ? UW_OK : UW_ENONFINITE;
}

static uw_status mad_rollout(void *self, const float *z0, int32_t history, const float *past,
                             const float *actions, int32_t n, int32_t h, float *z) {
    mad_world *w = self;
    (void)past;
    const float *from = z0 + (size_t)(history - 1) * POINT_D;
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = 0; j < h * POINT_D; j++) {
            const float a = actions[(i * h + j / POINT_D) * POINT_A];
            assert_true(isfinite(a) && fabsf(a) <= 1.0f);
            float *to = z + (size_t)(i * h * POINT_D + j);
            *to =
                uw__rng_below(&w->rng, w->sane ? 50 : 3) ? from[j % POINT_D] + a : absurd(&w->rng);
        }
    }
    return uw__rng_below(&w->rng, 50) ? UW_OK : UW_EIO;
}

static uw_status mad_gradient(void *self, const float *z0, int32_t history, const float *past,
                              const float *actions, int32_t n, int32_t h, const float *dz,
                              float *dactions) {
    mad_world *w = self;
    (void)point_gradient(NULL, z0, history, past, actions, n, h, dz, dactions);
    for (int32_t j = 0; j < n * h * POINT_A && !w->sane; j++)
        if (!uw__rng_below(&w->rng, 5)) dactions[j] = absurd(&w->rng);
    return uw__rng_below(&w->rng, 50) ? UW_OK : UW_EIO;
}

static void run(uw_solver solver, float max_change) {
    const uint64_t seed = check_seed(31);
    mad_world world = {.rng = uw__rng(seed, UW_STREAM_TEST, 1)};
    uw_rng rng = uw__rng(seed, UW_STREAM_TEST, 2);
    uw_dynamics d = point_dynamics(NULL, 2, N, H);
    d.self = &world;
    d.encode = mad_encode;
    d.rollout = mad_rollout;
    d.gradient = mad_gradient;
    uw_controller_options o = {.planner = UW_PLANNER_OPTIONS_DEFAULT, .max_change = max_change};
    o.planner.solver = solver;
    o.planner.noise_beta = 2.0f;
    o.planner.horizon = H;
    o.planner.num_samples = N;
    o.planner.num_elites = 5;
    o.planner.iters = 2;
    const size_t bytes = uw_controller_memsize(&d.dims, &o);
    void *mem = point_memory(bytes);
    assert_non_null(mem);
    uw_controller *c = NULL;
    assert_int_equal(uw_controller_init(&d, &o, mem, bytes, &c), UW_OK);

    float last[POINT_A] = {0}, z[POINT_D];
    int planned = 0, safe = 0;
    bool fresh = true;
    const float home[POINT_D] = {0};
    while (uw_controller_set_goal(c, home)) { /* the encoder is mad too */
    }
    for (int t = 0; t < ACTS; t++) {
        world.sane = t % 200 < 100;
        if (t % 500 == 499) {
            uw_controller_reset(c, (uint64_t)t);
            fresh = true;
        }
        for (int j = 0; j < POINT_D; j++)
            z[j] = uw__rng_below(&rng, 4) ? uw__rng_normal(&rng) : absurd(&rng);
        if (t % 10 == 0) (void)uw_controller_set_goal(c, z);
        float action[POINT_A] = {NAN, NAN};
        const uw_status status = uw_controller_act(c, z, action, NULL);
        planned += status == UW_OK;
        safe += status != UW_OK;
        for (int k = 0; k < POINT_A; k++) {
            if (!(fabsf(action[k]) <= 1.0f)) /* NaN too */
                fail_msg("seed %llu, act %d: action %g", (unsigned long long)seed, t,
                         (double)action[k]);
            if (max_change > 0.0f && !fresh) CHECK_NEAR(action[k], last[k], max_change * 1.000001f);
        }
        memcpy(last, action, sizeof last);
        fresh = false;
    }
    /* Both paths were walked. */
    assert_true(planned > ACTS / 20 && safe > ACTS / 20);
    free(mem);
}

static void test_cem(void **state) {
    (void)state;
    run(UW_SOLVER_CEM, 0.0f);
}

static void test_icem_with_limited_change(void **state) {
    (void)state;
    run(UW_SOLVER_ICEM, 0.25f);
}

static void test_every_other_solver(void **state) {
    (void)state;
    for (int solver = UW_SOLVER_MPPI; uw_solver_words()[solver]; solver++)
        run((uw_solver)solver, 0.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cem),
        cmocka_unit_test(test_icem_with_limited_change),
        cmocka_unit_test(test_every_other_solver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
