/* A model as a safetensors file: the tensors, and in __metadata__ everything needed to act.
 *
 *   umwelt.version       of the writer
 *   umwelt.config        the model's configuration, flat JSON
 *   umwelt.normalisers   action_mean, action_std, observe_mean, observe_std: lists of numbers
 *   umwelt.provenance    preset, env, dataset_hash, seed, action_repeat, trained_factors, observe,
 * readout umwelt.training      every resolved key of the training that made it, as it was given
 *
 * Reading trusts nothing: header, then configuration, then every tensor's name, type, shape and
 * numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "fill.h"
#include "internal.h"
#include "json.h"
#include "model_struct.h"
#include "safetensors.h"
#include "tensors.h"

static const char FIX_DAMAGED[] = "take the file from where it was written once more";

/* ---- reading -----------------------------------------------------------------------------------
 */

/* The file's tensors as the network's table is compared with them; caller frees. */
static uw_status sorted_tensors(const char *path, const uw_safetensors *file, uw_tensor **out,
                                uw_err *err) {
    const int32_t count = uw__safetensors_count(file);
    *out = calloc((size_t)count + 1, sizeof **out);
    if (!*out) return uw__no_memory(err, path, sizeof **out * (uint64_t)count);
    for (int32_t i = 0; i < count; i++) (*out)[i] = uw__safetensors_tensor(file, i);
    uw__tensors_sort(*out, count);
    return UW_OK;
}

static uw_status read_floats(const char *path, const uw_json *j, const char *key, int32_t want,
                             float *out, int32_t *count, uw_err *err) {
    double *numbers = malloc((size_t)(want + 1) * sizeof *numbers);
    if (!numbers) return uw__no_memory(err, path, sizeof *numbers * (uint64_t)want);
    uw_status s = UW_OK;
    const int32_t n = uw__json_get_f64s(j, key, numbers, want + 1);
    *count = n < 0 ? 0 : n;
    if (*count != 0 && *count != want) {
        s = uw__refuse(err, UW_ESHAPE, path, "bad_normalisers", FIX_DAMAGED,
                       "%s, wanted %d numbers, got %d", key, (int)want, (int)n);
    }
    for (int32_t i = 0; !s && i < *count; i++) out[i] = (float)numbers[i];
    free(numbers);
    return s;
}

/* Lists live in one block: action mean, action std, observe mean, observe std. */
static uw_status read_normalisers(const char *path, const char *text, const uw_model_config *c,
                                  float *block, uw_normalisers *n, uw_err *err) {
    const int32_t a = c->action_dim, o = c->observe_dim;
    uw_json *j = NULL;
    int32_t counts[4] = {0};
    uw_status s = UW_OK;

    *n = (uw_normalisers){.action_mean = block,
                          .action_std = block + a,
                          .observe_mean = block + 2 * a,
                          .observe_std = block + 2 * a + o};
    if (!text) return UW_OK;
    s = uw__json_parse(path, text, &j, err);
    if (!s) s = read_floats(path, j, "action_mean", a, n->action_mean, &counts[0], err);
    if (!s) s = read_floats(path, j, "action_std", a, n->action_std, &counts[1], err);
    if (!s) s = read_floats(path, j, "observe_mean", o, n->observe_mean, &counts[2], err);
    if (!s) s = read_floats(path, j, "observe_std", o, n->observe_std, &counts[3], err);
    if (!s && (counts[0] != counts[1] || counts[2] != counts[3])) {
        s = uw__refuse(err, UW_EFORMAT, path, "bad_normalisers", FIX_DAMAGED,
                       "wanted a std for every mean, got %d and %d", (int)(counts[1] + counts[3]),
                       (int)(counts[0] + counts[2]));
    }
    n->action_dim = counts[0];
    n->observe_dim = counts[2];
    uw__json_free(j);
    return s;
}

/* p's strings borrow from *json and file. */
static uw_status read_provenance(const char *path, const uw_safetensors *file, uw_json **json,
                                 uw_provenance *p, uw_err *err) {
    const char *text = uw__safetensors_meta(file, "umwelt.provenance");
    int64_t repeat = 1;

    *p = (uw_provenance){.version = uw__safetensors_meta(file, "umwelt.version"),
                         .config_json = uw__safetensors_meta(file, "umwelt.training"),
                         .action_repeat = 1};
    if (!text) return UW_OK;
    const uw_status s = uw__json_parse(path, text, json, err);
    if (s) return s;
    p->preset = uw__json_get_str(*json, "preset");
    p->env = uw__json_get_str(*json, "env");
    p->dataset_hash = uw__json_get_str(*json, "dataset_hash");
    p->trained_factors = uw__json_get_str(*json, "trained_factors");
    p->observe = uw__json_get_str(*json, "observe");
    p->readout = uw__json_get_str(*json, "readout");
    const char *seed = uw__json_get_str(*json, "seed");
    if (seed) p->seed = strtoull(seed, NULL, 10);
    if (uw__json_get_i64(*json, "action_repeat", &repeat) && (repeat < 1 || repeat > 1000)) {
        return uw__refuse(err, UW_EFORMAT, path, "bad_provenance", FIX_DAMAGED,
                          "action_repeat, wanted 1 .. 1000, got %" PRId64, repeat);
    }
    p->action_repeat = (int32_t)repeat;
    return UW_OK;
}

/* The same refusal, of the file this time: what an object inside it said about itself. */
static uw_status refuse_inner(const char *path, const char *reason, uw_status status,
                              const uw_err *inner, uw_err *err) {
    if (status == UW_ENOMEM) return uw_fail(err, status, "%s: %s", path, inner->text);
    return uw__refuse(err, status == UW_EINVAL ? UW_EFORMAT : status, path, reason,
                      inner->fix[0] ? inner->fix : FIX_DAMAGED, "%s", inner->text);
}

/* The configuration and the table that it implies; net is the caller's to finish. */
static uw_status read_config(const char *path, const uw_safetensors *file, uw_net *net,
                             uw_err *err) {
    uw_model_config config;
    uw_err inner = {0};
    const char *text = uw__safetensors_meta(file, "umwelt.config");
    if (!text) {
        return uw__refuse(err, UW_EFORMAT, path, "no_config",
                          "a model written by `umwelt train` carries its configuration",
                          "metadata, wanted umwelt.config, got none");
    }
    uw_status s = uw__model_config_from_json(text, &config, &inner);
    if (!s) s = uw__net_init(&config, net, &inner);
    return s ? refuse_inner(path, "bad_config", s, &inner, err) : UW_OK;
}

static uw_status read_tensor(void *file, const uw_tensor *tensor, void *to, uw_err *err) {
    return uw__safetensors_read(file, uw__safetensors_find(file, tensor->name), to, err);
}

uw_status uw_model_load(const char *path, uw_model **out, uw_err *err) {
    uw_safetensors *file = NULL;
    uw_net net = {0};
    uw_normalisers normalisers;
    uw_provenance provenance;
    uw_json *json = NULL;
    uw_tensor *tensors = NULL;
    float *params = NULL, *buffers = NULL, *block = NULL;
    uw_err inner = {0};

    *out = NULL;
    uw_status s = uw__safetensors_open_header(path, 0, &file, err);
    if (!s) s = read_config(path, file, &net, err);
    if (!s) s = sorted_tensors(path, file, &tensors, err);
    /* the file holds as many bytes as the table asks for before any memory is taken */
    if (!s) {
        const uw_fill_rules rules = {
            .fix = "the tensors do not belong to the configuration in the same file"};
        s = uw__fill_check(path, &net, tensors, uw__safetensors_count(file), &rules, err);
    }
    if (s) goto done;
    const uw_model_config *config = &net.config;
    const size_t normalised = (size_t)config->action_dim + (size_t)config->observe_dim;
    params = malloc((net.num_params + 1) * sizeof *params);
    buffers = malloc((net.num_buffers + 1) * sizeof *buffers);
    block = malloc((2 * normalised + 1) * sizeof *block);
    if (!params || !buffers || !block) {
        s = uw__no_memory(err, path, net.num_params * sizeof *params);
        goto done;
    }
    uw__advise_large(params, net.num_params * sizeof *params);
    s = uw__fill(path, &net, tensors, uw__safetensors_count(file), read_tensor, file, params,
                 buffers, err);
    if (!s) {
        s = read_normalisers(path, uw__safetensors_meta(file, "umwelt.normalisers"), config, block,
                             &normalisers, err);
    }
    if (!s) s = read_provenance(path, file, &json, &provenance, err);
    if (s) goto done;
    s = uw__model_take(config, &params, &buffers, &normalisers, &provenance, out, &inner);
    if (s) refuse_inner(path, "bad_normalisers", s, &inner, err);
done:
    uw__json_free(json);
    free(tensors);
    free(params);
    free(buffers);
    free(block);
    uw__net_fini(&net);
    uw__safetensors_close(file);
    return s;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static void set_floats(uw_json *j, const char *key, const float *x, int32_t count, double *work) {
    for (int32_t i = 0; i < count; i++) work[i] = (double)x[i];
    uw__json_set_f64s(j, key, work, count);
}

static char *normalisers_json(const uw_normalisers *n) {
    uw_json *j = uw__json_new();
    const size_t most = (size_t)(n->action_dim > n->observe_dim ? n->action_dim : n->observe_dim);
    double *work = malloc((most + 1) * sizeof *work);
    char *text = NULL;

    if (j && work) {
        set_floats(j, "action_mean", n->action_mean, n->action_dim, work);
        set_floats(j, "action_std", n->action_std, n->action_dim, work);
        set_floats(j, "observe_mean", n->observe_mean, n->observe_dim, work);
        set_floats(j, "observe_std", n->observe_std, n->observe_dim, work);
        text = uw__json_dump(j);
    }
    free(work);
    uw__json_free(j);
    return text;
}

static char *provenance_json(const uw_provenance *p) {
    uw_json *j = uw__json_new();
    char seed[24];
    if (!j) return NULL;
    snprintf(seed, sizeof seed, "%" PRIu64, p->seed); /* a string: 64 bits survive every reader */
    uw__json_set_str(j, "preset", p->preset);
    uw__json_set_str(j, "env", p->env);
    uw__json_set_str(j, "dataset_hash", p->dataset_hash);
    uw__json_set_str(j, "seed", seed);
    uw__json_set_i64(j, "action_repeat", p->action_repeat);
    uw__json_set_str(j, "trained_factors", p->trained_factors);
    uw__json_set_str(j, "observe", p->observe);
    if (*p->readout) uw__json_set_str(j, "readout", p->readout);
    char *text = uw__json_dump(j);
    uw__json_free(j);
    return text;
}

uw_status uw_model_save(const uw_model *model, const char *path, bool overwrite, uw_err *err) {
    const int32_t count = model->net.num_tensors;
    uw_tensor *tensors = calloc((size_t)count, sizeof *tensors);
    char *normalisers = normalisers_json(&model->normalisers);
    char *provenance = provenance_json(&model->provenance);
    char *config = NULL;
    uw_status s = uw__model_config_to_json(&model->net.config, &config);

    if (s || !tensors || !normalisers || !provenance) {
        s = uw__no_memory(err, path, sizeof *tensors * (uint64_t)count);
        goto done;
    }
    for (int32_t i = 0; i < count; i++) tensors[i] = uw_model_tensor(model, i);
    const uw_meta_pair meta[] = {
        {"umwelt.version", model->provenance.version},
        {"umwelt.config", config},
        {"umwelt.normalisers", normalisers},
        {"umwelt.provenance", provenance},
        {"umwelt.training", model->provenance.config_json},
    };
    s = uw__safetensors_write(path, tensors, count, meta, sizeof meta / sizeof *meta, overwrite,
                              err);
done:
    free(tensors);
    free(normalisers);
    free(provenance);
    free(config);
    return s;
}
