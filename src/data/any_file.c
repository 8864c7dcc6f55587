/* Questions about a recording in any format, answered without converting it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "fileio.h"
#include "internal.h"

/* A recording opened for one question. */
typedef struct any_file {
    uw__source *source;
    char folder[512]; /* of the dataset that a CSV was read into, or "" */
} any_file;

static uw_status any_open(uw_context *ctx, const char *path, any_file *f, uw_format *format,
                          uw_err *err) {
    char file[sizeof f->folder + 8];
    *f = (any_file){0};
    uw_status s = uw_format_detect(path, format, err);
    if (s) return s;
    if (*format != UW_FORMAT_CSV) return uw__source_open(ctx, path, *format, &f->source, err);
    const char *base = getenv("TMPDIR");
    snprintf(f->folder, sizeof f->folder, "%.480s/umwelt-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(f->folder)) {
        s = uw__io_fail(err, f->folder, "create", errno, true);
        f->folder[0] = '\0';
        return s;
    }
    snprintf(file, sizeof file, "%s/csv.uw", f->folder);
    s = uw__csv_import(ctx, path, file, false, err);
    return s ? s : uw__source_open(ctx, file, UW_FORMAT_DATASET, &f->source, err);
}

static void any_close(any_file *f) {
    uw__source_close(f->source);
    if (f->folder[0]) uw__remove_tree(f->folder, NULL);
}

static uw_status fit(uw__source *source, const char *column, int32_t dim, float *mean, float *std,
                     uw_err *err) {
    const char *names[UW_MAX_COLUMNS];
    for (int32_t i = 0; i < source->num_columns; i++) names[i] = source->columns[i].name;
    const int32_t k = uw__source_find(source, column);
    if (k < 0) {
        const char *nearest = uw__nearest(column, names, source->num_columns);
        uw_fail(err, UW_ENOTFOUND, "%s: no column '%.63s'", source->name, column);
        if (nearest) uw_err_fix(err, "did you mean '%s'?", nearest);
        if (!nearest) uw_err_fix(err, "`umwelt inspect` lists the columns");
        return UW_ENOTFOUND;
    }
    const size_t numbers = source->row_bytes[k] / uw_dtype_bytes(source->columns[k].dtype);
    if (dim < 1 || numbers != (size_t)dim) {
        uw_fail(err, UW_ESHAPE, "%s: column '%s': wanted %d numbers a row, got %zu", source->name,
                column, dim, numbers);
        uw_err_fix(err, "give the data that the model was trained on");
        return UW_ESHAPE;
    }
    return uw__source_normaliser(source, k, mean, std, err);
}

uw_status uw_dataset_file_normaliser(uw_context *ctx, const char *path, const char *column,
                                     int32_t dim, float *mean, float *std, uw_err *err) {
    any_file f;
    uw_format format;
    uw_status s = any_open(ctx, path, &f, &format, err);
    if (!s) s = fit(f.source, column, dim, mean, std, err);
    any_close(&f);
    return s;
}

uw_status uw_dataset_file_summary(uw_context *ctx, const char *path, uw_file_summary *out,
                                  uw_err *err) {
    any_file f;
    uw_file_summary made = {0};
    uw_status s = any_open(ctx, path, &f, &made.format, err);
    if (!s) {
        made.episodes = f.source->num_episodes;
        made.rows = f.source->total_rows;
        made.num_columns = f.source->num_columns;
        memcpy(made.columns, f.source->columns, sizeof made.columns);
    }
    for (int32_t i = 0; !s && i < made.num_columns; i++) {
        s = uw__source_stats(f.source, i, &made.stats[i], err);
        if (!s && ctx && !uw__progress(ctx, "inspect", i + 1, made.num_columns)) {
            s = uw__refuse(err, UW_EINTERRUPTED, path, "stopped", "inspect again",
                           "%d of %d columns were seen", i + 1, made.num_columns);
        }
    }
    any_close(&f);
    if (!s) *out = made;
    return s;
}
