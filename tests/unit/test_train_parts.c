/* Schedules, AdamW by hand, spectra with known eigenvalues, looks, SIGReg on known clouds,
 * arithmetic counts. */
#include <math.h>

#include "arena_block.h"
#include "augment.h"
#include "internal.h"
#include "losses.h"
#include "feed.h"
#include "settings.h"
#include "optim.h"
#include "rng.h"
#include "sigreg.h"
#include "spectrum.h"

static uw_train_config preset(const char *name) {
    uw_train_config c;
    uw_err err = {0};
    CHECK_OK(uw_train_preset(name, &c, &err), &err);
    return c;
}

/* ---- schedule ------------------------------------------------------------------------------ */

static void recipe_schedule(void **state) {
    (void)state;
    const double pi = 3.14159265358979323846;
    const uw_train_config c = preset("two_room");
    for (int it = 0; it < 900; it += 7) {
        const double rise = it + 1 < 50 ? (it + 1) / 50.0 : 1.0;
        const double want = 2e-3 * rise * (0.98 * 0.5 * (1.0 + cos(pi * it / 900.0)) + 0.02);
        CHECK_NEAR(uw__schedule_lr(&c, it), want, 1e-9);
    }
}

static void lewm_schedule(void **state) {
    (void)state;
    uw_train_config c = preset("lewm");
    assert_true(uw__schedule_lr(&c, 0) == 0.0);
    CHECK_NEAR(uw__schedule_lr(&c, 7000), 2.5e-5, 1e-10);
    CHECK_NEAR(uw__schedule_lr(&c, 14000), 5e-5, 1e-10);
    /* stopped at a tenth of the schedule, the rate is still near its peak */
    CHECK_NEAR(uw__schedule_lr(&c, 139999) / 5e-5, 0.98, 0.01);
    c.schedule_steps = 10;
    c.warmup_steps = 0;
    assert_true(uw__schedule_lr(&c, 10) < 1e-12);
    assert_true(uw__schedule_lr(&c, 1000) < 1e-12);
    c.warmup_steps = 20; /* longer than the schedule: never leaves the warm-up's end */
    assert_true(isfinite(uw__schedule_lr(&c, 25)));
}

/* ---- epochs -------------------------------------------------------------------------------- */

/* Every window once, in another order each epoch and for each seed. */
static void epoch_order(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 5, 64, 65, 1000, 4097};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const uint64_t n = sizes[k];
        uint8_t *seen = calloc(n, 1);
        uint64_t same = 0, fixed = 0;
        assert_non_null(seen);
        for (uint64_t i = 0; i < n; i++) {
            const uint64_t at = uw__epoch_window(3, 0, n, i);
            assert_true(at < n && !seen[at]);
            seen[at] = 1;
            fixed += at == i;
            same += at == uw__epoch_window(3, 1, n, i);
            same += at == uw__epoch_window(4, 0, n, i);
        }
        if (n >= 64) assert_true(fixed < 12 && same < 20); /* one and two by chance */
        free(seen);
    }
}

/* PushT's windows, 10 epochs of 100, as the reference counts them; and short ones. */
static void epochs(void **state) {
    (void)state;
    uw_err err = {0};
    uw_train_config c = preset("lewm");
    CHECK_OK(uw__settings_epochs(&c, 1786973, &err), &err);
    assert_int_equal(c.steps, 139600);
    assert_int_equal(c.schedule_steps, 1396000);
    assert_int_equal(c.warmup_steps, 13960);
    c = preset("lewm");
    c.stop_epoch = 1;
    c.schedule_epochs = 2;
    CHECK_OK(uw__settings_epochs(&c, 128 * 10 + 127, &err), &err);
    assert_int_equal(c.steps, 10);
    assert_int_equal(c.schedule_steps, 20);
    assert_int_equal(c.warmup_steps, 1); /* never none: the first step has rate 0 */
    assert_true(uw__schedule_lr(&c, 0) == 0.0);
    CHECK_OK(uw_train_set(&c, "steps", "7", &err), &err); /* steps count, the schedule stays */
    CHECK_OK(uw__settings_epochs(&c, 128 * 10, &err), &err);
    assert_int_equal(c.steps, 7);
    assert_int_equal(c.schedule_steps, 20);
    CHECK_OK(uw_train_set(&c, "schedule_steps", "70", &err), &err);
    assert_int_equal(c.schedule_epochs, 0);
    c = preset("lewm");
    assert_int_equal(uw__settings_epochs(&c, 127, &err), UW_EINVAL);
    assert_non_null(strstr(err.text, "127"));
    c.stop_epoch = c.schedule_epochs = 1000000;
    assert_int_equal(uw__settings_epochs(&c, 1000000000, &err), UW_EINVAL);
    c = preset("two_room");
    CHECK_OK(uw__settings_epochs(&c, 3, &err), &err);
    assert_int_equal(c.steps, 900);
}

/* ---- AdamW --------------------------------------------------------------------------------- */

static void adamw_by_hand(void **state) {
    (void)state;
    enum { N = 40000 }; /* several blocks and a tail */
    uw_context *ctx[2] = {NULL, NULL};
    uw_err err = {0};
    static float w[2][N], g[N];
    uw_train_config c = preset("two_room");
    c.clip_norm = 0.5f;
    for (int t = 0; t < 2; t++) {
        const uw_context_options options = {.num_threads = t ? 3 : 1};
        CHECK_OK(uw_context_new(&options, &ctx[t], &err), &err);
        uw_arena measure = UW_ARENA_MEASURE;
        uw__optim_layout(&measure, N);
        uw__exec_layout(&measure, ctx[t]->kernels, ctx[t]->pool, 0);
        uw_arena arena = arena_block(measure.used);
        uw_optim o = uw__optim_layout(&arena, N);
        const uw_exec e = uw__exec_layout(&arena, ctx[t]->kernels, ctx[t]->pool, 0);
        double want = 1.0, m = 0.0, v = 0.0;
        for (size_t i = 0; i < N; i++) w[t][i] = 1.0f;
        for (int step = 0; step < 3; step++) {
            for (size_t i = 0; i < N; i++) g[i] = i % 2 ? 0.25f : -0.25f;
            const double norm = uw__optim_norm(&e, &o, g);
            CHECK_NEAR(norm, 0.25 * 200.0, 1e-9);
            uw__optim_step(&e, &o, &c, w[t], g, norm, 1e-2, step);
            for (size_t i = 0; i < N; i++) assert_true(g[i] == 0.0f); /* ready for the next */
            const double clipped = 0.25 * 0.5 / (norm + 1e-6);
            m = 0.9 * m + 0.1 * clipped;
            v = 0.999 * v + 0.001 * clipped * clipped;
            want *= 1.0 - 1e-2 * 1e-3;
            want -= 1e-2 * (m / (1.0 - pow(0.9, step + 1))) /
                    (sqrt(v / (1.0 - pow(0.999, step + 1))) + 1e-8);
            CHECK_NEAR(w[t][1], want, 1e-6);
            CHECK_NEAR(w[t][N - 1], want, 1e-6);
        }
        free(arena.base);
        uw_context_free(ctx[t]);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
}

/* ---- spectrum ------------------------------------------------------------------------------ */

static void jacobi(void **state) {
    (void)state;
    enum { D = 24 };
    static double a[D * D], kept[D * D], values[D], vectors[D * D];
    uw_rng r = uw__rng(check_seed(1), UW_STREAM_TEST, 2);
    for (size_t i = 0; i < D; i++) {
        for (size_t j = i; j < D; j++) {
            a[i * D + j] = a[j * D + i] = (double)uw__rng_normal(&r);
        }
    }
    memcpy(kept, a, sizeof a);
    uw__jacobi_eigen(a, D, values, vectors);
    for (size_t i = 0; i < D; i++) {
        if (i) assert_true(values[i] <= values[i - 1]);
        for (size_t j = 0; j < D; j++) { /* A v = lambda v, and the vectors are orthonormal */
            double av = 0.0, dot = 0.0;
            for (size_t k = 0; k < D; k++) {
                av += kept[j * D + k] * vectors[i * D + k];
                dot += vectors[i * D + k] * vectors[j * D + k];
            }
            CHECK_NEAR(av, values[i] * vectors[i * D + j], 1e-11);
            CHECK_NEAR(dot, i == j ? 1.0 : 0.0, 1e-12);
        }
    }
    double nan_matrix[4] = {NAN, 1.0, 1.0, 2.0}; /* ends, whatever it says */
    uw__jacobi_eigen(nan_matrix, 2, values, NULL);
}

static void effective_rank(void **state) {
    (void)state;
    enum { N = 64, D = 4 };
    float x[N * D] = {0};
    double work[2 * D * D + 4 * D], values[D], rank = -1.0, part = -1.0;
    uw__spectrum(x, N, D, work, values, &rank, &part);
    assert_true(rank == 0.0 && part == 0.0); /* no spread at all */
    for (int i = 0; i < N; i++) {            /* two equal axes: rank 2 exactly */
        x[i * D] = (float)(i % 2 ? 1 : -1) + 5.0f;
        x[i * D + 2] = (float)(i / 2 % 2 ? 1 : -1);
    }
    uw__spectrum(x, N, D, work, values, &rank, &part);
    CHECK_NEAR(rank, 2.0, 1e-9);
    CHECK_NEAR(part, 2.0, 1e-9);
    CHECK_NEAR(values[0], 1.0, 1e-9);
    CHECK_NEAR(values[2], 0.0, 1e-12);
    uw__spectrum(x, 0, D, work, NULL, &rank, &part);
    assert_true(rank == 0.0);
}

/* ---- SIGReg -------------------------------------------------------------------------------- */

static double sigreg_of(const uw_context *ctx, const float *z, size_t n, size_t d, bool times_n,
                        uint64_t step) {
    const uw_sigreg_dims dims = {
        .sets = 1, .n = n, .d = d, .directions = 256, .knots = 17, .times_n = times_n};
    uw_arena measure = UW_ARENA_MEASURE;
    uw__sigreg_layout(&measure, &dims);
    uw__exec_layout(&measure, ctx->kernels, ctx->pool, 0);
    uw_arena arena = arena_block(measure.used);
    uw_sigreg *s = uw__sigreg_layout(&arena, &dims);
    const uw_exec e = uw__exec_layout(&arena, ctx->kernels, ctx->pool, 0);
    uw__sigreg_directions(&e, s, 1, step);
    const double value = uw__sigreg_loss(&e, s, z, 0.0, NULL);
    free(arena.base);
    return value;
}

static void sigreg_clouds(void **state) {
    (void)state;
    enum { N = 512, D = 16 };
    static float z[N * D];
    uw_context *ctx = NULL;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err), &err);
    CHECK_NEAR(sigreg_of(ctx, z, N, D, false, 0), UW_SIGREG_POINT, 1e-6);
    CHECK_NEAR(sigreg_of(ctx, z, N, D, true, 0), UW_SIGREG_POINT * N, 1e-3);
    double mean = 0.0; /* a Gaussian sample scores 1.0525 on average, whatever its size */
    for (uint64_t i = 0; i < 40; i++) {
        uw_rng r = uw__rng(check_seed(4), UW_STREAM_TEST, i);
        uw__rng_fill_normal(&r, z, N * D);
        mean += sigreg_of(ctx, z, N, D, true, i) / 40.0;
    }
    /* sd of one value near 0.16 (K = 16), of the mean of 40 near 0.025: five of them */
    CHECK_NEAR(mean, UW_SIGREG_NULL, 0.13);
    uw_context_free(ctx);
}

/* ---- looks --------------------------------------------------------------------------------- */

static void strength_ramps(void **state) {
    (void)state;
    const uw_train_config c = preset("two_room_robust");
    assert_true(uw__augment_strength(&c, 0.0) == 0.0);
    assert_true(uw__augment_strength(&c, 0.15) == 0.0);
    CHECK_NEAR(uw__augment_strength(&c, 0.375), 0.5, 1e-6);
    assert_true(uw__augment_strength(&c, 0.6f) == 1.0);
    assert_true(uw__augment_strength(&c, 1.0) == 1.0);
}

static void colour_map(void **state) {
    (void)state;
    const uw_colour_map map = {{0.2f, 0.4f, 0.6f}, {0.9f, 0.1f, 0.3f}, {0.5f, 0.7f, 0.8f}};
    uint8_t rgb[12] = {0, 0, 0, 255, 0, 0, 255, 255, 255, 0, 255, 0};
    const uint8_t want[9] = {51, 102, 153, 230, 26, 77, 128, 179, 204};
    uw__colour_map_apply(&map, rgb, 4); /* black, red, white to b, r, w; green stays in the cube */
    for (int i = 0; i < 9; i++) CHECK_NEAR(rgb[i], want[i], 1);

    const uw_train_config c = preset("two_room");
    uw_rng r = uw__rng(1, UW_STREAM_TEST, 0);
    const uw_colour_map id = uw__colour_map_draw(&c, 0.0, &r);
    uint8_t all[3] = {255, 128, 7}, same[3];
    for (int v = 0; v < 256; v++) { /* strength 0 changes no picture of black, red and white */
        memcpy(same, all, 3);
        same[1] = same[2] = (uint8_t)v;
        const uint8_t before = same[1];
        uw__colour_map_apply(&id, same, 1);
        assert_int_equal(same[0], 255);
        assert_int_equal(same[1], before);
    }
}

static void redraw_palettes(void **state) {
    (void)state;
    enum { DRAWS = 4000 };
    const uw_train_config c = preset("two_room_robust");
    uw_redraw d;
    uw_err err = {0};
    double values[UW_MAX_FACTOR_VALUES], floor_mean = 0.0;
    int all_nominal = 0, radius_nominal = 0, low_contrast = 0;
    CHECK_OK(uw__redraw_init("two_room", c.augment_factors, &d, &err), &err);
    const int32_t agent = d.agent, floor_at = d.floor;
    const int32_t radius = uw_env_factor(d.env, "agent.radius", NULL)->offset;
    const int32_t thickness = uw_env_factor(d.env, "wall.thickness", NULL)->offset;
    uw_rng r = uw__rng(check_seed(9), UW_STREAM_TEST, 0);
    for (int i = 0; i < DRAWS; i++) {
        uw__redraw_values(&d, &c, 1.0, d.nominal, &r, values);
        bool nominal = true;
        double contrast = 0.0;
        for (int32_t k = 0; k < d.env->num_values; k++) {
            nominal = nominal && (k == radius || values[k] == d.nominal[k]);
        }
        for (int k = 0; k < 3; k++) {
            const double e = (values[agent + k] - values[floor_at + k]) / 255.0;
            assert_true(values[agent + k] >= 0.0 && values[agent + k] <= 255.0);
            assert_true(values[agent + k] == floor(values[agent + k]));
            contrast += e * e;
        }
        assert_true(values[radius] >= 7.0 && values[radius] <= 14.0);
        assert_true(values[thickness] == d.nominal[thickness]);
        all_nominal += nominal;
        radius_nominal += values[radius] == 7.0;
        low_contrast += sqrt(contrast) < 0.2;
        floor_mean += values[floor_at] / DRAWS;
    }
    /* 0.10 + 0.9 * 0.15^4 and 0.15, binomial: five standard deviations */
    CHECK_NEAR((double)all_nominal / DRAWS, 0.1005, 5.0 * 0.0048);
    CHECK_NEAR((double)radius_nominal / DRAWS, 0.15, 5.0 * 0.0057);
    assert_int_equal(low_contrast, 0);
    assert_true(floor_mean > 150.0 && floor_mean < 235.0); /* between nominal and uniform */

    uw__redraw_values(&d, &c, 0.0, d.nominal, &r, values); /* strength 0: the nominal look */
    assert_memory_equal(values, d.nominal, (size_t)d.env->num_values * sizeof *values);
    assert_int_equal(uw__redraw_init("two_room", "agent.colour", &d, &err), UW_ENOTFOUND);
    assert_non_null(strstr(err.fix, "agent.color"));
    assert_int_equal(uw__redraw_init("two_room", "agent.speed", &d, &err), UW_EINVAL);
    assert_int_equal(uw__redraw_init("", "agent.color", &d, &err), UW_ENOTFOUND);
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

static void flops(void **state) {
    (void)state;
    uw_train_config c = preset("two_room");
    uw_net net;
    uw_err err = {0};
    c.model.action_dim = 2;
    CHECK_OK(uw__net_init(&c.model, &net, &err), &err);
    /* The published count of the recipe: 1.04 GFLOP per step of 64 windows. */
    CHECK_NEAR(64.0 * uw__loss_flops(&net, &c) * 1e-9, 1.04, 0.01);
    uw__net_fini(&net);
    c = preset("lewm");
    c.model.action_dim = 2;
    CHECK_OK(uw__net_init(&c.model, &net, &err), &err);
    /* LeWM: about 5.3 TFLOP per step of 128 windows. */
    CHECK_NEAR(128.0 * uw__loss_flops(&net, &c) * 1e-12, 5.3, 0.15);
    uw__net_fini(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipe_schedule), cmocka_unit_test(lewm_schedule),
        cmocka_unit_test(epoch_order),     cmocka_unit_test(epochs),
        cmocka_unit_test(adamw_by_hand),   cmocka_unit_test(jacobi),
        cmocka_unit_test(effective_rank),  cmocka_unit_test(sigreg_clouds),
        cmocka_unit_test(strength_ramps),  cmocka_unit_test(colour_map),
        cmocka_unit_test(redraw_palettes), cmocka_unit_test(flops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
