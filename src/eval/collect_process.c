/* Collecting a process: its columns as it writes them, one episode after the other.  Episodes are
 * short work, so they are not spread over threads; the bytes are a function of the options. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "eval_internal.h"
#include "fileio.h"
#include "internal.h"
#include "process.h"
#include "variation.h"

enum { MAX_VARIATION_TEXT = 2048, USUAL_EPISODE_BYTES = 1 << 30 };

typedef struct work {
    const uw_process *process;
    const uw_collect_options *options;
    uw_variation variation;
    double values[UW_MAX_FACTOR_VALUES]; /* of episode 0 */
    uw_column columns[UW_MAX_READINGS];
    int32_t count; /* of columns */
    int32_t width; /* numbers of a row */
    int64_t rows;  /* of an episode */
    double *drawn; /* [rows, width] */
    float *cells;  /* [width, rows], column after column */
} work;

static uw_status resolve(const work *w, int64_t episode, double *values, uw_err *err) {
    bool fixed[UW_MAX_FACTOR_VALUES];
    return uw_variation_resolve(w->process->facts, &w->variation, w->options->seed,
                                (uint64_t)episode, values, fixed, err);
}

/* What is said of acting and looking says nothing here. */
static uw_status check_options(const work *w, const char *path, uw_err *err) {
    const uw_collect_options *o = w->options;
    if (o->episodes < 1 || o->steps < 0 || o->steps == INT32_MAX)
        return uw_fail(err, UW_EINVAL, "%s: wanted at least 1 episode of 1 step, got %d of %d",
                       path, (int)o->episodes, (int)o->steps);
    if (!o->policy && o->action_repeat <= 1) return UW_OK;
    uw_fail(err, UW_EINVAL, "%s: %s is a process: it takes no %s", path, w->process->facts->name,
            o->policy ? "policy" : "hold");
    uw_err_fix(err, "umwelt inspect %s lists what can be set", w->process->facts->name);
    return UW_EINVAL;
}

static uw_status make_columns(work *w, const char *path, uw_err *err) {
    uw_reading readings[UW_MAX_READINGS];
    w->count = w->process->columns(w->values, readings);
    for (int32_t c = 0; c < w->count; c++) {
        uw_column *to = &w->columns[c];
        *to = (uw_column){.dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {readings[c].dim}};
        strcpy(to->name, readings[c].name);
        w->width += readings[c].dim;
    }
    const size_t numbers = (size_t)w->rows * (size_t)w->width;
    const bool fits = numbers <= USUAL_EPISODE_BYTES / sizeof *w->drawn;
    w->drawn = fits ? malloc(numbers * sizeof *w->drawn) : NULL;
    w->cells = fits ? malloc(numbers * sizeof *w->cells) : NULL;
    if (w->drawn && w->cells) return UW_OK;
    uw_fail(err, UW_ENOMEM, "%s: no memory for an episode of %lld rows", path, (long long)w->rows);
    uw_err_fix(err, "record shorter episodes (--steps)");
    return UW_ENOMEM;
}

static bool has_columns(const work *w, const double *values) {
    uw_reading readings[UW_MAX_READINGS];
    bool same = w->process->columns(values, readings) == w->count;
    for (int32_t c = 0; same && c < w->count; c++)
        same = readings[c].dim == w->columns[c].shape[0] &&
               !strcmp(readings[c].name, w->columns[c].name);
    return same;
}

/* A factor may differ between episodes, unless it changes what a row is: refused before a file is
 * made. */
static uw_status check_episodes(const work *w, const char *path, uw_err *err) {
    double values[UW_MAX_FACTOR_VALUES];
    bool same = true;
    for (int64_t e = 0; same && e < w->options->episodes; e++) {
        const uw_status s = resolve(w, e, values, err);
        if (s) return s;
        same = has_columns(w, values);
    }
    if (same) return UW_OK;
    uw_fail(err, UW_EINVAL, "%s: %s: wanted the same columns in every episode", path,
            w->process->facts->name);
    uw_err_fix(err, "give the factors that change them a value instead of ~sample");
    return UW_EINVAL;
}

static uw_status record(work *w, uw_context *ctx, const char *path, uw_recorder *rec,
                        int64_t episode, uw_err *err) {
    double values[UW_MAX_FACTOR_VALUES];
    const void *cells[UW_MAX_READINGS];
    uw_status s = resolve(w, episode, values, err);
    if (s) return s;
    s = w->process->record(values, w->options->seed, (uint64_t)episode, w->rows, w->drawn);
    if (s) return uw_fail(err, s, "%s: no memory for an episode", path);
    float *to = w->cells;
    for (int32_t c = 0, first = 0; c < w->count; first += (int32_t)w->columns[c++].shape[0]) {
        cells[c] = to;
        for (int64_t t = 0; t < w->rows; t++)
            for (int64_t i = 0; i < w->columns[c].shape[0]; i++)
                *to++ = (float)w->drawn[t * w->width + first + i];
    }
    return uw_recorder_episode(rec, ctx, cells, w->rows, err);
}

static uw_status run(work *w, uw_context *ctx, const char *path, uw_recorder *rec, uw_err *err) {
    const int64_t total = w->options->episodes;
    for (int64_t done = uw_recorder_episodes(rec); done < total;) {
        const uw_status s = record(w, ctx, path, rec, done, err);
        if (s) return s;
        done++;
        if (!uw__progress(ctx, "collect", done, total) && done < total)
            return uw__collect_stopped(path, done, total, err);
    }
    return UW_OK;
}

uw_status uw__collect_process(uw_context *ctx, const uw_process *process, const char *path,
                              const uw_collect_options *options, uw_collect_result *out,
                              uw_err *err) {
    const double started = uw__clock_s();
    uw_collect_options filled = *options;
    if (!filled.steps) filled.steps = process->facts->usual_steps;
    work w = {.process = process, .options = &filled, .rows = (int64_t)filled.steps + 1};
    uw_recorder *rec = NULL;
    char variation[MAX_VARIATION_TEXT];
    if (filled.variation) w.variation = *filled.variation;
    uw_status s = check_options(&w, path, err);
    if (!s) s = resolve(&w, 0, w.values, err);
    if (!s) s = make_columns(&w, path, err);
    if (!s) s = check_episodes(&w, path, err);
    if (s) goto done;
    uw__variation_format(process->facts, &w.variation, variation, sizeof variation);
    const uw_dataset_meta meta = {.env = process->facts->name,
                                  .policy = "",
                                  .variation = variation,
                                  .action_repeat = 1,
                                  .seed = filled.seed};
    uw_open_mode mode = filled.overwrite ? UW_OPEN_OVERWRITE : UW_OPEN_NEW;
    if (filled.resume && uw__file_exists(path)) {
        mode = UW_OPEN_APPEND;
        s = uw__collect_resume_check(&filled, path, &meta, err);
        if (s) goto done;
    }
    s = uw_recorder_open(path, w.columns, w.count, &meta, mode, &rec, err);
    if (s) goto done;
    const int64_t found = uw_recorder_episodes(rec);
    s = run(&w, ctx, path, rec, err);
    const int64_t episodes = uw_recorder_episodes(rec);
    const uw_status closed = uw_recorder_close(rec, s ? NULL : err);
    if (!s) s = closed;
    if (!s || (s == UW_EINTERRUPTED && !closed)) {
        const uw_status measured = uw__collect_measure(
            path, found, episodes, uw__clock_s() - started, out, s ? NULL : err);
        if (!s) s = measured;
    }
done:
    free(w.drawn);
    free(w.cells);
    return s;
}
