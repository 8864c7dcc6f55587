/* Planning: one decision of the demo's model (encode a picture, CEM 128 x 4), in milliseconds, at
 * the default horizon and at the 12 decisions that the goal in docs/speed.md speaks of. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include <umwelt/controller.h>
#include <umwelt/env.h>
#include <umwelt/train.h>

#include "clock.h"
#include "fresh.h"
#include "sample.h"

enum { DECISIONS = 10, PIXELS = 64, ACTIONS = 2 };

typedef struct plan_run {
    uw_controller *controller;
    uint8_t frame[PIXELS * PIXELS * 3];
    uw_status status;
} plan_run;

static double ms_per_decision(void *arg) {
    plan_run *p = arg;
    float action[ACTIONS];
    uw_act_info info;
    const double start = uw__clock_s();
    for (int i = 0; i < DECISIONS && !p->status; i++)
        p->status = uw_controller_act(p->controller, p->frame, action, &info);
    return (uw__clock_s() - start) / DECISIONS * 1e3;
}

/* The demo's model with fresh weights. */
static uw_status demo_model(uw_model **out, uw_err *err) {
    uw_train_config config;
    const uw_status s = uw_train_preset("two_room_robust", &config, err);
    config.model.action_dim = ACTIONS; /* what training reads off the recording */
    config.model.image_size = PIXELS;
    return s ? s : uw__bench_model(&config.model, out, err);
}

static uw_status bench_one(uw_context *ctx, const uw_model *model, bool parallel, int32_t horizon,
                           int32_t samples, uw_bench_result *r) {
    uw_controller_options options = {.planner = UW_PLANNER_OPTIONS_DEFAULT};
    options.planner.horizon = horizon;
    const uw_dynamics_limits limits = {.num_samples = options.planner.num_samples,
                                       .horizon = options.planner.horizon,
                                       .num_threads = parallel ? uw_context_threads(ctx) : 1};
    const size_t bytes = uw_model_dynamics_memsize(model, &limits);
    void *memory = uw__bench_block(bytes), *more = NULL;
    plan_run *p = calloc(1, sizeof *p);
    uw_dynamics dynamics;
    uw_status s = memory && p ? uw_model_dynamics_init(ctx, model, &limits, parallel, memory, bytes,
                                                       &dynamics)
                              : UW_ENOMEM;
    if (!s) {
        const size_t controller_bytes = uw_controller_memsize(&dynamics.dims, &options);
        more = uw__bench_block(controller_bytes);
        s = uw_controller_init(&dynamics, &options, more, controller_bytes, &p->controller);
    }
    if (!s) {
        memset(p->frame, 255, sizeof p->frame);
        memset(p->frame + 3000, 60, 300);
        s = uw_controller_set_goal(p->controller, p->frame);
    }
    if (!s) {
        uw__bench_sample(r, samples, ms_per_decision, p);
        s = p->status;
    }
    free(more);
    free(memory);
    free(p);
    return s;
}

uw_status uw_bench_plan(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                        uw_err *err) {
    uw_model *model = NULL;
    uw_status s = demo_model(&model, err);
    static const int32_t horizons[] = {16, 12};
    static const char *const settings[] = {"encode + CEM 128 x 4, horizon 16",
                                           "encode + CEM 128 x 4, horizon 12"};
    for (int i = 0; !s && i < 4; i++) {
        const bool parallel = i % 2;
        uw_bench_result r = {.name = parallel ? "demo decision, all threads"
                                              : "demo decision, one thread",
                             .unit = "ms",
                             .settings = settings[i / 2]};
        s = bench_one(ctx, model, parallel, horizons[i / 2], quick ? 5 : 15, &r);
        if (!s) sink(cookie, &r);
    }
    uw_model_unload(model);
    return s;
}
