/* Texture: a floor between two colours, the same at every size, under walls and discs alone. */
#include "texture.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "two_room.h"

enum { SIZE = 64, FINE = 256, BYTES = SIZE * SIZE * 3 };

static void values_init(double *v, int pattern, int seed, double size, double strength) {
    const double values[UW_TEXTURE_VALUES] = {55, 155, 255, pattern, seed, size, strength};
    memcpy(v, values, sizeof values);
}

static void draw(const double *v, int32_t size, uint8_t *rgb) {
    memset(rgb, 155, (size_t)size * (size_t)size * 3);
    uw__texture_draw(v, size, rgb);
}

static void test_between_two_colours(void **state) {
    (void)state;
    static uint8_t rgb[BYTES], other[BYTES];
    for (int pattern = 0; pattern < 3; pattern++) {
        double share = 0.0, v[UW_TEXTURE_VALUES];
        for (int seed = 0; seed < 20; seed++) {
            values_init(v, pattern, seed, 0.125, 1.0);
            draw(v, SIZE, rgb);
            for (int i = 0; i < BYTES; i += 3) {
                assert_in_range(rgb[i], 55, 155);
                assert_int_equal(rgb[i + 1], 155);                /* the same in both */
                CHECK_NEAR(rgb[i + 2] - 155, 155 - rgb[i], 1.01); /* one share for all channels */
                share += (155 - rgb[i]) / 100.0 / (20 * SIZE * SIZE);
            }
            values_init(v, pattern, seed + 1, 0.125, 1.0);
            draw(v, SIZE, other);
            assert_memory_not_equal(rgb, other, BYTES);
        }
        CHECK_NEAR(share, 0.5, 0.05);
        values_init(v, pattern, 0, 0.125, 0.25);
        draw(v, SIZE, rgb);
        for (int i = 0; i < BYTES; i += 3) assert_in_range(rgb[i], 130, 155);
        values_init(v, pattern, 0, 0.125, 0.0);
        draw(v, SIZE, rgb);
        for (int i = 0; i < BYTES; i++) assert_int_equal(rgb[i], 155);
    }
}

/* The mean of the fine picture's cells is the coarse one, but for edges. */
static void test_sizes_agree(void **state) {
    (void)state;
    static uint8_t coarse[BYTES], fine[FINE * FINE * 3];
    enum { CELL = FINE / SIZE };
    for (int pattern = 0; pattern < 3; pattern++) {
        double v[UW_TEXTURE_VALUES], difference = 0.0;
        values_init(v, pattern, 7, 0.1, 1.0);
        draw(v, SIZE, coarse);
        draw(v, FINE, fine);
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++) {
                double sum = 0.0;
                for (int k = 0; k < CELL * CELL; k++)
                    sum += fine[3 * ((y * CELL + k / CELL) * FINE + x * CELL + k % CELL)];
                difference += abs(coarse[3 * (y * SIZE + x)] - (int)(sum / (CELL * CELL) + 0.5));
            }
        assert_true(difference / (SIZE * SIZE) < 1.5);
    }
}

/* In the world: the floor alone, below walls, doors and the agent. */
static void test_under_everything(void **state) {
    (void)state;
    static uint8_t flat[BYTES], tiled[BYTES];
    double v[UW_ROOM_NUM_VALUES];
    const double at[2] = {60, 112}, goal[2] = {164, 60};
    uw_env_default_values(&uw__two_room, v);
    uw__room_draw(v, at, goal, 0, SIZE, flat);
    uw__room_draw(v, at, goal, 9, SIZE, tiled);
    assert_memory_equal(flat, tiled, BYTES);
    v[UW_ROOM_TEXTURE + UW_TEXTURE_STRENGTH] = 1.0;
    uw__room_draw(v, at, goal, 0, SIZE, tiled);
    int differ = 0;
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            const uint8_t *a = flat + 3 * (y * SIZE + x), *b = tiled + 3 * (y * SIZE + x);
            const bool wall = a[0] + a[1] + a[2] == 0;
            differ += memcmp(a, b, 3) != 0;
            if (wall) assert_memory_equal(a, b, 3);
        }
    assert_in_range(differ, SIZE * SIZE / 5, SIZE * SIZE * 4 / 5);
    const uint8_t *agent = tiled + 3 * (32 * SIZE + 17);
    assert_true(agent[0] > 200 && agent[1] < 90 && agent[2] < 90);
}

/* Every value of every factor, at odd sizes, stays inside its memory and its grid. */
static void test_any_value(void **state) {
    (void)state;
    static const int32_t sizes[] = {1, 2, 3, 17, 224, 300};
    const double ends[2] = {0.0625, 0.25};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int k = 0; k < 12; k++) {
            const size_t bytes = (size_t)sizes[i] * (size_t)sizes[i] * 3;
            uint8_t *rgb = malloc(bytes);
            double v[UW_TEXTURE_VALUES];
            assert_non_null(rgb);
            memset(rgb, 255, bytes);
            values_init(v, k % 3, k * 5957, ends[k / 6], 1.0);
            uw__texture_draw(v, sizes[i], rgb); /* a sanitizer sees the rest */
            assert_in_range(rgb[0], 55, 255);
            free(rgb);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_two_colours),
        cmocka_unit_test(test_sizes_agree),
        cmocka_unit_test(test_under_everything),
        cmocka_unit_test(test_any_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
