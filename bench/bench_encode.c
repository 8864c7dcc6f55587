/* Encoding: u8 pictures to latents through LeWM's encoder and projector, at the published size and
 * on 64 x 64 pictures, in milliseconds per call. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <umwelt/train.h>

#include "clock.h"
#include "fresh.h"
#include "internal.h"
#include "peak.h"
#include "rng.h"
#include "sample.h"

enum { MANY = 32, PEAK_TRIES = 20, MAX_THREADS = 256 };

/* What of the published size a row changes; width 0 keeps the network. */
typedef struct size_row {
    const char *name;
    int32_t image, patch, width, layers, heads;
} size_row;

static const size_row sizes[] = {
    {"LeWM 224x224", 224, 14, 0, 0, 0},
    {"LeWM 64x64 patch 8", 64, 8, 0, 0, 0},
    {"small64", 64, 8, 64, 3, 1},
};
enum { NUM_SIZES = sizeof sizes / sizeof *sizes };

typedef struct encode_run {
    uw_context *ctx;
    uw_encoder *encoder;
    const uint8_t *frames;
    float *z;
    int32_t rows, threads;
    double flops; /* of one call */
    uw_status status;
} encode_run;

static double ms_of_run(void *arg) {
    encode_run *r = arg;
    const double start = uw__clock_s();
    const uw_status s = uw_encoder_run(r->encoder, r->frames, NULL, r->rows, r->z);
    if (s) r->status = s;
    return (uw__clock_s() - start) * 1e3;
}

typedef struct peaks {
    const char *isa;
    double gflops[MAX_THREADS];
} peaks;

/* The best of a few windows: the first ones find the core still raising its voltage. */
static void peak_task(void *arg, size_t index, int32_t worker) {
    peaks *p = arg;
    (void)worker;
    for (int i = 0; i < PEAK_TRIES; i++) {
        const double gflops = uw__bench_peak(p->isa);
        if (gflops > p->gflops[index]) p->gflops[index] = gflops;
    }
}

/* GFLOP/s of fp32 multiply-adds on as many threads at once as the run has. */
static double peak_of(const encode_run *r) {
    peaks p = {.isa = uw_context_isa(r->ctx)};
    double sum = 0;
    uw__pool_run(r->ctx->pool, (size_t)r->threads, peak_task, &p);
    for (int32_t i = 0; i < r->threads; i++) sum += p.gflops[i];
    return sum;
}

/* Products of one frame as they are done: the last layer for CLS alone. */
static double flops_of_frame(const uw_model_config *c) {
    const double side = c->image_size / c->vit_patch, patches = side * side, tokens = patches + 1;
    const double dim = c->vit_dim, mlp = c->vit_mlp_dim, hidden = c->projector_dim;
    const double behind = dim * dim + 2 * dim * mlp; /* per token: out, up, down */
    const double layer = tokens * (3 * dim * dim + 2 * tokens * dim + behind);
    const double last = tokens * (2 * dim * dim + 2 * dim) + dim * dim + behind;
    return 2 * (patches * c->vit_patch * c->vit_patch * 3 * dim + (c->vit_layers - 1) * layer +
                last + hidden * (dim + c->latent_dim));
}

static void report(const encode_run *r, const char *size, uw_bench_result *result, bool bf16,
                   uw_bench_sink *sink, void *cookie) {
    char name[96], settings[128];
    const double peak = peak_of(r), gflops = r->flops / result->value * 1e-6;
    snprintf(name, sizeof name, "encode %s B=%d, %s%s", size, (int)r->rows,
             r->threads > 1 ? "all threads" : "one thread", bf16 ? ", bf16" : "");
    snprintf(settings, sizeof settings, "%.2f ms per frame, %.0f GFLOP/s, fp32 peak %.0f GFLOP/s",
             result->value / r->rows, gflops, peak);
    result->name = name;
    result->unit = "ms";
    result->settings = settings;
    result->percent_of_peak = peak > 0 ? 100 * gflops / peak : 0;
    sink(cookie, result);
}

static uw_status bench_one(uw_context *ctx, const uw_model *model, const char *size, int32_t rows,
                           bool parallel, bool quick, uw_bench_sink *sink, void *cookie) {
    const uw_model_config *c = uw_model_config_of(model);
    const size_t bytes = (size_t)c->image_size * (size_t)c->image_size * 3 * (size_t)rows;
    encode_run r = {.ctx = ctx,
                    .rows = rows,
                    .threads = parallel ? uw_context_threads(ctx) : 1,
                    .flops = flops_of_frame(c) * rows};
    const size_t memory_bytes = uw_encoder_memsize(model, rows, r.threads);
    void *memory = uw__bench_block(memory_bytes);
    uint8_t *frames = malloc(bytes);
    r.z = calloc((size_t)rows * (size_t)c->latent_dim, sizeof *r.z);
    uw_status s = memory && frames && r.z ? UW_OK : UW_ENOMEM;
    if (!s) s = uw_encoder_init(ctx, model, rows, parallel, memory, memory_bytes, &r.encoder);
    if (!s) {
        uw_rng rng = uw__rng(1, UW_STREAM_TEST, 0);
        uw_bench_result result = {0};
        for (size_t i = 0; i < bytes; i++) frames[i] = (uint8_t)uw__rng_below(&rng, 256);
        r.frames = frames;
        uw__bench_sample(&result, quick ? 3 : rows > 1 ? 9 : 41, ms_of_run, &r);
        s = r.status;
        if (!s)
            report(&r, size, &result, ctx->options.precision == UW_PRECISION_BF16, sink, cookie);
    }
    free(memory);
    free(frames);
    free(r.z);
    return s;
}

static uw_status size_model(const size_row *size, uw_model **out, uw_err *err) {
    uw_train_config config;
    const uw_status s = uw_train_preset("lewm", &config, err);
    uw_model_config *c = &config.model;
    c->action_dim = 2;
    c->image_size = size->image;
    c->vit_patch = size->patch;
    if (size->width) {
        c->vit_dim = c->latent_dim = size->width;
        c->vit_mlp_dim = 4 * size->width;
        c->vit_layers = size->layers;
        c->vit_heads = size->heads;
        c->projector_dim = 8 * size->width;
    }
    return s ? s : uw__bench_model(c, out, err);
}

uw_status uw_bench_encode(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                          uw_err *err) {
    uw_status s = UW_OK;
    for (int i = 0; i < NUM_SIZES && !s; i++) {
        uw_model *model = NULL;
        s = size_model(&sizes[i], &model, err);
        for (int k = 0; k < 4 && !s; k++) {
            s = bench_one(ctx, model, sizes[i].name, k < 2 ? MANY : 1, k % 2, quick, sink, cookie);
            if (s) uw_fail(err, s, "bench encode: %s", sizes[i].name);
        }
        uw_model_unload(model);
    }
    return s;
}
