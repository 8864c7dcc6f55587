/* Noise and objectives against their definitions. */
#include "check.h"

#include <math.h>

#include "plan_internal.h"
#include "rng.h"

enum { N = 4000, A = 2 };

/* Moments of AR(1) noise: unit variance at every step, correlation ar^lag. */
static void test_ar_moments(void **state) {
    (void)state;
    enum { H = 12 };
    static float e[N * H * A];
    const uint64_t seed = check_seed(5);
    uw_rng rng = uw__rng(seed, UW_STREAM_TEST, 1);
    uw__rng_fill_normal(&rng, e, N * H * A);
    uw__noise_correlate(e, N, H, A, 0.8f);
    for (int lag = 0; lag < 4; lag++) {
        for (int t = lag; t < H; t++) {
            double sum = 0.0;
            for (int i = 0; i < N * A; i++) {
                const float *row = e + (size_t)(i / A) * H * A + i % A;
                sum += (double)row[t * A] * (double)row[(t - lag) * A];
            }
            /* Five standard errors of the mean of a product of two unit normals. */
            CHECK_NEAR(sum / (N * A), pow(0.8, lag), 5.0 * sqrt(2.0 / (N * A)));
        }
    }
}

static void test_ar_recurrence(void **state) {
    (void)state;
    const float n[6] = {1, -2, 3, 4, 5, -6}; /* H = 3, A = 2 */
    float e[6];
    memcpy(e, n, sizeof e);
    uw__noise_correlate(e, 1, 3, 2, 0.8f);
    CHECK_NEAR(e[0], 1.0, 0);
    CHECK_NEAR(e[2], 0.8 * 1 + 0.6 * 3, 1e-6);
    CHECK_NEAR(e[4], 0.8 * 2.6 + 0.6 * 5, 1e-6);
    CHECK_NEAR(e[5], 0.8 * (0.8 * -2 + 0.6 * 4) + 0.6 * -6, 1e-6);
    memcpy(e, n, sizeof e);
    uw__noise_correlate(e, 1, 3, 2, 0.0f);
    assert_memory_equal(e, n, sizeof e);
}

/* A decision of several actions: the noise goes on from one to the next, inside decisions and
 * between. */
static void test_ar_inside_decisions(void **state) {
    (void)state;
    enum { H = 3, INSIDE = 2, W = A * INSIDE };
    uw_planner p = {.options = {.num_samples = N, .horizon = H, .noise_ar = 0.8f}, .width = W};
    static const uw_solver_rules smooth = {.discrete = false}, choices = {.discrete = true};
    static float shaped[N * H * W], want[N * H * W];
    uw_rng rng = uw__rng(check_seed(6), UW_STREAM_TEST, 2);
    uw__rng_fill_normal(&rng, want, N * H * W);
    for (int discrete = 0; discrete < 2; discrete++) {
        p.rules = discrete ? &choices : &smooth;
        for (int32_t step = 0; step <= A; step += A) {
            float expected[N * H * W / N];
            memcpy(shaped, want, sizeof shaped);
            memcpy(expected, want, sizeof expected);
            p.dynamics.dims.step_dim = step;
            uw__noise_shape(&p, shaped);
            const size_t stride = step && !discrete ? A : W;
            for (size_t j = stride; j < H * W; j++)
                expected[j] = 0.8f * expected[j - stride] + sqrtf(1.0f - 0.8f * 0.8f) * expected[j];
            for (size_t j = 0; j < H * W; j++) CHECK_NEAR(shaped[j], expected[j], 1e-6);
        }
    }
}

/* The coloured sequence by the textbook: transform, scale, transform back, divide by the deviation.
 */
static void colour_by_dft(const float *x, int h, double beta, double *y) {
    const double tau = 2.0 * acos(-1.0);
    double mean = 0.0, square = 0.0;
    for (int t = 0; t < h; t++) y[t] = 0.0;
    for (int k = 0; k < h; k++) {
        double re = 0.0, im = 0.0;
        for (int t = 0; t < h; t++) {
            re += (double)x[t] * cos(tau * k * t / h);
            im -= (double)x[t] * sin(tau * k * t / h);
        }
        const int fold = k <= h / 2 ? k : h - k;
        const double s = pow((double)(fold ? fold : 1) / h, -beta / 2);
        for (int t = 0; t < h; t++)
            y[t] += s * (re * cos(tau * k * t / h) - im * sin(tau * k * t / h)) / h;
    }
    for (int t = 0; t < h; t++) mean += y[t] / h;
    for (int t = 0; t < h; t++) square += (y[t] - mean) * (y[t] - mean);
    for (int t = 0; t < h; t++) y[t] /= sqrt(square / (h - 1));
}

static void test_colour_is_the_dft(void **state) {
    (void)state;
    for (int h = 2; h <= 17; h++) {
        for (int b = 0; b < 3; b++) {
            const float beta = (float)b; /* white, pink, red */
            float x[17 * 3], one[17], filter[17];
            double series[17], want[17];
            uw_rng rng = uw__rng(check_seed(7), UW_STREAM_TEST, (uint64_t)(h * 3 + b));
            uw__rng_fill_normal(&rng, x, (size_t)h * 3);
            float got[17 * 3];
            memcpy(got, x, sizeof x);
            uw__noise_colour_filter(filter, (size_t)h, beta);
            uw__noise_colour(got, 1, (size_t)h, 3, filter, series);
            for (int j = 0; j < 3; j++) {
                for (int t = 0; t < h; t++) one[t] = x[t * 3 + j];
                colour_by_dft(one, h, (double)beta, want);
                for (int t = 0; t < h; t++) CHECK_NEAR(got[t * 3 + j], want[t], 2e-6 * h);
            }
        }
    }
}

/* One step, and a sequence without any spread, stay finite. */
static void test_colour_edges(void **state) {
    (void)state;
    float filter[4], x[4] = {1.5f, -2.0f, 0.0f, 0.0f}, zero[4] = {0};
    double series[4];
    uw__noise_colour_filter(filter, 1, 2.0f);
    assert_true(isfinite(filter[0]));
    uw__noise_colour(x, 2, 1, 2, filter, series);
    assert_true(x[0] == 1.5f && x[1] == -2.0f);
    uw__noise_colour_filter(filter, 4, 2.0f);
    uw__noise_colour(zero, 1, 4, 1, filter, series);
    for (int t = 0; t < 4; t++) assert_true(zero[t] == 0.0f);
}

static void test_distance(void **state) {
    (void)state;
    float x[41], y[41];
    uw_rng rng = uw__rng(check_seed(9), UW_STREAM_TEST, 3);
    uw__rng_fill_normal(&rng, x, 41);
    uw__rng_fill_normal(&rng, y, 41);
    for (size_t d = 0; d <= 41; d++) {
        double want = 0.0;
        for (size_t j = 0; j < d; j++) want += pow((double)x[j] - (double)y[j], 2);
        CHECK_NEAR(uw__objective_distance(x, y, d), want, 2.0 * ((double)d + 2) * 1.2e-7 * want);
    }
}

static void test_objectives(void **state) {
    (void)state;
    /* Two rollouts of three steps in two dimensions; squared distances 1, 4, 9 and 4, 0, 25. */
    const float z[12] = {1, 0, 0, 2, 3, 0, 0, 2, 0, 0, 3, 4}, goal[2] = {0, 0};
    const float actions[6] = {1, 1, 1, 0, 0, 2}; /* mean squares 1 and 4/3 */
    float cost[2];
    uw__objective_cost(UW_OBJECTIVE_SUM, 0.0f, z, actions, goal, 2, 3, 2, 1, cost);
    assert_true(cost[0] == 14.0f && cost[1] == 29.0f);
    uw__objective_cost(UW_OBJECTIVE_LAST, 0.0f, z, actions, goal, 2, 3, 2, 1, cost);
    assert_true(cost[0] == 9.0f && cost[1] == 25.0f);
    uw__objective_cost(UW_OBJECTIVE_MIN, 0.0f, z, actions, goal, 2, 3, 2, 1, cost);
    assert_true(cost[0] == 1.0f && cost[1] == 0.0f);
    uw__objective_cost(UW_OBJECTIVE_SUM, 3.0f, z, actions, goal, 2, 3, 2, 1, cost);
    assert_true(cost[0] == 17.0f && cost[1] == 33.0f);
}

static void test_objective_faults(void **state) {
    (void)state;
    const float faults[] = {NAN, INFINITY, -INFINITY, 3e30f};
    const float goal[2] = {0, 0}, actions[3] = {0};
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        for (int place = 0; place < 6; place++) {
            float z[6] = {1, 0, 0, 2, 3, 0}, cost = 0.0f;
            z[place] = faults[f];
            uw__objective_cost(UW_OBJECTIVE_SUM, 0.0f, z, actions, goal, 1, 3, 2, 1, &cost);
            assert_true(cost == INFINITY);
            uw__objective_cost(UW_OBJECTIVE_MIN, 0.0f, z, actions, goal, 1, 3, 2, 1, &cost);
            assert_true(cost == INFINITY);
            uw__objective_cost(UW_OBJECTIVE_LAST, 0.0f, z, actions, goal, 1, 3, 2, 1, &cost);
            assert_true(place < 4 ? cost == 9.0f : cost == INFINITY);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ar_moments),          cmocka_unit_test(test_ar_recurrence),
        cmocka_unit_test(test_ar_inside_decisions), cmocka_unit_test(test_colour_is_the_dft),
        cmocka_unit_test(test_colour_edges),        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_objectives),          cmocka_unit_test(test_objective_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
