/* What the network is fed, against its definition: scaled, and relative to the floor with a
 * contrast channel. */
#include <math.h>

#include "arena_block.h"
#include "net.h"
#include "rng.h"

enum { FRAMES = 24, MAX_SIDE = 37 };

static int compare_bytes(const void *a, const void *b) {
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* The lower median by sorting. */
static int median_of(const uint8_t *frame, size_t pixels, int channel) {
    static uint8_t sorted[MAX_SIDE * MAX_SIDE];
    for (size_t i = 0; i < pixels; i++) sorted[i] = frame[3 * i + (size_t)channel];
    qsort(sorted, pixels, 1, compare_bytes);
    return sorted[(pixels - 1) / 2];
}

/* Noise, flat floors with more and more on them, exact halves, ramps. */
static void fill(uint8_t *frame, size_t pixels, int kind, uw_rng *r) {
    for (size_t i = 0; i < pixels; i++) {
        for (int c = 0; c < 3; c++) {
            const uint32_t noise = uw__rng_below(r, 256);
            uint8_t v = (uint8_t)noise;
            if (kind % 4 == 1)
                v = uw__rng_below(r, 24) < (uint32_t)kind ? v : (uint8_t)(40 + 90 * c);
            if (kind % 4 == 2) v = i < (pixels + (size_t)kind / 12) / 2 ? 10 : 200;
            if (kind % 4 == 3) v = (uint8_t)(i / 5 + (size_t)(c * kind));
            frame[3 * i + (size_t)c] = v;
        }
    }
}

static void prepare(uw_input input, int32_t side) {
    static uint8_t frames[FRAMES * MAX_SIDE * MAX_SIDE * 3];
    static uw_real x[FRAMES * MAX_SIDE * MAX_SIDE * 4];
    const size_t pixels = (size_t)side * (size_t)side, channels = input == UW_INPUT_SCALED ? 3 : 4;
    const uw_net net = {.config = {.input = input, .image_size = side},
                        .channels = (int32_t)channels,
                        .input_reals = pixels * channels};
    uw_kernels kernels;
    uw_rng r = uw__rng(check_seed(6), UW_STREAM_TEST, (uint64_t)side);
    uw__kernels_init(&kernels, 0);
    const uw_exec e = {.k = &kernels};
    for (int n = 0; n < FRAMES; n++) fill(frames + (size_t)n * pixels * 3, pixels, n, &r);
    uw__net_prepare(&e, &net, NULL, frames, FRAMES, x);
    for (size_t n = 0; n < FRAMES; n++) {
        const uint8_t *frame = frames + n * pixels * 3;
        const uw_real *got = x + n * pixels * channels;
        int floor[3];
        for (int c = 0; c < 3; c++) floor[c] = median_of(frame, pixels, c);
        for (size_t i = 0; i < pixels; i++) {
            double norm = 0.0;
            for (size_t c = 0; c < 3; c++) {
                const double v = frame[3 * i + c] / 255.0, d = v - floor[c] / 255.0;
                const double want = input == UW_INPUT_SCALED ? 2.0 * v - 1.0 : 2.0 * d;
                CHECK_NEAR(got[i * channels + c], want, 3e-7);
                norm += d * d;
            }
            if (channels == 4) CHECK_NEAR(got[i * 4 + 3], 2.0 * sqrt(norm), 1e-6);
        }
    }
}

static void scaled(void **state) {
    (void)state;
    prepare(UW_INPUT_SCALED, 9);
}

/* Sides with and without a rest after groups of 8 and 16 pixels. */
static void floor_relative(void **state) {
    (void)state;
    static const int32_t sides[] = {1, 3, 4, 5, 8, 16, 31, 36, 37};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        prepare(UW_INPUT_FLOOR_RELATIVE, sides[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scaled), cmocka_unit_test(floor_relative)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
