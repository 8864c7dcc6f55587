/* Reading a recording: which chunk holds a row, is it what was written, decode it.
 *
 * Opening reads the header and the index.  Block directories and frame tables are read and checked
 * the first time a chunk is touched, into one anonymous mapping whose pages exist only once they
 * are used: opening costs O(index), reading allocates nothing, and a second read of a chunk goes
 * straight to its rows.  The file itself is read by pread and never mapped: truncation by another
 * program would make a mapped page a SIGBUS that no check before it can rule out. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "codec.h"
#include "dataset_hdf5.h"
#include "dataset_internal.h"
#include "fileio.h"
#include "internal.h"
#include "resize.h"
#include "scan.h"
#include "store.h"

/* A decoder and room for one stored frame: one per reading thread, kept for the next call. */
typedef struct reader {
    struct reader *next;
    uw__decoder *decoder;
    unsigned char *stored; /* [stored_bytes] */
    uw_h5_room *room;      /* of an HDF5 file, which needs no other */
    unsigned char *frame;  /* of a fitted column, as recorded; then the sums of resizing it */
    uint32_t *sums;
} reader;

/* What reading changes; a dataset is const to its readers. */
typedef struct shared {
    pthread_mutex_t lock; /* guards readers, and the first touch of chunks */
    reader *readers;      /* idle ones */
    unsigned char
        *tables; /* per chunk: blocks [columns], then frames [rows] of each frame column */
    size_t tables_bytes;
    _Atomic uint8_t *ready; /* [chunks * (columns + 1)]: directory, then each column, checked */
} shared;

struct uw_dataset {
    int fd;
    char *path;
    const char *name; /* its end, for messages */
    uint64_t size;
    uw__header header;
    uw__index index;
    uint64_t *table_at; /* [chunks] offset of a chunk's tables */
    int64_t num_episodes;
    int64_t *episode_chunk; /* [episodes + 1] first chunk */
    int64_t *chunk_row;     /* [chunks] its first row within the episode as found */
    int64_t *episode_rows;  /* [episodes] */
    int64_t total_rows;
    size_t stored_bytes;   /* most bytes of a stored frame */
    unsigned char *stored; /* [stored_bytes] of uw__dataset_stored, made when needed */
    char hash[17];
    shared *shared;
    uw__resize *fit; /* NULL: every column as recorded */
    int32_t fit_column;
    uw_column fitted;    /* what that column is shown as */
    uw__hdf5_data *hdf5; /* NULL for a file of ours; else chunks and tables are not there */
};

/* ---- opening ------------------------------------------------------------------------------ */

static uw_status out_of_memory(const uw_dataset *data, uw_err *err) {
    uw_fail(err, UW_ENOMEM, "%s: out of memory for %" PRId64 " chunks", data->name,
            data->index.num_chunks);
    uw_err_fix(err, "close other programs");
    return UW_ENOMEM;
}

/* Group chunks into episodes. */
static uw_status table_episodes(uw_dataset *data, uw_err *err) {
    const size_t chunks = (size_t)data->index.num_chunks;
    data->episode_chunk = calloc(chunks + 1, sizeof(int64_t));
    data->episode_rows = calloc(chunks + 1, sizeof(int64_t));
    data->chunk_row = calloc(chunks + 1, sizeof(int64_t));
    if (!data->episode_chunk || !data->episode_rows || !data->chunk_row) {
        return out_of_memory(data, err);
    }
    int64_t e = -1;
    for (size_t i = 0; i < chunks; i++) {
        const uw__chunk *c = &data->index.chunks[i];
        if (!i || !uw__chunk_follows(c - 1, c)) data->episode_chunk[++e] = (int64_t)i;
        data->chunk_row[i] = data->episode_rows[e];
        data->episode_rows[e] += c->rows;
        data->total_rows += c->rows;
    }
    data->num_episodes = e + 1;
    data->episode_chunk[e + 1] = (int64_t)chunks;
    return UW_OK;
}

/* Make what readers share. */
static uw_status share(uw_dataset *data, uw_err *err) {
    shared *sh = calloc(1, sizeof *sh);
    if (!sh || pthread_mutex_init(&sh->lock, NULL)) {
        free(sh);
        return out_of_memory(data, err);
    }
    data->shared = sh;
    return UW_OK;
}

/* Set aside (without using) memory for the tables of every chunk. */
static uw_status set_tables(uw_dataset *data, uw_err *err) {
    const size_t chunks = (size_t)data->index.num_chunks,
                 columns = (size_t)data->header.num_columns;
    size_t frame_columns = 0;
    for (size_t i = 0; i < columns; i++) {
        const uw_column *c = &data->header.columns[i];
        if (!uw__column_is_frames(c)) continue;
        const size_t stored = uw__frame_bound(c, data->header.row_bytes[i]);
        if (stored > data->stored_bytes) data->stored_bytes = stored;
        frame_columns++;
    }
    data->table_at = calloc(chunks + 1, sizeof *data->table_at);
    if (!data->table_at || share(data, err)) return out_of_memory(data, err);
    shared *sh = data->shared;
    uint64_t largest =
        1; /* a stored frame is no larger than its chunk, whatever its column could need */
    for (size_t i = 0; i < chunks; i++) {
        if (data->index.chunks[i].bytes > largest) largest = data->index.chunks[i].bytes;
    }
    if (data->stored_bytes > largest) data->stored_bytes = (size_t)largest;
    uint64_t at = 0; /* a few times the file's size at most: the index was checked against it */
    for (size_t i = 0; i < chunks; i++) {
        data->table_at[i] = at;
        at += columns * sizeof(uw__block) +
              (uint64_t)data->index.chunks[i].rows * frame_columns * sizeof(uw__frame);
    }
    sh->ready = calloc(chunks + 1, columns + 1);
    if (!sh->ready) return out_of_memory(data, err);
    if (!at) return UW_OK;
    void *map = mmap(NULL, (size_t)at, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return out_of_memory(data, err);
    sh->tables = map;
    sh->tables_bytes = (size_t)at;
    return UW_OK;
}

static uw_status codecs_known(const uw_dataset *data, uw_err *err) {
    for (int32_t i = 0; i < data->header.num_columns; i++) {
        const uw_status s = uw__codec_check(data->name, &data->header.columns[i], err);
        if (s) return s;
    }
    return UW_OK;
}

static uw_status open_ours(uw_dataset *data, uw_err *err) {
    uw_status s = uw__scan_header(data->fd, data->path, data->size, &data->header, err);
    if (!s) s = codecs_known(data, err);
    if (!s) s = uw__scan_index(data->fd, data->path, data->size, &data->header, &data->index, err);
    if (!s) s = table_episodes(data, err);
    if (!s) s = set_tables(data, err);
    if (!s) uw__content_hash(&data->header, &data->index, data->hash);
    return s;
}

static uw_status open_hdf5(uw_dataset *data, uw_err *err) {
    uw_status s = uw__hdf5_data_open(data->path, &data->hdf5, err);
    if (s) return s;
    const uw__source *source = uw__hdf5_data_source(data->hdf5);
    const size_t episodes = (size_t)source->num_episodes;
    s = uw__header_make(data->name, source->columns, source->num_columns, &source->meta,
                        &data->header, err);
    if (!s) s = uw__hdf5_data_hash(data->hdf5, data->size, data->hash, err);
    if (!s) s = share(data, err);
    if (s) return s;
    data->episode_rows = calloc(episodes + 1, sizeof *data->episode_rows);
    if (!data->episode_rows) return out_of_memory(data, err);
    memcpy(data->episode_rows, source->episode_rows, episodes * sizeof *data->episode_rows);
    data->num_episodes = source->num_episodes;
    data->total_rows = source->total_rows;
    return UW_OK;
}

uw_status uw_dataset_open(const char *path, uw_dataset **out, uw_err *err) {
    *out = NULL;
    uw_dataset *data = calloc(1, sizeof *data);
    if (!data) return uw__no_memory(err, path, sizeof *data);
    data->fd = -1;
    data->path = strdup(path);
    data->name = data->path ? uw__path_tail(data->path) : "";
    uw_status s = data->path ? UW_OK : out_of_memory(data, err);
    if (!s) s = uw__store_open(path, &data->fd, &data->size, err);
    if (!s && uw__hdf5_signature(data->fd, path, data->size))
        s = open_hdf5(data, err);
    else if (!s)
        s = open_ours(data, err);
    if (s)
        uw_dataset_close(data);
    else
        *out = data;
    return s;
}

static void reader_free(reader *r) {
    if (!r) return;
    uw__decoder_free(r->decoder);
    uw__h5_room_free(r->room);
    free(r->stored);
    free(r->frame);
    free(r->sums);
    free(r);
}

static void readers_free(shared *sh) {
    while (sh->readers) {
        reader *r = sh->readers;
        sh->readers = r->next;
        reader_free(r);
    }
}

void uw_dataset_close(uw_dataset *data) {
    if (!data) return;
    shared *sh = data->shared;
    if (sh) {
        readers_free(sh);
        if (sh->tables) munmap(sh->tables, sh->tables_bytes);
        free((void *)sh->ready);
        pthread_mutex_destroy(&sh->lock);
        free(sh);
    }
    uw__hdf5_data_close(data->hdf5);
    uw__index_free(&data->index);
    free(data->table_at);
    free(data->episode_chunk);
    free(data->episode_rows);
    free(data->chunk_row);
    free(data->stored);
    free(data->fit);
    uw__store_close(data->fd);
    free(data->path);
    free(data);
}

/* ---- facts -------------------------------------------------------------------------------- */

int64_t uw_dataset_episodes(const uw_dataset *data) {
    return data->num_episodes;
}

int64_t uw_dataset_total_rows(const uw_dataset *data) {
    return data->total_rows;
}

int64_t uw_dataset_episode_rows(const uw_dataset *data, int64_t episode) {
    return episode >= 0 && episode < data->num_episodes ? data->episode_rows[episode] : 0;
}

int64_t uw_dataset_bytes(const uw_dataset *data) {
    return (int64_t)data->size;
}

int64_t uw_dataset_torn_bytes(const uw_dataset *data) {
    return (int64_t)data->index.torn;
}

int32_t uw_dataset_num_columns(const uw_dataset *data) {
    return data->header.num_columns;
}

const uw_column *uw_dataset_column(const uw_dataset *data, int32_t i) {
    if (data->fit && i == data->fit_column) return &data->fitted;
    return i >= 0 && i < data->header.num_columns ? &data->header.columns[i] : NULL;
}

int32_t uw_dataset_find(const uw_dataset *data, const char *name, const char **nearest) {
    const char *names[UW_MAX_COLUMNS];
    if (nearest) *nearest = NULL;
    for (int32_t i = 0; i < data->header.num_columns; i++) {
        names[i] = data->header.columns[i].name;
        if (!strcmp(names[i], name)) {
            if (nearest) *nearest = names[i];
            return i;
        }
    }
    if (nearest) *nearest = uw__nearest(name, names, data->header.num_columns);
    return -1;
}

const uw_dataset_meta *uw_dataset_meta_of(const uw_dataset *data) {
    return &data->header.meta;
}

const char *uw_dataset_hash(const uw_dataset *data) {
    return data->hash;
}

const uw__header *uw__dataset_header(const uw_dataset *data) {
    return &data->header;
}

const char *uw__dataset_name(const uw_dataset *data) {
    return data->name;
}

const uw_column *uw__dataset_column_checked(const uw_dataset *data, int32_t column, uw_err *err) {
    const uw_column *c = uw_dataset_column(data, column);
    if (c) return c;
    uw_fail(err, UW_EINVAL, "%s: column, wanted 0 .. %d, got %d", data->name,
            data->header.num_columns - 1, column);
    uw_err_fix(err, "find the column by name with uw_dataset_find");
    return NULL;
}

/* ---- first touch -------------------------------------------------------------------------- */

static uw__block *blocks_of(const uw_dataset *data, int64_t chunk) {
    return (uw__block *)(void *)(data->shared->tables + data->table_at[chunk]);
}

static uw__frame *frames_of(const uw_dataset *data, int64_t chunk, int32_t column) {
    uw__frame *frames = (uw__frame *)(void *)(blocks_of(data, chunk) + data->header.num_columns);
    for (int32_t i = 0; i < column; i++) {
        if (uw__column_is_frames(&data->header.columns[i]))
            frames += data->index.chunks[chunk].rows;
    }
    return frames;
}

/* Read and check what is needed to read `column` of a chunk; done once, under the lock. */
static uw_status touch_locked(const uw_dataset *data, int64_t chunk, int32_t column,
                              _Atomic uint8_t *ready, uw_err *err) {
    const uw__chunk *c = &data->index.chunks[chunk];
    uw__block *blocks = blocks_of(data, chunk);
    uw_status s = UW_OK;
    if (!atomic_load_explicit(&ready[0], memory_order_relaxed)) {
        if ((s = uw__scan_chunk(data->fd, data->path, &data->header, c, blocks, err))) return s;
        atomic_store_explicit(&ready[0], 1, memory_order_release);
    }
    if (uw__column_is_frames(&data->header.columns[column])) {
        s = uw__scan_frames(data->fd, data->path, &data->header, column, c, &blocks[column],
                            frames_of(data, chunk, column), err);
    } else {
        uint64_t sum;
        s = uw__scan_sum(data->fd, data->path, c->offset + blocks[column].offset,
                         blocks[column].bytes, &sum, err);
        if (!s && sum != blocks[column].sum) {
            s = uw_fail(err, UW_EFORMAT, "%s: a column is damaged: '%s' of episode %" PRIu64,
                        data->name, data->header.columns[column].name, c->episode);
            uw_err_fix(err, "restore the file from a copy, or convert it to keep the rest");
        }
    }
    if (!s) atomic_store_explicit(&ready[column + 1], 1, memory_order_release);
    return s;
}

static uw_status touch(const uw_dataset *data, int64_t chunk, int32_t column, uw_err *err) {
    _Atomic uint8_t *ready =
        data->shared->ready + (size_t)chunk * ((size_t)data->header.num_columns + 1);
    if (atomic_load_explicit(&ready[column + 1], memory_order_acquire)) return UW_OK;
    pthread_mutex_lock(&data->shared->lock);
    uw_status s = UW_OK;
    if (!atomic_load_explicit(&ready[column + 1], memory_order_relaxed)) {
        s = touch_locked(data, chunk, column, ready, err);
    }
    pthread_mutex_unlock(&data->shared->lock);
    return s;
}

static reader *reader_new(const uw_dataset *data) {
    reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    bool made = true;
    if (data->fit) {
        r->frame = malloc(uw__resize_frame_bytes(data->fit));
        r->sums = malloc(uw__resize_sums_bytes(data->fit));
        made = r->frame && r->sums;
    }
    if (made && data->hdf5) {
        made = !uw__h5_room_new(&r->room);
    } else if (made) {
        r->stored = malloc(data->stored_bytes);
        made = r->stored && !uw__decoder_new(&r->decoder);
    }
    if (made) return r;
    reader_free(r);
    return NULL;
}

static reader *reader_take(const uw_dataset *data) {
    shared *sh = data->shared;
    pthread_mutex_lock(&sh->lock);
    reader *r = sh->readers;
    if (r) sh->readers = r->next;
    pthread_mutex_unlock(&sh->lock);
    return r ? r : reader_new(data);
}

static void reader_give(const uw_dataset *data, reader *r) {
    pthread_mutex_lock(&data->shared->lock);
    r->next = data->shared->readers;
    data->shared->readers = r;
    pthread_mutex_unlock(&data->shared->lock);
}

uw_status uw__dataset_reserve(const uw_dataset *data, int32_t threads, uw_err *err) {
    int32_t idle = 0;
    for (const reader *r = data->shared->readers; r; r = r->next) idle++;
    for (; idle < threads; idle++) {
        reader *r = reader_new(data);
        if (!r) return uw_fail(err, UW_ENOMEM, "%s: out of memory for decoders", data->name);
        reader_give(data, r);
    }
    return UW_OK;
}

/* ---- rows --------------------------------------------------------------------------------- */

/* The chunk of an episode that holds `row`. */
static int64_t chunk_of(const uw_dataset *data, int64_t episode, int64_t row) {
    int64_t lo = data->episode_chunk[episode], hi = data->episode_chunk[episode + 1] - 1;
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo + 1) / 2;
        if (data->chunk_row[mid] <= row)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static uw_status read_frame(const uw_dataset *data, reader *r, int32_t column, int64_t chunk,
                            int64_t row, unsigned char *out, uw_err *err) {
    const uw_column *c = &data->header.columns[column];
    const size_t size = data->header.row_bytes[column];
    const uw__frame *f = &frames_of(data, chunk, column)[row];
    const uint64_t at = data->index.chunks[chunk].offset + blocks_of(data, chunk)[column].offset;
    /* A raw frame goes to its place directly; its size was only bounded from above so far. */
    const bool raw = c->codec == UW_CODEC_RAW && f->bytes == size;
    unsigned char *stored = raw ? out : r->stored;
    uw_status s = uw__store_read(data->fd, data->path, at + f->offset, stored, f->bytes, err);
    if (s) return s;
    uw_err inner = {0};
    if (uw__sum_add(0, stored, f->bytes) != f->sum) {
        s = uw_fail(&inner, UW_EFORMAT, "its checksum does not hold");
    } else if (!raw) {
        s = uw__frame_decode(r->decoder, c, stored, f->bytes, out, size, &inner);
    }
    if (!s) return UW_OK;
    if (s != UW_ENOMEM) s = UW_EFORMAT;
    uw_fail(err, s, "%s: column '%s': row %" PRId64 " of episode %" PRIu64 ": %s", data->name,
            c->name, data->chunk_row[chunk] + row, data->index.chunks[chunk].episode, inner.text);
    uw_err_fix(err, "restore the file from a copy, or convert it to keep the rest");
    return s;
}

/* Copy `count` rows of a plain column that lie `stride` apart in one chunk. */
static uw_status read_plain(const uw_dataset *data, int32_t column, int64_t chunk, int64_t row,
                            int64_t count, int64_t stride, unsigned char *out, uw_err *err) {
    const size_t size = data->header.row_bytes[column];
    uint64_t at = data->index.chunks[chunk].offset + blocks_of(data, chunk)[column].offset +
                  (uint64_t)row * size;
    if (stride == 1) {
        return uw__store_read(data->fd, data->path, at, out, (size_t)count * size, err);
    }
    for (int64_t i = 0; i < count; i++, at += (uint64_t)stride * size, out += size) {
        const uw_status s = uw__store_read(data->fd, data->path, at, out, size, err);
        if (s) return s;
    }
    return UW_OK;
}

static uw_status read_rows(const uw_dataset *data, reader *r, int32_t column, int64_t episode,
                           int64_t first, int64_t count, int64_t stride, unsigned char *out,
                           uw_err *err) {
    const size_t size = data->header.row_bytes[column];
    while (count) {
        const int64_t chunk = chunk_of(data, episode, first);
        const int64_t row = first - data->chunk_row[chunk];
        const int64_t here = (data->index.chunks[chunk].rows - row + stride - 1) / stride;
        const int64_t n = here < count ? here : count;
        uw_status s = touch(data, chunk, column, err);
        if (!s && !r) s = read_plain(data, column, chunk, row, n, stride, out, err);
        for (int64_t i = 0; !s && r && i < n; i++) {
            s = read_frame(data, r, column, chunk, row + i * stride, out + (size_t)i * size, err);
        }
        if (s) return s;
        out += (size_t)n * size;
        first += n * stride;
        count -= n;
    }
    return UW_OK;
}

/* Rows as recorded. */
static uw_status read_recorded(const uw_dataset *data, reader *r, int32_t column, int64_t episode,
                               int64_t first, int64_t count, int64_t stride, void *out,
                               uw_err *err) {
    if (data->hdf5)
        return uw__hdf5_data_rows(data->hdf5, r->room, column, episode, first, count, stride, out,
                                  err);
    return read_rows(data, r, column, episode, first, count, stride, out, err);
}

/* Rows of the fitted column, each resized while the frame is in this core's cache. */
static uw_status read_fitted(const uw_dataset *data, reader *r, int64_t episode, int64_t first,
                             int64_t count, int64_t stride, unsigned char *out, uw_err *err) {
    const size_t size = (size_t)(data->fitted.shape[0] * data->fitted.shape[1] * 3);
    uw_status s = UW_OK;
    for (int64_t i = 0; !s && i < count; i++, out += size) {
        s = read_recorded(data, r, data->fit_column, episode, first + i * stride, 1, 1, r->frame,
                          err);
        if (!s) uw__resize_run(data->fit, r->frame, r->sums, out);
    }
    return s;
}

uw_status uw_dataset_rows(const uw_dataset *data, int32_t column, int64_t episode, int64_t first,
                          int64_t count, int64_t stride, void *out, uw_err *err) {
    const uw_column *c = uw__dataset_column_checked(data, column, err);
    if (!c) return UW_EINVAL;
    const int64_t rows = uw_dataset_episode_rows(data, episode);
    if (episode < 0 || episode >= data->num_episodes) {
        return uw__refuse(err, UW_EINVAL, data->name, "no_episode", "see uw_dataset_episodes",
                          "wanted 0 .. %" PRId64 ", got %" PRId64, data->num_episodes - 1, episode);
    }
    /* Written so that no sum can overflow. */
    if (first < 0 || count < 0 || stride < 1 || (count && first >= rows) ||
        (count > 1 && (count - 1) > (rows - 1 - first) / stride)) {
        return uw__refuse(err, UW_EINVAL, data->name, "no_such_rows", "see uw_dataset_episode_rows",
                          "episode %" PRId64 " has %" PRId64 " rows, got first %" PRId64
                          ", count %" PRId64 ", stride %" PRId64,
                          episode, rows, first, count, stride);
    }
    if (!count) return UW_OK;
    reader *r = NULL;
    if ((data->hdf5 || uw__column_is_frames(c)) && !(r = reader_take(data)))
        return out_of_memory(data, err);
    const uw_status s =
        data->fit && column == data->fit_column
            ? read_fitted(data, r, episode, first, count, stride, out, err)
            : read_recorded(data, r, column, episode, first, count, stride, out, err);
    if (r) reader_give(data, r);
    return s;
}

uw_status uw__dataset_fit(uw_dataset *data, int32_t column, int64_t side, uw_err *err) {
    uw_column c = data->header.columns[column];
    uw__resize *fit = NULL;
    UW_ASSERT(c.dtype == UW_DTYPE_U8 && uw__column_is_frames(&c) && c.shape[2] == 3);
    if (c.shape[0] != side || c.shape[1] != side) {
        const uw_status s = uw__resize_new(c.name, c.shape[0], c.shape[1], side, &fit, err);
        if (s) return s;
        c.shape[0] = c.shape[1] = side;
    }
    readers_free(data->shared); /* new ones have room for what this needs */
    free(data->fit);
    data->fit = fit;
    data->fit_column = column;
    data->fitted = c;
    return UW_OK;
}

const int64_t *uw__dataset_lengths(const uw_dataset *data) {
    return data->episode_rows;
}

uw_status uw__dataset_stored(uw_dataset *data, int32_t column, int64_t episode, int64_t row,
                             const void **out, size_t *bytes, uw_err *err) {
    UW_ASSERT(uw__column_is_frames(&data->header.columns[column]));
    UW_ASSERT(row >= 0 && row < uw_dataset_episode_rows(data, episode) && !data->hdf5);
    const int64_t chunk = chunk_of(data, episode, row);
    uw_status s = touch(data, chunk, column, err);
    if (s) return s;
    const uw__frame *f = &frames_of(data, chunk, column)[row - data->chunk_row[chunk]];
    const uint64_t at = data->index.chunks[chunk].offset + blocks_of(data, chunk)[column].offset;
    if (!data->stored && !(data->stored = malloc(data->stored_bytes)))
        return out_of_memory(data, err);
    s = uw__store_read(data->fd, data->path, at + f->offset, data->stored, f->bytes, err);
    if (!s && uw__sum_add(0, data->stored, f->bytes) != f->sum) {
        s = uw_fail(err, UW_EFORMAT, "%s: column '%s': row %" PRId64 ": its checksum does not hold",
                    data->name, data->header.columns[column].name, row);
        uw_err_fix(err, "restore the file from a copy, or convert it to keep the rest");
    }
    if (s) return s;
    *out = data->stored;
    *bytes = f->bytes;
    return UW_OK;
}

/* ---- verify ------------------------------------------------------------------------------- */

typedef struct verify {
    const uw_dataset *data;
    int64_t first;
    uw_status status[64];
} verify;

/* Check chunk i of ours, episode i of an HDF5 file. */
static uw_status verify_part(const uw_dataset *data, int64_t i, uw_err *err) {
    if (!data->hdf5) {
        return uw__scan_verify(data->fd, data->path, &data->header, &data->index.chunks[i], err);
    }
    reader *r = reader_take(data);
    if (!r) return out_of_memory(data, err);
    const uw_status s = uw__hdf5_data_verify(data->hdf5, r->room, i, err);
    reader_give(data, r);
    return s;
}

static void verify_task(void *arg, size_t i, int32_t worker) {
    verify *v = arg;
    (void)worker;
    v->status[i] = verify_part(v->data, v->first + (int64_t)i, NULL);
}

uw_status uw_dataset_verify(const uw_dataset *data, uw_context *ctx, uw_err *err) {
    verify v = {.data = data};
    const int64_t parts = data->hdf5 ? data->num_episodes : data->index.num_chunks;
    const int64_t step = sizeof v.status / sizeof v.status[0];
    for (; v.first < parts; v.first += step) {
        const int64_t n = parts - v.first < step ? parts - v.first : step;
        uw__pool_run(ctx ? ctx->pool : NULL, (size_t)n, verify_task, &v);
        for (int64_t i = 0; i < n; i++) {
            if (!v.status[i]) continue;
            /* Once more, to have the words of the first failure in file order. */
            return verify_part(data, v.first + i, err);
        }
        if (ctx && !uw__progress(ctx, "verify", v.first + n, parts)) {
            return uw__refuse(err, UW_EINTERRUPTED, data->name, "stopped",
                              "verify again from the beginning",
                              "verify: %" PRId64 " of %" PRId64 " %s hold", v.first + n, parts,
                              data->hdf5 ? "episodes" : "chunks");
        }
    }
    return UW_OK;
}
