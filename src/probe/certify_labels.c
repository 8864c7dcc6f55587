/* Scores against the true latents, always on episodes that the map was not fitted on.
 *
 * All maps are linear, so sums of products of [1, h, z] per group of episodes are all that is
 * needed: a group's squared error under any map follows from its sums. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify_internal.h"
#include "internal.h"
#include "matrices.h"

enum { FOLDS = 5 };
static const double RIDGE =
    1e-6; /* relative to the mean square: keeps a flat direction from exploding */

/* v = [1, h, z]: sums of v v' per group. */
typedef struct labels {
    const uw_sample *o;
    int32_t k, n, d; /* d = 1 + k + n */
    double *sums;    /* [groups, d, d] */
    double *train;   /* [d, d] of all folds but one */
    double *map;     /* [d, max(k, n)] the current map */
    double *work;
} labels;

static void add_episode(void *arg, int64_t first, int64_t last, double *sums) {
    const labels *l = arg;
    for (int64_t t = first; t < last; t++) {
        const double *h = l->o->h + t * l->k, *z = l->o->z + t * l->n;
        for (int32_t i = 0; i < l->d; i++) {
            const double a = i == 0 ? 1.0 : i <= l->k ? h[i - 1] : z[i - 1 - l->k];
            double *row = sums + (int64_t)i * l->d;
            row[0] += a;
            for (int32_t j = 0; j < l->k; j++) row[1 + j] += a * h[j];
            for (int32_t j = 0; j < l->n; j++) row[1 + l->k + j] += a * z[j];
        }
    }
}

static void sum_groups(const labels *l, int32_t without) {
    const int64_t size = (int64_t)l->d * l->d;
    memset(l->train, 0, (size_t)size * sizeof *l->train);
    for (int32_t g = 0; g < l->o->num_groups; g++)
        for (int64_t i = 0; i < size && g % FOLDS != without; i++)
            l->train[i] += l->sums[g * size + i];
}

/* map [1 + inputs, outputs]: least squares of v's outputs from its inputs, with intercept. */
static bool fit(const labels *l, int32_t in, int32_t inputs, int32_t out, int32_t outputs) {
    const int64_t d = l->d, m = 1 + inputs;
    double *gram = l->work, *x = gram + m * m;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++)
            gram[i * m + j] = l->train[(i ? in + i - 1 : 0) * d + (j ? in + j - 1 : 0)];
    if (!uw__cholesky(gram, (int32_t)m, RIDGE)) return false;
    for (int32_t o = 0; o < outputs; o++) {
        for (int64_t i = 0; i < m; i++) x[i] = l->train[(i ? in + i - 1 : 0) * d + out + o];
        uw__cholesky_solve(gram, (int32_t)m, x);
        for (int64_t i = 0; i < m; i++) l->map[i * outputs + o] = x[i];
    }
    return true;
}

/* Squared error of output o under the map, and its square, in a group's sums. */
static void group_error(const labels *l, const double *s, int32_t in, int32_t inputs, int32_t out,
                        int32_t outputs, int32_t o, double *error, double *square) {
    const int64_t d = l->d, m = 1 + inputs;
    double sum = s[(out + o) * d + out + o];
    *square += sum;
    for (int64_t i = 0; i < m; i++) {
        const double w = l->map[i * outputs + o];
        const double *row = s + (i ? in + i - 1 : 0) * d;
        double product = 0.0;
        for (int64_t j = 0; j < m; j++)
            product += l->map[j * outputs + o] * row[j ? in + j - 1 : 0];
        sum += w * (product - 2.0 * row[out + o]);
    }
    *error += sum;
}

/* error, square [groups, outputs] of the current map over the groups of one fold. */
static void score_fold(const labels *l, int32_t fold, int32_t in, int32_t inputs, int32_t out,
                       int32_t outputs, double *pairs) {
    const int64_t size = (int64_t)l->d * l->d;
    for (int32_t g = fold; g < l->o->num_groups; g += FOLDS)
        for (int32_t o = 0; o < outputs; o++)
            group_error(l, l->sums + g * size, in, inputs, out, outputs, o,
                        &pairs[2 * ((int64_t)g * outputs + o)],
                        &pairs[2 * ((int64_t)g * outputs + o) + 1]);
}

/* The nearest rotation between h and z on the training folds: q [k, n], and the scale that suits
 * it. */
static void rotation(const labels *l, double *q, double *scale) {
    const int64_t d = l->d;
    double *cross = l->work, *work = cross + (int64_t)l->k * l->n, nuclear, square = 0.0;
    const double rows = l->train[0];
    for (int64_t i = 0; i < l->k; i++) {
        const double mean = l->train[1 + i];
        square += l->train[(1 + i) * d + 1 + i] - mean * mean / rows;
        for (int64_t j = 0; j < l->n; j++)
            cross[i * l->n + j] =
                l->train[(1 + i) * d + 1 + l->k + j] - mean * l->train[1 + l->k + j] / rows;
    }
    uw__polar(cross, l->k, l->n, q, &nuclear, work);
    *scale = square > 0.0 ? nuclear / square : 0.0;
}

/* z = scale q' h as a map from h, or h = q z as one from z. */
static void rotation_map(const labels *l, const double *q, double scale, bool from_h) {
    const int32_t outputs = from_h ? l->n : l->k, inputs = from_h ? l->k : l->n;
    memset(l->map, 0, (size_t)outputs * sizeof *l->map);
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t o = 0; o < outputs; o++)
            l->map[(1 + i) * outputs + o] = from_h ? scale * q[i * l->n + o] : q[o * l->n + i];
}

/* ---- scores --------------------------------------------------------------------------------- */

/* Mean over outputs of 1 - error / square; outputs without spread do not count. */
static double mean_r2(const double *pairs, int32_t outputs, double *worst) {
    double sum = 0.0, least = INFINITY;
    int32_t count = 0;
    for (int32_t o = 0; o < outputs; o++) {
        if (!(pairs[2 * o + 1] > 0.0)) continue;
        const double r2 = 1.0 - pairs[2 * o] / pairs[2 * o + 1];
        least = fmin(least, r2);
        sum += r2;
        count++;
    }
    if (worst) *worst = count ? least : NAN;
    return count ? sum / count : NAN;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *values) {
    (void)scratch;
    values[0] = mean_r2(total, *(const int32_t *)arg, NULL);
}

/* Fold pairs [groups, outputs, 2] over groups. */
static void fold_groups(const double *pairs, int32_t groups, int32_t outputs, double *total) {
    memset(total, 0, 2 * (size_t)outputs * sizeof *total);
    for (int32_t g = 0; g < groups; g++)
        for (int32_t i = 0; i < 2 * outputs; i++) total[i] += pairs[(int64_t)g * 2 * outputs + i];
}

/* |A'A - I| / sqrt(n) of the least-squares map z -> h on all episodes. */
static double orthogonality(const labels *l) {
    double sum = 0.0;
    sum_groups(l, -1);
    if (!fit(l, 1 + l->k, l->n, 1, l->k)) return NAN;
    for (int64_t i = 0; i < l->n; i++)
        for (int64_t j = 0; j < l->n; j++) {
            double product = i == j ? -1.0 : 0.0;
            for (int64_t o = 0; o < l->k; o++)
                product += l->map[(1 + i) * l->k + o] * l->map[(1 + j) * l->k + o];
            sum += product * product;
        }
    return sqrt(sum / l->n);
}

static uw_status score(uw_certifier *run, const labels *l, double *tables, double *q) {
    uw_label_scores *s = &run->out->scores;
    const int32_t groups = l->o->num_groups, most = l->k > l->n ? l->k : l->n,
                  folds = groups < FOLDS ? groups : FOLDS;
    const int64_t size = 2 * (int64_t)groups * most;
    double *linear = tables, *back = linear + size, *turned = back + size, *fitted = turned + size;
    double *total = fitted + size, scale, error = 0.0;
    for (int32_t f = 0; f < folds; f++) {
        sum_groups(l, f);
        if (!fit(l, 1, l->k, 1 + l->k, l->n)) return UW_OK; /* scores stay NaN */
        score_fold(l, f, 1, l->k, 1 + l->k, l->n, linear);
        if (!fit(l, 1 + l->k, l->n, 1, l->k)) return UW_OK;
        score_fold(l, f, 1 + l->k, l->n, 1, l->k, back);
        rotation(l, q, &scale);
        rotation_map(l, q, scale, true);
        score_fold(l, f, 1, l->k, 1 + l->k, l->n, turned);
        rotation_map(l, q, 1.0, false);
        score_fold(l, f, 1 + l->k, l->n, 1, l->k, fitted);
    }
    const uw_bootstrap b = {.sums = linear,
                            .groups = groups,
                            .size = 2 * l->n,
                            .count = 1,
                            .eval = evaluate,
                            .arg = &l->n};
    uw_estimate e;
    const uw_status status =
        uw__bootstrap(run->ctx->pool, &b, run->resamples, run->options->seed, &e);
    if (status) return status;
    fold_groups(linear, groups, l->n, total);
    s->r2 = mean_r2(total, l->n, &s->r2_worst);
    s->r2_low = e.low;
    s->r2_high = fmin(e.high, 1.0);
    fold_groups(back, groups, l->k, total);
    s->r2_back = mean_r2(total, l->k, NULL);
    fold_groups(turned, groups, l->n, total);
    s->r2_orthogonal = mean_r2(total, l->n, NULL);
    s->orthogonal_gap = s->r2 - s->r2_orthogonal;
    fold_groups(fitted, groups, l->k, total);
    for (int32_t i = 0; i < l->k; i++) error += total[2 * i];
    s->procrustes = error / (double)l->o->rows;
    s->orthogonality = orthogonality(l);
    return UW_OK;
}

uw_status uw__certify_labels(uw_certifier *run) {
    const uw_sample *o = run->sample;
    uw_label_scores *s = &run->out->scores;
    *s = (uw_label_scores){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (!o->num_states || o->num_groups < 2) return UW_OK;
    labels l = {.o = o, .k = o->dim, .n = o->num_states, .d = 1 + o->dim + o->num_states};
    const size_t d = (size_t)l.d, most = (size_t)(l.k > l.n ? l.k : l.n);
    l.sums = uw__sample_sums(run->ctx, o, (int64_t)(d * d), add_episode, &l);
    l.train = malloc(d * d * sizeof *l.train);
    l.map = malloc(d * most * sizeof *l.map);
    l.work = malloc(5 * d * d * sizeof *l.work);
    double *q = malloc((size_t)l.k * (size_t)l.n * sizeof *q);
    double *tables = calloc((8 * (size_t)o->num_groups + 2) * most, sizeof *tables);
    const uw_status status =
        l.sums && l.train && l.map && l.work && q && tables ? score(run, &l, tables, q) : UW_ENOMEM;
    free(l.sums);
    free(l.train);
    free(l.map);
    free(l.work);
    free(q);
    free(tables);
    return status;
}
