/* From named tensors to params and buffers. */
#include "fill.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "tensors.h"

static const char FIX_DAMAGED[] = "take the file from where it was written once more";

/* What does not fit, gathered into one line. */
typedef struct misfits {
    const uw_fill_rules *rules;
    int32_t missing, extra, twice, misshaped;
    char text[150];
} misfits;

static void note(misfits *m, const char *what, const char *name) {
    char line[320];
    const size_t used = strlen(m->text);
    snprintf(line, sizeof line, "%s%s", what, name);
    snprintf(m->text + used, sizeof m->text - used, "%s%s", used ? "; " : "", line);
    if (m->rules->misfit) m->rules->misfit(m->rules->cookie, line);
}

static bool dtype_fits(uw_dtype got, const uw_net_tensor *want, bool widen) {
    if (want->counter) return got == UW_DTYPE_I64;
    return got == UW_DTYPE_F32 || (widen && (got == UW_DTYPE_F16 || got == UW_DTYPE_BF16));
}

static void compare_tensor(misfits *m, const uw_net_tensor *want, const uw_tensor *got) {
    if (dtype_fits(got->dtype, want, m->rules->widen) && got->num_dims == want->num_dims &&
        !memcmp(got->shape, want->shape, (size_t)want->num_dims * sizeof *want->shape))
        return;
    char wanted[64], found[64], line[256];
    uw__shape_text(wanted, sizeof wanted, want->num_dims, want->shape);
    uw__shape_text(found, sizeof found, got->num_dims, got->shape);
    snprintf(line, sizeof line, "%s wanted %s %s, got %s %s", want->name,
             uw_dtype_str(want->counter ? UW_DTYPE_I64 : UW_DTYPE_F32), wanted,
             uw_dtype_str(got->dtype), found);
    m->misshaped++;
    note(m, "", line);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const uw_tensor *)a)->name, ((const uw_tensor *)b)->name);
}

static const uw_tensor *find(const uw_tensor *sorted, int32_t count, const char *name) {
    const uw_tensor key = {.name = name};
    return bsearch(&key, sorted, (size_t)count, sizeof key, by_name);
}

uw_status uw__fill_check(const char *path, const uw_net *net, const uw_tensor *sorted,
                         int32_t count, const uw_fill_rules *rules, uw_err *err) {
    misfits m = {.rules = rules};
    for (int32_t i = 0; i < net->num_tensors; i++) {
        const uw_tensor *got = find(sorted, count, net->tensors[i].name);
        if (got) {
            compare_tensor(&m, &net->tensors[i], got);
            continue;
        }
        m.missing++;
        note(&m, "missing ", net->tensors[i].name);
    }
    for (int32_t i = 0; i < count; i++) {
        if (i && !strcmp(sorted[i - 1].name, sorted[i].name)) {
            m.twice++;
            note(&m, "twice ", sorted[i].name);
        } else if (uw__net_find(net, sorted[i].name) < 0) {
            m.extra++;
            note(&m, "extra ", sorted[i].name);
        }
    }
    if (!m.missing && !m.extra && !m.twice && !m.misshaped) return UW_OK;
    return uw__refuse(err, UW_ESHAPE, path, "wrong_tensors", rules->fix,
                      "wanted %d, got %d missing, %d extra, %d twice, %d mis-shaped: %s",
                      (int)net->num_tensors, (int)m.missing, (int)m.extra, (int)m.twice,
                      (int)m.misshaped, m.text);
}

/* IEEE half precision, exactly. */
static float from_f16(uint16_t bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const float sign = bits >> 15 ? -1.0f : 1.0f;
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    if (!exponent) return sign * ldexpf((float)mantissa, -24);
    return sign * ldexpf((float)(mantissa | 1024), exponent - 25);
}

/* The upper half of a float32. */
static float from_bf16(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return x;
}

static void widen_to(float *to, const uw_tensor *from, size_t count) {
    const unsigned char *at = from->data;
    if (from->dtype == UW_DTYPE_F32) {
        memcpy(to, at, count * sizeof *to);
        return;
    }
    for (size_t k = 0; k < count; k++, at += 2) {
        uint16_t bits;
        memcpy(&bits, at, sizeof bits);
        to[k] = from->dtype == UW_DTYPE_F16 ? from_f16(bits) : from_bf16(bits);
    }
}

static uw_status take_count(const char *path, const uw_net_tensor *t, int64_t value, float *to,
                            uw_err *err) {
    if (value < 0 || value > 1 << 24) {
        return uw__refuse(err, UW_EFORMAT, path, "bad_count", FIX_DAMAGED,
                          "%s, wanted 0 .. 2^24, got %" PRId64, t->name, value);
    }
    *to = (float)value;
    return UW_OK;
}

/* Whether any of 16 numbers is infinite or NaN; no way out of the loop, so that it is vectors. */
static bool any_not_finite(const float *x) {
    uint32_t bits[16], found = 0;
    memcpy(bits, x, sizeof bits);
    for (int k = 0; k < 16; k++) found |= (bits[k] & 0x7f800000) == 0x7f800000;
    return found;
}

static uw_status check_finite(const char *path, const uw_net_tensor *t, const float *x,
                              uw_err *err) {
    size_t k = 0;
    while (k + 16 <= t->count && !any_not_finite(x + k)) k += 16;
    while (k < t->count && isfinite(x[k])) k++;
    if (k == t->count) return UW_OK;
    return uw__refuse(err, UW_ENONFINITE, path, "not_finite",
                      "train again from the last good checkpoint",
                      "%s[%zu], wanted a finite number, got %g", t->name, k, (double)x[k]);
}

uw_status uw__fill(const char *path, const uw_net *net, const uw_tensor *sorted, int32_t count,
                   uw_fill_read *read, void *cookie, float *params, float *buffers, uw_err *err) {
    uw_status s = UW_OK;
    for (int32_t i = 0; i < net->num_tensors && !s; i++) {
        const uw_net_tensor *t = &net->tensors[i];
        const uw_tensor *got = find(sorted, count, t->name);
        float *to = (t->buffer ? buffers : params) + t->offset;
        if (t->counter) {
            int64_t value = 0;
            if (read)
                s = read(cookie, got, &value, err);
            else
                memcpy(&value, got->data, sizeof value);
            if (!s) s = take_count(path, t, value, to, err);
            continue;
        }
        if (read)
            s = read(cookie, got, to, err);
        else
            widen_to(to, got, t->count);
        if (!s) s = check_finite(path, t, to, err);
    }
    return s;
}
