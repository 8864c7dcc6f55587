/* Prediction errors along an episode.
 *
 * Trap: a step is scored only when its whole history is there.  After a gap the history starts
 * again from one latent, as the controller's does. */
#include "foresight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/arena.h>

#include "internal.h"
#include "probe_internal.h"

/* ---- predicting ----------------------------------------------------------------------------- */

uw_status uw__foresight_init(uw_context *ctx, const uw_model *model, int32_t steps,
                             uw_foresight *out, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    const int32_t skip = config->frameskip > 1 ? config->frameskip : 1;
    const uw_dynamics_limits limits = {.num_samples = 1, .horizon = steps};
    const size_t bytes =
        (uw_model_dynamics_memsize(model, &limits) + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN;
    const size_t threads = (size_t)uw__pool_threads(ctx->pool);
    *out = (uw_foresight){.ctx = ctx, .model = model, .steps = steps, .dim = config->latent_dim};
    out->action_dim = config->action_dim * skip;
    if (!bytes) return uw_fail(err, UW_EINVAL, "surprise: %d steps ahead are too many", steps);
    out->worker = calloc(threads, sizeof *out->worker);
    out->memory = aligned_alloc(UW_ALIGN, threads * bytes);
    out->guess = malloc(threads * (size_t)steps * (size_t)out->dim * sizeof *out->guess);
    if (!out->worker || !out->memory || !out->guess)
        return uw_fail(err, UW_ENOMEM, "surprise: %zu bytes of dynamics", threads * bytes);
    uw_status s = UW_OK;
    for (size_t t = 0; t < threads && !s; t++)
        s = uw_model_dynamics_init(ctx, model, &limits, false, out->memory + t * bytes, bytes,
                                   &out->worker[t]);
    if (s) return uw_fail(err, s, "surprise: dynamics: %s", uw_status_str(s));
    out->history = out->worker[0].dims.history_size;
    out->lead = out->worker[0].dims.lead;
    return UW_OK;
}

uw_foresight uw__foresight_still(const uw_foresight *like) {
    uw_foresight still = *like;
    still.model = NULL;
    still.worker = NULL;
    still.memory = NULL;
    still.guess = NULL;
    return still;
}

void uw__foresight_fini(uw_foresight *f) {
    free(f->worker);
    free(f->memory);
    free(f->guess);
    *f = (uw_foresight){0};
}

/* ---- an episode ------------------------------------------------------------------------------ */

uw_status uw__track_resize(uw_track *track, int64_t length, const uw_foresight *f) {
    if (length > track->capacity) {
        const size_t n = (size_t)length, d = (size_t)f->dim;
        uw__track_fini(track);
        track->z = malloc(n * d * sizeof *track->z);
        track->usable = malloc(n * sizeof *track->usable);
        track->actions = malloc(((n + 1) * (size_t)f->action_dim + 1) * sizeof *track->actions);
        track->error = malloc(n * d * sizeof *track->error);
        track->scored = malloc(n * sizeof *track->scored);
        track->run = malloc(n * sizeof *track->run);
        track->status = malloc(n * sizeof *track->status);
        if (!track->z || !track->usable || !track->actions || !track->error || !track->scored ||
            !track->run || !track->status) {
            uw__track_fini(track);
            return UW_ENOMEM;
        }
        track->capacity = length;
    }
    track->length = length;
    return UW_OK;
}

void uw__track_fini(uw_track *track) {
    free(track->z);
    free(track->usable);
    free(track->actions);
    free(track->error);
    free(track->scored);
    free(track->run);
    free(track->status);
    *track = (uw_track){0};
}

typedef struct errors_job {
    const uw_foresight *f;
    uw_track *track;
} errors_job;

/* Predict step t from the steps up to t - k, and take the error. */
static void error_task(void *arg, size_t t, int32_t worker) {
    const errors_job *job = arg;
    const uw_foresight *f = job->f;
    uw_track *track = job->track;
    const int64_t from = (int64_t)t - f->steps; /* the newest latent that is known */
    track->status[t] = UW_OK;
    track->scored[t] = from >= 0 && track->usable[t] && track->usable[from];
    if (!track->scored[t]) return;
    const size_t d = (size_t)f->dim, a = (size_t)f->action_dim;
    const float *now = track->z + t * d, *guess = track->z + (size_t)from * d;
    float *error = track->error + t * d;
    if (f->model) {
        const uw_dynamics *dynamics = &f->worker[worker];
        const int32_t h = track->run[from];
        const size_t first = (size_t)(from - h + 1);
        const float *past = track->actions + (first + 1 - (size_t)f->lead) * a;
        float *z = f->guess + (size_t)worker * (size_t)f->steps * d;
        track->status[t] =
            dynamics->rollout(dynamics->self, track->z + first * d, h, past,
                              track->actions + (size_t)(from + 1) * a, 1, f->steps, z);
        if (track->status[t]) return;
        guess = z + (size_t)(f->steps - 1) * d;
    }
    for (size_t i = 0; i < d; i++) {
        error[i] = now[i] - guess[i];
        if (!isfinite(error[i])) track->status[t] = UW_ENONFINITE;
    }
}

uw_status uw__foresight_errors(const uw_foresight *f, uw_track *track, uw_err *err) {
    errors_job job = {f, track};
    memset(track->actions, 0, (size_t)f->action_dim * sizeof *track->actions);
    for (int64_t t = 0; t < track->length; t++) {
        const int32_t before = t ? track->run[t - 1] : 0;
        track->run[t] = !track->usable[t] ? 0 : before < f->history ? before + 1 : f->history;
    }
    uw__pool_run(f->ctx->pool, (size_t)track->length, error_task, &job);
    for (int64_t t = 0; t < track->length; t++)
        if (track->status[t])
            return uw_fail(err, track->status[t], "model: prediction of step %lld: %s",
                           (long long)t, uw_status_str(track->status[t]));
    return UW_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

uw_status uw__episode_reader_init(uw_context *ctx, const uw_model *model, uw_dataset *data,
                                  uw_episode_reader *out, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    uw_episode_reader r = {.ctx = ctx, .model = model, .data = data, .action_column = -1};
    r.skip = config->frameskip > 1 ? config->frameskip : 1;
    const uw_status s = uw__observe_find(model, data, &r.observe, err);
    if (s) return s;
    if (config->action_dim > 0) {
        char name[UW_MAX_COLUMN_NAME];
        uw__action_column(model, name, sizeof name);
        r.action_column = uw_dataset_find(data, name, NULL);
        if (r.action_column < 0)
            return uw_fail(err, UW_ESHAPE, "%s: no such column in the dataset, wanted the actions",
                           name);
        const int32_t got = uw__column_numbers(uw_dataset_column(data, r.action_column));
        if (got != config->action_dim)
            return uw_fail(err, UW_ESHAPE, "%s: numbers per row, wanted %d, got %d", name,
                           config->action_dim, got);
    }
    *out = r;
    return UW_OK;
}

int64_t uw__episode_steps(const uw_episode_reader *reader, int64_t episode) {
    const int64_t rows = uw_dataset_episode_rows(reader->data, episode);
    return rows > 0 ? (rows - 1) / reader->skip + 1 : 0;
}

/* Mark the steps whose observed numbers are all finite. */
static uw_status find_usable(const uw_episode_reader *r, const uw_row *rows, uw_track *track,
                             uw_err *err) {
    const int64_t n = track->length;
    uw_status s = UW_OK;
    for (int64_t t = 0; t < n; t++) track->usable[t] = true;
    for (int32_t c = 0; c < r->observe.count && !s && !r->observe.pictures; c++) {
        const int32_t numbers =
            uw__column_numbers(uw_dataset_column(r->data, r->observe.column[c]));
        double *cells = malloc((size_t)n * (size_t)numbers * sizeof *cells + 1);
        s = cells ? uw__rows_read(r->ctx, r->data, r->observe.column[c], rows, n, cells, err)
                  : uw_fail(err, UW_ENOMEM, "surprise: %lld steps", (long long)n);
        for (int64_t i = 0; i < n * numbers && !s; i++)
            if (!isfinite(cells[i])) track->usable[i / numbers] = false;
        free(cells);
    }
    return s;
}

/* The action blocks of all steps but the last, which leads nowhere. */
static uw_status read_actions(const uw_episode_reader *r, int64_t episode, uw_track *track,
                              uw_err *err) {
    const int64_t n = (track->length - 1) * r->skip;
    const int32_t each = uw_model_config_of(r->model)->action_dim;
    if (r->action_column < 0 || n == 0) return UW_OK;
    uw_row *rows = malloc((size_t)n * sizeof *rows);
    double *cells = malloc((size_t)n * (size_t)each * sizeof *cells);
    uw_status s = UW_OK;
    if (!rows || !cells) {
        s = uw_fail(err, UW_ENOMEM, "surprise: %lld rows of actions", (long long)n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) rows[i] = (uw_row){episode, i};
    s = uw__rows_read(r->ctx, r->data, r->action_column, rows, n, cells, err);
    float *to = track->actions + (size_t)each * (size_t)r->skip;
    for (int64_t i = 0; i < n * each && !s; i++)
        to[i] = isfinite(cells[i]) ? (float)cells[i] : 0.0f;
done:
    free(rows);
    free(cells);
    return s;
}

uw_status uw__episode_read(const uw_episode_reader *r, int64_t episode, uw_track *track,
                           uw_err *err) {
    const int64_t n = track->length;
    const size_t d = (size_t)uw_model_config_of(r->model)->latent_dim;
    uw_row *rows = malloc((size_t)n * sizeof *rows + 1);
    uw_status s = rows ? UW_OK : uw_fail(err, UW_ENOMEM, "surprise: %lld steps", (long long)n);
    if (s) return s;
    uw_context quiet = *r->ctx; /* progress is told by episode, not by frame */
    quiet.options.progress = NULL;
    for (int64_t t = 0; t < n; t++) rows[t] = (uw_row){episode, t * r->skip};
    s = find_usable(r, rows, track, err);
    /* Encode what can be used, packed at the front; then spread it out from the back. */
    int64_t packed = 0;
    for (int64_t t = 0; t < n && !s; t++)
        if (track->usable[t]) rows[packed++] = rows[t];
    if (!s && packed)
        s = uw__rows_encode(&quiet, r->model, r->data, &r->observe, rows, packed, track->z, err);
    for (int64_t t = n - 1; t >= 0 && !s; t--) {
        float *to = track->z + (size_t)t * d;
        if (track->usable[t])
            memmove(to, track->z + (size_t)--packed * d, d * sizeof *to);
        else
            memset(to, 0, d * sizeof *to);
    }
    if (!s) s = read_actions(r, episode, track, err);
    free(rows);
    return s;
}
