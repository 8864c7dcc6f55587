/* One seed, one result: for 1, 2 and 3 threads, and after stops at random steps and resumes,
 * weights and log are the same bytes; for the recipe with redrawn frames and for a small LeWM with
 * every loss. */
#include "internal.h"
#include "rng.h"
#include "run_files.h"
#include "tempdir.h"
#include "tiny_run.h"

enum { STEPS = 12 };

/* Stops the run when `left` more steps were done; counts what it was told. */
typedef struct stopper {
    int left;
    int64_t last, total;
} stopper;

static bool progress(void *cookie, const char *what, int64_t done, int64_t total) {
    stopper *s = cookie;
    assert_string_equal(what, "train");
    s->last = done;
    s->total = total;
    return --s->left != 0;
}

/* stop_after 0: run to the end. */
static uw_status run(const uw_train_config *config, const char *name, int32_t threads,
                     int stop_after, bool resume, uw_train_result *out) {
    const int32_t steps = config->steps + config->predictor_steps;
    stopper s = {.left = stop_after, .total = steps};
    const uw_context_options options = {.num_threads = threads, .progress = progress, .cookie = &s};
    uw_context *ctx = NULL;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    const uw_status status = uw_train_run(ctx, tempdir_file("data.uw"), tempdir_file(name), config,
                                          resume, false, out, &err);
    uw_context_free(ctx);
    if (status && status != UW_EINTERRUPTED) fail_msg("%s: %d: %s", name, status, err.text);
    if (!config->stop_epoch) assert_int_equal(s.total, steps);
    return status;
}

static void check_files(const char *a, const char *b) {
    char events[2][600];
    snprintf(events[0], sizeof events[0], "%s/%s/events.out.tfevents.train", tempdir_path, a);
    snprintf(events[1], sizeof events[1], "%s/%s/events.out.tfevents.train", tempdir_path, b);
    if (!same_events(events[0], events[1])) fail_msg("the events of %s and %s differ", a, b);
    static const char *const names[] = {"model.safetensors", "log.csv"};
    for (size_t i = 0; i < 2; i++) {
        char one[128], two[128];
        snprintf(one, sizeof one, "%s/%s", a, names[i]);
        snprintf(two, sizeof two, "%s/%s", b, names[i]);
        if (!same_file(tempdir_file(one), tempdir_file(two)))
            fail_msg("%s and %s differ", one, two);
    }
}

static void same_bits(const uw_train_config *config, const char *kind) {
    uw_train_result whole, r;
    uw_rng rng = uw__rng(check_seed(21), UW_STREAM_TEST, 0);
    char base[64], name[64];
    snprintf(base, sizeof base, "%s-1", kind);
    assert_int_equal(run(config, base, 1, 0, false, &whole), UW_OK);
    assert_int_equal(whole.steps, STEPS);
    assert_false(whole.resumed);
    assert_true(whole.flops > 0.0 && whole.loss > 0.0);

    for (int32_t threads = 2; threads <= 3; threads++) {
        snprintf(name, sizeof name, "%s-%d", kind, threads);
        assert_int_equal(run(config, name, threads, 0, false, &r), UW_OK);
        assert_string_equal(r.tensors_sha256, whole.tensors_sha256);
        check_files(base, name);
    }
    for (int repeat = 0; repeat < 3; repeat++) {
        int stops = 0;
        snprintf(name, sizeof name, "%s-stop-%d", kind, repeat);
        for (;;) { /* one to four steps at a time, on one to three threads */
            const int after = 1 + (int)uw__rng_below(&rng, 4);
            const int32_t threads = 1 + (int32_t)uw__rng_below(&rng, 3);
            if (!run(config, name, threads, after, stops > 0, &r)) break;
            assert_true(++stops <= STEPS);
        }
        assert_true(stops > 0 && r.resumed);
        assert_string_equal(r.tensors_sha256, whole.tensors_sha256);
        assert_true(r.loss == whole.loss);
        if (config->holdout > 0.0) assert_true(r.validation_loss == whole.validation_loss);
        check_files(base, name);
    }
    /* A finished run that is resumed again has nothing left to do and says the same. */
    assert_int_equal(run(config, base, 2, 0, true, &r), UW_OK);
    assert_string_equal(r.tensors_sha256, whole.tensors_sha256);
    assert_true(r.loss == whole.loss);
}

static void robust_recipe(void **state) {
    (void)state;
    const uw_train_config c = tiny_config(STEPS);
    same_bits(&c, "robust");
}

static void layouts(void **state) {
    (void)state;
    uw_train_config c = tiny_config(STEPS);
    c.episode_windows = 4;
    same_bits(&c, "layouts");
}

static void labelled(void **state) {
    (void)state;
    const uw_train_config c = tiny_labelled(STEPS);
    same_bits(&c, "labelled");
}

static void lewm(void **state) {
    (void)state;
    const uw_train_config c = tiny_lewm(STEPS);
    same_bits(&c, "lewm");
}

/* And with products in bf16. */
static void lewm_bf16(void **state) {
    (void)state;
    uw_train_config c = tiny_lewm(STEPS);
    c.precision = UW_PRECISION_BF16;
    same_bits(&c, "lewm-bf16");
}

/* Counted in epochs: 14 episodes of 12 rows have 70 windows of 8, an epoch 8 whole batches of them;
 * the same bits as the same number of steps. */
static void epochs(void **state) {
    (void)state;
    uw_train_config c = tiny_lewm(0);
    uw_train_result r, steps;
    c.steps = 1;
    c.stop_epoch = 2;
    c.schedule_epochs = 10;
    assert_int_equal(run(&c, "epochs", 2, 0, false, &r), UW_OK);
    assert_int_equal(r.steps, 16);
    c.stop_epoch = c.schedule_epochs = 0;
    c.steps = 16;
    c.schedule_steps = 80;
    c.warmup_steps = 1;
    assert_int_equal(run(&c, "steps", 1, 0, false, &steps), UW_OK);
    assert_true(r.loss == steps.loss);
    char a[600], b[600];
    snprintf(a, sizeof a, "%s/epochs/log.csv", tempdir_path);
    snprintf(b, sizeof b, "%s/steps/log.csv", tempdir_path);
    assert_true(same_file(a, b));
}

/* Other seeds give other weights: the comparison above can fail. */
static void seeds_differ(void **state) {
    (void)state;
    uw_train_config c = tiny_config(2);
    uw_train_result a, b;
    assert_int_equal(run(&c, "seed-a", 1, 0, false, &a), UW_OK);
    c.seed++;
    assert_int_equal(run(&c, "seed-b", 1, 0, false, &b), UW_OK);
    assert_string_not_equal(a.tensors_sha256, b.tensors_sha256);
}

static int setup(void **state) {
    if (tempdir_setup(state)) return -1;
    tiny_data(tempdir_file("data.uw"));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(robust_recipe), cmocka_unit_test(layouts),
                                       cmocka_unit_test(labelled),      cmocka_unit_test(lewm),
                                       cmocka_unit_test(lewm_bf16),     cmocka_unit_test(epochs),
                                       cmocka_unit_test(seeds_differ)};
    return cmocka_run_group_tests(tests, setup, tempdir_teardown);
}
