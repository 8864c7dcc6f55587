/* Special functions against SciPy and closed forms. */
#include "check.h"

#include <math.h>

#include "special.h"

static void test_scipy(void **state) {
    (void)state;
    char path[512], word[32];
    int count, seen = 0;
    double v[4];
    snprintf(path, sizeof path, "%s/statistics/special.txt", check_vectors());
    FILE *f = fopen(path, "r");
    if (!f) skip();
    while (fscanf(f, "%31s %d", word, &count) == 2) {
        assert_true(count >= 2 && count <= 4);
        for (int i = 0; i < count; i++) assert_int_equal(fscanf(f, "%lf", &v[i]), 1);
        seen++;
        if (!strcmp(word, "normal_quantile")) {
            CHECK_NEAR(uw__normal_quantile(v[0]), v[1], 4e-15 * (1.0 + fabs(v[1])));
            /* far out, a digit of x is many of P */
            CHECK_NEAR(uw__normal_cdf(v[1]), v[0], 1e-14 * v[0] * (1.0 + v[1] * v[1]));
        } else if (!strcmp(word, "gamma")) {
            const double bound = 1e-13 * (v[0] + 10.0);
            CHECK_NEAR(uw__gamma_p(v[0], v[1]), v[2], bound * v[2]);
            CHECK_NEAR(uw__gamma_q(v[0], v[1]), v[3], bound * fmax(v[3], v[2] < 0.5 ? v[2] : 0.0));
        } else if (!strcmp(word, "chi2_quantile")) {
            CHECK_NEAR(uw__chi2_quantile(v[0], v[1]), v[2], 1e-11 * v[2]);
        } else {
            fail_msg("%s: unknown word", word);
        }
    }
    fclose(f);
    assert_true(seen >= 22);
}

static void test_closed_forms(void **state) {
    (void)state;
    for (double x = 0.0; x < 36.0; x += 0.37) {
        CHECK_NEAR(uw__gamma_q(1.0, x), exp(-x), 1e-12 * exp(-x)); /* the exponential law */
        CHECK_NEAR(uw__chi2_tail(1.0, x * x), 2.0 * uw__normal_cdf(-x), 2e-12 * uw__normal_cdf(-x));
        CHECK_NEAR(uw__gamma_p(7.5, x) + uw__gamma_q(7.5, x), 1.0, 1e-14);
    }
    CHECK_NEAR(uw__chi2_quantile(2.0, 0.99), -2.0 * log(0.01), 1e-13);
    assert_true(uw__gamma_p(2.0, 0.0) == 0.0 && uw__gamma_q(2.0, 0.0) == 1.0);
    assert_true(isinf(uw__normal_quantile(0.0)) && isinf(uw__normal_quantile(1.0)));
    assert_true(uw__chi2_quantile(3.0, 0.0) == 0.0 && isinf(uw__chi2_quantile(3.0, 1.0)));
    for (double p = 0.001; p < 0.5; p += 0.013)
        CHECK_NEAR(uw__normal_quantile(p) + uw__normal_quantile(1.0 - p), 0.0, 1e-13);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scipy),
                                       cmocka_unit_test(test_closed_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
