/* The matrix product at the demo's and LeWM's shapes, one core, in GFLOP/s and percent of the FMA
 * peak measured right before every window: what disturbs the machine disturbs both. */
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
    size_t m, k, n; /* op(A) is [m, k], op(B) is [k, n] */
    bool trans_a, trans_b;
    bool packed; /* a weight laid out once: what encoding and planning do */
    uw_epilogue epilogue;
} shape;

/* Forward: rows times a weight stored [n, k].  dx: times the weight as stored.  dw: over the rows.
 */
static const shape shapes[] = {
    {"demo conv1", 512, 64, 16, .trans_b = true},
    {"demo conv1 dw", 16, 512, 64, .trans_a = true},
    {"demo conv2", 192, 144, 32, .trans_b = true},
    {"demo conv2 dx", 192, 32, 144, .trans_b = false},
    {"demo conv2 dw", 32, 192, 144, .trans_a = true},
    {"demo conv3", 112, 288, 32, .trans_b = true},
    {"demo conv3 dx", 112, 32, 288, .trans_b = false},
    {"demo conv3 dw", 32, 112, 288, .trans_a = true},
    {"demo head", 256, 512, 128, .trans_b = true},
    {"demo head dx", 256, 128, 512, .trans_b = false},
    {"demo head dw", 128, 256, 512, .trans_a = true},
    {"demo predictor 1", 192, 34, 128, .trans_b = true},
    {"demo predictor 2", 192, 128, 128, .trans_b = true},
    {"demo predictor 2 dw", 128, 192, 128, .trans_a = true},
    {"demo plan 1", 128, 34, 128, .trans_b = true},
    {"demo plan 2", 128, 128, 128, .trans_b = true},
    {"demo plan 3", 128, 128, 32, .trans_b = true},
    {"LeWM vit qkv", 257, 192, 576, false, true, true, UW_EPILOGUE_NONE},
    {"LeWM vit up", 257, 192, 768, false, true, true, UW_EPILOGUE_NONE},
    {"LeWM vit up, GELU", 257, 192, 768, false, true, true, UW_EPILOGUE_GELU},
    {"LeWM vit down, add", 257, 768, 192, false, true, true, UW_EPILOGUE_ADD},
    {"LeWM vit up of 8", 2056, 192, 768, false, true, true, UW_EPILOGUE_NONE},
    {"LeWM vit up of 8, GELU", 2056, 192, 768, false, true, true, UW_EPILOGUE_GELU},
    {"LeWM vit down of 8, add", 2056, 768, 192, false, true, true, UW_EPILOGUE_ADD},
    {"LeWM patches of 8", 2048, 588, 192, false, true, true, UW_EPILOGUE_NONE},
    {"LeWM predictor qkv", 300, 192, 3072, false, true, true, UW_EPILOGUE_NONE},
    {"LeWM predictor out, gate", 300, 1024, 192, false, true, true, UW_EPILOGUE_GATE},
    {"LeWM predictor up, GELU", 300, 192, 2048, false, true, true, UW_EPILOGUE_GELU},
    {"LeWM predictor down, gate", 300, 2048, 192, false, true, true, UW_EPILOGUE_GATE},
    {"LeWM vit up, training", 4112, 192, 768, .trans_b = true},
    {"LeWM vit down, training", 4112, 768, 192, .trans_b = true},
    {"LeWM vit up dx", 4112, 768, 192, .trans_b = false},
    {"LeWM vit up dw", 768, 4112, 192, .trans_a = true},
    {"LeWM vit down dw", 192, 4112, 768, .trans_a = true},
    {"LeWM predictor up dx", 900, 2048, 192, .trans_b = false},
    {"LeWM predictor up dw", 2048, 900, 192, .trans_a = true},
};
enum { NUM_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct run {
    const uw_kernels *k;
    uw_gemm_args g;
    float *memory, *scratch;
    int32_t repeats; /* products per window */
    double flops;    /* of one product */
} run;

/* GFLOP/s of one window. */
static double window(const run *r) {
    const double start = uw__clock_s();
    for (int32_t i = 0; i < r->repeats; i++) r->k->gemm(&r->g, r->scratch);
    return r->flops * r->repeats / (uw__clock_s() - start) * 1e-9;
}
static double speed(void *arg) {
    return window(arg);
}
static double share_of_peak(void *arg) {
    const run *r = arg;
    const double before = uw__bench_peak(r->k->chosen[UW_OP_gemm]);
    const double gflops = window(r);
    const double after = uw__bench_peak(r->k->chosen[UW_OP_gemm]);
    return before + after > 0 ? 200 * gflops / (before + after) : 0;
}

static uw_status run_new(run *r, const uw_kernels *k, const shape *s, bool quick) {
    enum { LINE = 16 }; /* floats */
    const size_t packed = uw__gemm_packed_bytes(s->n, s->k) / sizeof(float);
    const size_t a = s->m * s->k, b = s->k * s->n, c = s->m * s->n, all = a + b + 3 * c;
    const size_t bytes = (packed + UW_GEMM_SCRATCH + all + LINE) / LINE * LINE * sizeof(float);
    r->memory = aligned_alloc(LINE * sizeof(float), bytes);
    if (!r->memory) return UW_ENOMEM;
    r->scratch = r->memory + packed;
    float *x = r->scratch + UW_GEMM_SCRATCH;
    for (size_t i = 0; i < all; i++) x[i] = (float)(i % 17) * 0.1f - 0.8f;
    r->k = k;
    r->g = (uw_gemm_args){.trans_a = s->trans_a,
                          .trans_b = s->trans_b,
                          .m = s->m,
                          .n = s->n,
                          .k = s->k,
                          .a = x,
                          .lda = s->trans_a ? s->m : s->k,
                          .b = x + a,
                          .ldb = s->trans_b ? s->k : s->n,
                          .c = x + a + b,
                          .ldc = s->n,
                          .epilogue = s->epilogue,
                          .residual = x + a + b + c,
                          .ld_residual = s->n,
                          .gate = x + a + b + 2 * c,
                          .ld_gate = s->n};
    if (s->packed) {
        k->gemm_pack(r->memory, r->g.b, r->g.ldb, s->trans_b, s->n, s->k);
        r->g.packed = r->memory;
    }
    r->flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
    /* A window of some 0.3 ms (quick 0.1): short beside what else the machine does. */
    r->repeats = (int32_t)((quick ? 1e7 : 3e7) / r->flops) + 1;
    return UW_OK;
}

uw_status uw_bench_gemm(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                        uw_err *err) {
    const int32_t samples = quick ? 7 : 41;
    uw_status s = UW_OK;
    for (size_t i = 0; i < NUM_SHAPES && !s; i++) {
        char settings[96];
        run r = {0};
        s = run_new(&r, ctx->kernels, &shapes[i], quick);
        if (s) {
            uw_fail(err, s, "bench gemm: no memory for %s", shapes[i].name);
            break;
        }
        snprintf(settings, sizeof settings, "%zu x %zu x %zu %s%s%s, %s, one core", shapes[i].m,
                 shapes[i].k, shapes[i].n, shapes[i].trans_a ? "T" : "N",
                 shapes[i].trans_b ? "T" : "N", shapes[i].packed ? " packed" : "",
                 ctx->kernels->chosen[UW_OP_gemm]);
        uw_bench_result share = {0};
        uw_bench_result result = {.name = shapes[i].name, .unit = "GFLOP/s", .settings = settings};
        uw__bench_sample(&share, samples, share_of_peak, &r);
        uw__bench_sample(&result, samples, speed, &r);
        result.percent_of_peak = share.value;
        sink(cookie, &result);
        free(r.memory);
    }
    return s;
}
