/* Open-loop drift: how far imagination and recording part after k decisions, against "nothing
 * changes".
 *
 * The rollouts go through uw_dynamics, the very calls that planners make.  The ratio to persistence
 * is what matters; the raw error depends on the latent's scale. */
#include "probe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/arena.h>

#include "internal.h"

enum { MAX_WINDOWS = 256 };

typedef struct drift {
    int32_t steps, history, skip; /* k, frames before the first decision, rows per decision */
    int32_t frames;               /* history + steps */
    int32_t num_windows, dim, action_dim; /* action_dim: numbers per decision */
    uw_row *rows;                         /* [windows, frames] */
    float *z;                             /* [windows, frames, D] encoded */
    float *imagined;                      /* [windows, steps, D] */
    float *actions;                       /* [windows, frames - 1, action_dim] */
    uw_dynamics *worker;                  /* [threads] */
    unsigned char *memory;                /* of the dynamics */
    uw_status *status;                    /* [windows] */
} drift;

/* ---- windows -------------------------------------------------------------------------------- */

static int64_t starts_in(const uw_dataset *data, int64_t episode, const bool *held, int64_t span) {
    const int64_t rows = uw_dataset_episode_rows(data, episode);
    return held[episode] && rows > span ? rows - span : 0;
}

/* Rows from the first frame of a window to its last. */
static int64_t span_of(const drift *d, int32_t steps) {
    return (int64_t)(d->history - 1 + steps) * d->skip;
}

/* Spread up to MAX_WINDOWS windows evenly over all starts in held episodes; steps shrinks until
 * some episode is long enough. */
static uw_status choose_windows(drift *d, const uw_dataset *data, const bool *held, int32_t steps) {
    const int64_t episodes = uw_dataset_episodes(data);
    int64_t total = 0;
    for (d->steps = steps; d->steps > 0; d->steps--) {
        total = 0;
        for (int64_t e = 0; e < episodes; e++)
            total += starts_in(data, e, held, span_of(d, d->steps));
        if (total) break;
    }
    if (!total) return UW_OK;
    d->frames = d->history + d->steps;
    d->num_windows = (int32_t)(total < MAX_WINDOWS ? total : MAX_WINDOWS);
    d->rows = malloc((size_t)d->num_windows * (size_t)d->frames * sizeof *d->rows);
    if (!d->rows) return UW_ENOMEM;
    int64_t episode = 0, before = 0;
    for (int32_t w = 0; w < d->num_windows; w++) {
        const int64_t at = (2 * w + 1) * total / (2 * d->num_windows);
        for (;;) {
            const int64_t here = starts_in(data, episode, held, span_of(d, d->steps));
            if (at < before + here) break;
            before += here;
            episode++;
        }
        for (int32_t f = 0; f < d->frames; f++)
            d->rows[w * d->frames + f] = (uw_row){episode, at - before + (int64_t)f * d->skip};
    }
    return UW_OK;
}

/* The raw actions of every decision of every window, NaN (a gap) as 0. */
static uw_status read_actions(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                              drift *d, uw_err *err) {
    char name[UW_MAX_COLUMN_NAME];
    uw__action_column(model, name, sizeof name);
    const int32_t column = uw_dataset_find(data, name, NULL);
    if (column < 0) return uw_fail(err, UW_ENOTFOUND, "%s: no such column in the dataset", name);
    const int32_t each = uw_model_config_of(model)->action_dim;
    if (uw__column_numbers(uw_dataset_column(data, column)) != each)
        return uw_fail(err, UW_ESHAPE, "%s: numbers per row, wanted %d, got %d", name, each,
                       uw__column_numbers(uw_dataset_column(data, column)));
    const int64_t per_window = (int64_t)(d->frames - 1) * d->skip, n = d->num_windows * per_window;
    uw_row *rows = malloc((size_t)n * sizeof *rows);
    double *cells = malloc((size_t)n * (size_t)each * sizeof *cells);
    uw_status s = UW_OK;
    if (!rows || !cells) {
        s = uw_fail(err, UW_ENOMEM, "%s: %lld rows", name, (long long)n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        const uw_row first = d->rows[i / per_window * d->frames];
        rows[i] = (uw_row){first.episode, first.row + i % per_window};
    }
    s = uw__rows_read(ctx, data, column, rows, n, cells, err);
    for (int64_t i = 0; i < n * each && !s; i++)
        d->actions[i] = isfinite(cells[i]) ? (float)cells[i] : 0.0f;
done:
    free(rows);
    free(cells);
    return s;
}

/* ---- rollouts ------------------------------------------------------------------------------- */

static uw_status make_dynamics(uw_context *ctx, const uw_model *model, drift *d) {
    const uw_dynamics_limits limits = {.num_samples = 1, .horizon = d->steps};
    const size_t bytes =
        (uw_model_dynamics_memsize(model, &limits) + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN;
    const size_t threads = (size_t)uw__pool_threads(ctx->pool);
    if (!bytes) return UW_EINVAL;
    d->worker = calloc(threads, sizeof *d->worker);
    d->memory = aligned_alloc(UW_ALIGN, threads * bytes);
    if (!d->worker || !d->memory) return UW_ENOMEM;
    uw_status s = UW_OK;
    for (size_t t = 0; t < threads && !s; t++)
        s = uw_model_dynamics_init(ctx, model, &limits, false, d->memory + t * bytes, bytes,
                                   &d->worker[t]);
    return s;
}

static void rollout_task(void *arg, size_t index, int32_t worker) {
    const drift *d = arg;
    const uw_dynamics *dynamics = &d->worker[worker];
    const float *actions = d->actions + index * (size_t)(d->frames - 1) * (size_t)d->action_dim;
    const float *past = d->history > 1 ? actions : NULL;
    d->status[index] = dynamics->rollout(
        dynamics->self, d->z + index * (size_t)d->frames * (size_t)d->dim, d->history, past,
        actions + (size_t)(d->history - 1) * (size_t)d->action_dim, 1, d->steps,
        d->imagined + index * (size_t)d->steps * (size_t)d->dim);
}

/* ---- what came of it ------------------------------------------------------------------------ */

static double squared(const float *a, const float *b, int32_t d) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += e * e;
    }
    return sum;
}

/* Mean squared distance of the decoded first state column, over windows, at one step. */
static double decoded_error(const drift *d, int32_t step, const uw_targets *targets,
                            const uw_ridge *probe, const double *truth, int32_t numbers) {
    double predicted[UW_MAX_PROBES], sum = 0.0;
    for (int32_t w = 0; w < d->num_windows; w++) {
        uw__ridge_predict(probe, d->imagined + ((int64_t)w * d->steps + step - 1) * d->dim, 1,
                          predicted);
        for (int32_t j = 0; j < targets->first_count; j++) {
            const int64_t at = ((int64_t)w * d->frames + d->history - 1 + step) * numbers;
            const double e = predicted[j] - truth[at + targets->number[j]];
            sum += e * e;
        }
    }
    return sum / (double)d->num_windows;
}

static void fill_rows(const drift *d, const uw_targets *targets, const uw_ridge *probe,
                      const double *truth, int32_t numbers, uw_probe_report *out) {
    const double scale = 1.0 / ((double)d->num_windows * (double)d->dim);
    for (int32_t step = 1; step <= d->steps; step++) {
        uw_drift_row *row = &out->drift[step - 1];
        *row = (uw_drift_row){.step = step, .rmse = NAN};
        for (int32_t w = 0; w < d->num_windows; w++) {
            const float *now = d->z + ((int64_t)w * d->frames + d->history - 1) * d->dim;
            const float *then = now + (int64_t)step * d->dim;
            const float *guess = d->imagined + ((int64_t)w * d->steps + step - 1) * d->dim;
            row->error += scale * squared(guess, then, d->dim);
            row->persistence += scale * squared(now, then, d->dim);
        }
        row->ratio = row->persistence > 0.0 ? row->error / row->persistence : NAN;
        if (truth) row->rmse = sqrt(decoded_error(d, step, targets, probe, truth, numbers));
    }
    out->num_drift = d->steps;
}

static uw_status drift_body(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                            const uw_observe *observe, drift *d, uw_err *err) {
    const size_t windows = (size_t)d->num_windows, frames = (size_t)d->frames, dim = (size_t)d->dim;
    d->z = malloc(windows * frames * dim * sizeof *d->z);
    d->imagined = malloc(windows * (size_t)d->steps * dim * sizeof *d->imagined);
    d->actions = calloc(windows * (frames - 1) * (size_t)d->action_dim + 1, sizeof *d->actions);
    d->status = calloc(windows, sizeof *d->status);
    if (!d->z || !d->imagined || !d->actions || !d->status)
        return uw_fail(err, UW_ENOMEM, "drift: %zu windows", windows);
    uw_status s = UW_OK;
    if (d->action_dim) s = read_actions(ctx, model, data, d, err);
    if (!s)
        s = uw__rows_encode(ctx, model, data, observe, d->rows, (int64_t)(windows * frames), d->z,
                            err);
    if (s) return s;
    s = make_dynamics(ctx, model, d);
    if (s) return uw_fail(err, s, "drift: dynamics of %d steps: %s", d->steps, uw_status_str(s));
    uw__pool_run(ctx->pool, windows, rollout_task, d);
    for (size_t w = 0; w < windows; w++)
        if (d->status[w])
            return uw_fail(err, d->status[w], "drift: rollout: %s", uw_status_str(d->status[w]));
    return UW_OK;
}

uw_status uw__drift_run(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                        const uw_observe *observe, const bool *held, int32_t steps,
                        const uw_targets *targets, const uw_ridge *probe, uw_probe_report *out,
                        uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    drift d = {.history = config->history_size > 1 ? config->history_size : 1,
               .skip = config->frameskip > 1 ? config->frameskip : 1,
               .dim = config->latent_dim};
    d.action_dim = config->action_dim * d.skip;
    double *truth = NULL;
    int32_t numbers = 0;
    out->num_drift = 0;
    uw_status s = choose_windows(&d, data, held, steps);
    if (s) uw_fail(err, s, "drift: windows");
    if (s || !d.num_windows) goto done;
    s = drift_body(ctx, model, data, observe, &d, err);
    if (s) goto done;
    if (probe && targets->first_count) {
        const int64_t n = (int64_t)d.num_windows * d.frames;
        numbers = uw__column_numbers(uw_dataset_column(data, targets->column[0]));
        truth = malloc((size_t)n * (size_t)numbers * sizeof *truth);
        s = truth ? uw__rows_read(ctx, data, targets->column[0], d.rows, n, truth, err)
                  : uw_fail(err, UW_ENOMEM, "drift: %lld rows", (long long)n);
        if (s) goto done;
    }
    fill_rows(&d, targets, probe, truth, numbers, out);
done:
    free(truth);
    free(d.rows);
    free(d.z);
    free(d.imagined);
    free(d.actions);
    free(d.worker);
    free(d.memory);
    free(d.status);
    return s;
}
