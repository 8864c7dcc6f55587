/* Latents of recorded rows: what probes, drift curves and the report's pictures start from.
 *
 *     uw__observe_find(model, data, &observe, &err);
 *     uw__latents_sample(ctx, model, data, &observe, 8192, &latents, &err); */
#ifndef UW_LATENTS_H
#define UW_LATENTS_H

#include <umwelt/dataset.h>
#include <umwelt/model.h>

/* Which columns of a dataset a model sees. */
typedef struct uw_observe {
    bool pictures;
    int32_t count, column[UW_MAX_COLUMNS]; /* one with pictures */
    int32_t dim;                           /* numbers per row; 0 with pictures */
    size_t frame_bytes;                    /* 0 without pictures */
} uw_observe;

/* Resolve the columns that the model's provenance names and check their shapes; pictures are shown at the
 * model's size from then on (uw__dataset_fit).
 * Returns UW_ESHAPE, naming the column, when one is missing or sizes disagree. */
uw_status uw__observe_find(const uw_model *model, uw_dataset *data, uw_observe *out,
                           uw_err *err);

/* One recorded row: an episode and a row in it. */
typedef struct uw_row {
    int64_t episode, row;
} uw_row;

/* Return numbers per row of a column; 0 when it is a frame or too large to be a sensor. */
int32_t uw__column_numbers(const uw_column *column);

/* Return a cell as a double, exact for all types but large I64; p may lie anywhere. */
double uw__cell_number(uw_dtype dtype, const unsigned char *p);

/* Read a sensor column's numbers at rows as doubles, whatever its type: out [n, numbers]. */
uw_status uw__rows_read(uw_context *ctx, const uw_dataset *data, int32_t column, const uw_row *rows,
                        int64_t n, double *out, uw_err *err);

/* Read rows' pictures, out [n, frame_bytes], or observed columns side by side as floats, out [n, observe->dim]. */
uw_status uw__rows_frames(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                          const uw_row *rows, int64_t n, uint8_t *out, uw_err *err);
uw_status uw__rows_columns(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                           const uw_row *rows, int64_t n, float *out, uw_err *err);

/* Tell which rows a model can see: whole[i] is false where an observed number of row i is missing.
 * Returns UW_ENONFINITE, naming the columns, when it is none of them (and n > 0). */
uw_status uw__rows_whole(uw_context *ctx, const uw_dataset *data, const uw_observe *observe,
                         const uw_row *rows, int64_t n, bool *whole, uw_err *err);
/* Drop groups of `each` rows one after the other that hold a row which is not whole; return how many of the
 * count groups are left, at the front of rows. */
int64_t uw__rows_pack(uw_row *rows, const bool *whole, int64_t count, int64_t each);

/* Encode rows: z [n, D]; frames are read in parallel, a few hundred at a time. */
uw_status uw__rows_encode(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                          const uw_observe *observe, const uw_row *rows, int64_t n, float *z,
                          uw_err *err);

/* Rows and their latents. */
typedef struct uw_latents {
    int64_t num_rows;
    int32_t dim;
    uw_row *rows; /* [num_rows], in file order */
    float *z;     /* [num_rows, dim] */
} uw_latents;

/* Encode at most max_rows rows, spread evenly over the dataset; rows with a missing number are left out.  Own: *out, uw__latents_fini. */
uw_status uw__latents_sample(uw_context *ctx, const uw_model *model, const uw_dataset *data,
                             const uw_observe *observe, int64_t max_rows, uw_latents *out,
                             uw_err *err);
void uw__latents_fini(uw_latents *latents);

#endif
