/* Reading recorded rows and encoding them, in parallel and in bounded memory. */
#include "latents.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"
#include "internal.h"

enum { CHUNK = 256, MAX_NUMBERS = 4096 };

int32_t uw__column_numbers(const uw_column *column) {
    if (column->num_dims >= 3 || column->num_dims < 0) return 0;
    int64_t count = 1;
    for (int32_t i = 0; i < column->num_dims; i++) {
        if (column->shape[i] < 1 || column->shape[i] > MAX_NUMBERS) return 0;
        count *= column->shape[i];
    }
    return count > MAX_NUMBERS ? 0 : (int32_t)count;
}

/* ---- which columns -------------------------------------------------------------------------- */

static uw_status observe_picture(const uw_model_config *config, uw_dataset *data, uw_observe *o,
                                 uw_err *err) {
    const uw_column *column = uw_dataset_column(data, o->column[0]);
    const int64_t size = config->image_size;
    if (o->count != 1 || column->dtype != UW_DTYPE_U8 || column->num_dims != 3)
        return uw_fail(err, UW_ESHAPE, "%s: wanted one column of pictures [Y, X, 3] for this model",
                       column->name);
    if (column->shape[2] != 3) {
        uw_fail(err, UW_ESHAPE, "%s: channels, wanted %lldx%lldx3, got %lldx%lldx%lld",
                column->name, (long long)size, (long long)size, (long long)column->shape[0],
                (long long)column->shape[1], (long long)column->shape[2]);
        uw_err_fix(err, "record pictures of red, green and blue");
        return UW_ESHAPE;
    }
    o->frame_bytes = (size_t)size * (size_t)size * 3;
    return uw__dataset_fit(data, o->column[0], size, err);
}

static uw_status observe_name(const uw_dataset *data, const char *name, uw_observe *o,
                              uw_err *err) {
    const char *nearest = NULL;
    const int32_t column = uw_dataset_find(data, name, &nearest);
    if (column < 0) {
        uw_fail(err, UW_ESHAPE, "%s: wanted this column, which the model observes, got none", name);
        if (nearest)
            uw_err_fix(err, "the nearest column is %s", nearest);
        else
            uw_err_fix(err, "give the data set that the model was trained on, or one like it");
        return UW_ESHAPE;
    }
    if (o->count == UW_MAX_COLUMNS) return uw_fail(err, UW_EINVAL, "observe: too many columns");
    o->column[o->count++] = column;
    o->dim += uw__column_numbers(uw_dataset_column(data, column));
    return UW_OK;
}

uw_status uw__observe_find(const uw_model *model, uw_dataset *data, uw_observe *out, uw_err *err) {
    const uw_model_config *config = uw_model_config_of(model);
    const char *at = uw_model_provenance(model)->observe;
    uw_observe o = {.pictures = config->input != UW_INPUT_COLUMNS};
    if (!at || !*at) at = "pixels";
    while (*at) {
        char name[UW_MAX_COLUMN_NAME];
        size_t length = strcspn(at, ",");
        if (length >= sizeof name) return uw_fail(err, UW_EINVAL, "observe: over-long column name");
        memcpy(name, at, length);
        name[length] = '\0';
        const uw_status s = observe_name(data, name, &o, err);
        if (s) return s;
        at += length + (at[length] == ',');
    }
    if (o.pictures) {
        const uw_status s = observe_picture(config, data, &o, err);
        if (s) return s;
        o.dim = 0;
    } else if (o.dim != config->observe_dim) {
        return uw_fail(err, UW_ESHAPE, "observed columns: numbers per row, wanted %d, got %d",
                       config->observe_dim, o.dim);
    }
    *out = o;
    return UW_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct reading {
    const uw_dataset *data;
    int32_t column;
    const uw_row *rows;
    unsigned char *out;
    size_t bytes; /* per row */
    uw_status *status;
} reading;

static void read_task(void *arg, size_t index, int32_t worker) {
    (void)worker;
    const reading *r = arg;
    r->status[index] = uw_dataset_rows(r->data, r->column, r->rows[index].episode,
                                       r->rows[index].row, 1, 1, r->out + index * r->bytes, NULL);
}

/* Read rows' raw bytes on the pool.  A failing row is read again alone, for its message. */
static uw_status read_raw(uw_context *ctx, const uw_dataset *data, int32_t column, size_t bytes,
                          const uw_row *rows, int64_t n, void *out, uw_err *err) {
    uw_status status[CHUNK];
    for (int64_t first = 0; first < n; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        unsigned char *to = (unsigned char *)out + (size_t)first * bytes;
        reading r = {data, column, rows + first, to, bytes, status};
        uw__pool_run(ctx->pool, (size_t)count, read_task, &r);
        for (int64_t i = 0; i < count; i++)
            if (status[i])
                return uw_dataset_rows(data, column, rows[first + i].episode, rows[first + i].row,
                                       1, 1, to + (size_t)i * bytes, err);
    }
    return UW_OK;
}

double uw__cell_number(uw_dtype dtype, const unsigned char *p) {
    switch (dtype) {
    case UW_DTYPE_U8:
    case UW_DTYPE_BOOL:
        return *p;
    case UW_DTYPE_I32: {
        int32_t v;
        memcpy(&v, p, sizeof v);
        return v;
    }
    case UW_DTYPE_I64: {
        int64_t v;
        memcpy(&v, p, sizeof v);
        return (double)v;
    }
    case UW_DTYPE_F32: {
        float v;
        memcpy(&v, p, sizeof v);
        return (double)v;
    }
    case UW_DTYPE_F64: {
        double v;
        memcpy(&v, p, sizeof v);
        return v;
    }
    case UW_DTYPE_F16:
    case UW_DTYPE_BF16:
        break;
    }
    return NAN;
}

uw_status uw__rows_read(uw_context *ctx, const uw_dataset *data, int32_t column, const uw_row *rows,
                        int64_t n, double *out, uw_err *err) {
    const uw_column *c = uw_dataset_column(data, column);
    const size_t numbers = (size_t)uw__column_numbers(c), each = uw_dtype_bytes(c->dtype);
    if (!numbers) return uw_fail(err, UW_ESHAPE, "%s: not a column of numbers", c->name);
    unsigned char *raw = malloc((size_t)n * numbers * each + 1);
    if (!raw) return uw_fail(err, UW_ENOMEM, "%s: %lld rows", c->name, (long long)n);
    const uw_status s = read_raw(ctx, data, column, numbers * each, rows, n, raw, err);
    if (!s)
        for (size_t i = 0; i < (size_t)n * numbers; i++)
            out[i] = uw__cell_number(c->dtype, raw + i * each);
    free(raw);
    return s;
}

/* ---- encoding ------------------------------------------------------------------------------- */

uw_status uw__rows_frames(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                          const uw_row *rows, int64_t n, uint8_t *out, uw_err *err) {
    return read_raw(ctx, data, observe->column[0], observe->frame_bytes, rows, n, out, err);
}

uw_status uw__rows_columns(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                           const uw_row *rows, int64_t n, float *out, uw_err *err) {
    double *cells = malloc((size_t)n * (size_t)observe->dim * sizeof *cells + 1);
    if (!cells) return uw_fail(err, UW_ENOMEM, "observed columns: %lld rows", (long long)n);
    uw_status s = UW_OK;
    int32_t offset = 0;
    for (int32_t c = 0; c < observe->count && !s; c++) {
        const int32_t numbers = uw__column_numbers(uw_dataset_column(data, observe->column[c]));
        s = uw__rows_read(ctx, data, observe->column[c], rows, n, cells, err);
        for (int64_t i = 0; i < n && !s; i++)
            for (int32_t j = 0; j < numbers; j++)
                out[i * observe->dim + offset + j] = (float)cells[i * numbers + j];
        offset += numbers;
    }
    free(cells);
    return s;
}

uw_status uw__rows_whole(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                         const uw_row *rows, int64_t n, bool *whole, uw_err *err) {
    const size_t dim = (size_t)observe->dim;
    for (int64_t i = 0; i < n; i++) whole[i] = true;
    if (observe->pictures || !n) return UW_OK;
    float *x = malloc((size_t)n * dim * sizeof *x);
    if (!x) return uw_fail(err, UW_ENOMEM, "observed columns: %lld rows", (long long)n);
    const uw_status s = uw__rows_columns(ctx, data, observe, rows, n, x, err);
    int64_t holes = 0;
    for (int64_t i = 0; !s && i < n; i++) {
        for (size_t k = 0; k < dim; k++) whole[i] = whole[i] && isfinite(x[(size_t)i * dim + k]);
        holes += !whole[i];
    }
    free(x);
    if (s || holes < n) return s;
    uw_fail(err, UW_ENONFINITE, "%s: wanted a row without missing numbers, got none of %lld",
            uw_dataset_column(data, observe->column[0])->name, (long long)n);
    uw_err_fix(err, "umwelt inspect counts what is missing in every column");
    return UW_ENONFINITE;
}

int64_t uw__rows_pack(uw_row *rows, const bool *whole, int64_t count, int64_t each) {
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++) {
        bool all = true;
        for (int64_t k = 0; k < each; k++) all = all && whole[i * each + k];
        if (!all) continue;
        if (left != i) memcpy(rows + left * each, rows + i * each, (size_t)each * sizeof *rows);
        left++;
    }
    return left;
}

uw_status uw__rows_encode(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                          const uw_observe *observe, const uw_row *rows, int64_t n, float *z,
                          uw_err *err) {
    const size_t dim = (size_t)uw_model_config_of(model)->latent_dim;
    const size_t bytes =
        observe->pictures ? observe->frame_bytes : (size_t)observe->dim * sizeof(float);
    void *chunk = malloc(CHUNK * bytes + 1);
    if (!chunk) return uw_fail(err, UW_ENOMEM, "encode: %d observations", CHUNK);
    uw_status s = UW_OK;
    for (int64_t first = 0; first < n && !s; first += CHUNK) {
        const int64_t count = n - first < CHUNK ? n - first : CHUNK;
        float *to = z + (size_t)first * dim;
        if (observe->pictures) {
            s = read_raw(ctx, data, observe->column[0], bytes, rows + first, count, chunk, err);
            if (!s) s = uw_model_encode(ctx, model, chunk, NULL, count, to, err);
        } else {
            s = uw__rows_columns(ctx, data, observe, rows + first, count, chunk, err);
            if (!s) s = uw_model_encode(ctx, model, NULL, chunk, count, to, err);
        }
        if (!s && n > CHUNK && !uw__progress(ctx, "encode", first + count, n))
            s = uw_fail(err, UW_EINTERRUPTED, "encode: stopped on request");
    }
    free(chunk);
    return s;
}

uw_status uw__latents_sample(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                             const uw_observe *observe, int64_t max_rows, uw_latents *out,
                             uw_err *err) {
    const int64_t total = uw_dataset_total_rows(data), episodes = uw_dataset_episodes(data);
    const int64_t n = total < max_rows ? total : max_rows;
    if (n < 1) return uw_fail(err, UW_EINVAL, "dataset: no rows to encode");
    uw_latents l = {.num_rows = n, .dim = uw_model_config_of(model)->latent_dim};
    l.rows = malloc((size_t)n * sizeof *l.rows);
    l.z = malloc((size_t)n * (size_t)l.dim * sizeof *l.z);
    uw_status s = UW_OK;
    if (!l.rows || !l.z) s = uw_fail(err, UW_ENOMEM, "encode: %lld rows", (long long)n);
    /* row i of the sample is row floor(i total / n) of the file */
    int64_t episode = 0, before = 0;
    for (int64_t i = 0; i < n && !s; i++) {
        const int64_t at = i * (total / n) + i * (total % n) / n;
        while (episode < episodes - 1 && at >= before + uw_dataset_episode_rows(data, episode))
            before += uw_dataset_episode_rows(data, episode++);
        l.rows[i] = (uw_row){episode, at - before};
    }
    bool *whole = s ? NULL : calloc((size_t)n, sizeof *whole);
    if (!s && !whole) s = uw_fail(err, UW_ENOMEM, "encode: %lld rows", (long long)n);
    if (!s) s = uw__rows_whole(ctx, data, observe, l.rows, n, whole, err);
    if (!s) l.num_rows = uw__rows_pack(l.rows, whole, n, 1);
    if (!s && l.num_rows < n)
        uw__log(ctx, UW_LOG_WARN, "%lld of %lld rows have a missing number and are left out",
                (long long)(n - l.num_rows), (long long)n);
    if (!s) s = uw__rows_encode(ctx, model, data, observe, l.rows, l.num_rows, l.z, err);
    free(whole);
    if (s)
        uw__latents_fini(&l);
    else
        *out = l;
    return s;
}

void uw__latents_fini(uw_latents *latents) {
    free(latents->rows);
    free(latents->z);
    *latents = (uw_latents){0};
}
