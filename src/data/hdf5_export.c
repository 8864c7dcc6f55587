/* HDF5 out: the reference's layout, written row by row into PATH.partial.
 *
 * ep_len and ep_offset grow by one whenever an episode is whole, so that what was stopped on
 * request goes on behind the last of them.  A killed process may leave a file that HDF5 itself
 * cannot read: that is found by reading it with our own code before it is trusted, and the
 * conversion begins again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "fileio.h"
#include "h5.h"
#include "internal.h"
#include "layout.h"
#include "store.h"

enum { NUMBER_ROWS = 1024 }; /* rows per chunk of what is no picture */

static const char len_name[] = "ep_len", offset_name[] = "ep_offset", meta_name[] = "umwelt_meta";

typedef struct outlet {
    uw__source *source;
    uw_h5_writer *w;
    void *cells[UW_MAX_COLUMNS];
    int64_t piece;
} outlet;

static uw_status check_names(const uw__source *source, uw_err *err) {
    for (int32_t i = 0; i < source->num_columns; i++) {
        const char *name = source->columns[i].name;
        if (strcmp(name, len_name) && strcmp(name, offset_name) && !strchr(name, '/') &&
            strcmp(name, ".")) {
            continue;
        }
        uw_fail(err, UW_EINVAL, "%s: column '%s' has a name that HDF5 needs for itself",
                source->name, name);
        uw_err_fix(err, "rename the column");
        return UW_EINVAL;
    }
    return UW_OK;
}

/* Find the episodes that a rest holds whole; 0 when there is no rest or it cannot be used. */
static int64_t episodes_of(const outlet *o, const char *partial, int64_t *rows) {
    uw_h5 *h5 = NULL;
    uw_h5_array a;
    int64_t done = 0;
    *rows = 0;
    if (!uw__file_exists(partial) || uw__h5_open(partial, &h5, NULL)) return 0;
    const int32_t at = uw__h5_find(h5, len_name);
    if (at >= 0 && !uw__h5_array(h5, at, &a, NULL) && a.numbers && a.dtype == UW_DTYPE_I32 &&
        a.num_dims == 1 && a.shape[0] <= o->source->num_episodes) {
        for (; done < a.shape[0]; done++) {
            int32_t len;
            if (uw__h5_rows(h5, at, done, 1, &len, NULL) || len != o->source->episode_rows[done])
                break;
            *rows += len;
        }
        if (done < a.shape[0]) done = 0; /* another recording's, or torn */
    }
    for (int32_t i = 0; done && i < o->source->num_columns; i++) { /* a last row that reads */
        const int32_t k = uw__h5_find(h5, o->source->columns[i].name);
        const bool sound = k >= 0 && !uw__h5_array(h5, k, &a, NULL) && a.numbers && a.num_dims &&
                           (size_t)a.row_bytes == o->source->row_bytes[i] && a.shape[0] >= *rows &&
                           (!*rows || !uw__h5_rows(h5, k, *rows - 1, 1, o->cells[i], NULL));
        if (!sound) done = 0;
    }
    uw__h5_close(h5);
    return done;
}

/* Declare all arrays, those of a rest cut back to its whole episodes. */
static uw_status declare(outlet *o, int64_t done, int64_t rows, uw_err *err) {
    const uw__source *source = o->source;
    uw_status s = UW_OK;
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        const uw_column *c = &source->columns[i];
        const int64_t chunk =
            uw__column_is_frames(c) || source->row_bytes[i] > 4096 ? 1 : NUMBER_ROWS;
        s = uw__h5_writer_array(o->w, c->name, c->dtype, c->num_dims, c->shape, chunk, rows, err);
    }
    if (!s) s = uw__h5_writer_array(o->w, len_name, UW_DTYPE_I32, 0, NULL, NUMBER_ROWS, done, err);
    if (!s)
        s = uw__h5_writer_array(o->w, offset_name, UW_DTYPE_I64, 0, NULL, NUMBER_ROWS, done, err);
    char *text = uw__source_meta_text(source);
    if (!s && !text) s = uw__no_memory(err, source->name, 1);
    if (!s) s = uw__h5_writer_text(o->w, meta_name, text, err);
    free(text);
    return s;
}

static uw_status put_episode(outlet *o, int64_t e, int64_t offset, uw_err *err) {
    uw__source *source = o->source;
    const int64_t rows = source->episode_rows[e];
    const int32_t len = (int32_t)rows;
    uw_status s = UW_OK;
    if (rows > INT32_MAX) {
        return uw__refuse(err, UW_EUNSUPPORTED, source->name, "too_long", "record shorter episodes",
                          "episode %" PRId64 ": %" PRId64 " rows do not fit ep_len", e, rows);
    }
    for (int64_t t = 0; !s && t < rows; t += o->piece) {
        const int64_t n = rows - t < o->piece ? rows - t : o->piece;
        for (int32_t i = 0; !s && i < source->num_columns; i++) {
            s = source->rows(source, i, e, t, n, o->cells[i], err);
            if (!s) s = uw__h5_writer_rows(o->w, i, n, o->cells[i], err);
        }
    }
    if (!s) s = uw__h5_writer_rows(o->w, source->num_columns, 1, &len, err);
    if (!s) s = uw__h5_writer_rows(o->w, source->num_columns + 1, 1, &offset, err);
    return s;
}

static uw_status put_all(uw_context *ctx, outlet *o, const char *to, const char *partial,
                         bool continue_old, uw_err *err) {
    uw__source *source = o->source;
    int64_t rows = 0;
    int64_t done = continue_old ? episodes_of(o, partial, &rows) : 0;
    uw_status s = uw__h5_writer_open(partial, done > 0, &o->w, err);
    if (s && done) { /* left in a state that libhdf5 does not accept: begin again */
        done = rows = 0;
        s = uw__h5_writer_open(partial, false, &o->w, err);
    }
    if (!s) s = declare(o, done, rows, err);
    for (int64_t e = done; !s && e < source->num_episodes; e++) {
        s = put_episode(o, e, rows, err);
        rows += source->episode_rows[e];
        if (!s) s = uw__convert_progress(ctx, to, e + 1, source->num_episodes, err);
    }
    return s;
}

uw_status uw__hdf5_export(uw_context *ctx, uw__source *source, const char *to, bool overwrite,
                          uw__resume resume, uw_err *err) {
    outlet o = {.source = source, .piece = uw__source_piece(source)};
    char *partial = uw__partial_name(to);
    if (!partial) return uw__no_memory(err, to, strlen(to));
    uw_status s = check_names(source, err);
    for (int32_t i = 0; !s && i < source->num_columns; i++) {
        o.cells[i] = malloc((size_t)o.piece * source->row_bytes[i]);
        if (!o.cells[i]) s = uw__no_memory(err, to, (uint64_t)o.piece * source->row_bytes[i]);
    }
    if (!s) {
        s = put_all(ctx, &o, to, partial, resume.continue_old, err);
        const bool keep = s == UW_EINTERRUPTED && resume.keep;
        const uw_status closed = uw__h5_writer_close(o.w, s ? NULL : err);
        if (!s) s = closed;
        if (!s) s = uw__store_publish(partial, to, overwrite, err);
        if (s && !keep) uw__store_remove(partial);
    }
    for (int32_t i = 0; i < source->num_columns; i++) free(o.cells[i]);
    free(partial);
    return s;
}
