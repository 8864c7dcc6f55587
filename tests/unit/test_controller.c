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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reaches_the_goal),    cmocka_unit_test(test_history_pairs_actions),
        cmocka_unit_test(test_needs_a_goal),        cmocka_unit_test(test_safe_action),
        cmocka_unit_test(test_max_change),          cmocka_unit_test(test_deadline_is_told),
        cmocka_unit_test(test_refuses_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
