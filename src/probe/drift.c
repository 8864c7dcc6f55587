/* Open-loop drift: how far imagination and recording part after k decisions, against "nothing
 * changes", a linear model and a predictor fitted anew on the same latents.
 *
 * The ratio to persistence is what matters; the raw error depends on the latent's scale. */
#include "probe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "scorecard.h"

enum { MAX_FEATURES = 1024, LIMIT_STEP = 1 };
/* Share of the model's error that a new predictor must reach to say that the old one is the limit.
 */
#define LIMIT_GAIN 0.9
#define ROUNDING   1e-6 /* a model that stands still is no better than "nothing changes" */
#define PI         3.14159265358979323846

enum { MODEL, PERSISTENCE, LINEAR, HEAD, KINDS };
/* Sums of one step over one episode: windows and squared latent errors; windows with a state and
 * its squared distances; windows with angles and theirs. */
enum {
    COUNT,
    ERROR,
    PLACES = ERROR + KINDS,
    PLACE,
    TURNS = PLACE + KINDS,
    TURN,
    SUMS = TURN + KINDS
};
enum { V_ERROR, V_RATIO, V_LINEAR, V_HEAD, V_AGAINST_LINEAR, V_RMSE, V_DEGREES, VALUES };

typedef struct drift {
    const uw_spans *spans;
    const uw_decoder *decoder;
    float *imagined[KINDS]; /* [count, steps, D]; of MODEL, LINEAR and HEAD; NULL = none */
    double *truth;          /* [count, frames, numbers] the first state column; NULL = none */
    int32_t numbers;
} drift;

/* ---- baselines ------------------------------------------------------------------------------ */

/* What next latents are predicted from: the history's latents and the decision's action. */
typedef struct features {
    int32_t frames, dim; /* frames of history; numbers in all */
    double *mean,
        *inverse; /* [dim] of the rows fitted on: latents and actions have scales of their own */
} features;

static int32_t feature_frames(const uw_spans *s) {
    return s->history * s->dim + s->action_dim <= MAX_FEATURES ? s->history : 1;
}

/* x [dim] before decision k of span w, its last frames taken from `imagined` where they lie beyond
 * the history. */
static void feature_row(const features *f, const uw_spans *s, const float *imagined, int32_t w,
                        int32_t k, float *x) {
    for (int32_t i = 0; i < f->frames; i++) {
        const int32_t frame = s->history + k - f->frames + i;
        const float *z = frame < s->history
                             ? uw__spans_at(s, w, frame)
                             : imagined + ((int64_t)w * s->steps + frame - s->history) * s->dim;
        memcpy(x + i * s->dim, z, (size_t)s->dim * sizeof *x);
    }
    if (s->action_dim)
        memcpy(x + f->frames * s->dim, uw__spans_action(s, w, k),
               (size_t)s->action_dim * sizeof *x);
}

static void standardise(const features *f, float *x, int64_t n) {
    for (int64_t r = 0; r < n; r++)
        for (int32_t i = 0; i < f->dim; i++)
            x[r * f->dim + i] = (float)(((double)x[r * f->dim + i] - f->mean[i]) * f->inverse[i]);
}

static void fit_standards(features *f, const float *x, int64_t n) {
    for (int32_t i = 0; i < f->dim; i++) {
        double sum = 0.0, square = 0.0;
        for (int64_t r = 0; r < n; r++) sum += (double)x[r * f->dim + i];
        f->mean[i] = sum / (double)n;
        for (int64_t r = 0; r < n; r++) {
            const double e = (double)x[r * f->dim + i] - f->mean[i];
            square += e * e;
        }
        f->inverse[i] = square > 1e-24 * (double)n ? 1.0 / sqrt(square / (double)n) : 1.0;
    }
}

/* Roll a fitted step out over all spans: at every decision one batch of rows. */
static void roll(const uw_kernels *kernels, const features *f, const uw_spans *s,
                 const uw_ridge *ridge, uw_mlp *mlp, float *x, double *step, float *imagined) {
    for (int32_t k = 0; k < s->steps; k++) {
        for (int32_t w = 0; w < s->count; w++)
            feature_row(f, s, imagined, w, k, x + (int64_t)w * f->dim);
        standardise(f, x, s->count);
        if (ridge)
            uw__ridge_predict(ridge, x, s->count, step);
        else
            uw__mlp_predict(kernels, mlp, x, s->count, step);
        for (int32_t w = 0; w < s->count; w++) {
            const float *now = k ? imagined + ((int64_t)w * s->steps + k - 1) * s->dim
                                 : uw__spans_at(s, w, s->history - 1);
            float *next = imagined + ((int64_t)w * s->steps + k) * s->dim;
            for (int32_t i = 0; i < s->dim; i++)
                next[i] = now[i] + (float)step[(int64_t)w * s->dim + i];
        }
    }
}

/* Fit the linear model and the new head on one-decision spans of the other episodes, and roll them
 * out. */
static uw_status baselines(uw_context *ctx, const uw_spans *fit, uint64_t seed, drift *d) {
    const uw_spans *s = d->spans;
    features f = {.frames = feature_frames(s)};
    f.dim = f.frames * s->dim + s->action_dim;
    const int64_t n = fit->count, most = n > s->count ? n : s->count;
    const size_t sd = (size_t)s->dim, floats = (size_t)s->count * (size_t)s->steps * sd;
    float *x = malloc((size_t)most * (size_t)f.dim * sizeof *x);
    double *y = malloc((size_t)most * sd * sizeof *y);
    double *standards = malloc(2 * (size_t)f.dim * sizeof *standards);
    uw_ridge ridge = {0};
    uw_mlp *mlp = NULL;
    uw_status status = UW_ENOMEM;
    d->imagined[LINEAR] = malloc(floats * sizeof(float));
    d->imagined[HEAD] = malloc(floats * sizeof(float));
    if (!x || !y || !standards || !d->imagined[LINEAR] || !d->imagined[HEAD]) goto done;
    f.mean = standards;
    f.inverse = standards + f.dim;
    for (int32_t w = 0; w < fit->count; w++) {
        const float *now = uw__spans_at(fit, w, fit->history - 1), *then = now + sd;
        feature_row(&f, fit, NULL, w, 0, x + (int64_t)w * f.dim);
        for (size_t i = 0; i < sd; i++) y[(size_t)w * sd + i] = (double)then[i] - (double)now[i];
    }
    fit_standards(&f, x, n);
    standardise(&f, x, n);
    status = uw__ridge_fit(ctx->pool, x, y, n, f.dim, s->dim, &ridge);
    if (!status) status = uw__mlp_fit(ctx->kernels, x, y, n, f.dim, s->dim, seed, &mlp);
    if (status) goto done;
    roll(ctx->kernels, &f, s, &ridge, NULL, x, y, d->imagined[LINEAR]);
    roll(ctx->kernels, &f, s, NULL, mlp, x, y, d->imagined[HEAD]);
done:
    uw__ridge_fini(&ridge);
    uw__mlp_free(mlp);
    free(x);
    free(y);
    free(standards);
    return status;
}

/* ---- errors --------------------------------------------------------------------------------- */

static double squared(const float *a, const float *b, int32_t d) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += e * e;
    }
    return sum;
}

static const float *guess_of(const drift *d, int kind, int32_t w, int32_t step) {
    const uw_spans *s = d->spans;
    if (kind == PERSISTENCE) return uw__spans_at(s, w, s->history - 1);
    return d->imagined[kind] ? d->imagined[kind] + ((int64_t)w * s->steps + step - 1) * s->dim
                             : NULL;
}

/* Add the squared errors of one decoded guess, of places and of turns; false when the truth has
 * gaps. */
static bool decoded_errors(const drift *d, const float *guess, const double *truth, double *place,
                           double *turn) {
    const uw_targets *t = d->decoder->targets;
    double value[UW_MAX_PROBES];
    *place = *turn = 0.0;
    uw__decode(d->decoder, guess, value);
    for (int32_t j = 0; j < t->first_count; j++) {
        const double want = truth[t->number[j]], radians = t->radians[j];
        if (!isfinite(want - value[j])) return false;
        if (radians > 0.0) {
            const double e = uw__angle_between(radians * value[j], radians * want);
            *turn += e * e;
        } else if (uw__target_is_place(t, j)) {
            *place += (value[j] - want) * (value[j] - want);
        }
    }
    return true;
}

static void add_window(const drift *d, int32_t w, int32_t step, double *sums) {
    const uw_spans *s = d->spans;
    const float *then = uw__spans_at(s, w, s->history - 1 + step);
    const double *truth =
        d->truth ? d->truth + ((int64_t)w * s->frames + s->history - 1 + step) * d->numbers : NULL;
    bool decoded = truth != NULL;
    sums[COUNT] += 1.0;
    for (int kind = 0; kind < KINDS; kind++) {
        const float *guess = guess_of(d, kind, w, step);
        double place, turn;
        if (!guess) continue;
        sums[ERROR + kind] += squared(guess, then, s->dim) / (double)s->dim;
        if (!decoded) continue;
        decoded = decoded_errors(d, guess, truth, &place, &turn);
        if (!decoded) continue;
        sums[PLACE + kind] += place;
        sums[TURN + kind] += turn;
    }
    if (decoded) sums[PLACES] += 1.0;
    if (decoded) sums[TURNS] += (double)d->decoder->turns;
}

static double ratio(double a, double b) {
    return b > 0.0 ? a / b : NAN;
}

static void evaluate(const void *arg, const double *total, double *scratch, double *values) {
    const drift *d = arg;
    (void)scratch;
    for (int32_t k = 0; k < d->spans->steps; k++) {
        const double *s = total + k * SUMS;
        double *v = values + k * VALUES;
        v[V_ERROR] = s[ERROR + MODEL] / s[COUNT];
        v[V_RATIO] = ratio(s[ERROR + MODEL], s[ERROR + PERSISTENCE]);
        v[V_LINEAR] = ratio(s[ERROR + LINEAR], s[ERROR + PERSISTENCE]);
        v[V_HEAD] = ratio(s[ERROR + HEAD], s[ERROR + PERSISTENCE]);
        v[V_AGAINST_LINEAR] = ratio(s[ERROR + MODEL], s[ERROR + LINEAR]);
        v[V_RMSE] = sqrt(ratio(s[PLACE + MODEL], s[PLACES]));
        v[V_DEGREES] = 180.0 / PI * sqrt(ratio(s[TURN + MODEL], s[TURNS]));
    }
    const double *at = total + (LIMIT_STEP - 1) * SUMS;
    values[d->spans->steps * VALUES] = ratio(at[ERROR + HEAD], at[ERROR + MODEL]);
}

/* ---- what came of it ------------------------------------------------------------------------ */

static void keep(double *value, double interval[2], const uw_estimate *e, bool known) {
    *value = known ? e->point : NAN;
    interval[0] = interval[1] = NAN;
    if (known) uw__percentiles(e, interval);
}

static void fill_row(const drift *d, const double *total, const uw_estimate *e, int32_t step,
                     uw_drift_row *row) {
    const bool fitted = d->imagined[LINEAR] != NULL, placed = d->truth && d->decoder->places;
    const bool turned = d->truth && d->decoder->turns;
    *row = (uw_drift_row){.step = step, .linear = NAN, .head = NAN};
    keep(&row->error, row->error_ci, &e[V_ERROR], true);
    keep(&row->ratio, row->ratio_ci, &e[V_RATIO], true);
    keep(&row->linear_ratio, row->linear_ratio_ci, &e[V_LINEAR], fitted);
    keep(&row->head_ratio, row->head_ratio_ci, &e[V_HEAD], fitted);
    keep(&row->rmse, row->rmse_ci, &e[V_RMSE], placed);
    keep(&row->degrees, row->degrees_ci, &e[V_DEGREES], turned);
    row->persistence = total[ERROR + PERSISTENCE] / total[COUNT];
    if (fitted) row->linear = total[ERROR + LINEAR] / total[COUNT];
    if (fitted) row->head = total[ERROR + HEAD] / total[COUNT];
    row->persistence_rmse = row->linear_rmse = row->head_rmse = row->persistence_degrees = NAN;
    if (placed) row->persistence_rmse = sqrt(ratio(total[PLACE + PERSISTENCE], total[PLACES]));
    if (placed && fitted) row->linear_rmse = sqrt(ratio(total[PLACE + LINEAR], total[PLACES]));
    if (placed && fitted) row->head_rmse = sqrt(ratio(total[PLACE + HEAD], total[PLACES]));
    if (turned)
        row->persistence_degrees =
            180.0 / PI * sqrt(ratio(total[TURN + PERSISTENCE], total[TURNS]));
}

/* Steps from the first on that are below 1 with their whole interval; without intervals, with their
 * value. */
static int32_t horizon(const uw_estimate *e, int32_t steps, int value) {
    int32_t k = 0;
    while (k < steps) {
        const uw_estimate *at = &e[k * VALUES + value];
        double interval[2];
        uw__percentiles(at, interval);
        if (!((isfinite(interval[1]) ? interval[1] : at->point) < 1.0 - ROUNDING)) break;
        k++;
    }
    return k;
}

static void fill(const drift *d, const double *sums, int32_t episodes, const uw_estimate *e,
                 uw_probe_report *out) {
    const int32_t steps = d->spans->steps;
    for (int32_t k = 0; k < steps; k++) {
        double total[SUMS] = {0};
        for (int32_t g = 0; g < episodes; g++)
            for (int i = 0; i < SUMS; i++) total[i] += sums[(g * steps + k) * SUMS + i];
        fill_row(d, total, e + k * VALUES, k + 1, &out->drift[k]);
    }
    out->num_drift = steps;
    out->drift_windows = d->spans->count;
    out->drift_episodes = episodes;
    out->horizon = horizon(e, steps, V_RATIO);
    out->horizon_linear = d->imagined[LINEAR] ? horizon(e, steps, V_AGAINST_LINEAR) : 0;
    out->limit_step = LIMIT_STEP;
    keep(&out->head_gain, out->head_gain_ci, &e[steps * VALUES], d->imagined[HEAD] != NULL);
    out->limit = out->head_gain_ci[1] < LIMIT_GAIN   ? UW_LIMIT_PREDICTOR
                 : out->head_gain_ci[0] > LIMIT_GAIN ? UW_LIMIT_ENCODER
                                                     : UW_LIMIT_UNKNOWN;
}

static uw_status score(uw_context *ctx, const drift *d, const uw_probe_options *o,
                       uw_probe_report *out) {
    const uw_spans *s = d->spans;
    int32_t episodes = 0;
    for (int32_t w = 0; w < s->count; w++)
        episodes +=
            w == 0 || s->rows[w * s->frames].episode != s->rows[(w - 1) * s->frames].episode;
    double *sums = calloc((size_t)episodes * (size_t)s->steps * SUMS, sizeof *sums);
    uw_estimate *e = calloc((size_t)s->steps * VALUES + 1, sizeof *e);
    uw_status status = sums && e ? UW_OK : UW_ENOMEM;
    if (status) goto done;
    int32_t group = -1;
    for (int32_t w = 0; w < s->count; w++) {
        group += w == 0 || s->rows[w * s->frames].episode != s->rows[(w - 1) * s->frames].episode;
        for (int32_t k = 0; k < s->steps; k++)
            add_window(d, w, k + 1, sums + ((int64_t)group * s->steps + k) * SUMS);
    }
    const uw_bootstrap b = {.sums = sums,
                            .groups = episodes,
                            .size = (int64_t)s->steps * SUMS,
                            .count = s->steps * VALUES + 1,
                            .eval = evaluate,
                            .arg = d};
    status = uw__bootstrap(ctx->pool, &b, episodes < UW_PROBE_MIN_EPISODES ? 0 : o->resamples,
                           o->seed, e);
    if (!status) fill(d, sums, episodes, e, out);
done:
    free(sums);
    free(e);
    return status;
}

uw_status uw__drift_run(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                        const uw_spans *spans, const uw_spans *fit, const uw_decoder *decoder,
                        const uw_probe_options *o, uw_probe_report *out, uw_err *err) {
    drift d = {.spans = spans, .decoder = decoder};
    const uw_targets *t = decoder->targets;
    uw_status s = UW_OK;
    out->num_drift = 0;
    out->head_gain = out->head_gain_ci[0] = out->head_gain_ci[1] = NAN;
    if (!spans->count) return UW_OK;
    const size_t floats = (size_t)spans->count * (size_t)spans->steps * (size_t)spans->dim;
    d.imagined[MODEL] = malloc(floats * sizeof(float));
    s = d.imagined[MODEL] ? uw__spans_imagine(ctx, model, spans, NULL, d.imagined[MODEL], err)
                          : uw_fail(err, UW_ENOMEM, "drift: %zu latents", floats);
    if (!s && fit->count > 1 && baselines(ctx, fit, o->seed, &d))
        s = uw_fail(err, UW_ENOMEM, "drift: baselines of %d rows", fit->count);
    if (!s && decoder->ridge.memory && t->first_count) {
        const int64_t n = (int64_t)spans->count * spans->frames;
        d.numbers = uw__column_numbers(uw_dataset_column(data, t->column[0]));
        d.truth = malloc((size_t)n * (size_t)d.numbers * sizeof *d.truth);
        s = d.truth ? uw__rows_read(ctx, data, t->column[0], spans->rows, n, d.truth, err)
                    : uw_fail(err, UW_ENOMEM, "drift: %lld rows", (long long)n);
    }
    if (!s && score(ctx, &d, o, out)) s = uw_fail(err, UW_ENOMEM, "drift: %d spans", spans->count);
    for (int kind = 0; kind < KINDS; kind++) free(d.imagined[kind]);
    free(d.truth);
    return s;
}
