/* Random-access files of recordings.  The writer's lock is advisory (flock): it ends with the
 * process, so a killed recorder never leaves a file that cannot be continued. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fileio.h"

enum { PIECE = 1 << 30 }; /* the kernel moves at most 2^31 - 4096 bytes a call */

uw_status uw__store_open(const char *path, int *fd, uint64_t *size, uw_err *err) {
    return uw__file_open(path, fd, size, err);
}

/* Lock fd and learn its size; closes it on error. */
static uw_status claim(const char *path, int fd, uint64_t *size, uw_err *err) {
    uw_status s = UW_OK;
    struct stat st;
    if (fstat(fd, &st)) {
        s = uw__io_fail(err, path, "stat", errno, true);
    } else if (!S_ISREG(st.st_mode)) {
        s = uw_fail(err, UW_EFORMAT, "%s: wanted a regular file", uw__path_tail(path));
        uw_err_fix(err, "give the path of a file, not of a folder or a device");
    } else if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        s = uw_fail(err, UW_EEXIST, "%s: another recorder is writing it", uw__path_tail(path));
        uw_err_fix(err, "wait until it has finished, or choose another name");
    }
    if (s) {
        close(fd);
        return s;
    }
    *size = (uint64_t)st.st_size;
    return UW_OK;
}

uw_status uw__store_open_write(const char *path, int *fd, uint64_t *size, uw_err *err) {
    const int f = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f < 0) return uw__io_fail(err, path, "open for writing", errno, true);
    const uw_status s = claim(path, f, size, err);
    if (!s) *fd = f;
    return s;
}

uw_status uw__store_create(const char *path, int *fd, uw_err *err) {
    uint64_t size;
    const int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (f < 0) return uw__io_fail(err, path, "create", errno, true);
    uw_status s = claim(path, f, &size, err);
    if (s) return s;
    if ((s = uw__store_truncate(f, path, 0, err))) {
        close(f);
        return s;
    }
    *fd = f;
    return UW_OK;
}

void uw__store_close(int fd) {
    if (fd >= 0) close(fd);
}

uw_status uw__store_read(int fd, const char *path, uint64_t offset, void *out, size_t bytes,
                         uw_err *err) {
    unsigned char *at = out;
    while (bytes) {
        const ssize_t got = pread(fd, at, bytes < PIECE ? bytes : PIECE, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return uw__io_fail(err, path, "read", errno, false);
        if (!got) {
            uw_fail(err, UW_EIO, "%s: the file shrank while it was open, wanted %zu bytes at %llu",
                    uw__path_tail(path), bytes, (unsigned long long)offset);
            uw_err_fix(err, "another program cut the file; restore it and open it again");
            return UW_EIO;
        }
        at += got;
        bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return UW_OK;
}

uw_status uw__store_write(int fd, const char *path, uint64_t offset, const void *data, size_t bytes,
                          uw_err *err) {
    const unsigned char *at = data;
    while (bytes) {
        const ssize_t put = pwrite(fd, at, bytes < PIECE ? bytes : PIECE, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return uw__io_fail(err, path, "write", errno, true);
        if (!put) return uw__io_fail(err, path, "write", ENOSPC, true);
        at += put;
        bytes -= (size_t)put;
        offset += (uint64_t)put;
    }
    return UW_OK;
}

uw_status uw__store_truncate(int fd, const char *path, uint64_t size, uw_err *err) {
    while (ftruncate(fd, (off_t)size)) {
        if (errno != EINTR) return uw__io_fail(err, path, "set the length of", errno, true);
    }
    return UW_OK;
}

uw_status uw__store_sync(int fd, const char *path, uw_err *err) {
    while (fdatasync(fd)) {
        if (errno != EINTR) return uw__io_fail(err, path, "sync", errno, true);
    }
    return UW_OK;
}

/* Make a rename durable: sync the folder that holds path. */
static uw_status sync_folder_of(const char *path, uw_err *err) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash) return uw__fsync_dir(".", err);
    const size_t n = slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof folder) return uw__io_fail(err, path, "sync the folder of", ENAMETOOLONG, true);
    memcpy(folder, path, n);
    folder[n] = '\0';
    return uw__fsync_dir(folder, err);
}

uw_status uw__store_publish(const char *from, const char *to, bool overwrite, uw_err *err) {
    int failed = renameat2(AT_FDCWD, from, AT_FDCWD, to, overwrite ? 0 : RENAME_NOREPLACE);
    if (failed && !overwrite &&
        (errno == EINVAL || errno == ENOSYS)) { /* e.g. some network disks */
        errno = EEXIST;
        failed = uw__file_exists(to) ? -1 : rename(from, to);
    }
    if (failed && errno == EEXIST) {
        uw_fail(err, UW_EEXIST, "%s: exists already", uw__path_tail(to));
        uw_err_fix(err, "choose another name, or allow overwriting (--force)");
        return UW_EEXIST;
    }
    if (failed) return uw__io_fail(err, to, "rename into place", errno, true);
    return sync_folder_of(to, err);
}

void uw__store_remove(const char *path) {
    unlink(path);
}
