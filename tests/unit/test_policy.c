/* The policy: its losses against central differences, what it learns of a walk, the same bits for
 * any number of threads, its file, what it refuses; and a planner that follows it. */
#include "check.h"

#include <math.h>

#include <umwelt/policy.h>

#include "alloc_fail.h"
#include "internal.h"
#include "point_world.h"
#include "policy_internal.h"
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

/* ---- losses
 * -------------------------------------------------------------------------------------- */

enum { A = 3, ROWS = 5, WIDTH = UW_POLICY_WAYS * (A + 2) };

static void test_mixture_gradient(void **state) {
    (void)state;
    uw_rng r = uw__rng(check_seed(1), UW_STREAM_TEST, 0);
    float y[ROWS * WIDTH], dy[ROWS * WIDTH], none[ROWS * WIDTH], action[ROWS * A];
    uw__rng_fill_normal(&r, y, ROWS * WIDTH);
    uw__rng_fill_normal(&r, action, ROWS * A);
    y[1] = 5.0f; /* a deviation held at its bound has no slope */
    uw__mixture_loss(y, action, ROWS, A, dy);
    assert_true(dy[1] == 0.0f);
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        const float old = y[i], step = 1e-2f;
        y[i] = old + step;
        const double above = uw__mixture_loss(y, action, ROWS, A, none), up = (double)y[i];
        y[i] = old - step;
        const double below = uw__mixture_loss(y, action, ROWS, A, none), down = (double)y[i];
        y[i] = old;
        CHECK_NEAR(dy[i], (above - below) / (up - down), 2e-3 * (1.0 + fabs((double)dy[i])));
    }
}

static void test_mixture_by_hand(void **state) {
    (void)state;
    /* all ways alike, at 0 with deviation 1: the standard normal of two numbers */
    float y[UW_POLICY_WAYS * 4] = {0}, dy[UW_POLICY_WAYS * 4];
    const float action[2] = {1.0f, -2.0f};
    CHECK_NEAR(uw__mixture_loss(y, action, 1, 2, dy), 1.8378770664093453 + 2.5, 1e-6);
    /* way 3 has half of the weight, way 5 a quarter: squared, 0.76 and 0.19 */
    for (int m = 0; m < UW_POLICY_WAYS; m++) y[4 * m] = logf(1.0f / 24.0f);
    y[4 * 3] = logf(0.5f);
    y[4 * 5] = logf(0.25f);
    int32_t picked[UW_POLICY_WAYS] = {0};
    for (int i = 0; i < 1000; i++) picked[uw__mixture_pick(y, 2, ((float)i + 0.5f) / 1000.0f)]++;
    const double all = 0.25 + 0.0625 + 6.0 / (24.0 * 24.0);
    CHECK_NEAR(picked[3], 1000 * 0.25 / all, 2);
    CHECK_NEAR(picked[5], 1000 * 0.0625 / all, 2);
    assert_int_equal(uw__mixture_pick(y, 2, 0.0f), 0);
    assert_int_equal(uw__mixture_pick(y, 2, 0.99999994f), UW_POLICY_WAYS - 1);
}

static void test_pinball_is_a_quantile(void **state) {
    (void)state;
    /* descended over 1 .. 100 it comes to rest at the tenth */
    float want[100], y[100], dy[100], at = 50.0f;
    for (int i = 0; i < 100; i++) want[i] = (float)(i + 1);
    for (int step = 0; step < 2000; step++) {
        float slope = 0.0f;
        for (int i = 0; i < 100; i++) y[i] = at;
        uw__pinball(y, want, 100, 0.1, dy);
        for (int i = 0; i < 100; i++) slope += dy[i];
        at -= 0.2f * slope;
    }
    CHECK_NEAR(at, 10.5, 1.0);
}

/* ---- fitting --------------------------------------------------------------------------------- */

static const uw_policy_options brief = {.horizon = 8, .steps = 60};

static uw_policy *fit(uw_context *with, const uw_model *model, const char *path,
                      const uw_policy_options *options) {
    uw_err err = {0};
    uw_policy *p = NULL;
    CHECK_OK(uw_policy_fit(with, model, path, options, &p, &err), &err);
    return p;
}

static uint64_t id_of(uw_context *with, const uw_model *model, const char *path,
                      const uw_policy_options *options) {
    uw_policy *p = fit(with, model, path, options);
    const uint64_t id = uw_policy_actor(p).id;
    uw_policy_unload(p);
    return id;
}

static void see(const uw_model *model, const float *at, float *z) {
    uw_err err = {0};
    CHECK_OK(uw_model_encode(ctx, model, NULL, at, 1, z, &err), &err);
}

/* A goal some steps away is walked to, and nearer goals are said to be nearer. */
static void test_walks_to_a_goal(void **state) {
    (void)state;
    const char *path = tempdir_file("walk.uw");
    walk_record(path, 40, 61);
    uw_model *model = walk_model(5);
    uw_policy *p = fit(ctx, model, path, &(uw_policy_options){.horizon = 16, .steps = 1200});
    const float goal[2] = {0.6f, -0.5f};
    float at[2] = {-0.4f, 0.3f}, z[4], z_goal[4], a[4], beside[4], half[4];
    see(model, goal, z_goal);
    see(model, at, z);
    see(model, (const float[]){0.55f, -0.45f}, beside);
    see(model, (const float[]){0.1f, -0.1f}, half);
    const float far = uw_policy_decisions(p, z, z_goal);
    assert_true(far > uw_policy_decisions(p, half, z_goal));
    assert_true(uw_policy_decisions(p, half, z_goal) > uw_policy_decisions(p, beside, z_goal));
    assert_true(far >= 1.0f && far <= 16.0f);

    alloc_fail_begin(-1);
    for (int t = 0; t < 40; t++) {
        assert_int_equal(uw_policy_act(p, z, z_goal, 0.5f, a), UW_OK);
        for (int i = 0; i < 4; i++) at[i % 2] += 0.1f * a[i]; /* two rows of two numbers */
        alloc_calls = 0;
        assert_int_equal(uw_policy_act(p, z, z_goal, 0.5f, a), UW_OK);
        assert_int_equal(alloc_calls, 0);
        see(model, at, z);
    }
    CHECK_NEAR(at[0], goal[0], 0.25);
    CHECK_NEAR(at[1], goal[1], 0.25);
    z[0] = NAN;
    assert_int_equal(uw_policy_act(p, z, z_goal, 0.5f, a), UW_ENONFINITE);
    uw_policy_unload(p);
    uw_model_unload(model);
}

/* The actions are those of the column that the model was trained with. */
static void test_the_models_own_actions(void **state) {
    (void)state;
    const char *path = tempdir_file("steer.uw"), *usual = tempdir_file("usual.uw");
    walk_record_as("steer", path, 12, 31);
    walk_record(usual, 12, 31);
    uw_model *model = walk_model_as("{\"action\":\"steer\"}", 5), *other = walk_model(5);
    uw_policy *p = NULL;
    uw_err err = {0};
    assert_true(id_of(ctx, model, path, &brief) == id_of(ctx, other, usual, &brief));
    assert_int_equal(uw_policy_fit(ctx, model, usual, &brief, &p, &err), UW_ESHAPE);
    assert_non_null(strstr(err.text, "steer"));
    assert_null(p);
    uw_model_unload(model);
    uw_model_unload(other);
}

static bool stop(void *cookie, const char *what, int64_t done, int64_t total) {
    (void)cookie, (void)total;
    return strcmp(what, "fit") != 0 || done < 5;
}

static void test_same_bits_and_refusals(void **state) {
    (void)state;
    const char *path = tempdir_file("few.uw"), *short_path = tempdir_file("short.uw");
    walk_record(path, 12, 31);
    walk_record(short_path, 3, 2);
    uw_err err = {0};
    uw_model *model = walk_model(5);
    uw_context *many = NULL, *hasty = NULL;
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 3}, &many, &err), &err);
    CHECK_OK(uw_context_new(&(uw_context_options){.progress = stop}, &hasty, &err), &err);
    uw_policy_options other = brief;
    const uint64_t id = id_of(ctx, model, path, &brief);
    assert_true(id == id_of(many, model, path, &brief));
    other.seed = 1;
    assert_true(id != id_of(ctx, model, path, &other));
    other = brief;
    other.holdout = 0.5;
    assert_true(id != id_of(ctx, model, path, &other));

    uw_policy *p = NULL;
    assert_int_equal(uw_policy_fit(hasty, model, path, &brief, &p, &err), UW_EINTERRUPTED);
    assert_null(p);
    assert_int_equal(uw_policy_fit(ctx, model, short_path, &brief, &p, &err), UW_ESHAPE);
    assert_int_equal(uw_policy_fit(ctx, model, "/nowhere.uw", &brief, &p, &err), UW_ENOTFOUND);
    const uw_policy_options bad[] = {{.horizon = -1},  {.steps = -1},
                                     {.max_rows = 1},  {.holdout = 1.0},
                                     {.holdout = NAN}, {.horizon = UW_MAX_POLICY_HORIZON + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(uw_policy_fit(ctx, model, path, &bad[i], &p, &err), UW_EINVAL);
    uw_context_free(hasty);
    uw_context_free(many);
    uw_model_unload(model);
}

/* No allocation that fails is missed, and none leaks (under ASan). */
static void test_out_of_memory(void **state) {
    (void)state;
    const char *path = tempdir_file("small.uw");
    walk_record(path, 4, 9);
    uw_model *model = walk_model(5);
    const uw_policy_options one = {.horizon = 2, .steps = 1};
    uw_status s = UW_ENOMEM;
    for (long n = 0; s; n++) {
        uw_err err = {0};
        uw_policy *p = NULL;
        alloc_fail_begin(n);
        s = uw_policy_fit(ctx, model, path, &one, &p, &err);
        alloc_fail_end();
        assert_true(s == UW_OK || s == UW_ENOMEM);
        assert_true((s == UW_OK) == (p != NULL));
        uw_policy_unload(p);
        assert_true(n < 1000);
    }
    uw_model_unload(model);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void test_file(void **state) {
    (void)state;
    const char *path = tempdir_file("file.uw");
    walk_record(path, 6, 21);
    uw_err err = {0};
    uw_model *model = walk_model(5), *other = walk_model(6);
    uw_policy *p = fit(ctx, model, path, &brief), *again = NULL;
    const char *file = tempdir_file("policy.safetensors");
    CHECK_OK(uw_policy_save(p, file, false, &err), &err);
    assert_int_equal(uw_policy_save(p, file, false, &err), UW_EEXIST);
    CHECK_OK(uw_policy_load(ctx, model, file, &again, &err), &err);
    assert_true(uw_policy_actor(p).id == uw_policy_actor(again).id);
    const float z[4] = {0.1f, -0.2f, 0.3f, 0.4f}, goal[4] = {-0.5f, 0.2f, 0.1f, 0.0f};
    float a[4], b[4];
    assert_int_equal(uw_policy_act(p, z, goal, 0.3f, a), UW_OK);
    assert_int_equal(uw_policy_act(again, z, goal, 0.3f, b), UW_OK);
    assert_memory_equal(a, b, sizeof a);
    uw_policy_unload(again);

    assert_int_equal(uw_policy_load(ctx, other, file, &again, &err), UW_ESHAPE);
    assert_null(again);
    char sha[65];
    uw_model_sha256(other, sha);
    sha[16] = 0;
    assert_non_null(strstr(err.text, sha)); /* both models are named */
    uw_model_sha256(model, sha);
    sha[16] = 0;
    assert_non_null(strstr(err.text, sha));
    const char *model_file = tempdir_file("model.safetensors");
    CHECK_OK(uw_model_save(model, model_file, false, &err), &err);
    assert_int_equal(uw_policy_load(ctx, model, model_file, &again, &err), UW_EFORMAT);
    assert_int_equal(uw_policy_load(ctx, model, "/nowhere", &again, &err), UW_ENOTFOUND);
    assert_null(again);
    uw_policy_unload(p);
    uw_model_unload(other);
    uw_model_unload(model);
}

/* ---- a planner that follows -------------------------------------------------------------------
 */

/* Away from the goal by u: something a search can do better than. */
static uw_status stray(const void *self, const float *z, const float *z_goal, float u,
                       float *action) {
    int *calls = (int *)self;
    ++*calls;
    action[0] = 3.0f; /* beyond the bounds */
    action[1] = z_goal[1] > z[1] ? u : -u;
    return UW_OK;
}

static void test_planner_follows(void **state) {
    (void)state;
    point_world world = {0};
    const uw_dynamics d = point_dynamics(&world, 1, 16, 4);
    uw_planner_options o = UW_PLANNER_OPTIONS_DEFAULT;
    o.horizon = 4;
    o.num_samples = 64;
    const size_t bytes = uw_planner_memsize(&d.dims, &o);
    void *mem = point_memory(bytes);
    uw_planner *p = NULL;
    int calls = 0;
    const uw_actor actor = {&calls, 1, stray};
    assert_int_equal(uw_planner_init(&d, &o, mem, bytes, &p), UW_OK);
    uw_planner_set_actor(p, &actor, false);
    const float z[POINT_D] = {0}, goal[POINT_D] = {0.5f, 1.0f, 0, 0};
    float plan[4 * POINT_A], again[4 * POINT_A], at[POINT_D] = {0}, next[POINT_D];
    uw_plan_info alone, search;
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, plan, &alone), UW_OK);
    assert_int_equal(calls, 4);
    assert_int_equal(alone.iters, 0);
    double cost = 0.0;
    for (int t = 0; t < 4; t++) {
        assert_true(plan[2 * t] == 1.0f); /* clipped */
        assert_true(plan[2 * t + 1] > 0.0f && plan[2 * t + 1] < 1.0f);
        point_step(at, plan + 2 * t, next);
        memcpy(at, next, sizeof at);
        for (int k = 0; k < POINT_D; k++)
            cost += ((double)at[k] - (double)goal[k]) * ((double)at[k] - (double)goal[k]);
    }
    CHECK_NEAR(alone.best_cost, cost, 1e-4 * cost);
    /* the same decision, the same chance; another one, another */
    uw_planner_reset(p, 0);
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, again, NULL), UW_OK);
    assert_memory_equal(plan, again, sizeof plan);
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, again, NULL), UW_OK);
    assert_memory_not_equal(plan, again, sizeof plan);

    uw_planner_reset(p, 0);
    uw_planner_set_actor(p, &actor, true); /* with a search behind it: never worse */
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, again, &search), UW_OK);
    assert_int_equal(search.iters, o.iters);
    assert_true(search.best_cost < alone.best_cost);
    uw_planner_set_actor(p, NULL, false);
    calls = 0;
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, again, &search), UW_OK);
    assert_int_equal(calls, 0);
    world.fail_rollout = UW_EIO;
    uw_planner_set_actor(p, &actor, false);
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, again, NULL), UW_EIO);
    free(mem);

    o.solver = UW_SOLVER_CATEGORICAL;
    const size_t more = uw_planner_memsize(&d.dims, &o);
    mem = point_memory(more);
    assert_int_equal(uw_planner_init(&d, &o, mem, more, &p), UW_OK);
    uw_planner_set_actor(p, &actor, false);
    assert_int_equal(uw_planner_plan(p, z, 1, NULL, goal, again, NULL), UW_EUNSUPPORTED);
    free(mem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixture_gradient),
        cmocka_unit_test(test_mixture_by_hand),
        cmocka_unit_test(test_pinball_is_a_quantile),
        cmocka_unit_test(test_walks_to_a_goal),
        cmocka_unit_test(test_the_models_own_actions),
        cmocka_unit_test(test_same_bits_and_refusals),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_planner_follows),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
