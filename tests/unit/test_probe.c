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

enum { EPISODES = 20, ROWS = 40 };

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

/* Fill one tensor of a network by place. */
static float *tensor(const uw_net *net, float *params, const char *name) {
    const int32_t i = uw__net_find(net, name);
    if (i < 0) fail_msg("%s: no such tensor", name);
    return params + net->tensors[i].offset;
}

/* A model made by hand: z = W x + b of a sensor's numbers, and a predictor that moves z[to] by gain
 * * a[from] per decision, everything else exactly still. */
static uw_model *linear_mover(const char *observe, const char *env, int32_t numbers,
                              const float *weight, float gain) {
    enum { HIDDEN = 16 };
    const uw_model_config config = {.input = UW_INPUT_COLUMNS,
                                    .observe_dim = numbers,
                                    .action_dim = 2,
                                    .frameskip = 1,
                                    .history_size = 1,
                                    .encoder = UW_ENCODER_MLP,
                                    .latent_dim = 4,
                                    .predictor = UW_PREDICTOR_MLP,
                                    .predictor_mlp_dim = HIDDEN};
    uw_err err = {0};
    uw_net net;
    uw_model *model = NULL;
    CHECK_OK(uw__net_init(&config, &net, &err), &err);
    float *numbers_of = calloc(net.num_params + net.num_buffers, sizeof *numbers_of);
    uw__net_randomise(&net, 5, numbers_of, numbers_of + net.num_params);
    float *z = tensor(&net, numbers_of, "projector.net.0.weight");
    memcpy(z, weight, 4 * (size_t)numbers * sizeof *z);
    memset(tensor(&net, numbers_of, "projector.net.0.bias"), 0, 4 * sizeof *z);
    /* W1 picks the actions far in GELU's linear half, W2 hands them on, W3 takes the offset off
     * again */
    const float far = 30.0f;
    float *w1 = tensor(&net, numbers_of, "predictor.net.0.weight");
    float *b1 = tensor(&net, numbers_of, "predictor.net.0.bias");
    float *w2 = tensor(&net, numbers_of, "predictor.net.2.weight");
    float *b2 = tensor(&net, numbers_of, "predictor.net.2.bias");
    float *w3 = tensor(&net, numbers_of, "predictor.net.4.weight");
    float *b3 = tensor(&net, numbers_of, "predictor.net.4.bias");
    memset(w1, 0, HIDDEN * 6 * sizeof *w1);
    memset(b1, 0, HIDDEN * sizeof *b1);
    memset(w2, 0, HIDDEN * HIDDEN * sizeof *w2);
    memset(b2, 0, HIDDEN * sizeof *b2);
    memset(w3, 0, 4 * HIDDEN * sizeof *w3);
    memset(b3, 0, 4 * sizeof *b3);
    for (int a = 0; a < 2; a++) {
        w1[a * 6 + 4 + a] = 1.0f;
        b1[a] = far;
        w2[a * HIDDEN + a] = 1.0f;
        for (int i = 0; i < 4; i++) {
            w3[i * HIDDEN + a] = gain * weight[i * numbers + a];
            b3[i] -= gain * weight[i * numbers + a] * far;
        }
    }
    const uw_provenance from = {.observe = observe, .env = env, .action_repeat = 1};
    CHECK_OK(
        uw__model_new(&config, numbers_of, numbers_of + net.num_params, NULL, &from, &model, &err),
        &err);
    free(numbers_of);
    uw__net_fini(&net);
    return model;
}

static const float mixing[4 * 2] = {1.0f, 0.3f, -0.5f, 0.8f, 0.2f, -0.9f, 0.4f, 0.1f};

/* The state of record_sensors moves by its actions: a predictor that knows it never parts from the
 * recording, and neither a linear model nor a new head does better. */
static void test_drift_knows_a_perfect_model(void **state) {
    (void)state;
    const char *path = tempdir_file("sensors.uw");
    record_sensors(path);
    uw_err err = {0};
    uw_model *perfect = linear_mover("state", "", 2, mixing, 1.0f);
    uw_model *half = linear_mover("state", "", 2, mixing, 0.5f);
    uw_model *wrong = linear_mover("state", "", 2, mixing, -1.0f);
    uw_probe_report *r = malloc(sizeof *r);
    const uw_probe_options options = {.drift_steps = 6, .resamples = 200};
    CHECK_OK(uw_probe_run(ctx, perfect, path, &options, r, &err), &err);
    assert_int_equal(r->horizon, 6);
    for (int k = 0; k < 6; k++) {
        assert_true(r->drift[k].ratio < 1e-6 && r->drift[k].linear_ratio < 1e-4);
        CHECK_NEAR(r->drift[k].rmse, 0.0, 0.05);
        CHECK_NEAR(r->drift[k].persistence_rmse, sqrt(2.0 * (k + 1)), 0.25 * sqrt(2.0 * (k + 1)));
    }
    assert_int_equal(r->limit, UW_LIMIT_ENCODER);    /* there is nothing left to do better */
    assert_true(r->gauges.action_sensitivity > 1.0); /* two random actions are sqrt 2 apart */
    assert_false(r->gauges.alarms & UW_ALARM_DEAF);

    CHECK_OK(uw_probe_run(ctx, half, path, &options, r, &err), &err);
    CHECK_NEAR(r->drift[0].ratio, 0.25, 0.01); /* half the way is left */
    assert_true(r->drift[0].ratio_ci[0] <= 0.2501 && r->drift[0].ratio_ci[1] >= 0.2499);
    assert_true(r->head_gain < 0.5);
    assert_int_equal(r->limit, UW_LIMIT_PREDICTOR);

    CHECK_OK(uw_probe_run(ctx, wrong, path, &options, r, &err), &err);
    assert_int_equal(r->horizon, 0); /* worse than standing still */
    CHECK_NEAR(r->drift[0].ratio, 4.0, 0.05);
    free(r);
    uw_model_unload(perfect);
    uw_model_unload(half);
    uw_model_unload(wrong);
}

/* Sensors with an angle, gaps and what must be left out: state: x, y (px); turn: an angle that
 * winds; sparse: one in ten missing; broken: mostly missing. */
static void record_turning(const char *path, int episodes) {
    uw_err err = {0};
    uw_recorder *rec = NULL;
    const uw_column columns[] = {
        column("state", UW_DTYPE_F32, 2, "px"),      column("turn", UW_DTYPE_F32, 1, "rad"),
        column("seen", UW_DTYPE_F32, 4, ""),         column("sparse", UW_DTYPE_F32, 1, "V"),
        column("broken", UW_DTYPE_F32, 1, ""),       column("steady", UW_DTYPE_F32, 1, ""),
        column("goal_state", UW_DTYPE_F32, 1, "px"), column("action", UW_DTYPE_F32, 2, "")};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    CHECK_OK(uw_recorder_open(path, columns, 8, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(31), UW_STREAM_TEST, 0);
    for (int e = 0; e < episodes; e++) {
        float s[2] = {10.0f * uw__rng_normal(&r), 10.0f * uw__rng_normal(&r)};
        float turn = 6.0f * uw__rng_normal(&r);
        const float goal = uw__rng_normal(&r), steady = 4.0f;
        for (int64_t t = 0; t < 30; t++) {
            const float a[2] = {uw__rng_normal(&r), uw__rng_normal(&r)};
            const float seen[4] = {s[0], s[1], 5.0f * sinf(turn), 5.0f * cosf(turn)};
            const float sparse = t % 10 == 3 ? NAN : s[0] - s[1], broken = t % 10 ? NAN : s[0];
            const void *cells[] = {s, &turn, seen, &sparse, &broken, &steady, &goal, a};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            for (int i = 0; i < 2; i++) s[i] += a[i];
            turn += 0.4f * uw__rng_normal(&r);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

static const uw_probe_row *find_row(const uw_probe_report *r, const char *column) {
    for (int32_t i = 0; i < r->num_probes; i++)
        if (!strcmp(r->probes[i].column, column)) return &r->probes[i];
    fail_msg("%s: not probed", column);
    return NULL;
}

static const uw_excluded *find_excluded(const uw_probe_report *r, const char *column) {
    for (int32_t i = 0; i < r->num_excluded; i++)
        if (!strcmp(r->excluded[i].column, column)) return &r->excluded[i];
    fail_msg("%s: not told", column);
    return NULL;
}

static void test_angles_gaps_and_what_is_left_out(void **state) {
    (void)state;
    const char *path = tempdir_file("turning.uw");
    record_turning(path, 24);
    uw_err err = {0};
    static const float identity[4 * 4] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    uw_model *model = linear_mover("seen", "", 4, identity, 0.0f);
    uw_probe_report *r = malloc(sizeof *r);
    const uw_probe_options options = {.drift_steps = 3, .mlp = true, .resamples = 300};
    CHECK_OK(uw_probe_run(ctx, model, path, &options, r, &err), &err);
    assert_int_equal(r->scored_episodes, 12);

    /* an angle is read through its sine and cosine, however often it winds */
    const uw_probe_row *turn = find_row(r, "turn");
    assert_true(turn->angle);
    CHECK_NEAR(turn->r2, 1.0, 1e-4);
    CHECK_NEAR(turn->degrees, 0.0, 0.5);
    CHECK_NEAR(turn->rmse, 0.0, 0.01);
    const uw_probe_row *x = find_row(r, "state[0]");
    assert_false(x->angle);
    assert_true(isnan(x->degrees));

    /* gaps cost their own rows only */
    const uw_probe_row *sparse = find_row(r, "sparse");
    assert_int_equal(sparse->missing, 24 * 3);
    assert_int_equal(x->missing, 0);
    CHECK_NEAR(sparse->r2, 1.0, 1e-5);
    assert_int_equal(find_excluded(r, "broken")->why, UW_EXCLUDED_GAPS);
    assert_int_equal(find_excluded(r, "broken")->missing, 24 * 27);
    assert_int_equal(find_excluded(r, "steady")->why, UW_EXCLUDED_CONSTANT);
    assert_int_equal(find_excluded(r, "goal_state")->why, UW_EXCLUDED_STILL);

    /* intervals hold the value; controls do not flatter, and what is in the observation is told */
    assert_true(x->r2_ci[0] > 0.999 && x->r2_ci[0] <= x->r2_ci[1] && x->r2_ci[1] <= 1.0 + 1e-12);
    assert_true(x->shuffled_r2 < 0.3 && x->mlp_shuffled_r2 < 0.5);
    assert_true(x->pca_r2 > 0.999 &&
                x->untrained_r2 > 0.99); /* sensors: nothing had to be learned */
    assert_int_equal(r->window_frames, 3);
    CHECK_NEAR(x->window_r2, 1.0, 1e-3);
    assert_true(x->window_mlp_r2 > 0.8);

    /* no world, so nothing can be moved */
    assert_false(r->causal.known);
    assert_non_null(strstr(r->causal.why, "no world"));

    const uw_probe_options quick = {.drift_steps = 3, .quick = true};
    CHECK_OK(uw_probe_run(ctx, model, path, &quick, r, &err), &err);
    x = find_row(r, "state[0]");
    assert_true(isnan(x->pca_r2) && isnan(x->window_r2) && isnan(r->drift[0].linear_ratio));
    free(r);
    uw_model_unload(model);
}

/* What a window knows and a frame does not: the latent sees a position, the number is its speed. */
static void test_windows_see_speed(void **state) {
    (void)state;
    const char *path = tempdir_file("speed.uw");
    uw_err err = {0};
    uw_recorder *rec = NULL;
    const uw_column columns[] = {column("state", UW_DTYPE_F32, 2, "m"),
                                 column("speed", UW_DTYPE_F32, 1, "m/s"),
                                 column("action", UW_DTYPE_F32, 2, "")};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    CHECK_OK(uw_recorder_open(path, columns, 3, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(32), UW_STREAM_TEST, 0);
    for (int e = 0; e < 20; e++) {
        float s[2] = {uw__rng_normal(&r), uw__rng_normal(&r)}, speed = uw__rng_normal(&r);
        for (int t = 0; t < 30; t++) {
            const float a[2] = {0.0f, 0.0f};
            const void *cells[] = {s, &speed, a};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            speed = 0.5f * speed + uw__rng_normal(&r);
            s[0] += speed;
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_model *model = linear_mover("state", "", 2, mixing, 0.0f);
    uw_probe_report *report = malloc(sizeof *report);
    CHECK_OK(uw_probe_run(ctx, model, path, &(uw_probe_options){.drift_steps = 2, .resamples = 100},
                          report, &err),
             &err);
    const uw_probe_row *row = find_row(report, "speed");
    assert_true(row->r2 < 0.3);
    assert_true(row->window_r2 > 0.99);
    assert_true(row->window_r2_ci[0] > 0.9);
    free(report);
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
        /* three main directions of the pixels, and three numbers of fresh weights, tell less */
        assert_true(isfinite(r->probes[i].pca_r2) && r->probes[i].pca_r2 < 0.97);
        assert_true(isfinite(r->probes[i].untrained_r2) && r->probes[i].untrained_r2 < 0.9);
    }
    assert_int_equal(r->geometry.hard_pairs, 512);
    assert_true(r->geometry.hard_rho_path_ci[0] < r->geometry.hard_rho_path &&
                r->geometry.hard_rho_path < r->geometry.hard_rho_path_ci[1]);
    assert_true(r->geometry.stretch_ci[0] < r->geometry.stretch &&
                r->geometry.stretch < r->geometry.stretch_ci[1]);
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

/* Sensors of two_room, the world known: a latent that copies the position answers to edits as the
 * world does; one whose second half is dead to the agent's y answers in x only. */
static void record_positions(const char *path) {
    uw_err err = {0};
    uw_recorder *rec = NULL;
    uw_env *env = NULL;
    const uw_column columns[] = {column("state", UW_DTYPE_F32, 2, "px"),
                                 column("action", UW_DTYPE_F32, 2, "")};
    const uw_dataset_meta meta = {
        .env = "two_room", .policy = "random", .variation = "", .action_repeat = 1};
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    CHECK_OK(uw_recorder_open(path, columns, 2, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    uw_rng r = uw__rng(check_seed(33), UW_STREAM_TEST, 0);
    for (uint64_t e = 0; e < 40; e++) {
        CHECK_OK(uw_env_reset(env, e, NULL, NULL, &err), &err);
        for (int t = 0; t < 12; t++) {
            float s[2];
            const float a[2] = {2.0f * uw__rng_uniform(&r) - 1.0f,
                                2.0f * uw__rng_uniform(&r) - 1.0f};
            place_state(env, s);
            const void *cells[] = {s, a};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
            uw_step step;
            CHECK_OK(uw_env_step(env, a, &step), &err);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    uw_env_free(env);
}

static void test_causal_check(void **state) {
    (void)state;
    const char *path = tempdir_file("positions.uw");
    record_positions(path);
    uw_err err = {0};
    static const float copy[4 * 2] = {0.01f, 0.0f, 0.0f, 0.01f, 0.01f, 0.01f, 0.0f, 0.0f};
    static const float blind[4 * 2] = {0.01f, 0.0f, 0.0f, 0.0f, 0.02f, 0.0f, 0.0f, 0.0f};
    uw_model *knows = linear_mover("state", "two_room", 2, copy, 0.0f);
    uw_model *misses = linear_mover("state", "two_room", 2, blind, 0.0f);
    uw_probe_report *r = malloc(sizeof *r);
    const uw_probe_options options = {.drift_steps = 4, .resamples = 200};
    CHECK_OK(uw_probe_run(ctx, knows, path, &options, r, &err), &err);
    if (!r->causal.known) fail_msg("causal check: %s", r->causal.why);
    assert_true(r->causal.edits > 30);
    /* walls stop the world and not the model: near 1, not 1 */
    assert_true(r->causal.agreement > 0.9);
    assert_true(r->causal.agreement_ci[0] <= r->causal.agreement &&
                r->causal.agreement_ci[0] > 0.8);
    assert_true(r->causal.random < 0.5);
    assert_true(find_row(r, "agent.x")->causal > 0.9 && find_row(r, "agent.y")->causal > 0.9);

    CHECK_OK(uw_probe_run(ctx, misses, path, &options, r, &err), &err);
    assert_true(find_row(r, "agent.x")->causal > 0.9);
    assert_true(find_row(r, "agent.y")->causal < 0.2); /* its y reads nothing */

    /* neither moves what it imagines: a predictor fitted anew does, so the predictor holds them
     * back */
    assert_int_equal(r->limit, UW_LIMIT_PREDICTOR);
    assert_true(r->head_gain_ci[1] < 0.9);
    assert_int_equal(r->horizon, 0);
    uw_model *moves =
        linear_mover("state", "two_room", 2, copy, 5.0f); /* px per step, as the world's */
    CHECK_OK(uw_probe_run(ctx, moves, path, &options, r, &err), &err);
    assert_true(r->limit != UW_LIMIT_PREDICTOR); /* but for the walls, it is the world */
    assert_int_equal(r->horizon, 4);
    assert_true(r->drift[3].ratio_ci[1] < 0.2);
    uw_model_unload(moves);
    free(r);
    uw_model_unload(knows);
    uw_model_unload(misses);
}

static void test_wrong_inputs_are_told(void **state) {
    (void)state;
    const char *path = tempdir_file("rooms.uw");
    record_rooms(path);
    uw_err err = {0};
    uw_probe_report *r = malloc(sizeof *r);
    uw_model *large = picture_model(64), *sensors = linear_model();
    /* a size of pictures is no wrong input: they are fitted to the model's */
    CHECK_OK(uw_probe_run(ctx, large, path, NULL, r, &err), &err);
    r->num_probes = -7;
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
    assert_int_equal(uw_probe_run(ctx, other, path, NULL, r, &err), UW_ESHAPE);
    assert_non_null(strstr(err.text, "stata"));
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
        cmocka_unit_test(test_drift_knows_a_perfect_model),
        cmocka_unit_test(test_angles_gaps_and_what_is_left_out),
        cmocka_unit_test(test_windows_see_speed),
        cmocka_unit_test(test_causal_check),
        cmocka_unit_test(test_geometry_tells_copies_from_torn),
        cmocka_unit_test(test_what_misleads),
        cmocka_unit_test(test_wrong_inputs_are_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
