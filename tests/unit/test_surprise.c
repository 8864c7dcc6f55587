/* Surprise: false alarms as often as promised, events found where they were put, and honest
 * refusals.
 *
 * The world is the hand model's own, z' = z + 25 a, under noise that is alike within an episode and
 * differs between episodes: steps are not exchangeable here, episodes are. */
#include "check.h"

#include <math.h>
#include <unistd.h>

#include "context.h"
#include "dataset_internal.h"
#include "hand_model.h"
#include "rng.h"
#include "surprise_internal.h"
#include "tempdir.h"

enum { ROWS = 30, MOST = 400 };

/* What is done to a recording. */
typedef struct spoil {
    int64_t episode, row; /* -1: nothing */
    float jump;           /* added to the state from that row on */
    bool gap;             /* instead: NaN in that row */
} spoil;

/* Record episodes number first .. of the noisy world. */
static const char *record(const char *name, uint64_t seed, int64_t episodes, int64_t rows,
                          spoil s) {
    const uw_column columns[2] = {
        {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}}};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    const char *path = tempdir_file(name);
    static float state[MOST][2], action[MOST][2];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, 2, &meta, UW_OPEN_NEW, &rec, &err), &err);
    for (int64_t e = 0; e < episodes; e++) {
        uw_rng r = uw__rng(seed, UW_STREAM_TEST, (uint64_t)e);
        const float size = 0.2f + uw__rng_uniform(&r) * uw__rng_uniform(&r);
        float z[2] = {100, 100}, noise[2] = {0, 0};
        for (int64_t t = 0; t < rows; t++) {
            if (e == s.episode && t == s.row) z[0] += s.jump;
            for (int k = 0; k < 2; k++) {
                state[t][k] = z[k];
                action[t][k] = t == rows - 1 ? NAN : 0.2f * uw__rng_normal(&r);
                noise[k] = 0.7f * noise[k] + size * uw__rng_normal(&r);
                z[k] += 25.0f * (t == rows - 1 ? 0.0f : action[t][k]) + noise[k];
            }
            if (s.gap && e == s.episode && t == s.row) state[t][1] = NAN;
        }
        const void *cells[2] = {state, action};
        CHECK_OK(uw_recorder_episode(rec, NULL, cells, rows, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    return path;
}

static const spoil WHOLE = {-1, 0, 0, false};

static int setup(void **state) {
    if (tempdir_setup(state)) return -1;
    record("calibrate.uw", 1, 60, ROWS, WHOLE);
    return 0;
}

static uw_surprise *calibrated(uw_context *ctx, const uw_model *model, double alpha,
                               int32_t steps) {
    const uw_surprise_options o = {.alpha = alpha, .steps = steps};
    uw_surprise *s = NULL;
    uw_err err = {0};
    CHECK_OK(uw_surprise_calibrate(ctx, model, tempdir_file("calibrate.uw"), &o, &s, &err), &err);
    return s;
}

/* ---- the guarantee
 * ------------------------------------------------------------------------------- */

/* Over many calibrations the false-alarm rate is l / (n + 1) in the mean and Beta(l, n + 1 - l)
 * distributed: uniform scores have the rate 1 - threshold. */
static void test_threshold_keeps_its_promise(void **state) {
    (void)state;
    enum { REPEATS = 4000, N = 59 };
    double scores[N], mean = 0.0;
    int within = 0;
    uw_surprise u = {0};
    uw_err err = {0};
    for (int i = 0; i < REPEATS; i++) {
        uw_rng r = uw__rng(7, UW_STREAM_TEST, (uint64_t)i);
        for (int k = 0; k < N; k++) scores[k] = uw__rng_uniform64(&r);
        CHECK_OK(uw__surprise_threshold(&u, scores, N, 0.05, &err), &err);
        const double rate = 1.0 - u.facts.threshold;
        mean += rate / REPEATS;
        within += rate >= u.facts.rate_low && rate <= u.facts.rate_high;
    }
    /* standard errors: sqrt(.05 .95 / 61 / 4000) = 0.00044 and sqrt(.05 .95 / 4000) = 0.0034 */
    CHECK_NEAR(mean, 0.05, 4 * 0.00044);
    CHECK_NEAR((double)within / REPEATS, 0.95, 4 * 0.0034);
    free(u.largest);
}

/* The 95 % interval of a Beta-binomial count, by summing its law. */
static void beta_binomial(int n, double a, double b, int *low, int *high) {
    double sum = 0.0;
    *low = -1;
    for (int k = 0; k <= n; k++) {
        sum += exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + lgamma(k + a) +
                   lgamma(n - k + b) - lgamma(n + a + b) + lgamma(a + b) - lgamma(a) - lgamma(b));
        if (*low < 0 && sum >= 0.025) *low = k;
        if (sum >= 0.975) {
            *high = k;
            return;
        }
    }
    *high = n;
}

/* Fresh episodes raise alarms as often as the promise says, with correlated steps and episodes of
 * all sizes. */
static void test_false_alarms(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_surprise *u = calibrated(ctx, model, 0.1, 1);
    uw_surprise_report report;
    uw_err err = {0};
    const char *fresh = record("fresh.uw", 2, 300, ROWS, WHOLE);
    CHECK_OK(uw_surprise_run(ctx, model, u, fresh, NULL, &report, &err), &err);
    assert_int_equal(u->facts.episodes, 40);
    assert_int_equal(u->facts.covariance_episodes, 20);
    assert_int_equal(report.alarmed.episodes, 300);
    assert_int_equal(report.steps, 300 * (ROWS - 1));
    assert_int_equal(report.alarms, report.num_events);
    assert_int_equal(report.missing + report.longer, 0);
    int low, high;
    beta_binomial(300, 4, 37, &low, &high); /* l = floor(41 * 0.1) */
    if (report.alarmed.successes < low || report.alarmed.successes > high)
        fail_msg("%d false alarms, wanted %d .. %d", report.alarmed.successes, low, high);
    /* errors in units of their covariance: the mean score is 1 */
    if (!(report.median > 0.1 && report.median < 1.0)) fail_msg("median %g", report.median);
    assert_true(report.median < report.high && report.high <= report.most);
    uw_surprise_report_fini(&report);
    uw_surprise_unload(u);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* ---- events
 * ---------------------------------------------------------------------------------------- */

static void test_jump_is_found(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_surprise *u = calibrated(ctx, model, 0.05, 1);
    uw_surprise_report quiet, loud;
    uw_err err = {0};
    CHECK_OK(uw_surprise_run(ctx, model, u, record("q.uw", 3, 12, ROWS, WHOLE), NULL, &quiet, &err),
             &err);
    CHECK_OK(uw_surprise_run(ctx, model, u,
                             record("l.uw", 3, 12, ROWS, (spoil){5, 10, 30.0f, false}), NULL, &loud,
                             &err),
             &err);
    for (int64_t i = 0; i < quiet.num_events; i++) assert_true(quiet.events[i].episode != 5);
    int64_t found = -1;
    for (int64_t i = 0; i < loud.num_events; i++)
        if (loud.events[i].episode == 5 && found < 0) found = i;
    assert_true(found >= 0);
    assert_int_equal(loud.events[found].step, 10);
    assert_int_equal(loud.events[found].row, 10);
    assert_true(loud.events[found].score > 10.0 * u->facts.threshold);
    assert_int_equal(loud.num_events, quiet.num_events + 1);
    uw_surprise_report_fini(&quiet);
    uw_surprise_report_fini(&loud);
    uw_surprise_unload(u);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* Three decisions ahead: a jump surprises the three predictions across it. */
static void test_steps_ahead(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_surprise *u = calibrated(ctx, model, 0.05, 3);
    uw_surprise_report r;
    uw_err err = {0};
    assert_null(uw_surprise_band(u)); /* a controller looks one decision ahead */
    CHECK_OK(uw_surprise_run(ctx, model, u,
                             record("k.uw", 4, 10, ROWS, (spoil){2, 12, 60.0f, false}), NULL, &r,
                             &err),
             &err);
    assert_int_equal(r.steps, 10 * (ROWS - 3));
    int hit = 0;
    for (int64_t i = 0; i < r.num_events; i++)
        hit += r.events[i].episode == 2 && r.events[i].step >= 12 && r.events[i].step < 15;
    assert_int_equal(hit, 3);
    uw_surprise_report_fini(&r);
    uw_surprise_unload(u);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* A row that is missing has no score, nor has the one after it, and neither is a surprise. */
static void test_gaps(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_surprise *u = calibrated(ctx, model, 0.05, 1);
    uw_surprise_report r;
    uw_err err = {0};
    CHECK_OK(uw_surprise_run(ctx, model, u, record("g.uw", 5, 4, ROWS, (spoil){1, 7, 0.0f, true}),
                             NULL, &r, &err),
             &err);
    assert_int_equal(r.missing, 2);
    assert_int_equal(r.steps, 4 * (ROWS - 1) - 2);
    for (int64_t i = 0; i < r.num_events; i++)
        assert_false(r.events[i].episode == 1 && (r.events[i].step == 7 || r.events[i].step == 8));
    uw_surprise_report_fini(&r);
    /* longer episodes than any that calibrated are told */
    CHECK_OK(
        uw_surprise_run(ctx, model, u, record("long.uw", 6, 3, 2 * ROWS, WHOLE), NULL, &r, &err),
        &err);
    assert_int_equal(r.longer, 3);
    uw_surprise_report_fini(&r);
    uw_surprise_unload(u);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* ---- which episodes
 * -------------------------------------------------------------------------------- */

static void test_too_few_episodes(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_surprise *u = NULL;
    uw_err err = {0};
    const char *few = record("few.uw", 8, 20, ROWS, WHOLE);
    uw_surprise_options o = {.alpha = 0.05};
    assert_int_equal(uw_surprise_calibrate(ctx, model, few, &o, &u, &err), UW_EINVAL);
    assert_null(u);
    if (!strstr(err.text, "wanted 28 episodes to calibrate, got 20")) fail_msg("%s", err.text);
    if (!strstr(err.fix, "--alpha 0.07")) fail_msg("%s", err.fix);
    o.alpha = 0.07;
    CHECK_OK(uw_surprise_calibrate(ctx, model, few, &o, &u, &err), &err);
    uw_surprise_unload(u);
    assert_int_equal(uw_surprise_episodes_needed(0.05), 28);  /* 19 + 9 */
    assert_int_equal(uw_surprise_episodes_needed(0.01), 148); /* 99 + 49 */
    assert_int_equal(uw_surprise_episodes_needed(0.5), 3);    /* 1 + 2 */
    for (int bad = 0; bad < 4; bad++) {
        const uw_surprise_options wrong[] = {
            {.alpha = 1.0}, {.alpha = -0.1}, {.steps = 33}, {.share = 2.0}};
        assert_int_equal(uw_surprise_calibrate(ctx, model, few, &wrong[bad], &u, &err), UW_EINVAL);
    }
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* Without a calibration half of the episodes calibrate and the other half are judged. */
static void test_halves(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_surprise *u = calibrated(ctx, model, 0.05, 1);
    uw_surprise_report r;
    uw_err err = {0};
    CHECK_OK(uw_surprise_run(ctx, model, NULL, tempdir_file("calibrate.uw"), NULL, &r, &err), &err);
    assert_int_equal(r.alarmed.episodes, 30);
    assert_int_equal(r.facts.episodes + r.facts.covariance_episodes, 30);
    uw_surprise_report_fini(&r);
    /* all episodes calibrated: none is left to judge */
    assert_int_equal(uw_surprise_run(ctx, model, u, tempdir_file("calibrate.uw"), NULL, &r, &err),
                     UW_EINVAL);
    uw_surprise_unload(u);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* Of its own training data a model is calibrated on what it held out, and on nothing else. */
static void test_held_out_only(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *plain = hand_model(2, 2, "state"), *trained = NULL;
    uw_dataset *data = NULL;
    uw_surprise *u = NULL;
    uw_err err = {0};
    const char *path = record("own.uw", 9, 100, ROWS, WHOLE);
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    const uw_provenance from = {.dataset_hash = uw_dataset_hash(data),
                                .config_json = "{\"holdout\": 0.5}",
                                .seed = 3,
                                .action_repeat = 1,
                                .observe = "state"};
    CHECK_OK(uw__model_new(&uw__model_net(plain)->config, uw__model_params(plain),
                           uw__model_buffers(plain), NULL, &from, &trained, &err),
             &err);
    CHECK_OK(
        uw_surprise_calibrate(ctx, trained, path, &(uw_surprise_options){.alpha = 0.1}, &u, &err),
        &err);
    assert_true(u->num_used > 35 && u->num_used < 65);
    int64_t held = 0;
    for (int64_t e = 0; e < 100; e++) held += uw__episode_held_out(3, e, 0.5);
    assert_int_equal(u->num_used, held);
    for (int64_t i = 0; i < u->num_used; i++) assert_true(uw__episode_held_out(3, u->used[i], 0.5));
    uw_surprise_unload(u);
    uw_dataset_close(data);
    uw_model_unload(trained);
    uw_model_unload(plain);
    uw_context_free(ctx);
}

/* ---- the file, and the arithmetic
 * ------------------------------------------------------------------ */

static void test_file(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state"), *other = nan_model();
    uw_surprise *u = calibrated(ctx, model, 0.1, 1), *again = NULL;
    uw_err err = {0};
    const char *path = tempdir_file("band.safetensors");
    CHECK_OK(uw_surprise_save(u, path, false, &err), &err);
    assert_int_equal(uw_surprise_save(u, path, false, &err), UW_EEXIST);
    CHECK_OK(uw_surprise_load(path, model, 0.0, &again, &err), &err);
    assert_memory_equal(&again->facts, &u->facts, sizeof u->facts);
    assert_memory_equal(again->whiten, u->whiten, 4 * sizeof(float));
    const uw_band *band = uw_surprise_band(again);
    const float error[2] = {0.5f, -1.0f};
    assert_true(band->threshold == u->facts.threshold);
    assert_true(uw__band_score(band, error) == uw__band_score(&u->band, error));
    uw_surprise_unload(again);
    CHECK_OK(uw_surprise_load(path, model, 0.025, &again, &err), &err); /* 1 of 40 may lie above */
    assert_true(again->facts.threshold == u->largest[39]);
    uw_surprise_unload(again);
    assert_int_equal(uw_surprise_load(path, model, 0.01, &again, &err), UW_EINVAL);
    assert_int_equal(uw_surprise_load(path, other, 0.0, &again, &err), UW_ESHAPE);
    assert_int_equal(uw_surprise_load(tempdir_file("none"), model, 0.0, &again, &err),
                     UW_ENOTFOUND);
    assert_null(again);
    const char *plain = tempdir_file("model.safetensors"); /* a safetensors file of another kind */
    CHECK_OK(uw_model_save(model, plain, false, &err), &err);
    assert_int_equal(uw_surprise_load(plain, model, 0.0, &again, &err), UW_EFORMAT);
    assert_int_equal(truncate(path, 200), 0);
    assert_int_equal(uw_surprise_load(path, model, 0.0, &again, &err), UW_EFORMAT);
    uw_surprise_unload(u);
    uw_model_unload(other);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* W S W' = I, up to the ridge: errors with covariance [4 1; 1 1] + mean (1, -2). */
static void test_whitening(void **state) {
    (void)state;
    enum { N = 20000 };
    static float error[N][2];
    static bool scored[N];
    uw_scatter scatter;
    uw_surprise *u = NULL;
    uw_err err = {0};
    uw_rng r = uw__rng(11, UW_STREAM_TEST, 0);
    for (int i = 0; i < N; i++) {
        const float a = uw__rng_normal(&r), b = uw__rng_normal(&r);
        scored[i] = i % 10 != 3;
        error[i][0] = scored[i] ? 1.0f + 2.0f * a : 1e9f;
        error[i][1] = -2.0f + 0.5f * a + sqrtf(0.75f) * b;
    }
    assert_int_equal(uw__scatter_init(&scatter, 2), UW_OK);
    uw__scatter_add(&scatter, &(uw_track){.length = N, .error = error[0], .scored = scored});
    CHECK_OK(uw__surprise_new(&scatter, &u, &err), &err);
    CHECK_NEAR(u->mean[0], 1.0, 0.05);
    CHECK_NEAR(u->mean[1], -2.0, 0.03);
    CHECK_NEAR(u->whiten[0], 0.5, 0.01);
    CHECK_NEAR(u->whiten[1], 0.0, 0.0);
    CHECK_NEAR(u->whiten[2], -0.25 / sqrt(0.75), 0.02);
    CHECK_NEAR(u->whiten[3], 1.0 / sqrt(0.75), 0.02);
    uw_surprise_unload(u);
    uw__scatter_fini(&scatter);
    /* errors that do not vary scale nothing */
    for (int i = 0; i < N; i++) error[i][0] = error[i][1] = 1.0f, scored[i] = true;
    assert_int_equal(uw__scatter_init(&scatter, 2), UW_OK);
    uw__scatter_add(&scatter, &(uw_track){.length = 64, .error = error[0], .scored = scored});
    assert_int_equal(uw__surprise_new(&scatter, &u, &err), UW_EINVAL);
    assert_null(u);
    uw__scatter_fini(&scatter);
}

static void test_threads_and_misfits(void **state) {
    (void)state;
    uw_context *one = context(1), *two = context(2);
    uw_err err = {0};
    uw_model *model = hand_model(2, 2, "state"), *nan = nan_model(),
             *lost = hand_model(2, 2, "position");
    uw_surprise *a = calibrated(one, model, 0.1, 1), *b = calibrated(two, model, 0.1, 1), *c = NULL;
    assert_memory_equal(a->largest, b->largest, 40 * sizeof *a->largest);
    assert_int_equal(uw_surprise_calibrate(one, lost, tempdir_file("calibrate.uw"), NULL, &c, &err),
                     UW_ESHAPE);
    assert_int_equal(uw_surprise_calibrate(one, nan, tempdir_file("calibrate.uw"), NULL, &c, &err),
                     UW_ENONFINITE);
    assert_null(c);
    uw_surprise_unload(a);
    uw_surprise_unload(b);
    uw_model_unload(model);
    uw_model_unload(nan);
    uw_model_unload(lost);
    uw_context_free(one);
    uw_context_free(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold_keeps_its_promise),
        cmocka_unit_test(test_false_alarms),
        cmocka_unit_test(test_jump_is_found),
        cmocka_unit_test(test_steps_ahead),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_too_few_episodes),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_held_out_only),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_whitening),
        cmocka_unit_test(test_threads_and_misfits),
    };
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
