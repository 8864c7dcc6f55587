/* log.csv holds nothing that depends on the clock, so two runs with one seed can be compared with
 * cmp. */
#include "runlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "csv.h"
#include "fileio.h"
#include "store.h"
#include "tfevents.h"

/* Column, member of a row, TensorBoard tag: one list for header, cells and events. */
#define COLUMNS(X)                                                                                 \
    X("lr", lr, "train/lr")                                                                        \
    X("loss", losses.total, "loss/total")                                                          \
    X("prediction_loss", losses.prediction, "loss/prediction")                                     \
    X("rollout_loss", losses.rollout, "loss/rollout")                                              \
    X("sigreg", losses.sigreg, "loss/sigreg")                                                      \
    X("inverse_loss", losses.inverse, "loss/inverse")                                              \
    X("vicreg", losses.vicreg, "loss/vicreg")                                                      \
    X("readout_loss", losses.readout, "loss/readout")                                              \
    X("grad_norm", grad_norm, "train/grad_norm")                                                   \
    X("sigreg_null", sigreg_null, "gauge/sigreg_null")                                             \
    X("effective_rank", gauges.effective_rank, "gauge/effective_rank")                             \
    X("participation", gauges.participation, "gauge/participation")                                \
    X("min_variance", gauges.min_variance, "gauge/min_variance")                                   \
    X("sigreg_q99", sigreg_q99, "gauge/sigreg_q99")                                                \
    X("mean_variance", gauges.mean_variance, "gauge/mean_variance")                                \
    X("mean_norm", gauges.mean_norm, "gauge/mean_norm")                                            \
    X("norm_drift", gauges.norm_drift, "gauge/norm_drift")                                         \
    X("top_share", gauges.top_share, "gauge/top_share")                                            \
    X("null_directions", gauges.null_directions, "gauge/null_directions")                          \
    X("dead", gauges.dead, "gauge/dead")                                                           \
    X("cluster_share", gauges.cluster_share, "gauge/cluster_share")                                \
    X("temporal_rank", gauges.temporal_rank, "gauge/temporal_rank")                                \
    X("temporal_share", gauges.temporal_share, "gauge/temporal_share")                             \
    X("action_sensitivity", gauges.action_sensitivity, "gauge/action_sensitivity")                 \
    X("alarms", gauges.alarms, "gauge/alarms")

enum { MAX_LOG = 1 << 30 };

static const char header[] = "step"
#define X(name, member, tag) "," name
    COLUMNS(X)
#undef X
        "\n";

struct uw_runlog {
    int fd;
    uint64_t offset;
    char path[1024];
    uw_tfevents *events;
};

/* Bytes of the header and of the whole lines whose step is at most keep_step; 0 when the header is
 * not ours. */
static size_t kept_bytes(const char *text, size_t size, int64_t keep_step) {
    size_t kept = strlen(header);
    if (size < kept || memcmp(text, header, kept) != 0) return 0;
    for (size_t at = kept; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        if (!end || strtoll(text + at, NULL, 10) > keep_step) break;
        at = kept = (size_t)(end - text) + 1;
    }
    return kept;
}

static uw_status open_csv(uw_runlog *log, int64_t keep_step, uw_err *err) {
    void *text = NULL;
    size_t size = 0, kept = 0;
    uint64_t length = 0;
    uw_status s = UW_OK;

    if (keep_step >= 0 && uw__file_exists(log->path)) {
        s = uw__file_read(log->path, MAX_LOG, &text, &size, err);
        if (s) return s;
        kept = kept_bytes(text, size, keep_step);
        free(text);
        s = uw__store_open_write(log->path, &log->fd, &length, err);
        if (!s) s = uw__store_truncate(log->fd, log->path, kept, err);
    } else {
        s = uw__store_create(log->path, &log->fd, err);
    }
    if (!s && kept == 0) {
        kept = strlen(header);
        s = uw__store_write(log->fd, log->path, 0, header, kept, err);
    }
    log->offset = kept;
    return s;
}

uw_status uw__runlog_open(const char *run_dir, int64_t keep_step, uw_runlog **out, uw_err *err) {
    uw_runlog *log = calloc(1, sizeof *log);
    if (!log) return uw__no_memory(err, "log.csv", sizeof *log);
    log->fd = -1;
    snprintf(log->path, sizeof log->path, "%s/log.csv",
             run_dir); /* the run made sure that it fits */
    uw_status s = open_csv(log, keep_step, err);
    if (!s) s = uw__tfevents_open(run_dir, "train", keep_step, &log->events, err);
    if (s)
        uw__runlog_close(log);
    else
        *out = log;
    return s;
}

uw_status uw__runlog_row(uw_runlog *log, const uw_log_row *row, uw_err *err) {
    static const char *const tags[] = {
#define X(name, member, tag) tag,
        COLUMNS(X)
#undef X
    };
    const double values[] = {
#define X(name, member, tag) row->member,
        COLUMNS(X)
#undef X
    };
    enum { COUNT = sizeof values / sizeof values[0] };
    char line[64 + COUNT * 32];
    struct timespec now;
    int used = snprintf(line, sizeof line, "%" PRId64, row->step);

    clock_gettime(CLOCK_REALTIME, &now);
    const double wall = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    uw_status s = UW_OK;
    for (size_t i = 0; !s && i < COUNT; i++) {
        char cell[32];
        uw__format_f32(cell, sizeof cell, (float)values[i]);
        used += snprintf(line + used, sizeof line - (size_t)used, ",%s", cell);
        if (values[i] == values[i]) {
            s = uw__tfevents_scalar(log->events, tags[i], row->step, wall, (float)values[i], err);
        }
    }
    line[used++] = '\n';
    if (!s) s = uw__store_write(log->fd, log->path, log->offset, line, (size_t)used, err);
    if (!s) log->offset += (uint64_t)used;
    return s;
}

uw_status uw__runlog_flush(uw_runlog *log, uw_err *err) {
    return uw__tfevents_flush(log->events, err);
}

void uw__runlog_close(uw_runlog *log) {
    if (!log) return;
    if (log->events) uw__tfevents_close(log->events);
    if (log->fd >= 0) uw__store_close(log->fd);
    free(log);
}
