/* Random numbers: Random123's known answers, pinned draws, independence of streams, moments. */
#include "check.h"

#include <math.h>

#include <Random123/philox.h>

#include "rng.h"

/* First known answer of Random123's kat_vectors for philox4x32 with 10 rounds: all zeros in. */
static void philox_known_answer(void **state) {
    (void)state;
    const philox4x32_ctr_t out = philox4x32((philox4x32_ctr_t){{0}}, (philox4x32_key_t){{0}});
    assert_int_equal(out.v[0], 0x6627e8d5);
    assert_int_equal(out.v[1], 0xe169c58d);
    assert_int_equal(out.v[2], 0xbc57ac4c);
    assert_int_equal(out.v[3], 0x9b00dbd8);
    uw_rng r = uw__rng(0, (uw_stream)0, 0);
    assert_int_equal(uw__rng_u32(&r), 0x6627e8d5);
    assert_int_equal(uw__rng_u32(&r), 0xe169c58d);
}

static void same_key_same_draws(void **state) {
    (void)state;
    uw_rng a = uw__rng(7, UW_STREAM_TEST, 3), b = uw__rng(7, UW_STREAM_TEST, 3);
    uw_rng other_seed = uw__rng(8, UW_STREAM_TEST, 3), other_stream = uw__rng(7, UW_STREAM_INIT, 3);
    uw_rng other_counter = uw__rng(7, UW_STREAM_TEST, 4);
    int equal[3] = {0};
    for (int i = 0; i < 1000; i++) {
        const uint32_t x = uw__rng_u32(&a);
        assert_int_equal(x, uw__rng_u32(&b));
        equal[0] += x == uw__rng_u32(&other_seed);
        equal[1] += x == uw__rng_u32(&other_stream);
        equal[2] += x == uw__rng_u32(&other_counter);
    }
    for (int i = 0; i < 3; i++) assert_true(equal[i] <= 1);
}

static void fill_equals_single_draws(void **state) {
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        uw_rng a = uw__rng(1, UW_STREAM_TEST, n), b = a;
        float x[400];
        uw__rng_fill_normal(&a, x, n);
        uw__rng_fill_normal(&a, x + n, 150);
        for (size_t i = 0; i < n + 150; i++) assert_true(x[i] == uw__rng_normal(&b));
    }
}

/* Mean, variance, skewness, kurtosis and the tail of 10^6 normals, each within 5 standard errors.
 */
static void normals_are_normal(void **state) {
    (void)state;
    enum { N = 1000000 };
    uw_rng r = uw__rng(check_seed(11), UW_STREAM_TEST, 0);
    double s1 = 0, s2 = 0, s3 = 0, s4 = 0;
    int beyond3 = 0;
    for (int i = 0; i < N; i++) {
        const double x = (double)uw__rng_normal(&r);
        s1 += x, s2 += x * x, s3 += x * x * x, s4 += x * x * x * x;
        beyond3 += fabs(x) > 3;
    }
    CHECK_NEAR(s1 / N, 0, 5 * sqrt(1.0 / N));
    CHECK_NEAR(s2 / N, 1, 5 * sqrt(2.0 / N));
    CHECK_NEAR(s3 / N, 0, 5 * sqrt(15.0 / N));
    CHECK_NEAR(s4 / N, 3, 5 * sqrt(96.0 / N));
    CHECK_NEAR(beyond3 / (double)N, 0.0026998, 5 * sqrt(0.0027 / N));
}

/* Against libm on the draws themselves: our log and sincos are right to float precision. */
static void normals_match_libm(void **state) {
    (void)state;
    uw_rng r = uw__rng(5, UW_STREAM_TEST, 1), raw = r;
    for (int i = 0; i < 20000; i++) {
        const double u = ((double)uw__rng_u32(&raw) + 1.0) * 0x1p-32;
        const double v = (double)uw__rng_u32(&raw) * 0x1p-32 * 2 * M_PI;
        const double radius = sqrt(-2 * log(u));
        CHECK_NEAR(uw__rng_normal(&r), radius * cos(v), 1e-7 * (1 + radius));
        CHECK_NEAR(uw__rng_normal(&r), radius * sin(v), 1e-7 * (1 + radius));
    }
}

static void below_is_uniform(void **state) {
    (void)state;
    enum { N = 100000, K = 7 };
    uw_rng r = uw__rng(check_seed(3), UW_STREAM_TEST, 2);
    int count[K] = {0};
    for (int i = 0; i < N; i++) count[uw__rng_below(&r, K)]++;
    double chi2 = 0;
    for (int k = 0; k < K; k++) chi2 += pow(count[k] - (double)N / K, 2) / ((double)N / K);
    CHECK_NEAR(chi2, 0, 27.9); /* the 0.9999 quantile of chi-squared with 6 degrees of freedom */
    for (int i = 0; i < 100; i++) assert_int_equal(uw__rng_below(&r, 1), 0);
    const float u = uw__rng_uniform(&r);
    assert_true(u >= 0 && u < 1);
    const double d = uw__rng_uniform64(&r);
    assert_true(d >= 0 && d < 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answer),      cmocka_unit_test(same_key_same_draws),
        cmocka_unit_test(fill_equals_single_draws), cmocka_unit_test(normals_are_normal),
        cmocka_unit_test(normals_match_libm),       cmocka_unit_test(below_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
