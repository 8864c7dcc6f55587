/* Files: bounded reads, atomic writes, directories.  io is the only folder that opens files. */
#ifndef UW_FILEIO_H
#define UW_FILEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

/* Map errno of an operation on path to a status and a message: ENOENT -> ENOTFOUND; ENOSPC, EROFS,
 * EACCES (when writing), EDQUOT -> ENOSPC; else EIO. */
uw_status uw__io_fail(uw_err *err, const char *path, const char *what, int errno_value,
                      bool writing);

/* Refuse a file's content: "path: reason: detail" and the advice.  The reason is one word with
 * underscores (bad_header_length) that documents and tests can name. */
uw_status uw__refuse(uw_err *err, uw_status status, const char *path, const char *reason,
                     const char *fix, const char *format, ...) UW_PRINTF(6, 7);
/* The same for memory that could not be had. */
uw_status uw__no_memory(uw_err *err, const char *path, uint64_t bytes);

/* The end of a path, short enough to leave room for the reason in a message. */
const char *uw__path_tail(const char *path);

/* Open a regular file for reading, its size in *size: a folder, pipe or device is UW_EFORMAT at
 * once (a pipe must not block the caller).  Own: *fd. */
uw_status uw__file_open(const char *path, int *fd, uint64_t *size, uw_err *err);
/* Read exactly `bytes` at `offset`; a file that ends early is UW_EFORMAT. */
uw_status uw__read_at(int fd, void *data, size_t bytes, uint64_t offset, const char *path,
                      uw_err *err);

/* Read a whole regular file of at most max_bytes into malloc'd memory (plus a NUL not counted). */
uw_status uw__file_read(const char *path, uint64_t max_bytes, void **data, size_t *size,
                        uw_err *err);
bool uw__file_exists(const char *path);
uw_status uw__file_size(const char *path, uint64_t *size, uw_err *err);

/* An atomic file: written beside its place, then fsync, rename, fsync of the folder. */
typedef struct uw_atomic {
    int fd;
    char path[1024], temp[1100];
    bool failed;    /* sticky: a file with a hole in it is never published */
    bool overwrite; /* may replace an old file */
} uw_atomic;
/* UW_EEXIST unless overwrite. */
uw_status uw__atomic_open(uw_atomic *f, const char *path, bool overwrite, uw_err *err);
uw_status uw__atomic_write(uw_atomic *f, const void *data, size_t size, uw_err *err);
/* Publish; on error the temporary file is removed and an old file is intact.  One exception: when
 * only the folder could not be synced, the new file is in place, but may not survive a power
 * failure. */
uw_status uw__atomic_commit(uw_atomic *f, uw_err *err);
/* Remove the temporary file; harmless after commit. */
void uw__atomic_abort(uw_atomic *f);
/* The four in one. */
uw_status uw__file_write_atomic(const char *path, const void *data, size_t size, bool overwrite,
                                uw_err *err);

/* Write all bytes to fd, retrying short writes and EINTR. */
uw_status uw__write_all(int fd, const void *data, size_t size, const char *path, uw_err *err);
/* mkdir -p; existing folders are fine. */
uw_status uw__mkdirs(const char *path, uw_err *err);
uw_status uw__fsync_dir(const char *path, uw_err *err);
/* rm -rf of a folder of ours (refuses "" and "/"); missing is fine. */
uw_status uw__remove_tree(const char *path, uw_err *err);
/* Names in a folder, sorted, malloc'd array of malloc'd strings; free with uw__names_free. */
uw_status uw__list_dir(const char *path, char ***names, int32_t *count, uw_err *err);
void uw__names_free(char **names, int32_t count);

#endif
