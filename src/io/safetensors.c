/* Opening safetensors files.
 *
 * The header is checked against the file's size before memory for the data is taken, so a file can
 * cost its own size plus a few bytes per byte of header, no more.  Each tensor is placed on a
 * 64-byte boundary of its own: the format allows a float to begin at an odd byte, our kernels do
 * not. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checked.h"
#include "fileio.h"
#include "st_header.h"

#define FIX_COPY          "the file is damaged or not safetensors: fetch it again"
#define DEFAULT_MAX_BYTES (UINT64_C(16) << 30)

enum { PLACE = 64 };

struct uw_safetensors {
    uw_st_header header;
    unsigned char *data; /* owned; NULL when only the header was opened */
    int fd;              /* then open, else -1 */
    uint64_t start;      /* of the data in the file */
    char *path;          /* for messages of reading from fd */
};

/* Where the bytes come from: a file, or memory. */
typedef struct source {
    const char *name;
    const unsigned char *memory; /* NULL: read fd */
    int fd;
    uint64_t size;
} source;

static uw_status source_read(const source *src, void *out, uint64_t bytes, uint64_t offset,
                             uw_err *err) {
    if (!bytes) return UW_OK;
    if (!src->memory) return uw__read_at(src->fd, out, (size_t)bytes, offset, src->name, err);
    memcpy(out, src->memory + offset, (size_t)bytes);
    return UW_OK;
}

static uint64_t placed(uint64_t bytes) {
    return (bytes + PLACE - 1) / PLACE * PLACE;
}

/* Take memory for all tensors and read each to its place. */
static uw_status read_data(const source *src, uw_safetensors *st, uw_err *err) {
    uint64_t total = PLACE, at = 0;
    for (int32_t i = 0; i < st->header.count; i++) {
        total += placed(st->header.entries[i].end - st->header.entries[i].begin);
    }
    st->data = total <= SIZE_MAX ? aligned_alloc(PLACE, (size_t)total) : NULL;
    if (!st->data) return uw__no_memory(err, src->name, total);
    for (int32_t i = 0; i < st->header.count; i++) {
        uw_st_entry *e = &st->header.entries[i];
        const uint64_t bytes = e->end - e->begin;
        const uw_status s = source_read(src, st->data + at, bytes, st->start + e->begin, err);
        if (s) return s;
        e->tensor.data = st->data + at;
        at += placed(bytes);
    }
    return UW_OK;
}

static uw_status header_length(const source *src, uint64_t *length, uw_err *err) {
    unsigned char raw[8];
    uint64_t n = 0;
    if (src->size < sizeof raw) {
        return uw__refuse(err, UW_EFORMAT, src->name, "truncated", FIX_COPY,
                          "wanted at least 8 bytes, got %llu", (unsigned long long)src->size);
    }
    const uw_status s = source_read(src, raw, sizeof raw, 0, err);
    if (s) return s;
    for (int i = 7; i >= 0; i--) n = n << 8 | raw[i];
    if (n < 2 || n > UW_ST_MAX_HEADER || n > src->size - sizeof raw) {
        return uw__refuse(err, UW_EFORMAT, src->name, "bad_header_length", FIX_COPY,
                          "wanted 2 to %d bytes inside the file of %llu, got %llu",
                          UW_ST_MAX_HEADER, (unsigned long long)src->size, (unsigned long long)n);
    }
    *length = n;
    return UW_OK;
}

static uw_status read_source(const source *src, bool with_data, uw_safetensors **out, uw_err *err) {
    uint64_t length = 0;
    uw_status s = header_length(src, &length, err);
    if (s) return s;
    uw_safetensors *st = calloc(1, sizeof *st);
    char *text = malloc((size_t)length + 1);
    if (!st || !text) {
        free(text);
        s = uw__no_memory(err, src->name, length + 1);
        goto done;
    }
    st->fd = -1;
    st->start = 8 + length;
    if ((s = source_read(src, text, length, 8, err))) {
        free(text);
        goto done;
    }
    s = uw__st_header_read(src->name, text, (size_t)length, src->size - st->start, &st->header,
                           err);
    if (!s && with_data) s = read_data(src, st, err);
    if (s) goto done;
    *out = st;
    st = NULL;
done:
    uw__safetensors_close(st);
    return s;
}

static uw_status open_file(const char *path, uint64_t max_bytes, bool with_data,
                           uw_safetensors **out, uw_err *err) {
    source src = {.name = path, .fd = -1};
    *out = NULL;
    if (!max_bytes) max_bytes = DEFAULT_MAX_BYTES;
    uw_status s = uw__file_open(path, &src.fd, &src.size, err);
    if (s) return s;
    if (src.size > max_bytes) {
        s = uw__refuse(err, UW_EFORMAT, path, "too_large", "check that this is the file you meant",
                       "wanted at most %llu bytes, got %llu", (unsigned long long)max_bytes,
                       (unsigned long long)src.size);
    } else {
        s = read_source(&src, with_data, out, err);
    }
    if (!s && !with_data) {
        (*out)->path = strdup(path);
        (*out)->fd = src.fd;
        src.fd = -1;
        if (!(*out)->path) {
            s = uw__no_memory(err, path, strlen(path));
            uw__safetensors_close(*out);
            *out = NULL;
        }
    }
    if (src.fd >= 0) close(src.fd);
    return s;
}

uw_status uw__safetensors_open(const char *path, uint64_t max_bytes, uw_safetensors **out,
                               uw_err *err) {
    return open_file(path, max_bytes, true, out, err);
}

uw_status uw__safetensors_open_header(const char *path, uint64_t max_bytes, uw_safetensors **out,
                                      uw_err *err) {
    return open_file(path, max_bytes, false, out, err);
}

uw_status uw__safetensors_read(const uw_safetensors *st, int32_t i, void *to, uw_err *err) {
    const uw_st_entry *e = &st->header.entries[i];
    return uw__read_at(st->fd, to, (size_t)(e->end - e->begin), st->start + e->begin, st->path,
                       err);
}

uw_status uw__safetensors_parse(const char *name, const void *data, size_t size,
                                uw_safetensors **out, uw_err *err) {
    const source src = {.name = name, .memory = data, .fd = -1, .size = size};
    *out = NULL;
    return read_source(&src, true, out, err);
}

void uw__safetensors_close(uw_safetensors *st) {
    if (!st) return;
    uw__st_header_free(&st->header);
    if (st->path) close(st->fd);
    free(st->path);
    free(st->data);
    free(st);
}

int32_t uw__safetensors_count(const uw_safetensors *st) {
    return st->header.count;
}

uw_tensor uw__safetensors_tensor(const uw_safetensors *st, int32_t i) {
    return st->header.entries[i].tensor;
}

int32_t uw__safetensors_find(const uw_safetensors *st, const char *name) {
    int32_t low = 0, high = st->header.count;
    while (low < high) {
        const int32_t mid = low + (high - low) / 2, i = st->header.by_name[mid];
        const int order = strcmp(name, st->header.entries[i].tensor.name);
        if (!order) return i;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return -1;
}

const char *uw__safetensors_meta(const uw_safetensors *st, const char *key) {
    for (int32_t i = 0; i < st->header.meta_count; i++) {
        if (!strcmp(st->header.meta[i].key, key)) return st->header.meta[i].value;
    }
    return NULL;
}

int32_t uw__safetensors_meta_count(const uw_safetensors *st) {
    return st->header.meta_count;
}

void uw__safetensors_meta_at(const uw_safetensors *st, int32_t i, const char **key,
                             const char **value) {
    *key = st->header.meta[i].key;
    *value = st->header.meta[i].value;
}
