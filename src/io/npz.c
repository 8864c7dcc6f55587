/* Reading NPZ archives and single NPY files: members are found at open and decoded when asked for.
 *
 * An array's header must agree with the size its member claims before memory for the data is taken.
 */
#include "npy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fileio.h"
#include "internal.h"
#include "npy_header.h"
#include "utf8.h"
#include "zip.h"

#define FIX_COPY          "the file is damaged or not NPZ: save it again with numpy.savez"
#define DEFAULT_MAX_BYTES (UINT64_C(16) << 30)

enum { PLACE = 64 };

static const uw_zip_rules rules = {.ending = ".npy", .twice = "duplicate_key", .fix = FIX_COPY};

/* What a member became; the archive keeps it until close. */
typedef struct decoded {
    void *data;           /* owned, PLACE-aligned; NULL until decoded */
    uw_npy_info info;     /* valid with data */
    const char **strings; /* owned [info.count], pointing into letters; NULL until asked for */
    char *letters;        /* owned */
} decoded;

struct uw_npz {
    char *path; /* owned */
    int fd;
    uw_zip_member *members; /* owned [count] */
    decoded *decoded;       /* owned [count] */
    int32_t count;
    bool alone; /* a single .npy, without a checksum */
};

/* A file that begins like one array is a single member, named "arr". */
static uw_status open_single(uw_npz *z, uint64_t size, uint64_t max_bytes, uw_err *err) {
    if (size > max_bytes) {
        return uw__refuse(err, UW_EFORMAT, z->path, "too_large",
                          "check that this is the file you meant",
                          "wanted at most %llu bytes, got %llu", (unsigned long long)max_bytes,
                          (unsigned long long)size);
    }
    z->members = calloc(1, sizeof *z->members);
    if (!z->members) return uw__no_memory(err, z->path, sizeof *z->members);
    z->count = 1;
    z->alone = true;
    z->members[0] = (uw_zip_member){.name = strdup("arr"), .packed = size, .unpacked = size};
    return z->members[0].name ? UW_OK : uw__no_memory(err, z->path, 4);
}

static uw_status open_any(uw_npz *z, uint64_t max_bytes, uw_err *err) {
    unsigned char magic[6] = {0};
    uint64_t size;
    uw_status s = uw__file_open(z->path, &z->fd, &size, err);
    if (s) return s;
    if (size >= sizeof magic) s = uw__read_at(z->fd, magic, sizeof magic, 0, z->path, err);
    if (s) return s;
    if (!memcmp(magic, "\x93NUMPY", sizeof magic))
        s = open_single(z, size, max_bytes, err);
    else
        s = uw__zip_read(z->fd, z->path, size, max_bytes, &rules, &z->members, &z->count, err);
    if (s) return s;
    z->decoded = calloc((size_t)z->count + 1, sizeof *z->decoded);
    return z->decoded ? UW_OK
                      : uw__no_memory(err, z->path, (uint64_t)z->count * sizeof *z->decoded);
}

uw_status uw__npz_open(const char *path, uint64_t max_bytes, uw_npz **out, uw_err *err) {
    uw_status s;
    *out = NULL;
    uw_npz *z = calloc(1, sizeof *z);
    if (!z) return uw__no_memory(err, path, sizeof *z);
    z->fd = -1;
    z->path = strdup(path);
    if (!z->path)
        s = uw__no_memory(err, path, strlen(path) + 1);
    else
        s = open_any(z, max_bytes ? max_bytes : DEFAULT_MAX_BYTES, err);
    if (s)
        uw__npz_close(z);
    else
        *out = z;
    return s;
}

void uw__npz_close(uw_npz *npz) {
    if (!npz) return;
    for (int32_t i = 0; i < npz->count && npz->decoded; i++) {
        free(npz->decoded[i].data);
        free(npz->decoded[i].strings);
        free(npz->decoded[i].letters);
    }
    free(npz->decoded);
    uw__zip_free(npz->members, npz->count);
    if (npz->fd >= 0) close(npz->fd);
    free(npz->path);
    free(npz);
}

int32_t uw__npz_count(const uw_npz *npz) {
    return npz->count;
}

const char *uw__npz_name(const uw_npz *npz, int32_t i) {
    return npz->members[i].name;
}

int32_t uw__npz_find(const uw_npz *npz, const char *name) {
    for (int32_t i = 0; i < npz->count; i++) {
        if (!strcmp(npz->members[i].name, name)) return i;
    }
    return -1;
}

static uw_status read_header(const uw_npz *z, int32_t i, uw_zip_stream *stream, uw_npy_info *info,
                             uw_err *err) {
    unsigned char prefix[UW_NPY_PREFIX];
    size_t begin, length;
    uw_status s = uw__zip_get(stream, prefix, sizeof prefix, err);
    if (!s) s = uw__npy_prefix(z->path, prefix, &begin, &length, err);
    if (s) return s;
    if (begin + length < sizeof prefix) {
        return uw__refuse(err, UW_EFORMAT, z->path, "bad_npy_header", FIX_COPY,
                          "member %.60s: the header is too short", z->members[i].name);
    }
    char *text = malloc(length + 1);
    if (!text) return uw__no_memory(err, z->path, length + 1);
    const size_t had = sizeof prefix - begin; /* version 1.0 begins two bytes earlier */
    memcpy(text, prefix + begin, had);
    s = uw__zip_get(stream, text + had, length - had, err);
    text[length] = '\0';
    if (!s) s = uw__npy_parse(z->path, text, length, info, err);
    free(text);
    if (!s && info->data_bytes != z->members[i].unpacked - begin - length) {
        s = uw__refuse(err, UW_EFORMAT, z->path, "size_mismatch", FIX_COPY,
                       "member %.60s: wanted %llu bytes for its shape, got %llu",
                       z->members[i].name, (unsigned long long)info->data_bytes,
                       (unsigned long long)(z->members[i].unpacked - begin - length));
    }
    return s;
}

static void *aligned(uint64_t bytes) {
    const uint64_t size = (bytes + PLACE) / PLACE * PLACE;
    return size <= SIZE_MAX ? aligned_alloc(PLACE, (size_t)size) : NULL;
}

/* Turn column-major data into row-major: walk the output in order, odometer over its indices. */
static void to_row_major(const uw_npy_info *info, size_t element, const unsigned char *src,
                         unsigned char *dst) {
    int64_t index[UW_MAX_DIMS] = {0}, stride[UW_MAX_DIMS];
    size_t at = 0;
    int64_t step = 1;
    for (int32_t d = 0; d < info->num_dims; d++) {
        stride[d] = step;
        step *= info->shape[d];
    }
    for (int64_t i = 0; i < info->count; i++) {
        memcpy(dst, src + at * element, element);
        dst += element;
        for (int32_t d = info->num_dims - 1; d >= 0; d--) {
            at += (size_t)stride[d];
            if (++index[d] < info->shape[d]) break;
            at -= (size_t)(stride[d] * info->shape[d]);
            index[d] = 0;
        }
    }
}

static uw_status decode(uw_npz *z, int32_t i, uw_err *err) {
    decoded *out = &z->decoded[i];
    uw_zip_stream *stream = NULL;
    uw_npy_info info;
    void *data = NULL, *turned = NULL;
    if (out->data) return UW_OK;
    uw_status s = uw__zip_open(z->fd, z->path, &z->members[i], &stream, err);
    if (!s) s = read_header(z, i, stream, &info, err);
    if (s) goto done;
    data = aligned(info.data_bytes);
    if (!data) {
        s = uw__no_memory(err, z->path, info.data_bytes);
        goto done;
    }
    s = uw__zip_get(stream, data, info.data_bytes, err);
    if (!s) s = uw__zip_end(stream, z->alone, err);
    if (s) goto done;
    if (info.fortran && info.num_dims > 1 && info.count) {
        turned = aligned(info.data_bytes);
        if (!turned) {
            s = uw__no_memory(err, z->path, info.data_bytes);
            goto done;
        }
        to_row_major(&info, (size_t)(info.data_bytes / (uint64_t)info.count), data, turned);
        free(data);
        data = turned;
    }
    out->data = data;
    out->info = info;
    data = NULL;
done:
    free(data);
    uw__zip_close(stream);
    return s;
}

uw_status uw__npz_get(uw_npz *npz, int32_t i, uw_tensor *out, uw_err *err) {
    const uw_status s = decode(npz, i, err);
    if (s) return s;
    const decoded *d = &npz->decoded[i];
    if (d->info.letters) {
        return uw__refuse(err, UW_EUNSUPPORTED, npz->path, "text_array",
                          "leave it out, or use numbers", "member %.60s: wanted numbers, got texts",
                          npz->members[i].name);
    }
    *out = (uw_tensor){.name = npz->members[i].name,
                       .dtype = d->info.dtype,
                       .num_dims = d->info.num_dims,
                       .data = d->data};
    memcpy(out->shape, d->info.shape, sizeof out->shape);
    return UW_OK;
}

/* ---- in order ----------------------------------------------------------------------------- */

struct uw_npz_stream {
    uw_zip_stream *zip; /* owned */
    uint64_t left;      /* bytes of the array still to come */
    bool alone;
};

uw_status uw__npz_stream_open(uw_npz *npz, int32_t i, uw_tensor *out, uw_npz_stream **stream,
                              uw_err *err) {
    uw_npy_info info;
    uw_npz_stream *st = calloc(1, sizeof *st);
    if (!st) return uw__no_memory(err, npz->path, sizeof *st);
    uw_status s = uw__zip_open(npz->fd, npz->path, &npz->members[i], &st->zip, err);
    if (!s) s = read_header(npz, i, st->zip, &info, err);
    if (!s) {
        *out = (uw_tensor){
            .name = npz->members[i].name, .dtype = info.dtype, .num_dims = info.num_dims};
        memcpy(out->shape, info.shape, sizeof out->shape);
    }
    if (!s && (info.letters || (info.fortran && info.num_dims > 1))) {
        s = uw__refuse(err, UW_EUNSUPPORTED, npz->path,
                       info.letters ? "text_array" : "column_major",
                       "save it again with numpy.ascontiguousarray",
                       "member %.60s: wanted numbers in row-major order", npz->members[i].name);
    }
    if (s) {
        uw__npz_stream_close(st);
        return s;
    }
    st->left = info.data_bytes;
    st->alone = npz->alone;
    *stream = st;
    return UW_OK;
}

uw_status uw__npz_stream_read(uw_npz_stream *stream, void *out, uint64_t bytes, uw_err *err) {
    UW_ASSERT(bytes <= stream->left);
    uw_status s = uw__zip_get(stream->zip, out, bytes, err);
    if (s) return s;
    stream->left -= bytes;
    return stream->left ? UW_OK : uw__zip_end(stream->zip, stream->alone, err);
}

void uw__npz_stream_close(uw_npz_stream *stream) {
    if (!stream) return;
    uw__zip_close(stream->zip);
    free(stream);
}

static uint32_t letter_at(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* UTF-32, padded with NULs, to UTF-8: never more bytes than it has, plus one NUL per string. */
static uw_status decode_strings(uw_npz *z, int32_t i, uw_err *err) {
    decoded *d = &z->decoded[i];
    const size_t n = (size_t)d->info.count, width = (size_t)d->info.letters;
    const unsigned char *p = d->data;
    char *letters = malloc((size_t)d->info.data_bytes + n + 1), *at = letters;
    const char **strings = malloc((n + 1) * sizeof *strings);
    uw_status s = UW_OK;
    if (!letters || !strings) s = uw__no_memory(err, z->path, d->info.data_bytes);
    for (size_t k = 0; k < n && !s; k++, p += 4 * width) {
        strings[k] = at;
        for (size_t j = 0; j < width; j++) {
            const uint32_t code = letter_at(p + 4 * j);
            if (!code) break;
            const size_t bytes = uw__utf8_put(at, code);
            at += bytes;
            if (bytes) continue;
            s = uw__refuse(err, UW_EFORMAT, z->path, "bad_text", FIX_COPY,
                           "member %.60s: wanted letters of Unicode", z->members[i].name);
            break;
        }
        *at++ = '\0';
    }
    if (s) {
        free(letters);
        free(strings);
        return s;
    }
    d->letters = letters;
    d->strings = strings;
    return UW_OK;
}

uw_status uw__npz_strings(uw_npz *npz, int32_t i, const char ***strings, int64_t *count,
                          uw_err *err) {
    decoded *d = &npz->decoded[i];
    uw_status s = decode(npz, i, err);
    if (s) return s;
    if (!d->info.letters) {
        return uw__refuse(err, UW_EUNSUPPORTED, npz->path, "not_text", "use an array of texts",
                          "member %.60s: wanted texts ('<U'), got numbers", npz->members[i].name);
    }
    if (!d->strings && (s = decode_strings(npz, i, err))) return s;
    *strings = d->strings;
    *count = d->info.count;
    return UW_OK;
}
