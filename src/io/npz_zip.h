/* The zip container around NPZ members: directory in, one member's bytes out. */
#ifndef UW_NPZ_ZIP_H
#define UW_NPZ_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

typedef struct uw_zip_member {
    char *name;                /* owned, without ".npy" */
    uint64_t begin;            /* where its local header begins */
    uint64_t data;             /* where its bytes begin */
    uint64_t packed, unpacked; /* bytes in the file; bytes it becomes */
    uint32_t crc;
    bool deflated;
} uw_zip_member;

/* Read and check the directory of a zip file of `size` bytes whose members together become at most
 * max_bytes.  Own: *members and their names, in any case to be freed with uw__zip_free. */
uw_status uw__zip_read(int fd, const char *path, uint64_t size, uint64_t max_bytes,
                       uw_zip_member **members, int32_t *count, uw_err *err);
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

#endif
