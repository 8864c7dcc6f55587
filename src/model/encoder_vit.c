/* The vision transformer of LeWM: Hugging Face's ViTModel without pooler; token 0 is the feature.
 *
 * Traps: layer norm epsilon is 1e-12; CLS comes before the patches; only CLS passes the final norm
 * (it is the only token anybody reads). */
#include <string.h>

#include "parts.h"

static const uw_real VIT_EPS = (uw_real)1e-12;

enum { EMBED_TENSORS = 4, LAYER_TENSORS = 16 };
/* Order of a layer's tensors in the table, weights; biases follow. */
enum { NORM1 = 0, QUERY = 2, KEY = 4, VALUE = 6, OUT = 8, NORM2 = 10, UP = 12, DOWN = 14 };

static int32_t layer_at(const uw_net *net, int32_t layer) {
    return net->at_encoder + EMBED_TENSORS + LAYER_TENSORS * layer;
}

static size_t num_patches(const uw_net *net) {
    const size_t side = (size_t)(net->config.image_size / net->config.vit_patch);
    return side * side;
}

uw_conv uw__vit_patch_layer(const uw_net *net, const uw_real *params, uw_real *grads) {
    const size_t image = (size_t)net->config.image_size, patch = (size_t)net->config.vit_patch;
    const int32_t at = net->at_encoder + 2;
    return (uw_conv){.d = {.y = image,
                           .x = image,
                           .c = (size_t)net->channels,
                           .kernel = patch,
                           .stride = patch,
                           .out_y = image / patch,
                           .out_x = image / patch},
                     .out_c = (size_t)net->config.vit_dim,
                     .w = uw__bind(net, at, params),
                     .b = uw__bind(net, at + 1, params),
                     .dw = uw__bind_grad(net, at, grads),
                     .db = uw__bind_grad(net, at + 1, grads)};
}

/* Buffers of one layer, but the residual stream. */
static void layer_layout(uw_arena *arena, const uw_net *net, size_t tokens, bool backward,
                         uw_vit_layer_acts *l) {
    const size_t dim = (size_t)net->config.vit_dim, mlp = (size_t)net->config.vit_mlp_dim;
    l->n1 = l->n2 = uw__take(arena, tokens * dim);
    l->q = uw__take(arena, tokens * dim);
    l->k = uw__take(arena, tokens * dim);
    l->v = uw__take(arena, tokens * dim);
    l->o = uw__take(arena, tokens * dim);
    l->h = l->g = uw__take(arena, tokens * mlp);
    if (!backward) return;
    l->n2 = uw__take(arena, tokens * dim);
    l->g = uw__take(arena, tokens * mlp);
    l->mean1 = uw__take(arena, tokens);
    l->rstd1 = uw__take(arena, tokens);
    l->mean2 = uw__take(arena, tokens);
    l->rstd2 = uw__take(arena, tokens);
}

static void gradient_layout(uw_arena *arena, const uw_net *net, size_t max_rows, size_t tokens,
                            uw_vit_acts *acts) {
    const size_t dim = (size_t)net->config.vit_dim, mlp = (size_t)net->config.vit_mlp_dim;
    size_t work = uw__max(uw__linear_work(dim, dim, tokens), uw__layernorm_work(dim));
    acts->dx = uw__take(arena, tokens * dim);
    acts->dn = uw__take(arena, tokens * dim);
    acts->dq = uw__take(arena, tokens * dim);
    acts->dk = uw__take(arena, tokens * dim);
    acts->dv = uw__take(arena, tokens * dim);
    acts->dh = uw__take(arena, tokens * mlp);
    acts->dcls = uw__take(arena, max_rows * dim);
    acts->mean = uw__take(arena, max_rows);
    acts->rstd = uw__take(arena, max_rows);
    work = uw__max(work, uw__linear_work(dim, mlp, tokens));
    work = uw__max(work, uw__linear_work(mlp, dim, tokens));
    const uw_conv patch = uw__vit_patch_layer(net, NULL, NULL);
    acts->work = uw__take(arena, uw__max(work, uw__conv_work(&patch, true)));
}

void uw__vit_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                            uw_vit_acts *acts) {
    const size_t patches = num_patches(net), tokens = max_rows * (patches + 1);
    const size_t dim = (size_t)net->config.vit_dim;

    acts->patches = uw__take(arena, max_rows * patches * dim);
    acts->embedded = uw__take(arena, tokens * dim);
    acts->cls = uw__take(arena, max_rows * dim);
    acts->t = uw__take(arena, tokens * dim);
    if (backward) {
        gradient_layout(arena, net, max_rows, tokens, acts);
    } else {
        const uw_conv patch = uw__vit_patch_layer(net, NULL, NULL);
        acts->work = uw__take(arena, uw__conv_work(&patch, false));
    }
    uw_real *x = acts->embedded;
    for (int32_t i = 0; i < net->config.vit_layers; i++) {
        uw_vit_layer_acts *l = &acts->layer[i];
        if (i == 0 || backward)
            layer_layout(arena, net, tokens, backward, l);
        else
            *l = acts->layer[0];
        l->x = x;
        l->mid = backward ? uw__take(arena, tokens * dim) : x;
        l->next = backward ? uw__take(arena, tokens * dim) : x;
        x = l->next;
    }
}

static uw_attention layer_attention(const uw_net *net, size_t rows) {
    const size_t dim = (size_t)net->config.vit_dim, heads = (size_t)net->config.vit_heads;
    return (uw_attention){.batch = rows,
                          .tokens = num_patches(net) + 1,
                          .heads = heads,
                          .head_dim = dim / heads,
                          .ld_qkv = dim,
                          .ld_out = dim};
}

/* mid = x + Attn(LN(x));  next = mid + MLP(LN(mid)). */
static void layer_forward(const uw_exec *e, const uw_net *net, const uw_real *params, int32_t at,
                          uw_vit_layer_acts *l, uw_real *t, size_t rows) {
    const uw_attention attention = layer_attention(net, rows);
    const size_t tokens = rows * attention.tokens, reals = tokens * (size_t)net->config.vit_dim;
    const uw_layernorm norm1 = uw__bind_layernorm(net, at + NORM1, VIT_EPS, params, NULL);
    const uw_layernorm norm2 = uw__bind_layernorm(net, at + NORM2, VIT_EPS, params, NULL);
    const uw_linear q = uw__bind_linear(net, at + QUERY, true, params, NULL);
    const uw_linear k = uw__bind_linear(net, at + KEY, true, params, NULL);
    const uw_linear v = uw__bind_linear(net, at + VALUE, true, params, NULL);
    const uw_linear out = uw__bind_linear(net, at + OUT, true, params, NULL);
    const uw_linear up = uw__bind_linear(net, at + UP, true, params, NULL);
    const uw_linear down = uw__bind_linear(net, at + DOWN, true, params, NULL);

    uw__layernorm_forward(e, &norm1, l->n1, l->mean1, l->rstd1, l->x, tokens);
    uw__linear_forward(e, &q, l->q, NULL, l->n1, tokens);
    uw__linear_forward(e, &k, l->k, NULL, l->n1, tokens);
    uw__linear_forward(e, &v, l->v, NULL, l->n1, tokens);
    uw__attention_forward(e, &attention, l->o, l->q, l->k, l->v);
    uw__linear_forward(e, &out, t, NULL, l->o, tokens);
    uw__add(e, l->mid, l->x, t, reals);

    uw__layernorm_forward(e, &norm2, l->n2, l->mean2, l->rstd2, l->mid, tokens);
    uw__linear_forward(e, &up, l->h, l->g, l->n2, tokens);
    uw__linear_forward(e, &down, t, NULL, l->g, tokens);
    uw__add(e, l->next, l->mid, t, reals);
}

void uw__vit_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_vit_acts *acts, const uw_real *x, size_t rows, uw_real *f) {
    const size_t dim = (size_t)net->config.vit_dim, patches = num_patches(net);
    const int32_t layers = net->config.vit_layers;
    const uw_conv patch = uw__vit_patch_layer(net, params, NULL);
    const uw_layernorm norm = uw__bind_layernorm(net, layer_at(net, layers), VIT_EPS, params, NULL);

    uw__conv_forward(e, &patch, acts->patches, NULL, x, rows, acts->work);
    uw__embed_forward(e, acts->embedded, acts->patches, uw__bind(net, net->at_encoder, params),
                      uw__bind(net, net->at_encoder + 1, params), rows, patches, dim);
    for (int32_t i = 0; i < layers; i++)
        layer_forward(e, net, params, layer_at(net, i), &acts->layer[i], acts->t, rows);

    const uw_real *last = layers ? acts->layer[layers - 1].next : acts->embedded;
    for (size_t r = 0; r < rows; r++)
        memcpy(acts->cls + r * dim, last + r * (patches + 1) * dim, dim * sizeof *f);
    uw__layernorm_forward(e, &norm, f, acts->mean, acts->rstd, acts->cls, rows);
}

/* On entry dx is the gradient of next, on return of x. */
static void layer_backward(const uw_exec *e, const uw_net *net, const uw_real *params, int32_t at,
                           const uw_vit_layer_acts *l, uw_vit_acts *acts, size_t rows,
                           uw_real *grads) {
    const uw_attention attention = layer_attention(net, rows);
    const size_t tokens = rows * attention.tokens;
    const uw_layernorm norm1 = uw__bind_layernorm(net, at + NORM1, VIT_EPS, params, grads);
    const uw_layernorm norm2 = uw__bind_layernorm(net, at + NORM2, VIT_EPS, params, grads);
    const uw_linear q = uw__bind_linear(net, at + QUERY, true, params, grads);
    const uw_linear k = uw__bind_linear(net, at + KEY, true, params, grads);
    const uw_linear v = uw__bind_linear(net, at + VALUE, true, params, grads);
    const uw_linear out = uw__bind_linear(net, at + OUT, true, params, grads);
    const uw_linear up = uw__bind_linear(net, at + UP, true, params, grads);
    const uw_linear down = uw__bind_linear(net, at + DOWN, true, params, grads);
    uw_real *dx = acts->dx, *dn = acts->dn, *work = acts->work;

    uw__linear_backward(e, &down, acts->dh, false, dx, l->g, tokens, work);
    uw__map_backward(e, e->k->gelu_backward, acts->dh, acts->dh, l->h, tokens * up.out);
    uw__linear_backward(e, &up, dn, false, acts->dh, l->n2, tokens, work);
    uw__layernorm_backward(e, &norm2, dx, true, dn, l->mid, l->mean2, l->rstd2, tokens, work);

    uw_real *dout = acts->t;
    uw__linear_backward(e, &out, dout, false, dx, l->o, tokens, work);
    uw__attention_backward(e, &attention, acts->dq, acts->dk, acts->dv, dout, l->q, l->k, l->v);
    uw__linear_backward(e, &q, dn, false, acts->dq, l->n1, tokens, work);
    uw__linear_backward(e, &k, dn, true, acts->dk, l->n1, tokens, work);
    uw__linear_backward(e, &v, dn, true, acts->dv, l->n1, tokens, work);
    uw__layernorm_backward(e, &norm1, dx, true, dn, l->x, l->mean1, l->rstd1, tokens, work);
}

void uw__vit_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_vit_acts *acts, const uw_real *x, const uw_real *df, size_t rows,
                              uw_real *grads) {
    const size_t dim = (size_t)net->config.vit_dim, patches = num_patches(net);
    const size_t row = (patches + 1) * dim;
    const int32_t layers = net->config.vit_layers;
    const uw_conv patch = uw__vit_patch_layer(net, params, grads);
    const uw_layernorm norm =
        uw__bind_layernorm(net, layer_at(net, layers), VIT_EPS, params, grads);

    uw__layernorm_backward(e, &norm, acts->dcls, false, df, acts->cls, acts->mean, acts->rstd, rows,
                           acts->work);
    /* the other tokens' outputs are not read: no gradient enters there */
    memset(acts->dx, 0, rows * row * sizeof *acts->dx);
    for (size_t r = 0; r < rows; r++)
        memcpy(acts->dx + r * row, acts->dcls + r * dim, dim * sizeof *acts->dx);
    for (int32_t i = layers - 1; i >= 0; i--)
        layer_backward(e, net, params, layer_at(net, i), &acts->layer[i], acts, rows, grads);

    uw__embed_backward(e, acts->dn, uw__bind_grad(net, net->at_encoder, grads),
                       uw__bind_grad(net, net->at_encoder + 1, grads), acts->dx, rows, patches,
                       dim);
    uw__conv_backward(e, &patch, NULL, acts->dn, acts->patches, x, rows, acts->work);
}
