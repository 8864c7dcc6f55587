/* Checkpoints of the reference in and out.
 *
 * A state dict says nothing but numbers under names.  What the network is stands in config.json
 * beside it, and what its actions were scaled by nowhere at all: that is fitted from the dataset
 * by the caller and travels in the model from then on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "fileio.h"
#include "fill.h"
#include "model_internal.h"
#include "pt.h"
#include "tensors.h"

enum { PUBLISHED_FRAMESKIP = 5, MAX_PATH = 4096 };

#define FIX_TENSORS "the weights and config.json do not belong together"

/* config.json in the folder of a file. */
static uw_status config_beside(const char *path, char out[MAX_PATH], uw_err *err) {
    const char *slash = strrchr(path, '/');
    const int folder = slash ? (int)(slash + 1 - path) : 0;
    if (snprintf(out, MAX_PATH, "%.*sconfig.json", folder, path) < MAX_PATH) return UW_OK;
    uw_err_fix(err, "use a shorter path");
    return uw_fail(err, UW_EINVAL, "%s: the path is too long", uw__path_tail(path));
}

/* ---- in ---------------------------------------------------------------------------------------
 */

/* Read config.json, named or beside the weights, and cut the action block into dataset rows. */
static uw_status read_config(const char *weights, const uw_import_options *o,
                             uw_model_config *config, uw_err *err) {
    char beside[MAX_PATH];
    int32_t block = 0;
    uw_status s = config_beside(weights, beside, err);
    const char *from = o->config ? o->config : beside;
    if (!s) s = uw__reference_config_read(from, config, &block, err);
    if (s == UW_ENOTFOUND && !o->config) {
        uw_err_fix(err, "the reference saves it beside the weights: say where it is (--config)");
    }
    if (s) return s;
    config->frameskip = o->frameskip ? o->frameskip : PUBLISHED_FRAMESKIP;
    if (config->frameskip < 1 || block % config->frameskip) {
        return uw__refuse(err, UW_ESHAPE, from, "wrong_actions",
                          "say how many dataset rows make a step of the model (--frameskip)",
                          "action_encoder.input_dim, wanted a multiple of frameskip %d, got %d",
                          (int)config->frameskip, (int)block);
    }
    config->action_dim = block / config->frameskip;
    return UW_OK;
}

uw_status uw_model_import_action_dim(const char *weights, const uw_import_options *options,
                                     int32_t *action_dim, uw_err *err) {
    static const uw_import_options none = {0};
    uw_model_config config;
    const uw_status s = read_config(weights, options ? options : &none, &config, err);
    if (!s) *action_dim = config.action_dim;
    return s;
}

static bool starts(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

/* The file's tensors under our names, sorted; Lightning's loss module is left out. */
static uw_status our_tensors(const char *path, const uw_weights *weights, uw_tensor **out,
                             char (**names)[UW_EXCHANGE_NAME], int32_t *count, uw_err *err) {
    const int32_t n = uw_weights_num_tensors(weights);
    bool lightning = false;
    *out = calloc((size_t)n + 1, sizeof **out);
    *names = calloc((size_t)n + 1, sizeof **names);
    if (!*out || !*names) return uw__no_memory(err, path, (uint64_t)n * sizeof **names);
    for (int32_t i = 0; i < n; i++) {
        lightning = lightning || starts(uw_weights_tensor(weights, i).name, "model.");
    }
    for (int32_t i = 0; i < n; i++) {
        uw_tensor t = uw_weights_tensor(weights, i);
        if (lightning && starts(t.name, "sigreg.")) continue;
        uw__reference_to_ours(t.name, (*names)[*count]);
        t.name = (*names)[*count];
        (*out)[(*count)++] = t;
    }
    uw__tensors_sort(*out, *count);
    return UW_OK;
}

/* The network filled from sorted tensors, as a model. */
static uw_status make_model(const char *path, const uw_net *net, const uw_tensor *tensors,
                            int32_t count, const uw_import_options *o, uw_model **out,
                            uw_err *err) {
    float *params = malloc((net->num_params + 1) * sizeof *params);
    float *buffers = malloc((net->num_buffers + 1) * sizeof *buffers);
    const uw_provenance provenance = {
        .preset = "lewm", .env = o->env, .action_repeat = 1, .observe = "pixels"};
    uw_normalisers normalisers = {0};
    uw_status s;
    if (o->action_mean && o->action_std) {
        normalisers.action_dim = net->config.action_dim;
        normalisers.action_mean = (float *)(uintptr_t)o->action_mean;
        normalisers.action_std = (float *)(uintptr_t)o->action_std;
    }
    if (!params || !buffers)
        s = uw__no_memory(err, path, net->num_params * sizeof *params);
    else
        s = uw__fill(path, net, tensors, count, NULL, NULL, params, buffers, err);
    if (!s) {
        s = uw__model_take(&net->config, &params, &buffers, &normalisers, &provenance, out, err);
    }
    free(params);
    free(buffers);
    return s;
}

/* The network that a configuration from outside describes. */
static uw_status make_net(const char *weights, const uw_model_config *config, uw_net *net,
                          uw_err *err) {
    uw_err inner = {0};
    const uw_status s = uw__net_init(config, net, &inner);
    if (!s) return s;
    return uw__refuse(err, s == UW_EINVAL ? UW_EFORMAT : s, weights, "bad_config",
                      "give the config.json that belongs to the weights", "%s", inner.text);
}

uw_status uw_model_import(const char *path, const uw_import_options *options, uw_model **out,
                          uw_err *err) {
    static const uw_import_options none = {0};
    const uw_import_options *o = options ? options : &none;
    char(*names)[UW_EXCHANGE_NAME] = NULL;
    uw_model_config config;
    uw_net net = {0};
    uw_weights *weights = NULL;
    uw_tensor *tensors = NULL;
    int32_t count = 0;

    *out = NULL;
    uw_status s = read_config(path, o, &config, err);
    if (!s) s = make_net(path, &config, &net, err);
    if (!s) s = uw_weights_open(path, &weights, err);
    if (!s) s = our_tensors(path, weights, &tensors, &names, &count, err);
    const uw_fill_rules rules = {
        .widen = true, .fix = FIX_TENSORS, .misfit = o->misfit, .cookie = o->cookie};
    if (!s) s = uw__fill_check(path, &net, tensors, count, &rules, err);
    if (!s) s = make_model(path, &net, tensors, count, o, out, err);
    free(tensors);
    free(names);
    uw_weights_close(weights);
    uw__net_fini(&net);
    return s;
}

/* ---- out --------------------------------------------------------------------------------------
 */

uw_status uw_model_export(const uw_model *model, const char *path, uw_key_layout layout,
                          bool overwrite, uw_err *err) {
    const int32_t count = uw_model_num_tensors(model);
    char config_path[MAX_PATH], (*names)[UW_EXCHANGE_NAME] = NULL, *text = NULL;
    uw_tensor *tensors = NULL;
    uw_status s = config_beside(path, config_path, err);
    if (!s) s = uw__reference_config_text(uw_model_config_of(model), &text, err);
    if (s) return s;
    if (!overwrite && uw__file_exists(config_path)) {
        uw_fail(err, UW_EEXIST, "%s: exists already", uw__path_tail(config_path));
        uw_err_fix(err, "choose another folder, or allow overwriting (--force)");
        s = UW_EEXIST;
        goto done;
    }
    names = calloc((size_t)count, sizeof *names);
    tensors = calloc((size_t)count, sizeof *tensors);
    if (!names || !tensors) {
        s = uw__no_memory(err, path, (uint64_t)count * sizeof *names);
        goto done;
    }
    for (int32_t i = 0; i < count; i++) {
        tensors[i] = uw_model_tensor(model, i);
        uw__reference_from_ours(tensors[i].name, layout, names[i]);
        tensors[i].name = names[i];
    }
    s = uw__pt_write(path, tensors, count, overwrite, err);
    if (!s) s = uw__file_write_atomic(config_path, text, strlen(text), overwrite, err);
done:
    free(tensors);
    free(names);
    free(text);
    return s;
}
