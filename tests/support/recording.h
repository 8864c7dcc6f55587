/* Small recordings for tests: every type and codec, contents a function of (column, episode, row).
 */
#ifndef UW_RECORDING_H
#define UW_RECORDING_H

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <umwelt/dataset.h>

#include "check.h"

enum { REC_COLUMNS = 8, REC_CELL_MAX = 256 };

static inline void rec_columns(uw_column columns[REC_COLUMNS]) {
    const uw_column all[REC_COLUMNS] = {
        {.name = "pixels",
         .dtype = UW_DTYPE_U8,
         .num_dims = 3,
         .shape = {6, 5, 3},
#if defined(UW_ZSTD)
         .codec = UW_CODEC_ZSTD
#endif
        },
        {.name = "depth", .dtype = UW_DTYPE_U8, .num_dims = 3, .shape = {3, 2, 1}, .unit = "cm"},
        {.name = "action", .dtype = UW_DTYPE_F32, .num_dims = 1, .shape = {2}, .unit = "px"},
        {.name = "state", .dtype = UW_DTYPE_F64, .num_dims = 2, .shape = {2, 2}},
        {.name = "done", .dtype = UW_DTYPE_BOOL},
        {.name = "id", .dtype = UW_DTYPE_I64},
        {.name = "count", .dtype = UW_DTYPE_I32, .num_dims = 1, .shape = {3}},
        {.name = "light", .dtype = UW_DTYPE_U8, .num_dims = 1, .shape = {2}},
    };
    memcpy(columns, all, sizeof all);
}

static inline size_t rec_row_bytes(const uw_column *c) {
    size_t n = uw_dtype_bytes(c->dtype);
    for (int32_t d = 0; d < c->num_dims; d++) n *= (size_t)c->shape[d];
    return n;
}

static inline uint64_t rec_mix(uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 32);
}

/* Fill the row of a column: smooth pictures, awkward numbers (NaN, -0, subnormals, the largest
 * integers). */
static inline void rec_cell(const uw_column *c, int32_t column, int64_t episode, int64_t row,
                            void *out) {
    static const double odd[] = {0.1, -0.0, 1e-310, 1e300, 3.5, -2.25, 1.0 / 3.0, 123456789.0};
    unsigned char *at = out;
    const size_t width = uw_dtype_bytes(c->dtype), n = rec_row_bytes(c) / width;
    for (size_t i = 0; i < n; i++, at += width) {
        const uint64_t r = rec_mix((uint64_t)column * 1000003u + (uint64_t)episode * 7919u +
                                   (uint64_t)row * 31u + i);
        const float f32 = row % 5 == 4 ? NAN : (float)odd[r % 8] * (float)(i + 1);
        const double f64 = row % 7 == 6 ? (double)NAN : odd[r % 8];
        const int32_t i32 = (int32_t)(uint32_t)r;
        const int64_t i64 = (int64_t)r;
        const uint8_t u8 =
            (uint8_t)(c->num_dims == 3 ? (r % 3 ? episode * 20 : row * 9) : (int64_t)r);
        const uint8_t flag = (uint8_t)(r & 1);
        switch (c->dtype) {
        case UW_DTYPE_F32:
            memcpy(at, &f32, width);
            break;
        case UW_DTYPE_F64:
            memcpy(at, &f64, width);
            break;
        case UW_DTYPE_I32:
            memcpy(at, &i32, width);
            break;
        case UW_DTYPE_I64:
            memcpy(at, &i64, width);
            break;
        case UW_DTYPE_BOOL:
            memcpy(at, &flag, width);
            break;
        default:
            memcpy(at, &u8, width);
            break;
        }
    }
}

/* Append one episode row by row. */
static inline uw_status rec_episode(uw_recorder *rec, const uw_column *columns, int32_t n,
                                    int64_t episode, int64_t rows, uw_err *err) {
    static unsigned char cells[REC_COLUMNS][REC_CELL_MAX];
    const void *pointers[REC_COLUMNS];
    for (int64_t t = 0; t < rows; t++) {
        for (int32_t i = 0; i < n; i++) {
            rec_cell(&columns[i], i, episode, t, cells[i]);
            pointers[i] = cells[i];
        }
        const uw_status s = uw_recorder_row(rec, pointers, err);
        if (s) return s;
    }
    return uw_recorder_end_episode(rec, err);
}

/* Record episodes of the given lengths into a new file. */
static inline void rec_write(const char *path, const uw_column *columns, int32_t n,
                             const int64_t *rows, int64_t episodes) {
    const uw_dataset_meta meta = {.env = "two_room",
                                  .policy = "random",
                                  .variation = "--size 6",
                                  .action_repeat = 5,
                                  .row_seconds = 0.5,
                                  .seed = 42};
    uw_recorder *rec = NULL;
    uw_err err = {0};
    CHECK_OK(uw_recorder_open(path, columns, n, &meta, UW_OPEN_NEW, &rec, &err), &err);
    for (int64_t e = 0; e < episodes; e++)
        CHECK_OK(rec_episode(rec, columns, n, e, rows[e], &err), &err);
    CHECK_OK(uw_recorder_close(rec, &err), &err);
}

/* Compare row t of a column with what rec_cell says, byte by byte. */
static inline bool rec_row_equal(const uw_dataset *data, int32_t column, int64_t episode,
                                 int64_t as_episode, int64_t row) {
    unsigned char want[REC_CELL_MAX], got[REC_CELL_MAX];
    const uw_column *c = uw_dataset_column(data, column);
    rec_cell(c, column, as_episode, row, want);
    return !uw_dataset_rows(data, column, episode, row, 1, 1, got, NULL) &&
           !memcmp(want, got, rec_row_bytes(c));
}

/* ---- files -------------------------------------------------------------------------------- */

/* A fresh folder for one test; its name in a static buffer. */
static inline const char *rec_folder(void) {
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/uw-test-XXXXXX");
    if (!mkdtemp(folder)) fail_msg("mkdtemp: %s", strerror(errno));
    return folder;
}

/* Remove a folder of files. */
static inline void rec_remove(const char *folder) {
    char path[512];
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static inline int rec_count_files(const char *folder) {
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static inline unsigned char *rec_slurp(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: %s", path, strerror(errno));
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

static inline void rec_spill(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

#endif
