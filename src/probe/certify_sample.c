/* From latents in episodes to a white sample in groups of episodes.
 *
 * Rows with a number that is not finite are left out and cut an episode into pieces: two rows are k
 * steps apart only within a piece. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify_internal.h"
#include "internal.h"
#include "matrices.h"
#include "spectrum.h"

/* Directions with less of the largest variance are rounding of a flat latent, not signal. */
static const double FLAT = 1e-9;

static bool finite_row(const uw_series *s, int64_t row) {
    for (int32_t i = 0; i < s->dim; i++)
        if (!isfinite(s->h[row * s->dim + i])) return false;
    for (int32_t i = 0; s->z && i < s->num_states; i++)
        if (!isfinite(s->z[row * s->num_states + i])) return false;
    return true;
}

/* Keep finite rows, note where pieces and episodes begin. */
static void compact(const uw_series *s, uw_sample *o) {
    for (int64_t e = 0; e < s->episodes; e++) {
        const int64_t begin = o->rows;
        bool open = false;
        for (int64_t t = s->start[e]; t < s->start[e + 1]; t++) {
            if (!finite_row(s, t)) {
                o->dropped++;
                open = false;
                continue;
            }
            if (!open) o->first[o->num_pieces++] = o->rows;
            o->pairs += open;
            open = true;
            for (int32_t i = 0; i < o->dim; i++)
                o->h[o->rows * o->dim + i] = (double)s->h[t * o->dim + i];
            for (int32_t i = 0; i < o->num_states; i++)
                o->z[o->rows * o->num_states + i] = s->z[t * o->num_states + i];
            for (int32_t i = 0; i < o->num_actions; i++)
                o->actions[o->rows * o->num_actions + i] = s->actions[t * o->num_actions + i];
            o->rows++;
        }
        if (o->rows > begin) o->episode[o->num_episodes++] = begin;
    }
    o->first[o->num_pieces] = o->episode[o->num_episodes] = o->rows;
    o->num_groups = (int32_t)(o->num_episodes < UW_MAX_GROUPS ? o->num_episodes : UW_MAX_GROUPS);
    for (int64_t e = 0; e < o->num_episodes; e++)
        o->group[e] = (int32_t)(e * o->num_groups / o->num_episodes);
}

int64_t uw__sample_piece_end(const uw_sample *sample, int64_t *piece, int64_t row) {
    while (sample->first[*piece + 1] <= row) (*piece)++;
    return sample->first[*piece + 1];
}

/* ---- sums over groups ----------------------------------------------------------------------- */

typedef struct summing {
    const uw_sample *sample;
    int64_t size;
    double *sums;
    uw_add_fn *add;
    void *arg;
} summing;

static void group_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const summing *s = arg;
    const uw_sample *o = s->sample;
    for (int64_t e = 0; e < o->num_episodes; e++)
        if (o->group[e] == (int32_t)index)
            s->add(s->arg, o->episode[e], o->episode[e + 1], s->sums + (int64_t)index * s->size);
}

double *uw__sample_sums(uw_context *ctx, const uw_sample *sample, int64_t size, uw_add_fn *add,
                        void *arg) {
    double *sums = calloc((size_t)sample->num_groups * (size_t)size + 1, sizeof *sums);
    if (!sums) return NULL;
    summing s = {sample, size, sums, add, arg};
    uw__pool_run(ctx->pool, (size_t)sample->num_groups, group_task, &s);
    return sums;
}

/* ---- white coordinates ----------------------------------------------------------------------- */

/* Columns of x [rows, d] less their mean; divided by their spread too when asked for. */
static void standardise(double *x, int64_t rows, int32_t d, bool scale) {
    for (int32_t i = 0; i < d; i++) {
        double mean = 0.0, square = 0.0;
        for (int64_t t = 0; t < rows; t++) mean += x[t * d + i];
        mean /= (double)rows;
        for (int64_t t = 0; t < rows; t++) {
            x[t * d + i] -= mean;
            square += x[t * d + i] * x[t * d + i];
        }
        const double factor = scale && square > 0.0 ? sqrt((double)rows / square) : 1.0;
        for (int64_t t = 0; t < rows; t++) x[t * d + i] *= factor;
    }
}

typedef struct whitening {
    const uw_sample *o;
    const double *from; /* [rows, width] */
    int32_t width;
    int32_t lag;
} whitening;

/* Sum of x_t x_{t+lag}' over an episode, and the number of such pairs after it. */
static void add_products(void *arg, int64_t first, int64_t last, double *sums) {
    const whitening *w = arg;
    const int32_t d = w->width;
    for (int64_t t = first, piece = 0; t + w->lag < last; t++) {
        if (t + w->lag >= uw__sample_piece_end(w->o, &piece, t)) continue;
        const double *x = w->from + t * d, *y = w->from + (t + w->lag) * d;
        for (int32_t i = 0; i < d; i++)
            for (int32_t j = 0; j < d; j++) sums[(int64_t)i * d + j] += x[i] * y[j];
        sums[(int64_t)d * d] += 1.0;
    }
}

enum { EVEN, ODD, BOTH };

/* out [d, d] = mean of x_t x_{t+lag}' over the sample, or over half of its groups. */
static uw_status mean_product(uw_context *ctx, const uw_sample *o, const double *from, int32_t d,
                              int32_t lag, int half, double *out) {
    whitening w = {o, from, d, lag};
    const int64_t size = (int64_t)d * d + 1;
    double *sums = uw__sample_sums(ctx, o, size, add_products, &w), n = 0.0;
    if (!sums) return UW_ENOMEM;
    memset(out, 0, (size_t)(size - 1) * sizeof *out);
    for (int32_t g = 0; g < o->num_groups; g++) {
        if (half != BOTH && g % 2 != half) continue;
        for (int64_t i = 0; i < size - 1; i++) out[i] += sums[g * size + i];
        n += sums[g * size + size - 1];
    }
    for (int64_t i = 0; i < size - 1; i++) out[i] = n > 0.0 ? out[i] / n : 0.0;
    free(sums);
    return UW_OK;
}

/* y [rows, P] = h m' for m [P, K]. */
typedef struct product {
    const uw_sample *o;
    const double *m;
} product;

static void project_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const product *p = arg;
    const uw_sample *o = p->o;
    for (int64_t t = o->episode[index]; t < o->episode[index + 1]; t++)
        for (int32_t i = 0; i < o->rank; i++) {
            double sum = 0.0;
            for (int32_t j = 0; j < o->dim; j++)
                sum += p->m[(int64_t)i * o->dim + j] * o->h[t * o->dim + j];
            o->y[t * o->rank + i] = sum;
        }
}

static void symmetrise(double *c, int32_t d) {
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < i; j++)
            c[i * d + j] = c[j * d + i] = 0.5 * (c[i * d + j] + c[j * d + i]);
}

/* Rows of v [p, p] and the diagonal of c, slowest first. */
static void order_rows(double *v, double *c, int32_t p) {
    for (int64_t i = 0; i < p; i++) {
        int64_t best = i;
        for (int64_t j = i + 1; j < p; j++)
            if (c[j * p + j] > c[best * p + best]) best = j;
        if (best == i) continue;
        const double x = c[i * p + i];
        c[i * p + i] = c[best * p + best];
        c[best * p + best] = x;
        for (int64_t k = 0; k < p; k++) {
            const double u = v[i * p + k];
            v[i * p + k] = v[best * p + k];
            v[best * p + k] = u;
        }
    }
}

/* Rows of out [P, P]: directions of y by their one-step correlation in half of the groups, slowest
 * first.  The half's own covariance is what they are correlations by: by the whole sample's they
 * would follow its chance spread. work: [6 P P + P]. */
static uw_status slow_directions(uw_context *ctx, const uw_sample *o, int half, double *work,
                                 double *out) {
    const int32_t d = o->rank;
    const int64_t p = d;
    double *c = work, *w = c + p * p, *step = w + p * p, *turn = step + p * p,
           *spare = turn + p * p;
    uw_status s = mean_product(ctx, o, o->y, d, 0, half, c);
    if (!s) s = mean_product(ctx, o, o->y, d, 1, half, step);
    if (s) return s;
    symmetrise(step, d);
    const int32_t rank = uw__whitener(c, d, FLAT, w, spare + p * p, spare);
    memset(w + rank * p, 0, (size_t)((p - rank) * p) * sizeof *w);
    uw__matrix_multiply(w, step, d, d, d, spare);
    for (int64_t i = 0; i < p; i++)
        for (int64_t j = 0; j < p; j++) {
            c[i * p + j] = 0.0;
            for (int64_t k = 0; k < p; k++) c[i * p + j] += spare[i * p + k] * w[j * p + k];
        }
    uw__jacobi_eigen(c, d, spare, turn);
    uw__matrix_multiply(turn, w, d, d, d, out);
    return UW_OK;
}

/* Whiten, then turn so that coordinates are as uncorrelated as can be one and two steps apart. */
static uw_status whiten(uw_context *ctx, uw_sample *o) {
    const size_t k = (size_t)o->dim;
    double *work = malloc((11 * k * k + k) * sizeof *work);
    if (!work) return UW_ENOMEM;
    double *cov = work, *w = cov + k * k, *spare = w + k * k, *turn = spare + k * k;
    double *basis = turn + k * k, *both = basis + k * k; /* [6 k k + k] */
    uw_status s = mean_product(ctx, o, o->h, o->dim, 0, BOTH, cov);
    if (s) goto done;
    o->rank = uw__whitener(cov, o->dim, FLAT, w, o->eigenvalues, spare);
    if (o->rank == 0) goto done;
    const int64_t p = o->rank;
    o->y = malloc((size_t)o->rows * (size_t)p * sizeof *o->y);
    o->step = malloc((size_t)(p * p) * sizeof *o->step);
    o->rho = malloc((size_t)p * sizeof *o->rho);
    o->halves = malloc(2 * (size_t)(p * p) * sizeof *o->halves);
    if (!o->y || !o->step || !o->rho || !o->halves) {
        s = UW_ENOMEM;
        goto done;
    }
    product first = {o, w};
    uw__pool_run(ctx->pool, (size_t)o->num_episodes, project_task, &first);
    s = mean_product(ctx, o, o->y, o->rank, 1, BOTH, both);
    if (!s) s = mean_product(ctx, o, o->y, o->rank, 2, BOTH, both + p * p);
    if (s) goto done;
    symmetrise(both, o->rank);
    symmetrise(both + p * p, o->rank);
    uw__joint_diagonalise(both, 2, o->rank, turn);
    order_rows(turn, both, o->rank);
    uw__matrix_multiply(turn, w, o->rank, o->rank, o->dim, basis);
    product second = {o, basis};
    uw__pool_run(ctx->pool, (size_t)o->num_episodes, project_task, &second);
    s = mean_product(ctx, o, o->y, o->rank, 1, BOTH, o->step);
    for (int64_t i = 0; i < p; i++) {
        o->rho[i] = o->step[i * p + i];
        o->rho_mean += o->rho[i] / (double)p;
    }
    for (int half = EVEN; half <= ODD && !s; half++)
        s = slow_directions(ctx, o, half, both, o->halves + half * p * p);
done:
    free(work);
    return s;
}

/* Mean autocorrelation of y's coordinates over a lag; NaN when no piece is that long. */
static double autocorrelation(const uw_sample *o, int32_t lag) {
    double sum = 0.0;
    int64_t n = 0;
    for (int64_t p = 0; p < o->num_pieces; p++)
        for (int64_t t = o->first[p]; t + lag < o->first[p + 1]; t++, n++)
            for (int32_t i = 0; i < o->rank; i++)
                sum += o->y[t * o->rank + i] * o->y[(t + lag) * o->rank + i];
    return n ? sum / ((double)n * (double)o->rank) : NAN;
}

/* Lags at which the mean correlation has fallen to where the multi-lag fit is sharpest, and to
 * nearly nothing. */
static void find_lags(uw_sample *o) {
    enum { FEWEST = 3, FURTHEST = 512 };
    o->lags = UW_MAX_LAGS;
    o->apart = FURTHEST;
    for (int32_t lag = 1; lag <= FURTHEST;) {
        const double c = autocorrelation(o, lag);
        if (!isfinite(c)) { /* episodes are shorter: what is left is one row of each */
            o->apart = lag;
            if (o->lags > lag - 1) o->lags = lag - 1;
            break;
        }
        if (c < 0.6 && lag < o->lags) o->lags = lag;
        if (c < 0.1) {
            o->apart = lag;
            break;
        }
        lag += lag < 16 ? 1 : lag / 8; /* fine steps where they matter */
    }
    if (o->lags < FEWEST) o->lags = FEWEST;
}

uw_status uw__sample_init(uw_context *ctx, const uw_series *series, uw_sample *out, uw_err *err) {
    const size_t n = (size_t)series->rows, e = (size_t)series->episodes;
    uw_sample *o = out;
    *o = (uw_sample){.dim = series->dim,
                     .num_states = series->z ? series->num_states : 0,
                     .num_actions = series->actions ? series->num_actions : 0};
    o->h = malloc(n * (size_t)o->dim * sizeof *o->h + 1);
    o->z = o->num_states ? malloc(n * (size_t)o->num_states * sizeof *o->z + 1) : NULL;
    o->actions =
        o->num_actions ? malloc(n * (size_t)o->num_actions * sizeof *o->actions + 1) : NULL;
    o->first = malloc((n + 2) * sizeof *o->first);
    o->episode = malloc((e + 1) * sizeof *o->episode);
    o->group = malloc((e + 1) * sizeof *o->group);
    o->eigenvalues = malloc((size_t)o->dim * sizeof *o->eigenvalues);
    if (!o->h || (o->num_states && !o->z) || (o->num_actions && !o->actions) || !o->first ||
        !o->episode || !o->group || !o->eigenvalues)
        return uw_fail(err, UW_ENOMEM, "certify: %lld rows", (long long)series->rows);
    compact(series, o);
    if (o->rows < 1) {
        uw_fail(err, UW_ENONFINITE,
                "certify: rows without NaN or infinity, wanted at least one, got 0 of %lld",
                (long long)series->rows);
        uw_err_fix(err, "leave out the state columns with gaps: --state NAMES, or --state none");
        return UW_ENONFINITE;
    }
    standardise(o->h, o->rows, o->dim, false);
    if (o->z) standardise(o->z, o->rows, o->num_states, true);
    if (whiten(ctx, o)) return uw_fail(err, UW_ENOMEM, "certify: %lld rows", (long long)o->rows);
    if (o->rank) find_lags(o);
    return UW_OK;
}

void uw__sample_fini(uw_sample *sample) {
    free(sample->h);
    free(sample->y);
    free(sample->z);
    free(sample->actions);
    free(sample->first);
    free(sample->episode);
    free(sample->group);
    free(sample->eigenvalues);
    free(sample->rho);
    free(sample->step);
    free(sample->halves);
    *sample = (uw_sample){0};
}
