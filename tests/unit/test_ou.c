/* The Ornstein-Uhlenbeck worlds against their closed forms: every law stationary from the first row
 * with mean 0 and variance 1, its lag correlations exact, its copula's correlation the published
 * one; every mixing undone here and volume-preserving; the action world's noise balanced. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/env.h>

#include "check.h"
#include "ou.h"

enum { EPISODES = 2000, ROWS = 12 };

/* Values of an ou world from variations; CHECKs that they are taken. */
static void values_of(const char *const *settings, double *values) {
    const uw_env_class *cls = uw_process_find("ou");
    uw_variation v = {0};
    bool fixed[UW_MAX_FACTOR_VALUES];
    uw_err err = {0};
    for (; *settings; settings++) CHECK_OK(uw_variation_parse(cls, *settings, &v, &err), &err);
    CHECK_OK(uw_variation_resolve(cls, &v, 0, 0, values, fixed, &err), &err);
}
#define VALUES(values, ...) values_of((const char *const[]){__VA_ARGS__, NULL}, values)

/* Many short episodes side by side: [episode][row][column numbers]. */
typedef struct sample {
    uw_reading column[UW_MAX_READINGS];
    int32_t count, width;
    double *rows; /* [EPISODES, ROWS, width] */
} sample;

static sample draw(const double *values) {
    sample s = {0};
    s.count = uw__ou.columns(values, s.column);
    for (int32_t c = 0; c < s.count; c++) s.width += s.column[c].dim;
    const size_t numbers = (size_t)s.width * ROWS;
    s.rows = malloc(EPISODES * numbers * sizeof *s.rows);
    assert_non_null(s.rows);
    for (uint64_t e = 0; e < EPISODES; e++)
        assert_int_equal(uw__ou.record(values, 7, e, ROWS, s.rows + e * numbers), UW_OK);
    return s;
}

/* Where the numbers of a column begin in a row. */
static int32_t column_at(const sample *s, const char *name) {
    int32_t at = 0;
    for (int32_t c = 0; c < s->count; at += s->column[c++].dim)
        if (!strcmp(s->column[c].name, name)) return at;
    fail_msg("no column %s", name);
    return -1;
}

/* Mean over episodes of the product of number i at row t and number j at row u (a power each). */
static double moment(const sample *s, int32_t t, int32_t i, int32_t p, int32_t u, int32_t j,
                     int32_t q) {
    double sum = 0.0;
    for (size_t e = 0; e < EPISODES; e++) {
        const double *episode = s->rows + e * ROWS * (size_t)s->width;
        sum += pow(episode[t * s->width + i], p) * pow(episode[u * s->width + j], q);
    }
    return sum / EPISODES;
}

/* Mean 0, variance 1, no correlation between coordinates, at the first and the last row; corr(z_t,
 * z_t+k) = rho^k.  The bands are 5 standard errors of 2000 independent episodes, kurtosis included.
 */
static void stationary(void **state) {
    (void)state;
    static const struct {
        const char *law;
        double kurtosis; /* E z^4 */
        bool autoregressive;
    } cases[] = {{"law=gaussian", 3, true},       {"law=laplace_ar", 6, true},
                 {"law=exponential_ar", 9, true}, {"law=reflected", 1.8, false},
                 {"law=uniform", 1.8, false},     {"law=laplace", 6, false},
                 {"law=arcsine", 1.5, false},     {"law=lognormal_half", 8.9, false},
                 {"law=cube", 46.2, false},       {"law=sign", 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double values[UW_OU_NUM_VALUES];
        VALUES(values, cases[i].law, "rho=0.9,0.8");
        const sample s = draw(values);
        const int32_t z = column_at(&s, "z");
        const double mean_band = 5.0 / sqrt(EPISODES);
        const double square_band = 5.0 * sqrt((cases[i].kurtosis - 0.99) / EPISODES);
        for (int32_t t = 0; t < ROWS; t += ROWS - 1) {
            CHECK_NEAR(moment(&s, t, z, 1, t, z, 0), 0.0, mean_band);
            CHECK_NEAR(moment(&s, t, z, 2, t, z, 0), 1.0, square_band);
            CHECK_NEAR(moment(&s, t, z, 1, t, z + 1, 1), 0.0, mean_band);
        }
        if (cases[i].autoregressive) {
            CHECK_NEAR(moment(&s, 3, z, 1, 4, z, 1), 0.9, square_band);
            CHECK_NEAR(moment(&s, 3, z + 1, 1, 5, z + 1, 1), 0.64, square_band);
        }
        print_message("%s: variance %.3f and %.3f\n", cases[i].law, moment(&s, 0, z, 2, 0, z, 0),
                      moment(&s, ROWS - 1, z, 2, ROWS - 1, z, 0));
        free(s.rows);
    }
}

/* The reflected motion's slowest function, cos(pi y), has the lag correlation that rho says. */
static void reflected_lag(void **state) {
    (void)state;
    double values[UW_OU_NUM_VALUES], sum = 0.0;
    VALUES(values, "law=reflected", "rho=0.9,0.9", "dim=1");
    const sample s = draw(values);
    for (size_t e = 0; e < EPISODES; e++)
        for (size_t t = 0; t + 1 < ROWS; t++) {
            const double *row = s.rows + (e * ROWS + t) * (size_t)s.width;
            const double a = cos(M_PI * (row[1] / sqrt(12.0) + 0.5));
            const double b = cos(M_PI * (row[1 + s.width] / sqrt(12.0) + 0.5));
            sum += 2.0 * a * b;
        }
    CHECK_NEAR(sum / (EPISODES * (ROWS - 1)), 0.9, 0.03);
    free(s.rows);
}

/* corr(z, u)^2 of every copula: what a code that recovers u says of z. */
static void copulas(void **state) {
    (void)state;
    static const struct {
        uw_ou_law law;
        double want;
    } cases[] = {{UW_OU_UNIFORM, 3.0 / M_PI},    {UW_OU_LAPLACE, 0.9630},
                 {UW_OU_ARCSINE, 0.8995},        {UW_OU_LOGNORMAL, 1.0 / (M_E - 1.0)},
                 {UW_OU_LOGNORMAL_HALF, 0.8802}, {UW_OU_CUBE, 0.6},
                 {UW_OU_SIGN, 2.0 / M_PI}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* by quadrature: mean, variance, covariance with u under the normal density */
        double mean = 0.0, square = 0.0, cross = 0.0;
        const double step = 1.0 / 512.0;
        for (double u = -12.0 + 0.5 * step; u < 12.0; u += step) {
            const double p = step * exp(-0.5 * u * u) / sqrt(2.0 * M_PI);
            const double z = uw__ou_show(cases[i].law, u);
            mean += p * z;
            square += p * z * z;
            cross += p * z * u;
        }
        CHECK_NEAR(mean, 0.0, 1e-6);
        CHECK_NEAR(square, 1.0, 1e-4);
        CHECK_NEAR(cross * cross, cases[i].want, 1e-4);
        assert_true(uw__ou_has_copula(cases[i].law));
    }
    assert_false(uw__ou_has_copula(UW_OU_GAUSSIAN));
}

/* ---- mixings
 * -------------------------------------------------------------------------------------- */

static double determinant(double *a, int32_t n) {
    double det = 1.0;
    for (int32_t i = 0; i < n; i++) {
        int32_t best = i;
        for (int32_t r = i + 1; r < n; r++)
            if (fabs(a[r * n + i]) > fabs(a[best * n + i])) best = r;
        for (int32_t c = 0; c < n && best != i; c++) {
            const double swap = a[i * n + c];
            a[i * n + c] = a[best * n + c];
            a[best * n + c] = swap;
        }
        det *= (best != i ? -1.0 : 1.0) * a[i * n + i];
        for (int32_t r = i + 1; r < n; r++) {
            const double f = a[r * n + i] / a[i * n + i];
            for (int32_t c = i; c < n; c++) a[r * n + c] -= f * a[i * n + c];
        }
    }
    return det;
}

/* Undo a mixing by its own definition. */
static void unmix(const uw_ou *ou, double *x) {
    for (int32_t i = 0; i + 1 < ou->dim && ou->mixing != UW_OU_COUPLING; i += 2) {
        double *p = x + i;
        if (ou->mixing == UW_OU_BANANA) p[1] -= p[0] * p[0];
        if (ou->mixing == UW_OU_SINE) p[0] -= sin(1.5 * p[1]);
        if (ou->mixing == UW_OU_SPIRAL) {
            const double angle = -M_PI * hypot(p[0], p[1]), a = p[0], b = p[1];
            p[0] = cos(angle) * a - sin(angle) * b;
            p[1] = sin(angle) * a + cos(angle) * b;
        }
    }
    const int32_t first = ou->dim / 2, half = ou->dim - first;
    for (int32_t l = ou->layers; l-- > 0 && ou->mixing == UW_OU_COUPLING;) {
        const double *w = ou->weight + l * half * half, *from = l % 2 ? x + first : x;
        double *to = l % 2 ? x : x + first;
        for (int32_t k = 0; k < (l % 2 ? first : half); k++) {
            double sum = 0.0;
            for (int32_t m = 0; m < (l % 2 ? half : first); m++) sum += w[k * half + m] * from[m];
            to[k] -= tanh(2.0 * sum);
        }
    }
}

static void mixings(void **state) {
    (void)state;
    static const char *const names[] = {"mixing=identity", "mixing=spiral", "mixing=banana",
                                        "mixing=sine", "mixing=coupling"};
    static const char *const dims[] = {"dim=2", "dim=5", "dim=8"};
    for (size_t m = 0; m < 5; m++) {
        for (size_t d = 0; d < 3; d++) {
            double values[UW_OU_NUM_VALUES], z[8], x[8], a[8], b[8], jacobian[64];
            uw_ou ou;
            VALUES(values, names[m], dims[d], "mixing.layers=5");
            assert_int_equal(uw__ou_init(values, &ou), UW_OK);
            const int32_t n = ou.dim;
            for (int32_t i = 0; i < n; i++) z[i] = sin(3.0 * i + 1.0) + 0.1 * (double)m;
            uw__ou_mix(&ou, z, x);
            double moved = 0.0;
            for (int32_t i = 0; i < n; i++) moved = fmax(moved, fabs(x[i] - z[i]));
            assert_true((moved > 0.1) == (m > 0));
            for (int32_t j = 0; j < n; j++) {
                const double h = 1e-6, old = z[j];
                z[j] = old + h;
                uw__ou_mix(&ou, z, a);
                z[j] = old - h;
                uw__ou_mix(&ou, z, b);
                z[j] = old;
                for (int32_t i = 0; i < n; i++) jacobian[i * n + j] = (a[i] - b[i]) / (2.0 * h);
            }
            CHECK_NEAR(determinant(jacobian, n), 1.0, 1e-6);
            unmix(&ou, x);
            for (int32_t i = 0; i < n; i++) CHECK_NEAR(x[i], z[i], 1e-12);
            uw__ou_fini(&ou);
        }
    }
}

/* ---- actions
 * -------------------------------------------------------------------------------------- */

/* z' = rho z + B a + eta with eta independent of a: cov(z', a) = B cov(a), and z stays white. */
static void actions(void **state) {
    (void)state;
    static const char *const ranks[] = {"action.rank=0", "action.rank=1", "action.rank=2"};
    for (int32_t rank = 0; rank < 3; rank++) {
        double values[UW_OU_NUM_VALUES];
        uw_ou ou;
        VALUES(values, "dim=4", "action.dim=3", ranks[rank], "action.scale=0.8", "rho=0.9,0.9");
        assert_int_equal(uw__ou_init(values, &ou), UW_OK);
        const sample s = draw(values);
        const int32_t z = column_at(&s, "z"), last = ROWS - 1;
        const double band = 5.0 / sqrt(EPISODES);
        for (int32_t i = 0; i < 4; i++) {
            CHECK_NEAR(moment(&s, last, z + i, 2, last, z, 0), 1.0, band * sqrt(2.0));
            for (int32_t a = 0; a < 3; a++) {
                double want = 0.0; /* (B cov(a))_ia */
                for (int32_t k = 0; k < 3; k++)
                    want += ou.gain * ou.b[k * 4 + i] * moment(&s, 4, k, 1, 4, a, 1);
                CHECK_NEAR(moment(&s, 5, z + i, 1, 4, a, 1), want, band);
                CHECK_NEAR(moment(&s, 4, z + i, 1, 4, a, 1), 0.0, band);
            }
        }
        /* the numbers behind the actions have the rank that was asked for, and its power */
        double power = 0.0;
        for (int32_t a = 0; a < 3; a++) power += moment(&s, 2, a, 2, 2, a, 0);
        CHECK_NEAR(power, 0.64 * (rank ? rank : 3), 0.64 * 3 * band * sqrt(2.0));
        if (rank == 1)
            for (size_t e = 0; e < EPISODES; e++) {
                const double *action = s.rows + e * ROWS * (size_t)s.width;
                assert_true(action[0] == action[1] && action[1] == action[2]);
            }
        for (int32_t a = 0; a < 3; a++)
            assert_true(isnan(s.rows[(size_t)last * (size_t)s.width + (size_t)a]));
        free(s.rows);
        uw__ou_fini(&ou);
    }
}

/* ---- rules
 * ---------------------------------------------------------------------------------------- */

static void refuse(const char *a, const char *b, const char *says) {
    const uw_env_class *cls = uw_process_find("ou");
    double values[UW_MAX_FACTOR_VALUES];
    bool fixed[UW_MAX_FACTOR_VALUES];
    uw_variation v = {0};
    uw_err err = {0};
    uw_status s = uw_variation_parse(cls, a, &v, &err);
    if (!s) s = uw_variation_parse(cls, b, &v, &err);
    if (!s) s = uw_variation_resolve(cls, &v, 0, 0, values, fixed, &err);
    assert_int_equal(s, UW_EINVAL);
    if (!strstr(err.text, says)) fail_msg("'%s' lacks '%s'", err.text, says);
    assert_true(err.fix[0] || !strncmp(a, "law=", 4)); /* a word far from all has no nearest */
}

static void rules(void **state) {
    (void)state;
    refuse("dim=1", "mixing=banana", "ou: dim: wanted at least 2");
    refuse("dim=2", "action.dim=3", "ou: action.dim: wanted at most dim");
    refuse("action.dim=1", "action.rank=2", "ou: action.rank: wanted at most action.dim");
    refuse("action.dim=1", "law=sign", "ou: action.dim: wanted 0 where the law is not gaussian");
    refuse("action.dim=1", "rho=0.9,0.8", "ou: rho: wanted one correlation");
    refuse("rho=0.9,1.5", "dim=2", "rho: out of range");
    refuse("law=cauchy", "dim=2", "gaussian, laplace_ar");
    refuse("rho=0.9", "dim=2", "2 numbers");
    assert_null(uw_process_find("two_room"));
    assert_null(uw_process_find(NULL));
    assert_null(uw_env_find("ou")); /* it cannot be stepped or drawn */
    assert_string_equal(uw_process_names()[0], "ou");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stationary), cmocka_unit_test(reflected_lag), cmocka_unit_test(copulas),
        cmocka_unit_test(mixings),    cmocka_unit_test(actions),       cmocka_unit_test(rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
