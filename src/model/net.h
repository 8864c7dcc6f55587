/* The network as pure functions of (layout, numbers, inputs): what the trainer and the model share.
 *
 * A uw_net is the tensor table that a configuration implies; the numbers live in two flat arrays:
 * params (trained) and buffers (BatchNorm's running statistics).  Forward passes record what their
 * backward needs in acts, which are planned once on an arena.  Everything is uw_real, so that the same
 * source is checked in double. */
#ifndef UW_NET_H
#define UW_NET_H

#include <umwelt/model.h>

#include "exec.h"

/* How a tensor starts. */
typedef enum uw_net_start {
    UW_START_ZERO = 0,
    UW_START_ONE = 1,
    UW_START_UNIFORM = 2,    /* +- 1/sqrt(fan_in), PyTorch's default of Linear and Conv */
    UW_START_NORMAL = 3,     /* N(0, 1) */
    UW_START_NORMAL_SMALL = 4 /* N(0, 0.02), Hugging Face's ViT */
} uw_net_start;

typedef struct uw_net_tensor {
    char name[96];
    int32_t num_dims;
    int64_t shape[4];
    size_t offset, count; /* in params, or in buffers when buffer */
    bool buffer;          /* running statistics: not trained */
    bool counter;         /* stored as an I64 scalar in files (num_batches_tracked); one real here */
    uw_net_start start;
    size_t fan_in;        /* of UW_START_UNIFORM */
} uw_net_tensor;

typedef struct uw_net {
    uw_model_config config;
    int32_t num_tensors;
    uw_net_tensor *tensors; /* [num_tensors], file order, LeWM's names where LeWM has the tensor */
    size_t num_params, num_buffers;
    int32_t channels;    /* of the prepared input: 3, or 4 with floor-relative input */
    size_t input_reals;  /* per observation: Y * X * channels (NHWC) or observe_dim */
    int32_t action_block; /* A = action_dim * frameskip */
    int32_t action_in;    /* A and the actions before it: what the action encoder is fed, [block, before] */
    int32_t cond_dim;     /* width of an encoded action */
    int32_t feature_dim;  /* F: what the encoder hands to the projector */
    /* index of the first tensor of each part */
    int32_t at_encoder, at_predictor, at_action, at_projector, at_pred_proj, at_inverse, at_readout, at_input;
} uw_net;

/* Check a configuration (upper bounds too) and build its table.  Own: net->tensors, uw__net_fini. */
uw_status uw__net_init(const uw_model_config *config, uw_net *net, uw_err *err);
void uw__net_fini(uw_net *net);
/* Return the steps that the predictor sees: history_size, or 1 when the last latent is enough. */
size_t uw__net_history(const uw_net *net);
/* Return the index of a tensor by name, -1 when absent. */
int32_t uw__net_find(const uw_net *net, const char *name);
/* Initialise: the recipe's rules (PyTorch defaults for conv/linear, zeros for the residual MLP's last
 * layer and AdaLN, HF's normal 0.02 for ViT, N(0,1) predictor positions); a function of seed only. */
void uw__net_randomise(const uw_net *net, uint64_t seed, uw_real *params, uw_real *buffers);

/* Return the extra_reals that uw__exec_layout needs for every pass below. */
size_t uw__net_extra_reals(const uw_net *net);

/* Prepare n observations: frames [n, Y, X, 3] u8 -> x [n, Y, X, channels] (input transform).
 * buffers: read with UW_INPUT_CENTRED alone. */
void uw__net_prepare(const uw_exec *e, const uw_net *net, const uw_real *buffers,
                     const uint8_t *frames, size_t n, uw_real *x);

/* ---- encoder + projector: x [rows, input_reals] -> z [rows, D] ---------------------------------- */

typedef struct uw_encode_acts uw_encode_acts;
/* Plan activations for up to max_rows; backward = false keeps only what inference needs. */
uw_encode_acts *uw__encode_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward);
/* The same for a backward, with activations of at most `chunk` rows of the encoder: it takes its rows
 * in chunks and computes each again in the backward.  An encoder has no batch statistics, so that
 * loss and gradients stay those of all rows together, but for the order of sums over rows.  With
 * BatchNorm in its convolutions it has, and takes all rows whatever `chunk` says. */
uw_encode_acts *uw__encode_layout_chunked(uw_arena *arena, const uw_net *net, size_t max_rows,
                                          size_t chunk);
/* Return a chunk for so many rows: all while their activations fit 4 GiB, else what fits 1 GiB.  A
 * function of its arguments only, since sums over rows are cut by it. */
size_t uw__encode_chunk(const uw_net *net, size_t rows);
/* train: BatchNorm uses batch statistics over all rows and moves the running ones in buffers. */
void uw__encode_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_real *buffers, uw_encode_acts *acts, const uw_real *x, size_t rows,
                        bool train, uw_real *z);
/* Return whether an encoder prepares pictures itself, few at a time, so that a whole batch of them is
 * never stored in reals. */
bool uw__net_takes_frames(const uw_net *net);
/* The same latents from frames [rows, Y, X, 3] u8, for an encoder that takes them; the backward reads
 * them again. */
void uw__encode_forward_frames(const uw_exec *e, const uw_net *net, const uw_real *params,
                               uw_real *buffers, uw_encode_acts *acts, const uint8_t *frames,
                               size_t rows, bool train, uw_real *z);
/* Accumulate into grads [num_params] from dz [rows, D] of the last train-mode forward on acts. */
void uw__encode_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_encode_acts *acts, const uw_real *dz, uw_real *grads);

/* ---- action encoder: a [rows, action_in] -> c [rows, cond_dim] (identity copies when it has no tensors) ------ */

typedef struct uw_action_acts uw_action_acts;
uw_action_acts *uw__action_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward);
void uw__action_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                        uw_action_acts *acts, const uw_real *a, size_t rows, uw_real *c);
/* da (nullable) is written; grads (nullable) accumulate. */
void uw__action_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_action_acts *acts, const uw_real *dc, uw_real *da, uw_real *grads);

/* ---- predictor + prediction projector ----------------------------------------------------------- */
/* z [N, T, D], c [N, T, cond_dim], T <= history_size (any T for the Markov MLP) -> out [N, T, D]:
 * out[n, t] is the prediction of step t+1 from steps <= t (causal). */

typedef struct uw_predict_acts uw_predict_acts;
uw_predict_acts *uw__predict_layout(uw_arena *arena, const uw_net *net, size_t max_n, size_t max_t,
                                    bool backward);
typedef struct uw_dropout {
    bool on;           /* false: no dropout, whatever the configuration says */
    uint64_t seed;     /* with step and call: the counter of every mask */
    uint64_t step;
    uint32_t call;     /* which predictor call of the step */
} uw_dropout;
void uw__predict_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_real *buffers, uw_predict_acts *acts, const uw_real *z,
                         const uw_real *c, size_t n, size_t t, bool train,
                         const uw_dropout *dropout, uw_real *out);
/* dz and dc are written (either may be NULL); grads (nullable) accumulate.  After an inference forward
 * (train = false, on activations planned for a backward) grads must be NULL. */
void uw__predict_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_predict_acts *acts, const uw_real *dout, uw_real *dz, uw_real *dc,
                          uw_real *grads);

/* ---- inverse dynamics head: [z_t, z_t+1] -> action block ------------------------------------------ */

typedef struct uw_inverse_acts uw_inverse_acts;
uw_inverse_acts *uw__inverse_layout(uw_arena *arena, const uw_net *net, size_t max_rows);
void uw__inverse_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_inverse_acts *acts, const uw_real *z0, const uw_real *z1, size_t rows,
                         uw_real *a);
void uw__inverse_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_inverse_acts *acts, const uw_real *da, uw_real *dz0, uw_real *dz1,
                          uw_real *grads);

/* ---- readout: z [rows, D] -> recorded numbers, z-scored [rows, readout_dim] ----------------------- */

typedef struct uw_readout_acts uw_readout_acts;
uw_readout_acts *uw__readout_layout(uw_arena *arena, const uw_net *net, size_t max_rows);
void uw__readout_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                         uw_readout_acts *acts, const uw_real *z, size_t rows, uw_real *y);
/* dz [rows, D] accumulates. */
void uw__readout_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                          uw_readout_acts *acts, const uw_real *dy, uw_real *dz, uw_real *grads);

#endif
