/* NPZ, the field's layout: one array per column with all episodes one after another, ep_len int32
 * and ep_offset int64.  What numpy cannot say (units, the recording's facts, how pictures were
 * stored) goes into one more array, umwelt_meta: the bytes of a JSON text.
 *
 * Export streams.  Import holds the decoded arrays: rows of all columns are needed together, and
 * the members of a compressed archive can only be read from their beginning. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert.h"
#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"
#include "json.h"
#include "npy.h"
#include "recorder.h"

enum { PIECE_BYTES = 1 << 20 };

static const char len_name[] = "ep_len", offset_name[] = "ep_offset", meta_name[] = "umwelt_meta";

static bool reserved(const char *name) {
    return !strcmp(name, len_name) || !strcmp(name, offset_name) || !strcmp(name, meta_name);
}

/* ---- out ---------------------------------------------------------------------------------- */

/* Stream one column of all episodes. */
static uw_status put_column(uw_context *ctx, const uw_dataset *data, uw_npz_writer *w,
                            int32_t column, void *piece, uw_err *err) {
    const uw_column *c = uw_dataset_column(data, column);
    const size_t size = uw__dataset_header(data)->row_bytes[column];
    const int64_t step = size < PIECE_BYTES ? (int64_t)(PIECE_BYTES / size) : 1;
    const int64_t episodes = uw_dataset_episodes(data), columns = uw_dataset_num_columns(data);
    int64_t shape[5] = {uw_dataset_total_rows(data)};
    for (int32_t d = 0; d < c->num_dims; d++) shape[d + 1] = c->shape[d];
    uw_status s = uw__npz_writer_begin(w, c->name, c->dtype, c->num_dims + 1, shape, err);
    for (int64_t e = 0; !s && e < episodes; e++) {
        const int64_t rows = uw_dataset_episode_rows(data, e);
        for (int64_t t = 0; !s && t < rows; t += step) {
            const int64_t n = rows - t < step ? rows - t : step;
            s = uw_dataset_rows(data, column, e, t, n, 1, piece, err);
            if (!s) s = uw__npz_writer_data(w, piece, (size_t)n * size, err);
        }
        if (!s) {
            s = uw__convert_progress(ctx, uw__dataset_name(data), column * episodes + e + 1,
                                     columns * episodes, err);
        }
    }
    return s;
}

static uw_status put_episodes(const uw_dataset *data, uw_npz_writer *w, uw_err *err) {
    const int64_t episodes = uw_dataset_episodes(data);
    int64_t offset = 0;
    uw_status s = uw__npz_writer_begin(w, len_name, UW_DTYPE_I32, 1, &episodes, err);
    for (int64_t e = 0; !s && e < episodes; e++) {
        const int64_t rows = uw_dataset_episode_rows(data, e);
        const int32_t len = (int32_t)rows;
        if (rows > INT32_MAX) {
            return uw__refuse(err, UW_EUNSUPPORTED, uw__dataset_name(data), "too_long",
                              "record shorter episodes",
                              "episode %" PRId64 ": %" PRId64 " rows do not fit ep_len", e, rows);
        }
        s = uw__npz_writer_data(w, &len, sizeof len, err);
    }
    if (!s) s = uw__npz_writer_begin(w, offset_name, UW_DTYPE_I64, 1, &episodes, err);
    for (int64_t e = 0; !s && e < episodes; e++) {
        s = uw__npz_writer_data(w, &offset, sizeof offset, err);
        offset += uw_dataset_episode_rows(data, e);
    }
    return s;
}

static uw_status put_meta(const uw_dataset *data, uw_npz_writer *w, uw_err *err) {
    char key[UW_MAX_COLUMN_NAME + 8];
    uw_json *json = uw__json_new();
    if (json) uw__meta_put(json, uw_dataset_meta_of(data));
    for (int32_t i = 0; json && i < uw_dataset_num_columns(data); i++) {
        const uw_column *c = uw_dataset_column(data, i);
        snprintf(key, sizeof key, "unit:%s", c->name);
        if (c->unit[0]) uw__json_set_str(json, key, c->unit);
        snprintf(key, sizeof key, "codec:%s", c->name);
        if (uw__column_is_frames(c)) uw__json_set_i64(json, key, (int64_t)c->codec);
    }
    char *text = json ? uw__json_dump(json) : NULL;
    uw__json_free(json);
    if (!text) return uw__no_memory(err, uw__dataset_name(data), 1);
    const int64_t n = (int64_t)strlen(text);
    uw_status s = uw__npz_writer_begin(w, meta_name, UW_DTYPE_U8, 1, &n, err);
    if (!s) s = uw__npz_writer_data(w, text, (size_t)n, err);
    free(text);
    return s;
}

uw_status uw__npz_export(uw_context *ctx, const uw_dataset *data, const char *to, bool overwrite,
                         uw_err *err) {
    uw_npz_writer *w = NULL;
    size_t piece_bytes = PIECE_BYTES;
    for (int32_t i = 0; i < uw_dataset_num_columns(data); i++) {
        const char *name = uw_dataset_column(data, i)->name;
        const size_t size = uw__dataset_header(data)->row_bytes[i];
        if (size > piece_bytes) piece_bytes = size;
        if (!reserved(name)) continue;
        uw_fail(err, UW_EINVAL, "%s: column '%s' has a name that NPZ needs for itself",
                uw__dataset_name(data), name);
        uw_err_fix(err, "rename the column");
        return UW_EINVAL;
    }
    void *piece = malloc(piece_bytes);
    if (!piece) return uw__no_memory(err, uw__dataset_name(data), piece_bytes);
    uw_status s = uw__npz_writer_open(to, overwrite, &w, err);
    for (int32_t i = 0; !s && i < uw_dataset_num_columns(data); i++) {
        s = put_column(ctx, data, w, i, piece, err);
    }
    if (!s) s = put_episodes(data, w, err);
    if (!s) s = put_meta(data, w, err);
    if (s)
        uw__npz_writer_abort(w);
    else
        s = uw__npz_writer_close(w, err);
    free(piece);
    return s;
}

/* ---- in ----------------------------------------------------------------------------------- */

/* An archive, read as columns. */
typedef struct archive {
    const char *name;
    uw_npz *npz;
    uw_json *json; /* umwelt_meta, or NULL */
    uw_column columns[UW_MAX_COLUMNS];
    const unsigned char *cells[UW_MAX_COLUMNS]; /* [rows, ...], the archive's */
    size_t row_bytes[UW_MAX_COLUMNS];
    int32_t num_columns;
    int64_t num_episodes, rows;
    int64_t *len; /* [num_episodes], owned */
} archive;

static uw_status refuse(const archive *a, const char *what, const char *fix, uw_err *err) {
    uw_fail(err, UW_EFORMAT, "%s: %s", a->name, what);
    uw_err_fix(err, "%s", fix);
    return UW_EFORMAT;
}

static bool integers(const uw_tensor *t) {
    return t->num_dims == 1 && (t->dtype == UW_DTYPE_I32 || t->dtype == UW_DTYPE_I64);
}

static int64_t integer_at(const uw_tensor *t, int64_t i) {
    int32_t narrow;
    int64_t wide;
    if (t->dtype == UW_DTYPE_I64) {
        memcpy(&wide, (const unsigned char *)t->data + (size_t)i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const unsigned char *)t->data + (size_t)i * sizeof narrow, sizeof narrow);
    return narrow;
}

/* Episodes must follow each other without gap or overlap: anything else hides a mistake. */
static uw_status read_episodes(archive *a, uw_err *err) {
    static const char fix[] =
        "ep_len: int32 rows of each episode; ep_offset: their running sum from 0";
    uw_tensor len, offset;
    const int32_t at = uw__npz_find(a->npz, len_name), off = uw__npz_find(a->npz, offset_name);
    if (at < 0)
        return refuse(a, "no array ep_len", "numpy.savez(out, ..., ep_len=[rows of each episode])",
                      err);
    uw_status s = uw__npz_get(a->npz, at, &len, err);
    if (s) return s;
    if (!integers(&len)) return refuse(a, "ep_len, wanted int32 or int64 of rank 1", fix, err);
    a->num_episodes = len.shape[0];
    a->len = calloc((size_t)a->num_episodes + 1, sizeof *a->len);
    if (!a->len) return uw__no_memory(err, a->name, (uint64_t)a->num_episodes * sizeof *a->len);
    if (off >= 0 && (s = uw__npz_get(a->npz, off, &offset, err))) return s;
    if (off >= 0 && (!integers(&offset) || offset.shape[0] != a->num_episodes)) {
        return refuse(a, "ep_offset, wanted one integer per entry of ep_len", fix, err);
    }
    for (int64_t e = 0; e < a->num_episodes; e++) {
        a->len[e] = integer_at(&len, e);
        const bool placed = off < 0 || integer_at(&offset, e) == a->rows;
        if (a->len[e] < 0 || a->len[e] > INT64_MAX - a->rows || !placed) {
            uw_fail(err, UW_EFORMAT,
                    "%s: episode %" PRId64 ": ep_len %" PRId64 " at offset %" PRId64
                    ", wanted 0 or more at %" PRId64,
                    a->name, e, a->len[e], off < 0 ? a->rows : integer_at(&offset, e), a->rows);
            uw_err_fix(err, "%s", fix);
            return UW_EFORMAT;
        }
        a->rows += a->len[e];
    }
    return UW_OK;
}

static uw_status read_meta(archive *a, uw_err *err) {
    uw_tensor t;
    const int32_t at = uw__npz_find(a->npz, meta_name);
    if (at < 0) return UW_OK;
    uw_status s = uw__npz_get(a->npz, at, &t, err);
    if (s) return s;
    if (t.dtype != UW_DTYPE_U8 || t.num_dims != 1) {
        return refuse(a, "umwelt_meta, wanted uint8 of rank 1", "leave this array out", err);
    }
    char *text = malloc((size_t)t.shape[0] + 1);
    if (!text) return uw__no_memory(err, a->name, (uint64_t)t.shape[0]);
    if (t.shape[0]) memcpy(text, t.data, (size_t)t.shape[0]);
    text[t.shape[0]] = '\0';
    s = uw__json_parse(a->name, text, &a->json, err);
    free(text);
    return s;
}

static uw_status read_column(archive *a, int32_t member, uw_err *err) {
    char key[UW_MAX_COLUMN_NAME + 8];
    uw_tensor t;
    int64_t codec;
    const char *name = uw__npz_name(a->npz, member);
    uw_status s = uw__npz_get(a->npz, member, &t, err);
    if (s) return s;
    if (a->num_columns == UW_MAX_COLUMNS || strlen(name) >= UW_MAX_COLUMN_NAME) {
        return uw__refuse(err, UW_EFORMAT, a->name, "too_much", "leave arrays out, or rename them",
                          "array '%.80s': wanted at most %d with names of at most 63 bytes", name,
                          UW_MAX_COLUMNS);
    }
    if (t.num_dims < 1 || t.num_dims > 5 || t.shape[0] != a->rows) {
        uw_fail(err, UW_EFORMAT,
                "%s: array '%s': wanted rank 1 to 5 and %" PRId64
                " rows as ep_len says, got %d and %" PRId64,
                a->name, name, a->rows, t.num_dims, t.num_dims < 1 ? 0 : t.shape[0]);
        uw_err_fix(err, "every array needs one row per step of all episodes");
        return UW_EFORMAT;
    }
    uw_column *c = &a->columns[a->num_columns];
    *c = (uw_column){.dtype = t.dtype, .num_dims = t.num_dims - 1};
    memcpy(c->name, name, strlen(name));
    size_t bytes = uw_dtype_bytes(t.dtype);
    for (int32_t d = 0; d < c->num_dims; d++) {
        c->shape[d] = t.shape[d + 1];
        bytes *= (size_t)t.shape[d + 1]; /* the reader holds this many bytes per row */
    }
    c->codec = uw__default_codec(c);
    snprintf(key, sizeof key, "codec:%s", name);
    if (a->json && uw__json_get_i64(a->json, key, &codec) && codec >= 0 && codec <= 2) {
        c->codec = (uw_codec)codec;
    }
    snprintf(key, sizeof key, "unit:%s", name);
    const char *unit = a->json ? uw__json_get_str(a->json, key) : NULL;
    if (unit) snprintf(c->unit, sizeof c->unit, "%s", unit);
    a->cells[a->num_columns] = t.data;
    a->row_bytes[a->num_columns++] = bytes;
    return UW_OK;
}

/* Arrays may take half of the machine's memory: beyond that, inflating them is the end of it. */
static uint64_t memory_cap(void) {
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : (uint64_t)1 << 32;
}

static uw_status record(const archive *a, uw_context *ctx, const char *to, bool overwrite,
                        uw_err *err) {
    uw_dataset_meta meta;
    uw_recorder *rec = NULL;
    int64_t row = 0;
    uw__meta_get(a->json, &meta);
    uw_status s = uw__recorder_stage(to, a->columns, a->num_columns, &meta, overwrite, &rec, err);
    for (int64_t e = 0; !s && e < a->num_episodes; e++) {
        const void *cells[UW_MAX_COLUMNS];
        for (int32_t i = 0; i < a->num_columns; i++) {
            cells[i] = a->cells[i] + (size_t)row * a->row_bytes[i];
        }
        s = uw_recorder_episode(rec, ctx, cells, a->len[e], err);
        row += a->len[e];
        if (!s) s = uw__convert_progress(ctx, to, e + 1, a->num_episodes, err);
    }
    if (!s) {
        s = uw_recorder_close(rec, err);
        rec = NULL;
    }
    uw__recorder_discard(rec);
    return s;
}

uw_status uw__npz_import(uw_context *ctx, const char *from, const char *to, bool overwrite,
                         uw_err *err) {
    archive *a = calloc(1, sizeof *a);
    if (!a) return uw__no_memory(err, from, sizeof *a);
    a->name = uw__path_tail(from);
    uw_status s = uw__npz_open(from, memory_cap(), &a->npz, err);
    if (!s) s = read_episodes(a, err);
    if (!s) s = read_meta(a, err);
    for (int32_t i = 0; !s && i < uw__npz_count(a->npz); i++) {
        if (!reserved(uw__npz_name(a->npz, i))) s = read_column(a, i, err);
    }
    if (!s && !a->num_columns) {
        s = refuse(a, "no columns beside ep_len", "add the arrays that were observed", err);
    }
    if (!s) s = record(a, ctx, to, overwrite, err);
    uw__json_free(a->json);
    free(a->len);
    uw__npz_close(a->npz);
    free(a);
    return s;
}
