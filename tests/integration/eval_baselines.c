/* The baselines on 200 pairs, within bands around what the same protocol gave elsewhere:
 * random 10.5 %, straight 58 %, the planner on the true dynamics with Euclidean cost 83 %, the
 * scripted driver 100 %. A band is four standard errors of 200 episodes, and same-room episodes
 * must not fail for straight. */
#include "check.h"

#include <math.h>

#include <umwelt/eval.h>

static void band(uw_context *ctx, uw_driver driver, double want, double *easy, double *hard) {
    enum { EPISODES = 200 };
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_eval_result r = {0};
    uw_err err = {0};
    o.episodes = EPISODES;
    o.seed = check_seed(0);
    CHECK_OK(uw_eval_run(ctx, NULL, "two_room", driver, 0, &o, &r, &err), &err);
    print_message("%-14s %d/%d = %.1f %% [%.1f, %.1f]  easy %d, hard %d, steps %.1f, %.2f s\n",
                  uw_driver_str(driver), r.success.successes, r.success.episodes,
                  100 * r.success.rate, 100 * r.success.low, 100 * r.success.high, r.easy.successes,
                  r.hard.successes, r.mean_steps, r.seconds);
    CHECK_NEAR(r.success.rate, want, 4.0 * sqrt(want * (1.0 - want) / EPISODES));
    *easy = r.easy.rate;
    *hard = r.hard.rate;
    uw_eval_result_fini(&r);
}

static void test_baselines(void **state) {
    (void)state;
    uw_context *ctx = NULL;
    uw_err err = {0};
    double easy = 0, hard = 0;
    const uw_context_options o = {.num_threads = 2};
    CHECK_OK(uw_context_new(&o, &ctx, &err), &err);
    band(ctx, UW_DRIVER_RANDOM, 0.105, &easy, &hard);
    assert_true(hard < 0.05);
    band(ctx, UW_DRIVER_STRAIGHT, 0.58, &easy, &hard);
    assert_true(easy == 1.0 && hard < 0.35);
    band(ctx, UW_DRIVER_TRUE_DYNAMICS, 0.83, &easy, &hard);
    assert_true(easy == 1.0 && hard < 0.9);
    band(ctx, UW_DRIVER_ORACLE, 1.0, &easy, &hard);
    uw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_baselines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
