/* Landmarks: the farthest points and shortest ways of graphs small enough to see, what they make a
 * latent cost, and a planner that gets round an obstacle with them where latent distance does not.
 */
#include "check.h"

#include <math.h>

#include <umwelt/dataset.h>
#include <umwelt/landmarks.h>

#include "internal.h"
#include "landmarks_internal.h"
#include "model_internal.h"
#include "point_world.h"
#include "rng.h"
#include "tempdir.h"
#include "walk.h"

static uw_context *ctx;

static int setup(void **state) {
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    return uw_context_new(&(uw_context_options){.num_threads = 1}, &ctx, &err);
}

static int teardown(void **state) {
    uw_context_free(ctx);
    return tempdir_teardown(state);
}

/* ---- arithmetic ---------------------------------------------------------------------------------
 */

static void test_farthest_points(void **state) {
    (void)state;
    /* on a line: from 0 the farthest is 10, then 5 halfway, then 2 and 8 are as far: the first */
    const float z[] = {0, 1, 2, 5, 8, 10, 10};
    int64_t chosen[7];
    int32_t cell[7];
    float distance[14];
    assert_int_equal(uw__ways_places(ctx->kernels, z, 7, 1, 4, chosen, cell, distance), 4);
    const int64_t wanted[] = {0, 5, 3, 2};
    const int32_t cells[] = {0, 0, 3, 2, 1, 1, 1};
    assert_memory_equal(chosen, wanted, sizeof wanted);
    assert_memory_equal(cell, cells, sizeof cells);
    /* two points are equal: six places at most */
    assert_int_equal(uw__ways_places(ctx->kernels, z, 7, 1, 7, chosen, cell, distance), 6);
}

static void test_shortest_ways(void **state) {
    (void)state;
    /* a ring of 70 (two words) one way round, a chord 0 -> 60, and 70 that leads in but is never
     * reached */
    enum { N = 71 };
    uint64_t edges[N * 2] = {0}, work[6];
    uint16_t steps[N * N];
    for (int32_t i = 0; i < 70; i++) uw__ways_add(edges, N, i, (i + 1) % 70);
    uw__ways_add(edges, N, 0, 60);
    uw__ways_add(edges, N, 70, 69);
    uw__ways_shortest(edges, N, work, steps);
    for (int i = 0; i < 70; i++) {
        assert_int_equal(steps[i * N + i], 0);
        assert_int_equal(steps[i * N + 70], UW_NO_WAY);
        for (int j = 0; j < 70; j++) {
            const int round = (j - i + 70) % 70;
            const int chord = j >= 60 ? (70 - i) % 70 + 1 + j - 60 : round;
            assert_int_equal(steps[i * N + j], chord < round ? chord : round);
        }
    }
    assert_int_equal(steps[70 * N + 70], 0);
    assert_int_equal(steps[70 * N + 0], 2);
    assert_int_equal(steps[70 * N + 60], 3);
}

/* ---- costs
 * ---------------------------------------------------------------------------------------- */

static uw_landmarks *build(const float *z, const uw_row *rows, int64_t n, int32_t d, int32_t most) {
    uw_err err = {0};
    uw_landmarks *l = NULL;
    CHECK_OK(uw__landmarks_build(ctx->kernels, z, rows, n, d, most, &l, &err), &err);
    return l;
}

static float cost_at(const uw_landmarks *l, float z, float goal) {
    const uw_value v = uw_landmarks_value(l);
    float cost = -1.0f;
    assert_int_equal(v.cost(v.self, &z, &goal, 1, &cost), UW_OK);
    return cost;
}

static void test_costs(void **state) {
    (void)state;
    /* one episode walks 0, 1, 2, 3, 4; another stands at 100: no way there or back */
    const float z[] = {0, 1, 2, 3, 4, 100, 100};
    const uw_row rows[] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 0}, {1, 1}};
    uw_landmarks *l = build(z, rows, 7, 1, 512);
    assert_int_equal(uw_landmarks_count(l), 6);
    const int32_t first = uw_landmarks_nearest(l, &z[0]), last = uw_landmarks_nearest(l, &z[4]);
    const int32_t island = uw_landmarks_nearest(l, &z[5]);
    assert_int_equal(uw_landmarks_decisions(l, first, last), 4);
    assert_int_equal(uw_landmarks_decisions(l, last, first), -1);
    assert_int_equal(uw_landmarks_decisions(l, first, island), -1);

    /* five decisions: four of length 1, one of 0 */
    const double delta = 4.0 / 5.0;
    CHECK_NEAR(cost_at(l, 4.0f, 4.0f), 0.0, 1e-4);
    CHECK_NEAR(cost_at(l, 0.0f, 4.0f), 4.0 + 1.0,
               1e-4); /* on a landmark; the flat part at its most */
    CHECK_NEAR(cost_at(l, 3.0f, 4.0f), 1.0 + 0.5 / delta, 1e-4);
    /* between 1 and 2: neighbours 1, 2 at 0.5 and 0, 3 at 1.5, whose ways to 4 are 3, 2 and 4, 1 */
    const double near = 1.0 / 0.5, far = 1.0 / 1.5;
    CHECK_NEAR(cost_at(l, 1.5f, 4.0f), (near * 5 + far * 5) / (2 * near + 2 * far) + 1.0, 1e-4);
    /* no way costs one more than the longest, 4; the goal beside the start still pulls */
    CHECK_NEAR(cost_at(l, 0.0f, 100.0f), 5.0 + 1.0, 1e-4);
    CHECK_NEAR(cost_at(l, 4.0f, 3.6f), 0.0 + 0.5 * 0.4 / delta, 1e-4);
    assert_true(isnan(cost_at(l, NAN, 4.0f)));
    assert_true(isnan(cost_at(l, 1.0f, NAN)));
    uw_landmarks_unload(l);

    const float bad[] = {0, NAN};
    uw_err err = {0};
    assert_int_equal(uw__landmarks_build(ctx->kernels, bad, rows, 2, 1, 4, &l, &err),
                     UW_ENONFINITE);
    assert_null(l);
    assert_non_null(strstr(err.text, "episode 0, row 1"));

    const float still[] = {3, 3};
    l = build(still, rows, 2, 1, 512);
    assert_int_equal(uw_landmarks_count(l), 1);
    CHECK_NEAR(cost_at(l, 3.0f, 3.0f), 0.0, 1e-6);
    uw_landmarks_unload(l);
}

/* ---- planning
 * ------------------------------------------------------------------------------------- */

/* A point on a horseshoe, seen where it is: its ends are near each other and far apart to walk.
 * Outside of the band it does not move. */
static bool inside(const float *z) {
    const float r = hypotf(z[0], z[1]);
    return r > 0.7f && r < 1.3f && !(z[1] < 0.0f && fabsf(z[0]) < 0.25f);
}

static uw_status horseshoe(void *self, const float *z0, int32_t history, const float *past,
                           const float *actions, int32_t n, int32_t h, float *z) {
    (void)self, (void)history, (void)past;
    for (int32_t i = 0; i < n; i++) {
        float at[2] = {z0[0], z0[1]};
        for (int32_t t = 0; t < h; t++, actions += 2, z += 2) {
            const float next[2] = {at[0] + 0.2f * actions[0], at[1] + 0.2f * actions[1]};
            if (inside(next)) memcpy(at, next, sizeof at);
            memcpy(z, at, sizeof at);
        }
    }
    return UW_OK;
}

static uw_status see(void *self, const void *observation, float *z) {
    (void)self;
    memcpy(z, observation, 2 * sizeof(float));
    return UW_OK;
}

/* Walk at random through the horseshoe. */
static uw_landmarks *walk_horseshoe(void) {
    enum { EPISODES = 40, STEPS = 100, ALL = EPISODES * STEPS };
    static float z[ALL * 2];
    static uw_row rows[ALL];
    uw_rng r = uw__rng(check_seed(3), UW_STREAM_TEST, 0);
    for (int e = 0; e < EPISODES; e++) {
        float at[2];
        do {
            at[0] = 2.6f * uw__rng_uniform(&r) - 1.3f;
            at[1] = 2.6f * uw__rng_uniform(&r) - 1.3f;
        } while (!inside(at));
        for (int t = 0; t < STEPS; t++) {
            const float u[2] = {2.0f * uw__rng_uniform(&r) - 1.0f,
                                2.0f * uw__rng_uniform(&r) - 1.0f};
            memcpy(z + (size_t)(e * STEPS + t) * 2, at, sizeof at);
            rows[e * STEPS + t] = (uw_row){e, t};
            horseshoe(NULL, at, 1, NULL, u, 1, 1, at);
        }
    }
    return build(z, rows, ALL, 2, 128);
}

/* Return how far from the goal 60 decisions end. */
static float drive(const uw_value *value, uw_solver solver, uw_status *status) {
    const uw_dynamics d = {.dims = {.latent_dim = 2,
                                    .action_dim = 2,
                                    .history_size = 1,
                                    .num_samples = 24, /* less than N: costs come in chunks */
                                    .horizon = 5,
                                    .observation_bytes = 2 * sizeof(float)},
                           .encode = see,
                           .rollout = horseshoe,
                           .gradient = point_dynamics(NULL, 1, 1, 1).gradient};
    uw_planner_options o = uw_landmarks_planner();
    o.solver = solver;
    o.seed = check_seed(1);
    const size_t bytes = uw_planner_memsize(&d.dims, &o);
    void *mem = point_memory(bytes);
    uw_planner *p = NULL;
    assert_int_equal(uw_planner_init(&d, &o, mem, bytes, &p), UW_OK);
    uw_planner_set_value(p, value);
    float z[2] = {-0.4f, -0.8f}, plan[10];
    const float goal[2] = {0.4f, -0.8f};
    *status = UW_OK;
    for (int t = 0; t < 60 && !*status; t++) {
        *status = uw_planner_plan(p, z, 1, NULL, goal, plan, NULL);
        if (!*status) horseshoe(NULL, z, 1, NULL, plan, 1, 1, z);
    }
    free(mem);
    return hypotf(z[0] - goal[0], z[1] - goal[1]);
}

static void test_round_an_obstacle(void **state) {
    (void)state;
    uw_landmarks *l = walk_horseshoe();
    const uw_value value = uw_landmarks_value(l);
    uw_status status;
    assert_true(drive(NULL, UW_SOLVER_CEM, &status) >
                0.4f); /* latent distance: up against the gap */
    assert_int_equal(status, UW_OK);
    assert_true(drive(&value, UW_SOLVER_CEM, &status) < 0.1f);
    assert_int_equal(status, UW_OK);
    drive(&value, UW_SOLVER_GRADIENT, &status); /* there is no gradient to descend */
    assert_int_equal(status, UW_EUNSUPPORTED);
    uw_landmarks_unload(l);
}

/* ---- from a recording
 * ------------------------------------------------------------------------------ */

static uint64_t id_of(uw_context *with, const uw_model *model, const char *path,
                      const uw_landmarks_options *options) {
    uw_err err = {0};
    uw_landmarks *l = NULL;
    CHECK_OK(uw_landmarks_load(with, model, path, options, &l, &err), &err);
    const uint64_t id = uw_landmarks_value(l).id;
    uw_landmarks_unload(l);
    return id;
}

static void test_from_a_recording(void **state) {
    (void)state;
    const char *path = tempdir_file("walk.uw"), *brief = tempdir_file("brief.uw");
    walk_record(path, 12, 41);
    walk_record(brief, 3, 2);
    uw_err err = {0};
    uw_model *model = walk_model(5);
    uw_landmarks *l = NULL;
    /* 21 rows per episode are a decision apart: all are places when they may be */
    CHECK_OK(uw_landmarks_load(ctx, model, path, NULL, &l, &err), &err);
    assert_int_equal(uw_landmarks_count(l), 12 * 21);
    uw_landmarks_unload(l);
    CHECK_OK(uw_landmarks_load(ctx, model, path, &(uw_landmarks_options){.max_rows = 63}, &l, &err),
             &err);
    assert_int_equal(uw_landmarks_count(l), 63);
    uw_landmarks_unload(l);

    uw_context *many = NULL;
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 4}, &many, &err), &err);
    const uw_landmarks_options some = {.num_landmarks = 30};
    const uw_landmarks_options held = {.num_landmarks = 30, .holdout = 0.5, .holdout_seed = 1};
    const uint64_t id = id_of(ctx, model, path, &some);
    assert_true(id == id_of(many, model, path, &some));
    assert_true(id != id_of(ctx, model, path, &held));
    uw_context_free(many);

    assert_int_equal(uw_landmarks_load(ctx, model, brief, NULL, &l, &err), UW_ESHAPE);
    assert_null(l);
    const uw_landmarks_options bad[] = {{.num_landmarks = -1},
                                        {.num_landmarks = UW_MAX_LANDMARKS + 1},
                                        {.max_rows = 1},
                                        {.holdout = 1.0},
                                        {.holdout = NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(uw_landmarks_load(ctx, model, path, &bad[i], &l, &err), UW_EINVAL);
    assert_int_equal(uw_landmarks_load(ctx, model, "/nowhere.uw", NULL, &l, &err), UW_ENOTFOUND);
    uw_model_unload(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_farthest_points),
        cmocka_unit_test(test_shortest_ways),
        cmocka_unit_test(test_costs),
        cmocka_unit_test(test_round_an_obstacle),
        cmocka_unit_test(test_from_a_recording),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
