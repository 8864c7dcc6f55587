/* Distractors: how far they move, where they lie, and that nothing else changes. */
#include "distractor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "two_room.h"

enum { MAX_SIZE = 300, CANARY = 64 };

/* color, number, seed, size, speed */
static void values_init(double *v, int number, int seed, double size, double speed) {
    const double values[UW_DISTRACTOR_VALUES] = {220, 120, 40, number, seed, size, speed};
    memcpy(v, values, sizeof values);
}

/* Centre of gravity of what differs from black, in pixels. */
static void centroid(const uint8_t *rgb, int32_t size, double *out) {
    double sum = 0.0, x = 0.0, y = 0.0;
    for (int32_t i = 0; i < size * size; i++) {
        const double w = rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2];
        sum += w;
        x += w * (i % size + 0.5);
        y += w * (i / size + 0.5);
    }
    out[0] = x / sum;
    out[1] = y / sum;
}

static void test_moves_by_speed(void **state) {
    (void)state;
    enum { SIZE = 256 };
    static uint8_t rgb[SIZE * SIZE * 3];
    int measured = 0;
    for (int seed = 0; seed < 40; seed++) {
        double v[UW_DISTRACTOR_VALUES], at[9][2];
        values_init(v, 1, seed, 0.03, 0.01);
        for (int t = 0; t < 9; t++) {
            memset(rgb, 0, sizeof rgb);
            uw__distractors_draw(v, t, false, SIZE, rgb);
            centroid(rgb, SIZE, at[t]);
        }
        bool whole = true; /* the centroid is the centre while no part is outside */
        for (int t = 0; t < 9; t++)
            for (int i = 0; i < 2; i++)
                whole = whole && at[t][i] > 0.04 * SIZE && at[t][i] < 0.96 * SIZE;
        for (int t = 1; t < 9 && whole; t++, measured++)
            assert_float_equal(hypot(at[t][0] - at[t - 1][0], at[t][1] - at[t - 1][1]), 0.01 * SIZE,
                               0.02);
    }
    assert_true(measured > 100);
}

/* Far out in time a step still moves the discs: no precision is lost. */
static void test_any_number_of_steps(void **state) {
    (void)state;
    enum { SIZE = 64 };
    static uint8_t a[SIZE * SIZE * 3], b[SIZE * SIZE * 3];
    static const int64_t steps[] = {0, 1, 1000003, 1ll << 40, (1ll << 62) - 1, 1ll << 62};
    double v[UW_DISTRACTOR_VALUES];
    values_init(v, 16, 7, 0.1, 0.05);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        memset(a, 0, sizeof a);
        memset(b, 0, sizeof b);
        for (int layer = 0; layer < 2; layer++) {
            uw__distractors_draw(v, steps[i], layer, SIZE, a);
            uw__distractors_draw(v, steps[i] + 1, layer, SIZE, b);
        }
        size_t same = 0, drawn = 0;
        for (size_t k = 0; k < sizeof a; k++) {
            same += a[k] == b[k];
            drawn += a[k] != 0;
        }
        assert_true(drawn > sizeof a / 10);
        assert_true(same < sizeof a);
    }
}

static void test_layers_and_bounds(void **state) {
    (void)state;
    static const int32_t sizes[] = {1, 2, 7, 64, 97, 224, MAX_SIZE};
    static uint8_t rgb[MAX_SIZE * MAX_SIZE * 3 + CANARY], none[MAX_SIZE * MAX_SIZE * 3];
    double v[UW_DISTRACTOR_VALUES];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t bytes = (size_t)sizes[i] * (size_t)sizes[i] * 3;
        memset(rgb, 0x5a, sizeof rgb);
        for (int number = 0; number <= 16; number++) {
            values_init(v, number, 3 + number, 0.15, 0.05);
            for (int64_t t = 0; t < 40; t += 3)
                for (int layer = 0; layer < 2; layer++)
                    uw__distractors_draw(v, t, layer, sizes[i], rgb);
        }
        for (size_t k = 0; k < CANARY; k++) assert_int_equal(rgb[bytes + k], 0x5a);
    }
    /* number 0 draws in neither layer, number 1 only behind */
    memset(none, 0x5a, sizeof none);
    memset(rgb, 0x5a, sizeof rgb);
    values_init(v, 0, 1, 0.15, 0.05);
    uw__distractors_draw(v, 5, false, 224, rgb);
    uw__distractors_draw(v, 5, true, 224, rgb);
    values_init(v, 1, 1, 0.15, 0.05);
    uw__distractors_draw(v, 5, true, 224, rgb);
    assert_memory_equal(rgb, none, sizeof none);
    uw__distractors_draw(v, 5, false, 224, rgb);
    assert_memory_not_equal(rgb, none, sizeof none);
}

static void test_colors(void **state) {
    (void)state;
    enum { SIZE = 128 };
    static uint8_t rgb[SIZE * SIZE * 3];
    double v[UW_DISTRACTOR_VALUES];
    values_init(v, 1, 11, 0.1, 0);
    uw__distractors_draw(v, 0, false, SIZE, rgb);
    bool found = false; /* the first disc wears the colour itself */
    for (size_t i = 0; i < sizeof rgb; i += 3)
        found = found || (rgb[i] == 220 && rgb[i + 1] == 120 && rgb[i + 2] == 40);
    assert_true(found);
    memset(rgb, 0, sizeof rgb); /* others keep its darkest and brightest channel */
    values_init(v, 2, 11, 0.1, 0);
    uw__distractors_draw(v, 0, true, SIZE, rgb);
    const uint8_t *brightest = rgb;
    for (size_t i = 0; i < sizeof rgb; i += 3)
        if (rgb[i] + rgb[i + 1] + rgb[i + 2] > brightest[0] + brightest[1] + brightest[2])
            brightest = rgb + i;
    uint8_t low = 255, high = 0;
    for (int c = 0; c < 3; c++) {
        low = brightest[c] < low ? brightest[c] : low;
        high = brightest[c] > high ? brightest[c] : high;
    }
    assert_int_equal(low, 40);
    assert_int_equal(high, 220);
    assert_false(brightest[0] == 220 && brightest[2] == 40);
}

/* In TwoRoom: behind the walls and the agent, or before all. */
static void test_two_room_layers(void **state) {
    (void)state;
    enum { SIZE = 224 };
    static uint8_t plain[SIZE * SIZE * 3], one[SIZE * SIZE * 3], two[SIZE * SIZE * 3];
    const double at[2] = {60, 60};
    double v[UW_MAX_FACTOR_VALUES];
    bool over_wall = false, on_floor = false;
    for (int seed = 0; seed < 30; seed++) {
        uw_env_default_values(&uw__two_room, v);
        double *discs = v + UW_ROOM_DISTRACTOR;
        values_init(discs, 0, seed, 0.15, 0.02);
        uw__two_room.draw(v, at, at, 9, SIZE, plain);
        discs[UW_DISTRACTOR_NUMBER] = 1;
        uw__two_room.draw(v, at, at, 9, SIZE, one);
        discs[UW_DISTRACTOR_NUMBER] = 2;
        uw__two_room.draw(v, at, at, 9, SIZE, two);
        for (size_t i = 0; i < sizeof plain; i += 3) {
            const bool wall = plain[i] + plain[i + 1] + plain[i + 2] == 0;
            if (wall) assert_memory_equal(plain + i, one + i, 3);
            on_floor = on_floor || memcmp(plain + i, one + i, 3) != 0;
            over_wall = over_wall || (wall && memcmp(plain + i, two + i, 3) != 0);
        }
        const size_t agent = 3 * (60 * SIZE + 60);
        assert_memory_equal(plain + agent, one + agent, 3);
    }
    assert_true(on_floor);
    assert_true(over_wall);
    /* off the discs the picture is the plain one, at any size */
    for (int32_t size = 17; size <= 160; size += 47) {
        uw_env_default_values(&uw__two_room, v);
        double *discs = v + UW_ROOM_DISTRACTOR;
        uw__two_room.draw(v, at, at, 0, size, plain);
        values_init(discs, 1, 4, 0.01, 0.0);
        uw__two_room.draw(v, at, at, 0, size, one);
        size_t differ = 0;
        for (int32_t i = 0; i < 3 * size * size; i += 3)
            differ += memcmp(plain + i, one + i, 3) != 0;
        assert_true((double)differ <= 9 + 0.001 * size * size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves_by_speed),    cmocka_unit_test(test_any_number_of_steps),
        cmocka_unit_test(test_layers_and_bounds), cmocka_unit_test(test_colors),
        cmocka_unit_test(test_two_room_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
