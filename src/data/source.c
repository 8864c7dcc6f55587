/* What all sources share, the view of a dataset, and the way into a dataset. */
#include "source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"
#include "json.h"
#include "recorder.h"
#include "store.h"

enum { PIECE_BYTES = 8 << 20 };

/* ---- building ----------------------------------------------------------------------------- */

uw_status uw__source_column(uw__source *source, const char *name, uw_dtype dtype, int32_t num_dims,
                            const int64_t *shape, uw_err *err) {
    if (source->num_columns == UW_MAX_COLUMNS || strlen(name) >= UW_MAX_COLUMN_NAME) {
        return uw__refuse(err, UW_EFORMAT, source->name, "too_much",
                          "leave arrays out, or rename them",
                          "array '%.80s': wanted at most %d with names of at most 63 bytes", name,
                          UW_MAX_COLUMNS);
    }
    uw_column *c = &source->columns[source->num_columns];
    *c = (uw_column){.dtype = dtype, .num_dims = num_dims};
    memcpy(c->name, name, strlen(name));
    uint64_t bytes = uw_dtype_bytes(dtype);
    for (int32_t d = 0; d < num_dims && d < 4; d++) {
        c->shape[d] = shape[d];
        if (shape[d] < 1 || (uint64_t)shape[d] > UW__ROW_BYTES_MAX / bytes)
            bytes = UW__ROW_BYTES_MAX + 1ull;
        if (bytes <= UW__ROW_BYTES_MAX) bytes *= (uint64_t)shape[d];
    }
    if (num_dims < 0 || num_dims > 4 || bytes > UW__ROW_BYTES_MAX) {
        return uw__refuse(
            err, UW_ESHAPE, source->name, "too_much", "leave this array out",
            "array '%.63s': wanted rows of 0 to 4 dimensions of at least 1, at most %d MB", name,
            UW__ROW_BYTES_MAX >> 20);
    }
    c->codec = uw__default_codec(c);
    source->row_bytes[source->num_columns++] = (size_t)bytes;
    return UW_OK;
}

uw_status uw__source_lengths(uw__source *source, int64_t *lengths, int64_t count, uw_err *err) {
    free(source->lengths);
    free(source->starts);
    source->lengths = lengths;
    source->starts = malloc(((size_t)count + 1) * sizeof *source->starts);
    if (!source->starts) return uw__no_memory(err, source->name, (uint64_t)count * 8);
    source->starts[0] = 0;
    for (int64_t e = 0; e < count; e++) source->starts[e + 1] = source->starts[e] + lengths[e];
    source->episode_rows = lengths;
    source->num_episodes = count;
    source->total_rows = source->starts[count];
    return UW_OK;
}

uw_status uw__source_meta(uw__source *source, const char *text, uw_err *err) {
    char key[UW_MAX_COLUMN_NAME + 8];
    char *copy = text ? strdup(text) : NULL;
    uw_status s = UW_OK;
    if (text && !copy) return uw__no_memory(err, source->name, strlen(text));
    if (copy) s = uw__json_parse(source->name, copy, &source->json, err);
    free(copy);
    if (s) return s;
    uw__meta_get(source->json, &source->meta);
    for (int32_t i = 0; source->json && i < source->num_columns; i++) {
        uw_column *c = &source->columns[i];
        int64_t codec;
        snprintf(key, sizeof key, "codec:%s", c->name);
        /* Numbers are here now: coding them as JPEG again would change them. */
        if (uw__json_get_i64(source->json, key, &codec) && codec == UW_CODEC_RAW)
            c->codec = UW_CODEC_RAW;
        snprintf(key, sizeof key, "unit:%s", c->name);
        const char *unit = uw__json_get_str(source->json, key);
        if (unit) snprintf(c->unit, sizeof c->unit, "%s", unit);
    }
    return UW_OK;
}

char *uw__source_meta_text(const uw__source *source) {
    char key[UW_MAX_COLUMN_NAME + 8];
    uw_json *json = uw__json_new();
    if (!json) return NULL;
    uw__meta_put(json, &source->meta);
    for (int32_t i = 0; i < source->num_columns; i++) {
        const uw_column *c = &source->columns[i];
        snprintf(key, sizeof key, "unit:%s", c->name);
        if (c->unit[0]) uw__json_set_str(json, key, c->unit);
        snprintf(key, sizeof key, "codec:%s", c->name);
        if (uw__column_is_frames(c)) uw__json_set_i64(json, key, (int64_t)c->codec);
    }
    char *text = uw__json_dump(json);
    uw__json_free(json);
    return text;
}

int32_t uw__source_find(const uw__source *source, const char *name) {
    for (int32_t i = 0; i < source->num_columns; i++) {
        if (!strcmp(source->columns[i].name, name)) return i;
    }
    return -1;
}

int64_t uw__source_piece(const uw__source *source) {
    size_t bytes = 0;
    for (int32_t i = 0; i < source->num_columns; i++) bytes += source->row_bytes[i];
    const int64_t rows = (int64_t)(PIECE_BYTES / (bytes + 1));
    return rows < 1 ? 1 : rows > UW__CHUNK_ROWS_MAX ? UW__CHUNK_ROWS_MAX : rows;
}

void uw__source_close(uw__source *source) {
    if (!source) return;
    if (source->close) source->close(source);
    uw__json_free(source->json);
    free(source->lengths);
    free(source->starts);
    free(source);
}

/* ---- a dataset ---------------------------------------------------------------------------- */

static uw_status dataset_rows(uw__source *source, int32_t column, int64_t episode, int64_t first,
                              int64_t count, void *out, uw_err *err) {
    return uw_dataset_rows(source->self, column, episode, first, count, 1, out, err);
}

static uw_status dataset_frame(uw__source *source, int32_t column, int64_t episode, int64_t row,
                               const void **data, size_t *bytes, uw_err *err) {
    return uw__dataset_stored(source->self, column, episode, row, data, bytes, err);
}

void uw__source_view(const uw_dataset *data, uw__source *out) {
    const uw__header *h = uw__dataset_header(data);
    *out = (uw__source){.name = uw__dataset_name(data),
                        .num_columns = h->num_columns,
                        .meta = h->meta,
                        .num_episodes = uw_dataset_episodes(data),
                        .total_rows = uw_dataset_total_rows(data),
                        .episode_rows = uw__dataset_lengths(data),
                        .rows = dataset_rows,
                        .frame = dataset_frame,
                        .self = (void *)(uintptr_t)data}; /* only read through */
    memcpy(out->columns, h->columns, sizeof out->columns);
    memcpy(out->row_bytes, h->row_bytes, sizeof out->row_bytes);
}

static void dataset_close(uw__source *source) {
    uw_dataset_close(source->self);
}

static uw_status dataset_source(const char *path, uw__source *out, uw_err *err) {
    uw_dataset *data = NULL;
    const uw_status s = uw_dataset_open(path, &data, err);
    if (s) return s;
    uw__source_view(data, out);
    out->close = dataset_close;
    return UW_OK;
}

uw_status uw__source_open(uw_context *ctx, const char *path, uw_format format, uw__source **out,
                          uw_err *err) {
    uw_status s = UW_EUNSUPPORTED;
    *out = NULL;
    uw__source *source = calloc(1, sizeof *source);
    if (!source) return uw__no_memory(err, path, sizeof *source);
    source->name = uw__path_tail(path);
    uw__meta_get(NULL, &source->meta);
    if (format == UW_FORMAT_DATASET)
        s = dataset_source(path, source, err);
    else if (format == UW_FORMAT_HDF5)
        s = uw__hdf5_source(ctx, path, source, err);
    else if (format == UW_FORMAT_FOLDER)
        s = uw__folder_source(ctx, path, source, err);
    else if (format == UW_FORMAT_NPZ)
        s = uw__npz_source(ctx, path, source, err);
    else
        uw_fail(err, s, "%s: wanted a dataset, got %s", source->name, uw_format_str(format));
    if (!s && !source->num_columns) {
        uw_fail(err, UW_EFORMAT, "%s: no columns beside ep_len", source->name);
        uw_err_fix(err, "add the arrays that were observed");
        s = UW_EFORMAT;
    }
    if (s)
        uw__source_close(source);
    else
        *out = source;
    return s;
}

/* ---- into a dataset ----------------------------------------------------------------------- */

/* Room for one piece of every column. */
typedef struct piece {
    void *cells[UW_MAX_COLUMNS];
    bool stored[UW_MAX_COLUMNS]; /* cells are uw__stored, not numbers */
    int64_t rows;
} piece;

static uw_status piece_new(const uw__source *source, piece *p, uw_err *err) {
    *p = (piece){.rows = uw__source_piece(source)};
    for (int32_t i = 0; i < source->num_columns; i++) {
        p->stored[i] = source->frame && source->columns[i].codec == UW_CODEC_JPEG;
        const size_t size = p->stored[i] ? sizeof(uw__stored) : source->row_bytes[i];
        p->cells[i] = calloc((size_t)p->rows, size);
        if (!p->cells[i]) return uw__no_memory(err, source->name, (uint64_t)p->rows * size);
    }
    return UW_OK;
}

static void piece_clear(const uw__source *source, piece *p) {
    for (int32_t i = 0; i < source->num_columns; i++) {
        for (int64_t k = 0; p->stored[i] && p->cells[i] && k < p->rows; k++) {
            uw__stored *one = (uw__stored *)p->cells[i] + k;
            free(one->data);
            one->data = NULL;
        }
    }
}

static uw_status read_stored(uw__source *source, int32_t column, int64_t episode, int64_t first,
                             int64_t count, uw__stored *out, uw_err *err) {
    for (int64_t k = 0; k < count; k++) {
        const void *data = NULL;
        const uw_status s =
            source->frame(source, column, episode, first + k, &data, &out[k].bytes, err);
        if (s) return s;
        out[k].data = malloc(out[k].bytes + 1);
        if (!out[k].data) return uw__no_memory(err, source->name, out[k].bytes);
        memcpy(out[k].data, data, out[k].bytes);
    }
    return UW_OK;
}

static uw_status record_episode(uw_context *ctx, uw__source *source, uw_recorder *rec, piece *p,
                                int64_t e, uw_err *err) {
    const int64_t rows = source->episode_rows[e];
    uw_status s = UW_OK;
    for (int64_t t = 0; !s && t < rows; t += p->rows) {
        const int64_t n = rows - t < p->rows ? rows - t : p->rows;
        for (int32_t i = 0; !s && i < source->num_columns; i++) {
            s = p->stored[i] ? read_stored(source, i, e, t, n, p->cells[i], err)
                             : source->rows(source, i, e, t, n, p->cells[i], err);
        }
        if (!s) s = uw__recorder_rows(rec, ctx, (const void *const *)p->cells, n, err);
        piece_clear(source, p);
    }
    return s ? s : uw_recorder_end_episode(rec, err);
}

/* What an interrupted conversion left must be the beginning of this one. */
static uw_status same_beginning(const uw__source *source, const char *partial, int64_t done,
                                uw_err *err) {
    uw_dataset *old = NULL;
    if (!done) return UW_OK;
    uw_status s = uw_dataset_open(partial, &old, err);
    if (s) return s;
    bool same = done <= source->num_episodes;
    for (int64_t e = 0; e < done && same; e++) {
        same = uw_dataset_episode_rows(old, e) == source->episode_rows[e];
    }
    uw_dataset_close(old);
    if (same) return UW_OK;
    uw_fail(err, UW_ESHAPE, "%s: its episodes are not the first ones of %s", uw__path_tail(partial),
            source->name);
    uw_err_fix(err, "give the file that the conversion began with, or leave --resume out");
    return UW_ESHAPE;
}

/* Open PATH.partial, empty or where it ended. */
static uw_status open_partial(const uw__source *source, const char *partial, bool continue_old,
                              uw_recorder **rec, uw_err *err) {
    int fd = -1;
    uint64_t size;
    uw_status s = UW_OK;
    if (!continue_old &&
        uw__file_exists(partial)) { /* left by another run, unless it is still at it */
        if ((s = uw__store_open_write(partial, &fd, &size, err))) return s;
        uw__store_remove(partial);
        uw__store_close(fd);
    }
    s = uw_recorder_open(partial, source->columns, source->num_columns, &source->meta,
                         UW_OPEN_APPEND, rec, err);
    if (!s) s = uw__recorder_drop_unfinished(*rec, err);
    if (!s) s = same_beginning(source, partial, uw_recorder_episodes(*rec), err);
    return s;
}

uw_status uw__source_record(uw_context *ctx, uw__source *source, const char *to, bool overwrite,
                            uw__resume resume, uw_err *err) {
    piece p = {0};
    uw_recorder *rec = NULL;
    char *partial = uw__partial_name(to);
    if (!partial) return uw__no_memory(err, to, strlen(to));
    uw_status s = piece_new(source, &p, err);
    if (!s) s = open_partial(source, partial, resume.continue_old, &rec, err);
    const bool ours = rec && s != UW_ESHAPE; /* another conversion's rest is not ours to remove */
    if (!s) uw__recorder_take_stored(rec, p.stored);
    for (int64_t e = rec ? uw_recorder_episodes(rec) : 0; !s && e < source->num_episodes; e++) {
        s = record_episode(ctx, source, rec, &p, e, err);
        if (!s) s = uw__convert_progress(ctx, to, e + 1, source->num_episodes, err);
    }
    if (s == UW_EINTERRUPTED && resume.keep) {
        uw_recorder_close(rec, NULL); /* ends after the last whole episode */
        rec = NULL;
    } else if (s) {
        uw__recorder_discard(rec);
        rec = NULL;
        if (ours) uw__store_remove(partial);
    } else {
        s = uw_recorder_close(rec, err);
        if (!s) s = uw__store_publish(partial, to, overwrite, err);
        if (s && s != UW_EEXIST) uw__store_remove(partial);
    }
    piece_clear(source, &p);
    for (int32_t i = 0; i < source->num_columns; i++) free(p.cells[i]);
    free(partial);
    return s;
}
