/* Holes of a recording: rows with a number that is missing, which no training window may read. */
#ifndef UW_HOLES_H
#define UW_HOLES_H

#include "feed.h"

/* Find the missing numbers in every column that training reads, and drop the windows of feed that would
 * read one: each column with holes is told to the log by name, and so are the windows.  The last row of
 * an episode has no action, and needs none.
 * Returns  UW_OK; UW_ENONFINITE when no window is left; UW_ENOMEM; whatever reading says           */
uw_status uw__holes_drop(uw_context *ctx, uw_feed *feed, const uw_train_config *config,
                         uw_err *err);

#endif
