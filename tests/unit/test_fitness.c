/* Data fitness: a sound recording raises nothing; every fault raises its own check, and names
 * where. */
#include "check.h"

#include <math.h>

#include <umwelt/fitness.h>

#include "context.h"
#include "dataset_internal.h"
#include "rng.h"
#include "tempdir.h"

enum { EPISODES = 40, ROWS = 60, STATES = 3, ACTIONS = 2, SIZE = 16 };

typedef enum fault {
    SOUND,
    MISSING,    /* 1 % of state[1] */
    MOSTLY_NAN, /* half of state[1] */
    CONSTANT,   /* state[2] */
    STUCK,      /* state stands still in episodes 5 and 6 for 20 rows */
    END_STOP,   /* state stands at its least value for 20 rows */
    RESTING,    /* state moves only now and then */
    SPIKE,      /* one row of state[0] */
    UNIT,       /* episode 9 in degrees */
    GAP,        /* one missing second */
    BACKWARD,   /* the clock starts again */
    NARROW,     /* state[1] at rest but for rare excursions */
    TWIN,       /* both actions alike */
    IDLE,       /* actions do nothing */
    FAINT,      /* they do little */
    SHIFTED,    /* they are those of another time */
    STILL,      /* the first never moves */
    NO_ACTIONS,
    FEW
} fault;

/* One episode's rows: z' = 0.9 z + B a + noise, seen with noise. */
static void play(fault f, int64_t episode, double *time, float *state, float *action) {
    uw_rng r = uw__rng(1, UW_STREAM_TEST, (uint64_t)episode);
    const float strength = f == IDLE ? 0.0f : f == FAINT ? 0.022f : 0.5f;
    float z[STATES], a[ACTIONS] = {0};
    for (int i = 0; i < STATES; i++) z[i] = uw__rng_normal(&r);
    for (int64_t t = 0; t < ROWS; t++) {
        float *s = state + t * STATES, *u = action + t * ACTIONS;
        for (int i = 0; i < ACTIONS; i++) a[i] = tanhf(0.7f * a[i] + 0.8f * uw__rng_normal(&r));
        if (f == TWIN) a[1] = a[0];
        for (int i = 0; i < STATES; i++) s[i] = z[i];
        for (int i = 0; i < ACTIONS; i++) u[i] = t == ROWS - 1 ? NAN : a[i];
        if (f == STILL && t < ROWS - 1) u[0] = 0.25f;
        if (f == SHIFTED && t < ROWS - 1)
            for (int i = 0; i < ACTIONS; i++) u[i] = tanhf(uw__rng_normal(&r));
        for (int i = 0; i < STATES; i++) {
            const float push = i < ACTIONS ? a[i] : a[0] - a[1];
            z[i] = 0.9f * z[i] + strength * push + 0.2f * uw__rng_normal(&r);
        }
        time[t] = 5.0 + 0.1 * (double)t + (f == GAP && episode == 3 && t >= 20 ? 1.0 : 0.0) -
                  (f == BACKWARD && episode == 4 && t >= 30 ? 3.0 : 0.0);
        if (f == MISSING && (episode * ROWS + t) % 100 == 7) s[1] = NAN;
        if (f == MOSTLY_NAN && t % 2) s[1] = NAN;
        if (f == CONSTANT) s[2] = 21.5f;
        if (f == SPIKE && episode == 11 && t == 17) s[0] = 900.0f;
        if (f == UNIT && episode == 9)
            for (int i = 0; i < STATES; i++) s[i] *= 57.2958f;
        if (f == NARROW && uw__rng_uniform(&r) > 0.03f) s[1] = 1e-4f * uw__rng_normal(&r);
        if (f == STUCK && (episode == 5 || episode == 6) && t > 10 && t < 31)
            memcpy(s, state + 10 * STATES, STATES * sizeof *s);
        for (int i = 0; i < STATES && f == END_STOP; i++)
            s[i] = episode == 5 && t > 10 && t < 31 ? -9.0f : s[i];
        if (f == RESTING && t % 12) memcpy(s, s - STATES, STATES * sizeof *s);
    }
}

/* `source` says which episode's rows an episode has; NULL: its own. */
static const char *record(const char *name, fault f, const int64_t *source) {
    const uw_column columns[] = {
        {.name = "time", .dtype = UW_DTYPE_F64, .unit = "s"},
        {.name = "state", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {STATES}},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {ACTIONS}}};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    const char *path = tempdir_file(name);
    static double time[ROWS];
    static float state[ROWS * STATES], action[ROWS * ACTIONS];
    uw_recorder *rec = NULL;
    uw_err err = {0};
    const int32_t count = f == NO_ACTIONS ? 2 : 3;
    CHECK_OK(uw_recorder_open(path, columns, count, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
    for (int64_t e = 0; e < (f == FEW ? 5 : EPISODES); e++) {
        play(f, source ? source[e] : e, time, state, action);
        for (int64_t t = 0; t < ROWS && source; t++) time[t] += 100.0 * (double)e;
        const void *cells[] = {time, state, action};
        CHECK_OK(uw_recorder_episode(rec, NULL, cells, ROWS, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    return path;
}

static uw_fitness_report look(const char *path) {
    uw_context *ctx = context(1);
    uw_fitness_report r;
    uw_err err = {0};
    CHECK_OK(uw_fitness_run(ctx, path, NULL, &r, &err), &err);
    uw_context_free(ctx);
    return r;
}

/* The report of a fault, recorded and looked at once. */
static const uw_fitness_report *of(fault f) {
    static uw_fitness_report reports[FEW + 1];
    if (!reports[f].rows) reports[f] = look(record("fault.uw", f, NULL));
    return &reports[f];
}

static const uw_fitness_check *find(const uw_fitness_report *r, const char *name,
                                    const char *object) {
    for (int32_t i = 0; i < r->num_checks; i++)
        if (!strcmp(r->checks[i].name, name) && !strcmp(r->checks[i].object, object))
            return &r->checks[i];
    for (int32_t i = 0; i < r->num_checks; i++)
        print_error("%s | %s | %s\n", r->checks[i].name, r->checks[i].object, r->checks[i].what);
    fail_msg("no check %s of %s", name, object);
    return NULL;
}

/* A fault raises this verdict of this check, with these words in it, and advice. */
static void raises(fault f, const char *name, const char *object, uw_fitness_verdict verdict,
                   const char *words) {
    const uw_fitness_report *r = of(f);
    const uw_fitness_check *c = find(r, name, object);
    if (c->verdict != verdict || !strstr(c->what, words))
        fail_msg("fault %d: %s: %s", (int)f, uw_fitness_verdict_str(c->verdict), c->what);
    assert_true(*c->advice);
    assert_true(r->verdict >= verdict || verdict == UW_FITNESS_UNKNOWN);
}

/* What a fault must not raise. */
static void stays(fault f, const char *name) {
    const uw_fitness_report *r = of(f);
    for (int32_t i = 0; i < r->num_checks; i++)
        if (!strcmp(r->checks[i].name, name) && r->checks[i].verdict != UW_FITNESS_GOOD)
            fail_msg("fault %d: %s: %s", (int)f, r->checks[i].object, r->checks[i].what);
}

static void test_sound_is_silent(void **state) {
    (void)state;
    const uw_fitness_report r = look(record("sound.uw", SOUND, NULL)),
                            again = look(tempdir_file("sound.uw"));
    for (int32_t i = 0; i < r.num_checks; i++) {
        if (r.checks[i].verdict != UW_FITNESS_GOOD)
            fail_msg("%s: %s", r.checks[i].name, r.checks[i].what);
        assert_false(*r.checks[i].advice);
    }
    assert_int_equal(r.verdict, UW_FITNESS_GOOD);
    assert_int_equal(r.num_checks, 12);
    assert_int_equal(r.episodes, EPISODES);
    assert_int_equal(r.rows, EPISODES * ROWS);
    assert_string_equal(r.observation, "3 sensor numbers");
    assert_int_equal(r.num_effects, 5);
    assert_memory_equal(r.effects, again.effects, sizeof r.effects);
    assert_memory_equal(r.checks, again.checks, sizeof r.checks);
}

/* z' = 0.9 z + 0.5 a + 0.2 e over one row: I(a; z' | z) in closed form from the sample's own
 * variances. */
static void test_effect_is_right(void **state) {
    (void)state;
    const uw_action_effect *e = &of(SOUND)->effects[0], *idle = &of(IDLE)->effects[0];
    assert_int_equal(e->frameskip, 1);
    assert_int_equal(e->transitions, EPISODES * 16);
    /* At most 1/2 log det(1 + 0.25 v B B' / 0.04), reached by actions that do not hang together: B
     * B' has the eigenvalues 1 and 3, v is about 0.4, so 1.7. */
    if (!(e->nats > 0.8 && e->nats < 1.7)) fail_msg("%g nats", e->nats);
    if (!(e->share > 0.3 && e->share < 0.8)) fail_msg("share %g", e->share);
    /* under the null 2 n I is chi-squared with (actions x observed) degrees: mean 6 / (2 n) */
    CHECK_NEAR(e->null_mean, 6.0 / (2.0 * (double)e->transitions),
               0.4 * 6.0 / (2.0 * (double)e->transitions));
    CHECK_NEAR(e->p_value, 0.005, 1e-12);
    assert_true(idle->nats < 3.0 * idle->null_mean);
    assert_true(idle->p_value > 0.01);
    assert_true(fabs(idle->share) < 0.01);
}

static void test_numbers(void **state) {
    (void)state;
    raises(MISSING, "missing numbers", "state[1]", UW_FITNESS_NOTE, "24 of 2400");
    raises(MOSTLY_NAN, "missing numbers", "state[1]", UW_FITNESS_BAD, "1200 of 2400");
    raises(CONSTANT, "constant numbers", "state[2]", UW_FITNESS_NOTE, "always 21.5");
    raises(STILL, "constant numbers", "action[0]", UW_FITNESS_BAD, "always 0.25");
    raises(STUCK, "stuck sensors", "state", UW_FITNESS_BAD,
           "2 runs of up to 21 equal rows, first in episode 5 from row 10");
    stays(END_STOP, "stuck sensors");
    stays(RESTING, "stuck sensors");
    raises(SPIKE, "outliers", "state[0]", UW_FITNESS_NOTE, "1 rows of 1 episodes");
    raises(UNIT, "outliers", "state[0]", UW_FITNESS_BAD, "first episode 9");
    stays(MISSING, "outliers");
}

static void test_clock(void **state) {
    (void)state;
    raises(GAP, "clock", "time", UW_FITNESS_NOTE,
           "1 gaps (up to 1.1, usual 0.1), 0 steps back, first in episode 3 at row 20");
    raises(BACKWARD, "clock", "time", UW_FITNESS_BAD, "1 steps back, first in episode 4 at row 30");
}

static void test_coverage(void **state) {
    (void)state;
    raises(NARROW, "state coverage", "state[1]", UW_FITNESS_NOTE, "the rest hardly ever");
    raises(TWIN, "action coverage", "directions", UW_FITNESS_BAD, "condition number inf");
    stays(SOUND, "state coverage");
}

static void test_actions(void **state) {
    (void)state;
    raises(IDLE, "actions matter", "", UW_FITNESS_BAD, "p 0.");
    raises(SHIFTED, "actions matter", "", UW_FITNESS_BAD, "p 0.");
    raises(FAINT, "actions matter", "", UW_FITNESS_NOTE, "actions explain 0.");
    raises(NO_ACTIONS, "actions matter", "", UW_FITNESS_UNKNOWN, "no actions are recorded");
    raises(FEW, "episodes", "", UW_FITNESS_NOTE, "5 episodes");
    /* few episodes: pieces of them are exchanged, and actions matter all the same */
    assert_int_equal(find(of(FEW), "actions matter", "")->verdict, UW_FITNESS_GOOD);
    /* other columns can be the actions */
    uw_context *ctx = context(1);
    uw_fitness_report other;
    uw_err err = {0};
    CHECK_OK(uw_fitness_run(ctx, record("sound.uw", SOUND, NULL),
                            &(uw_fitness_options){.action = "valve,state"}, &other, &err),
             &err);
    assert_string_equal(other.observation, "2 sensor numbers");
    uw_context_free(ctx);
}

static void test_copies(void **state) {
    (void)state;
    int64_t source[EPISODES], in = -1, out = -1, out2 = -1;
    for (int64_t e = 0; e < EPISODES; e++) {
        source[e] = e;
        if (uw__episode_held_out(0, e, 0.1))
            in = e;
        else
            out2 = out, out = e;
    }
    assert_true(in >= 0 && out2 >= 0);
    source[out] = out2; /* both are trained on */
    const uw_fitness_report same = look(record("copies.uw", SOUND, source));
    assert_int_equal(find(&same, "duplicates", "copies")->verdict, UW_FITNESS_BAD);
    assert_true(find(&same, "duplicates", "copies")->value == 1.0);
    assert_int_equal(find(&same, "split overlap", "")->verdict, UW_FITNESS_GOOD);
    source[out] = in;
    const uw_fitness_report across = look(record("copies.uw", SOUND, source));
    assert_int_equal(find(&across, "split overlap", "")->verdict, UW_FITNESS_BAD);
    assert_true(find(&across, "split overlap", "")->value == 1.0);
}

/* Windows of one run, saved as episodes: neighbours share three quarters of their rows. */
static void test_overlaps(void **state) {
    (void)state;
    const uw_column column = {.name = "x", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {1}};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    const char *path = tempdir_file("windows.uw");
    static float x[EPISODES * 10 + ROWS];
    uw_rng r = uw__rng(2, UW_STREAM_TEST, 0);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = uw__rng_normal(&r);
    for (int step = 10; step <= ROWS; step += ROWS - 10) {
        uw_recorder *rec = NULL;
        uw_err err = {0};
        CHECK_OK(uw_recorder_open(path, &column, 1, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
        for (int e = 0; e < 7; e++) {
            const void *cells[] = {x + e * step};
            CHECK_OK(uw_recorder_episode(rec, NULL, cells, ROWS, &err), &err);
        }
        CHECK_OK(uw_recorder_close(rec, &err), &err);
        const uw_fitness_report report = look(path);
        if (step < ROWS)
            assert_true(find(&report, "duplicates", "overlaps")->value >= 6.0);
        else
            assert_int_equal(find(&report, "duplicates", "")->verdict, UW_FITNESS_GOOD);
    }
}

/* Pictures alone: a bright column moves as actions say; in one episode the camera freezes. */
static void test_pictures(void **state) {
    (void)state;
    const uw_column columns[] = {
        {.name = "pixels", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {SIZE, SIZE, 3}},
        {.name = "action", .dtype = UW_DTYPE_F32}};
    const uw_dataset_meta meta = {.env = "", .policy = "", .variation = "", .action_repeat = 1};
    static uint8_t pixels[ROWS][SIZE][SIZE][3];
    static float action[ROWS];
    for (int frozen = 0; frozen < 2; frozen++) {
        const char *path = tempdir_file("pictures.uw");
        uw_recorder *rec = NULL;
        uw_err err = {0};
        CHECK_OK(uw_recorder_open(path, columns, 2, &meta, UW_OPEN_OVERWRITE, &rec, &err), &err);
        for (int e = 0; e < EPISODES; e++) {
            uw_rng r = uw__rng(3, UW_STREAM_TEST, (uint64_t)e);
            float x = 8.0f;
            for (int t = 0; t < ROWS; t++) {
                for (int p = 0; p < SIZE * SIZE * 3; p++)
                    (&pixels[t][0][0][0])[p] = (uint8_t)(100 + (int)uw__rng_below(&r, 3));
                for (int y = 0; y < SIZE; y++) memset(pixels[t][y][(int)x], 250, 3);
                action[t] = t == ROWS - 1 ? NAN : 2.0f * uw__rng_uniform(&r) - 1.0f;
                x = fminf(fmaxf(x + 2.0f * (t == ROWS - 1 ? 0.0f : action[t]), 0.0f), 15.0f);
                if (frozen && e == 2 && t > 20) memcpy(pixels[t], pixels[20], sizeof pixels[t]);
            }
            const void *cells[] = {pixels, action};
            CHECK_OK(uw_recorder_episode(rec, NULL, cells, ROWS, &err), &err);
        }
        CHECK_OK(uw_recorder_close(rec, &err), &err);
        const uw_fitness_report report = look(path);
        assert_string_equal(report.observation, "pictures, 8x8 grey cells");
        assert_int_equal(find(&report, "actions matter", "")->verdict, UW_FITNESS_GOOD);
        if (frozen)
            assert_true(strstr(find(&report, "stuck sensors", "pixels")->what,
                               "episode 2 from row 20") != NULL);
        else
            assert_int_equal(find(&report, "stuck sensors", "")->verdict, UW_FITNESS_GOOD);
    }
}

static void test_refusals(void **state) {
    (void)state;
    uw_context *ctx = context(1);
    uw_fitness_report r;
    uw_err err = {0};
    assert_int_equal(uw_fitness_run(ctx, tempdir_file("none.uw"), NULL, &r, &err), UW_ENOTFOUND);
    const char *path = record("sound.uw", SOUND, NULL);
    assert_int_equal(uw_fitness_run(ctx, path, &(uw_fitness_options){.holdout = 2.0}, &r, &err),
                     UW_EINVAL);
    assert_string_equal(uw_fitness_verdict_str((uw_fitness_verdict)9), "?");
    uw_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_is_silent), cmocka_unit_test(test_effect_is_right),
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_clock),
        cmocka_unit_test(test_coverage),        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_copies),          cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_pictures),        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
