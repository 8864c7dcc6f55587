/* HDF5, the part of it that recordings are kept in: datasets of numbers in the root group, read by
 * our own code, written through libhdf5 (docs/formats/hdf5.md says why and what is refused).
 *
 * Reading never trusts a size: every structure is read with pread after its place was checked
 * against the file, and what is held in memory does not grow with the file. */
#ifndef UW_H5_H
#define UW_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>
#include <umwelt/tensor.h>

/* ---- in ----------------------------------------------------------------------------------- */

typedef struct uw_h5 uw_h5;

/* An array of the root group. */
typedef struct uw_h5_array {
    const char *name;  /* the file's */
    bool numbers;      /* dtype is one of ours; else `type` says what it is */
    uw_dtype dtype;    /* U8, I32, I64, F32, F64, BOOL */
    char type[32];     /* in h5py's words: "uint8", "bool", "string" */
    int32_t num_dims;  /* 0 .. 8 */
    int64_t shape[8];  /* [num_dims] */
    int64_t row_bytes; /* of one entry along the first dimension; 0 when it has none */
} uw_h5_array;

/* Open a file and list its root group.  Own: *out, uw__h5_close.
 * Returns UW_OK; UW_EFORMAT with the reason; UW_EUNSUPPORTED for what no writer of recordings
 * makes. */
uw_status uw__h5_open(const char *path, uw_h5 **out, uw_err *err);
void uw__h5_close(uw_h5 *h5);
/* Return the number of names in the root group, and name i. */
int32_t uw__h5_count(const uw_h5 *h5);
const char *uw__h5_name(const uw_h5 *h5, int32_t i);
int32_t uw__h5_find(const uw_h5 *h5, const char *name);
/* Describe what name i leads to.  Links out of the file, virtual and external storage, groups and
 * unknown filters are UW_EFORMAT here. */
uw_status uw__h5_array(uw_h5 *h5, int32_t i, uw_h5_array *out, uw_err *err);
/* Read entries [first, first + count) along the first dimension of array i into out.  The last
 * chunk is kept, so that reading in order decodes every chunk once.  One call at a time per file.
 */
uw_status uw__h5_rows(uw_h5 *h5, int32_t i, int64_t first, int64_t count, void *out, uw_err *err);
/* Find a text attribute of the root group; *out is the file's until the next call, NULL when there is
 * none. */
uw_status uw__h5_text(uw_h5 *h5, const char *name, const char **out, uw_err *err);

/* ---- in, in any order --------------------------------------------------------------------- */

/* Where the rows of an array lie, and what decoding them needs beside its output. */
typedef struct uw_h5_map uw_h5_map;
typedef struct uw_h5_room uw_h5_room;

/* Look up every chunk of array i: at most some twice the file's size, 16 bytes a chunk.  Not while rows are
 * read in order.  Own: *out, uw__h5_map_free, before the file is closed. */
uw_status uw__h5_map_new(uw_h5 *h5, int32_t i, uw_h5_map **out, uw_err *err);
void uw__h5_map_free(uw_h5_map *map);
/* Copy rows first, first + stride, ... (count of them, all in the array) into out.
 * Threads: any number on one map, each with a room of its own.
 * Alloc: none once the room has decoded a chunk of each array; libblosc allocates for Blosc. */
uw_status uw__h5_map_rows(const uw_h5_map *map, uw_h5_room *room, int64_t first, int64_t count,
                          int64_t stride, void *out, uw_err *err);
/* Return UW_ENOMEM without memory.  Own: *out, uw__h5_room_free (NULL allowed). */
uw_status uw__h5_room_new(uw_h5_room **out);
void uw__h5_room_free(uw_h5_room *room);

/* ---- out ---------------------------------------------------------------------------------- */

typedef struct uw_h5_writer uw_h5_writer;

/* Create a file (or empty one), or open one of ours to go on.  Without libhdf5: UW_EUNSUPPORTED.
 * Own: *out, uw__h5_writer_close. */
uw_status uw__h5_writer_open(const char *path, bool append, uw_h5_writer **out, uw_err *err);
/* Declare the next array (ids count from 0): rows of `shape` [num_dims], kept in chunks of chunk_rows.
 * When going on it must be there with the same type and shape (UW_ESHAPE), and ends after keep rows. */
uw_status uw__h5_writer_array(uw_h5_writer *w, const char *name, uw_dtype dtype, int32_t num_dims,
                              const int64_t *shape, int64_t chunk_rows, int64_t keep, uw_err *err);
/* Append rows to an array. */
uw_status uw__h5_writer_rows(uw_h5_writer *w, int32_t array, int64_t count, const void *data,
                             uw_err *err);
/* Set a text attribute of the root group. */
uw_status uw__h5_writer_text(uw_h5_writer *w, const char *name, const char *text, uw_err *err);
/* Finish and sync; always frees; NULL allowed. */
uw_status uw__h5_writer_close(uw_h5_writer *w, uw_err *err);

#endif
