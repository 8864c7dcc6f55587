/* NPY and NPZ: arrays in and out (zip members stored or deflated). */
#ifndef UW_NPY_H
#define UW_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>
#include <umwelt/tensor.h>

typedef struct uw_npz uw_npz; /* an open archive; members are decoded on demand */

/* Open an .npz (or a single .npy: one member named "arr"). Sizes are checked against the file and a
 * cap on inflated bytes before anything is allocated. Pickled (object) arrays are refused.
 * Fixed-width unicode arrays ('<U..') are readable only through uw__npz_strings.  max_bytes 0 = 16
 * GiB. */
uw_status uw__npz_open(const char *path, uint64_t max_bytes, uw_npz **out, uw_err *err);
void uw__npz_close(uw_npz *npz);
int32_t uw__npz_count(const uw_npz *npz);
const char *uw__npz_name(const uw_npz *npz, int32_t i);
int32_t uw__npz_find(const uw_npz *npz, const char *name);
/* Decode member i (row-major, whatever the file's order; 64-byte aligned) into memory that the npz
 * owns until close; shape, dtype from its header. */
uw_status uw__npz_get(uw_npz *npz, int32_t i, uw_tensor *out, uw_err *err);
/* Decode member i of dtype '<U' into UTF-8 strings [count], owned by the npz. */
uw_status uw__npz_strings(uw_npz *npz, int32_t i, const char ***strings, int64_t *count,
                          uw_err *err);

/* Read member i in order without holding it: its shape and dtype in *out (data NULL), then bytes as
 * asked for; the last ones are given out only when the archive's checksum holds.  Texts and
 * column-major arrays are UW_EUNSUPPORTED, with *out filled in.  Own: *stream, closed before the npz. */
typedef struct uw_npz_stream uw_npz_stream;
uw_status uw__npz_stream_open(uw_npz *npz, int32_t i, uw_tensor *out, uw_npz_stream **stream,
                              uw_err *err);
uw_status uw__npz_stream_read(uw_npz_stream *stream, void *out, uint64_t bytes, uw_err *err);
void uw__npz_stream_close(uw_npz_stream *stream);

/* Stream an .npz out, atomically: begin a member, hand its data over in pieces, begin the next,
 * close. Members are stored; an archive that would need zip64 (4 GiB) is UW_EUNSUPPORTED.  The same
 * calls give the same bytes (no times).  close publishes and frees, also on error; abort leaves
 * nothing. */
typedef struct uw_npz_writer uw_npz_writer;
uw_status uw__npz_writer_open(const char *path, bool overwrite, uw_npz_writer **out, uw_err *err);
uw_status uw__npz_writer_begin(uw_npz_writer *w, const char *name, uw_dtype dtype, int32_t num_dims,
                               const int64_t *shape, uw_err *err);
uw_status uw__npz_writer_data(uw_npz_writer *w, const void *data, size_t bytes, uw_err *err);
uw_status uw__npz_writer_close(uw_npz_writer *w, uw_err *err);
void uw__npz_writer_abort(uw_npz_writer *w);

#endif
