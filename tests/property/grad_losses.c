/* Every term of the training loss against central differences, in double, for each kind of network:
 * the gradient by random parameters of every tensor, through the rollout and into the targets. */
#include <math.h>

#include "arena_block.h"
#include "losses.h"
#include "rng.h"

enum { WINDOWS = 5, SAMPLES_PER_TENSOR = 4 };
#define STEP 1e-5

typedef struct fixture {
    uw_train_config config;
    uw_net net;
    uw_kernels kernels;
    uw_arena arena;
    uw_exec exec;
    uw_loss_state *state;
    uw_real *params, *buffers, *grads, *x, *a, *y;
    size_t rows;
} fixture;

static void layout(uw_arena *arena, fixture *f) {
    const size_t moves = WINDOWS * (size_t)(f->config.window - 1);
    f->rows = uw__loss_rows(&f->config, WINDOWS);
    f->exec = uw__exec_layout(arena, &f->kernels, NULL, uw__net_extra_reals(&f->net));
    f->state = uw__loss_layout(arena, &f->net, &f->config, WINDOWS);
    f->params = uw_arena_alloc(arena, f->net.num_params, sizeof(uw_real));
    f->grads = uw_arena_alloc(arena, f->net.num_params, sizeof(uw_real));
    f->buffers = uw_arena_alloc(arena, f->net.num_buffers, sizeof(uw_real));
    f->x = uw_arena_alloc(arena, f->rows * f->net.input_reals, sizeof(uw_real));
    f->a = uw_arena_alloc(arena, moves * (size_t)f->net.action_in, sizeof(uw_real));
    f->y = uw_arena_alloc(arena, f->rows * (size_t)f->net.config.readout_dim, sizeof(uw_real));
}

static void fixture_init(fixture *f, uint64_t seed) {
    uw_err err = {0};
    uw__kernels_init(&f->kernels, 0);
    CHECK_OK(uw__net_init(&f->config.model, &f->net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    layout(&measure, f);
    f->arena = arena_block(measure.used);
    layout(&f->arena, f);
    uw__net_randomise(&f->net, seed, f->params, f->buffers);
    /* Away from the zeros of the initialisation, so that every path carries a gradient. */
    uw_rng r = uw__rng(seed, UW_STREAM_TEST, 0);
    for (size_t i = 0; i < f->net.num_params; i++) {
        f->params[i] += 0.1 * (double)uw__rng_normal(&r);
    }
    for (size_t i = 0; i < f->rows * f->net.input_reals; i++) {
        f->x[i] = (double)uw__rng_normal(&r);
    }
    const size_t moves = WINDOWS * (size_t)(f->config.window - 1);
    for (size_t i = 0; i < moves * (size_t)f->net.action_in; i++) {
        f->a[i] = 2.0 * uw__rng_uniform64(&r) - 1.0;
    }
    for (size_t i = 0; i < f->rows * (size_t)f->net.config.readout_dim; i++) {
        f->y[i] = (double)uw__rng_normal(&r);
    }
}

static void fixture_fini(fixture *f) {
    uw__net_fini(&f->net);
    free(f->arena.base);
}

static double total(fixture *f, uw_losses *l) {
    memset(f->grads, 0, f->net.num_params * sizeof(uw_real));
    uw__loss_gradient(&f->exec, &f->net, &f->config, f->params, f->buffers, f->state, f->x, f->a,
                      f->y, 7, 1.0, f->grads, l);
    return l->total;
}

static void check_gradient(fixture *f, const char *name) {
    const uint64_t seed = check_seed(3);
    double worst = 0.0, largest = 0.0;
    uw_losses l;
    fixture_init(f, seed);
    total(f, &l);
    uw_real *analytic = malloc(f->net.num_params * sizeof *analytic);
    assert_non_null(analytic);
    memcpy(analytic, f->grads, f->net.num_params * sizeof *analytic);
    for (size_t i = 0; i < f->net.num_params; i++) {
        if (fabs(analytic[i]) > largest) largest = fabs(analytic[i]);
    }
    assert_true(largest > 1e-3);

    uw_rng r = uw__rng(seed, UW_STREAM_TEST, 1);
    for (int32_t t = 0; t < f->net.num_tensors; t++) {
        const uw_net_tensor *tensor = &f->net.tensors[t];
        for (int k = 0; k < SAMPLES_PER_TENSOR && !tensor->buffer; k++) {
            const size_t i = tensor->offset + uw__rng_below(&r, (uint32_t)tensor->count);
            const uw_real kept = f->params[i];
            f->params[i] = kept + STEP;
            const double up = total(f, &l);
            f->params[i] = kept - STEP;
            const double down = total(f, &l);
            f->params[i] = kept;
            const double numeric = (up - down) / (2.0 * STEP);
            /* Truncation step^2 f'''/6, rounding eps f / step: both near 1e-10 here. */
            const double bound = 5e-10 * largest + 2e-8 * fabs(numeric);
            const double error = fabs(numeric - analytic[i]);
            if (error / bound > worst) worst = error / bound;
            if (!(error <= bound)) {
                fail_msg("%s: %s[%zu]: gradient %.12g, difference %.12g, replay UW_SEED=%llu", name,
                         tensor->name, i - tensor->offset, analytic[i], numeric,
                         (unsigned long long)seed);
            }
        }
    }
    print_message("%s: worst %.3f of bound, loss %.3f\n", name, worst, l.total);
    free(analytic);
    fixture_fini(f);
}

static uw_train_config small(void) {
    return (uw_train_config){
        .window = 4, .rollout_steps = 3, .sigreg_directions = 21, .sigreg_knots = 17, .seed = 5};
}

static uw_model_config small_conv(void) {
    return (uw_model_config){.input = UW_INPUT_SCALED,
                             .image_size = 8,
                             .action_dim = 2,
                             .frameskip = 1,
                             .history_size = 1,
                             .encoder = UW_ENCODER_CONV,
                             .conv_layers = 2,
                             .conv_channels = {3, 4},
                             .conv_kernel = {4, 3},
                             .conv_stride = {2, 2},
                             .conv_pad = {1, 1},
                             .projector_dim = 7,
                             .latent_dim = 5,
                             .predictor = UW_PREDICTOR_MLP,
                             .predictor_mlp_dim = 9,
                             .inverse_dim = 6};
}

static uw_model_config small_lewm(void) {
    return (uw_model_config){.input = UW_INPUT_IMAGENET,
                             .image_size = 8,
                             .action_dim = 2,
                             .frameskip = 2,
                             .history_size = 3,
                             .encoder = UW_ENCODER_VIT,
                             .vit_patch = 4,
                             .vit_dim = 8,
                             .vit_layers = 1,
                             .vit_heads = 2,
                             .vit_mlp_dim = 12,
                             .projector_dim = 10,
                             .latent_dim = 6,
                             .action_smooth_dim = 3,
                             .action_hidden_dim = 7,
                             .predictor = UW_PREDICTOR_ADALN,
                             .predictor_layers = 2,
                             .predictor_heads = 2,
                             .predictor_head_dim = 4,
                             .predictor_mlp_dim = 11,
                             .pred_proj_dim = 8};
}

/* One term at a time, then together: a wrong sign in one cannot hide behind another. */
static void conv_terms(void **state) {
    (void)state;
    static const char *const names[] = {"prediction", "rollout", "sigreg",
                                        "inverse",    "vicreg",  "all"};
    for (int term = 0; term < 6; term++) {
        const bool all = term == 5;
        fixture f = {.config = small()};
        f.config.model = small_conv();
        f.config.prediction_weight = term == 0 || all ? 1.0f : 0.0f;
        f.config.rollout_weight = term == 1 || all ? 0.7f : 0.0f;
        f.config.sigreg_weight = term == 2 || all ? 3.0f : 0.0f;
        f.config.inverse_weight = term == 3 || all ? 1.3f : 0.0f;
        f.config.vicreg_weight = term == 4 || all ? 0.9f : 0.0f;
        check_gradient(&f, names[term]);
    }
}

/* SIGReg of what differs within an episode. */
static void sigreg_within_episodes(void **state) {
    (void)state;
    fixture f = {.config = small()};
    f.config.model = small_conv();
    f.config.episode_windows = WINDOWS;
    f.config.sigreg_weight = 3.0f;
    check_gradient(&f, "sigreg within an episode");
}

/* BatchNorm in the encoder, single frames behind the windows, labels, and an action that the
 * predictor sees again: what the recipe of pusht adds. */
static void labelled_terms(void **state) {
    (void)state;
    static const char *const names[] = {"normed prediction", "normed rollout", "normed sigreg",
                                        "normed inverse",    "readout",        "labelled, all"};
    for (int term = 0; term < 6; term++) {
        const bool all = term == 5;
        fixture f = {.config = small()};
        f.config.extra_frames = 6;
        f.config.model = small_conv();
        f.config.model.conv_norm = UW_CONV_NORM_BATCH;
        f.config.model.frameskip = 2;
        f.config.model.action_history = 1;
        f.config.model.readout_dim = 3;
        f.config.prediction_weight = term == 0 || all ? 1.0f : 0.0f;
        f.config.rollout_weight = term == 1 || all ? 0.7f : 0.0f;
        f.config.sigreg_weight = term == 2 || all ? 3.0f : 0.0f;
        f.config.inverse_weight = term == 3 || all ? 1.3f : 0.0f;
        f.config.readout_weight = term == 4 || all ? 1.1f : 0.0f;
        check_gradient(&f, names[term]);
    }
}

static void columns_without_actions(void **state) {
    (void)state;
    fixture f = {.config = small()};
    f.config.window = 3;
    f.config.rollout_steps = 2;
    f.config.model = (uw_model_config){.input = UW_INPUT_COLUMNS,
                                       .observe_dim = 6,
                                       .frameskip = 1,
                                       .history_size = 1,
                                       .encoder = UW_ENCODER_MLP,
                                       .mlp_layers = 2,
                                       .mlp_dim = 8,
                                       .latent_dim = 3,
                                       .predictor = UW_PREDICTOR_MLP,
                                       .predictor_mlp_dim = 5};
    f.config.prediction_weight = 1.0f;
    f.config.rollout_weight = 1.0f;
    f.config.sigreg_weight = 0.05f;
    f.config.sigreg_per_step = f.config.sigreg_times_n = true;
    check_gradient(&f, "columns");
}

/* Two views of one thing: couplings of an odd width, which have no projector, and no predictor. */
static void two_views(void **state) {
    (void)state;
    static const char *const names[] = {"alignment", "alignment and vicreg"};
    for (int term = 0; term < 2; term++) {
        fixture f = {.config = small()};
        f.config.window = 2;
        f.config.model = (uw_model_config){.input = UW_INPUT_COLUMNS,
                                           .observe_dim = 5,
                                           .frameskip = 1,
                                           .history_size = 1,
                                           .encoder = UW_ENCODER_COUPLING,
                                           .mlp_layers = 3,
                                           .latent_dim = 5,
                                           .predictor = UW_PREDICTOR_NONE,
                                           .predictor_mlp_dim = 1};
        f.config.prediction_weight = 1.0f;
        f.config.vicreg_weight = term ? 0.5f : 0.0f;
        f.config.sigreg_weight = term ? 0.0f : 0.01f;
        f.config.sigreg_times_n = true;
        check_gradient(&f, names[term]);
    }
}

static void lewm(void **state) {
    (void)state;
    for (int dropout = 0; dropout < 2; dropout++) {
        fixture f = {.config = small()};
        f.config.model = small_lewm();
        f.config.model.dropout = dropout ? 0.2f : 0.0f;
        f.config.prediction_weight = 1.0f;
        f.config.rollout_weight = 0.5f;
        f.config.sigreg_weight = 0.09f;
        f.config.sigreg_per_step = f.config.sigreg_times_n = true;
        check_gradient(&f, dropout ? "lewm, dropout" : "lewm");
    }
}

/* A scale of 1/2 halves the gradient and leaves the reported losses alone: gradient accumulation.
 */
static void scale(void **state) {
    (void)state;
    fixture f = {.config = small()};
    uw_losses whole, half;
    f.config.model = small_conv();
    f.config.prediction_weight = f.config.rollout_weight = f.config.sigreg_weight = 1.0f;
    f.config.inverse_weight = f.config.vicreg_weight = 1.0f;
    fixture_init(&f, 11);
    total(&f, &whole);
    uw_real *once = malloc(f.net.num_params * sizeof *once);
    assert_non_null(once);
    memcpy(once, f.grads, f.net.num_params * sizeof *once);
    /* accumulated onto what is there: two halves make one */
    memset(f.grads, 0, f.net.num_params * sizeof(uw_real));
    for (int i = 0; i < 2; i++) {
        uw__loss_gradient(&f.exec, &f.net, &f.config, f.params, f.buffers, f.state, f.x, f.a, f.y,
                          7, 0.5, f.grads, &half);
    }
    assert_true(whole.total == half.total);
    for (size_t i = 0; i < f.net.num_params; i++) {
        CHECK_NEAR(f.grads[i], once[i], 1e-12 + 1e-10 * fabs(once[i]));
    }
    free(once);
    fixture_fini(&f);
}

/* Few frames of the encoder at a time: the loss of all of them, and its gradient but for the order
 * of sums. */
static void check_chunks(uw_model_config model) {
    uw_losses whole, parts;
    uw_real *once = NULL;
    for (int32_t chunk = 0; chunk < 9; chunk += chunk ? 3 : 1) {
        fixture f = {.config = small()};
        f.config.model = model;
        f.config.encoder_chunk = chunk;
        f.config.prediction_weight = f.config.sigreg_weight = 1.0f;
        fixture_init(&f, 12);
        assert_int_equal(uw__loss_chunk(&f.net, &f.config, WINDOWS),
                         chunk ? (size_t)chunk : f.rows);
        total(&f, chunk ? &parts : &whole);
        if (chunk == 0) {
            once = malloc(f.net.num_params * sizeof *once);
            assert_non_null(once);
            memcpy(once, f.grads, f.net.num_params * sizeof *once);
        } else {
            assert_true(parts.total == whole.total);
            for (size_t i = 0; i < f.net.num_params; i++)
                CHECK_NEAR(f.grads[i], once[i], 1e-13 + 1e-11 * fabs(once[i]));
        }
        fixture_fini(&f);
    }
    free(once);
}

static void chunks(void **state) {
    (void)state;
    check_chunks(small_conv());
    check_chunks(small_lewm());
}

/* Without BatchNorm and regularisers a window does not know the others: micro-batches of one give
 * the gradient of the whole batch, and its loss as their mean. */
static void accumulation(void **state) {
    (void)state;
    fixture f = {.config = small()};
    uw_losses whole, part;
    f.config.model = small_conv();
    f.config.model.projector_dim = 0;
    f.config.prediction_weight = f.config.rollout_weight = f.config.inverse_weight = 1.0f;
    fixture_init(&f, 13);
    total(&f, &whole);
    uw_real *once = malloc(f.net.num_params * sizeof *once);
    assert_non_null(once);
    memcpy(once, f.grads, f.net.num_params * sizeof *once);

    uw_arena measure = UW_ARENA_MEASURE;
    uw__loss_layout(&measure, &f.net, &f.config, 1);
    uw_arena arena = arena_block(measure.used);
    uw_loss_state *one = uw__loss_layout(&arena, &f.net, &f.config, 1);
    const size_t t = (size_t)f.config.window, a = (size_t)f.net.action_block;
    double sum = 0.0;
    memset(f.grads, 0, f.net.num_params * sizeof(uw_real));
    for (size_t w = 0; w < WINDOWS; w++) {
        uw__loss_gradient(&f.exec, &f.net, &f.config, f.params, f.buffers, one,
                          f.x + w * t * f.net.input_reals, f.a + w * (t - 1) * a, NULL, w,
                          1.0 / WINDOWS, f.grads, &part);
        sum += part.total / WINDOWS;
    }
    CHECK_NEAR(sum, whole.total, 1e-13 * whole.total);
    for (size_t i = 0; i < f.net.num_params; i++)
        CHECK_NEAR(f.grads[i], once[i], 1e-13 + 1e-11 * fabs(once[i]));
    free(once);
    free(arena.base);
    fixture_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_terms),     cmocka_unit_test(sigreg_within_episodes),
        cmocka_unit_test(labelled_terms), cmocka_unit_test(columns_without_actions),
        cmocka_unit_test(two_views),      cmocka_unit_test(lewm),
        cmocka_unit_test(scale),          cmocka_unit_test(chunks),
        cmocka_unit_test(accumulation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
