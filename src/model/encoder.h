/* An encoder inside a larger object's arena. */
#ifndef UW_ENCODER_H
#define UW_ENCODER_H

#include <umwelt/model.h>

#include "exec.h"

/* Place an encoder for up to max_rows observations per run and `workers` threads; NULL when measuring. */
uw_encoder *uw__encoder_layout(uw_arena *arena, const uw_model *model, size_t max_rows,
                               int32_t workers);
/* Lay out its weights for a context's kernels and precision; serial when parallel is false. */
void uw__encoder_start(uw_encoder *encoder, const uw_context *ctx, bool parallel);
/* Return how many of n observations a run of modest memory takes. */
size_t uw__encoder_rows(const uw_model *model, int64_t n);

#endif
