/* Ridge, MLP probe, scores and rank correlation: against scikit-learn and SciPy, and on latents
 * whose answer is known. */
#include "check.h"

#include <math.h>
#include <stdbool.h>

#include "cpu.h"
#include "fit.h"
#include "rng.h"

/* ---- recorded values ------------------------------------------------------------------------ */

static FILE *open_vector(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/probe/%s", check_vectors(), name);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s: cannot open", path);
    return f;
}

static double *read_block(FILE *f, const char *word, size_t count) {
    char got[32] = "";
    if (fscanf(f, "%31s", got) != 1 || strcmp(got, word))
        fail_msg("wanted block %s, got %s", word, got);
    double *x = malloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        if (fscanf(f, "%lf", &x[i]) != 1) fail_msg("%s: %zu numbers, wanted %zu", word, i, count);
    return x;
}

static void check_ridge(const char *name, uw_pool *pool) {
    FILE *f = open_vector(name);
    int n, m, d, k;
    if (fscanf(f, "%d %d %d %d", &n, &m, &d, &k) != 4) fail_msg("%s: sizes", name);
    const size_t sn = (size_t)n, sm = (size_t)m, sd = (size_t)d, sk = (size_t)k;
    double *x = read_block(f, "x", (sn + sm) * sd), *y = read_block(f, "y", (sn + sm) * sk);
    double *penalty = read_block(f, "penalty", sk), *weight = read_block(f, "weight", sk * sd);
    double *predicted = read_block(f, "predicted", sm * sk),
           *scores = read_block(f, "scores", sk * 3);
    fclose(f);
    float *xf = malloc((sn + sm) * sd * sizeof *xf);
    for (size_t i = 0; i < (sn + sm) * sd; i++) xf[i] = (float)x[i];

    uw_ridge ridge;
    double *got = malloc(sm * sk * sizeof *got);
    assert_int_equal(uw__ridge_fit(pool, xf, y, n, d, k, &ridge), UW_OK);
    uw__ridge_predict(&ridge, xf + sn * sd, m, got);
    for (size_t t = 0; t < sk; t++) {
        CHECK_NEAR(ridge.penalty[t], penalty[t], 1e-9 * penalty[t]);
        for (size_t i = 0; i < sd; i++)
            CHECK_NEAR(ridge.weight[t * sd + i], weight[t * sd + i],
                       1e-7 * (1 + fabs(weight[t * sd + i])));
        const uw_score s = uw__score(got, y + sn * sk, m, k, (int32_t)t);
        CHECK_NEAR(s.r2, scores[3 * t], 1e-8);
        CHECK_NEAR(s.r, scores[3 * t + 1], 1e-8);
        CHECK_NEAR(s.rmse, scores[3 * t + 2], 1e-8);
    }
    for (size_t i = 0; i < sm * sk; i++) CHECK_NEAR(got[i], predicted[i], 1e-7);
    uw__ridge_fini(&ridge);
    free(x), free(y), free(penalty), free(weight), free(predicted), free(scores), free(xf),
        free(got);
}

static void test_ridge_as_scikit_learn(void **state) {
    (void)state;
    uw_pool *pool = NULL;
    check_ridge("ridge_tall.txt", NULL);
    check_ridge("ridge_wide.txt", NULL); /* more directions than rows */
    assert_int_equal(uw__pool_new(3, &pool), UW_OK);
    check_ridge("ridge_tall.txt", pool);
    uw__pool_free(pool);
}

static void test_spearman_as_scipy(void **state) {
    (void)state;
    FILE *f = open_vector("spearman_ties.txt");
    int n;
    if (fscanf(f, "%d", &n) != 1) fail_msg("sizes");
    double *x = read_block(f, "x", (size_t)n), *y = read_block(f, "y", (size_t)n);
    double *rho = read_block(f, "rho", 1), *work = malloc(4 * (size_t)n * sizeof *work);
    fclose(f);
    CHECK_NEAR(uw__spearman(x, y, n, work), rho[0], 1e-12);
    CHECK_NEAR(uw__spearman(x, x, n, work), 1.0, 1e-12);
    for (int i = 0; i < n; i++) y[i] = -x[i];
    CHECK_NEAR(uw__spearman(x, y, n, work), -1.0, 1e-12);
    for (int i = 0; i < n; i++) y[i] = 2.0;
    assert_true(isnan(uw__spearman(x, y, n, work)));
    assert_true(isnan(uw__spearman(x, y, 1, work)));
    free(x), free(y), free(rho), free(work);
}

/* ---- latents whose answer is known ---------------------------------------------------------- */

enum { N = 900, M = 300, D = 12 };

/* State (2) in columns 0, 1 of y; latents are a rotation-like mixing of [state, 10 noises]. */
static void mixed_latents(uint64_t seed, float *x, double *y) {
    static float mixing[D][D];
    uw_rng r = uw__rng(seed, UW_STREAM_TEST, 0);
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) mixing[i][j] = uw__rng_normal(&r);
    for (int row = 0; row < N + M; row++) {
        float hidden[D];
        for (int j = 0; j < D; j++) hidden[j] = uw__rng_normal(&r);
        y[2 * row] = 100.0 + 40.0 * (double)hidden[0];
        y[2 * row + 1] = (double)hidden[1] * (double)hidden[1]; /* even: no line through it */
        for (int i = 0; i < D; i++) {
            float sum = 0.0f;
            for (int j = 0; j < D; j++) sum += mixing[i][j] * hidden[j];
            x[row * D + i] = sum;
        }
    }
}

static void test_linear_state_is_found(void **state) {
    (void)state;
    static float x[(N + M) * D];
    static double y[(N + M) * 2], got[M * 2];
    mixed_latents(check_seed(1), x, y);
    uw_ridge ridge;
    assert_int_equal(uw__ridge_fit(NULL, x, y, N, D, 2, &ridge), UW_OK);
    uw__ridge_predict(&ridge, x + N * D, M, got);
    const uw_score line = uw__score(got, y + 2 * N, M, 2, 0),
                   square = uw__score(got, y + 2 * N, M, 2, 1);
    CHECK_NEAR(line.r2, 1.0, 1e-6);
    CHECK_NEAR(line.rmse, 0.0, 0.05);
    CHECK_NEAR(square.r2, 0.0, 0.1);
    uw__ridge_fini(&ridge);
}

static void test_noise_is_not_found(void **state) {
    (void)state;
    static float x[(N + M) * D];
    static double y[N + M], got[M];
    uw_rng r = uw__rng(check_seed(2), UW_STREAM_TEST, 1);
    for (int i = 0; i < (N + M) * D; i++) x[i] = uw__rng_normal(&r);
    for (int i = 0; i < N + M; i++) y[i] = (double)uw__rng_normal(&r);
    uw_ridge ridge;
    assert_int_equal(uw__ridge_fit(NULL, x, y, N, D, 1, &ridge), UW_OK);
    uw__ridge_predict(&ridge, x + N * D, M, got);
    CHECK_NEAR(uw__score(got, y + N, M, 1, 0).r2, 0.0, 0.08);
    uw__ridge_fini(&ridge);
}

static void test_collapsed_latent_predicts_the_mean(void **state) {
    (void)state;
    static float x[100 * D];
    static double y[100], got[100];
    for (int i = 0; i < 100 * D; i++) x[i] = 0.25f;
    for (int i = 0; i < 100; i++) y[i] = i;
    uw_ridge ridge;
    assert_int_equal(uw__ridge_fit(NULL, x, y, 100, D, 1, &ridge), UW_OK);
    uw__ridge_predict(&ridge, x, 100, got);
    for (int i = 0; i < 100; i++) CHECK_NEAR(got[i], 49.5, 1e-9);
    const uw_score s = uw__score(got, y, 100, 1, 0);
    CHECK_NEAR(s.r2, 0.0, 1e-9);
    CHECK_NEAR(s.r, 0.0, 0.0);
    uw__ridge_fini(&ridge);
}

/* A latent in other units must be worth as much: the penalty is relative. */
static void test_scale_does_not_matter(void **state) {
    (void)state;
    static float x[(N + M) * D], small[(N + M) * D];
    static double y[(N + M) * 2], a[M * 2], b[M * 2];
    mixed_latents(check_seed(3), x, y);
    for (int i = 0; i < (N + M) * D; i++) small[i] = x[i] * 0x1p-10f; /* exact */
    uw_ridge one, two;
    assert_int_equal(uw__ridge_fit(NULL, x, y, N, D, 2, &one), UW_OK);
    assert_int_equal(uw__ridge_fit(NULL, small, y, N, D, 2, &two), UW_OK);
    uw__ridge_predict(&one, x + N * D, M, a);
    uw__ridge_predict(&two, small + N * D, M, b);
    for (int i = 0; i < 2 * M; i++) CHECK_NEAR(a[i], b[i], 1e-9 * (1.0 + fabs(a[i])));
    uw__ridge_fini(&one);
    uw__ridge_fini(&two);
}

static void test_threads_do_not_matter(void **state) {
    (void)state;
    static float x[(N + M) * D];
    static double y[(N + M) * 2];
    mixed_latents(check_seed(4), x, y);
    uw_ridge serial;
    assert_int_equal(uw__ridge_fit(NULL, x, y, N, D, 2, &serial), UW_OK);
    for (int threads = 2; threads <= 3; threads++) {
        uw_pool *pool = NULL;
        uw_ridge ridge;
        assert_int_equal(uw__pool_new(threads, &pool), UW_OK);
        assert_int_equal(uw__ridge_fit(pool, x, y, N, D, 2, &ridge), UW_OK);
        assert_memory_equal(ridge.weight, serial.weight, 2 * D * sizeof(double));
        assert_memory_equal(ridge.penalty, serial.penalty, 2 * sizeof(double));
        uw__ridge_fini(&ridge);
        uw__pool_free(pool);
    }
    uw__ridge_fini(&serial);
}

static void test_mlp_bends_where_ridge_cannot(void **state) {
    (void)state;
    static float x[(N + M) * D];
    static double y[(N + M) * 2], got[M * 2], again[M * 2];
    uw_rng r = uw__rng(check_seed(5), UW_STREAM_TEST, 2);
    for (int i = 0; i < (N + M) * D; i++) x[i] = uw__rng_normal(&r);
    for (int i = 0; i < N + M; i++) {
        y[2 * i] = 3.0 * (double)x[i * D] - 7.0;
        y[2 * i + 1] = (double)x[i * D + 1] * (double)x[i * D + 1];
    }
    uw_kernels kernels = {0};
    uw__kernels_init(&kernels, uw__cpu_detect());
    assert_int_equal(uw__mlp_probe(&kernels, x, y, N, D, 2, x + N * D, M, 3, got), UW_OK);
    assert_true(uw__score(got, y + 2 * N, M, 2, 0).r2 > 0.97);
    const double bent = uw__score(got, y + 2 * N, M, 2, 1).r2;
    if (!(bent > 0.8)) fail_msg("square of a latent direction: r2 = %.3f, wanted > 0.8", bent);
    assert_int_equal(uw__mlp_probe(&kernels, x, y, N, D, 2, x + N * D, M, 3, again), UW_OK);
    assert_memory_equal(got, again, sizeof got);
}

static void test_scores_by_hand(void **state) {
    (void)state;
    const double truth[] = {1, 2, 3, 4}, guess[] = {2, 2, 3, 3}, flat[] = {5, 5, 5, 5};
    const uw_score s = uw__score(guess, truth, 4, 1, 0);
    CHECK_NEAR(s.r2, 1.0 - 2.0 / 5.0, 1e-15);
    CHECK_NEAR(s.r, 2.0 / sqrt(5.0), 1e-15);
    CHECK_NEAR(s.rmse, sqrt(0.5), 1e-15);
    assert_true(isnan(uw__score(guess, flat, 4, 1, 0).r2));
    CHECK_NEAR(uw__score(flat, truth, 4, 1, 0).r, 0.0, 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_by_hand),
        cmocka_unit_test(test_ridge_as_scikit_learn),
        cmocka_unit_test(test_spearman_as_scipy),
        cmocka_unit_test(test_linear_state_is_found),
        cmocka_unit_test(test_noise_is_not_found),
        cmocka_unit_test(test_collapsed_latent_predicts_the_mean),
        cmocka_unit_test(test_scale_does_not_matter),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_mlp_bends_where_ridge_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
