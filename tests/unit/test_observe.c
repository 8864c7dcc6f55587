/* What the network sees of a picture, against the definitions. */
#include <math.h>

#include "check.h"
#include "net.h"
#include "recipe.h"
#include "rng.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE };

static uw_context *ctx;

static int setup(void **state) {
    const uw_context_options options = {.num_threads = 1};
    uw_err err = {0};
    (void)state;
    return uw_context_new(&options, &ctx, &err) ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    uw_context_free(ctx);
    return 0;
}

/* x [n, SIDE, SIDE, channels]; the caller frees. */
static float *prepare(uw_input input, const uint8_t *frames, size_t n) {
    uw_model_config config = recipe_demo();
    const uw_exec e = {.k = ctx->kernels, .pool = ctx->pool, .num_workers = 1};
    uw_net net;
    uw_err err = {0};
    config.input = input;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    assert_int_equal(net.channels, input == UW_INPUT_FLOOR_RELATIVE ? 4 : 3);
    float *x = malloc(n * net.input_reals * sizeof *x);
    uw__net_prepare(&e, &net, NULL, frames, n, x);
    uw__net_fini(&net);
    return x;
}

/* A floor of one colour with noise on a part of the picture. */
static uint8_t *picture(const uint8_t floor[3], double noisy, uint64_t stream) {
    uint8_t *frame = malloc(PIXELS * 3);
    uw_rng r = uw__rng(6, UW_STREAM_TEST, stream);
    for (size_t i = 0; i < PIXELS; i++) {
        const bool noise = uw__rng_uniform64(&r) < noisy;
        for (size_t c = 0; c < 3; c++)
            frame[3 * i + c] = noise ? (uint8_t)uw__rng_below(&r, 256) : floor[c];
    }
    return frame;
}

static void test_scaled(void **state) {
    const uint8_t floor[3] = {0, 128, 255};
    uint8_t *frame = picture(floor, 1.0, 0);
    float *x = prepare(UW_INPUT_SCALED, frame, 1);
    (void)state;
    for (size_t i = 0; i < PIXELS * 3; i++) CHECK_NEAR(x[i], frame[i] / 127.5 - 1.0, 2.4e-7);
    free(frame);
    free(x);
}

static void test_imagenet(void **state) {
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    const uint8_t floor[3] = {0, 128, 255};
    uint8_t *frame = picture(floor, 1.0, 1);
    float *x = prepare(UW_INPUT_IMAGENET, frame, 1);
    (void)state;
    for (size_t i = 0; i < PIXELS * 3; i++)
        CHECK_NEAR(x[i], (frame[i] / 255.0 - mean[i % 3]) / std[i % 3], 1e-6);
    free(frame);
    free(x);
}

static void test_floor_relative(void **state) {
    const uint8_t floors[3][3] = {{255, 255, 255}, {0, 7, 200}, {0, 0, 0}};
    (void)state;
    for (uint64_t k = 0; k < 3; k++) {
        uint8_t *frame = picture(floors[k], 0.4, 2 + k);
        float *x = prepare(UW_INPUT_FLOOR_RELATIVE, frame, 1);
        for (size_t i = 0; i < PIXELS; i++) {
            double squares = 0.0;
            for (size_t c = 0; c < 3; c++) {
                const double d = (frame[3 * i + c] - floors[k][c]) / 255.0;
                CHECK_NEAR(x[4 * i + c], 2.0 * d, 3e-7);
                squares += d * d;
            }
            CHECK_NEAR(x[4 * i + 3], 2.0 * sqrt(squares), 5e-7);
        }
        free(frame);
        free(x);
    }
}

/* The floor's colour is taken out: a repainted floor under the same offsets looks the same. */
static void test_floor_invariance(void **state) {
    const uint8_t floor[3] = {100, 100, 100};
    uint8_t *frame = picture(floor, 0.0, 9), *other = malloc(PIXELS * 3);
    (void)state;
    for (size_t i = 0; i < 1000; i++) frame[5 * i] = (uint8_t)(frame[5 * i] + i % 50);
    for (size_t i = 0; i < PIXELS * 3; i++) other[i] = (uint8_t)(frame[i] - 60);
    float *a = prepare(UW_INPUT_FLOOR_RELATIVE, frame, 1);
    float *b = prepare(UW_INPUT_FLOOR_RELATIVE, other, 1);
    assert_memory_equal(a, b, PIXELS * 4 * sizeof *a);
    free(frame);
    free(other);
    free(a);
    free(b);
}

/* Each picture has its own median, whatever lies beside it in the batch. */
static void test_batch(void **state) {
    const uint8_t one[3] = {10, 20, 30}, two[3] = {200, 100, 50};
    uint8_t *a = picture(one, 0.3, 20), *b = picture(two, 0.3, 21), *both = malloc(2 * PIXELS * 3);
    (void)state;
    memcpy(both, a, PIXELS * 3);
    memcpy(both + PIXELS * 3, b, PIXELS * 3);
    float *x = prepare(UW_INPUT_FLOOR_RELATIVE, both, 2),
          *xb = prepare(UW_INPUT_FLOOR_RELATIVE, b, 1);
    assert_memory_equal(x + PIXELS * 4, xb, PIXELS * 4 * sizeof *x);
    free(a);
    free(b);
    free(both);
    free(x);
    free(xb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaled),         cmocka_unit_test(test_imagenet),
        cmocka_unit_test(test_floor_relative), cmocka_unit_test(test_floor_invariance),
        cmocka_unit_test(test_batch),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
