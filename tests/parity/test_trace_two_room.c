/* TwoRoom against what was recorded of the reference simulator.
 *
 *     parity_trace_tworoom_motion motion   every position of every recorded step, exactly
 *     parity_trace_tworoom_motion frames   every recorded picture: at most one level off, in at
 * most 1e-5 of the values (its exp is a vectorised one)
 *
 * What is replayed and how much of it is read from the files. */
#include "check.h"
#include "place.h"
#include "trace.h"

#include "fileio.h"
#include "image.h"

enum { EDGE = 224, PICTURE = EDGE * EDGE * 3 };

/* An instance as row `row` had it after its reset: the recorded start and goal are factors too. */
static void reset_to(uw_env *env, uw_npz *npz, int64_t row) {
    const uw_env_class *cls = uw_env_class_of(env);
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    uw_err err = {0};
    trace_values(npz, NULL, cls, row, values);
    for (int32_t f = 0; f < cls->num_factors; f++) fixed[f] = true;
    CHECK_OK(uw_env_reset(env, 0, values, fixed, &err), &err);
}

/* Largest difference from what the reference's expert does without noise. */
static double expert_error(const uw_env *env, const float *want) {
    float got[2];
    uw_env_class_of(env)->expert(uw_env_self((uw_env *)env), got);
    return fmax(fabs((double)(got[0] - want[0])), fabs((double)(got[1] - want[1])));
}

static uw_env *new_world(void) {
    uw_env *env = NULL;
    uw_err err = {0};
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    return env;
}

/* ---- motion ------------------------------------------------------------------------------------
 */

static void test_motion(void **state) {
    (void)state;
    uw_npz *npz = trace_open("tworoom_motion.npz");
    const uw_tensor agent = trace_array(npz, NULL, "agent"),
                    target = trace_array(npz, NULL, "target");
    const uw_tensor action = trace_array(npz, NULL, "action"),
                    start = trace_array(npz, NULL, "start");
    const uw_tensor teleported = trace_array(npz, NULL, "teleported"),
                    distance = trace_array(npz, NULL, "distance");
    const uw_tensor terminated = trace_array(npz, NULL, "terminated"),
                    reward = trace_array(npz, NULL, "reward");
    const int64_t episodes = action.shape[0], steps = action.shape[1];
    assert_true(episodes > 0 && steps > 0 && agent.shape[1] == steps + 1);
    const float *at = agent.data, *from = start.data, *act = action.data, *goal = target.data;
    uw_env *env = new_world();
    int64_t differing = 0, clipped = 0, successes = 0, expert_steps = 0;
    double worst = 0.0, expert = 0.0;
    const char **kinds = NULL;
    int64_t num_kinds = 0;
    uw_err err = {0};
    CHECK_OK(uw__npz_strings(npz, uw__npz_find(npz, "kind"), &kinds, &num_kinds, &err), &err);
    assert_int_equal(num_kinds, episodes);
    for (int64_t e = 0; e < episodes; e++) {
        float now[2], aim[2];
        reset_to(env, npz, e);
        place_state(env, now);
        place_goal(env, aim);
        assert_memory_equal(now, at + e * (steps + 1) * 2, sizeof now);
        assert_memory_equal(aim, goal + e * (steps + 1) * 2, sizeof aim);
        for (int64_t t = 0; t < steps; t++) {
            const int64_t i = e * steps + t, row = e * (steps + 1) + t + 1;
            uw_step step;
            if (trace_number(&teleported, i) != 0.0)
                assert_int_equal(place_at(env, from + 2 * i), UW_OK);
            if (!strcmp(kinds[e], "expert")) {
                expert = fmax(expert, expert_error(env, act + 2 * i));
                expert_steps++;
            }
            assert_int_equal(uw_env_step(env, act + 2 * i, &step), UW_OK);
            place_state(env, now);
            differing += memcmp(now, at + 2 * row, sizeof now) != 0;
            worst = fmax(worst, fabs((double)step.distance - trace_number(&distance, row)));
            assert_int_equal(step.success, trace_number(&terminated, i) != 0.0);
            assert_true((double)step.reward == trace_number(&reward, i));
            clipped += step.clipped;
            successes += step.success;
        }
    }
    print_message("%d episodes x %d steps: %d positions differ, distance within %.3g; %d actions "
                  "clipped, %d steps at the goal\n",
                  (int)episodes, (int)steps, (int)differing, worst, (int)clipped, (int)successes);
    assert_int_equal(differing, 0);
    CHECK_NEAR(worst, 0, 2e-5);
    print_message("%d actions of the expert differ by up to %.3g\n", (int)expert_steps, expert);
    CHECK_NEAR(expert, 0, 1e-6);               /* some roundings of numbers up to 1 */
    assert_true(clipped > 0 && successes > 0); /* the trace does exercise both */
    uw_env_free(env);
    uw__npz_close(npz);
}

/* ---- pictures ----------------------------------------------------------------------------------
 */

static void load_picture(const char *tag, uint8_t *out) {
    char path[512];
    void *data = NULL;
    size_t size = 0;
    uint8_t *rgb = NULL;
    int32_t width = 0, height = 0;
    uw_err err = {0};
    snprintf(path, sizeof path, "%s/traces/tworoom_frames/%s.png", check_vectors(), tag);
    CHECK_OK(uw__file_read(path, TRACE_MAX_BYTES, &data, &size, &err), &err);
    CHECK_OK(uw__png_decode(path, data, size, &rgb, &width, &height, &err), &err);
    assert_int_equal(width, EDGE);
    assert_int_equal(height, EDGE);
    memcpy(out, rgb, PICTURE);
    free(rgb);
    free(data);
}

/* Count differing values; the largest difference goes to *largest. */
static int64_t compare(const uint8_t *got, const uint8_t *want, int *largest) {
    int64_t differing = 0;
    for (int i = 0; i < PICTURE; i++) {
        const int off = abs((int)got[i] - (int)want[i]);
        differing += off > 0;
        if (off > *largest) *largest = off;
    }
    return differing;
}

static void test_frames(void **state) {
    (void)state;
    static uint8_t got[PICTURE], want[PICTURE];
    uw_npz *npz = trace_open("tworoom_frames.npz");
    const uw_tensor agent = trace_array(npz, NULL, "agent"),
                    target = trace_array(npz, NULL, "target");
    const uw_tensor sums = trace_array(npz, NULL, "goal_image_sum");
    const char **tags = NULL;
    int64_t count = 0;
    uw_err err = {0};
    CHECK_OK(uw__npz_strings(npz, uw__npz_find(npz, "tag"), &tags, &count, &err), &err);
    assert_true(count > 0 && count == agent.shape[0]);
    uw_env *env = new_world();
    int64_t differing = 0, sum_off = 0, last_state = -1;
    int largest = 0;
    for (int64_t i = 0; i < count; i++) {
        reset_to(env, npz, i);
        assert_int_equal(place_at(env, (const float *)agent.data + 2 * i), UW_OK);
        assert_int_equal(place_goal_at(env, (const float *)target.data + 2 * i), UW_OK);
        uw_env_render(env, EDGE, got);
        load_picture(tags[i], want);
        int here = 0;
        const int64_t off = compare(got, want, &here);
        if (here > 1) print_message("%s: %d values differ, by up to %d\n", tags[i], (int)off, here);
        differing += off;
        if (here > largest) largest = here;
        if (!strncmp(tags[i], "state_", 6)) last_state = i;

        int64_t sum[3] = {0}; /* the goal picture was recorded as its sums */
        uw_env_render_goal(env, EDGE, got);
        for (int k = 0; k < PICTURE; k++) sum[k % 3] += got[k];
        for (int c = 0; c < 3; c++)
            sum_off += llabs(sum[c] - (int64_t)trace_number(&sums, 3 * i + c));
    }
    assert_true(last_state >= 0); /* one goal picture was recorded whole */
    reset_to(env, npz, last_state);
    assert_int_equal(place_goal_at(env, (const float *)target.data + 2 * last_state), UW_OK);
    uw_env_render_goal(env, EDGE, got);
    load_picture("goal_of_last_state", want);
    differing += compare(got, want, &largest);
    const double values = (double)(count + 1) * PICTURE;
    print_message(
        "%d pictures: %d of %.0f values differ, largest by %d; goal pictures' sums off by %d\n",
        (int)count + 1, (int)differing, values, largest, (int)sum_off);
    assert_true(largest <= 1);
    assert_true((double)differing <= 1e-5 * values);
    assert_true((double)sum_off <= 1e-5 * values);
    uw_env_free(env);
    uw__npz_close(npz);
}

int main(int argc, char **argv) {
#if !defined(UW_PNG)
    if (argc == 2 && !strcmp(argv[1], "frames")) {
        printf("skipped: this build reads no PNG\n");
        return UW_SKIP;
    }
#endif
    const struct CMUnitTest motion[] = {cmocka_unit_test(test_motion)};
    const struct CMUnitTest frames[] = {cmocka_unit_test(test_frames)};
    if (argc == 2 && !strcmp(argv[1], "motion"))
        return trace_exit(cmocka_run_group_tests(motion, NULL, NULL));
    if (argc == 2 && !strcmp(argv[1], "frames"))
        return trace_exit(cmocka_run_group_tests(frames, NULL, NULL));
    fprintf(stderr, "usage: %s motion|frames\n", argv[0]);
    return 2;
}
