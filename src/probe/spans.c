/* Choosing, reading and imagining spans. */
#include "spans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/arena.h>

#include "internal.h"
#include "probe_internal.h"

/* ---- choosing and reading ------------------------------------------------------------------- */

typedef struct marked {
    const uw_dataset *data;
    const bool *mark;
    bool want;
} marked;

static int64_t starts_in(const marked *m, int64_t episode, int64_t span) {
    const int64_t rows = uw_dataset_episode_rows(m->data, episode);
    return m->mark[episode] == m->want && rows > span ? rows - span : 0;
}

/* Rows from the first frame of a span to its last. */
static int64_t rows_of(const uw_spans *s, int32_t steps) {
    return (int64_t)(s->history - 1 + steps) * s->skip;
}

static uw_status choose(uw_spans *s, const marked *m, int32_t steps, int32_t most) {
    const int64_t episodes = uw_dataset_episodes(m->data);
    int64_t total = 0;
    for (s->steps = steps; s->steps > 0; s->steps--) {
        total = 0;
        for (int64_t e = 0; e < episodes; e++) total += starts_in(m, e, rows_of(s, s->steps));
        if (total) break;
    }
    if (!total) return UW_OK;
    s->frames = s->history + s->steps;
    s->count = (int32_t)(total < most ? total : most);
    s->rows = malloc((size_t)s->count * (size_t)s->frames * sizeof *s->rows);
    if (!s->rows) return UW_ENOMEM;
    int64_t episode = 0, before = 0;
    for (int32_t w = 0; w < s->count; w++) {
        const int64_t at = (2 * w + 1) * total / (2 * s->count);
        for (;;) {
            const int64_t here = starts_in(m, episode, rows_of(s, s->steps));
            if (at < before + here) break;
            before += here;
            episode++;
        }
        for (int32_t f = 0; f < s->frames; f++)
            s->rows[w * s->frames + f] = (uw_row){episode, at - before + (int64_t)f * s->skip};
    }
    return UW_OK;
}

/* The raw actions of every decision of every span; what was before an episode, and gaps (NaN), are
 * 0. */
static uw_status read_actions(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                              uw_spans *s, uw_err *err) {
    char name[UW_MAX_COLUMN_NAME];
    uw__action_column(model, name, sizeof name);
    const int32_t column = uw_dataset_find(data, name, NULL);
    if (column < 0) return uw_fail(err, UW_ENOTFOUND, "%s: no such column in the dataset", name);
    const int32_t each = uw_model_config_of(model)->action_dim;
    if (uw__column_numbers(uw_dataset_column(data, column)) != each)
        return uw_fail(err, UW_ESHAPE, "%s: numbers per row, wanted %d, got %d", name, each,
                       uw__column_numbers(uw_dataset_column(data, column)));
    const int64_t per = (int64_t)(s->lead + s->frames - 1) * s->skip, n = s->count * per;
    uw_row *rows = malloc((size_t)n * sizeof *rows + 1);
    double *cells = malloc((size_t)n * (size_t)each * sizeof *cells + 1);
    uw_status status = UW_OK;
    if (!rows || !cells) {
        status = uw_fail(err, UW_ENOMEM, "%s: %lld rows", name, (long long)n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        const uw_row first = s->rows[i / per * s->frames];
        const int64_t row = first.row - s->lead * s->skip + i % per;
        rows[i] = (uw_row){first.episode, row < 0 ? 0 : row};
    }
    status = uw__rows_read(ctx, data, column, rows, n, cells, err);
    for (int64_t i = 0; i < n * each && !status; i++) {
        const int64_t row = i / each;
        const bool early = s->rows[row / per * s->frames].row - s->lead * s->skip + row % per < 0;
        s->actions[i] = isfinite(cells[i]) && !early ? (float)cells[i] : 0.0f;
    }
done:
    free(rows);
    free(cells);
    return status;
}

/* Spans that hold a row with a missing number tell nothing. */
static uw_status drop_holes(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                            uw_spans *s, uw_err *err) {
    const int64_t frames = (int64_t)s->count * s->frames;
    bool *whole = calloc((size_t)frames, sizeof *whole);
    if (!whole) return uw_fail(err, UW_ENOMEM, "drift: %lld frames", (long long)frames);
    const uw_status status = uw__rows_whole(ctx, data, observe, s->rows, frames, whole, err);
    if (!status) s->count = (int32_t)uw__rows_pack(s->rows, whole, s->count, s->frames);
    free(whole);
    return status;
}

uw_status uw__spans_load(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                         const uw_observe *observe, const bool *mark, bool want, int32_t steps,
                         int32_t most, uw_spans *out, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    uw_spans s = {.history = config->history_size > 1 ? config->history_size : 1,
                  .skip = config->frameskip > 1 ? config->frameskip : 1,
                  .dim = config->latent_dim};
    const marked m = {data, mark, want};
    s.action_dim = config->action_dim * s.skip;
    s.lead = config->action_history > 0;
    uw_status status = choose(&s, &m, steps, most);
    if (status) uw_fail(err, status, "drift: spans");
    if (status || !s.count) goto done;
    status = drop_holes(ctx, data, observe, &s, err);
    if (status || !s.count) goto done;
    const size_t frames = (size_t)s.count * (size_t)s.frames;
    const size_t moves = (size_t)s.count * (size_t)(s.lead + s.frames - 1);
    s.z = malloc(frames * (size_t)s.dim * sizeof *s.z);
    s.actions = calloc(moves * (size_t)s.action_dim + 1, sizeof *s.actions);
    if (!s.z || !s.actions) {
        status = uw_fail(err, UW_ENOMEM, "drift: %zu frames", frames);
        goto done;
    }
    if (s.action_dim) status = read_actions(ctx, model, data, &s, err);
    if (!status)
        status = uw__rows_encode(ctx, model, data, observe, s.rows, (int64_t)frames, s.z, err);
done:
    if (status)
        uw__spans_fini(&s);
    else
        *out = s;
    return status;
}

void uw__spans_fini(uw_spans *s) {
    free(s->rows);
    free(s->z);
    free(s->actions);
    *s = (uw_spans){0};
}

/* ---- imagining ------------------------------------------------------------------------------ */

typedef struct imagining {
    const uw_spans *s;
    const float *z0; /* [count, history, D]; NULL: as recorded */
    int32_t shift,
        steps;       /* actions are those of the span so many further on; decisions rolled out */
    float *imagined; /* [count, steps, D] */
    uw_dynamics *worker; /* [threads] */
    uw_status *status;   /* [count] */
} imagining;

static void rollout_task(void *arg, size_t index, int32_t worker) {
    const imagining *i = arg;
    const uw_spans *s = i->s;
    const uw_dynamics *dynamics = &i->worker[worker];
    const size_t d = (size_t)s->dim, a = (size_t)s->action_dim;
    const size_t per = (size_t)(s->lead + s->frames - 1);
    const size_t other = (index + (size_t)i->shift) % (size_t)s->count;
    const float *z0 =
        i->z0 ? i->z0 + index * (size_t)s->history * d : s->z + index * (size_t)s->frames * d;
    const float *past = s->lead + s->history > 1 ? s->actions + index * per * a : NULL;
    const float *actions = s->actions + (other * per + (size_t)(s->lead + s->history - 1)) * a;
    i->status[index] = dynamics->rollout(dynamics->self, z0, s->history, past, actions, 1, i->steps,
                                         i->imagined + index * (size_t)i->steps * d);
}

static uw_status imagine(uw_context *ctx, const uw_model *model, imagining *i, uw_err *err) {
    const uw_dynamics_limits limits = {.num_samples = 1, .horizon = i->steps};
    const size_t bytes =
        (uw_model_dynamics_memsize(model, &limits) + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN;
    const size_t threads = (size_t)uw__pool_threads(ctx->pool), count = (size_t)i->s->count;
    unsigned char *memory = NULL;
    uw_status s = UW_OK;
    if (!bytes) return uw_fail(err, UW_EINVAL, "drift: %d decisions are too many", i->steps);
    i->worker = calloc(threads, sizeof *i->worker);
    i->status = calloc(count, sizeof *i->status);
    memory = aligned_alloc(UW_ALIGN, threads * bytes);
    if (!i->worker || !i->status || !memory)
        s = uw_fail(err, UW_ENOMEM, "drift: %zu bytes of dynamics", threads * bytes);
    for (size_t t = 0; t < threads && !s; t++) {
        s = uw_model_dynamics_init(ctx, model, &limits, false, memory + t * bytes, bytes,
                                   &i->worker[t]);
        if (s) uw_fail(err, s, "drift: dynamics of %d steps: %s", i->steps, uw_status_str(s));
    }
    if (!s) uw__pool_run(ctx->pool, count, rollout_task, i);
    for (size_t w = 0; w < count && !s; w++)
        if (i->status[w])
            s = uw_fail(err, i->status[w], "drift: rollout: %s", uw_status_str(i->status[w]));
    free(i->worker);
    free(i->status);
    free(memory);
    return s;
}

uw_status uw__spans_imagine(uw_context *ctx, const uw_model *model, const uw_spans *spans,
                            const float *z0, float *imagined, uw_err *err) {
    imagining i = {.s = spans, .z0 = z0, .steps = spans->steps, .imagined = imagined};
    return imagine(ctx, model, &i, err);
}

static double distance(const float *a, const float *b, int32_t d) {
    double sum = 0.0;
    for (int32_t i = 0; i < d; i++) {
        const double e = (double)a[i] - (double)b[i];
        sum += e * e;
    }
    return sqrt(sum);
}

uw_status uw__spans_action_sensitivity(uw_context *ctx, const uw_model *model,
                                       const uw_spans *spans, double *out, uw_err *err) {
    const size_t floats = (size_t)spans->count * (size_t)spans->dim;
    *out = NAN;
    if (!spans->action_dim || spans->count < 2) return UW_OK;
    float *both = malloc(2 * floats * sizeof *both), *other = both + floats;
    if (!both) return uw_fail(err, UW_ENOMEM, "drift: %zu latents", floats);
    imagining mine = {.s = spans, .steps = 1, .imagined = both};
    imagining others = {.s = spans, .steps = 1, .shift = spans->count / 2, .imagined = other};
    uw_status s = imagine(ctx, model, &mine, err);
    if (!s) s = imagine(ctx, model, &others, err);
    double apart = 0.0, moved = 0.0;
    for (int32_t w = 0; w < spans->count && !s; w++) {
        const float *guess = both + (int64_t)w * spans->dim;
        apart += distance(guess, other + (int64_t)w * spans->dim, spans->dim);
        moved += distance(guess, uw__spans_at(spans, w, spans->history - 1), spans->dim);
    }
    if (!s && moved > 0.0) *out = apart / moved;
    free(both);
    return s;
}
