/* Worlds in general: registry, refusals, clipping. */
#include "check.h"

#include <math.h>

#include <umwelt/env.h>

/* ---- a user's world: one number that actions push ----------------------------------------------
 */

typedef struct line_world {
    float x, goal;
} line_world;

static uw_status line_check(const double *values, uw_err *err) {
    return values[0] + values[1] <= 1.5 ? UW_OK : uw_fail(err, UW_EINVAL, "line: a + b above 1.5");
}
static uw_status line_reset(void *self, uint64_t seed, const double *values, const bool *fixed,
                            uw_err *err) {
    (void)seed, (void)values, (void)fixed, (void)err;
    *(line_world *)self = (line_world){.goal = 1.0f};
    return UW_OK;
}
static void line_step(void *self, const float *action, uw_step *out) {
    line_world *w = self;
    w->x += action[0];
    out->distance = fabsf(w->goal - w->x);
}
static void line_get(const void *self, double *state) {
    *state = (double)((const line_world *)self)->x;
}
static void line_get_goal(const void *self, double *goal) {
    *goal = (double)((const line_world *)self)->goal;
}
static uw_status line_set(void *self, const double *state) {
    ((line_world *)self)->x = (float)*state;
    return UW_OK;
}
static uw_status line_set_goal(void *self, const double *goal) {
    ((line_world *)self)->goal = (float)*goal;
    return UW_OK;
}
static void line_draw(const double *values, const double *state, const double *goal, int64_t steps,
                      int32_t size, uint8_t *rgb) {
    (void)values, (void)state, (void)goal, (void)steps;
    memset(rgb, 7, (size_t)size * (size_t)size * 3);
}
static void line_act(const void *self, float *action) {
    (void)self;
    *action = 1.0f;
}
static void line_task(uint64_t seed, uint64_t index, const double *values, bool hard,
                      uw_task *out) {
    (void)seed, (void)index, (void)values;
    *out = (uw_task){.hard = hard};
}
static double line_path(const double *values, const double *from, const double *to) {
    (void)values;
    return fabs(*from - *to);
}

static const uw_factor line_factors[] = {
    {.name = "a", .kind = UW_FACTOR_REAL, .dim = 1, .offset = 0, .high = {1}},
    {.name = "b", .kind = UW_FACTOR_REAL, .dim = 1, .offset = 1, .high = {1}},
};
static const char *const line_names[] = {"x"};

static uw_env_class line_class(const char *name) {
    return (uw_env_class){.name = name,
                          .action_dim = 1,
                          .state_dim = 1,
                          .instance_bytes = sizeof(line_world),
                          .num_factors = 2,
                          .num_values = 2,
                          .factors = line_factors,
                          .state_names = line_names,
                          .state_unit = "m",
                          .check = line_check,
                          .reset = line_reset,
                          .step = line_step,
                          .get_state = line_get,
                          .set_state = line_set,
                          .set_goal = line_set_goal,
                          .get_goal = line_get_goal,
                          .draw = line_draw,
                          .oracle = line_act,
                          .straight = line_act,
                          .sample_task = line_task,
                          .path_length = line_path};
}

static void test_register(void **state) {
    (void)state;
    static uw_env_class line;
    line = line_class("line");
    assert_int_equal(uw_env_register(&line), UW_OK);
    assert_int_equal(uw_env_register(&line), UW_EEXIST);
    assert_ptr_equal(uw_env_find("line"), &line);
    bool listed = false;
    for (const char *const *name = uw_env_names(); *name; name++) listed |= !strcmp(*name, "line");
    assert_true(listed);

    uw_err err = {0};
    uw_env *env = NULL;
    CHECK_OK(uw_env_new("line", &env, &err), &err);
    const float push = 3.0f;
    uw_step step;
    assert_int_equal(uw_env_step(env, &push, &step), UW_OK);
    assert_true(step.clipped);
    assert_true(step.distance == 0.0f); /* moved by 1, not by 3 */
    assert_true(((line_world *)uw_env_self(env))->x == 1.0f);
    uint8_t rgb[12] = {0};
    uw_env_render(env, 2, rgb);
    assert_int_equal(rgb[11], 7);
    uw_env_free(env);
}

static void test_register_refuses(void **state) {
    (void)state;
    static const uw_factor unordered[] = {
        {.name = "b", .dim = 1, .offset = 0, .high = {1}},
        {.name = "a", .dim = 1, .offset = 1, .high = {1}},
    };
    static const uw_factor gap[] = {
        {.name = "a", .dim = 1, .offset = 0, .high = {1}},
        {.name = "b", .dim = 1, .offset = 2, .high = {1}},
    };
    static const uw_factor outside[] = {
        {.name = "a", .dim = 1, .offset = 0, .low = {1}, .high = {2}},
        {.name = "b", .dim = 1, .offset = 1, .high = {1}},
    };
    const uw_factor *const bad_factors[] = {unordered, gap, outside};
    for (size_t i = 0; i < 3; i++) {
        uw_env_class c = line_class("bad");
        c.factors = bad_factors[i];
        assert_int_equal(uw_env_register(&c), UW_EINVAL);
    }
    uw_env_class c = line_class("bad");
    c.oracle = NULL;
    assert_int_equal(uw_env_register(&c), UW_EINVAL);
    c = line_class("bad");
    c.state_dim = UW_MAX_STATE_DIM + 1;
    assert_int_equal(uw_env_register(&c), UW_EINVAL);
    c = line_class("");
    assert_int_equal(uw_env_register(&c), UW_EINVAL);
    c = line_class("two_room");
    assert_int_equal(uw_env_register(&c), UW_EEXIST);
    assert_null(uw_env_find("bad"));
}

static void test_unknown_world(void **state) {
    (void)state;
    uw_err err = {0};
    uw_env *env = (uw_env *)&err;
    assert_int_equal(uw_env_new("two_rooms", &env, &err), UW_ENOTFOUND);
    assert_null(env);
    assert_non_null(strstr(err.text, "two_rooms"));
    assert_non_null(strstr(err.fix, "did you mean two_room?"));
    uw_env_free(NULL);
}

/* ---- one instance ------------------------------------------------------------------------------
 */

static uw_env *two_room(void) {
    uw_err err = {0};
    uw_env *env = NULL;
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    return env;
}

static void test_nonfinite_action(void **state) {
    (void)state;
    uw_env *env = two_room();
    const float bad[][2] = {{NAN, 0}, {0, NAN}, {INFINITY, 0}, {0, -INFINITY}};
    double before[2], after[2];
    uw_env_get_state(env, before);
    for (size_t i = 0; i < 4; i++) {
        uw_step step = {.reward = 5, .distance = 6};
        assert_int_equal(uw_env_step(env, bad[i], &step), UW_ENONFINITE);
        uw_env_get_state(env, after);
        assert_memory_equal(before, after, sizeof before);
        assert_true(step.reward == 5.0f && step.distance == 6.0f);
        const double place[2] = {(double)bad[i][0], (double)bad[i][1]};
        assert_int_equal(uw_env_set_state(env, place), UW_ENONFINITE);
        assert_int_equal(uw_env_set_goal(env, place), UW_ENONFINITE);
        uw_env_get_state(env, after);
        assert_memory_equal(before, after, sizeof before);
    }
    uw_env_free(env);
}

static void test_clipped_action(void **state) {
    (void)state;
    uw_env *env = two_room();
    const double start[2] = {60, 112};
    const float far[2] = {-7, 0.5f}, one[2] = {-1, 0.5f};
    double wide[2], clipped[2];
    uw_step step;
    assert_int_equal(uw_env_set_state(env, start), UW_OK);
    assert_int_equal(uw_env_step(env, far, &step), UW_OK);
    assert_true(step.clipped);
    uw_env_get_state(env, wide);
    assert_int_equal(uw_env_set_state(env, start), UW_OK);
    assert_int_equal(uw_env_step(env, one, &step), UW_OK);
    assert_false(step.clipped);
    uw_env_get_state(env, clipped);
    assert_memory_equal(wide, clipped, sizeof wide);
    assert_true(clipped[0] == 55.0 && clipped[1] == 114.5);
    uw_env_free(env);
}

static void test_reset_is_a_function_of_the_seed(void **state) {
    (void)state;
    uw_env *a = two_room(), *b = two_room();
    const uw_env_class *cls = uw_env_class_of(a);
    uw_err err = {0};
    double sa[2], sb[2], ga[2], gb[2];
    const float action[2] = {1, 1};
    uw_step step;
    assert_int_equal(uw_env_step(b, action, &step), UW_OK); /* history must not matter */
    CHECK_OK(uw_env_reset(a, 12, NULL, NULL, &err), &err);
    CHECK_OK(uw_env_reset(b, 12, NULL, NULL, &err), &err);
    uw_env_get_state(a, sa), uw_env_get_state(b, sb);
    uw_env_get_goal(a, ga), uw_env_get_goal(b, gb);
    assert_memory_equal(sa, sb, sizeof sa);
    assert_memory_equal(ga, gb, sizeof ga);
    CHECK_OK(uw_env_reset(b, 13, NULL, NULL, &err), &err);
    uw_env_get_state(b, sb);
    assert_memory_not_equal(sa, sb, sizeof sa);

    /* a fixed start leaves the seed's goal as it was */
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES] = {false};
    uw_env_default_values(cls, values);
    const uw_factor *place = uw_env_factor(cls, "agent.position", NULL);
    fixed[place - cls->factors] = true;
    CHECK_OK(uw_env_reset(b, 12, values, fixed, &err), &err);
    uw_env_get_state(b, sb), uw_env_get_goal(b, gb);
    assert_true(sb[0] == 60.0 && sb[1] == 112.0);
    assert_memory_equal(ga, gb, sizeof ga);
    uw_env_free(a), uw_env_free(b);
}

static void test_bad_reset_keeps_the_state(void **state) {
    (void)state;
    uw_env *env = two_room();
    const uw_env_class *cls = uw_env_class_of(env);
    uw_err err = {0};
    double before[2], after[2];
    uw_env_get_state(env, before);
    double values[UW_MAX_FACTOR_VALUES];
    const struct {
        const char *factor;
        double value;
        const char *said;
    } bad[] = {
        {"agent.radius", 14.5, "wanted 7 .. 14, got 14.5"},
        {"agent.radius", NAN, "got nan"},
        {"agent.radius", 14, "no door fits the agent"},
        {"agent.speed", -1, "wanted 1.75 .. 10.5, got -1"},
        {"wall.thickness", 7.5, "a whole number 7 .. 41, got 7.5"},
        {"wall.axis", 2, "a whole number 0 .. 1, got 2"},
        {"agent.color", 256, "0 .. 255, got 256"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uw_env_default_values(cls, values);
        values[uw_env_factor(cls, bad[i].factor, NULL)->offset] = bad[i].value;
        assert_int_equal(uw_env_reset(env, 1, values, NULL, &err), UW_EINVAL);
        if (!strstr(err.text, bad[i].said))
            fail_msg("'%s' says nothing of '%s'", err.text, bad[i].said);
        uw_env_get_state(env, after);
        assert_memory_equal(before, after, sizeof before);
    }
    uw_env_free(env);
}

static void test_draw_refuses_sizes(void **state) {
    (void)state;
    uw_env *env = two_room();
    uint8_t rgb[3] = {1, 2, 3};
    uw_env_render(env, 0, rgb);
    uw_env_render(env, -4, rgb);
    uw_env_render(env, UW_MAX_FRAME_SIZE + 1, rgb);
    assert_true(rgb[0] == 1 && rgb[1] == 2 && rgb[2] == 3);
    uw_env_free(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register),
        cmocka_unit_test(test_register_refuses),
        cmocka_unit_test(test_unknown_world),
        cmocka_unit_test(test_nonfinite_action),
        cmocka_unit_test(test_clipped_action),
        cmocka_unit_test(test_reset_is_a_function_of_the_seed),
        cmocka_unit_test(test_bad_reset_keeps_the_state),
        cmocka_unit_test(test_draw_refuses_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
