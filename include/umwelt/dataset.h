/* Recorded experience: episodes of columns on disk, append-only, checksummed, read in place.
 *
 *     uw_recorder_open(path, columns, num_columns, &meta, &options, &rec, &err);
 *     uw_recorder_row(rec, row_pointers, &err);  ...  uw_recorder_end_episode(rec, &err);
 *     uw_recorder_close(rec, &err);
 *
 *     uw_dataset_open(path, &data, &err);
 *     uw_dataset_rows(data, column, episode, first, count, stride, out, &err);
 *
 * Row t holds what was seen at t and the action taken FROM t; the last row of an episode has NaN
 * actions.  The bytes on disk are specified in docs/formats/dataset.md. */
#ifndef UW_DATASET_H
#define UW_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/context.h>
#include <umwelt/status.h>
#include <umwelt/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UW_MAX_COLUMNS = 64, UW_MAX_COLUMN_NAME = 64 };

typedef enum uw_codec { UW_CODEC_RAW = 0, UW_CODEC_ZSTD = 1, UW_CODEC_JPEG = 2 } uw_codec;

/* One column: what it is called, its type, its shape per row, its unit. */
typedef struct uw_column {
    char name[UW_MAX_COLUMN_NAME]; /* "pixels", "action", "state", "temperature" */
    uw_dtype dtype;                /* U8, I32, I64, F32, F64, BOOL */
    int32_t num_dims;              /* 0 .. 4 */
    int64_t shape[4];              /* per row: pixels [Y, X, 3], action [A] */
    char unit[32];                 /* "px", "m/s", "" */
    uw_codec codec;                /* frames only (rank 3 U8); others are RAW */
} uw_column;

/* Facts about the recording; strings are copied. */
typedef struct uw_dataset_meta {
    const char *env;        /* world, or "" */
    const char *policy;     /* "random", ..., or "" */
    const char *variation;  /* as the command's options, or "" */
    int32_t action_repeat;  /* env steps per row, >= 1 */
    double row_seconds;     /* time between rows, 0 = unknown */
    uint64_t seed;
} uw_dataset_meta;

/* ---- writing ----------------------------------------------------------------------------------- */

typedef struct uw_recorder uw_recorder;

typedef enum uw_open_mode {
    UW_OPEN_NEW = 0,      /* UW_EEXIST when the file exists */
    UW_OPEN_OVERWRITE = 1, /* written beside as PATH.new, renamed over the old file at close */
    UW_OPEN_APPEND = 2     /* continue after the last complete episode, or begin; columns must match */
} uw_open_mode;

/* Open a recorder. Own: *out, closed by uw_recorder_close.
 * Returns UW_OK; UW_EINVAL for columns that cannot be; UW_EEXIST; UW_ESHAPE when appending other columns;
 *         UW_EFORMAT when appending to another kind of file; UW_ENOSPC. On error *out is NULL. */
UW_API uw_status uw_recorder_open(const char *path, const uw_column *columns, int32_t num_columns,
                                  const uw_dataset_meta *meta, uw_open_mode mode, uw_recorder **out,
                                  uw_err *err);
/* Append one row; cells[i] points to column i's row bytes. Frames are compressed here. */
UW_API uw_status uw_recorder_row(uw_recorder *rec, const void *const *cells, uw_err *err);
/* Append a whole episode, rows contiguous per column (cells[i] = [rows, ...]); frames are compressed on
 * ctx's pool when ctx is given.  The bytes written do not depend on the number of threads.  All or nothing: on
 * error the recording ends after the episode before. */
UW_API uw_status uw_recorder_episode(uw_recorder *rec, uw_context *ctx, const void *const *cells,
                                     int64_t rows, uw_err *err);
/* Finish the open episode: after UW_OK it survives a crash of this process. */
UW_API uw_status uw_recorder_end_episode(uw_recorder *rec, uw_err *err);
/* Return complete episodes so far (after an append-open: those found). */
UW_API int64_t uw_recorder_episodes(const uw_recorder *rec);
/* End an open episode, write the index, sync and close (always frees); on error the episodes already ended are
 * still readable. NULL allowed. */
UW_API uw_status uw_recorder_close(uw_recorder *rec, uw_err *err);

/* ---- reading ----------------------------------------------------------------------------------- */

typedef struct uw_dataset uw_dataset;

/* Open and check a dataset.  A missing or damaged index is rebuilt in memory; a torn tail is left out and
 * counted in uw_dataset_torn_bytes.  An HDF5 file in the reference's layout opens too and is read in place
 * (docs/formats/hdf5.md); no other function here tells the difference. Own: *out, uw_dataset_close. */
UW_API uw_status uw_dataset_open(const char *path, uw_dataset **out, uw_err *err);
UW_API void uw_dataset_close(uw_dataset *data);

/* Return counts and sizes: complete episodes, rows of all and of one (0 <= episode < episodes), bytes of the
 * file, bytes of a torn tail, columns; uw_dataset_column(data, i) borrows column i, 0 <= i < num_columns. */
UW_API int64_t uw_dataset_episodes(const uw_dataset *data);
UW_API int64_t uw_dataset_total_rows(const uw_dataset *data);
UW_API int64_t uw_dataset_episode_rows(const uw_dataset *data, int64_t episode);
UW_API int64_t uw_dataset_bytes(const uw_dataset *data);
UW_API int64_t uw_dataset_torn_bytes(const uw_dataset *data);
UW_API int32_t uw_dataset_num_columns(const uw_dataset *data);
UW_API const uw_column *uw_dataset_column(const uw_dataset *data, int32_t i);
/* Return the index of a column, or -1; *nearest (nullable) gets the closest name. */
UW_API int32_t uw_dataset_find(const uw_dataset *data, const char *name, const char **nearest);
UW_API const uw_dataset_meta *uw_dataset_meta_of(const uw_dataset *data);
/* Return 16 hex digits that identify the content (columns, episode table, chunk checksums; of an HDF5 file
 * columns, episode table, size and a sample of the rows). */
UW_API const char *uw_dataset_hash(const uw_dataset *data);

/* Copy rows first, first + stride, ... (count of them) of one episode into out, decoded.
 *
 * Own      out: the caller's, count * row bytes
 * Threads  any number at once on one dataset
 * Alloc    none (a decoder per concurrent reader is kept by the dataset; libjpeg allocates for JPEG,
 *          libblosc for Blosc)
 * Returns  UW_OK; UW_EINVAL outside the episode; UW_EFORMAT when a checksum does not hold; UW_EIO when
 *          the file shrank under the map */
UW_API uw_status uw_dataset_rows(const uw_dataset *data, int32_t column, int64_t episode,
                                 int64_t first, int64_t count, int64_t stride, void *out,
                                 uw_err *err);

/* Fit a picture [height, width, 3] to a model: its middle square, resized to out [side, side, 3] as training
 * with image_size does it (area average when it shrinks, bilinear when it grows; the same bits everywhere).
 * Returns UW_OK; UW_ESHAPE for a square above 4096 or a side above 1024 pixels; UW_ENOMEM */
UW_API uw_status uw_picture_fit(const uint8_t *rgb, int32_t height, int32_t width, int32_t side, uint8_t *out,
                                uw_err *err);

/* Verify every checksum (HDF5: decode every row); UW_EFORMAT names the first episode that fails. */
UW_API uw_status uw_dataset_verify(const uw_dataset *data, uw_context *ctx, uw_err *err);

/* Summary of one column over all rows (per column, all numbers pooled; frames sampled). */
typedef struct uw_column_stats {
    double min, max, mean, std; /* over finite numbers; std with divisor n */
    int64_t count, nan;         /* numbers seen; of these not finite */
} uw_column_stats;
UW_API uw_status uw_dataset_stats(const uw_dataset *data, int32_t column, uw_column_stats *out,
                                  uw_err *err);
/* Per-number mean and std of a float column over rows without NaN (a normaliser): mean, std: [dim],
 * std with divisor n, at least 1e-8. */
UW_API uw_status uw_dataset_normaliser(const uw_dataset *data, int32_t column, float *mean,
                                       float *std, uw_err *err);

/* ---- windows ----------------------------------------------------------------------------------- */

/* All windows of `window` model steps, frameskip rows apart, in every long-enough episode. */
typedef struct uw_windows uw_windows;
/* holdout: fraction of EPISODES kept out (by a hash of seed and episode); validation picks that part. */
UW_API uw_status uw_windows_new(const uw_dataset *data, int32_t window, int32_t frameskip,
                                double holdout, bool validation, uint64_t seed, uw_windows **out,
                                uw_err *err);
UW_API void uw_windows_free(uw_windows *windows);
UW_API int64_t uw_windows_count(const uw_windows *windows);
/* Return episode and first row of window i. */
UW_API void uw_windows_at(const uw_windows *windows, int64_t i, int64_t *episode, int64_t *row);
/* Read column rows of window i at its model steps: out [window, row...]. */
UW_API uw_status uw_windows_read(const uw_windows *windows, int64_t i, int32_t column, void *out,
                                 uw_err *err);
/* Read the action blocks of window i: out [window, frameskip * A], chronological; NaN becomes 0. */
UW_API uw_status uw_windows_read_actions(const uw_windows *windows, int64_t i, int32_t column,
                                         float *out, uw_err *err);

/* ---- other formats ------------------------------------------------------------------------------- */

typedef enum uw_format {
    UW_FORMAT_UNKNOWN = 0,
    UW_FORMAT_DATASET = 1,     /* ours, .uw */
    UW_FORMAT_NPZ = 2,
    UW_FORMAT_CSV = 3,
    UW_FORMAT_SAFETENSORS = 4, /* a model, or any */
    UW_FORMAT_CHECKPOINT = 5,  /* a generation directory or a run folder */
    UW_FORMAT_HDF5 = 6,        /* the reference's layout */
    UW_FORMAT_PT = 7,          /* a model */
    UW_FORMAT_PNG = 8,
    UW_FORMAT_NPY = 9,
    UW_FORMAT_FOLDER = 10      /* NPZ columns and JPEG pictures */
} uw_format;
/* Tell what a file is, from content, then from its name. */
UW_API uw_status uw_format_detect(const char *path, uw_format *out, uw_err *err);
UW_API const char *uw_format_str(uw_format format);
UW_API bool uw_format_parse(const char *word, uw_format *out);

typedef struct uw_convert_result { int64_t episodes, rows; uw_format from, to; } uw_convert_result;
/* Convert between dataset formats, streaming.  NPZ: columns plus ep_len and ep_offset, as the field's
 * layout has them; CSV: header row, an `episode` column, empty = NaN, %.9g / %.17g round-trip exact.
 * Returns UW_EEXIST unless overwrite; on error nothing is left. */
UW_API uw_status uw_convert(uw_context *ctx, const char *from, const char *to, uw_format to_format,
                            bool overwrite, uw_convert_result *out, uw_err *err);

/* The same, and stopped on request it leaves `to`.partial (UW_EINTERRUPTED); so does a killed process.
 * resume continues such a rest after its last whole episode, to the same result as in one go; without a
 * rest it begins.  Of NPZ and CSV nothing is kept: they begin again.  UW_ESHAPE when the rest is of
 * another recording. */
UW_API uw_status uw_convert_resumable(uw_context *ctx, const char *from, const char *to,
                                      uw_format to_format, bool overwrite, bool resume,
                                      uw_convert_result *out, uw_err *err);

/* What a recording in any format holds, found without converting it. */
typedef struct uw_file_summary {
    uw_format format;
    int64_t episodes, rows;
    int32_t num_columns;
    uw_column columns[UW_MAX_COLUMNS];
    uw_column_stats stats[UW_MAX_COLUMNS]; /* as uw_dataset_stats finds them */
} uw_file_summary;
UW_API uw_status uw_dataset_file_summary(uw_context *ctx, const char *path, uw_file_summary *out,
                                         uw_err *err);

/* Fit a column's normaliser as uw_dataset_normaliser does, from a recording in any format, without
 * reading its pictures. mean, std: [dim].
 * Returns UW_OK; UW_ENOTFOUND without such a file or column; UW_ESHAPE when it has not dim numbers a row, or is
 *         not of floating-point numbers; UW_ENONFINITE without one row that counts; UW_EFORMAT. */
UW_API uw_status uw_dataset_file_normaliser(uw_context *ctx, const char *path, const char *column,
                                            int32_t dim, float *mean, float *std, uw_err *err);

#ifdef __cplusplus
}
#endif
#endif
