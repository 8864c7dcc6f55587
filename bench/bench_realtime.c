/* A robot's loop at 20 Hz on one core: every tick encodes a camera frame and plans with iCEM
 * through the controller, whose deadline is the tick.  Ticks follow each other without a pause;
 * what counts is the slowest of very many. */
#include "bench.h"

#include <malloc.h>
#include <stdlib.h>

#include <umwelt/controller.h>
#include <umwelt/env.h>
#include <umwelt/train.h>

#include "clock.h"
#include "fresh.h"
#include "rng.h"

enum {
    TICKS = 100000,
    QUICK_TICKS = 2000,
    WARM_TICKS = 20,
    NEW_GOAL = 200, /* ticks of an episode */
    PIXELS = 64,
    FRAMES = 16,
    HORIZON = 5,
    ITERS = 3,
    SAMPLES = 128
};
static const double TICK_S = 0.05, PAUSE_S = 2;

typedef struct realtime {
    uw_controller *controller;
    uint8_t *frames; /* [FRAMES, PIXELS, PIXELS, 3] */
    float *action;
    double *seconds; /* [ticks] */
    int32_t ticks, missed;
} realtime;

/* LeWM's kind at the size one distils for a robot: a tenth of the deadline on a server's core.  Two
 * layers that see three states would be half of it. */
static uw_status small_model(uw_model **out, uw_err *err) {
    uw_train_config config;
    const uw_status s = uw_train_preset("lewm", &config, err);
    uw_model_config *m = &config.model;
    m->action_dim = 2;
    m->image_size = PIXELS;
    m->history_size = 1;
    m->vit_patch = 16;
    m->vit_layers = 2;
    m->vit_heads = 3;
    m->vit_dim = m->latent_dim = m->action_hidden_dim = 96;
    m->vit_mlp_dim = m->projector_dim = m->predictor_mlp_dim = 192;
    m->predictor_layers = 1;
    m->predictor_heads = 2;
    m->predictor_head_dim = 24;
    m->pred_proj_dim = 0;
    return s ? s : uw__bench_model(m, out, err);
}

static uw_status tick(realtime *r, int32_t t, uw_act_info *info) {
    const size_t bytes = PIXELS * PIXELS * 3;
    uw_status s = UW_OK;
    if (t % NEW_GOAL == 0) {
        uw_controller_reset(r->controller, (uint64_t)t);
        s = uw_controller_set_goal(r->controller,
                                   r->frames + (size_t)(t / NEW_GOAL % FRAMES) * bytes);
    }
    return s ? s
             : uw_controller_act(r->controller, r->frames + (size_t)(t % FRAMES) * bytes, r->action,
                                 info);
}

static uw_status run(realtime *r) {
    uw_act_info info;
    uw_status s = UW_OK;
    for (int32_t t = 0; t < WARM_TICKS && !s; t++) s = tick(r, t, &info);
    for (int32_t t = 0; t < r->ticks && !s; t++) {
        const double start = uw__clock_s();
        s = tick(r, t, &info);
        r->seconds[t] = uw__clock_s() - start;
        r->missed +=
            info.reason != UW_ACT_PLANNED || info.plan.iters < ITERS || r->seconds[t] > TICK_S;
    }
    return s;
}

/* The longest time, in seconds, that the machine kept from a loop which only asks what time it is.
 */
static double longest_pause(double run_s) {
    const double start = uw__clock_s();
    double last = start, longest = 0;
    while (last < start + run_s) {
        const double now = uw__clock_s();
        if (now - last > longest) longest = now - last;
        last = now;
    }
    return longest;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One row per percentile, then what was missed, what was allocated and what the machine took. */
static void tell(realtime *r, double heap_bytes, double pause_s, uw_bench_sink *sink,
                 void *cookie) {
    static const char settings[] =
        "ViT 2 x 96, MLP 192, 64 x 64 pixels in 16 tokens; AdaLN 1 x 96, 2 heads of 24, MLP 192, "
        "history 1, 5 actions of 2 a step; iCEM 128 x 3, horizon 5; one thread, deadline 50 ms";
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"tick p50", 0.5}, {"tick p99", 0.99}, {"tick p99.9", 0.999}, {"tick slowest", 1}};
    qsort(r->seconds, (size_t)r->ticks, sizeof *r->seconds, ascending);
    uw_bench_result row = {.unit = "ms", .settings = settings, .samples = r->ticks};
    row.min = r->seconds[0] * 1e3;
    row.max = r->seconds[r->ticks - 1] * 1e3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int32_t at = (int32_t)(rows[i].share * r->ticks);
        row.name = rows[i].name;
        row.value = r->seconds[at < r->ticks ? at : r->ticks - 1] * 1e3;
        sink(cookie, &row);
    }
    row = (uw_bench_result){
        .name = "ticks missed", .unit = "", .settings = "late, cut short or not planned"};
    row.samples = r->ticks;
    row.value = row.min = row.max = r->missed;
    sink(cookie, &row);
    row.name = "heap taken by the ticks";
    row.unit = "bytes";
    row.settings = "that no call is made at all: test alloc_controller";
    row.value = row.min = row.max = heap_bytes;
    sink(cookie, &row);
    row.name = "longest pause of an empty loop";
    row.unit = "ms";
    row.settings = "2 s before the ticks and 2 s after: what the machine itself adds";
    row.value = row.min = row.max = pause_s * 1e3;
    sink(cookie, &row);
}

static size_t heap_in_use(void) {
    const struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void draw_frames(uint8_t *frames, size_t n) {
    uw_rng rng = uw__rng(2, UW_STREAM_TEST, 0);
    for (size_t i = 0; i < n; i++) frames[i] = (uint8_t)uw__rng_below(&rng, 256);
}

uw_status uw_bench_realtime(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                            uw_err *err) {
    uw_controller_options options = {.planner = uw_planner_options_for(UW_SOLVER_ICEM)};
    options.planner.horizon = HORIZON;
    options.planner.num_samples = SAMPLES;
    options.planner.iters = ITERS;
    options.planner.deadline_s = TICK_S;
    const uw_dynamics_limits limits = {
        .num_samples = SAMPLES, .horizon = HORIZON, .num_threads = 1};
    realtime r = {.ticks = quick ? QUICK_TICKS : TICKS};
    void *memory = NULL, *more = NULL;
    uw_model *model = NULL;
    uw_dynamics dynamics;

    uw_status s = small_model(&model, err);
    if (s) goto done;
    const size_t bytes = uw_model_dynamics_memsize(model, &limits),
                 frame_bytes = FRAMES * PIXELS * PIXELS * 3;
    memory = uw__bench_block(bytes);
    r.frames = malloc(frame_bytes);
    r.seconds = calloc((size_t)r.ticks, sizeof *r.seconds);
    s = memory && r.frames && r.seconds
            ? uw_model_dynamics_init(ctx, model, &limits, false, memory, bytes, &dynamics)
            : UW_ENOMEM;
    if (s) goto done;
    const size_t controller_bytes = uw_controller_memsize(&dynamics.dims, &options);
    more = uw__bench_block(controller_bytes);
    r.action = calloc((size_t)dynamics.dims.action_dim, sizeof *r.action);
    s = more && r.action
            ? uw_controller_init(&dynamics, &options, more, controller_bytes, &r.controller)
            : UW_ENOMEM;
    if (s) goto done;
    draw_frames(r.frames, frame_bytes);
    const size_t before = heap_in_use();
    const double pause_before = longest_pause(PAUSE_S);
    s = run(&r);
    const double taken = (double)heap_in_use() - (double)before, pause = longest_pause(PAUSE_S);
    if (!s) tell(&r, taken, pause > pause_before ? pause : pause_before, sink, cookie);
done:
    free(r.action);
    free(r.seconds);
    free(r.frames);
    free(more);
    free(memory);
    uw_model_unload(model);
    return s;
}
