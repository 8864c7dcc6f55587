/* The memory of a rollout and its weights: laid out once for the products, with BatchNorm folded
 * and the heads of attention interleaved. */
#include <math.h>
#include <string.h>

#include "adaln_tensors.h"
#include "rollout.h"

/* ---- layout -------------------------------------------------------------------------------- */

static uw_packed layout_of(uw_arena *arena, const uw_net *net, int32_t tensor, bool bf16) {
    const uw_linear l = uw__bind_linear(net, tensor, false, NULL, NULL);
    return uw__packed_layout(arena, bf16, l.in, l.out, true);
}

static uw_rollout_layer layer_layout(uw_arena *arena, const uw_net *net, int32_t i, bool bf16) {
    const size_t d = (size_t)net->config.latent_dim, inner = uw__adaln_inner(net);
    uw_rollout_layer l = {
        .modulation = layout_of(arena, net, uw__adaln_tensor(net, i, UW_ADALN_MODULATION), bf16),
        .q = uw__packed_layout(arena, bf16, d, inner, false),
        .kv = uw__packed_layout(arena, bf16, d, 2 * inner, false),
        .up = layout_of(arena, net, uw__adaln_tensor(net, i, UW_ADALN_UP), bf16),
        .down = layout_of(arena, net, uw__adaln_tensor(net, i, UW_ADALN_DOWN), bf16)};
    if (uw__adaln_has_out(&net->config))
        l.out = layout_of(arena, net, uw__adaln_tensor(net, i, UW_ADALN_OUT), bf16);
    return l;
}

/* Of the same size in either precision: memory is measured before it is known. */
static uw_rows rows_layout(uw_arena *arena, size_t rows, size_t width, bool bf16) {
    return (uw_rows){.p = uw__take(arena, rows * width), .ld = width, .bf16 = bf16};
}

static uw_rollout_rows lane_layout(uw_arena *arena, const uw_net *net, size_t most, bool bf16) {
    const uw_model_config *c = &net->config;
    const size_t d = (size_t)c->latent_dim, inner = uw__adaln_inner(net);
    const size_t window = (size_t)c->history_size, layers = (size_t)c->predictor_layers;
    const size_t rows = window * most, actions = window - 1 + most;
    const bool half = bf16 && uw__adaln_has_out(c); /* else attention goes straight to fp32 */
    uw_rollout_rows l = {
        .a = uw__take(arena, actions * (size_t)net->action_in),
        .smooth = uw__take(arena, actions * (size_t)c->action_smooth_dim),
        .hidden = uw__take(arena, actions * (size_t)c->action_hidden_dim),
        .c = uw__take(arena, actions * (size_t)net->cond_dim),
        .m = uw__take(arena, 2 * rows * layers * 6 * d),
        .x = uw__take(arena, rows * d),
        .norm = rows_layout(arena, rows, d, bf16),
        .q = rows_layout(arena, rows, inner, half),
        .kv = uw_arena_alloc(arena, layers, sizeof *l.kv),
        .wide = rows_layout(arena, most,
                            uw__max((size_t)c->predictor_mlp_dim, (size_t)c->pred_proj_dim), bf16)};
    for (size_t i = 0; i < layers; i++) {
        const uw_rows kv = rows_layout(arena, rows, 2 * inner, half);
        if (l.kv && !arena->failed) l.kv[i] = kv;
    }
    return l;
}

uw_rollout uw__rollout_layout(uw_arena *arena, const uw_net *net, size_t most, int32_t num_workers,
                              bool bf16) {
    const uw_model_config *c = &net->config;
    const size_t d = (size_t)c->latent_dim, projector = (size_t)c->pred_proj_dim;
    const size_t layers = (size_t)c->predictor_layers;
    uw_rollout r = {.net = net, .most = most, .bf16 = bf16};

    /* The actions themselves are not rounded: the first two layers are small. */
    for (int i = 0; i < 3 && c->action_smooth_dim; i++)
        r.action[i] = layout_of(arena, net, net->at_action + 2 * i, bf16 && i == 2);
    r.layer = uw_arena_alloc(arena, layers, sizeof *r.layer);
    for (size_t i = 0; i < layers; i++) {
        const uw_rollout_layer l = layer_layout(arena, net, (int32_t)i, bf16);
        if (r.layer && !arena->failed) r.layer[i] = l;
    }
    if (projector) {
        r.project[0] = uw__packed_layout(arena, bf16, d, projector, true);
        r.project[1] = uw__packed_layout(arena, bf16, projector, d, true);
    }
    r.fold = uw__take(arena, uw__max(projector * (d + 1), 2 * uw__adaln_inner(net) * d));
    r.lanes = uw_arena_alloc(arena, (size_t)num_workers, sizeof *r.lanes);
    for (int32_t w = 0; w < num_workers; w++) {
        const uw_rollout_rows l = lane_layout(arena, net, most, bf16);
        if (r.lanes && !arena->failed) r.lanes[w] = l;
    }
    return r;
}

/* ---- weights ------------------------------------------------------------------------------- */

static void fill(const uw_packed *p, const uw_kernels *k, const uw_net *net, int32_t tensor,
                 const float *params) {
    const uw_linear l = uw__bind_linear(net, tensor, true, params, NULL);
    uw__packed_fill(p, k, l.w, l.in, l.b);
}

/* Rows (head, dim) of w [inner, D] in the order (dim, head). */
static void interleave_rows(const uw_net *net, const float *w, float *to) {
    const size_t heads = (size_t)net->config.predictor_heads;
    const size_t dims = (size_t)net->config.predictor_head_dim, d = (size_t)net->config.latent_dim;
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < dims; i++)
            memcpy(to + (i * heads + h) * d, w + (h * dims + i) * d, d * sizeof *to);
}

/* Columns (head, dim) of w [D, inner] in the order (dim, head). */
static void interleave_columns(const uw_net *net, const float *w, float *to) {
    const size_t heads = (size_t)net->config.predictor_heads;
    const size_t dims = (size_t)net->config.predictor_head_dim;
    for (size_t j = 0; j < (size_t)net->config.latent_dim; j++, w += heads * dims)
        for (size_t i = 0; i < dims; i++)
            for (size_t h = 0; h < heads; h++) *to++ = w[h * dims + i];
}

static void fill_layer(const uw_rollout *r, const uw_kernels *k, int32_t i, const float *params) {
    const uw_net *net = r->net;
    const size_t d = (size_t)net->config.latent_dim, inner = uw__adaln_inner(net);
    const uw_linear qkv =
        uw__bind_linear(net, uw__adaln_tensor(net, i, UW_ADALN_QKV), false, params, NULL);
    uw_rollout_layer *l = &r->layer[i];

    for (int branch = 0; branch < 2; branch++) {
        const uw_layernorm norm = uw__bind_layernorm(
            net, uw__adaln_tensor(net, i, branch ? UW_ADALN_MLP_NORM : UW_ADALN_ATTN_NORM),
            UW_AFFINE_EPS, params, NULL);
        l->gamma[branch] = norm.gamma;
        l->beta[branch] = norm.beta;
    }
    fill(&l->modulation, k, net, uw__adaln_tensor(net, i, UW_ADALN_MODULATION), params);
    fill(&l->up, k, net, uw__adaln_tensor(net, i, UW_ADALN_UP), params);
    fill(&l->down, k, net, uw__adaln_tensor(net, i, UW_ADALN_DOWN), params);
    interleave_rows(net, qkv.w, r->fold);
    uw__packed_fill(&l->q, k, r->fold, d, NULL);
    interleave_rows(net, qkv.w + inner * d, r->fold);
    interleave_rows(net, qkv.w + 2 * inner * d, r->fold + inner * d);
    uw__packed_fill(&l->kv, k, r->fold, d, NULL);
    if (uw__adaln_has_out(&net->config)) {
        const uw_linear out =
            uw__bind_linear(net, uw__adaln_tensor(net, i, UW_ADALN_OUT), true, params, NULL);
        interleave_columns(net, out.w, r->fold);
        uw__packed_fill(&l->out, k, r->fold, inner, out.b);
    }
}

/* The prediction projector, its BatchNorm folded into the first layer. */
static void fill_projector(const uw_rollout *r, const uw_kernels *k, const float *params,
                           const float *buffers) {
    static const double BN_EPS = 1e-5; /* of nn/batchnorm.c */
    const uw_net *net = r->net;
    const uw_linear first = uw__bind_linear(net, net->at_pred_proj, true, params, NULL);
    const uw_batchnorm norm =
        uw__bind_batchnorm(net, net->at_pred_proj + 2, params, (float *)buffers, NULL);
    float *bias = r->fold + first.out * first.in;

    for (size_t o = 0; o < first.out; o++) {
        const double scale = (double)norm.gamma[o] / sqrt((double)norm.running_var[o] + BN_EPS);
        for (size_t i = 0; i < first.in; i++)
            r->fold[o * first.in + i] = (float)((double)first.w[o * first.in + i] * scale);
        bias[o] = (float)(((double)first.b[o] - (double)norm.running_mean[o]) * scale +
                          (double)norm.beta[o]);
    }
    uw__packed_fill(&r->project[0], k, r->fold, first.in, bias);
    fill(&r->project[1], k, net, net->at_pred_proj + 7, params);
}

void uw__rollout_fill(uw_rollout *r, const uw_kernels *k, const float *params,
                      const float *buffers) {
    const uw_net *net = r->net;
    const uw_layernorm norm =
        uw__bind_layernorm(net, net->at_predictor + 1, UW_AFFINE_EPS, params, NULL);

    r->position = uw__bind(net, net->at_predictor, params);
    r->gamma = norm.gamma;
    r->beta = norm.beta;
    for (int i = 0; i < 3 && net->config.action_smooth_dim; i++)
        fill(&r->action[i], k, net, net->at_action + 2 * i, params);
    for (int32_t i = 0; i < net->config.predictor_layers; i++) fill_layer(r, k, i, params);
    if (net->config.pred_proj_dim) fill_projector(r, k, params, buffers);
}
