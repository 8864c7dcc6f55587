/* A calibration on disk: safetensors with the band, the episodes' largest scores, and the hash of
 * the model whose errors it knows. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "safetensors.h"
#include "surprise_internal.h"

#define KIND "umwelt.surprise"
enum { MAX_FILE = 1 << 26, NUM_TENSORS = 4 };

uw_status uw_surprise_save(const uw_surprise *u, const char *path, bool overwrite, uw_err *err) {
    const uw_surprise_facts *f = &u->facts;
    const int64_t d = u->band.latent_dim;
    const uw_tensor tensors[NUM_TENSORS] = {
        {"largest", UW_DTYPE_F64, 1, {f->episodes}, u->largest},
        {"mean", UW_DTYPE_F32, 1, {d}, u->mean},
        {"used", UW_DTYPE_I64, 1, {u->num_used}, u->used},
        {"whiten", UW_DTYPE_F32, 2, {d, d}, u->whiten},
    };
    char alpha[40], steps[16], covariance[24], longest[24];
    snprintf(alpha, sizeof alpha, "%.17g", f->alpha);
    snprintf(steps, sizeof steps, "%d", f->steps);
    snprintf(covariance, sizeof covariance, "%" PRId64, f->covariance_episodes);
    snprintf(longest, sizeof longest, "%" PRId64, f->longest);
    const uw_meta_pair meta[] = {{KIND, "1"},
                                 {"alpha", alpha},
                                 {"steps", steps},
                                 {"covariance_episodes", covariance},
                                 {"longest", longest},
                                 {"data_hash", f->data_hash},
                                 {"data_name", f->data_name},
                                 {"model_sha256", f->model_sha256}};
    return uw__safetensors_write(path, tensors, NUM_TENSORS, meta,
                                 (int32_t)(sizeof meta / sizeof *meta), overwrite, err);
}

static uw_status broken(const char *path, const char *what, uw_err *err) {
    uw_fail(err, UW_EFORMAT, "%s: not a calibration of surprise: %s", path, what);
    uw_err_fix(err, "make one with umwelt surprise MODEL DATA --out FILE");
    return UW_EFORMAT;
}

/* Copy a tensor of one type and size; NULL when it is another, or memory is out. */
static void *taken(const uw_safetensors *st, const char *name, uw_dtype dtype, int64_t count) {
    const int32_t i = uw__safetensors_find(st, name);
    if (i < 0) return NULL;
    const uw_tensor t = uw__safetensors_tensor(st, i);
    if (t.dtype != dtype || uw_tensor_count(&t) != count || count < 1) return NULL;
    const size_t bytes = (size_t)count * uw_dtype_bytes(dtype);
    void *copy = malloc(bytes);
    if (copy) memcpy(copy, t.data, bytes);
    return copy;
}

static int64_t length_of(const uw_safetensors *st, const char *name) {
    const int32_t i = uw__safetensors_find(st, name);
    if (i < 0) return 0;
    const uw_tensor t = uw__safetensors_tensor(st, i);
    return uw_tensor_count(&t);
}

/* An integer from the metadata within [low, high]. */
static bool meta_int(const uw_safetensors *st, const char *key, int64_t low, int64_t high,
                     int64_t *out) {
    const char *text = uw__safetensors_meta(st, key);
    char *end = NULL;
    if (!text || !*text) return false;
    const long long value = strtoll(text, &end, 10);
    if (*end || value < low || value > high) return false;
    *out = value;
    return true;
}

static bool copy_meta(const uw_safetensors *st, const char *key, char *out, size_t size) {
    const char *text = uw__safetensors_meta(st, key);
    if (!text || strlen(text) >= size) return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* What the file says, before any of it is believed. */
static const char *read_facts(const uw_safetensors *st, uw_surprise *u) {
    uw_surprise_facts *f = &u->facts;
    int64_t steps = 0;
    const char *alpha = uw__safetensors_meta(st, "alpha");
    if (!uw__safetensors_meta(st, KIND)) return "no " KIND " in its metadata";
    if (!alpha || !(f->alpha = strtod(alpha, NULL), f->alpha > 0.0 && f->alpha < 1.0))
        return "alpha";
    if (!meta_int(st, "steps", 1, UW_MAX_SURPRISE_STEPS, &steps)) return "steps";
    f->steps = (int32_t)steps;
    if (!meta_int(st, "covariance_episodes", 1, INT32_MAX, &f->covariance_episodes) ||
        !meta_int(st, "longest", 1, INT64_MAX, &f->longest))
        return "episodes";
    if (!copy_meta(st, "data_hash", f->data_hash, sizeof f->data_hash) ||
        !copy_meta(st, "data_name", f->data_name, sizeof f->data_name) ||
        !copy_meta(st, "model_sha256", f->model_sha256, sizeof f->model_sha256))
        return "hashes";
    return NULL;
}

static const char *read_numbers(const uw_safetensors *st, int64_t d, uw_surprise *u) {
    u->num_used = length_of(st, "used");
    u->mean = taken(st, "mean", UW_DTYPE_F32, d);
    u->whiten = taken(st, "whiten", UW_DTYPE_F32, d * d);
    u->used = taken(st, "used", UW_DTYPE_I64, u->num_used);
    if (!u->mean || !u->whiten || !u->used) return "tensors mean, whiten, used";
    for (int64_t i = 1; i < u->num_used; i++)
        if (u->used[i] <= u->used[i - 1]) return "used episodes not in order";
    return NULL;
}

uw_status uw_surprise_load(const char *path, const uw_model *model, double alpha, uw_surprise **out,
                           uw_err *err) {
    const int64_t d = uw_model_config_of(model)->latent_dim;
    uw_safetensors *st = NULL;
    double *largest = NULL;
    char sha256[65];
    *out = NULL;
    uw_status s = uw__safetensors_open(path, MAX_FILE, &st, err);
    if (s) return s;
    uw_surprise *u = calloc(1, sizeof *u);
    if (!u) {
        s = uw_fail(err, UW_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    const char *wrong = read_facts(st, u);
    uw_model_sha256(model, sha256);
    if (!wrong && strcmp(sha256, u->facts.model_sha256) != 0) {
        s = uw_fail(err, UW_ESHAPE,
                    "%s: calibrated for another model, wanted tensors %.16s..., got %.16s...", path,
                    sha256, u->facts.model_sha256);
        uw_err_fix(err, "calibrate again: umwelt surprise MODEL DATA --out FILE");
        goto done;
    }
    if (!wrong) wrong = read_numbers(st, d, u);
    const int64_t n = length_of(st, "largest");
    largest = taken(st, "largest", UW_DTYPE_F64, n);
    if (!wrong && !largest) wrong = "tensor largest";
    for (int64_t i = 0; i < n && !wrong; i++)
        if (!(largest[i] >= 0.0) || !isfinite(largest[i])) wrong = "scores out of range";
    if (wrong) {
        s = broken(path, wrong, err);
        goto done;
    }
    u->band = (uw_band){(int32_t)d, u->mean, u->whiten, 0.0};
    s = uw__surprise_threshold(u, largest, n, alpha > 0.0 ? alpha : u->facts.alpha, err);
    if (!s && !uw__band_ok(&u->band)) s = broken(path, "numbers that are not finite", err);
done:
    if (s)
        uw_surprise_unload(u);
    else
        *out = u;
    free(largest);
    uw__safetensors_close(st);
    return s;
}
