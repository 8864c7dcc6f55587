/* The literature's own tests on rows far enough apart to be nearly independent, and what needs all
 * pairs of rows: shown beside the effects, and judged only where the effect is the statistic (A10's
 * innovations, A13). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify_internal.h"
#include "internal.h"
#include "matrices.h"
#include "spectrum.h"

enum {
    MOST_APART = 1000,
    MOST_PAIRED = 3000,
    MOST_CELLS = 8,
    MOST_DIM = 20,
    HANKEL = 2,
    MOST_ACTIONS = 16
};

/* Rows at least `apart` from each other within episodes, at most MOST_APART: out [n, d] of y's
 * first d. */
static int64_t rows_apart(const uw_sample *o, int32_t d, double *out) {
    int64_t n = 0, count = 0;
    for (int64_t e = 0; e < o->num_episodes; e++)
        count += (o->episode[e + 1] - o->episode[e] + o->apart - 1) / o->apart;
    const int64_t every = (count + MOST_APART - 1) / MOST_APART;
    count = 0;
    for (int64_t e = 0; e < o->num_episodes; e++)
        for (int64_t t = o->episode[e]; t < o->episode[e + 1]; t += o->apart)
            if (count++ % every == 0) {
                memcpy(out + n * d, o->y + t * o->rank, (size_t)d * sizeof *out);
                n++;
            }
    return n;
}

static uw_status add_normality(uw_certifier *run) {
    const uw_sample *o = run->sample;
    const int32_t d = o->rank < MOST_DIM ? o->rank : MOST_DIM;
    double *x = malloc(MOST_APART * (size_t)(d + 1) * sizeof *x);
    if (!x) return UW_ENOMEM;
    double *column = x + (int64_t)MOST_APART * d, darling = 0.0, bera = 0.0;
    const int64_t n = rows_apart(o, d, x);
    for (int32_t j = 0; j < d; j++) {
        for (int64_t i = 0; i < n; i++) column[i] = x[i * d + j];
        const uw_moments m = uw__moments(column, n);
        uw__sort(column, n);
        darling = fmax(darling, uw__anderson_darling(column, n));
        bera = fmax(bera, uw__jarque_bera(&m, n));
    }
    uw__check_add_value(run, A1, "Anderson-Darling, worst coordinate (5 %: 2.492)", darling, NAN,
                        NAN);
    uw__check_add_value(run, A1, "Jarque-Bera, worst coordinate (5 %: 5.99)", bera, NAN, NAN);
    uw_mardia mardia;
    uw_henze_zirkler hz;
    uw_status s = uw__mardia(x, n, d, &mardia);
    if (!s) s = uw__henze_zirkler(x, n, d, &hz);
    free(x);
    if (s) return s == UW_ENONFINITE ? UW_OK : s; /* too few rows apart: nothing to show */
    uw__check_add_value(run, A2, "Mardia's skewness, p", mardia.skew_p, NAN, NAN);
    uw__check_add_value(run, A2, "Mardia's kurtosis, p", mardia.kurtosis_p, NAN, NAN);
    uw__check_add_value(run, A2, "Henze-Zirkler, p", hz.p, NAN, NAN);
    return UW_OK;
}

/* KPSS of the longest episode, and the energy distance of first and last thirds. */
static uw_status add_stationarity(uw_certifier *run) {
    const uw_sample *o = run->sample;
    const int32_t d = o->rank < MOST_DIM ? o->rank : MOST_DIM;
    int64_t longest = 0, n = 0, m = 0;
    for (int64_t e = 0; e < o->num_episodes; e++)
        if (o->episode[e + 1] - o->episode[e] > o->episode[longest + 1] - o->episode[longest])
            longest = e;
    const int64_t first = o->episode[longest], length = o->episode[longest + 1] - first;
    double *x = malloc(((size_t)length + 2 * MOST_APART * (size_t)d) * sizeof *x), kpss = 0.0;
    if (!x) return UW_ENOMEM;
    double *a = x + length, *b = a + (int64_t)MOST_APART * d;
    for (int32_t j = 0; j < d; j++) {
        for (int64_t t = 0; t < length; t++) x[t] = o->y[(first + t) * o->rank + j];
        kpss = fmax(kpss, uw__kpss(x, length, (int32_t)(12.0 * pow((double)length / 100.0, 0.25))));
    }
    uw__check_add_value(run, A4, "KPSS of the longest episode, worst coordinate (5 %: 0.463)", kpss,
                        NAN, NAN);
    const int64_t every = (o->num_episodes + MOST_APART - 1) / MOST_APART;
    for (int64_t e = 0; e < o->num_episodes; e += every) { /* one row of either end per episode */
        const int64_t third = (o->episode[e + 1] - o->episode[e]) / 3;
        memcpy(a + n++ * d, o->y + (o->episode[e] + third / 2) * o->rank, (size_t)d * sizeof *a);
        memcpy(b + m++ * d, o->y + (o->episode[e + 1] - 1 - third / 2) * o->rank,
               (size_t)d * sizeof *b);
    }
    uw__check_add_value(run, A4, "energy distance of the thirds",
                        uw__energy_distance(a, n, b, m, d), NAN, NAN);
    free(x);
    return UW_OK;
}

/* ---- innovations -------------------------------------------------------------------------------
 */

/* r [pairs, d]: y_{t+1} less its linear prediction, of the slowest directions; at [pairs] the row
 * t, pieces of pairs that follow each other in first. */
static int64_t innovations(const uw_sample *o, int32_t d, double *r, int64_t *at, int64_t *first,
                           int64_t *pieces) {
    int64_t n = 0;
    *pieces = 0;
    for (int64_t p = 0; p < o->num_pieces; p++) {
        if (o->first[p + 1] - o->first[p] < 2) continue;
        first[(*pieces)++] = n;
        for (int64_t t = o->first[p]; t + 1 < o->first[p + 1]; t++, n++) {
            at[n] = t;
            for (int32_t j = 0; j < d; j++) {
                double sum = o->y[(t + 1) * o->rank + j];
                for (int32_t i = 0; i < o->rank; i++)
                    sum -= o->step[(int64_t)i * o->rank + j] * o->y[t * o->rank + i];
                r[n * d + j] = sum;
            }
        }
    }
    first[*pieces] = n;
    return n;
}

/* Every few-th innovation and the row it started from, for statistics of all pairs. */
typedef struct paired {
    int64_t n;
    double *noise, *row; /* [d, n] each: coordinates one after the other; rows [n, d] */
} paired;

static uw_status add_dependence(uw_certifier *run, const paired *q, int32_t d) {
    uw_dcor c;
    double worst = 0.0, place = 0.0;
    for (int32_t i = 0; i < d; i++) {
        uw_status s = uw__distance_correlation(q->noise + i * q->n, 1, q->row, d, q->n, &c);
        if (s) return s;
        place = fmax(place, c.corrected);
        for (int32_t j = 0; j < i; j++) {
            s = uw__distance_correlation(q->noise + i * q->n, 1, q->noise + j * q->n, 1, q->n, &c);
            if (s) return s;
            worst = fmax(worst, c.corrected);
        }
    }
    uw__check_add_value(run, A5, "distance correlation of residual and latent, worst coordinate",
                        sqrt(place), NAN, NAN);
    if (d > 1)
        uw__check_add_value(run, A10, "distance correlation of two innovations, worst pair",
                            sqrt(worst), 0.05, 0.2);
    return UW_OK;
}

static uw_status add_innovations(uw_certifier *run) {
    const uw_sample *o = run->sample;
    const int32_t d = o->rank < UW_REGRESSED ? o->rank : UW_REGRESSED;
    const size_t rows = (size_t)o->rows;
    double *r = malloc(rows * (size_t)d * sizeof *r + 1),
           *rest = malloc(MOST_PAIRED * (2 * (size_t)d + 1) * sizeof *rest);
    int64_t *at = malloc((rows + 1) * sizeof *at),
            *first = malloc(((size_t)o->num_pieces + 1) * sizeof *first);
    int64_t pieces = 0;
    uw_status s = r && rest && at && first ? UW_OK : UW_ENOMEM;
    if (s) goto done;
    const int64_t n = innovations(o, d, r, at, first, &pieces),
                  every = (n + MOST_PAIRED - 1) / MOST_PAIRED;
    if (n < 50) goto done;
    paired q = {
        .n = (n + every - 1) / every, .noise = rest, .row = rest + (int64_t)MOST_PAIRED * d};
    for (int64_t i = 0; i < q.n; i++)
        for (int32_t j = 0; j < d; j++) {
            q.noise[j * q.n + i] = r[i * every * d + j];
            q.row[i * d + j] = o->y[at[i * every] * o->rank + j];
        }
    uw_white white, worst = {.p = 1.0};
    for (int32_t j = 0; j < d; j++)
        if (uw__white(q.noise + j * q.n, q.row, q.n, d, &white) == UW_OK && white.p < worst.p)
            worst = white;
    uw__check_add_value(run, A5, "White's test, p of the worst coordinate", worst.p, NAN, NAN);
    uw_portmanteau test;
    const uw_pieces all = {first, pieces};
    if (uw__portmanteau(r, d, &all, 5, d * d, &test) == UW_OK)
        uw__check_add_value(run, A7,
                            d == 1 ? "Ljung-Box of residuals, 5 lags, p"
                                   : "Hosking of residuals, 5 lags, p",
                            test.p, NAN, NAN);
    s = add_dependence(run, &q, d);
done:
    free(r);
    free(rest);
    free(at);
    free(first);
    return s;
}

/* ---- coverage and excitation -------------------------------------------------------------------
 */

/* Entropy of the cells that the two slowest directions visit, cells of equal mass under a Gaussian;
 * 1 = evenly. */
static void add_occupancy(uw_certifier *run) {
    const uw_sample *o = run->sample;
    double count[MOST_CELLS * MOST_CELLS] = {0}, entropy = 0.0;
    const int32_t d = o->rank < 2 ? 1 : 2, cells = d == 1 ? MOST_CELLS : MOST_CELLS * MOST_CELLS;
    for (int64_t t = 0; t < o->rows; t++) {
        int32_t cell = 0;
        for (int32_t j = 0; j < d; j++) {
            const double mass = 0.5 * erfc(-o->y[t * o->rank + j] * M_SQRT1_2);
            const int32_t at = (int32_t)(mass * MOST_CELLS);
            cell = cell * MOST_CELLS + (at < MOST_CELLS ? at : MOST_CELLS - 1);
        }
        count[cell] += 1.0 / (double)o->rows;
    }
    for (int32_t i = 0; i < cells; i++)
        if (count[i] > 0.0) entropy -= count[i] * log(count[i]) / log(cells);
    uw__check_add_value(run, A12,
                        "how evenly the slowest directions are visited (1 = as a Gaussian)",
                        entropy, NAN, NAN);
}

/* Largest over smallest eigenvalue of a covariance [d, d] (destroyed); infinite when a direction is
 * missing. */
static double condition(double *c, int32_t d, double *values) {
    uw__jacobi_eigen(c, d, values, NULL);
    return values[d - 1] > 1e-9 * values[0] ? values[0] / values[d - 1] : INFINITY;
}

/* Covariance of `depth` consecutive actions, over pairs of rows whose actions are all finite. */
static int64_t action_covariance(const uw_sample *o, int32_t a, int32_t depth, double *c) {
    const int32_t d = a * depth;
    double mean[HANKEL * MOST_ACTIONS] = {0};
    int64_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (int64_t p = 0; p < o->num_pieces; p++)
            for (int64_t t = o->first[p]; t + depth <= o->first[p + 1]; t++) {
                double x[HANKEL * MOST_ACTIONS];
                bool finite = true;
                for (int32_t i = 0; i < d; i++) {
                    x[i] = o->actions[(t + i / a) * o->num_actions + i % a];
                    finite = finite && isfinite(x[i]);
                }
                if (!finite) continue;
                n++;
                for (int32_t i = 0; i < d; i++) {
                    if (pass == 0) mean[i] += x[i];
                    for (int32_t j = 0; pass && j < d; j++)
                        c[(int64_t)i * d + j] += (x[i] - mean[i]) * (x[j] - mean[j]);
                }
            }
        for (int32_t i = 0; i < d && pass == 0 && n; i++) mean[i] /= (double)n;
    }
    return n;
}

static uw_status add_excitation(uw_certifier *run) {
    const uw_sample *o = run->sample;
    if (!o->num_actions) {
        uw__check_note(run, A13, "no actions in the data, and none are needed");
        return UW_OK;
    }
    const int32_t a = o->num_actions < MOST_ACTIONS ? o->num_actions : MOST_ACTIONS, d = HANKEL * a;
    double *c = calloc((size_t)(2 * d * d + d), sizeof *c);
    if (!c) return UW_ENOMEM;
    double *block = c + (int64_t)d * d, *values = block + (int64_t)d * d;
    if (action_covariance(o, a, 1, c) <= a || action_covariance(o, a, HANKEL, block) <= d) {
        uw__check_note(run, A13, "too few finite actions");
    } else {
        uw__check_add_value(run, A13, "condition number of the actions' covariance",
                            condition(c, a, values), 100.0, 1e6);
        uw__check_add_value(run, A13, "the same of two actions in a row",
                            condition(block, d, values), NAN, NAN);
        if (a < o->num_actions)
            uw__check_note(run, A13, "the first %d of %d action numbers", a, o->num_actions);
    }
    free(c);
    return UW_OK;
}

uw_status uw__certify_classics(uw_certifier *run) {
    uw_status s = add_normality(run);
    if (!s) s = add_stationarity(run);
    if (!s) s = add_innovations(run);
    if (s) return s;
    add_occupancy(run);
    return add_excitation(run);
}
