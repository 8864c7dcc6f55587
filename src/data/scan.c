/* Finding the chunks of a file.
 *
 * The index at the end is a convenience: everything in it can be found again by walking from chunk
 * to chunk.  A walk that meets damage goes on at the next 64-byte step where a chunk header with a
 * valid checksum stands, so one bad byte costs one chunk and not the rest of the file.  Only at the
 * end of the file are the contents checked too: a power failure can leave a chunk whose length is
 * there and whose bytes are not. */
#include "scan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fileio.h"
#include "store.h"

enum { WINDOW = 65536 }; /* bytes looked at once while searching for the next chunk */

static const char damaged_fix[] = "`umwelt convert` writes a copy of what still reads";

uw_status uw__scan_header(int fd, const char *path, uint64_t size, uw__header *out, uw_err *err) {
    uint32_t length = 0;
    const char *name = uw__path_tail(path);
    unsigned char *data = malloc(UW__HEADER_MAX);
    if (!data) return uw__no_memory(err, path, UW__HEADER_MAX);
    size_t have = size < UW__HEADER_FIXED ? (size_t)size : (size_t)UW__HEADER_FIXED;
    uw_status s = uw__store_read(fd, path, 0, data, have, err);
    if (!s) s = uw__header_length(name, data, have, &length, err);
    if (!s) {
        have = size < length ? (size_t)size : length;
        s = uw__store_read(fd, path, 0, data, have, err);
    }
    if (!s) s = uw__header_decode(name, data, have, out, err);
    free(data);
    return s;
}

uw_status uw__scan_sum(int fd, const char *path, uint64_t offset, uint64_t bytes, uint64_t *sum,
                       uw_err *err) {
    unsigned char piece[UW__SUM_PIECE];
    uint64_t total = 0;
    do {
        const size_t n = bytes < sizeof piece ? (size_t)bytes : sizeof piece;
        const uw_status s = uw__store_read(fd, path, offset, piece, n, err);
        if (s) return s;
        total = uw__sum_add(total, piece, n);
        offset += n;
        bytes -= n;
    } while (bytes);
    *sum = total;
    return UW_OK;
}

static uw_status damaged(const char *path, const uw__chunk *chunk, const char *what, uw_err *err) {
    uw_fail(err, UW_EFORMAT, "%s: %s: episode %" PRIu64 ", from row %" PRIu64, uw__path_tail(path),
            what, chunk->episode, chunk->first_row);
    uw_err_fix(err, "%s", damaged_fix);
    return UW_EFORMAT;
}

uw_status uw__scan_chunk(int fd, const char *path, const uw__header *header, const uw__chunk *chunk,
                         uw__block *blocks, uw_err *err) {
    unsigned char head[UW__CHUNK_HEAD_MAX];
    const size_t size = uw__chunk_head_bytes(header->num_columns);
    uw__chunk got;
    const uw_status s = uw__store_read(fd, path, chunk->offset, head, size, err);
    if (s) return s;
    if (!uw__chunk_head_decode(header, head, size, chunk->offset, chunk->offset + chunk->bytes,
                               &got, blocks) ||
        got.bytes != chunk->bytes || got.sum != chunk->sum || got.rows != chunk->rows ||
        got.episode != chunk->episode || got.first_row != chunk->first_row ||
        got.flags != chunk->flags) {
        return damaged(path, chunk, "the chunk's header is damaged", err);
    }
    return UW_OK;
}

uw_status uw__scan_frames(int fd, const char *path, const uw__header *header, int32_t column,
                          const uw__chunk *chunk, const uw__block *block, uw__frame *frames,
                          uw_err *err) {
    unsigned char table[UW__CHUNK_ROWS_MAX * UW__FRAME_BYTES];
    const uw_column *c = &header->columns[column];
    const size_t size = (size_t)chunk->rows * UW__FRAME_BYTES;
    const uw_status s = uw__store_read(fd, path, chunk->offset + block->offset, table, size, err);
    if (s) return s;
    for (uint32_t i = 0; i < chunk->rows; i++) {
        uw__frame_decode_entry(table + (size_t)i * UW__FRAME_BYTES, &frames[i]);
    }
    if (uw__sum_add(0, table, size) != block->sum ||
        !uw__frames_check(frames, chunk->rows, block->bytes,
                          uw__frame_bound(c, header->row_bytes[column]))) {
        return damaged(path, chunk, "a frame table is damaged", err);
    }
    return UW_OK;
}

static uw_status verify_block(int fd, const char *path, const uw__header *header, int32_t column,
                              const uw__chunk *chunk, const uw__block *block, uw__frame *frames,
                              uw_err *err) {
    const uint64_t start = chunk->offset + block->offset;
    unsigned char padding[UW__DATA_ALIGN];
    uint64_t sum;
    uw_status s;
    if (uw__column_is_frames(&header->columns[column])) {
        s = uw__scan_frames(fd, path, header, column, chunk, block, frames, err);
        for (uint32_t i = 0; !s && i < chunk->rows; i++) {
            s = uw__scan_sum(fd, path, start + frames[i].offset, frames[i].bytes, &sum, err);
            if (!s && sum != frames[i].sum) s = damaged(path, chunk, "a frame is damaged", err);
        }
    } else {
        s = uw__scan_sum(fd, path, start, block->bytes, &sum, err);
        if (!s && sum != block->sum) s = damaged(path, chunk, "a column is damaged", err);
    }
    if (s) return s;
    const size_t pad = (size_t)(uw__align64(block->bytes) - block->bytes);
    if ((s = uw__store_read(fd, path, start + block->bytes, padding, pad, err))) return s;
    for (size_t i = 0; i < pad; i++) {
        if (padding[i]) return damaged(path, chunk, "padding is not zero", err);
    }
    return UW_OK;
}

uw_status uw__scan_verify(int fd, const char *path, const uw__header *header,
                          const uw__chunk *chunk, uw_err *err) {
    uw__block blocks[UW_MAX_COLUMNS];
    uw__frame *frames = malloc(UW__CHUNK_ROWS_MAX * sizeof *frames);
    if (!frames) return uw__no_memory(err, path, UW__CHUNK_ROWS_MAX * sizeof *frames);
    uw_status s = uw__scan_chunk(fd, path, header, chunk, blocks, err);
    for (int32_t i = 0; !s && i < header->num_columns; i++) {
        s = verify_block(fd, path, header, i, chunk, &blocks[i], frames, err);
    }
    free(frames);
    return s;
}

/* ---- by the index ------------------------------------------------------------------------- */

/* UW_EFORMAT without a message when there is no index that holds. */
static uw_status load_index(int fd, const char *path, uint64_t size, const uw__header *header,
                            uw__index *out, uw_err *err) {
    unsigned char trailer[UW__TRAILER_BYTES];
    uint64_t offset, bytes, sum;
    if (size < (uint64_t)header->header_bytes + UW__TRAILER_BYTES + UW__INDEX_FIXED) {
        return UW_EFORMAT;
    }
    uw_status s = uw__store_read(fd, path, size - sizeof trailer, trailer, sizeof trailer, err);
    if (s) return s;
    if (!uw__trailer_decode(trailer, size, &offset, &bytes, &sum) ||
        offset < header->header_bytes) {
        return UW_EFORMAT;
    }
    unsigned char *data = malloc((size_t)bytes); /* no more than the file holds */
    if (!data) {
        return uw__no_memory(err, path, bytes);
    }
    s = uw__store_read(fd, path, offset, data, (size_t)bytes, err);
    if (!s) s = uw__index_decode(header, data, (size_t)bytes, offset, out);
    if (s == UW_ENOMEM) uw__no_memory(err, path, bytes);
    free(data);
    return s;
}

/* ---- by walking --------------------------------------------------------------------------- */

/* Find a chunk header at or after *at. Mostly one stands right there, so that much is read first.
 */
static uw_status next_chunk(int fd, const char *path, uint64_t size, const uw__header *header,
                            unsigned char *window, uint64_t *at, uw__chunk *chunk, bool *found,
                            uw_err *err) {
    const size_t head = uw__chunk_head_bytes(header->num_columns);
    uw__block blocks[UW_MAX_COLUMNS];
    size_t most = head;
    *found = false;
    while (*at < size && size - *at >= head) {
        const size_t n = size - *at < most ? (size_t)(size - *at) : most;
        const uw_status s = uw__store_read(fd, path, *at, window, n, err);
        if (s) return s;
        size_t i = 0;
        for (; i + head <= n; i += UW__DATA_ALIGN) {
            if (uw__chunk_head_decode(header, window + i, n - i, *at + i, size, chunk, blocks)) {
                *at += i;
                *found = true;
                return UW_OK;
            }
        }
        *at += i;
        most = WINDOW;
    }
    return UW_OK;
}

static uw_status walk(int fd, const char *path, uint64_t size, const uw__header *header,
                      uw__index *out, uw_err *err) {
    uw__index index = {.end = header->header_bytes};
    uint64_t at = header->header_bytes;
    uw__chunk chunk;
    bool found;
    uw_status s = UW_OK;
    unsigned char *window = malloc(WINDOW);
    if (!window) {
        s = uw__no_memory(err, path, WINDOW);
        goto done;
    }
    for (;;) {
        if ((s = next_chunk(fd, path, size, header, window, &at, &chunk, &found, err))) goto done;
        if (!found) break;
        if (uw__index_push(&index, &chunk)) {
            s = uw__no_memory(err, path, (uint64_t)index.cap * 2 * sizeof chunk);
            goto done;
        }
        at = chunk.offset + chunk.bytes;
    }
    while (index.num_chunks) {
        const uw__chunk *last = &index.chunks[index.num_chunks - 1];
        s = uw__scan_verify(fd, path, header, last, NULL);
        if (s != UW_EFORMAT) break;
        index.num_chunks--; /* its length reached the disk, its contents did not */
        s = UW_OK;
    }
    if (s) {
        uw__refuse(err, s, path, "unreadable", "try again; see the kernel's log for a failing disk",
                   "cannot read the last chunk");
        goto done;
    }
    index.torn = size - header->header_bytes;
    for (int64_t i = 0; i < index.num_chunks; i++) {
        index.torn -= index.chunks[i].bytes;
        index.end = index.chunks[i].offset + index.chunks[i].bytes;
    }
done:
    free(window);
    if (s)
        uw__index_free(&index);
    else
        *out = index;
    return s;
}

uw_status uw__scan_index(int fd, const char *path, uint64_t size, const uw__header *header,
                         uw__index *out, uw_err *err) {
    const uw_status s = load_index(fd, path, size, header, out, err);
    return s == UW_EFORMAT ? walk(fd, path, size, header, out, err) : s;
}
