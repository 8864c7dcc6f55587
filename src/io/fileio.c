/* Files: bounded reads, atomic writes, folders.
 *
 * A file of ours is written beside its place, synced and renamed, so that a reader finds the old
 * bytes or the new ones, never a mixture, and a full disk costs nothing but the new file.  Reads
 * go through a descriptor whose kind and size were checked first; nothing is allocated on the word
 * of a file's contents. */
#include "fileio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SHOWN = 120 }; /* bytes of a path that a message shows */

const char *uw__path_tail(const char *path) {
    const size_t n = strlen(path);
    return n > PATH_SHOWN ? path + (n - PATH_SHOWN) : path;
}

/* ENOTDIR, ELOOP and EFBIG belong to "the place cannot be written" as much as a full disk does. */
static bool place_refused(int e) {
    return e == ENOSPC || e == EROFS || e == EACCES || e == EPERM || e == EDQUOT || e == EFBIG ||
           e == ENOTDIR || e == ELOOP;
}

uw_status uw__io_fail(uw_err *err, const char *path, const char *what, int errno_value,
                      bool writing) {
    char buffer[64];
    const char *text = strerror_r(errno_value, buffer, sizeof buffer);
    uw_status s = UW_EIO;
    const char *fix = "check the disk and the kernel's log, then try again";
    if (errno_value == ENOENT || (errno_value == ENOTDIR && !writing)) {
        s = UW_ENOTFOUND;
        fix = writing ? "create the folder first" : "check the path; `ls` shows what is there";
    } else if (writing && place_refused(errno_value)) {
        s = UW_ENOSPC;
        fix = errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG
                  ? "free some space (df -h, ulimit -f), or write to another place"
                  : "choose a folder that you may write to";
    } else if (errno_value == ENOMEM) {
        s = UW_ENOMEM;
        fix = "close other programs";
    } else if (errno_value == EACCES || errno_value == EPERM) {
        fix = "you may not read this; see `ls -l`";
    } else if (errno_value == ENAMETOOLONG) {
        s = UW_EINVAL;
        fix = "use a shorter path";
    }
    uw_fail(err, s, "%s: %s: %s", uw__path_tail(path), what, text);
    uw_err_fix(err, "%s", fix);
    return s;
}

uw_status uw__refuse(uw_err *err, uw_status status, const char *path, const char *reason,
                     const char *fix, const char *format, ...) {
    char detail[160];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    uw_fail(err, status, "%s: %s: %s", uw__path_tail(path), reason, detail);
    uw_err_fix(err, "%s", fix);
    return status;
}

uw_status uw__no_memory(uw_err *err, const char *path, uint64_t bytes) {
    return uw__refuse(err, UW_ENOMEM, path, "out of memory", "close other programs",
                      "wanted %llu bytes", (unsigned long long)bytes);
}

static const char *kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

uw_status uw__file_open(const char *path, int *fd, uint64_t *size, uw_err *err) {
    uw_status s = UW_OK;
    struct stat st;
    const int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f < 0) return uw__io_fail(err, path, "open", errno, false);
    if (fstat(f, &st)) {
        s = uw__io_fail(err, path, "stat", errno, false);
    } else if (!S_ISREG(st.st_mode)) {
        s = uw_fail(err, UW_EFORMAT, "%s: wanted a regular file, got %s", uw__path_tail(path),
                    kind_of(st.st_mode));
        uw_err_fix(err, "give the path of a file");
    }
    if (s) {
        close(f);
        return s;
    }
    *fd = f;
    *size = (uint64_t)st.st_size;
    return UW_OK;
}

uw_status uw__read_at(int fd, void *data, size_t bytes, uint64_t offset, const char *path,
                      uw_err *err) {
    unsigned char *at = data;
    while (bytes) {
        const size_t want = bytes < (1u << 30) ? bytes : 1u << 30;
        const ssize_t got = pread(fd, at, want, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return uw__io_fail(err, path, "read", errno, false);
        if (!got) {
            uw_fail(err, UW_EFORMAT,
                    "%s: truncated: ended while it was read, wanted %zu bytes more",
                    uw__path_tail(path), bytes);
            uw_err_fix(err, "wait until the program that writes it has finished");
            return UW_EFORMAT;
        }
        at += got;
        bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return UW_OK;
}

uw_status uw__file_read(const char *path, uint64_t max_bytes, void **data, size_t *size,
                        uw_err *err) {
    uw_status s;
    int fd = -1;
    uint64_t bytes = 0;
    char *mem = NULL;
    if ((s = uw__file_open(path, &fd, &bytes, err))) return s;
    if (bytes > max_bytes || bytes >= SIZE_MAX) {
        s = uw__refuse(err, UW_EFORMAT, path, "too_large", "check that this is the file you meant",
                       "wanted at most %llu bytes, got %llu", (unsigned long long)max_bytes,
                       (unsigned long long)bytes);
        goto done;
    }
    mem = malloc((size_t)bytes + 1);
    if (!mem) {
        s = uw__no_memory(err, path, bytes + 1);
        goto done;
    }
    if ((s = uw__read_at(fd, mem, (size_t)bytes, 0, path, err))) goto done;
    mem[bytes] = '\0';
    *data = mem;
    *size = (size_t)bytes;
    mem = NULL;
done:
    free(mem);
    close(fd);
    return s;
}

bool uw__file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

uw_status uw__file_size(const char *path, uint64_t *size, uw_err *err) {
    struct stat st;
    if (stat(path, &st)) return uw__io_fail(err, path, "stat", errno, false);
    if (!S_ISREG(st.st_mode)) {
        uw_fail(err, UW_EFORMAT, "%s: wanted a regular file, got %s", uw__path_tail(path),
                kind_of(st.st_mode));
        uw_err_fix(err, "give the path of a file");
        return UW_EFORMAT;
    }
    *size = (uint64_t)st.st_size;
    return UW_OK;
}

uw_status uw__write_all(int fd, const void *data, size_t size, const char *path, uw_err *err) {
    const unsigned char *at = data;
    while (size) {
        const ssize_t put = write(fd, at, size < (1u << 30) ? size : 1u << 30);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return uw__io_fail(err, path, "write", put ? errno : ENOSPC, true);
        at += put;
        size -= (size_t)put;
    }
    return UW_OK;
}

static uw_status exists_fail(const char *path, uw_err *err) {
    uw_fail(err, UW_EEXIST, "%s: exists already", uw__path_tail(path));
    uw_err_fix(err, "give another path, or allow it to be overwritten");
    return UW_EEXIST;
}

/* Learn the old file's kind and permissions; a new file gets what the umask leaves. */
static uw_status inspect_old(const char *path, bool overwrite, mode_t *mode, uw_err *err) {
    struct stat st;
    *mode = 0;
    if (lstat(path, &st)) {
        return errno == ENOENT ? UW_OK : uw__io_fail(err, path, "stat", errno, true);
    }
    if (!overwrite) return exists_fail(path, err);
    if (S_ISLNK(st.st_mode) && stat(path, &st)) return UW_OK;
    if (!S_ISREG(st.st_mode)) {
        uw_fail(err, UW_EEXIST, "%s: wanted a regular file to replace, got %s", uw__path_tail(path),
                kind_of(st.st_mode));
        uw_err_fix(err, "give the path of a file");
        return UW_EEXIST;
    }
    *mode = st.st_mode & 07777;
    return UW_OK;
}

uw_status uw__atomic_open(uw_atomic *f, const char *path, bool overwrite, uw_err *err) {
    static atomic_uint serial; /* tells apart the files that one process writes to one place */
    mode_t mode;
    f->fd = -1;
    f->failed = true; /* until it is open, there is nothing that commit could publish */
    f->overwrite = overwrite;
    f->temp[0] = '\0';
    if (!path[0] || strlen(path) >= sizeof f->path) {
        uw_fail(err, UW_EINVAL, "%s: wanted a path of 1 to %zu bytes, got %zu", uw__path_tail(path),
                sizeof f->path - 1, strlen(path));
        uw_err_fix(err, "give another path");
        return UW_EINVAL;
    }
    strcpy(f->path, path);
    const uw_status s = inspect_old(path, overwrite, &mode, err);
    if (s) return s;
    for (int attempt = 0; f->fd < 0; attempt++) {
        snprintf(f->temp, sizeof f->temp, "%s.tmp-%ld-%u", path, (long)getpid(),
                 atomic_fetch_add(&serial, 1));
        f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd < 0 && (errno != EEXIST || attempt == 100)) {
            const int e = errno;
            f->temp[0] = '\0';
            return uw__io_fail(err, path, "create", e, true);
        }
    }
    /* A filesystem without permissions may refuse: the umask's will do. */
    if (mode) (void)fchmod(f->fd, mode);
    f->failed = false;
    return UW_OK;
}

uw_status uw__atomic_write(uw_atomic *f, const void *data, size_t size, uw_err *err) {
    if (f->failed) {
        uw_fail(err, UW_EIO, "%s: written after an error", uw__path_tail(f->path));
        uw_err_fix(err, "mend the first error");
        return UW_EIO;
    }
    const uw_status s = uw__write_all(f->fd, data, size, f->path, err);
    if (s) f->failed = true;
    return s;
}

/* Publish without replacing: an exclusive rename where the filesystem has one, else a hard link,
 * which fails when the name was taken meanwhile. */
static int rename_new(const char *from, const char *to) {
    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (link(from, to)) return -1;
    return unlink(from);
}

static uw_status sync_parent(const char *path, uw_err *err) {
    char parent[1024];
    const char *slash = strrchr(path, '/');
    if (!slash) return uw__fsync_dir(".", err);
    const size_t n = slash == path ? 1 : (size_t)(slash - path);
    memcpy(parent, path, n);
    parent[n] = '\0';
    return uw__fsync_dir(parent, err);
}

uw_status uw__atomic_commit(uw_atomic *f, uw_err *err) {
    uw_status s = UW_OK;
    if (f->failed) {
        s = uw_fail(err, UW_EIO, "%s: not published after an error", uw__path_tail(f->path));
        uw_err_fix(err, "mend the first error");
        goto done;
    }
    /* EINVAL: a place that cannot be synced (some FUSE mounts) and has no more to give. */
    if (fsync(f->fd) && errno != EINVAL) {
        s = uw__io_fail(err, f->path, "sync", errno, true);
        goto done;
    }
    const int closed = close(f->fd);
    f->fd = -1;
    if (closed && errno != EINTR) { /* where quotas and network disks tell of a lost write */
        s = uw__io_fail(err, f->path, "close", errno, true);
        goto done;
    }
    if (f->overwrite ? rename(f->temp, f->path) : rename_new(f->temp, f->path)) {
        s = errno == EEXIST ? exists_fail(f->path, err)
                            : uw__io_fail(err, f->path, "rename", errno, true);
        goto done;
    }
    f->temp[0] = '\0';
    s = sync_parent(f->path, err);
done:
    uw__atomic_abort(f);
    return s;
}

void uw__atomic_abort(uw_atomic *f) {
    if (f->fd >= 0) close(f->fd);
    if (f->temp[0]) unlink(f->temp);
    f->fd = -1;
    f->temp[0] = '\0';
    f->failed = true;
}

uw_status uw__file_write_atomic(const char *path, const void *data, size_t size, bool overwrite,
                                uw_err *err) {
    uw_atomic f;
    uw_status s = uw__atomic_open(&f, path, overwrite, err);
    if (!s) s = uw__atomic_write(&f, data, size, err);
    if (!s) return uw__atomic_commit(&f, err);
    uw__atomic_abort(&f);
    return s;
}

uw_status uw__mkdirs(const char *path, uw_err *err) {
    char dir[1024];
    const size_t n = strlen(path);
    struct stat st;
    if (!n || n >= sizeof dir) {
        uw_fail(err, UW_EINVAL, "%s: wanted a folder's path of 1 to %zu bytes, got %zu",
                uw__path_tail(path), sizeof dir - 1, n);
        uw_err_fix(err, "give another path");
        return UW_EINVAL;
    }
    memcpy(dir, path, n + 1);
    for (char *at = dir + 1;; at++) {
        if (*at && *at != '/') continue;
        const char kept = *at;
        *at = '\0';
        if (mkdir(dir, 0777)) {
            const int e = errno; /* EROFS and EACCES are no trouble when the folder is there */
            const bool there = stat(dir, &st) == 0;
            if (!there) return uw__io_fail(err, path, "create the folder", e, true);
            if (!S_ISDIR(st.st_mode)) {
                return uw__io_fail(err, path, "create the folder", ENOTDIR, true);
            }
        }
        if (!kept) return UW_OK;
        *at = kept;
    }
}

uw_status uw__fsync_dir(const char *path, uw_err *err) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A folder one may write to but not list cannot be opened; its entry is then synced late. */
    if (fd < 0) return errno == EACCES ? UW_OK : uw__io_fail(err, path, "open", errno, true);
    uw_status s = UW_OK;
    if (fsync(fd) && errno != EINVAL) s = uw__io_fail(err, path, "sync", errno, true);
    close(fd);
    return s;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk) {
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

uw_status uw__remove_tree(const char *path, uw_err *err) {
    char real[PATH_MAX];
    struct stat st;
    if (path[0] && lstat(path, &st)) {
        return errno == ENOENT ? UW_OK : uw__io_fail(err, path, "stat", errno, true);
    }
    if (!path[0] || !realpath(path, real) || !strcmp(real, "/")) {
        uw_fail(err, UW_EINVAL, "%s: wanted a folder of ours to remove", path[0] ? path : "\"\"");
        uw_err_fix(err, "give the path of a folder made here");
        return UW_EINVAL;
    }
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT) {
        return uw__io_fail(err, path, "remove", errno, true);
    }
    return UW_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

uw_status uw__list_dir(const char *path, char ***names, int32_t *count, uw_err *err) {
    uw_status s = UW_OK;
    char **list = NULL;
    int32_t n = 0, cap = 0;
    DIR *dir = opendir(path);
    if (!dir) return uw__io_fail(err, path, "open the folder", errno, false);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno) s = uw__io_fail(err, path, "read the folder", errno, false);
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            char **grown = realloc(list, (size_t)cap * sizeof *list);
            if (grown) list = grown;
            if (!grown) s = UW_ENOMEM;
        }
        if (!s && !(list[n] = strdup(entry->d_name))) s = UW_ENOMEM;
        if (s) {
            uw__io_fail(err, path, "list", ENOMEM, false);
            break;
        }
        n++;
    }
    closedir(dir);
    if (s) {
        uw__names_free(list, n);
        return s;
    }
    if (n) qsort(list, (size_t)n, sizeof *list, by_name);
    *names = list;
    *count = n;
    return UW_OK;
}

void uw__names_free(char **names, int32_t count) {
    for (int32_t i = 0; i < count; i++) free(names[i]);
    free(names);
}
