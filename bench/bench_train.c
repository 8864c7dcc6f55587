/* Training: one step of the demo's robust recipe (256 frames drawn, encoded, predicted, and the way back).
 *
 * Measured from outside, as two runs that differ only in their number of steps: what opening, the first
 * allocation and saving cost cancels. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <umwelt/eval.h>
#include <umwelt/train.h>

#include "clock.h"
#include "fileio.h"
#include "sample.h"

enum { SHORT_STEPS = 20, LONG_STEPS = 120 };

typedef struct train_run {
    uw_context *ctx;
    uw_train_config config;
    char data[128], run[128];
    double flops_per_step;
    uw_status status;
    uw_err *err;
} train_run;

static double seconds_of(train_run *t, int32_t steps) {
    uw_train_result result;
    t->config.steps = steps;
    const double start = uw__clock_s();
    if (!t->status) t->status = uw_train_run(t->ctx, t->data, t->run, &t->config, false, true, &result, t->err);
    if (!t->status) t->flops_per_step = result.flops / steps;
    return uw__clock_s() - start;
}

static double ms_per_step(void *arg) {
    train_run *t = arg;
    const double longer = seconds_of(t, LONG_STEPS), shorter = seconds_of(t, SHORT_STEPS);
    return (longer - shorter) / (LONG_STEPS - SHORT_STEPS) * 1e3;
}

uw_status uw_bench_train(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err) {
    char dir[] = "/tmp/umwelt-bench-XXXXXX", settings[80];
    if (!mkdtemp(dir)) return uw_fail(err, UW_ENOSPC, "%s: cannot make a temporary folder", dir);
    train_run t = {.ctx = ctx, .err = err};
    snprintf(t.data, sizeof t.data, "%s/data.uw", dir);
    snprintf(t.run, sizeof t.run, "%s/run", dir);

    uw_collect_options collect = UW_COLLECT_OPTIONS_DEFAULT;
    uw_collect_result collected;
    collect.episodes = 60;
    t.status = uw_collect_run(ctx, "two_room", t.data, &collect, &collected, err);
    if (!t.status) t.status = uw_train_preset("two_room_robust", &t.config, err);
    t.config.checkpoint_every = 1000000000; /* none while measuring */
    t.config.holdout = 0;

    uw_bench_result r = {.name = "demo training step", .unit = "ms", .settings = settings};
    if (!t.status) uw__bench_sample(&r, quick ? 1 : 5, ms_per_step, &t);
    snprintf(settings, sizeof settings, "64 windows x 4 frames, %d threads, %.1f GFLOP/s", uw_context_threads(ctx),
             t.flops_per_step / r.value * 1e-6);
    if (!t.status) sink(cookie, &r);
    uw__remove_tree(dir, NULL);
    return t.status;
}
