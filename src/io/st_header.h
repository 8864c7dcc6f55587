/* The JSON header of a safetensors file: its own reader, because the format allows one shape of
 * JSON only and a header of 100 MB must not become gigabytes of generic values. */
#ifndef UW_ST_HEADER_H
#define UW_ST_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "safetensors.h"

enum { UW_ST_MAX_HEADER = 100000000 }; /* bytes, the format's own limit */

typedef struct uw_st_entry {
    uw_tensor tensor;    /* data NULL */
    uint64_t begin, end; /* bytes in the data block */
    int32_t order;       /* place in the header, so that sorting has no ties */
} uw_st_entry;

typedef struct uw_st_header {
    char *text;           /* owned; every name, key and value points into it */
    uw_st_entry *entries; /* owned [count], in data order */
    int32_t *by_name;     /* owned [count], indices of entries sorted by name */
    uw_meta_pair *meta;   /* owned [meta_count], in header order */
    int32_t count, cap, meta_count, meta_cap;
} uw_st_header;

/* Read and check a header of `size` bytes for a data block of `data_bytes`.
 *
 * Own      text (malloc'd, size + 1 bytes) passes to *out in any case; free with uw__st_header_free
 * Returns  UW_OK; UW_EFORMAT with the reason; UW_EUNSUPPORTED for a type of the format that this
 * library does not have; UW_ENOMEM.  On error *out is to be freed all the same. */
uw_status uw__st_header_read(const char *file, char *text, size_t size, uint64_t data_bytes,
                             uw_st_header *out, uw_err *err);
void uw__st_header_free(uw_st_header *header);

#endif
