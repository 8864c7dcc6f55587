/* HDF5, the reference's layout: every column one array of the root group, all episodes one after
 * another, ep_len and ep_offset saying where each begins.  What HDF5 itself cannot say (units, the
 * recording's facts) is a text attribute of the root group, which other readers do not look at.
 *
 * Everything that a file can be wrong about is found before the first row is copied, except for
 * chunks that do not decode. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "fileio.h"
#include "h5.h"
#include "internal.h"
#include "source.h"

enum { MAX_EPISODES = 1 << 24, NAN_ROWS = 4096 };

static const char len_name[] = "ep_len", offset_name[] = "ep_offset", meta_name[] = "umwelt_meta";

/* ---- in ----------------------------------------------------------------------------------- */

/* A file being read; array[i] is the file's number of column i. */
typedef struct inlet {
    uw_h5 *h5;
    int32_t array[UW_MAX_COLUMNS];
} inlet;

static uw_status refuse(const uw__source *source, uw_status status, const char *fix, uw_err *err,
                        const char *format, ...) UW_PRINTF(5, 6);
static uw_status refuse(const uw__source *source, uw_status status, const char *fix, uw_err *err,
                        const char *format, ...) {
    char detail[192];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    uw_fail(err, status, "%s: %s", source->name, detail);
    uw_err_fix(err, "%s", fix);
    return status;
}

static uw_status hdf5_rows(uw__source *source, int32_t column, int64_t episode, int64_t first,
                           int64_t count, void *out, uw_err *err) {
    const inlet *in = source->self;
    return uw__h5_rows(in->h5, in->array[column], source->starts[episode] + first, count, out, err);
}

uw_status uw__hdf5_source_map(uw__source *source, int32_t column, uw_h5_map **out, uw_err *err) {
    const inlet *in = source->self;
    return uw__h5_map_new(in->h5, in->array[column], out, err);
}

static void hdf5_close(uw__source *source) {
    inlet *in = source->self;
    uw__h5_close(in->h5);
    free(in);
}

static bool is_pixels(const char *name) {
    return !strcmp(name, "pixels");
}

static void shape_text(const uw_h5_array *a, char *text, size_t size) {
    size_t n = (size_t)snprintf(text, size, "(");
    for (int32_t d = 0; d < a->num_dims && n < size; d++) {
        n += (size_t)snprintf(text + n, size - n, "%s%" PRId64, d ? ", " : "", a->shape[d]);
    }
    if (n < size) snprintf(text + n, size - n, ")");
}

/* Take one array as a column; texts are left out. */
static uw_status take_array(uw_context *ctx, uw__source *source, int32_t i, int64_t *rows,
                            uw_err *err) {
    inlet *in = source->self;
    uw_h5_array a;
    char shape[96];
    uw_status s = uw__h5_array(in->h5, i, &a, err);
    if (s) return s;
    const bool text = !strcmp(a.type, "string");
    if (text && !is_pixels(a.name)) {
        if (ctx)
            uw__log(ctx, UW_LOG_WARN, "%s: '%s' holds texts and is left out", source->name, a.name);
        return UW_OK;
    }
    if (!a.numbers || (is_pixels(a.name) && a.dtype != UW_DTYPE_U8)) {
        return refuse(source, UW_ESHAPE, "convert the array to one of these types in h5py", err,
                      "%s has type %s, expected %s", a.name, a.type,
                      is_pixels(a.name) ? "uint8"
                                        : "uint8, int32, int64, float32, float64 or bool");
    }
    shape_text(&a, shape, sizeof shape);
    if (is_pixels(a.name) && (a.num_dims != 4 || (a.shape[3] != 1 && a.shape[3] != 3))) {
        return refuse(source, UW_ESHAPE, "store pictures as rows x height x width x channels", err,
                      "%s has rank %d %s, expected 4 (rows, height, width, 1|3)", a.name,
                      a.num_dims, shape);
    }
    if (a.num_dims < 1) {
        return refuse(source, UW_ESHAPE, "store one entry per row", err,
                      "%s has rank 0, expected 1 to 5 (rows, ...)", a.name);
    }
    if (a.shape[0] > *rows) *rows = a.shape[0];
    s = uw__source_column(source, a.name, a.dtype, a.num_dims - 1, a.shape + 1, err);
    if (!s) in->array[source->num_columns - 1] = i;
    return s;
}

/* Read a whole array of integers. */
static uw_status integers(uw__source *source, const char *name, int64_t **out, int64_t *count,
                          uw_err *err) {
    const inlet *in = source->self;
    uw_h5_array a;
    const int32_t i = uw__h5_find(in->h5, name);
    if (i < 0) {
        return refuse(source, UW_EFORMAT, "rows of each episode, and their running sum from 0", err,
                      "required dataset %s is missing", name);
    }
    uw_status s = uw__h5_array(in->h5, i, &a, err);
    if (s) return s;
    if (!a.numbers || a.num_dims != 1 || (a.dtype != UW_DTYPE_I32 && a.dtype != UW_DTYPE_I64)) {
        return refuse(source, UW_ESHAPE, "write it as int32 or int64", err,
                      "%s has type %s and rank %d, expected int32 or int64 of rank 1", name, a.type,
                      a.num_dims);
    }
    if (a.shape[0] > MAX_EPISODES) {
        return refuse(source, UW_EFORMAT, "split the recording", err,
                      "%s has %" PRId64 " entries, expected at most %d", name, a.shape[0],
                      MAX_EPISODES);
    }
    int64_t *values = calloc((size_t)a.shape[0] + 1, sizeof *values);
    if (!values) return uw__no_memory(err, source->name, (uint64_t)a.shape[0] * 8);
    s = uw__h5_rows(in->h5, i, 0, a.shape[0], values, err);
    for (int64_t k = a.shape[0] - 1; !s && a.dtype == UW_DTYPE_I32 && k >= 0; k--) {
        int32_t narrow; /* widened in place, from behind */
        memcpy(&narrow, (const unsigned char *)values + (size_t)k * sizeof narrow, sizeof narrow);
        values[k] = narrow;
    }
    if (s) {
        free(values);
        return s;
    }
    *out = values;
    *count = a.shape[0];
    return UW_OK;
}

/* Episodes must follow each other without gap or overlap: anything else hides a mistake. */
static uw_status check_episodes(const uw__source *source, const int64_t *len, const int64_t *offset,
                                int64_t count, int64_t rows, uw_err *err) {
    static const char fix[] = "ep_len: rows of each episode; ep_offset: their running sum from 0";
    int64_t end = 0;
    for (int64_t e = 0; e < count; e++) {
        if (len[e] < 0 || offset[e] < 0) {
            return refuse(source, UW_EFORMAT, fix, err, "%s[%" PRId64 "] = %" PRId64 " is negative",
                          len[e] < 0 ? len_name : offset_name, e, len[e] < 0 ? len[e] : offset[e]);
        }
        if (len[e] > rows) {
            return refuse(source, UW_EFORMAT, fix, err,
                          "ep_len[%" PRId64 "] + ep_offset[%" PRId64
                          "] overflows or exceeds %" PRId64 " rows",
                          e, e, rows);
        }
        if (offset[e] > rows - len[e]) {
            return refuse(source, UW_EFORMAT, fix, err,
                          "ep_offset[%" PRId64 "] + ep_len[%" PRId64 "] = %" PRIu64
                          " exceeds %" PRId64 " rows",
                          e, e, (uint64_t)offset[e] + (uint64_t)len[e], rows);
        }
        if (offset[e] < end) {
            int64_t in = e - 1;
            while (in > 0 && offset[in] > offset[e]) in--;
            return refuse(source, UW_EFORMAT, fix, err,
                          "ep_offset[%" PRId64 "] = %" PRId64 " lies inside episode %" PRId64
                          " (rows %" PRId64 "..%" PRId64 ")",
                          e, offset[e], in, offset[in], offset[in] + len[in] - 1);
        }
        if (offset[e] > end) {
            return refuse(source, UW_EFORMAT, fix, err,
                          "ep_offset[%" PRId64 "] = %" PRId64 " leaves rows %" PRId64
                          ".. to no episode",
                          e, offset[e], end);
        }
        end += len[e];
    }
    return UW_OK;
}

static uw_status read_episodes(uw__source *source, int64_t rows, uw_err *err) {
    int64_t *len = NULL, *offset = NULL, count = 0, offsets = 0;
    uw_status s = integers(source, len_name, &len, &count, err);
    if (!s) s = integers(source, offset_name, &offset, &offsets, err);
    if (!s && !count) {
        s = refuse(source, UW_EFORMAT, "record at least one episode", err,
                   "ep_len is empty: no episodes");
    }
    if (!s && count != offsets) {
        s = refuse(source, UW_EFORMAT, "one offset per episode", err,
                   "ep_offset has %" PRId64 " entries but ep_len has %" PRId64, offsets, count);
    }
    if (!s) s = check_episodes(source, len, offset, count, rows, err);
    free(offset);
    if (s) {
        free(len);
        return s;
    }
    return uw__source_lengths(source, len, count, err);
}

static uw_status check_rows(uw__source *source, uw_err *err) {
    const inlet *in = source->self;
    for (int32_t i = 0; i < source->num_columns; i++) {
        uw_h5_array a;
        const uw_status s = uw__h5_array(in->h5, in->array[i], &a, err);
        if (s) return s;
        if (a.shape[0] == source->total_rows) continue;
        return refuse(source, UW_EFORMAT, "every array needs one row per step of all episodes", err,
                      "%s has %" PRId64 " rows but ep_len sums to %" PRId64, a.name, a.shape[0],
                      source->total_rows);
    }
    return UW_OK;
}

static bool row_has_nan(uw_dtype dtype, const unsigned char *row, size_t bytes) {
    for (size_t at = 0; at < bytes; at += uw_dtype_bytes(dtype)) {
        float f32 = 0.0f;
        double f64 = 0.0;
        if (dtype == UW_DTYPE_F32) memcpy(&f32, row + at, sizeof f32);
        if (dtype == UW_DTYPE_F64) memcpy(&f64, row + at, sizeof f64);
        if (isnan(f32) || isnan(f64)) return true;
    }
    return false;
}

/* Only the last row of an episode may have no action: a hole within would be trained on as zeros.
 */
static uw_status check_actions(uw__source *source, uw_err *err) {
    const int32_t column = uw__source_find(source, "action");
    if (column < 0) return UW_OK;
    const uw_dtype dtype = source->columns[column].dtype;
    const size_t size = source->row_bytes[column];
    if ((dtype != UW_DTYPE_F32 && dtype != UW_DTYPE_F64) || size > 65536) return UW_OK;
    unsigned char *rows = malloc(NAN_ROWS * size);
    if (!rows) return uw__no_memory(err, source->name, NAN_ROWS * size);
    uw_status s = UW_OK;
    for (int64_t e = 0; !s && e < source->num_episodes; e++) {
        const int64_t last = source->episode_rows[e] - 1;
        for (int64_t t = 0; !s && t < last; t += NAN_ROWS) {
            const int64_t n = last - t < NAN_ROWS ? last - t : NAN_ROWS;
            s = source->rows(source, column, e, t, n, rows, err);
            for (int64_t k = 0; !s && k < n; k++) {
                if (!row_has_nan(dtype, rows + (size_t)k * size, size)) continue;
                s = refuse(source, UW_EFORMAT, "split the episode there, or fill the action in",
                           err,
                           "action row %" PRId64 " (episode %" PRId64 ", step %" PRId64
                           ") is NaN but is not the last of its episode",
                           source->starts[e] + t + k, e, t + k);
            }
        }
    }
    free(rows);
    return s;
}

uw_status uw__hdf5_source(uw_context *ctx, const char *path, uw__source *out, uw_err *err) {
    int64_t rows = 0;
    inlet *in = calloc(1, sizeof *in);
    if (!in) return uw__no_memory(err, path, sizeof *in);
    out->self = in;
    out->close = hdf5_close;
    out->rows = hdf5_rows;
    uw_status s = uw__h5_open(path, &in->h5, err);
    if (s) return s;
    static const char *const required[] = {len_name, offset_name};
    for (int i = 0; i < 2; i++) {
        if (uw__h5_find(in->h5, required[i]) >= 0) continue;
        return refuse(out, UW_EFORMAT, "rows of each episode, and their running sum from 0", err,
                      "required dataset %s is missing", required[i]);
    }
    for (int32_t i = 0; !s && i < uw__h5_count(in->h5); i++) {
        const char *name = uw__h5_name(in->h5, i);
        if (strcmp(name, len_name) && strcmp(name, offset_name))
            s = take_array(ctx, out, i, &rows, err);
    }
    if (!s) s = read_episodes(out, rows, err);
    if (!s) s = check_rows(out, err);
    const char *meta = NULL;
    if (!s) s = uw__h5_text(in->h5, meta_name, &meta, err);
    if (!s) s = uw__source_meta(out, meta, err);
    if (!s) s = check_actions(out, err);
    return s;
}
