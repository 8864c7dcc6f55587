/* Encoding many observations: chunk after chunk through one encoder. */
#include <math.h>
#include <stdlib.h>

#include "encoder.h"
#include "model_struct.h"

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

static bool finite_columns(const float *columns, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(columns[i])) return false;
    return true;
}

/* Say what was not finite: what came in, or what came out. */
static uw_status tell_nonfinite(const float *columns, size_t count, size_t at, size_t rows,
                                uw_err *err) {
    if (columns && !finite_columns(columns, count)) {
        return uw_fail(
            err, UW_ENONFINITE,
            "observation: columns, wanted finite numbers, got NaN or Inf in rows %zu..%zu", at,
            at + rows - 1);
    }
    return uw_fail(err, UW_ENONFINITE, "encode: latents, wanted finite numbers, got NaN or Inf");
}

uw_status uw_model_encode(uw_context *ctx, const uw_model *model, const uint8_t *frames,
                          const float *columns, int64_t n, float *z, uw_err *err) {
    const uw_net *net = &model->net;
    const size_t latent = (size_t)net->config.latent_dim, inputs = net->input_reals;
    const size_t side = (size_t)net->config.image_size, frame_bytes = side * side * 3;
    uw_encoder *encoder = NULL;
    uw_status s = check_kind(net, frames, columns, err);
    if (s || n <= 0) return s;

    const size_t chunk = uw__encoder_rows(model, n);
    const size_t bytes = uw_encoder_memsize(model, (int32_t)chunk, uw_context_threads(ctx));
    void *mem =
        bytes ? aligned_alloc(UW_ALIGN, (bytes + UW_ALIGN - 1) / UW_ALIGN * UW_ALIGN) : NULL;
    if (!mem) return uw_fail(err, UW_ENOMEM, "encode: %zu bytes of scratch", bytes);
    s = uw_encoder_init(ctx, model, (int32_t)chunk, true, mem, bytes, &encoder);
    for (size_t at = 0; at < (size_t)n && !s; at += chunk) {
        const size_t rows = (size_t)n - at < chunk ? (size_t)n - at : chunk;
        const float *in = columns ? columns + at * inputs : NULL;
        s = uw_encoder_run(encoder, frames ? frames + at * frame_bytes : NULL, in, (int32_t)rows,
                           z + at * latent);
        if (s) s = tell_nonfinite(in, rows * inputs, at, rows, err);
    }
    free(mem);
    return s;
}
