/* The convolutional encoder fed with bytes against the same fed with prepared pictures: latents in
 * the same bits, gradients but for the order of their sums; inference as training; any number of
 * threads. */
#include <math.h>

#include "arena_block.h"
#include "parts.h"
#include "recipe.h"
#include "rng.h"

enum { ROWS = 21 }; /* not a whole number of groups */

typedef struct pass {
    uw_context *ctx;
    uw_net net;
    uw_exec e;
    uw_encode_acts *encode, *inference;
    uint8_t *frames;
    uw_real *params, *buffers, *x, *z, *dz, *grads;
    uw_arena arena;
} pass;

static void layout(uw_arena *arena, pass *p) {
    const size_t side = (size_t)p->net.config.image_size;
    const size_t latents = ROWS * (size_t)p->net.config.latent_dim;
    p->e = uw__exec_layout(arena, p->ctx->kernels, p->ctx->pool, uw__net_extra_reals(&p->net));
    p->encode = uw__encode_layout_chunked(arena, &p->net, ROWS, 8);
    p->inference = uw__encode_layout(arena, &p->net, ROWS, false);
    p->frames = uw_arena_alloc(arena, ROWS * side * side * 3, 1);
    p->params = uw__take(arena, p->net.num_params);
    p->buffers = uw__take(arena, p->net.num_buffers);
    p->x = uw__take(arena, ROWS * p->net.input_reals);
    p->z = uw__take(arena, latents);
    p->dz = uw__take(arena, latents);
    p->grads = uw__take(arena, p->net.num_params);
}

/* Floors of their own with a few squares; one without anything else, one of noise, and one whose
 * halves make its floor a matter of the last pixel. */
static void draw(uint8_t *frame, size_t side, size_t n, uw_rng *r) {
    const size_t corner = uw__rng_below(r, (uint32_t)side / 2), edge = side / 4;
    uint8_t floor[3], ink[3];
    for (int c = 0; c < 3; c++) floor[c] = (uint8_t)uw__rng_below(r, 256);
    for (int c = 0; c < 3; c++) ink[c] = (uint8_t)uw__rng_below(r, 256);
    for (size_t i = 0; i < side * side; i++, frame += 3) {
        const size_t y = i / side, x = i % side;
        const bool square = y - corner < edge && x - corner < edge && n > 0;
        const bool half = n == 2 && 2 * i >= side * side;
        for (int c = 0; c < 3; c++) {
            frame[c] = square || half ? ink[c] : floor[c];
            if (n == 1) frame[c] = (uint8_t)uw__rng_below(r, 256);
        }
    }
}

static pass start(const uw_model_config *config, int32_t threads) {
    pass p = {.ctx = NULL};
    const uw_context_options options = {.num_threads = threads};
    const size_t bytes = (size_t)(config->image_size * config->image_size) * 3;
    uw_err err = {0};
    uw_rng r = uw__rng(check_seed(8), UW_STREAM_TEST, 0);
    CHECK_OK(uw_context_new(&options, &p.ctx, &err), &err);
    CHECK_OK(uw__net_init(config, &p.net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, &p);
    p.arena = arena_block(measure.used);
    layout(&p.arena, &p);
    uw__net_randomise(&p.net, 3, p.params, p.buffers);
    for (size_t n = 0; n < ROWS; n++) draw(p.frames + n * bytes, (size_t)config->image_size, n, &r);
    uw__rng_fill_normal(&r, p.dz, ROWS * (size_t)config->latent_dim);
    return p;
}

static void stop(pass *p) {
    uw__net_fini(&p->net);
    uw_context_free(p->ctx);
    free(p->arena.base);
}

/* Forward from bytes or from prepared pictures, and back. */
static void run(pass *p, bool frames) {
    if (frames) {
        uw__encode_forward_frames(&p->e, &p->net, p->params, p->buffers, p->encode, p->frames, ROWS,
                                  true, p->z);
    } else {
        uw__net_prepare(&p->e, &p->net, p->buffers, p->frames, ROWS, p->x);
        uw__encode_forward(&p->e, &p->net, p->params, p->buffers, p->encode, p->x, ROWS, true,
                           p->z);
    }
    memset(p->grads, 0, p->net.num_params * sizeof *p->grads);
    uw__encode_backward(&p->e, &p->net, p->params, p->encode, p->dz, p->grads);
}

static void near(const pass *a, const pass *b) {
    for (int32_t i = 0; i < a->net.num_tensors; i++) {
        const uw_net_tensor *t = &a->net.tensors[i];
        double apart = 0.0, size = 0.0;
        for (size_t k = t->offset; !t->buffer && k < t->offset + t->count; k++) {
            const double d = (double)a->grads[k] - (double)b->grads[k];
            apart += d * d;
            size += (double)a->grads[k] * (double)a->grads[k];
        }
        if (sqrt(apart) > 2e-6 * sqrt(size))
            fail_msg("%s: %g of %g", t->name, sqrt(apart), sqrt(size));
    }
}

static void compare(const uw_model_config *config) {
    pass a = start(config, 1), b = start(config, 1), c = start(config, 3);
    const size_t latents = ROWS * (size_t)config->latent_dim * sizeof *a.z;
    assert_true(uw__net_takes_frames(&a.net));
    run(&a, true);
    run(&b, false);
    run(&c, true);
    assert_memory_equal(a.z, b.z, latents);
    assert_memory_equal(a.z, c.z, latents);
    near(&a, &b);
    assert_memory_equal(a.grads, c.grads, a.net.num_params * sizeof *a.grads);

    uw__encode_forward_frames(&a.e, &a.net, a.params, a.buffers, a.inference, a.frames, ROWS, false,
                              a.z);
    uw__encode_forward(&b.e, &b.net, b.params, a.buffers, b.inference, b.x, ROWS, false, b.z);
    assert_memory_equal(a.z, b.z, latents);
    stop(&a), stop(&b), stop(&c);
}

static void scaled(void **state) {
    (void)state;
    const uw_model_config config = recipe_demo();
    compare(&config);
}

static void relative(void **state) {
    (void)state;
    uw_model_config config = recipe_demo();
    config.input = UW_INPUT_FLOOR_RELATIVE;
    compare(&config);
}

/* Pixels at the right and the bottom that no patch holds; patches of 3 and of 1; overlapping ones;
 * a single layer. */
static void odd_sizes(void **state) {
    (void)state;
    static const int32_t layers[][4] = {
        {30, 4, 4, 2}, {31, 3, 3, 2}, {9, 1, 1, 2}, {33, 5, 2, 3}, {34, 8, 8, 1}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        uw_model_config config = recipe_demo();
        config.input = UW_INPUT_FLOOR_RELATIVE;
        config.image_size = layers[i][0];
        config.conv_kernel[0] = layers[i][1];
        config.conv_stride[0] = layers[i][2];
        config.conv_layers = layers[i][3];
        compare(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scaled), cmocka_unit_test(relative),
                                       cmocka_unit_test(odd_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
