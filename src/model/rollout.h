/* Rollouts of LeWM's predictor for inference: what every candidate has in common is done once, and
 * nothing that no one reads is done at all.
 *
 * The result is the one of uw__predict_forward called step by step over a window, but for rounding:
 *
 *   - keys and values are kept while the window grows: positions count from its start, so the day
 *     it slides everything in it is done again
 *   - an action is encoded once, and modulates all layers at once
 *   - tokens of the past, which all candidates share, are one row each
 *   - a first token has one key: what it attends to is its own value
 *   - in the last layer only keys and values of tokens before the last are needed
 *
 * Weights are laid out once, BatchNorm folded, heads interleaved (kernels.h: few_keys).  A latent is the same
 * bits for any number of threads and any block of candidates. */
#ifndef UW_ROLLOUT_H
#define UW_ROLLOUT_H

#include "packed.h"
#include "parts.h"

/* Numbers in rows: fp32, or bf16 between products. */
typedef struct uw_rows {
    void *p;
    size_t ld;
    bool bf16;
} uw_rows;

typedef struct uw_rollout_layer {
    uw_packed modulation, q, kv, out, up, down; /* out: unless nothing projects attention */
    const float *gamma[2], *beta[2];            /* of the affine norms, borrowed */
} uw_rollout_layer;

/* What one worker works in; n candidates, W = history_size tokens.  Token t of the window begins at row
 * t while all candidates share it, else behind the shared ones and n rows for every token before it. */
typedef struct uw_rollout_rows {
    float *a, *smooth, *hidden, *c; /* actions on their way: [W - 1 + n, ...] */
    float *m;                       /* modulations of tokens from m_first on, [2 W n, layers, 6 D] */
    float *x;                       /* [W n, D] residual stream */
    uw_rows norm;                   /* [W n, D] */
    uw_rows q;                      /* [W n, inner] queries, then what they pick */
    uw_rows *kv;                    /* per layer [W n, 2 inner]; the first alone once the window slides */
    uw_rows wide;                   /* [n, hidden] of the MLP and the prediction projector */
} uw_rollout_rows;

typedef struct uw_rollout {
    const uw_net *net;
    size_t most;  /* candidates per block */
    bool bf16;
    uw_packed action[3], project[2];
    uw_rollout_layer *layer; /* [predictor_layers] */
    const float *position, *gamma, *beta; /* borrowed: [history_size, D], the final norm */
    float *fold;             /* scratch of filling */
    uw_rollout_rows *lanes;  /* [num_workers] */
} uw_rollout;

/* What to roll out, and where to. */
typedef struct uw_rollout_call {
    const float *z0;      /* [history, D] */
    size_t history, n, h; /* known steps, candidates, horizon */
    void *cookie;
    /* Write what the network is fed of candidate i's actions at step s < history - 1 + h: [action_in]. */
    void (*action)(void *cookie, size_t i, size_t s, float *out);
    float *z;             /* [n, h, D] */
} uw_rollout_call;

/* Place weights, and rows of up to `most` candidates for every worker. */
uw_rollout uw__rollout_layout(uw_arena *arena, const uw_net *net, size_t most, int32_t num_workers,
                              bool bf16);
/* Fill the weights; params and buffers outlive r. */
void uw__rollout_fill(uw_rollout *r, const uw_kernels *k, const float *params, const float *buffers);
/* Roll out on the exec's pool. */
void uw__rollout_run(const uw_rollout *r, const uw_exec *e, const uw_rollout_call *call);

/* Multiplications and additions, 2 per product term, of products and attention alone, for n candidates
 * in one block: as uw__rollout_run does them, and in the order of the reference, which encodes all actions
 * once and then calls the predictor on a whole window for every step. */
typedef struct uw_rollout_flops {
    double done, reference;
} uw_rollout_flops;
uw_rollout_flops uw__rollout_flops(const uw_net *net, size_t history, size_t n, size_t h);
/* Return the candidates per block when n are to be shared out. */
size_t uw__rollout_block(const uw_rollout *r, int32_t num_workers, size_t n);

#endif
