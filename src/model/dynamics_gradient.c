/* Back through a rollout: from the gradient of a cost by the latents to its gradient by the
 * actions.
 *
 * Candidates are cut into small blocks.  A block is rolled out once, keeping its latents only; then
 * the steps are taken back from the last to the first, each computed again with activations, so
 * that memory does not grow with the horizon.  BatchNorm uses its running statistics, dropout is
 * off. */
#include <string.h>

#include "dynamics_internal.h"

enum {
    BLOCK = 8
}; /* candidates: activations of a backward are some thirty times those of a rollout */

uw_gradient_lane uw__dynamics_gradient_layout(uw_arena *arena, const uw_net *net,
                                              const uw_dynamics_limits *limits) {
    const size_t d = (size_t)net->config.latent_dim, cond = (size_t)net->cond_dim;
    const size_t window = uw__net_history(net), block = (size_t)net->action_in;
    const size_t steps = (size_t)net->config.history_size - 1 + (size_t)limits->horizon;
    return (uw_gradient_lane){.action = uw__action_layout(arena, net, BLOCK * steps, true),
                              .predict = uw__predict_layout(arena, net, BLOCK, window, true),
                              .a = uw__take(arena, BLOCK * steps * block),
                              .da = uw__take(arena, BLOCK * steps * block),
                              .c = uw__take(arena, BLOCK * steps * cond),
                              .dc = uw__take(arena, BLOCK * steps * cond),
                              .sequence = uw__take(arena, BLOCK * (steps + 1) * d),
                              .dsequence = uw__take(arena, BLOCK * (steps + 1) * d),
                              .z_window = uw__take(arena, BLOCK * window * d),
                              .dz_window = uw__take(arena, BLOCK * window * d),
                              .c_window = uw__take(arena, BLOCK * window * cond),
                              .dc_window = uw__take(arena, BLOCK * window * cond),
                              .out = uw__take(arena, BLOCK * window * d),
                              .dout = uw__take(arena, BLOCK * window * d)};
}

/* A block of candidates on its way. */
typedef struct block {
    const uw_rollout_task *t;
    const uw_gradient_lane *l;
    const uw_net *net;
    size_t first, rows;
    size_t past, steps, d, a, in, cond; /* steps = past + h */
} block;

static void start(const block *b) {
    const uw_rollout_task *t = b->t;
    const uw_gradient_lane *l = b->l;
    const size_t row = (b->steps + 1) * b->d;

    memset(l->dsequence, 0, b->rows * row * sizeof *l->dsequence);
    memset(l->dc, 0, b->rows * b->steps * b->cond * sizeof *l->dc);
    for (size_t r = 0; r < b->rows; r++) {
        memcpy(l->sequence + r * row, t->z0, t->history * b->d * sizeof *t->z0);
        memcpy(l->dsequence + r * row + t->history * b->d, t->dz + (b->first + r) * t->h * b->d,
               t->h * b->d * sizeof *t->dz);
        for (size_t s = 0; s < b->steps; s++)
            uw__dynamics_action(t->m, uw__dynamics_block(t, b->first + r, (ptrdiff_t)s),
                                uw__dynamics_block(t, b->first + r, (ptrdiff_t)s - 1),
                                l->a + (r * b->steps + s) * b->in);
    }
    uw__action_forward(&t->m->exec, b->net, t->m->model->params, l->action, l->a,
                       b->rows * b->steps, l->c);
}

/* The context of step s of the horizon: `w` latents and actions from `from` on. */
static size_t context(const block *b, size_t s, size_t *from) {
    const size_t known = b->t->history + s, most = uw__net_history(b->net);
    const size_t w = known < most ? known : most;
    *from = known - w;
    return w;
}

static void step_forward(const block *b, size_t s) {
    const uw_model_dynamics *m = b->t->m;
    const uw_gradient_lane *l = b->l;
    const size_t row = (b->steps + 1) * b->d;
    size_t from;
    const size_t w = context(b, s, &from);

    for (size_t r = 0; r < b->rows; r++) {
        memcpy(l->z_window + r * w * b->d, l->sequence + r * row + from * b->d,
               w * b->d * sizeof *l->z_window);
        memcpy(l->c_window + r * w * b->cond, l->c + (r * b->steps + from) * b->cond,
               w * b->cond * sizeof *l->c_window);
    }
    uw__predict_forward(&m->exec, b->net, m->model->params, m->model->buffers, l->predict,
                        l->z_window, l->c_window, b->rows, w, false, NULL, l->out);
    for (size_t r = 0; r < b->rows; r++)
        memcpy(l->sequence + r * row + (from + w) * b->d, l->out + (r * w + w - 1) * b->d,
               b->d * sizeof *l->out);
}

/* The gradient of the predicted latent goes to the latents and actions of its context. */
static void step_backward(const block *b, size_t s) {
    const uw_model_dynamics *m = b->t->m;
    const uw_gradient_lane *l = b->l;
    const size_t row = (b->steps + 1) * b->d;
    size_t from;
    const size_t w = context(b, s, &from);

    memset(l->dout, 0, b->rows * w * b->d * sizeof *l->dout);
    for (size_t r = 0; r < b->rows; r++)
        memcpy(l->dout + (r * w + w - 1) * b->d, l->dsequence + r * row + (from + w) * b->d,
               b->d * sizeof *l->dout);
    uw__predict_backward(&m->exec, b->net, m->model->params, l->predict, l->dout, l->dz_window,
                         l->dc_window, NULL);
    for (size_t r = 0; r < b->rows; r++) {
        m->exec.k->axpy(l->dsequence + r * row + from * b->d, 1, l->dz_window + r * w * b->d,
                        w * b->d);
        m->exec.k->axpy(l->dc + (r * b->steps + from) * b->cond, 1, l->dc_window + r * w * b->cond,
                        w * b->cond);
    }
}

/* From the actions as the network sees them to those that came in: a block's own place, and the end
 * of it where the next step saw it again. */
static void finish(const block *b) {
    const uw_rollout_task *t = b->t;
    const uw_gradient_lane *l = b->l;
    const uw_normalisers *n = &t->m->model->normalisers;
    const size_t dim = t->m->limits.normalised_actions ? 0 : (size_t)n->action_dim;

    uw__action_backward(&t->m->exec, b->net, t->m->model->params, l->action, l->dc, l->da, NULL);
    const size_t tail = b->in - b->a;
    for (size_t r = 0; r < b->rows; r++) {
        for (size_t s = 0; s < t->h; s++) {
            const float *from = l->da + (r * b->steps + b->past + s) * b->in;
            const float *again = from + b->in + b->a; /* [tail], of step s + 1 */
            float *to = t->dactions + ((b->first + r) * t->h + s) * b->a;
            memcpy(to, from, b->a * sizeof *to);
            for (size_t i = 0; i < tail && s + 1 < t->h; i++) to[b->a - tail + i] += again[i];
            for (size_t i = 0; i < b->a && dim; i++) to[i] /= n->action_std[i % dim];
        }
    }
}

static void gradient_block(void *arg, size_t index, int32_t worker) {
    const uw_rollout_task *t = arg;
    const uw_net *net = &t->m->model->net;
    const size_t first = index * BLOCK, past = t->history - 1;
    const block b = {.t = t,
                     .l = &t->m->gradients[t->m->exec.num_workers == 1 ? 0 : worker],
                     .net = net,
                     .first = first,
                     .rows = t->n - first < BLOCK ? t->n - first : BLOCK,
                     .past = past,
                     .steps = past + t->h,
                     .d = (size_t)net->config.latent_dim,
                     .a = (size_t)net->action_block,
                     .in = (size_t)net->action_in,
                     .cond = (size_t)net->cond_dim};
    start(&b);
    for (size_t s = 0; s < t->h; s++) step_forward(&b, s);
    for (size_t s = t->h; s-- > 0;) {
        if (s + 1 < t->h) step_forward(&b, s); /* the last step's activations are still there */
        step_backward(&b, s);
    }
    finish(&b);
}

uw_status uw__dynamics_gradient(void *self, const float *z0, int32_t history, const float *past,
                                const float *actions, int32_t n, int32_t h, const float *dz,
                                float *dactions) {
    uw_model_dynamics *m = self;
    if (!uw__dynamics_call_ok(m, history, past, n, h)) return UW_EINVAL;

    uw_rollout_task t = {.m = m,
                         .z0 = z0,
                         .past = past,
                         .actions = actions,
                         .history = (size_t)history,
                         .n = (size_t)n,
                         .h = (size_t)h,
                         .lead = m->model->net.config.action_history > 0,
                         .dz = dz,
                         .dactions = dactions};
    uw__pool_run(m->exec.pool, uw__num_blocks((size_t)n, BLOCK), gradient_block, &t);
    return UW_OK;
}
