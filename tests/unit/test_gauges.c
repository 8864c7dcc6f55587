/* Gauges of collapse: each synthetic collapse raises its own alarm, a living cloud none; the null
 * of SIGReg against simulation; values against hand-made clouds. */
#include "check.h"

#include <math.h>

#include "cloud_gauges.h"
#include "rng.h"

enum { WINDOWS = 128, LENGTH = 4, N = WINDOWS * LENGTH, D = 32 };

static float z[N * D];
static double work[2 * D * D + 9 * D];

static uw_rng stream(uint64_t which) {
    return uw__rng(check_seed(21), UW_STREAM_TEST, which);
}

/* Windows whose rows are correlated in time, each number N(0, 1). */
static void living(void) {
    uw_rng r = stream(0);
    for (int w = 0; w < WINDOWS; w++)
        for (int t = 0; t < LENGTH; t++)
            for (int i = 0; i < D; i++) {
                const int at = (w * LENGTH + t) * D + i;
                const float fresh = uw__rng_normal(&r);
                z[at] = t ? 0.8f * z[at - D] + 0.6f * fresh : fresh;
            }
}

/* As a world of two numbers looks in a wide latent: smooth bumps over a square, effective rank near
 * 7, nothing like a Gaussian. */
static void low_dimensional(void) {
    uw_rng r = stream(1);
    for (int w = 0; w < WINDOWS; w++) {
        float at[2] = {2.0f * uw__rng_uniform(&r) - 1.0f, 2.0f * uw__rng_uniform(&r) - 1.0f};
        for (int t = 0; t < LENGTH; t++) {
            for (int i = 0; i < D; i++) {
                const double angle = 0.7 * i, phase = 1.3 * i;
                z[(w * LENGTH + t) * D + i] =
                    (float)(1.4 * sin(2.2 * (at[0] * cos(angle) + at[1] * sin(angle)) + phase));
            }
            for (int k = 0; k < 2; k++) at[k] += 0.2f * uw__rng_normal(&r);
        }
    }
}

static uw_gauges measure(void) {
    uw_gauges g = uw__gauges_none();
    assert_true(uw__gauges_work(D) * sizeof *work <= sizeof work);
    uw__gauges_cloud(z, N, D, work, NULL, &g);
    uw__gauges_time(z, WINDOWS, LENGTH, D, work, &g);
    return g;
}

static uint32_t judged(const uw_gauges *g) {
    const uw_gauge_judge judge = {.dim = D, .unit_target = true, .sigreg_used = true};
    return uw__gauges_judge(g, &judge);
}

static void check_bits(uint32_t got, uint32_t wanted, uint32_t of) {
    if ((got & of) != wanted) fail_msg("alarms %#x, wanted %#x of %#x", got, wanted, of);
}

static void test_living_clouds_raise_no_alarm(void **state) {
    (void)state;
    living();
    uw_gauges g = measure();
    check_bits(judged(&g), 0, ~0u); /* not even a notice */
    assert_true(g.effective_rank > 0.9 * D && g.participation > 0.8 * D);
    CHECK_NEAR(g.mean_variance, 1.0, 0.05);
    CHECK_NEAR(g.mean_norm, 1.0, 0.05);
    CHECK_NEAR(g.temporal_share, 0.2, 0.02); /* 1 - correlation */
    assert_int_equal(g.num_steps, LENGTH);
    low_dimensional();
    g = measure();
    assert_true(g.effective_rank < 12.0);
    check_bits(judged(&g), 0, UW_ALARMS);
    g.sigreg = 0.05; /* as measured in healthy runs: far from white, and yet no collapse */
    g.sigreg_q99 = 1.43 / N;
    check_bits(judged(&g), UW_NOTICE_NOT_WHITE, UW_ALARMS | UW_NOTICE_NOT_WHITE);
}

static void test_constant(void **state) {
    (void)state;
    living();
    for (int i = 0; i < N * D; i++) z[i] = 3.0f + 1e-4f * z[i];
    uw_gauges g = measure();
    check_bits(judged(&g), UW_ALARM_CONSTANT | UW_ALARM_SHRUNK, UW_ALARMS);
    for (int i = 0; i < N * D; i++) z[i] = (float)(i % D);
    g = measure();
    check_bits(judged(&g), UW_ALARM_CONSTANT, UW_ALARM_CONSTANT);
    memset(z, 0, sizeof z);
    g = measure();
    check_bits(judged(&g), UW_ALARM_CONSTANT, UW_ALARM_CONSTANT);
}

/* Rank k of D, by mixing k white numbers into D. */
static void mix(int k) {
    uw_rng r = stream(2);
    static float m[D][D];
    for (int i = 0; i < D; i++)
        for (int j = 0; j < k; j++) m[i][j] = uw__rng_normal(&r) / sqrtf((float)k);
    living();
    for (int row = 0; row < N; row++) {
        float from[D];
        memcpy(from, z + row * D, sizeof from);
        for (int i = 0; i < D; i++) {
            z[row * D + i] = 0.0f;
            for (int j = 0; j < k; j++) z[row * D + i] += m[i][j] * from[j];
        }
    }
}

static void test_rank(void **state) {
    (void)state;
    static const int lost[] = {1, 2, 3, 8, 15};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        mix(lost[i]);
        const uw_gauges g = measure();
        assert_int_equal(g.null_directions, D - lost[i]);
        check_bits(judged(&g), UW_ALARM_RANK, UW_ALARM_RANK);
        /* an input of as few numbers cannot do better */
        const uw_gauge_judge narrow = {.dim = D, .carries = lost[i], .unit_target = true};
        check_bits(uw__gauges_judge(&g, &narrow), 0, UW_ALARM_RANK);
    }
    mix(24);
    const uw_gauges g = measure();
    check_bits(judged(&g), 0, UW_ALARM_RANK);
}

static void test_one_dead_number(void **state) {
    (void)state;
    living();
    for (int row = 0; row < N; row++) z[row * D + 5] *= 0.09f;
    uw_gauges g = measure();
    assert_int_equal(g.dead, 1);
    check_bits(judged(&g), UW_ALARM_DEAD, ~0u);
    living();
    for (int row = 0; row < N; row++) z[row * D + 5] *= 0.15f; /* small, and alive */
    g = measure();
    check_bits(judged(&g), 0, ~0u);
    for (int row = 0; row < N; row++)
        for (int i = 0; i < 3 * D / 4; i++)
            z[row * D + i] *= 1e-3f; /* the median is dead as well */
    g = measure();
    assert_int_equal(g.dead, 3 * D / 4);
}

static void test_two_clusters(void **state) {
    (void)state;
    for (int apart = 0; apart < 2; apart++) { /* within: 5 % of the spread, then 60 % */
        living();
        for (int row = 0; row < N; row++)
            for (int i = 0; i < D; i++) {
                const float centre = row % 3 ? 1.0f : -1.5f;
                z[row * D + i] = (apart ? 1.0f : 0.1f) * z[row * D + i] + centre;
            }
        const uw_gauges g = measure();
        check_bits(judged(&g), apart ? 0 : UW_ALARM_CLUSTERS, UW_ALARM_CLUSTERS);
        /* between over within: p q 2.5^2 against 0.01 and 1 */
        const double between = 2.0 / 9.0 * 6.25, within = apart ? 1.0 : 0.01;
        CHECK_NEAR(g.cluster_share, between / (between + within), 0.03);
    }
    /* a line is no pair of clusters: two halves of a Gaussian explain 2/pi of it */
    living();
    for (int row = 0; row < N; row++)
        for (int i = 1; i < D; i++) z[row * D + i] = z[row * D];
    const uw_gauges g = measure();
    CHECK_NEAR(g.cluster_share, 0.6366, 0.04);
    check_bits(judged(&g), UW_ALARM_RANK, UW_ALARMS);
}

static void test_shrunk(void **state) {
    (void)state;
    living();
    for (int i = 0; i < N * D; i++) z[i] *= 0.2f;
    const uw_gauges g = measure();
    check_bits(judged(&g), UW_ALARM_SHRUNK, ~0u);
    const uw_gauge_judge free_scale = {
        .dim = D}; /* nothing holds the variance: the scale says nothing */
    check_bits(uw__gauges_judge(&g, &free_scale), 0, ~0u);
    for (int i = 0; i < N * D; i++) z[i] *= 1e-3f;
    const uw_gauges gone = measure();
    check_bits(uw__gauges_judge(&gone, &free_scale), UW_ALARM_SHRUNK, ~0u);
}

static void test_time(void **state) {
    (void)state;
    living();
    for (int row = 0; row < N; row++)
        for (int i = 0; i < D; i++)
            z[row * D + i] = z[(row - row % LENGTH) * D + i] + 1e-3f * (float)(row % LENGTH);
    uw_gauges g = measure(); /* every window has one latent */
    check_bits(judged(&g), UW_ALARM_STILL, UW_ALARMS);
    living();
    for (int row = 0; row < N; row++) /* within a window only one number moves */
        for (int i = 1; i < D; i++) z[row * D + i] = z[(row - row % LENGTH) * D + i];
    g = measure();
    check_bits(judged(&g), UW_NOTICE_TEMPORAL, ~0u);
    CHECK_NEAR(g.temporal_rank, 1.0, 1e-6);
    living();
    for (int row = 0; row < N; row++)
        if (row % LENGTH == 2)
            for (int i = 0; i < D; i++) z[row * D + i] *= 0.3f;
    g = measure();
    check_bits(judged(&g), UW_ALARM_STEP, UW_ALARMS);
    living();
    for (int row = 0; row < N; row++)
        for (int i = 0; i < D; i++) z[row * D + i] *= 1.0f + 0.2f * (float)(row % LENGTH);
    g = measure();
    check_bits(judged(&g), UW_NOTICE_NORM, ~0u);
    CHECK_NEAR(g.norm_drift, 1.6 * 1.6 - 1.0, 0.2);
}

static void test_what_is_given(void **state) {
    (void)state;
    living();
    uw_gauges g = measure();
    g.action_sensitivity = 0.01;
    check_bits(judged(&g), UW_ALARM_DEAF, ~0u);
    g.action_sensitivity = 0.5;
    g.sigreg = 0.16;
    g.sigreg_q99 = 0.5;
    check_bits(judged(&g), UW_ALARM_SIGREG, ~0u);
    const uw_gauges nothing = uw__gauges_none();
    check_bits(judged(&nothing), 0, ~0u);
    assert_string_equal(uw_alarm_name(UW_ALARM_DEAF | UW_NOTICE_TOP), "deaf");
    assert_string_equal(uw_alarm_str(0), "none");
    for (uint32_t bit = 0; bit < 32; bit++) {
        const bool known =
            (1u << bit) & (UW_ALARM_DEAF * 2u - 1u) ||
            ((1u << bit) >= UW_NOTICE_NOT_WHITE && (1u << bit) <= UW_NOTICE_TEMPORAL);
        assert_int_equal(strcmp(uw_alarm_name(1u << bit), "none") != 0, known);
    }
}

/* ---- SIGReg's null -------------------------------------------------------------------------- */

enum { KNOTS = 17, SAMPLE = 128, DIRECTIONS = 32, DRAWS = 400 };

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void test_null_of_sigreg(void **state) {
    (void)state;
    double t[KNOTS], phi[KNOTS], weight[KNOTS], drawn[DRAWS];
    for (int k = 0; k < KNOTS; k++) {
        t[k] = 3.0 * k / (KNOTS - 1);
        phi[k] = exp(-0.5 * t[k] * t[k]);
        weight[k] = phi[k] * 3.0 / (KNOTS - 1) * (k == 0 || k == KNOTS - 1 ? 1.0 : 2.0);
    }
    double mean, q99;
    /* one direction: the published quantile of the Epps-Pulley statistic on this grid */
    uw__sigreg_null(1, 1, KNOTS, t, phi, weight, &mean, &q99);
    CHECK_NEAR(mean, 1.0524642, 1e-6);
    CHECK_NEAR(q99, 4.6, 0.25);
    for (int d = 2; d <= 8; d *= 4) {
        uw_rng r = stream((uint64_t)d);
        for (int draw = 0; draw < DRAWS; draw++) {
            float rows[SAMPLE][8], a[8];
            for (int i = 0; i < SAMPLE; i++) uw__rng_fill_normal(&r, rows[i], (size_t)d);
            drawn[draw] = 0.0;
            for (int p = 0; p < DIRECTIONS; p++) {
                double norm = 0.0;
                uw__rng_fill_normal(&r, a, (size_t)d);
                for (int i = 0; i < d; i++) norm += (double)a[i] * (double)a[i];
                double c[KNOTS] = {0}, s[KNOTS] = {0};
                for (int i = 0; i < SAMPLE; i++) {
                    double x = 0.0;
                    for (int j = 0; j < d; j++) x += (double)a[j] * (double)rows[i][j] / sqrt(norm);
                    /* the grid is even: one angle turns into the next */
                    const double c1 = cos(x * t[1]), s1 = sin(x * t[1]);
                    double ck = 1.0, sk = 0.0;
                    for (int k = 0; k < KNOTS; k++) {
                        c[k] += ck / SAMPLE;
                        s[k] += sk / SAMPLE;
                        const double turn = ck * c1 - sk * s1;
                        sk = sk * c1 + ck * s1;
                        ck = turn;
                    }
                }
                for (int k = 0; k < KNOTS; k++)
                    drawn[draw] += SAMPLE * weight[k] / DIRECTIONS *
                                   ((c[k] - phi[k]) * (c[k] - phi[k]) + s[k] * s[k]);
            }
        }
        double sum = 0.0;
        for (int i = 0; i < DRAWS; i++) sum += drawn[i] / DRAWS;
        qsort(drawn, DRAWS, sizeof *drawn, ascending);
        uw__sigreg_null(d, DIRECTIONS, KNOTS, t, phi, weight, &mean, &q99);
        CHECK_NEAR(sum, mean, 0.09);
        CHECK_NEAR(drawn[DRAWS * 99 / 100], q99, 0.16 * q99);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_living_clouds_raise_no_alarm),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_one_dead_number),
        cmocka_unit_test(test_two_clusters),
        cmocka_unit_test(test_shrunk),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_what_is_given),
        cmocka_unit_test(test_null_of_sigreg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
