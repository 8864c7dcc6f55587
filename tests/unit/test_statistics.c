/* Statistics against SciPy, statsmodels and NumPy on recorded samples, and against closed forms. */
#include "check.h"

#include <math.h>

#include "matrices.h"
#include "rng.h"
#include "special.h"
#include "statistics.h"

enum { MOST = 400 };

/* The file is a script: inputs set what the next words are computed from. */
typedef struct book {
    double x[MOST]; /* of the last "x" or "rows" */
    int32_t n, d;
    int64_t first[8];
    uw_pieces pieces;
    int checked;
} book;

static double worst(double got, double want) {
    return fabs(got - want) / (1e-9 * (1.0 + fabs(want)));
}

#define SAME(got, want)                                                                            \
    do {                                                                                           \
        if (!(worst(got, want) <= 1.0)) fail_msg("%s = %.17g, wanted %.17g", #got, got, want);     \
    } while (0)

static void check_normality(const book *b, const double *v) {
    double sorted[MOST];
    memcpy(sorted, b->x, sizeof sorted);
    for (int32_t i = 1; i < b->n; i++)
        for (int32_t j = i; j > 0 && sorted[j] < sorted[j - 1]; j--) {
            const double t = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = t;
        }
    const uw_moments m = uw__moments(b->x, b->n);
    SAME(m.mean, v[0]);
    SAME(m.std, v[1]);
    SAME(m.skew, v[2]);
    SAME(m.kurtosis, v[3]);
    SAME(uw__epps_pulley(b->x, b->n), v[4]);
    SAME(uw__epps_pulley_exact(b->x, b->n), v[5]);
    CHECK_NEAR(uw__anderson_darling(sorted, b->n), v[6],
               1e-6 * fabs(v[6])); /* log Phi's series in the tail */
    SAME(uw__jarque_bera(&m, b->n), v[7]);
}

static void check_multivariate(const book *b, const double *v) {
    uw_mardia m;
    uw_henze_zirkler hz;
    assert_int_equal(uw__mardia(b->x, b->n, b->d, &m), UW_OK);
    assert_int_equal(uw__henze_zirkler(b->x, b->n, b->d, &hz), UW_OK);
    SAME(m.skew, v[0]);
    SAME(m.kurtosis, v[1]);
    SAME(m.skew_p, v[2]);
    SAME(m.kurtosis_p, v[3]);
    SAME(hz.statistic, v[4]);
    SAME(hz.p, v[5]);
}

static void check_polar(const book *b, const double *v) {
    double q[25], work[150], nuclear;
    uw__polar(b->x, b->n, b->d, q, &nuclear, work);
    SAME(nuclear, v[0]);
    for (int32_t i = 0; i < b->n * b->d; i++) SAME(q[i], v[1 + i]);
}

/* Eigenvalues have no order: every expected one is found once. */
static void check_eigenvalues(const book *b, const double *v) {
    double a[49], re[7], im[7];
    bool used[7] = {false};
    memcpy(a, b->x, sizeof(double) * (size_t)(b->n * b->n));
    assert_true(uw__eigenvalues(a, b->n, re, im));
    for (int32_t i = 0; i < b->n; i++) {
        int32_t j = 0;
        while (j < b->n && (used[j] || hypot(re[j] - v[i], im[j] - v[b->n + i]) > 1e-7)) j++;
        if (j == b->n) fail_msg("no eigenvalue %.9g %+.9gi", v[i], v[b->n + i]);
        used[j] = true;
    }
}

static void check_word(book *b, const char *word, const double *v, int count) {
    double work[85];
    uw_dcor dcor;
    uw_white white;
    uw_portmanteau test;
    b->checked++;
    if (!strcmp(word, "normality")) {
        check_normality(b, v);
    } else if (!strcmp(word, "multivariate")) {
        check_multivariate(b, v);
    } else if (!strcmp(word, "portmanteau")) {
        assert_int_equal(
            uw__portmanteau(b->x, b->d, &b->pieces, (int32_t)v[0], (int32_t)v[1], &test), UW_OK);
        SAME(test.statistic, v[2]);
        SAME(test.p, v[3]);
    } else if (!strcmp(word, "kpss")) {
        SAME(uw__kpss(b->x, b->n, (int32_t)v[0]), v[1]);
    } else if (!strcmp(word, "white")) {
        assert_int_equal(uw__white(v + 3, b->x, b->n, b->d, &white), UW_OK);
        SAME(white.r2, v[0]);
        SAME(white.lm, v[1]);
        SAME(white.p, v[2]);
    } else if (!strcmp(word, "dcor")) {
        assert_int_equal(uw__distance_correlation(b->x, b->d, v + 2, 1, b->n, &dcor), UW_OK);
        SAME(dcor.dcor, v[0]);
        SAME(dcor.corrected, v[1]);
    } else if (!strcmp(word, "energy")) {
        SAME(uw__energy_distance(b->x, b->n, v + 1, (count - 1) / b->d, b->d), v[0]);
    } else if (!strcmp(word, "bures")) {
        CHECK_NEAR(uw__bures(b->x, v + 1, b->d, work), v[0], 1e-7);
    } else if (!strcmp(word, "polar")) {
        check_polar(b, v);
    } else if (!strcmp(word, "eigenvalues")) {
        check_eigenvalues(b, v);
    } else {
        fail_msg("%s: unknown word", word);
    }
}

static void test_recorded(void **state) {
    (void)state;
    static book b;
    static double v[MOST];
    char path[512], word[32];
    int count;
    snprintf(path, sizeof path, "%s/statistics/samples.txt", check_vectors());
    FILE *f = fopen(path, "r");
    if (!f) skip();
    while (fscanf(f, "%31s %d", word, &count) == 2) {
        assert_true(count >= 1 && count <= MOST);
        for (int i = 0; i < count; i++) assert_int_equal(fscanf(f, "%lf", &v[i]), 1);
        if (!strcmp(word, "x")) {
            memcpy(b.x, v, sizeof v);
            b.n = count;
        } else if (!strcmp(word, "rows")) {
            b.n = (int32_t)v[0];
            b.d = (int32_t)v[1];
            memcpy(b.x, v + 2, sizeof(double) * (size_t)(count - 2));
        } else if (!strcmp(word, "pieces")) {
            for (int i = 0; i < count && i < 8; i++) b.first[i] = (int64_t)v[i];
            b.pieces = (uw_pieces){b.first, count - 1};
        } else {
            check_word(&b, word, v, count);
        }
    }
    fclose(f);
    assert_true(b.checked >= 24);
}

/* ---- closed forms -------------------------------------------------------------------------------
 */

/* Constants of the literature: what the statistic makes of a collapse, of an explosion, and of the
 * null. */
static void test_epps_pulley_constants(void **state) {
    (void)state;
    enum { N = 4096 };
    static double x[N];
    const double root = sqrt(2.0 * M_PI), third = sqrt(2.0 * M_PI / 3.0);
    memset(x, 0, sizeof x); /* everything at 0 */
    CHECK_NEAR(uw__epps_pulley_exact(x, 64) / 64.0, root - 2.0 * sqrt(M_PI) + third, 1e-12);
    CHECK_NEAR(uw__epps_pulley_exact(x, 64) / 64.0, 0.408923, 1e-6);
    CHECK_NEAR(uw__epps_pulley(x, 64) / 64.0, 0.402048, 1e-6);
    for (int i = 0; i < N; i++) x[i] = 1e3 * (i + 1); /* no two near each other */
    CHECK_NEAR(uw__epps_pulley_exact(x, 64) / 64.0, third + root / 64.0, 1e-12);
    CHECK_NEAR(third, 1.44720, 1e-5);

    /* the null mean does not depend on n: sqrt(2 pi) - sqrt(2 pi / 3), or 1.05246 on the grid */
    uw_rng r = uw__rng(check_seed(3), UW_STREAM_TEST, 0);
    double exact = 0.0, grid = 0.0;
    enum { DRAWS = 4000, SIZE = 64 };
    for (int d = 0; d < DRAWS; d++) {
        for (int i = 0; i < SIZE; i++) x[i] = (double)uw__rng_normal(&r);
        exact += uw__epps_pulley_exact(x, SIZE) / DRAWS;
        grid += uw__epps_pulley(x, SIZE) / DRAWS;
    }
    CHECK_NEAR(exact, root - third, 5.0 * 0.96 / sqrt(DRAWS)); /* sd 0.96 per draw */
    CHECK_NEAR(grid, 1.05246, 5.0 * 0.96 / sqrt(DRAWS));

    /* quantiles of a law as its sample: variance off by s - 1 costs 0.1206 n (s - 1)^2 */
    const double slope = 3.0 / 16.0 * sqrt(M_PI) * pow(1.5, -2.5);
    CHECK_NEAR(slope, 0.1206, 1e-4);
    for (int i = 0; i < N; i++) x[i] = uw__normal_quantile((i + 0.5) / N) * sqrt(1.02);
    CHECK_NEAR(uw__epps_pulley(x, N) / N, slope * 0.02 * 0.02, 0.1 * slope * 0.02 * 0.02);
}

/* Effect per row of unit-variance laws, from their quantiles: what the gates are set by. */
static void test_epps_pulley_power(void **state) {
    (void)state;
    enum { N = 4096 };
    static double uniform[N], laplace[N], coin[N];
    for (int i = 0; i < N; i++) {
        const double p = (i + 0.5) / N;
        uniform[i] = sqrt(3.0) * (2.0 * p - 1.0);
        laplace[i] = (p < 0.5 ? log(2.0 * p) : -log(2.0 - 2.0 * p)) / M_SQRT2;
        coin[i] = p < 0.5 ? -1.0 : 1.0;
    }
    CHECK_NEAR(uw__epps_pulley(uniform, N) / N, 0.016, 0.001);
    CHECK_NEAR(uw__epps_pulley(laplace, N) / N, 0.016, 0.001);
    CHECK_NEAR(uw__epps_pulley(coin, N) * 512.0 / N + 1.05, 53.7, 1.5);
}

static void test_joint_diagonalisation(void **state) {
    (void)state;
    /* two matrices with common eigenvectors, one of them with a double eigenvalue that the other
     * splits */
    const double c = cos(0.7), s = sin(0.7);
    const double q[9] = {c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0}, first[3] = {2.0, 2.0, 1.0},
                 second[3] = {5.0, 1.0, 1.0};
    double m[18], v[9];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            m[3 * i + j] = m[9 + 3 * i + j] = 0.0;
            for (int k = 0; k < 3; k++) {
                m[3 * i + j] += q[3 * k + i] * first[k] * q[3 * k + j];
                m[9 + 3 * i + j] += q[3 * k + i] * second[k] * q[3 * k + j];
            }
        }
    uw__joint_diagonalise(m, 2, 3, v);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            if (i != j) CHECK_NEAR(fabs(m[3 * i + j]) + fabs(m[9 + 3 * i + j]), 0.0, 1e-9);
    CHECK_NEAR(m[0] + m[4] + m[8], 5.0, 1e-12);
    double product[9];
    uw__matrix_multiply_at(v, v, 3, 3, 3, product);
    for (int i = 0; i < 9; i++) CHECK_NEAR(product[i], i % 4 == 0 ? 1.0 : 0.0, 1e-12);
}

/* A mean's interval over groups covers the truth as often as it says, and a squared norm loses its
 * bias. */
static void mean_and_square(const void *arg, const double *total, double *scratch, double *values) {
    (void)arg;
    (void)scratch;
    values[0] = total[1] / total[0];
    values[1] = values[0] * values[0];
}

static void test_bootstrap(void **state) {
    (void)state;
    enum { GROUPS = 30, RUNS = 300 };
    int covered = 0;
    double square = 0.0, plain = 0.0;
    for (int run = 0; run < RUNS; run++) {
        uw_rng r = uw__rng(check_seed(9), UW_STREAM_TEST, (uint64_t)run);
        double sums[GROUPS][2];
        for (int g = 0; g < GROUPS; g++) {
            sums[g][0] = 1.0 + (double)uw__rng_below(&r, 3);
            sums[g][1] = 0.0;
            const double level = (double)uw__rng_normal(&r); /* shared by the group's rows */
            for (int i = 0; i < (int)sums[g][0]; i++) sums[g][1] += level;
        }
        const uw_bootstrap b = {
            .sums = sums[0], .groups = GROUPS, .size = 2, .count = 2, .eval = mean_and_square};
        uw_estimate e[2], again[2];
        assert_int_equal(uw__bootstrap(NULL, &b, 200, (uint64_t)run, e), UW_OK);
        assert_int_equal(uw__bootstrap(NULL, &b, 200, (uint64_t)run, again), UW_OK);
        assert_memory_equal(e, again, sizeof e);
        covered += e[0].low <= 0.0 && 0.0 <= e[0].high;
        square += e[1].corrected / RUNS;
        plain += e[1].point / RUNS;
    }
    CHECK_NEAR(covered / (double)RUNS, 0.94, 0.05);
    assert_true(plain > 0.03);
    CHECK_NEAR(square, 0.0, 0.012);
    const uw_bootstrap points = {
        .sums = (double[]){2.0, 6.0}, .groups = 1, .size = 2, .count = 2, .eval = mean_and_square};
    uw_estimate e[2];
    assert_int_equal(uw__bootstrap(NULL, &points, 0, 1, e), UW_OK);
    assert_true(e[0].point == 3.0 && isnan(e[0].low) && isnan(e[1].corrected));
}

static void test_bad_samples(void **state) {
    (void)state;
    const double flat[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    uw_mardia m;
    uw_henze_zirkler hz;
    double r2;
    assert_int_equal(uw__mardia(flat, 8, 1, &m), UW_ENONFINITE);
    assert_int_equal(uw__henze_zirkler(flat, 4, 2, &hz), UW_ENONFINITE);
    assert_int_equal(uw__r2(flat, flat, 8, 1, &r2), UW_ENONFINITE);
    assert_true(isnan(uw__kpss(flat, 8, 2)) && isnan(uw__moments(flat, 8).skew) &&
                isnan(uw__moments(flat, 0).mean));
    const uw_pieces pieces = {(const int64_t[]){0, 8}, 1};
    uw_portmanteau test;
    assert_int_equal(uw__portmanteau(flat, 1, &pieces, 2, 0, &test), UW_ENONFINITE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),          cmocka_unit_test(test_epps_pulley_constants),
        cmocka_unit_test(test_epps_pulley_power), cmocka_unit_test(test_joint_diagonalisation),
        cmocka_unit_test(test_bootstrap),         cmocka_unit_test(test_bad_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
