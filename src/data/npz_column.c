/* Rows out of zip members.  A member can only be unpacked from its beginning: rows are cheap in
 * rising order, and going back begins again. */
#include "npz_column.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"

enum { MAX_EPISODES = 1 << 24, SKIP_BYTES = 1 << 16, TURN_BYTES = 64 << 20 };

static uw_status refuse(const uw__source *source, const char *what, const char *fix, uw_err *err) {
    uw_fail(err, UW_EFORMAT, "%s: %s", source->name, what);
    uw_err_fix(err, "%s", fix);
    return UW_EFORMAT;
}

/* ---- episodes ----------------------------------------------------------------------------- */

static uw_status read_integers(const uw__source *source, uw_npz *npz, int32_t member, int64_t **out,
                               int64_t *count, uw_err *err) {
    uw_npz_stream *stream = NULL;
    uw_tensor t;
    uw_status s = uw__npz_stream_open(npz, member, &t, &stream, err);
    if (s) return s;
    int64_t *values = NULL;
    const bool sound = t.num_dims == 1 && (t.dtype == UW_DTYPE_I32 || t.dtype == UW_DTYPE_I64);
    if (!sound || t.shape[0] > MAX_EPISODES) {
        s = refuse(source, "ep_len and ep_offset, wanted int32 or int64 of rank 1",
                   "ep_len: int32 rows of each episode; ep_offset: their running sum from 0", err);
        goto done;
    }
    values = calloc((size_t)t.shape[0] + 1, sizeof *values);
    if (!values) {
        s = uw__no_memory(err, source->name, (uint64_t)t.shape[0] * 8);
        goto done;
    }
    s = uw__npz_stream_read(stream, values, (uint64_t)t.shape[0] * uw_dtype_bytes(t.dtype), err);
    for (int64_t k = t.shape[0] - 1; !s && t.dtype == UW_DTYPE_I32 && k >= 0; k--) {
        int32_t narrow; /* widened in place, from behind */
        memcpy(&narrow, (const unsigned char *)values + (size_t)k * sizeof narrow, sizeof narrow);
        values[k] = narrow;
    }
    *out = values;
    *count = t.shape[0];
done:
    uw__npz_stream_close(stream);
    return s;
}

/* Episodes must follow each other without gap or overlap: anything else hides a mistake. */
static uw_status check(const uw__source *source, const int64_t *len, const int64_t *offset,
                       int64_t count, uw_err *err) {
    int64_t rows = 0;
    for (int64_t e = 0; e < count; e++) {
        const bool placed = !offset || offset[e] == rows;
        if (len[e] < 0 || len[e] > INT64_MAX - rows || !placed) {
            uw_fail(err, UW_EFORMAT,
                    "%s: episode %" PRId64 ": ep_len %" PRId64 " at offset %" PRId64
                    ", wanted 0 or more at %" PRId64,
                    source->name, e, len[e], offset ? offset[e] : rows, rows);
            uw_err_fix(err,
                       "ep_len: int32 rows of each episode; ep_offset: their running sum from 0");
            return UW_EFORMAT;
        }
        rows += len[e];
    }
    return UW_OK;
}

uw_status uw__npz_episodes(uw__source *source, uw_npz *len_npz, int32_t len, uw_npz *offset_npz,
                           int32_t offset, uw_err *err) {
    int64_t *lengths = NULL, *offsets = NULL, count = 0, num_offsets = 0;
    if (len < 0) {
        return refuse(source, "no array ep_len",
                      "numpy.savez(out, ..., ep_len=[rows of each episode])", err);
    }
    uw_status s = read_integers(source, len_npz, len, &lengths, &count, err);
    if (!s && offset >= 0)
        s = read_integers(source, offset_npz, offset, &offsets, &num_offsets, err);
    if (!s && offsets && num_offsets != count) {
        s = refuse(source, "ep_offset, wanted one integer per entry of ep_len",
                   "ep_offset: the running sum of ep_len from 0", err);
    }
    if (!s) s = check(source, lengths, offsets, count, err);
    free(offsets);
    if (s) {
        free(lengths);
        return s;
    }
    return uw__source_lengths(source, lengths, count, err);
}

/* ---- columns ------------------------------------------------------------------------------ */

static double bytes_of(const uw_tensor *t) {
    double bytes = (double)uw_dtype_bytes(t->dtype);
    for (int32_t d = 0; d < t->num_dims; d++) bytes *= (double)t->shape[d];
    return bytes;
}

uw_status uw__npz_column_add(uw__source *source, uw_npz *npz, int32_t member, const char *name,
                             uw__npz_column *out, uw_err *err) {
    uw_tensor t;
    uw_npz_stream *stream = NULL;
    bool turned = false;
    uw_err inner = {0};
    uw_status s = uw__npz_stream_open(npz, member, &t, &stream, &inner);
    if (s == UW_EUNSUPPORTED && bytes_of(&t) <= TURN_BYTES) {
        turned = true;
        s = uw__npz_get(npz, member, &t, err);
    } else if (s && err) {
        *err = inner;
    }
    if (s) return s;
    if (t.num_dims < 1 || t.num_dims > 5 || t.shape[0] != source->total_rows) {
        uw_fail(err, UW_EFORMAT,
                "%s: array '%s': wanted rank 1 to 5 and %" PRId64
                " rows as ep_len says, got %d and %" PRId64,
                source->name, name, source->total_rows, t.num_dims,
                t.num_dims < 1 ? 0 : t.shape[0]);
        uw_err_fix(err, "every array needs one row per step of all episodes");
        uw__npz_stream_close(stream);
        return UW_EFORMAT;
    }
    s = uw__source_column(source, name, t.dtype, t.num_dims - 1, t.shape + 1, err);
    if (s || !out) {
        uw__npz_stream_close(stream);
        return s;
    }
    *out = (uw__npz_column){npz,    member, source->row_bytes[source->num_columns - 1],
                            stream, 0,      turned ? t.data : NULL};
    return UW_OK;
}

uw_status uw__npz_column_rows(uw__npz_column *c, int64_t first, int64_t count, void *out,
                              uw_err *err) {
    unsigned char skipped[SKIP_BYTES];
    uw_tensor t;
    uw_status s = UW_OK;
    if (c->whole) {
        memcpy(out, c->whole + (size_t)first * c->row_bytes, (size_t)count * c->row_bytes);
        return UW_OK;
    }
    if (first < c->at) {
        uw__npz_stream_close(c->stream);
        c->stream = NULL;
        c->at = 0;
        if ((s = uw__npz_stream_open(c->npz, c->member, &t, &c->stream, err))) return s;
    }
    for (uint64_t skip = (uint64_t)(first - c->at) * c->row_bytes; skip && !s;) {
        const uint64_t n = skip < SKIP_BYTES ? skip : SKIP_BYTES;
        s = uw__npz_stream_read(c->stream, skipped, n, err);
        skip -= n;
    }
    if (!s) s = uw__npz_stream_read(c->stream, out, (uint64_t)count * c->row_bytes, err);
    if (!s) c->at = first + count;
    return s;
}

void uw__npz_column_close(uw__npz_column *column) {
    uw__npz_stream_close(column->stream);
}
