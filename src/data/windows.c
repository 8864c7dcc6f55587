/* Windows: which rows a training example takes.
 *
 * The reference's rule: a window of W model steps, frameskip k, takes W * k consecutive rows, so
 * that the last step has its whole action block too; every row of every episode that has that many
 * rows after it starts one. A window never crosses an episode, and held-out episodes are chosen
 * whole: windows of one episode overlap, and a split by window would validate on training rows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fileio.h"
#include "rng.h"

struct uw_windows {
    const uw_dataset *data;
    int32_t window, frameskip;
    int64_t num_runs; /* of windows that start row after row of one episode, in this part */
    int64_t *episode; /* [num_runs] */
    int64_t *first;   /* [num_runs] row of the first window */
    int64_t *start;   /* [num_runs + 1] windows before each */
};

bool uw__episode_held_out(uint64_t seed, int64_t episode, double holdout) {
    uw_rng r = uw__rng(seed, UW_STREAM_SPLIT, (uint64_t)episode);
    return uw__rng_uniform64(&r) < holdout;
}

uw_status uw_windows_new(const uw_dataset *data, int32_t window, int32_t frameskip, double holdout,
                         bool validation, uint64_t seed, uw_windows **out, uw_err *err) {
    *out = NULL;
    if (window < 1 || frameskip < 1 || !(holdout >= 0.0 && holdout <= 1.0)) {
        return uw__refuse(err, UW_EINVAL, uw__dataset_name(data), "bad_windows",
                          "see window, frameskip and holdout in `umwelt train --help keys`",
                          "wanted window >= 1, frameskip >= 1, holdout in [0, 1], got %d, %d, %g",
                          window, frameskip, holdout);
    }
    const int64_t episodes = uw_dataset_episodes(data), span = (int64_t)window * frameskip;
    uw_windows *w = calloc(1, sizeof *w);
    if (w) {
        w->episode = calloc((size_t)episodes + 1, sizeof(int64_t));
        w->first = calloc((size_t)episodes + 1, sizeof(int64_t));
        w->start = calloc((size_t)episodes + 1, sizeof(int64_t));
    }
    if (!w || !w->episode || !w->first || !w->start) {
        uw_windows_free(w);
        return uw__no_memory(err, uw__dataset_name(data), (uint64_t)episodes * 24);
    }
    w->data = data;
    w->window = window;
    w->frameskip = frameskip;
    for (int64_t e = 0; e < episodes; e++) {
        const int64_t count = uw_dataset_episode_rows(data, e) - span + 1;
        if (count < 1 || uw__episode_held_out(seed, e, holdout) != validation) continue;
        w->episode[w->num_runs++] = e;
        w->start[w->num_runs] = w->start[w->num_runs - 1] + count;
    }
    *out = w;
    return UW_OK;
}

void uw_windows_free(uw_windows *windows) {
    if (!windows) return;
    free(windows->episode);
    free(windows->first);
    free(windows->start);
    free(windows);
}

/* Put the windows that are kept into runs, or only count those when there is no place for them yet.
 */
static int64_t cut_runs(const uw_windows *w, uw__window_fn *keep, void *arg, uw_windows *to) {
    int64_t runs = 0, kept = 0, last_episode = -1, last_row = -1;
    for (int64_t k = 0; k < w->num_runs; k++) {
        const int64_t episode = w->episode[k], count = w->start[k + 1] - w->start[k];
        for (int64_t row = w->first[k]; row < w->first[k] + count; row++) {
            if (!keep(arg, episode, row)) continue;
            if (episode != last_episode || row != last_row + 1) {
                if (to->episode) {
                    to->episode[runs] = episode;
                    to->first[runs] = row;
                }
                runs++;
            }
            last_episode = episode;
            last_row = row;
            kept++;
            if (to->start) to->start[runs] = kept;
        }
    }
    return runs;
}

uw_status uw__windows_keep(uw_windows *windows, uw__window_fn *keep, void *arg, uw_err *err) {
    uw_windows to = *windows;
    to.episode = to.first = to.start = NULL;
    to.num_runs = cut_runs(windows, keep, arg, &to);
    const size_t count = (size_t)to.num_runs + 1;
    to.episode = calloc(count, sizeof(int64_t));
    to.first = calloc(count, sizeof(int64_t));
    to.start = calloc(count, sizeof(int64_t));
    const bool room = to.episode && to.first && to.start;
    if (room) cut_runs(windows, keep, arg, &to);
    uw_windows *old = room ? windows : &to;
    free(old->episode);
    free(old->first);
    free(old->start);
    if (!room) return uw__no_memory(err, uw__dataset_name(windows->data), (uint64_t)count * 24);
    *windows = to;
    return UW_OK;
}

int64_t uw_windows_count(const uw_windows *windows) {
    return windows->start[windows->num_runs];
}

/* The run that window i is in. */
static int64_t run_of(const uw_windows *windows, int64_t i) {
    int64_t lo = 0, hi = windows->num_runs - 1;
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo + 1) / 2;
        if (windows->start[mid] <= i)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

void uw_windows_at(const uw_windows *windows, int64_t i, int64_t *episode, int64_t *row) {
    if (i < 0 || i >= uw_windows_count(windows)) {
        *episode = *row = -1;
        return;
    }
    const int64_t run = run_of(windows, i);
    *episode = windows->episode[run];
    *row = windows->first[run] + i - windows->start[run];
}

void uw__windows_beside(const uw_windows *windows, int64_t i, int64_t *first, int64_t *count) {
    int64_t from = run_of(windows, i), to = from + 1;
    const int64_t episode = windows->episode[from];
    while (from > 0 && windows->episode[from - 1] == episode) from--;
    while (to < windows->num_runs && windows->episode[to] == episode) to++;
    *first = windows->start[from];
    *count = windows->start[to] - *first;
}

static uw_status locate(const uw_windows *windows, int64_t i, int64_t *episode, int64_t *row,
                        uw_err *err) {
    uw_windows_at(windows, i, episode, row);
    if (*episode >= 0) return UW_OK;
    return uw__refuse(err, UW_EINVAL, uw__dataset_name(windows->data), "no_window",
                      "see uw_windows_count", "wanted 0 .. %" PRId64 ", got %" PRId64,
                      uw_windows_count(windows) - 1, i);
}

uw_status uw_windows_read(const uw_windows *windows, int64_t i, int32_t column, void *out,
                          uw_err *err) {
    int64_t episode, row;
    const uw_status s = locate(windows, i, &episode, &row, err);
    if (s) return s;
    return uw_dataset_rows(windows->data, column, episode, row, windows->window, windows->frameskip,
                           out, err);
}

/* Turn `count` doubles that fill the same memory into floats, NaN into 0. */
static void narrow(void *mem, size_t count) {
    unsigned char *at = mem;
    for (size_t i = 0; i < count; i++) {
        double wide;
        memcpy(&wide, at + i * sizeof wide, sizeof wide);
        const float value = isnan(wide) ? 0.0f : (float)wide;
        memcpy(at + i * sizeof value, &value, sizeof value);
    }
}

uw_status uw_windows_read_actions(const uw_windows *windows, int64_t i, int32_t column, float *out,
                                  uw_err *err) {
    int64_t episode, row;
    const uw_status s = locate(windows, i, &episode, &row, err);
    const int64_t rows = (int64_t)windows->window * windows->frameskip;
    return s ? s : uw__dataset_actions(windows->data, column, episode, row, rows, out, err);
}

uw_status uw__dataset_actions(const uw_dataset *data, int32_t column, int64_t episode, int64_t row,
                              int64_t rows, float *out, uw_err *err) {
    const uw_column *c = uw__dataset_column_checked(data, column, err);
    if (!c) return UW_EINVAL;
    if (c->dtype != UW_DTYPE_F32 && c->dtype != UW_DTYPE_F64) {
        uw_fail(err, UW_ESHAPE, "%s: column '%s': actions, wanted F32 or F64, got %s",
                uw__dataset_name(data), c->name, uw_dtype_str(c->dtype));
        uw_err_fix(err, "name a column of numbers as the action");
        return UW_ESHAPE;
    }
    uw_status s = UW_OK;
    const size_t row_bytes = uw__dataset_header(data)->row_bytes[column];
    const size_t per_row = row_bytes / uw_dtype_bytes(c->dtype);
    if (c->dtype == UW_DTYPE_F32) {
        s = uw_dataset_rows(data, column, episode, row, rows, 1, out, err);
        if (s) return s;
        for (size_t k = 0; k < (size_t)rows * per_row; k++) {
            if (isnan(out[k])) out[k] = 0.0f;
        }
        return UW_OK;
    }
    /* Doubles do not fit into out at once: take as many rows at a time as a small buffer holds. */
    double piece[256];
    for (int64_t t = 0; t < rows; t++) {
        double *wide = per_row <= 256 ? piece : malloc(row_bytes);
        if (!wide) return uw__no_memory(err, "actions", row_bytes);
        s = uw_dataset_rows(data, column, episode, row + t, 1, 1, wide, err);
        if (!s) {
            narrow(wide, per_row);
            memcpy(out + (size_t)t * per_row, wide, per_row * sizeof *out);
        }
        if (wide != piece) free(wide);
        if (s) return s;
    }
    return UW_OK;
}
