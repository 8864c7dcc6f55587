/* Writing NPZ archives: an array's header and its numbers as one stored member. */
#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "npy_header.h"
#include "zip.h"

enum { MAX_NAME = 1000, HEADER = 512 };

struct uw_npz_writer {
    uw_zip_writer *zip; /* owned */
    char path[1024];    /* for messages */
};

uw_status uw__npz_writer_open(const char *path, bool overwrite, uw_npz_writer **out, uw_err *err) {
    *out = NULL;
    uw_npz_writer *w = calloc(1, sizeof *w);
    if (!w) return uw__no_memory(err, path, sizeof *w);
    snprintf(w->path, sizeof w->path, "%s", path);
    const uw_status s = uw__zip_writer_open(path, overwrite, &w->zip, err);
    if (s)
        free(w);
    else
        *out = w;
    return s;
}

/* Bytes of the data; false when the shape cannot be. */
static bool data_bytes(uw_dtype dtype, int32_t num_dims, const int64_t *shape, uint64_t *bytes) {
    *bytes = uw_dtype_bytes(dtype);
    for (int32_t i = 0; i < num_dims; i++) {
        if (shape[i] < 0 || !uw__mul_u64(*bytes, (uint64_t)shape[i], bytes)) return false;
    }
    return true;
}

uw_status uw__npz_writer_begin(uw_npz_writer *w, const char *name, uw_dtype dtype, int32_t num_dims,
                               const int64_t *shape, uw_err *err) {
    char header[HEADER], member[MAX_NAME + 8];
    uint64_t bytes = 0;
    const size_t n = uw__npy_build(header, sizeof header, dtype, num_dims, shape);
    if (!n || !data_bytes(dtype, num_dims, shape, &bytes) || bytes > UINT64_MAX - n) {
        return uw__refuse(
            err, UW_EINVAL, w->path, "bad_shape", "write it as F32",
            "member %.60s: wanted a type and a shape that NPY has, got %s with %d axes", name,
            uw_dtype_str(dtype), num_dims);
    }
    if (!*name || strlen(name) > MAX_NAME) {
        return uw__refuse(err, UW_EINVAL, w->path, "unsafe_name", "use another name",
                          "wanted a name of 1 to %d bytes", MAX_NAME);
    }
    snprintf(member, sizeof member, "%s.npy", name);
    const uw_status s = uw__zip_writer_begin(w->zip, member, n + bytes, 1, err);
    return s ? s : uw__zip_writer_data(w->zip, header, n, err);
}

uw_status uw__npz_writer_data(uw_npz_writer *w, const void *data, size_t bytes, uw_err *err) {
    return uw__zip_writer_data(w->zip, data, bytes, err);
}

uw_status uw__npz_writer_close(uw_npz_writer *w, uw_err *err) {
    const uw_status s = uw__zip_writer_close(w->zip, err);
    free(w);
    return s;
}

void uw__npz_writer_abort(uw_npz_writer *w) {
    if (!w) return;
    uw__zip_writer_abort(w->zip);
    free(w);
}
