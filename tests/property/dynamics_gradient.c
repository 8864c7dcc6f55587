/* Gradients of rollouts by their actions: central differences along random directions, for every
 * way through the predictor and every history; the same bits for any number of threads; no
 * allocation. */
#include <math.h>

#include "alloc_fail.h"
#include "arena_block.h"
#include "check.h"
#include "context.h"
#include "model_internal.h"
#include "random_model.h"
#include "recipe.h"
#include "rng.h"

enum { SAMPLES = 19, HORIZON = 5 }; /* blocks of eight and a rest */

typedef struct world {
    uw_context *ctx;
    uw_model *model;
    uw_dynamics y;
    uw_arena block;
    size_t d, a;
    float z0[4 * 32], past[3 * 16];
    float *actions, *z, *dz, *dactions;
} world;

static void normals(float *x, size_t n, uint64_t stream) {
    uw_rng r = uw__rng(check_seed(8), UW_STREAM_TEST, stream);
    uw__rng_fill_normal(&r, x, n);
}

static world world_new(const uw_model_config *config, int32_t threads, bool normalised) {
    const uw_dynamics_limits limits = {.num_samples = SAMPLES,
                                       .horizon = HORIZON,
                                       .num_threads = threads,
                                       .normalised_actions = normalised,
                                       .gradient = true};
    world w = {.d = (size_t)config->latent_dim,
               .a = (size_t)config->action_dim * (size_t)config->frameskip};

    w.ctx = context(threads);
    w.model = random_model(config, 0.05f);
    w.block = arena_block(uw_model_dynamics_memsize(w.model, &limits));
    assert_int_equal(uw_model_dynamics_init(w.ctx, w.model, &limits, threads > 1, w.block.base,
                                            w.block.cap, &w.y),
                     UW_OK);
    w.actions = calloc(SAMPLES * HORIZON * w.a, sizeof *w.actions);
    w.dactions = calloc(SAMPLES * HORIZON * w.a, sizeof *w.dactions);
    w.z = calloc(SAMPLES * HORIZON * w.d, sizeof *w.z);
    w.dz = calloc(SAMPLES * HORIZON * w.d, sizeof *w.dz);
    normals(w.z0, sizeof w.z0 / sizeof *w.z0, 1);
    normals(w.past, sizeof w.past / sizeof *w.past, 2);
    normals(w.actions, SAMPLES * HORIZON * w.a, 3);
    normals(w.dz, SAMPLES * HORIZON * w.d, 4);
    return w;
}

static void world_free(world *w) {
    float *all[] = {w->actions, w->dactions, w->z, w->dz};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(w->block.base);
    uw_model_unload(w->model);
    uw_context_free(w->ctx);
}

/* Actions before the plan: those between latents, and the one before them where it counts. */
static const float *past(const world *w, int32_t history) {
    return history + w->y.dims.lead > 1 ? w->past : NULL;
}

static uw_status gradient(world *w, int32_t history, int32_t n, int32_t h) {
    return w->y.gradient(w->y.self, w->z0, history, past(w, history), w->actions, n, h, w->dz,
                         w->dactions);
}

/* dz . z of one candidate with its actions moved by step along v. */
static double cost(world *w, int32_t history, size_t candidate, const float *v, double step) {
    const size_t moves = HORIZON * w->a, at = candidate * moves;
    float actions[HORIZON * 16], z[HORIZON * 32];
    double sum = 0.0;
    for (size_t i = 0; i < moves; i++)
        actions[i] = (float)((double)w->actions[at + i] + step * (double)v[i]);
    assert_int_equal(
        w->y.rollout(w->y.self, w->z0, history, past(w, history), actions, 1, HORIZON, z), UW_OK);
    for (size_t i = 0; i < HORIZON * w->d; i++)
        sum += (double)w->dz[candidate * HORIZON * w->d + i] * (double)z[i];
    return sum;
}

static void check_differences(const uw_model_config *config, bool normalised) {
    world w = world_new(config, 1, normalised);
    const size_t moves = HORIZON * w.a;
    const double step = 2e-3;
    float v[HORIZON * 16];
    for (int32_t history = 1; history <= config->history_size; history++) {
        assert_int_equal(gradient(&w, history, SAMPLES, HORIZON), UW_OK);
        for (size_t k = 0; k < SAMPLES; k += 9) {
            double along = 0.0, norm = 0.0;
            normals(v, moves, 10 + k);
            for (size_t i = 0; i < moves; i++) {
                const double g = (double)w.dactions[k * moves + i];
                along += g * (double)v[i];
                norm += g * g;
            }
            assert_true(norm > 1e-6);
            const double up = cost(&w, history, k, v, step), down = cost(&w, history, k, v, -step);
            /* fp32 rounding of the costs over 2 step, and the third derivative */
            CHECK_NEAR((up - down) / (2 * step), along, 5e-3 * (1.0 + sqrt(norm)));
        }
    }
    world_free(&w);
}

static void test_differences(void **state) {
    uw_model_config markov = recipe_demo(), projected = recipe_demo(), lewm = recipe_lewm_small();
    (void)state;
    projected.pred_proj_dim = 24;
    check_differences(&markov, false);
    check_differences(&projected, false);
    check_differences(&lewm, false);
    check_differences(&lewm, true);
    for (int32_t before = 1; before <= 3; before += 2) { /* the predictor sees actions twice */
        uw_model_config again = recipe_demo();
        again.frameskip = 3;
        again.action_history = before;
        check_differences(&again, false);
        again.action_smooth_dim = 4; /* through an encoder of actions */
        again.action_hidden_dim = 6;
        check_differences(&again, true);
    }
    lewm.predictor_heads = 1;
    lewm.predictor_head_dim = lewm.latent_dim;
    check_differences(&lewm, false);
}

static void test_threads(void **state) {
    const uw_model_config config = recipe_lewm_small();
    (void)state;
    world one = world_new(&config, 1, false);
    assert_int_equal(gradient(&one, 2, SAMPLES, HORIZON), UW_OK);
    for (int32_t threads = 2; threads <= 3; threads++) {
        world many = world_new(&config, threads, false);
        assert_int_equal(gradient(&many, 2, SAMPLES, HORIZON), UW_OK);
        assert_memory_equal(many.dactions, one.dactions,
                            SAMPLES * HORIZON * one.a * sizeof *one.dactions);
        world_free(&many);
    }
    world_free(&one);
}

static void test_limits(void **state) {
    const uw_model_config config = recipe_lewm_small();
    const uw_dynamics_limits without = {.num_samples = 4, .horizon = 2};
    uw_dynamics other;
    (void)state;
    world w = world_new(&config, 1, false);
    assert_int_equal(gradient(&w, 1, SAMPLES + 1, HORIZON), UW_EINVAL);
    assert_int_equal(gradient(&w, 1, SAMPLES, HORIZON + 1), UW_EINVAL);
    assert_int_equal(gradient(&w, 0, SAMPLES, HORIZON), UW_EINVAL);
    assert_int_equal(gradient(&w, config.history_size + 1, SAMPLES, HORIZON), UW_EINVAL);
    alloc_fail_begin(0); /* the first allocation would fail */
    assert_int_equal(gradient(&w, 3, SAMPLES, HORIZON), UW_OK);
    const long calls = alloc_calls;
    alloc_fail_end();
    assert_int_equal(calls, 0);

    uw_arena block = arena_block(uw_model_dynamics_memsize(w.model, &without));
    assert_int_equal(
        uw_model_dynamics_init(w.ctx, w.model, &without, false, block.base, block.cap, &other),
        UW_OK);
    assert_true(other.gradient == NULL);
    free(block.base);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
