/* Training LeWM: one whole step (encoder, predictor, losses, the way back, clipping, AdamW) on data in memory, at the
 * published size and at two small ones.  The loader has benches of its own. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <umwelt/train.h>

#include "clock.h"
#include "internal.h"
#include "losses.h"
#include "optim.h"
#include "peak.h"
#include "rng.h"
#include "sample.h"

enum { HUGE_PAGE = 2 << 20, WINDOW = 4, ACTION_DIM = 2, PEAK_TRIES = 200 };

/* What of the published size a small one changes; width 0 changes nothing. */
typedef struct size_row {
    const char *name;
    int32_t windows, image, patch, width, layers, heads, predictor_layers, predictor_heads, head_dim, hidden;
    bool quick;
} size_row;

static const size_row sizes[] = {
    {"small64 128x4", 128, 64, 8, 64, 3, 1, 2, 4, 32, 256, true},
    {"small128 128x4", 128, 64, 8, 128, 4, 2, 3, 8, 32, 512, true},
    {.name = "full 16x4", .windows = 16, .quick = true},
    {.name = "full 32x4", .windows = 32},
    {.name = "full 128x4", .windows = 128},
};
enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

typedef struct step_bench {
    uw_train_config config;
    uw_net net;
    void *memory;
    size_t bytes;
    uw_exec exec;
    uw_real *params, *buffers, *grads, *x, *a;
    uw_optim optim;
    uw_loss_state *loss;
    int64_t step;
    bool finite;
} step_bench;

static uw_status configure(const size_row *size, uw_train_config *c, uw_err *err) {
    const uw_status s = uw_train_preset("lewm", c, err);
    uw_model_config *m = &c->model;
    m->action_dim = ACTION_DIM;
    c->window = WINDOW;
    c->batch = size->windows;
    if (!size->width) return s;
    m->image_size = size->image;
    m->vit_patch = size->patch;
    m->vit_dim = m->latent_dim = size->width;
    m->vit_mlp_dim = m->action_hidden_dim = 4 * size->width;
    m->vit_layers = size->layers;
    m->vit_heads = size->heads;
    m->predictor_layers = size->predictor_layers;
    m->predictor_heads = size->predictor_heads;
    m->predictor_head_dim = size->head_dim;
    m->predictor_mlp_dim = m->projector_dim = m->pred_proj_dim = size->hidden;
    return s;
}

/* The trainer's memory, but for its reader. */
static void layout(uw_arena *arena, uw_context *ctx, step_bench *b) {
    const size_t n = b->net.num_params, windows = (size_t)b->config.batch;
    b->exec = uw__exec_layout(arena, ctx->kernels, ctx->pool, uw__net_extra_reals(&b->net));
    b->exec.bf16 = b->config.precision == UW_PRECISION_BF16;
    b->params = uw_arena_alloc(arena, n, sizeof *b->params);
    b->buffers = uw_arena_alloc(arena, b->net.num_buffers, sizeof *b->buffers);
    b->grads = uw_arena_alloc(arena, n, sizeof *b->grads);
    b->optim = uw__optim_layout(arena, n);
    b->x = uw_arena_alloc(arena, windows * WINDOW * b->net.input_reals, sizeof *b->x);
    b->a = uw_arena_alloc(arena, windows * (WINDOW - 1) * (size_t)b->net.action_in, sizeof *b->a);
    b->loss = uw__loss_layout(arena, &b->net, &b->config, windows);
}

static void draw(uw_real *x, size_t n, uint64_t stream) {
    uw_rng r = uw__rng(1, UW_STREAM_INIT, stream);
    for (size_t i = 0; i < n; i++) x[i] = 4.0f * uw__rng_uniform(&r) - 2.0f;
}

static uw_status open_bench(uw_context *ctx, const size_row *size, step_bench *b, uw_err *err) {
    uw_arena measure = UW_ARENA_MEASURE;
    *b = (step_bench){.step = 1, .finite = true};
    uw_status s = configure(size, &b->config, err);
    b->config.precision = ctx->options.precision;
    if (!s) s = uw__net_init(&b->config.model, &b->net, err);
    if (s) return s;
    layout(&measure, ctx, b);
    b->bytes = measure.used;
    const size_t bytes = (measure.used + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    b->memory = aligned_alloc(HUGE_PAGE, bytes);
    if (!b->memory) return uw_fail(err, UW_ENOMEM, "%s: %zu MB", size->name, bytes >> 20);
    (void)madvise(b->memory, bytes, MADV_HUGEPAGE);
    uw_arena place = {.base = b->memory, .cap = measure.used};
    layout(&place, ctx, b);
    uw__net_randomise(&b->net, 1, b->params, b->buffers);
    draw(b->x, (size_t)b->config.batch * WINDOW * b->net.input_reals, 1000);
    draw(b->a, (size_t)b->config.batch * (WINDOW - 1) * (size_t)b->net.action_in, 1001);
    return UW_OK;
}

static double ms_of_step(void *arg) {
    step_bench *b = arg;
    uw_losses losses;
    const double start = uw__clock_s();
    memset(b->grads, 0, b->net.num_params * sizeof *b->grads);
    uw__loss_gradient(&b->exec, &b->net, &b->config, b->params, b->buffers, b->loss, b->x, b->a, NULL,
                      (uint64_t)b->step, 1.0, b->grads, &losses);
    const double norm = uw__optim_norm(&b->exec, &b->optim, b->grads);
    uw__optim_step(&b->exec, &b->optim, &b->config, b->params, b->grads, norm, (double)b->config.lr, b->step);
    b->step++;
    b->finite = b->finite && isfinite(losses.total) && isfinite(norm);
    return (uw__clock_s() - start) * 1e3;
}

/* One try takes microseconds, and the first ones find the core still raising its voltage. */
static double best_peak(const char *isa) {
    double best = 0.0;
    for (int i = 0; i < PEAK_TRIES; i++) best = fmax(best, uw__bench_peak(isa));
    return best;
}

static uw_status measure(uw_context *ctx, const size_row *size, bool quick, uw_bench_sink *sink, void *cookie,
                         uw_err *err) {
    char name[64], settings[160];
    step_bench b;
    uw_bench_result r = {.name = name, .unit = "ms", .settings = settings};
    uw_status s = open_bench(ctx, size, &b, err);
    if (s) goto done;
    const int32_t threads = uw_context_threads(ctx), frames = size->windows * WINDOW;
    const double flops = uw__loss_flops(&b.net, &b.config) * size->windows;
    uw__bench_sample(&r, size->width ? (quick ? 3 : 9) : quick ? 1 : size->windows > 32 ? 3 : 5, ms_of_step, &b);
    if (!b.finite) {
        s = uw_fail(err, UW_ENONFINITE, "%s: wanted finite losses", size->name);
        goto done;
    }
    const double peak = threads * best_peak(uw_context_isa(ctx)), gflops = flops / r.value * 1e-6;
    r.percent_of_peak = peak > 0.0 ? 100.0 * gflops / peak : 0.0;
    snprintf(name, sizeof name, "train lewm %s", size->name);
    snprintf(settings, sizeof settings, "%.2f ms per frame, %.0f GFLOP/s%s, %zu MB, %d threads, peak %.0f GFLOP/s in f32",
             r.value / frames, gflops, b.exec.bf16 ? " in bf16" : "", b.bytes >> 20, (int)threads, peak);
    sink(cookie, &r);
done:
    free(b.memory);
    uw__net_fini(&b.net);
    return s;
}

uw_status uw_bench_train_lewm(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie, uw_err *err) {
    uw_status s = UW_OK;
    for (int i = 0; i < NUM_SIZES && !s; i++)
        if (sizes[i].quick || !quick) s = measure(ctx, &sizes[i], quick, sink, cookie, err);
    return s;
}
