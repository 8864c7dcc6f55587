/* NPY headers (NEP 1): a Python dict literal, of which exactly the form that NumPy writes is read.
 */
#include "npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"

#define FIX_COPY "the file is damaged or not NPY: save it again with numpy.save"

typedef struct cursor {
    const char *file, *start, *at;
    uw_err *err;
} cursor;

static uw_status bad_header(const cursor *c, const char *wanted) {
    return uw__refuse(c->err, UW_EFORMAT, c->file, "bad_npy_header", FIX_COPY,
                      "wanted %s at byte %zu of the array's header", wanted,
                      (size_t)(c->at - c->start));
}

static void skip_space(cursor *c) {
    while (*c->at == ' ') c->at++;
}

static bool take(cursor *c, char b) {
    skip_space(c);
    if (*c->at != b) return false;
    c->at++;
    return true;
}

uw_status uw__npy_prefix(const char *file, const unsigned char raw[UW_NPY_PREFIX], size_t *begin,
                         size_t *length, uw_err *err) {
    if (memcmp(raw, "\x93NUMPY", 6)) {
        return uw__refuse(err, UW_EFORMAT, file, "not_npy", FIX_COPY,
                          "wanted an array that begins with \\x93NUMPY");
    }
    if (raw[6] < 1 || raw[6] > 3 || raw[7]) {
        return uw__refuse(err, UW_EUNSUPPORTED, file, "npy_version", FIX_COPY,
                          "wanted NPY version 1.0, 2.0 or 3.0, got %d.%d", raw[6], raw[7]);
    }
    *begin = raw[6] == 1 ? 10 : 12;
    *length = (size_t)raw[8] | (size_t)raw[9] << 8;
    if (raw[6] > 1) *length |= (size_t)raw[10] << 16 | (size_t)raw[11] << 24;
    if (*length <= UW_NPY_MAX_HEADER) return UW_OK;
    return uw__refuse(err, UW_EFORMAT, file, "bad_header_length", FIX_COPY,
                      "wanted an array header of at most %d bytes, got %zu", UW_NPY_MAX_HEADER,
                      *length);
}

/* Read a quoted word of at most cap - 1 printable bytes without escapes. */
static uw_status read_word(cursor *c, char *out, size_t cap) {
    skip_space(c);
    const char quote = *c->at;
    size_t n = 0;
    if (quote != '\'' && quote != '"') return bad_header(c, "a quote");
    for (c->at++; *c->at != quote; c->at++) {
        if (*c->at < 0x20 || *c->at > 0x7e || *c->at == '\\' || n + 1 == cap) {
            return bad_header(c, "a short word");
        }
        out[n++] = *c->at;
    }
    c->at++;
    out[n] = '\0';
    return UW_OK;
}

/* '<f4' and its kin. */
static uw_status read_descr(cursor *c, uw_npy_info *out) {
    static const struct {
        const char *code;
        uw_dtype dtype;
    } types[] = {{"u1", UW_DTYPE_U8},  {"b1", UW_DTYPE_BOOL}, {"i4", UW_DTYPE_I32},
                 {"i8", UW_DTYPE_I64}, {"f2", UW_DTYPE_F16},  {"f4", UW_DTYPE_F32},
                 {"f8", UW_DTYPE_F64}};
    char word[24];
    skip_space(c);
    if (*c->at == '[') {
        return uw__refuse(c->err, UW_EUNSUPPORTED, c->file, "unsupported_dtype",
                          "save each field as an array of its own",
                          "wanted plain numbers, got a structured array");
    }
    const uw_status s = read_word(c, word, sizeof word);
    if (s) return s;
    const char order = word[0], *code = word[0] ? word + 1 : word;
    if (code[0] == 'O') {
        return uw__refuse(c->err, UW_EUNSUPPORTED, c->file, "pickled_objects",
                          "save numbers: numpy.save(..., allow_pickle=False)",
                          "wanted plain numbers, got pickled Python objects");
    }
    const bool one_byte = code[0] && code[1] == '1' && !code[2];
    if (order == '>' && !one_byte) {
        return uw__refuse(c->err, UW_EUNSUPPORTED, c->file, "big_endian",
                          "save x.astype(x.dtype.newbyteorder('<'))",
                          "wanted little-endian numbers, got %s", word);
    }
    if (order == '<' && code[0] == 'U') {
        char *end;
        const unsigned long letters = strtoul(code + 1, &end, 10);
        if (code[1] >= '1' && code[1] <= '9' && !*end && letters <= 1u << 20) {
            out->letters = (int32_t)letters;
            return UW_OK;
        }
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(code, types[i].code) || (order != '<' && !one_byte)) continue;
        out->dtype = types[i].dtype;
        return UW_OK;
    }
    return uw__refuse(c->err, UW_EUNSUPPORTED, c->file, "unsupported_dtype",
                      "convert it, e.g. x.astype('<f4') or x.astype('<i8')",
                      "wanted |u1 |b1 <i4 <i8 <f2 <f4 or <f8, got %s", word);
}

static uw_status read_shape(cursor *c, uw_npy_info *out) {
    if (!take(c, '(')) return bad_header(c, "'('");
    while (!take(c, ')')) {
        uint64_t size = 0;
        bool ok = *c->at >= '0' && *c->at <= '9';
        if (out->num_dims == UW_MAX_DIMS) {
            return uw__refuse(c->err, UW_EUNSUPPORTED, c->file, "too_many_dims",
                              "reshape it before saving", "wanted at most %d axes", UW_MAX_DIMS);
        }
        for (; *c->at >= '0' && *c->at <= '9'; c->at++) {
            ok = ok && uw__mul_u64(size, 10, &size) &&
                 uw__add_u64(size, (uint64_t)(*c->at - '0'), &size);
        }
        if (!ok || size > INT64_MAX) {
            return uw__refuse(c->err, UW_EFORMAT, c->file, "bad_shape", FIX_COPY,
                              "wanted sizes from 0 below 2^63");
        }
        out->shape[out->num_dims++] = (int64_t)size;
        if (!take(c, ',')) {
            skip_space(c);
            if (*c->at != ')') return bad_header(c, "',' or ')'");
        }
    }
    return UW_OK;
}

static uw_status read_value(cursor *c, const char *key, unsigned *seen, uw_npy_info *out) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    unsigned k = 0;
    while (k < 3 && strcmp(key, keys[k])) k++;
    if (k == 3 || *seen & 1u << k)
        return bad_header(c, "descr, fortran_order and shape, once each");
    *seen |= 1u << k;
    if (k == 0) return read_descr(c, out);
    if (k == 2) return read_shape(c, out);
    skip_space(c);
    out->fortran = !strncmp(c->at, "True", 4);
    if (!out->fortran && strncmp(c->at, "False", 5)) return bad_header(c, "True or False");
    c->at += out->fortran ? 4 : 5;
    return UW_OK;
}

uw_status uw__npy_parse(const char *file, const char *text, size_t length, uw_npy_info *out,
                        uw_err *err) {
    cursor c = {.file = file, .start = text, .at = text, .err = err};
    unsigned seen = 0;
    uw_status s;
    *out = (uw_npy_info){0};
    if (!take(&c, '{')) return bad_header(&c, "'{'");
    while (!take(&c, '}')) {
        char key[24];
        if ((s = read_word(&c, key, sizeof key))) return s;
        if (!take(&c, ':')) return bad_header(&c, "':'");
        if ((s = read_value(&c, key, &seen, out))) return s;
        if (!take(&c, ',')) {
            skip_space(&c);
            if (*c.at != '}') return bad_header(&c, "',' or '}'");
        }
    }
    skip_space(&c);
    if (*c.at == '\n') c.at++;
    if (c.at != text + length) return bad_header(&c, "the end");
    if (seen != 7) return bad_header(&c, "descr, fortran_order and shape, once each");

    uint64_t count = 1,
             bytes = out->letters ? 4 * (uint64_t)out->letters : uw_dtype_bytes(out->dtype);
    bool ok = true;
    for (int32_t i = 0; i < out->num_dims; i++) {
        ok = ok && uw__mul_u64(count, (uint64_t)out->shape[i], &count);
    }
    ok = ok && uw__mul_u64(bytes, count, &bytes) && bytes <= INT64_MAX;
    if (!ok) {
        return uw__refuse(err, UW_EFORMAT, file, "bad_shape", FIX_COPY,
                          "the product of the array's sizes overflows");
    }
    out->count = (int64_t)count;
    out->data_bytes = bytes;
    return UW_OK;
}

static const char *descr_of(uw_dtype dtype) {
    switch (dtype) {
    case UW_DTYPE_U8:
        return "|u1";
    case UW_DTYPE_I32:
        return "<i4";
    case UW_DTYPE_I64:
        return "<i8";
    case UW_DTYPE_F16:
        return "<f2";
    case UW_DTYPE_F32:
        return "<f4";
    case UW_DTYPE_F64:
        return "<f8";
    case UW_DTYPE_BOOL:
        return "|b1";
    case UW_DTYPE_BF16:
        break;
    }
    return NULL;
}

size_t uw__npy_build(char *out, size_t cap, uw_dtype dtype, int32_t num_dims,
                     const int64_t *shape) {
    char dict[64 + 24 * UW_MAX_DIMS];
    const char *descr = descr_of(dtype);
    size_t n;
    if (!descr || num_dims < 0 || num_dims > UW_MAX_DIMS) return 0;
    n = (size_t)snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                         descr);
    for (int32_t i = 0; i < num_dims; i++) {
        n += (size_t)snprintf(dict + n, sizeof dict - n, "%s%" PRId64, i ? ", " : "", shape[i]);
    }
    n += (size_t)snprintf(dict + n, sizeof dict - n, "%s), }", num_dims == 1 ? "," : "");
    const size_t total = (10 + n + 1 + 63) / 64 * 64;
    if (total > cap) return 0;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((total - 10) & 0xff);
    out[9] = (char)((total - 10) >> 8);
    memcpy(out + 10, dict, n);
    memset(out + 10 + n, ' ', total - 10 - n - 1);
    out[total - 1] = '\n';
    return total;
}
