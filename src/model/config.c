/* What a model configuration may be.  Upper bounds keep every later product far from overflow and
 * refuse a hostile file before anything is allocated. */
#include "config.h"

#include <math.h>
#include <stdbool.h>

const char *const uw__input_words[] = {"scaled",  "imagenet", "floor_relative",
                                       "columns", "centred",  NULL};
const char *const uw__encoder_words[] = {"conv", "vit", "mlp", "coupling", NULL};
const char *const uw__predictor_words[] = {"mlp", "adaln", "none", NULL};
const char *const uw__conv_norm_words[] = {"none", "batch", NULL};

#define FIELD(name, min, max)                                                                      \
    { #name, offsetof(uw_model_config, name), min, max }
static const uw_config_field fields[] = {
    FIELD(image_size, 0, 1024),         FIELD(observe_dim, 0, 65536),
    FIELD(action_dim, 0, 1024),         FIELD(frameskip, 1, 256),
    FIELD(history_size, 1, 16),         FIELD(conv_layers, 0, UW_MAX_CONV_LAYERS),
    FIELD(vit_patch, 0, 256),           FIELD(vit_dim, 0, 4096),
    FIELD(vit_layers, 0, 64),           FIELD(vit_heads, 0, 256),
    FIELD(vit_mlp_dim, 0, 16384),       FIELD(mlp_layers, 0, 8),
    FIELD(mlp_dim, 0, 16384),           FIELD(projector_dim, 0, 16384),
    FIELD(latent_dim, 1, 1024),         FIELD(action_smooth_dim, 0, 4096),
    FIELD(action_hidden_dim, 0, 16384), FIELD(predictor_layers, 0, 64),
    FIELD(predictor_heads, 0, 256),     FIELD(predictor_head_dim, 0, 1024),
    FIELD(predictor_mlp_dim, 1, 16384), FIELD(pred_proj_dim, 0, 16384),
    FIELD(inverse_dim, 0, 16384),       FIELD(action_history, 0, 256),
    FIELD(readout_dim, 0, 1024),
};
#undef FIELD

const uw_config_field *uw__config_fields(int32_t *count) {
    *count = (int32_t)(sizeof fields / sizeof *fields);
    return fields;
}

static uw_status check_range(const char *name, int64_t i, int64_t got, int64_t min, int64_t max,
                             uw_err *err) {
    if (got >= min && got <= max) return UW_OK;
    if (i < 0) {
        return uw_fail(err, UW_EINVAL, "config: %s, wanted %lld .. %lld, got %lld", name,
                       (long long)min, (long long)max, (long long)got);
    }
    return uw_fail(err, UW_EINVAL, "config: %s[%lld], wanted %lld .. %lld, got %lld", name,
                   (long long)i, (long long)min, (long long)max, (long long)got);
}

static uw_status check_conv(const uw_model_config *c, uw_err *err) {
    int64_t side = c->image_size;
    uw_status s = check_range("conv_layers", -1, c->conv_layers, 1, UW_MAX_CONV_LAYERS, err);
    for (int32_t i = 0; i < c->conv_layers && !s; i++) {
        s = check_range("conv_channels", i, c->conv_channels[i], 1, 1024, err);
        if (!s) s = check_range("conv_kernel", i, c->conv_kernel[i], 1, 32, err);
        if (!s) s = check_range("conv_stride", i, c->conv_stride[i], 1, 32, err);
        if (!s) s = check_range("conv_pad", i, c->conv_pad[i], 0, c->conv_kernel[i] - 1, err);
        if (s) return s;
        if (side + 2 * c->conv_pad[i] < c->conv_kernel[i]) {
            return uw_fail(err, UW_EINVAL,
                           "config: conv_kernel[%d], wanted at most the %lld pixels left, got %d",
                           (int)i, (long long)(side + 2 * c->conv_pad[i]), (int)c->conv_kernel[i]);
        }
        side = (side + 2 * c->conv_pad[i] - c->conv_kernel[i]) / c->conv_stride[i] + 1;
    }
    return s;
}

static uw_status check_vit(const uw_model_config *c, uw_err *err) {
    if (c->vit_patch < 1 || c->image_size % c->vit_patch) {
        return uw_fail(err, UW_EINVAL,
                       "config: vit_patch, wanted a divisor of image_size %d, got %d",
                       (int)c->image_size, (int)c->vit_patch);
    }
    if (c->vit_heads < 1 || c->vit_dim < 1 || c->vit_dim % c->vit_heads) {
        return uw_fail(err, UW_EINVAL, "config: vit_heads, wanted a divisor of vit_dim %d, got %d",
                       (int)c->vit_dim, (int)c->vit_heads);
    }
    return check_range("vit_mlp_dim", -1, c->vit_mlp_dim, 1, 16384, err);
}

/* Volume can be kept between equal widths only. */
static uw_status check_coupling(const uw_model_config *c, uw_err *err) {
    uw_status s = check_range("mlp_layers", -1, c->mlp_layers, 1, 8, err);
    if (!s) s = check_range("observe_dim", -1, c->observe_dim, 2, 1024, err);
    if (s || c->latent_dim == c->observe_dim) return s;
    return uw_fail(err, UW_EINVAL,
                   "config: latent_dim, wanted %d = observe_dim for coupling, got %d",
                   (int)c->observe_dim, (int)c->latent_dim);
}

static uw_status check_encoder(const uw_model_config *c, uw_err *err) {
    const bool columns = c->input == UW_INPUT_COLUMNS;
    if (columns != (c->encoder == UW_ENCODER_MLP || c->encoder == UW_ENCODER_COUPLING)) {
        return uw_fail(err, UW_EINVAL, "config: encoder, wanted %s for %s, got %s",
                       columns ? "mlp or coupling" : "conv or vit",
                       columns ? "columns" : "pictures", uw__encoder_words[c->encoder]);
    }
    if (c->encoder == UW_ENCODER_COUPLING) return check_coupling(c, err);
    if (columns) {
        uw_status s = check_range("observe_dim", -1, c->observe_dim, 1, 65536, err);
        return s || !c->mlp_layers ? s : check_range("mlp_dim", -1, c->mlp_dim, 1, 16384, err);
    }
    const uw_status s = check_range("image_size", -1, c->image_size, 4, 1024, err);
    if (s) return s;
    return c->encoder == UW_ENCODER_CONV ? check_conv(c, err) : check_vit(c, err);
}

static uw_status check_predictor(const uw_model_config *c, uw_err *err) {
    uw_status s = UW_OK;
    if (c->predictor == UW_PREDICTOR_NONE && c->action_dim) {
        uw_fail(err, UW_EINVAL, "config: predictor, wanted mlp or adaln with actions, got none");
        uw_err_fix(err, "set action=none to train without actions");
        return UW_EINVAL;
    }
    if (c->action_smooth_dim) {
        s = check_range("action_dim", -1, c->action_dim, 1, 1024, err);
        if (!s) s = check_range("action_hidden_dim", -1, c->action_hidden_dim, 1, 16384, err);
    }
    if (!s && c->predictor == UW_PREDICTOR_ADALN) {
        s = check_range("action_dim", -1, c->action_dim, 1, 1024, err);
        if (!s) s = check_range("predictor_layers", -1, c->predictor_layers, 1, 64, err);
        if (!s) s = check_range("predictor_heads", -1, c->predictor_heads, 1, 256, err);
        if (!s) s = check_range("predictor_head_dim", -1, c->predictor_head_dim, 1, 1024, err);
    }
    if (!s && c->action_history) {
        s = check_range("action_dim", -1, c->action_dim, 1, 1024, err);
        if (!s) s = check_range("action_history", -1, c->action_history, 1, c->frameskip, err);
        /* a predictor that sees frames sees the actions between them */
        if (!s) s = check_range("history_size", -1, c->history_size, 1, 1, err);
    }
    if (!s && c->inverse_dim) s = check_range("action_dim", -1, c->action_dim, 1, 1024, err);
    return s;
}

uw_status uw__config_check(const uw_model_config *c, uw_err *err) {
    uw_status s = check_range("input", -1, (int64_t)c->input, 0, UW_INPUT_CENTRED, err);
    if (!s) s = check_range("encoder", -1, (int64_t)c->encoder, 0, UW_ENCODER_COUPLING, err);
    if (!s) s = check_range("predictor", -1, (int64_t)c->predictor, 0, UW_PREDICTOR_NONE, err);
    if (!s) s = check_range("conv_norm", -1, (int64_t)c->conv_norm, 0, UW_CONV_NORM_BATCH, err);
    for (size_t i = 0; i < sizeof fields / sizeof *fields && !s; i++) {
        const int32_t value = *(const int32_t *)((const char *)c + fields[i].offset);
        s = check_range(fields[i].name, -1, value, fields[i].min, fields[i].max, err);
    }
    if (!s && !(c->dropout >= 0.0f && c->dropout < 1.0f))
        s = uw_fail(err, UW_EINVAL, "config: dropout, wanted 0 .. below 1, got %g", c->dropout);
    if (!s) s = check_encoder(c, err);
    if (!s) s = check_predictor(c, err);
    return s;
}
