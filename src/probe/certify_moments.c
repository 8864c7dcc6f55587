/* Second moments over time: whitening, stationarity, the step's matrix, the correlations and the
 * bound.
 *
 * One vector of sums per group of episodes carries all of it, so that one bootstrap gives every
 * interval.
 *
 * The bound (arXiv 2605.26379, theorem 3) for a world whose coordinates differ: among subspaces of
 * dimension n of functions of z, the sum of step correlations is largest for the linear ones, and
 * every unit of energy that leaves them costs at least rho_min - rho_max^2; hence D = delta / (2
 * (rho_min - rho_max^2)), which is delta / (2 rho (1 - rho)) when all are equal.  No bound where
 * rho_min <= rho_max^2: there a square of the slow coordinate beats the fast one. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify_internal.h"
#include "internal.h"
#include "matrices.h"
#include "spectrum.h"

/* A limit so many times the latent's whole variance is no limit. */
static const double MEANINGLESS = 1e3;

/* Values of one evaluation. */
enum {
    V_EPS,    /* |Cov h - I|^2 */
    V_WHITE,  /* the same per direction */
    V_ERANK,  /* effective rank / K */
    V_SHIFT,  /* (mean of the last third - of the first)^2, worst coordinate */
    V_SPREAD, /* squared Bures distance of the thirds, per direction */
    V_CHAIN,  /* |C2 - C1 C1|^2 / |C2|^2 */
    V_TURN,   /* |C1 - C1'|^2 / |C1|^2 */
    V_MIXED,  /* |off the diagonal|^2 of C1 and C2 over |C1|^2 + |C2|^2 */
    V_RATIO,  /* ln rho_min / ln rho_max */
    V_GAP,    /* 2 rho (1 - rho) */
    V_DELTA,
    V_LINEAR, /* D */
    V_COUNT
};

/* Where things stand in a group's sums. */
typedef struct layout {
    int64_t rows, mean, cov;  /* N, K, K K of h */
    int64_t square;           /* P of y */
    int64_t pairs, jump, one; /* pairs a step apart, sum |h' - h|^2, P P */
    int64_t pairs2, two;      /* P P */
    int64_t held,
        held0; /* P each: products a step apart and squares, along directions of the other half */
    int64_t lags;     /* lags (1 + P) */
    int64_t third[2]; /* 1 + P + P P each */
    int64_t z0, z1;   /* S S each, and pairs are those of h */
    int64_t size;
} layout;

typedef struct moments {
    const uw_certifier *run;
    layout at;
    int32_t k, p, s, lags;
    uw_rho_source source;
} moments;

static layout plan(int32_t k, int32_t p, int32_t s, int32_t lags) {
    const int64_t kk = (int64_t)k * k, pp = (int64_t)p * p, ss = (int64_t)s * s;
    layout l = {.mean = 1};
    l.cov = l.mean + k;
    l.square = l.cov + kk;
    l.pairs = l.square + p;
    l.jump = l.pairs + 1;
    l.one = l.jump + 1;
    l.pairs2 = l.one + pp;
    l.two = l.pairs2 + 1;
    l.held = l.two + pp;
    l.held0 = l.held + p;
    l.lags = l.held0 + p;
    l.third[0] = l.lags + (int64_t)lags * (1 + p);
    l.third[1] = l.third[0] + 1 + p + pp;
    l.z0 = l.third[1] + 1 + p + pp;
    l.z1 = l.z0 + ss;
    l.size = l.z1 + ss;
    return l;
}

static void add_outer(const double *x, const double *y, int32_t d, double *to) {
    for (int32_t i = 0; i < d; i++) {
        double *row = to + (int64_t)i * d;
        for (int32_t j = 0; j < d; j++) row[j] += x[i] * y[j];
    }
}

static void add_row(const moments *m, int64_t t, double *sums) {
    const uw_sample *o = m->run->sample;
    const double *h = o->h + t * m->k, *y = o->y + t * m->p;
    sums[m->at.rows] += 1.0;
    for (int32_t i = 0; i < m->k; i++) sums[m->at.mean + i] += h[i];
    for (int32_t i = 0; i < m->p; i++) sums[m->at.square + i] += y[i] * y[i];
    add_outer(h, h, m->k, sums + m->at.cov);
}

static void add_pair(const moments *m, int64_t t, double *sums) {
    const uw_sample *o = m->run->sample;
    const double *h = o->h + t * m->k;
    sums[m->at.pairs] += 1.0;
    for (int32_t i = 0; i < m->k; i++)
        sums[m->at.jump] += (h[m->k + i] - h[i]) * (h[m->k + i] - h[i]);
    add_outer(o->y + t * m->p, o->y + (t + 1) * m->p, m->p, sums + m->at.one);
    if (!m->s) return;
    add_outer(o->z + t * m->s, o->z + t * m->s, m->s, sums + m->at.z0);
    add_outer(o->z + t * m->s, o->z + (t + 1) * m->s, m->s, sums + m->at.z1);
}

/* The slowest directions are found on one half of the groups and measured on the other: found and
 * measured on the same rows, the largest of many correlations would be too large and the smallest
 * too small. */
static const double *other_half(const uw_sample *o, int64_t first) {
    int64_t low = 0, high = o->num_episodes - 1;
    while (low < high) {
        const int64_t middle = (low + high + 1) / 2;
        if (o->episode[middle] <= first)
            low = middle;
        else
            high = middle - 1;
    }
    return o->halves + (int64_t)(1 - o->group[low] % 2) * o->rank * o->rank;
}

static void add_held(const moments *m, const double *directions, const double *y, double *sums) {
    for (int64_t i = 0; i < m->p; i++) {
        double a = 0.0, b = 0.0;
        for (int64_t j = 0; j < m->p; j++) {
            a += directions[i * m->p + j] * y[j];
            b += directions[i * m->p + j] * y[m->p + j];
        }
        sums[m->at.held + i] += a * b;
        sums[m->at.held0 + i] += 0.5 * (a * a + b * b);
    }
}

static void add_episode(void *arg, int64_t first, int64_t last, double *sums) {
    const moments *m = arg;
    const uw_sample *o = m->run->sample;
    const double *directions = other_half(o, first);
    const int64_t third = (last - first) / 3;
    for (int64_t t = first, piece = 0; t < last; t++) {
        const int64_t end = uw__sample_piece_end(o, &piece, t);
        const double *y = o->y + t * m->p;
        add_row(m, t, sums);
        if (t + 1 < end) {
            add_pair(m, t, sums);
            add_held(m, directions, y, sums);
        }
        if (t + 2 < end) {
            sums[m->at.pairs2] += 1.0;
            add_outer(y, y + 2 * m->p, m->p, sums + m->at.two);
        }
        for (int32_t lag = 1; lag <= m->lags && t + lag < end; lag++) {
            double *to = sums + m->at.lags + (int64_t)(lag - 1) * (1 + m->p);
            to[0] += 1.0;
            for (int32_t i = 0; i < m->p; i++) to[1 + i] += y[i] * y[(int64_t)lag * m->p + i];
        }
        if (t - first >= third && last - 1 - t >= third) continue;
        double *to = sums + m->at.third[t - first < third ? 0 : 1];
        to[0] += 1.0;
        for (int32_t i = 0; i < m->p; i++) to[1 + i] += y[i];
        add_outer(y, y, m->p, to + 1 + m->p);
    }
}

/* ---- values --------------------------------------------------------------------------------- */

/* Cov h [K, K] from the sums. */
static void covariance(const moments *m, const double *total, double *cov) {
    const double n = total[m->at.rows];
    for (int64_t i = 0; i < m->k; i++)
        for (int64_t j = 0; j < m->k; j++)
            cov[i * m->k + j] = total[m->at.cov + i * m->k + j] / n -
                                total[m->at.mean + i] * total[m->at.mean + j] / (n * n);
}

static double effective_rank(const double *values, int32_t d) {
    double sum = 0.0, entropy = 0.0;
    for (int32_t i = 0; i < d; i++) sum += fmax(0.0, values[i]);
    for (int32_t i = 0; i < d; i++)
        if (values[i] > 0.0) entropy -= values[i] / sum * log(values[i] / sum);
    return exp(entropy);
}

static void whitening_values(const moments *m, const double *total, double *scratch, double *v) {
    const int64_t k = m->k;
    double *cov = scratch, trace = 0.0;
    covariance(m, total, cov);
    v[V_EPS] = 0.0;
    for (int64_t i = 0; i < k; i++) {
        trace += cov[i * k + i];
        for (int64_t j = 0; j < k; j++) {
            const double e = cov[i * k + j] - (i == j ? 1.0 : 0.0);
            v[V_EPS] += e * e;
        }
    }
    v[V_WHITE] = v[V_EPS] / (double)k;
    v[V_ERANK] = NAN;
    v[V_DELTA] = trace; /* what alignment needs of it */
    if (k > UW_EIGEN_DIM) return;
    uw__jacobi_eigen(cov, m->k, cov + k * k, NULL);
    v[V_ERANK] = effective_rank(cov + k * k, m->k) / (double)k;
}

static void stationarity_values(const moments *m, const double *total, double *scratch, double *v) {
    const double *a = total + m->at.third[0], *b = total + m->at.third[1];
    const int64_t p = m->p;
    double *ca = scratch, *cb = ca + p * p;
    v[V_SHIFT] = v[V_SPREAD] = NAN;
    if (!(a[0] > 0.0) || !(b[0] > 0.0)) return;
    v[V_SHIFT] = 0.0;
    for (int64_t i = 0; i < p; i++) {
        const double shift = b[1 + i] / b[0] - a[1 + i] / a[0];
        v[V_SHIFT] = fmax(v[V_SHIFT], shift * shift);
        for (int64_t j = 0; j < p; j++) {
            ca[i * p + j] = a[1 + p + i * p + j] / a[0] - a[1 + i] * a[1 + j] / (a[0] * a[0]);
            cb[i * p + j] = b[1 + p + i * p + j] / b[0] - b[1 + i] * b[1 + j] / (b[0] * b[0]);
        }
    }
    if (p > UW_EIGEN_DIM) return;
    const double distance = uw__bures(ca, cb, m->p, cb + p * p);
    v[V_SPREAD] = distance * distance / (double)p;
}

/* c [P, P]: correlations of y a lag apart. */
static void correlations(const moments *m, const double *total, int64_t at, double pairs,
                         double *c) {
    const int64_t p = m->p;
    for (int64_t i = 0; i < p; i++)
        for (int64_t j = 0; j < p; j++)
            c[i * p + j] = total[at + i * p + j] / pairs * total[m->at.rows] /
                           sqrt(total[m->at.square + i] * total[m->at.square + j]);
}

static void step_values(const moments *m, const double *total, double *scratch, double *v) {
    const int64_t p = m->p;
    double *one = scratch, *two = one + p * p, *squared = two + p * p;
    double chain = 0.0, turn = 0.0, mixed = 0.0, sum1 = 0.0, sum2 = 0.0, low = INFINITY,
           high = -INFINITY, mean = 0.0;
    correlations(m, total, m->at.one, total[m->at.pairs], one);
    correlations(m, total, m->at.two, total[m->at.pairs2], two);
    uw__matrix_multiply(one, one, m->p, m->p, m->p, squared);
    for (int64_t i = 0; i < p; i++) {
        const double rho = total[m->at.held + i] / total[m->at.held0 + i];
        low = fmin(low, rho);
        high = fmax(high, rho);
        mean += one[i * p + i] / (double)p;
        for (int64_t j = 0; j < p; j++) {
            const double a = one[i * p + j], b = two[i * p + j], at = one[j * p + i],
                         bt = two[j * p + i];
            sum1 += a * a;
            sum2 += b * b;
            chain += (b - squared[i * p + j]) * (b - squared[i * p + j]);
            turn += (a - at) * (a - at);
            if (i != j) mixed += 0.25 * ((a + at) * (a + at) + (b + bt) * (b + bt));
        }
    }
    v[V_CHAIN] = chain / sum2;
    v[V_TURN] = turn / sum1;
    v[V_MIXED] = mixed / (sum1 + sum2);
    /* a coordinate that forgets at once, or turns over, is as far from its neighbours as can be */
    v[V_RATIO] = low > 0.0 && high < 1.0 ? fmin(log(low) / log(high), 99.0) : 99.0;
    v[V_GAP] = 2.0 * mean * (1.0 - mean);
}

/* ---- rho, delta, D -------------------------------------------------------------------------- */

void uw__mixture_fit(const double *c, int32_t lags, double *rho, double *w) {
    double s = c[0], r = fmin(fmax(c[1] / c[0], 1e-3), 0.9999), e = 0.0;
    for (int iter = 0; iter < 12; iter++) { /* Gauss-Newton in (s, rho, w) */
        double gram[9] = {0}, step[3] = {0};
        for (int32_t k = 0; k <= lags; k++) {
            const double a = pow(r, k), b = a * a;
            const double model = (1.0 - e) * a + e * b;
            const double slope[3] = {model, s * k / r * ((1.0 - e) * a + 2.0 * e * b), s * (b - a)};
            for (int i = 0; i < 3; i++) {
                step[i] += slope[i] * (c[k] - s * model);
                for (int j = 0; j < 3; j++) gram[3 * i + j] += slope[i] * slope[j];
            }
        }
        if (!uw__cholesky(gram, 3, 1e-9)) break;
        uw__cholesky_solve(gram, 3, step);
        s += step[0];
        r = fmin(fmax(r + step[1], 1e-3), 0.9999);
        e = fmin(fmax(e + step[2], -0.5), 0.5); /* beyond a half the code is its own square */
    }
    *rho = r;
    *w = e;
}

/* Step correlations of the true latents by what is known of them, into rho [returned count]. */
static int32_t true_rho(const moments *m, const double *total, double *scratch, double *rho) {
    if (m->source == UW_RHO_GIVEN) {
        rho[0] = m->run->options->rho;
        return 1;
    }
    if (m->source == UW_RHO_LABELS) {
        const int64_t s = m->s;
        double *w = scratch, *spare = w + s * s, *c = spare + s * s;
        const double n = total[m->at.pairs];
        for (int64_t i = 0; i < s * s; i++) c[i] = total[m->at.z0 + i] / n;
        uw__whitener(c, m->s, 1e-9, w, rho, spare);
        for (int64_t i = 0; i < s * s; i++)
            c[i] = 0.5 * (total[m->at.z1 + i] + total[m->at.z1 + i % s * s + i / s]) / n;
        double *half = c + s * s;
        uw__matrix_multiply(w, c, m->s, m->s, m->s, half);
        for (int64_t i = 0; i < s; i++)
            for (int64_t j = 0; j < s; j++) {
                c[i * s + j] = 0.0;
                for (int64_t k = 0; k < s; k++) c[i * s + j] += half[i * s + k] * w[j * s + k];
            }
        uw__jacobi_eigen(c, m->s, rho, NULL);
        return m->s;
    }
    double w, c[UW_MAX_LAGS + 1];
    for (int32_t i = 0; i < m->p; i++) {
        c[0] = total[m->at.square + i] / total[m->at.rows];
        for (int32_t lag = 1; lag <= m->lags; lag++) {
            const double *sum = total + m->at.lags + (int64_t)(lag - 1) * (1 + m->p);
            c[lag] = sum[1 + i] / sum[0];
        }
        uw__mixture_fit(c, m->lags, &rho[i], &w);
    }
    return m->p;
}

/* delta and D, which is huge where there is no bound. */
static void bound_values(const moments *m, const double *total, double *scratch, double *v,
                         double *rho_mean, double *gap) {
    const double trace = v[V_DELTA], pairs = total[m->at.pairs];
    const int32_t most = m->p > m->s ? m->p : m->s;
    double *rho = scratch, low = INFINITY, high = -INFINITY, mean = 0.0;
    const int32_t n = true_rho(m, total, scratch + most, rho);
    for (int32_t i = 0; i < n; i++) {
        low = fmin(low, rho[i]);
        high = fmax(high, rho[i]);
        mean += rho[i] / (double)n;
    }
    if (m->source == UW_RHO_FITTED) {
        /* coordinate by coordinate: how far each falls short of the correlation that its decay
         * shows */
        double sum = 0.0;
        for (int32_t i = 0; i < m->p; i++)
            sum += rho[i] - total[m->at.one + (int64_t)i * (m->p + 1)] / pairs * total[m->at.rows] /
                                total[m->at.square + i];
        v[V_DELTA] = 2.0 * sum * trace / (double)m->p;
    } else {
        v[V_DELTA] = total[m->at.jump] / pairs - 2.0 * (1.0 - mean) * trace;
    }
    *rho_mean = mean;
    *gap = low - high * high;
    v[V_LINEAR] = *gap > 1e-6 ? v[V_DELTA] / (2.0 * *gap) : 1e6;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *v) {
    const moments *m = arg;
    double mean, gap;
    whitening_values(m, total, scratch, v);
    stationarity_values(m, total, scratch, v);
    step_values(m, total, scratch, v);
    bound_values(m, total, scratch, v, &mean, &gap);
}

/* ---- checks --------------------------------------------------------------------------------- */

/* Directions that live: variance beside the others', and a step that is remembered beyond what
 * chance would. */
static int32_t count_live(const uw_sample *o, double effective) {
    const double median = o->eigenvalues[o->dim / 2];
    const double edge = 2.0 * sqrt((double)o->dim / fmax(effective, 1.0));
    int32_t live = 0, alive = 0;
    for (int32_t i = 0; i < o->dim; i++) alive += o->eigenvalues[i] >= 0.01 * median;
    for (int32_t i = 0; i < o->rank; i++) live += o->rho[i] > edge;
    return live < alive ? live : alive;
}

static void add_dimension(uw_certifier *run) {
    uw_certificate *c = run->out;
    const uw_sample *o = run->sample;
    const int32_t live = count_live(o, c->effective_rows);
    if (c->true_dim) {
        const double ratio = (double)o->dim / (double)c->true_dim;
        /* exactly one: both sides are wrong, so it is judged by the distance from it */
        uw__check_add_value(run, A14, "distance of K / n from 1", fabs(ratio - 1.0), 0.0, 0.0);
        uw__check_note(run, A14, "K = %d for n = %d%s; %d directions carry a signal", o->dim,
                       c->true_dim,
                       ratio > 1.0   ? ": OVERCOMPLETE"
                       : ratio < 1.0 ? ": UNDERCOMPLETE"
                                     : "",
                       live);
    } else if (live < o->dim) {
        uw__check_add_value(run, A14, "share of directions without a signal",
                            1.0 - (double)live / o->dim, 0.0, 0.5);
        uw__check_note(run, A14, "%d of K = %d directions carry a signal: OVERCOMPLETE", live,
                       o->dim);
    } else {
        uw__check_note(run, A14, "n is not known; all %d directions carry a signal", o->dim);
    }
    uw__check_add_value(run, A14, "directions that carry a signal", live, NAN, NAN);
}

static void add_checks(uw_certifier *run, const uw_estimate *e) {
    const uw_sample *o = run->sample;
    uw__check_add(run, A3, "|Cov h - I| per root of K", &e[V_WHITE], true, 0.05, 0.3);
    uw__check_add_value(
        run, A3, "condition number of Cov h",
        o->rank < o->dim ? INFINITY : o->eigenvalues[0] / o->eigenvalues[o->dim - 1], NAN, NAN);
    uw__check_add_value(run, A3, "what white rows would show", run->out->eps_floor, NAN, NAN);
    uw__check_add(run, A4, "shift of the mean between thirds of an episode, worst coordinate, sd",
                  &e[V_SHIFT], true, 0.1, 0.3);
    if (o->rank <= UW_EIGEN_DIM)
        uw__check_add(run, A4, "change of the spread between thirds (Bures), sd", &e[V_SPREAD],
                      true, 0.1, 0.3);
    uw__check_add(run, A7, "Chapman-Kolmogorov defect |C2 - C1 C1| / |C2|", &e[V_CHAIN], true, 0.01,
                  0.05);
    uw__check_add(run, A8, "ln rho_min / ln rho_max", &e[V_RATIO], false, 1.5, 2.0);
    uw__check_add(run, A9, "|C1 - C1'| / |C1|", &e[V_TURN], true, 0.05, 0.2);
    uw__check_add(run, A10, "correlation off the diagonal, one and two steps apart", &e[V_MIXED],
                  true, 0.05, 0.2);
    uw__check_add(run, A11, "2 rho (1 - rho)", &e[V_GAP], false, 0.02, 0.005);
    uw_estimate rank = e[V_ERANK];
    if (o->dim > UW_EIGEN_DIM)
        rank = (uw_estimate){effective_rank(o->eigenvalues, o->dim) / o->dim, NAN, NAN, NAN};
    uw__check_add(run, A12, "effective rank / K", &rank, false, 0.9, 0.5);
    add_dimension(run);
}

/* Turning directions show as complex eigenvalues of the step. */
static uw_status add_rotation(uw_certifier *run) {
    const uw_sample *o = run->sample;
    const size_t p = (size_t)o->rank;
    double *a = malloc((p * p + 2 * p) * sizeof *a), *re = a + p * p, angle = 0.0;
    if (!a) return UW_ENOMEM;
    memcpy(a, o->step, p * p * sizeof *a);
    if (uw__eigenvalues(a, o->rank, re, re + p))
        for (size_t i = 0; i < p; i++) angle = fmax(angle, fabs(atan2(re[p + i], re[i])));
    free(a);
    uw__check_add_value(run, A9, "largest turn of a direction per step, degrees",
                        angle * 180.0 / M_PI, NAN, NAN);
    return UW_OK;
}

static double bound_of(double eps, double nonlinear) {
    return nonlinear + (eps + nonlinear) * (eps + nonlinear);
}

static void publish(const moments *m, const double *total, double *scratch, const uw_estimate *e) {
    uw_certificate *c = m->run->out;
    const uw_sample *o = m->run->sample;
    double v[V_COUNT];
    whitening_values(m, total, scratch, v);
    bound_values(m, total, scratch, v, &c->rho_true, &c->rho_gap);
    c->rho_source = m->source;
    c->num_rho = o->rank;
    for (int32_t i = 0; i < o->rank; i++) { /* held-out values are in order but for noise */
        int32_t at = i;
        const double rho = total[m->at.held + i] / total[m->at.held0 + i];
        for (; at > 0 && c->rho[at - 1] < rho; at--) c->rho[at] = c->rho[at - 1];
        c->rho[at] = rho;
    }
    c->eps = sqrt(e[V_EPS].point);
    c->delta = e[V_DELTA].point;
    const int32_t n = c->true_dim ? c->true_dim : c->latent_dim;
    const bool bounded = c->rho_gap > 1e-6 && o->rank == o->dim;
    if (!bounded) return;
    c->nonlinear = fmax(0.0, e[V_LINEAR].point);
    c->bound = bound_of(c->eps, c->nonlinear);
    if (!m->run->resamples) return;
    /* An estimate of D below zero is luck: the spread counts from zero.  The upper end of eps keeps
     * the noise that resampling adds to it.  Both err to the safe side. */
    const double spread =
        fmax(0.0, e[V_LINEAR].high + e[V_LINEAR].point - 2.0 * e[V_LINEAR].corrected);
    const double eps =
        sqrt(fmax(e[V_EPS].point, e[V_EPS].high + 2.0 * (e[V_EPS].point - e[V_EPS].corrected)));
    c->bound_high = bound_of(eps, c->nonlinear + spread);
    if (!(c->bound_high < MEANINGLESS * n)) c->bound_high = NAN;
    c->r2_floor = c->bound_high < (double)n ? 1.0 - c->bound_high / (double)n : NAN;
}

uw_status uw__certify_moments(uw_certifier *run) {
    const uw_sample *o = run->sample;
    moments m = {.run = run, .k = o->dim, .p = o->rank, .s = o->num_states, .lags = o->lags};
    m.source = run->options->rho > 0.0 ? UW_RHO_GIVEN
               : o->num_states         ? UW_RHO_LABELS
                                       : UW_RHO_FITTED;
    m.at = plan(m.k, m.p, m.s, m.lags);
    const int64_t most = m.k > m.s ? m.k : m.s, scratch = 8 * most * most + 4 * most;
    uw_status s = UW_ENOMEM;
    double *total = calloc((size_t)(m.at.size + scratch), sizeof *total);
    double *sums = uw__sample_sums(run->ctx, o, m.at.size, add_episode, &m);
    uw_estimate e[V_COUNT];
    if (!total || !sums) goto done;
    for (int32_t g = 0; g < o->num_groups; g++)
        for (int64_t i = 0; i < m.at.size; i++) total[i] += sums[g * m.at.size + i];
    run->out->pairs = (int64_t)total[m.at.pairs];
    const uw_bootstrap b = {.sums = sums,
                            .groups = o->num_groups,
                            .size = m.at.size,
                            .count = V_COUNT,
                            .scratch = scratch,
                            .eval = evaluate,
                            .arg = &m};
    s = uw__bootstrap(run->ctx->pool, &b, run->resamples, run->options->seed, e);
    if (s) goto done;
    publish(&m, total, total + m.at.size, e);
    add_checks(run, e);
    s = add_rotation(run);
done:
    free(sums);
    free(total);
    return s;
}
