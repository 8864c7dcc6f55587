/* The controller: history, limits, deadline, and the safe action. */
#include "check.h"

#include <math.h>

#include <umwelt/controller.h>

#include "point_world.h"

enum { H = 6, N = 40, HISTORY = 3 };

typedef struct rig {
    point_world world;
    uw_dynamics dynamics;
    uw_controller_options options; /* its planner is set by rig_init */
    double deadline_s;
    uw_controller *controller;
    void *mem;
} rig;

static void rig_init(rig *r) {
    r->dynamics = point_dynamics(&r->world, HISTORY, N, H);
    r->dynamics.dims.lead = r->world.lead;
    r->options.planner = UW_PLANNER_OPTIONS_DEFAULT;
    r->options.planner.horizon = H;
    r->options.planner.num_samples = N;
    r->options.planner.num_elites = 7;
    r->options.planner.deadline_s = r->deadline_s;
    const size_t bytes = uw_controller_memsize(&r->dynamics.dims, &r->options);
    r->mem = point_memory(bytes);
    assert_non_null(r->mem);
    assert_int_equal(uw_controller_init(&r->dynamics, &r->options, r->mem, bytes, &r->controller),
                     UW_OK);
    uw_controller_reset(r->controller, 1);
}

static const float START[POINT_D] = {3.0f, -2.0f, 0.0f, 0.0f}, GOAL[POINT_D] = {0};

static void test_reaches_the_goal(void **state) {
    (void)state;
    rig r = {0};
    rig_init(&r);
    float z[POINT_D], next[POINT_D], action[POINT_A];
    uw_act_info info = {0};
    memcpy(z, START, sizeof z);
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    for (int t = 0; t < 40; t++) {
        assert_int_equal(uw_controller_act(r.controller, z, action, &info), UW_OK);
        assert_int_equal(info.reason, UW_ACT_PLANNED);
        assert_memory_equal(uw_controller_latent(r.controller), z, sizeof z);
        assert_memory_equal(action, uw_controller_plan(r.controller), sizeof action);
        assert_int_equal(r.world.history_seen, t + 1 < HISTORY ? t + 1 : HISTORY);
        point_step(z, action, next);
        memcpy(z, next, sizeof z);
    }
    /* 13 at the start; the floor of the deviation keeps it from settling for good. */
    if (!(info.goal_distance < 0.2f)) fail_msg("%g from the goal", (double)info.goal_distance);
    assert_true(info.seconds >= info.plan.seconds && info.plan.seconds > 0.0);
    free(r.mem);
}

/* The actions between the latents are the ones that were given, in order, and a gap clears them. */
static void test_history_pairs_actions(void **state) {
    (void)state;
    rig r = {0};
    rig_init(&r);
    float given[8][POINT_A];
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    for (int t = 0; t < 8; t++) {
        const float z[POINT_D] = {(float)t, 0, 0, 0};
        if (t == 5) { /* a picture that cannot be read */
            r.world.fail_encode = UW_EIO;
            assert_int_equal(uw_controller_act(r.controller, z, given[t], NULL), UW_EIO);
            r.world.fail_encode = UW_OK;
            continue;
        }
        assert_int_equal(uw_controller_act(r.controller, z, given[t], NULL), UW_OK);
        const int since = t < 5 ? t : t - 6;
        const int past = since < HISTORY - 1 ? since : HISTORY - 1;
        assert_int_equal(r.world.history_seen, past + 1);
        for (int i = 0; i < past; i++)
            assert_memory_equal(r.world.past_seen + i * POINT_A, given[t - past + i],
                                sizeof given[0]);
    }
    free(r.mem);
}

/* Dynamics that ask for the decision before z0 get it too: what was given, and zeros before an
 * episode. */
static void test_decision_before(void **state) {
    (void)state;
    rig r = {.world = {.lead = 1}};
    rig_init(&r);
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    for (int episode = 0; episode < 2; episode++) {
        float given[8][POINT_A] = {{0}}; /* [0]: nothing was given yet */
        uw_controller_reset(r.controller, (uint64_t)episode);
        for (int t = 0; t < 7; t++) {
            const float z[POINT_D] = {1.0f + (float)t, 0, 0, 0};
            assert_int_equal(uw_controller_act(r.controller, z, given[t + 1], NULL), UW_OK);
            const int past = t + 1 < HISTORY ? t + 1 : HISTORY;
            assert_memory_equal(r.world.past_seen, given[t + 1 - past],
                                (size_t)past * sizeof given[0]);
        }
        assert_true(fabsf(given[7][0]) > 0.0f);
    }
    free(r.mem);
}

static void test_needs_a_goal(void **state) {
    (void)state;
    rig r = {0};
    rig_init(&r);
    float action[POINT_A] = {7, 7}, bad[POINT_D] = {NAN, 0, 0, 0};
    assert_int_equal(uw_controller_act(r.controller, START, action, NULL), UW_EINVAL);
    assert_true(action[0] == 7.0f && action[1] == 7.0f);
    assert_int_equal(uw_controller_set_goal(r.controller, bad), UW_ENONFINITE);
    assert_int_equal(uw_controller_act(r.controller, START, action, NULL), UW_EINVAL);
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    assert_int_equal(uw_controller_set_goal(r.controller, bad), UW_ENONFINITE);
    assert_memory_equal(uw_controller_goal_latent(r.controller), GOAL, sizeof GOAL);
    assert_int_equal(uw_controller_act(r.controller, START, action, NULL), UW_OK);
    free(r.mem);
}

static void test_safe_action(void **state) {
    (void)state;
    const float safe[POINT_A] = {0.25f, 9.0f}, bad[POINT_D] = {0, INFINITY, 0, 0};
    rig r = {.options = {.safe_action = safe}};
    rig_init(&r);
    float action[POINT_A] = {0};
    uw_act_info info = {0};
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    assert_int_equal(uw_controller_act(r.controller, bad, action, &info), UW_ENONFINITE);
    assert_int_equal(info.reason, UW_ACT_SAFE_OBSERVATION);
    assert_true(action[0] == 0.25f && action[1] == 1.0f); /* the safe action is clipped too */
    r.world.all_nan = true;
    action[0] = 5.0f;
    assert_int_equal(uw_controller_act(r.controller, START, action, &info), UW_ENONFINITE);
    assert_int_equal(info.reason, UW_ACT_SAFE_PLAN);
    assert_true(action[0] == 0.25f && action[1] == 1.0f);
    r.world.all_nan = false;
    assert_int_equal(uw_controller_act(r.controller, START, action, &info), UW_OK);
    assert_int_equal(info.reason, UW_ACT_PLANNED);
    free(r.mem);
}

static void test_max_change(void **state) {
    (void)state;
    rig r = {.options = {.max_change = 0.1f}};
    rig_init(&r);
    float action[POINT_A], last[POINT_A] = {0};
    bool limited = false;
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    for (int t = 0; t < 60; t++) { /* the goal swaps sides, and now and then a picture is lost */
        const float side = t % 10 < 5 ? 4.0f : -4.0f;
        const float z[POINT_D] = {t % 7 == 6 ? NAN : side, -side, 0, 0};
        const uw_status status = uw_controller_act(r.controller, z, action, NULL);
        assert_int_equal(status, t % 7 == 6 ? UW_ENONFINITE : UW_OK);
        for (int k = 0; t && k < POINT_A; k++) {
            CHECK_NEAR(action[k], last[k], 0.1f * 1.000001f);
            limited = limited || fabsf(action[k] - last[k]) > 0.099f;
        }
        memcpy(last, action, sizeof last);
    }
    assert_true(limited);
    free(r.mem);
}

static void test_deadline_is_told(void **state) {
    (void)state;
    rig r = {.deadline_s = 1e-9};
    rig_init(&r);
    uw_act_info info = {0};
    float action[POINT_A];
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    assert_int_equal(uw_controller_act(r.controller, START, action, &info), UW_OK);
    assert_int_equal(info.reason, UW_ACT_DEADLINE);
    assert_true(info.plan.deadline_hit);
    free(r.mem);
}

static void test_refuses_bad_options(void **state) {
    (void)state;
    point_world world = {0};
    uw_controller_options o = {.planner = UW_PLANNER_OPTIONS_DEFAULT};
    const uw_dynamics d = point_dynamics(&world, 1, N, o.planner.horizon);
    const float nan_action[POINT_A] = {0, NAN};
    assert_true(uw_controller_memsize(&d.dims, &o) > 0);
    o.max_change = -1.0f;
    assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    o.max_change = NAN;
    assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    o.max_change = 0.0f;
    o.safe_action = nan_action;
    assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    o.safe_action = NULL;
    o.planner.horizon = 0;
    assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    o.planner.horizon = 12;
    const size_t bytes = uw_controller_memsize(&d.dims, &o);
    unsigned char *mem = point_memory(bytes + 64);
    assert_non_null(mem);
    uw_controller *c = NULL;
    assert_int_equal(uw_controller_init(&d, &o, mem + 4, bytes, &c), UW_EINVAL);
    assert_int_equal(uw_controller_init(&d, &o, mem, bytes - 1, &c), UW_ENOMEM);
    assert_null(c);
    assert_int_equal(uw_controller_init(&d, &o, mem, bytes, &c), UW_OK);
    assert_non_null(uw_controller_planner(c));
    free(mem);
}

/* ---- surprise ----------------------------------------------------------------------------------
 */

/* Each number of the error counts by itself: 0.1 off in one of the four scores 0.25. */
static const float NO_MEAN[POINT_D] = {0};
static const float WHITEN[POINT_D * POINT_D] = {10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 10};
static const uw_band BAND = {POINT_D, NO_MEAN, WHITEN, 0.2};

typedef struct seen {
    uw_act_reason reason[12];
    uw_status status[12];
    double score[12];
    bool surprised[12];
    float action[12][POINT_A];
    int32_t history[12];
} seen;

/* Twelve decisions in the point world; before decision 6 the point jumps by `jump`. */
static void drive(uw_on_surprise policy, float jump, int lost, seen *out) {
    rig r = {.options = {.band = &BAND, .on_surprise = policy}};
    rig_init(&r);
    float z[POINT_D], next[POINT_D];
    memcpy(z, START, sizeof z);
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    for (int t = 0; t < 12; t++) {
        uw_act_info info = {0};
        if (t == 6) z[0] += jump;
        const float x = z[0];
        if (t == lost) z[0] = NAN;
        out->status[t] = uw_controller_act(r.controller, z, out->action[t], &info);
        z[0] = x;
        out->reason[t] = info.reason;
        out->score[t] = info.surprise;
        out->surprised[t] = info.surprised;
        out->history[t] = r.world.history_seen;
        point_step(z, out->action[t], next);
        memcpy(z, next, sizeof z);
    }
    free(r.mem);
}

/* The point world is predicted exactly: nothing surprises, and a band changes no action. */
static void test_band_is_silent(void **state) {
    (void)state;
    seen with, without;
    drive(UW_ON_SURPRISE_NONE, 0.0f, -1, &without);
    for (int policy = UW_ON_SURPRISE_NONE; policy <= UW_ON_SURPRISE_REPLAN; policy++) {
        drive((uw_on_surprise)policy, 0.0f, -1, &with);
        assert_true(isnan(with.score[0])); /* nothing was predicted yet */
        for (int t = 0; t < 12; t++) {
            assert_int_equal(with.reason[t], UW_ACT_PLANNED);
            assert_false(with.surprised[t]);
            if (t) CHECK_NEAR(with.score[t], 0.0, 1e-6);
            assert_memory_equal(with.action[t], without.action[t], sizeof with.action[t]);
        }
    }
}

static void test_jump_is_told(void **state) {
    (void)state;
    seen s;
    drive(UW_ON_SURPRISE_NONE, 0.1f, -1, &s);
    CHECK_NEAR(s.score[6], 0.25, 1e-4);
    for (int t = 0; t < 12; t++) {
        assert_int_equal(s.reason[t], UW_ACT_PLANNED);
        assert_int_equal(s.surprised[t], t == 6);
    }
    drive(UW_ON_SURPRISE_STOP, 0.08f, -1, &s); /* 0.16: within the band */
    for (int t = 0; t < 12; t++) assert_int_equal(s.reason[t], UW_ACT_PLANNED);
}

static void test_stop_lasts(void **state) {
    (void)state;
    seen s;
    drive(UW_ON_SURPRISE_STOP, 1.0f, -1, &s);
    for (int t = 0; t < 12; t++) {
        assert_int_equal(s.status[t], UW_OK);
        assert_int_equal(s.reason[t], t < 6 ? UW_ACT_PLANNED : UW_ACT_STOPPED);
        if (t >= 6) assert_true(s.action[t][0] == 0.0f && s.action[t][1] == 0.0f);
    }
    assert_true(s.surprised[6] &&
                !s.surprised[7]); /* the model is right again, but it stays stopped */
}

static void test_hold_repeats(void **state) {
    (void)state;
    seen s;
    drive(UW_ON_SURPRISE_HOLD, 1.0f, -1, &s);
    for (int t = 0; t < 12; t++)
        assert_int_equal(s.reason[t], t == 6 ? UW_ACT_HELD : UW_ACT_PLANNED);
    assert_memory_equal(s.action[6], s.action[5], sizeof s.action[5]);
}

static void test_replan_forgets(void **state) {
    (void)state;
    seen s;
    drive(UW_ON_SURPRISE_REPLAN, 1.0f, -1, &s);
    for (int t = 0; t < 12; t++)
        assert_int_equal(s.reason[t], t == 6 ? UW_ACT_REPLANNED : UW_ACT_PLANNED);
    assert_int_equal(s.history[5], HISTORY);
    assert_int_equal(s.history[6], 1);
    assert_int_equal(s.history[7], 2);
}

/* After a lost picture nothing is predicted, so nothing can surprise. */
static void test_gap_does_not_surprise(void **state) {
    (void)state;
    seen s;
    drive(UW_ON_SURPRISE_STOP, 1.0f, 6, &s);
    assert_int_equal(s.reason[6], UW_ACT_SAFE_OBSERVATION);
    for (int t = 7; t < 12; t++) assert_int_equal(s.reason[t], UW_ACT_PLANNED);
    assert_true(isnan(s.score[6]) && isnan(s.score[7]));
}

/* A model that cannot say what comes next is a surprise, and a reset ends a stop. */
static void test_no_prediction_surprises(void **state) {
    (void)state;
    rig r = {.options = {.band = &BAND, .on_surprise = UW_ON_SURPRISE_STOP}};
    rig_init(&r);
    float action[POINT_A], next[POINT_D];
    uw_act_info info = {0};
    assert_int_equal(uw_controller_set_goal(r.controller, GOAL), UW_OK);
    assert_int_equal(uw_controller_act(r.controller, START, action, &info), UW_OK);
    point_step(START, action, next);
    r.world.all_nan = true;
    assert_int_equal(uw_controller_act(r.controller, next, action, &info), UW_OK);
    assert_int_equal(info.reason, UW_ACT_STOPPED);
    assert_true(info.surprised && isinf(info.surprise));
    r.world.all_nan = false;
    uw_controller_reset(r.controller, 2);
    assert_int_equal(uw_controller_act(r.controller, START, action, &info), UW_OK);
    assert_int_equal(info.reason, UW_ACT_PLANNED);
    free(r.mem);
}

static void test_refuses_bad_bands(void **state) {
    (void)state;
    point_world world = {0};
    uw_controller_options o = {.planner = UW_PLANNER_OPTIONS_DEFAULT};
    const uw_dynamics d = point_dynamics(&world, 1, N, o.planner.horizon);
    float broken[POINT_D * POINT_D];
    memcpy(broken, WHITEN, sizeof broken);
    broken[5] = NAN;
    const uw_band bad[] = {{POINT_D + 1, NO_MEAN, WHITEN, 1.0}, {POINT_D, NULL, WHITEN, 1.0},
                           {POINT_D, NO_MEAN, NULL, 1.0},       {POINT_D, NO_MEAN, broken, 1.0},
                           {POINT_D, NO_MEAN, WHITEN, 0.0},     {POINT_D, NO_MEAN, WHITEN, NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.band = &bad[i];
        assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    }
    o.band = NULL;
    o.on_surprise = UW_ON_SURPRISE_STOP; /* by which band? */
    assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    o.band = &BAND;
    assert_true(uw_controller_memsize(&d.dims, &o) > 0);
    o.on_surprise = (uw_on_surprise)4;
    assert_int_equal(uw_controller_memsize(&d.dims, &o), 0);
    assert_string_equal(uw_on_surprise_str(UW_ON_SURPRISE_HOLD), "hold");
    assert_string_equal(uw_on_surprise_str((uw_on_surprise)9), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reaches_the_goal),
        cmocka_unit_test(test_history_pairs_actions),
        cmocka_unit_test(test_decision_before),
        cmocka_unit_test(test_needs_a_goal),
        cmocka_unit_test(test_safe_action),
        cmocka_unit_test(test_max_change),
        cmocka_unit_test(test_deadline_is_told),
        cmocka_unit_test(test_refuses_bad_options),
        cmocka_unit_test(test_band_is_silent),
        cmocka_unit_test(test_jump_is_told),
        cmocka_unit_test(test_stop_lasts),
        cmocka_unit_test(test_hold_repeats),
        cmocka_unit_test(test_replan_forgets),
        cmocka_unit_test(test_gap_does_not_surprise),
        cmocka_unit_test(test_no_prediction_surprises),
        cmocka_unit_test(test_refuses_bad_bands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
