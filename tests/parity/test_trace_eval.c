/* Recorded evaluations of the reference, replayed: three policies, with and without stopping at
 * success.
 *
 *     parity_trace_pusht_eval pusht
 *     parity_trace_tworoom_eval tworoom
 *
 * In mode "wait" an episode ends when it succeeds; in mode "free" it goes on, and the world's rule
 * is recorded for every step. */
#include "trace.h"

#include "place.h"

#if defined(UW_CHIPMUNK)
#include "push_t_world.h"
#endif

enum { MAX_STATE = 7 };

/* One world under test. */
typedef struct subject {
    const char *file;
    int32_t state_dim;
    double bound;
    /* Put episode e where its recording starts. */
    void (*start)(void *self, uw_npz *npz, int64_t e);
    uw_step (*step)(void *self, const float *action);
    /* Write the state, then what else was recorded of the policy's run (the block's angle). */
    void (*state)(void *self, double *out);
    const char *extra; /* array of one number per row beside the state; NULL = none */
    void *self;
} subject;

static void row_of(const uw_tensor *t, int64_t at, int64_t width, double *out) {
    for (int64_t i = 0; i < width; i++) out[i] = trace_number(t, at * width + i);
}

/* ---- the two worlds
 * ------------------------------------------------------------------------------- */

#if defined(UW_CHIPMUNK)
static void push_start(void *self, uw_npz *npz, int64_t e) {
    const uw_tensor sets = trace_array(npz, NULL, "sets"), goals = trace_array(npz, NULL, "goal");
    double values[UW_MAX_FACTOR_VALUES], set[3][MAX_STATE], goal[MAX_STATE];
    uw_env_default_values(&uw__push_t, values);
    row_of(&sets, e, 3 * MAX_STATE, set[0]);
    row_of(&goals, e, MAX_STATE, goal);
    /* the bodies are made at the reset's start */
    memcpy(values + UW_PUSH_AGENT_START, set[1], 2 * sizeof **set);
    memcpy(values + UW_PUSH_BLOCK_START, set[1] + 2, 2 * sizeof **set);
    values[UW_PUSH_BLOCK_ANGLE] = set[1][4];
    uw__push_begin(self, values, set[0], set[1]);
    uw__push_set(self, set[2]);
    assert_int_equal(uw__push_t.set_goal(self, goal), UW_OK);
}

static uw_step push_step(void *self, const float *action) {
    uw_step step = {0};
    uw__push_t.step(self, action, &step);
    return step;
}

static void push_state(void *self, double *out) {
    uw__push_state(self, out);
    out[MAX_STATE] = ((uw_push_world *)self)->body[UW_PUSH_BLOCK].a;
}
#endif

static void room_start(void *self, uw_npz *npz, int64_t e) {
    const uw_tensor from = trace_array(npz, "random.wait", "state"),
                    goals = trace_array(npz, NULL, "goal");
    uw_err err = {0};
    CHECK_OK(uw_env_reset(self, 0, NULL, NULL, &err), &err);
    assert_int_equal(place_at(self, (const float *)from.data + 2 * e), UW_OK);
    assert_int_equal(place_goal_at(self, (const float *)goals.data + 2 * e), UW_OK);
}

static uw_step room_step(void *self, const float *action) {
    uw_step step;
    assert_int_equal(uw_env_step(self, action, &step), UW_OK);
    return step;
}

static void room_state(void *self, double *out) {
    uw_env_get_state(self, out);
}

/* ---- one recorded run
 * ----------------------------------------------------------------------------- */

typedef struct tally {
    int64_t runs, steps, differing, successes;
    double worst;
} tally;

static void compare_state(const subject *s, uw_npz *npz, const char *part, int64_t row,
                          tally *sum) {
    const uw_tensor states = trace_array(npz, part, "state");
    double got[MAX_STATE + 1], want[MAX_STATE + 1];
    s->state(s->self, got);
    row_of(&states, row, s->state_dim, want);
    int32_t width = s->state_dim;
    if (s->extra) {
        const uw_tensor extra = trace_array(npz, part, s->extra);
        want[width++] = trace_number(&extra, row);
    }
    for (int32_t i = 0; i < width; i++) {
        const double off = fabs(got[i] - want[i]);
        if (!(off <= s->bound))
            fail_msg("%s, row %d, number %d: %.17g, wanted %.17g", part, (int)row, (int)i, got[i],
                     want[i]);
        sum->worst = fmax(sum->worst, off);
        sum->differing += off != 0.0;
    }
}

/* Replay one policy in one mode; a file need not hold every one. */
static void replay(const subject *s, uw_npz *npz, const char *policy, bool stops, tally *sum) {
    char part[32], key[48];
    snprintf(part, sizeof part, "%s.%s", policy, stops ? "wait" : "free");
    snprintf(key, sizeof key, "%s.action", part);
    if (uw__npz_find(npz, key) < 0) return;
    const uw_tensor action = trace_array(npz, part, "action");
    const uw_tensor ended = trace_array(npz, part, stops ? "terminated" : "would_stop");
    const int64_t steps = action.shape[0], episodes = action.shape[1];
    assert_int_equal(action.dtype, UW_DTYPE_F32);
    int64_t successes = 0;
    for (int64_t e = 0; e < episodes; e++) {
        bool reached = false;
        s->start(s->self, npz, e);
        compare_state(s, npz, part, e, sum);
        for (int64_t t = 0; t < steps && !(stops && reached); t++) {
            const uw_step step =
                s->step(s->self, (const float *)action.data + (t * episodes + e) * 2);
            compare_state(s, npz, part, (t + 1) * episodes + e, sum);
            const int64_t row = stops ? t : t + 1; /* would_stop begins before any step */
            assert_int_equal(step.success, trace_number(&ended, row * episodes + e) != 0.0);
            reached |= step.success;
            sum->steps++;
        }
        if (stops) {
            const uw_tensor success = trace_array(npz, part, "success");
            assert_int_equal(reached, trace_number(&success, e) != 0.0);
        }
        successes += reached;
    }
    if (stops) {
        const uw_tensor rate = trace_array(npz, part, "success_rate");
        CHECK_NEAR(100.0 * (double)successes / (double)episodes, trace_number(&rate, 0), 1e-6);
    }
    sum->successes += successes;
    sum->runs++;
}

static subject under_test;

static void test_eval(void **state) {
    (void)state;
    uw_npz *npz = trace_open(under_test.file);
    tally sum = {0};
    static const char *const policies[] = {"random", "oracle", "zero"};
    for (int i = 0; i < 3; i++)
        for (int mode = 0; mode < 2; mode++) replay(&under_test, npz, policies[i], mode == 0, &sum);
    print_message("%d runs, %d steps, %d episodes succeeded: %d numbers differ, by up to %.3g\n",
                  (int)sum.runs, (int)sum.steps, (int)sum.successes, (int)sum.differing, sum.worst);
    assert_true(sum.runs > 0 && sum.steps > 0);
    uw__npz_close(npz);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eval)};
    uw_env *rooms = NULL;
    uw_err err = {0};
#if defined(UW_CHIPMUNK)
    static uw_push_world world;
    if (argc == 2 && !strcmp(argv[1], "pusht"))
        under_test = (subject){"eval_pusht.npz", 7,          1e-9,          push_start,
                               push_step,        push_state, "block_angle", &world};
#else
    if (argc == 2 && !strcmp(argv[1], "pusht")) {
        printf("skipped: this build has no PushT\n");
        return UW_SKIP;
    }
#endif
    if (argc == 2 && !strcmp(argv[1], "tworoom") && !uw_env_new("two_room", &rooms, &err))
        under_test =
            (subject){"eval_tworoom.npz", 2, 0.0, room_start, room_step, room_state, NULL, rooms};
    if (!under_test.self) {
        fprintf(stderr, "usage: %s pusht|tworoom\n", argv[0]);
        return 2;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    uw_env_free(rooms);
    return trace_exit(failed);
}
