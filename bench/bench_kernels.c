/* Every other kernel at sizes that stay in the second-level cache, one core: nanoseconds per value.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "internal.h"
#include "kernels.h"
#include "sample.h"

enum {
    N = 16384, /* values: 64 KiB a vector */
    C = 128,   /* columns where rows matter */
    ROWS = N / C,
    KNOTS = 17,
    BUFFERS = 6,
    CALLS = 8 /* per window */
};

typedef struct bench {
    const uw_kernels *k;
    float *v[BUFFERS]; /* [N] each */
    uint8_t *bytes;    /* [N] */
    void (*call)(struct bench *b);
} bench;

static const uw_conv_dims conv = {.y = 16,
                                  .x = 16,
                                  .c = 16,
                                  .kernel = 3,
                                  .stride = 2,
                                  .pad = 1,
                                  .out_y = 8,
                                  .out_x = 8}; /* the demo's second layer: 9216 values */
static const uw_adamw_args adamw = {.lr = 1e-3f,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.999f,
                                    .eps = 1e-8f,
                                    .weight_decay = 1e-3f,
                                    .bias1 = 0.1f,
                                    .bias2 = 0.001f,
                                    .grad_scale = 1};

/* One line each: buffers 0 and 1 hold inputs, the others take results. */
static void do_gelu(bench *b) {
    b->k->gelu(b->v[2], b->v[0], N);
}
static void do_gelu_backward(bench *b) {
    b->k->gelu_backward(b->v[2], b->v[1], b->v[0], N);
}
static void do_silu(bench *b) {
    b->k->silu(b->v[2], b->v[0], N);
}
static void do_exp(bench *b) {
    b->k->exp(b->v[2], b->v[0], N);
}
static void do_sincos(bench *b) {
    b->k->sincos(b->v[2], b->v[3], b->v[0], N);
}
static void do_axpy(bench *b) {
    b->k->axpy(b->v[2], 1e-9f, b->v[0], N);
}
static void do_add(bench *b) {
    b->k->add(b->v[2], b->v[0], b->v[1], N);
}
static void do_u8_affine(bench *b) {
    b->k->u8_affine(b->v[2], b->bytes, 1 / 127.5f, -1, N);
}
static void do_u8_relative(bench *b) {
    static const uint8_t floor[3] = {1, 2, 3};
    b->k->u8_relative(b->v[2], b->bytes, 0, floor, 1, N / 4);
}
static void do_dot(bench *b) {
    b->v[2][0] = (float)b->k->dot(b->v[0], b->v[1], N);
}
static void do_colsum(bench *b) {
    b->k->colsum(b->v[2], b->v[0], ROWS, C, C, false);
}
static void do_sqdist(bench *b) {
    b->k->sqdist(b->v[2], b->v[0], b->v[1], N / 32, 32, 32);
}
static void do_softmax(bench *b) {
    b->k->softmax(b->v[3], ROWS, C, C, 0.125f, false);
}
static void do_layernorm(bench *b) {
    b->k->layernorm(b->v[2], b->v[3], b->v[4], b->v[0], b->v[1], b->v[1], ROWS, C, 1e-5f);
}
static void do_layernorm_backward(bench *b) {
    b->k->layernorm_backward(b->v[2], b->v[3], b->v[4], b->v[1], b->v[0], b->v[1], b->v[1], b->v[1],
                             ROWS, C, false);
}
static void do_colmoments(bench *b) {
    b->k->colmoments(b->v[2], b->v[3], b->v[0], ROWS, C, C);
}
static void do_batchnorm_backward(bench *b) {
    b->k->batchnorm_backward(b->v[2], b->v[3], b->v[4], b->v[1], b->v[0], b->v[0], b->v[1], b->v[1],
                             ROWS, C, C);
}
static void do_im2col(bench *b) {
    b->k->im2col(b->v[2], b->v[0], &conv);
}
static void do_col2im(bench *b) {
    b->k->col2im(b->v[2], b->v[0], &conv);
}
static void do_adamw(bench *b) {
    b->k->adamw(b->v[2], b->v[3], b->v[4], b->v[0], N, &adamw);
}
static void do_sigreg_sums(bench *b) {
    b->k->sigreg_sums(b->v[2], b->v[3], b->v[0], ROWS, C, C, 3.0f / 16, KNOTS);
}
static void do_sigreg_backward(bench *b) {
    b->k->sigreg_backward(b->v[2], b->v[0], b->v[1], b->v[0], ROWS, C, C, 3.0f / 16, KNOTS);
}

static const struct {
    int op;
    size_t values; /* per call: what the time is divided by */
    void (*call)(bench *b);
} cases[] = {
    {UW_OP_gelu, N, do_gelu},
    {UW_OP_gelu_backward, N, do_gelu_backward},
    {UW_OP_silu, N, do_silu},
    {UW_OP_exp, N, do_exp},
    {UW_OP_sincos, N, do_sincos},
    {UW_OP_axpy, N, do_axpy},
    {UW_OP_add, N, do_add},
    {UW_OP_u8_affine, N, do_u8_affine},
    {UW_OP_u8_relative, N, do_u8_relative},
    {UW_OP_dot, N, do_dot},
    {UW_OP_colsum, N, do_colsum},
    {UW_OP_sqdist, N, do_sqdist},
    {UW_OP_softmax, N, do_softmax},
    {UW_OP_layernorm, N, do_layernorm},
    {UW_OP_layernorm_backward, N, do_layernorm_backward},
    {UW_OP_colmoments, N, do_colmoments},
    {UW_OP_batchnorm_backward, N, do_batchnorm_backward},
    {UW_OP_im2col, 9216, do_im2col},
    {UW_OP_col2im, 9216, do_col2im},
    {UW_OP_adamw, N, do_adamw},
    {UW_OP_sigreg_sums, N *KNOTS, do_sigreg_sums},
    {UW_OP_sigreg_backward, N *KNOTS, do_sigreg_backward},
};
enum { NUM_CASES = sizeof cases / sizeof *cases };

/* Nanoseconds of one call. */
static double time_call(void *arg) {
    bench *b = arg;
    const double start = uw__clock_s();
    for (int i = 0; i < CALLS; i++) b->call(b);
    return (uw__clock_s() - start) / CALLS * 1e9;
}

uw_status uw_bench_kernels(uw_context *ctx, bool quick, uw_bench_sink *sink, void *cookie,
                           uw_err *err) {
    bench b = {.k = ctx->kernels};
    float *memory = calloc((BUFFERS + 1) * N, sizeof *memory);
    if (!memory) return uw_fail(err, UW_ENOMEM, "bench kernels: no memory for %d vectors", BUFFERS);
    for (size_t i = 0; i < BUFFERS; i++) b.v[i] = memory + i * N;
    b.bytes = (uint8_t *)(memory + (size_t)BUFFERS * N);
    for (size_t i = 0; i < 2 * N; i++) memory[i] = (float)(i % 1009) * 0.004f - 2 + 1e-3f;
    for (size_t i = 0; i < NUM_CASES; i++) {
        char settings[64];
        const double values = (double)cases[i].values;
        uw_bench_result r = {
            .name = uw__kernel_name(cases[i].op), .unit = "ns/value", .settings = settings};
        snprintf(settings, sizeof settings, "%zu values, %s, one core", cases[i].values,
                 b.k->chosen[cases[i].op]);
        b.call = cases[i].call;
        uw__bench_sample(&r, quick ? 7 : 41, time_call, &b);
        r.value /= values, r.min /= values, r.max /= values;
        sink(cookie, &r);
    }
    free(memory);
    return UW_OK;
}
