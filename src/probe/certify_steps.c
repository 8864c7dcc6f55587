/* Is a step linear plus noise that does not depend on where it starts, forwards and backwards?
 *
 * A nonlinear code of an Ornstein-Uhlenbeck world betrays itself here: its residuals are larger in
 * some places than in others (White's test), and an autoregression with noise that is not Gaussian
 * is linear forwards only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify_internal.h"
#include "internal.h"
#include "matrices.h"

enum {
    R = UW_REGRESSED,
    MOST_FEATURES = 1 + R + R * (R + 1) / 2 + R * (R + 1) * (R + 2) / 6,
    V_NOISE = 0,
    V_FORWARD,
    V_BACKWARD,
    V_MEHLER2,
    V_MEHLER3,
    V_COUNT
};

typedef struct steps {
    const uw_sample *o;
    int32_t p, r;                            /* rank; regressed directions */
    int32_t quadratic, cubic;                /* features up to that degree, the intercept first */
    int64_t forward, backward, mehler, size; /* places in the sums */
} steps;

/* 1, x, x_i x_j, x_i x_j x_k. */
static void features(const double *x, int32_t r, double *f) {
    int32_t at = 0;
    f[at++] = 1.0;
    for (int32_t i = 0; i < r; i++) f[at++] = x[i];
    for (int32_t i = 0; i < r; i++)
        for (int32_t j = i; j < r; j++) f[at++] = x[i] * x[j];
    for (int32_t i = 0; i < r; i++)
        for (int32_t j = i; j < r; j++)
            for (int32_t k = j; k < r; k++) f[at++] = x[i] * x[j] * x[k];
}

/* A regression's sums: the features' products, their products with targets, the targets' squares.
 */
static void add_regression(const double *f, int32_t count, const double *target, int32_t targets,
                           double *sums) {
    double *cross = sums + (int64_t)count * count, *square = cross + (int64_t)count * targets;
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j <= i; j++) sums[(int64_t)i * count + j] += f[i] * f[j];
        for (int32_t t = 0; t < targets; t++) cross[(int64_t)t * count + i] += f[i] * target[t];
    }
    for (int32_t t = 0; t < targets; t++) square[t] += target[t] * target[t];
}

static int64_t regression_size(int32_t count, int32_t targets) {
    return (int64_t)count * count + (int64_t)count * targets + targets;
}

static void add_episode(void *arg, int64_t first, int64_t last, double *sums) {
    const steps *s = arg;
    const uw_sample *o = s->o;
    for (int64_t t = first, piece = 0; t + 1 < last; t++) {
        if (t + 1 >= uw__sample_piece_end(o, &piece, t)) continue;
        const double *x = o->y + t * s->p, *next = x + s->p;
        double f[MOST_FEATURES], target[2 * R];
        for (int32_t j = 0; j < s->r; j++) {
            double residual = next[j];
            for (int32_t i = 0; i < s->p; i++) residual -= o->step[(int64_t)i * s->p + j] * x[i];
            target[j] = next[j];
            target[s->r + j] = residual * residual;
        }
        features(x, s->r, f);
        add_regression(f, s->cubic, target, 2 * s->r, sums + s->forward);
        features(next, s->r, f);
        add_regression(f, s->cubic, x, s->r, sums + s->backward);
        double *m = sums + s->mehler;
        for (int32_t i = 0; i < s->r; i++, m += 8) { /* Hermite polynomials 2 and 3 of both ends */
            const double a2 = x[i] * x[i] - 1.0, b2 = next[i] * next[i] - 1.0;
            const double a3 = x[i] * (x[i] * x[i] - 3.0), b3 = next[i] * (next[i] * next[i] - 3.0);
            m[0] += a2 * b2;
            m[1] += a2 * a2;
            m[2] += b2 * b2;
            m[3] += a3 * b3;
            m[4] += a3 * a3;
            m[5] += b3 * b3;
            m[6] += x[i] * next[i];
            m[7] += 0.5 * (x[i] * x[i] + next[i] * next[i]);
        }
    }
}

/* Variance of target t that the first `used` features explain, and all of its variance. */
static double explained(const double *sums, int32_t count, int32_t targets, int32_t t, int32_t used,
                        const double *factor, double *weight, double *variance) {
    const double *cross = sums + (int64_t)count * count + (int64_t)t * count;
    const double square = sums[(int64_t)count * count + (int64_t)count * targets + t];
    const double mean = cross[0] * cross[0] / sums[0];
    double sum = 0.0;
    memcpy(weight, cross, (size_t)used * sizeof *weight);
    uw__cholesky_solve(factor, used, weight);
    for (int32_t i = 0; i < used; i++) sum += weight[i] * cross[i];
    *variance = square - mean;
    return sum - mean;
}

/* The Cholesky factor of the first `used` features' products; false when they are collinear. */
static bool factorise(const double *sums, int32_t count, int32_t used, double *factor) {
    for (int64_t i = 0; i < used; i++)
        memcpy(factor + i * used, sums + i * count, (size_t)used * sizeof *factor);
    return uw__cholesky(factor, used, 1e-12);
}

/* The largest R2 that features up to `rich` add to those up to `plain`, over targets from .. to
 * - 1. */
static double added(const double *sums, int32_t count, int32_t targets, int32_t from, int32_t to,
                    int32_t plain, int32_t rich, double *scratch) {
    double *a = scratch, *b = a + (int64_t)plain * plain, *weight = b + (int64_t)rich * rich,
           worst = 0.0;
    if (!factorise(sums, count, plain, a) || !factorise(sums, count, rich, b)) return NAN;
    for (int32_t t = from; t < to; t++) {
        double variance;
        const double base = explained(sums, count, targets, t, plain, a, weight, &variance);
        const double all = explained(sums, count, targets, t, rich, b, weight, &variance);
        worst = fmax(worst, (all - base) / variance);
    }
    return worst;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *v) {
    const steps *s = arg;
    const double *f = total + s->forward, *b = total + s->backward, *m = total + s->mehler;
    v[V_NOISE] = added(f, s->cubic, 2 * s->r, s->r, 2 * s->r, 1, s->quadratic, scratch);
    v[V_FORWARD] = added(f, s->cubic, 2 * s->r, 0, s->r, 1 + s->r, s->cubic, scratch);
    v[V_BACKWARD] = added(b, s->cubic, s->r, 0, s->r, 1 + s->r, s->cubic, scratch);
    v[V_MEHLER2] = v[V_MEHLER3] = 0.0;
    for (int32_t i = 0; i < s->r; i++, m += 8) {
        const double rho = m[6] / m[7];
        v[V_MEHLER2] = fmax(v[V_MEHLER2], fabs(m[0] / sqrt(m[1] * m[2]) - rho * rho));
        v[V_MEHLER3] = fmax(v[V_MEHLER3], fabs(m[3] / sqrt(m[4] * m[5]) - rho * rho * rho));
    }
}

uw_status uw__certify_steps(uw_certifier *run) {
    const uw_sample *o = run->sample;
    steps st = {.o = o, .p = o->rank, .r = o->rank < R ? o->rank : R};
    st.quadratic = 1 + st.r + st.r * (st.r + 1) / 2;
    st.cubic = st.quadratic + st.r * (st.r + 1) * (st.r + 2) / 6;
    st.backward = regression_size(st.cubic, 2 * st.r);
    st.mehler = st.backward + regression_size(st.cubic, st.r);
    st.size = st.mehler + 8 * st.r;
    uw_estimate e[V_COUNT];
    double *sums = uw__sample_sums(run->ctx, o, st.size, add_episode, &st);
    if (!sums) return UW_ENOMEM;
    const uw_bootstrap b = {.sums = sums,
                            .groups = o->num_groups,
                            .size = st.size,
                            .count = V_COUNT,
                            .scratch = 3 * MOST_FEATURES * MOST_FEATURES,
                            .eval = evaluate,
                            .arg = &st};
    const uw_status s = uw__bootstrap(run->ctx->pool, &b, run->resamples, run->options->seed, e);
    free(sums);
    if (s) return s;
    uw__check_add(run, A5, "R2 of the squared residual on squares and products, worst coordinate",
                  &e[V_NOISE], false, 0.01, 0.03);
    uw__check_add(run, A6, "R2 that squares and cubes add to E[h' | h]", &e[V_FORWARD], false,
                  0.005, 0.02);
    uw__check_add(run, A6, "R2 that squares and cubes add to E[h | h'], backwards", &e[V_BACKWARD],
                  false, 0.005, 0.02);
    uw__check_add(run, A7, "Mehler: |corr of He2 over a step - rho^2|, worst coordinate",
                  &e[V_MEHLER2], false, NAN, NAN);
    uw__check_add(run, A7, "Mehler: |corr of He3 over a step - rho^3|, worst coordinate",
                  &e[V_MEHLER3], false, NAN, NAN);
    if (st.r < o->rank) {
        uw__check_note(run, A5, "the %d slowest of %d directions", st.r, o->rank);
        uw__check_note(run, A6, "the %d slowest of %d directions", st.r, o->rank);
    }
    return UW_OK;
}
