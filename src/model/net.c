/* The tensor table of a configuration: names, shapes, places.  One walk counts, the same walk
 * fills.
 *
 * Names are those of the released LeWM checkpoints (transformers 4.x) wherever LeWM has the tensor.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "parts.h"
#include "rng.h"

/* More numbers than this are refused: 4 GiB of fp32. */
static const uint64_t MAX_PARAMS = 1u << 30;

typedef struct builder {
    uw_net_tensor *tensors; /* NULL while counting */
    int32_t count;
    uint64_t params, buffers;
    char prefix[80]; /* of the layer being added */
} builder;

static void UW_PRINTF(2, 3) set_prefix(builder *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(b->prefix, sizeof b->prefix, format, args);
    va_end(args);
}

/* Add PREFIX + suffix with the given shape. */
static void add(builder *b, const char *suffix, uw_net_start start, size_t fan_in, bool buffer,
                int32_t num_dims, const int64_t *shape) {
    uint64_t count = 1;
    for (int32_t i = 0; i < num_dims; i++) count *= (uint64_t)shape[i];
    uint64_t *place = buffer ? &b->buffers : &b->params;
    if (b->tensors) {
        uw_net_tensor *t = &b->tensors[b->count];
        *t = (uw_net_tensor){.num_dims = num_dims,
                             .offset = (size_t)*place,
                             .count = (size_t)count,
                             .buffer = buffer,
                             .start = start,
                             .fan_in = fan_in};
        memcpy(t->shape, shape, (size_t)num_dims * sizeof *shape);
        snprintf(t->name, sizeof t->name, "%s%s", b->prefix, suffix);
        t->counter = buffer && num_dims == 0;
    }
    *place += count;
    b->count++;
}

static void add_vector(builder *b, const char *suffix, uw_net_start start, size_t fan_in,
                       int32_t n) {
    add(b, suffix, start, fan_in, false, 1, (int64_t[]){n});
}

static void add_linear(builder *b, int32_t out, int32_t in, bool bias, uw_net_start weight_start) {
    const uw_net_start bias_start = weight_start == UW_START_UNIFORM ? weight_start : UW_START_ZERO;
    add(b, ".weight", weight_start, (size_t)in, false, 2, (int64_t[]){out, in});
    if (bias) add_vector(b, ".bias", bias_start, (size_t)in, out);
}

static void add_norm(builder *b, int32_t c) {
    add_vector(b, ".weight", UW_START_ONE, 0, c);
    add_vector(b, ".bias", UW_START_ZERO, 0, c);
}

static void add_batchnorm(builder *b, int32_t c) {
    add_norm(b, c);
    add(b, ".running_mean", UW_START_ZERO, 0, true, 1, (int64_t[]){c});
    add(b, ".running_var", UW_START_ONE, 0, true, 1, (int64_t[]){c});
    add(b, ".num_batches_tracked", UW_START_ZERO, 0, true, 0, (int64_t[]){0});
}

static void add_projector(builder *b, const char *name, int32_t in, int32_t hidden, int32_t out) {
    set_prefix(b, "%s.net.0", name);
    if (hidden == 0) {
        add_linear(b, out, in, true, UW_START_UNIFORM);
        return;
    }
    add_linear(b, hidden, in, true, UW_START_UNIFORM);
    set_prefix(b, "%s.net.1", name);
    add_batchnorm(b, hidden);
    set_prefix(b, "%s.net.3", name);
    add_linear(b, out, hidden, true, UW_START_UNIFORM);
}

static void add_conv_encoder(builder *b, const uw_net *net) {
    int64_t in = net->channels;
    for (int32_t i = 0; i < net->config.conv_layers; i++) {
        const int64_t out = net->config.conv_channels[i], k = net->config.conv_kernel[i];
        const size_t fan_in = (size_t)(in * k * k);
        set_prefix(b, "encoder.conv.%d", (int)i);
        add(b, ".weight", UW_START_UNIFORM, fan_in, false, 4, (int64_t[]){out, in, k, k});
        add_vector(b, ".bias", UW_START_UNIFORM, fan_in, (int32_t)out);
        if (net->config.conv_norm == UW_CONV_NORM_BATCH) {
            set_prefix(b, "encoder.norm.%d", (int)i);
            add_batchnorm(b, (int32_t)out);
        }
        in = out;
    }
}

static void add_vit_layer(builder *b, int32_t layer, int32_t dim, int32_t mlp) {
    static const char *const parts[] = {"query", "key", "value"};
    char at[48];
    snprintf(at, sizeof at, "encoder.encoder.layer.%d", (int)layer);

    set_prefix(b, "%s.layernorm_before", at);
    add_norm(b, dim);
    for (int i = 0; i < 3; i++) {
        set_prefix(b, "%s.attention.attention.%s", at, parts[i]);
        add_linear(b, dim, dim, true, UW_START_NORMAL_SMALL);
    }
    set_prefix(b, "%s.attention.output.dense", at);
    add_linear(b, dim, dim, true, UW_START_NORMAL_SMALL);
    set_prefix(b, "%s.layernorm_after", at);
    add_norm(b, dim);
    set_prefix(b, "%s.intermediate.dense", at);
    add_linear(b, mlp, dim, true, UW_START_NORMAL_SMALL);
    set_prefix(b, "%s.output.dense", at);
    add_linear(b, dim, mlp, true, UW_START_NORMAL_SMALL);
}

/* Hugging Face truncates its normals at +-2, a hundred standard deviations away: nothing is cut. */
static void add_vit_encoder(builder *b, const uw_net *net) {
    const uw_model_config *c = &net->config;
    const int64_t side = c->image_size / c->vit_patch, dim = c->vit_dim, p = c->vit_patch;

    set_prefix(b, "encoder.embeddings");
    add(b, ".cls_token", UW_START_NORMAL_SMALL, 0, false, 3, (int64_t[]){1, 1, dim});
    add(b, ".position_embeddings", UW_START_NORMAL_SMALL, 0, false, 3,
        (int64_t[]){1, side * side + 1, dim});
    set_prefix(b, "encoder.embeddings.patch_embeddings.projection");
    add(b, ".weight", UW_START_NORMAL_SMALL, 0, false, 4, (int64_t[]){dim, net->channels, p, p});
    add_vector(b, ".bias", UW_START_ZERO, 0, (int32_t)dim);
    for (int32_t i = 0; i < c->vit_layers; i++) add_vit_layer(b, i, c->vit_dim, c->vit_mlp_dim);
    set_prefix(b, "encoder.layernorm");
    add_norm(b, c->vit_dim);
}

static void add_mlp_encoder(builder *b, const uw_net *net) {
    const uw_model_config *c = &net->config;
    for (int32_t i = 0; i < c->mlp_layers; i++) {
        set_prefix(b, "encoder.mlp.%d", (int)i);
        add_linear(b, c->mlp_dim, i ? c->mlp_dim : c->observe_dim, true, UW_START_UNIFORM);
    }
}

static void add_coupling_encoder(builder *b, const uw_net *net) {
    for (int32_t i = 0; i < net->config.mlp_layers; i++) {
        const size_t in = uw__coupling_width(net, i), out = (size_t)net->config.observe_dim - in;
        set_prefix(b, "encoder.coupling.%d", (int)i);
        add_linear(b, (int32_t)out, (int32_t)in, false, UW_START_UNIFORM);
    }
}

static void add_markov_predictor(builder *b, const uw_net *net) {
    const uw_model_config *c = &net->config;
    set_prefix(b, "predictor.net.0");
    add_linear(b, c->predictor_mlp_dim, c->latent_dim + net->cond_dim, true, UW_START_UNIFORM);
    set_prefix(b, "predictor.net.2");
    add_linear(b, c->predictor_mlp_dim, c->predictor_mlp_dim, true, UW_START_UNIFORM);
    set_prefix(b, "predictor.net.4"); /* zero: the predictor starts as the identity */
    add_linear(b, c->latent_dim, c->predictor_mlp_dim, true, UW_START_ZERO);
}

static void add_adaln_predictor(builder *b, const uw_net *net) {
    const uw_model_config *c = &net->config;
    const int32_t dim = c->latent_dim, inner = c->predictor_heads * c->predictor_head_dim;
    set_prefix(b, "predictor");
    add(b, ".pos_embedding", UW_START_NORMAL, 0, false, 3, (int64_t[]){1, c->history_size, dim});
    set_prefix(b, "predictor.transformer.norm");
    add_norm(b, dim);
    for (int32_t i = 0; i < c->predictor_layers; i++) {
        char at[48];
        snprintf(at, sizeof at, "predictor.transformer.layers.%d", (int)i);
        set_prefix(b, "%s.attn.norm", at);
        add_norm(b, dim);
        set_prefix(b, "%s.attn.to_qkv", at);
        add_linear(b, 3 * inner, dim, false, UW_START_UNIFORM);
        if (uw__adaln_has_out(c)) {
            set_prefix(b, "%s.attn.to_out.0", at);
            add_linear(b, dim, inner, true, UW_START_UNIFORM);
        }
        set_prefix(b, "%s.mlp.net.0", at);
        add_norm(b, dim);
        set_prefix(b, "%s.mlp.net.1", at);
        add_linear(b, c->predictor_mlp_dim, dim, true, UW_START_UNIFORM);
        set_prefix(b, "%s.mlp.net.4", at);
        add_linear(b, dim, c->predictor_mlp_dim, true, UW_START_UNIFORM);
        set_prefix(b, "%s.adaLN_modulation.1", at); /* zero: every block starts as the identity */
        add_linear(b, 6 * dim, net->cond_dim, true, UW_START_ZERO);
    }
}

static void add_action_encoder(builder *b, const uw_net *net) {
    const int64_t in = net->action_in, smooth = net->config.action_smooth_dim;
    if (smooth == 0) return;
    set_prefix(b, "action_encoder.patch_embed");
    add(b, ".weight", UW_START_UNIFORM, (size_t)in, false, 3, (int64_t[]){smooth, in, 1});
    add_vector(b, ".bias", UW_START_UNIFORM, (size_t)in, (int32_t)smooth);
    set_prefix(b, "action_encoder.embed.0");
    add_linear(b, net->config.action_hidden_dim, (int32_t)smooth, true, UW_START_UNIFORM);
    set_prefix(b, "action_encoder.embed.2");
    add_linear(b, net->cond_dim, net->config.action_hidden_dim, true, UW_START_UNIFORM);
}

static void build(builder *b, uw_net *net) {
    const uw_model_config *c = &net->config;

    net->at_encoder = b->count;
    if (c->encoder == UW_ENCODER_CONV) add_conv_encoder(b, net);
    if (c->encoder == UW_ENCODER_VIT) add_vit_encoder(b, net);
    if (c->encoder == UW_ENCODER_MLP) add_mlp_encoder(b, net);
    if (c->encoder == UW_ENCODER_COUPLING) add_coupling_encoder(b, net);
    net->at_predictor = b->count;
    if (c->predictor == UW_PREDICTOR_MLP)
        add_markov_predictor(b, net);
    else if (c->predictor == UW_PREDICTOR_ADALN)
        add_adaln_predictor(b, net);
    net->at_action = b->count;
    add_action_encoder(b, net);
    net->at_projector = b->count;
    if (c->encoder != UW_ENCODER_COUPLING)
        add_projector(b, "projector", net->feature_dim, c->projector_dim, c->latent_dim);
    net->at_pred_proj = b->count;
    if (c->pred_proj_dim)
        add_projector(b, "pred_proj", c->latent_dim, c->pred_proj_dim, c->latent_dim);
    net->at_inverse = b->count;
    if (c->inverse_dim) {
        set_prefix(b, "inverse.net.0");
        add_linear(b, c->inverse_dim, 2 * c->latent_dim, true, UW_START_UNIFORM);
        set_prefix(b, "inverse.net.2");
        add_linear(b, net->action_block, c->inverse_dim, true, UW_START_UNIFORM);
    }
    net->at_readout = b->count;
    if (c->readout_dim) {
        set_prefix(b, "readout");
        add_linear(b, c->readout_dim, c->latent_dim, true, UW_START_UNIFORM);
        add(b, ".mean", UW_START_ZERO, 0, true, 1, (int64_t[]){c->readout_dim});
        add(b, ".std", UW_START_ONE, 0, true, 1, (int64_t[]){c->readout_dim});
    }
    net->at_input = b->count;
    if (c->input == UW_INPUT_CENTRED) { /* in levels of a byte */
        set_prefix(b, "input");
        add(b, ".mean", UW_START_ZERO, 0, true, 3, (int64_t[]){c->image_size, c->image_size, 3});
        add(b, ".std", UW_START_ONE, 0, true, 1, (int64_t[]){1});
    }
}

/* Widths that follow from the configuration; false when the features are too many to be meant. */
static bool derive(uw_net *net) {
    const uw_model_config *c = &net->config;
    int64_t features = 0;

    net->channels = c->input == UW_INPUT_FLOOR_RELATIVE ? 4 : 3;
    net->input_reals = (size_t)c->observe_dim;
    if (c->input != UW_INPUT_COLUMNS)
        net->input_reals = (size_t)c->image_size * (size_t)c->image_size * (size_t)net->channels;
    net->action_block = c->action_dim * c->frameskip;
    net->action_in = net->action_block + c->action_dim * c->action_history;
    net->cond_dim = c->action_smooth_dim ? c->latent_dim : net->action_in;
    if (c->encoder == UW_ENCODER_CONV) {
        const uw_conv last = uw__conv_encoder_layer(net, c->conv_layers - 1, NULL, NULL);
        features = (int64_t)(last.d.out_y * last.d.out_x * last.out_c);
    } else if (c->encoder == UW_ENCODER_VIT) {
        features = c->vit_dim;
    } else {
        const bool hidden = c->encoder == UW_ENCODER_MLP && c->mlp_layers;
        features = hidden ? c->mlp_dim : c->observe_dim;
    }
    net->feature_dim = (int32_t)features;
    return features <= 1 << 24;
}

uw_status uw__net_init(const uw_model_config *config, uw_net *net, uw_err *err) {
    uw_net tmp = {.config = *config};
    builder count = {0}, fill = {0};

    *net = (uw_net){0};
    const uw_status s = uw__config_check(config, err);
    if (s) return s;
    const bool ok = derive(&tmp);
    if (ok) build(&count, &tmp);
    if (!ok || count.params > MAX_PARAMS) {
        return uw_fail(err, UW_EINVAL, "config: trained numbers, wanted at most %llu, got more",
                       (unsigned long long)MAX_PARAMS);
    }
    fill.tensors = calloc((size_t)count.count, sizeof *fill.tensors);
    if (!fill.tensors)
        return uw_fail(err, UW_ENOMEM, "config: a table of %d tensors", (int)count.count);
    build(&fill, &tmp);
    tmp.tensors = fill.tensors;
    tmp.num_tensors = fill.count;
    tmp.num_params = (size_t)fill.params;
    tmp.num_buffers = (size_t)fill.buffers;
    *net = tmp;
    return UW_OK;
}

void uw__net_fini(uw_net *net) {
    free(net->tensors);
    *net = (uw_net){0};
}

size_t uw__net_history(const uw_net *net) {
    return net->config.predictor == UW_PREDICTOR_ADALN ? (size_t)net->config.history_size : 1;
}

int32_t uw__net_find(const uw_net *net, const char *name) {
    for (int32_t i = 0; i < net->num_tensors; i++)
        if (!strcmp(net->tensors[i].name, name)) return i;
    return -1;
}

static void randomise_tensor(const uw_net_tensor *t, uw_rng *r, uw_real *x) {
    const double bound = t->fan_in ? 1.0 / sqrt((double)t->fan_in) : 0.0;
    for (size_t i = 0; i < t->count; i++) {
        switch (t->start) {
        case UW_START_ZERO:
            x[i] = 0;
            break;
        case UW_START_ONE:
            x[i] = 1;
            break;
        case UW_START_UNIFORM:
            x[i] = (uw_real)(bound * (2.0 * (double)uw__rng_uniform(r) - 1.0));
            break;
        case UW_START_NORMAL:
            x[i] = (uw_real)uw__rng_normal(r);
            break;
        case UW_START_NORMAL_SMALL:
            x[i] = (uw_real)(0.02f * uw__rng_normal(r));
            break;
        }
    }
}

void uw__net_randomise(const uw_net *net, uint64_t seed, uw_real *params, uw_real *buffers) {
    for (int32_t i = 0; i < net->num_tensors; i++) {
        const uw_net_tensor *t = &net->tensors[i];
        uw_rng r = uw__rng(seed, UW_STREAM_INIT, (uint64_t)i);
        randomise_tensor(t, &r, (t->buffer ? buffers : params) + t->offset);
    }
}
