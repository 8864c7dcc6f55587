/* Snapshots of PushT: save anywhere in a recorded push, restore anywhere else, and nothing differs
 * after. */
#include "trace.h"

#include "push_t_world.h"
#include "rng.h"

enum { AHEAD = 50, MOMENTS = 6 };

static uw_env *new_world(const char *name) {
    uw_env *env = NULL;
    uw_err err = {0};
    CHECK_OK(uw_env_new(name, &env, &err), &err);
    return env;
}

static const float *action_of(const uw_tensor *wide, int64_t row, float *out) {
    for (int i = 0; i < 2; i++) out[i] = (float)trace_number(wide, 2 * row + i);
    return out;
}

/* Everything one can see of an instance, the contacts that a picture shows included. */
typedef struct sight {
    double state[UW_PUSH_STATE], goal[UW_PUSH_STATE], readings[UW_MAX_READINGS];
    int64_t steps;
    uw_push_view contacts;
} sight;

static void see(uw_env *env, sight *out) {
    memset(out, 0, sizeof *out);
    uw_env_get_state(env, out->state);
    uw_env_get_goal(env, out->goal);
    uw_env_read(env, out->readings);
    uw__push_world_contacts(uw_env_self(env), &out->contacts);
    out->steps = uw_env_steps(env);
}

static void follow(uw_env *env, const uw_tensor *action, int64_t from, sight *out) {
    for (int64_t t = 0; t < AHEAD; t++) {
        float a[2];
        uw_step step;
        assert_int_equal(uw_env_step(env, action_of(action, from + t, a), &step), UW_OK);
        see(env, &out[t]);
    }
}

/* The recorded episodes as closely as the public functions start them: what counts is that they
 * push. */
static void start_episode(uw_env *env, uw_npz *npz, int64_t e) {
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    uw_err err = {0};
    trace_values(npz, NULL, uw_env_class_of(env), e, values);
    for (int i = 0; i < UW_MAX_FACTOR_VALUES; i++) fixed[i] = true;
    CHECK_OK(uw_env_reset(env, (uint64_t)e, values, fixed, &err), &err);
}

static void test_same_bits(void **state) {
    (void)state;
    uw_npz *npz = trace_open("pusht_physics.npz");
    const uw_tensor action = trace_array(npz, NULL, "action");
    const int64_t episodes = action.shape[0], steps = action.shape[1];
    const uint64_t seed = check_seed(5);
    assert_true(steps > AHEAD);
    uw_env *env = new_world("pusht"), *other = new_world("pusht");
    static sight want[AHEAD], got[AHEAD];
    const size_t bytes = uw_env_snapshot_bytes(env);
    unsigned char *snapshot = malloc(bytes + 1);
    assert_non_null(snapshot);
    int64_t cached = 0;
    for (int64_t e = 0; e < episodes; e++) {
        uw_rng rng = uw__rng(seed, UW_STREAM_TEST, (uint64_t)e);
        for (int m = 0; m < MOMENTS; m++) {
            const int64_t at = uw__rng_below(&rng, (uint32_t)(steps - AHEAD));
            uw_err err = {0};
            start_episode(env, npz, e);
            for (int64_t t = 0; t < at; t++) {
                float a[2];
                uw_step step;
                uw_env_step(env, action_of(&action, e * steps + t, a), &step);
            }
            cached += ((uw_push_world *)uw_env_self(env))->memory.num_touches > 0;
            uw_env_save(env, snapshot + 1); /* any alignment */
            follow(env, &action, e * steps + at, want);
            /* into an instance in another state of other shapes, into a fresh one, into its own
             * past */
            uw_env *fresh = new_world("pusht");
            uw_env *const into[] = {other, fresh, env};
            for (int i = 0; i < 3; i++) {
                CHECK_OK(uw_env_restore(into[i], snapshot + 1, bytes, &err), &err);
                follow(into[i], &action, e * steps + at, got);
                if (memcmp(got, want, sizeof want) != 0)
                    fail_msg(
                        "seed %d, episode %d, saved at step %d, instance %d: the futures differ",
                        (int)seed, (int)e, (int)at, i);
            }
            uw_env_free(fresh);
        }
    }
    print_message("%d moments, %d of them in touch: the next %d steps are the same bits\n",
                  (int)episodes * MOMENTS, (int)cached, AHEAD);
    assert_true(cached > 0);
    free(snapshot);
    uw_env_free(env);
    uw_env_free(other);
    uw__npz_close(npz);
}

/* What set_state cannot do, and is not said to: the contact cache is lost, a step is made. */
static void test_set_state_is_not_a_snapshot(void **state) {
    (void)state;
    uw_env *env = new_world("pusht");
    double before[UW_PUSH_STATE], after[UW_PUSH_STATE];
    const float push[2] = {0.5f, 0.0f};
    uw_step step;
    uw_env_step(env, push, &step);
    uw_env_get_state(env, before);
    assert_int_equal(uw_env_set_state(env, before), UW_OK);
    uw_env_get_state(env, after);
    CHECK_NEAR(after[0], before[0] + 0.01 * before[5], 1e-9); /* displaced by one physics step */
    assert_true(before[5] > 1.0);
    uw_env_free(env);
}

/* Damaged snapshots are refused or harmless: never a crash, a hang, a number that is not finite. */
static void test_damage(void **state) {
    (void)state;
    uw_env *env = new_world("pusht"), *broken = new_world("pusht");
    uw_err err = {0};
    CHECK_OK(uw_env_reset(env, 4, NULL, NULL, &err), &err);
    const size_t bytes = uw_env_snapshot_bytes(env);
    unsigned char *good = malloc(bytes), *bad = malloc(bytes);
    assert_non_null(good);
    assert_non_null(bad);
    int refused = 0;
    uw_rng rng = uw__rng(check_seed(8), UW_STREAM_TEST, 0);
    for (int i = 0; i < 4000; i++) {
        if (i % 200 == 0) {
            for (int k = 0; k < 20; k++) {
                float action[2];
                uw_step step;
                uw_env_class_of(env)->oracle(uw_env_self(env), action);
                uw_env_step(env, action, &step);
            }
            uw_env_save(env, good);
        }
        memcpy(bad, good, bytes);
        const size_t at = uw__rng_below(&rng, (uint32_t)bytes), count = 1 + uw__rng_below(&rng, 8);
        for (size_t k = at; k < at + count && k < bytes; k++)
            bad[k] = (unsigned char)uw__rng_u32(&rng);
        if (uw_env_restore(broken, bad, bytes, &err)) {
            refused++;
            continue;
        }
        for (int k = 0; k < 3; k++) {
            uw_step step;
            double now[UW_PUSH_STATE];
            uw_env_step(broken, (const float[2]){1, -1}, &step);
            uw_env_get_state(broken, now);
            for (int n = 0; n < UW_PUSH_STATE; n++) assert_true(isfinite(now[n]));
        }
    }
    print_message("%d of 4000 damaged snapshots refused\n", refused);
    assert_true(refused > 0);
    uw_env *discrete = new_world("pusht_discrete");
    uw_env_save(env, good);
    assert_int_equal(uw_env_restore(discrete, good, bytes, &err), UW_ESHAPE);
    assert_int_equal(uw_env_restore(broken, good, bytes - 1, &err), UW_EFORMAT);
    free(good);
    free(bad);
    uw_env_free(discrete);
    uw_env_free(broken);
    uw_env_free(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_set_state_is_not_a_snapshot),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
