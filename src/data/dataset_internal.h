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

/* Make decoders for that many reading threads now, so that no later read allocates.  To be called before others
 * read. Returns UW_ENOMEM. */
uw_status uw__dataset_reserve(const uw_dataset *data, int32_t threads, uw_err *err);

#endif
