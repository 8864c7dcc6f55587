/* The zip container of NPZ and PyTorch files: directory in, one member's bytes out. */
#ifndef UW_ZIP_H
#define UW_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef struct uw_zip_member {
    char *name;                /* owned, without the ending */
    uint64_t begin;            /* where its local header begins */
    uint64_t data;             /* where its bytes begin */
    uint64_t packed, unpacked; /* bytes in the file; bytes it becomes */
    uint32_t crc;
    bool deflated;
} uw_zip_member;

/* What one format asks of its archives. */
typedef struct uw_zip_rules {
    const char *ending; /* of every member's name, which is kept without it; "" = none */
    const char *twice;  /* reason of the refusal of a name that is there twice */
    const char *fix;    /* advice for a damaged archive */
    bool stored;        /* nothing may be compressed */
} uw_zip_rules;

/* Read and check the directory of a zip file of `size` bytes whose members together become at most
 * max_bytes.  Own: *members and their names, in any case to be freed with uw__zip_free. */
uw_status uw__zip_read(int fd, const char *path, uint64_t size, uint64_t max_bytes,
                       const uw_zip_rules *rules, uw_zip_member **members, int32_t *count,
                       uw_err *err);
void uw__zip_free(uw_zip_member *members, int32_t count);

/* One member's bytes, unpacked as they are asked for. */
typedef struct uw_zip_stream uw_zip_stream;
uw_status uw__zip_open(int fd, const char *path, const uw_zip_member *member, uw_zip_stream **out,
                       uw_err *err);
/* Exactly n bytes. */
uw_status uw__zip_get(uw_zip_stream *z, void *out, uint64_t n, uw_err *err);
/* Check that nothing is left and, unless the member stands alone, that the checksum holds. */
uw_status uw__zip_end(uw_zip_stream *z, bool alone, uw_err *err);
void uw__zip_close(uw_zip_stream *z);

/* Write an archive of stored members, atomically: begin, data until `bytes` are there, and so on,
 * close.  Below 4 GiB and 65535 members, or UW_EUNSUPPORTED.  The same calls give the same bytes. */
typedef struct uw_zip_writer uw_zip_writer;
/* UW_EEXIST unless overwrite. */
uw_status uw__zip_writer_open(const char *path, bool overwrite, uw_zip_writer **out, uw_err *err);
/* Begin a member whose first byte lies on a multiple of `align` (1 .. 4096). */
uw_status uw__zip_writer_begin(uw_zip_writer *w, const char *name, uint64_t bytes, size_t align,
                               uw_err *err);
uw_status uw__zip_writer_data(uw_zip_writer *w, const void *data, size_t bytes, uw_err *err);
/* Publish; always frees. */
uw_status uw__zip_writer_close(uw_zip_writer *w, uw_err *err);
/* Leave nothing behind; NULL allowed. */
void uw__zip_writer_abort(uw_zip_writer *w);

#endif
