/* The bf16 product at LeWM's shapes, one core: packed weights, A and C in bf16 as the engines keep
 * them; GFLOP/s and percent of the set's own peak, measured right before and after every window. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "internal.h"
#include "kernels.h"
#include "peak.h"
#include "sample.h"

typedef struct shape {
    const char *name;
    size_t m, k, n;
    uw_epilogue epilogue;
} shape;

static const shape shapes[] = {
    {"LeWM vit qkv", 257, 192, 576, UW_EPILOGUE_NONE},
    {"LeWM vit up", 257, 192, 768, UW_EPILOGUE_GELU},
    {"LeWM vit down", 257, 768, 192, UW_EPILOGUE_ADD},
    {"LeWM vit up, 8 frames", 2056, 192, 768, UW_EPILOGUE_GELU},
    {"LeWM vit down, 8 frames", 2056, 768, 192, UW_EPILOGUE_ADD},
    {"LeWM predictor AdaLN", 300, 192, 1152, UW_EPILOGUE_NONE},
    {"LeWM predictor qkv", 300, 192, 3072, UW_EPILOGUE_NONE},
    {"LeWM predictor out", 300, 1024, 192, UW_EPILOGUE_GATE},
    {"LeWM predictor up", 300, 192, 2048, UW_EPILOGUE_GELU},
    {"LeWM predictor down", 300, 2048, 192, UW_EPILOGUE_GATE},
    {"LeWM predictor up, 3 rows", 3, 192, 2048, UW_EPILOGUE_GELU},
};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct run {
    const uw_kernels *k;
    uw_gemm_args g;
    float *memory, *scratch;
    const char *peak; /* whose arithmetic does the work */
    int32_t repeats;
    double flops;
} run;

static double speed(void *arg) {
    const run *r = arg;
    const double start = uw__clock_s();
    for (int32_t i = 0; i < r->repeats; i++) r->k->gemm_bf16(&r->g, r->scratch);
    return r->flops * r->repeats / (uw__clock_s() - start) * 1e-9;
}
static double share_of_peak(void *arg) {
    const run *r = arg;
    const double before = uw__bench_peak(r->peak), gflops = speed(arg);
    const double after = uw__bench_peak(r->peak);
    return before + after > 0 ? 200 * gflops / (before + after) : 0;
}

static uw_status run_new(run *r, const uw_kernels *k, const shape *s, bool quick) {
    /* ADD and GATE keep fp32 rows, the residual stream; the others go on in bf16. */
    const bool stream = s->epilogue == UW_EPILOGUE_ADD || s->epilogue == UW_EPILOGUE_GATE;
    const size_t packed = uw__gemm_packed_bytes(s->n, s->k) / sizeof(float);
    const size_t a = (s->m * s->k + 31) / 32 * 16, c = s->m * s->n, b = s->n * s->k;
    r->memory = aligned_alloc(64, (packed + a + 3 * c + b + UW_GEMM_SCRATCH + 15) / 16 * 16 *
                                      sizeof(float));
    if (!r->memory) return UW_ENOMEM;
    float *at = r->memory + packed, *values = at + a, *weights = values + 3 * c;
    for (size_t i = 0; i < 3 * c + b; i++) values[i] = (float)(i * 7 % 17) * 0.1f - 0.8f;
    for (size_t i = 0; i < s->m * s->k; i++)
        k->to_bf16((uint16_t *)(void *)at + i, &values[i % b], 1);
    k->gemm_bf16_pack(r->memory, weights, s->k, true, s->n, s->k);
    r->k = k;
    r->peak = k->chosen[UW_OP_gemm_bf16];
    r->scratch = weights + b;
    r->g = (uw_gemm_args){.m = s->m, .n = s->n, .k = s->k, .lda = s->k, .ldc = s->n};
    r->g.a16 = (uint16_t *)(void *)at;
    r->g.packed = r->memory;
    r->g.bias = weights;
    r->g.epilogue = s->epilogue;
    r->g.residual = values + c, r->g.ld_residual = s->n;
    r->g.gate = values + 2 * c, r->g.ld_gate = s->n;
    if (stream) {
        r->g.c = values;
    } else {
        r->g.c16 = (uint16_t *)(void *)values;
    }
    r->flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
    r->repeats = (int32_t)((quick ? 1e7 : 3e7) / r->flops) + 1;
    return UW_OK;
}

uw_status uw_bench_gemm_bf16(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                             uw_err *err) {
    static const char *const epilogues[] = {"", " GELU", " ADD", " GATE"};
    const int32_t samples = quick ? 7 : 41;
    for (size_t i = 0; i < NUM_SHAPES; i++) {
        char settings[96];
        run r = {0};
        const shape *s = &shapes[i];
        if (run_new(&r, ctx->kernels, s, quick))
            return uw_fail(err, UW_ENOMEM, "bench gemm-bf16: no memory for %s", s->name);
        snprintf(settings, sizeof settings, "%zu x %zu x %zu%s, %s, one core", s->m, s->k, s->n,
                 epilogues[s->epilogue], r.peak);
        uw_bench_result share = {0};
        uw_bench_result result = {.name = s->name, .unit = "GFLOP/s", .settings = settings};
        uw__bench_sample(&share, samples, share_of_peak, &r);
        uw__bench_sample(&result, samples, speed, &r);
        result.percent_of_peak = share.value;
        sink(cookie, &result);
        free(r.memory);
    }
    return UW_OK;
}
