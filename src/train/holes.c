/* Missing numbers are told before the first step and kept out of it: a window that would read one
 * is dropped, the rest of its episode stays. */
#include "holes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"

enum { SEEN = 1, ACTION = 2 }; /* what is missing in a row */

typedef struct holes {
    const uw_feed *feed;
    int64_t window, skip, before; /* steps, rows between them, rows of actions before the first */
    int64_t *first;               /* [episodes] of a row in `bad` */
    unsigned char *bad;           /* [rows of all episodes] */
    int64_t longest;              /* rows of an episode */
    bool any;
    char example[96]; /* where the first one is */
} holes;

static uw_status holes_init(holes *h, uw_err *err) {
    const uw_dataset *data = h->feed->data;
    const int64_t episodes = uw_dataset_episodes(data);
    h->first = calloc((size_t)episodes + 1, sizeof *h->first);
    h->bad = calloc((size_t)uw_dataset_total_rows(data) + 1, 1);
    if (!h->first || !h->bad)
        return uw__no_memory(err, "holes", (uint64_t)uw_dataset_total_rows(data));
    for (int64_t e = 0, rows = 0; e < episodes; e++) {
        const int64_t n = uw_dataset_episode_rows(data, e);
        h->first[e] = rows;
        rows += n;
        if (n > h->longest) h->longest = n;
    }
    return UW_OK;
}

/* Count what is missing in n rows of a column, and mark them. */
static int64_t mark_rows(const uw_column *c, const unsigned char *rows, int64_t n, size_t dim,
                         unsigned char kind, unsigned char *bad) {
    int64_t count = 0;
    for (int64_t i = 0; i < n * (int64_t)dim; i++) {
        const double v = c->dtype == UW_DTYPE_F64 ? ((const double *)(const void *)rows)[i]
                                                  : (double)((const float *)(const void *)rows)[i];
        if (isfinite(v)) continue;
        bad[i / (int64_t)dim] |= kind;
        count++;
    }
    return count;
}

/* Read a column once, whole. */
static uw_status mark_column(uw_context *ctx, holes *h, int32_t column, unsigned char kind,
                             uw_err *err) {
    const uw_dataset *data = h->feed->data;
    const uw_column *c = uw_dataset_column(data, column);
    const size_t bytes = uw__dataset_header(data)->row_bytes[column];
    const size_t dim = bytes / uw_dtype_bytes(c->dtype);
    if (c->dtype != UW_DTYPE_F32 && c->dtype != UW_DTYPE_F64) return UW_OK; /* whole numbers */
    unsigned char *rows = malloc((size_t)h->longest * bytes + 1);
    if (!rows) return uw__no_memory(err, c->name, (uint64_t)h->longest * bytes);
    int64_t missing = 0;
    uw_status s = UW_OK;
    for (int64_t e = 0; !s && e < uw_dataset_episodes(data); e++) {
        const int64_t n = uw_dataset_episode_rows(data, e), want = kind == ACTION ? n - 1 : n;
        unsigned char *bad = h->bad + h->first[e];
        if (want < 1) continue;
        s = uw_dataset_rows(data, column, e, 0, want, 1, rows, err);
        const int64_t count = s ? 0 : mark_rows(c, rows, want, dim, kind, bad);
        for (int64_t r = 0; count && !h->any; r++) {
            if (!bad[r]) continue;
            h->any = true;
            snprintf(h->example, sizeof h->example, "%.40s: episode %" PRId64 " row %" PRId64,
                     c->name, e, r);
        }
        missing += count;
    }
    free(rows);
    if (missing)
        uw__log(ctx, UW_LOG_WARN, "train: %s: %" PRId64 " numbers are missing", c->name, missing);
    return s;
}

/* Whether a window reads no hole: frames at its steps, actions up to its last frame. */
static bool whole(void *arg, int64_t episode, int64_t row) {
    const holes *h = arg;
    const unsigned char *bad = h->bad + h->first[episode] + row;
    const int64_t last = (h->window - 1) * h->skip;
    for (int64_t r = row < h->before ? -row : -h->before; r <= last; r++) {
        if (r < last && (bad[r] & ACTION)) return false;
        if (r >= 0 && r % h->skip == 0 && (bad[r] & SEEN)) return false;
    }
    return true;
}

static int64_t all_windows(const uw_feed *f) {
    return uw_windows_count(f->train) + (f->valid ? uw_windows_count(f->valid) : 0);
}

static uw_status drop(uw_context *ctx, holes *h, uw_feed *f, uw_err *err) {
    const int64_t before = all_windows(f);
    uw_status s = uw__windows_keep(f->train, whole, h, err);
    if (!s && f->valid) s = uw__windows_keep(f->valid, whole, h, err);
    if (s) return s;
    if (f->valid && uw_windows_count(f->valid) == 0) {
        uw_windows_free(f->valid);
        f->valid = NULL;
    }
    if (uw_windows_count(f->train) == 0) {
        uw_fail(err, UW_ENONFINITE, "%s: wanted a window of %d frames without missing numbers",
                h->example, (int)h->window);
        uw_err_fix(err, "fill such rows, or leave the column out (observe=...)");
        return UW_ENONFINITE;
    }
    uw__log(ctx, UW_LOG_WARN,
            "train: %" PRId64 " of %" PRId64 " windows would read one (%s) and are left out",
            before - all_windows(f), before, h->example);
    return UW_OK;
}

uw_status uw__holes_drop(uw_context *ctx, uw_feed *f, const uw_train_config *config, uw_err *err) {
    holes h = {.feed = f,
               .window = config->window,
               .skip = config->model.frameskip,
               .before = config->model.action_history};
    uw_status s = holes_init(&h, err);
    for (int32_t i = 0; !s && i < f->num_columns; i++)
        s = mark_column(ctx, &h, f->columns[i], SEEN, err);
    if (!s && f->state >= 0) s = mark_column(ctx, &h, f->state, SEEN, err);
    if (!s && f->goal >= 0) s = mark_column(ctx, &h, f->goal, SEEN, err);
    for (int32_t i = 0; !s && i < f->labels.count; i++) {
        const int32_t column = f->labels.label[i].column;
        if (i == 0 || column != f->labels.label[i - 1].column)
            s = mark_column(ctx, &h, column, SEEN, err);
    }
    if (!s && f->action >= 0) s = mark_column(ctx, &h, f->action, ACTION, err);
    if (!s && h.any) s = drop(ctx, &h, f, err);
    free(h.first);
    free(h.bad);
    return s;
}
