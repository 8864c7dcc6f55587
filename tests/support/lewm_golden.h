/* A LeWM with the reference's numbers, and its training pass, for parity with golden/lewm_tiny and
 * golden/lewm_full. */
#ifndef UW_LEWM_GOLDEN_H
#define UW_LEWM_GOLDEN_H

#include <math.h>

#include "arena_block.h"
#include "golden.h"
#include "json.h"
#include "model_internal.h"
#include "parts.h"
#include "sigreg.h"

typedef struct lewm {
    uw_context *ctx;
    uw_net net;
    uw_exec e;
    float *params, *buffers, *grads;
    size_t windows, frames, directions; /* B, T, P */
    uw_encode_acts *encode;
    uw_action_acts *action;
    uw_predict_acts *predict;
    uw_sigreg *sigreg;
    float *x, *a;                                          /* [B T, input], [B T, A] */
    float *z, *c, *dz, *dc;                                /* [B T, D] */
    float *z_in, *c_in, *pred_z, *dpred_z, *dz_in, *dc_in; /* [B, T - 1, D] */
    uw_arena arena;
    double loss, pred_loss, sigreg_loss;
} lewm;

typedef struct lewm_sizes {
    int32_t image, patch, hidden, layers, heads, mlp, proj, action, depth, pheads, dim_head, pmlp,
        history;
} lewm_sizes;

static inline uw_model_config lewm_config(const lewm_sizes *s) {
    return (uw_model_config){.input = UW_INPUT_IMAGENET,
                             .image_size = s->image,
                             .action_dim = 2,
                             .frameskip = s->action / 2,
                             .history_size = s->history,
                             .encoder = UW_ENCODER_VIT,
                             .vit_patch = s->patch,
                             .vit_dim = s->hidden,
                             .vit_layers = s->layers,
                             .vit_heads = s->heads,
                             .vit_mlp_dim = s->mlp,
                             .projector_dim = s->proj,
                             .latent_dim = s->hidden,
                             .action_smooth_dim = 10,
                             .action_hidden_dim = 4 * s->hidden,
                             .predictor = UW_PREDICTOR_ADALN,
                             .predictor_layers = s->depth,
                             .predictor_heads = s->pheads,
                             .predictor_head_dim = s->dim_head,
                             .predictor_mlp_dim = s->pmlp,
                             .dropout = 0.0f,
                             .pred_proj_dim = s->proj};
}

static inline void lewm_layout(uw_arena *arena, lewm *m) {
    const size_t rows = m->windows * m->frames, d = (size_t)m->net.config.latent_dim;
    const uw_sigreg_dims dims = {.sets = m->frames,
                                 .n = m->windows,
                                 .d = d,
                                 .directions = m->directions,
                                 .knots = 17,
                                 .times_n = true};
    float **latents[] = {&m->z,    &m->c,      &m->dz,      &m->dc,    &m->z_in,
                         &m->c_in, &m->pred_z, &m->dpred_z, &m->dz_in, &m->dc_in};
    m->e = uw__exec_layout(arena, m->ctx->kernels, m->ctx->pool, uw__net_extra_reals(&m->net));
    m->encode = uw__encode_layout(arena, &m->net, rows, true);
    m->action = uw__action_layout(arena, &m->net, rows, true);
    m->predict = uw__predict_layout(arena, &m->net, m->windows, m->frames - 1, true);
    m->sigreg = uw__sigreg_layout(arena, &dims);
    m->params = uw__take(arena, m->net.num_params);
    m->grads = uw__take(arena, m->net.num_params);
    m->buffers = uw__take(arena, m->net.num_buffers);
    m->x = uw__take(arena, rows * m->net.input_reals);
    m->a = uw__take(arena, rows * (size_t)m->net.action_block);
    for (size_t i = 0; i < sizeof latents / sizeof *latents; i++)
        *latents[i] = uw__take(arena, rows * d);
}

static inline lewm lewm_new(const lewm_sizes *sizes, size_t windows, size_t frames,
                            size_t directions) {
    lewm m = {.windows = windows, .frames = frames, .directions = directions};
    const uw_context_options options = {.num_threads = 2};
    const uw_model_config config = lewm_config(sizes);
    uw_err err = {0};
    CHECK_OK(uw_context_new(&options, &m.ctx, &err), &err);
    CHECK_OK(uw__net_init(&config, &m.net, &err), &err);
    uw_arena measure = UW_ARENA_MEASURE;
    lewm_layout(&measure, &m);
    m.arena = arena_block(measure.used);
    lewm_layout(&m.arena, &m);
    assert_false(m.arena.failed);
    return m;
}

static inline void lewm_free(lewm *m) {
    uw__net_fini(&m->net);
    uw_context_free(m->ctx);
    free(m->arena.base);
}

/* The recipe of `encode, predict in one causal pass, mean squared error + 0.09 SIGReg`; train:
 * batch statistics and all gradients. */
static inline void lewm_forward(lewm *m, bool train) {
    const size_t t1 = m->frames - 1, d = (size_t)m->net.config.latent_dim;
    const size_t rows = m->windows * m->frames;

    uw__encode_forward(&m->e, &m->net, m->params, m->buffers, m->encode, m->x, rows, train, m->z);
    uw__action_forward(&m->e, &m->net, m->params, m->action, m->a, rows, m->c);
    for (size_t b = 0; b < m->windows; b++) {
        memcpy(m->z_in + b * t1 * d, m->z + b * m->frames * d, t1 * d * sizeof(float));
        memcpy(m->c_in + b * t1 * d, m->c + b * m->frames * d, t1 * d * sizeof(float));
    }
    uw__predict_forward(&m->e, &m->net, m->params, m->buffers, m->predict, m->z_in, m->c_in,
                        m->windows, t1, train, NULL, m->pred_z);
}

static inline void lewm_losses(lewm *m) {
    const size_t t1 = m->frames - 1, d = (size_t)m->net.config.latent_dim;
    const double count = (double)(m->windows * t1 * d);
    double sum = 0.0;

    memset(m->dz, 0, m->windows * m->frames * d * sizeof(float));
    for (size_t b = 0; b < m->windows; b++) {
        for (size_t i = 0; i < t1 * d; i++) {
            const size_t target = b * m->frames * d + d + i, at = b * t1 * d + i;
            const double diff = (double)m->pred_z[at] - (double)m->z[target];
            sum += diff * diff;
            m->dpred_z[at] = (float)(2.0 * diff / count);
            m->dz[target] = -m->dpred_z[at];
        }
    }
    m->pred_loss = sum / count;
    m->sigreg_loss = uw__sigreg_loss(&m->e, m->sigreg, m->z, 0.09, m->dz);
    m->loss = m->pred_loss + 0.09 * m->sigreg_loss;
}

static inline void lewm_backward(lewm *m) {
    const size_t t1 = m->frames - 1, d = (size_t)m->net.config.latent_dim;

    memset(m->grads, 0, m->net.num_params * sizeof(float));
    memset(m->dc, 0, m->windows * m->frames * d * sizeof(float));
    uw__predict_backward(&m->e, &m->net, m->params, m->predict, m->dpred_z, m->dz_in, m->dc_in,
                         m->grads);
    for (size_t b = 0; b < m->windows; b++) {
        for (size_t i = 0; i < t1 * d; i++) {
            m->dz[b * m->frames * d + i] += m->dz_in[b * t1 * d + i];
            m->dc[b * m->frames * d + i] = m->dc_in[b * t1 * d + i];
        }
    }
    uw__action_backward(&m->e, &m->net, m->params, m->action, m->dc, NULL, m->grads);
    uw__encode_backward(&m->e, &m->net, m->params, m->encode, m->dz, m->grads);
}

static inline float *lewm_numbers(const lewm *m, const uw_net_tensor *t) {
    return (t->buffer ? m->buffers : m->params) + t->offset;
}

/* raw [D, P], columns not yet of unit length -> the regulariser's unit rows [P, D]. */
static inline void lewm_directions(lewm *m, const float *raw) {
    const size_t d = (size_t)m->net.config.latent_dim;
    float *rows = uw__sigreg_directions_give(m->sigreg);
    for (size_t p = 0; p < m->directions; p++) {
        double norm = 0.0;
        for (size_t i = 0; i < d; i++)
            norm += (double)raw[i * m->directions + p] * (double)raw[i * m->directions + p];
        for (size_t i = 0; i < d; i++)
            rows[p * d + i] = (float)((double)raw[i * m->directions + p] / sqrt(norm));
    }
}

/* Rollouts of the model through uw_dynamics against `hN.latents`, `hN.goal_z` and `hN.cost`. */
static inline void lewm_check_plan(lewm *m, golden *g, int32_t history, const uint8_t *frames,
                                   const float *past, const float *plans, const uint8_t *goal) {
    enum { PLANS = 4, HORIZON = 5 };
    const uw_dynamics_limits limits = {.num_samples = PLANS, .horizon = HORIZON};
    const size_t d = (size_t)m->net.config.latent_dim;
    const size_t side = (size_t)m->net.config.image_size, known = (size_t)history;
    uw_err err = {0};
    uw_model *model = NULL;
    uw_dynamics dynamics;
    char name[32];

    CHECK_OK(uw__model_new(&m->net.config, m->params, m->buffers, NULL, NULL, &model, &err), &err);
    uw_arena block = arena_block(uw_model_dynamics_memsize(model, &limits));
    assert_int_equal(
        uw_model_dynamics_init(m->ctx, model, &limits, false, block.base, block.cap, &dynamics),
        UW_OK);
    float *z0 = calloc(known * d, sizeof *z0), *z_goal = calloc(d, sizeof *z_goal);
    float *z = calloc(PLANS * HORIZON * d, sizeof *z), cost[PLANS];
    for (size_t i = 0; i < known; i++)
        assert_int_equal(dynamics.encode(dynamics.self, frames + i * side * side * 3, z0 + i * d),
                         UW_OK);
    assert_int_equal(dynamics.encode(dynamics.self, goal, z_goal), UW_OK);
    assert_int_equal(dynamics.rollout(dynamics.self, z0, history, past, plans, PLANS, HORIZON, z),
                     UW_OK);

    snprintf(name, sizeof name, "h%d.goal_z", (int)history);
    golden_check(g, name, 0, z_goal, d);
    for (size_t n = 0; n < PLANS; n++) {
        snprintf(name, sizeof name, "h%d.latents", (int)history);
        golden_check(g, name, n * (known + HORIZON) * d, z0, known * d);
        golden_check(g, name, (n * (known + HORIZON) + known) * d, z + n * HORIZON * d,
                     HORIZON * d);
    }
    for (size_t n = 0; n < PLANS; n++) {
        double sum = 0.0;
        for (size_t i = 0; i < d; i++) {
            const double diff = (double)z[(n * HORIZON + HORIZON - 1) * d + i] - (double)z_goal[i];
            sum += diff * diff;
        }
        cost[n] = (float)sum;
    }
    snprintf(name, sizeof name, "h%d.cost", (int)history);
    golden_check(g, name, 0, cost, PLANS);
    free(z0);
    free(z);
    free(z_goal);
    free(block.base);
    uw_model_unload(model);
}

#endif
