/* A run: the folder, the loop, what is written when, and what happens when it is stopped.
 *
 * Order inside a step: update, log row, checkpoint.  A resumed run drops log rows beyond its
 * checkpoint and writes them again, so it leaves the files that an uninterrupted one leaves. */
#include <umwelt/train.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "clock.h"
#include "cloud_gauges.h"
#include "fileio.h"
#include "internal.h"
#include "runlog.h"
#include "settings.h"
#include "trainer.h"

enum { MAX_PATH = 1024, MIN_CHECKPOINTS = 10 };
#define CHECKPOINT_SECONDS 10.0

typedef struct run {
    uw_trainer t;
    const char *dir;
    char *config_json; /* owned */
    uw_runlog *log;    /* owned */
    uw_snapshot snapshot;
    int64_t saved_step; /* of the newest checkpoint on disk, 0 = none */
    double saved_at;    /* when it was written */
    double start;
    uint32_t warned;
    uw_gauges gauges; /* of the last log row */
    bool resumed;
} run;

static uw_status too_long(const char *dir, uw_err *err) {
    uw_fail(err, UW_EINVAL, "%.80s...: the path of the run is too long", dir);
    uw_err_fix(err, "use a shorter path");
    return UW_EINVAL;
}

static uw_status path_of(char out[MAX_PATH], const char *dir, const char *name, uw_err *err) {
    const int n = snprintf(out, MAX_PATH, "%s/%s", dir, name);
    return n > 0 && n < MAX_PATH ? UW_OK : too_long(dir, err);
}

/* ---- the folder ---------------------------------------------------------------------------- */

static const char *const run_files[] = {"model.safetensors", "checkpoints", "log.csv",
                                        "milestones"};
enum { NUM_RUN_FILES = sizeof run_files / sizeof run_files[0] };

static uw_status refuse_existing(const char *dir, uw_err *err) {
    char path[MAX_PATH];
    for (int i = 0; i < NUM_RUN_FILES; i++) {
        const uw_status s = path_of(path, dir, run_files[i], err);
        if (s) return s;
        if (!uw__file_exists(path)) continue;
        uw_fail(err, UW_EEXIST, "%.150s: holds a run already (%s)", dir, run_files[i]);
        uw_err_fix(err,
                   "continue it with --resume, replace it with --force, or choose another folder");
        return UW_EEXIST;
    }
    return UW_OK;
}

/* Remove what a run leaves, and nothing else that may lie in the folder. */
static uw_status clear_run(const char *dir, uw_err *err) {
    static const char events[] = "events.out.tfevents.";
    char path[MAX_PATH], **names = NULL;
    int32_t count = 0;
    if (!uw__file_exists(dir)) return UW_OK;
    uw_status s = uw__list_dir(dir, &names, &count, err);
    for (int32_t i = 0; !s && i < count; i++) {
        bool ours = strncmp(names[i], events, sizeof events - 1) == 0;
        for (int k = 0; k < NUM_RUN_FILES; k++) ours = ours || !strcmp(names[i], run_files[k]);
        if (!ours) continue;
        s = path_of(path, dir, names[i], err);
        if (!s) s = uw__remove_tree(path, err);
    }
    uw__names_free(names, count);
    return s;
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* A loss can be finite and the update after it not: such numbers must not replace a good
 * checkpoint. */
static uw_status check_numbers(run *r, int64_t done, uw_err *err) {
    const uw_trainer *t = &r->t;
    double sum = uw__optim_norm(&t->exec, &r->t.optim, t->params);
    for (size_t i = 0; i < t->net.num_buffers; i++) sum += fabs((double)t->buffers[i]);
    if (isfinite(sum)) return UW_OK;
    uw_fail(err, UW_ENONFINITE, "train: step %" PRId64 ": wanted finite weights, got %g", done,
            sum);
    uw_err_fix(err, "lower lr (now %g); the last checkpoint is intact", (double)t->config.lr);
    return UW_ENONFINITE;
}

static uw_status save(run *r, int64_t done, uw_err *err) {
    if (done == r->saved_step) return UW_OK;
    r->snapshot.step = done;
    uw_status s = check_numbers(r, done, err);
    if (!s) s = uw__runlog_flush(r->log, err);
    if (!s) s = uw__checkpoint_write(r->dir, &r->snapshot, err);
    if (s) return s;
    r->saved_step = done;
    r->saved_at = uw__clock_s();
    return UW_OK;
}

static bool checkpoint_due(const run *r, int64_t done) {
    const int64_t steps = uw__settings_steps(&r->t.config), every = r->t.config.checkpoint_every;
    if (done == steps) return true;
    if (every) return done % every == 0;
    const int64_t share = (steps + MIN_CHECKPOINTS - 1) / MIN_CHECKPOINTS;
    return done % share == 0 || uw__clock_s() - r->saved_at >= CHECKPOINT_SECONDS;
}

/* Keep the model of now beside the run: checkpoints come and go. */
static uw_status keep_milestone(run *r, int64_t done, uw_err *err) {
    char folder[MAX_PATH], path[MAX_PATH], name[64];
    uw_model *model = NULL;
    if (!r->t.config.milestone_every || done % r->t.config.milestone_every) return UW_OK;
    snprintf(name, sizeof name, "milestones/step-%08" PRId64 ".safetensors", done);
    uw_status s = path_of(folder, r->dir, "milestones", err);
    if (!s) s = path_of(path, r->dir, name, err);
    if (!s) s = uw__mkdirs(folder, err);
    if (!s) s = uw__trainer_model(&r->t, r->config_json, &model, err);
    if (!s) s = uw_model_save(model, path, true, err);
    uw_model_unload(model);
    return s;
}

static uw_status log_step(run *r, int64_t done, const uw_step_stats *stats, uw_err *err) {
    uw_gauges g;
    uw__trainer_gauge(&r->t, done - 1, &stats->losses, &g);
    r->gauges = g;
    r->snapshot.effective_rank = g.effective_rank;
    r->snapshot.min_variance = g.min_variance;
    uw__gauges_advise(r->t.ctx, &r->t.config, done, &g, &r->warned);
    /* times n when the loss is */
    const double unit = r->t.config.sigreg_times_n ? r->t.sigreg_null / g.sigreg_null : 1.0;
    const uw_log_row row = {.step = done,
                            .lr = stats->lr,
                            .grad_norm = stats->grad_norm,
                            .losses = stats->losses,
                            .sigreg_null = unit * g.sigreg_null,
                            .sigreg_q99 = unit * g.sigreg_q99,
                            .gauges = g};
    return uw__runlog_row(r->log, &row, err);
}

static uw_status loop(run *r, int64_t *done, uw_err *err) {
    const uw_train_config *c = &r->t.config;
    const double limit = c->minutes > 0.0 ? 60.0 * c->minutes : INFINITY;
    const int64_t steps = uw__settings_steps(c);
    uw_status s = UW_OK;

    *done = r->snapshot.step;
    if (*done == 0) s = keep_milestone(r, 0, err);
    while (!s && *done < steps) {
        uw_step_stats stats;
        s = uw__trainer_step(&r->t, *done, &stats, err);
        if (s) break;
        ++*done;
        r->snapshot.losses = stats.losses;
        if (*done == 1 || *done % c->gauge_every == 0 || *done == steps) {
            s = log_step(r, *done, &stats, err);
        }
        if (!s) s = keep_milestone(r, *done, err);
        if (!s && checkpoint_due(r, *done)) s = save(r, *done, err);
        if (!s && !uw__progress(r->t.ctx, "train", *done, steps) && *done < steps) {
            s = save(r, *done, err);
            if (s) break;
            uw_fail(err, UW_EINTERRUPTED, "%.150s: stopped after step %" PRId64 " of %" PRId64,
                    r->dir, *done, steps);
            uw_err_fix(err, "continue with --resume");
            s = UW_EINTERRUPTED;
        }
        if (!s && uw__clock_s() - r->start >= limit) {
            s = save(r, *done, err);
            break;
        }
    }
    return s;
}

/* ---- beginning and end --------------------------------------------------------------------- */

/* Fresh, or from the newest checkpoint. */
static uw_status begin(run *r, bool resume, uw_err *err) {
    uw_trainer *t = &r->t;
    r->snapshot = (uw_snapshot){.net = &t->net,
                                .params = t->params,
                                .buffers = t->buffers,
                                .m = t->optim.m,
                                .v = t->optim.v,
                                .steps_total = uw__settings_steps(&t->config),
                                .seed = t->config.seed,
                                .preset = t->config.preset,
                                .config_json = r->config_json,
                                .dataset_hash = uw_dataset_hash(t->feed.data),
                                .losses = {NAN, NAN, NAN, NAN, NAN, NAN, NAN},
                                .effective_rank = NAN,
                                .min_variance = NAN};
    uw_status s = uw__mkdirs(r->dir, err);
    if (s) return s;
    if (resume) {
        uw_err why = {0};
        s = uw__checkpoint_restore(t->ctx, r->dir, &t->config, &r->snapshot, &why);
        r->resumed = s == UW_OK;
        if (s && s != UW_ENOTFOUND) {
            if (err) *err = why;
            return s;
        }
        if (r->resumed) {
            uw__log(t->ctx, UW_LOG_INFO, "%s: continuing after step %" PRId64, r->dir,
                    r->snapshot.step);
        } else {
            uw__log(t->ctx, UW_LOG_WARN, "%s: no whole checkpoint, starting over", r->dir);
        }
    }
    if (!r->resumed) s = clear_run(r->dir, err);
    if (!s) s = uw__runlog_open(r->dir, r->resumed ? r->snapshot.step : -1, &r->log, err);
    r->saved_step = r->snapshot.step;
    r->start = r->saved_at = uw__clock_s();
    return s;
}

static uw_status finish(run *r, int64_t first, int64_t done, uw_train_result *out, uw_err *err) {
    const uw_train_config *c = &r->t.config;
    const double frames = (double)(done - first) * (double)c->batch * (double)c->window;
    const int64_t joint = done < c->steps ? done : c->steps;
    uw_model *model = NULL;
    uw_train_result result = {
        .steps = done,
        .loss = r->snapshot.losses.total,
        .prediction_loss = r->snapshot.losses.prediction,
        .rollout_loss = r->snapshot.losses.rollout,
        .sigreg = r->snapshot.losses.sigreg,
        .effective_rank = r->snapshot.effective_rank,
        .min_variance = r->snapshot.min_variance,
        .gauges = r->gauges,
        .flops = (double)joint * (double)c->batch * uw__loss_flops(&r->t.net, c) +
                 (double)(done - joint) * (double)c->predictor_batch *
                     uw__loss_flops_predictor(&r->t.net, c),
        .resumed = r->resumed,
    };
    result.seconds = uw__clock_s() - r->start;
    result.frames_per_s = result.seconds > 0.0 ? frames / result.seconds : 0.0;
    uw_status s = uw__trainer_validate(&r->t, &result.validation_loss, err);
    /* uw_train_run made sure that it fits. */
    snprintf(result.model_path, sizeof result.model_path, "%.480s/model.safetensors", r->dir);
    if (!s) s = uw__trainer_model(&r->t, r->config_json, &model, err);
    if (!s) s = uw_model_save(model, result.model_path, true, err);
    if (!s) {
        uw_model_sha256(model, result.tensors_sha256);
        s = uw__runlog_flush(r->log, err);
    }
    uw_model_unload(model);
    if (!s) *out = result;
    return s;
}

uw_status uw_train_run(uw_context *ctx, const char *dataset, const char *run_dir,
                       const uw_train_config *config, bool resume, bool overwrite,
                       uw_train_result *out, uw_err *err) {
    run r = {.dir = run_dir, .gauges = uw__gauges_none()};
    int64_t done = 0;
    /* The model's path must fit its place in the result. */
    if (strlen(run_dir) + sizeof "/model.safetensors" > sizeof out->model_path) {
        return too_long(run_dir, err);
    }
    uw_status s = resume || overwrite ? UW_OK : refuse_existing(run_dir, err);
    if (s) return s;
    s = uw__trainer_init(ctx, dataset, config, &r.t, err);
    if (s) goto done;
    r.config_json = uw__settings_json(&r.t.config);
    if (!r.config_json) {
        s = uw__no_memory(err, "train: configuration", 4096);
        goto done;
    }
    s = begin(&r, resume, err);
    const int64_t first = r.snapshot.step;
    if (!s) s = loop(&r, &done, err);
    if (!s) s = finish(&r, first, done, out, err);
done:
    if (s == UW_ENOMEM && err && !err->fix[0]) uw_err_fix(err, "close other programs");
    uw__runlog_close(r.log);
    free(r.config_json);
    uw__trainer_fini(&r.t);
    return s;
}
