/* Summaries of columns, read in pieces of bounded size. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "fileio.h"
#include "source.h"

enum {
    PIECE_BYTES = 1 << 20, /* rows are read in pieces of about this size */
    SAMPLED_FRAMES = 256   /* frames looked at for a picture column */
};

/* Called with `count` rows at `rows`. */
typedef void rows_fn(void *state, const void *rows, int64_t count);

/* Read all rows of a column (about `most` of them, evenly spread, when most > 0), episode by
 * episode. */
static uw_status each_rows(uw__source *source, int32_t column, int64_t most, rows_fn *fn,
                           void *state, uw_err *err) {
    const size_t size = source->row_bytes[column];
    const int64_t total = source->total_rows;
    const int64_t stride = most > 0 && total > most ? (total + most - 1) / most : 1;
    int64_t piece = stride > 1 ? 1 : (int64_t)(PIECE_BYTES / size), skip = 0;
    uw_status s = UW_OK;
    if (piece < 1) piece = 1;
    unsigned char *rows = malloc((size_t)piece * size);
    if (!rows) return uw__no_memory(err, source->name, (uint64_t)piece * size);
    for (int64_t e = 0; !s && e < source->num_episodes; e++) {
        const int64_t length = source->episode_rows[e];
        int64_t row = skip; /* the rhythm of a stride goes on across episodes */
        while (!s && row < length) {
            const int64_t n = length - row < piece ? length - row : piece;
            s = source->rows(source, column, e, row, n, rows, err);
            if (!s) fn(state, rows, n);
            row += n * stride;
        }
        skip = row - length;
    }
    free(rows);
    return s;
}

/* The number at `at` as a double; exact for all types but large I64. */
static double number_at(uw_dtype dtype, const unsigned char *at) {
    float f32;
    double f64;
    int32_t i32;
    int64_t i64;
    switch (dtype) {
    case UW_DTYPE_F32:
        memcpy(&f32, at, sizeof f32);
        return (double)f32;
    case UW_DTYPE_F64:
        memcpy(&f64, at, sizeof f64);
        return f64;
    case UW_DTYPE_I32:
        memcpy(&i32, at, sizeof i32);
        return (double)i32;
    case UW_DTYPE_I64:
        memcpy(&i64, at, sizeof i64);
        return (double)i64;
    default:
        return (double)*at; /* U8, BOOL */
    }
}

/* Running mean and sum of squared deviations (Welford): no cancellation, one pass. */
typedef struct moments {
    double mean, m2;
    int64_t n;
} moments;

static void moments_add(moments *m, double x) {
    const double delta = x - m->mean;
    m->n++;
    m->mean += delta / (double)m->n;
    m->m2 += delta * (x - m->mean);
}

typedef struct summary {
    uw_dtype dtype;
    size_t row_numbers;
    moments m;
    uw_column_stats stats;
} summary;

static void summary_rows(void *state, const void *rows, int64_t count) {
    summary *s = state;
    const size_t width = uw_dtype_bytes(s->dtype);
    const unsigned char *at = rows;
    for (size_t i = 0; i < (size_t)count * s->row_numbers; i++, at += width) {
        const double x = number_at(s->dtype, at);
        s->stats.count++;
        if (!isfinite(x)) {
            s->stats.nan++;
            continue;
        }
        if (!s->m.n || x < s->stats.min) s->stats.min = x;
        if (!s->m.n || x > s->stats.max) s->stats.max = x;
        moments_add(&s->m, x);
    }
}

uw_status uw__source_stats(uw__source *source, int32_t column, uw_column_stats *out, uw_err *err) {
    const uw_column *c = &source->columns[column];
    summary s = {.dtype = c->dtype,
                 .row_numbers = source->row_bytes[column] / uw_dtype_bytes(c->dtype)};
    const int64_t most = uw__column_is_frames(c) ? SAMPLED_FRAMES : 0;
    const uw_status status = each_rows(source, column, most, summary_rows, &s, err);
    if (status) return status;
    if (s.m.n) {
        s.stats.mean = s.m.mean;
        s.stats.std = sqrt(s.m.m2 / (double)s.m.n);
    } else {
        s.stats.min = s.stats.max = s.stats.mean = s.stats.std = NAN;
    }
    *out = s.stats;
    return UW_OK;
}

uw_status uw_dataset_stats(const uw_dataset *data, int32_t column, uw_column_stats *out,
                           uw_err *err) {
    uw__source source;
    if (!uw__dataset_column_checked(data, column, err)) return UW_EINVAL;
    uw__source_view(data, &source);
    return uw__source_stats(&source, column, out, err);
}

/* ---- normaliser --------------------------------------------------------------------------- */

typedef struct normaliser {
    uw_dtype dtype;
    size_t dim;
    moments *m; /* [dim] */
} normaliser;

static void normaliser_rows(void *state, const void *rows, int64_t count) {
    normaliser *n = state;
    const size_t width = uw_dtype_bytes(n->dtype);
    for (int64_t t = 0; t < count; t++) {
        const unsigned char *row = (const unsigned char *)rows + (size_t)t * n->dim * width;
        bool finite = true; /* a row counts as a whole or not at all */
        for (size_t i = 0; i < n->dim && finite; i++) {
            finite = isfinite(number_at(n->dtype, row + i * width));
        }
        for (size_t i = 0; i < n->dim && finite; i++) {
            moments_add(&n->m[i], number_at(n->dtype, row + i * width));
        }
    }
}

uw_status uw__source_normaliser(uw__source *source, int32_t column, float *mean, float *std,
                                uw_err *err) {
    const uw_column *c = &source->columns[column];
    if (c->dtype != UW_DTYPE_F32 && c->dtype != UW_DTYPE_F64) {
        uw_fail(err, UW_ESHAPE, "%s: column '%s': normaliser, wanted F32 or F64, got %s",
                source->name, c->name, uw_dtype_str(c->dtype));
        uw_err_fix(err, "only columns of floating-point numbers are normalised");
        return UW_ESHAPE;
    }
    const size_t row_bytes = source->row_bytes[column];
    normaliser n = {.dtype = c->dtype, .dim = row_bytes / uw_dtype_bytes(c->dtype)};
    n.m = calloc(n.dim, sizeof *n.m);
    if (!n.m) return uw__no_memory(err, source->name, n.dim * sizeof *n.m);
    uw_status s = each_rows(source, column, 0, normaliser_rows, &n, err);
    if (!s && !n.m[0].n) {
        s = uw_fail(err, UW_ENONFINITE, "%s: column '%s': no row without NaN", source->name,
                    c->name);
        uw_err_fix(err, "choose a column that holds numbers");
    }
    for (size_t i = 0; !s && i < n.dim; i++) {
        const double sd = sqrt(n.m[i].m2 / (double)n.m[i].n);
        mean[i] = (float)n.m[i].mean;
        std[i] = (float)(sd > 1e-8 ? sd : 1e-8);
    }
    free(n.m);
    return s;
}

uw_status uw_dataset_normaliser(const uw_dataset *data, int32_t column, float *mean, float *std,
                                uw_err *err) {
    uw__source source;
    if (!uw__dataset_column_checked(data, column, err)) return UW_EINVAL;
    uw__source_view(data, &source);
    return uw__source_normaliser(&source, column, mean, std, err);
}
