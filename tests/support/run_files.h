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
