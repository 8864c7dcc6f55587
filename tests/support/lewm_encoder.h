/* The encoder of inference on a golden LeWM: fp32 within the recording's tolerances, the same bits for
 * other threads and cuts, bf16 within its contract. */
#ifndef UW_LEWM_ENCODER_H
#define UW_LEWM_ENCODER_H

#include "lewm_golden.h"

/* What bf16 may cost a latent, relative to its length. */
static const double LEWM_BF16_ERROR = 2e-2;

/* Latents [rows, D] of frames, the first `first` of them in a run of their own. */
static inline void lewm_encode(const uw_model *model, uw_precision precision, int32_t threads,
                               const uint8_t *frames, int32_t rows, int32_t first, float *z) {
    const uw_context_options options = {.num_threads = threads, .precision = precision};
    const uw_model_config *c = uw_model_config_of(model);
    const size_t frame = (size_t)c->image_size * (size_t)c->image_size * 3;
    uw_context *ctx = NULL;
    uw_encoder *encoder = NULL;
    uw_err err = {0};
    CHECK_OK(uw_context_new(&options, &ctx, &err), &err);
    uw_arena block = arena_block(uw_encoder_memsize(model, rows, threads));
    assert_int_equal(
        uw_encoder_init(ctx, model, rows, threads > 1, block.base, block.cap, &encoder), UW_OK);
    if (first) assert_int_equal(uw_encoder_run(encoder, frames, NULL, first, z), UW_OK);
    assert_int_equal(uw_encoder_run(encoder, frames + (size_t)first * frame, NULL, rows - first,
                                    z + first * c->latent_dim),
                     UW_OK);
    free(block.base);
    uw_context_free(ctx);
}

/* Print and bound the distance of every row from the truth. */
static inline void lewm_check_bf16(golden *g, const float *z, size_t rows, size_t d) {
    const double *want = golden_tensor(g, "z").data;
    double worst = 0, cosine = 1;
    for (size_t r = 0; r < rows; r++, z += d, want += d) {
        double error = 0, zz = 0, ww = 0, zw = 0;
        for (size_t i = 0; i < d; i++) {
            error += ((double)z[i] - want[i]) * ((double)z[i] - want[i]);
            zz += (double)z[i] * (double)z[i], ww += want[i] * want[i], zw += (double)z[i] * want[i];
        }
        worst = fmax(worst, sqrt(error / ww));
        cosine = fmin(cosine, zw / sqrt(zz * ww));
    }
    print_message("bf16: latents off by at most %.2g of their length, cosine at least %.6f\n", worst,
                  cosine);
    if (!(worst <= LEWM_BF16_ERROR))
        fail_msg("bf16 latents off by %.3g, wanted %.3g", worst, LEWM_BF16_ERROR);
    assert_true(worst > 0); /* it was bf16 */
}

/* frames: those of `z` in the recording. */
static inline void lewm_check_encoder(const lewm *m, golden *g, const uint8_t *frames) {
    const size_t rows = golden_axis(g, "z", 0);
    const size_t d = (size_t)m->net.config.latent_dim;
    float *z = calloc(rows * d, sizeof *z), *other = calloc(rows * d, sizeof *other);
    uw_model *model = NULL;
    uw_err err = {0};
    CHECK_OK(uw__model_new(&m->net.config, m->params, m->buffers, NULL, NULL, &model, &err), &err);

    lewm_encode(model, UW_PRECISION_F32, 1, frames, (int32_t)rows, 0, z);
    golden_check(g, "z", 0, z, rows * d);
    lewm_encode(model, UW_PRECISION_F32, 3, frames, (int32_t)rows, 1, other);
    assert_memory_equal(other, z, rows * d * sizeof *z);
    lewm_encode(model, UW_PRECISION_BF16, 2, frames, (int32_t)rows, 0, z);
    lewm_check_bf16(g, z, rows, d);
    free(z);
    free(other);
    uw_model_unload(model);
}

#endif
