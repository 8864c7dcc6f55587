/* Injected events: noticed by a model that knows the world, not by its control, and the same for
 * any number of threads.  The closed loop: a jump is answered as the policy says. */
#include "check.h"

#include <math.h>

#include "context.h"
#include "hand_model.h"
#include "surprise_internal.h"

enum { EPISODES = 30 };

static uw_injection_report inject(uw_context *ctx, const uw_model *model, uint32_t kinds) {
    const uw_injection_options o = {
        .episodes = EPISODES, .calibration = 60, .steps = 20, .alpha = 0.1, .kinds = kinds};
    uw_injection_report r;
    uw_err err = {0};
    CHECK_OK(uw_surprise_inject(ctx, model, NULL, "two_room", &o, &r, &err), &err);
    return r;
}

/* The hand model is exact but at walls, so every error elsewhere tells. */
static void test_state_model_notices(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    const uw_injection_report r = inject(ctx, model, 0);
    assert_int_equal(r.num_rows, UW_NUM_INJECTIONS);
    assert_int_equal(r.event_at, 10);
    assert_int_equal(r.facts.episodes, 40);
    assert_string_equal(r.env, "two_room");
    const uw_injection_row *none = &r.rows[UW_INJECT_NOTHING], *jump = &r.rows[UW_INJECT_TELEPORT];
    /* of 40 episodes 4 may lie above: 97.5 % of such calibrations alarm in less than 21 % of fresh
     * episodes */
    if (none->detected.successes > 8) fail_msg("%d false alarms", none->detected.successes);
    if (!(jump->detected.rate > 0.8)) fail_msg("teleport: %g", jump->detected.rate);
    assert_true(jump->delay_median == 0.0);
    assert_true(jump->paired.rate > 0.8 && jump->auroc > 0.8);
    assert_true(isnan(none->delay_median) == (none->detected.successes == 0));
    CHECK_NEAR(none->auroc, 0.5, 1e-12); /* a score against itself */
    assert_int_equal(none->paired.successes, 0);
    /* frozen: the model expects motion; "nothing changes" is content */
    const uw_injection_row *frozen = &r.rows[UW_INJECT_FROZEN];
    assert_true(frozen->paired.rate > 0.8);
    assert_int_equal(frozen->persistence.successes, 0);
    /* colours are nothing to a model that reads the state */
    assert_false(r.rows[UW_INJECT_COLOR].applies);
    assert_false(r.rows[UW_INJECT_REMOVED].applies);
    uw_model_unload(model);
    uw_context_free(ctx);
}

/* Pictures: an untrained network still sees a colour go; the same bits for any number of threads.
 */
static void test_picture_model(void **state) {
    (void)state;
    uw_context *one = context(1), *two = context(2);
    uw_model *model = blind_model(32);
    uw_injection_report a = inject(one, model, 1u << UW_INJECT_COLOR | 1u << UW_INJECT_REMOVED);
    uw_injection_report b = inject(two, model, 1u << UW_INJECT_COLOR | 1u << UW_INJECT_REMOVED);
    a.seconds = b.seconds = 0.0;
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(a.num_rows, 3);
    assert_int_equal(a.rows[2].injection, UW_INJECT_REMOVED);
    assert_true(a.rows[1].applies && a.rows[2].applies);
    if (!(a.rows[1].paired.rate > 0.8)) fail_msg("colour: %g", a.rows[1].paired.rate);
    uw_model_unload(model);
    uw_context_free(one);
    uw_context_free(two);
}

static void test_refusals(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state"), *other = hand_model(3, 3, "state");
    uw_injection_report r;
    uw_err err = {0};
    assert_int_equal(uw_surprise_inject(ctx, model, NULL, "two_rom", NULL, &r, &err), UW_ENOTFOUND);
    assert_int_equal(uw_surprise_inject(ctx, other, NULL, "two_room", NULL, &r, &err), UW_ESHAPE);
    const uw_injection_options few = {.calibration = 20};
    assert_int_equal(uw_surprise_inject(ctx, model, NULL, "two_room", &few, &r, &err), UW_EINVAL);
    if (!strstr(err.text, "wanted 28 episodes")) fail_msg("%s", err.text);
    assert_string_equal(uw_injection_str(UW_INJECT_REVERSED), "reversed");
    assert_string_equal(uw_injection_str((uw_injection)17), "?");
    uw_model_unload(model);
    uw_model_unload(other);
    uw_context_free(ctx);
}

/* ---- closed loop
 * ------------------------------------------------------------------------------------ */

static uw_eval_result drive(uw_context *ctx, const uw_model *model, const uw_band *band,
                            uw_on_surprise policy, int32_t jump) {
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_eval_result r;
    uw_err err = {0};
    o.episodes = 20;
    o.planner.horizon = 6;
    o.planner.num_samples = 24;
    o.planner.num_elites = 6;
    o.planner.iters = 2;
    o.band = band;
    o.on_surprise = policy;
    o.teleport_at = jump;
    CHECK_OK(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 5, &o, &r, &err), &err);
    return r;
}

static void test_eval_answers(void **state) {
    (void)state;
    static const float mean[2] = {0}, whiten[4] = {1, 0, 0, 1};
    const uw_band band = {2, mean, whiten,
                          300.0}; /* 24 px off: more than a wall stops, less than most jumps */
    uw_context *ctx = context(1);
    uw_model *model = hand_model(2, 2, "state");
    uw_eval_result none = drive(ctx, model, &band, UW_ON_SURPRISE_NONE, 15);
    uw_eval_result calm = drive(ctx, model, &band, UW_ON_SURPRISE_STOP, 0);
    uw_eval_result stop = drive(ctx, model, &band, UW_ON_SURPRISE_STOP, 15);
    uw_eval_result hold = drive(ctx, model, &band, UW_ON_SURPRISE_HOLD, 15);
    uw_eval_result replan = drive(ctx, model, &band, UW_ON_SURPRISE_REPLAN, 15);
    /* who was not asked to do anything does nothing; without a jump there is no cause */
    assert_int_equal(none.stopped + none.held + none.replanned, 0);
    assert_int_equal(calm.noticed.episodes, 0);
    assert_true(none.noticed.episodes > 10);
    if (!(none.noticed.rate > 0.8)) fail_msg("noticed %g", none.noticed.rate);
    if (!(calm.surprised < none.surprised))
        fail_msg("%d, %d", (int)calm.surprised, (int)none.surprised);
    assert_true(stop.stopped > stop.surprised); /* it lasts */
    assert_true(stop.success.successes < none.success.successes);
    assert_true(hold.held > 0 && hold.held == hold.surprised);
    assert_true(replan.replanned > 0 && replan.replanned == replan.surprised);
    assert_int_equal(stop.held + stop.replanned + hold.stopped + hold.replanned + replan.stopped,
                     0);
    uw_eval_result *all[] = {&none, &calm, &stop, &hold, &replan};
    for (int i = 0; i < 5; i++) uw_eval_result_fini(all[i]);

    /* a controller looks after every decision */
    uw_eval_options o = UW_EVAL_OPTIONS_DEFAULT;
    uw_err err = {0};
    o.episodes = 2;
    o.replan = 3;
    o.band = &band;
    assert_int_equal(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 5, &o, &none, &err),
                     UW_EINVAL);
    o.replan = 0;
    o.teleport_at = -1;
    assert_int_equal(uw_eval_run(ctx, model, "two_room", UW_DRIVER_MODEL, 5, &o, &none, &err),
                     UW_EINVAL);
    uw_model_unload(model);
    uw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_model_notices),
        cmocka_unit_test(test_picture_model),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_eval_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
