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

/* ---- configurations ---- */

/* What a recording's metadata say of the model: the JSON under `config`.  What it does not say is as
 * published. */
typedef struct lewm_meta {
    uw_model_config model;
    size_t directions; /* P */
} lewm_meta;

/* A number of the configuration, or the published one. */
static inline int32_t lewm_size(const uw_json *config, const char *key, int32_t published) {
    int64_t value;
    return config && uw__json_get_i64(config, key, &value) ? (int32_t)value : published;
}

static inline lewm_meta lewm_meta_of(const golden *g) {
    const char *text = uw__safetensors_meta(g->file, "config");
    uw_json *c = NULL;
    uw_err err = {0};
    if (text) CHECK_OK(uw__json_parse("config", text, &c, &err), &err);
    const int32_t hidden = lewm_size(c, "hidden", 192), proj = lewm_size(c, "proj", 2048);
    const lewm_meta meta = {.model = {.input = UW_INPUT_IMAGENET,
                                      .image_size = lewm_size(c, "image", 224),
                                      .action_dim = lewm_size(c, "action", 10),
                                      .frameskip = 1,
                                      .history_size = lewm_size(c, "history", 3),
                                      .encoder = UW_ENCODER_VIT,
                                      .vit_patch = lewm_size(c, "patch", 14),
                                      .vit_dim = hidden,
                                      .vit_layers = lewm_size(c, "layers", 12),
                                      .vit_heads = lewm_size(c, "heads", 3),
                                      .vit_mlp_dim = lewm_size(c, "mlp", 768),
                                      .projector_dim = proj,
                                      .latent_dim = hidden,
                                      .action_smooth_dim = 10, /* the reference's Embedder */
                                      .action_hidden_dim = 4 * hidden,
                                      .predictor = UW_PREDICTOR_ADALN,
                                      .predictor_layers = lewm_size(c, "depth", 6),
                                      .predictor_heads = lewm_size(c, "pheads", 16),
                                      .predictor_head_dim = lewm_size(c, "dim_head", 64),
                                      .predictor_mlp_dim = lewm_size(c, "pmlp", 2048),
                                      .pred_proj_dim = proj},
                            .directions = (size_t)lewm_size(c, "dirs", 1024)};
    if (c) uw__json_free(c);
    return meta;
}

/* A number of the metadata that is no JSON, such as lr; it has to be there. */
static inline double lewm_meta_number(const golden *g, const char *key) {
    const char *text = uw__safetensors_meta(g->file, key);
    if (!text) fail_msg("the metadata has no %s", key);
    return strtod(text, NULL);
}

/* Every number of a net from a state dict of the same names and shapes. */
static inline void lewm_load(const char *name, const uw_net *net, float *params, float *buffers) {
    golden weights = golden_open(name);
    assert_int_equal(uw__safetensors_count(weights.file), net->num_tensors);
    for (int32_t i = 0; i < net->num_tensors; i++) {
        const uw_net_tensor *t = &net->tensors[i];
        const uw_tensor from = golden_tensor(&weights, t->name);
        float *to = (t->buffer ? buffers : params) + t->offset;
        assert_int_equal(from.num_dims, t->num_dims);
        assert_memory_equal(from.shape, t->shape, (size_t)t->num_dims * sizeof *t->shape);
        if (t->counter)
            *to = (float)*(const int64_t *)from.data;
        else
            memcpy(to, from.data, t->count * sizeof(float));
    }
    golden_close(&weights);
}

/* ---- the model and its training pass ---- */

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

static inline lewm lewm_new(const lewm_meta *meta, size_t windows, size_t frames) {
    lewm m = {.windows = windows, .frames = frames, .directions = meta->directions};
    const uw_context_options options = {.num_threads = 2};
    uw_err err = {0};
    CHECK_OK(uw_context_new(&options, &m.ctx, &err), &err);
    CHECK_OK(uw__net_init(&meta->model, &m.net, &err), &err);
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

/* raw [D, P], columns not yet of unit length -> rows [P, D] of unit length. */
static inline void lewm_unit_rows(const float *raw, size_t d, size_t p, float *rows) {
    for (size_t k = 0; k < p; k++) {
        double norm = 0.0;
        for (size_t i = 0; i < d; i++) norm += (double)raw[i * p + k] * (double)raw[i * p + k];
        for (size_t i = 0; i < d; i++)
            rows[k * d + i] = (float)((double)raw[i * p + k] / sqrt(norm));
    }
}

static inline void lewm_directions(lewm *m, const float *raw) {
    lewm_unit_rows(raw, (size_t)m->net.config.latent_dim, m->directions,
                   uw__sigreg_directions_give(m->sigreg));
}

/* ---- planning ---- */

/* Frames, executed blocks, candidates and goal of a `plan` file. */
typedef struct lewm_plan {
    const uint8_t *frames, *goal; /* [history, Y, X, 3], [Y, X, 3] */
    const float *past, *plans;    /* [history - 1, A], [n, h, A] */
} lewm_plan;

/* Cost of every candidate, the last latent's squared distance from the goal, and dz, its gradient. */
static inline void lewm_cost(const float *z, const float *z_goal, size_t n, size_t h, size_t d, float *cost,
                             float *dz) {
    memset(dz, 0, n * h * d * sizeof *dz);
    for (size_t i = 0; i < n; i++) {
        const size_t last = (i * h + h - 1) * d;
        double sum = 0.0;
        for (size_t k = 0; k < d; k++) {
            const double diff = (double)z[last + k] - (double)z_goal[k];
            sum += diff * diff;
            dz[last + k] = (float)(2.0 * diff);
        }
        cost[i] = (float)sum;
    }
}

/* Rollouts of the model through uw_dynamics against `hN.latents`, `hN.goal_z`, `hN.cost`, `hN.grad`. */
static inline void lewm_check_plan(lewm *m, golden *g, int32_t history, const lewm_plan *plan) {
    char names[4][24];
    static const char *const what[] = {"goal_z", "latents", "cost", "grad"};
    for (int i = 0; i < 4; i++) snprintf(names[i], sizeof names[i], "h%d.%s", (int)history, what[i]);
    const size_t n = golden_axis(g, names[3], 0), h = golden_axis(g, names[3], 1);
    const size_t a = golden_axis(g, names[3], 2), d = (size_t)m->net.config.latent_dim;
    const uw_dynamics_limits limits = {.num_samples = (int32_t)n, .horizon = (int32_t)h, .gradient = true};
    const size_t side = (size_t)m->net.config.image_size, known = (size_t)history;
    uw_err err = {0};
    uw_model *model = NULL;
    uw_dynamics y;

    CHECK_OK(uw__model_new(&m->net.config, m->params, m->buffers, NULL, NULL, &model, &err), &err);
    uw_arena block = arena_block(uw_model_dynamics_memsize(model, &limits));
    assert_int_equal(uw_model_dynamics_init(m->ctx, model, &limits, false, block.base, block.cap, &y), UW_OK);
    assert_int_equal(y.dims.action_dim, a);
    float *z0 = calloc(known * d, sizeof *z0), *z_goal = calloc(d, sizeof *z_goal);
    float *z = calloc(n * h * d, sizeof *z), *dz = calloc(n * h * d, sizeof *dz);
    float *cost = calloc(n, sizeof *cost), *grad = calloc(n * h * a, sizeof *grad);
    for (size_t i = 0; i < known; i++)
        assert_int_equal(y.encode(y.self, plan->frames + i * side * side * 3, z0 + i * d), UW_OK);
    assert_int_equal(y.encode(y.self, plan->goal, z_goal), UW_OK);
    const float *past = history > 1 ? plan->past : NULL;
    assert_int_equal(y.rollout(y.self, z0, history, past, plan->plans, (int32_t)n, (int32_t)h, z), UW_OK);
    lewm_cost(z, z_goal, n, h, d, cost, dz);
    assert_int_equal(y.gradient(y.self, z0, history, past, plan->plans, (int32_t)n, (int32_t)h, dz, grad),
                     UW_OK);

    golden_check(g, names[0], 0, z_goal, d);
    for (size_t i = 0; i < n; i++) {
        golden_check(g, names[1], i * (known + h) * d, z0, known * d);
        golden_check(g, names[1], (i * (known + h) + known) * d, z + i * h * d, h * d);
    }
    golden_check(g, names[2], 0, cost, n);
    golden_check(g, names[3], 0, grad, n * h * a);
    float *all[] = {z0, z_goal, z, dz, cost, grad, (float *)(void *)block.base};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    uw_model_unload(model);
}

/* Every history that the file has. */
static inline void lewm_check_plans(lewm *m, golden *g, const lewm_plan *plan) {
    for (int32_t history = 1; history <= m->net.config.history_size; history++) {
        char name[24];
        snprintf(name, sizeof name, "h%d.cost", (int)history);
        if (uw__safetensors_find(g->file, name) >= 0) lewm_check_plan(m, g, history, plan);
    }
}

#endif
