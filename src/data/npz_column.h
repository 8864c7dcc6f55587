/* Columns whose rows are one NPY array in a zip member, read in order: of NPZ files and of folders. */
#ifndef UW_NPZ_COLUMN_H
#define UW_NPZ_COLUMN_H

#include "npy.h"
#include "source.h"

/* Most bytes that an archive's members may become together: nothing is held, so this only stops
 * archives that unpack for ever. */
#define UW__NPZ_MOST (UINT64_C(1) << 42)

typedef struct uw__npz_column {
    uw_npz *npz; /* borrowed */
    int32_t member;
    size_t row_bytes;
    uw_npz_stream *stream;      /* NULL before the first row */
    int64_t at;                 /* row that the stream gives next */
    const unsigned char *whole; /* a column-major array, turned; the npz's */
} uw__npz_column;

/* Read episode lengths from member `len`, checked against `offset` (-1 = not there), into source. */
uw_status uw__npz_episodes(uw__source *source, uw_npz *len_npz, int32_t len, uw_npz *offset_npz,
                           int32_t offset, uw_err *err);
/* Make member i of npz a column called name, after the episodes were read.  out NULL: there are too many. */
uw_status uw__npz_column_add(uw__source *source, uw_npz *npz, int32_t member, const char *name,
                             uw__npz_column *out, uw_err *err);
uw_status uw__npz_column_rows(uw__npz_column *column, int64_t first, int64_t count, void *out,
                              uw_err *err);
void uw__npz_column_close(uw__npz_column *column);

#endif
