/* Scores from sums over episodes: the same as scored at once, intervals that hold what they should,
 * angles. */
#include "check.h"

#include <math.h>

#include <umwelt/probe.h>

#include "rng.h"
#include "scorecard.h"

enum { MAX_EPISODES = 400, ROWS = 10, N = MAX_EPISODES * ROWS };

static double predicted[N * 2], truth[N * 2];
static int64_t episode[N];
static uw_pool *pool;

/* Truth N(0, 1), prediction with error N(0, noise), and a part of the error shared by an episode.
 */
static void draw(uint64_t seed, int episodes, double noise, double shared) {
    uw_rng r = uw__rng(seed, UW_STREAM_TEST, 0);
    for (int e = 0; e < episodes; e++) {
        const double offset = shared * (double)uw__rng_normal(&r);
        for (int t = 0; t < ROWS; t++) {
            const int i = e * ROWS + t;
            truth[i] = (double)uw__rng_normal(&r);
            predicted[i] = truth[i] + noise * (double)uw__rng_normal(&r) + offset;
            episode[i] = e;
        }
    }
}

static uw_scored score(int episodes, int32_t resamples) {
    const uw_scorecard card = {.predicted = predicted,
                               .truth = truth,
                               .episode = episode,
                               .n = (int64_t)episodes * ROWS,
                               .stride = 1,
                               .resamples = resamples,
                               .seed = 4};
    uw_scored s;
    assert_int_equal(uw__scorecard(pool, &card, &s), UW_OK);
    return s;
}

static void test_same_as_at_once(void **state) {
    (void)state;
    draw(check_seed(41), 50, 0.5, 0.2);
    for (int i = 0; i < 50 * ROWS; i++) {
        truth[i] += 1000.0; /* far from zero: sums about the mean must not lose it */
        predicted[i] += 1000.0;
    }
    const uw_scored s = score(50, 50);
    const uw_score whole = uw__score(predicted, truth, 50 * ROWS, 1, 0);
    CHECK_NEAR(s.r2, whole.r2, 1e-9);
    CHECK_NEAR(s.r, whole.r, 1e-9);
    CHECK_NEAR(s.rmse, whole.rmse, 1e-9);
    assert_int_equal(s.episodes, 50);
    assert_true(isnan(s.degrees));
}

/* 95 of 100 intervals hold the true value, give or take; rows of one episode share an error, so
 * that treating them as independent would miss it. */
static void test_coverage(void **state) {
    (void)state;
    enum { TRIALS = 120, EPISODES = 40 };
    const double noise = 0.4, shared = 0.15, mse = noise * noise + shared * shared;
    int rmse = 0, r2 = 0;
    for (uint64_t k = 0; k < TRIALS; k++) {
        draw(check_seed(42) + k, EPISODES, noise, shared);
        const uw_scored s = score(EPISODES, 200);
        rmse += s.rmse_ci[0] <= sqrt(mse) && sqrt(mse) <= s.rmse_ci[1];
        r2 += s.r2_ci[0] <= 1.0 - mse && 1.0 - mse <= s.r2_ci[1];
    }
    /* 95 % of 120 are 114, deviation 2.4; percentile intervals of 40 groups really hold some 92 %
     */
    assert_in_range(rmse, 102, TRIALS);
    assert_in_range(r2, 102, TRIALS);
}

static void test_more_episodes_tell_more(void **state) {
    (void)state;
    draw(check_seed(43), MAX_EPISODES, 0.5, 0.3);
    const uw_scored few = score(UW_PROBE_MIN_EPISODES - 1, 100), some = score(25, 400),
                    many = score(400, 400);
    assert_true(isnan(few.r2_ci[0]) && isnan(few.rmse_ci[1]) && isfinite(few.r2));
    const double wide = some.rmse_ci[1] - some.rmse_ci[0],
                 narrow = many.rmse_ci[1] - many.rmse_ci[0];
    CHECK_NEAR(wide / narrow, 4.0, 1.6); /* a sixteenth of the episodes */
    /* constant truth has no R2, but an error */
    for (int i = 0; i < 20 * ROWS; i++) truth[i] = 1.0;
    const uw_scored flat = score(20, 100);
    assert_true(isnan(flat.r2) && isnan(flat.r) && isfinite(flat.rmse));
}

static void test_angles(void **state) {
    (void)state;
    enum { EPISODES = 20 };
    uw_rng r = uw__rng(check_seed(44), UW_STREAM_TEST, 0);
    const double off =
        0.1; /* rad, always the same way round; lengths of the pair differ and do not matter */
    for (int i = 0; i < EPISODES * ROWS; i++) {
        const double angle = 6.0 * (double)uw__rng_uniform(&r) - 3.0,
                     length = 0.5 + (double)uw__rng_uniform(&r);
        truth[2 * i] = sin(angle);
        truth[2 * i + 1] = cos(angle);
        predicted[2 * i] = length * sin(angle + off);
        predicted[2 * i + 1] = length * cos(angle + off);
        episode[i] = i / ROWS;
    }
    const uw_scorecard card = {.predicted = predicted,
                               .truth = truth,
                               .episode = episode,
                               .n = EPISODES * ROWS,
                               .stride = 2,
                               .radians = 3.14159265358979323846 / 180.0, /* a column in degrees */
                               .resamples = 100};
    uw_scored s;
    assert_int_equal(uw__scorecard(pool, &card, &s), UW_OK);
    CHECK_NEAR(s.degrees, off * 180.0 / 3.14159265358979323846, 1e-9);
    CHECK_NEAR(s.rmse, s.degrees, 1e-9);
    CHECK_NEAR(s.degrees_ci[0], s.degrees, 1e-9);
    assert_true(s.r2 > 0.5 && s.r > 0.8);
    CHECK_NEAR(uw__angle_between(3.1, -3.1), 6.2 - 6.283185307179586, 1e-12);
    CHECK_NEAR(uw__angle_between(12.0, 12.0 - 6.283185307179586), 0.0, 1e-12);
}

/* Worked by hand from Bonett and Wright's formula. */
static void test_spearman_interval(void **state) {
    (void)state;
    double ci[2];
    uw__spearman_interval(-0.79, 16, ci);
    CHECK_NEAR(ci[0], -0.934666, 1e-6);
    CHECK_NEAR(ci[1], -0.420888, 1e-6);
    uw__spearman_interval(0.5, 3, ci);
    assert_true(isnan(ci[0]) && isnan(ci[1]));
    uw__spearman_interval(NAN, 100, ci);
    assert_true(isnan(ci[0]));
}

static void test_run_curve(void **state) {
    (void)state;
    uw_run_curve c = {.num_points = 6};
    for (int i = 0; i < 6; i++)
        c.points[i] = (uw_run_point){.step = i,
                                     .error = i % 2 ? 0.1 * i : 0.3,
                                     .ratio = 1.0 / (1.0 + i),
                                     .effective_rank = i,
                                     .episodes = i == 5 ? 0 : 10,
                                     .success = 0.1 * i};
    uw_run_curve_rank(&c);
    CHECK_NEAR(c.rho_ratio, -1.0, 1e-12); /* the last was not played */
    CHECK_NEAR(c.rho_rank, 1.0, 1e-12);
    assert_true(isnan(c.rho_ratio_ci[0]));
    assert_true(fabs(c.rho_error) < 1.0 && c.rho_error_ci[0] < c.rho_error &&
                c.rho_error < c.rho_error_ci[1]);
    c.num_points = 3;
    uw_run_curve_rank(&c);
    assert_true(isnan(c.rho_ratio) && isnan(c.rho_error));
}

static int setup(void **state) {
    (void)state;
    return uw__pool_new(2, &pool);
}

static int teardown(void **state) {
    (void)state;
    uw__pool_free(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_at_once),         cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_more_episodes_tell_more), cmocka_unit_test(test_angles),
        cmocka_unit_test(test_spearman_interval),       cmocka_unit_test(test_run_curve),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
