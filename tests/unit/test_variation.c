/* Variations: what is parsed, refused, drawn, written back, and what a seed of the reference draws.
 */
#include "check.h"

#include <math.h>

#include <umwelt/env.h>

#include "variation.h"

static void test_parse(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation v = {0};
    uw_err err = {0};
    const char *const good[] = {"agent.radius=9.1",   "agent.color=#1080fF",     "wall.color=1,2,3",
                                "door.size=16,16,21", "background.color~sample", "wall.axis=0"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK_OK(uw_variation_parse(cls, good[i], &v, &err), &err);
    char text[256];
    const char *want = "agent.color=16,128,255 agent.radius=9.1 background.color~sample "
                       "door.size=16,16,21 wall.axis=horizontal wall.color=1,2,3";
    assert_int_equal(uw__variation_format(cls, &v, text, sizeof text), strlen(want));
    assert_string_equal(text, want);
    char little[8];
    assert_int_equal(uw__variation_format(cls, &v, little, sizeof little), strlen(want));
    assert_string_equal(little, "agent.c");

    /* the last word counts */
    CHECK_OK(uw_variation_parse(cls, "agent.radius~sample", &v, &err), &err);
    CHECK_OK(uw_variation_parse(cls, "agent.radius=7", &v, &err), &err);
    const ptrdiff_t i = uw_env_factor(cls, "agent.radius", NULL) - cls->factors;
    assert_int_equal(v.mode[i], UW_VARY_FIXED);
    assert_true(v.value[i][0] == 7.0);
}

/* Names of values are read and written; what is near one is offered. */
static void test_words(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("pusht");
    if (!cls) skip(); /* a build without Chipmunk */
    const uw_factor *shape = uw_env_factor(cls, "block.shape", NULL);
    const ptrdiff_t i = shape - cls->factors;
    uw_err err = {0};
    for (int32_t value = (int32_t)shape->low[0]; value <= (int32_t)shape->high[0]; value++) {
        uw_variation by_name = {0}, by_number = {0};
        char text[64], number[64];
        by_name.mode[i] = UW_VARY_FIXED;
        by_name.value[i][0] = value;
        snprintf(number, sizeof number, "block.shape=%d", (int)value);
        uw__variation_format(cls, &by_name, text, sizeof text);
        assert_non_null(strstr(text, shape->words[value - 1]));
        CHECK_OK(uw_variation_parse(cls, text, &by_name, &err), &err);
        CHECK_OK(uw_variation_parse(cls, number, &by_number, &err), &err);
        assert_true(by_name.value[i][0] == value && by_number.value[i][0] == value);
    }
    const char *const near[][2] = {{"block.shape=t", "did you mean T?"},
                                   {"block.shape=small_te", "did you mean small_tee?"},
                                   {"block.shape=squere", "did you mean square?"}};
    for (size_t k = 0; k < sizeof near / sizeof near[0]; k++) {
        uw_variation v = {0};
        assert_int_equal(uw_variation_parse(cls, near[k][0], &v, &err), UW_EINVAL);
        assert_string_equal(err.fix, near[k][1]);
        assert_non_null(strstr(err.text, "wanted L, T, Z, square, I, small_tee, +, got"));
    }
    uw_variation v = {0}; /* an agent can be a disc, a block cannot */
    CHECK_OK(uw_variation_parse(cls, "agent.shape=o", &v, &err), &err);
    assert_int_equal(uw_variation_parse(cls, "block.shape=o", &v, &err), UW_EINVAL);
}

static void test_groups(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    const struct {
        const char *text, *prefix;
    } groups[] = {{"agent~sample", "agent."},
                  {"door~sample", "door."},
                  {"all~sample", ""},
                  {"distractor~sample", "distractor."}};
    for (size_t k = 0; k < sizeof groups / sizeof groups[0]; k++) {
        uw_variation v = {0};
        uw_err err = {0};
        const char *prefix = groups[k].prefix;
        CHECK_OK(uw_variation_parse(cls, groups[k].text, &v, &err), &err);
        for (int32_t i = 0; i < cls->num_factors; i++) {
            const uw_factor *f = &cls->factors[i];
            const bool in = *prefix ? !strncmp(f->name, prefix, strlen(prefix)) : !f->ours;
            assert_int_equal(v.mode[i], in ? UW_VARY_SAMPLE : UW_VARY_DEFAULT);
        }
    }
}

/* A fixed real is the float32 that its column will hold, in range at both ends. */
static void test_reals_are_what_is_recorded(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    const struct {
        const char *text;
        double low, high;
    } reals[] = {{"agent.radius=9.1", 7, 14},
                 {"agent.speed=1.75", 1.75, 10.5},
                 {"distractor.size=0.15", 0.01, 0.15},
                 {"distractor.size=0.01", 0.01, 0.15},
                 {"distractor.speed=0.05", 0, 0.05}};
    for (size_t k = 0; k < sizeof reals / sizeof reals[0]; k++) {
        uw_variation v = {0}, again = {0};
        uw_err err = {0};
        char text[64];
        CHECK_OK(uw_variation_parse(cls, reals[k].text, &v, &err), &err);
        for (int32_t i = 0; i < cls->num_factors; i++) {
            if (v.mode[i] != UW_VARY_FIXED) continue;
            const double x = v.value[i][0];
            assert_true(x == (double)(float)x && x >= reals[k].low && x <= reals[k].high);
        }
        uw__variation_format(cls, &v, text, sizeof text);
        assert_string_equal(text, reals[k].text);
        CHECK_OK(uw_variation_parse(cls, text, &again, &err), &err);
        assert_memory_equal(&v, &again, sizeof v);
    }
}

static void test_parse_refuses(void **state) {
    (void)state;
    const struct {
        const char *text, *what, *fix;
    } bad[] = {
        {"", "wanted NAME=VALUE or NAME~sample", "agent.color~sample"},
        {"agent.color", "wanted NAME=VALUE", ""},
        {"=3", "wanted NAME=VALUE", ""},
        {"agent.colour=1,2,3", "no factor 'agent.colour'", "did you mean agent.color?"},
        {"agent.radus=8", "no factor 'agent.radus'", "did you mean agent.radius?"},
        {"zzz=8", "no factor 'zzz'", ""},
        {"agent.color~random", "wanted ~sample, got '~random'", "agent.color~sample"},
        {"agent.color~", "wanted ~sample", ""},
        {"agent.color=", "wanted 3 numbers", "#ff0000"},
        {"agent.color=1,2", "wanted 3 numbers", ""},
        {"agent.color=1,2,3,4", "wanted 3 numbers", ""},
        {"agent.color=1,2,x", "wanted 3 numbers", ""},
        {"agent.color=#12345", "or #rrggbb", ""},
        {"agent.color=#1234567", "or #rrggbb", ""},
        {"agent.color=#12g456", "or #rrggbb", ""},
        {"agent.color=1,2,300", "wanted a whole number 0 .. 255, got 300", ""},
        {"agent.color=1,2,2.5", "wanted a whole number", ""},
        {"agent.radius=#102030", "wanted a number", ""},
        {"agent.radius=8 ", "wanted a number", ""},
        {"agent.radius=8,9", "wanted a number", ""},
        {"agent.radius=nan", "wanted a number", ""},
        {"agent.radius=0x8", "wanted a number", ""},
        {"agent.radius= 8", "wanted a number", ""},
        {"agent.radius=1e999", "wanted 7 .. 14, got inf", ""},
        {"agent.radius=inf", "wanted a number", ""},
        {"agent.radius=6.99", "wanted 7 .. 14, got 6.99", "agent.radius~sample"},
        {"agent.position=12,20", "wanted 14 .. 209, got 12", ""},
        {"door.number=0", "wanted a whole number 1 .. 3, got 0", ""},
        {"wall.axis=Vertical", "wanted horizontal, vertical, got 'Vertical'", "mean vertical?"},
        {"wall.axis=horizntal", "wanted horizontal, vertical", "did you mean horizontal?"},
        {"wall.axis=", "wanted horizontal, vertical", ""},
        {"wall.axis=2", "wanted a whole number 0 .. 1, got 2", ""},
        {"agent=1", "no factor 'agent'", ""},
        {"all=1", "no factor 'all'", ""},
        {"agen~sample", "no factor 'agen'", ""},
        {"agent~random", "wanted ~sample", "agent~sample"},
    };
    const uw_env_class *cls = uw_env_find("two_room");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uw_variation v = {0};
        const uw_variation untouched = {0};
        uw_err err = {0};
        if (uw_variation_parse(cls, bad[i].text, &v, &err) != UW_EINVAL)
            fail_msg("'%s' was accepted", bad[i].text);
        if (!strstr(err.text, bad[i].what) || !strstr(err.fix, bad[i].fix))
            fail_msg("'%s': said '%s' / '%s'", bad[i].text, err.text, err.fix);
        assert_memory_equal(&v, &untouched, sizeof v);
    }
    char huge[4096];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    uw_variation v = {0};
    uw_err err = {0};
    assert_int_equal(uw_variation_parse(cls, huge, &v, &err), UW_EINVAL);
    huge[3000] = '=';
    assert_int_equal(uw_variation_parse(cls, huge, &v, &err), UW_EINVAL);
}

static void test_resolve(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation v = {0};
    uw_err err = {0};
    double values[UW_MAX_FACTOR_VALUES], again[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES], fixed_again[UW_MAX_FACTOR_VALUES];
    const size_t bytes = (size_t)cls->num_values * sizeof *values;

    /* nothing said: the defaults */
    CHECK_OK(uw_variation_resolve(cls, &v, 1, 0, values, fixed, &err), &err);
    uw_env_default_values(cls, again);
    assert_memory_equal(values, again, bytes);
    for (int32_t i = 0; i < cls->num_factors; i++) assert_false(fixed[i]);

    /* everything sampled: in range, whole where needed, rules kept, no draw like another */
    for (int32_t i = 0; i < cls->num_factors; i++) v.mode[i] = UW_VARY_SAMPLE;
    uw_env *env = NULL;
    CHECK_OK(uw_env_new("two_room", &env, &err), &err);
    double low = 1.0, high = 0.0;
    for (uint64_t index = 0; index < 300; index++) {
        CHECK_OK(uw_variation_resolve(cls, &v, 1, index, values, fixed, &err), &err);
        CHECK_OK(uw_variation_resolve(cls, &v, 1, index, again, fixed_again, &err), &err);
        assert_memory_equal(values, again, bytes);
        CHECK_OK(uw_env_reset(env, index, values, fixed, &err), &err);
        CHECK_OK(uw_variation_resolve(cls, &v, 2, index, again, fixed_again, &err), &err);
        assert_memory_not_equal(values, again, bytes);
        const double red = values[cls->factors[0].offset] / 255.0;
        low = fmin(low, red);
        high = fmax(high, red);
    }
    assert_true(low < 0.02 && high > 0.98); /* the range is used to its ends */
    uw_env_free(env);
}

/* What format writes, parse reads back to the same values. */
static void test_format_round_trip(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation all = {0};
    uw_err err = {0};
    for (int32_t i = 0; i < cls->num_factors; i++) all.mode[i] = UW_VARY_SAMPLE;
    for (uint64_t index = 0; index < 100; index++) {
        double values[UW_MAX_FACTOR_VALUES];
        bool fixed[UW_MAX_FACTOR_VALUES];
        CHECK_OK(uw_variation_resolve(cls, &all, 7, index, values, fixed, &err), &err);
        uw_variation v = {0}, again = {0};
        for (int32_t i = 0; i < cls->num_factors; i++) {
            const uw_factor *f = &cls->factors[i];
            v.mode[i] = UW_VARY_FIXED;
            memcpy(v.value[i], values + f->offset, (size_t)f->dim * sizeof(double));
        }
        char text[2048];
        assert_true(uw__variation_format(cls, &v, text, sizeof text) < sizeof text);
        for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
            CHECK_OK(uw_variation_parse(cls, word, &again, &err), &err);
        assert_memory_equal(&v, &again, sizeof v);
    }
}

static void test_resolve_redraws(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_err err = {0};
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];

    /* a radius above 14 / 1.1 does not fit the default door: such draws are thrown away */
    uw_variation v = {0};
    CHECK_OK(uw_variation_parse(cls, "agent.radius~sample", &v, &err), &err);
    double largest = 0.0;
    for (uint64_t index = 0; index < 200; index++) {
        CHECK_OK(uw_variation_resolve(cls, &v, 3, index, values, fixed, &err), &err);
        largest = fmax(largest, values[uw_env_factor(cls, "agent.radius", NULL)->offset]);
        assert_string_equal(err.text, ""); /* what was refused on the way is not reported */
    }
    assert_true(largest <= 14.0 / 1.1 && largest > 12.5);

    /* a horizontal wall moves the default start into it, but reset places the start anyway */
    uw_variation horizontal = {0};
    CHECK_OK(uw_variation_parse(cls, "wall.axis=0", &horizontal, &err), &err);
    CHECK_OK(uw_variation_resolve(cls, &horizontal, 3, 0, values, fixed, &err), &err);
    CHECK_OK(uw_variation_parse(cls, "agent.position=60,112", &horizontal, &err), &err);
    assert_int_equal(uw_variation_resolve(cls, &horizontal, 3, 0, values, fixed, &err), UW_EINVAL);
    assert_non_null(strstr(err.text, "inside the wall, wanted y outside [100, 124], got 112"));

    /* no draw can mend this one: it ends, and says why */
    CHECK_OK(uw_variation_parse(cls, "agent.radius=14", &v, &err), &err);
    CHECK_OK(uw_variation_parse(cls, "agent.color~sample", &v, &err), &err);
    memset(values, 0, sizeof values);
    assert_int_equal(uw_variation_resolve(cls, &v, 3, 0, values, fixed, &err), UW_EINVAL);
    assert_non_null(strstr(err.text, "no door fits the agent"));
    assert_true(values[0] == 0.0); /* outputs untouched */
}

/* ---- stable-worldmodel's seeds ----------------------------------------------------------------
 */

/* The seeds below 150 whose reset the reference's own World refuses when the radius is drawn and
 * the doors are not: the agent then fits none (recorded from it). */
static const int refused_seeds[] = {9,  17, 23,  31,  56,  57,  63,  78, 84,
                                    96, 98, 112, 119, 134, 136, 146, 148};

static void test_seeds_without_a_world(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    uw_variation v = {0};
    uw_err err = {0};
    CHECK_OK(uw_variation_parse(cls, "agent.radius~sample", &v, &err), &err);
    size_t next = 0;
    for (int seed = 0; seed < 150; seed++) {
        double values[UW_MAX_FACTOR_VALUES] = {-1.0};
        bool fixed[UW_MAX_FACTOR_VALUES];
        const uw_status status = uw_variation_sample(cls, &v, (uint64_t)seed, values, fixed, &err);
        const bool refuse =
            next < sizeof refused_seeds / sizeof *refused_seeds && seed == refused_seeds[next];
        assert_int_equal(status, refuse ? UW_EINVAL : UW_OK);
        if (!refuse) continue;
        assert_non_null(strstr(err.text, "no door fits the agent"));
        assert_true(values[0] == -1.0); /* outputs untouched */
        next++;
    }
}

/* Fixed values come last, whatever was drawn; factors of ours do not touch the reference's draws.
 */
static void test_sample_keeps_fixed_values_and_ours(void **state) {
    (void)state;
    const uw_env_class *cls = uw_env_find("two_room");
    const int32_t number = (int32_t)(uw_env_factor(cls, "distractor.number", NULL) - cls->factors);
    const int32_t start = (int32_t)(uw_env_factor(cls, "agent.position", NULL) - cls->factors);
    uw_variation all = {0}, more = {0};
    uw_err err = {0};
    CHECK_OK(uw_variation_parse(cls, "all~sample", &all, &err), &err);
    more = all;
    CHECK_OK(uw_variation_parse(cls, "distractor~sample", &more, &err), &err);
    CHECK_OK(uw_variation_parse(cls, "target.position=30,40.5", &more, &err), &err);
    double lowest = 16.0, highest = 0.0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        double a[UW_MAX_FACTOR_VALUES], b[UW_MAX_FACTOR_VALUES];
        bool fixed[UW_MAX_FACTOR_VALUES];
        CHECK_OK(uw_variation_sample(cls, &all, seed, a, fixed, &err), &err);
        assert_false(fixed[number]);
        assert_true(a[cls->factors[number].offset] == 0.0);
        CHECK_OK(uw_variation_sample(cls, &more, seed, b, fixed, &err), &err);
        assert_true(fixed[number] && fixed[start]);
        for (int32_t i = 0; i < cls->num_factors; i++) {
            const uw_factor *f = &cls->factors[i];
            const size_t bytes = (size_t)f->dim * sizeof *a;
            if (more.mode[i] == UW_VARY_FIXED)
                assert_memory_equal(b + f->offset, more.value[i], bytes);
            else if (!f->ours)
                assert_memory_equal(b + f->offset, a + f->offset, bytes);
        }
        lowest = fmin(lowest, b[cls->factors[number].offset]);
        highest = fmax(highest, b[cls->factors[number].offset]);
    }
    assert_true(lowest == 0.0 && highest == 16.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_reals_are_what_is_recorded),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_format_round_trip),
        cmocka_unit_test(test_resolve_redraws),
        cmocka_unit_test(test_seeds_without_a_world),
        cmocka_unit_test(test_sample_keeps_fixed_values_and_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
