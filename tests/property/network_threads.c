/* The same bits for any number of threads: training passes, encoding, rollouts. */
#include "arena_block.h"
#include "check.h"
#include "model_internal.h"
#include "recipe.h"
#include "rng.h"

/* Everything one training pass leaves behind. */
typedef struct pass {
    uw_net net;
    uw_exec e;
    uw_encode_acts *encode;
    uw_action_acts *action;
    uw_predict_acts *predict;
    float *x, *a, *z, *c, *out, *dz, *dc; /* inputs and results */
    float *params, *buffers, *grads;
    size_t windows, frames;
    uw_arena arena;
} pass;

static void normals(float *x, size_t n, uint64_t stream) {
    uw_rng r = uw__rng(3, UW_STREAM_TEST, stream);
    uw__rng_fill_normal(&r, x, n);
}

static void layout(uw_arena *arena, const uw_context *ctx, pass *p) {
    const size_t rows = p->windows * p->frames, d = (size_t)p->net.config.latent_dim;
    const size_t cond = rows * (size_t)p->net.cond_dim, block = rows * (size_t)p->net.action_block;
    float **latents[] = {&p->z, &p->out, &p->dz};
    p->e = uw__exec_layout(arena, ctx->kernels, ctx->pool, uw__net_extra_reals(&p->net));
    p->encode = uw__encode_layout(arena, &p->net, rows, true);
    p->action = uw__action_layout(arena, &p->net, rows, true);
    p->predict = uw__predict_layout(arena, &p->net, p->windows, p->frames, true);
    for (int i = 0; i < 3; i++) *latents[i] = uw_arena_alloc(arena, rows * d, sizeof(float));
    p->c = uw_arena_alloc(arena, cond, sizeof(float));
    p->dc = uw_arena_alloc(arena, cond, sizeof(float));
    p->a = uw_arena_alloc(arena, block, sizeof(float));
    p->x = uw_arena_alloc(arena, rows * p->net.input_reals, sizeof(float));
    p->params = uw_arena_alloc(arena, p->net.num_params, sizeof(float));
    p->grads = uw_arena_alloc(arena, p->net.num_params, sizeof(float));
    p->buffers = uw_arena_alloc(arena, p->net.num_buffers, sizeof(float));
}

/* Encode, predict with dropout, and go all the way back. */
static pass run(const uw_model_config *config, int32_t threads, size_t windows, size_t frames) {
    pass p = {.windows = windows, .frames = frames};
    const uw_context_options options = {.num_threads = threads};
    const uw_dropout dropout = {.on = true, .seed = 1, .step = 2, .call = 3};
    const size_t rows = windows * frames, d = (size_t)config->latent_dim;
    uw_context *ctx = NULL;
    uw_err err = {0};

    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    CHECK_OK(uw__net_init(config, &p.net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, ctx, &p);
    p.arena = arena_block(measure.used);
    layout(&p.arena, ctx, &p);
    uw__net_randomise(&p.net, 5, p.params, p.buffers);
    normals(p.x, rows * p.net.input_reals, 0);
    normals(p.a, rows * (size_t)p.net.action_block, 1);
    normals(p.dz, rows * d, 2);

    uw__encode_forward(&p.e, &p.net, p.params, p.buffers, p.encode, p.x, rows, true, p.z);
    uw__action_forward(&p.e, &p.net, p.params, p.action, p.a, rows, p.c);
    uw__predict_forward(&p.e, &p.net, p.params, p.buffers, p.predict, p.z, p.c, windows, frames,
                        true, &dropout, p.out);
    uw__predict_backward(&p.e, &p.net, p.params, p.predict, p.out, p.dz, p.dc, p.grads);
    uw__action_backward(&p.e, &p.net, p.params, p.action, p.dc, NULL, p.grads);
    uw__encode_backward(&p.e, &p.net, p.params, p.encode, p.dz, p.grads);
    uw_context_free(ctx);
    return p;
}

static void check_threads(const uw_model_config *config, size_t windows, size_t frames) {
    pass one = run(config, 1, windows, frames);
    double sum = 0.0;
    for (size_t i = 0; i < one.net.num_params; i++)
        sum += (double)one.grads[i] * (double)one.grads[i];
    assert_true(sum > 0.0 && sum < 1e12); /* the gradients are there to be compared */
    for (int32_t threads = 2; threads <= 3; threads++) {
        pass many = run(config, threads, windows, frames);
        const size_t reals = windows * frames * (size_t)config->latent_dim;
        assert_memory_equal(many.z, one.z, reals * sizeof(float));
        assert_memory_equal(many.out, one.out, reals * sizeof(float));
        assert_memory_equal(many.buffers, one.buffers, one.net.num_buffers * sizeof(float));
        assert_memory_equal(many.grads, one.grads, one.net.num_params * sizeof(float));
        uw__net_fini(&many.net);
        free(many.arena.base);
    }
    uw__net_fini(&one.net);
    free(one.arena.base);
}

static void test_demo(void **state) {
    const uw_model_config config = recipe_demo();
    (void)state;
    check_threads(&config, 64, 4);
}

static void test_lewm(void **state) {
    const uw_model_config config = recipe_lewm_small();
    (void)state;
    check_threads(&config, 50, 3); /* 2550 tokens: weight gradients are cut by rows as well */
}

static uw_model *random_model(const uw_model_config *config) {
    uw_net net;
    uw_model *model = NULL;
    uw_err err = {0};
    CHECK_OK(uw__net_init(config, &net, &err), &err);
    float *params = calloc(net.num_params, sizeof *params);
    float *buffers = calloc(net.num_buffers + 1, sizeof *buffers);
    uw__net_randomise(&net, 9, params, buffers);
    for (size_t i = 0; i < net.num_params; i++) params[i] += 0.01f; /* no identity predictor */
    CHECK_OK(uw__model_new(config, params, buffers, NULL, NULL, &model, &err), &err);
    free(params);
    free(buffers);
    uw__net_fini(&net);
    return model;
}

enum { SAMPLES = 150, HORIZON = 4 };

/* Latents of 70 frames and of 150 rollouts, into z. */
static void encode_and_roll(const uw_model *model, int32_t threads, bool parallel, float *z) {
    const uw_model_config *config = uw_model_config_of(model);
    const size_t bytes = (size_t)config->image_size * (size_t)config->image_size * 3;
    const size_t d = (size_t)config->latent_dim, history = (size_t)config->history_size;
    const size_t a = (size_t)config->action_dim * (size_t)config->frameskip;
    const uw_context_options options = {.num_threads = threads};
    const uw_dynamics_limits limits = {
        .num_samples = SAMPLES, .horizon = HORIZON, .num_threads = parallel ? threads : 0};
    uw_context *ctx = NULL;
    uw_dynamics dynamics;
    uw_err err = {0};
    uint8_t *frames = malloc(70 * bytes);
    float *actions = malloc(SAMPLES * HORIZON * a * sizeof *actions);
    float *past = malloc(history * a * sizeof *past);
    uw_rng r = uw__rng(4, UW_STREAM_TEST, 0);

    for (size_t i = 0; i < 70 * bytes; i++) frames[i] = (uint8_t)uw__rng_below(&r, 256);
    normals(actions, SAMPLES * HORIZON * a, 1);
    normals(past, history * a, 2);
    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    CHECK_OK(uw_model_encode(ctx, model, frames, NULL, 70, z, &err), &err);
    uw_arena block = arena_block(uw_model_dynamics_memsize(model, &limits));
    assert_int_equal(
        uw_model_dynamics_init(ctx, model, &limits, parallel, block.base, block.cap, &dynamics),
        UW_OK);
    float z0[16 * 64];
    for (size_t i = 0; i < history; i++) {
        assert_int_equal(dynamics.encode(dynamics.self, frames + i * bytes, z0 + i * d), UW_OK);
        /* one at a time or many: the same latent */
        assert_memory_equal(z0 + i * d, z + i * d, d * sizeof *z);
    }
    assert_int_equal(dynamics.rollout(dynamics.self, z0, (int32_t)history, past, actions, SAMPLES,
                                      HORIZON, z + 70 * d),
                     UW_OK);
    free(block.base);
    free(frames);
    free(actions);
    free(past);
    uw_context_free(ctx);
}

static void check_model(const uw_model_config *config) {
    uw_model *model = random_model(config);
    const size_t reals = (70 + SAMPLES * HORIZON) * (size_t)config->latent_dim;
    float *one = malloc(reals * sizeof *one), *many = malloc(reals * sizeof *many);
    encode_and_roll(model, 1, false, one);
    for (int32_t threads = 2; threads <= 3; threads++) {
        encode_and_roll(model, threads, true, many);
        assert_memory_equal(many, one, reals * sizeof *one);
    }
    free(one);
    free(many);
    uw_model_unload(model);
}

static void test_model_demo(void **state) {
    const uw_model_config config = recipe_demo();
    (void)state;
    check_model(&config);
}

static void test_model_lewm(void **state) {
    const uw_model_config config = recipe_lewm_small();
    (void)state;
    check_model(&config);
}

/* A parallel instance for fewer threads than the context has is refused, not run out of bounds. */
static void test_too_many_threads(void **state) {
    const uw_model_config config = recipe_demo();
    uw_model *model = random_model(&config);
    const uw_context_options options = {.num_threads = 3};
    const uw_dynamics_limits limits = {.num_samples = 8, .horizon = 2, .num_threads = 2};
    uw_context *ctx = NULL;
    uw_dynamics dynamics;
    uw_err err = {0};
    (void)state;
    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    uw_arena block = arena_block(uw_model_dynamics_memsize(model, &limits));
    assert_int_equal(
        uw_model_dynamics_init(ctx, model, &limits, true, block.base, block.cap, &dynamics),
        UW_ENOMEM);
    assert_null(dynamics.self);
    free(block.base);
    uw_context_free(ctx);
    uw_model_unload(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo),
        cmocka_unit_test(test_lewm),
        cmocka_unit_test(test_model_demo),
        cmocka_unit_test(test_model_lewm),
        cmocka_unit_test(test_too_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
