/* Exact intervals against tables, closed forms and SciPy. */
#include "check.h"

#include <math.h>

#include <umwelt/eval.h>

#include "special.h"

/* Published values: 95 % limits as in the usual tables (to the digits given there). */
static void test_tables(void **state) {
    (void)state;
    static const struct {
        int32_t k, n;
        double low, high, digits;
    } rows[] = {
        {0, 10, 0.0, 0.3085, 5e-5},      {1, 10, 0.0025, 0.4450, 5e-5},
        {5, 10, 0.1871, 0.8129, 5e-5},   {10, 10, 0.6915, 1.0, 5e-5},
        {0, 20, 0.0, 0.1684, 5e-5},      {7, 20, 0.1539, 0.5922, 5e-5},
        {98, 100, 0.9296, 0.9976, 5e-5}, {1788, 1800, 0.988, 0.997, 1e-3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uw_rate r = uw_rate_of(rows[i].k, rows[i].n);
        CHECK_NEAR(r.low, rows[i].low, rows[i].digits);
        CHECK_NEAR(r.high, rows[i].high, rows[i].digits);
        assert_true(r.episodes == rows[i].n && r.successes == rows[i].k);
        assert_true(r.rate == (double)rows[i].k / rows[i].n);
    }
}

static void test_closed_forms(void **state) {
    (void)state;
    for (int32_t n = 1; n <= 2000; n = n * 3 + 1) { /* none or all of n: 1 - (alpha/2)^(1/n) */
        const double edge = 1.0 - pow(0.025, 1.0 / n);
        CHECK_NEAR(uw_rate_of(0, n).high, edge, 1e-12);
        CHECK_NEAR(uw_rate_of(n, n).low, 1.0 - edge, 1e-12);
        assert_true(uw_rate_of(0, n).low == 0.0 && uw_rate_of(n, n).high == 1.0);
    }
    for (int32_t k = 0; k <= 40; k++) { /* k successes are n - k failures */
        const uw_rate a = uw_rate_of(k, 40), b = uw_rate_of(40 - k, 40);
        CHECK_NEAR(a.low, 1.0 - b.high, 1e-12);
        assert_true(a.low <= a.rate && a.rate <= a.high);
    }
    assert_true(uw_rate_of(0, 0).low == 0.0 && uw_rate_of(0, 0).high == 1.0);
    assert_true(uw_rate_of(9, 3).successes == 3 && uw_rate_of(-1, 3).successes == 0);
}

static void test_scipy(void **state) {
    (void)state;
    char path[512], word[16];
    double v[4];
    int intervals = 0, betas = 0;
    snprintf(path, sizeof path, "%s/stats/intervals.txt", check_vectors());
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fscanf(f, "%15s %lf %lf %lf %lf", word, &v[0], &v[1], &v[2], &v[3]) == 5) {
        if (strcmp(word, "interval") == 0) {
            const uw_rate r = uw_rate_of((int32_t)v[0], (int32_t)v[1]);
            CHECK_NEAR(r.low, v[2], 1e-11);
            CHECK_NEAR(r.high, v[3], 1e-11);
            intervals++;
        } else {
            CHECK_NEAR(uw__beta_cdf(v[0], v[1], v[2]), v[3], 1e-13 * (v[0] + v[1] + 10.0));
            betas++;
        }
    }
    fclose(f);
    assert_true(intervals > 150 && betas == 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_scipy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
