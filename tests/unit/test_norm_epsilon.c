/* The epsilon of every norm, seen where it matters: rows of tiny variance against the closed form.
 * ViT 1e-12; the predictor's plain norms 1e-6, its affine ones 1e-5; BatchNorm 1e-5. */
#include <math.h>

#include "arena_block.h"
#include "parts.h"
#include "recipe.h"
#include "check.h"

typedef struct fixture {
    uw_context *ctx;
    uw_net net;
    uw_exec e;
    uw_encode_acts *encode;
    uw_predict_acts *predict;
    float *params, *buffers, *x, *z, *c, *out;
    uw_arena arena;
} fixture;

static void layout(uw_arena *arena, fixture *f) {
    const size_t d = (size_t)f->net.config.latent_dim;
    f->e = uw__exec_layout(arena, f->ctx->kernels, f->ctx->pool, uw__net_extra_reals(&f->net));
    f->encode = uw__encode_layout(arena, &f->net, 1, true);
    f->predict = uw__predict_layout(arena, &f->net, 1, 1, true);
    f->params = uw__take(arena, f->net.num_params);
    f->buffers = uw__take(arena, f->net.num_buffers);
    f->x = uw__take(arena, f->net.input_reals);
    f->z = uw__take(arena, d);
    f->c = uw__take(arena, d);
    f->out = uw__take(arena, d);
}

/* All weights 0, the scales of norms 1: every block hands its input on. */
static int setup(void **state) {
    static fixture f;
    const uw_model_config config = recipe_lewm_small();
    const uw_context_options options = {.num_threads = 1};
    uw_err err = {0};
    CHECK_OK(uw_context_new(&options, &f.ctx, &err), &err);
    CHECK_OK(uw__net_init(&config, &f.net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, &f);
    f.arena = arena_block(measure.used);
    layout(&f.arena, &f);
    for (int32_t i = 0; i < f.net.num_tensors; i++) {
        const uw_net_tensor *t = &f.net.tensors[i];
        float *x = (t->buffer ? f.buffers : f.params) + t->offset;
        for (size_t k = 0; k < t->count; k++) x[k] = t->start == UW_START_ONE ? 1.0f : 0.0f;
    }
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    uw__net_fini(&f->net);
    uw_context_free(f->ctx);
    free(f->arena.base);
    return 0;
}

/* Mean 0 and variance size^2. */
static void fill(float *x, size_t n, float size) {
    for (size_t i = 0; i < n; i++) x[i] = i % 2 ? -size : size;
}

static double normed(double size, double eps) {
    return size / sqrt(size * size + eps);
}

static void test_predictor(void **state) {
    fixture *f = *state;
    static const float sizes[] = {1e-5f, 1e-4f, 1e-3f, 1e-2f};
    const size_t d = (size_t)f->net.config.latent_dim;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const double size = (double)sizes[i], plain = normed(size, 1e-6);
        fill(f->z, d, sizes[i]);
        uw__predict_forward(&f->e, &f->net, f->params, f->buffers, f->predict, f->z, f->c, 1, 1,
                            false, NULL, f->out);
        for (int branch = 0; branch < 2; branch++) {
            const uw_adaln_block_acts *b = &f->predict->adaln.block[branch];
            CHECK_NEAR(b->n[branch][0], plain, 2e-6 * plain);
            CHECK_NEAR(b->a[branch][0], normed(plain, 1e-5), 2e-6);
        }
        CHECK_NEAR(f->predict->raw[0], normed(size, 1e-5), 2e-6 * normed(size, 1e-5));
    }
}

static void test_vit(void **state) {
    fixture *f = *state;
    static const float sizes[] = {1e-7f, 1e-6f, 1e-5f};
    const size_t dim = (size_t)f->net.config.vit_dim;
    float *cls = f->params + f->net.tensors[f->net.at_encoder].offset;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const double want = normed((double)sizes[i], 1e-12);
        fill(cls, dim, sizes[i]);
        uw__encode_forward(&f->e, &f->net, f->params, f->buffers, f->encode, f->x, 1, false,
                           f->out);
        const uw_vit_layer_acts *l = f->encode->vit.layer;
        CHECK_NEAR((l[0].x[0] - l[0].mean1[0]) * l[0].rstd1[0], want, 2e-6);
        CHECK_NEAR((l[1].mid[0] - l[1].mean2[0]) * l[1].rstd2[0], want, 2e-6);
        CHECK_NEAR(f->encode->f[0], want, 2e-6);
    }
}

static void test_batchnorm(void **state) {
    fixture *f = *state;
    const int32_t var = uw__net_find(&f->net, "projector.net.1.running_var");
    f->buffers[f->net.tensors[var].offset] = 1e-5f;
    uw__encode_forward(&f->e, &f->net, f->params, f->buffers, f->encode, f->x, 1, false, f->out);
    CHECK_NEAR(f->encode->projector.rstd[0], 1.0 / sqrt(2e-5), 1e-3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_predictor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batchnorm, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
