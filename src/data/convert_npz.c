/* NPZ, the field's layout: one array per column with all episodes one after another, ep_len int32
 * and ep_offset int64.  What numpy cannot say (units, the recording's facts, how pictures were
 * stored) goes into one more array, umwelt_meta: the bytes of a JSON text.
 *
 * Both ways stream: every column is unpacked on its own as its rows are needed, so that memory does
 * not grow with the arrays.  Column-major arrays are the exception and are turned in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert.h"
#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"
#include "npy.h"
#include "npz_column.h"
#include "source.h"

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
    uw__source source;
    uw__source_view(data, &source);
    char *text = uw__source_meta_text(&source);
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

typedef struct inlet {
    uw_npz *npz;
    uw__npz_column columns[UW_MAX_COLUMNS];
} inlet;

static uw_status npz_rows(uw__source *source, int32_t column, int64_t episode, int64_t first,
                          int64_t count, void *out, uw_err *err) {
    inlet *in = source->self;
    return uw__npz_column_rows(&in->columns[column], source->starts[episode] + first, count, out,
                               err);
}

static void npz_close(uw__source *source) {
    inlet *in = source->self;
    for (int32_t i = 0; i < UW_MAX_COLUMNS; i++) uw__npz_column_close(&in->columns[i]);
    uw__npz_close(in->npz);
    free(in);
}

static uw_status read_meta(uw__source *source, uw_npz *npz, uw_err *err) {
    enum { META_MAX = 1 << 20 };
    char *text = NULL;
    uw_tensor t;
    uw_npz_stream *stream = NULL;
    const int32_t at = uw__npz_find(npz, meta_name);
    if (at < 0) return UW_OK;
    uw_status s = uw__npz_stream_open(npz, at, &t, &stream, err);
    if (!s && (t.dtype != UW_DTYPE_U8 || t.num_dims != 1 || t.shape[0] > META_MAX)) {
        uw_fail(err, s = UW_EFORMAT, "%s: umwelt_meta, wanted uint8 of rank 1", source->name);
        uw_err_fix(err, "leave this array out");
    }
    if (!s && !(text = calloc(1, (size_t)t.shape[0] + 1)))
        s = uw__no_memory(err, source->name, META_MAX);
    if (!s) s = uw__npz_stream_read(stream, text, (uint64_t)t.shape[0], err);
    if (!s) s = uw__source_meta(source, text, err);
    free(text);
    uw__npz_stream_close(stream);
    return s;
}

uw_status uw__npz_source(uw_context *ctx, const char *path, uw__source *out, uw_err *err) {
    inlet *in = calloc(1, sizeof *in);
    (void)ctx;
    if (!in) return uw__no_memory(err, path, sizeof *in);
    out->self = in;
    out->close = npz_close;
    out->rows = npz_rows;
    uw_status s = uw__npz_open(path, UW__NPZ_MOST, &in->npz, err);
    if (s) return s;
    const int32_t len = uw__npz_find(in->npz, len_name),
                  offset = uw__npz_find(in->npz, offset_name);
    s = uw__npz_episodes(out, in->npz, len, in->npz, offset, err);
    for (int32_t i = 0; !s && i < uw__npz_count(in->npz); i++) {
        if (reserved(uw__npz_name(in->npz, i))) continue;
        const int32_t k = out->num_columns;
        s = uw__npz_column_add(out, in->npz, i, uw__npz_name(in->npz, i),
                               k < UW_MAX_COLUMNS ? &in->columns[k] : NULL, err);
    }
    return s ? s : read_meta(out, in->npz, err);
}
