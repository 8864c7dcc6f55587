/* TwoRoom beyond the recorded traces: controllers, tasks, shortest paths, pictures at other sizes.
 */
#include "check.h"

#include <math.h>

#include <umwelt/env.h>

#include "rng.h"
#include "two_room.h"

enum { TASKS = 200, BUDGET = 100, NUM_LOOKS = 6 };

/* Looks of the world that change how one gets around in it. */
static const char *const looks[NUM_LOOKS][4] = {
    {NULL},
    {"agent.radius~sample", NULL},
    {"wall.axis=0", "wall.thickness~sample", NULL},
    {"door.position=120,30,180", "door.number=3", "door.size=16,3,20", NULL},
    {"agent.speed~sample", "agent.radius=12.7", NULL},
    {"door.position=200,0,0", "door.size=21,1,1", NULL},
};

static void look(int which, uint64_t index, double *values, bool *fixed) {
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation v = {0};
    uw_err err = {0};
    for (int i = 0; i < 4 && looks[which][i]; i++)
        CHECK_OK(uw_variation_parse(cls, looks[which][i], &v, &err), &err);
    CHECK_OK(uw_variation_resolve(cls, &v, 5, index, values, fixed, &err), &err);
}

typedef void act_fn(const uw_env *env, uint64_t task, int t, float *action);

static void act_oracle(const uw_env *env, uint64_t task, int t, float *action) {
    (void)task, (void)t;
    uw_env_class_of(env)->oracle(uw_env_self((uw_env *)env), action);
}
static void act_straight(const uw_env *env, uint64_t task, int t, float *action) {
    (void)task, (void)t;
    uw_env_class_of(env)->straight(uw_env_self((uw_env *)env), action);
}
static void act_random(const uw_env *env, uint64_t task, int t, float *action) {
    (void)env;
    uw_rng rng =
        uw__rng(11, UW_STREAM_TEST, task * BUDGET + (uint64_t)(t / 5)); /* held for 5 steps */
    for (int i = 0; i < 2; i++) action[i] = 2.0f * uw__rng_uniform(&rng) - 1.0f;
}

/* Drive one task; return the env steps to success, or 0. */
static int drive(uw_env *env, act_fn *act, uint64_t index, const uw_task *task, int budget) {
    assert_int_equal(uw_env_set_state(env, task->start), UW_OK);
    assert_int_equal(uw_env_set_goal(env, task->goal), UW_OK);
    for (int t = 0; t < budget; t++) {
        float action[2];
        uw_step step;
        act(env, index, t, action);
        assert_int_equal(uw_env_step(env, action, &step), UW_OK);
        assert_false(step.clipped);
        if (step.success) return t + 1;
    }
    return 0;
}

/* Count successes over the protocol's tasks; odd ones are easy, even ones hard. */
static void rates(act_fn *act, int *hard, int *easy) {
    uw_err err = {0};
    uw_env *env = NULL;
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    *hard = *easy = 0;
    for (uint64_t i = 0; i < TASKS; i++) {
        uw_task task;
        uw_env_class_of(env)->sample_task(1, i, uw_env_values(env), i % 2 == 0, &task);
        *(i % 2 == 0 ? hard : easy) += drive(env, act, i, &task, BUDGET) > 0;
    }
    uw_env_free(env);
}

/* Bands: exact 95 % intervals of the published recipe's baselines on its own 200 pairs. */
static void test_baselines(void **state) {
    (void)state;
    int hard, easy;
    rates(act_oracle, &hard, &easy);
    assert_int_equal(hard + easy, TASKS);
    rates(act_straight, &hard, &easy);
    print_message("straight: hard %d, easy %d of 100\n", hard, easy);
    assert_int_equal(easy, TASKS / 2); /* nothing is in the way inside a room */
    assert_in_range(hard + easy, TASKS * 51 / 100, TASKS * 65 / 100);
    rates(act_random, &hard, &easy);
    print_message("random: hard %d, easy %d of 100\n", hard, easy);
    assert_in_range(hard + easy, TASKS * 66 / 1000, TASKS * 156 / 1000);
    assert_in_range(hard, 0, 3);
}

static void test_oracle_in_every_look(void **state) {
    (void)state;
    uw_err err = {0};
    uw_env *env = NULL;
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    const uw_env_class *cls = uw_env_class_of(env);
    for (int which = 0; which < NUM_LOOKS; which++) {
        for (uint64_t i = 0; i < TASKS; i++) {
            double values[UW_MAX_FACTOR_VALUES];
            bool fixed[UW_MAX_FACTOR_VALUES];
            look(which, i, values, fixed);
            CHECK_OK(uw_env_reset(env, i, values, fixed, &err), &err);
            uw_task task;
            cls->sample_task(2, i, values, i % 2 == 0, &task);
            const int steps = drive(env, act_oracle, i, &task, 1000);
            if (steps == 0 || steps != task.shortest)
                fail_msg("look %d, task %d: %d steps, wanted shortest = %d > 0", which, (int)i,
                         steps, (int)task.shortest);
        }
    }
    uw_env_free(env);
}

/* The reference's resets put goals into the wall too: the oracle and the expert get near enough. */
static void test_every_seed_can_be_solved(void **state) {
    (void)state;
    uw_err err = {0};
    uw_env *env = NULL;
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    const uw_env_class *cls = uw_env_class_of(env);
    int in_wall = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        for (int which = 0; which < 2; which++) {
            uw_step step = {0};
            CHECK_OK(uw_env_reset(env, seed, NULL, NULL, &err), &err);
            for (int t = 0; t < BUDGET && !step.success; t++) {
                float action[2];
                (which == 0 ? cls->oracle : cls->expert)(uw_env_self(env), action);
                assert_int_equal(uw_env_step(env, action, &step), UW_OK);
            }
            if (!step.success)
                fail_msg("seed %d: the %s does not arrive", (int)seed, which ? "expert" : "oracle");
        }
        double goal[2];
        uw_env_get_goal(env, goal);
        in_wall += fabs(goal[0] - 112) < 12;
    }
    assert_true(in_wall > 20);
    uw_env_free(env);
}

static void test_tasks(void **state) {
    (void)state;
    for (int which = 0; which < NUM_LOOKS; which++) {
        for (uint64_t i = 0; i < TASKS; i++) {
            double values[UW_MAX_FACTOR_VALUES];
            bool fixed[UW_MAX_FACTOR_VALUES];
            look(which, i, values, fixed);
            uw_room room;
            uw__room_init(values, &room);
            uw_task task, again;
            const bool hard = i % 3 == 0;
            uw__two_room.sample_task(9, i, values, hard, &task);
            uw__two_room.sample_task(9, i, values, hard, &again);
            assert_memory_equal(&task, &again, sizeof task);
            const double *const ends[2] = {task.start, task.goal};
            bool far[2];
            for (int k = 0; k < 2; k++) {
                const double across = ends[k][room.across];
                far[k] = across > 112;
                assert_true(across <= room.wall_low - 0.5 || across >= room.wall_high + 0.499999);
                for (int c = 0; c < 2; c++)
                    assert_true(ends[k][c] >= (double)(float)room.low &&
                                ends[k][c] <= (double)(float)room.high);
            }
            assert_int_equal(far[0] != far[1], hard);
            assert_int_equal(task.hard, hard);
            assert_true(hypot(task.start[0] - task.goal[0], task.start[1] - task.goal[1]) >=
                        32.0 - 1e-5);
        }
    }
}

/* A path around the corners of the default door, by hand: wall at 112 -+ 12, door 49 -+ 14, corners
 * half a pixel before the wall. */
static void test_path_length(void **state) {
    (void)state;
    double values[UW_MAX_FACTOR_VALUES];
    uw_env_default_values(&uw__two_room, values);
    const double a[2] = {60, 150}, b[2] = {60, 30}, c[2] = {164, 150}, d[2] = {90, 49},
                 e[2] = {134, 49};
    CHECK_NEAR(uw__two_room.path_length(values, a, b), 120, 1e-9);
    CHECK_NEAR(uw__two_room.path_length(values, d, e), 44, 1e-9); /* straight through the door */
    const double leg = hypot(99.5 - 60, 150 - 63), same = hypot(164 - 124.5, 150 - 63);
    CHECK_NEAR(uw__two_room.path_length(values, a, c), leg + 25 + same, 1e-9);

    /* a door behind the outer wall is no way through */
    values[UW_ROOM_DOOR_POSITION] = 2;
    values[UW_ROOM_DOOR_SIZE] = 8;
    assert_true(isinf(uw__two_room.path_length(values, a, c)));
    CHECK_NEAR(uw__two_room.path_length(values, a, b), 120, 1e-9);
    uw_task task;
    uw__two_room.sample_task(1, 0, values, true, &task);
    assert_int_equal(task.shortest, 0); /* unknown, not endless */
}

static void test_path_is_a_metric(void **state) {
    (void)state;
    uw_rng rng = uw__rng(check_seed(21), UW_STREAM_TEST, 0);
    for (int which = 0; which < NUM_LOOKS; which++) {
        for (uint64_t i = 0; i < 100; i++) {
            double values[UW_MAX_FACTOR_VALUES];
            bool fixed[UW_MAX_FACTOR_VALUES];
            look(which, i, values, fixed);
            uw_task t[2];
            for (uint64_t k = 0; k < 2; k++)
                uw__two_room.sample_task(uw__rng_u32(&rng), i, values, k == 0, &t[k]);
            const double *p = t[0].start, *q = t[0].goal, *r = t[1].start;
            const double pq = uw__two_room.path_length(values, p, q);
            const double qp = uw__two_room.path_length(values, q, p);
            const double pr = uw__two_room.path_length(values, p, r);
            const double rq = uw__two_room.path_length(values, r, q);
            CHECK_NEAR(pq, qp, 1e-9 * pq);
            assert_true(pq >= hypot(p[0] - q[0], p[1] - q[1]) - 1e-9);
            assert_true(pq <= pr + rq + 1e-9);
        }
    }
}

/* ---- pictures ----------------------------------------------------------------------------------
 */

/* Average a 224 picture by area onto cells. */
static double area_mean(const uint8_t *big, int32_t size, int32_t x, int32_t y, int c) {
    const double cell = 224.0 / size;
    double sum = 0.0;
    for (int32_t j = (int32_t)(y * cell); j < 224 && j < (y + 1) * cell; j++) {
        const double h = fmin((y + 1) * cell, j + 1) - fmax(y * cell, j);
        for (int32_t i = (int32_t)(x * cell); i < 224 && i < (x + 1) * cell; i++) {
            const double w = fmin((x + 1) * cell, i + 1) - fmax(x * cell, i);
            sum += w * h * big[(j * 224 + i) * 3 + c];
        }
    }
    return sum / (cell * cell);
}

/* The bound is the published recipe's for its own 64 pixel drawing. */
static void test_small_pictures_average_the_large(void **state) {
    (void)state;
    static uint8_t big[224 * 224 * 3], small[128 * 128 * 3];
    static const int32_t sizes[] = {64, 128, 32};
    static const double mean_bound[] = {0.06, 0.04, 0.1}, max_bound[] = {9, 9, 16}; /* levels */
    for (int s = 0; s < 3; s++) {
        double total = 0.0, worst = 0.0;
        int64_t count = 0;
        for (uint64_t i = 0; i < 20; i++) {
            double values[UW_MAX_FACTOR_VALUES];
            uw_env_default_values(&uw__two_room, values);
            uw_task task;
            uw__two_room.sample_task(4, i, values, i % 2 == 0, &task);
            uw__room_draw(values, task.start, task.goal, 0, 224, big);
            uw__room_draw(values, task.start, task.goal, 0, sizes[s], small);
            for (int32_t y = 0; y < sizes[s]; y++) {
                for (int32_t x = 0; x < sizes[s]; x++) {
                    for (int c = 0; c < 3; c++, count++) {
                        const double want = area_mean(big, sizes[s], x, y, c);
                        const double off = fabs(want - small[(y * sizes[s] + x) * 3 + c]);
                        total += off;
                        worst = fmax(worst, off);
                    }
                }
            }
        }
        print_message("size %d: mean difference %.4f, largest %.2f of 255\n", sizes[s],
                      total / (double)count, worst);
        CHECK_NEAR(total / (double)count, 0, mean_bound[s]);
        CHECK_NEAR(worst, 0, max_bound[s]);
    }
}

/* Every size draws inside its buffer, and nothing but colours of the palette far from the agent. */
static void test_every_size(void **state) {
    (void)state;
    double values[UW_MAX_FACTOR_VALUES];
    uw_env_default_values(&uw__two_room, values);
    values[UW_ROOM_RENDER_TARGET] = 1;
    const double at[2] = {60, 112}, goal[2] = {200, 20};
    for (int32_t size = 1; size <= UW_MAX_FRAME_SIZE; size += size < 70 ? 1 : 107) {
        const size_t bytes = (size_t)size * (size_t)size * 3;
        uint8_t *rgb = malloc(bytes),
                *again = malloc(bytes); /* exact: a sanitizer sees every overrun */
        assert_non_null(rgb);
        assert_non_null(again);
        memset(again, 99, bytes);
        uw__room_draw(values, at, goal, 0, size, rgb);
        uw__room_draw(values, at, goal, 0, size, again);
        assert_memory_equal(rgb, again, bytes);
        free(rgb);
        free(again);
    }
}

/* Positions far outside, or huge, draw the bare rooms and nothing undefined. */
static void test_agent_outside_the_picture(void **state) {
    (void)state;
    static uint8_t bare[64 * 64 * 3], rgb[64 * 64 * 3];
    double values[UW_MAX_FACTOR_VALUES];
    uw_env_default_values(&uw__two_room, values);
    const double goal[2] = {60, 60};
    const double places[][2] = {{-1e4, 50}, {1e30, 1e30}, {50, -3e38}, {3e38, -3e38}};
    uw__room_draw(values, places[0], goal, 0, 64, bare);
    assert_int_equal(bare[(32 * 64 + 10) * 3], 255);
    for (size_t i = 1; i < 4; i++) {
        uw__room_draw(values, places[i], goal, 0, 64, rgb);
        assert_memory_equal(rgb, bare, sizeof bare);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_baselines),
        cmocka_unit_test(test_oracle_in_every_look),
        cmocka_unit_test(test_every_seed_can_be_solved),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_path_is_a_metric),
        cmocka_unit_test(test_small_pictures_average_the_large),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_agent_outside_the_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
