/* Generation directories.  Order of writing: state (atomic file), manifest (atomic file), then the
 * old generations go; a crash between any two leaves the old state or the new one, never a mixture.
 */
#include "checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "hash.h"
#include "internal.h"
#include "json.h"
#include "safetensors.h"
#include "settings.h"

#define FORMAT   "umwelt checkpoint 1"
#define MANIFEST "MANIFEST"
#define STATE    "state.safetensors"
#define FIX      "remove this generation: the one before it is used, or training starts over"

enum { MAX_PATH = 1024, MAX_MANIFEST = 1 << 20, KEEP = 2, NAME_BYTES = 112 };

/* A manifest as read: what is checked before the state is touched. */
typedef struct manifest {
    uw_json *json; /* owned */
    int64_t step, steps_total;
    int64_t bytes;
    uint64_t xxh3, seed;
} manifest;

static uw_status join(char *out, const char *folder, const char *name, uw_err *err) {
    const int n = snprintf(out, MAX_PATH, "%s/%s", folder, name);
    if (n > 0 && n < MAX_PATH) return UW_OK;
    uw_fail(err, UW_EINVAL, "%.80s...: the path is too long, wanted below %d bytes", folder,
            MAX_PATH);
    uw_err_fix(err, "use a shorter path");
    return UW_EINVAL;
}

/* gen-NNNNNNNN -> step, or -1. */
static int64_t generation_step(const char *name) {
    int64_t step = 0;
    if (strncmp(name, "gen-", 4) != 0 || strlen(name) < 12 || strlen(name) > 20) return -1;
    for (const char *at = name + 4; *at; at++) {
        if (*at < '0' || *at > '9') return -1;
        step = step * 10 + (*at - '0');
    }
    return step;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* The tensors of a snapshot: network, first moments, second moments.  Moments are those of trained
 * tensors only. */
typedef struct tensor_list {
    uw_tensor *tensors;
    char (*names)[NAME_BYTES];
    uw_real **data; /* where each lives in the snapshot */
    int32_t count;
} tensor_list;

static void add_tensor(tensor_list *l, const uw_net_tensor *t, const char *prefix, uw_real *data) {
    uw_tensor *out = &l->tensors[l->count];
    snprintf(l->names[l->count], NAME_BYTES, "%s%s", prefix, t->name);
    *out = (uw_tensor){.name = l->names[l->count], .dtype = UW_DTYPE_F32, .num_dims = t->num_dims};
    for (int32_t i = 0; i < t->num_dims; i++) out->shape[i] = t->shape[i];
    out->data = data + t->offset;
    l->data[l->count++] = data + t->offset;
}

static void list_fini(tensor_list *l) {
    free(l->tensors);
    free(l->names);
    free(l->data);
    *l = (tensor_list){0};
}

static uw_status list_init(const uw_snapshot *s, tensor_list *l, uw_err *err) {
    const size_t most = 3 * (size_t)s->net->num_tensors;
    *l = (tensor_list){.tensors = calloc(most, sizeof *l->tensors),
                       .names = calloc(most, sizeof *l->names),
                       .data = calloc(most, sizeof *l->data)};
    if (!l->tensors || !l->names || !l->data) {
        list_fini(l);
        return uw__no_memory(err, "checkpoint", most * NAME_BYTES);
    }
    for (int32_t i = 0; i < s->net->num_tensors; i++) {
        const uw_net_tensor *t = &s->net->tensors[i];
        add_tensor(l, t, "", t->buffer ? s->buffers : s->params);
    }
    for (int32_t i = 0; i < s->net->num_tensors; i++) {
        if (!s->net->tensors[i].buffer) add_tensor(l, &s->net->tensors[i], "adam.m.", s->m);
    }
    for (int32_t i = 0; i < s->net->num_tensors; i++) {
        if (!s->net->tensors[i].buffer) add_tensor(l, &s->net->tensors[i], "adam.v.", s->v);
    }
    return UW_OK;
}

static uw_status write_state(const char *path, const uw_snapshot *s, uw_err *err) {
    tensor_list l;
    char step[24];
    snprintf(step, sizeof step, "%" PRId64, s->step);
    const uw_meta_pair meta[] = {{"format", FORMAT}, {"step", step}};
    uw_status status = list_init(s, &l, err);
    if (status) return status;
    status = uw__safetensors_write(path, l.tensors, l.count, meta, 2, true, err);
    list_fini(&l);
    return status;
}

static void set_number(uw_json *json, const char *key, double value) {
    if (isfinite(value))
        uw__json_set_f64(json, key, value); /* JSON has no NaN: absent means none */
}

static uw_status write_manifest(const char *folder, const char *state_path, const uw_snapshot *s,
                                uw_err *err) {
    char path[MAX_PATH], hex[24];
    void *data = NULL;
    size_t size = 0;
    char *text = NULL;
    /* The hash is of what the disk gives back, not of what was meant. */
    uw_status status = uw__file_read(state_path, UINT64_MAX, &data, &size, err);
    uw_json *json = status ? NULL : uw__json_new();
    if (status) goto done;
    if (!json) {
        status = uw__no_memory(err, folder, MAX_MANIFEST);
        goto done;
    }
    snprintf(hex, sizeof hex, "%016" PRIx64, uw__xxh3(data, size, 0));
    uw__json_set_str(json, "format", FORMAT);
    uw__json_set_str(json, "version", uw_version());
    uw__json_set_i64(json, "step", s->step);
    uw__json_set_i64(json, "steps_total", s->steps_total);
    uw__json_set_str(json, "preset", s->preset);
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, s->seed);
    uw__json_set_str(json, "seed", seed);
    uw__json_set_str(json, "dataset_hash", s->dataset_hash);
    uw__json_set_str(json, "config", s->config_json);
    uw__json_set_str(json, "file", STATE);
    uw__json_set_i64(json, "bytes", (int64_t)size);
    uw__json_set_str(json, "xxh3", hex);
    set_number(json, "loss", s->losses.total);
    set_number(json, "prediction_loss", s->losses.prediction);
    set_number(json, "rollout_loss", s->losses.rollout);
    set_number(json, "sigreg", s->losses.sigreg);
    set_number(json, "inverse_loss", s->losses.inverse);
    set_number(json, "vicreg", s->losses.vicreg);
    set_number(json, "readout_loss", s->losses.readout);
    set_number(json, "effective_rank", s->effective_rank);
    set_number(json, "min_variance", s->min_variance);
    text = uw__json_dump(json);
    status = text ? join(path, folder, MANIFEST, err) : uw__no_memory(err, folder, MAX_MANIFEST);
    if (!status) status = uw__file_write_atomic(path, text, strlen(text), true, err);
done:
    free(data);
    free(text);
    uw__json_free(json);
    return status;
}

/* Keep the newest KEEP generations that have a manifest; half-written ones go with the old. */
static void prune(const char *checkpoints) {
    char **names = NULL, path[MAX_PATH], manifest_path[MAX_PATH];
    int32_t count = 0, kept = 0;
    if (uw__list_dir(checkpoints, &names, &count, NULL)) return;
    for (int32_t i = count; i-- > 0;) {
        if (generation_step(names[i]) < 0 || join(path, checkpoints, names[i], NULL)) continue;
        if (join(manifest_path, path, MANIFEST, NULL)) continue;
        if (kept < KEEP && uw__file_exists(manifest_path))
            kept++;
        else
            (void)uw__remove_tree(path, NULL); /* litter costs space, not correctness */
    }
    uw__names_free(names, count);
}

uw_status uw__checkpoint_write(const char *run_dir, const uw_snapshot *s, uw_err *err) {
    char checkpoints[MAX_PATH], folder[MAX_PATH], state[MAX_PATH], name[32];
    snprintf(name, sizeof name, "gen-%08" PRId64, s->step);
    uw_status status = join(checkpoints, run_dir, "checkpoints", err);
    if (!status) status = join(folder, checkpoints, name, err);
    if (!status) status = join(state, folder, STATE, err);
    /* What a killed writer of the same step left behind must not be mistaken for ours. */
    if (!status) status = uw__remove_tree(folder, err);
    if (!status) status = uw__mkdirs(folder, err);
    if (!status) status = uw__fsync_dir(checkpoints, err);
    if (!status) status = write_state(state, s, err);
    if (!status) status = write_manifest(folder, state, s, err);
    if (!status) status = uw__fsync_dir(checkpoints, err);
    if (status) return status;
    prune(checkpoints);
    return UW_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool parse_hex64(const char *text, uint64_t *out) {
    uint64_t value = 0;
    if (!text || strlen(text) != 16) return false;
    for (; *text; text++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, *text);
        if (!at) return false;
        value = value << 4 | (uint64_t)(at - digits);
    }
    *out = value;
    return true;
}

static uw_status read_manifest(const char *folder, manifest *out, uw_err *err) {
    char path[MAX_PATH];
    void *text = NULL;
    size_t size = 0;
    manifest m = {0};
    uw_status s = join(path, folder, MANIFEST, err);
    if (!s) s = uw__file_read(path, MAX_MANIFEST, &text, &size, err);
    if (!s && strlen(text) != size) {
        s = uw__refuse(err, UW_EFORMAT, path, "bad_manifest", FIX, "holds a NUL byte");
    }
    if (!s) s = uw__json_parse(path, text, &m.json, err);
    free(text);
    if (s) return s;

    const char *format = uw__json_get_str(m.json, "format"),
               *seed = uw__json_get_str(m.json, "seed");
    const char *file = uw__json_get_str(m.json, "file");
    const bool ok = format && !strcmp(format, FORMAT) && file && !strcmp(file, STATE) && seed &&
                    uw__json_get_i64(m.json, "step", &m.step) &&
                    uw__json_get_i64(m.json, "steps_total", &m.steps_total) &&
                    uw__json_get_i64(m.json, "bytes", &m.bytes) &&
                    parse_hex64(uw__json_get_str(m.json, "xxh3"), &m.xxh3) &&
                    uw__json_get_str(m.json, "config") &&
                    uw__json_get_str(m.json, "dataset_hash") && uw__json_get_str(m.json, "preset");
    if (!ok || m.step < 1 || m.step > m.steps_total || m.bytes < 0) {
        uw__json_free(m.json);
        return uw__refuse(err, UW_EFORMAT, path, "bad_manifest", FIX,
                          "wanted every key of \"%s\" within its range", FORMAT);
    }
    m.seed = strtoull(seed, NULL, 10);
    *out = m;
    return UW_OK;
}

/* Read the state file whole and hold it against its manifest. */
static uw_status read_state(const char *folder, const manifest *m, uw_safetensors **out,
                            uw_err *err) {
    char path[MAX_PATH];
    void *data = NULL;
    size_t size = 0;
    uw_status s = join(path, folder, STATE, err);
    if (!s) s = uw__file_read(path, (uint64_t)m->bytes, &data, &size, err);
    if (!s && (size != (size_t)m->bytes || uw__xxh3(data, size, 0) != m->xxh3)) {
        s = uw__refuse(err, UW_EFORMAT, path, "bad_checksum", FIX,
                       "wanted %" PRId64 " bytes of XXH3 %016" PRIx64, m->bytes, m->xxh3);
    }
    if (!s) s = uw__safetensors_parse(path, data, size, out, err);
    free(data);
    return s;
}

/* Every tensor must be there with its shape before any number is copied. */
static uw_status match_tensors(const char *folder, const uw_safetensors *st, const tensor_list *l,
                               uw_err *err) {
    if (uw__safetensors_count(st) != l->count) {
        return uw__refuse(err, UW_EFORMAT, folder, "tensor_count", FIX, "wanted %d tensors, got %d",
                          (int)l->count, (int)uw__safetensors_count(st));
    }
    for (int32_t i = 0; i < l->count; i++) {
        const uw_tensor *want = &l->tensors[i];
        const int32_t at = uw__safetensors_find(st, want->name);
        if (at < 0) {
            return uw__refuse(err, UW_EFORMAT, folder, "missing_tensor", FIX, "wanted %s",
                              want->name);
        }
        const uw_tensor got = uw__safetensors_tensor(st, at);
        if (got.dtype != UW_DTYPE_F32 || uw_tensor_count(&got) != uw_tensor_count(want)) {
            return uw__refuse(err, UW_EFORMAT, folder, "tensor_shape", FIX,
                              "wanted F32 x %" PRId64 ", got %s x %" PRId64 " for %s",
                              uw_tensor_count(want), uw_dtype_str(got.dtype), uw_tensor_count(&got),
                              want->name);
        }
    }
    return UW_OK;
}

static double get_number(const uw_json *json, const char *key) {
    double value = NAN;
    return uw__json_get_f64(json, key, &value) ? value : NAN;
}

static uw_status restore_from(const char *folder, const uw_train_config *config, uw_snapshot *out,
                              uw_err *err) {
    manifest m = {0};
    uw_safetensors *st = NULL;
    tensor_list l = {0};
    uw_status s = read_manifest(folder, &m, err);
    if (!s && m.step > uw__settings_steps(config)) {
        s = uw__refuse(err, UW_EFORMAT, folder, "bad_manifest", FIX,
                       "wanted a step of at most %" PRId64 ", got %" PRId64,
                       uw__settings_steps(config), m.step);
    }
    if (!s) s = read_state(folder, &m, &st, err);
    if (s) goto done;

    /* Whole, so what follows is about the user's wishes and not about damage. */
    s = uw__settings_same(config, uw__json_get_str(m.json, "config"), folder, err);
    if (!s && strcmp(uw__json_get_str(m.json, "dataset_hash"), out->dataset_hash) != 0) {
        s = uw_fail(err, UW_ESHAPE,
                    "%.120s: dataset differs from the run, wanted hash %.20s, got %.20s", folder,
                    uw__json_get_str(m.json, "dataset_hash"), out->dataset_hash);
        uw_err_fix(err, "resume with the data set of the run, or train into a new folder");
    }
    if (!s) s = list_init(out, &l, err);
    if (!s) s = match_tensors(folder, st, &l, err);
    if (s) goto done;
    for (int32_t i = 0; i < l.count; i++) {
        const uw_tensor got =
            uw__safetensors_tensor(st, uw__safetensors_find(st, l.tensors[i].name));
        memcpy(l.data[i], got.data, (size_t)uw_tensor_count(&got) * sizeof(float));
    }
    out->step = m.step;
    out->losses = (uw_losses){.total = get_number(m.json, "loss"),
                              .prediction = get_number(m.json, "prediction_loss"),
                              .rollout = get_number(m.json, "rollout_loss"),
                              .sigreg = get_number(m.json, "sigreg"),
                              .inverse = get_number(m.json, "inverse_loss"),
                              .vicreg = get_number(m.json, "vicreg"),
                              .readout = get_number(m.json, "readout_loss")};
    out->effective_rank = get_number(m.json, "effective_rank");
    out->min_variance = get_number(m.json, "min_variance");
done:
    list_fini(&l);
    uw__safetensors_close(st);
    uw__json_free(m.json);
    return s;
}

uw_status uw__checkpoint_restore(uw_context *ctx, const char *run_dir,
                                 const uw_train_config *config, uw_snapshot *snapshot,
                                 uw_err *err) {
    char checkpoints[MAX_PATH], folder[MAX_PATH], **names = NULL;
    int32_t count = 0;
    uw_status s = join(checkpoints, run_dir, "checkpoints", err);
    if (s) return s;
    if (!uw__file_exists(checkpoints)) return UW_ENOTFOUND;
    s = uw__list_dir(checkpoints, &names, &count, err);
    if (s) return s;
    s = UW_ENOTFOUND;
    for (int32_t i = count; i-- > 0;) {
        uw_err why = {0};
        if (generation_step(names[i]) < 0 || join(folder, checkpoints, names[i], NULL)) continue;
        s = restore_from(folder, config, snapshot, &why);
        if (s != UW_EFORMAT && s != UW_ENOTFOUND) {
            if (s && err) *err = why;
            break;
        }
        uw__log(ctx, UW_LOG_WARN, "%s; trying the generation before", why.text);
        if (err) *err = why; /* if it stays at that, this is why */
        (void)uw__remove_tree(folder, NULL);
        s = UW_ENOTFOUND;
    }
    uw__names_free(names, count);
    return s;
}

/* ---- inspection ---------------------------------------------------------------------------- */

static uw_status inspect_generation(const char *folder, uw_checkpoint_info *out, uw_err *err) {
    manifest m = {0};
    uw_safetensors *st = NULL;
    uw_status s = read_manifest(folder, &m, err);
    if (!s) s = read_state(folder, &m, &st, err);
    if (!s) {
        *out = (uw_checkpoint_info){.step = m.step, .steps_total = m.steps_total, .seed = m.seed};
        snprintf(out->generation, sizeof out->generation, "%.511s", folder);
        snprintf(out->preset, sizeof out->preset, "%.31s", uw__json_get_str(m.json, "preset"));
    }
    uw__safetensors_close(st);
    uw__json_free(m.json);
    return s;
}

uw_status uw_checkpoint_inspect(const char *path, uw_checkpoint_info *out, uw_err *err) {
    char inner[MAX_PATH], folder[MAX_PATH], **names = NULL;
    int32_t count = 0;
    uw_status s = join(inner, path, MANIFEST, err);
    if (s) return s;
    if (uw__file_exists(inner)) return inspect_generation(path, out, err);

    s = join(inner, path, "checkpoints", err);
    if (!s) s = uw__list_dir(uw__file_exists(inner) ? inner : path, &names, &count, err);
    if (s) return s;
    if (!uw__file_exists(inner)) snprintf(inner, sizeof inner, "%s", path);
    s = UW_ENOTFOUND;
    for (int32_t i = count; s && i-- > 0;) {
        if (generation_step(names[i]) < 0 || join(folder, inner, names[i], NULL)) continue;
        s = inspect_generation(folder, out, err);
    }
    if (s == UW_ENOTFOUND) {
        uw_fail(err, s, "%.120s: no whole checkpoint, wanted checkpoints/gen-NNNNNNNN/MANIFEST",
                path);
        uw_err_fix(err, "give a run folder or a generation directory");
    }
    uw__names_free(names, count);
    return s;
}
