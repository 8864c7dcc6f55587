/* A model as planners see it: rollouts mean what the network says, actions are normalised, the
 * window slides, nothing is allocated, and out-of-range calls are refused. */
#include <math.h>

#include "alloc_fail.h"
#include "arena_block.h"
#include "check.h"
#include "context.h"
#include "model_internal.h"
#include "random_model.h"
#include "recipe.h"
#include "rng.h"

enum { SAMPLES = 70, HORIZON = 6 };

typedef struct world {
    uw_context *ctx;
    uw_model *model;
    uw_dynamics dynamics;
    uw_arena block;
    size_t d, a, history;
    float z0[3 * 32], past[2 * 16];
    float *actions, *z; /* [SAMPLES, HORIZON, A], [SAMPLES, HORIZON, D] */
} world;

static void normals(float *x, size_t n, uint64_t stream) {
    uw_rng r = uw__rng(8, UW_STREAM_TEST, stream);
    uw__rng_fill_normal(&r, x, n);
}

static world world_new(const uw_model_config *config) {
    const uw_dynamics_limits limits = {.num_samples = SAMPLES, .horizon = HORIZON};
    world w = {.d = (size_t)config->latent_dim,
               .history = (size_t)config->history_size,
               .a = (size_t)config->action_dim * (size_t)config->frameskip};

    w.ctx = context(1);
    w.model = random_model(config, 0.01f);
    w.block = arena_block(uw_model_dynamics_memsize(w.model, &limits));
    assert_int_equal(uw_model_dynamics_init(w.ctx, w.model, &limits, false, w.block.base,
                                            w.block.cap, &w.dynamics),
                     UW_OK);
    w.actions = malloc(SAMPLES * HORIZON * w.a * sizeof *w.actions);
    w.z = malloc(SAMPLES * HORIZON * w.d * sizeof *w.z);
    normals(w.z0, sizeof w.z0 / sizeof *w.z0, 1);
    normals(w.past, sizeof w.past / sizeof *w.past, 2);
    normals(w.actions, SAMPLES * HORIZON * w.a, 3);
    return w;
}

static void world_free(world *w) {
    free(w->actions);
    free(w->z);
    free(w->block.base);
    uw_model_unload(w->model);
    uw_context_free(w->ctx);
}

static uw_status roll(world *w, int32_t history, const float *past, int32_t n, int32_t h) {
    return w->dynamics.rollout(w->dynamics.self, w->z0, history, past, w->actions, n, h, w->z);
}

/* One candidate by the definition: the last history_size latents and their actions, one network
 * call per step. */
static void check_candidate(world *w, size_t candidate, size_t history) {
    const uw_net *net = uw__model_net(w->model);
    const uw_normalisers *norm = uw__model_normalisers(w->model);
    const size_t steps = history - 1 + HORIZON, cond = (size_t)net->cond_dim;
    float latents[(3 + HORIZON) * 32], a[(2 + HORIZON) * 16], c[(2 + HORIZON) * 32], out[3 * 32];
    uw_exec e = {0};
    uw_action_acts *action = NULL;
    uw_predict_acts *predict = NULL;
    uw_arena arena = UW_ARENA_MEASURE;

    for (int pass = 0; pass < 2; pass++) {
        if (pass) arena = arena_block(arena.used);
        e = uw__exec_layout(&arena, w->ctx->kernels, NULL, uw__net_extra_reals(net));
        action = uw__action_layout(&arena, net, steps, false);
        predict = uw__predict_layout(&arena, net, 1, w->history, false);
    }
    memcpy(latents, w->z0, history * w->d * sizeof *latents);
    for (size_t s = 0; s < steps; s++) {
        const float *from = s < history - 1
                                ? w->past + s * w->a
                                : w->actions + (candidate * HORIZON + s - (history - 1)) * w->a;
        for (size_t i = 0; i < w->a; i++)
            a[s * w->a + i] = (from[i] - norm->action_mean[i % 2]) / norm->action_std[i % 2];
    }
    uw__action_forward(&e, net, uw__model_params(w->model), action, a, steps, c);
    for (size_t s = 0; s < HORIZON; s++) {
        const size_t known = history + s, t = known < w->history ? known : w->history;
        uw__predict_forward(
            &e, net, uw__model_params(w->model), (float *)uw__model_buffers(w->model), predict,
            latents + (known - t) * w->d, c + (known - t) * cond, 1, t, false, NULL, out);
        memcpy(latents + known * w->d, out + (t - 1) * w->d, w->d * sizeof *out);
        for (size_t i = 0; i < w->d; i++) {
            const float got = w->z[(candidate * HORIZON + s) * w->d + i];
            CHECK_NEAR(got, out[(t - 1) * w->d + i], 2e-5 * (1.0 + fabs((double)got)));
        }
    }
    free(arena.base);
}

static void check_meaning(const uw_model_config *config) {
    world w = world_new(config);
    for (size_t history = 1; history <= w.history; history++) {
        assert_int_equal(roll(&w, (int32_t)history, history > 1 ? w.past : NULL, SAMPLES, HORIZON),
                         UW_OK);
        check_candidate(&w, 0, history);
        check_candidate(&w, 33, history);
        check_candidate(&w, SAMPLES - 1, history); /* in the last, ragged block */
    }
    /* a shorter, smaller call is a part of the larger one */
    float first[32];
    memcpy(first, w.z, w.d * sizeof *first);
    assert_int_equal(roll(&w, (int32_t)w.history, w.past, 1, 1), UW_OK);
    for (size_t i = 0; i < w.d; i++)
        CHECK_NEAR(w.z[i], first[i], 2e-5 * (1.0 + fabs((double)first[i])));
    world_free(&w);
}

static void test_markov(void **state) {
    const uw_model_config config = recipe_demo();
    (void)state;
    check_meaning(&config);
}

/* Where the predictor sees the end of the decision before: a rollout from the middle of another one
 * goes on as that one did, when it is told that decision; without a word it stood still. */
static void test_decision_before(void **state) {
    (void)state;
    uw_model_config config = recipe_demo();
    config.frameskip = 3;
    for (int encoder = 0; encoder < 2; encoder++) {
        config.action_history = 2;
        if (encoder) config.action_smooth_dim = config.action_hidden_dim = 5;
        world w = world_new(&config);
        float whole[HORIZON * 32], rest[32];
        static const float still[16];
        assert_int_equal(w.dynamics.dims.lead, 1);
        assert_int_equal(roll(&w, 1, w.past, 1, HORIZON), UW_OK);
        memcpy(whole, w.z, HORIZON * w.d * sizeof *whole);
        for (size_t s = 0; s + 1 < HORIZON; s++) {
            assert_int_equal(w.dynamics.rollout(w.dynamics.self, whole + s * w.d, 1,
                                                w.actions + s * w.a, w.actions + (s + 1) * w.a, 1,
                                                1, rest),
                             UW_OK);
            for (size_t i = 0; i < w.d; i++) CHECK_NEAR(rest[i], whole[(s + 1) * w.d + i], 1e-5);
        }
        assert_int_equal(roll(&w, 1, NULL, 1, HORIZON), UW_OK);
        assert_true(fabsf(w.z[0] - whole[0]) > 1e-6f);
        memcpy(whole, w.z, HORIZON * w.d * sizeof *whole);
        assert_int_equal(roll(&w, 1, still, 1, HORIZON), UW_OK);
        for (size_t i = 0; i < HORIZON * w.d; i++) CHECK_NEAR(w.z[i], whole[i], 1e-6);
        world_free(&w);
    }
}

static void test_window(void **state) {
    const uw_model_config config = recipe_lewm_small();
    (void)state;
    check_meaning(&config);
}

/* The residual MLP behind a prediction projector takes the general way. */
static void test_projected(void **state) {
    uw_model_config config = recipe_demo();
    (void)state;
    config.pred_proj_dim = 24;
    check_meaning(&config);
}

static void check_limits(const uw_model_config *config) {
    world w = world_new(config);
    assert_int_equal(w.dynamics.dims.latent_dim, config->latent_dim);
    assert_int_equal(w.dynamics.dims.action_dim, w.a);
    assert_int_equal(w.dynamics.dims.history_size, config->history_size);
    assert_int_equal(w.dynamics.dims.observation_bytes,
                     config->image_size * config->image_size * 3);
    assert_int_equal(roll(&w, 1, NULL, SAMPLES + 1, HORIZON), UW_EINVAL);
    assert_int_equal(roll(&w, 1, NULL, SAMPLES, HORIZON + 1), UW_EINVAL);
    assert_int_equal(roll(&w, 0, NULL, SAMPLES, HORIZON), UW_EINVAL);
    assert_int_equal(roll(&w, (int32_t)w.history + 1, w.past, SAMPLES, HORIZON), UW_EINVAL);
    if (w.history > 1) assert_int_equal(roll(&w, 2, NULL, SAMPLES, HORIZON), UW_EINVAL);
    assert_int_equal(roll(&w, 1, NULL, 0, HORIZON), UW_OK);

    const uw_dynamics_limits good = {.num_samples = 4, .horizon = 2};
    uw_dynamics other;
    const size_t bytes = uw_model_dynamics_memsize(w.model, &good);
    uw_arena block = arena_block(bytes + UW_ALIGN);
    assert_int_equal(
        uw_model_dynamics_init(w.ctx, w.model, &good, false, block.base, bytes - 1, &other),
        UW_ENOMEM);
    assert_int_equal(
        uw_model_dynamics_init(w.ctx, w.model, &good, false, block.base + 8, bytes, &other),
        UW_EINVAL);
    assert_int_equal(uw_model_dynamics_init(w.ctx, w.model, &good, false, NULL, bytes, &other),
                     UW_EINVAL);
    assert_null(other.self);
    const uw_dynamics_limits bad[] = {{.num_samples = 0, .horizon = 2},
                                      {.num_samples = 4, .horizon = 0},
                                      {.num_samples = INT32_MAX, .horizon = 2},
                                      {.num_samples = 4, .horizon = INT32_MAX},
                                      {.num_samples = 4, .horizon = 2, .num_threads = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(uw_model_dynamics_memsize(w.model, &bad[i]), 0);
    free(block.base);
    world_free(&w);
}

/* z-scored actions in a normalised instance are the world's actions in the other. */
static void check_normalised(const uw_model_config *config) {
    world w = world_new(config);
    const uw_dynamics_limits limits = {
        .num_samples = SAMPLES, .horizon = HORIZON, .normalised_actions = true};
    const float *mean = NULL, *std = NULL;
    uw_arena block = arena_block(uw_model_dynamics_memsize(w.model, &limits));
    uw_dynamics other;
    const size_t n = (size_t)SAMPLES * HORIZON * w.a, outputs = (size_t)SAMPLES * HORIZON * w.d;
    float *z = malloc(outputs * sizeof *z);

    assert_int_equal(
        uw_model_dynamics_init(w.ctx, w.model, &limits, false, block.base, block.cap, &other),
        UW_OK);
    assert_int_equal(
        other.rollout(other.self, w.z0, (int32_t)w.history, w.past, w.actions, SAMPLES, HORIZON, z),
        UW_OK);
    uw_model_action_normaliser(w.model, &mean, &std);
    assert_non_null(mean);
    for (size_t i = 0; i < n; i++) w.actions[i] = w.actions[i] * std[i % 2] + mean[i % 2];
    for (size_t i = 0; i < (w.history - 1) * w.a; i++)
        w.past[i] = w.past[i] * std[i % 2] + mean[i % 2];
    assert_int_equal(roll(&w, (int32_t)w.history, w.past, SAMPLES, HORIZON), UW_OK);
    for (size_t i = 0; i < outputs; i++)
        CHECK_NEAR(z[i], w.z[i], 1e-4 * (1.0 + fabs((double)z[i])));
    free(z);
    free(block.base);
    world_free(&w);
}

static void test_normalised(void **state) {
    const uw_model_config demo = recipe_demo(), lewm = recipe_lewm_small();
    (void)state;
    check_normalised(&demo);
    check_normalised(&lewm);
}

static void test_limits(void **state) {
    const uw_model_config demo = recipe_demo(), lewm = recipe_lewm_small();
    (void)state;
    check_limits(&demo);
    check_limits(&lewm);
}

static void check_no_allocation(const uw_model_config *config) {
    world w = world_new(config);
    uint8_t *frame = calloc(w.dynamics.dims.observation_bytes, 1);
    alloc_fail_begin(0); /* the first allocation would also fail */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(w.dynamics.encode(w.dynamics.self, frame, w.z0), UW_OK);
        assert_int_equal(roll(&w, (int32_t)w.history, w.past, SAMPLES, HORIZON), UW_OK);
    }
    const long calls = alloc_calls;
    alloc_fail_end();
    assert_int_equal(calls, 0);
    free(frame);
    world_free(&w);
}

static void test_no_allocation(void **state) {
    const uw_model_config demo = recipe_demo(), lewm = recipe_lewm_small();
    (void)state;
    check_no_allocation(&demo);
    check_no_allocation(&lewm);
}

/* A sensor that reports NaN is told, not planned on. */
static void test_not_finite(void **state) {
    const uw_model_config config = recipe_sensors();
    uw_model_config one = config;
    (void)state;
    one.action_dim = 2;
    world w = world_new(&one);
    float row[3] = {0, NAN, 0}, z[32];
    assert_int_equal(w.dynamics.encode(w.dynamics.self, row, z), UW_ENONFINITE);
    row[1] = 0;
    assert_int_equal(w.dynamics.encode(w.dynamics.self, row, z), UW_OK);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markov),        cmocka_unit_test(test_decision_before),
        cmocka_unit_test(test_window),        cmocka_unit_test(test_projected),
        cmocka_unit_test(test_normalised),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
