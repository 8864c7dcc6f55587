/* Any file of weights, read-only: safetensors or PyTorch's. */
#include <stdlib.h>

#include <umwelt/model.h>

#include "pt.h"
#include "safetensors.h"
#include "tensors.h"

struct uw_weights {
    uw_safetensors *file; /* or */
    uw_pt *pt;
};

uw_status uw_weights_open(const char *path, uw_weights **out, uw_err *err) {
    *out = NULL;
    uw_weights *w = calloc(1, sizeof *w);
    if (!w) return uw_fail(err, UW_ENOMEM, "%s: out of memory", path);
    bool pt = false;
    uw_status s = uw__pt_recognise(path, &pt, err);
    if (!s)
        s = pt ? uw__pt_open(path, 0, &w->pt, err) : uw__safetensors_open(path, 0, &w->file, err);
    if (s)
        free(w);
    else
        *out = w;
    return s;
}

void uw_weights_close(uw_weights *weights) {
    if (!weights) return;
    uw__safetensors_close(weights->file);
    uw__pt_close(weights->pt);
    free(weights);
}

int32_t uw_weights_num_tensors(const uw_weights *weights) {
    return weights->pt ? uw__pt_count(weights->pt) : uw__safetensors_count(weights->file);
}

uw_tensor uw_weights_tensor(const uw_weights *weights, int32_t i) {
    return weights->pt ? uw__pt_tensor(weights->pt, i) : uw__safetensors_tensor(weights->file, i);
}

const char *uw_weights_meta(const uw_weights *weights, const char *key) {
    return weights->pt ? NULL : uw__safetensors_meta(weights->file, key);
}

void uw_weights_sha256(const uw_weights *weights, char hex[65]) {
    const int32_t count = uw_weights_num_tensors(weights);
    uw_tensor *tensors = calloc((size_t)count + 1, sizeof *tensors);
    hex[0] = 0;
    if (!tensors) return;
    for (int32_t i = 0; i < count; i++) tensors[i] = uw_weights_tensor(weights, i);
    uw__tensors_sort(tensors, count);
    uw__tensors_sha256(tensors, count, hex);
    free(tensors);
}
