/* Files and folders of runs, for tests that compare, copy and damage them. */
#ifndef UW_RUN_FILES_H
#define UW_RUN_FILES_H

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

/* The whole file, malloc'd, with a NUL behind it; NULL when it does not exist. */
static inline char *file_bytes(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (size) *size = 0;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    rewind(f);
    char *data = malloc((size_t)n + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)n, f), n);
    data[n] = '\0';
    fclose(f);
    if (size) *size = (size_t)n;
    return data;
}

static inline void file_write(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static inline bool same_file(const char *a, const char *b) {
    size_t na = 0, nb = 0;
    char *da = file_bytes(a, &na), *db = file_bytes(b, &nb);
    const bool same = da && db && na == nb && !memcmp(da, db, na);
    free(da);
    free(db);
    return same;
}

/* The records of an event file without the time of day (field 1 of each, a double) and the checksums over it,
 * so that the rest can be compared. */
static inline char *events_without_time(const char *path, size_t *size) {
    char *bytes = file_bytes(path, size);
    if (!bytes) fail_msg("%s is missing", path);
    for (size_t at = 0; at < *size;) {
        uint64_t length;
        assert_true(*size - at >= 16);
        memcpy(&length, bytes + at, 8);
        assert_true(length >= 9 && length <= *size - at - 16);
        assert_int_equal(bytes[at + 12], 0x09);
        memset(bytes + at + 13, 0, 8);
        memset(bytes + at + 12 + length, 0, 4);
        at += 16 + length;
    }
    return bytes;
}

static inline bool same_events(const char *a, const char *b) {
    size_t na = 0, nb = 0;
    char *da = events_without_time(a, &na), *db = events_without_time(b, &nb);
    const bool same = na == nb && !memcmp(da, db, na);
    free(da);
    free(db);
    return same;
}

/* Copy a tree of plain files and folders. */
static inline void copy_tree(const char *from, const char *to) {
    struct stat st;
    if (stat(from, &st)) return;
    if (!S_ISDIR(st.st_mode)) {
        size_t size;
        char *data = file_bytes(from, &size);
        file_write(to, data, size);
        free(data);
        return;
    }
    mkdir(to, 0777);
    DIR *d = opendir(from);
    for (struct dirent *e; d && (e = readdir(d));) {
        char a[1024], b[1024];
        if (e->d_name[0] == '.') continue;
        snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        copy_tree(a, b);
    }
    if (d) closedir(d);
}

#endif
