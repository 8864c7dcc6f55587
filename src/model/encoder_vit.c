/* The vision transformer of LeWM: Hugging Face's ViTModel without pooler; token 0 is the feature.
 *
 * Traps: layer norm epsilon is 1e-12; CLS comes before the patches; only CLS passes the final norm
 * (it is the only token anybody reads). */
#include <string.h>

#include "parts.h"

static const uw_real VIT_EPS = (uw_real)1e-12;

enum { EMBED_TENSORS = 4, LAYER_TENSORS = 16 };

int32_t uw__vit_layer_at(const uw_net *net, int32_t layer) {
    return net->at_encoder + EMBED_TENSORS + LAYER_TENSORS * layer;
}

static size_t num_patches(const uw_net *net) {
    const size_t side = (size_t)(net->config.image_size / net->config.vit_patch);
    return side * side;
}

size_t uw__vit_tokens(const uw_net *net) {
    return num_patches(net) + 1;
}

size_t uw__vit_queries(const uw_net *net, int32_t layer) {
    return layer + 1 == net->config.vit_layers ? 1 : uw__vit_tokens(net);
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

/* What a layer's backward reads, but the residual stream. */
static void layer_layout(uw_arena *arena, const uw_net *net, int32_t layer, size_t max_rows,
                         uw_vit_layer_acts *l) {
    const size_t dim = (size_t)net->config.vit_dim;
    const size_t tokens = max_rows * uw__vit_tokens(net);
    const size_t wanted = max_rows * uw__vit_queries(net, layer);
    l->qkv = uw__take(arena, tokens * 3 * dim);
    l->o = uw__take(arena, wanted * dim);
    l->mean1 = uw__take(arena, tokens);
    l->rstd1 = uw__take(arena, tokens);
    l->mean2 = uw__take(arena, wanted);
    l->rstd2 = uw__take(arena, wanted);
}

static void gradient_layout(uw_arena *arena, const uw_net *net, size_t max_rows,
                            uw_vit_acts *acts) {
    const size_t dim = (size_t)net->config.vit_dim, patches = max_rows * num_patches(net);
    const uw_conv patch = uw__vit_patch_layer(net, NULL, NULL);
    acts->dx = uw__take(arena, (patches + max_rows) * dim);
    acts->dn = uw__take(arena, patches * dim);
    acts->dcls = uw__take(arena, max_rows * dim);
    acts->mean = uw__take(arena, max_rows);
    acts->rstd = uw__take(arena, max_rows);
    acts->work = uw__take(arena, uw__max(uw__layernorm_work(dim), uw__conv_work(&patch, true)));
}

void uw__vit_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                            uw_vit_acts *acts) {
    const size_t patches = num_patches(net), dim = (size_t)net->config.vit_dim;
    const int32_t layers = net->config.vit_layers;

    acts->patches = uw__take(arena, max_rows * patches * dim);
    acts->embedded = uw__take(arena, max_rows * (patches + 1) * dim);
    acts->cls = uw__take(arena, max_rows * dim);
    uw__vit_layer_layout(arena, net, max_rows, backward, acts);
    if (backward) {
        gradient_layout(arena, net, max_rows, acts);
    } else {
        const uw_conv patch = uw__vit_patch_layer(net, NULL, NULL);
        acts->work = uw__take(arena, uw__conv_work(&patch, false));
    }
    uw_real *x = acts->embedded;
    for (int32_t i = 0; i < layers; i++) {
        uw_vit_layer_acts *l = &acts->layer[i];
        const bool last = i + 1 == layers;
        const size_t reals = max_rows * uw__vit_queries(net, i) * dim;
        if (backward) layer_layout(arena, net, i, max_rows, l);
        l->x = x;
        if (backward) l->mid = uw__take(arena, reals);
        l->next = last ? acts->cls : backward ? uw__take(arena, reals) : x;
        x = l->next;
    }
}

void uw__vit_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                             uw_vit_acts *acts, const uw_real *x, size_t rows, uw_real *f) {
    const size_t dim = (size_t)net->config.vit_dim, patches = num_patches(net);
    const int32_t layers = net->config.vit_layers;
    const uw_conv patch = uw__vit_patch_layer(net, params, NULL);
    const uw_layernorm norm =
        uw__bind_layernorm(net, uw__vit_layer_at(net, layers), VIT_EPS, params, NULL);

    uw__conv_forward(e, &patch, acts->patches, NULL, x, rows, acts->work);
    uw__embed_forward(e, acts->embedded, acts->patches, uw__bind(net, net->at_encoder, params),
                      uw__bind(net, net->at_encoder + 1, params), rows, patches, dim);
    for (int32_t i = 0; i < layers; i++) uw__vit_layer_forward(e, net, params, i, acts, rows);
    for (size_t r = 0; r < rows && layers == 0; r++)
        memcpy(acts->cls + r * dim, acts->embedded + r * (patches + 1) * dim, dim * sizeof *f);
    uw__layernorm_forward(e, &norm, f, acts->mean, acts->rstd, acts->cls, rows);
}

void uw__vit_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_vit_acts *acts, const uw_real *x, const uw_real *df, size_t rows,
                              uw_real *grads) {
    const size_t dim = (size_t)net->config.vit_dim, patches = num_patches(net);
    const size_t row = (patches + 1) * dim;
    const int32_t layers = net->config.vit_layers;
    const uw_conv patch = uw__vit_patch_layer(net, params, grads);
    const uw_layernorm norm =
        uw__bind_layernorm(net, uw__vit_layer_at(net, layers), VIT_EPS, params, grads);

    uw__layernorm_backward(e, &norm, acts->dcls, false, df, acts->cls, acts->mean, acts->rstd, rows,
                           acts->work);
    if (layers == 0) {
        memset(acts->dx, 0, rows * row * sizeof *acts->dx);
        for (size_t r = 0; r < rows; r++)
            memcpy(acts->dx + r * row, acts->dcls + r * dim, dim * sizeof *acts->dx);
    }
    for (int32_t i = layers - 1; i >= 0; i--)
        uw__vit_layer_backward(e, net, params, i, acts, rows, grads);

    uw__embed_backward(e, acts->dn, uw__bind_grad(net, net->at_encoder, grads),
                       uw__bind_grad(net, net->at_encoder + 1, grads), acts->dx, rows, patches,
                       dim);
    uw__conv_backward(e, &patch, NULL, acts->dn, acts->patches, x, rows, acts->work);
}
