/* Encoding many observations: chunk after chunk through one set of activations. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_struct.h"
#include "observe.h"

enum { CHUNK_BYTES = 32 << 20, MAX_CHUNK = 256 };

typedef struct encoder {
    uw_exec exec;
    uw_encode_acts *acts;
    float *x; /* [rows, input_reals] */
} encoder;

static encoder encoder_layout(uw_arena *arena, const uw_context *ctx, const uw_net *net,
                              size_t rows) {
    encoder e = {.exec = uw__exec_layout(arena, ctx->kernels, ctx->pool, uw__net_extra_reals(net))};
    e.acts = uw__encode_layout(arena, net, rows, false);
    e.x = uw_arena_alloc(arena, rows * net->input_reals, sizeof *e.x);
    return e;
}

/* As many rows at once as fit a modest amount of memory; the result does not depend on it. */
static size_t chunk_rows(const uw_context *ctx, const uw_net *net, int64_t n) {
    uw_arena none = UW_ARENA_MEASURE, one = UW_ARENA_MEASURE;
    encoder_layout(&none, ctx, net, 0);
    encoder_layout(&one, ctx, net, 1);
    size_t rows = CHUNK_BYTES / (one.used - none.used + 1);
    if (rows < 1) rows = 1;
    if (rows > MAX_CHUNK) rows = MAX_CHUNK;
    return (int64_t)rows < n ? rows : (size_t)n;
}

bool uw__observe_columns(const uw_net *net, const uw_normalisers *n, const float *columns,
                         size_t rows, float *x) {
    const size_t dim = net->input_reals;
    for (size_t i = 0; i < rows * dim; i++) {
        if (!isfinite(columns[i])) return false;
        x[i] = columns[i];
        if (n->observe_dim) x[i] = (x[i] - n->observe_mean[i % dim]) / n->observe_std[i % dim];
    }
    return true;
}

bool uw__all_finite(const float *x, size_t n) {
    float sum = 0.0f; /* x - x is 0 for finite x, NaN otherwise */
    for (size_t i = 0; i < n; i++) sum += x[i] - x[i];
    return sum == 0.0f;
}

static uw_status check_kind(const uw_net *net, const uint8_t *frames, const float *columns,
                            uw_err *err) {
    const bool wants_columns = net->config.input == UW_INPUT_COLUMNS;
    if (wants_columns ? columns && !frames : frames && !columns) return UW_OK;
    return uw_fail(err, UW_EINVAL, "observation: kind, wanted %s alone, got %s",
                   wants_columns ? "columns" : "frames",
                   frames && columns ? "both"
                   : frames          ? "frames"
                   : columns         ? "columns"
                                     : "nothing");
}

uw_status uw_model_encode(uw_context *ctx, const uw_model *model, const uint8_t *frames,
                          const float *columns, int64_t n, float *z, uw_err *err) {
    const uw_net *net = &model->net;
    const size_t latent = (size_t)net->config.latent_dim;
    const size_t side = (size_t)net->config.image_size, frame_bytes = side * side * 3;
    uw_status s = check_kind(net, frames, columns, err);
    if (s || n <= 0) return s;

    const size_t chunk = chunk_rows(ctx, net, n);
    uw_arena arena = UW_ARENA_MEASURE;
    encoder_layout(&arena, ctx, net, chunk);
    const size_t bytes = arena.used;
    void *mem =
        arena.failed ? NULL : aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN);
    if (!mem) return uw_fail(err, UW_ENOMEM, "encode: %zu bytes of scratch", bytes);
    arena = (uw_arena){.base = mem, .cap = bytes};
    const encoder e = encoder_layout(&arena, ctx, net, chunk);

    for (size_t at = 0; at < (size_t)n && !s; at += chunk) {
        const size_t rows = (size_t)n - at < chunk ? (size_t)n - at : chunk;
        if (frames) {
            uw__net_prepare(&e.exec, net, model->buffers, frames + at * frame_bytes, rows, e.x);
        } else if (!uw__observe_columns(net, &model->normalisers, columns + at * net->input_reals,
                                        rows, e.x)) {
            s = uw_fail(
                err, UW_ENONFINITE,
                "observation: columns, wanted finite numbers, got NaN or Inf in rows %zu..%zu", at,
                at + rows - 1);
            break;
        }
        /* the running statistics are read only: nothing is written to the buffers */
        uw__encode_forward(&e.exec, net, model->params, model->buffers, e.acts, e.x, rows, false,
                           z + at * latent);
        if (!uw__all_finite(z + at * latent, rows * latent)) {
            s = uw_fail(err, UW_ENONFINITE,
                        "encode: latents, wanted finite numbers, got NaN or Inf");
        }
    }
    free(mem);
    return s;
}
