/* Windows: which rows they take, that they stay within episodes, and how episodes are split. */
#include "dataset_internal.h"
#include "recording.h"

static char dir[64], path[96];
static const int64_t lengths[] = {10, 3, 0, 12, 4, 5, 20, 11};
enum { EPISODES = sizeof lengths / sizeof lengths[0] };

/* state[0] = episode, state[1] = row; action = 100 * episode + row, NaN in the last row. */
static void record(uw_dtype action_type) {
    const uw_column columns[2] = {
        {.name = "state", .dtype = UW_DTYPE_I32, .num_dims = 1, .shape = {2}},
        {.name = "action", .dtype = action_type, .num_dims = 1, .shape = {2}}};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, 2, NULL, UW_OPEN_OVERWRITE, &rec, &err), &err);
    for (int32_t e = 0; e < EPISODES; e++) {
        for (int32_t t = 0; t < lengths[e]; t++) {
            const int32_t state[2] = {e, t};
            const double a = t + 1 == lengths[e] ? (double)NAN : 100.0 * e + t;
            const double f64[2] = {a, -a};
            const float f32[2] = {(float)a, (float)-a};
            const void *cells[2] = {state, action_type == UW_DTYPE_F32 ? (const void *)f32 : f64};
            CHECK_OK(uw_recorder_row(rec, cells, &err), &err);
        }
        CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s", rec_folder());
    snprintf(path, sizeof path, "%s/a.uw", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    rec_remove(dir);
    return 0;
}

/* Every window against a direct statement of the rule: W * k rows from a start, all of one episode.
 */
static void check_windows(const uw_dataset *data, int32_t window, int32_t skip) {
    uw_windows *w = NULL;
    uw_err err = {0};
    int32_t state[16][2];
    float action[16 * 8][2];
    int64_t i = 0;
    CHECK_OK(uw_windows_new(data, window, skip, 0.0, false, 7, &w, &err), &err);
    for (int32_t e = 0; e < EPISODES; e++) {
        for (int32_t start = 0; start + window * skip <= lengths[e]; start++, i++) {
            int64_t episode, row;
            uw_windows_at(w, i, &episode, &row);
            assert_int_equal(episode, e);
            assert_int_equal(row, start);
            CHECK_OK(uw_windows_read(w, i, 0, state, &err), &err);
            CHECK_OK(uw_windows_read_actions(w, i, 1, &action[0][0], &err), &err);
            for (int32_t t = 0; t < window; t++) {
                assert_int_equal(state[t][0], e);
                assert_int_equal(state[t][1], start + t * skip);
            }
            for (int32_t t = 0; t < window * skip; t++) {
                const float want =
                    start + t + 1 == lengths[e] ? 0.0f : (float)(100 * e + start + t);
                CHECK_NEAR(action[t][0], want, 0.0);
                CHECK_NEAR(action[t][1], -want, 0.0);
            }
        }
    }
    assert_int_equal(uw_windows_count(w), i);
    int64_t episode, row;
    uw_windows_at(w, i, &episode, &row);
    assert_int_equal(episode, -1);
    assert_int_equal(uw_windows_read(w, i, 0, state, &err), UW_EINVAL);
    uw_windows_free(w);
}

static void test_rule(void **state) {
    (void)state;
    for (int type = 0; type < 2; type++) {
        uw_dataset *data = NULL;
        uw_err err = {0};
        record(type ? UW_DTYPE_F64 : UW_DTYPE_F32);
        CHECK_OK(uw_dataset_open(path, &data, &err), &err);
        for (int32_t window = 1; window <= 4; window++) {
            for (int32_t skip = 1; skip <= 3; skip++) check_windows(data, window, skip);
        }
        uw_dataset_close(data);
    }
}

/* Training and validation share no episode, cover all, depend on the seed, and hold out about the
 * fraction. */
static void test_split(void **state) {
    (void)state;
    const uw_column column = {.name = "x", .dtype = UW_DTYPE_U8};
    enum { MANY = 1000 };
    uw_recorder *rec = NULL;
    uw_dataset *data = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, &column, 1, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (int e = 0; e < MANY; e++) {
        static const uint8_t x[4];
        const void *cells[1] = {x};
        CHECK_OK(uw_recorder_episode(rec, NULL, cells, 4, &err), &err);
    }
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    static uint8_t part[2][MANY];
    for (uint64_t seed = 0; seed < 2; seed++) {
        for (int validation = 0; validation < 2; validation++) {
            uw_windows *w = NULL;
            CHECK_OK(uw_windows_new(data, 2, 1, 0.1, validation, seed, &w, &err), &err);
            for (int64_t i = 0, episode, row; i < uw_windows_count(w); i++) {
                uw_windows_at(w, i, &episode, &row);
                part[seed][episode] |= (uint8_t)(1 << validation);
            }
            uw_windows_free(w);
        }
        int held = 0;
        for (int e = 0; e < MANY; e++) {
            assert_true(part[seed][e] == 1 || part[seed][e] == 2);
            held += part[seed][e] == 2;
        }
        assert_in_range(held, 60, 140); /* 100 +- 4.2 standard deviations */
    }
    assert_memory_not_equal(part[0], part[1], MANY);
    uw_dataset_close(data);
}

/* Whether a window is free of row 5 of every third episode, asked twice each. */
static bool keeps(void *arg, int64_t episode, int64_t row) {
    ++*(int64_t *)arg;
    return episode % 3 != 0 || row > 5 || row + 3 <= 5;
}

/* Kept windows in their order, runs cut where one is missing; nothing kept is no window. */
static void test_keep(void **state) {
    (void)state;
    uw_dataset *data = NULL;
    uw_windows *w = NULL;
    uw_err err = {0};
    int64_t asked = 0, i = 0, before;
    record(UW_DTYPE_F32);
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    CHECK_OK(uw_windows_new(data, 3, 1, 0.0, false, 7, &w, &err), &err);
    before = uw_windows_count(w);
    CHECK_OK(uw__windows_keep(w, keeps, &asked, &err), &err);
    assert_int_equal(asked, 2 * before);
    for (int32_t e = 0; e < EPISODES; e++) {
        for (int32_t start = 0; start + 3 <= lengths[e]; start++) {
            int64_t episode, row, unused = 0;
            float action[3][2];
            if (!keeps(&unused, e, start)) continue;
            uw_windows_at(w, i, &episode, &row);
            assert_int_equal(episode, e);
            assert_int_equal(row, start);
            CHECK_OK(uw_windows_read_actions(w, i++, 1, &action[0][0], &err), &err);
            assert_true(action[1][0] == (float)(100 * e + start + 1));
        }
    }
    assert_int_equal(uw_windows_count(w), i);
    assert_true(i < before);
    uw_windows_free(w);
    uw_dataset_close(data);
}

static void test_refusals(void **state) {
    (void)state;
    uw_dataset *data = NULL;
    uw_windows *w = (void *)1;
    uw_err err = {0};
    float out[8];
    record(UW_DTYPE_F32);
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    assert_int_equal(uw_windows_new(data, 0, 1, 0.0, false, 0, &w, &err), UW_EINVAL);
    assert_null(w);
    assert_int_equal(uw_windows_new(data, 1, 0, 0.0, false, 0, &w, &err), UW_EINVAL);
    assert_int_equal(uw_windows_new(data, 1, 1, (double)NAN, false, 0, &w, &err), UW_EINVAL);
    CHECK_OK(uw_windows_new(data, 1, 1, 0.0, false, 0, &w, &err), &err);
    assert_int_equal(uw_windows_read_actions(w, 0, 0, out, &err), UW_ESHAPE); /* integers */
    assert_true(err.fix[0]);
    uw_windows_free(w);
    CHECK_OK(uw_windows_new(data, INT32_MAX, INT32_MAX, 0.0, false, 0, &w, &err), &err);
    assert_int_equal(uw_windows_count(w), 0);
    uw_windows_free(w);
    uw_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
    };
    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
