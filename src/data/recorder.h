/* What converters need of a recorder beyond the public calls. */
#ifndef UW_RECORDER_H
#define UW_RECORDER_H

#include <umwelt/dataset.h>

/* Open a recorder whose file appears at `path` only when it is closed without an error. */
uw_status uw__recorder_stage(const char *path, const uw_column *columns, int32_t num_columns,
                             const uw_dataset_meta *meta, bool overwrite, uw_recorder **out,
                             uw_err *err);
/* Close without publishing and remove what a staged recorder wrote. NULL allowed. */
void uw__recorder_discard(uw_recorder *rec);
/* Append `rows` rows to the open episode, compressed on ctx's pool; UW_OK with 0 rows. */
uw_status uw__recorder_rows(uw_recorder *rec, uw_context *ctx, const void *const *cells,
                            int64_t rows, uw_err *err);

/* After an append-open: take back a last episode of several chunks whose recorder was killed before
 * its end, which uw_recorder_open keeps as a shorter one. */
uw_status uw__recorder_drop_unfinished(uw_recorder *rec, uw_err *err);

/* A frame as it is stored. */
typedef struct uw__stored {
    void *data;
    size_t bytes;
} uw__stored;
/* From now on cells of the columns that `stored` [num_columns] marks are arrays of uw__stored: frames
 * of the column's codec that the caller has decoded once, taken over byte by byte. */
void uw__recorder_take_stored(uw_recorder *rec, const bool *stored);

#endif
