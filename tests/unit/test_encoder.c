/* The encoder of inference: what the network's own forward says, for any shape of ViT, any threads
 * and any cut into runs; nothing is allocated, and out-of-range calls are refused. */
#include <math.h>

#include "alloc_fail.h"
#include "arena_block.h"
#include "check.h"
#include "model_internal.h"
#include "random_model.h"
#include "recipe.h"
#include "rng.h"

enum { ROWS = 7 };

static uw_context *context_of(int32_t threads, uw_precision precision) {
    const uw_context_options o = {.num_threads = threads, .precision = precision};
    uw_context *ctx = NULL;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&o, &ctx, &err), &err);
    return ctx;
}

static uint8_t *noise(const uw_model_config *c, size_t rows) {
    const size_t bytes = rows * (size_t)c->image_size * (size_t)c->image_size * 3;
    uint8_t *frames = malloc(bytes);
    uw_rng r = uw__rng(6, UW_STREAM_TEST, 0);
    for (size_t i = 0; i < bytes; i++) frames[i] = (uint8_t)uw__rng_below(&r, 256);
    return frames;
}

/* Latents [ROWS, D] in runs of `step`. */
static void encode(const uw_model *model, int32_t threads, uw_precision precision, int32_t step,
                   const uint8_t *frames, float *z) {
    const uw_model_config *c = uw_model_config_of(model);
    const size_t frame = (size_t)c->image_size * (size_t)c->image_size * 3;
    uw_context *ctx = context_of(threads, precision);
    uw_arena block = arena_block(uw_encoder_memsize(model, step, threads));
    uw_encoder *encoder = NULL;
    assert_int_equal(
        uw_encoder_init(ctx, model, step, threads > 1, block.base, block.cap, &encoder), UW_OK);
    alloc_fail_begin(0);
    for (int32_t at = 0; at < ROWS; at += step) {
        const int32_t n = ROWS - at < step ? ROWS - at : step;
        const uw_status s =
            uw_encoder_run(encoder, frames + (size_t)at * frame, NULL, n, z + at * c->latent_dim);
        assert_int_equal(s, UW_OK);
    }
    alloc_fail_end();
    assert_int_equal(alloc_calls, 0);
    free(block.base);
    uw_context_free(ctx);
}

/* Latents [ROWS, D] by the network's forward. */
static void forward(const uw_model *model, const uint8_t *frames, float *z) {
    const uw_net *net = uw__model_net(model);
    uw_context *ctx = context_of(1, UW_PRECISION_F32);
    uw_arena arena = UW_ARENA_MEASURE;
    uw_exec e = {0};
    uw_encode_acts *acts = NULL;
    float *x = NULL, *buffers = NULL;
    for (int pass = 0; pass < 2; pass++) {
        if (pass) arena = arena_block(arena.used);
        e = uw__exec_layout(&arena, ctx->kernels, NULL, uw__net_extra_reals(net));
        acts = uw__encode_layout(&arena, net, ROWS, false);
        x = uw_arena_alloc(&arena, ROWS * net->input_reals, sizeof *x);
        buffers = uw_arena_alloc(&arena, net->num_buffers, sizeof *buffers);
    }
    memcpy(buffers, uw__model_buffers(model), net->num_buffers * sizeof *buffers);
    uw__net_prepare(&e, net, buffers, frames, ROWS, x);
    uw__encode_forward(&e, net, uw__model_params(model), buffers, acts, x, ROWS, false, z);
    free(arena.base);
    uw_context_free(ctx);
}

static double length(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (b ? (double)b[i] : 0);
        sum += d * d;
    }
    return sqrt(sum);
}

static void check_config(const uw_model_config *config) {
    const size_t reals = ROWS * (size_t)config->latent_dim;
    uw_model *model = random_model(config, 0.05f);
    uint8_t *frames = noise(config, ROWS);
    float *want = calloc(reals, sizeof *want), *z = calloc(reals, sizeof *z);
    float *other = calloc(reals, sizeof *other);
    forward(model, frames, want);
    encode(model, 1, UW_PRECISION_F32, ROWS, frames, z);
    const double size = length(want, NULL, reals);
    assert_true(length(z, want, reals) <= 1e-5 * size);
    for (int32_t threads = 1; threads <= 3; threads++) {
        for (int32_t step = 1; step <= ROWS; step += 3) {
            encode(model, threads, UW_PRECISION_F32, step, frames, other);
            assert_memory_equal(other, z, reals * sizeof *z);
        }
    }
    encode(model, 1, UW_PRECISION_BF16, ROWS, frames, z);
    assert_true(length(z, want, reals) <= 2e-2 * size);
    encode(model, 3, UW_PRECISION_BF16, 4, frames, other);
    assert_memory_equal(other, z, reals * sizeof *z);
    free(frames);
    free(want);
    free(z);
    free(other);
    uw_model_unload(model);
}

static void test_vit(void **state) {
    uw_model_config c = recipe_lewm_small();
    (void)state;
    check_config(&c);
    c.input = UW_INPUT_SCALED;
    c.projector_dim = 0;
    check_config(&c);
    c.vit_layers = 1;
    c.vit_patch = c.image_size; /* two tokens: fewer than threads */
    c.projector_dim = 96;       /* and a hidden layer wider than all of them */
    check_config(&c);
    c.vit_dim = 30; /* heads of ten */
    c.vit_heads = 3;
    c.vit_mlp_dim = 50;
    check_config(&c);
    c.input = UW_INPUT_FLOOR_RELATIVE; /* not the engine's */
    check_config(&c);
}

static void test_conv(void **state) {
    const uw_model_config c = recipe_demo();
    (void)state;
    check_config(&c);
}

/* What uw_model_encode makes for one call is the same encoder. */
static void test_model_encode(void **state) {
    const uw_model_config c = recipe_lewm_small();
    const size_t reals = ROWS * (size_t)c.latent_dim;
    uw_model *model = random_model(&c, 0.05f);
    uw_context *ctx = context_of(2, UW_PRECISION_F32);
    uint8_t *frames = noise(&c, ROWS);
    float *z = calloc(reals, sizeof *z), *other = calloc(reals, sizeof *other);
    uw_err err = {0};
    (void)state;
    encode(model, 1, UW_PRECISION_F32, ROWS, frames, z);
    CHECK_OK(uw_model_encode(ctx, model, frames, NULL, ROWS, other, &err), &err);
    assert_memory_equal(other, z, reals * sizeof *z);
    free(frames);
    free(z);
    free(other);
    uw_context_free(ctx);
    uw_model_unload(model);
}

static void test_limits(void **state) {
    const uw_model_config c = recipe_lewm_small();
    uw_model *model = random_model(&c, 0.05f);
    uw_context *ctx = context_of(2, UW_PRECISION_F32);
    uw_encoder *e = NULL;
    float z[64] = {0};
    const float row[4] = {0};
    uint8_t *frames = noise(&c, 2);
    (void)state;
    assert_int_equal(uw_encoder_memsize(model, 0, 1), 0);
    assert_int_equal(uw_encoder_memsize(model, 1 << 17, 1), 0);
    assert_int_equal(uw_encoder_memsize(model, 1, -1), 0);
    assert_int_equal(uw_encoder_memsize(model, 1, 257), 0);
    uw_arena block = arena_block(uw_encoder_memsize(model, 1, 1));
    assert_int_equal(uw_encoder_init(ctx, model, 0, false, block.base, block.cap, &e), UW_EINVAL);
    assert_int_equal(uw_encoder_init(ctx, model, 1, false, NULL, block.cap, &e), UW_EINVAL);
    assert_int_equal(uw_encoder_init(ctx, model, 1, false, block.base + 4, block.cap - 4, &e),
                     UW_EINVAL);
    assert_int_equal(uw_encoder_init(ctx, model, 1, false, block.base, block.cap - 64, &e),
                     UW_ENOMEM);
    /* measured for one thread, asked for two */
    assert_int_equal(uw_encoder_init(ctx, model, 1, true, block.base, block.cap, &e), UW_ENOMEM);
    assert_null(e);
    assert_int_equal(uw_encoder_init(ctx, model, 1, false, block.base, block.cap, &e), UW_OK);
    assert_int_equal(uw_encoder_run(e, frames, NULL, 2, z), UW_EINVAL);
    assert_int_equal(uw_encoder_run(e, frames, NULL, -1, z), UW_EINVAL);
    assert_int_equal(uw_encoder_run(e, NULL, row, 1, z), UW_EINVAL);
    assert_int_equal(uw_encoder_run(e, frames, row, 1, z), UW_EINVAL);
    assert_int_equal(uw_encoder_run(e, frames, NULL, 0, z), UW_OK);
    assert_int_equal(uw_encoder_run(e, frames, NULL, 1, z), UW_OK);
    free(block.base);
    free(frames);
    uw_context_free(ctx);
    uw_model_unload(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vit),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_model_encode),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
