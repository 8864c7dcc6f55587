/* Seeds mean the same world: the recorded resets of the reference, and its tables of factors.
 *
 *     parity_trace_tworoom_resets two_room tworoom    world, prefix of the trace's files
 *     parity_trace_pusht_resets pusht pusht
 *
 * Every value of every seed is compared bit for bit, drawn by default and with all factors random;
 * then the states of a reset with that seed. */
#include "trace.h"

#include "fileio.h"
#include "json.h"

enum { MAX_TEXT = 4096, TWO_ROOM_OBS = 10 };

static const char *prefix;
static const uw_env_class *cls;

/* ---- resets ------------------------------------------------------------------------------------
 */

/* Count the values of row `row` that are not what was recorded. */
static int64_t compare_values(uw_npz *npz, const char *part, int64_t row, const double *values) {
    double want[UW_MAX_FACTOR_VALUES];
    int64_t differing = 0;
    trace_values(npz, part, cls, row, want);
    for (int32_t i = 0; i < cls->num_values; i++) {
        if (values[i] == want[i]) continue;
        print_message("%s row %d, value %d: %.17g, wanted %.17g\n", part, (int)row, (int)i,
                      values[i], want[i]);
        differing++;
    }
    return differing;
}

static double worst; /* largest difference of a state */

static void compare_row(uw_npz *npz, const char *part, const char *name, int64_t row,
                        const double *got, int32_t count) {
    const uw_tensor want = trace_array(npz, part, name);
    assert_int_equal(trace_row_numbers(&want), count);
    for (int32_t i = 0; i < count; i++) {
        const double expected = trace_number(&want, row * count + i);
        CHECK_NEAR(got[i], expected, 1e-9);
        worst = fmax(worst, fabs(got[i] - expected));
    }
}

/* The states after a TwoRoom reset: agent, target, and what the reference shows of the doors. */
static void compare_rooms(uw_env *env, uw_npz *npz, const char *part, int64_t row) {
    const uw_tensor far = trace_array(npz, part, "distance");
    const double *values = uw_env_values(env);
    const int32_t along = values[uw_env_factor(cls, "wall.axis", NULL)->offset] == 1.0 ? 1 : 0;
    const int32_t doors = (int32_t)values[uw_env_factor(cls, "door.number", NULL)->offset];
    double got[TWO_ROOM_OBS] = {0};
    uw_env_get_state(env, got);
    uw_env_get_goal(env, got + 2);
    for (int32_t i = 0; i < doors; i++) {
        got[4 + 2 * i + along] = values[uw_env_factor(cls, "door.position", NULL)->offset + i];
        got[4 + 2 * i + 1 - along] = 112.0;
    }
    compare_row(npz, part, "obs", row, got, TWO_ROOM_OBS);
    /* recorded as a norm in float32 */
    CHECK_NEAR(hypot(got[0] - got[2], got[1] - got[3]), trace_number(&far, row), 2e-5);
}

/* The states after a PushT reset: what it observes, the goal, which is a second draw, and the
 * block's motion, as the reset ends with a step of physics. */
static void compare_push(uw_env *env, uw_npz *npz, const char *part, int64_t row) {
    double numbers[UW_MAX_READINGS * UW_MAX_STATE_DIM];
    uw_env_get_state(env, numbers);
    compare_row(npz, part, "obs", row, numbers, cls->state_dim);
    uw_env_get_goal(env, numbers);
    compare_row(npz, part, "goal_state", row, numbers, cls->state_dim);
    uw_env_read(env, numbers);
    const double *reading = numbers;
    for (int32_t i = 0; i < cls->num_readings; reading += cls->readings[i++].dim) {
        if (!strcmp(cls->readings[i].name, "block_pose")) {
            compare_row(npz, part, "block_pos", row, reading, 2);
            compare_row(npz, part, "block_angle", row, reading + 2, 1);
        } else if (!strcmp(cls->readings[i].name, "block_velocity")) {
            compare_row(npz, part, "block_vel", row, reading, 2);
            compare_row(npz, part, "block_w", row, reading + 2, 1);
        }
    }
}

static void compare_states(uw_env *env, uw_npz *npz, const char *part, int64_t row) {
    if (!strcmp(prefix, "tworoom"))
        compare_rooms(env, npz, part, row);
    else
        compare_push(env, npz, part, row);
}

/* All seeds of one part; `text` is what is sampled beside start and goal. */
static void compare_part(const char *part, const char *text) {
    char name[64];
    uw_err err = {0};
    snprintf(name, sizeof name, "%s_resets.npz", prefix);
    uw_npz *npz = trace_open(name);
    const uw_tensor seeds = trace_array(npz, part, "seed");
    uw_variation v = {0};
    if (text) CHECK_OK(uw_variation_parse(cls, text, &v, &err), &err);
    uw_env *env = NULL;
    CHECK_OK(uw_env_new(cls->name, &env, &err), &err);
    int64_t differing = 0;
    worst = 0.0;
    assert_true(seeds.dtype == UW_DTYPE_I64 && seeds.shape[0] > 0);
    for (int64_t row = 0; row < seeds.shape[0]; row++) {
        const uint64_t seed = (uint64_t)((const int64_t *)seeds.data)[row];
        double values[UW_MAX_FACTOR_VALUES];
        bool fixed[UW_MAX_FACTOR_VALUES];
        CHECK_OK(uw_variation_sample(cls, &v, seed, values, fixed, &err), &err);
        differing += compare_values(npz, part, row, values);
        CHECK_OK(uw_env_reset(env, seed, values, fixed, &err), &err);
        compare_states(env, npz, part, row);
        if (text) continue;
        CHECK_OK(uw_env_reset(env, seed, NULL, NULL, &err), &err); /* the seed alone says as much */
        compare_states(env, npz, part, row);
    }
    print_message("%s: %d seeds, %d values differ, states by up to %.3g\n", part,
                  (int)seeds.shape[0], (int)differing, worst);
    assert_int_equal(differing, 0);
    uw_env_free(env);
    uw__npz_close(npz);
}

static void test_default(void **state) {
    (void)state;
    compare_part("default", NULL);
}

static void test_all(void **state) {
    (void)state;
    compare_part("all", "all~sample");
}

/* ---- tables ------------------------------------------------------------------------------------
 */

/* Copy the flat object after *at out of a text; false at the end. */
static bool next_object(const char **at, char object[MAX_TEXT]) {
    const char *from = strchr(*at, '{'), *to = from ? strchr(from, '}') : NULL;
    if (!to) return false;
    const size_t length = (size_t)(to - from) + 1;
    assert_true(length < MAX_TEXT);
    memcpy(object, from, length);
    object[length] = '\0';
    *at = to + 1;
    return true;
}

/* Copy the array after "key": out of a text, brackets and all; empty when there is none. */
static void array_text(const char *text, const char *key, char array[MAX_TEXT]) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": [", key);
    const char *from = strstr(text, quoted), *to = from ? strchr(from, ']') : NULL;
    const size_t length = to ? (size_t)(to - from) + 1 : 0;
    assert_true(length < MAX_TEXT);
    if (length) memcpy(array, from, length);
    array[length] = '\0';
}

/* A number, or an array of them: as many as the factor has. */
static void check_numbers(const uw_json *row, const char *key, int32_t dim, const double *want) {
    double got[UW_MAX_FACTOR_DIM];
    if (uw__json_get_f64s(row, key, got, UW_MAX_FACTOR_DIM) < 0) {
        assert_int_equal(dim, 1);
        assert_true(uw__json_get_f64(row, key, got));
    }
    for (int32_t i = 0; i < dim; i++) assert_true(got[i] == want[i]);
}

static void check_factor(const uw_factor *f, const char *object, const char *placed) {
    uw_json *row = NULL;
    uw_err err = {0};
    char quoted[80];
    CHECK_OK(uw__json_parse("factor", object, &row, &err), &err);
    assert_string_equal(uw__json_get_str(row, "name"), f->name);
    const char *type = uw__json_get_str(row, "type"), *dtype = uw__json_get_str(row, "dtype");
    const uw_factor_kind kind = !strcmp(type, "RGBBox") ? UW_FACTOR_COLOR
                                : !strcmp(type, "Box")  ? UW_FACTOR_REAL
                                                        : UW_FACTOR_INT;
    assert_int_equal(f->kind, kind);
    assert_int_equal(f->wide, !strcmp(dtype, "float64"));
    if (kind == UW_FACTOR_REAL) assert_true(f->wide || !strcmp(dtype, "float32"));
    double shape[1] = {1};
    assert_true(uw__json_get_f64s(row, "shape", shape, 1) <= 1);
    assert_true(shape[0] == f->dim);
    check_numbers(row, "low", f->dim, f->low);
    check_numbers(row, "high", f->dim, f->high);
    check_numbers(row, "init", f->dim, f->init);
    if (strcmp(uw__json_get_str(row, "constraint"), "<lambda>") != 0) assert_non_null(f->rule);
    snprintf(quoted, sizeof quoted, "\"%s\"", f->name);
    assert_int_equal(f->placed, strstr(placed, quoted) != NULL);
    uw__json_free(row);
}

/* Names of values: the reference lists those of its shapes. */
static void check_words(const uw_factor *f, const char *shapes) {
    if (!f->words || !*shapes) return;
    for (int32_t value = (int32_t)f->low[0]; value <= (int32_t)f->high[0]; value++) {
        char quoted[40];
        const char *at = shapes + strlen("\"shapes\": [");
        for (int32_t i = 0; i < value; i++) at = strchr(at, ',') + 1;
        snprintf(quoted, sizeof quoted, "\"%s\"", f->words[value - (int32_t)f->low[0]]);
        at += strspn(at, " \n");
        assert_int_equal(strncmp(at, quoted, strlen(quoted)), 0);
    }
}

static void test_table(void **state) {
    (void)state;
    char name[64], path[512], object[MAX_TEXT], placed[MAX_TEXT], shapes[MAX_TEXT];
    void *data = NULL;
    size_t size = 0;
    uw_err err = {0};
    snprintf(name, sizeof name, "%s_space.json", prefix);
    trace_path(name, path);
    CHECK_OK(uw__file_read(path, TRACE_MAX_BYTES, &data, &size, &err), &err);
    char *text = calloc(size + 1, 1);
    assert_non_null(text);
    memcpy(text, data, size);
    array_text(text, "default_variations", placed);
    array_text(text, "shapes", shapes);
    const char *at = strstr(text, "\"factors\": [");
    assert_non_null(at);
    for (int32_t i = 0; i < cls->num_factors; i++) {
        if (cls->factors[i].ours) continue;
        assert_true(next_object(&at, object));
        check_factor(&cls->factors[i], object, placed);
        check_words(&cls->factors[i], shapes);
    }
    assert_int_equal(at[strspn(at, " \n")], ']'); /* no factor is left */
    free(text);
    free(data);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_default),
                                       cmocka_unit_test(test_all)};
    if (argc != 3) {
        fprintf(stderr, "usage: %s WORLD PREFIX\n", argv[0]);
        return 2;
    }
    cls = uw_env_find(argv[1]);
    prefix = argv[2];
    if (!cls) {
        printf("skipped: this build has no world %s\n", argv[1]);
        return UW_SKIP;
    }
    return trace_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
