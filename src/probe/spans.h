/* Spans of recorded decisions: their latents, their actions, and what a model imagines from their beginnings.
 *
 *     uw__spans_load(ctx, model, data, &observe, held, true, 12, 256, &spans, &err);
 *     uw__spans_imagine(ctx, model, &spans, NULL, imagined, &err);
 *
 * Rollouts go through uw_dynamics, the very calls that planners make. */
#ifndef UW_SPANS_H
#define UW_SPANS_H

#include "latents.h"

typedef struct uw_spans {
    int32_t history, steps, skip; /* frames up to the first decision, decisions, rows per decision */
    int32_t frames;               /* history + steps */
    int32_t lead;                 /* of the dynamics: 1 when they see the decision before the first frame */
    int32_t count, dim, action_dim; /* spans, D, A numbers per decision */
    uw_row *rows;                 /* [count, frames] */
    float *z;                     /* [count, frames, D] */
    float *actions;               /* [count, lead + frames - 1, A] as recorded; gaps, and what was before an episode: 0 */
} uw_spans;

/* Load up to `most` spans of up to `steps` decisions, spread evenly over the episodes whose mark [episodes] equals
 * `want`.  Steps shrink until some episode is long enough; count 0: none is.  Own: *out, uw__spans_fini.
 * Returns UW_ENOTFOUND or UW_ESHAPE for a model's action column that does not fit; UW_ENOMEM. */
uw_status uw__spans_load(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                         const uw_observe *observe, const bool *mark, bool want, int32_t steps,
                         int32_t most, uw_spans *out, uw_err *err);
void uw__spans_fini(uw_spans *spans);

/* Roll every span out from its recorded history, or from z0 [count, history, D] (nullable), with its own actions:
 * imagined [count, steps, D]. */
uw_status uw__spans_imagine(uw_context *ctx, const uw_model *model, const uw_spans *spans,
                            const float *z0, float *imagined, uw_err *err);

/* How far predictions move when the actions of other spans are taken instead: mean |pred(z, a) - pred(z, a')| over
 * mean |pred(z, a) - z| after the first decision; NaN without actions, or when nothing moves. */
uw_status uw__spans_action_sensitivity(uw_context *ctx, const uw_model *model, const uw_spans *spans,
                                       double *out, uw_err *err);

/* Return the latent of frame f of span w. */
static inline const float *uw__spans_at(const uw_spans *s, int32_t w, int32_t f) {
    return s->z + ((int64_t)w * s->frames + f) * s->dim;
}
/* Return the action of decision k (0 .. steps - 1) of span w. */
static inline const float *uw__spans_action(const uw_spans *s, int32_t w, int32_t k) {
    const int64_t per = s->lead + s->frames - 1;
    return s->actions + ((int64_t)w * per + s->lead + s->history - 1 + k) * s->action_dim;
}

#endif
