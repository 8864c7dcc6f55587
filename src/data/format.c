/* What is this file: content first, then its name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <umwelt/dataset.h>

#include "convert.h"
#include "fileio.h"
#include "internal.h"
#include "store.h"

enum { HEAD = 4096 }; /* bytes looked at */

static const struct {
    uw_format format;
    const char *word, *ending;
} kinds[] = {
    {UW_FORMAT_DATASET, "dataset", ".uw"},
    {UW_FORMAT_NPZ, "npz", ".npz"},
    {UW_FORMAT_CSV, "csv", ".csv"},
    {UW_FORMAT_CSV, "csv", ".tsv"},
    {UW_FORMAT_SAFETENSORS, "safetensors", ".safetensors"},
    {UW_FORMAT_CHECKPOINT, "checkpoint", ""},
    {UW_FORMAT_HDF5, "hdf5", ".h5"},
    {UW_FORMAT_HDF5, "hdf5", ".hdf5"},
    {UW_FORMAT_PT, "pt", ".pt"},
    {UW_FORMAT_PT, "pt", ".pth"},
    {UW_FORMAT_PNG, "png", ".png"},
    {UW_FORMAT_NPY, "npy", ".npy"},
    {UW_FORMAT_FOLDER, "folder", ""},
};
enum { NUM_KINDS = sizeof kinds / sizeof kinds[0] };

const char *uw_format_str(uw_format format) {
    for (size_t i = 0; i < NUM_KINDS; i++) {
        if (kinds[i].format == format) return kinds[i].word;
    }
    return "unknown";
}

bool uw_format_parse(const char *word, uw_format *out) {
    for (size_t i = 0; i < NUM_KINDS; i++) {
        if (strcmp(kinds[i].word, word)) continue;
        *out = kinds[i].format;
        return true;
    }
    return false;
}

static uw_format by_name(const char *path) {
    const size_t n = strlen(path);
    for (size_t i = 0; i < NUM_KINDS; i++) {
        const size_t m = strlen(kinds[i].ending);
        if (m && n > m && !strcasecmp(path + n - m, kinds[i].ending)) return kinds[i].format;
    }
    return UW_FORMAT_UNKNOWN;
}

static bool starts(const unsigned char *data, size_t size, const char *magic, size_t n) {
    return size >= n && !memcmp(data, magic, n);
}

/* A zip archive is told by its first member: numpy writes NAME.npy, PyTorch a folder with data.pkl.
 */
static uw_format zip_kind(const unsigned char *data, size_t size) {
    if (size < 30) return UW_FORMAT_UNKNOWN;
    const size_t length = (size_t)data[26] | (size_t)data[27] << 8;
    const char *name = (const char *)data + 30;
    if (size - 30 < length) return UW_FORMAT_UNKNOWN;
    if (length > 4 && !memcmp(name + length - 4, ".npy", 4)) return UW_FORMAT_NPZ;
    if (length >= 8 && !memcmp(name + length - 8, "data.pkl", 8)) return UW_FORMAT_PT;
    return UW_FORMAT_UNKNOWN;
}

/* Text whose first line that is no comment has a separator: a table. */
static bool looks_like_csv(const unsigned char *data, size_t size) {
    bool separator = false, comment = size && data[0] == '#';
    if (!size || memchr(data, 0, size)) return false;
    for (size_t i = 0; i < size; i++) {
        const bool line_end = data[i] == '\n';
        if (data[i] < 0x20 && !line_end && data[i] != '\r' && data[i] != '\t') return false;
        if (!comment && strchr(",;\t", data[i])) separator = true;
        if (line_end && !comment && separator) return true;
        if (line_end) comment = i + 1 < size && data[i + 1] == '#';
    }
    return separator;
}

static uw_format by_content(const unsigned char *data, size_t size, uint64_t file_size) {
    /* The first byte may have suffered from a text-mode copy: opening says so better than
     * "unknown". */
    if (size >= 6 && !memcmp(data + 1, "UWDAT", 5)) return UW_FORMAT_DATASET;
    if (starts(data, size, "\x89HDF\r\n\x1a\n", 8)) return UW_FORMAT_HDF5;
    if (starts(data, size, "\x89PNG\r\n\x1a\n", 8)) return UW_FORMAT_PNG;
    if (starts(data, size, "\x93NUMPY", 6)) return UW_FORMAT_NPY;
    if (starts(data, size, "PK\3\4", 4)) return zip_kind(data, size);
    if (starts(data, size, "PK\5\6", 4)) return UW_FORMAT_NPZ; /* an empty archive */
    if (size >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5)
        return UW_FORMAT_PT; /* a pickle */
    if (size >= 9 && data[8] == '{') {
        uint64_t header = 0;
        for (int i = 0; i < 8; i++) header |= (uint64_t)data[i] << (8 * i);
        if (header >= 2 && header <= file_size - 8) return UW_FORMAT_SAFETENSORS;
    }
    return looks_like_csv(data, size) ? UW_FORMAT_CSV : UW_FORMAT_UNKNOWN;
}

/* A run folder, one of its generations, or columns in archives: told by what must be inside. */
static uw_format folder_kind(const char *path) {
    char inside[4096];
    static const struct {
        const char *mark;
        uw_format format;
    } marks[] = {{"MANIFEST", UW_FORMAT_CHECKPOINT},
                 {"checkpoints", UW_FORMAT_CHECKPOINT},
                 {"ep_len.npz", UW_FORMAT_FOLDER}};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const int n = snprintf(inside, sizeof inside, "%s/%s", path, marks[i].mark);
        if (n > 0 && (size_t)n < sizeof inside && uw__file_exists(inside)) return marks[i].format;
    }
    return UW_FORMAT_UNKNOWN;
}

uw_status uw_format_detect(const char *path, uw_format *out, uw_err *err) {
    unsigned char head[HEAD];
    struct stat st;
    uint64_t size;
    int fd = -1;
    *out = UW_FORMAT_UNKNOWN;
    if (stat(path, &st)) return uw__io_fail(err, path, "open", errno, false);
    if (S_ISDIR(st.st_mode)) {
        *out = folder_kind(path);
        return UW_OK;
    }
    uw_status s = uw__store_open(path, &fd, &size, err);
    if (s) return s;
    const size_t n = size < HEAD ? (size_t)size : HEAD;
    s = uw__store_read(fd, path, 0, head, n, err);
    uw__store_close(fd);
    if (s) return s;
    *out = by_content(head, n, size);
    if (*out == UW_FORMAT_UNKNOWN) *out = by_name(path);
    return UW_OK;
}

uw_format uw__format_of_name(const char *path) {
    return by_name(path);
}
