/* The bytes of a recording: encoding, decoding and every check on what a file says about itself.
 * Nothing here opens a file or allocates on a file's word; docs/formats/dataset.md is the
 * specification and the two must agree. */
#ifndef UW_LAYOUT_H
#define UW_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/dataset.h>

enum {
    UW__DATA_VERSION = 1,
    UW__DATA_ALIGN = 64,    /* every block starts at a multiple */
    UW__HEADER_FIXED = 64,  /* bytes before the columns */
    UW__COLUMN_BYTES = 192, /* one column record */
    UW__TEXT_MAX = 16384,   /* env, policy, variation with their NULs */
    UW__HEADER_MAX = UW__HEADER_FIXED + UW_MAX_COLUMNS * UW__COLUMN_BYTES + UW__TEXT_MAX,
    UW__CHUNK_FIXED = 64, /* bytes before the block directory */
    UW__BLOCK_BYTES = 32, /* one directory entry */
    UW__CHUNK_HEAD_MAX = UW__CHUNK_FIXED + UW_MAX_COLUMNS * UW__BLOCK_BYTES,
    UW__FRAME_BYTES = 16, /* one frame table entry */
    UW__INDEX_FIXED = 64, /* bytes before the entries of the index */
    UW__INDEX_ENTRY = 48,
    UW__TRAILER_BYTES = 64, /* the last bytes of a closed file */
    UW__CHUNK_ROWS_MAX = 4096,
    UW__CHUNK_TARGET = 8 << 20,  /* a recorder closes a chunk that holds this much */
    UW__ROW_BYTES_MAX = 1 << 30, /* of all columns together */
    UW__SUM_PIECE = 65536        /* checksums chain over pieces of this size */
};

enum { UW__CHUNK_END = 1u }; /* chunk flag: last chunk of its episode */

/* The file's header, decoded. */
typedef struct uw__header {
    uw_column columns[UW_MAX_COLUMNS];
    size_t row_bytes[UW_MAX_COLUMNS]; /* decoded bytes of one row */
    int32_t num_columns;
    uint32_t header_bytes; /* in the file, a multiple of 64 */
    uw_dataset_meta meta;  /* strings point into text */
    char text[UW__TEXT_MAX];
} uw__header;

/* One chunk: rows of one episode. */
typedef struct uw__chunk {
    uint64_t offset;    /* in the file */
    uint64_t bytes;     /* header, blocks and padding */
    uint64_t episode;   /* the recorder's number */
    uint64_t first_row; /* within the episode */
    uint32_t rows;
    uint32_t flags;
    uint64_t sum; /* checksum of its header, which holds those of its blocks */
} uw__chunk;

/* True when `next` continues the episode that `chunk` began. */
static inline bool uw__chunk_follows(const uw__chunk *chunk, const uw__chunk *next) {
    return next->episode == chunk->episode && !(chunk->flags & UW__CHUNK_END) &&
           next->first_row == chunk->first_row + chunk->rows;
}

/* One column of one chunk. */
typedef struct uw__block {
    uint64_t offset; /* from the chunk's start */
    uint64_t bytes;
    uint64_t sum; /* plain columns: of the block; frames: of the frame table */
} uw__block;

typedef struct uw__frame {
    uint32_t offset, bytes; /* from the block's start */
    uint64_t sum;
} uw__frame;

/* What a file holds: its chunks in file order. */
typedef struct uw__index {
    uw__chunk *chunks; /* owned */
    int64_t num_chunks, cap;
    uint64_t end;  /* after the last chunk: where the next one goes */
    uint64_t torn; /* bytes that belong to no chunk and no valid index */
} uw__index;

static inline uint64_t uw__align64(uint64_t n) {
    return (n + (UW__DATA_ALIGN - 1)) & ~(uint64_t)(UW__DATA_ALIGN - 1);
}

/* Checksum of a file region: XXH3-64 over pieces of 64 KiB, each seeded with the one before. */
uint64_t uw__sum_add(uint64_t sum, const void *data, size_t size);

/* The same for a region whose own checksum field [at, at + 8) counts as zero. */
uint64_t uw__sum_without(const unsigned char *data, size_t size, size_t at);

/* True for a column of independently stored frames: U8 of rank 3. */
bool uw__column_is_frames(const uw_column *column);
/* Check columns and compute row bytes; `wrong` is what to return (EINVAL for a caller, EFORMAT for
 * a file). */
uw_status uw__columns_check(const char *name, uw__header *header, uw_status wrong, uw_err *err);

/* Fill a header from the caller's columns and facts, normalised (unused shape entries 0). */
uw_status uw__header_make(const char *name, const uw_column *columns, int32_t num_columns,
                          const uw_dataset_meta *meta, uw__header *out, uw_err *err);
/* Write header_bytes bytes to out [UW__HEADER_MAX]. */
void uw__header_encode(const uw__header *header, unsigned char *out);
/* Return the header's length from its first 64 bytes; UW_EFORMAT when these are not ours. */
uw_status uw__header_length(const char *name, const unsigned char *data, size_t size,
                            uint32_t *length, uw_err *err);
uw_status uw__header_decode(const char *name, const unsigned char *data, size_t size,
                            uw__header *out, uw_err *err);

/* Bytes of a chunk header with its directory. */
size_t uw__chunk_head_bytes(int32_t num_columns);
/* Write a chunk header to out; sets chunk->sum. */
void uw__chunk_head_encode(uw__chunk *chunk, const uw__block *blocks, int32_t num_columns,
                           unsigned char *out);
/* Decode and check a chunk header of `size` bytes that stands at `offset` of a region that ends at
 * `limit`. False when it is not a whole, consistent one. */
bool uw__chunk_head_decode(const uw__header *header, const unsigned char *data, size_t size,
                           uint64_t offset, uint64_t limit, uw__chunk *chunk, uw__block *blocks);

/* Check a frame table: entries adjoin, none is larger than a frame may be, the last ends the block.
 */
bool uw__frames_check(const uw__frame *frames, uint32_t rows, uint64_t block_bytes,
                      size_t max_bytes);
void uw__frame_encode_entry(const uw__frame *frame, unsigned char *out);
void uw__frame_decode_entry(const unsigned char *data, uw__frame *out);

uw_status uw__index_push(uw__index *index, const uw__chunk *chunk);
void uw__index_free(uw__index *index);
/* Encode index and trailer, to be written at index->end; malloc'd. */
uw_status uw__index_encode(const uw__index *index, unsigned char **out, size_t *size);
/* Read the place and the size of the index from the trailer; false when it is not one. */
bool uw__trailer_decode(const unsigned char *data, uint64_t file_size, uint64_t *offset,
                        uint64_t *bytes, uint64_t *sum);
/* Decode an index; UW_EFORMAT (without a message) when anything in it is impossible in this file.
 */
uw_status uw__index_decode(const uw__header *header, const unsigned char *data, size_t size,
                           uint64_t offset, uw__index *out);

/* Most bytes a stored frame may take. */
size_t uw__frame_bound(const uw_column *column, size_t row_bytes);

/* Hash of the content: columns, and which rows of which episodes with which checksums. */
void uw__content_hash(const uw__header *header, const uw__index *index, char hex[17]);

#endif
