/* Fitting pictures: against a plain statement of the rule in exact fractions. */
#include "resize.h"

#include "dataset_internal.h"
#include "recording.h"

enum { MOST = 230 * 230 * 3 };

static uint8_t from[MOST], to[MOST];

static void noise(uint8_t *bytes, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static void fit(int32_t height, int32_t width, int32_t side) {
    uw_err err = {0};
    memset(to, 0xA5, sizeof to);
    CHECK_OK(uw_picture_fit(from, height, width, side, to, &err), &err);
    for (size_t i = (size_t)side * (size_t)side * 3; i < sizeof to; i++)
        assert_int_equal(to[i], 0xA5);
}

static void same_size(void **state) {
    (void)state;
    noise(from, sizeof from, 1);
    fit(61, 61, 61);
    assert_memory_equal(from, to, 61 * 61 * 3);
}

/* 224 -> 56: the mean of 4 x 4 blocks, rounded to nearest, halves up. */
static void blocks(void **state) {
    (void)state;
    noise(from, sizeof from, 2);
    fit(224, 224, 56);
    for (size_t y = 0; y < 56; y++)
        for (size_t x = 0; x < 56; x++)
            for (size_t c = 0; c < 3; c++) {
                unsigned sum = 0;
                for (size_t k = 0; k < 16; k++)
                    sum += from[((4 * y + k / 4) * 224 + 4 * x + k % 4) * 3 + c];
                assert_int_equal(to[(y * 56 + x) * 3 + c], (sum + 8) / 16);
            }
}

/* Weight of pixel p in output i, times crop (shrinking) or 2 side (growing), pixel by pixel. */
static int64_t weight(int64_t i, int64_t p, int64_t crop, int64_t side) {
    if (side <= crop) {
        const int64_t a = i * crop, b = a + crop, c = p * side, d = c + side;
        const int64_t overlap = (b < d ? b : d) - (a > c ? a : c);
        return overlap > 0 ? overlap : 0;
    }
    int64_t at = (2 * i + 1) * crop - side; /* of 2 side: where output i looks, the edge repeated */
    if (at < 0) at = 0;
    if (at > 2 * side * (crop - 1)) at = 2 * side * (crop - 1);
    const int64_t off = at > 2 * side * p ? at - 2 * side * p : 2 * side * p - at;
    return off < 2 * side ? 2 * side - off : 0;
}

static void check_rule(int64_t height, int64_t width, int64_t side) {
    const int64_t crop = height < width ? height : width;
    const int64_t top = (height - crop) / 2, left = (width - crop) / 2;
    const int64_t unit = side <= crop ? crop : 2 * side;
    noise(from, sizeof from, (uint32_t)(height * 31 + width * 7 + side));
    fit((int32_t)height, (int32_t)width, (int32_t)side);
    for (int64_t y = 0; y < side; y++)
        for (int64_t x = 0; x < side; x++)
            for (int64_t c = 0; c < 3; c++) {
                int64_t sum = 0;
                for (int64_t p = 0; p < crop; p++) {
                    const int64_t down = weight(y, p, crop, side);
                    for (int64_t q = 0; down && q < crop; q++)
                        sum += down * weight(x, q, crop, side) *
                               from[((top + p) * width + left + q) * 3 + c];
                }
                const int64_t want = (2 * sum + unit * unit) / (2 * unit * unit);
                if (to[(y * side + x) * 3 + c] != want)
                    fail_msg("%d x %d to %d, at %d %d: wanted %d, got %d", (int)height, (int)width,
                             (int)side, (int)y, (int)x, (int)want, to[(y * side + x) * 3 + c]);
            }
}

static void rule(void **state) {
    (void)state;
    static const int sizes[][3] = {{48, 32, 16}, {31, 47, 13}, {7, 7, 5},    {5, 5, 7},
                                   {1, 1, 4},    {2, 3, 9},    {40, 41, 39}, {9, 64, 18},
                                   {64, 37, 1},  {96, 96, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_rule(sizes[i][0], sizes[i][1], sizes[i][2]);
}

/* One colour stays itself and a ramp stays a ramp: every step between neighbours but at the edges
 * is the ramp's slope to within rounding. */
static void ramps(void **state) {
    (void)state;
    static const int sides[] = {16, 21, 64, 97, 128, 192};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const int side = sides[i];
        memset(from, 255, sizeof from);
        fit(64, 64, side);
        for (int k = 0; k < side * side * 3; k++) assert_int_equal(to[k], 255);
        for (int k = 0; k < 64 * 64 * 3; k++) from[k] = (uint8_t)(3 * (k / 3 % 64) + 20);
        fit(64, 64, side);
        for (int x = 0; x < side; x++) {
            double at = (x + 0.5) * 64.0 / side - 0.5;
            at = at < 0 ? 0 : at > 63 ? 63 : at;
            for (int y = 0; y < side; y++)
                CHECK_NEAR(to[(y * side + x) * 3 + 1], 3.0 * at + 20.0, side == 97 ? 0.5 : 0.501);
        }
    }
}

/* The largest sums that the division by multiplication must bear. */
static void limits(void **state) {
    (void)state;
    uw_err err = {0};
    const size_t edge = UW__RESIZE_FROM - 1; /* odd: no common factor with 1024 */
    uint8_t *large = malloc(edge * edge * 3), *small = malloc(1024 * 1024 * 3);
    assert_non_null(large);
    assert_non_null(small);
    memset(large, 255, edge * edge * 3);
    CHECK_OK(uw_picture_fit(large, (int32_t)edge, (int32_t)edge, 1024, small, &err), &err);
    for (size_t i = 0; i < 1024 * 1024 * 3; i++) assert_int_equal(small[i], 255);
    free(large);
    free(small);
    static const int sizes[][3] = {{4097, 4097, 64}, {64, 64, 1025}, {64, 64, 0}, {0, 64, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_int_equal(uw_picture_fit(from, sizes[i][0], sizes[i][1], sizes[i][2], to, &err),
                         UW_ESHAPE);
}

/* A recording shows a fitted column at its new size, and the others as they are. */
static void recorded(void **state) {
    (void)state;
    enum {
        ROWS = 5,
        HIGH = 12,
        WIDE = 20,
        SIDE = 8,
        FRAME = HIGH * WIDE * 3,
        FITTED = SIDE * SIDE * 3
    };
    static uint8_t frames[ROWS][FRAME], got[3][FITTED];
    const uw_column columns[] = {
        {.name = "pixels",
         .dtype = UW_DTYPE_U8,
         .num_dims = 3,
         .shape = {HIGH, WIDE, 3},
         .codec = UW_CODEC_RAW},
        {.name = "state", .dtype = UW_DTYPE_I32, .num_dims = 1, .shape = {1}}};
    char dir[64], path[96];
    uw_recorder *rec = NULL;
    uw_dataset *data = NULL;
    uw_err err = {0};
    snprintf(dir, sizeof dir, "%s", rec_folder());
    snprintf(path, sizeof path, "%s/a.uw", dir);
    noise(frames[0], sizeof frames, 3);
    CHECK_OK(uw_recorder_open(path, columns, 2, NULL, UW_OPEN_NEW, &rec, &err), &err);
    for (int32_t t = 0; t < ROWS; t++)
        CHECK_OK(uw_recorder_row(rec, (const void *const[]){frames[t], &t}, &err), &err);
    CHECK_OK(uw_recorder_end_episode(rec, &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
    CHECK_OK(uw_dataset_open(path, &data, &err), &err);
    CHECK_OK(uw__dataset_reserve(data, 1, &err), &err);
    assert_int_equal(uw__dataset_fit(data, 0, 0, &err), UW_ESHAPE);
    assert_int_equal(uw_dataset_column(data, 0)->shape[1], WIDE);
    CHECK_OK(uw__dataset_fit(data, 0, SIDE, &err), &err);
    assert_int_equal(uw_dataset_column(data, 0)->shape[0], SIDE);
    assert_int_equal(uw_dataset_column(data, 0)->shape[1], SIDE);
    CHECK_OK(uw_dataset_rows(data, 0, 0, 0, 3, 2, got, &err), &err);
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(uw_picture_fit(frames[2 * i], HIGH, WIDE, SIDE, to, &err), &err);
        assert_memory_equal(got[i], to, FITTED);
    }
    int32_t numbers[2];
    CHECK_OK(uw_dataset_rows(data, 1, 0, 3, 2, 1, numbers, &err), &err);
    assert_int_equal(numbers[1], 4);
    uw_dataset_close(data);
    rec_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_size), cmocka_unit_test(blocks), cmocka_unit_test(rule),
        cmocka_unit_test(ramps),     cmocka_unit_test(limits), cmocka_unit_test(recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
