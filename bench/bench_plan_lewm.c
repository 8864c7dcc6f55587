/* Planning with LeWM at its published size: start and goal encoded, then a search in the
 * imagination of its predictor, in seconds, and in GFLOP/s of the arithmetic really done. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <umwelt/planner.h>
#include <umwelt/train.h>

#include "clock.h"
#include "fresh.h"
#include "internal.h"
#include "model_internal.h"
#include "peak.h"
#include "rollout.h"
#include "sample.h"

enum { PIXELS = 224, ACTION_DIM = 2, MAX_THREADS = 256, PEAK_TRIES = 50 };

typedef struct search {
    const char *name, *settings;
    uw_solver solver;
    int32_t num_samples, iters;
} search;

static const search searches[] = {
    {"cem10", "CEM 300 x 10, 30 elites, horizon 5, history 1", UW_SOLVER_CEM, 300, 10},
    {"cem", "CEM 300 x 30, 30 elites, horizon 5, history 1", UW_SOLVER_CEM, 300, 30},
    {"icem", "iCEM 128 x 3, 30 elites, horizon 5, history 1", UW_SOLVER_ICEM, 128, 3},
};
enum { NUM_SEARCHES = sizeof searches / sizeof *searches };

typedef struct plan_run {
    uw_dynamics dynamics;
    uw_planner *planner;
    uint8_t *frames; /* [2, Y, X, 3] start and goal */
    float *z, *plan; /* [2, D], [H, A] */
    uw_status status;
} plan_run;

static double seconds_per_plan(void *arg) {
    plan_run *p = arg;
    const size_t d = (size_t)p->dynamics.dims.latent_dim;
    const double start = uw__clock_s();
    for (size_t i = 0; i < 2 && !p->status; i++)
        p->status =
            p->dynamics.encode(p->dynamics.self, p->frames + i * PIXELS * PIXELS * 3, p->z + i * d);
    uw_planner_reset(p->planner, 0);
    if (!p->status) p->status = uw_planner_plan(p->planner, p->z, 1, NULL, p->z + d, p->plan, NULL);
    return uw__clock_s() - start;
}

/* ---- the peak of all workers at once -------------------------------------------------------- */

typedef struct peak_task {
    const char *isa;
    double gflops[MAX_THREADS];
} peak_task;

static void peak_of_worker(void *arg, size_t index, int32_t worker) {
    peak_task *t = arg;
    (void)worker;
    double best = 0;
    for (int i = 0; i < PEAK_TRIES; i++) {
        const double now = uw__bench_peak(t->isa);
        if (now > best) best = now;
    }
    t->gflops[index] = best;
}

/* GFLOP/s of FMAs in fp32; 0 where the peak is not measured: bf16 units have another one. */
static double peak_of(uw_context *ctx, bool parallel) {
    peak_task t = {.isa = uw_context_isa(ctx)};
    const int32_t workers = parallel ? uw_context_threads(ctx) : 1;
    double sum = 0;
    if (ctx->options.precision != UW_PRECISION_F32) return 0;
    uw__pool_run(parallel ? ctx->pool : NULL, (size_t)workers, peak_of_worker, &t);
    for (int32_t i = 0; i < workers; i++) sum += t.gflops[i];
    return sum;
}

/* ---- one search ----------------------------------------------------------------------------- */

/* Hand out the seconds, and what was done in them. */
static void tell(uw_context *ctx, const uw_model *model, const search *s, bool parallel,
                 uw_bench_result *r, uw_bench_sink *sink, void *cookie) {
    const uw_planner_options o = uw_planner_options_reference(s->solver);
    const uw_rollout_flops flops =
        uw__rollout_flops(uw__model_net(model), 1, (size_t)s->num_samples, (size_t)o.horizon);
    const double done = flops.done * s->iters * 1e-9, peak = peak_of(ctx, parallel);
    char name[64];

    sink(cookie, r);
    snprintf(name, sizeof name, "%s, arithmetic", r->name);
    uw_bench_result rate = {.name = name,
                            .unit = "GFLOP/s",
                            .settings =
                                "of the rollouts' products and attention, over the whole plan",
                            .value = done / r->value,
                            .min = done / r->max,
                            .max = done / r->min,
                            .samples = r->samples};
    if (peak > 0) rate.percent_of_peak = 100 * rate.value / peak;
    sink(cookie, &rate);
}

static uw_status bench_one(uw_context *ctx, const uw_model *model, const search *what,
                           bool parallel, int32_t samples, uw_bench_result *r) {
    uw_planner_options o = uw_planner_options_reference(what->solver);
    o.num_samples = what->num_samples;
    o.iters = what->iters;
    o.num_elites = 30;
    o.horizon = 5;
    const uw_dynamics_limits limits = {.num_samples = o.num_samples,
                                       .horizon = o.horizon,
                                       .num_threads = parallel ? uw_context_threads(ctx) : 1,
                                       .normalised_actions = true};
    const size_t bytes = uw_model_dynamics_memsize(model, &limits);
    const size_t d = (size_t)uw_model_config_of(model)->latent_dim,
                 pixels = 2 * PIXELS * PIXELS * 3;
    plan_run p = {.frames = malloc(pixels), .z = calloc(2 * d, sizeof *p.z)};
    void *memory = uw__bench_block(bytes), *more = NULL;
    uw_status s = p.frames && p.z && memory ? uw_model_dynamics_init(ctx, model, &limits, parallel,
                                                                     memory, bytes, &p.dynamics)
                                            : UW_ENOMEM;
    if (!s) {
        const size_t size = uw_planner_memsize(&p.dynamics.dims, &o);
        p.plan = calloc((size_t)o.horizon * (size_t)p.dynamics.dims.action_dim, sizeof *p.plan);
        more = uw__bench_block(size);
        s = p.plan && more ? uw_planner_init(&p.dynamics, &o, more, size, &p.planner) : UW_ENOMEM;
    }
    if (!s) {
        for (size_t i = 0; i < pixels; i++) p.frames[i] = (uint8_t)(i * 7 + i / 2000);
        uw__bench_sample(r, samples, seconds_per_plan, &p);
        s = p.status;
    }
    free(more);
    free(memory);
    free(p.plan);
    free(p.z);
    free(p.frames);
    return s;
}

uw_status uw_bench_plan_lewm(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                             uw_err *err) {
    uw_train_config config;
    uw_model *model = NULL;
    uw_status s = uw_train_preset("lewm", &config, err);
    config.model.action_dim = ACTION_DIM; /* what training reads off the recording */
    if (!s) s = uw__bench_model(&config.model, &model, err);
    for (int i = 0; !s && i < 2 * NUM_SEARCHES; i++) {
        const search *what = &searches[i / 2];
        const bool parallel = i % 2;
        if (quick && !parallel) continue;
        char name[64];
        snprintf(name, sizeof name, "plan lewm %s, %s", what->name,
                 parallel ? "all threads" : "one thread");
        uw_bench_result r = {.name = name, .unit = "s", .settings = what->settings};
        s = bench_one(ctx, model, what, parallel, quick ? 1 : 3, &r);
        if (!s) tell(ctx, model, what, parallel, &r, sink, cookie);
    }
    if (!s) {
        const uw_rollout_flops flops = uw__rollout_flops(uw__model_net(model), 1, 300, 5);
        uw_bench_result r = {.name = "plan lewm, arithmetic",
                             .unit = "x",
                             .settings = "done / in the reference's order",
                             .samples = 1};
        r.value = r.min = r.max = flops.done / flops.reference;
        sink(cookie, &r);
    }
    uw_model_unload(model);
    return s;
}
