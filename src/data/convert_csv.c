/* CSV in and out: one line per row, an episode column first, numbers that read back exactly.
 *
 * Lossless for every column that is not a picture: F32 with 9 digits, F64 with 17, integers in
 * full, missing = NaN.  Of a NaN only the sign is kept.  Types, shapes, units and the recording's
 * facts travel in comment lines (docs/formats/csv.md).  Pictures stay behind, and a warning says
 * so. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "csv.h"
#include "csv_schema.h"
#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"
#include "json.h"
#include "recorder.h"

enum { BUFFER = 1 << 16, NUMBER = 40, MAX_CELLS = 4095, PIECE_ROWS = 256 };

/* ---- out ---------------------------------------------------------------------------------- */

/* A file being written through a buffer. */
typedef struct writer {
    uw_atomic file;
    char buffer[BUFFER];
    size_t used;
} writer;

static uw_status put(writer *w, const char *text, size_t n, uw_err *err) {
    while (n) {
        if (w->used == BUFFER) {
            const uw_status s = uw__atomic_write(&w->file, w->buffer, w->used, err);
            if (s) return s;
            w->used = 0;
        }
        const size_t room = BUFFER - w->used, k = n < room ? n : room;
        memcpy(w->buffer + w->used, text, k);
        w->used += k;
        text += k;
        n -= k;
    }
    return UW_OK;
}

static uw_status put_text(writer *w, const char *text, uw_err *err) {
    return put(w, text, strlen(text), err);
}

/* A name, in quotes when a separator, a quote or an edge would be misread. */
static uw_status put_name(writer *w, const char *name, uw_err *err) {
    const size_t n = strlen(name);
    const bool plain = n && !strpbrk(name, ",;\t\"#") && name[0] != ' ' && name[n - 1] != ' ';
    if (plain) return put(w, name, n, err);
    uw_status s = put(w, "\"", 1, err);
    for (size_t i = 0; !s && i < n; i++) {
        if (name[i] == '"') s = put(w, "\"", 1, err);
        if (!s) s = put(w, name + i, 1, err);
    }
    return s ? s : put(w, "\"", 1, err);
}

static int format_number(uw_dtype dtype, const unsigned char *at, char *text) {
    float f32;
    double f64;
    int32_t i32;
    int64_t i64;
    switch (dtype) {
    case UW_DTYPE_F32:
        memcpy(&f32, at, sizeof f32);
        if (isnan(f32) && signbit(f32)) return snprintf(text, NUMBER, "-nan");
        return uw__format_f32(text, NUMBER, f32);
    case UW_DTYPE_F64:
        memcpy(&f64, at, sizeof f64);
        if (isnan(f64) && signbit(f64)) return snprintf(text, NUMBER, "-nan");
        return uw__format_f64(text, NUMBER, f64);
    case UW_DTYPE_I32:
        memcpy(&i32, at, sizeof i32);
        return snprintf(text, NUMBER, "%" PRId32, i32);
    case UW_DTYPE_I64:
        memcpy(&i64, at, sizeof i64);
        return snprintf(text, NUMBER, "%" PRId64, i64);
    case UW_DTYPE_BOOL:
        return snprintf(text, NUMBER, *at ? "true" : "false");
    default:
        return snprintf(text, NUMBER, "%d", *at);
    }
}

/* The columns that go out. */
typedef struct outlet {
    const uw_dataset *data;
    int32_t columns[UW_MAX_COLUMNS]; /* of the dataset */
    int32_t numbers[UW_MAX_COLUMNS]; /* per row */
    unsigned char *rows[UW_MAX_COLUMNS];
    int32_t num_columns;
    const char *episode_name;
} outlet;

static uw_status put_json(writer *w, const char *start, uw_json *json, uw_err *err) {
    char *text = json ? uw__json_dump(json) : NULL;
    uw__json_free(json);
    if (!text) return uw__no_memory(err, "CSV", 1);
    uw_status s = put_text(w, start, err);
    if (!s) s = put_text(w, text, err);
    if (!s) s = put(w, "\n", 1, err);
    free(text);
    return s;
}

static uw_status put_head(writer *w, const outlet *o, uw_err *err) {
    char name[128];
    uw_json *json = uw__json_new();
    if (json) {
        uw__json_set_i64(json, "version", 1);
        uw__meta_put(json, uw_dataset_meta_of(o->data));
        uw__json_set_i64(json, "episodes", uw_dataset_episodes(o->data));
    }
    uw_status s = put_json(w, UW__CSV_DATASET, json, err);
    for (int32_t i = 0; !s && i < o->num_columns; i++) {
        const uw_column *c = uw_dataset_column(o->data, o->columns[i]);
        double shape[4] = {0};
        json = uw__json_new();
        for (int32_t d = 0; d < c->num_dims; d++) shape[d] = (double)c->shape[d];
        if (json) {
            uw__json_set_str(json, "name", c->name);
            uw__json_set_str(json, "dtype", uw_dtype_str(c->dtype));
            uw__json_set_f64s(json, "shape", shape, c->num_dims);
            uw__json_set_str(json, "unit", c->unit);
        }
        s = put_json(w, UW__CSV_COLUMN, json, err);
    }
    if (!s) s = put_text(w, o->episode_name, err);
    for (int32_t i = 0; i < o->num_columns; i++) {
        for (int32_t k = 0; !s && k < o->numbers[i]; k++) {
            uw__csv_cell_name(uw_dataset_column(o->data, o->columns[i]), k, name);
            s = put(w, ",", 1, err);
            if (!s) s = put_name(w, name, err);
        }
    }
    return s ? s : put(w, "\n", 1, err);
}

static uw_status put_row(writer *w, const outlet *o, int64_t episode, int64_t row, uw_err *err) {
    char text[NUMBER];
    int n = snprintf(text, sizeof text, "%" PRId64, episode);
    uw_status s = put(w, text, (size_t)n, err);
    for (int32_t i = 0; i < o->num_columns; i++) {
        const uw_dtype dtype = uw_dataset_column(o->data, o->columns[i])->dtype;
        const size_t width = uw_dtype_bytes(dtype);
        const unsigned char *at = o->rows[i] + (size_t)row * (size_t)o->numbers[i] * width;
        for (int32_t k = 0; !s && k < o->numbers[i]; k++, at += width) {
            text[0] = ',';
            n = 1 + format_number(dtype, at, text + 1);
            s = put(w, text, (size_t)n, err);
        }
    }
    return s ? s : put(w, "\n", 1, err);
}

static uw_status put_rows(uw_context *ctx, writer *w, const outlet *o, uw_err *err) {
    const int64_t episodes = uw_dataset_episodes(o->data);
    uw_status s = UW_OK;
    for (int64_t e = 0; !s && e < episodes; e++) {
        const int64_t rows = uw_dataset_episode_rows(o->data, e);
        for (int64_t t = 0; !s && t < rows; t += PIECE_ROWS) {
            const int64_t n = rows - t < PIECE_ROWS ? rows - t : PIECE_ROWS;
            for (int32_t i = 0; !s && i < o->num_columns; i++) {
                s = uw_dataset_rows(o->data, o->columns[i], e, t, n, 1, o->rows[i], err);
            }
            for (int64_t k = 0; !s && k < n; k++) s = put_row(w, o, e, k, err);
        }
        if (!s) s = uw__convert_progress(ctx, uw__dataset_name(o->data), e + 1, episodes, err);
    }
    return s;
}

/* Choose what a table of numbers can carry. */
static uw_status outlet_make(uw_context *ctx, const uw_dataset *data, outlet *o, uw_err *err) {
    const uw__header *h = uw__dataset_header(data);
    size_t cells = 1;
    *o = (outlet){.data = data, .episode_name = "episode"};
    if (uw_dataset_find(data, "episode", NULL) >= 0) o->episode_name = "ep_idx";
    for (int32_t i = 0; i < h->num_columns; i++) {
        const uw_column *c = &h->columns[i];
        const size_t n = h->row_bytes[i] / uw_dtype_bytes(c->dtype);
        if (uw__column_is_frames(c)) {
            if (ctx)
                uw__log(ctx, UW_LOG_WARN, "CSV carries no pictures: '%s' is left out", c->name);
            continue;
        }
        cells += n;
        if (cells > MAX_CELLS || strpbrk(c->name, "[]") || !strcmp(c->name, o->episode_name)) {
            uw_fail(err, UW_EUNSUPPORTED,
                    "%s: column '%s': CSV, wanted at most %d numbers a row and no name with [ or ]",
                    uw__dataset_name(data), c->name, MAX_CELLS);
            uw_err_fix(err, "convert to .npz instead");
            return UW_EUNSUPPORTED;
        }
        o->columns[o->num_columns] = i;
        o->numbers[o->num_columns++] = (int32_t)n;
    }
    if (o->num_columns) return UW_OK;
    uw_fail(err, UW_EUNSUPPORTED, "%s: every column is a picture, and CSV carries none",
            uw__dataset_name(data));
    uw_err_fix(err, "convert to .npz instead");
    return UW_EUNSUPPORTED;
}

uw_status uw__csv_export(uw_context *ctx, const uw_dataset *data, const char *to, bool overwrite,
                         uw_err *err) {
    outlet o;
    writer *w = NULL;
    uw_status s = outlet_make(ctx, data, &o, err);
    if (s) return s;
    w = malloc(sizeof *w);
    if (!w) return uw__no_memory(err, to, sizeof *w);
    w->used = 0;
    for (int32_t i = 0; i < o.num_columns && !s; i++) {
        o.rows[i] = malloc(PIECE_ROWS * uw__dataset_header(data)->row_bytes[o.columns[i]]);
        if (!o.rows[i]) s = uw__no_memory(err, to, PIECE_ROWS);
    }
    if (s) goto done;
    if ((s = uw__atomic_open(&w->file, to, overwrite, err))) goto done;
    s = put_head(w, &o, err);
    if (!s) s = put_rows(ctx, w, &o, err);
    if (!s) s = uw__atomic_write(&w->file, w->buffer, w->used, err);
    if (s)
        uw__atomic_abort(&w->file);
    else
        s = uw__atomic_commit(&w->file, err);
done:
    for (int32_t i = 0; i < o.num_columns; i++) free(o.rows[i]);
    free(w);
    return s;
}

/* ---- in ----------------------------------------------------------------------------------- */

/* A file being read into a recorder. */
typedef struct inlet {
    uw__csv_schema schema;
    uw_csv *csv;
    double *row;                          /* [num_cells] */
    unsigned char *cells[UW_MAX_COLUMNS]; /* one row of each column */
    uw_recorder *rec;
    int64_t episode; /* number of the last row's; -1 before the first */
    bool open;       /* it has rows that were not ended yet */
    double time;     /* of the last row, where there is a clock */
    int64_t rows, gaps;
    int64_t missing[UW_MAX_COLUMNS]; /* numbers that are NaN */
} inlet;

/* Store one number as its column's type; false when it does not fit. */
static bool store_number(uw_dtype dtype, double value, const char *text, unsigned char *at) {
    const float f32 = isnan(value) ? (*text == '-' ? -NAN : NAN) : (float)value;
    const double f64 = isnan(value) ? (double)f32 : value;
    const bool whole = isfinite(value) && floor(value) == value;
    int64_t i64;
    int32_t i32;
    switch (dtype) {
    case UW_DTYPE_F32:
        memcpy(at, &f32, sizeof f32);
        return true;
    case UW_DTYPE_F64:
        memcpy(at, &f64, sizeof f64);
        return true;
    case UW_DTYPE_I64:
        if (!uw__csv_whole(text, &i64)) { /* "1e3", "true": exact while a double is */
            if (!whole || fabs(value) > 9e15) return false;
            i64 = (int64_t)value;
        }
        memcpy(at, &i64, sizeof i64);
        return true;
    case UW_DTYPE_I32:
        if (!whole || value < INT32_MIN || value > INT32_MAX) return false;
        i32 = (int32_t)value;
        memcpy(at, &i32, sizeof i32);
        return true;
    default:
        if (!whole || value < 0.0 || value > (dtype == UW_DTYPE_BOOL ? 1.0 : 255.0)) return false;
        *at = (unsigned char)value;
        return true;
    }
}

static uw_status store_row(inlet *in, uw_err *err) {
    const uw__csv_schema *sc = &in->schema;
    for (int32_t i = 0; i < sc->num_columns; i++) {
        const uw_dtype dtype = sc->columns[i].dtype;
        unsigned char *at = in->cells[i];
        for (int32_t k = 0; k < sc->cells[i]; k++, at += uw_dtype_bytes(dtype)) {
            const int32_t cell = sc->first_cell[i] + k;
            if (isnan(in->row[cell])) in->missing[i]++;
            const char *text = uw__csv_text(in->csv, cell);
            if (store_number(dtype, in->row[cell], text, at)) continue;
            uw_fail(err, UW_EFORMAT, "%s: line %" PRId64 ": column '%s': wanted %s, got '%.40s'",
                    sc->name, uw__csv_line(in->csv), uw__csv_name(in->csv, cell),
                    uw_dtype_str(dtype), text);
            uw_err_fix(err,
                       "mend the cell, or delete the '# umwelt' lines to have the types found");
            return UW_EFORMAT;
        }
    }
    return UW_OK;
}

/* End episodes up to (not including) `next`; numbers that a declared file skips are empty episodes.
 */
static uw_status move_to(inlet *in, int64_t next, uw_err *err) {
    const bool exact = in->schema.num_episodes >= 0;
    uw_status s = UW_OK;
    if (in->open) s = uw_recorder_end_episode(in->rec, err);
    in->open = false;
    for (int64_t e = in->episode + 1; exact && !s && e < next; e++) {
        s = uw_recorder_end_episode(in->rec, err);
    }
    in->episode = next;
    return s;
}

/* Whether the clock jumped before this row of an open episode: what lies on both sides of a gap is
 * not one stretch of experience. */
static bool jumped(inlet *in) {
    const uw__csv_schema *sc = &in->schema;
    if (sc->time_cell < 0) return false;
    const double now = in->row[sc->time_cell], step = now - in->time;
    in->time = now;
    return step > UW__CSV_GAP * sc->time_step || step <= 0.0; /* false for NaN */
}

/* Tell what is missing, so that nobody has to find out while training. */
static void tell_holes(const inlet *in, uw_context *ctx) {
    const uw__csv_schema *sc = &in->schema;
    for (int32_t i = 0; ctx && !sc->declared && i < sc->num_columns; i++) {
        if (!in->missing[i] || !strcmp(sc->columns[i].name, "action")) continue;
        uw__log(ctx, UW_LOG_WARN,
                "%s: column '%s': %" PRId64 " of %" PRId64 " numbers are missing, and stay NaN",
                sc->name, sc->columns[i].name, in->missing[i], in->rows * sc->cells[i]);
    }
    if (ctx && in->gaps)
        uw__log(ctx, UW_LOG_WARN,
                "%s: column '%s': gaps in the clock: %" PRId64
                " (its step is %.6g); an episode ends at each",
                sc->name, uw__csv_name(in->csv, sc->time_cell), in->gaps, sc->time_step);
}

static uw_status read_rows(inlet *in, uw_context *ctx, uw_err *err) {
    const uw__csv_schema *sc = &in->schema;
    bool end = false;
    uw_status s = UW_OK;
    for (int64_t rows = 0; !s; rows++) {
        if ((s = uw__csv_next(in->csv, in->row, &end, err)) || end) break;
        const double number = sc->episode_cell < 0 ? 0.0 : in->row[sc->episode_cell];
        const double least = sc->num_episodes < 0 ? -9e15
                             : in->episode < 0    ? 0.0
                                                  : (double)in->episode;
        const double most = sc->num_episodes < 0 ? 9e15 : (double)sc->num_episodes - 1.0;
        if (!(number >= least && number <= most)) {
            uw_fail(err, UW_EFORMAT,
                    "%s: line %" PRId64 ": episode, wanted %.0f .. %.0f, got %.17g", sc->name,
                    uw__csv_line(in->csv), least, most, number);
            uw_err_fix(err, "sort the rows by episode, or delete the '# umwelt' lines");
            return UW_EFORMAT;
        }
        const int64_t episode = (int64_t)number;
        const bool fresh = !in->open || episode != in->episode, gap = jumped(in) && !fresh;
        in->gaps += gap;
        in->rows++;
        if (fresh || gap) s = move_to(in, episode, err);
        in->open = true;
        if (!s) s = store_row(in, err);
        if (!s) s = uw_recorder_row(in->rec, (const void *const *)in->cells, err);
        if (!s && rows % 4096 == 4095) s = uw__convert_progress(ctx, sc->name, rows + 1, 0, err);
    }
    return s ? s : move_to(in, sc->num_episodes < 0 ? in->episode + 1 : sc->num_episodes, err);
}

uw_status uw__csv_import(uw_context *ctx, const char *from, const char *to, bool overwrite,
                         uw_err *err) {
    uw_dataset_meta meta;
    inlet *in = calloc(1, sizeof *in);
    if (!in) return uw__no_memory(err, from, sizeof *in);
    in->episode = -1;
    uw__csv_schema *sc = &in->schema;
    uw_status s = uw__csv_schema_read(from, sc, err);
    if (s) goto done;
    uw__meta_get(sc->json, &meta);
    if (sc->row_seconds > 0.0) meta.row_seconds = sc->row_seconds;
    in->row = calloc((size_t)sc->num_cells, sizeof *in->row);
    bool room = in->row;
    for (int32_t i = 0; i < sc->num_columns; i++) {
        in->cells[i] = calloc((size_t)sc->cells[i], uw_dtype_bytes(sc->columns[i].dtype));
        room = room && in->cells[i];
    }
    if (!room) s = uw__no_memory(err, sc->name, (uint64_t)sc->num_cells * sizeof *in->row);
    if (!s) s = uw__csv_open(from, &in->csv, err);
    if (!s && uw__csv_columns(in->csv) != sc->num_cells) {
        s = uw__refuse(err, UW_EIO, sc->name, "changed",
                       "let its writer finish, then convert again",
                       "the header row is not the one of a moment ago");
    }
    if (!s)
        s = uw__recorder_stage(to, sc->columns, sc->num_columns, &meta, overwrite, &in->rec, err);
    if (!s) s = read_rows(in, ctx, err);
    if (!s) {
        tell_holes(in, ctx);
        s = uw_recorder_close(in->rec, err);
        in->rec = NULL;
    }
done:
    uw__recorder_discard(in->rec);
    uw__csv_close(in->csv);
    for (int32_t i = 0; i < sc->num_columns; i++) free(in->cells[i]);
    free(in->row);
    uw__csv_schema_free(sc);
    free(in);
    return s;
}
