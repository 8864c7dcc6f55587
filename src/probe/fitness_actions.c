/* Do actions move the observation over k rows?
 *
 * Estimator: with o the observation now, d its change over k rows and a the mean action over them,
 * all linear and Gaussian, I(a; d | o) = 1/2 log det S(d | o) / det S(d | o, a), residual
 * covariances of two regressions on the same sample.  A sample makes it too large, and rows of a
 * run are not independent; so it is compared with the same number for actions of other runs, whole
 * runs changing places (Frisch and Waugh 1933 for the two regressions in one; Phipson and Smyth
 * 2010 for the p-value of random permutations).  What is linear misses effects whose sign depends
 * on the state; it does not invent any. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitness_internal.h"
#include "internal.h"
#include "matrices.h"
#include "rng.h"
#include "statistics.h"

enum {
    MAX_OBSERVED = 24, /* sensor numbers; pictures have more */
    GRID = 8,          /* a picture is looked at as GRID x GRID grey cells */
    MAX_ACTIONS = 16,
    MAX_UNITS = 512,    /* runs */
    PICTURE_UNITS = 96, /* of pictures, which take longer to read */
    FEW_EPISODES = 16,  /* below that, pieces of episodes stand for runs */
    PIECES = 64,
    PER_UNIT = 16,   /* transitions of a run */
    MAX_ROWS = 4096, /* of a run that are read */
    LEAST_UNITS = 8,
    SHUFFLES = 199,
};
static const double RIDGE = 1e-6; /* of the mean variance: deterministic worlds have no residual */
static const double LEAST_SHARE = 0.01;
static const int32_t SKIPS[] = {1, 2, 5, 10, 20};
enum { NUM_SKIPS = sizeof SKIPS / sizeof *SKIPS };

/* A stretch of one episode: what is exchanged when actions are shuffled. */
typedef struct unit {
    int64_t episode, first, rows;
} unit;

typedef struct effects {
    uw_fitness *f;
    int32_t num_observed, num_actions;
    int32_t observed[MAX_OBSERVED], actions[MAX_ACTIONS]; /* of numbers */
    int32_t picture;                                      /* column, -1 = sensors */
    int32_t num_units, per_unit;
    unit units[MAX_UNITS];
    double *now, *change, *action; /* [units, per_unit, O], ..., [.., A] of one skip */
    double *rows_o, *rows_a;       /* [MAX_ROWS, O], [MAX_ROWS, A] of one unit */
    unsigned char *raw;            /* rows of one column */
    size_t raw_bytes;
} effects;

/* ---- what is looked at -------------------------------------------------------------------------
 */

static void choose_numbers(effects *e) {
    uw_fitness *f = e->f;
    e->picture = -1;
    for (int32_t i = 0; i < f->num_numbers; i++) {
        const uw_number *n = &f->numbers[i];
        if (!n->changes || n->low == n->high) continue;
        if (n->kind == UW_NUMBER_ACTION && e->num_actions < MAX_ACTIONS)
            e->actions[e->num_actions++] = i;
        if (n->kind == UW_NUMBER_SENSOR && e->num_observed < MAX_OBSERVED)
            e->observed[e->num_observed++] = i;
    }
    char *text = f->report->observation;
    if (e->num_observed) {
        snprintf(text, sizeof f->report->observation, "%d sensor numbers", e->num_observed);
        return;
    }
    for (int32_t c = 0; c < uw_dataset_num_columns(f->data) && e->picture < 0; c++) {
        const uw_column *column = uw_dataset_column(f->data, c);
        if (column->num_dims != 3 || column->dtype != UW_DTYPE_U8) continue;
        if (column->shape[0] >= GRID && column->shape[1] >= GRID) e->picture = c;
    }
    if (e->picture < 0) return;
    e->num_observed = GRID * GRID;
    snprintf(text, sizeof f->report->observation, "pictures, %dx%d grey cells", GRID, GRID);
}

/* Runs: episodes spread over the recording, or pieces of the few that there are. */
static void choose_units(effects *e) {
    const uw_dataset *data = e->f->data;
    const int64_t episodes = uw_dataset_episodes(data);
    const int64_t pieces = episodes < FEW_EPISODES ? PIECES / episodes : 1;
    const int64_t most = e->picture >= 0 ? PICTURE_UNITS : MAX_UNITS;
    const int64_t step = (episodes + most - 1) / most;
    e->per_unit = PER_UNIT;
    for (int64_t at = 0; at < episodes; at += step) {
        const int64_t rows = uw_dataset_episode_rows(data, at);
        for (int64_t p = 0; p < pieces && e->num_units < MAX_UNITS; p++) {
            unit u = {at, p * rows / pieces, (p + 1) * rows / pieces - p * rows / pieces};
            if (u.rows > MAX_ROWS) u.rows = MAX_ROWS;
            if (u.rows > 2) e->units[e->num_units++] = u;
        }
    }
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static uw_status read_column(effects *e, const unit *u, int32_t column, const int32_t *numbers,
                             int32_t count, double *out, uw_err *err) {
    const uw_column *c = uw_dataset_column(e->f->data, column);
    const size_t width = uw_dtype_bytes(c->dtype);
    size_t row = width;
    for (int32_t i = 0; i < c->num_dims; i++) row *= (size_t)c->shape[i];
    const uw_status s =
        uw_dataset_rows(e->f->data, column, u->episode, u->first, u->rows, 1, e->raw, err);
    for (int64_t t = 0; t < u->rows && !s; t++)
        for (int32_t i = 0; i < count; i++) {
            const uw_number *n = &e->f->numbers[numbers[i]];
            if (n->column != column) continue;
            out[t * count + i] =
                uw__cell_number(c->dtype, e->raw + (size_t)t * row + (size_t)n->place * width);
        }
    return s;
}

static uw_status read_numbers(effects *e, const unit *u, const int32_t *numbers, int32_t count,
                              double *out, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t i = 0; i < count && !s; i++) {
        const int32_t column = e->f->numbers[numbers[i]].column;
        if (i && e->f->numbers[numbers[i - 1]].column == column) continue;
        s = read_column(e, u, column, numbers, count, out, err);
    }
    return s;
}

/* A picture as grey cells; one row at a time, since frames are large. */
static uw_status read_pictures(effects *e, const unit *u, uw_err *err) {
    const uw_column *c = uw_dataset_column(e->f->data, e->picture);
    const int64_t height = c->shape[0], width = c->shape[1], channels = c->shape[2];
    for (int64_t t = 0; t < u->rows; t++) {
        const uw_status s =
            uw_dataset_rows(e->f->data, e->picture, u->episode, u->first + t, 1, 1, e->raw, err);
        if (s) return s;
        double *out = e->rows_o + t * GRID * GRID;
        for (int64_t cell = 0; cell < GRID * GRID; cell++) {
            const int64_t y0 = cell / GRID * height / GRID, y1 = (cell / GRID + 1) * height / GRID;
            const int64_t x0 = cell % GRID * width / GRID, x1 = (cell % GRID + 1) * width / GRID;
            double sum = 0.0;
            for (int64_t y = y0; y < y1; y++)
                for (int64_t i = (y * width + x0) * channels; i < (y * width + x1) * channels; i++)
                    sum += (double)e->raw[i];
            out[cell] = sum / (double)((y1 - y0) * (x1 - x0) * channels);
        }
    }
    return UW_OK;
}

static uw_status read_unit(effects *e, const unit *u, uw_err *err) {
    uw_status s = e->picture >= 0
                      ? read_pictures(e, u, err)
                      : read_numbers(e, u, e->observed, e->num_observed, e->rows_o, err);
    if (!s) s = read_numbers(e, u, e->actions, e->num_actions, e->rows_a, err);
    return s;
}

/* Transitions over k rows of the unit in hand, evenly spread; what is not finite counts as the mean
 * (its deviation as 0), so that all units have equally many. */
static void take_transitions(effects *e, int32_t index, int32_t k) {
    const unit *u = &e->units[index];
    const int32_t o = e->num_observed, a = e->num_actions;
    const int64_t starts = u->rows - k;
    for (int32_t m = 0; m < e->per_unit; m++) {
        const int64_t t = m * starts / e->per_unit, at = (int64_t)index * e->per_unit + m;
        for (int32_t i = 0; i < o; i++) {
            const double x = e->rows_o[t * o + i], y = e->rows_o[(t + k) * o + i];
            e->now[at * o + i] = x;
            e->change[at * o + i] = y - x;
        }
        for (int32_t i = 0; i < a; i++) {
            double sum = 0.0;
            int32_t n = 0;
            for (int32_t j = 0; j < k; j++) {
                const double x = e->rows_a[(t + j) * a + i];
                if (isfinite(x)) sum += x, n++;
            }
            e->action[at * a + i] = n ? sum / n : NAN;
        }
    }
}

/* ---- the estimate ------------------------------------------------------------------------------
 */

/* Standardise columns in place: mean 0, deviation 1; what is not finite becomes 0, as does a
 * constant. */
static void standardise(double *x, int64_t n, int32_t d) {
    for (int32_t j = 0; j < d; j++) {
        double mean = 0.0, m2 = 0.0;
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = x[i * d + j];
            if (!isfinite(v)) continue;
            count++;
            const double delta = v - mean;
            mean += delta / (double)count;
            m2 += delta * (v - mean);
        }
        const double deviation = count ? sqrt(m2 / (double)count) : 0.0;
        for (int64_t i = 0; i < n; i++) {
            double *v = &x[i * d + j];
            *v = isfinite(*v) && deviation > 1e-12 * fabs(mean) ? (*v - mean) / deviation : 0.0;
        }
    }
}

/* Scratch of one estimate. */
typedef struct bench {
    int64_t n;
    int32_t o, a;
    const double *now;       /* [n, o] standardised */
    double *factor;          /* [o, o] Cholesky of its Gram matrix */
    double *change;          /* [n, o] residual */
    double *action;          /* [n, a] residual */
    double *beta;            /* [o, max(o, a)] */
    double *s, *work, *left; /* [o, o] */
    double *c, *k;           /* [a, a], [a, o] */
    double log_det;          /* of the residual covariance of change */
} bench;

/* Take out of y [n, m] what now explains. */
static void residual(const bench *b, double *y, int32_t m) {
    double column[GRID * GRID];
    uw__matrix_multiply_at(b->now, y, b->o, (int32_t)b->n, m, b->beta);
    for (int32_t j = 0; j < m; j++) {
        for (int32_t i = 0; i < b->o; i++) column[i] = b->beta[(int64_t)i * m + j];
        uw__cholesky_solve(b->factor, b->o, column);
        for (int64_t i = 0; i < b->n; i++) {
            double sum = 0.0;
            for (int32_t l = 0; l < b->o; l++) sum += b->now[i * b->o + l] * column[l];
            y[i * m + j] -= sum;
        }
    }
}

/* log det of s [o, o] / n plus the ridge; work is overwritten. */
static double log_det(const bench *b, const double *s) {
    double sum = 0.0;
    for (int64_t i = 0; i < (int64_t)b->o * b->o; i++) b->work[i] = s[i] / (double)b->n;
    for (int32_t i = 0; i < b->o; i++) b->work[(int64_t)i * b->o + i] += RIDGE;
    if (!uw__cholesky(b->work, b->o, 0.0)) return NAN;
    for (int32_t i = 0; i < b->o; i++) sum += 2.0 * log(b->work[(int64_t)i * b->o + i]);
    return sum;
}

/* What actions [n, a] (their residual, in b->action) explain of the residual change: nats, and the
 * share of the change's variance. */
static double explained(bench *b, double *share) {
    uw__matrix_multiply_at(b->action, b->action, b->a, (int32_t)b->n, b->a, b->c);
    uw__matrix_multiply_at(b->action, b->change, b->a, (int32_t)b->n, b->o, b->k);
    for (int32_t i = 0; i < b->a; i++) b->c[(int64_t)i * b->a + i] += RIDGE * (double)b->n;
    *share = 0.0;
    if (!uw__cholesky(b->c, b->a, 0.0)) return 0.0;
    double column[MAX_ACTIONS];
    memcpy(b->left, b->s, (size_t)b->o * (size_t)b->o * sizeof *b->left);
    for (int32_t j = 0; j < b->o; j++) {
        for (int32_t i = 0; i < b->a; i++) column[i] = b->k[(int64_t)i * b->o + j];
        uw__cholesky_solve(b->c, b->a, column);
        for (int32_t l = 0; l < b->o; l++) {
            double sum = 0.0;
            for (int32_t i = 0; i < b->a; i++) sum += b->k[(int64_t)i * b->o + l] * column[i];
            b->left[(int64_t)l * b->o + j] -= sum;
            if (l == j) *share += sum / ((double)b->n * (double)b->o);
        }
    }
    return 0.5 * (b->log_det - log_det(b, b->left));
}

/* Give every unit the actions of another. */
static void shuffle(const effects *e, uw_rng *rng, double *out) {
    int32_t order[MAX_UNITS];
    const size_t block = (size_t)e->per_unit * (size_t)e->num_actions;
    for (int32_t i = 0; i < e->num_units; i++) {
        const int32_t j = (int32_t)uw__rng_below(rng, (uint32_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (int32_t i = 0; i < e->num_units; i++)
        memcpy(out + (size_t)i * block, e->action + (size_t)order[i] * block, block * sizeof *out);
}

/* Estimate one skip from now, change and action, all standardised. */
static void estimate(const effects *e, bench *b, int32_t k, uw_action_effect *out) {
    double null[SHUFFLES], share, null_share = 0.0;
    uw_rng rng = uw__rng(e->f->options->seed, UW_STREAM_SPLIT, UINT64_C(1) << 40 | (uint32_t)k);
    uw__matrix_multiply_at(b->now, b->now, b->o, (int32_t)b->n, b->o, b->factor);
    for (int32_t i = 0; i < b->o; i++) b->factor[(int64_t)i * b->o + i] += RIDGE * (double)b->n;
    *out = (uw_action_effect){.frameskip = k, .transitions = b->n, .p_value = NAN};
    if (!uw__cholesky(b->factor, b->o, 0.0)) return;
    residual(b, b->change, b->o);
    uw__matrix_multiply_at(b->change, b->change, b->o, (int32_t)b->n, b->o, b->s);
    b->log_det = log_det(b, b->s);
    memcpy(b->action, e->action, (size_t)b->n * (size_t)b->a * sizeof *b->action);
    residual(b, b->action, b->a);
    out->nats = explained(b, &out->share);
    int32_t reached = 0;
    for (int32_t i = 0; i < SHUFFLES; i++) {
        shuffle(e, &rng, b->action);
        residual(b, b->action, b->a);
        null[i] = explained(b, &share);
        null_share += share / SHUFFLES;
        reached += null[i] >= out->nats;
        out->null_mean += null[i] / SHUFFLES;
    }
    uw__sort(null, SHUFFLES);
    out->null_high = uw__quantile(null, SHUFFLES, 0.95);
    out->p_value = (1.0 + reached) / (1.0 + SHUFFLES);
    out->share -= null_share;
}

/* ---- all skips ---------------------------------------------------------------------------------
 */

static uw_status one_skip(effects *e, bench *b, int32_t k, uw_err *err) {
    uw_fitness_report *r = e->f->report;
    /* units too short for this skip go; those that stay keep their order */
    int32_t kept = 0;
    for (int32_t i = 0; i < e->num_units; i++)
        if (e->units[i].rows > k + 1) e->units[kept++] = e->units[i];
    e->num_units = kept;
    if (kept < LEAST_UNITS) return UW_OK;
    for (int32_t i = 0; i < kept; i++) {
        const uw_status s = read_unit(e, &e->units[i], err);
        if (s) return s;
        take_transitions(e, i, k);
    }
    b->n = (int64_t)kept * e->per_unit;
    standardise(e->now, b->n, b->o);
    standardise(e->change, b->n, b->o);
    standardise(e->action, b->n, b->a);
    b->now = e->now;
    b->change = e->change;
    estimate(e, b, k, &r->effects[r->num_effects++]);
    return UW_OK;
}

static uw_status make_room(effects *e, bench *b, uw_err *err) {
    const size_t n = (size_t)e->num_units * (size_t)e->per_unit, o = (size_t)e->num_observed;
    const size_t a = (size_t)e->num_actions, wide = o > a ? o : a;
    int64_t longest = 1;
    for (int32_t i = 0; i < e->num_units; i++)
        if (e->units[i].rows > longest) longest = e->units[i].rows;
    for (int32_t c = 0; c < uw_dataset_num_columns(e->f->data); c++) {
        const uw_column *column = uw_dataset_column(e->f->data, c);
        size_t row = uw_dtype_bytes(column->dtype);
        for (int32_t i = 0; i < column->num_dims; i++) row *= (size_t)column->shape[i];
        const size_t bytes = column->num_dims < 3 ? (size_t)longest * row : row;
        if (bytes > e->raw_bytes) e->raw_bytes = bytes;
    }
    e->raw = malloc(e->raw_bytes);
    e->rows_o = malloc((size_t)longest * o * sizeof(double));
    e->rows_a = malloc((size_t)longest * a * sizeof(double));
    e->now = malloc(n * o * sizeof(double));
    e->change = malloc(n * o * sizeof(double));
    e->action = malloc(n * a * sizeof(double));
    b->o = e->num_observed;
    b->a = e->num_actions;
    b->action = malloc(n * a * sizeof(double));
    b->factor = malloc(o * o * sizeof(double));
    b->beta = malloc(o * wide * sizeof(double));
    b->s = malloc(o * o * sizeof(double));
    b->work = malloc(o * o * sizeof(double));
    b->left = malloc(o * o * sizeof(double));
    b->c = malloc(a * a * sizeof(double));
    b->k = malloc(a * o * sizeof(double));
    if (e->raw && e->rows_o && e->rows_a && e->now && e->change && e->action && b->action &&
        b->factor && b->beta && b->s && b->work && b->left && b->c && b->k)
        return UW_OK;
    return uw_fail(err, UW_ENOMEM, "fitness: %zu transitions", n);
}

static void give_room(effects *e, bench *b) {
    double *const all[] = {e->rows_o, e->rows_a, e->now,  e->change, e->action,
                           b->action, b->factor, b->beta, b->s,      b->work,
                           b->left,   b->c,      b->k};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(e->raw);
}

/* Judge the sweep: the first skip that explains nearly as much as the best. */
static void tell(uw_fitness *f) {
    const uw_fitness_report *r = f->report;
    double best = -INFINITY;
    int32_t at = 0;
    for (int32_t i = 0; i < r->num_effects; i++)
        if (r->effects[i].share > best) best = r->effects[i].share;
    while (at < r->num_effects - 1 && r->effects[at].share < 0.9 * best) at++;
    const uw_action_effect *e = &r->effects[at];
    const double level = 0.05 / r->num_effects;
    const char *what = "actions explain %.1f %% of the change over %d rows (%.3f nats, %.3f with "
                       "other runs' actions, "
                       "p %.3f)";
    if (!(e->p_value <= level))
        uw__fitness_add(
            f, "actions matter", "", UW_FITNESS_BAD, e->p_value, level,
            "are actions recorded beside the rows they lead away from, and in the right order?",
            what, 100.0 * e->share, e->frameskip, e->nats, e->null_mean, e->p_value);
    else if (e->share < LEAST_SHARE)
        uw__fitness_add(f, "actions matter", "", UW_FITNESS_NOTE, e->share, LEAST_SHARE,
                        "what they do is small beside what happens anyway: a larger frameskip, or "
                        "stronger actions",
                        what, 100.0 * e->share, e->frameskip, e->nats, e->null_mean, e->p_value);
    else
        uw__fitness_add(f, "actions matter", "", UW_FITNESS_GOOD, e->share, LEAST_SHARE, "", what,
                        100.0 * e->share, e->frameskip, e->nats, e->null_mean, e->p_value);
}

uw_status uw__fitness_actions(uw_fitness *f, uw_err *err) {
    effects *e = calloc(1, sizeof *e);
    bench b = {0};
    uw_status s = UW_OK;
    if (!e) return uw_fail(err, UW_ENOMEM, "fitness: actions");
    e->f = f;
    choose_numbers(e);
    choose_units(e);
    bool recorded = false;
    for (int32_t i = 0; i < f->num_numbers; i++)
        recorded = recorded || f->numbers[i].kind == UW_NUMBER_ACTION;
    if (!e->num_actions || !e->num_observed) {
        uw__fitness_add(
            f, "actions matter", "", UW_FITNESS_UNKNOWN, NAN, NAN,
            recorded ? ""
                     : "nothing to mend if it is only watched; else name the columns with --action",
            "%s",
            !recorded         ? "no actions are recorded: a model can watch, not plan"
            : !e->num_actions ? "actions never change"
                              : "no observation changes");
        goto done;
    }
    s = make_room(e, &b, err);
    for (int32_t i = 0; i < NUM_SKIPS && !s; i++) {
        s = one_skip(e, &b, SKIPS[i], err);
        if (!s && !uw__progress(f->ctx, "actions", i + 1, NUM_SKIPS))
            s = uw_fail(err, UW_EINTERRUPTED, "fitness: stopped on request");
    }
    if (s) goto done;
    if (f->report->num_effects)
        tell(f);
    else
        uw__fitness_add(f, "actions matter", "", UW_FITNESS_UNKNOWN, e->num_units, LEAST_UNITS,
                        "record more, or longer, episodes",
                        "too few runs to compare with shuffled actions");
done:
    give_room(e, &b);
    free(e);
    return s;
}
