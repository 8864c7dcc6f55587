/* Finding the chunks of a file: by its index when that holds, else by walking the file. */
#ifndef UW_SCAN_H
#define UW_SCAN_H

#include "layout.h"

/* Read and check the header of an open file of `size` bytes. */
uw_status uw__scan_header(int fd, const char *path, uint64_t size, uw__header *out, uw_err *err);

/* Find all chunks. Own: out->chunks, uw__index_free.  Damage is not an error: what cannot be used
 * is counted in out->torn.  Returns UW_EIO and UW_ENOMEM only. */
uw_status uw__scan_index(int fd, const char *path, uint64_t size, const uw__header *header,
                         uw__index *out, uw_err *err);

/* Read a chunk's header; UW_EFORMAT when it is not the one the index promised. blocks:
 * [num_columns] */
uw_status uw__scan_chunk(int fd, const char *path, const uw__header *header, const uw__chunk *chunk,
                         uw__block *blocks, uw_err *err);

/* Read a frame table into frames [rows] and check it. */
uw_status uw__scan_frames(int fd, const char *path, const uw__header *header, int32_t column,
                          const uw__chunk *chunk, const uw__block *block, uw__frame *frames,
                          uw_err *err);

/* Read every byte of a chunk and compare all its checksums; padding must be zero. */
uw_status uw__scan_verify(int fd, const char *path, const uw__header *header,
                          const uw__chunk *chunk, uw_err *err);

/* Checksum `bytes` bytes at `offset` of the file without holding them. */
uw_status uw__scan_sum(int fd, const char *path, uint64_t offset, uint64_t bytes, uint64_t *sum,
                       uw_err *err);

#endif
