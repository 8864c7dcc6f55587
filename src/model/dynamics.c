/* A model as uw_dynamics: what a planner calls thousands of times per decision.
 *
 * Candidates are cut into blocks of a fixed size whose activations stay in the second-level cache;
 * a block is rolled out over the whole horizon before the next begins.  Three ways through the
 * predictor:
 *
 *   markov   the residual MLP on raw actions: its weights are laid out once, at init
 *   rollout  LeWM's transformer (rollout.h)
 *   window   everything else, and gradients: a window of at most history_size latents and encoded
 *            actions, one predictor call per step
 *
 * Nothing here allocates after init. */
#include <string.h>

#include "dynamics_internal.h"
#include "encoder.h"
#include "internal.h"

enum { BLOCK = 64, MARKOV_BLOCK = 32 }; /* candidates; small ones share out over threads */
enum { ROLLOUT_FEWEST = 16, ROLLOUT_BLOCK = 160 };
enum { MAX_SAMPLES = 1 << 16, MAX_HORIZON = 4096, MAX_THREADS = 256 };

/* ---- layout -------------------------------------------------------------------------------- */

static bool is_markov(const uw_net *net) {
    return net->config.predictor == UW_PREDICTOR_MLP && !net->config.pred_proj_dim &&
           !net->config.action_smooth_dim;
}

/* Candidates per block of uw__rollout_run: as many as limits can bring to one worker. */
static size_t rollout_rows(const uw_dynamics_limits *limits) {
    const int32_t workers = limits->num_threads ? limits->num_threads : 1;
    const size_t even = (size_t)((limits->num_samples + workers - 1) / workers);
    return even < ROLLOUT_FEWEST ? ROLLOUT_FEWEST : even < ROLLOUT_BLOCK ? even : ROLLOUT_BLOCK;
}

static void markov_lane(uw_arena *arena, const uw_net *net, uw_rollout_lane *l) {
    const size_t in = (size_t)(net->config.latent_dim + net->action_in);
    const size_t hidden = (size_t)net->config.predictor_mlp_dim;
    l->x = uw__take(arena, MARKOV_BLOCK * in);
    l->h1 = uw__take(arena, MARKOV_BLOCK * hidden);
    l->h2 = uw__take(arena, MARKOV_BLOCK * hidden);
}

static void window_lane(uw_arena *arena, const uw_net *net, const uw_dynamics_limits *limits,
                        uw_rollout_lane *l) {
    const size_t d = (size_t)net->config.latent_dim, cond = (size_t)net->cond_dim;
    const size_t window = (size_t)net->config.history_size;
    const size_t steps = window - 1 + (size_t)limits->horizon;
    l->action = uw__action_layout(arena, net, BLOCK * steps, false);
    l->predict = uw__predict_layout(arena, net, BLOCK, window, false);
    l->a = uw__take(arena, BLOCK * steps * (size_t)net->action_in);
    l->c = uw__take(arena, BLOCK * steps * cond);
    l->sequence = uw__take(arena, BLOCK * (steps + 1) * d);
    l->z_window = uw__take(arena, BLOCK * window * d);
    l->c_window = uw__take(arena, BLOCK * window * cond);
    l->out = uw__take(arena, BLOCK * window * d);
}

static uw_model_dynamics *dynamics_layout(uw_arena *arena, const uw_model *model,
                                          const uw_dynamics_limits *limits, int32_t workers,
                                          bool bf16) {
    const uw_net *net = &model->net;
    const size_t in = (size_t)(net->config.latent_dim + net->action_in);
    const size_t hidden = (size_t)net->config.predictor_mlp_dim;
    const size_t d = (size_t)net->config.latent_dim;
    const bool engine = net->config.predictor == UW_PREDICTOR_ADALN;
    uw_model_dynamics tmp = {.model = model, .limits = *limits, .markov = is_markov(net)};
    uw_model_dynamics *self = uw_arena_alloc(arena, 1, sizeof *self);

    tmp.exec = uw__exec_layout_for(arena, workers, uw__net_extra_reals(net));
    tmp.encoder = uw__encoder_layout(arena, model, 1, workers);
    if (tmp.markov) {
        tmp.mlp[0] = uw__packed_layout(arena, bf16, in, hidden, true);
        tmp.mlp[1] = uw__packed_layout(arena, bf16, hidden, hidden, true);
        tmp.mlp[2] = uw__packed_layout(arena, bf16, hidden, d, true);
    }
    if (engine) tmp.rollout = uw__rollout_layout(arena, net, rollout_rows(limits), workers, bf16);
    tmp.lanes = uw_arena_alloc(arena, engine ? 0 : (size_t)workers, sizeof *tmp.lanes);
    for (int32_t w = 0; w < workers && !engine; w++) {
        uw_rollout_lane l = {0};
        if (tmp.markov)
            markov_lane(arena, net, &l);
        else
            window_lane(arena, net, limits, &l);
        if (tmp.lanes && !arena->failed) tmp.lanes[w] = l;
    }
    if (limits->gradient) {
        tmp.gradients = uw_arena_alloc(arena, (size_t)workers, sizeof *tmp.gradients);
        for (int32_t w = 0; w < workers; w++) {
            const uw_gradient_lane l = uw__dynamics_gradient_layout(arena, net, limits);
            if (tmp.gradients && !arena->failed) tmp.gradients[w] = l;
        }
    }
    if (self && !arena->failed) *self = tmp;
    return self;
}

static bool limits_ok(const uw_dynamics_limits *limits) {
    return limits && limits->num_samples >= 1 && limits->num_samples <= MAX_SAMPLES &&
           limits->horizon >= 1 && limits->horizon <= MAX_HORIZON && limits->num_threads >= 0 &&
           limits->num_threads <= MAX_THREADS;
}

/* ---- observations -------------------------------------------------------------------------- */

static uw_status encode(void *self, const void *observation, float *z) {
    const uw_model_dynamics *m = self;
    const bool columns = m->model->net.config.input == UW_INPUT_COLUMNS;
    return uw_encoder_run(m->encoder, columns ? NULL : observation, columns ? observation : NULL, 1,
                          z);
}

/* ---- rollouts ------------------------------------------------------------------------------ */

/* Numbers of whole actions as the network sees them; from NULL: actions that stand still. */
static void normalise(const uw_model_dynamics *m, const float *from, size_t count, float *out) {
    const uw_normalisers *n = &m->model->normalisers;
    const size_t dim = (size_t)n->action_dim;
    if (from && (dim == 0 || m->limits.normalised_actions)) {
        memcpy(out, from, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const float a = from ? from[i] : 0.0f;
        out[i] = dim ? (a - n->action_mean[i % dim]) / n->action_std[i % dim] : a;
    }
}

void uw__dynamics_action(const uw_model_dynamics *m, const float *a, const float *before,
                         float *out) {
    const size_t block = (size_t)m->model->net.action_block;
    const size_t tail = (size_t)m->model->net.action_in - block;
    normalise(m, a, block, out);
    if (tail) normalise(m, before ? before + block - tail : NULL, tail, out + block);
}

const float *uw__dynamics_block(const uw_rollout_task *t, size_t i, ptrdiff_t s) {
    const ptrdiff_t past = (ptrdiff_t)t->history - 1, lead = (ptrdiff_t)t->lead;
    const size_t a = (size_t)t->m->model->net.action_block;
    if (s >= past) return t->actions + (i * t->h + (size_t)(s - past)) * a;
    return s + lead >= 0 && t->past ? t->past + (size_t)(s + lead) * a : NULL;
}

/* One layer of the residual MLP: y = gelu(x w + b), or y += x w + b for the last. */
static void product(const uw_model_dynamics *m, float *scratch, int layer, const float *x,
                    size_t ldx, size_t rows, float *y, size_t ldy) {
    const uw_packed *w = &m->mlp[layer];
    uw_gemm_args g = uw__packed_gemm(w, x, ldx, rows, y, ldy);
    g.epilogue = layer < 2 ? UW_EPILOGUE_GELU : UW_EPILOGUE_NONE;
    g.accumulate = layer == 2;
    uw__packed_run(w, m->exec.k, &g, scratch);
}

static void markov_block(void *arg, size_t index, int32_t worker) {
    const uw_rollout_task *t = arg;
    const uw_model_dynamics *m = t->m;
    const uw_net *net = &m->model->net;
    const uw_rollout_lane *l = &m->lanes[m->exec.num_workers == 1 ? 0 : worker];
    float *scratch = uw__exec_gemm_scratch(&m->exec, worker);
    const size_t d = (size_t)net->config.latent_dim, in = d + (size_t)net->action_in;
    const size_t past = t->history - 1;
    const size_t hidden = (size_t)net->config.predictor_mlp_dim;
    const size_t first = index * MARKOV_BLOCK,
                 rows = t->n - first < MARKOV_BLOCK ? t->n - first : MARKOV_BLOCK;

    for (size_t r = 0; r < rows; r++)
        memcpy(l->x + r * in, t->z0 + (t->history - 1) * d, d * sizeof *l->x);
    for (size_t s = 0; s < t->h; s++) {
        for (size_t r = 0; r < rows; r++)
            uw__dynamics_action(m, uw__dynamics_block(t, first + r, (ptrdiff_t)(past + s)),
                                uw__dynamics_block(t, first + r, (ptrdiff_t)(past + s) - 1),
                                l->x + r * in + d);
        product(m, scratch, 0, l->x, in, rows, l->h1, hidden);
        product(m, scratch, 1, l->h1, hidden, rows, l->h2, hidden);
        /* the residual: onto the latents where they stand, in front of the next actions */
        product(m, scratch, 2, l->h2, hidden, rows, l->x, in);
        for (size_t r = 0; r < rows; r++)
            memcpy(t->z + ((first + r) * t->h + s) * d, l->x + r * in, d * sizeof *l->x);
    }
}

/* Fill the lane's sequence and encoded actions of a block of candidates. */
static void window_start(const uw_rollout_task *t, const uw_rollout_lane *l, size_t first,
                         size_t rows) {
    const uw_model_dynamics *m = t->m;
    const uw_net *net = &m->model->net;
    const size_t d = (size_t)net->config.latent_dim, in = (size_t)net->action_in;
    const size_t steps = t->history - 1 + t->h;

    for (size_t r = 0; r < rows; r++) {
        memcpy(l->sequence + r * (steps + 1) * d, t->z0, t->history * d * sizeof *t->z0);
        for (size_t s = 0; s < steps; s++)
            uw__dynamics_action(m, uw__dynamics_block(t, first + r, (ptrdiff_t)s),
                                uw__dynamics_block(t, first + r, (ptrdiff_t)s - 1),
                                l->a + (r * steps + s) * in);
    }
    uw__action_forward(&m->exec, net, m->model->params, l->action, l->a, rows * steps, l->c);
}

static void window_block(void *arg, size_t index, int32_t worker) {
    const uw_rollout_task *t = arg;
    uw_model_dynamics *m = t->m;
    const uw_net *net = &m->model->net;
    const uw_rollout_lane *l = &m->lanes[m->exec.num_workers == 1 ? 0 : worker];
    const size_t d = (size_t)net->config.latent_dim, cond = (size_t)net->cond_dim;
    const size_t most = (size_t)net->config.history_size, steps = t->history - 1 + t->h;
    const size_t first = index * BLOCK, rows = t->n - first < BLOCK ? t->n - first : BLOCK;

    window_start(t, l, first, rows);
    for (size_t s = 0; s < t->h; s++) {
        const size_t known = t->history + s, w = known < most ? known : most, from = known - w;
        for (size_t r = 0; r < rows; r++) {
            memcpy(l->z_window + r * w * d, l->sequence + (r * (steps + 1) + from) * d,
                   w * d * sizeof *l->z_window);
            memcpy(l->c_window + r * w * cond, l->c + (r * steps + from) * cond,
                   w * cond * sizeof *l->c_window);
        }
        uw__predict_forward(&m->exec, net, m->model->params, m->model->buffers, l->predict,
                            l->z_window, l->c_window, rows, w, false, NULL, l->out);
        for (size_t r = 0; r < rows; r++) {
            const float *next = l->out + (r * w + w - 1) * d;
            memcpy(l->sequence + (r * (steps + 1) + known) * d, next, d * sizeof *next);
            memcpy(t->z + ((first + r) * t->h + s) * d, next, d * sizeof *next);
        }
    }
}

bool uw__dynamics_call_ok(const uw_model_dynamics *m, int32_t history, const float *past, int32_t n,
                          int32_t h) {
    const int32_t most = m->model->net.config.history_size;
    return history >= 1 && history <= most && (history == 1 || past) && n >= 0 &&
           n <= m->limits.num_samples && h >= 1 && h <= m->limits.horizon;
}

static void candidate_action(void *cookie, size_t i, size_t s, float *out) {
    const uw_rollout_task *t = cookie;
    uw__dynamics_action(t->m, uw__dynamics_block(t, i, (ptrdiff_t)s),
                        uw__dynamics_block(t, i, (ptrdiff_t)s - 1), out);
}

static uw_status rollout(void *self, const float *z0, int32_t history, const float *past,
                         const float *actions, int32_t n, int32_t h, float *z) {
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
                         .z = z};
    if (m->rollout.net) {
        const uw_rollout_call call = {.z0 = z0,
                                      .history = t.history,
                                      .n = t.n,
                                      .h = t.h,
                                      .cookie = &t,
                                      .action = candidate_action,
                                      .z = z};
        uw__rollout_run(&m->rollout, &m->exec, &call);
        return UW_OK;
    }
    const size_t block = m->markov ? MARKOV_BLOCK : BLOCK;
    uw__pool_run(m->exec.pool, uw__num_blocks((size_t)n, block),
                 m->markov ? markov_block : window_block, &t);
    return UW_OK;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* The head's bias cancels between two latents: |W (z - z_goal)|^2. */
static uw_status readout_cost(const void *self, const float *z, const float *z_goal, int32_t n,
                              float *cost) {
    const uw_model *model = self;
    const uw_linear head =
        uw__bind_linear(&model->net, model->net.at_readout, true, model->params, NULL);
    for (int32_t i = 0; i < n; i++, z += head.in) {
        float sum = 0.0f;
        for (size_t o = 0; o < head.out; o++) {
            float d = 0.0f;
            for (size_t k = 0; k < head.in; k++) d += head.w[o * head.in + k] * (z[k] - z_goal[k]);
            sum += d * d;
        }
        cost[i] = sum;
    }
    return UW_OK;
}

uw_status uw_model_readout_value(const uw_model *model, uw_value *out) {
    static const uint64_t id = 0x72656164756f7574;
    *out = (uw_value){0};
    if (!model->net.config.readout_dim) return UW_EUNSUPPORTED;
    *out = (uw_value){.self = model, .id = id, .cost = readout_cost};
    return UW_OK;
}

size_t uw_model_dynamics_memsize(const uw_model *model, const uw_dynamics_limits *limits) {
    uw_arena measure = UW_ARENA_MEASURE;
    if (!limits_ok(limits)) return 0;
    dynamics_layout(&measure, model, limits, limits->num_threads ? limits->num_threads : 1, false);
    return measure.failed ? 0 : measure.used;
}

uw_status uw_model_dynamics_init(uw_context *ctx, const uw_model *model,
                                 const uw_dynamics_limits *limits, bool parallel, void *mem,
                                 size_t mem_size, uw_dynamics *out) {
    const uw_net *net = &model->net;

    *out = (uw_dynamics){0};
    if (!ctx || !limits_ok(limits) || !mem || (uintptr_t)mem % UW_ALIGN) return UW_EINVAL;
    uw__advise_large(mem, mem_size);
    uw_arena arena = {.base = mem, .cap = mem_size};
    uw_model_dynamics *self =
        dynamics_layout(&arena, model, limits, parallel ? uw_context_threads(ctx) : 1,
                        ctx->options.precision == UW_PRECISION_BF16);
    if (arena.failed) return UW_ENOMEM;
    self->exec.k = ctx->kernels;
    self->exec.pool = parallel ? ctx->pool : NULL;
    uw__encoder_start(self->encoder, ctx, parallel);
    for (int i = 0; self->markov && i < 3; i++) {
        const uw_linear l =
            uw__bind_linear(net, net->at_predictor + 2 * i, true, model->params, NULL);
        uw__packed_fill(&self->mlp[i], self->exec.k, l.w, l.in, l.b);
    }
    if (self->rollout.net)
        uw__rollout_fill(&self->rollout, self->exec.k, model->params, model->buffers);
    const size_t side = (size_t)net->config.image_size;
    *out = (uw_dynamics){.dims = {.latent_dim = net->config.latent_dim,
                                  .action_dim = net->action_block,
                                  .history_size = net->config.history_size,
                                  .lead = net->config.action_history > 0,
                                  .step_dim = net->config.action_dim,
                                  .num_samples = limits->num_samples,
                                  .horizon = limits->horizon,
                                  .observation_bytes = net->config.input == UW_INPUT_COLUMNS
                                                           ? net->input_reals * sizeof(float)
                                                           : side * side * 3},
                         .self = self,
                         .encode = encode,
                         .rollout = rollout,
                         .gradient = limits->gradient ? uw__dynamics_gradient : NULL};
    return UW_OK;
}
