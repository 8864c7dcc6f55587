/* An HDF5 recording read in place, as a dataset: no conversion, windows in any order. */
#ifndef UW_DATASET_HDF5_H
#define UW_DATASET_HDF5_H

#include <umwelt/dataset.h>

#include "h5.h"
#include "source.h"

typedef struct uw__hdf5_data uw__hdf5_data;

/* Tell whether an open file begins as HDF5 does. */
bool uw__hdf5_signature(int fd, const char *path, uint64_t size);
/* Open and check a recording in the reference's layout; path must outlive it.
 * Own: *out, uw__hdf5_data_close (NULL allowed). */
uw_status uw__hdf5_data_open(const char *path, uw__hdf5_data **out, uw_err *err);
void uw__hdf5_data_close(uw__hdf5_data *data);
/* Its columns, episodes and facts; only its facts may be used, not its rows. */
const uw__source *uw__hdf5_data_source(const uw__hdf5_data *data);
/* Copy rows as uw_dataset_rows does, within bounds that were checked.  Any number of threads at once, each with
 * a room of its own. */
uw_status uw__hdf5_data_rows(const uw__hdf5_data *data, uw_h5_room *room, int32_t column, int64_t episode,
                             int64_t first, int64_t count, int64_t stride, void *out, uw_err *err);
/* Decode every row of an episode: what HDF5's filters can tell of damage. */
uw_status uw__hdf5_data_verify(const uw__hdf5_data *data, uw_h5_room *room, int64_t episode,
                               uw_err *err);
/* Hash columns, episodes, the file's size and a sample of every column's rows: the whole is too large to be read
 * at every opening, and HDF5 keeps no checksum of it. */
uw_status uw__hdf5_data_hash(const uw__hdf5_data *data, uint64_t bytes, char hex[17], uw_err *err);

#endif
