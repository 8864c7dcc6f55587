/* The training loss of one micro-batch as a function of the network's numbers: values and all gradients.
 *
 *   total = prediction_weight * TF + rollout_weight * ROLL + sigreg_weight * SIGReg
 *         + inverse_weight * IDM + vicreg_weight * (std + cov) + readout_weight * READ
 *
 *   TF    mean over batch, T - 1 transitions and D of (pred(z_<=t, a_<=t) - z_t+1)^2; the target is not detached
 *   ROLL  from pred(z_0, a_0), predictions fed back; the mean squared error at steps 2 .. rollout_steps, averaged
 *   IDM   mean of (head(z_t, z_t+1) - a_t)^2
 *   READ  mean of (head(z) - y)^2 over rows and numbers
 *
 * Rows are the frames of the windows and, behind them, extra_frames single ones, which the encoder, SIGReg and
 * READ see and nothing else does.
 *
 * Nothing here knows of files, data sets or threads beyond the exec; it is uw_real throughout, so the same
 * source is held against central differences in double. */
#ifndef UW_LOSSES_H
#define UW_LOSSES_H

#include <umwelt/train.h>

#include "net.h"

typedef struct uw_losses {
    double total, prediction, rollout, sigreg, inverse, vicreg, readout;
} uw_losses;

typedef struct uw_loss_state uw_loss_state;

/* Return the rows of a micro-batch of `windows`: their frames and its share of the extra ones. */
size_t uw__loss_rows(const uw_train_config *config, size_t windows);
/* Return the frames whose encoder activations such a micro-batch keeps at once. */
size_t uw__loss_chunk(const uw_net *net, const uw_train_config *config, size_t windows);

/* Plan for micro-batches of `windows` windows under config (its window, weights and steps).
 * NULL while measuring. */
uw_loss_state *uw__loss_layout(uw_arena *arena, const uw_net *net, const uw_train_config *config,
                               size_t windows);

/* Plan for windows whose latents are given: the predictor's two losses alone. */
uw_loss_state *uw__loss_layout_predictor(uw_arena *arena, const uw_net *net,
                                         const uw_train_config *config, size_t windows);
/* From now on take pictures from frames [rows, Y, X, 3] u8 and not from x, with a network that takes frames. */
void uw__loss_frames(uw_loss_state *s, const uint8_t *frames);
/* Encode rows that the state was planned for with the running statistics: z [rows, D]. */
void uw__loss_encode(const uw_exec *e, const uw_net *net, const uw_real *params, uw_real *buffers,
                     uw_loss_state *state, const uw_real *x, size_t rows, uw_real *z);

/* One micro-batch: losses, and grads [num_params] += scale * gradient of the total.
 * Shapes   x: [rows, input_reals] prepared observations, rows = windows * T + extra; a: [windows, T - 1,
 *          action_in]; y: [rows, readout_dim] z-scored, or NULL without a readout
 *          of a state for the predictor alone x and y are NULL, and uw__loss_latents was filled before
 * Units    draw: the number of this micro-batch since the start, from which directions and masks come */
void uw__loss_gradient(const uw_exec *e, const uw_net *net, const uw_train_config *config,
                       const uw_real *params, uw_real *buffers, uw_loss_state *state,
                       const uw_real *x, const uw_real *a, const uw_real *y, uint64_t draw,
                       double scale, uw_real *grads, uw_losses *out);

/* Teacher-forced loss with the running statistics and without dropout, for validation. */
double uw__loss_validate(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_real *buffers, uw_loss_state *state, const uw_real *x, const uw_real *a);

/* How far predictions of the last call's windows move with other windows' actions: mean |pred(z, a) - pred(z, a')|
 * over mean |pred(z, a) - z|, with the running statistics and without dropout; NaN without actions, or when nothing
 * moves.  Overwrites what the next call overwrites. */
double uw__loss_action_sensitivity(const uw_exec *e, const uw_net *net, const uw_real *params,
                                   uw_real *buffers, uw_loss_state *state);

/* Latents [rows, D] of the last call. */
uw_real *uw__loss_latents(const uw_loss_state *state);
/* The regulariser, for a parity test to give it directions; NULL when its weight is 0. */
struct uw_sigreg *uw__loss_sigreg(uw_loss_state *state);

/* Arithmetic of one window, and its share of the extra frames, through uw__loss_gradient: convolutions and matrix products, forward and
 * backward; activations that are computed again are not counted again. */
double uw__loss_flops(const uw_net *net, const uw_train_config *config);
/* The same of a window in predictor_steps. */
double uw__loss_flops_predictor(const uw_net *net, const uw_train_config *config);

#endif
