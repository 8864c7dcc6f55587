/* Experience to be read in order, whatever keeps it: columns, episodes, rows.  Everything that copies,
 * summarises or exports a recording reads one of these, and no more than a few megabytes of it at once. */
#ifndef UW_SOURCE_H
#define UW_SOURCE_H

#include <umwelt/dataset.h>

struct uw_h5_map;
struct uw_json;

typedef struct uw__source uw__source;
struct uw__source {
    const char *name; /* for messages; the owner's */
    uw_column columns[UW_MAX_COLUMNS];
    size_t row_bytes[UW_MAX_COLUMNS];
    int32_t num_columns;
    uw_dataset_meta meta; /* strings the source's, or constants */
    int64_t num_episodes, total_rows;
    const int64_t *episode_rows; /* [num_episodes], the source's */
    /* Copy rows [first, first + count) of an episode; cheap when episodes and rows rise. */
    uw_status (*rows)(uw__source *source, int32_t column, int64_t episode, int64_t first,
                      int64_t count, void *out, uw_err *err);
    /* Hand out the stored JPEG of one row, valid until the next call for this column; NULL when nothing
     * is stored that way. */
    uw_status (*frame)(uw__source *source, int32_t column, int64_t episode, int64_t row,
                       const void **data, size_t *bytes, uw_err *err);
    void (*close)(uw__source *source);
    /* What the kinds of sources keep. */
    void *self;
    struct uw_json *json;
    int64_t *lengths, *starts; /* owned: [num_episodes] and [num_episodes + 1] when set */
};

/* Open what lies at path as a source.  CSV cannot be one: its episodes are known at its end.
 * Own: *out, uw__source_close. */
uw_status uw__source_open(uw_context *ctx, const char *path, uw_format format, uw__source **out,
                          uw_err *err);
/* View an open dataset as a source; closing it leaves the dataset open. */
void uw__source_view(const uw_dataset *data, uw__source *out);
/* Release what the source holds; NULL allowed, and after a failed opening. */
void uw__source_close(uw__source *source);
int32_t uw__source_find(const uw__source *source, const char *name);

/* The kinds. Each fills a zeroed source; on error uw__source_close cleans up. */
uw_status uw__hdf5_source(uw_context *ctx, const char *path, uw__source *out, uw_err *err);
uw_status uw__folder_source(uw_context *ctx, const char *path, uw__source *out, uw_err *err);
uw_status uw__npz_source(uw_context *ctx, const char *path, uw__source *out, uw_err *err);

/* Look up where the chunks of an HDF5 source's column lie; it must be freed before the source is closed. */
uw_status uw__hdf5_source_map(uw__source *source, int32_t column, struct uw_h5_map **out, uw_err *err);

/* Add one column; checks count, name, rank, and measures its row. */
uw_status uw__source_column(uw__source *source, const char *name, uw_dtype dtype, int32_t num_dims,
                            const int64_t *shape, uw_err *err);
/* Take episode lengths over (owned from now on, also on error): sums them, fills starts. */
uw_status uw__source_lengths(uw__source *source, int64_t *lengths, int64_t count, uw_err *err);
/* Take the facts, units and codecs of an umwelt_meta text (nullable). */
uw_status uw__source_meta(uw__source *source, const char *text, uw_err *err);
/* The text of facts, units and codecs; malloc'd, NULL without memory. */
char *uw__source_meta_text(const uw__source *source);

/* Rows that are copied at once: about 8 MB of them. */
int64_t uw__source_piece(const uw__source *source);

/* How an unfinished target is treated. */
typedef struct uw__resume {
    bool continue_old; /* go on after the last whole episode of PATH.partial */
    bool keep;         /* leave PATH.partial behind when stopped on request */
} uw__resume;

/* Write a source into a dataset, through PATH.partial. */
uw_status uw__source_record(uw_context *ctx, uw__source *source, const char *to, bool overwrite,
                            uw__resume resume, uw_err *err);

/* The same summaries as for datasets. */
uw_status uw__source_stats(uw__source *source, int32_t column, uw_column_stats *out, uw_err *err);
uw_status uw__source_normaliser(uw__source *source, int32_t column, float *mean, float *std,
                                uw_err *err);

#endif
