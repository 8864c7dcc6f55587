/* The inside of an open dataset. */
#ifndef UW_DATASET_INTERNAL_H
#define UW_DATASET_INTERNAL_H

#include <umwelt/dataset.h>

#include "layout.h"

/* Return the file's header. */
const uw__header *uw__dataset_header(const uw_dataset *data);
/* Return the path, for messages. */
const char *uw__dataset_name(const uw_dataset *data);
/* Check a column index and return the column; NULL with a message when there is none. */
const uw_column *uw__dataset_column_checked(const uw_dataset *data, int32_t column, uw_err *err);

/* Rows of every episode, [uw_dataset_episodes], the dataset's. */
const int64_t *uw__dataset_lengths(const uw_dataset *data);
/* Hand out a frame as it is stored, checked against its checksum; valid until the next call.  One call at a
 * time per dataset. */
uw_status uw__dataset_stored(uw_dataset *data, int32_t column, int64_t episode, int64_t row, const void **out,
                             size_t *bytes, uw_err *err);

/* True for an episode that a split keeps out: windows of it are not trained on. */
bool uw__episode_held_out(uint64_t seed, int64_t episode, double holdout);
/* Whether a window that starts at this row is wanted. */
typedef bool uw__window_fn(void *arg, int64_t episode, int64_t row);
/* Keep the wanted windows, in their order; asks about each twice.  Returns UW_ENOMEM, nothing changed. */
uw_status uw__windows_keep(uw_windows *windows, uw__window_fn *keep, void *arg, uw_err *err);
/* Read the actions of rows one after the other: out [rows, A]; NaN becomes 0.  Returns as
 * uw_windows_read_actions. */
uw_status uw__dataset_actions(const uw_dataset *data, int32_t column, int64_t episode, int64_t row,
                              int64_t rows, float *out, uw_err *err);

/* The windows of the episode that window i, which there is, is of: *count of them from *first on. */
void uw__windows_beside(const uw_windows *windows, int64_t i, int64_t *first, int64_t *count);

/* Show column `column`, pictures of three channels, at side x side from now on: uw_dataset_column tells that
 * shape, and uw_dataset_rows hands the frames out fitted as uw_picture_fit does.  To be called before others read;
 * statistics and conversion of the column are for a dataset that was not fitted.
 * Returns UW_OK; UW_ESHAPE; UW_ENOMEM.  On error nothing has changed */
uw_status uw__dataset_fit(uw_dataset *data, int32_t column, int64_t side, uw_err *err);

/* Make decoders for that many reading threads now, so that no later read allocates.  To be called before others
 * read. Returns UW_ENOMEM. */
uw_status uw__dataset_reserve(const uw_dataset *data, int32_t threads, uw_err *err);

#endif
