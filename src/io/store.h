/* Random-access files of recordings: regular files only, read at any offset by any thread, written
 * by one locked writer.  Reads go through pread and not through a map of the file, so that a file
 * cut short by another program is an error to report and never a SIGBUS. */
#ifndef UW_STORE_H
#define UW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <umwelt/status.h>

/* Open an existing regular file for reading; *fd is closed by uw__store_close. */
uw_status uw__store_open(const char *path, int *fd, uint64_t *size, uw_err *err);
/* Open an existing regular file for writing; UW_EEXIST when another writer holds it. */
uw_status uw__store_open_write(const char *path, int *fd, uint64_t *size, uw_err *err);
/* Create a file, or empty an unlocked one of that name, and lock it; symbolic links are refused. */
uw_status uw__store_create(const char *path, int *fd, uw_err *err);
void uw__store_close(int fd);

/* Read exactly `bytes` at `offset`; UW_EIO when the file ends before. */
uw_status uw__store_read(int fd, const char *path, uint64_t offset, void *out, size_t bytes,
                         uw_err *err);
/* Write all bytes at `offset`; a full disk and a file size limit are UW_ENOSPC. */
uw_status uw__store_write(int fd, const char *path, uint64_t offset, const void *data, size_t bytes,
                          uw_err *err);
uw_status uw__store_truncate(int fd, const char *path, uint64_t size, uw_err *err);
/* Wait until what was written survives a power failure. */
uw_status uw__store_sync(int fd, const char *path, uw_err *err);
/* Rename `from` to `to`; UW_EEXIST when `to` exists and may not be replaced. */
uw_status uw__store_publish(const char *from, const char *to, bool overwrite, uw_err *err);
void uw__store_remove(const char *path);

#endif
