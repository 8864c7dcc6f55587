/* A fresh folder for one test program, removed with all it holds; and a limit that stands for a
 * full disk. */
#ifndef UW_TEMPDIR_H
#define UW_TEMPDIR_H

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char tempdir_path[256];

static int tempdir_entry(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

/* cmocka group set-up and tear-down. */
static inline int tempdir_setup(void **state) {
    const char *root = getenv("TMPDIR");
    (void)state;
    snprintf(tempdir_path, sizeof tempdir_path, "%s/umwelt-XXXXXX", root && *root ? root : "/tmp");
    return mkdtemp(tempdir_path) ? 0 : -1;
}

static inline int tempdir_teardown(void **state) {
    (void)state;
    return nftw(tempdir_path, tempdir_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of NAME in the folder; one of four rotating buffers. */
static inline const char *tempdir_file(const char *name) {
    static char paths[4][1024]; /* room for the absurd names that some tests give */
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", tempdir_path, name);
    return path;
}

/* Entries in the folder, so that a test sees what was left behind. */
static inline int tempdir_count(void) {
    int n = -2; /* "." and ".." */
    DIR *dir = opendir(tempdir_path);
    while (dir && readdir(dir)) n++;
    if (dir) closedir(dir);
    return n;
}

/* From here to disk_free, no file of this process grows beyond `bytes`: EFBIG, for root too. */
static inline void disk_fill(rlim_t bytes) {
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static inline void disk_free(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

#endif
