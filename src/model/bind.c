/* From the table to the layers that use it: numbers by tensor index, and the scratch they need. */
#include "parts.h"

const uw_real *uw__bind(const uw_net *net, int32_t index, const uw_real *params) {
    return params ? params + net->tensors[index].offset : NULL;
}

uw_real *uw__bind_grad(const uw_net *net, int32_t index, uw_real *grads) {
    return grads ? grads + net->tensors[index].offset : NULL;
}

uw_linear uw__bind_linear(const uw_net *net, int32_t index, bool bias, const uw_real *params,
                          uw_real *grads) {
    const uw_net_tensor *w = &net->tensors[index];
    uw_linear l = {.out = (size_t)w->shape[0], .in = w->count / (size_t)w->shape[0]};
    l.w = uw__bind(net, index, params);
    l.dw = uw__bind_grad(net, index, grads);
    if (bias) {
        l.b = uw__bind(net, index + 1, params);
        l.db = uw__bind_grad(net, index + 1, grads);
    }
    return l;
}

uw_layernorm uw__bind_layernorm(const uw_net *net, int32_t index, uw_real eps,
                                const uw_real *params, uw_real *grads) {
    return (uw_layernorm){.c = net->tensors[index].count,
                          .eps = eps,
                          .gamma = uw__bind(net, index, params),
                          .beta = uw__bind(net, index + 1, params),
                          .dgamma = uw__bind_grad(net, index, grads),
                          .dbeta = uw__bind_grad(net, index + 1, grads)};
}

uw_batchnorm uw__bind_batchnorm(const uw_net *net, int32_t index, const uw_real *params,
                                uw_real *buffers, uw_real *grads) {
    return (uw_batchnorm){.c = net->tensors[index].count,
                          .gamma = uw__bind(net, index, params),
                          .beta = uw__bind(net, index + 1, params),
                          .dgamma = uw__bind_grad(net, index, grads),
                          .dbeta = uw__bind_grad(net, index + 1, grads),
                          .running_mean = uw__bind_grad(net, index + 2, buffers),
                          .running_var = uw__bind_grad(net, index + 3, buffers),
                          .batches = uw__bind_grad(net, index + 4, buffers)};
}

size_t uw__net_extra_reals(const uw_net *net) {
    const uw_model_config *cfg = &net->config;
    size_t extra = 0;

    if (cfg->encoder == UW_ENCODER_CONV) {
        extra = uw__conv_encoder_extra(net);
    } else if (cfg->encoder == UW_ENCODER_VIT) {
        const uw_conv c = uw__vit_patch_layer(net, NULL, NULL);
        extra = uw__max(uw__conv_extra(&c), uw__vit_layer_extra(net));
    }
    if (cfg->predictor == UW_PREDICTOR_ADALN)
        extra = uw__max(extra, uw__attention_extra((size_t)cfg->history_size));
    return extra;
}
