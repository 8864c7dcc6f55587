/* PushT beyond the recorded traces: what it refuses, extreme numbers, policies, tasks, threads. */
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "policy.h"
#include "push_t_world.h"
#include "rng.h"

enum { TASKS = 40, BUDGET = 200, FUZZ_EPISODES = 40, FUZZ_STEPS = 100, THREAD_STEPS = 400 };

static uw_env *new_world(const char *name) {
    uw_env *env = NULL;
    uw_err err = {0};
    CHECK_OK(uw_env_new(name, &env, &err), &err);
    return env;
}

/* ---- what it refuses
 * ------------------------------------------------------------------------------ */

static void test_bad_actions(void **state) {
    (void)state;
    static const float bad[][2] = {{NAN, 0}, {0, NAN}, {INFINITY, 0}, {0, -INFINITY}};
    uw_env *env = new_world("pusht");
    const size_t bytes = uw_env_snapshot_bytes(env);
    unsigned char *before = calloc(1, bytes), *after = calloc(1, bytes);
    assert_non_null(before);
    assert_non_null(after);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uw_step step = {.reward = 7};
        uw_env_save(env, before);
        assert_int_equal(uw_env_step(env, bad[i], &step), UW_ENONFINITE);
        uw_env_save(env, after);
        assert_memory_equal(before, after, bytes);
        assert_true(step.reward == 7.0f);
        assert_int_equal(uw_env_steps(env), 0);
    }
    /* out of range: taken, not clipped, and counted */
    uw_step step;
    double near[UW_PUSH_STATE], far[UW_PUSH_STATE];
    uw_env_save(env, before);
    assert_int_equal(uw_env_step(env, (const float[2]){1, 0}, &step), UW_OK);
    assert_false(step.clipped);
    uw_env_get_state(env, near);
    uw_err err = {0};
    CHECK_OK(uw_env_restore(env, before, bytes, &err), &err);
    assert_int_equal(uw_env_step(env, (const float[2]){3, 0}, &step), UW_OK);
    assert_true(step.clipped);
    uw_env_get_state(env, far);
    assert_true(far[0] > near[0] + 40.0);
    free(before);
    free(after);
    uw_env_free(env);
}

static void test_bad_states(void **state) {
    (void)state;
    uw_env *env = new_world("pusht");
    double good[UW_PUSH_STATE], now[UW_PUSH_STATE], goal[UW_PUSH_STATE];
    uw_env_get_state(env, good);
    uw_env_get_goal(env, goal);
    for (int i = 0; i < UW_PUSH_STATE; i++) {
        const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e300};
        for (int k = 0; k < 4; k++) {
            double s[UW_PUSH_STATE];
            memcpy(s, good, sizeof s);
            s[i] = bad[k];
            const uw_status want = k < 3 ? UW_ENONFINITE : UW_EINVAL;
            assert_int_equal(uw_env_set_state(env, s), want);
            assert_int_equal(uw_env_set_goal(env, s), want);
        }
    }
    uw_env_get_state(env, now);
    assert_memory_equal(now, good, sizeof now);
    uw_env_get_goal(env, now);
    assert_memory_equal(now, goal, sizeof now);
    uw_env_free(env);
}

/* Chipmunk would end the process at the first number that is not finite. */
static void test_extreme_numbers(void **state) {
    (void)state;
    const uint64_t seed = check_seed(2);
    uw_env *env = new_world("pusht");
    const uw_env_class *cls = uw_env_class_of(env);
    for (int e = 0; e < FUZZ_EPISODES; e++) {
        uw_rng rng = uw__rng(seed, UW_STREAM_TEST, (uint64_t)e);
        double values[UW_MAX_FACTOR_VALUES], s[UW_PUSH_STATE];
        bool fixed[UW_MAX_FACTOR_VALUES];
        uw_variation v = {0};
        uw_err err = {0};
        for (int i = 0; i < cls->num_factors; i++) v.mode[i] = UW_VARY_SAMPLE;
        CHECK_OK(uw_variation_resolve(cls, &v, seed, (uint64_t)e, values, fixed, &err), &err);
        CHECK_OK(uw_env_reset(env, seed, values, fixed, &err), &err);
        for (int t = 0; t < FUZZ_STEPS; t++) {
            const float largest[] = {1.0f, 30.0f, 1e4f, 1e10f, 3e38f};
            const float most = largest[uw__rng_below(&rng, 5)];
            float action[2];
            uw_step step;
            for (int i = 0; i < 2; i++) action[i] = most * (2.0f * uw__rng_uniform(&rng) - 1.0f);
            if (t % 10 == 9) { /* and on top of each other, also far away */
                const double far = uw__rng_below(&rng, 2) ? 1e9 : 500.0;
                for (int i = 0; i < UW_PUSH_STATE; i++) s[i] = far * uw__rng_uniform64(&rng);
                for (int i = 0; i < 2; i++) s[i] = s[2 + i];
                assert_int_equal(uw_env_set_state(env, s), UW_OK);
            }
            assert_int_equal(uw_env_step(env, action, &step), UW_OK);
            uw_env_get_state(env, s);
            for (int i = 0; i < UW_PUSH_STATE; i++)
                if (!isfinite(s[i])) fail_msg("seed %d, episode %d, step %d", (int)seed, e, t);
            assert_true(isfinite(step.reward) && isfinite(step.distance));
        }
    }
    uw_env_free(env);
}

/* The library prints nothing, though Chipmunk's space would. */
static void test_silence(void **state) {
    (void)state;
    char text[64] = "";
    fflush(NULL);
    const int out = dup(1);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(dup2(fileno(file), 1) == 1);
    uw_env *env = new_world("pusht");
    uw_step step;
    uw_env_step(env, (const float[2]){1, 1}, &step);
    uw_env_free(env);
    fflush(NULL);
    dup2(out, 1);
    close(out);
    rewind(file);
    const size_t printed = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    if (printed) fail_msg("printed: %s", text);
}

/* ---- readings, the discrete world
 * ----------------------------------------------------------------- */

static void test_readings(void **state) {
    (void)state;
    uw_env *env = new_world("pusht");
    const uw_env_class *cls = uw_env_class_of(env);
    int32_t numbers = 0;
    for (int32_t i = 0; i < cls->num_readings; i++) numbers += cls->readings[i].dim;
    assert_int_equal(numbers, 12);
    double got[UW_MAX_READINGS], s[UW_PUSH_STATE] = {100, 300, 250, 250, -1.0, 5, 6};
    uw_err err = {0};
    CHECK_OK(uw_env_reset(env, 1, NULL, NULL, &err), &err);
    assert_int_equal(uw_env_set_state(env, s), UW_OK);
    uw_env_read(env, got);
    uw_env_get_state(env, s);
    CHECK_NEAR(got[2], -1.0, 1e-12); /* not wrapped */
    CHECK_NEAR(s[4], 6.283185307179586 - 1.0, 1e-12);
    assert_true(got[0] == s[2] && got[1] == s[3] && got[7] == s[0] && got[10] == s[6]);
    assert_string_equal(cls->readings[2].name, "n_contacts");
    assert_true(got[6] == 0.0 && got[11] < 0.0);
    /* into the block: contacts are counted */
    int touching = 0;
    for (int t = 0; t < 30; t++) {
        const float action[2] = {(float)((s[2] - s[0]) / 100), (float)((s[3] - s[1]) / 100)};
        uw_step step;
        assert_int_equal(uw_env_step(env, action, &step), UW_OK);
        uw_env_read(env, got);
        uw_env_get_state(env, s);
        touching += got[6] > 0.0;
        assert_true((float)got[11] == step.reward);
    }
    assert_true(touching > 0);
    uw_env_free(env);
}

/* Any action means its bin's: the two worlds agree on the snapped one. */
static void test_discrete(void **state) {
    (void)state;
    uw_env *plain = new_world("pusht"), *discrete = new_world("pusht_discrete");
    uw_rng rng = uw__rng(6, UW_STREAM_TEST, 0);
    for (int t = 0; t < 100; t++) {
        float action[2], snapped[2];
        int32_t bin[2];
        uw_step a, b;
        double at[2][UW_PUSH_STATE];
        for (int i = 0; i < 2; i++) action[i] = 2.6f * uw__rng_uniform(&rng) - 1.3f;
        uw__push_quantize((const double[2]){(double)action[0], (double)action[1]}, bin);
        assert_in_range(bin[0], 0, UW_PUSH_BINS - 1);
        assert_in_range(bin[1], 0, UW_PUSH_BINS - 1);
        uw__push_bin_action(bin, snapped);
        assert_int_equal(uw_env_step(discrete, action, &a), UW_OK);
        assert_int_equal(uw_env_step(plain, snapped, &b), UW_OK);
        uw_env_get_state(discrete, at[0]);
        uw_env_get_state(plain, at[1]);
        assert_memory_equal(at[0], at[1], sizeof at[0]);
        assert_true(a.reward == b.reward && a.success == b.success);
    }
    uw_env_free(plain);
    uw_env_free(discrete);
}

/* ---- policies and tasks
 * --------------------------------------------------------------------------- */

typedef enum act { ORACLE, STRAIGHT, WEAK, RANDOM, EXPERT, NUM_ACTS } act;

static bool drive(uw_env *env, act how, uint64_t index, bool hard) {
    const uw_env_class *cls = uw_env_class_of(env);
    uw_rng rng = uw__rng(7, UW_STREAM_TEST, index);
    uw_policy expert;
    uw__policy_start(&expert, UW_POLICY_EXPERT, cls, 9, index);
    uw_task task;
    uw_err err = {0};
    CHECK_OK(uw_env_reset(env, index, uw_env_values(env), NULL, &err), &err);
    cls->sample_task(1, index, uw_env_values(env), hard, &task);
    assert_int_equal(uw_env_set_state(env, task.start), UW_OK);
    assert_int_equal(uw_env_set_goal(env, task.goal), UW_OK);
    assert_int_equal(task.hard, hard);
    for (int t = 0; t < BUDGET; t++) {
        float action[2];
        uw_step step;
        const double uniform[2] = {2 * uw__rng_uniform64(&rng) - 1,
                                   2 * uw__rng_uniform64(&rng) - 1};
        for (int i = 0; i < 2; i++) action[i] = (float)uniform[i];
        if (how == ORACLE) cls->oracle(uw_env_self(env), action);
        if (how == STRAIGHT) cls->straight(uw_env_self(env), action);
        if (how == WEAK) cls->weak(uw_env_self(env), uniform, action);
        if (how == EXPERT) uw__policy_act(&expert, uw_env_self(env), action);
        assert_int_equal(uw_env_step(env, action, &step), UW_OK);
        assert_false(step.clipped);
        if (step.success) return true;
    }
    return false;
}

static void test_policies(void **state) {
    (void)state;
    static const char *const names[] = {"oracle", "straight", "weak", "random", "expert"};
    uw_env *env = new_world("pusht");
    int won[NUM_ACTS][2] = {{0}};
    for (int how = ORACLE; how < NUM_ACTS; how++) {
        for (uint64_t i = 0; i < TASKS; i++)
            for (int hard = 0; hard < 2; hard++) won[how][hard] += drive(env, (act)how, i, hard);
        print_message("%s: easy %d, hard %d of %d\n", names[how], won[how][0], won[how][1], TASKS);
    }
    assert_int_equal(won[ORACLE][0], TASKS);
    assert_true(won[ORACLE][1] >= TASKS * 9 / 10);           /* 99.5 % of 200 in 200 steps */
    assert_true(won[EXPERT][1] >= TASKS * 8 / 10);           /* noisy, and still good */
    assert_in_range(won[STRAIGHT][0], TASKS / 2, TASKS - 1); /* the block is sometimes in the way */
    for (int how = STRAIGHT; how <= RANDOM; how++) assert_in_range(won[how][1], 0, TASKS / 10);
    uw_env_free(env);
}

/* The policy that pushes: what it is for happens, the block moves and turns, and all stays in
 * sight.
 */
static void test_push_about(void **state) {
    (void)state;
    enum { EPISODES = 40, STEPS = 200, SPAN = 25 };
    uw_env *env = new_world("pusht");
    int moved = 0, turned = 0, spans = 0, steps = 0;
    for (uint64_t e = 0; e < EPISODES; e++) {
        double was[7] = {0}, is[7];
        uw_policy policy;
        uw_err err = {0};
        CHECK_OK(uw_env_reset(env, 100 + e, NULL, NULL, &err), &err);
        uw__policy_start(&policy, UW_POLICY_PUSH, uw_env_class_of(env), 3, e);
        for (int t = 0; t < STEPS; t++) {
            float action[2];
            uw_step step;
            uw_env_get_state(env, is);
            if (t % SPAN == 0) {
                const double x = is[2] - was[2], y = is[3] - was[3];
                moved += t && x * x + y * y > 20.0 * 20.0;
                turned += t && fabs(remainder(is[4] - was[4], 6.283185307179586)) > 0.35;
                spans += t > 0;
                memcpy(was, is, sizeof was);
            }
            if (uw_env_class_of(env)->astray(uw_env_self(env))) break;
            for (int i = 0; i < 4; i++) assert_true(is[i] > 0.0 && is[i] < 512.0);
            steps++;
            uw__policy_act(&policy, uw_env_self(env), action);
            for (int i = 0; i < 2; i++) assert_true(fabsf(action[i]) <= 1.0f);
            assert_int_equal(uw_env_step(env, action, &step), UW_OK);
        }
    }
    print_message("of %d spans of %d steps the block moved in %d, turned in %d; %d of %d\n", spans,
                  SPAN, moved, turned, steps, EPISODES * STEPS);
    assert_true(moved > spans / 2);
    assert_true(turned > spans / 4);
    assert_true(steps > EPISODES * STEPS * 6 / 10); /* where the others went astray */
    uw_env_free(env);
}

/* Every block, and agents that are pushed themselves: the oracle gives finite actions in range. */
static void test_oracle_with_every_shape(void **state) {
    (void)state;
    uw_env *env = new_world("pusht");
    int won = 0;
    for (int shape = 1; shape < UW_PUSH_SHAPES; shape++) {
        double values[UW_MAX_FACTOR_VALUES];
        uw_err err = {0};
        uw_env_default_values(uw_env_class_of(env), values);
        values[UW_PUSH_BLOCK_SHAPE] = shape;
        CHECK_OK(uw_env_reset(env, 1, values, NULL, &err), &err);
        for (uint64_t i = 0; i < 5; i++) won += drive(env, ORACLE, i, true);
        values[UW_PUSH_AGENT_SHAPE] = shape;
        CHECK_OK(uw_env_reset(env, 1, values, NULL, &err), &err);
        for (int t = 0; t < 50; t++) {
            float action[2];
            uw_step step;
            uw_env_class_of(env)->oracle(uw_env_self(env), action);
            for (int i = 0; i < 2; i++) assert_true(fabsf(action[i]) <= 1.0f);
            assert_int_equal(uw_env_step(env, action, &step), UW_OK);
        }
    }
    print_message("hard tasks with each block: %d of 35\n", won);
    assert_true(won >= 31);
    uw_env_free(env);
}

/* The rule of the reference's weak policy: a uniform target, held within 100 px of the block. */
static void test_weak(void **state) {
    (void)state;
    uw_env *env = new_world("pusht");
    const double s[UW_PUSH_STATE] = {100, 300, 400, 250, 0, 0, 0};
    uw_err err = {0};
    float action[2];
    CHECK_OK(uw_env_reset(env, 1, NULL, NULL, &err), &err);
    assert_int_equal(uw_env_set_state(env, s), UW_OK);
    uw_env_class_of(env)->weak(uw_env_self(env), (const double[2]){-0.5, 0.25}, action);
    CHECK_NEAR(action[0], 1.0, 0);     /* 50 -> 300, 200 px away: as far as an action goes */
    CHECK_NEAR(action[1], 0.25, 1e-7); /* 325: within */
    /* and the collecting policy uses it */
    uw_policy policy;
    uw__policy_start(&policy, UW_POLICY_WEAK, uw_env_class_of(env), 1, 2);
    for (int i = 0; i < 20; i++) {
        uw__policy_act(&policy, uw_env_self(env), action);
        assert_true(action[0] == 1.0f); /* the block is that far */
    }
    uw_env_free(env);
}

static void test_tasks(void **state) {
    (void)state;
    double values[UW_MAX_FACTOR_VALUES];
    uw_env_default_values(&uw__push_t, values);
    double moved = 0.0;
    for (uint64_t i = 0; i < 200; i++) {
        uw_task a, b, easy;
        uw__push_t.sample_task(3, i, values, true, &a);
        uw__push_t.sample_task(3, i, values, true, &b);
        uw__push_t.sample_task(3, i, values, false, &easy);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(easy.goal + 2, easy.start + 2, 3 * sizeof *easy.goal);
        for (int k = 0; k < UW_PUSH_STATE; k++) {
            assert_true(isfinite(a.start[k]) && isfinite(a.goal[k]));
            if (k < 4) assert_true(a.goal[k] >= 50 && a.goal[k] <= 450);
        }
        moved += hypot(a.goal[2] - a.start[2], a.goal[3] - a.start[3]) / 200;
    }
    assert_true(moved > 100.0);
}

/* ---- threads
 * -------------------------------------------------------------------------------------- */

static void *run_alone(void *arg) {
    double *out = arg; /* [0]: the seed, then the last state */
    const uint64_t seed = (uint64_t)out[0];
    uw_env *env = NULL;
    if (uw_env_new("pusht", &env, NULL) || uw_env_reset(env, seed, NULL, NULL, NULL)) return arg;
    for (int t = 0; t < THREAD_STEPS; t++) {
        float action[2];
        uw_step step;
        uw_env_class_of(env)->oracle(uw_env_self(env), action);
        uw_env_step(env, action, &step);
    }
    uw_env_get_state(env, out);
    uw_env_free(env);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    double alone[2][UW_PUSH_STATE] = {{11}, {12}}, together[2][UW_PUSH_STATE] = {{11}, {12}};
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) assert_null(run_alone(alone[i]));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run_alone, together[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *failed = thread;
        assert_int_equal(pthread_join(thread[i], &failed), 0);
        assert_null(failed);
    }
    assert_memory_equal(alone, together, sizeof alone);
    assert_true(alone[0][0] != alone[1][0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_actions),
        cmocka_unit_test(test_bad_states),
        cmocka_unit_test(test_extreme_numbers),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_discrete),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_push_about),
        cmocka_unit_test(test_oracle_with_every_shape),
        cmocka_unit_test(test_weak),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
