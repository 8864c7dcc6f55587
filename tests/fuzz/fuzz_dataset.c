/* Recordings: whatever the bytes, opening, reading and continuing them ends in an answer or an
 * error.
 *
 * The mutations know the format: they change fields of a header, chunk, frame table, index or
 * trailer to numbers that lie in wait (0, all ones, one too many, huge) and then mend the
 * checksums, which plain noise would never get past. */
#include <string.h>
#include <unistd.h>

#include <umwelt/dataset.h>

#include "layout.h"
#include "mutate.h"
#include "rng.h"

enum { CELL_MAX = 1 << 16, VARIANTS = 2500, GROWTH = 512 };

static size_t below(uw_rng *r, size_t n) {
    return n ? uw__rng_below(r, (uint32_t)n) : 0;
}

static uint64_t get(const uint8_t *at, size_t width) {
    uint64_t v = 0;
    for (size_t i = 0; i < width; i++) v |= (uint64_t)at[i] << (8 * i);
    return v;
}

static void put(uint8_t *at, size_t width, uint64_t v) {
    for (size_t i = 0; i < width; i++) at[i] = (uint8_t)(v >> (8 * i));
}

/* ---- mutations ---------------------------------------------------------------------------- */

/* Change one aligned field in [from, to) to a number that lies in wait. */
static void poison(uw_rng *r, uint8_t *data, size_t from, size_t to) {
    const size_t width = below(r, 2) ? 8 : 4;
    if (to < from + width) return;
    uint8_t *at = data + from + below(r, (to - from) / width) * width;
    const uint64_t old = get(at, width);
    /* clang-format off */
    const uint64_t values[] = {
        0, 1, UINT64_MAX, old + 1, old - 1, old * 2, old / 2, old + 64, old - 64, old ^ 255, old << 32,
        4096, 4097, UINT32_MAX, UINT64_MAX - 63, (uint64_t)1 << 31, (uint64_t)1 << 32, (uint64_t)1 << 62,
        (uint64_t)1 << 63, uw__rng_u64(r)};
    /* clang-format on */
    put(at, width, values[below(r, sizeof values / sizeof values[0])]);
}

/* Where the parts of a file are, as far as it can still be told. */
typedef struct parts {
    size_t header;                 /* its length */
    size_t chunk[32], head[32];    /* offsets and header lengths */
    size_t chunks, index, trailer; /* index, trailer: offsets, 0 = none */
} parts;

static void find_parts(const uint8_t *data, size_t size, parts *p) {
    memset(p, 0, sizeof *p);
    p->header = size > 16 ? (size_t)get(data + 12, 4) : 0;
    if (p->header > size) p->header = size;
    for (size_t at = 0; at + 64 <= size; at += 64) {
        if (!memcmp(data + at, "UWCHUNK\n", 8) && p->chunks < 32) {
            const size_t head = (size_t)get(data + at + 52, 4);
            p->chunk[p->chunks] = at;
            p->head[p->chunks++] = head <= size - at ? head : 64;
        }
        if (!memcmp(data + at, "UWINDEX\n", 8)) p->index = at;
        if (!memcmp(data + at, "UWCLOSE\n", 8)) p->trailer = at;
    }
}

/* Make every checksum hold that can be made to. */
static void mend(uint8_t *data, size_t size) {
    parts p;
    find_parts(data, size, &p);
    if (p.header >= 64) put(data + 16, 8, uw__sum_without(data, p.header, 16));
    for (size_t i = 0; i < p.chunks; i++) {
        uint8_t *c = data + p.chunk[i];
        const size_t left = size - p.chunk[i];
        for (size_t b = 64; b + 32 <= p.head[i]; b += 32) {
            const size_t offset = (size_t)get(c + b, 8), bytes = (size_t)get(c + b + 8, 8);
            const size_t rows = (size_t)get(c + 40, 4);
            /* frames or plain is the header's word; try the table first when frames adjoin */
            const bool frames =
                offset < left && left - offset >= 16 && get(c + offset, 4) == rows * 16;
            const size_t n = frames ? rows * 16 : bytes;
            if (offset < left && n <= left - offset)
                put(c + b + 16, 8, uw__sum_add(0, c + offset, n));
        }
        if (p.head[i] >= 64) put(c + 16, 8, uw__sum_without(c, p.head[i], 16));
        if (p.index && p.index + 64 + (i + 1) * 48 <= size) {
            memcpy(data + p.index + 64 + i * 48 + 40, c + 16, 8);
        }
    }
    if (!p.index || !p.trailer || p.trailer < p.index + 64) return;
    const uint64_t sum = uw__sum_without(data + p.index, p.trailer - p.index, 16);
    put(data + p.index + 16, 8, sum);
    put(data + p.trailer + 32, 8, sum);
    put(data + p.trailer + 16, 8, uw__sum_without(data + p.trailer, 64, 16));
}

/* Change one to three things; data has room for GROWTH bytes more. Returns the new size. */
static size_t mutate(uw_rng *r, uint8_t *data, size_t size) {
    parts p;
    find_parts(data, size, &p);
    for (size_t n = 1 + below(r, 3); n; n--) {
        const size_t i = below(r, p.chunks);
        switch (below(r, 9)) {
        case 0:
            poison(r, data, 8, p.header);
            break;
        case 1:
        case 2:
            if (p.chunks) poison(r, data, p.chunk[i] + 8, p.chunk[i] + p.head[i]);
            break;
        case 3: /* behind a chunk's header: frame tables come first in our files */
            if (p.chunks && size - p.chunk[i] > p.head[i] + 128) {
                poison(r, data, p.chunk[i] + p.head[i], p.chunk[i] + p.head[i] + 128);
            }
            break;
        case 4:
            if (p.index) poison(r, data, p.index + 8, p.trailer > p.index ? p.trailer : size);
            break;
        case 5:
            if (p.trailer && size - p.trailer >= 64) poison(r, data, p.trailer + 8, p.trailer + 64);
            break;
        case 6: /* a byte anywhere */
            if (size) data[below(r, size)] ^= (uint8_t)(1u << below(r, 8));
            break;
        case 7: /* two chunks change places, or one becomes the other */
            if (p.chunks > 1) {
                const size_t j = below(r, p.chunks),
                             bytes = p.head[i] < p.head[j] ? p.head[i] : p.head[j];
                memmove(data + p.chunk[i], data + p.chunk[j], bytes);
            }
            break;
        default: /* cut, or grow by something that looks like more */
            if (below(r, 2)) {
                size = below(r, size + 1);
            } else if (p.chunks && size - p.chunk[i] >= GROWTH) {
                memcpy(data + size, data + p.chunk[i], GROWTH);
                size += GROWTH;
            }
            find_parts(data, size, &p);
        }
    }
    if (below(r, 4)) mend(data, size);
    return size;
}

/* ---- the promise -------------------------------------------------------------------------- */

/* Read every row twice: the same answer both times. */
static void read_all(const uw_dataset *data) {
    static unsigned char a[CELL_MAX], b[CELL_MAX];
    int64_t total = 0;
    for (int64_t e = 0; e < uw_dataset_episodes(data); e++) {
        const int64_t rows = uw_dataset_episode_rows(data, e);
        FUZZ_REQUIRE(rows >= 0, "an episode of less than no rows");
        total += rows;
        for (int32_t c = 0; c < uw_dataset_num_columns(data); c++) {
            const uw_column *column = uw_dataset_column(data, c);
            uint64_t bytes = uw_dtype_bytes(column->dtype);
            for (int32_t d = 0; d < column->num_dims; d++) bytes *= (uint64_t)column->shape[d];
            if (bytes > CELL_MAX) continue;
            for (int64_t t = 0; t < rows; t += 1 + rows / 16) {
                const uw_status s = uw_dataset_rows(data, c, e, t, 1, 1, a, NULL);
                const uw_status again = uw_dataset_rows(data, c, e, t, 1, 1, b, NULL);
                FUZZ_REQUIRE(s == again, "two reads, two answers");
                FUZZ_REQUIRE(s || !memcmp(a, b, (size_t)bytes), "two reads, two contents");
                FUZZ_REQUIRE(s != UW_EINVAL && s != UW_EIO,
                             "a row that the table promised is refused");
            }
        }
    }
    FUZZ_REQUIRE(total == uw_dataset_total_rows(data), "rows do not add up");
    FUZZ_REQUIRE(uw_dataset_torn_bytes(data) >= 0 &&
                     uw_dataset_torn_bytes(data) <= uw_dataset_bytes(data),
                 "more torn than there is");
}

/* Continue the recording: what was complete stays, and the result is whole. */
static void append(const char *path, const uw_dataset *data) {
    static unsigned char zeros[CELL_MAX];
    uw_column columns[UW_MAX_COLUMNS];
    const void *cells[UW_MAX_COLUMNS];
    const int32_t n = uw_dataset_num_columns(data);
    const int64_t before = uw_dataset_episodes(data);
    for (int32_t c = 0; c < n; c++) {
        uint64_t bytes = uw_dtype_bytes(uw_dataset_column(data, c)->dtype);
        columns[c] = *uw_dataset_column(data, c);
        for (int32_t d = 0; d < columns[c].num_dims; d++) bytes *= (uint64_t)columns[c].shape[d];
        if (bytes > CELL_MAX) return;
        cells[c] = zeros;
    }
    uw_recorder *rec = NULL;
    uw_dataset *after = NULL;
    uw_status s = uw_recorder_open(path, columns, n, NULL, UW_OPEN_APPEND, &rec, NULL);
    if (s) return;
    FUZZ_REQUIRE(uw_recorder_episodes(rec) == before, "append found other episodes");
    s = uw_recorder_episode(rec, NULL, cells, 1, NULL);
    s = s ? s : uw_recorder_close(rec, NULL);
    FUZZ_REQUIRE(s == UW_OK, "append failed");
    FUZZ_REQUIRE(uw_dataset_open(path, &after, NULL) == UW_OK, "appended file does not open");
    FUZZ_REQUIRE(uw_dataset_episodes(after) == before + 1, "an episode went missing");
    FUZZ_REQUIRE(uw_dataset_episode_rows(after, before) == 1, "the new episode is not the last");
    uw_dataset_close(after);
}

static bool judge(const uint8_t *data, size_t size, uw_err *why) {
    const char *path = fuzz_file(0, data, size);
    uw_dataset *set = NULL;
    const uw_status s = uw_dataset_open(path, &set, why);
    FUZZ_REQUIRE(!s == !!set, "a dataset without success, or the reverse");
    if (s) {
        FUZZ_REQUIRE(s == UW_EFORMAT || s == UW_EUNSUPPORTED,
                     "refused as if the disk were at fault");
        return false;
    }
    read_all(set);
    uw_err fault = {0};
    const uw_status verified = uw_dataset_verify(set, NULL, &fault);
    FUZZ_REQUIRE(verified == UW_OK || verified == UW_EFORMAT, "verify ran into something else");
    FUZZ_REQUIRE(!verified || (fault.text[0] && fault.fix[0]), "damage without words");
    append(path, set);
    uw_dataset_close(set);
    if (verified) *why = fault;
    return !verified;
}

/* Two recordings of the same rows: closed with an index, and as a killed recorder leaves it. */
static bool seed(int i, uint8_t **data, size_t *size) {
    static const uw_column columns[4] = {
        {.name = "raw", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {2, 2, 3}},
        {.name = "pixels",
         .dtype = UW_DTYPE_U8,
         .num_dims = 3,
         .shape = {4, 4, 3},
#if defined(UW_ZSTD)
         .codec = UW_CODEC_ZSTD
#endif
        },
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}},
        {.name = "id", .dtype = UW_DTYPE_I64},
    };
    if (i > 1) return false;
    char path[300];
    uint8_t row[64] = {0};
    const void *cells[4] = {row, row, row, row};
    uw_recorder *rec = NULL;
    snprintf(path, sizeof path, "%s/seed.uw", fuzz_folder());
    unlink(path);
    uw_status s = uw_recorder_open(path, columns, 4, NULL, UW_OPEN_NEW, &rec, NULL);
    for (int e = 0; !s && e < 3; e++) {
        for (int t = 0; !s && t < 3 + e; t++) {
            row[t] = (uint8_t)(e + t);
            s = uw_recorder_row(rec, cells, NULL);
        }
        s = s ? s : uw_recorder_end_episode(rec, NULL);
    }
    FUZZ_REQUIRE(!s, "a seed was not recorded");
    if (i) fuzz_read(path, data, size);
    FUZZ_REQUIRE(!uw_recorder_close(rec, NULL), "a seed was not closed");
    return i ? true : fuzz_read(path, data, size);
}

static void variants(const uint8_t *data, size_t size, const fuzz_sink *sink) {
    uint8_t *work = malloc(size + 3 * GROWTH); /* three changes at most */
    FUZZ_REQUIRE(work, "memory for a variant");
    for (uint64_t k = 0; k < VARIANTS; k++) {
        uw_rng r = uw__rng(size, UW_STREAM_TEST, k);
        memcpy(work, data, size);
        sink->take(sink->arg, work, mutate(&r, work, size));
    }
    free(work);
}

const fuzz_format fuzz_format_under_test = {.name = "dataset",
                                            .judge = judge,
                                            .seed = seed,
                                            .variants = variants,
                                            .random_cases = 500,
                                            .least_reasons = 10};
