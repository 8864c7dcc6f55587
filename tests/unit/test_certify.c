/* Every check of the certificate fires where its condition is broken, and is silent in a world that
 * keeps them all. */
#include "check.h"

#include "certify_internal.h"
#include "matrices.h"
#include "spectrum.h"
#include "synthetic_latents.h"

static uw_context *ctx;
static uw_certificate *c; /* of the last run */

static int setup(void **state) {
    (void)state;
    uw_err err = {0};
    c = calloc(1, sizeof *c);
    return uw_context_new(&(uw_context_options){.num_threads = 2}, &ctx, &err);
}

static int teardown(void **state) {
    (void)state;
    uw_context_free(ctx);
    free(c);
    return 0;
}

static latents_world plain_world(void) {
    return (latents_world){.n = 2,
                           .episodes = 160,
                           .length = 250,
                           .rho = {0.8, 0.8, 0.8, 0.8},
                           .start = 1.0,
                           .seed = check_seed(21)};
}

static void run(const uw_series *series, const uw_certify_options *options) {
    uw_err err = {0};
    CHECK_OK(uw_certify_series(ctx, series, options, c, &err), &err);
}

static void certify(const latents *l, bool labels, double rho) {
    const uw_series series = latents_series(l, labels);
    run(&series, &(uw_certify_options){.rho = rho, .resamples = 100});
}

static void expect(int check, uw_finding finding) {
    const uw_check *k = &c->checks[check];
    if (k->finding != finding)
        fail_msg("%s %s: %s, wanted %s; %s = %.5g [%.5g, %.5g]", k->id, k->name,
                 uw_finding_str(k->finding), uw_finding_str(finding),
                 k->num_measures ? k->measures[0].name : "nothing", k->measures[0].value,
                 k->measures[0].low, k->measures[0].high);
}

static void expect_verdict(uw_certify_verdict verdict) {
    if (c->verdict != verdict)
        fail_msg("%s, wanted %s: %s", uw_certify_verdict_str(c->verdict),
                 uw_certify_verdict_str(verdict), c->headline);
}

/* ---- silent -------------------------------------------------------------------------------------
 */

static void test_all_silent(void **state) {
    (void)state;
    const latents_world w = plain_world();
    latents l = latents_make(&w);
    latents_code(&l, 2, code_rotation);
    double *actions = malloc((size_t)l.rows * 2 * sizeof *actions);
    uw_rng r = uw__rng(check_seed(4), UW_STREAM_TEST, 77);
    for (int64_t i = 0; i < 2 * l.rows; i++) actions[i] = (double)uw__rng_normal(&r);
    uw_series series = latents_series(&l, true);
    series.actions = actions;
    series.num_actions = 2;
    run(&series, &(uw_certify_options){.resamples = 100});
    for (int i = 0; i < UW_NUM_CHECKS; i++) {
        expect(i, UW_HOLDS);
        assert_true(c->checks[i].num_measures > 0 && *c->checks[i].effect && *c->checks[i].remedy);
    }
    expect_verdict(UW_CERTIFIED);
    assert_int_equal(c->rho_source, UW_RHO_LABELS);
    assert_true(c->r2_floor > 0.95 && c->r2_floor <= c->scores.r2);
    assert_true(c->scores.procrustes <= c->bound_high && c->bound <= c->bound_high);
    CHECK_NEAR(c->rho_true, 0.8, 0.01);
    CHECK_NEAR(c->rho[0], 0.8, 0.02);
    CHECK_NEAR(c->effective_rows, 40000.0 * 0.36 / 1.64, 600.0);
    CHECK_NEAR(c->scores.r2, 1.0, 1e-4);
    CHECK_NEAR(c->scores.orthogonal_gap, 0.0, 1e-3);
    assert_int_equal(c->pairs, l.rows - l.episodes);
    assert_int_equal(c->num_failed + c->num_doubtful, 0);
    free(actions);
    latents_free(&l);
}

/* Without labels: certified when rho is known, and when there are rows enough to see it. */
static void test_label_free(void **state) {
    (void)state;
    latents_world w = plain_world();
    latents l = latents_make(&w);
    certify(&l, false, 0.8);
    expect_verdict(UW_CERTIFIED);
    assert_int_equal(c->rho_source, UW_RHO_GIVEN);
    CHECK_NEAR(c->rho_gap, 0.16, 1e-12);
    expect(A13, UW_CANNOT_TELL);
    expect(A14, UW_CANNOT_TELL);
    assert_true(isnan(c->scores.r2));
    const double given = c->bound_high;
    certify(&l, false, 0.0);
    assert_int_equal(c->rho_source, UW_RHO_FITTED);
    assert_true(c->bound_high > given); /* not to know rho costs */
    CHECK_NEAR(c->rho_true, 0.8, 0.03);
    latents_free(&l);

    w.episodes = 40;
    l = latents_make(&w);
    certify(&l, false, 0.0);
    expect_verdict(UW_TOO_LITTLE_DATA);
    assert_true(c->needed_episodes > 40);
    latents_free(&l);
}

/* ---- fires --------------------------------------------------------------------------------------
 */

static void test_shapes_fire(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.noise = NOISE_LAPLACE;
    latents l = latents_make(&w);
    certify(&l, true, 0.0);
    expect(A1, UW_VIOLATED);
    expect(A2, UW_VIOLATED);
    expect(A10, UW_VIOLATED); /* rotated, independent noise that is not Gaussian is dependent */
    expect(A3, UW_HOLDS);
    expect(A5, UW_HOLDS);
    expect_verdict(UW_CERTIFIED_WITH_LABELS); /* the code is the truth all the same */
    certify(&l, false, 0.0);
    expect_verdict(UW_NOT_COVERED);
    assert_true(isnan(c->bound) && isnan(c->r2_floor)); /* rho cannot be read off such a latent */
    latents_free(&l);

    w.noise = NOISE_EXPONENTIAL;
    w.rho[0] = w.rho[1] = 0.7;
    l = latents_make(&w);
    certify(&l, false, 0.0);
    expect(A6, UW_VIOLATED);
    assert_non_null(strstr(c->checks[A6].measures[0].name, "backwards"));
    CHECK_NEAR(c->checks[A6].measures[1].value, 0.0, 1e-3); /* forwards it is linear */
    latents_free(&l);
}

/* Every coordinate, and every pair of them, is Gaussian; the three together are not. */
static void code_triple(const double *z, double *h) {
    h[0] = z[0];
    h[1] = z[1];
    h[2] = z[0] * z[1] > 0.0 ? fabs(z[2]) : -fabs(z[2]);
}

static void test_joint_shape_fires(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.n = 3;
    latents l = latents_make(&w);
    latents_code(&l, 3, code_triple);
    certify(&l, false, 0.0);
    expect(A2, UW_VIOLATED);
    latents_free(&l);
}

static void test_mixings_fire(void **state) {
    (void)state;
    const latents_world w = plain_world();
    const struct {
        void (*code)(const double *, double *);
        double low, high; /* of A5's statistic at rho = 0.8 */
    } mixings[] = {{code_banana, 0.08, 0.14}, {code_sine, 0.02, 0.05}, {code_spiral, 0.16, 0.24}};
    for (size_t i = 0; i < sizeof mixings / sizeof *mixings; i++) {
        latents l = latents_make(&w);
        latents_code(&l, 2, mixings[i].code);
        certify(&l, false, 0.0);
        const double value = c->checks[A5].measures[0].value;
        if (value < mixings[i].low || value > mixings[i].high)
            fail_msg("mixing %zu: R2 %.4f", i, value);
        if (i != 1) expect(A5, UW_VIOLATED); /* sine is at the threshold here */
        if (i == 2) expect(A7, UW_VIOLATED);
        expect_verdict(UW_NOT_COVERED);
        latents_free(&l);
    }
}

/* The published values at rho = 0.95: 0.000, 0.23, 0.18, 0.036. */
static void test_published_heteroscedasticity(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.rho[0] = w.rho[1] = 0.95;
    const struct {
        void (*code)(const double *, double *);
        double value, band;
    } published[] = {{code_rotation, 0.0, 1e-3},
                     {code_spiral, 0.23, 0.03},
                     {code_banana, 0.18, 0.03},
                     {code_sine, 0.036, 0.012}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        latents l = latents_make(&w);
        latents_code(&l, 2, published[i].code);
        const uw_series series = latents_series(&l, false);
        run(&series, &(uw_certify_options){.resamples = 20});
        CHECK_NEAR(c->checks[A5].measures[0].value, published[i].value, published[i].band);
        latents_free(&l);
    }
}

static void test_moments_fire(void **state) {
    (void)state;
    latents_world w = plain_world();
    latents l = latents_make(&w);
    for (int64_t i = 0; i < l.rows * l.dim; i++) l.h[i] *= 1.5f;
    certify(&l, true, 0.0);
    expect(A3, UW_VIOLATED);
    CHECK_NEAR(c->eps, 1.25 * sqrt(2.0), 0.1);
    for (int64_t i = 0; i < l.rows * l.dim; i++) /* a mean that wanders off within every episode */
        l.h[i] = l.h[i] / 1.5f + (float)(i / l.dim % w.length) / (float)w.length;
    certify(&l, false, 0.0);
    expect(A4, UW_VIOLATED);
    latents_free(&l);

    l = latents_make(&w); /* seen through noise: two steps say more than one */
    uw_rng r = uw__rng(check_seed(5), UW_STREAM_TEST, 88);
    for (int64_t i = 0; i < l.rows * l.dim; i++)
        l.h[i] = (l.h[i] + 0.55f * uw__rng_normal(&r)) / 1.14f;
    certify(&l, false, 0.0);
    expect(A7, UW_VIOLATED);
    expect(A1, UW_HOLDS);
    latents_free(&l);

    w.rho[0] = 0.95;
    l = latents_make(&w);
    certify(&l, true, 0.0);
    expect(A8, UW_VIOLATED);
    assert_true(isnan(c->bound) && isnan(c->r2_floor)); /* 0.8 < 0.95^2: no bound exists */
    latents_free(&l);

    w = plain_world();
    w.turn = 0.3;
    l = latents_make(&w);
    certify(&l, false, 0.0);
    expect(A9, UW_VIOLATED);
    CHECK_NEAR(c->checks[A9].measures[1].value, 0.3 * 180.0 / M_PI, 1.0);
    latents_free(&l);

    w = plain_world();
    w.rho[0] = w.rho[1] = 0.999;
    l = latents_make(&w);
    certify(&l, false, 0.0);
    expect(A11, UW_VIOLATED);
    latents_free(&l);
}

static void test_dimensions_fire(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.n = 4;
    latents l = latents_make(&w);
    const float scale[4] = {3.0f, 0.3f, 0.1f, 0.1f};
    for (int64_t i = 0; i < l.rows * 4; i++) l.h[i] *= scale[i % 4];
    certify(&l, false, 0.8);
    expect(A12, UW_VIOLATED);
    expect_verdict(UW_COLLAPSED);
    assert_true(isnan(c->r2_floor));
    latents_free(&l);

    /* a world of two, a code of four: the others are their squares */
    w.n = 2;
    l = latents_make(&w);
    float *h = malloc((size_t)l.rows * 4 * sizeof *h);
    for (int64_t t = 0; t < l.rows; t++)
        for (int i = 0; i < 4; i++)
            h[t * 4 + i] =
                (float)(i < 2 ? l.z[t * 2 + i]
                              : (l.z[t * 2 + i - 2] * l.z[t * 2 + i - 2] - 1.0) / sqrt(2.0));
    free(l.h);
    l.h = h;
    l.dim = 4;
    certify(&l, true, 0.0);
    expect(A14, UW_VIOLATED);
    assert_non_null(strstr(c->checks[A14].note, "OVERCOMPLETE"));
    expect(A8, UW_VIOLATED); /* squares forget twice as fast */
    uw_series few = latents_series(&l, false);
    run(&few, &(uw_certify_options){.true_dim = 8, .resamples = 50});
    assert_non_null(strstr(c->checks[A14].note, "UNDERCOMPLETE"));
    latents_free(&l);
}

/* Many directions of one speed: the extremes of their correlations are chance, and must not look
 * like two speeds. */
static void test_wide_and_equal(void **state) {
    (void)state;
    enum { K = 24, E = 60, T = 80 };
    float *h = malloc((size_t)K * E * T * sizeof *h);
    int64_t start[E + 1];
    uw_rng r = uw__rng(check_seed(31), UW_STREAM_TEST, 0);
    for (int64_t e = 0; e <= E; e++) start[e] = e * T;
    for (int64_t e = 0; e < E; e++)
        for (int i = 0; i < K; i++) {
            float z = uw__rng_normal(&r);
            for (int64_t t = 0; t < T; t++) {
                h[(e * T + t) * K + i] = z;
                z = 0.8f * z + 0.6f * uw__rng_normal(&r);
            }
        }
    const uw_series series = {.h = h, .start = start, .rows = E * T, .episodes = E, .dim = K};
    run(&series, &(uw_certify_options){.rho = 0.8, .resamples = 50});
    expect(A8, UW_HOLDS);
    CHECK_NEAR(c->checks[A8].measures[0].value, 1.0, 0.25);
    assert_true(c->rho[0] >= c->rho[K - 1] && c->rho[0] < 0.85 && c->rho[K - 1] > 0.74);
    free(h);
}

static void test_actions_fire(void **state) {
    (void)state;
    const latents_world w = plain_world();
    latents l = latents_make(&w);
    double *actions = malloc((size_t)l.rows * 2 * sizeof *actions);
    uw_rng r = uw__rng(check_seed(6), UW_STREAM_TEST, 99);
    for (int64_t t = 0; t < l.rows; t++)
        actions[2 * t] = actions[2 * t + 1] = (double)uw__rng_normal(&r);
    for (int64_t e = 0; e < l.episodes; e++)
        actions[2 * (l.start[e + 1] - 1)] = NAN; /* none from the last row */
    uw_series series = latents_series(&l, false);
    series.actions = actions;
    series.num_actions = 2;
    run(&series, &(uw_certify_options){.rho = 0.8, .resamples = 50});
    expect(A13, UW_VIOLATED);
    for (int64_t t = 0; t < l.rows; t++) actions[2 * t] *= 0.5;
    run(&series, &(uw_certify_options){.rho = 0.8, .resamples = 50});
    expect(A13, UW_VIOLATED);
    for (int64_t t = 0; t < l.rows; t++) actions[2 * t] += (double)uw__rng_normal(&r);
    run(&series, &(uw_certify_options){.rho = 0.8, .resamples = 50});
    expect(A13, UW_HOLDS);
    free(actions);
    latents_free(&l);
}

/* ---- the bound ----------------------------------------------------------------------------------
 */

/* Codes that are the more bent the larger `bend` is, as a free network's are: white, but part
 * square, part product. */
static double bend;

static void code_bent(const double *z, double *h) {
    const double keep = sqrt(1.0 - bend * bend);
    h[0] = keep * (0.6 * z[0] - 0.8 * z[1]) + bend * (z[1] * z[1] - 1.0) / sqrt(2.0);
    h[1] = keep * (0.8 * z[0] + 0.6 * z[1]) + bend * z[0] * z[1];
}

static void test_bound_holds(void **state) {
    (void)state;
    const latents_world w = plain_world();
    double before = -1.0;
    for (int i = 0; i < 6; i++) {
        bend = 0.08 * i;
        latents l = latents_make(&w);
        latents_code(&l, 2, code_bent);
        for (int64_t t = 0; i % 2 && t < l.rows; t++) l.h[2 * t] *= 0.9f; /* and not quite white */
        for (int given = 1; given >= 0; given--) {
            certify(&l, true, given ? 0.8 : 0.0);
            assert_true(c->scores.procrustes <= c->bound_high);
            if (i > 0 && !given)
                assert_true(c->scores.procrustes <= 1.05 * c->bound); /* rho of the same rows */
            assert_true(!(c->r2_floor > c->scores.r2));
        }
        assert_true(c->scores.procrustes > before); /* and the worse code is known to be worse */
        before = c->scores.procrustes;
        /* energy of degree two is what D measures: bend^2 of each of two coordinates, as rho^2 <
         * rho */
        if (i % 2 == 0) CHECK_NEAR(c->nonlinear, 2.0 * bend * bend, 0.03 + 0.1 * bend);
        latents_free(&l);
    }
}

static void test_mixture_fit(void **state) {
    (void)state;
    for (double w = 0.0; w < 0.45; w += 0.1) {
        double series[11], rho, found;
        for (int k = 0; k <= 10; k++)
            series[k] = 0.97 * ((1.0 - w) * pow(0.95, k) + w * pow(0.95, 2 * k));
        uw__mixture_fit(series, 10, &rho, &found);
        CHECK_NEAR(rho, 0.95, 1e-5);
        CHECK_NEAR(found, w, 1e-3);
    }
}

/* The training-free oracle: slow feature analysis on monomials up to degree two of the banana. */
static double sfa_oracle(double rho0, double rho1, double *mu) {
    enum { F = 5 };
    const latents_world w = {.n = 2,
                             .episodes = 200,
                             .length = 1000,
                             .rho = {rho0, rho1},
                             .start = 1.0,
                             .seed = check_seed(8)};
    latents l = latents_make(&w);
    double *f = malloc((size_t)l.rows * F * sizeof *f), mean[F] = {0};
    double c0[F * F] = {0}, c1[F * F] = {0}, white[F * F], spare[F * F], values[F], half[F * F],
                  vectors[F * F];
    for (int64_t t = 0; t < l.rows; t++) {
        const double a = l.z[2 * t], b = l.z[2 * t + 1] + a * a, x[F] = {a, b, a * a, a * b, b * b};
        for (int i = 0; i < F; i++) {
            f[t * F + i] = x[i];
            mean[i] += x[i] / (double)l.rows;
        }
    }
    for (int64_t t = 0; t + 1 < l.rows; t++) {
        if ((t + 1) % w.length == 0) continue;
        for (int i = 0; i < F; i++)
            for (int j = 0; j < F; j++) {
                const double a = f[t * F + i] - mean[i], b = f[t * F + j] - mean[j];
                const double an = f[(t + 1) * F + i] - mean[i], bn = f[(t + 1) * F + j] - mean[j];
                c0[i * F + j] += 0.5 * (a * b + an * bn); /* both views, or mu passes 1 */
                c1[i * F + j] += 0.5 * (a * bn + an * b);
            }
    }
    assert_int_equal(uw__whitener(c0, F, 1e-9, white, values, spare), F);
    uw__matrix_multiply(white, c1, F, F, F, half);
    for (int i = 0; i < F; i++)
        for (int j = 0; j < F; j++) {
            spare[i * F + j] = 0.0;
            for (int k = 0; k < F; k++) spare[i * F + j] += half[i * F + k] * white[j * F + k];
        }
    uw__jacobi_eigen(spare, F, mu, vectors);
    uw__matrix_multiply(vectors, white, F, F, F, half); /* rows 0 and 1: the two slowest features */
    double zz[2] = {0}, yz[4] = {0}, yy[2] = {0}, r2 = 0.0;
    for (int64_t t = 0; t < l.rows; t++)
        for (int k = 0; k < 2; k++) {
            double y = 0.0;
            for (int i = 0; i < F; i++) y += half[k * F + i] * (f[t * F + i] - mean[i]);
            yy[k] += y * y;
            zz[k] += l.z[2 * t + k] * l.z[2 * t + k];
            for (int j = 0; j < 2; j++) yz[2 * k + j] += y * l.z[2 * t + j];
        }
    for (int k = 0; k < 2; k++) /* features are uncorrelated: their R2 add */
        for (int j = 0; j < 2; j++) r2 += 0.5 * yz[2 * k + j] * yz[2 * k + j] / (yy[k] * zz[j]);
    free(f);
    latents_free(&l);
    return r2;
}

static void test_sfa_oracle(void **state) {
    (void)state;
    double mu[5];
    CHECK_NEAR(sfa_oracle(0.95, 0.95, mu), 1.0, 0.005);
    CHECK_NEAR(mu[0], 0.951, 0.004);
    CHECK_NEAR(mu[1], 0.950, 0.004);
    CHECK_NEAR(sfa_oracle(0.99, 0.97, mu), 0.5, 0.03); /* 0.97 < 0.99^2: the fast one is lost */
    CHECK_NEAR(sfa_oracle(0.99, 0.90, mu), 0.5, 0.03);
}

/* ---- bad and poor input
 * --------------------------------------------------------------------------- */

static void test_too_few(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.episodes = 12;
    latents l = latents_make(&w);
    certify(&l, false, 0.8);
    expect_verdict(UW_TOO_LITTLE_DATA);
    assert_int_equal(c->needed_episodes, UW_MIN_EPISODES);
    assert_non_null(strstr(c->headline, "at least 20, got 12"));
    assert_true(isnan(c->r2_floor) && isnan(c->bound_high));
    for (int i = 0; i < UW_NUM_CHECKS; i++) expect(i, UW_CANNOT_TELL);
    latents_free(&l);
}

static void test_gaps_and_constants(void **state) {
    (void)state;
    latents_world w = plain_world();
    latents l = latents_make(&w);
    for (int64_t t = 7; t < l.rows; t += 50) l.h[2 * t] = NAN; /* 5 a episode, none at its ends */
    certify(&l, true, 0.0);
    assert_int_equal(c->dropped_rows, l.rows / 50);
    assert_int_equal(c->rows, l.rows - l.rows / 50);
    assert_int_equal(c->pairs, l.rows - l.episodes - 2 * (l.rows / 50)); /* no pair across a gap */
    expect(A7, UW_HOLDS);
    expect_verdict(UW_CERTIFIED);

    for (int64_t t = 0; t < l.rows; t++) l.h[2 * t] = 4.0f; /* one number is flat */
    certify(&l, false, 0.8);
    expect_verdict(UW_COLLAPSED);
    assert_true(isnan(c->bound));
    for (int64_t t = 0; t < 2 * l.rows; t++) l.h[t] = 4.0f;
    certify(&l, false, 0.8);
    expect_verdict(UW_COLLAPSED);
    assert_non_null(strstr(c->headline, "constant"));

    uw_err err = {0};
    for (int64_t t = 0; t < 2 * l.rows; t++) l.h[t] = NAN;
    uw_series series = latents_series(&l, false);
    memset(c, 7, sizeof *c);
    assert_int_equal(uw_certify_series(ctx, &series, NULL, c, &err), UW_ENONFINITE);
    assert_non_null(strstr(err.text, "got 0 of 40000"));
    const unsigned char *untouched = (const unsigned char *)c;
    for (size_t i = 0; i < sizeof *c; i++) assert_int_equal(untouched[i], 7);
    latents_free(&l);
}

static void test_bad_options(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.episodes = 20;
    latents l = latents_make(&w);
    uw_series series = latents_series(&l, false);
    uw_err err = {0};
    const uw_certify_options bad[] = {
        {.rho = 1.0}, {.rho = -0.1}, {.target = 1.0}, {.resamples = 3}, {.true_dim = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(uw_certify_series(ctx, &series, &bad[i], c, &err), UW_EINVAL);
    series.start = (const int64_t[]){0, 50, 40, l.rows};
    series.episodes = 3;
    assert_int_equal(uw_certify_series(ctx, &series, NULL, c, &err), UW_EINVAL);
    latents_free(&l);
}

/* The same bits for any number of threads. */
static void test_threads(void **state) {
    (void)state;
    latents_world w = plain_world();
    w.episodes = 30;
    latents l = latents_make(&w);
    certify(&l, true, 0.0);
    uw_certificate *other = calloc(1, sizeof *other);
    for (int32_t threads = 1; threads <= 3; threads += 2) {
        uw_context *mine = NULL;
        uw_err err = {0};
        CHECK_OK(uw_context_new(&(uw_context_options){.num_threads = threads}, &mine, &err), &err);
        const uw_series series = latents_series(&l, true);
        CHECK_OK(
            uw_certify_series(mine, &series, &(uw_certify_options){.resamples = 100}, other, &err),
            &err);
        assert_memory_equal(&other->bound_high, &c->bound_high, sizeof c->bound_high);
        assert_memory_equal(&other->scores, &c->scores, sizeof c->scores);
        for (int i = 0; i < UW_NUM_CHECKS; i++)
            for (int j = 0; j < c->checks[i].num_measures; j++) {
                assert_memory_equal(&other->checks[i].measures[j].value,
                                    &c->checks[i].measures[j].value, sizeof(double));
                assert_memory_equal(&other->checks[i].measures[j].low,
                                    &c->checks[i].measures[j].low, sizeof(double));
            }
        uw_context_free(mine);
    }
    free(other);
    latents_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_silent),
                                       cmocka_unit_test(test_label_free),
                                       cmocka_unit_test(test_shapes_fire),
                                       cmocka_unit_test(test_joint_shape_fires),
                                       cmocka_unit_test(test_mixings_fire),
                                       cmocka_unit_test(test_published_heteroscedasticity),
                                       cmocka_unit_test(test_moments_fire),
                                       cmocka_unit_test(test_dimensions_fire),
                                       cmocka_unit_test(test_wide_and_equal),
                                       cmocka_unit_test(test_actions_fire),
                                       cmocka_unit_test(test_bound_holds),
                                       cmocka_unit_test(test_mixture_fit),
                                       cmocka_unit_test(test_sfa_oracle),
                                       cmocka_unit_test(test_too_few),
                                       cmocka_unit_test(test_gaps_and_constants),
                                       cmocka_unit_test(test_bad_options),
                                       cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
