/* The recorder: rows in, checksummed chunks out.
 *
 * Promises, in order of strength:
 *   process killed   everything up to the last uw_recorder_end_episode is in the kernel's hands and
 * survives; a chunk is one write, and the next open recognises a torn one; power lost everything up
 * to the last sync, which happens at least every SYNC_SECONDS while episodes end, and at close;
 *   disk full        the failed chunk is taken back, the file ends after the last complete one, and
 * the call can be repeated once there is room. Bytes depend on the rows alone: not on the number of
 * threads, not on how rows were handed over. */
#include "recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "codec.h"
#include "fileio.h"
#include "internal.h"
#include "layout.h"
#include "scan.h"
#include "store.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "columns are copied as they lie in memory: this needs a little-endian machine"
#endif

enum { SYNC_SECONDS = 5, BATCH_ROWS = 64 };

/* A growing array of bytes. */
typedef struct buffer {
    unsigned char *data;
    size_t size, cap;
} buffer;

struct uw_recorder {
    int fd;
    char *path;     /* where the caller wants it */
    char *staged;   /* where it is written, when not there yet */
    bool overwrite; /* a staged file may replace an old one */
    bool broken;    /* the file could not be brought back to a known end */
    uw__header header;
    uw__index index;                /* chunks written; end = where the next goes */
    uint64_t episode, first_row;    /* of the open chunk */
    uint32_t rows;                  /* in the open chunk */
    int64_t episodes;               /* complete */
    int64_t episode_chunk;          /* chunks before the open episode */
    buffer columns[UW_MAX_COLUMNS]; /* the open chunk: plain rows, or frames back to back */
    buffer frames[UW_MAX_COLUMNS];  /* frame tables, encoded, offsets still from the first frame */
    buffer chunk;                   /* the assembled chunk */
    buffer batch;                   /* encoded frames of BATCH_ROWS rows */
    size_t *batch_bytes;            /* [BATCH_ROWS * columns] */
    size_t slot[UW_MAX_COLUMNS];    /* bytes set aside for an encoded frame */
    bool stored[UW_MAX_COLUMNS];    /* cells are uw__stored */
    uw__encoder **encoders;         /* one per worker */
    int32_t num_encoders;
    double synced; /* when */
};

static uw_status out_of_memory(const uw_recorder *rec, uw_err *err) {
    uw_fail(err, UW_ENOMEM, "%s: out of memory while recording", uw__path_tail(rec->path));
    uw_err_fix(err, "close other programs");
    return UW_ENOMEM;
}

static bool reserve(buffer *b, size_t more) {
    if (more <= b->cap - b->size) return true;
    size_t cap = b->cap ? b->cap : 4096;
    while (cap - b->size < more) cap *= 2; /* sizes stay below 2^33: rows are at most 1 GiB */
    unsigned char *grown = realloc(b->data, cap);
    if (!grown) return false;
    b->data = grown;
    b->cap = cap;
    return true;
}

static void append(buffer *b, const void *data, size_t size) {
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* ---- opening and closing ------------------------------------------------------------------ */

static void recorder_free(uw_recorder *rec) {
    if (!rec) return;
    uw__store_close(rec->fd);
    for (int32_t i = 0; i < UW_MAX_COLUMNS; i++) {
        free(rec->columns[i].data);
        free(rec->frames[i].data);
    }
    for (int32_t i = 0; i < rec->num_encoders; i++) uw__encoder_free(rec->encoders[i]);
    free(rec->encoders);
    free(rec->chunk.data);
    free(rec->batch.data);
    free(rec->batch_bytes);
    free(rec->path);
    free(rec->staged);
    uw__index_free(&rec->index);
    free(rec);
}

static uw_status need_encoders(uw_recorder *rec, int32_t count, uw_err *err) {
    if (count <= rec->num_encoders) return UW_OK;
    uw__encoder **grown = realloc(rec->encoders, (size_t)count * sizeof(*grown));
    if (!grown) return out_of_memory(rec, err);
    rec->encoders = grown;
    while (rec->num_encoders < count) {
        if (uw__encoder_new(&rec->encoders[rec->num_encoders])) return out_of_memory(rec, err);
        rec->num_encoders++;
    }
    return UW_OK;
}

static uw_status recorder_new(const char *path, const uw_column *columns, int32_t num_columns,
                              const uw_dataset_meta *meta, uw_recorder **out, uw_err *err) {
    uw_status s;
    uw_recorder *rec = calloc(1, sizeof *rec);
    if (!rec) return uw__no_memory(err, path, sizeof *rec);
    rec->fd = -1;
    s = uw__header_make(uw__path_tail(path), columns, num_columns, meta, &rec->header, err);
    for (int32_t i = 0; !s && i < num_columns; i++) {
        const uw_column *c = &rec->header.columns[i];
        s = uw__codec_check(uw__path_tail(path), c, err);
        rec->slot[i] = uw__frame_bound(c, rec->header.row_bytes[i]);
    }
    if (!s) {
        rec->path = strdup(path);
        rec->batch_bytes = calloc((size_t)BATCH_ROWS * (size_t)num_columns, sizeof(size_t));
        if (!rec->path || !rec->batch_bytes) {
            s = uw__no_memory(err, path, sizeof(size_t) * BATCH_ROWS * (size_t)num_columns);
        }
    }
    if (!s) s = need_encoders(rec, 1, err);
    if (s)
        recorder_free(rec);
    else
        *out = rec;
    return s;
}

/* Create the file beside its place with a whole header in it; publish at once unless it stays
 * staged. */
static uw_status create(uw_recorder *rec, bool stay_staged, uw_err *err) {
    unsigned char *head = NULL;
    const size_t n = strlen(rec->path) + sizeof ".new";
    uw_status s = UW_OK;
    if (!rec->overwrite && uw__file_exists(rec->path)) {
        uw_fail(err, UW_EEXIST, "%s: exists already", uw__path_tail(rec->path));
        uw_err_fix(err, "choose another name, append, or allow overwriting (--force)");
        return UW_EEXIST;
    }
    rec->staged = malloc(n);
    head = malloc(UW__HEADER_MAX);
    if (!rec->staged || !head) {
        s = out_of_memory(rec, err);
        free(rec->staged);
        rec->staged = NULL;
        goto done;
    }
    snprintf(rec->staged, n, "%s.new", rec->path);
    s = uw__store_create(rec->staged, &rec->fd, err);
    if (s) {
        free(rec->staged); /* not ours to remove */
        rec->staged = NULL;
        goto done;
    }
    uw__header_encode(&rec->header, head);
    rec->index.end = rec->header.header_bytes;
    s = uw__store_write(rec->fd, rec->path, 0, head, rec->header.header_bytes, err);
    if (!s) s = uw__store_sync(rec->fd, rec->path, err);
    if (!s && !stay_staged) {
        s = uw__store_publish(rec->staged, rec->path, rec->overwrite, err);
        if (!s) {
            free(rec->staged);
            rec->staged = NULL;
        }
    }
    if (s) uw__store_remove(rec->staged);
done:
    free(head);
    return s;
}

static uw_status same_columns(const char *path, const uw__header *have, const uw__header *want,
                              uw_err *err) {
    uw_status s = UW_OK;
    if (have->num_columns != want->num_columns) {
        s = uw_fail(err, UW_ESHAPE, "%s: append: wanted %d columns as in the file, got %d",
                    uw__path_tail(path), have->num_columns, want->num_columns);
    }
    for (int32_t i = 0; !s && i < have->num_columns; i++) {
        const uw_column *a = &have->columns[i], *b = &want->columns[i];
        bool same = !strcmp(a->name, b->name) && a->dtype == b->dtype && a->codec == b->codec &&
                    a->num_dims == b->num_dims && !strcmp(a->unit, b->unit);
        for (int32_t d = 0; d < a->num_dims && same; d++) same = a->shape[d] == b->shape[d];
        if (!same) {
            s = uw_fail(err, UW_ESHAPE,
                        "%s: append: column %d is not the file's: wanted '%s' %s of %zu bytes a "
                        "row, unit '%s', codec %d, got '%s' %s of %zu bytes, unit '%s', codec %d",
                        uw__path_tail(path), i, a->name, uw_dtype_str(a->dtype), have->row_bytes[i],
                        a->unit, (int)a->codec, b->name, uw_dtype_str(b->dtype), want->row_bytes[i],
                        b->unit, (int)b->codec);
        }
    }
    if (s) uw_err_fix(err, "record with the same options, or into a new file");
    return s;
}

/* Continue an existing file: leave out a torn tail and the index, which close writes anew. */
static uw_status reopen(uw_recorder *rec, uw_err *err) {
    uint64_t size;
    uw__header *have = malloc(sizeof *have);
    if (!have) return out_of_memory(rec, err);
    uw_status s = uw__store_open_write(rec->path, &rec->fd, &size, err);
    if (!s) s = uw__scan_header(rec->fd, rec->path, size, have, err);
    if (!s) s = same_columns(rec->path, have, &rec->header, err);
    if (!s) s = uw__scan_index(rec->fd, rec->path, size, have, &rec->index, err);
    if (s) goto done;
    if (size > rec->index.end) {
        if ((s = uw__store_truncate(rec->fd, rec->path, rec->index.end, err))) goto done;
    }
    for (int64_t i = 0; i < rec->index.num_chunks; i++) {
        const uw__chunk *c = &rec->index.chunks[i];
        if (!i || !uw__chunk_follows(c - 1, c)) rec->episodes++;
        rec->episode = c->episode + 1;
    }
    rec->episode_chunk = rec->index.num_chunks;
done:
    free(have);
    return s;
}

static uw_status open_mode(const char *path, const uw_column *columns, int32_t num_columns,
                           const uw_dataset_meta *meta, uw_open_mode mode, bool staged,
                           uw_recorder **out, uw_err *err) {
    uw_recorder *rec = NULL;
    *out = NULL;
    uw_status s = recorder_new(path, columns, num_columns, meta, &rec, err);
    if (s) return s;
    rec->overwrite = mode == UW_OPEN_OVERWRITE;
    if (mode == UW_OPEN_APPEND && uw__file_exists(path))
        s = reopen(rec, err);
    else
        s = create(rec, staged || rec->overwrite, err);
    rec->synced = uw__clock_s();
    if (s)
        recorder_free(rec);
    else
        *out = rec;
    return s;
}

uw_status uw_recorder_open(const char *path, const uw_column *columns, int32_t num_columns,
                           const uw_dataset_meta *meta, uw_open_mode mode, uw_recorder **out,
                           uw_err *err) {
    return open_mode(path, columns, num_columns, meta, mode, false, out, err);
}

uw_status uw__recorder_stage(const char *path, const uw_column *columns, int32_t num_columns,
                             const uw_dataset_meta *meta, bool overwrite, uw_recorder **out,
                             uw_err *err) {
    const uw_open_mode mode = overwrite ? UW_OPEN_OVERWRITE : UW_OPEN_NEW;
    return open_mode(path, columns, num_columns, meta, mode, true, out, err);
}

/* ---- chunks ------------------------------------------------------------------------------- */

static void chunk_reset(uw_recorder *rec) {
    rec->rows = 0;
    for (int32_t i = 0; i < rec->header.num_columns; i++) {
        rec->columns[i].size = 0;
        rec->frames[i].size = 0;
    }
}

/* Lay the open chunk out in rec->chunk. */
static uw_status assemble(uw_recorder *rec, uw__chunk *chunk, uw_err *err) {
    const int32_t columns = rec->header.num_columns;
    const size_t head = uw__chunk_head_bytes(columns);
    uw__block blocks[UW_MAX_COLUMNS] = {0};
    uint64_t at = head;
    for (int32_t i = 0; i < columns; i++) {
        blocks[i].offset = at;
        blocks[i].bytes = rec->frames[i].size + rec->columns[i].size;
        at = uw__align64(at + blocks[i].bytes);
    }
    rec->chunk.size = 0;
    if (!reserve(&rec->chunk, (size_t)at)) return out_of_memory(rec, err);
    unsigned char *out = rec->chunk.data;
    for (int32_t i = 0; i < columns; i++) {
        unsigned char *block = out + blocks[i].offset;
        const buffer *table = &rec->frames[i], *rows = &rec->columns[i];
        const size_t end = (size_t)uw__align64(blocks[i].bytes);
        for (size_t f = 0; f < table->size; f += UW__FRAME_BYTES) {
            uw__frame frame;
            uw__frame_decode_entry(table->data + f, &frame);
            frame.offset += (uint32_t)table->size; /* frames follow their table */
            uw__frame_encode_entry(&frame, block + f);
        }
        if (rows->size) memcpy(block + table->size, rows->data, rows->size);
        memset(block + blocks[i].bytes, 0, end - blocks[i].bytes);
        const bool frames = uw__column_is_frames(&rec->header.columns[i]);
        blocks[i].sum = uw__sum_add(0, block, frames ? table->size : (size_t)blocks[i].bytes);
    }
    chunk->bytes = at;
    uw__chunk_head_encode(chunk, blocks, columns, out);
    rec->chunk.size = (size_t)at;
    return UW_OK;
}

/* Write the open chunk. On error the file is as it was and the rows are still here. */
static uw_status flush(uw_recorder *rec, uint32_t flags, uw_err *err) {
    uw__chunk chunk = {.offset = rec->index.end,
                       .episode = rec->episode,
                       .first_row = rec->first_row,
                       .rows = rec->rows,
                       .flags = flags};
    uw_status s = assemble(rec, &chunk, err);
    if (s) return s;
    if (uw__index_push(&rec->index, &chunk)) return out_of_memory(rec, err);
    s = uw__store_write(rec->fd, rec->path, chunk.offset, rec->chunk.data, rec->chunk.size, err);
    if (s) {
        rec->index.num_chunks--;
        rec->broken = uw__store_truncate(rec->fd, rec->path, chunk.offset, NULL) != UW_OK;
        return s;
    }
    rec->index.end = chunk.offset + chunk.bytes;
    rec->first_row += rec->rows;
    chunk_reset(rec);
    return UW_OK;
}

static bool chunk_full(const uw_recorder *rec) {
    size_t bytes = 0;
    for (int32_t i = 0; i < rec->header.num_columns; i++) {
        bytes += rec->columns[i].size + rec->frames[i].size;
    }
    return rec->rows >= UW__CHUNK_ROWS_MAX || bytes >= UW__CHUNK_TARGET;
}

/* ---- rows --------------------------------------------------------------------------------- */

/* One call's frames, shared by the workers. */
typedef struct batch {
    uw_recorder *rec;
    const void *const *cells;
    int64_t first;      /* row of cells */
    size_t frame_bytes; /* slots of one row together */
    uw_status status[BATCH_ROWS];
} batch;

static const unsigned char *cell_of(const uw_recorder *rec, const void *const *cells, int32_t i,
                                    int64_t row) {
    return (const unsigned char *)cells[i] + (size_t)row * rec->header.row_bytes[i];
}

static void encode_row(void *arg, size_t row, int32_t worker) {
    batch *b = arg;
    uw_recorder *rec = b->rec;
    const int32_t columns = rec->header.num_columns;
    unsigned char *slot = rec->batch.data + row * b->frame_bytes;
    b->status[row] = UW_OK;
    for (int32_t i = 0; i < columns; i++) {
        const uw_column *c = &rec->header.columns[i];
        if (!uw__column_is_frames(c)) continue;
        if (rec->stored[i]) {
            const uw__stored *frame = (const uw__stored *)b->cells[i] + b->first + (int64_t)row;
            size_t *bytes = &b->rec->batch_bytes[row * (size_t)columns + (size_t)i];
            *bytes = frame->bytes <= rec->slot[i] ? frame->bytes : 0;
            if (!*bytes) b->status[row] = UW_EFORMAT; /* larger than any frame of this size */
            memcpy(slot, frame->data, *bytes);
            slot += rec->slot[i];
            continue;
        }
        const uw_status s = uw__frame_encode(
            rec->encoders[worker], c, cell_of(rec, b->cells, i, b->first + (int64_t)row),
            rec->header.row_bytes[i], slot, rec->slot[i],
            &rec->batch_bytes[row * (size_t)columns + (size_t)i], NULL);
        if (s) b->status[row] = s;
        slot += rec->slot[i];
    }
}

/* Append encoded row `row` of a batch to the open chunk; all or nothing. */
static uw_status append_row(uw_recorder *rec, const batch *b, size_t row, uw_err *err) {
    const int32_t columns = rec->header.num_columns;
    const unsigned char *slot = rec->batch.data + row * b->frame_bytes;
    const size_t *bytes = rec->batch_bytes + row * (size_t)columns;
    if (chunk_full(rec)) {
        const uw_status s = flush(rec, 0, err);
        if (s) return s;
    }
    for (int32_t i = 0; i < columns; i++) {
        const bool frames = uw__column_is_frames(&rec->header.columns[i]);
        if (!reserve(&rec->columns[i], frames ? bytes[i] : rec->header.row_bytes[i]) ||
            (frames && !reserve(&rec->frames[i], UW__FRAME_BYTES))) {
            return out_of_memory(rec, err);
        }
    }
    for (int32_t i = 0; i < columns; i++) {
        if (!uw__column_is_frames(&rec->header.columns[i])) {
            append(&rec->columns[i], cell_of(rec, b->cells, i, b->first + (int64_t)row),
                   rec->header.row_bytes[i]);
            continue;
        }
        const uw__frame frame = {(uint32_t)rec->columns[i].size, (uint32_t)bytes[i],
                                 uw__sum_add(0, slot, bytes[i])};
        uw__frame_encode_entry(&frame, rec->frames[i].data + rec->frames[i].size);
        rec->frames[i].size += UW__FRAME_BYTES;
        append(&rec->columns[i], slot, bytes[i]);
        slot += rec->slot[i];
    }
    rec->rows++;
    return UW_OK;
}

static uw_status usable(const uw_recorder *rec, const void *const *cells, uw_err *err) {
    if (rec->broken) {
        uw_fail(err, UW_EIO, "%s: an earlier write failed and could not be taken back",
                uw__path_tail(rec->path));
        uw_err_fix(err, "close it and open it again to append");
        return UW_EIO;
    }
    for (int32_t i = 0; cells && i < rec->header.num_columns; i++) {
        if (cells[i]) continue;
        return uw__refuse(err, UW_EINVAL, rec->path, "no_cell", "give every column its row",
                          "column '%s': wanted a row, got NULL", rec->header.columns[i].name);
    }
    return UW_OK;
}

uw_status uw__recorder_rows(uw_recorder *rec, uw_context *ctx, const void *const *cells,
                            int64_t rows, uw_err *err) {
    uw_pool *pool = ctx ? ctx->pool : NULL;
    batch b = {.rec = rec, .cells = cells};
    uw_status s = usable(rec, rows ? cells : NULL, err);
    if (!s) s = need_encoders(rec, uw__pool_threads(pool), err);
    if (s) return s;
    for (int32_t i = 0; i < rec->header.num_columns; i++) {
        if (uw__column_is_frames(&rec->header.columns[i])) b.frame_bytes += rec->slot[i];
    }
    /* Frames of more than 16 MiB together are taken in smaller batches. */
    int64_t step = b.frame_bytes ? (16 << 20) / (int64_t)b.frame_bytes : BATCH_ROWS;
    step = step < 1 ? 1 : step > BATCH_ROWS ? BATCH_ROWS : step;
    for (int64_t done = 0; done < rows; done += step) {
        const int64_t n = rows - done < step ? rows - done : step;
        rec->batch.size = 0;
        if (!reserve(&rec->batch, (size_t)n * b.frame_bytes)) return out_of_memory(rec, err);
        b.first = done;
        uw__pool_run(pool, (size_t)n, encode_row, &b);
        for (int64_t i = 0; i < n; i++) {
            if (b.status[i]) {
                return uw__refuse(err, b.status[i], rec->path, "not_compressed",
                                  "close other programs, or record raw frames",
                                  "row %" PRId64 ": %s", done + i, uw_status_str(b.status[i]));
            }
            if ((s = append_row(rec, &b, (size_t)i, err))) return s;
        }
    }
    return UW_OK;
}

void uw__recorder_take_stored(uw_recorder *rec, const bool *stored) {
    memcpy(rec->stored, stored, (size_t)rec->header.num_columns * sizeof *stored);
}

uw_status uw_recorder_row(uw_recorder *rec, const void *const *cells, uw_err *err) {
    return uw__recorder_rows(rec, NULL, cells, 1, err);
}

/* ---- episodes ----------------------------------------------------------------------------- */

uw_status uw_recorder_end_episode(uw_recorder *rec, uw_err *err) {
    uw_status s = usable(rec, NULL, err);
    if (!s) s = flush(rec, UW__CHUNK_END, err);
    if (s) return s;
    rec->episodes++;
    rec->episode++;
    rec->first_row = 0;
    rec->episode_chunk = rec->index.num_chunks;
    const double now = uw__clock_s();
    if (now - rec->synced < SYNC_SECONDS) return UW_OK;
    rec->synced = now;
    return uw__store_sync(rec->fd, rec->path, err);
}

/* Take back everything since the last complete episode. */
static void roll_back(uw_recorder *rec) {
    chunk_reset(rec);
    rec->first_row = 0;
    if (rec->index.num_chunks == rec->episode_chunk) return;
    rec->index.end = rec->index.chunks[rec->episode_chunk].offset;
    rec->index.num_chunks = rec->episode_chunk;
    if (uw__store_truncate(rec->fd, rec->path, rec->index.end, NULL)) rec->broken = true;
}

uw_status uw_recorder_episode(uw_recorder *rec, uw_context *ctx, const void *const *cells,
                              int64_t rows, uw_err *err) {
    if (rows < 0) {
        return uw__refuse(err, UW_EINVAL, rec->path, "bad_count", "count the rows of the episode",
                          "wanted 0 or more rows, got %" PRId64, rows);
    }
    if (rec->rows || rec->first_row) {
        uw_fail(err, UW_EINVAL, "%s: an episode is open", uw__path_tail(rec->path));
        uw_err_fix(err, "end it with uw_recorder_end_episode first");
        return UW_EINVAL;
    }
    uw_status s = uw__recorder_rows(rec, ctx, cells, rows, err);
    if (!s) s = uw_recorder_end_episode(rec, err);
    if (s) roll_back(rec);
    return s;
}

uw_status uw__recorder_drop_unfinished(uw_recorder *rec, uw_err *err) {
    const uw__chunk *chunks = rec->index.chunks;
    int64_t first = rec->index.num_chunks - 1;
    if (first < 0 || chunks[first].flags & UW__CHUNK_END) return UW_OK;
    while (first > 0 && uw__chunk_follows(&chunks[first - 1], &chunks[first])) first--;
    const uw_status s = uw__store_truncate(rec->fd, rec->path, chunks[first].offset, err);
    if (s) return s;
    rec->episode = chunks[first].episode;
    rec->index.end = chunks[first].offset;
    rec->index.num_chunks = rec->episode_chunk = first;
    rec->episodes--;
    return UW_OK;
}

int64_t uw_recorder_episodes(const uw_recorder *rec) {
    return rec->episodes;
}

static uw_status write_index(uw_recorder *rec, uw_err *err) {
    unsigned char *data = NULL;
    size_t size = 0;
    if (uw__index_encode(&rec->index, &data, &size)) return out_of_memory(rec, err);
    uw_status s = uw__store_write(rec->fd, rec->path, rec->index.end, data, size, err);
    free(data);
    /* Half an index is only bytes to skip, but a file without one is cleaner. */
    if (s && uw__store_truncate(rec->fd, rec->path, rec->index.end, NULL)) rec->broken = true;
    return s;
}

uw_status uw_recorder_close(uw_recorder *rec, uw_err *err) {
    if (!rec) return UW_OK;
    uw_status s = usable(rec, NULL, err);
    if (!s && (rec->rows || rec->first_row)) s = uw_recorder_end_episode(rec, err);
    if (!s) s = write_index(rec, err);
    if (!s) s = uw__store_sync(rec->fd, rec->path, err);
    if (!s && rec->staged) s = uw__store_publish(rec->staged, rec->path, rec->overwrite, err);
    recorder_free(rec);
    return s;
}

void uw__recorder_discard(uw_recorder *rec) {
    if (rec && rec->staged) uw__store_remove(rec->staged);
    recorder_free(rec);
}
