/* Writing safetensors files: what is written is what uw__safetensors_open accepts, or nothing. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "json_text.h"
#include "st_header.h"
#include "utf8.h"

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names that the reader would refuse are the caller's mistake: UW_EINVAL before anything is
 * written. */
static uw_status check_names(const char *path, const char **names, int32_t count, const char *what,
                             uw_err *err) {
    for (int32_t i = 0; i < count; i++) {
        if (uw__utf8_clean(names[i], false)) continue;
        return uw__refuse(err, UW_EINVAL, path, "unsafe_name", "use another name",
                          "%s %d: wanted UTF-8 without control characters", what, i);
    }
    if (count) qsort(names, (size_t)count, sizeof *names, by_text);
    for (int32_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i])) continue;
        return uw__refuse(err, UW_EINVAL, path, "duplicate_key", "use another name",
                          "%s %.60s twice", what, names[i]);
    }
    return UW_OK;
}

static uw_status check_arguments(const char *path, const uw_tensor *tensors, int32_t count,
                                 const uw_meta_pair *meta, int32_t meta_count, uw_err *err) {
    const int32_t most = count > meta_count ? count : meta_count;
    const char **names = malloc(((size_t)most + 1) * sizeof *names);
    if (!names) return uw__no_memory(err, path, ((uint64_t)most + 1) * sizeof *names);
    uw_status s = UW_OK;
    for (int32_t i = 0; i < count; i++) {
        names[i] = tensors[i].name;
        if (!strcmp(names[i], "__metadata__")) {
            s = uw__refuse(err, UW_EINVAL, path, "unsafe_name", "use another name",
                           "tensor %d: __metadata__ is the format's own word", i);
        }
    }
    if (!s) s = check_names(path, names, count, "tensor", err);
    for (int32_t i = 0; i < meta_count; i++) names[i] = meta[i].key;
    if (!s) s = check_names(path, names, meta_count, "metadata key", err);
    free(names);
    for (int32_t i = 0; i < meta_count && !s; i++) {
        if (uw__utf8_clean(meta[i].value, true)) continue;
        s = uw__refuse(err, UW_EINVAL, path, "unsafe_name", "write the text as UTF-8",
                       "metadata %.60s: wanted UTF-8", meta[i].key);
    }
    return s;
}

/* Bytes of a tensor; false for a shape or type that no file can hold. */
static bool tensor_bytes(const uw_tensor *t, uint64_t *bytes) {
    *bytes = uw_dtype_bytes(t->dtype);
    if (!*bytes || t->num_dims < 0 || t->num_dims > UW_MAX_DIMS) return false;
    for (int32_t i = 0; i < t->num_dims; i++) {
        if (t->shape[i] < 0 || !uw__mul_u64(*bytes, (uint64_t)t->shape[i], bytes)) return false;
    }
    return *bytes <= INT64_MAX;
}

static uw_status put_tensors(uw_text *t, const char *path, const uw_tensor *tensors, int32_t count,
                             uw_err *err) {
    uint64_t at = 0, bytes, end;
    for (int32_t i = 0; i < count; i++) {
        const uw_tensor *x = &tensors[i];
        if (!tensor_bytes(x, &bytes) || !uw__add_u64(at, bytes, &end) || end > INT64_MAX) {
            return uw__refuse(err, UW_EINVAL, path, "bad_shape", "check the sizes",
                              "tensor %.60s: its sizes overflow", x->name);
        }
        if (t->size > 1) uw__text_put(t, ",", 1);
        uw__text_quoted(t, x->name);
        uw__text_str(t, ":{\"dtype\":\"");
        uw__text_str(t, uw_dtype_str(x->dtype));
        uw__text_str(t, "\",\"shape\":[");
        for (int32_t d = 0; d < x->num_dims; d++) {
            if (d) uw__text_put(t, ",", 1);
            uw__text_i64(t, x->shape[d]);
        }
        uw__text_str(t, "],\"data_offsets\":[");
        uw__text_i64(t, (int64_t)at);
        uw__text_put(t, ",", 1);
        uw__text_i64(t, (int64_t)end);
        uw__text_str(t, "]}");
        at = end;
    }
    return UW_OK;
}

/* The eight bytes of length and the header, padded with spaces so that the data begins on a
 * multiple of 64. */
static uw_status build_header(uw_text *t, const char *path, const uw_tensor *tensors, int32_t count,
                              const uw_meta_pair *meta, int32_t meta_count, uw_err *err) {
    uw__text_put(t, "{", 1);
    if (meta_count) uw__text_str(t, "\"__metadata__\":{");
    for (int32_t i = 0; i < meta_count; i++) {
        if (i) uw__text_put(t, ",", 1);
        uw__text_quoted(t, meta[i].key);
        uw__text_put(t, ":", 1);
        uw__text_quoted(t, meta[i].value);
    }
    if (meta_count) uw__text_put(t, "}", 1);
    const uw_status s = put_tensors(t, path, tensors, count, err);
    if (s) return s;
    uw__text_put(t, "}", 1);
    while (!t->failed && (t->size + 8) % 64) uw__text_put(t, " ", 1);
    if (t->failed) return uw__no_memory(err, path, 2 * (uint64_t)t->cap);
    if (t->size <= UW_ST_MAX_HEADER) return UW_OK;
    return uw__refuse(err, UW_EINVAL, path, "bad_header_length", "store less metadata",
                      "wanted a header of at most %d bytes, got %zu", UW_ST_MAX_HEADER, t->size);
}

uw_status uw__safetensors_write(const char *path, const uw_tensor *tensors, int32_t count,
                                const uw_meta_pair *meta, int32_t meta_count, bool overwrite,
                                uw_err *err) {
    uw_text header = {0};
    uw_atomic f = {.fd = -1};
    unsigned char length[8];
    uw_status s = check_arguments(path, tensors, count, meta, meta_count, err);
    if (!s) s = build_header(&header, path, tensors, count, meta, meta_count, err);
    if (s) goto done;
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.size >> 8 * i);
    if ((s = uw__atomic_open(&f, path, overwrite, err))) goto done;
    if ((s = uw__atomic_write(&f, length, sizeof length, err))) goto done;
    if ((s = uw__atomic_write(&f, header.at, header.size, err))) goto done;
    for (int32_t i = 0; i < count; i++) {
        uint64_t bytes = 0;
        tensor_bytes(&tensors[i], &bytes);
        if ((s = uw__atomic_write(&f, tensors[i].data, (size_t)bytes, err))) goto done;
    }
    s = uw__atomic_commit(&f, err);
done:
    uw__atomic_abort(&f);
    free(header.at);
    return s;
}
