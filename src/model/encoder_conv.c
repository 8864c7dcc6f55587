/* The convolutional encoder: strided convolutions with GELU over NHWC pictures.  With BatchNorm
 * between the two, whose rows are pixels, every layer sees the whole batch; without, a stack takes
 * pictures through all of them (conv_stack.h).
 *
 * Trap: the features are flattened channel-major, [C, y, x], as PyTorch's flatten of NCHW does; the
 * activations are pixel-major. */
#include "conv_stack.h"

enum { FLATTEN_BLOCK = 16 }; /* pictures per task */

static bool has_norm(const uw_net *net) {
    return net->config.conv_norm == UW_CONV_NORM_BATCH;
}

/* The index of a layer's weight; its norm, when there is one, begins two behind it. */
static int32_t tensor_at(const uw_net *net, int32_t layer) {
    return net->at_encoder + (has_norm(net) ? 7 : 2) * layer;
}

uw_conv uw__conv_encoder_layer(const uw_net *net, int32_t i, const uw_real *params,
                               uw_real *grads) {
    const uw_model_config *cfg = &net->config;
    size_t side = (size_t)cfg->image_size, channels = (size_t)net->channels;
    uw_conv c = {.gelu = !has_norm(net)};

    for (int32_t l = 0; l <= i; l++) {
        const size_t kernel = (size_t)cfg->conv_kernel[l], stride = (size_t)cfg->conv_stride[l];
        const size_t pad = (size_t)cfg->conv_pad[l];
        const size_t out = (side + 2 * pad - kernel) / stride + 1;
        c.d = (uw_conv_dims){.y = side,
                             .x = side,
                             .c = channels,
                             .kernel = kernel,
                             .stride = stride,
                             .pad = pad,
                             .out_y = out,
                             .out_x = out};
        c.out_c = (size_t)cfg->conv_channels[l];
        side = out;
        channels = c.out_c;
    }
    if (params) {
        const int32_t at = tensor_at(net, i);
        c.w = uw__bind(net, at, params);
        c.b = uw__bind(net, at + 1, params);
        c.dw = uw__bind_grad(net, at, grads);
        c.db = uw__bind_grad(net, at + 1, grads);
    }
    return c;
}

static size_t layer_reals(const uw_conv *c) {
    return c->d.out_y * c->d.out_x * c->out_c;
}

size_t uw__conv_encoder_extra(const uw_net *net) {
    size_t extra = 0;
    if (!has_norm(net)) return uw__conv_stack_extra(net);
    for (int32_t i = 0; i < net->config.conv_layers; i++) {
        const uw_conv c = uw__conv_encoder_layer(net, i, NULL, NULL);
        extra = uw__max(extra, uw__conv_extra(&c));
    }
    return extra;
}

void uw__conv_encoder_layout(uw_arena *arena, const uw_net *net, size_t max_rows, bool backward,
                             uw_conv_acts *acts) {
    size_t widest = 0, work = 0;
    if (!has_norm(net)) {
        uw__conv_stack_layout(arena, net, max_rows, backward, acts);
        return;
    }
    for (int32_t i = 0; i < net->config.conv_layers; i++) {
        const uw_conv c = uw__conv_encoder_layer(net, i, NULL, NULL);
        widest = uw__max(widest, layer_reals(&c));
        work = uw__max(work, uw__conv_work(&c, backward));
    }
    acts->work = uw__take(arena, work);
    acts->d[0] = uw__take(arena, max_rows * widest);
    acts->d[1] = uw__take(arena, max_rows * widest);
    for (int32_t i = 0; i < net->config.conv_layers; i++) {
        const uw_conv c = uw__conv_encoder_layer(net, i, NULL, NULL);
        if (backward) {
            acts->pre[i] = uw__take(arena, max_rows * layer_reals(&c));
            acts->act[i] = uw__take(arena, max_rows * layer_reals(&c));
        } else { /* layers take turns in the two buffers, GELU in place */
            acts->pre[i] = acts->act[i] = acts->d[i % 2];
        }
        acts->conv[i] = backward ? uw__take(arena, max_rows * layer_reals(&c)) : acts->pre[i];
        acts->mean[i] = uw__take(arena, c.out_c);
        acts->rstd[i] = uw__take(arena, c.out_c);
    }
}

typedef struct flatten_task {
    uw_real *features, *pictures;
    size_t rows, pixels, channels;
} flatten_task;

/* [pixels, C] -> [C, pixels] per picture. */
static void flatten_block(void *arg, size_t index, int32_t worker) {
    const flatten_task *t = arg;
    const size_t end =
        (index + 1) * FLATTEN_BLOCK < t->rows ? (index + 1) * FLATTEN_BLOCK : t->rows;
    (void)worker;
    for (size_t r = index * FLATTEN_BLOCK; r < end; r++) {
        const size_t at = r * t->pixels * t->channels;
        for (size_t c = 0; c < t->channels; c++)
            for (size_t p = 0; p < t->pixels; p++)
                t->features[at + c * t->pixels + p] = t->pictures[at + p * t->channels + c];
    }
}

static void unflatten_block(void *arg, size_t index, int32_t worker) {
    const flatten_task *t = arg;
    const size_t end =
        (index + 1) * FLATTEN_BLOCK < t->rows ? (index + 1) * FLATTEN_BLOCK : t->rows;
    (void)worker;
    for (size_t r = index * FLATTEN_BLOCK; r < end; r++) {
        const size_t at = r * t->pixels * t->channels;
        for (size_t p = 0; p < t->pixels; p++)
            for (size_t c = 0; c < t->channels; c++)
                t->pictures[at + p * t->channels + c] = t->features[at + c * t->pixels + p];
    }
}

void uw__conv_encoder_forward(const uw_exec *e, const uw_net *net, const uw_real *params,
                              uw_real *buffers, uw_conv_acts *acts, uw_pictures in, size_t rows,
                              bool train, uw_real *f) {
    const int32_t layers = net->config.conv_layers;
    uw_conv c = {0};
    if (!has_norm(net)) {
        uw__conv_stack_forward(e, net, params, buffers, acts, in, rows, f);
        return;
    }
    for (int32_t i = 0; i < layers; i++) {
        c = uw__conv_encoder_layer(net, i, params, NULL);
        uw__conv_forward(e, &c, acts->conv[i], acts->act[i], i ? acts->act[i - 1] : in.x, rows,
                         acts->work);
        const uw_batchnorm norm =
            uw__bind_batchnorm(net, tensor_at(net, i) + 2, params, buffers, NULL);
        uw__batchnorm_forward(e, &norm, acts->pre[i], acts->mean[i], acts->rstd[i], acts->conv[i],
                              rows * c.d.out_y * c.d.out_x, train);
        uw__map(e, e->k->gelu, acts->act[i], acts->pre[i], rows * layer_reals(&c));
    }
    flatten_task t = {.features = f,
                      .pictures = acts->act[layers - 1],
                      .rows = rows,
                      .pixels = c.d.out_y * c.d.out_x,
                      .channels = c.out_c};
    uw__pool_run(uw__exec_pool(e, rows * layer_reals(&c)), uw__num_blocks(rows, FLATTEN_BLOCK),
                 flatten_block, &t);
}

void uw__conv_encoder_backward(const uw_exec *e, const uw_net *net, const uw_real *params,
                               const uw_real *buffers, uw_conv_acts *acts, uw_pictures in,
                               const uw_real *df, size_t rows, uw_real *grads) {
    const int32_t layers = net->config.conv_layers;
    const uw_conv last = uw__conv_encoder_layer(net, layers - 1, NULL, NULL);
    uw_real *d = acts->d[0], *next = acts->d[1];
    if (!has_norm(net)) {
        uw__conv_stack_backward(e, net, params, buffers, acts, in, df, rows, grads);
        return;
    }
    flatten_task t = {.features = (uw_real *)df,
                      .pictures = d,
                      .rows = rows,
                      .pixels = last.d.out_y * last.d.out_x,
                      .channels = last.out_c};
    uw__pool_run(uw__exec_pool(e, rows * layer_reals(&last)), uw__num_blocks(rows, FLATTEN_BLOCK),
                 unflatten_block, &t);
    for (int32_t i = layers - 1; i >= 0; i--) {
        const uw_conv c = uw__conv_encoder_layer(net, i, params, grads);
        const uw_batchnorm norm =
            uw__bind_batchnorm(net, tensor_at(net, i) + 2, params, NULL, grads);
        uw__map_backward(e, e->k->gelu_backward, d, d, acts->pre[i], rows * layer_reals(&c));
        uw__batchnorm_backward(e, &norm, d, d, acts->conv[i], acts->mean[i], acts->rstd[i],
                               rows * c.d.out_y * c.d.out_x);
        /* nobody asks for the gradient of the picture itself */
        uw__conv_backward(e, &c, i ? next : NULL, d, acts->pre[i], i ? acts->act[i - 1] : in.x,
                          rows, acts->work);
        uw_real *swap = d;
        d = next;
        next = swap;
    }
}
