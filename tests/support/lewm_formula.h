/* Numbers from a closed formula, so that a recording need not hold them: weights, actions, directions.  A
 * number is a function of a name (behind the recording's salt) and an index. */
#ifndef UW_LEWM_FORMULA_H
#define UW_LEWM_FORMULA_H

#include <math.h>
#include <string.h>

#include "net.h"

/* A name's stream of numbers: FNV-1a of salt and name. */
static inline uint64_t formula_stream(const char *salt, const char *name) {
    const char *parts[] = {salt, name};
    uint64_t h = 0xCBF29CE484222325u;
    for (int i = 0; i < 2; i++)
        for (const char *at = parts[i]; *at; at++) h = (h ^ (uint8_t)*at) * 0x100000001B3u;
    return h;
}

/* In [-1, 1), a multiple of 2^-23: splitmix64 in counter mode. */
static inline double formula_draw(uint64_t h, uint64_t i) {
    uint64_t x = h + (i + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (double)((x ^ x >> 31) >> 40) / 8388608.0 - 1.0;
}

static inline bool formula_ends(const char *name, const char *tail) {
    const size_t n = strlen(name), m = strlen(tail);
    return n >= m && !strcmp(name + n - m, tail);
}

/* Element value = offset + scale * draw; the first rule that fits. */
static inline void formula_rule(const uw_net_tensor *t, double *offset, double *scale) {
    const double fan_in = t->num_dims ? (double)t->count / (double)t->shape[0] : 1.0;
    *offset = 0.0;
    if (formula_ends(t->name, ".num_batches_tracked"))
        *offset = 1000.0, *scale = 0.0;
    else if (formula_ends(t->name, ".running_var"))
        *offset = 1.0, *scale = 0.5;
    else if (formula_ends(t->name, ".running_mean"))
        *scale = 0.2;
    else if (t->num_dims == 1 && formula_ends(t->name, ".weight"))
        *offset = 1.0, *scale = 0.2;
    else if (t->num_dims == 1)
        *scale = 0.1;
    else if (formula_ends(t->name, ".weight"))
        *scale = sqrt(3.0 / fan_in);
    else
        *scale = 0.5;
}

static inline void formula_numbers(const char *salt, const uw_net *net, float *params, float *buffers) {
    for (int32_t i = 0; i < net->num_tensors; i++) {
        const uw_net_tensor *t = &net->tensors[i];
        const uint64_t from = formula_stream(salt, t->name);
        float *x = (t->buffer ? buffers : params) + t->offset;
        double offset, scale;
        formula_rule(t, &offset, &scale);
        for (size_t k = 0; k < t->count; k++) x[k] = (float)(offset + scale * formula_draw(from, k));
    }
}

static inline void formula_fill(float *x, size_t n, const char *salt, const char *name, double scale) {
    const uint64_t from = formula_stream(salt, name);
    for (size_t i = 0; i < n; i++) x[i] = (float)(scale * formula_draw(from, i));
}

#endif
