/* Encoding, decoding and checking of a recording's bytes.
 *
 * Rule of this file: a number from a file is used only after it was compared with the bytes that
 * are really there; sums and products of such numbers go through checked.h.  Integers are put byte
 * by byte, so the format is little-endian whatever the machine. */
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fileio.h"
#include "hash.h"
#include "utf8.h"

/* The first byte is not ASCII and a line end follows, so that a text-mode transfer is seen at once.
 */
static const unsigned char header_magic[8] = {0x89, 'U', 'W', 'D', 'A', 'T', '\r', '\n'};
static const unsigned char chunk_magic[8] = {'U', 'W', 'C', 'H', 'U', 'N', 'K', '\n'};
static const unsigned char index_magic[8] = {'U', 'W', 'I', 'N', 'D', 'E', 'X', '\n'};
static const unsigned char trailer_magic[8] = {'U', 'W', 'C', 'L', 'O', 'S', 'E', '\n'};

static void put32(unsigned char *at, uint32_t v) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(v >> (8 * i));
}

static void put64(unsigned char *at, uint64_t v) {
    for (int i = 0; i < 8; i++) at[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get32(const unsigned char *at) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v |= (uint32_t)at[i] << (8 * i);
    return v;
}

static uint64_t get64(const unsigned char *at) {
    return (uint64_t)get32(at) | (uint64_t)get32(at + 4) << 32;
}

uint64_t uw__sum_add(uint64_t sum, const void *data, size_t size) {
    const unsigned char *at = data;
    do {
        const size_t n = size < UW__SUM_PIECE ? size : UW__SUM_PIECE;
        sum = uw__xxh3(at, n, sum);
        at += n;
        size -= n;
    } while (size);
    return sum;
}

uint64_t uw__sum_without(const unsigned char *data, size_t size, size_t at) {
    static const unsigned char zero[8];
    uint64_t sum = uw__sum_add(0, data, at);
    sum = uw__sum_add(sum, zero, sizeof zero);
    return uw__sum_add(sum, data + at + 8, size - at - 8);
}

/* ---- columns ------------------------------------------------------------------------------ */

bool uw__column_is_frames(const uw_column *column) {
    return column->dtype == UW_DTYPE_U8 && column->num_dims == 3;
}

size_t uw__frame_bound(const uw_column *column, size_t row_bytes) {
    switch (column->codec) {
    case UW_CODEC_RAW:
        return row_bytes;
    case UW_CODEC_ZSTD:
        return row_bytes + row_bytes / 128 + 1024; /* above ZSTD_COMPRESSBOUND */
    case UW_CODEC_JPEG:
        return 2 * row_bytes + 65536;
    }
    return row_bytes;
}

static bool dtype_ok(uw_dtype dtype) {
    return dtype == UW_DTYPE_U8 || dtype == UW_DTYPE_I32 || dtype == UW_DTYPE_I64 ||
           dtype == UW_DTYPE_F32 || dtype == UW_DTYPE_F64 || dtype == UW_DTYPE_BOOL;
}

/* Terminated, clean UTF-8 and not empty (unless it may be): it ends up on terminals and in JSON. */
static bool text_ok(const char *text, size_t size, bool may_be_empty) {
    const size_t n = strnlen(text, size);
    return n < size && (n > 0 || may_be_empty) && uw__utf8_clean(text, false);
}

static uw_status column_check(const char *name, int32_t i, const uw_column *c, size_t *row_bytes,
                              uw_status wrong, uw_err *err) {
    if (!text_ok(c->name, sizeof c->name, false)) {
        return uw_fail(err, wrong, "%s: column %d: name, wanted 1 to 63 bytes of UTF-8", name, i);
    }
    if (!text_ok(c->unit, sizeof c->unit, true)) {
        return uw_fail(err, wrong, "%s: column '%s': unit, wanted at most 31 bytes of UTF-8", name,
                       c->name);
    }
    if (!dtype_ok(c->dtype)) {
        return uw_fail(err, wrong, "%s: column '%s': wanted one of U8 I32 I64 F32 F64 BOOL, got %s",
                       name, c->name, uw_dtype_str(c->dtype));
    }
    if (c->num_dims < 0 || c->num_dims > 4) {
        return uw_fail(err, wrong, "%s: column '%s': wanted 0 to 4 dimensions, got %d", name,
                       c->name, c->num_dims);
    }
    uint64_t bytes = uw_dtype_bytes(c->dtype);
    for (int32_t d = 0; d < c->num_dims; d++) {
        if (c->shape[d] < 1 || !uw__mul_u64(bytes, (uint64_t)c->shape[d], &bytes) ||
            bytes > UW__ROW_BYTES_MAX) {
            return uw_fail(err, wrong,
                           "%s: column '%s': shape[%d] = %" PRId64
                           ", wanted 1 or more and at most 1 GiB a row",
                           name, c->name, d, c->shape[d]);
        }
    }
    const bool frames = uw__column_is_frames(c);
    const bool codec_ok = c->codec == UW_CODEC_RAW || (frames && c->codec == UW_CODEC_ZSTD) ||
                          (frames && c->codec == UW_CODEC_JPEG && c->shape[2] == 3 &&
                           c->shape[0] <= 65500 && c->shape[1] <= 65500);
    if (!codec_ok) {
        return uw_fail(err, wrong,
                       "%s: column '%s': codec %d, wanted raw, zstd for U8 [Y, X, C] or JPEG for "
                       "U8 [Y, X, 3]",
                       name, c->name, (int)c->codec);
    }
    *row_bytes = (size_t)bytes;
    return UW_OK;
}

static uw_status columns_check(const char *name, uw__header *header, uw_status wrong, uw_err *err) {
    uint64_t total = 0;
    if (header->num_columns < 1 || header->num_columns > UW_MAX_COLUMNS) {
        return uw_fail(err, wrong, "%s: wanted 1 to %d columns, got %d", name, UW_MAX_COLUMNS,
                       header->num_columns);
    }
    for (int32_t i = 0; i < header->num_columns; i++) {
        const uw_status s =
            column_check(name, i, &header->columns[i], &header->row_bytes[i], wrong, err);
        if (s) return s;
        total += header->row_bytes[i]; /* at most 64 GiB */
        for (int32_t j = 0; j < i; j++) {
            if (!strcmp(header->columns[i].name, header->columns[j].name)) {
                return uw_fail(err, wrong, "%s: column '%s' appears twice", name,
                               header->columns[i].name);
            }
        }
    }
    if (total > UW__ROW_BYTES_MAX) {
        return uw_fail(err, wrong, "%s: wanted at most 1 GiB a row, got %" PRIu64 " bytes", name,
                       total);
    }
    return UW_OK;
}

uw_status uw__columns_check(const char *name, uw__header *header, uw_status wrong, uw_err *err) {
    const uw_status s = columns_check(name, header, wrong, err);
    if (s) {
        uw_err_fix(err, "%s",
                   wrong == UW_EFORMAT ? "this file was not written by umwelt: do not trust it"
                                       : "change what describes this column");
    }
    return s;
}

/* ---- header ------------------------------------------------------------------------------- */

uw_status uw__header_make(const char *name, const uw_column *columns, int32_t num_columns,
                          const uw_dataset_meta *meta, uw__header *out, uw_err *err) {
    const char *texts[3] = {"", "", ""};
    size_t used = 0;
    memset(out, 0, sizeof *out);
    out->num_columns = num_columns;
    for (int32_t i = 0; i < num_columns && i < UW_MAX_COLUMNS; i++) {
        uw_column *c = &out->columns[i];
        *c = columns[i];
        /* The bytes behind a terminator and unused sizes are not the caller's intent: make them
         * equal. */
        memset(c->name, 0, sizeof c->name);
        memset(c->unit, 0, sizeof c->unit);
        memcpy(c->name, columns[i].name, strnlen(columns[i].name, sizeof c->name));
        memcpy(c->unit, columns[i].unit, strnlen(columns[i].unit, sizeof c->unit));
        for (int32_t d = c->num_dims < 0 ? 0 : c->num_dims; d < 4; d++) c->shape[d] = 0;
    }
    const uw_status s = uw__columns_check(name, out, UW_EINVAL, err);
    if (s) return s;
    out->meta.action_repeat = 1;
    if (meta) {
        out->meta = *meta;
        texts[0] = meta->env ? meta->env : "";
        texts[1] = meta->policy ? meta->policy : "";
        texts[2] = meta->variation ? meta->variation : "";
    }
    if (out->meta.action_repeat < 1 || !(out->meta.row_seconds >= 0.0)) {
        return uw__refuse(err, UW_EINVAL, name, "bad_facts", "correct the recording's facts",
                          "wanted action_repeat >= 1 and row_seconds >= 0, got %d and %g",
                          out->meta.action_repeat, out->meta.row_seconds);
    }
    const char **places[3] = {&out->meta.env, &out->meta.policy, &out->meta.variation};
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(texts[i]) + 1;
        if (n > sizeof out->text - used || !uw__utf8_clean(texts[i], true)) {
            return uw__refuse(err, UW_EINVAL, name, "bad_facts", "shorten the recording's facts",
                              "env, policy and variation, wanted at most %d bytes of UTF-8",
                              UW__TEXT_MAX);
        }
        memcpy(out->text + used, texts[i], n);
        *places[i] = out->text + used;
        used += n;
    }
    out->header_bytes =
        (uint32_t)uw__align64(UW__HEADER_FIXED + (uint64_t)num_columns * UW__COLUMN_BYTES + used);
    return UW_OK;
}

static void column_encode(const uw_column *c, unsigned char *at) {
    memcpy(at, c->name, 64);
    memcpy(at + 64, c->unit, 32);
    put32(at + 96, (uint32_t)c->dtype);
    put32(at + 100, (uint32_t)c->codec);
    put32(at + 104, (uint32_t)c->num_dims);
    for (int d = 0; d < 4; d++) put64(at + 112 + 8 * d, (uint64_t)c->shape[d]);
}

static void column_decode(const unsigned char *at, uw_column *c) {
    memcpy(c->name, at, 64);
    memcpy(c->unit, at + 64, 32);
    /* Kept within an enumeration's range: a larger number is no type of ours anyway. */
    const uint32_t dtype = get32(at + 96), codec = get32(at + 100), dims = get32(at + 104);
    c->dtype = (uw_dtype)(dtype < 16 ? dtype : 15);
    c->codec = (uw_codec)(codec < 3 ? codec : 3);
    c->num_dims = dims <= 4 ? (int32_t)dims : -1;
    for (int d = 0; d < 4; d++) c->shape[d] = (int64_t)get64(at + 112 + 8 * d);
}

static size_t text_bytes(const uw__header *h) {
    return (size_t)(h->meta.variation - h->text) + strlen(h->meta.variation) + 1;
}

void uw__header_encode(const uw__header *h, unsigned char *out) {
    const size_t texts = text_bytes(h);
    uint64_t seconds;
    memset(out, 0, h->header_bytes);
    memcpy(out, header_magic, 8);
    put32(out + 8, UW__DATA_VERSION);
    put32(out + 12, h->header_bytes);
    put32(out + 24, (uint32_t)h->num_columns);
    put64(out + 32, h->meta.seed);
    memcpy(&seconds, &h->meta.row_seconds, 8);
    put64(out + 40, seconds);
    put32(out + 48, (uint32_t)h->meta.action_repeat);
    put32(out + 52, (uint32_t)texts);
    unsigned char *at = out + UW__HEADER_FIXED;
    for (int32_t i = 0; i < h->num_columns; i++, at += UW__COLUMN_BYTES) {
        column_encode(&h->columns[i], at);
    }
    memcpy(at, h->text, texts);
    put64(out + 16, uw__sum_without(out, h->header_bytes, 16));
}

uw_status uw__header_length(const char *name, const unsigned char *data, size_t size,
                            uint32_t *length, uw_err *err) {
    if (size < 8 || memcmp(data, header_magic, 8)) {
        const bool text = size >= 7 && !memcmp(data + 1, "UWDAT", 5);
        uw_fail(err, UW_EFORMAT, "%s: not a dataset of ours%s", name,
                text ? ": its first bytes were changed, as by a text-mode transfer" : "");
        uw_err_fix(err, "%s",
                   text ? "copy the file again, as binary"
                        : "see what it is with `umwelt inspect`");
        return UW_EFORMAT;
    }
    if (size < UW__HEADER_FIXED) {
        uw_fail(err, UW_EFORMAT, "%s: the header is torn, wanted 64 bytes or more, got %zu", name,
                size);
        uw_err_fix(err, "nothing was recorded in it: delete it and record again");
        return UW_EFORMAT;
    }
    const uint32_t version = get32(data + 8), bytes = get32(data + 12);
    if (version != UW__DATA_VERSION) {
        uw_fail(err, UW_EUNSUPPORTED, "%s: dataset version, wanted %d, got %" PRIu32, name,
                UW__DATA_VERSION, version);
        uw_err_fix(err, "open it with a newer umwelt");
        return UW_EUNSUPPORTED;
    }
    if (bytes < UW__HEADER_FIXED || bytes > UW__HEADER_MAX || bytes % UW__DATA_ALIGN) {
        uw_fail(err, UW_EFORMAT,
                "%s: header length, wanted a multiple of 64 up to %d, got %" PRIu32, name,
                UW__HEADER_MAX, bytes);
        uw_err_fix(err, "the file is damaged: restore it from a copy");
        return UW_EFORMAT;
    }
    *length = bytes;
    return UW_OK;
}

/* Find the three strings in the text area of a header. */
static bool texts_decode(uw__header *h, const unsigned char *at, size_t size) {
    const char **places[3] = {&h->meta.env, &h->meta.policy, &h->meta.variation};
    size_t used = 0;
    if (size > sizeof h->text) return false;
    memcpy(h->text, at, size);
    for (int i = 0; i < 3; i++) {
        const size_t n = strnlen(h->text + used, size - used);
        if (n == size - used || !uw__utf8_clean(h->text + used, true)) return false;
        *places[i] = h->text + used;
        used += n + 1;
    }
    return used == size;
}

uw_status uw__header_decode(const char *name, const unsigned char *data, size_t size,
                            uw__header *out, uw_err *err) {
    uint32_t length = 0;
    uw_status s = uw__header_length(name, data, size, &length, err);
    if (s) return s;
    if (size < length) {
        uw_fail(err, UW_EFORMAT, "%s: the header is torn, wanted %" PRIu32 " bytes, got %zu", name,
                length, size);
        uw_err_fix(err, "nothing was recorded in it: delete it and record again");
        return UW_EFORMAT;
    }
    if (get64(data + 16) != uw__sum_without(data, length, 16)) {
        uw_fail(err, UW_EFORMAT, "%s: the header's checksum does not hold", name);
        uw_err_fix(err, "the file is damaged: restore it from a copy");
        return UW_EFORMAT;
    }
    memset(out, 0, sizeof *out);
    out->header_bytes = length;
    const uint32_t columns = get32(data + 24), texts = get32(data + 52), repeat = get32(data + 48);
    const uint64_t seconds = get64(data + 40);
    out->meta.seed = get64(data + 32);
    memcpy(&out->meta.row_seconds, &seconds, 8);
    const bool fixed_ok = columns >= 1 && columns <= UW_MAX_COLUMNS && repeat >= 1 &&
                          repeat <= INT32_MAX && out->meta.row_seconds >= 0.0;
    const uint64_t texts_at = UW__HEADER_FIXED + (uint64_t)columns * UW__COLUMN_BYTES;
    if (!fixed_ok || !uw__range_ok(texts_at, texts, length) ||
        uw__align64(texts_at + texts) != length || !texts_decode(out, data + texts_at, texts)) {
        uw_fail(err, UW_EFORMAT, "%s: the header contradicts itself", name);
        uw_err_fix(err, "this file was not written by umwelt: do not trust it");
        return UW_EFORMAT;
    }
    out->num_columns = (int32_t)columns;
    out->meta.action_repeat = (int32_t)repeat;
    for (uint32_t i = 0; i < columns; i++) {
        column_decode(data + UW__HEADER_FIXED + (size_t)i * UW__COLUMN_BYTES, &out->columns[i]);
    }
    return uw__columns_check(name, out, UW_EFORMAT, err);
}

/* ---- chunks ------------------------------------------------------------------------------- */

size_t uw__chunk_head_bytes(int32_t num_columns) {
    return (size_t)uw__align64(UW__CHUNK_FIXED + (uint64_t)num_columns * UW__BLOCK_BYTES);
}

void uw__chunk_head_encode(uw__chunk *chunk, const uw__block *blocks, int32_t num_columns,
                           unsigned char *out) {
    const size_t head = uw__chunk_head_bytes(num_columns);
    memset(out, 0, head);
    memcpy(out, chunk_magic, 8);
    put64(out + 8, chunk->bytes);
    put64(out + 24, chunk->episode);
    put64(out + 32, chunk->first_row);
    put32(out + 40, chunk->rows);
    put32(out + 44, chunk->flags);
    put32(out + 48, (uint32_t)num_columns);
    put32(out + 52, (uint32_t)head);
    for (int32_t i = 0; i < num_columns; i++) {
        unsigned char *at = out + UW__CHUNK_FIXED + (size_t)i * UW__BLOCK_BYTES;
        put64(at, blocks[i].offset);
        put64(at + 8, blocks[i].bytes);
        put64(at + 16, blocks[i].sum);
    }
    chunk->sum = uw__sum_without(out, head, 16);
    put64(out + 16, chunk->sum);
}

/* True when rows of this column may take `bytes` bytes as a block. */
static bool block_ok(const uw__header *h, int32_t i, uint32_t rows, uint64_t bytes) {
    if (!uw__column_is_frames(&h->columns[i])) return bytes == (uint64_t)rows * h->row_bytes[i];
    const uint64_t most = (uint64_t)rows * uw__frame_bound(&h->columns[i], h->row_bytes[i]);
    const uint64_t table = (uint64_t)rows * UW__FRAME_BYTES;
    return bytes >= table && bytes - table <= most && bytes <= UINT32_MAX;
}

bool uw__chunk_head_decode(const uw__header *header, const unsigned char *data, size_t size,
                           uint64_t offset, uint64_t limit, uw__chunk *chunk, uw__block *blocks) {
    const int32_t columns = header->num_columns;
    const size_t head = uw__chunk_head_bytes(columns);
    if (size < head || memcmp(data, chunk_magic, 8)) return false;
    const uw__chunk c = {.offset = offset,
                         .bytes = get64(data + 8),
                         .sum = get64(data + 16),
                         .episode = get64(data + 24),
                         .first_row = get64(data + 32),
                         .rows = get32(data + 40),
                         .flags = get32(data + 44)};
    if (c.sum != uw__sum_without(data, head, 16)) return false;
    /* From here on a mistake is malice, not damage; the answer is the same. */
    if (offset % UW__DATA_ALIGN || !uw__range_ok(offset, c.bytes, limit) ||
        c.rows > UW__CHUNK_ROWS_MAX || c.flags > UW__CHUNK_END ||
        c.first_row > (uint64_t)INT64_MAX / 2 || get32(data + 48) != (uint32_t)columns ||
        get32(data + 52) != head) {
        return false;
    }
    uint64_t at = head;
    for (int32_t i = 0; i < columns; i++) {
        const unsigned char *entry = data + UW__CHUNK_FIXED + (size_t)i * UW__BLOCK_BYTES;
        const uw__block b = {get64(entry), get64(entry + 8), get64(entry + 16)};
        if (b.offset != at || !block_ok(header, i, c.rows, b.bytes)) return false;
        if (!uw__add_u64(at, b.bytes, &at) || at > c.bytes) return false;
        at = uw__align64(at); /* at <= c.bytes <= limit, a file's size: cannot wrap */
        blocks[i] = b;
    }
    if (at != c.bytes) return false;
    *chunk = c;
    return true;
}

void uw__frame_encode_entry(const uw__frame *frame, unsigned char *out) {
    put32(out, frame->offset);
    put32(out + 4, frame->bytes);
    put64(out + 8, frame->sum);
}

void uw__frame_decode_entry(const unsigned char *data, uw__frame *out) {
    *out = (uw__frame){get32(data), get32(data + 4), get64(data + 8)};
}

bool uw__frames_check(const uw__frame *frames, uint32_t rows, uint64_t block_bytes,
                      size_t max_bytes) {
    uint64_t at = (uint64_t)rows * UW__FRAME_BYTES;
    for (uint32_t i = 0; i < rows; i++) {
        if (frames[i].offset != at || frames[i].bytes > max_bytes) return false;
        at += frames[i].bytes; /* at most 4096 * 2^32 */
    }
    return at == block_bytes;
}

/* ---- index -------------------------------------------------------------------------------- */

uw_status uw__index_push(uw__index *index, const uw__chunk *chunk) {
    if (index->num_chunks == index->cap) {
        const int64_t cap = index->cap ? 2 * index->cap : 64;
        uw__chunk *grown = realloc(index->chunks, (size_t)cap * sizeof *grown);
        if (!grown) return UW_ENOMEM;
        index->chunks = grown;
        index->cap = cap;
    }
    index->chunks[index->num_chunks++] = *chunk;
    return UW_OK;
}

void uw__index_free(uw__index *index) {
    free(index->chunks);
    *index = (uw__index){0};
}

uw_status uw__index_encode(const uw__index *index, unsigned char **out, size_t *size) {
    const size_t n = (size_t)index->num_chunks;
    const size_t bytes = (size_t)uw__align64(UW__INDEX_FIXED + (uint64_t)n * UW__INDEX_ENTRY);
    unsigned char *data = calloc(1, bytes + UW__TRAILER_BYTES);
    if (!data) return UW_ENOMEM;
    memcpy(data, index_magic, 8);
    put64(data + 8, bytes);
    put64(data + 24, (uint64_t)n);
    for (size_t i = 0; i < n; i++) {
        const uw__chunk *c = &index->chunks[i];
        unsigned char *at = data + UW__INDEX_FIXED + i * UW__INDEX_ENTRY;
        put64(at, c->offset);
        put64(at + 8, c->bytes);
        put64(at + 16, c->episode);
        put64(at + 24, c->first_row);
        put32(at + 32, c->rows);
        put32(at + 36, c->flags);
        put64(at + 40, c->sum);
    }
    const uint64_t sum = uw__sum_without(data, bytes, 16);
    put64(data + 16, sum);
    unsigned char *trailer = data + bytes;
    memcpy(trailer, trailer_magic, 8);
    put64(trailer + 8, index->end);
    put64(trailer + 24, bytes);
    put64(trailer + 32, sum);
    put64(trailer + 16, uw__sum_without(trailer, UW__TRAILER_BYTES, 16));
    *out = data;
    *size = bytes + UW__TRAILER_BYTES;
    return UW_OK;
}

bool uw__trailer_decode(const unsigned char *data, uint64_t file_size, uint64_t *offset,
                        uint64_t *bytes, uint64_t *sum) {
    if (file_size < UW__TRAILER_BYTES || memcmp(data, trailer_magic, 8)) return false;
    if (get64(data + 16) != uw__sum_without(data, UW__TRAILER_BYTES, 16)) return false;
    const uint64_t at = get64(data + 8), n = get64(data + 24);
    const uint64_t limit = file_size - UW__TRAILER_BYTES;
    if (at % UW__DATA_ALIGN || n < UW__INDEX_FIXED || !uw__range_ok(at, n, limit) ||
        at + n != limit) {
        return false;
    }
    *offset = at;
    *bytes = n;
    *sum = get64(data + 32);
    return true;
}

/* The least bytes that a chunk of these rows takes: bounds what is set aside for reading it. */
static uint64_t least_chunk(const uw__header *h, uint32_t rows) {
    uint64_t bytes = uw__chunk_head_bytes(h->num_columns);
    for (int32_t i = 0; i < h->num_columns; i++) {
        const bool frames = uw__column_is_frames(&h->columns[i]);
        bytes += (uint64_t)rows * (frames ? (size_t)UW__FRAME_BYTES : h->row_bytes[i]);
    }
    return bytes;
}

uw_status uw__index_decode(const uw__header *header, const unsigned char *data, size_t size,
                           uint64_t offset, uw__index *out) {
    uw__index index = {.end = header->header_bytes};
    uw_status s = UW_EFORMAT;
    uint64_t bytes;
    if (size < UW__INDEX_FIXED || memcmp(data, index_magic, 8) || get64(data + 8) != size ||
        get64(data + 16) != uw__sum_without(data, size, 16)) {
        goto done;
    }
    const uint64_t count = get64(data + 24);
    if (!uw__mul_u64(count, UW__INDEX_ENTRY, &bytes) || bytes > size - UW__INDEX_FIXED ||
        uw__align64(UW__INDEX_FIXED + bytes) != size) {
        goto done;
    }
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *at = data + UW__INDEX_FIXED + i * UW__INDEX_ENTRY;
        const uw__chunk c = {get64(at),      get64(at + 8),  get64(at + 16), get64(at + 24),
                             get32(at + 32), get32(at + 36), get64(at + 40)};
        if (c.offset % UW__DATA_ALIGN || c.offset < index.end || c.bytes % UW__DATA_ALIGN ||
            !uw__range_ok(c.offset, c.bytes, offset) || c.rows > UW__CHUNK_ROWS_MAX ||
            c.flags > UW__CHUNK_END || c.first_row > (uint64_t)INT64_MAX / 2 ||
            c.bytes < least_chunk(header, c.rows)) {
            goto done;
        }
        index.torn += c.offset - index.end;
        index.end = c.offset + c.bytes;
        if (uw__index_push(&index, &c)) {
            s = UW_ENOMEM;
            goto done;
        }
    }
    if (index.end != offset) goto done;
    s = UW_OK;
done:
    if (s)
        uw__index_free(&index);
    else
        *out = index;
    return s;
}

/* ---- identity ----------------------------------------------------------------------------- */

void uw__content_hash(const uw__header *header, const uw__index *index, char hex[17]) {
    uint64_t sum = 0;
    for (int32_t i = 0; i < header->num_columns; i++) {
        unsigned char record[UW__COLUMN_BYTES] = {0};
        column_encode(&header->columns[i], record);
        sum = uw__sum_add(sum, record, sizeof record);
    }
    for (int64_t i = 0; i < index->num_chunks; i++) {
        unsigned char entry[32];
        put64(entry, index->chunks[i].episode);
        put64(entry + 8, index->chunks[i].first_row);
        put32(entry + 16, index->chunks[i].rows);
        put32(entry + 20, index->chunks[i].flags);
        put64(entry + 24, index->chunks[i].sum);
        sum = uw__sum_add(sum, entry, sizeof entry);
    }
    snprintf(hex, 17, "%016" PRIx64, sum);
}
