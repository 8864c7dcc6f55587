/* A whole probe run on recorded files: a linear encoder of the state must be read perfectly, noise
 * not at all, and a predictor that predicts no change must drift exactly like persistence. */
#include "check.h"
#include "place.h"

#include <math.h>

#include <umwelt/dataset.h>
#include <umwelt/env.h>
#include <umwelt/probe.h>

#include "model_internal.h"
#include "rng.h"
#include "tempdir.h"

enum { EPISODES = 12, ROWS = 40 };

static uw_context *ctx;

static int setup(void **state) {
    uw_err err = {0};
    if (tempdir_setup(state)) return -1;
    return uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err);
}

static int teardown(void **state) {
    uw_context_free(ctx);
    return tempdir_teardown(state);
}

static uw_column column(const char *name, uw_dtype dtype, int64_t n, const char *unit) {
    uw_column c = {.dtype = dtype, .num_dims = 1, .shape = {n}};
    snprintf(c.name, sizeof c.name, "%s", name);
    snprintf(c.unit, sizeof c.unit, "%s", unit);
    return c;
}

/* Sensors that walk about: state (2), noise (1, double), goal (constant per episode), steady
 * (constant). */
static void record_sensors(const char *path) {
    uw_err err = {0};
    uw_recorder *rec = NULL;
    const uw_column columns[] = {
        column("noise", UW_DTYPE_F64, 1, "V"), column("state", UW_DTYPE_F32, 2, "m"),
        column("action", UW_DTYPE_F32, 2, ""), column("goal_state", UW_DTYPE_F32, 2, "m"),
        column("steady", UW_DTYPE_F32, 1, ""), column("count", UW_DTYPE_I64, 1, "")};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    CHECK_OK(uw_recorder_open(path, columns, 6, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(11), UW_STREAM_TEST, 0);
    for (int e = 0; e < EPISODES; e++) {
        float s[2] = {10.0f * uw__rng_normal(&r), 10.0f * uw__rng_normal(&r)};
        const float goal[2] = {uw__rng_normal(&r), uw__rng_normal(&r)}, steady = 4.0f;
        for (int64_t t = 0; t < ROWS; t++) {
            const double noise = (double)uw__rng_normal(&r);
            const float last = t == ROWS - 1 ? NAN : 0.0f;
            const float a[2] = {uw__rng_normal(&r) + last, uw__rng_normal(&r) + last};
            const void *cells[] = {&noise, s, a, goal, &steady, &t};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            for (int i = 0; i < 2; i++) s[i] += isnan(a[i]) ? 0.0f : a[i];
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

static uw_model *make_model(uw_model_config config, const char *observe, const char *env) {
    uw_err err = {0};
    uw_net net;
    uw_model *model = NULL;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *numbers = calloc(net.num_params + net.num_buffers, sizeof *numbers);
    uw__net_randomise(&net, 5, numbers, numbers + net.num_params);
    const uw_provenance from = {.observe = observe, .env = env, .action_repeat = 1};
    CHECK_OK(uw__model_new(&config, numbers, numbers + net.num_params, NULL, &from, &model, &err),
             &err);
    free(numbers);
    uw__net_fini(&net);
    return model;
}

/* z = W state + b: nothing but a rotation and stretch of two numbers into four. */
static uw_model *linear_model(void) {
    return make_model((uw_model_config){.input = UW_INPUT_COLUMNS,
                                        .observe_dim = 2,
                                        .action_dim = 2,
                                        .frameskip = 1,
                                        .history_size = 1,
                                        .encoder = UW_ENCODER_MLP,
                                        .latent_dim = 4,
                                        .predictor = UW_PREDICTOR_MLP,
                                        .predictor_mlp_dim = 16},
                      "state", "");
}

static void test_linear_encoder_is_read(void **state) {
    (void)state;
    const char *path = tempdir_file("sensors.uw");
    record_sensors(path);
    uw_err err = {0};
    uw_model *model = linear_model();
    uw_probe_report *r = malloc(sizeof *r);
    const uw_probe_options options = {.drift_steps = 5, .mlp = true};
    CHECK_OK(uw_probe_run(ctx, model, path, &options, r, &err), &err);

    /* the state first, then the file's order; no action, no goal that stands still, no constant */
    assert_int_equal(r->num_probes, 3);
    assert_string_equal(r->probes[0].column, "state[0]");
    assert_string_equal(r->probes[1].column, "state[1]");
    assert_string_equal(r->probes[2].column, "noise");
    assert_string_equal(r->probes[0].unit, "m");
    for (int i = 0; i < 2; i++) {
        CHECK_NEAR(r->probes[i].r2, 1.0, 1e-5);
        CHECK_NEAR(r->probes[i].r, 1.0, 1e-5);
        CHECK_NEAR(r->probes[i].rmse, 0.0, 0.02);
        assert_true(r->probes[i].mlp_r2 > 0.95);
        assert_true(r->probes[i].shuffled_r2 < 0.5);
    }
    assert_true(r->probes[2].r2 < 0.1);
    assert_int_equal(r->rows, EPISODES * ROWS);
    assert_int_equal(r->episodes, EPISODES);

    /* two numbers in, so rank two out */
    assert_int_equal(r->num_eigenvalues, 4);
    assert_true(r->effective_rank > 1.0 && r->effective_rank <= 2.0 + 1e-6);
    assert_true(r->eigenvalues[2] < 1e-6 * r->eigenvalues[0]);

    /* the untrained predictor adds exactly nothing */
    assert_int_equal(r->num_drift, 5);
    for (int k = 0; k < 5; k++) {
        assert_int_equal(r->drift[k].step, k + 1);
        CHECK_NEAR(r->drift[k].ratio, 1.0, 1e-9);
        /* k steps of two independent unit normals: sqrt(2 k) metres away */
        CHECK_NEAR(r->drift[k].rmse, sqrt(2.0 * (k + 1)), 0.25 * sqrt(2.0 * (k + 1)));
    }
    assert_false(r->geometry.known);
    free(r);
    uw_model_unload(model);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    const char *path = tempdir_file("sensors.uw");
    record_sensors(path);
    uw_model *model = linear_model();
    uw_probe_report *first = calloc(1, sizeof *first), *r = calloc(1, sizeof *r);
    for (int threads = 1; threads <= 3; threads++) {
        uw_err err = {0};
        uw_context *mine = NULL;
        CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = threads}, &mine, &err), &err);
        const uw_probe_options options = {.mlp = true, .seed = 3};
        CHECK_OK(uw_probe_run(mine, model, path, &options, threads == 1 ? first : r, &err), &err);
        if (threads > 1) assert_memory_equal(r, first, sizeof *r);
        uw_context_free(mine);
    }
    free(first);
    free(r);
    uw_model_unload(model);
}

/* A predictor with a memory starts from as many frames and moves on its own predictions. */
static void test_drift_with_history(void **state) {
    (void)state;
    const char *path = tempdir_file("sensors.uw");
    record_sensors(path);
    uw_err err = {0};
    uw_model *model = make_model((uw_model_config){.input = UW_INPUT_COLUMNS,
                                                   .observe_dim = 2,
                                                   .action_dim = 2,
                                                   .frameskip = 2,
                                                   .history_size = 3,
                                                   .encoder = UW_ENCODER_MLP,
                                                   .latent_dim = 8,
                                                   .action_smooth_dim = 4,
                                                   .action_hidden_dim = 16,
                                                   .predictor = UW_PREDICTOR_ADALN,
                                                   .predictor_layers = 1,
                                                   .predictor_heads = 2,
                                                   .predictor_head_dim = 4,
                                                   .predictor_mlp_dim = 16},
                                 "state", "");
    uw_probe_report *r = malloc(sizeof *r);
    const uw_probe_options options = {.drift_steps = UW_MAX_DRIFT_STEPS};
    CHECK_OK(uw_probe_run(ctx, model, path, &options, r, &err), &err);
    /* 40 rows hold 19 pairs of rows; two of them are the history before the first decision */
    assert_int_equal(r->num_drift, 17);
    for (int k = 0; k < r->num_drift; k++) {
        assert_true(isfinite(r->drift[k].error) && r->drift[k].error > 0.0);
        assert_true(r->drift[k].persistence > 0.0 && isfinite(r->drift[k].rmse));
    }
    free(r);
    uw_model_unload(model);
}

/* ---- pictures ------------------------------------------------------------------------------- */

enum { SIZE = 32 };

static void record_rooms(const char *path) {
    uw_err err = {0};
    uw_recorder *rec = NULL;
    uw_env *env = NULL;
    uw_column columns[] = {{.name = "pixels",
                            .dtype = UW_DTYPE_U8,
                            .num_dims = 3,
                            .shape = {SIZE, SIZE, 3},
                            .codec = UW_CODEC_RAW},
                           column("action", UW_DTYPE_F32, 2, ""),
                           column("state", UW_DTYPE_F32, 2, "px")};
    const uw_dataset_meta meta = {
        .env = "two_room", .policy = "random", .variation = "", .action_repeat = 1};
    static uint8_t rgb[SIZE * SIZE * 3];
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    CHECK_OK(uw_recorder_open(path, columns, 3, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(12), UW_STREAM_TEST, 0);
    for (uint64_t e = 0; e < EPISODES; e++) {
        CHECK_OK(uw_env_reset(env, e, NULL, NULL, &err), &err);
        for (int t = 0; t < ROWS; t++) {
            float s[2];
            const float a[2] = {2.0f * uw__rng_uniform(&r) - 1.0f,
                                2.0f * uw__rng_uniform(&r) - 1.0f};
            place_state(env, s);
            uw_env_render(env, SIZE, rgb);
            const void *cells[] = {rgb, a, s};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            uw_step step;
            for (int k = 0; k < 5; k++) CHECK_OK(uw_env_step(env, a, &step), &err);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_env_free(env);
}

static uw_model *picture_model(int32_t size) {
    return make_model((uw_model_config){.input = UW_INPUT_SCALED,
                                        .image_size = size,
                                        .action_dim = 2,
                                        .frameskip = 2,
                                        .history_size = 1,
                                        .encoder = UW_ENCODER_CONV,
                                        .conv_layers = 2,
                                        .conv_channels = {8, 8},
                                        .conv_kernel = {4, 3},
                                        .conv_stride = {4, 2},
                                        .conv_pad = {0, 1},
                                        .projector_dim = 32,
                                        .latent_dim = 8,
                                        .predictor = UW_PREDICTOR_MLP,
                                        .predictor_mlp_dim = 16},
                      "pixels", "two_room");
}

/* Fill one tensor of a network by place. */
static float *tensor(const uw_net *net, float *params, const char *name) {
    const int32_t i = uw__net_find(net, name);
    if (i < 0) fail_msg("%s: no such tensor", name);
    return params + net->tensors[i].offset;
}

/* A model made by hand: one 1x1 convolution that sees only the red agent, then the centroid of what
 * it sees as latent; torn adds a third number, `torn` pixels apart between the left and the right
 * room. */
static uw_model *centroid_model(float torn) {
    const uw_model_config config = {.input = UW_INPUT_SCALED,
                                    .image_size = SIZE,
                                    .action_dim = 2,
                                    .frameskip = 2,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_CONV,
                                    .conv_layers = 1,
                                    .conv_channels = {1},
                                    .conv_kernel = {1},
                                    .conv_stride = {1},
                                    .latent_dim = 3,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = 16};
    uw_err err = {0};
    uw_net net;
    uw_model *model = NULL;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *numbers = calloc(net.num_params + net.num_buffers, sizeof *numbers);
    uw__net_randomise(&net, 5, numbers, numbers + net.num_params);
    float *w = tensor(&net, numbers, "encoder.conv.0.weight");
    w[0] = 5.0f, w[1] = -5.0f, w[2] = 0.0f; /* white, black: 0; red: 10 */
    tensor(&net, numbers, "encoder.conv.0.bias")[0] = 0.0f;
    float *z = tensor(&net, numbers, "projector.net.0.weight");
    for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
            const int at = y * SIZE + x;
            z[at] = (float)x;
            z[SIZE * SIZE + at] = (float)y;
            z[2 * SIZE * SIZE + at] = 2 * x < SIZE ? 0.0f : torn * (float)SIZE / 224.0f;
        }
    }
    memset(tensor(&net, numbers, "projector.net.0.bias"), 0, 3 * sizeof *z);
    const uw_provenance from = {.observe = "pixels", .env = "two_room", .action_repeat = 5};
    CHECK_OK(uw__model_new(&config, numbers, numbers + net.num_params, NULL, &from, &model, &err),
             &err);
    free(numbers);
    uw__net_fini(&net);
    return model;
}

static void test_geometry_tells_copies_from_torn(void **state) {
    (void)state;
    const char *path = tempdir_file("rooms.uw");
    record_rooms(path);
    uw_err err = {0};
    uw_model *copy = centroid_model(0.0f), *torn = centroid_model(500.0f);
    uw_probe_report *r = malloc(sizeof *r);
    const uw_probe_options options = {.max_rows = 200, .drift_steps = 30};
    CHECK_OK(uw_probe_run(ctx, copy, path, &options, r, &err), &err);
    assert_int_equal(r->num_probes, 2);
    assert_string_equal(r->probes[0].column, "agent.x");
    assert_string_equal(r->probes[0].unit, "px");
    for (int i = 0; i < 2; i++) {
        assert_true(r->probes[i].r2 > 0.99);
        assert_true(isnan(r->probes[i].mlp_r2));
    }
    assert_int_equal(r->rows, 200);
    assert_int_equal(r->num_drift, 19); /* 40 rows hold 19 decisions of two rows */
    assert_true(r->geometry.known);
    assert_true(r->geometry.rho_euclid > 0.99);      /* it copies positions, */
    assert_true(r->geometry.hard_rho_euclid > 0.99); /* across the wall too */
    assert_true(r->geometry.hard_rho_path < 0.9);
    assert_true(uw_geometry_misleads(&r->geometry));
    CHECK_NEAR(r->geometry.stretch, 1.0, 0.1);

    CHECK_OK(uw_probe_run(ctx, torn, path, &options, r, &err), &err);
    /* 500 px more on the 25 px across the wall, less what the blurred edge of the agent takes */
    assert_true(r->geometry.stretch > 5.0);
    assert_true(r->geometry.rho_path > r->geometry.rho_euclid);
    free(r);
    uw_model_unload(copy);
    uw_model_unload(torn);
}

static void test_wrong_inputs_are_told(void **state) {
    (void)state;
    const char *path = tempdir_file("rooms.uw");
    record_rooms(path);
    uw_err err = {0};
    uw_probe_report *r = malloc(sizeof *r);
    uw_model *large = picture_model(64), *sensors = linear_model();
    r->num_probes = -7;
    assert_int_equal(uw_probe_run(ctx, large, path, NULL, r, &err), UW_ESHAPE);
    assert_non_null(strstr(err.text, "wanted 64x64x3, got 32x32x3"));
    assert_int_equal(uw_probe_run(ctx, large, "/nowhere.uw", NULL, r, &err), UW_ENOTFOUND);
    const uw_probe_options deep = {.drift_steps = UW_MAX_DRIFT_STEPS + 1};
    assert_int_equal(uw_probe_run(ctx, sensors, path, &deep, r, &err), UW_EINVAL);
    assert_int_equal(r->num_probes, -7); /* untouched */
    uw_model_unload(large);
    uw_model_unload(sensors);
    uw_model *other = make_model((uw_model_config){.input = UW_INPUT_COLUMNS,
                                                   .observe_dim = 2,
                                                   .action_dim = 2,
                                                   .frameskip = 1,
                                                   .history_size = 1,
                                                   .encoder = UW_ENCODER_MLP,
                                                   .latent_dim = 4,
                                                   .predictor = UW_PREDICTOR_MLP,
                                                   .predictor_mlp_dim = 16},
                                 "stata", "");
    assert_int_equal(uw_probe_run(ctx, other, path, NULL, r, &err), UW_ENOTFOUND);
    assert_non_null(strstr(err.fix, "state"));
    uw_model_unload(other);
    free(r);
}

static void test_what_misleads(void **state) {
    (void)state;
    const struct {
        uw_geometry g;
        bool misleads;
    } cases[] = {
        {{.known = true, .hard_rho_path = 0.37, .hard_rho_euclid = 0.11}, false},
        {{.known = true, .hard_rho_path = 0.54, .hard_rho_euclid = 0.82}, true},
        {{.known = true, .hard_rho_path = -0.19, .hard_rho_euclid = -0.22}, true},
        {{.known = true, .hard_rho_path = NAN, .hard_rho_euclid = NAN}, true}, /* it collapsed */
        {{.known = false, .hard_rho_path = NAN, .hard_rho_euclid = NAN}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(uw_geometry_misleads(&cases[i].g), cases[i].misleads);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_encoder_is_read),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_drift_with_history),
        cmocka_unit_test(test_geometry_tells_copies_from_torn),
        cmocka_unit_test(test_what_misleads),
        cmocka_unit_test(test_wrong_inputs_are_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
